//! A list that is read as a whole.

use super::{Slot, Spec};
use crate::{
    estate::{
        Failure,
        background_refresh::{Due, ListStats, Refresh, due},
        snapshot::{Listed, Snapshot},
    },
    upstream::{Error, pager::Listing},
};
use futures_util::future::BoxFuture;
use std::{marker::PhantomData, sync::Arc, time::Instant};

/// A list that is read as a whole.
pub(in crate::estate) struct FullList<T> {
    slot: Arc<Slot>,
    row: PhantomData<fn() -> T>,
}

impl<T: Listed> FullList<T> {
    /// Nothing is read yet. `read` is given the last snapshot to build on.
    pub fn new(
        spec: Arc<Spec>,
        read: impl Fn(Option<Arc<Snapshot<T>>>) -> BoxFuture<'static, Result<Listing<T>, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            slot: Slot::new(spec, Arc::default(), read),
            row: PhantomData,
        }
    }

    /// What is kept, or what a read gives; a thousand callers cause one read.
    pub async fn get(&self) -> Result<Arc<Snapshot<T>>, Failure> {
        self.slot.get().await
    }

    /// What is kept, fresh or stale; a stale one is being refreshed by the time this returns.
    pub fn peek(&self) -> Option<Arc<Snapshot<T>>> {
        self.slot.peek()
    }

    /// The last snapshot, for one that asks for something else; it does not count as used.
    pub fn last(&self) -> Option<Arc<Snapshot<T>>> {
        self.slot.last()
    }

    /// The slot that it is kept in.
    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Whether a read is under way.
    pub fn is_reading(&self) -> bool {
        self.slot.is_reading()
    }
}

impl<T: Listed> Refresh for FullList<T> {
    fn due(&self, now: Instant) -> Vec<Due> {
        due(
            self.slot
                .in_use(now)
                .map(|reading| (self.slot.clone(), reading)),
            now,
        )
    }

    fn kept_rows(&self) -> u64 {
        self.slot.kept_rows()
    }

    fn stats(&self, now: Instant) -> Vec<ListStats> {
        vec![self.slot.stats(now)]
    }

    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        vec![Box::pin(async {
            self.get().await.and_then(|all| all.or_problem())
        })]
    }
}
