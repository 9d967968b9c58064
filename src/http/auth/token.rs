//! Tokens of an identity provider (JWT): whose they are, for whom they were made, until when, and
//! what roles they carry.
//!
//! A page sends the same token with all that it asks for minutes. Its signature is checked once,
//! and again when the keys were read anew; its time whenever it is shown.

use super::{Identity, forbidden, grant, hidden, keys::Keys, unauthenticated};
use crate::{
    config::{Jwt, Role, is_scope},
    estate::{Grant, Named, Principal, principal::AccessClasses},
    graph::error::code,
    http::request::Rejection,
};
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use axum::http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use moka::sync::Cache;
use serde_json::{Map, Value};
use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Longer ones are no token of anybody's.
const MAX_BYTES: usize = 16 << 10;
/// Tokens that are known again.
const SEEN: u64 = 10_000;

/// Checks tokens.
pub(super) struct Tokens {
    keys: Keys,
    validation: Validation,
    name_claim: String,
    roles_claim: String,
    roles: Vec<Role>,
    access_classes: Arc<AccessClasses>,
    /// By their digests: a token is never kept.
    seen: Cache<[u8; SHA256_OUTPUT_LEN], Seen>,
}

/// A token that was found to be good.
#[derive(Clone)]
struct Seen {
    who: Identity,
    /// Those that it was held against.
    keys: Arc<JwkSet>,
    /// Its last second, by Unix time.
    until: u64,
}

impl Tokens {
    pub fn new(
        jwt: &Jwt,
        roles: &[Role],
        access_classes: Arc<AccessClasses>,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let algorithms: Vec<Algorithm> = jwt
            .algorithms
            .iter()
            .filter_map(|name| Algorithm::from_str(name).ok())
            .collect();
        let mut validation =
            Validation::new(algorithms.first().copied().unwrap_or(Algorithm::RS256));
        validation.algorithms = algorithms;
        validation.leeway = jwt.clock_skew.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&jwt.issuer]);
        validation.set_audience(&jwt.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Ok(Self {
            keys: match before.map(|before| &before.keys) {
                Some(keys) if keys.are_of(jwt) => keys.clone(),
                _ => Keys::new(jwt)?,
            },
            validation,
            name_claim: jwt.name_claim.clone(),
            roles_claim: jwt.roles_claim.clone(),
            roles: roles.to_vec(),
            access_classes,
            seen: Cache::new(SEEN),
        })
    }

    /// Whoever a token was issued to.
    pub async fn identify(&self, token: &str) -> Result<Identity, Rejection> {
        if token.len() > MAX_BYTES {
            return Err(unauthenticated("The token is longer than any."));
        }
        let mut name = [0; SHA256_OUTPUT_LEN];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        // taken before: keys that are read meanwhile are others
        let keys = self.keys.in_use();
        if let (Some(seen), Some(keys)) = (self.seen.get(&name), &keys)
            && Arc::ptr_eq(&seen.keys, keys)
            && seen.until.saturating_add(self.validation.leeway) >= now()
        {
            return Ok(seen.who);
        }
        let claims = self.claims(token).await?;
        let who = Identity::new(self.of_claims(&claims)?, &self.access_classes);
        if let (Some(keys), Some(until)) = (keys, claims.get("exp").and_then(Value::as_u64)) {
            self.seen.insert(
                name,
                Seen {
                    who: who.clone(),
                    keys,
                    until,
                },
            );
        }
        Ok(who)
    }

    /// What a token says, if it is good.
    async fn claims(&self, token: &str) -> Result<Map<String, Value>, Rejection> {
        let header = decode_header(token)
            .map_err(|_| unauthenticated("The token is none that can be read."))?;
        if !self.validation.algorithms.contains(&header.alg) {
            return Err(unauthenticated(
                "The token's signature is of a kind that is not taken here.",
            ));
        }
        let jwk = match self.keys.find(header.kid.as_deref()).await {
            Ok(Some(jwk)) => jwk,
            Ok(None) => {
                return Err(unauthenticated(
                    "The token is signed with a key that its issuer does not publish.",
                ));
            }
            // the log has the reason, once for each read
            Err(_) => {
                let message =
                    "The identity provider's keys can't be read, so the token can't be checked.";
                return Err(Rejection::later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    code::OVERLOADED,
                    message,
                    Duration::from_secs(10),
                ));
            }
        };
        if let Some(algorithm) = jwk.common.key_algorithm
            && algorithm.to_string() != format!("{:?}", header.alg)
        {
            return Err(unauthenticated(
                "The token's signature is not of the kind that its key is for.",
            ));
        }
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| {
            unauthenticated("The token is signed with a key of a kind that is not taken.")
        })?;
        // one family at a time, or the library refuses the key: all of them are for public keys
        let validation = Validation {
            algorithms: vec![header.alg],
            ..self.validation.clone()
        };
        let claims: Map<String, Value> = decode(token, &key, &validation)
            .map_err(|error| unauthenticated(why(error.kind())))?
            .claims;
        // the library takes a list in which one fits; an issuer is one text (RFC 7519, 4.1.1)
        if !claims.get("iss").is_some_and(Value::is_string) {
            return Err(unauthenticated(
                "The token's issuer (iss) must be one text.",
            ));
        }
        Ok(claims)
    }

    fn of_claims(&self, claims: &Map<String, Value>) -> Result<Principal, Rejection> {
        let Some(name) = claims
            .get(&self.name_claim)
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        else {
            return Err(unauthenticated("The token does not name its bearer."));
        };
        let carried = match claims.get(&self.roles_claim) {
            Some(Value::String(text)) if is_scope(&self.roles_claim) => text.split(' ').collect(),
            claim => names(claim),
        };
        let roles: Vec<&Role> = self
            .roles
            .iter()
            .filter(|role| carried.contains(&role.name.as_str()))
            .collect();
        if roles.is_empty() {
            return Err(forbidden(
                "The token carries no role that is good for anything here.",
            ));
        }
        let grants = roles.iter().map(|role| match &role.companies_claim {
            // a token without the claim names no company
            Some(claim) => {
                let companies = names(claims.get(claim))
                    .into_iter()
                    .map(Named::parse)
                    .collect();
                Grant {
                    companies: Some(companies),
                    ..grant(&role.sees)
                }
            }
            None => grant(&role.sees),
        });
        // a token's name is never a caller's of the settings: they have limits of their own
        let name: String = format!("token:{name}")
            .chars()
            .filter(|character| !character.is_control())
            .take(128)
            .collect();
        Ok(Principal {
            name: name.into(),
            roles: roles.iter().map(|role| role.name.as_str().into()).collect(),
            grants: grants.collect(),
            hidden: hidden(roles.iter().map(|role| role.hide)),
            debug: roles.iter().any(|role| role.debug),
        })
    }
}

/// Unix time in seconds.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// One name, or a list of them. A name may have spaces and commas in it: it is never several.
fn names(claim: Option<&Value>) -> Vec<&str> {
    let names = match claim {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names
        .into_iter()
        .filter(|name| !name.trim().is_empty())
        .collect()
}

fn why(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "The token has expired.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidAudience => "The token was made for another service.",
        ErrorKind::InvalidIssuer => "The token is of another issuer.",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks one of exp, iss and aud.",
        _ => "The token's signature does not hold.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JwtKeys;
    use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
    use serde_json::json;

    #[tokio::test]
    async fn a_token_that_was_good_ends_with_its_time_and_with_its_key() {
        let file =
            std::env::temp_dir().join(format!("veeam-graph-ending-{}.json", std::process::id()));
        let key = EncodingKey::from_ec_der(&rcgen::KeyPair::generate().unwrap().serialize_der());
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!("first");
        std::fs::write(&file, json!({"keys": [jwk]}).to_string()).unwrap();
        let jwt = Jwt {
            issuer: "issuer".to_owned(),
            audience: vec!["us".to_owned()],
            keys: JwtKeys::File(file.clone()),
            algorithms: vec!["ES256".to_owned()],
            clock_skew: Duration::ZERO,
            name_claim: "sub".to_owned(),
            roles_claim: "roles".to_owned(),
            refresh: Duration::from_secs(3_600),
            keep: Duration::from_secs(86_400),
        };
        let role = |name: &str| Role {
            name: name.to_owned(),
            ..Role::default()
        };
        let tokens = Tokens::new(&jwt, &[role("noc"), role("desk")], Arc::default(), None).unwrap();
        let token = |seconds: u64, role: &str| {
            let claims = json!({"iss": "issuer", "aud": "us", "exp": now() + seconds, "sub": "ada", "roles": [role]});
            encode(
                &Header {
                    kid: Some("first".to_owned()),
                    ..Header::new(Algorithm::ES256)
                },
                &claims,
                &key,
            )
            .unwrap()
        };
        let (short, long, other) = (token(2, "noc"), token(600, "noc"), token(600, "desk"));
        let who = async |token: &str| {
            tokens
                .identify(token)
                .await
                .map(|known| known.principal)
                .map_err(|rejection| rejection.status)
        };

        for token in [&long, &short, &long, &other] {
            assert_eq!(
                who(token).await.unwrap().roles[0],
                if *token == other { "desk" } else { "noc" }.into()
            );
        }
        assert!(
            Arc::ptr_eq(&who(&long).await.unwrap(), &who(&long).await.unwrap()),
            "it is known again"
        );
        let mut cut = long.clone();
        cut.truncate(long.len() - 1);
        assert_eq!(who(&cut).await, Err(StatusCode::UNAUTHORIZED));
        let began = std::time::Instant::now();
        while who(&short).await.is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
        }
        assert_eq!(
            (who(&short).await, who(&long).await.is_ok()),
            (Err(StatusCode::UNAUTHORIZED), true)
        );
        // its key is withdrawn
        std::fs::write(&file, json!({"keys": []}).to_string()).unwrap();
        tokens.keys.forget();
        // the first has the keys read anew, the second is held against them
        for token in [&other, &long] {
            assert_eq!(who(token).await, Err(StatusCode::UNAUTHORIZED));
        }
        std::fs::remove_file(file).unwrap();
    }
}
