//! How many each one has at once: connections of an address, WebSockets of a caller.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts by key. Clones count together.
#[derive(Debug)]
pub(super) struct Shares<K>(Arc<Mutex<HashMap<K, usize>>>);

/// One of somebody's share, until this is dropped.
#[derive(Debug)]
pub(super) struct Share<K: Eq + Hash> {
    shares: Shares<K>,
    key: K,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// One more, unless there are so many already.
    pub fn take(&self, key: K, most: usize) -> Option<Share<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(key.clone(), count + 1);
        Some(Share {
            shares: self.clone(),
            key,
        })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut counts = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_share_and_what_is_given_back_is_forgotten() {
        let shares = Shares::default();
        let (first, second) = (shares.take("a", 2).unwrap(), shares.take("a", 2).unwrap());
        assert!(shares.take("a", 2).is_none());
        assert!(shares.take("b", 1).is_some());
        drop(first);
        assert!(shares.take("a", 2).is_some());
        drop(second);
        assert!(shares.0.lock().unwrap().is_empty());
        assert!(shares.take("a", 0).is_none());
        assert!(shares.0.lock().unwrap().is_empty());
    }
}
