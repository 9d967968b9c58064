//! Any connection by any page size and any filter gives each row once and in order, while its lists
//! are read anew between two pages; the rows are those that the filter takes out of all rows,
//! decided here.

use crate::{
    isolation::questions::Dice,
    world::{Setup, World, array, now},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use veeam_graph::{config::Cache, simulator::Scale};

/// A connection of `Query`: its name, the type of its filter, what is read of its rows.
struct List {
    name: &'static str,
    filter: &'static str,
    fields: &'static str,
}

const LISTS: [List; 12] = [
    List {
        name: "backupServers",
        filter: "BackupServerFilter",
        fields: "uid name company { uid }",
    },
    List {
        name: "companies",
        filter: "CompanyFilter",
        fields: "uid name type",
    },
    List {
        name: "agentJobObjects",
        filter: "AgentJobObjectFilter",
        fields: "id uid jobUid computer health lastRun lastEndTime backupServerUid company { uid name } tape { status }",
    },
    List {
        name: "tapeLinkedJobs",
        filter: "LinkedJobFilter",
        fields: "jobUid linkedJobUid backupServer { uid }",
    },
    List {
        name: "agentSessions",
        filter: "SessionFilter",
        fields: "uid startedAt health jobName backupServer { uid }",
    },
    List {
        name: "repositories",
        filter: "RepositoryFilter",
        fields: "id uid name capacityBytes freeBytes backupServer { uid } company { uid } tape { status }",
    },
    List {
        name: "workloads",
        filter: "WorkloadFilter",
        fields: "id name kind latestRestorePoint company { uid } backupServer { uid }",
    },
    List {
        name: "backupAgents",
        filter: "BackupAgentFilter",
        fields: "uid name version isUnmanaged backupServer { uid }",
    },
    List {
        name: "consoleAgents",
        filter: "ConsoleAgentFilter",
        fields: "uid name status company { uid }",
    },
    List {
        name: "managementAgents",
        filter: "ManagementAgentFilter",
        fields: "uid name: hostName status connectionStatus company { uid }",
    },
    List {
        name: "consoleAgentJobs",
        filter: "ConsoleAgentJobFilter",
        fields: "id uid agentUid name health isEnabled lastRun lastEndTime company { uid }",
    },
    List {
        name: "alarms",
        filter: "AlarmFilter",
        fields: "uid severity objectType lastActivation company { uid }",
    },
];

/// Members that a filter of this list can have, as one of its rows would be found.
fn members(list: &str, row: &Value, dice: &mut Dice) -> Vec<(&'static str, Value)> {
    let length = dice
        .one_of(&[
            json!({"hours": 5}),
            json!({"days": 1}),
            json!({"days": 2, "minutes": 1}),
        ])
        .clone();
    let part = |text: &Value, dice: &mut Dice| {
        let text: Vec<char> = text
            .as_str()
            .unwrap_or("x")
            .to_uppercase()
            .chars()
            .collect();
        let from = dice.roll(text.len());
        json!(
            text[from..(from + 3).min(text.len())]
                .iter()
                .collect::<String>()
        )
    };
    let company = row["company"]["uid"].clone();
    let mut members = match list {
        "backupServers" => vec![
            ("nameContains", part(&row["name"], dice)),
            ("companyUid", company),
        ],
        "companies" => vec![
            ("nameContains", part(&row["name"], dice)),
            (
                "type",
                json!([row["type"].as_str().unwrap_or("x").to_uppercase()]),
            ),
            ("upstream", json!(["em"])),
        ],
        "agentJobObjects" => vec![
            ("health", json!([row["health"], "WARNING"])),
            ("computerContains", part(&row["computer"], dice)),
            ("backupServerUid", row["backupServerUid"].clone()),
            ("jobUid", row["jobUid"].clone()),
            ("companyUid", company),
            (
                "companyName",
                json!(
                    row["company"]["name"]
                        .as_str()
                        .unwrap_or_default()
                        .to_uppercase()
                ),
            ),
            ("olderThan", length.clone()),
            ("endedWithin", length),
            ("tapeStatus", json!([row["tape"]["status"], "UNKNOWN"])),
        ],
        "tapeLinkedJobs" => vec![
            ("jobUid", row["jobUid"].clone()),
            ("linkedJobUid", row["linkedJobUid"].clone()),
            ("backupServerUid", row["backupServer"]["uid"].clone()),
        ],
        "agentSessions" => vec![
            ("health", json!([row["health"], "RUNNING"])),
            ("within", length),
            ("since", row["startedAt"].clone()),
            ("until", row["startedAt"].clone()),
            ("jobNameContains", part(&row["jobName"], dice)),
            ("backupServerUid", row["backupServer"]["uid"].clone()),
        ],
        "repositories" => vec![
            ("nameContains", part(&row["name"], dice)),
            ("backupServerUid", row["backupServer"]["uid"].clone()),
            ("companyUid", company),
            ("freePercentBelow", json!(10 * (1 + dice.roll(9)))),
            ("tapeStatus", json!([row["tape"]["status"]])),
        ],
        "workloads" => vec![
            ("kind", json!([row["kind"]])),
            ("nameContains", part(&row["name"], dice)),
            ("companyUid", company),
            ("backupServerUid", row["backupServer"]["uid"].clone()),
            ("rpoBreached", length),
            ("noRestorePoint", json!(dice.roll(2) == 0)),
        ],
        "backupAgents" => vec![
            ("nameContains", part(&row["name"], dice)),
            ("versionPrefix", json!("6.3")),
            ("versionPrefix", json!("5.")),
            ("isUnmanaged", json!(dice.roll(2) == 0)),
            ("backupServerUid", row["backupServer"]["uid"].clone()),
        ],
        "consoleAgents" => {
            vec![
                ("nameContains", part(&row["name"], dice)),
                ("companyUid", company),
                ("status", json!(["ACTIVE"])),
                ("status", json!(["NotRunning"])),
            ]
        }
        "managementAgents" => vec![
            ("nameContains", part(&row["name"], dice)),
            ("companyUid", company),
            ("status", json!(["healthy"])),
            ("connectionStatus", json!(["Online"])),
        ],
        "consoleAgentJobs" => vec![
            ("nameContains", part(&row["name"], dice)),
            ("companyUid", company),
            ("agentUid", row["agentUid"].clone()),
            ("health", json!([row["health"]])),
            ("enabled", json!(dice.roll(2) == 0)),
            ("olderThan", length.clone()),
            ("endedWithin", length),
        ],
        "alarms" => vec![
            ("severity", json!([row["severity"], "ERROR"])),
            ("companyUid", company),
            (
                "objectType",
                json!([row["objectType"]
                    .as_str()
                    .unwrap_or_default()
                    .to_lowercase()]),
            ),
            ("within", length),
            ("since", row["lastActivation"].clone()),
        ],
        _ => panic!("{list}"),
    };
    members.retain(|(_, value)| !value.is_null());
    members
}

/// A filter that takes some rows and not others, by itself or put together from others.
fn filter(list: &str, rows: &[Value], dice: &mut Dice, depth: usize) -> Value {
    let mut filter = json!({});
    for _ in 0..dice.roll(3) {
        let row = dice.one_of(rows).clone();
        let members = members(list, &row, dice);
        let (name, value) = dice.one_of(&members);
        filter[*name] = value.clone();
    }
    if depth > 0 {
        let some = |most: usize, dice: &mut Dice| -> Value {
            (0..dice.roll(most))
                .map(|_| self::filter(list, rows, dice, depth - 1))
                .collect::<Vec<_>>()
                .into()
        };
        match dice.roll(5) {
            0 => filter["and"] = some(3, dice),
            1 => filter["or"] = some(4, dice),
            2 => filter["not"] = self::filter(list, rows, dice, depth - 1),
            _ => {}
        }
    }
    filter
}

/// Whether a row is what a filter asks for, in plain words.
fn holds(filter: &Value, row: &Value) -> bool {
    let instant = |value: &Value| {
        value
            .as_str()
            .map(|text| text.parse::<Timestamp>().unwrap())
    };
    let ago = |length: &Value| {
        let count = |unit: &str| length[unit].as_i64().unwrap_or(0);
        now()
            .checked_sub(SignedDuration::from_mins(
                count("days") * 1_440 + count("hours") * 60 + count("minutes"),
            ))
            .unwrap()
    };
    // up to five minutes ahead of our clock is recent
    let is_past = |at: Timestamp| at.duration_since(now()) <= SignedDuration::from_mins(5);
    let lower = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let ended = || instant(&row["lastEndTime"]);
    let began = || instant(&row["startedAt"]).or(instant(&row["lastActivation"]));
    filter
        .as_object()
        .unwrap()
        .iter()
        .all(|(name, wanted)| match name.as_str() {
            "health" | "kind" | "severity" => array(wanted).contains(&row[name]),
            "tapeStatus" => array(wanted).contains(&row["tape"]["status"]),
            "upstream" => *wanted == json!(["msp"]),
            "type" => array(wanted)
                .iter()
                .any(|kind| lower(kind) == lower(&row["type"])),
            "nameContains" => lower(&row["name"]).contains(&lower(wanted)),
            "computerContains" => lower(&row["computer"]).contains(&lower(wanted)),
            "jobNameContains" => lower(&row["jobName"]).contains(&lower(wanted)),
            "companyUid" => row["company"]["uid"] == *wanted,
            "companyName" => lower(&row["company"]["name"]) == lower(wanted),
            "backupServerUid" => {
                row["backupServerUid"] == *wanted || row["backupServer"]["uid"] == *wanted
            }
            "status" => array(wanted)
                .iter()
                .any(|word| lower(word) == lower(&row["status"])),
            "connectionStatus" => array(wanted)
                .iter()
                .any(|word| lower(word) == lower(&row["connectionStatus"])),
            "enabled" => row["isEnabled"] == *wanted,
            "jobUid" | "linkedJobUid" | "agentUid" => row[name] == *wanted,
            "objectType" => array(wanted)
                .iter()
                .any(|kind| lower(kind) == lower(&row["objectType"])),
            "olderThan" => ended()
                .or(instant(&row["lastRun"]))
                .is_none_or(|at| at < ago(wanted) || !is_past(at)),
            "endedWithin" => ended().is_some_and(|at| at >= ago(wanted) && is_past(at)),
            "within" => began().is_some_and(|at| at >= ago(wanted)),
            "since" => began().is_some_and(|at| at >= instant(wanted).unwrap()),
            "until" => began().is_some_and(|at| at < instant(wanted).unwrap()),
            "rpoBreached" => instant(&row["latestRestorePoint"]).is_none_or(|at| at < ago(wanted)),
            "versionPrefix" => row["version"]
                .as_str()
                .unwrap_or_default()
                .starts_with(wanted.as_str().unwrap()),
            "isUnmanaged" => row["isUnmanaged"] == *wanted,
            "noRestorePoint" => row["latestRestorePoint"].is_null() == *wanted,
            "freePercentBelow" => row["capacityBytes"]
                .as_f64()
                .zip(row["freeBytes"].as_f64())
                .is_some_and(|(capacity, free)| free * 100.0 / capacity < wanted.as_f64().unwrap()),
            "and" => array(wanted).iter().all(|filter| holds(filter, row)),
            "or" => array(wanted).iter().any(|filter| holds(filter, row)),
            "not" => !holds(wanted, row),
            _ => panic!("{name}"),
        })
}

async fn pages(world: &World, list: &List, filter: &Value, size: usize) -> Vec<Value> {
    let List {
        name,
        filter: kind,
        fields,
    } = list;
    let query = format!(
        "query($filter: {kind}, $first: Int, $after: String) {{ {name}(filter: $filter, first: $first, after: $after) {{ totalCount complete pageInfo {{ hasNextPage endCursor }} nodes {{ {fields} }} }} }}"
    );
    let (mut rows, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut answer = world
            .ask_with(
                &query,
                json!({"filter": filter, "first": size, "after": after}),
            )
            .await;
        assert_eq!(answer.get("errors"), None, "{name} {filter}");
        let page = answer["data"][*name].take();
        rows.extend(array(&page["nodes"]).iter().cloned());
        if page["pageInfo"]["hasNextPage"] != true {
            assert_eq!(
                (&page["totalCount"], &page["complete"]),
                (&json!(rows.len()), &json!(true))
            );
            return rows;
        }
        assert_eq!(array(&page["nodes"]).len(), size);
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_connection_by_any_filter_and_page_size_is_what_all_rows_say() {
    // every list is read anew between any two pages
    let moment = Some(Duration::from_millis(1));
    let cache = Cache {
        jobs: moment,
        agent_objects: moment,
        links: moment,
        servers: moment,
        companies: moment,
        repositories: moment,
        alarms: moment,
        workloads: moment,
        ..Cache::default()
    };
    let world = World::start(Setup {
        scale: Scale::Small,
        seed: 4,
        cache,
        ..Setup::default()
    })
    .await;
    let mut dice = Dice(23);
    for list in &LISTS {
        let all = pages(&world, list, &json!({}), 500).await;
        assert!(all.len() > 3, "{}", list.name);
        let mut some = 0;
        for _ in 0..25 {
            let filter = filter(list.name, &all, &mut dice, 2);
            let rows = pages(&world, list, &filter, 1 + dice.roll(all.len().min(30))).await;
            let expected: Vec<&Value> = all.iter().filter(|row| holds(&filter, row)).collect();
            assert_eq!(
                rows.iter().collect::<Vec<_>>(),
                expected,
                "{} {filter}",
                list.name
            );
            some += usize::from(!expected.is_empty() && expected.len() < all.len());
        }
        assert!(
            some > 3,
            "{some} filters of {} choose some rows and not others",
            list.name
        );
    }
}
