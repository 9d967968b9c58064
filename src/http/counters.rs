//! What is counted of requests, and of the process, for `/metrics`.

use super::Reloaded;
use crate::{graph::error::code, upstream::metrics::SECONDS};
use async_graphql::ServerError;
use prometheus_client::metrics::histogram::Histogram;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// How requests end, as a label.
pub const OUTCOMES: [&str; 4] = ["answered", "errors", "invalid", "refused"];
/// How they come.
pub const TRANSPORTS: [&str; 3] = ["http", "sse", "websocket"];
/// Every `extensions.code`; what is none of them is told as the last.
pub const CODES: [&str; 16] = [
    code::BAD_USER_INPUT,
    code::UNAUTHENTICATED,
    code::FORBIDDEN,
    code::OVERLOADED,
    code::UPSTREAM_UNAVAILABLE,
    code::UPSTREAM_TIMEOUT,
    code::UPSTREAM_REJECTED,
    code::UPSTREAM_UNAUTHORIZED,
    code::UPSTREAM_INVALID,
    code::RATE_LIMITED,
    code::QUERY_TOO_COMPLEX,
    code::PERSISTED_QUERY_NOT_FOUND,
    code::INTERNAL,
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OTHER",
];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    Errors,
    Invalid,
    Refused,
}

/// The codes of one request's errors, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes(u32);

impl Codes {
    /// One more.
    pub fn add(&mut self, code: &str) {
        let place = CODES.iter().position(|known| *known == code);
        self.0 |= 1 << place.unwrap_or(CODES.len() - 1);
    }

    /// Those of these errors.
    pub fn add_all(&mut self, errors: &[ServerError]) {
        for error in errors {
            let code = error
                .extensions
                .as_ref()
                .and_then(|values| values.get("code"));
            match code {
                Some(async_graphql::Value::String(code)) => self.add(code),
                _ => self.add(""),
            }
        }
    }
}

/// What is counted of the process, whatever its configuration.
#[derive(Debug)]
pub(super) struct Counters {
    pub requests: [[AtomicU64; TRANSPORTS.len()]; OUTCOMES.len()],
    pub durations: [[Histogram; TRANSPORTS.len()]; OUTCOMES.len()],
    pub by_code: [AtomicU64; CODES.len()],
    pub requests_with_errors: AtomicU64,
    pub upstream_requests: AtomicU64,
    pub refused_sign_ins: AtomicU64,
    pub answers_given_again: AtomicU64,
    /// Configurations that were read again, by what became of them.
    pub reloads: [AtomicU64; Reloaded::NAMES.len()],
    pub is_reload_rejected: AtomicBool,
    pub started: SystemTime,
}

impl Default for Counters {
    fn default() -> Self {
        let histograms = |_| std::array::from_fn(|_| Histogram::new(SECONDS));
        Self {
            requests: Default::default(),
            durations: std::array::from_fn(histograms),
            by_code: Default::default(),
            requests_with_errors: AtomicU64::default(),
            upstream_requests: AtomicU64::default(),
            refused_sign_ins: AtomicU64::default(),
            answers_given_again: AtomicU64::default(),
            reloads: Default::default(),
            is_reload_rejected: AtomicBool::default(),
            started: SystemTime::now(),
        }
    }
}

impl Counters {
    /// Counts a request that came to its end.
    pub fn ended(&self, ending: Ending, transport: &str, took: Duration, codes: Codes) {
        let by = TRANSPORTS.iter().position(|known| *known == transport);
        let (ending, by) = (ending as usize, by.unwrap_or_default());
        self.requests[ending][by].fetch_add(1, Ordering::Relaxed);
        self.durations[ending][by].observe(took.as_secs_f64());
        for (place, count) in self.by_code.iter().enumerate() {
            if codes.0 & (1 << place) != 0 {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(count: &AtomicU64) -> u64 {
        count.load(Ordering::Relaxed)
    }

    #[test]
    fn each_code_of_a_request_is_counted_once_and_an_unknown_one_as_other() {
        let counters = Counters::default();
        let mut codes = Codes::default();
        for code in [
            code::INTERNAL,
            code::INTERNAL,
            "NOBODY_KNOWS",
            code::FORBIDDEN,
        ] {
            codes.add(code);
        }
        counters.ended(Ending::Errors, "sse", Duration::from_millis(3), codes);
        let counted: Vec<_> = CODES
            .iter()
            .zip(&counters.by_code)
            .filter(|(_, count)| load(count) > 0)
            .map(|(code, count)| (*code, load(count)))
            .collect();
        assert_eq!(counted, [("FORBIDDEN", 1), ("INTERNAL", 1), ("OTHER", 1)]);
        assert_eq!(load(&counters.requests[1][1]), 1);
    }
}
