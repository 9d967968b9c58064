//! Sessions and jobs: who belongs to whom, and how that is known.

use crate::world::{Setup, World, array};
use serde_json::{Value, json};
use std::time::Duration;
use veeam_graph::{
    config::Cache,
    simulator::{Estate, Fault, FaultKind, Scale},
};

const ALL: &str = "query S($after: String) { agentSessions(first: 500, after: $after, filter: { topLevelOnly: false }) {
    nodes { uid matchedBy computer job { uid backupServer { uid } } backupServer { uid } parentUid } pageInfo { hasNextPage endCursor } } }";

async fn all_sessions(world: &World) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = world.ask_with(ALL, json!({"after": after})).await;
        assert_eq!(answer.get("errors"), None);
        let page = &answer["data"]["agentSessions"];
        rows.extend(array(&page["nodes"]).iter().cloned());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return rows;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_is_matched_to_its_real_job_or_to_none() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let rows = all_sessions(&world).await;
    assert_eq!(rows.len(), estate.sessions.len());
    let mut unmatched = 0;
    for row in &rows {
        let real = estate
            .sessions
            .iter()
            .find(|session| row["uid"] == session.uid.to_string())
            .unwrap();
        let job = &estate.jobs[real.of_job];
        let server = estate.servers[job.server].uid.to_string();
        if row["matchedBy"] == "NONE" {
            unmatched += 1;
            // only a part whose parent is gone, and whose job was renamed or shares its name, may
            // stay alone
            assert!(real.parent.is_some(), "{row}");
            assert_eq!(row["job"], Value::Null);
            continue;
        }
        assert_eq!(
            row["job"],
            json!({"uid": job.uid.to_string(), "backupServer": {"uid": server}}),
            "{row}"
        );
        assert_eq!(row["backupServer"]["uid"], server);
        if let Some(machine) = real.of_machine {
            assert_eq!(row["computer"], estate.machines[machine].computer);
        }
    }
    assert!(unmatched < rows.len() / 20, "{unmatched} of {}", rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_server_only_an_id_that_is_unique_in_the_fleet_matches() {
    // Enterprise Manager knows every server under a name that the console has never heard
    let world = World::start(Setup {
        change: |estate| {
            for (number, server) in estate.servers.iter_mut().enumerate() {
                server.managed_name = format!("10.9.8.{number}");
                server.is_mapped = false;
            }
        },
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    for row in all_sessions(&world).await {
        let real = estate
            .sessions
            .iter()
            .find(|session| row["uid"] == session.uid.to_string())
            .unwrap();
        let job = &estate.jobs[real.of_job];
        let is_unique = estate
            .jobs
            .iter()
            .filter(|other| other.uid == job.uid)
            .count()
            == 1;
        let has_parent = real.parent.is_none()
            || estate
                .sessions
                .iter()
                .any(|session| Some(session.uid) == real.parent);
        let expected = if is_unique && has_parent {
            "JOB_UID"
        } else {
            "NONE"
        };
        assert_eq!(row["matchedBy"], expected, "{row}");
        assert_eq!(row["job"].is_null(), expected == "NONE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_id_changed_is_matched_by_name_on_its_server() {
    let world = World::start(Setup {
        change: |estate| {
            // sessions remember an id that no job has any more: the job was made anew under its old
            // name
            for session in estate
                .sessions
                .iter_mut()
                .filter(|session| session.parent.is_none())
            {
                session.job = uuid::Uuid::from_u128(session.job.as_u128() ^ 7);
            }
        },
        ..Setup::default()
    })
    .await;
    let rows = all_sessions(&world).await;
    let matched = rows
        .iter()
        .filter(|row| row["matchedBy"] == "SERVER_AND_NAME")
        .count();
    assert!(
        matched > 0
            && rows.iter().all(
                |row| row["matchedBy"] != "SERVER_AND_JOB_UID" && row["matchedBy"] != "JOB_UID"
            )
    );
    let estate = world.simulator.estate();
    for row in rows.iter().filter(|row| !row["job"].is_null()) {
        let real = estate
            .sessions
            .iter()
            .find(|session| row["uid"] == session.uid.to_string())
            .unwrap();
        assert_eq!(row["job"]["uid"], estate.jobs[real.of_job].uid.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_shows_the_sessions_that_it_ran() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let query = "{ backupServers(first: 500) { nodes { uid
        runs: sessions(first: 500) { complete totalCount nodes { uid startedAt } }
        all: sessions(filter: { topLevelOnly: false }) { totalCount } } } }";
    let data = world.data(query).await;
    assert_eq!(
        array(&data["backupServers"]["nodes"]).len(),
        estate.servers.len()
    );
    for row in array(&data["backupServers"]["nodes"]) {
        let own = estate.sessions.iter().filter(|session| {
            row["uid"]
                == estate.servers[estate.jobs[session.of_job].server]
                    .uid
                    .to_string()
        });
        let (parts, runs): (Vec<_>, Vec<_>) = own.partition(|session| session.parent.is_some());
        assert_eq!(row["all"]["totalCount"], parts.len() + runs.len());
        assert_eq!(
            (&row["runs"]["complete"], &row["runs"]["totalCount"]),
            (&json!(true), &json!(runs.len()))
        );
        let shown = array(&row["runs"]["nodes"]);
        assert!(
            shown
                .iter()
                .all(|shown| runs.iter().any(|run| shown["uid"] == run.uid.to_string())),
            "{row}"
        );
        assert!(
            shown.is_sorted_by(
                |left, right| left["startedAt"].as_str() >= right["startedAt"].as_str()
            )
        );
    }

    // while the jobs can't be read a session of a restored server may be anybody's
    let world = World::small().await;
    let fault = FaultKind::Html;
    world.simulator.faults.add([Fault {
        path: "*/backupServers/jobs?*".to_owned(),
        times: None,
        kind: fault,
    }]);
    let answer = world
        .ask("{ backupServers(first: 2) { nodes { sessions(first: 1) { complete totalCount } } } }")
        .await;
    for (place, row) in array(&answer["data"]["backupServers"]["nodes"])
        .iter()
        .enumerate()
    {
        assert_eq!(
            row["sessions"],
            json!({"complete": false, "totalCount": null})
        );
        assert!(
            array(&answer["errors"])
                .iter()
                .any(|error| error["path"] == json!(["backupServers", "nodes", place, "sessions"]))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_shows_its_runs_and_a_run_its_parts() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let data = world.data("{ jobs(first: 50, filter: { kind: [AGENT_BACKUP, AGENT_POLICY] }) { nodes { uid backupServer { uid } sessions(first: 50) { complete totalCount nodes { uid startedAt children(first: 50) { nodes { uid computer parent { uid } } } } } } } }").await;
    for shown in array(&data["jobs"]["nodes"]) {
        let place = estate
            .jobs
            .iter()
            .position(|job| {
                shown["uid"] == job.uid.to_string()
                    && shown["backupServer"]["uid"] == estate.servers[job.server].uid.to_string()
            })
            .unwrap();
        let mut runs: Vec<_> = estate
            .sessions
            .iter()
            .filter(|session| session.of_job == place && session.parent.is_none())
            .collect();
        runs.sort_by_key(|session| std::cmp::Reverse((session.created, session.uid)));
        assert_eq!(shown["sessions"]["totalCount"], runs.len());
        for (shown, run) in array(&shown["sessions"]["nodes"]).iter().zip(&runs) {
            assert_eq!(shown["uid"], run.uid.to_string(), "newest first");
            let mut parts: Vec<String> = estate
                .sessions
                .iter()
                .filter(|part| part.parent == Some(run.uid))
                .map(|part| part.uid.to_string())
                .collect();
            parts.sort();
            let mut children: Vec<String> = array(&shown["children"]["nodes"])
                .iter()
                .map(|part| part["uid"].as_str().unwrap().to_owned())
                .collect();
            children.sort();
            assert_eq!(children, parts);
            assert!(
                array(&shown["children"]["nodes"])
                    .iter()
                    .all(|part| part["parent"]["uid"] == shown["uid"])
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tape_jobs_have_no_sessions_and_asking_for_them_costs_nothing() {
    let world = World::small().await;
    world
        .data("{ jobs(filter: { kind: BACKUP_TO_TAPE }) { nodes { name } } }")
        .await;
    world.requests();
    let data = world.data("{ jobs(filter: { kind: BACKUP_TO_TAPE }) { nodes { sessions { complete totalCount } } } }").await;
    assert!(
        array(&data["jobs"]["nodes"])
            .iter()
            .all(|job| job["sessions"] == json!({"complete": true, "totalCount": 0}))
    );
    assert_eq!(world.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_jobs_history_is_one_query_while_the_window_is_not_in_hand() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let place = estate
        .jobs
        .iter()
        .position(|job| job.kind == "AgentBackupJob" && job.server == 1)
        .unwrap();
    let (job, server) = (&estate.jobs[place], estate.servers[1].uid);
    let query = format!(
        "{{ job(uid: \"{}\", backupServerUid: \"{server}\") {{ sessions(first: 500) {{ totalCount nodes {{ matchedBy }} }} }} }}",
        job.uid
    );
    let data = world.data(&query).await;
    let runs = estate
        .sessions
        .iter()
        .filter(|session| session.of_job == place && session.parent.is_none())
        .count();
    assert_eq!(data["job"]["sessions"]["totalCount"], runs);
    let queries: Vec<String> = world
        .requests()
        .into_iter()
        .filter(|request| request.contains("/api/query"))
        .collect();
    assert_eq!(queries.len(), 1);
    assert!(queries[0].contains(&format!(
        "JobUid%3D%3D%22urn%3Aveeam%3AJob%3A{}%22",
        job.uid
    )));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_console_down_sessions_are_there_and_their_jobs_are_not_known() {
    let world = World::small().await;
    world.simulator.faults.add([veeam_graph::simulator::Fault {
        path: "/api/v3/*".to_owned(),
        times: None,
        kind: veeam_graph::simulator::FaultKind::Html,
    }]);
    let answer = world
        .ask("{ agentSessions(first: 2) { complete totalCount nodes { matchedBy job { name } } } }")
        .await;
    let runs = world
        .simulator
        .estate()
        .sessions
        .iter()
        .filter(|session| session.parent.is_none())
        .count();
    assert_eq!(
        (
            &answer["data"]["agentSessions"]["complete"],
            &answer["data"]["agentSessions"]["totalCount"]
        ),
        (&json!(true), &json!(runs))
    );
    for (place, error) in array(&answer["errors"]).iter().enumerate() {
        assert_eq!(
            error["path"],
            json!(["agentSessions", "nodes", place, "job"])
        );
        assert_eq!(error["extensions"]["upstream"], "msp");
    }
    assert_eq!(array(&answer["errors"]).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_read_by_its_id() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let session = estate
        .sessions
        .iter()
        .find(|session| session.parent.is_none())
        .unwrap();
    let data = world
        .data(&format!(
            "{{ agentSession(uid: \"{}\") {{ uid matchedBy job {{ name }} }} }}",
            session.uid
        ))
        .await;
    assert_eq!(
        data["agentSession"],
        json!({"uid": session.uid.to_string(), "matchedBy": "SERVER_AND_JOB_UID", "job": {"name": estate.jobs[session.of_job].name}})
    );
    assert!(world.requests().contains(&format!(
        "GET /api/backupSessions/{}?format=Entity",
        session.uid
    )));
    assert_eq!(
        world
            .data("{ agentSession(uid: \"8c88c6d6-931f-4044-8c0b-7a0c5f188b00\") { uid } }")
            .await,
        json!({"agentSession": null})
    );
}

/// Jobs on servers whose ids are nobody else's, with runs to tell of.
fn jobs_with_runs(estate: &Estate) -> Vec<usize> {
    let is_alone = |server: usize| estate.servers[server].clone_of.is_none() && server != 0;
    let has_runs = |place: usize| {
        estate
            .sessions
            .iter()
            .filter(|session| session.of_job == place && session.parent.is_none())
            .count()
            > 1
    };
    let jobs = estate
        .jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| job.kind == "AgentBackupJob" && is_alone(job.server));
    jobs.map(|(place, _)| place)
        .filter(|place| has_runs(*place))
        .take(3)
        .collect()
}

/// Their runs, asked for and held against the estate.
async fn check_runs(world: &World, jobs: &[usize]) {
    let estate = world.simulator.estate();
    let of_job = |place: &usize| {
        let (job, server) = (
            &estate.jobs[*place],
            estate.servers[estate.jobs[*place].server].uid,
        );
        let sessions = "sessions(first: 500) { complete nodes { uid } }";
        format!(
            "j{place}: job(uid: \"{}\", backupServerUid: \"{server}\") {{ {sessions} }} ",
            job.uid
        )
    };
    let data = world
        .data(&format!(
            "{{ {} }}",
            jobs.iter().map(of_job).collect::<String>()
        ))
        .await;
    for place in jobs {
        let sessions = &data[format!("j{place}")]["sessions"];
        let mut shown: Vec<_> = array(&sessions["nodes"])
            .iter()
            .map(|session| session["uid"].as_str().unwrap().to_owned())
            .collect();
        let runs = estate
            .sessions
            .iter()
            .filter(|session| session.of_job == *place && session.parent.is_none());
        let mut own: Vec<_> = runs.map(|session| session.uid.to_string()).collect();
        shown.sort();
        own.sort();
        assert_eq!((&sessions["complete"], shown), (&json!(true), own));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_that_were_read_together_are_found_again_by_each_of_their_jobs() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let jobs = jobs_with_runs(&estate);
    let queries = || {
        world
            .requests()
            .into_iter()
            .filter(|request| request.contains("/api/query"))
            .collect::<Vec<_>>()
    };
    check_runs(&world, &jobs[..2]).await;
    assert_eq!(queries().len(), 1);
    check_runs(&world, &jobs[1..2]).await;
    assert_eq!(
        queries(),
        Vec::<String>::new(),
        "one of those that were read"
    );
    check_runs(&world, &jobs).await;
    let others = queries();
    assert_eq!(others.len(), 1, "{others:?}");
    let is_asked = |place: &usize| others[0].contains(&estate.jobs[*place].uid.to_string());
    assert_eq!(
        jobs.iter().map(is_asked).collect::<Vec<_>>(),
        [false, false, true]
    );
    check_runs(&world, &jobs).await;
    assert_eq!(queries(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_can_t_be_read_again_is_given_as_it_was_also_for_one_job_of_several() {
    let cache = Cache {
        sessions: Some(Duration::from_millis(1)),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let jobs = jobs_with_runs(&world.simulator.estate());
    check_runs(&world, &jobs[..2]).await;
    world.simulator.faults.add([Fault {
        path: "*/api/query*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    check_runs(&world, &jobs[1..2]).await;
    check_runs(&world, &jobs[1..2]).await;
    assert!(
        world
            .requests()
            .iter()
            .any(|request| request.contains("/api/query")),
        "it was tried"
    );
}
