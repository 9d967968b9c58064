//! A row of a snapshot, held by keeping its snapshot alive: no copy, no lock.

use super::{
    Failure, UpstreamId,
    snapshot::{Listed, Snapshot},
};
use jiff::Timestamp;
use std::{fmt, ops::Deref, sync::Arc};

/// One row, and where it came from.
pub struct RowRef<T: Listed> {
    snapshot: Arc<Snapshot<T>>,
    place: u32,
}

impl<T: Listed> RowRef<T> {
    pub(super) fn new(snapshot: Arc<Snapshot<T>>, place: u32) -> Option<Self> {
        (place < snapshot.len()).then_some(Self { snapshot, place })
    }

    /// The upstream that it was read from.
    pub fn upstream(&self) -> UpstreamId {
        self.snapshot.upstream()
    }

    /// When it was read.
    pub fn fetched_at(&self) -> Timestamp {
        self.snapshot.fetched_at()
    }

    /// Whether it is older than its lifetime.
    pub fn is_stale(&self) -> bool {
        !self.snapshot.is_fresh()
    }

    /// Why the row's id is of no use: another row of the list has it too.
    pub fn is_ambiguous(&self) -> Failure {
        self.snapshot.is_ambiguous()
    }

    /// The snapshot that it is in.
    pub(super) fn snapshot(&self) -> &Arc<Snapshot<T>> {
        &self.snapshot
    }

    /// Its place in the snapshot.
    pub(super) fn place(&self) -> u32 {
        self.place
    }
}

impl<T: Listed> Deref for RowRef<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.snapshot.row(self.place)
    }
}

impl<T: Listed> Clone for RowRef<T> {
    fn clone(&self) -> Self {
        Self {
            snapshot: self.snapshot.clone(),
            place: self.place,
        }
    }
}

impl<T: Listed + fmt::Debug> fmt::Debug for RowRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
