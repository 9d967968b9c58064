//! What one execution may still answer, and how much of it in one go.
//!
//! Resolvers of snapshot rows never wait, so an execution of many rows would keep its thread for as long as it takes, and
//! neither a deadline nor a client that leaves could end it. So lists ask here before they give out their rows: a list
//! that would make the answer too large is refused, and one that would make this turn too long waits for the next.

use std::{
    future::poll_fn,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

/// Fields that are resolved before others get their turn: a few milliseconds.
const TURN: u64 = 4_000;

/// What one execution may still answer.
#[derive(Debug)]
pub struct Budget {
    maximum: u64,
    spent: AtomicU64,
    this_turn: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

/// The answer would have more fields than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted(pub u64);

impl Budget {
    /// A budget of that many fields, of which some are spent.
    pub fn new(maximum: u64, spent: u64) -> Self {
        Self { maximum, spent: AtomicU64::new(spent), this_turn: AtomicU64::new(0), waiting: Mutex::default() }
    }

    /// Fields given out so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Takes that many fields, when it is their turn.
    pub async fn spend(&self, fields: u64) -> Result<(), Exhausted> {
        let spent = self.spent.fetch_add(fields, Ordering::Relaxed).saturating_add(fields);
        if spent > self.maximum {
            return Err(Exhausted(self.maximum));
        }
        poll_fn(|context| {
            if self.this_turn.fetch_add(fields, Ordering::Relaxed) < TURN {
                return Poll::Ready(());
            }
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(context.waker().clone());
            Poll::Pending
        })
        .await;
        Ok(())
    }

    /// A turn begins: those who wait for it may go on.
    pub(super) fn begin_turn(&self) {
        self.this_turn.store(0, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether somebody waits for the next turn.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
