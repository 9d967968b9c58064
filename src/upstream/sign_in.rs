//! One sign-in for every upstream that has sessions: opened once for all who wait, renewed before it ends, replaced once
//! when it is refused.
//!
//! Who signs in holds a lock, so a thousand waiters make one sign-in: those who come after it find the session, or the
//! failure of the attempt that they waited for. A refused password is remembered for a while, so that a wrong
//! configuration does not lock the account.

use super::{error::Error, error::ErrorKind, transport::Proof};
use secrecy::SecretString;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    current: Mutex<Option<Arc<Session>>>,
    /// Held by who signs in.
    opening: tokio::sync::Mutex<()>,
    /// How many attempts ended, and the failure of the last one.
    last: Mutex<(u64, Option<Error>)>,
    refused: Mutex<Option<(Instant, Error)>>,
    pause: Duration,
}

impl SignIn {
    /// Nothing is opened before the first read. A refused password is not tried again for `pause`.
    pub fn new(pause: Duration) -> Self {
        Self { current: Mutex::default(), opening: Default::default(), last: Mutex::default(), refused: Mutex::default(), pause }
    }

    /// The current session, or a new one from `open`, which is given the refresh token of the one that ran out.
    pub async fn current<F>(&self, open: impl FnOnce(Option<Arc<Session>>) -> F) -> Result<Arc<Session>, Error>
    where
        F: Future<Output = Result<Session, Error>>,
    {
        if let Some(session) = self.valid() {
            return Ok(session);
        }
        self.check_pause()?;
        let before = lock(&self.last).0;
        let _opening = self.opening.lock().await;
        if let Some(session) = self.valid() {
            return Ok(session);
        }
        {
            let last = lock(&self.last);
            if let (true, Some(error)) = (last.0 != before, &last.1) {
                return Err(error.clone());
            }
        }
        let expired = lock(&self.current).take();
        let outcome = open(expired).await.map(Arc::new);
        if let Ok(session) = &outcome {
            *lock(&self.current) = Some(session.clone());
        }
        let failure = outcome.as_ref().err().cloned();
        if let Some(error) = failure.as_ref().filter(|error| error.kind == ErrorKind::Unauthorized) {
            *lock(&self.refused) = Some((Instant::now(), error.clone()));
        }
        let mut last = lock(&self.last);
        *last = (last.0 + 1, failure);
        drop(last);
        outcome
    }

    /// Forgets `seen` if it is still the current one: of many who were refused with it, the first makes room.
    pub fn drop_session(&self, seen: &Arc<Session>) {
        lock(&self.current).take_if(|current| Arc::ptr_eq(current, seen));
    }

    /// The session, if one is open. Never opens one.
    pub fn peek(&self) -> Option<Arc<Session>> {
        lock(&self.current).clone()
    }

    fn valid(&self) -> Option<Arc<Session>> {
        self.peek().filter(|session| session.renew_at.is_none_or(|at| Instant::now() < at))
    }

    fn check_pause(&self) -> Result<(), Error> {
        let refused = lock(&self.refused);
        match &*refused {
            Some((at, error)) if at.elapsed() < self.pause => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
