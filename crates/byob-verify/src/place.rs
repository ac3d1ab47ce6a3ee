//! Whether the bucket is there, is this account's, and stands where W&B will look for it.

use byob_model::live::LiveBucket;

use crate::check::{Check, Outcome};
use crate::subject::Subject;

pub(crate) fn checks(subject: &Subject<'_>) -> Vec<Check> {
    let (name, address) = (&subject.root.name, subject.address);
    let here = |outcome| {
        let proves = format!("`{name}` exists and is account {}'s", subject.account_id);
        Check::new("exists", address, proves, outcome)
    };
    let unreachable = "\"bucket not found\" or \"access denied\" when the team or instance is set up";
    match subject.live {
        LiveBucket::Absent => vec![here(Outcome::failed(
            format!("there is no bucket `{name}`"),
            "byob apply makes it; verify it then",
            unreachable,
        ))],
        LiveBucket::Forbidden { region, .. } => {
            let place = region.as_ref().map(|region| format!(", in {region}")).unwrap_or_default();
            vec![here(Outcome::failed(
                format!(
                    "`{name}` answers \"forbidden\"{place}: somebody else's, or this caller may not look at it"
                ),
                "use credentials of the account that owns it, with s3:ListBucket on it; of another account's bucket \
                 choose another name",
                unreachable,
            ))]
        }
        LiveBucket::Exists(_) => vec![here(Outcome::PASSED), region(subject)],
    }
}

fn region(subject: &Subject<'_>) -> Check {
    let (wanted, found) = (&subject.root.region, subject.region());
    let outcome = if found == wanted {
        Outcome::PASSED
    } else {
        Outcome::failed(
            format!("the bucket stands in {found}, and W&B would be told {wanted}"),
            format!(
                "write region = \"{found}\" into [{}], and hand the new storage address to W&B; a bucket never moves",
                subject.address
            ),
            "301 PermanentRedirect or AuthorizationHeaderMalformed for every file: S3 answers for a bucket in its own \
             region alone",
        )
    };
    let proves = format!("it stands in {wanted}, the region of the storage address that W&B is given");
    Check::new("region", subject.address, proves, outcome)
}
