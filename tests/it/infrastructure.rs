//! Enterprise Managers, locations, and agents that no backup server manages: what the simulator's
//! data says, each once, from both ends, at the price of their lists.

use crate::world::{Setup, World, array, now};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use veeam_graph::simulator::{Estate, Fault, FaultKind, Scale};

const EVERYTHING: &str = "{
  enterpriseManagers { complete totalCount nodes { id uid name version status backupServers(first: 500) { complete nodes { uid } } } }
  locations(first: 500) { complete totalCount nodes { id uid name type quotaBytes company { uid } backupServers(first: 500) { complete nodes { uid } } } }
  consoleAgents(first: 500) { complete totalCount nodes {
    id uid name managementMode status totalJobsCount company { uid } jobs(first: 500) { totalCount complete nodes { uid } } } }
  consoleAgentJobs(first: 500) { complete totalCount nodes {
    id uid originalUid agentUid name health statusCode status lastRun lastEndTime lastDurationSeconds ageSeconds isEnabled backupBytes freeBytes failureMessage
    failureSummary company { uid } agent { uid } } }
  backupServers(first: 500) { nodes { uid locationUid location { uid } enterpriseManagers { complete nodes { uid } } } }
  companies(first: 500) { nodes { uid locations { complete nodes { uid } } consoleAgents { complete nodes { uid } }
    consoleAgentJobs(first: 500) { complete nodes { uid } } } }
  fleetHealth { key consoleAgentJobs { total success failed neverRan } }
  workloads(first: 500, filter: { kind: CONSOLE_COMPUTER }) { nodes { uid agent { uid jobs { totalCount } } } }
}";

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

/// `uid` of every node of a connection.
fn uids(connection: &Value) -> Vec<String> {
    assert_eq!(connection["complete"], true);
    sorted(
        array(&connection["nodes"])
            .iter()
            .map(|row| row["uid"].as_str().unwrap().to_owned())
            .collect(),
    )
}

fn by_uid(connection: &Value) -> BTreeMap<&str, &Value> {
    assert_eq!(connection["complete"], true);
    let rows = array(&connection["nodes"]);
    let map: BTreeMap<&str, &Value> = rows
        .iter()
        .map(|row| (row["uid"].as_str().unwrap(), row))
        .collect();
    assert_eq!(
        (map.len(), &connection["totalCount"]),
        (rows.len(), &json!(rows.len()))
    );
    map
}

fn check(estate: &Estate, data: &Value) {
    let managers = by_uid(&data["enterpriseManagers"]);
    let manager = managers[estate.manager.to_string().as_str()];
    assert_eq!((managers.len(), &manager["status"]), (1, &json!("Healthy")));
    let mapped = estate
        .servers
        .iter()
        .filter(|server| server.is_mapped)
        .map(|server| server.uid.to_string())
        .collect();
    assert_eq!(uids(&manager["backupServers"]), sorted(mapped));
    for (server, row) in estate
        .servers
        .iter()
        .map(|server| (server, by(&data["backupServers"]["nodes"], &server.uid)))
    {
        assert_eq!(
            array(&row["enterpriseManagers"]["nodes"]).len(),
            usize::from(server.is_mapped)
        );
        let location = estate
            .locations
            .iter()
            .rfind(|location| location.company == server.company)
            .filter(|_| server.is_mapped);
        let uid = json!(location.map(|location| location.uid));
        assert_eq!((&row["locationUid"], &row["location"]["uid"]), (&uid, &uid));
    }

    let locations = by_uid(&data["locations"]);
    assert_eq!(locations.len(), estate.locations.len());
    for location in &estate.locations {
        let row = locations[location.uid.to_string().as_str()];
        let is_here = |server: &&Value| server["locationUid"] == location.uid.to_string();
        let servers = array(&data["backupServers"]["nodes"])
            .iter()
            .filter(is_here)
            .map(|server| server["uid"].as_str().unwrap().to_owned());
        assert_eq!(uids(&row["backupServers"]), sorted(servers.collect()));
        assert_eq!(
            (&row["name"], &row["company"]["uid"]),
            (&json!(location.name), &json!(location.company))
        );
        assert_eq!(row["quotaBytes"], location.quota_gb << 30);
    }

    let of_nobody = || {
        estate
            .console_agents
            .iter()
            .filter(|agent| agent.mode != "ManagedByVBR")
    };
    let jobs_of = |agent| {
        estate
            .console_jobs
            .iter()
            .filter(move |job| job.agent == agent)
    };
    let agents = by_uid(&data["consoleAgents"]);
    assert_eq!(agents.len(), of_nobody().count());
    assert!(
        agents.len() < estate.console_agents.len(),
        "some are a backup server's"
    );
    let jobs = by_uid(&data["consoleAgentJobs"]);
    for agent in of_nobody() {
        let row = agents[agent.uid.to_string().as_str()];
        assert_eq!(
            (&row["name"], &row["company"]["uid"]),
            (&json!(agent.name), &json!(agent.company))
        );
        assert_eq!(
            uids(&row["jobs"]),
            sorted(jobs_of(agent.uid).map(|job| job.uid.to_string()).collect())
        );
        let workload = by(&data["workloads"]["nodes"], &agent.uid);
        assert_eq!(
            workload["agent"],
            json!({"uid": agent.uid, "jobs": {"totalCount": jobs_of(agent.uid).count()}})
        );
        for job in jobs_of(agent.uid) {
            let row = jobs[job.uid.to_string().as_str()];
            let original = (!job.original.is_nil()).then_some(job.original);
            let health = if job.last_run.is_none() {
                "NEVER_RAN".to_owned()
            } else {
                job.status.to_uppercase()
            };
            let ended = job
                .last_run
                .map(|run| run.checked_add(SignedDuration::from_secs(98)).unwrap());
            assert_eq!(
                (&row["originalUid"], &row["agent"]["uid"]),
                (&json!(original), &json!(agent.uid))
            );
            assert_eq!(
                (&row["health"], &row["status"], &row["isEnabled"]),
                (&json!(health), &json!(job.status), &json!(job.is_enabled))
            );
            assert_eq!(
                row["lastEndTime"]
                    .as_str()
                    .map(|text| text.parse().unwrap()),
                ended
            );
            assert_eq!(
                row["ageSeconds"],
                json!(ended.map(|ended| now().duration_since(ended).as_secs()))
            );
            assert_eq!(
                (&row["backupBytes"], &row["freeBytes"]),
                (&json!(job.bytes), &json!(job.free))
            );
            assert_eq!(
                row["failureSummary"],
                if job.status == "Failed" {
                    json!("The disk is full.")
                } else {
                    Value::Null
                }
            );
        }
    }
    assert_eq!(
        jobs.len(),
        of_nobody()
            .map(|agent| jobs_of(agent.uid).count())
            .sum::<usize>()
    );
    for company in &estate.companies {
        let row = by(&data["companies"]["nodes"], &company.uid);
        let of = |agents: Vec<String>| sorted(agents);
        assert_eq!(
            uids(&row["locations"]),
            of(estate
                .locations
                .iter()
                .filter(|row| row.company == company.uid)
                .map(|row| row.uid.to_string())
                .collect())
        );
        let own: Vec<_> = of_nobody()
            .filter(|agent| agent.company == company.uid)
            .collect();
        assert_eq!(
            uids(&row["consoleAgents"]),
            of(own.iter().map(|agent| agent.uid.to_string()).collect())
        );
        let own_healths: Vec<&str> = own
            .iter()
            .flat_map(|agent| jobs_of(agent.uid))
            .map(|job| job.status)
            .collect();
        let count = |word| own_healths.iter().filter(|status| **status == word).count();
        let health = array(&data["fleetHealth"])
            .iter()
            .find(|row| row["key"] == json!(company.uid))
            .unwrap();
        let counts = json!({"total": own_healths.len(), "success": count("Success"), "failed": count("Failed"), "neverRan": count("None")});
        assert_eq!(health["consoleAgentJobs"], counts);
        let own_jobs = own
            .iter()
            .flat_map(|agent| jobs_of(agent.uid))
            .map(|job| job.uid.to_string())
            .collect();
        assert_eq!(uids(&row["consoleAgentJobs"]), of(own_jobs));
    }
}

fn by<'a>(rows: &'a Value, uid: &uuid::Uuid) -> &'a Value {
    array(rows)
        .iter()
        .find(|row| row["uid"] == json!(uid))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_locations_and_agents_are_what_the_data_says_from_both_ends() {
    for (scale, seed) in [(Scale::Small, 1), (Scale::Small, 2), (Scale::Medium, 3)] {
        let world = World::start(Setup {
            scale,
            seed,
            ..Setup::default()
        })
        .await;
        let answer = world.ask(EVERYTHING).await;
        assert_eq!(answer.get("errors"), None);
        check(&world.simulator.estate(), &answer["data"]);
        for list in [
            "enterpriseManagers",
            "locations",
            "consoleAgents",
            "consoleAgentJobs",
        ] {
            for row in array(&answer["data"][list]["nodes"]).iter().take(5) {
                let found = world
                    .ask_with(
                        "query($id: ID!) { node(id: $id) { __typename id } }",
                        json!({"id": row["id"]}),
                    )
                    .await;
                assert_eq!(found["data"]["node"]["id"], row["id"], "{list}");
            }
        }
    }
}

#[tokio::test]
async fn agents_cost_their_two_lists_and_tell_when_one_is_missing() {
    let world = World::start(Setup::default()).await;
    let question = "{ consoleAgentJobs(first: 5) { complete totalCount nodes { name agent { name jobs { totalCount } } } } }";
    let whole = world.ask(question).await;
    assert_eq!(
        sorted(world.requests()),
        [
            "GET /api/v3/infrastructure/backupAgents/jobs?limit=500&offset=0",
            "GET /api/v3/infrastructure/backupAgents?limit=500&offset=0"
        ]
    );
    assert_eq!(whole["data"]["consoleAgentJobs"]["complete"], true);

    // without the agents nobody can tell which jobs are a backup server's
    let world = World::start(Setup::default()).await;
    world.simulator.faults.add([Fault {
        path: "*/infrastructure/backupAgents?*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    let part = world.ask(question).await;
    assert_eq!(
        part["data"]["consoleAgentJobs"],
        json!({"complete": false, "totalCount": null, "nodes": []})
    );
    assert_eq!(part["errors"][0]["extensions"]["code"], "UPSTREAM_INVALID");
}

#[tokio::test]
async fn jobs_and_repositories_are_found_by_name_or_asked_back_about() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let named = |name: &str| estate.jobs.iter().filter(|job| job.name == name).count();
    let only = estate
        .jobs
        .iter()
        .find(|job| named(&job.name) == 1)
        .unwrap();
    let ask = async |question: String| {
        world
            .ask(&format!(
                "{{ found: {question} {{ uid name backupServer {{ uid }} }} }}"
            ))
            .await
    };
    let found = ask(format!("job(name: \"{}\")", only.name.to_uppercase())).await;
    let server = estate.servers[only.server].uid;
    assert_eq!(
        found["data"]["found"],
        json!({"uid": only.uid, "name": only.name, "backupServer": {"uid": server}})
    );
    assert_eq!(
        ask("job(name: \"nobody\")".to_owned()).await["data"]["found"],
        Value::Null
    );

    // a restored server has jobs of the same names and ids
    let (clone, original) = estate
        .jobs
        .iter()
        .find_map(|job| {
            Some((
                job,
                estate
                    .jobs
                    .iter()
                    .find(|other| other.uid == job.uid && other.server != job.server)?,
            ))
        })
        .unwrap();
    let told = ask(format!("job(name: \"{}\")", clone.name)).await;
    assert_eq!(told["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let message = told["errors"][0]["message"].as_str().unwrap();
    for job in [clone, original] {
        assert!(
            message.contains(&estate.servers[job.server].uid.to_string()),
            "{message}"
        );
    }
    let found = ask(format!(
        "job(name: \"{}\", backupServerUid: \"{}\")",
        clone.name, estate.servers[clone.server].uid
    ))
    .await;
    assert_eq!(
        found["data"]["found"]["backupServer"]["uid"],
        json!(estate.servers[clone.server].uid)
    );

    let locations = world
        .ask("{ found: location(name: \"default location\") { uid } }")
        .await;
    let message = locations["errors"][0]["message"].as_str().unwrap();
    assert!(
        estate
            .locations
            .iter()
            .filter(|row| row.name == "Default location")
            .all(|row| message.contains(&row.uid.to_string())),
        "{message}"
    );
    // of very many the first
    let large = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let told = large
        .ask("{ location(name: \"Default location\") { uid } }")
        .await;
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.ends_with(" and 47 more.") && message.matches(", ").count() == 9,
        "{message}"
    );
    let agent = estate
        .console_agents
        .iter()
        .find(|agent| agent.mode != "ManagedByVBR")
        .unwrap();
    let of_server = estate
        .console_agents
        .iter()
        .find(|agent| agent.mode == "ManagedByVBR")
        .unwrap();
    let found = world
        .ask(&format!(
            "{{ a: consoleAgent(name: \"{}\") {{ uid }} b: consoleAgent(uid: \"{}\") {{ uid }} c: enterpriseManager(name: \"EM01.backup.example\") {{ uid }} d: location(uid: \"{}\") {{ name }} }}",
            agent.name.to_uppercase(), of_server.uid, estate.locations[0].uid
        ))
        .await;
    let expected = json!({"a": {"uid": agent.uid}, "b": null, "c": {"uid": estate.manager}, "d": {"name": "Default location"}});
    assert_eq!(
        found["data"], expected,
        "an agent of a backup server is there, not here"
    );

    let told = ask("repository(name: \"default backup repository\")".to_owned()).await;
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert!(
        estate
            .servers
            .iter()
            .all(|server| message.contains(&server.uid.to_string())),
        "{message}"
    );
    let of_server =
        format!("repository(name: \"default backup repository\", backupServerUid: \"{server}\")");
    assert_eq!(
        ask(of_server).await["data"]["found"]["backupServer"]["uid"],
        json!(server)
    );
    for both in [
        "job",
        "repository",
        "job(backupServerUid: \"00000000-0000-0000-0000-000000000001\")",
        "repository(uid: \"00000000-0000-0000-0000-000000000001\", name: \"x\")",
    ] {
        let told = ask(both.to_owned()).await;
        assert_eq!(
            told["errors"][0]["message"], "Give either `uid` or `name`.",
            "{both}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_servers_lead_to_their_machines_and_repositories_to_their_jobs() {
    for scale in [Scale::Small, Scale::Medium] {
        let world = World::start(Setup {
            scale,
            ..Setup::default()
        })
        .await;
        let estate = world.simulator.estate();
        let query = "{ backupAgents(first: 500) { complete totalCount nodes { id uid name backupServer { uid }
                agentJobObjects(first: 20) { complete nodes { uid job { uid } backupServerUid } } } }
            backupServers(first: 100) { nodes { uid backupAgents(first: 500) { complete nodes { uid } }
                repositories(first: 20) { nodes { uid jobs(first: 400) { complete nodes { uid } } } } } } }";
        let data = world.data(query).await;
        // one for each machine: the simulator gives every machine an agent of its own
        let agents = array(&data["backupAgents"]["nodes"]);
        assert_eq!(
            (agents.len(), &data["backupAgents"]["totalCount"]),
            (estate.machines.len(), &json!(estate.machines.len()))
        );
        let mut twins = 0;
        for machine in &estate.machines {
            let job = &estate.jobs[machine.job];
            let server = estate.servers[job.server].uid.to_string();
            let is_it = |row: &&Value| {
                row["uid"] == machine.agent.to_string() && row["backupServer"]["uid"] == server
            };
            let row = agents.iter().find(is_it).unwrap();
            twins += agents
                .iter()
                .filter(|other| other["uid"] == row["uid"])
                .count()
                - 1;
            let own =
                json!([{"uid": machine.uid, "job": {"uid": job.uid}, "backupServerUid": server}]);
            assert_eq!(
                row["agentJobObjects"],
                json!({"complete": true, "nodes": own}),
                "{row}"
            );
        }
        assert!(twins > 0, "an agent's id is also on the restored server");
        for (place, server) in estate.servers.iter().enumerate() {
            let row = by(&data["backupServers"]["nodes"], &server.uid);
            let own = estate
                .machines
                .iter()
                .filter(|machine| estate.jobs[machine.job].server == place);
            assert_eq!(
                uids(&row["backupAgents"]),
                sorted(own.map(|machine| machine.agent.to_string()).collect())
            );
            for repository in estate
                .repositories
                .iter()
                .filter(|repository| repository.server == place)
            {
                let writes = |(number, job): &(usize, &veeam_graph::simulator::estate::Job)| {
                    // backup chains name a job by an id that may be another server's job's too
                    let is_only = estate
                        .jobs
                        .iter()
                        .filter(|other| other.uid == job.uid)
                        .count()
                        == 1;
                    let has_chain = estate.machines.iter().any(|machine| {
                        machine.job == *number && machine.repository == repository.uid
                    });
                    job.server == place
                        && (job.destination.as_ref() == Some(&repository.name)
                            || (is_only && has_chain))
                };
                let jobs = estate
                    .jobs
                    .iter()
                    .enumerate()
                    .filter(writes)
                    .map(|(_, job)| job.uid.to_string());
                assert_eq!(
                    uids(&by(&row["repositories"]["nodes"], &repository.uid)["jobs"]),
                    sorted(jobs.collect()),
                    "{}",
                    repository.name
                );
            }
        }
        // a page of each list: servers, agents, machines, repositories, jobs, chains
        let requests: Vec<String> = world
            .requests()
            .into_iter()
            .filter(|request| request.contains("/api/v3/"))
            .collect();
        assert_eq!(requests.len(), 6, "{scale:?} {requests:#?}");
    }
    let world = World::small().await;
    world.simulator.faults.add([Fault {
        path: "*/computersManagedByBackupServer/backups*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    let answer = world
        .ask("{ repositories { nodes { jobs { complete nodes { uid } } } } }")
        .await;
    assert_eq!(
        answer["data"]["repositories"]["nodes"][0]["jobs"],
        json!({"complete": false, "nodes": []}),
        "{answer}"
    );
}
