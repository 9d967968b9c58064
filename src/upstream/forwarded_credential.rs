//! A credential that a caller brought, until the upstream took it once.
//!
//! Anybody can bring anything. Until a credential is known to be good one request alone goes with
//! it and the others wait for its outcome; one that was refused is not shown to the upstream again
//! for a while. So a wrong one costs one request, however many lists are asked for with it and
//! however often.

use super::{error::Error, transport::Reply};
use secrecy::SecretString;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A credential, and what is known of it.
#[derive(Debug)]
pub struct Brought {
    /// A token of Service Provider Console, a session of Enterprise Manager.
    pub(super) secret: SecretString,
    was_taken: AtomicBool,
    refused: Mutex<Option<Refused>>,
    /// Held by who tries it.
    trying: tokio::sync::Mutex<()>,
    pause: Duration,
}

#[derive(Clone, Debug)]
struct Refused {
    /// When it may be tried again.
    until: Instant,
    error: Error,
}

impl Brought {
    /// Nothing is known; one that is refused is not tried again for `pause`.
    pub fn new(secret: SecretString, pause: Duration) -> Self {
        Self {
            secret,
            was_taken: AtomicBool::new(false),
            refused: Mutex::default(),
            trying: Default::default(),
            pause,
        }
    }

    /// Whether the upstream took it once.
    pub fn was_taken(&self) -> bool {
        self.was_taken.load(Ordering::Relaxed)
    }

    /// Whether it was refused a moment ago, and never taken.
    pub fn is_refused(&self) -> bool {
        self.refusal().is_some()
    }

    /// A read with it; unless it was refused, then that.
    pub(super) async fn read(
        &self,
        get: impl Future<Output = Result<Reply, Error>>,
    ) -> Result<Reply, Error> {
        if self.was_taken() {
            return get.await;
        }
        let trying = self.trying.lock().await;
        if self.was_taken() {
            drop(trying);
            return get.await;
        }
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        let outcome = get.await;
        match &outcome {
            Err(error) if error.status == Some(401) => {
                let refused = Refused {
                    until: Instant::now() + self.pause,
                    error: error.clone(),
                };
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
            }
            // what is refused for another reason was asked with a credential that is good; of an
            // upstream that does not answer nothing is learnt, but nobody has to wait for the next
            // one's outcome either
            _ => self.was_taken.store(true, Ordering::Relaxed),
        }
        outcome
    }

    fn refusal(&self) -> Option<Error> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused
            .as_ref()
            .filter(|refused| !self.was_taken() && Instant::now() < refused.until)
            .map(|refused| refused.error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::error::ErrorKind, *};
    use std::sync::atomic::AtomicU32;

    const PAUSE: Duration = Duration::from_secs(15);

    fn refusal() -> Error {
        Error::new(&"msp".into(), ErrorKind::Unauthorized, "refused").with_status(401)
    }

    fn answer() -> Reply {
        Reply {
            status: http::StatusCode::OK,
            headers: Default::default(),
            body: Default::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_tried_by_one_alone_and_again_after_a_pause() {
        let (brought, sent) = (Brought::new("wrong".into(), PAUSE), AtomicU32::new(0));
        let read = || {
            brought.read(async {
                sent.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(refusal())
            })
        };
        let outcomes = futures_util::future::join_all((0..20).map(|_| read())).await;
        assert!(outcomes.iter().all(|outcome| {
            outcome
                .as_ref()
                .is_err_and(|error| error.status == Some(401))
        }));
        assert_eq!(sent.load(Ordering::Relaxed), 1);
        assert!(brought.is_refused() && !brought.was_taken());
        tokio::time::advance(PAUSE).await;
        assert!(!brought.is_refused());
        assert!(read().await.is_err());
        assert_eq!(sent.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn with_what_was_taken_all_read_at_once() {
        let brought = Brought::new("right".into(), PAUSE);
        let read = || {
            brought.read(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(answer())
            })
        };
        let began = Instant::now();
        read().await.unwrap();
        futures_util::future::join_all((0..20).map(|_| read())).await;
        assert_eq!(began.elapsed().as_secs(), 2);
        // one list that it may not read is no reason to keep it from all others
        assert!(brought.read(async { Err(refusal()) }).await.is_err());
        assert!(brought.was_taken() && !brought.is_refused());
    }
}
