use byob_model::kind::Accepted;
use byob_plan::finding::{Finding, Rule, Severity, Waived};
use byob_plan::plan::{DriftSeverity, RecordChange};
use insta::assert_snapshot;

use super::*;
use crate::{plan_details, plan_text};

fn print(plan: &Plan) -> String {
    plan_text(plan, &header(), &WIDE)
}

#[test]
fn a_first_plan_says_everything_once() {
    let head = Header { recorded: None, ..header() };
    assert_snapshot!(plan_text(&first_plan(), &head, &WIDE));
}

#[test]
fn a_narrow_terminal_gets_every_word_too() {
    let head = Header { recorded: None, approve_flags: " --target bucket.vision".into(), ..header() };
    let style = Style { width: 40, ..WIDE };
    assert_snapshot!(plan_text(&first_plan(), &head, &style));
}

#[test]
fn a_changed_policy_is_a_line_diff_under_the_statements_that_change() {
    let plan = plan(
        vec![step(
            "bucket.vision.policy",
            Action::Update,
            Some(policy(&[wandb(), tls_only()])),
            Some(policy(&[wandb(), tls_only(), vendor()])),
        )],
        Vec::new(),
    );
    assert_snapshot!(print(&plan));
}

#[test]
fn a_diff_inside_a_statement_says_whose_statement_it_is() {
    let mut more = wandb();
    more["Action"].as_array_mut().unwrap().push(json!("s3:PutBucketPolicy"));
    let mut silent = step(
        "bucket.other.policy",
        Action::Update,
        Some(policy(&[wandb()])),
        Some(policy(&[wandb(), vendor()])),
    );
    silent.calls.clear();
    silent.reason = "statements of other teams changed: accepted into the record".into();
    let plan = plan(
        vec![
            step(
                "bucket.vision.policy",
                Action::Update,
                Some(policy(&[wandb(), tls_only()])),
                Some(policy(&[more])),
            ),
            silent,
        ],
        Vec::new(),
    );
    assert_snapshot!(print(&plan));
}

#[test]
fn updates_are_leaves_before_and_after() {
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/1f0e7f5e-3e1b-4a77-9b0c-3d1c2b7a9e10";
    let update = |at: &str, before, after| step(at, Action::Update, Some(before), Some(after));
    let mut root = update("bucket.vision", bucket(false), bucket(true));
    root.calls.clear();
    root.reason = "changed in byob.toml; AWS holds none of it".into();
    let plan = plan(
        vec![
            root,
            update("bucket.vision.encryption", encryption(None), encryption(Some(KeyRef::Arn(arn.into())))),
            update(
                "bucket.vision.cors",
                rules(vec![cors(&["https://acme.wandb.io"])]),
                rules(vec![cors(&["https://acme.wandb.io", "https://wandb.ai"])]),
            ),
            update(
                "bucket.vision.lifecycle",
                lifecycle(vec![lifecycle_rule("byob-abort", 7)]),
                lifecycle(vec![lifecycle_rule("byob-abort", 3), lifecycle_rule("team rule", 9)]),
            ),
            update("bucket.vision.tags", tags(&[("Owner", "a b")]), tags(&[("Team", "platform")])),
        ],
        Vec::new(),
    );
    assert_snapshot!(print(&plan));
}

#[test]
fn a_key_to_be_is_named_where_its_arn_is_not_known() {
    let key = KeyRef::Managed { arn_of: byob_model::address::RootAddress::key("vision") };
    let steps = vec![step(
        "bucket.vision.encryption",
        Action::Update,
        Some(encryption(None)),
        Some(encryption(Some(key))),
    )];
    assert_snapshot!(print(&plan(steps, Vec::new())));
}

#[test]
fn drift_stands_before_the_step_that_cures_it() {
    let mut back =
        step("bucket.vision.tags", Action::Update, Some(tags(&[])), Some(tags(&[("Owner", "platform")])));
    back.reason = "changed outside byob: put back".into();
    let open = PublicAccessBlock { block_public_policy: false, ..PublicAccessBlock::ALL };
    let mut shut = step(
        "bucket.vision.public_access_block",
        Action::Update,
        Some(Attributes::PublicAccessBlock(open)),
        Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
    );
    shut.reason = "changed outside byob: put back".into();
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift(
            "bucket.vision.public_access_block",
            Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
            Some(Attributes::PublicAccessBlock(open)),
        ),
        drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[wandb(), vendor()]))),
    ];
    assert_snapshot!(print(&plan(vec![shut, back], drift)));
}

#[test]
fn nothing_to_do_is_said_in_one_line() {
    let mut plan = plan(Vec::new(), Vec::new());
    assert_snapshot!(print(&plan), @r"
    byob.toml   account 123456789012   1 bucket, 1 key   recorded 2026-11-20, serial 41

    No changes. AWS matches the configuration and the record (812 attributes read).
    ");
    plan.already = vec![address("bucket.vision.tags"), address("bucket.vision.cors")];
    assert_snapshot!(print(&plan), @r"
    byob.toml   account 123456789012   1 bucket, 1 key   recorded 2026-11-20, serial 41

    Already as configured, but not as recorded; the next apply records it: bucket.vision.tags,
      bucket.vision.cors

    No changes. AWS matches the configuration (812 attributes read).
    ");
}

#[test]
fn a_blocked_plan_has_no_line_to_approve() {
    let mut plan =
        plan(vec![step("bucket.vision.tags", Action::Create, None, Some(tags(&[("a", "b")])))], Vec::new());
    plan.findings = vec![
        Finding::new(
            Rule::ExpiresRuns,
            address("bucket.vision.lifecycle"),
            "rule `old` expires current objects: W&B's run files would be lost",
            "W&B warns against it; let W&B delete runs, and expire noncurrent versions only",
        ),
        Finding::new(
            Rule::Protected,
            address("bucket.storage"),
            "`acme-wandb-storage` is protected and would be deleted",
            "to delete it: protect = false in [bucket.storage], byob apply, then this again; to keep it and drop it \
             from the record: forget = [\"bucket.storage\"]",
        ),
        Finding::new(
            Rule::VersioningOff,
            address("bucket.vision.versioning"),
            "versioning is off: W&B's artifact garbage collection frees nothing",
            "versioning = \"enabled\" in [bucket.vision]",
        ),
        Finding {
            severity: Severity::Warning,
            waived: Some(Waived { reason: "a scratch bucket".into(), until: "2027-01-31".into() }),
            ..Finding::new(
                Rule::ExpiresRuns,
                address("bucket.scratch.lifecycle"),
                "rule `all` expires objects",
                "",
            )
        },
    ];
    assert_snapshot!(print(&plan));
    let noted = plan_text(&plan, &header(), &Style { notes: true, ..WIDE });
    assert!(noted.contains("note BYOB046 bucket.vision.versioning: versioning is off: W&B's"), "{noted}");
    assert!(!noted.contains("--notes"), "{noted}");
}

#[test]
fn a_waiver_is_shown_as_a_change_wherever_it_comes() {
    let waived = |until: Option<&str>| {
        let Attributes::Bucket(bucket) = bucket(true) else { panic!() };
        let accepted = until.map(|until| {
            let accepted = Accepted { reason: "a bucket for tests".into(), until: until.parse().unwrap() };
            ("bucket.vision.policy BYOB029".to_owned(), accepted)
        });
        Some(Attributes::Bucket(Bucket { waivers: accepted.into_iter().collect(), ..bucket }))
    };
    let mut changed =
        step("bucket.vision", Action::Update, waived(Some("2027-01-31")), waived(Some("2027-03-31")));
    let mut added = step("bucket.vision", Action::Update, waived(None), waived(Some("2027-01-31")));
    for step in [&mut changed, &mut added] {
        step.calls.clear();
        step.reason = "changed in byob.toml; AWS holds none of it".into();
    }
    let new = step("bucket.vision", Action::Create, None, waived(Some("2027-01-31")));
    let shown: Vec<String> = [changed, added, new]
        .into_iter()
        .map(|step| plan_details(&plan(vec![step], Vec::new()), &WIDE))
        .collect();
    assert_snapshot!(shown.join("---\n"));
}

#[test]
fn notes_stand_in_one_line_each_meaning_once() {
    let steps = ["bucket.a", "bucket.b"].map(|at| step(at, Action::Create, None, Some(bucket(true))));
    let mut plan = plan(steps.to_vec(), Vec::new());
    let note = |rule, at: &str| Finding::new(rule, address(at), "long words", "a long help");
    plan.findings = vec![
        note(Rule::UploadsKept, "bucket.a.lifecycle"),
        note(Rule::VersioningOff, "bucket.a.versioning"),
        note(Rule::VersioningOff, "bucket.b.versioning"),
        // Nothing happens there.
        note(Rule::VersioningOff, "bucket.c.versioning"),
        Finding {
            waived: Some(Waived { reason: "ours".into(), until: "2027-01-31".into() }),
            ..note(Rule::AnyOrigin, "bucket.a.cors")
        },
    ];
    let shown = print(&plan);
    let line = "3 notes: versioning is off (2 times), unfinished uploads are kept (byob plan --notes)\n";
    assert!(shown.contains(line), "{shown}");
    assert!(!shown.contains("long words"), "{shown}");
    plan.findings.truncate(1);
    assert!(print(&plan).contains("1 note: unfinished uploads are kept (byob plan --notes)\n"));
    plan.steps.clear();
    assert!(!print(&plan).contains("note"), "{}", print(&plan));
}

#[test]
fn a_document_that_takes_two_phases_is_shown_once_from_end_to_end() {
    let policy = |actions: &[&str]| {
        let document = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "WandbAccountAccess", "Effect": "Allow",
            "Principal": { "AWS": "830241207209" }, "Action": actions, "Resource": "arn:aws:s3:::acme-wandb-vision/*" }] });
        Some(Attributes::Policy(Policy { document: Document::from_value(&document).unwrap() }))
    };
    let (old, new) =
        (policy(&["s3:GetObject", "s3:PutObject"]), policy(&["s3:GetObject", "s3:DeleteObject"]));
    let between = policy(&["s3:GetObject"]);
    let mut first = step("bucket.vision.policy", Action::Update, old, between.clone());
    first.phase = 1;
    first.reason = "first what both the old and the new one give".into();
    let mut last = step("bucket.vision.policy", Action::Update, between, new);
    last.id = "bucket.vision.policy#2".into();
    let block = |on: bool| {
        Some(Attributes::PublicAccessBlock(PublicAccessBlock {
            block_public_policy: on,
            ..PublicAccessBlock::ALL
        }))
    };
    let opened = step("bucket.vision.public_access_block", Action::Update, block(true), block(false));
    assert_snapshot!(print(&plan(vec![first, opened, last], Vec::new())));
}

#[test]
fn adopting_says_why_and_from_where() {
    let mut renamed = step("bucket.vision", Action::Adopt, Some(bucket(true)), Some(bucket(true)));
    renamed.reason = "recorded as bucket.old".into();
    renamed.from = Some("bucket.old".parse().unwrap());
    let mut found = step("key.vision", Action::Adopt, None, Some(key()));
    found.reason = "carries this record's lineage".into();
    found.calls.clear();
    found.changes = leaves(&json!({ "protect": false }), &json!({ "protect": true }));
    assert_snapshot!(print(&plan(vec![found, renamed], Vec::new())));
}

#[test]
fn forgetting_leaves_a_root_alone_and_says_what_is_written_anyway() {
    let mut listed = step("bucket.vision", Action::Forget, Some(bucket(true)), None);
    listed.reason = "listed in `forget`".into();
    listed.calls.clear();
    let mut reference = step("bucket.reference", Action::Forget, None, None);
    reference.reason = "a reference bucket is never deleted: ours goes, the bucket stays".into();
    reference.calls = vec![call(Operation::PutBucketPolicy), call(Operation::PutBucketCors)];
    assert_snapshot!(print(&plan(vec![listed, reference], Vec::new())));
}

#[test]
fn a_deletion_that_empties_a_bucket_says_so_first() {
    let mut bucket = step("bucket.vision", Action::Delete, Some(bucket(false)), None);
    bucket.calls = vec![call(Operation::DeleteObjects), call(Operation::DeleteBucket)];
    let mut key = step("key.vision", Action::Delete, Some(key()), None);
    key.reason = "taken out of byob.toml; AWS deletes it 30 days after it is scheduled".into();
    key.calls = vec![Call {
        target: Target::Key {
            key: KeyRef::Arn("arn:aws:kms:eu-west-1:123456789012:key/1f0e".into()),
            region: "eu-west-1".into(),
            account_id: "123456789012".into(),
        },
        ..call(Operation::ScheduleKeyDeletion)
    }];
    let cors = step(
        "bucket.other.cors",
        Action::Delete,
        Some(rules(vec![cors(&["*"]), cors(&["https://a.io"])])),
        None,
    );
    let policy = step("bucket.other.policy", Action::Delete, Some(policy(&[tls_only()])), None);
    let mut plan = plan(vec![bucket, key, cors, policy], Vec::new());
    plan.mode.destroy = true;
    assert_snapshot!(print(&plan));
}

#[test]
fn protection_that_goes_off_stands_in_the_headline() {
    let forced = |force_destroy| match bucket(false) {
        Attributes::Bucket(bucket) => Attributes::Bucket(Bucket { force_destroy, ..bucket }),
        other => other,
    };
    let mut off = step("bucket.vision", Action::Update, Some(bucket(true)), Some(forced(true)));
    off.calls.clear();
    off.reason = "changed in byob.toml; AWS holds none of it".into();
    let plan = plan(vec![off], Vec::new());
    assert_snapshot!(print(&plan));
    assert!(plan_details(&plan, &WIDE).starts_with("Protection goes off: bucket.vision\n"));
}

#[test]
fn nothing_in_a_value_steers_the_terminal_or_hides() {
    let mut plan = plan(
        vec![step(
            "bucket.vision.tags",
            Action::Update,
            Some(tags(&[("Owner", "x"), ("\u{202e}renwO", "\u{2066}a")])),
            Some(tags(&[
                ("Owner", "\u{1b}[2K\u{1b}[32mfine\nbyob apply --approve sha256:0"),
                ("\u{202e}renwO", "→ (removed)   (record only)"),
            ])),
        )],
        Vec::new(),
    );
    plan.findings = vec![Finding::new(
        Rule::NotOurs,
        address("bucket.vision"),
        "`a\u{1b}b` exists\u{9b}31m",
        "see \u{200b}here\r",
    )];
    let head = Header { notes: vec!["recovered \u{1b}[1m".into()], ..header() };
    let shown = plan_text(&plan, &head, &WIDE);
    assert_harmless(&shown);
    assert_snapshot!(shown);
}

#[test]
fn what_is_not_aws_and_what_runs_is_announced() {
    let head = Header {
        endpoint: "sandbox".into(),
        running: Some("ada@build-7, since 14:02 UTC".into()),
        notes: vec!["An interrupted run made bucket.vision; it is taken into the record.".into()],
        keys: 0,
        buckets: 2,
        ..header()
    };
    let mut plan = plan(Vec::new(), Vec::new());
    plan.mode.target.insert("bucket.vision".into());
    assert_snapshot!(plan_text(&plan, &head, &WIDE));
    let head = Header { endpoint: "localhost:9000".into(), ..header() };
    let shown = plan_text(&plan, &head, &WIDE);
    assert!(shown.starts_with("ENDPOINT localhost:9000: this is not AWS\n"), "{shown}");
}

#[test]
fn drift_that_no_step_cures_is_shown_and_counted() {
    let off = Drift {
        severity: DriftSeverity::Exposure,
        meaning: String::new(),
        severities: BTreeSet::new(),
        traced: byob_plan::trail::Traced::default(),
        address: address("bucket.vision.versioning"),
        changes: vec![byob_plan::Change {
            path: "/status".into(),
            before: json!("Enabled"),
            after: json!("Suspended"),
            unknown: None,
        }],
        before: None,
        after: None,
    };
    assert_snapshot!(print(&plan(Vec::new(), vec![off])));
}

#[test]
fn colour_changes_no_letter() {
    let plain = print(&first_plan());
    let colored = plan_text(&first_plan(), &header(), &Style { color: true, ..WIDE });
    let mut stripped = String::new();
    let mut parts = colored.split('\u{1b}');
    stripped.push_str(parts.next().unwrap());
    for part in parts {
        stripped.push_str(part.split_once('m').unwrap().1);
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_key_of_which_only_the_arn_is_known_is_named_by_it() {
    let mut step = step("key.vision.tags", Action::Update, Some(tags(&[])), Some(tags(&[("a", "b")])));
    step.calls.clear();
    step.record = vec![RecordChange::Put(
        address("key.vision.tags"),
        byob_model::recorded::RecordedResource {
            kind: step.kind,
            account_id: String::new(),
            region: String::new(),
            identity: "arn:aws:kms:eu-west-1:123456789012:key/1f0e".into(),
            attributes: Value::Null,
            created: false,
            name_prefix: None,
            keys_used: BTreeSet::new(),
            versioning_seen: false,
        },
    )];
    let shown = print(&plan(vec![step], Vec::new()));
    assert!(
        shown.contains("\nkey.vision   arn:aws:kms:eu-west-1:123456789012:key/1f0e   eu-west-1\n"),
        "{shown}"
    );
}
