//! Plan, drift and events as text and JSON.
//!
//! Rooms: [`escape`] makes control and format characters visible; [`diagnostic`] shows errors of the configuration;
//! `layout` is the page that everything else prints on; `value`, `summary` and `statement` are the words for a leaf, for
//! a whole resource, for a policy; `header`, `access`, `group` and `plan` make a plan of them, `drift` a drift report, `policy` two policies side by side and
//! what the rules say of one, `sarif` the same for other tools, `progress` the account of an apply,
//! `checks` what a verification proved.

mod access;
mod checks;
pub mod diagnostic;
mod drift;
pub mod escape;
mod group;
mod header;
mod layout;
mod plan;
mod policy;
mod progress;
mod sarif;
mod statement;
mod summary;
#[cfg(test)]
mod tests;
mod value;

pub use checks::{Verified, checks_text, checks_to_value, verified_junit};
pub use drift::drift_text;
pub use header::Header;
pub use layout::Style;
pub use plan::{counts, plan_details, plan_text};
pub use policy::{policy_checked, policy_diff};
pub use progress::{Outcome, SettledView, error_text, event_line, outcome_text};
pub use sarif::policy_sarif;
