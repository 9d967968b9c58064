//! What the fifteen questions cost upstream: bounded by list pages, and the table in the README.

use crate::{
    fifteen::questions,
    world::{Setup, World},
};
use serde_json::{Value, json};
use std::time::Duration;
use veeam_graph::{
    config::Limits,
    simulator::{Estate, Scale, estate::Protected},
};

fn pages(rows: usize) -> usize {
    rows.div_ceil(500).max(1)
}

fn requests(answer: &Value) -> usize {
    assert_eq!(answer.get("errors"), None);
    answer["extensions"]["upstream"]["requests"]
        .as_u64()
        .unwrap() as usize
}

/// Pages of every list that any question could need, each read once.
fn pages_of_all(estate: &Estate) -> usize {
    let of = |kind| {
        pages(
            estate
                .workloads
                .iter()
                .filter(|row| row.kind == kind)
                .count(),
        )
    };
    let lists = [
        estate.jobs.len(),
        estate.machines.len(),
        // agent jobs, and the chains of machines
        estate.jobs.len(),
        estate.machines.len(),
        estate.servers.len(),
        estate.companies.len(),
        estate.repositories.len(),
        estate.tape_links.len(),
        estate.copy_links.len(),
        estate.simple_copy_links.len(),
        // the list of immediate copies
        estate.simple_copy_links.len(),
        estate.tape_repositories.len(),
        estate.copies.len(),
        estate.alarms.len(),
        estate.licenses.len(),
    ];
    lists.into_iter().map(pages).sum::<usize>()
        + of(Protected::Vm)
        + of(Protected::Computer)
        + of(Protected::ConsoleComputer)
        + estate.sessions.len().div_ceil(1_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_question_costs_list_pages_when_cold_and_nothing_when_warm() {
    for (_, name, text) in questions() {
        let world = World::start(Setup {
            scale: Scale::Medium,
            ..Setup::default()
        })
        .await;
        let estate = world.simulator.estate();
        let cold = requests(&world.ask(&text).await);
        // a few more: the map of servers, links of restored servers, and sessions of 40 jobs each
        assert!(
            (1..=pages_of_all(&estate) + 10).contains(&cold),
            "{name}: {cold}"
        );
        assert_eq!(requests(&world.ask(&text).await), 0, "{name}");
    }
}

/// Requests of those who have no graph: a page for each list that has one, and one request for each
/// server, job, company or session that is walked, as the public tools do it.
fn naive(number: usize, estate: &Estate) -> usize {
    let (servers, companies, jobs) = (
        estate.servers.len(),
        estate.companies.len(),
        pages(estate.jobs.len()),
    );
    let agent_jobs = estate
        .jobs
        .iter()
        .filter(|job| job.kind.starts_with("Agent"))
        .count();
    // thirty days of sessions, one by one
    let history = 1 + agent_jobs + 30 * agent_jobs;
    let tape = 1 + 3 * servers + agent_jobs + estate.tape_links.len();
    let workloads = 3 * pages(estate.workloads.len() / 3) + pages(estate.machines.len());
    match number {
        1 => companies * (jobs + 1),
        2 | 5 => jobs + 1 + agent_jobs,
        3 => tape,
        4 => tape + history,
        6 => history,
        7 => jobs + history,
        8 => {
            let immediate = estate
                .jobs
                .iter()
                .filter(|job| job.kind == "SimpleBackupCopy")
                .count();
            1 + 2 * servers + 2 * (estate.copies.len() + immediate) + jobs
        }
        9 => companies * (jobs + 1 + pages(estate.machines.len()) + pages(estate.alarms.len())),
        10 => companies * workloads,
        11 => 1 + servers,
        12 => 1 + jobs + pages(estate.workloads.len()),
        13 => companies * pages(estate.alarms.len()),
        14 => 3 * jobs + workloads + pages(estate.alarms.len()) + 3,
        15 => jobs + pages(estate.alarms.len()) + history,
        _ => panic!("{number}"),
    }
}

/// `cargo test --release costs -- --ignored` writes the README's table anew.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: a large estate for every question"]
async fn the_readmes_table_of_costs() {
    let mut table =
        "| question | without a graph | here, cold | here, warm |\n| --- | --- | --- | --- |\n"
            .to_owned();
    for (number, name, text) in questions() {
        // whatever a build without optimization takes
        let patience = Duration::from_secs(1_800);
        let limits = Limits {
            timeout: patience,
            ..Limits::default()
        };
        let world = World::start(Setup {
            scale: Scale::Large,
            timeout: patience,
            limits,
            ..Setup::default()
        })
        .await;
        let ask = async || -> Value {
            let body = json!({"query": text}).to_string();
            let request = world
                .client
                .post(format!("{}/graphql", world.origin))
                .header("content-type", "application/json");
            serde_json::from_str(
                &request
                    .body(body)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
            )
            .unwrap()
        };
        let (cold, warm) = (requests(&ask().await), requests(&ask().await));
        let asks = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("# ")
            .unwrap_or("Which machines, and which sessions, are behind the tape jobs?");
        let asks = asks.split_inclusive('?').next().unwrap();
        table += &format!(
            "| [{asks}](examples/queries/{name}.graphql) | {} | {cold} | {warm} |\n",
            naive(number, &world.simulator.estate())
        );
        world.stop().await;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once("<!-- costs -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /costs -->").unwrap();
    std::fs::write(
        path,
        format!("{before}<!-- costs -->\n{table}<!-- /costs -->{after}"),
    )
    .unwrap();
}
