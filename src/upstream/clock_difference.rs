//! How far an upstream's clock is ahead of ours, by the `Date` of its answers. A job that ended in
//! the future, or long ago, may have ended just now by another clock.

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822};
use std::sync::{Mutex, PoisonError};

/// The difference as the last answer with a `Date` told it.
#[derive(Debug, Default)]
pub(super) struct ClockDifference(Mutex<Option<i64>>);

impl ClockDifference {
    /// Notes an answer that came just now.
    pub fn note(&self, headers: &HeaderMap) {
        self.note_at(headers, Timestamp::now());
    }

    fn note_at(&self, headers: &HeaderMap, now: Timestamp) {
        let date = headers
            .get(header::DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| rfc2822::parse(text).ok());
        if let Some(date) = date {
            let seconds = date.timestamp().as_second().saturating_sub(now.as_second());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seconds);
        }
    }

    /// By how many seconds it is ahead; negative where it is behind, none where no answer told.
    pub fn seconds(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_last_date_that_can_be_read_counts() {
        let (difference, now) = (
            ClockDifference::default(),
            "2026-11-27T06:00:00Z".parse().unwrap(),
        );
        let note = |date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, HeaderValue::from_static(date));
            difference.note_at(&headers, now);
            difference.seconds()
        };
        assert_eq!(note("today"), None);
        assert_eq!(note("Fri, 27 Nov 2026 08:00:00 GMT"), Some(7_200));
        assert_eq!(note("Fri, 27 Nov 2026 05:59:30 GMT"), Some(-30));
        assert_eq!(note("today"), Some(-30));
    }
}
