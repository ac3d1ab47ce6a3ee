//! The policy statements byob writes. Actions and principals are from W&B's documentation ("Bring your own bucket",
//! "Reference buckets") and its public Terraform module.

use std::collections::BTreeMap;

use byob_policy::{
    ActionElement, Effect, Partition, PrincipalElement, Principals, ResourceElement, Statement,
};

use crate::config::{BucketTable, Configuration};
use crate::kind::{Purpose, WANDB_SID};

/// What W&B needs on a bucket it stores files in, and on its objects.
pub const STORAGE_ACTIONS: [&str; 11] = [
    "s3:GetObject*",
    "s3:GetEncryptionConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:PutObject",
    "s3:GetBucketCORS",
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
];

/// What W&B needs on the objects of a bucket it only reads.
pub const REFERENCE_ACTIONS: [&str; 1] = ["s3:GetObject"];

/// What W&B needs of the key of a bucket it stores files in.
pub const KEY_USE_ACTIONS: [&str; 5] =
    ["kms:Decrypt", "kms:Describe*", "kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];

/// What W&B needs of the key of a bucket it only reads.
pub const REFERENCE_KEY_ACTIONS: [&str; 1] = ["kms:Decrypt"];

/// What a network restriction is about: reads and writes of objects.
const OBJECT_ACTIONS: [&str; 4] =
    ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:AbortMultipartUpload"];

fn strings<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

fn condition(entries: &[(&str, &str, Vec<String>)]) -> byob_policy::Conditions {
    let mut all: byob_policy::Conditions = BTreeMap::new();
    for (operator, key, values) in entries {
        all.entry((*operator).to_owned()).or_default().insert((*key).to_owned(), values.clone());
    }
    all
}

/// The account's root as a principal.
fn account_root(partition: Partition, account_id: &str) -> String {
    format!("arn:{}:iam::{account_id}:root", partition.as_str())
}

/// A bucket's statements, in the order in which they are read best: who may, then who may not.
pub(super) fn bucket(config: &Configuration, table: &BucketTable, name: &str) -> Vec<Statement> {
    let bucket_arn = format!("arn:{}:s3:::{name}", table.partition.as_str());
    let objects_arn = format!("{bucket_arn}/*");
    let both = || Some(ResourceElement::Is(vec![bucket_arn.clone(), objects_arn.clone()]));
    let deny = |sid: &str, actions: &[&str], resource, conditions| Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Deny,
        principal: Some(PrincipalElement::Is(Principals::anyone())),
        action: ActionElement::Is(strings(actions.iter().copied())),
        resource,
        condition: conditions,
    };
    let mut statements = Vec::new();
    if table.wandb_access {
        let (actions, resource) = match table.purpose {
            Purpose::Storage => (strings(STORAGE_ACTIONS), both()),
            Purpose::Reference => {
                (strings(REFERENCE_ACTIONS), Some(ResourceElement::Is(vec![objects_arn.clone()])))
            }
        };
        statements.push(Statement {
            sid: Some(WANDB_SID.to_owned()),
            effect: Effect::Allow,
            principal: Some(PrincipalElement::Is(Principals::aws(config.wandb.principals.iter().cloned()))),
            action: ActionElement::Is(actions),
            resource,
            condition: byob_policy::Conditions::new(),
        });
    }
    if !table.managers.is_empty() {
        statements.push(Statement {
            sid: Some("ByobManagers".into()),
            effect: Effect::Allow,
            principal: Some(PrincipalElement::Is(Principals::aws(table.managers.iter().cloned()))),
            action: ActionElement::Is(strings(["s3:*"])),
            resource: both(),
            condition: byob_policy::Conditions::new(),
        });
    }
    if table.tls_only {
        let conditions = condition(&[("Bool", "aws:SecureTransport", strings(["false"]))]);
        statements.push(deny("ByobTlsOnly", &["s3:*"], both(), conditions));
    }
    if let Some(version) = &table.min_tls_version {
        let conditions = condition(&[("NumericLessThan", "s3:TlsVersion", vec![version.clone()])]);
        statements.push(deny("ByobMinTlsVersion", &["s3:*"], both(), conditions));
    }
    if !table.allowed_source_ips.is_empty() || !table.allowed_vpc_endpoints.is_empty() {
        statements.push(network(config, table, |conditions| {
            deny(
                "ByobNetwork",
                &OBJECT_ACTIONS,
                Some(ResourceElement::Is(vec![objects_arn.clone()])),
                conditions,
            )
        }));
    }
    statements.extend(table.extra_statements.iter().cloned());
    statements
}

/// One Deny whose conditions hold together: a request through a VPC endpoint carries no `aws:SourceIp`, so two Denies
/// would let nobody in. Requests that AWS services make for somebody are left out.
fn network(
    config: &Configuration,
    table: &BucketTable,
    deny: impl FnOnce(byob_policy::Conditions) -> Statement,
) -> Statement {
    let addresses: Vec<String> =
        table.allowed_source_ips.iter().chain(&config.wandb.egress).cloned().collect();
    let endpoints: Vec<String> = table.allowed_vpc_endpoints.iter().cloned().collect();
    let mut entries = vec![
        ("BoolIfExists", "aws:PrincipalIsAWSService", strings(["false"])),
        ("BoolIfExists", "aws:ViaAWSService", strings(["false"])),
    ];
    if !addresses.is_empty() {
        entries.push(("NotIpAddressIfExists", "aws:SourceIp", addresses));
    }
    if !endpoints.is_empty() {
        entries.push(("StringNotEqualsIfExists", "aws:SourceVpce", endpoints));
    }
    deny(condition(&entries))
}

/// A key's statements. The account's root may do everything, so that IAM policies count and nobody is locked out when
/// the identity that ran byob is deleted; W&B may use it as the buckets on it need.
pub(super) fn key(
    partition: Partition,
    account_id: &str,
    managers: impl IntoIterator<Item = String>,
    wandb: Option<(Purpose, Vec<String>)>,
) -> Vec<Statement> {
    let allow = |sid: &str, principals: Vec<String>, actions: Vec<String>| Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Is(Principals::aws(principals))),
        action: ActionElement::Is(actions),
        resource: Some(ResourceElement::Is(strings(["*"]))),
        condition: byob_policy::Conditions::new(),
    };
    let mut statements =
        vec![allow("ByobAccount", vec![account_root(partition, account_id)], strings(["kms:*"]))];
    if let Some((purpose, principals)) = wandb {
        let actions = match purpose {
            Purpose::Storage => strings(KEY_USE_ACTIONS),
            Purpose::Reference => strings(REFERENCE_KEY_ACTIONS),
        };
        statements.push(allow(WANDB_SID, principals, actions));
    }
    let managers: Vec<String> = managers.into_iter().collect();
    if !managers.is_empty() {
        statements.push(allow("ByobManagers", managers, strings(["kms:*"])));
    }
    statements
}

#[cfg(test)]
mod tests {
    use byob_policy::Document;
    use serde_json::{Value, json};

    use crate::desired::desired;
    use crate::kind::Attributes;
    use crate::recorded::Recorded;
    use crate::{Kind, RootAddress};

    /// The statements of the one bucket of a file.
    fn statements(fields: &str) -> Vec<Value> {
        let text = format!(
            "version = 1\n[aws]\nregion = \"eu-west-1\"\n[wandb]\ndeployment = \"dedicated-cloud\"\n\
             egress = [\"192.0.2.0/24\"]\n[bucket.a]\nname = \"acme-a\"\n{fields}\n"
        );
        let config = crate::config::parse(&text, &|_| Err(String::new())).unwrap();
        let desired = desired(&config, "123456789012", &Recorded::default()).unwrap();
        let root = &desired.roots[&RootAddress::bucket("a")];
        let Some(Attributes::Policy(policy)) = root.managed(Kind::BucketPolicy) else { panic!("no policy") };
        let document: &Document = &policy.document;
        document.to_value()["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn a_network_restriction_is_one_deny_whose_conditions_hold_together() {
        let all = statements(
            "allowed_source_ips = [\"198.51.100.0/24\"]\nallowed_vpc_endpoints = [\"vpce-0123456789abcdef0\"]",
        );
        let denies: Vec<&Value> = all.iter().filter(|s| s["Effect"] == "Deny").collect();
        assert_eq!(denies.len(), 1, "two Denies would let nobody in");
        let expected = json!({
            "BoolIfExists": { "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false" },
            "NotIpAddressIfExists": { "aws:SourceIp": ["198.51.100.0/24", "192.0.2.0/24"] },
            "StringNotEqualsIfExists": { "aws:SourceVpce": "vpce-0123456789abcdef0" },
        });
        assert_eq!(denies[0]["Condition"], expected, "W&B's own addresses are let in too");
        assert_eq!(denies[0]["Resource"], "arn:aws:s3:::acme-a/*", "the bucket itself stays manageable");
    }

    #[test]
    fn without_wandb_access_its_statement_goes_and_the_others_stay() {
        let sids = |fields: &str| -> Vec<String> {
            statements(fields).iter().map(|s| s["Sid"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(sids("tls_only = true"), ["WandbAccountAccess", "ByobTlsOnly"]);
        assert_eq!(sids("tls_only = true\nwandb_access = false"), ["ByobTlsOnly"]);
    }
}
