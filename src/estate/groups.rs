//! Readings of several keys at once, each found again by any of its keys.
//!
//! One query for forty jobs is cheaper than forty; who asks for one of these jobs later, or for
//! some of them and others, should not pay for them again.

use super::{
    Failure,
    background_refresh::Refresh,
    snapshot::{Listed, Snapshot},
    store::{PerKey, Spec},
};
use crate::upstream::{Error, pager::Listing};
use futures_util::future::BoxFuture;
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
    readings: PerKey<Arc<[K]>, T>,
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
    /// Nothing is read yet. Keeps about `rows` rows.
    pub fn new(
        spec: Arc<Spec>,
        rows: u64,
        read: impl Fn(Arc<[K]>) -> BoxFuture<'static, Result<Listing<T>, Error>> + Send + Sync + 'static,
    ) -> Self {
        let of = Cache::builder()
            .max_capacity(KEYS)
            .time_to_live(spec.freshness.lifetime + spec.freshness.max_stale)
            .build();
        Self {
            readings: PerKey::new(spec, rows, move |group: &Arc<[K]>| read(group.clone())),
            of,
        }
    }

    /// The readings, to be kept fresh.
    pub fn readings(&self) -> &dyn Refresh {
        &self.readings
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
            // a stale reading is refreshed for those who want all of it, and not for who wants one
            // of its many keys
            if wanted.len() == group.len() {
                match self.readings.peek(&group) {
                    Some(snapshot) => answers.push((wanted, Ok(snapshot))),
                    None => missing.extend(wanted),
                }
                continue;
            }
            match self.readings.last(&group) {
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
        let outcome = self.readings.get(&group).await;
        let mut left = group.to_vec();
        if outcome.is_ok() {
            for key in group.iter() {
                self.of.insert(key.clone(), group.clone()).await;
            }
        } else {
            // what is known from before, where nothing newer is to be had
            left.retain(|key| !stale.iter().any(|(wanted, _)| wanted.contains(key)));
            answers.extend(
                stale
                    .into_iter()
                    .map(|(wanted, snapshot)| (wanted, Ok(snapshot))),
            );
        }
        answers.push((left, outcome));
        answers
    }
}
