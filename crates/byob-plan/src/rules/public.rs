//! Who can come in from anywhere: a policy that is public in S3's sense, and ACLs.
//!
//! Source: S3 user guide, "Blocking public access to your Amazon S3 storage", "Controlling ownership of objects".

use byob_model::address::Kind;
use byob_model::kind::{Attributes, Ownership};
use byob_policy::{Document, Guarded, Owner, Publicity, Verdict, compare, in_one_version, is_public};

use super::{Ground, who};
use crate::approval::open_forms;
use crate::finding::{Rule, Severity};

/// Which statement makes a policy public (from 0), and why.
pub(super) fn publicity(document: &Document) -> Option<(usize, String)> {
    match is_public(document) {
        Publicity::Public { statement, why, .. } => Some((statement, why)),
        Publicity::NotPublic => None,
    }
}

/// The statements that are public, from 0, each taken by itself.
fn public_statements(document: &Document) -> Vec<usize> {
    let all = 0..document.statements.len();
    all.filter(|at| publicity(&alone(document, *at)).is_some()).collect()
}

/// One statement of a document.
fn alone(document: &Document, at: usize) -> Document {
    let statements = document.statements.get(at).into_iter().cloned().collect();
    Document { statements, ..document.clone() }
}

impl Ground<'_> {
    pub(super) fn public(&mut self) {
        self.public_policy();
        self.acls();
    }

    fn public_policy(&mut self) {
        let block = self.end.block();
        let restricted = block.is_some_and(|b| b.restrict_public_buckets);
        let public = self.end.policy(Kind::BucketPolicy).and_then(|document| {
            let (index, why) = publicity(document)?;
            // All of them: a waiver given for one is not to hide another.
            let named: Vec<String> =
                public_statements(document).into_iter().map(|at| who::statement(document, at)).collect();
            Some((who::joined(&named), why, self.mend(document, index)))
        });
        let Some((which, why, mend)) = public else {
            self.public_until_applied();
            return;
        };
        let refuses = block.is_some_and(|b| b.block_public_policy);
        let put = self.step(Kind::BucketPolicy).is_some_and(|s| !s.calls.is_empty());
        if refuses && put {
            self.say(
                Rule::PublicRefused,
                Kind::BucketPolicy,
                format!("AWS will refuse this policy (403): {which} makes it public ({why}), and block_public_policy is on"),
                format!("{mend}; or, if it is to be public, block_public_policy = false in `public_access_block`"),
            );
        } else if !restricted {
            let (is, open) = if block.is_some() {
                ("the bucket is", "restrict_public_buckets is off")
            } else {
                ("the bucket may be", "the public access block is unmanaged and not known")
            };
            self.say(
                Rule::Public,
                Kind::BucketPolicy,
                format!("{is} public: {which} makes it so ({why}), and {open}"),
                format!("{mend}; or switch restrict_public_buckets on in `public_access_block`, which leaves this account alone in"),
            );
            self.newly_public = self.newly_public();
            // What is not known to be open blocks nothing.
            if block.is_none() {
                self.found
                    .iter_mut()
                    .filter(|f| f.rule == Rule::Public)
                    .for_each(|f| f.severity = Severity::Warning);
            }
        } else if refuses && self.switches_the_block_on() {
            self.say(
                Rule::PublicBehindBlock,
                Kind::PublicAccessBlock,
                format!("the block is switched on while {which} stays public ({why}): AWS cuts off every other account"),
                mend,
            );
        }
    }

    /// The public statements that give what no public statement gave when the plan was last applied, or agreed to: those
    /// that a waiver from then was not written for.
    fn newly_public(&self) -> Option<String> {
        let document = self.end.policy(Kind::BucketPolicy)?;
        let mut accepted = Document { statements: Vec::new(), ..document.clone() };
        let blocks = self.accepted(Kind::PublicAccessBlock);
        let restricted =
            |one: &Attributes| matches!(one, Attributes::PublicAccessBlock(b) if b.restrict_public_buckets);
        // What was cut off was not accepted.
        if blocks.is_empty() || !blocks.iter().all(restricted) {
            for one in self.accepted(Kind::BucketPolicy) {
                let Attributes::Policy(policy) = one else { continue };
                let (before, so_far) = in_one_version(&policy.document, &accepted);
                let public = public_statements(&before);
                let public = public.into_iter().filter_map(|at| before.statements.get(at).cloned());
                accepted = so_far;
                accepted.statements.extend(public);
            }
        }
        let owner = Owner { guarded: Guarded::Bucket, account: self.who.owner.clone() };
        let new = public_statements(document)
            .into_iter()
            .filter(|at| compare(&accepted, &alone(document, *at), &owner) != Verdict::Within);
        let named: Vec<String> = new.map(|at| who::statement(document, at)).collect();
        (!named.is_empty()).then(|| who::joined(&named))
    }

    /// What an aspect was when it was last applied, and what an apply that is not finished was to make of it; of what is
    /// not recorded, what is live.
    fn accepted(&self, kind: Kind) -> Vec<Attributes> {
        let recorded = self.planner.recorded_aspect(self.case, kind).and_then(|one| one.typed().ok());
        let address = self.case.address.aspect(kind);
        let open = open_forms(self.planner.recorded, &address);
        let now = recorded.or_else(|| self.live.as_ref().and_then(|live| live.of(kind)).cloned());
        now.into_iter().chain(open).collect()
    }

    fn switches_the_block_on(&self) -> bool {
        let Some(step) = self.step(Kind::PublicAccessBlock) else { return false };
        let refused = match &step.before {
            Some(Attributes::PublicAccessBlock(before)) => {
                before.block_public_policy && before.restrict_public_buckets
            }
            _ => false,
        };
        !step.calls.is_empty() && !refused
    }

    /// The end is not public; what is live may be.
    fn public_until_applied(&mut self) {
        let cured = self.cured(Kind::BucketPolicy) || self.cured(Kind::PublicAccessBlock);
        let Some(live) = self.live.as_ref().filter(|_| cured) else { return };
        if live.block().is_some_and(|b| b.restrict_public_buckets) {
            return;
        }
        let found = live.policy(Kind::BucketPolicy).and_then(|document| {
            publicity(document).map(|(index, why)| (who::statement(document, index), why))
        });
        if let Some((which, why)) = found {
            self.say(
                Rule::PublicNow,
                Kind::BucketPolicy,
                format!("the bucket is public now: {which} of the policy in AWS makes it so ({why})"),
                "this plan ends it; find out who did it, and what was read meanwhile",
            );
        }
    }

    fn acls(&mut self) {
        let enforced = Ownership::ENFORCED;
        let Some(ownership) = self.end.ownership().filter(|o| *o != enforced).map(str::to_owned) else {
            return;
        };
        let table = self.table().clone();
        match self.end.block() {
            Some(block) if !block.block_public_acls && !block.ignore_public_acls => self.say(
                Rule::PublicAcls,
                Kind::Ownership,
                format!("ACLs count ({ownership}), and public ones are neither refused nor ignored: whoever may write may make objects public"),
                format!("object_ownership = \"{enforced}\" in [{table}], or block_public_acls and ignore_public_acls on"),
            ),
            _ => self.say(
                Rule::AclsOn,
                Kind::Ownership,
                format!("ACLs count ({ownership}): access that no policy shows"),
                format!("object_ownership = \"{enforced}\" in [{table}], unless something still writes with ACLs"),
            ),
        }
    }
}
