//! Our door: routes, limits, who the caller is, what a person sees in a browser, health and metrics.

mod explorer;
mod graphql;
mod guard;
mod health;
mod negotiate;

pub use explorer::HAS_GRAPHIQL;

use crate::{
    estate::{Estate, Principal},
    graph::Schema,
};
use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};
use uuid::Uuid;

/// A client that has not sent its headers by then never will.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What every request needs.
#[derive(Clone)]
pub struct Gateway {
    schema: Schema,
    estate: Arc<Estate>,
    principal: Arc<Principal>,
    counters: Arc<Counters>,
}

/// What `/metrics` counts.
#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    requests_with_errors: AtomicU64,
    upstream_requests: AtomicU64,
    /// Set once a stop was asked for: load balancers should look elsewhere.
    draining: AtomicBool,
}

impl Gateway {
    /// A gateway over what is known of the upstreams.
    pub fn new(schema: Schema, estate: Arc<Estate>) -> Self {
        Self { schema, estate, principal: Arc::new(Principal::everything("anonymous")), counters: Arc::default() }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/graphql", get(graphql::get).post(graphql::post).fallback(graphql::wrong_method))
            .route("/", get(async || Redirect::temporary("graphiql")))
            .route("/graphiql", get(explorer::page))
            .route("/graphiql/{*file}", get(explorer::file))
            .route("/favicon.ico", get(explorer::icon))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .fallback(async || (StatusCode::NOT_FOUND, "There is nothing here. GraphQL is at /graphql, GraphiQL at /graphiql.\n"))
            .layer(CompressionLayer::new())
            .layer(CatchPanicLayer::custom(|_| graphql::internal_error()))
            .layer(middleware::from_fn(name_request))
            .with_state(self)
    }
}

/// The id of one request, for the log and for errors.
#[derive(Clone, Debug)]
struct RequestId(Arc<str>);

/// Gives every request an id (the caller's, if it is plain) and every answer the headers that browsers should heed.
async fn name_request(mut request: Request, next: Next) -> Response {
    const NAME: HeaderName = HeaderName::from_static("x-request-id");
    let is_plain =
        |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let given = request.headers().get(&NAME).and_then(|value| value.to_str().ok()).filter(is_plain).map(Arc::from);
    let id: Arc<str> = given.unwrap_or_else(|| Uuid::new_v4().to_string().into());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(&*id) {
        headers.insert(NAME, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Serves until `shutdown` ends; then takes no more connections and lets open requests go on for `drain`.
pub async fn serve(listener: TcpListener, gateway: Gateway, shutdown: impl Future<Output = ()>, drain: Duration) {
    let counters = gateway.counters.clone();
    let router = gateway.router();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(200);
    let open = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = &mut shutdown => break,
        };
        let stream = match connection {
            Ok((stream, _)) => stream,
            Err(error) => {
                // too many open files, say: wait for some to close instead of spinning
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // answers are written whole: waiting for more would only delay them
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| router.clone().oneshot(request));
        let connection = open.watch(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
    counters.draining.store(true, std::sync::atomic::Ordering::Relaxed);
    drop(listener);
    tracing::info!(drain_seconds = drain.as_secs(), "stopping: open requests may finish");
    if tokio::time::timeout(drain, open.shutdown()).await.is_err() {
        tracing::warn!("open requests were cut off");
    }
}

/// Text that is never a page.
fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}
