//! `byob drift`: live against recorded, whatever the configuration says.

use byob_model::kind::{BYOB_LINEAGE, KeyState, PublicAccessBlock};
use byob_plan::access::{AccessVerdict, Answer, drifted};
use byob_plan::{DriftSeverity, drift, wanted};
use byob_policy::Effect;

use crate::scene::Scene;
use crate::world::ACCOUNT;

const TABLES: &str = "[bucket.a]\nname = \"acme-a\"\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                      [key.k]\nalias = \"k\"\n";

#[test]
fn drift_does_not_look_at_the_configuration() {
    let mut scene = Scene::applied(TABLES);
    scene.tables = "[bucket.other]\nname = \"acme-other\"\n".into();
    assert_eq!(scene.drift(), Vec::<String>::new());
    scene.world.bucket("acme-a").block = None;
    assert_eq!(scene.drift(), ["bucket.a.public_access_block"]);
}

#[test]
fn a_vanished_root_is_one_drift_and_its_aspects_are_none() {
    let mut scene = Scene::applied(TABLES);
    scene.world.buckets.clear();
    scene.world.keys.clear();
    scene.world.aliases.clear();
    assert_eq!(scene.drift(), ["bucket.a", "key.k"]);
}

#[test]
fn a_removed_alias_is_drift_and_a_second_one_is_not() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "k");
    let at = |name: &str| ("us-east-1".to_owned(), format!("alias/{name}"));
    scene.world.aliases.insert(at("aaa"), arn);
    assert_eq!(scene.drift(), Vec::<String>::new());
    scene.assert_settled();
    scene.world.aliases.remove(&at("k"));
    assert_eq!(scene.drift(), ["key.k.alias"]);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn a_key_that_somebody_disabled_is_drift_that_breaks_things() {
    let mut scene = Scene::applied(TABLES);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.key(&arn).state = KeyState::Disabled;
    let live = scene.world.read(&wanted(None, &scene.recorded));
    let report = drift::report(&scene.recorded, &live);
    assert_eq!(report.drift.len(), 1);
    assert_eq!(report.drift[0].severity, DriftSeverity::Breakage);
    assert_eq!(report.drift[0].changes[0].path, "/state");
    assert_eq!(report.summary.addresses, scene.recorded.resources.len());
}

#[test]
fn tags_that_are_not_ours_and_proof_are_no_drift() {
    let mut scene = Scene::applied(TABLES);
    let tags = &mut scene.world.bucket("acme-a").tags;
    tags.remove(BYOB_LINEAGE);
    tags.insert("Theirs".into(), "x".into());
    tags.insert("aws:cloudformation:stack-id".into(), "x".into());
    scene.assert_settled();
    scene.world.bucket("acme-a").tags.remove("byob:stack");
    assert_eq!(scene.drift(), ["bucket.a.tags"]);
    scene.apply();
    let tags = &scene.world.bucket("acme-a").tags;
    assert!(tags.contains_key("Theirs") && tags.contains_key(BYOB_LINEAGE));
    assert!(tags.contains_key("aws:cloudformation:stack-id"));
}

/// Which way access went, not only where: so that nobody mutes the job.
#[test]
fn a_policy_that_gives_less_breaks_and_one_that_gives_more_exposes() {
    let mut scene = Scene::applied("[bucket.a]\nname = \"acme-a\"\ntls_only = true\n");
    let severity = |scene: &Scene| {
        let plan = scene.plan();
        let said: Vec<DriftSeverity> = plan.drift.iter().map(|drift| drift.severity).collect();
        said
    };
    let whole = scene.world.bucket("acme-a").policy.clone().unwrap();
    scene.world.bucket("acme-a").policy = None;
    // Without a policy the TLS-only Deny is gone too: this account may come without TLS.
    assert_eq!(severity(&scene), [DriftSeverity::Exposure]);
    let keep = |effect| {
        let mut policy = whole.clone();
        policy.document.statements.retain(|statement| statement.effect == effect);
        Some(policy)
    };
    scene.world.bucket("acme-a").policy = keep(Effect::Deny);
    assert_eq!(severity(&scene), [DriftSeverity::Breakage]);
    scene.world.bucket("acme-a").policy = keep(Effect::Allow);
    assert_eq!(severity(&scene), [DriftSeverity::Exposure]);

    // W&B has what it had, and somebody else less.
    let mut scene =
        Scene::applied("[bucket.a]\nname = \"acme-a\"\nmanagers = [\"arn:aws:iam::123456789012:role/m\"]\n");
    let policy = scene.world.bucket("acme-a").policy.as_mut().unwrap();
    policy.document.statements.retain(|one| one.sid.as_deref() == Some(byob_model::kind::WANDB_SID));
    assert_eq!(severity(&scene), [DriftSeverity::Other]);

    let mut scene = Scene::applied(
        "[bucket.a]\nname = \"acme-a\"\npublic_access_block = { block_public_acls = false, restrict_public_buckets = false }\n",
    );
    let applied = scene.world.bucket("acme-a").block.unwrap();
    scene.world.bucket("acme-a").block = Some(PublicAccessBlock { block_public_acls: true, ..applied });
    assert_eq!(severity(&scene), [DriftSeverity::Other]);
    scene.world.bucket("acme-a").block = Some(PublicAccessBlock { restrict_public_buckets: true, ..applied });
    assert_eq!(severity(&scene), [DriftSeverity::Breakage]);
    scene.world.bucket("acme-a").block = None;
    assert_eq!(severity(&scene), [DriftSeverity::Exposure]);
}

#[test]
fn a_root_that_is_gone_breaks_and_one_that_is_anothers_or_not_seen_exposes() {
    let scene = Scene::applied(TABLES);
    let said = |change: &dyn Fn(&mut Scene)| {
        let mut scene = scene.clone();
        change(&mut scene);
        let live = scene.world.read(&wanted(None, &scene.recorded));
        let report = drift::report(&scene.recorded, &live);
        (report.drift[0].severity, report.drift[0].meaning.clone())
    };
    let (severity, meaning) = said(&|s| s.world.buckets.clear());
    assert!(severity == DriftSeverity::Breakage && meaning.contains("deleted outside byob"), "{meaning}");
    let (severity, meaning) = said(&|s| s.world.bucket("acme-a").forbidden = Some(Some(false)));
    assert!(severity == DriftSeverity::Exposure && meaning.contains("somebody else"), "{meaning}");
    let (severity, meaning) = said(&|s| s.world.bucket("acme-a").forbidden = Some(Some(true)));
    assert!(severity == DriftSeverity::Exposure && meaning.contains("cannot tell"), "{meaning}");
    let (severity, meaning) = said(&|s| s.world.keys.clear());
    assert!(severity == DriftSeverity::Breakage && meaning.contains("unreadable"), "{meaning}");
}

#[test]
fn what_an_unfinished_run_was_to_delete_or_move_is_no_drift() {
    const OPEN: &str =
        "[bucket.a]\nname = \"acme-a\"\nprotect = false\n[key.k]\nalias = \"k\"\nprotect = false\n";
    let mut scene = Scene::applied(OPEN);
    scene.mode.destroy = true;
    let plan = scene.plan();
    scene.perform(&plan, 0);
    scene.world.buckets.clear();
    assert_eq!(scene.drift(), Vec::<String>::new());
    // Once that run is over it is what it looks like.
    scene.recorded.approval.as_mut().unwrap().finished = true;
    assert_eq!(scene.drift(), ["bucket.a"]);
}

#[test]
fn an_alias_that_an_unfinished_run_renamed_is_no_drift() {
    let mut scene = Scene::applied("[key.k]\nalias = \"old\"\n").with("[key.k]\nalias = \"new\"\n");
    let plan = scene.plan();
    scene.perform(&plan, 0);
    // Both calls were made, and the process died before it was recorded.
    let arn = scene.world.aliases.remove(&("us-east-1".into(), "alias/old".into())).unwrap();
    scene.world.aliases.insert(("us-east-1".into(), "alias/new".into()), arn);
    assert_eq!(scene.drift(), Vec::<String>::new());
    scene.recorded.approval.as_mut().unwrap().finished = true;
    assert_eq!(scene.drift(), ["key.k.alias"]);
}

/// Who gains is not known where a key goes that kept some out, and where nobody may look any more.
#[test]
fn access_that_drift_may_have_opened_is_not_told_to_be_no_more_than_recorded() {
    let scene = Scene::applied(TABLES);
    let said = |change: &dyn Fn(&mut Scene)| {
        let mut scene = scene.clone();
        change(&mut scene);
        let report = drift::report(&scene.recorded, &scene.world.read(&wanted(None, &scene.recorded)));
        let (access, verdict) = drifted(&report.ends, ACCOUNT);
        assert!(access.iter().all(|one| one.lost.is_empty()), "{access:?}");
        verdict
    };
    let has = |verdict: &AccessVerdict, words: &str| verdict.not_checked.iter().any(|one| one == words);
    assert_eq!(said(&|_| {}).grows, Answer::No);
    assert_eq!(said(&|s| s.world.bucket("acme-a").tags.clear()).grows, Answer::No);
    let off = said(&|s| s.world.bucket("acme-a").encryption = None);
    assert_eq!(off.grows, Answer::CannotTell);
    assert!(has(&off, "whom the former key kept out of bucket.a"), "{off:?}");
    for listed in [Some(false), Some(true), None] {
        let theirs = said(&|s| s.world.bucket("acme-a").forbidden = Some(listed));
        assert_eq!((theirs.grows, theirs.public), (Answer::CannotTell, Answer::CannotTell), "{theirs:?}");
        assert!(has(&theirs, "policy of bucket.a"), "{theirs:?}");
    }
    let key = said(&|s| {
        let arn = s.world.arn("us-east-1", "k");
        s.world.key(&arn).forbidden = true;
    });
    assert_eq!(key.grows, Answer::CannotTell);
    assert!(has(&key, "policy of key.k"), "{key:?}");
}
