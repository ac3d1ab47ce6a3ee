//! Both tables of the design's three-way comparison, every row: what stands in the configuration (D), in the record (R)
//! and in AWS (L), and what the plan says.

use byob_model::address::Address;
use byob_model::kind::{
    Algorithm, BYOB_INTENT, BYOB_LINEAGE, KeyRef, KeyState, PublicAccessBlock, Rotation, VersioningStatus,
};
use byob_model::recorded::Intent;
use byob_plan::{Action, Rule};
use byob_policy::{Document, Effect};
use std::collections::BTreeSet;
use uuid::Uuid;

use crate::scene::{LINEAGE, OTHER_LINEAGE, Scene, assert_refused, drifted, impossible, steps};
use crate::world::{ACCOUNT, World, new_key, strange_key};

const FOREIGN_KEY: &str = "arn:aws:kms:us-east-1:999999999999:key/0000-9999";

// ---------------------------------------------------------------------------------------------------------------------
// Aspects
// ---------------------------------------------------------------------------------------------------------------------

/// Who stands behind a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Origin {
    Created,
    Imported,
    Reference,
}

/// What taking an aspect out comes to (design §5, "taken out").
#[derive(Debug, Clone, Copy, PartialEq)]
enum TakenOut {
    Deleted,
    Forgotten,
    Refused,
}

/// An aspect with its values: `x` is what D asks for, `r` an earlier configuration, `y` what somebody else made.
struct Subject {
    address: &'static str,
    origin: Origin,
    x: &'static str,
    r: &'static str,
    /// The configuration that says nothing about it, and what that means; `None` where it is always managed.
    none: Option<(&'static str, TakenOut)>,
    y: fn(&mut World),
    /// Where AWS can have none.
    absent: Option<fn(&mut World)>,
}

fn subjects() -> Vec<Subject> {
    use Origin::{Created, Imported, Reference};
    vec![
        Subject {
            address: "bucket.a.public_access_block",
            origin: Created,
            x: "",
            r: "public_access_block = false",
            none: Some(("unmanaged = [\"public_access_block\"]", TakenOut::Forgotten)),
            y: |w| {
                w.bucket("acme-a").block =
                    Some(PublicAccessBlock { block_public_acls: false, ..PublicAccessBlock::ALL });
            },
            absent: Some(|w| w.bucket("acme-a").block = None),
        },
        Subject {
            address: "bucket.a.public_access_block",
            origin: Reference,
            x: "public_access_block = true",
            r: "public_access_block = false",
            none: Some(("", TakenOut::Forgotten)),
            y: |w| {
                w.bucket("acme-a").block =
                    Some(PublicAccessBlock { block_public_acls: false, ..PublicAccessBlock::ALL });
            },
            absent: Some(|w| w.bucket("acme-a").block = None),
        },
        Subject {
            address: "bucket.a.ownership",
            origin: Created,
            x: "",
            r: "object_ownership = \"BucketOwnerPreferred\"",
            none: Some(("unmanaged = [\"ownership\"]", TakenOut::Forgotten)),
            y: |w| w.bucket("acme-a").ownership = Some("ObjectWriter".into()),
            absent: Some(|w| w.bucket("acme-a").ownership = None),
        },
        Subject {
            address: "bucket.a.policy",
            origin: Created,
            x: "tls_only = true",
            r: "",
            none: Some(("unmanaged = [\"policy\"]", TakenOut::Forgotten)),
            y: |w| foreign_statement(w.bucket("acme-a").policy.as_mut().map(|p| &mut p.document).unwrap()),
            absent: Some(|w| w.bucket("acme-a").policy = None),
        },
        Subject {
            address: "bucket.a.cors",
            origin: Created,
            x: "cors_origins = [\"https://x.example\"]",
            r: "",
            none: Some(("unmanaged = [\"cors\"]", TakenOut::Forgotten)),
            y: |w| w.bucket("acme-a").cors[0].max_age_seconds = 1,
            absent: Some(|w| w.bucket("acme-a").cors.clear()),
        },
        Subject {
            address: "bucket.a.tags",
            origin: Created,
            x: "tags = { T = \"x\" }",
            r: "tags = { T = \"r\" }",
            none: Some(("unmanaged = [\"tags\"]", TakenOut::Forgotten)),
            y: |w| w.bucket("acme-a").tags.extend([("T".into(), "y".into())]),
            absent: Some(|w| w.bucket("acme-a").tags.clear()),
        },
        Subject {
            address: "bucket.a.tags",
            origin: Imported,
            x: "tags = { T = \"x\" }",
            r: "tags = { T = \"r\" }",
            none: Some(("", TakenOut::Deleted)),
            y: |w| w.bucket("acme-a").tags.extend([("T".into(), "y".into())]),
            absent: Some(|w| w.bucket("acme-a").tags.clear()),
        },
        Subject {
            address: "bucket.a.encryption",
            origin: Created,
            x: "encryption = { type = \"sse-kms\", key = \"arn:aws:kms:us-east-1:999999999999:key/0000-9999\" }",
            r: "",
            none: Some(("unmanaged = [\"encryption\"]", TakenOut::Forgotten)),
            y: |w| {
                let encryption = w.bucket("acme-a").encryption.as_mut().unwrap();
                encryption.algorithm = Algorithm::KmsDsse;
                encryption.bucket_key = false;
                encryption.kms_key = Some(KeyRef::Arn(FOREIGN_KEY.into()));
            },
            absent: Some(|w| w.bucket("acme-a").encryption = None),
        },
        Subject {
            address: "bucket.a.lifecycle",
            origin: Created,
            x: "abort_incomplete_uploads_after_days = 7",
            r: "abort_incomplete_uploads_after_days = 3",
            none: Some(("unmanaged = [\"lifecycle\"]", TakenOut::Forgotten)),
            y: |w| w.bucket("acme-a").lifecycle[0].abort_incomplete_multipart_upload_days = Some(5),
            absent: Some(|w| w.bucket("acme-a").lifecycle.clear()),
        },
        Subject {
            address: "bucket.a.lifecycle",
            origin: Imported,
            x: "abort_incomplete_uploads_after_days = 7",
            r: "abort_incomplete_uploads_after_days = 3",
            none: Some(("", TakenOut::Deleted)),
            y: |w| w.bucket("acme-a").lifecycle[0].abort_incomplete_multipart_upload_days = Some(5),
            absent: Some(|w| w.bucket("acme-a").lifecycle.clear()),
        },
        Subject {
            address: "bucket.a.logging",
            origin: Created,
            x: "logging = { target_bucket = \"acme-logs\", target_prefix = \"x/\" }",
            r: "logging = { target_bucket = \"acme-logs\", target_prefix = \"r/\" }",
            none: Some(("", TakenOut::Deleted)),
            y: |w| w.bucket("acme-a").logging.as_mut().unwrap().target_prefix = "y/".into(),
            absent: Some(|w| w.bucket("acme-a").logging = None),
        },
        Subject {
            address: "bucket.a.versioning",
            origin: Created,
            x: "versioning = \"suspended\"",
            r: "versioning = \"enabled\"",
            none: Some(("", TakenOut::Refused)),
            y: |w| w.bucket("acme-a").versioning = None,
            absent: None,
        },
        Subject {
            address: "bucket.a.object_lock",
            origin: Created,
            x: "versioning = \"enabled\"\nobject_lock = { mode = \"governance\", days = 7 }",
            r: "versioning = \"enabled\"\nobject_lock = { mode = \"governance\", days = 3 }",
            none: Some(("versioning = \"enabled\"", TakenOut::Refused)),
            y: |w| w.bucket("acme-a").lock.as_mut().unwrap().days = Some(5),
            absent: None,
        },
        Subject {
            address: "key.k.policy",
            origin: Created,
            x: "managers = [\"arn:aws:iam::123456789012:role/Keys\"]",
            r: "",
            none: None,
            y: |w| foreign_statement(&mut key(w).policy.document),
            absent: None,
        },
        Subject {
            address: "key.k.rotation",
            origin: Created,
            x: "rotation_days = 180",
            r: "rotation_days = 90",
            none: None,
            y: |w| key(w).rotation.period_days = Some(365),
            absent: Some(|w| key(w).rotation = Rotation { enabled: false, period_days: None }),
        },
        Subject {
            address: "key.k.tags",
            origin: Created,
            x: "tags = { T = \"x\" }",
            r: "tags = { T = \"r\" }",
            none: None,
            y: |w| key(w).tags.extend([("T".into(), "y".into())]),
            absent: Some(|w| key(w).tags.clear()),
        },
    ]
}

fn key(world: &mut World) -> &mut crate::world::Key {
    world.keys.values_mut().find(|key| key.description != "somebody's").unwrap()
}

fn foreign_statement(document: &mut Document) {
    let mut statement = document.statements[0].clone();
    statement.sid = Some("Somebody".into());
    statement.effect = Effect::Deny;
    document.statements.push(statement);
}

impl Subject {
    fn tables(&self, lines: &str) -> String {
        let reference = if self.origin == Origin::Reference { "purpose = \"reference\"\n" } else { "" };
        if self.address.starts_with("key") {
            return format!("[bucket.a]\nname = \"acme-a\"\n[key.k]\nalias = \"k\"\n{lines}\n");
        }
        format!("[bucket.a]\nname = \"acme-a\"\n{reference}{lines}\n")
    }

    /// Applied with this configuration.
    fn scene(&self, lines: &str) -> Scene {
        let mut scene = Scene::new(&self.tables(lines));
        scene.world.make_bucket("acme-logs", "us-east-1");
        scene.world.keys.insert(FOREIGN_KEY.into(), strange_key());
        if self.origin != Origin::Created {
            let bucket = scene.world.make_bucket("acme-a", "us-east-1");
            bucket.tags.insert("Theirs".into(), "kept".into());
            scene.import("bucket.a");
        }
        scene.apply();
        scene
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    X,
    R,
    Y,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    Already,
    Update,
    /// Create: AWS has none.
    Make,
    Remove,
    Forget,
}

#[test]
fn every_row_of_the_table_of_aspects_for_every_kind() {
    use Side::{None as N, R, X, Y};
    // (D, R, L) → what is to be done, and whether drift is shown.
    let rows = [
        ((X, X, X), Says::Nothing, false),
        ((X, R, X), Says::Already, false),
        ((X, N, X), Says::Already, false),
        ((X, X, Y), Says::Update, true),
        ((X, X, R), Says::Update, true),
        ((X, R, R), Says::Update, false),
        ((X, R, Y), Says::Update, true),
        ((X, X, N), Says::Make, true),
        ((X, R, N), Says::Make, true),
        ((X, N, Y), Says::Update, false),
        ((X, N, N), Says::Make, false),
        ((N, R, R), Says::Remove, false),
        ((N, R, Y), Says::Remove, true),
        ((N, R, N), Says::Forget, false),
        ((N, N, Y), Says::Nothing, false),
        ((N, N, N), Says::Nothing, false),
    ];
    for subject in subjects() {
        let address: Address = subject.address.parse().unwrap();
        let (x, r) = (subject.scene(subject.x), subject.scene(subject.r));
        for ((d, recorded, l), says, drift) in rows {
            let what = format!("{} {:?}: D {d:?}, R {recorded:?}, L {l:?}", subject.address, subject.origin);
            let lines = match (d, subject.none) {
                (X, _) => subject.x,
                (_, Some((lines, _))) => lines,
                (_, None) => continue,
            };
            let mut scene = if recorded == R { r.clone() } else { x.clone() };
            scene.tables = subject.tables(lines);
            if recorded == N {
                scene.recorded.resources.remove(&address);
            }
            scene.world = if l == R { r.world.clone() } else { x.world.clone() };
            match (l, subject.absent) {
                (Y, _) => (subject.y)(&mut scene.world),
                (N, Some(absent)) => absent(&mut scene.world),
                (N, None) => continue,
                _ => {}
            }
            check(&subject, &scene, &what, d, says, drift);
        }
    }
}

fn check(subject: &Subject, scene: &Scene, what: &str, d: Side, says: Says, drift: bool) {
    let address: Address = subject.address.parse().unwrap();
    let taken_out = subject.none.map(|(_, meaning)| meaning);
    let plan = scene.plan();
    let found: Vec<Action> = plan.steps.iter().filter(|s| s.address == address).map(|s| s.action).collect();
    let expected = match (says, taken_out) {
        (Says::Nothing | Says::Already, _) => vec![],
        (Says::Make, _) => vec![Action::Create],
        (Says::Update, _) => vec![Action::Update],
        (Says::Remove, Some(TakenOut::Deleted)) => vec![Action::Delete],
        (Says::Remove, Some(TakenOut::Refused)) => vec![],
        (Says::Forget | Says::Remove, _) => vec![Action::Forget],
    };
    assert_eq!(found, expected, "{what}: {:?}", steps(&plan));
    assert_eq!(plan.steps.len(), expected.len(), "{what}: {:?}", steps(&plan));
    let shown: Vec<String> = if drift { vec![address.to_string()] } else { vec![] };
    assert_eq!(drifted(&plan), shown, "{what}");
    assert_eq!(plan.summary.drifted, shown.len(), "{what}");
    let already: Vec<&Address> = plan.already.iter().collect();
    assert_eq!(already.contains(&&address), says == Says::Already, "{what}: {already:?}");
    if says == Says::Remove && taken_out == Some(TakenOut::Refused) {
        assert_refused(&plan, Rule::CannotTakeOut, subject.address);
        return;
    }
    assert!(!impossible(&plan), "{what}: {:?}", plan.findings);
    for step in &plan.steps {
        assert_eq!(step.calls.is_empty(), step.action == Action::Forget, "{what}: {:?}", step.calls);
    }
    let theirs = scene.world.clone().bucket("acme-a").tags.get("Theirs").cloned();
    let mut scene = scene.clone();
    scene.apply();
    scene.assert_settled();
    assert_eq!(scene.recorded.resources.contains_key(&address), d == Side::X, "{what}");
    assert_eq!(scene.world.bucket("acme-a").tags.get("Theirs").cloned(), theirs, "{what}");
    if d == Side::X {
        let (now, x) = (scene.recorded.resources[&address].clone(), subject.scene(subject.x).recorded);
        assert_eq!(now.attributes, x.resources[&address].attributes, "{what}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Roots
// ---------------------------------------------------------------------------------------------------------------------

struct Row {
    what: &'static str,
    /// Whether the table stands in the configuration.
    desired: bool,
    /// Whether it was applied before.
    recorded: bool,
    change: fn(&mut Scene),
    says: Root,
}

enum Root {
    Nothing,
    /// The root's one step and its drift.
    Step(Action),
    Refused(Rule),
}

const BUCKET: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n";
const KEY: &str = "[key.k]\nalias = \"k\"\nprotect = false\n";
const INTENT: Uuid = Uuid::from_u128(7);

fn intent(scene: &mut Scene, address: &str, name: Option<&str>) {
    scene.recorded.lineage = Some(LINEAGE);
    scene.recorded.intents.push(Intent {
        id: INTENT,
        address: address.parse().unwrap(),
        account_id: ACCOUNT.into(),
        region: "us-east-1".into(),
        name: name.map(str::to_owned),
        at: 0,
        keys_used: BTreeSet::new(),
    });
}

/// A bucket of that name, made by somebody.
fn exists(scene: &mut Scene) -> &mut crate::world::Bucket {
    scene.world.make_bucket("acme-a", "us-east-1")
}

fn rows_of_a_bucket() -> Vec<Row> {
    use Root::{Nothing, Refused, Step};
    let row = |what, desired, recorded, change, says| Row { what, desired, recorded, change, says };
    vec![
        row("not there", true, false, |_| {}, Step(Action::Create)),
        row("a stranger's", true, false, |s| drop(exists(s).tags.clone()), Refused(Rule::NotOurs)),
        row(
            "a stranger's that equals the configuration",
            true,
            false,
            |s| s.world = Scene::applied(BUCKET).world.without_proof("acme-a"),
            Refused(Rule::NotOurs),
        ),
        row(
            "carries our lineage",
            true,
            false,
            |s| {
                s.recorded.lineage = Some(LINEAGE);
                exists(s).tags.insert(BYOB_LINEAGE.into(), LINEAGE.to_string());
            },
            Step(Action::Adopt),
        ),
        row(
            "carries another lineage",
            true,
            false,
            |s| {
                s.recorded.lineage = Some(LINEAGE);
                exists(s).tags.insert(BYOB_LINEAGE.into(), OTHER_LINEAGE.to_string());
            },
            Refused(Rule::RecordedElsewhere),
        ),
        row(
            "carries a lineage and there is no record",
            true,
            false,
            |s| drop(exists(s).tags.insert(BYOB_LINEAGE.into(), LINEAGE.to_string())),
            Refused(Rule::RecordedElsewhere),
        ),
        row(
            "carries the tag of an open intent",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-a"));
                let bucket = exists(s);
                bucket.tags.insert(BYOB_INTENT.into(), INTENT.to_string());
                bucket.holds_data = true;
            },
            Step(Action::Adopt),
        ),
        row(
            "has an open intent and nothing in it",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-a"));
                exists(s);
            },
            Step(Action::Adopt),
        ),
        row(
            "has an open intent and an object",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-a"));
                exists(s).holds_data = true;
            },
            Refused(Rule::NotOurs),
        ),
        row(
            "has an open intent and a tag",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-a"));
                exists(s).tags.insert("Theirs".into(), "x".into());
            },
            Refused(Rule::NotOurs),
        ),
        row(
            "has an open intent and a policy",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-a"));
                exists(s).policy = Some(strange_key().policy);
            },
            Refused(Rule::NotOurs),
        ),
        row(
            "has an intent of another name",
            true,
            false,
            |s| {
                intent(s, "bucket.a", Some("acme-b"));
                exists(s);
            },
            Refused(Rule::NotOurs),
        ),
        row(
            "another account's",
            true,
            false,
            |s| exists(s).forbidden = Some(None),
            Refused(Rule::OwnedByAnother),
        ),
        row(
            "another region's",
            true,
            false,
            |s| exists(s).region = "eu-west-1".into(),
            Refused(Rule::CannotChange),
        ),
        row("recorded and there", true, true, |_| {}, Nothing),
        row(
            "recorded, and its lineage tag is lost",
            true,
            true,
            |s| drop(s.world.bucket("acme-a").tags.remove(BYOB_LINEAGE)),
            Nothing,
        ),
        row(
            "recorded under protection",
            true,
            true,
            |s| s.at("bucket.a").attributes["protect"] = true.into(),
            Step(Action::Update),
        ),
        row("recorded and gone", true, true, |s| s.world.buckets.clear(), Refused(Rule::Vanished)),
        row(
            "recorded, gone and to be made again",
            true,
            true,
            |s| {
                s.world.buckets.clear();
                s.mode.recreate.insert("bucket.a".into());
            },
            Step(Action::Create),
        ),
        row(
            "recorded and another account's by now",
            true,
            true,
            |s| s.world.bucket("acme-a").forbidden = Some(Some(false)),
            Refused(Rule::NowAnothers),
        ),
        row(
            "recorded and not to be looked at",
            true,
            true,
            |s| s.world.bucket("acme-a").forbidden = Some(Some(true)),
            Refused(Rule::OwnedByAnother),
        ),
        row("taken out", false, true, |_| {}, Step(Action::Delete)),
        row(
            "taken out under protection",
            false,
            true,
            |s| s.at("bucket.a").attributes["protect"] = true.into(),
            Refused(Rule::Protected),
        ),
        row(
            "taken out with data",
            false,
            true,
            |s| s.world.bucket("acme-a").holds_data = true,
            Refused(Rule::NotEmpty),
        ),
        row(
            "taken out and another account's by now",
            false,
            true,
            |s| s.world.bucket("acme-a").forbidden = Some(Some(false)),
            Refused(Rule::NowAnothers),
        ),
        row("taken out and gone", false, true, |s| s.world.buckets.clear(), Step(Action::Forget)),
        row("not ours at all", false, false, |s| drop(exists(s).tags.clone()), Nothing),
    ]
}

/// A key of somebody's with the alias.
fn aliased(scene: &mut Scene) -> &mut crate::world::Key {
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.world.aliases.insert(("us-east-1".into(), "alias/k".into()), arn.clone());
    scene.world.key(&arn)
}

fn ours(scene: &mut Scene) -> &mut crate::world::Key {
    scene.world.keys.values_mut().next().unwrap()
}

fn rows_of_a_key() -> Vec<Row> {
    use Root::{Nothing, Refused, Step};
    let row = |what, desired, recorded, change, says| Row { what, desired, recorded, change, says };
    vec![
        row("not there", true, false, |_| {}, Step(Action::Create)),
        row(
            "carries our lineage",
            true,
            false,
            |s| {
                s.recorded.lineage = Some(LINEAGE);
                aliased(s).tags.insert(BYOB_LINEAGE.into(), LINEAGE.to_string());
            },
            Step(Action::Adopt),
        ),
        row(
            "carries another lineage",
            true,
            false,
            |s| drop(aliased(s).tags.insert(BYOB_LINEAGE.into(), OTHER_LINEAGE.to_string())),
            Refused(Rule::RecordedElsewhere),
        ),
        row(
            "carries the tag of an open intent",
            true,
            false,
            |s| {
                intent(s, "key.k", None);
                let mut key = strange_key();
                key.tags.insert(BYOB_INTENT.into(), INTENT.to_string());
                s.world.make_key("us-east-1", key);
            },
            Step(Action::Adopt),
        ),
        row(
            "an open intent, and its key is pending deletion",
            true,
            false,
            |s| {
                intent(s, "key.k", None);
                let mut key =
                    new_key("", &strange_key().policy, &[(BYOB_INTENT.into(), INTENT.to_string())].into());
                key.state = KeyState::PendingDeletion;
                s.world.make_key("us-east-1", key);
            },
            Step(Action::Create),
        ),
        row("recorded and there", true, true, |_| {}, Nothing),
        row(
            "recorded and disabled",
            true,
            true,
            |s| ours(s).state = KeyState::Disabled,
            Step(Action::Update),
        ),
        row(
            "recorded and pending",
            true,
            true,
            |s| ours(s).state = KeyState::PendingDeletion,
            Step(Action::Update),
        ),
        row(
            "recorded with another description",
            true,
            true,
            |s| ours(s).description = "y".into(),
            Step(Action::Update),
        ),
        row(
            "recorded and gone",
            true,
            true,
            |s| {
                s.world.keys.clear();
                s.world.aliases.clear();
            },
            Refused(Rule::Vanished),
        ),
        row(
            "recorded, gone and to be made again",
            true,
            true,
            |s| {
                s.world.keys.clear();
                s.world.aliases.clear();
                s.mode.recreate.insert("key.k".into());
            },
            Step(Action::Create),
        ),
        row(
            "recorded and not to be looked at",
            true,
            true,
            |s| ours(s).forbidden = true,
            Refused(Rule::OwnedByAnother),
        ),
        row("taken out", false, true, |_| {}, Step(Action::Delete)),
        row(
            "taken out under protection",
            false,
            true,
            |s| s.at("key.k").attributes["protect"] = true.into(),
            Refused(Rule::Protected),
        ),
        row(
            "taken out and gone",
            false,
            true,
            |s| {
                s.world.keys.clear();
                s.world.aliases.clear();
            },
            Step(Action::Forget),
        ),
        row("not ours at all", false, false, |s| drop(aliased(s).tags.clone()), Nothing),
    ]
}

#[test]
fn every_row_of_the_table_of_roots_for_a_bucket() {
    check_roots("bucket.a", BUCKET, rows_of_a_bucket());
}

#[test]
fn every_row_of_the_table_of_roots_for_a_key() {
    check_roots("key.k", KEY, rows_of_a_key());
}

fn check_roots(root: &str, table: &str, rows: Vec<Row>) {
    for row in rows {
        let what = format!("{root}: {}", row.what);
        let mut scene = if row.recorded { Scene::applied(table) } else { Scene::new(table) };
        if !row.desired {
            scene.tables = String::new();
        }
        (row.change)(&mut scene);
        eprintln!("{what}");
        let plan = scene.plan();
        let found: Vec<Action> =
            plan.steps.iter().filter(|s| s.address.to_string() == root).map(|s| s.action).collect();
        match row.says {
            Root::Refused(rule) => {
                assert_refused(&plan, rule, root);
                continue;
            }
            Root::Nothing => assert_eq!(steps(&plan), Vec::<String>::new(), "{what}"),
            Root::Step(action) => assert_eq!(found, vec![action], "{what}: {:?}", steps(&plan)),
        }
        // The root that comes back after an intent was open is recorded as made by byob.
        scene.apply();
        assert!(row.desired || scene.recorded.resources.is_empty(), "{what}: {:?}", scene.recorded.resources);
        if row.desired {
            assert!(scene.at(root).created, "{what}");
        }
        scene.recorded.intents.clear();
        scene.assert_settled();
    }
}

#[test]
fn versioning_that_nobody_manages_and_that_was_on_once_is_drift_when_it_is_off() {
    let mut scene = Scene::applied(BUCKET);
    scene.world.bucket("acme-a").versioning = Some(VersioningStatus::Enabled);
    scene.apply();
    scene.assert_settled();
    scene.world.bucket("acme-a").versioning = Some(VersioningStatus::Suspended);
    let plan = scene.plan();
    assert_eq!(drifted(&plan), ["bucket.a.versioning"]);
    assert_eq!(steps(&plan), Vec::<String>::new());
    assert_eq!(scene.drift(), ["bucket.a.versioning"]);
    // Accepted by saying so.
    let mut accepted = scene.with(&format!("{BUCKET}versioning = \"suspended\"\n"));
    accepted.apply();
    accepted.assert_settled();
}
