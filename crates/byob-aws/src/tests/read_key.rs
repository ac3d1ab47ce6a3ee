//! Reading keys and aliases.

use byob_apply::Cloud;
use byob_model::address::Kind;
use byob_model::kind::{Attributes, KeyState, Rotation};
use byob_model::live::{KeyFacts, Live, LiveAspect, LiveKey, Wanted, WantedKey};
use uuid::Uuid;

use crate::fake::{Answer, Fake};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const ID: &str = "11111111-2222-3333-4444-555555555555";

fn described(state: &str) -> Answer {
    Answer::ok(format!(
        r#"{{"KeyMetadata":{{"KeyId":"{ID}","Arn":"{KEY}","Enabled":true,"KeyState":"{state}","Description":"d",
            "KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}}}"#
    ))
}

fn aliased() -> Answer {
    Answer::ok(format!(
        r#"{{"Aliases":[{{"AliasName":"alias/a","AliasArn":"arn:aws:kms:eu-west-1:123456789012:alias/a","TargetKeyId":"{ID}"}},
            {{"AliasName":"alias/aws/s3","AliasArn":"arn:aws:kms:eu-west-1:123456789012:alias/aws/s3"}}],"Truncated":false}}"#
    ))
}

fn tagged(key: &str, value: &str) -> Answer {
    Answer::ok(format!(r#"{{"Tags":[{{"TagKey":"{key}","TagValue":"{value}"}}],"Truncated":false}}"#))
}

fn world() -> Fake {
    Fake::new()
        .on("DescribeKey", described("Enabled"))
        .on("ListAliases", aliased())
        .on("ListResourceTags", tagged("Owner", "me"))
        .on("GetKeyRotationStatus", Answer::ok(r#"{"KeyRotationEnabled":true}"#))
        .on("GetKeyPolicy", Answer::ok(r#"{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}"#))
}

async fn read(fake: &Fake, wanted: Wanted) -> Live {
    fake.cloud().await.read(&wanted).await.unwrap()
}

fn key(aspects: &[Kind]) -> Wanted {
    let key = WantedKey { aspects: aspects.iter().copied().collect() };
    Wanted { keys: [(KEY.to_owned(), key)].into(), ..Wanted::default() }
}

fn facts(live: &Live) -> &KeyFacts {
    match &live.keys[KEY] {
        LiveKey::Exists(facts) => facts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_managed_key_is_read_with_its_aspects_tags_and_aliases() {
    let live = read(&world(), key(&[Kind::Rotation, Kind::KeyTags, Kind::Alias])).await;
    let facts = facts(&live);
    assert_eq!((&facts.state, facts.usable, facts.description.as_str()), (&KeyState::Enabled, true, "d"));
    // Some endpoints do not report the period.
    let rotation = Rotation { enabled: true, period_days: None };
    assert_eq!(facts.aspects[&Kind::Rotation], LiveAspect::Present(Attributes::Rotation(rotation)));
    assert_eq!(facts.tags["Owner"], "me");
    assert_eq!(facts.aliases.iter().collect::<Vec<_>>(), ["alias/a"]);
    assert_eq!(live.attributes, 3);
}

#[tokio::test]
async fn of_somebody_elses_key_only_the_state_is_asked() {
    let fake = world().on("DescribeKey", described("PendingDeletion"));
    let live = read(&fake, key(&[])).await;
    assert_eq!(facts(&live).state, KeyState::PendingDeletion);
    assert_eq!(fake.operations(), ["DescribeKey"]);
    assert!(fake.seen().last().unwrap().address.starts_with("kms.eu-west-1."));
}

#[tokio::test]
async fn a_key_that_is_not_there_and_one_that_may_not_be_seen_are_told_apart() {
    let gone = world().on("DescribeKey", Answer::json_error("NotFoundException"));
    assert_eq!(read(&gone, key(&[])).await.keys[KEY], LiveKey::Absent);
    let closed = world().on("DescribeKey", Answer::json_error("AccessDeniedException"));
    let live = read(&closed, key(&[])).await;
    assert_eq!(live.keys[KEY], LiveKey::Forbidden);
    assert!(live.refused.is_empty());
    let ours = read(&closed, key(&[Kind::Rotation])).await;
    assert_eq!(ours.refused[0].iam_action, "kms:DescribeKey");
}

#[tokio::test]
async fn aliases_are_listed_once_a_region_and_lead_to_facts_and_tags() {
    let fake = world();
    let name = |name: &str| ("eu-west-1".to_owned(), name.to_owned());
    let wanted = Wanted { aliases: [name("alias/a"), name("alias/b")].into(), ..Wanted::default() };
    let live = read(&fake, wanted).await;
    assert_eq!(fake.asked("ListAliases").len(), 1);
    assert_eq!(live.aliases[&name("alias/a")].as_deref(), Some(KEY));
    assert_eq!(live.aliases[&name("alias/b")], None);
    let facts = facts(&live);
    assert!(facts.aspects.is_empty());
    assert_eq!((facts.tags["Owner"].as_str(), facts.aliases.len()), ("me", 1));
    assert!(fake.asked("GetKeyPolicy").is_empty());
}

#[tokio::test]
async fn aliases_that_may_not_be_listed_are_not_taken_for_absent() {
    let fake = world().on("ListAliases", Answer::json_error("AccessDeniedException"));
    let wanted =
        Wanted { aliases: [("eu-west-1".to_owned(), "alias/a".to_owned())].into(), ..Wanted::default() };
    let live = read(&fake, wanted).await;
    assert!(live.aliases.is_empty());
    assert_eq!(
        (live.refused[0].iam_action.as_str(), live.refused[0].resource.as_str()),
        ("kms:ListAliases", "*")
    );
}

#[tokio::test]
async fn a_key_made_by_a_lost_call_is_found_by_its_intent() {
    let intent = Uuid::from_u128(7);
    let fake = world()
        .on(
            "ListKeys",
            Answer::ok(format!(r#"{{"Keys":[{{"KeyId":"{ID}","KeyArn":"{KEY}"}}],"Truncated":false}}"#)),
        )
        .on("ListResourceTags", tagged("byob:intent", &intent.to_string()));
    let wanted = Wanted { key_intents: [("eu-west-1".to_owned(), intent)].into(), ..Wanted::default() };
    let live = read(&fake, wanted).await;
    assert_eq!(live.key_intents[&intent], KEY);
    // It is ours, so it is read whole.
    let aspects: Vec<_> = facts(&live).aspects.keys().copied().collect();
    assert_eq!(aspects, [Kind::KeyPolicy, Kind::Rotation, Kind::KeyTags]);
    assert!(fake.asked("ListKeys")[0].address.starts_with("kms.eu-west-1."));
}

#[tokio::test]
async fn rotation_of_a_key_pending_deletion_is_no_answer() {
    // AWS says "off" then, and what was set comes back when the deletion is cancelled.
    let fake = world()
        .on("DescribeKey", described("PendingDeletion"))
        .on("GetKeyRotationStatus", Answer::ok(r#"{"KeyRotationEnabled":false}"#));
    let live = read(&fake, key(&[Kind::Rotation, Kind::KeyTags])).await;
    let kinds: Vec<_> = facts(&live).aspects.keys().copied().collect();
    assert_eq!(kinds, [Kind::KeyTags]);
}
