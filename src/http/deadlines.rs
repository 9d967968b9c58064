//! Deadlines of connections, which are looked at now and then. A request is over long before its deadline: to set an alarm
//! for each and take it back costs more than the looks, and nobody minds if a connection is closed some seconds late.

use hyper::rt::{Sleep, Timer};
use std::{
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// A deadline of this long is looked at so often.
const LOOKS: u32 = 8;
/// At least so often.
const LONGEST: Duration = Duration::from_secs(5);

/// What a connection sets its deadlines with, if it is driven by [`Unhurried::drive`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Unhurried {
    length: Duration,
    every: Duration,
}

/// Resolves when it is looked at after its deadline; wakes nobody.
struct Deadline(Instant);

impl Unhurried {
    /// For deadlines of `length` and longer.
    pub fn new(length: Duration) -> Self {
        Self { length, every: (length / LOOKS).clamp(Duration::from_millis(1), LONGEST) }
    }

    /// Runs a connection, and has it look at its deadlines. None where nothing is asked for so long that it is given up:
    /// before its first request a connection has no deadline of its own.
    pub async fn drive<F: Future>(self, connection: F, is_asked: &AtomicBool) -> Option<F::Output> {
        let (mut connection, mut looks) = (pin!(connection), tokio::time::interval(self.every));
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                outcome = &mut connection => return Some(outcome),
                _ = looks.tick() => {}
            }
            if !is_asked.load(Ordering::Relaxed) && began.elapsed() >= self.length {
                return None;
            }
        }
    }
}

impl Timer for Unhurried {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline(deadline))
    }
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}
