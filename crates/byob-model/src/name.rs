//! Bucket names: AWS's rules, and names made from a prefix. Pure functions of text; nothing here asks AWS whether a name
//! is free.
//!
//! Source: S3 user guide, "General purpose bucket naming rules".

use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

/// The shortest name a bucket can have, in characters.
pub const MIN_LENGTH: usize = 3;
/// The longest name a bucket can have, in characters.
pub const MAX_LENGTH: usize = 63;
/// The longest `name_prefix`, in characters: with it the longest generated name is [`MAX_LENGTH`] long.
pub const MAX_PREFIX_LENGTH: usize = MAX_LENGTH - INFIX.len() - 2 * LONGEST_WORD - 1;

/// What stands between prefix and words, as in W&B's public Terraform module.
const INFIX: &str = "-file-storage-";
/// The longest word in `words.txt`, in characters; a test holds it to that.
const LONGEST_WORD: usize = 7;
/// Frozen: another list makes other names, and another name is another bucket.
const WORDS: &str = include_str!("words.txt");

/// `amzn-s3-demo-` is what the documentation uses, `xn--` and `sthree-` (`sthree-configurator`) S3 itself.
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
/// Access point aliases, Object Lambda, multi-region access points, directory buckets, table buckets.
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
/// Names in the account regional namespace end with this.
const ACCOUNT_REGIONAL_SUFFIX: &str = "-an";

/// Why no bucket can have a name, in words that fit under the marked name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Fewer than 3 characters.
    #[error("{0} characters are too few: a name has 3 to 63")]
    TooShort(usize),
    /// More than 63 characters, or than a prefix may have.
    #[error("{length} characters are too many: at most {limit} are allowed")]
    TooLong {
        /// How many it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Characters outside of `a-z 0-9 . -`.
    #[error("{} not allowed", characters(*upper_case, others))]
    Characters {
        /// Whether there are upper-case letters.
        upper_case: bool,
        /// All other characters that may not be, each once.
        others: Vec<char>,
    },
    /// The first or last character is `.` or `-`.
    #[error("a name begins and ends with a letter or a digit")]
    Ends,
    /// `..`
    #[error("two dots may not stand side by side")]
    AdjacentDots,
    /// `192.0.2.1`
    #[error("a name may not look like an IP address")]
    IpAddress,
    /// A prefix that S3 keeps to itself.
    #[error("names that begin with `{0}` are reserved by S3")]
    ReservedPrefix(&'static str),
    /// A suffix that S3 keeps to itself.
    #[error("names that end with `{0}` are reserved by S3")]
    ReservedSuffix(&'static str),
    /// `-an`: the account regional namespace.
    #[error("names that end with `-an` belong to the account regional namespace")]
    AccountRegional,
}

fn characters(upper_case: bool, others: &[char]) -> String {
    let mut parts = Vec::new();
    if upper_case {
        parts.push("upper-case letters".to_owned());
    }
    let quoted: Vec<String> =
        others.iter().map(|c| if *c == ' ' { "spaces".to_owned() } else { format!("`{c}`") }).collect();
    parts.extend(quoted);
    let is_plural = upper_case || others.len() > 1 || others == [' '];
    let last = parts.pop().unwrap_or_default();
    let subject = if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) };
    format!("{subject} {}", if is_plural { "are" } else { "is" })
}

/// A name that no bucket can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NameError {
    /// What is wrong with it.
    pub problem: NameProblem,
    /// A name (or prefix) alike that would be valid, where one can be made.
    pub suggestion: Option<String>,
}

/// Checks a bucket name against every rule S3 has for names. Names with dots are valid (virtual-hosted addresses over
/// TLS are not, which is somebody else's note).
///
/// # Errors
/// The first rule that is broken, with a valid name alike.
pub fn check_bucket_name(name: &str) -> Result<(), NameError> {
    problem(name).map_or(Ok(()), |problem| Err(NameError { problem, suggestion: suggest(name) }))
}

/// Checks a `name_prefix`: every name made from it must be a bucket name.
///
/// # Errors
/// The first rule that is broken, with a valid prefix alike.
pub fn check_prefix(prefix: &str) -> Result<(), NameError> {
    prefix_problem(prefix).map_or(Ok(()), |problem| {
        let mut suggestion = plain(prefix);
        suggestion.truncate(MAX_PREFIX_LENGTH);
        let suggestion = trim(&suggestion).to_owned();
        let suggestion = Some(suggestion).filter(|text| prefix_problem(text).is_none());
        Err(NameError { problem, suggestion })
    })
}

/// The name that a prefix stands for: `<prefix>-file-storage-<word>-<word>`, the words chosen by all five inputs. The
/// same inputs make the same name for ever.
#[must_use]
pub fn generate(account_id: &str, stack: &str, label: &str, prefix: &str, salt: Option<&str>) -> String {
    let mut hash = Sha256::new();
    // Each input is preceded by its length, so that no two lists of inputs run together to the same bytes.
    let mut absorb = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    for text in ["byob bucket name 1", account_id, stack, label, prefix].into_iter().chain(salt) {
        absorb(text);
    }
    let digest = hash.finalize();
    let words: Vec<&str> = WORDS.lines().collect();
    let word = |bytes: &[u8]| {
        let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let index = usize::try_from(number % words.len().max(1) as u64).unwrap_or_default();
        words.get(index).copied().unwrap_or_default()
    };
    let (first, second) = digest.split_at(digest.len() / 2);
    format!(
        "{prefix}{INFIX}{}-{}",
        word(first.get(..8).unwrap_or(first)),
        word(second.get(..8).unwrap_or(second))
    )
}

fn problem(name: &str) -> Option<NameProblem> {
    let length = name.chars().count();
    if let Some(problem) = bad_characters(name) {
        return Some(problem);
    }
    if length < MIN_LENGTH {
        return Some(NameProblem::TooShort(length));
    }
    if length > MAX_LENGTH {
        return Some(NameProblem::TooLong { length, limit: MAX_LENGTH });
    }
    if trim(name) != name {
        return Some(NameProblem::Ends);
    }
    if name.contains("..") {
        return Some(NameProblem::AdjacentDots);
    }
    if looks_like_an_ip_address(name) {
        return Some(NameProblem::IpAddress);
    }
    if let Some(prefix) = reserved_prefix(name) {
        return Some(NameProblem::ReservedPrefix(prefix));
    }
    if let Some(suffix) = RESERVED_SUFFIXES.into_iter().find(|suffix| name.ends_with(suffix)) {
        return Some(NameProblem::ReservedSuffix(suffix));
    }
    name.ends_with(ACCOUNT_REGIONAL_SUFFIX).then_some(NameProblem::AccountRegional)
}

fn prefix_problem(prefix: &str) -> Option<NameProblem> {
    let length = prefix.chars().count();
    if let Some(problem) = bad_characters(prefix) {
        return Some(problem);
    }
    if length > MAX_PREFIX_LENGTH {
        return Some(NameProblem::TooLong { length, limit: MAX_PREFIX_LENGTH });
    }
    if prefix.is_empty() || trim(prefix) != prefix {
        return Some(NameProblem::Ends);
    }
    if prefix.contains("..") {
        return Some(NameProblem::AdjacentDots);
    }
    // `xn` alone is fine: what follows it in the name is a single dash.
    reserved_prefix(&format!("{prefix}{INFIX}")).map(NameProblem::ReservedPrefix)
}

fn bad_characters(name: &str) -> Option<NameProblem> {
    let upper_case = name.chars().any(|c| c.is_ascii_uppercase());
    let mut others: Vec<char> = Vec::new();
    for c in name.chars() {
        let is_allowed = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        if !is_allowed && !c.is_ascii_uppercase() && !others.contains(&c) {
            others.push(c);
        }
    }
    (upper_case || !others.is_empty()).then_some(NameProblem::Characters { upper_case, others })
}

fn reserved_prefix(name: &str) -> Option<&'static str> {
    RESERVED_PREFIXES.into_iter().find(|prefix| name.starts_with(prefix))
}

/// Four numbers with dots between them, also where a number is too large or has leading zeros: S3 refuses by shape.
fn looks_like_an_ip_address(name: &str) -> bool {
    let parts: Vec<&str> = name.split('.').collect();
    name.parse::<Ipv4Addr>().is_ok()
        || (parts.len() == 4
            && parts
                .iter()
                .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())))
}

fn trim(name: &str) -> &str {
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Lower case, one dash for every run of characters that may not be, no dots side by side, plain ends.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        let c = c.to_ascii_lowercase();
        let c = if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        if (c == '-' && plain.ends_with(['-', '.'])) || (c == '.' && plain.ends_with('.')) {
            continue;
        }
        plain.push(c);
    }
    trim(&plain).to_owned()
}

fn suggest(name: &str) -> Option<String> {
    let mut text = plain(name);
    text.truncate(MAX_LENGTH);
    if looks_like_an_ip_address(&text) {
        text = text.replace('.', "-");
    }
    // Dashes were joined above, so the reserved texts may have lost one: they are looked for in both forms.
    for prefix in RESERVED_PREFIXES.into_iter().chain(["xn-"]) {
        text = text.strip_prefix(prefix).unwrap_or(&text).to_owned();
    }
    let suffixes =
        RESERVED_SUFFIXES.into_iter().chain(["-ol-s3", "-x-s3", "-table-s3", ACCOUNT_REGIONAL_SUFFIX]);
    for suffix in suffixes {
        text = text.strip_suffix(suffix).unwrap_or(&text).to_owned();
    }
    Some(trim(&text).to_owned()).filter(|text| problem(text).is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_aws_takes_are_taken() {
        let longest = "a".repeat(63);
        for name in [
            "abc",
            "1ab",
            "acme-wandb-vision",
            "a.b.c",
            "a--b",
            "192.0.2.1a",
            "1.2.3",
            "xn-a",
            "s3alias",
            &longest,
        ] {
            assert_eq!(check_bucket_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_aws_refuses_are_refused_with_a_valid_one_beside() {
        let long = "a".repeat(64);
        for (name, label, suggestion) in [
            ("Acme_Data", "upper-case letters and `_` are not allowed", Some("acme-data")),
            ("acme data", "spaces are not allowed", Some("acme-data")),
            ("acme/data", "`/` is not allowed", Some("acme-data")),
            ("büro", "`ü` is not allowed", Some("b-ro")),
            ("", "0 characters are too few: a name has 3 to 63", None),
            ("ab", "2 characters are too few: a name has 3 to 63", None),
            (&long, "64 characters are too many: at most 63 are allowed", Some(&long[..63])),
            ("-abc", "a name begins and ends with a letter or a digit", Some("abc")),
            ("abc.", "a name begins and ends with a letter or a digit", Some("abc")),
            ("a..b", "two dots may not stand side by side", Some("a.b")),
            ("192.0.2.1", "a name may not look like an IP address", Some("192-0-2-1")),
            ("999.0.02.1", "a name may not look like an IP address", Some("999-0-02-1")),
            ("xn--acme", "names that begin with `xn--` are reserved by S3", Some("acme")),
            ("sthree-acme", "names that begin with `sthree-` are reserved by S3", Some("acme")),
            ("amzn-s3-demo-acme", "names that begin with `amzn-s3-demo-` are reserved by S3", Some("acme")),
            ("acme-s3alias", "names that end with `-s3alias` are reserved by S3", Some("acme")),
            ("acme--ol-s3", "names that end with `--ol-s3` are reserved by S3", Some("acme")),
            ("acme.mrap", "names that end with `.mrap` are reserved by S3", Some("acme")),
            ("acme--x-s3", "names that end with `--x-s3` are reserved by S3", Some("acme")),
            ("acme--table-s3", "names that end with `--table-s3` are reserved by S3", Some("acme")),
            ("acme-an", "names that end with `-an` belong to the account regional namespace", Some("acme")),
        ] {
            let error = check_bucket_name(name).expect_err(name);
            assert_eq!(
                (error.to_string().as_str(), error.suggestion.as_deref()),
                (label, suggestion),
                "{name}"
            );
        }
    }

    #[test]
    fn prefixes_are_held_to_what_their_names_need() {
        assert_eq!(MAX_PREFIX_LENGTH, 34);
        for prefix in ["a", "acme", "acme.data", "xn", "sthre", &"a".repeat(34)] {
            assert_eq!(check_prefix(prefix), Ok(()), "{prefix}");
        }
        for (prefix, suggestion) in [
            ("Acme", Some("acme")),
            ("acme-", Some("acme")),
            ("", None),
            ("sthree", None),
            ("xn--a", Some("xn-a")),
            (&"a".repeat(35), Some(&*"a".repeat(34))),
        ] {
            assert_eq!(check_prefix(prefix).expect_err(prefix).suggestion.as_deref(), suggestion, "{prefix}");
        }
    }

    #[test]
    fn the_word_list_is_frozen() {
        let digest: String = Sha256::digest(WORDS).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "fc1f9180fc9e741d9a5b175346ed629e06f8e8ba9adc43809e187e38693f93ca");
        let words: Vec<&str> = WORDS.lines().collect();
        assert_eq!(words.len(), 1413);
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
        assert!(
            words
                .iter()
                .all(|w| (3..=LONGEST_WORD).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_lowercase()))
        );
    }

    #[test]
    fn generated_names_never_change() {
        let names = [
            generate("123456789012", "default", "storage", "acme", None),
            generate("123456789012", "default", "storage", "acme", Some("2")),
            generate("123456789012", "default", "vision", "acme", None),
            generate("123456789012", "acme-wandb", "storage", "acme", None),
            generate("210987654321", "default", "storage", "acme", None),
        ];
        assert_eq!(
            names,
            [
                "acme-file-storage-oasis-insight",
                "acme-file-storage-haiku-roller",
                "acme-file-storage-manor-porch",
                "acme-file-storage-market-west",
                "acme-file-storage-shield-picnic",
            ]
        );
    }

    #[test]
    fn inputs_do_not_run_together() {
        assert_ne!(generate("1", "23", "a", "p", None), generate("12", "3", "a", "p", None));
        assert_ne!(generate("1", "2", "a", "p", None), generate("1", "2", "a", "p", Some("")));
    }

    proptest! {
        #[test]
        fn a_suggestion_is_always_valid(name in "\\PC{0,80}") {
            if let Err(NameError { suggestion: Some(suggestion), .. }) = check_bucket_name(&name) {
                prop_assert_eq!(check_bucket_name(&suggestion), Ok(()));
            }
            if let Err(NameError { suggestion: Some(suggestion), .. }) = check_prefix(&name) {
                prop_assert_eq!(check_prefix(&suggestion), Ok(()));
            }
        }

        #[test]
        fn a_name_from_a_valid_prefix_is_valid(prefix in "[a-z0-9.-]{1,36}", label in "[a-z]{1,9}") {
            if check_prefix(&prefix).is_ok() {
                prop_assert_eq!(check_bucket_name(&generate("123456789012", "default", &label, &prefix, None)), Ok(()));
            }
        }
    }
}
