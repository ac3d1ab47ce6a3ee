use byob_model::kind::{Versioning, VersioningStatus};
use byob_plan::drift::{DriftSummary, Report};
use insta::assert_snapshot;

use super::*;
use crate::drift_text;

fn report(drift: Vec<Drift>) -> Report {
    let summary = DriftSummary { drifted: drift.len(), addresses: 57, attributes: 812 };
    Report { drift, summary, ends: Vec::new() }
}

#[test]
fn drift_says_what_it_means_the_worst_first() {
    let open = PublicAccessBlock {
        block_public_policy: false,
        restrict_public_buckets: false,
        ..PublicAccessBlock::ALL
    };
    let mut gone = drift("bucket.storage", None, None);
    gone.changes = vec![byob_plan::Change {
        path: String::new(),
        before: json!("acme-wandb-storage"),
        after: json!("absent"),
        unknown: None,
    }];
    gone.severity = byob_plan::DriftSeverity::Breakage;
    gone.meaning = "it was deleted outside byob, and its data with it".into();
    let disabled = |state| match key() {
        Attributes::Key(key) => Attributes::Key(Key { state, ..key }),
        other => other,
    };
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift(
            "bucket.vision.public_access_block",
            Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
            Some(Attributes::PublicAccessBlock(open)),
        ),
        drift(
            "bucket.vision.versioning",
            Some(Attributes::Versioning(Versioning { status: VersioningStatus::Enabled })),
            Some(Attributes::Versioning(Versioning { status: VersioningStatus::Suspended })),
        ),
        drift("bucket.vision.policy", Some(policy(&[wandb()])), Some(policy(&[vendor()]))),
        gone,
        drift("key.vision", Some(key()), Some(disabled(KeyState::PendingDeletion))),
    ];
    assert_snapshot!(drift_text(&report(drift), &header(), &WIDE));
}

#[test]
fn no_drift_is_said_in_one_line() {
    assert_snapshot!(drift_text(&report(Vec::new()), &header(), &WIDE));
}

#[test]
fn drift_hides_nothing_from_the_terminal() {
    let drift =
        drift("bucket.vision.tags", Some(tags(&[("a", "b")])), Some(tags(&[("a", "\u{1b}[8m\u{202e}")])));
    assert_harmless(&drift_text(&report(vec![drift]), &header(), &WIDE));
}
