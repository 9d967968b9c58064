//! Automatic persisted queries, as Apollo's clients ask them: a document by its hash, and in full
//! once, where it is not known.
//!
//! A document is kept by the hash that we made of it, and only if it fits the schema. What is kept
//! is bounded; what was not asked for longest goes first.

use super::{
    request::{Parameters, Rejection},
    trusted::List,
};
use crate::graph::error::code;
use aws_lc_rs::digest;
use axum::http::StatusCode;
use foldhash::quality::RandomState;
use moka::{policy::EvictionPolicy, sync::Cache};
use serde_json::Value;
use std::sync::Arc;

/// What a document takes besides its text, roughly.
const ENTRY_BYTES: usize = 256;

/// SHA-256 of a document's text.
pub(super) type Hash = [u8; 32];

/// Documents by their hashes.
pub(super) struct Persisted(Cache<Hash, Arc<str>, RandomState>);

/// The document that a request means.
pub(super) struct ResolvedDocument {
    pub text: Arc<str>,
    /// It came with its hash: from now on that is enough, if it fits the schema.
    pub first: Option<Hash>,
}

impl Persisted {
    /// Room for that many bytes.
    pub fn new(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_: &Hash, text: &Arc<str>| {
                u32::try_from(text.len() + ENTRY_BYTES).unwrap_or(u32::MAX)
            })
            // the usual policy prefers what was asked for often: what is new might never get in,
            // and be sent in full for ever
            .eviction_policy(EvictionPolicy::lru())
            .build_with_hasher(RandomState::default());
        Self(cache)
    }

    /// The document of a request: its text, or the one that its id or hash names.
    pub fn meant(
        &self,
        parameters: &mut Parameters,
        trusted: Option<&List>,
    ) -> Result<ResolvedDocument, Rejection> {
        let query = parameters.query.take();
        let persisted = parameters
            .extensions
            .as_ref()
            .and_then(|extensions| extensions.get("persistedQuery"));
        let by_hash = persisted
            .filter(|persisted| !persisted.is_null())
            .map(named)
            .transpose()?;
        // an empty text is a mistake, unless there is something better
        let is_named = by_hash.is_some() || parameters.document_id.is_some();
        let Some(query) = query.filter(|query| !is_named || !query.is_empty()) else {
            let id = parameters.document_id.as_deref().or(by_hash.flatten());
            let Some(id) = id.or(by_hash.map(|_| "")) else {
                return Err(Rejection::unreadable(
                    StatusCode::BAD_REQUEST,
                    "There is no query.",
                ));
            };
            let known = || {
                self.0
                    .get(&unhex(id.strip_prefix("sha256:").unwrap_or(id))?)
            };
            let text = trusted.and_then(|list| list.get(id)).or_else(known);
            // clients answer this by sending the whole query
            let unknown = || Rejection {
                status: StatusCode::OK,
                ..Rejection::graphql(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
            };
            return Ok(ResolvedDocument {
                text: text.ok_or_else(unknown)?,
                first: None,
            });
        };
        let Some(claimed) = by_hash else {
            return Ok(ResolvedDocument {
                text: query.into(),
                first: None,
            });
        };
        let is_trusted = |id: &&str| {
            trusted
                .and_then(|list| list.get(id))
                .is_some_and(|text| *text == *query)
        };
        if claimed.as_ref().is_some_and(is_trusted) {
            return Ok(ResolvedDocument {
                text: query.into(),
                first: None,
            });
        }
        let made = hash(&query);
        match claimed.and_then(unhex) {
            Some(claimed) if claimed == made => Ok(ResolvedDocument {
                text: query.into(),
                first: Some(made),
            }),
            _ => {
                let message = "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`, as 64 hexadecimal digits.";
                Err(Rejection::graphql(code::BAD_USER_INPUT, message))
            }
        }
    }

    /// Keeps a document that fits the schema.
    pub fn keep(&self, hash: Hash, text: Arc<str>) {
        self.0.insert(hash, text);
    }
}

/// The SHA-256 of a document.
pub(super) fn hash(text: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// The hash in `extensions.persistedQuery`, whatever it is.
fn named(persisted: &Value) -> Result<Option<&str>, Rejection> {
    let wrong = |message: &str| Rejection::graphql(code::BAD_USER_INPUT, message);
    let Value::Object(members) = persisted else {
        return Err(wrong(
            "`extensions.persistedQuery` must be an object with `version` and `sha256Hash`.",
        ));
    };
    if members.get("version").is_some_and(|version| version != 1) {
        return Err(wrong(
            "`extensions.persistedQuery.version` must be 1; there is no other here.",
        ));
    }
    Ok(members.get("sha256Hash").and_then(Value::as_str))
}

fn unhex(text: &str) -> Option<Hash> {
    let digits: Vec<u8> = text
        .chars()
        .map_while(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameters(query: Option<&str>, hash: &str) -> Parameters {
        let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
        Parameters {
            query: query.map(str::to_owned),
            extensions: extensions.as_object().cloned(),
            ..Parameters::default()
        }
    }

    fn hex(text: &str) -> String {
        digest::digest(&digest::SHA256, text.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect()
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_new_gets_in() {
        let persisted = Persisted::new(20 * 1_024);
        let text = |at: usize| format!("query Q{at} {{ {} }}", "a ".repeat(400));
        for at in 0..200 {
            let text = text(at);
            let first = persisted
                .meant(&mut parameters(Some(&text), &hex(&text)), None)
                .unwrap();
            persisted.keep(first.first.unwrap(), first.text);
            persisted.0.run_pending_tasks();
            assert!(persisted.0.weighted_size() <= 20 * 1_024);
            assert_eq!(
                &*persisted
                    .meant(&mut parameters(None, &hex(&text)), None)
                    .unwrap()
                    .text,
                text,
                "the newest is there"
            );
        }
        assert!(
            persisted
                .meant(&mut parameters(None, &hex(&text(0))), None)
                .is_err(),
            "the oldest is gone"
        );
    }

    #[test]
    fn a_hash_is_64_digits() {
        assert!(unhex(&hex("a")).is_some() && unhex(&hex("a").to_lowercase()).is_some());
        for bad in [
            "",
            "abc",
            &"g".repeat(64),
            &"0".repeat(63),
            &"0".repeat(65),
            &"é".repeat(32),
        ] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
