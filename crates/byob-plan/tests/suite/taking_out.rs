//! What is taken out of the configuration, or out of byob's hands: fields, whole tables, `forget`, `unmanaged`,
//! `wandb_access = false`, reference buckets.

use byob_model::call::{Operation, Payload};
use byob_model::kind::{Attributes, BYOB_INTENT, OUR_CORS_RULE, WANDB_SID};
use byob_plan::{Action, Rule};
use byob_policy::Effect;

use crate::scene::{Scene, assert_refused, operations, step, steps};

const BUCKET: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n";
const REFERENCE: &str = "[bucket.a]\nname = \"acme-a\"\npurpose = \"reference\"\n";

fn sids(scene: &mut Scene) -> Vec<String> {
    let policy = scene.world.bucket("acme-a").policy.clone();
    let all = policy.map(|p| p.document.statements).unwrap_or_default();
    let mut all: Vec<String> = all.into_iter().filter_map(|s| s.sid).collect();
    all.sort();
    all
}

/// Somebody else's statement and CORS rule, beside ours.
fn with_others(scene: &mut Scene) {
    let bucket = scene.world.bucket("acme-a");
    let policy = bucket.policy.as_mut().unwrap();
    let mut theirs = policy.document.statements[0].clone();
    theirs.sid = Some("Theirs".into());
    theirs.effect = Effect::Deny;
    policy.document.statements.push(theirs);
    let mut rule = bucket.cors[0].clone();
    rule.id = Some("theirs".into());
    bucket.cors.insert(0, rule);
}

#[test]
fn every_field_can_be_added_and_taken_out_again() {
    let fields = [
        ("tls_only = true", "policy"),
        ("min_tls_version = \"1.2\"", "policy"),
        ("allowed_source_ips = [\"203.0.113.0/24\"]", "policy"),
        ("allowed_vpc_endpoints = [\"vpce-0123456789abcdef0\"]", "policy"),
        ("managers = [\"arn:aws:iam::123456789012:role/Admin\"]", "policy"),
        ("wandb_access = false", "policy"),
        ("cors_origins = [\"https://acme.wandb.io\"]", "cors"),
        ("cors_origins = []", "cors"),
        ("sse_c = \"allowed\"", "encryption"),
        ("public_access_block = false", "public_access_block"),
        ("object_ownership = \"ObjectWriter\"", "ownership"),
        ("abort_incomplete_uploads_after_days = 7", "lifecycle"),
        ("noncurrent_expire_after_days = 7", "lifecycle"),
        ("lifecycle = [{ id = \"x\", abort_incomplete_multipart_upload_days = 3 }]", "lifecycle"),
        ("logging = { target_bucket = \"acme-logs\" }", "logging"),
        ("logging = { target_bucket = \"acme-logs\", key_format = \"simple\" }", "logging"),
        ("tags = { T = \"x\" }", "tags"),
    ];
    for spells_simple in [false, true] {
        let mut plain = Scene::new(BUCKET);
        plain.world.quirks.spells_simple = spells_simple;
        plain.world.make_bucket("acme-logs", "us-east-1");
        plain.apply();
        plain.assert_settled();
        let fresh = format!("{:?}", plain.world);
        for (field, aspect) in fields {
            let address = format!("bucket.a.{aspect}");
            let mut scene = plain.with(&format!("{BUCKET}{field}\n"));
            let plan = scene.plan();
            assert_eq!(
                plan.steps.iter().map(|s| s.address.to_string()).collect::<Vec<_>>(),
                std::slice::from_ref(&address)
            );
            assert!(plan.drift.is_empty());
            scene.apply();
            scene.assert_settled();
            scene.tables = BUCKET.to_owned();
            let plan = scene.plan();
            assert_eq!(
                plan.steps.iter().map(|s| s.address.to_string()).collect::<Vec<_>>(),
                [address],
                "{field}"
            );
            assert!(plan.drift.is_empty());
            scene.apply();
            scene.assert_settled();
            assert_eq!(format!("{:?}", scene.world), fresh, "{field}");
        }
    }
}

#[test]
fn a_forgotten_bucket_is_left_as_it_is_and_dropped_from_the_record() {
    let mut scene = Scene::applied(&BUCKET.replace("protect = false", "protect = true"));
    scene.tables = "forget = [\"bucket.a\"]\n".into();
    let before = format!("{:?}", scene.world);
    let plan = scene.plan();
    assert_eq!((steps(&plan), operations(&plan)), (vec!["forget bucket.a".to_owned()], vec![]));
    // `byob destroy` leaves it alone as well.
    let mut destroyed = scene.clone();
    destroyed.mode.destroy = true;
    assert_eq!(steps(&destroyed.plan()), ["forget bucket.a"]);
    scene.apply();
    scene.assert_settled();
    assert!(scene.recorded.resources.is_empty());
    assert_eq!(format!("{:?}", scene.world), before);
}

#[test]
fn an_unmanaged_aspect_is_forgotten_without_a_call_and_never_looked_at_again() {
    let left = "unmanaged = [\"cors\", \"lifecycle\", \"public_access_block\", \"policy\", \"encryption\", \"tags\", \"ownership\"]\n";
    let mut scene = Scene::applied(&format!("{BUCKET}abort_incomplete_uploads_after_days = 7\n"));
    scene.tables = format!("{BUCKET}{left}");
    let plan = scene.plan();
    assert_eq!((plan.summary.forget, operations(&plan)), (7, vec![]));
    scene.apply();
    scene.assert_settled();
    let bucket = scene.world.bucket("acme-a");
    bucket.cors.clear();
    bucket.lifecycle.clear();
    bucket.policy = None;
    bucket.block = None;
    bucket.tags.clear();
    scene.assert_settled();
    assert_eq!(scene.plan().summary.unchanged, 1);
}

#[test]
fn without_wandb_access_its_statement_goes_and_so_does_its_use_of_a_key_that_no_other_bucket_needs() {
    let keyed = |label: &str, access: bool| {
        format!(
            "[bucket.{label}]\nname = \"acme-{label}\"\nwandb_access = {access}\n\
             encryption = {{ type = \"sse-kms\", key = \"key.k\" }}\n"
        )
    };
    let key = "[key.k]\nalias = \"k\"\n";
    let mut scene = Scene::applied(&(keyed("a", true) + &keyed("b", true) + key));
    scene.tables = keyed("a", false) + &keyed("b", true) + key;
    assert_eq!(steps(&scene.plan()), ["delete bucket.a.policy"]);
    scene.apply();
    scene.assert_settled();
    scene.tables = keyed("a", false) + &keyed("b", false) + key;
    assert_eq!(steps(&scene.plan()), ["update key.k.policy", "delete bucket.b.policy"]);
    scene.apply();
    scene.assert_settled();
    let arn = scene.world.arn("us-east-1", "k");
    assert_eq!(scene.world.key(&arn).policy.document.statements.len(), 1);
}

#[test]
fn a_reference_bucket_stands_beside_other_teams_statements_and_rules() {
    let mut scene = Scene::new(REFERENCE);
    scene.world.make_bucket("acme-a", "us-east-1").tags.insert("Theirs".into(), "x".into());
    scene.import("bucket.a");
    assert_eq!(steps(&scene.plan()), ["create bucket.a.cors", "create bucket.a.policy"]);
    scene.apply();
    scene.assert_settled();
    with_others(&mut scene);
    // A new foreign statement is shown and accepted without a call; a foreign CORS rule is nobody's business.
    let plan = scene.plan();
    assert_eq!((steps(&plan), operations(&plan)), (vec!["update bucket.a.policy".to_owned()], vec![]));
    assert_eq!(plan.drift.len(), 1);
    scene.apply();
    scene.assert_settled();
    assert_eq!(sids(&mut scene), ["Theirs", WANDB_SID]);
    // Ours changes, theirs stays.
    scene.tables = format!("{REFERENCE}tls_only = true\ncors_origins = [\"https://acme.wandb.io\"]\n");
    assert_eq!(steps(&scene.plan()), ["update bucket.a.cors", "update bucket.a.policy"]);
    scene.apply();
    scene.assert_settled();
    assert_eq!(sids(&mut scene), ["ByobTlsOnly", "Theirs", WANDB_SID]);
    assert_eq!(scene.world.bucket("acme-a").cors.len(), 2);
}

#[test]
fn where_others_statements_stay_ours_are_known_by_their_sids() {
    let mut scene = Scene::new(REFERENCE);
    scene.world.make_bucket("acme-a", "us-east-1");
    scene.import("bucket.a");
    scene.apply();
    // Renamed, it would count as theirs and stay for ever.
    let policy = scene.world.bucket("acme-a").policy.as_mut().unwrap();
    policy.document.statements[0].sid = Some("Renamed".into());
    let plan = scene.plan();
    assert_eq!((steps(&plan), plan.drift.len()), (vec!["update bucket.a.policy".to_owned()], 1));
    scene.apply();
    scene.assert_settled();
    assert_eq!(sids(&mut scene), ["Renamed", WANDB_SID]);
}

#[test]
fn a_reference_bucket_whose_table_goes_loses_what_is_ours_and_stays() {
    for destroy in [false, true] {
        let mut scene = Scene::new(REFERENCE);
        scene.world.make_bucket("acme-a", "us-east-1").holds_data = true;
        scene.import("bucket.a");
        scene.apply();
        let alone = scene.clone();
        with_others(&mut scene);
        scene.apply();
        for mut scene in [scene, alone] {
            let others = scene.world.bucket("acme-a").cors.len() > 1;
            if destroy {
                scene.mode.destroy = true;
            } else {
                scene.tables = String::new();
            }
            let plan = scene.plan();
            assert_eq!(steps(&plan), ["forget bucket.a"]);
            let (policy, cors) = if others {
                (Operation::PutBucketPolicy, Operation::PutBucketCors)
            } else {
                (Operation::DeleteBucketPolicy, Operation::DeleteBucketCors)
            };
            assert_eq!(operations(&plan), [policy, cors]);
            scene.apply();
            assert_eq!(sids(&mut scene), if others { vec!["Theirs"] } else { vec![] });
            let rules = &scene.world.bucket("acme-a").cors;
            assert!(rules.iter().all(|r| r.id.as_deref() != Some(OUR_CORS_RULE)));
            assert_eq!(rules.len(), usize::from(others));
            assert!(scene.recorded.resources.is_empty());
        }
    }
}

#[test]
fn a_storage_bucket_that_becomes_a_reference_loses_the_rules_of_storage() {
    let mut scene = Scene::applied(BUCKET);
    scene.tables = format!("{BUCKET}purpose = \"reference\"\n");
    scene.apply();
    scene.assert_settled();
    assert_eq!(scene.world.bucket("acme-a").cors.len(), 1, "the rule of storage was ours");
    scene.tables = BUCKET.to_owned();
    scene.apply();
    scene.assert_settled();
    assert_eq!(scene.world.bucket("acme-a").cors.len(), 1);
}

#[test]
fn a_dying_bucket_is_not_stripped_first() {
    let scene = Scene::applied(&format!("{BUCKET}tls_only = true\n"));
    let plan = scene.with("").plan();
    assert_eq!(steps(&plan), ["delete bucket.a"]);
    assert_eq!(operations(&plan), [Operation::DeleteBucket]);
}

#[test]
fn a_bucket_that_may_be_emptied_dies_under_its_denies() {
    let mut scene = Scene::applied(&format!("{BUCKET}force_destroy = true\ntls_only = true\n"));
    scene.world.bucket("acme-a").holds_data = true;
    let mut scene = scene.with("");
    let plan = scene.plan();
    let expected = [Operation::PutBucketPolicy, Operation::DeleteObjects, Operation::DeleteBucket];
    assert_eq!(operations(&plan), expected);
    let Payload::Attributes(Attributes::Policy(policy)) = &step(&plan, "bucket.a").calls[0].payload else {
        panic!("no policy");
    };
    assert!(!policy.document.is_empty());
    assert!(policy.document.statements.iter().all(|s| s.effect == Effect::Deny));
    assert_eq!(plan.emptied().collect::<Vec<_>>(), ["acme-a"]);
    scene.apply();
    scene.assert_settled();
    assert!(scene.world.buckets.is_empty());
}

#[test]
fn what_only_byob_knows_is_an_update_without_a_call() {
    let mut scene = Scene::applied(&format!("{BUCKET}[key.k]\nalias = \"k\"\n"));
    scene.tables = "[bucket.a]\nname = \"acme-a\"\nforce_destroy = true\n\
                    [key.k]\nalias = \"k\"\nprotect = false\ndeletion_window_days = 7\n"
        .into();
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["update key.k", "update bucket.a"]);
    assert_eq!(operations(&plan), []);
    assert_eq!(plan.summary.update, 2);
    let paths =
        |address: &str| step(&plan, address).changes.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths("bucket.a"), ["/force_destroy", "/protect"]);
    assert_eq!(paths("key.k"), ["/deletion_window_days", "/protect"]);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn protection_has_to_be_gone_before_a_table_may_go() {
    let mut scene = Scene::applied("[bucket.a]\nname = \"acme-a\"\n[key.k]\nalias = \"k\"\n");
    let plan = scene.with("").plan();
    assert_refused(&plan, Rule::Protected, "bucket.a");
    assert_refused(&plan, Rule::Protected, "key.k");
    scene.tables =
        "[bucket.a]\nname = \"acme-a\"\nprotect = false\n[key.k]\nalias = \"k\"\nprotect = false\n".into();
    scene.apply();
    scene.tables = String::new();
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["delete bucket.a", "delete key.k"]);
    assert_eq!(
        operations(&plan),
        [Operation::DeleteBucket, Operation::DeleteAlias, Operation::ScheduleKeyDeletion]
    );
    scene.apply();
    scene.assert_settled();
    // The table comes back: a pending key that byob ordered counts as absent.
    scene.tables = "[key.k]\nalias = \"k\"\n".into();
    assert_eq!(step(&scene.plan(), "key.k").action, Action::Create);
    scene.apply();
    scene.assert_settled();
}

/// Found by the simulation (seed 140): a bucket that was made milliseconds ago read as absent, and was forgotten.
#[test]
fn what_seems_gone_is_read_again_before_it_is_forgotten() {
    let tables = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n[key.k]\nalias = \"k\"\nprotect = false\n";
    let mut scene = Scene::applied(tables);
    scene.tables = String::new();
    scene.world.buckets.clear();
    scene.world.keys.clear();
    scene.world.aliases.clear();
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["forget key.k", "forget bucket.a"]);
    let unsettled: Vec<String> = plan.unsettled.iter().map(ToString::to_string).collect();
    assert_eq!(unsettled, ["bucket.a", "key.k"]);
}

/// Found by the simulation (seed 376): a bucket that was deleted seconds ago was still seen, and adopted.
#[test]
fn what_is_ours_and_not_recorded_is_read_again_before_it_is_adopted() {
    let tables = "[bucket.a]\nname = \"acme-a\"\n";
    let mut scene = Scene::applied(tables);
    scene.recorded.resources.clear();
    let plan = scene.plan();
    assert!(plan.unsettled.iter().any(|address| address.to_string() == "bucket.a"), "{:?}", plan.unsettled);
}

/// Found by the simulation (seed 46618): a killed run was about to make a bucket again; the deleted one was still seen, and
/// taken for what that run had made.
#[test]
fn what_does_not_carry_the_tag_of_the_open_intent_is_read_again_before_it_is_adopted() {
    let mut scene = Scene::applied("[bucket.a]\nname = \"acme-a\"\n");
    scene.recorded.resources.clear();
    let id = uuid::Uuid::from_u128(9);
    scene.recorded.intents.push(byob_model::recorded::Intent {
        id,
        address: "bucket.a".parse().unwrap(),
        account_id: crate::world::ACCOUNT.into(),
        region: "us-east-1".into(),
        name: Some("acme-a".into()),
        at: 0,
        keys_used: std::collections::BTreeSet::new(),
    });
    let unsettled = |scene: &Scene| scene.plan().unsettled.contains(&"bucket.a".parse().unwrap());
    let tag = |scene: &mut Scene, of: uuid::Uuid| {
        scene.world.bucket("acme-a").tags.insert(BYOB_INTENT.into(), of.to_string());
    };
    tag(&mut scene, uuid::Uuid::from_u128(8));
    assert!(unsettled(&scene));
    // Found by the simulation too (seed 1040199): one that was bare when it was deleted.
    let mut bare = scene.clone();
    bare.world.bucket("acme-a").tags.clear();
    bare.world.bucket("acme-a").policy = None;
    assert_eq!(step(&bare.plan(), "bucket.a").action, Action::Adopt);
    assert!(unsettled(&bare));
    tag(&mut scene, id);
    assert!(!unsettled(&scene));
}

/// Found by the simulation (seed 61898): a killed run had put TLS only; the destroy that followed still saw the policy
/// before that, as it was recorded, and kept its Denies alone.
#[test]
fn the_policy_of_a_dying_bucket_is_read_again_where_a_killed_run_may_have_put_another() {
    let mut scene = Scene::applied(BUCKET);
    scene.tables = format!("{BUCKET}tls_only = true\n");
    let tightening = scene.plan();
    let mut died = scene.clone();
    died.perform(&tightening, usize::MAX);
    let (world, approval) = (died.world.clone(), died.recorded.approval.clone());
    died.recorded = scene.recorded.clone();
    died.recorded.approval = approval;
    died.tables = String::new();
    let unsettled = |scene: &Scene| scene.plan().unsettled.contains(&"bucket.a.policy".parse().unwrap());
    died.world = scene.world.clone();
    assert!(unsettled(&died));
    died.world = world;
    assert!(!unsettled(&died));
}

/// Found by the simulation (seeds 533, 879): whom the bucket's policy lets in could read under the key until the bucket was
/// gone.
#[test]
fn a_key_lets_more_in_only_when_the_bucket_that_goes_is_gone() {
    let key = "[key.k]\nalias = \"k\"\n";
    let mut scene =
        Scene::applied(&format!("{BUCKET}encryption = {{ type = \"sse-kms\", key = \"key.k\" }}\n{key}"));
    scene.tables = format!("{key}managers = [\"arn:aws:iam::123456789012:role/Admin\"]\n");
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["delete bucket.a", "update key.k.policy"]);
    assert_eq!(step(&plan, "key.k.policy").depends_on, ["bucket.a#1"]);
}

#[test]
fn a_bucket_that_is_forgotten_again_has_still_used_its_first_key() {
    let table = |key: &str| {
        format!(
            "[bucket.a]\nname = \"acme-a\"\nencryption = {{ type = \"sse-kms\", key = \"key.{key}\" }}\n\
             [key.one]\nalias = \"one\"\nprotect = false\n[key.two]\nalias = \"two\"\nprotect = false\n"
        )
    };
    let keys = "forget = [\"bucket.a\"]\n[key.one]\nalias = \"one\"\nprotect = false\n[key.two]\nalias = \"two\"\nprotect = false\n";
    let mut scene = Scene::applied(&table("one"));
    scene.world.bucket("acme-a").holds_data = true;
    scene.tables = keys.into();
    scene.apply();
    // While nobody managed it somebody moved it to the other key; then it is taken back, and left again.
    scene.tables = table("two");
    scene.import("bucket.a");
    scene.apply();
    let one = scene.recorded.root(&"key.one".parse().unwrap()).unwrap().identity.clone();
    assert!(scene.recorded.root(&"bucket.a".parse().unwrap()).unwrap().keys_used.contains(&one));
    scene.tables = keys.into();
    scene.apply();
    scene.tables = "[key.two]\nalias = \"two\"\nprotect = false\n".into();
    assert_refused(&scene.plan(), Rule::KeyInUse, "key.one");
}

/// Found by a reader: a bucket whose encryption nobody manages, as a reference bucket's is, was on a key of this
/// configuration all the same; the key's table was taken out, and the key was to be deleted.
#[test]
fn a_key_stays_while_a_bucket_is_on_it_whose_encryption_is_left_alone() {
    let key = "[key.k]\nalias = \"k\"\nprotect = false\n";
    for bucket in [
        "[bucket.r]\nname = \"acme-r\"\npurpose = \"reference\"\n",
        "[bucket.r]\nname = \"acme-r\"\nunmanaged = [\"encryption\"]\n",
    ] {
        let mut scene = Scene::applied(key);
        let arn = scene.world.arn("us-east-1", "k");
        let live = scene.world.make_bucket("acme-r", "us-east-1");
        let plain = live.encryption.clone();
        let under = live.encryption.as_mut().unwrap();
        under.algorithm = byob_model::kind::Algorithm::Kms;
        under.kms_key = Some(byob_model::kind::KeyRef::Arn(arn.clone()));
        live.holds_data = true;
        scene.tables = format!("{key}{bucket}");
        scene.import("bucket.r");
        let mut gone = scene.with(bucket);
        assert_refused(&gone.plan(), Rule::KeyInUse, "key.k");
        gone.world.bucket("acme-r").encryption = plain;
        assert_eq!(step(&gone.plan(), "key.k").action, Action::Delete);
    }
}
