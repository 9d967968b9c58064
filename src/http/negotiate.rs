//! Which media type the caller wants, by `Accept`.

use super::headers::HeaderMapExt;
use axum::http::{HeaderMap, header};

/// The forms that an answer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the request was understood.
    GraphqlResponse,
    /// `application/json`: 200 for every request that could be read.
    Json,
    /// `text/event-stream`.
    EventStream,
}

impl MediaType {
    /// Each at its own place.
    pub const ALL: [Self; 3] = [
        MediaType::GraphqlResponse,
        MediaType::Json,
        MediaType::EventStream,
    ];

    /// The one that a media range means.
    fn named(range: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| range.eq_ignore_ascii_case(name);
        match range {
            _ if is(b"application/json") || is(b"*/*") || is(b"application/*") => {
                Some(MediaType::Json)
            }
            _ if is(b"application/graphql-response+json") => Some(MediaType::GraphqlResponse),
            _ if is(b"text/event-stream") => Some(MediaType::EventStream),
            _ => None,
        }
    }

    /// As a content type.
    pub fn content_type(self) -> &'static str {
        match self {
            MediaType::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            MediaType::Json => "application/json; charset=utf-8",
            MediaType::EventStream => "text/event-stream; charset=utf-8",
        }
    }
}

/// The acceptable form with the highest weight; JSON when nobody says. `None`: nothing that we have
/// is acceptable.
pub(super) fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let mut best: Option<(f32, MediaType)> = None;
    let mut is_said = false;
    // nearly always it is one name and no more
    if let Some(media_type) = headers
        .one(&header::ACCEPT)
        .and_then(|value| MediaType::named(value.as_bytes()))
    {
        return Some(media_type);
    }
    for value in headers
        .get_all(&header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for range in value
            .split(',')
            .map(str::trim)
            .filter(|range| !range.is_empty())
        {
            is_said = true;
            let mut parts = range.split(';').map(str::trim);
            let Some(candidate) = MediaType::named(parts.next().unwrap_or_default().as_bytes())
            else {
                continue;
            };
            let complexity = parts
                .find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            if complexity > 0.0 && best.is_none_or(|(known, _)| complexity > known) {
                best = Some((complexity, candidate));
            }
        }
    }
    if is_said {
        best.map(|(_, media_type)| media_type)
    } else {
        Some(MediaType::Json)
    }
}

/// Whether a browser asks for a page to look at.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.text(&header::ACCEPT).unwrap_or_default();
    accept.split(',').next().is_some_and(|first| {
        first
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_acceptable_form_wins() {
        for (accept, expected) in [
            (None, Some(MediaType::Json)),
            (Some("application/json"), Some(MediaType::Json)),
            (
                Some("application/graphql-response+json, application/json;q=0.9"),
                Some(MediaType::GraphqlResponse),
            ),
            (
                Some("application/json;q=0.9, application/graphql-response+json"),
                Some(MediaType::GraphqlResponse),
            ),
            (Some("*/*"), Some(MediaType::Json)),
            (Some("text/event-stream"), Some(MediaType::EventStream)),
            (Some("text/csv"), None),
            (Some("application/json;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(media_type(&headers), expected, "{accept:?}");
        }
    }
}
