//! A plan and a drift report as one page of HTML that needs nothing else: no script, no network, light and dark, wide and
//! narrow. The words are those of the text views; here they are put into elements.
//!
//! Rooms: `page` makes elements of the lines that the text views print, `plan` and `drift` are the two pages, `reach` puts
//! together who reaches what, `picture` says where it stands. The templates have all the markup. What they print passes
//! through one formatter, which makes hidden characters visible and escapes markup, so no template can forget it.

mod drift;
mod page;
mod picture;
mod plan;
mod reach;

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

pub use drift::drift_html;
pub use plan::plan_html;

use crate::escape::escape;

/// The style sheet: the one thing that the page's own rules let in, by its hash.
pub(crate) const STYLE: &str = include_str!("templates/style.css");
/// SHA-256 of [`STYLE`] in Base64, as the page's Content-Security-Policy names it. A test says what it has to be.
pub(crate) const STYLE_HASH: &str = "sha256-tnKMyix7y8FOwPVWsaIkwSukagaQDtNnqhELP7q5KMM=";

const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("plan.html", include_str!("templates/plan.html")),
    ("drift.html", include_str!("templates/drift.html")),
];

/// A page could not be made: a defect of byob's templates.
#[derive(Debug)]
pub struct HtmlError(minijinja::Error);

impl fmt::Display for HtmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the HTML page could not be made: {:#}", self.0)
    }
}

impl std::error::Error for HtmlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The page that a template makes of a view.
fn printed(template: &str, view: &impl Serialize) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(HtmlError)?);
    environment.set_formatter(|out, state, value| match value.as_str() {
        // Safe is only what came through here before.
        Some(text) if !value.is_safe() => {
            minijinja::escape_formatter(out, state, &Value::from(escape(text).as_ref()))
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_global("style_hash", STYLE_HASH);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(HtmlError)?;
    }
    environment
        .get_template(template)
        .and_then(|template| template.render(Value::from(Serde(view))))
        .map_err(HtmlError)
}
