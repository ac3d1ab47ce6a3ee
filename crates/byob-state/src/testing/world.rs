//! A bucket in memory and a clock, for stores in objects: shared by all of a test, and able to fail.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::RemoteStore;
use crate::objects::{Object, ObjectError, Objects, Timer, Version, When};

/// What becomes of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has its effect; the answer is lost.
    LostAfter,
    /// The request is lost.
    LostBefore,
    /// The network tries again by itself, and the second try meets the first.
    Twice,
    Conflict,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) now: BTreeMap<String, Object>,
    pub(crate) kept: Vec<(String, Object)>,
    pub(crate) writes: Vec<String>,
    pub(crate) fates: BTreeMap<usize, Fate>,
    pub(crate) etags: usize,
    pub(crate) unconditional: bool,
    /// From which write on nothing answers.
    pub(crate) dead_from: Option<usize>,
}

/// A bucket and a clock that all stores of a test share.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) bucket: Rc<RefCell<Bucket>>,
    pub(crate) now: Rc<Cell<Duration>>,
}

impl Bucket {
    fn put(&mut self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError> {
        if !self.unconditional && When::of(self.now.get(key)) != *when {
            return Err(ObjectError::NotAsExpected);
        }
        self.etags += 1;
        let object = Object { body: body.to_vec(), etag: format!("\"{}\"", self.etags) };
        self.kept.push((key.to_owned(), object.clone()));
        self.now.insert(key.to_owned(), object.clone());
        Ok(object.etag)
    }
}

impl Objects for World {
    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let bucket = self.bucket.borrow();
        if bucket.dead_from.is_some_and(|from| bucket.writes.len() >= from) {
            return Err(ObjectError::Lost("no route".to_owned()));
        }
        Ok(bucket.now.get(key).cloned())
    }

    async fn put(&self, key: &str, body: &[u8], when: &When) -> Result<String, ObjectError> {
        let mut bucket = self.bucket.borrow_mut();
        let number = bucket.writes.len();
        if bucket.dead_from.is_some_and(|from| number >= from) {
            return Err(ObjectError::Lost("no route".to_owned()));
        }
        bucket.writes.push(key.to_owned());
        let lost = || ObjectError::Lost("timed out".to_owned());
        match bucket.fates.get(&number) {
            None => bucket.put(key, body, when),
            Some(Fate::Conflict) => Err(ObjectError::Conflict),
            Some(Fate::LostBefore) => Err(lost()),
            Some(Fate::LostAfter) => bucket.put(key, body, when).and(Err(lost())),
            Some(Fate::Twice) => {
                let _ = bucket.put(key, body, when);
                bucket.put(key, body, when)
            }
        }
    }

    async fn versions(&self, key: &str) -> Result<Vec<Version>, ObjectError> {
        let bucket = self.bucket.borrow();
        let now = bucket.now.get(key).map(|object| object.etag.clone());
        let all = bucket.kept.iter().rev().filter(|(of, _)| of == key);
        Ok(all
            .map(|(_, object)| Version {
                id: object.etag.clone(),
                at: 0,
                latest: Some(&object.etag) == now.as_ref(),
            })
            .collect())
    }

    async fn version(&self, key: &str, id: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let bucket = self.bucket.borrow();
        let found = bucket.kept.iter().find(|(of, object)| of == key && object.etag == id);
        Ok(found.map(|(_, object)| object.body.clone()))
    }

    fn location(&self, key: &str) -> String {
        format!("s3://acme-state/{key}")
    }
}

impl Timer for World {
    fn elapsed(&self) -> Duration {
        self.now.get()
    }

    async fn sleep(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }
}

impl World {
    /// The record as another process sees it.
    pub(crate) fn store(&self) -> RemoteStore<Self, Self> {
        RemoteStore::new(self.clone(), self.clone(), "byob.state.json", true)
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.now.set(self.now.get() + Duration::from_secs(seconds));
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        self.bucket.borrow().writes.clone()
    }
}
