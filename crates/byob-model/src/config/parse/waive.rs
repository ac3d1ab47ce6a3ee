//! `[[waive]]` and `forget`: what reviewers decide about single addresses.

use std::collections::BTreeSet;

use super::reader::{Field, Report, Table, nearest};
use super::{Context, shape};
use crate::address::{Address, RootAddress, RootKind};
use crate::config::Waiver;

/// The waivers, in the order of the file.
pub(super) fn waivers(context: &mut Context<'_>, file: &mut Table<'_>) -> Vec<Waiver> {
    let Some(field) = file.take(&mut context.report, "waive") else { return Vec::new() };
    if field.value.is_table() {
        let help = "write the header with two brackets: `[[waive]]`";
        field.error(&mut context.report, "`waive` must be a list of tables", "this is a single table", help);
        return Vec::new();
    }
    let elements = field.list(&mut context.report).unwrap_or_default();
    elements.iter().filter_map(|element| waiver(context, element)).collect()
}

fn waiver(context: &mut Context<'_>, field: &Field<'_>) -> Option<Waiver> {
    let mut table = field.table(&mut context.report, &shape::WAIVE)?;
    let address = table.require(&mut context.report, "address").and_then(|field| address(context, &field));
    let report = &mut context.report;
    let rule = table.require(report, "rule").and_then(|field| rule(&field, report));
    let reason = table.require(report, "reason").and_then(|field| field.nonempty_text(report));
    let until = table.require(report, "until").and_then(|field| field.date(report));
    table.finish(report);
    Some(Waiver { rule: rule?, address: address?, reason: reason?.to_owned(), until: until? })
}

/// `BYOB0nn`
fn rule(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    let number = text.strip_prefix("BYOB0").unwrap_or_default();
    if number.len() != 2 || !number.bytes().all(|b| b.is_ascii_digit()) {
        let label = "must be `BYOB0` and two digits";
        field.error(report, format!("`{text}` is not the number of a rule"), label, field.help());
        return None;
    }
    Some(text.to_owned())
}

/// An address of this file.
fn address(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let text = field.text(&mut context.report)?;
    let Ok(address) = text.parse::<Address>() else {
        field.error(
            &mut context.report,
            format!("`{text}` is not an address"),
            "not an address",
            field.help(),
        );
        return None;
    };
    let labels = labels(context, address.kind.root());
    if !labels.contains(&address.label) {
        let mark = match nearest(&address.label, labels.iter().map(String::as_str)) {
            Some(near) => {
                format!("did you mean `{}`?", Address { label: near.to_owned(), kind: address.kind })
            }
            None => format!("there is no `[{}]`", address.root()),
        };
        let help = "take the waiver out, or name an address of this file";
        field.error(&mut context.report, format!("`{text}` is not in this file"), mark, help);
        return None;
    }
    Some(text.to_owned())
}

fn labels<'c>(context: &'c Context<'_>, kind: RootKind) -> &'c [String] {
    match kind {
        RootKind::Bucket => &context.bucket_labels,
        RootKind::Key => &context.key_labels,
    }
}

/// `forget`: roots that have no table any more.
pub(super) fn forget(context: &mut Context<'_>, file: &mut Table<'_>) -> BTreeSet<RootAddress> {
    let Some(field) = file.take(&mut context.report, "forget") else { return BTreeSet::new() };
    let mut roots = BTreeSet::new();
    for (element, text) in field.texts(&mut context.report) {
        let Ok(root) = text.parse::<RootAddress>() else {
            let label = match text.parse::<Address>() {
                Ok(address) => format!("this is an aspect of `{}`", address.root()),
                Err(_) => "not the address of a bucket or a key".to_owned(),
            };
            let help = "name a bucket or a key, such as \"bucket.old\"; `unmanaged` leaves an aspect alone";
            element.error(&mut context.report, format!("`{text}` cannot be forgotten"), label, help);
            continue;
        };
        if labels(context, root.kind).contains(&root.label) {
            let message = format!("`{root}` is to be forgotten, and is still in the file");
            let help = format!("take the table `[{root}]` out, or take \"{root}\" out of `forget`");
            element.error(&mut context.report, message, format!("`[{root}]` asks for it"), help);
        }
        roots.insert(root);
    }
    roots
}
