//! What W&B needs of a bucket and a key, what breaks without each, and whether documents give it: the requests that
//! W&B makes, evaluated.
//!
//! Source: W&B documentation, "Bring your own bucket", "Pre-signed URLs", "Reference buckets". What breaks without an
//! action follows from what the action does where the pages do not say it.

use std::collections::BTreeSet;

use byob_model::kind::{CorsRule, Purpose};
use byob_policy::reach::{self, is_network_deny};
use byob_policy::{
    Circumstances, Decision, Document, Guarded, Identity, Reason, Request, Requester, evaluate, is_public,
    real_actions,
};

use super::who::{Who, account_of, statement};

/// One thing that W&B must be able to do.
struct Need {
    action: &'static str,
    /// On objects, else on the bucket (or the key).
    objects: bool,
    without: &'static str,
}

const fn need(action: &'static str, objects: bool, without: &'static str) -> Need {
    Need { action, objects, without }
}

const STORAGE: [Need; 11] = [
    need("s3:GetObject", true, "files cannot be read"),
    need("s3:PutObject", true, "runs cannot upload"),
    need("s3:DeleteObject", true, "deleting runs frees nothing"),
    need("s3:AbortMultipartUpload", true, "failed uploads stay"),
    need("s3:ListBucket", false, "files cannot be found"),
    need("s3:ListBucketMultipartUploads", false, "large uploads cannot be resumed"),
    need("s3:ListBucketVersions", false, "artifact garbage collection frees nothing"),
    need("s3:GetBucketVersioning", false, "artifact garbage collection does not run"),
    need("s3:GetBucketCORS", false, "W&B's check of the bucket fails"),
    need("s3:GetBucketLocation", false, "W&B does not find the region"),
    need("s3:GetEncryptionConfiguration", false, "W&B's check of the bucket fails"),
];

const REFERENCE: [Need; 1] = [need("s3:GetObject", true, "media cannot be shown")];

const KEY: [Need; 2] = [
    need("kms:Decrypt", false, "files cannot be read"),
    need("kms:GenerateDataKey", false, "runs cannot upload"),
];

/// How many lacking actions are told one by one.
const TOLD: usize = 3;

/// What W&B lacks.
pub(super) struct Lack {
    /// Each action with what breaks without it, in the order of their weight.
    actions: Vec<(&'static str, &'static str)>,
    /// Who lacks the first.
    pub(super) principal: String,
    /// Where alone the first is lacking, if not everywhere: ` on …`, ` from …`.
    place: String,
    /// Why, of the first.
    pub(super) reason: Reason,
    /// The statement that decides, from 0, of the document that was asked about.
    pub(super) deciding: Option<usize>,
}

impl Lack {
    /// `s3:GetObject (files cannot be read) and 10 more`.
    pub(super) fn told(&self) -> String {
        let told: Vec<String> =
            self.actions.iter().take(TOLD).map(|(action, without)| format!("{action} ({without})")).collect();
        let told = match self.actions.len().saturating_sub(TOLD) {
            0 => super::who::joined(&told),
            more => format!("{} and {more} more", told.join(", ")),
        };
        format!("{told}{}", self.place)
    }
}

/// A bucket as W&B's requests meet it.
#[derive(Clone)]
pub(super) struct BucketAsked<'a> {
    pub(super) who: &'a Who<'a>,
    /// `arn:aws:s3:::acme-wandb`.
    pub(super) arn: String,
    /// The sub-path that W&B is given.
    pub(super) path: Option<&'a str>,
    /// Where it is, if known.
    pub(super) region: Option<&'a str>,
    pub(super) purpose: Purpose,
    pub(super) restrict_public_buckets: bool,
}

/// One way to ask.
#[derive(Clone, Copy)]
struct Way<'a> {
    action: &'a str,
    /// An ARN.
    resource: &'a str,
    /// The address it comes from, if known.
    source: Option<&'a str>,
}

impl BucketAsked<'_> {
    fn folder(&self) -> String {
        self.path.map(|path| format!("{path}/")).unwrap_or_default()
    }

    /// One that no policy means.
    fn object(&self) -> String {
        format!("{}/{}byob-rules-ask-for-this", self.arn, self.folder())
    }

    fn ask(&self, document: &Document, who: &Requester, way: Way<'_>) -> Decision {
        let mut context = vec![
            ("aws:SecureTransport".to_owned(), vec!["true".to_owned()]),
            ("s3:TlsVersion".to_owned(), vec!["1.3".to_owned()]),
            ("aws:ViaAWSService".to_owned(), vec!["false".to_owned()]),
            // W&B signs its requests, and hands out pre-signed URLs, with version 4.
            ("s3:signatureversion".to_owned(), vec!["AWS4-HMAC-SHA256".to_owned()]),
            ("s3:authType".to_owned(), vec!["REST-HEADER".to_owned()]),
        ];
        let owner = self.who.owner.as_ref().map(ToString::to_string);
        for key in ["aws:ResourceAccount", "s3:ResourceAccount"] {
            context.extend(owner.clone().map(|owner| (key.to_owned(), vec![owner])));
        }
        context.extend(self.region.map(|region| ("aws:RequestedRegion".to_owned(), vec![region.to_owned()])));
        context.extend(way.source.map(|address| ("aws:SourceIp".to_owned(), vec![address.to_owned()])));
        let request = Request::new(who.clone(), way.action, way.resource, context);
        let circumstances = Circumstances {
            restrict_public_buckets: self.restrict_public_buckets,
            ..Circumstances::new(Guarded::Bucket, self.who.owner.clone(), Identity::Everything)
        };
        evaluate(document, &request, &circumstances)
    }

    fn needs(&self) -> &'static [Need] {
        match self.purpose {
            Purpose::Storage => &STORAGE,
            Purpose::Reference => &REFERENCE,
        }
    }

    /// What W&B lacks under this policy: of any object that is its own, from any address of its networks. Where those are
    /// not known, what is refused by network is not judged.
    pub(super) fn lacks(&self, document: &Document) -> Option<Lack> {
        let egress = &self.who.wandb.egress;
        let mut anywhere = None;
        let (asked, restricts) = if egress.is_empty() {
            let (asked, _) = anywhere.insert(reach::from_anywhere(document));
            // Whether a policy is public is asked of the policy as it is.
            (&*asked, self.restrict_public_buckets && is_public(document).is_public())
        } else {
            (document, self.restrict_public_buckets)
        };
        let asking = BucketAsked { restrict_public_buckets: restricts, ..self.clone() };
        let sources: Vec<Option<String>> = match egress.is_empty() {
            true => vec![None],
            false => reach::sources(egress, document).into_iter().map(Some).collect(),
        };
        let objects = reach::objects(&self.arn, &self.folder(), document);
        let bucket = [self.arn.clone()];
        let mut lack = lacking(self.who, self.needs(), asked, |who, need| {
            let resources = if need.objects { &objects[..] } else { &bucket[..] };
            resources.iter().enumerate().find_map(|(which, resource)| {
                sources.iter().enumerate().find_map(|(from, source)| {
                    let way = Way { action: need.action, resource, source: source.as_deref() };
                    let decision = asking.ask(asked, who, way);
                    let mut place = String::new();
                    if which > 0 {
                        place += &format!(" on `{resource}`");
                    }
                    if let Some(source) = source.as_ref().filter(|_| from > 0) {
                        place += &format!(" from {source}");
                    }
                    (!decision.is_allowed()).then_some((decision, place))
                })
            })
        })?;
        if let Some((_, places)) = &anywhere {
            lack.deciding = lack.deciding.and_then(|index| places.get(index).copied());
        }
        Some(lack)
    }

    /// The statement that keeps W&B out unless it comes from a network that is let in: a Deny, or the only Allow.
    pub(super) fn refused_by_network(&self, document: &Document) -> Option<usize> {
        if !self.who.wandb.egress.is_empty() || !document.statements.iter().any(reach::asks_for_network) {
            return None;
        }
        let (anywhere, places) = reach::from_anywhere(document);
        let asking = BucketAsked { restrict_public_buckets: false, ..self.clone() };
        let objects = reach::objects(&self.arn, &self.folder(), document);
        let bucket = [self.arn.clone()];
        requesters(self.who).iter().find_map(|(_, who)| {
            self.needs().iter().find_map(|need| {
                let resources = if need.objects { &objects[..] } else { &bucket[..] };
                resources.iter().find_map(|resource| {
                    let way = Way { action: need.action, resource, source: None };
                    let decision = asking.ask(document, who, way);
                    let mut deciding = decision.deciding.iter().copied();
                    if decision.is_allowed() {
                        return None;
                    }
                    if decision.reason == Reason::DeniedByStatement {
                        let denies =
                            |index: &usize| document.statements.get(*index).is_some_and(is_network_deny);
                        return deciding.find(denies);
                    }
                    let decision = asking.ask(&anywhere, who, way);
                    let index = decision.deciding.first().filter(|_| decision.is_allowed())?;
                    places.get(*index).copied()
                })
            })
        })
    }

    /// The actions beyond reading objects that the policy gives W&B.
    pub(super) fn beyond_reading(&self, document: &Document) -> BTreeSet<&'static str> {
        let mut beyond = BTreeSet::new();
        for (_, who) in requesters(self.who) {
            for action in real_actions().iter().filter(|a| a.guarded() == Some(Guarded::Bucket)) {
                if action.name == "s3:GetObject" {
                    continue;
                }
                let given = [true, false].into_iter().any(|objects| {
                    let object = self.object();
                    let resource = if objects { &object } else { &self.arn };
                    let decision =
                        self.ask(document, &who, Way { action: action.name, resource, source: None });
                    decision.is_allowed() && decision.reason != Reason::OwnIdentity
                });
                if given {
                    beyond.insert(action.name);
                }
            }
        }
        beyond
    }

    /// Whether the owner's own request is refused with this in its context: a policy that refuses it refuses all. Where
    /// the owner is not known, nobody's request is asked about.
    pub(super) fn refuses_everybody_with(&self, document: &Document, context: &[(&str, &str)]) -> bool {
        let owner = self.who.owner.clone();
        let root = owner.as_ref().map_or(Ok(Requester::Anonymous), |owner| owner.as_str().parse());
        let Ok(root) = root else { return false };
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
        let request = Request::new(root, "s3:GetObject", self.object(), context);
        let circumstances = Circumstances::new(Guarded::Bucket, owner, Identity::Everything);
        evaluate(document, &request, &circumstances).reason == Reason::DeniedByStatement
    }
}

/// W&B's principals that can send a request.
fn requesters(who: &Who<'_>) -> Vec<(String, Requester)> {
    let all = who.wandb.principals.iter();
    all.filter_map(|principal| Some((principal.clone(), principal.parse().ok()?))).collect()
}

fn lacking(
    who: &Who<'_>,
    needs: &'static [Need],
    document: &Document,
    refused: impl Fn(&Requester, &Need) -> Option<(Decision, String)>,
) -> Option<Lack> {
    let mut lack: Option<Lack> = None;
    let requesters = requesters(who);
    for need in needs {
        let found = requesters.iter().find_map(|(name, who)| Some((name, refused(who, need)?)));
        let Some((name, (decision, place))) = found else { continue };
        let lack = lack.get_or_insert_with(|| Lack {
            actions: Vec::new(),
            principal: name.clone(),
            place,
            reason: decision.reason,
            deciding: decision.deciding.first().copied().filter(|index| *index < document.statements.len()),
        });
        lack.actions.push((need.action, need.without));
    }
    lack
}

/// What W&B lacks of a key: to store files, or to read what is there (`reading`). `place` is the region and the ARN that
/// S3 names to KMS.
pub(super) fn lacks_of_key(
    who: &Who<'_>,
    document: &Document,
    key_arn: &str,
    place: (&str, &str),
    reading: bool,
) -> Option<Lack> {
    let needs: &'static [Need] = if reading { &KEY[..1] } else { &KEY };
    lacking(who, needs, document, |requester, need| {
        let request = Request::of_key_by_s3(requester.clone(), need.action, key_arn, place);
        let owner = account_of(key_arn).or_else(|| who.owner.clone());
        let circumstances = Circumstances::new(Guarded::Key, owner, Identity::Everything);
        let decision = evaluate(document, &request, &circumstances);
        (!decision.is_allowed()).then(|| (decision, String::new()))
    })
}

/// What pre-signed URLs lack in a browser: `PUT`, `the header ETag`.
pub(super) fn cors_lacks(rules: &[CorsRule], purpose: Purpose) -> Vec<String> {
    let methods: &[&str] = match purpose {
        Purpose::Storage => &["GET", "HEAD", "PUT"],
        Purpose::Reference => &["GET", "HEAD"],
    };
    let mut lacks: Vec<String> = methods
        .iter()
        .filter(|method| !rules.iter().any(|rule| rule.allowed_methods.contains(**method)))
        .map(|method| (*method).to_owned())
        .collect();
    let exposed = rules.iter().any(|rule| {
        rule.allowed_methods.iter().any(|m| methods.contains(&m.as_str()))
            && rule.expose_headers.iter().any(|header| header.eq_ignore_ascii_case("ETag") || header == "*")
    });
    if !exposed {
        lacks.push("the exposed header ETag".to_owned());
    }
    lacks
}

/// How to say which statement of a document refuses.
pub(super) fn refusing(document: &Document, lack: &Lack) -> String {
    match (lack.reason, lack.deciding) {
        (Reason::DeniedByStatement, Some(index)) => format!("{} denies it", statement(document, index)),
        (Reason::CutOffAsPublic, Some(index)) => format!(
            "{} is public, and restrict_public_buckets then cuts off every other account",
            statement(document, index)
        ),
        _ => "no statement allows it".to_owned(),
    }
}
