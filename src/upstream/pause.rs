//! A pause that an upstream asked for with a 429.
//!
//! While it lasts nothing is sent. A long one is believed, but it may be a mistake, or be over
//! sooner than was said: so one request goes through every now and then, as a probe. Any answer to
//! it that is no 429 ends the pause for everybody.

use super::retry_after::LONGEST_PAUSE;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Between two probes. The vendors count requests per second and per minute, so one in half a
/// minute is next to nothing for an upstream that means what it says.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(30);

/// Until the next one, where a probe got no answer: a connection that was closed meanwhile, say.
const PROBE_AGAIN: Duration = Duration::from_secs(2);

/// The pause of one upstream, or that there is none.
#[derive(Debug, Default)]
pub(super) struct Pause(Mutex<Option<Asked>>);

#[derive(Clone, Copy, Debug)]
struct Asked {
    until: Instant,
    next_probe: Instant,
}

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Go,
    /// It alone may.
    Probe,
    /// Not before the pause ends.
    Wait(Instant),
}

impl Pause {
    /// An upstream asked for a pause. Of those that were asked for at once the longest counts; what
    /// a probe is told counts instead of what was said before.
    pub fn ask(&self, wait: Duration, is_of_probe: bool) {
        let now = Instant::now();
        let until = now + wait.min(LONGEST_PAUSE);
        let mut asked = self.asked();
        let earlier = asked.filter(|_| !is_of_probe);
        *asked = Some(Asked {
            until: earlier.map_or(until, |earlier| earlier.until.max(until)),
            next_probe: now + PROBE_EVERY,
        });
    }

    /// A probe got no answer at all: that says nothing of the pause, so another may follow soon.
    pub fn probe_got_no_answer(&self) {
        if let Some(asked) = self.asked().as_mut() {
            asked.next_probe = asked.next_probe.min(Instant::now() + PROBE_AGAIN);
        }
    }

    /// The answer to a probe was no 429.
    pub fn end(&self) {
        *self.asked() = None;
    }

    /// Whether there is one.
    pub fn holds(&self) -> bool {
        self.asked()
            .is_some_and(|asked| asked.until > Instant::now())
    }

    /// Whether a request may be sent now. Whoever gets [`Leave::Probe`] sends one.
    pub fn leave(&self) -> Leave {
        let now = Instant::now();
        let mut state = self.asked();
        let Some(asked) = state.as_mut() else {
            return Leave::Go;
        };
        if asked.until <= now {
            *state = None;
            return Leave::Go;
        }
        if asked.next_probe <= now {
            // a probe whose caller gives it up makes room for another one then
            asked.next_probe = now + PROBE_EVERY;
            return Leave::Probe;
        }
        Leave::Wait(asked.until)
    }

    fn asked(&self) -> MutexGuard<'_, Option<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_short_pause_is_kept_to_its_end() {
        let pause = Pause::default();
        assert_eq!(pause.leave(), Leave::Go);
        pause.ask(Duration::from_secs(25), false);
        pause.ask(Duration::from_secs(5), false);
        let end = Instant::now() + Duration::from_secs(25);
        let is_kept = || pause.leave() == Leave::Wait(end);
        assert!(is_kept(), "the longest counts");
        tokio::time::advance(Duration::from_secs(24)).await;
        assert!(is_kept());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pause.leave(), Leave::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_pause_is_probed_by_one_at_a_time_until_another_answer_comes() {
        let pause = Pause::default();
        pause.ask(Duration::MAX, false);
        let mut probes = 0;
        // for nine minutes: every probe is told the same
        for _ in 0..9 * 60 {
            tokio::time::advance(Duration::from_secs(1)).await;
            if pause.leave() == Leave::Probe {
                probes += 1;
                assert!(matches!(pause.leave(), Leave::Wait(_)), "one is enough");
                pause.ask(Duration::MAX, true);
            }
        }
        assert_eq!(probes, 18);
        // one is given up, the next gets no answer, and the one after that a good one
        tokio::time::advance(PROBE_EVERY).await;
        assert_eq!(pause.leave(), Leave::Probe);
        tokio::time::advance(PROBE_EVERY).await;
        assert_eq!(pause.leave(), Leave::Probe);
        pause.probe_got_no_answer();
        assert!(matches!(pause.leave(), Leave::Wait(_)));
        tokio::time::advance(PROBE_AGAIN).await;
        assert_eq!(pause.leave(), Leave::Probe);
        pause.end();
        assert_eq!(pause.leave(), Leave::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_can_shorten_the_pause() {
        let pause = Pause::default();
        pause.ask(Duration::MAX, false);
        tokio::time::advance(PROBE_EVERY).await;
        assert_eq!(pause.leave(), Leave::Probe);
        pause.ask(Duration::from_secs(2), true);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pause.leave(), Leave::Go);
    }
}
