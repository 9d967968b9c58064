//! `/health/live`, `/health/ready` and `/metrics`.

use super::{
    Gateway, Reloaded, RequestId, auth::Peer, graphql, headers::Headers, idle_timeout::Stage,
    negotiate::MediaType, plain,
};
use crate::{
    estate::{Grant, State as Condition},
    supervise::panics,
};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

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
    let may_know = gateway.authenticator.takes_anybody()
        && gateway.is_asked_by_name(&uri, Headers::new(&headers));
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

/// Counters and gauges, in the text form that Prometheus reads.
pub(super) async fn metrics(
    State(gateway): State<Gateway>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    match gateway.identify(Headers::new(&headers), &peer, &id).await {
        Ok(who) if who.principal.grants.contains(&Grant::default()) => {}
        Ok(_) => {
            return plain(
                StatusCode::FORBIDDEN,
                "Metrics are for those who may see everything.\n",
            );
        }
        Err(rejection) => return graphql::reject(MediaType::Json, &id, &rejection),
    }
    let counters = &gateway.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let given_again = gateway
        .render_cache
        .as_ref()
        .map(|render_cache| render_cache.given_again())
        .unwrap_or_default();
    let mut text = String::new();
    for (name, help, value) in [
        (
            "requests_total",
            "GraphQL requests.",
            count(&counters.requests),
        ),
        (
            "requests_with_errors_total",
            "GraphQL requests whose answer has errors.",
            count(&counters.requests_with_errors),
        ),
        (
            "answers_given_again_total",
            "GraphQL requests answered with an answer that was made before.",
            count(&counters.answers_given_again),
        ),
        (
            "rows_given_again_total",
            "Rows that were given out as they were written before.",
            given_again.rows,
        ),
        (
            "query_fields_given_again_total",
            "Fields of queries that were given out as they were written before.",
            given_again.query_fields,
        ),
        (
            "refused_sign_ins_total",
            "Requests without a key or token that is known.",
            count(&counters.refused_sign_ins),
        ),
        (
            "task_panics_total",
            "Panics of long-lived tasks, which then went on.",
            panics(),
        ),
        (
            "upstream_requests_total",
            "Requests sent to upstreams for GraphQL requests.",
            count(&counters.upstream_requests),
        ),
    ] {
        let _ = writeln!(
            text,
            "# HELP veeam_graph_{name} {help}\n# TYPE veeam_graph_{name} counter\nveeam_graph_{name} {value}"
        );
    }
    text.push_str(concat!(
        "# HELP veeam_graph_config_reloads_total Times that the configuration was read again.\n",
        "# TYPE veeam_graph_config_reloads_total counter\n"
    ));
    for (result, counter) in Reloaded::NAMES.iter().zip(&counters.reloads) {
        let _ = writeln!(
            text,
            "veeam_graph_config_reloads_total{{result=\"{result}\"}} {}",
            count(counter)
        );
    }
    let _ = writeln!(
        text,
        "# HELP veeam_graph_config_reload_failed Whether the configuration was wrong when it was last read.\n# TYPE veeam_graph_config_reload_failed gauge\nveeam_graph_config_reload_failed {}",
        u8::from(counters.is_reload_rejected.load(Ordering::Relaxed))
    );
    text.push_str(
        "# HELP veeam_graph_upstream_up Whether the upstream answered when it was last asked.\n# TYPE veeam_graph_upstream_up gauge\n",
    );
    for status in gateway.estate.statuses() {
        let up = u8::from(status.seen().state == Condition::Up);
        let _ = writeln!(
            text,
            "veeam_graph_upstream_up{{upstream=\"{}\"}} {up}",
            status.name
        );
    }
    text.push_str(concat!(
        "# HELP veeam_graph_upstream_sent_total Requests sent, for whatever reason: also to sign in, to probe, to keep lists fresh.\n",
        "# TYPE veeam_graph_upstream_sent_total counter\n"
    ));
    for (status, sent) in gateway.estate.sent() {
        let _ = writeln!(
            text,
            "veeam_graph_upstream_sent_total{{upstream=\"{}\"}} {sent}",
            status.name
        );
    }
    text.push_str(concat!(
        "# HELP veeam_graph_upstream_circuit_open Whether reads fail at once because the last ones failed.\n",
        "# TYPE veeam_graph_upstream_circuit_open gauge\n"
    ));
    for (status, is_broken) in gateway.estate.broken() {
        let _ = writeln!(
            text,
            "veeam_graph_upstream_circuit_open{{upstream=\"{}\"}} {}",
            status.name,
            u8::from(is_broken)
        );
    }
    (
        StatusCode::OK,
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
