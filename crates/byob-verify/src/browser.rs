//! What a browser may do: the preflight that it sends before W&B's pages use a pre-signed URL, from each origin that the
//! configuration lets in, and from one that it does not; and the header ETag, which scripts have to see.
//!
//! Source: S3 user guide, "How CORS works"; W&B documentation, "Bring your own bucket".

use byob_model::address::Kind;
use byob_model::kind::{CorsRule, Purpose};
use byob_policy::pattern::glob;

use crate::check::{Check, Outcome};
use crate::probe::Reply;
use crate::subject::Subject;

/// An origin that nobody has: the name is reserved for never existing (RFC 2606).
const FOREIGN: &str = "https://byob-verify.invalid";

/// A page of W&B's, for rules that let in every origin.
const ANY: &str = "https://wandb.ai";

/// The header that scripts send with an upload.
pub const ASKED_HEADER: &str = "content-type";

const BROKEN: &str = "a CORS error in the browser's console; media, files and uploads fail there, and the check when a team is made";

/// The methods that W&B's pages use.
pub(crate) fn methods(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Storage => &["GET", "HEAD", "PUT"],
        Purpose::Reference => &["GET", "HEAD"],
    }
}

/// An origin for each that the rules let in.
pub(crate) fn origins(rules: &[CorsRule]) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    for pattern in rules.iter().flat_map(|rule| &rule.allowed_origins) {
        let stand_ins = match pattern.as_str() {
            // One origin let in does not show that all are: W&B's own front end may be any.
            "*" => vec![ANY.to_owned(), FOREIGN.to_owned()],
            pattern => vec![pattern.replace('*', "byob-verify")],
        };
        for origin in stand_ins {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
    origins
}

/// An origin that the rules do not let in; `None` where they let in all.
pub(crate) fn foreign(rules: &[CorsRule]) -> Option<&'static str> {
    let mut patterns = rules.iter().flat_map(|rule| &rule.allowed_origins);
    (!patterns.any(|pattern| glob(pattern, FOREIGN, false))).then_some(FOREIGN)
}

/// What an answered preflight refuses; `None` where the browser may go on.
pub(crate) fn refusal(reply: &Reply, origin: &str, method: &str) -> Option<String> {
    if !reply.is_success() || !lets_in(reply, origin) {
        let allowed = reply.header("access-control-allow-origin");
        let allowed = allowed.map(|one| format!(", allowed origin {one}")).unwrap_or_default();
        return Some(format!("{method}: {reply}{allowed}"));
    }
    if !reply.lists("access-control-allow-methods", method) {
        let methods = reply.header("access-control-allow-methods").unwrap_or("no method");
        return Some(format!("{method}: allowed methods {methods}"));
    }
    if !reply.lists("access-control-allow-headers", ASKED_HEADER) {
        let headers = reply.header("access-control-allow-headers").unwrap_or("no header");
        return Some(format!("{method}: allowed headers {headers}, and {ASKED_HEADER} is asked for"));
    }
    None
}

/// Whether an answer may be read by a page of this origin.
pub(crate) fn lets_in(reply: &Reply, origin: &str) -> bool {
    reply.header("access-control-allow-origin").is_some_and(|allowed| allowed == "*" || allowed == origin)
}

/// From an origin that is let in; `refused` is what each method met.
pub(crate) fn from_ours(subject: &Subject<'_>, origin: &str, refused: &[String]) -> Check {
    let outcome = match refused {
        [] => Outcome::PASSED,
        refused => {
            Outcome::failed(format!("a preflight is refused: {}", refused.join("; ")), cure(subject), BROKEN)
        }
    };
    let methods = methods(subject.purpose()).join(", ");
    let proves = format!("pages of {origin} may use {methods} (CORS preflight)");
    check(subject, format!("cors {origin}"), proves, outcome)
}

/// From one that is not; `lets_in` is whether it is all the same.
pub(crate) fn from_foreign(subject: &Subject<'_>, origin: &str, lets_in: bool) -> Check {
    let exclusive = subject.desired_cors().is_some_and(|cors| cors.exclusive);
    let outcome = match (lets_in, exclusive) {
        (false, _) => Outcome::PASSED,
        (true, true) => Outcome::failed(
            format!("a preflight from {origin} is let in"),
            cure(subject),
            "nothing: W&B works, and pages of other origins can use its pre-signed URLs too",
        ),
        (true, false) => Outcome::skipped(
            "a rule that stands beside byob's own on this bucket lets other origins in; byob leaves it alone",
        ),
    };
    check(subject, "cors foreign", FOREIGN_REFUSED, outcome)
}

const FOREIGN_REFUSED: &str = "pages of other origins are refused (CORS preflight)";

/// Where every origin is let in.
pub(crate) fn all_let_in(subject: &Subject<'_>) -> Check {
    let why = "cors_origins lets every origin in; name the origins of W&B's pages to shut others out";
    check(subject, "cors foreign", FOREIGN_REFUSED, Outcome::skipped(why))
}

/// Where the rules are not byob's.
pub(crate) fn unmanaged(subject: &Subject<'_>) -> Check {
    let why = format!("byob does not manage this bucket's CORS rules (`unmanaged` of [{}])", subject.address);
    check(subject, "cors", "pages of W&B's may use pre-signed URLs (CORS preflight)", Outcome::skipped(why))
}

/// Whether the answer to a GET from a page shows it the header ETag.
pub(crate) fn shows_etag(subject: &Subject<'_>, origin: &str, reply: &Reply) -> Check {
    let exposed = reply.header("access-control-expose-headers");
    let outcome = if !lets_in(reply, origin) {
        Outcome::failed(format!("{reply}, and no page may read it"), cure(subject), BROKEN)
    } else if reply.lists("access-control-expose-headers", "ETag") {
        Outcome::PASSED
    } else {
        let shown = exposed.map_or("no header".to_owned(), |headers| format!("only {headers}"));
        Outcome::failed(
            format!("{shown} is shown to scripts"),
            cure(subject),
            "large uploads from the browser fail: each part's ETag is needed; so does the check when a team is made",
        )
    };
    check(subject, "cors etag", format!("scripts of {origin} see the header ETag"), outcome)
}

fn check(subject: &Subject<'_>, id: impl Into<String>, proves: impl Into<String>, outcome: Outcome) -> Check {
    Check::new(id, &subject.address.aspect(Kind::Cors), proves, outcome)
}

fn cure(subject: &Subject<'_>) -> String {
    format!(
        "byob plan shows what was changed, byob apply puts the rules back; `cors_origins` of [{}] says which origins",
        subject.address
    )
}
