//! Who asks what, whatever the transport; and what they are told where it is not run.

use super::{
    COST_ONLY, DEBUG, Gateway, RequestId,
    auth::{self, Identity},
    compression::ContentEncoding,
    query_limits, trace_context,
    trusted::List,
};
use crate::{
    estate::{ForwardedCredentials, Principal, principal::AccessClass},
    graph::error::code,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// What a caller sends.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Parameters {
    #[serde(default)]
    pub query: Option<String>,
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Option<Map<String, Value>>,
    #[serde(default)]
    pub extensions: Option<Map<String, Value>>,
    /// A document by its id, as the specification of GraphQL over HTTP will have it; Relay's name
    /// for it too.
    #[serde(
        default,
        rename = "documentId",
        alias = "doc_id",
        skip_serializing_if = "Option::is_none"
    )]
    pub document_id: Option<String>,
}

/// Who asks, and how.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    pub principal: Arc<Principal>,
    pub access_class: AccessClass,
    /// What it brought for upstreams that are read with it.
    pub passed: ForwardedCredentials,
    pub id: RequestId,
    /// The trace that it is part of, for the log.
    pub trace_id: Option<Box<str>>,
    /// Where it asks from.
    pub address: IpAddr,
    /// For the log.
    pub transport: &'static str,
    /// Only queries: by GET nothing else may be asked.
    pub is_get: bool,
    /// Tell the cost, run nothing.
    pub cost_only: bool,
    /// Tell how the answer came about.
    pub debug: bool,
    /// The documents that are trusted, as they were when it asked.
    pub trusted: Option<Arc<List>>,
    /// How an answer may be packed.
    pub content_encoding: Option<ContentEncoding>,
}

impl RequestContext {
    /// The number of the list of trusted documents that it asked under.
    pub fn list(&self) -> u64 {
        self.trusted.as_ref().map_or(0, |list| list.number)
    }

    /// Somebody who is known, with what the request's headers ask for.
    pub fn new(
        gateway: &Gateway,
        who: Identity,
        headers: &HeaderMap,
        address: IpAddr,
        id: RequestId,
        transport: &'static str,
        is_get: bool,
    ) -> Result<Self, Rejection> {
        let Identity {
            principal,
            access_class,
        } = who;
        let asks = |name: HeaderName| headers.get(&name).is_some_and(|value| value != "false");
        let (cost_only, debug) = (asks(COST_ONLY), asks(DEBUG));
        if debug && !principal.debug {
            return Err(auth::forbidden(
                "Who you are may not see how answers come about (debug = true for the caller or its role).",
            ));
        }
        let passed = auth::passed(&gateway.estate, &gateway.authenticator, headers);
        let trusted = gateway.trusted.as_ref().map(|trusted| trusted.list());
        Ok(Self {
            principal,
            access_class,
            passed,
            address,
            id,
            trace_id: trace_context::trace_id(headers),
            transport,
            is_get,
            cost_only,
            debug,
            trusted,
            content_encoding: ContentEncoding::taken(headers),
        })
    }
}

/// A request that is not run.
#[derive(Debug)]
pub(super) struct Rejection {
    /// For `application/graphql-response+json`, and for both where the request could not even be
    /// read.
    pub status: StatusCode,
    /// Whether it could be read, so that `application/json` callers get 200.
    pub is_graphql: bool,
    pub code: &'static str,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Rejection {
    pub fn unreadable(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            is_graphql: false,
            code: code::BAD_USER_INPUT,
            message: message.into(),
            retry_after: None,
        }
    }

    pub fn graphql(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            is_graphql: true,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A question of a kind that this method does not carry.
    pub fn wrong_method(message: &str) -> Self {
        Self::unreadable(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// Not now: try again after that wait.
    pub fn later(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        wait: Duration,
    ) -> Self {
        Self {
            status,
            is_graphql: false,
            code,
            message: message.into(),
            retry_after: Some(wait),
        }
    }

    /// As a member of `errors`.
    pub fn error(&self, id: &RequestId) -> Value {
        let message: String = self.message.chars().take(512).collect();
        let mut extensions = json!({"code": self.code, "retryable": self.retry_after.is_some(), "requestId": &*id.0});
        if let (Some(wait), Some(extensions)) = (self.retry_after, extensions.as_object_mut()) {
            extensions.insert(
                "retryAfterSeconds".to_owned(),
                json!(wait.as_secs_f64().ceil().max(1.0) as u64),
            );
        }
        json!({"message": message, "extensions": extensions})
    }
}

impl From<query_limits::Refusal> for Rejection {
    fn from(refusal: query_limits::Refusal) -> Self {
        Rejection::graphql(refusal.code, refusal.message)
    }
}

/// What is asked, as it came.
pub(super) struct RawRequest<F> {
    /// Its very bytes.
    pub bytes: Bytes,
    /// Reads them.
    pub read: F,
}
