//! Keeps readings by key, and knows how each is read: one flight per key however many wait, stale readings served while one
//! refresh runs, failures damped and never kept.

use super::{
    Failure, Status,
    reads::{self, Found},
    snapshot::{Listed, Snapshot, Stamp},
};
use crate::{
    aside::aside,
    time::Clock,
    upstream::{Error, ErrorKind, meter, pager::Listing},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use moka::future::Cache;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Lists of more rows are filed aside: every row goes into several indexes.
const LONG: usize = 1_000;

type Outcome<T> = Result<Arc<Snapshot<T>>, Failure>;
type Flight<T> = Shared<BoxFuture<'static, Outcome<T>>>;
type Reader<K, T> = dyn Fn(K, Option<Arc<Snapshot<T>>>) -> BoxFuture<'static, Result<Listing<T>, Error>> + Send + Sync;

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

/// Readings of one kind of list, by key.
pub(super) struct Shelf<K, T: Listed> {
    /// For people who want to know what was read.
    name: &'static str,
    read: Box<Reader<K, T>>,
    kept: Cache<K, Arc<Snapshot<T>>>,
    damped: Cache<K, Failure>,
    flights: Mutex<HashMap<K, Flight<T>>>,
    freshness: Freshness,
    status: Arc<Status>,
    clock: Clock,
}

impl<K, T> Shelf<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    /// An empty shelf that keeps at most `rows` rows. `read` is given a key, and its last reading to build on.
    pub fn new<F>(
        name: &'static str,
        status: &Arc<Status>,
        clock: Clock,
        freshness: Freshness,
        rows: u64,
        read: impl Fn(K, Option<Arc<Snapshot<T>>>) -> F + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        F: Future<Output = Result<Listing<T>, Error>> + Send + 'static,
    {
        let kept = Cache::builder()
            .max_capacity(rows)
            .weigher(|_, snapshot: &Arc<Snapshot<T>>| snapshot.len().saturating_add(1))
            .time_to_live(freshness.lifetime + freshness.max_stale)
            .build();
        let damped = Cache::builder().max_capacity(10_000).time_to_live(freshness.failure).build();
        let read = Box::new(move |key, last| read(key, last).boxed());
        Arc::new(Self { name, read, kept, damped, flights: Mutex::default(), freshness, status: status.clone(), clock })
    }

    /// What is kept under a key, fresh or stale; a stale one is being refreshed by the time this returns.
    pub async fn peek(self: &Arc<Self>, key: &K) -> Option<Arc<Snapshot<T>>> {
        let snapshot = self.kept.get(key).await?;
        reads::list(snapshot.stamp());
        snapshot.stamp().use_it();
        self.tell(if snapshot.is_fresh() { Found::Fresh } else { Found::Stale });
        if !snapshot.is_fresh() && self.damped.get(key).await.is_none() {
            drop(self.flight(key, None));
        }
        Some(snapshot)
    }

    /// What is kept, or what a reading gives; a thousand askers cause one reading.
    pub async fn get(self: &Arc<Self>, key: &K) -> Outcome<T> {
        if let Some(snapshot) = self.peek(key).await {
            return Ok(snapshot);
        }
        let outcome = match self.damped.get(key).await {
            Some(failure) => Err(failure),
            None => self.flight(key, None).await,
        };
        match &outcome {
            Ok(snapshot) => {
                reads::list(snapshot.stamp());
                self.tell(Found::Read);
            }
            Err(_) => {
                reads::for_once();
                self.tell(Found::Failed);
            }
        }
        outcome
    }

    fn tell(&self, found: Found) {
        reads::lookup(&self.status.name, self.name, found);
    }

    /// Whether a reading is under way.
    pub fn is_reading(&self, key: &K) -> bool {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// Whether it failed a moment ago.
    pub async fn is_damped(&self, key: &K) -> bool {
        self.damped.get(key).await.is_some()
    }

    /// What was asked for again since it was read.
    pub fn in_use(&self) -> Vec<(K, Arc<Stamp>)> {
        let used = self.kept.iter().filter(|(_, snapshot)| snapshot.stamp().was_used());
        used.map(|(key, snapshot)| ((*key).clone(), snapshot.stamp().clone())).collect()
    }

    /// Reads anew what was read, though it is good yet; unless that was done meanwhile.
    pub async fn renew(self: &Arc<Self>, key: &K, reading: &Stamp) {
        // if it fails, that is in the log, and somebody must ask before it is tried again
        reading.leave();
        let _ = self.flight(key, Some(reading.generation())).await;
    }

    /// The last reading under a key, for one that asks for something else; it does not count as used.
    pub async fn last(&self, key: &K) -> Option<Arc<Snapshot<T>>> {
        let snapshot = self.kept.get(key).await?;
        reads::list(snapshot.stamp());
        Some(snapshot)
    }

    /// A reading that takes the place of the one given, unless another already did.
    fn flight(self: &Arc<Self>, key: &K, instead_of: Option<u64>) -> Flight<T> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key) {
            return flight.clone();
        }
        // A flight that landed since the caller looked: its reading is kept before it leaves `flights`.
        if let Some(Some(snapshot)) = self.kept.get(key).now_or_never()
            && snapshot.is_fresh()
            && instead_of != Some(snapshot.generation())
        {
            return async move { Ok(snapshot) }.boxed().shared();
        }
        let (shelf, landing) = (self.clone(), key.clone());
        // A task of its own: the asker who started it may leave, those who wait must not start again.
        let task = meter::spawn(async move {
            let last = shelf.kept.get(&landing).await;
            let reading = async { (shelf.read)(landing.clone(), last).await };
            let outcome = std::panic::AssertUnwindSafe(reading).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err(shelf.broken()));
            shelf.land(&landing, outcome).await
        });
        let shelf = self.clone();
        let flight = async move { task.await.unwrap_or_else(|_| Err(Arc::new(shelf.broken()))) }.boxed().shared();
        flights.insert(key.clone(), flight.clone());
        flight
    }

    async fn land(&self, key: &K, outcome: Result<Listing<T>, Error>) -> Outcome<T> {
        let outcome = match outcome {
            Ok(listing) => {
                self.status.answered();
                let is_long = listing.rows.len() > LONG;
                let Freshness { lifetime, failure, .. } = self.freshness;
                let (id, now) = (self.status.id, self.clock.now());
                let file = move || Arc::new(Snapshot::new(listing, id, now, lifetime, failure));
                let snapshot = if is_long { aside(file).await } else { file() };
                // Part of a list does not replace the whole of an older one while that may still be shown.
                let older = if snapshot.problem().is_some() { self.kept.get(key).await } else { None };
                match (older.filter(|older| older.problem().is_none()), snapshot.problem()) {
                    (Some(older), Some(problem)) => {
                        self.damped.insert(key.clone(), problem.clone()).await;
                        Ok(older)
                    }
                    _ => {
                        let replaced = self.kept.get(key).await;
                        self.kept.insert(key.clone(), snapshot.clone()).await;
                        if let Some(replaced) = replaced {
                            replaced.stamp().replace();
                        }
                        Ok(snapshot)
                    }
                }
            }
            Err(error) => {
                self.status.failed(&error);
                let failure = Arc::new(error);
                self.damped.insert(key.clone(), failure.clone()).await;
                Err(failure)
            }
        };
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        outcome
    }

    fn broken(&self) -> Error {
        Error::new(&self.status.name, ErrorKind::Invalid, "a read ended in a panic")
    }
}
