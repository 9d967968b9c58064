//! Who is signed in: tokens of the consoles, logon sessions of Enterprise Manager.

use super::{API_KEY, Ask, PASSWORD, USER, error_body, json_body};
use axum::{http::StatusCode, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Enterprise Manager ends a session that was idle this long.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// For how long a token is taken after it has run out.
const GRACE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Open {
    count: u64,
    /// The kinds of grants that were asked for, in order.
    grants: Vec<String>,
    /// Bearer tokens, and until when they hold.
    tokens: HashMap<String, Instant>,
    refresh: HashMap<String, ()>,
    /// Logon sessions by token: their id, and when they were last used.
    logons: HashMap<String, (Uuid, Instant)>,
}

pub(super) struct Sessions {
    open: Mutex<Open>,
    lifetime: Duration,
}

impl Sessions {
    pub fn new(seconds: u64) -> Self {
        Self {
            open: Mutex::default(),
            lifetime: Duration::from_secs(seconds),
        }
    }

    pub fn expire(&self) {
        let mut open = self.lock();
        open.tokens.clear();
        open.refresh.clear();
        open.logons.clear();
    }

    pub fn take_grants(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().grants)
    }

    /// `POST …/token`.
    pub fn token(&self, ask: &Ask, wants_read_only: bool) -> Response {
        let form = ask.form();
        let field = |name: &str| {
            form.iter()
                .find(|(key, _)| key == name)
                .map_or("", |(_, value)| value.as_str())
        };
        let mut open = self.lock();
        open.grants.push(field("grant_type").to_owned());
        let is_known = match field("grant_type") {
            "password" => field("username") == USER && field("password") == PASSWORD,
            "refresh_token" => open.refresh.remove(field("refresh_token")).is_some(),
            _ => false,
        };
        if !is_known {
            return json_body(
                StatusCode::BAD_REQUEST,
                &json!({"error": "invalid_grant", "error_description": "wrong"}),
            );
        }
        if wants_read_only && field("readOnly") != "true" {
            // the gateway has no business with more than reading
            return error_body(403, "A token that can write was asked for.");
        }
        open.count += 1;
        let (access, refresh) = (
            format!("access-{}", open.count),
            format!("refresh-{}", open.count),
        );
        // like the vendors' servers, these are not strict about the last minute
        open.tokens
            .insert(access.clone(), Instant::now() + self.lifetime + GRACE);
        open.refresh.insert(refresh.clone(), ());
        let body = json!({"access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": self.lifetime.as_secs()});
        json_body(StatusCode::OK, &body)
    }

    pub fn is_bearer(&self, ask: &Ask) -> bool {
        let Some(token) = ask
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
        else {
            return false;
        };
        token == API_KEY
            || self
                .lock()
                .tokens
                .get(token)
                .is_some_and(|until| Instant::now() < *until)
    }

    /// `POST /api/sessionMngr/`: the session's id and its token.
    pub fn log_on(&self, ask: &Ask) -> Option<(Uuid, String)> {
        let basic = ask.header("authorization")?.strip_prefix("Basic ")?;
        let expected = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        if basic != expected {
            return None;
        }
        let mut open = self.lock();
        open.count += 1;
        let id =
            Uuid::from_u128(0x5e55_0000_0000_4000_8000_0000_0000_0000 | u128::from(open.count));
        let token = STANDARD.encode(id.to_string());
        open.logons.insert(token.clone(), (id, Instant::now()));
        Some((id, token))
    }

    pub fn is_logged_on(&self, ask: &Ask) -> bool {
        // a cookie beats the header
        let cookie = ask.header("cookie").and_then(|cookie| {
            cookie
                .split("X-RestSvcSessionId=")
                .nth(1)?
                .split(';')
                .next()
        });
        let Some(token) = cookie.or_else(|| ask.header("x-restsvcsessionid")) else {
            return false;
        };
        let mut open = self.lock();
        match open.logons.get_mut(token) {
            Some((_, used)) if used.elapsed() < IDLE => {
                *used = Instant::now();
                true
            }
            _ => false,
        }
    }

    pub fn log_off(&self, id: Uuid) {
        self.lock().logons.retain(|_, (open, _)| *open != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
