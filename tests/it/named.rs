//! Filters that name a company or a server: one that is not there is refused, whoever asks, and
//! never an empty list.

use crate::world::{Setup, World, codes};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use veeam_graph::{
    config::{Access, Caller, Sees},
    simulator::{Fault, FaultKind},
};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// Every list whose filter names companies or servers, with what it names.
const LISTS: [(&str, &[&str]); 12] = [
    ("jobs", &["companyUid", "companyName", "backupServerUid"]),
    (
        "backupCopyJobs",
        &["companyUid", "companyName", "backupServerUid"],
    ),
    (
        "agentJobObjects",
        &["companyUid", "companyName", "backupServerUid"],
    ),
    ("tapeLinkedJobs", &["backupServerUid"]),
    ("agentSessions", &["backupServerUid"]),
    ("workloads", &["companyUid", "backupServerUid"]),
    ("backupServers", &["companyUid"]),
    ("repositories", &["companyUid", "backupServerUid"]),
    ("backupAgents", &["backupServerUid"]),
    ("consoleAgents", &["companyUid"]),
    ("managementAgents", &["companyUid"]),
    ("alarms", &["companyUid"]),
];

fn caller(name: &str, companies: Option<Vec<String>>) -> Caller {
    let hash = |key: &str| {
        digest::digest(&digest::SHA256, key.as_bytes())
            .as_ref()
            .try_into()
            .unwrap()
    };
    let sees = Some(Sees {
        companies,
        ..Sees::default()
    });
    Caller {
        name: name.to_owned(),
        keys: vec![hash(name)],
        sees,
        ..Caller::default()
    }
}

async fn world() -> World {
    // one that has nothing at all
    let change = |estate: &mut veeam_graph::simulator::Estate| {
        let uid = "77777777-2222-4333-8444-555555555555".parse().unwrap();
        let mut idle = estate.companies[0].clone();
        (idle.uid, idle.name) = (uid, "Idle Hands".to_owned());
        estate.companies.push(idle);
    };
    let estate =
        veeam_graph::simulator::generate::generate(Default::default(), 1, crate::world::now());
    let callers = vec![
        caller("all", None),
        caller("one", Some(vec![estate.companies[1].uid.to_string()])),
    ];
    World::start(Setup {
        auth: Access {
            callers,
            ..Access::default()
        },
        change,
        ..Setup::default()
    })
    .await
}

fn query(list: &str, filter: &str) -> String {
    format!("{{ list: {list}(filter: {filter}) {{ complete totalCount }} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_for_a_company_or_a_server_that_is_not_there_is_refused() {
    let world = world().await;
    for (list, members) in LISTS {
        for member in members {
            for filter in [
                format!("{{ {member}: \"{NOBODY}\" }}"),
                format!("{{ and: [{{ or: [{{ not: {{ {member}: \"{NOBODY}\" }} }}] }}] }}"),
            ] {
                let answer = world.ask_as("all", &query(list, &filter)).await;
                assert_eq!(
                    (codes(&answer), answer["data"].clone()),
                    (vec!["BAD_USER_INPUT"], Value::Null),
                    "{list} {filter}: {answer}"
                );
                let message = answer["errors"][0]["message"].as_str().unwrap();
                assert!(
                    message.contains(member) && !message.contains(NOBODY),
                    "{message}"
                );
            }
        }
    }
    // within a list that has nothing to do with it
    let nested = format!(
        "{{ backupServers(first: 1) {{ nodes {{ jobs(filter: {{ companyUid: \"{NOBODY}\" }}) {{ totalCount }} }} }} }}"
    );
    assert_eq!(
        codes(&world.ask_as("all", &nested).await),
        ["BAD_USER_INPUT"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_may_not_see_is_refused_in_the_same_words_as_what_is_not_there() {
    let world = world().await;
    let estate = world.simulator.estate();
    let (own, foreign) = (&estate.companies[1], &estate.companies[2]);
    let foreign_server = estate.servers.iter().find(|server| {
        let of = |job: &veeam_graph::simulator::estate::Job| {
            job.mapped_company
                .unwrap_or(estate.servers[job.server].company)
        };
        server.company != own.uid
            && estate
                .jobs
                .iter()
                .filter(|job| estate.servers[job.server].uid == server.uid)
                .all(|job| of(job) != own.uid)
    });
    let foreign_server = foreign_server.unwrap().uid.to_string();
    for (list, members) in LISTS {
        for member in members {
            let value = match *member {
                "companyUid" => foreign.uid.to_string(),
                "companyName" => foreign.name.clone(),
                _ => foreign_server.clone(),
            };
            let of = |value: &str| query(list, &format!("{{ {member}: \"{value}\" }}"));
            let (hidden, absent) = (
                world.ask_as("one", &of(&value)).await,
                world.ask_as("one", &of(NOBODY)).await,
            );
            assert_eq!(
                codes(&hidden),
                ["BAD_USER_INPUT"],
                "{list} {member}: {hidden}"
            );
            let said = |answer: &Value| answer["errors"][0]["message"].as_str().unwrap().to_owned();
            assert_eq!(said(&hidden), said(&absent));
            assert_eq!(codes(&absent), codes(&hidden));
            // for who may see it, it is there
            let answer = world.ask_as("all", &of(&value)).await;
            assert_eq!(
                answer["data"]["list"]["complete"], true,
                "{list} {member}: {answer}"
            );
        }
    }
    let of_own = world
        .ask_as(
            "one",
            &query("jobs", &format!("{{ companyName: \"{}\" }}", own.name)),
        )
        .await;
    assert_eq!(
        (
            codes(&of_own).len(),
            of_own["data"]["list"]["complete"].clone()
        ),
        (0, json!(true)),
        "{of_own}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_has_nothing_is_an_empty_list() {
    let world = world().await;
    for list in [
        "jobs",
        "agentJobObjects",
        "workloads",
        "backupServers",
        "repositories",
        "consoleAgents",
        "alarms",
    ] {
        let filter = "{ companyUid: \"77777777-2222-4333-8444-555555555555\" }";
        let answer = world.ask_as("all", &query(list, filter)).await;
        assert_eq!(
            answer["data"]["list"],
            json!({"complete": true, "totalCount": 0}),
            "{list}: {answer}"
        );
    }
    let answer = world
        .ask_as("all", &query("jobs", "{ companyName: \" idle HANDS \" }"))
        .await;
    assert_eq!(
        answer["data"]["list"],
        json!({"complete": true, "totalCount": 0}),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_tell_what_is_there_the_list_is_not_complete() {
    for (path, list, member) in [
        ("*/api/v3/organizations*", "jobs", "companyUid"),
        ("*/api/v3/organizations*", "jobs", "companyName"),
        ("*/api/v3/organizations*", "consoleAgents", "companyUid"),
        ("*/backupServers?*", "jobs", "backupServerUid"),
        ("*/backupServers?*", "tapeLinkedJobs", "backupServerUid"),
        ("*/backupServers/jobs?*", "alarms", "companyUid"),
    ] {
        let world = world().await;
        world.simulator.faults.add([Fault {
            path: path.to_owned(),
            times: None,
            kind: FaultKind::Html,
        }]);
        for key in ["all", "one"] {
            let answer = world
                .ask_as(key, &query(list, &format!("{{ {member}: \"{NOBODY}\" }}")))
                .await;
            assert_eq!(
                answer["data"]["list"],
                json!({"complete": false, "totalCount": null}),
                "{key} {list} {member} without {path}: {answer}"
            );
            assert_eq!(
                codes(&answer),
                ["UPSTREAM_INVALID"],
                "{key} {list} {member} without {path}: {answer}"
            );
        }
    }
}
