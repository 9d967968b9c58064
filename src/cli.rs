//! The command line: one command each, and what their exit codes mean.
//!
//! 0 success, 1 something failed while running, 2 the command line is wrong, 64 the configuration
//! is wrong.

mod check;
mod demo;
mod key;
mod log;
mod schema;
mod serve;
mod simulate;

use crate::{
    http,
    simulator::{ApiVersion, Casing, Options},
};
use clap::{Parser, Subcommand, ValueEnum};
use std::{process::ExitCode, time::Duration};
use tokio::net::TcpListener;

/// Of each worker: eight times what the deepest query that is allowed was seen to take in a debug
/// build.
const STACK_BYTES: usize = 32 << 20;

/// The exit code for a wrong configuration (`EX_USAGE` of BSD).
const EXIT_CONFIG: u8 = 64;

/// One GraphQL graph over the REST APIs of a Veeam estate. Not affiliated with Veeam.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a simulated estate and the gateway over it, through real HTTP. Needs no settings.
    Demo(demo::Demo),
    /// Run the gateway.
    Serve(serve::Serve),
    /// Run only the simulated APIs.
    Simulate(simulate::Simulate),
    /// Check the configuration, reach and sign in to every upstream, and print a table. Exits with
    /// 1 on any failure.
    Check(check::Check),
    /// Print the schema.
    Schema(schema::Schema),
    /// Make an API key, and the digest of it for the configuration.
    Key(key::Key),
}

/// Which versions of the vendors' APIs are simulated.
#[derive(Debug, clap::Args)]
struct Versions {
    /// The version of Service Provider Console's REST API: 3.2, 3.3, 3.4, 3.5, 3.5.1, 3.6.2 or
    /// 3.7.
    #[arg(long, default_value = "3.6.2", value_name = "VERSION", value_parser = api_version)]
    api_version: ApiVersion,
    /// The version of Enterprise Manager: 12 (JSON in Pascal case) or 13 (in camel case).
    #[arg(long, default_value = "12", value_name = "VERSION", value_parser = casing)]
    enterprise_manager: Casing,
}

impl Versions {
    fn options(&self) -> Options {
        Options {
            version: self.api_version,
            casing: self.enterprise_manager,
            ..Options::default()
        }
    }
}

fn api_version(text: &str) -> Result<ApiVersion, String> {
    let names = ApiVersion::ALL.map(ApiVersion::name);
    ApiVersion::named(text).ok_or_else(|| format!("must be one of {}", names.join(", ")))
}

fn casing(text: &str) -> Result<Casing, String> {
    match text {
        "12" => Ok(Casing::Pascal),
        "13" => Ok(Casing::Camel),
        _ => Err("must be 12 or 13".to_owned()),
    }
}

/// How large a simulated estate is.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Scale {
    /// 4 servers, some 40 jobs.
    #[default]
    Small,
    /// 20 servers, 237 jobs, 300 machines, 2,370 sessions.
    Medium,
    /// 120 servers, 3,000 jobs, 10,000 machines, 90,000 sessions.
    Large,
    /// 1,200 servers, 30,000 jobs, 100,000 machines, 900,000 sessions.
    Huge,
}

impl From<Scale> for crate::simulator::Scale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Small => Self::Small,
            Scale::Medium => Self::Medium,
            Scale::Large => Self::Large,
            Scale::Huge => Self::Huge,
        }
    }
}

impl Cli {
    /// Runs the command and gives the exit code.
    pub fn run(self) -> ExitCode {
        let quiet = matches!(
            self.command,
            Command::Demo(_) | Command::Check(_) | Command::Schema(_) | Command::Key(_)
        );
        log::start(if quiet { "error" } else { "info" });
        match self.command {
            Command::Schema(command) => command.run(),
            Command::Key(command) => command.run(),
            command => on_runtime(command),
        }
    }
}

/// Runs a command that speaks to others.
fn on_runtime(command: Command) -> ExitCode {
    // validation and execution go as deep as a query does; what is not touched costs nothing
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("the runtime could not be started: {error}")),
    };
    let code = runtime.block_on(async {
        match command {
            Command::Demo(command) => command.run().await,
            Command::Serve(command) => command.run().await,
            Command::Simulate(command) => command.run().await,
            Command::Check(command) => command.run().await,
            Command::Schema(command) => command.run(),
            Command::Key(command) => command.run(),
        }
    });
    // reads that still hang upstream must not keep the process
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

fn fail(message: impl std::fmt::Display) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}

#[allow(
    clippy::print_stderr,
    reason = "what a command has to say to the person who ran it"
)]
fn complain(message: impl std::fmt::Display) {
    eprintln!("veeam-graph: {message}");
}

#[allow(clippy::print_stdout, reason = "what a command is run for")]
fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

fn bind(address: std::net::SocketAddr) -> Result<TcpListener, String> {
    http::listen(address).map_err(|error| format!("can't listen on {address}: {error}"))
}

/// Ends with Ctrl-C or SIGTERM.
async fn stop_asked() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// Reads the configuration; says everything that is wrong with it.
fn load(path: &std::path::Path) -> Result<crate::config::Config, ExitCode> {
    told(path, crate::config::Config::load(path))
}

/// Says everything that is wrong with a configuration.
fn told(
    path: &std::path::Path,
    outcome: Result<crate::config::Config, crate::config::Problems>,
) -> Result<crate::config::Config, ExitCode> {
    outcome.map_err(|problems| {
        complain(format!(
            "the configuration {} is wrong:\n\n{problems}",
            path.display()
        ));
        ExitCode::from(EXIT_CONFIG)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
