//! Rows that are odd: words for never, sizes that are none, ids that are none or shared, members
//! that are null, absent or of another JSON type, clocks that differ; and answers that rest on a
//! list that could not be read.

use crate::{
    mock::{COMPANY, JOBS, Mock, Reply, VBR01, case_time, fixture, log_of},
    world::{array, codes},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

const AGENTS: &str = "/api/v3/infrastructure/backupServers/agents";
const CONSOLE_AGENTS: &str = "/api/v3/infrastructure/backupAgents";
const CONSOLE_JOBS: &str = "/api/v3/infrastructure/backupAgents/jobs";
const OBJECTS: &str = "/api/v3/infrastructure/backupServers/jobs/agentJobs/objects";
const OTHER: &str = "7a755021-7854-52cf-af8e-760375822899";

fn job(number: u32) -> Value {
    json!({
        "instanceUid": format!("00000000-0000-4000-8000-{number:012}"),
        "name": format!("Job {number}"),
        "backupServerUid": VBR01,
        "organizationUid": COMPANY,
        "status": "Failed",
        "type": "AgentBackupJob",
        "lastRun": "2026-11-26T22:00:00Z",
        "lastEndTime": "2026-11-26T22:10:00Z",
    })
}

fn rows(mock: &Mock, path: &str, rows: Vec<Value>) {
    mock.each(path, move |asked| Reply::cut(&rows, asked));
}

#[tokio::test]
async fn words_for_never_are_never() {
    let mock = Mock::empty().await;
    mock.on(
        JOBS,
        Reply::json(fixture("01-never-is-1900.vspc-jobs.json")),
    );
    mock.on(
        "/api/query",
        Reply::json(fixture("01-never-is-1900.em-query.json")),
    );
    let world = mock.world("never").await;
    let data = world
        .data("{ jobs { complete nodes { name health lastRun lastEndTime lastSuccess } } }")
        .await;
    assert_eq!(data["jobs"]["complete"], true);
    let named = |name: &str| {
        array(&data["jobs"]["nodes"])
            .iter()
            .find(|job| job["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(named("Copy 1")["lastEndTime"], Value::Null);
    assert_eq!(named("Copy 1")["lastSuccess"], Value::Null);
    let never = named("Never 1");
    assert_eq!(
        (&never["lastRun"], &never["lastEndTime"], &never["health"]),
        (&Value::Null, &Value::Null, &json!("NEVER_RAN"))
    );
    let sessions = world
        .data("{ agentSessions { nodes { health endedAt durationSeconds scope } } }")
        .await;
    assert_eq!(
        sessions["agentSessions"]["nodes"],
        json!([{"health": "RUNNING", "endedAt": null, "durationSeconds": null, "scope": "RUN"}])
    );
}

#[tokio::test]
async fn the_runs_of_an_immediate_copy_are_not_called_known() {
    let mock = Mock::empty().await;
    mock.on(
        JOBS,
        Reply::json(fixture("07-immediate-copy-workers.vspc-jobs.json")),
    );
    mock.on(
        "/api/query",
        Reply::json(fixture("07-immediate-copy-workers.em-query.json")),
    );
    let world = mock.world("workers").await;
    let answer = world.ask(r#"{ job(name: "Copy 1") { lastSuccess lastSuccessKnown sessions { complete totalCount } } }"#).await;
    let job = &answer["data"]["job"];
    assert_eq!(
        (&job["lastSuccess"], &job["lastSuccessKnown"]),
        (&Value::Null, &json!(false)),
        "{answer}"
    );
    assert_eq!(
        (&job["sessions"]["complete"], &job["sessions"]["totalCount"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
}

#[tokio::test]
async fn idle_is_no_success() {
    let mock = Mock::empty().await;
    let mut idle = job(1);
    idle["status"] = json!("Idle");
    idle["type"] = json!("BackupToTape");
    rows(&mock, JOBS, vec![idle]);
    let world = mock.world("idle").await;
    let data = world
        .data("{ jobs { nodes { lastSuccess lastSuccessKnown } } }")
        .await;
    assert_eq!(
        data["jobs"]["nodes"][0],
        json!({"lastSuccess": null, "lastSuccessKnown": false})
    );
}

#[tokio::test]
async fn sizes_that_are_none_are_no_percentage() {
    let mock = Mock::empty().await;
    mock.on(
        "/api/v3/infrastructure/backupServers/repositories",
        Reply::json(fixture("11-sizes-that-are-none.vspc-repositories.json")),
    );
    let world = mock.world("sizes").await;
    let data = world
        .data("{ repositories { complete nodes { name usedPercent } } }")
        .await;
    assert_eq!(data["repositories"]["complete"], true);
    for row in array(&data["repositories"]["nodes"]) {
        let is_none = row["usedPercent"].is_null()
            || (row["name"] == "Free beyond capacity" && row["usedPercent"] == 0.0);
        assert!(is_none, "{row}");
    }
}

#[tokio::test]
async fn an_agent_without_an_id_is_there() {
    let mock = Mock::empty().await;
    mock.on(
        AGENTS,
        Reply::json(fixture("16-agent-without-an-id.vspc-server-agents.json")),
    );
    let world = mock.world("no-id").await;
    let data = world
        .data("{ backupAgents { complete totalCount nodes { id uid name } } }")
        .await;
    let agents = &data["backupAgents"];
    assert_eq!(
        (&agents["complete"], &agents["totalCount"]),
        (&json!(true), &json!(3))
    );
    let found = array(&agents["nodes"])
        .iter()
        .find(|agent| agent["uid"].is_null())
        .unwrap();
    assert_eq!(found["name"], "pc-found-by-a-scan");
    let again = world
        .data(&format!(
            "{{ node(id: {}) {{ ... on BackupAgent {{ name }} }} }}",
            found["id"]
        ))
        .await;
    assert_eq!(again["node"]["name"], "pc-found-by-a-scan");
}

#[tokio::test]
async fn machines_of_two_companies_with_one_hardware_id_are_two() {
    let mock = Mock::empty().await;
    let companies = vec![
        json!({"instanceUid": COMPANY, "name": "A"}),
        json!({"instanceUid": OTHER, "name": "B"}),
    ];
    rows(&mock, "/api/v3/organizations", companies);
    let agent = "03000200-0400-4500-8006-000700080009";
    let of = |company: &str, name: &str| json!({"instanceUid": agent, "name": name, "organizationUid": company});
    rows(
        &mock,
        CONSOLE_AGENTS,
        vec![of(COMPANY, "a"), of(OTHER, "b")],
    );
    let job = |company: &str, number: u32, status: &str| {
        let uid = format!("00000000-0000-4000-8000-{number:012}");
        json!({"instanceUid": uid, "backupAgentUid": agent, "organizationUid": company, "name": "daily", "status": status})
    };
    rows(
        &mock,
        CONSOLE_JOBS,
        vec![job(COMPANY, 1, "Success"), job(OTHER, 2, "Failed")],
    );
    let world = mock.world("shared-id").await;
    let data = world.data("{ consoleAgents { complete nodes { name jobs { complete nodes { health agent { name } } } } } }").await;
    let machine = |name: &str, health: &str| json!({"name": name, "jobs": {"complete": true, "nodes": [{"health": health, "agent": {"name": name}}]}});
    assert_eq!(
        data["consoleAgents"],
        json!({"complete": true, "nodes": [machine("a", "SUCCESS"), machine("b", "FAILED")]})
    );
    // of one company nobody can tell them apart: then neither has the other's jobs
    rows(
        &mock,
        CONSOLE_AGENTS,
        vec![of(COMPANY, "a"), of(COMPANY, "b")],
    );
    let world = mock.world("shared-id-2").await;
    let answer = world
        .ask("{ consoleAgents { complete nodes { name jobs { complete totalCount } } } }")
        .await;
    let agents = array(&answer["data"]["consoleAgents"]["nodes"]);
    assert_eq!(agents.len(), 2);
    assert!(
        agents
            .iter()
            .all(|agent| agent["jobs"] == json!({"complete": false, "totalCount": null})),
        "{answer}"
    );
}

#[tokio::test]
async fn a_machine_whose_row_names_no_server_has_its_jobs() {
    let mock = Mock::empty().await;
    rows(&mock, JOBS, vec![job(1)]);
    let machine = json!({
        "instanceUid": "10000000-0000-4000-8000-000000000001", "jobUid": job(1)["instanceUid"], "computer": "pc", "backupServerUid": null,
    });
    rows(&mock, OBJECTS, vec![machine]);
    let world = mock.world("no-server").await;
    let of_server = format!(
        "{{ agentJobObjects(filter: {{ backupServerUid: \"{VBR01}\" }}) {{ nodes {{ computer backupServerUid }} }} }}"
    );
    let data = world.data(&of_server).await;
    assert_eq!(
        data["agentJobObjects"]["nodes"],
        json!([{"computer": "pc", "backupServerUid": VBR01}])
    );
}

#[tokio::test]
async fn a_clock_ahead_by_seconds_is_recent_and_by_hours_is_not_in_every_filter() {
    let mock = Mock::empty().await;
    let ahead = |seconds: i64| (case_time() + SignedDuration::from_secs(seconds)).to_string();
    let (mut soon, mut later) = (job(1), job(2));
    soon["lastEndTime"] = json!(ahead(40));
    later["lastEndTime"] = json!(ahead(7_200));
    rows(&mock, JOBS, vec![soon, later]);
    let alarm = |number: u32, seconds: i64| {
        let uid = format!("20000000-0000-4000-8000-{number:012}");
        json!({"instanceUid": uid, "object": {"organizationUid": COMPANY}, "lastActivation": {"time": ahead(seconds), "status": "Error", "message": number.to_string()}})
    };
    rows(
        &mock,
        "/api/v3/alarms/active",
        vec![alarm(1, 40), alarm(2, 7_200)],
    );
    let world = mock.world("clock").await;
    let since = "2026-11-26T06:00:00Z";
    for filter in [
        "endedWithin: { hours: 24 }".to_owned(),
        format!("endedSince: \"{since}\""),
    ] {
        let data = world
            .data(&format!(
                "{{ jobs(filter: {{ health: [FAILED], {filter} }}) {{ nodes {{ name }} }} }}"
            ))
            .await;
        assert_eq!(
            data["jobs"]["nodes"],
            json!([{"name": "Job 1"}]),
            "{filter}"
        );
    }
    for filter in [
        "within: { hours: 24 }".to_owned(),
        format!("since: \"{since}\""),
    ] {
        let data = world
            .data(&format!(
                "{{ alarms(filter: {{ {filter} }}) {{ nodes {{ message }} }} }}"
            ))
            .await;
        assert_eq!(
            data["alarms"]["nodes"],
            json!([{"message": "1"}]),
            "{filter}"
        );
    }
}

/// Every member of a job, null, absent, and of another type that says the same.
#[tokio::test]
async fn a_job_is_read_whichever_member_is_null_absent_or_of_another_type() {
    let whole = json!({
        "instanceUid": "00000000-0000-4000-8000-000000000001", "uniqueUid": "00000000-0000-4000-8000-000000000002", "name": "Job",
        "description": "", "createdBy": "x", "creationTime": "2026-01-01T00:00:00Z", "backupServerUid": VBR01, "siteUid": null,
        "locationUid": null, "organizationUid": COMPANY, "mappedOrganizationUid": null, "status": "Success", "type": "BackupVm",
        "lastRun": "2026-11-26T22:00:00Z", "lastEndTime": "2026-11-26T22:10:00Z", "lastDuration": 600, "processingRate": 1.5,
        "avgDuration": 590, "transferredData": 1024, "backupChainSize": 0, "bottleneck": "None", "isEnabled": true,
        "scheduleType": "Daily", "failureMessage": "none", "targetType": "Local", "destination": "Repo", "retentionLimit": 7,
        "retentionLimitType": "Days", "isGfsOptionEnabled": false,
    });
    let members: Vec<String> = whole
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| !["instanceUid", "backupServerUid"].contains(&name.as_str()))
        .cloned()
        .collect();
    let mut all = Vec::new();
    for name in &members {
        let other = match &whole[name] {
            Value::Number(number) => json!(number.to_string()),
            Value::Bool(boolean) => json!(boolean.to_string()),
            Value::String(text) if text.contains("-00") || text.contains("2026") => Value::Null,
            // what is no id is told
            _ if name.ends_with("Uid") => Value::Null,
            _ => json!(7),
        };
        for change in [Some(Value::Null), None, Some(other), Some(json!(""))] {
            let mut row = whole.clone();
            let row_members = row.as_object_mut().unwrap();
            row_members.insert(
                "instanceUid".into(),
                json!(format!("00000000-0000-4000-8000-{:012}", 100 + all.len())),
            );
            if name != "uniqueUid" {
                row_members.insert(
                    "uniqueUid".into(),
                    json!(format!("00000000-0000-4000-9000-{:012}", 100 + all.len())),
                );
            }
            match change {
                Some(value) => drop(row_members.insert(name.clone(), value)),
                None => drop(row_members.remove(name)),
            }
            all.push(row);
        }
    }
    let count = all.len();
    let mock = Mock::empty().await;
    rows(&mock, JOBS, all);
    let world = mock.world("members").await;
    let data = world.data("{ jobs { complete totalCount } }").await;
    assert_eq!(data["jobs"], json!({"complete": true, "totalCount": count}));
}

#[tokio::test]
async fn an_answer_that_rests_on_the_unreadable_map_of_managers_says_so() {
    let mock = Mock::empty().await;
    let mut failed = job(1);
    failed["type"] = json!("BackupVm");
    rows(&mock, JOBS, vec![failed]);
    // a server that only the map could tell: Enterprise Manager knows it by another name
    let sessions = String::from_utf8(fixture("07-immediate-copy-workers.em-query.json"))
        .unwrap()
        .replace("vbr01", "elsewhere");
    let sessions = sessions.replace(
        "95dad3fe-85be-5c36-b126-e5585d368146",
        job(1)["instanceUid"].as_str().unwrap(),
    );
    mock.on("/api/query", Reply::json(sessions));
    let query = "{ jobs(filter: { notSucceededFor: { hours: 1 } }) { complete totalCount } }";
    let whole = mock.world("mapped").await.ask(query).await;
    assert_eq!(whole["data"]["jobs"]["complete"], true, "{whole}");
    mock.on(
        "/api/v3/infrastructure/enterpriseManagers",
        Reply::json("{}").status(500),
    );
    let answer = mock.world("unmapped").await.ask(query).await;
    assert_eq!(
        answer["data"]["jobs"],
        json!({"complete": false, "totalCount": null}),
        "{answer}"
    );
    assert!(!codes(&answer).is_empty());
}

#[tokio::test]
async fn a_filter_that_names_no_upstream_is_refused() {
    let world = Mock::empty().await.world("no-such-upstream").await;
    for list in [
        "jobs",
        "agentJobObjects",
        "backupServers",
        "companies",
        "repositories",
        "alarms",
        "workloads",
        "agentSessions",
    ] {
        for filter in [
            "upstream: [\"elsewhere\"]",
            "not: { upstream: [\"elsewhere\"] }",
        ] {
            let answer = world
                .ask(&format!(
                    "{{ {list}(filter: {{ {filter} }}) {{ totalCount }} }}"
                ))
                .await;
            assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{list}: {answer}");
            assert!(
                answer["errors"][0]["message"]
                    .as_str()
                    .unwrap()
                    .contains("no-such-upstream"),
                "{answer}"
            );
        }
        let answer = world
            .ask(&format!(
                "{{ {list}(filter: {{ upstream: [\"no-such-upstream\"] }}) {{ totalCount }} }}"
            ))
            .await;
        assert!(codes(&answer).is_empty(), "{list}: {answer}");
    }
}

#[tokio::test]
async fn the_difference_of_the_clocks_is_shown() {
    let mock = Mock::empty().await;
    let date = (jiff::Timestamp::now() + SignedDuration::from_hours(2))
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    mock.on(JOBS, Reply::page(&[job(1)], 1, 0).header("date", &date));
    let world = mock.world("clocks").await;
    world.data("{ jobs { totalCount } }").await;
    let data = world.data("{ upstreams { name clockAheadSeconds } }").await;
    let console = array(&data["upstreams"])
        .iter()
        .find(|upstream| upstream["name"] == "clocks")
        .unwrap();
    // seconds pass while the test runs
    let ahead = console["clockAheadSeconds"].as_i64().unwrap();
    assert!((7_140..=7_200).contains(&ahead), "{ahead}");
}

fn machine(uid: Option<&str>, name: &str, job: &str, latest: &str) -> Value {
    json!({
        "instanceUid": uid, "backupServerUid": VBR01, "organizationUid": COMPANY, "name": name, "jobUid": job,
        "restorePoints": 3, "totalRestorePointSize": 30, "latestRestorePointSize": 10, "latestRestorePointDate": latest,
    })
}

const MACHINES: &str = "/api/v3/protectedWorkloads/virtualMachines";
const VM_1: &str = "00000000-0000-4000-8000-0000000000a1";
const VM_2: &str = "00000000-0000-4000-8000-0000000000a2";
const JOB_1: &str = "00000000-0000-4000-8000-0000000000b1";
const JOB_2: &str = "00000000-0000-4000-8000-0000000000b2";

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_newest_row_may_be_one_without_an_id_shows_no_older_restore_point() {
    let mock = Mock::empty().await;
    let rows = [
        machine(Some(VM_1), "vm-1", JOB_1, "2026-11-20T22:00:00Z"),
        machine(None, "vm-1", JOB_2, "2026-11-26T22:00:00Z"),
        machine(Some(VM_2), "vm-2", JOB_1, "2026-11-26T23:00:00Z"),
    ];
    mock.each(MACHINES, move |asked| Reply::cut(&rows, asked));
    let world = mock.world("machine-without-id").await;
    let answer = world
        .ask("{ workloads { complete nodes { name latestRestorePoint restorePointsCount latestRestorePointBytes old: rpoBreached(rpo: {days: 30}) new: rpoBreached(rpo: {hours: 24}) } } }")
        .await;
    let shown = json!({"complete": false, "nodes": [
        {"name": "vm-1", "latestRestorePoint": null, "restorePointsCount": null, "latestRestorePointBytes": null, "old": false, "new": null},
        {"name": "vm-2", "latestRestorePoint": "2026-11-26T23:00:00Z", "restorePointsCount": 3, "latestRestorePointBytes": 10, "old": false, "new": false},
    ]});
    assert_eq!(answer["data"]["workloads"], shown, "{answer}");
    let told: Vec<String> = array(&answer["errors"])
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    for path in [
        r#"["workloads"]"#,
        r#"["workloads","nodes",0,"latestRestorePoint"]"#,
        r#"["workloads","nodes",0,"new"]"#,
    ] {
        assert!(told.contains(&path.to_owned()), "{path}: {told:?}");
    }
    let log = log_of("machine-without-id");
    let line = log
        .iter()
        .find(|line| line.contains("no id, where a row must have one"))
        .unwrap_or_else(|| panic!("{log:#?}"));
    for part in [MACHINES, "offset=0", "row 2 ", "member instanceUid"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_a_machine_with_two_newest_rows_is_does_not_depend_on_their_order() {
    let other = OTHER;
    let rows = [
        machine(Some(VM_1), "vm-1", JOB_2, "2026-11-26T22:00:00Z"),
        machine(Some(VM_1), "vm-1", JOB_1, "2026-11-26T22:00:00Z"),
    ];
    let job = |uid: &str, company: &str| {
        json!({
            "instanceUid": uid, "name": uid, "type": "BackupVm", "status": "Success", "backupServerUid": VBR01,
            "mappedOrganizationUid": company, "organizationUid": COMPANY,
        })
    };
    // one job's company alone; both jobs' are two, and then it is the row's
    for (second, expected) in [(other, other), (COMPANY, COMPANY)] {
        for turn in [false, true] {
            let (mock, mut rows) = (Mock::empty().await, rows.clone());
            if turn {
                rows.reverse();
            }
            let jobs = [job(JOB_1, other), job(JOB_2, second)];
            let companies = [COMPANY, other].map(|uid| json!({"instanceUid": uid, "name": uid}));
            mock.each(MACHINES, move |asked| Reply::cut(&rows, asked));
            mock.each(JOBS, move |asked| Reply::cut(&jobs, asked));
            mock.each("/api/v3/organizations", move |asked| {
                Reply::cut(&companies, asked)
            });
            let world = mock.world("one-restore-point").await;
            let data = world
                .data("{ workloads { complete nodes { company { uid } } } }")
                .await;
            assert_eq!(
                data["workloads"],
                json!({"complete": true, "nodes": [{"company": {"uid": expected}}]}),
                "{turn}"
            );
        }
    }
}
