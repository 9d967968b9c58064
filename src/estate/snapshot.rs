//! One reading of one upstream list: rows that never change, and an index for every key that an
//! edge asks by.

use super::{Failure, UpstreamId};
use crate::upstream::{
    Error, ErrorKind,
    pager::{Listing, Row},
};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long one reading is good for: what answers that were made from it need to know, without its
/// rows.
#[derive(Debug)]
pub(super) struct Stamp {
    generation: u64,
    read: Instant,
    lifetime: Duration,
    is_replaced: AtomicBool,
    was_used: AtomicBool,
}

impl Stamp {
    fn new(lifetime: Duration) -> Self {
        static GENERATIONS: AtomicU64 = AtomicU64::new(1);
        Self {
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            read: Instant::now(),
            lifetime,
            is_replaced: AtomicBool::new(false),
            was_used: AtomicBool::new(false),
        }
    }

    /// A number that no other reading of anything has.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it is what a reader would be given, and within its lifetime.
    pub fn is_current(&self, now: Instant) -> bool {
        !self.is_replaced.load(Ordering::Acquire) && self.is_fresh(now)
    }

    /// A newer reading stands in its place.
    pub fn replace(&self) {
        self.is_replaced.store(true, Ordering::Release);
    }

    /// Somebody was answered from it.
    pub fn use_it(&self) {
        // many may do so at once: who only reads leaves the others' caches alone
        if !self.was_used.load(Ordering::Relaxed) {
            self.was_used.store(true, Ordering::Relaxed);
        }
    }

    /// Forgets that anybody was: what comes next is another reading's.
    pub fn leave(&self) {
        self.was_used.store(false, Ordering::Relaxed);
    }

    /// Whether anybody was answered from it.
    pub fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    /// When its lifetime ends.
    pub fn good_until(&self) -> Instant {
        self.read + self.lifetime
    }

    /// Whether it is within its lifetime.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.read) < self.lifetime
    }

    /// How old it is, and how old it may become before it has to be read anew.
    pub fn age(&self, now: Instant) -> (Duration, Duration) {
        (now.saturating_duration_since(self.read), self.lifetime)
    }
}

/// A row type that can be kept: it says how its list is indexed.
pub trait Listed: Row {
    /// The indexes: places in the list by key.
    type Index: Send + Sync + std::fmt::Debug;
    /// Builds them once, when the list was read.
    fn index(rows: &[Self]) -> Self::Index
    where
        Self: Sized;
}

/// Places by key, for keys that many rows share.
#[derive(Debug)]
pub struct Places<K>(HashMap<K, Vec<u32>>);

impl<K: Eq + Hash> Places<K> {
    /// Files every row under the keys that `keys` gives it.
    pub fn by<T, I: IntoIterator<Item = K>>(rows: &[T], keys: impl Fn(&T) -> I) -> Self {
        let mut places: HashMap<K, Vec<u32>> = HashMap::new();
        for (place, row) in (0u32..).zip(rows) {
            for key in keys(row) {
                places.entry(key).or_default().push(place);
            }
        }
        Self(places)
    }

    /// The places under a key; none for a key not there.
    pub fn of(&self, key: &K) -> &[u32] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// The place under a key that leads to exactly one row.
    pub fn only(&self, key: &K) -> Option<u32> {
        match self.of(key) {
            [place] => Some(*place),
            _ => None,
        }
    }
}

/// One reading of one list.
#[derive(Debug)]
pub struct Snapshot<T: Listed> {
    rows: Box<[T]>,
    index: T::Index,
    upstream: UpstreamId,
    name: Arc<str>,
    fetched_at: Timestamp,
    problem: Option<Failure>,
    stamp: Arc<Stamp>,
}

impl<T: Listed> Snapshot<T> {
    /// Files a listing. An incomplete one is only good for `lifetime_if_incomplete`.
    pub(super) fn new(
        listing: Listing<T>,
        (upstream, name): (UpstreamId, Arc<str>),
        fetched_at: Timestamp,
        lifetime: Duration,
        lifetime_if_incomplete: Duration,
    ) -> Self {
        let problem = listing.problem.map(Arc::new);
        Self {
            index: T::index(&listing.rows),
            rows: listing.rows.into(),
            upstream,
            name,
            fetched_at,
            stamp: Arc::new(Stamp::new(if problem.is_some() {
                lifetime.min(lifetime_if_incomplete)
            } else {
                lifetime
            })),
            problem,
        }
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn row(&self, place: u32) -> &T {
        &self.rows[place as usize]
    }

    pub(super) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(super) fn index(&self) -> &T::Index {
        &self.index
    }

    pub(super) fn upstream(&self) -> UpstreamId {
        self.upstream
    }

    pub(super) fn fetched_at(&self) -> Timestamp {
        self.fetched_at
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.stamp.is_fresh(Instant::now())
    }

    pub(super) fn problem(&self) -> Option<&Failure> {
        self.problem.as_ref()
    }

    /// Why an id of this list that several rows have leads to none of them.
    pub(super) fn is_ambiguous(&self) -> Failure {
        Failure::new(Error::new(
            &self.name,
            ErrorKind::Invalid,
            "several rows of a list share an id, so that it is nobody's",
        ))
    }

    /// The problem, where there is one.
    pub(super) fn or_problem(&self) -> Result<(), Failure> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    pub(super) fn generation(&self) -> u64 {
        self.stamp.generation()
    }

    pub(super) fn stamp(&self) -> &Arc<Stamp> {
        &self.stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_current_until_it_is_replaced_or_too_old() {
        let stamp = Stamp::new(Duration::from_secs(60));
        let now = Instant::now();
        assert!(stamp.is_current(now));
        assert!(!stamp.is_current(now + Duration::from_secs(61)));
        stamp.replace();
        assert!(!stamp.is_current(now) && stamp.is_fresh(now));
    }
}
