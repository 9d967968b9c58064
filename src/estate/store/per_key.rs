//! Readings of one kind of list by key, each in a slot of its own.

use super::{Slot, Spec};
use crate::{
    estate::{
        Failure,
        background_refresh::{Due, ListStats, Refresh, due},
        snapshot::{Listed, Snapshot, Stamp},
    },
    upstream::{Error, pager::Listing},
};
use futures_util::future::BoxFuture;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

type Read<K, T> = dyn Fn(&K) -> BoxFuture<'static, Result<Listing<T>, Error>> + Send + Sync;

/// Readings by key. Beyond so many rows, what was used the longest ago is forgotten.
pub(in crate::estate) struct PerKey<K, T> {
    spec: Arc<Spec>,
    read: Arc<Read<K, T>>,
    slots: Mutex<HashMap<K, Arc<Slot>>>,
    max_rows: u64,
    /// Rows in all slots together.
    kept_rows: Arc<AtomicU64>,
}

impl<K, T> PerKey<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    /// Nothing is read yet. Keeps about `max_rows` rows; a key without rows counts as one.
    pub fn new(
        spec: Arc<Spec>,
        max_rows: u64,
        read: impl Fn(&K) -> BoxFuture<'static, Result<Listing<T>, Error>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            spec,
            read: Arc::new(read),
            slots: Mutex::default(),
            max_rows,
            kept_rows: Arc::default(),
        }
    }

    /// What is kept under a key, or what a read gives; a thousand callers cause one read.
    pub async fn get(&self, key: &K) -> Result<Arc<Snapshot<T>>, Failure> {
        let slot = self.slot(key);
        slot.get().await
    }

    /// What a read gives now, whatever is kept; nor is it kept.
    pub async fn get_anew(&self, key: &K) -> Result<Arc<Snapshot<T>>, Failure> {
        self.open(key).get().await
    }

    /// What is kept under a key, fresh or stale; a stale one is being refreshed by the time this
    /// returns.
    pub fn peek(&self, key: &K) -> Option<Arc<Snapshot<T>>> {
        self.known(key)?.peek()
    }

    /// The last reading under a key, for one that asks for something else; it does not count as
    /// used.
    pub fn last(&self, key: &K) -> Option<Arc<Snapshot<T>>> {
        self.known(key)?.last()
    }

    /// What was asked for again since it was read. What is too old to be shown to anybody is
    /// forgotten.
    pub fn in_use(&self, now: Instant) -> Vec<(Arc<Slot>, Arc<Stamp>)> {
        let mut slots = self.slots();
        forget_empty(&mut slots, now);
        slots
            .values()
            .filter_map(|slot| Some((slot.clone(), slot.in_use(now)?)))
            .collect()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<K, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &K) -> Option<Arc<Slot>> {
        self.slots().get(key).cloned()
    }

    fn slot(&self, key: &K) -> Arc<Slot> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(key) {
            return slot.clone();
        }
        self.make_room(&mut slots);
        let slot = self.open(key);
        slots.insert(key.clone(), slot.clone());
        slot
    }

    fn open(&self, key: &K) -> Arc<Slot> {
        let (read, of_read) = (self.read.clone(), key.clone());
        Slot::new(self.spec.clone(), self.kept_rows.clone(), move |_| {
            read(&of_read)
        })
    }

    /// Forgets an eighth where there are too many, so that looking through all of them is rare.
    fn make_room(&self, slots: &mut HashMap<K, Arc<Slot>>) {
        let weight = |slots: &HashMap<K, Arc<Slot>>| {
            self.kept_rows.load(Ordering::Relaxed) + slots.len() as u64
        };
        if weight(slots) < self.max_rows {
            return;
        }
        forget_empty(slots, Instant::now());
        let idle = slots.iter().filter(|(_, slot)| is_idle(slot));
        let mut by_use: Vec<_> = idle
            .map(|(key, slot)| (slot.last_use(), key.clone()))
            .collect();
        by_use.sort_by_key(|(last_use, _)| *last_use);
        for (_, key) in by_use {
            if weight(slots) <= self.max_rows / 8 * 7 {
                break;
            }
            slots.remove(&key);
        }
    }
}

/// Whether nobody is about to read: while the map is locked, nobody else can come to the slot.
fn is_idle(slot: &Arc<Slot>) -> bool {
    Arc::strong_count(slot) == 1
}

fn forget_empty<K: Eq + Hash>(slots: &mut HashMap<K, Arc<Slot>>, now: Instant) {
    slots.retain(|_, slot| !(is_idle(slot) && slot.is_empty(now)));
}

impl<K, T> Refresh for PerKey<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    fn due(&self, now: Instant) -> Vec<Due> {
        due(self.in_use(now), now)
    }

    fn kept_rows(&self) -> u64 {
        self.kept_rows.load(Ordering::Relaxed)
    }

    fn stats(&self, _now: Instant) -> Vec<ListStats> {
        vec![ListStats {
            rows: Refresh::kept_rows(self),
            ..self.spec.stats()
        }]
    }
}
