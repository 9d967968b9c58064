//! The slots of one upstream: how many requests may be in flight, and who is next.
//!
//! A slot that becomes free goes to whoever of those who wait holds the fewest, so one caller's
//! export of everything does not starve another's single question; while nobody else asks, one
//! caller may have them all.
//!
//! There are as many as the settings say until the upstream shows that it has enough (it refuses,
//! or hardly answers in time): then half as many, and with every answer in good time a little more
//! again, one more for each round.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// Refusals within this time are one sign.
const ONE_SIGN: Duration = Duration::from_secs(1);

/// Slots, shared by those who ask.
#[derive(Debug)]
pub(super) struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What the settings say.
    most: usize,
    /// What the upstream seems to bear.
    limit: f64,
    /// When it was last found to be too much.
    lowered: Option<Instant>,
    taken: usize,
    held: HashMap<Arc<str>, usize>,
    waiting: VecDeque<(Arc<str>, oneshot::Sender<Slot>)>,
}

/// One slot; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    holder: Arc<str>,
}

impl Slots {
    pub fn new(count: usize) -> Arc<Self> {
        let most = count.max(1);
        let limit = most as f64;
        Arc::new(Self(Mutex::new(State {
            most,
            limit,
            lowered: None,
            taken: 0,
            held: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }

    /// How many there are at present.
    pub fn count(&self) -> usize {
        self.state().count()
    }

    /// How many there are, are taken, and are waited for.
    pub fn load(&self) -> (usize, usize, usize) {
        let state = self.state();
        let waiting = state.waiting.iter().filter(|(_, turn)| !turn.is_closed());
        (state.count(), state.taken, waiting.count())
    }

    /// The upstream has enough. What was under way together says so together: that counts once.
    pub fn lower(&self, now: Instant) {
        let mut state = self.state();
        if state
            .lowered
            .is_none_or(|at| now.saturating_duration_since(at) >= ONE_SIGN)
        {
            state.lowered = Some(now);
            state.limit = (state.limit / 2.0).max(1.0);
        }
    }

    /// It answered in good time.
    pub fn raise(self: &Arc<Self>) {
        let mut undelivered = Vec::new();
        {
            let mut state = self.state();
            state.limit = (state.limit + 1.0 / state.limit).min(state.most as f64);
            while let Some(slot) = self.hand_on(&mut state) {
                undelivered.extend(slot.err());
            }
        }
        drop(undelivered);
    }

    /// A slot for somebody, as soon as it is their turn.
    pub async fn acquire(self: &Arc<Self>, who: Arc<str>) -> Slot {
        loop {
            let turn = {
                let mut state = self.state();
                if state.taken < state.count() {
                    state.taken += 1;
                    return self.slot(&mut state, who);
                }
                let (sender, receiver) = oneshot::channel();
                state.waiting.push_back((who.clone(), sender));
                receiver
            };
            if let Ok(slot) = turn.await {
                return slot;
            }
        }
    }

    fn slot(self: &Arc<Self>, state: &mut State, holder: Arc<str>) -> Slot {
        *state.held.entry(holder.clone()).or_default() += 1;
        Slot {
            slots: self.clone(),
            holder,
        }
    }

    /// Gives a free slot to whoever is next: whether they took it. `None` where none is free, or
    /// nobody waits.
    fn hand_on(self: &Arc<Self>, state: &mut State) -> Option<Result<(), Slot>> {
        if state.taken >= state.count() {
            return None;
        }
        // those who gave up are in nobody's way
        state.waiting.retain(|(_, turn)| !turn.is_closed());
        let held = |place: &usize| {
            state
                .held
                .get(&state.waiting[*place].0)
                .copied()
                .unwrap_or_default()
        };
        let next = (0..state.waiting.len()).min_by_key(held)?;
        let (who, turn) = state.waiting.remove(next)?;
        state.taken += 1;
        let slot = self.slot(state, who);
        Some(turn.send(slot))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&self) -> usize {
        (self.limit as usize).clamp(1, self.most)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut undelivered = None;
        {
            let mut state = self.slots.state();
            if let Some(held) = state.held.get_mut(&self.holder) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.holder);
                }
            }
            state.taken -= 1;
            if let Some(handed) = self.slots.hand_on(&mut state) {
                undelivered = handed.err();
            }
        }
        // whoever gave up this very moment: their slot goes on, once the lock is free
        drop(undelivered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::BoxFuture};

    fn ask(slots: &Arc<Slots>, who: &str) -> BoxFuture<'static, Slot> {
        let (slots, who) = (slots.clone(), who.into());
        async move { slots.acquire(who).await }.boxed()
    }

    #[test]
    fn a_free_slot_goes_to_whoever_holds_the_fewest() {
        let slots = Slots::new(2);
        let first = ask(&slots, "export").now_or_never().unwrap();
        let second = ask(&slots, "export").now_or_never().unwrap();
        let mut third = ask(&slots, "export");
        let mut other = ask(&slots, "portal");
        assert!((&mut third).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(first);
        assert!(
            (&mut third).now_or_never().is_none(),
            "the export has one still, the portal none"
        );
        let other = other.now_or_never().unwrap();
        drop(other);
        let third = third.now_or_never().unwrap();
        drop((second, third));
        assert_eq!(slots.state().taken, 0);
        assert!(slots.state().held.is_empty());
    }

    #[test]
    fn who_gives_up_takes_no_slot_along() {
        let slots = Slots::new(1);
        let held = ask(&slots, "a").now_or_never().unwrap();
        let mut gone = ask(&slots, "b");
        let mut next = ask(&slots, "c");
        assert!((&mut gone).now_or_never().is_none() && (&mut next).now_or_never().is_none());
        drop(gone);
        drop(held);
        assert!(next.now_or_never().is_some());
        let held = ask(&slots, "a").now_or_never().unwrap();
        let mut handed = ask(&slots, "b");
        assert!((&mut handed).now_or_never().is_none());
        drop(held);
        // handed over, never taken
        drop(handed);
        assert_eq!(slots.state().taken, 0);
    }

    #[test]
    fn an_upstream_that_has_enough_is_asked_less_and_then_slowly_more() {
        let slots = Slots::new(16);
        let start = Instant::now();
        slots.lower(start);
        slots.lower(start + ONE_SIGN / 2);
        assert_eq!(slots.count(), 8, "what was under way together counts once");
        slots.lower(start + ONE_SIGN);
        assert_eq!(slots.count(), 4);
        let held: Vec<_> = (0..4)
            .map(|_| ask(&slots, "a").now_or_never().unwrap())
            .collect();
        let mut next = ask(&slots, "a");
        assert!((&mut next).now_or_never().is_none());
        (0..5).for_each(|_| slots.raise());
        assert_eq!(slots.count(), 5, "one more after a round of answers");
        assert!(next.now_or_never().is_some(), "and whoever waited has it");
        drop(held);
        (0..1_000).for_each(|_| slots.raise());
        assert_eq!(slots.count(), 16, "never more than the settings say");
        (0..20).for_each(|sign| slots.lower(start + ONE_SIGN * (sign + 2)));
        assert_eq!(slots.count(), 1, "never none");
        assert_eq!(slots.state().taken, 0);
    }
}
