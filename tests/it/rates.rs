//! How much may be asked: rates, room, costs, sizes, and what is not waited for.

use crate::{
    access::{HELLO, caller, post},
    world::{Setup, World, codes},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use veeam_graph::{
    config::{Access, Limits, Sees, Server},
    simulator::{Fault, FaultKind},
};

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_or_for_too_much_is_told_when_to_come_back() {
    let limits = Limits {
        requests_per_minute: Some(3),
        cost_per_minute: Some(400),
        failed_sign_ins_per_minute: 2,
        ..Limits::default()
    };
    let auth = Access {
        callers: vec![
            caller("a", &["a"], Sees::default()),
            caller("b", &["b"], Sees::default()),
        ],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        limits,
        ..Setup::default()
    })
    .await;
    let ask = async |key: &str, query: &str| {
        post(
            &world,
            &[("x-api-key", key)],
            &json!({"query": query}).to_string(),
        )
        .await
    };
    for _ in 0..3 {
        assert_eq!(ask("a", "{ __typename }").await.status, 200);
    }
    let later = ask("a", "{ __typename }").await;
    assert_eq!(
        (later.status, codes(&later.body)),
        (429, vec!["RATE_LIMITED"])
    );
    let wait: u64 = later.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        later.body["errors"][0]["extensions"]["retryAfterSeconds"],
        wait
    );
    // one caller's rate is not another's; what a query costs is counted before it is run
    assert_eq!(
        codes(
            &ask("b", "{ jobs(first: 100) { nodes { name } } }")
                .await
                .body
        ),
        Vec::<&str>::new()
    );
    let dear = ask("b", "{ jobs(first: 150) { nodes { name } } }").await;
    assert_eq!(
        (dear.status, codes(&dear.body)),
        (429, vec!["RATE_LIMITED"])
    );
    let never = ask("b", "{ jobs(first: 500) { nodes { name } } }").await;
    assert_eq!(codes(&never.body), ["QUERY_TOO_COMPLEX"]);
    assert!(
        never.body["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("limits.cost_per_minute")
    );
    // guessing
    assert_eq!(
        [
            ask("x", "{ __typename }").await.status,
            ask("y", "{ __typename }").await.status,
            ask("z", "{ __typename }").await.status
        ],
        [401, 401, 429]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_costs_its_caller_the_same_however_it_is_come_by() {
    // whole answers are kept, parts of them, nothing
    for (kept_answers_bytes, kept_rows_bytes) in [(1 << 20, 1 << 20), (0, 1 << 20), (0, 0)] {
        let limits = Limits {
            cost_per_minute: Some(700),
            kept_answers_bytes,
            kept_rows_bytes,
            ..Limits::default()
        };
        let world = World::start(Setup {
            limits,
            ..Setup::default()
        })
        .await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let answer = post(
                &world,
                &[],
                r#"{"query": "{ jobs(first: 100) { nodes { name } } }"}"#,
            )
            .await;
            statuses.push((answer.status, codes(&answer.body).len()));
        }
        // 201 each
        assert_eq!(
            statuses,
            [(200, 0), (200, 0), (200, 0), (429, 1)],
            "{kept_answers_bytes} {kept_rows_bytes}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_turned_away_at_once_and_taken_again_when_there_is_room() {
    let limits = Limits {
        concurrent_requests: 2,
        ..Limits::default()
    };
    let world = Arc::new(
        World::start(Setup {
            limits,
            timeout: Duration::from_secs(2),
            ..Setup::default()
        })
        .await,
    );
    world.simulator.faults.add([Fault {
        path: "/api/v3/organizations*".to_owned(),
        times: Some(1),
        kind: FaultKind::Hang,
    }]);
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let world = world.clone();
            // whoever finds no room beside the question below asks again
            tokio::spawn(async move {
                while codes(&world.ask("{ companies { totalCount } }").await) == ["OVERLOADED"] {}
            })
        })
        .collect();
    let turned_away = loop {
        let answer = post(&world, &[], HELLO).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(
        (turned_away.status, codes(&turned_away.body)),
        (503, vec!["OVERLOADED"])
    );
    assert_eq!(turned_away.headers["retry-after"], "1");
    for slow in slow {
        slow.await.unwrap();
    }
    assert_eq!(post(&world, &[], HELLO).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_of_an_answer_is_told_with_it_and_before_it() {
    let world = World::small().await;
    let query = "{ jobs(first: 10) { nodes { name health } } }";
    let told = post(
        &world,
        &[("x-cost-only", "true")],
        &json!({"query": query}).to_string(),
    )
    .await;
    assert_eq!(
        told.body,
        json!({"data": null, "extensions": {"cost": {"estimated": 31, "maximum": 5_000_000}}})
    );
    assert_eq!(world.requests(), Vec::<String>::new(), "nothing is run");
    let answer = world.ask(query).await;
    assert_eq!(
        answer["extensions"]["cost"],
        json!({"estimated": 31, "fields": 20, "maximum": 5_000_000})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_a_size_that_queries_can_only_guess() {
    let limits = Limits {
        answer_fields: 200,
        answer_bytes: 20_000,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        world
            .ask("{ jobs(first: 20) { nodes { name health } } }")
            .await
            .get("errors"),
        None
    );
    let wide = world
        .ask("{ jobs(first: 40) { nodes { name health uid id status kind } } }")
        .await;
    assert_eq!(codes(&wide), ["QUERY_TOO_COMPLEX"]);
    assert!(
        wide["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("limits.answer_fields")
    );
    let deep = world
        .ask("{ jobs(first: 40) { nodes { sessions(first: 10) { edges { node { uid } } } } } }")
        .await;
    assert!(codes(&deep).contains(&"QUERY_TOO_COMPLEX"), "{deep}");
    let limits = Limits {
        answer_bytes: 2_000,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let long = world
        .ask("{ jobs(first: 40) { nodes { name health uid id status } } }")
        .await;
    assert_eq!(
        (codes(&long), long.get("data")),
        (vec!["QUERY_TOO_COMPLEX"], None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_makes_room() {
    let limits = Limits {
        concurrent_requests: 1,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/organizations*".to_owned(),
        times: None,
        kind: FaultKind::Hang,
    }]);
    let slow = world
        .client
        .post(format!("{}/graphql", world.origin))
        .header("content-type", "application/json");
    let slow = tokio::spawn(
        slow.body(r#"{"query":"{ companies { totalCount } }"}"#)
            .send(),
    );
    while world.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(post(&world, &[], HELLO).await.status, 503);
    slow.abort();
    let began = std::time::Instant::now();
    while post(&world, &[], HELLO).await.status != 200 {
        assert!(
            began.elapsed() < crate::world::PATIENCE,
            "its place is kept"
        );
    }
}

/// What a raw connection is told before it is closed.
async fn told(world: &World, sent: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(world.gateway).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(crate::world::PATIENCE, stream.read_to_end(&mut answer)).await;
    // closed, however unkindly
    let _ = read.expect("the connection is kept for ever");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_bodies_that_never_end_are_not_waited_for() {
    // the usual idle time is longer than a test
    let server = Server {
        idle: Duration::from_secs(1),
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    let headers = told(
        &world,
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    );
    let body = told(
        &world,
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{",
    );
    // of these nobody knows yet which HTTP they would speak
    let (nothing, one_letter) = (told(&world, ""), told(&world, "P"));
    let (headers, body, nothing, one_letter) = tokio::join!(headers, body, nothing, one_letter);
    assert!(!headers.contains(" 200 "), "{headers}");
    assert_eq!((nothing.as_str(), one_letter.as_str()), ("", ""));
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    // and those that are too many
    let many: String = (0..200)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    assert!(
        told(
            &world,
            &format!("GET /health/live HTTP/1.1\r\nHost: a\r\n{many}\r\n")
        )
        .await
        .starts_with("HTTP/1.1 431 ")
    );
}
