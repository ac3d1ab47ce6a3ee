//! The emulator takes the bytes of a key in an address for characters of their own, so that `ü` is kept as `Ã¼`. The
//! order of keys survives that; here is the way there and back, for documents that name keys.

/// A text in the emulator's spelling.
pub(super) fn theirs(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// A text of the emulator in the right spelling; one that is not in its spelling stays as it is.
pub(super) fn ours(text: &str) -> String {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_comes_back() {
        for key in ["plain/key", "ü", "漢字 🗝", ""] {
            assert_eq!(ours(&theirs(key)), key);
        }
    }
}
