//! The way in: every request comes through here, whatever it asks for, and gets its id, its checks
//! and its headers.
//!
//! Questions by POST are nearly all that a gateway is asked; they go to their answer without being
//! routed.

use super::{
    Gateway, REQUEST_ID, RequestId,
    auth::{Peer, forbidden},
    compression,
    connection_activity::UnderWay,
    cors, explorer,
    graphql::{self, RequestBody},
    headers::Headers,
    health, hosts, metrics,
    negotiate::MediaType,
    plain, schema, unread_responses, websocket,
};
use crate::graph::error::code;
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    response::{Redirect, Response},
    routing::get,
};
use futures_util::FutureExt;
use hyper::body::Body as _;
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{
    compression::{Compression, DefaultPredicate, Predicate, predicate::SizeAbove},
    cors::CorsLayer,
};
use uuid::Uuid;

const GRAPHQL: &str = "/graphql";
/// The same as some proxies write it.
const GRAPHQL_SLASH: &str = "/graphql/";
const SCHEMA: &str = "/schema.graphql";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The way into a gateway.
#[derive(Clone)]
pub struct HttpService(Arc<Parts>);

struct Parts {
    gateway: Gateway,
    /// For everything but questions by POST.
    router: Router,
    /// What pages of listed origins may do, if any are.
    cors: Option<CorsLayer>,
}

impl HttpService {
    /// The way into a gateway.
    pub fn new(gateway: Gateway) -> Self {
        let cors = (!gateway.server.origins.is_empty()).then(|| cors::layer(&gateway));
        Self(Arc::new(Parts {
            router: router(gateway.clone()),
            cors,
            gateway,
        }))
    }

    /// What it leads to.
    pub(super) fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Answers a request that came over no connection, as if it had come from this machine.
    pub async fn answer_here(&self, request: Request) -> Response {
        self.answer(
            Peer {
                address: Ipv4Addr::LOCALHOST.into(),
                certificate: None,
            },
            request,
            None,
        )
        .await
    }

    /// Gives the request an id (the caller's, if it is plain) and the answer the headers that
    /// browsers should heed; finds out whose address it is behind proxies that are trusted.
    /// `under_way` ends once the answer was handed over.
    pub(super) async fn answer<B: RequestBody>(
        &self,
        mut peer: Peer,
        request: hyper::Request<B>,
        under_way: Option<UnderWay>,
    ) -> Response {
        let Parts { gateway, cors, .. } = &*self.0;
        let headers = Headers::new(request.headers());
        let is_plain = |text: &&str| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let id = RequestId(
            headers
                .text(&REQUEST_ID)
                .filter(is_plain)
                .map_or_else(next_id, Arc::from),
        );
        if gateway.server.trusted_proxies.contains(&peer.address) {
            peer.address = forwarded_for(&gateway.server.trusted_proxies, peer.address, headers);
        }
        let mut response =
            if let Some(refusal) = refusal(&gateway.server.origins, &request, headers) {
                refusal
            } else if let Some(refusal) = misnamed(gateway, &peer, &id, &request, headers) {
                refusal
            } else if is_question(&request) && cors.is_none() {
                let content_encoding = headers.get(&header::ACCEPT_ENCODING).cloned();
                let (parts, body) = request.into_parts();
                let response = caught(graphql::post(gateway, &peer, &id, &parts, body)).await;
                pack(content_encoding, send(gateway, &id, under_way, response)).await
            } else {
                // boxed: what is moved about for the others is small then
                Box::pin(self.route(peer, id.clone(), request.map(Body::new), under_way)).await
            };
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(&*id.0) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response
    }

    /// The answer to whatever else is asked, and to pages of other origins.
    async fn route(
        &self,
        peer: Peer,
        id: RequestId,
        mut request: Request,
        under_way: Option<UnderWay>,
    ) -> Response {
        if let Some(under_way) = &under_way {
            request
                .extensions_mut()
                .insert(under_way.activity().clone());
        }
        let content_encoding = request.headers().get(header::ACCEPT_ENCODING).cloned();
        let response = match &self.0.cors {
            Some(cors) if is_graphql(request.uri()) || request.uri().path() == SCHEMA => {
                let reach = service_fn(|request| {
                    self.reach(peer.clone(), id.clone(), request)
                        .map(Ok::<_, Infallible>)
                });
                cors.layer(reach)
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {})
            }
            _ => self.reach(peer, id.clone(), request).await,
        };
        pack(
            content_encoding,
            send(&self.0.gateway, &id, under_way, response),
        )
        .await
    }

    async fn reach(&self, peer: Peer, id: RequestId, mut request: Request) -> Response {
        if is_question(&request) {
            let (parts, body) = request.into_parts();
            return caught(graphql::post(&self.0.gateway, &peer, &id, &parts, body)).await;
        }
        request.extensions_mut().insert(id);
        request.extensions_mut().insert(peer);
        caught(
            self.0
                .router
                .clone()
                .oneshot(request)
                .map(|answer| answer.unwrap_or_else(|never| match never {})),
        )
        .await
    }
}

fn is_question<B>(request: &hyper::Request<B>) -> bool {
    request.method() == Method::POST && is_graphql(request.uri())
}

fn is_graphql(uri: &Uri) -> bool {
    matches!(uri.path(), GRAPHQL | GRAPHQL_SLASH)
}

/// A panic costs this request and no other.
fn caught(answer: impl Future<Output = Response>) -> impl Future<Output = Response> {
    AssertUnwindSafe(answer)
        .catch_unwind()
        .map(|answer| answer.unwrap_or_else(|_| graphql::internal_error()))
}

/// Hands an answer over, unless too much waits on its connection already.
fn send(
    gateway: &Gateway,
    id: &RequestId,
    under_way: Option<UnderWay>,
    response: Response,
) -> Response {
    let Some(under_way) = under_way else {
        return response;
    };
    let (parts, body) = response.into_parts();
    match unread_responses::leaving(body, &gateway.unread, under_way) {
        Some(body) => Response::from_parts(parts, body),
        None => graphql::reject(
            MediaType::GraphqlResponse,
            id,
            &unread_responses::too_much(),
        ),
    }
}

/// Compresses an answer for those who take that, if it is worth it.
async fn pack(content_encoding: Option<HeaderValue>, response: Response) -> Response {
    let is_small = response
        .body()
        .size_hint()
        .upper()
        .is_some_and(|bytes| bytes < compression::SMALLEST.into());
    let Some(content_encoding) = content_encoding
        .filter(|_| !is_small && !response.headers().contains_key(header::CONTENT_ENCODING))
    else {
        return response;
    };
    // the layer wants to be round what answers
    let mut request = Request::new(Body::empty());
    request
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, content_encoding);
    let mut response = Some(response);
    let answer = service_fn(|_: Request| {
        std::future::ready(Ok::<_, Infallible>(response.take().unwrap_or_default()))
    });
    let is_worth_it = DefaultPredicate::new().and(SizeAbove::new(compression::SMALLEST));
    match Box::pin(
        Compression::new(answer)
            .compress_when(is_worth_it)
            .oneshot(request),
    )
    .await
    {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// A request for a name that is not ours, where anybody may ask. Probes of an orchestrator name
/// whatever they like: health is told to all (`health::ready` keeps the upstreams' names from
/// them).
fn misnamed<B>(
    gateway: &Gateway,
    peer: &Peer,
    id: &RequestId,
    request: &hyper::Request<B>,
    headers: Headers<'_>,
) -> Option<Response> {
    let path = request.uri().path();
    let is_ours = gateway.is_asked_by_name(request.uri(), headers);
    if is_ours || matches!(path, "/health/live" | "/health/ready") {
        return None;
    }
    let named = headers
        .get(&header::HOST)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host: String = named
        .as_deref()
        .or(request.uri().host())
        .unwrap_or_default()
        .chars()
        .take(255)
        .collect();
    tracing::info!(
        target: "veeam_graph::audit",
        request_id = %id.0,
        address = %peer.address,
        host,
        outcome = code::FORBIDDEN,
        "a request was refused: it is for a host name that is not in server.hosts"
    );
    Some(if is_graphql(request.uri()) {
        graphql::reject(MediaType::Json, id, &forbidden(hosts::REFUSAL))
    } else {
        plain(StatusCode::FORBIDDEN, format!("{}\n", hosts::REFUSAL))
    })
}

/// A request that is not looked at any further.
fn refusal<B>(
    origins: &[String],
    request: &hyper::Request<B>,
    headers: Headers<'_>,
) -> Option<Response> {
    // which of two hosts is meant is answered differently by whoever stands in front: none is
    // answered
    let is_one = match request.version() {
        Version::HTTP_11 => headers.one(&header::HOST).is_some(),
        Version::HTTP_10 => headers.all(&header::HOST).count() <= 1,
        _ => true,
    };
    if !is_one {
        return Some(plain(
            StatusCode::BAD_REQUEST,
            "There must be one Host header.\n",
        ));
    }
    let is_asked = (is_graphql(request.uri()) || request.uri().path() == SCHEMA)
        && request.method() != Method::OPTIONS;
    let is_refused = is_asked && is_strange(origins, request.uri(), headers);
    is_refused.then(|| {
        plain(
            StatusCode::FORBIDDEN,
            "Pages of this origin may not ask here (server.origins).\n",
        )
    })
}

fn router(gateway: Gateway) -> Router {
    Router::new()
        .route(GRAPHQL, get(graphql::get).fallback(graphql::wrong_method))
        .route(
            GRAPHQL_SLASH,
            get(graphql::get).fallback(graphql::wrong_method),
        )
        .route(SCHEMA, get(schema::get))
        .route("/", get(async || Redirect::temporary("graphiql")))
        .route("/graphiql", get(explorer::page))
        // what the page names beside itself would be below that
        .route("/graphiql/", get(explorer::without_slash))
        .route("/graphiql/{*file}", get(explorer::file))
        .route("/favicon.ico", get(explorer::icon))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .fallback(async || {
            plain(
                StatusCode::NOT_FOUND,
                "There is nothing here. GraphQL is at /graphql, GraphiQL at /graphiql.\n",
            )
        })
        .with_state(gateway)
}

/// An id that no other request has, of this process or another. It is no secret: who knows one
/// could guess the next.
fn next_id() -> Arc<str> {
    static FIRST: LazyLock<u128> = LazyLock::new(|| Uuid::new_v4().as_u128());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = *FIRST ^ u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut text = Uuid::encode_buffer();
    Arc::from(&*Uuid::from_u128(number).hyphenated().encode_lower(&mut text))
}

/// Whoever is before the proxies that are trusted: each wrote the address that it was asked from at
/// the end. The first that is nobody's we trust is the one; before what can't be read nothing is
/// believed.
fn forwarded_for(trusted: &[IpAddr], proxy: IpAddr, headers: Headers<'_>) -> IpAddr {
    let values: Vec<_> = headers.all(&FORWARDED_FOR).collect();
    let addresses = values
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
        .map(address);
    let mut client = proxy;
    for address in addresses.map_while(|address| address) {
        client = address;
        if !trusted.contains(&client) {
            break;
        }
    }
    client
}

/// An address as proxies write it: some add the port, and brackets round one of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || {
        text.strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text)
            .parse()
            .ok()
    };
    let address: IpAddr = text
        .parse()
        .ok()
        .map(|address: SocketAddr| address.ip())
        .or_else(bare)?;
    Some(address.to_canonical())
}

/// A page of another origin can make a browser send a GET, or open a WebSocket, without being asked
/// first. Browsers say so: such requests do nothing, unless the page's origin is listed. What a
/// browser asks beforehand (OPTIONS) does nothing.
fn is_strange(origins: &[String], uri: &Uri, headers: Headers<'_>) -> bool {
    let is_listed = |origin: &str| origins.iter().any(|listed| listed == origin);
    let is_ours = |origin: &str| {
        let host = headers
            .text(&header::HOST)
            .or_else(|| uri.authority().map(|authority| authority.as_str()));
        origin
            .split_once("://")
            .is_some_and(|(_, of_page)| host.is_some_and(|host| host.eq_ignore_ascii_case(of_page)))
    };
    let is_navigation = || {
        headers.text(&FETCH_MODE) == Some("navigate")
            && headers.text(&FETCH_DEST) == Some("document")
    };
    match (headers.text(&header::ORIGIN), headers.text(&FETCH_SITE)) {
        // the browser knows best; it says nothing of the origin where a page asks for a picture,
        // say
        (origin, Some("cross-site" | "same-site")) => {
            !origin.is_some_and(is_listed) && !is_navigation()
        }
        (_, Some(_)) => false,
        (Some(origin), None) if websocket::is_asked_for(headers) => {
            !is_listed(origin) && !is_ours(origin)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing_of_it() {
        let answer =
            caught(async { std::panic::resume_unwind(Box::new("of this nobody hears")) }).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(answer.into_body(), 4_096)
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!body.to_string().contains("nobody hears"));
    }

    /// Every connection has room for one, and it is moved before it is begun.
    #[test]
    fn what_a_request_needs_while_it_is_answered_is_small() {
        fn size<'a, F: Future>(
            _: impl FnOnce(
                &'a HttpService,
                Peer,
                hyper::Request<hyper::body::Incoming>,
                Option<UnderWay>,
            ) -> F,
        ) -> usize {
            size_of::<F>()
        }
        let bytes = size(HttpService::answer::<hyper::body::Incoming>);
        assert!(bytes < 2_048, "{bytes}");
    }
}
