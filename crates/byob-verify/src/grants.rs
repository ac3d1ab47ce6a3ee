//! Whether the bucket policy that AWS has gives W&B each of its actions, or keeps it out where it is to be out.
//!
//! Source: W&B documentation, "Bring your own bucket", "Reference buckets". What breaks without an action follows from
//! what the action does where the pages do not say it.

use byob_model::address::Kind;
use byob_model::desired::{REFERENCE_ACTIONS, STORAGE_ACTIONS};
use byob_model::kind::Purpose;
use byob_policy::{
    AccountId, Circumstances, Decision, Document, Guarded, Identity, Reason, Request, Requester,
    ResourceClass, actions_matching, evaluate, is_public, is_unique_id, reach,
};

use crate::check::{Check, Outcome};
use crate::subject::Subject;
use crate::whole::{Named, left_whole, needed};
use crate::words::{principals, statement, words};

/// What each action is for, and what W&B fails to do without it.
const MEANINGS: [(&str, &str, &str); 12] = [
    ("s3:GetObject*", "read objects", "files, media and artifacts do not open: 403 on download"),
    ("s3:GetObject", "read objects", "media do not show: 403 on download"),
    ("s3:PutObject", "write objects", "runs cannot upload: 403 on upload"),
    ("s3:DeleteObject", "delete objects", "deleted runs and artifacts stay and cost"),
    ("s3:AbortMultipartUpload", "abort uploads", "failed uploads stay and cost"),
    (
        "s3:ListBucket",
        "list objects",
        "files are not found; the check of the bucket fails when a team is made",
    ),
    ("s3:ListBucketMultipartUploads", "list unfinished uploads", "large uploads are not resumed"),
    ("s3:ListBucketVersions", "list versions", "artifact garbage collection frees nothing"),
    ("s3:GetBucketVersioning", "read the versioning", "artifact garbage collection does not run"),
    ("s3:GetBucketCORS", "read the CORS rules", "the check of the bucket fails when a team is made"),
    ("s3:GetBucketLocation", "read the region", "the bucket is not found in its region"),
    (
        "s3:GetEncryptionConfiguration",
        "read the default encryption",
        "the check of the bucket fails when a team is made",
    ),
];

/// One of W&B's principals that can send a request.
pub(crate) fn requesters(subject: &Subject<'_>) -> Vec<(String, Requester)> {
    let all = subject.wandb.principals.iter();
    all.filter_map(|principal| Some((principal.clone(), principal.parse().ok()?))).collect()
}

/// What the requester's own side gives it: of another account's it is W&B's to give, and taken for given. In the
/// bucket's own account a policy that byob manages names the principal itself, and has to suffice.
pub(crate) fn own_side(requester: &Requester, owner: Option<&AccountId>, managed: bool) -> Identity {
    if managed && requester.account().as_ref() == owner { Identity::Nothing } else { Identity::Everything }
}

pub(crate) fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let patterns: &[&str] = match subject.purpose() {
        Purpose::Storage => &STORAGE_ACTIONS,
        Purpose::Reference => &REFERENCE_ACTIONS,
    };
    let document = subject.live_policy();
    let asked = Asked::new(subject, &document);
    let address = subject.address.aspect(Kind::BucketPolicy);
    if !subject.root.wandb_access {
        return vec![Check::new(
            "taken-out",
            &address,
            "the bucket policy gives W&B nothing, as wandb_access = false says",
            taken_out(subject, patterns, &asked),
        )];
    }
    let mut checks: Vec<Check> = patterns
        .iter()
        .map(|pattern| {
            let (_, may, without) = meaning(pattern);
            let proves = format!("the bucket policy lets W&B {may}");
            let outcome = match asked.refused(pattern) {
                None => Outcome::Passed { given: asked.given() },
                Some(refused) => {
                    Outcome::failed(refused.told(subject, &document), cure(subject, &refused), without)
                }
            };
            Check::new(*pattern, &address, proves, outcome)
        })
        .collect();
    let resources = [subject.arn(), format!("{}/{}*", subject.arn(), subject.folder())];
    let needed = needed(subject, patterns, &resources);
    let about = (Guarded::Bucket, &Named::Objects);
    let by_whom = (subject.desired_policy(), needed.as_ref());
    let given = asked.given_beside_the_network();
    let whole = left_whole(subject, about, by_whom, &document, given.as_deref());
    checks.extend(whole.map(|outcome| {
        let proves =
            "W&B may do all of that for every object, whenever and as whichever of its roles it asks";
        Check::new("whole", &address, proves, after_single(&checks, outcome))
    }));
    checks
}

/// What was found for all requests, unless a single check has said already what is missing.
pub(crate) fn after_single(single: &[Check], whole: Outcome) -> Outcome {
    let failed = single.iter().any(|check| matches!(check.outcome, Outcome::Failed { .. }));
    match whole {
        Outcome::Failed { .. } if failed => Outcome::skipped("the checks above say what is missing"),
        whole => whole,
    }
}

fn meaning(pattern: &str) -> (&'static str, &'static str, &'static str) {
    const UNKNOWN: (&str, &str, &str) = ("", "work", "a part of W&B does not work");
    MEANINGS.iter().find(|(action, ..)| *action == pattern).copied().unwrap_or(UNKNOWN)
}

fn taken_out(subject: &Subject<'_>, patterns: &[&str], asked: &Asked<'_>) -> Outcome {
    let given = requesters(subject).into_iter().find_map(|(name, who)| {
        // The root user of the owner's account is W&B only by a mistake that the rules tell.
        patterns.iter().flat_map(|pattern| asked.requests(pattern)).find_map(|(action, resource)| {
            let decision = asked.ask(&who, action, &resource, None);
            let granted = decision.is_allowed() && decision.reason != Reason::OwnIdentity;
            granted.then(|| format!("{} may {action} on {resource}", words(subject, &name)))
        })
    });
    match given {
        None => Outcome::PASSED,
        Some(seen) => Outcome::failed(
            seen,
            "byob plan shows the statement, byob apply takes it out; one that byob.toml itself gives has to go there",
            "nothing: W&B goes on working, although it is meant to be out",
        ),
    }
}

/// A bucket policy as W&B's requests meet it.
struct Asked<'a> {
    subject: &'a Subject<'a>,
    /// Without what asks where a request comes from, if that is not known of W&B.
    document: Document,
    /// Where each statement stands in the policy that AWS has.
    places: Vec<usize>,
    restricts: bool,
    /// Addresses of W&B's; one `None` where they are not known.
    sources: Vec<Option<String>>,
    /// What was taken for granted: TLS, and the network.
    given: [Option<&'static str>; 2],
}

/// A request that does not go through.
struct RefusedRequest {
    principal: String,
    action: &'static str,
    resource: String,
    source: Option<String>,
    reason: Reason,
    /// The statement of the policy that AWS has, from 0.
    deciding: Option<usize>,
}

impl<'a> Asked<'a> {
    fn new(subject: &'a Subject<'a>, document: &Document) -> Self {
        let egress = &subject.wandb.egress;
        let [.., restricts] = subject.block();
        // Whether a policy is public is asked of the policy as it is.
        let restricts = restricts && is_public(document).is_public();
        let by_network = document.statements.iter().any(reach::asks_for_network);
        let (asked, places, sources) = if egress.is_empty() {
            let (asked, places) = reach::from_anywhere(document);
            (asked, places, vec![None])
        } else {
            let places = (0..document.statements.len()).collect();
            (document.clone(), places, reach::sources(egress, document).into_iter().map(Some).collect())
        };
        let keys = || document.statements.iter().flat_map(|s| s.condition.values()).flat_map(|k| k.keys());
        let tls = ["aws:SecureTransport", "s3:TlsVersion"];
        let by_tls = keys().any(|key| tls.iter().any(|known| known.eq_ignore_ascii_case(key)));
        let tls = by_tls.then_some("over TLS 1.3");
        let network = by_network.then_some(match egress.is_empty() {
            true => "from an address that it lets in (W&B's own are not known: [wandb] egress)",
            false => "from each of [wandb] egress",
        });
        Self { subject, document: asked, places, restricts, sources, given: [tls, network] }
    }

    /// What the single checks take for given.
    fn given(&self) -> Option<String> {
        let given: Vec<&str> = self.given.into_iter().flatten().collect();
        (!given.is_empty()).then(|| given.join(", "))
    }

    /// The same where every statement that asks for an unknown network is told by itself.
    fn given_beside_the_network(&self) -> Option<String> {
        let [tls, network] = self.given;
        let network = network.filter(|_| !self.subject.wandb.egress.is_empty());
        let given: Vec<&str> = [tls, network].into_iter().flatten().collect();
        (!given.is_empty()).then(|| given.join(", "))
    }

    /// The requests that stand for all of a pattern's.
    fn requests(&self, pattern: &str) -> Vec<(&'static str, String)> {
        let objects = reach::objects(&self.subject.arn(), &self.subject.folder(), &self.document);
        let mut all = Vec::new();
        for action in actions_matching(pattern) {
            for class in &action.classes {
                match class {
                    ResourceClass::Bucket => all.push((action.name, self.subject.arn())),
                    ResourceClass::Objects => {
                        all.extend(objects.iter().map(|object| (action.name, object.clone())));
                    }
                    ResourceClass::Key => {}
                }
            }
        }
        all
    }

    fn refused(&self, pattern: &str) -> Option<RefusedRequest> {
        let requests = self.requests(pattern);
        requesters(self.subject).into_iter().find_map(|(principal, who)| {
            requests.iter().find_map(|(action, resource)| {
                self.sources.iter().find_map(|source| {
                    let decision = self.ask(&who, action, resource, source.as_deref());
                    (!decision.is_allowed()).then(|| RefusedRequest {
                        principal: principal.clone(),
                        action,
                        resource: resource.clone(),
                        source: source.clone(),
                        reason: decision.reason,
                        deciding: decision
                            .deciding
                            .first()
                            .and_then(|index| self.places.get(*index))
                            .copied(),
                    })
                })
            })
        })
    }

    fn ask(&self, who: &Requester, action: &str, resource: &str, source: Option<&str>) -> Decision {
        request(self.subject, &self.document, self.restricts, (who, action, resource, source))
    }
}

/// One request of W&B's against a bucket policy, over TLS.
fn request(
    subject: &Subject<'_>,
    document: &Document,
    restricts: bool,
    (who, action, resource, source): (&Requester, &str, &str, Option<&str>),
) -> Decision {
    let one = |key: &str, value: &str| (key.to_owned(), vec![value.to_owned()]);
    let mut context = vec![
        one("aws:SecureTransport", "true"),
        one("s3:TlsVersion", "1.3"),
        one("aws:ViaAWSService", "false"),
        // W&B signs its requests, and hands out pre-signed URLs, with version 4.
        one("s3:signatureversion", "AWS4-HMAC-SHA256"),
        one("s3:authType", "REST-HEADER"),
        one("aws:RequestedRegion", subject.region()),
        one("aws:ResourceAccount", subject.account_id),
        one("s3:ResourceAccount", subject.account_id),
    ];
    context.extend(source.map(|address| one("aws:SourceIp", address)));
    let owner = subject.owner();
    let circumstances = Circumstances {
        restrict_public_buckets: restricts,
        ..Circumstances::new(
            Guarded::Bucket,
            owner.clone(),
            own_side(who, owner.as_ref(), subject.desired_policy().is_some()),
        )
    };
    evaluate(document, &Request::new(who.clone(), action, resource, context), &circumstances)
}

impl RefusedRequest {
    fn told(&self, subject: &Subject<'_>, document: &Document) -> String {
        let who = words(subject, &self.principal);
        let from = self.source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
        let named = |index| statement(document, index);
        let why = match (self.reason, self.deciding) {
            (Reason::DeniedByStatement, Some(index)) => format!("{} denies it", named(index)),
            (Reason::CutOffAsPublic, Some(index)) => format!(
                "{} is public, and restrict_public_buckets then cuts off every other account",
                named(index)
            ),
            (Reason::IdentityMissing, Some(index)) => {
                format!("{} lets its account in, and does not name it", named(index))
            }
            _ => match document.statements.iter().flat_map(principals).find(|p| is_unique_id(p)) {
                Some(id) => format!(
                    "no statement allows it; the policy names `{id}`, what AWS leaves of a deleted user or role"
                ),
                None => "no statement allows it".to_owned(),
            },
        };
        format!("{who} may not {} on {}{from}: {why}", self.action, self.resource)
    }
}

fn cure(subject: &Subject<'_>, refused: &RefusedRequest) -> String {
    let Some(desired) = subject.desired_policy() else {
        return format!(
            "the policy is not byob's to manage: have the action given there, or take \"policy\" out of `unmanaged` of [{}]",
            subject.address
        );
    };
    let back = refused.principal.parse().is_ok_and(|who: Requester| {
        request(subject, desired, false, (&who, refused.action, &refused.resource, refused.source.as_deref()))
            .is_allowed()
    });
    if back {
        "byob plan shows what was changed, byob apply puts byob's own policy back".to_owned()
    } else {
        format!(
            "byob.toml itself keeps W&B out: byob plan names the field of [{}]; correct it and apply",
            subject.address
        )
    }
}
