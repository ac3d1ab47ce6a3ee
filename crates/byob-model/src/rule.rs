//! The rules: their numbers, how bad what they find is, and whether somebody may waive it. What they judge is decided in
//! `byob-plan`; `docs/findings.md` explains each.

use serde::{Serialize, Serializer};

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Blocks plan and apply.
    Error,
    /// To think about.
    Warning,
    /// To know.
    Note,
}

/// The rules. A number never changes its meaning and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A bucket of this name exists and nothing proves that it is ours.
    NotOurs,
    /// The bucket's name belongs to another account, or this caller may not see it.
    OwnedByAnother,
    /// The root carries another record's lineage.
    RecordedElsewhere,
    /// A recorded root does not exist any more.
    Vanished,
    /// A recorded bucket now belongs to another account.
    NowAnothers,
    /// Deletion under protection.
    Protected,
    /// The name or region of an existing root was changed.
    CannotChange,
    /// The alias points at somebody else's key.
    AliasTaken,
    /// A key that a bucket is to use cannot be used.
    KeyUnusable,
    /// A key whose deletion would make data unreadable.
    KeyInUse,
    /// A bucket named by a prefix has another label now.
    PrefixMoved,
    /// The setting cannot be taken out.
    CannotTakeOut,
    /// Attribute-based access control is on: tags are access.
    Abac,
    /// Settings that AWS refuses together.
    Conflict,
    /// The document is over AWS's limit.
    TooLarge,
    /// A bucket to be deleted still holds data.
    NotEmpty,
    /// The endpoint does not offer what the configuration asks for.
    NotOffered,
    /// A lifecycle rule can expire W&B's run files.
    ExpiresRuns,
    /// A target that does not exist.
    NoSuchTarget,
    /// The bucket's policy is public in the end, and nothing restricts it.
    Public,
    /// ACLs count in the end, and public ones are neither refused nor ignored.
    PublicAcls,
    /// AWS will refuse the policy, because it is public and the block refuses public policies.
    PublicRefused,
    /// W&B lacks actions that it cannot work without.
    WandbLacksActions,
    /// W&B may not use the key that a bucket is encrypted with.
    WandbLacksKey,
    /// Browsers cannot use W&B's pre-signed URLs.
    WandbLacksCors,
    /// W&B's principal is in another partition than the bucket.
    OtherPartition,
    /// W&B's principal is not one of this deployment.
    WrongDeployment,
    /// W&B may not decrypt any more what a bucket holds under a key.
    Unreadable,
    /// Another account than the owner's and W&B's is let in.
    ForeignAccount,
    /// An Allow names its principal with a wildcard.
    WildcardPrincipal,
    /// A key policy hangs on one person's identity.
    OnePerson,
    /// ACLs count.
    AclsOn,
    /// Writers may encrypt with keys of their own.
    SseCOpen,
    /// Nothing refuses the deletion.
    Unprotected,
    /// A reference bucket grants W&B more than reading objects.
    ReferenceGrantsMore,
    /// Networks are restricted, and W&B's own are not among those let in.
    NetworkWithoutWandb,
    /// A policy names the unique id of a deleted user or role.
    BrokenPrincipal,
    /// W&B is taken out on purpose.
    WandbTakenOut,
    /// W&B is taken out, and another statement lets it in.
    WandbStays,
    /// The block is switched on while a public policy stays.
    PublicBehindBlock,
    /// The bucket is public until the plan is applied.
    PublicNow,
    /// W&B cannot work until the plan is applied.
    WandbBrokenNow,
    /// Requests without TLS are not refused.
    PlainHttp,
    /// Old versions of TLS are not refused.
    OldTls,
    /// Web pages of any origin may use pre-signed URLs.
    AnyOrigin,
    /// Versioning is off.
    VersioningOff,
    /// Versioning is on, and noncurrent versions never expire.
    VersionsKept,
    /// Unfinished uploads are kept and paid for.
    UploadsKept,
    /// The key is not rotated.
    RotationOff,
    /// Every object costs a call to KMS.
    BucketKeyOff,
    /// W&B is granted by its whole account.
    WholeAccount,
    /// The name has dots.
    DotsInName,
    /// A waiver is past its date.
    WaiverPastDate,
    /// A waiver covers no finding.
    WaiverIdle,
    /// AWS would refuse the policy, whatever bucket's block and the caller's rights.
    PolicyInvalid,
    /// An action that S3 is not known to have.
    UnknownAction,
    /// A bucket to be deleted receives the access logs of another.
    LogsLost,
    /// Somebody whose access both ends give is without it between the two phases.
    Interrupted,
    /// A waiver holds for more than a year.
    WaiverLong,
    /// A bucket that an unfinished run was to delete is gone, and is made again.
    MadeAgain,
}

impl Rule {
    /// All rules, by number.
    pub const ALL: [Self; 60] = [
        Self::NotOurs,
        Self::OwnedByAnother,
        Self::RecordedElsewhere,
        Self::Vanished,
        Self::NowAnothers,
        Self::Protected,
        Self::CannotChange,
        Self::AliasTaken,
        Self::KeyUnusable,
        Self::KeyInUse,
        Self::PrefixMoved,
        Self::CannotTakeOut,
        Self::Abac,
        Self::Conflict,
        Self::TooLarge,
        Self::NotEmpty,
        Self::NotOffered,
        Self::ExpiresRuns,
        Self::NoSuchTarget,
        Self::Public,
        Self::PublicAcls,
        Self::PublicRefused,
        Self::WandbLacksActions,
        Self::WandbLacksKey,
        Self::WandbLacksCors,
        Self::OtherPartition,
        Self::WrongDeployment,
        Self::Unreadable,
        Self::ForeignAccount,
        Self::WildcardPrincipal,
        Self::OnePerson,
        Self::AclsOn,
        Self::SseCOpen,
        Self::Unprotected,
        Self::ReferenceGrantsMore,
        Self::NetworkWithoutWandb,
        Self::BrokenPrincipal,
        Self::WandbTakenOut,
        Self::WandbStays,
        Self::PublicBehindBlock,
        Self::PublicNow,
        Self::WandbBrokenNow,
        Self::PlainHttp,
        Self::OldTls,
        Self::AnyOrigin,
        Self::VersioningOff,
        Self::VersionsKept,
        Self::UploadsKept,
        Self::RotationOff,
        Self::BucketKeyOff,
        Self::WholeAccount,
        Self::DotsInName,
        Self::WaiverPastDate,
        Self::WaiverIdle,
        Self::PolicyInvalid,
        Self::UnknownAction,
        Self::LogsLost,
        Self::Interrupted,
        Self::WaiverLong,
        Self::MadeAgain,
    ];

    /// `BYOB0nn`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::NotOurs => "BYOB001",
            Self::OwnedByAnother => "BYOB002",
            Self::RecordedElsewhere => "BYOB003",
            Self::Vanished => "BYOB004",
            Self::NowAnothers => "BYOB005",
            Self::Protected => "BYOB006",
            Self::CannotChange => "BYOB007",
            Self::AliasTaken => "BYOB008",
            Self::KeyUnusable => "BYOB009",
            Self::KeyInUse => "BYOB010",
            Self::PrefixMoved => "BYOB011",
            Self::CannotTakeOut => "BYOB012",
            Self::Abac => "BYOB013",
            Self::Conflict => "BYOB014",
            Self::TooLarge => "BYOB015",
            Self::NotEmpty => "BYOB016",
            Self::NotOffered => "BYOB017",
            Self::ExpiresRuns => "BYOB018",
            Self::NoSuchTarget => "BYOB019",
            Self::Public => "BYOB020",
            Self::PublicAcls => "BYOB021",
            Self::PublicRefused => "BYOB022",
            Self::WandbLacksActions => "BYOB023",
            Self::WandbLacksKey => "BYOB024",
            Self::WandbLacksCors => "BYOB025",
            Self::OtherPartition => "BYOB026",
            Self::WrongDeployment => "BYOB027",
            Self::Unreadable => "BYOB028",
            Self::ForeignAccount => "BYOB029",
            Self::WildcardPrincipal => "BYOB030",
            Self::OnePerson => "BYOB031",
            Self::AclsOn => "BYOB032",
            Self::SseCOpen => "BYOB033",
            Self::Unprotected => "BYOB034",
            Self::ReferenceGrantsMore => "BYOB035",
            Self::NetworkWithoutWandb => "BYOB036",
            Self::BrokenPrincipal => "BYOB037",
            Self::WandbTakenOut => "BYOB038",
            Self::WandbStays => "BYOB039",
            Self::PublicBehindBlock => "BYOB040",
            Self::PublicNow => "BYOB041",
            Self::WandbBrokenNow => "BYOB042",
            Self::PlainHttp => "BYOB043",
            Self::OldTls => "BYOB044",
            Self::AnyOrigin => "BYOB045",
            Self::VersioningOff => "BYOB046",
            Self::VersionsKept => "BYOB047",
            Self::UploadsKept => "BYOB048",
            Self::RotationOff => "BYOB049",
            Self::BucketKeyOff => "BYOB050",
            Self::WholeAccount => "BYOB051",
            Self::DotsInName => "BYOB052",
            Self::WaiverPastDate => "BYOB053",
            Self::WaiverIdle => "BYOB054",
            Self::PolicyInvalid => "BYOB055",
            Self::UnknownAction => "BYOB056",
            Self::LogsLost => "BYOB057",
            Self::Interrupted => "BYOB058",
            Self::WaiverLong => "BYOB059",
            Self::MadeAgain => "BYOB060",
        }
    }

    /// The rule of this number.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.id() == id)
    }

    /// What is the matter, in a few words: what one line says of many findings.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::NotOurs => "the bucket is not ours",
            Self::OwnedByAnother => "it may be another account's",
            Self::RecordedElsewhere => "recorded elsewhere",
            Self::Vanished => "deleted outside byob",
            Self::NowAnothers => "another account's now",
            Self::Protected => "protected",
            Self::CannotChange => "name or region cannot change",
            Self::AliasTaken => "the alias is taken",
            Self::KeyUnusable => "the key cannot be used",
            Self::KeyInUse => "the key is in use",
            Self::PrefixMoved => "the label of a prefix changed",
            Self::CannotTakeOut => "the setting cannot be taken out",
            Self::Abac => "ABAC is on",
            Self::Conflict => "settings that AWS refuses together",
            Self::TooLarge => "the policy is too large",
            Self::NotEmpty => "the bucket is not empty",
            Self::NotOffered => "the endpoint does not offer it",
            Self::ExpiresRuns => "run files can expire",
            Self::NoSuchTarget => "no such target",
            Self::Public => "the bucket is public",
            Self::PublicAcls => "public ACLs count",
            Self::PublicRefused => "AWS refuses a public policy",
            Self::WandbLacksActions => "W&B lacks actions",
            Self::WandbLacksKey => "W&B may not use the key",
            Self::WandbLacksCors => "CORS does not suffice for W&B",
            Self::OtherPartition => "W&B's principal is in another partition",
            Self::WrongDeployment => "deployment and principal do not match",
            Self::Unreadable => "data becomes unreadable for W&B",
            Self::ForeignAccount => "another account is let in",
            Self::WildcardPrincipal => "a principal is a wildcard",
            Self::OnePerson => "a key hangs on one person",
            Self::AclsOn => "ACLs are on",
            Self::SseCOpen => "SSE-C is open",
            Self::Unprotected => "not protected",
            Self::ReferenceGrantsMore => "W&B may more than read",
            Self::NetworkWithoutWandb => "W&B's networks are not known",
            Self::BrokenPrincipal => "a grant is broken",
            Self::WandbTakenOut => "W&B is taken out",
            Self::WandbStays => "W&B stays let in",
            Self::PublicBehindBlock => "a public policy stays",
            Self::PublicNow => "public until applied",
            Self::WandbBrokenNow => "W&B cannot work until applied",
            Self::PlainHttp => "TLS is not required",
            Self::OldTls => "old TLS is allowed",
            Self::AnyOrigin => "CORS allows any origin",
            Self::VersioningOff => "versioning is off",
            Self::VersionsKept => "noncurrent versions are kept",
            Self::UploadsKept => "unfinished uploads are kept",
            Self::RotationOff => "rotation is off",
            Self::BucketKeyOff => "the bucket key is off",
            Self::WholeAccount => "W&B's whole account is granted",
            Self::DotsInName => "the name has dots",
            Self::WaiverPastDate => "a waiver is past its date",
            Self::WaiverIdle => "a waiver covers nothing",
            Self::PolicyInvalid => "AWS would refuse the policy",
            Self::UnknownAction => "an action is not known",
            Self::LogsLost => "access logs lose their bucket",
            Self::Interrupted => "access is interrupted for a moment",
            Self::WaiverLong => "a waiver holds for long",
            Self::MadeAgain => "deleted by a run that did not end, and made again",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::ExpiresRuns
            | Self::ForeignAccount
            | Self::WildcardPrincipal
            | Self::OnePerson
            | Self::AclsOn
            | Self::SseCOpen
            | Self::Unprotected
            | Self::ReferenceGrantsMore
            | Self::NetworkWithoutWandb
            | Self::BrokenPrincipal
            | Self::WandbTakenOut
            | Self::WandbStays
            | Self::PublicBehindBlock
            | Self::PublicNow
            | Self::WandbBrokenNow
            | Self::WaiverPastDate
            | Self::UnknownAction
            | Self::LogsLost
            | Self::Interrupted
            | Self::WaiverLong
            | Self::MadeAgain => Severity::Warning,
            Self::PlainHttp
            | Self::OldTls
            | Self::AnyOrigin
            | Self::VersioningOff
            | Self::VersionsKept
            | Self::UploadsKept
            | Self::RotationOff
            | Self::BucketKeyOff
            | Self::WholeAccount
            | Self::DotsInName
            | Self::WaiverIdle => Severity::Note,
            _ => Severity::Error,
        }
    }

    /// Whether it makes a plan impossible: nothing that byob could do would do what is asked for.
    #[must_use]
    pub fn impossible(self) -> bool {
        let first = self <= Self::NoSuchTarget || self == Self::PublicRefused;
        first && self.severity() == Severity::Error
    }

    /// Whether a waiver may name it: not what makes a plan impossible, not what is said about waivers, and not what is
    /// said of policy files alone.
    #[must_use]
    pub fn waivable(self) -> bool {
        let apart = [
            Self::WaiverPastDate,
            Self::WaiverIdle,
            Self::PolicyInvalid,
            Self::UnknownAction,
            Self::WaiverLong,
        ];
        !self.impossible() && !apart.contains(&self)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_once_in_the_order_of_the_rules_and_found_again() {
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule.id(), format!("BYOB{:03}", index + 1));
            assert_eq!(Rule::by_id(rule.id()), Some(rule));
        }
        assert_eq!(Rule::by_id("BYOB000"), None);
        assert_eq!(Rule::by_id("byob001"), None);
    }

    #[test]
    fn what_makes_a_plan_impossible_cannot_be_waived() {
        let never: Vec<&str> = Rule::ALL.into_iter().filter(|r| !r.waivable()).map(Rule::id).collect();
        let impossible = (1..=17).chain([19, 22]).map(|n| format!("BYOB{n:03}"));
        let elsewhere = [
            Rule::WaiverPastDate,
            Rule::WaiverIdle,
            Rule::PolicyInvalid,
            Rule::UnknownAction,
            Rule::WaiverLong,
        ];
        assert_eq!(never, impossible.chain(elsewhere.map(|r| r.id().to_owned())).collect::<Vec<_>>());
    }
}
