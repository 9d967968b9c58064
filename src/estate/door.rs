//! An upstream as a caller comes to it: one for all, read with the gateway's own account; or, where callers bring their
//! own credentials, one for each credential, so that nothing that was read with one is ever seen with another.

use super::{Opening, Status, UpstreamId};
use crate::{
    time::Clock,
    upstream::settings::{Credentials, Settings},
};
use aws_lc_rs::{digest, hmac, rand};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

/// Credentials that are kept at once, for each upstream; the one that was used the longest ago goes first.
const MAX_KEPT: u64 = 64;
/// What was read with a credential is forgotten when it was not used for so long …
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5 * 60);
/// … and in any case after that.
const FORGOTTEN_IN_ANY_CASE_AFTER: Duration = Duration::from_secs(60 * 60);

/// Credentials that a caller brought, by the upstream's name.
#[derive(Clone, Debug, Default)]
pub struct Passed(Vec<(Arc<str>, SecretString)>);

impl Passed {
    /// One more.
    pub fn add(&mut self, upstream: Arc<str>, credential: SecretString) {
        self.0.push((upstream, credential));
    }

    fn of(&self, upstream: &str) -> Option<&SecretString> {
        self.0.iter().find(|(name, _)| **name == *upstream).map(|(_, credential)| credential)
    }

    /// Whether nothing was brought.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells callers apart who bring different credentials, and tells nothing of these.
    pub fn mark(&self) -> Option<String> {
        let first = self.0.first()?;
        let all: String = self.0.iter().flat_map(|(name, credential)| [name, "\0", credential.expose_secret(), "\0"]).collect();
        let mark = keyed_hash(&first.0, &all);
        Some(mark.iter().take(6).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// One upstream.
pub(super) struct Door<T> {
    shared: Arc<T>,
    own: Option<Own<T>>,
}

type Open<T> = fn(&Opening, Arc<Status>, Clock) -> Result<T, String>;

struct Own<T> {
    opening: Opening,
    id: UpstreamId,
    clock: Clock,
    open: Open<T>,
    by_credential: Cache<[u8; digest::SHA256_OUTPUT_LEN], Arc<T>>,
}

impl<T: Send + Sync + 'static> Door<T> {
    pub fn new(opening: &Opening, status: Arc<Status>, clock: Clock, open: Open<T>) -> Result<Self, String> {
        let id = status.id;
        let shared = Arc::new(open(opening, status, clock)?);
        let own = matches!(opening.settings.credentials, Credentials::OfCaller(_)).then(|| Own {
            opening: opening.clone(),
            id,
            clock,
            open,
            by_credential: Cache::builder()
                .max_capacity(MAX_KEPT)
                .time_to_idle(FORGOTTEN_AFTER)
                .time_to_live(FORGOTTEN_IN_ANY_CASE_AFTER)
                .build(),
        });
        Ok(Self { shared, own })
    }

    /// The one for all; where callers bring their own, the one for those who bring none.
    pub fn shared(&self) -> &Arc<T> {
        &self.shared
    }

    /// The one for a caller.
    pub async fn of(&self, passed: &Passed) -> Arc<T> {
        let Some(own) = &self.own else { return self.shared.clone() };
        let Some(credential) = passed.of(&own.opening.settings.name) else { return self.shared.clone() };
        let key = keyed_hash(&own.opening.settings.name, credential.expose_secret());
        let open = async {
            let settings = Settings { credentials: Credentials::OfCaller(Some(credential.clone())), ..own.opening.settings.clone() };
            let opening = Opening { settings, ..own.opening.clone() };
            // how this credential fares is no sign of how the upstream does
            let status = Status::new(own.id, opening.settings.name.clone(), opening.settings.kind, own.clock);
            (own.open)(&opening, Arc::new(status), own.clock).map(Arc::new)
        };
        // it was opened once already, with the same certificates
        own.by_credential.try_get_with(key, open).await.unwrap_or_else(|_| self.shared.clone())
    }
}

/// Of a credential only this is kept as a key: with a key of its own that never leaves the process.
fn keyed_hash(upstream: &str, credential: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    static KEY: LazyLock<Option<hmac::Key>> = LazyLock::new(|| hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok());
    let text = format!("{upstream}\0{credential}");
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    match &*KEY {
        Some(key) => hash.copy_from_slice(hmac::sign(key, text.as_bytes()).as_ref()),
        None => hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()),
    }
    hash
}
