//! How often a principal and an address may ask.

use super::request::Rejection;
use crate::{config::Limits, estate::Principal, graph::error::code};
use axum::http::StatusCode;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::HashMapStateStore,
};
use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// After so many questions, those who have not asked for a while are forgotten.
const FORGET_EVERY: u32 = 4_096;

/// The rates of this gateway.
pub(super) struct Rates {
    requests: Option<PerMinute<Arc<str>>>,
    cost: Option<PerMinute<Arc<str>>>,
    by_address: Option<PerMinute<IpAddr>>,
    failed_sign_ins: PerMinute<IpAddr>,
    /// Addresses from where too many failed, and until when.
    too_many_failed: Mutex<HashMap<IpAddr, Instant>>,
}

/// So many in a minute, for each key; a whole minute's worth may come at once.
struct PerMinute<K: Eq + Hash + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
    maximum: u32,
    asked: AtomicU32,
}

/// Why not now.
enum TooMuch {
    Wait(Duration),
    Never(u32),
}

impl<K: Eq + Hash + Clone> PerMinute<K> {
    fn new(maximum: u32) -> Self {
        let maximum = NonZeroU32::new(maximum).unwrap_or(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::hashmap(Quota::per_minute(maximum)),
            maximum: maximum.get(),
            asked: AtomicU32::new(0),
        }
    }

    fn take(&self, key: &K, count: NonZeroU32) -> Result<(), TooMuch> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        match self.limiter.check_key_n(key, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(later)) => Err(TooMuch::Wait(
                later.wait_time_from(DefaultClock::default().now()),
            )),
            Err(_) => Err(TooMuch::Never(self.maximum)),
        }
    }
}

impl Rates {
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: limits.requests_per_minute.map(PerMinute::new),
            cost: limits.cost_per_minute.map(PerMinute::new),
            by_address: limits.requests_per_minute_per_address.map(PerMinute::new),
            failed_sign_ins: PerMinute::new(limits.failed_sign_ins_per_minute),
            too_many_failed: Mutex::default(),
        }
    }

    /// One request of a principal.
    pub fn take_request(&self, principal: &Principal) -> Result<(), Rejection> {
        let Some(rate) = &self.requests else {
            return Ok(());
        };
        rate.take(&principal.name, NonZeroU32::MIN)
            .map_err(|much| too_much(much, "requests", "requests_per_minute"))
    }

    /// A request's cost.
    pub fn take_cost(&self, principal: &Principal, cost: u64) -> Result<(), Rejection> {
        let Some(rate) = &self.cost else {
            return Ok(());
        };
        let cost = u32::try_from(cost)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MAX);
        rate.take(&principal.name, cost)
            .map_err(|much| too_much(much, "a cost", "cost_per_minute"))
    }

    /// One request from an address, before anybody knows whose it is.
    pub fn take_address(&self, address: IpAddr) -> Result<(), Rejection> {
        let Some(rate) = &self.by_address else {
            return Ok(());
        };
        rate.take(&address, NonZeroU32::MIN)
            .map_err(|much| too_much(much, "requests", "requests_per_minute_per_address"))
    }

    /// One wrong key or token.
    pub fn take_failed_sign_in(&self, address: IpAddr) -> Result<(), Rejection> {
        self.failed_sign_ins
            .take(&address, NonZeroU32::MIN)
            .map_err(|much| {
                if let TooMuch::Wait(wait) = much {
                    let now = Instant::now();
                    let mut too_many = self
                        .too_many_failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    too_many.retain(|_, until| *until > now);
                    too_many.insert(address, now + wait);
                }
                too_many_keys(much)
            })
    }

    /// Whether an address may show another key or token of which it is not known yet that it is
    /// right.
    pub fn may_sign_in(&self, address: IpAddr) -> Result<(), Rejection> {
        let too_many = self
            .too_many_failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wait = too_many
            .get(&address)
            .map(|until| until.saturating_duration_since(Instant::now()));
        wait.filter(|wait| !wait.is_zero())
            .map_or(Ok(()), |wait| Err(too_many_keys(TooMuch::Wait(wait))))
    }
}

fn too_many_keys(much: TooMuch) -> Rejection {
    too_much(much, "wrong keys", "failed_sign_ins_per_minute")
}

fn too_much(much: TooMuch, what: &str, limit: &str) -> Rejection {
    match much {
        TooMuch::Wait(wait) => {
            let message = format!("Too many {what} in a minute (limits.{limit}).")
                .replace("many a", "high a");
            Rejection::later(
                StatusCode::TOO_MANY_REQUESTS,
                code::RATE_LIMITED,
                message,
                wait,
            )
        }
        TooMuch::Never(maximum) => {
            let message = format!(
                "The query alone has {what} of more than a minute allows: {maximum} (limits.{limit}). Ask for fewer rows."
            );
            Rejection::graphql(code::QUERY_TOO_COMPLEX, message)
        }
    }
}
