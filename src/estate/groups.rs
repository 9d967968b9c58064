//! Readings of several keys at once, each found again by any of its keys.
//!
//! One query for forty jobs is cheaper than forty; who asks for one of these jobs later, or for some of them and others,
//! should not pay for them again.

use super::{
    Failure, Status,
    shelf::{Freshness, Shelf},
    snapshot::{Listed, Snapshot},
    upkeep::KeptFresh,
};
use crate::{
    time::Clock,
    upstream::{Error, pager::Listing},
};
use moka::future::Cache;
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    sync::Arc,
};

/// As many keys are found again.
const KEYS: u64 = 200_000;

/// Readings of one kind of list, by keys that were asked for together.
pub(super) struct Groups<K, T: Listed> {
    shelf: Arc<Shelf<Arc<[K]>, T>>,
    /// In which group a key was last read.
    of: Cache<K, Arc<[K]>>,
}

/// Keys, and the reading that answers them.
pub(super) type Answer<K, T> = (Vec<K>, Result<Arc<Snapshot<T>>, Failure>);

impl<K, T> Groups<K, T>
where
    K: Clone + Ord + Hash + Send + Sync + 'static,
    T: Listed,
{
    /// An empty shelf that keeps at most `rows` rows.
    pub fn new<F>(
        name: &'static str,
        status: &Arc<Status>,
        clock: Clock,
        freshness: Freshness,
        rows: u64,
        read: impl Fn(Arc<[K]>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Listing<T>, Error>> + Send + 'static,
    {
        let of = Cache::builder().max_capacity(KEYS).time_to_live(freshness.lifetime + freshness.max_stale).build();
        Self { shelf: Shelf::new(name, status, clock, freshness, rows, move |group, _| read(group)), of }
    }

    /// The readings, to be kept fresh.
    pub fn shelf(&self) -> &dyn KeptFresh {
        &self.shelf
    }

    /// Readings for these keys: those that are in hand, and one of all that are missing.
    pub async fn gather(&self, keys: &[K]) -> Vec<Answer<K, T>> {
        let (mut groups, mut missing) = (BTreeMap::<Arc<[K]>, Vec<K>>::new(), BTreeSet::new());
        for key in keys {
            match self.of.get(key).await {
                Some(group) => groups.entry(group).or_default().push(key.clone()),
                None => drop(missing.insert(key.clone())),
            }
        }
        let (mut answers, mut stale) = (Vec::with_capacity(groups.len() + 1), Vec::new());
        for (group, wanted) in groups {
            // a stale reading is refreshed for those who want all of it, and not for who wants one of its many keys
            if wanted.len() == group.len() {
                match self.shelf.peek(&group).await {
                    Some(snapshot) => answers.push((wanted, Ok(snapshot))),
                    None => missing.extend(wanted),
                }
                continue;
            }
            match self.shelf.last(&group).await {
                Some(snapshot) if snapshot.is_fresh() => answers.push((wanted, Ok(snapshot))),
                Some(snapshot) => {
                    missing.extend(wanted.iter().cloned());
                    stale.push((wanted, snapshot));
                }
                None => missing.extend(wanted),
            }
        }
        if missing.is_empty() {
            return answers;
        }
        let group: Arc<[K]> = missing.into_iter().collect();
        let outcome = self.shelf.get(&group).await;
        let mut left = group.to_vec();
        if outcome.is_ok() {
            for key in group.iter() {
                self.of.insert(key.clone(), group.clone()).await;
            }
        } else {
            // what is known from before, where nothing newer is to be had
            left.retain(|key| !stale.iter().any(|(wanted, _)| wanted.contains(key)));
            answers.extend(stale.into_iter().map(|(wanted, snapshot)| (wanted, Ok(snapshot))));
        }
        answers.push((left, outcome));
        answers
    }
}
