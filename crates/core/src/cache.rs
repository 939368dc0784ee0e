//! What a backend read from a file once, for the whole run.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::FileId;

/// Facts by file. The read-back audit finds here what the first audit read from files that did not change.
#[derive(Default)]
pub struct FactsCache(Mutex<BTreeMap<FileId, Arc<dyn Any + Send + Sync>>>);

impl FactsCache {
    /// The facts of `file`, if they are of type `T`.
    pub fn get<T: Any + Send + Sync>(&self, file: &FileId) -> Option<Arc<T>> {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()?;
        facts.downcast().ok()
    }

    /// Keeps the facts of `file`.
    pub fn insert<T: Any + Send + Sync>(&self, file: FileId, facts: Arc<T>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file, facts);
    }
}
