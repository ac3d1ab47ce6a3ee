//! The record's lock in front of every write to AWS: none is begun unless the lock certainly holds for as long as the call
//! may take. AWS cannot be told whose lock it is, so this is all that keeps a run that lost its lock from writing on.

use byob_model::call::{Call, Operation, Target};
use byob_model::kind::KeyRef;
use byob_model::live::{Live, Wanted};
use byob_state::{Store, StoreError};
use futures_util::future::{Either, select};

use crate::cloud::{Caller, Clock, Cloud, CloudError, Done, ErrorKind, Needed};

/// A cloud behind a lock.
pub(crate) struct Fenced<'a, C, S, K> {
    pub(crate) cloud: &'a C,
    pub(crate) store: &'a S,
    pub(crate) clock: &'a K,
}

impl<C: Cloud, S: Store, K: Clock> Cloud for Fenced<'_, C, S, K> {
    async fn caller(&self) -> Result<Caller, CloudError> {
        self.cloud.caller().await
    }

    async fn read(&self, wanted: &Wanted) -> Result<Live, CloudError> {
        self.cloud.read(wanted).await
    }

    async fn perform(&self, call: &Call) -> Result<Done, CloudError> {
        self.store.may_write().await.map_err(|error| not_begun(call, &error))?;
        // Emptying a bucket is many requests, each of them short; what they delete was consented to by name.
        let limit = self.store.call_limit().filter(|_| call.operation != Operation::DeleteObjects);
        let Some(limit) = limit else { return self.cloud.perform(call).await };
        let (call_ends, time_ends) =
            (std::pin::pin!(self.cloud.perform(call)), std::pin::pin!(self.clock.sleep(limit)));
        match select(call_ends, time_ends).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => {
                let message = format!("no answer within {} s", limit.as_secs());
                Err(CloudError { message, ..error(call, ErrorKind::Network) })
            }
        }
    }

    async fn denied(&self, caller: &Caller, needed: &[Needed]) -> Result<Vec<Needed>, CloudError> {
        self.cloud.denied(caller, needed).await
    }

    async fn principal_exists(&self, arn: &str) -> Result<bool, CloudError> {
        self.cloud.principal_exists(arn).await
    }

    fn cloud_time(&self) -> Option<i64> {
        self.cloud.cloud_time()
    }
}

/// The call was not made.
fn not_begun(call: &Call, why: &StoreError) -> CloudError {
    let message = format!("not begun, because {why}");
    CloudError { message, help: why.help().into_iter().collect(), ..error(call, ErrorKind::Unexpected) }
}

fn error(call: &Call, kind: ErrorKind) -> CloudError {
    let resource = match &call.target {
        Target::Bucket { name, .. } => name.clone(),
        Target::Key { key: KeyRef::Arn(arn), .. } => arn.clone(),
        Target::Key { key: KeyRef::Managed { arn_of }, .. } => arn_of.to_string(),
    };
    CloudError {
        kind,
        operation: call.operation.as_str().to_owned(),
        iam_action: None,
        resource,
        code: None,
        status: None,
        message: String::new(),
        request_id: None,
        help: Vec::new(),
    }
}
