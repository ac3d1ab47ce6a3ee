//! The real binary against the embedded AWS. Every test has a machine and a world of its own; to change the world behind
//! byob's back, it opens the same folder with the AWS SDK.

mod approval;
mod concurrency;
mod crashes;
mod digests;
mod drift;
mod escapes;
mod faults;
mod first_contact;
mod first_run;
mod formats;
mod html;
mod identity;
mod log;
mod phases;
mod refusals;
mod removal;
mod scale;
mod verify;
pub(crate) mod world;

use crate::common::{Output, TestEnvironment};

/// One bucket, with everything else as it is by default.
pub(crate) const ONE_BUCKET: &str = r#"version = 1

[aws]
region = "us-east-1"
account_id = "123456789012"

[wandb]
deployment = "dedicated-cloud"

[bucket.storage]
name = "acme-wandb-storage"
"#;

/// One bucket on a key of its own.
pub(crate) const BUCKET_AND_KEY: &str = r#"version = 1

[aws]
region = "us-east-1"
account_id = "123456789012"

[wandb]
deployment = "dedicated-cloud"

[bucket.storage]
name = "acme-wandb-storage"
encryption = { type = "sse-kms", key = "key.storage" }

[key.storage]
alias = "acme-wandb"
"#;

impl TestEnvironment {
    /// Runs `byob ARGUMENTS --sandbox`.
    pub(crate) fn sandbox(&self, arguments: &str) -> Output {
        self.byob(&format!("{arguments} --sandbox"))
    }

    /// The same with faults switched on in its AWS.
    pub(crate) fn sandbox_with(&self, faults: &str, arguments: &str) -> Output {
        let mut command = self.command(&format!("{arguments} --sandbox"));
        command.env("BYOB_SANDBOX_FAULTS", faults);
        self.finish(command.spawn().unwrap())
    }

    /// A machine on which this configuration has been applied.
    pub(crate) fn applied(config: &str) -> Self {
        let env = Self::new(config);
        env.sandbox("apply --auto-approve").exits(0);
        env
    }
}
