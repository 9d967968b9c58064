//! The public keys of an identity provider: from a file, an address, or where its discovery
//! document says.
//!
//! They are read when first needed, and anew once they are older than `auth.jwt.refresh`. Until
//! they are older than `auth.jwt.keep` those that are known stay in use meanwhile: no token that is
//! signed with one of them waits for the provider, up or down. A token that names another key has
//! them read at once, for keys are rotated: one read for all who wait, and then none for a while,
//! longer each time that it brings nothing new, or anybody could make us ask without end.

use crate::config::{Jwt, JwtKeys};
use futures_util::StreamExt;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use url::Url;

/// After a read that failed, or was for a key that is not there: no other for this long, counted
/// from its end.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The pause doubles each time that nothing new came of it, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(160);
/// Of a whole read: the discovery document and the keys.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A provider publishes a handful of keys.
const MAX_BYTES: usize = 1 << 20;

/// Where keys come from, and those that are known.
#[derive(Clone)]
pub(super) struct Keys(Arc<Shared>);

struct Shared {
    source: Source,
    /// The settings that they are read by.
    settings: (String, JwtKeys),
    /// Older ones are read anew, aside.
    refresh: Duration,
    /// Older ones are not used.
    keep: Duration,
    state: Mutex<State>,
}

enum Source {
    File(PathBuf),
    Url(reqwest::Client, Url),
    Issuer(reqwest::Client, String),
}

#[derive(Default)]
struct State {
    /// The last that were read, and when.
    known: Option<(Arc<JwkSet>, Instant)>,
    /// When the last read ended, whatever came of it.
    ended: Option<Instant>,
    /// Why the last read failed, if it did.
    failure: Option<String>,
    /// Reads in a row of which nothing new came.
    fruitless: u32,
    /// The read that is under way; closed once it has ended.
    under_way: Option<watch::Receiver<()>>,
}

/// Why keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Those that are known are old.
    Age,
    /// None are known, or not the one that a token names.
    Missing,
}

/// The part of a discovery document that is needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl State {
    /// How long there is no other read of the same kind.
    fn pause(&self) -> Duration {
        FIRST_PAUSE
            .saturating_mul(1 << self.fruitless.saturating_sub(1).min(8))
            .min(LONGEST_PAUSE)
    }
}

impl Keys {
    pub fn new(jwt: &Jwt) -> Result<Self, String> {
        let client = || {
            let builder = reqwest::Client::builder()
                .timeout(TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy();
            builder
                .build()
                .map_err(|error| error.without_url().to_string())
        };
        let source = match &jwt.keys {
            JwtKeys::File(path) => Source::File(path.clone()),
            JwtKeys::Url(url) => Source::Url(client()?, url.clone()),
            JwtKeys::Discovery => Source::Issuer(client()?, jwt.issuer.clone()),
        };
        Ok(Self(Arc::new(Shared {
            source,
            settings: (jwt.issuer.clone(), jwt.keys.clone()),
            refresh: jwt.refresh,
            keep: jwt.keep,
            state: Mutex::default(),
        })))
    }

    /// Whether they would be read in the same way by these settings.
    pub fn are_of(&self, jwt: &Jwt) -> bool {
        let Shared {
            settings: (issuer, keys),
            refresh,
            keep,
            ..
        } = &*self.0;
        (issuer, keys, refresh, keep) == (&jwt.issuer, &jwt.keys, &jwt.refresh, &jwt.keep)
    }

    /// The key that a token names; the only one for a token that names none. Fails when keys can't
    /// be read.
    pub async fn find(&self, kid: Option<&str>) -> Result<Option<Jwk>, String> {
        if let Some(key) = self.in_use().and_then(|keys| pick(&keys, kid)) {
            return Ok(Some(key));
        }
        if let Some(mut read) = self.read_aside(Cause::Missing) {
            // an error says that it has ended: nothing is ever sent
            let _ = read.changed().await;
        }
        let keys = self.in_use();
        match (
            keys.as_deref().and_then(|keys| pick(keys, kid)),
            &self.state().failure,
        ) {
            (Some(key), _) => Ok(Some(key)),
            // it may be a new one: whether it is published could not be found out
            (None, Some(reason)) => Err(reason.clone()),
            (None, None) if keys.is_none() => Err("no keys are known".to_owned()),
            (None, None) => Ok(None),
        }
    }

    /// The keys that are known, if they are not too old to be used. Old ones are read anew
    /// meanwhile.
    pub fn in_use(&self) -> Option<Arc<JwkSet>> {
        let (keys, read) = self.state().known.clone()?;
        if read.elapsed() >= self.0.refresh {
            self.read_aside(Cause::Age);
        }
        (read.elapsed() < self.0.keep).then_some(keys)
    }

    /// The read that is under way, or else another, unless it is too early for one.
    fn read_aside(&self, cause: Cause) -> Option<watch::Receiver<()>> {
        let mut state = self.state();
        if let Some(under_way) = state
            .under_way
            .as_ref()
            .filter(|read| read.has_changed().is_ok())
        {
            return Some(under_way.clone());
        }
        let pauses = cause == Cause::Missing || state.failure.is_some();
        if pauses
            && state
                .ended
                .is_some_and(|ended| ended.elapsed() < state.pause())
        {
            return None;
        }
        let (ends, under_way) = watch::channel(());
        state.under_way = Some(under_way.clone());
        let keys = self.clone();
        // its own task: whoever asked first may leave, others wait for it too
        tokio::spawn(async move {
            keys.read_anew(cause).await;
            drop(ends);
        });
        Some(under_way)
    }

    async fn read_anew(&self, cause: Cause) {
        let read = tokio::time::timeout(TIMEOUT, self.0.source.read()).await;
        let read =
            read.unwrap_or_else(|_| Err(format!("no answer within {} s", TIMEOUT.as_secs())));
        let mut state = self.state();
        let now = Instant::now();
        state.ended = Some(now);
        match read {
            Ok(keys) => {
                let same = state
                    .known
                    .take()
                    .map(|(known, _)| known)
                    .filter(|known| **known == keys);
                state.fruitless = if same.is_some() && cause == Cause::Missing {
                    state.fruitless.saturating_add(1)
                } else {
                    0
                };
                state.known = Some((same.unwrap_or_else(|| Arc::new(keys)), now));
                state.failure = None;
            }
            Err(reason) => {
                let known_for = state
                    .known
                    .as_ref()
                    .map(|(_, read)| read.elapsed().as_secs());
                tracing::warn!(
                    reason,
                    known_for_seconds = known_for,
                    "the identity provider's keys can't be read; those that are known stay in use until auth.jwt.keep is over"
                );
                state.fruitless = state.fruitless.saturating_add(1);
                state.failure = Some(reason);
            }
        }
    }

    /// As if nothing had been read yet.
    #[cfg(test)]
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pick(keys: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    let mut keys = keys
        .keys
        .iter()
        .filter(|key| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption)));
    match kid {
        Some(kid) => keys
            .find(|key| key.common.key_id.as_deref() == Some(kid))
            .cloned(),
        None => keys.next().filter(|_| keys.next().is_none()).cloned(),
    }
}

impl Source {
    async fn read(&self) -> Result<JwkSet, String> {
        let bytes = match self {
            Source::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
                read.map_err(|error| error.to_string())?
                    .map_err(|error| error.to_string())?
            }
            Source::Url(client, url) => fetch(client, url.clone()).await?,
            Source::Issuer(client, issuer) => {
                let address = format!(
                    "{}/.well-known/openid-configuration",
                    issuer.trim_end_matches('/')
                );
                let address = Url::parse(&address).map_err(|error| error.to_string())?;
                let is_clear_text = address.scheme() == "http";
                let discovery: Discovery =
                    serde_json::from_slice(&fetch(client, address).await?)
                        .map_err(|error| format!("the discovery document: {error}"))?;
                if discovery.issuer != *issuer {
                    return Err("the discovery document is of another issuer".to_owned());
                }
                let keys = Url::parse(&discovery.jwks_uri).map_err(|error| error.to_string())?;
                if keys.scheme() != "https" && !is_clear_text {
                    return Err("the discovery document leads to keys in clear text".to_owned());
                }
                fetch(client, keys).await?
            }
        };
        // a key of a kind that the library does not know must not cost the others
        let set: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| format!("the keys: {error}"))?;
        let members = set
            .get("keys")
            .and_then(|keys| keys.as_array())
            .ok_or("the keys: there is no `keys`")?;
        Ok(JwkSet {
            keys: members
                .iter()
                .filter_map(|key| serde_json::from_value(key.clone()).ok())
                .collect(),
        })
    }
}

async fn fetch(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, String> {
    let told = |error: reqwest::Error| error.without_url().to_string();
    let response = client
        .get(url)
        .header("accept", "application/json")
        .send()
        .await
        .map_err(told)?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(told)?);
        if body.len() > MAX_BYTES {
            return Err(format!("more than {MAX_BYTES} bytes"));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(file: &std::path::Path, kids: &[&str]) {
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| serde_json::json!({"kty": "oct", "kid": kid, "k": "AA"}))
            .collect();
        std::fs::write(file, serde_json::json!({ "keys": keys }).to_string()).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_not_there_is_looked_for_less_and_less_often() {
        let file =
            std::env::temp_dir().join(format!("veeam-graph-pauses-{}.json", std::process::id()));
        publish(&file, &["first"]);
        let seconds = Duration::from_secs;
        let shared = Shared {
            settings: (String::new(), JwtKeys::Discovery),
            source: Source::File(file.clone()),
            refresh: seconds(3_600),
            keep: seconds(86_400),
            state: Mutex::default(),
        };
        let keys = Keys(Arc::new(shared));
        let is_known = async |kid: &str| keys.find(Some(kid)).await.map(|key| key.is_some());
        let tries = || keys.state().fruitless;
        assert_eq!(is_known("next").await, Ok(false));
        for (nth, pause) in [10, 10, 20, 40, 80, 160, 160].into_iter().enumerate() {
            tokio::time::advance(seconds(pause) - Duration::from_millis(1)).await;
            assert_eq!(
                (is_known("next").await, tries() as usize),
                (Ok(false), nth),
                "after {pause} s"
            );
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(
                (is_known("next").await, tries() as usize),
                (Ok(false), nth + 1),
                "after {pause} s"
            );
        }
        // the read that finds it ends the pauses
        publish(&file, &["first", "next"]);
        assert_eq!(is_known("next").await, Ok(false));
        tokio::time::advance(LONGEST_PAUSE).await;
        assert_eq!(
            (is_known("next").await, is_known("first").await, tries()),
            (Ok(true), Ok(true), 0)
        );
        std::fs::remove_file(&file).unwrap();

        // it can't be read: what is known serves for a day, and no longer
        tokio::time::advance(seconds(23 * 3_600)).await;
        assert_eq!(is_known("first").await, Ok(true));
        assert!(
            is_known("another").await.is_err(),
            "whether there is such a key can't be told"
        );
        tokio::time::advance(seconds(3_600)).await;
        assert!(is_known("first").await.is_err());
        publish(&file, &["first"]);
        tokio::time::advance(LONGEST_PAUSE).await;
        assert_eq!(is_known("first").await, Ok(true));
        std::fs::remove_file(file).unwrap();
    }
}
