//! The rules about what a plan ends in: a pure judgement over each desired root as it will be, with other teams'
//! statements and rules that stay; of what is unmanaged, as it was read. Errors judge that end alone; what is wrong in
//! live state and cured by the plan is a warning beside its drift. What makes a plan impossible is found where it is
//! compared, not here.
//!
//! [`check`] runs those of the rules over one policy document that it suffices for.
//!
//! Rooms: `aspects` is what is known of a root at one time; `who` tells W&B and the owner from everybody else; `public`,
//! `wandb`, `grants` and `settings` hold the rules, each by its meaning; `wandb_needs` is the requests that W&B
//! makes; `file` puts a document before them without a plan.

mod aspects;
mod file;
mod grants;
mod public;
mod settings;
mod wandb;
mod wandb_needs;
mod who;

pub use self::file::{Checked, PolicyFinding, Terms, check};
pub(crate) use self::who::joined;

use std::collections::BTreeMap;

use byob_model::address::{Address, Kind, RootAddress, RootKind};
use byob_model::desired::DesiredRoot;
use byob_model::kind::{Attributes, KeyRef, Purpose};
use byob_model::live::{LiveAspect, LiveBucket, LiveKey};
use byob_policy::Document;

use self::aspects::{Aspects, known};
use self::who::Who;
use crate::compare::{Case, Planner};
use crate::finding::{Finding, Rule};
use crate::plan::Step;

impl Planner<'_> {
    /// Judges what every desired root ends as. Roots that a finding makes impossible end as nothing.
    pub(crate) fn judge(&mut self, cases: &[Case<'_>]) {
        let mut found = Vec::new();
        let mut newly_public = BTreeMap::new();
        for case in cases {
            let address = case.address.address();
            let Some(root) = case.desired else { continue };
            if self.findings.iter().any(|f| f.address == address && f.rule.impossible()) {
                continue;
            }
            let mut ground = Ground::new(self, case, root);
            ground.settings();
            match case.address.kind {
                RootKind::Bucket => {
                    ground.public();
                    ground.wandb();
                }
                RootKind::Key => {}
            }
            ground.grants();
            found.append(&mut ground.found);
            newly_public.extend(ground.newly_public.map(|which| (case.address.clone(), which)));
        }
        self.findings.append(&mut found);
        self.newly_public = newly_public;
    }
}

/// One root, and what is found about it.
struct Ground<'g> {
    planner: &'g Planner<'g>,
    case: &'g Case<'g>,
    root: &'g DesiredRoot,
    who: Who<'g>,
    /// As it will be.
    end: Aspects,
    /// As it is; `None` where it is not there yet.
    live: Option<Aspects>,
    found: Vec<Finding>,
    /// Which statements an older waiver of [`Rule::Public`] does not cover.
    newly_public: Option<String>,
}

impl<'g> Ground<'g> {
    fn new(planner: &'g Planner<'g>, case: &'g Case<'g>, root: &'g DesiredRoot) -> Self {
        let facts = planner.live_aspects(case);
        let live = facts.map(|all| Aspects::live(all.iter().map(|(kind, aspect)| (*kind, aspect))));
        // What a new bucket has of what nobody manages, so that it is judged before it is made as it will be after.
        let born = Aspects::new_bucket(planner.input.endpoint);
        let before = live.as_ref().or((case.address.kind == RootKind::Bucket).then_some(&born));
        let taken_out = |kind| {
            let step = planner.steps.iter().find(|s| s.address == case.address.aspect(kind));
            step.is_some_and(|s| s.after.is_none() && !s.calls.is_empty())
        };
        Self {
            planner,
            case,
            root,
            who: Who::new(&planner.desired.account_id, &planner.desired.wandb),
            end: Aspects::end(root, before, |attributes| planner.resolved(attributes), taken_out),
            live,
            found: Vec::new(),
            newly_public: None,
        }
    }

    fn purpose(&self) -> Purpose {
        match &self.root.attributes {
            Attributes::Bucket(bucket) => bucket.purpose,
            _ => Purpose::Storage,
        }
    }

    fn is_storage(&self) -> bool {
        self.purpose() == Purpose::Storage
    }

    fn policy_kind(&self) -> Kind {
        match self.case.address.kind {
            RootKind::Bucket => Kind::BucketPolicy,
            RootKind::Key => Kind::KeyPolicy,
        }
    }

    fn say(&mut self, rule: Rule, kind: Kind, message: impl Into<String>, help: impl Into<String>) {
        let address =
            if kind.is_root() { self.case.address.address() } else { self.case.address.aspect(kind) };
        self.say_at(rule, address, message, help);
    }

    fn say_at(&mut self, rule: Rule, address: Address, message: impl Into<String>, help: impl Into<String>) {
        // One meaning is said once of an address, whoever comes upon it.
        if !self.said(rule, &address) {
            self.found.push(Finding::new(rule, address, message, help));
        }
    }

    fn said(&self, rule: Rule, address: &Address) -> bool {
        self.found.iter().any(|f| f.rule == rule && f.address == *address)
    }

    /// What is to be found in the table.
    fn table(&self) -> &RootAddress {
        &self.case.address
    }

    fn step(&self, kind: Kind) -> Option<&'g Step> {
        let address = self.case.address.aspect(kind);
        self.planner.steps.iter().find(|s| s.address == address)
    }

    /// Whether somebody changed it and the plan changes it back.
    fn cured(&self, kind: Kind) -> bool {
        let address = self.case.address.aspect(kind);
        self.planner.drift.iter().any(|d| d.address == address) && self.step(kind).is_some()
    }

    /// How to take a statement of the end document out.
    fn mend(&self, document: &Document, index: usize) -> String {
        let which = who::statement(document, index);
        let sid = document.statements.get(index).and_then(|s| s.sid.as_deref());
        let managed = self.root.managed(self.policy_kind()).is_some();
        if managed && byob_model::kind::is_our_sid(sid) {
            return match sid {
                Some("ByobManagers") => format!("correct `managers` of [{}]", self.table()),
                Some(sid) if sid.starts_with("ByobNetwork") => {
                    format!("correct `allowed_source_ips` and `allowed_vpc_endpoints` of [{}]", self.table())
                }
                _ => format!("take {which} out of `extra_statements` of [{}], or narrow it", self.table()),
            };
        }
        match (managed, self.root.foreign_statements) {
            (true, byob_model::config::ForeignStatements::Remove) => {
                format!(
                    "take {which} out of `extra_statements` or `policy_file` of [{}], or narrow it",
                    self.table()
                )
            }
            (true, byob_model::config::ForeignStatements::Keep) => format!(
                "{which} is another team's: have it taken out of the bucket's policy in AWS, or write \
                 foreign_statements = \"remove\", which takes out all of theirs"
            ),
            (false, _) => format!("the policy is not byob's to manage: have {which} taken out of it in AWS"),
        }
    }
}

impl<'a> Planner<'a> {
    /// What was read of a root; `None` where it is not there.
    fn live_aspects(&self, case: &Case<'_>) -> Option<&'a BTreeMap<Kind, LiveAspect>> {
        match case.address.kind {
            RootKind::Bucket => match self.live.buckets.get(&case.desired?.name)? {
                LiveBucket::Exists(facts) => Some(&facts.aspects),
                LiveBucket::Absent | LiveBucket::Forbidden { .. } => None,
            },
            RootKind::Key => self.live_key_aspects(self.arns.get(&case.address)?),
        }
    }

    fn live_key_aspects(&self, arn: &str) -> Option<&'a BTreeMap<Kind, LiveAspect>> {
        match self.live.keys.get(arn)? {
            LiveKey::Exists(facts) => Some(&facts.aspects),
            LiveKey::Absent | LiveKey::Forbidden => None,
        }
    }

    /// The configuration's key that this is, if it is one.
    fn own_key(&self, key: &KeyRef) -> Option<RootAddress> {
        let address = match key {
            KeyRef::Managed { arn_of } => Some(arn_of),
            KeyRef::Arn(arn) => self.arns.iter().find(|(_, known)| *known == arn).map(|(address, _)| address),
        };
        address.filter(|address| self.desired.roots.contains_key(*address)).cloned()
    }

    /// A key's policy as it will be; `None` where nothing is known of it.
    fn key_policy_in_the_end(&self, key: &KeyRef) -> Option<Document> {
        if let Some(Attributes::Policy(policy)) = self
            .own_key(key)
            .and_then(|address| self.desired.roots.get(&address))
            .and_then(|root| root.managed(Kind::KeyPolicy))
        {
            return Some(policy.document.clone());
        }
        self.live_key_policy(key)
    }

    /// A key's policy as it is, where it was read.
    fn live_key_policy(&self, key: &KeyRef) -> Option<Document> {
        let arn = match key {
            KeyRef::Arn(arn) => arn,
            KeyRef::Managed { arn_of } => self.arns.get(arn_of)?,
        };
        let aspect = self.live_key_aspects(arn)?.get(&Kind::KeyPolicy)?;
        match known(Kind::KeyPolicy, aspect)? {
            Attributes::Policy(policy) => Some(policy.document),
            _ => None,
        }
    }
}
