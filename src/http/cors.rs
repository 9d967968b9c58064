//! What pages of other origins may send, and read of the answers: `server.origins`, `server.cors`.
//!
//! By default that is what this gateway documents, and what unchanged clients and tracing send of
//! their own accord: one header that is not allowed, and a browser sends nothing at all.

use super::{API_KEY, COST_ONLY, DEBUG, Gateway, REQUEST_ID};
use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

/// What clients of GraphQL and tracing in browsers send.
const OF_CLIENTS: [&str; 16] = [
    // Apollo's clients
    "apollographql-client-name",
    "apollographql-client-version",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-apollo-operation-type",
    "x-apollo-operation-id",
    // others
    "graphql-client-name",
    "graphql-client-version",
    "graphql-require-preflight",
    "x-requested-with",
    // https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/, and those before them
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "b3",
    "x-correlation-id",
];

/// What answers pages of the listed origins.
pub(super) fn layer(gateway: &Gateway) -> CorsLayer {
    let cors = &gateway.server.cors;
    let origins: Vec<HeaderValue> = gateway
        .server
        .origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    let named = |names: &[String]| -> Vec<HeaderName> {
        names.iter().filter_map(|name| name.parse().ok()).collect()
    };
    let ours = [
        header::CONTENT_TYPE,
        header::AUTHORIZATION,
        header::ACCEPT,
        header::IF_NONE_MATCH,
        API_KEY,
        COST_ONLY,
        DEBUG,
        REQUEST_ID,
    ];
    let mut sent = ours.to_vec();
    sent.extend(OF_CLIENTS.map(HeaderName::from_static));
    sent.extend(gateway.of_upstreams.iter().cloned());
    sent.extend(named(&cors.headers));
    let mut read = vec![
        REQUEST_ID,
        header::RETRY_AFTER,
        header::ETAG,
        header::WWW_AUTHENTICATE,
    ];
    read.extend(named(&cors.exposed_headers));
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(sent)
        .expose_headers(read)
        .max_age(cors.max_age)
}
