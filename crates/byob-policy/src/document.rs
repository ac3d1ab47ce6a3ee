//! The policy document as typed values: what was said, in the order it was said. Nothing here reads text, judges, or
//! normalises; single values and arrays are one and the same, everything else is kept as it was written.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::arn::Partition;
use crate::error::ParseError;
use crate::{canonical, grammar, text};

/// The largest bucket policy in bytes of [`Document::to_json`]. Source: S3 user guide, "Bucket policies" (20 KB).
pub const BUCKET_POLICY_LIMIT: usize = 20 * 1024;

/// The largest key policy in bytes of [`Document::to_json`]. Source: KMS developer guide, "Resource quotas" (32 KB).
pub const KEY_POLICY_LIMIT: usize = 32 * 1024;

/// A policy document: of a bucket, of a key, or of an identity.
///
/// `==` is equality of structure (order, case and spelling count, as far as the type keeps them); for equality of
/// meaning see [`Document::equals`]. Serde reads and writes it as the policy JSON itself, reading as strictly as
/// [`Document::from_value`].
///
/// Source: IAM user guide, "Grammar of the IAM JSON policy language".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Document {
    /// The version of the policy language.
    pub version: Version,
    /// A free name for the document. Empty and missing mean the same.
    pub id: Option<String>,
    /// The statements, in their order (which has no meaning).
    pub statements: Vec<Statement>,
}

impl Document {
    /// Reads a policy from its JSON text, strictly: duplicate keys, unknown elements, wrong types, missing or
    /// contradicting elements and unknown condition operators are errors.
    ///
    /// # Errors
    ///
    /// [`ParseError`] with line and column (from 1) of the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        grammar::parse(text)
    }

    /// The line (from 1) on which each statement of a policy's text begins, in their order. Empty for a text that is no
    /// policy.
    pub fn statement_lines(text: &str) -> Vec<usize> {
        grammar::statement_lines(text)
    }

    /// Reads a policy from a JSON value by the rules of [`Document::parse`] (but for duplicate keys, which such a value
    /// can no longer show).
    ///
    /// # Errors
    ///
    /// [`ParseError`] with line and column 0.
    pub fn from_value(value: &Value) -> Result<Self, ParseError> {
        grammar::from_value(value)
    }

    /// A document of the present version (2012-10-17) without an id.
    pub fn new(statements: Vec<Statement>) -> Self {
        Self { version: Version::V2012, id: None, statements }
    }

    /// The policy as JSON, ready to be sent. Faithful, but for spelling that has no meaning: an array of one becomes a
    /// single value (AWS does the same), `Version` is always there, empty conditions are left out.
    pub fn to_value(&self) -> Value {
        text::value(self)
    }

    /// The compact JSON text of [`Document::to_value`], elements in AWS's order. This is what is sent, so its length in
    /// bytes is what counts against the limits (20 KB for a bucket, 32 KB for a key).
    pub fn to_json(&self) -> String {
        text::compact(self)
    }

    /// The one form that every spelling of this document shares, `Sid` and `Id` kept: see [`Document::canonical_in`]
    /// for the rules. Account ids that stand alone are put into the partition that the document's own ARNs name, if
    /// they name exactly one, else into `aws`.
    pub fn canonical(&self) -> Value {
        text::value(&canonical::form(self, None))
    }

    /// The canonical form, where account ids that stand alone are accounts of `partition`.
    ///
    /// Statements are sorted and free of duplicates; so are the values of each element. An account id is its root ARN;
    /// `Principal: "*"` is `{"AWS": "*"}` (not so in `NotPrincipal`); actions are in lower case; condition operators
    /// have AWS's spelling, condition keys are in lower case up to their first `/` (tag keys keep their case); values
    /// of `Bool` are in lower case; empty is missing; `Version` is 2012-10-17 unless a `${` stands somewhere, which the
    /// two versions read differently. An STS ARN stays apart from an IAM ARN, and statements are never merged or split:
    /// equality may be missed there, but is never claimed wrongly.
    ///
    /// The form is itself a valid policy, equal in meaning to this one, and its own canonical form.
    pub fn canonical_in(&self, partition: Partition) -> Value {
        text::value(&canonical::form(self, Some(partition)))
    }

    /// The canonical form for people and line diffs: AWS's order of elements (`Sid`, `Effect`, `Principal`, `Action`,
    /// `Resource`, `Condition`), two spaces a level, one array element a line, arrays of one as single values, actions
    /// and condition keys in the case in which they were first written. No trailing line break.
    pub fn canonical_pretty(&self) -> String {
        text::pretty(&canonical::spelled(self, None))
    }

    /// Whether two documents mean the same: equal canonical forms, `Sid` and `Id` left aside. Never true for two
    /// documents that differ in meaning; true for every spelling that AWS is known to hand back.
    ///
    /// Where a `Sid` is an identity (byob's own statements), compare [`Document::canonical`] as well: it keeps them.
    pub fn equals(&self, other: &Self) -> bool {
        canonical::meaning(self, None) == canonical::meaning(other, None)
    }

    /// [`Document::equals`] where account ids that stand alone are accounts of `partition`.
    pub fn equals_in(&self, other: &Self, partition: Partition) -> bool {
        canonical::meaning(self, Some(partition)) == canonical::meaning(other, Some(partition))
    }

    /// The same document with the actions of AWS's table in AWS's spelling, and all other actions and condition keys as
    /// `other` writes them, where it has them: for showing two documents side by side when one of them went through
    /// the canonical form, which keeps no case.
    pub fn spelled_like(&self, other: &Self) -> Self {
        canonical::spelled_like(self, other)
    }

    /// Whether there is no statement. (AWS refuses such a document: it is deleted, not put.)
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

impl Statement {
    /// Reads one statement from a JSON value, by the rules of [`Document::parse`].
    ///
    /// # Errors
    ///
    /// [`ParseError`] with line and column 0.
    pub fn from_value(value: &Value) -> Result<Self, ParseError> {
        grammar::statement_from_value(value)
    }

    /// The statement as JSON, as [`Document::to_value`] writes it.
    pub fn to_value(&self) -> Value {
        text::statement_value(self)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Statement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Statement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The version of the policy language. It changes the meaning of `${…}` alone: a variable in 2012-10-17, plain text in
/// 2008-10-17.
///
/// Source: IAM user guide, "IAM JSON policy elements: Version".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2008-10-17`, also what a document without a version has.
    V2008,
    /// `2012-10-17`.
    V2012,
}

impl Version {
    /// The version as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }
}

/// The conditions of a statement: operator, then condition key, then values. All operators and keys must hold; of the
/// values one must (for negated operators: none may).
pub type Conditions = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// One statement. Its fields are in the order in which AWS writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The statement's name. Empty and missing mean the same. It has no meaning for access.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Who. Missing in identity policies, where it is whoever the policy hangs on.
    pub principal: Option<PrincipalElement>,
    /// What they may do.
    pub action: ActionElement,
    /// On what. Missing in role trust policies.
    pub resource: Option<ResourceElement>,
    /// When. Operators and keys as they were written; [`crate::Operator`] reads the operators.
    pub condition: Conditions,
}

/// What a statement does with the requests it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Lets them through, unless another statement denies.
    Allow,
    /// Refuses them, whatever other statements say.
    Deny,
}

impl Effect {
    /// The effect as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// Who a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalElement {
    /// `Principal`: these.
    Is(Principals),
    /// `NotPrincipal`: all but these.
    Not(Principals),
}

impl PrincipalElement {
    /// The principals named, whether meant or left out.
    pub fn principals(&self) -> &Principals {
        match self {
            Self::Is(principals) | Self::Not(principals) => principals,
        }
    }
}

/// Principals by type: `AWS`, `Service`, `Federated`, `CanonicalUser`, and types of other stores such as `CW`.
///
/// `"Principal": "*"` has the spelling `{"*": ["*"]}` here ([`Principals::anyone`]), so that it can be told from
/// `{"AWS": "*"}` when it is sent. No type is called `*`, so nothing else is spelled like that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principals(pub BTreeMap<String, Vec<String>>);

impl Principals {
    /// `"*"`: anyone, signed in or not.
    pub fn anyone() -> Self {
        Self::of("*", ["*"])
    }

    /// Principals of the type `AWS`: ARNs, account ids, `*`.
    pub fn aws<I: IntoIterator<Item: Into<String>>>(values: I) -> Self {
        Self::of("AWS", values)
    }

    /// Principals of one type.
    pub fn of<I: IntoIterator<Item: Into<String>>>(kind: &str, values: I) -> Self {
        Self(BTreeMap::from([(kind.to_owned(), values.into_iter().map(Into::into).collect())]))
    }

    /// Whether this is exactly `"*"`.
    pub fn is_anyone(&self) -> bool {
        self.0.len() == 1 && self.0.get("*").is_some_and(|values| values.iter().map(String::as_str).eq(["*"]))
    }
}

/// Which actions a statement is about. Names are `service:Action` or `*`, case does not matter, `*` and `?` match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionElement {
    /// `Action`: these.
    Is(Vec<String>),
    /// `NotAction`: all but these.
    Not(Vec<String>),
}

impl ActionElement {
    /// The actions named, whether meant or left out.
    pub fn actions(&self) -> &[String] {
        match self {
            Self::Is(actions) | Self::Not(actions) => actions,
        }
    }
}

/// Which resources a statement is about. ARNs or `*`, case matters, `*` and `?` match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceElement {
    /// `Resource`: these.
    Is(Vec<String>),
    /// `NotResource`: all but these.
    Not(Vec<String>),
}

impl ResourceElement {
    /// The resources named, whether meant or left out.
    pub fn resources(&self) -> &[String] {
        match self {
            Self::Is(resources) | Self::Not(resources) => resources,
        }
    }
}
