//! The pipeline of one GraphQL request, the same for every transport: HTTP, server-sent events and
//! WebSocket.
//!
//! `admit` (is there room, is the caller within its rates) → the response cache → `prepare` (parse,
//! validate, weigh) → `run` (rendered values that are still current, then the resolvers) → `finish`
//! (extensions, size, caching). One log line says who sent what, what it cost and how it ended;
//! never variables, never a token.

mod admit;
mod error;
mod finish;
mod prepare;
mod run;

use super::{
    Gateway,
    cache_control::CachePolicy,
    counters::{Codes, Ending},
    request::{Parameters, RawRequest, Rejection, RequestContext},
    response_cache::{CachedResponse, Turn},
};
use bytes::Bytes;
pub(super) use error::Refusal;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// An answer, ready to be sent.
pub(super) enum Answer {
    /// It was made for this request.
    Fresh {
        body: Bytes,
        errors: usize,
        cache_policy: Option<CachePolicy>,
    },
    /// It was made for an earlier request, and everything it rests on is still current.
    Cached(Arc<CachedResponse>),
}

/// What is logged and counted of a request.
#[derive(Default)]
struct RequestStats {
    operation: Box<str>,
    cost: u64,
    fields: u64,
    upstream_requests: u32,
    /// The codes of the answer's errors.
    codes: Codes,
    is_cached: bool,
}

/// Answers a request, or says why not.
pub(super) async fn handle<F>(
    gateway: &Gateway,
    context: &RequestContext,
    request: RawRequest<F>,
) -> Result<Answer, Refusal>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let started = Instant::now();
    let mut stats = RequestStats::default();
    let outcome = answer(gateway, context, request, &mut stats).await;
    gateway.note_refused(context);
    record(gateway, context, stats, &outcome, started);
    outcome
}

async fn answer<F>(
    gateway: &Gateway,
    context: &RequestContext,
    request: RawRequest<F>,
    stats: &mut RequestStats,
) -> Result<Answer, Refusal>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let _room = admit::admit(gateway, context)?;
    let turn = gateway
        .response_cache
        .turn(context, &request.bytes, gateway.limits.timeout)
        .await;
    let flight = match turn {
        Turn::Cached(cached) => return again(gateway, context, cached, stats),
        Turn::Run(flight) => flight,
    };
    // boxed: an answer from the cache need not make room for it
    let answer = Box::pin(fresh(gateway, context, request, stats)).await;
    if let Some(flight) = flight {
        flight.end();
    }
    answer
}

/// An answer from the response cache.
fn again(
    gateway: &Gateway,
    context: &RequestContext,
    cached: Arc<CachedResponse>,
    stats: &mut RequestStats,
) -> Result<Answer, Refusal> {
    *stats = RequestStats {
        operation: cached.operation.clone(),
        cost: cached.cost,
        fields: cached.fields,
        is_cached: true,
        ..RequestStats::default()
    };
    gateway.rates.take_cost(&context.principal, cached.cost)?;
    Ok(Answer::Cached(cached))
}

/// An answer that is made for this request.
async fn fresh<F>(
    gateway: &Gateway,
    context: &RequestContext,
    request: RawRequest<F>,
    stats: &mut RequestStats,
) -> Result<Answer, Refusal>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let bytes = request.bytes.clone();
    let (prepared, may_be_kept) = prepare::prepare(gateway, context, request, stats)?;
    if context.cost_only {
        return Ok(finish::estimate(gateway, &prepared.complexity));
    }
    gateway.rates.take_cost(&context.principal, stats.cost)?;
    let outcome = run::run(gateway, context, &prepared, stats).await?;
    let key = may_be_kept.then_some(&bytes);
    finish::finish(gateway, context, key, &prepared.complexity, outcome, stats)
}

fn record(
    gateway: &Gateway,
    context: &RequestContext,
    mut stats: RequestStats,
    outcome: &Result<Answer, Refusal>,
    started: Instant,
) {
    let counters = &gateway.counters;
    counters
        .upstream_requests
        .fetch_add(stats.upstream_requests.into(), Ordering::Relaxed);
    let (errors, outcome, ending) = match outcome {
        Ok(Answer::Fresh { errors: 0, .. } | Answer::Cached(_)) => (0, "answered", Ending::Success),
        Ok(Answer::Fresh { errors, .. }) => (*errors, "answered with errors", Ending::Errors),
        Err(Refusal::Invalid(errors)) => {
            stats.codes.add_all(errors);
            (errors.len(), "refused by validation", Ending::Invalid)
        }
        Err(Refusal::Rejected(rejection)) => {
            stats.codes.add(rejection.code);
            (1, rejection.code, Ending::Refused)
        }
    };
    let took = started.elapsed();
    counters.ended(ending, context.transport, took, stats.codes);
    if stats.is_cached {
        counters.answers_given_again.fetch_add(1, Ordering::Relaxed);
    }
    if errors > 0 {
        counters
            .requests_with_errors
            .fetch_add(1, Ordering::Relaxed);
    }
    tracing::info!(
        target: "veeam_graph::audit",
        request_id = %context.id.0,
        trace_id = context.trace_id.as_deref(),
        principal = &*context.principal.name,
        operation = &*stats.operation,
        transport = context.transport,
        cost = stats.cost,
        fields = stats.fields,
        upstream_requests = stats.upstream_requests,
        is_kept = stats.is_cached,
        errors,
        outcome,
        duration_ms = took.as_millis() as u64,
        "a request came to its end"
    );
}
