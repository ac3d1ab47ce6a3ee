use byob_model::address::{Address, BUCKET_ASPECTS, KEY_ASPECTS, RootAddress};
use byob_model::kind::Alias;
use serde_json::json;

use super::*;
use crate::plan::Change;

fn event(name: &str, time: i64, record: &Value) -> Event {
    Event {
        name: name.into(),
        time,
        id: format!("id-{time}"),
        resources: vec!["acme".into()],
        record: record.to_string(),
    }
}

fn record() -> Value {
    json!({
        "eventVersion": "1.11", "eventSource": "s3.amazonaws.com", "eventName": "PutBucketCors", "readOnly": false,
        "userIdentity": {
            "type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/Admin/alice",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::123456789012:role/Admin"}},
        },
        "sourceIPAddress": "203.0.113.9", "userAgent": "[aws-cli/2.31.0 md/awscrt#0.27]",
        "requestParameters": {"bucketName": "acme"}, "requestID": "R", "eventID": "E", "managementEvent": true,
    })
}

fn with(change: &dyn Fn(&mut Value)) -> Value {
    let mut record = record();
    change(&mut record);
    record
}

#[test]
fn every_kind_of_drift_has_events() {
    let bucket = RootAddress::bucket("a");
    let key = RootAddress::key("k");
    let all = BUCKET_ASPECTS
        .map(|kind| bucket.aspect(kind))
        .into_iter()
        .chain(KEY_ASPECTS.map(|kind| key.aspect(kind)));
    for address in all.chain([bucket.address(), key.address()]) {
        let drift = Drift::judged(address.clone(), "123456789012", Vec::new(), (None, None));
        assert!(!events(&drift).is_empty(), "{address}");
    }
    let of = |path: &str| {
        let change = Change { path: path.into(), before: Value::Null, after: Value::Null, unknown: None };
        let address: Address = "key.k".parse().unwrap();
        events(&Drift::judged(address, "123456789012", vec![change], (None, None)))
    };
    assert!(of("/state").contains(&"DisableKey") && of("").contains(&"ScheduleKeyDeletion"));
    assert_eq!(of("/description"), ["UpdateKeyDescription"]);
}

#[test]
fn an_event_says_who_when_whence_and_with_what() {
    let Read::Done(who) = read(&event("PutBucketCors", 1_795_183_331, &record())) else { panic!() };
    assert_eq!(
        serde_json::to_value(&who).unwrap(),
        json!({
            "event": "PutBucketCors", "time": "2026-11-20T14:02:11Z",
            "identity": "arn:aws:sts::123456789012:assumed-role/Admin/alice", "source": "203.0.113.9",
            "user_agent": "[aws-cli/2.31.0 md/awscrt#0.27]", "event_id": "id-1795183331", "byob": false,
        })
    );
    assert!(!who.console);
}

#[test]
fn whoever_has_no_arn_has_another_name() {
    for (identity, name) in [
        (
            json!({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}),
            "cloudformation.amazonaws.com",
        ),
        (json!({"type": "WebIdentityUser", "userName": "x"}), "x"),
        (
            json!({"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDA"}),
            "account 444455556666",
        ),
        (json!({"type": "Unknown", "principalId": "AIDA"}), "AIDA"),
        (json!({"type": "Unknown"}), "Unknown"),
        (json!({}), "somebody whom the event does not name"),
        (
            json!({"arn": 3, "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/r"}}}),
            "arn:aws:iam::1:role/r",
        ),
    ] {
        let Read::Done(who) = read(&event("X", 0, &with(&|r| r["userIdentity"] = identity.clone()))) else {
            panic!()
        };
        assert_eq!(who.identity, name);
    }
}

#[test]
fn the_console_and_byob_are_known_by_what_they_say() {
    let of = |change: &dyn Fn(&mut Value)| match read(&event("X", 0, &with(change))) {
        Read::Done(who) => (who.console, who.byob),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&|r| r["sessionCredentialFromConsole"] = json!("true")), (true, false));
    assert_eq!(of(&|r| r["userAgent"] = json!("[S3Console/0.4, aws-internal/3]")), (true, false));
    assert_eq!(
        of(&|r| r["userAgent"] = json!("aws-sdk-rust/1.3.9 ua/2.1 app/byob lang/rust/1.91.0")),
        (false, true)
    );
    assert_eq!(
        of(&|r| r["userAgent"] = json!("[aws-sdk-rust/1.3.9 lang/rust/1.91.0 app/byob]")),
        (false, true)
    );
    assert_eq!(of(&|r| r["userAgent"] = json!("[app/byob]")), (false, true));
    let long = format!("{} app/byob", "x".repeat(1000));
    assert_eq!(of(&|r| r["userAgent"] = json!(long)), (false, true));
    assert_eq!(of(&|r| r["userAgent"] = json!("app/byobber")), (false, false));
    assert_eq!(of(&|r| r["userAgent"] = Value::Null), (false, false));
}

#[test]
fn what_changed_nothing_is_passed_over_and_the_newest_counts() {
    let refused = with(&|r| r["errorCode"] = json!("AccessDenied"));
    let looked = with(&|r| r["readOnly"] = json!(true));
    let all = [
        event("PutBucketCors", 3, &record()),
        event("PutBucketCors", 9, &refused),
        event("PutBucketCors", 8, &looked),
        event("DeleteBucketCors", 5, &record()),
        event("PutBucketCors", 4, &record()),
        Event { record: "{\"userIdentity\":".into(), ..event("PutBucketCors", 7, &record()) },
        Event { record: "[1]".into(), ..event("PutBucketCors", 6, &record()) },
    ];
    let (who, unreadable) = newest(all.iter());
    let (time, who) = who.unwrap();
    assert_eq!((time, who.event.as_str(), unreadable), (5, "DeleteBucketCors", 2));
    assert_eq!(newest([].iter()), (None, 0));
}

#[test]
fn an_event_is_about_what_it_names() {
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/0000-0001";
    let named = |resources: &[&str], record: Value, identity: &str| {
        let resources = resources.iter().map(|&r| r.to_owned()).collect();
        is_about(&Event { resources, ..event("X", 0, &record) }, &record["requestParameters"], identity)
    };
    assert!(named(&["acme"], Value::Null, "acme"));
    assert!(named(&["arn:aws:s3:::acme"], Value::Null, "acme"));
    assert!(!named(&["acme-2", "xacme", "arn:aws:s3:::acme/x"], Value::Null, "acme"));
    assert!(named(&[arn], Value::Null, arn) && named(&["0000-0001"], Value::Null, arn));
    assert!(named(&["alias/x", arn], Value::Null, arn) && !named(&["alias/x"], Value::Null, arn));
    assert!(named(&[], json!({"requestParameters": {"bucketName": "acme"}}), "acme"));
    assert!(named(&[], json!({"requestParameters": {"keyId": "0000-0001"}}), arn));
    assert!(!named(&[], json!({"requestParameters": {"bucketName": ["acme"]}}), "acme"));
    assert!(!named(&[], json!("acme"), "acme"));
}

#[test]
fn what_is_not_known_is_said() {
    let who = |byob: bool| match read(&event("X", 0, &record())) {
        Read::Done(who) => Who { byob, ..*who },
        other => panic!("{other:?}"),
    };
    let note = |found, all| traced(found, all, Some(100)).note.unwrap_or_default();
    assert_eq!(note((Some((100, who(false))), 1), true), "");
    assert!(note((Some((99, who(false))), 1), true).contains("older than byob's last apply"));
    assert_eq!(traced((Some((99, who(false))), 1), true, None).note, None);
    assert!(note((Some((200, who(true))), 0), true).contains("byob's own"));
    assert!(note((None, 0), true).contains("15 minutes"));
    assert!(note((None, 0), false).contains("more events"));
    assert!(note((None, 2), true).contains("cannot be read (2)"));
}

#[test]
fn a_string_without_end_is_cut_between_characters() {
    let long = "ü".repeat(5000);
    let Read::Done(who) = read(&event("X", 0, &with(&|r| r["userAgent"] = json!(long)))) else { panic!() };
    assert_eq!(who.user_agent.unwrap().chars().count(), 257);
}

fn cause(address: &str, paths: &[&str]) -> Cause {
    let change =
        |path: &&str| Change { path: (*path).into(), before: Value::Null, after: Value::Null, unknown: None };
    let alias = Attributes::Alias(Alias { name: "alias/acme".into() });
    let address: Address = address.parse().unwrap();
    let before = (address.kind == Kind::Alias).then_some(alias);
    let changes = paths.iter().map(change).collect();
    Cause::of(&Drift::judged(address, "123456789012", changes, (before, None)), KEY)
}

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/0000-0001";

fn asked(name: &str, parameters: &Value) -> Event {
    let record = with(&|record| record["requestParameters"] = parameters.clone());
    Event { resources: Vec::new(), ..event(name, 0, &record) }
}

#[test]
fn another_alias_of_the_key_is_another_drift() {
    let of = cause("key.k.alias", &[""]);
    assert!(of.fits(&asked("DeleteAlias", &json!({"aliasName": "alias/acme"}))));
    assert!(!of.fits(&asked("DeleteAlias", &json!({"aliasName": "alias/other", "targetKeyId": KEY}))));
    // The alias is handed to another key, which is all that the event names beside it.
    let another = "arn:aws:kms:eu-west-1:123456789012:key/0000-0002";
    assert!(of.fits(&asked("UpdateAlias", &json!({"aliasName": "alias/acme", "targetKeyId": another}))));
    assert!(!of.fits(&asked("PutKeyPolicy", &json!({"keyId": KEY}))));
}

#[test]
fn another_tag_is_another_drift() {
    let of = cause("key.k.tags", &["/team", "/a~1b"]);
    let tag = |key: &str| json!({"keyId": KEY, "tags": [{"tagKey": key, "tagValue": "x"}]});
    assert!(of.fits(&asked("TagResource", &tag("team"))) && of.fits(&asked("TagResource", &tag("a/b"))));
    assert!(!of.fits(&asked("TagResource", &tag("cost"))));
    assert!(of.fits(&asked("UntagResource", &json!({"keyId": KEY, "tagKeys": ["cost", "team"]}))));
    assert!(!of.fits(&asked("UntagResource", &json!({"keyId": KEY, "tagKeys": ["cost"]}))));
    // What names no tag may have been any.
    assert!(of.fits(&asked("TagResource", &json!({"keyId": KEY}))));
    assert!(cause("key.k.tags", &[""]).fits(&asked("TagResource", &tag("cost"))));
}
