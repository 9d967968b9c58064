//! Remembers what was worked out from several snapshots, for as long as none of them was read anew.

use crate::blocking::run;
use futures_util::FutureExt;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// How many sets of snapshots are remembered: the present one, and the one that others are still
/// reading.
const REMEMBERED: usize = 2;

/// A value by the generations that it was worked out from. However many ask at once, it is worked
/// out once.
pub(super) struct Memo<V>(Mutex<VecDeque<(Vec<u64>, Arc<OnceCell<Arc<V>>>)>>);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Send + Sync + 'static> Memo<V> {
    /// The remembered value if these are its generations; else what `work` gives, done off the
    /// async threads.
    pub(super) async fn get(
        &self,
        generations: Vec<u64>,
        work: impl FnOnce() -> V + Send + 'static,
    ) -> Arc<V> {
        let value = self.cell(generations);
        value.get_or_init(|| run(work).map(Arc::new)).await.clone()
    }

    /// Where the value is or will be; the set of snapshots that was used the longest ago makes
    /// room.
    fn cell(&self, generations: Vec<u64>) -> Arc<OnceCell<Arc<V>>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered
            .iter()
            .position(|(known, _)| *known == generations)
            .and_then(|place| remembered.remove(place));
        let (generations, cell) = known.unwrap_or_else(|| (generations, Arc::default()));
        remembered.truncate(REMEMBERED - 1);
        remembered.push_front((generations, cell.clone()));
        cell
    }
}
