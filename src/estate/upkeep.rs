//! Keeps fresh what is in use: each reading is made anew before it is old, a few at a time, never one that nobody asks for.

use super::{
    Estate, Failure,
    shelf::Shelf,
    snapshot::{Listed, Stamp},
};
use futures_util::{
    FutureExt, StreamExt,
    future::{self, BoxFuture, join_all},
    stream,
};
use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(1);
/// What is good for less than this is read anew when it is asked for, not before.
const SHORTEST_KEPT_FRESH: Duration = Duration::from_secs(5);
/// Of what is due, one in so many is read at each look; what would end meanwhile is not kept waiting.
const SHARE: usize = 8;
/// Readings of one upstream at once: those who ask come first.
const AT_ONCE: usize = 4;

/// The lists of one upstream.
pub(super) type Lists<'a> = Vec<&'a dyn KeptFresh>;

/// Something that should be read anew.
pub(super) struct Due {
    /// How long the last reading is good for yet.
    pub left: Duration,
    /// Reads it, or joins a reading under way.
    pub renew: BoxFuture<'static, ()>,
}

/// Readings that can be kept fresh, whatever is in them.
pub(super) trait KeptFresh: Send + Sync {
    /// What of it is in use and should be read anew.
    fn due(&self, now: Instant) -> BoxFuture<'_, Vec<Due>>;

    /// Reads the fleet's list, where there is one and it is not in hand. What is read by key is read when it is asked for.
    fn warm(&self) -> BoxFuture<'_, Result<(), Failure>> {
        future::ready(Ok(())).boxed()
    }
}

impl<K, T> KeptFresh for Arc<Shelf<K, T>>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    fn due(&self, now: Instant) -> BoxFuture<'_, Vec<Due>> {
        due(self, self.in_use(), now).boxed()
    }
}

/// Those of these readings that should be made anew.
pub(super) async fn due<K, T>(shelf: &Arc<Shelf<K, T>>, in_use: Vec<(K, Arc<Stamp>)>, now: Instant) -> Vec<Due>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    let mut all = Vec::new();
    for (key, reading) in in_use {
        let (age, lifetime) = reading.age(now);
        // each at another point of the last third, so that what was read together is not read together again
        let spread = f64::from(u8::try_from(reading.generation().wrapping_mul(97) % 256).unwrap_or_default()) / 256.0;
        let is_due = lifetime >= SHORTEST_KEPT_FRESH && age >= lifetime.mul_f64(0.67 + 0.2 * spread);
        if is_due && !shelf.is_reading(&key) && !shelf.is_damped(&key).await {
            let shelf = shelf.clone();
            let renew = async move { shelf.renew(&key, &reading).await }.boxed();
            all.push(Due { left: lifetime.saturating_sub(age), renew });
        }
    }
    all
}

impl Estate {
    /// Keeps fresh what is in use, for as long as it is polled. What is read with callers' credentials is theirs to ask.
    pub async fn keep_fresh(&self) {
        join_all(self.lists().into_iter().map(|lists| async move {
            loop {
                tokio::time::sleep(LOOK).await;
                renew(&lists).await;
            }
        }))
        .await;
    }

    /// Reads every list that queries may need, and tells what could not be read.
    pub async fn warm(&self) -> Vec<Failure> {
        let of_consoles = self.consoles.iter().flat_map(|console| console.shared().lists()).map(KeptFresh::warm);
        let of_histories = self.histories.iter().flat_map(|history| history.shared().warm());
        join_all(of_consoles.chain(of_histories)).await.into_iter().filter_map(Result::err).collect()
    }

    fn lists(&self) -> Vec<Lists<'_>> {
        let consoles = self.consoles.iter().map(|console| console.shared().lists());
        let histories = self.histories.iter().map(|history| history.shared().lists());
        let agents = self.agents.iter().map(|agents| agents.shared().lists());
        consoles.chain(histories).chain(agents).collect()
    }
}

/// Reads anew what is due, what ends the soonest first.
async fn renew(lists: &Lists<'_>) {
    let now = Instant::now();
    let mut all: Vec<Due> = join_all(lists.iter().map(|list| list.due(now))).await.into_iter().flatten().collect();
    all.sort_by_key(|due| due.left);
    let urgent = all.iter().take_while(|due| due.left < 5 * LOOK).count();
    let share = all.len().div_ceil(SHARE);
    stream::iter(all).take(urgent.max(share)).for_each_concurrent(AT_ONCE, |due| due.renew).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        estate::{
            Status, UpstreamId,
            resource::{Resource, Source},
            shelf::Freshness,
        },
        time::Clock,
        upstream::{
            Error, ErrorKind,
            pager::{self, Listing, Opened, Page, PageSource, Row},
            settings::Kind,
        },
    };
    use std::sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    };

    /// A row that tells how many were read before it.
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

    fn status() -> Arc<Status> {
        Arc::new(Status::new(UpstreamId(0), "msp".into(), Kind::Vspc, Clock::System))
    }

    fn good_for(seconds: u64) -> Freshness {
        Freshness { lifetime: Duration::from_secs(seconds), max_stale: Duration::from_secs(60), failure: Duration::from_secs(3) }
    }

    /// Readings by key, each with one row.
    fn readings(lifetime: u64) -> Arc<Shelf<&'static str, Number>> {
        let reads = AtomicU32::new(0);
        Shelf::new("numbers", &status(), Clock::System, good_for(lifetime), 100, move |_, _| {
            let row = Number(reads.fetch_add(1, Ordering::Relaxed) + 1);
            async move { Ok(Listing { rows: vec![row], problem: None, pages: 1 }) }
        })
    }

    async fn due_after(list: &impl KeptFresh, seconds: u64) -> Vec<Due> {
        list.due(Instant::now() + Duration::from_secs(seconds)).await
    }

    #[tokio::test]
    async fn what_is_in_use_is_read_anew_before_it_is_old_and_what_nobody_asks_for_is_not() {
        let shelf = readings(60);
        assert!(due_after(&shelf, 55).await.is_empty(), "nothing was read yet");
        shelf.get(&"once").await.unwrap();
        shelf.get(&"a").await.unwrap();
        assert!(due_after(&shelf, 55).await.is_empty(), "who asked first was given it; nobody asked again");
        let old = shelf.get(&"a").await.unwrap();
        assert_eq!(old.rows()[0].0, 2);
        assert!(due_after(&shelf, 39).await.is_empty());
        let due = due_after(&shelf, 55).await;
        assert_eq!(due.len(), 1, "the other was asked for once");
        assert!(due[0].left <= Duration::from_secs(5));
        join_all(due.into_iter().map(|due| due.renew)).await;
        assert!(!old.stamp().is_current(Instant::now()), "answers made from it end");
        assert!(due_after(&shelf, 55).await.is_empty(), "nobody asked since");
        assert_eq!(shelf.get(&"a").await.unwrap().rows()[0].0, 3);
        assert_eq!(due_after(&shelf, 55).await.len(), 1);
    }

    #[tokio::test]
    async fn what_was_read_anew_meanwhile_is_not_read_again() {
        let shelf = readings(60);
        shelf.get(&"a").await.unwrap();
        shelf.get(&"a").await.unwrap();
        let (first, second) = (due_after(&shelf, 55).await, due_after(&shelf, 55).await);
        join_all(first.into_iter().map(|due| due.renew)).await;
        join_all(second.into_iter().map(|due| due.renew)).await;
        assert_eq!(shelf.get(&"a").await.unwrap().rows()[0].0, 2);
    }

    #[tokio::test]
    async fn what_could_not_be_read_anew_is_tried_again_if_somebody_asks() {
        let reads = AtomicU32::new(0);
        let ages = Freshness { failure: Duration::ZERO, ..good_for(60) };
        let shelf = Shelf::new("numbers", &status(), Clock::System, ages, 100, move |_: &'static str, _| {
            let is_first = reads.fetch_add(1, Ordering::Relaxed) == 0;
            let failure = Error::new(&"msp".into(), ErrorKind::Unavailable, "down");
            async move { if is_first { Ok(Listing { rows: vec![Number(1)], problem: None, pages: 1 }) } else { Err(failure) } }
        });
        shelf.get(&"a").await.unwrap();
        shelf.get(&"a").await.unwrap();
        join_all(due_after(&shelf, 55).await.into_iter().map(|due| due.renew)).await;
        assert!(due_after(&shelf, 55).await.is_empty(), "nobody asked since");
        assert_eq!(shelf.get(&"a").await.unwrap().rows()[0].0, 1, "what is in hand is given");
        assert_eq!(due_after(&shelf, 55).await.len(), 1);
    }

    #[tokio::test]
    async fn what_is_good_for_a_moment_only_is_read_when_it_is_asked_for() {
        let shelf = readings(2);
        shelf.get(&"a").await.unwrap();
        shelf.get(&"a").await.unwrap();
        assert!(due_after(&shelf, 1_000).await.is_empty());
    }

    #[tokio::test]
    async fn what_was_read_together_is_due_at_different_times() {
        let shelf = readings(600);
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            shelf.get(&key).await.unwrap();
            shelf.get(&key).await.unwrap();
        }
        let mut counts = std::collections::BTreeSet::new();
        for seconds in (390..560).step_by(10) {
            counts.insert(due_after(&shelf, seconds).await.len());
        }
        assert!(counts.len() > 3 && counts.contains(&0) && counts.contains(&8), "{counts:?}");
    }

    /// A fleet's list of three pages, which notes how it is read.
    #[derive(Clone, Default)]
    struct Fleet(Arc<Mutex<Vec<String>>>);

    impl Fleet {
        fn note(&self, read: String) {
            self.0.lock().unwrap().push(read);
        }

        fn noted(&self) -> Vec<String> {
            let mut noted = std::mem::take(&mut *self.0.lock().unwrap());
            noted.sort();
            noted
        }
    }

    impl PageSource<Number> for Fleet {
        async fn page(&self, offset: u64) -> Result<Page<Number>, Error> {
            self.note(format!("page at {offset}"));
            let rows = [offset, offset + 1].map(|number| Number(u32::try_from(number).unwrap()));
            Ok(Page { rows: rows.into(), offset: Some(offset), total: 6, problem: None })
        }
        fn page_size(&self) -> u64 {
            2
        }
        fn concurrency(&self) -> usize {
            1
        }
        fn upstream(&self) -> &Arc<str> {
            static NAME: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "msp".into());
            &NAME
        }
    }

    impl Source<u32, Number> for Fleet {
        fn open(&self) -> BoxFuture<'_, Result<Opened<Number>, Error>> {
            pager::open(self).boxed()
        }
        fn finish(&self, opened: Opened<Number>) -> BoxFuture<'_, Result<Listing<Number>, Error>> {
            opened.finish(self).boxed()
        }
        fn narrow<'a>(&'a self, key: &'a u32) -> BoxFuture<'a, Result<Listing<Number>, Error>> {
            self.note(format!("key {key}"));
            async move { Ok(Listing { rows: vec![Number(*key)], problem: None, pages: 1 }) }.boxed()
        }
    }

    /// Asks for each of these keys by itself.
    async fn ask(resource: &Resource<u32, Number, Fleet>, keys: &[u32]) {
        for key in keys {
            assert!(resource.gather(&[*key]).await[key].is_ok());
        }
    }

    async fn renew_all(resource: &Resource<u32, Number, Fleet>) {
        join_all(due_after(resource, 55).await.into_iter().map(|due| due.renew)).await;
    }

    #[tokio::test]
    async fn as_many_keys_in_use_as_the_list_has_pages_are_kept_by_the_list() {
        let fleet = Fleet::default();
        let resource = Resource::new("numbers", fleet.clone(), &status(), Clock::System, good_for(60));
        ask(&resource, &[1, 1, 2, 2]).await;
        assert_eq!(fleet.noted(), ["key 1", "key 2"]);
        renew_all(&resource).await;
        assert_eq!(fleet.noted(), ["key 1", "key 2", "page at 0"], "two keys, and once a page, to learn how many there are");
        ask(&resource, &[1, 2]).await;
        renew_all(&resource).await;
        assert_eq!(fleet.noted(), ["key 1", "key 2"], "fewer than pages");
        ask(&resource, &[1, 2, 3, 3]).await;
        assert_eq!(fleet.noted(), ["key 3"]);
        assert_eq!(due_after(&resource, 55).await.len(), 1, "it may have to wait for its turn");
        renew_all(&resource).await;
        assert_eq!(fleet.noted(), ["page at 2", "page at 4"], "the first page was in hand");
        ask(&resource, &[1, 2, 3, 4]).await;
        renew_all(&resource).await;
        assert_eq!(fleet.noted(), ["page at 0", "page at 2", "page at 4"]);
        renew_all(&resource).await;
        assert_eq!(fleet.noted(), [""; 0], "nobody asked since");
    }
}
