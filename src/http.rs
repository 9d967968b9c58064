//! Our door: routes, limits, who the caller is, what a person sees in a browser, health and
//! metrics.

mod auth;
mod batch;
mod cache_control;
mod compression;
mod connection_activity;
mod cors;
mod counters;
mod documents;
mod explorer;
mod extensions;
mod fair_shares;
mod graphql;
mod headers;
mod health;
mod hosts;
mod idle_timeout;
mod metrics;
mod negotiate;
mod persisted;
mod pipeline;
mod process_stats;
mod query_limits;
mod rates;
mod reload;
mod request;
mod response_cache;
mod schema;
mod serve;
mod service;
mod syntax;
mod tls;
mod trace_context;
mod trusted;
mod unread_responses;
mod websocket;
mod write_timeout;

pub use self::{
    metrics::serve_metrics,
    reload::{Live, Reloaded},
    service::HttpService,
};
pub use auth::principal;
pub use explorer::WHY_NO_GRAPHIQL;
pub use serve::{listen, serve};

use self::{
    auth::{Authenticator, Credential, Identity, Peer},
    counters::Counters,
    documents::Documents,
    hosts::Hosts,
    idle_timeout::Stage,
    persisted::Persisted,
    rates::Rates,
    request::{Rejection, RequestContext},
    response_cache::ResponseCache,
    serve::MOST_CONNECTIONS,
    trusted::Trusted,
    unread_responses::Unread,
};
use crate::{
    config::{Config, Limits, Server},
    estate::{Estate, Standing, render_cache::RenderCache},
    graph::Schema,
};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Semaphore, watch};

/// The part of the room for documents that is for those that clients name by their hash.
const PERSISTED_PART: u64 = 8;

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
    persisted: Arc<Persisted>,
    trusted: Option<Arc<Trusted>>,
    response_cache: ResponseCache,
    render_cache: Option<Arc<RenderCache>>,
    estate: Arc<Estate>,
    server: Server,
    limits: Limits,
    authenticator: Authenticator,
    /// The headers that callers' own credentials for upstreams come in.
    of_upstreams: Vec<HeaderName>,
    /// What answers that may be used again depend on, for `Vary`.
    differs_by: HeaderValue,
    /// The names that it may be asked under, where anybody may.
    hosts: Option<Hosts>,
    rates: Arc<Rates>,
    /// A permit for each request that may be under way.
    room: Arc<Semaphore>,
    /// A permit for each connection.
    connections: Arc<Semaphore>,
    sockets: websocket::Sockets,
    counters: Arc<Counters>,
    /// Set once every list was read, where that was asked for.
    is_warm: Arc<AtomicBool>,
    /// Set once every upstream answered, or is known to be down.
    was_reached: Arc<AtomicBool>,
    /// Moves on once a stop was asked for.
    stage: Arc<watch::Sender<Stage>>,
    /// Answers on their way.
    unread: Arc<Unread>,
}

impl Gateway {
    /// A gateway over what is known of the upstreams. Fails where an identity provider can't be
    /// used.
    pub fn new(schema: Schema, estate: Arc<Estate>, config: &Config) -> Result<Self, String> {
        Self::assemble(schema, estate, config, None)
    }

    /// A gateway that takes over from another what is not of its configuration.
    fn assemble(
        schema: Schema,
        estate: Arc<Estate>,
        config: &Config,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let limits = &config.limits;
        let documents_memory = limits.documents_memory();
        let of_upstreams = auth::headers_for(&estate);
        let persisted =
            before.filter(|before| before.limits.documents_memory() == documents_memory);
        let room =
            before.filter(|before| before.limits.concurrent_requests == limits.concurrent_requests);
        let rates = before.filter(|before| reload::same_rates(&before.limits, limits));
        let unread = before.filter(|before| reload::same_unread(&before.limits, limits));
        let trusted = before
            .and_then(|before| before.trusted.clone())
            .filter(|trusted| trusted.are_of(&config.operations));
        let given_again = before.and_then(|before| before.render_cache.as_deref());
        Ok(Self(Arc::new(Parts {
            documents: Documents::new(
                documents_memory - documents_memory / PERSISTED_PART,
                &schema,
            )?,
            schema,
            persisted: persisted.map_or_else(
                || Arc::new(Persisted::new(documents_memory / PERSISTED_PART)),
                |before| before.persisted.clone(),
            ),
            trusted: match trusted {
                Some(trusted) => Some(trusted),
                None => Trusted::new(&config.operations)?,
            },
            response_cache: ResponseCache::new(limits.kept_answers_bytes),
            render_cache: (limits.kept_rows_bytes > 0).then(|| {
                Arc::new(RenderCache::after(
                    given_again,
                    limits.kept_rows_bytes as u64,
                ))
            }),
            differs_by: differs_by(&of_upstreams),
            of_upstreams,
            estate,
            server: config.server.clone(),
            limits: config.limits.clone(),
            authenticator: Authenticator::new(config, before.map(|before| &before.authenticator))?,
            hosts: Hosts::new(config),
            rates: rates.map_or_else(
                || Arc::new(Rates::new(limits)),
                |before| before.rates.clone(),
            ),
            room: room.map_or_else(
                || Arc::new(Semaphore::new(limits.concurrent_requests)),
                |before| before.room.clone(),
            ),
            unread: unread.map_or_else(
                || Unread::new(limits.unread_bytes, limits.unread_bytes_per_connection),
                |before| before.unread.clone(),
            ),
            connections: before.map_or_else(
                || Arc::new(Semaphore::new(MOST_CONNECTIONS as usize)),
                |before| before.connections.clone(),
            ),
            sockets: before
                .map(|before| before.sockets.clone())
                .unwrap_or_default(),
            counters: before
                .map(|before| before.counters.clone())
                .unwrap_or_default(),
            is_warm: before.map_or_else(
                || Arc::new(AtomicBool::new(!config.server.warm)),
                |before| before.is_warm.clone(),
            ),
            was_reached: before
                .map(|before| before.was_reached.clone())
                .unwrap_or_default(),
            stage: before.map_or_else(
                || Arc::new(watch::Sender::new(Stage::Serving)),
                |before| before.stage.clone(),
            ),
        })))
    }

    /// Every list was read: there is nothing more to wait for.
    pub fn is_warm(&self) {
        self.is_warm.store(true, Ordering::Relaxed);
    }

    /// Whether a request is for a name of ours; any is where nobody may ask who is not known.
    fn is_asked_by_name(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        self.hosts
            .as_ref()
            .is_none_or(|hosts| hosts.are_named(uri, headers))
    }

    /// Who asks, by what a request's headers show. Wrong keys are counted, by the address that they
    /// come from.
    async fn identify(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        id: &RequestId,
    ) -> Result<Identity, Rejection> {
        self.rates.take_address(peer.address)?;
        let is_for_upstream = !self.estate.of_callers().is_empty();
        let outcome = self
            .authenticator
            .identify(&Credential::in_headers(headers), peer, is_for_upstream)
            .await;
        if let Err(rejection) = &outcome {
            self.counters
                .refused_sign_ins
                .fetch_add(1, Ordering::Relaxed);
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

    /// Whether somebody may try credentials for upstreams: not from where too many were refused.
    fn may_bring(&self, context: &RequestContext) -> Result<(), Rejection> {
        match self.estate.standing(&context.passed) {
            Standing::Good => Ok(()),
            Standing::Untried | Standing::Refused => self.rates.may_sign_in(context.address),
        }
    }

    /// Counts a question with credentials that an upstream refused, as a wrong key is counted.
    fn note_refused(&self, context: &RequestContext) {
        if self.estate.standing(&context.passed) == Standing::Refused {
            self.counters
                .refused_sign_ins
                .fetch_add(1, Ordering::Relaxed);
            // that there were too many is told to the next one
            let _ = self.rates.take_failed_sign_in(context.address);
        }
    }
}

/// The id of one request, for the log and for errors.
#[derive(Clone, Debug)]
struct RequestId(Arc<str>);

impl From<&tower_http::request_id::RequestId> for RequestId {
    fn from(id: &tower_http::request_id::RequestId) -> Self {
        Self(id.header_value().to_str().unwrap_or_default().into())
    }
}

/// Names a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A key, as it is shown.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Set to anything but `false`, it asks for the cost of a query that is then not run.
const COST_ONLY: HeaderName = HeaderName::from_static("x-cost-only");
/// Set to anything but `false`, it asks how the answer came about.
const DEBUG: HeaderName = HeaderName::from_static("x-debug");

/// What the answer to an address depends on beside it.
fn differs_by(of_upstreams: &[HeaderName]) -> HeaderValue {
    let ours = [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        API_KEY,
        COST_ONLY,
        DEBUG,
    ];
    let names: Vec<&str> = ours
        .iter()
        .chain(of_upstreams)
        .map(HeaderName::as_str)
        .collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("*"))
}

/// Text that is never a page.
fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text.into(),
    )
        .into_response()
}
