//! The three-way comparison (desired, recorded, live), the ordered steps, the findings and the digest. Pure: no runtime,
//! no clock, no I/O; every function here can be tested with values alone.

pub mod access;
pub mod approval;
pub mod approved;
mod aspect;
mod bucket;
mod canonical;
pub mod compare;
pub mod diff;
pub mod drift;
pub mod event;
pub mod finding;
pub mod import;
mod key;
pub mod lockout;
mod matching;
mod meaning;
mod order;
mod phases;
pub mod plan;
pub mod recovery;
mod refresh;
mod removal;
pub mod rules;
mod selecting;
pub mod trail;
mod waive;
pub mod wanted;

pub use access::{Access, AccessVerdict, Answer};
pub use aspect::is_form;
pub use compare::{Input, plan};
pub use finding::{Finding, Rule, Severity};
pub use plan::{Action, Change, Drift, DriftSeverity, Mode, Plan, RecordChange, Step, Summary};
pub use refresh::accepts_drift;
pub use wanted::wanted;
