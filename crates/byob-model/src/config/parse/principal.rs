//! Principals and other ARNs that the file names: shape, partition, and the mistakes people make with them.

use std::collections::BTreeSet;

use byob_policy::arn::{AccountId, Arn, Partition};

use super::reader::{Field, Report};

/// A list of principals, as ARNs.
pub(super) fn principals(field: &Field<'_>, report: &mut Report, partition: Partition) -> BTreeSet<String> {
    let texts = field.texts(report);
    texts.into_iter().filter_map(|(element, text)| principal(&element, report, text, partition)).collect()
}

/// One principal: the ARN of a role, a user or an account's root, or an account id, which becomes the latter.
fn principal(field: &Field<'_>, report: &mut Report, text: &str, partition: Partition) -> Option<String> {
    let name = field.name;
    if text == "*" {
        let help = format!(
            "`{name}` is {}; a role of W&B's looks like arn:{partition}:iam::830241207209:role/name",
            field.what
        );
        field.error(report, format!("`{name}` cannot hold `*`"), "this is everybody in the world", help);
        return None;
    }
    if let Ok(account) = text.parse::<AccountId>() {
        return Some(account.root_arn(partition).to_string());
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{text}` is not an account id");
        field.error(
            report,
            message,
            format!("this has {} digits, an account id has 12", text.len()),
            field.help(),
        );
        return None;
    }
    if ["AIDA", "AROA"].iter().any(|id| text.starts_with(id)) {
        let help = "name the role or user by its ARN; AWS writes such an id where it was deleted";
        field.error(report, format!("`{text}` is the unique id of a role or user"), "not an ARN", help);
        return None;
    }
    let arn = arn(field, report, text, partition)?;
    let problem = principal_problem(&arn);
    if let Some((label, help)) = problem {
        field.error(
            report,
            format!("`{text}` cannot stand in `{name}`"),
            label,
            help.unwrap_or_else(|| field.help()),
        );
        return None;
    }
    Some(text.to_owned())
}

/// What keeps an ARN from being a fixed principal: label, and help where it is special.
fn principal_problem(arn: &Arn) -> Option<(&'static str, Option<String>)> {
    let Arn { partition, service, region, account, resource } = arn;
    if service == "sts" && resource.starts_with("assumed-role/") {
        let role = resource.split('/').nth(1).unwrap_or_default();
        let help = format!(
            "name the role itself: arn:{partition}:iam::{account}:role/{role} (with its path, if it has one)"
        );
        return Some(("this is a session of a role, not the role", Some(help)));
    }
    if service != "iam" || !region.is_empty() {
        return Some(("not the ARN of a role, a user or an account's root", None));
    }
    if !AccountId::is(account) {
        return Some(("an account id of 12 digits must stand after `iam::`", None));
    }
    if resource.contains(['*', '?']) {
        return Some(("a principal is named in full, without `*` and `?`", None));
    }
    if resource.starts_with("group/") {
        let help = "AWS does not take groups as principals: name a role that its members assume".to_owned();
        return Some(("this is a group", Some(help)));
    }
    let is_principal = resource == "root"
        || ["role/", "user/"].iter().any(|kind| resource.strip_prefix(kind).is_some_and(is_name));
    (!is_principal).then_some(("not the ARN of a role, a user or an account's root", None))
}

/// An optional path and a name, as IAM allows them.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with('/')
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>'))
}

/// The ARN of a role.
pub(super) fn role(field: &Field<'_>, report: &mut Report, partition: Partition) -> Option<Arn> {
    let text = field.nonempty_text(report)?;
    let arn = arn(field, report, text, partition)?;
    let problem = match principal_problem(&arn) {
        None if arn.resource.starts_with("role/") => return Some(arn),
        None => ("not the ARN of a role", None),
        Some(problem) => problem,
    };
    let (label, help) = problem;
    field.error(
        report,
        format!("`{}` cannot be `{text}`", field.name),
        label,
        help.unwrap_or_else(|| field.help()),
    );
    None
}

/// An ARN of the file's partition.
pub(super) fn arn(field: &Field<'_>, report: &mut Report, text: &str, partition: Partition) -> Option<Arn> {
    let arn: Arn = match text.parse() {
        Ok(arn) => arn,
        Err(_) => {
            let label = format!("an ARN begins with `arn:{partition}:`");
            field.error(report, format!("`{text}` is not an ARN"), label, field.help());
            return None;
        }
    };
    if arn.partition != partition {
        let message = format!("`{text}` is in another partition of AWS than the rest of the file");
        let label = format!("this is in {}, the rest in {partition}", arn.partition);
        let help =
            format!("write `arn:{partition}:…`: what lies in one partition cannot be reached from another");
        field.error(report, message, label, help);
        return None;
    }
    Some(arn)
}
