//! What somebody does by hand, behind byob's back: nothing that byob could not put right.

use byob_model::kind::{Algorithm, BYOB_LINEAGE, KeyState, PublicAccessBlock, VersioningStatus};

use crate::Dice;
use crate::world::Account;

/// Changes something, and says what.
pub(crate) fn meddle(dice: &mut Dice, account: &mut Account) -> &'static str {
    // A bucket that an interrupted run made, and somebody then put something in before it had its tags, is one that nothing
    // proves to be ours (design §3): a person has to say so. Whether that is said is not asked here.
    let ours = account.buckets.iter().filter(|(_, bucket)| bucket.tags.contains_key(BYOB_LINEAGE));
    let names: Vec<String> = ours.map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return "nothing";
    }
    let bucket = account.bucket(&names[dice.size(names.len())]);
    match dice.below(9) {
        0 => {
            bucket.policy = None;
            "the policy deleted"
        }
        1 => {
            bucket.block =
                Some(PublicAccessBlock { restrict_public_buckets: false, ..PublicAccessBlock::ALL });
            "the block loosened"
        }
        2 => {
            bucket.encryption.algorithm = Algorithm::Aes256;
            bucket.encryption.kms_key = None;
            bucket.encryption.bucket_key = false;
            "the encryption put back"
        }
        3 | 4 => {
            bucket.objects += 1;
            "an object written"
        }
        5 => {
            bucket.cors.clear();
            "CORS cleared"
        }
        6 => {
            if bucket.versioning.is_some() {
                bucket.versioning = Some(VersioningStatus::Suspended);
            }
            "versioning suspended"
        }
        7 => {
            bucket.tags.insert("Team".to_owned(), "theirs".to_owned());
            "a tag changed"
        }
        _ => {
            for key in account.keys.values_mut().filter(|key| key.state == KeyState::Enabled) {
                key.state = KeyState::Disabled;
            }
            "the key disabled"
        }
    }
}
