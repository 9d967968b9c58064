//! Connections on which nothing happens are closed. Each is looked at now and then, and what happens between two looks is
//! only noted: to set an alarm for each request and take it back costs more, and nobody minds if a connection is closed some
//! seconds late.

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    task::{Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A deadline of this long is looked at so often.
const LOOKS: u32 = 8;
/// At least so often.
const LONGEST: Duration = Duration::from_secs(5);

/// What happens on a connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests that were taken and are not answered yet.
    under_way: AtomicU32,
    was_asked: AtomicBool,
    /// Whether it is a connection of many requests at once (HTTP/2), which asks now and then whether its other side is there.
    looks_after_itself: AtomicBool,
    writes: AtomicU32,
    is_writing: AtomicBool,
}

/// A request is under way until this is dropped.
pub(super) struct UnderWay<'a>(&'a Activity);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Activity {
    /// A request came.
    pub fn begin(&self, is_multiplexed: bool) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.was_asked.store(true, Ordering::Relaxed);
        if is_multiplexed {
            self.looks_after_itself.store(true, Ordering::Relaxed);
        }
        UnderWay(self)
    }

    /// Something was written, or (`is_waiting`) could not be yet.
    pub fn wrote(&self, is_waiting: bool) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.is_writing.store(is_waiting, Ordering::Relaxed);
    }

    /// Runs a connection. None where nothing happened on it for that long: neither is a request answered, nor an answer sent.
    /// What is received does not count: a request must be there in full by then.
    pub async fn drive<F: Future>(&self, connection: F, idle: Duration) -> Option<F::Output> {
        let every = (idle / LOOKS).clamp(Duration::from_millis(1), LONGEST);
        let most = idle.div_duration_f64(every).ceil() as u32;
        let (mut connection, mut look) = (pin!(connection), pin!(sleep(every)));
        let mut armed: Option<Waker> = None;
        let (mut quiet, mut writes) = (0, 0);
        poll_fn(move |context| {
            if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(outcome));
            }
            // an alarm that is set for this task need not be set again
            if !look.is_elapsed() && armed.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                return Poll::Pending;
            }
            while look.as_mut().poll(context).is_ready() {
                let now = self.writes.load(Ordering::Relaxed);
                quiet = if self.is_busy(now != writes) { 0 } else { quiet + 1 };
                writes = now;
                if quiet >= most {
                    return Poll::Ready(None);
                }
                look.as_mut().reset(Instant::now() + every);
            }
            armed = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn is_busy(&self, has_written: bool) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let answers = has_written || is(&self.is_writing);
        self.under_way.load(Ordering::Relaxed) > 0 || is(&self.looks_after_itself) || (is(&self.was_asked) && answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep_until;

    const IDLE: Duration = Duration::from_secs(8);

    /// When a connection is given up on which `happens`; None where it is still there after a minute.
    async fn given_up(happens: impl AsyncFnOnce(&Activity)) -> Option<u64> {
        let (activity, began) = (Activity::default(), Instant::now());
        let connection = async {
            happens(&activity).await;
            std::future::pending::<()>().await
        };
        let driven = tokio::time::timeout(Duration::from_secs(60), activity.drive(connection, IDLE)).await;
        driven.ok().map(|_| began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_given_up_when_nothing_happened_for_so_long() {
        let at = |second: u64| sleep_until(Instant::now() + Duration::from_secs(second));
        assert_eq!(given_up(async |_| {}).await, Some(8), "nothing was asked");
        assert_eq!(given_up(async |activity| activity.wrote(false)).await, Some(8), "nothing was asked, whatever is written");
        let answered = given_up(async |activity| {
            let request = activity.begin(false);
            at(20).await;
            activity.wrote(false);
            drop(request);
        });
        assert!((28..=30).contains(&answered.await.unwrap()), "counted from the end of the answer");
        let taken_slowly = given_up(async |activity| {
            drop(activity.begin(false));
            activity.wrote(true);
            at(20).await;
            activity.wrote(false);
        });
        assert!((28..=30).contains(&taken_slowly.await.unwrap()));
        let answering = given_up(async |activity| {
            let _request = activity.begin(false);
            std::future::pending().await
        });
        assert_eq!(answering.await, None);
        assert_eq!(given_up(async |activity| drop(activity.begin(true))).await, None, "it looks after itself");
    }
}
