//! What one execution read, so that its answer can be given again for as long as all of that is
//! still so.
//!
//! The record travels as a task-local: every slot notes the snapshots that it hands out. A snapshot
//! that is replaced, or past its lifetime, ends every answer that was made from it; a failure, or
//! anything that is no snapshot, makes the answer good for this once.

use super::snapshot::Stamp;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

tokio::task_local! {
    static READS: Arc<ReadLog>;
}

/// An answer made from more lists than this takes longer to check than it is worth.
const MAX_LISTS: usize = 512;
/// How long an answer is good that tells how long ago something was.
const TICK: Duration = Duration::from_secs(1);

/// What one execution read so far.
#[derive(Debug, Default)]
pub struct ReadLog {
    noted: Mutex<Recorded>,
    /// How lists were come by, where that is wanted.
    told: Option<Mutex<ReadTrace>>,
}

#[derive(Debug, Default)]
struct Recorded {
    lists: HashMap<u64, Arc<Stamp>>,
    until: Option<Instant>,
    is_uncacheable: bool,
}

impl Recorded {
    fn take_in(&mut self, dependencies: &Dependencies) {
        self.lists.extend(
            dependencies
                .lists
                .iter()
                .map(|list| (list.generation(), list.clone())),
        );
        self.until = match (self.until, dependencies.until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// How an execution came by what it read.
#[derive(Clone, Debug, Default)]
pub struct ReadTrace {
    /// How often each list was asked for, by how it was there.
    pub lookups: BTreeMap<Lookup, u32>,
    /// Each choice between the fleet's list and reads by key.
    pub choices: Vec<Chosen>,
}

/// A list that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// Whose it is.
    pub upstream: Arc<str>,
    /// Which it is.
    pub list: &'static str,
    /// How it was there.
    pub found: Found,
}

/// How a list was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// In hand, within its lifetime.
    Fresh,
    /// In hand, older: it is being read anew.
    Stale,
    /// It had to be read, or a reading under way waited for.
    Read,
    /// It could not be read.
    Failed,
}

/// One choice of a way to read.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Whose list it is.
    pub upstream: Arc<str>,
    /// Which it is.
    pub list: &'static str,
    /// How many keys were missing: the calls of the narrow way.
    pub keys: usize,
    /// How many pages the fleet's list is known to have.
    pub pages: Option<u32>,
    /// Whether the fleet's list was taken.
    pub is_wide: bool,
    /// Why.
    pub why: &'static str,
}

/// What an answer was made from.
#[derive(Debug)]
pub struct Dependencies {
    lists: Box<[Arc<Stamp>]>,
    until: Option<Instant>,
}

impl ReadLog {
    /// A record that also tells how.
    pub fn in_detail() -> Self {
        Self {
            told: Some(Mutex::default()),
            ..Self::default()
        }
    }

    /// Whether it also tells how.
    pub fn is_traced(&self) -> bool {
        self.told.is_some()
    }

    /// How it was come by, where that is told.
    pub fn told(&self) -> Option<ReadTrace> {
        self.told
            .as_ref()
            .map(|told| told.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Runs `future` with everything that it reads noted here.
    pub async fn record<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        READS.scope(self.clone(), future).await
    }

    /// Notes what was read before, and is used again.
    pub fn take_in(&self, dependencies: &Dependencies) {
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_in(dependencies);
    }

    /// What was read; `None` where the same question may have another answer the next moment.
    pub fn dependencies(&self) -> Option<Dependencies> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeatable = !noted.is_uncacheable && noted.lists.len() <= MAX_LISTS;
        is_repeatable.then(|| Dependencies {
            lists: noted.lists.values().cloned().collect(),
            until: noted.until,
        })
    }
}

impl Dependencies {
    /// All of these; none where that is too many.
    pub fn together<'a>(several: impl Iterator<Item = &'a Arc<Self>>) -> Option<Arc<Self>> {
        let several: Vec<_> = several.collect();
        if let [one] = several[..] {
            return Some(one.clone());
        }
        let together = ReadLog::default();
        several
            .into_iter()
            .for_each(|dependencies| together.take_in(dependencies));
        together.dependencies().map(Arc::new)
    }

    /// Whoever uses what was made from these has read them.
    pub fn note(&self) {
        note(|noted| noted.take_in(self));
    }

    /// Until when all of it is within its lifetime; none where nothing was read that has one.
    pub fn good_until(&self) -> Option<Instant> {
        self.lists
            .iter()
            .map(|list| list.good_until())
            .chain(self.until)
            .min()
    }

    /// Whether all of it is still what a reader would be given, and fresh. If so, it counts as used
    /// now.
    pub fn hold(&self, now: Instant) -> bool {
        let hold = self.until.is_none_or(|until| now < until)
            && self.lists.iter().all(|list| list.is_current(now));
        if hold {
            self.lists.iter().for_each(|list| list.use_it());
        }
        hold
    }
}

fn note(change: impl FnOnce(&mut Recorded)) {
    let _ = READS
        .try_with(|reads| change(&mut reads.noted.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// A list was asked for, and how it was there.
pub(super) fn lookup(upstream: &Arc<str>, list: &'static str, found: Found) {
    tell(|told| {
        *told
            .lookups
            .entry(Lookup {
                upstream: upstream.clone(),
                list,
                found,
            })
            .or_default() += 1
    });
}

/// A way to read was chosen.
pub(super) fn choice(chosen: impl FnOnce() -> Chosen) {
    tell(|told| told.choices.push(chosen()));
}

fn tell(change: impl FnOnce(&mut ReadTrace)) {
    let _ = READS.try_with(|reads| {
        if let Some(told) = &reads.told {
            change(&mut told.lock().unwrap_or_else(PoisonError::into_inner));
        }
    });
}

/// A list was handed out.
pub(super) fn list(stamp: &Arc<Stamp>) {
    note(|noted| {
        if stamp.is_current(Instant::now()) {
            noted
                .lists
                .entry(stamp.generation())
                .or_insert_with(|| stamp.clone());
        } else {
            noted.is_uncacheable = true;
        }
    });
}

/// Something was read that can be otherwise the next moment.
pub(super) fn mark_uncacheable() {
    note(|noted| noted.is_uncacheable = true);
}

/// The clock was read.
pub(super) fn clock() {
    note(|noted| {
        noted.until.get_or_insert_with(|| Instant::now() + TICK);
    });
}
