//! What happens on a connection, noted by its stream and its requests for those who look at it.

use super::{fair_shares::Share, reload::Live};
use futures_util::task::AtomicWaker;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    task::Context,
};
use tokio::sync::OwnedSemaphorePermit;

/// The place that a connection takes, for as long as anything of it is left.
#[derive(Debug)]
pub(super) struct Place {
    /// Of all places.
    pub _room: OwnedSemaphorePermit,
    /// Of its address's share, where that is counted.
    pub _of_address: Option<Share<IpAddr>>,
}

/// What happens on a connection.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    /// Where it comes from.
    pub address: IpAddr,
    /// Bytes of answers that wait to be read.
    pub unread: AtomicUsize,
    /// Requests that were taken and whose answers were not handed over in full.
    pub under_way: AtomicU32,
    /// Answers that are being handed over.
    pub sending: AtomicU32,
    /// Requests so far.
    pub begun: AtomicU32,
    /// HTTP/2: many requests at once, and frames that are no requests.
    is_multiplexed: AtomicBool,
    /// Whether something came since the last request, while none was under way: over HTTP/1 that is
    /// of the next one's headers.
    pub is_beginning: AtomicBool,
    /// Bytes of answers so far.
    pub taken: AtomicU64,
    /// Whether a write waits.
    pub is_writing: AtomicBool,
    /// Whether the next answer is to say that it is the last.
    pub is_closing: AtomicBool,
    is_cut: AtomicBool,
    waker: AtomicWaker,
    /// What it is served by.
    pub live: Option<Live>,
    _place: Option<Place>,
}

/// A request is under way until this is dropped, with its answer's body.
#[derive(Debug)]
pub(super) struct UnderWay {
    activity: Arc<ConnectionActivity>,
    is_answered: AtomicBool,
}

impl UnderWay {
    /// The connection that it came by.
    pub fn activity(&self) -> &Arc<ConnectionActivity> {
        &self.activity
    }

    /// From now on it is for the client to take the answer.
    pub fn is_answered(&self) {
        if !self.is_answered.swap(true, Ordering::Relaxed) {
            self.activity.sending.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if *self.is_answered.get_mut() {
            self.activity.sending.fetch_sub(1, Ordering::Relaxed);
        }
        self.activity.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConnectionActivity {
    /// Nothing has happened yet on a connection from there.
    pub fn of(address: IpAddr, place: Option<Place>) -> Self {
        Self {
            address,
            unread: AtomicUsize::default(),
            under_way: AtomicU32::default(),
            sending: AtomicU32::default(),
            begun: AtomicU32::default(),
            is_multiplexed: AtomicBool::default(),
            is_beginning: AtomicBool::default(),
            taken: AtomicU64::default(),
            is_writing: AtomicBool::default(),
            is_closing: AtomicBool::default(),
            is_cut: AtomicBool::default(),
            waker: AtomicWaker::new(),
            live: None,
            _place: place,
        }
    }

    /// The same, served by this.
    pub fn served_by(self, live: Live) -> Self {
        Self {
            live: Some(live),
            ..self
        }
    }

    /// A request came.
    pub fn begin(self: &Arc<Self>, is_multiplexed: bool) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.is_beginning.store(false, Ordering::Relaxed);
        if is_multiplexed {
            self.is_multiplexed.store(true, Ordering::Relaxed);
        }
        UnderWay {
            activity: self.clone(),
            is_answered: AtomicBool::new(false),
        }
    }

    /// Whether it is HTTP/2.
    pub fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Ordering::Relaxed)
    }

    /// Something came.
    pub fn read(&self) {
        if self.under_way.load(Ordering::Relaxed) == 0 {
            self.is_beginning.store(true, Ordering::Relaxed);
        }
    }

    /// So many bytes of an answer were taken.
    pub fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Something was written, or (`is_waiting`) could not be yet.
    pub fn wrote(&self, is_waiting: bool) {
        self.is_writing.store(is_waiting, Ordering::Relaxed);
    }

    /// Whether a write waits.
    #[cfg(test)]
    pub fn is_writing(&self) -> bool {
        self.is_writing.load(Ordering::Relaxed)
    }

    /// Whether the next answer is to say that it is the last.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Ends the connection at once.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    /// Whether the connection was cut.
    pub fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Whether the connection was cut; if it will be, the task is woken.
    pub fn poll_cut(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.is_cut()
    }
}
