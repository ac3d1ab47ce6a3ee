//! CloudTrail's answers, forced.

use std::collections::BTreeSet;

use byob_apply::ErrorKind;
use byob_plan::trail::{OUR_AGENT, newest};

use crate::fake::{Answer, Fake};

const RECORD: &str =
    r#"{\"userIdentity\":{\"arn\":\"arn:aws:iam::123456789012:user/eve\"},\"readOnly\":false}"#;

fn page(name: &str, record: &str, next: Option<&str>) -> Answer {
    let next = next.map(|next| format!(r#","NextToken":"{next}""#)).unwrap_or_default();
    Answer::ok(format!(
        r#"{{"Events":[{{"EventId":"e","EventName":"{name}","EventTime":1795183331,"Resources":[{{"ResourceName":"acme"}}],
            "CloudTrailEvent":"{record}"}}]{next}}}"#
    ))
}

fn names() -> BTreeSet<&'static str> {
    BTreeSet::from(["PutBucketCors"])
}

#[tokio::test]
async fn pages_are_followed_until_it_is_enough() {
    let pages = || {
        vec![
            page("PutBucketCors", RECORD, Some("1")),
            page("PutBucketCors", RECORD, Some("2")),
            page("PutBucketCors", RECORD, None),
        ]
    };
    let fake = Fake::new().each("LookupEvents", "", pages());
    let history = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
    assert_eq!((history.events.len(), history.cut.len()), (3, 0));
    let asked = fake.asked("LookupEvents");
    assert!(asked[0].address.starts_with("cloudtrail.eu-west-1."), "{}", asked[0].address);
    assert!(asked[0].body.contains("PutBucketCors") && asked[2].body.contains(r#""NextToken":"2""#));
    assert_eq!(history.events[0].time, 1_795_183_331);
    let (who, _) = newest(history.events.iter());
    assert_eq!(who.unwrap().1.identity, "arn:aws:iam::123456789012:user/eve");

    let fake = Fake::new().each("LookupEvents", "", pages());
    let history =
        fake.cloud().await.history("eu-west-1", &names(), &|_, seen| seen.len() == 2).await.unwrap();
    assert_eq!((history.events.len(), fake.asked("LookupEvents").len()), (2, 2));
}

#[tokio::test]
async fn there_is_an_end_to_the_pages() {
    let pages = (0..30).map(|n| page("PutBucketCors", RECORD, Some(&n.to_string()))).collect();
    let fake = Fake::new().each("LookupEvents", "", pages);
    let history = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
    assert_eq!(fake.asked("LookupEvents").len(), 10);
    assert!(history.cut.contains("PutBucketCors"));
    // A token that comes back leads nowhere.
    let fake = Fake::new().on("LookupEvents", page("PutBucketCors", RECORD, Some("1")));
    let error = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unexpected);
}

#[tokio::test]
async fn what_is_refused_says_which_right_it_takes_and_what_is_throttled_is_asked_again() {
    let fake = Fake::new().on("LookupEvents", Answer::json_error("AccessDeniedException"));
    let error = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap_err();
    assert_eq!(
        (error.kind, error.iam_action.as_deref()),
        (ErrorKind::AccessDenied, Some("cloudtrail:LookupEvents"))
    );
    let answers = vec![Answer::json_error("ThrottlingException"), page("PutBucketCors", RECORD, None)];
    let fake = Fake::new().each("LookupEvents", "", answers);
    let history = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
    assert_eq!((history.events.len(), fake.asked("LookupEvents").len()), (1, 2));
}

#[tokio::test]
async fn a_record_that_is_none_ends_nothing() {
    for record in ["", "{", "null", "[]", "{\\\"userIdentity\\\":7}"] {
        let fake = Fake::new().on("LookupEvents", page("PutBucketCors", record, None));
        let history = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
        assert_eq!(newest(history.events.iter()), (None, 1), "{record}");
    }
    // And what has neither name nor time is no event.
    let fake = Fake::new().on("LookupEvents", Answer::ok(r#"{"Events":[{"EventId":"e"},{}]}"#));
    let history = fake.cloud().await.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
    assert!(history.events.is_empty());
}

#[tokio::test]
async fn every_request_says_that_it_is_byobs() {
    let fake = Fake::new().on("LookupEvents", page("PutBucketCors", RECORD, None));
    let cloud = fake.cloud().await;
    byob_apply::Cloud::caller(&cloud).await.unwrap();
    cloud.history("eu-west-1", &names(), &|_, _| false).await.unwrap();
    for seen in fake.seen() {
        let agent = &seen.headers["user-agent"];
        assert_eq!(agent.split_whitespace().filter(|word| *word == OUR_AGENT).count(), 1, "{agent}");
    }
}
