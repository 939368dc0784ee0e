//! Bytes that stay at hand from one step to the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{ByteSource, Bytes, Result};

/// How many bytes all sources that share it may keep.
#[derive(Clone)]
pub struct Budget(Arc<AtomicU64>);

impl Budget {
    /// Of so many bytes.
    pub fn new(bytes: u64) -> Self {
        Budget(Arc::new(AtomicU64::new(bytes)))
    }

    /// `source`, whose bytes stay once it was opened, as long as all of them together are within the budget.
    pub fn keep(&self, source: Arc<dyn ByteSource>) -> Arc<dyn ByteSource> {
        Arc::new(Kept { source, budget: self.clone(), bytes: Mutex::default() })
    }
}

struct Kept {
    source: Arc<dyn ByteSource>,
    budget: Budget,
    bytes: Mutex<Option<Bytes>>,
}

impl ByteSource for Kept {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn open(&self) -> Result<Bytes> {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &*kept {
            return Ok(bytes.clone());
        }
        let bytes = self.source.open()?;
        let take = |left: u64| left.checked_sub(self.size());
        if self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            *kept = Some(bytes.clone());
        }
        Ok(bytes)
    }
}
