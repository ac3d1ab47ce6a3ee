//! What a plan refuses: an error with help, and no step for what it is about.

use byob_model::config::parse;
use byob_model::kind::{BYOB_LINEAGE, KeyState};
use byob_model::recorded::Tombstone;
use byob_plan::{Action, Rule, Severity};

use crate::scene::{OTHER_LINEAGE, Scene, assert_refused, file, step, steps};
use crate::world::{ACCOUNT, strange_key};

const BUCKET: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n";

/// A bucket on a key of the same file.
const KEYED: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\nencryption = { type = \"sse-kms\", key = \"key.k\" }\n\
                     [key.k]\nalias = \"k\"\nprotect = false\n";
const UNKEYED: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n";

fn on_foreign_key(arn: &str) -> String {
    format!("[bucket.a]\nname = \"acme-a\"\nencryption = {{ type = \"sse-kms\", key = \"{arn}\" }}\n")
}

#[test]
fn a_bucket_recorded_elsewhere_is_named_with_its_lineage() {
    let mut scene = Scene::new(BUCKET);
    scene
        .world
        .make_bucket("acme-a", "us-east-1")
        .tags
        .insert(BYOB_LINEAGE.into(), OTHER_LINEAGE.to_string());
    let plan = scene.plan();
    assert_refused(&plan, Rule::RecordedElsewhere, "bucket.a");
    assert!(plan.findings[0].message.contains(&OTHER_LINEAGE.to_string()));
}

#[test]
fn one_refused_bucket_does_not_hide_the_steps_of_another() {
    let mut scene = Scene::new(&format!("{BUCKET}[bucket.b]\nname = \"acme-b\"\n"));
    scene.world.make_bucket("acme-a", "us-east-1");
    let plan = scene.plan();
    assert_refused(&plan, Rule::NotOurs, "bucket.a");
    assert_eq!(step(&plan, "bucket.b").action, Action::Create);
}

#[test]
fn a_foreign_key_that_cannot_be_used_is_refused() {
    let mut scene = Scene::new("");
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.tables = on_foreign_key(&arn);
    assert!(!scene.plan().blocked());
    for state in [KeyState::Disabled, KeyState::PendingDeletion, KeyState::Other("Unavailable".into())] {
        scene.world.key(&arn).state = state;
        assert_refused(&scene.plan(), Rule::KeyUnusable, "bucket.a.encryption");
    }
    scene.world.key(&arn).state = KeyState::Enabled;
    scene.world.key(&arn).usable = false;
    assert_refused(&scene.plan(), Rule::KeyUnusable, "bucket.a.encryption");
    // Another account's key may be usable and yet not describable.
    scene.world.key(&arn).forbidden = true;
    assert!(!scene.plan().blocked());
    scene.world.keys.clear();
    assert_refused(&scene.plan(), Rule::KeyUnusable, "bucket.a.encryption");
}

#[test]
fn an_alias_on_somebody_elses_key_is_refused() {
    let alias = ("us-east-1".to_owned(), "alias/k".to_owned());
    let mut scene = Scene::new("[key.k]\nalias = \"k\"\n");
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.world.aliases.insert(alias.clone(), arn.clone());
    let plan = scene.plan();
    assert_refused(&plan, Rule::AliasTaken, "key.k.alias");
    assert_eq!(steps(&plan), Vec::<String>::new());

    let mut scene = Scene::applied("[key.k]\nalias = \"k\"\n");
    let arn = scene.world.make_key("us-east-1", strange_key());
    scene.world.aliases.insert(alias, arn);
    assert_refused(&scene.plan(), Rule::AliasTaken, "key.k.alias");
    // The renaming of a key to a taken alias, too.
    let renamed = scene.with("[key.k]\nalias = \"new\"\n");
    let mut taken = renamed.clone();
    let arn = taken.world.make_key("us-east-1", strange_key());
    taken.world.aliases.insert(("us-east-1".into(), "alias/new".into()), arn);
    assert_refused(&taken.plan(), Rule::AliasTaken, "key.k.alias");
}

#[test]
fn a_changed_name_or_region_is_refused() {
    let scene = Scene::applied(KEYED);
    let renamed = scene.with(&KEYED.replace("acme-a", "acme-other"));
    let plan = renamed.plan();
    assert_refused(&plan, Rule::CannotChange, "bucket.a");
    let moved = scene.with(
        &KEYED.replace("protect = false\nencryption", "region = \"eu-west-1\"\nprotect = false\nencryption"),
    );
    let plan = moved.plan();
    assert_refused(&plan, Rule::CannotChange, "bucket.a");
    assert_refused(&plan, Rule::CannotChange, "key.k");
    assert_eq!(steps(&plan), Vec::<String>::new());
}

#[test]
fn a_label_taken_over_while_its_own_root_loses_its_table_is_refused() {
    let scene =
        Scene::applied("[bucket.a]\nname = \"acme-a\"\nprotect = false\n[bucket.b]\nname = \"acme-b\"\n");
    // `acme-b` takes the label of `acme-a`, which has none any more.
    let plan = scene.with("[bucket.a]\nname = \"acme-b\"\n").plan();
    assert_refused(&plan, Rule::CannotChange, "bucket.a");
    let mut ids: Vec<&String> = plan.steps.iter().map(|s| &s.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), plan.steps.len());
}

#[test]
fn a_key_stays_while_a_bucket_that_ever_used_it_holds_data() {
    let mut scene = Scene::applied(KEYED);
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.bucket("acme-a").holds_data = true;
    // The switch away from the key and the key's removal in one change.
    let both = scene.with(UNKEYED);
    let plan = both.plan();
    assert_refused(&plan, Rule::KeyInUse, "key.k");
    assert_eq!(steps(&plan), ["update bucket.a.encryption"]);
    assert!(plan.findings[0].help.contains("forget = [\"key.k\"]"));

    // Still so after the switch.
    let mut switched = scene.with(&format!("{UNKEYED}[key.k]\nalias = \"k\"\nprotect = false\n"));
    switched.apply();
    let plan = switched.with(UNKEYED).plan();
    assert_refused(&plan, Rule::KeyInUse, "key.k");

    // And when the bucket is forgotten: its tombstone stands for it.
    let mut forgotten = scene.with("forget = [\"bucket.a\"]\n[key.k]\nalias = \"k\"\nprotect = false\n");
    let before = forgotten.world.key(&arn).policy.clone();
    forgotten.apply();
    forgotten.assert_settled();
    assert_eq!(forgotten.world.key(&arn).policy, before, "forgetting changes nobody's access");
    assert_refused(&forgotten.with("").plan(), Rule::KeyInUse, "key.k");
    forgotten.world.bucket("acme-a").holds_data = false;
    assert!(!forgotten.with("").plan().blocked());
    forgotten.world.buckets.clear();
    let mut gone = forgotten.with("");
    gone.apply();
    assert!(!gone.recorded.tombstones.iter().any(|t| !t.keys_used.is_empty()));
    gone.assert_settled();

    // Nobody may say whether it is empty: taken for full.
    let mut hidden = scene.with(UNKEYED);
    hidden.world.bucket("acme-a").forbidden = Some(Some(true));
    assert_refused(&hidden.plan(), Rule::KeyInUse, "key.k");
}

#[test]
fn an_empty_bucket_lets_its_key_go_once_it_is_switched_to_another() {
    let scene = Scene::applied(KEYED);
    let mut both = scene.with(UNKEYED);
    let plan = both.plan();
    assert_eq!(steps(&plan), ["update bucket.a.encryption", "delete key.k"]);
    assert_eq!(step(&plan, "key.k").depends_on, ["bucket.a.encryption#1"]);
    both.apply();
    both.assert_settled();
    assert!(both.recorded.tombstones.iter().any(|t| t.deletion_ordered));

    // The same under another label, in the same change.
    let mut renamed = scene.with(&UNKEYED.replace("bucket.a", "bucket.z"));
    let plan = renamed.plan();
    assert_eq!(step(&plan, "key.k").depends_on, ["bucket.z.encryption#1"]);
    renamed.apply();
    renamed.assert_settled();
}

#[test]
fn a_key_that_a_bucket_goes_on_using_by_its_arn_is_not_deleted_even_if_the_bucket_is_empty() {
    let scene = Scene::applied(KEYED);
    let arn = scene.world.arn("us-east-1", "k");
    assert_refused(&scene.with(&on_foreign_key(&arn)).plan(), Rule::KeyInUse, "key.k");
    let left = scene.with("[bucket.a]\nname = \"acme-a\"\nunmanaged = [\"encryption\"]\n");
    assert_refused(&left.plan(), Rule::KeyInUse, "key.k");
}

#[test]
fn a_tombstoned_bucket_of_another_run_keeps_its_key() {
    let mut scene = Scene::applied("[key.k]\nalias = \"k\"\nprotect = false\n");
    let arn = scene.world.arn("us-east-1", "k");
    scene.world.make_bucket("acme-old", "us-east-1").holds_data = true;
    scene.recorded.tombstones.push(Tombstone {
        address: "bucket.old".parse().unwrap(),
        identity: "acme-old".into(),
        account_id: ACCOUNT.into(),
        region: "us-east-1".into(),
        keys_used: [arn].into(),
        deletion_ordered: false,
    });
    assert_refused(&scene.with("").plan(), Rule::KeyInUse, "key.k");
    // And W&B, which this key's policy never let in, is not let in by it.
    assert_eq!(steps(&scene.plan()), Vec::<String>::new());
}

#[test]
fn a_prefix_named_bucket_under_another_label_is_refused_with_the_line_to_type() {
    let scene = Scene::applied("[bucket.a]\nname_prefix = \"acme\"\nprotect = false\n");
    let plan = scene.with("[bucket.b]\nname_prefix = \"acme\"\nprotect = false\n").plan();
    assert_refused(&plan, Rule::PrefixMoved, "bucket.b");
    assert!(plan.findings[0].help.contains("byob state mv bucket.a bucket.b"));
    assert_eq!(steps(&plan), Vec::<String>::new());
    // Written out, the name is its identity.
    let name = scene.recorded.resources[&"bucket.a".parse().unwrap()].identity.clone();
    let mut exact = scene.with(&format!("[bucket.b]\nname = \"{name}\"\nprotect = false\n"));
    assert_eq!(steps(&exact.plan()), ["adopt bucket.b"]);
    exact.apply();
    exact.assert_settled();
}

#[test]
fn versioning_and_object_lock_cannot_be_taken_out() {
    let scene = Scene::applied(&format!("{BUCKET}versioning = \"enabled\"\nobject_lock = {{}}\n"));
    let plan = scene.with(BUCKET).plan();
    assert_refused(&plan, Rule::CannotTakeOut, "bucket.a.versioning");
    assert_refused(&plan, Rule::CannotTakeOut, "bucket.a.object_lock");
    let mut left = scene.with(&format!("{BUCKET}unmanaged = [\"versioning\", \"object_lock\"]\n"));
    assert_eq!(steps(&left.plan()), ["forget bucket.a.versioning", "forget bucket.a.object_lock"]);
    left.apply();
    left.assert_settled();

    // Suspended is as far as AWS goes back.
    let suspended = Scene::applied(&format!("{BUCKET}versioning = \"suspended\"\n"));
    let mut out = suspended.with(BUCKET);
    assert_eq!(steps(&out.plan()), ["forget bucket.a.versioning"]);
    out.apply();
    out.assert_settled();
    let mut enabled = suspended.with(BUCKET);
    enabled.world.bucket("acme-a").versioning = Some(byob_model::kind::VersioningStatus::Enabled);
    assert_refused(&enabled.plan(), Rule::CannotTakeOut, "bucket.a.versioning");
}

#[test]
fn a_bucket_whose_tags_are_access_is_refused() {
    let mut scene = Scene::applied(BUCKET);
    scene.world.bucket("acme-a").abac = true;
    scene.tables = format!("{BUCKET}tls_only = true\ntags = {{ T = \"x\" }}\n");
    assert_refused(&scene.plan(), Rule::Abac, "bucket.a");
}

#[test]
fn a_policy_over_the_limit_is_refused_with_other_teams_statements_counted() {
    let statement = |sid: &str, prefix: &str| {
        format!(
            "{{ Sid = \"ByobExtra{sid}\", Effect = \"Allow\", Principal = {{ AWS = \"arn:aws:iam::111122223333:root\" }}, \
             Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::acme-a/{prefix}/*\" }}"
        )
    };
    let many: Vec<String> = (0..130).map(|i| statement(&format!("{i:04}"), &format!("{i:030}"))).collect();
    let large = format!("{BUCKET}extra_statements = [{}]\n", many.join(", "));
    assert_refused(&Scene::new(&large).plan(), Rule::TooLarge, "bucket.a.policy");

    // Each half would do; together they do not.
    let half =
        format!("{BUCKET}foreign_statements = \"keep\"\nextra_statements = [{}]\n", many[..65].join(", "));
    let mut scene = Scene::applied(&format!("{BUCKET}foreign_statements = \"keep\"\n"));
    let policy = scene.world.bucket("acme-a").policy.as_mut().unwrap();
    for i in 0..65 {
        let mut theirs = policy.document.statements[0].clone();
        theirs.sid = Some(format!("Theirs{i}"));
        policy.document.statements.push(theirs);
    }
    assert_refused(&scene.with(&half).plan(), Rule::TooLarge, "bucket.a.policy");
}

#[test]
fn settings_that_aws_refuses_together_are_refused() {
    let mut scene = Scene::applied(BUCKET);
    let locked = scene.with(&format!("{BUCKET}object_lock = {{ mode = \"governance\", days = 1 }}\n"));
    assert_refused(&locked.plan(), Rule::Conflict, "bucket.a.object_lock");
    scene.world.bucket("acme-a").mfa_delete = true;
    let rules = scene.with(&format!("{BUCKET}abort_incomplete_uploads_after_days = 7\n"));
    assert_refused(&rules.plan(), Rule::Conflict, "bucket.a.lifecycle");
}

#[test]
fn what_an_endpoint_does_not_offer_is_refused_where_it_is_asked_for_and_ignored_where_not() {
    let mut scene = Scene::new(BUCKET);
    scene.apply();
    scene.world.unsupported = [byob_model::Kind::PublicAccessBlock, byob_model::Kind::Lifecycle].into();
    let plan = scene.plan();
    assert_refused(&plan, Rule::NotOffered, "bucket.a.public_access_block");
    assert_eq!(plan.findings.iter().filter(|f| f.blocks()).count(), 1);
}

#[test]
fn expiring_runs_is_a_warning_and_does_not_block() {
    let scene =
        Scene::new(&format!("{BUCKET}lifecycle = [{{ id = \"old\", expiration = {{ days = 30 }} }}]\n"));
    let plan = scene.plan();
    assert!(!plan.blocked());
    let found = plan.findings.iter().find(|f| f.rule == Rule::ExpiresRuns).unwrap();
    assert_eq!(
        (found.address.to_string().as_str(), found.severity),
        ("bucket.a.lifecycle", Severity::Warning)
    );
}

#[test]
fn two_tables_for_one_bucket_are_an_error_before_any_plan() {
    let text = file("[bucket.a]\nname = \"acme-a\"\n[bucket.b]\nname = \"acme-a\"\n");
    let errors = parse(&text, &|_| Err(String::new())).unwrap_err();
    assert_eq!(errors.len(), 1);
}

#[test]
fn more_tags_than_aws_takes_are_refused_before_the_first_write() {
    const TAGGED: &str = "[bucket.a]\nname = \"acme-a\"\ntags = { One = \"1\", Two = \"2\" }\n";
    let mut scene = Scene::applied(TAGGED);
    let bucket = scene.world.bucket("acme-a");
    let mut free = 50 - bucket.tags.len();
    for n in 0..free {
        bucket.tags.insert(format!("Theirs{n}"), "x".into());
    }
    // The intent's tag may have been taken off meanwhile; byob counts it, because a repeated creation writes it again.
    free = 50 - bucket.tags.len();
    assert_eq!(free, 0);
    scene.tables = TAGGED.replace("Two = \"2\"", "Two = \"2\", Three = \"3\"");
    let plan = scene.plan();
    assert_refused(&plan, Rule::TooLarge, "bucket.a.tags");
    // One goes for one that comes.
    scene.world.bucket("acme-a").tags.remove("Theirs0");
    scene.tables = TAGGED.replace("Two = \"2\"", "Three = \"3\"");
    assert!(!scene.plan().blocked(), "{:#?}", scene.plan().findings);
}

#[test]
fn a_root_that_another_record_claims_is_not_deleted_from_here() {
    const OPEN: &str =
        "[bucket.a]\nname = \"acme-a\"\nprotect = false\n[key.k]\nalias = \"k\"\nprotect = false\n";
    let mut scene = Scene::applied(OPEN);
    let arn = scene.at("key.k").identity.clone();
    let other = OTHER_LINEAGE.to_string();
    scene.world.bucket("acme-a").tags.insert(BYOB_LINEAGE.into(), other.clone());
    scene.world.keys.get_mut(&arn).unwrap().tags.insert(BYOB_LINEAGE.into(), other.clone());
    scene.tables = String::new();
    let plan = scene.plan();
    for address in ["bucket.a", "key.k"] {
        assert_refused(&plan, Rule::RecordedElsewhere, address);
        assert!(plan.findings.iter().any(|f| f.address.to_string() == address && f.message.contains(&other)));
    }
    // Leaving it alone is always possible.
    scene.tables = "forget = [\"bucket.a\", \"key.k\"]\n".into();
    assert_eq!(steps(&scene.plan()), ["forget key.k", "forget bucket.a"]);
}

#[test]
fn a_bucket_with_locked_data_is_not_emptied_by_half() {
    const LOCKED: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\nforce_destroy = true\nversioning = \"enabled\"\n\
                          object_lock = { mode = \"compliance\", days = 9 }\n";
    let mut scene = Scene::applied(LOCKED);
    scene.mode.destroy = true;
    assert!(!scene.plan().blocked());
    scene.world.bucket("acme-a").holds_data = true;
    assert_refused(&scene.plan(), Rule::NotEmpty, "bucket.a");
}

/// Found by a reader: the bucket that keeps the record was emptied and deleted with it, like any other.
#[test]
fn the_bucket_that_keeps_the_record_is_not_deleted() {
    let bucket = "[bucket.rec]\nname = \"acme-rec\"\nprotect = false\nwandb_access = false\n";
    let state = |name: &str| format!("[state]\ns3 = {{ bucket = \"{name}\", key = \"r.json\" }}\n");
    let mut scene = Scene::applied(&format!("{bucket}force_destroy = true\n"));
    scene.world.bucket("acme-rec").holds_data = true;
    let gone = scene.with(&state("acme-rec"));
    assert_refused(&gone.plan(), Rule::Protected, "bucket.rec");
    assert!(gone.plan().findings[0].message.contains("keeps byob's own record"));
    let mut destroyed = scene.with(&format!("{}{bucket}", state("acme-rec")));
    destroyed.mode.destroy = true;
    assert_refused(&destroyed.plan(), Rule::Protected, "bucket.rec");
    assert_eq!(step(&scene.with(&state("elsewhere")).plan(), "bucket.rec").action, Action::Delete);
}

/// Found by a reader: two configurations of different stacks on one record: the second deleted what the first had made.
#[test]
fn what_another_stack_made_is_not_deleted() {
    let bucket = |name: &str| format!("[bucket.{name}]\nname = \"acme-{name}\"\nprotect = false\n");
    let key = |name: &str| format!("[key.{name}]\nalias = \"{name}\"\nprotect = false\n");
    let one = format!("stack = \"one\"\n{}{}", bucket("a"), key("k"));
    let scene = Scene::applied(&one);
    let plan = scene.with(&format!("stack = \"two\"\n{}", bucket("b"))).plan();
    assert_refused(&plan, Rule::RecordedElsewhere, "bucket.a");
    assert_refused(&plan, Rule::RecordedElsewhere, "key.k");
    // A stack that only got another name: its tags first.
    let mut renamed = scene.with(&one.replace("\"one\"", "\"two\""));
    assert!(!renamed.plan().blocked());
    renamed.apply();
    let gone = renamed.with(&format!("stack = \"two\"\n{}", bucket("b"))).plan();
    assert_eq!(step(&gone, "bucket.a").action, Action::Delete);
}

/// Found by a reader: only a name that is written out was looked at, not one that byob makes.
#[test]
fn a_bucket_that_keeps_the_record_is_not_opened_whoever_makes_its_name() {
    let bucket = "[bucket.one]\nname_prefix = \"p\"\n";
    let scene = Scene::new(bucket);
    let name = scene.desired().roots.values().next().unwrap().name.clone();
    let state = format!("[state]\ns3 = {{ bucket = \"{name}\", key = \"r.json\" }}\n");
    for (fields, said) in [
        ("", "W&B would get access to it"),
        ("wandb_access = false\nforce_destroy = true\nprotect = false\n", "could be emptied with it"),
    ] {
        let text = file(&format!("{bucket}{fields}{state}"));
        let config = parse(&text, &|_| Err("no such file".into())).unwrap();
        let errors = byob_model::desired::desired(&config, ACCOUNT, &scene.recorded).unwrap_err();
        assert_eq!(errors[0].message, format!("`bucket.one` keeps byob's own record, and {said}"));
        assert!(errors[0].span.is_some());
    }
    let text = file(&format!("{bucket}wandb_access = false\n{state}"));
    let config = parse(&text, &|_| Err("no such file".into())).unwrap();
    assert!(byob_model::desired::desired(&config, ACCOUNT, &scene.recorded).is_ok());
}

/// Found by a reader: what a run of another stack had not finished is in no record, and its own tags were not asked.
#[test]
fn what_a_run_of_another_stack_left_unfinished_is_not_deleted() {
    let mut scene = Scene::applied("stack = \"one\"\n[bucket.a]\nname = \"acme-a\"\nprotect = false\n");
    scene.recorded.resources.clear();
    let id = uuid::Uuid::from_u128(9);
    scene.recorded.intents.push(byob_model::recorded::Intent {
        id,
        address: "bucket.a".parse().unwrap(),
        account_id: ACCOUNT.into(),
        region: "us-east-1".into(),
        name: Some("acme-a".into()),
        at: 0,
        keys_used: std::collections::BTreeSet::new(),
    });
    scene.world.bucket("acme-a").tags.insert(byob_model::kind::BYOB_INTENT.into(), id.to_string());
    let other = scene.with("stack = \"two\"\n[bucket.b]\nname = \"acme-b\"\n").plan();
    assert_refused(&other, Rule::RecordedElsewhere, "bucket.a");
    let own = scene.with("stack = \"one\"\n[bucket.b]\nname = \"acme-b\"\n").plan();
    assert_eq!(step(&own, "bucket.a").action, Action::Delete);
}
