//! One GraphQL request from parameters to an answer, the same for every transport: HTTP,
//! server-sent events, WebSocket.
//!
//! In this order: is there room, is the caller within its rates, is the query small enough, and
//! only then is anything resolved. One line in the log tells who asked what, what it cost and how
//! it went; never variables, never a token.

use super::{
    Gateway,
    cache_control::CachePolicy,
    counters::{Codes, Ending},
    request::{Parameters, RawRequest, Rejection, RequestContext},
    response_cache::{CachedResponse, Flight, FlightGuard},
    run::{again, run},
    syntax,
};
use crate::graph::{REPORTED, error::code};
use async_graphql::{Response as Answer, ServerError};
use axum::http::StatusCode;
use bytes::Bytes;
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::SemaphorePermit;

/// Longer messages would only be an echo of what was sent.
const MAX_MESSAGE: usize = 1_200;
/// The same where the library says what is wrong, with the values that were sent.
const MAX_VALIDATION_MESSAGE: usize = 280;
/// Who has more mistakes than these in one document mends these first.
const MAX_VALIDATION_ERRORS: usize = 50;

/// The outcome of a request that could be read.
pub(super) enum Executed {
    /// It was run: the answer, ready to be sent, and how many errors are in it.
    Run {
        body: Bytes,
        errors: usize,
        cache_policy: Option<CachePolicy>,
    },
    /// It had been run before.
    Again(Arc<CachedResponse>),
    /// It does not fit the schema, and was not.
    Refused(Vec<ServerError>),
}

/// Runs a request, or says why not.
pub(super) async fn execute<F>(
    gateway: &Gateway,
    context: &RequestContext,
    question: RawRequest<F>,
) -> Result<Executed, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let started = Instant::now();
    let counters = &gateway.counters;
    let mut ran = RequestStats::default();
    let outcome = match admit(gateway, context, &question.bytes, started) {
        Err(rejection) => Err(rejection),
        Ok((_, Some(kept))) => give_again(gateway, context, kept, &mut ran),
        Ok((_room, None)) => match again(gateway, context, &question.bytes, &mut ran) {
            Some(outcome) => outcome,
            // boxed: what is moved about while an answer is found is small then
            None => Box::pin(run_once(gateway, context, question, &mut ran)).await,
        },
    };
    gateway.note_refused(context);
    counters
        .upstream_requests
        .fetch_add(ran.upstream_requests.into(), Ordering::Relaxed);
    let (errors, said, ending) = match &outcome {
        Ok(Executed::Refused(errors)) => {
            ran.codes.add_all(errors);
            (errors.len(), "refused by validation", Ending::Invalid)
        }
        Ok(Executed::Run { errors: 0, .. } | Executed::Again(_)) => {
            (0, "answered", Ending::Success)
        }
        Ok(Executed::Run { errors, .. }) => (*errors, "answered with errors", Ending::Errors),
        Err(rejection) => {
            ran.codes.add(rejection.code);
            (1, rejection.code, Ending::Refused)
        }
    };
    let took = started.elapsed();
    counters.ended(ending, context.transport, took, ran.codes);
    if ran.is_kept {
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
        operation = &*ran.operation,
        transport = context.transport,
        cost = ran.cost,
        fields = ran.fields,
        upstream_requests = ran.upstream_requests,
        is_kept = ran.is_kept,
        errors,
        outcome = said,
        duration_ms = took.as_millis() as u64,
        "a request came to its end"
    );
    outcome
}

/// What a request came to.
#[derive(Default)]
pub(super) struct RequestStats {
    pub operation: Box<str>,
    pub cost: u64,
    pub fields: u64,
    pub upstream_requests: u32,
    /// The codes of the answer's errors.
    pub codes: Codes,
    /// Whether the answer had been given before.
    pub is_kept: bool,
}

/// Whether there is room, and the caller within its rates; and the answer, where it was given
/// before.
fn admit<'a>(
    gateway: &'a Gateway,
    context: &RequestContext,
    question: &Bytes,
    now: Instant,
) -> Result<(SemaphorePermit<'a>, Option<Arc<CachedResponse>>), Rejection> {
    let Ok(room) = gateway.room.try_acquire() else {
        let message = "The gateway has too much to do. Try again in a moment.";
        return Err(Rejection::later(
            StatusCode::SERVICE_UNAVAILABLE,
            code::OVERLOADED,
            message,
            Duration::from_secs(1),
        ));
    };
    gateway.rates.take_request(&context.principal)?;
    gateway.may_bring(context)?;
    Ok((room, gateway.response_cache.find(context, question, now)))
}

/// An answer that was given before.
fn give_again(
    gateway: &Gateway,
    context: &RequestContext,
    kept: Arc<CachedResponse>,
    ran: &mut RequestStats,
) -> Result<Executed, Rejection> {
    *ran = RequestStats {
        operation: kept.operation.clone(),
        cost: kept.cost,
        fields: kept.fields,
        upstream_requests: 0,
        codes: Codes::default(),
        is_kept: true,
    };
    gateway.rates.take_cost(&context.principal, kept.cost)?;
    Ok(Executed::Again(kept))
}

/// Runs a question, or waits for another asker's run of it. Where that leaves no answer to be given
/// again, everybody who waited runs their own.
async fn run_once<F>(
    gateway: &Gateway,
    context: &RequestContext,
    question: RawRequest<F>,
    ran: &mut RequestStats,
) -> Result<Executed, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    loop {
        match gateway.response_cache.begin(context, &question.bytes) {
            Flight::Own(running) => {
                // another's run may have ended between the last look and this turn
                if let Some(kept) =
                    gateway
                        .response_cache
                        .find(context, &question.bytes, Instant::now())
                {
                    return give_again(gateway, context, kept, ran);
                }
                let outcome = run(gateway, context, question, ran).await;
                running.into_iter().for_each(FlightGuard::end);
                return outcome;
            }
            Flight::Others(mut end) => {
                let ended = tokio::time::timeout(gateway.limits.timeout, end.changed()).await;
                if let Some(kept) =
                    gateway
                        .response_cache
                        .find(context, &question.bytes, Instant::now())
                {
                    return give_again(gateway, context, kept, ran);
                }
                // who ran it may have left in the middle: then it is the turn of one of those who
                // waited
                if !matches!(ended, Ok(Err(_))) {
                    return run(gateway, context, question, ran).await;
                }
            }
        }
    }
}

/// The library's answer as it may be told: a code and the request's id with every error, nothing
/// echoed at length.
pub(super) fn sanitize_errors(
    answer: Answer,
    context: &RequestContext,
    names_are_public: bool,
) -> Result<(async_graphql::Value, Vec<ServerError>), Executed> {
    let Answer {
        data, mut errors, ..
    } = answer;
    // What the library itself refuses comes with `data: null`; by the specification there is none
    // then.
    if data == async_graphql::Value::Null
        && !errors.is_empty()
        && errors.iter().all(|error| error.path.is_empty())
    {
        return Err(refused_by_validation(errors, context, names_are_public));
    }
    // a field that is asked for twice is one field, though the library resolves it twice
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((format!("{:?}", error.path), error.message.clone())));
    errors
        .iter_mut()
        .for_each(|error| mark(error, context, code::BAD_USER_INPUT));
    Ok((data, errors))
}

/// With introspection off, validation must not tell what there is either.
pub(super) fn refused_by_validation(
    mut errors: Vec<ServerError>,
    context: &RequestContext,
    names_are_public: bool,
) -> Executed {
    errors.truncate(MAX_VALIDATION_ERRORS);
    for error in &mut errors {
        let is_syntax = error
            .extensions
            .as_ref()
            .is_some_and(|values| values.get("code") == Some(&syntax::CODE.into()));
        if !names_are_public && !is_syntax {
            error.message = "The query does not fit the schema here.".to_owned();
        }
        shorten(&mut error.message, MAX_VALIDATION_MESSAGE);
        mark(error, context, "GRAPHQL_VALIDATION_FAILED");
    }
    Executed::Refused(errors)
}

fn mark(error: &mut ServerError, context: &RequestContext, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
    extensions.unset(REPORTED);
    extensions.set("requestId", &*context.id.0);
    shorten(&mut error.message, MAX_MESSAGE);
}

fn shorten(message: &mut String, most: usize) {
    if message.chars().count() > most {
        *message = message.chars().take(most).chain(['…']).collect();
    }
}
