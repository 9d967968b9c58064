//! Answers that were given before, kept word for word and given again for as long as all that they
//! were made from is current.
//!
//! While an answer is made, whoever asks the same waits for it: a thousand screens that ask at once
//! are answered once.
//!
//! An answer belongs to what its caller may see and to the very bytes of the question. Answers with
//! errors are not kept, nor those that were read with a credential that the caller brought.

use super::{compression::CompressedBodies, request::RequestContext};
use crate::estate::{Dependencies, principal::AccessClass};
use axum::http::HeaderValue;
use bytes::Bytes;
use foldhash::quality::RandomState;
use moka::sync::Cache;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// One answer may take this part of the room for all.
const LARGEST_PART: usize = 4;
/// What an entry's packed forms take of its bytes, together, roughly.
const PACKED_PART: usize = 4;
/// What an entry takes besides its bytes, roughly.
const ENTRY_BYTES: usize = 1_024;

/// Who asked what, by which method.
#[derive(Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    access_class: AccessClass,
    is_get: bool,
    /// The list of trusted documents that its document was held against.
    list: u64,
    question: Bytes,
}

/// An answer as it is given again.
pub(super) struct CachedResponse {
    pub body: Bytes,
    /// The same as those take it who take compressed answers.
    pub packed: CompressedBodies,
    /// For the log and the caller's rates: the same as the first time.
    pub operation: Box<str>,
    pub cost: u64,
    pub fields: u64,
    pub dependencies: Arc<Dependencies>,
    /// By which whoever asked by GET knows it again.
    pub mark: Option<HeaderValue>,
}

/// Answers by question.
pub(super) struct ResponseCache {
    kept: Option<Cache<CacheKey, Arc<CachedResponse>, RandomState>>,
    largest: usize,
    /// Questions that are being answered: whoever asks one of them meanwhile waits for it.
    running: Mutex<HashMap<CacheKey, watch::Sender<bool>>>,
}

/// What a request gets of the cache.
pub(super) enum Turn<'a> {
    /// An answer that is still current.
    Cached(Arc<CachedResponse>),
    /// Nothing: it is run. Until the guard is dropped, whoever sends the same waits for it.
    Run(Option<FlightGuard<'a>>),
}

enum Flight<'a> {
    /// The request's own.
    Own(Option<FlightGuard<'a>>),
    /// Another's, which began before: worth waiting for.
    Others(watch::Receiver<bool>),
}

/// A question that is being answered.
pub(super) struct FlightGuard<'a> {
    answers: &'a ResponseCache,
    asked: CacheKey,
}

impl FlightGuard<'_> {
    /// It was answered, in whatever way: those who wait need not answer it instead.
    pub fn end(self) {
        if let Some(running) = self.answers.running().get(&self.asked) {
            running.send_replace(true);
        }
    }
}

impl Drop for FlightGuard<'_> {
    fn drop(&mut self) {
        self.answers.running().remove(&self.asked);
    }
}

impl ResponseCache {
    /// Room for that many bytes; none keeps nothing.
    pub fn new(bytes: usize) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes as u64)
            .weigher(|asked: &CacheKey, kept: &Arc<CachedResponse>| {
                u32::try_from(
                    kept.body.len()
                        + kept.body.len() / PACKED_PART
                        + asked.question.len()
                        + ENTRY_BYTES,
                )
                .unwrap_or(u32::MAX)
            })
            .build_with_hasher(RandomState::default());
        Self {
            kept: (bytes > 0).then_some(cache),
            largest: bytes / LARGEST_PART,
            running: Mutex::default(),
        }
    }

    /// Whether this caller's answers are kept at all.
    pub fn are_kept_for(&self, context: &RequestContext) -> bool {
        self.kept.is_some() && context.passed.is_empty() && !context.cost_only && !context.debug
    }

    /// The answer that would be made if the question were run at that moment, which is now.
    fn find(
        &self,
        context: &RequestContext,
        question: &Bytes,
        now: Instant,
    ) -> Option<Arc<CachedResponse>> {
        if !self.are_kept_for(context) {
            return None;
        }
        let asked = asked(context, question);
        let kept = self.kept.as_ref()?.get(&asked)?;
        if kept.dependencies.hold(now) {
            return Some(kept);
        }
        self.kept.as_ref()?.invalidate(&asked);
        None
    }

    /// The answer to a request, or its turn to be run. If the same request of another caller is
    /// under way, its answer is waited for; where that leaves none to be given again, everybody who
    /// waited runs their own.
    pub async fn turn(
        &self,
        context: &RequestContext,
        request: &Bytes,
        timeout: Duration,
    ) -> Turn<'_> {
        loop {
            if let Some(cached) = self.find(context, request, Instant::now()) {
                return Turn::Cached(cached);
            }
            match self.begin(context, request) {
                Flight::Own(guard) => {
                    // another's may have ended since the last look
                    return match self.find(context, request, Instant::now()) {
                        Some(cached) => Turn::Cached(cached),
                        None => Turn::Run(guard),
                    };
                }
                Flight::Others(mut end) => {
                    let ended = tokio::time::timeout(timeout, end.changed()).await;
                    // whoever ran it may have left before its end: then it is the turn of one of
                    // those who waited
                    if !matches!(ended, Ok(Err(_))) {
                        return match self.find(context, request, Instant::now()) {
                            Some(cached) => Turn::Cached(cached),
                            None => Turn::Run(None),
                        };
                    }
                }
            }
        }
    }

    /// Begins to answer a request, unless the same one is under way.
    fn begin(&self, context: &RequestContext, question: &Bytes) -> Flight<'_> {
        if !self.are_kept_for(context) {
            return Flight::Own(None);
        }
        match self.running().entry(asked(context, question)) {
            Entry::Occupied(running) => Flight::Others(running.get().subscribe()),
            Entry::Vacant(vacant) => {
                let asked = vacant.key().clone();
                vacant.insert(watch::Sender::new(false));
                Flight::Own(Some(FlightGuard {
                    answers: self,
                    asked,
                }))
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer.
    pub fn keep(&self, context: &RequestContext, question: &Bytes, kept: CachedResponse) {
        if let Some(cache) = &self.kept
            && kept.body.len() + question.len() <= self.largest
        {
            // its own bytes: as they came they are a part of what was received at once
            cache.insert(
                asked(context, &Bytes::copy_from_slice(question)),
                Arc::new(kept),
            );
        }
    }
}

fn asked(context: &RequestContext, question: &Bytes) -> CacheKey {
    CacheKey {
        access_class: context.access_class,
        is_get: context.is_get,
        list: context.list(),
        question: question.clone(),
    }
}
