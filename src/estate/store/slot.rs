//! A slot: the current snapshot of a list, the last failure, and the read in flight, in one state.
//! One read however many wait, stale snapshots served while one refresh runs, failures passed on
//! for a while and never kept.

use super::Spec;
use crate::{
    estate::{
        Failure,
        background_refresh::ListStats,
        dependencies::{self, Found},
        snapshot::{Listed, Snapshot, Stamp},
    },
    upstream::{Error, ErrorKind, meter, pager::Listing},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    any::Any,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::oneshot;

/// A snapshot, whatever its rows are.
pub(in crate::estate) trait Reading: Any + Send + Sync {
    /// How long it is good for.
    fn stamp(&self) -> &Arc<Stamp>;
    /// Why it is not whole, if it isn't.
    fn problem(&self) -> Option<&Failure>;
    /// How many rows it has.
    fn rows(&self) -> u64;
}

impl<T: Listed> Reading for Snapshot<T> {
    fn stamp(&self) -> &Arc<Stamp> {
        Snapshot::stamp(self)
    }
    fn problem(&self) -> Option<&Failure> {
        Snapshot::problem(self)
    }
    fn rows(&self) -> u64 {
        self.len().into()
    }
}

type Outcome = Result<Arc<dyn Reading>, Failure>;
type Flight = Shared<BoxFuture<'static, Outcome>>;
type Read = dyn Fn(Option<Arc<dyn Reading>>) -> BoxFuture<'static, Result<Arc<dyn Reading>, Error>>
    + Send
    + Sync;

/// One list, or the list of one key.
pub(in crate::estate) struct Slot {
    spec: Arc<Spec>,
    /// Is given the last reading to build on.
    read: Box<Read>,
    state: Mutex<State>,
    /// Rows kept by this slot and those beside it.
    kept_rows: Arc<AtomicU64>,
}

struct State {
    current: Option<Arc<dyn Reading>>,
    failure: Option<(Instant, Failure)>,
    flight: Option<Flight>,
    last_use: Instant,
}

/// What somebody who needs a reading does.
enum Wanted {
    Done(Outcome),
    Wait(Flight),
}

impl Slot {
    /// An empty slot.
    pub fn new<T: Listed>(
        spec: Arc<Spec>,
        kept_rows: Arc<AtomicU64>,
        read: impl Fn(Option<Arc<Snapshot<T>>>) -> BoxFuture<'static, Result<Listing<T>, Error>>
        + Send
        + Sync
        + 'static,
    ) -> Arc<Self> {
        let of_read = spec.clone();
        let read = Box::new(move |last: Option<Arc<dyn Reading>>| {
            let (spec, listing) = (of_read.clone(), read(last.and_then(typed)));
            async move { Ok(spec.index(listing.await?).await) }.boxed()
        });
        let state = State {
            current: None,
            failure: None,
            flight: None,
            last_use: Instant::now(),
        };
        Arc::new(Self {
            spec,
            read,
            state: Mutex::new(state),
            kept_rows,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, fresh or stale; a stale one is being refreshed by the time this returns.
    pub fn peek<T: Listed>(self: &Arc<Self>) -> Option<Arc<Snapshot<T>>> {
        typed(self.peek_any()?)
    }

    /// What is kept, or what a read gives; a thousand callers cause one read.
    pub async fn get<T: Listed>(self: &Arc<Self>) -> Result<Arc<Snapshot<T>>, Failure> {
        let reading = self.get_any().await?;
        typed(reading).ok_or_else(|| {
            Arc::new(Error::new(
                &self.spec.status.name,
                ErrorKind::Invalid,
                "a list of other rows",
            ))
        })
    }

    /// The last reading, for one that asks for something else; it does not count as used.
    pub fn last<T: Listed>(&self) -> Option<Arc<Snapshot<T>>> {
        let reading = self.current(&mut self.state(), Instant::now())?;
        dependencies::list(reading.stamp());
        typed(reading)
    }

    /// Whether a read is under way.
    pub fn is_reading(&self) -> bool {
        self.state().flight.is_some()
    }

    /// Whether it failed a moment ago.
    pub fn has_failed(&self) -> bool {
        self.failure(&self.state(), Instant::now()).is_some()
    }

    /// Whether nothing is in it any more.
    pub fn is_empty(&self, now: Instant) -> bool {
        let mut state = self.state();
        self.current(&mut state, now).is_none()
            && self.failure(&state, now).is_none()
            && state.flight.is_none()
    }

    /// Rows kept by this slot and those beside it.
    pub fn kept_rows(&self) -> u64 {
        self.kept_rows.load(Ordering::Relaxed)
    }

    /// When somebody last asked.
    pub fn last_use(&self) -> Instant {
        self.state().last_use
    }

    /// What there is to say of it.
    pub fn stats(&self, now: Instant) -> ListStats {
        let state = self.state();
        let current = state.current.as_ref();
        ListStats {
            age: current.map(|reading| reading.stamp().age(now).0),
            rows: self.kept_rows(),
            is_incomplete: current.is_some_and(|reading| reading.problem().is_some()),
            ..self.spec.stats()
        }
    }

    /// The stamp of what was asked for again since it was read.
    pub fn in_use(&self, now: Instant) -> Option<Arc<Stamp>> {
        let reading = self.current(&mut self.state(), now)?;
        reading.stamp().was_used().then(|| reading.stamp().clone())
    }

    /// Reads anew what was read, though it is good yet; unless that was done meanwhile.
    pub async fn renew(self: &Arc<Self>, reading: &Stamp) {
        // if it fails, that is in the log, and somebody must ask before it is tried again
        reading.leave();
        let wanted = self.flight(&mut self.state(), Some(reading.generation()));
        if let Wanted::Wait(flight) = wanted {
            let _ = flight.await;
        }
    }

    fn peek_any(self: &Arc<Self>) -> Option<Arc<dyn Reading>> {
        let now = Instant::now();
        let mut state = self.state();
        state.last_use = now;
        let reading = self.current(&mut state, now)?;
        let is_fresh = reading.stamp().is_fresh(now);
        if !is_fresh && self.failure(&state, now).is_none() {
            drop(self.flight(&mut state, None));
        }
        drop(state);
        dependencies::list(reading.stamp());
        reading.stamp().use_it();
        self.tell(if is_fresh { Found::Fresh } else { Found::Stale });
        Some(reading)
    }

    async fn get_any(self: &Arc<Self>) -> Outcome {
        if let Some(reading) = self.peek_any() {
            return Ok(reading);
        }
        let wanted = {
            let mut state = self.state();
            match self.failure(&state, Instant::now()) {
                Some(failure) => Wanted::Done(Err(failure)),
                None => self.flight(&mut state, None),
            }
        };
        let outcome = match wanted {
            Wanted::Done(outcome) => outcome,
            Wanted::Wait(flight) => flight.await,
        };
        match &outcome {
            Ok(reading) => {
                dependencies::list(reading.stamp());
                self.tell(Found::Read);
            }
            Err(_) => {
                dependencies::mark_uncacheable();
                self.tell(Found::Failed);
            }
        }
        outcome
    }

    fn tell(&self, found: Found) {
        dependencies::lookup(&self.spec.status.name, self.spec.name, found);
    }

    /// What is kept. What is too old to be shown to anybody is dropped here.
    fn current(&self, state: &mut State, now: Instant) -> Option<Arc<dyn Reading>> {
        let reading = state.current.as_ref()?;
        if reading.stamp().age(now).0 < self.spec.freshness.lifetime + self.spec.freshness.max_stale
        {
            return Some(reading.clone());
        }
        self.replace(state, None);
        None
    }

    fn replace(&self, state: &mut State, reading: Option<Arc<dyn Reading>>) {
        self.kept_rows.fetch_add(
            reading.as_ref().map_or(0, |reading| reading.rows()),
            Ordering::Relaxed,
        );
        if let Some(old) = std::mem::replace(&mut state.current, reading) {
            self.kept_rows.fetch_sub(old.rows(), Ordering::Relaxed);
            old.stamp().replace();
        }
    }

    fn failure(&self, state: &State, now: Instant) -> Option<Failure> {
        let (since, failure) = state.failure.as_ref()?;
        (now.saturating_duration_since(*since) < self.spec.freshness.failure)
            .then(|| failure.clone())
    }

    /// A read that takes the place of the reading given, unless another already did.
    fn flight(self: &Arc<Self>, state: &mut State, instead_of: Option<u64>) -> Wanted {
        if let Some(flight) = &state.flight {
            return Wanted::Wait(flight.clone());
        }
        // a read that ended since the caller looked
        let now = Instant::now();
        if let Some(reading) = self.current(state, now)
            && reading.stamp().is_fresh(now)
            && instead_of != Some(reading.stamp().generation())
        {
            return Wanted::Done(Ok(reading));
        }
        let last = state.current.clone();
        let (tell, told) = oneshot::channel();
        let slot = self.clone();
        // A task of its own: the caller who started it may leave, those who wait must not start
        // again.
        meter::spawn(
            async move {
                let reading = async { (slot.read)(last).await };
                let outcome = slot.spec.guarded(reading.boxed()).await;
                let _ = tell.send(slot.land(outcome));
            }
            .boxed(),
        );
        let spec = self.spec.clone();
        let flight = async move { told.await.unwrap_or_else(|_| Err(Arc::new(spec.broken()))) }
            .boxed()
            .shared();
        state.flight = Some(flight.clone());
        Wanted::Wait(flight)
    }

    /// Takes in what a read gave.
    fn land(&self, outcome: Result<Arc<dyn Reading>, Error>) -> Outcome {
        match &outcome {
            Ok(_) => self.spec.status.answered(),
            Err(error) => self.spec.status.failed(error),
        }
        let place = match &outcome {
            Ok(reading) if reading.problem().is_none() => 0,
            Ok(_) => 1,
            Err(_) => 2,
        };
        self.spec.reads[place].fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut state = self.state();
        state.flight = None;
        let reading = match outcome {
            Ok(reading) => reading,
            Err(error) => {
                let failure = Arc::new(error);
                state.failure = Some((now, failure.clone()));
                return Err(failure);
            }
        };
        // Part of a list does not replace the whole of an older one while that may still be shown.
        if let Some(problem) = reading.problem()
            && let Some(older) = self.current(&mut state, now)
            && older.problem().is_none()
        {
            state.failure = Some((now, problem.clone()));
            return Ok(older);
        }
        self.replace(&mut state, Some(reading.clone()));
        Ok(reading)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = state.current.take() {
            self.kept_rows.fetch_sub(reading.rows(), Ordering::Relaxed);
        }
    }
}

fn typed<T: Listed>(reading: Arc<dyn Reading>) -> Option<Arc<Snapshot<T>>> {
    let any: Arc<dyn Any + Send + Sync> = reading;
    any.downcast().ok()
}
