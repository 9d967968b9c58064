//! `/graphql`: GraphQL over HTTP, by the specification of that name.
//!
//! `application/json` callers get 200 for every request that could be read,
//! `application/graphql-response+json` callers the status that fits. Only a JSON content type is
//! taken, which no page of another origin can send unasked. A request that was not run has no
//! `data`.

use super::{
    Gateway, RequestId,
    auth::Peer,
    batch,
    cache_control::{CachePolicy, unless_known},
    headers::HeaderMapExt,
    negotiate::{self, MediaType},
    pipeline::{Answer, Refusal, handle},
    plain,
    request::{Parameters, RawRequest, Rejection, RequestContext},
    response_cache::CachedResponse,
    websocket,
};
use crate::graph::error::code;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Redirect, Response},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// How much of a body that is too large is taken beyond that.
const THROWN_AWAY: usize = 4 << 20;

/// `POST /graphql`.
pub(super) async fn post(
    State(gateway): State<Gateway>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let Some(media_type) = negotiate::media_type(headers) else {
        return not_acceptable();
    };
    let context = match identify(&gateway, headers, &peer, &id, media_type, false).await {
        Ok(context) => context,
        Err(rejection) => return reject(media_type, &id, &rejection),
    };
    match read_body(
        headers,
        body,
        gateway.limits.body_bytes,
        gateway.server.body_timeout,
    )
    .await
    {
        Ok(bytes) if is_batch(&bytes) => {
            batch::answer(&gateway, &context, media_type, &bytes).await
        }
        Ok(bytes) => {
            answer(
                &gateway,
                &context,
                media_type,
                RawRequest {
                    bytes,
                    read: read_json,
                },
            )
            .await
        }
        Err(rejection) => {
            let mut response = reject(media_type, &id, &rejection);
            // what is still to come of this body must not be taken for the next request
            if parts.version <= Version::HTTP_11
                && matches!(
                    rejection.status,
                    StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
                )
            {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

/// `GET /graphql`: queries in the address, WebSocket, and GraphiQL for browsers.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let headers = request.headers();
    if websocket::is_asked_for(headers) {
        return websocket::open(gateway, id, peer, request).await;
    }
    if negotiate::wants_html(headers) {
        // a link to a query opens it in the page
        let query = request
            .uri()
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let up = if request.uri().path().ends_with('/') {
            "../"
        } else {
            ""
        };
        return Redirect::temporary(&format!("{up}graphiql{query}")).into_response();
    }
    let Some(media_type) = negotiate::media_type(headers) else {
        return not_acceptable();
    };
    let context = match identify(&gateway, headers, &peer, &id, media_type, true).await {
        Ok(context) => context,
        Err(rejection) => return reject(media_type, &id, &rejection),
    };
    let bytes = Bytes::copy_from_slice(request.uri().query().unwrap_or_default().as_bytes());
    let response = answer(
        &gateway,
        &context,
        media_type,
        RawRequest {
            bytes,
            read: read_address,
        },
    )
    .await;
    unless_known(headers, response)
}

/// Every other method.
pub(super) async fn wrong_method() -> Response {
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "GraphQL takes GET and POST.\n",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

/// For panics: what went wrong is in the log.
pub(super) fn internal_error() -> Response {
    let body = json!({"errors": [{"message": "The gateway made a mistake; it is in its log.", "extensions": {"code": code::INTERNAL, "retryable": false}}]});
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        [(header::CONTENT_TYPE, MediaType::Json.content_type())],
        body.to_string(),
    )
        .into_response()
}

fn not_acceptable() -> Response {
    plain(
        StatusCode::NOT_ACCEPTABLE,
        "There are application/graphql-response+json, application/json and text/event-stream.\n",
    )
}

/// Who asks, before anything of what they ask is read.
async fn identify(
    gateway: &Gateway,
    headers: &HeaderMap,
    peer: &Peer,
    id: &RequestId,
    media_type: MediaType,
    is_get: bool,
) -> Result<RequestContext, Rejection> {
    let principal = gateway.identify(headers, peer, id).await?;
    let transport = if media_type == MediaType::EventStream {
        "sse"
    } else {
        "http"
    };
    RequestContext::new(
        gateway,
        principal,
        headers,
        peer.address,
        id.clone(),
        transport,
        is_get,
    )
}

/// Whether a body is said to be JSON in UTF-8, once.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers
        .one(&header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    is_json && is_utf8
}

async fn read_body(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
    most: Duration,
) -> Result<Bytes, Rejection> {
    if !is_json(headers) || headers.contains_key(&header::CONTENT_ENCODING) {
        return Err(Rejection::unreadable(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body must be application/json in UTF-8, not compressed.",
        ));
    }
    match tokio::time::timeout(most, collect(body, max_bytes)).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            let message = format!(
                "The body must be whole, and at most {max_bytes} bytes (limits.body_bytes)."
            );
            Err(Rejection::unreadable(
                StatusCode::PAYLOAD_TOO_LARGE,
                message,
            ))
        }
        Err(_) => Err(Rejection::unreadable(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time (server.body_timeout).",
        )),
    }
}

fn is_batch(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

fn read_json(bytes: &[u8]) -> Result<Parameters, Rejection> {
    serde_json::from_slice(bytes).map_err(|_| {
        let message =
            "The body must be a JSON object with query (text), and optionally operationName (text), variables and extensions (objects).";
        Rejection::unreadable(StatusCode::BAD_REQUEST, message)
    })
}

/// The whole of a body; `None` where it breaks off or is too large. Of one that is too large a
/// little more is taken and thrown away: who is still sending would else see a broken connection,
/// and not why.
async fn collect(mut body: Body, max_bytes: usize) -> Option<Bytes> {
    let (mut bytes, mut seen) = (BytesMut::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= max_bytes {
            // nearly always there is one, and nothing to copy
            match bytes.is_empty() {
                true => bytes = data.into(),
                false => bytes.extend_from_slice(&data),
            }
        } else if seen > max_bytes.saturating_add(THROWN_AWAY) {
            return None;
        }
    }
    (seen <= max_bytes).then(|| bytes.freeze())
}

fn read_address(query: &[u8]) -> Result<Parameters, Rejection> {
    let mut parameters = Parameters::default();
    for (key, value) in url::form_urlencoded::parse(query) {
        let object = |name: &str| {
            let unreadable = || {
                Rejection::unreadable(
                    StatusCode::BAD_REQUEST,
                    format!("`{name}` must be a JSON object."),
                )
            };
            serde_json::from_str::<Option<Map<String, Value>>>(&value).map_err(|_| unreadable())
        };
        match &*key {
            "query" => parameters.query = Some(value.into_owned()),
            "operationName" => {
                parameters.operation_name = Some(value.into_owned()).filter(|name| !name.is_empty())
            }
            "documentId" | "doc_id" => parameters.document_id = Some(value.into_owned()),
            "variables" => parameters.variables = object("variables")?,
            "extensions" => parameters.extensions = object("extensions")?,
            _ => {}
        }
    }
    Ok(parameters)
}

async fn answer<F>(
    gateway: &Gateway,
    context: &RequestContext,
    media_type: MediaType,
    request: RawRequest<F>,
) -> Response
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    match handle(gateway, context, request).await {
        Ok(Answer::Fresh {
            body, cache_policy, ..
        }) => told(
            gateway,
            media_type,
            cache_policy,
            write(media_type, StatusCode::OK, body),
        ),
        Ok(Answer::Cached(kept)) => {
            let response = match context.content_encoding {
                Some(_) => Box::pin(write_packed(context, media_type, &kept)).await,
                None => write(media_type, StatusCode::OK, kept.body.clone()),
            };
            let cache_policy = kept
                .mark
                .clone()
                .map(|mark| CachePolicy::new(mark, &kept.dependencies, Instant::now()));
            told(gateway, media_type, cache_policy, response)
        }
        Err(Refusal::Invalid(errors)) => {
            let is_told_by_status = media_type == MediaType::GraphqlResponse;
            let status = if is_told_by_status {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            write(
                media_type,
                status,
                json!({"errors": errors}).to_string().into(),
            )
        }
        Err(Refusal::Rejected(rejection)) => reject(media_type, &context.id, &rejection),
    }
}

/// An answer that says for how long it may be used again, if it may.
fn told(
    gateway: &Gateway,
    media_type: MediaType,
    cache_policy: Option<CachePolicy>,
    mut response: Response,
) -> Response {
    if let Some(cache_policy) = cache_policy.filter(|_| media_type != MediaType::EventStream) {
        cache_policy.tell(response.headers_mut(), &gateway.differs_by);
    }
    response
}

/// An answer that was given before, packed as it was then for those who take that.
async fn write_packed(
    context: &RequestContext,
    media_type: MediaType,
    kept: &CachedResponse,
) -> Response {
    let packed = match context
        .content_encoding
        .filter(|_| media_type != MediaType::EventStream)
    {
        Some(content_encoding) => kept
            .packed
            .of(content_encoding, &kept.body)
            .await
            .map(|body| (content_encoding, body)),
        None => None,
    };
    let Some((content_encoding, body)) = packed else {
        return write(media_type, StatusCode::OK, kept.body.clone());
    };
    let mut response = write(media_type, StatusCode::OK, body);
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, content_encoding.name());
    response
}

/// An answer that is not one.
pub(super) fn reject(media_type: MediaType, id: &RequestId, rejection: &Rejection) -> Response {
    let status = match media_type {
        MediaType::GraphqlResponse => rejection.status,
        _ if rejection.is_graphql => StatusCode::OK,
        _ => rejection.status,
    };
    let mut response = write(
        media_type,
        status,
        json!({"errors": [rejection.error(id)]}).to_string().into(),
    );
    let headers = response.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            drop(headers.insert(header::ALLOW, HeaderValue::from_static("POST")))
        }
        StatusCode::UNAUTHORIZED => drop(headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"veeam-graph\""),
        )),
        _ => {}
    }
    if let Some(wait) = rejection.retry_after {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(wait.as_secs_f64().ceil().max(1.0) as u64),
        );
    }
    response
}

pub(super) fn write(media_type: MediaType, status: StatusCode, body: Bytes) -> Response {
    let (media_type, body) = match media_type {
        // one result, then the end: a query has one
        MediaType::EventStream if status.is_success() => (
            media_type,
            [
                b"event: next\ndata: ",
                &*body,
                b"\n\nevent: complete\ndata:\n\n",
            ]
            .concat()
            .into(),
        ),
        // what was refused before it was read is no stream
        MediaType::EventStream => (MediaType::Json, body),
        media_type => (media_type, body),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    *response.headers_mut() = HEADERS[media_type as usize].clone();
    response
}

/// The headers of every answer of a media type.
static HEADERS: LazyLock<[HeaderMap; 3]> = LazyLock::new(|| {
    MediaType::ALL.map(|media_type| {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(media_type.content_type()),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding, Authorization, X-API-Key"),
        );
        headers
    })
});
