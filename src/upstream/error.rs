//! What can go wrong with an upstream call, as values.
//!
//! [`Error::kind`], the upstream's name and the wait it asked for may be told to a caller. `detail`
//! is for the log and [`Trace`] are for the operator alone: they can hold what an upstream said.
//! The two leave by different doors (`graph/error.rs`; `tracing` and `check`).

use super::upstream_message;
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
    /// Sign-in failed, the session was refused twice, or the account's role does not allow the
    /// read.
    Unauthorized,
    /// An answer that is not data: HTML, the wrong type, a cut body, a wrong shape, a redirect.
    Invalid,
    /// 429: too many requests, for as long as `retry_after` says.
    RateLimited,
}

impl ErrorKind {
    /// Whether the same question may succeed a little later with no change on anybody's side.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited
        )
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
    /// Whether the upstream seems to have no such path at all, so that asking for its parts is no
    /// use.
    pub is_absent: bool,
    /// Whether it is about the API as a whole (sign-in, version), and not about one list of it.
    pub is_of_api: bool,
    /// For the log only: where it happened.
    pub trace: Box<Trace>,
}

/// What was asked for, and in which words it was refused.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The path.
    pub path: String,
    /// The page, as the query names it: `offset=500`.
    pub page: Option<String>,
    /// The upstream's own words, cut, printable and without secrets.
    pub said: Option<String>,
    /// Whether it is in the log already: a failure is told once, however many wait for it.
    pub is_told: bool,
}

impl Error {
    /// A failure with a reason for the log.
    pub fn new(upstream: &Arc<str>, kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            upstream: upstream.clone(),
            kind,
            retry_after: None,
            status: None,
            detail: detail.into(),
            is_absent: false,
            is_of_api: false,
            trace: Box::default(),
        }
    }

    /// The same of a path that the upstream does not have.
    pub fn absent(self) -> Self {
        Self {
            is_absent: true,
            ..self
        }
    }

    /// The same of the API as a whole.
    pub fn of_api(self) -> Self {
        Self {
            is_of_api: true,
            ..self
        }
    }

    /// The same as a refused sign-in: with a reason that a person can act on, where one is told.
    /// Where the path is not there the credentials were not looked at.
    pub fn of_sign_in(self) -> Self {
        let is_refused = matches!(self.status, Some(400 | 401 | 402 | 403 | 423));
        let (kind, detail) = match self.status {
            _ if self.is_absent || matches!(self.status, Some(404 | 405 | 410)) => (
                self.kind,
                "there is no sign-in at this path: is the address that of this API?".to_owned(),
            ),
            _ if is_refused => {
                let reason = self
                    .trace
                    .said
                    .as_deref()
                    .and_then(upstream_message::reason_of_refusal);
                let reason =
                    reason.unwrap_or("wrong user name or password, or no right to use the API");
                (
                    ErrorKind::Unauthorized,
                    format!("the sign-in was refused: {reason}"),
                )
            }
            _ => (self.kind, self.detail),
        };
        Self {
            kind,
            detail,
            ..self
        }
    }

    /// Whether there is no such thing at a path that the upstream has. Where the sign-in is missing
    /// nothing was looked for.
    pub fn is_missing(&self) -> bool {
        self.status == Some(404) && !self.is_absent && !self.is_of_api
    }

    /// The same with what was asked for, where that is not known yet.
    pub fn at(mut self, path: &str, page: Option<String>) -> Self {
        if self.trace.path.is_empty() {
            self.trace.path = path.to_owned();
            self.trace.page = page;
        }
        self
    }

    /// The same with the upstream's own words.
    pub fn with_words(mut self, said: Option<String>) -> Self {
        self.trace.said = said;
        self
    }

    /// The same, told in the log: one line for each failure.
    pub fn told(mut self, after: Option<Duration>) -> Self {
        if !std::mem::replace(&mut self.trace.is_told, true) {
            tracing::warn!(
                upstream = %self.upstream,
                path = self.trace.path,
                page = self.trace.page,
                kind = ?self.kind,
                status = self.status,
                said = self.trace.said,
                retry_after_seconds = self.retry_after.map(|wait| wait.as_secs()),
                duration_ms = after.map(|after| after.as_millis() as u64),
                reason = %self.detail,
                "an upstream request failed"
            );
        }
        self
    }

    /// All that the operator may know, in one line.
    pub fn explained(&self) -> String {
        let mut line = self.detail.clone();
        if !self.trace.path.is_empty() {
            let page = self
                .trace
                .page
                .as_ref()
                .map(|page| format!(" ({page})"))
                .unwrap_or_default();
            let status = self
                .status
                .map(|status| format!(", answered with {status}"))
                .unwrap_or_default();
            line = format!("{line}; asked for {}{page}{status}", self.trace.path);
        }
        if let Some(said) = &self.trace.said {
            line = format!("{line}; it said: {said}");
        }
        line
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
