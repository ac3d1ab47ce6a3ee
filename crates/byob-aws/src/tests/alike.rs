//! The simulated world of `byob-sim` and the embedded AWS, asked the same: the same writes are answered alike, and leave
//! behind what reads alike. So what the simulation proves is proved of a world that the rest of the suite knows too. Where
//! the two differ from each other on purpose (what an emulator never does), nothing is asked here.

use std::collections::{BTreeMap, BTreeSet};

use byob_apply::{Cloud, CloudError, Done, ErrorKind};
use byob_model::address::{BUCKET_ASPECTS, KEY_ASPECTS, Kind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{
    Algorithm, Attributes, BYOB_INTENT, Cors, CorsRule, Encryption, KeyRef, Ownership, Policy,
    PublicAccessBlock, Rotation, SseC, Versioning, VersioningStatus,
};
use byob_model::live::{Live, LiveAspect, LiveBucket, LiveKey, Wanted, WantedBucket, WantedKey};
use byob_policy::Document;
use byob_sandbox::{Options, Sandbox};
use byob_sim::{ACCOUNT, Dice, World, run};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{AwsCloud, Connection, connect};

const REGION: &str = "eu-west-1";
const BUCKETS: [&str; 2] = ["acme-one", "acme-two"];
const ALIAS: &str = "alias/wandb";
/// How many histories, and how many writes each has.
const HISTORIES: u64 = 30;
const WRITES: usize = 25;

async fn embedded() -> AwsCloud {
    let options = Options { account_id: ACCOUNT.to_owned(), ..Options::default() };
    let sandbox = Sandbox::open(options).await.unwrap();
    connect(&Connection {
        region: Some(REGION.to_owned()),
        in_process: Some((sandbox.http_client(), sandbox.credentials())),
        ..Connection::default()
    })
    .await
    .unwrap()
}

/// A write, with `KEY` in place of the key's ARN, which each world makes for itself.
#[derive(Debug, Clone)]
enum Write {
    OfBucket(&'static str, Operation, Payload),
    OfKey(Operation, Payload),
}

impl Write {
    /// `None`: there is no key yet, or there is one.
    fn call(&self, key: Option<&str>) -> Option<Call> {
        let (target, operation, payload) = match self {
            Self::OfBucket(name, operation, payload) => {
                let account_id = ACCOUNT.to_owned();
                let target =
                    Target::Bucket { name: (*name).to_owned(), region: REGION.to_owned(), account_id };
                (target, *operation, payload.clone())
            }
            // One key is enough.
            Self::OfKey(Operation::CreateKey, _) if key.is_some() => return None,
            Self::OfKey(operation, payload) => {
                let arn = if *operation == Operation::CreateKey { "arn:unknown" } else { key? };
                let key = KeyRef::Arn(arn.to_owned());
                let target = Target::Key { key, region: REGION.to_owned(), account_id: ACCOUNT.to_owned() };
                (target, *operation, payload.clone())
            }
        };
        let payload = match payload {
            Payload::Attributes(Attributes::Encryption(encryption)) if encryption.kms_key.is_some() => {
                let kms_key = Some(KeyRef::Arn(key?.to_owned()));
                Payload::Attributes(Attributes::Encryption(Encryption { kms_key, ..encryption }))
            }
            payload => payload,
        };
        Some(Call { operation, target, payload })
    }
}

fn document(text: &Value) -> Policy {
    Policy { document: Document::from_value(text).unwrap() }
}

fn key_policy(more: bool) -> Policy {
    let mut statements = vec![json!({"Sid": "ByobAccount", "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"})];
    if more {
        statements.push(json!({"Sid": "WandbAccountAccess", "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::830241207209:root"}, "Action": "kms:Decrypt", "Resource": "*"}));
    }
    document(&json!({"Version": "2012-10-17", "Statement": statements}))
}

/// One of the writes that byob makes.
fn any_write(dice: &mut Dice, intents: u128) -> Write {
    let bucket = dice.of(&BUCKETS);
    let of_bucket =
        |operation, attributes| Write::OfBucket(bucket, operation, Payload::Attributes(attributes));
    let intent = Some(Uuid::from_u128(intents));
    match dice.of(&[0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
        0 => Write::OfBucket(
            bucket,
            Operation::CreateBucket,
            Payload::NewBucket { object_lock: false, intent },
        ),
        1 => Write::OfKey(
            Operation::CreateKey,
            Payload::NewKey {
                description: "d".into(),
                policy: key_policy(false),
                tags: BTreeMap::from([(BYOB_INTENT.to_owned(), Uuid::from_u128(intents).to_string())]),
                intent,
            },
        ),
        2 => of_bucket(Operation::PutPublicAccessBlock, {
            let on = dice.of(&[true, false]);
            Attributes::PublicAccessBlock(PublicAccessBlock {
                restrict_public_buckets: on,
                ..PublicAccessBlock::ALL
            })
        }),
        3 => of_bucket(Operation::PutBucketOwnershipControls, {
            let object_ownership = dice.of(&["BucketOwnerEnforced", "BucketOwnerPreferred"]).to_owned();
            Attributes::Ownership(Ownership { object_ownership })
        }),
        4 => of_bucket(Operation::PutBucketEncryption, {
            let kms = dice.of(&[true, false]);
            Attributes::Encryption(Encryption {
                algorithm: if kms { Algorithm::Kms } else { Algorithm::Aes256 },
                kms_key: kms.then(|| KeyRef::Arn("KEY".to_owned())),
                bucket_key: kms && dice.of(&[true, false]),
                sse_c: Some(SseC::Blocked),
            })
        }),
        5 => {
            let rule = CorsRule {
                id: None,
                allowed_methods: BTreeSet::from(["GET".to_owned(), "PUT".to_owned()]),
                allowed_origins: BTreeSet::from([dice.of(&["*", "https://acme.wandb.io"]).to_owned()]),
                allowed_headers: BTreeSet::from(["*".to_owned()]),
                expose_headers: BTreeSet::from(["ETag".to_owned()]),
                max_age_seconds: 3000,
            };
            of_bucket(Operation::PutBucketCors, Attributes::Cors(Cors { rules: vec![rule], exclusive: true }))
        }
        6 => Write::OfBucket(bucket, Operation::DeleteBucketCors, Payload::None),
        7 => of_bucket(Operation::PutBucketVersioning, {
            let status = dice.of(&[VersioningStatus::Enabled, VersioningStatus::Suspended]);
            Attributes::Versioning(Versioning { status })
        }),
        8 => {
            let on = [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")];
            let action = dice.of(&["s3:GetObject", "s3:*"]);
            let policy = document(
                &json!({"Version": "2012-10-17", "Statement": [{"Sid": "WandbAccountAccess",
                "Effect": "Allow", "Principal": {"AWS": "830241207209"}, "Action": action, "Resource": on}]}),
            );
            of_bucket(Operation::PutBucketPolicy, Attributes::Policy(policy))
        }
        9 => Write::OfBucket(bucket, Operation::DeleteBucketPolicy, Payload::None),
        10 => {
            let set = BTreeMap::from([("Team".to_owned(), dice.of(&["ml", "data"]).to_owned())]);
            let remove = BTreeSet::from(["Owner".to_owned()]);
            Write::OfBucket(bucket, Operation::PutBucketTagging, Payload::Tags { set, remove })
        }
        11 => Write::OfBucket(bucket, Operation::DeleteBucket, Payload::None),
        12 => Write::OfKey(
            Operation::PutKeyPolicy,
            Payload::Attributes(Attributes::Policy(key_policy(dice.of(&[true, false])))),
        ),
        13 => {
            let rotation = Rotation { enabled: true, period_days: Some(dice.of(&[365, 400])) };
            Write::OfKey(Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(rotation)))
        }
        14 => {
            let set = BTreeMap::from([("Team".to_owned(), "ml".to_owned())]);
            Write::OfKey(Operation::TagResource, Payload::Tags { set, remove: BTreeSet::new() })
        }
        _ => {
            let operation = dice.of(&[Operation::CreateAlias, Operation::DeleteAlias]);
            Write::OfKey(operation, Payload::Alias { name: ALIAS.to_owned() })
        }
    }
}

fn wanted(key: Option<&str>) -> Wanted {
    let bucket = WantedBucket {
        region: REGION.to_owned(),
        aspects: BUCKET_ASPECTS.into_iter().filter(|kind| *kind != Kind::ObjectLock).collect(),
        contents: true,
        recorded: true,
        ..WantedBucket::default()
    };
    let key_aspects = KEY_ASPECTS.into_iter().filter(|kind| *kind != Kind::Alias).collect();
    Wanted {
        buckets: BUCKETS.iter().map(|name| ((*name).to_owned(), bucket.clone())).collect(),
        keys: key
            .iter()
            .map(|arn| ((*arn).to_owned(), WantedKey { aspects: BTreeSet::clone(&key_aspects) }))
            .collect(),
        aliases: BTreeSet::from([(REGION.to_owned(), ALIAS.to_owned())]),
        key_intents: BTreeSet::new(),
        key_lineages: BTreeSet::new(),
    }
}

/// What was read, as one value in which the key's ARN is `KEY`.
fn told(live: &Live, key: Option<&str>) -> Value {
    let aspects = |all: &BTreeMap<Kind, LiveAspect>| -> BTreeMap<String, Value> {
        let told = |aspect: &LiveAspect| match aspect {
            LiveAspect::Present(attributes) => attributes.to_value(),
            other => json!(format!("{other:?}")),
        };
        all.iter().map(|(kind, aspect)| (format!("{kind:?}"), told(aspect))).collect()
    };
    let bucket = |bucket: &LiveBucket| match bucket {
        LiveBucket::Exists(facts) => json!({
            "region": facts.region, "aspects": aspects(&facts.aspects), "tags": facts.tags,
            "versioning": facts.versioning_enabled, "holds_data": facts.holds_data, "has_policy": facts.has_policy,
        }),
        other => json!(format!("{other:?}")),
    };
    let of_key = |key: &LiveKey| match key {
        LiveKey::Exists(facts) => json!({
            "state": format!("{:?}", facts.state), "description": facts.description, "usable": facts.usable,
            "aspects": aspects(&facts.aspects), "tags": facts.tags, "aliases": facts.aliases,
        }),
        other => json!(format!("{other:?}")),
    };
    let value = json!({
        "buckets": live.buckets.iter().map(|(name, one)| (name.clone(), bucket(one))).collect::<BTreeMap<_, _>>(),
        "keys": live.keys.iter().map(|(arn, one)| (arn.clone(), of_key(one))).collect::<BTreeMap<_, _>>(),
        "aliases": live.aliases.iter().map(|((_, name), arn)| (name.clone(), arn.clone())).collect::<BTreeMap<_, _>>(),
    });
    let text = value.to_string();
    serde_json::from_str(&key.map_or(text.clone(), |key| text.replace(key, "KEY"))).unwrap()
}

/// One world, and the key that it made last.
struct Asked {
    key: Option<String>,
}

impl Asked {
    async fn write(&mut self, cloud: &impl Cloud, write: &Write) -> Option<Result<(), ErrorKind>> {
        let call = write.call(self.key.as_deref())?;
        let answer: Result<Done, CloudError> = cloud.perform(&call).await;
        if let Ok(Done { key_arn: Some(arn), .. }) = &answer {
            self.key = Some(arn.clone());
        }
        match (call.operation, answer.map(drop).map_err(|error| error.kind)) {
            // The executor takes either for done.
            (Operation::DeleteAlias, Err(ErrorKind::NotFound)) => Some(Ok(())),
            (_, answer) => Some(answer),
        }
    }

    async fn read(&self, cloud: &impl Cloud) -> Value {
        let live = cloud.read(&wanted(self.key.as_deref())).await.unwrap();
        told(&live, self.key.as_deref())
    }
}

#[tokio::test]
async fn the_simulated_world_and_the_embedded_aws_answer_alike() {
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..HISTORIES {
        let mut dice = Dice::new(seed);
        let (aws, world) = (embedded().await, World::default());
        let (mut of_aws, mut of_world) = (Asked { key: None }, Asked { key: None });
        let mut done = Vec::new();
        for number in 0..WRITES {
            let write = any_write(&mut dice, u128::from(seed) * 1000 + number as u128);
            done.push(format!("{write:?}"));
            let here = of_aws.write(&aws, &write).await;
            let there = run(&world.time, world.life(), of_world.write(&world, &write)).ended();
            let history = || format!("seed {seed}, after:\n{}", done.join("\n"));
            assert_eq!(here, there, "embedded and simulated answer\n{}", history());
            *answers.entry(format!("{here:?}")).or_default() += 1;
            let here = of_aws.read(&aws).await;
            let there = run(&world.time, world.life(), of_world.read(&world)).ended();
            assert_eq!(here, there, "embedded and simulated read\n{}", history());
        }
    }
    println!("{answers:#?}");
    assert!(answers["Some(Ok(()))"] > 200, "{answers:#?}");
    assert!(answers.len() >= 4, "{answers:#?}");
}
