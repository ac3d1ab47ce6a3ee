//! Identity goes before address: a table under another label is the same root, and only its record and its
//! `byob:address` tag move.

use byob_model::call::Operation;
use byob_model::kind::BYOB_ADDRESS;
use byob_plan::Action;
use byob_plan::approval::{Standing, standing};

use crate::scene::{Scene, operations, step, steps};

fn bucket(label: &str, name: &str) -> String {
    format!(
        "[bucket.{label}]\nname = \"acme-{name}\"\nprotect = false\ntls_only = true\nversioning = \"enabled\"\n"
    )
}

fn keyed(label: &str, name: &str, key: &str) -> String {
    format!(
        "[bucket.{label}]\nname = \"acme-{name}\"\nprotect = false\n\
         encryption = {{ type = \"sse-kms\", key = \"key.{key}\" }}\n"
    )
}

fn key(label: &str, alias: &str) -> String {
    format!("[key.{label}]\nalias = \"{alias}\"\nprotect = false\n")
}

/// Labels and identities as the record has them.
fn recorded(scene: &Scene) -> Vec<(String, String)> {
    scene.recorded.roots().map(|(a, r)| (a.to_string(), r.identity.clone())).collect()
}

fn address_tag(scene: &mut Scene, name: &str) -> String {
    scene.world.bucket(name).tags[BYOB_ADDRESS].clone()
}

#[test]
fn a_renamed_bucket_is_one_adopt_step_whose_only_write_is_the_address_tag() {
    let mut scene = Scene::applied(&bucket("a", "a")).with(&bucket("z", "a"));
    let before = scene.world.clone();
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["adopt bucket.z"]);
    let adopt = step(&plan, "bucket.z");
    assert_eq!(adopt.from.as_ref().map(ToString::to_string).as_deref(), Some("bucket.a"));
    assert!(adopt.changes.is_empty());
    assert_eq!(operations(&plan), [Operation::PutBucketTagging]);
    assert!(plan.drift.is_empty());
    let aspects = scene.recorded.resources.len();
    scene.apply();
    scene.assert_settled();
    assert_eq!(scene.recorded.resources.len(), aspects);
    assert!(scene.recorded.resources.keys().all(|a| a.label == "z"));
    assert_eq!(address_tag(&mut scene, "acme-a"), "bucket.z");
    let mut after = scene.world.clone();
    after.bucket("acme-a").tags.clone_from(&before.clone().bucket("acme-a").tags);
    assert_eq!(format!("{after:?}"), format!("{before:?}"), "nothing else is written");
}

#[test]
fn a_renamed_imported_bucket_is_not_written_at_all() {
    let mut scene = Scene::new(&bucket("a", "a"));
    scene.world.make_bucket("acme-a", "us-east-1");
    scene.import("bucket.a");
    scene.apply();
    scene.assert_settled();
    let mut renamed = scene.with(&bucket("z", "a"));
    let plan = renamed.plan();
    assert_eq!((steps(&plan), operations(&plan)), (vec!["adopt bucket.z".to_owned()], vec![]));
    renamed.apply();
    renamed.assert_settled();
}

#[test]
fn a_renamed_bucket_whose_tags_are_left_alone_is_not_written() {
    let left = |label: &str| format!("{}unmanaged = [\"tags\"]\n", bucket(label, "a"));
    let mut scene = Scene::applied(&left("a")).with(&left("z"));
    let plan = scene.plan();
    assert_eq!((steps(&plan), operations(&plan)), (vec!["adopt bucket.z".to_owned()], vec![]));
    scene.apply();
    scene.assert_settled();
    // Left alone and renamed in one change.
    let mut both = Scene::applied(&bucket("a", "a")).with(&left("z"));
    both.apply();
    both.assert_settled();
    assert_eq!(recorded(&both), [("bucket.z".to_owned(), "acme-a".to_owned())]);
}

#[test]
fn a_renaming_and_a_change_are_both_shown() {
    let mut scene = Scene::applied(&bucket("a", "a"))
        .with(&bucket("z", "a").replace("tls_only = true", "force_destroy = true\ntags = { T = \"x\" }"));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["adopt bucket.z", "update bucket.z.tags", "update bucket.z.policy"]);
    assert_eq!(step(&plan, "bucket.z").changes.len(), 1);
    assert_eq!(step(&plan, "bucket.z.tags").changes.len(), 1);
    assert_eq!(step(&plan, "bucket.z.policy").depends_on, ["bucket.z#1"]);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn a_renamed_key_takes_its_buckets_encryption_along_without_a_step() {
    let mut scene = Scene::applied(&(keyed("a", "a", "k") + &key("k", "wandb")))
        .with(&(keyed("a", "a", "z") + &key("z", "wandb")));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["adopt key.z"]);
    assert_eq!(operations(&plan), [Operation::TagResource]);
    assert!(plan.drift.is_empty());
    scene.apply();
    scene.assert_settled();
    let arn = scene.world.arn("us-east-1", "wandb");
    assert_eq!(scene.world.key(&arn).tags[BYOB_ADDRESS], "key.z");
}

#[test]
fn a_renamed_alias_is_created_before_the_old_one_is_deleted() {
    let scene = Scene::applied(&key("k", "old")).with(&key("k", "new"));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["update key.k.alias"]);
    assert_eq!(operations(&plan), [Operation::CreateAlias, Operation::DeleteAlias]);
    // Died between the two: the old one is still to go, and the new one is not made again.
    let mut died = scene.clone();
    let arn = died.world.arn("us-east-1", "old");
    died.world.aliases.insert(("us-east-1".into(), "alias/new".into()), arn);
    let left = died.plan();
    assert_eq!(operations(&left), [Operation::DeleteAlias]);
    for mut scene in [scene, died] {
        scene.apply();
        scene.assert_settled();
        assert_eq!(scene.world.aliases.len(), 1);
        assert!(scene.world.aliases.contains_key(&("us-east-1".into(), "alias/new".into())));
    }
}

#[test]
fn two_buckets_exchange_their_labels() {
    let scene = Scene::applied(&(bucket("a", "one") + &bucket("b", "two")))
        .with(&(bucket("a", "two") + &bucket("b", "one")));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["adopt bucket.a", "adopt bucket.b"]);
    assert_eq!(operations(&plan), [Operation::PutBucketTagging; 2]);
    // Dead after the first: it goes on where it was, and nothing is lost.
    let mut died = scene.clone();
    died.perform(&plan, 1);
    let approval = died.recorded.approval.clone();
    assert_eq!(standing(&died.plan(), &plan.digest, approval.as_ref()), Standing::Approved);
    let aspects = scene.recorded.resources.len();
    for mut scene in [scene, died] {
        scene.apply();
        scene.assert_settled();
        let expected = [("bucket.a", "acme-two"), ("bucket.b", "acme-one")];
        assert_eq!(recorded(&scene), expected.map(|(a, i)| (a.to_owned(), i.to_owned())));
        assert_eq!(scene.recorded.resources.len(), aspects);
        assert_eq!(address_tag(&mut scene, "acme-one"), "bucket.b");
        assert_eq!(address_tag(&mut scene, "acme-two"), "bucket.a");
    }
}

#[test]
fn labels_go_round_in_a_ring_and_one_of_them_changes_on_the_way() {
    let tables = |a: &str, b: &str, c: &str| bucket("a", a) + &bucket("b", b) + &bucket("c", c);
    let mut scene = Scene::applied(&tables("one", "two", "three"));
    scene.tables = tables("two", "three", "one").replacen("tls_only = true", "tls_only = false", 1);
    let plan = scene.plan();
    assert_eq!(steps(&plan).len(), 4);
    scene.apply();
    scene.assert_settled();
    let expected = [("bucket.a", "acme-two"), ("bucket.b", "acme-three"), ("bucket.c", "acme-one")];
    assert_eq!(recorded(&scene), expected.map(|(a, i)| (a.to_owned(), i.to_owned())));
}

#[test]
fn labels_move_up_and_a_new_bucket_takes_the_free_one() {
    let mut scene = Scene::applied(&(bucket("a", "one") + &bucket("b", "two")));
    scene.tables = bucket("a", "new") + &bucket("b", "one") + &bucket("c", "two");
    let plan = scene.plan();
    assert_eq!(step(&plan, "bucket.a").action, Action::Create);
    assert_eq!(step(&plan, "bucket.a").depends_on, ["bucket.b#1"]);
    assert_eq!(step(&plan, "bucket.b").depends_on, ["bucket.c#1"]);
    scene.apply();
    scene.assert_settled();
    let expected = [("bucket.a", "acme-new"), ("bucket.b", "acme-one"), ("bucket.c", "acme-two")];
    assert_eq!(recorded(&scene), expected.map(|(a, i)| (a.to_owned(), i.to_owned())));
}

#[test]
fn two_keys_exchange_their_labels_under_the_buckets_on_them() {
    let tables = |k: &str, l: &str, first: &str, second: &str| {
        keyed("a", "a", first) + &keyed("b", "b", second) + &key("k", k) + &key("l", l)
    };
    let mut scene = Scene::applied(&tables("one", "two", "k", "l")).with(&tables("two", "one", "l", "k"));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["adopt key.k", "adopt key.l"]);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn a_key_whose_alias_another_table_takes_is_not_claimed_twice() {
    // `one` goes to the table l; the table k asks for an alias that nobody has: a new key, and the old `two` is left
    // without a table.
    let scene = Scene::applied(&(key("k", "one") + &key("l", "two")));
    let moved = scene.with(&(key("l", "one") + &key("k", "three")));
    let plan = moved.plan();
    assert!(plan.blocked(), "the key with the alias `two` has no table and its label is taken");
    let mut ids: Vec<&String> = plan.steps.iter().map(|s| &s.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), plan.steps.len());

    let mut alone = Scene::applied(&key("k", "one"));
    alone.tables = key("l", "one") + &key("k", "new");
    let plan = alone.plan();
    assert_eq!(step(&plan, "key.l").action, Action::Adopt);
    assert_eq!(step(&plan, "key.k").action, Action::Create);
    alone.apply();
    alone.assert_settled();
    assert_eq!(alone.world.keys.len(), 2);
}
