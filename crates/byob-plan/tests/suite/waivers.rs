//! Waivers: what is accepted for a time does not block, comes back when the time is over, and is a change itself.

use byob_model::address::Address;
use byob_plan::{Action, Plan, Rule, Severity};

use crate::scene::{Scene, step, steps};

/// An error that can be waived: W&B's pages cannot use the bucket.
const BUCKET: &str = "[bucket.a]\nname = \"acme-a\"\ncors_origins = []\n";

fn waiver(rule: Rule, address: &str, until: &str) -> String {
    let rule = rule.id();
    format!(
        "[[waive]]\nrule = \"{rule}\"\naddress = \"{address}\"\nreason = \"a test\"\nuntil = \"{until}\"\n"
    )
}

fn waived(until: &str) -> String {
    format!("{BUCKET}{}", waiver(Rule::WandbLacksCors, "bucket.a.cors", until))
}

fn on(tables: &str, today: &str) -> Scene {
    Scene { today: today.parse().unwrap(), ..Scene::new(tables) }
}

fn found(plan: &Plan, rule: Rule) -> Option<Severity> {
    plan.findings.iter().find(|f| f.rule == rule).map(|f| f.severity)
}

#[test]
fn a_waived_error_does_not_block_and_is_still_shown() {
    assert!(Scene::new(BUCKET).plan().blocked());
    let plan = on(&waived("2026-12-31"), "2026-12-31").plan();
    assert!(!plan.blocked(), "{:#?}", plan.findings);
    let finding = plan.findings.iter().find(|f| f.rule == Rule::WandbLacksCors).unwrap();
    let waiver = finding.waived.as_ref().unwrap();
    assert_eq!((waiver.reason.as_str(), waiver.until.as_str()), ("a test", "2026-12-31"));
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(found(&plan, Rule::WaiverPastDate), None);
    assert_eq!(found(&plan, Rule::WaiverIdle), None);
}

#[test]
fn past_its_date_it_warns_for_thirty_days_before_it_blocks_again() {
    for (today, blocked, warns) in [
        ("2026-12-30", false, false),
        ("2026-12-31", false, false),
        ("2027-01-01", false, true),
        ("2027-01-30", false, true),
        ("2027-01-31", true, true),
        ("2028-01-01", true, true),
    ] {
        let mut scene = on(&waived("2026-12-31"), "2026-12-01");
        scene.apply();
        scene.today = today.parse().unwrap();
        let plan = scene.plan();
        assert_eq!(plan.blocked(), blocked, "{today}");
        // One that begins past its date has no grace.
        let new = on(&waived("2026-12-31"), today).plan();
        assert_eq!(new.blocked(), today > "2026-12-31", "{today}");
        let warning = warns.then_some(Severity::Warning);
        assert_eq!(found(&plan, Rule::WaiverPastDate), warning, "{today}: {:#?}", plan.findings);
    }
}

#[test]
fn one_that_holds_for_more_than_a_year_is_told() {
    // A year, with a leap day in it or not, is not long.
    for (until, told) in
        [("2026-12-31", false), ("2027-11-21", false), ("2027-11-22", true), ("9999-12-31", true)]
    {
        let scene = on(&waived(until), "2026-11-20");
        let plan = scene.plan();
        assert_eq!(found(&plan, Rule::WaiverLong), told.then_some(Severity::Warning), "{until}");
        assert!(!plan.blocked());
        if told {
            let finding = plan.findings.iter().find(|f| f.rule == Rule::WaiverLong).unwrap();
            assert_eq!(finding.address.to_string(), "bucket.a.cors");
            assert!(
                finding.message.contains(until) && finding.message.contains("BYOB025"),
                "{}",
                finding.message
            );
        }
    }
    // It is told until the day is near, applied or not.
    let mut scene = on(&waived("2028-06-30"), "2026-11-20");
    scene.apply();
    assert_eq!(found(&scene.plan(), Rule::WaiverLong), Some(Severity::Warning));
    scene.today = "2027-07-01".parse().unwrap();
    assert_eq!(found(&scene.plan(), Rule::WaiverLong), None);
}

#[test]
fn it_covers_one_rule_at_one_address() {
    let two = format!("{BUCKET}[bucket.b]\nname = \"acme-b\"\ncors_origins = []\n");
    let tables = format!("{two}{}", waiver(Rule::WandbLacksCors, "bucket.a.cors", "2027-12-31"));
    let blocking = |plan: &Plan| -> Vec<String> {
        plan.findings.iter().filter(|f| f.blocks()).map(|f| f.address.to_string()).collect()
    };
    assert_eq!(blocking(&Scene::new(&tables).plan()), ["bucket.b.cors"]);
    // The root's address is not the aspect's, and another rule is another rule.
    for wrong in [
        waiver(Rule::WandbLacksCors, "bucket.a", "2027-12-31"),
        waiver(Rule::AnyOrigin, "bucket.a.cors", "2027-12-31"),
    ] {
        let plan = Scene::new(&format!("{BUCKET}{wrong}")).plan();
        assert_eq!(blocking(&plan), ["bucket.a.cors"]);
        assert_eq!(found(&plan, Rule::WaiverIdle), Some(Severity::Note));
    }
}

#[test]
fn warnings_and_notes_can_be_waived_too() {
    let tables = format!(
        "[bucket.a]\nname = \"acme-a\"\nprotect = false\n{}{}",
        waiver(Rule::Unprotected, "bucket.a", "2027-12-31"),
        waiver(Rule::VersioningOff, "bucket.a.versioning", "2027-12-31"),
    );
    let plan = Scene::new(&tables).plan();
    let waived: Vec<Rule> = plan.findings.iter().filter(|f| f.waived.is_some()).map(|f| f.rule).collect();
    assert_eq!(waived, [Rule::Unprotected, Rule::VersioningOff]);
}

#[test]
fn a_waiver_that_covers_nothing_is_a_note_unless_nothing_was_judged() {
    let idle = format!(
        "[bucket.a]\nname = \"acme-a\"\n{}",
        waiver(Rule::WandbLacksCors, "bucket.a.cors", "2027-12-31")
    );
    let mut scene = Scene::new(&idle);
    assert_eq!(found(&scene.plan(), Rule::WaiverIdle), Some(Severity::Note));
    scene.mode.target = ["bucket.a.tags".to_owned()].into();
    assert_eq!(found(&scene.plan(), Rule::WaiverIdle), None);
    let mut strange = Scene::new(&idle);
    strange.world.make_bucket("acme-a", "us-east-1");
    assert_eq!(found(&strange.plan(), Rule::WaiverIdle), None);
    let mut destroyed = Scene::applied(&idle);
    destroyed.mode.destroy = true;
    assert_eq!(found(&destroyed.plan(), Rule::WaiverIdle), None);
}

#[test]
fn a_waiver_is_a_change_of_its_own_without_a_call() {
    let mut scene = Scene::applied(BUCKET);
    scene.tables = waived("2027-01-31");
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["update bucket.a"]);
    let update = step(&plan, "bucket.a");
    assert!(update.calls.is_empty() && update.action == Action::Update);
    let paths: Vec<&str> = update.changes.iter().map(|c| c.path.as_str()).collect();
    let at = "/waivers/bucket.a.cors BYOB025";
    assert_eq!(paths, [format!("{at}/reason"), format!("{at}/until")]);
    assert_eq!(plan.summary.update, 1);
    scene.apply();
    scene.assert_settled();

    // A later day, and its end.
    scene.tables = waived("2027-03-31");
    let plan = scene.plan();
    let changed: Vec<_> = plan.steps.iter().flat_map(|s| &s.changes).map(|c| (&c.before, &c.after)).collect();
    assert_eq!(changed, [(&"2027-01-31".into(), &"2027-03-31".into())]);
    scene.apply();
    scene.tables = BUCKET.to_owned();
    assert_eq!(steps(&scene.plan()), ["update bucket.a"]);
    scene.apply();
    scene.assert_settled();
    // Nothing of it is left in the record, which older ones do not have either.
    let bucket: Address = "bucket.a".parse().unwrap();
    assert_eq!(scene.recorded.resources[&bucket].attributes.get("waivers"), None);
}

#[test]
fn a_waiver_of_a_key_is_its_keys() {
    const KEY: &str = "[key.k]\nalias = \"k\"\nrotation_days = \"off\"\n";
    let mut scene = Scene::applied(KEY);
    scene.tables = format!("{KEY}{}", waiver(Rule::RotationOff, "key.k.rotation", "2027-01-31"));
    let plan = scene.plan();
    assert_eq!(steps(&plan), ["update key.k"]);
    assert!(step(&plan, "key.k").calls.is_empty());
    scene.apply();
    scene.assert_settled();
    assert!(scene.plan().findings.iter().any(|f| f.rule == Rule::RotationOff && f.waived.is_some()));
    scene.tables = KEY.to_owned();
    assert_eq!(steps(&scene.plan()), ["update key.k"]);
    scene.apply();
    scene.assert_settled();
}

#[test]
fn the_digest_knows_the_waiver_and_the_day_only_by_what_it_changes() {
    let digest = |tables: &str, today: &str| on(tables, today).plan().digest;
    let tables = waived("2026-12-31");
    assert_ne!(digest(BUCKET, "2026-11-20"), digest(&tables, "2026-11-20"));
    assert_eq!(digest(&tables, "2026-11-20"), digest(&tables, "2026-12-31"));
    assert_ne!(digest(&tables, "2026-12-31"), digest(&tables, "2027-01-01"));
    assert_eq!(digest(&tables, "2027-01-01"), digest(&tables, "2027-01-30"));
    assert_eq!(digest(BUCKET, "2026-11-20"), digest(BUCKET, "2030-01-01"));
}

/// Statements that anybody may read by, each of one object.
fn open_to_all(objects: &[&str]) -> String {
    let one = |name: &&str| {
        format!(
            "{{ Sid = \"Open{name}\", Effect = \"Allow\", Principal = \"*\", Action = \"s3:GetObject\", \
             Resource = \"arn:aws:s3:::acme-a/{name}\" }}"
        )
    };
    let all: Vec<String> = objects.iter().map(one).collect();
    format!("extra_statements = [{}]\n", all.join(", "))
}

fn public_bucket(fields: &str, objects: &[&str], until: &str) -> String {
    let waiver = waiver(Rule::Public, "bucket.a.policy", until);
    let fields = format!("public_access_block = {{ {fields} }}\n{}", open_to_all(objects));
    format!("[bucket.a]\nname = \"acme-a\"\n{fields}{waiver}")
}

#[test]
fn a_waiver_that_was_applied_does_not_cover_what_is_public_only_since() {
    const OPEN: &str = "block_public_policy = false, restrict_public_buckets = false";
    let tables = |objects: &[&str], until: &str| public_bucket(OPEN, objects, until);
    let public = |plan: &Plan| plan.findings.iter().find(|f| f.rule == Rule::Public).cloned();
    // A new waiver covers what it is written for, and goes on covering it.
    let new = Scene::new(&tables(&["a"], "2027-01-31"));
    assert!(!new.plan().blocked(), "{:#?}", new.plan().findings);
    let scene = Scene::applied(&tables(&["a"], "2027-01-31"));
    assert!(!scene.plan().blocked());
    // What comes later is another matter: it is named, and blocks.
    let plan = scene.with(&tables(&["a", "b"], "2027-01-31")).plan();
    assert!(plan.blocked());
    let finding = public(&plan).unwrap();
    assert_eq!(finding.waived, None);
    assert!(finding.message.contains("the waiver does not cover statement `Openb`"), "{}", finding.message);
    assert!(finding.help.contains("`until`"), "{}", finding.help);
    // Until somebody has looked at the waiver again, which is a change that the plan shows.
    let mut again = scene.with(&tables(&["a", "b"], "2027-02-28"));
    assert!(!again.plan().blocked());
    assert!(steps(&again.plan()).contains(&"update bucket.a".to_owned()));
    // An apply that dies on the way can be gone on with at any point.
    let whole = again.plan();
    for done in 0..=whole.steps.len() {
        let mut died = again.clone();
        died.perform(&whole, done);
        assert!(!died.plan().blocked(), "after {done} steps: {:#?}", died.plan().findings);
    }
    again.apply();
    assert!(!again.plan().blocked());
    // Less than was accepted, or the same in other words, is accepted.
    assert!(!again.with(&tables(&["b"], "2027-02-28")).plan().blocked());
    assert!(!again.with(&tables(&["b", "a"], "2027-02-28").replace("Openb", "Other")).plan().blocked());
    assert!(again.with(&tables(&["*"], "2027-02-28")).plan().blocked());
}

#[test]
fn a_waiver_that_was_applied_does_not_cover_a_block_that_goes_off() {
    let on = public_bucket("block_public_policy = false", &["a"], "2027-01-31");
    let off = |until: &str| {
        public_bucket("block_public_policy = false, restrict_public_buckets = false", &["a"], until)
    };
    let scene = Scene::applied(&on);
    assert_eq!(found(&scene.plan(), Rule::Public), None);
    let blocked = |scene: &Scene| scene.plan().findings.iter().any(|f| f.rule == Rule::Public && f.blocks());
    assert!(blocked(&scene.with(&off("2027-01-31"))));
    let mut again = scene.with(&off("2027-02-28"));
    assert!(!blocked(&again));
    let whole = again.plan();
    for done in 0..=whole.steps.len() {
        let mut died = again.clone();
        died.perform(&whole, done);
        assert!(!blocked(&died), "after {done} steps: {:#?}", died.plan().findings);
    }
    again.apply();
    assert!(!blocked(&again));
}

#[test]
fn a_waiver_that_was_applied_does_not_cover_what_another_team_opened_since() {
    let keep = |tables: String| {
        tables.replace("Open", "ByobExtraOpen").replacen("\n", "\nforeign_statements = \"keep\"\n", 1)
    };
    let tables = keep(public_bucket(
        "block_public_policy = false, restrict_public_buckets = false",
        &["a"],
        "2027-01-31",
    ));
    let mut scene = Scene::applied(&tables);
    assert!(!scene.plan().blocked());
    let theirs = r#"{"Sid":"Theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-a/z"}"#;
    let theirs = byob_policy::Statement::from_value(&serde_json::from_str(theirs).unwrap()).unwrap();
    scene.world.bucket("acme-a").policy.as_mut().unwrap().document.statements.push(theirs);
    let plan = scene.plan();
    assert!(plan.blocked());
    let finding = plan.findings.iter().find(|f| f.rule == Rule::Public).unwrap();
    assert!(finding.message.contains("the waiver does not cover statement `Theirs`"), "{}", finding.message);
}
