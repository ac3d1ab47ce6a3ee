//! The first lines of plan and drift: which configuration, which account, which record, and whether this is AWS at all.

use crate::layout::{Page, Paint};
use crate::summary::count;
use crate::value::word;

/// What stands above a plan or a drift report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// As given: `byob.toml`.
    pub config_file: String,
    /// `stack`: which configuration, where an account has several.
    pub stack: String,
    /// 12 digits.
    pub account_id: String,
    /// How many buckets are configured.
    pub buckets: usize,
    /// How many keys are configured.
    pub keys: usize,
    /// `aws`, `sandbox`, or host and port.
    pub endpoint: String,
    /// When AWS was last written to (`2026-11-20`; empty: never), and the record's serial; `None` before the first apply.
    pub recorded: Option<(String, u64)>,
    /// An apply is running: who runs it.
    pub running: Option<String>,
    /// What was found out before planning: recovery reports.
    pub notes: Vec<String>,
    /// What the line to approve ends with: ` --target bucket.a`, or nothing.
    pub approve_flags: String,
    /// Consent is given already: the line to approve is left out.
    pub consented: bool,
}

/// Prints the header.
pub(crate) fn header(page: &mut Page, header: &Header) {
    elsewhere(page, header);
    let account = format!("account {}", word_or_unknown(&header.account_id));
    page.text(Paint::Bold, [header.config_file.clone(), account, roots(header), record(header)].join("   "));
    meanwhile(page, header);
}

/// What has to be known of whatever is shown, without what is shown anyway.
pub(crate) fn warnings(page: &mut Page, header: &Header) {
    elsewhere(page, header);
    meanwhile(page, header);
}

/// The facts, one by one: what, and what it is.
pub(crate) fn facts(header: &Header, lineage: Option<&str>) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Configuration", header.config_file.clone()),
        ("Account", word_or_unknown(&header.account_id)),
        ("Endpoint", header.endpoint.clone()),
        ("Configured", roots(header)),
        ("Record", record(header)),
    ];
    facts.extend(lineage.map(|lineage| ("Lineage", lineage.to_owned())));
    facts
}

fn elsewhere(page: &mut Page, header: &Header) {
    match header.endpoint.as_str() {
        "aws" => {}
        "sandbox" => page.text(Paint::Yellow, "SANDBOX: this is not AWS"),
        endpoint => page.text(Paint::Yellow, format!("ENDPOINT {}: this is not AWS", word(endpoint))),
    }
}

fn roots(header: &Header) -> String {
    let mut roots = vec![count(header.buckets, "bucket")];
    if header.keys > 0 {
        roots.push(count(header.keys, "key"));
    }
    roots.join(", ")
}

fn record(header: &Header) -> String {
    match &header.recorded {
        None => "nothing recorded yet".into(),
        Some((date, _)) if date.is_empty() => "begun, and nothing written yet".into(),
        Some((date, serial)) => format!("recorded {date}, serial {serial}"),
    }
}

fn meanwhile(page: &mut Page, header: &Header) {
    if let Some(who) = &header.running {
        page.text(
            Paint::Yellow,
            format!("An apply is running ({who}): what it has not done yet is shown as still to do."),
        );
    }
    for note in &header.notes {
        page.text(Paint::Plain, note.clone());
    }
}

fn word_or_unknown(text: &str) -> String {
    if text.is_empty() { "not known".into() } else { word(text).trim_matches('"').to_owned() }
}
