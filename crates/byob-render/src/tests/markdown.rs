use std::collections::BTreeSet;

use byob_plan::access::{Answer, Example};
use byob_plan::finding::{Finding, Rule, Severity};
use byob_policy::ResourceClass;
use comrak::nodes::{NodeHtmlBlock, NodeValue};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::hostile::{corpus, hostile_header, hostile_plan, hostile_report};
use super::*;
use crate::progress::{Outcome, SettledView};
use crate::{drift_markdown, outcome_markdown, plan_markdown};

/// What GitHub takes.
const MOST: usize = 65_536;

/// GitHub's extensions, and its mathematics.
fn github() -> comrak::Options<'static> {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options
}

/// What a comment is made of, read as GitHub reads it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    headings: usize,
    tables: usize,
    /// Cells of each row: a pipe that is none would show.
    cells: BTreeSet<usize>,
    fences: usize,
    folds: usize,
    html: Vec<String>,
    code: Vec<String>,
}

/// Reads a comment, and insists that nothing in it is more than text.
fn read(markdown: &str) -> Shape {
    assert_harmless(markdown);
    assert!(markdown.len() < MOST && markdown.encode_utf16().count() < MOST);
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, markdown, &github());
    let mut shape = Shape::default();
    let (mut open, mut closed) = (0, 0);
    for node in root.descendants() {
        match &node.data.borrow().value {
            NodeValue::Heading(_) => shape.headings += 1,
            NodeValue::Table(_) => shape.tables += 1,
            NodeValue::TableRow(_) => {
                shape.cells.insert(node.children().count());
            }
            NodeValue::CodeBlock(block) => {
                assert!(block.fenced && block.closed, "{markdown}");
                shape.fences += 1;
            }
            NodeValue::Code(code) => shape.code.push(code.literal.clone()),
            NodeValue::HtmlBlock(NodeHtmlBlock { literal, .. }) => {
                for line in literal.lines() {
                    open += usize::from(line.starts_with("<details>"));
                    closed += usize::from(line == "</details>");
                    shape.html.push(line.to_owned());
                }
            }
            NodeValue::Text(text) => assert_plain(text, markdown),
            NodeValue::Document
            | NodeValue::Paragraph
            | NodeValue::List(_)
            | NodeValue::Item(_)
            | NodeValue::TableCell
            | NodeValue::SoftBreak
            | NodeValue::Strong => {}
            other => panic!("{other:?} in\n{markdown}"),
        }
    }
    assert_eq!(open, closed, "{markdown}");
    shape.folds = open;
    for line in &shape.html {
        assert_ours(line, markdown);
    }
    shape
}

/// GitHub makes links of some texts after the Markdown is read; it leaves code alone.
fn assert_plain(text: &str, markdown: &str) {
    let lower = text.to_lowercase();
    for bad in ["@", "#", "gh-", "://", "www.", "$", "`", "javascript", "jira-"] {
        assert!(!lower.contains(bad), "{bad} in {text:?} of\n{markdown}");
    }
}

/// The HTML that is ours: the marker, and folds whose heads are code and our own words.
fn assert_ours(line: &str, markdown: &str) {
    let mut rest = match line {
        "</details>" => return,
        _ if line.starts_with("<!-- byob:") => {
            assert!(
                line.ends_with(" -->") && line.matches("-->").count() == 1 && line.matches('<').count() == 1
            );
            return;
        }
        _ => line.strip_prefix("<details><summary>").and_then(|rest| rest.strip_suffix("</summary>")),
    }
    .unwrap_or_else(|| panic!("{line:?} in\n{markdown}"));
    let mut words = String::new();
    while let Some((before, after)) = rest.split_once("<code>") {
        let (code, behind) = after.split_once("</code>").unwrap();
        assert!(!code.contains(['<', '>']), "{line}");
        words.push_str(before);
        rest = behind;
    }
    words.push_str(rest);
    assert!(!words.contains(['<', '@', '#', '[', '$']), "{line}");
}

/// The plan of screens.md that a reviewer must stop at.
pub(super) fn dangerous() -> Plan {
    let mut back =
        step("bucket.vision.tags", Action::Update, Some(tags(&[])), Some(tags(&[("Owner", "platform")])));
    back.reason = "changed outside byob: put back".into();
    let mut plan = plan(
        vec![
            step(
                "bucket.vision.policy",
                Action::Update,
                Some(policy(&[wandb()])),
                Some(policy(&[wandb(), vendor()])),
            ),
            back,
        ],
        vec![drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[])))],
    );
    let beyond = |class: ResourceClass| {
        let had = access::matching(class, &byob_model::desired::STORAGE_ACTIONS);
        let all = access::matching(class, &["s3:*"]);
        access::gains(
            "bucket.vision",
            class,
            "arn:aws:iam::830241207209:root",
            all.into_iter().filter(|one| !had.contains(one)).collect(),
        )
    };
    plan.access = vec![beyond(ResourceClass::Bucket), beyond(ResourceClass::Objects)];
    plan.access[0].example = Some(Example {
        who: "arn:aws:iam::830241207209:role/any".into(),
        action: "s3:PutBucketPolicy".into(),
        resource: "arn:aws:s3:::acme-wandb-vision".into(),
    });
    plan.access_verdict.grows = Answer::Yes;
    plan.findings = vec![Finding::new(
        Rule::ForeignAccount,
        address("bucket.vision.policy"),
        "arn:aws:iam::830241207209:root may do more than W&B needs: statement `VendorAdmin`",
        "take the statement out of `extra_statements` in [bucket.vision]",
    )];
    plan
}

#[test]
fn a_first_plan_is_a_headline_a_table_and_a_fold_a_root() {
    let markdown = plan_markdown(&first_plan(), &Header { recorded: None, ..header() });
    let shape = read(&markdown);
    assert_eq!((shape.headings, shape.tables, shape.fences, shape.folds), (1, 1, 3, 2));
    assert_snapshot!(markdown);
}

#[test]
fn a_plan_that_a_reviewer_must_stop_at_says_so_in_its_headline() {
    let markdown = plan_markdown(&dangerous(), &header());
    read(&markdown);
    assert_snapshot!(markdown);
}

#[test]
fn a_blocked_plan_has_its_errors_above_and_no_line_to_approve() {
    let mut plan = dangerous();
    plan.findings.push(Finding::new(
        Rule::Protected,
        address("bucket.vision"),
        "`acme-wandb-vision` is protected and would be deleted",
        "to delete it: protect = false in [bucket.vision], byob apply, then this again",
    ));
    let markdown = plan_markdown(&plan, &header());
    read(&markdown);
    assert!(!markdown.contains("--approve"), "{markdown}");
    assert!(markdown.contains("· **1 error: nothing can be applied** ·"), "{markdown}");
    assert!(markdown.contains(&plan.digest), "{markdown}");
}

#[test]
fn nothing_to_do_is_a_headline_and_a_sentence() {
    let head = Header { stack: "team-a".into(), endpoint: "sandbox".into(), ..header() };
    let markdown = plan_markdown(&plan(Vec::new(), Vec::new()), &head);
    read(&markdown);
    assert_snapshot!(markdown);
}

#[test]
fn drift_is_a_table_with_the_worst_first_and_a_fold_a_root() {
    let shut = Attributes::PublicAccessBlock(PublicAccessBlock::ALL);
    let open = Attributes::PublicAccessBlock(PublicAccessBlock {
        block_public_policy: false,
        ..PublicAccessBlock::ALL
    });
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift("bucket.vision.public_access_block", Some(shut), Some(open)),
    ];
    let summary = byob_plan::drift::DriftSummary { drifted: 2, addresses: 57, attributes: 812 };
    let markdown = drift_markdown(&byob_plan::drift::Report { drift, summary, ends: Vec::new() }, &header());
    read(&markdown);
    assert_snapshot!(markdown);
    let none = byob_plan::drift::Report { drift: Vec::new(), summary, ends: Vec::new() };
    assert!(read(&drift_markdown(&none, &header())).folds == 0);
}

/// Many buckets with everything; `noisy`: on each somebody else gains something, and there are two findings.
fn large(buckets: usize, noisy: bool) -> Plan {
    let mut steps = Vec::new();
    let mut drifted = Vec::new();
    let mut all = Vec::new();
    let mut findings = Vec::new();
    for n in 0..buckets {
        let at = |aspect: &str| format!("bucket.team-{n:03}{aspect}");
        steps.push(step(
            &at(".policy"),
            Action::Update,
            Some(policy(&[wandb(), tls_only()])),
            Some(policy(&[wandb(), vendor()])),
        ));
        steps.push(step(&at(".tags"), Action::Update, Some(tags(&[])), Some(tags(&[("Owner", "platform")]))));
        steps.push(step(
            &at(".cors"),
            Action::Create,
            None,
            Some(rules(vec![cors(&["https://acme.wandb.io"])])),
        ));
        drifted.push(drift(&at(".tags"), Some(tags(&[("Owner", "platform")])), Some(tags(&[]))));
        if !noisy {
            all.extend(access::first(&at("")));
            continue;
        }
        // Each bucket's own reader: no two rows are one.
        let reader = format!("arn:aws:iam::{:012}:role/reader-{n}", 111_122_223_333_u64 + n as u64);
        all.push(access::gains(&at(""), ResourceClass::Objects, &reader, vec!["s3:GetObjectAcl".into()]));
        for rule in [Rule::ForeignAccount, Rule::AclsOn] {
            let message = format!("{reader} of another account is let in by the policy of `{}`", at(""));
            findings.push(Finding::new(rule, address(&at(".policy")), message, "take it out of [bucket.*]"));
        }
    }
    let mut plan = plan(steps, drifted);
    (plan.access, plan.findings) = (all, findings);
    plan.access_verdict.grows = Answer::Yes;
    plan
}

#[test]
fn three_hundred_changed_buckets_fit_and_the_headline_is_complete() {
    let mut plan = large(300, false);
    plan.steps.push(step("bucket.last", Action::Update, Some(bucket(true)), Some(bucket(false))));
    let markdown = plan_markdown(&plan, &header());
    let shape = read(&markdown);
    assert_eq!(
        markdown.lines().nth(1),
        Some(
            "### byob: 300 to create, 600 to update, 300 drifted · **protection goes off (1)** · **access grows** · \
             account 123456789012"
        )
    );
    assert!(markdown.contains(&format!("byob apply --approve {}", plan.digest)));
    assert_eq!(shape.cells, BTreeSet::from([3]));
    assert!(shape.folds > 20 && shape.tables == 1, "{} folds, {} tables", shape.folds, shape.tables);
    let left = markdown.lines().find(|line| line.starts_with("**Left out here**")).unwrap();
    assert_snapshot!(left);
    assert!(markdown.contains("`byob plan` prints all of it"));
    // Where access and findings are as many, they go before details.
    let markdown = plan_markdown(&large(300, true), &header());
    read(&markdown);
    assert!(markdown.contains("**access grows** · 600 warnings · account"), "{markdown}");
    let left = markdown.lines().find(|line| line.starts_with("**Left out here**")).unwrap();
    assert_snapshot!(left);
}

#[test]
fn nothing_is_left_out_while_there_is_room() {
    let markdown = plan_markdown(&large(10, true), &header());
    let shape = read(&markdown);
    assert_eq!((shape.folds, shape.fences), (10, 11));
    assert!(!markdown.contains("Left out"), "{markdown}");
}

#[test]
fn whatever_is_enormous_verdict_errors_and_digest_stay() {
    let long = "x".repeat(20_000);
    let mut plan = large(600, true);
    for n in 0..300 {
        let at = address(&format!("bucket.team-{n:03}"));
        plan.findings.push(Finding::new(Rule::TooLarge, at, format!("{long} `{long}`"), long.clone()));
    }
    plan.access_verdict.not_checked = vec![long.clone(); 40];
    let head = Header {
        notes: vec![long.clone(); 200],
        approve_flags: " --target bucket.a".repeat(5000),
        config_file: long,
        ..header()
    };
    let markdown = plan_markdown(&plan, &head);
    read(&markdown);
    for needed in
        ["300 errors: nothing can be applied", "**Access**", "- **BYOB015** `bucket.team-000`", &plan.digest]
    {
        assert!(markdown.contains(needed), "{needed} in\n{markdown}");
    }
    plan.findings.retain(|finding| finding.severity != Severity::Error);
    let markdown = plan_markdown(&plan, &head);
    read(&markdown);
    assert!(markdown.contains(&format!("--approve {}\n", plan.digest)));
}

#[test]
fn the_end_of_an_apply_says_how_it_went_and_fits() {
    let outcome = Outcome {
        done: 10,
        failed: vec![("bucket.a.policy".into(), "```\n# broken out @team".into(), vec!["mend".into()])],
        not_started: (0..9000).map(|n| format!("bucket.team-{n}")).collect(),
        interrupted: false,
        settled: SettledView::NotLookedAt,
        seconds: 1.0,
        nothing_to_do: false,
        saved: true,
    };
    let markdown = outcome_markdown(&outcome);
    let shape = read(&markdown);
    assert_eq!((shape.headings, shape.fences), (1, 1));
    assert!(markdown.starts_with("### byob apply: **failed** · 10 steps done, 1 failed, 9000 not started\n"));
    let good =
        Outcome { failed: Vec::new(), not_started: Vec::new(), settled: SettledView::Converged, ..outcome };
    assert_snapshot!(outcome_markdown(&good));
}

/// The shape of a comment without the texts in it.
fn bare(markdown: &str) -> Shape {
    Shape { html: Vec::new(), code: Vec::new(), ..read(markdown) }
}

fn stays_text(text: &str) {
    let harmless = "harmless";
    let (plan, head) = (hostile_plan(text), hostile_header(text));
    let shown = plan_markdown(&plan, &head);
    assert_eq!(
        bare(&shown),
        bare(&plan_markdown(&hostile_plan(harmless), &hostile_header(harmless))),
        "{text:?}\n{shown}"
    );
    let shown = drift_markdown(&hostile_report(text), &head);
    assert_eq!(
        bare(&shown),
        bare(&drift_markdown(&hostile_report(harmless), &hostile_header(harmless))),
        "{text:?}\n{shown}"
    );
}

#[test]
fn every_hostile_string_stays_text() {
    corpus().iter().for_each(|text| stays_text(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_text_breaks_out(parts in proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(corpus()),
            "[ -~]{0,12}",
            "[`|\\\\<>&\\[\\]()@#$*_~:/\n ]{0,8}",
            "\\PC{0,4}",
        ], 0..5)
    ) {
        stays_text(&parts.concat());
    }
}
