//! What is kept, for how long, and what is served while an upstream is down.

use crate::world::{PATIENCE, Setup, World, codes};
use serde_json::json;
use std::time::{Duration, Instant};
use veeam_graph::{
    config::{Cache, Limits},
    simulator::{Fault, FaultKind, Scale},
};

const JOBS: &str = "{ jobs(first: 1) { complete totalCount nodes { origin { stale fetchedAt upstream { name state } } } } }";

fn down() -> Fault {
    Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: FaultKind::Status {
            status: 503,
            retry_after: None,
            retry_after_in_body: None,
            location: None,
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_identical_cold_queries_read_each_list_once() {
    // all from one address, and as many connections as a client likes to open for them
    let limits = Limits {
        connections_per_address: 3_000,
        ..Limits::default()
    };
    let world = World::start(Setup {
        scale: Scale::Medium,
        limits,
        ..Setup::default()
    })
    .await;
    // slow enough that many ask while the first read is under way
    world.simulator.faults.add([Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: FaultKind::Delay { milliseconds: 300 },
    }]);
    let query =
        "{ jobs(first: 5) { totalCount nodes { company { name } backupServer { name } } } }";
    let answers = futures_util::future::join_all((0..1_000).map(|_| world.ask(query))).await;
    assert!(
        answers
            .windows(2)
            .all(|pair| pair[0]["data"] == pair[1]["data"])
    );
    let mut requests = world.requests();
    requests.sort();
    let mut distinct = requests.clone();
    distinct.dedup();
    assert_eq!(requests, distinct);
    let charged: u64 = answers
        .iter()
        .map(|answer| {
            answer["extensions"]["upstream"]["requests"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert_eq!(
        charged,
        requests.len() as u64,
        "every request is charged to one query"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_list_is_served_at_once_and_read_anew_behind() {
    let cache = Cache {
        jobs: Some(Duration::ZERO),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    world.data(JOBS).await;
    world.simulator.change(|estate| drop(estate.jobs.pop()));
    let count = world.simulator.estate().jobs.len();
    let started = Instant::now();
    let old = world.data(JOBS).await;
    assert_eq!(
        (
            &old["jobs"]["totalCount"],
            &old["jobs"]["nodes"][0]["origin"]["stale"]
        ),
        (&json!(count + 1), &json!(true))
    );
    while world.data(JOBS).await["jobs"]["totalCount"] != count {
        assert!(started.elapsed() < PATIENCE, "it was never read anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_upstream_is_down_the_last_list_is_served_as_stale() {
    let cache = Cache {
        jobs: Some(Duration::ZERO),
        failure: Some(Duration::ZERO),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let before = world.data(JOBS).await;
    world.simulator.faults.add([down()]);
    let started = Instant::now();
    loop {
        let answer = world.data(JOBS).await;
        assert_eq!(answer["jobs"]["totalCount"], before["jobs"]["totalCount"]);
        assert_eq!(answer["jobs"]["nodes"][0]["origin"]["stale"], true);
        if answer["jobs"]["nodes"][0]["origin"]["upstream"]["state"] == "DOWN" {
            break;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "nobody noticed that it is down"
        );
    }
    let data = world
        .data("{ upstreams { name state lastErrorCode lastOkAt } }")
        .await;
    assert_eq!(
        (
            &data["upstreams"][0]["state"],
            &data["upstreams"][0]["lastErrorCode"]
        ),
        (&json!("DOWN"), &json!("UPSTREAM_UNAVAILABLE"))
    );
    assert!(data["upstreams"][0]["lastOkAt"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_upstream_is_not_hammered_and_comes_back() {
    let world = World::start(Setup {
        cache: Cache {
            failure: Some(Duration::from_secs(3_600)),
            ..Cache::default()
        },
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([down()]);
    for _ in 0..20 {
        assert_eq!(codes(&world.ask(JOBS).await), ["UPSTREAM_UNAVAILABLE"]);
    }
    assert_eq!(world.requests().len(), 3, "one read with its two retries");

    let world = World::start(Setup {
        cache: Cache {
            failure: Some(Duration::ZERO),
            ..Cache::default()
        },
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([down()]);
    world.ask(JOBS).await;
    world.simulator.faults.clear();
    assert_eq!(world.data(JOBS).await["jobs"]["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_list_does_not_replace_a_whole_one() {
    let cache = Cache {
        jobs: Some(Duration::ZERO),
        failure: Some(Duration::ZERO),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    world.data(JOBS).await;
    world.requests();
    world.simulator.faults.add([Fault {
        path: "*/backupServers/jobs?*".to_owned(),
        times: None,
        kind: FaultKind::ShortPage,
    }]);
    let started = Instant::now();
    let mut reads = 0;
    // four requests are one refresh with its second look: this sees the answers after the second
    // and the third
    while reads < 12 {
        let answer = world.data(JOBS).await;
        assert_eq!(answer["jobs"]["complete"], true);
        reads += world.requests().len();
        assert!(started.elapsed() < PATIENCE, "it was never read anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_of_sessions_reads_only_what_can_have_changed() {
    let cache = Cache {
        sessions: Some(Duration::ZERO),
        ..Cache::default()
    };
    let world = World::start(Setup {
        scale: Scale::Medium,
        cache,
        ..Setup::default()
    })
    .await;
    let query = "{ agentSessions(filter: { topLevelOnly: false }) { complete totalCount } }";
    let whole = world.data(query).await;
    let whole_window = world
        .requests()
        .into_iter()
        .filter(|request| request.contains("/api/query"))
        .count();
    assert!(whole_window > 1);
    // a session starts, and one that ran has ended
    world.simulator.change(|estate| {
        let now = estate.now;
        let running = estate
            .sessions
            .iter_mut()
            .find(|session| session.ended.is_none() && session.parent.is_none())
            .unwrap();
        (running.ended, running.state, running.result) = (Some(now), "Stopped", "Success");
        let newest = veeam_graph::simulator::estate::Session {
            uid: uuid::Uuid::from_u128(0xfeed),
            created: now,
            ..running.clone()
        };
        estate.sessions.push(newest);
    });
    let started = Instant::now();
    let expected = whole["agentSessions"]["totalCount"].as_u64().unwrap() + 1;
    loop {
        let answer = world.data(query).await;
        if answer["agentSessions"]["totalCount"] == expected {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it was never read anew");
    }
    let pages: Vec<String> = world
        .requests()
        .into_iter()
        .filter(|request| request.contains("/api/query"))
        .collect();
    assert!(
        pages.iter().all(|page| page.ends_with("&page=1")),
        "a refresh went over the whole window: {pages:#?}"
    );
    let running = world.data("{ agentSessions(first: 500, filter: { topLevelOnly: false, health: RUNNING }) { totalCount } }").await;
    let left = world
        .simulator
        .estate()
        .sessions
        .iter()
        .filter(|session| session.ended.is_none())
        .count();
    assert_eq!(running["agentSessions"]["totalCount"], left);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_has_enough_is_asked_less_at_once_until_it_bears_more_again() {
    let cache = Cache {
        companies: Some(Duration::ZERO),
        max_stale: Some(Duration::ZERO),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    // how many requests could be in flight at each call of one query
    let slots = async || {
        let answer = world
            .ask_showing(&[("x-debug", "true")], "{ companies { totalCount } }")
            .await;
        let calls = answer["extensions"]["upstream"]["calls"]
            .as_array()
            .unwrap()
            .clone();
        calls
            .iter()
            .map(|call| {
                (
                    call["status"].as_u64().unwrap(),
                    call["slots"].as_u64().unwrap(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(slots().await, [(200, 8)]);
    world.simulator.faults.add([Fault {
        times: Some(1),
        ..down()
    }]);
    assert_eq!(slots().await, [(503, 8), (200, 4)]);
    let mut seen = Vec::new();
    for _ in 0..40 {
        let [(200, count)] = slots().await[..] else {
            panic!("one call")
        };
        seen.push(count);
    }
    assert!(
        seen.is_sorted() && seen[0] == 4 && seen[39] == 8,
        "{seen:?}"
    );
    seen.dedup();
    assert_eq!(seen, [4, 5, 6, 7, 8], "one more for each round");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_a_whole_list_waits_for_the_page_that_is_being_read_to_see_how_long_it_is() {
    let world = World::start(Setup::default()).await;
    let delay = |path: &str, milliseconds| Fault {
        path: path.to_owned(),
        times: None,
        kind: FaultKind::Delay { milliseconds },
    };
    // the servers come first, and their jobs' pages are counted; the companies come while that is
    // going on
    world.simulator.faults.add([
        delay("*/api/v3/organizations?*", 200),
        delay("*/backupServers/jobs?*", 600),
    ]);
    let data = world
        .data("{ backupServers { nodes { jobs(first: 1) { complete } } } companies(first: 3) { nodes { jobs(first: 1) { complete } } } }")
        .await;
    assert!(!data.to_string().contains("false"), "{data}");
    let requests = world.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("/backupServers/jobs?"))
            .count(),
        1,
        "{requests:#?}"
    );
}
