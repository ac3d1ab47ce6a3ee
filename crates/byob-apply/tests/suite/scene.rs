//! A record and a world in which commands are run one after the other, and what has to hold when all is quiet.

use std::collections::BTreeSet;
use std::time::Duration;

use byob_model::address::RootKind;
use byob_model::kind::{BYOB_ADDRESS, BYOB_LINEAGE, KeyRef, KeyState};
use byob_model::recorded::{Intent, Recorded};
use byob_plan::{Mode, Plan};
use byob_state::Store;

use byob_sim::{Command, Consent, Ended, Faults, Place, Ran, World, run};

/// A configuration with these tables, in an account and region like any other.
pub(crate) fn file(tables: &str) -> String {
    format!(
        "version = 1\n[aws]\nregion = \"us-east-1\"\n[wandb]\ndeployment = \"multi-tenant-cloud\"\n{tables}"
    )
}

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) place: Place,
    pub(crate) config: String,
    pub(crate) mode: Mode,
}

impl Scene {
    /// Nothing recorded, nothing there.
    pub(crate) fn new(tables: &str) -> Self {
        let world = World::default();
        let place = Place::new(&world);
        Self { world, place, config: file(tables), mode: Mode::default() }
    }

    /// These tables applied, one after the other, and everybody has seen it.
    pub(crate) fn applied(tables: &[&str]) -> Self {
        let mut scene = Self::new("");
        for tables in tables {
            scene.config = file(tables);
            let ended = scene.apply();
            assert!(matches!(ended, Ended::Converged(_)), "{ended:?}");
            scene.world.time.pass(Duration::from_secs(3600));
        }
        scene
    }

    pub(crate) fn with(mut self, tables: &str) -> Self {
        self.config = file(tables);
        self
    }

    pub(crate) fn command(&self) -> Command<'_> {
        self.world.begin();
        let mut command = Command::new(&self.world, &self.place, &self.config);
        command.mode.clone_from(&self.mode);
        // Emptying a bucket is asked about.
        command.consent = if self.mode.destroy { Consent::Asked } else { Consent::Auto };
        command
    }

    pub(crate) fn apply(&self) -> Ended {
        self.run(&self.command()).ended()
    }

    pub(crate) fn run(&self, command: &Command<'_>) -> Ran<Ended> {
        run(&self.world.time, self.world.life(), command.apply())
    }

    pub(crate) fn plan(&self) -> Plan {
        let command = self.command();
        run(&self.world.time, self.world.life(), command.plan()).ended()
    }

    pub(crate) fn digest(&self) -> String {
        self.plan().digest
    }

    pub(crate) fn recorded(&self) -> Recorded {
        run(&self.world.time, self.world.life(), self.place.load())
            .ended()
            .expect("readable")
            .recorded
            .unwrap_or_default()
    }

    /// What must be so whatever happened: nothing protected is gone, nothing is made twice, nothing stands without a
    /// record or an intent.
    pub(crate) fn assert_sound(&self, why: &str) {
        let recorded = self.recorded();
        let account = self.world.account();
        let desired = byob_model::config::parse(&self.config, &|_| Err(String::new())).expect("parses");
        let tables = if self.mode.destroy { 0 } else { desired.keys.len() };
        let made = recorded.intents.iter().filter(|i| i.name.is_none()).count();
        let known = recorded.roots().filter(|(a, _)| a.kind == RootKind::Key).count();
        assert!(account.alive() <= tables.max(known + made), "{why}: an orphan among {:#?}", account.keys);
        for (name, bucket) in &account.buckets {
            let known = recorded.roots().any(|(_, r)| r.identity == *name)
                || recorded.intents.iter().any(|i| i.name.as_ref() == Some(name))
                || recorded.tombstones.iter().any(|t| t.identity == *name)
                || !bucket.tags.contains_key(BYOB_LINEAGE);
            assert!(known, "{why}: `{name}` is an orphan");
            // What dies right after the put can say nothing more: the use is known before it.
            if let Some(KeyRef::Arn(arn)) = &bucket.encryption.kms_key {
                let recorded_use =
                    recorded.roots().any(|(_, r)| r.identity == *name && r.keys_used.contains(arn));
                let intended = |i: &Intent| i.name.as_ref() == Some(name) && i.keys_used.contains(arn);
                let known = recorded_use || recorded.intents.iter().any(intended);
                assert!(known, "{why}: nobody knows that `{name}` is on {arn}");
            }
        }
    }

    /// Faults off, all is seen: within three runs nothing is left to do, and record and account agree.
    pub(crate) fn assert_converges(&self, why: &str) {
        *self.world.faults() = Faults::default();
        let mut last = String::new();
        for _ in 0..3 {
            let ended = self.apply();
            last = format!("{ended:?}");
            self.world.time.pass(Duration::from_secs(3600));
            if matches!(ended, Ended::NothingToDo) {
                break;
            }
            assert_eq!(ended.code(), 0, "{why}: {last}");
        }
        assert_eq!(last, "NothingToDo", "{why}");
        self.assert_settled(why);
    }

    pub(crate) fn assert_settled(&self, why: &str) {
        let plan = self.plan();
        let steps: Vec<&String> = plan.steps.iter().map(|s| &s.id).collect();
        assert!(steps.is_empty() && !plan.blocked(), "{why}: {steps:?} {:#?}", plan.findings);
        assert!(plan.drift.is_empty() && plan.already.is_empty(), "{why}: {:#?}", plan.drift);
        assert!(plan.record.is_empty(), "{why}: {:#?}", plan.record);
        let recorded = self.recorded();
        assert_eq!(recorded.intents, [], "{why}");
        let finished = recorded.approval.as_ref().is_none_or(|approval| approval.finished);
        assert!(finished, "{why}: the approval is open");
        let account = self.world.account();
        let identities = |kind: RootKind| -> BTreeSet<String> {
            recorded.roots().filter(|(a, _)| a.kind == kind).map(|(_, r)| r.identity.clone()).collect()
        };
        let alive = account.keys.iter().filter(|(_, key)| key.state != KeyState::PendingDeletion);
        let alive: BTreeSet<String> = alive.map(|(arn, _)| arn.clone()).collect();
        assert_eq!(identities(RootKind::Key), alive, "{why}");
        let buckets: BTreeSet<String> = account.buckets.keys().cloned().collect();
        assert_eq!(identities(RootKind::Bucket), buckets, "{why}");
        for (address, root) in recorded.roots() {
            let tags = match address.kind {
                RootKind::Bucket => &account.buckets[&root.identity].tags,
                RootKind::Key => &account.keys[&root.identity].tags,
            };
            if root.created {
                assert_eq!(tags.get(BYOB_ADDRESS), Some(&address.to_string()), "{why}");
                assert_eq!(tags.get(BYOB_LINEAGE).cloned(), recorded.lineage.map(|l| l.to_string()), "{why}");
            }
            if address.kind == RootKind::Bucket {
                let live = &account.buckets[&root.identity].encryption.kms_key;
                if let Some(KeyRef::Arn(arn)) = live {
                    assert!(root.keys_used.contains(arn), "{why}: {arn} is not among the keys it used");
                }
            }
        }
    }
}
