//! Counts the upstream requests that one query causes, for `extensions.upstream`.
//!
//! The count travels as a task-local: a read that this query starts is counted here, also when
//! others wait for the same read; a query that merely joins a read in flight is charged nothing. So
//! the sum over queries is what was sent. Where it is asked for, every request is also told one by
//! one.

use super::metrics::Reason;
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

tokio::task_local! {
    static METER: Arc<Meter>;
    static PROBING: ();
}

/// The upstream requests of one query, by upstream.
#[derive(Debug)]
pub struct Meter {
    /// Who asks: the transport shares its slots fairly between them.
    payer: Arc<str>,
    requests: Mutex<BTreeMap<Arc<str>, u32>>,
    /// Every request, where that is wanted.
    calls: Option<Mutex<Vec<Call>>>,
    started: Instant,
}

/// One upstream request, as it went.
#[derive(Clone, Debug)]
pub struct Call {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// Path and query.
    pub target: String,
    /// The answer's status; none where there was no answer.
    pub status: Option<u16>,
    /// Bytes of the answer's body, decompressed.
    pub bytes: usize,
    /// When it was sent, since the query began.
    pub sent_after: Duration,
    /// How long it waited for a slot before that.
    pub waited: Duration,
    /// How long the answer took.
    pub took: Duration,
    /// Slots that the upstream had for all of us then.
    pub slots: usize,
}

impl Meter {
    /// Nothing spent yet.
    pub fn paid_by(payer: Arc<str>) -> Self {
        Self {
            payer,
            requests: Mutex::default(),
            calls: None,
            started: Instant::now(),
        }
    }

    /// The same, telling every request.
    pub fn in_detail(self) -> Self {
        Self {
            calls: Some(Mutex::default()),
            ..self
        }
    }

    /// Every request, where they are told.
    pub fn calls(&self) -> Vec<Call> {
        self.calls
            .as_ref()
            .map(|calls| calls.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// How many requests were sent, by upstream name.
    pub fn by_upstream(&self) -> BTreeMap<Arc<str>, u32> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Runs `future` with this meter counting.
    pub async fn measure<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        METER.scope(self.clone(), future).await
    }
}

/// Charges one request to whoever is being measured; nobody is during start-up and keep-alive.
pub(super) fn charge(upstream: &Arc<str>) {
    let _ = METER.try_with(|meter| {
        let mut requests = meter
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *requests.entry(upstream.clone()).or_default() += 1;
    });
}

/// Tells one request, where that is wanted. `call` is given the time since the query began.
pub(super) fn tell(call: impl FnOnce(Duration) -> Call) {
    let _ = METER.try_with(|meter| {
        if let Some(calls) = &meter.calls {
            calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(call(meter.started.elapsed()));
        }
    });
}

/// Who is being measured; nobody is during start-up and keep-alive.
pub(super) fn payer() -> Option<Arc<str>> {
    METER.try_with(|meter| meter.payer.clone()).ok()
}

/// What it sends is sent to see whether an upstream is there, or to keep a session open.
pub async fn probing<F: Future>(future: F) -> F::Output {
    PROBING.scope((), future).await
}

/// Why a request is sent.
pub(super) fn reason() -> Reason {
    if METER.try_with(|_| ()).is_ok() {
        Reason::Request
    } else if PROBING.try_with(|()| ()).is_ok() {
        Reason::Probe
    } else {
        Reason::Refresh
    }
}

/// Starts a task that goes on when its starter gives up, charged to the starter and logged in its
/// span. Boxed, so that what a task needs of the runtime is compiled once and not for each kind of
/// work.
pub fn spawn(work: BoxFuture<'static, ()>) {
    let work = tracing::Instrument::in_current_span(work);
    let work: BoxFuture<'static, ()> = match METER.try_with(Arc::clone) {
        Ok(meter) => METER.scope(meter, work).boxed(),
        Err(_) => work.boxed(),
    };
    tokio::spawn(work);
}
