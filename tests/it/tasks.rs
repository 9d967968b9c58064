//! What sessions did to each machine: as the simulator's data says, a query for forty sessions, one
//! by one where a server refuses that; and why a session failed, in whichever place says so.

use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use veeam_graph::simulator::{Casing, Estate, Fault, FaultKind, Options, tasks};

const SESSIONS: &str = "query($first: Int) { agentSessions(first: $first, filter: { topLevelOnly: false }) { nodes {
  uid health failureMessage failureReason
  tasks { complete totalCount nodes { uid computer state result health startedAt endedAt durationSeconds totalBytes reason reasonSummary } } } } }";

fn check(estate: &Estate, rows: &[Value]) -> usize {
    let (mut with_reason, mut told) = (0, BTreeMap::new());
    for row in rows {
        let session = estate
            .sessions
            .iter()
            .find(|session| row["uid"] == session.uid.to_string())
            .unwrap();
        let expected = tasks(estate, session);
        assert_eq!(
            (&row["tasks"]["complete"], &row["tasks"]["totalCount"]),
            (&json!(true), &json!(expected.len()))
        );
        for task in array(&row["tasks"]["nodes"]) {
            let of_data = expected
                .iter()
                .find(|of_data| task["uid"] == of_data.uid.to_string())
                .unwrap();
            let health = if of_data.ended.is_none() {
                "RUNNING".to_owned()
            } else {
                of_data.result.to_uppercase()
            };
            let seconds = of_data
                .ended
                .map(|ended| ended.as_second() - of_data.created.as_second());
            let reason = |text: &str| {
                if text.is_empty() {
                    Value::Null
                } else {
                    json!(text)
                }
            };
            assert_eq!(
                (&task["computer"], &task["health"]),
                (&json!(of_data.machine), &json!(health))
            );
            assert_eq!(
                (&task["durationSeconds"], &task["totalBytes"]),
                (&json!(seconds), &json!(of_data.size))
            );
            assert_eq!(
                (&task["reason"], &task["reasonSummary"]),
                (
                    &reason(of_data.reason),
                    &reason(of_data.reason.lines().next().unwrap_or_default())
                )
            );
        }
        let reason = match &session.failure {
            Some(message) => json!(message),
            None => json!(
                expected
                    .iter()
                    .map(|task| task.reason.lines().next().unwrap_or_default())
                    .find(|reason| !reason.is_empty())
            ),
        };
        assert_eq!(row["failureReason"], reason, "{row}");
        with_reason += usize::from(session.failure.is_none() && reason.is_string());
        *told.entry(row["health"].as_str().unwrap()).or_insert(0) += 1;
    }
    assert!(
        with_reason > 3 && told.len() > 2,
        "{with_reason} of {told:?}"
    );
    rows.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_what_the_data_says_in_every_dialect_at_a_query_for_forty_sessions() {
    for casing in [Casing::Pascal, Casing::Camel] {
        let world = World::start(Setup {
            options: Options {
                casing,
                ..Options::default()
            },
            ..Setup::default()
        })
        .await;
        let answer = world.ask_with(SESSIONS, json!({"first": 100})).await;
        assert_eq!(answer.get("errors"), None);
        assert_eq!(
            check(
                &world.simulator.estate(),
                array(&answer["data"]["agentSessions"]["nodes"])
            ),
            100
        );
        let of_tasks = |requests: Vec<String>| {
            requests
                .into_iter()
                .filter(|request| request.contains("ask"))
                .collect::<Vec<_>>()
        };
        let requests = of_tasks(world.requests());
        assert_eq!(requests.len(), 3, "{requests:?}");
        assert!(
            requests.iter().all(
                |request| request.contains("/api/query?type=BackupTaskSession")
                    && request.len() < 6_000
            ),
            "{requests:?}"
        );
        world.ask_with(SESSIONS, json!({"first": 100})).await;
        assert_eq!(of_tasks(world.requests()), Vec::<String>::new(), "warm");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_asked_by_its_path_and_all_are_where_the_query_is_refused() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let session = estate
        .sessions
        .iter()
        .find(|session| session.result == "Failed" && session.of_machine.is_some())
        .unwrap();
    let query = format!(
        "{{ agentSession(uid: \"{}\") {{ tasks {{ nodes {{ reason }} }} }} }}",
        session.uid
    );
    let data = world.data(&query).await;
    assert_eq!(
        data["agentSession"]["tasks"]["nodes"][0]["reason"],
        tasks(&estate, session)[0].reason
    );
    let requests = world.requests();
    let path = format!(
        "GET /api/backupSessions/{}/taskSessions?format=Entity",
        session.uid
    );
    assert!(requests.contains(&path), "{requests:?}");

    let world = World::small().await;
    let refused = FaultKind::Status {
        status: 400,
        retry_after: None,
        retry_after_in_body: None,
        location: None,
    };
    world.simulator.faults.add([Fault {
        path: "/api/query?type=BackupTaskSession*".to_owned(),
        times: None,
        kind: refused,
    }]);
    let answer = world.ask_with(SESSIONS, json!({"first": 60})).await;
    assert_eq!(answer.get("errors"), None);
    assert_eq!(
        check(&estate, array(&answer["data"]["agentSessions"]["nodes"])),
        60
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_can_not_be_read_cost_themselves_and_are_not_taken_for_none() {
    for kind in [FaultKind::Html, FaultKind::Truncate, FaultKind::Garble] {
        let world = World::small().await;
        world.simulator.faults.add([Fault {
            path: "/api/query?type=BackupTaskSession*".to_owned(),
            times: None,
            kind,
        }]);
        let answer = world.ask_with(SESSIONS, json!({"first": 30})).await;
        for row in array(&answer["data"]["agentSessions"]["nodes"]) {
            assert_eq!(
                (&row["tasks"]["complete"], &row["tasks"]["totalCount"]),
                (&json!(false), &Value::Null)
            );
            assert_eq!(
                row["failureReason"], row["failureMessage"],
                "a message needs no task"
            );
        }
        assert!(
            codes(&answer)
                .iter()
                .all(|code| *code == "UPSTREAM_INVALID" || *code == "UPSTREAM_UNAVAILABLE"),
            "{:?}",
            codes(&answer)
        );
    }
}
