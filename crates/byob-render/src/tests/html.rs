//! The pages of plans and drift reports: what stands on them, and that no text from outside becomes markup.

use byob_model::address::{Kind, RootAddress};
use byob_plan::access::{BucketEnd, Ends, KeyEnd};
use byob_plan::drift::{DriftSummary, Report};
use byob_plan::{Finding, Rule};
use byob_policy::ResourceClass;

use super::*;
use crate::{drift_html, plan_html};

fn document(attributes: &Attributes) -> Document {
    match attributes {
        Attributes::Policy(policy) => policy.document.clone(),
        other => panic!("{other:?}"),
    }
}

fn end(statements: &[Value]) -> BucketEnd {
    BucketEnd {
        policy: Some(document(&policy(statements))),
        block: Some(PublicAccessBlock::ALL),
        acls_off: Some(true),
    }
}

fn bucket_ends(label: &str, before: Option<BucketEnd>, after: Option<BucketEnd>) -> Ends {
    Ends::Bucket { root: RootAddress::bucket(label), name: "acme-wandb-vision".into(), before, after }
}

/// The first plan, with the ends that it was judged by.
fn first() -> Plan {
    let mut plan = first_plan();
    let key_policy = plan.steps.iter().find(|step| step.kind == Kind::KeyPolicy).unwrap();
    let key_policy = document(key_policy.after.as_ref().unwrap());
    plan.ends = vec![
        bucket_ends("vision", None, Some(end(&[wandb(), tls_only()]))),
        Ends::Key {
            root: RootAddress::key("vision"),
            before: None,
            after: Some(KeyEnd { policy: Some(key_policy), enabled: true }),
        },
    ];
    plan.names = [
        (RootAddress::bucket("vision"), "acme-wandb-vision".to_owned()),
        (RootAddress::key("vision"), "alias/wandb-vision".to_owned()),
    ]
    .into();
    plan
}

/// W&B gets everything on a bucket, and loses a key.
fn dangerous() -> Plan {
    let change = step(
        "bucket.vision.policy",
        Action::Update,
        Some(policy(&[wandb(), tls_only()])),
        Some(policy(&[wandb(), tls_only(), vendor()])),
    );
    let owner = |owner: &str| tags(&[("Owner", owner)]);
    let back = step("bucket.vision.tags", Action::Update, Some(tags(&[])), Some(owner("platform")));
    let off = step("bucket.vision", Action::Update, Some(bucket(true)), Some(bucket(false)));
    let mut plan = plan(
        vec![off, back, change],
        vec![drift("bucket.vision.tags", Some(owner("platform")), Some(tags(&[])))],
    );
    let ends = vec![bucket_ends(
        "vision",
        Some(end(&[wandb(), tls_only()])),
        Some(end(&[wandb(), tls_only(), vendor()])),
    )];
    (plan.access, plan.access_verdict) = byob_plan::access::drifted(&ends, "123456789012");
    plan.ends = ends;
    plan.names.insert(RootAddress::bucket("vision"), "acme-wandb-vision".into());
    plan.findings = vec![
        Finding::new(
            Rule::CannotTakeOut,
            address("bucket.vision.versioning"),
            "versioning cannot be taken out",
            "write it",
        ),
        Finding::new(Rule::Interrupted, address("bucket.vision"), "W&B is interrupted for a moment", ""),
    ];
    plan
}

fn many(number: usize) -> Plan {
    let mut steps = Vec::new();
    let mut ends = Vec::new();
    for n in 0..number {
        let other = json!({"Sid": "Other", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::2222222222{:02}:role/reader-{n}", n % 100)},
            "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::acme-{n}/*")});
        let own = json!({"Sid": "W", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
            "Action": ["s3:GetObject", "s3:PutObject"], "Resource": format!("arn:aws:s3:::acme-{n}/*")});
        let (old, new) =
            (vec![own.clone()], if n % 5 == 0 { vec![own.clone(), other] } else { vec![own.clone()] });
        if n % 5 == 0 {
            steps.push(step(
                &format!("bucket.b{n:03}.policy"),
                Action::Update,
                Some(policy(&old)),
                Some(policy(&new)),
            ));
        } else {
            steps.push(step(
                &format!("bucket.b{n:03}.cors"),
                Action::Update,
                Some(rules(vec![cors(&["*"])])),
                Some(rules(vec![cors(&["https://a.example"])])),
            ));
        }
        ends.push(Ends::Bucket {
            root: RootAddress::bucket(&format!("b{n:03}")),
            name: format!("acme-{n}"),
            before: Some(end(&old)),
            after: Some(end(&new)),
        });
    }
    let mut plan = plan(steps, Vec::new());
    (plan.access, plan.access_verdict) = byob_plan::access::drifted(&ends, "123456789012");
    plan.ends = ends;
    plan
}

fn drifted() -> Report {
    let open = PublicAccessBlock {
        block_public_policy: false,
        restrict_public_buckets: false,
        ..PublicAccessBlock::ALL
    };
    let public = json!({"Sid": "Oops", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::acme-wandb-vision/*"});
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift(
            "bucket.vision.public_access_block",
            Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
            Some(Attributes::PublicAccessBlock(open)),
        ),
        drift(
            "bucket.vision.policy",
            Some(policy(&[wandb(), tls_only()])),
            Some(policy(&[wandb(), public.clone()])),
        ),
    ];
    let before = end(&[wandb(), tls_only()]);
    let after = BucketEnd { block: Some(open), ..end(&[wandb(), public]) };
    let ends = vec![bucket_ends("vision", Some(before), Some(after))];
    Report { summary: DriftSummary { drifted: drift.len(), addresses: 57, attributes: 812 }, drift, ends }
}

#[test]
fn dump() {
    let Ok(folder) = std::env::var("DUMP") else { return };
    let write = |name: &str, page: Result<String, crate::HtmlError>| {
        std::fs::write(format!("{folder}/{name}.html"), page.unwrap()).unwrap()
    };
    write("first", plan_html(&first(), &header()));
    write("danger", plan_html(&dangerous(), &header()));
    write("many", plan_html(&many(300), &header()));
    write("drift", drift_html(&drifted(), &header()));
    let _ = ResourceClass::Bucket;
}
