//! Access in the plan: who gains and loses what, what is proved, and what could not be looked at.

use std::collections::BTreeSet;

use byob_model::Kind;
use byob_model::kind::{Policy, PublicAccessBlock};
use byob_plan::access::{Access, Answer, Proof};
use byob_plan::{Plan, Rule};
use byob_policy::Document;
use serde_json::{Value, json};

use crate::scene::{Scene, steps};
use crate::world::ACCOUNT;

/// W&B as `scene::file` deploys it.
const WANDB: &str = "arn:aws:iam::725579432336:role/WandbIntegration";
const OTHER: &str = "arn:aws:iam::999999999999:role/other";

fn own() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}

fn bucket(lines: &str) -> String {
    format!("[bucket.a]\nname = \"acme-a\"\n{lines}\n")
}

fn statements(all: &[Value]) -> String {
    let toml = |value: &Value| -> String {
        let condition = value.get("Condition").map(|all| {
            let operators = all.as_object().unwrap().iter().map(|(operator, keys)| {
                let keys = keys.as_object().unwrap().iter();
                let keys: Vec<String> = keys.map(|(key, value)| format!("\"{key}\" = {value}")).collect();
                format!("{operator} = {{ {} }}", keys.join(", "))
            });
            format!(", Condition = {{ {} }}", operators.collect::<Vec<_>>().join(", "))
        });
        let principal = match &value["Principal"] {
            Value::String(anyone) => format!("\"{anyone}\""),
            aws => format!("{{ AWS = {} }}", aws["AWS"]),
        };
        format!(
            "{{ Sid = {}, Effect = {}, Principal = {principal}, Action = {}, Resource = {}{} }}",
            value["Sid"],
            value["Effect"],
            value["Action"],
            value["Resource"],
            condition.unwrap_or_default()
        )
    };
    format!("extra_statements = [{}]", all.iter().map(toml).collect::<Vec<_>>().join(", "))
}

fn allow(sid: &str, who: &Value, action: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Principal": who, "Action": action,
        "Resource": ["arn:aws:s3:::acme-a", "arn:aws:s3:::acme-a/*"]})
}

fn other() -> Value {
    allow("Other", &json!({"AWS": OTHER}), "s3:GetObject")
}

fn public() -> Value {
    allow("Public", &json!("*"), "s3:GetObject")
}

fn policy(document: &Value) -> Policy {
    Policy { document: Document::from_value(document).unwrap() }
}

/// `who gains class: actions`, one an entry.
fn told(plan: &Plan) -> Vec<String> {
    let line = |one: &Access| {
        let (verb, actions) = if one.lost.is_empty() { ("gains", &one.gained) } else { ("loses", &one.lost) };
        let when = if one.conditions.is_empty() {
            String::new()
        } else {
            format!(" [{}]", one.conditions.join("; "))
        };
        let sure = match one.proof {
            Proof::Witness => "",
            Proof::Proved => " (proved)",
            Proof::CannotTell => " (cannot tell)",
        };
        format!("{} {} {verb} {}: {}{when}{sure}", one.principal, one.class, one.resource, actions.join(" "))
    };
    plan.access.iter().map(line).collect()
}

fn who(plan: &Plan, gained: bool) -> BTreeSet<&str> {
    let of = |one: &&Access| if gained { !one.gained.is_empty() } else { !one.lost.is_empty() };
    plan.access.iter().filter(of).map(|one| one.principal.as_str()).collect()
}

fn gained<'a>(plan: &'a Plan, principal: &str) -> BTreeSet<&'a str> {
    let of = plan.access.iter().filter(|one| one.principal == principal);
    of.flat_map(|one| one.gained.iter().map(String::as_str)).collect()
}

fn verdict(plan: &Plan) -> (Answer, Answer) {
    (plan.access_verdict.grows, plan.access_verdict.public)
}

fn not_checked(plan: &Plan) -> Vec<&str> {
    plan.access_verdict.not_checked.iter().map(String::as_str).collect()
}

#[test]
fn a_first_plan_gives_wandb_what_it_needs_and_nobody_else_anything() {
    let tables = "[bucket.a]\nname = \"acme-a\"\ntls_only = true\n\
                  encryption = { type = \"sse-kms\", key = \"key.k\" }\n[key.k]\nalias = \"k\"\n";
    let plan = Scene::new(tables).plan();
    assert_eq!(who(&plan, true), BTreeSet::from([WANDB]));
    assert_eq!(who(&plan, false), BTreeSet::new(), "{:?}", told(&plan));
    assert_eq!(verdict(&plan), (Answer::Yes, Answer::No));
    let got = gained(&plan, WANDB);
    for action in ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"] {
        assert!(got.contains(action), "{action}: {got:?}");
    }
    for action in ["s3:PutBucketPolicy", "s3:DeleteBucket", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"] {
        assert!(!got.contains(action), "{action}");
    }
    assert_eq!(
        not_checked(&plan),
        ["identity policies of account 123456789012 (a policy grants that account)"]
    );
    let classes: Vec<&str> = plan.access.iter().map(|one| one.class.as_str()).collect();
    assert_eq!(classes, ["bucket", "objects", "key"]);
    assert!(plan.access.iter().all(|one| one.proof == Proof::Witness && one.example.is_some()));
}

#[test]
fn nothing_to_do_is_no_access_and_is_not_public() {
    let scene = Scene::applied(&bucket(""));
    let plan = scene.plan();
    assert_eq!((told(&plan), verdict(&plan)), (vec![], (Answer::No, Answer::No)));
    assert_eq!(not_checked(&plan), Vec::<&str>::new());
}

#[test]
fn all_actions_for_wandb_are_told_as_those_that_it_gains() {
    let vendor = allow("Vendor", &json!({"AWS": WANDB}), "s3:*");
    let scene = Scene::applied(&bucket("")).with(&bucket(&statements(&[vendor])));
    let plan = scene.plan();
    assert_eq!(who(&plan, true), BTreeSet::from([WANDB]));
    assert_eq!(verdict(&plan), (Answer::Yes, Answer::No));
    let got = gained(&plan, WANDB);
    let had = gained_at_first();
    assert!(got.is_disjoint(&had.iter().map(String::as_str).collect()), "{got:?}");
    let classes = [byob_policy::ResourceClass::Bucket, byob_policy::ResourceClass::Objects];
    let all =
        byob_policy::real_actions().iter().filter(|one| classes.iter().any(|c| one.classes.contains(c)));
    for action in all {
        assert_ne!(got.contains(action.name), had.contains(action.name), "{}", action.name);
    }
    let example = plan.access[0].example.as_ref().unwrap();
    assert!(
        example.who.contains(":725579432336:") && example.resource.starts_with("arn:aws:s3:::acme-a"),
        "{example:?}"
    );
}

fn gained_at_first() -> BTreeSet<String> {
    let plan = Scene::new(&bucket("")).plan();
    gained(&plan, WANDB).into_iter().map(str::to_owned).collect()
}

#[test]
fn without_the_tls_statement_it_is_told_who_may_come_without_tls() {
    let scene = Scene::applied(&bucket("tls_only = true")).with(&bucket(""));
    let plan = scene.plan();
    assert_eq!(who(&plan, true), BTreeSet::from([WANDB, own().as_str()]));
    assert!(
        plan.access.iter().all(|one| one.conditions == ["no longer: only over TLS"]),
        "{:?}",
        told(&plan)
    );
    assert_eq!(plan.access_verdict.grows, Answer::Yes);
    // And back: they lose it, without anybody gaining.
    let plan = Scene::applied(&bucket("")).with(&bucket("tls_only = true")).plan();
    assert_eq!(
        (who(&plan, true), plan.access_verdict.grows),
        (BTreeSet::new(), Answer::No),
        "{:?}",
        told(&plan)
    );
    assert_eq!(who(&plan, false), BTreeSet::from([WANDB, own().as_str()]));
}

#[test]
fn reordered_respelled_and_requoted_is_no_plan_and_no_access() {
    let (one, two) = (other(), allow("Two", &json!({"AWS": "999999999999"}), "s3:PutObject"));
    let mut respelled = allow("Two", &json!({"AWS": ["arn:aws:iam::999999999999:root"]}), "S3:putobject");
    respelled["Resource"] = json!(["arn:aws:s3:::acme-a/*", "arn:aws:s3:::acme-a"]);
    let scene = Scene::applied(&bucket(&statements(&[one.clone(), two])));
    let plan = scene.with(&bucket(&statements(&[respelled, one]))).plan();
    assert_eq!(steps(&plan), Vec::<String>::new());
    assert_eq!((told(&plan), plan.access_verdict.grows), (vec![], Answer::No));
}

#[test]
fn principals_a_and_b_become_b_and_c() {
    let role = |name: &str| format!("arn:aws:iam::999999999999:role/{name}");
    let two =
        |a: &str, b: &str| statements(&[allow("Two", &json!({"AWS": [role(a), role(b)]}), "s3:GetObject")]);
    let plan = Scene::applied(&bucket(&two("a", "b"))).with(&bucket(&two("b", "c"))).plan();
    assert_eq!(
        told(&plan),
        [
            "arn:aws:iam::999999999999:role/a objects loses bucket.a: s3:GetObject",
            "arn:aws:iam::999999999999:role/c objects gains bucket.a: s3:GetObject",
        ]
    );
    assert_eq!(verdict(&plan), (Answer::Yes, Answer::No));
}

/// A bucket with these lines, as applied, then with the others.
fn turned(before: &str, after: &str) -> Plan {
    Scene::applied(&bucket(before)).with(&bucket(after)).plan()
}

fn block(restricts: bool) -> String {
    format!(
        "public_access_block = {{ block_public_acls = true, ignore_public_acls = true, block_public_policy = false, \
         restrict_public_buckets = {restricts} }}\n"
    )
}

#[test]
fn a_public_statement_and_the_block_beside_it() {
    use Answer::{CannotTell, No, Yes};
    // A grant to anyone names the principals of the own account too, whatever their identity policies say.
    let own = own();
    let own = own.as_str();
    let with = |restricts, all: &[Value]| format!("{}{}", block(restricts), statements(all));
    for (what, before, after, expected, gains) in [
        (
            "made public",
            with(false, &[other()]),
            with(false, &[other(), public()]),
            (Yes, Yes),
            vec!["*", own],
        ),
        ("public no more", with(false, &[other(), public()]), with(false, &[other()]), (No, No), vec![]),
        // Restricted, a public statement had cut the others off: without it they are back.
        (
            "public no more under restrict",
            with(true, &[other(), public()]),
            with(true, &[other()]),
            (Yes, No),
            vec![WANDB, OTHER],
        ),
        (
            "restrict goes off",
            with(true, &[public()]),
            with(false, &[public()]),
            (Yes, Yes),
            vec!["*", WANDB],
        ),
        ("restrict goes on", with(false, &[public()]), with(true, &[public()]), (No, No), vec![]),
        // The block lets in the own account's principals, and AWS's services, alone.
        (
            "made public under restrict",
            with(true, &[other()]),
            with(true, &[other(), public()]),
            (Yes, No),
            vec!["*", own],
        ),
    ] {
        let plan = turned(&before, &after);
        assert_eq!(verdict(&plan), expected, "{what}: {:#?}", told(&plan));
        assert_eq!(who(&plan, true), gains.into_iter().collect(), "{what}: {:#?}", told(&plan));
        let words: BTreeSet<&str> = plan
            .access
            .iter()
            .filter(|one| !one.gained.is_empty() && one.principal != own)
            .flat_map(|one| one.conditions.iter().map(String::as_str))
            .collect();
        let words: Vec<&str> = words.into_iter().collect();
        let expected: &[&str] = match what {
            "public no more under restrict" | "restrict goes off" => {
                &["no longer cut off by RestrictPublicBuckets"]
            }
            "made public under restrict" => {
                &["only for this account and AWS services (RestrictPublicBuckets)"]
            }
            _ => &[],
        };
        assert_eq!(words, expected, "{what}");
    }
    // Others stay cut off, whoever the policy names besides.
    let plan = turned(&with(true, &[public()]), &with(true, &[public(), other()]));
    assert_eq!(verdict(&plan), (CannotTell, No), "{:#?}", told(&plan));
    assert!(plan.access.iter().all(|one| one.proof == Proof::CannotTell), "{:#?}", told(&plan));
}

#[test]
fn what_loosens_beside_the_policy_is_never_no() {
    use Answer::{CannotTell, No};
    let acls = |ignore: bool| {
        format!(
            "object_ownership = \"BucketOwnerPreferred\"\npublic_access_block = {{ block_public_acls = true, \
             ignore_public_acls = {ignore}, block_public_policy = true, restrict_public_buckets = true }}"
        )
    };
    let acl = ["ACLs of bucket.a"];
    for (before, after, expected, unchecked) in [
        ("", "object_ownership = \"BucketOwnerPreferred\"", (CannotTell, No), &acl[..]),
        ("", "object_ownership = \"ObjectWriter\"", (CannotTell, No), &acl),
        ("object_ownership = \"ObjectWriter\"", "", (No, No), &[]),
        (
            "object_ownership = \"ObjectWriter\"",
            "object_ownership = \"BucketOwnerPreferred\"",
            (No, No),
            &acl,
        ),
        (&acls(true), &acls(false), (CannotTell, CannotTell), &acl),
        (&acls(false), &acls(true), (No, No), &acl),
        ("", &block(true), (CannotTell, No), &["later public policies of bucket.a"]),
    ] {
        let plan = turned(before, after);
        assert_eq!(verdict(&plan), expected, "{before} → {after}");
        assert_eq!(not_checked(&plan), unchecked, "{before} → {after}");
        assert_eq!(told(&plan), Vec::<String>::new());
    }
}

#[test]
fn who_had_access_loses_all_of_it_with_the_bucket_and_the_key() {
    let tables = "[bucket.a]\nname = \"acme-a\"\nprotect = false\ntls_only = true\n\
                  encryption = { type = \"sse-kms\", key = \"key.k\" }\n[key.k]\nalias = \"k\"\nprotect = false\n";
    let mut scene = Scene::applied(tables);
    scene.mode.destroy = true;
    let plan = scene.plan();
    assert!(!plan.blocked(), "{:?}", plan.findings);
    assert_eq!((who(&plan, true), verdict(&plan)), (BTreeSet::new(), (Answer::No, Answer::No)));
    assert!(plan.access.iter().all(|one| one.proof == Proof::Proved), "{:?}", told(&plan));
    let of = |address: &str| -> BTreeSet<&str> {
        let one = plan.access.iter().filter(|one| one.resource.to_string() == address);
        one.filter(|one| one.principal == WANDB).flat_map(|one| one.lost.iter().map(String::as_str)).collect()
    };
    assert!(of("bucket.a").contains("s3:PutObject") && of("key.k").contains("kms:Decrypt"));
}

#[test]
fn a_key_policy_is_judged_as_a_key_policy() {
    let tables = |lines: &str| format!("[bucket.a]\nname = \"acme-a\"\n[key.k]\nalias = \"k\"\n{lines}");
    let manager = format!("arn:aws:iam::{ACCOUNT}:role/Keys");
    let scene = Scene::applied(&tables("")).with(&tables(&format!("managers = [\"{manager}\"]\n")));
    let plan = scene.plan();
    assert_eq!(who(&plan, true), BTreeSet::from([manager.as_str()]), "{:?}", told(&plan));
    assert!(gained(&plan, &manager).contains("kms:PutKeyPolicy"));
    assert_eq!(
        not_checked(&plan),
        ["KMS grants of key.k", "identity policies of account 123456789012 (a policy grants that account)"]
    );
    // A key that was disabled and is enabled again gives what its policy says: maybe more than it gave.
    let mut scene = Scene::applied(&tables(""));
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.key(&arn).state = byob_model::kind::KeyState::Disabled;
    let plan = scene.plan();
    assert_eq!(plan.access_verdict.grows, Answer::CannotTell);
    assert!(
        plan.access.iter().all(|one| one.proof == Proof::CannotTell && one.resource.to_string() == "key.k")
    );
}

#[test]
fn what_somebody_took_away_or_gave_is_told_as_the_plan_undoes_it() {
    let mut scene = Scene::applied(&bucket(""));
    scene.world.bucket("acme-a").policy = None;
    let plan = scene.plan();
    assert_eq!((who(&plan, true), plan.access_verdict.grows), (BTreeSet::from([WANDB]), Answer::Yes));
    let mut scene = Scene::applied(&bucket(""));
    let document = &mut scene.world.bucket("acme-a").policy.as_mut().unwrap().document;
    document.statements.push(byob_policy::Statement::from_value(&other()).unwrap());
    let plan = scene.plan();
    assert_eq!(told(&plan), [format!("{OTHER} objects loses bucket.a: s3:GetObject")]);
    assert_eq!(verdict(&plan), (Answer::No, Answer::No));
}

#[test]
fn statements_that_others_changed_are_told_against_the_record() {
    let keep = bucket("foreign_statements = \"keep\"");
    let mut scene = Scene::applied(&keep);
    let put = |scene: &mut Scene, one: &Value| {
        let document = &mut scene.world.bucket("acme-a").policy.as_mut().unwrap().document;
        document.statements.push(byob_policy::Statement::from_value(one).unwrap());
    };
    put(&mut scene, &other());
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["update bucket.a.policy"]);
    assert!(plan.steps[0].calls.is_empty());
    assert_eq!(told(&plan), [format!("{OTHER} objects gains bucket.a: s3:GetObject")]);
    assert_eq!(plan.access_verdict.grows, Answer::Yes);
    // Beside a change of ours, both are told.
    let plan = scene.with(&bucket("foreign_statements = \"keep\"\nwandb_access = false")).plan();
    assert_eq!((who(&plan, true), who(&plan, false)), (BTreeSet::from([OTHER]), BTreeSet::from([WANDB])));
    // Accepted, it is no news; taken away again, it is a loss.
    scene.apply();
    let plan = scene.plan();
    assert_eq!((told(&plan), plan.access_verdict.grows), (vec![], Answer::No));
    scene
        .world
        .bucket("acme-a")
        .policy
        .as_mut()
        .unwrap()
        .document
        .statements
        .retain(|one| one.sid.as_deref() != Some("Other"));
    let plan = scene.plan();
    assert_eq!(told(&plan), [format!("{OTHER} objects loses bucket.a: s3:GetObject")]);
    assert_eq!(plan.access_verdict.grows, Answer::No);
    // Foreign statements that stay are no change of ours, and still count for who is public.
    put(&mut scene, &public());
    scene.world.bucket("acme-a").block =
        Some(PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL });
    let plan = scene.plan();
    assert_eq!(plan.access_verdict.public, Answer::No, "the block is put back");
}

#[test]
fn what_was_not_read_is_never_no() {
    let mut scene = Scene::applied(&bucket("unmanaged = [\"public_access_block\", \"ownership\"]"));
    // What decides who gets in is read where the caller may, although nobody manages it.
    assert_eq!(verdict(&scene.plan()), (Answer::No, Answer::No));
    scene.refused = [Kind::PublicAccessBlock, Kind::Ownership].into();
    let plan = scene.plan();
    assert_eq!(verdict(&plan), (Answer::No, Answer::CannotTell));
    assert_eq!(not_checked(&plan), ["ownership of bucket.a", "public access block of bucket.a"]);
    let reference = "[bucket.a]\nname = \"acme-a\"\npurpose = \"reference\"\n";
    let mut scene = Scene::new(reference);
    scene.world.make_bucket("acme-a", "us-east-1").policy =
        Some(policy(&json!({"Version": "2012-10-17", "Statement": [public()]})));
    scene.import("bucket.a");
    scene.refused = [Kind::PublicAccessBlock, Kind::Ownership].into();
    let plan = scene.plan();
    // Whether the block cuts W&B off is not known; what it may read stays the same either way.
    assert!(steps(&plan).contains(&"update bucket.a.policy".to_owned()));
    assert_eq!(verdict(&plan), (Answer::No, Answer::CannotTell), "{:#?}", told(&plan));
    assert_eq!(not_checked(&plan), ["ownership of bucket.a", "public access block of bucket.a"]);
    assert_eq!(told(&plan), Vec::<String>::new());
}

#[test]
fn a_block_that_is_not_read_and_stays_is_the_same_at_both_ends() {
    let unread = "unmanaged = [\"public_access_block\"]\nwandb_access = false\n";
    let from = |all: &[Value]| {
        let managed = "public_access_block = false\nwandb_access = false\n".to_owned();
        let mut scene = Scene::applied(&bucket(&(managed + &statements(all))));
        scene.refused.insert(Kind::PublicAccessBlock);
        scene
    };
    let to = |scene: &Scene, all: &[Value]| {
        let plan = scene.with(&bucket(&(unread.to_owned() + &statements(all)))).plan();
        (told(&plan), plan.access_verdict.grows)
    };
    let scene = from(&[public()]);
    // With the block off it comes in, with it on it is cut off as before; who was in or out stays so.
    let writer = allow("Other", &json!({"AWS": OTHER}), "s3:PutObject");
    let (all, grows) = to(&scene, &[public(), writer]);
    assert_eq!(all, [format!("{OTHER} objects gains bucket.a: s3:PutObject (cannot tell)")]);
    assert_eq!(grows, Answer::CannotTell);
    // The block does not cut off the owner's account, on or off.
    let role = format!("arn:aws:iam::{ACCOUNT}:role/writer");
    let ours = allow("Ours", &json!({"AWS": role}), "s3:PutObject");
    let (all, grows) = to(&scene, &[public(), ours.clone()]);
    assert_eq!(all, [format!("{role} objects gains bucket.a: s3:PutObject")]);
    assert_eq!(grows, Answer::Yes);
    // The other way round it is lost, and nobody gains.
    let (all, grows) = to(&from(&[public(), ours]), &[public()]);
    assert_eq!(all, [format!("{role} objects loses bucket.a: s3:PutObject")]);
    assert_eq!(grows, Answer::No);
}

#[test]
fn a_policy_that_may_not_be_read_is_never_no() {
    let mut scene = Scene::applied(&bucket(""));
    scene.refused.insert(Kind::BucketPolicy);
    let plan = scene.plan();
    assert_eq!(verdict(&plan), (Answer::CannotTell, Answer::No));
    assert_eq!(not_checked(&plan), ["policy of bucket.a"]);
    assert!(plan.access.iter().all(|one| one.principal == WANDB && one.proof == Proof::CannotTell));
    assert!(!plan.access.is_empty());
}

#[test]
fn a_target_is_judged_alone_and_says_so() {
    let tables = "[bucket.a]\nname = \"acme-a\"\n[bucket.b]\nname = \"acme-b\"\n";
    let mut scene = Scene::new(tables);
    scene.mode.target = ["bucket.b".to_owned()].into();
    let plan = scene.plan();
    assert!(plan.access.iter().all(|one| one.resource.to_string() == "bucket.b"));
    assert_eq!(not_checked(&plan), ["what --target leaves out"]);
}

#[test]
fn a_bucket_that_is_refused_is_not_called_private() {
    let mut scene = Scene::new(&bucket(""));
    scene.world.make_bucket("acme-a", "us-east-1").forbidden = Some(None);
    let plan = scene.plan();
    assert!(plan.findings.iter().any(|one| one.rule == Rule::OwnedByAnother));
    assert_eq!(verdict(&plan), (Answer::No, Answer::CannotTell));
}

#[test]
fn access_is_not_in_the_digest_and_stands_in_the_json() {
    let plan = Scene::new(&bucket("")).plan();
    let value: Value = serde_json::from_str(&plan.to_json()).unwrap();
    let first = value["access"][0].as_object().unwrap();
    let keys: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(keys, ["class", "conditions", "gained", "lost", "principal", "proof", "resource"]);
    assert_eq!(value["access_verdict"], json!({"grows": "yes", "public": "no", "not_checked": []}));
    assert_eq!((&first["proof"], &first["resource"]), (&json!("witness"), &json!("bucket.a")));
}

#[test]
fn every_one_of_many_buckets_is_told() {
    let tables: String =
        (0..200).map(|n| format!("[bucket.b{n}]\nname = \"acme-{n}\"\ntls_only = true\n")).collect();
    assert_eq!(Scene::new(&tables).plan().access.len(), 400);
}

#[test]
fn buckets_of_one_shape_are_told_as_each_would_be_alone() {
    let own = statements(&[other()]).replace("acme-a", "NAME");
    let narrow = own.replace("NAME/*", "NAME/x/*");
    // Names that begin alike.
    let all =
        [("a", "acme-a", &own), ("b", "acme-ab", &own), ("c", "acme-c", &narrow), ("d", "acme", &narrow)];
    let table = |(label, name, lines): (&str, &str, &String)| {
        format!("[bucket.{label}]\nname = \"{name}\"\ntls_only = true\n{}\n", lines.replace("NAME", name))
    };
    let tables: Vec<String> = all.into_iter().map(table).collect();
    let together = Scene::new(&tables.concat()).plan();
    let alone: Vec<Access> = tables.iter().flat_map(|one| Scene::new(one).plan().access).collect();
    assert_eq!(together.access, alone);
    assert!(together.access.iter().all(|one| one.example.is_some()));
}

/// An origin access identity of CloudFront is no user or role, and gets in all the same; so does a unique id.
#[test]
fn whoever_is_named_counts_whatever_kind_of_principal_it_is() {
    for who in [
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EH1HDMB1FH2TC",
        "AROAEXAMPLEEXAMPLE12A",
    ] {
        let granted = allow("Odd", &json!({"AWS": who}), "s3:GetObject");
        let plan = Scene::applied(&bucket("")).with(&bucket(&statements(&[granted]))).plan();
        assert_eq!(told(&plan), [format!("{who} objects gains bucket.a: s3:GetObject")]);
        assert_eq!(plan.access_verdict.grows, Answer::Yes);
    }
}

#[test]
fn a_condition_that_not_every_way_in_asks_for_is_no_condition() {
    let narrow = |sid: &str| {
        let mut one = allow(sid, &json!({"AWS": OTHER}), "s3:GetObject");
        one["Condition"] = json!({"IpAddress": {"aws:SourceIp": "203.0.113.7/32"}});
        one
    };
    let wide = allow("Wide", &json!({"AWS": OTHER}), "s3:GetObject");
    let after = |all: &[Value]| Scene::applied(&bucket("")).with(&bucket(&statements(all))).plan();
    let said = |plan: &Plan| plan.access.iter().flat_map(|one| one.conditions.clone()).collect::<Vec<_>>();
    assert_eq!(said(&after(&[narrow("Narrow")])), ["only from 203.0.113.7/32"]);
    assert_eq!(said(&after(&[narrow("Narrow"), wide.clone()])), Vec::<String>::new());
    assert_eq!(said(&after(&[wide, narrow("Narrow")])), Vec::<String>::new());
}

#[test]
fn whom_a_former_key_kept_out_is_not_known_to_stay_out() {
    let on = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n[key.k]\nalias = \"k\"\n";
    let off = on.replace("encryption = { type = \"sse-kms\", key = \"key.k\" }\n", "");
    let plan = Scene::applied(on).with(&off).plan();
    assert_eq!(plan.access_verdict.grows, Answer::CannotTell);
    assert!(
        not_checked(&plan).contains(&"whom the former key kept out of bucket.a"),
        "{:?}",
        not_checked(&plan)
    );
}
