//! How much an upstream bears, by how its answers come: refusals and answers that are hardly in
//! time mean less at once.

use super::{
    error::{Error, ErrorKind},
    slots::Slots,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// An upstream that takes this part of a read's whole time for one page has too much to do.
const SLOW_PART: u32 = 4;

/// One exchange, as a sign of how much the upstream bears.
pub(super) struct Load<'a> {
    slots: &'a Arc<Slots>,
    started: Instant,
    slow: Duration,
    is_too_much: Option<bool>,
}

impl<'a> Load<'a> {
    /// An exchange begins, of a read that may take that long.
    pub fn begin(slots: &'a Arc<Slots>, timeout: Duration) -> Self {
        Self {
            slots,
            started: Instant::now(),
            slow: timeout / SLOW_PART,
            is_too_much: None,
        }
    }

    /// How long it took so far.
    pub fn took(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_slow(&self) -> bool {
        self.started.elapsed() >= self.slow
    }

    /// How it ended.
    pub fn told(&mut self, outcome: &Result<impl Sized, Error>) {
        let refused = |error: &Error| {
            error.kind == ErrorKind::Timeout || matches!(error.status, Some(429 | 502..=504))
        };
        let is_too_much = self.is_slow() || outcome.as_ref().is_err_and(refused);
        if !is_too_much && outcome.is_ok() {
            self.slots.raise();
        }
        self.is_too_much = Some(is_too_much);
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        // one that was given up in the middle ran out of time
        if self.is_too_much.unwrap_or_else(|| self.is_slow()) {
            self.slots.lower(Instant::now());
        }
    }
}
