//! One file a command.

pub(crate) mod apply;
pub(crate) mod drift;
pub(crate) mod import;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod sandbox;
pub(crate) mod state;
pub(crate) mod validate;
pub(crate) mod verify;
