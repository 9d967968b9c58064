//! Who a caller is: by a key, a token of an identity provider, a certificate, or nobody in
//! particular.
//!
//! What is shown is checked before a body is read. A wrong key is never 'nobody in particular'.
//! Keys are known by their digest only: it is looked up, and compared in constant time; nothing
//! that was shown is logged.

mod keys;
mod token;

use super::{API_KEY, headers::HeaderMapExt, request::Rejection};
use crate::{
    config::{Caller, Config, Hide, Role, Sees},
    estate::{
        Estate, ForwardedCredentials, Grant, Hidden, Named, Principal,
        principal::{AccessClass, AccessClasses},
    },
    graph::error::code,
    upstream::settings::Kind,
};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::Arc};
use token::Tokens;

/// What the vendor's own clients of Enterprise Manager show.
const SESSION: HeaderName = HeaderName::from_static("x-restsvcsessionid");

/// What a connection tells of whoever is on its other side.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub address: std::net::IpAddr,
    /// SHA-256 of the certificate that it proved to have.
    pub certificate: Option<[u8; 32]>,
}

/// A key or token, as it was shown.
#[derive(Clone, Default)]
pub(super) enum Credential {
    #[default]
    Nothing,
    Secret(String),
    /// Two at once, or something that is neither.
    Unclear,
}

/// The payload of a WebSocket's `connection_init` as headers, for browsers, which can't set those
/// there.
pub(super) fn headers_in(payload: &Map<String, Value>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in payload {
        let name = match name.to_ascii_lowercase().as_str() {
            "apikey" => "x-api-key".to_owned(),
            name => name.to_owned(),
        };
        if let (Ok(name), Some(value)) = (
            name.parse::<header::HeaderName>(),
            value.as_str().and_then(|value| value.parse().ok()),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

/// What callers bring for upstreams that are read with it: `X-Upstream-<name>: <token or session>`,
/// or what the vendor's own clients send, where that can't be meant for us.
pub(super) fn passed(
    estate: &Estate,
    authenticator: &Authenticator,
    headers: &HeaderMap,
) -> ForwardedCredentials {
    // of two of one name, which is meant?
    let text = |name: &HeaderName| {
        headers
            .one(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let bare = |text: &str| match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
        _ => text.to_owned(),
    };
    let mut passed = ForwardedCredentials::default();
    for (name, kind) in estate.of_callers() {
        let by_name = HeaderName::try_from(format!("x-upstream-{name}"))
            .ok()
            .and_then(|name| text(&name));
        let as_vendor = || match kind {
            Kind::EnterpriseManager => text(&SESSION),
            Kind::Vspc | Kind::Vac => {
                text(&header::AUTHORIZATION).filter(|_| authenticator.knows_nobody())
            }
        };
        if let Some(credential) = by_name.or_else(as_vendor) {
            passed.add(name.clone(), bare(credential).into());
        }
    }
    passed
}

/// The headers that such credentials come in, but for `Authorization`.
pub(super) fn headers_for(estate: &Estate) -> Vec<HeaderName> {
    let names = estate.of_callers().iter().flat_map(|(name, kind)| {
        let as_vendor = matches!(kind, Kind::EnterpriseManager).then_some(SESSION);
        HeaderName::try_from(format!("x-upstream-{name}"))
            .ok()
            .into_iter()
            .chain(as_vendor)
    });
    let mut names: Vec<HeaderName> = names.collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names
}

/// Somebody who is known.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub principal: Arc<Principal>,
    pub access_class: AccessClass,
}

/// Knows callers.
pub(super) struct Authenticator {
    anonymous: Option<Identity>,
    keys: HashMap<[u8; 32], Identity>,
    certificates: HashMap<[u8; 32], Identity>,
    tokens: Option<Tokens>,
}

impl Credential {
    /// From a request's headers: `Authorization: Bearer …` or `X-API-Key: …`.
    pub fn in_headers(headers: &HeaderMap) -> Self {
        let mut shown = Vec::new();
        for value in headers.get_all(&header::AUTHORIZATION).iter() {
            let Some((scheme, secret)) = value
                .to_str()
                .ok()
                .and_then(|value| value.trim().split_once(' '))
            else {
                return Credential::Unclear;
            };
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Credential::Unclear;
            }
            shown.push(secret.trim());
        }
        for value in headers.get_all(&API_KEY).iter() {
            let Ok(secret) = value.to_str() else {
                return Credential::Unclear;
            };
            shown.push(secret.trim());
        }
        Self::one(&shown)
    }

    /// From the payload of a WebSocket's `connection_init`, for browsers, which can't set headers
    /// there.
    fn one(shown: &[&str]) -> Self {
        match shown {
            [] => Credential::Nothing,
            [secret] if !secret.is_empty() => Credential::Secret((*secret).to_owned()),
            _ => Credential::Unclear,
        }
    }
}

impl Identity {
    fn new(principal: Principal, access_classes: &AccessClasses) -> Self {
        let principal = Arc::new(principal);
        Self {
            access_class: access_classes.of(&principal),
            principal,
        }
    }
}

impl Authenticator {
    /// From the settings. The keys of an identity provider are passed on from the one before, so
    /// that nobody waits for it, up or down. Fails where an identity provider's keys are a file that can't be used.
    pub fn new(config: &Config, before: Option<&Self>) -> Result<Self, String> {
        let access_classes = Arc::<AccessClasses>::default();
        let known = |principal: Principal| Identity::new(principal, &access_classes);
        let (mut keys, mut certificates) = (HashMap::new(), HashMap::new());
        for caller in &config.auth.callers {
            let known = known(principal(caller, &config.auth.roles));
            keys.extend(caller.keys.iter().map(|key| (*key, known.clone())));
            certificates.extend(
                caller
                    .certificates
                    .iter()
                    .map(|certificate| (*certificate, known.clone())),
            );
        }
        // where nobody is known, whoever asks is at the machine itself, or was let in on purpose
        let debug = config.auth.callers.is_empty() && config.auth.jwt.is_none();
        let anonymous = config.takes_anonymous().then(|| {
            known(Principal {
                debug,
                ..Principal::everything("anonymous")
            })
        });
        let tokens = config
            .auth
            .jwt
            .as_ref()
            .map(|jwt| {
                let before = before.and_then(|before| before.tokens.as_ref());
                Tokens::new(jwt, &config.auth.roles, access_classes.clone(), before)
            })
            .transpose()?;
        Ok(Self {
            anonymous,
            keys,
            certificates,
            tokens,
        })
    }

    /// Who somebody is, by what they show.
    pub async fn identify(
        &self,
        shown: &Credential,
        peer: &Peer,
        is_for_upstream: bool,
    ) -> Result<Identity, Rejection> {
        match shown {
            // a token that is an upstream's, where nobody's is ours
            _ if is_for_upstream && self.knows_nobody() => self
                .anonymous
                .clone()
                .ok_or_else(|| unauthenticated("Nobody may ask here.")),
            Credential::Unclear => Err(unauthenticated(
                "Show one thing: `Authorization: Bearer <key or token>`, or `X-API-Key: <key>`.",
            )),
            Credential::Secret(secret) => match (self.by_key(secret), &self.tokens) {
                (Some(known), _) => Ok(known),
                (None, Some(tokens)) if secret.matches('.').count() == 2 => {
                    Box::pin(tokens.identify(secret)).await
                }
                _ => Err(unauthenticated("The key is not known here.")),
            },
            Credential::Nothing => {
                let by_certificate = peer
                    .certificate
                    .and_then(|certificate| self.certificates.get(&certificate));
                let known = by_certificate.or(self.anonymous.as_ref()).cloned();
                known.ok_or_else(|| {
                    unauthenticated(
                        "Who asks? Send a key or a token: `Authorization: Bearer <key or token>`.",
                    )
                })
            }
        }
    }

    /// Whether there is nobody whose key or token could be shown.
    pub fn knows_nobody(&self) -> bool {
        self.keys.is_empty() && self.certificates.is_empty() && self.tokens.is_none()
    }

    /// Whether anybody may ask.
    pub fn takes_anybody(&self) -> bool {
        self.anonymous.is_some()
    }

    fn by_key(&self, secret: &str) -> Option<Identity> {
        let found = digest::digest(&digest::SHA256, secret.as_bytes());
        let (digest, known) = self.keys.get_key_value(found.as_ref())?;
        verify_slices_are_equal(digest, found.as_ref())
            .ok()
            .map(|()| known.clone())
    }
}

pub(super) fn unauthenticated(message: &str) -> Rejection {
    Rejection {
        code: code::UNAUTHENTICATED,
        ..Rejection::unreadable(StatusCode::UNAUTHORIZED, message)
    }
}

pub(super) fn forbidden(message: &str) -> Rejection {
    Rejection {
        code: code::FORBIDDEN,
        ..Rejection::unreadable(StatusCode::FORBIDDEN, message)
    }
}

/// A caller of the settings.
pub fn principal(caller: &Caller, roles: &[Role]) -> Principal {
    let roles = roles
        .iter()
        .filter(|role| caller.roles.contains(&role.name));
    Principal {
        name: caller.name.as_str().into(),
        roles: caller
            .roles
            .iter()
            .map(|role| role.as_str().into())
            .collect(),
        grants: roles
            .clone()
            .map(|role| &role.sees)
            .chain(&caller.sees)
            .map(grant)
            .collect(),
        hidden: hidden(roles.clone().map(|role| role.hide).chain([caller.hide])),
        debug: caller.debug || roles.clone().any(|role| role.debug),
    }
}

fn grant(sees: &Sees) -> Grant {
    Grant {
        upstreams: sees
            .upstreams
            .as_ref()
            .map(|names| names.iter().map(|name| name.as_str().into()).collect()),
        companies: sees
            .companies
            .as_ref()
            .map(|names| names.iter().map(|name| Named::parse(name)).collect()),
        servers: sees
            .servers
            .as_ref()
            .map(|names| names.iter().map(|name| Named::parse(name)).collect()),
    }
}

/// What any of them hides is hidden.
fn hidden(hides: impl Iterator<Item = Hide>) -> Hidden {
    hides.fold(Hidden::default(), |hidden, hide| Hidden {
        failure_messages: hidden.failure_messages || hide.failure_messages,
        host_names: hidden.host_names || hide.host_names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_is_taken_from_one_place() {
        let shown = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            match Credential::in_headers(&headers) {
                Credential::Nothing => "nothing".to_owned(),
                Credential::Secret(secret) => format!("secret {secret}"),
                Credential::Unclear => "unclear".to_owned(),
            }
        };
        assert_eq!(shown(&[]), "nothing");
        assert_eq!(shown(&[("authorization", "bearer  k ")]), "secret k");
        assert_eq!(shown(&[("x-api-key", "k")]), "secret k");
        for unclear in [
            &[("authorization", "Basic dTpw")][..],
            &[("authorization", "Bearer ")],
            &[("x-api-key", "")],
            &[("authorization", "Bearer a"), ("x-api-key", "a")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        ] {
            assert_eq!(shown(unclear), "unclear", "{unclear:?}");
        }
    }
}
