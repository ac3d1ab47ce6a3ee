//! `--target`, `--recreate` and destroying: what selects a part of a plan.

use byob_plan::{Action, Rule};

use crate::scene::{Scene, assert_refused, drifted, step, steps};
use crate::world::strange_key;

const TABLES: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                      [bucket.b]\nname = \"acme-b\"\nprotect = false\nlogging = { target_bucket = \"bucket.c\" }\n\
                      [bucket.c]\nname = \"acme-c\"\nprotect = false\n\
                      [key.k]\nalias = \"k\"\nprotect = false\n";

fn targeting(scene: &Scene, targets: &[&str]) -> Scene {
    let mut scene = scene.clone();
    scene.mode.target = targets.iter().map(|&t| t.to_owned()).collect();
    scene
}

#[test]
fn a_target_brings_what_its_steps_depend_on_and_nothing_else() {
    let scene = Scene::new(TABLES);
    let plan = targeting(&scene, &["bucket.a.encryption"]).plan();
    let expected = [
        "create key.k",
        "create key.k.policy",
        "create bucket.a",
        "create bucket.a.tags",
        "create bucket.a.encryption",
    ];
    assert_eq!(steps(&plan), expected);
    let plan = targeting(&scene, &["bucket.b.logging"]).plan();
    // The log target's policy lets the logs in, and has its own before it.
    let expected = [
        "create bucket.b",
        "create bucket.b.tags",
        "create bucket.c",
        "create bucket.c.tags",
        "create bucket.c.public_access_block",
        "create bucket.c.ownership",
        "create bucket.c.policy",
        "create bucket.b.logging",
    ];
    assert_eq!(steps(&plan), expected);
    let mut one = targeting(&scene, &["bucket.c"]);
    let plan = one.plan();
    assert!(plan.steps.iter().all(|s| s.address.label == "c"));
    one.apply();
    assert!(one.recorded.resources.keys().all(|a| a.label == "c"), "only what was targeted is recorded");
    one.apply();
    one.assert_settled();
}

#[test]
fn a_target_shows_only_its_own_drift() {
    let mut scene = Scene::applied(TABLES);
    scene.world.bucket("acme-a").cors.clear();
    scene.world.bucket("acme-c").cors.clear();
    let plan = targeting(&scene, &["bucket.c"]).plan();
    assert_eq!(
        (drifted(&plan), steps(&plan)),
        (vec!["bucket.c.cors".into()], vec!["create bucket.c.cors".into()])
    );
    assert_eq!(plan.summary.drifted, 1);
}

#[test]
fn a_target_whose_key_is_refused_is_refused_too() {
    let mut scene = Scene::new(TABLES);
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.world.aliases.insert(("us-east-1".into(), "alias/k".into()), arn);
    let plan = targeting(&scene, &["bucket.a"]).plan();
    assert!(plan.blocked(), "its encryption could not be put: {:?}", steps(&plan));
    assert_refused(&plan, Rule::AliasTaken, "key.k.alias");
    // Another bucket does not need that key.
    assert!(!targeting(&scene, &["bucket.c"]).plan().blocked());

    let mut scene = Scene::new(TABLES);
    scene.world.make_bucket("acme-c", "us-east-1");
    assert!(targeting(&scene, &["bucket.b"]).plan().blocked(), "its logs would go to a stranger's bucket");
}

#[test]
fn a_target_that_does_not_exist_is_an_error_and_one_that_is_refused_is_not_called_missing() {
    let scene = Scene::applied(TABLES);
    let plan = targeting(&scene, &["bucket.nobody"]).plan();
    assert_refused(&plan, Rule::NoSuchTarget, "bucket.nobody");
    let mut scene = Scene::new(TABLES);
    scene.world.make_bucket("acme-c", "us-east-1");
    let plan = targeting(&scene, &["bucket.c"]).plan();
    let rules: Vec<Rule> = plan.findings.iter().map(|f| f.rule).collect();
    assert_eq!(rules, [Rule::NotOurs]);
}

#[test]
fn a_vanished_root_is_made_again_only_when_it_is_named() {
    let mut scene = Scene::applied(TABLES);
    let ours = |scene: &Scene| scene.recorded.resources.keys().cloned().collect::<Vec<_>>();
    let all = ours(&scene);
    scene.world.buckets.remove("acme-a");
    assert_refused(&scene.plan(), Rule::Vanished, "bucket.a");
    scene.mode.recreate.insert("bucket.a".into());
    let plan = scene.plan();
    assert!(
        plan.steps.iter().all(|s| s.action == Action::Create && s.address.label == "a"),
        "{:?}",
        steps(&plan)
    );
    assert!(plan.drift.is_empty());
    assert_ne!(plan.digest, {
        scene.mode.recreate.insert("bucket.b".into());
        let plan = scene.plan();
        assert_refused(&plan, Rule::NoSuchTarget, "bucket.b");
        plan.digest
    });
    scene.mode.recreate.remove("bucket.b");
    scene.apply();
    scene.assert_settled();
    assert_eq!(ours(&scene), all);
}

#[test]
fn a_key_that_is_made_again_is_put_under_its_buckets() {
    let mut scene = Scene::applied(TABLES);
    let old = scene.world.arn("us-east-1", "k");
    scene.world.keys.clear();
    scene.world.aliases.clear();
    assert_refused(&scene.plan(), Rule::Vanished, "key.k");
    scene.mode.recreate.insert("key.k".into());
    let plan = scene.plan();
    let encryption = step(&plan, "bucket.a.encryption");
    assert!(encryption.changes.iter().any(|c| c.unknown == Some(true) && c.after.is_null()));
    assert_eq!(encryption.depends_on, ["key.k#1", "key.k.policy#1"]);
    scene.apply();
    scene.assert_settled();
    let new = scene.world.arn("us-east-1", "k");
    assert_ne!(new, old);
    assert_eq!(scene.at("bucket.a").keys_used, [old, new].into());
}

#[test]
fn an_imported_bucket_that_is_made_again_settles() {
    let mut scene = Scene::new("[bucket.a]\nname = \"acme-a\"\ntags = { T = \"x\" }\n");
    scene.world.make_bucket("acme-a", "us-east-1");
    scene.import("bucket.a");
    scene.apply();
    scene.assert_settled();
    scene.world.buckets.clear();
    scene.mode.recreate.insert("bucket.a".into());
    scene.apply();
    scene.assert_settled();
}

#[test]
fn destroying_wants_nothing_and_asks_protection() {
    let mut scene = Scene::applied(TABLES);
    scene.mode.destroy = true;
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["delete bucket.a", "delete bucket.b", "delete bucket.c", "delete key.k"]);
    assert_eq!(step(&plan, "key.k").depends_on, ["bucket.a#1"]);
    assert_eq!(plan.summary.unchanged, 0);
    scene.apply();
    assert!(scene.world.buckets.is_empty() && scene.recorded.resources.is_empty());
    scene.mode.destroy = true;
    assert_eq!(steps(&scene.plan()), Vec::<String>::new());

    let mut kept = Scene::applied(&TABLES.replacen("protect = false\n", "", 1));
    kept.mode.destroy = true;
    assert_refused(&kept.plan(), Rule::Protected, "bucket.a");
    assert_refused(&kept.plan(), Rule::KeyInUse, "key.k");
}

#[test]
fn a_hundred_and_first_bucket_shows_its_own_steps_and_nothing_else() {
    let table = |i: usize| {
        let encryption =
            if i.is_multiple_of(10) { "encryption = { type = \"sse-kms\", key = \"key.k\" }\n" } else { "" };
        format!("[bucket.b{i:03}]\nname = \"acme-{i:03}\"\n{encryption}")
    };
    let tables = |n: usize| (0..n).map(table).collect::<String>() + "[key.k]\nalias = \"k\"\n";
    let mut scene = Scene::applied(&tables(100));
    scene.assert_settled();
    for added in [101, 102] {
        scene.tables = tables(added);
        let plan = scene.plan();
        let label = format!("b{:03}", added - 1);
        assert!(!plan.steps.is_empty());
        assert!(plan.steps.iter().all(|s| s.address.label == label), "{:?}", steps(&plan));
        assert!(plan.steps.iter().flat_map(|s| &s.changes).all(|c| c.unknown != Some(true)));
        scene.apply();
        scene.assert_settled();
    }
}

#[test]
fn a_new_key_makes_no_other_buckets_policy_change() {
    let mut scene = Scene::applied("[bucket.a]\nname = \"acme-a\"\n[bucket.b]\nname = \"acme-b\"\n");
    scene.tables = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                    [bucket.b]\nname = \"acme-b\"\n[key.k]\nalias = \"k\"\n"
        .into();
    let plan = scene.plan();
    let expected = [
        "create key.k",
        "create key.k.policy",
        "create key.k.rotation",
        "create key.k.tags",
        "create key.k.alias",
        "update bucket.a.encryption",
    ];
    let mut found = steps(&plan);
    found.sort();
    let mut sorted = expected.map(str::to_owned).to_vec();
    sorted.sort();
    assert_eq!(found, sorted);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn a_deletion_never_brings_one_that_was_not_named() {
    const ON_KEY: &str = "[bucket.s]\nname = \"acme-s\"\nprotect = false\nencryption = { type = \"sse-kms\", key = \"key.a\" }\n\
                          [key.a]\nalias = \"a\"\nprotect = false\n";
    let mut scene = targeting(&Scene::applied(ON_KEY), &["key.a"]);
    scene.mode.destroy = true;
    let plan = scene.plan();
    assert_refused(&plan, Rule::KeyInUse, "key.a");
    assert_eq!(steps(&plan), Vec::<String>::new());
    let help = &plan.findings.iter().find(|f| f.rule == Rule::KeyInUse).unwrap().help;
    assert!(help.contains("--target bucket.s"), "{help}");

    let mut both = targeting(&scene, &["key.a", "bucket.s"]);
    both.mode.destroy = true;
    assert_eq!(steps(&both.plan()), ["delete bucket.s", "delete key.a"]);
    // The same by taking the tables out.
    let taken_out = targeting(&Scene::applied(ON_KEY).with(""), &["key.a"]);
    assert_refused(&taken_out.plan(), Rule::KeyInUse, "key.a");
}

#[test]
fn what_a_targeted_apply_deleted_is_no_unknown_target_when_it_is_read_back() {
    let mut scene = targeting(&Scene::applied(TABLES), &["bucket.b"]);
    scene.mode.destroy = true;
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["delete bucket.b"]);
    scene.perform(&plan, usize::MAX);
    let again = scene.plan();
    assert_eq!((steps(&again), again.blocked()), (vec![], false), "{:#?}", again.findings);
    // Once that approval is closed it is a target like any other that does not exist.
    scene.recorded.approval.as_mut().unwrap().finished = true;
    assert!(scene.plan().findings.iter().any(|f| f.rule == Rule::NoSuchTarget));
}

#[test]
fn an_aspect_of_a_root_that_goes_as_a_whole_is_no_target() {
    let scene = Scene::applied(TABLES);
    let gone = scene.with(&TABLES.replace(
        "[bucket.b]\nname = \"acme-b\"\nprotect = false\nlogging = { target_bucket = \"bucket.c\" }\n",
        "",
    ));
    for address in ["bucket.b.cors", "bucket.b.logging"] {
        let plan = targeting(&gone, &[address]).plan();
        assert_refused(&plan, Rule::NoSuchTarget, address);
        assert_eq!(steps(&plan), Vec::<String>::new());
    }
}

#[test]
fn a_target_that_lets_w_and_b_in_brings_the_policy_of_the_key() {
    const OUT: &str = "[bucket.a]\nname = \"acme-a\"\nwandb_access = false\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                       [key.k]\nalias = \"k\"\n";
    let plan =
        targeting(&Scene::applied(OUT).with(&OUT.replace("wandb_access = false\n", "")), &["bucket.a"])
            .plan();
    let stepped: Vec<String> = plan.steps.iter().map(|s| s.address.to_string()).collect();
    assert!(stepped.contains(&"key.k.policy".to_owned()), "{stepped:?}");
}

#[test]
fn a_bucket_that_receives_logs_does_not_go_silently() {
    const LOGS: &str = "[bucket.l]\nname = \"acme-l\"\nprotect = false\n";
    const OTHER: &str = "[bucket.a]\nname = \"acme-a\"\n";
    for target in ["acme-l", "bucket.l"] {
        let logging = format!("{OTHER}logging = {{ target_bucket = \"{target}\" }}\n");
        let scene = Scene::applied(&format!("{logging}{LOGS}"));
        let lost = |scene: &Scene| -> Vec<String> {
            let plan = scene.plan();
            assert!(!plan.blocked(), "{:#?}", plan.findings);
            let found = plan.findings.iter().filter(|f| f.rule == Rule::LogsLost);
            found.map(|f| format!("{}: {}", f.address, f.message)).collect()
        };
        assert_eq!(lost(&scene), Vec::<String>::new());
        let said = ["bucket.l: `acme-l` receives the access logs of bucket.a: once it is gone they are lost"];
        // The table is taken out, and logs go on going there.
        if target == "acme-l" {
            assert_eq!(lost(&scene.with(&logging)), said);
        }
        // Or they would not, and that step is not among the targets.
        let without = scene.with(OTHER);
        assert_eq!(lost(&without), Vec::<String>::new());
        assert_eq!(lost(&targeting(&without, &["bucket.l"])), said);
        assert_eq!(lost(&targeting(&without, &["bucket.a", "bucket.l"])), Vec::<String>::new());
        // `destroy` of one, of both, and of what stays although its table goes.
        let mut destroyed = targeting(&scene, &["bucket.l"]);
        destroyed.mode.destroy = true;
        assert_eq!(lost(&destroyed), said);
        let unprotected = scene.tables.replace(OTHER, &format!("{OTHER}protect = false\n"));
        let mut both = Scene::applied(&unprotected);
        both.mode.destroy = true;
        assert_eq!(lost(&both), Vec::<String>::new());
        let forgotten = scene.with("forget = [\"bucket.a\"]\n");
        assert_eq!(lost(&forgotten), said);
    }
}
