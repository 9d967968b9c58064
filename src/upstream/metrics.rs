//! What is counted of one upstream's requests, for `/metrics`.

use prometheus_client::metrics::histogram::Histogram;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Bounds of the buckets of durations, in seconds: a kept answer takes less than a millisecond, a
/// page of a busy console half a minute.
pub const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Why a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked.
    Request,
    /// A list was refreshed in the background, or read at start.
    Refresh,
    /// Whether the upstream is there, or to keep a session open.
    Probe,
    /// To open or close a session.
    SignIn,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Request, Self::Refresh, Self::Probe, Self::SignIn];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "question",
            Self::Refresh => "refresh",
            Self::Probe => "probe",
            Self::SignIn => "sign_in",
        }
    }
}

/// How a request was answered, as a label: by the class of its status, 429 by itself, `none`
/// without an answer.
pub const STATUSES: [&str; 6] = ["2xx", "3xx", "4xx", "429", "5xx", "none"];

/// Counts of one upstream. They go on when its settings change.
#[derive(Debug)]
pub struct Metrics {
    sent: [AtomicU64; Reason::ALL.len()],
    durations: [Histogram; STATUSES.len()],
    /// Sessions opened, and failures to.
    sign_ins: [AtomicU64; 2],
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            sent: Default::default(),
            durations: std::array::from_fn(|_| Histogram::new(SECONDS)),
            sign_ins: Default::default(),
        }
    }
}

impl Metrics {
    /// Counts a request that is being sent.
    pub(super) fn sent_for(&self, reason: Reason) {
        self.sent[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what became of it.
    pub(super) fn answered(&self, status: Option<u16>, took: Duration) {
        let place = match status {
            Some(429) => 3,
            Some(200..=299) => 0,
            Some(300..=399) => 1,
            Some(400..=499) => 2,
            Some(_) => 4,
            None => 5,
        };
        self.durations[place].observe(took.as_secs_f64());
    }

    /// Counts an attempt to open a session.
    pub(super) fn signed_in(&self, is_open: bool) {
        self.sign_ins[usize::from(!is_open)].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests by why they were sent.
    pub fn sent(&self) -> [(Reason, u64); Reason::ALL.len()] {
        Reason::ALL.map(|reason| (reason, self.sent[reason as usize].load(Ordering::Relaxed)))
    }

    /// How long answers took, by [`STATUSES`].
    pub fn durations(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        STATUSES.into_iter().zip(&self.durations)
    }

    /// Sessions opened, and failures to.
    pub fn sign_ins(&self) -> [u64; 2] {
        self.sign_ins
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }
}
