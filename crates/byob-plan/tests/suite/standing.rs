//! Who reaches what at both ends of a plan and of drift: what the picture shows.

use std::collections::BTreeSet;

use byob_model::kind::{KeyState, Policy, PublicAccessBlock};
use byob_plan::access::{Becomes, Extent, Reached, Terms, drifted, reach};
use byob_plan::{Plan, drift, wanted};
use byob_policy::Document;
use serde_json::json;

use crate::scene::Scene;
use crate::world::ACCOUNT;

const WANDB: &str = "arn:aws:iam::725579432336:role/WandbIntegration";
const BUCKET: &str = "[bucket.a]\nname = \"acme-a\"\n";
const ON_KEY: &str = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                      [key.k]\nalias = \"k\"\n";

/// `who on what (class): + read, …`, one an entry.
fn said(reached: &Reached) -> Vec<String> {
    let all = reached.all.iter().map(|one| {
        let each = one.abilities.iter().map(|(ability, becomes)| {
            let sign = match becomes {
                Becomes::Gained(Extent::Whole) => "+ ",
                Becomes::Gained(Extent::Part) => "+ more ",
                Becomes::Gained(Extent::Terms) => "+ wider ",
                Becomes::MayGain => "+? ",
                Becomes::Lost(Extent::Whole) => "- ",
                Becomes::Lost(Extent::Part) => "- some ",
                Becomes::Lost(Extent::Terms) => "- narrower ",
                Becomes::MayLose => "-? ",
                Becomes::Stays => "",
                Becomes::Comes => "comes ",
            };
            format!("{sign}{}", ability.as_str())
        });
        let who = one.principal.replace(WANDB, "W&B").replace(&format!("arn:aws:iam::{ACCOUNT}:root"), "us");
        let all_terms = one.after.values().flat_map(|terms| &terms.of_all).collect::<BTreeSet<_>>();
        let only: Vec<&str> =
            all_terms.into_iter().map(String::as_str).filter(|one| one.starts_with("only for")).collect();
        let only = if only.is_empty() { String::new() } else { format!(" [{}]", only.join("; ")) };
        format!("{who} {} of {}{only}: {}", one.class, one.root, each.collect::<Vec<_>>().join(", "))
    });
    all.chain(reached.unknown.iter().map(|(root, why)| format!("{root}: {why}"))).collect()
}

fn of(plan: &Plan) -> Vec<String> {
    said(&reach(&plan.ends, &plan.access, ACCOUNT))
}

fn of_drift(scene: &Scene) -> Vec<String> {
    let report = drift::report(&scene.recorded, &scene.world.read(&wanted(None, &scene.recorded)));
    let (access, _) = drifted(&report.ends, ACCOUNT);
    said(&reach(&report.ends, &access, ACCOUNT))
}

fn public() -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": {"Sid": "Oops", "Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-a/*"}});
    Policy { document: Document::from_value(&document).unwrap() }
}

#[test]
fn a_first_plan_shows_what_wandb_gains_and_what_comes_with_the_key() {
    assert_eq!(
        of(&Scene::new(ON_KEY).plan()),
        [
            "W&B bucket of bucket.a: + read, + list",
            "W&B objects of bucket.a: + write, + read",
            "us key of key.k: comes permissions, comes write, comes tagging, comes use, comes read, comes list",
            "W&B key of key.k: + use, + read",
        ]
    );
}

#[test]
fn what_nobody_changes_is_shown_too() {
    let scene = Scene::applied(BUCKET);
    let stays = ["W&B bucket of bucket.a: read, list", "W&B objects of bucket.a: write, read"];
    assert_eq!(of(&scene.plan()), stays);
    // Also beside a change of something else.
    assert_eq!(of(&scene.with(&format!("{BUCKET}versioning = \"enabled\"\n")).plan()), stays);
}

#[test]
fn an_action_more_is_told_from_a_new_class_and_from_wider_terms() {
    let statement = |action: &str| {
        format!(
            "{BUCKET}extra_statements = [{{ Sid = \"More\", Effect = \"Allow\", Principal = {{ AWS = \"{WANDB}\" }}, \
             Action = \"{action}\", Resource = [\"arn:aws:s3:::acme-a\", \"arn:aws:s3:::acme-a/*\"] }}]\n"
        )
    };
    let scene = Scene::applied(BUCKET);
    assert_eq!(
        of(&scene.with(&statement("s3:DeleteObjectVersion")).plan()),
        ["W&B bucket of bucket.a: read, list", "W&B objects of bucket.a: + more write, read"]
    );
    assert_eq!(
        of(&scene.with(&statement("s3:PutBucketPolicy")).plan()),
        ["W&B bucket of bucket.a: + permissions, read, list", "W&B objects of bucket.a: write, read"]
    );
    let tls = Scene::applied(&format!("{BUCKET}tls_only = true\n"));
    let wider = of(&tls.with(BUCKET).plan());
    assert!(wider.contains(&"W&B objects of bucket.a: + wider write, + wider read".to_owned()), "{wider:?}");
    let narrower = of(&scene.with(&format!("{BUCKET}tls_only = true\n")).plan());
    assert!(
        narrower.contains(&"W&B objects of bucket.a: - narrower write, - narrower read".to_owned()),
        "{narrower:?}"
    );
}

/// `who class ability: before → after`, of what account 999988887777 has.
fn terms(before: &str, after: &str) -> Vec<String> {
    let extra = |statements: &str| format!("{BUCKET}extra_statements = [{statements}]\n");
    let plan = Scene::applied(&extra(before)).with(&extra(after)).plan();
    let words = |terms: Option<&Terms>| {
        let Some(terms) = terms else { return "-".to_owned() };
        let join = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match (join(&terms.of_all), join(&terms.of_some)) {
            (all, some) if some.is_empty() => all,
            (all, some) if all.is_empty() => format!("some {some}"),
            (all, some) => format!("{all}; some {some}"),
        }
    };
    let reached = reach(&plan.ends, &plan.access, ACCOUNT);
    let theirs = reached.all.iter().filter(|one| one.principal.contains("999988887777"));
    let each = theirs.flat_map(|one| {
        let abilities: BTreeSet<_> = one.abilities.iter().map(|(ability, _)| *ability).collect();
        abilities.into_iter().map(move |ability| {
            let (before, after) = (words(one.before.get(&ability)), words(one.after.get(&ability)));
            format!("{} {}: {before} → {after}", one.class, ability.as_str())
        })
    });
    each.collect()
}

fn theirs(sid: &str, effect: &str, actions: &str, on: &str, condition: &str) -> String {
    format!(
        "{{ Sid = \"{sid}\", Effect = \"{effect}\", Principal = {{ AWS = \"arn:aws:iam::999988887777:root\" }}, \
         Action = [{actions}], Resource = [{on}]{condition} }}"
    )
}

#[test]
fn a_condition_stands_at_its_end_beside_its_class_of_access_alone() {
    const OBJECTS: &str = "\"arn:aws:s3:::acme-a/*\"";
    const ITSELF: &str = "\"arn:aws:s3:::acme-a\"";
    const FROM: &str = ", Condition = { IpAddress = { \"aws:SourceIp\" = \"10.0.0.0/8\" } }";
    const VPCE: &str = ", Condition = { StringEquals = { \"aws:SourceVpce\" = \"vpce-1\" } }";
    let read = |condition: &str| theirs("Read", "Allow", "\"s3:GetObject\"", OBJECTS, condition);
    let write = |condition: &str| {
        theirs("Write", "Allow", "\"s3:PutObject\", \"s3:DeleteObject\"", OBJECTS, condition)
    };
    let list = theirs("List", "Allow", "\"s3:ListBucket\"", ITSELF, FROM);
    let both = |one: &str, other: &str| format!("{one}, {other}");
    // Taken out, it is a matter of the past; put in, of what will be.
    assert_eq!(terms(&read(FROM), &read("")), ["objects read: only from 10.0.0.0/8 → -"]);
    assert_eq!(terms(&read(""), &read(FROM)), ["objects read: - → only from 10.0.0.0/8"]);
    // It is not that of another class of access, nor of another class of resources.
    assert_eq!(
        terms(&read(FROM), &both(&read(FROM), &write(""))),
        ["objects write: - → -", "objects read: only from 10.0.0.0/8 → only from 10.0.0.0/8"]
    );
    assert_eq!(
        terms(&list, &both(&list, &read(""))),
        ["bucket list: only from 10.0.0.0/8 → only from 10.0.0.0/8", "objects read: - → -"]
    );
    // What only some of a class of access has is said of some of it.
    let tags = theirs("Tags", "Allow", "\"s3:GetObjectAcl\"", OBJECTS, VPCE);
    assert_eq!(
        terms(&read(""), &both(&read(""), &tags)),
        ["objects read: - → some only from VPC endpoint vpce-1"]
    );
    let again = theirs("Again", "Allow", "\"s3:GetObject\"", OBJECTS, VPCE);
    assert_eq!(
        terms(&read(FROM), &both(&read(FROM), &again)),
        ["objects read: only from 10.0.0.0/8 → some only from VPC endpoint vpce-1"]
    );
    // What a Deny refuses that comes or goes is said of what is after.
    let deny = theirs("No", "Deny", "\"s3:GetObject\"", OBJECTS, FROM);
    assert_eq!(
        terms(&read(""), &both(&read(""), &deny)),
        ["objects read: - → now denied: only from 10.0.0.0/8"]
    );
    assert_eq!(
        terms(&both(&read(VPCE), &deny), &read(VPCE)),
        ["objects read: only from VPC endpoint vpce-1 → \
          no longer denied: only from 10.0.0.0/8, only from VPC endpoint vpce-1"]
    );
}

#[test]
fn access_that_goes_is_lost() {
    let scene = Scene::applied(BUCKET);
    assert_eq!(
        of(&scene.with(&format!("{BUCKET}wandb_access = false\n")).plan()),
        ["W&B bucket of bucket.a: - read, - list", "W&B objects of bucket.a: - write, - read"]
    );
}

#[test]
fn what_was_not_read_is_not_known() {
    let mut scene = Scene::applied(BUCKET);
    scene.refused.insert(byob_model::Kind::BucketPolicy);
    let all = of(&scene.plan());
    assert!(all.contains(&"bucket.a: its policy was not read".to_owned()), "{all:?}");
}

#[test]
fn drift_is_shown_from_the_record_to_what_is_live() {
    let mut scene = Scene::applied(BUCKET);
    let stays = ["W&B bucket of bucket.a: read, list", "W&B objects of bucket.a: write, read"];
    assert_eq!(of_drift(&scene), stays);
    scene.world.bucket("acme-a").policy = Some(public());
    let lost = of_drift(&scene);
    // The block holds it back: nobody but this account comes in by it, and that is said.
    let held =
        "* objects of bucket.a [only for this account and AWS services (RestrictPublicBuckets)]: + read";
    assert!(lost.contains(&held.to_owned()), "{lost:?}");
    assert!(lost.contains(&"W&B objects of bucket.a: - write, - read".to_owned()), "{lost:?}");
    scene.world.bucket("acme-a").block =
        Some(PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL });
    let open = of_drift(&scene);
    assert!(open.contains(&"* objects of bucket.a: + read".to_owned()), "{open:?}");
    scene.world.buckets.clear();
    assert_eq!(
        of_drift(&scene),
        ["W&B bucket of bucket.a: - read, - list", "W&B objects of bucket.a: - write, - read"]
    );
}

#[test]
fn a_key_that_is_disabled_is_used_by_nobody() {
    let mut scene = Scene::applied(ON_KEY);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.key(&arn).state = KeyState::Disabled;
    let all = of_drift(&scene);
    assert!(!all.iter().any(|line| line.contains("of key.k") && line.contains("+ use")), "{all:?}");
    assert!(!all.iter().any(|line| line.contains("W&B key of key.k: use")), "{all:?}");
}
