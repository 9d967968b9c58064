//! The slots of one upstream: how many requests may be in flight, and who is next.
//!
//! A slot that becomes free goes to whoever of those who wait holds the fewest, so one caller's export of everything
//! does not starve another's single question; while nobody else asks, one caller may have them all.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Slots, shared by those who ask.
#[derive(Debug)]
pub(super) struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
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
        Arc::new(Self(Mutex::new(State { free: count.max(1), held: HashMap::new(), waiting: VecDeque::new() })))
    }

    /// A slot for somebody, as soon as it is their turn.
    pub async fn acquire(self: &Arc<Self>, who: Arc<str>) -> Slot {
        loop {
            let turn = {
                let mut state = self.state();
                if state.free > 0 {
                    state.free -= 1;
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
        Slot { slots: self.clone(), holder }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            state.free += 1;
            // those who gave up are in nobody's way
            state.waiting.retain(|(_, turn)| !turn.is_closed());
            let next = (0..state.waiting.len()).min_by_key(|place| state.held.get(&state.waiting[*place].0).copied().unwrap_or_default());
            if let Some((who, turn)) = next.and_then(|place| state.waiting.remove(place)) {
                state.free -= 1;
                let slot = self.slots.slot(&mut state, who);
                undelivered = turn.send(slot).err();
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
        assert!((&mut third).now_or_never().is_none(), "the export has one still, the portal none");
        let other = other.now_or_never().unwrap();
        drop(other);
        let third = third.now_or_never().unwrap();
        drop((second, third));
        assert_eq!(slots.state().free, 2);
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
        assert_eq!(slots.state().free, 1);
    }
}
