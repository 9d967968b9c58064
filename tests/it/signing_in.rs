//! Sign-in: once for all who wait, renewed before it ends, replaced once when it is refused, and
//! never hammered.

use crate::world::{Setup, World, codes, listen, password, upstream};
use serde_json::json;
use std::time::Duration;
use veeam_graph::{
    config::{Auth, Cache, Kind},
    simulator::{Options, Scale, Simulator, USER, generate},
};

fn tokens(requests: &[String]) -> usize {
    requests
        .iter()
        .filter(|request| request.starts_with("POST /api/v3/token"))
        .count()
}

/// Every question goes upstream, every time.
fn nothing_kept() -> Cache {
    let nothing = Some(Duration::ZERO);
    Cache {
        jobs: nothing,
        servers: nothing,
        companies: nothing,
        agent_objects: nothing,
        sessions: nothing,
        max_stale: nothing,
        failure: nothing,
        ..Cache::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_waiters_sign_in_once() {
    let world = World::start(Setup {
        console_password: true,
        cache: nothing_kept(),
        ..Setup::default()
    })
    .await;
    world.simulator.expire_sessions();
    let queries = [
        "{ jobs { complete } }",
        "{ companies { complete } }",
        "{ backupServers { complete } }",
        "{ agentJobObjects { complete } }",
    ];
    let asked = (0..100).map(|number| world.ask(queries[number % queries.len()]));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(codes(&answer), Vec::<&str>::new());
    }
    assert_eq!(tokens(&world.requests()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_by_its_refresh_token_when_it_runs_out() {
    // the console says that its tokens last no time at all: every read renews the one before
    let options = Options {
        token_seconds: Some(0),
        ..Options::default()
    };
    let world = World::start(Setup {
        console_password: true,
        cache: nothing_kept(),
        options,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        world.simulator.take_grants(),
        ["password", "password"],
        "the probe's: the console's and v2's"
    );
    for query in ["{ jobs { complete } }", "{ companies { complete } }"] {
        assert_eq!(codes(&world.ask(query).await), Vec::<&str>::new());
    }
    assert_eq!(
        world.simulator.take_grants(),
        ["refresh_token", "refresh_token"]
    );
    // a refresh token that is no longer taken is no failure either
    world.simulator.expire_sessions();
    assert_eq!(
        codes(&world.ask("{ backupServers { complete } }").await),
        Vec::<&str>::new()
    );
    assert_eq!(world.simulator.take_grants(), ["refresh_token", "password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_second_factor_is_told_apart() {
    use axum::{Router, http::header};
    let (listener, at) = listen().await;
    let answer = async || {
        (
            [(header::CONTENT_TYPE, "application/json")],
            r#"{"mfa_token":"canary","expires_in":60}"#,
        )
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let unused = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    let world = World::over(unused, vec![upstream("msp", Kind::Vspc, at, password())]).await;
    let answer = world.ask("{ jobs { complete } }").await;
    assert_eq!(codes(&answer), ["UPSTREAM_UNAUTHORIZED"]);
    assert!(!answer.to_string().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_and_the_read_sent_once_more() {
    let world = World::start(Setup {
        console_password: true,
        cache: nothing_kept(),
        ..Setup::default()
    })
    .await;
    world.simulator.expire_sessions();
    assert_eq!(
        world.data("{ jobs { complete } }").await,
        json!({"jobs": {"complete": true}})
    );
    let requests = world.requests();
    assert_eq!(
        requests,
        [
            "GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0",
            "POST /api/v3/token",
            "GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_tried_again_at_once() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let wrong = || Auth::Password {
        username: USER.to_owned(),
        password: "wrong-canary".into(),
    };
    let mut upstreams = vec![
        upstream("msp", Kind::Vspc, at, wrong()),
        upstream("em", Kind::EnterpriseManager, at, wrong()),
    ];
    upstreams
        .iter_mut()
        .for_each(|upstream| upstream.cache = nothing_kept());
    let world = World::over(simulator, upstreams).await;
    for _ in 0..5 {
        let answer = world
            .ask("{ jobs { complete } agentSessions { complete } }")
            .await;
        assert_eq!(
            codes(&answer),
            ["UPSTREAM_UNAUTHORIZED", "UPSTREAM_UNAUTHORIZED"]
        );
        assert!(!answer.to_string().contains("wrong-canary"));
    }
    // the probe at start was the one try: accounts get locked
    assert_eq!(world.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_closes_the_session_upstream() {
    let world = World::small().await;
    world.data("{ agentSessions { complete } }").await;
    world.requests();
    let simulator = world.stop().await;
    let requests = simulator.take_requests();
    assert!(
        matches!(requests.as_slice(), [only] if only.starts_with("DELETE /api/logonSessions/")),
        "{requests:?}"
    );
}
