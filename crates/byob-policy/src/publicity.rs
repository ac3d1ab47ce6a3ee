//! What S3 calls public, statement by statement. Not what is wise, and not who gets in: a policy can be narrow and
//! public, or wide and not public.
//!
//! S3 takes a bucket policy for public unless each Allow grants only to fixed values of certain things: principals,
//! networks, accounts. A value is fixed when it holds neither a wildcard nor a policy variable. Where the page leaves
//! a question open, the answer here is "public": byob may then refuse what S3 would take, and never the reverse.
//!
//! Source: S3 user guide, "Blocking public access to your Amazon S3 storage", section "The meaning of public".

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::arn::{AccountId, Arn, Partition};
use crate::canonical::folded_key;
use crate::document::{Document, Effect, PrincipalElement, Statement};
use crate::operator::{Comparison, Operator, Quantifier};

/// Whether S3 calls a bucket policy public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publicity {
    /// Every Allow grants to fixed principals, or narrows to fixed values.
    NotPublic,
    /// One statement suffices to make the whole policy public. With `RestrictPublicBuckets` on, it cuts off every other
    /// account, whatever the other statements say.
    Public {
        /// The first public statement, by its index in the document, from 0.
        statement: usize,
        /// Its name, if it has one.
        sid: Option<String>,
        /// What makes it public, in one clause without a full stop.
        why: String,
    },
}

impl Publicity {
    /// Whether it is [`Publicity::Public`].
    pub fn is_public(&self) -> bool {
        matches!(self, Self::Public { .. })
    }
}

/// Whether S3 calls a bucket policy public. (The notion is S3's: for the policy of a key the answer means nothing.)
///
/// Only an Allow can make a policy public, and no Deny takes that back. Stricter than S3's page where that is open:
/// `NotPrincipal` in an Allow is public whatever its conditions; `IfExists` and `ForAllValues:` narrow nothing, since a
/// request without the key passes them; several `aws:SourceIp` ranges count as the ranges that they add up to; a
/// federated principal is fixed only as the ARN of a provider in an account, not as a web identity provider that
/// anybody can sign in with; `s3:x-amz-server-side-encryption-aws-kms-key-id`, a header that the caller chooses and
/// that the page no longer lists, narrows nothing; which actions are granted does not matter.
pub fn is_public(document: &Document) -> Publicity {
    document
        .statements
        .iter()
        .enumerate()
        .find_map(|(index, statement)| {
            let why = reason(statement)?;
            let sid = statement.sid.clone().filter(|sid| !sid.is_empty());
            Some(Publicity::Public { statement: index, sid, why })
        })
        .unwrap_or(Publicity::NotPublic)
}

/// Why a statement is public; `None` if it is not.
fn reason(statement: &Statement) -> Option<String> {
    if statement.effect == Effect::Deny {
        return None;
    }
    let who = match &statement.principal {
        None => "it names no principal".to_owned(),
        Some(PrincipalElement::Not(_)) => {
            return Some("it allows everybody but those whom `NotPrincipal` names".to_owned());
        }
        Some(PrincipalElement::Is(principals)) => {
            let (kind, value) = principals
                .0
                .iter()
                .flat_map(|(kind, values)| values.iter().map(move |value| (kind.as_str(), value.as_str())))
                .find(|(kind, value)| !is_fixed_principal(kind, value))?;
            match (kind, value) {
                ("*" | "AWS", "*") => "it allows anyone".to_owned(),
                _ => format!("its principal `{value}` is not fixed"),
            }
        }
    };
    let mut almost = None;
    for (name, keys) in &statement.condition {
        for (key, values) in keys {
            match narrowing(name, key, values) {
                Narrowing::Fixed => return None,
                Narrowing::None => {}
                Narrowing::Broken(why) => almost = almost.or(Some(why)),
            }
        }
    }
    Some(match almost {
        None if statement.condition.is_empty() => format!("{who}, without a condition"),
        None => format!("{who}, and no condition narrows it to fixed accounts, networks or principals"),
        Some(why) => format!("{who}, and {why}"),
    })
}

fn is_fixed(value: &str) -> bool {
    !value.is_empty() && !value.contains(['*', '?']) && !value.contains("${")
}

fn is_fixed_principal(kind: &str, value: &str) -> bool {
    is_fixed(value)
        && (kind != "Federated" || value.parse::<Arn>().is_ok_and(|arn| arn.account_id().is_some()))
}

/// What one condition does for S3's judgement.
enum Narrowing {
    /// It narrows to fixed values.
    Fixed,
    /// It is not about who or whence.
    None,
    /// It is about who or whence, and yet does not narrow: why.
    Broken(String),
}

fn narrowing(name: &str, key: &str, values: &[String]) -> Narrowing {
    use Comparison::{ArnEquals, ArnLike, IpAddress, StringEquals, StringEqualsIgnoreCase, StringLike};
    let rule = match folded_key(key).as_str() {
        "aws:sourceip" => Rule::Network,
        "aws:sourcearn"
        | "aws:sourcevpc"
        | "aws:sourcevpce"
        | "aws:sourceowner"
        | "aws:sourceaccount"
        | "aws:principalorgid"
        | "aws:principalorgpaths"
        | "aws:principalarn"
        | "aws:principalaccount"
        | "s3:dataaccesspointaccount" => Rule::Fixed,
        "aws:userid" => Rule::UserId,
        "s3:dataaccesspointarn" => Rule::AccessPoint,
        _ => return Narrowing::None,
    };
    let Ok(operator) = name.parse::<Operator>() else { return Narrowing::None };
    let positive = match rule {
        Rule::Network => operator.comparison == IpAddress,
        _ => matches!(
            operator.comparison,
            StringEquals | StringEqualsIgnoreCase | StringLike | ArnEquals | ArnLike
        ),
    };
    if !positive {
        return Narrowing::Broken(format!("`{name}` does not narrow `{key}` to fixed values"));
    }
    if operator.if_exists || operator.quantifier == Some(Quantifier::ForAllValues) {
        return Narrowing::Broken(format!("`{name}` also holds for a request without `{key}`"));
    }
    if values.is_empty() {
        return Narrowing::Broken(format!("`{key}` has no values"));
    }
    let broken = match rule {
        Rule::Network => return networks(key, values),
        Rule::Fixed => values.iter().find(|value| !is_fixed(value)),
        // Whoever takes on a role chooses the part behind the colon.
        Rule::UserId => {
            values.iter().find(|value| !is_fixed(value) || (is_role_id(value) && value.contains(':')))
        }
        Rule::AccessPoint => {
            values.iter().find(|value| !is_fixed(value) && !is_access_point_of_fixed_account(value))
        }
    };
    match broken {
        None => Narrowing::Fixed,
        Some(value) => Narrowing::Broken(format!("the value `{value}` of `{key}` is not fixed")),
    }
}

/// Which values of a key S3 takes for fixed.
enum Rule {
    /// Neither wildcard nor variable.
    Fixed,
    /// CIDR ranges that are not too wide.
    Network,
    /// As `Fixed`, "outside the pattern `AROLEID:*`".
    UserId,
    /// As `Fixed`, but the name of the access point may hold a wildcard.
    AccessPoint,
}

fn is_role_id(value: &str) -> bool {
    value.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("AROA"))
}

/// `arn:<partition>:s3:<region>:<account id>:accesspoint/…`, where the name alone may hold a wildcard.
fn is_access_point_of_fixed_account(value: &str) -> bool {
    let mut parts = value.splitn(6, ':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.parse::<Partition>().is_ok())
        && parts.next() == Some("s3")
        && parts.next().is_some_and(is_fixed)
        && parts.next().is_some_and(AccountId::is)
        && parts.next().is_some_and(|rest| rest.starts_with("accesspoint/") && !rest.contains("${"))
}

/// Ranges wider than `/8` (IPv4) and `/32` (IPv6) are public, private ones (RFC 1918) excluded, which are none wider
/// than that.
fn networks(key: &str, values: &[String]) -> Narrowing {
    let mut public = Vec::new();
    for value in values {
        let Some(network) = network(value) else {
            return Narrowing::Broken(format!("the value `{value}` of `{key}` is not an address range"));
        };
        if is_too_wide(network) {
            return Narrowing::Broken(format!("the range `{value}` of `{key}` is too wide for S3"));
        }
        if !is_private(network) {
            public.push(network);
        }
    }
    match IpNet::aggregate(&public).into_iter().find(|network| is_too_wide(*network)) {
        None => Narrowing::Fixed,
        Some(sum) => {
            Narrowing::Broken(format!("the ranges of `{key}` add up to `{sum}`, which is too wide for S3"))
        }
    }
}

/// An address or a range; an IPv4 range written in IPv6 is an IPv4 range.
pub(crate) fn network(value: &str) -> Option<IpNet> {
    let network: IpNet =
        value.parse().or_else(|_| value.parse().map(|address: std::net::IpAddr| address.into())).ok()?;
    Some(match network {
        IpNet::V6(net) => match (net.addr().to_ipv4_mapped(), net.prefix_len().checked_sub(96)) {
            (Some(address), Some(length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
            _ => network,
        },
        IpNet::V4(_) => network,
    })
}

fn is_too_wide(network: IpNet) -> bool {
    match network {
        IpNet::V4(net) => net.prefix_len() < 8,
        IpNet::V6(net) => net.prefix_len() < 32 || covers_ipv4(net),
    }
}

/// Whether an IPv6 range holds all of IPv4 (`::ffff:0:0/96`).
fn covers_ipv4(net: Ipv6Net) -> bool {
    net.contains(&std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped())
        && net.contains(&std::net::Ipv4Addr::BROADCAST.to_ipv6_mapped())
}

/// RFC 1918.
fn is_private(network: IpNet) -> bool {
    match network {
        IpNet::V4(net) => net.network().is_private() && net.broadcast().is_private(),
        IpNet::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(principal: &Value, condition: &Value) -> Document {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*", "Condition": condition});
        Document::from_value(&json!({"Version": "2012-10-17", "Statement": statement})).expect("a policy")
    }

    #[test]
    fn fixed_principals_are_not_public_and_wildcards_are() {
        for (principal, public) in [
            (json!("*"), true),
            (json!({"AWS": "*"}), true),
            (json!({"AWS": ["arn:aws:iam::111122223333:root", "*"]}), true),
            (json!({"AWS": "arn:aws:iam::111122223333:user/*"}), true),
            (json!({"AWS": "arn:aws:iam::111122223333:role/a?"}), true),
            (json!({"AWS": "arn:aws:iam::${aws:PrincipalAccount}:root"}), true),
            (json!({"AWS": "arn:aws:iam::111122223333:root"}), false),
            (json!({"AWS": "111122223333"}), false),
            (json!({"AWS": "arn:aws:iam::725579432336:role/WandbIntegration"}), false),
            (json!({"AWS": "arn:aws:sts::111122223333:assumed-role/R/S"}), false),
            (json!({"AWS": "AROAEXAMPLEID"}), false),
            (json!({"Service": "logging.s3.amazonaws.com"}), false),
            (json!({"Service": "cloudtrail.amazonaws.com", "AWS": "111122223333"}), false),
            (json!({"Service": "*"}), true),
            (
                json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
                false,
            ),
            (json!({"CanonicalUser": "*"}), true),
            (json!({"Federated": "graph.facebook.com"}), true),
            (json!({"Federated": "cognito-identity.amazonaws.com"}), true),
            (json!({"Federated": "arn:aws:iam::111122223333:saml-provider/idp"}), false),
            (json!({"Federated": "arn:aws:iam::111122223333:saml-provider/*"}), true),
            (json!({"CW": "arn:aws:iam::x:role/y"}), false),
            (json!({"CW": "*"}), true),
        ] {
            let document = with(&principal, &json!({}));
            assert_eq!(is_public(&document).is_public(), public, "{principal}");
        }
    }

    #[test]
    fn each_key_narrows_by_fixed_values_only() {
        let plain = [
            ("aws:SourceArn", "arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:sns:*:111122223333:*"),
            ("aws:SourceVpc", "vpc-91237329", "vpc-*"),
            ("aws:SourceVpce", "vpce-1a2b3c4d", "vpce-?"),
            ("aws:SourceOwner", "111122223333", "*"),
            ("aws:SourceAccount", "111122223333", "1111*"),
            ("aws:PrincipalOrgID", "o-a1b2c3d4e5", "o-*"),
            ("aws:PrincipalOrgPaths", "o-a1b2c3d4e5/r-ab12/ou-1/", "o-a1b2c3d4e5/*"),
            ("aws:PrincipalArn", "arn:aws:iam::111122223333:role/r", "arn:aws:iam::111122223333:role/*"),
            ("aws:PrincipalAccount", "111122223333", "${aws:PrincipalAccount}"),
            ("aws:userid", "AIDAEXAMPLEID", "*:me"),
            ("s3:DataAccessPointAccount", "111122223333", "*"),
            (
                "s3:DataAccessPointArn",
                "arn:aws:s3:us-west-2:123456789012:accesspoint/a",
                "arn:aws:s3:us-west-2:*:accesspoint/a",
            ),
        ];
        for (key, fixed, loose) in plain {
            for operator in [
                "StringEquals",
                "stringequals",
                "StringEqualsIgnoreCase",
                "StringLike",
                "ArnEquals",
                "ArnLike",
                "ForAnyValue:StringLike",
            ] {
                for (value, public) in [
                    (json!(fixed), false),
                    (json!([fixed]), false),
                    (json!(loose), true),
                    (json!([fixed, loose]), true),
                    (json!("a${aws:username}"), true),
                    (json!(""), true),
                    (json!([]), true),
                ] {
                    for key in [key.to_owned(), key.to_uppercase()] {
                        let document = with(&json!("*"), &json!({operator: {&key: value}}));
                        assert_eq!(is_public(&document).is_public(), public, "{operator} {key} {value}");
                    }
                }
            }
            for operator in [
                "StringNotEquals",
                "StringNotLike",
                "ArnNotEquals",
                "StringEqualsIfExists",
                "ForAllValues:StringEquals",
                "Null",
                "Bool",
                "BinaryEquals",
                "IpAddress",
                "NumericEquals",
            ] {
                let document = with(&json!({"AWS": "*"}), &json!({operator: {key: fixed}}));
                assert!(is_public(&document).is_public(), "{operator} {key}");
            }
        }
    }

    #[test]
    fn user_ids_of_roles_and_access_points_have_rules_of_their_own() {
        for (key, value, public) in [
            ("aws:userid", "AROAEXAMPLEID:*", true),
            ("aws:userid", "AROAEXAMPLEID:session", true),
            ("aws:userid", "aroaexampleid:session", true),
            ("aws:userid", "111122223333", false),
            ("s3:DataAccessPointArn", "arn:aws:s3:us-west-2:123456789012:accesspoint/*", false),
            ("s3:DataAccessPointArn", "arn:aws:s3:us-west-2:123456789012:accesspoint/team-?", false),
            ("s3:DataAccessPointArn", "arn:aws:s3:us-west-2:123456789012:*", true),
            ("s3:DataAccessPointArn", "arn:aws:s3:*:123456789012:accesspoint/*", true),
            ("s3:DataAccessPointArn", "arn:aws:s3:us-west-2:12345678901?:accesspoint/*", true),
            ("s3:DataAccessPointArn", "arn:*:s3:us-west-2:123456789012:accesspoint/*", true),
            ("s3:DataAccessPointArn", "arn:aws:s3:us-west-2:123456789012:accesspoint/${aws:username}", true),
        ] {
            let document = with(&json!("*"), &json!({"StringLike": {key: value}}));
            assert_eq!(is_public(&document).is_public(), public, "{key} {value}");
        }
    }

    #[test]
    fn wide_address_ranges_are_public() {
        let eights: Vec<String> = (0..=255).map(|first| format!("{first}.0.0.0/8")).collect();
        for (value, public) in [
            (json!("203.0.113.0/24"), false),
            (json!("203.0.113.7"), false),
            (json!("203.0.113.7/24"), false),
            (json!(["203.0.113.0/24", "2001:db8:1::/48"]), false),
            (json!("12.0.0.0/8"), false),
            (json!("12.0.0.0/7"), true),
            (json!("0.0.0.0/0"), true),
            (json!("0.0.0.0/1"), true),
            (json!(["203.0.113.0/24", "128.0.0.0/1"]), true),
            (json!("10.0.0.0/8"), false),
            (json!("172.16.0.0/12"), false),
            (json!("192.168.0.0/16"), false),
            (json!(["10.0.0.0/8", "11.0.0.0/8"]), false),
            (json!(["12.0.0.0/8", "13.0.0.0/8"]), true),
            (json!(eights), true),
            (json!("2001:db8::/32"), false),
            (json!("2001:db8::/31"), true),
            (json!("::/0"), true),
            (json!("::ffff:0:0/96"), true),
            (json!("::ffff:0:0/95"), true),
            (json!("::/64"), true),
            (json!("::ffff:203.0.113.0/120"), false),
            (json!("203.0.113.*"), true),
            (json!("everywhere"), true),
            (json!([]), true),
        ] {
            let document = with(&json!("*"), &json!({"IpAddress": {"aws:sourceIp": value}}));
            assert_eq!(is_public(&document).is_public(), public, "{value}");
        }
        for operator in
            ["NotIpAddress", "IpAddressIfExists", "ForAllValues:IpAddress", "StringEquals", "StringLike"]
        {
            let document = with(&json!("*"), &json!({operator: {"aws:SourceIp": "203.0.113.0/24"}}));
            assert!(is_public(&document).is_public(), "{operator}");
        }
    }

    #[test]
    fn keys_that_are_not_about_who_or_whence_narrow_nothing() {
        for (operator, key, value) in [
            ("Bool", "aws:SecureTransport", "true"),
            ("StringEquals", "aws:PrincipalTag/team", "vision"),
            ("StringEquals", "aws:Referer", "https://example.com"),
            ("StringEquals", "aws:UserAgent", "x"),
            ("StringEquals", "s3:prefix", "public"),
            (
                "StringEquals",
                "s3:x-amz-server-side-encryption-aws-kms-key-id",
                "arn:aws:kms:us-east-1:111122223333:key/k",
            ),
            ("StringEquals", "s3:ExistingObjectTag/public", "true"),
            ("StringEquals", "aws:RequestedRegion", "us-east-1"),
        ] {
            let document = with(&json!("*"), &json!({operator: {key: value}}));
            assert!(is_public(&document).is_public(), "{key}");
        }
        let both = with(
            &json!("*"),
            &json!({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        );
        assert_eq!(is_public(&both), Publicity::NotPublic);
    }

    #[test]
    fn a_deny_neither_makes_public_nor_takes_it_back() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
        let narrow_deny = json!({"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*"});
        let allow = json!({"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"});
        let policy =
            |statements: Value| Document::from_value(&json!({"Statement": statements})).expect("a policy");
        assert_eq!(is_public(&policy(json!([deny, narrow_deny]))), Publicity::NotPublic);
        assert_eq!(
            is_public(&policy(json!([deny, narrow_deny, allow]))),
            Publicity::Public {
                statement: 2,
                sid: Some("open".to_owned()),
                why: "it allows anyone, without a condition".to_owned()
            }
        );
    }

    #[test]
    fn an_allow_with_not_principal_or_without_principal_is_public() {
        let policy =
            |statement: Value| Document::from_value(&json!({"Statement": statement})).expect("a policy");
        let not = json!({"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}});
        assert!(is_public(&policy(not)).is_public());
        assert!(is_public(&policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))).is_public());
        assert_eq!(is_public(&Document::new(vec![])), Publicity::NotPublic);
    }

    #[test]
    fn the_reason_names_what_is_not_fixed() {
        for (principal, condition, why) in [
            (json!("*"), json!({}), "it allows anyone, without a condition"),
            (
                json!("*"),
                json!({"Bool": {"aws:SecureTransport": "true"}}),
                "it allows anyone, and no condition narrows it to fixed accounts, networks or principals",
            ),
            (
                json!({"AWS": "*"}),
                json!({"StringLike": {"aws:SourceVpc": "vpc-*"}}),
                "it allows anyone, and the value `vpc-*` of `aws:SourceVpc` is not fixed",
            ),
            (
                json!({"Federated": "graph.facebook.com"}),
                json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}),
                "its principal `graph.facebook.com` is not fixed, and the range `0.0.0.0/1` of `aws:SourceIp` is too wide for S3",
            ),
        ] {
            match is_public(&with(&principal, &condition)) {
                Publicity::Public { why: told, .. } => assert_eq!(told, why),
                Publicity::NotPublic => panic!("{why}"),
            }
        }
    }
}
