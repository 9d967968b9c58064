//! Answers to GET that whoever got them may use again: for how long (`Cache-Control`), and by which
//! mark they are known (`ETag`, `If-None-Match`).
//!
//! An answer is good for as long as all that was read for it. The mark is of its data alone, and
//! weak: what an answer cost is told in it too, and differs where it is given again.

use crate::estate::Dependencies;
use aws_lc_rs::digest;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use std::time::{Duration, Instant};

/// How long an answer is good that rests on nothing that was read: another release may tell more of
/// itself.
pub(super) const WITHOUT_LISTS: Duration = Duration::from_secs(300);
/// Bytes of the digest that are in a mark.
const MARK_BYTES: usize = 16;

/// For how long an answer may be used again, and its mark.
#[derive(Clone, Debug)]
pub(super) struct CachePolicy {
    pub mark: HeaderValue,
    pub seconds: u64,
}

/// The mark of an answer's data.
pub(super) fn mark(data: &[u8]) -> HeaderValue {
    let digest = digest::digest(&digest::SHA256, data);
    let hex: String = digest
        .as_ref()
        .iter()
        .take(MARK_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    HeaderValue::try_from(format!("W/\"{hex}\"")).unwrap_or(HeaderValue::from_static(""))
}

impl CachePolicy {
    /// An answer that was made from these.
    pub fn new(mark: HeaderValue, dependencies: &Dependencies, now: Instant) -> Self {
        let left = dependencies
            .good_until()
            .map_or(WITHOUT_LISTS, |until| until.saturating_duration_since(now));
        Self {
            mark,
            seconds: left.as_secs(),
        }
    }

    /// Says so in an answer's headers. `differs_by` are the request's headers that it depends on.
    pub fn tell(self, headers: &mut HeaderMap, differs_by: &HeaderValue) {
        if let Ok(value) = HeaderValue::try_from(format!("private, max-age={}", self.seconds)) {
            headers.insert(header::CACHE_CONTROL, value);
        }
        headers.insert(header::ETAG, self.mark);
        headers.insert(header::VARY, differs_by.clone());
    }
}

/// An answer that whoever asks has already is told without its body.
pub(super) fn unless_known(request: &HeaderMap, mut response: Response) -> Response {
    let Some(mark) = response.headers().get(header::ETAG) else {
        return response;
    };
    // a weak comparison: https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match
    let bare = |mark: &str| mark.trim().trim_start_matches("W/").to_owned();
    let mark = bare(mark.to_str().unwrap_or_default());
    let mut marks = request
        .get_all(&header::IF_NONE_MATCH)
        .iter()
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','));
    if marks.any(|known| known.trim() == "*" || bare(known) == mark) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
        ] {
            response.headers_mut().remove(name);
        }
    }
    response
}
