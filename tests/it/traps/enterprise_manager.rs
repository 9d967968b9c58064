//! Traps of Enterprise Manager, and of both where only the dialect differs.

use super::{fault, status};
use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use veeam_graph::{
    config::Cache,
    simulator::{Casing, FaultKind, Options, Scale},
};

const SESSIONS: &str = "{ agentSessions(first: 500, filter: { topLevelOnly: false }) { complete totalCount nodes { uid name jobUid jobName jobType state result health progress isRetry startedAt endedAt durationSeconds failureMessage parentUid computer backupServerName matchedBy } } }";

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_of_enterprise_manager_gives_the_same_answer() {
    let mut answers = Vec::new();
    for options in [
        Options {
            casing: Casing::Pascal,
            ..Options::default()
        },
        Options {
            casing: Casing::Pascal,
            byte_order_mark: true,
            ..Options::default()
        },
        Options {
            casing: Casing::Camel,
            ..Options::default()
        },
        Options {
            casing: Casing::Camel,
            byte_order_mark: true,
            ..Options::default()
        },
        Options {
            xml_only: true,
            ..Options::default()
        },
    ] {
        let world = World::start(Setup {
            options: options.clone(),
            ..Setup::default()
        })
        .await;
        let data = world.data(SESSIONS).await;
        assert_eq!(
            data["agentSessions"]["totalCount"],
            world.simulator.estate().sessions.len(),
            "{options:?}"
        );
        answers.push(data);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_read_beyond_their_first_hundred_and_sorted_by_us() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let data = world.data(SESSIONS).await;
    let estate = world.simulator.estate();
    assert_eq!(data["agentSessions"]["totalCount"], estate.sessions.len());
    let started: Vec<&str> = array(&data["agentSessions"]["nodes"])
        .iter()
        .map(|session| session["startedAt"].as_str().unwrap())
        .collect();
    assert!(started.is_sorted_by(|left, right| left >= right));
    let pages: Vec<String> = world
        .requests()
        .into_iter()
        .filter(|request| request.contains("/api/query"))
        .collect();
    assert_eq!(pages.len(), estate.sessions.len().div_ceil(1_000));
    assert!(
        pages
            .iter()
            .all(|page| page.contains("pageSize=1000") && page.contains("CreationTime%3E%3D"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_queries_is_asked_for_its_list() {
    let world = World::small().await;
    world
        .simulator
        .faults
        .add([fault("/api/query*", None, status(400))]);
    let by_list = world.data(SESSIONS).await;
    assert!(
        world
            .requests()
            .iter()
            .any(|request| request == "GET /api/agents/backupSessions?format=Entity")
    );
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
        let real = estate
            .sessions
            .iter()
            .find(|real| session["uid"] == real.uid.to_string())
            .unwrap();
        assert_eq!(
            session["durationSeconds"].as_i64(),
            real.ended
                .map(|ended| ended.as_second() - real.created.as_second())
        );
        if real.ended.is_none() {
            running += 1;
            assert_eq!(
                (&session["health"], &session["endedAt"], &session["result"]),
                (&json!("RUNNING"), &Value::Null, &json!("None"))
            );
        }
    }
    assert!(running > 0, "the estate has no running session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_is_replaced_once_and_its_cookie_is_not_kept() {
    let world = World::start(Setup {
        cache: Cache {
            sessions: Some(std::time::Duration::ZERO),
            max_stale: Some(std::time::Duration::ZERO),
            ..Cache::default()
        },
        ..Setup::default()
    })
    .await;
    world.data("{ agentSessions { totalCount } }").await;
    world.requests();
    // the server would prefer an old cookie to the new header
    world.simulator.expire_sessions();
    let answer = world.ask("{ agentSessions { totalCount complete } }").await;
    assert_eq!(
        answer["data"]["agentSessions"]["complete"], true,
        "{answer}"
    );
    let requests = world.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.starts_with("POST /api/sessionMngr/"))
            .count(),
        1,
        "{requests:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_foreign_hrefs_are_never_followed() {
    let world = World::small().await;
    let (trap, at) = crate::world::listen().await;
    let location = Some(format!(
        "http://{at}/api/v3/infrastructure/backupServers/jobs"
    ));
    let redirect = FaultKind::Status {
        status: 302,
        retry_after: None,
        retry_after_in_body: None,
        location,
    };
    world.simulator.faults.add([
        fault("*/backupServers/jobs?*", None, redirect.clone()),
        fault("/api/query*", None, redirect),
    ]);
    let answer = world
        .ask("{ jobs { complete } agentSessions { complete } }")
        .await;
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID", "UPSTREAM_INVALID"]);
    let nobody = std::time::Duration::from_millis(1);
    assert!(
        tokio::time::timeout(nobody, trap.accept()).await.is_err(),
        "somebody followed the redirect"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_an_error_in_every_dialect() {
    for (xml_only, path, query) in [
        (
            false,
            "*/backupServers/jobs?*",
            "{ jobs { complete nodes { uid } } }",
        ),
        (
            false,
            "/api/query*",
            "{ agentSessions { complete nodes { uid } } }",
        ),
        (
            true,
            "/api/query*",
            "{ agentSessions { complete nodes { uid } } }",
        ),
    ] {
        for kind in [FaultKind::Truncate, FaultKind::Garble, FaultKind::Reset] {
            let world = World::start(Setup {
                options: Options {
                    xml_only,
                    ..Options::default()
                },
                ..Setup::default()
            })
            .await;
            world
                .simulator
                .faults
                .add([fault(path, None, kind.clone())]);
            let answer = world.ask(query).await;
            assert!(
                answer["data"].to_string().contains("\"complete\":false"),
                "{kind:?}: {answer}"
            );
            let expected = if kind == FaultKind::Reset {
                "UPSTREAM_UNAVAILABLE"
            } else {
                "UPSTREAM_INVALID"
            };
            assert_eq!(codes(&answer), [expected], "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_costs_its_branch_and_no_more_than_the_deadline() {
    let world = World::start(Setup {
        timeout: std::time::Duration::from_secs(3),
        ..Setup::default()
    })
    .await;
    world
        .simulator
        .faults
        .add([fault("/api/query*", None, FaultKind::Hang)]);
    let answer = world
        .ask("{ agentSessions { complete } jobs { complete } }")
        .await;
    assert_eq!(
        answer["data"],
        json!({"agentSessions": {"complete": false}, "jobs": {"complete": true}})
    );
    assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
}
