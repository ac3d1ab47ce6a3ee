//! The world behind byob's back: what is in it, and clients to change it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use byob_sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::common::TestEnvironment;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const STRANGER: &str = "999988887777";

/// Every bucket, key and alias in the world, with the time of its file: any write, also one that changes nothing, makes
/// a new file.
pub(crate) type Tree = BTreeMap<PathBuf, ((i64, i64), String)>;

macro_rules! client {
    ($name:ident, $service:ident) => {
        pub(crate) fn $name(&self, region: &str) -> $service::Client {
            $service::Client::from_conf(
                $service::Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .region(Region::new(region.to_owned()))
                    .retry_config(RetryConfig::disabled())
                    .credentials_provider(self.0.credentials())
                    .http_client(self.0.http_client())
                    .build(),
            )
        }
    };
}

/// A handle of our own to the world of a test's machine.
pub(crate) struct World(pub(crate) Sandbox);

impl World {
    client!(s3, aws_sdk_s3);
    client!(kms, aws_sdk_kms);

    pub(crate) async fn of(env: &TestEnvironment) -> Self {
        let options = Options {
            dir: Some(env.dir().join(".byob/sandbox")),
            account_id: ACCOUNT.to_owned(),
            ..Options::default()
        };
        Self(Sandbox::open(options).await.unwrap())
    }
}

impl TestEnvironment {
    /// Everything in the world, to see whether anything was written.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        for folder in ["buckets", "keys", "aliases", "objects"] {
            gather(&self.dir().join(".byob/sandbox").join(folder), &mut tree);
        }
        tree
    }

    /// The names in one folder of the world: `buckets`, `keys`, `aliases`.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let prefix = self.dir().join(".byob/sandbox").join(folder);
        let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        self.tree().keys().filter(|path| path.starts_with(&prefix)).map(name).collect()
    }

    /// The files that differ between two looks at the world: made, written or removed.
    pub(crate) fn written(&self, before: &Tree) -> Vec<String> {
        let after = self.tree();
        let mut paths: Vec<&PathBuf> = before.keys().chain(after.keys()).collect();
        paths.sort();
        paths.dedup();
        let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
        let base = self.dir().join(".byob/sandbox");
        differ.map(|path| path.strip_prefix(&base).unwrap().display().to_string()).collect()
    }

    /// The record's file.
    pub(crate) fn record_path(&self) -> PathBuf {
        self.dir().join(".byob/sandbox/record/byob.state.json")
    }

    /// The record; `Null` where there is none.
    pub(crate) fn record(&self) -> Value {
        match std::fs::read_to_string(self.record_path()) {
            Ok(text) => serde_json::from_str(&text).unwrap(),
            Err(_) => Value::Null,
        }
    }

    /// What the record says about resources, with the ids of keys masked: what any two good runs have in common.
    pub(crate) fn resources(&self) -> Value {
        let record = self.record();
        let mut text = record["resources"].to_string();
        for resource in record["resources"].as_object().unwrap().values() {
            if let Some((_, id)) = resource["identity"].as_str().and_then(|arn| arn.split_once(":key/")) {
                text = text.replace(id, "KEY");
            }
        }
        serde_json::from_str(&text).unwrap()
    }

    /// The ARN of the only key in the record.
    pub(crate) fn key_arn(&self) -> String {
        let record = self.record();
        let resources = record["resources"].as_object().unwrap();
        let mut arns =
            resources.values().filter(|r| r["kind"] == "key").filter_map(|r| r["identity"].as_str());
        let arn = arns.next().expect("no key is recorded").to_owned();
        assert_eq!(arns.next(), None);
        arn
    }

    /// Insists that a plan would do nothing and that nothing drifted.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        self.sandbox("plan --detailed-exitcode").exits(0);
        self.sandbox("drift").exits(0);
    }
}

fn gather(folder: &Path, tree: &mut Tree) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, tree);
        } else {
            let facts = path.metadata().unwrap();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            tree.insert(path, ((facts.ctime(), facts.ctime_nsec()), text));
        }
    }
}

/// Runs a future of the SDK to its end.
pub(crate) fn wait<T>(future: impl IntoFuture<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { future.await })
}
