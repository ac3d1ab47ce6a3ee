//! `ListObjectVersions`: versions and delete markers of all keys in order, in pages.

use winterbaume_s3::views::BucketStateView;

use super::{Target, spelling};
use crate::answer::{Answer, Outcome};
use crate::route::percent_encode;
use crate::xml::{S3_NAMESPACE, escape};

struct Entry<'a> {
    key: String,
    version: &'a str,
    modified: jiff::Timestamp,
    /// ETag and size; a delete marker has none.
    object: Option<(&'a str, u64)>,
    latest: bool,
}

/// All entries, by key, the newest of a key first.
fn entries(view: &BucketStateView) -> Vec<Entry<'_>> {
    let time = |text: &Option<String>| text.as_deref().and_then(|t| t.parse().ok()).unwrap_or_default();
    let mut entries = Vec::new();
    let history = view.object_history.values().flatten();
    let current = view.objects.values().filter(|object| {
        let known = view.object_history.get(&object.key);
        !known.is_some_and(|versions| versions.iter().any(|version| version.version_id == object.version_id))
    });
    for object in history.chain(current) {
        entries.push(Entry {
            key: spelling::ours(&object.key),
            version: &object.version_id,
            modified: time(&object.last_modified),
            object: Some((&object.etag, object.content_length)),
            latest: false,
        });
    }
    for marker in view.delete_markers.values().flatten() {
        entries.push(Entry {
            key: spelling::ours(&marker.key),
            version: &marker.version_id,
            modified: time(&marker.last_modified),
            object: None,
            latest: false,
        });
    }
    entries
        .sort_by(|a, b| a.key.cmp(&b.key).then(b.modified.cmp(&a.modified)).then(a.version.cmp(b.version)));
    let mut last = None;
    for entry in &mut entries {
        entry.latest = last != Some(&entry.key);
        last = Some(&entry.key);
    }
    entries
}

pub(super) fn list(view: &BucketStateView, target: &Target<'_>) -> Outcome {
    let prefix = target.parameter("prefix").unwrap_or_default();
    let delimiter = target.parameter("delimiter").filter(|delimiter| !delimiter.is_empty());
    let limit = target.parameter("max-keys").and_then(|n| n.parse().ok()).unwrap_or(1000_usize).min(1000);
    let key_marker = target.parameter("key-marker").unwrap_or_default();
    let version_marker = target.parameter("version-id-marker").unwrap_or_default();
    let encodes = target.parameter("encoding-type") == Some("url");
    let show = |text: &str| if encodes { percent_encode(text) } else { escape(text) };

    let all = entries(view);
    // A page goes on after the very entry that the markers name, or after all of that key.
    let start = match all.iter().position(|e| e.key == key_marker && e.version == version_marker) {
        Some(at) if !version_marker.is_empty() => at + 1,
        _ => all.iter().position(|e| e.key.as_str() > key_marker).unwrap_or(all.len()),
    };
    let start = if key_marker.is_empty() { 0 } else { start };
    let (mut versions, mut prefixes) = (String::new(), Vec::<String>::new());
    let (mut count, mut next) = (0, None);
    let mut last = ("", "");
    for entry in all.iter().skip(start).filter(|entry| entry.key.starts_with(prefix)) {
        let common = delimiter.and_then(|delimiter| {
            let end = entry.key.get(prefix.len()..)?.find(delimiter)? + prefix.len() + delimiter.len();
            entry.key.get(..end)
        });
        if let Some(common) = common
            && (prefixes.last().is_some_and(|known| known == common) || key_marker.starts_with(common))
        {
            last = (entry.key.as_str(), entry.version);
            continue;
        }
        if count == limit {
            next = Some(last);
            break;
        }
        count += 1;
        last = (entry.key.as_str(), entry.version);
        match common {
            Some(common) => prefixes.push(common.to_owned()),
            None => versions.push_str(&element(entry, &show)),
        }
    }
    let mut tail = String::new();
    if let Some((key, version)) = next {
        tail = format!(
            "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>",
            show(key)
        );
    }
    for common in prefixes {
        tail.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", show(&common)));
    }
    if encodes {
        tail.push_str("<EncodingType>url</EncodingType>");
    }
    Ok(Answer::xml(&format!(
        "<ListVersionsResult xmlns=\"{S3_NAMESPACE}\"><Name>{}</Name><Prefix>{}</Prefix>\
         <KeyMarker>{}</KeyMarker><VersionIdMarker>{}</VersionIdMarker><MaxKeys>{limit}</MaxKeys>\
         <IsTruncated>{}</IsTruncated>{versions}{tail}</ListVersionsResult>",
        target.bucket,
        show(prefix),
        show(key_marker),
        escape(version_marker),
        next.is_some()
    )))
}

fn element(entry: &Entry<'_>, show: &dyn Fn(&str) -> String) -> String {
    let common = format!(
        "<Key>{}</Key><VersionId>{}</VersionId><IsLatest>{}</IsLatest><LastModified>{}</LastModified>",
        show(&entry.key),
        entry.version,
        entry.latest,
        entry.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    );
    match entry.object {
        Some((etag, size)) => format!(
            "<Version>{common}<ETag>{}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Version>",
            escape(etag)
        ),
        None => format!("<DeleteMarker>{common}</DeleteMarker>"),
    }
}
