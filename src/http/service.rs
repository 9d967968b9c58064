//! The router, and the layers that every request passes whatever it asks for.
//!
//! From the outside in: request id, security headers, panics, compression, then the checks of where
//! a request comes from and whom it is for, and the bound on answers that wait to be read.

use super::{
    Gateway, REQUEST_ID, RequestId,
    auth::{Peer, forbidden},
    compression,
    connection_activity::UnderWay,
    cors, explorer, graphql,
    headers::HeaderMapExt,
    health, hosts, metrics,
    negotiate::MediaType,
    plain, schema, unread_responses, websocket,
};
use crate::graph::error::code;
use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::{Next, from_fn_with_state},
    response::{Redirect, Response},
    routing::{get, post},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::SizeAbove},
    request_id::{self, MakeRequestId, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
};
use uuid::Uuid;

const GRAPHQL: &str = "/graphql";
/// The same path as some proxies write it.
const GRAPHQL_SLASH: &str = "/graphql/";
const SCHEMA: &str = "/schema.graphql";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// A gateway and the router over it.
#[derive(Clone)]
pub struct HttpService {
    gateway: Gateway,
    router: Router,
}

impl HttpService {
    /// Everything that a gateway serves. A request says in its extensions which `Peer` sent it; one
    /// that does not came from this process.
    pub fn new(gateway: Gateway) -> Self {
        Self {
            router: router(gateway.clone()),
            gateway,
        }
    }

    /// The gateway that answers.
    pub(super) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The router, to be called with requests.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

fn router(gateway: Gateway) -> Router {
    let layers = ServiceBuilder::new()
        .map_request(without_odd_request_id)
        .layer(SetRequestIdLayer::new(REQUEST_ID, NextRequestId))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(|_| graphql::internal_error()))
        .layer(
            CompressionLayer::new()
                .compress_when(DefaultPredicate::new().and(SizeAbove::new(compression::SMALLEST))),
        )
        .layer(from_fn_with_state(gateway.clone(), guard));
    let graphql = || {
        post(graphql::post)
            .get(graphql::get)
            .fallback(graphql::wrong_method)
    };
    let mut of_other_origins = Router::new()
        .route(GRAPHQL, graphql())
        .route(GRAPHQL_SLASH, graphql())
        .route(SCHEMA, get(schema::get));
    if !gateway.server.origins.is_empty() {
        of_other_origins = of_other_origins.route_layer(cors::layer(&gateway));
    }
    Router::new()
        .route("/", get(async || Redirect::temporary("graphiql")))
        .route("/graphiql", get(explorer::page))
        // a relative link on the page would lead below this path
        .route("/graphiql/", get(explorer::without_slash))
        .route("/graphiql/{*file}", get(explorer::file))
        .route("/favicon.ico", get(explorer::icon))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .merge(of_other_origins)
        .fallback(async || {
            plain(
                StatusCode::NOT_FOUND,
                "There is nothing here. GraphQL is at /graphql, GraphiQL at /graphiql.\n",
            )
        })
        .layer(layers)
        .with_state(gateway)
}

fn is_graphql(uri: &Uri) -> bool {
    matches!(uri.path(), GRAPHQL | GRAPHQL_SLASH)
}

/// Takes away a request id that could not be written to a log as it is; it gets one of ours.
fn without_odd_request_id<B>(mut request: hyper::Request<B>) -> hyper::Request<B> {
    let is_plain = request.headers().text(&REQUEST_ID).is_some_and(|text| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    });
    if !is_plain {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// Finds out whose address a request comes from, refuses one for another host or from a page that
/// may not ask, and hands the answer over piece by piece, unless too much already waits to be read
/// on the connection.
async fn guard(
    State(gateway): State<Gateway>,
    Extension(id): Extension<request_id::RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::from(&id);
    let mut peer = request.extensions_mut().remove().unwrap_or(Peer {
        address: Ipv4Addr::LOCALHOST.into(),
        certificate: None,
    });
    let proxies = &gateway.server.trusted_proxies;
    if proxies.contains(&peer.address) {
        peer.address = forwarded_for(proxies, peer.address, request.headers());
    }
    let under_way = request.extensions_mut().remove::<Arc<UnderWay>>();
    let refused = refusal(&gateway.server.origins, &request)
        .or_else(|| misnamed(&gateway, &peer, &id, &request));
    let response = match refused {
        Some(refused) => refused,
        None => {
            let extensions = request.extensions_mut();
            extensions.insert(id.clone());
            extensions.insert(peer);
            if let Some(under_way) = &under_way {
                extensions.insert(under_way.activity().clone());
            }
            next.run(request).await
        }
    };
    let Some(under_way) = under_way else {
        return response;
    };
    let (parts, body) = response.into_parts();
    match unread_responses::leaving(body, &gateway.unread, under_way) {
        Some(body) => Response::from_parts(parts, body),
        None => graphql::reject(
            MediaType::GraphqlResponse,
            &id,
            &unread_responses::too_much(),
        ),
    }
}

/// An id that no other request has, of this process or another. It is no secret: who knows one
/// could guess the next.
#[derive(Clone, Copy)]
struct NextRequestId;

impl MakeRequestId for NextRequestId {
    fn make_request_id<B>(&mut self, _: &hyper::Request<B>) -> Option<request_id::RequestId> {
        static FIRST: LazyLock<u128> = LazyLock::new(|| Uuid::new_v4().as_u128());
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = *FIRST ^ u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
        let mut text = Uuid::encode_buffer();
        let text = Uuid::from_u128(number).hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text)
            .ok()
            .map(request_id::RequestId::new)
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
) -> Option<Response> {
    let (path, headers) = (request.uri().path(), request.headers());
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
fn refusal<B>(origins: &[String], request: &hyper::Request<B>) -> Option<Response> {
    let headers = request.headers();
    // which of two hosts is meant is answered differently by whoever stands in front: none is
    // answered
    let is_one = match request.version() {
        Version::HTTP_11 => headers.one(&header::HOST).is_some(),
        Version::HTTP_10 => headers.get_all(&header::HOST).iter().count() <= 1,
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

/// Whoever is before the proxies that are trusted: each wrote the address that it was asked from at
/// the end. The first that is nobody's we trust is the one; before what can't be read nothing is
/// believed.
fn forwarded_for(trusted: &[IpAddr], proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
    let values: Vec<_> = headers.get_all(&FORWARDED_FOR).iter().collect();
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
fn is_strange(origins: &[String], uri: &Uri, headers: &HeaderMap) -> bool {
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
    use axum::{body::Body, body::to_bytes};
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing_of_it() {
        async fn panics() -> Response {
            std::panic::resume_unwind(Box::new("of this nobody hears"))
        }
        let router: Router = Router::new()
            .route("/", get(panics))
            .layer(CatchPanicLayer::custom(|_| graphql::internal_error()));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_bytes(answer.into_body(), 4_096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!body.to_string().contains("nobody hears"));
    }
}
