//! A bucket that holds a record: objects with ETags and conditional writes, strongly consistent as S3 is, whose answers and
//! requests get lost, and whose network tries again by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use byob_state::objects::{Object, Version, When};
use byob_state::{ObjectError, Objects, Timer};

use super::World;
use super::place::{Happened, Stored};

#[derive(Default)]
struct Bucket {
    now: BTreeMap<String, Object>,
    etags: usize,
}

/// The bucket, as one process sees it.
#[derive(Clone)]
pub struct RecordBucket {
    bucket: Rc<RefCell<Bucket>>,
    stored: Rc<RefCell<Option<Stored>>>,
    world: World,
}

impl RecordBucket {
    /// An empty one.
    #[must_use]
    pub fn new(world: &World) -> Self {
        Self { bucket: Rc::default(), stored: Rc::default(), world: world.clone() }
    }

    /// The same bucket as another process sees it.
    #[must_use]
    pub fn another_process(&self, world: &World) -> Self {
        Self { world: world.clone(), ..self.clone() }
    }

    /// Lets somebody look after each write of the record or its journal.
    pub fn watched_by(&self, stored: Stored) {
        *self.stored.borrow_mut() = Some(stored);
    }

    /// The bytes of an object.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        self.bucket.borrow().now.get(key).map(|object| object.body.clone())
    }

    fn effect(&self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError> {
        let etag = {
            let mut bucket = self.bucket.borrow_mut();
            if When::of(bucket.now.get(key)) != *when {
                if !tries_conditions(body) {
                    self.world.count("412: somebody else wrote the object meanwhile");
                }
                return Err(ObjectError::NotAsExpected);
            }
            bucket.etags += 1;
            let etag = format!("\"{}\"", bucket.etags);
            bucket.now.insert(key.to_owned(), Object { body: body.to_vec(), etag: etag.clone() });
            etag
        };
        let stored = self.stored.borrow().clone();
        let happened = match key.ends_with(".lock") {
            false => Some(Happened::Written),
            true if begins(body) => Some(Happened::Locked),
            true => None,
        };
        if let (Some(stored), Some(happened)) = (stored, happened) {
            stored(self.world.process(), happened);
        }
        Ok(etag)
    }

    async fn travel(&self) {
        self.world.time.sleep(Duration::from_millis(3)).await;
    }
}

/// Whether a lock is being taken, rather than renewed or given back.
fn begins(body: &[u8]) -> bool {
    let lock: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    !lock["holder"].is_null() && lock["renewal"] == 0
}

/// Whether a write is made to be refused.
fn tries_conditions(body: &[u8]) -> bool {
    let lock: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    lock["renewal"] == u64::MAX
}

fn lost() -> ObjectError {
    ObjectError::Lost("timed out".to_owned())
}

impl Objects for RecordBucket {
    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        self.world.tick().await;
        self.travel().await;
        let failed = self.world.faults().luck.as_mut().and_then(super::faults::Luck::read).is_some();
        if failed {
            self.world.count("a read of the record's bucket got no answer");
            return Err(lost());
        }
        Ok(self.bucket.borrow().now.get(key).cloned())
    }

    async fn put(&self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError> {
        self.world.tick().await;
        self.travel().await;
        let fate = self.world.faults().luck.as_mut().and_then(super::faults::Luck::object);
        if let Some(fate) = fate {
            self.world.count(fate);
        }
        let answer = match fate {
            None => self.effect(key, body, when),
            Some("a write of the record's bucket was lost") => Err(lost()),
            Some("409: another conditional write was under way") => Err(ObjectError::Conflict),
            Some("a write of the record's bucket arrived twice") => {
                let _ = self.effect(key, body, when);
                self.effect(key, body, when)
            }
            Some(_) => self.effect(key, body, when).and(Err(lost())),
        };
        self.travel().await;
        self.world.tick().await;
        answer
    }

    async fn versions(&self, _: &str) -> Result<Vec<Version>, ObjectError> {
        Ok(Vec::new())
    }

    async fn version(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        Ok(None)
    }

    fn location(&self, key: &str) -> String {
        format!("s3://acme-state/{key}")
    }
}

impl Timer for World {
    fn elapsed(&self) -> Duration {
        self.time.now()
    }

    async fn sleep(&self, time: Duration) {
        self.tick().await;
        self.time.sleep(time).await;
    }
}
