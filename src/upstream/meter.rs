//! Counts the upstream requests that one query causes, for `extensions.upstream`.
//!
//! The count travels as a task-local: a read that this query starts is counted here, also when others wait for the
//! same read; a query that merely joins a read in flight is charged nothing. So the sum over queries is what was sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

tokio::task_local! {
    static METER: Arc<Meter>;
}

/// The upstream requests of one query, by upstream.
#[derive(Debug)]
pub struct Meter {
    /// Who asks: the transport shares its slots fairly between them.
    payer: Arc<str>,
    requests: Mutex<BTreeMap<Arc<str>, u32>>,
}

impl Meter {
    /// Nothing spent yet.
    pub fn paid_by(payer: Arc<str>) -> Self {
        Self { payer, requests: Mutex::default() }
    }

    /// How many requests were sent, by upstream name.
    pub fn by_upstream(&self) -> BTreeMap<Arc<str>, u32> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `future` with this meter counting.
    pub async fn measure<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        METER.scope(self.clone(), future).await
    }
}

/// Charges one request to whoever is being measured; nobody is during start-up and keep-alive.
pub(super) fn charge(upstream: &Arc<str>) {
    let _ = METER.try_with(|meter| {
        let mut requests = meter.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(upstream.clone()).or_default() += 1;
    });
}

/// Who is being measured; nobody is during start-up and keep-alive.
pub(super) fn payer() -> Option<Arc<str>> {
    METER.try_with(|meter| meter.payer.clone()).ok()
}

/// Starts a task that goes on when its starter gives up, charged to the starter and logged in its span.
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let future = tracing::Instrument::in_current_span(future);
    match METER.try_with(Arc::clone) {
        Ok(meter) => tokio::spawn(METER.scope(meter, future)),
        Err(_) => tokio::spawn(future),
    }
}
