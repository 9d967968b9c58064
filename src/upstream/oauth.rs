//! `POST …/token`: the OAuth 2.0 password and refresh grants of Service Provider Console v3 and its
//! v2.

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

/// Consoles say an hour. Renewing once a day costs nothing, whatever a server says of its tokens.
const LONGEST_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// So much earlier, or a tenth, a token is renewed: no read starts with one that ends under way.
const EARLY: Duration = Duration::from_secs(60);

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
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Grant {
    /// How long the token is good for. What is no number is not known: the token is renewed once it
    /// is refused.
    fn lifetime(&self) -> Option<Duration> {
        let seconds = match &self.expires_in {
            serde_json::Value::Number(number) => number.as_f64()?,
            serde_json::Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        // of a negative number and of one that is none nothing can be told either
        (seconds >= 0.0).then(|| {
            Duration::try_from_secs_f64(seconds)
                .unwrap_or(LONGEST_TOKEN)
                .min(LONGEST_TOKEN)
        })
    }
}

impl Opener for OAuth {
    async fn open(
        &self,
        transport: &Transport,
        expired: Option<Arc<Session>>,
    ) -> Result<Session, Error> {
        if let Some(token) = expired
            .as_deref()
            .and_then(|session| session.refresh_token.as_ref())
        {
            let form = self.form(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", token.expose_secret()),
            ]);
            match self.grant(transport, form).await {
                // A refresh token that is no longer taken is no failure: the password opens a new
                // session.
                Err(error)
                    if matches!(error.kind, ErrorKind::Rejected | ErrorKind::Unauthorized) =>
                {
                    drop(error.told(None))
                }
                outcome => return outcome.map_err(|error| error.told(None)),
            }
        }
        let Credentials::Password { username, password } = &self.credentials else {
            return Err(transport.error(
                ErrorKind::Unauthorized,
                "the caller brought no token, and the gateway has none",
            ));
        };
        let form = self.form(&[
            ("grant_type", "password"),
            ("username", username),
            ("password", password.expose_secret()),
        ]);
        // OAuth answers a wrong password with 400
        self.grant(transport, form)
            .await
            .map_err(|error| error.of_sign_in().told(None))
    }

    fn standing_proof(&self) -> Option<Proof> {
        match &self.credentials {
            Credentials::ApiKey(key) => bearer(key.expose_secret()),
            Credentials::OfCaller(Some(brought)) => bearer(brought.secret.expose_secret()),
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
        let reply = transport
            .post_to_sign_in(self.path, None, Some(form))
            .await?;
        let invalid = || {
            transport
                .error(
                    ErrorKind::Invalid,
                    "the answer to the sign-in is no token, expected one",
                )
                .at(self.path, None)
                .told(None)
        };
        if !reply.media_type().contains("json") {
            return Err(invalid());
        }
        let grant: Grant = serde_json::from_slice(
            reply
                .body
                .strip_prefix(b"\xEF\xBB\xBF")
                .unwrap_or(&reply.body),
        )
        .map_err(|_| invalid())?;
        if grant.access_token.is_none()
            && (grant.mfa_token.is_some() || grant.encrypted_code.is_some())
        {
            let detail =
                "the account asks for a second factor; use an API key, or an account without one";
            return Err(transport
                .error(ErrorKind::Unauthorized, detail)
                .at(self.path, None)
                .told(None));
        }
        let proof = grant
            .access_token
            .as_deref()
            .and_then(bearer)
            .ok_or_else(invalid)?;
        let renew_at = grant
            .lifetime()
            .map(|lifetime| Instant::now() + lifetime.saturating_sub((lifetime / 10).min(EARLY)));
        Ok(Session {
            renew_at,
            refresh_token: grant.refresh_token,
            ..Session::new(proof)
        })
    }
}

fn bearer(token: &str) -> Option<Proof> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some((header::AUTHORIZATION, value))
}
