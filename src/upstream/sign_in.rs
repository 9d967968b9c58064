//! One sign-in for every upstream that has sessions: opened once for all who wait, renewed before
//! it ends, replaced once when it is refused, and never more often than the account bears.
//!
//! Who signs in holds a lock, so a thousand waiters make one sign-in: those who come after it find
//! the session, or the failure of the attempt that they waited for. Three things keep sign-ins few:
//!
//! - A refused password is not tried again for a while, each time for four times as long:
//!   directories lock an account after some five or ten within half an hour, and the log says so
//!   before that.
//! - All sign-ins have a budget, whatever they are for.
//! - A session that was just opened and is refused is not replaced: the account may not read this,
//!   whatever the session.
//!
//! Sessions that worked and end before their time, again and again, are ended by another client of
//! the same account.

use super::{error::Error, error::ErrorKind, transport::Proof};
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use secrecy::SecretString;
use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Sign-ins at once, when nobody signed in for a while: a token and its refresh token, refused, are
/// two.
const SIGN_INS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
/// One sign-in in this time, in the long run: 45 in ten minutes with those at once.
const SIGN_IN_EVERY: Duration = Duration::from_secs(15);
/// A refused password is tried again at least so often: somebody may have put it right.
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// With so many refusals the next ones may lock the account.
const REFUSALS_BEFORE_ALARM: u32 = 3;
/// A session that was refused before it ever worked is good for nothing after this time.
const USELESS_AFTER: Duration = Duration::from_secs(60);
/// Sessions last 15 idle minutes at least. So many that worked and were refused this soon were
/// ended by somebody.
const EARLY: Duration = Duration::from_secs(5 * 60);
const EARLY_ENDS: usize = 3;
/// How long they are counted.
const EARLY_WINDOW: Duration = Duration::from_secs(10 * 60);

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
    /// When it was opened.
    pub opened: Instant,
    /// Whether a read was answered in it.
    pub has_worked: AtomicBool,
}

impl Session {
    /// One that was opened just now, and of which nothing else is known.
    pub fn new(proof: Proof) -> Self {
        Self {
            proof,
            renew_at: None,
            refresh_token: None,
            id: None,
            opened: Instant::now(),
            has_worked: AtomicBool::new(false),
        }
    }

    /// A read was answered in it.
    pub fn works(&self) {
        self.has_worked.store(true, Ordering::Relaxed);
    }

    fn has_worked(&self) -> bool {
        self.has_worked.load(Ordering::Relaxed)
    }
}

/// Time as tokio has it.
#[derive(Clone, Copy, Debug)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = std::time::Instant;
    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

type Budget = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<std::time::Instant>>;

/// Holds the current session of one upstream.
#[derive(Debug)]
pub(super) struct SignIn {
    upstream: Arc<str>,
    current: Mutex<Option<Arc<Session>>>,
    /// Held by who signs in.
    opening: tokio::sync::Mutex<()>,
    /// How many attempts ended, and the failure of the last one.
    last: Mutex<(u64, Option<Error>)>,
    budget: Budget,
    past: Mutex<Past>,
    pause: Duration,
}

/// What came of earlier sign-ins.
#[derive(Debug, Default)]
struct Past {
    refused: Option<Refused>,
    /// When sessions ended before their time.
    early_ends: VecDeque<Instant>,
    /// When that was told.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Refused {
    /// How often, one after the other.
    times: u32,
    /// When it may be tried again.
    until: Instant,
    error: Error,
}

impl SignIn {
    /// Nothing is opened before the first read. A refused password is not tried again for `pause`,
    /// then for longer.
    pub fn new(upstream: Arc<str>, pause: Duration) -> Self {
        let quota = Quota::with_period(SIGN_IN_EVERY)
            .unwrap_or(Quota::per_minute(NonZeroU32::MIN))
            .allow_burst(SIGN_INS_AT_ONCE);
        let budget = RateLimiter::direct_with_clock(quota, TokioClock);
        Self {
            upstream,
            current: Mutex::default(),
            opening: Default::default(),
            last: Mutex::default(),
            budget,
            past: Mutex::default(),
            pause,
        }
    }

    /// The current session, or a new one from `open`, which is given the one that ran out.
    pub async fn current<F>(
        &self,
        open: impl FnOnce(Option<Arc<Session>>) -> F,
    ) -> Result<Arc<Session>, Error>
    where
        F: Future<Output = Result<Session, Error>>,
    {
        if let Some(session) = self.valid() {
            return Ok(session);
        }
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
        self.check_pause()?;
        self.take_from_budget()?;
        let expired = lock(&self.current).take();
        let outcome = open(expired).await;
        self.note(&outcome);
        let outcome = outcome.map(Arc::new);
        if let Ok(session) = &outcome {
            *lock(&self.current) = Some(session.clone());
        }
        let mut last = lock(&self.last);
        *last = (last.0.wrapping_add(1), outcome.as_ref().err().cloned());
        drop(last);
        outcome
    }

    /// A read in this session was refused with 401. Whether another session may do better: it is
    /// then no longer current.
    pub fn refused(&self, session: &Arc<Session>) -> bool {
        if !session.has_worked() && session.opened.elapsed() < USELESS_AFTER {
            return false;
        }
        if self.drop_session(session) && session.has_worked() && session.opened.elapsed() < EARLY {
            self.note_early_end();
        }
        true
    }

    /// Forgets `seen` if it is still the current one: of many who were refused with it, the first
    /// makes room.
    pub fn drop_session(&self, seen: &Arc<Session>) -> bool {
        lock(&self.current)
            .take_if(|current| Arc::ptr_eq(current, seen))
            .is_some()
    }

    /// The session, if one is open. Never opens one.
    pub fn peek(&self) -> Option<Arc<Session>> {
        lock(&self.current).clone()
    }

    fn valid(&self) -> Option<Arc<Session>> {
        self.peek()
            .filter(|session| session.renew_at.is_none_or(|at| Instant::now() < at))
    }

    fn check_pause(&self) -> Result<(), Error> {
        match &self.past().refused {
            Some(refused) if Instant::now() < refused.until => Err(refused.error.clone()),
            _ => Ok(()),
        }
    }

    fn take_from_budget(&self) -> Result<(), Error> {
        let Err(later) = self.budget.check() else {
            return Ok(());
        };
        let wait = later.wait_time_from(TokioClock.now());
        let is_shared = self.past().early_ends.len() >= EARLY_ENDS;
        let detail = if is_shared {
            "no new sign-in yet: another client seems to end the sessions of this account; give each its own"
        } else {
            "no new sign-in yet: there were too many in a short time"
        };
        Err(Error::new(&self.upstream, ErrorKind::Unauthorized, detail)
            .with_retry_after(Some(wait)))
    }

    fn note(&self, outcome: &Result<Session, Error>) {
        let mut past = self.past();
        let error = match outcome {
            Ok(_) => return past.refused = None,
            Err(error) if error.kind == ErrorKind::Unauthorized => error,
            Err(_) => return,
        };
        let times = past
            .refused
            .as_ref()
            .map_or(1, |refused| refused.times.saturating_add(1));
        let pause = self
            .pause
            .saturating_mul(4_u32.saturating_pow(times - 1))
            .min(LONGEST_PAUSE.max(self.pause));
        past.refused = Some(Refused {
            times,
            until: Instant::now() + pause,
            error: error.clone(),
        });
        drop(past);
        let (upstream, pause_seconds) = (&*self.upstream, pause.as_secs());
        if times >= REFUSALS_BEFORE_ALARM {
            tracing::error!(
                upstream,
                times,
                pause_seconds,
                "the sign-in was refused again: the account may soon be locked out"
            );
        } else {
            tracing::warn!(
                upstream,
                times,
                pause_seconds,
                "the sign-in was refused: it is not tried again for a while"
            );
        }
    }

    fn note_early_end(&self) {
        let now = Instant::now();
        let mut past = self.past();
        while past
            .early_ends
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) > EARLY_WINDOW)
        {
            past.early_ends.pop_front();
        }
        past.early_ends.push_back(now);
        let times = past.early_ends.len();
        if times >= EARLY_ENDS
            && past
                .told
                .is_none_or(|at| now.saturating_duration_since(at) > EARLY_WINDOW)
        {
            past.told = Some(now);
            drop(past);
            tracing::warn!(
                upstream = &*self.upstream,
                times,
                "sessions end soon after they were opened: another client seems to sign in with the same account; \
                 give each client, and each replica of this gateway, its own"
            );
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        lock(&self.past)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    const MINUTE: Duration = Duration::from_secs(60);

    fn session() -> Session {
        Session::new((header::AUTHORIZATION, HeaderValue::from_static("Bearer x")))
    }

    /// How many of the sign-ins that one read a second asks for, for so long, are made; `used` is
    /// told of each session.
    async fn sign_ins(
        minutes: u32,
        outcome: impl Fn() -> Result<Session, ErrorKind>,
        used: impl AsyncFn(&SignIn, &Arc<Session>),
    ) -> u32 {
        let upstream: Arc<str> = "msp".into();
        let sign_in = SignIn::new(upstream.clone(), MINUTE);
        let mut made = 0;
        for _ in 0..minutes * 60 {
            let open = |_| {
                made += 1;
                std::future::ready(outcome().map_err(|kind| Error::new(&upstream, kind, "no")))
            };
            if let Ok(session) = sign_in.current(open).await {
                used(&sign_in, &session).await;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        made
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_password_is_tried_less_and_less_often() {
        let refused = || Err(ErrorKind::Unauthorized);
        let unused = async |_: &SignIn, _: &Arc<Session>| {};
        assert_eq!(
            sign_ins(10, refused, unused).await,
            3,
            "at once, after 1 minute and after 5"
        );
        assert_eq!(sign_ins(30, refused, unused).await, 4, "and after 21");
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_another_client_ends_are_replaced_within_the_budget() {
        let ended = async |sign_in: &SignIn, session: &Arc<Session>| {
            session.works();
            assert!(sign_in.refused(session));
        };
        let made = sign_ins(10, || Ok(session()), ended).await;
        assert!((40..=46).contains(&made), "{made}");
    }

    #[tokio::test(start_paused = true)]
    async fn reads_that_are_always_refused_open_a_session_a_minute() {
        let refused = async |sign_in: &SignIn, session: &Arc<Session>| {
            sign_in.refused(session);
        };
        let made = sign_ins(10, || Ok(session()), refused).await;
        assert!((10..=11).contains(&made), "{made}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_ended_the_sessions_is_named() {
        let sign_in = SignIn::new("msp".into(), MINUTE);
        for _ in 0..SIGN_INS_AT_ONCE.get() {
            let session = sign_in.current(async |_| Ok(session())).await.unwrap();
            session.works();
            assert!(sign_in.refused(&session));
            assert!(sign_in.refused(&session), "who comes late is told the same");
        }
        let error = sign_in.current(async |_| Ok(session())).await.unwrap_err();
        assert!(error.detail.contains("another client"), "{error}");
        assert!(error.retry_after.is_some_and(|wait| wait <= SIGN_IN_EVERY));
        assert_eq!(sign_in.past().early_ends.len(), 5, "each once");
    }
}
