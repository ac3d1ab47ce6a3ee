//! Identity goes before address: a table under another label is the same root, and only its record and its
//! `byob:address` tag move.

use std::collections::BTreeSet;

use byob_model::call::Operation;
use byob_model::kind::{BYOB_ADDRESS, BYOB_INTENT};
use byob_model::recorded::Intent;
use byob_plan::approval::{Standing, standing};
use byob_plan::{Action, Rule};

use crate::scene::{Scene, assert_refused, operations, step, steps};

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

/// A run made a key and died before it was recorded; the key carries the run's intent, and has its alias or not yet.
fn interrupted(label: &str, alias: &str, has_alias: bool) -> Scene {
    let mut scene = Scene::applied(&key(label, alias));
    let arn = scene.world.arn("us-east-1", alias);
    let plan = Scene::new(&key(label, alias)).plan();
    let id = uuid::Uuid::from_u128(9);
    scene.recorded.resources.clear();
    scene.recorded.approval = Some(byob_plan::approval::open(&plan));
    scene.recorded.intents = vec![Intent {
        id,
        address: format!("key.{label}").parse().unwrap(),
        account_id: crate::world::ACCOUNT.into(),
        region: "us-east-1".into(),
        name: None,
        at: 0,
        keys_used: BTreeSet::new(),
    }];
    scene.world.key(&arn).tags.insert(BYOB_INTENT.into(), id.to_string());
    if !has_alias {
        scene.world.aliases.clear();
    }
    scene
}

/// Found by the simulation (seed 1000119): the table of a key that an interrupted run had made got another label. The key
/// was taken over for the new label by its alias, and deleted for the old one, in the same plan.
#[test]
fn a_key_of_an_interrupted_run_goes_with_its_alias_to_another_label() {
    for has_alias in [true, false] {
        let mut scene = interrupted("k", "one", has_alias).with(&key("z", "one"));
        let arn = scene.world.keys.keys().next().unwrap().clone();
        let plan = scene.plan();
        assert_eq!(step(&plan, "key.z").action, Action::Adopt, "{:?}", steps(&plan));
        assert_eq!(step(&plan, "key.z").identity.as_ref(), Some(&arn));
        assert!(plan.steps.iter().all(|step| step.action != Action::Delete), "{:?}", steps(&plan));
        scene.apply();
        assert_eq!(recorded(&scene), [("key.z".to_owned(), arn)]);
        assert_eq!(scene.world.keys.len(), 1);
    }
}

#[test]
fn two_keys_of_interrupted_runs_that_exchange_labels_go_with_their_aliases() {
    let mut scene = interrupted("k", "one", true);
    let mut other = interrupted("l", "two", true).recorded.intents.remove(0);
    other.id = uuid::Uuid::from_u128(10);
    let one = scene.world.arn("us-east-1", "one");
    let (mut second, region) = (scene.world.key(&one).clone(), "us-east-1".to_owned());
    second.tags.insert(BYOB_INTENT.into(), other.id.to_string());
    let two = scene.world.make_key(&region, second);
    scene.world.aliases.insert((region, "alias/two".into()), two.clone());
    scene.recorded.intents.push(other);
    scene.tables = key("k", "two") + &key("l", "one");
    let plan = scene.plan();
    assert!(plan.steps.iter().all(|step| step.action != Action::Delete), "{:?}", steps(&plan));
    assert_eq!(step(&plan, "key.k").identity.as_ref(), Some(&two));
    assert_eq!(step(&plan, "key.l").identity.as_ref(), Some(&one));
}

/// A recorded key whose alias the run that made it did not get to.
#[test]
fn a_recorded_key_without_its_alias_goes_to_the_table_of_that_alias() {
    let mut scene = Scene::applied(&key("k", "one")).with(&key("z", "one"));
    scene.recorded.approval = Some(byob_plan::approval::open(&Scene::new(&key("k", "one")).plan()));
    scene.recorded.resources.remove(&"key.k.alias".parse().unwrap());
    scene.world.aliases.clear();
    let plan = scene.plan();
    assert_eq!(step(&plan, "key.z").from.as_ref().map(ToString::to_string).as_deref(), Some("key.k"));
    assert!(!plan.blocked());
}

/// Found by a reader: somebody gave a recorded key a second alias, and a new table asked for that one.
#[test]
fn a_recorded_key_is_not_taken_by_the_table_of_another_alias_of_it() {
    let mut scene = Scene::applied(&key("k", "one"));
    let arn = scene.world.arn("us-east-1", "one");
    scene.world.aliases.insert(("us-east-1".into(), "alias/two".into()), arn.clone());
    scene.tables = key("k", "one") + &key("z", "two");
    let plan = scene.plan();
    assert_refused(&plan, Rule::AliasTaken, "key.z.alias");
    assert!(plan.findings[0].message.contains("key.k") && plan.findings[0].help.contains("key = \"key.k\""));
    assert!(plan.steps.is_empty(), "{:?}", steps(&plan));
}

/// Found by the simulation (seed 1000816): a target moved a bucket to a label at which another one was recorded, which an
/// error kept there: it was not known any more.
#[test]
fn a_target_does_not_move_a_bucket_over_another_one() {
    let mut scene = Scene::applied(&(bucket("a", "one") + &bucket("b", "two") + &bucket("c", "three")));
    scene.tables = bucket("a", "three") + &bucket("c", "two");
    assert!(scene.plan().blocked());
    scene.mode.target = ["bucket.c".to_owned()].into();
    let plan = scene.plan();
    assert_refused(&plan, Rule::CannotChange, "bucket.c");
    assert!(plan.findings[0].message.contains("acme-three"), "{}", plan.findings[0].message);
}

/// Found by the simulation (seed 1007535): the key of an interrupted run was deleted, and the alias that the run had given it
/// was not: as long as the key is pending deletion no other one can have it.
#[test]
fn a_key_that_nothing_claims_leaves_its_alias() {
    let mut scene = interrupted("k", "one", true).with("");
    scene.recorded.approval = None;
    let plan = scene.plan();
    assert_eq!(operations(&plan), [Operation::DeleteAlias, Operation::ScheduleKeyDeletion]);
    scene.apply();
    assert!(scene.world.aliases.is_empty());
    // One that somebody left there is told, with what mends it.
    let arn = scene.world.keys.keys().next().unwrap().clone();
    scene.world.aliases.insert(("us-east-1".into(), "alias/one".into()), arn);
    let taken = scene.with(&key("z", "one")).plan();
    assert_refused(&taken, Rule::AliasTaken, "key.z.alias");
    assert!(taken.findings[0].help.contains("aws kms delete-alias --alias-name alias/one"));
}

/// Found by a reader: a key went to another label while its alias was gone, and another one was made at its old one; wherever
/// that ended, the new key was taken for the old one by the alias that the approval named.
#[test]
fn wherever_a_key_made_way_for_another_the_plan_goes_on() {
    for (at, bucket) in [("key.b", true), ("key.b", false)] {
        let on = |key: &str| if bucket { keyed("s", "s", key) } else { String::new() };
        let mut scene = Scene::applied(&(key("a", "al") + &on("a")));
        let first = scene.world.arn("us-east-1", "al");
        scene.world.aliases.clear();
        scene.tables = key("b", "al") + &key("a", "co") + &on("b");
        let plan = scene.plan();
        assert!(!plan.blocked(), "{:?}", plan.findings);
        for steps in 0..=plan.steps.len() {
            let mut died = scene.clone();
            died.perform(&plan, steps);
            died.apply();
            died.assert_settled();
            let now = recorded(&died);
            assert!(now.contains(&(at.to_owned(), first.clone())), "after {steps}: {now:?}");
            assert_eq!(died.world.keys.len(), 2, "after {steps}");
        }
    }
}
