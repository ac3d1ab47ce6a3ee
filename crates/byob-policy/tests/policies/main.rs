//! What must hold for whole documents: over generated ones, and over the policies that W&B asks for.

mod access;
mod comparison;
mod cost;
mod equality;
mod generated;
mod meeting;
mod spelling;
mod wandb;
