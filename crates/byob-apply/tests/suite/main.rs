//! The executor with the real planner, in a simulated account.

#![allow(unreachable_pub, reason = "the world is to become a crate of its own")]

#[path = "../world/mod.rs"]
mod world;

mod executor;
mod scene;
mod seeds;
mod sweeps;
