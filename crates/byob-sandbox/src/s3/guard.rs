//! What policies refuse: a request without TLS where the bucket's policy says so, and whoever has assumed a role and is let
//! in by no policy. The caller itself may do everything in its own account, as far as this crate looks.

use byob_policy::{
    Circumstances, Document, Guarded, Identity, Reason, Request as Asked, Requester, evaluate,
};

use super::Target;
use super::bucket::Bucket;
use super::operation::Operation;
use super::sub::Sub;
use crate::answer::{AwsError, Failure};
use crate::kms;
use crate::route::{Request, partition};
use crate::world::World;

/// The policy of the bucket before a request for it or its objects.
pub(super) fn check(
    world: &World,
    target: &Target<'_>,
    bucket: &Bucket,
    operation: Operation,
) -> Result<(), Failure> {
    let session = world.session(target.request);
    if session.is_none() && target.request.secure {
        return Ok(());
    }
    let caller = session.map_or_else(|| world.caller_arn(target.region), str::to_owned);
    let Ok(who) = caller.parse::<Requester>() else { return Err(denied(&caller, operation.action())) };
    let bucket_arn = format!("arn:{}:s3:::{}", partition(&bucket.region), bucket.name);
    let resource = if target.key.is_empty() { bucket_arn } else { format!("{bucket_arn}/{}", target.key) };
    let one = |key: &str, value: String| (key.to_owned(), vec![value]);
    let mut context = vec![
        one("aws:SecureTransport", target.request.secure.to_string()),
        one("aws:RequestedRegion", bucket.region.clone()),
        one("aws:ResourceAccount", bucket.owner.clone()),
    ];
    if target.request.secure {
        context.push(one("s3:TlsVersion", "1.3".to_owned()));
    }
    let policy = bucket.documents.get(&Sub::Policy).map(|document| document.body.as_str());
    let document = policy.and_then(|text| Document::parse(text).ok());
    let document = document.unwrap_or_else(|| Document::new(Vec::new()));
    let circumstances = Circumstances::new(
        Guarded::Bucket,
        bucket.owner.parse().ok(),
        own_side(&who, session.is_some(), &bucket.owner),
    );
    let decision =
        evaluate(&document, &Asked::new(who, operation.action(), resource, context), &circumstances);
    // Of the caller itself only a Deny is asked about.
    let refused = match session {
        Some(_) => !decision.is_allowed(),
        None => decision.reason == Reason::DeniedByStatement,
    };
    if refused { Err(denied(&caller, operation.action())) } else { Ok(()) }
}

/// Whether the policy of a key lets an assumed role write under it.
pub(super) fn check_key(
    world: &mut World,
    request: &Request,
    region: &str,
    reference: &str,
) -> Result<(), Failure> {
    let Some(session) = world.session(request).map(str::to_owned) else { return Ok(()) };
    let action = "kms:GenerateDataKey";
    let Ok(who) = session.parse::<Requester>() else { return Err(denied(&session, action)) };
    let (arn, policy) = kms::policy_of(world, region, reference)?;
    let Ok(document) = Document::parse(&policy) else { return Err(denied(&session, action)) };
    let owner = arn.split(':').nth(4).unwrap_or_default().to_owned();
    let service = format!("s3.{region}.amazonaws.com");
    let context = [("kms:ViaService".to_owned(), vec![service])];
    let circumstances = Circumstances::new(Guarded::Key, owner.parse().ok(), own_side(&who, true, &owner));
    let decision = evaluate(&document, &Asked::new(who, action, arn, context), &circumstances);
    if decision.is_allowed() { Ok(()) } else { Err(denied(&session, action)) }
}

/// The roles of a sandbox have no policies of their own; those of other accounts may do everything there.
fn own_side(who: &Requester, assumed: bool, owner: &str) -> Identity {
    let own = who.account().is_some_and(|account| account.as_str() == owner);
    if assumed && own { Identity::Nothing } else { Identity::Everything }
}

fn denied(caller: &str, action: &str) -> Failure {
    let message = format!("User: {caller} is not authorized to perform: {action}");
    AwsError::new(403, "AccessDenied", message).into()
}
