//! Our door: routes, limits, who the caller is, what a person sees in a browser, health and metrics.

mod answers;
mod asking;
mod auth;
mod documents;
mod execute;
mod explorer;
mod extensions;
mod graphql;
mod guard;
mod health;
mod negotiate;
mod packed;
mod patience;
mod rates;
mod run;
mod serve;
mod socket;
mod tls;

pub use auth::principal;
pub use explorer::HAS_GRAPHIQL;
pub use serve::serve;

use self::{
    answers::Answers,
    asking::Rejection,
    auth::{Doorkeeper, Peer, Shown},
    documents::Documents,
    rates::Rates,
};
use crate::{
    config::{Config, Limits, Server},
    estate::{Estate, Principal, fragments::Fragments},
    graph::Schema,
};
use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    ops::Deref,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, cors::CorsLayer};
use uuid::Uuid;

/// What every request needs.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

impl Deref for Gateway {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a gateway is made of.
pub struct Parts {
    schema: Schema,
    documents: Documents,
    answers: Answers,
    fragments: Option<Arc<Fragments>>,
    estate: Arc<Estate>,
    server: Server,
    limits: Limits,
    doorkeeper: Doorkeeper,
    rates: Rates,
    /// A permit for each request that may be under way.
    room: Semaphore,
    sockets: socket::Sockets,
    counters: Counters,
    /// Set once every list was read, where that was asked for.
    is_warm: AtomicBool,
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
        Ok(Self(Arc::new(Parts {
            schema,
            documents: Documents::new()?,
            answers: Answers::new(config.limits.kept_answers_bytes),
            fragments: (config.limits.kept_rows_bytes > 0).then(|| Arc::new(Fragments::new(config.limits.kept_rows_bytes as u64))),
            estate,
            server: config.server.clone(),
            limits: config.limits.clone(),
            doorkeeper: Doorkeeper::new(config)?,
            rates: Rates::new(&config.limits),
            room: Semaphore::new(config.limits.concurrent_requests),
            sockets: socket::Sockets::default(),
            counters: Counters::default(),
            is_warm: AtomicBool::new(!config.server.warm),
            draining: watch::Sender::new(false),
        })))
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

    fn router(self, is_compressing: bool) -> Router {
        let mut graphql = Router::new().route("/graphql", get(graphql::get).post(graphql::post).fallback(graphql::wrong_method));
        if !self.server.origins.is_empty() {
            graphql = graphql.layer(self.cors());
        }
        let router = Router::new()
            .merge(graphql)
            .route("/", get(async || Redirect::temporary("graphiql")))
            .route("/graphiql", get(explorer::page))
            .route("/graphiql/{*file}", get(explorer::file))
            .route("/favicon.ico", get(explorer::icon))
            .route("/health/live", get(health::live))
            .route("/health/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .fallback(async || plain(StatusCode::NOT_FOUND, "There is nothing here. GraphQL is at /graphql, GraphiQL at /graphiql.\n"));
        let catch = CatchPanicLayer::custom(|_| graphql::internal_error());
        let router = if is_compressing { router.layer((catch, CompressionLayer::new())) } else { router.layer(catch) };
        router.with_state(self)
    }

    /// What pages of listed origins may do.
    fn cors(&self) -> CorsLayer {
        let origins: Vec<HeaderValue> = self.server.origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        CorsLayer::new()
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
            .max_age(Duration::from_secs(3_600))
    }
}

/// The way in: every request comes through here.
#[derive(Clone)]
pub struct Entrance {
    gateway: Gateway,
    plain: Router,
    /// For those who say that they take compressed answers.
    compressing: Router,
}

impl Entrance {
    /// The way into a gateway.
    pub fn new(gateway: Gateway) -> Self {
        Self { plain: gateway.clone().router(false), compressing: gateway.clone().router(true), gateway }
    }

    /// Answers a request that came over no connection, as if it had come from this machine.
    pub async fn answer_here(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(Peer { address: Ipv4Addr::LOCALHOST.into(), certificate: None });
        self.clone().answer(request).await
    }

    /// Gives the request an id (the caller's, if it is plain) and the answer the headers that browsers should heed; finds
    /// out whose address it is behind proxies that are trusted.
    async fn answer(self, mut request: Request) -> Response {
        let is_plain =
            |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain).map(Arc::from);
        let id: Arc<str> = given.unwrap_or_else(next_id);
        request.extensions_mut().insert(RequestId(id.clone()));
        let forwarded = forwarded_for(&request);
        if let (Some(peer), Some(address)) = (request.extensions_mut().get_mut::<Peer>(), forwarded)
            && self.gateway.server.trusted_proxies.contains(&peer.address)
        {
            peer.address = address;
        }
        // which of two hosts is meant is answered differently by whoever stands in front: none is answered
        let hosts = request.headers().get_all(header::HOST).iter().count();
        let router = if request.headers().contains_key(header::ACCEPT_ENCODING) { self.compressing } else { self.plain };
        let mut response = match request.version() {
            Version::HTTP_11 | Version::HTTP_10 if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) => {
                plain(StatusCode::BAD_REQUEST, "There must be one Host header.\n")
            }
            _ if is_strange(&self.gateway.server.origins, &request) => {
                plain(StatusCode::FORBIDDEN, "Pages of this origin may not ask here (server.origins).\n")
            }
            _ => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
        };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(&*id) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// The id of one request, for the log and for errors.
#[derive(Clone, Debug)]
struct RequestId(Arc<str>);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An id that no other request has, of this process or another. It is no secret: who knows one could guess the next.
fn next_id() -> Arc<str> {
    static FIRST: LazyLock<u128> = LazyLock::new(|| Uuid::new_v4().as_u128());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = *FIRST ^ u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut text = Uuid::encode_buffer();
    Arc::from(&*Uuid::from_u128(number).hyphenated().encode_lower(&mut text))
}

/// The last address that a proxy wrote.
fn forwarded_for(request: &Request) -> Option<IpAddr> {
    let value = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next()?.trim().parse().ok()
}

/// A page of another origin can make a browser send a GET, or open a WebSocket, without being asked first. Browsers say
/// so: such requests do nothing, unless the page's origin is listed. What a browser asks beforehand (OPTIONS) does nothing.
fn is_strange(origins: &[String], request: &Request) -> bool {
    if request.uri().path() != "/graphql" || request.method() == Method::OPTIONS {
        return false;
    }
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
