//! What one execution read, so that its answer can be given again for as long as all of that is still so.
//!
//! The record travels as a task-local: every shelf notes the snapshots that it hands out. A snapshot that is replaced, or
//! past its lifetime, ends every answer that was made from it; a failure, or anything that is no snapshot, makes the
//! answer good for this once.

use super::snapshot::Stamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

tokio::task_local! {
    static READS: Arc<Reads>;
}

/// An answer made from more lists than this takes longer to check than it is worth.
const MAX_LISTS: usize = 512;
/// How long an answer is good that tells how long ago something was.
const TICK: Duration = Duration::from_secs(1);

/// What one execution read so far.
#[derive(Debug, Default)]
pub struct Reads(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    lists: HashMap<u64, Arc<Stamp>>,
    until: Option<Instant>,
    is_for_once: bool,
}

/// What an answer was made from.
#[derive(Debug)]
pub struct Sources {
    lists: Box<[Arc<Stamp>]>,
    until: Option<Instant>,
}

impl Reads {
    /// Runs `future` with everything that it reads noted here.
    pub async fn record<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        READS.scope(self.clone(), future).await
    }

    /// What was read; `None` where the same question may have another answer the next moment.
    pub fn sources(&self) -> Option<Sources> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeatable = !noted.is_for_once && noted.lists.len() <= MAX_LISTS;
        is_repeatable.then(|| Sources { lists: noted.lists.values().cloned().collect(), until: noted.until })
    }
}

impl Sources {
    /// Whether all of it is still what a reader would be given, and fresh. If so, it counts as used now.
    pub fn hold(&self) -> bool {
        let now = Instant::now();
        let hold = self.until.is_none_or(|until| now < until) && self.lists.iter().all(|list| list.is_current(now));
        if hold {
            self.lists.iter().for_each(|list| list.use_it());
        }
        hold
    }
}

fn note(change: impl FnOnce(&mut Noted)) {
    let _ = READS.try_with(|reads| change(&mut reads.0.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// A list was handed out.
pub(super) fn list(stamp: &Arc<Stamp>) {
    note(|noted| {
        if stamp.is_current(Instant::now()) {
            noted.lists.entry(stamp.generation()).or_insert_with(|| stamp.clone());
        } else {
            noted.is_for_once = true;
        }
    });
}

/// Something was read that can be otherwise the next moment.
pub(super) fn for_once() {
    note(|noted| noted.is_for_once = true);
}

/// The clock was read.
pub(super) fn clock() {
    note(|noted| {
        noted.until.get_or_insert_with(|| Instant::now() + TICK);
    });
}
