//! Documents that are meant to hurt, against the binary itself: none ends it, none gets a 5xx, none is echoed at length.
//!
//! `HOSTILE_GENERATED` sets how many are made up beside the named ones. `VEEAM_GRAPH_BINARY` names another binary, and
//! `HOSTILE_CPU_MS` and `HOSTILE_RSS_MB` what one document may cost it: CI asks that of the release build.

mod documents;

use self::documents::{generated, named, query};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
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
        let binary = std::env::var_os("VEEAM_GRAPH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_veeam-graph").into());
        let mut child = Command::new(binary)
            .args(["demo", "--listen", "127.0.0.1:0"])
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let origin =
            lines.find_map(|line| Some(line.trim().strip_prefix("GraphQL")?.trim().trim_end_matches("/graphql").to_owned())).unwrap();
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
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok()).unwrap();
        let peak = (field("VmRSS:"), field("VmHWM:"));
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5");
        peak
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_meant_to_hurt_are_answered_in_few_words_and_end_nothing() {
    let victim = Victim::start();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let named = named();
    assert!(named.len() >= 300, "{}", named.len());
    let made_up = generated(setting("HOSTILE_GENERATED").unwrap_or(1_000));
    // the lists are read once, so that what follows is the documents' own cost
    for warm in [
        "{ jobs { nodes { tape { status } backupServer { name } } } agentJobObjects { totalCount } agentSessions { totalCount } companies { totalCount } fleetHealth { key } }",
        "{ tapeLinkedJobs { totalCount } }",
    ] {
        client
            .post(format!("{}/graphql", victim.origin))
            .header("content-type", "application/json")
            .body(query(warm))
            .send()
            .await
            .unwrap();
    }
    let (max_cpu, max_memory) = (setting("HOSTILE_CPU_MS").map(|ms| ms * 1_000), setting("HOSTILE_RSS_MB").map(|mb| mb * 1_024));
    let (mut worst_cpu, mut worst_memory, mut count) = ((0, String::new()), (0, String::new()), 0u64);
    for (name, body) in named.into_iter().chain(made_up) {
        let (before, _) = victim.memory();
        let spent = victim.cpu();
        let request = client.post(format!("{}/graphql", victim.origin)).header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let (cpu, memory) = (victim.cpu().saturating_sub(spent), victim.memory().1.saturating_sub(before));
        assert!(status < 500, "{name}: {status} {text:.300}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{name}: no JSON: {text:.300}"));
        let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(errors.len() <= 100, "{name}: {} errors", errors.len());
        for error in errors {
            let message = error["message"].as_str().unwrap();
            assert!(message.chars().count() <= 300 && error["extensions"]["code"].is_string(), "{name}: {error}");
            assert_ne!(error["extensions"]["code"], "INTERNAL", "{name}: {error}");
        }
        if cpu > worst_cpu.0 {
            worst_cpu = (cpu, name.clone());
        }
        if memory > worst_memory.0 {
            worst_memory = (memory, name.clone());
        }
        assert!(max_cpu.is_none_or(|max| cpu <= max), "{name}: {cpu} microseconds of CPU");
        assert!(max_memory.is_none_or(|max| memory <= max), "{name}: {memory} KiB more");
        count += 1;
    }
    eprintln!(
        "{count} documents; worst CPU {} µs ({}); worst growth {} KiB ({})",
        worst_cpu.0, worst_cpu.1, worst_memory.0, worst_memory.1
    );
}
