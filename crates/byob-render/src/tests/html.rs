//! The pages of plans and drift reports: what stands on them, and that no text from outside becomes markup.

use std::slice::from_ref;

use byob_model::address::{Kind, RootAddress};
use byob_plan::access::{BucketEnd, Ends, KeyEnd};
use byob_plan::drift::{DriftSummary, Report};
use byob_plan::{Finding, Rule};

use super::hostile::{corpus, hostile_header, hostile_plan, hostile_report};
use super::*;
use crate::{drift_html, plan_html};

fn document(attributes: &Attributes) -> Document {
    match attributes {
        Attributes::Policy(policy) => policy.document.clone(),
        other => panic!("{other:?}"),
    }
}

fn end(statements: &[Value]) -> BucketEnd {
    BucketEnd {
        policy: Some(document(&policy(statements))),
        block: Some(PublicAccessBlock::ALL),
        acls_off: Some(true),
    }
}

fn bucket_ends(label: &str, before: Option<BucketEnd>, after: Option<BucketEnd>) -> Ends {
    let (root, name) = (RootAddress::bucket(label), "acme-wandb-vision".into());
    Ends::Bucket { root, name, before, after, leaves_key: false }
}

/// The first plan, with the ends that it was judged by.
fn first() -> Plan {
    let mut plan = first_plan();
    let key_policy = plan.steps.iter().find(|step| step.kind == Kind::KeyPolicy).unwrap();
    let key_policy = document(key_policy.after.as_ref().unwrap());
    plan.ends = vec![
        bucket_ends("vision", None, Some(end(&[wandb(), tls_only()]))),
        Ends::Key {
            root: RootAddress::key("vision"),
            before: None,
            after: Some(KeyEnd { policy: Some(key_policy), enabled: true }),
        },
    ];
    plan.names = [
        (RootAddress::bucket("vision"), "acme-wandb-vision".to_owned()),
        (RootAddress::key("vision"), "alias/wandb-vision".to_owned()),
    ]
    .into();
    plan
}

/// W&B gets everything on a bucket, and loses a key.
fn dangerous() -> Plan {
    let change = step(
        "bucket.vision.policy",
        Action::Update,
        Some(policy(&[wandb(), tls_only()])),
        Some(policy(&[wandb(), tls_only(), vendor()])),
    );
    let owner = |owner: &str| tags(&[("Owner", owner)]);
    let back = step("bucket.vision.tags", Action::Update, Some(tags(&[])), Some(owner("platform")));
    let off = step("bucket.vision", Action::Update, Some(bucket(true)), Some(bucket(false)));
    let mut plan = plan(
        vec![off, back, change],
        vec![drift("bucket.vision.tags", Some(owner("platform")), Some(tags(&[])))],
    );
    let ends = vec![bucket_ends(
        "vision",
        Some(end(&[wandb(), tls_only()])),
        Some(end(&[wandb(), tls_only(), vendor()])),
    )];
    (plan.access, plan.access_verdict) = byob_plan::access::drifted(&ends, "123456789012");
    plan.ends = ends;
    plan.names.insert(RootAddress::bucket("vision"), "acme-wandb-vision".into());
    plan.findings = vec![
        Finding::new(
            Rule::CannotTakeOut,
            address("bucket.vision.versioning"),
            "versioning cannot be taken out",
            "write it",
        ),
        Finding::new(Rule::Interrupted, address("bucket.vision"), "W&B is interrupted for a moment", ""),
    ];
    plan
}

fn many(number: usize) -> Plan {
    let mut steps = Vec::new();
    let mut ends = Vec::new();
    for n in 0..number {
        let other = json!({"Sid": "Other", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::2222222222{:02}:role/reader-{n}", n % 100)},
            "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::acme-{n}/*")});
        let own = json!({"Sid": "W", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
            "Action": ["s3:GetObject", "s3:PutObject"], "Resource": format!("arn:aws:s3:::acme-{n}/*")});
        let (old, new) =
            (vec![own.clone()], if n % 5 == 0 { vec![own.clone(), other] } else { vec![own.clone()] });
        if n % 5 == 0 {
            steps.push(step(
                &format!("bucket.b{n:03}.policy"),
                Action::Update,
                Some(policy(&old)),
                Some(policy(&new)),
            ));
        } else {
            steps.push(step(
                &format!("bucket.b{n:03}.cors"),
                Action::Update,
                Some(rules(vec![cors(&["*"])])),
                Some(rules(vec![cors(&["https://a.example"])])),
            ));
        }
        ends.push(Ends::Bucket {
            root: RootAddress::bucket(&format!("b{n:03}")),
            name: format!("acme-{n}"),
            before: Some(end(&old)),
            after: Some(end(&new)),
            leaves_key: false,
        });
    }
    let mut plan = plan(steps, Vec::new());
    (plan.access, plan.access_verdict) = byob_plan::access::drifted(&ends, "123456789012");
    plan.ends = ends;
    plan
}

fn drifted() -> Report {
    let open = PublicAccessBlock {
        block_public_policy: false,
        restrict_public_buckets: false,
        ..PublicAccessBlock::ALL
    };
    let public = json!({"Sid": "Oops", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::acme-wandb-vision/*"});
    let drift = vec![
        drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[]))),
        drift(
            "bucket.vision.public_access_block",
            Some(Attributes::PublicAccessBlock(PublicAccessBlock::ALL)),
            Some(Attributes::PublicAccessBlock(open)),
        ),
        drift(
            "bucket.vision.policy",
            Some(policy(&[wandb(), tls_only()])),
            Some(policy(&[wandb(), public.clone()])),
        ),
    ];
    let before = end(&[wandb(), tls_only()]);
    let after = BucketEnd { block: Some(open), ..end(&[wandb(), public]) };
    let ends = vec![bucket_ends("vision", Some(before), Some(after))];
    Report { summary: DriftSummary { drifted: drift.len(), addresses: 57, attributes: 812 }, drift, ends }
}

fn pages(text: &str) -> Vec<String> {
    let plan = hostile_plan(text);
    let report = hostile_report(text);
    vec![
        plan_html(&plan, &hostile_header(text)).unwrap(),
        drift_html(&report, &hostile_header(text)).unwrap(),
    ]
}

/// Each tag with its path and the names of its attributes, in order. Panics where the page is not well nested.
fn structure(page: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["meta", "br", "!doctype"];
    let (mut open, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let style = page.find("<style>").unwrap()..page.find("</style>").unwrap();
    let page = format!("{}<style>{}", &page[..style.start], &page[style.end..]);
    for tag in page.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap();
        assert!(!text.contains('>'), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        // Values stand in double quotes, and have none.
        let parts: Vec<&str> = tag.split('"').collect();
        assert_eq!(parts.len() % 2, 1, "{tag}");
        let names: Vec<&str> = parts.iter().step_by(2).flat_map(|part| part.split_whitespace()).collect();
        let name = names[0].to_owned();
        all.push(format!("{} {}", open.join("/"), names.join(" ")));
        if !alone && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

/// The words of a page, without its tags.
fn text_of(page: &str) -> String {
    let page = &page[page.find("</style>").unwrap()..];
    let text: Vec<&str> =
        page.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect();
    let text: Vec<&str> = text.into_iter().filter(|text| !text.is_empty()).collect();
    text.join(" ")
        .replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
        .replace("&gt;", ">")
        .replace("&#x27;", "'")
}

#[test]
fn no_text_from_outside_becomes_markup() {
    let known: BTreeSet<String> =
        ["x", "a b", "*", "\u{1b}"].into_iter().flat_map(pages).flat_map(|page| structure(&page)).collect();
    for text in corpus() {
        for page in pages(&text) {
            assert_harmless(&page);
            let unknown: Vec<String> =
                structure(&page).into_iter().filter(|tag| !known.contains(tag)).collect();
            assert_eq!(unknown, Vec::<String>::new(), "{text:?}");
        }
    }
}

/// A plan with a text in places that change nothing else about the page.
fn labelled(text: &str) -> Plan {
    let mut plan = dangerous();
    plan.findings.push(Finding::new(Rule::AclsOn, address("bucket.vision"), text, text));
    plan.access_verdict.not_checked = vec![text.to_owned()];
    let tagged = |value: &str| tags(&[("Owner", value)]);
    plan.steps.push(step("bucket.vision.tags", Action::Update, Some(tagged("y")), Some(tagged(text))));
    plan
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 48, ..Default::default() })]
    #[test]
    fn whatever_a_text_is_the_page_has_the_same_elements(text in "z\\PC{1,40}|z[<>&\"'`/= a-z!-]{1,40}") {
        let head = |text: &str| Header { config_file: text.into(), notes: vec![text.into()], ..header() };
        let page = plan_html(&labelled(&text), &head(&text)).unwrap();
        let harmless = plan_html(&labelled("x"), &head("x")).unwrap();
        assert_harmless(&page);
        proptest::prop_assert_eq!(structure(&page), structure(&harmless));
    }
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    for page in [
        plan_html(&first(), &header()).unwrap(),
        plan_html(&many(300), &header()).unwrap(),
        drift_html(&drifted(), &header()).unwrap(),
    ] {
        for tag in structure(&page) {
            let (_, tag) = tag.split_once(' ').unwrap();
            let mut names = tag.split(' ');
            assert!(
                !["script", "a", "img", "link", "iframe", "form", "use", "image"]
                    .contains(&names.next().unwrap()),
                "{tag}"
            );
            assert!(
                names.all(|name| !name.starts_with("on")
                    && !["src=", "href=", "style=", "xlink:href="].contains(&name)),
                "{tag}"
            );
        }
        assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"));
        assert!(!crate::html::STYLE.contains("url(") && !crate::html::STYLE.contains("@import"));
    }
}

#[test]
fn the_same_plan_is_the_same_page() {
    assert_eq!(plan_html(&many(30), &header()).unwrap(), plan_html(&many(30), &header()).unwrap());
    assert_eq!(drift_html(&drifted(), &header()).unwrap(), drift_html(&drifted(), &header()).unwrap());
}

#[test]
fn the_page_lets_in_its_own_style_sheet_by_hash() {
    use sha2::Digest;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let page = plan_html(&first(), &header()).unwrap();
    let style = &page[page.find("<style>").unwrap() + 7..page.find("</style>").unwrap()];
    let hash: Vec<u8> = sha2::Sha256::digest(style.as_bytes()).iter().copied().chain([0]).collect();
    let base64: String = hash
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift) as usize & 63]))
        })
        .collect();
    let expected = format!("sha256-{}=", &base64[..43]);
    assert_eq!(crate::html::STYLE_HASH, expected, "write this into STYLE_HASH");
    assert!(page.contains(&format!("style-src '{}'", expected.replace('/', "&#x2f;"))), "{}", &page[..400]);
}

/// The contrast of two colours.
///
/// Source: WCAG 2.2, "relative luminance" and "contrast ratio".
fn contrast(one: &str, other: &str) -> f64 {
    let light = |color: &str| {
        let color = color.trim_start_matches('#');
        let color =
            if color.len() == 3 { color.chars().flat_map(|c| [c, c]).collect() } else { color.to_owned() };
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_colour_can_be_read_on_every_ground_it_stands_on() {
    let style = crate::html::STYLE;
    let schemes: Vec<&str> =
        style.split(":root{").skip(1).map(|rest| &rest[..rest.find('}').unwrap()]).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let color = |name: &str| {
            let found = scheme.split(';').find_map(|one| one.strip_prefix(&format!("--{name}:")));
            found.unwrap_or_else(|| panic!("no {name} in {scheme}"))
        };
        for text in ["text", "dim", "good", "bad", "warn", "note"] {
            let own = format!("{text}bg");
            for ground in ["bg", "surface"]
                .into_iter()
                .chain((!["text", "dim"].contains(&text)).then_some(own.as_str()))
            {
                let ratio = contrast(color(text), color(ground));
                assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
            }
        }
    }
}

#[test]
fn a_plan_is_shown_with_what_decides_at_the_top() {
    let page = text_of(&plan_html(&dangerous(), &header()).unwrap());
    for words in [
        "0 to create, 3 to update, 0 to delete, 1 drifted; access grows; access is interrupted for a moment",
        "✗ 1 error: nothing can be applied",
        "✗ protection goes off",
        "Protection goes off: bucket.vision",
        "Nobody gains access but those below; the bucket is not public.",
        "objects: + permissions, + more write, + tagging, read, + list",
        "by the bucket policy",
        "BYOB012",
        "help: write it",
        "\"Sid\": \"VendorAdmin\"",
        "platform → (removed) (changed outside byob)",
    ] {
        let spaced: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(spaced.contains(words), "{words}\nin\n{spaced}");
    }
    // What cannot be applied is not offered.
    assert!(!page.contains("--approve"));
    let page = text_of(&plan_html(&first(), &header()).unwrap());
    assert!(page.contains(&format!("byob apply --approve {}", first().digest)), "{page}");
}

#[test]
fn the_picture_of_many_buckets_is_bounded_and_says_what_it_leaves_out() {
    let page = plan_html(&many(300), &header()).unwrap();
    let wide =
        &page[page.find("class=\"picture wide\"").unwrap()..page.find("class=\"picture narrow\"").unwrap()];
    // A line for each arrow that is drawn.
    assert_eq!(wide.matches("class=\"line\"").count(), 24);
    let text = text_of(&page);
    assert!(text.contains("97 more arrows are not drawn"), "{text}");
    // The 240 buckets that only W&B reaches, all in the same way, are one row.
    assert!(text.contains("240 buckets (bucket.b001, bucket.b002, bucket.b003 and 237 more)"));
    assert!(text.contains("bucket.b295"));
}

#[test]
fn what_drift_may_have_opened_is_not_told_to_be_shut() {
    let before = || Some(end(&[wandb(), tls_only()]));
    let page = |ends: Ends| {
        let drift = vec![drift("bucket.vision.tags", Some(tags(&[("Owner", "platform")])), Some(tags(&[])))];
        let summary = DriftSummary { drifted: 1, addresses: 57, attributes: 812 };
        text_of(&drift_html(&Report { summary, drift, ends: vec![ends] }, &header()).unwrap())
    };
    let same = bucket_ends("vision", before(), before());
    assert!(page(same.clone()).contains("no new access"));
    let Ends::Bucket { root, name, before: was, after, .. } = same else { panic!() };
    for ends in [
        Ends::Bucket { root, name, before: was, after, leaves_key: true },
        bucket_ends("vision", before(), Some(BucketEnd::default())),
    ] {
        let page = page(ends);
        assert!(page.contains("access may have grown") && !page.contains("no new access"), "{page}");
    }
}

/// The page of a plan that changes one bucket's policy.
fn page_of(before: &[Value], after: &[Value]) -> String {
    let change = step("bucket.vision.policy", Action::Update, Some(policy(before)), Some(policy(after)));
    let mut plan = plan(vec![change], Vec::new());
    let ends = vec![bucket_ends("vision", Some(end(before)), Some(end(after)))];
    (plan.access, plan.access_verdict) = byob_plan::access::drifted(&ends, "123456789012");
    plan.ends = ends;
    plan_html(&plan, &header()).unwrap()
}

/// The words of the table of who reaches what, and what the picture says, a line of it after the other.
fn reach_of(page: &str) -> (String, String) {
    let text = text_of(page);
    let table =
        text.split_once("The same as a table").unwrap().1.split_once("What bucket policies").unwrap().0;
    let wide = page.find("class=\"picture wide\"").unwrap()..page.find("class=\"picture narrow\"").unwrap();
    let lines = page[wide].split("<text class=\"carrier\"").skip(1).map(|line| {
        let text = line.split_once("<tspan class=\"plain\">").unwrap().1.split_once('<').unwrap().0;
        text.replace("&#x2f;", "/")
    });
    (table.split_whitespace().collect::<Vec<_>>().join(" "), lines.collect::<Vec<_>>().join(" "))
}

fn theirs(actions: &[&str], resource: &str, condition: Option<Value>) -> Value {
    let mut allow = json!({"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
        "Action": actions, "Resource": resource});
    if let Some(condition) = condition {
        allow["Condition"] = condition;
    }
    allow
}

const OBJECTS: &str = "arn:aws:s3:::acme-wandb-vision/*";

#[test]
fn a_condition_that_is_taken_out_is_not_told_of_what_is_after() {
    let from = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    let (with, without) =
        (theirs(&["s3:GetObject"], OBJECTS, Some(from)), theirs(&["s3:GetObject"], OBJECTS, None));
    let (table, picture) = reach_of(&page_of(from_ref(&with), from_ref(&without)));
    assert!(
        table.ends_with("bucket policy objects: read only from 10.0.0.0/8 + objects: wider read"),
        "{table}"
    );
    assert_eq!(picture, "by the bucket policy");
    let (table, picture) = reach_of(&page_of(&[without], from_ref(&with)));
    assert!(
        table.ends_with("bucket policy objects: read − objects: narrower read only from 10.0.0.0/8"),
        "{table}"
    );
    assert_eq!(picture, "by the bucket policy only from 10.0.0.0/8");
    // Of what is gone, it was.
    let (table, picture) = reach_of(&page_of(&[with], &[]));
    assert!(table.ends_with("objects: read only from 10.0.0.0/8 − nothing"), "{table}");
    assert_eq!(picture, "by the bucket policy was: only from 10.0.0.0/8");
}

#[test]
fn a_condition_stands_beside_what_it_is_about_and_nothing_else() {
    let from = || Some(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}));
    let read = theirs(&["s3:GetObject"], OBJECTS, from());
    let write = theirs(&["s3:PutObject", "s3:DeleteObject"], OBJECTS, None);
    let (table, picture) = reach_of(&page_of(from_ref(&read), &[read.clone(), write]));
    assert!(table.ends_with("+ objects: write objects: read only from 10.0.0.0/8"), "{table}");
    assert_eq!(picture, "by the bucket policy for some of it: only from 10.0.0.0/8");
    // Nor of the bucket's, what is about objects.
    let list = theirs(&["s3:ListBucket"], "arn:aws:s3:::acme-wandb-vision", from());
    let all = theirs(&["s3:GetObject", "s3:PutObject"], OBJECTS, None);
    let (table, picture) = reach_of(&page_of(from_ref(&list), &[list.clone(), all]));
    assert!(table.ends_with("+ objects: write, read bucket: list only from 10.0.0.0/8"), "{table}");
    assert_eq!(picture, "by the bucket policy for some of it: only from 10.0.0.0/8");
    // What all of it asks for is said of all of it.
    let write = theirs(&["s3:PutObject"], OBJECTS, from());
    let (table, picture) = reach_of(&page_of(from_ref(&read), &[read.clone(), write]));
    assert!(table.ends_with("+ objects: write, read only from 10.0.0.0/8"), "{table}");
    assert_eq!(picture, "by the bucket policy only from 10.0.0.0/8");
}

#[test]
fn the_table_names_every_principal_and_every_bucket() {
    let readers: Vec<String> =
        (0..11).map(|n| format!("arn:aws:iam::6666666666{n:02}:role/reader")).collect();
    let read = json!({"Sid": "R", "Effect": "Allow", "Principal": {"AWS": readers}, "Action": "s3:GetObject", "Resource": OBJECTS});
    let page = page_of(&[], &[read]);
    let (table, _) = reach_of(&page);
    assert!(table.contains("11 principals"), "{table}");
    for one in &readers {
        assert!(table.contains(one), "{one} in {table}");
    }
    let (table, _) = reach_of(&plan_html(&many(300), &header()).unwrap());
    assert!((0..300).all(|n| table.contains(&format!("bucket.b{n:03}"))), "{table}");
    // Of those that nothing is known of, all too.
    let mut plan = many(0);
    plan.ends = (0..7)
        .map(|n| {
            let unread = BucketEnd { policy: None, ..end(&[]) };
            bucket_ends(&format!("b{n}"), Some(unread.clone()), Some(unread))
        })
        .collect();
    let text = text_of(&plan_html(&plan, &header()).unwrap());
    assert!(text.contains("Not known for bucket.b0, bucket.b1, bucket.b2 and 4 more"), "{text}");
    assert!((0..7).all(|n| text.contains(&format!("bucket.b{n}"))), "{text}");
}

#[test]
fn drift_is_shown_with_its_meaning_and_who_reaches_what_by_it() {
    let page = text_of(&drift_html(&drifted(), &header()).unwrap());
    for words in [
        "✗ 2 × exposure",
        "✗ public",
        "✗ access grew",
        "exposure: a public policy would now be accepted; a public policy would now let everybody in",
        "anyone + gains the objects of bucket.vision read",
        "byob plan shows the way back",
    ] {
        let spaced: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(spaced.contains(words), "{words}\nin\n{spaced}");
    }
}
