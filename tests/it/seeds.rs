//! The vendors' five sample documents, each documented member of each, value by value, over HTTP.
//!
//! Served by a server that knows nothing but the fixtures. The v2 sample lacks a comma after
//! `cloudConnectAgentUid` in the vendor's page; the fixture has it.

use crate::world::{World, array, listen, password, upstream};
use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use veeam_graph::{
    config::{Auth, Kind},
    simulator::{Options, Scale, Simulator, generate},
};

const OBJECTS: &str = include_str!("../fixtures/vspc-v3-agent-job-objects.json");
const COPIES: &str = include_str!("../fixtures/vspc-v3-backup-copy-jobs.json");
const TAPE: &str = include_str!("../fixtures/vspc-v3-tape-job-objects.json");
const V2_JOB: &str = include_str!("../fixtures/vac-v2-backup-agent-job.json");
const SESSIONS: &str = include_str!("../fixtures/em-agents-backup-sessions.xml");

/// The server in the tape sample's address, and the job in the objects sample's.
const TAPE_SERVER: &str = "0a106d53-ac5b-441c-a5e8-124d53f8f8d9";
const OBJECTS_JOB: &str = "35014f93-902d-4b46-9c60-7b18dede74a7";
const OBJECTS_SERVER: &str = "85499c03-a306-4754-8f72-95f0e4e91637";
const AGENT: &str = "cc52ec30-a1b0-41dd-8b24-553dab48b43f";

fn json_body(body: impl Into<String>) -> Response {
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body.into(),
    )
        .into_response()
}

fn list(rows: Value) -> Response {
    let count = rows.as_array().unwrap().len();
    json_body(json!({"meta": {"pagingInfo": {"total": count, "count": count, "offset": 0}}, "data": rows}).to_string())
}

/// Jobs for the samples' ids: the samples themselves name none.
fn jobs() -> Value {
    let job = |uid: &Value, server: &str, kind: &str| json!({"instanceUid": uid, "name": format!("Job {uid}"), "backupServerUid": server, "type": kind, "status": "Success", "isEnabled": true});
    let copies: Value = serde_json::from_str(COPIES).unwrap();
    let tape: Value = serde_json::from_str(TAPE).unwrap();
    let mut rows = vec![job(&json!(OBJECTS_JOB), OBJECTS_SERVER, "AgentBackupJob")];
    rows.extend(
        array(&copies["data"])
            .iter()
            .map(|row| job(&row["instanceUid"], TAPE_SERVER, "BackupCopy")),
    );
    rows.extend(
        array(&tape["data"])
            .iter()
            .map(|row| job(&row["jobUid"], TAPE_SERVER, "BackupToTape")),
    );
    rows.into()
}

async fn answer(uri: Uri) -> Response {
    let path = uri.path();
    if let Some(rest) = path.strip_prefix("/api/v3/infrastructure/backupServers") {
        return match rest {
            "" => list(
                json!([{"instanceUid": TAPE_SERVER, "name": "vbr"}, {"instanceUid": OBJECTS_SERVER, "name": "vbr2"}]),
            ),
            "/jobs" => list(jobs()),
            "/jobs/agentJobs/objects"
            | "/jobs/agentJobs/35014f93-902d-4b46-9c60-7b18dede74a7/objects" => json_body(OBJECTS),
            "/0a106d53-ac5b-441c-a5e8-124d53f8f8d9" => {
                json_body(json!({"data": {"instanceUid": TAPE_SERVER, "name": "vbr"}}).to_string())
            }
            "/85499c03-a306-4754-8f72-95f0e4e91637" => json_body(
                json!({"data": {"instanceUid": OBJECTS_SERVER, "name": "vbr2"}}).to_string(),
            ),
            "/jobs/backupCopyJobs"
            | "/0a106d53-ac5b-441c-a5e8-124d53f8f8d9/jobs/backupCopyJobs" => {
                let mut copies: Value = serde_json::from_str(COPIES).unwrap();
                for row in copies["data"].as_array_mut().unwrap() {
                    row["_embedded"] = json!({"backupServerJob": {"instanceUid": row["instanceUid"], "backupServerUid": TAPE_SERVER}});
                }
                json_body(copies.to_string())
            }
            "/jobs/backupTapeJobs/jobObjects"
            | "/0a106d53-ac5b-441c-a5e8-124d53f8f8d9/jobs/backupTapeJobs/jobObjects" => {
                json_body(TAPE)
            }
            rest => {
                let all = jobs();
                let one = array(&all)
                    .iter()
                    .find(|job| rest == format!("/jobs/{}", job["instanceUid"].as_str().unwrap()))
                    .cloned();
                one.map_or_else(
                    || list(json!([])),
                    |job| json_body(json!({"data": job}).to_string()),
                )
            }
        };
    }
    match path {
        "/api/v3/about" => json_body(r#"{"data":{"serverVersion":"9.1"}}"#),
        "/api/v3/infrastructure/enterpriseManagers" => list(json!([])),
        "/token" => json_body(r#"{"access_token":"t","expires_in":3600}"#),
        "/v2/backupAgents" => json_body("[]"),
        "/api/sessionMngr/" => (
            StatusCode::CREATED,
            [
                ("X-RestSvcSessionId", "s"),
                ("content-type", "application/json"),
            ],
            "{}",
        )
            .into_response(),
        // this Enterprise Manager knows neither queries nor entities: the sample is a list of
        // references
        "/api/agents/backupSessions" => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/xml")],
            SESSIONS,
        )
            .into_response(),
        "/api/backupServers" => json_body(r#"{"BackupServers":[]}"#),
        "/api/query" => StatusCode::BAD_REQUEST.into_response(),
        path if path
            == format!("/v2/backupAgents/{AGENT}/jobs/4610eb17-b41c-4cc5-81d1-938ee6d89b7a") =>
        {
            json_body(V2_JOB)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn world() -> World {
    let (listener, at) = listen().await;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let unused = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    let mut manager = upstream("em", Kind::EnterpriseManager, at, password());
    // the sample is of 2018
    manager.session_window = std::time::Duration::from_secs(366 * 86_400 * 10);
    let upstreams = vec![
        upstream("msp", Kind::Vspc, at, Auth::ApiKey("k".into())),
        manager,
        upstream("agents", Kind::Vac, at, password()),
    ];
    World::over(unused, upstreams).await
}

fn utc(text: &Value) -> Value {
    json!(
        text.as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .to_string()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_agent_job_objects_sample() {
    let world = world().await;
    let query = format!(
        "{{ job(uid: \"{OBJECTS_JOB}\", backupServerUid: \"{OBJECTS_SERVER}\") {{ ... on AgentJob {{ objects {{ totalCount nodes {{
            uid backupServerUid agentUid jobUid computer backupStatus health lastRun lastEndTime lastDurationSeconds restorePointsCount osType failureMessage
            backupServer {{ uid }} job {{ uid }} }} }} }} }} }}"
    );
    let data = world.data(&query).await;
    let sample: Value = serde_json::from_str(OBJECTS).unwrap();
    let mut rows = array(&sample["data"]).clone();
    rows.sort_by_key(|row| row["computer"].as_str().unwrap().to_owned());
    let shown = array(&data["job"]["objects"]["nodes"]);
    assert_eq!(data["job"]["objects"]["totalCount"], rows.len());
    assert_eq!(shown.len(), rows.len());
    for (shown, row) in shown.iter().zip(&rows) {
        for (field, member) in [
            ("uid", "instanceUid"),
            ("backupServerUid", "backupServerUid"),
            ("agentUid", "agentUid"),
            ("jobUid", "jobUid"),
            ("computer", "computer"),
            ("backupStatus", "backupStatus"),
            ("lastDurationSeconds", "lastDuration"),
            ("restorePointsCount", "restorePointsCount"),
            ("osType", "osType"),
        ] {
            assert_eq!(shown[field], row[member], "{field}");
        }
        assert_eq!(shown["lastRun"], utc(&row["lastRun"]));
        assert_eq!(shown["lastEndTime"], utc(&row["lastEndTime"]));
        assert_eq!(
            (&row["failureMessage"], &shown["failureMessage"]),
            (&json!(""), &Value::Null),
            "an empty message is none"
        );
        assert_eq!(
            shown["health"], "SUCCESS",
            "the sample writes success in small letters"
        );
        assert_eq!(
            (&shown["backupServer"]["uid"], &shown["job"]["uid"]),
            (&row["backupServerUid"], &row["jobUid"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_backup_copy_jobs_sample() {
    let world = world().await;
    let data = world
        .data("{ backupCopyJobs { nodes { uid targetRepositoryUid targetWanAcceleratorUid sourceWanAcceleratorUid retentionPolicyType isRpoOptionsEnabled rpoOptionsValue rpoOptionsUnit rpoSeconds } } }")
        .await;
    let sample: Value = serde_json::from_str(COPIES).unwrap();
    let shown = array(&data["backupCopyJobs"]["nodes"]);
    assert_eq!(shown.len(), array(&sample["data"]).len());
    for row in array(&sample["data"]) {
        let shown = shown
            .iter()
            .find(|shown| shown["uid"] == row["instanceUid"])
            .unwrap();
        for member in [
            "targetRepositoryUid",
            "targetWanAcceleratorUid",
            "sourceWanAcceleratorUid",
            "retentionPolicyType",
            "isRpoOptionsEnabled",
            "rpoOptionsValue",
            "rpoOptionsUnit",
        ] {
            assert_eq!(shown[member], row[member], "{member}");
        }
        assert_eq!(shown["rpoSeconds"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_tape_job_objects_sample() {
    let world = world().await;
    let query = format!(
        "{{ backupServer(uid: \"{TAPE_SERVER}\") {{ tapeLinkedJobs {{ complete nodes {{ jobUid linkedJobUid uniqueJobUid resolved linkedJob {{ name }} job {{ uid }} }} }} }} }}"
    );
    let data = world.data(&query).await;
    let links = &data["backupServer"]["tapeLinkedJobs"];
    let sample: Value = serde_json::from_str(TAPE).unwrap();
    assert_eq!(links["complete"], true);
    assert_eq!(array(&links["nodes"]).len(), array(&sample["data"]).len());
    for row in array(&sample["data"]) {
        let shown = array(&links["nodes"])
            .iter()
            .find(|shown| shown["jobUid"] == row["jobUid"])
            .unwrap();
        assert_eq!(shown["linkedJobUid"], row["linkedJobUid"]);
        assert_eq!(shown["job"]["uid"], row["jobUid"]);
        assert_eq!(
            (
                &shown["resolved"],
                &shown["linkedJob"],
                &shown["uniqueJobUid"]
            ),
            (&json!(false), &Value::Null, &Value::Null)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_v2_backup_agent_job_sample() {
    let world = world().await;
    let sample: Value = serde_json::from_str(V2_JOB).unwrap();
    let query = format!(
        "{{ backupAgentJob(agentUid: \"{AGENT}\", uid: \"{}\") {{ uid agentUid lastSessionStatus health name description operationMode destination restorePointsCount
            lastRestorePointAt backupSizeBytes scheduleType lastRun lastModifiedAt lastModifiedBy freeSpaceBytes avgDurationSeconds lastDurationSeconds backupMode
            targetType isEnabled failureMessage backupPolicyNote cloudConnectAgentUid backupPolicyId backupPolicyName backupPolicyStatus nextRun
            links {{ rel method href }} }} }}",
        sample["id"].as_str().unwrap()
    );
    let data = world.data(&query).await;
    let shown = &data["backupAgentJob"];
    for (field, member) in [
        ("uid", "id"),
        ("lastSessionStatus", "lastSessionStatus"),
        ("name", "name"),
        ("operationMode", "operationMode"),
        ("destination", "destination"),
        ("restorePointsCount", "restorePoints"),
        ("lastRestorePointAt", "lastRestorePoint"),
        ("backupSizeBytes", "backupSize"),
        ("scheduleType", "scheduleType"),
        ("lastModifiedBy", "lastModificationDoneBy"),
        ("freeSpaceBytes", "freeSpace"),
        ("avgDurationSeconds", "avgDuration"),
        ("lastDurationSeconds", "lastDuration"),
        ("backupMode", "backupModeId"),
        ("targetType", "targetType"),
        ("backupPolicyNote", "backupPolicyNote"),
        ("cloudConnectAgentUid", "cloudConnectAgentUid"),
        ("backupPolicyId", "backupPolicyId"),
        ("backupPolicyName", "backupPolicyName"),
        ("backupPolicyStatus", "backupPolicyStatus"),
        ("links", "_links"),
    ] {
        assert_eq!(shown[field], sample[member], "{field}");
    }
    for (field, member) in [
        ("lastRun", "lastRun"),
        ("lastModifiedAt", "lastModified"),
        ("nextRun", "nextRun"),
    ] {
        assert_eq!(shown[field], utc(&sample[member]), "{field}");
    }
    assert_eq!(shown["isEnabled"], !sample["disabled"].as_bool().unwrap());
    assert_eq!(
        (&sample["description"], &shown["description"]),
        (&json!(""), &Value::Null)
    );
    assert_eq!(
        (&sample["failureMessage"], &shown["failureMessage"]),
        (&json!(""), &Value::Null)
    );
    assert_eq!(
        (&shown["agentUid"], &shown["health"]),
        (&json!(AGENT), &json!("SUCCESS"))
    );
    // every member of the sample is in one of the lists above
    assert_eq!(sample.as_object().unwrap().len(), 21 + 3 + 1 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_the_agent_sessions_sample() {
    let world = world().await;
    let data = world
        .data("{ agentSessions(filter: { topLevelOnly: false }) { complete totalCount nodes { uid name jobUid jobName startedAt parentUid backupServerName computer state result endedAt matchedBy } } }")
        .await;
    let sessions = &data["agentSessions"];
    assert_eq!(
        (&sessions["complete"], &sessions["totalCount"]),
        (&json!(true), &json!(5))
    );
    let attribute = |element: &str, name: &str| {
        element
            .split(&format!(" {name}=\""))
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let guid = |href: &str| href.rsplit('/').next().unwrap().to_owned();
    for reference in SESSIONS.split("<Ref ").skip(1) {
        let (head, links) = reference.split_once('>').unwrap();
        let head = format!(" {head}");
        let link = |kind: &str| {
            links
                .split("<Link ")
                .skip(1)
                .map(|link| format!(" {link}"))
                .find(|link| attribute(link, "Type") == kind && attribute(link, "Rel") == "Up")
        };
        let uid = attribute(&head, "UID")
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        let shown = array(&sessions["nodes"])
            .iter()
            .find(|shown| shown["uid"] == *uid)
            .unwrap();
        let name = attribute(&head, "Name");
        assert_eq!(shown["name"], *name);
        assert_eq!(
            shown["startedAt"],
            format!("{}Z", name.rsplit_once('@').unwrap().1.replace(' ', "T"))
        );
        let server = link("BackupServerReference").unwrap();
        assert_eq!(shown["backupServerName"], *attribute(&server, "Name"));
        let job = link("JobReference").unwrap();
        assert_eq!(shown["jobName"], *attribute(&job, "Name"));
        assert_eq!(shown["jobUid"], *guid(&attribute(&job, "Href")));
        let parent = link("BackupJobSessionReference").map(|link| guid(&attribute(&link, "Href")));
        assert_eq!(shown["parentUid"], json!(parent));
        // a reference knows no more, and nothing is made up
        assert_eq!(
            (
                &shown["state"],
                &shown["result"],
                &shown["endedAt"],
                &shown["matchedBy"]
            ),
            (&Value::Null, &Value::Null, &Value::Null, &json!("NONE"))
        );
    }
}
