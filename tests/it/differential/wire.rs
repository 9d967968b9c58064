//! What stands between a gateway and the simulated servers: it does to their answers what a
//! schedule says.

use crate::{isolation::questions::Dice, world::listen};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, RwLock},
};
use veeam_graph::simulator::{Fault, FaultKind, Simulator};

/// What is done to an answer. None of it can go by unseen: a gateway has to tell of it, or find the
/// right rows all the same.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// A fault of the simulator's own.
    Fault(FaultKind),
    /// A row is missing; the total says that it is there.
    Lost,
    /// A row of an earlier page stands in the place of another one, each time of another: what
    /// stands twice on one page is the server's own.
    Doubled,
    /// More rows are promised than there are.
    TotalTooLarge,
    /// Rows beside a total of none.
    TotalOfNone,
    /// Nothing is said of pages, and the last row is missing.
    NoPaging,
    /// A row's id is none, or no id at all.
    OddId(Value),
    /// A member of a row is an object.
    OddMember,
    /// A row is null.
    NullRow,
    /// Rows in another order each time.
    Shuffled,
    /// Nothing that matters: members that nobody knows, numbers as text, ids in capitals, a byte
    /// order mark.
    Harmless,
}

/// Where something is done, and to which of how many requests.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub path: &'static str,
    pub one_in: usize,
    pub wrong: Wrong,
}

const PATHS: [&str; 29] = [
    "/api/v3/infrastructure/backupServers/jobs?",
    "/api/v3/infrastructure/backupServers/jobs?",
    "/api/v3/infrastructure/backupServers?",
    "/api/v3/infrastructure/backupServers/",
    "/api/v3/infrastructure/backupServers/jobs/agentJobs",
    "/api/v3/infrastructure/backupServers/jobs/agentJobs/objects",
    "/api/v3/infrastructure/backupServers/jobs/backupCopyJobs",
    "/api/v3/infrastructure/backupServers/jobs/simpleBackupCopyJobs",
    "/api/v3/infrastructure/backupServers/jobs/backupTapeJobs/jobObjects",
    "/api/v3/infrastructure/backupServers/jobs/backupTapeJobs/repositoryObjects",
    "/api/v3/infrastructure/backupServers/repositories",
    "/api/v3/infrastructure/backupServers/agents",
    "/api/v3/infrastructure/enterpriseManagers",
    "/api/v3/infrastructure/backupAgents",
    "/api/v3/organizations",
    "/api/v3/alarms/active",
    "/api/v3/protectedWorkloads/virtualMachines",
    "/api/v3/protectedWorkloads/computersManagedByBackupServer",
    "/api/v3/protectedWorkloads/computersManagedByBackupServer/backups",
    "/api/v3/protectedWorkloads/computersManagedByConsole",
    "/api/v3/",
    "/api/query",
    "/api/backupServers",
    "/api/backupSessions",
    "/api/v3/infrastructure/backupAgents?",
    "/api/v3/infrastructure/backupAgents/jobs",
    "/api/v3/licensing/usage/organizations",
    "/v2/backupAgents",
    "/v2/backupAgents/",
];

/// One schedule: a few troubles at once.
pub fn schedule(dice: &mut Dice) -> Vec<Trouble> {
    (0..1 + dice.roll(4))
        .map(|_| Trouble {
            path: PATHS[dice.roll(PATHS.len())],
            one_in: [1, 1, 1, 2, 4][dice.roll(5)],
            wrong: wrong(dice),
        })
        .collect()
}

fn wrong(dice: &mut Dice) -> Wrong {
    let status = |status, retry_after| FaultKind::Status {
        status,
        retry_after,
        retry_after_in_body: None,
        location: None,
    };
    match dice.roll(32) {
        0 => Wrong::Fault(FaultKind::Delay {
            milliseconds: 1 + dice.roll(60) as u64,
        }),
        1 => Wrong::Fault(status([500, 502, 503, 520][dice.roll(4)], None)),
        2 => Wrong::Fault(status([400, 401, 403, 404][dice.roll(4)], None)),
        3 => Wrong::Fault(status(429, Some(0))),
        4 => Wrong::Fault(FaultKind::Status {
            status: 302,
            retry_after: None,
            retry_after_in_body: None,
            location: Some("/".to_owned()),
        }),
        5 => Wrong::Fault(FaultKind::Reset),
        6 => Wrong::Fault(FaultKind::Html),
        7 => Wrong::Fault(FaultKind::Truncate),
        8 => Wrong::Fault(FaultKind::Garble),
        9 => Wrong::Fault(FaultKind::Expire),
        10 => Wrong::Fault(FaultKind::RepeatPage {
            honest: dice.roll(2) == 0,
        }),
        11 => Wrong::Fault(FaultKind::ShortPage),
        12 => Wrong::Fault(FaultKind::PartialErrors),
        13 if dice.roll(6) == 0 => Wrong::Fault(FaultKind::Hang),
        13..=16 => Wrong::Lost,
        17 | 18 => Wrong::Doubled,
        19 => Wrong::TotalTooLarge,
        20 => Wrong::TotalOfNone,
        21 => Wrong::NoPaging,
        22..=24 => {
            let ids = [
                json!(null),
                json!("00000000-0000-0000-0000-000000000000"),
                json!("ffffffff-ffff-ffff-ffff-ffffffffffff"),
                json!("no id"),
                json!({"no": "id"}),
                json!(7),
            ];
            Wrong::OddId(dice.one_of(&ids).clone())
        }
        25 | 26 => Wrong::OddMember,
        27 => Wrong::NullRow,
        28 | 29 => Wrong::Shuffled,
        _ => Wrong::Harmless,
    }
}

/// The proxy.
pub struct Wire {
    pub at: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    simulator: Arc<Simulator>,
    behind: SocketAddr,
    client: reqwest::Client,
    /// The most rows that a console puts on a page.
    page_rows: usize,
    schedule: RwLock<Arc<Vec<Trouble>>>,
    /// What the simulated servers say where nothing is wrong: it does not change.
    known: Mutex<HashMap<String, (String, Bytes)>>,
    turns: Mutex<HashMap<String, usize>>,
    seed: u64,
}

impl Wire {
    pub async fn over(simulator: Arc<Simulator>, page_rows: usize, seed: u64) -> Self {
        let (listener, behind) = listen().await;
        tokio::spawn(simulator.clone().run(listener, std::future::pending()));
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let (schedule, known, turns) = (RwLock::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared {
            simulator,
            behind,
            client,
            page_rows,
            schedule,
            known,
            turns,
            seed,
        });
        let (listener, at) = listen().await;
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { at, shared }
    }

    /// From now on this is wrong.
    pub fn set(&self, schedule: Arc<Vec<Trouble>>) {
        *self.shared.schedule.write().unwrap() = schedule;
        self.shared.simulator.faults.clear();
    }
}

impl Shared {
    /// How often this was asked for, and dice that are the same for it every time.
    fn turn(&self, target: &str) -> (usize, Dice) {
        let mut turns = self.turns.lock().unwrap();
        let turn = turns.entry(target.to_owned()).or_default();
        *turn += 1;
        let mixed = target.bytes().fold(self.seed ^ *turn as u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (*turn, Dice(mixed))
    }

    /// A row of the list's first page, for those behind it.
    fn earlier(&self, target: &str, turn: usize) -> Option<Value> {
        let (head, rest) = target.split_once("offset=")?;
        let (offset, rest) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
        let first = (offset != "0").then(|| format!("{head}offset=0{rest}"))?;
        let mut json = serde_json::from_slice(&self.known.lock().unwrap().get(&first)?.1).ok()?;
        let (rows, _) = rows(&mut json)?;
        rows.get(turn % rows.len().max(1)).cloned()
    }

    /// The path with fewer rows to a page.
    fn cut(&self, target: &str) -> String {
        // Enterprise Manager counts pages, so all of them have to be as long
        let cut = |target: String, name: &str, most: usize| {
            let asked = target
                .split_once(name)
                .and_then(|(_, rest)| rest.split('&').next()?.parse::<usize>().ok());
            match asked.filter(|asked| *asked > most) {
                Some(asked) => {
                    target.replacen(&format!("{name}{asked}"), &format!("{name}{most}"), 1)
                }
                None => target,
            }
        };
        let target = cut(target.to_owned(), "limit=", self.page_rows);
        cut(target, "pageSize=", self.page_rows.max(20))
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = shared.cut(
        parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str()),
    );
    let is_read = parts.method == reqwest::Method::GET;
    let (turn, mut dice) = shared.turn(&target);
    let schedule = shared.schedule.read().unwrap().clone();
    let is_hit = |trouble: &&Trouble| is_read && target.starts_with(trouble.path);
    let hits: Vec<&Trouble> = schedule
        .iter()
        .filter(is_hit)
        .filter(|trouble| dice.roll(trouble.one_in) == 0)
        .collect();
    let mut is_faulty = false;
    for trouble in &hits {
        if let Wrong::Fault(kind) = &trouble.wrong {
            shared.simulator.faults.add([Fault {
                path: target.clone(),
                times: Some(1),
                kind: kind.clone(),
            }]);
            is_faulty = true;
        }
    }
    let earlier = shared.earlier(&target, turn);
    let known = shared
        .known
        .lock()
        .unwrap()
        .get(&target)
        .filter(|_| is_read && !is_faulty)
        .cloned();
    let (media_type, bytes) = match known {
        Some(known) => known,
        None => {
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let mut request = shared
                .client
                .request(parts.method, format!("http://{}{target}", shared.behind))
                .body(body);
            for (name, value) in parts
                .headers
                .iter()
                .filter(|(name, _)| *name != "host" && *name != "accept-encoding")
            {
                request = request.header(name, value);
            }
            let Ok(answer) = request.send().await else {
                return broken();
            };
            let status = answer.status();
            let headers: Vec<_> = answer
                .headers()
                .clone()
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .collect();
            let media_type = answer
                .headers()
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let Ok(bytes) = answer.bytes().await else {
                return broken();
            };
            if !is_read || is_faulty || status != 200 {
                let mut response = Response::builder().status(status);
                for (name, value) in headers
                    .iter()
                    .filter(|(name, _)| *name != "transfer-encoding")
                {
                    response = response.header(name, value);
                }
                return response.body(Body::from(bytes)).unwrap();
            }
            shared
                .known
                .lock()
                .unwrap()
                .insert(target, (media_type.clone(), bytes.clone()));
            (media_type, bytes)
        }
    };
    let bytes = match (hits.is_empty(), serde_json::from_slice::<Value>(&bytes)) {
        (false, Ok(mut json)) => {
            let mut mark = Vec::new();
            for trouble in &hits {
                change(&mut json, &trouble.wrong, (turn, &earlier), &mut dice);
                if matches!(trouble.wrong, Wrong::Harmless) {
                    mark = vec![0xEF, 0xBB, 0xBF];
                }
            }
            mark.extend(json.to_string().into_bytes());
            Bytes::from(mark)
        }
        _ => bytes,
    };
    (StatusCode::OK, [(header::CONTENT_TYPE, media_type)], bytes).into_response()
}

/// An answer that breaks off.
fn broken() -> Response {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "broken off");
    let body = Body::from_stream(futures_util::stream::iter([
        Ok(Bytes::from_static(b"{\"data\":")),
        Err(broken),
    ]));
    Response::builder()
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

/// Whether an answer of Enterprise Manager says that another page comes after it.
fn is_before_the_last(json: &Value) -> bool {
    let number = |name: &str, camel: &str| {
        let paging = json.get("PagingInfo").or_else(|| json.get("pagingInfo"))?;
        paging.get(name).or_else(|| paging.get(camel))?.as_u64()
    };
    number("PageNum", "pageNum") < number("PagesCount", "pagesCount")
}

/// The rows of an answer: of the console, of Enterprise Manager in either casing, or of v2.
fn rows(json: &mut Value) -> Option<(&mut Vec<Value>, bool)> {
    if json.is_array() {
        return Some((json.as_array_mut()?, false));
    }
    if json["data"].is_array() {
        return Some((json["data"].as_array_mut()?, true));
    }
    let of = if json["Entities"].is_object() {
        "Entities"
    } else {
        "entities"
    };
    let lists = json.get_mut(of)?.as_object_mut()?;
    let list = lists.values_mut().find_map(|list| {
        list.as_object_mut()?
            .values_mut()
            .find(|list| list.is_array())
    })?;
    Some((list.as_array_mut()?, false))
}

fn change(
    json: &mut Value,
    wrong: &Wrong,
    (turn, earlier): (usize, &Option<Value>),
    dice: &mut Dice,
) {
    let is_before_the_last = is_before_the_last(json);
    let Some((rows, is_console)) = rows(json) else {
        return;
    };
    if rows.is_empty() {
        return;
    }
    let (count, place) = (rows.len(), dice.roll(rows.len()));
    match wrong {
        // Enterprise Manager and v2 do not say how many rows there are: what is lost of the last
        // page is not noticed by anybody
        Wrong::Lost if is_before_the_last => drop(rows.remove(place)),
        Wrong::Lost
        | Wrong::Doubled
        | Wrong::TotalTooLarge
        | Wrong::TotalOfNone
        | Wrong::NoPaging
            if !is_console => {}
        Wrong::Lost => drop(rows.remove(place)),
        Wrong::Doubled => {
            // in another place than in the reading before
            if let Some(row) = earlier {
                rows[turn % count] = row.clone();
            }
        }
        Wrong::TotalTooLarge => {
            let total = json["meta"]["pagingInfo"]["total"].as_u64().unwrap_or(0);
            json["meta"]["pagingInfo"]["total"] = json!(total + 3);
        }
        Wrong::TotalOfNone => json["meta"]["pagingInfo"]["total"] = json!(0),
        Wrong::NoPaging => {
            rows.pop();
            json.as_object_mut().unwrap().remove("meta");
        }
        Wrong::OddId(id) => {
            if let Some(member) = ["instanceUid", "UID", "uid", "id"]
                .into_iter()
                .find(|member| rows[place].get(member).is_some())
            {
                rows[place][member] = id.clone();
            }
        }
        Wrong::OddMember => {
            let Some(members) = rows[place].as_object_mut() else {
                return;
            };
            let names: Vec<String> = members
                .iter()
                .filter(|(_, value)| !value.is_object())
                .map(|(name, _)| name.clone())
                .collect();
            if !names.is_empty() {
                members.insert(dice.one_of(&names).clone(), json!({"odd": [1]}));
            }
        }
        Wrong::NullRow => rows[place] = Value::Null,
        Wrong::Shuffled => {
            for place in (1..count).rev() {
                rows.swap(place, dice.roll(place + 1));
            }
        }
        Wrong::Harmless => rows.iter_mut().for_each(harmless),
        Wrong::Fault(_) => {}
    }
}

/// The same in other words.
fn harmless(row: &mut Value) {
    let Some(members) = row.as_object_mut() else {
        return;
    };
    for (name, value) in members.iter_mut() {
        match value {
            Value::Number(number) => *value = json!(number.to_string()),
            Value::String(id) if name.ends_with("Uid") && id.len() == 36 => *id = id.to_uppercase(),
            _ => {}
        }
    }
    members.insert("aMemberThatNobodyKnows".to_owned(), json!([{"x": null}]));
}
