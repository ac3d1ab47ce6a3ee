//! A slow and plain judge of single requests, written without a look at the crate: the measure for "means the same".
//! It knows only what `generated` makes up.

use byob_policy::{
    ActionElement, Document, Effect, PrincipalElement, Principals, ResourceElement, Statement, Version,
};

pub(crate) struct Request {
    principal: &'static str,
    action: &'static str,
    resource: &'static str,
    secure: Option<&'static str>,
    user: Option<&'static str>,
    team: Option<&'static str>,
}

impl Request {
    /// Sessions are not matched by their role here.
    pub(crate) fn is_session(&self) -> bool {
        self.principal.contains(":assumed-role/")
    }
}

/// Every request of a small closed world.
pub(crate) fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for principal in [
        "anonymous",
        "arn:aws:iam::111111111111:root",
        "arn:aws:iam::111111111111:role/r",
        "arn:aws:sts::111111111111:assumed-role/r/s",
        "arn:aws:iam::222222222222:root",
        "logging.s3.amazonaws.com",
    ] {
        for action in ["s3:GetObject", "s3:PutObject", "kms:Decrypt"] {
            for resource in
                ["arn:aws:s3:::b", "arn:aws:s3:::B", "arn:aws:s3:::b/b", "arn:aws:s3:::b/${aws:username}"]
            {
                for (secure, user, team) in [
                    (None, None, None),
                    (Some("true"), Some("b"), None),
                    (Some("false"), Some("B"), Some("b")),
                    (Some("true"), Some("${aws:username}"), Some("True")),
                ] {
                    all.push(Request { principal, action, resource, secure, user, team });
                }
            }
        }
    }
    all
}

/// What each statement of the document says to each request, as far as it counts: denied, allowed, or neither.
pub(crate) fn decisions(document: &Document, requests: &[Request]) -> Vec<Option<Effect>> {
    let decide = |request: &Request| {
        let says = |effect: Effect| {
            document
                .statements
                .iter()
                .any(|one| one.effect == effect && matches(one, document.version, request))
        };
        if says(Effect::Deny) { Some(Effect::Deny) } else { says(Effect::Allow).then_some(Effect::Allow) }
    };
    requests.iter().map(decide).collect()
}

fn matches(one: &Statement, version: Version, request: &Request) -> bool {
    let who = match &one.principal {
        None => true,
        Some(PrincipalElement::Is(all)) => names(all, request.principal),
        Some(PrincipalElement::Not(all)) => !names(all, request.principal),
    };
    let does = |all: &[String]| all.iter().any(|p| glob(&p.to_lowercase(), &request.action.to_lowercase()));
    let what = match &one.action {
        ActionElement::Is(all) => does(all),
        ActionElement::Not(all) => !does(all),
    };
    let on = |all: &[String]| {
        all.iter()
            .any(|p| filled(p, version, request).is_some_and(|pattern| glob(&pattern, request.resource)))
    };
    let whereon = match &one.resource {
        None => true,
        Some(ResourceElement::Is(all)) => on(all),
        Some(ResourceElement::Not(all)) => !on(all),
    };
    let when = one.condition.iter().all(|(operator, keys)| {
        keys.iter().all(|(key, values)| holds(operator, key, values, version, request))
    });
    who && what && whereon && when
}

fn names(all: &Principals, principal: &str) -> bool {
    let account = |text: &str| text.split(':').nth(4).map(str::to_owned);
    all.0.iter().any(|(kind, values)| {
        values.iter().any(|value| match kind.as_str() {
            "*" => true,
            "AWS" if value == "*" => true,
            "AWS" if value.len() == 12 => account(principal).as_ref() == Some(value),
            "AWS" if value.ends_with(":root") => account(principal) == account(value),
            "AWS" | "Service" => value == principal,
            _ => false,
        })
    })
}

fn holds(operator: &str, key: &str, values: &[String], version: Version, request: &Request) -> bool {
    let operator = operator.to_lowercase();
    let present = match key.to_lowercase().as_str() {
        "aws:securetransport" => request.secure,
        "aws:username" => request.user,
        _ if key.ends_with("/team") => request.team,
        // The other spelling of the tag is a tag of its own here, and nobody carries it.
        _ => None,
    };
    let Some(present) = present else {
        return match operator.as_str() {
            "null" => values.iter().any(|value| value == "true"),
            "stringnotequals" | "stringequalsifexists" | "boolifexists" | "forallvalues:stringequals" => true,
            _ => false,
        };
    };
    let any = |test: &dyn Fn(&str) -> bool| {
        values.iter().any(|value| filled(value, version, request).is_some_and(|value| test(&value)))
    };
    match operator.as_str() {
        "null" => values.iter().any(|value| value == "false"),
        "stringequals" | "stringequalsifexists" | "forallvalues:stringequals" => {
            any(&|value| value == present)
        }
        "stringnotequals" => !any(&|value| value == present),
        "stringequalsignorecase" => any(&|value| value.eq_ignore_ascii_case(present)),
        "stringlike" | "foranyvalue:stringlike" => any(&|value| glob(value, present)),
        "bool" | "boolifexists" => any(&|value| value.eq_ignore_ascii_case(present)),
        "datelessthan" => false,
        other => panic!("{other} is not made up by `generated`"),
    }
}

/// The value with its variable filled in; `None` where the request has nothing for it.
fn filled(value: &str, version: Version, request: &Request) -> Option<String> {
    match (version, value.contains("${aws:username}")) {
        (Version::V2012, true) => Some(value.replace("${aws:username}", request.user?)),
        _ => Some(value.to_owned()),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| glob(tail, &rest[at..]))
        }),
    }
}
