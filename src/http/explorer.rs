//! What a person sees in a browser: GraphiQL, where it was built in, else a small explorer of our
//! own.
//!
//! `build.rs` makes the pages: GraphiQL from its npm packages (compressed), or `ui/explorer` where
//! that can't be done. Nothing is loaded from anywhere else, and the content security policy sees
//! to that.

use super::plain;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};

/// One embedded file.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    /// Whether `body` is gzip.
    is_compressed: bool,
    body: &'static [u8],
    /// A digest of the body.
    tag: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/explorer.rs"));

/// Why GraphiQL is not in this binary; `None` where it is.
pub const WHY_NO_GRAPHIQL: Option<&str> = REASON_AGAINST_GRAPHIQL;

/// Scripts, styles and connections of this origin only; workers as the editor makes them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /graphiql`.
pub(super) async fn page(headers: HeaderMap) -> Response {
    asset("index.html", &headers)
}

/// `GET /graphiql/`: the page is elsewhere, also below a proxy's path.
pub(super) async fn without_slash(uri: Uri) -> Redirect {
    Redirect::temporary(&format!(
        "../graphiql{}",
        uri.query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default()
    ))
}

/// `GET /graphiql/…`.
pub(super) async fn file(Path(file): Path<String>, headers: HeaderMap) -> Response {
    asset(&file, &headers)
}

/// `GET /favicon.ico`: a small picture, so that browsers don't complain.
pub(super) async fn icon(headers: HeaderMap) -> Response {
    asset("favicon.svg", &headers)
}

fn asset(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return plain(StatusCode::NOT_FOUND, "There is no such file.\n");
    };
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if asset.is_compressed && !text(header::ACCEPT_ENCODING).contains("gzip") {
        return plain(
            StatusCode::NOT_ACCEPTABLE,
            "This file is only to be had with Accept-Encoding: gzip.\n",
        );
    }
    let tag = format!("\"{}\"", asset.tag);
    let mut response = if text(header::IF_NONE_MATCH) == tag {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.body.into_response()
    };
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, asset.media_type);
    set(header::ETAG, &tag);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    if asset.is_compressed {
        set(header::CONTENT_ENCODING, "gzip");
        set(header::VARY, "Accept-Encoding");
    }
    response
}
