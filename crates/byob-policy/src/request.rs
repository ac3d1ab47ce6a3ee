//! One request as the policy language sees it: who asks, for which action, on which resource, in which context. What
//! follows from the requester (its account, its ARN) is filled in here; nothing here judges.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::arn::{AccountId, Arn, Partition};
use crate::canonical::folded_key;

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requester {
    /// Nobody: the request is not signed.
    Anonymous,
    /// An AWS service by its own name, such as `logging.s3.amazonaws.com`.
    Service(String),
    /// The root user of an account: `arn:<partition>:iam::<id>:root`.
    Root(Arn),
    /// A user: `arn:<partition>:iam::<id>:user/<path and name>`.
    User(Arn),
    /// A role, whatever its session: `arn:<partition>:iam::<id>:role/<path and name>`.
    Role(Arn),
    /// One session of a role: `arn:<partition>:sts::<id>:assumed-role/<role>/<session>`. It does not show the role's
    /// path; role names are unique in an account whatever their path.
    Session(Arn),
    /// A federated user: `arn:<partition>:sts::<id>:federated-user/<name>`.
    FederatedUser(Arn),
    /// A principal of another type, such as `CanonicalUser`, or `CW` of another store.
    Other {
        /// The type, as it stands in `Principal`.
        kind: String,
        /// The value.
        value: String,
    },
}

impl Requester {
    /// The account that the requester belongs to, if it belongs to one.
    pub fn account(&self) -> Option<AccountId> {
        self.arn().and_then(Arn::account_id)
    }

    /// Its own ARN, if it has one.
    pub fn arn(&self) -> Option<&Arn> {
        match self {
            Self::Root(arn)
            | Self::User(arn)
            | Self::Role(arn)
            | Self::Session(arn)
            | Self::FederatedUser(arn) => Some(arn),
            Self::Anonymous | Self::Service(_) | Self::Other { .. } => None,
        }
    }

    /// The name of the role and of the session, for a session.
    pub(crate) fn session(&self) -> Option<(&str, &str)> {
        match self {
            Self::Session(arn) => arn.resource.strip_prefix("assumed-role/")?.split_once('/'),
            _ => None,
        }
    }

    /// What `aws:PrincipalArn` is: for a session the ARN of its role.
    pub(crate) fn principal_arn(&self) -> Option<String> {
        match (self, self.session()) {
            (Self::Session(arn), Some((role, _))) => {
                Some(format!("arn:{}:iam::{}:role/{role}", arn.partition, arn.account))
            }
            _ => self.arn().map(Arn::to_string),
        }
    }

    /// The condition keys that follow from who asks, in folded spelling.
    ///
    /// Source: IAM user guide, "AWS global condition context keys", "Properties of the principal".
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        if let (Some(arn), Some(account)) = (self.principal_arn(), self.account()) {
            all.push(("aws:principalarn", arn));
            all.push(("aws:principalaccount", account.to_string()));
            all.push(("aws:principalisawsservice", "false".to_owned()));
        }
        let kind = match self {
            Self::Anonymous => Some("Anonymous"),
            Self::Root(_) => Some("Account"),
            Self::User(_) => Some("User"),
            Self::Role(_) | Self::Session(_) => Some("AssumedRole"),
            Self::FederatedUser(_) => Some("FederatedUser"),
            Self::Service(_) | Self::Other { .. } => None,
        };
        all.extend(kind.map(|kind| ("aws:principaltype", kind.to_owned())));
        match self {
            Self::User(arn) => {
                let name = arn.resource.rsplit('/').next().unwrap_or_default();
                all.push(("aws:username", name.to_owned()));
            }
            Self::Service(name) => {
                all.push(("aws:principalisawsservice", "true".to_owned()));
                all.push(("aws:principalservicename", name.clone()));
            }
            _ => {}
        }
        all
    }
}

/// The keys, in folded spelling, that follow from who asks.
pub(crate) const REQUESTER_KEYS: [&str; 6] = [
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:username",
    "aws:principalservicename",
];

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Service(name) => f.write_str(name),
            Self::Other { kind, value } => write!(f, "{kind}:{value}"),
            Self::Root(arn)
            | Self::User(arn)
            | Self::Role(arn)
            | Self::Session(arn)
            | Self::FederatedUser(arn) => write!(f, "{arn}"),
        }
    }
}

/// The text names no requester.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is nobody who could send a request; name the ARN of a user, role, session or account root, an account \
     id, a service such as `logging.s3.amazonaws.com`, `<type>:<value>`, or `anonymous`"
)]
pub struct UnknownRequester {
    /// What was written.
    pub found: String,
}

impl FromStr for Requester {
    type Err = UnknownRequester;

    fn from_str(text: &str) -> Result<Self, UnknownRequester> {
        let unknown = || UnknownRequester { found: text.to_owned() };
        if text == "anonymous" || text == "*" {
            return Ok(Self::Anonymous);
        }
        if let Ok(account) = text.parse::<AccountId>() {
            return Ok(Self::Root(account.root_arn(Partition::Aws)));
        }
        if text.starts_with("arn:") {
            let arn: Arn = text.parse().map_err(|_| unknown())?;
            if arn.account_id().is_none() || !arn.region.is_empty() {
                return Err(unknown());
            }
            let (kind, name) = arn.resource.split_once('/').unwrap_or((&arn.resource, ""));
            return match (arn.service.as_str(), kind) {
                ("iam", "root") if arn.resource == "root" => Ok(Self::Root(arn)),
                ("iam", "user") if !name.is_empty() => Ok(Self::User(arn)),
                ("iam", "role") if !name.is_empty() => Ok(Self::Role(arn)),
                ("sts", "federated-user") if !name.is_empty() => Ok(Self::FederatedUser(arn)),
                ("sts", "assumed-role")
                    if name.split_once('/').is_some_and(|(role, session)| {
                        !role.is_empty() && !session.is_empty() && !session.contains('/')
                    }) =>
                {
                    Ok(Self::Session(arn))
                }
                _ => Err(unknown()),
            };
        }
        match text.split_once(':') {
            Some((kind, value)) if !kind.is_empty() && !value.is_empty() => match kind {
                "AWS" => value.parse(),
                "Service" => Ok(Self::Service(value.to_owned())),
                _ => Ok(Self::Other { kind: kind.to_owned(), value: value.to_owned() }),
            },
            None if text.contains('.') && !text.contains(char::is_whitespace) => {
                Ok(Self::Service(text.to_owned()))
            }
            _ => Err(unknown()),
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    principal: Requester,
    action: String,
    resource: String,
    /// Condition keys in folded spelling with their values, what follows from the principal included.
    facts: BTreeMap<String, Vec<String>>,
    /// The keys as they were given.
    given: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// A request for an action (`s3:GetObject`) on a resource (its ARN). `context` has the condition keys that the
    /// request carries, in any case, with their values; a key without values counts as absent. Keys that follow from
    /// the principal (`aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`, `aws:username`,
    /// `aws:PrincipalIsAWSService`, `aws:PrincipalServiceName`) need not be given; where they are, what is given counts.
    pub fn new(
        principal: Requester,
        action: impl Into<String>,
        resource: impl Into<String>,
        context: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Self {
        let given: BTreeMap<String, Vec<String>> =
            context.into_iter().filter(|(_, values)| !values.is_empty()).collect();
        let mut facts: BTreeMap<String, Vec<String>> =
            principal.facts().into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect();
        facts.extend(given.iter().map(|(key, values)| (folded_key(key), values.clone())));
        Self { principal, action: action.into(), resource: resource.into(), facts, given }
    }

    /// A use of a KMS key by S3 in the name of a requester: for the object or bucket whose ARN S3 gives as encryption
    /// context (the bucket's where it uses a bucket key), in a region.
    ///
    /// Sources: KMS developer guide, "kms:ViaService", "kms:EncryptionContext:context-key"; S3 user guide, "Using
    /// server-side encryption with AWS KMS keys", "Encryption context"; IAM user guide, "Forward access sessions" (S3 asks
    /// KMS in one, and `aws:ViaAWSService` is true in each).
    pub fn of_key_by_s3(
        principal: Requester,
        action: impl Into<String>,
        key_arn: impl Into<String>,
        (region, encrypted): (&str, &str),
    ) -> Self {
        let one = |key: &str, value: String| (key.to_owned(), vec![value]);
        let suffix =
            Partition::from_region(region).map_or("amazonaws.com", |partition| partition.dns_suffix());
        let (action, key_arn) = (action.into(), key_arn.into());
        let mut context = vec![
            one("kms:ViaService", format!("s3.{region}.{suffix}")),
            one("aws:SecureTransport", "true".to_owned()),
            one("aws:ViaAWSService", "true".to_owned()),
            one("aws:RequestedRegion", region.to_owned()),
        ];
        // The key's, which may be another account's than the bucket.
        let account = key_arn.parse::<Arn>().ok().and_then(|arn| arn.account_id());
        context.extend(account.map(|account| one("aws:ResourceAccount", account.to_string())));
        context.extend(principal.account().map(|account| one("kms:CallerAccount", account.to_string())));
        if !action.starts_with("kms:Describe") {
            context.push(one("kms:EncryptionContext:aws:s3:arn", encrypted.to_owned()));
            context.push(one("kms:EncryptionContextKeys", "aws:s3:arn".to_owned()));
        }
        Self::new(principal, action, key_arn, context)
    }

    /// Who asks.
    pub fn principal(&self) -> &Requester {
        &self.principal
    }

    /// For which action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// On which resource.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The context as it was given, without what follows from the principal.
    pub fn context(&self) -> &BTreeMap<String, Vec<String>> {
        &self.given
    }

    /// The values of a condition key, in folded spelling; `None` if the request lacks it.
    pub(crate) fn values(&self, folded: &str) -> Option<&[String]> {
        self.facts.get(folded).map(Vec::as_slice)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} on {}", self.principal, self.action, self.resource)?;
        for (key, values) in &self.given {
            write!(f, ", {key} = {}", values.join(" and "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_requester_is_read_and_written() {
        for text in [
            "anonymous",
            "logging.s3.amazonaws.com",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:user/a/b",
            "arn:aws-cn:iam::111111111111:role/r",
            "arn:aws:sts::111111111111:assumed-role/r/s",
            "arn:aws:sts::111111111111:federated-user/f",
            "CanonicalUser:79a5",
            "CW:arn:cw:iam::x:y",
        ] {
            assert_eq!(text.parse::<Requester>().expect(text).to_string(), text);
        }
        assert_eq!("*".parse(), Ok(Requester::Anonymous));
        assert_eq!(
            "111111111111".parse::<Requester>().map(|who| who.to_string()),
            Ok("arn:aws:iam::111111111111:root".to_owned())
        );
        for text in [
            "",
            "nobody",
            "arn:aws:s3:::b",
            "arn:aws:iam::111111111111:group/g",
            "arn:aws:sts::111111111111:assumed-role/r",
        ] {
            assert!(text.parse::<Requester>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_s3_says_to_kms_is_of_the_keys_account_and_on_behalf_of_the_requester() {
        let who: Requester = "arn:aws:iam::111111111111:role/r".parse().expect("a role");
        let key = "arn:aws:kms:eu-west-1:222222222222:key/x";
        let place = ("eu-west-1", "arn:aws:s3:::b");
        let request = Request::of_key_by_s3(who.clone(), "kms:Decrypt", key, place);
        let of = |key: &str| request.values(key).and_then(|all| all.first()).map(String::as_str);
        assert_eq!(of("aws:requestedregion"), Some("eu-west-1"));
        assert_eq!(of("aws:resourceaccount"), Some("222222222222"));
        assert_eq!(of("aws:viaawsservice"), Some("true"));
        assert_eq!(of("kms:calleraccount"), Some("111111111111"));
        // Of a key that is not there yet the account is not known.
        let unknown = Request::of_key_by_s3(who, "kms:Decrypt", "*", place);
        assert_eq!(unknown.values("aws:resourceaccount"), None);
    }

    #[test]
    fn what_follows_from_the_principal_is_known() {
        let facts = |who: &str, key: &str| {
            let request = Request::new(who.parse().expect(who), "s3:GetObject", "*", []);
            request.values(key).and_then(|all| all.first()).cloned()
        };
        let session = "arn:aws:sts::111111111111:assumed-role/r/s";
        assert_eq!(facts(session, "aws:principalarn").as_deref(), Some("arn:aws:iam::111111111111:role/r"));
        assert_eq!(facts(session, "aws:principalaccount").as_deref(), Some("111111111111"));
        assert_eq!(facts(session, "aws:username"), None);
        assert_eq!(facts("arn:aws:iam::111111111111:user/p/ann", "aws:username").as_deref(), Some("ann"));
        assert_eq!(facts("anonymous", "aws:principalarn"), None);
        assert_eq!(facts("a.amazonaws.com", "aws:principalisawsservice").as_deref(), Some("true"));
    }
}
