//! What an upstream that fails, hangs or refuses has to bear: a retry budget, a circuit breaker, a
//! sign-in budget; and what its numbers can do to us.

use crate::{
    mock::{Mock, Reply},
    world::{Setup, World, codes, password, upstream},
};
use serde_json::json;
use std::time::{Duration, Instant};
use veeam_graph::{
    config::{Cache, Kind},
    simulator::{Fault, FaultKind},
};

/// Every question goes upstream, every time.
fn nothing_kept() -> Cache {
    let nothing = Some(Duration::ZERO);
    Cache {
        jobs: nothing,
        servers: nothing,
        companies: nothing,
        max_stale: nothing,
        failure: nothing,
        ..Cache::default()
    }
}

fn always(path: &str, kind: FaultKind) -> [Fault; 1] {
    [Fault {
        path: path.to_owned(),
        times: None,
        kind,
    }]
}

fn status(status: u16, retry_after: Option<u64>) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after,
        retry_after_in_body: None,
        location: None,
    }
}

const JOBS: &str = "{ jobs { complete } }";
const OF_JOBS: &str = "*/backupServers/jobs?*";

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_fail_cost_little_more_than_one_request_each() {
    let world = World::start(Setup {
        cache: nothing_kept(),
        ..Setup::default()
    })
    .await;
    world
        .simulator
        .faults
        .add(always(OF_JOBS, status(500, None)));
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(codes(&world.ask(JOBS).await), ["UPSTREAM_UNAVAILABLE"]);
    }
    // a fifth more, ten that are in reserve, and one a second
    let most = 100 + 20 + 10 + started.elapsed().as_secs() as usize + 1;
    let sent = world.requests().len();
    assert!((100..=most).contains(&sent), "{sent} of {most}");
    world.simulator.faults.clear();
    assert_eq!(world.data(JOBS).await, json!({"jobs": {"complete": true}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_is_not_waited_for_again_and_again() {
    let timeout = Duration::from_millis(300);
    let world = World::start(Setup {
        cache: nothing_kept(),
        timeout,
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add(always(OF_JOBS, FaultKind::Hang));
    let started = Instant::now();
    for _ in 0..50 {
        let answer = world.ask(JOBS).await;
        assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"], "{answer}");
    }
    // five in a row open the circuit breaker, then there is a probe a second at most
    let most = 5 + started.elapsed().as_secs() as usize + 1;
    let sent = world.requests().len();
    assert!((5..=most).contains(&sent), "{sent} of {most}");
    let (_, metrics) = world.get("/metrics").await;
    assert!(
        metrics.contains("veeam_graph_upstream_circuit_open{upstream=\"msp\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("veeam_graph_upstream_circuit_open{upstream=\"em\"} 0"),
        "{metrics}"
    );
    // the next probe finds it well
    world.simulator.faults.clear();
    let patience = Instant::now() + crate::world::PATIENCE;
    while !codes(&world.ask(JOBS).await).is_empty() {
        assert!(
            Instant::now() < patience,
            "the circuit breaker never closed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, metrics) = world.get("/metrics").await;
    assert!(
        metrics.contains("veeam_graph_upstream_circuit_open{upstream=\"msp\"} 0"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_is_served_while_the_upstream_hangs() {
    let jobs = Some(Duration::ZERO);
    let failure = Some(Duration::ZERO);
    let cache = Cache {
        jobs,
        failure,
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let query = "{ jobs { totalCount complete } }";
    let before = world.data(query).await;
    world.simulator.faults.add(always("*", FaultKind::Hang));
    for _ in 0..20 {
        assert_eq!(world.data(query).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_are_always_refused_are_no_reason_to_sign_in_again_and_again() {
    let world = World::start(Setup {
        console_password: true,
        cache: nothing_kept(),
        ..Setup::default()
    })
    .await;
    world.simulator.expire_sessions();
    world
        .simulator
        .faults
        .add(always("*/infrastructure/*", status(401, None)));
    let started = Instant::now();
    for _ in 0..40 {
        assert_eq!(codes(&world.ask(JOBS).await), ["UPSTREAM_UNAUTHORIZED"]);
    }
    let sign_ins = world
        .requests()
        .iter()
        .filter(|request| request.starts_with("POST /api/v3/token"))
        .count();
    let most = 2 + started.elapsed().as_secs() as usize / 60;
    assert!((1..=most).contains(&sign_ins), "{sign_ins} of {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_another_client_uses_too_is_signed_in_to_within_a_budget() {
    let world = World::start(Setup {
        console_password: true,
        cache: nothing_kept(),
        ..Setup::default()
    })
    .await;
    let started = Instant::now();
    let mut answered = 0;
    for _ in 0..40 {
        // as a sign-in of another client with the same account does
        world.simulator.expire_sessions();
        let answer = world.ask(JOBS).await;
        match codes(&answer)[..] {
            [] => answered += 1,
            ["UPSTREAM_UNAUTHORIZED"] => assert!(
                answer["errors"][0]["extensions"]["retryAfterSeconds"].is_number(),
                "{answer}"
            ),
            _ => panic!("{answer}"),
        }
    }
    let sign_ins = world
        .requests()
        .iter()
        .filter(|request| request.starts_with("POST /api/v3/token"))
        .count();
    let most = 5 + started.elapsed().as_secs() as usize / 15;
    assert!(
        answered > 0 && (answered..=most).contains(&sign_ins),
        "{sign_ins} of {most}, {answered} answers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wait_that_is_asked_for_silences_an_upstream_for_long() {
    for seconds in [99_999_999_999, u64::MAX / 2, u64::MAX] {
        let world = World::start(Setup {
            cache: nothing_kept(),
            ..Setup::default()
        })
        .await;
        world
            .simulator
            .faults
            .add(always(OF_JOBS, status(429, Some(seconds))));
        let answer = world.ask(JOBS).await;
        assert_eq!(codes(&answer), ["RATE_LIMITED"], "{answer}");
        let wait = answer["errors"][0]["extensions"]["retryAfterSeconds"]
            .as_u64()
            .unwrap();
        assert!(wait <= 600, "{wait}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_token_is_said_to_last_it_is_one() {
    let mock = Mock::empty().await;
    mock.on(
        "/api/v3/about",
        Reply::json(r#"{"data":{"serverVersion":"9.1"}}"#),
    );
    mock.on(
        "/api/v3/infrastructure/backupServers/jobs",
        Reply::page(&[], 0, 0),
    );
    for lifetime in [
        "9223372036854775807",
        "18446744073709551615",
        "1e30",
        "-1",
        "0.5",
        "\"3600\"",
        "\"for ever\"",
        "null",
        "[]",
    ] {
        let token = format!("\u{feff}{{\"access_token\":\"x\",\"expires_in\":{lifetime}}}");
        mock.on("/api/v3/token", Reply::json(token));
        let world = mock
            .world_of(vec![upstream("lifetimes", Kind::Vspc, mock.at, password())])
            .await;
        assert_eq!(
            world.data(JOBS).await,
            json!({"jobs": {"complete": true}}),
            "{lifetime}"
        );
        world.stop().await;
    }
}
