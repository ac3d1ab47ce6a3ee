//! What comparing and deciding cost. The bounds are the and are held to in a release build alone: a debug build
//! on a busy machine proves nothing about time, and only prints what it took.

use std::time::{Duration, Instant};

use byob_policy::{Circumstances, Document, Guarded, Identity, Owner, Request, Verdict, compare, evaluate};
use serde_json::{Value, json};

fn assert_within(time: Duration, bound: Duration) {
    assert!(cfg!(debug_assertions) || time < bound, "{time:?}");
}

/// A bucket policy of nearly 20 KB, as teams that share a bucket write it.
fn full(teams: usize, more: &str) -> Document {
    let team = |n: usize| -> Value {
        json!({
            "Sid": format!("Team{n}"),
            "Effect": if n % 7 == 6 { "Deny" } else { "Allow" },
            "Principal": {"AWS": [format!("arn:aws:iam::{:012}:role/team-{n}", 222_222_222_200_u64 + n as u64 % 9),
                format!("{:012}", 333_333_333_300_u64 + n as u64)]},
            "Action": ["s3:GetObject*", "s3:PutObject", if n.is_multiple_of(2) { "s3:AbortMultipartUpload" } else { "s3:List*" }],
            "Resource": ["arn:aws:s3:::shared-bucket".to_owned(), format!("arn:aws:s3:::shared-bucket/teams/team-{n}/{more}*")],
            "Condition": {"IpAddress": {"aws:SourceIp": [format!("10.{n}.0.0/16"), "192.0.2.0/24".to_owned()]},
                "StringEqualsIfExists": {"aws:SourceVpce": format!("vpce-{}", n % 5)}},
        })
    };
    let all: Vec<Value> = (0..teams).map(team).collect();
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": all})).expect("a policy")
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..3).map(|_| once(&mut run)).min().expect("three")
}

#[test]
fn two_full_bucket_policies_are_compared_in_50_milliseconds() {
    let old = full(50, "");
    println!("{} bytes", old.to_json().len());
    assert!((18_000..20_480).contains(&old.to_json().len()), "{} bytes", old.to_json().len());
    let narrower = full(50, "x/");
    let owner = Owner { guarded: Guarded::Bucket, account: Some("111111111111".parse().expect("an id")) };
    let wider = fastest(|| assert!(matches!(compare(&narrower, &old, &owner), Verdict::Beyond(_))));
    // No team reaches what another team's Deny is about: narrower is within.
    let less = fastest(|| assert_eq!(compare(&old, &narrower, &owner), Verdict::Within));
    let same = fastest(|| assert_eq!(compare(&old, &old.clone(), &owner), Verdict::Within));
    println!("beyond {wider:?}, narrower {less:?}, same {same:?}");
    let slowest = wider.max(less).max(same);
    assert_within(slowest, Duration::from_millis(50));
}

#[test]
fn ten_thousand_requests_are_decided_in_a_second() {
    let document = full(50, "");
    let requests: Vec<Request> = (0..1000)
        .map(|n| {
            let who = format!("arn:aws:iam::{:012}:role/team-{}", 222_222_222_200_u64 + n % 9, n % 50);
            let resource = format!("arn:aws:s3:::shared-bucket/teams/team-{}/k", n % 50);
            let context = [("aws:SourceIp".to_owned(), vec!["10.3.0.1".to_owned()])];
            Request::new(who.parse().expect("a role"), "s3:GetObject", resource, context)
        })
        .collect();
    let under = Circumstances::new(Guarded::Bucket, None, Identity::Everything);
    let time = fastest(|| {
        let allowed = requests.iter().filter(|one| evaluate(&document, one, &under).is_allowed()).count();
        assert!(allowed > 0);
    });
    println!("{time:?} for a thousand");
    assert_within(time, Duration::from_millis(100));
}
