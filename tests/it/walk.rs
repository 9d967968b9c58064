//! The main job: server to tape-linked jobs to machines to sessions, right and cheap.

use crate::world::{PATIENCE, Setup, World, array, codes};
use serde_json::{Value, json};
use uuid::Uuid;
use veeam_graph::simulator::{Estate, Fault, FaultKind, Scale, estate::Job};

const TAPE_WALK: &str = include_str!("../../examples/queries/04-tape-walk.graphql");

/// The answer, worked out from the simulator's data with nothing of the gateway's.
pub fn expected(estate: &Estate) -> Value {
    let mut servers: Vec<usize> = (0..estate.servers.len()).collect();
    servers.sort_by_key(|server| estate.servers[*server].name.clone());
    servers.truncate(10);
    let nodes: Vec<Value> = servers
        .into_iter()
        .map(|server| {
            let mut links: Vec<_> = estate.tape_links.iter().filter(|link| link.server == server).collect();
            links.sort_by_key(|link| (estate.jobs[link.job].uid.to_string(), link.linked.to_string()));
            let links: Vec<Value> = links
                .into_iter()
                .take(50)
                .map(|link| {
                    let job = &estate.jobs[link.job];
                    let linked = estate.jobs.iter().position(|job| job.uid == link.linked && job.server == server);
                    json!({"job": {"name": job.name, "health": health(job.status, job.last_run.is_some())}, "linkedJob": linked.map(|place| linked_job(estate, place))})
                })
                .collect();
            json!({"name": estate.servers[server].name, "tapeLinkedJobs": {"complete": true, "nodes": links}})
        })
        .collect();
    json!({"backupServers": {"nodes": nodes}})
}

fn linked_job(estate: &Estate, place: usize) -> Value {
    let job = &estate.jobs[place];
    let kind = match job.kind {
        "AgentBackupJob" => "AGENT_BACKUP",
        "AgentPolicy" => "AGENT_POLICY",
        "BackupVm" => "VM_BACKUP",
        "BackupCopy" => "BACKUP_COPY",
        other => panic!("no tape job reads {other}"),
    };
    let mut value = json!({"name": job.name, "kind": kind, "health": health(job.status, job.last_run.is_some())});
    if kind.starts_with("AGENT") {
        value["objects"] = objects(estate, place, job);
    }
    value
}

fn objects(estate: &Estate, place: usize, job: &Job) -> Value {
    let mut machines: Vec<usize> = (0..estate.machines.len())
        .filter(|machine| estate.machines[*machine].job == place)
        .collect();
    machines.sort_by_key(|machine| estate.machines[*machine].computer.clone());
    let nodes: Vec<Value> = machines
        .iter()
        .take(50)
        .map(|machine| {
            let row = &estate.machines[*machine];
            json!({
                "computer": row.computer, "health": health(row.status, row.last_run.is_some()),
                "lastRun": row.last_run.map(|at| at.to_string()), "lastSession": last_session(estate, place, job, *machine),
            })
        })
        .collect();
    json!({"totalCount": machines.len(), "nodes": nodes})
}

/// The newest of the machine's parts; where the job's runs have no parts, the newest run.
fn last_session(estate: &Estate, place: usize, job: &Job, machine: usize) -> Value {
    // A job is found by server and id; under an old name too. Parts go with their parents, or by
    // name when those are gone.
    let parent_is_there = |parent: Option<Uuid>| {
        estate
            .sessions
            .iter()
            .any(|session| Some(session.uid) == parent)
    };
    let found_by = |session: &veeam_graph::simulator::estate::Session| {
        if session.parent.is_none() || parent_is_there(session.parent) {
            "SERVER_AND_JOB_UID"
        } else {
            "SERVER_AND_NAME"
        }
    };
    // an orphaned part can only be found by a name that still holds, and that one job has
    let is_findable = |session: &&veeam_graph::simulator::estate::Session| {
        session.parent.is_none()
            || parent_is_there(session.parent)
            || (session.job_name.starts_with(&format!("{} - ", job.name))
                && estate
                    .jobs
                    .iter()
                    .filter(|other| other.server == job.server && other.name == job.name)
                    .count()
                    == 1)
    };
    let of_job = || {
        estate
            .sessions
            .iter()
            .filter(|session| session.of_job == place)
            .filter(is_findable)
    };
    let has_parts = of_job().any(|session| session.of_machine.is_some());
    let newest = of_job()
        .filter(|session| {
            if has_parts {
                session.of_machine == Some(machine)
            } else {
                session.of_machine.is_none()
            }
        })
        .max_by_key(|session| (session.created, session.uid));
    newest.map_or(Value::Null, |session| {
        let fraction = |at: jiff::Timestamp| format!("{}.17Z", at.to_string().trim_end_matches('Z'));
        json!({
            "startedAt": fraction(session.created), "result": session.result,
            "durationSeconds": session.ended.map(|ended| ended.as_second() - session.created.as_second()), "matchedBy": found_by(session),
        })
    })
}

pub fn health(word: &str, has_run: bool) -> &'static str {
    match word.to_lowercase().as_str() {
        "success" => "SUCCESS",
        "warning" => "WARNING",
        "failed" => "FAILED",
        "running" => "RUNNING",
        "waitingtape" => "WAITING",
        "idle" => "IDLE",
        "none" if !has_run => "NEVER_RAN",
        _ => "UNKNOWN",
    }
}

async fn walk_is_right(scale: Scale, seed: u64) {
    let world = World::start(Setup {
        scale,
        seed,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        world.data(TAPE_WALK).await,
        expected(&world.simulator.estate()),
        "{scale:?}, seed {seed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_equals_an_independent_computation_at_small_scale() {
    for seed in 1..=6 {
        walk_is_right(Scale::Small, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_equals_an_independent_computation_at_medium_scale() {
    for seed in [1, 2, 3] {
        walk_is_right(Scale::Medium, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_awkward_cases_that_the_walk_must_survive_are_in_the_demo() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let walk = expected(&estate).to_string();
    assert!(
        walk.contains("\"linkedJob\":null"),
        "a link to a job that is gone"
    );
    let clone = estate
        .servers
        .iter()
        .position(|server| server.clone_of.is_some())
        .unwrap();
    assert!(
        estate.tape_links.iter().any(|link| link.server == clone),
        "links on a restored server"
    );
    assert!(
        estate
            .tape_links
            .iter()
            .any(|link| link.server == estate.servers[clone].clone_of.unwrap()),
        "and on its original"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_walk_costs_the_lists_pages_and_a_warm_one_nothing() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let cold = world.ask(TAPE_WALK).await;
    let estate = world.simulator.estate();
    let pages = |rows: usize, size: usize| rows.div_ceil(size).max(1);
    let of_lists = pages(estate.servers.len(), 500)
        + pages(estate.tape_links.len(), 500)
        + pages(estate.jobs.len(), 500)
        + pages(estate.machines.len(), 500)
        + pages(estate.sessions.len(), 1_000);
    let requests = world.requests();
    assert!(
        requests.len() <= of_lists + 10,
        "{} requests for {of_lists} pages: {requests:#?}",
        requests.len()
    );
    assert_eq!(
        cold["extensions"]["upstream"]["requests"],
        requests
            .iter()
            .filter(|request| request.starts_with("GET"))
            .count()
    );
    assert!(
        requests
            .iter()
            .all(|request| request.starts_with("GET ") || request.contains("/sessionMngr/")),
        "{requests:#?}"
    );

    let warm = world.ask(TAPE_WALK).await;
    assert_eq!(world.requests(), Vec::<String>::new());
    assert_eq!(warm["data"], cold["data"]);
    assert_eq!(warm["extensions"]["upstream"]["requests"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exact_requests_of_a_cold_walk_of_the_demo() {
    let world = World::small().await;
    world.data(TAPE_WALK).await;
    let mut requests = world.requests();
    requests.sort();
    let servers = world.simulator.estate().servers.clone();
    // the restored server and its original share ids and have none of the console's own: they are
    // asked one by one
    let clone = servers
        .iter()
        .position(|server| server.clone_of.is_some())
        .unwrap();
    let own_links = |server: usize| {
        format!(
            "GET /api/v3/infrastructure/backupServers/{}/jobs/backupTapeJobs/jobObjects?limit=500&offset=0",
            servers[server].uid
        )
    };
    let since = "filter=%28JobType%3D%3DAgentBackup%2CJobType%3D%3DAgentManagement%29%3BCreationTime%3E%3D%222026-10-21T12%3A00%3A00Z%22";
    let mut expected = vec![
        "GET /api/backupServers?format=Entity".to_owned(),
        format!("GET /api/query?type=BackupJobSession&format=Entities&{since}&sortDesc=CreationTime&pageSize=1000&page=1"),
        format!("GET /api/v3/infrastructure/enterpriseManagers/{}/backupServers?limit=500&offset=0", world.simulator.estate().manager),
        "GET /api/v3/infrastructure/enterpriseManagers?limit=500&offset=0".to_owned(),
        "GET /api/v3/infrastructure/backupServers/jobs/agentJobs/objects?limit=500&offset=0".to_owned(),
        "GET /api/v3/infrastructure/backupServers/jobs/backupTapeJobs/jobObjects?limit=500&offset=0".to_owned(),
        "GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0".to_owned(),
        "GET /api/v3/infrastructure/backupServers?limit=500&offset=0".to_owned(),
        own_links(0),
        own_links(clone),
    ];
    expected.sort();
    assert_eq!(requests, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_is_read_narrowly() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let job = estate
        .jobs
        .iter()
        .find(|job| job.kind == "AgentBackupJob" && job.server == 1)
        .unwrap();
    let server = estate.servers[job.server].uid;
    let query = format!(
        "{{ job(uid: \"{}\", backupServerUid: \"{server}\") {{ name ... on AgentJob {{ osType objects {{ totalCount }} }} }} }}",
        job.uid
    );
    let data = world.data(&query).await;
    assert_eq!(data["job"]["name"], job.name);
    let mut requests = world.requests();
    requests.sort();
    let mut expected = [
        format!("GET /api/v3/infrastructure/backupServers/jobs/{}", job.uid),
        format!(
            "GET /api/v3/infrastructure/backupServers/jobs/agentJobs/{}/objects?limit=500&offset=0",
            job.uid
        ),
        format!(
            "GET /api/v3/infrastructure/backupServers/{server}/jobs/agentJobs?expand=BackupServerJob&limit=500&offset=0"
        ),
    ];
    expected.sort();
    assert_eq!(requests, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_enterprise_manager_down_the_walk_answers_everything_but_the_sessions() {
    let world = World::small().await;
    world.simulator.faults.add([
        Fault {
            path: "/api/query*".to_owned(),
            times: None,
            kind: FaultKind::Status {
                status: 500,
                retry_after: None,
                retry_after_in_body: None,
                location: None,
            },
        },
        Fault {
            path: "/api/backupServers*".to_owned(),
            times: None,
            kind: FaultKind::Reset,
        },
    ]);
    let answer = world.ask(TAPE_WALK).await;
    let mut expected = expected(&world.simulator.estate());
    let mut machines = 0;
    for server in expected["backupServers"]["nodes"].as_array_mut().unwrap() {
        for link in server["tapeLinkedJobs"]["nodes"].as_array_mut().unwrap() {
            let machines_of_job = link
                .pointer_mut("/linkedJob/objects/nodes")
                .and_then(Value::as_array_mut);
            for machine in machines_of_job.into_iter().flatten() {
                machine["lastSession"] = Value::Null;
                machines += 1;
            }
        }
    }
    assert_eq!(answer["data"], expected);
    let errors = array(&answer["errors"]);
    assert_eq!(errors.len(), machines);
    for error in errors {
        assert_eq!(error["extensions"]["code"], "UPSTREAM_UNAVAILABLE");
        assert_eq!(error["extensions"]["upstream"], "em");
        assert_eq!(error["extensions"]["retryable"], true);
        assert_eq!(array(&error["path"]).last().unwrap(), "lastSession");
        assert!(error["extensions"]["requestId"].is_string());
    }
    assert!(
        !answer.to_string().contains("Inner"),
        "an upstream's text leaked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_console_down_nothing_is_said_to_be_none() {
    let world = World::small().await;
    world.simulator.faults.add([Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    let answer = world
        .ask("{ backupServers { complete totalCount nodes { name } } fleetHealth(groupBy: UPSTREAM) { complete jobs { total } } }")
        .await;
    assert_eq!(
        answer["data"]["backupServers"],
        json!({"complete": false, "totalCount": null, "nodes": []})
    );
    assert_eq!(answer["data"]["fleetHealth"][0]["complete"], false);
    assert!(
        codes(&answer)
            .iter()
            .all(|code| *code == "UPSTREAM_INVALID"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_walk_begins_the_lists_of_all_its_levels_at_once() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    // the first level never comes
    let servers = "/api/v3/infrastructure/backupServers?*";
    world.simulator.faults.add([Fault {
        path: servers.to_owned(),
        times: None,
        kind: FaultKind::Hang,
    }]);
    let lists = [
        "/backupServers?",
        "/backupTapeJobs/jobObjects?",
        "/backupServers/jobs?",
        "/agentJobs/objects?",
    ];
    let mut requests = Vec::new();
    let asked = async {
        while !lists.iter().all(|list| {
            requests
                .iter()
                .any(|request: &String| request.contains(list))
        }) {
            // the gateway gets its turn
            world.get("/health/live").await;
            requests.extend(world.requests());
        }
    };
    tokio::select! {
        answer = world.ask(TAPE_WALK) => panic!("{answer}"),
        asked = tokio::time::timeout(PATIENCE, asked) => asked.expect("a list waits for another"),
    }
    assert_eq!(requests.len(), lists.len(), "{requests:?}");

    // nothing is read twice for it, and a walk from one server begins nothing of the fleet's
    world.simulator.faults.clear();
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    world.data("{ backupServers { nodes { uid } } }").await;
    world.requests();
    let name = &world.simulator.estate().servers[0].name;
    world.data(&format!("{{ backupServer(name: \"{name}\") {{ tapeLinkedJobs {{ nodes {{ linkedJobUid }} }} }} }}")).await;
    let requests = world.requests();
    assert!(
        requests.len() == 1
            && requests[0].contains(&world.simulator.estate().servers[0].uid.to_string()),
        "{requests:?}"
    );
}
