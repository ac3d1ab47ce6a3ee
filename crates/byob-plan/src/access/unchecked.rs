//! What was not looked at, in short sentences: a reader of "no" has to know what it does not cover.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::RootAddress;
use byob_policy::{AccountId, Arn, Document, Effect, PrincipalElement};

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Unchecked {
    sentences: BTreeSet<String>,
    /// Roots by what is not known of them.
    of: BTreeMap<String, BTreeSet<RootAddress>>,
}

impl Unchecked {
    /// `ACLs` of a root.
    pub(super) fn of(&mut self, what: impl Into<String>, root: &RootAddress) {
        self.of.entry(what.into()).or_default().insert(root.clone());
    }

    pub(super) fn left_out(&mut self) {
        self.sentences.insert("what --target leaves out".into());
    }

    /// What a document leaves to others to decide.
    pub(super) fn delegations(&mut self, document: &Document, root: &RootAddress) {
        for statement in document.statements.iter().filter(|one| one.effect == Effect::Allow) {
            if let Some(PrincipalElement::Is(principals)) = &statement.principal {
                let accounts =
                    principals.0.get("AWS").into_iter().flatten().filter_map(|one| whole_account(one));
                self.sentences.extend(
                    accounts.map(|id| {
                        format!("identity policies of account {id} (a policy grants that account)")
                    }),
                );
            }
            // Source: S3 user guide, "Delegating access control to access points".
            let mut keys = statement.condition.values().flat_map(|keys| keys.keys());
            if keys.any(|key| {
                let key = key.to_ascii_lowercase();
                key.starts_with("s3:dataaccesspoint") || key.starts_with("s3:accesspoint")
            }) {
                self.of("access points", root);
            }
        }
    }

    /// Sorted.
    pub(super) fn sentences(self) -> Vec<String> {
        let mut all: Vec<String> = self
            .of
            .iter()
            .map(|(what, roots)| {
                let roots: Vec<String> = roots.iter().map(ToString::to_string).collect();
                format!("{what} of {}", roots.join(", "))
            })
            .chain(self.sentences)
            .collect();
        all.sort();
        all
    }
}

fn whole_account(principal: &str) -> Option<AccountId> {
    principal.parse().ok().or_else(|| {
        let arn: Arn = principal.parse().ok()?;
        arn.is_account_root().then(|| arn.account_id()).flatten()
    })
}
