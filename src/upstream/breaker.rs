//! A circuit breaker: an upstream that fails read after read is not waited for by everybody.
//!
//! Closed, every read goes through. After so many failures in a row it opens: reads fail at once,
//! with the last failure, and lists that were read before are served stale. After a pause it is
//! half open: one read goes through as a probe; if that succeeds the breaker closes, else it stays
//! open for twice as long.
//!
//! A failure is an upstream that can't be reached, does not answer in time, or is down by its
//! gateway's word. A read that is refused, or fails with 500, was answered: one list that a server
//! can't give says nothing of the others.

use super::error::{Error, ErrorKind};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Reads that fail one after the other, after their retries: less may be one restart of a service.
const FAILURES: u32 = 5;
/// The first pause is short: most failures are.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// So often at least it is tried whether the upstream is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The breaker of one upstream.
#[derive(Debug)]
pub(super) struct Breaker {
    upstream: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last answer.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    /// Whether the one read of the half-open breaker is under way.
    is_probed: bool,
    last: Error,
}

/// Leave to read. What came of it must be told; where nothing is, because the read was given up,
/// nothing is known.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    /// Closed.
    pub fn of(upstream: Arc<str>) -> Self {
        Self {
            upstream,
            state: Mutex::default(),
        }
    }

    /// Leave to read, or the failure that everybody gets while the breaker is open.
    pub fn permit(&self) -> Result<Permit<'_>, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let Some(open) = &mut state.open else {
            return Ok(Permit {
                breaker: self,
                is_probe: false,
            });
        };
        if now < open.until || open.is_probed {
            let wait = open.until.saturating_duration_since(now).max(FIRST_PAUSE);
            let mut error = open.last.clone().with_retry_after(Some(wait));
            error.detail = format!(
                "not asked, as the last reads failed (circuit breaker): {}",
                open.last.detail
            );
            return Err(error);
        }
        open.is_probed = true;
        Ok(Permit {
            breaker: self,
            is_probe: true,
        })
    }

    /// Whether reads fail at once.
    pub fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    fn answered(&self) {
        let mut state = self.state();
        state.failures = 0;
        if state.open.take().is_some() {
            drop(state);
            tracing::info!(upstream = %self.upstream, "the upstream answers again: the circuit breaker is closed");
        }
    }

    fn failed(&self, error: &Error, is_probe: bool) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let pause = match &state.open {
            // one that was sent before it opened
            Some(_) if !is_probe => return,
            Some(open) => open.pause.saturating_mul(2).min(LONGEST_PAUSE),
            None if state.failures < FAILURES => return,
            None => FIRST_PAUSE,
        };
        let failures = state.failures;
        state.open = Some(Open {
            until: Instant::now() + pause,
            pause,
            is_probed: false,
            last: error.clone(),
        });
        drop(state);
        tracing::warn!(
            upstream = %self.upstream,
            failures,
            pause_seconds = pause.as_secs(),
            kind = ?error.kind,
            reason = %error.detail,
            "the circuit breaker is open: reads fail at once, but for one after the pause"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// What came of the read.
    pub fn told(self, outcome: &Result<impl Sized, Error>) {
        match outcome {
            Err(error) if is_failure(error) => self.breaker.failed(error, self.is_probe),
            // our own pause tells nothing of the upstream
            Err(error) if error.kind == ErrorKind::RateLimited && error.status.is_none() => {}
            _ => self.breaker.answered(),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(open) = &mut self.breaker.state().open
        {
            // told already, or given up: the next read may be the probe
            open.is_probed = false;
        }
    }
}

fn is_failure(error: &Error) -> bool {
    match error.kind {
        ErrorKind::Timeout => true,
        ErrorKind::Unavailable => error
            .status
            .is_none_or(|status| matches!(status, 502..=504 | 520..=599)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::of("msp".into())
    }

    fn error(kind: ErrorKind, status: Option<u16>) -> Result<(), Error> {
        let error = Error::new(&"msp".into(), kind, "as it was");
        Err(match status {
            Some(status) => error.with_status(status),
            None => error,
        })
    }

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker
                .permit()
                .unwrap()
                .told(&error(ErrorKind::Timeout, None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let breaker = breaker();
        fail(&breaker, FAILURES - 1);
        breaker.permit().unwrap().told(&Ok(()));
        fail(&breaker, FAILURES - 1);
        assert!(!breaker.is_open());
        fail(&breaker, 1);
        let refused = breaker.permit().unwrap_err();
        assert_eq!(
            (refused.kind, refused.retry_after),
            (ErrorKind::Timeout, Some(FIRST_PAUSE))
        );
        tokio::time::advance(FIRST_PAUSE).await;
        let probe = breaker.permit().unwrap();
        assert!(breaker.permit().is_err(), "one is enough");
        probe.told(&Ok(()));
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_fail_come_less_and_less_often_but_never_end() {
        let breaker = breaker();
        fail(&breaker, FAILURES);
        let mut probes = 0;
        for _ in 0..600 {
            if let Ok(probe) = breaker.permit() {
                probes += 1;
                probe.told(&error(ErrorKind::Unavailable, None));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // 1, 2, 4, 8, 16 seconds, then every 30
        assert_eq!(probes, 4 + 600_u32.div_ceil(30) - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = breaker();
        fail(&breaker, FAILURES);
        tokio::time::advance(FIRST_PAUSE).await;
        drop(breaker.permit().unwrap());
        breaker.permit().unwrap().told(&Ok(()));
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_upstream_refuses_or_can_not_give_does_not_open_it() {
        let breaker = breaker();
        for (kind, status) in [
            (ErrorKind::Rejected, Some(400)),
            (ErrorKind::Unauthorized, Some(401)),
            (ErrorKind::Invalid, None),
            (ErrorKind::RateLimited, Some(429)),
            (ErrorKind::Unavailable, Some(500)),
            (ErrorKind::Unavailable, Some(202)),
        ] {
            (0..20).for_each(|_| breaker.permit().unwrap().told(&error(kind, status)));
            assert!(!breaker.is_open(), "{kind:?} {status:?}");
        }
    }
}
