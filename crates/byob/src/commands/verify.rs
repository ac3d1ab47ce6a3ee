//! `byob verify`: proves that the storage works for W&B and for nobody else. Writes nothing but a few objects below a
//! folder of its own, which it removes again; takes no lock.

use std::process::ExitCode;

use byob_apply::{Cloud, CloudError};
use byob_aws::{AwsCloud, S3Probe};
use byob_model::address::RootKind;
use byob_model::live::Live;
use byob_plan::Mode;
use byob_render::Verified;
use byob_state::Store;
use byob_verify::{BucketChecks, Left, Outcome, Subject, judge, prove, subjects};
use futures_util::StreamExt as _;
use uuid::Uuid;

use crate::cli::{Global, VerifyArgs, VerifyFormat};
use crate::contact;
use crate::failure::Failure;
use crate::planning::{header, resolve};
use crate::session::{self, Session};
use crate::stop::Stop;
use crate::terminal;

/// What came of one bucket.
struct Proof {
    bucket: BucketChecks,
    interrupted: bool,
    left: Vec<Left>,
}

/// How many buckets are proved side by side.
const SIDE_BY_SIDE: usize = 8;

pub(crate) async fn run(global: &Global, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let session = session::open(global).await?;
    let record = session.store.load().await?;
    // Names that were made from a prefix are kept in the record; without one they follow from the configuration.
    let recorded = record.recorded.clone().unwrap_or_default();
    let desired = resolve(&session, &recorded)?;
    if !desired.roots.keys().any(|root| root.kind == RootKind::Bucket) {
        return Err(Failure::said(
            format!("there is no bucket in {}, so nothing is proved", session.loaded.file),
            "verify is about buckets and the keys that they are on",
        ));
    }
    let mut live = session.cloud.read(&byob_verify::buckets(&desired)).await?;
    contact::refuse_unread(&live)?;
    // A key that may not be looked at is told by its check.
    let Live { keys, .. } = session.cloud.read(&byob_verify::keys(&desired, &live, &recorded)).await?;
    live.keys.extend(keys);
    let role = match &args.role {
        Some(arn) => Some(assume(&session, arn).await?),
        None => None,
    };
    let stop = Stop::listen_and_say(
        "stopped at once; what verify wrote may still lie below .byob-verify/ of each bucket",
    );
    let subjects = subjects(&desired, &live, &recorded);
    let proofs =
        subjects.iter().map(|subject| proof(&session, subject, role.as_ref(), args.role.as_deref(), &stop));
    let proofs: Vec<Proof> = futures_util::stream::iter(proofs).buffered(SIDE_BY_SIDE).collect().await;
    let interrupted = proofs.iter().any(|proof| proof.interrupted);
    let left: Vec<Left> = proofs.iter().flat_map(|proof| proof.left.clone()).collect();
    let buckets: Vec<BucketChecks> = proofs.into_iter().map(|proof| proof.bucket).collect();

    let verified = Verified { buckets: &buckets, role: args.role.as_deref(), interrupted };
    let header = header(&session, &record, &Mode::default(), &live, None);
    match args.format {
        VerifyFormat::Json => {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let version = env!("CARGO_PKG_VERSION");
            terminal::print_json(&byob_render::checks_to_value(&verified, &header, version, &now));
        }
        VerifyFormat::Junit => terminal::print(&byob_render::verified_junit(&verified)),
        VerifyFormat::Text => {
            terminal::print(&byob_render::checks_text(&verified, &header, &terminal::style(global)));
        }
    }
    if interrupted {
        return Err(stopped(&left));
    }
    let failed = |bucket: &BucketChecks| {
        bucket.checks.iter().any(|check| matches!(check.outcome, Outcome::Failed { .. }))
    };
    Ok(if buckets.iter().any(failed) { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// How a run ends that somebody stopped: with what was written removed, or with what is left.
fn stopped(left: &[Left]) -> Failure {
    let message = if left.is_empty() {
        "interrupted; what verify had written is removed again"
    } else {
        "interrupted, and not everything that verify had written could be removed"
    };
    Failure::Said {
        message: message.to_owned(),
        details: left.iter().map(|one| format!("{}; it goes by: {}", one.what, one.removed_by)).collect(),
        help: vec!["the same command makes all checks".to_owned()],
        paste: String::new(),
        code: 1,
    }
}

/// The connection as the role; says so at once where it cannot be assumed.
async fn assume(session: &Session, role: &str) -> Result<AwsCloud, Failure> {
    let refused = |error: CloudError| Failure::Said {
        message: format!("cannot act as {role}"),
        details: vec![error.to_string()],
        help: vec![format!(
            "its trust policy has to name {}, and that has to be allowed sts:AssumeRole on it",
            session.caller.arn
        )],
        paste: String::new(),
        code: 1,
    };
    session.cloud.assuming(role).await.map_err(refused)
}

async fn proof(
    session: &Session,
    subject: &Subject<'_>,
    role: Option<&AwsCloud>,
    name: Option<&str>,
    stop: &Stop,
) -> Proof {
    let mut checks = judge(subject);
    let (mut interrupted, mut left) = (false, Vec::new());
    if subject.facts().is_some() {
        let probe = |cloud| S3Probe::new(cloud, &subject.root.name, subject.region(), subject.account_id);
        let (keeper, actor) = (probe(&session.cloud), probe(role.unwrap_or(&session.cloud)));
        let run = Uuid::new_v4().to_string();
        let proved = Box::pin(prove(subject, (&actor, name), &keeper, &run, &|| stop.asked())).await;
        checks.extend(proved.checks);
        (interrupted, left) = (proved.interrupted, proved.left);
    }
    let bucket = BucketChecks {
        address: subject.address.to_string(),
        name: subject.root.name.clone(),
        region: subject.root.region.clone(),
        checks,
    };
    Proof { bucket, interrupted, left }
}
