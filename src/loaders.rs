//! The questions of one query, gathered level by level and asked once each.
//!
//! A file per family of questions: key newtypes, and what answers them. A failure is a value
//! (`Error` is `Infallible`), or one bad key would fail its whole batch. No loader outlives its
//! request.
//!
//! Batches run in the request's own task, after every resolver that can go on has gone on
//! ([`Loaders::drive`]). So a batch is all the keys of a level, always, and what a query costs
//! upstream does not depend on threads or timers.

pub mod agent_job;
pub mod backup_agent;
pub mod budget;
pub mod company;
pub mod coverage;
mod in_hand;
pub mod job;
pub mod link;
pub mod object;
pub mod protection;
pub mod repository;
pub mod server;
pub mod session;

use self::{budget::Budget, in_hand::ListsInHand};
use crate::estate::{Caller, Estate, Failure, ReadAhead, UpstreamId, render_cache::ReuseSession};
use async_graphql::{
    dataloader::{DataLoader, HashMapCache, Loader},
    runtime::Timer,
};
use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::FuturesUnordered,
    task::{FutureObj, Spawn, SpawnError},
};
use std::{
    collections::HashMap,
    convert::Infallible,
    hash::Hash,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What answers: the upstreams, as one caller sees them.
pub struct Batch {
    pub(crate) caller: Caller,
}

/// One request's loaders.
pub struct Loaders {
    inner: DataLoader<Batch, HashMapCache>,
    estate: Arc<Estate>,
    caller: Caller,
    budget: Budget,
    reuse: Option<ReuseSession>,
    batches: Mutex<Option<UnboundedReceiver<FutureObj<'static, ()>>>>,
    queue: UnboundedSender<FutureObj<'static, ()>>,
    lists_in_hand: ListsInHand,
}

impl Loaders {
    /// Loaders for one request of one caller, whose answer may have that many fields.
    pub fn new(
        estate: Arc<Estate>,
        caller: Caller,
        budget: Budget,
        reuse: Option<ReuseSession>,
    ) -> Arc<Self> {
        let (sender, receiver) = unbounded_channel();
        let batch = Batch {
            caller: caller.clone(),
        };
        let queue = sender.clone();
        let inner = DataLoader::with_cache(batch, Queue(sender), AtOnce, HashMapCache::default())
            .max_batch_size(usize::MAX);
        Arc::new(Self {
            inner,
            estate,
            caller,
            budget,
            reuse,
            batches: Mutex::new(Some(receiver)),
            queue,
            lists_in_hand: ListsInHand::default(),
        })
    }

    /// What the gateway knows.
    pub fn estate(&self) -> &Arc<Estate> {
        &self.estate
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the answer may still hold.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What was rendered before, and may be given out again.
    pub fn reuse(&self) -> Option<&ReuseSession> {
        self.reuse.as_ref()
    }

    /// Begins lists that the execution will need, beside it; nobody waits for that.
    pub fn begin(&self, read_ahead: ReadAhead) {
        if read_ahead != ReadAhead::default() {
            let caller = self.caller.clone();
            // the receiver is gone only when the execution is
            let _ = self.queue.send(FutureObj::new(Box::new(async move {
                caller.begin(read_ahead).await
            })));
        }
    }

    /// Runs an execution and, whenever it can't go on, the batches that it waits for; and counts
    /// what both cost.
    pub async fn drive<F: Future>(&self, execution: F) -> F::Output {
        let batches = self
            .batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut batches) = batches else {
            return execution.await;
        };
        let both = async {
            let mut execution = pin!(execution);
            let mut running = FuturesUnordered::new();
            std::future::poll_fn(|context| {
                // one turn however many levels go on in it
                self.budget.begin_turn();
                loop {
                    if let Poll::Ready(output) = execution.as_mut().poll(context) {
                        return Poll::Ready(output);
                    }
                    // others get their turn first; batches wait until every resolver has asked
                    if self.budget.is_waited_for() {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    while let Poll::Ready(Some(batch)) = batches.poll_recv(context) {
                        running.push(batch);
                    }
                    // batches landed: their waiters may go on, and ask the next level, together as
                    // far as may be
                    let mut has_landed = false;
                    while let Poll::Ready(Some(())) = running.poll_next_unpin(context) {
                        has_landed = true;
                    }
                    if !has_landed {
                        return Poll::Pending;
                    }
                }
            })
            .await
        };
        self.caller
            .meter
            .measure(self.caller.reads.record(both))
            .await
    }

    /// The answer to one question; `absent` where nobody could be asked.
    pub(crate) async fn ask<K, V>(&self, key: K, absent: V) -> Result<V, Failure>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
        Batch: Loader<K, Value = Result<V, Failure>, Error = Infallible>,
    {
        let Ok(answer) = self.inner.load_one(key).await;
        answer.unwrap_or(Ok(absent))
    }
}

/// Groups keys by the upstream that is to be asked.
pub(crate) fn by_upstream<'a, K: 'a, I>(
    keys: impl IntoIterator<Item = &'a K>,
    split: impl Fn(&K) -> (UpstreamId, I),
) -> HashMap<UpstreamId, Vec<I>> {
    let mut groups: HashMap<UpstreamId, Vec<I>> = HashMap::new();
    for key in keys {
        let (upstream, rest) = split(key);
        groups.entry(upstream).or_default().push(rest);
    }
    groups
}

/// Hands batches to the request that asked for them instead of to another thread.
struct Queue(UnboundedSender<FutureObj<'static, ()>>);

impl Spawn for Queue {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.send(batch).map_err(|_| SpawnError::shutdown())
    }
}

/// A batch starts when the request can't go on without it; there is nothing else to wait for.
struct AtOnce;

impl Timer for AtOnce {
    fn delay(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}
