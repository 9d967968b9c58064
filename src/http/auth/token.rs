//! Tokens of an identity provider (JWT): whose they are, for whom they were made, until when, and what roles they carry.

use super::{forbidden, grant, hidden, keys::Keys, unauthenticated};
use crate::{
    config::{Jwt, Role},
    estate::{Grant, Named, Principal},
    graph::error::code,
    http::asking::Rejection,
};
use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use serde_json::{Map, Value};
use std::{str::FromStr, sync::Arc, time::Duration};

/// Longer ones are no token of anybody's.
const MAX_BYTES: usize = 16 << 10;

/// Checks tokens.
pub(super) struct Tokens {
    keys: Keys,
    validation: Validation,
    name_claim: String,
    roles_claim: String,
    roles: Vec<Role>,
}

impl Tokens {
    pub fn new(jwt: &Jwt, roles: &[Role]) -> Result<Self, String> {
        let algorithms: Vec<Algorithm> = jwt.algorithms.iter().filter_map(|name| Algorithm::from_str(name).ok()).collect();
        let mut validation = Validation::new(algorithms.first().copied().unwrap_or(Algorithm::RS256));
        validation.algorithms = algorithms;
        validation.leeway = jwt.clock_skew.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&jwt.issuer]);
        validation.set_audience(&jwt.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Ok(Self {
            keys: Keys::new(jwt)?,
            validation,
            name_claim: jwt.name_claim.clone(),
            roles_claim: jwt.roles_claim.clone(),
            roles: roles.to_vec(),
        })
    }

    /// Whoever a token was issued to.
    pub async fn principal(&self, token: &str) -> Result<Arc<Principal>, Rejection> {
        if token.len() > MAX_BYTES {
            return Err(unauthenticated("The token is longer than any."));
        }
        let header = decode_header(token).map_err(|_| unauthenticated("The token is none that can be read."))?;
        if !self.validation.algorithms.contains(&header.alg) {
            return Err(unauthenticated("The token's signature is of a kind that is not taken here."));
        }
        let jwk = match self.keys.find(header.kid.as_deref()).await {
            Ok(Some(jwk)) => jwk,
            Ok(None) => return Err(unauthenticated("The token is signed with a key that its issuer does not publish.")),
            Err(reason) => {
                tracing::warn!(reason, "the identity provider's keys can't be read");
                let message = "The identity provider's keys can't be read, so the token can't be checked.";
                return Err(Rejection::later(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, message, Duration::from_secs(10)));
            }
        };
        if let Some(algorithm) = jwk.common.key_algorithm
            && algorithm.to_string() != format!("{:?}", header.alg)
        {
            return Err(unauthenticated("The token's signature is not of the kind that its key is for."));
        }
        let key =
            DecodingKey::from_jwk(&jwk).map_err(|_| unauthenticated("The token is signed with a key of a kind that is not taken."))?;
        // one family at a time, or the library refuses the key: all of them are for public keys
        let validation = Validation { algorithms: vec![header.alg], ..self.validation.clone() };
        let claims = decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| unauthenticated(why(error.kind())))?.claims;
        self.of_claims(&claims)
    }

    fn of_claims(&self, claims: &Map<String, Value>) -> Result<Arc<Principal>, Rejection> {
        let Some(name) = claims.get(&self.name_claim).and_then(Value::as_str).filter(|name| !name.is_empty()) else {
            return Err(unauthenticated("The token does not name its bearer."));
        };
        let carried = texts(claims.get(&self.roles_claim));
        let roles: Vec<&Role> = self.roles.iter().filter(|role| carried.contains(&role.name.as_str())).collect();
        if roles.is_empty() {
            return Err(forbidden("The token carries no role that is good for anything here."));
        }
        let grants = roles.iter().map(|role| match &role.companies_claim {
            // a token without the claim names no company
            Some(claim) => {
                let companies = texts(claims.get(claim)).into_iter().map(Named::parse).collect();
                Grant { companies: Some(companies), ..grant(&role.sees) }
            }
            None => grant(&role.sees),
        });
        // a token's name is never a caller's of the settings: they have limits of their own
        let name: String = format!("token:{name}").chars().filter(|character| !character.is_control()).take(128).collect();
        Ok(Arc::new(Principal {
            name: name.into(),
            roles: roles.iter().map(|role| role.name.as_str().into()).collect(),
            grants: grants.collect(),
            hidden: hidden(roles.iter().map(|role| role.hide)),
            debug: roles.iter().any(|role| role.debug),
        }))
    }
}

/// A list of texts, or texts in one, parted by spaces.
fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(text)) => text.split(' ').filter(|part| !part.is_empty()).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
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
