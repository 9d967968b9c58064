//! Puts the parts together: settings in, a running gateway out. The only place that knows every
//! layer.

mod reload;

pub use reload::Source;

use self::reload::Reloader;
use crate::{
    config::{self, Config},
    estate::{Estate, Lifetimes, UpstreamConfig},
    graph,
    http::{self, Gateway, Live, serve, serve_metrics},
    supervise::supervise,
    time::Clock,
    upstream::settings::{Credentials, Kind, Settings, SharedConnection, Trust},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    task::JoinSet,
};

/// The upstreams as they are configured at present.
type Current = watch::Receiver<Arc<Estate>>;

/// How often sessions that end when idle are renewed; the shortest ends after 15 minutes.
const KEEP_ALIVE: Duration = Duration::from_secs(5 * 60);
/// How often every upstream is asked for a sign of life, whoever asks or not.
const PROBE: Duration = Duration::from_secs(60);
/// How long a refused password is not tried again at first; each further refusal makes it four
/// times as long.
const SIGN_IN_PAUSE: Duration = Duration::from_secs(60);

/// What an upstream is opened with, from its settings.
fn opening(upstream: &config::Upstream) -> UpstreamConfig {
    let settings = Settings {
        name: upstream.name.as_str().into(),
        kind: match upstream.kind {
            config::Kind::Vspc => Kind::Vspc,
            config::Kind::Vac => Kind::Vac,
            config::Kind::EnterpriseManager => Kind::EnterpriseManager,
        },
        url: upstream.url.clone(),
        credentials: match upstream.auth.clone() {
            config::Auth::ApiKey(key) => Credentials::ApiKey(key),
            config::Auth::Password { username, password } => {
                Credentials::Password { username, password }
            }
            config::Auth::Passthrough => Credentials::OfCaller(None),
        },
        trust: match upstream.tls.clone() {
            config::Tls::System => Trust::System,
            config::Tls::Roots(pem) => Trust::Roots(pem),
            config::Tls::Pinned(fingerprint) => Trust::Pinned(fingerprint),
            config::Tls::Insecure => Trust::Insecure,
        },
        timeout: upstream.timeout,
        max_concurrency: upstream.max_concurrency,
        line: SharedConnection::default(),
        client_version: upstream.client_version.clone(),
        dialect: Arc::default(),
        sign_in_pause: SIGN_IN_PAUSE,
    };
    UpstreamConfig {
        settings,
        lifetimes: lifetimes(upstream.cache),
        session_window: upstream.session_window,
    }
}

fn lifetimes(cache: config::Cache) -> Lifetimes {
    let usual = Lifetimes::default();
    Lifetimes {
        jobs: cache.jobs.unwrap_or(usual.jobs),
        agent_objects: cache.agent_objects.unwrap_or(usual.agent_objects),
        sessions: cache.sessions.unwrap_or(usual.sessions),
        links: cache.links.unwrap_or(usual.links),
        copy_jobs: cache.copy_jobs.unwrap_or(usual.copy_jobs),
        servers: cache.servers.unwrap_or(usual.servers),
        companies: cache.companies.unwrap_or(usual.companies),
        repositories: cache.repositories.unwrap_or(usual.repositories),
        agent_jobs_v2: cache.agent_jobs.unwrap_or(usual.agent_jobs_v2),
        alarms: cache.alarms.unwrap_or(usual.alarms),
        workloads: cache.workloads.unwrap_or(usual.workloads),
        licenses: cache.licenses.unwrap_or(usual.licenses),
        max_stale: cache.max_stale.unwrap_or(usual.max_stale),
        failure: cache.failure.unwrap_or(usual.failure),
    }
}

fn openings(config: &Config) -> Vec<UpstreamConfig> {
    config.upstreams.iter().map(opening).collect()
}

/// Says of upstreams what makes them insecure.
fn warn_of_insecure<'a>(upstreams: impl Iterator<Item = &'a config::Upstream>) {
    for upstream in upstreams {
        if matches!(upstream.tls, config::Tls::Insecure) {
            tracing::warn!(upstream = %upstream.name, "certificates of this upstream are NOT checked (tls.insecure): anybody on the way can read and change what it says");
        }
        if upstream.url.scheme() == "http" {
            tracing::warn!(upstream = %upstream.name, "this upstream is spoken to in clear text (http): anybody on the way can read its credentials");
        }
    }
}

/// What the gateway knows, of these upstreams: nothing yet. Fails where a certificate can't be
/// used.
pub fn estate(config: &Config, clock: Clock) -> Result<Arc<Estate>, String> {
    warn_of_insecure(config.upstreams.iter());
    Estate::open(openings(config), clock)
        .map(Arc::new)
        .map_err(|(name, reason)| format!("upstream {name}: tls: {reason}"))
}

/// Runs the gateway on a bound listener until `shutdown` ends, then leaves, drains, and closes the
/// sessions upstream.
pub async fn run(
    config: &Config,
    listener: TcpListener,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    run_until(
        config,
        listener,
        clock,
        shutdown,
        std::future::pending(),
        None,
    )
    .await
}

/// The same; once `hurry` ends it drains at once. With a source the configuration is read again from
/// there whenever there is a reason to.
pub async fn run_until(
    config: &Config,
    listener: TcpListener,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send,
    hurry: impl Future<Output = ()> + Send,
    source: Option<Source>,
) -> Result<(), String> {
    let estate = estate(config, clock)?;
    let gateway = Gateway::new(
        graph::schema(config.server.federation),
        estate.clone(),
        config,
    )?;
    let (estates, current) = watch::channel(estate);
    let live = Live::new(gateway);
    let mut background = JoinSet::new();
    {
        let current = current.clone();
        background.spawn(supervise("watch", move || watch_upstreams(current.clone())));
    }
    if config.server.background_refresh {
        let current = current.clone();
        background.spawn(supervise("background refresh", move || {
            keep_fresh(current.clone())
        }));
    }
    if config.server.warm {
        let (current, live) = (current.clone(), live.clone());
        background.spawn(supervise("warm", move || {
            warm(current.clone(), live.clone())
        }));
    }
    let reloader = source.map(|source| {
        let reloader = Reloader::new(source, estates.clone(), live.clone());
        Arc::new(Mutex::new(reloader))
    });
    if let Some(reloader) = &reloader {
        let reloader = reloader.clone();
        background.spawn(supervise("reload", move || {
            let reloader = reloader.clone();
            async move { reloader.lock().await.run().await }
        }));
    }
    if let Some(address) = config.server.metrics_listen {
        let listener = http::listen(address).map_err(|error| {
            format!("can't listen on {address} (server.metrics_listen): {error}")
        })?;
        tracing::info!(%address, "serving metrics at /metrics");
        background.spawn(serve_metrics(listener, live.clone()));
    }
    let outcome = serve(listener, live, shutdown, hurry).await;
    background.shutdown().await;
    if let Some(reloader) = reloader {
        reloader.lock().await.close().await;
    }
    let estate = current.borrow().clone();
    estate.close().await;
    outcome
}

/// Reads every list before anybody asks. What can't be read is no reason not to start: it is read
/// when it is asked for.
async fn warm(current: Current, live: Live) {
    let started = Instant::now();
    let estate = current.borrow().clone();
    let failures = estate.warm().await;
    for failure in &failures {
        tracing::warn!(upstream = %failure.upstream, reason = %failure.explained(), "a list could not be read at start");
    }
    tracing::info!(
        duration_ms = started.elapsed().as_millis() as u64,
        failures = failures.len(),
        "every list was read"
    );
    live.gateway().is_warm();
}

/// Keeps fresh what is in use of the upstreams that there are.
async fn keep_fresh(mut current: Current) {
    loop {
        let estate = current.borrow_and_update().clone();
        // reads that are under way go on: they are tasks of their own
        let is_over = tokio::select! {
            () = estate.keep_fresh() => false,
            changed = current.changed() => changed.is_err(),
        };
        if is_over {
            return;
        }
    }
}

/// Probes every upstream at start and from time to time, and keeps sessions open.
async fn watch_upstreams(current: Current) {
    let estate = || current.borrow().clone();
    estate().probe().await;
    let mut probe = tokio::time::interval(PROBE);
    let mut keep_alive = tokio::time::interval(KEEP_ALIVE);
    // the first tick of an interval is at once
    probe.reset();
    keep_alive.reset();
    loop {
        tokio::select! {
            _ = probe.tick() => estate().probe().await,
            _ = keep_alive.tick() => estate().keep_alive().await,
        }
    }
}
