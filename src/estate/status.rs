//! How each upstream is doing, as the last reads show it.

use super::{UpstreamId, dependencies};
use crate::{
    time::Clock,
    upstream::{Error, ErrorKind, settings::Kind, vspc::dialect::Dialect},
};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// What the last read says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was asked yet.
    Unknown,
    /// It answered.
    Up,
    /// It did not, for this reason.
    Down(ErrorKind),
}

/// One upstream's name, kind and condition.
#[derive(Debug)]
pub struct Status {
    /// Its place in the configuration.
    pub id: UpstreamId,
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The API it speaks.
    pub kind: Kind,
    clock: Clock,
    seen: Mutex<Seen>,
    dialect: Arc<Dialect>,
}

/// What was seen of an upstream so far.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What the last read says.
    pub state: State,
    /// When it last answered.
    pub last_ok: Option<Timestamp>,
    /// When it last failed to.
    pub last_failure: Option<Timestamp>,
    /// Its product version, once asked.
    pub version: Option<String>,
    /// Why the last read failed: for the operator's eyes.
    pub detail: Option<String>,
}

impl Status {
    /// Nothing known yet.
    pub fn new(id: UpstreamId, name: Arc<str>, kind: Kind, clock: Clock) -> Self {
        let seen = Seen {
            state: State::Unknown,
            last_ok: None,
            last_failure: None,
            version: None,
            detail: None,
        };
        Self {
            id,
            name,
            kind,
            clock,
            seen: Mutex::new(seen),
            dialect: Arc::default(),
        }
    }

    /// The same with how the upstream speaks.
    pub(super) fn speaking(self, dialect: Arc<Dialect>) -> Self {
        Self { dialect, ..self }
    }

    /// The version of its API that is asked for; none where it is told none.
    pub fn api_version(&self) -> Option<String> {
        dependencies::mark_uncacheable();
        self.dialect.version()
    }

    /// What it lacks of what the graph shows, as far as is known.
    pub fn lacks(&self) -> Vec<String> {
        dependencies::mark_uncacheable();
        self.dialect.lacks()
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        dependencies::mark_uncacheable();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes an answer.
    pub(super) fn answered(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.state = State::Up;
        seen.last_ok = Some(self.clock.now());
        seen.detail = None;
    }

    /// Notes a failure. That one list is refused, or is not there in this version, says nothing of
    /// the others.
    pub(super) fn failed(&self, error: &Error) {
        let is_of_list =
            error.is_absent || error.kind == ErrorKind::Rejected || error.status == Some(403);
        if is_of_list && !error.is_of_api {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.state = State::Down(error.kind);
        seen.last_failure = Some(self.clock.now());
        seen.detail = Some(error.explained());
    }

    /// Notes the outcome of a probe, with the version where it tells one.
    pub(super) fn probed(&self, outcome: Result<Option<String>, Error>) {
        match outcome {
            Ok(version) => {
                self.answered();
                self.seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .version = version;
            }
            // what it was asked is there for whoever may ask at all
            Err(error) => self.failed(&error.of_api()),
        }
    }
}
