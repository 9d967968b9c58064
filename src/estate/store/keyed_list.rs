//! A full list that can also be read per key: takes whichever way is cheaper for the keys that are
//! asked for together.

use super::{PageSource, PagedList, PerKey, Spec};
use crate::{
    estate::{
        Failure,
        background_refresh::{Due, ListStats, Refresh, due},
        dependencies::{self, Chosen},
        read_strategy::{Choice, choose},
        snapshot::{Listed, Snapshot},
    },
    upstream::{Error, pager::Listing},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use std::{collections::HashMap, hash::Hash, ops::Deref, sync::Arc, time::Instant};

/// Rows kept by readings per key, together.
const MAX_ROWS: u64 = 200_000;

/// How a list is read in pages, or per key.
pub(in crate::estate) trait KeySource<K, T>: PageSource<T> {
    /// The list of one key.
    fn of_key<'a>(&'a self, key: &'a K) -> BoxFuture<'a, Result<Listing<T>, Error>>;
}

/// A full list that can also be read per key.
pub(in crate::estate) struct KeyedList<K, T: Listed> {
    spec: Arc<Spec>,
    paged: PagedList<T>,
    per_key: PerKey<K, T>,
}

impl<K, T: Listed> Deref for KeyedList<K, T> {
    type Target = PagedList<T>;
    fn deref(&self) -> &PagedList<T> {
        &self.paged
    }
}

impl<K, T> KeyedList<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    /// Nothing is read yet.
    pub fn new(spec: Arc<Spec>, source: Arc<dyn KeySource<K, T>>) -> Self {
        let paged = PagedList::new(spec.clone(), source.clone());
        let first = paged.first.clone();
        let per_key = PerKey::new(spec.clone(), MAX_ROWS, move |key: &K| {
            let (source, key, first) = (source.clone(), key.clone(), first.clone());
            async move {
                // where there is no such list no key has one
                if let Some(failure) = first.absent() {
                    return Err((*failure).clone());
                }
                let outcome = source.of_key(&key).await;
                if let Err(error) = &outcome
                    && error.is_absent
                {
                    first.is_absent(error);
                }
                outcome
            }
            .boxed()
        });
        Self {
            spec,
            paged,
            per_key,
        }
    }

    /// For each key a reading that answers it, whichever way is cheaper for all of them together.
    pub async fn gather(&self, keys: &[K]) -> HashMap<K, Result<Arc<Snapshot<T>>, Failure>> {
        if let Some(all) = self.in_hand() {
            return keys
                .iter()
                .map(|key| (key.clone(), Ok(all.clone())))
                .collect();
        }
        let mut answers = HashMap::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.per_key.peek(key) {
                Some(snapshot) => drop(answers.insert(key.clone(), Ok(snapshot))),
                None => missing.push(key.clone()),
            }
        }
        if missing.is_empty() {
            return answers;
        }
        let (is_wide, why) = match self.prefers_full(missing.len()).await {
            Ok(choice) => choice,
            Err(absent) => {
                dependencies::mark_uncacheable();
                answers.extend(missing.into_iter().map(|key| (key, Err(absent.clone()))));
                return answers;
            }
        };
        dependencies::choice(|| Chosen {
            upstream: self.spec.status.name.clone(),
            list: self.spec.name,
            keys: missing.len(),
            pages: self.first.pages(),
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

    /// The same for keys that a caller names, who may have guessed them. Who does not see all of
    /// the list is answered from all of it: what is read then, and what is in hand, is the same
    /// whether a key is another's or nobody's.
    pub async fn seek(
        &self,
        keys: &[K],
        sees_all: bool,
    ) -> HashMap<K, Result<Arc<Snapshot<T>>, Failure>> {
        if sees_all {
            return self.gather(keys).await;
        }
        let all = self.all().await;
        keys.iter().map(|key| (key.clone(), all.clone())).collect()
    }

    /// A reading of its own for each key, whatever the full list says.
    pub async fn each(&self, keys: Vec<K>) -> HashMap<K, Result<Arc<Snapshot<T>>, Failure>> {
        let reads = keys.into_iter().map(|key| async move {
            let outcome = self.per_key.get(&key).await;
            (key, outcome)
        });
        join_all(reads).await.into_iter().collect()
    }

    /// Whether the full list is the cheaper way to `calls` answers, and why. Fails where this
    /// version of the upstream has no such list: its parts would fail one by one.
    async fn prefers_full(&self, calls: usize) -> Result<(bool, &'static str), Failure> {
        if self.full.is_reading() {
            return Ok((true, "the fleet's list is being read already"));
        }
        let pages = self.first.pages();
        Ok(match choose(calls, pages, 0) {
            Choice::Narrow if pages.is_none() => (false, "one call can't be beaten"),
            Choice::Narrow => (false, "the fleet's list has more pages than there are keys"),
            Choice::Wide => (
                true,
                "the fleet's list has no more pages than there are keys",
            ),
            // One probe for all who wonder; if it fails the reads per key will say why, key by key.
            Choice::Probe => match self.first.learn().await {
                Ok(()) if choose(calls, self.first.pages(), 1) == Choice::Wide => (
                    true,
                    "its first page showed that the fleet's list has no more pages than there are keys",
                ),
                Ok(()) => {
                    drop(self.first.take());
                    (
                        false,
                        "its first page showed that the fleet's list has more pages than there are keys",
                    )
                }
                Err(failure) if failure.is_absent => return Err(failure),
                Err(_) => (false, "the fleet's list could not be begun"),
            },
        })
    }
}

impl<K, T> Refresh for KeyedList<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Listed,
{
    fn due(&self, now: Instant) -> Vec<Due> {
        let mut all = self.full.due(now);
        let per_key = self.per_key.in_use(now);
        let (keys, of_keys) = (per_key.len(), due(per_key.iter().cloned(), now));
        let Some(left) = of_keys.iter().map(|due| due.left).min() else {
            return all;
        };
        match choose(keys, self.first.pages(), 0) {
            Choice::Wide if self.full.last().is_none() => {
                let slot = self.full.slot().clone();
                let renew = async move {
                    // from now on the list answers for them
                    per_key.iter().for_each(|(_, reading)| reading.leave());
                    drop(slot.get::<T>().await);
                };
                all.push(Due {
                    left,
                    renew: renew.boxed(),
                });
            }
            choice => {
                all.extend(of_keys);
                if choice == Choice::Probe {
                    let first = self.first.clone();
                    all.push(Due {
                        left,
                        renew: async move { drop(first.learn().await) }.boxed(),
                    });
                }
            }
        }
        all
    }

    fn kept_rows(&self) -> u64 {
        self.paged.kept_rows() + self.per_key.kept_rows()
    }

    fn stats(&self, now: Instant) -> Vec<ListStats> {
        let mut all = self.paged.stats(now);
        // reads by key are counted with the list's
        all.iter_mut()
            .for_each(|stats| stats.rows += self.per_key.kept_rows());
        all
    }

    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        self.paged.warm()
    }
}
