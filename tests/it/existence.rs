//! Whether an id that a caller has guessed is another's or nobody's: it must not tell. Not by what
//! is answered, nor by what is read upstream for it, be the row in hand for others or not.

use crate::{
    access::caller,
    world::{Setup, World, array},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;
use veeam_graph::{
    config::{Access, Sees, Server},
    simulator::{Estate, Fault, FaultKind},
};

const TENANT: &str = "tenant-key";
const OPERATOR: &str = "operator-key";
/// An id that nobody has.
const NOBODYS: &str = "0badcafe-0000-4000-8000-0badcafe0000";

/// Lists with all that has a global id.
const LISTS: [(&str, &str); 13] = [
    ("jobs", "jobs(first: 500)"),
    ("backupServers", "backupServers(first: 500)"),
    ("companies", "companies(first: 500)"),
    ("agentJobObjects", "agentJobObjects(first: 500)"),
    (
        "agentSessions",
        "agentSessions(first: 500, filter: { topLevelOnly: false })",
    ),
    ("repositories", "repositories(first: 500)"),
    ("backupAgents", "backupAgents(first: 500)"),
    ("alarms", "alarms(first: 500)"),
    ("workloads", "workloads(first: 500)"),
    ("locations", "locations(first: 500)"),
    ("consoleAgents", "consoleAgents(first: 500)"),
    ("managementAgents", "managementAgents(first: 500)"),
    ("consoleAgentJobs", "consoleAgentJobs(first: 500)"),
];

/// A world in which one caller sees the first company and another everything, and nothing is read
/// but for them.
async fn world() -> World {
    let sees = Sees {
        companies: Some(vec![COMPANY.to_owned()]),
        ..Sees::default()
    };
    let callers = vec![
        caller("tenant", &[TENANT], sees),
        caller("operator", &[OPERATOR], Sees::default()),
    ];
    let auth = Access {
        callers,
        ..Access::default()
    };
    let server = Server {
        background_refresh: false,
        leave: Duration::ZERO,
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let change = |estate: &mut Estate| COMPANY.clone_into(&mut estate.companies[0].name);
    World::start(Setup {
        auth,
        server,
        change,
        ..Setup::default()
    })
    .await
}

const COMPANY: &str = "The One That Asks";

/// Type and id of everything in a list.
async fn all(world: &World, key: &str, (name, list): (&str, &str)) -> BTreeSet<(String, String)> {
    let answer = world
        .ask_as(
            key,
            &format!("{{ {list} {{ nodes {{ __typename id }} }} }}"),
        )
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    array(&answer["data"][name]["nodes"])
        .iter()
        .map(|node| (text(&node["__typename"]), text(&node["id"])))
        .collect()
}

/// An id and what it stands for.
struct Id {
    of_type: String,
    id: String,
    /// The ids in it: of a job its server's and its own.
    parts: Vec<String>,
}

impl Id {
    fn new(of_type: &str, id: String) -> Self {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&id).unwrap()).unwrap();
        let parts = text
            .split(':')
            .filter(|part| part.parse::<Uuid>().is_ok())
            .map(str::to_owned)
            .collect();
        Self {
            of_type: of_type.to_owned(),
            id,
            parts,
        }
    }

    /// The same of a row that nobody has.
    fn nobodys(&self) -> Self {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(&self.id).unwrap()).unwrap();
        let own = self.parts.last().unwrap();
        Self::new(
            &self.of_type,
            URL_SAFE_NO_PAD.encode(text.replace(own.as_str(), NOBODYS)),
        )
    }

    /// Every question that it can be asked for with.
    fn questions(&self) -> Vec<String> {
        let own = self.parts.last().unwrap();
        let before = self.parts.first().unwrap();
        let by_uid = match self.of_type.as_str() {
            "BackupServer" => vec![
                format!("backupServer(uid: \"{own}\") {{ id }}"),
                self.representation("uid", own),
            ],
            "Company" => vec![
                format!("company(uid: \"{own}\") {{ id }}"),
                self.representation("uid", own),
            ],
            "AgentSession" => vec![format!("agentSession(uid: \"{own}\") {{ id }}")],
            "BackupAgentJob" => vec![
                format!("backupAgentJob(agentUid: \"{before}\", uid: \"{own}\") {{ id }}"),
                format!(
                    "backupAgentJobs(agentUid: \"{before}\") {{ totalCount complete nodes {{ id }} }}"
                ),
            ],
            "Repository" => vec![format!(
                "repository(backupServerUid: \"{before}\", uid: \"{own}\") {{ id }}"
            )],
            "Location" => vec![format!("location(uid: \"{own}\") {{ id }}")],
            "ConsoleAgent" => vec![format!("consoleAgent(uid: \"{own}\") {{ id }}")],
            job if job.ends_with("Job") && job != "ConsoleAgentJob" => {
                vec![
                    format!("job(backupServerUid: \"{before}\", uid: \"{own}\") {{ id }}"),
                    format!("job(uid: \"{own}\") {{ id }}"),
                ]
            }
            _ => Vec::new(),
        };
        let by_id = [
            format!("node(id: \"{}\") {{ id }}", self.id),
            format!("nodes(ids: [\"{}\"]) {{ id }}", self.id),
            self.representation("id", &self.id),
        ];
        by_uid
            .into_iter()
            .chain(by_id)
            .map(|field| format!("{{ {field} }}"))
            .collect()
    }

    fn representation(&self, key: &str, value: &str) -> String {
        format!(
            "_entities(representations: [{{ __typename: \"{}\", {key}: \"{value}\" }}]) {{ __typename }}",
            self.of_type
        )
    }

    /// What was told and read for it, with the same word for every id of it.
    fn told(&self, answer: &Value, mut requests: Vec<String>) -> (String, Vec<String>) {
        requests.sort();
        let own = self.parts.last().unwrap().as_str();
        let same = |text: String| text.replace(&self.id, "ID").replace(own, "ITS");
        let mut answer = answer.clone();
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error["extensions"]["requestId"].take();
        }
        (
            same(answer.to_string()),
            requests.into_iter().map(same).collect(),
        )
    }

    /// What a caller who sees one company is told, question by question, and what is read for it.
    async fn ask(&self, primed: Option<&Id>, is_backward: bool) -> Vec<(String, Vec<String>)> {
        let world = world().await;
        if let Some(primed) = primed {
            // the row is in hand, by itself and within its list
            for question in primed.questions() {
                world.ask_as(OPERATOR, &question).await;
            }
            if primed.of_type == "AgentSession" {
                world
                    .ask_as(OPERATOR, "{ agentSessions { totalCount } }")
                    .await;
            }
        }
        world.requests();
        let mut questions = self.questions();
        if is_backward {
            questions.reverse();
        }
        let mut all = Vec::new();
        for question in questions {
            let answer = world.ask_as(TENANT, &question).await;
            all.push(self.told(&answer, world.requests()));
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_an_id_is_anothers_or_nobodys_shows_neither_in_the_answer_nor_in_what_is_read() {
    let world = world().await;
    let mut others = Vec::new();
    for list in LISTS {
        let (every, own) = (
            all(&world, OPERATOR, list).await,
            all(&world, TENANT, list).await,
        );
        let (of_type, id) = every
            .difference(&own)
            .next()
            .unwrap_or_else(|| panic!("{}: nobody else has one", list.0))
            .clone();
        others.push(Id::new(&of_type, id));
        // what is its own is found, or nothing here would tell anything
        for (_, id) in own.iter().take(2) {
            let answer = world
                .ask_as(TENANT, &format!("{{ node(id: \"{id}\") {{ id }} }}"))
                .await;
            assert_eq!(answer["data"]["node"]["id"], json!(id), "{answer}");
        }
    }
    let of_agent = format!(
        "backupAgentJobs(agentUid: \"{}\")",
        world.simulator.estate().agents[0].id
    );
    let jobs = all(&world, OPERATOR, ("backupAgentJobs", &of_agent)).await;
    others.extend(
        jobs.into_iter()
            .find(|(_, id)| Id::new("", id.clone()).parts.len() == 2)
            .map(|(of_type, id)| Id::new(&of_type, id)),
    );
    assert_eq!(others.len(), LISTS.len() + 1);

    let mut differences = Vec::new();
    for others in &others {
        let nobodys = others.nobodys();
        for (primed, is_backward) in [(None, true), (Some(others), false)] {
            let (of_others, of_nobody) = tokio::join!(
                others.ask(primed, is_backward),
                nobodys.ask(primed, is_backward)
            );
            assert!(
                of_others
                    .iter()
                    .all(|(answer, _)| !answer.contains("\"ID\"")),
                "{of_others:?}"
            );
            let differs = of_others
                .into_iter()
                .zip(of_nobody)
                .find(|(others, nobody)| others != nobody);
            differences.extend(differs.map(|differs| {
                format!(
                    "{} (in hand: {}): {differs:#?}",
                    others.of_type,
                    primed.is_some()
                )
            }));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A session that no job is matched with, while the list that would tell of its server is not
/// there.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_is_told_whoevers_the_session_is() {
    let first = world().await;
    let every = all(&first, OPERATOR, LISTS[4]).await;
    let own = all(&first, TENANT, LISTS[4]).await;
    let (of_type, id) = every.difference(&own).next().unwrap().clone();
    let others = Id::new(&of_type, id);
    let nobodys = others.nobodys();
    let mut told = Vec::new();
    for id in [&others, &nobodys] {
        let world = world().await;
        let kind = FaultKind::Status {
            status: 500,
            retry_after: None,
            retry_after_in_body: None,
            location: None,
        };
        world.simulator.faults.add([Fault {
            path: "*/enterpriseManagers*".to_owned(),
            times: None,
            kind,
        }]);
        let answer = world
            .ask_as(TENANT, &format!("{{ node(id: \"{}\") {{ id }} }}", id.id))
            .await;
        assert_eq!(answer["data"], json!({"node": null}));
        assert!(answer.get("errors").is_some(), "{answer}");
        told.push(id.told(&answer, Vec::new()).0);
    }
    assert_eq!(told[0], told[1]);
}
