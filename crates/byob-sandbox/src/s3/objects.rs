//! Objects: one emulator a bucket, with the bodies in files beside it. This file opens and keeps them, and mends what
//! the emulator forgets: the versions from before versioning, markers under a newer version, default retention.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use winterbaume_core::{FsVfs, MockRequest, MockService, StatefulService, default_account_id};
use winterbaume_s3::S3Service;
use winterbaume_s3::views::{BucketStateView, ObjectView, S3StateView};

use super::bucket::Bucket;
use super::encryption::Encryption;
use super::operation::Operation;
use super::uploads::Uploads;
use super::{Target, documents, locks, spelling, versions};
use crate::answer::{Answer, AwsError, Failure, Outcome};
use crate::error::SandboxError;
use crate::route::{Request, percent_encode};
use crate::store::{self, Stamp};
use crate::world::World;

/// The emulator of one bucket's objects.
pub(crate) struct ObjectStore {
    service: S3Service,
    stamp: Option<Stamp>,
    uploads: Uploads,
}

/// The emulator keeps all under one region; the strict layer has checked the real one.
const REGION: &str = "us-east-1";

fn index_path(world: &World, bucket: &str) -> Option<PathBuf> {
    world.dir.as_ref().map(|dir| dir.join("objects").join(bucket).join("index.json"))
}

/// The emulator of a bucket, read again where another process has changed its index.
async fn open<'a>(world: &'a mut World, bucket: &Bucket) -> Result<&'a mut ObjectStore, SandboxError> {
    let path = index_path(world, &bucket.name);
    let stamp = match &path {
        Some(path) => Stamp::of(path)?,
        None => None,
    };
    let known = world.objects.get(&bucket.name).is_some_and(|store| store.stamp == stamp);
    if !known {
        let (service, view) = match &path {
            Some(path) => {
                let folder = path.with_file_name("data");
                store::make_private(&folder)?;
                let vfs = FsVfs::new(&folder).map_err(|source| SandboxError::Io {
                    what: "create",
                    path: folder.clone(),
                    source,
                })?;
                (S3Service::with_vfs(Arc::new(vfs)), store::read_json::<BucketStateView>(path)?)
            }
            None => (S3Service::new(), None),
        };
        let mut view = view.unwrap_or_else(|| BucketStateView {
            name: bucket.name.clone(),
            region: REGION.to_owned(),
            creation_date: Some(bucket.created.clone()),
            ..BucketStateView::default()
        });
        view.versioning_status = documents::versioning_status(bucket).map(str::to_owned);
        restore(&service, &bucket.name, view).await?;
        let uploads =
            Uploads::open(&service, path.as_deref().and_then(std::path::Path::parent), &bucket.name).await?;
        world.objects.insert(bucket.name.clone(), ObjectStore { service, stamp, uploads });
    }
    world
        .objects
        .get_mut(&bucket.name)
        .ok_or_else(|| SandboxError::Emulator(format!("the objects of {} are lost", bucket.name)))
}

async fn restore(service: &S3Service, bucket: &str, view: BucketStateView) -> Result<(), SandboxError> {
    let view = S3StateView { buckets: std::collections::HashMap::from([(bucket.to_owned(), view)]) };
    service
        .restore(default_account_id(), REGION, view)
        .await
        .map_err(|error| SandboxError::Emulator(error.to_string()))
}

async fn view_of(service: &S3Service, bucket: &str) -> BucketStateView {
    let mut view = service.snapshot(default_account_id(), REGION).await;
    view.buckets.remove(bucket).unwrap_or_default()
}

/// Whether a bucket holds nothing: no version, no marker, no upload.
pub(super) async fn is_empty(world: &mut World, bucket: &Bucket) -> Result<bool, SandboxError> {
    if let Some(path) = index_path(world, &bucket.name) {
        if !path.exists() && !path.with_file_name("uploads.json").exists() {
            return Ok(true);
        }
    } else if !world.objects.contains_key(&bucket.name) {
        return Ok(true);
    }
    let store = open(world, bucket).await?;
    let view = view_of(&store.service, &bucket.name).await;
    Ok(view.objects.is_empty()
        && view.object_history.values().all(Vec::is_empty)
        && view.delete_markers.values().all(Vec::is_empty)
        && store.uploads.is_empty())
}

/// Tells the emulator of a bucket about its versioning, if there is one.
pub(super) async fn forward_versioning(world: &mut World, target: &Target<'_>) -> Result<(), SandboxError> {
    let Some(bucket) = world.buckets.get(&target.bucket)? else { return Ok(()) };
    if is_empty(world, &bucket).await? && !world.objects.contains_key(&bucket.name) {
        return Ok(());
    }
    let store = open(world, &bucket).await?;
    let mut view = view_of(&store.service, &bucket.name).await;
    view.versioning_status = documents::versioning_status(&bucket).map(str::to_owned);
    mend(&bucket, &mut view, None);
    restore(&store.service, &bucket.name, view).await?;
    keep(world, &bucket).await
}

/// Writes the index after a change.
async fn keep(world: &mut World, bucket: &Bucket) -> Result<(), SandboxError> {
    let Some(path) = index_path(world, &bucket.name) else { return Ok(()) };
    let Some(store) = world.objects.get_mut(&bucket.name) else { return Ok(()) };
    let view = view_of(&store.service, &bucket.name).await;
    store::write_json(&path, &view)?;
    store.stamp = Stamp::of(&path)?;
    Ok(())
}

/// Answers whatever concerns objects, and passes on what this crate does not know.
pub(super) async fn perform(
    world: &mut World,
    target: &Target<'_>,
    bucket: &Bucket,
    operation: Operation,
) -> Outcome {
    let name = operation.name();
    let mut extra = Vec::new();
    if matches!(name, "PutObject" | "CopyObject" | "CreateMultipartUpload") {
        extra = check_encryption(world, target, bucket)?;
    }
    if name == "CopyObject" {
        return copy(world, target, bucket, &extra).await;
    }
    let store = open(world, bucket).await?;
    if name == "ListObjectVersions" {
        let view = view_of(&store.service, &bucket.name).await;
        return versions::list(&view, target);
    }
    // Only a versioned bucket has what the emulator forgets, or can hold a version back.
    let versioned = documents::versioning_status(bucket).is_some();
    let before = match operation.is_mutating() && versioned {
        true => Some(view_of(&store.service, &bucket.name).await),
        false => None,
    };
    let mut request = emulator_request(target);
    if !extra.is_empty() {
        request.headers.insert(ENCRYPTED, encryption_note(&extra));
    }
    let mut held_back = String::new();
    if name == "DeleteObjects" {
        let nothing = BucketStateView::default();
        let (body, errors) = locks::hold_back(before.as_ref().unwrap_or(&nothing), target.request)?;
        request.body = spelling::theirs(&body).into();
        held_back = errors;
    }
    if let (Some(view), "DeleteObject", Some(version)) = (&before, name, target.parameter("versionId")) {
        locks::check_delete(view, target.request, &target.key, version)?;
    }
    store.uploads.translate(&mut request);
    let response = store.service.handle(request).await;
    let mut answer = Answer::from_emulator(response);
    store.uploads.translate_back(&mut answer);
    if ["List", "DeleteObjects", "Create", "Complete"].iter().any(|prefix| name.starts_with(prefix)) {
        answer.body = spelling::ours(&answer.text()).into();
    }
    if operation.is_mutating() && answer.is_success() {
        store.uploads.follow(name, target, &answer)?;
        if versioned {
            let mut view = view_of(&store.service, &bucket.name).await;
            let put = matches!(name, "PutObject" | "CompleteMultipartUpload");
            let markers = if put { before.as_ref() } else { None };
            if mend(bucket, &mut view, markers) {
                restore(&store.service, &bucket.name, view).await?;
                store.uploads.replay(&store.service).await?;
            }
        }
        keep(world, bucket).await?;
    }
    if !held_back.is_empty() {
        let text = answer.text();
        // Where nothing was deleted the emulator writes an empty element.
        let text = match text.contains("</DeleteResult>") {
            true => text.replacen("</DeleteResult>", &format!("{held_back}</DeleteResult>"), 1),
            false => format!("<DeleteResult>{held_back}</DeleteResult>"),
        };
        answer.body = text.into();
    }
    if matches!(name, "GetObject" | "HeadObject") && answer.is_success() {
        answer.headers.remove(ENCRYPTED);
        let store = open(world, bucket).await?;
        let view = view_of(&store.service, &bucket.name).await;
        extra = encryption_of(&view, target);
    }
    for (header, value) in extra {
        if answer.is_success() {
            answer = answer.with(header, &value);
        }
    }
    Ok(answer)
}

/// The request as the emulator of a bucket takes it: path style, without a signature to take a region from.
fn emulator_request(target: &Target<'_>) -> MockRequest {
    let Request { method, query, headers, .. } = target.request;
    let mut headers = headers.clone();
    headers.remove("authorization");
    let mut uri = format!("https://s3.{REGION}.amazonaws.com/{}", target.bucket);
    if !target.key.is_empty() {
        uri.push('/');
        uri.push_str(&percent_encode(&target.key));
    }
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(query);
    }
    MockRequest { method: method.clone(), uri, headers, body: target.request.unframed() }
}

/// Mends what the emulator loses in a versioned bucket; whether there was something to mend. `before` is given after
/// a put: its delete markers stay.
fn mend(bucket: &Bucket, view: &mut BucketStateView, before: Option<&BucketStateView>) -> bool {
    let mut mended = false;
    let retention = locks::default_retention(bucket);
    for (key, object) in &mut view.objects {
        if let Some((mode, until)) = &retention
            && before.is_some_and(|before| {
                before.objects.get(key).map(|o| &o.blob_version_id) != Some(&object.blob_version_id)
            })
            && object.retention_mode.is_none()
        {
            object.retention_mode = Some(mode.clone());
            object.retain_until_date = Some(until.clone());
            mended = true;
        }
        let history = view.object_history.entry(key.clone()).or_default();
        let same = |one: &ObjectView| {
            one.version_id == object.version_id && one.blob_version_id == object.blob_version_id
        };
        if let Some(first) = history.iter_mut().find(|one| same(one)) {
            if first.retention_mode != object.retention_mode {
                *first = object.clone();
            }
        } else {
            history.retain(|version| version.version_id != object.version_id);
            history.insert(0, object.clone());
            mended = true;
        }
    }
    for (key, markers) in before.map(|view| &view.delete_markers).into_iter().flatten() {
        let now = view.delete_markers.entry(key.clone()).or_default();
        if now.is_empty() && !markers.is_empty() {
            now.clone_from(markers);
            mended = true;
        }
    }
    view.delete_markers.retain(|_, markers| !markers.is_empty());
    mended
}

/// How an object is encrypted, which the emulator forgets, stands among its metadata, hidden from callers.
const ENCRYPTED: &str = "x-amz-meta-byob-sandbox-encrypted";

/// The headers that tell of it.
const ENCRYPTION_HEADERS: [&str; 3] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
];

/// The headers as one value; ARNs and algorithms are ASCII without spaces.
fn encryption_note(headers: &[(&'static str, String)]) -> HeaderValue {
    let values = ENCRYPTION_HEADERS.map(|name| {
        headers.iter().find(|(header, _)| *header == name).map_or("", |(_, value)| value.as_str())
    });
    HeaderValue::from_str(&values.join(" ")).unwrap_or(HeaderValue::from_static(""))
}

/// The headers of the object, or of its version, that was asked for.
fn encryption_of(view: &BucketStateView, target: &Target<'_>) -> Vec<(&'static str, String)> {
    let is_asked = |object: &&ObjectView| spelling::ours(&object.key) == target.key;
    let object = match target.parameter("versionId") {
        Some(version) => view
            .object_history
            .values()
            .flatten()
            .chain(view.objects.values())
            .filter(is_asked)
            .find(|object| object.version_id == version),
        None => view.objects.values().find(is_asked),
    };
    let name = ENCRYPTED.trim_start_matches("x-amz-meta-");
    let note = object.and_then(|object| object.metadata.iter().find(|(key, _)| key == name));
    let Some((_, note)) = note else { return Vec::new() };
    let all = ENCRYPTION_HEADERS.into_iter().zip(note.split(' '));
    all.filter(|(_, value)| !value.is_empty()).map(|(header, value)| (header, value.to_owned())).collect()
}

/// What the bucket's default encryption, or the request's own, means for a put: the headers of the answer.
fn check_encryption(
    world: &mut World,
    target: &Target<'_>,
    bucket: &Bucket,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let default = Encryption::of(bucket);
    let request = target.request;
    if request.headers.contains_key("x-amz-server-side-encryption-customer-algorithm") {
        if default.blocked.iter().any(|kind| kind == "SSE-C") {
            return Err(AwsError::access_denied().into());
        }
        return Ok(Vec::new());
    }
    let algorithm = request.header("x-amz-server-side-encryption").unwrap_or(&default.algorithm).to_owned();
    let key = match request.header("x-amz-server-side-encryption-aws-kms-key-id") {
        Some(key) => Some(key.to_owned()),
        None if algorithm == default.algorithm => default.key,
        None => None,
    };
    let own = request.header("x-amz-server-side-encryption-bucket-key-enabled").map(|own| own == "true");
    let bucket_key = own.unwrap_or(algorithm == default.algorithm && default.bucket_key);
    let mut headers = vec![("x-amz-server-side-encryption", algorithm.clone())];
    if algorithm.starts_with("aws:kms")
        && let Some(key) = key
    {
        crate::kms::check_use(world, &bucket.region, &key)?;
        super::guard::check_key(world, request, &bucket.region, &key)?;
        headers.push(("x-amz-server-side-encryption-aws-kms-key-id", key));
        if algorithm == "aws:kms" && bucket_key {
            headers.push(("x-amz-server-side-encryption-bucket-key-enabled", "true".to_owned()));
        }
    }
    Ok(headers)
}

/// A copy, also from another bucket: read there, written here.
async fn copy(
    world: &mut World,
    target: &Target<'_>,
    bucket: &Bucket,
    encryption: &[(&'static str, String)],
) -> Outcome {
    let source = target.request.header("x-amz-copy-source").unwrap_or_default();
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let (from, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(|| AwsError::new(400, "InvalidArgument", "Invalid copy source object key"))?;
    let record = world.buckets.get(from)?.ok_or_else(|| super::no_such_bucket(from))?;
    if record.owner != world.account {
        return Err(AwsError::access_denied().into());
    }
    let store = open(world, &record).await?;
    let uri = format!("https://s3.{REGION}.amazonaws.com/{from}/{key}");
    let uri = if query.is_empty() { uri } else { format!("{uri}?{query}") };
    let request = MockRequest {
        method: "GET".to_owned(),
        uri,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let read = Answer::from_emulator(store.service.handle(request).await);
    if !read.is_success() {
        return Ok(read);
    }
    let mut request = emulator_request(target);
    request.headers.remove("x-amz-copy-source");
    request.headers.remove("content-type");
    let replaces = target.request.header("x-amz-metadata-directive") == Some("REPLACE");
    for (name, value) in &read.headers {
        let kept = name == "content-type" || name.as_str().starts_with("x-amz-meta-");
        if kept && !replaces {
            request.headers.insert(name.clone(), value.clone());
        }
    }
    request.headers.insert(ENCRYPTED, encryption_note(encryption));
    request.body = read.body.clone();
    let store = open(world, bucket).await?;
    let put = Answer::from_emulator(store.service.handle(request).await);
    if !put.is_success() {
        return Ok(put);
    }
    if documents::versioning_status(bucket).is_some() {
        let mut view = view_of(&store.service, &bucket.name).await;
        if mend(bucket, &mut view, None) {
            restore(&store.service, &bucket.name, view).await?;
        }
    }
    keep(world, bucket).await?;
    let etag = put.headers.get("etag").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(Answer::xml(&format!(
        "<CopyObjectResult><ETag>{}</ETag><LastModified>{}</LastModified></CopyObjectResult>",
        crate::xml::escape(etag),
        jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    )))
}
