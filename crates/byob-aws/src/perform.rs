//! One call is one write: which room makes it, and nothing more. Retrying is the executor's.

use byob_apply::{Cloud, CloudError, Done, ErrorKind};
use byob_model::call::{Call, Operation, Payload, Target};
use byob_model::kind::{Attributes, BYOB_INTENT, KeyRef};

use crate::bucket::{self, At};
use crate::cloud::AwsCloud;
use crate::error::without_request;
use crate::key::{self, KeyAt};
use crate::{
    alias, cors, encryption, key_policy, lifecycle, logging, object_lock, ownership, policy,
    public_access_block, rotation, tags, versioning,
};

/// Makes one write.
pub(crate) async fn perform(cloud: &AwsCloud, call: &Call) -> Result<Done, CloudError> {
    let account_id = match &call.target {
        Target::Bucket { account_id, .. } | Target::Key { account_id, .. } => account_id,
    };
    // Creations have no owner to be checked by AWS: the account is checked here, for all alike.
    let caller = cloud.caller().await?;
    if caller.account_id != *account_id {
        return Err(without_request(
            ErrorKind::Invalid,
            format!(
                "the credentials are of account {}, and the write is meant for {account_id}",
                caller.account_id
            ),
            &[],
        ));
    }
    match &call.target {
        Target::Bucket { name, region, account_id } => {
            let at = At { cloud, name, region, owner: account_id };
            if call.operation == Operation::DeleteObjects {
                return bucket::empty(at).await.map(|more| Done { more, ..Done::default() });
            }
            perform_bucket(at, call).await.map(|()| Done::default())
        }
        Target::Key { key, region, .. } => perform_key(cloud, key, region, call).await,
    }
}

async fn perform_bucket(at: At<'_>, call: &Call) -> Result<(), CloudError> {
    match (call.operation, &call.payload) {
        (Operation::CreateBucket, Payload::NewBucket { object_lock, .. }) => {
            bucket::create(at, *object_lock).await
        }
        (Operation::DeleteBucket, _) => bucket::remove(at).await,
        (Operation::PutPublicAccessBlock, Payload::Attributes(Attributes::PublicAccessBlock(block))) => {
            public_access_block::put(at, block).await
        }
        (Operation::PutBucketOwnershipControls, Payload::Attributes(Attributes::Ownership(ownership))) => {
            ownership::put(at, ownership).await
        }
        (Operation::PutBucketEncryption, Payload::Attributes(Attributes::Encryption(encryption))) => {
            encryption::put(at, encryption).await
        }
        (
            Operation::PutBucketCors | Operation::DeleteBucketCors,
            Payload::Attributes(Attributes::Cors(cors)),
        ) => cors::put(at, cors).await,
        (Operation::DeleteBucketCors, Payload::None) => cors::remove(at).await,
        (Operation::PutBucketVersioning, Payload::Attributes(Attributes::Versioning(versioning))) => {
            versioning::put(at, versioning).await
        }
        (
            Operation::PutBucketLifecycleConfiguration | Operation::DeleteBucketLifecycle,
            Payload::Attributes(Attributes::Lifecycle(lifecycle)),
        ) => lifecycle::put(at, lifecycle).await,
        (Operation::DeleteBucketLifecycle, Payload::None) => lifecycle::remove(at).await,
        (Operation::PutBucketTagging | Operation::DeleteBucketTagging, Payload::Tags { set, remove }) => {
            tags::put(at, set, remove).await
        }
        (Operation::PutBucketLogging, Payload::Attributes(Attributes::Logging(logging))) => {
            logging::put(at, logging).await
        }
        (Operation::PutObjectLockConfiguration, Payload::Attributes(Attributes::ObjectLock(lock))) => {
            object_lock::put(at, lock).await
        }
        (Operation::PutBucketPolicy, Payload::Attributes(Attributes::Policy(wanted))) => {
            policy::put(at, wanted).await
        }
        (Operation::DeleteBucketPolicy, _) => policy::remove(at).await,
        _ => Err(misbuilt(call)),
    }
}

async fn perform_key(cloud: &AwsCloud, key: &KeyRef, region: &str, call: &Call) -> Result<Done, CloudError> {
    match (call.operation, &call.payload) {
        (Operation::CreateKey, Payload::NewKey { description, policy, tags, intent }) => {
            let mut tags = tags.clone();
            if let Some(intent) = intent {
                tags.entry(BYOB_INTENT.to_owned()).or_insert_with(|| intent.to_string());
            }
            let arn = key::create(cloud, region, description, policy, &tags).await?;
            return Ok(Done { key_arn: Some(arn), more: false });
        }
        // An alias is known by its name: its key may be unknown or gone.
        (Operation::DeleteAlias, Payload::Alias { name }) => {
            alias::remove(cloud, region, name).await?;
            return Ok(Done::default());
        }
        _ => {}
    }
    let arn = match key {
        KeyRef::Arn(arn) => arn,
        KeyRef::Managed { arn_of } => {
            return Err(without_request(
                ErrorKind::Unexpected,
                format!("{} was to be called before the ARN of {arn_of} is known", call.operation.as_str()),
                &[],
            ));
        }
    };
    let at = KeyAt::new(cloud, arn)?;
    match (call.operation, &call.payload) {
        (Operation::UpdateKeyDescription, Payload::Attributes(Attributes::Key(wanted))) => {
            key::put_description(at, &wanted.description).await
        }
        (Operation::EnableKey, _) => key::enable(at).await,
        (Operation::CancelKeyDeletion, _) => key::cancel_deletion(at).await,
        (Operation::ScheduleKeyDeletion, Payload::Window { days }) => key::remove(at, *days).await,
        (Operation::PutKeyPolicy, Payload::Attributes(Attributes::Policy(wanted))) => {
            key_policy::put(at, wanted).await
        }
        (Operation::EnableKeyRotation, Payload::Attributes(Attributes::Rotation(wanted))) => {
            rotation::put(at, wanted).await
        }
        (Operation::DisableKeyRotation, _) => rotation::remove(at).await,
        (Operation::CreateAlias, Payload::Alias { name }) => alias::put(at, name).await,
        (Operation::CreateAlias, Payload::Attributes(Attributes::Alias(wanted))) => {
            alias::put(at, &wanted.name).await
        }
        (Operation::TagResource, Payload::Tags { set, .. }) => tags::put_key(at, set).await,
        (Operation::UntagResource, Payload::Tags { remove, .. }) => tags::remove_key(at, remove).await,
        _ => Err(misbuilt(call)),
    }
    .map(|()| Done::default())
}

fn misbuilt(call: &Call) -> CloudError {
    without_request(
        ErrorKind::Unexpected,
        format!(
            "{} cannot be made of what the plan gave it; this is a defect of byob",
            call.operation.as_str()
        ),
        &[],
    )
}
