//! `veeam-graph demo`: the simulated APIs and the gateway over them, in one process, through real
//! HTTP.

use super::{Scale, Versions, bind, fail, say, stop_asked};
use crate::{
    app,
    config::{self, Auth, Cache, Config, Kind, Tls, Upstream},
    http,
    simulator::{API_KEY, PASSWORD, Simulator, USER, generate},
    time::Clock,
};
use clap::Args;
use std::{net::SocketAddr, process::ExitCode, time::Duration};
use tokio::sync::watch;
use url::Url;

/// The query that the demo asks people to try first; the README's first example.
pub const TAPE_WALK: &str = include_str!("../../examples/queries/04-tape-walk.graphql");

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to listen.
    #[arg(long, default_value = config::DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A name that it may be asked under, beside localhost and its address; more than once for
    /// several.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// How large an estate.
    #[arg(long, value_enum, default_value_t)]
    scale: Scale,
    /// Which estate: the same number gives the same one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    versions: Versions,
}

impl Demo {
    pub async fn run(self) -> ExitCode {
        match self.start().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(error),
        }
    }

    async fn start(self) -> Result<(), String> {
        let listener = bind(self.listen)?;
        let address = listener.local_addr().unwrap_or(self.listen);
        let apis = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let apis_at = apis.local_addr().map_err(|error| error.to_string())?;
        let estate = generate::generate(self.scale.into(), self.seed, jiff::Timestamp::now());
        let (servers, jobs, machines, sessions) = (
            estate.servers.len(),
            estate.jobs.len(),
            estate.machines.len(),
            estate.sessions.len(),
        );
        let simulator = Simulator::new(estate, self.versions.options());

        let (stop, stopped) = watch::channel(());
        let mut simulator_stopped = stopped.clone();
        let simulation = tokio::spawn(
            simulator.run(apis, async move { drop(simulator_stopped.changed().await) }),
        );
        let (page, note) = match http::WHY_NO_GRAPHIQL {
            None => ("GraphiQL", String::new()),
            Some(reason) => (
                "Explorer",
                format!("\n            (the small one, not GraphiQL: {reason})"),
            ),
        };
        say(format!(
            "veeam-graph demo: a simulated estate of {servers} servers, {jobs} jobs, {machines} machines and {sessions} sessions. No real data.\n\n  \
             {page:<9} http://{address}/graphiql{note}\n  \
             GraphQL   http://{address}/graphql\n  \
             The APIs  http://{apis_at}/ (Service Provider Console, Enterprise Manager, v2)\n\n\
             Paste this query:\n\n{}\n\
             Ctrl-C stops it.",
            TAPE_WALK
                .trim_end()
                .lines()
                .map(|line| format!("  {line}\n"))
                .collect::<String>()
        ));
        let mut gateway_stopped = stopped;
        let config = configuration(address, self.hosts, apis_at)?;
        let gateway = app::run(&config, listener, Clock::System, async move {
            drop(gateway_stopped.changed().await)
        });
        let stopping = async {
            stop_asked().await;
            drop(stop);
        };
        let (outcome, ()) = tokio::join!(gateway, stopping);
        // the gateway has signed off by now; nobody else is asking
        simulation.abort();
        outcome
    }
}

/// The gateway's settings for the three simulated APIs at one address.
fn configuration(
    listen: SocketAddr,
    hosts: Vec<String>,
    apis: SocketAddr,
) -> Result<Config, String> {
    let url = Url::parse(&format!("http://{apis}")).map_err(|error| error.to_string())?;
    let password = || Auth::Password {
        username: USER.to_owned(),
        password: PASSWORD.into(),
    };
    let upstream = |name: &str, kind, auth| Upstream {
        name: name.to_owned(),
        kind,
        url: url.clone(),
        auth,
        tls: Tls::System,
        timeout: Duration::from_secs(30),
        max_concurrency: 8,
        session_window: Duration::from_secs(30 * 86_400),
        cache: Cache::default(),
        client_version: None,
    };
    Ok(Config {
        // no balancer has to learn of it
        server: config::Server {
            leave: Duration::ZERO,
            drain: Duration::from_secs(5),
            hosts,
            ..config::Server::at(listen)
        },
        // wherever it listens: what it shows is invented
        auth: config::Access {
            anonymous: Some(true),
            ..config::Access::default()
        },
        limits: config::Limits::default(),
        operations: config::Operations::default(),
        upstreams: vec![
            upstream("msp", Kind::Vspc, Auth::ApiKey(API_KEY.into())),
            upstream("em", Kind::EnterpriseManager, password()),
            upstream("agents", Kind::Vac, password()),
        ],
    })
}
