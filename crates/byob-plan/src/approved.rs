//! A plan file, as `byob plan --out` wrote it and anybody may have changed it since: what of it counts (its digest and
//! its mode), and how it differs from what would happen now. Nothing else in it is believed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plan::{FORMAT_VERSION, Mode, Plan};

/// A plan that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// `sha256:` and 64 hex digits. Whether it is that of the file's own content nobody asks: the plan that is made anew
    /// has to have it.
    pub digest: String,
    /// The flags that it was made with.
    pub mode: Mode,
    value: Value,
}

/// Why a text is no plan, said of its file: `plan.json is no plan`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPlan {
    /// It is not JSON, or lacks what every plan has.
    #[error("is no plan")]
    Other,
    /// It has another format.
    #[error("has plan format {0}; this byob knows {FORMAT_VERSION}")]
    Format(String),
    /// Its digest is none.
    #[error("has a digest that is none")]
    Digest,
}

/// Whether a text is a digest, whole.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Approved {
    /// Reads a plan file.
    ///
    /// # Errors
    /// [`NotAPlan`].
    pub fn read(text: &str) -> Result<Self, NotAPlan> {
        let value: Value = serde_json::from_str(text).map_err(|_| NotAPlan::Other)?;
        let text_of = |member: &str| value.get(member).and_then(Value::as_str).ok_or(NotAPlan::Other);
        let version = text_of("format_version")?;
        if version != FORMAT_VERSION {
            return Err(NotAPlan::Format(version.to_owned()));
        }
        let digest = text_of("digest")?.to_owned();
        let mode = value.get("mode").cloned().ok_or(NotAPlan::Other)?;
        let mode: Mode = serde_json::from_value(mode).map_err(|_| NotAPlan::Other)?;
        if mode.refresh_only && (mode.destroy || !mode.recreate.is_empty()) {
            return Err(NotAPlan::Other);
        }
        if !is_digest(&digest) {
            return Err(NotAPlan::Digest);
        }
        Ok(Self { digest, mode, value })
    }

    /// What a plan is and this one was not, and the other way round, one line each.
    #[must_use]
    pub fn differences(&self, now: &Plan) -> Vec<String> {
        let now = serde_json::to_value(now).unwrap_or_default();
        let steps = |plan: &Value| -> BTreeMap<String, Value> {
            let steps = plan["steps"].as_array().into_iter().flatten();
            let what = |step: &Value| {
                json!([step["action"], step["changes"], step["from"], step["identity"], step["puts"]])
            };
            steps.filter_map(|step| Some((step["id"].as_str()?.to_owned(), what(step)))).collect()
        };
        let (was, is) = (steps(&self.value), steps(&now));
        let mut lines = Vec::new();
        for (id, what) in &is {
            match was.get(id) {
                Some(known) if known == what => {}
                Some(_) => lines.push(format!("approved, but otherwise: {id}")),
                None => lines.push(format!("not approved: {id}")),
            }
        }
        let gone = was.keys().filter(|id| !is.contains_key(*id));
        lines.extend(gone.map(|id| format!("approved, and gone: {id}")));
        lines.extend(drift_differences(&self.value["drift"], &now["drift"]));
        for (member, line) in [
            ("config_digest", "the configuration is another one"),
            ("findings", "the findings are others"),
            ("mode", "the flags are others"),
            ("endpoint", "it is another endpoint"),
            ("accounts", "it is another account"),
        ] {
            if self.value[member] != now[member] {
                lines.push(line.to_owned());
            }
        }
        lines
    }
}

/// Which drift came since a plan was approved, and which went.
fn drift_differences(was: &Value, is: &Value) -> Vec<String> {
    let entries = |drift: &Value| -> BTreeMap<String, Value> {
        let entries = drift.as_array().into_iter().flatten();
        entries.filter_map(|one| Some((one["address"].as_str()?.to_owned(), one.clone()))).collect()
    };
    let (was, is) = (entries(was), entries(is));
    let now = is.iter().filter_map(|(address, entry)| match was.get(address) {
        Some(known) if known == entry => None,
        Some(_) => Some(format!("changed outside byob, and otherwise than it was approved: {address}")),
        None => Some(format!("changed outside byob since: {address}")),
    });
    let gone = was.keys().filter(|address| !is.contains_key(*address));
    now.chain(gone.map(|address| format!("not changed outside byob any more: {address}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn file(version: &str, digest: &str, mode: &Value) -> String {
        json!({"format_version": version, "digest": digest, "mode": mode, "steps": []}).to_string()
    }

    #[test]
    fn digest_and_mode_are_what_counts() {
        let mode = json!({"target": ["bucket.a"], "recreate": [], "destroy": true, "refresh_only": false});
        let approved = Approved::read(&file(FORMAT_VERSION, DIGEST, &mode)).unwrap();
        assert_eq!(approved.digest, DIGEST);
        assert!(approved.mode.destroy && approved.mode.target.contains("bucket.a"));
    }

    #[test]
    fn what_is_no_plan_is_said() {
        let mode = json!({"target": [], "recreate": [], "destroy": false, "refresh_only": false});
        let read = |text: &str| Approved::read(text).unwrap_err();
        assert_eq!(read("{}"), NotAPlan::Other);
        assert_eq!(read("null"), NotAPlan::Other);
        assert_eq!(read(&file("9.0", DIGEST, &mode)), NotAPlan::Format("9.0".to_owned()));
        assert_eq!(read(&file(FORMAT_VERSION, &DIGEST[..70], &mode)), NotAPlan::Digest);
        assert_eq!(read(&file(FORMAT_VERSION, DIGEST, &json!({"force": true}))), NotAPlan::Other);
    }
}
