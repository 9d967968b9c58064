//! What can go wrong with an upstream call, as values.
//!
//! [`Error::kind`], the upstream's name and the wait it asked for may be told to a caller. `detail` is for the log
//! alone: it can hold what an upstream said. The two leave by different doors (`graph/error.rs` and `tracing`).

use std::{sync::Arc, time::Duration};

/// The classes of failure that a caller can act on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, a reset, a 5xx or 520, or a request still queued (202) when patience ended.
    Unavailable,
    /// No whole answer before the deadline.
    Timeout,
    /// A 4xx that is neither about sign-in nor about the pace: the upstream refused the question.
    Rejected,
    /// Sign-in failed, the session was refused twice, or the account's role does not allow the read.
    Unauthorized,
    /// An answer that is not data: HTML, the wrong type, a cut body, a wrong shape, a redirect.
    Invalid,
    /// 429: too many requests, for as long as `retry_after` says.
    RateLimited,
}

impl ErrorKind {
    /// Whether the same question may succeed a little later with no change on anybody's side.
    pub fn is_retryable(self) -> bool {
        matches!(self, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited)
    }
}

/// One failed upstream call (after its retries).
#[derive(Clone, Debug, thiserror::Error)]
#[error("upstream {upstream}: {kind:?}: {detail}")]
pub struct Error {
    /// The upstream's name in the configuration.
    pub upstream: Arc<str>,
    /// What a caller may know.
    pub kind: ErrorKind,
    /// How long the upstream asked to be left alone.
    pub retry_after: Option<Duration>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// For the log only: never leaves the process in an answer.
    pub detail: String,
    /// Whether the upstream seems to have no such path at all, so that asking for its parts is no use.
    pub is_absent: bool,
}

impl Error {
    /// A failure with a reason for the log.
    pub fn new(upstream: &Arc<str>, kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { upstream: upstream.clone(), kind, retry_after: None, status: None, detail: detail.into(), is_absent: false }
    }

    /// The same of a path that the upstream does not have.
    pub fn absent(self) -> Self {
        Self { is_absent: true, ..self }
    }

    /// The same with the HTTP status that carried it.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same with the wait that the upstream asked for.
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }
}
