//! Documents and arguments that are meant to hurt, against the binary itself: none ends it, none
//! gets a 5xx, none is echoed at length.
//!
//! `HOSTILE_GENERATED` sets how many are made up beside the named ones, `HOSTILE_ARGUMENTS` how
//! many questions with arguments that are made up (`HOSTILE_ARGUMENTS_CPU_RATIO` is for these: 40
//! is what is wanted of what is built optimized). `VEEAM_GRAPH_BINARY` names another binary, and
//! `HOSTILE_LIVE_MS` says how long `/health/live` may take meanwhile. `HOSTILE_CPU_RATIO` and
//! `HOSTILE_RSS_MB` what one document may cost it: CI asks that of the release build. CPU is held
//! against an honest question to the same process, and what seems too dear is asked of a fresh one
//! again: what else the machine does makes it dearer, never cheaper.

mod documents;
mod inputs;

use self::{
    documents::{generated, named, query},
    inputs::Inputs,
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// A process that is watched and ended with its test.
struct Victim {
    child: Child,
    origin: String,
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

impl Victim {
    fn start() -> Self {
        let binary = std::env::var_os("VEEAM_GRAPH_BINARY")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_veeam-graph").into());
        let mut child = Command::new(binary)
            .args(["demo", "--listen", "127.0.0.1:0"])
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let origin = lines
            .find_map(|line| {
                Some(
                    line.trim()
                        .strip_prefix("GraphQL")?
                        .trim()
                        .trim_end_matches("/graphql")
                        .to_owned(),
                )
            })
            .unwrap();
        // what it goes on to say must not fill the pipe
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, origin }
    }

    /// CPU time so far, of all threads, in microseconds.
    fn cpu(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_task = |task: std::io::Result<std::fs::DirEntry>| {
            let spent = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            spent.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.filter_map(of_task).sum::<u64>() / 1_000
    }

    /// Resident memory now, and the most since the last call, in KiB.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .split_whitespace()
                        .next()?
                        .parse::<u64>()
                        .ok()
                })
                .unwrap()
        };
        let peak = (field("VmRSS:"), field("VmHWM:"));
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
        peak
    }
}

/// What a document cost: CPU in microseconds, and memory beyond what was there, in KiB.
struct Cost {
    cpu: u64,
    memory: u64,
}

/// The lists are read once, so that what follows is the documents' own cost.
const LISTS: [&str; 2] = [
    "{ jobs { nodes { tape { status } backupServer { name } } } agentJobObjects { totalCount } agentSessions { totalCount } companies { totalCount } fleetHealth { key } }",
    "{ tapeLinkedJobs { totalCount } }",
];
/// An honest question, of which the median of so many is the floor.
const HONEST: usize = 9;
/// How many of the dearest are told of.
const DEAREST: usize = 8;
/// How often a document that seems too dear is asked of a fresh process.
const AGAIN: usize = 12;

impl Victim {
    async fn ask(
        &self,
        client: &reqwest::Client,
        name: &str,
        body: Vec<u8>,
    ) -> (u16, String, Cost) {
        let (before, spent) = (self.memory().0, self.cpu());
        let request = client
            .post(format!("{}/graphql", self.origin))
            .header("content-type", "application/json")
            .body(body);
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let cost = Cost {
            cpu: self.cpu().saturating_sub(spent),
            memory: self.memory().1.saturating_sub(before),
        };
        (status, text, cost)
    }

    /// A process that has read its lists, and the CPU that an honest question costs it, each time
    /// by a document of its own.
    async fn ready(client: &reqwest::Client) -> (Self, u64) {
        let victim = Self::start();
        for lists in LISTS {
            victim.ask(client, lists, query(lists)).await;
        }
        let mut honest = Vec::with_capacity(HONEST);
        for at in 0..HONEST {
            let question = query(format!(
                "query Jobs{at} {{ jobs(first: 50) {{ totalCount nodes {{ id name health tape {{ status reason }} backupServer {{ id name }} }} }} }}"
            ));
            let (status, text, cost) = victim.ask(client, "an honest question", question).await;
            assert!(status == 200 && !text.contains("\"errors\""), "{text:.300}");
            honest.push(cost.cpu);
        }
        honest.sort_unstable();
        (victim, honest[HONEST / 2])
    }
}

/// How long the longest of many looks at `/health/live` took, from now on until this is dropped.
struct Watch {
    longest: Arc<Mutex<Duration>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn begin(victim: &Victim, client: &reqwest::Client) -> Self {
        let (longest, client, at) = (
            Arc::new(Mutex::default()),
            client.clone(),
            format!("{}/health/live", victim.origin),
        );
        let noted = longest.clone();
        let watching = tokio::spawn(async move {
            loop {
                let began = Instant::now();
                let alive = client
                    .get(&at)
                    .send()
                    .await
                    .is_ok_and(|response| response.status() == 200);
                let took = if alive {
                    began.elapsed()
                } else {
                    Duration::MAX
                };
                noted
                    .lock()
                    .map(|mut longest: std::sync::MutexGuard<'_, Duration>| {
                        *longest = took.max(*longest)
                    })
                    .unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { longest, watching }
    }

    fn longest(&self) -> Duration {
        *self.longest.lock().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_meant_to_hurt_are_answered_in_few_words_and_end_nothing() {
    let mut inputs = Inputs::of_schema();
    assert!(inputs.places() >= 80, "{}", inputs.places());
    let count = setting("HOSTILE_ARGUMENTS").unwrap_or(300);
    let max_ratio = setting("HOSTILE_ARGUMENTS_CPU_RATIO");
    attack(
        (0..count).map(move |at| {
            let (name, body) = inputs.next_body();
            (format!("{at}: {name}"), body)
        }),
        max_ratio,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_meant_to_hurt_are_answered_in_few_words_and_end_nothing() {
    let named = named();
    assert!(named.len() >= 300, "{}", named.len());
    let made_up = generated(setting("HOSTILE_GENERATED").unwrap_or(1_000));
    attack(
        named.into_iter().chain(made_up),
        setting("HOSTILE_CPU_RATIO"),
    )
    .await;
}

/// Sends each body to one process, which answers all of them, and at no time keeps others waiting.
async fn attack(bodies: impl Iterator<Item = (String, Vec<u8>)>, max_ratio: Option<u64>) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (victim, floor) = Victim::ready(&client).await;
    let watch = Watch::begin(&victim, &client);
    let max_memory = setting("HOSTILE_RSS_MB").map(|mb| mb * 1_024);
    let (mut dearest, mut worst_memory, mut count) =
        (Vec::<(u64, String)>::new(), (0, String::new()), 0u64);
    for (name, body) in bodies {
        let (status, text, mut cost) = victim.ask(&client, &name, body.clone()).await;
        assert!(status < 500, "{name}: {status} {text:.300}");
        let answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{name}: no JSON: {text:.300}"));
        let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
        // fields of rows that can't be answered have one each
        let of_document = errors
            .iter()
            .filter(|error| error.get("path").is_none())
            .count();
        assert!(of_document <= 100, "{name}: {of_document} errors");
        for error in errors {
            let message = error["message"].as_str().unwrap();
            // what a field refuses says where in its arguments that was
            let most = if error.get("path").is_some() {
                1_201
            } else {
                300
            };
            assert!(
                message.chars().count() <= most && error["extensions"]["code"].is_string(),
                "{name}: {error}"
            );
            assert_ne!(error["extensions"]["code"], "INTERNAL", "{name}: {error}");
        }
        let mut floor = floor;
        for _ in 0..AGAIN {
            if max_ratio.is_none_or(|max| cost.cpu <= max * floor) {
                break;
            }
            eprintln!(
                "{name}: {} microseconds of CPU, {floor} for an honest question; once more",
                cost.cpu
            );
            let fresh;
            (fresh, floor) = Victim::ready(&client).await;
            cost.cpu = fresh.ask(&client, &name, body.clone()).await.2.cpu;
        }
        let ratio = cost.cpu / floor.max(1);
        if ratio > dearest.first().map_or(0, |(ratio, _)| *ratio) {
            dearest.push((ratio, name.clone()));
            dearest.sort();
            if dearest.len() > DEAREST {
                dearest.remove(0);
            }
            // to be sent again by hand
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("hostile-{}.json", std::process::id()));
            if dearest.last().is_some_and(|(_, dearest)| *dearest == name) {
                std::fs::write(kept, &body).unwrap();
            }
        }
        if cost.memory > worst_memory.0 {
            worst_memory = (cost.memory, name.clone());
        }
        assert!(
            max_ratio.is_none_or(|max| cost.cpu <= max * floor),
            "{name}: {} microseconds of CPU, {floor} for an honest question",
            cost.cpu
        );
        assert!(
            max_memory.is_none_or(|max| cost.memory <= max),
            "{name}: {} KiB more",
            cost.memory
        );
        count += 1;
    }
    let (longest, most) = (
        watch.longest(),
        setting("HOSTILE_LIVE_MS").map(Duration::from_millis),
    );
    eprintln!("/health/live took {longest:?} at most");
    assert!(
        longest < Duration::MAX && most.is_none_or(|most| longest <= most),
        "/health/live: {longest:?}"
    );
    for (ratio, name) in dearest.iter().rev() {
        eprintln!("{ratio} x an honest question ({floor} µs of CPU): {name}");
    }
    eprintln!(
        "{count} bodies; worst growth {} KiB ({})",
        worst_memory.0, worst_memory.1
    );
}
