//! Paging, ordering, filtering, ids and edges, against brute force over the simulator's data.

use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use std::collections::HashSet;
use veeam_graph::simulator::Scale;

#[tokio::test(flavor = "multi_thread")]
async fn any_page_size_gives_every_job_once_and_in_order() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    for (order, size) in [
        ("{ field: NAME }", 7),
        ("{ field: LAST_END_TIME, direction: DESC }", 50),
        (
            "[{ field: HEALTH }, { field: DURATION, direction: DESC }]",
            101,
        ),
        ("[]", 500),
    ] {
        let (mut ids, mut after, mut rows) = (HashSet::new(), Value::Null, Vec::new());
        loop {
            let query = format!(
                "query P($after: String) {{ jobs(first: {size}, after: $after, orderBy: {order}) {{ totalCount nodes {{ id name health lastEndTime lastDurationSeconds }} pageInfo {{ hasNextPage hasPreviousPage endCursor startCursor }} }} }}"
            );
            let answer = world.ask_with(&query, json!({"after": after})).await;
            assert_eq!(codes(&answer), Vec::<&str>::new());
            let jobs = &answer["data"]["jobs"];
            assert_eq!(jobs["totalCount"], estate.jobs.len());
            assert_eq!(jobs["pageInfo"]["hasPreviousPage"], !rows.is_empty());
            for job in array(&jobs["nodes"]) {
                assert!(
                    ids.insert(job["id"].as_str().unwrap().to_owned()),
                    "{job} came twice"
                );
                rows.push(job.clone());
            }
            after = jobs["pageInfo"]["endCursor"].clone();
            if jobs["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(rows.len(), estate.jobs.len());
        match order {
            "{ field: LAST_END_TIME, direction: DESC }" => {
                let ends: Vec<Option<jiff::Timestamp>> = rows
                    .iter()
                    .map(|job| job["lastEndTime"].as_str().map(|at| at.parse().unwrap()))
                    .collect();
                assert!(
                    ends.is_sorted_by(|left, right| left >= right),
                    "descending, never last"
                );
            }
            "{ field: NAME }" | "[]" => {
                let names: Vec<String> = rows
                    .iter()
                    .map(|job| job["name"].as_str().unwrap().to_lowercase())
                    .collect();
                assert!(names.is_sorted());
            }
            _ => {
                const WORST_FIRST: [&str; 8] = [
                    "FAILED",
                    "WARNING",
                    "UNKNOWN",
                    "NEVER_RAN",
                    "WAITING",
                    "RUNNING",
                    "IDLE",
                    "SUCCESS",
                ];
                let rank = |job: &Value| {
                    WORST_FIRST
                        .iter()
                        .position(|word| job["health"] == *word)
                        .unwrap()
                };
                assert!(rows.is_sorted_by_key(rank));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_where_the_last_one_ended_while_the_list_is_read_anew() {
    let nothing = Some(std::time::Duration::ZERO);
    let cache = veeam_graph::config::Cache {
        jobs: nothing,
        max_stale: nothing,
        ..Default::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let first = world
        .data("{ jobs(first: 10) { nodes { name uid } pageInfo { endCursor } } }")
        .await;
    let last = array(&first["jobs"]["nodes"]).last().unwrap().clone();
    // a job is renamed to the front, one is gone, and the row that the cursor stands on is gone,
    // too
    world.simulator.change(|estate| {
        estate
            .jobs
            .iter_mut()
            .rev()
            .take(1)
            .for_each(|job| job.name = "AAA".to_owned());
        let uid: uuid::Uuid = last["uid"].as_str().unwrap().parse().unwrap();
        estate
            .jobs
            .iter_mut()
            .filter(|job| job.uid == uid)
            .for_each(|job| job.name = "AAB".to_owned());
    });
    let query = format!(
        "{{ jobs(first: 500, after: {}) {{ nodes {{ name }} }} }}",
        first["jobs"]["pageInfo"]["endCursor"]
    );
    let rest = world.data(&query).await;
    let estate = world.simulator.estate();
    let boundary = last["name"].as_str().unwrap().to_lowercase();
    let mut expected: Vec<String> = estate
        .jobs
        .iter()
        .map(|job| job.name.to_lowercase())
        .filter(|name| *name > boundary)
        .collect();
    expected.sort();
    let shown: Vec<String> = array(&rest["jobs"]["nodes"])
        .iter()
        .map(|job| job["name"].as_str().unwrap().to_lowercase())
        .filter(|name| *name != boundary)
        .collect();
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_arguments_are_told_what_would_be_right() {
    let world = World::small().await;
    let cursor = world
        .data("{ jobs(first: 1) { pageInfo { endCursor } } }")
        .await["jobs"]["pageInfo"]["endCursor"]
        .clone();
    for (query, expected) in [
        (
            "{ jobs(first: -1) { totalCount } }".to_owned(),
            "between 0 and 500",
        ),
        (
            "{ jobs(first: 501) { totalCount } }".to_owned(),
            "between 0 and 500",
        ),
        (
            "{ jobs(after: \"x\") { totalCount } }".to_owned(),
            "not one that this gateway made",
        ),
        (
            format!("{{ companies(after: {cursor}) {{ totalCount }} }}"),
            "another list",
        ),
        (
            format!("{{ jobs(after: {cursor}, filter: {{ enabled: true }}) {{ totalCount }} }}"),
            "another list",
        ),
        (
            format!("{{ jobs(after: {cursor}, orderBy: {{ field: HEALTH }}) {{ totalCount }} }}"),
            "another list",
        ),
        (
            "{ backupServer { name } }".to_owned(),
            "either `uid` or `name`",
        ),
        (
            "{ job(uid: \"{8c88c6d6-931f-4044-8c0b-7a0c5f188b00}\") { name } }".to_owned(),
            "36 characters",
        ),
    ] {
        let answer = world.ask(&query).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{query}: {message}");
        let code = codes(&answer)[0];
        assert!(
            code == "BAD_USER_INPUT" || code == "GRAPHQL_VALIDATION_FAILED",
            "{query}: {code}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_on_two_servers_is_never_guessed() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let clone = estate
        .servers
        .iter()
        .position(|server| server.clone_of.is_some())
        .unwrap();
    let original = estate.servers[clone].clone_of.unwrap();
    let job = estate
        .jobs
        .iter()
        .find(|job| job.server == clone && job.kind == "AgentBackupJob")
        .unwrap();
    let answer = world
        .ask(&format!("{{ job(uid: \"{}\") {{ name }} }}", job.uid))
        .await;
    assert_eq!(codes(&answer), ["BAD_USER_INPUT"]);
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains(&estate.servers[clone].uid.to_string())
            && message.contains(&estate.servers[original].uid.to_string()),
        "{message}"
    );
    for server in [clone, original] {
        let uid = estate.servers[server].uid;
        let query = format!(
            "{{ job(uid: \"{}\", backupServerUid: \"{uid}\") {{ id backupServer {{ uid }} ... on AgentJob {{ osType objects {{ totalCount nodes {{ id backupServer {{ uid }} job {{ id }} }} }} }} }} }}",
            job.uid
        );
        let data = world.data(&query).await;
        assert_eq!(data["job"]["backupServer"]["uid"], uid.to_string());
        let place = estate
            .jobs
            .iter()
            .position(|other| other.uid == job.uid && other.server == server)
            .unwrap();
        let machines = estate
            .machines
            .iter()
            .filter(|machine| machine.job == place)
            .count();
        assert_eq!(data["job"]["objects"]["totalCount"], machines);
        for machine in array(&data["job"]["objects"]["nodes"]) {
            assert_eq!(
                (&machine["backupServer"]["uid"], &machine["job"]["id"]),
                (&json!(uid.to_string()), &data["job"]["id"])
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_twin_tape_jobs_is_on_both_servers_also_when_one_has_lost_the_job_that_it_reads()
{
    let world = World::start(Setup {
        change: |estate| {
            let clone = estate.servers.len() - 1;
            let link = estate
                .tape_links
                .iter()
                .find(|link| {
                    link.server == 0 && estate.jobs.iter().any(|job| job.uid == link.linked)
                })
                .unwrap()
                .clone();
            let twin = estate
                .jobs
                .iter()
                .position(|job| job.server == clone && job.uid == estate.jobs[link.job].uid)
                .unwrap();
            // nothing else makes anybody doubt these two servers
            estate
                .tape_links
                .retain(|other| other.server != clone && (other.server != 0 || *other == link));
            estate
                .tape_links
                .push(veeam_graph::simulator::estate::Link {
                    server: clone,
                    job: twin,
                    linked: link.linked,
                });
            // deleted on the restored server, where only the link is left
            let lost = estate
                .jobs
                .iter()
                .position(|job| job.server == clone && job.uid == link.linked)
                .unwrap();
            estate.jobs[lost].uid = uuid::Uuid::from_u128(0xabad_1dea);
        },
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let data = world.data("{ backupServers { nodes { name tapeLinkedJobs { nodes { resolved linkedJobUid } } } } tapeLinkedJobs(first: 500) { totalCount } }").await;
    let clone = estate.servers.last().unwrap();
    let shown = array(&data["backupServers"]["nodes"])
        .iter()
        .find(|server| server["name"] == clone.name)
        .unwrap();
    let linked = estate.tape_links.last().unwrap().linked.to_string();
    assert_eq!(
        shown["tapeLinkedJobs"]["nodes"],
        json!([{"resolved": false, "linkedJobUid": linked}])
    );
    let original = array(&data["backupServers"]["nodes"])
        .iter()
        .find(|server| server["name"] == estate.servers[0].name)
        .unwrap();
    assert!(
        array(&original["tapeLinkedJobs"]["nodes"])
            .contains(&json!({"resolved": true, "linkedJobUid": linked}))
    );
    assert_eq!(
        data["tapeLinkedJobs"]["totalCount"],
        estate.tape_links.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_list_never_tells_that_an_id_is_the_only_one() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    // the second half of the jobs, and with it the restored server's twins, can't be read
    world.simulator.faults.add([veeam_graph::simulator::Fault {
        path: "*/backupServers/jobs?*".to_owned(),
        times: None,
        kind: veeam_graph::simulator::FaultKind::ShortPage,
    }]);
    let answer = world
        .ask(&format!(
            "{{ job(uid: \"{}\") {{ name }} }}",
            estate.jobs[0].uid
        ))
        .await;
    assert_eq!(
        (codes(&answer), &answer["data"]["job"]),
        (vec!["UPSTREAM_INVALID"], &Value::Null)
    );
    // links are placed by asking the servers one by one
    let data = world
        .ask("{ backupServers { nodes { name tapeLinkedJobs { complete totalCount } } } }")
        .await;
    for server in array(&data["data"]["backupServers"]["nodes"]) {
        let place = estate
            .servers
            .iter()
            .position(|row| server["name"] == row.name)
            .unwrap();
        let links = estate
            .tape_links
            .iter()
            .filter(|link| link.server == place)
            .count();
        assert_eq!(
            server["tapeLinkedJobs"],
            json!({"complete": true, "totalCount": links}),
            "{server}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_global_id_leads_back_to_its_object() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let data = world
        .data(&format!(
            "{{ backupServers {{ nodes {{ id repositories {{ nodes {{ id }} }} }} }} jobs(first: 500) {{ nodes {{ id }} }} companies {{ nodes {{ id }} }}
                agentJobObjects(first: 500) {{ nodes {{ id }} }} agentSessions(first: 20) {{ nodes {{ id }} }} upstreams {{ id }}
                backupAgentJobs(agentUid: \"{}\") {{ nodes {{ id }} }} }}",
            estate.agents[0].id
        ))
        .await;
    let mut ids = Vec::new();
    collect_ids(&data, &mut ids);
    assert!(ids.len() > 100);
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "no two objects share an id");
    let answer = world
        .ask_with(
            "query N($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }",
            json!({"ids": ids}),
        )
        .await;
    assert_eq!(codes(&answer), Vec::<&str>::new());
    let found: Vec<&str> = array(&answer["data"]["nodes"])
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    assert_eq!(found, ids);
    let gone = world
        .data("{ a: node(id: \"bm9ib2R5\") { id } b: node(id: \"%%%\") { id } }")
        .await;
    assert_eq!(gone, json!({"a": null, "b": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_leads_to_its_agent_on_its_own_server() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let data = world.data("{ agentJobObjects(first: 500) { nodes { computer agentUid backupServer { uid } agent { id uid machineName osType version backupServer { uid } } } } }").await;
    assert_eq!(
        array(&data["agentJobObjects"]["nodes"]).len(),
        estate.machines.len()
    );
    for machine in array(&data["agentJobObjects"]["nodes"]) {
        let agent = &machine["agent"];
        assert_eq!(
            (&agent["uid"], &agent["machineName"]),
            (&machine["agentUid"], &machine["computer"])
        );
        assert_eq!(agent["backupServer"], machine["backupServer"]);
    }
    let requests = world.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("/agents"))
            .count(),
        1,
        "{requests:#?}"
    );
    let id = &data["agentJobObjects"]["nodes"][0]["agent"]["id"];
    let again = world
        .data(&format!(
            "{{ node(id: {id}) {{ id ... on BackupAgent {{ name }} }} }}"
        ))
        .await;
    assert_eq!(&again["node"]["id"], id);

    let world = World::small().await;
    let machine = estate
        .machines
        .iter()
        .find(|machine| estate.jobs[machine.job].server == 1)
        .unwrap();
    let (job, server) = (&estate.jobs[machine.job], estate.servers[1].uid);
    let query = format!(
        "{{ job(uid: \"{}\", backupServerUid: \"{server}\") {{ ... on AgentJob {{ objects(first: 1) {{ nodes {{ agent {{ uid }} }} }} }} }} }}",
        job.uid
    );
    let shown = world.data(&query).await["job"]["objects"]["nodes"][0]["agent"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        world.requests().contains(&format!(
            "GET /api/v3/infrastructure/backupServers/{server}/agents/{shown}"
        )),
        "one agent is one call"
    );
}

fn collect_ids(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            ids.extend(map.get("id").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect_ids(value, ids));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_ids(value, ids)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_health_counts_as_brute_force_does() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let data = world
        .data("{ fleetHealth(includeLogBackups: true) { key complete jobs { total failed success neverRan } agentObjects { total failed } company { name } } }")
        .await;
    let rows = array(&data["fleetHealth"]);
    for company in &estate.companies {
        let row = rows
            .iter()
            .find(|row| row["key"] == company.uid.to_string())
            .unwrap();
        let jobs: Vec<usize> = (0..estate.jobs.len())
            .filter(|place| {
                estate.jobs[*place]
                    .mapped_company
                    .filter(|uid| !uid.is_nil())
                    .unwrap_or(estate.servers[estate.jobs[*place].server].company)
                    == company.uid
            })
            .collect();
        let count = |word: &str| {
            jobs.iter()
                .filter(|place| estate.jobs[**place].status.eq_ignore_ascii_case(word))
                .count()
        };
        let machines: Vec<_> = estate
            .machines
            .iter()
            .filter(|machine| jobs.contains(&machine.job))
            .collect();
        assert_eq!(
            row["jobs"],
            json!({"total": jobs.len(), "failed": count("Failed"), "success": count("Success"), "neverRan": count("None")}),
            "{}",
            company.name
        );
        assert_eq!(
            row["agentObjects"],
            json!({"total": machines.len(), "failed": machines.iter().filter(|machine| machine.status == "Failed").count()})
        );
        assert_eq!(
            (&row["company"]["name"], &row["complete"]),
            (&json!(company.name), &json!(true))
        );
    }
}
