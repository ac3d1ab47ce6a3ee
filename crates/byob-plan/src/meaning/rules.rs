//! Drift of CORS and lifecycle rules.

use byob_model::kind::{Attributes, CorsRule, Expiration, LifecycleRule};

use super::Said;

/// CORS lets no request in that is not signed. But W&B hands signed addresses to browsers, and CORS says on which pages
/// they are of use: more pages is weaker protection, fewer may be W&B's.
pub(super) fn cors(said: &mut Said, recorded: Option<&Attributes>, live: Option<&Attributes>) {
    let rules = |side: Option<&Attributes>| match side {
        Some(Attributes::Cors(cors)) => cors.rules.clone(),
        _ => Vec::new(),
    };
    let (old, new) = (rules(recorded), rules(live));
    let (wider, narrower) = (beyond(&old, &new), beyond(&new, &old));
    if let Some((origin, method)) = wider.first() {
        said.exposure(format!(
            "pages of {} may now use this bucket's signed addresses ({method})",
            in_words(origin)
        ));
    }
    if let Some((origin, method)) = narrower.first() {
        said.breakage(format!("browsers on {} cannot {method} any more", in_words(origin)));
    }
    if !new.is_empty() {
        if let Some(header) = hidden(&old, &new) {
            said.breakage(format!("scripts cannot see the header {header} of an answer any more"));
        }
        if let Some(what) = unsent(&old, &new) {
            said.breakage(what);
        }
    }
    if said.0.is_empty() {
        said.other(
            "the same pages may do the same; headers, order or the time that browsers remember it differ",
        );
    }
}

/// A header that scripts of some page saw of an answer and see no more. S3 answers a request by the first rule that its
/// origin and method match, whatever later rules say (S3 user guide, "How does Amazon S3 evaluate the CORS configuration").
fn hidden(old: &[CorsRule], new: &[CorsRule]) -> Option<String> {
    // A rule in front may be of some of these pages alone.
    let some =
        new.iter().flat_map(asked).filter(|(origin, method)| rules_of(old, origin, method).next().is_some());
    let mut asked = old.iter().flat_map(asked).chain(some);
    asked.find_map(|(origin, method)| {
        let (was, is) = (rules_of(old, origin, method).next()?, rules_of(new, origin, method).next()?);
        let seen = |header: &&String| is.expose_headers.iter().any(|pattern| takes(pattern, header));
        was.expose_headers.iter().find(|header| !seen(header)).cloned()
    })
}

/// What pages could send and cannot any more, where their origin and method are still let in. A preflight names the headers
/// of the request to come, and passes where one rule that its origin and method match has all of them (the same page).
fn unsent(old: &[CorsRule], new: &[CorsRule]) -> Option<String> {
    let mut asked =
        old.iter().flat_map(|rule| asked(rule).map(move |(origin, method)| (rule, origin, method)));
    asked.find_map(|(rule, origin, method)| {
        let has = |other: &CorsRule, header: &String| {
            other.allowed_headers.iter().any(|pattern| takes(pattern, header))
        };
        let mut others = rules_of(new, origin, method).peekable();
        others.peek()?;
        let headers = &rule.allowed_headers;
        if others.any(|other| headers.iter().all(|header| has(other, header))) {
            return None;
        }
        let alone = |header: &&String| !rules_of(new, origin, method).any(|other| has(other, header));
        let what = match headers.iter().find(alone) {
            Some(header) if header == "*" => "every header (*)".to_owned(),
            Some(header) => format!("the header {header}"),
            None => {
                let all: Vec<&str> = headers.iter().map(String::as_str).collect();
                format!("the headers {} together", all.join(" and "))
            }
        };
        Some(format!("browsers on {} cannot send {what} with {method} any more", in_words(origin)))
    })
}

/// The origins and methods of a rule.
fn asked(rule: &CorsRule) -> impl Iterator<Item = (&String, &String)> {
    rule.allowed_origins
        .iter()
        .flat_map(|origin| rule.allowed_methods.iter().map(move |method| (origin, method)))
}

/// The rules that a request's origin and method match, in their order.
fn rules_of<'a>(rules: &'a [CorsRule], origin: &str, method: &str) -> impl Iterator<Item = &'a CorsRule> {
    rules.iter().filter(move |rule| {
        rule.allowed_methods.contains(method)
            && rule.allowed_origins.iter().any(|pattern| covers(pattern, origin))
    })
}

/// [`covers`], of headers, whose names ignore case.
fn takes(pattern: &str, header: &str) -> bool {
    covers(&pattern.to_ascii_lowercase(), &header.to_ascii_lowercase())
}

fn in_words(origin: &str) -> &str {
    if origin == "*" { "any origin (*)" } else { origin }
}

/// Origins and methods that the one set of rules allows and the other does not.
fn beyond(within: &[CorsRule], rules: &[CorsRule]) -> Vec<(String, String)> {
    rules
        .iter()
        .flat_map(asked)
        .filter(|(origin, method)| rules_of(within, origin, method).next().is_none())
        .map(|(origin, method)| (origin.clone(), method.clone()))
        .collect()
}

/// Whether a pattern (with one `*` at most) takes in all that another one does.
fn covers(pattern: &str, other: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == other,
        Some((start, end)) => {
            other.len() >= start.len() + end.len() && other.starts_with(start) && other.ends_with(end)
        }
    }
}

/// Rules that came or changed, and rules that went.
pub(super) fn lifecycle(said: &mut Said, recorded: Option<&Attributes>, live: Option<&Attributes>) {
    let rules = |side: Option<&Attributes>| match side {
        Some(Attributes::Lifecycle(lifecycle)) => lifecycle.rules.clone(),
        _ => Vec::new(),
    };
    let (old, new) = (rules(recorded), rules(live));
    for rule in new.iter().filter(|rule| rule.enabled && !old.contains(rule)) {
        let before = old.iter().find(|known| known.id == rule.id && known.enabled);
        changed(said, before, rule);
    }
    let ends =
        |rule: &&LifecycleRule| rule.enabled && !new.iter().any(|now| now.id == rule.id && now.enabled);
    if let Some(rule) = old.iter().find(ends) {
        said.other(format!("rule `{}` works no more: what it removed stays, and costs", rule.id));
    }
    if said.0.is_empty() {
        said.other("no rule removes or moves more than recorded");
    }
}

fn changed(said: &mut Said, before: Option<&LifecycleRule>, rule: &LifecycleRule) {
    let id = &rule.id;
    let expires = |rule: &LifecycleRule| {
        rule.expiration.as_ref().filter(|e: &&Expiration| e.days.is_some() || e.date.is_some()).cloned()
    };
    let same_objects = before.is_some_and(|before| before.filter == rule.filter);
    let known = before.filter(|_| same_objects);
    if expires(rule).is_some() && known.and_then(expires) != expires(rule) {
        said.breakage(format!("rule `{id}` expires current objects: W&B's run history is destroyed by it"));
    }
    if let Some(now) = &rule.noncurrent_version_expiration {
        let sooner = known
            .and_then(|before| before.noncurrent_version_expiration.as_ref())
            .is_none_or(|before| now.days < before.days || now.newer_versions < before.newer_versions);
        if sooner {
            said.exposure(format!(
                "rule `{id}` removes what was overwritten or deleted {} days after, sooner than recorded",
                now.days
            ));
        }
    }
    if let Some(days) = rule.abort_incomplete_multipart_upload_days
        && known.and_then(|before| before.abort_incomplete_multipart_upload_days).is_none_or(|was| days < was)
    {
        let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        said.other(format!(
            "rule `{id}` aborts uploads that are not finished {days} after they began, sooner than recorded"
        ));
    }
    let markers =
        |rule: &LifecycleRule| rule.expiration.as_ref().is_some_and(|e| e.expired_object_delete_marker);
    if markers(rule) && !known.is_some_and(markers) {
        said.other(format!("rule `{id}` removes delete markers that no version lies under any more"));
    }
    // What is archived has to be restored by hand before anybody can read it.
    let archive = |class: &str| matches!(class, "GLACIER" | "DEEP_ARCHIVE");
    let old_moves = known.map(|before| before.noncurrent_version_transitions.clone()).unwrap_or_default();
    if !rule.noncurrent_version_transitions.is_empty() && rule.noncurrent_version_transitions != old_moves {
        let archives = rule.noncurrent_version_transitions.iter().any(|one| archive(&one.storage_class));
        said.other(if archives {
            format!("rule `{id}` archives what was overwritten or deleted: it has to be restored before it can be read")
        } else {
            format!("rule `{id}` moves what was overwritten or deleted to another storage class: it costs otherwise")
        });
    }
    let moves = rule.transitions.iter().map(|one| one.storage_class.as_str());
    let moved = known.map(|before| before.transitions.clone()).unwrap_or_default();
    if moves.clone().any(archive) && moved != rule.transitions {
        said.breakage(format!(
            "rule `{id}` archives current objects: W&B cannot read them until they are restored"
        ));
    } else if moves.clone().next().is_some() && moved != rule.transitions {
        said.other(format!(
            "rule `{id}` moves current objects to another storage class: they cost otherwise"
        ));
    }
}
