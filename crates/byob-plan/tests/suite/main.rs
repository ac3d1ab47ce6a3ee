//! The three-way comparison against a small world in memory: configuration text goes in, plans come out, and applying
//! them to the world must lead to a plan with nothing in it.

#![allow(
    clippy::unwrap_used,
    reason = "test code that builds worlds; a panic is a failed test wherever it stands"
)]

mod access;
mod approvals;
mod converge;
mod digest_fields;
mod digests;
mod drift;
mod order;
mod phases;
mod policy_file;
mod reach;
mod refresh;
mod refusals;
mod renames;
mod rules;
mod scene;
mod selecting;
mod standing;
mod table;
mod taking_out;
mod waivers;
mod world;
