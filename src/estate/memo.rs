//! Remembers one thing worked out from several snapshots, for as long as none of them was read anew.

use std::sync::{Arc, Mutex, PoisonError};

/// A value and the generations that it was worked out from.
#[derive(Debug)]
pub(super) struct Memo<V>(Mutex<Option<(Vec<u64>, Arc<V>)>>);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Send + Sync + 'static> Memo<V> {
    /// The remembered value if these are its generations; else what `work` gives, done off the async threads.
    pub async fn get(&self, generations: Vec<u64>, work: impl FnOnce() -> V + Send + 'static) -> Arc<V> {
        if let Some((known, value)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == generations
        {
            return value.clone();
        }
        let value = match tokio::task::spawn_blocking(work).await {
            Ok(value) => Arc::new(value),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((generations, value.clone()));
        value
    }
}
