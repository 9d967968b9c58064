//! One kind of list of one upstream: its fleet-wide reading, its readings by key, and the choice between them.

use super::{
    Failure, Status,
    choice::{Choice, choose},
    reads::{self, Chosen},
    shelf::{Freshness, Shelf},
    snapshot::{Listed, Snapshot},
    upkeep::{Due, KeptFresh, due},
};
use crate::{
    time::Clock,
    upstream::{
        Error,
        pager::{Listing, Opened},
    },
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// Rows kept by the fleet-wide reading: ten times the largest estate heard of.
const WIDE_ROWS: u64 = 2_000_000;
/// Rows kept by readings by key, together.
const NARROW_ROWS: u64 = 200_000;
/// How long a first page may wait for the others.
const OPENED_FOR: Duration = Duration::from_secs(15);

/// How one kind of list is read from its upstream.
pub(super) trait Source<K, T>: Send + Sync + 'static {
    /// The first page of the fleet's list.
    fn open(&self) -> BoxFuture<'_, Result<Opened<T>, Error>>;
    /// The rest of it.
    fn finish(&self, opened: Opened<T>) -> BoxFuture<'_, Result<Listing<T>, Error>>;
    /// The list of one key.
    fn narrow<'a>(&'a self, key: &'a K) -> BoxFuture<'a, Result<Listing<T>, Error>>;
}

/// One kind of list of one upstream.
pub(super) struct Resource<K, T: Listed, S> {
    name: &'static str,
    upstream: Arc<str>,
    wide: Arc<Shelf<(), T>>,
    narrow: Arc<Shelf<K, T>>,
    /// How long a failure is passed on without asking again.
    damped: Duration,
    shared: Arc<Shared<T, S>>,
}

struct Shared<T, S> {
    source: S,
    /// How many pages the fleet's list had when it was last seen; 0 for not seen.
    pages: AtomicU32,
    probe: OnceCell<()>,
    /// The first page that the probe read, until somebody goes on from it.
    opened: Mutex<Option<(Instant, Opened<T>)>>,
    /// That there is no such list, and since when that is known.
    absent: Mutex<Option<(Instant, Failure)>>,
    /// Held while the probe reads: whoever wants the whole list then waits for that page, and does not read it too.
    probing: tokio::sync::Mutex<()>,
}

impl<K, T, S> Resource<K, T, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
    S: Source<K, T>,
{
    pub fn new(name: &'static str, source: S, status: &Arc<Status>, clock: Clock, freshness: Freshness) -> Self {
        let shared = Arc::new(Shared {
            source,
            pages: AtomicU32::new(0),
            probe: OnceCell::new(),
            opened: Mutex::default(),
            absent: Mutex::default(),
            probing: tokio::sync::Mutex::default(),
        });
        let (of_all, of_key) = (shared.clone(), shared.clone());
        Self {
            name,
            upstream: status.name.clone(),
            wide: Shelf::new(name, status, clock, freshness, WIDE_ROWS, move |(), _| read_wide(of_all.clone())),
            narrow: Shelf::new(name, status, clock, freshness, NARROW_ROWS, move |key, _| read_narrow(of_key.clone(), key)),
            damped: freshness.failure,
            shared,
        }
    }

    /// The fleet's list.
    pub async fn all(&self) -> Result<Arc<Snapshot<T>>, Failure> {
        self.wide.get(&()).await
    }

    /// The fleet's list, if it is in hand.
    pub async fn all_in_hand(&self) -> Option<Arc<Snapshot<T>>> {
        self.wide.peek(&()).await
    }

    /// Reads the first page of the fleet's list, where nothing is known of it yet: whoever comes to the list goes on from
    /// there. A failure is theirs who do.
    pub async fn begin(&self) {
        if self.pages().is_none() && !self.wide.is_reading(&()) && self.absent().is_none() {
            let _ = self.shared.learn().await;
        }
    }

    /// For each key a reading that answers it, whichever way is cheaper for all of them together.
    pub async fn gather(&self, keys: &[K]) -> HashMap<K, Result<Arc<Snapshot<T>>, Failure>> {
        if let Some(all) = self.all_in_hand().await {
            return keys.iter().map(|key| (key.clone(), Ok(all.clone()))).collect();
        }
        let mut answers = HashMap::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.narrow.peek(key).await {
                Some(snapshot) => drop(answers.insert(key.clone(), Ok(snapshot))),
                None => missing.push(key.clone()),
            }
        }
        if missing.is_empty() {
            return answers;
        }
        let (is_wide, why) = match self.prefers_wide(missing.len()).await {
            Ok(choice) => choice,
            Err(absent) => {
                reads::for_once();
                answers.extend(missing.into_iter().map(|key| (key, Err(absent.clone()))));
                return answers;
            }
        };
        reads::choice(|| Chosen {
            upstream: self.upstream.clone(),
            list: self.name,
            keys: missing.len(),
            pages: self.pages(),
            is_wide,
            why,
        });
        if is_wide {
            let all = self.all().await;
            answers.extend(missing.into_iter().map(|key| (key, all.clone())));
        } else {
            answers.extend(self.each(missing).await);
        }
        answers
    }

    /// A reading of its own for each key, whatever the fleet's list says.
    pub async fn each(&self, keys: Vec<K>) -> HashMap<K, Result<Arc<Snapshot<T>>, Failure>> {
        let reads = keys.into_iter().map(|key| async move {
            let outcome = self.narrow.get(&key).await;
            (key, outcome)
        });
        join_all(reads).await.into_iter().collect()
    }

    fn pages(&self) -> Option<u32> {
        Some(self.shared.pages.load(Ordering::Relaxed)).filter(|pages| *pages > 0)
    }

    /// Whether the fleet's list is the cheaper way to `calls` answers, and why. Fails where this version of the upstream has no
    /// such list: its parts would fail one by one.
    async fn prefers_wide(&self, calls: usize) -> Result<(bool, &'static str), Failure> {
        if self.wide.is_reading(&()) {
            return Ok((true, "the fleet's list is being read already"));
        }
        Ok(match choose(calls, self.pages(), 0) {
            Choice::Narrow if self.pages().is_none() => (false, "one call can't be beaten"),
            Choice::Narrow => (false, "the fleet's list has more pages than there are keys"),
            Choice::Wide => (true, "the fleet's list has no more pages than there are keys"),
            Choice::Probe => {
                // One probe for all who wonder; if it fails the narrow reads will say why, key by key.
                if let Some(failure) = self.absent() {
                    return Err(failure);
                }
                let probed = self.shared.learn().await;
                if let Err(error) = &probed
                    && error.is_absent
                {
                    let failure: Failure = Arc::new(error.clone());
                    *self.shared.absent.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), failure.clone()));
                    return Err(failure);
                }
                let wide = probed.is_ok() && choose(calls, self.pages(), 1) == Choice::Wide;
                if !wide {
                    self.shared.take_opened();
                }
                match (wide, probed.is_ok()) {
                    (true, _) => (true, "its first page showed that the fleet's list has no more pages than there are keys"),
                    (false, true) => (false, "its first page showed that the fleet's list has more pages than there are keys"),
                    (false, false) => (false, "the fleet's list could not be begun"),
                }
            }
        })
    }

    /// That there is no such list, if that was found out a moment ago.
    fn absent(&self) -> Option<Failure> {
        let absent = self.shared.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.as_ref().filter(|(since, _)| since.elapsed() < self.damped).map(|(_, failure)| failure.clone())
    }
}

impl<K, T, S> KeptFresh for Resource<K, T, S>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
    S: Source<K, T>,
{
    fn due(&self, now: Instant) -> BoxFuture<'_, Vec<Due>> {
        async move {
            let mut all = due(&self.wide, self.wide.in_use(), now).await;
            let by_key = self.narrow.in_use();
            let of_keys = due(&self.narrow, by_key.clone(), now).await;
            let Some(left) = of_keys.iter().map(|due| due.left).min() else { return all };
            match choose(by_key.len(), self.pages(), 0) {
                Choice::Wide if self.wide.last(&()).await.is_none() => {
                    let wide = self.wide.clone();
                    let renew = async move {
                        // from now on the list answers for them
                        by_key.iter().for_each(|(_, reading)| reading.leave());
                        drop(wide.get(&()).await);
                    };
                    all.push(Due { left, renew: renew.boxed() });
                }
                choice => {
                    all.extend(of_keys);
                    if choice == Choice::Probe {
                        let shared = self.shared.clone();
                        all.push(Due { left, renew: async move { drop(shared.learn().await) }.boxed() });
                    }
                }
            }
            all
        }
        .boxed()
    }

    fn warm(&self) -> BoxFuture<'_, Result<(), Failure>> {
        async move { self.all().await.map(drop) }.boxed()
    }
}

impl<T: Listed, S> Shared<T, S> {
    fn take_opened(&self) -> Option<Opened<T>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        opened.filter(|(since, _)| since.elapsed() < OPENED_FOR).map(|(_, opened)| opened)
    }

    /// Reads the first page of the fleet's list, once: it tells how many there are.
    async fn learn<K>(&self) -> Result<(), Error>
    where
        S: Source<K, T>,
    {
        self.probe.get_or_try_init(|| self.probe()).await.copied()
    }

    async fn probe<K>(&self) -> Result<(), Error>
    where
        S: Source<K, T>,
    {
        let _probing = self.probing.lock().await;
        let opened = self.source.open().await?;
        self.pages.store(opened.pages(), Ordering::Relaxed);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), opened));
        Ok(())
    }
}

async fn read_wide<K, T: Listed, S: Source<K, T>>(shared: Arc<Shared<T, S>>) -> Result<Listing<T>, Error> {
    drop(shared.probing.lock().await);
    let opened = match shared.take_opened() {
        Some(opened) => opened,
        None => shared.source.open().await?,
    };
    let listing = shared.source.finish(opened).await?;
    shared.pages.store(listing.pages, Ordering::Relaxed);
    Ok(listing)
}

async fn read_narrow<K, T: Listed, S: Source<K, T>>(shared: Arc<Shared<T, S>>, key: K) -> Result<Listing<T>, Error> {
    shared.source.narrow(&key).await
}
