//! Policies out of bytes: the policy that they spell, or else one that they choose from small pools.

use std::collections::BTreeMap;

use byob_policy::{
    ActionElement, Circumstances, Conditions, Document, Effect, Identity, Owner, PrincipalElement,
    Principals, Request, ResourceElement, Statement, Version,
};

/// Stands between the two policies of an input.
const BETWEEN: &str = "\n---\n";

/// The bytes that are left; past their end there are zeros.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn one(&mut self, pool: &[&str]) -> String {
        pool[self.below(pool.len())].to_owned()
    }

    fn some(&mut self, pool: &[&str]) -> Vec<String> {
        (0..=self.below(2)).map(|_| self.one(pool)).collect()
    }

    fn document(&mut self) -> Document {
        let version = if self.below(8) == 7 { Version::V2008 } else { Version::V2012 };
        let statements = (0..self.below(4)).map(|_| self.statement()).collect();
        Document { version, id: None, statements }
    }

    fn statement(&mut self) -> Statement {
        Statement {
            sid: (self.below(3) == 0).then(|| self.one(&["", "a", "b \" \\ \u{1} é"])),
            effect: if self.below(3) == 2 { Effect::Deny } else { Effect::Allow },
            principal: self.principal(),
            action: {
                let all = self.some(&[
                    "s3:GetObject",
                    "S3:get*",
                    "s3:*",
                    "*",
                    "kms:Decrypt",
                    "s3:?etObject",
                    "s3:*Object",
                ]);
                if self.below(6) == 5 { ActionElement::Not(all) } else { ActionElement::Is(all) }
            },
            resource: match self.below(8) {
                7 => None,
                6 => Some(ResourceElement::Not(self.resources())),
                _ => Some(ResourceElement::Is(self.resources())),
            },
            condition: self.conditions(),
        }
    }

    fn principal(&mut self) -> Option<PrincipalElement> {
        let aws = &[
            "*",
            "111111111111",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:iam::111111111111:role/p/r",
            "arn:aws:sts::111111111111:assumed-role/r/s",
            "arn:aws:iam::222222222222:user/u",
            "222222222222",
            "AROAEXAMPLEEXAMPLE123",
            "arn:aws:iam::222222222222:user/*",
        ];
        let who = match self.below(8) {
            0 => Principals::anyone(),
            1 => Principals::of(
                "Service",
                self.some(&["logging.s3.amazonaws.com", "Logging.s3.amazonaws.com"]),
            ),
            2 => Principals::of("CW", self.some(aws)),
            3 => return None,
            4 => {
                let kinds =
                    [("AWS".to_owned(), self.some(aws)), ("CanonicalUser".to_owned(), self.some(&["79a5"]))];
                Principals(BTreeMap::from(kinds))
            }
            _ => Principals::aws(self.some(aws)),
        };
        Some(if self.below(8) == 7 { PrincipalElement::Not(who) } else { PrincipalElement::Is(who) })
    }

    fn resources(&mut self) -> Vec<String> {
        self.some(&[
            "arn:aws:s3:::b",
            "arn:aws:s3:::b/*",
            "*",
            "arn:aws:s3:::b/${aws:username}",
            "arn:aws:s3:::*b",
        ])
    }

    fn conditions(&mut self) -> Conditions {
        let mut all = Conditions::new();
        for _ in 0..self.below(3) {
            let (operators, keys, values): (&[&str], &[&str], &[&str]) = match self.below(5) {
                0 => (&["Bool", "BoolIfExists"], &["aws:SecureTransport"], &["true", "False", "x"]),
                1 => (
                    &["IpAddress", "NotIpAddress"],
                    &["aws:SourceIp"],
                    &["10.0.0.0/8", "10.1.0.0/16", "::/0", "x"],
                ),
                2 => {
                    (&["NumericLessThan", "NumericNotEquals"], &["s3:max-keys"], &["1", "1e3", "-0.0", "nan"])
                }
                3 => (
                    &["Null", "DateLessThan"],
                    &["aws:CurrentTime"],
                    &["true", "2026-01-01", "0", "2026-01-01T00:00:00Z"],
                ),
                _ => (
                    &[
                        "StringEquals",
                        "StringNotLike",
                        "StringLikeIfExists",
                        "ForAnyValue:StringLike",
                        "ForAllValues:StringEquals",
                        "ArnLike",
                        "stringequalsignorecase",
                    ],
                    &["aws:PrincipalArn", "aws:TagKeys", "aws:username", "x:y/Z"],
                    &["a", "A*", "${aws:username}", "${*}", "arn:aws:iam::*:role/r", "${"],
                ),
            };
            let values = (0..self.below(3)).map(|_| self.one(values)).collect();
            let key = self.one(keys);
            all.entry(self.one(operators)).or_default().insert(key, values);
        }
        all
    }
}

/// The policy that the bytes choose.
pub(crate) fn one(bytes: &[u8]) -> Document {
    Choices(bytes).document()
}

/// The two policies that the bytes spell, or choose.
pub(crate) fn two(bytes: &[u8]) -> (Document, Document) {
    let spelled = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once(BETWEEN));
    if let Some((one, other)) = spelled
        && let (Ok(one), Ok(other)) = (Document::parse(one), Document::parse(other))
    {
        return (one, other);
    }
    let mut choices = Choices(bytes);
    let one = choices.document();
    let mut other = choices.document();
    // Documents that nearly agree are where a judgement could go wrong.
    match choices.below(4) {
        0 => other = one.clone(),
        1 => other.statements.extend(one.statements.iter().cloned()),
        2 => {
            other = one.clone();
            let more = choices.statement();
            match other.statements.first_mut() {
                Some(first) => first.condition = more.condition,
                None => other.statements.push(more),
            }
        }
        _ => {}
    }
    (one, other)
}

/// Some requests, of a small world.
pub(crate) fn requests() -> &'static [Request] {
    static ALL: std::sync::OnceLock<Vec<Request>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = Vec::new();
        for who in [
            "anonymous",
            "arn:aws:iam::111111111111:root",
            "arn:aws:iam::111111111111:role/r",
            "arn:aws:iam::111111111111:role/p/r",
            "arn:aws:sts::111111111111:assumed-role/r/s",
            "arn:aws:iam::222222222222:user/u",
            "logging.s3.amazonaws.com",
            "CW:111111111111",
        ] {
            for (action, resource) in [
                ("s3:GetObject", "arn:aws:s3:::b/a"),
                ("s3:PutObject", "arn:aws:s3:::b/u"),
                ("s3:ListBucket", "arn:aws:s3:::b"),
                ("kms:Decrypt", "arn:aws:kms:us-east-1:111111111111:key/k"),
            ] {
                for context in [
                    vec![],
                    vec![("aws:SecureTransport", "true"), ("aws:SourceIp", "10.1.2.3"), ("aws:TagKeys", "a")],
                    vec![("aws:SecureTransport", "false"), ("s3:max-keys", "5"), ("x:y/Z", "Ab")],
                    vec![("aws:CurrentTime", "2025-12-31T23:59:59Z"), ("aws:TagKeys", "*"), ("x:y/Z", "a")],
                ] {
                    let context =
                        context.into_iter().map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
                    all.push(Request::new(who.parse().expect(who), action, resource, context));
                }
            }
        }
        all
    })
}

/// A request under each circumstance that the owner may mean.
pub(crate) fn circumstances<'a>(request: &'a Request, owner: &Owner) -> Vec<(&'a Request, Circumstances)> {
    let account = owner.account.clone().or_else(|| request.principal().account());
    let new = |account, identity| (request, Circumstances::new(owner.guarded, account, identity));
    match owner.account {
        // What its own side gives past the document does not count then.
        None => {
            let root = matches!(request.principal(), byob_policy::Requester::Root(_));
            let mut all = vec![new(None, Identity::Everything), new(None, Identity::Nothing)];
            all.extend((!root).then(|| new(account, Identity::Nothing)));
            all
        }
        Some(_) => vec![new(account.clone(), Identity::Everything), new(account, Identity::Nothing)],
    }
}
