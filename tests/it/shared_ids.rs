//! Ids that rows share, and rows that do not say whose they are: never shown to another tenant,
//! never left out in silence.

use crate::{
    mock::{COMPANY, JOBS, Mock, Reply, VBR01, VBR02},
    world::{array, codes},
};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use veeam_graph::config::{Access, Caller, Sees};

const OTHER: &str = "7a755021-7854-52cf-af8e-760375822899";
const PROVIDER: &str = "7a755021-7854-52cf-af8e-760375822800";
const AGENT: &str = "03000200-0400-4500-8006-000700080009";
const AGENTS: &str = "/api/v3/infrastructure/backupServers/agents";

fn job(number: u32, company: &str) -> Value {
    json!({
        "instanceUid": uid(number), "name": format!("Job {number}"), "backupServerUid": VBR01, "organizationUid": PROVIDER,
        "mappedOrganizationUid": company, "status": "Success", "type": "AgentBackupJob",
    })
}

fn uid(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn rows(mock: &Mock, path: &str, rows: Vec<Value>) {
    mock.each(path, move |asked| Reply::cut(&rows, asked));
}

fn caller(name: &str, companies: Option<Vec<String>>) -> Caller {
    let key = digest::digest(&digest::SHA256, name.as_bytes())
        .as_ref()
        .try_into()
        .unwrap();
    Caller {
        name: name.to_owned(),
        keys: vec![key],
        sees: Some(Sees {
            companies,
            ..Sees::default()
        }),
        ..Caller::default()
    }
}

fn tenants() -> Access {
    let callers = vec![
        caller("all", None),
        caller("a", Some(vec![COMPANY.into()])),
        caller("b", Some(vec![OTHER.into()])),
    ];
    Access {
        callers,
        ..Access::default()
    }
}

/// A machine of each company with one hardware id, on the provider's server; only A's has backups.
async fn two_with_one_id() -> Mock {
    let mock = Mock::empty().await;
    let company = |uid: &str, name: &str| json!({"instanceUid": uid, "name": name});
    rows(
        &mock,
        "/api/v3/organizations",
        vec![
            company(COMPANY, "A"),
            company(OTHER, "B"),
            company(PROVIDER, "P"),
        ],
    );
    let server = json!({"instanceUid": VBR01, "name": "vbr01", "organizationUid": PROVIDER});
    rows(&mock, "/api/v3/infrastructure/backupServers", vec![server]);
    rows(&mock, JOBS, vec![job(1, COMPANY), job(2, OTHER)]);
    let agent = |name: &str| json!({"instanceUid": AGENT, "name": name, "machineName": name, "backupServerUid": VBR01});
    rows(&mock, AGENTS, vec![agent("pc-a"), agent("pc-b")]);
    let one = json!({"data": agent("pc-b")}).to_string();
    mock.on(
        &format!("/api/v3/infrastructure/backupServers/{VBR01}/agents/{AGENT}"),
        Reply::json(one),
    );
    let chain = json!({"instanceUid": uid(100), "backupAgentUid": AGENT, "jobUid": uid(1)});
    rows(
        &mock,
        "/api/v3/protectedWorkloads/computersManagedByBackupServer/backups",
        vec![chain],
    );
    let machine = |number: u32, name: &str| json!({"instanceUid": uid(200 + number), "jobUid": uid(number), "computer": name, "backupServerUid": VBR01, "agentUid": AGENT});
    rows(
        &mock,
        "/api/v3/infrastructure/backupServers/jobs/agentJobs*/objects",
        vec![machine(1, "pc-a"), machine(2, "pc-b")],
    );
    let protected = |name: &str, company: &str| {
        json!({"instanceUid": AGENT, "name": name, "backupServerUid": VBR01, "organizationUid": company, "protectionGroups": [name],
            "latestRestorePointDate": "2026-11-26T22:00:00Z"})
    };
    rows(
        &mock,
        "/api/v3/protectedWorkloads/computersManagedByBackupServer",
        vec![protected("pc-a", COMPANY), protected("pc-b", OTHER)],
    );
    mock
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_two_companies_share_never_leads_to_the_others_machine() {
    let mock = two_with_one_id().await;
    let names_only = "{ agentJobObjects { nodes { computer agent { id name machineName } } } }";
    let everything = "{ backupAgents { nodes { name } } workloads { nodes { id name company { name } jobs { name } } } \
        backupServers { nodes { backupAgents { nodes { name } } } } agentJobObjects { nodes { computer agent { name agentJobObjects { nodes { computer } } } } } }";
    for (key, own, foreign) in [("a", "pc-a", "pc-b"), ("b", "pc-b", "pc-a")] {
        for query in [names_only, everything] {
            // each in a gateway that knows nothing yet: an agent is then read by itself where that
            // is cheaper
            let world = mock.world_for("shared-by-tenants", tenants()).await;
            let answer = world.ask_as(key, query).await;
            let text = answer.to_string();
            assert!(
                text.contains(own) && !text.contains(foreign),
                "{key}: {text}"
            );
        }
    }
    // not by its global id either
    let world = mock.world_for("shared-by-tenants", tenants()).await;
    let answer = world
        .ask_as(
            "all",
            "{ workloads { nodes { id name } } backupAgents { totalCount } }",
        )
        .await;
    assert_eq!(
        (
            array(&answer["data"]["workloads"]["nodes"]).len(),
            &answer["data"]["backupAgents"]["totalCount"]
        ),
        (2, &json!(2))
    );
    let id = answer["data"]["workloads"]["nodes"][0]["id"].clone();
    for (key, foreign) in [("a", "pc-b"), ("b", "pc-a")] {
        let answer = world
            .ask_as(
                key,
                &format!("{{ node(id: {id}) {{ ... on Workload {{ name }} }} }}"),
            )
            .await;
        assert!(!answer.to_string().contains(foreign), "{key}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn part_of_a_list_does_not_tell_that_an_id_is_nobody_elses() {
    let mock = two_with_one_id().await;
    let agent =
        |name: &str, uid: &str| json!({"instanceUid": uid, "name": name, "backupServerUid": VBR01});
    // the other row with the id can't be read
    let mut odd = agent("pc-a", AGENT);
    odd["ipAddresses"] = json!({"x": []});
    odd["isUnmanaged"] = json!("perhaps");
    rows(&mock, AGENTS, vec![agent("pc-b", AGENT), odd]);
    let world = mock.world_for("part-of-agents", tenants()).await;
    let answer = world.ask_as("a", "{ backupAgents { complete nodes { name } } agentJobObjects { nodes { agent { name } } } }").await;
    assert!(!answer.to_string().contains("pc-b"), "{answer}");
    assert_eq!(answer["data"]["backupAgents"]["complete"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_may_be_any_of_two_jobs_is_not_left_out_in_silence() {
    let mock = Mock::empty().await;
    let on = |server: &str| {
        let mut job = job(1, COMPANY);
        (job["backupServerUid"], job["mappedOrganizationUid"]) = (json!(server), Value::Null);
        job
    };
    rows(&mock, JOBS, vec![on(VBR01), on(VBR02)]);
    let machine = json!({"instanceUid": uid(200), "jobUid": uid(1), "computer": "pc", "backupServerUid": null, "backupStatus": "Failed"});
    rows(
        &mock,
        "/api/v3/infrastructure/backupServers/jobs/agentJobs*/objects",
        vec![machine],
    );
    let world = mock.world("any-of-two").await;
    let answer = world.ask("{ jobs { nodes { ... on AgentJob { objects { complete totalCount } } } } agentJobObjects { totalCount nodes { sessions { complete } } } }").await;
    let nodes = array(&answer["data"]["jobs"]["nodes"]);
    assert_eq!(nodes.len(), 2);
    assert!(
        nodes
            .iter()
            .all(|job| job["objects"] == json!({"complete": false, "totalCount": null})),
        "{answer}"
    );
    // which are its sessions can't be told either
    assert_eq!(
        answer["data"]["agentJobObjects"],
        json!({"totalCount": 1, "nodes": [{"sessions": {"complete": false}}]}),
        "{answer}"
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"; 3], "{answer}");
    for by in ["BACKUP_SERVER", "COMPANY"] {
        let answer = world
            .ask(&format!(
                "{{ fleetHealth(groupBy: {by}) {{ complete agentObjects {{ failed }} }} }}"
            ))
            .await;
        assert!(
            array(&answer["data"]["fleetHealth"])
                .iter()
                .all(|row| row["complete"] == false),
            "{by}: {answer}"
        );
        assert!(!codes(&answer).is_empty());
    }
    // of one job it is that job's, and its server's
    rows(&mock, JOBS, vec![on(VBR02)]);
    let world = mock.world("the-only-one").await;
    let data = world.data("{ fleetHealth(groupBy: BACKUP_SERVER) { complete jobs { total } agentObjects { failed } } }").await;
    let row = |count: u32| json!({"complete": true, "jobs": {"total": count}, "agentObjects": {"failed": count}});
    let found = array(&data["fleetHealth"]);
    assert!(
        found.len() == 2 && found.contains(&row(1)) && found.contains(&row(0)),
        "{data}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alarm_is_about_is_an_error_where_the_jobs_cannot_be_read() {
    let mock = Mock::empty().await;
    rows(&mock, JOBS, vec![job(1, COMPANY)]);
    let object =
        json!({"type": "BackupServerJob", "objectUid": uid(1), "organizationUid": COMPANY});
    let alarm = json!({"instanceUid": uid(300), "object": object, "lastActivation": {"time": "2026-11-26T22:00:00Z", "status": "Error"}});
    rows(&mock, "/api/v3/alarms/active", vec![alarm]);
    let world = mock.world("about-a-job").await;
    let data = world.data("{ alarms { nodes { id job { name } } } }").await;
    assert_eq!(data["alarms"]["nodes"][0]["job"]["name"], "Job 1");
    let id = data["alarms"]["nodes"][0]["id"].clone();
    mock.on(JOBS, Reply::json("{}").status(500));
    let world = mock.world("about-a-job").await;
    let answer = world
        .ask(&format!("{{ node(id: {id}) {{ ... on Alarm {{ job {{ name }} backupServer {{ name }} company {{ name }} }} }} }}"))
        .await;
    let at = |place: usize| answer["errors"][place]["path"].clone();
    assert_eq!(codes(&answer), ["UPSTREAM_UNAVAILABLE"; 3], "{answer}");
    let mut paths = [at(0), at(1), at(2)].map(|path| path[1].as_str().unwrap().to_owned());
    paths.sort();
    assert_eq!(paths, ["backupServer", "company", "job"]);
}
