//! Where the lists of one upstream are kept: a slot for each list or key, with its current
//! snapshot, its last failure and the read in flight.
//!
//! [`FullList`] is one slot. [`PerKey`] is a slot for each key in use. [`PagedList`] is a full list
//! that may be begun with its first page. [`KeyedList`] is a full list that can also be read per
//! key, and chooses. Slots know nothing of the types of their rows, so all this is compiled once
//! and not once for each list.

mod full_list;
mod keyed_list;
mod paged_list;
mod per_key;
mod slot;
#[cfg(test)]
mod tests;

pub(super) use self::{
    full_list::FullList,
    keyed_list::{KeySource, KeyedList},
    paged_list::{PageSource, PagedList},
    per_key::PerKey,
    slot::Slot,
};

use self::slot::Reading;
use super::{
    Status,
    background_refresh::ListStats,
    snapshot::{Listed, Snapshot},
};
use crate::{
    blocking::run,
    time::Clock,
    upstream::{Error, ErrorKind, pager::Listing},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Lists of more rows are indexed on another thread: every row goes into several indexes.
const LONG: usize = 1_000;

/// How long readings are good for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freshness {
    /// Younger than this they need no refresh.
    pub lifetime: Duration,
    /// Older than `lifetime` by this they are thrown away.
    pub max_stale: Duration,
    /// How long a failure is passed on without asking again.
    pub failure: Duration,
}

/// What every slot of one list has in common.
#[derive(Debug)]
pub(super) struct Spec {
    /// For people who want to know what was read.
    pub name: &'static str,
    /// How long readings are good for.
    pub freshness: Freshness,
    /// Its upstream.
    pub status: Arc<Status>,
    /// Tells when something was read.
    pub clock: Clock,
    /// Reads so far: whole, in part, and failed.
    pub reads: [AtomicU64; 3],
}

impl Spec {
    /// What there is to say of this list where nothing of it is in hand.
    pub fn stats(&self) -> ListStats {
        ListStats {
            name: self.name,
            lifetime: self.freshness.lifetime,
            age: None,
            rows: 0,
            is_incomplete: false,
            reads: self
                .reads
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
        }
    }

    /// A list of one upstream.
    pub fn new(
        name: &'static str,
        status: &Arc<Status>,
        clock: Clock,
        freshness: Freshness,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            freshness,
            status: status.clone(),
            clock,
            reads: Default::default(),
        })
    }

    /// A snapshot of what was read.
    async fn index<T: Listed>(&self, listing: Listing<T>) -> Arc<dyn Reading> {
        let is_long = listing.rows.len() > LONG;
        let Freshness {
            lifetime, failure, ..
        } = self.freshness;
        let (id, now) = ((self.status.id, self.status.name.clone()), self.clock.now());
        let index = move || Arc::new(Snapshot::new(listing, id, now, lifetime, failure));
        if is_long { run(index).await } else { index() }
    }

    /// A mistake of ours in a read: its caller gets an error, and everybody else goes on.
    fn broken(&self) -> Error {
        Error::new(
            &self.status.name,
            ErrorKind::Invalid,
            "a read ended in a panic",
        )
    }

    /// What `read` gives; a panic is an error.
    async fn guarded<V>(&self, read: BoxFuture<'_, Result<V, Error>>) -> Result<V, Error> {
        AssertUnwindSafe(read)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(self.broken()))
    }
}
