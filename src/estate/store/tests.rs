//! The store as its users know it: how often it reads, and what it gives.

use super::*;
use crate::{
    estate::{UpstreamId, background_refresh::Refresh},
    upstream::{pager::Row, settings::Kind},
};
use futures_util::future::join_all;
use std::sync::atomic::{AtomicU32, Ordering};

/// A row that tells how many reads there were.
struct Number(u32);

impl Row for Number {
    type Identity = u32;
    fn identity(&self) -> u32 {
        self.0
    }
}

impl Listed for Number {
    type Index = ();
    fn index(_: &[Self]) {}
}

fn spec(lifetime: Duration, failure: Duration) -> Arc<Spec> {
    let status = Arc::new(Status::new(
        UpstreamId(0),
        "msp".into(),
        Kind::Vspc,
        Clock::System,
    ));
    Spec::new(
        "numbers",
        &status,
        Clock::System,
        Freshness {
            lifetime,
            max_stale: MINUTE,
            failure,
        },
    )
}

const MINUTE: Duration = Duration::from_secs(60);

fn down() -> Error {
    Error::new(&"msp".into(), ErrorKind::Unavailable, "down")
}

fn whole(rows: Vec<Number>) -> Listing<Number> {
    Listing {
        rows,
        problem: None,
        pages: 1,
    }
}

/// A list whose reads go as told, by how many there were before.
fn list(
    spec: Arc<Spec>,
    read: fn(u32) -> Result<Listing<Number>, Error>,
) -> (FullList<Number>, Arc<AtomicU32>) {
    let reads = Arc::new(AtomicU32::new(0));
    let counted = reads.clone();
    let list = FullList::new(spec, move |_| {
        let before = counted.fetch_add(1, Ordering::Relaxed);
        async move { read(before) }.boxed()
    });
    (list, reads)
}

#[tokio::test]
async fn a_thousand_callers_cause_one_read() {
    let (list, reads) = list(spec(MINUTE, MINUTE), |_| Ok(whole(vec![Number(1)])));
    let answers = join_all((0..1_000).map(|_| list.get())).await;
    assert!(answers.iter().all(|answer| {
        answer
            .as_ref()
            .is_ok_and(|snapshot| snapshot.rows().len() == 1)
    }));
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_failure_is_passed_on_for_a_while_and_then_tried_again() {
    let (damped, reads) = list(spec(MINUTE, MINUTE), |_| Err(down()));
    assert!(damped.get().await.is_err() && damped.get().await.is_err());
    assert_eq!(reads.load(Ordering::Relaxed), 1);
    let (list, reads) = list(spec(MINUTE, Duration::ZERO), |before| {
        if before == 0 {
            Err(down())
        } else {
            Ok(whole(vec![]))
        }
    });
    assert!(list.get().await.is_err() && list.get().await.is_ok());
    assert_eq!(reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_panic_in_a_read_is_an_error_and_the_list_goes_on() {
    let read = |before| {
        if before == 0 {
            std::panic::resume_unwind(Box::new("broken"))
        } else {
            Ok(whole(vec![]))
        }
    };
    let (list, _) = list(spec(MINUTE, Duration::ZERO), read);
    assert!(list.get().await.is_err());
    assert!(!list.is_reading() && list.get().await.is_ok());
}

#[tokio::test]
async fn part_of_a_list_does_not_replace_the_whole() {
    let (list, reads) = list(spec(Duration::ZERO, MINUTE), |before| {
        let problem = (before == 1).then(down);
        Ok(Listing {
            rows: vec![Number(before)],
            problem,
            pages: 1,
        })
    });
    let first = list.get().await.unwrap();
    // it is stale at once: who looks is given it and starts a read; who renews it waits for that
    assert_eq!(list.peek().unwrap().generation(), first.generation());
    list.slot().renew(first.stamp()).await;
    assert_eq!(reads.load(Ordering::Relaxed), 2);
    let still = list.get().await.unwrap();
    assert!(still.problem().is_none() && still.generation() == first.generation());
    assert_eq!(
        reads.load(Ordering::Relaxed),
        2,
        "the problem is passed on for a minute, as a failure is"
    );
}

#[tokio::test]
async fn what_is_too_old_to_be_shown_is_no_longer_kept() {
    let status = Arc::new(Status::new(
        UpstreamId(0),
        "msp".into(),
        Kind::Vspc,
        Clock::System,
    ));
    let ages = Freshness {
        lifetime: Duration::ZERO,
        max_stale: Duration::ZERO,
        failure: MINUTE,
    };
    let (list, _) = list(Spec::new("numbers", &status, Clock::System, ages), |_| {
        Ok(whole(vec![Number(1)]))
    });
    list.get().await.unwrap();
    assert_eq!(list.kept_rows(), 1);
    assert!(list.peek().is_none() && list.kept_rows() == 0);
}

#[tokio::test]
async fn readings_per_key_are_bounded_and_what_was_used_last_stays() {
    let reads = Arc::new(AtomicU32::new(0));
    let counted = reads.clone();
    let list = PerKey::new(spec(MINUTE, MINUTE), 800, move |key: &u32| {
        counted.fetch_add(1, Ordering::Relaxed);
        let rows = vec![Number(*key), Number(*key)];
        async move { Ok(whole(rows)) }.boxed()
    });
    for key in 0..1_000 {
        list.get(&key).await.unwrap();
        list.get(&0).await.unwrap();
        assert!(list.kept_rows() <= 800);
    }
    assert_eq!(
        reads.load(Ordering::Relaxed),
        1_000,
        "the one that is in use was read once"
    );
    assert!(list.peek(&0).is_some() && list.peek(&999).is_some() && list.peek(&1).is_none());
}
