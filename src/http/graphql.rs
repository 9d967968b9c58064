//! `/graphql`: GraphQL over HTTP, by the specification of that name.
//!
//! `application/json` callers get 200 for every request that could be read, `application/graphql-response+json` callers
//! the status that fits. Only a JSON content type is taken, which no page of another origin can send unasked. A request
//! that was not run has no `data`.

use super::{
    Gateway, RequestId,
    guard::{self, Refusal},
    negotiate::{self, MediaType},
    plain,
};
use crate::{graph::error::code, loaders::Loaders, upstream::meter::Meter};
use async_graphql::{Request as Query, Response as Answer, ServerError, Variables, parser::parse_query};
use axum::{
    Extension,
    body::Body as Incoming,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// A query with its variables; no client was seen with a tenth of it.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The whole body must be here by then.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// However many upstream reads follow each other, the answer is out by then.
const DEADLINE: Duration = Duration::from_secs(120);

/// What a caller sends.
#[derive(Debug, Default, Deserialize)]
struct Parameters {
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
}

/// A request that is not run.
struct Rejection {
    /// For `application/graphql-response+json`, and for both where the request could not even be read.
    status: StatusCode,
    /// Whether it could be read, so that `application/json` callers get 200.
    is_graphql: bool,
    code: &'static str,
    message: String,
}

impl Rejection {
    fn unreadable(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, is_graphql: false, code: code::BAD_USER_INPUT, message: message.into() }
    }

    fn graphql(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, is_graphql: true, code, message: message.into() }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Rejection::graphql(refusal.code, refusal.message)
    }
}

/// `POST /graphql`.
pub(super) async fn post(State(gateway): State<Gateway>, Extension(id): Extension<RequestId>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(media_type) = negotiate::media_type(&parts.headers) else { return not_acceptable() };
    let parameters = match read_body(&parts.headers, body).await {
        Ok(parameters) => parameters,
        Err(rejection) => return reject(media_type, &id, rejection),
    };
    run(&gateway, &id, media_type, parameters, false).await
}

/// `GET /graphql`: queries in the address, and GraphiQL for browsers.
pub(super) async fn get(State(gateway): State<Gateway>, Extension(id): Extension<RequestId>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if negotiate::wants_html(request.headers()) {
        return Redirect::temporary("graphiql").into_response();
    }
    let Some(media_type) = negotiate::media_type(request.headers()) else { return not_acceptable() };
    match read_address(query) {
        Ok(parameters) => run(&gateway, &id, media_type, parameters, true).await,
        Err(rejection) => reject(media_type, &id, rejection),
    }
}

/// Every other method.
pub(super) async fn wrong_method() -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GraphQL takes GET and POST.\n");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, POST"));
    response
}

/// For panics: what went wrong is in the log.
pub(super) fn internal_error() -> Response {
    let body = json!({"errors": [{"message": "The gateway made a mistake; it is in its log.", "extensions": {"code": code::INTERNAL, "retryable": false}}]});
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, MediaType::Json.content_type())], body.to_string()).into_response()
}

fn not_acceptable() -> Response {
    plain(StatusCode::NOT_ACCEPTABLE, "There are application/graphql-response+json, application/json and text/event-stream.\n")
}

async fn read_body(headers: &HeaderMap, body: Incoming) -> Result<Parameters, Rejection> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => value.trim_matches('"').eq_ignore_ascii_case("utf-8"),
        _ => true,
    });
    if !is_json || !is_utf8 || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Rejection::unreadable(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body must be application/json in UTF-8, not compressed.",
        ));
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_BODY_BYTES)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return Err(Rejection::unreadable(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The body must be whole, and at most {MAX_BODY_BYTES} bytes."),
            ));
        }
        Err(_) => return Err(Rejection::unreadable(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.")),
    };
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Rejection::unreadable(
            StatusCode::BAD_REQUEST,
            "Batches are not taken: send one request at a time; the gateway shares reads between them.",
        ));
    }
    serde_json::from_slice(&bytes).map_err(|_| {
        let message =
            "The body must be a JSON object with query (text), and optionally operationName (text), variables and extensions (objects).";
        Rejection::unreadable(StatusCode::BAD_REQUEST, message)
    })
}

fn read_address(query: &str) -> Result<Parameters, Rejection> {
    let mut parameters = Parameters::default();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let object = |name: &str| {
            let unreadable = || Rejection::unreadable(StatusCode::BAD_REQUEST, format!("`{name}` must be a JSON object."));
            serde_json::from_str::<Option<Map<String, Value>>>(&value).map_err(|_| unreadable())
        };
        match &*key {
            "query" => parameters.query = Some(value.into_owned()),
            "operationName" => parameters.operation_name = Some(value.into_owned()).filter(|name| !name.is_empty()),
            "variables" => parameters.variables = object("variables")?,
            "extensions" => parameters.extensions = object("extensions")?,
            _ => {}
        }
    }
    Ok(parameters)
}

async fn run(gateway: &Gateway, id: &RequestId, media_type: MediaType, parameters: Parameters, is_get: bool) -> Response {
    let started = Instant::now();
    gateway.counters.requests.fetch_add(1, Ordering::Relaxed);
    let operation_name = parameters.operation_name.clone();
    let query = match prepare(parameters, is_get) {
        Ok(query) => query,
        Err(rejection) => {
            gateway.counters.requests_with_errors.fetch_add(1, Ordering::Relaxed);
            tracing::info!(request_id = %id.0, code = rejection.code, reason = %rejection.message, "a request was refused");
            return reject(media_type, id, rejection);
        }
    };
    let caller = gateway.estate.caller(gateway.principal.clone());
    let meter = caller.meter.clone();
    let loaders = Loaders::new(gateway.estate.clone(), caller);
    let execution = loaders.drive(gateway.schema.execute(query.data(loaders.clone())));
    let span = tracing::info_span!("request", request_id = %id.0);
    let outcome = tokio::time::timeout(DEADLINE, tracing::Instrument::instrument(execution, span)).await;
    let Ok(answer) = outcome else {
        let message = format!("The answer was not ready after {} seconds.", DEADLINE.as_secs());
        return reject(
            media_type,
            id,
            Rejection { status: StatusCode::GATEWAY_TIMEOUT, is_graphql: false, code: code::UPSTREAM_TIMEOUT, message },
        );
    };
    let upstream_requests: u32 = meter.by_upstream().values().sum();
    gateway.counters.upstream_requests.fetch_add(u64::from(upstream_requests), Ordering::Relaxed);
    if !answer.errors.is_empty() {
        gateway.counters.requests_with_errors.fetch_add(1, Ordering::Relaxed);
    }
    tracing::info!(
        request_id = %id.0,
        operation = operation_name.as_deref().unwrap_or_default(),
        errors = answer.errors.len(),
        upstream_requests,
        duration_ms = started.elapsed().as_millis() as u64,
        "a request was answered"
    );
    render(media_type, id, answer, &meter)
}

/// Everything that is checked before anything runs, with one parse.
fn prepare(parameters: Parameters, is_get: bool) -> Result<Query, Rejection> {
    let Some(text) = parameters.query else {
        let is_persisted = parameters.extensions.as_ref().is_some_and(|extensions| extensions.contains_key("persistedQuery"));
        return Err(if is_persisted {
            // clients answer this by sending the whole query
            Rejection { status: StatusCode::OK, ..Rejection::graphql(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound") }
        } else {
            Rejection::unreadable(StatusCode::BAD_REQUEST, "There is no query.")
        });
    };
    guard::check_text(&text)?;
    let document = parse_query(&text).map_err(|error| {
        let message: String = error.to_string().chars().take(256).collect();
        Rejection::graphql("GRAPHQL_PARSE_FAILED", message)
    })?;
    let variables = Variables::from_json(Value::Object(parameters.variables.unwrap_or_default()));
    let Some(operation) = guard::operation(&document, parameters.operation_name.as_deref()) else {
        return Err(Rejection::graphql(
            "OPERATION_RESOLUTION_FAILURE",
            "The document has several operations, or none of that name: say in operationName which to run.",
        ));
    };
    if is_get && !guard::is_query(operation) {
        let message = "Only queries are taken with GET.";
        return Err(Rejection {
            status: StatusCode::METHOD_NOT_ALLOWED,
            is_graphql: false,
            code: code::BAD_USER_INPUT,
            message: message.to_owned(),
        });
    }
    guard::check(&document, operation, &variables)?;
    let mut query = Query::new(text).variables(variables);
    query.operation_name = parameters.operation_name;
    query.set_parsed_query(document);
    Ok(query)
}

fn reject(media_type: MediaType, id: &RequestId, rejection: Rejection) -> Response {
    let status = match media_type {
        MediaType::GraphqlResponse => rejection.status,
        _ if rejection.is_graphql => StatusCode::OK,
        _ => rejection.status,
    };
    let message: String = rejection.message.chars().take(512).collect();
    let extensions = json!({"code": rejection.code, "retryable": false, "requestId": &*id.0});
    let mut response = write(media_type, status, &json!({"errors": [{"message": message, "extensions": extensions}]}));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    }
    response
}

fn render(media_type: MediaType, id: &RequestId, mut answer: Answer, meter: &Arc<Meter>) -> Response {
    // The library gives `data: null` also when validation refused the document; by the specification there is none then.
    let was_run = !(answer.data == async_graphql::Value::Null
        && answer.errors.iter().all(|error| error.path.is_empty())
        && !answer.errors.is_empty());
    for error in &mut answer.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", if was_run { code::BAD_USER_INPUT } else { "GRAPHQL_VALIDATION_FAILED" });
        }
        extensions.set("requestId", &*id.0);
        if error.message.len() > 512 {
            error.message = error.message.chars().take(512).collect();
        }
    }
    let by_upstream = meter.by_upstream();
    let cost = json!({"requests": by_upstream.values().sum::<u32>(), "byUpstream": by_upstream.iter().map(|(name, count)| (name.to_string(), json!(count))).collect::<Map<_, _>>()});
    let body =
        Body { errors: &answer.errors, data: was_run.then_some(&answer.data), extensions: was_run.then(|| json!({"upstream": cost})) };
    let status = if was_run || media_type != MediaType::GraphqlResponse { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    write(media_type, status, &body)
}

/// An answer as it is written: fields in the order that they were asked for.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
}

fn write(media_type: MediaType, status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(body) = serde_json::to_string(body) else { return internal_error() };
    let (status, text) = match media_type {
        // one result, then the end: this graph has no subscriptions yet
        MediaType::EventStream => (StatusCode::OK, format!("event: next\ndata: {body}\n\nevent: complete\ndata:\n\n")),
        _ => (status, body),
    };
    let headers =
        [(header::CONTENT_TYPE, media_type.content_type()), (header::CACHE_CONTROL, "no-store"), (header::VARY, "Accept, Authorization")];
    (status, headers, text).into_response()
}
