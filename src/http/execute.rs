//! One GraphQL request from parameters to an answer, the same for every transport: HTTP,
//! server-sent events, WebSocket.
//!
//! In this order: is there room, is the caller within its rates, is the query small enough, and
//! only then is anything resolved. One line in the log tells who asked what, what it cost and how
//! it went; never variables, never a token.

use super::{
    Gateway,
    answers::{Kept, Running, Turn},
    asking::{Asker, Parameters, Question, Rejection},
    reusable::Reusable,
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
pub(super) enum Answered {
    /// It was run: the answer, ready to be sent, and how many errors are in it.
    Run {
        body: Bytes,
        errors: usize,
        reusable: Option<Reusable>,
    },
    /// It had been run before.
    Again(Arc<Kept>),
    /// It does not fit the schema, and was not.
    Refused(Vec<ServerError>),
}

/// Runs a request, or says why not.
pub(super) async fn execute<F>(
    gateway: &Gateway,
    asker: &Asker,
    question: Question<F>,
) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let started = Instant::now();
    let counters = &gateway.counters;
    counters.requests.fetch_add(1, Ordering::Relaxed);
    let mut ran = Ran::default();
    let outcome = match admit(gateway, asker, &question.bytes, started) {
        Err(rejection) => Err(rejection),
        Ok((_, Some(kept))) => give_again(gateway, asker, kept, &mut ran),
        Ok((_room, None)) => match again(gateway, asker, &question.bytes, &mut ran) {
            Some(outcome) => outcome,
            // boxed: what is moved about while an answer is found is small then
            None => Box::pin(run_once(gateway, asker, question, &mut ran)).await,
        },
    };
    gateway.note_refused(asker);
    counters
        .upstream_requests
        .fetch_add(ran.upstream_requests.into(), Ordering::Relaxed);
    let (errors, said) = match &outcome {
        Ok(Answered::Refused(errors)) => (errors.len(), "refused by validation"),
        Ok(Answered::Run { errors: 0, .. } | Answered::Again(_)) => (0, "answered"),
        Ok(Answered::Run { errors, .. }) => (*errors, "answered with errors"),
        Err(rejection) => (1, rejection.code),
    };
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
        request_id = %asker.id.0,
        principal = &*asker.principal.name,
        operation = &*ran.operation,
        transport = asker.transport,
        cost = ran.cost,
        fields = ran.fields,
        upstream_requests = ran.upstream_requests,
        is_kept = ran.is_kept,
        errors,
        outcome = said,
        duration_ms = started.elapsed().as_millis() as u64,
        "a request came to its end"
    );
    outcome
}

/// What a request came to.
#[derive(Default)]
pub(super) struct Ran {
    pub operation: Box<str>,
    pub cost: u64,
    pub fields: u64,
    pub upstream_requests: u32,
    /// Whether the answer had been given before.
    pub is_kept: bool,
}

/// Whether there is room, and the caller within its rates; and the answer, where it was given
/// before.
fn admit<'a>(
    gateway: &'a Gateway,
    asker: &Asker,
    question: &Bytes,
    now: Instant,
) -> Result<(SemaphorePermit<'a>, Option<Arc<Kept>>), Rejection> {
    let Ok(room) = gateway.room.try_acquire() else {
        let message = "The gateway has too much to do. Try again in a moment.";
        return Err(Rejection::later(
            StatusCode::SERVICE_UNAVAILABLE,
            code::OVERLOADED,
            message,
            Duration::from_secs(1),
        ));
    };
    gateway.rates.take_request(&asker.principal)?;
    gateway.may_bring(asker)?;
    Ok((room, gateway.answers.find(asker, question, now)))
}

/// An answer that was given before.
fn give_again(
    gateway: &Gateway,
    asker: &Asker,
    kept: Arc<Kept>,
    ran: &mut Ran,
) -> Result<Answered, Rejection> {
    *ran = Ran {
        operation: kept.operation.clone(),
        cost: kept.cost,
        fields: kept.fields,
        upstream_requests: 0,
        is_kept: true,
    };
    gateway.rates.take_cost(&asker.principal, kept.cost)?;
    Ok(Answered::Again(kept))
}

/// Runs a question, or waits for another asker's run of it. Where that leaves no answer to be given
/// again, everybody who waited runs their own.
async fn run_once<F>(
    gateway: &Gateway,
    asker: &Asker,
    question: Question<F>,
    ran: &mut Ran,
) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    loop {
        match gateway.answers.begin(asker, &question.bytes) {
            Turn::Own(running) => {
                // another's run may have ended between the last look and this turn
                if let Some(kept) = gateway.answers.find(asker, &question.bytes, Instant::now()) {
                    return give_again(gateway, asker, kept, ran);
                }
                let outcome = run(gateway, asker, question, ran).await;
                running.into_iter().for_each(Running::end);
                return outcome;
            }
            Turn::Others(mut end) => {
                let ended = tokio::time::timeout(gateway.limits.timeout, end.changed()).await;
                if let Some(kept) = gateway.answers.find(asker, &question.bytes, Instant::now()) {
                    return give_again(gateway, asker, kept, ran);
                }
                // who ran it may have left in the middle: then it is the turn of one of those who
                // waited
                if !matches!(ended, Ok(Err(_))) {
                    return run(gateway, asker, question, ran).await;
                }
            }
        }
    }
}

/// The library's answer as it may be told: a code and the request's id with every error, nothing
/// echoed at length.
pub(super) fn told_in_public(
    answer: Answer,
    asker: &Asker,
    names_are_public: bool,
) -> Result<(async_graphql::Value, Vec<ServerError>), Answered> {
    let Answer {
        data, mut errors, ..
    } = answer;
    // What the library itself refuses comes with `data: null`; by the specification there is none
    // then.
    if data == async_graphql::Value::Null
        && !errors.is_empty()
        && errors.iter().all(|error| error.path.is_empty())
    {
        return Err(refused_by_validation(errors, asker, names_are_public));
    }
    // a field that is asked for twice is one field, though the library resolves it twice
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((format!("{:?}", error.path), error.message.clone())));
    errors
        .iter_mut()
        .for_each(|error| mark(error, asker, code::BAD_USER_INPUT));
    Ok((data, errors))
}

/// With introspection off, validation must not tell what there is either.
pub(super) fn refused_by_validation(
    mut errors: Vec<ServerError>,
    asker: &Asker,
    names_are_public: bool,
) -> Answered {
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
        mark(error, asker, "GRAPHQL_VALIDATION_FAILED");
    }
    Answered::Refused(errors)
}

fn mark(error: &mut ServerError, asker: &Asker, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
    extensions.unset(REPORTED);
    extensions.set("requestId", &*asker.id.0);
    shorten(&mut error.message, MAX_MESSAGE);
}

fn shorten(message: &mut String, most: usize) {
    if message.chars().count() > most {
        *message = message.chars().take(most).chain(['…']).collect();
    }
}
