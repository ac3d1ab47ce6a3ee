//! What of a policy is the owner's own account's, and whether that account can still change it.

use byob_policy::{
    AccountId, Arn, Circumstances, Document, Effect, Guarded, Identity, Partition, PrincipalElement,
    Principals, Request, Requester, evaluate,
};

/// Leaves the Allows of the owner's own account and of AWS's services. Whether an Allow for anyone, the owner's account
/// with them, went.
pub(super) fn keep_own(document: &mut Document, own: &AccountId) -> bool {
    let mut anyone = false;
    document.statements.retain_mut(|statement| {
        if statement.effect == Effect::Deny {
            return true;
        }
        let Some(PrincipalElement::Is(Principals(all))) = &mut statement.principal else {
            anyone = true;
            return false;
        };
        for (kind, values) in all.iter_mut() {
            anyone |= values.iter().any(|value| value == "*");
            values.retain(|value| match kind.as_str() {
                "Service" => value != "*",
                "AWS" => {
                    value == own.as_str()
                        || value.parse::<Arn>().is_ok_and(|arn| arn.account_id().as_ref() == Some(own))
                }
                _ => false,
            });
        }
        all.retain(|_, values| !values.is_empty());
        !all.is_empty()
    });
    anyone
}

/// Whether the owner's account can still change a key's policy: KMS refuses one that locks everybody out.
pub(crate) fn manages(document: &Document, own: Option<&AccountId>, partition: Partition) -> bool {
    let Some(own) = own else { return false };
    let root = Request::new(Requester::Root(own.root_arn(partition)), "kms:PutKeyPolicy", "*", []);
    let circumstances = Circumstances::new(Guarded::Key, Some(own.clone()), Identity::Everything);
    evaluate(document, &root, &circumstances).is_allowed()
}
