//! Configuration → desired state, the typed resources (one file a kind), and the maps of recorded and live resources.
//!
//! Pure: no I/O but the reading of text that is handed in, no clock, no runtime. What AWS calls a thing is what it is
//! called here.

pub mod address;
pub mod call;
pub mod config;
pub mod date;
pub mod desired;
pub mod diagnostic;
pub mod kind;
pub mod live;
pub mod name;
pub mod recorded;
pub mod refused;
pub mod rule;

pub use address::{Address, Kind, RootAddress, RootKind};
pub use kind::Attributes;

/// The partition a region lies in; `None` if the name has no region's shape.
#[must_use]
pub fn partition_of(region: &str) -> Option<byob_policy::Partition> {
    byob_policy::Partition::from_region(region)
}
