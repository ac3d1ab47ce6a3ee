//! `forget`: what reviewers decide about single roots.

use std::collections::BTreeSet;

use super::Context;
use super::reader::Table;
use crate::address::{Address, RootAddress, RootKind};

pub(super) fn labels<'c>(context: &'c Context<'_>, kind: RootKind) -> &'c [String] {
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
