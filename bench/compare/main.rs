//! The gateway beside a static floor and other gateways: the same estate, the same answers, one
//! core each.
//!
//! `bench/compare/run` builds everything, starts this and writes `bench/RESULTS.md`.
//! `compare floor PORT FOLDER` is the floor: axum with the answers as bytes.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks"
)]

mod estate;
mod load;
mod server;

use axum::{Router, http::header, routing::post};
use hyper::body::Bytes;
use serde_json::{Value, json};
use server::{Dialect, Program};
use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use veeam_graph::simulator::{API_KEY, Fault, FaultKind, Options, Simulator};

const CONNECTIONS: usize = 16;
const NAMES: [&str; 3] = ["small", "list", "walk"];
/// The gateway as it is, and with less of its memory.
const OURS: [&str; 3] = [
    "veeam-graph",
    "veeam-graph, answers not kept",
    "veeam-graph, neither answers nor rows kept",
];
const LIST: &str = "{ jobs(first: 100) { nodes { uid name status type isEnabled lastDurationSeconds scheduleType destination } } }";
/// The console's answers are passed on as they are: other names, and one level more.
const MESH: [&str; 3] = [
    "query($uid: String!) { backupServer(uid: $uid) { data { name } } }",
    "{ jobs { nodes: data { uid: instanceUid name status type isEnabled lastDurationSeconds: lastDuration scheduleType destination } } }",
    "{ backupServers { nodes: data { name version tapeLinkedJobs { nodes: data { jobUid linkedJobUid linkedJob { data { uid: instanceUid name status objects { nodes: data { uid: instanceUid computer backupStatus } } } } } } } } }",
];
/// As many requests in one round at most: load is bounded in count and time.
const MOST: usize = 400_000;

/// The three questions, as a server's schema wants them.
fn queries(dialect: Dialect) -> [String; 3] {
    let (uid, list, objects) = match dialect {
        Dialect::Ours => (
            "UUID",
            LIST,
            "... on AgentJob { objects(first: 50) { nodes { uid computer backupStatus } } }",
        ),
        Dialect::Plain => (
            "String",
            LIST,
            "objects(first: 50) { nodes { uid computer backupStatus } }",
        ),
        Dialect::Mesh => {
            return MESH.map(|query| {
                json!({"query": query, "variables": {"uid": estate::uid(1, 3)}}).to_string()
            });
        }
    };
    let small = format!("query($uid: {uid}!) {{ backupServer(uid: $uid) {{ name }} }}");
    let walk = format!(
        "{{ backupServers(first: 10) {{ nodes {{ name version tapeLinkedJobs(first: 50) {{ nodes {{ jobUid linkedJobUid linkedJob {{ uid name status {objects} }} }} }} }} }} }}"
    );
    let small = json!({"query": small, "variables": {"uid": estate::uid(1, 3)}});
    [
        small.to_string(),
        json!({"query": list}).to_string(),
        json!({"query": walk}).to_string(),
    ]
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["floor", port, folder] => {
            floor(
                port.parse().map_err(|_| "the port is no number")?,
                Path::new(folder),
            )
            .await
        }
        [binary, peers, folder, results, seconds, rounds] => {
            let (seconds, rounds) = (seconds.parse().unwrap_or(2.0), rounds.parse().unwrap_or(5));
            compare(
                binary,
                peers,
                Path::new(folder),
                Path::new(results),
                Duration::from_secs_f64(seconds),
                rounds,
            )
            .await
        }
        _ => Err("bench/compare/run starts this".to_owned()),
    }
}

/// Three answers, as bytes.
async fn floor(port: u16, folder: &Path) -> Result<(), String> {
    let mut router = Router::new();
    for name in NAMES {
        let bytes =
            Bytes::from(std::fs::read(folder.join(name)).map_err(|error| error.to_string())?);
        router = router.route(
            &format!("/{name}"),
            post(async move || ([(header::CONTENT_TYPE, "application/json")], bytes)),
        );
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| error.to_string())?;
    let listener =
        axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router)
        .await
        .map_err(|error| error.to_string())
}

/// The programs: the floor, the gateway three times, and the peers that could be installed
/// (`name⇥version⇥command`).
fn programs(
    binary: &str,
    peers: &str,
    folder: &Path,
    upstream: u16,
) -> Result<Vec<Program>, String> {
    let this = std::env::current_exe()
        .map_err(|error| error.to_string())?
        .display()
        .to_string();
    let mut programs = vec![Program {
        name: "static floor (axum)".to_owned(),
        version: "0.8".to_owned(),
        command: vec![
            this,
            "floor".to_owned(),
            "{port}".to_owned(),
            folder.display().to_string(),
        ],
        environment: Vec::new(),
        paths: ["/small", "/list", "/walk"],
        is_floor: true,
    }];
    for (number, name) in OURS.into_iter().enumerate() {
        let answers = if number == 0 { 32 << 20 } else { 0 };
        let rows = if number <= 1 { 32 << 20 } else { 0 };
        let lists = [
            "jobs",
            "agent_objects",
            "sessions",
            "links",
            "copy_jobs",
            "servers",
            "companies",
            "repositories",
        ];
        let cache: String = lists
            .iter()
            .map(|list| format!("{list} = \"1h\"\n"))
            .collect();
        let settings = format!(
            "[limits]\nkept_answers_bytes = {answers}\nkept_rows_bytes = {rows}\n[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"http://127.0.0.1:{upstream}\"\nauth = {{ api_key_env = \"UPSTREAM_KEY\" }}\nmax_concurrency = 64\n[upstream.cache]\n{cache}"
        );
        let path = folder.join(format!("{number}.toml"));
        std::fs::write(&path, settings).map_err(|error| error.to_string())?;
        programs.push(Program {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: [binary, "serve", "--config"]
                .map(str::to_owned)
                .into_iter()
                .chain([path.display().to_string()])
                .collect(),
            environment: vec![
                ("UPSTREAM_KEY".to_owned(), API_KEY.to_owned()),
                (
                    "VEEAM_GRAPH__SERVER__LISTEN".to_owned(),
                    "127.0.0.1:{port}".to_owned(),
                ),
                ("RUST_LOG".to_owned(), "warn".to_owned()),
            ],
            paths: ["/graphql"; 3],
            is_floor: false,
        });
    }
    for line in std::fs::read_to_string(peers).unwrap_or_default().lines() {
        let [name, version, command] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue;
        };
        programs.push(Program {
            name: name.to_owned(),
            version: version.to_owned(),
            command: command.split(' ').map(str::to_owned).collect(),
            environment: vec![
                (
                    "UPSTREAM".to_owned(),
                    format!("http://127.0.0.1:{upstream}/api/v3"),
                ),
                ("UPSTREAM_KEY".to_owned(), API_KEY.to_owned()),
                ("PORT".to_owned(), "{port}".to_owned()),
            ],
            paths: ["/graphql"; 3],
            is_floor: false,
        });
    }
    Ok(programs)
}

/// Answers are equal when their data are, whatever the order of rows that nobody asked to be
/// ordered, and whether a row is in an envelope.
fn canonical(bytes: &[u8]) -> Result<Value, String> {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(rows) => {
                rows.iter_mut().for_each(sort);
                rows.sort_by_key(Value::to_string);
                // the upstream lists a machine twice; the gateway knows, the others pass it on
                rows.dedup();
            }
            Value::Object(members) => {
                members.values_mut().for_each(sort);
                if let (1, Some(row)) = (members.len(), members.get_mut("data")) {
                    *value = row.take();
                }
            }
            _ => {}
        }
    }
    let mut answer: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if answer.get("errors").is_some() {
        return Err(answer["errors"].to_string());
    }
    let mut data = answer["data"].take();
    sort(&mut data);
    Ok(data)
}

#[derive(Default)]
struct Row {
    /// By query: CPU microseconds per request, requests per second, p99; a round each.
    warm: [Vec<[f64; 3]>; 3],
    memory: f64,
    cold_requests: Option<usize>,
    warm_requests: usize,
    cold: BTreeMap<u64, Vec<f64>>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn compare(
    binary: &str,
    peers: &str,
    folder: &Path,
    results: &Path,
    time: Duration,
    rounds: usize,
) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let simulator = Simulator::new(estate::estate(), Options::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .map_err(|error| error.to_string())?;
    let upstream = listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port();
    tokio::spawn(simulator.clone().run(listener, std::future::pending()));
    let programs = programs(binary, peers, folder, upstream)?;
    let log = |place: usize| -> PathBuf { folder.join(format!("{place}.log")) };
    let mut rows: Vec<Row> = programs.iter().map(|_| Row::default()).collect();
    let mut expected: Vec<Value> = Vec::new();

    // cold: each in a fresh process; the gateway's answers are what the others' are held against,
    // and what the floor serves
    for (place, program) in programs
        .iter()
        .enumerate()
        .filter(|(_, program)| !program.is_floor)
    {
        for delay in [0, 5, 50] {
            for _ in 0..3 {
                simulator.faults.clear();
                if delay > 0 {
                    let kind = FaultKind::Delay {
                        milliseconds: delay,
                    };
                    simulator.faults.add([Fault {
                        path: "*".to_owned(),
                        times: None,
                        kind,
                    }]);
                }
                let server = program.start(free_port()?, &log(place)).await?;
                simulator.take_requests();
                let started = Instant::now();
                let answer = load::once(&server.asked(2, &queries(program.dialect())[2]))
                    .await
                    .map_err(|error| format!("{}: {error}", program.name))?;
                rows[place]
                    .cold
                    .entry(delay)
                    .or_default()
                    .push(started.elapsed().as_secs_f64() * 1_000.0);
                rows[place].cold_requests = Some(simulator.take_requests().len());
                canonical(&answer).map_err(|error| format!("{}: {error}", program.name))?;
                if delay == 0 && place == 1 && expected.is_empty() {
                    for (number, query) in queries(Dialect::Ours).iter().enumerate() {
                        let bytes = load::once(&server.asked(number, query)).await?;
                        expected.push(canonical(&bytes)?);
                        std::fs::write(folder.join(NAMES[number]), bytes)
                            .map_err(|error| error.to_string())?;
                    }
                }
            }
        }
    }
    simulator.faults.clear();

    // warm: all of them started, each asked in turn, round after round
    let mut servers = Vec::new();
    for (place, program) in programs.iter().enumerate() {
        let server = program.start(free_port()?, &log(place)).await?;
        for (number, query) in queries(program.dialect()).iter().enumerate() {
            let asked = server.asked(number, query);
            let answer = canonical(&load::once(&asked).await?)
                .map_err(|error| format!("{}: {error}", program.name))?;
            if answer != expected[number] {
                std::fs::write(folder.join("other.json"), answer.to_string())
                    .map_err(|error| error.to_string())?;
                return Err(format!(
                    "{} answers {} otherwise: {}",
                    program.name,
                    NAMES[number],
                    folder.join("other.json").display()
                ));
            }
            load::many(&asked, CONNECTIONS, time / 2, MOST).await?;
        }
        simulator.take_requests();
        servers.push(server);
    }
    for round in 0..rounds {
        for (number, name) in NAMES.iter().enumerate() {
            for (place, server) in servers.iter().enumerate() {
                let (cpu, started) = (server.cpu(), Instant::now());
                let counted = load::many(
                    &server.asked(number, &queries(server.program.dialect())[number]),
                    CONNECTIONS,
                    time,
                    MOST,
                )
                .await?;
                let (spent, took) = (server.cpu() - cpu, started.elapsed().as_secs_f64());
                let slowest = counted
                    .milliseconds
                    .get(counted.answers * 99 / 100)
                    .copied()
                    .unwrap_or(f64::NAN);
                let answers = counted.answers as f64;
                rows[place].warm[number].push([spent * 1e6 / answers, answers / took, slowest]);
                rows[place].warm_requests += simulator.take_requests().len();
                rows[place].memory = server.memory();
            }
            eprintln!("round {} of {rounds}: {}", round + 1, name);
        }
    }
    drop(servers);
    let text = table(&programs, &rows, rounds, time);
    println!("{text}");
    std::fs::write(results, text).map_err(|error| error.to_string())?;
    judge(&rows, folder)
}

fn free_port() -> Result<u16, String> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
    Ok(listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port())
}

fn figure(row: &Row, number: usize, column: usize) -> f64 {
    median(row.warm[number].iter().map(|round| round[column]).collect())
}

/// The table, in Markdown.
fn table(programs: &[Program], rows: &[Row], rounds: usize, time: Duration) -> String {
    let mut text = format!(
        "| | version | small: CPU µs | x floor | p99 ms | list: CPU µs | x floor | p99 ms | walk: CPU µs | x floor | p99 ms | walk: per s | RSS MB | upstream calls, cold walk | warm | cold walk ms at 0 / 5 / 50 ms |\n|{}\n",
        " --- |".repeat(16)
    );
    for (program, row) in programs.iter().zip(rows) {
        let _ = write!(text, "| {} | {} |", program.name, program.version);
        for number in 0..NAMES.len() {
            let cpu = figure(row, number, 0);
            let _ = write!(
                text,
                " {cpu:.1} | {:.2} | {:.2} |",
                cpu / figure(&rows[0], number, 0),
                figure(row, number, 2)
            );
        }
        let cold: Vec<String> = row
            .cold
            .values()
            .map(|times| format!("{:.0}", median(times.clone())))
            .collect();
        let calls = row
            .cold_requests
            .map_or("-".to_owned(), |calls| calls.to_string());
        let _ = writeln!(
            text,
            " {:.0} | {:.0} | {calls} | {} | {} |",
            figure(row, 2, 1),
            row.memory,
            row.warm_requests,
            if cold.is_empty() {
                "-".to_owned()
            } else {
                cold.join(" / ")
            },
        );
    }
    let _ = writeln!(
        text,
        "\n{rounds} rounds of {:.1} s for each query and server in turn, {CONNECTIONS} connections, medians; the server on one core, load and upstream on another. Answers not kept: fields of the query and rows are, as JSON; a request is read, weighed, and put together from those that are current. Neither kept: every field is resolved.",
        time.as_secs_f64()
    );
    text
}

/// Compares with the ratios that are kept beside this, if they are; fails where one is worse by
/// more than a quarter. What else runs on the machine makes a round worse, never better: the best
/// round is held against the median that was kept.
fn judge(rows: &[Row], folder: &Path) -> Result<(), String> {
    let ratios = |place: usize, number: usize| -> Vec<f64> {
        rows[place].warm[number]
            .iter()
            .zip(&rows[0].warm[number])
            .map(|(ours, floor)| ours[0] / floor[0])
            .collect()
    };
    let all = |of: fn(Vec<f64>) -> f64| -> Vec<[f64; 3]> {
        (1..=OURS.len())
            .map(|place| [0, 1, 2].map(|number| of(ratios(place, number))))
            .collect()
    };
    std::fs::write(folder.join("ratios.json"), json!(all(median)).to_string())
        .map_err(|error| error.to_string())?;
    let Ok(kept) = std::fs::read("bench/compare/ratios.json") else {
        return Ok(());
    };
    let kept: Vec<[f64; 3]> = serde_json::from_slice(&kept).map_err(|error| error.to_string())?;
    let best = all(|ratios| ratios.into_iter().fold(f64::INFINITY, f64::min));
    for ((now, kept), who) in best.iter().zip(&kept).zip(OURS) {
        for (number, name) in NAMES.iter().enumerate() {
            if now[number] > kept[number] * 1.25 {
                return Err(format!(
                    "{name}, {who}: {:.2} x the floor's CPU; it was {:.2}",
                    now[number], kept[number]
                ));
            }
        }
    }
    Ok(())
}
