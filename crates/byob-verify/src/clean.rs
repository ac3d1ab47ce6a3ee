//! Takes out again what a run left: by the versions and uploads that its own requests answered, then by a look at what
//! is below its folder, which nobody else writes to. What stays is told, with the line that removes it.

use std::collections::BTreeSet;

use crate::check::{Check, Outcome};
use crate::probe::{Probe, Refused};
use crate::subject::Subject;

/// What a run made, as far as it knows.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// Keys with the versions that were made; `None` where the bucket has no versions, or the answer was lost.
    pub(crate) objects: BTreeSet<(String, Option<String>)>,
    /// Keys with the ids of unfinished uploads.
    pub(crate) uploads: BTreeSet<(String, String)>,
    /// Whether an answer was lost that could have told of more.
    pub(crate) unsure: bool,
}

/// What could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// What it is: an object, a version, an upload.
    pub what: String,
    /// The line that removes it.
    pub removed_by: String,
}

impl Traces {
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.uploads.is_empty() && !self.unsure
    }

    /// A request that had no success may have had its effect.
    pub(crate) fn heard(&mut self, refused: &Refused) {
        self.unsure |= refused.unsure;
    }
}

/// Removes, looks, and removes what is found.
pub(crate) async fn clean<P: Probe>(
    subject: &Subject<'_>,
    probe: &P,
    folder: &str,
    traces: &Traces,
) -> (Check, Vec<Left>) {
    let mut left = BTreeSet::new();
    let mut why = BTreeSet::new();
    let mut removed = BTreeSet::new();
    for (key, upload) in &traces.uploads {
        abort(subject, probe, (key, upload), &mut left, &mut why).await;
    }
    for (key, version) in &traces.objects {
        delete(subject, probe, (key, version.as_deref()), &mut left, &mut why).await;
        removed.insert((key.clone(), version.clone()));
    }
    match probe.versions(folder).await {
        Ok(found) => {
            for (key, version) in found {
                let version = Some(version);
                if removed.insert((key.clone(), version.clone())) {
                    delete(subject, probe, (&key, version.as_deref()), &mut left, &mut why).await;
                }
            }
        }
        // Where versions cannot be listed, keys can; that is enough unless an answer was lost.
        Err(refused) => {
            match probe.list(folder).await {
                Ok(found) => {
                    for key in found {
                        delete(subject, probe, (&key, None), &mut left, &mut why).await;
                    }
                }
                Err(other) => {
                    why.insert(other.to_string());
                }
            }
            if traces.unsure {
                why.insert(refused.to_string());
                left.insert(below(subject, folder));
            }
        }
    }
    match probe.uploads(folder).await {
        Ok(found) => {
            for (key, upload) in found.iter().filter(|found| !traces.uploads.contains(found)) {
                abort(subject, probe, (key, upload), &mut left, &mut why).await;
            }
        }
        Err(refused) if traces.unsure => {
            why.insert(refused.to_string());
            left.insert(below(subject, folder));
        }
        Err(_) => {}
    }
    let left: Vec<Left> = left.into_iter().collect();
    let outcome = if left.is_empty() {
        Outcome::PASSED
    } else {
        let what: Vec<&str> = left.iter().map(|one| one.what.as_str()).collect();
        let lines: Vec<&str> = left.iter().map(|one| one.removed_by.as_str()).collect();
        let why: Vec<String> = why.into_iter().collect();
        Outcome::failed(
            format!("left behind: {} ({})", what.join(", "), why.join("; ")),
            lines.join("; "),
            format!("nothing: it lies below {folder}, which W&B does not look at"),
        )
    };
    let proves = "what verify itself wrote is gone again, versions, delete markers and uploads too";
    (Check::new("clean", subject.address, proves, outcome), left)
}

async fn delete<P: Probe>(
    subject: &Subject<'_>,
    probe: &P,
    (key, version): (&str, Option<&str>),
    left: &mut BTreeSet<Left>,
    why: &mut BTreeSet<String>,
) {
    // Deleting a key of a bucket with versions makes a delete marker, which is ours too.
    let (version, refused) = match (probe.delete(key, version).await, version) {
        (Ok(Some(marker)), None) => match probe.delete(key, Some(&marker)).await {
            Ok(_) => return,
            Err(refused) => (Some(marker), refused),
        },
        (Ok(_), _) => return,
        (Err(refused), version) => (version.map(str::to_owned), refused),
    };
    if refused.absent {
        return;
    }
    why.insert(refused.to_string());
    let (bucket, region) = (&subject.root.name, subject.region());
    let of = version.as_ref().map(|version| format!(" version {version}")).unwrap_or_default();
    let flag = version.map(|version| format!(" --version-id {}", quoted(&version))).unwrap_or_default();
    left.insert(Left {
        what: format!("s3://{bucket}/{key}{of}"),
        removed_by: format!(
            "aws s3api delete-object --region {region} --bucket {bucket} --key {}{flag}",
            quoted(key)
        ),
    });
}

async fn abort<P: Probe>(
    subject: &Subject<'_>,
    probe: &P,
    (key, upload): (&str, &str),
    left: &mut BTreeSet<Left>,
    why: &mut BTreeSet<String>,
) {
    let Err(refused) = probe.abort_upload(key, upload).await else { return };
    if refused.absent {
        return;
    }
    why.insert(refused.to_string());
    let (bucket, region) = (&subject.root.name, subject.region());
    left.insert(Left {
        what: format!("the unfinished upload of s3://{bucket}/{key}"),
        removed_by: format!(
            "aws s3api abort-multipart-upload --region {region} --bucket {bucket} --key {} --upload-id {}",
            quoted(key),
            quoted(upload)
        ),
    });
}

/// What cannot even be looked at.
fn below(subject: &Subject<'_>, folder: &str) -> Left {
    let (bucket, region) = (&subject.root.name, subject.region());
    Left {
        what: format!("perhaps something below s3://{bucket}/{folder}"),
        removed_by: format!(
            "aws s3api list-object-versions --region {region} --bucket {bucket} --prefix {} (and list-multipart-uploads), \
             then delete-object and abort-multipart-upload for each",
            quoted(folder)
        ),
    }
}

/// A key as a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
