//! The configuration is read again while the gateway runs: on SIGHUP, and when the file or a secret
//! that it names changes. A child process serves; both sides are real HTTP.
#![cfg(unix)]

mod served;

use crate::world::{PATIENCE, array, codes};
use serde_json::{Value, json};
use served::{Served, simulate};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use veeam_graph::simulator::PASSWORD;

const EVERYBODY: &str = "[auth]\nanonymous = true\n";

/// Lists of every kind of upstream.
const LISTS: &str = "{ backupServers(first: 500) { nodes { id origin { upstream { name } } } } jobs(first: 500) { nodes { id } } companies(first: 500) { nodes { id origin { upstream { name } } } } agentSessions(first: 5) { totalCount nodes { id } } }";

/// The upstreams that the rows of a connection come from.
fn upstreams_of(data: &Value, field: &str) -> BTreeSet<String> {
    array(&data[field]["nodes"])
        .iter()
        .map(|node| {
            node["origin"]["upstream"]["name"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_upstreams_keep_sessions_and_lists_and_a_removed_one_is_gone() {
    let ((kept, kept_at), (other, other_at)) = (simulate(1).await, simulate(2).await);
    let (msp, em) = (
        served::console("msp", kept_at),
        served::enterprise_manager("em", kept_at),
    );
    let (gone, timed) = (
        served::console("other", other_at),
        served::with("timeout = \"20s\"", &served::console("msp", kept_at)),
    );
    let mut served = Served::start("keeps", &format!("{EVERYBODY}{gone}{msp}{em}")).await;
    let before = served.data(LISTS).await;
    assert_eq!(upstreams_of(&before, "companies"), names(&["msp", "other"]));
    let node = before["companies"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["origin"]["upstream"]["name"] == "other")
        .unwrap()["id"]
        .clone();
    kept.take_requests();
    other.take_requests();
    kept.take_grants();

    // the one before all others is gone: the rest are known by their names, not their places
    served.write(&format!("{EVERYBODY}{em}{msp}"));
    served.reload().await;
    let after = served.data(LISTS).await;
    assert_eq!(upstreams_of(&after, "companies"), names(&["msp"]));
    assert_eq!(upstreams_of(&after, "backupServers"), names(&["msp"]));
    let of = |data: &Value, field: &str| -> Vec<Value> {
        array(&data[field]["nodes"])
            .iter()
            .filter(|node| node["origin"]["upstream"]["name"] != "other")
            .cloned()
            .collect()
    };
    assert_eq!(of(&before, "companies"), of(&after, "companies"));
    assert_eq!(before["agentSessions"], after["agentSessions"]);
    let asked = served
        .data(&format!(
            "{{ node(id: {node}) {{ id }} upstreams {{ name }} }}"
        ))
        .await;
    assert_eq!(
        asked,
        json!({"node": null, "upstreams": [{"name": "em"}, {"name": "msp"}]})
    );
    assert_eq!(served::besides_probes(kept.take_requests()), [""; 0]);
    assert_eq!(kept.take_grants(), [""; 0]);
    assert_eq!(served::besides_probes(other.take_requests()), [""; 0]);

    // one that is changed is read anew, the others are not; one that comes back is another
    served.write(&format!("{EVERYBODY}{timed}{em}{gone}"));
    served.reload().await;
    assert_eq!(
        upstreams_of(&served.data(LISTS).await, "companies"),
        names(&["msp", "other"])
    );
    let requests = served::besides_probes(kept.take_requests());
    assert!(
        requests
            .iter()
            .any(|request| request.starts_with("GET /api/v3/organizations?")),
        "{requests:#?}"
    );
    assert!(
        requests.iter().all(|request| request.contains(" /api/v3/")),
        "{requests:#?}"
    );
    assert!(!other.take_requests().is_empty());
    served.stop().await;
}

/// Everything of one company, and everything.
const COMPANIES: &str = "{ companies(first: 500) { totalCount nodes { name } } }";

fn caller(name: &str, key: &str, sees: &str) -> String {
    format!(
        "[[auth.caller]]\nname = \"{name}\"\nkey_sha256 = [\"{}\"]\n{sees}\n\n",
        served::sha256(key)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_changes_at_once_and_what_was_kept_is_nobody_elses() {
    let (simulator, at) = simulate(1).await;
    let msp = served::console("msp", at);
    let (portal, billing) = (
        caller("portal", "key-of-portal", "everything = true"),
        caller("billing", "key-of-billing", "everything = true"),
    );
    let mut served = Served::start("callers", &format!("{portal}{billing}{msp}")).await;
    let company = {
        let all = served.ask_as("key-of-portal", COMPANIES).await;
        assert!(
            all["data"]["companies"]["totalCount"].as_u64() > Some(1),
            "{all}"
        );
        all["data"]["companies"]["nodes"][0]["name"].clone()
    };
    // the same again, which is kept by its bytes
    served.ask_as("key-of-billing", COMPANIES).await;
    let mut socket = served.socket("key-of-portal").await;
    let mut other = served.socket("key-of-billing").await;
    simulator.take_requests();

    // one is revoked, one sees less, one is new
    let billing = caller(
        "billing",
        "key-of-billing",
        &format!("companies = [{company}]"),
    );
    let support = caller("support", "key-of-support", "everything = true");
    served.write(&format!("{billing}{support}{msp}"));
    served.reload().await;
    assert_eq!(
        codes(&served.ask_as("key-of-portal", COMPANIES).await),
        ["UNAUTHENTICATED"]
    );
    let less = served.ask_as("key-of-billing", COMPANIES).await;
    assert_eq!(
        less["data"]["companies"],
        json!({"totalCount": 1, "nodes": [{"name": company}]})
    );
    let all = served.ask_as("key-of-support", COMPANIES).await;
    assert!(
        all["data"]["companies"]["totalCount"].as_u64() > Some(1),
        "{all}"
    );

    // who is not let in any more is sent away; who still is sees what it may see now
    assert_eq!(socket.closed_with().await, 4403);
    assert_eq!(
        other.ask(COMPANIES).await["data"]["companies"],
        json!({"totalCount": 1, "nodes": [{"name": company}]})
    );
    // rows were in hand all the while
    let requests = served::besides_probes(simulator.take_requests());
    assert!(
        !requests
            .iter()
            .any(|request| request.contains("/organizations?")),
        "{requests:#?}"
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_changes_nothing_and_the_log_names_the_line() {
    let (simulator, at) = simulate(1).await;
    let msp = served::console("msp", at);
    let mut served = Served::start("wrong", &format!("{EVERYBODY}{msp}")).await;
    let before = served.data(LISTS).await;
    simulator.take_requests();
    for (wrong, line, said) in [
        // a key that is none, in the third line
        (
            format!("{EVERYBODY}anonimous = true\n{msp}"),
            "line 3",
            "anonimous",
        ),
        // right by itself, wrong beside the rest
        (
            format!(
                "{EVERYBODY}[[auth.caller]]\nname = \"a\"\nkey_sha256 = []\nupstreams = [\"nobody\"]\n{msp}"
            ),
            "line",
            "nobody",
        ),
        ("[auth\n".to_owned(), "line 1", ""),
        // a secret that is not there
        (
            format!("{EVERYBODY}{msp}")
                .replace("password_env = \"PASSWORD\"", "password_file = \"nowhere\""),
            "line",
            "nowhere",
        ),
        // a certificate that can't be used is only found out when it is to be used
        (
            served::with(
                "tls = { ca_file = \"settings.toml\" }",
                &format!("{EVERYBODY}{msp}"),
            ),
            "",
            "tls",
        ),
    ] {
        served.write(&wrong);
        served.hang_up();
        let told = served.line("configuration rejected").await;
        let problems = told["problems"].as_str().unwrap();
        assert!(problems.contains(line) && problems.contains(said), "{told}");
        assert!(!problems.contains('\n'), "{told}");
        assert_eq!(told["level"], "ERROR");
        assert_eq!(served.data(LISTS).await, before, "{wrong}");
        assert_eq!(served.status("/health/ready").await, 200);
    }
    assert_eq!(served::besides_probes(simulator.take_requests()), [""; 0]);
    assert_eq!(served.metric("config_reload_failed").await, 1.0);
    assert_eq!(
        served
            .metric("config_reloads_total{result=\"rejected\"}")
            .await,
        5.0
    );
    served.write(&format!("{EVERYBODY}{msp}\n# right again\n"));
    served.hang_up();
    served.line("configuration unchanged").await;
    assert_eq!(served.metric("config_reload_failed").await, 0.0);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_renewed_is_used_without_a_signal() {
    let (simulator, at) = simulate(1).await;
    let (file, by_variable) = (
        served::enterprise_manager("em", at)
            .replace("password_env = \"PASSWORD\"", "password_file = \"secret\""),
        served::console("msp", at),
    );
    let served = Served::prepare("secret", &format!("{EVERYBODY}{file}{by_variable}"));
    served.write_secret("secret", "of last year\n");
    let mut served = served.run().await;
    let sessions = "{ agentSessions(first: 1) { nodes { id } } }";
    let servers = "{ backupServers(first: 1) { nodes { id } } }";
    served.ask(LISTS).await;
    assert_eq!(
        codes(&served.ask(sessions).await),
        ["UPSTREAM_UNAUTHORIZED"]
    );
    served.data(servers).await;
    simulator.take_requests();
    served.write_secret("secret", &format!("{PASSWORD}\n"));
    let told = served.line("configuration reloaded").await;
    assert_eq!(
        (&told["changed"], &told["added"], &told["removed"]),
        (&json!("em"), &json!(""), &json!("")),
        "{told}"
    );
    assert_eq!(
        array(&served.data(sessions).await["agentSessions"]["nodes"]).len(),
        1
    );
    served.data(servers).await;
    // nothing of the other one was read again
    let requests = served::besides_probes(simulator.take_requests());
    assert!(
        !requests.iter().any(|request| request.contains("/api/v3/")),
        "{requests:#?}"
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_looked_at_and_what_can_t_change_is_named() {
    let (_simulator, at) = simulate(1).await;
    let msp = served::console("msp", at);
    let mut served = Served::start("restart", &format!("{EVERYBODY}{msp}")).await;
    served.data(LISTS).await;
    let with_directive = "{ __typename @include(if: true) }";
    assert_eq!(served.ask_status(with_directive).await, 200);
    // the address can't change while it is listened on, the limit can
    let settings = format!("[limits]\ndirectives = 0\n\n{EVERYBODY}{msp}");
    served.write_at("127.0.0.1:1", &settings);
    served.line("configuration reloaded").await;
    let told = served.line("take effect after a restart").await;
    assert_eq!(told["settings"], "server.listen", "{told}");
    assert_eq!(served.ask_status(with_directive).await, 400);
    assert_eq!(served.status("/health/ready").await, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_while_it_is_read_again_are_all_answered() {
    const CLIENTS: usize = 8;
    const RELOADS: u32 = 12;
    let ((_one, one), (_two, two)) = (simulate(1).await, simulate(2).await);
    let (msp, other) = (served::console("msp", one), served::console("other", two));
    let (both, single) = (
        format!("{EVERYBODY}{msp}{other}"),
        format!("[limits]\naliases = 7\n\n{EVERYBODY}{msp}"),
    );
    let mut served = Served::start("load", &both).await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stop, answered, ask) = (stop.clone(), answered.clone(), served.asker());
            tokio::spawn(async move {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    // another question each time: none of it was answered before
                    let query = format!(
                        "{{ c{client}n{number}: companies(first: 20) {{ totalCount nodes {{ id name }} }} }}"
                    );
                    let (status, answer) = ask.ask(&query).await;
                    assert_eq!(status, 200, "{answer}");
                    assert_eq!(answer.get("errors"), None, "{answer}");
                    let count = answer["data"][format!("c{client}n{number}")]["totalCount"].as_u64();
                    assert!(count > Some(0), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let started = Instant::now();
    for number in 0..RELOADS {
        let before = answered.load(Ordering::Relaxed);
        served.write(if number % 2 == 0 { &single } else { &both });
        served.reload().await;
        // some are under way each time
        while answered.load(Ordering::Relaxed) < before + CLIENTS as u32 {
            assert!(started.elapsed() < PATIENCE, "nobody is answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    served.stop().await;
}
