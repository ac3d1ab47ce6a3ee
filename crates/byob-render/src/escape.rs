//! Control and format characters (Unicode categories Cc and Cf, and the line and paragraph separators) made visible, so
//! that no text from AWS or from a file can steer a terminal or hide in a review.

use std::borrow::Cow;

use byob_plan::plan::is_hidden;

/// Whether a character is shown as an escape.
#[must_use]
pub fn is_escaped(c: char) -> bool {
    is_hidden(c)
}

/// The text with every control and format character as `\n`, `\t`, `\r` or `\u{1b}`.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| if is_escaped(c) { c.escape_default().to_string() } else { c.to_string() })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_hides_is_escaped() {
        for (text, shown) in [
            ("plain, ünd 日本", "plain, ünd 日本"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("soft\u{ad}hyphen\u{7f}", "soft\\u{ad}hyphen\\u{7f}"),
            ("c1\u{9b}31m", "c1\\u{9b}31m"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }
}
