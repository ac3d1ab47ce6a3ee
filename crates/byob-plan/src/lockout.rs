//! Whether a policy would deny its own caller the reading, putting or deleting of that policy: then only the account's
//! root user could mend it, so `apply` refuses before the first write. Conservative: a Deny whose conditions byob cannot
//! judge without the request counts only if it has none; conditions that this caller's TLS requests never meet do not.

use byob_policy::pattern::glob;
use byob_policy::{
    ActionElement, Arn, Document, Effect, PrincipalElement, Principals, Statement, conditions_in_words,
};

/// The actions that mend a bucket policy.
const MENDING: [&str; 3] = ["s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy"];

/// The statement that locks the caller out, if one does: its `Sid` or its position (from 1).
#[must_use]
pub fn locks_out(document: &Document, caller_arn: &str) -> Option<String> {
    document
        .statements
        .iter()
        .enumerate()
        .find(|(_, s)| denies(s, caller_arn))
        .map(|(index, statement)| named(statement, index))
}

/// Whether an Allow of a resource's own policy names the caller itself (not only its account): then the resource's policy
/// may give what the caller's own policies do not.
#[must_use]
pub fn allows_by_name(document: &Document, caller_arn: &str) -> bool {
    let spellings: Vec<String> =
        spellings(caller_arn).into_iter().filter(|s| !s.ends_with(":root")).collect();
    document.statements.iter().filter(|s| s.effect == Effect::Allow).any(|s| match &s.principal {
        Some(PrincipalElement::Is(principals)) => principals
            .0
            .get("AWS")
            .is_some_and(|values| values.iter().any(|v| v.starts_with("arn:") && spellings.contains(v))),
        _ => false,
    })
}

/// Which statements keep others than a few from changing this policy again, in one sentence each: for the plan, which
/// another role may make than the one that applies it. The root user of the bucket's account is never kept out.
#[must_use]
pub fn who_may_mend(document: &Document) -> Vec<String> {
    let statements = document.statements.iter().enumerate();
    let keeping = statements.filter(|(_, s)| {
        s.effect == Effect::Deny && touches_mending(&s.action) && touches_bucket(s) && !depends_on_how(s)
    });
    keeping
        .filter_map(|(index, statement)| {
            let name = named(statement, index);
            let spared = conditions_in_words(&statement.condition).join(", and ");
            let but = if spared.is_empty() { String::new() } else { format!(" ({spared})") };
            match &statement.principal {
                Some(PrincipalElement::Is(principals)) if !everybody(principals) => None,
                Some(PrincipalElement::Not(principals)) => {
                    let all: Vec<&str> = principals.0.values().flatten().map(String::as_str).collect();
                    Some(format!(
                        "{name} keeps everybody but {} from changing this policy again{but}",
                        all.join(", ")
                    ))
                }
                _ => Some(format!("{name} keeps everybody from changing this policy again{but}")),
            }
        })
        .collect()
}

/// Whether these are everybody, in either spelling.
fn everybody(principals: &Principals) -> bool {
    principals.is_anyone()
        || principals.0.get("AWS").is_some_and(|values| values.iter().any(|value| value == "*"))
}

/// Whether a statement is about how a request comes, which any caller can choose: over TLS, and which.
fn depends_on_how(statement: &Statement) -> bool {
    let mut keys = statement.condition.values().flat_map(|keys| keys.keys());
    keys.any(|key| ["aws:securetransport", "s3:tlsversion"].contains(&key.to_ascii_lowercase().as_str()))
}

fn named(statement: &Statement, index: usize) -> String {
    statement
        .sid
        .clone()
        .map_or_else(|| format!("statement {}", index + 1), |sid| format!("statement `{sid}`"))
}

fn denies(statement: &Statement, caller: &str) -> bool {
    statement.effect == Effect::Deny
        && statement.condition.is_empty()
        && names(statement, caller)
        && touches_mending(&statement.action)
        && touches_bucket(statement)
}

fn names(statement: &Statement, caller: &str) -> bool {
    let spellings = spellings(caller);
    let listed = |values: &[String]| values.iter().any(|v| v == "*" || spellings.contains(v));
    match &statement.principal {
        None => true,
        Some(PrincipalElement::Is(principals)) => {
            principals.is_anyone() || principals.0.get("AWS").is_some_and(|values| listed(values))
        }
        Some(PrincipalElement::Not(principals)) => {
            !(principals.is_anyone() || principals.0.get("AWS").is_some_and(|values| listed(values)))
        }
    }
}

/// The ways a policy can name the caller: itself, its role where it is a session, its account.
fn spellings(caller: &str) -> Vec<String> {
    let mut all = vec![caller.to_owned()];
    if let Ok(arn) = caller.parse::<Arn>() {
        let (partition, account) = (&arn.partition, &arn.account);
        all.push(account.clone());
        all.push(format!("arn:{partition}:iam::{account}:root"));
        if let Some(role) = arn.resource.strip_prefix("assumed-role/").and_then(|r| r.split('/').next()) {
            all.push(format!("arn:{partition}:iam::{account}:role/{role}"));
        }
    }
    all
}

fn touches_mending(action: &ActionElement) -> bool {
    let matches = |patterns: &[String], name: &str| patterns.iter().any(|p| glob(p, name, true));
    match action {
        ActionElement::Is(patterns) => MENDING.iter().any(|name| matches(patterns, name)),
        ActionElement::Not(patterns) => MENDING.iter().any(|name| !matches(patterns, name)),
    }
}

/// A statement about objects alone does not touch the bucket's policy.
fn touches_bucket(statement: &Statement) -> bool {
    match &statement.resource {
        Some(byob_policy::ResourceElement::Is(resources)) => {
            resources.iter().any(|r| r == "*" || !r.contains('/'))
        }
        Some(byob_policy::ResourceElement::Not(resources)) => {
            !resources.iter().any(|r| r == "*" || !r.contains('/'))
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/Admin/me";

    fn policy(statement: &str) -> Document {
        Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)).unwrap()
    }

    #[test]
    fn a_deny_to_everybody_locks_out_and_a_tls_deny_does_not() {
        let all = r#"{"Sid":"No","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}"#;
        assert_eq!(locks_out(&policy(all), CALLER).as_deref(), Some("statement `No`"));
        let tls = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        assert_eq!(locks_out(&policy(tls), CALLER), None);
    }

    #[test]
    fn the_caller_is_known_by_session_role_and_account() {
        for principal in
            ["arn:aws:iam::123456789012:role/Admin", "123456789012", "arn:aws:iam::123456789012:root", CALLER]
        {
            let text = format!(
                r#"{{"Effect":"Deny","Principal":{{"AWS":"{principal}"}},"Action":"s3:Put*Policy","Resource":"arn:aws:s3:::b"}}"#
            );
            assert!(locks_out(&policy(&text), CALLER).is_some(), "{principal}");
        }
        let other = r#"{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:role/Other"},"Action":"s3:*","Resource":"arn:aws:s3:::b"}"#;
        assert_eq!(locks_out(&policy(other), CALLER), None);
    }

    #[test]
    fn a_policy_that_names_the_role_may_allow_and_one_that_names_the_account_leaves_it_to_iam() {
        let text = |p: &str| {
            format!(
                r#"{{"Effect":"Allow","Principal":{{"AWS":"{p}"}},"Action":"s3:*","Resource":"arn:aws:s3:::b"}}"#
            )
        };
        assert!(allows_by_name(&policy(&text("arn:aws:iam::123456789012:role/Admin")), CALLER));
        for other in
            ["arn:aws:iam::123456789012:root", "123456789012", "arn:aws:iam::123456789012:role/Other"]
        {
            assert!(!allows_by_name(&policy(&text(other)), CALLER), "{other}");
        }
    }

    #[test]
    fn not_principal_spares_only_those_it_names() {
        let text = |p: &str| {
            format!(
                r#"{{"Effect":"Deny","NotPrincipal":{{"AWS":"{p}"}},"Action":"s3:*","Resource":"arn:aws:s3:::b"}}"#
            )
        };
        assert!(locks_out(&policy(&text("arn:aws:iam::123456789012:role/Other")), CALLER).is_some());
        assert_eq!(locks_out(&policy(&text("arn:aws:iam::123456789012:role/Admin")), CALLER), None);
    }

    #[test]
    fn who_is_left_to_change_the_policy_is_said() {
        let said = |principal: &str, condition: &str| {
            let text = format!(
                r#"{{"Sid":"No","Effect":"Deny",{principal},"Action":"s3:*","Resource":"arn:aws:s3:::b"{condition}}}"#
            );
            who_may_mend(&policy(&text))
        };
        for everybody in [r#""Principal":"*""#, r#""Principal":{"AWS":"*"}"#] {
            assert_eq!(
                said(everybody, ""),
                ["statement `No` keeps everybody from changing this policy again"]
            );
        }
        assert_eq!(
            said(r#""NotPrincipal":{"AWS":"arn:aws:iam::123456789012:role/Admin"}"#, ""),
            [
                "statement `No` keeps everybody but arn:aws:iam::123456789012:role/Admin from changing this policy again"
            ]
        );
        let but =
            r#","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/Admin"}}"#;
        assert_eq!(
            said(r#""Principal":"*""#, but),
            ["statement `No` keeps everybody from changing this policy again (not for \
              arn:aws:iam::123456789012:role/Admin)"]
        );
        let tls = r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#;
        assert_eq!(said(r#""Principal":"*""#, tls), Vec::<String>::new());
        assert_eq!(said(r#""Principal":{"AWS":"arn:aws:iam::111122223333:root"}"#, ""), Vec::<String>::new());
    }

    #[test]
    fn a_deny_on_objects_alone_locks_nobody_out_of_the_policy() {
        let text = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;
        assert_eq!(locks_out(&policy(text), CALLER), None);
    }
}
