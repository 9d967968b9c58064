//! An upstream as a caller comes to it: one for all, read with the gateway's own account; or, where
//! callers bring their own credentials, one for each credential, so that nothing that was read with
//! one is ever seen with another.

use super::{Status, UpstreamConfig, UpstreamId};
use crate::{
    time::Clock,
    upstream::{
        forwarded_credential::Brought,
        settings::{Credentials, Settings},
    },
};
use aws_lc_rs::{digest, hmac, rand};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Credentials that are kept at once, for each upstream; the one that was used the longest ago goes
/// first.
const MAX_KEPT: usize = 256;
/// Rows that were read with all of them together: what memory is spent on. The same goes first
/// where there are more.
const MAX_ROWS: u64 = 500_000;
/// How often it is looked for what is to be forgotten, where nobody new comes.
const LOOK: Duration = Duration::from_secs(1);
/// What was read with a credential is forgotten when it was not used for so long …
const FORGOTTEN_AFTER: Duration = Duration::from_secs(5 * 60);
/// … and in any case after that.
const FORGOTTEN_IN_ANY_CASE_AFTER: Duration = Duration::from_secs(60 * 60);

/// Credentials that a caller brought, by the upstream's name.
#[derive(Clone, Debug, Default)]
pub struct ForwardedCredentials(Vec<(Arc<str>, SecretString)>);

impl ForwardedCredentials {
    /// One more.
    pub fn add(&mut self, upstream: Arc<str>, credential: SecretString) {
        self.0.push((upstream, credential));
    }

    fn of(&self, upstream: &str) -> Option<&SecretString> {
        self.0
            .iter()
            .find(|(name, _)| **name == *upstream)
            .map(|(_, credential)| credential)
    }

    /// Whether nothing was brought.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells callers apart who bring different credentials, and tells nothing of these.
    pub fn mark(&self) -> Option<String> {
        let first = self.0.first()?;
        let all: String = self
            .0
            .iter()
            .flat_map(|(name, credential)| [name, "\0", credential.expose_secret(), "\0"])
            .collect();
        let mark = keyed_hash(&first.0, &all);
        Some(
            mark.iter()
                .take(6)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

/// What is known of credentials that a caller brought; the worst of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The upstreams took them; or there are none.
    Good,
    /// Not shown to the upstream yet, or not lately.
    Untried,
    /// Refused a moment ago.
    Refused,
}

/// An upstream that keeps what it read.
pub(super) trait Keeps {
    /// How many rows it keeps.
    fn kept_rows(&self) -> u64;
}

/// One upstream.
pub(super) struct CredentialPool<T> {
    shared: Arc<T>,
    own: Option<Own<T>>,
}

type Open<T> = fn(&UpstreamConfig, Arc<Status>, Clock) -> Result<T, String>;

struct Own<T> {
    opening: UpstreamConfig,
    id: UpstreamId,
    clock: Clock,
    open: Open<T>,
    by_credential: Mutex<ByCredential<T>>,
}

/// What was opened for each credential.
struct ByCredential<T> {
    opened: HashMap<Hash, Opened<T>>,
    looked: Instant,
}

struct Opened<T> {
    upstream: Arc<T>,
    credential: Arc<Brought>,
    since: Instant,
    last_use: Instant,
}

type Hash = [u8; digest::SHA256_OUTPUT_LEN];

impl<T: Keeps> ByCredential<T> {
    /// Forgets what is too old, and what is too much.
    fn make_room(&mut self, now: Instant) {
        self.looked = now;
        self.opened.retain(|_, opened| {
            now.duration_since(opened.last_use) < FORGOTTEN_AFTER
                && now.duration_since(opened.since) < FORGOTTEN_IN_ANY_CASE_AFTER
        });
        let mut by_use: Vec<_> = self
            .opened
            .iter()
            .map(|(key, opened)| (opened.last_use, *key, opened.upstream.kept_rows()))
            .collect();
        by_use.sort_by_key(|(last_use, ..)| *last_use);
        let mut rows: u64 = by_use.iter().map(|(.., rows)| rows).sum();
        // the newest stays, however much it read
        by_use.pop();
        for (_, key, of_it) in by_use {
            if self.opened.len() <= MAX_KEPT && rows <= MAX_ROWS {
                break;
            }
            rows -= of_it;
            self.opened.remove(&key);
        }
    }
}

impl<T: Keeps> CredentialPool<T> {
    pub fn new(
        opening: &UpstreamConfig,
        status: Arc<Status>,
        clock: Clock,
        open: Open<T>,
    ) -> Result<Self, String> {
        let id = status.id;
        let shared = Arc::new(open(opening, status, clock)?);
        let own = matches!(opening.settings.credentials, Credentials::OfCaller(_)).then(|| Own {
            opening: opening.clone(),
            id,
            clock,
            open,
            by_credential: Mutex::new(ByCredential {
                opened: HashMap::new(),
                looked: Instant::now(),
            }),
        });
        Ok(Self { shared, own })
    }

    /// Whether nobody but this pool has it.
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    /// The one for all; where callers bring their own, the one for those who bring none.
    pub fn shared(&self) -> &Arc<T> {
        &self.shared
    }

    /// What is known of the credential that a caller brought. Nothing is known of one that was not
    /// used yet.
    pub fn brought(&self, passed: &ForwardedCredentials) -> Standing {
        let Some(own) = &self.own else {
            return Standing::Good;
        };
        let Some(credential) = passed.of(&own.opening.settings.name) else {
            return Standing::Good;
        };
        let key = keyed_hash(&own.opening.settings.name, credential.expose_secret());
        let known = own
            .by_credential
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match known.opened.get(&key) {
            Some(opened) if opened.credential.was_taken() => Standing::Good,
            Some(opened) if opened.credential.is_refused() => Standing::Refused,
            _ => Standing::Untried,
        }
    }

    /// The one for a caller.
    pub fn of(&self, passed: &ForwardedCredentials) -> Arc<T> {
        let Some(own) = &self.own else {
            return self.shared.clone();
        };
        let Some(credential) = passed.of(&own.opening.settings.name) else {
            return self.shared.clone();
        };
        let key = keyed_hash(&own.opening.settings.name, credential.expose_secret());
        let now = Instant::now();
        let mut known = own
            .by_credential
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(known.looked) >= LOOK {
            known.make_room(now);
        }
        if let Some(opened) = known.opened.get_mut(&key) {
            opened.last_use = now;
            return opened.upstream.clone();
        }
        let brought = Arc::new(Brought::new(
            credential.clone(),
            own.opening.settings.sign_in_pause,
        ));
        let settings = Settings {
            credentials: Credentials::OfCaller(Some(brought.clone())),
            ..own.opening.settings.clone()
        };
        let opening = UpstreamConfig {
            settings,
            ..own.opening.clone()
        };
        // how this credential fares is no sign of how the upstream does
        let status = Status::new(
            own.id,
            opening.settings.name.clone(),
            opening.settings.kind,
            own.clock,
        );
        // it was opened once already, with the same certificates
        let Ok(upstream) = (own.open)(&opening, Arc::new(status), own.clock).map(Arc::new) else {
            return self.shared.clone();
        };
        known.opened.insert(
            key,
            Opened {
                upstream: upstream.clone(),
                credential: brought,
                since: now,
                last_use: now,
            },
        );
        if known.opened.len() > MAX_KEPT {
            known.make_room(now);
        }
        upstream
    }
}

/// Of a credential only this is kept as a key: with a key of its own that never leaves the process.
fn keyed_hash(upstream: &str, credential: &str) -> Hash {
    static KEY: LazyLock<Option<hmac::Key>> =
        LazyLock::new(|| hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok());
    let text = format!("{upstream}\0{credential}");
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    match &*KEY {
        Some(key) => hash.copy_from_slice(hmac::sign(key, text.as_bytes()).as_ref()),
        None => hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()),
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Rows(AtomicU64);

    impl Keeps for Rows {
        fn kept_rows(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// So many credentials, each used a second after the one before it and with so many rows.
    fn opened(credentials: u8, rows: u64) -> (ByCredential<Rows>, Instant) {
        let start = Instant::now();
        let opened = (0..credentials).map(|number| {
            let at = start + Duration::from_secs(number.into());
            let credential = Arc::new(Brought::new("one".into(), Duration::ZERO));
            (
                [number; 32],
                Opened {
                    upstream: Arc::new(Rows(rows.into())),
                    credential,
                    since: at,
                    last_use: at,
                },
            )
        });
        (
            ByCredential {
                opened: opened.collect(),
                looked: start,
            },
            start + Duration::from_secs(credentials.into()),
        )
    }

    #[test]
    fn what_was_read_with_many_credentials_is_bounded_by_rows() {
        let (mut known, now) = opened(10, MAX_ROWS / 5);
        known.make_room(now);
        assert_eq!(known.opened.len(), 5);
        assert!(
            known.opened.contains_key(&[9; 32]) && !known.opened.contains_key(&[4; 32]),
            "what was used last is kept"
        );
    }

    #[test]
    fn one_credential_may_have_read_more() {
        let (mut known, now) = opened(2, MAX_ROWS * 2);
        known.make_room(now);
        assert_eq!(known.opened.keys().collect::<Vec<_>>(), [&[1; 32]]);
    }

    #[test]
    fn what_nobody_used_is_forgotten() {
        let (mut known, now) = opened(3, 1);
        known.make_room(now + FORGOTTEN_AFTER - Duration::from_secs(2));
        assert_eq!(known.opened.len(), 1);
    }
}
