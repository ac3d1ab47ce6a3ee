//! The executor with the real planner, in a simulated account.

mod executor;
mod scene;
mod seeds;
mod sweeps;
