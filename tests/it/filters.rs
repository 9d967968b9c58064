//! Any filter and any order over all jobs, paged by any size, against a filter and a sort of all
//! rows done here.

use crate::{
    isolation::questions::Dice,
    world::{Setup, World, array, codes, now},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::cmp::Ordering;
use veeam_graph::simulator::Scale;

const FIELDS: &str = "uid name kind health isEnabled lastRun lastEndTime backupServer { uid } company { uid name } lastSuccess tape { status } origin { upstream { name } }";

/// A filter of random members, some of them filters.
fn filter(dice: &mut Dice, rows: &[Value], depth: usize) -> Value {
    let mut filter = json!({});
    for _ in 0..dice.roll(3) {
        let row = dice.one_of(rows);
        match dice.roll(12) {
            0 => filter["health"] = json!([row["health"], "FAILED"]),
            1 => filter["kind"] = json!([row["kind"], "BACKUP_COPY"]),
            2 => filter["enabled"] = json!(dice.roll(2) == 0),
            3 => {
                filter["nameContains"] =
                    json!(dice.one_of(&["a", "AGENTS", "00", "copy 0", "nothing like it"]))
            }
            4 => filter["backupServerUid"] = row["backupServer"]["uid"].clone(),
            5 if row["company"].is_object() => filter["companyUid"] = row["company"]["uid"].clone(),
            6 => {
                filter["endedWithin"] = dice
                    .one_of(&[
                        json!({"hours": 6}),
                        json!({"days": 1}),
                        json!({"hours": 1, "minutes": 30}),
                    ])
                    .clone()
            }
            7 if row["company"].is_object() => {
                filter["companyName"] =
                    json!(row["company"]["name"].as_str().unwrap().to_lowercase())
            }
            8 => {
                filter["notSucceededFor"] = dice
                    .one_of(&[json!({"hours": 12}), json!({"days": 2})])
                    .clone()
            }
            9 => filter["tapeStatus"] = json!([row["tape"]["status"], "ON_TAPE_VIA_COPY"]),
            10 if row["lastEndTime"].is_string() => {
                filter["endedSince"] = row["lastEndTime"].clone()
            }
            _ => filter["excludeLogBackups"] = json!(dice.roll(2) == 0),
        }
    }
    if depth > 0 {
        for member in ["and", "or"] {
            if dice.roll(3) == 0 {
                filter[member] = (0..dice.roll(3))
                    .map(|_| self::filter(dice, rows, depth - 1))
                    .collect();
            }
        }
        if dice.roll(3) == 0 {
            filter["not"] = self::filter(dice, rows, depth - 1);
        }
    }
    filter
}

/// The same in plain words.
fn holds(filter: &Value, row: &Value) -> bool {
    let instant = |value: &Value| {
        value
            .as_str()
            .map(|text| text.parse::<Timestamp>().unwrap())
    };
    let length = |wanted: &Value| {
        let count = |unit: &str| wanted[unit].as_i64().unwrap_or(0);
        SignedDuration::from_mins(count("days") * 1_440 + count("hours") * 60 + count("minutes"))
    };
    filter
        .as_object()
        .unwrap()
        .iter()
        .all(|(name, wanted)| match name.as_str() {
            "health" | "kind" => array(wanted).contains(&row[name]),
            "enabled" => row["isEnabled"] == *wanted,
            "nameContains" => row["name"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains(&wanted.as_str().unwrap().to_lowercase()),
            "backupServerUid" => row["backupServer"]["uid"] == *wanted,
            "companyUid" => row["company"]["uid"] == *wanted,
            "companyName" => row["company"]["name"]
                .as_str()
                .is_some_and(|name| name.to_lowercase() == *wanted),
            "tapeStatus" => array(wanted).contains(&row["tape"]["status"]),
            "endedSince" => instant(&row["lastEndTime"]) >= instant(wanted),
            "notSucceededFor" => instant(&row["lastSuccess"])
                .is_none_or(|at| now().duration_since(at) > length(wanted)),
            "endedWithin" => instant(&row["lastEndTime"]).is_some_and(|ended| {
                // up to five minutes ahead of our clock is recent
                now().duration_since(ended) <= length(wanted)
                    && ended.duration_since(now()) <= SignedDuration::from_mins(5)
            }),
            "excludeLogBackups" => *wanted != true || row["kind"] != "LOG_BACKUP",
            "and" => array(wanted).iter().all(|filter| holds(filter, row)),
            "or" => array(wanted).iter().any(|filter| holds(filter, row)),
            "not" => !holds(wanted, row),
            _ => panic!("{name}"),
        })
}

/// Nulls first, names without case, healths from the worst, instants by time.
fn compare(field: &str, left: &Value, right: &Value) -> Ordering {
    const HEALTHS: [&str; 8] = [
        "FAILED",
        "WARNING",
        "UNKNOWN",
        "NEVER_RAN",
        "WAITING",
        "RUNNING",
        "IDLE",
        "SUCCESS",
    ];
    let rank = |row: &Value| HEALTHS.iter().position(|health| row["health"] == *health);
    let instant = |value: &Value| {
        value
            .as_str()
            .map(|text| text.parse::<Timestamp>().unwrap())
    };
    match field {
        "NAME" => left["name"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .cmp(&right["name"].as_str().unwrap().to_lowercase()),
        "LAST_RUN" => instant(&left["lastRun"]).cmp(&instant(&right["lastRun"])),
        "LAST_END_TIME" => instant(&left["lastEndTime"]).cmp(&instant(&right["lastEndTime"])),
        _ => rank(left).cmp(&rank(right)),
    }
}

async fn pages(world: &World, filter: &Value, order: &Value, size: usize) -> Vec<Value> {
    let query = format!(
        "query($filter: JobFilter, $order: [JobOrder!], $first: Int, $after: String) {{ jobs(filter: $filter, orderBy: $order, first: $first, after: $after) {{ totalCount complete pageInfo {{ hasNextPage endCursor }} nodes {{ {FIELDS} }} }} }}"
    );
    let (mut rows, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({"filter": filter, "order": order, "first": size, "after": after});
        let mut answer = world.ask_with(&query, variables).await;
        assert_eq!(answer.get("errors"), None, "{filter}");
        let jobs = answer["data"]["jobs"].take();
        rows.extend(array(&jobs["nodes"]).iter().cloned());
        if jobs["pageInfo"]["hasNextPage"] != true {
            assert_eq!(
                (&jobs["totalCount"], &jobs["complete"]),
                (&json!(rows.len()), &json!(true))
            );
            return rows;
        }
        assert_eq!(array(&jobs["nodes"]).len(), size);
        after = jobs["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_filter_and_order_by_any_page_size_are_those_of_all_rows() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let all = pages(&world, &json!({}), &json!([]), 500).await;
    assert_eq!(all.len(), world.simulator.estate().jobs.len());
    let (mut dice, mut some) = (Dice(11), 0);
    for _ in 0..80 {
        let filter = filter(&mut dice, &all, 2);
        let fields: Vec<&str> = (0..=dice.roll(2))
            .map(|_| *dice.one_of(&["NAME", "LAST_RUN", "LAST_END_TIME", "HEALTH"]))
            .collect();
        let descending: Vec<bool> = fields.iter().map(|_| dice.roll(2) == 0).collect();
        let order: Value = fields
            .iter()
            .zip(&descending)
            .map(|(field, descending)| json!({"field": field, "direction": if *descending { "DESC" } else { "ASC" }}))
            .collect();
        let rows = pages(&world, &filter, &order, 1 + dice.roll(60)).await;
        let uids = |rows: &[Value]| {
            let mut uids: Vec<String> = rows
                .iter()
                .map(|row| format!("{} {}", row["backupServer"]["uid"], row["uid"]))
                .collect();
            uids.sort();
            uids
        };
        let expected: Vec<Value> = all
            .iter()
            .filter(|row| holds(&filter, row))
            .cloned()
            .collect();
        assert_eq!(uids(&rows), uids(&expected), "{filter}");
        for pair in rows.windows(2) {
            let order = fields.iter().zip(&descending).map(|(field, descending)| {
                let order = compare(field, &pair[0], &pair[1]);
                if *descending { order.reverse() } else { order }
            });
            assert_ne!(
                order.fold(Ordering::Equal, Ordering::then),
                Ordering::Greater,
                "{filter} {fields:?} {descending:?}"
            );
        }
        some += usize::from(!expected.is_empty() && expected.len() < all.len());
    }
    assert!(
        some > 20,
        "{some} of the filters choose some rows and not others"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_of_time_that_is_none_is_refused_with_what_would_be_right() {
    let world = World::small().await;
    for within in ["{}", "{ hours: 0 }", "{ hours: -1 }", "{ days: 1000000 }"] {
        let answer = world
            .ask(&format!(
                "{{ jobs(filter: {{ endedWithin: {within} }}) {{ totalCount }} }}"
            ))
            .await;
        assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{answer}");
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("{ hours: 24 }"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_percentage_beyond_all_is_refused_with_its_bounds() {
    let world = World::small().await;
    for percent in ["-3", "100.5"] {
        let answer = world
            .ask(&format!(
                "{{ repositories(filter: {{ freePercentBelow: {percent} }}) {{ totalCount }} }}"
            ))
            .await;
        assert_eq!(codes(&answer), ["BAD_USER_INPUT"], "{answer}");
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("between 0 and 100"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_code_is_the_health_as_a_number() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let data = world.data("{ jobs(first: 500) { nodes { health statusCode } } agentJobObjects(first: 500) { nodes { health statusCode } } agentSessions(first: 500) { nodes { health statusCode } } }").await;
    let rows = data
        .as_object()
        .unwrap()
        .values()
        .flat_map(|list| array(&list["nodes"]));
    let mut seen = std::collections::BTreeSet::new();
    for row in rows {
        let expected = match row["health"].as_str().unwrap() {
            "SUCCESS" => 1,
            "WARNING" => 2,
            "FAILED" => 3,
            "IDLE" | "WAITING" => 4,
            "RUNNING" => 5,
            _ => 0,
        };
        assert_eq!(row["statusCode"], expected);
        seen.insert(expected);
    }
    assert_eq!(seen.len(), 6);
}
