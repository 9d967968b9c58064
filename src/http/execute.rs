//! One GraphQL request from parameters to an answer, the same for every transport: HTTP, server-sent events, WebSocket.
//!
//! In this order: is there room, is the caller within its rates, is the query small enough, and only then is anything
//! resolved. One line in the log tells who asked what, what it cost and how it went; never variables, never a token.

use super::{
    Gateway,
    answers::{Kept, Running, Turn},
    asking::{Asker, Parameters, Question, Rejection},
    documents::{Asked, Prepared, Unfit},
    extensions,
    packed::Packed,
};
use crate::{
    estate::{Caller, principal::Clearance},
    graph::{REPORTED, error::code, write_data},
    loaders::{Loaders, budget::Budget},
};
use async_graphql::{Request as Query, Response as Answer, ServerError};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::SemaphorePermit;

/// Longer names and messages are nobody's; they would only be an echo of what was sent.
const MAX_NAME: usize = 128;
const MAX_MESSAGE: usize = 1_200;
/// Who has more mistakes than these in one document mends these first.
const MAX_VALIDATION_ERRORS: usize = 50;

/// The outcome of a request that could be read.
pub(super) enum Answered {
    /// It was run: the answer, ready to be sent, and how many errors are in it.
    Run { body: Bytes, errors: usize },
    /// It had been run before.
    Again(Arc<Kept>),
    /// It does not fit the schema, and was not.
    Refused(Vec<ServerError>),
}

/// Runs a request, or says why not.
pub(super) async fn execute<F>(gateway: &Gateway, asker: &Asker, question: Question<F>) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let started = Instant::now();
    let counters = &gateway.counters;
    counters.requests.fetch_add(1, Ordering::Relaxed);
    let mut ran = Ran::default();
    let outcome = match admit(gateway, asker, &question.bytes) {
        Err(rejection) => Err(rejection),
        Ok((_, Some(kept))) => give_again(gateway, asker, kept, &mut ran),
        // boxed: what is moved about while an answer is found is small then
        Ok((_room, None)) => Box::pin(run_once(gateway, asker, question, &mut ran)).await,
    };
    counters.upstream_requests.fetch_add(ran.upstream_requests.into(), Ordering::Relaxed);
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
        counters.requests_with_errors.fetch_add(1, Ordering::Relaxed);
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
struct Ran {
    operation: Box<str>,
    cost: u64,
    fields: u64,
    upstream_requests: u32,
    /// Whether the answer had been given before.
    is_kept: bool,
}

/// Whether there is room, and the caller within its rates; and the answer, where it was given before.
fn admit<'a>(gateway: &'a Gateway, asker: &Asker, question: &Bytes) -> Result<(SemaphorePermit<'a>, Option<Arc<Kept>>), Rejection> {
    let Ok(room) = gateway.room.try_acquire() else {
        let message = "The gateway has too much to do. Try again in a moment.";
        return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, message, Duration::from_secs(1)));
    };
    gateway.rates.take_request(&asker.principal)?;
    Ok((room, gateway.answers.find(asker, question)))
}

/// An answer that was given before.
fn give_again(gateway: &Gateway, asker: &Asker, kept: Arc<Kept>, ran: &mut Ran) -> Result<Answered, Rejection> {
    *ran = Ran { operation: kept.operation.clone(), cost: kept.cost, fields: kept.fields, upstream_requests: 0, is_kept: true };
    gateway.rates.take_cost(&asker.principal, kept.cost)?;
    Ok(Answered::Again(kept))
}

/// Runs a question, or waits for another asker's run of it. Where that leaves no answer to be given again, everybody who
/// waited runs their own.
async fn run_once<F>(gateway: &Gateway, asker: &Asker, question: Question<F>, ran: &mut Ran) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    loop {
        match gateway.answers.begin(asker, &question.bytes) {
            Turn::Own(running) => {
                let outcome = run(gateway, asker, question, ran).await;
                running.into_iter().for_each(Running::end);
                return outcome;
            }
            Turn::Others(mut end) => {
                let ended = tokio::time::timeout(gateway.limits.timeout, end.changed()).await;
                if let Some(kept) = gateway.answers.find(asker, &question.bytes) {
                    return give_again(gateway, asker, kept, ran);
                }
                // who ran it may have left in the middle: then it is the turn of one of those who waited
                if !matches!(ended, Ok(Err(_))) {
                    return run(gateway, asker, question, ran).await;
                }
            }
        }
    }
}

async fn run<F>(gateway: &Gateway, asker: &Asker, question: Question<F>, ran: &mut Ran) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let limits = &gateway.limits;
    let Parameters { query, operation_name, variables, extensions } = (question.read)(&question.bytes)?;
    ran.operation = operation_name.iter().flat_map(|name| name.chars()).take(MAX_NAME).collect::<String>().into();
    let Some(text) = query else {
        let is_persisted = extensions.is_some_and(|extensions| extensions.contains_key("persistedQuery"));
        return Err(if is_persisted {
            // clients answer this by sending the whole query
            Rejection { status: StatusCode::OK, ..Rejection::graphql(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound") }
        } else {
            Rejection::unreadable(StatusCode::BAD_REQUEST, "There is no query.")
        });
    };
    let asked = Asked { operation: operation_name.as_deref(), variables: variables.unwrap_or_default(), is_get: asker.is_get };
    let Prepared { document, variables, weight } = match gateway.documents.prepare(&text, asked, limits) {
        Ok(prepared) => prepared,
        Err(Unfit::Refused(rejection)) => return Err(rejection),
        Err(Unfit::Invalid(errors)) => return Ok(refused_by_validation(errors, asker, limits.introspection)),
    };
    ran.cost = weight.cost;
    if asker.cost_only {
        let body = json!({"data": null, "extensions": extensions::estimated(&weight, limits.cost)});
        return Ok(Answered::Run { body: body.to_string().into(), errors: 0 });
    }
    gateway.rates.take_cost(&asker.principal, weight.cost)?;

    let caller = gateway.estate.caller(asker.principal.clone(), &asker.passed, asker.debug).await;
    // what was read with a caller's own credentials is not for others; who wants to know what is read wants it read
    let may_recall = !document.puts_together && asker.passed.is_empty() && !asker.debug;
    let recollection = gateway.fragments.as_ref().filter(|_| may_recall).map(|fragments| fragments.of(Clearance(asker.principal.clone())));
    let loaders = Loaders::new(gateway.estate.clone(), caller, Budget::new(limits.answer_fields), recollection);
    let mut query = Query::new(text).variables(variables);
    query.operation_name = operation_name.clone();
    query.set_parsed_query(document.parsed.clone());
    let execution = loaders.drive(Box::pin(gateway.schema.execute(query.data(loaders.clone()))));
    let span = tracing::info_span!("request", request_id = %asker.id.0);
    let outcome = tokio::time::timeout(limits.timeout, tracing::Instrument::instrument(execution, span)).await;
    let caller = loaders.caller();
    (ran.fields, ran.upstream_requests) = (loaders.budget().spent(), caller.meter.by_upstream().values().sum());
    let Ok(mut answer) = outcome else {
        let message = format!("The answer was not ready after {:?} (limits.timeout).", limits.timeout);
        let rejection = Rejection::graphql(code::UPSTREAM_TIMEOUT, message);
        return Err(Rejection { status: StatusCode::GATEWAY_TIMEOUT, is_graphql: false, ..rejection });
    };
    if !answer.errors.is_empty() {
        document.fitting.settle_nulls(operation_name.as_deref(), &mut answer.data, &answer.errors);
    }
    let (data, errors) = match told_in_public(answer, asker, limits.introspection) {
        Ok(told) => told,
        Err(refused) => return Ok(refused),
    };
    let mut body = Vec::with_capacity(1 << 10);
    body.push(b'{');
    if !errors.is_empty() {
        body.extend_from_slice(b"\"errors\":");
        serde_json::to_writer(&mut body, &errors).map_err(|_| unwritable())?;
        body.push(b',');
    }
    body.extend_from_slice(b"\"data\":");
    write_data(&data, &mut body);
    body.extend_from_slice(b",\"extensions\":");
    let extended = |body: &[u8], made_by: Option<&Caller>| {
        let extensions = extensions::spent(&weight, limits.cost, ran.fields, asker, made_by).to_string();
        Bytes::from([body, extensions.as_bytes(), b"}"].concat())
    };
    let answer = extended(&body, Some(caller));
    if answer.len() > limits.answer_bytes {
        let message = format!(
            "The answer would have more than {} bytes (limits.answer_bytes). Ask for fewer rows, page by page.",
            limits.answer_bytes
        );
        return Err(Rejection::graphql(code::QUERY_TOO_COMPLEX, message));
    }
    if errors.is_empty()
        && let Some(sources) = caller.reads.sources().map(Arc::new)
    {
        if let Some(recollection) = loaders.recollection() {
            recollection.keep(&sources);
        }
        if !gateway.answers.are_kept_for(asker) {
            return Ok(Answered::Run { body: answer, errors: 0 });
        }
        // who is given it again causes no upstream requests
        let body = if ran.upstream_requests == 0 { answer.clone() } else { extended(&body, None) };
        let kept = Kept { body, packed: Packed::default(), operation: ran.operation.clone(), cost: ran.cost, fields: ran.fields, sources };
        gateway.answers.keep(asker, &question.bytes, kept);
    }
    Ok(Answered::Run { body: answer, errors: errors.len() })
}

/// An answer that has no form as JSON: there is none.
fn unwritable() -> Rejection {
    Rejection::unreadable(StatusCode::INTERNAL_SERVER_ERROR, "The gateway could not write its answer.")
}

/// The library's answer as it may be told: a code and the request's id with every error, nothing echoed at length.
fn told_in_public(answer: Answer, asker: &Asker, names_are_public: bool) -> Result<(async_graphql::Value, Vec<ServerError>), Answered> {
    let Answer { data, mut errors, .. } = answer;
    // What the library itself refuses comes with `data: null`; by the specification there is none then.
    if data == async_graphql::Value::Null && !errors.is_empty() && errors.iter().all(|error| error.path.is_empty()) {
        return Err(refused_by_validation(errors, asker, names_are_public));
    }
    // a field that is asked for twice is one field, though the library resolves it twice
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((format!("{:?}", error.path), error.message.clone())));
    errors.iter_mut().for_each(|error| mark(error, asker, code::BAD_USER_INPUT));
    Ok((data, errors))
}

/// With introspection off, validation must not tell what there is either.
fn refused_by_validation(mut errors: Vec<ServerError>, asker: &Asker, names_are_public: bool) -> Answered {
    errors.truncate(MAX_VALIDATION_ERRORS);
    for error in &mut errors {
        if !names_are_public {
            error.message = "The query does not fit the schema here.".to_owned();
        }
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
    if error.message.chars().count() > MAX_MESSAGE {
        error.message = error.message.chars().take(MAX_MESSAGE).chain(['…']).collect();
    }
}
