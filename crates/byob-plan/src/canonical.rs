//! Digests: SHA-256 over the RFC 8785 form of a JSON value.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and 64 hex digits.
pub(crate) fn digest(value: &Value) -> String {
    // Values made of strings, booleans, integers and string-keyed maps always have a canonical form.
    let bytes = serde_json_canonicalizer::to_vec(value).unwrap_or_default();
    let hash = Sha256::digest(&bytes);
    let mut text = String::from("sha256:");
    for byte in hash {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
