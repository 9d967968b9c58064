//! Other upstreams while the gateway runs. One that is configured as before stays as it is: its
//! session, its lists, its circuit breaker. Upstreams are known by their names, wherever they are
//! in the configuration.

use super::{CredentialPool, Estate, Lifetimes, UpstreamConfig, UpstreamId, history::History};
use crate::upstream::settings::{Credentials, Settings};
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// What is different about the upstreams, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// They were not there before.
    pub added: Vec<Arc<str>>,
    /// They are configured in another way, and are opened anew.
    pub changed: Vec<Arc<str>>,
    /// They are not there any more.
    pub removed: Vec<Arc<str>>,
}

impl Changes {
    /// Those of which nothing is known yet.
    pub fn opened(&self) -> Vec<Arc<str>> {
        self.added.iter().chain(&self.changed).cloned().collect()
    }
}

/// Upstreams that are no longer read from, and may have sessions of ours.
pub struct Retired(Vec<Arc<CredentialPool<History>>>);

impl Retired {
    /// Whether nothing that was under way uses them any more.
    pub fn is_unused(&self) -> bool {
        self.0
            .iter()
            .all(|history| Arc::strong_count(history) == 1 && history.is_unused())
    }

    /// Closes their sessions.
    pub async fn close(&self) {
        join_all(self.0.iter().map(|history| history.shared().close())).await;
    }
}

impl Estate {
    /// The same with these upstreams. Nothing is changed where one of them can't be opened.
    pub fn reopen(
        &self,
        openings: Vec<UpstreamConfig>,
    ) -> Result<(Self, Changes), (Arc<str>, String)> {
        let mut estate = Self::empty(self.clock);
        let mut changes = Changes::default();
        for mut opening in openings {
            let name = opening.settings.name.clone();
            let before = self.openings.iter().zip(&self.statuses);
            let before = before
                .filter(|(known, _)| known.settings.name == name)
                .map(|(known, status)| (known, status.id))
                .next();
            match before {
                Some((known, id)) if known.is_same_as(&opening) => estate.keep(self, id),
                Some((known, _)) => {
                    opening.settings.stay_connected(&known.settings);
                    estate.add(self.unused_id(&estate), opening)?;
                    changes.changed.push(name);
                }
                None => {
                    estate.add(self.unused_id(&estate), opening)?;
                    changes.added.push(name);
                }
            }
        }
        changes.removed = self
            .statuses
            .iter()
            .map(|status| status.name.clone())
            .filter(|name| estate.upstream_named(name).is_none())
            .collect();
        Ok((estate, changes))
    }

    /// Those that are not read from any more once another estate is in use.
    pub fn retired_by(&self, next: &Self) -> Retired {
        let is_kept = |history: &Arc<CredentialPool<History>>| {
            next.histories
                .iter()
                .any(|other| Arc::ptr_eq(history, other))
        };
        let histories = self.histories.iter();
        Retired(
            histories
                .filter(|history| !is_kept(history))
                .cloned()
                .collect(),
        )
    }

    /// Takes over an upstream as it is.
    fn keep(&mut self, before: &Self, id: UpstreamId) {
        let known = before.openings.iter().zip(&before.statuses);
        if let Some((opening, status)) = known.into_iter().find(|(_, status)| status.id == id) {
            self.openings.push(opening.clone());
            self.statuses.push(status.clone());
            if opening.is_of_callers() {
                self.of_callers.push((status.name.clone(), status.kind));
            }
        }
        let consoles = before.consoles.iter();
        self.consoles.extend(
            consoles
                .filter(|console| console.shared().id() == id)
                .cloned(),
        );
        let histories = before.histories.iter();
        self.histories.extend(
            histories
                .filter(|history| history.shared().id() == id)
                .cloned(),
        );
        let agents = before.agents.iter();
        self.agents
            .extend(agents.filter(|agents| agents.shared().id() == id).cloned());
    }

    /// A number that no upstream of either has.
    fn unused_id(&self, next: &Self) -> UpstreamId {
        let statuses = self.statuses.iter().chain(&next.statuses);
        let used: HashSet<u16> = statuses.map(|status| status.id.0).collect();
        let newest = used.iter().copied().max().unwrap_or_default();
        // those of upstreams that were removed may be in what is kept of the others: the lowest come
        // again last
        let mut unused = (newest.saturating_add(1)..=u16::MAX)
            .chain(0..newest)
            .filter(|id| !used.contains(id));
        UpstreamId(unused.next().unwrap_or(u16::MAX))
    }
}

impl UpstreamConfig {
    /// Whether it is opened in the same way: with the same account, and what is read is kept for as
    /// long.
    fn is_same_as(&self, other: &Self) -> bool {
        // every member is named: one more must be thought of here
        let Self {
            settings,
            lifetimes,
            session_window,
        } = self;
        let same: (&Lifetimes, &Duration) = (&other.lifetimes, &other.session_window);
        settings.is_same_as(&other.settings) && (lifetimes, session_window) == same
    }
}

impl Settings {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self {
            name,
            kind,
            url,
            credentials,
            trust,
            timeout,
            max_concurrency,
            // not set but found out
            line: _,
            client_version,
            dialect: _,
            sign_in_pause,
        } = self;
        (name, kind, url, trust) == (&other.name, &other.kind, &other.url, &other.trust)
            && (timeout, max_concurrency, client_version, sign_in_pause)
                == (
                    &other.timeout,
                    &other.max_concurrency,
                    &other.client_version,
                    &other.sign_in_pause,
                )
            && are_same(credentials, &other.credentials)
    }

    /// Another account, say, on the same server: it goes on over the same connection, whose slots
    /// and pauses are the server's, not the account's.
    fn stay_connected(&mut self, before: &Self) {
        if (self.kind, &self.url) != (before.kind, &before.url) {
            return;
        }
        if self.client_version == before.client_version {
            self.dialect = before.dialect.clone();
        }
        if (&self.trust, self.timeout, self.max_concurrency)
            == (&before.trust, before.timeout, before.max_concurrency)
        {
            self.line = before.line.clone();
        }
    }
}

fn are_same(one: &Credentials, other: &Credentials) -> bool {
    match (one, other) {
        (Credentials::ApiKey(one), Credentials::ApiKey(other)) => {
            one.expose_secret() == other.expose_secret()
        }
        (
            Credentials::Password { username, password },
            Credentials::Password {
                username: other_name,
                password: other,
            },
        ) => username == other_name && password.expose_secret() == other.expose_secret(),
        (Credentials::OfCaller(None), Credentials::OfCaller(None)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        time::Clock,
        upstream::settings::{Kind, SharedConnection, Trust},
    };

    fn opening(name: &str, key: &str) -> UpstreamConfig {
        UpstreamConfig {
            settings: Settings {
                name: name.into(),
                kind: Kind::Vspc,
                url: url::Url::parse("http://127.0.0.1:1").unwrap(),
                credentials: Credentials::ApiKey(key.into()),
                trust: Trust::System,
                timeout: Duration::from_secs(1),
                max_concurrency: 1,
                line: SharedConnection::default(),
                client_version: None,
                dialect: Arc::default(),
                sign_in_pause: Duration::ZERO,
            },
            lifetimes: Lifetimes::default(),
            session_window: Duration::from_secs(1),
        }
    }

    fn ids(estate: &Estate) -> Vec<(&str, u16)> {
        let statuses = estate.statuses().iter();
        statuses
            .map(|status| (&*status.name, status.id.0))
            .collect()
    }

    #[tokio::test]
    async fn upstreams_are_known_by_name_and_a_new_one_is_never_taken_for_an_old_one() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<_>>();
        let first = Estate::open(
            vec![opening("a", "1"), opening("b", "1"), opening("c", "1")],
            Clock::System,
        )
        .unwrap();
        let (second, changes) = first
            .reopen(vec![
                opening("c", "1"),
                opening("b", "2"),
                opening("d", "1"),
            ])
            .unwrap();
        assert_eq!(ids(&second), [("c", 2), ("b", 3), ("d", 4)]);
        let expected = Changes {
            added: names(&["d"]),
            changed: names(&["b"]),
            removed: names(&["a"]),
        };
        assert_eq!(changes, expected);
        let console = |estate: &Estate, id| {
            let id = UpstreamId(id);
            let consoles = estate.consoles.iter();
            consoles
                .map(|console| console.shared().clone())
                .find(|console| console.id() == id)
        };
        assert!(Arc::ptr_eq(
            &console(&first, 2).unwrap(),
            &console(&second, 2).unwrap()
        ));
        let (third, _) = second.reopen(vec![opening("a", "1")]).unwrap();
        assert_eq!(ids(&third), [("a", 5)]);
    }

    #[test]
    fn whatever_is_set_otherwise_makes_it_another() {
        let usual = opening("a", "1");
        assert!(usual.is_same_as(&opening("a", "1")));
        let changes: [fn(&mut UpstreamConfig); 8] = [
            |it| it.settings.credentials = Credentials::ApiKey("2".into()),
            |it| it.settings.credentials = Credentials::OfCaller(None),
            |it| it.settings.trust = Trust::Insecure,
            |it| it.settings.timeout *= 2,
            |it| it.settings.max_concurrency += 1,
            |it| it.settings.client_version = Some("3.5".to_owned()),
            |it| it.lifetimes.jobs *= 2,
            |it| it.session_window *= 2,
        ];
        for change in changes {
            let mut other = opening("a", "1");
            change(&mut other);
            assert!(!usual.is_same_as(&other), "{other:?}");
        }
    }
}
