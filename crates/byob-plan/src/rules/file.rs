//! The rules over one bucket policy without a plan: those that the document suffices for, for the bucket that it is to
//! hang on. What the document cannot show (public access block, key, CORS, W&B's networks) is not judged.

use std::collections::BTreeSet;

use byob_model::address::Kind;
use byob_model::config::{Deployment, Wandb};
use byob_model::kind::{Purpose, WANDB_SID};
use byob_model::refused::{self, Refused};
use byob_policy::{AccountId, Document, Partition, Reason, Statement, actions_matching};
use serde::Serialize;

use super::grants::{Said, broken, foreign_accounts, wildcard};
use super::public::publicity;
use super::settings::{transport, whole_account};
use super::wandb::{cannot_work, more_than_reading, only_some_networks, other_partition};
use super::wandb_needs::BucketAsked;
use super::who::{MULTI_TENANT, Who, account_of, allows, principals, statement};
use crate::compare::over_limit;
use crate::finding::{Rule, Severity};
use crate::lockout::who_may_mend;

/// The bucket that a document is to hang on.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Its name.
    pub bucket: &'a str,
    /// Its account; without it, its own principals cannot be told from other accounts'.
    pub account: Option<&'a AccountId>,
    /// What W&B is to do with it.
    pub purpose: Purpose,
    /// The folder that W&B is given, without leading or trailing slash.
    pub path: Option<&'a str>,
}

/// What a rule says of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFinding {
    /// What to do.
    pub help: String,
    /// What is the matter.
    pub message: String,
    /// Which rule.
    pub rule: Rule,
    /// How bad.
    pub severity: Severity,
    /// The statement it is about, or the first of them, by its place from 1; `None` for the document as a whole.
    pub statement: Option<usize>,
}

/// What the rules say of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Findings, the worst first.
    pub findings: Vec<PolicyFinding>,
    /// What was not judged, and who may change the policy again, a sentence each.
    pub notes: Vec<String>,
    /// Whether S3 calls the policy public.
    pub public: bool,
}

impl Checked {
    /// Whether a finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// Judges a bucket policy by itself.
#[must_use]
pub fn check(document: &Document, terms: &Terms<'_>) -> Checked {
    let named = refused::partition_named(&document.statements, terms.bucket);
    let partition = named.unwrap_or(Partition::Aws);
    let wandb = wandb(document, partition);
    let mut check = Check {
        document,
        terms,
        partition,
        who: Who { owner: terms.account.cloned(), wandb: &wandb },
        findings: Vec::new(),
        notes: Vec::new(),
    };
    check.taken();
    let public = check.public();
    check.grants(public);
    if wandb.principals.is_empty() {
        check
            .notes
            .push("W&B's accounts are not named in it: whether W&B could work is not judged".to_owned());
    } else {
        check.wandb();
    }
    check.transport();
    if terms.account.is_none() {
        check.notes.push(
            "the bucket's account was not said (--account): its own principals count as others'".to_owned(),
        );
    }
    check.notes.extend(who_may_mend(document));
    let Check { mut findings, notes, .. } = check;
    findings.sort_by_key(|f| (f.severity, f.rule, f.statement));
    Checked { findings, notes, public }
}

/// W&B as the document knows it: the principals of W&B's accounts that it allows something.
fn wandb(document: &Document, partition: Partition) -> Wandb {
    let unknown = Wandb {
        deployment: Deployment::DedicatedCloud,
        principals: BTreeSet::new(),
        principals_given: true,
        egress: BTreeSet::new(),
    };
    let known = Who { owner: None, wandb: &unknown };
    let named = allows(document).flat_map(|(_, allow)| principals(allow)).filter(|p| known.is_wandb(p));
    let whole = |p: &str| p.parse::<AccountId>().map(|account| account.root_arn(partition).to_string());
    let principals: BTreeSet<String> = named.map(|p| whole(p).unwrap_or_else(|_| p.to_owned())).collect();
    let multi_tenant = |p: &String| account_of(p).is_some_and(|account| account.as_str() == MULTI_TENANT);
    let deployment = match principals.iter().any(multi_tenant) {
        true => Deployment::MultiTenantCloud,
        false => Deployment::DedicatedCloud,
    };
    Wandb { deployment, principals, ..unknown }
}

/// One document, and what is found about it.
struct Check<'a> {
    document: &'a Document,
    terms: &'a Terms<'a>,
    partition: Partition,
    who: Who<'a>,
    findings: Vec<PolicyFinding>,
    notes: Vec<String>,
}

impl Check<'_> {
    fn say(&mut self, rule: Rule, index: Option<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(PolicyFinding {
            help: help.into(),
            message: message.into(),
            rule,
            severity: rule.severity(),
            statement: index.map(|index| index + 1),
        });
    }

    fn say_of(&mut self, said: Option<Said>, help: impl Fn(&Self, usize) -> String) {
        if let Some(said) = said {
            let help = help(self, said.statement);
            self.say(said.rule, Some(said.statement), said.message, help);
        }
    }

    /// How to take a statement out.
    fn mend(&self, index: usize) -> String {
        format!("take {} out, or narrow it", statement(self.document, index))
    }

    fn arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition, self.terms.bucket)
    }

    /// Whether AWS would take the document at all.
    fn taken(&mut self) {
        let document = self.document;
        if let Some(message) = over_limit(document, Kind::BucketPolicy) {
            self.say(
                Rule::TooLarge,
                None,
                message,
                "fewer or shorter statements, or wildcards in place of lists",
            );
        }
        if document.is_empty() {
            let help = "delete the bucket's policy in place of putting an empty one";
            self.say(Rule::PolicyInvalid, None, "AWS would refuse the policy: it has no statement", help);
        }
        let mut reading = refused::Reading::new(self.partition);
        for (index, statement) in document.statements.iter().enumerate() {
            let is_bucket = |name: &str| name == self.terms.bucket;
            let refused = reading.next(statement, Some(&is_bucket));
            self.taken_statement(index, statement, &refused);
        }
    }

    fn invalid(&mut self, index: usize, what: &str, help: impl Into<String>) {
        self.say(Rule::PolicyInvalid, Some(index), format!("AWS would refuse the policy: {what}"), help);
    }

    fn taken_statement(&mut self, index: usize, said: &Statement, refused: &[Refused<'_>]) {
        let name = statement(self.document, index);
        let arn = self.arn();
        let on = format!("write {arn} for the bucket, {arn}/* for its objects");
        let mut elsewhere = false;
        for one in refused {
            match one {
                Refused::NoPrincipal => {
                    self.invalid(
                        index,
                        &format!("{name} has no `Principal`"),
                        "a bucket policy says to whom",
                    );
                }
                Refused::NoResource => self.invalid(index, &format!("{name} has no `Resource`"), &*on),
                // One of them suffices.
                Refused::OtherResource(_) if elsewhere => {}
                Refused::OtherResource(other) => {
                    elsewhere = true;
                    let what = format!("`{other}` of {name} is neither this bucket nor its objects");
                    self.invalid(index, &what, &*on);
                }
                Refused::ActionOfOthers(action) => self.invalid(
                    index,
                    &format!("`{action}` of {name} is not an action of S3"),
                    "a bucket policy is about actions of S3, such as s3:GetObject",
                ),
                Refused::SidTwice(sid) => {
                    self.invalid(
                        index,
                        &format!("two statements have the Sid `{sid}`"),
                        "choose another Sid",
                    );
                }
            }
        }
        let known = |action: &String| {
            action == "*"
                || refused.contains(&Refused::ActionOfOthers(action))
                || actions_matching(action).next().is_some()
        };
        for action in said.action.actions().iter().filter(|action| !known(action)) {
            let message = format!("`{action}` of {name} is no action of S3 that byob knows");
            let help = "AWS refuses a policy with an action that it does not have; if it is spelled right, it is newer than this byob";
            self.say(Rule::UnknownAction, Some(index), message, help);
        }
    }

    fn public(&mut self) -> bool {
        let found = publicity(self.document);
        if let Some((index, why)) = &found {
            let which = statement(self.document, *index);
            let help = format!(
                "{}; block_public_policy makes AWS refuse it, restrict_public_buckets leaves the bucket's account alone in",
                self.mend(*index)
            );
            self.say(
                Rule::Public,
                Some(*index),
                format!("the policy is public: {which} makes it so ({why})"),
                help,
            );
        }
        found.is_some()
    }

    fn grants(&mut self, public: bool) {
        self.say_of(foreign_accounts(self.document, &self.who), |check, index| {
            let own = match check.who.owner {
                Some(_) => "",
                None => "if it is the bucket's own account, say so with --account; ",
            };
            format!("{own}if it is not meant: {}", check.mend(index))
        });
        if !public {
            self.say_of(wildcard(self.document), |check, index| {
                format!("name the principals in full; {}", check.mend(index))
            });
        }
        self.say_of(broken(self.document), |_, _| {
            "make the role or user again and name it by its ARN; or take the id out".to_owned()
        });
    }

    fn wandb(&mut self) {
        let document = self.document;
        let granting = allows(document).find(|(_, s)| principals(s).any(|p| self.who.is_wandb(p)));
        let granting = granting.map(|(index, _)| index);
        if let Some(message) = other_partition(&self.who, self.partition) {
            let help = "nobody reaches across partitions: name W&B's identity of this one";
            self.say(Rule::OtherPartition, granting, message, help);
        }
        if let Some(lack) = self.asked().lacks(document) {
            let message = cannot_work(document, &lack, &self.who);
            let help = match (lack.reason, lack.deciding) {
                (Reason::DeniedByStatement, Some(index)) => {
                    format!("{}, so that W&B is not among those it denies", self.mend(index))
                }
                _ => format!("allow it beside what W&B has, as byob's own statement `{WANDB_SID}` does"),
            };
            self.say(Rule::WandbLacksActions, lack.deciding.or(granting), message, help);
        }
        if let Some(index) = self.asked().refused_by_network(document) {
            let help = "see to it that W&B's addresses are among those that it spares";
            self.say(Rule::NetworkWithoutWandb, Some(index), only_some_networks(document, index), help);
        }
        if self.terms.purpose == Purpose::Reference
            && let Some((message, first)) = more_than_reading(&self.asked(), document)
        {
            let help = format!("W&B needs s3:GetObject alone, not {first}");
            self.say(Rule::ReferenceGrantsMore, granting, message, help);
        }
        if let Some(message) = whole_account(&self.who) {
            self.say(Rule::WholeAccount, granting, message, "name the role that W&B gives you");
        }
    }

    fn transport(&mut self) {
        for (rule, message) in transport(&self.asked(), self.document) {
            let condition = match rule {
                Rule::PlainHttp => "\"Bool\": {\"aws:SecureTransport\": \"false\"}",
                _ => "\"NumericLessThan\": {\"s3:TlsVersion\": \"1.2\"}",
            };
            self.say(rule, None, message, format!("add a Deny for everybody with the condition {condition}"));
        }
    }

    /// The bucket as requests meet it, its public access block left aside.
    fn asked(&self) -> BucketAsked<'_> {
        BucketAsked {
            who: &self.who,
            arn: self.arn(),
            path: self.terms.path,
            region: None,
            purpose: self.terms.purpose,
            restrict_public_buckets: false,
        }
    }
}
