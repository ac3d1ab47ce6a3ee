//! A configuration, a record and a world, and what happens when they are planned and applied.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::call::{Call, Operation, Payload};
use byob_model::config::{Configuration, Deployment, parse};
use byob_model::date::Date;
use byob_model::desired::{Desired, desired};
use byob_model::kind::{Attributes, BYOB_LINEAGE};
use byob_model::live::{LiveAspect, LiveBucket};
use byob_model::recorded::{Recorded, RecordedResource};
use byob_plan::plan::RecordChange;
use byob_plan::{Action, Input, Mode, Plan, Rule, Step, approval, drift, plan, wanted};
use serde_json::Value;
use uuid::Uuid;

use crate::world::{ACCOUNT, World};

pub(crate) const LINEAGE: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);
pub(crate) const OTHER_LINEAGE: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002);

/// A configuration with these tables, in an account and region like any other.
pub(crate) fn file(tables: &str) -> String {
    // Fields without a table stand before the first table.
    let at = if tables.starts_with('[') { 0 } else { tables.find("\n[").map_or(tables.len(), |at| at + 1) };
    let (top, tables) = tables.split_at(at);
    format!(
        "version = 1\n{top}\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n{tables}"
    )
}

thread_local! {
    /// A scene plans the same file many times.
    static PARSED: RefCell<Option<(String, Rc<Configuration>)>> = const { RefCell::new(None) };
}

pub(crate) fn configuration(tables: &str) -> Rc<Configuration> {
    PARSED.with_borrow_mut(|parsed| match parsed {
        Some((text, configuration)) if text == tables => Rc::clone(configuration),
        _ => {
            let text = file(tables);
            let configuration = parse(&text, &|_| Err("no such file".into()));
            let configuration = configuration.unwrap_or_else(|errors| panic!("{errors:#?}\nin\n{text}"));
            let configuration = Rc::new(configuration);
            *parsed = Some((tables.to_owned(), Rc::clone(&configuration)));
            configuration
        }
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) tables: String,
    pub(crate) recorded: Recorded,
    pub(crate) world: World,
    pub(crate) mode: Mode,
    pub(crate) endpoint: &'static str,
    /// Aspects of buckets that the caller may not read.
    pub(crate) refused: BTreeSet<Kind>,
    /// Another `deployment` and other `principals` than the file has, without a file that says so.
    pub(crate) deployment: Option<(Deployment, BTreeSet<String>)>,
    /// The day on which it is planned.
    pub(crate) today: Date,
    /// `[wandb] egress`.
    pub(crate) egress: BTreeSet<String>,
}

impl Scene {
    /// Nothing recorded, nothing there.
    pub(crate) fn new(tables: &str) -> Self {
        Self {
            tables: tables.to_owned(),
            recorded: Recorded::default(),
            world: World::default(),
            mode: Mode::default(),
            endpoint: "aws",
            refused: BTreeSet::new(),
            deployment: None,
            today: "2026-11-20".parse().unwrap(),
            egress: BTreeSet::new(),
        }
    }

    /// Applied once.
    pub(crate) fn applied(tables: &str) -> Self {
        let mut scene = Self::new(tables);
        scene.apply();
        scene
    }

    /// The same record and world under another configuration.
    pub(crate) fn with(&self, tables: &str) -> Self {
        Self { tables: tables.to_owned(), ..self.clone() }
    }

    pub(crate) fn desired(&self) -> Desired {
        let mut configuration = (*configuration(&self.tables)).clone();
        if let Some((deployment, principals)) = &self.deployment {
            configuration.wandb.deployment = *deployment;
            configuration.wandb.principals.clone_from(principals);
        }
        configuration.wandb.egress.clone_from(&self.egress);
        desired(&configuration, ACCOUNT, &self.recorded)
            .unwrap_or_else(|errors| panic!("{errors:#?}\nin\n{}", self.tables))
    }

    pub(crate) fn plan(&self) -> Plan {
        let desired = self.desired();
        let meaning =
            byob_model::desired::desired(&configuration(&self.tables), ACCOUNT, &Recorded::default())
                .unwrap_or_else(|errors| panic!("{errors:#?}"));
        let empty = desired.empty();
        let reads = wanted(Some(if self.mode.destroy { &empty } else { &desired }), &self.recorded);
        let mut live = self.world.read(&reads);
        for bucket in live.buckets.values_mut() {
            let LiveBucket::Exists(facts) = bucket else { continue };
            facts.aspects.iter_mut().filter(|(kind, _)| self.refused.contains(kind)).for_each(
                |(_, aspect)| {
                    *aspect = LiveAspect::Refused;
                },
            );
        }
        plan(&Input {
            desired: &desired,
            recorded: &self.recorded,
            live: &live,
            mode: &self.mode,
            endpoint: self.endpoint,
            partition: "aws",
            byob_version: "0.1.0",
            meaning: &meaning,
            today: self.today,
        })
    }

    pub(crate) fn drift(&self) -> Vec<String> {
        let live = self.world.read(&wanted(None, &self.recorded));
        drift::report(&self.recorded, &live).drift.iter().map(|d| d.address.to_string()).collect()
    }

    /// Applies what is planned, all of it, and writes what needs no step. The mode is an ordinary one again.
    pub(crate) fn apply(&mut self) -> Plan {
        let plan = self.plan();
        assert!(!impossible(&plan), "{:#?}", plan.findings);
        self.perform(&plan, usize::MAX);
        self.mode = Mode::default();
        self.bring_up_to_date();
        self.recorded.serial += 1;
        if let Some(approval) = &mut self.recorded.approval {
            approval.finished = true;
        }
        plan
    }

    /// Accepts all drift that the mode's targets leave, as `apply --refresh-only` does, and reads it back. The mode is an
    /// ordinary one again.
    pub(crate) fn accept(&mut self) -> Plan {
        self.mode.refresh_only = true;
        let plan = self.plan();
        assert_eq!(operations(&plan), [], "something would be sent to AWS");
        assert!(plan.record.is_empty() && plan.already.is_empty());
        self.perform(&plan, usize::MAX);
        let again = self.plan();
        assert_eq!((steps(&again), again.blocked()), (vec![], plan.blocked()), "{:#?}", again.findings);
        self.mode = Mode::default();
        if let Some(approval) = &mut self.recorded.approval {
            approval.finished = true;
        }
        plan
    }

    /// What an apply does to the record at its end.
    pub(crate) fn bring_up_to_date(&mut self) {
        let changes = self.plan().record;
        record(&mut self.recorded, &changes, &BTreeMap::new());
    }

    /// Runs the first `steps` steps of a plan, as an apply that dies there, and leaves its approval open.
    pub(crate) fn perform(&mut self, plan: &Plan, steps: usize) {
        self.recorded.lineage.get_or_insert(LINEAGE);
        self.recorded.approval = Some(approval::open(plan));
        let mut arns: BTreeMap<RootAddress, String> = self
            .recorded
            .roots()
            .filter(|(address, _)| address.kind == RootKind::Key)
            .map(|(address, r)| (address, r.identity.clone()))
            .collect();
        for step in plan.steps.iter().filter(|s| s.kind == Kind::Key && s.action == Action::Create) {
            arns.remove(&step.address.root());
        }
        let made: BTreeSet<RootAddress> = plan
            .steps
            .iter()
            .filter(|s| s.kind.is_root() && s.action == Action::Create)
            .map(|s| s.address.root())
            .collect();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for step in plan.steps.iter().take(steps) {
            assert!(step.depends_on.iter().all(|id| done.contains(id.as_str())), "{} is too early", step.id);
            let root = step.address.root();
            let created = made.contains(&root) || self.recorded.root(&root).is_some_and(|r| r.created);
            for call in &step.calls {
                if let Some(arn) = self.world.perform(&proved(call, created), &arns) {
                    arns.insert(root.clone(), arn);
                }
            }
            record(&mut self.recorded, &step.record, &arns);
            done.insert(&step.id);
        }
    }

    /// Takes the world's bucket or key into the record as `byob import` does: as it is live, and not created.
    pub(crate) fn import(&mut self, address: &str) {
        let desired = self.desired();
        let address: RootAddress = address.parse().unwrap();
        let root = &desired.roots[&address];
        self.recorded.lineage.get_or_insert(LINEAGE);
        let identity = match address.kind {
            RootKind::Bucket => root.name.clone(),
            RootKind::Key => self.world.aliases[&(root.region.clone(), root.name.clone())].clone(),
        };
        let resource = |kind, attributes: &Attributes| RecordedResource {
            kind,
            account_id: ACCOUNT.into(),
            region: root.region.clone(),
            identity: identity.clone(),
            attributes: attributes.to_value(),
            created: false,
            name_prefix: None,
            keys_used: BTreeSet::new(),
            versioning_seen: false,
        };
        let root_resource = resource(address.address().kind, &root.attributes);
        self.recorded.resources.insert(address.address(), root_resource);
        let live = self.world.read(&wanted(Some(&self.desired()), &self.recorded));
        let desired = self.desired();
        for kind in desired.roots[&address].aspects.keys() {
            let aspect = match address.kind {
                RootKind::Bucket => match live.buckets.get(&identity) {
                    Some(LiveBucket::Exists(facts)) => facts.aspects.get(kind).cloned(),
                    other => panic!("{other:?}"),
                },
                RootKind::Key => None,
            };
            if let Some(LiveAspect::Present(attributes)) = aspect {
                self.recorded.resources.insert(address.aspect(*kind), resource(*kind, &attributes));
            }
        }
    }

    /// The recorded resource at an address.
    pub(crate) fn at(&mut self, address: &str) -> &mut RecordedResource {
        let address: Address = address.parse().unwrap();
        self.recorded.resources.get_mut(&address).unwrap_or_else(|| panic!("{address} is not recorded"))
    }

    /// Nothing to do, nothing found.
    pub(crate) fn assert_settled(&self) {
        let plan = self.plan();
        assert_eq!(steps(&plan), Vec::<String>::new(), "{}\nof {}", changes(&plan), self.tables);
        assert!(plan.drift.is_empty(), "{:#?}", plan.drift);
        assert!(plan.already.is_empty(), "{:?}", plan.already);
        assert_eq!(plan.record, Vec::new());
        assert!(!impossible(&plan), "{:#?}", plan.findings);
        assert_eq!(self.drift(), Vec::<String>::new());
    }
}

fn proved(call: &Call, created: bool) -> Call {
    let mut call = call.clone();
    if created {
        match &mut call.payload {
            Payload::Tags { set, remove } if !set.is_empty() || remove.is_empty() => {
                set.insert(BYOB_LINEAGE.to_owned(), LINEAGE.to_string());
            }
            Payload::NewKey { tags, .. } => {
                tags.insert(BYOB_LINEAGE.to_owned(), LINEAGE.to_string());
            }
            _ => {}
        }
    }
    call
}

/// As `byob-apply` does it.
fn record(recorded: &mut Recorded, changes: &[RecordChange], arns: &BTreeMap<RootAddress, String>) {
    for change in changes {
        match change {
            RecordChange::Put(address, resource) => {
                let mut resource = resource.clone();
                if resource.identity.is_empty() {
                    resource.identity = arns.get(&address.root()).cloned().unwrap_or_default();
                }
                assert!(!resource.identity.is_empty(), "{address} is recorded without an identity");
                resolve(&mut resource.attributes, arns);
                if address.kind == Kind::Bucket
                    && let Some(known) = recorded.resources.get(address)
                {
                    resource.keys_used.extend(known.keys_used.iter().cloned());
                }
                let key = resource.attributes.get("kms_key").and_then(Value::as_str).map(str::to_owned);
                recorded.resources.insert(address.clone(), resource);
                if let (Kind::Encryption, Some(arn)) = (address.kind, key)
                    && let Some(bucket) = recorded.resources.get_mut(&address.root().address())
                {
                    bucket.keys_used.insert(arn);
                }
            }
            RecordChange::Remove(address) => {
                recorded.resources.remove(address);
            }
            RecordChange::Tombstone(tombstone) => {
                recorded.bury(tombstone.clone());
            }
            RecordChange::TombstoneGone(identity) => recorded.tombstones.retain(|t| t.identity != *identity),
        }
    }
}

fn resolve(value: &mut Value, arns: &BTreeMap<RootAddress, String>) {
    if let Some(address) = value.get("arn_of").and_then(Value::as_str).and_then(|a| a.parse().ok()) {
        *value = Value::String(arns[&address].clone());
    } else if let Some(object) = value.as_object_mut() {
        object.values_mut().for_each(|v| resolve(v, arns));
    }
}

/// Whether a finding makes the plan impossible. Others may be waived: what the rules think of a configuration does not
/// keep it from being reached. Nor does a public policy that AWS would refuse: this world takes it.
pub(crate) fn impossible(plan: &Plan) -> bool {
    plan.findings.iter().any(|f| f.rule.impossible() && f.rule != Rule::PublicRefused)
}

/// `create bucket.a.policy`, in order.
pub(crate) fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|s| format!("{} {}", s.action.as_str(), s.address)).collect()
}

pub(crate) fn step<'a>(plan: &'a Plan, address: &str) -> &'a Step {
    let found = plan.steps.iter().find(|s| s.address.to_string() == address);
    found.unwrap_or_else(|| panic!("no step at {address} among {:?}", steps(plan)))
}

/// Every change of every step, one a line.
pub(crate) fn changes(plan: &Plan) -> String {
    let line = |step: &Step| {
        let all = step.changes.iter().map(|c| format!("  {}: {} → {}", c.path, c.before, c.after));
        format!("{} ({})\n{}", step.id, step.reason, all.collect::<Vec<_>>().join("\n"))
    };
    plan.steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn drifted(plan: &Plan) -> Vec<String> {
    plan.drift.iter().map(|d| d.address.to_string()).collect()
}

pub(crate) fn operations(plan: &Plan) -> Vec<Operation> {
    plan.steps.iter().flat_map(|s| &s.calls).map(|c| c.operation).collect()
}

/// Refused with this rule at this address, with help, and with no step there.
pub(crate) fn assert_refused(plan: &Plan, rule: Rule, address: &str) {
    let found = plan.findings.iter().find(|f| f.rule == rule && f.address.to_string() == address);
    let finding = found.unwrap_or_else(|| panic!("no {rule:?} at {address}: {:#?}", plan.findings));
    assert!(plan.blocked() && finding.blocks());
    assert!(!finding.help.is_empty() && !finding.message.is_empty());
    let under = |step: &&Step| {
        step.address == finding.address
            || (finding.address.kind.is_root() && step.address.root() == finding.address.root())
    };
    assert_eq!(plan.steps.iter().find(under).map(|s| &s.id), None);
}
