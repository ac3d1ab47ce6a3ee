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
    let all = |rules: &[CorsRule], part: fn(&CorsRule) -> &std::collections::BTreeSet<String>| {
        rules.iter().flat_map(|rule| part(rule).iter().cloned()).collect::<std::collections::BTreeSet<_>>()
    };
    let lost = |part: fn(&CorsRule) -> &std::collections::BTreeSet<String>| {
        let left = all(&new, part);
        all(&old, part).into_iter().find(|value| !left.iter().any(|pattern| covers(pattern, value)))
    };
    if !new.is_empty() {
        if let Some(header) = hidden(&old, &new) {
            said.breakage(format!("scripts cannot see the header {header} of an answer any more"));
        }
        if let Some(header) = lost(|rule| &rule.allowed_headers) {
            said.breakage(format!("browsers cannot send the header {} any more", in_words(&header)));
        }
    }
    if said.0.is_empty() {
        said.other(
            "the same pages may do the same; headers, order or the time that browsers remember it differ",
        );
    }
}

/// A header that scripts of some page saw of an answer and see no more. S3 answers by the first rule that the request's
/// origin and method match, whatever later rules say (S3 user guide, "How does Amazon S3 evaluate the CORS configuration").
fn hidden(old: &[CorsRule], new: &[CorsRule]) -> Option<String> {
    let mut asked = old.iter().flat_map(|rule| {
        rule.allowed_origins.iter().flat_map(|origin| rule.allowed_methods.iter().map(move |m| (origin, m)))
    });
    asked.find_map(|(origin, method)| {
        let (was, is) = (first(old, origin, method)?, first(new, origin, method)?);
        let seen = |header: &String| is.expose_headers.iter().any(|pattern| covers(pattern, header));
        was.expose_headers.iter().find(|header| !seen(header)).cloned()
    })
}

/// The rule that answers a request.
fn first<'a>(rules: &'a [CorsRule], origin: &str, method: &str) -> Option<&'a CorsRule> {
    rules.iter().find(|rule| {
        rule.allowed_methods.contains(method)
            && rule.allowed_origins.iter().any(|pattern| covers(pattern, origin))
    })
}

fn in_words(origin: &str) -> &str {
    if origin == "*" { "any origin (*)" } else { origin }
}

/// Origins and methods that the one set of rules allows and the other does not.
fn beyond(within: &[CorsRule], rules: &[CorsRule]) -> Vec<(String, String)> {
    rules
        .iter()
        .flat_map(|rule| {
            rule.allowed_origins.iter().flat_map(|origin| {
                rule.allowed_methods.iter().map(move |method| (origin.clone(), method.clone()))
            })
        })
        .filter(|(origin, method)| first(within, origin, method).is_none())
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
    // What is archived has to be restored by hand before anybody can read it.
    let archive = |class: &str| matches!(class, "GLACIER" | "DEEP_ARCHIVE");
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
