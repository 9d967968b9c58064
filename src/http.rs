//! Our door: routes, limits, who the caller is, what a person sees in a browser, health and metrics.

mod answers;
mod auth;
mod documents;
mod execute;
mod explorer;
mod extensions;
mod graphql;
mod guard;
mod health;
mod negotiate;
mod patience;
mod rates;
mod serve;
mod socket;
mod tls;

pub use auth::principal;
pub use explorer::HAS_GRAPHIQL;
pub use serve::serve;

use self::{
    answers::Answers,
    auth::{Doorkeeper, Peer, Shown},
    documents::Documents,
    execute::Rejection,
    rates::Rates,
};
use crate::{
    config::{Config, Limits, Server},
    estate::{Estate, Principal},
    graph::Schema,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, cors::CorsLayer};
use uuid::Uuid;

/// What every request needs.
#[derive(Clone)]
pub struct Gateway {
    schema: Schema,
    documents: Arc<Documents>,
    answers: Arc<Answers>,
    estate: Arc<Estate>,
    server: Arc<Server>,
    limits: Arc<Limits>,
    doorkeeper: Arc<Doorkeeper>,
    rates: Arc<Rates>,
    /// A permit for each request that may be under way.
    room: Arc<Semaphore>,
    sockets: socket::Sockets,
    counters: Arc<Counters>,
    /// Set once every list was read, where that was asked for.
    is_warm: Arc<AtomicBool>,
    /// Set once a stop was asked for: load balancers should look elsewhere, sockets should close.
    draining: watch::Sender<bool>,
}

/// What `/metrics` counts.
#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    requests_with_errors: AtomicU64,
    upstream_requests: AtomicU64,
    refused_sign_ins: AtomicU64,
    answers_given_again: AtomicU64,
}

impl Gateway {
    /// A gateway over what is known of the upstreams. Fails where an identity provider can't be used.
    pub fn new(schema: Schema, estate: Arc<Estate>, config: &Config) -> Result<Self, String> {
        Ok(Self {
            schema,
            documents: Arc::new(Documents::new()?),
            answers: Arc::new(Answers::new(config.limits.kept_answers_bytes)),
            estate,
            server: Arc::new(config.server.clone()),
            limits: Arc::new(config.limits.clone()),
            doorkeeper: Arc::new(Doorkeeper::new(config)?),
            rates: Arc::new(Rates::new(&config.limits)),
            room: Arc::new(Semaphore::new(config.limits.concurrent_requests)),
            sockets: socket::Sockets::default(),
            counters: Arc::default(),
            is_warm: Arc::new(AtomicBool::new(!config.server.warm)),
            draining: watch::Sender::new(false),
        })
    }

    /// Every list was read: there is nothing more to wait for.
    pub fn is_warm(&self) {
        self.is_warm.store(true, Ordering::Relaxed);
    }

    /// Who asks, by what a request's headers show. Wrong keys are counted, by the address that they come from.
    async fn identify(&self, headers: &HeaderMap, peer: &Peer, id: &RequestId) -> Result<Arc<Principal>, Rejection> {
        self.rates.take_address(peer.address)?;
        let is_for_upstream = !self.estate.of_callers().is_empty();
        let outcome = self.doorkeeper.identify(&Shown::in_headers(headers), peer, is_for_upstream).await;
        if let Err(rejection) = &outcome {
            self.counters.refused_sign_ins.fetch_add(1, Ordering::Relaxed);
            tracing::info!(
                target: "veeam_graph::audit",
                request_id = %id.0,
                address = %peer.address,
                outcome = rejection.code,
                reason = rejection.message,
                "a caller was refused"
            );
            self.rates.take_failed_sign_in(peer.address)?;
        }
        outcome
    }

    fn router(self) -> Router {
        let origins: Vec<HeaderValue> = self.server.origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        let cors = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                header::CONTENT_TYPE,
                header::AUTHORIZATION,
                header::ACCEPT,
                HeaderName::from_static("x-api-key"),
                HeaderName::from_static("x-cost-only"),
                HeaderName::from_static("x-debug"),
                REQUEST_ID,
            ])
            .expose_headers([REQUEST_ID, header::RETRY_AFTER])
            .max_age(Duration::from_secs(3_600));
        let graphql = Router::new()
            .route("/graphql", get(graphql::get).post(graphql::post).fallback(graphql::wrong_method))
            .layer(cors)
            .layer(middleware::from_fn_with_state(self.clone(), refuse_strange_pages));
        Router::new()
            .merge(graphql)
            .route("/", get(async || Redirect::temporary("graphiql")))
            .route("/graphiql", get(explorer::page))
            .route("/graphiql/{*file}", get(explorer::file))
            .route("/favicon.ico", get(explorer::icon))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .fallback(async || plain(StatusCode::NOT_FOUND, "There is nothing here. GraphQL is at /graphql, GraphiQL at /graphiql.\n"))
            .layer(CompressionLayer::new())
            .layer(CatchPanicLayer::custom(|_| graphql::internal_error()))
            .layer(middleware::from_fn_with_state(self.clone(), name_request))
            .with_state(self)
    }
}

/// The id of one request, for the log and for errors.
#[derive(Clone, Debug)]
struct RequestId(Arc<str>);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id (the caller's, if it is plain) and every answer the headers that browsers should heed; and
/// finds out whose address it is behind proxies that are trusted.
async fn name_request(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let is_plain =
        |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain).map(Arc::from);
    let id: Arc<str> = given.unwrap_or_else(|| Uuid::new_v4().to_string().into());
    request.extensions_mut().insert(RequestId(id.clone()));
    let forwarded = forwarded_for(&request);
    if let (Some(peer), Some(address)) = (request.extensions_mut().get_mut::<Peer>(), forwarded)
        && gateway.server.trusted_proxies.contains(&peer.address)
    {
        peer.address = address;
    }
    // which of two hosts is meant is answered differently by whoever stands in front: none is answered
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let mut response = match request.version() {
        Version::HTTP_11 | Version::HTTP_10 if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) => {
            plain(StatusCode::BAD_REQUEST, "There must be one Host header.\n")
        }
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(&*id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The last address that a proxy wrote.
fn forwarded_for(request: &Request) -> Option<IpAddr> {
    let value = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next()?.trim().parse().ok()
}

/// A page of another origin can make a browser send a GET, or open a WebSocket, without being asked first. Browsers say
/// so: such requests do nothing, unless the page's origin is listed.
async fn refuse_strange_pages(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if request.method() != Method::OPTIONS && is_strange(&gateway.server.origins, &request) {
        return plain(StatusCode::FORBIDDEN, "Pages of this origin may not ask here (server.origins).\n");
    }
    next.run(request).await
}

fn is_strange(origins: &[String], request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_listed = |origin: &str| origins.iter().any(|listed| listed == origin);
    let is_ours = |origin: &str| {
        let host = text("host").or_else(|| request.uri().authority().map(|authority| authority.as_str()));
        origin.split_once("://").is_some_and(|(_, of_page)| host.is_some_and(|host| host.eq_ignore_ascii_case(of_page)))
    };
    let is_navigation = text("sec-fetch-mode") == Some("navigate") && text("sec-fetch-dest") == Some("document");
    match (text("origin"), text("sec-fetch-site")) {
        // the browser knows best; it says nothing of the origin where a page asks for a picture, say
        (origin, Some("cross-site" | "same-site")) => !origin.is_some_and(is_listed) && !is_navigation,
        (_, Some(_)) => false,
        (Some(origin), None) if socket::is_asked_for(request.headers()) => !is_listed(origin) && !is_ours(origin),
        _ => false,
    }
}

/// Text that is never a page.
fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.into()).into_response()
}
