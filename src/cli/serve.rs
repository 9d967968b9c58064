//! `veeam-graph serve`: the gateway. Never shows demo data.

use super::{EXIT_CONFIG, bind, complain, fail, stop_asked, told};
use crate::{
    app::{self, Source},
    config::Config,
    time::Clock,
};
use clap::Args;
use listenfd::ListenFd;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
};

/// Open files beside those of connections: of upstreams, the log, the runtime.
const OTHER_FILES: u64 = 128;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub async fn run(self) -> ExitCode {
        let (outcome, files) = Config::load_with_files(&self.config);
        let mut config = match told(&self.config, outcome) {
            Ok(config) => config,
            Err(code) => return code,
        };
        let source = Source {
            file: self.config,
            files,
            loaded: config.clone(),
            asked: hang_ups(),
        };
        let (listener, address) = match listener(config.server.listen) {
            Ok(listener) => listener,
            Err(error) => return fail(error),
        };
        // a socket that is handed over may be elsewhere
        if let Err(problems) = config.listen_at(address) {
            complain(format!(
                "the configuration is wrong for {address}:\n\n{problems}"
            ));
            return ExitCode::from(EXIT_CONFIG);
        }
        count_files(&config);
        tracing::info!(
            %address,
            upstreams = config.upstreams.len(),
            version = env!("CARGO_PKG_VERSION"),
            "serving GraphQL at /graphql and GraphiQL at /graphiql"
        );
        if config.takes_anonymous() && !address.ip().is_loopback() {
            tracing::warn!("whoever reaches this address may ask everything (auth.anonymous)");
        }
        let (asked, asked_again) = oneshot::channel();
        let stop = async {
            stop_asked().await;
            tokio::spawn(async {
                stop_asked().await;
                asked.send(())
            });
        };
        // whoever asks twice does not want to wait
        let hurry = async { drop(asked_again.await) };
        match app::run_until(&config, listener, Clock::System, stop, hurry, Some(source)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        }
    }
}

/// Notified with each SIGHUP, which from now on no longer ends the process.
fn hang_ups() -> Arc<Notify> {
    let asked = Arc::new(Notify::new());
    #[cfg(unix)]
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        Ok(mut signal) => {
            let asked = asked.clone();
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    asked.notify_one();
                }
            });
        }
        Err(error) => tracing::warn!(%error, "SIGHUP can't be heard"),
    }
    asked
}

/// The socket that systemd hands over (`LISTEN_FDS`), or one of our own; and where it is.
fn listener(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let mut given = ListenFd::from_env();
    let listener = match given.len() {
        0 => bind(address)?,
        1 => {
            let told = |error: std::io::Error| {
                format!("the socket that was handed over (LISTEN_FDS) can't be used: {error}")
            };
            let listener = given
                .take_tcp_listener(0)
                .map_err(told)?
                .ok_or("the socket that was handed over is gone")?;
            listener.set_nonblocking(true).map_err(told)?;
            TcpListener::from_std(listener).map_err(told)?
        }
        count => {
            return Err(format!(
                "{count} sockets were handed over (LISTEN_FDS); one is wanted"
            ));
        }
    };
    let address = listener.local_addr().unwrap_or(address);
    Ok((listener, address))
}

/// Asks for as many open files as there may be, and says so where they are fewer than connections.
fn count_files(config: &Config) {
    #[cfg(unix)]
    if let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) {
        let wanted = config.limits.connections as u64 + OTHER_FILES;
        if files < wanted {
            tracing::warn!(
                files,
                connections = config.limits.connections,
                "the system allows fewer open files than limits.connections needs ({wanted}): raise its limit (LimitNOFILE, ulimit -n), or lower limits.connections"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = (config, OTHER_FILES);
}
