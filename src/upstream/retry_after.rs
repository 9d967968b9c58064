//! How long an upstream asks to be left alone.

use http::{HeaderMap, header};
use serde::Deserialize;
use std::time::Duration;

/// The vendors count requests per second and per minute. Who asks to be left alone for longer is
/// asked again after this, and probed before (`pause.rs`): a mistake in the number must not silence
/// an upstream until a restart.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// The wait in `Retry-After` (seconds or a date), else in the body as VSPC puts it:
/// `{"errors":[{"retryAfter":25}]}`; never longer than [`LONGEST_PAUSE`].
pub(super) fn retry_after(headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(rename = "retryAfter")]
        retry_after: Option<f64>,
    }
    let from_header = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            // more digits than a u64 has are a long wait too, as a float
            text.trim().parse::<f64>().ok().or_else(|| {
                let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
                Some(
                    at.as_second()
                        .saturating_sub(jiff::Timestamp::now().as_second())
                        as f64,
                )
            })
        });
    let seconds = from_header.or_else(|| {
        let body: Body = serde_json::from_slice(body).ok()?;
        body.errors.iter().find_map(|item| item.retry_after)
    })?;
    // no number, and one below zero, say nothing
    (seconds >= 0.0).then(|| {
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(LONGEST_PAUSE)
            .min(LONGEST_PAUSE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn wait(header: Option<&str>, body: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if let Some(text) = header {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        }
        retry_after(&headers, body.as_bytes())
    }

    #[test]
    fn a_wait_is_read_from_header_and_body_and_never_too_long() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let body = r#"{"errors":[{"type":"transport","code":429,"retryAfter":25}]}"#;
        assert_eq!(wait(Some("7"), body), seconds(7));
        assert_eq!(wait(None, body), seconds(25));
        assert_eq!(wait(Some("soon"), body), seconds(25));
        assert_eq!(
            wait(Some("Wed, 21 Oct 2015 07:28:00 GMT"), ""),
            None,
            "long over"
        );
        for huge in [
            "99999999999",
            "18446744073709551615",
            "340282366920938463463374607431768211456",
            "1e400",
            "inf",
            "Thu, 30 Dec 9999 12:00:00 GMT",
        ] {
            assert_eq!(wait(Some(huge), ""), Some(LONGEST_PAUSE), "{huge}");
        }
        for huge in ["99999999999", "18446744073709551615", "1e300"] {
            assert_eq!(
                wait(None, &body.replace("25", huge)),
                Some(LONGEST_PAUSE),
                "{huge}"
            );
        }
        for none in ["-1", "NaN", "-inf", "", "7 s"] {
            assert_eq!(wait(Some(none), ""), None, "{none}");
        }
        for none in ["null", "-25", "\"25\"", "[]"] {
            assert_eq!(wait(None, &body.replace("25", none)), None, "{none}");
        }
    }
}
