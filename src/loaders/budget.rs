//! What one execution may still take: fields of its answer, comparisons of rows, memory; and how
//! much of it in one go.
//!
//! Resolvers of snapshot rows never wait, so an execution of many rows would keep its thread for as
//! long as it takes, and neither a deadline nor a client that leaves could end it. So lists ask
//! here before they give out their rows, and before they filter and sort them: what would be too
//! much is refused, and what would make this turn too long waits for the next.

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
/// Comparisons that take about as long as one field.
const COMPARISONS_PER_FIELD: u64 = 16;
/// Rows that are gone through between two turns of others.
pub const AT_ONCE: usize = 1_024;
/// What a field takes while its answer is made, roughly, in bytes.
const FIELD_BYTES: u64 = 256;

/// How much one execution may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Fields of its answer.
    pub fields: u64,
    /// Rows times the filters and orders that they are held against.
    pub comparisons: u64,
    /// What it holds at once, in bytes.
    pub memory: u64,
}

/// What one execution may still take.
#[derive(Debug)]
pub struct Budget {
    bounds: Bounds,
    fields: AtomicU64,
    comparisons: AtomicU64,
    memory: AtomicU64,
    this_turn: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

/// The execution would take more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// Fields of its answer.
    Fields(u64),
    /// Rows times the filters and orders that they are held against.
    Comparisons(u64),
    /// What it holds at once, in bytes.
    Memory(u64),
}

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub struct Held<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.memory.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Budget {
    /// A budget of which so many fields are spent.
    pub fn new(bounds: Bounds, fields: u64) -> Self {
        Self {
            bounds,
            fields: AtomicU64::new(fields),
            comparisons: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            this_turn: AtomicU64::new(0),
            waiting: Mutex::default(),
        }
    }

    /// Fields given out so far.
    pub fn spent(&self) -> u64 {
        self.fields.load(Ordering::Relaxed)
    }

    /// Takes that many fields, when it is their turn.
    pub async fn spend(&self, fields: u64) -> Result<(), Exhausted> {
        if add(&self.fields, fields) > self.bounds.fields {
            return Err(Exhausted::Fields(self.bounds.fields));
        }
        self.keep(fields.saturating_mul(FIELD_BYTES))?;
        self.turn(fields).await;
        Ok(())
    }

    /// Takes that many comparisons of rows, when it is their turn.
    pub async fn compare(&self, comparisons: u64) -> Result<(), Exhausted> {
        if add(&self.comparisons, comparisons) > self.bounds.comparisons {
            return Err(Exhausted::Comparisons(self.bounds.comparisons));
        }
        self.turn(comparisons.div_ceil(COMPARISONS_PER_FIELD)).await;
        Ok(())
    }

    /// Goes through rows that are only counted, and others get their turn. How many there are is
    /// bounded where they are read.
    pub async fn each<I>(&self, rows: I, mut look: impl FnMut(I::Item))
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let count = rows.len().min(AT_ONCE);
            self.turn((count as u64).div_ceil(COMPARISONS_PER_FIELD))
                .await;
            rows.by_ref().take(count).for_each(&mut look);
        }
    }

    /// Takes that many bytes for as long as the request lasts.
    pub fn keep(&self, bytes: u64) -> Result<(), Exhausted> {
        match add(&self.memory, bytes) > self.bounds.memory {
            true => Err(Exhausted::Memory(self.bounds.memory)),
            false => Ok(()),
        }
    }

    /// Takes what these rows take, for as long as they are looked at.
    pub fn hold_rows<T>(&self, rows: &Vec<T>) -> Result<Held<'_>, Exhausted> {
        let bytes = rows.capacity().saturating_mul(size_of::<T>()) as u64;
        // what was taken is given back, also where it was too much
        let held = Held {
            budget: self,
            bytes,
        };
        self.keep(bytes).map(|()| held)
    }

    /// Waits until a turn has room for so much more. What is longer than a turn has one of its own.
    async fn turn(&self, fields: u64) {
        poll_fn(|context| {
            if add(&self.this_turn, fields).saturating_sub(fields) < TURN {
                return Poll::Ready(());
            }
            self.waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// A turn begins: those who wait for it may go on.
    pub(super) fn begin_turn(&self) {
        self.this_turn.store(0, Ordering::Relaxed);
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether somebody waits for the next turn.
    pub(super) fn is_waited_for(&self) -> bool {
        !self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// Adds to a sum, which stays below what would overflow: refusals come long before. Tells the sum.
fn add(sum: &AtomicU64, number: u64) -> u64 {
    let number = number.min(u64::MAX >> 8);
    sum.fetch_add(number, Ordering::Relaxed)
        .saturating_add(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn budget() -> Budget {
        Budget::new(
            Bounds {
                fields: 10_000,
                comparisons: 1_000_000,
                memory: 1 << 20,
            },
            0,
        )
    }

    #[test]
    fn comparisons_are_bounded_and_wait_for_their_turn() {
        let budget = budget();
        budget.begin_turn();
        assert_eq!(budget.compare(64_000).now_or_never(), Some(Ok(())));
        // this turn is over
        let mut second = Box::pin(budget.compare(1));
        assert_eq!(second.as_mut().now_or_never(), None);
        assert!(budget.is_waited_for());
        budget.begin_turn();
        assert_eq!(second.now_or_never(), Some(Ok(())));
        assert_eq!(
            budget.compare(1_000_000).now_or_never(),
            Some(Err(Exhausted::Comparisons(1_000_000)))
        );
        assert_eq!(
            budget.compare(u64::MAX).now_or_never(),
            Some(Err(Exhausted::Comparisons(1_000_000)))
        );
    }

    #[test]
    fn however_many_rows_are_counted_others_get_their_turn() {
        let budget = budget();
        let seen = std::cell::Cell::new(0);
        let mut counting = Box::pin(budget.each(0..1_000_000, |row| {
            assert_eq!(row, seen.get());
            seen.set(row + 1);
        }));
        let (mut turns, mut most) = (0, 0);
        loop {
            let before = seen.get();
            budget.begin_turn();
            let is_done = counting.as_mut().now_or_never().is_some();
            (turns, most) = (turns + 1, most.max(seen.get() - before));
            if is_done {
                break;
            }
            assert!(budget.is_waited_for());
        }
        assert_eq!(seen.get(), 1_000_000);
        assert!(
            most <= 64_000 + AT_ONCE as i32 && turns >= 15,
            "{most} rows in one of {turns} turns"
        );
    }

    #[test]
    fn memory_is_given_back_when_rows_are_let_go() {
        let budget = budget();
        let rows: Vec<u64> = Vec::with_capacity(100_000);
        for _ in 0..100 {
            assert!(budget.hold_rows(&rows).is_ok());
        }
        let held = budget.hold_rows(&rows).unwrap();
        assert_eq!(
            budget.hold_rows(&rows).unwrap_err(),
            Exhausted::Memory(1 << 20)
        );
        drop(held);
        assert!(
            budget.hold_rows(&rows).is_ok(),
            "what was refused is given back too"
        );
        assert!(budget.keep(1 << 19).is_ok());
        assert!(budget.hold_rows(&rows).is_err());
    }
}
