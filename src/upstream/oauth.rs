//! `POST …/token`: the OAuth 2.0 password and refresh grants of Service Provider Console v3 and its v2.

use super::{
    client::Opener,
    error::{Error, ErrorKind},
    settings::Credentials,
    sign_in::Session,
    transport::{Proof, Transport},
};
use http::{HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use url::form_urlencoded;

/// Opens bearer sessions at `path`.
#[derive(Debug)]
pub(super) struct OAuth {
    pub path: &'static str,
    pub credentials: Credentials,
    /// v3 issues read-only tokens on request. We always request.
    pub read_only: bool,
}

#[derive(Deserialize)]
struct Grant {
    access_token: Option<String>,
    refresh_token: Option<SecretString>,
    mfa_token: Option<String>,
    encrypted_code: Option<String>,
    /// Seconds.
    expires_in: Option<u64>,
}

impl Opener for OAuth {
    async fn open(&self, transport: &Transport, expired: Option<Arc<Session>>) -> Result<Session, Error> {
        if let Some(token) = expired.as_deref().and_then(|session| session.refresh_token.as_ref()) {
            let form = self.form(&[("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())]);
            match self.grant(transport, form).await {
                // A refresh token that is no longer taken is no failure: the password opens a new session.
                Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::Unauthorized) => {}
                outcome => return outcome,
            }
        }
        let Credentials::Password { username, password } = &self.credentials else {
            return Err(transport.error(ErrorKind::Unauthorized, "the caller brought no token, and the gateway has none"));
        };
        let form = self.form(&[("grant_type", "password"), ("username", username), ("password", password.expose_secret())]);
        self.grant(transport, form).await.map_err(|mut error| {
            if error.kind == ErrorKind::Rejected {
                // OAuth answers a wrong password with 400
                error.kind = ErrorKind::Unauthorized;
                error.detail = "the sign-in was refused: wrong user name or password, or no right to use the API".to_owned();
            }
            error
        })
    }

    fn standing_proof(&self) -> Option<Proof> {
        match &self.credentials {
            Credentials::ApiKey(key) | Credentials::OfCaller(Some(key)) => bearer(key.expose_secret()),
            Credentials::Password { .. } | Credentials::OfCaller(None) => None,
        }
    }
}

impl OAuth {
    fn form(&self, pairs: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        if self.read_only {
            form.append_pair("readOnly", "true");
        }
        form.finish()
    }

    async fn grant(&self, transport: &Transport, form: String) -> Result<Session, Error> {
        let reply = transport.post_to_sign_in(self.path, None, Some(form)).await?;
        let invalid = || transport.error(ErrorKind::Invalid, "the answer to the sign-in is no token");
        if !reply.media_type().contains("json") {
            return Err(invalid());
        }
        let grant: Grant = serde_json::from_slice(&reply.body).map_err(|_| invalid())?;
        if grant.access_token.is_none() && (grant.mfa_token.is_some() || grant.encrypted_code.is_some()) {
            let detail = "the account asks for a second factor; use an API key, or an account without one";
            return Err(transport.error(ErrorKind::Unauthorized, detail));
        }
        let proof = grant.access_token.as_deref().and_then(bearer).ok_or_else(invalid)?;
        let renew_at = grant.expires_in.map(|seconds| {
            // a little early, so that no read starts with a token that ends under way
            Instant::now() + Duration::from_secs(seconds.saturating_sub((seconds / 10).min(60)))
        });
        Ok(Session { proof, renew_at, refresh_token: grant.refresh_token, id: None })
    }
}

fn bearer(token: &str) -> Option<Proof> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some((header::AUTHORIZATION, value))
}
