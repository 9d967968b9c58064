//! Keeps fresh what is in use: each reading is made anew before it is old, a few at a time, never
//! one that nobody asks for.

use super::{Estate, Failure, snapshot::Stamp, store::Slot};
use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(1);
/// What is good for less than this is read anew when it is asked for, not before.
const SHORTEST_KEPT_FRESH: Duration = Duration::from_secs(5);
/// Of what is due, one in so many is read at each look; what would end meanwhile is not kept
/// waiting.
const SHARE: usize = 8;
/// Readings of one upstream at once: those who ask come first.
const AT_ONCE: usize = 4;

/// The lists of one upstream.
pub(super) type Lists<'a> = Vec<&'a dyn Refresh>;

/// What there is to say of a list, for `/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListStats {
    /// The list.
    pub name: &'static str,
    /// How long it is good for.
    pub lifetime: Duration,
    /// How old it is; none where only parts of it are in hand, or nothing.
    pub age: Option<Duration>,
    /// Rows in hand.
    pub rows: u64,
    /// Whether it could not be read in full.
    pub is_incomplete: bool,
    /// Reads so far: whole, in part, and failed.
    pub reads: [u64; 3],
}

impl ListStats {
    /// Those of another list that goes by the same name: the older of both counts.
    pub fn add(&mut self, other: &Self) {
        self.lifetime = self.lifetime.max(other.lifetime);
        self.age = self.age.max(other.age);
        self.rows += other.rows;
        self.is_incomplete |= other.is_incomplete;
        for (sum, more) in self.reads.iter_mut().zip(other.reads) {
            *sum += more;
        }
    }
}

/// Something that should be read anew.
pub(super) struct Due {
    /// How long the last reading is good for yet.
    pub left: Duration,
    /// Reads it, or joins a reading under way.
    pub renew: BoxFuture<'static, ()>,
}

/// A list that can be kept fresh, whatever is in it.
pub(super) trait Refresh: Send + Sync {
    /// What of it is in use and should be read anew.
    fn due(&self, now: Instant) -> Vec<Due>;

    /// How many rows it keeps.
    fn kept_rows(&self) -> u64;

    /// What there is to say of it.
    fn stats(&self, now: Instant) -> Vec<ListStats>;

    /// Reads full lists that are not in hand. What is read per key is read when it is asked for.
    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        Vec::new()
    }
}

impl<L: Refresh> Refresh for Vec<L> {
    fn due(&self, now: Instant) -> Vec<Due> {
        self.iter().flat_map(|list| list.due(now)).collect()
    }

    fn kept_rows(&self) -> u64 {
        self.iter().map(Refresh::kept_rows).sum()
    }

    fn stats(&self, now: Instant) -> Vec<ListStats> {
        self.iter().flat_map(|list| list.stats(now)).collect()
    }

    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        self.iter().flat_map(Refresh::warm).collect()
    }
}

/// Those of these readings that should be made anew.
pub(super) fn due(
    in_use: impl IntoIterator<Item = (Arc<Slot>, Arc<Stamp>)>,
    now: Instant,
) -> Vec<Due> {
    in_use
        .into_iter()
        .filter_map(|(slot, reading)| due_of(slot, reading, now))
        .collect()
}

fn due_of(slot: Arc<Slot>, reading: Arc<Stamp>, now: Instant) -> Option<Due> {
    let (age, lifetime) = reading.age(now);
    // each at another point of the last third, so that what was read together is not read together
    // again
    let spread =
        f64::from(u8::try_from(reading.generation().wrapping_mul(97) % 256).unwrap_or_default())
            / 256.0;
    let is_due = lifetime >= SHORTEST_KEPT_FRESH && age >= lifetime.mul_f64(0.67 + 0.2 * spread);
    if !is_due || slot.is_reading() || slot.has_failed() {
        return None;
    }
    let renew = async move { slot.renew(&reading).await }.boxed();
    Some(Due {
        left: lifetime.saturating_sub(age),
        renew,
    })
}

impl Estate {
    /// Keeps fresh what is in use, for as long as it is polled. What is read with callers'
    /// credentials is theirs to ask.
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
        self.warm_if(|_| true).await
    }

    /// The same for the upstreams of these names.
    pub async fn warm_these(&self, names: &[Arc<str>]) -> Vec<Failure> {
        self.warm_if(|name| names.contains(name)).await
    }

    async fn warm_if(&self, is_meant: impl Fn(&Arc<str>) -> bool) -> Vec<Failure> {
        let lists = self.lists_if(is_meant).into_iter().flatten();
        join_all(lists.flat_map(Refresh::warm))
            .await
            .into_iter()
            .filter_map(Result::err)
            .collect()
    }

    /// What there is to say of every list, by the upstream's name. What was read with callers'
    /// credentials is nobody else's business.
    pub fn list_stats(&self, now: Instant) -> Vec<(Arc<str>, ListStats)> {
        let mut all = Vec::new();
        for status in self.statuses() {
            let lists = self.lists_if(|name| *name == status.name);
            let stats = lists.iter().flatten().flat_map(|list| list.stats(now));
            all.extend(stats.map(|stats| (status.name.clone(), stats)));
        }
        all
    }

    fn lists(&self) -> Vec<Lists<'_>> {
        self.lists_if(|_| true)
    }

    fn lists_if(&self, is_meant: impl Fn(&Arc<str>) -> bool) -> Vec<Lists<'_>> {
        let consoles = self.consoles.iter().map(|console| console.shared());
        let consoles = consoles
            .filter(|console| is_meant(console.name()))
            .map(|console| console.lists());
        let histories = self.histories.iter().map(|history| history.shared());
        let histories = histories
            .filter(|history| is_meant(history.name()))
            .map(|history| history.lists());
        let agents = self.agents.iter().map(|agents| agents.shared());
        let agents = agents
            .filter(|agents| is_meant(agents.name()))
            .map(|agents| agents.lists());
        consoles.chain(histories).chain(agents).collect()
    }
}

/// Reads anew what is due, what ends the soonest first.
async fn renew(lists: &Lists<'_>) {
    let now = Instant::now();
    let mut all: Vec<Due> = lists.iter().flat_map(|list| list.due(now)).collect();
    all.sort_by_key(|due| due.left);
    let urgent = all.iter().take_while(|due| due.left < 5 * LOOK).count();
    let share = all.len().div_ceil(SHARE);
    stream::iter(all)
        .take(urgent.max(share))
        .for_each_concurrent(AT_ONCE, |due| due.renew)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        estate::{
            Status, UpstreamId,
            snapshot::Listed,
            store::{Freshness, KeySource, KeyedList, PageSource, PerKey, Spec},
        },
        time::Clock,
        upstream::{
            Error, ErrorKind,
            pager::{self, Listing, Opened, Page, Row},
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
        Arc::new(Status::new(
            UpstreamId(0),
            "msp".into(),
            Kind::Vspc,
            Clock::System,
        ))
    }

    fn good_for(seconds: u64) -> Freshness {
        Freshness {
            lifetime: Duration::from_secs(seconds),
            max_stale: Duration::from_secs(60),
            failure: Duration::from_secs(3),
        }
    }

    fn spec(freshness: Freshness) -> Arc<Spec> {
        Spec::new("numbers", &status(), Clock::System, freshness)
    }

    /// Readings by key, each with one row.
    fn readings(lifetime: u64) -> PerKey<&'static str, Number> {
        let reads = AtomicU32::new(0);
        PerKey::new(spec(good_for(lifetime)), 100, move |_| {
            let row = Number(reads.fetch_add(1, Ordering::Relaxed) + 1);
            async move {
                Ok(Listing {
                    rows: vec![row],
                    problem: None,
                    pages: 1,
                })
            }
            .boxed()
        })
    }

    fn due_after(list: &impl Refresh, seconds: u64) -> Vec<Due> {
        list.due(Instant::now() + Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn what_is_in_use_is_read_anew_before_it_is_old_and_what_nobody_asks_for_is_not() {
        let list = readings(60);
        assert!(due_after(&list, 55).is_empty(), "nothing was read yet");
        list.get(&"once").await.unwrap();
        list.get(&"a").await.unwrap();
        assert!(
            due_after(&list, 55).is_empty(),
            "who asked first was given it; nobody asked again"
        );
        let old = list.get(&"a").await.unwrap();
        assert_eq!(old.rows()[0].0, 2);
        assert!(due_after(&list, 39).is_empty());
        let due = due_after(&list, 55);
        assert_eq!(due.len(), 1, "the other was asked for once");
        assert!(due[0].left <= Duration::from_secs(5));
        join_all(due.into_iter().map(|due| due.renew)).await;
        assert!(
            !old.stamp().is_current(Instant::now()),
            "answers made from it end"
        );
        assert!(due_after(&list, 55).is_empty(), "nobody asked since");
        assert_eq!(list.get(&"a").await.unwrap().rows()[0].0, 3);
        assert_eq!(due_after(&list, 55).len(), 1);
    }

    #[tokio::test]
    async fn what_was_read_anew_meanwhile_is_not_read_again() {
        let list = readings(60);
        list.get(&"a").await.unwrap();
        list.get(&"a").await.unwrap();
        let (first, second) = (due_after(&list, 55), due_after(&list, 55));
        join_all(first.into_iter().map(|due| due.renew)).await;
        join_all(second.into_iter().map(|due| due.renew)).await;
        assert_eq!(list.get(&"a").await.unwrap().rows()[0].0, 2);
    }

    #[tokio::test]
    async fn what_could_not_be_read_anew_is_tried_again_if_somebody_asks() {
        let reads = AtomicU32::new(0);
        let ages = Freshness {
            failure: Duration::ZERO,
            ..good_for(60)
        };
        let list = PerKey::new(spec(ages), 100, move |_: &&'static str| {
            let is_first = reads.fetch_add(1, Ordering::Relaxed) == 0;
            let failure = Error::new(&"msp".into(), ErrorKind::Unavailable, "down");
            async move {
                if is_first {
                    Ok(Listing {
                        rows: vec![Number(1)],
                        problem: None,
                        pages: 1,
                    })
                } else {
                    Err(failure)
                }
            }
            .boxed()
        });
        list.get(&"a").await.unwrap();
        list.get(&"a").await.unwrap();
        join_all(due_after(&list, 55).into_iter().map(|due| due.renew)).await;
        assert!(due_after(&list, 55).is_empty(), "nobody asked since");
        assert_eq!(
            list.get(&"a").await.unwrap().rows()[0].0,
            1,
            "what is in hand is given"
        );
        assert_eq!(due_after(&list, 55).len(), 1);
    }

    #[tokio::test]
    async fn what_is_good_for_a_moment_only_is_read_when_it_is_asked_for() {
        let list = readings(2);
        list.get(&"a").await.unwrap();
        list.get(&"a").await.unwrap();
        assert!(due_after(&list, 1_000).is_empty());
    }

    #[tokio::test]
    async fn what_was_read_together_is_due_at_different_times() {
        let list = readings(600);
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            list.get(&key).await.unwrap();
            list.get(&key).await.unwrap();
        }
        let mut counts = std::collections::BTreeSet::new();
        for seconds in (390..560).step_by(10) {
            counts.insert(due_after(&list, seconds).len());
        }
        assert!(
            counts.len() > 3 && counts.contains(&0) && counts.contains(&8),
            "{counts:?}"
        );
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

    impl pager::PageSource<Number> for Fleet {
        async fn page(&self, offset: u64) -> Result<Page<Number>, Error> {
            self.note(format!("page at {offset}"));
            let rows = [offset, offset + 1].map(|number| Number(u32::try_from(number).unwrap()));
            Ok(Page {
                rows: rows.into(),
                unreadable: 0,
                offset: Some(offset),
                total: 6,
                problem: None,
            })
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
        fn path(&self) -> String {
            "/numbers".to_owned()
        }
    }

    impl PageSource<Number> for Fleet {
        fn open(&self) -> BoxFuture<'_, Result<Opened<Number>, Error>> {
            pager::open(self).boxed()
        }
        fn finish(&self, opened: Opened<Number>) -> BoxFuture<'_, Result<Listing<Number>, Error>> {
            opened.finish(self).boxed()
        }
    }

    impl KeySource<u32, Number> for Fleet {
        fn of_key<'a>(&'a self, key: &'a u32) -> BoxFuture<'a, Result<Listing<Number>, Error>> {
            self.note(format!("key {key}"));
            async move {
                Ok(Listing {
                    rows: vec![Number(*key)],
                    problem: None,
                    pages: 1,
                })
            }
            .boxed()
        }
    }

    /// Asks for each of these keys by itself.
    async fn ask(list: &KeyedList<u32, Number>, keys: &[u32]) {
        for key in keys {
            assert!(list.gather(&[*key]).await[key].is_ok());
        }
    }

    async fn renew_all(list: &KeyedList<u32, Number>) {
        join_all(due_after(list, 55).into_iter().map(|due| due.renew)).await;
    }

    #[tokio::test]
    async fn as_many_keys_in_use_as_the_list_has_pages_are_kept_by_the_list() {
        let fleet = Fleet::default();
        let list = KeyedList::new(spec(good_for(60)), Arc::new(fleet.clone()));
        ask(&list, &[1, 1, 2, 2]).await;
        assert_eq!(fleet.noted(), ["key 1", "key 2"]);
        renew_all(&list).await;
        assert_eq!(
            fleet.noted(),
            ["key 1", "key 2", "page at 0"],
            "two keys, and once a page, to learn how many there are"
        );
        ask(&list, &[1, 2]).await;
        renew_all(&list).await;
        assert_eq!(fleet.noted(), ["key 1", "key 2"], "fewer than pages");
        ask(&list, &[1, 2, 3, 3]).await;
        assert_eq!(fleet.noted(), ["key 3"]);
        assert_eq!(
            due_after(&list, 55).len(),
            1,
            "it may have to wait for its turn"
        );
        renew_all(&list).await;
        assert_eq!(
            fleet.noted(),
            ["page at 2", "page at 4"],
            "the first page was in hand"
        );
        ask(&list, &[1, 2, 3, 4]).await;
        renew_all(&list).await;
        assert_eq!(fleet.noted(), ["page at 0", "page at 2", "page at 4"]);
        renew_all(&list).await;
        assert_eq!(fleet.noted(), [""; 0], "nobody asked since");
    }
}
