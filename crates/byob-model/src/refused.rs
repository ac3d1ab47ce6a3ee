//! What AWS refuses in a statement of a bucket's policy (`MalformedPolicy`), whoever puts it and whatever the bucket's
//! public access block says. For the configuration and for policy files alike.
//!
//! Source: S3 user guide, bucket policies; S3 API reference, PutBucketPolicy.

use std::collections::BTreeSet;

use byob_policy::arn::{Arn, Partition};
use byob_policy::{ResourceElement, Statement};

/// One thing that AWS refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused<'a> {
    /// There is no `Principal` (nor `NotPrincipal`).
    NoPrincipal,
    /// This pattern of actions is not one of S3.
    ActionOfOthers(&'a str),
    /// There is no `Resource` (nor `NotResource`).
    NoResource,
    /// This is neither the bucket nor an object of it.
    OtherResource(&'a str),
    /// An earlier statement has this `Sid`.
    SidTwice(&'a str),
}

/// A policy that is read statement by statement.
#[derive(Debug)]
pub struct Reading {
    partition: Partition,
    sids: BTreeSet<String>,
}

impl Reading {
    /// Of a bucket in this partition.
    #[must_use]
    pub fn new(partition: Partition) -> Self {
        Self { partition, sids: BTreeSet::new() }
    }

    /// What AWS refuses in the next statement. `is_bucket`: whether a name is the bucket's; `None` where that is not known.
    pub fn next<'a>(
        &mut self,
        statement: &'a Statement,
        is_bucket: Option<&dyn Fn(&str) -> bool>,
    ) -> Vec<Refused<'a>> {
        let mut refused = Vec::new();
        if let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty())
            && !self.sids.insert(sid.to_owned())
        {
            refused.push(Refused::SidTwice(sid));
        }
        if statement.principal.is_none() {
            refused.push(Refused::NoPrincipal);
        }
        let others = statement.action.actions().iter().filter(|action| *action != "*" && !is_of_s3(action));
        refused.extend(others.map(|action| Refused::ActionOfOthers(action)));
        match (&statement.resource, is_bucket) {
            (None, _) => refused.push(Refused::NoResource),
            (Some(_), None) => {}
            (Some(resource), Some(is_bucket)) => {
                let all = resource.resources().iter();
                let others = all.filter(|one| !is_of_bucket(one, self.partition, is_bucket));
                refused.extend(others.map(|one| Refused::OtherResource(one)));
            }
        }
        refused
    }
}

/// The partition in which statements say a bucket of this name to be.
#[must_use]
pub fn partition_named(statements: &[Statement], bucket: &str) -> Option<Partition> {
    let resources = statements.iter().filter_map(|one| one.resource.as_ref());
    let mut arns = resources.flat_map(ResourceElement::resources).filter_map(|one| one.parse::<Arn>().ok());
    arns.find(|arn| name(arn) == Some(bucket)).map(|arn| arn.partition)
}

fn is_of_s3(action: &str) -> bool {
    action.get(..3).is_some_and(|service| service.eq_ignore_ascii_case("s3:"))
}

/// Whether a resource is such a bucket, or in one.
fn is_of_bucket(resource: &str, partition: Partition, is_bucket: &dyn Fn(&str) -> bool) -> bool {
    resource.parse::<Arn>().is_ok_and(|arn| arn.partition == partition && name(&arn).is_some_and(is_bucket))
}

fn name(arn: &Arn) -> Option<&str> {
    let of_bucket = arn.service == "s3" && arn.region.is_empty() && arn.account.is_empty();
    arn.resource.split('/').next().filter(|_| of_bucket)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn statement(fields: &Value) -> Statement {
        Statement::from_value(fields).unwrap()
    }

    fn allow(action: &str, resource: &str) -> Value {
        json!({"Sid": "A", "Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource})
    }

    #[test]
    fn what_aws_refuses_of_one_statement() {
        for (action, resource, refused) in [
            ("s3:GetObject", "arn:aws:s3:::acme-a", vec![]),
            ("S3:Get*", "arn:aws:s3:::acme-a/x/*", vec![]),
            ("*", "arn:aws:s3:::acme-a/*", vec![]),
            ("kms:Decrypt", "arn:aws:s3:::acme-a/*", vec![Refused::ActionOfOthers("kms:Decrypt")]),
            ("s3", "arn:aws:s3:::acme-a/*", vec![Refused::ActionOfOthers("s3")]),
            ("s3:*", "arn:aws:s3:::acme-ab/*", vec![Refused::OtherResource("arn:aws:s3:::acme-ab/*")]),
            ("s3:*", "arn:aws:s3:::acme-a*", vec![Refused::OtherResource("arn:aws:s3:::acme-a*")]),
            ("s3:*", "arn:aws-cn:s3:::acme-a", vec![Refused::OtherResource("arn:aws-cn:s3:::acme-a")]),
            ("s3:*", "*", vec![Refused::OtherResource("*")]),
        ] {
            let statement = statement(&allow(action, resource));
            let found = Reading::new(Partition::Aws).next(&statement, Some(&|name| name == "acme-a"));
            assert_eq!(found, refused, "{action} on {resource}");
        }
        // Of a bucket whose name is not known no resource is refused.
        let elsewhere = statement(&allow("s3:*", "arn:aws:s3:::acme-ab/*"));
        assert_eq!(Reading::new(Partition::Aws).next(&elsewhere, None), []);
        let bare = statement(&json!({"Effect": "Deny", "NotAction": "s3:*"}));
        let found = Reading::new(Partition::Aws).next(&bare, None);
        assert_eq!(found, [Refused::NoPrincipal, Refused::NoResource]);
    }

    #[test]
    fn a_sid_is_taken_once_and_none_as_often_as_one_likes() {
        let mut reading = Reading::new(Partition::Aws);
        let one = statement(&allow("s3:*", "arn:aws:s3:::acme-a"));
        assert_eq!(reading.next(&one, None), []);
        assert_eq!(reading.next(&one, None), [Refused::SidTwice("A")]);
        let nameless = Statement { sid: Some(String::new()), ..one };
        assert_eq!([reading.next(&nameless, None), reading.next(&nameless, None)], [[], []]);
    }
}
