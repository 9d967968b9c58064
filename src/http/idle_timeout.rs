//! What a connection has to keep to: its first request in time, headers in time, an answer that is
//! taken, a request now and then, and a largest age. Each connection is looked at now and then, and
//! what happens between two looks is only noted: to set an alarm for each request and take it back
//! costs more, and nobody minds if a connection is closed a little late.

use super::connection_activity::ConnectionActivity;
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::atomic::Ordering,
    task::{Poll, Waker},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// The shortest deadline is looked at so often.
const LOOKS: u32 = 4;
/// At least so often.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether the gateway is going to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It is not.
    #[default]
    Serving,
    /// It still takes all that comes, and tells everybody to go elsewhere.
    Leaving,
    /// It takes no more.
    Draining,
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// The first request since the connection began, and the headers of each since their first
    /// byte.
    pub headers: Duration,
    /// Without a request.
    pub idle: Duration,
    /// For at least `least` bytes of an answer to be taken.
    pub send: Duration,
    /// See `send`.
    pub least: u64,
    /// Of a connection, for new requests.
    pub age: Duration,
    /// Beyond its age, for those that are under way then.
    pub grace: Duration,
}

impl ConnectionActivity {
    /// Runs a connection until it ends; an error says why it was given up. `close` asks it to end
    /// once what it was asked is answered.
    pub async fn drive<F: Future>(
        &self,
        connection: F,
        close: impl Fn(Pin<&mut F>),
        deadlines: Deadlines,
        mut stage: watch::Receiver<Stage>,
    ) -> Result<F::Output, &'static str> {
        let shortest = deadlines
            .headers
            .min(deadlines.idle)
            .min(deadlines.send)
            .min(deadlines.age);
        let every = (shortest / LOOKS).clamp(Duration::from_millis(1), LONGEST);
        let mut ears = stage.clone();
        let news = async move {
            while ears.changed().await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let (mut connection, mut look, mut news) =
            (pin!(connection), pin!(sleep(every)), pin!(news));
        let mut armed: Option<Waker> = None;
        let mut watched = Watched::new(Instant::now());
        let mut now_is = *stage.borrow();
        let mut is_told = false;
        poll_fn(move |context| {
            if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                return Poll::Ready(Ok(outcome));
            }
            // an alarm that is set for this task need not be set again
            let is_armed = armed
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()));
            if is_armed && !look.is_elapsed() && !stage.has_changed().unwrap_or_default() {
                return Poll::Pending;
            }
            if news.as_mut().poll(context).is_ready() {
                return Poll::Pending;
            }
            if stage.has_changed().unwrap_or_default() || armed.is_none() {
                now_is = *stage.borrow_and_update();
            }
            let mut is_old = false;
            while look.as_mut().poll(context).is_ready() {
                match watched.look(self, &deadlines, Instant::now()) {
                    Ok(old) => is_old = old,
                    Err(why) => return Poll::Ready(Err(why)),
                }
                look.as_mut().reset(Instant::now() + every);
            }
            armed = Some(context.waker().clone());
            if (now_is > Stage::Serving || is_old) && !self.is_closing.swap(true, Ordering::Relaxed)
            {
                tracing::trace!(address = %self.address, "a connection is to end");
            }
            // over HTTP/1 an answer says it; over HTTP/2 the connection, once it was of use
            let is_to_be_told =
                self.is_closing() && self.is_multiplexed() || now_is == Stage::Draining;
            if is_to_be_told && !is_told {
                is_told = true;
                close(connection.as_mut());
                if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                    return Poll::Ready(Ok(outcome));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// What was seen of a connection at the last looks.
struct Watched {
    opened: Instant,
    quiet_since: Instant,
    headers_since: Option<Instant>,
    taking_since: Instant,
    /// By then.
    taken: u64,
    begun: u32,
}

impl Watched {
    fn new(now: Instant) -> Self {
        Self {
            opened: now,
            quiet_since: now,
            headers_since: None,
            taking_since: now,
            taken: 0,
            begun: 0,
        }
    }

    /// Whether the connection is too old for another request; an error where it is given up, and
    /// why.
    fn look(
        &mut self,
        activity: &ConnectionActivity,
        deadlines: &Deadlines,
        now: Instant,
    ) -> Result<bool, &'static str> {
        let is_asked = activity.under_way.load(Ordering::Relaxed) > 0;
        let begun = activity.begun.load(Ordering::Relaxed);
        let was_ever_asked = begun > 0;
        let is_beginning =
            activity.is_beginning.load(Ordering::Relaxed) && !activity.is_multiplexed();
        if !is_beginning || begun != self.begun {
            self.headers_since = None;
        }
        if is_beginning {
            self.headers_since.get_or_insert(now);
        }
        // also one that came and went between two looks
        let was_asked = begun != std::mem::replace(&mut self.begun, begun);
        let late = |since: Instant, most: Duration| now.saturating_duration_since(since) >= most;
        if (!was_ever_asked && late(self.opened, deadlines.headers))
            || self
                .headers_since
                .is_some_and(|since| late(since, deadlines.headers))
        {
            return Err("no request came in time (server.header_timeout)");
        }
        if is_asked || was_asked || (was_ever_asked && activity.is_writing.load(Ordering::Relaxed))
        {
            self.quiet_since = now;
        } else if late(self.quiet_since, deadlines.idle) {
            return Err("nothing was asked for too long (server.idle)");
        }
        let taken = activity.taken.load(Ordering::Relaxed);
        if activity.sending.load(Ordering::Relaxed) == 0 || taken - self.taken >= deadlines.least {
            (self.taking_since, self.taken) = (now, taken);
        } else if late(self.taking_since, deadlines.send) {
            return Err("the client takes too little of its answer (server.send_timeout)");
        }
        if late(self.opened, deadlines.age + deadlines.grace) {
            return Err("it is too old (server.max_connection_age)");
        }
        Ok(late(self.opened, deadlines.age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, sync::Arc};

    const DEADLINES: Deadlines = Deadlines {
        headers: Duration::from_secs(4),
        idle: Duration::from_secs(8),
        send: Duration::from_secs(6),
        least: 100,
        age: Duration::from_secs(40),
        grace: Duration::from_secs(10),
    };

    /// When a connection is given up on which `happens`, and why.
    async fn given_up(happens: impl AsyncFnOnce(Arc<ConnectionActivity>)) -> (u64, &'static str) {
        let (activity, began) = (
            Arc::new(ConnectionActivity::of(Ipv4Addr::LOCALHOST.into(), None)),
            Instant::now(),
        );
        let connection = async {
            happens(activity.clone()).await;
            std::future::pending::<()>().await
        };
        let stage = watch::Sender::new(Stage::Serving);
        let why = activity
            .drive(connection, |_| {}, DEADLINES, stage.subscribe())
            .await
            .unwrap_err();
        (began.elapsed().as_secs(), why.rsplit('(').next().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_given_up_for_what_it_does_not_keep_to() {
        let seconds = |count: u64| tokio::time::sleep(Duration::from_secs(count));
        assert_eq!(
            given_up(async |_| {}).await,
            (4, "server.header_timeout)"),
            "nothing was asked"
        );
        let trickles = given_up(async |activity| {
            drop(activity.begin(false));
            seconds(3).await;
            activity.read();
        });
        assert!(
            matches!(trickles.await, (7..=9, "server.header_timeout)")),
            "headers that never end"
        );
        let answered = given_up(async |activity| {
            let request = activity.begin(false);
            seconds(20).await;
            drop(request);
        });
        assert!(
            matches!(answered.await, (27..=30, "server.idle)")),
            "counted from the end of the answer"
        );
        let busy = given_up(async |activity| {
            for _ in 0..30 {
                drop(activity.begin(false));
                seconds(1).await;
            }
        });
        assert!(
            matches!(busy.await, (37..=39, "server.idle)")),
            "counted from the last request, however short"
        );
        let pongs = given_up(async |activity| {
            drop(activity.begin(true));
            loop {
                activity.read();
                activity.wrote(false);
                seconds(1).await;
            }
        });
        assert!(
            matches!(pongs.await, (8..=10, "server.idle)")),
            "who only answers pings is idle"
        );
        let unread = given_up(async |activity| {
            let request = activity.begin(true);
            request.is_answered();
            loop {
                activity.took(10);
                seconds(1).await;
            }
        });
        assert!(
            matches!(unread.await, (6..=8, "server.send_timeout)")),
            "10 bytes a second are too few"
        );
        let read = given_up(async |activity| {
            let request = activity.begin(true);
            request.is_answered();
            for _ in 0..20 {
                activity.took(50);
                seconds(1).await;
            }
            drop(request);
        });
        assert!(
            matches!(read.await, (27..=30, "server.idle)")),
            "50 a second are enough"
        );
        let busy = given_up(async |activity| {
            let _request = activity.begin(false);
            std::future::pending().await
        });
        assert!(
            matches!(busy.await, (50..=51, "server.max_connection_age)")),
            "old, and beyond its grace"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_asked_to_end_when_it_is_old_and_when_the_gateway_leaves() {
        for (is_multiplexed, of, expected) in [
            (true, Stage::Serving, Some(40)),
            (false, Stage::Serving, None),
            (true, Stage::Leaving, Some(10)),
            (false, Stage::Leaving, None),
            (false, Stage::Draining, Some(10)),
        ] {
            let (activity, began) = (
                Arc::new(ConnectionActivity::of(Ipv4Addr::LOCALHOST.into(), None)),
                Instant::now(),
            );
            let stage = watch::Sender::new(Stage::Serving);
            let _request = activity.begin(is_multiplexed);
            let told = std::sync::Mutex::new(None);
            let close = |_: Pin<&mut _>| *told.lock().unwrap() = Some(began.elapsed().as_secs());
            let driven = activity.drive(
                std::future::pending::<()>(),
                close,
                DEADLINES,
                stage.subscribe(),
            );
            let announced = async {
                tokio::time::sleep(Duration::from_secs(10)).await;
                stage.send_replace(of);
            };
            let (ended, ()) = tokio::join!(driven, announced);
            assert!(ended.is_err() && activity.is_closing());
            assert_eq!(
                *told.lock().unwrap(),
                expected.or(Some(40).filter(|_| is_multiplexed)),
                "{is_multiplexed} {of:?}"
            );
        }
    }
}
