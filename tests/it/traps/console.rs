//! Traps of Service Provider Console.

use super::{fault, status};
use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use veeam_graph::simulator::{FaultKind, Scale, estate::Estate};

const JOBS: &str = "{ jobs(first: 500) { complete totalCount nodes { uid } } }";

async fn large_lists() -> World {
    World::start(Setup {
        scale: Scale::Large,
        timeout: std::time::Duration::from_secs(20),
        ..Setup::default()
    })
    .await
}

fn job_count(estate: &Estate) -> usize {
    estate.jobs.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn html_with_200_is_an_error_and_never_an_empty_list() {
    let world = World::small().await;
    world.simulator.faults.add([fault(
        "/api/v3/infrastructure/backupServers/jobs?*",
        None,
        FaultKind::Html,
    )]);
    let answer = world.ask(JOBS).await;
    assert_eq!(
        answer["data"]["jobs"],
        json!({"complete": false, "totalCount": null, "nodes": []})
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
    assert_eq!(answer["errors"][0]["path"], json!(["jobs"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_the_gateways_own_and_equal_brute_force() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    for company in estate.companies.iter().take(12) {
        let mut expected: Vec<String> = estate
            .jobs
            .iter()
            .filter(|job| {
                job.mapped_company
                    .filter(|uid| !uid.is_nil())
                    .unwrap_or(estate.servers[job.server].company)
                    == company.uid
            })
            .map(|job| format!("{} {}", job.name.to_lowercase(), job.uid))
            .collect();
        expected.sort();
        let query = format!(
            "{{ jobs(first: 500, filter: {{ companyUid: \"{}\" }}) {{ nodes {{ name uid company {{ uid }} }} }} }}",
            company.uid
        );
        let data = world.data(&query).await;
        let mut shown: Vec<String> = Vec::new();
        for job in array(&data["jobs"]["nodes"]) {
            assert_eq!(job["company"]["uid"], company.uid.to_string());
            shown.push(format!(
                "{} {}",
                job["name"].as_str().unwrap().to_lowercase(),
                job["uid"].as_str().unwrap()
            ));
        }
        shown.sort();
        assert_eq!(shown, expected, "{}", company.name);
    }
    assert!(
        world
            .requests()
            .iter()
            .all(|request| !request.contains("filter")),
        "nothing was left to the upstream's filters"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_of_500_and_all_of_them_are_read() {
    let world = large_lists().await;
    let count = job_count(&world.simulator.estate());
    assert_eq!(world.data(JOBS).await["jobs"]["totalCount"], count);
    let mut requests = world.requests();
    requests.sort();
    let mut expected: Vec<String> = (0..count.div_ceil(500))
        .map(|page| {
            format!(
                "GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset={}",
                page * 500
            )
        })
        .collect();
    expected.sort();
    assert_eq!(requests, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_served_again_is_noticed_and_read_again() {
    for honest in [true, false] {
        let world = large_lists().await;
        world.simulator.faults.add([fault(
            "*/backupServers/jobs?limit=500&offset=1000",
            Some(1),
            FaultKind::RepeatPage { honest },
        )]);
        let data = world.data(JOBS).await;
        assert_eq!(
            data["jobs"]["totalCount"],
            job_count(&world.simulator.estate()),
            "honest: {honest}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_repeats_a_page_gives_an_incomplete_list() {
    for honest in [true, false] {
        let world = large_lists().await;
        world.simulator.faults.add([fault(
            "*/backupServers/jobs?limit=500&offset=1000",
            None,
            FaultKind::RepeatPage { honest },
        )]);
        let answer = world.ask(JOBS).await;
        assert_eq!(
            (
                &answer["data"]["jobs"]["complete"],
                &answer["data"]["jobs"]["totalCount"]
            ),
            (&json!(false), &Value::Null),
            "honest: {honest}"
        );
        assert_eq!(array(&answer["data"]["jobs"]["nodes"]).len(), 500);
        assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_page_is_noticed() {
    let world = World::small().await;
    world.simulator.faults.add([fault(
        "*/backupServers/jobs?*",
        Some(1),
        FaultKind::ShortPage,
    )]);
    assert_eq!(
        world.data(JOBS).await["jobs"]["complete"],
        true,
        "once: read again"
    );
    let world = World::small().await;
    world
        .simulator
        .faults
        .add([fault("*/backupServers/jobs?*", None, FaultKind::ShortPage)]);
    let answer = world.ask(JOBS).await;
    assert_eq!(answer["data"]["jobs"]["complete"], false, "always: said");
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_page_costs_its_rows_and_is_said() {
    let world = large_lists().await;
    world.simulator.faults.add([fault(
        "*/backupServers/jobs?limit=500&offset=500",
        None,
        status(520),
    )]);
    let answer = world
        .ask("{ jobs(first: 1) { complete totalCount nodes { uid } pageInfo { hasNextPage } } }")
        .await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(answer["data"]["jobs"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(codes(&answer), ["UPSTREAM_UNAVAILABLE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_beside_the_data_make_the_list_incomplete() {
    let world = World::small().await;
    world.simulator.faults.add([fault(
        "*/backupServers/jobs?*",
        None,
        FaultKind::PartialErrors,
    )]);
    let answer = world.ask(JOBS).await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(
        array(&answer["data"]["jobs"]["nodes"]).len(),
        job_count(&world.simulator.estate())
    );
    assert!(
        !answer.to_string().contains("Some servers"),
        "an upstream's text leaked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_failing_and_broken_answers_are_asked_for_again() {
    for kind in [status(202), status(520), status(503), FaultKind::Reset] {
        let world = World::small().await;
        world
            .simulator
            .faults
            .add([fault("*/backupServers/jobs?*", Some(1), kind.clone())]);
        let answer = world.ask(JOBS).await;
        assert_eq!(answer["data"]["jobs"]["complete"], true, "{kind:?}");
        assert_eq!(world.requests().len(), 2, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_pauses_the_whole_upstream_for_as_long_as_it_says() {
    for in_header in [true, false] {
        let world = World::small().await;
        let kind = FaultKind::Status {
            status: 429,
            retry_after: in_header.then_some(300),
            retry_after_in_body: (!in_header).then_some(300),
            location: None,
        };
        world
            .simulator
            .faults
            .add([fault("*/backupServers/jobs?*", Some(1), kind)]);
        let answer = world.ask(JOBS).await;
        assert_eq!(codes(&answer), ["RATE_LIMITED"]);
        assert_eq!(answer["errors"][0]["extensions"]["retryAfterSeconds"], 300);
        world.requests();
        let other = world.ask("{ companies { complete } }").await;
        assert_eq!(codes(&other), ["RATE_LIMITED"]);
        assert_eq!(
            world.requests(),
            Vec::<String>::new(),
            "nothing is sent before the pause ends"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_listed_twice_is_shown_once() {
    let world = World::small().await;
    let data = world
        .data("{ agentJobObjects(first: 500) { totalCount complete nodes { id } } }")
        .await;
    let estate = world.simulator.estate();
    assert_eq!(
        (
            &data["agentJobObjects"]["totalCount"],
            &data["agentJobObjects"]["complete"]
        ),
        (&json!(estate.machines.len()), &json!(true))
    );
    let mut ids: Vec<&str> = array(&data["agentJobObjects"]["nodes"])
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids.len(),
        estate.machines.len(),
        "restored machines share their ids, not their global ids"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_type_rows_are_read_with_their_jobs_and_those_without_are_left_out() {
    let world = World::small().await;
    let data = world.data("{ jobs(first: 500) { nodes { name uid backupServer { name } ... on AgentJob { osType jobMode } ... on BackupCopyJob { targetRepositoryUid } } } }").await;
    let estate = world.simulator.estate();
    let shown = array(&data["jobs"]["nodes"]);
    assert_eq!(shown.len(), job_count(&estate));
    for job in &estate.jobs {
        let shown = shown
            .iter()
            .find(|shown| {
                shown["uid"] == job.uid.to_string()
                    && shown["backupServer"]["name"] == estate.servers[job.server].name
            })
            .unwrap_or_else(|| panic!("{} is missing", job.name));
        assert_eq!(shown["name"], job.name);
        if job.kind.starts_with("Agent") {
            assert_eq!(shown["osType"], job.os);
        }
        if job.kind == "BackupCopy" {
            assert!(shown["targetRepositoryUid"].is_string());
        }
    }
    let sub_types = world
        .requests()
        .into_iter()
        .filter(|request| request.contains("/agentJobs?") || request.contains("/backupCopyJobs?"));
    assert!(
        sub_types
            .into_iter()
            .all(|request| request.contains("expand=BackupServerJob"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn words_in_any_casing_and_words_nobody_knows() {
    let world = World::start(Setup {
        change: |estate| {
            estate.jobs[0].status = "sUCCESS";
            estate.jobs[0].last_run = Some(estate.now);
            estate.jobs[1].status = "Transmogrifying";
        },
        ..Setup::default()
    })
    .await;
    let data = world
        .data("{ jobs(first: 500) { nodes { __typename name type kind status health } } }")
        .await;
    let of = |name: &str| {
        array(&data["jobs"]["nodes"])
            .iter()
            .find(|job| job["name"] == name)
            .unwrap()
            .clone()
    };
    let estate = world.simulator.estate();
    let (first, second) = (of(&estate.jobs[0].name), of(&estate.jobs[1].name));
    assert_eq!(
        (&first["status"], &first["health"]),
        (&json!("sUCCESS"), &json!("SUCCESS"))
    );
    assert_eq!(
        (&second["status"], &second["health"]),
        (&json!("Transmogrifying"), &json!("UNKNOWN"))
    );
    let future = array(&data["jobs"]["nodes"])
        .iter()
        .find(|job| job["type"] == "SomethingFromTheFuture")
        .unwrap();
    assert_eq!(
        (&future["__typename"], &future["kind"]),
        (&json!("OtherJob"), &json!("OTHER"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_on_page_two_costs_that_page_and_no_more_than_the_deadline() {
    let world = World::start(Setup {
        scale: Scale::Large,
        timeout: std::time::Duration::from_secs(8),
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([fault(
        "*/backupServers/jobs?limit=500&offset=500",
        None,
        FaultKind::Hang,
    )]);
    let answer = world
        .ask("{ jobs(first: 1) { complete nodes { uid } } }")
        .await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(array(&answer["data"]["jobs"]["nodes"]).len(), 1);
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_between_two_pages_is_replaced_once_and_the_list_is_whole() {
    let world = World::start(Setup {
        scale: Scale::Large,
        console_password: true,
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([fault(
        "*/backupServers/jobs?limit=500&offset=500",
        Some(1),
        FaultKind::Expire,
    )]);
    let data = world.data(JOBS).await;
    assert_eq!(
        data["jobs"]["totalCount"],
        job_count(&world.simulator.estate())
    );
    assert_eq!(
        world
            .requests()
            .iter()
            .filter(|request| request.starts_with("POST"))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off() {
    use axum::{Router, body::Body, http::header};
    let (listener, at) = crate::world::listen().await;
    let endless = async || {
        let spaces = axum::body::Bytes::from_static(&[b' '; 1 << 16]);
        let body =
            futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(spaces.clone()));
        (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from_stream(body),
        )
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(endless)).await });
    let unused = World::small().await.simulator.clone();
    let key = veeam_graph::config::Auth::ApiKey("k".into());
    let world = World::over(
        unused,
        vec![crate::world::upstream(
            "msp",
            veeam_graph::config::Kind::Vspc,
            at,
            key,
        )],
    )
    .await;
    assert_eq!(codes(&world.ask(JOBS).await), ["UPSTREAM_INVALID"]);
}
