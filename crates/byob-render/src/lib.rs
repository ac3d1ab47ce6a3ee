//! Plan, drift and events as text, Markdown, SARIF, JUnit and annotations.
//!
//! Rooms: [`escape`] makes control and format characters visible; [`diagnostic`] shows errors of the configuration;
//! `layout` is the page that everything else prints on; `value`, `summary` and `statement` are the words for a leaf, for
//! a whole resource, for a policy; `header`, `access`, `group` and `plan` make a plan of them, `drift` a drift report, `policy` two policies side by side and
//! what the rules say of one, `sarif` the same for other tools, `progress` the account of an apply; `markdown` puts all of
//! them into a comment, `html` into a page, `github` into the notes beside a change, `junit` into a test report; `place`
//! knows the lines of the configuration; `log` makes lines for programs of all that happens; `checks` is what a verification
//! proved.

mod access;
mod checks;
pub mod diagnostic;
mod drift;
pub mod escape;
mod github;
mod group;
mod header;
mod html;
mod junit;
mod layout;
mod log;
mod markdown;
mod place;
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
pub use drift::{drift_text, not_counted};
pub use github::{
    diagnostic_annotations, drift_annotations, failure_annotation, outcome_annotations, plan_annotations,
};
pub use header::Header;
pub use html::{HtmlError, drift_html, plan_html};
pub use junit::{Case, CaseOutcome, checks_junit, drift_junit};
pub use layout::Style;
pub use log::{Fields, Level, call_text, log_diagnostic, log_event, log_line, log_outcome, of_answer};
pub use markdown::{drift_markdown, outcome_markdown, plan_markdown};
pub use place::ConfigFile;
pub use plan::{counts, plan_details, plan_text};
pub use policy::{policy_checked, policy_diff};
pub use progress::{Outcome, SettledView, error_text, event_line, outcome_text};
pub use sarif::{drift_sarif, plan_sarif, policy_sarif};
