//! The trace that a request is part of, as whoever asks says in `traceparent`
//! (<https://www.w3.org/TR/trace-context/>): for the log, so that what the gateway did is found
//! from there.

use super::headers::HeaderMapExt;
use axum::http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of the trace; none where nothing is said, or nothing that can be understood.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<Box<str>> {
    let value = headers.one(&TRACEPARENT)?.to_str().ok()?;
    parse(value).map(Box::from)
}

/// `version-trace-parent-flags`. Later versions may go on behind that.
fn parse(value: &str) -> Option<&str> {
    let mut parts = value.trim().split('-');
    let mut part = |length: usize| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts
            .next()
            .filter(|part| part.len() == length && part.bytes().all(is_hex))
    };
    let (version, trace, parent, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let is_ended = version != "00" || parts.next().is_none();
    let is_none = |id: &str| id.bytes().all(|byte| byte == b'0');
    (version != "ff" && is_ended && !is_none(trace) && !is_none(parent)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trace_is_none() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (value, expected) in [
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                true,
            ),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                true,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                false,
            ),
            (
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                false,
            ),
            (
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                false,
            ),
            (
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                false,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                false,
            ),
            (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                false,
            ),
            ("4bf92f3577b34da6a3ce929d0e0e4736", false),
            ("", false),
        ] {
            assert_eq!(parse(value), expected.then_some(TRACE), "{value}");
        }
    }
}
