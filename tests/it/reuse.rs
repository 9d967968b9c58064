//! Answers that are given again, lists that are read before they are asked for, and how an answer
//! tells how it came about.

use crate::{
    access::caller,
    world::{PATIENCE, Setup, World, array, codes},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use veeam_graph::{
    config::{Access, Cache, Hide, Limits, Sees, Server},
    simulator::{Fault, FaultKind, Scale},
};

const JOBS: &str = "{ jobs(first: 3) { totalCount nodes { name backupServer { name } health } } }";

/// How many answers were given a second time so far.
async fn given_again(world: &World, headers: &[(&str, &str)]) -> u64 {
    metric(world, "answers_given_again_total", headers).await
}

async fn metric(world: &World, name: &str, headers: &[(&str, &str)]) -> u64 {
    let mut request = world.client.get(format!("{}/metrics", world.origin));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let text = request.send().await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("veeam_graph_{name} ")))
        .unwrap();
    let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    value as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_has_the_same_answer_until_a_list_is_read_anew() {
    // no list is read behind the scenes: what is counted is what is asked
    let server = Server {
        background_refresh: false,
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let cache = Cache {
        jobs: Some(Duration::from_millis(1_500)),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        server,
        ..Setup::default()
    })
    .await;
    let first = world.ask(JOBS).await;
    assert!(
        first["extensions"]["upstream"]["requests"]
            .as_u64()
            .unwrap()
            > 0
    );
    let count = first["data"]["jobs"]["totalCount"].clone();
    let again = world.ask(JOBS).await;
    assert_eq!(
        (&again["data"], &again["extensions"]["upstream"]),
        (&first["data"], &json!({"requests": 0, "byUpstream": {}}))
    );
    assert_eq!(again["extensions"]["cost"], first["extensions"]["cost"]);
    world.simulator.change(|estate| drop(estate.jobs.pop()));
    let started = Instant::now();
    // an answer is the old one or the new one, whole; and one day it is the new one
    while world.data(JOBS).await["jobs"]["totalCount"] == count {
        assert!(
            started.elapsed() < PATIENCE,
            "the old answer is given for ever"
        );
    }
    assert_eq!(
        world.data(JOBS).await["jobs"]["totalCount"],
        world.simulator.estate().jobs.len()
    );
    assert!(given_again(&world, &[]).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ten_thousand_ask_at_once_is_answered_once() {
    let world = World::start(Setup::default()).await;
    // slow enough that they all ask while the first is being answered
    world.simulator.faults.add([Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: FaultKind::Delay { milliseconds: 500 },
    }]);
    let walk =
        json!({"query": include_str!("../../examples/queries/04-tape-walk.graphql")}).to_string();
    // on fifty connections: many machines allow no more than some thousand
    let ask = async |client: &reqwest::Client| {
        let request = client
            .post(format!("{}/graphql", world.origin))
            .header("content-type", "application/json")
            .body(walk.clone());
        let text = tokio::time::timeout(PATIENCE, async {
            request.send().await.unwrap().text().await.unwrap()
        })
        .await
        .unwrap();
        let (data, extensions) = text
            .split_once(",\"extensions\":")
            .unwrap_or_else(|| panic!("{text:.300}"));
        let extensions: Value =
            serde_json::from_str(extensions.strip_suffix('}').unwrap()).unwrap();
        (
            data.to_owned(),
            extensions["upstream"]["requests"].as_u64().unwrap(),
        )
    };
    let clients: Vec<_> = (0..50)
        .map(|_| {
            reqwest::Client::builder()
                .no_proxy()
                .no_gzip()
                .http2_prior_knowledge()
                .build()
                .unwrap()
        })
        .collect();
    let all = clients
        .iter()
        .flat_map(|client| (0..200).map(|_| ask(client)));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.len(), 10_000);
    assert!(
        answers
            .iter()
            .all(|(data, _)| *data == answers[0].0 && !data.contains("\"errors\":"))
    );
    let charged: u64 = answers.iter().map(|(_, requests)| requests).sum();
    assert_eq!(charged, world.requests().len() as u64);
    let ran = answers
        .iter()
        .filter(|(_, requests)| *requests != 0)
        .count();
    assert_eq!(ran, 1);
    // rows are remembered a moment before the answer that they are in: who asks in between is
    // answered from these
    let given = given_again(&world, &[]).await;
    assert!((9_900..=9_999).contains(&given), "{given}");

    // an answer that is not to be given again is everybody's own
    let fault = FaultKind::Status {
        status: 503,
        retry_after: None,
        retry_after_in_body: None,
        location: None,
    };
    world.simulator.faults.add([Fault {
        path: "*/organizations*".to_owned(),
        times: None,
        kind: fault,
    }]);
    let answers =
        futures_util::future::join_all((0..100).map(|_| world.ask("{ companies { totalCount } }")))
            .await;
    assert!(
        answers
            .iter()
            .all(|answer| codes(answer) == ["UPSTREAM_UNAVAILABLE"])
    );
    assert_eq!(given_again(&world, &[]).await, given);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_who_asked_first_leaves_one_of_the_others_goes_on() {
    let world = World::start(Setup::default()).await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: FaultKind::Delay {
            milliseconds: 3_000,
        },
    }]);
    let request = world
        .client
        .post(format!("{}/graphql", world.origin))
        .header("content-type", "application/json");
    let first = tokio::spawn(request.body(json!({"query": JOBS}).to_string()).send());
    let is_asked = |count: u64| {
        let world = &world;
        async move { while metric(world, "requests_in_flight", &[]).await < count {} }
    };
    is_asked(1).await;
    let leaves = async {
        is_asked(51).await;
        first.abort();
    };
    let (others, ()) = tokio::join!(
        futures_util::future::join_all((0..50).map(|_| world.ask(JOBS))),
        leaves
    );
    assert!(
        others
            .iter()
            .all(|answer| answer.get("errors").is_none() && answer["data"] == others[0]["data"])
    );
    // all but the one who went on; all of them, should the first have been quick enough after all
    assert!(given_again(&world, &[]).await >= 49);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_and_without_memory_the_answers_are_the_same_bytes() {
    let with = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let limits = Limits {
        kept_answers_bytes: 0,
        ..Limits::default()
    };
    let without = World::start(Setup {
        scale: Scale::Medium,
        limits,
        ..Setup::default()
    })
    .await;
    let mut asked = 0;
    for entry in
        std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries"))
            .unwrap()
    {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "graphql") {
            continue;
        }
        let body = json!({"query": std::fs::read_to_string(&path).unwrap()}).to_string();
        let mut answers = Vec::new();
        for world in [&with, &with, &with, &without, &without] {
            let request = world
                .client
                .post(format!("{}/graphql", world.origin))
                .header("content-type", "application/json");
            answers.push(
                request
                    .body(body.clone())
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
            );
        }
        assert!(
            answers[1] == answers[2] && answers[2] == answers[4],
            "{}",
            path.display()
        );
        asked += 1;
    }
    assert!(asked >= 5);
    // those that ask how the upstreams are are not kept, and those that ask by the clock are for a
    // moment only
    let (kept, not_kept) = (
        given_again(&with, &[]).await,
        given_again(&without, &[]).await,
    );
    assert!(
        (10..=(asked - 1) * 2).contains(&kept) && not_kept == 0,
        "{kept} of {asked}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_belongs_to_what_its_caller_may_see() {
    let company = |name: &str| Sees {
        companies: Some(vec![name.to_owned()]),
        ..Sees::default()
    };
    let names = World::small()
        .await
        .data("{ companies(first: 2) { nodes { name } } }")
        .await;
    let names: Vec<&str> = array(&names["companies"]["nodes"])
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    let callers = vec![
        caller("one", &["one"], company(names[0])),
        caller("its other portal", &["other"], company(names[0])),
        caller("another", &["another"], company(names[1])),
        veeam_graph::config::Caller {
            hide: Hide {
                host_names: true,
                ..Hide::default()
            },
            ..caller("one, less", &["less"], company(names[0]))
        },
        caller("all", &["all"], Sees::default()),
    ];
    let world = World::start(Setup {
        auth: Access {
            callers,
            ..Access::default()
        },
        ..Setup::default()
    })
    .await;
    let counted = || given_again(&world, &[("authorization", "Bearer all")]);
    let query = "{ companies(first: 9) { nodes { name jobs(first: 9) { totalCount } } } }";
    let mut answers: Vec<Value> = Vec::new();
    for (key, expected) in [
        ("one", 0),
        ("other", 1),
        ("another", 1),
        ("less", 1),
        ("all", 1),
        ("less", 2),
        ("another", 3),
        ("one", 4),
    ] {
        answers.push(world.ask_as(key, query).await["data"].take());
        assert_eq!(counted().await, expected, "{key}");
    }
    let of = |place: usize| {
        array(&answers[place]["companies"]["nodes"])
            .iter()
            .map(|node| &node["name"])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of(0), of(2), of(6)),
        (
            vec![&json!(names[0])],
            vec![&json!(names[1])],
            vec![&json!(names[1])]
        )
    );
    assert_eq!((&answers[0], &answers[1]), (&answers[7], &answers[7]));
    assert!(of(4).len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_otherwise_the_next_moment_is_not_kept() {
    let world = World::small().await;
    for query in [
        "{ upstreams { name state lastOkAt } }",
        "{ jobs(first: 1) { nodes { origin { upstream { state } } } } }",
    ] {
        world.data(query).await;
        world.data(query).await;
    }
    world.simulator.faults.add([Fault {
        path: "*/organizations*".to_owned(),
        times: None,
        kind: FaultKind::Status {
            status: 503,
            retry_after: None,
            retry_after_in_body: None,
            location: None,
        },
    }]);
    for _ in 0..2 {
        assert_eq!(
            codes(&world.ask("{ companies { totalCount } }").await),
            ["UPSTREAM_UNAVAILABLE"]
        );
    }
    assert_eq!(given_again(&world, &[]).await, 0);
    world.simulator.faults.clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_use_are_read_anew_though_nobody_asks_just_then() {
    let cache = Cache {
        jobs: Some(Duration::from_secs(5)),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    world.data(JOBS).await;
    world.data(JOBS).await;
    world.requests();
    let started = Instant::now();
    let mut read = Vec::new();
    while read.is_empty() {
        assert!(started.elapsed() < PATIENCE, "it was never read anew");
        world.get("/health/live").await;
        read = world.requests();
    }
    assert!(
        read.iter()
            .all(|request| request.contains("/infrastructure/backupServers/jobs?")),
        "{read:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_by_key_is_read_anew_by_key_and_what_was_asked_for_once_is_not() {
    let good_for = Some(Duration::from_secs(6));
    let cache = Cache {
        jobs: good_for,
        agent_objects: good_for,
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let mut jobs = estate
        .jobs
        .iter()
        .filter(|job| job.kind == "AgentBackupJob");
    let (polled, once) = (jobs.next().unwrap(), jobs.next().unwrap());
    let question = |job: &veeam_graph::simulator::estate::Job| {
        let server = estate.servers[job.server].uid;
        format!(
            "{{ job(uid: \"{}\", backupServerUid: \"{server}\") {{ name ... on AgentJob {{ objects {{ totalCount }} }} }} }}",
            job.uid
        )
    };
    world.data(&question(once)).await;
    world.requests();
    world.data(&question(polled)).await;
    let mut expected = world.requests();
    assert_eq!(expected.len(), 2, "{expected:?}");
    assert!(
        expected
            .iter()
            .all(|request| request.contains(&polled.uid.to_string())),
        "{expected:?}"
    );
    world.data(&question(polled)).await;
    let (started, mut read) = (Instant::now(), Vec::new());
    while read.len() < expected.len() {
        assert!(started.elapsed() < PATIENCE, "read anew: {read:?}");
        world.get("/health/live").await;
        read.extend(world.requests());
    }
    read.sort();
    expected.sort();
    assert_eq!(read, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_gateway_answers_its_first_query_without_asking_anybody() {
    let server = Server {
        warm: true,
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    world
        .data(include_str!("../../examples/queries/04-tape-walk.graphql"))
        .await;
    // only where a job's id occurs on two servers, these are asked whose the tape link is
    let of_twins =
        |request: &String| request.ends_with("/jobs/backupTapeJobs/jobObjects?limit=500&offset=0");
    let requests = world.requests();
    assert!(
        requests.len() <= 2 && requests.iter().all(of_twins),
        "{requests:?}"
    );
    let quiet =
        world.ask("{ companies { nodes { name jobs { totalCount } } } backupServers { nodes { repositories { totalCount } } } }").await;
    assert_eq!(
        (
            quiet.get("errors"),
            &quiet["extensions"]["upstream"]["requests"]
        ),
        (None, &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_tells_how_it_came_about_to_those_who_may_know() {
    let world = World::small().await;
    let answer = world.ask_showing(&[("x-debug", "true")], JOBS).await;
    let upstream = &answer["extensions"]["upstream"];
    let told: Vec<String> = array(&upstream["calls"])
        .iter()
        .map(|call| format!("GET {}", call["request"].as_str().unwrap()))
        .collect();
    let (mut told, mut sent) = (told, world.requests());
    told.sort();
    sent.sort();
    assert_eq!(told, sent);
    assert_eq!(upstream["requests"], told.len());
    assert!(
        array(&upstream["calls"])
            .iter()
            .all(|call| call["status"] == 200 && call["bytes"].as_u64().unwrap() > 2)
    );
    let lists: Vec<&Value> = array(&upstream["lists"])
        .iter()
        .filter(|list| list["list"] == "Jobs")
        .collect();
    assert_eq!(
        lists,
        [&json!({"upstream": "msp", "list": "Jobs", "found": "READ", "lookups": 1})]
    );
    let choice = &array(&upstream["choices"])[0];
    assert!(
        choice["why"].is_string() && ["WIDE", "NARROW"].contains(&choice["way"].as_str().unwrap()),
        "{choice}"
    );
    let again = world.ask_showing(&[("x-debug", "true")], JOBS).await;
    assert_eq!(again["extensions"]["upstream"]["calls"], json!([]));
    assert!(
        array(&again["extensions"]["upstream"]["lists"])
            .iter()
            .all(|list| list["found"] == "FRESH"),
        "{again}"
    );

    let callers = vec![
        caller("portal", &["portal"], Sees::default()),
        veeam_graph::config::Caller {
            debug: true,
            ..caller("operator", &["operator"], Sees::default())
        },
    ];
    let world = World::start(Setup {
        auth: Access {
            callers,
            ..Access::default()
        },
        ..Setup::default()
    })
    .await;
    let ask = |key: &'static str| {
        let world = &world;
        async move {
            world
                .ask_showing(&[("x-api-key", key), ("x-debug", "1")], JOBS)
                .await
        }
    };
    assert_eq!(codes(&ask("portal").await), ["FORBIDDEN"]);
    assert!(world.requests().is_empty());
    assert!(!array(&ask("operator").await["extensions"]["upstream"]["calls"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_given_again_is_packed_for_those_who_take_that() {
    const MANY: &str =
        "{ jobs(first: 40) { totalCount nodes { id name lastRun health backupServer { name } } } }";
    let world = World::start(Setup::default()).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .build()
        .unwrap();
    let ask = async |query: &str, taken: &str| {
        let request = client
            .post(format!("{}/graphql", world.origin))
            .header("content-type", "application/json");
        let response = request
            .header("accept-encoding", taken)
            .body(json!({"query": query}).to_string())
            .send()
            .await
            .unwrap();
        let header = |name: &str| {
            let values = response
                .headers()
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap().to_owned());
            values.collect::<Vec<_>>().join(", ")
        };
        let (coding, vary) = (header("content-encoding"), header("vary"));
        (coding, vary, response.bytes().await.unwrap())
    };
    let plain = |coding: &str, packed: &[u8]| -> Value {
        let mut text = Vec::new();
        match coding {
            "br" => {
                std::io::copy(&mut brotli::Decompressor::new(packed, 4_096), &mut text).unwrap()
            }
            "gzip" => std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap(),
            _ => std::io::copy(&mut &packed[..], &mut text).unwrap(),
        };
        serde_json::from_slice(&text).unwrap()
    };
    let (_, _, first) = ask(MANY, "identity").await;
    for (taken, coding) in [
        ("br, gzip", "br"),
        ("gzip", "gzip"),
        ("identity", ""),
        ("br;q=0.5, gzip", "gzip"),
    ] {
        let (said, vary, again) = ask(MANY, taken).await;
        assert_eq!(
            (said.as_str(), &plain(&said, &again)["data"]),
            (coding, &plain("", &first)["data"]),
            "{taken}"
        );
        assert_eq!(
            vary.to_lowercase().matches("accept-encoding").count(),
            1,
            "{vary}"
        );
        let (_, _, once_more) = ask(MANY, taken).await;
        assert_eq!(again, once_more);
        assert!(
            coding.is_empty() || again.len() * 3 < first.len(),
            "{} of {}",
            again.len(),
            first.len()
        );
    }
    assert_eq!(given_again(&world, &[]).await, 8);
    // too small to be worth it
    for _ in 0..2 {
        let (coding, _, answer) = ask("{ __typename }", "br").await;
        assert_eq!(
            (coding.as_str(), &plain("", &answer)["data"]),
            ("", &json!({"__typename": "Query"}))
        );
    }
}
