//! What judging policies costs. `cargo bench -p byob-policy`; the goals are 50 ms for comparing two full bucket policies,
//! and 1 s for a plan of 1,000 buckets. Policies are made here; nothing is read from disk.

use byob_policy::{Document, Guarded, Owner, changes, compare, is_public, judge, meet};
use divan::{Bencher, black_box};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

fn owner() -> Owner {
    Owner { guarded: Guarded::Bucket, account: "111111111111".parse().ok() }
}

/// A bucket policy of nearly 20 KB, as teams that share a bucket write it; `deep` narrows what they reach.
fn full(deep: &str) -> Document {
    let team = |n: u64| -> Value {
        json!({
            "Sid": format!("Team{n}"),
            "Effect": if n % 7 == 6 { "Deny" } else { "Allow" },
            "Principal": {"AWS": [format!("arn:aws:iam::{:012}:role/team-{n}", 222_222_222_200 + n % 9),
                format!("{:012}", 333_333_333_300 + n)]},
            "Action": ["s3:GetObject*", "s3:PutObject", if n.is_multiple_of(2) { "s3:AbortMultipartUpload" } else { "s3:List*" }],
            "Resource": ["arn:aws:s3:::shared-bucket".to_owned(), format!("arn:aws:s3:::shared-bucket/teams/team-{n}/{deep}*")],
            "Condition": {"IpAddress": {"aws:SourceIp": [format!("10.{n}.0.0/16"), "192.0.2.0/24".to_owned()]},
                "StringEqualsIfExists": {"aws:SourceVpce": format!("vpce-{}", n % 5)}},
        })
    };
    let all: Vec<Value> = (0..50).map(team).collect();
    read(&json!({"Version": "2012-10-17", "Statement": all}).to_string())
}

fn read(text: &str) -> Document {
    Document::parse(text).expect("a policy")
}

/// The text of the policy that W&B asks for on one bucket, with more to the W&B principal.
fn storage(bucket: usize, more: &[&str]) -> String {
    let mut actions = vec![
        "s3:GetObject*",
        "s3:GetEncryptionConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:PutObject",
        "s3:GetBucketCORS",
        "s3:GetBucketLocation",
        "s3:GetBucketVersioning",
    ];
    actions.extend(more);
    let on = [format!("arn:aws:s3:::acme-{bucket:04}"), format!("arn:aws:s3:::acme-{bucket:04}/*")];
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "WandbAccountAccess", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::830241207209:root"},
            "Action": actions, "Resource": on},
        {"Sid": "DenyHTTPRequests", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": on,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]})
    .to_string()
}

#[divan::bench]
fn compare_full_policies_within(bencher: Bencher<'_, '_>) {
    let (old, new, owner) = (full(""), full("x/"), owner());
    bencher.bench(|| compare(black_box(&old), black_box(&new), &owner));
}

#[divan::bench]
fn compare_full_policies_beyond(bencher: Bencher<'_, '_>) {
    let (old, new, owner) = (full("x/"), full(""), owner());
    bencher.bench(|| compare(black_box(&old), black_box(&new), &owner));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn changes_of_full_policies(bencher: Bencher<'_, '_>) {
    let (old, new, owner) = (full("x/"), full(""), owner());
    bencher.bench(|| changes(black_box(&old), black_box(&new), &owner));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn meet_of_full_policies(bencher: Bencher<'_, '_>) {
    let (old, mut new) = (full(""), full("x/"));
    // One team leaves and one gains: neither is within the other.
    new.statements.remove(0);
    new.statements[0] = full("").statements.remove(1);
    new.statements[0].action = byob_policy::ActionElement::Is(vec!["s3:*".to_owned()]);
    bencher.bench(|| meet(black_box(&old), black_box(&new)));
}

/// What a plan does for each bucket: reads the live policy, and judges the one to be against it.
fn plan(live: &[String], desired: &[Document], owner: &Owner) -> usize {
    let judged = live.iter().zip(desired).map(|(live, desired)| {
        let live = read(live);
        let public = is_public(desired).is_public();
        let (verdict, told) = judge(&live, desired, owner);
        usize::from(live.equals(desired))
            + usize::from(public)
            + told.len()
            + usize::from(verdict == byob_policy::Verdict::Within)
    });
    judged.sum()
}

/// `changed`: of a thousand buckets so many have a policy that gains an action.
#[divan::bench(args = [0, 100, 1000], sample_count = 5, sample_size = 1)]
fn plan_of_a_thousand_buckets(bencher: Bencher<'_, '_>, changed: usize) {
    let live: Vec<String> = (0..1000).map(|bucket| storage(bucket, &[])).collect();
    let more = |bucket: usize| if bucket < changed { &["s3:GetBucketTagging"][..] } else { &[] };
    let desired: Vec<Document> = (0..1000).map(|bucket| read(&storage(bucket, more(bucket)))).collect();
    let owner = owner();
    bencher.bench(|| plan(black_box(&live), black_box(&desired), &owner));
}
