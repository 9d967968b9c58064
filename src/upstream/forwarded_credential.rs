//! A credential that a caller brought, until the upstream took it once.
//!
//! Anybody can bring anything. Until a credential is known to be good one request alone goes with
//! it and the others wait for its outcome; one that was refused is not shown to the upstream again
//! for a while. So a wrong one costs one request, however many lists are asked for with it and
//! however often.
//!
//! Some servers say 400 or 403 to a credential that is none. Others say that to a good one, of a
//! list that its role may not read. So these count as a refusal of the list that was asked for: it
//! is not asked for again for a while, and the credential is not known to be good.

use super::{error::Error, transport::Reply};
use secrecy::SecretString;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// More lists than there are, but for those of single servers and jobs.
const MOST_PATHS: usize = 64;

/// A credential, and what is known of it.
#[derive(Debug)]
pub struct Brought {
    /// A token of Service Provider Console, a session of Enterprise Manager.
    pub(super) secret: SecretString,
    was_taken: AtomicBool,
    refused: Mutex<Vec<Refused>>,
    /// Held by who tries it.
    trying: tokio::sync::Mutex<()>,
    pause: Duration,
}

#[derive(Clone, Debug)]
struct Refused {
    /// What was asked for with it, where it may be good for other things.
    path: Option<Box<str>>,
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
        !self.was_taken() && self.refused().iter().any(Refused::holds)
    }

    /// A read of `path` with it; unless it was refused, then that.
    pub(super) async fn read(
        &self,
        path: &str,
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
        if let Some(error) = self.refusal(path) {
            return Err(error);
        }
        let outcome = get.await;
        match &outcome {
            Err(error) if matches!(error.status, Some(400 | 401 | 403)) => {
                let is_of_path = error.status != Some(401);
                let mut refused = self.refused();
                refused.retain(Refused::holds);
                if refused.len() < MOST_PATHS {
                    refused.push(Refused {
                        path: is_of_path.then(|| path.into()),
                        until: Instant::now() + self.pause,
                        error: error.clone(),
                    });
                }
            }
            // what is refused for another reason was asked with a credential that is good; of an
            // upstream that does not answer nothing is learnt, but nobody has to wait for the next
            // one's outcome either
            _ => self.was_taken.store(true, Ordering::Relaxed),
        }
        outcome
    }

    fn refusal(&self, path: &str) -> Option<Error> {
        let refused = self.refused();
        let is_of_it = |refused: &&Refused| {
            refused.holds() && refused.path.as_deref().is_none_or(|of| of == path)
        };
        refused
            .iter()
            .find(is_of_it)
            .map(|refused| refused.error.clone())
    }

    fn refused(&self) -> MutexGuard<'_, Vec<Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn holds(&self) -> bool {
        Instant::now() < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::{super::error::ErrorKind, *};
    use std::sync::atomic::AtomicU32;

    const PAUSE: Duration = Duration::from_secs(15);

    fn refusal() -> Error {
        refusal_with(401)
    }

    fn refusal_with(status: u16) -> Error {
        Error::new(&"msp".into(), ErrorKind::Unauthorized, "refused").with_status(status)
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
            brought.read("/jobs", async {
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
            brought.read("/jobs", async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(answer())
            })
        };
        let began = Instant::now();
        read().await.unwrap();
        futures_util::future::join_all((0..20).map(|_| read())).await;
        assert_eq!(began.elapsed().as_secs(), 2);
        // one list that it may not read is no reason to keep it from all others
        assert!(
            brought
                .read("/jobs", async { Err(refusal()) })
                .await
                .is_err()
        );
        assert!(brought.was_taken() && !brought.is_refused());
    }

    #[tokio::test(start_paused = true)]
    async fn what_refuses_a_list_does_not_make_a_credential_good_and_keeps_it_from_no_other() {
        for status in [400, 403] {
            let (brought, sent) = (Brought::new("odd".into(), PAUSE), AtomicU32::new(0));
            let read = |path| {
                brought.read(path, async {
                    sent.fetch_add(1, Ordering::Relaxed);
                    Err(refusal_with(status))
                })
            };
            for _ in 0..20 {
                assert_eq!(read("/jobs").await.unwrap_err().status, Some(status));
            }
            assert_eq!(sent.load(Ordering::Relaxed), 1, "{status}");
            assert!(brought.is_refused() && !brought.was_taken(), "{status}");
            read("/servers").await.unwrap_err();
            assert_eq!(sent.load(Ordering::Relaxed), 2, "{status}");
            // and then it turns out to be good
            let other = brought.read("/companies", async { Ok(answer()) }).await;
            assert!(other.is_ok() && brought.was_taken() && !brought.is_refused());
            read("/jobs").await.unwrap_err();
            assert_eq!(sent.load(Ordering::Relaxed), 3, "{status}");
        }
    }
}
