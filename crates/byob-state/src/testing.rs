//! What this crate's tests share: a record, arbitrary ones, and a runtime of one thread.

pub(crate) mod world;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use byob_model::address::{Address, BUCKET_ASPECTS, KEY_ASPECTS, Kind, RootAddress, RootKind};
use byob_model::recorded::{Approval, ApprovedStep, Intent, Recorded, RecordedResource, Tombstone};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::journal::Entry;
use crate::store::LockInfo;

pub(crate) const LINEAGE: Uuid = uuid::uuid!("67e55044-10b1-426f-9247-bb680e5fe0c8");

const KEY_ARN: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

pub(crate) fn a_resource(kind: Kind, identity: &str, attributes: Value) -> RecordedResource {
    RecordedResource {
        kind,
        account_id: "123456789012".into(),
        region: "eu-west-1".into(),
        identity: identity.into(),
        attributes,
        created: kind.is_root(),
        name_prefix: None,
        keys_used: BTreeSet::new(),
        versioning_seen: false,
    }
}

/// A record with something of everything.
pub(crate) fn a_record(serial: u64) -> Recorded {
    let storage = RootAddress::bucket("storage");
    let name = "acme-wandb-storage";
    let mut bucket = a_resource(Kind::Bucket, name, json!({"name": name, "protect": true}));
    bucket.keys_used = BTreeSet::from([KEY_ARN.to_owned()]);
    bucket.versioning_seen = true;
    Recorded {
        lineage: Some(LINEAGE),
        serial,
        resources: [
            (storage.address(), bucket),
            (
                storage.aspect(Kind::BucketTags),
                a_resource(Kind::BucketTags, name, json!({"tags": {"Owner": "Zoë"}, "n": 1.1})),
            ),
        ]
        .into(),
        tombstones: vec![Tombstone {
            address: RootAddress::bucket("old"),
            identity: "acme-wandb-old".into(),
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            keys_used: BTreeSet::from([KEY_ARN.to_owned()]),
            deletion_ordered: false,
        }],
        approval: Some(Approval {
            digest: format!("sha256:{}", "3f9c0d6a".repeat(8)),
            steps: vec![ApprovedStep {
                address: storage.address(),
                from: Some(RootAddress::bucket("old-label")),
                document: json!({"name": name}),
                action: "adopt".into(),
                identity: Some(name.to_owned()),
                calls: Vec::new(),
            }],
            finished: false,
            target: BTreeSet::new(),
        }),
        intents: vec![Intent {
            id: Uuid::from_u128(7),
            address: RootAddress::key("vision"),
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            name: None,
            at: 1_789_999_000,
            keys_used: BTreeSet::new(),
        }],
        written_at: None,
    }
}

pub(crate) fn lock_info(number: u128) -> LockInfo {
    LockInfo {
        id: Uuid::from_u128(number),
        command: "byob apply".into(),
        user: "alice".into(),
        host: "ci-7".into(),
        pid: 4711,
        since: 1_790_000_000,
        process: None,
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    let all: Vec<Kind> =
        BUCKET_ASPECTS.into_iter().chain(KEY_ASPECTS).chain([Kind::Bucket, Kind::Key]).collect();
    prop::sample::select(all)
}

fn addresses() -> impl Strategy<Value = Address> {
    ("[a-c][a-c_-]{0,2}", kinds()).prop_map(|(label, kind)| Address { label, kind })
}

fn roots() -> impl Strategy<Value = RootAddress> {
    ("[a-c]{1,2}", any::<bool>()).prop_map(|(label, bucket)| RootAddress {
        kind: if bucket { RootKind::Bucket } else { RootKind::Key },
        label,
    })
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,3}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn resources(kind: Kind) -> impl Strategy<Value = RecordedResource> {
    let fields = (".{0,4}", documents(), any::<bool>(), prop::option::of("[a-z]{1,3}"));
    (fields, btree_set(".{0,3}", 0..3), any::<bool>()).prop_map(
        move |((identity, attributes, created, name_prefix), keys_used, versioning_seen)| RecordedResource {
            created,
            name_prefix,
            keys_used,
            versioning_seen,
            ..a_resource(kind, &identity, attributes)
        },
    )
}

fn placed() -> impl Strategy<Value = (Address, RecordedResource)> {
    addresses().prop_flat_map(|address| {
        let kind = address.kind;
        (Just(address), resources(kind))
    })
}

fn tombstones() -> impl Strategy<Value = Tombstone> {
    (roots(), "[a-c]", any::<bool>()).prop_map(|(address, identity, deletion_ordered)| Tombstone {
        address,
        identity,
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        keys_used: BTreeSet::new(),
        deletion_ordered,
    })
}

fn intents() -> impl Strategy<Value = Intent> {
    (0u128..4, roots(), prop::option::of("[a-z]{3}"), any::<i64>()).prop_map(|(id, address, name, at)| {
        Intent {
            id: Uuid::from_u128(id),
            address,
            account_id: "123456789012".into(),
            region: "us-east-1".into(),
            name,
            at,
            keys_used: BTreeSet::new(),
        }
    })
}

fn approvals() -> impl Strategy<Value = Approval> {
    let calls = vec("[a-z ]{1,4}", 0..2);
    let identity = prop::option::of("[a-z]{1,3}");
    let steps = (addresses(), prop::option::of(roots()), documents(), "[a-z]{1,4}", identity, calls);
    let steps = steps.prop_map(|(address, from, document, action, identity, calls)| ApprovedStep {
        address,
        from,
        document,
        action,
        identity,
        calls,
    });
    let target = btree_set("[a-z]{1,3}", 0..2);
    (".{0,8}", vec(steps, 0..3), any::<bool>(), target)
        .prop_map(|(digest, steps, finished, target)| Approval { digest, steps, finished, target })
}

/// Arbitrary records of one lineage, saved at least once.
pub(crate) fn records() -> impl Strategy<Value = Recorded> {
    let lists = (vec(tombstones(), 0..3), vec(intents(), 0..3), vec(placed(), 0..4));
    (1u64..1 << 53, lists, prop::option::of(approvals()), prop::option::of(any::<i64>())).prop_map(
        |(serial, (tombstones, intents, placed), approval, written_at)| Recorded {
            lineage: Some(LINEAGE),
            serial,
            resources: placed.into_iter().collect(),
            tombstones,
            approval,
            intents,
            written_at,
        },
    )
}

/// Arbitrary entries, without `Begin`.
pub(crate) fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = prop_oneof![
        intents().prop_map(Entry::Intent),
        placed().prop_map(|(address, resource)| Entry::Put { address, resource }),
        addresses().prop_map(|address| Entry::Remove { address }),
        tombstones().prop_map(Entry::Tombstone),
        "[a-c]".prop_map(|identity| Entry::TombstoneGone { identity }),
        (0u128..4).prop_map(|id| Entry::IntentDone { id: Uuid::from_u128(id) }),
        any::<i64>().prop_map(|at| Entry::Written { at }),
    ];
    vec(entry, 0..12)
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread: what the stores need of a runtime is no more.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
