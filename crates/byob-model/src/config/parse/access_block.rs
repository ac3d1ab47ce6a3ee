//! `public_access_block`: true, false, or the four settings.

use toml::de::DeValue;

use super::reader::{Field, Report};
use super::shape;
use crate::kind::PublicAccessBlock;

const NONE: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

/// The field; a setting that the table leaves out is on.
pub(super) fn public_access_block(field: &Field<'_>, report: &mut Report) -> Option<PublicAccessBlock> {
    match field.value {
        DeValue::Boolean(true) => return Some(PublicAccessBlock::ALL),
        DeValue::Boolean(false) => return Some(NONE),
        DeValue::Table(_) => {}
        _ => {
            field.wrong_type(report, "true, false or a table");
            return None;
        }
    }
    let mut table = field.table(report, &shape::PUBLIC_ACCESS_BLOCK)?;
    let mut setting = |name| table.take(report, name).and_then(|field| field.boolean(report)).unwrap_or(true);
    let block = PublicAccessBlock {
        block_public_acls: setting("block_public_acls"),
        ignore_public_acls: setting("ignore_public_acls"),
        block_public_policy: setting("block_public_policy"),
        restrict_public_buckets: setting("restrict_public_buckets"),
    };
    table.finish(report);
    Some(block)
}
