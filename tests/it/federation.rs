//! Other services find things by their keys (`_entities`): everything with a global id, at the
//! price of its lists, and only what the caller may see.

use crate::{
    access::caller,
    world::{Setup, World, array, codes},
};
use serde_json::{Value, json};
use veeam_graph::{
    config::{Access, Sees},
    graph,
    simulator::{Fault, FaultKind},
};

const ENTITIES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename
  ... on Job { id name } ... on Company { id uid name } ... on BackupServer { id uid name } ... on AgentSession { id } ... on Repository { id }
  ... on AgentJobObject { id computer } ... on ConsoleAgent { id } ... on Location { id } } }";

async fn nodes(world: &World) -> Vec<Value> {
    let lists = [
        "jobs",
        "companies",
        "backupServers",
        "agentSessions",
        "repositories",
        "agentJobObjects",
        "consoleAgents",
        "locations",
    ];
    let query: String = lists
        .iter()
        .map(|list| format!("{list}(first: 40) {{ nodes {{ __typename id }} }} "))
        .collect();
    let data = world.data(&format!("{{ {query} }}")).await;
    lists
        .iter()
        .flat_map(|list| array(&data[list]["nodes"]).clone())
        .collect()
}

#[tokio::test]
async fn everything_with_an_id_is_found_by_it_in_one_go() {
    let world = World::small().await;
    let all = nodes(&world).await;
    world.requests();
    let answer = world.ask_with(ENTITIES, json!({"of": all})).await;
    assert_eq!(answer.get("errors"), None);
    let found = array(&answer["data"]["_entities"]);
    assert_eq!(found.len(), all.len());
    for (asked, entity) in all.iter().zip(found) {
        assert_eq!(
            (&entity["__typename"], &entity["id"]),
            (&asked["__typename"], &asked["id"])
        );
    }
    assert_eq!(
        world.requests(),
        Vec::<String>::new(),
        "every list is in hand"
    );

    // cold, a hundred jobs cost the list of jobs
    let world = World::small().await;
    let jobs: Vec<&Value> = all
        .iter()
        .filter(|node| node["__typename"].as_str().unwrap().ends_with("Job"))
        .collect();
    assert!(jobs.len() > 30);
    let answer = world.ask_with(ENTITIES, json!({"of": jobs})).await;
    assert_eq!(answer.get("errors"), None);
    assert_eq!(
        world.requests(),
        ["GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0"]
    );
}

#[tokio::test]
async fn companies_and_servers_are_found_by_the_consoles_own_ids() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let (company, server) = (&estate.companies[3], &estate.servers[1]);
    let of = json!([{"__typename": "Company", "uid": company.uid}, {"__typename": "BackupServer", "uid": server.uid}]);
    let answer = world.ask_with(ENTITIES, json!({"of": of})).await;
    let found = &answer["data"]["_entities"];
    assert_eq!(
        (&found[0]["name"], &found[1]["name"]),
        (&json!(company.name), &json!(server.name))
    );
}

#[tokio::test]
async fn a_job_is_found_by_its_id_and_its_servers_and_by_the_name_of_its_interface() {
    let world = World::small().await;
    let jobs = world
        .data("{ jobs(first: 60) { nodes { __typename id uid name backupServer { uid } } } }")
        .await;
    let jobs = array(&jobs["jobs"]["nodes"]);
    assert!(jobs.len() > 30);
    world.requests();
    let mut of: Vec<Value> = jobs
        .iter()
        .map(|job| json!({"__typename": "Job", "id": job["id"]}))
        .collect();
    of.extend(jobs.iter().map(|job| json!({"__typename": job["__typename"], "uid": job["uid"], "backupServer": job["backupServer"]})));
    of.extend(jobs.iter().map(
        |job| json!({"__typename": "Job", "uid": job["uid"], "backupServer": job["backupServer"]}),
    ));
    let answer = world.ask_with(ENTITIES, json!({"of": of})).await;
    assert_eq!(answer.get("errors"), None);
    for (place, entity) in array(&answer["data"]["_entities"]).iter().enumerate() {
        let job = &jobs[place % jobs.len()];
        assert_eq!(
            (&entity["__typename"], &entity["id"]),
            (&job["__typename"], &job["id"]),
            "{place}"
        );
    }
    assert_eq!(world.requests(), Vec::<String>::new());
    // an id that repeats over servers is no key, nothing else is a job
    let company =
        world.data("{ companies(first: 1) { nodes { id } } }").await["companies"]["nodes"][0]["id"]
            .take();
    let of =
        json!([{"__typename": "Job", "uid": jobs[0]["uid"]}, {"__typename": "Job", "id": company}]);
    let answer = world.ask_with(ENTITIES, json!({"of": of})).await;
    assert_eq!(
        (&answer["data"]["_entities"], codes(&answer)),
        (&json!([null, null]), vec!["BAD_USER_INPUT"])
    );
    assert_eq!(answer["errors"][0]["path"], json!(["_entities", 0]));
}

/// A schema check sees one schema, whichever way it reads it.
#[tokio::test]
async fn a_composer_reads_what_the_command_line_prints() {
    let world = World::small().await;
    assert_eq!(
        world.data("{ _service { sdl } }").await["_service"]["sdl"],
        graph::sdl(true)
    );
    assert!(graph::sdl(true).contains("@specifiedBy"));
}

#[tokio::test]
async fn what_is_gone_is_null_and_what_is_wrong_costs_itself_alone() {
    let world = World::small().await;
    let all = nodes(&world).await;
    let company = all
        .iter()
        .find(|node| node["__typename"] == "Company")
        .unwrap();
    let of = json!([
        {"__typename": "Job", "id": "bm90aGluZw"},
        company,
        {"__typename": "BackupServer", "id": company["id"]},
        {"__typename": "Company"},
        {"__typename": "Upstream", "uid": "00000000-0000-0000-0000-000000000001"},
        {"id": company["id"]},
        "Company",
    ]);
    let answer = world.ask_with(ENTITIES, json!({"of": of})).await;
    let found = array(&answer["data"]["_entities"]);
    assert_eq!(
        found
            .iter()
            .map(|entity| entity["id"].clone())
            .collect::<Vec<_>>(),
        [
            json!(null),
            company["id"].clone(),
            json!(null),
            json!(null),
            json!(null),
            json!(null),
            json!(null)
        ]
    );
    assert_eq!(codes(&answer), ["BAD_USER_INPUT"; 4]);
    let paths: Vec<&Value> = array(&answer["errors"])
        .iter()
        .map(|error| &error["path"])
        .collect();
    assert_eq!(
        json!(paths),
        json!([
            ["_entities", 3],
            ["_entities", 4],
            ["_entities", 5],
            ["_entities", 6]
        ])
    );

    // a list that fails costs its entities
    let world = World::small().await;
    let server = all
        .iter()
        .find(|node| node["__typename"] == "BackupServer")
        .unwrap();
    world.simulator.faults.add([Fault {
        path: "*/organizations?*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    let answer = world
        .ask_with(ENTITIES, json!({"of": [company, server]}))
        .await;
    assert_eq!(
        (
            &answer["data"]["_entities"][0],
            &answer["data"]["_entities"][1]["id"]
        ),
        (&Value::Null, &server["id"])
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
}

/// What can't be null and can't be had costs the entity that it is of, though the library would
/// give up the whole list.
#[tokio::test]
async fn an_entity_with_an_error_in_it_has_its_place_in_the_path_and_the_others_stay() {
    let world = World::small().await;
    let all = nodes(&world).await;
    let of_type = |name: &str| {
        all.iter()
            .filter(|node| node["__typename"] == name)
            .take(40)
            .cloned()
            .collect::<Vec<Value>>()
    };
    let (companies, servers) = (of_type("Company"), of_type("BackupServer"));
    // more than thirty are begun in another way
    let mut of: Vec<Value> = (0..50).map(|_| companies[0].clone()).collect();
    for place in [2, 17, 49] {
        of[place] = servers[0].clone();
    }
    let query = "query($of: [_Any!]!) {
      a: _entities(representations: $of) { ... on Company { id } ... on BackupServer { jobs(first: 9999) { totalCount } } }
      b: _entities(representations: $of) { ... on Company { jobs(first: 9999) { totalCount } } ... on BackupServer { id } } }";
    let answer = world.ask_with(query, json!({"of": of})).await;
    let nulls = |name: &str| -> Vec<usize> {
        let found = array(&answer["data"][name]).iter().enumerate();
        found
            .filter(|(_, entity)| entity.is_null())
            .map(|(place, _)| place)
            .collect()
    };
    assert_eq!(nulls("a"), [2, 17, 49]);
    assert_eq!(
        nulls("b"),
        (0..50)
            .filter(|place| ![2, 17, 49].contains(place))
            .collect::<Vec<_>>()
    );
    let mut paths: Vec<String> = array(&answer["errors"])
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    paths.sort();
    let mut expected: Vec<String> = nulls("a")
        .iter()
        .map(|place| json!(["a", place, "jobs"]).to_string())
        .collect();
    expected.extend(
        nulls("b")
            .iter()
            .map(|place| json!(["b", place, "jobs"]).to_string()),
    );
    expected.sort();
    assert_eq!(paths, expected);
    assert!(codes(&answer).iter().all(|code| *code == "BAD_USER_INPUT"));
}

#[tokio::test]
async fn ten_thousand_representations_are_one_request_at_the_price_of_their_lists() {
    let all = nodes(&World::small().await).await;
    let world = World::small().await;
    let wanted = ["Company", "BackupServer", "VmBackupJob", "Repository"];
    let some: Vec<Value> = all
        .iter()
        .filter(|node| wanted.contains(&node["__typename"].as_str().unwrap()))
        .cloned()
        .collect();
    let of: Vec<Value> = some.iter().cycle().take(10_000).cloned().collect();
    let body = json!({"query": ENTITIES, "variables": {"of": of}}).to_string();
    assert!(
        body.len() > 1 << 20,
        "as large as routers send them: {}",
        body.len()
    );
    let answer = world.ask_with(ENTITIES, json!({"of": of})).await;
    assert_eq!(answer.get("errors"), None);
    let found = array(&answer["data"]["_entities"]);
    assert_eq!(found.len(), 10_000);
    assert!(
        of.iter()
            .zip(found)
            .all(|(asked, entity)| asked["id"] == entity["id"])
    );
    let mut requests = world.requests();
    requests.sort();
    assert_eq!(
        requests,
        [
            "GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0",
            "GET /api/v3/infrastructure/backupServers/repositories?expand=BackupRepositoryInfo&limit=500&offset=0",
            "GET /api/v3/infrastructure/backupServers?limit=500&offset=0",
            "GET /api/v3/organizations?limit=500&offset=0",
        ]
    );
}

#[tokio::test]
async fn what_a_caller_may_not_see_is_no_entity_of_its() {
    let world = World::small().await;
    let all = nodes(&world).await;
    let estate = world.simulator.estate();
    let company = estate.companies[2].uid;
    let its = Sees {
        companies: Some(vec![company.to_string()]),
        ..Sees::default()
    };
    let auth = Access {
        callers: vec![caller("tenant", &["tenant-key"], its)],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    let body = json!({"query": ENTITIES, "variables": {"of": all}}).to_string();
    let request = world
        .client
        .post(format!("{}/graphql", world.origin))
        .header("content-type", "application/json");
    let text = request
        .header("authorization", "Bearer tenant-key")
        .body(body)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let seen: Vec<&str> = array(&answer["data"]["_entities"])
        .iter()
        .filter_map(|entity| entity["name"].as_str())
        .collect();
    let is_its = |job: &veeam_graph::simulator::estate::Job| {
        job.mapped_company
            .filter(|company| !company.is_nil())
            .unwrap_or(estate.servers[job.server].company)
            == company
    };
    let allowed = |name: &str| {
        estate
            .jobs
            .iter()
            .any(|job| job.name == name && is_its(job))
            || estate.companies[2].name == name
            || estate
                .servers
                .iter()
                .any(|server| server.name == name && server.company == company)
    };
    assert!(
        !seen.is_empty() && seen.iter().all(|name| allowed(name)),
        "{seen:?}"
    );
}

#[test]
fn every_type_with_an_id_has_it_as_its_key() {
    let printed = graph::sdl(true);
    let types: Vec<&str> = printed
        .lines()
        .filter(|line| line.starts_with("type ") && line.contains("Node"))
        .collect();
    assert!(types.len() > 20, "{types:?}");
    for declaration in types {
        assert!(
            declaration.contains("@key(fields: \"id\")"),
            "{declaration}"
        );
    }
    let by_uid = |name: &str| {
        printed
            .lines()
            .find(|line| line.starts_with(&format!("type {name} ")))
            .unwrap()
            .contains("@key(fields: \"uid\")")
    };
    assert!(by_uid("Company") && by_uid("BackupServer") && !by_uid("Repository"));
    // other services add fields to all jobs: their interface is an entity, and so is every type
    // that has it by the same key
    assert!(printed.contains("\ninterface Job implements Node @key(fields: \"id\") {"));
    let of_jobs = printed
        .lines()
        .filter(|line| line.starts_with("type ") && line.contains("implements Job"));
    assert!(
        of_jobs.clone().count() > 10
            && of_jobs
                .clone()
                .all(|line| line.contains("@key(fields: \"uid backupServer { uid }\")"))
    );
    assert!(
        !graph::sdl(false).contains("_Entity"),
        "the schema's file is without federation's plumbing"
    );
}
