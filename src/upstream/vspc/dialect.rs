//! Which version of its API a console speaks, and what of it is spelt otherwise or missing there.
//!
//! The vendor wants the version that a client was written for in the header `X-Client-Version` of
//! each request. It is taken from the console's own version: the newest one that both know. A
//! console that refuses it is asked for an older one.

use crate::upstream::error::Error;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The versions that are understood, oldest first.
const UNDERSTOOD: [&str; 11] = [
    "3.0", "3.1", "3.2", "3.3", "3.4", "3.5", "3.5.1", "3.6", "3.6.1", "3.6.2", "3.7",
];

/// No console takes longer than that to agree on a version.
pub(super) const MOST_STEPS: usize = UNDERSTOOD.len() + 2;

/// Jobs of the newer copy engine by the name that most versions give their lists, and by what 3.2
/// and 3.7 call them.
const SPELLINGS: [&str; 2] = ["/simpleBackupCopyJobs", "/immediateBackupCopyJobs"];

/// What is known of how a console speaks. All who read from it share it, whatever they sign in
/// with.
#[derive(Debug, Default)]
pub struct Dialect {
    state: Mutex<State>,
    /// Whether copy jobs are spelt the second way.
    is_renamed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// As set in the configuration, or worked out.
    version: Option<String>,
    /// Versions from this place of `UNDERSTOOD` on were refused.
    refused_from: Option<usize>,
    /// Lists that the console turned out not to have.
    absent: BTreeSet<String>,
}

impl Dialect {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that is asked for; none where it is not known yet.
    pub fn version(&self) -> Option<String> {
        self.state().version.clone()
    }

    /// The version that the configuration says.
    pub fn set(&self, version: Option<String>) {
        if version.is_some() {
            self.state().version = version;
        }
    }

    /// Takes the newest version that a console of this build has. Whether that is new and but a
    /// guess, as the build is newer than those that the vendor's table has.
    pub fn learn(&self, server_version: Option<&str>) -> bool {
        let Some(newest) = server_version.and_then(newest_of) else {
            return false;
        };
        let mut state = self.state();
        let place = state
            .refused_from
            .map_or(newest, |refused| newest.min(refused.saturating_sub(1)));
        let version = Some(UNDERSTOOD[place].to_owned());
        let is_other = state.version != version;
        state.version = version;
        is_other && place + 1 == UNDERSTOOD.len()
    }

    /// The console refused the version: an older one is next. Whether there is any.
    pub fn step_back(&self) -> bool {
        let mut state = self.state();
        let place = state
            .version
            .as_deref()
            .and_then(|version| UNDERSTOOD.iter().position(|known| *known == version));
        let Some(place) = place.filter(|place| *place > 0) else {
            state.version = None;
            return false;
        };
        state.refused_from = Some(place);
        state.version = Some(UNDERSTOOD[place - 1].to_owned());
        true
    }

    /// What this version lacks of what the graph shows, and the lists that the console turned out
    /// not to have.
    pub fn lacks(&self) -> Vec<String> {
        let state = self.state();
        let place = state
            .version
            .as_deref()
            .and_then(|version| UNDERSTOOD.iter().position(|known| *known == version));
        let at = |version: &str| UNDERSTOOD.iter().position(|known| *known == version);
        let holds = |from: &str, until: &str| {
            place.is_some_and(|place| at(from) <= Some(place) && Some(place) <= at(until))
        };
        let known = LACKING.iter().filter(|(from, until, _)| holds(from, until));
        known
            .map(|(_, _, what)| (*what).to_owned())
            .chain(state.absent.iter().cloned())
            .collect()
    }

    /// Notes that there is no such list, and says so in the log once.
    pub(super) fn is_absent(&self, path: &str, error: &Error) {
        let list = without_ids(path);
        if self.state().absent.insert(list.clone()) {
            tracing::warn!(
                upstream = %error.upstream,
                list,
                status = error.status,
                reason = %error.detail,
                "this console has no such list: what rests on it is an error, or not known"
            );
        }
    }

    /// Notes that there is such a list.
    pub(super) fn is_there(&self, path: &str) {
        let mut state = self.state();
        if !state.absent.is_empty() {
            state.absent.remove(&without_ids(path));
        }
    }

    /// A path in its usual spelling and in the other, if it has one: first as this console spells
    /// it, as far as is known.
    pub(super) fn spellings(&self, path: &str) -> (String, Option<String>) {
        let [usual, other] = SPELLINGS;
        if !path.contains(usual) {
            return (path.to_owned(), None);
        }
        let (usual, other) = (path.to_owned(), path.replacen(usual, other, 1));
        if self.is_renamed.load(Ordering::Relaxed) {
            (other, Some(usual))
        } else {
            (usual, Some(other))
        }
    }

    /// This spelling is the console's.
    pub(super) fn is_spelt(&self, path: &str) {
        self.is_renamed
            .store(path.contains(SPELLINGS[1]), Ordering::Relaxed);
    }
}

/// What is missing from which version to which.
const LACKING: [(&str, &str, &str); 4] = [
    (
        "3.0",
        "3.2",
        "continuous replication jobs, agents of backup servers, licence usage (since 3.3)",
    ),
    ("3.0", "3.3", "object storage jobs (since 3.4)"),
    ("3.0", "3.4", "the console's own ids of jobs (since 3.5)"),
    (
        "3.5",
        "3.5",
        "Veeam Backup & Replication's ids of jobs in lists of what jobs protect (the console's own stand there)",
    ),
];

/// The place of the newest version that a console of this build has.
fn newest_of(server_version: &str) -> Option<usize> {
    let mut parts = server_version
        .trim()
        .split('.')
        .map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next()??, parts.next().flatten().unwrap_or(0));
    let build = parts.nth(1).flatten().unwrap_or(0);
    let version = match (major, minor) {
        (..=3, _) => return None,
        (4, _) => "3.0",
        (5, _) => "3.1",
        (6, _) => "3.2",
        (7, _) => "3.3",
        (8, 0) => "3.4",
        // the first build of 8.1 had job ids the other way round
        (8, _) if build < 21_999 => "3.5",
        (8, _) => "3.5.1",
        (9, 0) => "3.6",
        (9, 1 | 2) => "3.6.2",
        _ => "3.7",
    };
    UNDERSTOOD.iter().position(|known| *known == version)
}

/// A path with `{uid}` in place of ids.
fn without_ids(path: &str) -> String {
    let part = |part: &str| {
        if uuid::Uuid::try_parse(part).is_ok() {
            "{uid}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_know_is_asked_for() {
        for (build, version) in [
            ("8.0.0.16877", Some("3.4")),
            ("8.1.0.21377", Some("3.5")),
            ("8.1.0.21999", Some("3.5.1")),
            ("9.0.0.29555", Some("3.6")),
            ("9.1.0.30713", Some("3.6.2")),
            ("9.2.0.33215", Some("3.6.2")),
            ("10.0.0.1", Some("3.7")),
            ("9.1", Some("3.6.2")),
            ("3.0", None),
            ("", None),
            ("soon", None),
        ] {
            let dialect = Dialect::default();
            assert_eq!(
                dialect.learn(Some(build)),
                version == Some("3.7"),
                "{build}"
            );
            assert_eq!(dialect.version().as_deref(), version, "{build}");
        }
    }

    #[test]
    fn a_version_that_is_refused_is_not_tried_again() {
        let dialect = Dialect::default();
        assert!(dialect.learn(Some("10.0")) && dialect.step_back());
        assert_eq!(dialect.version().as_deref(), Some("3.6.2"));
        assert!(!dialect.learn(Some("10.0")), "the same as before");
        assert!(!dialect.learn(Some("8.0")));
        assert_eq!(
            dialect.version().as_deref(),
            Some("3.4"),
            "it was restored from a backup"
        );
        while dialect.step_back() {}
        assert_eq!(dialect.version(), None);
    }

    #[test]
    fn what_is_missing_is_told_by_version_and_by_what_was_asked() {
        let dialect = Dialect::default();
        assert_eq!(dialect.lacks(), Vec::<String>::new());
        for (version, count) in [
            ("3.2", 3),
            ("3.3", 2),
            ("3.4", 1),
            ("3.5", 1),
            ("3.5.1", 0),
            ("3.6.2", 0),
            ("3.7", 0),
        ] {
            dialect.set(Some(version.to_owned()));
            assert_eq!(dialect.lacks().len(), count, "{version}");
        }
    }

    #[test]
    fn a_path_has_its_other_spelling_until_that_is_the_one() {
        let dialect = Dialect::default();
        let path = "/infrastructure/backupServers/jobs/simpleBackupCopyJobs/objects";
        let other = "/infrastructure/backupServers/jobs/immediateBackupCopyJobs/objects";
        assert_eq!(
            dialect.spellings(path),
            (path.to_owned(), Some(other.to_owned()))
        );
        // however many find out at once
        dialect.is_spelt(other);
        dialect.is_spelt(other);
        assert_eq!(
            dialect.spellings(path),
            (other.to_owned(), Some(path.to_owned()))
        );
        dialect.is_spelt(path);
        assert_eq!(dialect.spellings(path).0, path);
        assert_eq!(
            dialect.spellings("/organizations"),
            ("/organizations".to_owned(), None)
        );
        assert_eq!(
            without_ids("/jobs/4614c798-a4d1-5d3c-b4e0-12b4e5723b98/objects"),
            "/jobs/{uid}/objects"
        );
    }
}
