//! One sign-in for every upstream that has sessions: opened once for all who wait, renewed before it ends, replaced once
//! when it is refused.
//!
//! The session lives in a one-entry moka cache: `try_get_with` makes a thousand waiters one sign-in, and a failure is
//! shared by those who waited and kept by nobody. A refused password is remembered for a while all the same, so that a
//! wrong configuration does not lock the account.

use super::{error::Error, error::ErrorKind, transport::Proof};
use moka::{future::Cache, ops::compute::Op};
use secrecy::SecretString;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    /// What to send with each request.
    pub proof: Proof,
    /// When it must be renewed, if the upstream said how long it lasts.
    pub renew_at: Option<Instant>,
    /// What renews it without the password.
    pub refresh_token: Option<SecretString>,
    /// The id under which the upstream can be told to close it.
    pub id: Option<uuid::Uuid>,
}

/// Holds the current session of one upstream.
#[derive(Debug)]
pub(super) struct SignIn {
    current: Cache<(), Arc<Session>>,
    refused: Mutex<Option<(Instant, Error)>>,
    pause: Duration,
}

impl SignIn {
    /// Nothing is opened before the first read. A refused password is not tried again for `pause`.
    pub fn new(pause: Duration) -> Self {
        Self { current: Cache::new(1), refused: Mutex::default(), pause }
    }

    /// The current session, or a new one from `open`, which is given the refresh token of the one that ran out.
    pub async fn current<F>(&self, open: impl FnOnce(Option<Arc<Session>>) -> F) -> Result<Arc<Session>, Error>
    where
        F: Future<Output = Result<Session, Error>>,
    {
        let expired = match self.current.get(&()).await {
            Some(session) if session.renew_at.is_none_or(|at| Instant::now() < at) => return Ok(session),
            Some(session) => {
                self.drop_session(&session).await;
                Some(session)
            }
            None => None,
        };
        self.check_pause()?;
        let outcome = self.current.try_get_with((), async { open(expired).await.map(Arc::new) }).await;
        outcome.map_err(|error| {
            if error.kind == ErrorKind::Unauthorized {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), (*error).clone()));
            }
            (*error).clone()
        })
    }

    /// Forgets `seen` if it is still the current one: of many who were refused with it, the first makes room.
    pub async fn drop_session(&self, seen: &Arc<Session>) {
        self.current
            .entry(())
            .and_compute_with(|entry| {
                let is_current = entry.is_some_and(|entry| Arc::ptr_eq(entry.value(), seen));
                std::future::ready(if is_current { Op::Remove } else { Op::Nop })
            })
            .await;
    }

    /// The session, if one is open. Never opens one.
    pub async fn peek(&self) -> Option<Arc<Session>> {
        self.current.get(&()).await
    }

    fn check_pause(&self) -> Result<(), Error> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match &*refused {
            Some((at, error)) if at.elapsed() < self.pause => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
