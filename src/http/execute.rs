//! One GraphQL request from parameters to an answer, the same for every transport: HTTP, server-sent events, WebSocket.
//!
//! In this order: is there room, is the caller within its rates, is the query small enough, and only then is anything
//! resolved. One line in the log tells who asked what, what it cost and how it went; never variables, never a token.

use super::{
    Gateway, RequestId,
    documents::{Asked, Prepared, Unfit},
    guard,
};
use crate::{
    estate::{Passed, Principal},
    graph::{REPORTED, error::code},
    loaders::{Loaders, budget::Budget},
};
use async_graphql::{Request as Query, Response as Answer, ServerError};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// Longer names and messages are nobody's; they would only be an echo of what was sent.
const MAX_NAME: usize = 128;
const MAX_MESSAGE: usize = 256;
/// Who has more mistakes than these in one document mends these first.
const MAX_VALIDATION_ERRORS: usize = 50;

/// What a caller sends.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    pub query: Option<String>,
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Option<Map<String, Value>>,
    #[serde(default)]
    pub extensions: Option<Map<String, Value>>,
}

/// Who asks, and how.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub principal: Arc<Principal>,
    /// What it brought for upstreams that are read with it.
    pub passed: Passed,
    pub id: RequestId,
    /// For the log.
    pub transport: &'static str,
    /// Only queries: by GET nothing else may be asked.
    pub is_get: bool,
    /// Tell the cost, run nothing.
    pub cost_only: bool,
}

/// A request that is not run.
#[derive(Debug)]
pub(super) struct Rejection {
    /// For `application/graphql-response+json`, and for both where the request could not even be read.
    pub status: StatusCode,
    /// Whether it could be read, so that `application/json` callers get 200.
    pub is_graphql: bool,
    pub code: &'static str,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Rejection {
    pub fn unreadable(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, is_graphql: false, code: code::BAD_USER_INPUT, message: message.into(), retry_after: None }
    }

    pub fn graphql(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, is_graphql: true, code, message: message.into(), retry_after: None }
    }

    /// A question of a kind that this method does not carry.
    pub fn wrong_method(message: &str) -> Self {
        Self::unreadable(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// Not now: try again after that wait.
    pub fn later(status: StatusCode, code: &'static str, message: impl Into<String>, wait: Duration) -> Self {
        Self { status, is_graphql: false, code, message: message.into(), retry_after: Some(wait) }
    }

    /// As a member of `errors`.
    pub fn error(&self, id: &RequestId) -> Value {
        let message: String = self.message.chars().take(512).collect();
        let mut extensions = json!({"code": self.code, "retryable": self.retry_after.is_some(), "requestId": &*id.0});
        if let (Some(wait), Some(extensions)) = (self.retry_after, extensions.as_object_mut()) {
            extensions.insert("retryAfterSeconds".to_owned(), json!(wait.as_secs_f64().ceil().max(1.0) as u64));
        }
        json!({"message": message, "extensions": extensions})
    }
}

impl From<guard::Refusal> for Rejection {
    fn from(refusal: guard::Refusal) -> Self {
        Rejection::graphql(refusal.code, refusal.message)
    }
}

/// An answer as it is written: fields in the order that they were asked for.
#[derive(Debug, Serialize)]
pub(super) struct Answered {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<async_graphql::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Value>,
}

impl Answered {
    /// Whether anything was resolved. A document that validation refused was not.
    pub fn was_run(&self) -> bool {
        self.data.is_some()
    }
}

/// Runs a request, or says why not.
pub(super) async fn execute(gateway: &Gateway, asker: &Asker, parameters: Parameters) -> Result<Answered, Rejection> {
    let started = Instant::now();
    let counters = &gateway.counters;
    counters.requests.fetch_add(1, Ordering::Relaxed);
    let name: String = parameters.operation_name.iter().flat_map(|name| name.chars()).take(MAX_NAME).collect();
    let outcome = run(gateway, asker, parameters).await;
    let (outcome, ran) = match outcome {
        Ok((answered, ran)) => (Ok(answered), ran),
        Err(rejection) => (Err(rejection), Ran::default()),
    };
    counters.upstream_requests.fetch_add(ran.upstream_requests.into(), Ordering::Relaxed);
    let (errors, said) = match &outcome {
        Ok(answered) if !answered.was_run() => (answered.errors.len(), "refused by validation"),
        Ok(answered) if answered.errors.is_empty() => (0, "answered"),
        Ok(answered) => (answered.errors.len(), "answered with errors"),
        Err(rejection) => (1, rejection.code),
    };
    if errors > 0 {
        counters.requests_with_errors.fetch_add(1, Ordering::Relaxed);
    }
    tracing::info!(
        target: "veeam_graph::audit",
        request_id = %asker.id.0,
        principal = &*asker.principal.name,
        operation = name,
        transport = asker.transport,
        cost = ran.cost,
        fields = ran.fields,
        upstream_requests = ran.upstream_requests,
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
    cost: u64,
    fields: u64,
    upstream_requests: u32,
}

async fn run(gateway: &Gateway, asker: &Asker, parameters: Parameters) -> Result<(Answered, Ran), Rejection> {
    let limits = &gateway.limits;
    let Ok(_room) = gateway.room.try_acquire() else {
        let message = "The gateway has too much to do. Try again in a moment.";
        return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, message, Duration::from_secs(1)));
    };
    gateway.rates.take_request(&asker.principal)?;
    let Parameters { query, operation_name, variables, extensions } = parameters;
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
        Err(Unfit::Invalid(errors)) => return Ok((refused_by_validation(errors, asker, limits.introspection), Ran::default())),
    };
    let estimate = json!({"estimated": weight.cost, "maximum": limits.cost});
    if asker.cost_only {
        let answered = Answered { errors: Vec::new(), data: Some(async_graphql::Value::Null), extensions: Some(json!({"cost": estimate})) };
        return Ok((answered, Ran { cost: weight.cost, ..Ran::default() }));
    }
    gateway.rates.take_cost(&asker.principal, weight.cost)?;

    let caller = gateway.estate.caller(asker.principal.clone(), &asker.passed).await;
    let meter = caller.meter.clone();
    let loaders = Loaders::new(gateway.estate.clone(), caller, Budget::new(limits.answer_fields));
    let mut query = Query::new(text).variables(variables);
    query.operation_name = operation_name.clone();
    query.set_parsed_query(document.parsed.clone());
    let execution = loaders.drive(gateway.schema.execute(query.data(loaders.clone())));
    let span = tracing::info_span!("request", request_id = %asker.id.0);
    let outcome = tokio::time::timeout(limits.timeout, tracing::Instrument::instrument(execution, span)).await;
    let by_upstream = meter.by_upstream();
    let ran = Ran { cost: weight.cost, fields: loaders.budget().spent(), upstream_requests: by_upstream.values().sum() };
    let Ok(mut answer) = outcome else {
        let message = format!("The answer was not ready after {:?} (limits.timeout).", limits.timeout);
        let rejection = Rejection::graphql(code::UPSTREAM_TIMEOUT, message);
        return Err(Rejection { status: StatusCode::GATEWAY_TIMEOUT, is_graphql: false, ..rejection });
    };
    if !answer.errors.is_empty() {
        document.fitting.settle_nulls(operation_name.as_deref(), &mut answer.data, &answer.errors);
    }
    // an upstream that does not exist for the caller may have been asked on its behalf: its name stays here
    let told = by_upstream.iter().filter(|(name, _)| asker.principal.allows_upstream(name));
    let requests: Map<String, Value> = told.map(|(name, count)| (name.to_string(), json!(count))).collect();
    let extensions = json!({
        "cost": {"estimated": weight.cost, "fields": ran.fields, "maximum": limits.cost},
        "upstream": {"requests": ran.upstream_requests, "byUpstream": requests},
    });
    Ok((told_in_public(answer, asker, limits.introspection, extensions), ran))
}

/// The library's answer as it may be told: a code and the request's id with every error, nothing echoed at length.
fn told_in_public(answer: Answer, asker: &Asker, names_are_public: bool, extensions: Value) -> Answered {
    let Answer { data, mut errors, .. } = answer;
    // What the library itself refuses comes with `data: null`; by the specification there is none then.
    if data == async_graphql::Value::Null && !errors.is_empty() && errors.iter().all(|error| error.path.is_empty()) {
        return refused_by_validation(errors, asker, names_are_public);
    }
    // a field that is asked for twice is one field, though the library resolves it twice
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((format!("{:?}", error.path), error.message.clone())));
    errors.iter_mut().for_each(|error| mark(error, asker, code::BAD_USER_INPUT));
    Answered { errors, data: Some(data), extensions: Some(extensions) }
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
    Answered { errors, data: None, extensions: None }
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
