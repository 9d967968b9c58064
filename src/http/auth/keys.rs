//! The public keys of an identity provider: from a file, an address, or where its discovery document says.
//!
//! They are read when first needed and every hour, and at once when a token names a key that is not there, for keys are
//! rotated; but not more often than every ten seconds, or anybody could make us ask without end. While the provider is
//! down the keys that are known stay good for a day.

use crate::config::{Jwt, JwtKeys};
use futures_util::StreamExt;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use url::Url;

const FRESH_FOR: Duration = Duration::from_secs(3_600);
const GOOD_FOR: Duration = Duration::from_secs(24 * 3_600);
const NOT_MORE_OFTEN_THAN: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A provider publishes a handful of keys.
const MAX_BYTES: usize = 1 << 20;

/// Where keys come from, and those that are known.
pub(super) struct Keys {
    source: Source,
    known: Mutex<Known>,
    /// One reader at a time.
    turn: Semaphore,
}

enum Source {
    File(PathBuf),
    Url(reqwest::Client, Url),
    Issuer(reqwest::Client, String),
}

#[derive(Default)]
struct Known {
    keys: Option<Arc<JwkSet>>,
    read: Option<Instant>,
    tried: Option<Instant>,
}

/// The part of a discovery document that is needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Keys {
    pub fn new(jwt: &Jwt) -> Result<Self, String> {
        let client = || {
            let builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
            builder.build().map_err(|error| error.without_url().to_string())
        };
        let source = match &jwt.keys {
            JwtKeys::File(path) => Source::File(path.clone()),
            JwtKeys::Url(url) => Source::Url(client()?, url.clone()),
            JwtKeys::Discovery => Source::Issuer(client()?, jwt.issuer.clone()),
        };
        Ok(Self { source, known: Mutex::default(), turn: Semaphore::new(1) })
    }

    /// The key that a token names; the only one for a token that names none. Fails when keys can't be read at all.
    pub async fn find(&self, kid: Option<&str>) -> Result<Option<Jwk>, String> {
        if let Some(key) = self.in_hand(FRESH_FOR, kid) {
            return Ok(Some(key));
        }
        let _turn = self.turn.acquire().await.map_err(|_| "shutting down")?;
        if let Some(key) = self.in_hand(FRESH_FOR, kid) {
            return Ok(Some(key));
        }
        let tried_just_now = {
            let mut known = self.known();
            let just_now = known.tried.is_some_and(|tried| tried.elapsed() < NOT_MORE_OFTEN_THAN);
            if !just_now {
                known.tried = Some(Instant::now());
            }
            just_now
        };
        if !tried_just_now {
            match self.read().await {
                Ok(keys) => {
                    let mut known = self.known();
                    known.keys = Some(Arc::new(keys));
                    known.read = Some(Instant::now());
                }
                Err(reason) if self.known().read.is_none() => return Err(reason),
                Err(reason) => tracing::warn!(reason, "the identity provider's keys can't be read; those that are known stay in use"),
            }
        }
        let is_known = self.known().read.is_some_and(|read| read.elapsed() < GOOD_FOR);
        if is_known { Ok(self.in_hand(GOOD_FOR, kid)) } else { Err("no keys are known".to_owned()) }
    }

    /// The keys, if they need not be read again yet.
    pub fn fresh(&self) -> Option<Arc<JwkSet>> {
        let known = self.known();
        known.keys.clone().filter(|_| known.read.is_some_and(|read| read.elapsed() < FRESH_FOR))
    }

    /// As if nothing had been read yet.
    #[cfg(test)]
    pub fn forget(&self) {
        *self.known() = Known::default();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_hand(&self, age: Duration, kid: Option<&str>) -> Option<Jwk> {
        let known = self.known();
        let keys = known.keys.as_ref().filter(|_| known.read.is_some_and(|read| read.elapsed() < age))?;
        let for_signatures = |key: &&Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        match kid {
            Some(kid) => keys.keys.iter().filter(for_signatures).find(|key| key.common.key_id.as_deref() == Some(kid)).cloned(),
            None => {
                let mut keys = keys.keys.iter().filter(for_signatures);
                keys.next().filter(|_| keys.next().is_none()).cloned()
            }
        }
    }

    async fn read(&self) -> Result<JwkSet, String> {
        let bytes = match &self.source {
            Source::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
                read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?
            }
            Source::Url(client, url) => fetch(client, url.clone()).await?,
            Source::Issuer(client, issuer) => {
                let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let address = Url::parse(&address).map_err(|error| error.to_string())?;
                let is_clear_text = address.scheme() == "http";
                let discovery: Discovery =
                    serde_json::from_slice(&fetch(client, address).await?).map_err(|error| format!("the discovery document: {error}"))?;
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
        let set: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| format!("the keys: {error}"))?;
        let members = set.get("keys").and_then(|keys| keys.as_array()).ok_or("the keys: there is no `keys`")?;
        Ok(JwkSet { keys: members.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
    }
}

async fn fetch(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, String> {
    let told = |error: reqwest::Error| error.without_url().to_string();
    let response = client.get(url).header("accept", "application/json").send().await.map_err(told)?;
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
