//! Every fault at every write, and a death of the process at every point, in each of a handful of scenarios: the next runs
//! converge, with one key, and nothing lost.

use std::time::Duration;

use byob_apply::ErrorKind;
use byob_model::call::Operation;
use byob_model::kind::KeyRef;

use crate::scene::Scene;
use byob_sim::{Consent, Ended, Fault, Faults, Ran, When};

pub(crate) const PLAIN: &str = "[bucket.storage]\nname = \"acme-storage\"\n";

pub(crate) const KMS: &str = r#"
[bucket.storage]
name = "acme-storage"
[bucket.vision]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
tls_only = true
versioning = "enabled"
abort_incomplete_uploads_after_days = 7
logging = { target_bucket = "bucket.storage", target_prefix = "logs/" }
[key.vision]
alias = "wandb-vision"
"#;

pub(crate) const CHANGED: &str = r#"
[tags]
Team = "ml"
[bucket.storage]
name = "acme-storage"
cors_origins = ["https://acme.example"]
tls_only = true
[bucket.vision]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = false }
versioning = "suspended"
abort_incomplete_uploads_after_days = 9
public_access_block = { block_public_acls = true, ignore_public_acls = true, block_public_policy = true, restrict_public_buckets = false }
[key.vision]
alias = "wandb-seeing"
description = "of Acme"
rotation_days = 400
"#;

pub(crate) const DYING: &str = r#"
[bucket.storage]
name = "acme-storage"
protect = false
[bucket.vision]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
tls_only = true
protect = false
force_destroy = true
[key.vision]
alias = "wandb-vision"
protect = false
"#;

pub(crate) const RENAMED: &str = r#"
[bucket.files]
name = "acme-storage"
[bucket.sight]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.sight", bucket_key = true }
tls_only = true
versioning = "enabled"
abort_incomplete_uploads_after_days = 7
logging = { target_bucket = "bucket.files", target_prefix = "logs/" }
[key.sight]
alias = "wandb-vision"
"#;

pub(crate) const SWITCHED: &str = r#"
[bucket.storage]
name = "acme-storage"
[bucket.vision]
name = "acme-vision"
encryption = "sse-s3"
tls_only = true
versioning = "enabled"
abort_incomplete_uploads_after_days = 7
logging = { target_bucket = "bucket.storage", target_prefix = "logs/" }
[key.vision]
alias = "wandb-vision"
"#;

/// Of the policies of bucket and key each loosens and tightens on the way to [`TURNED`].
const SHARED: &str = r#"
[bucket.vision]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
extra_statements = [{ Sid = "Read", Effect = "Allow", Principal = { AWS = "arn:aws:iam::444455556666:root" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-vision/*" }]
[key.vision]
alias = "wandb-vision"
managers = ["arn:aws:iam::123456789012:role/First"]
"#;

const TURNED: &str = r#"
[bucket.vision]
name = "acme-vision"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
public_access_block = { restrict_public_buckets = false }
extra_statements = [{ Sid = "Read", Effect = "Allow", Principal = { AWS = "arn:aws:iam::777788889999:root" }, Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-vision/*" }]
[key.vision]
alias = "wandb-vision"
managers = ["arn:aws:iam::123456789012:role/Second"]
"#;

const EUROPE: &str = r#"
[bucket.vision]
name = "acme-vision"
region = "eu-west-1"
encryption = { type = "sse-kms", key = "key.vision", bucket_key = true }
[key.vision]
alias = "wandb-vision"
"#;

type Make = fn() -> Scene;

fn scenarios() -> Vec<(&'static str, Make)> {
    vec![
        ("first apply, SSE-S3", || Scene::new(PLAIN)),
        ("first apply, SSE-KMS", || Scene::new(KMS)),
        ("first apply in Europe", || Scene::new(EUROPE)),
        ("update of everything", || Scene::applied(&[KMS]).with(CHANGED)),
        ("two phases", || Scene::applied(&[SHARED]).with(TURNED)),
        ("destroy", || {
            let mut scene = Scene::applied(&[DYING]);
            scene.world.by_hand(|account| account.bucket("acme-vision").objects = 3);
            scene.mode.destroy = true;
            scene
        }),
        ("rename", || Scene::applied(&[KMS]).with(RENAMED)),
        ("from a key to SSE-S3", || Scene::applied(&[KMS]).with(SWITCHED)),
        ("repair of a key that is dying", || {
            let scene = Scene::applied(&[KMS]);
            scene.world.by_hand(|account| {
                let (arn, key) = account.key();
                key.state = byob_model::kind::KeyState::PendingDeletion;
                let arn = arn.clone();
                account.aliases.retain(|_, of| *of != arn);
            });
            scene
        }),
    ]
}

fn consented<'a>(scene: &'a Scene, digest: Option<&String>) -> byob_sim::Command<'a> {
    let mut command = scene.command();
    if let Some(digest) = digest {
        command.consent = Consent::Digest(digest.clone());
    }
    command
}

fn keys_used(scene: &Scene) -> bool {
    let recorded = scene.recorded();
    recorded.roots().any(|(_, r)| !r.keys_used.is_empty())
}

#[test]
fn without_faults_every_scenario_converges_in_one_run() {
    for (name, make) in scenarios() {
        let scene = make();
        let ended = scene.apply();
        assert!(matches!(ended, Ended::Converged(_)), "{name}: {ended:?}");
        if name == "two phases" {
            let order = [
                Operation::PutKeyPolicy,
                Operation::PutBucketPolicy,
                Operation::PutKeyPolicy,
                Operation::PutPublicAccessBlock,
                Operation::PutBucketPolicy,
            ];
            assert_eq!(scene.world.writes(), order);
        }
        scene.world.time.pass(Duration::from_secs(3600));
        scene.assert_settled(name);
        if name == "from a key to SSE-S3" {
            assert!(keys_used(&scene), "the key that objects are encrypted under is forgotten");
        }
    }
}

#[test]
fn any_write_may_fail_or_lose_its_answer_once() {
    let kinds = [
        ErrorKind::Network,
        ErrorKind::Conflict,
        ErrorKind::Throttled,
        ErrorKind::Internal,
        ErrorKind::AccessDenied,
        ErrorKind::ExpiredCredentials,
    ];
    for (name, make) in scenarios() {
        let quiet = make();
        quiet.apply();
        let writes = quiet.world.writes().len();
        for number in 1..=writes {
            for kind in kinds {
                for effect in [false, true] {
                    if effect && !matches!(kind, ErrorKind::Network | ErrorKind::Internal) {
                        continue;
                    }
                    let why = format!("{name}: write {number} of {writes}, {kind:?}, effect: {effect}");
                    let scene = make();
                    let fault = Fault { when: When::Write(number), kind, effect, times: 1 };
                    *scene.world.faults() = Faults { writes: vec![fault], ..Faults::default() };
                    let ended = scene.apply();
                    let passing = !matches!(kind, ErrorKind::AccessDenied | ErrorKind::ExpiredCredentials);
                    // A key that cannot be made for certain is not made a second time in the same run.
                    let created = name.starts_with("first") && !effect;
                    if passing && !created {
                        assert!(matches!(ended, Ended::Converged(_)), "{why}: {ended:?}");
                    }
                    scene.assert_sound(&why);
                    scene.assert_converges(&why);
                }
            }
        }
    }
}

/// Runs a scenario to its death at every point, with and without an approved digest.
fn die_everywhere(name: &str, make: Make, faults: &Faults, approve: bool, every: usize) -> usize {
    for point in (1..3000).step_by(every) {
        let why = format!("{name}: dies at point {point}, approved: {approve}, {faults:?}");
        let scene = make();
        let digest = approve.then(|| scene.digest());
        *scene.world.faults() = Faults { crash: Some(point), ..faults.clone() };
        let command = consented(&scene, digest.as_ref());
        let died = matches!(scene.run(&command), Ran::Crashed);
        drop(command);
        scene.world.faults().crash = None;
        scene.assert_sound(&why);
        if approve {
            let again = consented(&scene, digest.as_ref());
            let ended = scene.run(&again).ended();
            assert_eq!(ended.code(), 0, "{why}: {ended:?}");
            drop(again);
            scene.world.time.pass(Duration::from_secs(3600));
            let third = consented(&scene, digest.as_ref());
            let ended = scene.run(&third).ended();
            assert_eq!(ended.code(), 0, "{why}: {ended:?}");
        }
        scene.assert_converges(&why);
        if name == "from a key to SSE-S3" {
            assert!(keys_used(&scene), "{why}: the key that objects are encrypted under is forgotten");
        }
        if !died {
            return point - 1;
        }
    }
    panic!("{name} never ends");
}

#[test]
fn a_process_may_die_anywhere() {
    for (name, make) in scenarios() {
        let points = die_everywhere(name, make, &Faults::default(), false, 1);
        println!("{name}: {points} points");
    }
}

#[test]
fn an_approved_run_may_die_anywhere_and_is_resumed() {
    for (name, make) in scenarios() {
        die_everywhere(name, make, &Faults::default(), true, 2);
    }
}

#[test]
fn a_process_may_die_anywhere_while_reads_are_stale_and_news_is_late() {
    let faults = Faults {
        stale: Duration::from_secs(20),
        listed_after: Duration::from_secs(90),
        late: Duration::from_secs(15),
        ..Faults::default()
    };
    for (name, make) in scenarios() {
        for approve in [false, true] {
            die_everywhere(name, make, &faults, approve, 5);
        }
    }
}

#[test]
fn the_key_a_bucket_used_when_its_run_died_is_remembered_although_the_file_changed_since() {
    for point in 1..3000 {
        let scene = Scene::new(KMS);
        scene.world.faults().crash = Some(point);
        let died = matches!(scene.run(&scene.command()), Ran::Crashed);
        *scene.world.faults() = Faults::default();
        let live =
            scene.world.account().buckets.get("acme-vision").and_then(|b| b.encryption.kms_key.clone());
        let scene = scene.with(SWITCHED);
        let ended = scene.apply();
        assert_eq!(ended.code(), 0, "{point}: {ended:?}");
        if let Some(KeyRef::Arn(arn)) = live {
            let recorded = scene.recorded();
            assert!(recorded.roots().any(|(_, r)| r.keys_used.contains(&arn)), "dies at point {point}");
        }
        if !died {
            break;
        }
    }
}
