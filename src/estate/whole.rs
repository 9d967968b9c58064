//! A list as a whole, with the way to read it: asked for, or kept fresh while it is in use.

use super::{
    Failure, Status,
    shelf::{Freshness, Shelf},
    snapshot::{Listed, Snapshot},
};
use crate::{
    time::Clock,
    upstream::{Error, pager::Listing},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Lists that are good for less than this are read anew when they are asked for, not before.
const SHORTEST_KEPT_FRESH: Duration = Duration::from_secs(5);

type Reader<T> = dyn Fn(Option<Arc<Snapshot<T>>>) -> BoxFuture<'static, Result<Listing<T>, Error>> + Send + Sync;

/// One list of one upstream.
pub(super) struct Whole<T: Listed> {
    shelf: Arc<Shelf<(), T>>,
    read: Arc<Reader<T>>,
}

/// A list that can be kept fresh, whatever is in it.
pub(super) trait KeptFresh: Send + Sync {
    /// How long it is good for yet, if it is in use and should be read anew.
    fn due(&self, now: Instant) -> BoxFuture<'_, Option<Duration>>;
    /// Reads it anew, or joins a reading under way.
    fn renew(&self) -> BoxFuture<'_, ()>;
    /// Reads it, if it is not in hand.
    fn warm(&self) -> BoxFuture<'_, Result<(), Failure>>;
}

impl<T: Listed> Whole<T> {
    /// A list that is read by `read`, which is given the last reading to build on.
    pub fn new<F>(
        name: &'static str,
        status: &Arc<Status>,
        clock: Clock,
        freshness: Freshness,
        rows: u64,
        read: impl Fn(Option<Arc<Snapshot<T>>>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Listing<T>, Error>> + Send + 'static,
    {
        let shelf = Shelf::new(name, status.clone(), clock, freshness, rows);
        Self { shelf, read: Arc::new(move |last| read(last).boxed()) }
    }

    /// The list.
    pub async fn get(&self) -> Result<Arc<Snapshot<T>>, Failure> {
        self.shelf.get(&(), || self.reading()).await
    }

    /// The list, if it is in hand.
    pub async fn in_hand(&self) -> Option<Arc<Snapshot<T>>> {
        self.shelf.peek(&(), || self.reading()).await
    }

    /// The list, if it is in hand and fresh.
    pub async fn fresh(&self) -> Option<Arc<Snapshot<T>>> {
        self.shelf.last(&()).await.filter(|snapshot| snapshot.is_fresh())
    }

    /// Whether a reading is under way.
    pub fn is_reading(&self) -> bool {
        self.shelf.is_reading(&())
    }

    fn reading(&self) -> impl Future<Output = Result<Listing<T>, Error>> + Send + 'static {
        let (shelf, read) = (self.shelf.clone(), self.read.clone());
        async move {
            let last = shelf.last(&()).await;
            read(last).await
        }
    }
}

impl<T: Listed> KeptFresh for Whole<T> {
    fn due(&self, now: Instant) -> BoxFuture<'_, Option<Duration>> {
        async move {
            let stamp = self.shelf.last(&()).await?.stamp().clone();
            let (age, lifetime) = stamp.age(now);
            // each reading at another point of the last third, so that what was read together is not read together again
            let spread = f64::from(u8::try_from(stamp.generation().wrapping_mul(97) % 256).unwrap_or_default()) / 256.0;
            let is_due = stamp.was_used() && lifetime >= SHORTEST_KEPT_FRESH && age >= lifetime.mul_f64(0.67 + 0.2 * spread);
            if !is_due || self.is_reading() || self.shelf.is_damped(&()).await {
                return None;
            }
            Some(lifetime.saturating_sub(age))
        }
        .boxed()
    }

    fn renew(&self) -> BoxFuture<'_, ()> {
        async move { self.shelf.renew(&(), || self.reading()).await }.boxed()
    }

    fn warm(&self) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.get().await.map(drop) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        estate::UpstreamId,
        upstream::{pager::Row, settings::Kind},
    };
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Number(u32);

    impl Row for Number {
        type Identity = u32;
        fn identity(&self) -> u32 {
            self.0
        }
    }

    impl Listed for Number {
        type Index = ();
        fn index(_: &[Self]) {}
    }

    /// A list whose one row tells how often it was read.
    fn list(lifetime: u64) -> Whole<Number> {
        let status = Arc::new(Status::new(UpstreamId(0), "msp".into(), Kind::Vspc, Clock::System));
        let ages =
            Freshness { lifetime: Duration::from_secs(lifetime), max_stale: Duration::from_secs(60), failure: Duration::from_secs(3) };
        let reads = AtomicU32::new(0);
        Whole::new("numbers", &status, Clock::System, ages, 10, move |_| {
            let row = Number(reads.fetch_add(1, Ordering::Relaxed) + 1);
            async move { Ok(Listing { rows: vec![row], problem: None, pages: 1 }) }
        })
    }

    async fn due_after(list: &Whole<Number>, seconds: u64) -> bool {
        list.due(Instant::now() + Duration::from_secs(seconds)).await.is_some()
    }

    #[tokio::test]
    async fn a_list_in_use_is_read_anew_before_it_is_old_and_one_that_nobody_asks_for_is_not() {
        let list = list(60);
        assert!(!due_after(&list, 55).await, "nothing was read yet");
        list.get().await.unwrap();
        assert!(!due_after(&list, 55).await, "who asked first was given it; nobody asked again");
        assert_eq!(list.get().await.unwrap().rows()[0].0, 1);
        assert!(!due_after(&list, 39).await && due_after(&list, 55).await);
        let old = list.get().await.unwrap();
        list.renew().await;
        assert!(!old.stamp().is_current(Instant::now()), "answers made from it end");
        assert!(!due_after(&list, 55).await, "nobody asked since");
        assert_eq!(list.get().await.unwrap().rows()[0].0, 2);
        assert!(due_after(&list, 55).await);
    }

    #[tokio::test]
    async fn what_is_good_for_a_moment_only_is_read_when_it_is_asked_for() {
        let list = list(2);
        list.get().await.unwrap();
        list.get().await.unwrap();
        assert!(!due_after(&list, 1_000).await);
    }

    #[tokio::test]
    async fn lists_that_were_read_together_are_due_at_different_times() {
        let mut times = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let list = list(600);
            list.get().await.unwrap();
            list.get().await.unwrap();
            for seconds in (390..560).step_by(10) {
                if due_after(&list, seconds).await {
                    times.insert(seconds);
                    break;
                }
            }
        }
        assert!(times.len() > 3, "{times:?}");
    }
}
