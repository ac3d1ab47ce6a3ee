//! What can be wrong with the text of a policy, as data, with a message that says what was found and a help line that
//! says how to mend it.

use std::fmt;

use crate::operator::UnknownOperator;

/// The first thing that is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1; 0 for a policy that was not read from text.
    pub line: usize,
    /// The column in characters, from 1; 0 for a policy that was not read from text.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl ParseError {
    /// What was found, in one sentence without a full stop.
    pub fn message(&self) -> String {
        self.problem.to_string()
    }

    /// How to mend it, in one sentence without a full stop.
    pub fn help(&self) -> String {
        self.problem.help()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        write!(f, "{} ({})", self.problem, self.help())
    }
}

impl std::error::Error for ParseError {}

/// A problem together with the byte at which it stands, before that is turned into line and column.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) problem: Problem,
}

impl Fault {
    pub(crate) fn new(at: usize, problem: Problem) -> Self {
        Self { at, problem }
    }

    /// The error with line and column of `text`, which must be the text that was read.
    pub(crate) fn within(self, text: &str) -> ParseError {
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        ParseError { line, column, problem: self.problem }
    }

    /// The error without a place.
    pub(crate) fn nowhere(self) -> ParseError {
        ParseError { line: 0, column: 0, problem: self.problem }
    }
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text ends too early.
    #[error("the policy ends where {expected} should stand")]
    UnexpectedEnd {
        /// What should have come.
        expected: &'static str,
    },
    /// A character that JSON does not have here.
    #[error("found {found:?} where {expected} should stand")]
    UnexpectedCharacter {
        /// The character.
        found: char,
        /// What should have come.
        expected: &'static str,
    },
    /// A comma before `}` or `]`.
    #[error("a comma stands before the closing `{close}`")]
    TrailingComma {
        /// `}` or `]`.
        close: char,
    },
    /// Something follows the policy.
    #[error("something follows the end of the policy: {found:?}")]
    TrailingText {
        /// Its first character.
        found: char,
    },
    /// `\x` and the like.
    #[error("`\\{found}` is not an escape of JSON")]
    BadEscape {
        /// What follows the backslash.
        found: String,
    },
    /// A control character inside a string.
    #[error("a string holds the control character {found:?}")]
    ControlCharacter {
        /// The character.
        found: char,
    },
    /// Not a number as JSON writes them.
    #[error("`{found}` is not a number of JSON")]
    BadNumber {
        /// The text.
        found: String,
    },
    /// `[[[[…`.
    #[error("values are nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The same key twice in one object.
    #[error("the key `{key}` stands here a second time")]
    DuplicateKey {
        /// The key as it is written the second time.
        key: String,
    },
    /// Two condition operators or keys that differ in case only.
    #[error("`{key}` stands here a second time as `{first}` (case does not matter)")]
    DuplicateIgnoringCase {
        /// The later one.
        key: String,
        /// The earlier one.
        first: String,
    },
    /// An element that the policy language does not have here.
    #[error("`{name}` is not an element of {place}")]
    UnknownElement {
        /// The element.
        name: String,
        /// Where it stands.
        place: Place,
        /// The known element that is spelled alike, if there is one.
        nearest: Option<&'static str>,
    },
    /// An element that must be there and is not.
    #[error("{place} has no `{name}`")]
    MissingElement {
        /// The element.
        name: &'static str,
        /// Where it is missing.
        place: Place,
    },
    /// Two elements that exclude each other.
    #[error("`{first}` and `{second}` stand in one statement")]
    BothElements {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A value of the wrong type.
    #[error("{element} is {found} where {expected} should stand")]
    WrongType {
        /// What the value is of, such as "`Effect`".
        element: String,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// An empty list or object where one value at least is needed.
    #[error("{element} is empty")]
    Empty {
        /// What is empty, such as "`Action`".
        element: String,
    },
    /// Neither of the two versions of the language.
    #[error("{found:?} is not a version of the policy language")]
    UnknownVersion {
        /// The text.
        found: String,
    },
    /// Neither `Allow` nor `Deny`.
    #[error("{found:?} is not an effect")]
    UnknownEffect {
        /// The text.
        found: String,
    },
    /// A bare string as principal that is not `*`.
    #[error("the principal {found:?} has no type")]
    UntypedPrincipal {
        /// The text.
        found: String,
    },
    /// Not a condition operator.
    #[error(transparent)]
    UnknownOperator(#[from] UnknownOperator),
}

impl Problem {
    /// How to mend it, in one sentence without a full stop.
    pub fn help(&self) -> String {
        match self {
            Self::UnexpectedEnd { .. } => {
                "close what is open, or look whether the file was cut off".to_owned()
            }
            Self::UnexpectedCharacter { found: '/' | '#', .. } => {
                "JSON has no comments: take it out".to_owned()
            }
            Self::UnexpectedCharacter { found: '\'' | '\u{201c}' | '\u{201d}', .. } => {
                "JSON wants straight double quotes".to_owned()
            }
            Self::UnexpectedCharacter { found: '\u{feff}', .. } => {
                "save the file without a byte order mark".to_owned()
            }
            Self::UnexpectedCharacter { expected, .. } => format!("put {expected} here"),
            Self::TrailingComma { .. } => "take the comma out".to_owned(),
            Self::TrailingText { .. } => "a file holds one policy: take the rest out".to_owned(),
            Self::BadEscape { .. } => {
                "a backslash itself is written `\\\\`, other characters `\\u` and four hexadecimal digits"
                    .to_owned()
            }
            Self::ControlCharacter { .. } => "take it out, or write it as an escape such as `\\n`".to_owned(),
            Self::BadNumber { .. } => "put the value in quotes".to_owned(),
            Self::TooDeep { .. } => {
                "a policy needs no more than 8 levels: look for a stray bracket".to_owned()
            }
            Self::DuplicateKey { .. } => {
                "only one of them would count: join them, or take one out".to_owned()
            }
            Self::DuplicateIgnoringCase { first, .. } => format!("join the values under `{first}`"),
            Self::UnknownElement { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownElement { place, .. } => format!("{place} takes {}", place.elements().join(", ")),
            Self::MissingElement { name: "Action", .. } => "add `Action` or `NotAction`".to_owned(),
            Self::MissingElement { name: "Effect", .. } => {
                "add `\"Effect\": \"Allow\"` or `\"Deny\"`".to_owned()
            }
            Self::MissingElement { name, .. } => format!("add `{name}`"),
            Self::BothElements { second, .. } => {
                format!("take one out, or move `{second}` to a statement of its own")
            }
            Self::WrongType { expected, found: "a number" | "a boolean", .. }
                if expected.contains("string") =>
            {
                "put the value in quotes".to_owned()
            }
            Self::WrongType { expected, .. } => format!("put {expected} here"),
            Self::Empty { .. } => "name one value at least, or take it out".to_owned(),
            Self::UnknownVersion { .. } => "write \"2012-10-17\"".to_owned(),
            Self::UnknownEffect { .. } => "write \"Allow\" or \"Deny\"".to_owned(),
            Self::UntypedPrincipal { found } => format!("write {{\"AWS\": {found:?}}}"),
            Self::UnknownOperator(UnknownOperator { nearest, .. }) => format!("did you mean `{nearest}`?"),
        }
    }
}

/// An object of the policy language with a fixed set of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The document itself.
    Document,
    /// A statement.
    Statement,
}

impl Place {
    /// The elements it may have.
    pub fn elements(self) -> &'static [&'static str] {
        match self {
            Self::Document => &["Version", "Id", "Statement"],
            Self::Statement => &[
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ],
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Document => "the policy",
            Self::Statement => "the statement",
        })
    }
}
