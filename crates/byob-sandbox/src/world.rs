//! The world as it is: the records of buckets, keys and aliases on their shelves, the emulators underneath, and the
//! faults with their counters. Knows no protocol.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cloudtrail::Trail;
use crate::error::SandboxError;
use crate::faults::{Counters, Faults, Stale};
use crate::iam::Iam;
use crate::kms::{Alias, Facet, Key};
use crate::route::{Request, partition};
use crate::s3::{Bucket, Document, ObjectStore, Sub};
use crate::store::{self, Shelf};

/// The newest format of `world.json` that this version reads and writes.
pub(crate) const FORMAT: u32 = 1;

/// What the folder says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format_version: u32,
    pub(crate) account_id: String,
}

/// Everything the sandbox knows.
pub(crate) struct World {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) account: String,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) buckets: Shelf<Bucket>,
    pub(crate) objects: HashMap<String, ObjectStore>,
    pub(crate) keys: Shelf<Key>,
    /// By region and name: `eu-west-1/alias/wandb`.
    pub(crate) aliases: Shelf<Alias>,
    pub(crate) iam: Iam,
    /// Assumed roles by their access key: the session's ARN. Of this process alone.
    pub(crate) sessions: HashMap<String, String>,
    pub(crate) trail: Trail,
    pub(crate) stale_buckets: Stale<String, Option<Arc<Bucket>>>,
    pub(crate) stale_documents: Stale<(String, Sub), Option<Document>>,
    pub(crate) stale_keys: Stale<(String, Facet), Option<Arc<Key>>>,
    pub(crate) stale_aliases: Stale<String, Option<Arc<Alias>>>,
}

impl World {
    /// The world in `dir`, made if it is not there.
    pub(crate) fn open(dir: Option<PathBuf>, account: String, faults: Faults) -> Result<Self, SandboxError> {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SandboxError::AccountId(account));
        }
        if let Some(dir) = &dir {
            let path = dir.join("world.json");
            match store::read_json::<Head>(&path)? {
                Some(head) if head.format_version > FORMAT => {
                    return Err(SandboxError::NewerFormat {
                        path,
                        found: head.format_version,
                        known: FORMAT,
                    });
                }
                Some(head) if head.account_id != account => {
                    let (path, found) = (dir.clone(), head.account_id);
                    return Err(SandboxError::OtherAccount { path, found, wanted: account });
                }
                Some(_) => {}
                None => {
                    store::write_json(&path, &Head { format_version: FORMAT, account_id: account.clone() })?;
                }
            }
        }
        // `winterbaume_core::set_default_account_id` is not called: it is process-wide, and changes the place where the
        // emulators keep their state under the feet of a sandbox that is open already. Nothing here depends on it.
        let shelf = |name: &str| dir.as_ref().map(|dir| dir.join(name));
        let reads = faults.stale_reads;
        Ok(Self {
            account,
            faults,
            counters: Counters::default(),
            buckets: Shelf::new(shelf("buckets")),
            objects: HashMap::new(),
            keys: Shelf::new(shelf("keys")),
            aliases: Shelf::new(shelf("aliases")),
            iam: Iam::new(shelf("iam.json")),
            sessions: HashMap::new(),
            trail: Trail::new(dir.as_ref()),
            stale_buckets: Stale::new(reads),
            stale_documents: Stale::new(reads),
            stale_keys: Stale::new(reads),
            stale_aliases: Stale::new(reads),
            dir,
        })
    }

    /// The session of an assumed role that signed a request; `None` for everybody else.
    pub(crate) fn session(&self, request: &Request) -> Option<&str> {
        self.sessions.get(&request.access_key()?).map(String::as_str)
    }

    /// The ARN of whoever calls without having assumed a role: one role for everybody, in a session.
    pub(crate) fn caller_arn(&self, region: &str) -> String {
        format!(
            "arn:{}:sts::{}:assumed-role/{}/sandbox",
            partition(region),
            self.account,
            crate::iam::CALLER_ROLE
        )
    }
}
