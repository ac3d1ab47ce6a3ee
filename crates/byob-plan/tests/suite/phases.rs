//! Two phases: over generated pairs of old and new (policies, block, encryption, key policies), every state between two
//! writes is evaluated by brute force. Nobody holds access that neither end gives (a), the bucket is not public when
//! neither end is (b), the default encryption is not weaker than both ends (c), and access that both ends give is not
//! interrupted, but for what the plan names (d).

use std::collections::BTreeSet;

use byob_model::kind::{Algorithm, Encryption, KeyRef, Policy, PublicAccessBlock, SseC};
use byob_plan::{Action, Plan, Rule, Step};
use byob_policy::{Circumstances, Document, Guarded, Identity, Request, Requester, evaluate, is_public};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

use crate::scene::{Scene, impossible, step, steps};
use crate::world::{ACCOUNT, World};

const BUCKET: &str = "acme-a";
const WANDB: &str = "arn:aws:iam::725579432336:role/WandbIntegration";
const TABLES: &str = "[bucket.a]\nname = \"acme-a\"\nprotect = false\n";

/// One request, the same at every state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    who: usize,
    context: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Bucket(usize),
    Key(usize, usize),
    /// Reading an object that is encrypted under a key: both documents have to allow it.
    Read(usize),
    /// Writing an object under whatever is the default encryption.
    Write,
}

const ON_BUCKET: [(&str, &str); 4] = [
    ("s3:GetObject", "arn:aws:s3:::acme-a/x"),
    ("s3:PutObject", "arn:aws:s3:::acme-a/x"),
    ("s3:ListBucket", "arn:aws:s3:::acme-a"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::acme-a"),
];
const ON_KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

fn requesters() -> Vec<(Requester, Identity)> {
    let role = |arn: &str| arn.parse::<Requester>().unwrap();
    vec![
        (role(WANDB), Identity::Everything),
        (role("arn:aws:iam::111122223333:role/A"), Identity::Everything),
        (role("arn:aws:iam::111122223333:role/B"), Identity::Everything),
        (role("arn:aws:iam::123456789012:role/Admin"), Identity::Everything),
        (role("arn:aws:iam::123456789012:role/Plain"), Identity::Nothing),
        (Requester::Anonymous, Identity::Nothing),
    ]
}

fn contexts() -> Vec<Vec<(String, Vec<String>)>> {
    let context = |tls: &str, ip: &str| {
        vec![
            ("aws:SecureTransport".to_owned(), vec![tls.to_owned()]),
            ("aws:SourceIp".to_owned(), vec![ip.to_owned()]),
        ]
    };
    vec![context("true", "203.0.113.9"), context("true", "198.51.100.9"), context("false", "203.0.113.9")]
}

/// What decides access, as the world has it.
#[derive(Debug, Clone)]
struct State {
    policy: Document,
    restricted: bool,
    keys: Vec<Option<Document>>,
    /// The default key, by its place among the keys.
    default_key: Option<usize>,
    strength: u8,
}

impl State {
    fn of(world: &World, arns: &[String]) -> Self {
        let bucket = &world.buckets[BUCKET];
        let encryption = bucket.encryption.clone();
        let key = encryption.as_ref().and_then(|e| match &e.kms_key {
            Some(KeyRef::Arn(arn)) => arns.iter().position(|known| known == arn),
            _ => None,
        });
        Self {
            policy: bucket.policy.clone().unwrap_or_else(Policy::empty).document,
            restricted: bucket.block.is_some_and(|block| block.restrict_public_buckets),
            keys: arns.iter().map(|arn| world.keys.get(arn).map(|key| key.policy.document.clone())).collect(),
            default_key: key,
            strength: match encryption.map(|e| (e.algorithm, e.sse_c)) {
                None => 0,
                Some((Algorithm::Aes256, sse_c)) => u8::from(sse_c != Some(SseC::Allowed)),
                Some((Algorithm::Kms, sse_c)) => 2 + u8::from(sse_c != Some(SseC::Allowed)),
                Some((Algorithm::KmsDsse, sse_c)) => 4 + u8::from(sse_c != Some(SseC::Allowed)),
            },
        }
    }

    fn is_public(&self) -> bool {
        !self.restricted && is_public(&self.policy).is_public()
    }

    /// Everything that goes through. `used`: the keys that the bucket is on at either end; what is read under others is
    /// not its data.
    fn access(&self, used: &[usize]) -> BTreeSet<Asked> {
        let mut all = BTreeSet::new();
        for (who, (requester, identity)) in requesters().iter().enumerate() {
            for (context, values) in contexts().iter().enumerate() {
                let allows = |document: &Document, guarded, action: &str, resource: &str| {
                    let mut circumstances =
                        Circumstances::new(guarded, Some(ACCOUNT.parse().unwrap()), identity.clone());
                    circumstances.restrict_public_buckets = self.restricted && guarded == Guarded::Bucket;
                    let request = Request::new(requester.clone(), action, resource, values.clone());
                    evaluate(document, &request, &circumstances).is_allowed()
                };
                let bucket: Vec<bool> = ON_BUCKET
                    .iter()
                    .map(|(action, on)| allows(&self.policy, Guarded::Bucket, action, on))
                    .collect();
                let keys: Vec<Vec<bool>> = self
                    .keys
                    .iter()
                    .map(|policy| {
                        let one = |action: &&str| {
                            policy.as_ref().is_some_and(|policy| allows(policy, Guarded::Key, action, "*"))
                        };
                        ON_KEY.iter().map(one).collect()
                    })
                    .collect();
                let mut push = |what, yes: bool| {
                    if yes {
                        all.insert(Asked { who, context, what });
                    }
                };
                for (at, yes) in bucket.iter().enumerate() {
                    push(What::Bucket(at), *yes);
                }
                for (key, actions) in keys.iter().enumerate() {
                    for (at, yes) in actions.iter().enumerate() {
                        push(What::Key(key, at), *yes);
                    }
                    push(What::Read(key), used.contains(&key) && bucket[0] && actions[0]);
                }
                push(What::Write, bucket[1] && self.default_key.is_none_or(|key| keys[key][1]));
            }
        }
        all
    }
}

/// A statement of either side.
#[derive(Debug, Clone)]
struct Choice {
    deny: bool,
    principals: Vec<usize>,
    actions: Vec<usize>,
    condition: usize,
}

const PRINCIPALS: [&str; 6] = [
    WANDB,
    "arn:aws:iam::111122223333:role/A",
    "arn:aws:iam::111122223333:role/B",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::123456789012:root",
    "*",
];

fn choice() -> impl Strategy<Value = Choice> {
    let principals = prop::sample::subsequence((0..PRINCIPALS.len()).collect::<Vec<_>>(), 1..=2);
    let actions = prop::sample::subsequence((0..6_usize).collect::<Vec<_>>(), 1..=2);
    (prop::bool::weighted(0.2), principals, actions, 0..5_usize)
        .prop_map(|(deny, principals, actions, condition)| Choice { deny, principals, actions, condition })
}

fn statement(choice: &Choice, key: bool, sid: &str) -> Value {
    let principals: Vec<&str> = choice.principals.iter().map(|at| PRINCIPALS[*at]).collect();
    let actions: Vec<&str> = choice
        .actions
        .iter()
        .map(|at| match (key, at) {
            (false, 0) => "s3:GetObject",
            (false, 1) => "s3:PutObject",
            (false, 2) => "s3:ListBucket",
            (false, 3) => "s3:Get*",
            (false, 4) => "s3:*Object",
            (false, _) => "s3:*",
            (true, 0 | 1) => "kms:Decrypt",
            (true, 2 | 3) => "kms:GenerateDataKey",
            (true, 4) => "kms:De*",
            (true, _) => "kms:*",
        })
        .collect();
    let mut value = json!({
        "Sid": sid, "Effect": if choice.deny { "Deny" } else { "Allow" },
        "Principal": { "AWS": principals }, "Action": actions,
        "Resource": if key { json!("*") } else { json!(["arn:aws:s3:::acme-a", "arn:aws:s3:::acme-a/*"]) },
    });
    match choice.condition {
        0 => value["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } }),
        1 => value["Condition"] = json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } }),
        _ => {}
    }
    value
}

/// A value as an inline value of TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(all) => format!("[{}]", all.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(all) => {
            let fields: Vec<String> =
                all.iter().map(|(key, value)| format!("\"{key}\" = {}", toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[derive(Debug, Clone)]
struct Side {
    policy: Vec<Choice>,
    block: [bool; 4],
    encryption: usize,
    sse_c: bool,
    managers: bool,
    access: bool,
    /// Only looked at on the old side: what the keys' policies were made.
    keys: [Vec<Choice>; 2],
    ownership: bool,
}

fn side() -> impl Strategy<Value = Side> {
    (
        prop::collection::vec(choice(), 0..4),
        any::<[bool; 4]>(),
        0..4_usize,
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.7),
        [prop::collection::vec(choice(), 0..3), prop::collection::vec(choice(), 0..3)],
        any::<bool>(),
    )
        .prop_map(|(policy, block, encryption, sse_c, managers, access, keys, ownership)| Side {
            policy,
            block,
            encryption,
            sse_c,
            managers,
            access,
            keys,
            ownership,
        })
}

fn document(choices: &[Choice], key: bool) -> Vec<Value> {
    choices.iter().enumerate().map(|(n, one)| statement(one, key, &format!("ByobExtra{n}"))).collect()
}

impl Side {
    fn block(&self) -> PublicAccessBlock {
        let [block_public_acls, ignore_public_acls, block_public_policy, restrict_public_buckets] =
            self.block;
        PublicAccessBlock {
            block_public_acls,
            ignore_public_acls,
            block_public_policy,
            restrict_public_buckets,
        }
    }

    fn tables(&self) -> String {
        let statements = document(&self.policy, false);
        let public = Document::from_value(&json!({ "Statement": statements }))
            .is_ok_and(|document| is_public(&document).is_public());
        let block = self.block();
        let encryption = match self.encryption {
            0 | 1 => "\"sse-s3\"".to_owned(),
            n => format!("{{ type = \"sse-kms\", key = \"key.k{}\" }}", n - 2),
        };
        format!(
            "[bucket.a]\nname = \"acme-a\"\nprotect = false\nencryption = {encryption}\nsse_c = \"{}\"\n\
             wandb_access = {}\nobject_ownership = \"{}\"\nextra_statements = {}\n\
             public_access_block = {{ block_public_acls = {}, ignore_public_acls = {}, block_public_policy = {}, \
             restrict_public_buckets = {} }}\n\
             [key.k0]\nalias = \"k0\"\n{managers}[key.k1]\nalias = \"k1\"\n",
            if self.sse_c { "allowed" } else { "blocked" },
            self.access,
            if self.ownership { "BucketOwnerEnforced" } else { "ObjectWriter" },
            toml(&Value::Array(statements)),
            block.block_public_acls,
            block.ignore_public_acls,
            // AWS would refuse to put it.
            block.block_public_policy && !public,
            block.restrict_public_buckets,
            managers =
                if self.managers { "managers = [\"arn:aws:iam::123456789012:role/Admin\"]\n" } else { "" },
        )
    }
}

/// Both ends: everything recorded, then made what the old side says behind byob's back, then planned for the new side.
fn scene(old: &Side, new: &Side) -> (Scene, Vec<String>) {
    let plain = format!("{TABLES}[key.k0]\nalias = \"k0\"\n[key.k1]\nalias = \"k1\"\n");
    let mut scene = Scene::applied(&plain);
    let arns: Vec<String> = ["k0", "k1"].iter().map(|alias| scene.world.arn("us-east-1", alias)).collect();
    for (arn, choices) in arns.iter().zip(&old.keys) {
        let mut statements = document(choices, true);
        statements.push(json!({ "Sid": "Root", "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") },
            "Action": "kms:*", "Resource": "*" }));
        scene.world.key(arn).policy.document =
            Document::from_value(&json!({ "Statement": statements })).unwrap();
    }
    let bucket = scene.world.bucket(BUCKET);
    let statements = document(&old.policy, false);
    bucket.policy = (!statements.is_empty())
        .then(|| Policy { document: Document::from_value(&json!({ "Statement": statements })).unwrap() });
    bucket.block = Some(old.block());
    bucket.ownership = Some(if old.ownership { "BucketOwnerEnforced" } else { "ObjectWriter" }.to_owned());
    bucket.encryption = Some(Encryption {
        algorithm: if old.encryption < 2 { Algorithm::Aes256 } else { Algorithm::Kms },
        kms_key: (old.encryption >= 2).then(|| KeyRef::Arn(arns[old.encryption - 2].clone())),
        bucket_key: old.encryption >= 2,
        sse_c: Some(if old.sse_c { SseC::Allowed } else { SseC::Blocked }),
    });
    scene.tables = new.tables();
    (scene, arns)
}

fn phases(plan: &Plan) -> Vec<String> {
    let phase = |step: &Step| format!("{}: {} {}", step.phase, step.action.as_str(), step.id);
    plan.steps.iter().map(phase).collect()
}

/// Walks a plan write by write and holds every state against both ends. Whether anything was named as interrupted.
fn walk(scene: &Scene, arns: &[String]) -> Result<bool, TestCaseError> {
    let plan = scene.plan();
    prop_assert!(!impossible(&plan), "{:#?}\n{}", plan.findings, scene.tables);
    let states: Vec<State> = (0..=plan.steps.len())
        .map(|steps| {
            let mut scene = scene.clone();
            scene.perform(&plan, steps);
            State::of(&scene.world, arns)
        })
        .collect();
    let (old, new) = (&states[0], &states[states.len() - 1]);
    let used: Vec<usize> = old.default_key.into_iter().chain(new.default_key).collect();
    let (before, after) = (old.access(&used), new.access(&used));
    let named = plan.findings.iter().any(|f| f.rule == Rule::Interrupted);
    // The finding says what the step does.
    let reasons = plan.steps.iter().filter(|s| s.phase == 1 && s.reason.contains("interrupted"));
    prop_assert_eq!(
        reasons.map(|s| s.address.clone()).collect::<BTreeSet<_>>(),
        plan.findings.iter().filter(|f| f.rule == Rule::Interrupted).map(|f| f.address.clone()).collect()
    );
    for (number, state) in states.iter().enumerate() {
        let access = state.access(&used);
        let at = || format!("after {number} of {:#?}\nof {}\nfrom {old:#?}", phases(&plan), scene.tables);
        let excess: Vec<&Asked> =
            access.iter().filter(|asked| !before.contains(asked) && !after.contains(asked)).collect();
        prop_assert!(excess.is_empty(), "(a) {excess:?} {}", at());
        prop_assert!(!state.is_public() || old.is_public() || new.is_public(), "(b) {}", at());
        prop_assert!(state.strength >= old.strength.min(new.strength), "(c) {}", at());
        let lost: Vec<&Asked> = before.intersection(&after).filter(|asked| !access.contains(asked)).collect();
        prop_assert!(named || lost.is_empty(), "(d) {lost:?} {}", at());
    }
    // Nothing is left, and a run that dies anywhere in between comes to the same end.
    for steps in 0..plan.steps.len() {
        let mut died = scene.clone();
        died.perform(&plan, steps);
        died.apply();
        died.assert_settled();
        let ended = State::of(&died.world, arns);
        prop_assert!(ended.policy.equals(&new.policy), "died after {steps}: {:#?}", phases(&plan));
    }
    Ok(named)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn no_state_between_two_ends_is_worse_than_both(old in side(), new in side()) {
        let (scene, arns) = scene(&old, &new);
        walk(&scene, &arns)?;
    }
}

/// The generated pairs are worth something: many plans have two phases, and few of those interrupt anybody.
#[test]
fn two_phases_are_common_among_the_generated_and_interruptions_are_not() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut split, mut named) = (0, 0);
    for _ in 0..80 {
        let (old, new) = (side(), side()).new_tree(&mut runner).unwrap().current();
        let (scene, _) = scene(&old, &new);
        let plan = scene.plan();
        let first = || plan.steps.iter().filter(|s| s.phase == 1);
        split += usize::from(first().count() > 0);
        named += usize::from(first().any(|s| s.reason.contains("interrupted")));
    }
    assert!(split >= 30, "{split} of 80 have two phases");
    assert!(named * 4 <= split, "{named} of {split} interrupt somebody");
}

fn statements(all: &[Value]) -> String {
    format!("extra_statements = {}\n", toml(&Value::Array(all.to_vec())))
}

fn allow(sid: &str, who: &[&str], actions: &[&str]) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Principal": { "AWS": who }, "Action": actions,
        "Resource": ["arn:aws:s3:::acme-a", "arn:aws:s3:::acme-a/*"] })
}

#[test]
fn one_document_alone_is_put_in_one_write_and_never_interrupts_whom_both_name() {
    let read = |who: &[&str]| statements(&[allow("ByobExtraRead", who, &["s3:GetObject"])]);
    let (a, b, c) = (
        "arn:aws:iam::111122223333:role/A",
        "arn:aws:iam::111122223333:role/B",
        "arn:aws:iam::111122223333:role/C",
    );
    let mut scene = Scene::applied(&format!("{TABLES}{}", read(&[a, b])));
    scene.tables = format!("{TABLES}{}", read(&[b, c]));
    let plan = scene.plan();
    assert_eq!(phases(&plan), ["2: update bucket.a.policy#1"]);
    // With something else of the bucket that tightens, B stays in the form between.
    scene.tables = format!("{TABLES}{}", read(&[b, c]));
    scene.world.bucket(BUCKET).block =
        Some(PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL });
    let plan = scene.plan();
    let expected = [
        "1: update bucket.a.public_access_block#1",
        "1: update bucket.a.policy#1",
        "2: update bucket.a.policy#2",
    ];
    assert_eq!(phases(&plan), expected);
    assert_eq!(
        (plan.summary.update, plan.summary.create, plan.summary.delete),
        (2, 0, 0),
        "addresses, not steps"
    );
    let between = plan.steps[1].document.to_string();
    assert!(
        between.contains("role/B") && !between.contains("role/A") && !between.contains("role/C"),
        "{between}"
    );
    assert!(!plan.steps[1].reason.contains("interrupted"), "{}", plan.steps[1].reason);
    assert_eq!(plan.steps[2].depends_on, ["bucket.a.policy#1", "bucket.a.public_access_block#1"]);
    assert_eq!(plan.steps[1].changes[0].after, plan.steps[2].changes[0].before);
}

#[test]
fn whom_an_over_long_form_leaves_out_is_found_where_reviewers_look() {
    // Refusals of another team's partners, some 12 KB of them, and others in their place.
    let refusals = |account: &str| -> Vec<Value> {
        let who = |n: usize| format!("arn:aws:iam::{account}:role/{n:03}-{}", "x".repeat(50));
        let all: Vec<String> = (0..130).map(who).collect();
        let out = json!({ "Sid": "ByobExtraOut", "Effect": "Deny", "Principal": { "AWS": all },
            "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::acme-a" });
        let reader = format!("arn:aws:iam::{account}:role/reader");
        vec![out, allow("ByobExtraRead", &[&reader], &["s3:GetObject"])]
    };
    let mut scene = Scene::applied(&format!("{TABLES}{}", statements(&refusals("111122223333"))));
    let new = refusals("444455556666");
    scene.tables = format!("{TABLES}{}", statements(&new));
    // The policy alone is put in one write.
    assert!(scene.plan().findings.iter().all(|f| f.rule != Rule::Interrupted));
    scene.world.bucket(BUCKET).block =
        Some(PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL });
    let plan = scene.plan();
    assert_eq!(plan.steps.iter().filter(|s| s.phase == 1).count(), 2, "{:?}", phases(&plan));
    let found: Vec<_> = plan.findings.iter().filter(|f| f.rule == Rule::Interrupted).collect();
    let [finding] = found[..] else { panic!("{:#?}", plan.findings) };
    assert_eq!(finding.address.to_string(), "bucket.a.policy");
    assert!(
        finding.message.contains("W&B") && finding.message.contains("over AWS's limit"),
        "{}",
        finding.message
    );
    assert!(!finding.help.is_empty() && !plan.blocked());
    // Somebody may have thought about it.
    let waiver = "[[waive]]\nrule = \"BYOB058\"\naddress = \"bucket.a.policy\"\nreason = \"at night\"\nuntil = \"2026-12-31\"\n";
    let waived = scene.with(&format!("{}{waiver}", scene.tables)).plan();
    assert!(waived.findings.iter().any(|f| f.rule == Rule::Interrupted && f.waived.is_some()));
    // Half way it is over for those who look then.
    scene.perform(&plan, 2);
    assert!(scene.plan().findings.iter().all(|f| f.rule != Rule::Interrupted));
}

#[test]
fn what_only_tightens_comes_first_and_what_only_loosens_last() {
    let open = "public_access_block = { block_public_policy = false, restrict_public_buckets = false }\n";
    let more =
        statements(&[allow("ByobExtraRead", &["arn:aws:iam::111122223333:role/A"], &["s3:GetObject"])]);
    let mut scene = Scene::applied(&format!("{TABLES}{more}"));
    scene.tables = format!("{TABLES}{open}");
    let plan = scene.plan();
    assert_eq!(phases(&plan), ["1: update bucket.a.policy#1", "2: update bucket.a.public_access_block#1"]);
    assert_eq!(step(&plan, "bucket.a.public_access_block").depends_on, ["bucket.a.policy#1"]);

    let mut scene = Scene::applied(&format!("{TABLES}{open}"));
    scene.tables = format!("{TABLES}{more}");
    let plan = scene.plan();
    assert_eq!(phases(&plan), ["1: update bucket.a.public_access_block#1", "2: update bucket.a.policy#1"]);

    // A new bucket has no old form.
    let plan = Scene::new(&format!("{TABLES}{more}")).plan();
    assert!(plan.steps.iter().all(|s| s.phase == 2 && s.action == Action::Create), "{:?}", steps(&plan));
}

/// Found by the simulation (seed 92): everybody could read for a moment.
#[test]
fn a_bucket_that_an_unfinished_run_made_has_an_old_form_once_its_policy_is_put() {
    let all = statements(&[allow("ByobExtraAll", &["*"], &["s3:GetObject"])]);
    let one = statements(&[allow("ByobExtraA", &["arn:aws:iam::111122223333:role/A"], &["s3:GetObject"])]);
    let (closed, open) = ("block_public_policy = false", "restrict_public_buckets = false");
    let tables = |block: &str, readers: &str| {
        format!("{TABLES}wandb_access = false\npublic_access_block = {{ {block} }}\n{readers}")
    };
    let mut scene = Scene::new(&tables(closed, &all));
    scene.apply();
    scene.recorded.approval.as_mut().unwrap().finished = false;
    scene.tables = tables(open, &one);
    let plan = scene.plan();
    assert_eq!(
        phases(&plan),
        [
            "1: update bucket.a.public_access_block#1",
            "1: delete bucket.a.policy#1",
            "2: update bucket.a.public_access_block#2",
            "2: create bucket.a.policy#2"
        ]
    );
    walk(&scene, &[]).unwrap();
}

#[test]
fn a_target_takes_both_phases_of_its_own_document_and_nothing_of_the_others() {
    let (a, b) = ("arn:aws:iam::111122223333:role/A", "arn:aws:iam::111122223333:role/B");
    let read = |who: &str| statements(&[allow("ByobExtraRead", &[who], &["s3:GetObject"])]);
    let mut scene = Scene::applied(&format!("{TABLES}{}", read(a)));
    scene.world.bucket(BUCKET).ownership = Some("ObjectWriter".into());
    scene.tables = format!("{TABLES}{}", read(b));
    assert_eq!(scene.plan().steps.len(), 3);
    scene.mode.target.insert("bucket.a.ownership".into());
    assert_eq!(phases(&scene.plan()), ["2: update bucket.a.ownership#1"]);
}
