//! What the condition operators do to the values of a request, and how policy variables are filled in. One condition at
//! a time: who asks and what the statement then means is not known here.
//!
//! Source: IAM user guide, "Condition operators", "Multivalued context keys", "Policy variables".

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::canonical::folded_key;
use crate::document::Version;
use crate::operator::{Comparison, Operator, Quantifier};
use crate::pattern::{Class, Pattern, Token, glob};
use crate::request::Request;

/// A value of a policy, ready to be compared.
pub(crate) enum Value<'a> {
    /// Without variables: as it stands.
    Plain(&'a str),
    /// With its variables filled in: the text, and the pattern in which what was filled in stands for itself.
    Filled { text: String, pattern: Pattern },
}

impl Value<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Filled { text, .. } => text,
        }
    }

    /// Whether the whole text matches the value as a pattern.
    pub(crate) fn like(&self, text: &str) -> bool {
        match self {
            Self::Plain(pattern) => glob(pattern, text, false),
            Self::Filled { pattern, .. } => pattern.matches(text),
        }
    }
}

/// Whether a value has variables in this version of the language.
pub(crate) fn has_variable(value: &str, version: Version) -> bool {
    version == Version::V2012 && value.contains("${")
}

/// The value with its variables filled in from the request; `None` where the request has nothing, or several values,
/// for one of them: such a value equals nothing.
pub(crate) fn filled<'a>(value: &'a str, version: Version, request: &Request) -> Option<Value<'a>> {
    if !has_variable(value, version) {
        return Some(Value::Plain(value));
    }
    let mut text = String::new();
    let mut tokens = Vec::new();
    for piece in pieces(value) {
        let fixed = match piece {
            Piece::Text(plain) => {
                text.push_str(plain);
                tokens.extend(Pattern::new(plain).tokens);
                continue;
            }
            Piece::Escape(c) => Cow::Owned(c.to_string()),
            Piece::Variable { key, default } => match (request.values(&folded_key(key)), default) {
                (Some([one]), _) => Cow::Borrowed(one.as_str()),
                (None, Some(default)) => Cow::Borrowed(default),
                _ => return None,
            },
        };
        text.push_str(&fixed);
        tokens.extend(Pattern::literal(&fixed).tokens);
    }
    Some(Value::Filled { text, pattern: Pattern { tokens } })
}

/// The pattern that takes whatever the value's variables may be filled with; `like`: `*` and `?` are wildcards in it.
pub(crate) fn widest(value: &str, version: Version, like: bool) -> Pattern {
    let plain = |text: &str| if like { Pattern::new(text) } else { Pattern::literal(text) };
    if !has_variable(value, version) {
        return plain(value);
    }
    let mut tokens = Vec::new();
    for piece in pieces(value) {
        match piece {
            Piece::Text(text) => tokens.extend(plain(text).tokens),
            Piece::Escape(c) => tokens.push(Token::one(Class::Just(c))),
            Piece::Variable { .. } => tokens.push(Token::many(Class::Any)),
        }
    }
    Pattern { tokens }
}

/// The texts that a value of a condition takes, as the comparison reads it (widest, where it has variables); `None` for
/// comparisons that are not of texts.
pub(crate) fn language(comparison: Comparison, value: &str, version: Version) -> Option<Pattern> {
    use Comparison as C;
    match comparison {
        C::StringEquals | C::StringNotEquals | C::BinaryEquals => Some(widest(value, version, false)),
        C::StringEqualsIgnoreCase | C::StringNotEqualsIgnoreCase | C::Bool => {
            let mut pattern = widest(value, version, false);
            pattern.fold();
            Some(pattern)
        }
        C::StringLike | C::StringNotLike => Some(widest(value, version, true)),
        C::ArnEquals | C::ArnLike | C::ArnNotEquals | C::ArnNotLike => Some(arn_language(value, version)),
        _ => None,
    }
}

/// See [`arn_like`].
fn arn_language(value: &str, version: Version) -> Pattern {
    if has_variable(value, version) || is_odd_arn(value) {
        return Pattern::new("*");
    }
    let mut pattern = Pattern { tokens: Vec::new() };
    for (index, part) in value.splitn(6, ':').enumerate() {
        if index > 0 {
            pattern.tokens.push(Token::one(Class::Just(':')));
        }
        let wild = if index < 5 { Class::Not(":") } else { Class::Any };
        pattern = pattern.then(&Pattern::within(part, wild));
    }
    pattern
}

/// Whether a pattern of ARNs has fewer than six parts: what AWS makes of it is not written anywhere.
pub(crate) fn is_odd_arn(value: &str) -> bool {
    value.splitn(6, ':').count() < 6
}

enum Piece<'a> {
    Text(&'a str),
    /// `${*}`, `${?}`, `${$}`.
    Escape(char),
    Variable {
        key: &'a str,
        default: Option<&'a str>,
    },
}

fn pieces(value: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        all.push(Piece::Text(before));
        all.push(match name {
            "*" => Piece::Escape('*'),
            "?" => Piece::Escape('?'),
            "$" => Piece::Escape('$'),
            _ => match name.split_once(',') {
                None => Piece::Variable { key: name.trim(), default: None },
                Some((key, default)) => {
                    let default = default.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
                    Piece::Variable { key: key.trim(), default }
                }
            },
        });
        rest = tail;
    }
    all.push(Piece::Text(rest));
    all
}

impl Comparison {
    /// Whether it holds where its counterpart does not: `…Not…`.
    pub(crate) fn is_negated(self) -> bool {
        matches!(
            self,
            Self::StringNotEquals
                | Self::StringNotEqualsIgnoreCase
                | Self::StringNotLike
                | Self::NumericNotEquals
                | Self::DateNotEquals
                | Self::NotIpAddress
                | Self::ArnNotEquals
                | Self::ArnNotLike
        )
    }
}

/// Whether a condition holds: `values` are the policy's, `present` the request's (`None` or empty: it lacks the key).
pub(crate) fn holds(
    operator: Operator,
    values: &[String],
    version: Version,
    present: Option<&[String]>,
    request: &Request,
) -> bool {
    let present = present.unwrap_or_default();
    if operator.comparison == Comparison::Null {
        let absent = if present.is_empty() { "true" } else { "false" };
        return values.iter().any(|value| value.eq_ignore_ascii_case(absent));
    }
    let negated = operator.comparison.is_negated();
    if present.is_empty() {
        return operator.if_exists
            || match operator.quantifier {
                None => negated,
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => false,
            };
    }
    let known: Vec<Value<'_>> = values.iter().filter_map(|value| filled(value, version, request)).collect();
    let one = |there: &String| known.iter().any(|value| is(operator.comparison, value, there)) != negated;
    match operator.quantifier {
        Some(Quantifier::ForAllValues) => present.iter().all(one),
        Some(Quantifier::ForAnyValue) => present.iter().any(one),
        // A negated operator without a prefix holds where none of the values matches.
        None if negated => present.iter().all(one),
        None => present.iter().any(one),
    }
}

/// Whether one value of the request is one value of the policy, in the sense of the comparison without its `Not`.
fn is(comparison: Comparison, value: &Value<'_>, there: &str) -> bool {
    use Comparison as C;
    let text = value.text();
    match comparison {
        C::StringEquals | C::StringNotEquals | C::BinaryEquals => text == there,
        C::StringEqualsIgnoreCase | C::StringNotEqualsIgnoreCase | C::Bool => {
            text.eq_ignore_ascii_case(there)
        }
        C::StringLike | C::StringNotLike => value.like(there),
        C::ArnEquals | C::ArnLike | C::ArnNotEquals | C::ArnNotLike => arn_like(value, there),
        C::IpAddress | C::NotIpAddress => address(there)
            .is_some_and(|address| network(text).is_some_and(|network| network.contains(&address))),
        C::NumericEquals
        | C::NumericNotEquals
        | C::NumericLessThan
        | C::NumericLessThanEquals
        | C::NumericGreaterThan
        | C::NumericGreaterThanEquals => {
            number(there).zip(number(text)).is_some_and(|(there, own)| ordered(comparison, there, own))
        }
        C::DateEquals
        | C::DateNotEquals
        | C::DateLessThan
        | C::DateLessThanEquals
        | C::DateGreaterThan
        | C::DateGreaterThanEquals => {
            date(there).zip(date(text)).is_some_and(|(there, own)| ordered(comparison, there, own))
        }
        C::Null => false,
    }
}

fn ordered<T: PartialOrd + Copy>(comparison: Comparison, there: T, own: T) -> bool {
    use Comparison as C;
    match comparison {
        C::NumericLessThan | C::DateLessThan => there < own,
        C::NumericLessThanEquals | C::DateLessThanEquals => there <= own,
        C::NumericGreaterThan | C::DateGreaterThan => there > own,
        C::NumericGreaterThanEquals | C::DateGreaterThanEquals => there >= own,
        _ => there == own,
    }
}

/// Each of the six parts of an ARN is matched by itself. A text of fewer parts matches nothing; the lone pattern `*`
/// everything.
fn arn_like(value: &Value<'_>, there: &str) -> bool {
    if value.text() == "*" {
        return true;
    }
    // What is filled in may not bring wildcards or parts of its own.
    if let Value::Filled { text, pattern } = value {
        let wild = pattern.tokens.iter().filter(|token| token.class == Class::Any).count();
        if text.chars().filter(|c| matches!(c, '*' | '?')).count() != wild {
            return false;
        }
    }
    let mut own = value.text().splitn(6, ':');
    let mut there = there.splitn(6, ':');
    for _ in 0..6 {
        let (Some(own), Some(there)) = (own.next(), there.next()) else { return false };
        if !glob(own, there, false) {
            return false;
        }
    }
    true
}

/// A number as `Numeric…` operators read it.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// An address; an IPv4 address written in IPv6 is an IPv4 address.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// An address or a range.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    crate::publicity::network(text)
}

/// A date in milliseconds since 1970: ISO 8601 to the day or finer, or seconds since 1970.
pub(crate) fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1000);
    }
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.splitn(3, '-');
    let mut digits = |length: usize| {
        parts.next().filter(|part| part.len() == length).and_then(|part| part.parse::<u32>().ok())
    };
    let (year, month, day) = (digits(4)?, digits(2)?, digits(2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = i128::from(days_before(i64::from(year), i64::from(month), i64::from(day)));
    let millis = match time {
        None => 0,
        Some(time) => clock(time)?,
    };
    Some(days * 86_400_000 + millis)
}

/// Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The text of a date that [`date`] reads as these milliseconds.
pub(crate) fn date_text(millis: i128) -> String {
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = years + era * 400 + i128::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return millis.div_euclid(1000).to_string();
    }
    let (seconds, fraction) = (of_day / 1000, of_day % 1000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `hh:mm[:ss[.fff]](Z|±hh:mm)` in milliseconds, in UTC.
fn clock(text: &str) -> Option<i128> {
    let (time, offset) = if let Some(time) = text.strip_suffix(['Z', 'z']) {
        (time, 0)
    } else if let Some(at) = text.rfind(['+', '-']) {
        let (time, offset) = text.split_at_checked(at)?;
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        (time, sign * (two(hours)? * 60 + two(minutes)?))
    } else {
        (text, 0)
    };
    let mut parts = time.splitn(3, ':');
    let (hours, minutes) = (two(parts.next()?)?, two(parts.next()?)?);
    let (seconds, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (two(seconds)?, 0),
            Some((seconds, fraction)) => {
                if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let three: String = fraction.chars().chain("000".chars()).take(3).collect();
                (two(seconds)?, three.parse::<i128>().ok()?)
            }
        },
    };
    Some(((hours * 60 + minutes - offset) * 60 + seconds) * 1000 + fraction)
}

fn two(text: &str) -> Option<i128> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operator: &str, values: &[&str], present: &[&str]) -> bool {
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let who = "arn:aws:iam::111111111111:user/ann".parse().expect("a user");
        let request =
            Request::new(who, "s3:GetObject", "*", [("aws:PrincipalTag/t".to_owned(), strings(&["a*"]))]);
        let operator = operator.parse().expect("an operator");
        holds(operator, &strings(values), Version::V2012, Some(&strings(present)), &request)
    }

    #[test]
    fn a_date_is_written_as_it_is_read() {
        for millis in [0, -1, 951_782_400_000, 1_709_251_199_999, 253_402_300_799_999, -62_167_219_200_000] {
            assert_eq!(date(&date_text(millis)), Some(millis), "{}", date_text(millis));
        }
    }

    #[test]
    fn operators_compare_as_their_page_says() {
        for (operator, values, present, expected) in [
            ("StringEquals", &["a", "b"][..], &["b"][..], true),
            ("StringEquals", &["a*"], &["ab"], false),
            ("StringNotEquals", &["a", "b"], &["b"], false),
            ("StringNotEquals", &["a", "b"], &["c"], true),
            ("StringEqualsIgnoreCase", &["A"], &["a"], true),
            ("StringLike", &["a?*"], &["ab"], true),
            ("StringNotLike", &["a*"], &["b"], true),
            ("NumericEquals", &["1.0"], &["1"], true),
            ("NumericLessThan", &["3", "5"], &["4"], true),
            ("NumericLessThan", &["3"], &["x"], false),
            ("NumericGreaterThanEquals", &["3"], &["3"], true),
            ("DateLessThan", &["2026-01-01T00:00:00Z"], &["2025-12-31"], true),
            ("DateGreaterThan", &["2026-01-01T01:00:00+02:00"], &["2025-12-31T23:00:00.001Z"], true),
            ("DateEquals", &["0"], &["1970-01-01T00:00:00Z"], true),
            ("DateEquals", &["2024-03-01"], &["1709251200"], true),
            ("Bool", &["True"], &["true"], true),
            ("IpAddress", &["10.0.0.0/8", "2001:db8::/32"], &["10.1.2.3"], true),
            ("IpAddress", &["10.0.0.0/8"], &["::ffff:10.1.2.3"], true),
            ("NotIpAddress", &["10.0.0.0/8"], &["11.0.0.1"], true),
            ("ArnLike", &["arn:aws:s3:*:*:b*"], &["arn:aws:s3:::b:c"], true),
            ("ArnLike", &["arn:aws:*:b*"], &["arn:aws:s3:::b"], false),
            ("ArnLike", &["arn:*:::b*"], &["arn:aws:s3:::b"], false),
            ("ArnNotEquals", &["arn:aws:s3:::b"], &["arn:aws:s3:::c"], true),
            ("BinaryEquals", &["QmluYXJ5"], &["QmluYXJ5"], true),
            ("Null", &["true"], &[], true),
            ("Null", &["false"], &["x"], true),
            ("Null", &["true"], &["x"], false),
        ] {
            assert_eq!(check(operator, values, present), expected, "{operator} {values:?} {present:?}");
        }
    }

    #[test]
    fn a_missing_key_holds_only_where_its_page_says() {
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringEqualsIfExists", true),
            ("StringNotEquals", true),
            ("NotIpAddress", true),
            ("NumericNotEquals", true),
            ("Bool", false),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", true),
        ] {
            assert_eq!(check(operator, &["1"], &[]), expected, "{operator}");
        }
    }

    #[test]
    fn sets_of_values_are_quantified() {
        for (operator, present, expected) in [
            ("ForAllValues:StringEquals", &["a", "b"][..], true),
            ("ForAllValues:StringEquals", &["a", "c"], false),
            ("ForAnyValue:StringEquals", &["a", "c"], true),
            ("ForAnyValue:StringEquals", &["c", "d"], false),
            ("ForAllValues:StringNotEquals", &["c", "a"], false),
            ("ForAnyValue:StringNotEquals", &["c", "a"], true),
        ] {
            assert_eq!(check(operator, &["a", "b"], present), expected, "{operator} {present:?}");
        }
    }

    #[test]
    fn variables_are_filled_in_and_stand_for_themselves() {
        for (operator, value, present, expected) in [
            ("StringEquals", "${aws:username}", "ann", true),
            ("StringLike", "home/${aws:UserName}/*", "home/ann/x", true),
            ("StringLike", "${aws:PrincipalTag/t}", "a*", true),
            ("StringLike", "${aws:PrincipalTag/t}", "ab", false),
            ("StringLike", "${aws:PrincipalTag/u}", "", false),
            ("StringNotLike", "${aws:PrincipalTag/u}", "x", true),
            ("StringEquals", "${aws:PrincipalTag/u, 'none'}", "none", true),
            ("StringLike", "a${*}", "a*", true),
            ("StringLike", "a${*}", "ab", false),
            ("StringEquals", "${unclosed", "${unclosed", true),
            (
                "ArnLike",
                "arn:aws:iam::${aws:PrincipalAccount}:role/*",
                "arn:aws:iam::111111111111:role/r",
                true,
            ),
            ("ArnLike", "arn:aws:iam::*:${aws:PrincipalTag/t}", "arn:aws:iam::1:ab", false),
        ] {
            assert_eq!(check(operator, &[value], &[present]), expected, "{operator} {value} {present}");
        }
    }
}
