//! What bucket and key policies have in common: principals that must exist, and the spelling in which AWS gives a
//! stored policy back. Parsing and the notion of public are `byob-policy`'s.

use byob_policy::Document;
use serde_json::Value;

use crate::answer::Failure;
use crate::route::{arn_parts, partition};
use crate::world::World;

/// Whether S3 calls the policy public; one that cannot be read is taken for public.
pub(crate) fn is_public(text: &str) -> bool {
    Document::parse(text).map_or(true, |document| byob_policy::is_public(&document).is_public())
}

/// Whether all principals of the document exist, as far as this account can tell: those of other accounts do.
pub(crate) fn principals_exist(
    world: &mut World,
    document: &Document,
    region: &str,
) -> Result<bool, Failure> {
    let principals = document.statements.iter().filter_map(|statement| statement.principal.as_ref());
    for principal in principals {
        for (kind, values) in &principal.principals().0 {
            for value in values {
                let exists = match kind.as_str() {
                    "*" => true,
                    "AWS" => aws_principal_exists(world, value, region)?,
                    "Service" => is_service(value),
                    "Federated" => value.contains(':') || value.contains('.'),
                    "CanonicalUser" => value.len() == 64,
                    _ => false,
                };
                if !exists {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

fn is_service(name: &str) -> bool {
    name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn") || name.ends_with(".amazon.com")
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn aws_principal_exists(world: &mut World, value: &str, region: &str) -> Result<bool, Failure> {
    if value == "*" || is_account(value) {
        return Ok(true);
    }
    let Some([_, given, service, _, account, resource]) = arn_parts(value) else { return Ok(false) };
    if given != partition(region) || !is_account(account) {
        return Ok(false);
    }
    if resource == "root" && service == "iam" {
        return Ok(true);
    }
    let Some((kind, path)) = resource.split_once('/') else { return Ok(false) };
    let known = match (service, kind) {
        ("iam", "role" | "user") => account != world.account || world.iam.has(kind, path)?,
        ("sts", "assumed-role") => {
            let role = path.split('/').next().unwrap_or_default();
            path.contains('/') && (account != world.account || world.iam.has_role_named(role)?)
        }
        ("sts", "federated-user") => true,
        _ => false,
    };
    Ok(known && !path.contains('*'))
}

/// The policy as AWS gives it back: account ids as root ARNs, single-element lists as their element.
pub(crate) fn stored(text: &str, region: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut policy) => {
            if let Some(statement) = policy.get_mut("Statement") {
                if statement.is_object() {
                    *statement = Value::Array(vec![statement.take()]);
                }
                for statement in statement.as_array_mut().into_iter().flatten() {
                    rewrite(statement, partition(region));
                }
            }
            policy.to_string()
        }
        Err(_) => text.to_owned(),
    }
}

fn rewrite(statement: &mut Value, partition: &str) {
    for name in ["Principal", "NotPrincipal"] {
        let values = statement.get_mut(name).and_then(|principal| principal.get_mut("AWS"));
        for value in values.into_iter().flat_map(|values| match values {
            Value::Array(list) => list.iter_mut().collect::<Vec<_>>(),
            one => vec![one],
        }) {
            if let Some(account) = value.as_str().filter(|text| is_account(text)) {
                *value = Value::String(format!("arn:{partition}:iam::{account}:root"));
            }
        }
    }
    unwrap_single(statement);
}

fn unwrap_single(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(unwrap_single),
        Value::Array(list) => {
            if let [one] = list.as_mut_slice() {
                *value = one.take();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_policy_is_spelled_as_aws_spells_it() {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["111122223333"]},
            "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:x":["true"]}}}}"#;
        let value: Value = serde_json::from_str(&stored(text, "us-east-1")).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
                "Condition": {"Bool": {"aws:x": "true"}}
            }]})
        );
    }
}
