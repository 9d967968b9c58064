//! What an upstream client needs to be told. Made by `app` from the configuration; knows nothing of
//! files or variables.

use super::{
    forwarded_credential::Brought, metrics::Metrics, transport::Transport, vspc::dialect::Dialect,
};
use secrecy::SecretString;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use url::Url;

/// Which vendor API an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Veeam Service Provider Console, REST v3.
    Vspc,
    /// Veeam Availability Console / Service Provider Console, legacy REST v2.
    Vac,
    /// Veeam Backup Enterprise Manager.
    EnterpriseManager,
}

/// How to sign in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A Service Provider Console API key, sent as a bearer token.
    ApiKey(SecretString),
    /// An account: exchanged for a token or a session.
    Password {
        /// The account's name, `DOMAIN\user` or `user@domain`.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// Whatever the caller brought: a token of Service Provider Console, a session of Enterprise
    /// Manager; or nothing.
    OfCaller(Option<Arc<Brought>>),
}

/// Which certificates to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's roots.
    #[default]
    System,
    /// Only chains that end in these PEM certificates.
    Roots(Vec<u8>),
    /// Only the server certificate with this SHA-256 fingerprint, whoever signed it.
    Pinned([u8; 32]),
    /// Anything. Logged loudly at start.
    Insecure,
}

/// The connection to one upstream: its slots, its pauses, its open sockets. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedConnection(Arc<OnceLock<Arc<Transport>>>);

impl SharedConnection {
    /// The connection; made with these settings if it is not there yet.
    pub(super) fn transport(&self, settings: &Settings) -> Result<Arc<Transport>, String> {
        if let Some(transport) = self.0.get() {
            return Ok(transport.clone());
        }
        let transport = Arc::new(Transport::new(settings)?);
        Ok(self.0.get_or_init(|| transport).clone())
    }

    /// How it is at present; none before it is made.
    pub fn now(&self) -> Option<Connection<'_>> {
        let transport = self.0.get()?;
        let (slots, in_use, waiting) = transport.slots().load();
        Some(Connection {
            metrics: transport.metrics(),
            slots,
            in_use,
            waiting,
            is_broken: transport.is_broken(),
            is_paused: transport.is_paused(),
        })
    }

    /// By how many seconds the upstream's clock is ahead of ours, as its last answer tells;
    /// negative where it is behind.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.0.get()?.clock.seconds()
    }
}

/// How a connection is at one moment.
#[derive(Debug)]
pub struct Connection<'a> {
    /// What was counted so far.
    pub metrics: &'a Metrics,
    /// Requests that may be in flight.
    pub slots: usize,
    /// Requests in flight.
    pub in_use: usize,
    /// Requests that wait for a slot.
    pub waiting: usize,
    /// Whether the upstream fails so much that reads fail at once.
    pub is_broken: bool,
    /// Whether it asked for a pause that is not over.
    pub is_paused: bool,
}

/// One upstream, ready to be connected to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Stable: part of every global id.
    pub name: Arc<str>,
    /// The API it speaks.
    pub kind: Kind,
    /// Scheme, host, port and, behind a proxy, a path prefix.
    pub url: Url,
    /// How to sign in.
    pub credentials: Credentials,
    /// Which certificates to trust.
    pub trust: Trust,
    /// The whole of one read: waiting for a slot, retries, and the body.
    pub timeout: Duration,
    /// Requests in flight at once.
    pub max_concurrency: usize,
    /// The connection, shared by all who read from this upstream, whatever they sign in with.
    pub line: SharedConnection,
    /// The version of a console's API to ask for; the newest that both know when left out.
    pub client_version: Option<String>,
    /// How it speaks, as far as that is known: shared like the connection.
    pub dialect: Arc<Dialect>,
    /// How long a refused password is not tried again at first (an account lock-out is worse than a
    /// wait).
    pub sign_in_pause: Duration,
}
