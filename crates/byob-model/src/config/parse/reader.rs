//! Takes fields out of a spanned TOML table, one by one, and keeps account: where each stands, what is wrong with it,
//! and, in the end, which keys nobody took. Knows TOML and nothing of AWS.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::shape::Shape;
use crate::date::Date;
use crate::diagnostic::{Diagnostic, Span};

/// What reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    diagnostics: Vec<Diagnostic>,
    spans: BTreeMap<String, Span>,
}

impl Report {
    /// Notes an error.
    pub(super) fn error(
        &mut self,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic {
            message: message.into(),
            span: span.into(),
            label: label.into(),
            help: help.into(),
        });
    }

    /// Where a table or field stands, by dotted path, if it was taken.
    pub(super) fn span(&self, path: &str) -> Option<Span> {
        self.spans.get(path).copied()
    }

    /// The spans if nothing is wrong, else every error in the order of the file; those without a place come last.
    pub(super) fn finish(mut self) -> Result<BTreeMap<String, Span>, Vec<Diagnostic>> {
        if self.diagnostics.is_empty() {
            return Ok(self.spans);
        }
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span.map_or(usize::MAX, |span| span.start));
        Err(self.diagnostics)
    }
}

/// A table whose fields are being taken.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// Dotted path; empty for the file.
    pub(super) path: String,
    /// The header, or the whole inline table; `None` for the file.
    pub(super) span: Option<Span>,
    shape: &'static Shape,
    left: BTreeMap<&'t str, (Span, &'t Spanned<DeValue<'t>>)>,
}

impl<'t> Table<'t> {
    /// Begins to read a table.
    pub(super) fn new(
        path: String,
        span: Option<Span>,
        shape: &'static Shape,
        table: &'t DeTable<'t>,
    ) -> Self {
        let left = table.iter().map(|(key, value)| (&**key.get_ref(), (key.span().into(), value))).collect();
        Self { path, span, shape, left }
    }

    /// Takes a field; `None` where it is absent.
    pub(super) fn take(&mut self, report: &mut Report, name: &'static str) -> Option<Field<'t>> {
        debug_assert!(
            self.shape.fields.iter().any(|(field, _)| *field == name),
            "{} {name}",
            self.shape.title
        );
        let (key, value) = self.left.remove(name)?;
        Some(Field::new(report, &self.path, name, key, value, self.shape.what(name)))
    }

    /// Takes a field that must be there.
    pub(super) fn require(&mut self, report: &mut Report, name: &'static str) -> Option<Field<'t>> {
        let field = self.take(report, name);
        if field.is_none() {
            // `[bucket.*]` says its label here.
            let title = match self.shape.title {
                title if title.contains(".*") => format!("`[{}]`", self.path),
                title => title.to_owned(),
            };
            let message = format!("{title} has no `{name}`");
            report.error(self.span, message, format!("`{name}` is missing"), self.shape.describe(name));
        }
        field
    }

    /// Ends the reading: what is left is not known, or not in this version.
    pub(super) fn finish(self, report: &mut Report) {
        for (name, (key, _)) in self.left {
            if let Some((_, instead)) = self.shape.later.iter().find(|(later, _)| *later == name) {
                let message = format!("`{name}` is not in this version");
                report.error(key, message, "a later version of byob will take it", *instead);
                continue;
            }
            let names = self.shape.fields.iter().map(|(field, _)| *field);
            let (label, help) = match nearest(name, names.clone()) {
                Some(near) => (format!("did you mean `{near}`?"), self.shape.describe(near)),
                None => {
                    let list = names.map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
                    (
                        format!("not a field of {}", self.shape.title),
                        format!("{} takes {list}", self.shape.title),
                    )
                }
            };
            report.error(key, format!("unknown field `{name}`"), label, help);
        }
    }
}

impl Shape {
    fn describe(&self, name: &str) -> String {
        format!("`{name}` is {}", self.what(name))
    }
}

/// A value with its place and with what it should be.
#[derive(Debug, Clone)]
pub(super) struct Field<'t> {
    /// Dotted path: `bucket.vision.encryption`, `wandb.principals.0`.
    pub(super) path: String,
    /// The key as messages call it; that of the list for an element.
    pub(super) name: &'t str,
    /// Where the key stands.
    pub(super) key: Span,
    /// Where the value stands.
    pub(super) span: Span,
    /// What it should be, for help lines; may be empty.
    pub(super) what: &'static str,
    /// The value.
    pub(super) value: &'t DeValue<'t>,
}

impl<'t> Field<'t> {
    fn new(
        report: &mut Report,
        parent: &str,
        name: &'t str,
        key: Span,
        value: &'t Spanned<DeValue<'t>>,
        what: &'static str,
    ) -> Self {
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let span: Span = value.span().into();
        report.spans.insert(path.clone(), span);
        Self { path, name, key, span, what, value: value.get_ref() }
    }

    /// ``  `protect` is true or false; …``
    pub(super) fn help(&self) -> String {
        format!("`{}` is {}", self.name, self.what)
    }

    /// An error at the value.
    pub(super) fn error(
        &self,
        report: &mut Report,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        report.error(self.span, message, label, help);
    }

    /// An error that says which type the value has and which it must have.
    pub(super) fn wrong_type(&self, report: &mut Report, wanted: &str) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(
            report,
            format!("`{}` must be {wanted}, not {found}", self.name),
            format!("this is {found}"),
            self.help(),
        );
    }

    /// A string, which may be empty.
    pub(super) fn text(&self, report: &mut Report) -> Option<&'t str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => {
                self.wrong_type(report, "a string");
                None
            }
        }
    }

    /// A string with something in it.
    pub(super) fn nonempty_text(&self, report: &mut Report) -> Option<&'t str> {
        let text = self.text(report)?;
        if text.trim().is_empty() {
            self.error(report, format!("`{}` is empty", self.name), "nothing stands here", self.help());
            return None;
        }
        Some(text)
    }

    /// A boolean.
    pub(super) fn boolean(&self, report: &mut Report) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.wrong_type(report, "true or false");
                None
            }
        }
    }

    /// An integer in a range.
    pub(super) fn number(&self, report: &mut Report, range: RangeInclusive<i64>) -> Option<i64> {
        let DeValue::Integer(integer) = self.value else {
            self.wrong_type(report, "an integer");
            return None;
        };
        // An integer too large for 64 bits is outside every range.
        let number = number_of(integer).filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = (*range.start(), *range.end());
            let is_too_large =
                !integer.as_str().starts_with('-') && number_of(integer).is_none_or(|n| n > end);
            let label = if start == end {
                format!("must be {start}")
            } else if end < i64::from(i32::MAX) {
                format!("must be {} to {}", grouped(start), grouped(end))
            } else if is_too_large {
                format!("must be {} or less", grouped(end))
            } else {
                format!("must be {} or more", grouped(start))
            };
            self.error(report, format!("`{}` cannot be {integer}", self.name), label, self.help());
        }
        number
    }

    /// An integer in a range that fits 32 bits.
    pub(super) fn small_number(&self, report: &mut Report, range: RangeInclusive<u32>) -> Option<u32> {
        let end = if *range.end() == u32::MAX { i64::from(i32::MAX) } else { i64::from(*range.end()) };
        self.number(report, i64::from(*range.start())..=end).and_then(|number| u32::try_from(number).ok())
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(&self, report: &mut Report, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(report)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let label = match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "not one of the values it may have".to_owned(),
            };
            self.error(report, format!("`{}` cannot be \"{text}\"", self.name), label, self.help());
        }
        found
    }

    /// A day: a TOML date, or a string such as `2027-01-31`.
    pub(super) fn date(&self, report: &mut Report) -> Option<String> {
        let text = match self.value {
            DeValue::Datetime(datetime) => datetime.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => {
                self.wrong_type(report, "a date");
                return None;
            }
        };
        if text.parse::<Date>().is_err() {
            self.error(
                report,
                format!("`{text}` is not a date"),
                "must be a real day, as YYYY-MM-DD",
                self.help(),
            );
            return None;
        }
        Some(text)
    }

    /// The elements of a list.
    pub(super) fn list(&self, report: &mut Report) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            self.wrong_type(report, "a list");
            return None;
        };
        let element = |(index, value): (usize, &'t Spanned<DeValue<'t>>)| {
            let span: Span = value.span().into();
            let path = format!("{}.{index}", self.path);
            report.spans.insert(path.clone(), span);
            Field { path, name: self.name, key: self.key, span, what: self.what, value: value.get_ref() }
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// The elements of a list of strings in which none stands twice.
    pub(super) fn texts(&self, report: &mut Report) -> Vec<(Self, &'t str)> {
        let mut texts: Vec<(Self, &'t str)> = Vec::new();
        for element in self.list(report).unwrap_or_default() {
            let DeValue::String(text) = element.value else {
                element.wrong_type(report, "a list of strings");
                continue;
            };
            if texts.iter().any(|(_, other)| *other == &**text) {
                let message = format!("`{}` holds \"{text}\" twice", self.name);
                element.error(report, message, "stands here a second time", "take one of them out");
                continue;
            }
            texts.push((element, text));
        }
        texts
    }

    /// A table of a known shape.
    pub(super) fn table(&self, report: &mut Report, shape: &'static Shape) -> Option<Table<'t>> {
        match self.value {
            DeValue::Table(table) => Some(Table::new(self.path.clone(), Some(self.span), shape, table)),
            _ => {
                self.wrong_type(report, "a table");
                None
            }
        }
    }

    /// The entries of a table with free keys, in the order of the file; `what` each of them is.
    pub(super) fn entries(&self, report: &mut Report, what: &'static str) -> Option<Vec<Self>> {
        let DeValue::Table(table) = self.value else {
            self.wrong_type(report, "a table");
            return None;
        };
        let mut entries: Vec<Self> = table
            .iter()
            .map(|(key, value)| Field::new(report, &self.path, key.get_ref(), key.span().into(), value, what))
            .collect();
        entries.sort_by_key(|entry| entry.key.start);
        Some(entries)
    }

    /// The value as JSON; numbers that 64 bits cannot hold, floats and dates become strings.
    pub(super) fn json(&self) -> serde_json::Value {
        json(self.value)
    }
}

fn number_of(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(integer) => {
            number_of(integer).map_or_else(|| integer.to_string().into(), Into::into)
        }
        DeValue::Float(float) => float.as_str().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(datetime) => datetime.to_string().into(),
        DeValue::Array(array) => array.iter().map(|element| json(element.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}

/// Where a text stands inside a value, as a key or as a string.
pub(super) fn find_text(value: &DeValue<'_>, text: &str) -> Option<Span> {
    let within = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(found) if found == text => Some(value.span().into()),
        inner => find_text(inner, text),
    };
    match value {
        DeValue::Array(array) => array.iter().find_map(within),
        DeValue::Table(table) => table
            .get_key_value(text)
            .map(|(key, _)| key.span().into())
            .or_else(|| table.values().find_map(within)),
        _ => None,
    }
}

/// The word that is spelled most alike, if one is near enough to be meant. Case, `-` and `_` do not count.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(text);
    // Texts of any length may come in; distances of very long ones would cost time and mean nothing.
    let length = wanted.chars().count();
    if length > 64 {
        return None;
    }
    let words: Vec<&str> = words.collect();
    let by_spelling = words
        .iter()
        .map(|word| (strsim::osa_distance(&wanted, &plain(word)), *word))
        .filter(|(distance, word)| *distance <= (length.max(word.len()) / 3).max(1) && *distance < length)
        .min_by_key(|(distance, _)| *distance);
    let by_beginning = || words.iter().copied().find(|word| length >= 3 && plain(word).starts_with(&wanted));
    by_spelling.map(|(_, word)| word).or_else(by_beginning)
}

/// `2,560`
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["encryption", "cors_origins", "tags", "path"];
        for (text, word) in [
            ("encription", Some("encryption")),
            ("cors-origins", Some("cors_origins")),
            ("Tags", Some("tags")),
            ("tag", Some("tags")),
            ("cors", Some("cors_origins")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, words.into_iter()), word, "{text}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(7, "7"), (999, "999"), (2560, "2,560"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }
}
