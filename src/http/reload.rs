//! One configuration in place of another while connections stay open.
//!
//! A gateway never changes: another one is put in its place, and each request is answered by the
//! one that was there when it began. What is of the process and not of a configuration (counters,
//! rates, who is connected) is passed on; what was kept for other requests is not, as who may see
//! what, and what there is to see, may be different.

use super::{Gateway, HttpService};
use crate::{
    config::{Config, Limits},
    estate::Estate,
};
use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::watch;

/// The gateway as it is configured at present. Clones see the same.
#[derive(Clone)]
pub struct Live(Arc<watch::Sender<HttpService>>);

/// What became of a configuration that was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It is in use.
    Applied,
    /// It is the one that was in use.
    Unchanged,
    /// It is wrong; the one before it stays in use.
    Rejected,
}

impl Reloaded {
    /// As labels have it, in order.
    pub const NAMES: [&'static str; 3] = ["applied", "unchanged", "rejected"];
}

impl Live {
    /// A gateway that may be replaced.
    pub fn new(gateway: Gateway) -> Self {
        Self(Arc::new(watch::Sender::new(HttpService::new(gateway))))
    }

    /// The one in use.
    pub fn gateway(&self) -> Gateway {
        self.0.borrow().gateway().clone()
    }

    /// What answers requests that begin now.
    pub(super) fn service(&self) -> HttpService {
        self.0.borrow().clone()
    }

    /// Tells when another is in use.
    pub(super) fn changes(&self) -> watch::Receiver<HttpService> {
        self.0.subscribe()
    }

    /// Answers with another one from now on.
    pub fn replace(&self, gateway: Gateway) {
        self.0.send_replace(HttpService::new(gateway));
    }

    /// Counts that a configuration was read again.
    pub fn note_reload(&self, outcome: Reloaded) {
        let gateway = self.gateway();
        gateway.counters.reloads[outcome as usize].fetch_add(1, Ordering::Relaxed);
        gateway
            .counters
            .is_reload_rejected
            .store(outcome == Reloaded::Rejected, Ordering::Relaxed);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Gateway {
    /// The same with another configuration, over what is known of its upstreams. Fails where that
    /// can't be used; this one stays as it is in any case.
    pub fn reconfigured(&self, estate: Arc<Estate>, config: &Config) -> Result<Self, String> {
        Self::assemble(self.schema.clone(), estate, config, Some(self))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.listen
    }
}

/// Whether what callers spent of their rates still counts.
pub(super) fn same_rates(one: &Limits, other: &Limits) -> bool {
    let rates = |limits: &Limits| {
        (
            limits.requests_per_minute,
            limits.cost_per_minute,
            limits.requests_per_minute_per_address,
            limits.failed_sign_ins_per_minute,
        )
    };
    rates(one) == rates(other)
}

/// Whether answers that wait to be read are held against the same bounds.
pub(super) fn same_unread(one: &Limits, other: &Limits) -> bool {
    (one.unread_bytes, one.unread_bytes_per_connection)
        == (other.unread_bytes, other.unread_bytes_per_connection)
}
