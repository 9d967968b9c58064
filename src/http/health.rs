//! `/health/live` and `/health/ready`.

use super::{Gateway, idle_timeout::Stage};
use crate::estate::State as Condition;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// The process answers.
pub(super) async fn live() -> Response {
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "application/json")],
        r#"{"status":"live"}"#,
    )
        .into_response()
}

/// Ready once every upstream has been reached or is known to be down, and every list was read if
/// that is wanted; `empty`, and not ready, where nothing was ever read of any: others have more to
/// answer with. An upstream that is down does not make the gateway unready: it would take away the
/// answers that the others give. The body says which is which.
pub(super) async fn ready(
    State(gateway): State<Gateway>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut is_reached = true;
    let is_empty = gateway
        .estate
        .statuses()
        .iter()
        .all(|status| status.seen().last_ok.is_none());
    let upstreams: Vec<Value> = gateway
        .estate
        .statuses()
        .iter()
        .map(|status| {
            let state = match status.seen().state {
                Condition::Unknown => {
                    is_reached = false;
                    "unknown"
                }
                Condition::Up => "up",
                Condition::Down(_) => "down",
            };
            json!({"name": &*status.name, "state": state})
        })
        .collect();
    // one that is added later is read from when it answers; the others are there all the while
    if is_reached {
        gateway.was_reached.store(true, Ordering::Relaxed);
    }
    let is_ready = *gateway.stage.borrow() == Stage::Serving
        && gateway.is_warm.load(Ordering::Relaxed)
        && gateway.was_reached.load(Ordering::Relaxed);
    let (code, word) = if is_ready && is_empty {
        (StatusCode::SERVICE_UNAVAILABLE, "empty")
    } else if is_ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    // what is read from is nobody's business who would have to say who they are, or comes by a
    // foreign name
    let may_know =
        gateway.authenticator.takes_anybody() && gateway.is_asked_by_name(&uri, &headers);
    let body = if may_know {
        json!({"status": word, "upstreams": upstreams})
    } else {
        json!({"status": word})
    };
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}
