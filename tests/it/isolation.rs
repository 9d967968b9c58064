//! What a caller may not see does not exist for it: random callers, random questions, each answer
//! held against a rule that is computed from the simulator's data alone.
//!
//! `ISOLATION_QUERIES` sets how many questions are asked; CI asks 20,000; 100,000 want a release
//! build.

pub mod questions;
pub mod rule;

use self::{
    questions::{Dice, question},
    rule::{Scope, Seen, seen_by, texts, words_of_all},
};
use crate::world::{Setup, World, array, listen, upstream};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;
use veeam_graph::{
    config::{Access, Auth, Cache, Caller, Kind, Sees},
    simulator::{Estate, Fault, FaultKind, Options, Simulator},
};

fn hash(key: &str) -> [u8; 32] {
    digest::digest(&digest::SHA256, key.as_bytes())
        .as_ref()
        .try_into()
        .unwrap()
}

/// Random callers: some see everything, some nothing, most a few companies, servers or upstreams,
/// by id or by name.
fn invent_callers(estate: &Estate, dice: &mut Dice, count: usize) -> Vec<(Caller, Scope)> {
    (0..count)
        .map(|number| {
            let mut sees = Sees::default();
            let mut scope = Scope::default();
            let shape = if number < 8 { number } else { dice.roll(8) };
            if shape & 1 == 1 {
                let few: Vec<_> = (0..dice.roll(4))
                    .map(|_| dice.one_of(&estate.companies).clone())
                    .collect();
                let by_name = |company: &veeam_graph::simulator::estate::Company,
                               dice: &mut Dice| match dice.roll(2) {
                    0 => company.name.to_uppercase(),
                    _ => company.uid.to_string(),
                };
                sees.companies = Some(
                    few.iter()
                        .map(|company| by_name(company, dice))
                        .chain(["Nobody's Bakery".to_owned()])
                        .collect(),
                );
                scope.companies = Some(few.iter().map(|company| company.uid).collect());
            }
            if shape & 2 == 2 {
                let few: Vec<_> = (0..1 + dice.roll(2))
                    .map(|_| dice.one_of(&estate.servers).clone())
                    .collect();
                sees.servers = Some(
                    few.iter()
                        .map(|server| {
                            if dice.roll(2) == 0 {
                                server.name.clone()
                            } else {
                                server.uid.to_string()
                            }
                        })
                        .collect(),
                );
                scope.servers = Some(few.iter().map(|server| server.uid).collect());
            }
            if shape & 4 == 4 {
                let few: BTreeSet<&'static str> =
                    [["msp"].as_slice(), &["em"], &["msp", "em"], &["agents"]][dice.roll(4)]
                        .iter()
                        .copied()
                        .collect();
                sees.upstreams = Some(few.iter().map(|name| (*name).to_owned()).collect());
                scope.upstreams = Some(few);
            }
            let caller = Caller {
                name: format!("caller-{number}"),
                keys: vec![hash(&format!("key-{number}"))],
                sees: Some(sees),
                ..Caller::default()
            };
            (caller, scope)
        })
        .collect()
}

const OPERATOR: &str = "operator-key";

async fn all_pages(world: &World, list: &str, fields: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), json!(null));
    loop {
        let args = if after.is_null() {
            String::new()
        } else {
            format!(", after: {after}")
        };
        let answer = world
            .ask_as(
                OPERATOR,
                &format!(
                    "{{ {list}(first: 500{args}) {{ nodes {{ {fields} }} edges {{ cursor }} pageInfo {{ hasNextPage endCursor }} }} }}"
                )
                .replace("SESSIONS(first: 500", "agentSessions(filter: { topLevelOnly: false }, first: 500"),
            )
            .await;
        let page = &answer["data"][if list == "SESSIONS" {
            "agentSessions"
        } else {
            list
        }];
        let with_cursor =
            |(row, edge): (&Value, &Value)| json!({"row": row, "cursor": edge["cursor"]});
        rows.extend(
            array(&page["nodes"])
                .iter()
                .zip(array(&page["edges"]))
                .map(with_cursor),
        );
        if page["pageInfo"]["hasNextPage"] != true {
            return rows;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn isolate(seed: u64, questions: u64, callers: usize) {
    let estate =
        veeam_graph::simulator::generate::generate(Default::default(), seed, crate::world::now());
    let mut dice = Dice(seed);
    let invented = invent_callers(&estate, &mut dice, callers);
    let operator = Caller {
        name: "operator".to_owned(),
        keys: vec![hash(OPERATOR)],
        sees: Some(Sees::default()),
        ..Caller::default()
    };
    let auth = Access {
        callers: invented
            .iter()
            .map(|(caller, _)| caller.clone())
            .chain([operator])
            .collect(),
        ..Access::default()
    };
    // lists that are read again all the time, so that snapshots change under the questions
    let moment = Some(Duration::from_millis(50));
    let cache = Cache {
        jobs: moment,
        agent_objects: moment,
        sessions: Some(Duration::from_secs(2)),
        links: moment,
        companies: moment,
        ..Cache::default()
    };
    let world = Arc::new(
        World::start(Setup {
            seed,
            auth,
            cache,
            ..Setup::default()
        })
        .await,
    );

    let mut ids = Vec::new();
    let mut cursors = Vec::new();
    let mut words = BTreeSet::new();
    for list in [
        "jobs",
        "backupServers",
        "companies",
        "agentJobObjects",
        "SESSIONS",
    ] {
        for row in all_pages(&world, list, "id").await {
            ids.push(row["row"]["id"].as_str().unwrap().to_owned());
            if list == "jobs" {
                cursors.push(row["cursor"].as_str().unwrap().to_owned());
            }
        }
    }
    let answer = world.ask_as(OPERATOR, "{ alarms(first: 500) { nodes { id } } workloads(first: 500) { nodes { id } } locations(first: 500) { nodes { id } } enterpriseManagers { nodes { id } } consoleAgents(first: 500) { nodes { id } } consoleAgentJobs(first: 500) { nodes { id } } backupServers { nodes { repositories { nodes { id } } } } agentJobObjects(first: 500) { nodes { agent { id } } } upstreams { id } }").await;
    texts(&answer["data"], &mut words);
    ids.extend(words.into_iter().filter(|word| word.len() > 8));
    let mut matched = HashMap::new();
    for row in all_pages(
        &world,
        "SESSIONS",
        "uid job { uid backupServer { uid } } backupServer { uid }",
    )
    .await
    {
        let row = &row["row"];
        let uid = |value: &Value| value.as_str().and_then(|text| text.parse::<Uuid>().ok());
        let job = uid(&row["job"]["uid"])
            .zip(uid(&row["job"]["backupServer"]["uid"]))
            .map(|(job, server)| (server, job));
        matched.insert(
            uid(&row["uid"]).unwrap(),
            (job, uid(&row["backupServer"]["uid"])),
        );
    }
    // what the gateway matched is not taken on trust: the simulator knows whose each session is
    for session in &estate.sessions {
        if let Some((server, job)) = matched[&session.uid].0 {
            let truth = &estate.jobs[session.of_job];
            assert_eq!(
                (server, job),
                (estate.servers[truth.server].uid, truth.uid),
                "{session:?}"
            );
        }
    }

    let everything = words_of_all(&estate);
    let upstream_names = world.ask_as(OPERATOR, "{ upstreams { name } }").await;
    assert_eq!(
        upstream_names["data"]["upstreams"],
        json!([{"name": "msp"}, {"name": "em"}, {"name": "agents"}])
    );
    let seen: Vec<(String, Seen, BTreeSet<String>)> = invented
        .iter()
        .map(|(caller, scope)| {
            let seen = seen_by(&estate, scope, &matched);
            let mut foreign: BTreeSet<String> =
                everything.difference(&seen.words).cloned().collect();
            foreign.extend(
                ["msp", "em", "agents"]
                    .iter()
                    .filter(|name| !scope.has(name))
                    .map(|name| (*name).to_owned()),
            );
            (caller.name.replace("caller", "key"), seen, foreign)
        })
        .collect();
    let shared = Arc::new((estate, ids, cursors, seen));
    let asked = Arc::new(AtomicU64::new(0));
    let workers = (0..8u64).map(|worker| {
        let (world, shared, asked) = (world.clone(), shared.clone(), asked.clone());
        tokio::spawn(async move {
            let (estate, ids, cursors, callers) = &*shared;
            let mut dice = Dice(seed ^ (worker << 32) ^ 0xABCD);
            loop {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                if number >= questions {
                    return;
                }
                // in the middle something breaks: answers may then lack rows, and must not have
                // others
                let is_broken = (questions / 3..questions / 2).contains(&number);
                if number == questions / 3 {
                    world.simulator.faults.add(
                        ["jobs", "organizations/companies", "jobs/agentJobs/objects"].map(|path| {
                            Fault {
                                path: format!("/api/v3/infrastructure/backupServers/{path}"),
                                times: None,
                                kind: FaultKind::Status {
                                    status: 503,
                                    retry_after: None,
                                    retry_after_in_body: None,
                                    location: None,
                                },
                            }
                        }),
                    );
                } else if number == questions / 2 {
                    world.simulator.faults.clear();
                }
                let (key, seen, foreign) = dice.one_of(callers);
                let question = question(&mut dice, estate, ids, cursors);
                let answer = world.ask_as(key, &question.query).await;
                let mut found = BTreeSet::new();
                texts(&answer, &mut found);
                let leaked: Vec<_> = found.intersection(foreign).collect();
                assert!(
                    leaked.is_empty(),
                    "{key} was told of {leaked:?} by {}: {answer:.2000}",
                    question.query
                );
                if let (Some(check), true, None) =
                    (&question.check, !is_broken, answer.get("errors"))
                {
                    check(&answer["data"], seen);
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

fn how_many() -> u64 {
    std::env::var_os("ISOLATION_QUERIES")
        .and_then(|count| count.to_str()?.parse().ok())
        .unwrap_or(3_000)
}

/// Callers who bring credentials of their own: each sees the estate of its own, whatever others
/// just read.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_with_one_credential_is_never_seen_with_another() {
    const TENANTS: u64 = 6;
    let tenants: Vec<(String, Arc<Estate>)> = (1..=TENANTS)
        .map(|seed| {
            (
                format!("credential-{seed}"),
                Arc::new(veeam_graph::simulator::generate::generate(
                    Default::default(),
                    seed,
                    crate::world::now(),
                )),
            )
        })
        .collect();
    let options = Options {
        tenants: tenants.clone(),
        ..Options::default()
    };
    let (apis, at) = listen().await;
    let simulator = Simulator::new(tenants[0].1.as_ref().clone(), options);
    tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let moment = Some(Duration::from_millis(50));
    let own = |name, kind| {
        let cache = Cache {
            jobs: moment,
            sessions: Some(Duration::from_secs(2)),
            ..Cache::default()
        };
        veeam_graph::config::Upstream {
            cache,
            ..upstream(name, kind, at, Auth::Passthrough)
        }
    };
    let world = World::over(
        simulator,
        vec![own("msp", Kind::Vspc), own("em", Kind::EnterpriseManager)],
    )
    .await;

    // without a credential, or with a wrong one, nothing is none: it is not known
    for headers in [
        &[][..],
        &[("x-upstream-msp", "wrong"), ("x-upstream-em", "wrong")],
    ] {
        let answer = world
            .ask_showing(
                headers,
                "{ jobs { totalCount complete nodes { uid } } agentSessions { totalCount } }",
            )
            .await;
        assert_eq!(
            crate::world::codes(&answer),
            ["UPSTREAM_UNAUTHORIZED"; 2],
            "{answer}"
        );
        assert_eq!(
            answer["data"]["jobs"],
            json!({"totalCount": null, "complete": false, "nodes": []})
        );
    }

    let world = Arc::new(world);
    let own: HashMap<String, BTreeSet<String>> = tenants
        .iter()
        .map(|(credential, estate)| (credential.clone(), words_of_all(estate)))
        .collect();
    let known: BTreeSet<String> = own.values().flatten().cloned().collect();
    let words = Arc::new((own, known));
    let (tenants, asked, questions) = (
        Arc::new(tenants),
        Arc::new(AtomicU64::new(0)),
        how_many() / 3,
    );
    let workers = (0..8u64).map(|worker| {
        let (world, tenants, asked, words) = (world.clone(), tenants.clone(), asked.clone(), words.clone());
        tokio::spawn(async move {
            let (mut dice, (own, known)) = (Dice(worker.wrapping_mul(0x9E37_79B9)), &*words);
            while asked.fetch_add(1, Ordering::Relaxed) < questions {
                let (credential, estate) = dice.one_of(&tenants);
                let query = match dice.roll(4) {
                    0 => "{ jobs(first: 500) { totalCount nodes { uid name company { uid name } backupServer { uid } } } }".to_owned(),
                    1 => "{ agentSessions(first: 100) { totalCount nodes { uid job { uid } } } }".to_owned(),
                    2 => format!("{{ backupServers {{ totalCount nodes {{ uid }} }} job(uid: \"{}\") {{ uid name }} }}", dice.one_of(&tenants).1.jobs[5].uid),
                    _ => "{ agentJobObjects(first: 500) { totalCount nodes { uid computer lastSession { uid } tape { tapeJobs { uid } } } } }".to_owned(),
                };
                // the vendors' own headers do as well as ours
                let bearer = format!("Bearer {credential}");
                let headers = match dice.roll(2) {
                    0 => [("x-upstream-msp", credential.as_str()), ("x-upstream-em", credential)],
                    _ => [("authorization", bearer.as_str()), ("x-restsvcsessionid", credential)],
                };
                let answer = world.ask_showing(&headers, &query).await;
                assert_eq!(answer.get("errors"), None, "{query}");
                let mut found = BTreeSet::new();
                texts(&answer["data"], &mut found);
                let foreign: Vec<_> = found.iter().filter(|word| known.contains(*word) && !own[credential].contains(*word)).collect();
                assert!(foreign.is_empty(), "{credential} was shown {foreign:?}");
                if query.starts_with("{ jobs") {
                    assert_eq!(answer["data"]["jobs"]["totalCount"], estate.jobs.len());
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_may_not_see_does_not_exist_for_it() {
    let questions = how_many();
    for seed in 1..=3 {
        isolate(seed, questions / 3, 24).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_needed_to_decide_and_can_not_be_read_is_no_proof_of_nothing() {
    let estate =
        veeam_graph::simulator::generate::generate(Default::default(), 1, crate::world::now());
    let one = Sees {
        companies: Some(vec![estate.companies[2].name.clone()]),
        ..Sees::default()
    };
    for kind in [
        FaultKind::ShortPage,
        FaultKind::Status {
            status: 503,
            retry_after: None,
            retry_after_in_body: None,
            location: None,
        },
    ] {
        for list in ["organizations", "infrastructure/backupServers/jobs?"] {
            let callers = vec![crate::access::caller("one", &["key"], one.clone())];
            let world = World::start(Setup {
                auth: Access {
                    callers,
                    ..Access::default()
                },
                ..Setup::default()
            })
            .await;
            world.simulator.faults.add([Fault {
                path: format!("/api/v3/{list}*"),
                times: None,
                kind: kind.clone(),
            }]);
            let answer = world
                .ask_as(
                    "key",
                    "{ jobs { complete totalCount } agentJobObjects { complete totalCount } }",
                )
                .await;
            for connection in ["jobs", "agentJobObjects"] {
                assert_eq!(
                    answer["data"][connection],
                    json!({"complete": false, "totalCount": null}),
                    "{kind:?} of {list}: {answer}"
                );
            }
            assert!(!crate::world::codes(&answer).is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_companies_have_is_nobodys() {
    let estate =
        veeam_graph::simulator::generate::generate(Default::default(), 1, crate::world::now());
    let one = &estate.companies[2];
    let sees = |company: String| Sees {
        companies: Some(vec![company]),
        ..Sees::default()
    };
    let callers = vec![
        crate::access::caller("name", &["name"], sees(one.name.clone())),
        crate::access::caller("uid", &["uid"], sees(one.uid.to_string())),
    ];
    let auth = Access {
        callers,
        ..Access::default()
    };
    let twice =
        |estate: &mut Estate| estate.companies[3].name = estate.companies[2].name.to_uppercase();
    let world = World::start(Setup {
        auth,
        change: twice,
        ..Setup::default()
    })
    .await;
    let query = "{ companies { nodes { uid } } }";
    assert_eq!(
        world.ask_as("name", query).await["data"]["companies"]["nodes"],
        json!([])
    );
    assert_eq!(
        world.ask_as("uid", query).await["data"]["companies"]["nodes"],
        json!([{"uid": one.uid.to_string()}])
    );
}

#[test]
fn the_rule_itself_tells_rows_apart() {
    let estate =
        veeam_graph::simulator::generate::generate(Default::default(), 1, crate::world::now());
    let nobody = Scope {
        companies: Some(BTreeSet::new()),
        ..Scope::default()
    };
    assert!(seen_by(&estate, &nobody, &HashMap::new()).words.is_empty());
    let all = seen_by(&estate, &Scope::default(), &HashMap::new());
    assert_eq!(
        (all.jobs.len(), all.servers.len()),
        (estate.jobs.len(), estate.servers.len())
    );
    let by_company: BTreeMap<Uuid, usize> = estate
        .companies
        .iter()
        .map(|company| {
            let scope = Scope {
                companies: Some([company.uid].into()),
                ..Scope::default()
            };
            (
                company.uid,
                seen_by(&estate, &scope, &HashMap::new()).jobs.len(),
            )
        })
        .collect();
    assert_eq!(by_company.values().sum::<usize>(), estate.jobs.len());
    assert!(
        by_company.values().filter(|count| **count > 0).count() > 1,
        "a demo of one company shows nothing"
    );
    // jobs that a shared server runs for somebody else: the case that a rule by server gets wrong
    assert!(estate.jobs.iter().any(|job| {
        job.mapped_company.is_some_and(|company| {
            !company.is_nil() && company != estate.servers[job.server].company
        })
    }));
}
