//! A full list that comes in pages. Its first page, which tells how many there are, may be read
//! before the others.

use super::{FullList, Spec};
use crate::{
    estate::{
        Failure,
        background_refresh::{Due, ListStats, Refresh},
        snapshot::{Listed, Snapshot},
    },
    upstream::{
        Error, meter,
        pager::{Listing, Opened},
    },
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How long a first page may wait for the others.
const OPENED_FOR: Duration = Duration::from_secs(15);

/// That there is no such list is believed so many times as long as another failure is passed on: a
/// minute, as long as most lists are good for.
const ABSENT_TIMES: u32 = 20;

/// How a list is read in pages.
pub(in crate::estate) trait PageSource<T>: Send + Sync + 'static {
    /// Its first page.
    fn open(&self) -> BoxFuture<'_, Result<Opened<T>, Error>>;
    /// The rest of it.
    fn finish(&self, opened: Opened<T>) -> BoxFuture<'_, Result<Listing<T>, Error>>;
}

/// A full list that comes in pages.
pub(in crate::estate) struct PagedList<T: Listed> {
    pub(super) full: FullList<T>,
    pub(super) first: Arc<FirstPage<T>>,
}

/// The first page of a list, and what is known from it.
pub(super) struct FirstPage<T> {
    spec: Arc<Spec>,
    source: Arc<dyn PageSource<T>>,
    state: Mutex<Pages<T>>,
}

/// What is known of a list's pages.
enum Pages<T> {
    Unknown,
    /// The first page is being read: whoever wants the whole list waits for it, and does not read
    /// it too.
    Reading(Shared<BoxFuture<'static, Result<(), Failure>>>),
    /// This version of the upstream has no such list.
    Absent {
        since: Instant,
        failure: Failure,
    },
    /// How many there are, and the first until somebody goes on from it.
    Known {
        pages: u32,
        first: Option<(Instant, Opened<T>)>,
    },
}

impl<T: Listed> PagedList<T> {
    /// Nothing is read yet.
    pub fn new(spec: Arc<Spec>, source: Arc<dyn PageSource<T>>) -> Self {
        let first = Arc::new(FirstPage {
            spec: spec.clone(),
            source,
            state: Mutex::new(Pages::Unknown),
        });
        let of_read = first.clone();
        Self {
            full: FullList::new(spec, move |_| of_read.clone().read_all().boxed()),
            first,
        }
    }

    /// The full list.
    pub async fn all(&self) -> Result<Arc<Snapshot<T>>, Failure> {
        self.full.get().await
    }

    /// The full list, if it is in hand.
    pub fn in_hand(&self) -> Option<Arc<Snapshot<T>>> {
        self.full.peek()
    }

    /// Reads the first page, where nothing is known of the list yet: whoever comes to it goes on
    /// from there. A failure is theirs who do.
    pub async fn begin(&self) {
        if !self.full.is_reading() {
            let _ = self.first.learn().await;
        }
    }
}

impl<T: Listed> FirstPage<T> {
    fn state(&self) -> MutexGuard<'_, Pages<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many pages the list had when it was last seen.
    pub fn pages(&self) -> Option<u32> {
        match &*self.state() {
            Pages::Known { pages, .. } => Some(*pages),
            _ => None,
        }
    }

    /// The first page, if it was read a moment ago and nobody went on from it.
    pub fn take(&self) -> Option<Opened<T>> {
        let mut state = self.state();
        let Pages::Known { first, .. } = &mut *state else {
            return None;
        };
        first
            .take()
            .filter(|(since, _)| since.elapsed() < OPENED_FOR)
            .map(|(_, opened)| opened)
    }

    fn absent_for(&self) -> Duration {
        self.spec.freshness.failure * ABSENT_TIMES
    }

    /// That there is no such list, if that was found out a while ago.
    pub fn absent(&self) -> Option<Failure> {
        match &*self.state() {
            Pages::Absent { since, failure } if since.elapsed() < self.absent_for() => {
                Some(failure.clone())
            }
            _ => None,
        }
    }

    /// Notes that there is no such list, as a key's was not there.
    pub fn is_absent(&self, error: &Error) {
        let mut state = self.state();
        if matches!(&*state, Pages::Unknown | Pages::Absent { .. }) {
            *state = Pages::Absent {
                since: Instant::now(),
                failure: Arc::new(error.clone()),
            };
        }
    }

    /// Reads the first page, where it is not known how many there are: one read for all who wonder.
    pub async fn learn(self: &Arc<Self>) -> Result<(), Failure> {
        let reading = match &mut *self.state() {
            Pages::Known { .. } => return Ok(()),
            Pages::Absent { since, failure } if since.elapsed() < self.absent_for() => {
                return Err(failure.clone());
            }
            Pages::Reading(reading) => reading.clone(),
            state => {
                let reading = self.clone().read_first();
                *state = Pages::Reading(reading.clone());
                reading
            }
        };
        reading.await
    }

    fn read_first(self: Arc<Self>) -> Shared<BoxFuture<'static, Result<(), Failure>>> {
        let (tell, told) = oneshot::channel();
        let spec = self.spec.clone();
        meter::spawn(
            async move {
                let opened = self
                    .spec
                    .guarded(self.source.open())
                    .await
                    .map_err(Arc::new);
                let (state, outcome) = match opened {
                    Ok(opened) => (
                        Pages::Known {
                            pages: opened.pages(),
                            first: Some((Instant::now(), opened)),
                        },
                        Ok(()),
                    ),
                    Err(failure) if failure.is_absent => (
                        Pages::Absent {
                            since: Instant::now(),
                            failure: failure.clone(),
                        },
                        Err(failure),
                    ),
                    Err(failure) => (Pages::Unknown, Err(failure)),
                };
                *self.state() = state;
                let _ = tell.send(outcome);
            }
            .boxed(),
        );
        async move { told.await.unwrap_or_else(|_| Err(Arc::new(spec.broken()))) }
            .boxed()
            .shared()
    }

    async fn read_all(self: Arc<Self>) -> Result<Listing<T>, Error> {
        let reading = match &*self.state() {
            Pages::Reading(reading) => Some(reading.clone()),
            _ => None,
        };
        if let Some(reading) = reading {
            let _ = reading.await;
        }
        if let Some(failure) = self.absent() {
            return Err((*failure).clone());
        }
        let opened = match self.take() {
            Some(opened) => opened,
            None => self.source.open().await.inspect_err(|error| {
                if error.is_absent {
                    self.is_absent(error);
                }
            })?,
        };
        let listing = self.source.finish(opened).await?;
        *self.state() = Pages::Known {
            pages: listing.pages,
            first: None,
        };
        Ok(listing)
    }
}

impl<T: Listed> Refresh for PagedList<T> {
    fn due(&self, now: Instant) -> Vec<Due> {
        self.full.due(now)
    }

    fn kept_rows(&self) -> u64 {
        self.full.kept_rows()
    }

    fn stats(&self, now: Instant) -> Vec<ListStats> {
        self.full.stats(now)
    }

    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        self.full.warm()
    }
}
