//! A server under test: a process of its own, on the first core.

use crate::load::{self, Asked};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A program, and how it is started.
pub struct Program {
    pub name: String,
    pub version: String,
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Where it takes a query; the floor has an answer at a path each.
    pub paths: [&'static str; 3],
    /// Whether it asks anything upstream.
    pub is_floor: bool,
}

/// How schemas differ.
#[derive(Clone, Copy)]
pub enum Dialect {
    /// The gateway's.
    Ours,
    /// Neither interfaces nor scalars of its own.
    Plain,
    /// The console's own names, in its envelopes.
    Mesh,
}

/// One that runs.
pub struct Server<'a> {
    pub program: &'a Program,
    pub port: u16,
    child: Child,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// What its schema is like.
    pub fn dialect(&self) -> Dialect {
        match self.name.split(' ').next() {
            Some("Tailcall") => Dialect::Plain,
            Some("Hive") => Dialect::Mesh,
            _ => Dialect::Ours,
        }
    }

    /// Starts it, and waits until it answers something that needs nothing upstream.
    pub async fn start(&self, port: u16, log: &Path) -> Result<Server<'_>, String> {
        let log = std::fs::File::create(log).map_err(|error| error.to_string())?;
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .args(
                self.command
                    .iter()
                    .map(|part| part.replace("{port}", &port.to_string())),
            )
            .envs(
                self.environment
                    .iter()
                    .map(|(name, value)| (name, value.replace("{port}", &port.to_string()))),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name))?;
        let server = Server {
            program: self,
            port,
            child,
        };
        let hello = Asked {
            port,
            path: self.paths[0],
            body: r#"{"query":"{ __typename }"}"#.to_owned(),
        };
        let started = Instant::now();
        while load::once(&hello).await.is_err() {
            if started.elapsed() > Duration::from_secs(30) {
                return Err(format!("{} did not start", self.name));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // the first requests of a process are not what is measured
        load::many(&hello, 4, Duration::from_secs(2), 400).await?;
        Ok(server)
    }
}

impl Server<'_> {
    /// CPU seconds so far, of all its threads.
    pub fn cpu(&self) -> f64 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        let ticks: f64 = after_name
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<f64>().ok())
            .sum();
        // the kernel's unit for user space, 100 in a second everywhere
        ticks / 100.0
    }

    /// Resident memory in MB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap_or_default();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<f64>()
            .unwrap_or_default()
            / 1_024.0
    }

    pub fn asked(&self, place: usize, body: &str) -> Asked {
        Asked {
            port: self.port,
            path: self.program.paths[place],
            body: body.to_owned(),
        }
    }
}
