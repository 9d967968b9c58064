//! Management agents: what the simulator's data says, from every end, at the price of one list.

use crate::world::{Setup, World, array};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;
use veeam_graph::simulator::{Fault, FaultKind};

const AGENTS: &str = "{ managementAgents(first: 500) { complete totalCount nodes {
    id uid hostName status connectionStatus version versionStatus lastHeartbeat isRebootRequired company { uid }
    backupServers { complete nodes { uid } } origin { upstream { name } } } } }";

fn by_uid(rows: &Value) -> BTreeMap<&str, &Value> {
    array(rows)
        .iter()
        .map(|row| (row["uid"].as_str().unwrap(), row))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn management_agents_are_what_the_data_says_from_both_ends() {
    let world = World::start(Setup::default()).await;
    let estate = world.simulator.estate();
    let answer = world.ask(AGENTS).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    let list = &answer["data"]["managementAgents"];
    let expected = estate.servers.len() + 1 + estate.console_agents.len();
    assert_eq!(
        (&list["complete"], &list["totalCount"]),
        (&json!(true), &json!(expected))
    );
    let agents = by_uid(&list["nodes"]);
    for server in &estate.servers {
        let agent = agents[server.managed_uid.to_string().as_str()];
        let is_up = server.status == "Healthy";
        assert_eq!(agent["hostName"], server.managed_name);
        assert_eq!(
            agent["connectionStatus"],
            if is_up { "Online" } else { "Inaccessible" }
        );
        assert_eq!(agent["company"]["uid"], json!(server.company));
        assert_eq!(
            agent["backupServers"]["nodes"],
            json!([{"uid": server.uid}])
        );
    }
    let manager = Uuid::from_u128(estate.manager.as_u128() ^ 2).to_string();
    assert_eq!(agents[manager.as_str()]["company"], Value::Null);
    assert_eq!(
        agents[manager.as_str()]["backupServers"]["nodes"],
        json!([])
    );

    // the edge from a server, the company's list, the lookups and the global id
    let server = &estate.servers[0];
    let company = estate
        .servers
        .iter()
        .filter(|row| row.company == server.company);
    let of_company = company.count()
        + estate
            .console_agents
            .iter()
            .filter(|agent| agent.company == server.company)
            .count();
    let query = format!(
        "{{ backupServer(uid: \"{}\") {{ managementAgent {{ uid }} }} company(uid: \"{}\") {{ managementAgents {{ totalCount }} }} \
         byUid: managementAgent(uid: \"{agent}\") {{ hostName }} byName: managementAgent(name: \"{}\") {{ uid }} \
         node(id: {}) {{ __typename ... on ManagementAgent {{ uid }} }} none: managementAgent(uid: \"{}\") {{ uid }} }}",
        server.uid,
        server.company,
        server.managed_name.to_uppercase(),
        agents[server.managed_uid.to_string().as_str()]["id"],
        Uuid::from_u128(0xabad_cafe),
        agent = server.managed_uid,
    );
    let answer = world.ask(&query).await;
    assert_eq!(
        answer["data"],
        json!({
            "backupServer": {"managementAgent": {"uid": server.managed_uid}},
            "company": {"managementAgents": {"totalCount": of_company}},
            "byUid": {"hostName": server.managed_name},
            "byName": {"uid": server.managed_uid},
            "node": {"__typename": "ManagementAgent", "uid": server.managed_uid},
            "none": null,
        }),
        "{answer}"
    );
}

#[tokio::test]
async fn management_agents_cost_one_list_and_an_unreadable_one_is_no_empty_one() {
    let query = "{ managementAgents(first: 3) { complete totalCount nodes { hostName } } }";
    let world = World::start(Setup::default()).await;
    world.ask(query).await;
    assert_eq!(
        world.requests(),
        ["GET /api/v3/infrastructure/managementAgents?limit=500&offset=0"]
    );
    let world = World::start(Setup::default()).await;
    world.simulator.faults.add([Fault {
        path: "*/infrastructure/managementAgents?*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    let query = "{ managementAgents { complete totalCount nodes { uid } } backupServers(first: 1) { nodes { managementAgentUid managementAgent { uid } } } }";
    let answer = world.ask(query).await;
    assert_eq!(
        answer["data"]["managementAgents"],
        json!({"complete": false, "totalCount": null, "nodes": []})
    );
    let server = &answer["data"]["backupServers"]["nodes"][0];
    assert!(server["managementAgentUid"].is_string());
    assert_eq!(server["managementAgent"], Value::Null);
    let paths: Vec<String> = array(&answer["errors"])
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    assert!(
        paths.contains(&json!(["backupServers", "nodes", 0, "managementAgent"]).to_string()),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_management_agents_are_the_gateways_own() {
    let world = World::start(Setup::default()).await;
    let all = world.ask(AGENTS).await;
    let rows = array(&all["data"]["managementAgents"]["nodes"]);
    let some = &rows[1];
    let part: String = some["hostName"].as_str().unwrap().chars().take(4).collect();
    type Holds = Box<dyn Fn(&Value) -> bool>;
    let company = some["company"]["uid"].clone();
    let lower = part.to_lowercase();
    let filters: Vec<(Value, Holds)> = vec![
        (
            json!({"connectionStatus": ["INACCESSIBLE"]}),
            Box::new(|row| row["connectionStatus"] == "Inaccessible"),
        ),
        (
            json!({"status": ["healthy", "Warning"]}),
            Box::new(|row| row["status"] == "Healthy"),
        ),
        (
            json!({"nameContains": part.to_uppercase()}),
            Box::new(move |row| {
                let name = row["hostName"].as_str().unwrap().to_lowercase();
                name.contains(&lower)
            }),
        ),
        (
            json!({"companyUid": company.clone()}),
            Box::new(move |row| row["company"]["uid"] == company),
        ),
        (
            json!({"not": {"status": ["Healthy"]}}),
            Box::new(|row| row["status"] != "Healthy"),
        ),
    ];
    for (filter, holds) in filters {
        let answer = world
            .ask_with(
                "query($filter: ManagementAgentFilter) { managementAgents(first: 500, filter: $filter) { totalCount nodes { uid } } }",
                json!({"filter": filter}),
            )
            .await;
        let expected = rows.iter().filter(|row| holds(row)).count();
        let found = &answer["data"]["managementAgents"];
        assert_eq!(found["totalCount"], json!(expected), "{filter}: {answer}");
        assert_eq!(array(&found["nodes"]).len(), expected, "{filter}");
    }
}
