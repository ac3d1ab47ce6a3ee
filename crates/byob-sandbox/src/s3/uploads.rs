//! Unfinished multipart uploads. The emulator's views leave them out, so they are kept beside the index as they were
//! sent, and replayed into a fresh emulator; its new ids are translated, so that a caller's ids stay good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use winterbaume_core::{MockRequest, MockService};
use winterbaume_s3::S3Service;

use super::Target;
use crate::answer::Answer;
use crate::error::SandboxError;
use crate::route::percent_encode;
use crate::store;
use crate::xml::Element;

/// One unfinished upload, as it was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Upload {
    bucket: String,
    key: String,
    headers: BTreeMap<String, String>,
    /// Part numbers; their bodies are files of their own, or here where there is no folder.
    parts: BTreeMap<u32, Vec<u8>>,
    /// Its id in the emulator of this process.
    #[serde(skip)]
    inner: String,
}

/// The unfinished uploads of one bucket, by the id that callers know.
pub(super) struct Uploads {
    dir: Option<PathBuf>,
    open: BTreeMap<String, Upload>,
}

impl Uploads {
    /// Reads what is kept in `dir` and replays it.
    pub(super) async fn open(
        service: &S3Service,
        dir: Option<&Path>,
        _bucket: &str,
    ) -> Result<Self, SandboxError> {
        let mut uploads = Self { dir: dir.map(Path::to_owned), open: BTreeMap::new() };
        if let Some(dir) = dir {
            uploads.open = store::read_json(&dir.join("uploads.json"))?.unwrap_or_default();
            for (id, upload) in &mut uploads.open {
                for (number, body) in &mut upload.parts {
                    let path = part_path(dir, id, *number);
                    *body = std::fs::read(&path).map_err(|source| SandboxError::Io {
                        what: "read",
                        path: path.clone(),
                        source,
                    })?;
                }
            }
        }
        uploads.replay(service).await?;
        Ok(uploads)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Begins every upload anew in an emulator that knows none.
    pub(super) async fn replay(&mut self, service: &S3Service) -> Result<(), SandboxError> {
        for upload in self.open.values_mut() {
            let answer = ask(service, "POST", upload, "uploads", Bytes::new()).await;
            upload.inner = upload_id(&answer)
                .ok_or_else(|| SandboxError::Emulator("an upload could not be begun again".to_owned()))?;
            for (number, body) in &upload.parts {
                let query = format!("partNumber={number}&uploadId={}", upload.inner);
                ask(service, "PUT", upload, &query, body.clone().into()).await;
            }
        }
        Ok(())
    }

    /// Puts the emulator's id in the place of the caller's.
    pub(super) fn translate(&self, request: &mut MockRequest) {
        for (id, upload) in &self.open {
            request.uri = request.uri.replace(id, &upload.inner);
        }
    }

    /// Puts the caller's id in the place of the emulator's.
    pub(super) fn translate_back(&self, answer: &mut Answer) {
        let is_xml = answer.body.starts_with(b"<?xml") || answer.body.starts_with(b"<");
        if self.open.is_empty() || !is_xml || answer.headers.contains_key("etag") {
            return;
        }
        let mut text = answer.text();
        for (id, upload) in &self.open {
            text = text.replace(&upload.inner, id);
        }
        answer.body = text.into();
    }

    /// Notes what a successful call has done to an upload.
    pub(super) fn follow(
        &mut self,
        operation: &str,
        target: &Target<'_>,
        answer: &Answer,
    ) -> Result<(), SandboxError> {
        let id = target.parameter("uploadId").unwrap_or_default();
        match operation {
            "CreateMultipartUpload" => {
                let Some(inner) = upload_id(answer) else { return Ok(()) };
                let kept = |name: &str| name == "content-type" || name.starts_with("x-amz-meta-");
                let headers = target
                    .request
                    .headers
                    .iter()
                    .filter(|(name, _)| kept(name.as_str()))
                    .filter_map(|(name, value)| {
                        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                    })
                    .collect();
                let (bucket, key) = (target.bucket.clone(), target.key.clone());
                let upload = Upload { bucket, key, headers, parts: BTreeMap::new(), inner: inner.clone() };
                self.open.insert(inner, upload);
            }
            "UploadPart" => {
                let number = target.parameter("partNumber").and_then(|n| n.parse().ok()).unwrap_or(0);
                let body = target.request.unframed().to_vec();
                if let Some(dir) = &self.dir {
                    store::write_file(&part_path(dir, id, number), &body)?;
                }
                if let Some(upload) = self.open.get_mut(id) {
                    upload.parts.insert(number, body);
                }
            }
            "AbortMultipartUpload" | "CompleteMultipartUpload" => {
                if let (Some(upload), Some(dir)) = (self.open.remove(id), &self.dir) {
                    self.keep()?;
                    for number in upload.parts.keys() {
                        store::remove_file(&part_path(dir, id, *number))?;
                    }
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        self.keep()
    }

    fn keep(&self) -> Result<(), SandboxError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join("uploads.json");
        if self.open.is_empty() {
            return store::remove_file(&path);
        }
        let mut without_bodies = self.open.clone();
        for upload in without_bodies.values_mut() {
            upload.parts.values_mut().for_each(Vec::clear);
        }
        store::write_json(&path, &without_bodies)
    }
}

fn part_path(dir: &Path, id: &str, number: u32) -> PathBuf {
    dir.join("parts").join(format!("{}.{number}", percent_encode(id).replace('/', "%2F")))
}

fn upload_id(answer: &Answer) -> Option<String> {
    Element::parse(&answer.body)?.value("UploadId").map(str::to_owned)
}

async fn ask(service: &S3Service, method: &str, upload: &Upload, query: &str, body: Bytes) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in &upload.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.insert(name, value);
        }
    }
    let uri = format!(
        "https://s3.us-east-1.amazonaws.com/{}/{}?{query}",
        upload.bucket,
        percent_encode(&upload.key)
    );
    let request = MockRequest { method: method.to_owned(), uri, headers, body };
    Answer::from_emulator(service.handle(request).await)
}
