//! The access section of a plan: who gains and who loses what, in the order in which a reviewer has to stop; then what is
//! proved of the rest, and what was not looked at. Which actions go by a plain word, and which by their name, stands here;
//! what anybody gains was decided by the plan.

use std::collections::{BTreeMap, BTreeSet};

use byob_model::address::Kind;
use byob_plan::Rule;
use byob_plan::access::{Access, Answer, Example, Proof};
use byob_plan::plan::Plan;
use byob_policy::{AccountId, Level, ResourceClass, principal_in_words, real_actions};

use crate::layout::{Line, Page, Paint};
use crate::plan::tell;
use crate::value::word;

/// More of a level's actions, or of resources, than this are counted.
const SHOWN: usize = 3;

/// Words are aligned behind names of resources up to this wide.
const MAX_HEAD: usize = 40;

/// Levels, the one to look at first first.
const LEVELS: [Level; 5] = [Level::Permissions, Level::Write, Level::Tagging, Level::Read, Level::List];

/// Actions to name before others of their level: what gives control away, or destroys.
const FIRST: [&str; 14] = [
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketPublicAccessBlock",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectAcl",
    "s3:DeleteBucket",
    "s3:PutLifecycleConfiguration",
    "s3:DeleteObjectVersion",
    "s3:DeleteObject",
    "s3:PutObject",
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:ScheduleKeyDeletion",
];

/// What W&B needs, in plain words: verb and object. A name that ends with `*` stands for all that start so, the one
/// without it included.
const PLAIN: [(&str, &str, &str); 16] = [
    ("s3:GetObject*", "read", ""),
    ("s3:PutObject", "write", ""),
    ("s3:DeleteObject", "delete", ""),
    ("s3:AbortMultipartUpload", "abort uploads", ""),
    ("s3:ListBucket", "list", "objects"),
    ("s3:ListBucketVersions", "list", "versions"),
    ("s3:ListBucketMultipartUploads", "list", "uploads"),
    ("s3:GetBucketLocation", "read", "location"),
    ("s3:GetBucketCORS", "read", "CORS"),
    ("s3:GetBucketVersioning", "read", "versioning"),
    ("s3:GetEncryptionConfiguration", "read", "encryption"),
    ("kms:Encrypt", "encrypt", ""),
    ("kms:Decrypt", "decrypt", ""),
    ("kms:ReEncrypt*", "re-encrypt", ""),
    ("kms:GenerateDataKey*", "make data keys", ""),
    ("kms:DescribeKey", "describe", ""),
];

/// What is the same for one principal on several roots.
pub(crate) struct Same<'a> {
    pub(crate) class: ResourceClass,
    pub(crate) actions: &'a [String],
    pub(crate) conditions: &'a [String],
    pub(crate) entries: Vec<&'a Access>,
}

/// All that one principal gains, or may gain, loses, or may lose.
pub(crate) struct Block<'a> {
    pub(crate) principal: &'a str,
    /// `gains`, `may gain`, `loses` or `may lose`.
    pub(crate) verb: &'static str,
    /// Objects before their bucket: data is what it is about.
    pub(crate) all: Vec<Same<'a>>,
}

/// Whether the plan has to do with access.
pub(crate) fn concerns(plan: &Plan) -> bool {
    let judged = [Kind::BucketPolicy, Kind::KeyPolicy, Kind::PublicAccessBlock, Kind::Ownership];
    !plan.access.is_empty()
        || plan.access_verdict.grows != Answer::No
        || plan.steps.iter().any(|step| judged.contains(&step.kind))
}

/// The account that the plan is about.
pub(crate) fn own_account(plan: &Plan) -> Option<AccountId> {
    plan.accounts.first().and_then(|account| account.account_id.parse().ok())
}

/// Prints the section, if the plan has to do with access.
pub(crate) fn access(page: &mut Page, plan: &Plan) {
    if !concerns(plan) {
        return;
    }
    page.gap();
    page.text(Paint::Bold, "Access");
    let own = own_account(plan);
    for one in blocks(plan) {
        block(page, one, own.as_ref());
    }
    for finding in plan.findings.iter().filter(|f| f.rule == Rule::Interrupted) {
        tell(page, finding, 2);
    }
    page.extend(verdict(plan, "Nobody else gains access"));
}

/// Who gains and who loses, in the order in which a reviewer has to stop. Roots on which it is the same stand together.
pub(crate) fn blocks(plan: &Plan) -> Vec<Block<'_>> {
    blocks_of(&plan.access, own_account(plan).as_ref())
}

/// The same of what was gained and lost otherwise.
pub(crate) fn blocks_of<'a>(access: &'a [Access], own: Option<&AccountId>) -> Vec<Block<'a>> {
    let mut of: BTreeMap<&str, Vec<&Access>> = BTreeMap::new();
    for one in access {
        of.entry(&one.principal).or_default().push(one);
    }
    let mut of: Vec<(&str, Vec<&Access>)> = of.into_iter().collect();
    // Anyone first; the owner's account, which has the keys to everything anyway, last.
    let own = own.map(|own| format!("::{own}:"));
    of.sort_by_key(|(name, _)| (*name != "*", own.as_ref().is_some_and(|own| name.contains(own)), *name));
    let mut blocks = Vec::new();
    for (principal, entries) in of {
        for (verb, lost, sure) in [
            ("gains", false, true),
            ("may gain", false, false),
            ("loses", true, true),
            ("may lose", true, false),
        ] {
            let of = |one: &&Access| one.lost.is_empty() != lost && (one.proof != Proof::CannotTell) == sure;
            let all = together(entries.iter().copied().filter(of));
            if !all.is_empty() {
                blocks.push(Block { principal, verb, all });
            }
        }
    }
    blocks
}

fn together<'a>(entries: impl Iterator<Item = &'a Access>) -> Vec<Same<'a>> {
    type Key<'a> = (ResourceClass, &'a [String], &'a [String]);
    let mut groups: BTreeMap<Key<'_>, Vec<&Access>> = BTreeMap::new();
    for one in entries {
        let actions = if one.lost.is_empty() { &one.gained } else { &one.lost };
        groups.entry((one.class, actions, &one.conditions)).or_default().push(one);
    }
    let order = |class| match class {
        ResourceClass::Objects => 0,
        ResourceClass::Bucket => 1,
        ResourceClass::Key => 2,
    };
    let mut all: Vec<Same<'_>> = groups
        .into_iter()
        .map(|((class, actions, conditions), entries)| Same { class, actions, conditions, entries })
        .collect();
    all.sort_by_key(|same| (order(same.class), same.entries.first().map(|one| one.resource.clone())));
    all
}

/// What one principal gains, or loses.
fn block(page: &mut Page, block: Block<'_>, own: Option<&AccountId>) {
    let Block { principal, verb, all } = block;
    let paint = if verb.ends_with("gain") || verb == "gains" { Paint::Yellow } else { Paint::Plain };
    let text = format!("{} {verb}", principal_in_words(principal, own));
    page.push(Line::Text { indent: 2, hang: 4, paint, text });
    let heads: Vec<String> = all.iter().map(|same| format!("on {}", same.on(|address| address))).collect();
    let column = heads.iter().map(|head| head.chars().count()).filter(|width| *width <= MAX_HEAD).max();
    let mut example = None;
    for (same, head) in all.into_iter().zip(heads) {
        let when = when(same.conditions);
        match plain(same.actions) {
            Some(words) => page.push(Line::Text {
                indent: 4,
                hang: 6,
                paint: Paint::Plain,
                text: format!("{head:<width$}   {words}{when}", width = column.unwrap_or(0)),
            }),
            None => {
                page.indented(4, format!("{head}{when}"));
                for (title, text) in levels(same.actions) {
                    page.push(Line::Text {
                        indent: 6,
                        hang: 20,
                        paint: Paint::Plain,
                        text: format!("{title:<11}   {text}"),
                    });
                }
                example = example.or(same.entries.first().and_then(|one| one.example.as_ref()));
            }
        }
    }
    if let Some(example) = example.filter(|_| verb == "gains") {
        let text = for_example(example);
        page.push(Line::Text { indent: 4, hang: 6, paint: Paint::Dim, text });
    }
}

/// A request that shows it.
pub(crate) fn for_example(example: &Example) -> String {
    let Example { who, action, resource } = example;
    format!("e.g. {} could now  {}  on {}", word(who), word(action), word(resource))
}

impl Same<'_> {
    /// `the objects of bucket.a, bucket.b and 3 more`, each address as `write` has it.
    pub(crate) fn on(&self, write: impl Fn(String) -> String) -> String {
        let shown = if self.entries.len() == SHOWN + 1 { SHOWN + 1 } else { SHOWN };
        let roots = self.entries.iter().take(shown).map(|one| write(one.resource.to_string()));
        let mut roots = roots.collect::<Vec<_>>().join(", ");
        if self.entries.len() > shown {
            roots += &format!(" and {} more", self.entries.len() - shown);
        }
        match self.class {
            ResourceClass::Objects => format!("the objects of {roots}"),
            ResourceClass::Bucket | ResourceClass::Key => roots,
        }
    }
}

fn when(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!("   ({})", conditions.join("; ")) }
}

/// Actions in plain words, if there are words for all of them.
pub(crate) fn plain(actions: &[String]) -> Option<String> {
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut left: BTreeSet<&str> = actions.iter().map(String::as_str).collect();
    for (name, verb, object) in PLAIN {
        let (start, all) = name.strip_suffix('*').map_or((name, false), |start| (start, true));
        let of: Vec<&str> =
            left.iter().copied().filter(|one| *one == start || (all && one.starts_with(start))).collect();
        // Without the action itself its variants say something else.
        let whole = of.contains(&start) || start == "kms:ReEncrypt" && of.len() == 2;
        if !whole {
            continue;
        }
        of.iter().for_each(|one| {
            left.remove(one);
        });
        match said.last_mut() {
            Some((last, objects)) if *last == verb && !object.is_empty() => objects.push(object),
            _ => said.push((verb, vec![object])),
        }
    }
    if said.is_empty() || !left.is_empty() {
        return None;
    }
    let objects = said.iter().any(|(_, objects)| objects.iter().any(|object| !object.is_empty()));
    let words =
        said.iter().map(|(verb, objects)| format!("{verb} {}", objects.join(", ")).trim_end().to_owned());
    Some(words.collect::<Vec<_>>().join(if objects { "; " } else { ", " }))
}

/// Each access level: its name, the names of actions of it, and how many more there are.
pub(crate) fn levels(actions: &[String]) -> Vec<(String, String)> {
    let level = |name: &str| real_actions().iter().find(|one| one.name == name).map(|one| one.level);
    let usual = |name: &str| {
        PLAIN.iter().any(|(one, ..)| match one.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *one,
        })
    };
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let lists = LEVELS.iter().map(|one| (one.to_string(), Some(*one))).chain([("other".to_owned(), None)]);
    let mut levels = Vec::new();
    for (title, wanted) in lists {
        let mut names: Vec<&str> =
            actions.iter().map(String::as_str).filter(|name| level(name) == wanted).collect();
        if names.is_empty() {
            continue;
        }
        names.sort_by_key(|name| (usual(name), rank(name), *name));
        let more = names.len().saturating_sub(SHOWN);
        let text = if more > 1 {
            let shown: Vec<String> = names.iter().take(SHOWN).map(|name| word(name)).collect();
            format!("{} and {more} more", shown.join(", "))
        } else {
            names.iter().map(|name| word(name)).collect::<Vec<_>>().join(", ")
        };
        levels.push((title, text));
    }
    levels
}

/// What is said of everybody else, of "public", and of what was not looked at. `nobody_else`: how it is said where
/// somebody gains.
pub(crate) fn verdict(plan: &Plan, nobody_else: &'static str) -> Vec<Line> {
    let mut lines = Vec::new();
    let verdict = &plan.access_verdict;
    let gains = plan.access.iter().any(|one| one.lost.is_empty());
    let (others, paint) = match (verdict.grows, verdict.all_told, gains) {
        (Answer::No, ..) => ("No new access", Paint::Green),
        (_, true, true) => (nobody_else, Paint::Plain),
        (_, _, true) => ("Whether anybody else gains access cannot be told", Paint::Yellow),
        (_, _, false) => ("Whether anybody gains access cannot be told", Paint::Yellow),
    };
    let buckets = plan.names.keys().filter(|root| root.kind == byob_model::address::RootKind::Bucket).count();
    let public = match (verdict.public, plan.mode.destroy, buckets) {
        (Answer::No, true, _) | (Answer::No, _, 0) => "",
        (Answer::No, _, 1) => "; the bucket is not public",
        (Answer::No, ..) => "; no bucket is public",
        (Answer::CannotTell, ..) => "; whether a bucket is public cannot be told",
        (Answer::Yes, ..) => "",
    };
    lines.push(Line::Text { indent: 2, hang: 4, paint, text: format!("{others}{public}.") });
    if verdict.public == Answer::Yes {
        let text = "PUBLIC: anyone is let in by a bucket policy, and no public access block holds it back."
            .to_owned();
        lines.push(Line::Text { indent: 2, hang: 4, paint: Paint::Red, text });
    }
    let acls = verdict.not_checked.iter().any(|one| one.starts_with("ACLs "));
    if verdict.all_told && verdict.public == Answer::No && !acls {
        let text = "proved for bucket policy, key policy, ACL and public access block".to_owned();
        lines.push(Line::Text { indent: 8, hang: 8, paint: Paint::Dim, text });
    }
    if !verdict.not_checked.is_empty() {
        let text = format!("not checked: {}", verdict.not_checked.join("; "));
        lines.push(Line::Text { indent: 8, hang: 10, paint: Paint::Plain, text });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(all: &[&str]) -> Vec<String> {
        all.iter().map(|&one| one.to_owned()).collect()
    }

    #[test]
    fn what_wandb_needs_has_plain_words_and_all_else_its_name() {
        for (all, words) in [
            (&["s3:GetObject", "s3:GetObjectAcl", "s3:PutObject"][..], Some("read, write")),
            (
                &["s3:ListBucket", "s3:GetBucketCORS", "s3:GetBucketLocation"],
                Some("list objects; read location, CORS"),
            ),
            (&["kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"], Some("decrypt, re-encrypt")),
            // A variant without the action itself, and anything more, goes by its name.
            (&["s3:GetObjectAcl"], None),
            (&["kms:ReEncryptTo"], None),
            (&["s3:GetObject", "s3:PutObjectAcl"], None),
            (&[], None),
        ] {
            assert_eq!(plain(&actions(all)).as_deref(), words, "{all:?}");
        }
    }

    #[test]
    fn every_plain_word_and_every_first_name_is_of_a_real_action() {
        let real =
            |name: &str| real_actions().iter().any(|one| one.name.starts_with(name.trim_end_matches('*')));
        assert!(PLAIN.iter().all(|(name, ..)| real(name)) && FIRST.iter().all(|name| real(name)));
    }
}
