//! What a caller may read when something fails: a closed list of codes, a sentence of ours, nothing
//! of an upstream's.

use crate::{
    loaders::budget::Exhausted,
    upstream::{Error, ErrorKind},
};
use async_graphql::ErrorExtensions;

/// `extensions.code`, all of them.
pub mod code {
    /// The request is wrong and says how to mend it.
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    /// Nobody known asks: no key or token, or one that is not taken.
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// Somebody known asks for what they may not.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// The gateway has too much to do; the same request may be taken in a moment.
    pub const OVERLOADED: &str = "OVERLOADED";
    /// The upstream can't be reached or fails.
    pub const UPSTREAM_UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";
    /// The upstream does not answer in time.
    pub const UPSTREAM_TIMEOUT: &str = "UPSTREAM_TIMEOUT";
    /// The upstream refuses the question.
    pub const UPSTREAM_REJECTED: &str = "UPSTREAM_REJECTED";
    /// The upstream refuses the gateway's account.
    pub const UPSTREAM_UNAUTHORIZED: &str = "UPSTREAM_UNAUTHORIZED";
    /// The upstream answers with something that is not data.
    pub const UPSTREAM_INVALID: &str = "UPSTREAM_INVALID";
    /// Too many requests, ours or the upstream's count.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// The query is deeper or larger than the gateway runs.
    pub const QUERY_TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";
    /// A persisted query is asked for by hash alone; the gateway keeps none.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// Our own fault.
    pub const INTERNAL: &str = "INTERNAL";
}

/// The code and the sentence for each way an upstream can fail.
pub fn public(kind: ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::Unavailable => (
            code::UPSTREAM_UNAVAILABLE,
            "could not be reached or failed to answer",
        ),
        ErrorKind::Timeout => (code::UPSTREAM_TIMEOUT, "did not answer in time"),
        ErrorKind::Rejected => (code::UPSTREAM_REJECTED, "refused the request"),
        ErrorKind::Unauthorized => (
            code::UPSTREAM_UNAUTHORIZED,
            "refused the gateway's sign-in or role",
        ),
        ErrorKind::Invalid => (
            code::UPSTREAM_INVALID,
            "gave an answer that is not complete, valid data",
        ),
        ErrorKind::RateLimited => (code::RATE_LIMITED, "is limiting the rate of requests"),
    }
}

/// An upstream's failure, told to a caller: which upstream, what class, whether to try again. No
/// more.
pub fn upstream(error: &Error) -> async_graphql::Error {
    let (code, sentence) = public(error.kind);
    async_graphql::Error::new(format!("The upstream {:?} {sentence}.", &*error.upstream))
        .extend_with(|_, extensions| {
            extensions.set("code", code);
            extensions.set("upstream", &*error.upstream);
            extensions.set("retryable", error.kind.is_retryable());
            if let Some(wait) = error.retry_after {
                extensions.set("retryAfterSeconds", wait.as_secs());
            }
        })
}

/// The caller's mistake, with what would be right.
pub fn bad_input(message: impl Into<String>) -> async_graphql::Error {
    async_graphql::Error::new(message).extend_with(|_, extensions| {
        extensions.set("code", code::BAD_USER_INPUT);
        extensions.set("retryable", false);
    })
}

/// A request that would take too much.
pub fn exhausted(what: Exhausted) -> async_graphql::Error {
    let message = match what {
        Exhausted::Fields(maximum) => {
            format!(
                "The answer would have more than {maximum} fields (limits.answer_fields). Ask for fewer rows, page by page."
            )
        }
        Exhausted::Comparisons(maximum) => format!(
            "The filters and orders take more than {maximum} comparisons with rows (limits.comparisons). Use fewer of them in one request."
        ),
        Exhausted::Memory(maximum) => {
            format!(
                "The request would hold more than {maximum} bytes (limits.request_memory). Ask for less at once."
            )
        }
    };
    bad_input(message).extend_with(|_, extensions| extensions.set("code", code::QUERY_TOO_COMPLEX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, time::Duration};

    #[test]
    fn each_kind_of_failure_has_its_code_and_nothing_inner_leaves() {
        let upstream_name: Arc<str> = "msp".into();
        for (kind, code, retryable) in [
            (ErrorKind::Unavailable, "UPSTREAM_UNAVAILABLE", true),
            (ErrorKind::Timeout, "UPSTREAM_TIMEOUT", true),
            (ErrorKind::Rejected, "UPSTREAM_REJECTED", false),
            (ErrorKind::Unauthorized, "UPSTREAM_UNAUTHORIZED", false),
            (ErrorKind::Invalid, "UPSTREAM_INVALID", false),
            (ErrorKind::RateLimited, "RATE_LIMITED", true),
        ] {
            let inner = Error::new(&upstream_name, kind, "https://10.0.0.5/secret")
                .with_retry_after(Some(Duration::from_secs(7)));
            let told = upstream(&inner);
            let extensions = serde_json::to_value(&told.extensions).unwrap();
            assert_eq!(extensions["code"], code);
            assert_eq!(extensions["retryable"], retryable);
            assert_eq!(extensions["upstream"], "msp");
            assert_eq!(extensions["retryAfterSeconds"], 7);
            let everything = format!("{} {extensions}", told.message);
            assert!(
                !everything.contains("10.0.0.5") && !everything.contains("secret"),
                "{everything}"
            );
        }
    }
}
