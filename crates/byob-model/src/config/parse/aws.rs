//! `[aws]`: where, in which account, and as whom.

use byob_policy::arn::AccountId;
use toml::de::DeValue;

use super::reader::{Field, Report, Table};
use super::{Context, principal, region, shape};
use crate::config::{AssumeRole, Aws};

const DEFAULT_SESSION_NAME: &str = "byob";

pub(super) fn aws(context: &mut Context<'_>, file: &mut Table<'_>) -> Aws {
    let Context { report, partition, .. } = context;
    let mut aws = Aws { region: None, account_id: None, profile: None, assume_role: None };
    let Some(mut table) = file.take(report, "aws").and_then(|field| field.table(report, &shape::AWS)) else {
        return aws;
    };
    aws.region = table.take(report, "region").and_then(|field| region::region(&field, report, *partition));
    aws.account_id = table.take(report, "account_id").and_then(|field| account_id(&field, report));
    aws.profile =
        table.take(report, "profile").and_then(|field| field.nonempty_text(report)).map(str::to_owned);
    if let Some(field) = table.take(report, "assume_role") {
        aws.assume_role = assume_role(context, &field, aws.account_id.as_ref());
    }
    table.finish(&mut context.report);
    aws
}

pub(super) fn account_id(field: &Field<'_>, report: &mut Report) -> Option<AccountId> {
    if let DeValue::Integer(integer) = field.value {
        let help = format!("write `account_id = \"{:0>12}\"`", integer.as_str());
        field.error(report, "`account_id` must be a string, not an integer", "put it in quotes", help);
        return None;
    }
    let text = field.text(report)?;
    let account = text.parse().ok();
    if account.is_none() {
        field.error(
            report,
            format!("`{text}` is not an account id"),
            "an account id has 12 digits",
            field.help(),
        );
    }
    account
}

/// `assume_role`; `account`: the one it must be in.
pub(super) fn assume_role(
    context: &mut Context<'_>,
    field: &Field<'_>,
    account: Option<&AccountId>,
) -> Option<AssumeRole> {
    let Context { report, partition, .. } = context;
    let mut table = field.table(report, &shape::ASSUME_ROLE)?;
    let mut role = AssumeRole {
        role_arn: String::new(),
        external_id: None,
        session_name: DEFAULT_SESSION_NAME.to_owned(),
    };
    if let Some(field) = table.require(report, "role_arn")
        && let Some(arn) = principal::role(&field, report, *partition)
    {
        if let Some(account) = account
            && account.as_str() != arn.account
        {
            let label = format!("this role is in account {}", arn.account);
            let help = "byob acts in the account of the role: correct one of them";
            field.error(
                report,
                format!("`account_id` is {account}, the role's account is another"),
                label,
                help,
            );
        }
        role.role_arn = arn.to_string();
    }
    if let Some(field) = table.take(report, "external_id") {
        role.external_id = limited(&field, report, 2..=1224, "+=,.@:/-_");
    }
    if let Some(field) = table.take(report, "session_name") {
        role.session_name = limited(&field, report, 2..=64, "+=,.@-_").unwrap_or_default();
    }
    table.finish(report);
    Some(role)
}

/// Letters, digits and some other characters, within limits (STS `AssumeRole`).
fn limited(
    field: &Field<'_>,
    report: &mut Report,
    length: std::ops::RangeInclusive<usize>,
    others: &str,
) -> Option<String> {
    let text = field.text(report)?;
    if !length.contains(&text.len()) || !text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    {
        // The value may be a secret of the other side's: it is not repeated in the message.
        let label = format!("must be {} to {} of A-Z a-z 0-9 {others}", length.start(), length.end());
        field.error(report, format!("`{}` is not one that AWS takes", field.name), label, field.help());
        return None;
    }
    Some(text.to_owned())
}
