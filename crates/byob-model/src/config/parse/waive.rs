//! `[[waive]]`: findings that somebody has looked at and accepts, each until a day.

use super::forget::labels;
use super::reader::{Field, Report, Table, nearest};
use super::{Context, shape};
use crate::address::{Address, RootKind};
use crate::config::Waiver;
use crate::rule::Rule;

/// The waivers, in the order of the file.
pub(super) fn waivers(context: &mut Context<'_>, file: &mut Table<'_>) -> Vec<Waiver> {
    let Some(field) = file.take(&mut context.report, "waive") else { return Vec::new() };
    if field.value.is_table() {
        let help = "write `[[waive]]`, in double brackets: there may be several";
        field.error(&mut context.report, "`waive` is a list of tables", "this is one table", help);
        return Vec::new();
    }
    let mut waivers: Vec<Waiver> = Vec::new();
    for element in field.list(&mut context.report).unwrap_or_default() {
        let Some(waiver) = waiver(context, &element) else { continue };
        if waivers.iter().any(|w| w.rule == waiver.rule && w.address == waiver.address) {
            let message = format!("`{}` is waived twice for `{}`", waiver.rule.id(), waiver.address);
            element.error(&mut context.report, message, "stands here a second time", "take one of them out");
        }
        waivers.push(waiver);
    }
    waivers
}

fn waiver(context: &mut Context<'_>, element: &Field<'_>) -> Option<Waiver> {
    let mut table = element.table(&mut context.report, &shape::WAIVE)?;
    let rule = table.require(&mut context.report, "rule").and_then(|field| rule(&field, &mut context.report));
    let address = table.require(&mut context.report, "address").and_then(|field| address(context, &field));
    let report = &mut context.report;
    let reason = table.require(report, "reason").and_then(|field| field.nonempty_text(report));
    let until = table.require(report, "until").and_then(|field| field.date(report));
    table.finish(report);
    Some(Waiver { rule: rule?, address: address?, reason: reason?.to_owned(), until: until?.parse().ok()? })
}

fn rule(field: &Field<'_>, report: &mut Report) -> Option<Rule> {
    let text = field.nonempty_text(report)?;
    let Some(rule) = Rule::by_id(text) else {
        let label = match nearest(text, Rule::ALL.iter().map(|rule| rule.id())) {
            Some(near) if near.eq_ignore_ascii_case(text) => format!("did you mean \"{near}\"?"),
            _ => "no rule has this number".to_owned(),
        };
        field.error(report, format!("`{text}` is no rule"), label, field.help());
        return None;
    };
    if !rule.waivable() {
        let (label, help) = if rule.impossible() {
            let label = format!("it makes a plan impossible: {}", rule.short());
            (label, "take the waiver out, and do what the finding's help line says")
        } else {
            ("it is about waivers themselves".to_owned(), "take it out, and correct the waiver that it names")
        };
        field.error(report, format!("`{text}` cannot be waived"), label, help);
        return None;
    }
    Some(rule)
}

fn address(context: &mut Context<'_>, field: &Field<'_>) -> Option<Address> {
    let text = field.nonempty_text(&mut context.report)?;
    let Ok(address) = text.parse::<Address>() else {
        let help = field.help();
        let label = "not the address of a bucket, a key, or an aspect of one";
        field.error(&mut context.report, format!("`{text}` is no address"), label, help);
        return None;
    };
    let root = address.root();
    let labels = labels(context, root.kind);
    if labels.contains(&root.label) {
        return Some(address);
    }
    let kind = match root.kind {
        RootKind::Bucket => "bucket",
        RootKind::Key => "key",
    };
    let label = match nearest(&root.label, labels.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{kind}.{near}`?"),
        None => "nothing of this name is in the file".to_owned(),
    };
    let help = format!("name what the finding names; or take the waiver out: there is no `[{root}]`");
    field.error(&mut context.report, format!("there is no `{root}` to waive anything for"), label, help);
    None
}
