//! Keeps lists fresh that are in use: each is read anew before it is old, one after the other, never one that nobody asks
//! for.

use super::{Estate, Failure, whole::KeptFresh};
use futures_util::future::{BoxFuture, join_all};
use std::time::{Duration, Instant};

/// How often it is looked whether a list is due.
const LOOK: Duration = Duration::from_secs(1);

/// The lists of one upstream.
pub(super) type Lists<'a> = Vec<&'a dyn KeptFresh>;

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
        let every = self.lists().into_iter().flatten();
        join_all(every.map(KeptFresh::warm)).await.into_iter().filter_map(Result::err).collect()
    }

    fn lists(&self) -> Vec<Lists<'_>> {
        let consoles = self.consoles.iter().map(|console| console.shared().lists());
        let histories = self.histories.iter().map(|history| history.shared().lists());
        consoles.chain(histories).collect()
    }
}

/// Reads anew what is due, what ends the soonest first; what would end meanwhile is not kept waiting.
async fn renew(lists: &Lists<'_>) {
    let now = Instant::now();
    let mut due: Vec<(Duration, &dyn KeptFresh)> = Vec::new();
    for list in lists {
        if let Some(left) = list.due(now).await {
            due.push((left, *list));
        }
    }
    due.sort_by_key(|(left, _)| *left);
    let is_urgent = |left: &Duration| *left < 5 * LOOK;
    let mut first: Vec<BoxFuture<'_, ()>> = due.iter().filter(|(left, _)| is_urgent(left)).map(|(_, list)| list.renew()).collect();
    if first.is_empty() {
        first.extend(due.first().map(|(_, list)| list.renew()));
    }
    join_all(first).await;
}
