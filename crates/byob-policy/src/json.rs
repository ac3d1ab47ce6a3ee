//! A small strict JSON reader that knows where each value stands and sees duplicate keys, which `serde_json` does not.
//! It reads any JSON; what a policy is, is not its business.
//!
//! One pass, no backtracking; nesting is limited, so neither time nor stack can be made to explode.

use std::collections::BTreeSet;

use crate::error::{Fault, Problem};

/// How deep values may be nested. A policy needs 7.
const DEPTH: usize = 32;

/// A value and the byte at which it starts (0 where there is no text).
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) value: Json,
}

/// A JSON value. Numbers are kept as they were written.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of an object with its value; keys are unique within an object.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) at: usize,
    pub(crate) key: String,
    pub(crate) value: Node,
}

impl Json {
    /// What the value is, for a message: "a string", "an array", ….
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Table(_) => "an object",
        }
    }
}

/// Reads exactly one JSON value.
pub(crate) fn read(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(node),
        Some(found) => Err(Fault::new(reader.at, Problem::TrailingText { found })),
    }
}

/// The same tree from a value that was read elsewhere.
pub(crate) fn from_value(value: &serde_json::Value) -> Result<Node, Fault> {
    convert(value, 0)
}

fn convert(value: &serde_json::Value, depth: usize) -> Result<Node, Fault> {
    use serde_json::Value;
    let value = match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => Json::Number(number.to_string()),
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH => {
            return Err(Fault::new(0, Problem::TooDeep { limit: DEPTH }));
        }
        Value::Array(items) => {
            Json::List(items.iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => Json::Table(
            entries
                .iter()
                .map(|(key, value)| Ok(Entry { at: 0, key: key.clone(), value: convert(value, depth + 1)? }))
                .collect::<Result<_, Fault>>()?,
        ),
    };
    Ok(Node { at: 0, value })
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte; always on a character boundary.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn unexpected(&self, expected: &'static str) -> Fault {
        let problem = match self.peek() {
            Some(found) => Problem::UnexpectedCharacter { found, expected },
            None => Problem::UnexpectedEnd { expected },
        };
        Fault::new(self.at, problem)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        self.skip_space();
        let at = self.at;
        let value = match self.peek() {
            Some('{' | '[') if depth >= DEPTH => {
                return Err(Fault::new(at, Problem::TooDeep { limit: DEPTH }));
            }
            Some('{') => self.table(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Json::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('a'..='z') => self.word()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { at, value })
    }

    fn word(&mut self) -> Result<Json, Fault> {
        for (word, value) in [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)]
        {
            if let Some(after) = self.rest().strip_prefix(word)
                && !after.starts_with(|next: char| next.is_alphanumeric() || next == '_')
            {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn number(&mut self) -> Result<Json, Fault> {
        let rest = self.rest();
        let end = rest
            .find(|next: char| !(next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let found = rest.get(..end).unwrap_or_default();
        if !is_number(found) {
            return Err(Fault::new(self.at, Problem::BadNumber { found: found.chars().take(40).collect() }));
        }
        self.at += end;
        Ok(Json::Number(found.to_owned()))
    }

    fn list(&mut self, depth: usize) -> Result<Json, Fault> {
        self.next();
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.next();
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.closes(']', "a comma or `]`")? {
                return Ok(Json::List(items));
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Json, Fault> {
        self.next();
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        self.skip_space();
        if self.peek() == Some('}') {
            self.next();
            return Ok(Json::Table(entries));
        }
        loop {
            self.skip_space();
            let at = self.at;
            if self.peek() != Some('"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            if !seen.insert(key.clone()) {
                return Err(Fault::new(at, Problem::DuplicateKey { key }));
            }
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.unexpected("a colon"));
            }
            self.next();
            let value = self.value(depth + 1)?;
            entries.push(Entry { at, key, value });
            if self.closes('}', "a comma or `}`")? {
                return Ok(Json::Table(entries));
            }
        }
    }

    /// After an item: whether the closing bracket follows; a comma and one more item otherwise.
    fn closes(&mut self, close: char, expected: &'static str) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            Some(found) if found == close => {
                self.next();
                Ok(true)
            }
            Some(',') => {
                let comma = self.at;
                self.next();
                self.skip_space();
                if self.peek() == Some(close) {
                    return Err(Fault::new(comma, Problem::TrailingComma { close }));
                }
                Ok(false)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        const EXPECTED: &str = "the closing double quote";
        self.next();
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain =
                rest.find(|next: char| next == '"' || next == '\\' || next < ' ').unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            let at = self.at;
            match self.next() {
                Some('"') => return Ok(out),
                Some('\\') => out.push(self.escape(at)?),
                Some(found) => return Err(Fault::new(at, Problem::ControlCharacter { found })),
                None => return Err(self.unexpected(EXPECTED)),
            }
        }
    }

    /// The character that an escape stands for; the backslash at `at` is already behind.
    fn escape(&mut self, at: usize) -> Result<char, Fault> {
        let Some(letter) = self.next() else { return Err(self.unexpected("an escape")) };
        let bad = |found: String| Fault::new(at, Problem::BadEscape { found });
        Ok(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hex().ok_or_else(|| bad(self.seen(at)))?;
                let code = match first {
                    0xD800..=0xDBFF => {
                        let second = if self.rest().starts_with("\\u") {
                            self.at += 2;
                            self.hex()
                        } else {
                            None
                        };
                        match second {
                            Some(low @ 0xDC00..=0xDFFF) => {
                                0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)
                            }
                            _ => return Err(bad(self.seen(at))),
                        }
                    }
                    other => other,
                };
                // A low surrogate alone is the only code here that is no character.
                char::from_u32(code).ok_or_else(|| bad(self.seen(at)))?
            }
            other => return Err(bad(other.to_string())),
        })
    }

    /// What was read of an escape so far, without its backslash.
    fn seen(&self, at: usize) -> String {
        self.text.get(at + 1..self.at).unwrap_or_default().to_owned()
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// Whether a text is a number in JSON's grammar (RFC 8259, section 6).
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|part| digits(part.strip_prefix(['+', '-']).unwrap_or(part)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(node: &Node) -> serde_json::Value {
        use serde_json::Value;
        match &node.value {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => serde_json::from_str(number).expect("a number"),
            Json::Text(text) => Value::String(text.clone()),
            Json::List(items) => items.iter().map(plain).collect(),
            Json::Table(entries) => entries.iter().map(|e| (e.key.clone(), plain(&e.value))).collect(),
        }
    }

    #[test]
    fn what_json_allows_is_read() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            "[1, -0, 0.5, 1e3, 1E-3, 12.5e+2]",
            r#"{"a": {"b": [true, false, null]}, "A": 1}"#,
            r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#,
            "\t{\r\n\"k\" : \"é\u{7f}\" }",
        ] {
            let node = read(text).expect(text);
            assert_eq!(plain(&node), serde_json::from_str::<serde_json::Value>(text).expect(text), "{text}");
        }
    }

    #[test]
    fn what_json_forbids_is_an_error_at_its_place() {
        for (text, at) in [
            ("", 0),
            ("  ", 2),
            ("[1,]", 2),
            ("{\"a\":1,}", 6),
            ("{\"a\":1 \"b\":2}", 7),
            ("{a:1}", 1),
            ("[1] x", 4),
            ("01", 0),
            ("1.", 0),
            ("-", 0),
            ("1e", 0),
            (".5", 0),
            ("+1", 0),
            ("0x10", 0),
            ("tru", 0),
            ("truee", 0),
            ("\"abc", 4),
            ("\"a\nb\"", 2),
            ("\"\\x\"", 1),
            ("\"\\u12g4\"", 1),
            ("\"\\ud800\"", 1),
            ("\"\\ud800\\u0041\"", 1),
            ("\"\\udc00\"", 1),
            ("\"\\u00é\"", 1),
            ("{\"a\":1,\"a\":2}", 7),
            ("{\"a\":1,\"\\u0061\":2}", 7),
            ("// no", 0),
            ("\u{feff}{}", 0),
            ("\u{a0}{}", 0),
        ] {
            let fault = read(text).expect_err(text);
            assert_eq!(fault.at, at, "{text:?}: {:?}", fault.problem);
        }
    }

    #[test]
    fn nesting_is_limited() {
        assert!(read(&format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH))).is_ok());
        for open in ["[", "{\"a\":"] {
            let fault = read(&open.repeat(100_000)).expect_err("too deep");
            assert_eq!(fault.problem, Problem::TooDeep { limit: DEPTH });
        }
        let mut value = serde_json::json!(1);
        for _ in 0..=DEPTH {
            value = serde_json::json!([value]);
        }
        assert_eq!(from_value(&value).expect_err("too deep").problem, Problem::TooDeep { limit: DEPTH });
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_or_refused_just_as_serde_json_does(text in r#"[\[\]{},:"\\ \n0-9eE.+\-a-fu\x00-\x1fé😀]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match read(&text) {
                Ok(node) => {
                    // A number out of range is theirs to refuse, not ours: here a number is text.
                    if let Ok(value) = theirs {
                        prop_assert_eq!(plain(&node), value);
                    }
                }
                Err(fault) => {
                    prop_assert!(text.is_char_boundary(fault.at));
                    let duplicate = matches!(fault.problem, Problem::DuplicateKey { .. });
                    prop_assert!(duplicate || theirs.is_err(), "{:?}", fault.problem);
                }
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
