//! The condition operators: which there are, and how one is spelled. What they do to a request belongs to evaluation.

use std::fmt;
use std::str::FromStr;

/// What an operator compares, without its prefix and suffix.
///
/// Source: IAM user guide, "IAM JSON policy elements: Condition operators".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's own and say all there is")]
pub enum Comparison {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    Null,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: [Self; 27] = [
        Self::StringEquals,
        Self::StringNotEquals,
        Self::StringEqualsIgnoreCase,
        Self::StringNotEqualsIgnoreCase,
        Self::StringLike,
        Self::StringNotLike,
        Self::NumericEquals,
        Self::NumericNotEquals,
        Self::NumericLessThan,
        Self::NumericLessThanEquals,
        Self::NumericGreaterThan,
        Self::NumericGreaterThanEquals,
        Self::DateEquals,
        Self::DateNotEquals,
        Self::DateLessThan,
        Self::DateLessThanEquals,
        Self::DateGreaterThan,
        Self::DateGreaterThanEquals,
        Self::Bool,
        Self::BinaryEquals,
        Self::IpAddress,
        Self::NotIpAddress,
        Self::ArnEquals,
        Self::ArnLike,
        Self::ArnNotEquals,
        Self::ArnNotLike,
        Self::Null,
    ];

    /// The name in AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StringEquals => "StringEquals",
            Self::StringNotEquals => "StringNotEquals",
            Self::StringEqualsIgnoreCase => "StringEqualsIgnoreCase",
            Self::StringNotEqualsIgnoreCase => "StringNotEqualsIgnoreCase",
            Self::StringLike => "StringLike",
            Self::StringNotLike => "StringNotLike",
            Self::NumericEquals => "NumericEquals",
            Self::NumericNotEquals => "NumericNotEquals",
            Self::NumericLessThan => "NumericLessThan",
            Self::NumericLessThanEquals => "NumericLessThanEquals",
            Self::NumericGreaterThan => "NumericGreaterThan",
            Self::NumericGreaterThanEquals => "NumericGreaterThanEquals",
            Self::DateEquals => "DateEquals",
            Self::DateNotEquals => "DateNotEquals",
            Self::DateLessThan => "DateLessThan",
            Self::DateLessThanEquals => "DateLessThanEquals",
            Self::DateGreaterThan => "DateGreaterThan",
            Self::DateGreaterThanEquals => "DateGreaterThanEquals",
            Self::Bool => "Bool",
            Self::BinaryEquals => "BinaryEquals",
            Self::IpAddress => "IpAddress",
            Self::NotIpAddress => "NotIpAddress",
            Self::ArnEquals => "ArnEquals",
            Self::ArnLike => "ArnLike",
            Self::ArnNotEquals => "ArnNotEquals",
            Self::ArnNotLike => "ArnNotLike",
            Self::Null => "Null",
        }
    }
}

/// How an operator treats a key with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// `ForAllValues:` every value of the request must match; none at all is a match.
    ForAllValues,
    /// `ForAnyValue:` one value of the request must match.
    ForAnyValue,
}

impl Quantifier {
    /// The prefix in AWS's spelling, with its colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForAllValues => "ForAllValues:",
            Self::ForAnyValue => "ForAnyValue:",
        }
    }
}

/// A condition operator: prefix, comparison, suffix. Names are read in any case and written in AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator {
    /// `ForAllValues:` or `ForAnyValue:`.
    pub quantifier: Option<Quantifier>,
    /// What is compared.
    pub comparison: Comparison,
    /// `IfExists`: a key that the request lacks is a match. Never with `Null`.
    pub if_exists: bool,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.quantifier.map_or("", Quantifier::as_str))?;
        f.write_str(self.comparison.as_str())?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

/// The text is no condition operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a condition operator")]
pub struct UnknownOperator {
    /// What was written.
    pub found: String,
    /// The known operator that is spelled most alike, prefix and suffix included.
    pub nearest: String,
}

impl FromStr for Operator {
    type Err = UnknownOperator;

    fn from_str(text: &str) -> Result<Self, UnknownOperator> {
        let (quantifier, rest) = quantifier(text);
        let (name, if_exists) = suffix(rest);
        let comparison = Comparison::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name));
        match comparison {
            Some(Comparison::Null) if if_exists => {
                let nearest = Self { quantifier, comparison: Comparison::Null, if_exists: false };
                Err(UnknownOperator { found: text.to_owned(), nearest: nearest.to_string() })
            }
            Some(comparison) => Ok(Self { quantifier, comparison, if_exists }),
            None => {
                // No known name is longer: the rest of a long text need not be looked at.
                let lower: String = name.chars().take(40).collect::<String>().to_ascii_lowercase();
                let comparison = Comparison::ALL
                    .into_iter()
                    .min_by_key(|one| strsim::osa_distance(&one.as_str().to_ascii_lowercase(), &lower))
                    .unwrap_or(Comparison::StringEquals);
                let if_exists = if_exists && comparison != Comparison::Null;
                let nearest = Self { quantifier, comparison, if_exists };
                Err(UnknownOperator { found: text.to_owned(), nearest: nearest.to_string() })
            }
        }
    }
}

fn quantifier(text: &str) -> (Option<Quantifier>, &str) {
    for quantifier in [Quantifier::ForAllValues, Quantifier::ForAnyValue] {
        let prefix = quantifier.as_str();
        if let Some((head, rest)) = text.split_at_checked(prefix.len())
            && head.eq_ignore_ascii_case(prefix)
        {
            return (Some(quantifier), rest);
        }
    }
    (None, text)
}

fn suffix(text: &str) -> (&str, bool) {
    const SUFFIX: &str = "IfExists";
    match text.len().checked_sub(SUFFIX.len()).and_then(|at| text.split_at_checked(at)) {
        Some((name, tail)) if tail.eq_ignore_ascii_case(SUFFIX) => (name, true),
        _ => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_read_in_any_case_and_written_in_awss() {
        for comparison in Comparison::ALL {
            for quantifier in [None, Some(Quantifier::ForAllValues), Some(Quantifier::ForAnyValue)] {
                for if_exists in [false, true] {
                    if if_exists && comparison == Comparison::Null {
                        continue;
                    }
                    let operator = Operator { quantifier, comparison, if_exists };
                    let name = operator.to_string();
                    assert_eq!(name.parse(), Ok(operator));
                    assert_eq!(name.to_uppercase().parse(), Ok(operator));
                    assert_eq!(name.to_lowercase().parse(), Ok(operator));
                }
            }
        }
    }

    #[test]
    fn an_unknown_operator_names_the_nearest() {
        for (found, nearest) in [
            ("StringEqual", "StringEquals"),
            ("StringEqualIfExists", "StringEqualsIfExists"),
            ("ForAnyValue:StringLikes", "ForAnyValue:StringLike"),
            ("IPAdress", "IpAddress"),
            ("NullIfExists", "Null"),
            ("Boolean", "Bool"),
            ("", "Bool"),
        ] {
            let error = found.parse::<Operator>().expect_err(found);
            assert_eq!(error.nearest, nearest, "{found}");
        }
    }

    #[test]
    fn odd_texts_do_not_break_the_reader() {
        for text in
            ["é", "IfExists", "ForAllValues:", "ForAllValues:é", "Ünull", "éIfExists", "日本語日本語日本語"]
        {
            assert!(text.parse::<Operator>().is_err(), "{text}");
        }
    }
}
