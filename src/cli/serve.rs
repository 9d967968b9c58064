//! `veeam-graph serve`: the gateway. Never shows demo data.

use super::{bind, fail, load, stop_asked};
use crate::{app, time::Clock};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub async fn run(self) -> ExitCode {
        let config = match load(&self.config) {
            Ok(config) => config,
            Err(code) => return code,
        };
        let listener = match bind(config.server.listen) {
            Ok(listener) => listener,
            Err(error) => return fail(error),
        };
        tracing::info!(
            address = %config.server.listen,
            upstreams = config.upstreams.len(),
            version = env!("CARGO_PKG_VERSION"),
            "serving GraphQL at /graphql and GraphiQL at /graphiql"
        );
        if config.takes_anonymous() && !config.server.listen.ip().is_loopback() {
            tracing::warn!("whoever reaches this address may ask everything (auth.anonymous)");
        }
        match app::run(&config, listener, Clock::System, stop_asked()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        }
    }
}
