//! The order of the steps: what has to have happened before what.

use std::collections::BTreeMap;

use byob_plan::{Action, Plan};

use crate::scene::{Scene, step};

const TABLES: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\ntls_only = true\nversioning = \"enabled\"\n\
                      object_lock = {}\nabort_incomplete_uploads_after_days = 7\n\
                      encryption = { type = \"sse-kms\", key = \"key.z\" }\nlogging = { target_bucket = \"bucket.z\" }\n\
                      [bucket.z]\nname = \"acme-z\"\nprotect = false\n\
                      [key.z]\nalias = \"z\"\nprotect = false\n";

/// Every dependency exists and stands before.
fn assert_ordered(plan: &Plan) -> BTreeMap<String, usize> {
    let mut at = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        for id in &step.depends_on {
            assert!(at.contains_key(id), "{} depends on {id}, which is not before it", step.id);
        }
        assert!(at.insert(step.id.clone(), index).is_none(), "{} stands twice", step.id);
        let mut sorted = step.depends_on.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted, step.depends_on);
    }
    at
}

fn depends(plan: &Plan, address: &str, on: &str) {
    let ids = &step(plan, address).depends_on;
    assert!(ids.contains(&format!("{on}#1")), "{address} depends on {ids:?}, not on {on}");
}

#[test]
fn creations_come_in_the_order_that_never_leaves_a_bucket_open() {
    let plan = Scene::new(TABLES).plan();
    let at = assert_ordered(&plan);
    for aspect in ["policy", "encryption", "cors", "public_access_block", "ownership", "logging", "lifecycle"]
    {
        depends(&plan, &format!("bucket.a.{aspect}"), "bucket.a");
        depends(&plan, &format!("bucket.a.{aspect}"), "bucket.a.tags");
    }
    depends(&plan, "bucket.a.tags", "bucket.a");
    assert_eq!(at["bucket.a.tags#1"], at["bucket.a#1"] + 1, "a new bucket's tags come first");
    depends(&plan, "bucket.a.policy", "bucket.a.public_access_block");
    depends(&plan, "bucket.a.policy", "bucket.a.ownership");
    depends(&plan, "bucket.a.lifecycle", "bucket.a.versioning");
    depends(&plan, "bucket.a.object_lock", "bucket.a.versioning");
    depends(&plan, "bucket.a.encryption", "key.z");
    depends(&plan, "bucket.a.encryption", "key.z.policy");
    depends(&plan, "bucket.a.logging", "bucket.z");
    for aspect in ["policy", "rotation", "tags", "alias"] {
        depends(&plan, &format!("key.z.{aspect}"), "key.z");
    }
    assert!(plan.steps.iter().all(|s| s.phase == 2 && s.id == format!("{}#1", s.address)));
}

#[test]
fn a_change_of_the_public_access_block_comes_before_the_policy() {
    let scene = Scene::applied(TABLES);
    let changed = scene.with(&TABLES.replacen(
        "tls_only = true",
        "public_access_block = false\nobject_ownership = \"BucketOwnerPreferred\"",
        1,
    ));
    let plan = changed.plan();
    assert_ordered(&plan);
    depends(&plan, "bucket.a.policy", "bucket.a.public_access_block");
    depends(&plan, "bucket.a.policy", "bucket.a.ownership");
}

#[test]
fn buckets_are_deleted_before_the_keys_they_used() {
    let mut scene = Scene::applied(TABLES);
    scene.tables = String::new();
    let plan = scene.plan();
    let at = assert_ordered(&plan);
    assert!(plan.steps.iter().all(|s| s.action == Action::Delete));
    assert!(at["bucket.a#1"] < at["key.z#1"]);
    depends(&plan, "key.z", "bucket.a");
}

#[test]
fn a_disabled_key_is_enabled_before_it_is_changed() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "z");
    scene.world.key(&arn).state = byob_model::kind::KeyState::PendingDeletion;
    scene.world.key(&arn).rotation.enabled = false;
    let plan = scene.plan();
    assert_ordered(&plan);
    depends(&plan, "key.z.rotation", "key.z");
    scene.apply();
    scene.assert_settled();
}
