//! Each trap in the upstreams, sprung: every test here fails without the handling that it is named for.

use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use veeam_graph::{
    config::Cache,
    simulator::{Casing, Fault, FaultKind, Options, Scale, estate::Estate},
};

fn fault(path: &str, times: Option<u32>, kind: FaultKind) -> Fault {
    Fault { path: path.to_owned(), times, kind }
}

fn status(status: u16) -> FaultKind {
    FaultKind::Status { status, retry_after: None, retry_after_in_body: None, location: None }
}

const JOBS: &str = "{ jobs(first: 500) { complete totalCount nodes { uid } } }";

async fn large_lists() -> World {
    World::start(Setup { scale: Scale::Large, timeout: std::time::Duration::from_secs(20), ..Setup::default() }).await
}

fn job_count(estate: &Estate) -> usize {
    estate.jobs.len()
}

// --- Service Provider Console

#[tokio::test(flavor = "multi_thread")]
async fn html_with_200_is_an_error_and_never_an_empty_list() {
    let world = World::small().await;
    world.simulator.faults.add([fault("/api/v3/infrastructure/backupServers/jobs?*", None, FaultKind::Html)]);
    let answer = world.ask(JOBS).await;
    assert_eq!(answer["data"]["jobs"], json!({"complete": false, "totalCount": null, "nodes": []}));
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
    assert_eq!(answer["errors"][0]["path"], json!(["jobs"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_the_gateways_own_and_equal_brute_force() {
    let world = World::start(Setup { scale: Scale::Medium, ..Setup::default() }).await;
    let estate = world.simulator.estate();
    for company in estate.companies.iter().take(12) {
        let mut expected: Vec<String> = estate
            .jobs
            .iter()
            .filter(|job| job.mapped_company.filter(|uid| !uid.is_nil()).unwrap_or(estate.servers[job.server].company) == company.uid)
            .map(|job| format!("{} {}", job.name.to_lowercase(), job.uid))
            .collect();
        expected.sort();
        let query =
            format!("{{ jobs(first: 500, filter: {{ companyUid: \"{}\" }}) {{ nodes {{ name uid company {{ uid }} }} }} }}", company.uid);
        let data = world.data(&query).await;
        let mut shown: Vec<String> = Vec::new();
        for job in array(&data["jobs"]["nodes"]) {
            assert_eq!(job["company"]["uid"], company.uid.to_string());
            shown.push(format!("{} {}", job["name"].as_str().unwrap().to_lowercase(), job["uid"].as_str().unwrap()));
        }
        shown.sort();
        assert_eq!(shown, expected, "{}", company.name);
    }
    assert!(world.requests().iter().all(|request| !request.contains("filter")), "nothing was left to the upstream's filters");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_of_500_and_all_of_them_are_read() {
    let world = large_lists().await;
    let count = job_count(&world.simulator.estate());
    assert_eq!(world.data(JOBS).await["jobs"]["totalCount"], count);
    let mut requests = world.requests();
    requests.sort();
    let mut expected: Vec<String> = (0..count.div_ceil(500))
        .map(|page| format!("GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset={}", page * 500))
        .collect();
    expected.sort();
    assert_eq!(requests, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_served_again_is_noticed_and_read_again() {
    for honest in [true, false] {
        let world = large_lists().await;
        world.simulator.faults.add([fault("*/backupServers/jobs?limit=500&offset=1000", Some(1), FaultKind::RepeatPage { honest })]);
        let data = world.data(JOBS).await;
        assert_eq!(data["jobs"]["totalCount"], job_count(&world.simulator.estate()), "honest: {honest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_repeats_a_page_gives_an_incomplete_list() {
    for honest in [true, false] {
        let world = large_lists().await;
        world.simulator.faults.add([fault("*/backupServers/jobs?limit=500&offset=1000", None, FaultKind::RepeatPage { honest })]);
        let answer = world.ask(JOBS).await;
        assert_eq!(
            (&answer["data"]["jobs"]["complete"], &answer["data"]["jobs"]["totalCount"]),
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
    world.simulator.faults.add([fault("*/backupServers/jobs?*", Some(1), FaultKind::ShortPage)]);
    assert_eq!(world.data(JOBS).await["jobs"]["complete"], true, "once: read again");
    let world = World::small().await;
    world.simulator.faults.add([fault("*/backupServers/jobs?*", None, FaultKind::ShortPage)]);
    let answer = world.ask(JOBS).await;
    assert_eq!(answer["data"]["jobs"]["complete"], false, "always: said");
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_page_costs_its_rows_and_is_said() {
    let world = large_lists().await;
    world.simulator.faults.add([fault("*/backupServers/jobs?limit=500&offset=500", None, status(520))]);
    let answer = world.ask("{ jobs(first: 1) { complete totalCount nodes { uid } pageInfo { hasNextPage } } }").await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(answer["data"]["jobs"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(codes(&answer), ["UPSTREAM_UNAVAILABLE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_beside_the_data_make_the_list_incomplete() {
    let world = World::small().await;
    world.simulator.faults.add([fault("*/backupServers/jobs?*", None, FaultKind::PartialErrors)]);
    let answer = world.ask(JOBS).await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(array(&answer["data"]["jobs"]["nodes"]).len(), job_count(&world.simulator.estate()));
    assert!(!answer.to_string().contains("Some servers"), "an upstream's text leaked");
}

#[tokio::test(flavor = "multi_thread")]
async fn queued_failing_and_broken_answers_are_asked_for_again() {
    for kind in [status(202), status(520), status(503), FaultKind::Reset] {
        let world = World::small().await;
        world.simulator.faults.add([fault("*/backupServers/jobs?*", Some(1), kind.clone())]);
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
        world.simulator.faults.add([fault("*/backupServers/jobs?*", Some(1), kind)]);
        let answer = world.ask(JOBS).await;
        assert_eq!(codes(&answer), ["RATE_LIMITED"]);
        assert_eq!(answer["errors"][0]["extensions"]["retryAfterSeconds"], 300);
        world.requests();
        let other = world.ask("{ companies { complete } }").await;
        assert_eq!(codes(&other), ["RATE_LIMITED"]);
        assert_eq!(world.requests(), Vec::<String>::new(), "nothing is sent before the pause ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_listed_twice_is_shown_once() {
    let world = World::small().await;
    let data = world.data("{ agentJobObjects(first: 500) { totalCount complete nodes { id } } }").await;
    let estate = world.simulator.estate();
    assert_eq!(
        (&data["agentJobObjects"]["totalCount"], &data["agentJobObjects"]["complete"]),
        (&json!(estate.machines.len()), &json!(true))
    );
    let mut ids: Vec<&str> = array(&data["agentJobObjects"]["nodes"]).iter().map(|node| node["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), estate.machines.len(), "restored machines share their ids, not their global ids");
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
            .find(|shown| shown["uid"] == job.uid.to_string() && shown["backupServer"]["name"] == estate.servers[job.server].name)
            .unwrap_or_else(|| panic!("{} is missing", job.name));
        assert_eq!(shown["name"], job.name);
        if job.kind.starts_with("Agent") {
            assert_eq!(shown["osType"], job.os);
        }
        if job.kind == "BackupCopy" {
            assert!(shown["targetRepositoryUid"].is_string());
        }
    }
    let sub_types = world.requests().into_iter().filter(|request| request.contains("/agentJobs?") || request.contains("/backupCopyJobs?"));
    assert!(sub_types.into_iter().all(|request| request.contains("expand=BackupServerJob")));
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
    let data = world.data("{ jobs(first: 500) { nodes { __typename name type kind status health } } }").await;
    let of = |name: &str| array(&data["jobs"]["nodes"]).iter().find(|job| job["name"] == name).unwrap().clone();
    let estate = world.simulator.estate();
    let (first, second) = (of(&estate.jobs[0].name), of(&estate.jobs[1].name));
    assert_eq!((&first["status"], &first["health"]), (&json!("sUCCESS"), &json!("SUCCESS")));
    assert_eq!((&second["status"], &second["health"]), (&json!("Transmogrifying"), &json!("UNKNOWN")));
    let future = array(&data["jobs"]["nodes"]).iter().find(|job| job["type"] == "SomethingFromTheFuture").unwrap();
    assert_eq!((&future["__typename"], &future["kind"]), (&json!("OtherJob"), &json!("OTHER")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_on_page_two_costs_that_page_and_no_more_than_the_deadline() {
    let world = World::start(Setup { scale: Scale::Large, timeout: std::time::Duration::from_secs(8), ..Setup::default() }).await;
    world.simulator.faults.add([fault("*/backupServers/jobs?limit=500&offset=500", None, FaultKind::Hang)]);
    let answer = world.ask("{ jobs(first: 1) { complete nodes { uid } } }").await;
    assert_eq!(answer["data"]["jobs"]["complete"], false);
    assert_eq!(array(&answer["data"]["jobs"]["nodes"]).len(), 1);
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_between_two_pages_is_replaced_once_and_the_list_is_whole() {
    let world = World::start(Setup { scale: Scale::Large, console_password: true, ..Setup::default() }).await;
    world.simulator.faults.add([fault("*/backupServers/jobs?limit=500&offset=500", Some(1), FaultKind::Expire)]);
    let data = world.data(JOBS).await;
    assert_eq!(data["jobs"]["totalCount"], job_count(&world.simulator.estate()));
    assert_eq!(world.requests().iter().filter(|request| request.starts_with("POST")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off() {
    use axum::{Router, body::Body, http::header};
    let (listener, at) = crate::world::listen().await;
    let endless = async || {
        let spaces = axum::body::Bytes::from_static(&[b' '; 1 << 16]);
        let body = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(spaces.clone()));
        ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(endless)).await });
    let unused = World::small().await.simulator.clone();
    let key = veeam_graph::config::Auth::ApiKey("k".into());
    let world = World::over(unused, vec![crate::world::upstream("msp", veeam_graph::config::Kind::Vspc, at, key)]).await;
    assert_eq!(codes(&world.ask(JOBS).await), ["UPSTREAM_INVALID"]);
}

// --- Enterprise Manager

const SESSIONS: &str = "{ agentSessions(first: 500, filter: { topLevelOnly: false }) { complete totalCount nodes { uid name jobUid jobName jobType state result health progress isRetry startedAt endedAt durationSeconds failureMessage parentUid computer backupServerName matchedBy } } }";

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_of_enterprise_manager_gives_the_same_answer() {
    let mut answers = Vec::new();
    for options in [
        Options { casing: Casing::Pascal, ..Options::default() },
        Options { casing: Casing::Pascal, byte_order_mark: true, ..Options::default() },
        Options { casing: Casing::Camel, ..Options::default() },
        Options { casing: Casing::Camel, byte_order_mark: true, ..Options::default() },
        Options { xml_only: true, ..Options::default() },
    ] {
        let world = World::start(Setup { options: options.clone(), ..Setup::default() }).await;
        let data = world.data(SESSIONS).await;
        assert_eq!(data["agentSessions"]["totalCount"], world.simulator.estate().sessions.len(), "{options:?}");
        answers.push(data);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_read_beyond_their_first_hundred_and_sorted_by_us() {
    let world = World::start(Setup { scale: Scale::Medium, ..Setup::default() }).await;
    let data = world.data(SESSIONS).await;
    let estate = world.simulator.estate();
    assert_eq!(data["agentSessions"]["totalCount"], estate.sessions.len());
    let started: Vec<&str> = array(&data["agentSessions"]["nodes"]).iter().map(|session| session["startedAt"].as_str().unwrap()).collect();
    assert!(started.is_sorted_by(|left, right| left >= right));
    let pages: Vec<String> = world.requests().into_iter().filter(|request| request.contains("/api/query")).collect();
    assert_eq!(pages.len(), estate.sessions.len().div_ceil(1_000));
    assert!(pages.iter().all(|page| page.contains("pageSize=1000") && page.contains("CreationTime%3E%3D")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_queries_is_asked_for_its_list() {
    let world = World::small().await;
    world.simulator.faults.add([fault("/api/query*", None, status(400))]);
    let by_list = world.data(SESSIONS).await;
    assert!(world.requests().iter().any(|request| request == "GET /api/agents/backupSessions?format=Entity"));
    let other = World::small().await;
    assert_eq!(by_list, other.data(SESSIONS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_sessions_have_no_end_and_no_length_and_finished_ones_are_not_negative() {
    let world = World::small().await;
    let data = world.data(SESSIONS).await;
    let estate = world.simulator.estate();
    let mut running = 0;
    for session in array(&data["agentSessions"]["nodes"]) {
        let real = estate.sessions.iter().find(|real| session["uid"] == real.uid.to_string()).unwrap();
        assert_eq!(session["durationSeconds"].as_i64(), real.ended.map(|ended| ended.as_second() - real.created.as_second()));
        if real.ended.is_none() {
            running += 1;
            assert_eq!((&session["health"], &session["endedAt"], &session["result"]), (&json!("RUNNING"), &Value::Null, &json!("None")));
        }
    }
    assert!(running > 0, "the estate has no running session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_is_replaced_once_and_its_cookie_is_not_kept() {
    let world = World::start(Setup {
        cache: Cache { sessions: Some(std::time::Duration::ZERO), max_stale: Some(std::time::Duration::ZERO), ..Cache::default() },
        ..Setup::default()
    })
    .await;
    world.data("{ agentSessions { totalCount } }").await;
    world.requests();
    // the server would prefer an old cookie to the new header
    world.simulator.expire_sessions();
    let answer = world.ask("{ agentSessions { totalCount complete } }").await;
    assert_eq!(answer["data"]["agentSessions"]["complete"], true, "{answer}");
    let requests = world.requests();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST /api/sessionMngr/")).count(), 1, "{requests:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_foreign_hrefs_are_never_followed() {
    let world = World::small().await;
    let (trap, at) = crate::world::listen().await;
    let location = Some(format!("http://{at}/api/v3/infrastructure/backupServers/jobs"));
    let redirect = FaultKind::Status { status: 302, retry_after: None, retry_after_in_body: None, location };
    world.simulator.faults.add([fault("*/backupServers/jobs?*", None, redirect.clone()), fault("/api/query*", None, redirect)]);
    let answer = world.ask("{ jobs { complete } agentSessions { complete } }").await;
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID", "UPSTREAM_INVALID"]);
    let nobody = std::time::Duration::from_millis(1);
    assert!(tokio::time::timeout(nobody, trap.accept()).await.is_err(), "somebody followed the redirect");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_an_error_in_every_dialect() {
    for (xml_only, path, query) in [
        (false, "*/backupServers/jobs?*", "{ jobs { complete nodes { uid } } }"),
        (false, "/api/query*", "{ agentSessions { complete nodes { uid } } }"),
        (true, "/api/query*", "{ agentSessions { complete nodes { uid } } }"),
    ] {
        for kind in [FaultKind::Truncate, FaultKind::Garble, FaultKind::Reset] {
            let world = World::start(Setup { options: Options { xml_only, ..Options::default() }, ..Setup::default() }).await;
            world.simulator.faults.add([fault(path, None, kind.clone())]);
            let answer = world.ask(query).await;
            assert!(answer["data"].to_string().contains("\"complete\":false"), "{kind:?}: {answer}");
            let expected = if kind == FaultKind::Reset { "UPSTREAM_UNAVAILABLE" } else { "UPSTREAM_INVALID" };
            assert_eq!(codes(&answer), [expected], "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_costs_its_branch_and_no_more_than_the_deadline() {
    let world = World::start(Setup { timeout: std::time::Duration::from_secs(3), ..Setup::default() }).await;
    world.simulator.faults.add([fault("/api/query*", None, FaultKind::Hang)]);
    let answer = world.ask("{ agentSessions { complete } jobs { complete } }").await;
    assert_eq!(answer["data"], json!({"agentSessions": {"complete": false}, "jobs": {"complete": true}}));
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
}

// --- the legacy v2 API

#[tokio::test(flavor = "multi_thread")]
async fn v2_jobs_without_ids_are_listed_and_found_again() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let agent = estate.agents.iter().find(|agent| agent.jobs.iter().any(|job| job.id.is_nil())).unwrap();
    let query = format!(
        "{{ backupAgentJobs(agentUid: \"{}\") {{ complete totalCount nodes {{ id uid name lastRun health operationMode backupMode }} }} }}",
        agent.id
    );
    let data = world.data(&query).await;
    let shown = array(&data["backupAgentJobs"]["nodes"]);
    assert_eq!(shown.len(), agent.jobs.len());
    for (shown, job) in shown.iter().zip(&agent.jobs) {
        assert_eq!((&shown["uid"], &shown["name"]), (&Value::Null, &json!(job.name)));
        assert_eq!(shown["lastRun"].is_null(), job.last_run.is_none(), "0001-01-01 is never");
        assert_eq!((&shown["operationMode"], &shown["backupMode"]), (&json!("Workstation"), &json!("EntireComputer")));
        let again = world.data(&format!("{{ node(id: {}) {{ id ... on BackupAgentJob {{ name }} }} }}", shown["id"])).await;
        assert_eq!((&again["node"]["id"], &again["node"]["name"]), (&shown["id"], &shown["name"]));
    }
}
