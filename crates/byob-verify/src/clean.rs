//! Takes out again what a run left: by the versions and uploads that its own requests answered, then by a look at what
//! is below its folder, which nobody else writes to. What stays is told, with the line that removes it.

use std::collections::{BTreeMap, BTreeSet};

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

/// Removes, looks, and removes what is found. What was refused and is not found is gone.
pub(crate) async fn clean<P: Probe>(
    subject: &Subject<'_>,
    probe: &P,
    folder: &str,
    traces: &Traces,
) -> (Check, Vec<Left>) {
    let mut left = Stays::default();
    for (key, upload) in &traces.uploads {
        left.abort(probe, (key, upload)).await;
    }
    for (key, version) in &traces.objects {
        left.delete(probe, (key, version.as_deref())).await;
    }
    match probe.versions(folder).await {
        Ok(found) => {
            let is_there = |key: &str, version: &Option<String>| {
                found.iter().any(|(k, v)| k == key && version.as_ref().is_none_or(|version| v == version))
            };
            left.objects.retain(|(key, version), _| is_there(key, version));
            for (key, version) in &found {
                left.objects.remove(&(key.clone(), None));
                left.delete(probe, (key, Some(version))).await;
            }
        }
        // Where versions cannot be listed, keys can; that is enough unless an answer was lost.
        Err(refused) => {
            match probe.list(folder).await {
                Ok(found) => {
                    left.objects.retain(|(key, version), _| version.is_some() || found.contains(key));
                    for key in &found {
                        left.delete(probe, (key, None)).await;
                    }
                }
                Err(other) => left.unseen.extend((!left.objects.is_empty()).then_some(other)),
            }
            left.unseen.extend(traces.unsure.then_some(refused));
        }
    }
    match probe.uploads(folder).await {
        Ok(found) => {
            left.uploads.retain(|upload, _| found.contains(upload));
            for (key, upload) in &found {
                left.abort(probe, (key, upload)).await;
            }
        }
        Err(refused) => left.unseen.extend(traces.unsure.then_some(refused)),
    }
    left.told(subject, folder)
}

/// What could not be removed, and why.
#[derive(Default)]
struct Stays {
    objects: BTreeMap<(String, Option<String>), Refused>,
    uploads: BTreeMap<(String, String), Refused>,
    /// What was asked to find more, and was refused.
    unseen: Vec<Refused>,
}

impl Stays {
    async fn delete<P: Probe>(&mut self, probe: &P, (key, version): (&str, Option<&str>)) {
        // Deleting a key of a bucket with versions makes a delete marker, which is ours too.
        let (version, answer) = match (probe.delete(key, version).await, version) {
            (Ok(Some(marker)), None) => {
                let answer = probe.delete(key, Some(&marker)).await;
                (Some(marker), answer)
            }
            (answer, version) => (version.map(str::to_owned), answer),
        };
        let what = (key.to_owned(), version);
        match answer {
            Err(refused) if !refused.absent => self.objects.insert(what, refused),
            Ok(_) | Err(_) => self.objects.remove(&what),
        };
    }

    async fn abort<P: Probe>(&mut self, probe: &P, (key, upload): (&str, &str)) {
        let what = (key.to_owned(), upload.to_owned());
        match probe.abort_upload(key, upload).await {
            Err(refused) if !refused.absent => self.uploads.insert(what, refused),
            Ok(()) | Err(_) => self.uploads.remove(&what),
        };
    }

    fn told(&self, subject: &Subject<'_>, folder: &str) -> (Check, Vec<Left>) {
        let (bucket, region) = (&subject.root.name, subject.region());
        let command = |name: &str, key: &str| {
            format!("aws s3api {name} --region {region} --bucket {bucket} --key {}", quoted(key))
        };
        let mut left = Vec::new();
        for (key, version) in self.objects.keys() {
            let of = version.as_ref().map(|version| format!(" version {version}")).unwrap_or_default();
            let flag = version
                .as_ref()
                .map(|version| format!(" --version-id {}", quoted(version)))
                .unwrap_or_default();
            left.push(Left {
                what: format!("s3://{bucket}/{key}{of}"),
                removed_by: format!("{}{flag}", command("delete-object", key)),
            });
        }
        for (key, upload) in self.uploads.keys() {
            left.push(Left {
                what: format!("the unfinished upload of s3://{bucket}/{key}"),
                removed_by: format!(
                    "{} --upload-id {}",
                    command("abort-multipart-upload", key),
                    quoted(upload)
                ),
            });
        }
        if !self.unseen.is_empty() {
            left.push(below(subject, folder));
        }
        let outcome = if left.is_empty() {
            Outcome::PASSED
        } else {
            let what: Vec<&str> = left.iter().map(|one| one.what.as_str()).collect();
            let lines: Vec<&str> = left.iter().map(|one| one.removed_by.as_str()).collect();
            let why: BTreeSet<String> = self
                .objects
                .values()
                .chain(self.uploads.values())
                .chain(&self.unseen)
                .map(ToString::to_string)
                .collect();
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
