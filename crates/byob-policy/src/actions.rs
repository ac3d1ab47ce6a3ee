//! The real actions of S3 and KMS: their names, access levels, and what they are granted on. A table, kept as data with
//! its source in `data/actions.tsv`; a name that is not there may still be an action that AWS has added since.

use std::fmt;
use std::sync::OnceLock;

use crate::evaluate::Guarded;
use crate::pattern::glob;

/// The table as text.
const TABLE: &str = include_str!("../data/actions.tsv");

/// What an action lets one do, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// See what is there.
    List,
    /// Read it.
    Read,
    /// Change or delete it.
    Write,
    /// Change who may.
    Permissions,
    /// Change tags.
    Tagging,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Write => "write",
            Self::Permissions => "permissions",
            Self::Tagging => "tagging",
        })
    }
}

/// What an action is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceClass {
    /// The bucket itself.
    Bucket,
    /// The objects in it.
    Objects,
    /// A KMS key.
    Key,
}

impl ResourceClass {
    /// The word for it: `bucket`, `objects`, `key`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Objects => "objects",
            Self::Key => "key",
        }
    }
}

impl fmt::Display for ResourceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name, such as `s3:GetObject`.
    pub name: &'static str,
    /// Its access level.
    pub level: Level,
    /// What a bucket or key policy can grant it on; empty for actions on other things.
    pub classes: Vec<ResourceClass>,
}

impl Action {
    /// Which kind of policy grants it; `None` if neither does.
    pub fn guarded(&self) -> Option<Guarded> {
        self.classes.first().map(|class| match class {
            ResourceClass::Bucket | ResourceClass::Objects => Guarded::Bucket,
            ResourceClass::Key => Guarded::Key,
        })
    }
}

/// All actions of S3 and KMS, S3 first, by name.
pub fn real_actions() -> &'static [Action] {
    static ALL: OnceLock<Vec<Action>> = OnceLock::new();
    ALL.get_or_init(|| TABLE.lines().filter_map(row).collect())
}

/// The actions that a pattern such as `s3:Get*` matches.
pub fn actions_matching(pattern: &str) -> impl Iterator<Item = &'static Action> {
    real_actions().iter().filter(move |action| glob(pattern, action.name, true))
}

fn row(line: &'static str) -> Option<Action> {
    let mut columns = line.split('\t');
    let (name, level, classes) = (columns.next()?, columns.next()?, columns.next()?);
    let level = match level {
        "list" => Level::List,
        "read" => Level::Read,
        "write" => Level::Write,
        "permissions" => Level::Permissions,
        "tagging" => Level::Tagging,
        _ => return None,
    };
    let class = |word| match word {
        "bucket" => Some(ResourceClass::Bucket),
        "objects" => Some(ResourceClass::Objects),
        "key" => Some(ResourceClass::Key),
        _ => None,
    };
    Some(Action { name, level, classes: classes.split(' ').filter_map(class).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(real_actions().len(), rows);
        assert_eq!(rows, 236);
    }

    #[test]
    fn actions_have_their_level_and_class() {
        let of = |name: &str| real_actions().iter().find(|action| action.name == name).expect(name);
        assert_eq!(of("s3:GetObject").classes, [ResourceClass::Objects]);
        assert_eq!(of("s3:ListBucket").classes, [ResourceClass::Bucket]);
        assert_eq!(of("s3:PutBucketPolicy").level, Level::Permissions);
        assert_eq!(of("s3:PutObjectTagging").level, Level::Tagging);
        assert_eq!(
            (of("kms:Decrypt").level, of("kms:Decrypt").guarded()),
            (Level::Write, Some(Guarded::Key))
        );
        assert_eq!(of("s3:ListAllMyBuckets").guarded(), None);
    }

    #[test]
    fn a_wildcard_is_expanded() {
        let names: Vec<&str> = actions_matching("kms:generatedatakey*").map(|action| action.name).collect();
        assert_eq!(
            names,
            [
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:GenerateDataKeyWithoutPlaintext"
            ]
        );
    }
}
