//! Remembers what was worked out from several snapshots, for as long as none of them was read anew.

use crate::aside::aside;
use futures_util::FutureExt;
use moka::future::Cache;
use std::sync::Arc;

/// How many sets of snapshots are remembered: the present one, and the one that others are still reading.
const REMEMBERED: u64 = 2;

/// A value by the generations that it was worked out from. However many ask at once, it is worked out once.
pub(super) struct Memo<V>(Cache<Vec<u64>, Arc<V>>);

impl<V: Send + Sync + 'static> Default for Memo<V> {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl<V: Send + Sync + 'static> Memo<V> {
    /// The remembered value if these are its generations; else what `work` gives, done off the async threads.
    pub(super) async fn get(&self, generations: Vec<u64>, work: impl FnOnce() -> V + Send + 'static) -> Arc<V> {
        self.0.get_with(generations, aside(work).map(Arc::new)).await
    }
}
