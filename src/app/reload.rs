//! Reads the configuration again while the gateway runs: when it is asked to (SIGHUP), and when the
//! file, or a file that it names, has changed.
//!
//! It is read, checked and put together as a whole before anything of it is used: a configuration
//! that is wrong changes nothing. Requests in flight finish with the one that they began with.

use super::{openings, warn_of_insecure};
use crate::{
    config::{Config, Server, Upstream, WatchedFiles},
    estate::{Changes, Estate, Retired},
    http::{Live, Reloaded},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, watch},
    time::MissedTickBehavior,
};

/// How often the files are looked at. A change is applied once two looks agree on it: a file that
/// is being written is not read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Beyond the time that a request may take, how long an upstream that is no longer read from keeps
/// its session.
const GRACE: Duration = Duration::from_secs(10);

/// A configuration that can be read again.
pub struct Source {
    /// Its file.
    pub file: PathBuf,
    /// The files that it was read from, as they were then.
    pub files: WatchedFiles,
    /// As it was read.
    pub loaded: Config,
    /// Notified when it is to be read again.
    pub asked: Arc<Notify>,
}

/// Replaces the configuration in use.
pub(super) struct Reloader {
    source: Source,
    /// The server's settings at start, some of which stay until a restart.
    started: Server,
    last_look: WatchedFiles,
    estates: watch::Sender<Arc<Estate>>,
    live: Live,
    retired: Vec<(Instant, Retired)>,
}

/// What a configuration came to that is right.
enum Applied {
    Changes(Changes),
    Nothing,
}

impl Reloader {
    pub fn new(source: Source, estates: watch::Sender<Arc<Estate>>, live: Live) -> Self {
        Self {
            started: source.loaded.server.clone(),
            last_look: source.files.clone(),
            source,
            estates,
            live,
            retired: Vec::new(),
        }
    }

    /// Reads it again whenever there is a reason to, for as long as it is polled.
    pub async fn run(&mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.source.asked.notified() => self.reload("signal").await,
                _ = look.tick() => {
                    self.close_unused();
                    if self.has_changed().await {
                        self.reload("file change").await;
                    }
                }
            }
        }
    }

    /// Closes the sessions of upstreams that are no longer read from.
    pub async fn close(&mut self) {
        for (_, retired) in self.retired.drain(..) {
            retired.close().await;
        }
    }

    async fn has_changed(&mut self) -> bool {
        let files = self.source.files.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || files.look()).await else {
            return false;
        };
        let is_settled = now == self.last_look;
        self.last_look = now;
        is_settled && self.last_look != self.source.files
    }

    async fn reload(&mut self, trigger: &'static str) {
        let file = self.source.file.clone();
        let read = tokio::task::spawn_blocking(move || Config::load_with_files(&file)).await;
        let outcome = match read {
            Ok((outcome, files)) => {
                self.last_look = files.clone();
                self.source.files = files;
                outcome
                    .map_err(|problems| problems.in_one_line())
                    .and_then(|config| self.apply(config))
            }
            Err(error) => Err(error.to_string()),
        };
        self.live.note_reload(match &outcome {
            Ok((Applied::Changes(_), _)) => Reloaded::Applied,
            Ok((Applied::Nothing, _)) => Reloaded::Unchanged,
            Err(_) => Reloaded::Rejected,
        });
        let after_restart = match outcome {
            Ok((Applied::Changes(changes), after_restart)) => {
                tracing::info!(
                    trigger,
                    added = changes.added.join(", "),
                    changed = changes.changed.join(", "),
                    removed = changes.removed.join(", "),
                    "configuration reloaded"
                );
                after_restart
            }
            Ok((Applied::Nothing, after_restart)) => {
                tracing::info!(trigger, "configuration unchanged");
                after_restart
            }
            Err(problems) => {
                tracing::error!(
                    trigger,
                    file = %self.source.file.display(),
                    problems,
                    "configuration rejected; the previous one stays in use"
                );
                return;
            }
        };
        if !after_restart.is_empty() {
            tracing::warn!(
                settings = after_restart.join(", "),
                "these settings differ from those in use and take effect after a restart"
            );
        }
    }

    /// Puts everything together, and only then uses it. With it come the settings that take effect
    /// after a restart.
    fn apply(&mut self, loaded: Config) -> Result<(Applied, Vec<&'static str>), String> {
        let mut config = loaded.clone();
        let after_restart = config.server.keep_until_restart(&self.started);
        if loaded == self.source.loaded {
            return Ok((Applied::Nothing, after_restart));
        }
        let gateway = self.live.gateway();
        config
            .listen_at(gateway.address())
            .map_err(|problems| problems.in_one_line())?;
        let before = self.estates.borrow().clone();
        let (estate, changes) = before
            .reopen(openings(&config))
            .map_err(|(name, reason)| format!("upstream {name}: tls: {reason}"))?;
        let estate = Arc::new(estate);
        let gateway = gateway.reconfigured(estate.clone(), &config)?;
        // nothing fails from here on
        self.retired.push((
            Instant::now() + config.limits.timeout + GRACE,
            before.retired_by(&estate),
        ));
        let opened = changes.opened();
        let is_new = |upstream: &&Upstream| opened.iter().any(|name| **name == *upstream.name);
        warn_of_insecure(config.upstreams.iter().filter(is_new));
        self.estates.send_replace(estate.clone());
        self.live.replace(gateway);
        self.source.loaded = loaded;
        let is_warm = config.server.warm;
        tokio::spawn(async move {
            estate.probe_these(&opened).await;
            if is_warm {
                // what could not be read is in the log, and is read when it is asked for
                estate.warm_these(&opened).await;
            }
        });
        Ok((Applied::Changes(changes), after_restart))
    }

    /// Closes what no request uses any more, or has for too long.
    fn close_unused(&mut self) {
        let now = Instant::now();
        let (over, retired) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|(until, retired)| *until <= now || retired.is_unused());
        self.retired = retired;
        let over: Vec<(Instant, Retired)> = over;
        for (_, retired) in over {
            tokio::spawn(async move { retired.close().await });
        }
    }
}
