//! For generated configurations and endpoints: applied once, a plan has nothing in it; what somebody changes is drift and
//! one step at that very address; another configuration is reached and then stands still, from wherever an apply died.

use std::collections::BTreeMap;

use byob_model::address::{Address, Kind};
use byob_model::desired::DesiredRoot;
use byob_model::kind::{
    Algorithm, Attributes, CorsRule, Filter, KeyRef, KeyState, LifecycleRule, OUR_CORS_RULE, OUR_RULE_PREFIX,
    Policy, Rotation, VersioningStatus, is_our_sid,
};
use byob_plan::Rule;
use byob_plan::approval::{Standing, standing};
use byob_policy::Effect;
use proptest::prelude::*;

use crate::scene::{Scene, drifted, impossible, steps};
use crate::world::{Quirks, World, strange_key};

const FOREIGN_KEY: &str = "arn:aws:kms:us-east-1:999999999999:key/0000-9999";

/// The choices of one bucket: for each field one of its spellings, the first of which is none.
const FIELDS: [(&str, &[&str]); 18] = [
    (
        "encryption",
        &[
            "",
            "encryption = \"sse-s3\"",
            "encryption = { type = \"sse-kms\", key = \"KEY\" }",
            "encryption = { type = \"sse-kms\", key = \"KEY\", bucket_key = false }",
            "encryption = { type = \"dsse-kms\", key = \"KEY\" }",
        ],
    ),
    ("encryption", &["", "sse_c = \"allowed\"", "sse_c = \"blocked\""]),
    ("cors", &["", "cors_origins = []", "cors_origins = [\"https://b.example\", \"https://a.example\"]"]),
    (
        "public_access_block",
        &[
            "",
            "public_access_block = false",
            "public_access_block = { block_public_acls = true }",
            "public_access_block = true",
        ],
    ),
    ("ownership", &["", "object_ownership = \"ObjectWriter\"", "object_ownership = \"BucketOwnerEnforced\""]),
    ("policy", &["", "tls_only = true", "min_tls_version = \"1.2\""]),
    (
        "policy",
        &[
            "",
            "allowed_source_ips = [\"203.0.113.0/24\"]\nallowed_vpc_endpoints = [\"vpce-0123456789abcdef0\"]",
        ],
    ),
    (
        "policy",
        &["", "managers = [\"123456789012\"]", "managers = [\"arn:aws:iam::123456789012:role/Admin\"]"],
    ),
    (
        "policy",
        &[
            "",
            "extra_statements = [{ Sid = \"ByobExtraRead\", Effect = \"Allow\", Principal = { AWS = [\"111122223333\"] }, \
             Action = [\"S3:GetObject\"], Resource = [\"arn:aws:s3:::NAME/*\"], Condition = { Bool = { \"AWS:SecureTransport\" = true } } }]",
        ],
    ),
    ("policy", &["", "foreign_statements = \"keep\"", "foreign_statements = \"remove\""]),
    ("versioning", &["", "versioning = \"enabled\"", "versioning = \"suspended\""]),
    ("lifecycle", &["", "abort_incomplete_uploads_after_days = 7"]),
    ("lifecycle", &["", "noncurrent_expire_after_days = 30"]),
    (
        "lifecycle",
        &[
            "",
            "lifecycle = [{ id = \"z\", filter = { prefix = \"tmp/\", tags = { k = \"v\" } }, transitions = [\
             { days = 30, storage_class = \"STANDARD_IA\" }, { days = 90, storage_class = \"GLACIER\" }] }, \
             { id = \"a\", enabled = false, noncurrent_version_expiration = { days = 5, newer_versions = 3 } }]",
        ],
    ),
    (
        "logging",
        &[
            "",
            "logging = { target_bucket = \"acme-logs\" }",
            "logging = { target_bucket = \"bucket.b0\", target_prefix = \"l/\", key_format = \"simple\" }",
        ],
    ),
    ("object_lock", &["", "object_lock = {}", "object_lock = { mode = \"governance\", days = 3 }"]),
    ("tags", &["", "tags = { T = \"x\" }", "tags = { T = \"y\", U = \"\" }"]),
    (
        "",
        &[
            "",
            "wandb_access = false",
            "purpose = \"reference\"",
            "purpose = \"reference\"\nwandb_access = false",
        ],
    ),
];

const KEY_FIELDS: [&[&str]; 5] = [
    &["", "rotation_days = \"off\"", "rotation_days = 90", "rotation_days = 365"],
    &["", "description = \"d\""],
    &["", "managers = [\"arn:aws:iam::123456789012:role/Keys\"]"],
    &["", "tags = { T = \"x\" }"],
    &["", "deletion_window_days = 7"],
];

#[derive(Debug, Clone)]
struct BucketChoice {
    fields: Vec<usize>,
    key: usize,
    unmanaged: Vec<bool>,
    present: bool,
}

#[derive(Debug, Clone)]
struct Choice {
    buckets: Vec<BucketChoice>,
    keys: Vec<(Vec<usize>, bool)>,
    shared_tags: bool,
}

const ASPECTS: [&str; 8] =
    ["encryption", "cors", "public_access_block", "ownership", "lifecycle", "tags", "policy", "versioning"];

fn bucket_choice() -> impl Strategy<Value = BucketChoice> {
    let fields: Vec<_> = FIELDS.iter().map(|(_, all)| prop_oneof![Just(0), 0..all.len()].boxed()).collect();
    let unmanaged = proptest::collection::vec(proptest::bool::weighted(0.08), ASPECTS.len());
    (fields, 0..3_usize, unmanaged, proptest::bool::weighted(0.8))
        .prop_map(|(fields, key, unmanaged, present)| BucketChoice { fields, key, unmanaged, present })
}

fn choice(buckets: usize, keys: usize) -> impl Strategy<Value = Choice> {
    let key_fields: Vec<_> = KEY_FIELDS.iter().map(|all| (0..all.len()).boxed()).collect();
    let keys = proptest::collection::vec((key_fields, proptest::bool::weighted(0.8)), keys);
    (proptest::collection::vec(bucket_choice(), buckets), keys, any::<bool>())
        .prop_map(|(buckets, keys, shared_tags)| Choice { buckets, keys, shared_tags })
}

/// One configuration, or two of the same buckets and keys.
fn two_choices() -> impl Strategy<Value = (Choice, Choice)> {
    (1..4_usize, 0..3_usize).prop_flat_map(|(b, k)| (choice(b, k), choice(b, k)))
}

fn quirks() -> impl Strategy<Value = Quirks> {
    any::<[bool; 4]>().prop_map(|[bare, hides_sse_c, hides_period, spells_simple]| Quirks {
        bare,
        hides_sse_c,
        hides_period,
        spells_simple,
    })
}

impl Choice {
    /// `after`: what stands in AWS already and cannot be taken out again is written.
    fn tables(&self, after: Option<&Self>) -> String {
        let mut text = String::new();
        if self.shared_tags {
            text.push_str("[tags]\nOwner = \"ml\"\n");
        }
        let keys: Vec<bool> = self.keys.iter().map(|(_, present)| *present).collect();
        for (i, bucket) in self.buckets.iter().enumerate() {
            // The first is the target of logs.
            if i > 0 && !bucket.present {
                continue;
            }
            let before = after.map(|a| a.buckets[i].spelled(i, &keys, None));
            text.push_str(&format!("[bucket.b{i}]\nname = \"acme-b{i}\"\nprotect = false\n"));
            for line in bucket.spelled(i, &keys, before.as_ref()).values() {
                text.push_str(line);
                text.push('\n');
            }
        }
        for (i, (fields, present)) in self.keys.iter().enumerate() {
            if !present {
                continue;
            }
            text.push_str(&format!("[key.k{i}]\nalias = \"k{i}\"\nprotect = false\n"));
            for (all, chosen) in KEY_FIELDS.iter().zip(fields) {
                text.push_str(all[*chosen]);
                text.push('\n');
            }
        }
        text
    }
}

impl BucketChoice {
    /// The lines of the table by field, made to agree with each other.
    fn spelled(
        &self,
        index: usize,
        keys: &[bool],
        before: Option<&BTreeMap<usize, String>>,
    ) -> BTreeMap<usize, String> {
        const SSE_C: usize = 1;
        const VERSIONING: usize = 10;
        const LOGGING: usize = 14;
        const LOCK: usize = 15;
        const LAST: usize = 17;
        let key = match keys.get(self.key) {
            Some(true) => format!("key.k{}", self.key),
            _ => FOREIGN_KEY.to_owned(),
        };
        let mut lines: BTreeMap<usize, String> = BTreeMap::new();
        for (i, ((_, all), chosen)) in FIELDS.iter().zip(&self.fields).enumerate() {
            let line = all[*chosen].replace("KEY", &key).replace("NAME", &format!("acme-b{index}"));
            if !line.is_empty() {
                lines.insert(i, line);
            }
        }
        if index == 0 {
            // Logs go here: not to itself, and no default retention.
            lines.remove(&LOGGING);
            lines.entry(LOCK).and_modify(|line| *line = "object_lock = {}".into());
        }
        if let Some(before) = before {
            for field in [VERSIONING, LOCK] {
                if let (Some(line), false) = (before.get(&field), lines.contains_key(&field)) {
                    lines.insert(field, line.clone());
                }
            }
        }
        if lines.contains_key(&LOCK) {
            lines.insert(VERSIONING, "versioning = \"enabled\"".into());
        }
        let reference = lines.get(&LAST).is_some_and(|line| line.contains("reference"));
        if reference && !lines.contains_key(&0) {
            lines.remove(&SSE_C);
        }
        let mut left = Vec::new();
        for (aspect, chosen) in ASPECTS.iter().zip(&self.unmanaged) {
            let set = lines.keys().any(|i| FIELDS[*i].0 == *aspect);
            let access = *aspect == "policy" && lines.contains_key(&LAST);
            if *chosen && !set && !access {
                left.push(format!("\"{aspect}\""));
            }
        }
        if !left.is_empty() {
            lines.insert(LAST + 1, format!("unmanaged = [{}]", left.join(", ")));
        }
        lines
    }
}

/// A world in which logs can go somewhere, somebody's key exists, and some buckets were made by hand.
fn scene(tables: &str, quirks: Quirks, imported: &[bool]) -> Scene {
    let mut scene = Scene::new(tables);
    scene.world.quirks = quirks;
    // AWS puts a block on what is new; what does not is another endpoint, and known as one.
    if quirks.bare {
        scene.endpoint = "storage.example:9000";
    }
    scene.world.make_bucket("acme-logs", "us-east-1");
    scene.world.keys.insert(FOREIGN_KEY.into(), strange_key());
    for (i, _) in imported.iter().enumerate().filter(|(_, imported)| **imported) {
        let address = format!("bucket.b{i}");
        if !tables.contains(&format!("[{address}]")) {
            continue;
        }
        let bucket = scene.world.make_bucket(&format!("acme-b{i}"), "us-east-1");
        bucket.tags.insert("Theirs".into(), "x".into());
        bucket.tags.insert("aws:cloudformation:stack-id".into(), "x".into());
        bucket.lifecycle.push(their_rule());
        bucket.cors.push(their_cors_rule());
        // Object lock cannot be put on a bucket whose versioning was never on.
        bucket.versioning = Some(VersioningStatus::Enabled);
        bucket.policy = Some(their_policy());
        scene.import(&address);
    }
    scene
}

fn their_rule() -> LifecycleRule {
    LifecycleRule {
        id: "theirs".into(),
        enabled: true,
        filter: Filter::default(),
        abort_incomplete_multipart_upload_days: Some(1),
        expiration: None,
        noncurrent_version_expiration: None,
        transitions: Vec::new(),
        noncurrent_version_transitions: Vec::new(),
    }
}

fn their_cors_rule() -> CorsRule {
    byob_model::config::cors_rule(
        byob_model::kind::Purpose::Reference,
        ["https://theirs.example".to_owned()].into(),
        Some("theirs".into()),
    )
}

fn their_policy() -> Policy {
    let mut policy = strange_key().policy;
    policy.document.statements[0].sid = Some("Theirs".into());
    policy.document.statements[0].effect = Effect::Deny;
    policy
}

/// Changes one aspect behind byob's back in a way that is byob's business; false where there is none.
pub(crate) fn tamper(
    world: &mut World,
    address: &Address,
    root: &DesiredRoot,
    arn: &str,
    wanted: Option<&Attributes>,
) -> bool {
    let keeps = root.foreign_statements == byob_model::config::ForeignStatements::Keep;
    if address.kind.root() == byob_model::RootKind::Key {
        let key = world.key(arn);
        match address.kind {
            Kind::Key => {
                key.state = KeyState::Disabled;
                key.description.push('!');
            }
            Kind::KeyPolicy => {
                key.policy.document.statements.push(their_policy().document.statements[0].clone());
            }
            Kind::Rotation if key.rotation.enabled => {
                key.rotation = Rotation { enabled: false, period_days: None }
            }
            Kind::Rotation => key.rotation = Rotation { enabled: true, period_days: Some(100) },
            Kind::KeyTags => drop(key.tags.insert("byob:stack".into(), "y".into())),
            Kind::Alias => drop(world.aliases.remove(&(root.region.clone(), root.name.clone()))),
            _ => return false,
        }
        return true;
    }
    let bucket = world.bucket(&root.name);
    match (address.kind, wanted) {
        (Kind::PublicAccessBlock, _) => {
            let block = bucket.block.as_mut().unwrap();
            block.restrict_public_buckets = !block.restrict_public_buckets;
        }
        (Kind::Ownership, _) => bucket.ownership = Some("BucketOwnerPreferred".into()),
        (Kind::Encryption, _) => {
            let encryption = bucket.encryption.as_mut().unwrap();
            if encryption.algorithm == Algorithm::Aes256 {
                encryption.algorithm = Algorithm::KmsDsse;
                encryption.kms_key = Some(KeyRef::Arn(FOREIGN_KEY.into()));
            } else {
                encryption.algorithm = Algorithm::Aes256;
                encryption.kms_key = None;
            }
            encryption.bucket_key = false;
        }
        (Kind::Cors, Some(Attributes::Cors(cors))) if cors.exclusive => {
            bucket.cors.insert(0, their_cors_rule());
        }
        (Kind::Cors, Some(Attributes::Cors(cors))) if !cors.rules.is_empty() => {
            bucket.cors.retain(|rule| rule.id.as_deref() != Some(OUR_CORS_RULE));
        }
        (Kind::Versioning, _) if bucket.lock.is_none() => {
            let enabled = bucket.versioning == Some(VersioningStatus::Enabled);
            bucket.versioning =
                Some(if enabled { VersioningStatus::Suspended } else { VersioningStatus::Enabled });
        }
        (Kind::Lifecycle, Some(Attributes::Lifecycle(lifecycle))) if lifecycle.exclusive => {
            bucket.lifecycle.push(LifecycleRule { id: "zz-theirs".into(), ..their_rule() });
        }
        (Kind::Lifecycle, _) => {
            let ours = bucket.lifecycle.iter_mut().find(|rule| rule.id.starts_with(OUR_RULE_PREFIX)).unwrap();
            ours.enabled = !ours.enabled;
        }
        (Kind::BucketTags, Some(Attributes::Tags(tags))) => {
            let (name, _) = tags.tags.first_key_value().unwrap();
            bucket.tags.remove(name);
        }
        (Kind::Logging, _) => bucket.logging = None,
        (Kind::ObjectLock, _) => bucket.lock.as_mut().unwrap().years = Some(9),
        (Kind::BucketPolicy, _) if keeps => {
            let ours = bucket.policy.as_mut().map(|p| &mut p.document.statements).into_iter().flatten();
            match ours.into_iter().find(|s| is_our_sid(s.sid.as_deref())) {
                Some(ours) => ours.condition.clear(),
                None => return false,
            }
            let policy = bucket.policy.as_mut().unwrap();
            let mut statements = policy.document.statements.iter_mut();
            statements.find(|s| is_our_sid(s.sid.as_deref())).unwrap().effect = Effect::Deny;
            return !matches!(wanted, Some(Attributes::Policy(p)) if p.document.equals(&policy.document));
        }
        (Kind::BucketPolicy, _) => match &mut bucket.policy {
            Some(policy) => policy.document.statements.push(their_policy().document.statements[0].clone()),
            None => bucket.policy = Some(their_policy()),
        },
        _ => return false,
    }
    true
}

/// Tampers with every `nth` address.
fn tamper_with_some(scene: &mut Scene, nth: usize) {
    let desired = scene.desired();
    let mut count = 0;
    for (root_address, root) in &desired.roots {
        let arn = scene.recorded.root(root_address).unwrap().identity.clone();
        for kind in root.aspects.keys().copied().chain([root_address.address().kind]) {
            let wanted = root.managed(kind);
            count += 1;
            if count % nth == 0 && (wanted.is_some() || kind.is_root()) {
                tamper(&mut scene.world, &root_address.aspect(kind), root, &arn, wanted);
            }
        }
    }
}

/// `PROPTEST_CASES` runs more (or fewer) of each, in this proportion.
fn cases(share: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases * share / 100, ..default }
}

proptest! {
    #![proptest_config(cases(15))]

    #[test]
    fn applied_once_there_is_nothing_left_to_do(
        (first, _) in two_choices(), quirks in quirks(), imported in any::<[bool; 3]>(),
    ) {
        let mut scene = scene(&first.tables(None), quirks, &imported);
        let plan = scene.plan();
        prop_assert!(!impossible(&plan), "{:#?}\n{}", plan.findings, scene.tables);
        prop_assert_eq!(plan.to_json(), scene.plan().to_json());
        prop_assert!(plan.drift.is_empty());
        scene.apply();
        scene.assert_settled();
        let settled = scene.plan().digest;
        scene.bring_up_to_date();
        prop_assert_eq!(scene.plan().digest, settled);
    }

    #[test]
    fn whatever_somebody_changed_another_configuration_is_reached_and_then_nothing_is_left(
        (first, second) in two_choices(), quirks in quirks(), imported in any::<[bool; 3]>(), nth in 1..6_usize,
    ) {
        let mut scene = scene(&first.tables(None), quirks, &imported);
        scene.apply();
        tamper_with_some(&mut scene, nth);
        let mut destroyed = scene.clone();
        scene.tables = second.tables(Some(&first));
        let plan = scene.plan();
        if !impossible(&plan) {
            scene.apply();
            scene.assert_settled();
        }
        destroyed.mode.destroy = true;
        let plan = destroyed.plan();
        let references = first.tables(None).matches("\"reference\"").count();
        // A reference bucket stays, and what it is encrypted under with it; its logs lose the bucket that goes.
        let stays = |rule| matches!(rule, Rule::KeyInUse | Rule::LogsLost);
        let kept = plan.findings.iter().all(|f| stays(f.rule) && references > 0);
        prop_assert!(kept, "{:#?}", plan.findings);
        if !impossible(&plan) {
            destroyed.apply();
            destroyed.tables = String::new();
            destroyed.assert_settled();
            prop_assert_eq!(destroyed.world.buckets.len(), 1 + references);
        }
    }

    #[test]
    fn another_configuration_is_reached_from_wherever_an_apply_died(
        (first, second) in two_choices(), quirks in quirks(), imported in any::<[bool; 3]>(), dies in any::<prop::sample::Index>(),
    ) {
        let mut scene = scene(&first.tables(None), quirks, &imported);
        scene.apply();
        scene.tables = second.tables(Some(&first));
        let plan = scene.plan();
        prop_assert!(plan.drift.is_empty(), "{:#?}\n{}", drifted(&plan), scene.tables);
        if impossible(&plan) {
            prop_assert!(plan.findings.iter().all(|f| !f.help.is_empty()));
            return Ok(());
        }
        if !plan.steps.is_empty() {
            let mut died = scene.clone();
            died.perform(&plan, dies.index(plan.steps.len()));
            let left = died.plan();
            prop_assert_eq!(drifted(&left), Vec::<String>::new(), "{}", died.tables);
            let stands = standing(&left, &plan.digest, died.recorded.approval.as_ref());
            let goes_on = matches!(stands, Standing::Approved | Standing::Resumed);
            // What the rules block was never approved.
            let blocking: Vec<_> = left.findings.iter().filter(|f| f.blocks()).collect();
            prop_assert!(goes_on || plan.blocked(), "{stands:?} of {:?}\n{blocking:#?}", steps(&plan));
            died.apply();
            died.assert_settled();
        }
        scene.apply();
        scene.assert_settled();
    }
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn what_somebody_changes_is_drift_and_one_step_at_that_address_and_put_back(
        (first, _) in two_choices(), quirks in quirks(), imported in any::<[bool; 3]>(),
    ) {
        let mut before = scene(&first.tables(None), quirks, &imported);
        before.apply();
        let desired = before.desired();
        for (root_address, root) in &desired.roots {
            let arn = before.recorded.root(root_address).unwrap().identity.clone();
            let kinds = root.aspects.keys().copied().chain([root_address.address().kind]);
            for kind in kinds {
                let address = root_address.aspect(kind);
                let wanted = root.managed(kind);
                let mut scene = before.clone();
                if (wanted.is_none() && !kind.is_root()) || !tamper(&mut scene.world, &address, root, &arn, wanted) {
                    continue;
                }
                let plan = scene.plan();
                let only = vec![address.to_string()];
                prop_assert_eq!(drifted(&plan), only.clone(), "{}", scene.tables);
                prop_assert_eq!(scene.drift(), only.clone(), "{}", scene.tables);
                let stepped: Vec<String> = plan.steps.iter().map(|s| s.address.to_string()).collect();
                prop_assert_eq!(stepped, only, "{}", scene.tables);
                let mut accepted = scene.clone();
                prop_assert_eq!(drifted(&accepted.accept()), vec![address.to_string()], "{}", scene.tables);
                prop_assert_eq!(accepted.drift(), Vec::<String>::new(), "{}", scene.tables);
                let back = accepted.plan();
                prop_assert_eq!(drifted(&back), Vec::<String>::new(), "{}", scene.tables);
                let stepped: Vec<String> = back.steps.iter().map(|s| s.address.to_string()).collect();
                prop_assert_eq!(stepped, [address.to_string()], "{}", scene.tables);
                accepted.apply();
                accepted.assert_settled();
                scene.apply();
                scene.assert_settled();
            }
        }
    }
}
