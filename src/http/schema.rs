//! `GET /schema.graphql`: the schema as text, for whoever may ask at all; `?federation` with what a
//! composer wants.

use super::{Gateway, RequestId, auth::Peer, cache_control, graphql, negotiate::MediaType, plain};
use crate::graph;
use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use std::sync::LazyLock;

/// As it is printed, and its mark.
struct Printed(Bytes, HeaderValue);

static ALONE: LazyLock<Printed> = LazyLock::new(|| Printed::new(false));
static FEDERATED: LazyLock<Printed> = LazyLock::new(|| Printed::new(true));

impl Printed {
    fn new(federation: bool) -> Self {
        let text: Bytes = graph::sdl(federation).into();
        let mark = cache_control::mark(&text);
        Self(text, mark)
    }
}

/// `GET /schema.graphql`.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let known = match gateway.identify(headers, &peer, &id).await {
        Ok(known) => known,
        Err(rejection) => return graphql::reject(MediaType::GraphqlResponse, &id, &rejection),
    };
    if let Err(rejection) = gateway.rates.take_request(&known.principal) {
        return graphql::reject(MediaType::GraphqlResponse, &id, &rejection);
    }
    if !gateway.limits.introspection {
        let rejection = super::auth::forbidden(
            "Introspection is switched off here (limits.introspection); the schema is published elsewhere.",
        );
        return graphql::reject(MediaType::GraphqlResponse, &id, &rejection);
    }
    let parameters =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let is_federated = parameters
        .into_iter()
        .any(|(name, value)| name == "federation" && value != "false");
    if is_federated && !gateway.server.federation {
        return plain(
            StatusCode::NOT_FOUND,
            "Federation is switched off here (server.federation).\n",
        );
    }
    let Printed(text, mark) = if is_federated { &*FEDERATED } else { &*ALONE };
    let mut response = Response::new(text.clone().into());
    // as text: a browser shows it
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    let cache_policy = cache_control::CachePolicy {
        mark: mark.clone(),
        seconds: cache_control::WITHOUT_LISTS.as_secs(),
    };
    cache_policy.tell(response.headers_mut(), &gateway.differs_by);
    cache_control::unless_known(headers, response)
}
