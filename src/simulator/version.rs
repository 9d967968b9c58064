//! Which versions of the console's API are simulated, and what each does to paths, words and ids.

use super::estate::{Estate, Job, Link};
use serde_json::{Value, json};
use uuid::Uuid;

/// A version of the console's REST API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiVersion {
    /// Of version 6 of the console: the newer copy jobs have another name, and many lists are not
    /// there.
    V3_2,
    /// Of version 7: it has no object storage jobs.
    V3_3,
    /// Of version 8: no ids of the console's own.
    V3_4,
    /// Of the first build of 8.1: the console's own ids stand where the others belong.
    V3_5,
    /// Of later builds of 8.1.
    V3_5_1,
    /// Of 9.1.
    #[default]
    V3_6_2,
    /// The newest: copy jobs have their older name again, and links name jobs by the console's own
    /// ids.
    V3_7,
}

/// How the console lists the servers of an Enterprise Manager: its document can be read in two
/// ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bridge {
    /// `instanceUid` is the console's id of the server, as in `backupServer`.
    #[default]
    Flat,
    /// The same, with `backupServer` null.
    FlatAlone,
    /// `instanceUid` is Enterprise Manager's id of the server; `backupServer` has the console's.
    Nested,
}

/// Lists that came with 3.3.
const SINCE_3_3: [&str; 4] = [
    "/cdpReplicationJobs",
    "backupServers/agents",
    "/agents/",
    "licensing/usage/organizations",
];
/// Lists that came with 3.4.
const SINCE_3_4: [&str; 2] = ["/objectStorageBackupJobs", "/objectStorageBackupCopyJobs"];

impl ApiVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 7] = [
        Self::V3_2,
        Self::V3_3,
        Self::V3_4,
        Self::V3_5,
        Self::V3_5_1,
        Self::V3_6_2,
        Self::V3_7,
    ];

    /// As clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_2 => "3.2",
            Self::V3_3 => "3.3",
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
            Self::V3_5_1 => "3.5.1",
            Self::V3_6_2 => "3.6.2",
            Self::V3_7 => "3.7",
        }
    }

    /// From what clients write.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    /// The console's own version.
    pub fn server(self) -> &'static str {
        match self {
            Self::V3_2 => "6.0.0.7739",
            Self::V3_3 => "7.0.0.12777",
            Self::V3_4 => "8.0.0.16877",
            Self::V3_5 => "8.1.0.21377",
            Self::V3_5_1 => "8.1.0.21999",
            Self::V3_6_2 => "9.1.0.30713",
            Self::V3_7 => "10.0.0.40000",
        }
    }

    /// Whether a client may ask for a version by its name: one that this console knows.
    pub(super) fn takes(self, asked: &str) -> bool {
        let parts = |text: &str| {
            text.split('.')
                .map(|part| part.parse::<u32>().unwrap_or(0))
                .collect::<Vec<_>>()
        };
        parts(asked) <= parts(self.name())
    }

    fn calls_copies_immediate(self) -> bool {
        matches!(self, Self::V3_2 | Self::V3_7)
    }

    /// The path that rows are made by; `None` for one that this version does not have.
    pub(super) fn path(self, path: &str) -> Option<String> {
        let (usual, immediate) = ("/simpleBackupCopyJobs", "/immediateBackupCopyJobs");
        let (own, foreign) = if self.calls_copies_immediate() {
            (immediate, usual)
        } else {
            (usual, immediate)
        };
        let is_among = |lists: &[&str]| lists.iter().any(|list| path.contains(list));
        let is_missing = path.contains(foreign)
            || (self < Self::V3_3 && is_among(&SINCE_3_3))
            || (self < Self::V3_4 && is_among(&SINCE_3_4));
        (!is_missing).then(|| path.replacen(own, usual, 1))
    }
}

/// An estate as a console of some version tells of it.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub estate: &'a Estate,
    pub version: ApiVersion,
    pub bridge: Bridge,
}

impl std::ops::Deref for Told<'_> {
    type Target = Estate;
    fn deref(&self) -> &Estate {
        self.estate
    }
}

impl Told<'_> {
    /// Whether rows of a server carry the console's own ids beside the others.
    pub fn has_unique_ids(&self, server: usize) -> bool {
        self.version >= ApiVersion::V3_5_1 && self.servers[server].has_unique_ids
    }

    /// The id that the console knows a job by.
    pub fn id_of(&self, job: &Job) -> Uuid {
        if self.version == ApiVersion::V3_5 {
            job.unique_uid
        } else {
            job.uid
        }
    }

    /// Names a job in a row: by `member`, and by `unique` where the console's own id stands beside
    /// it.
    pub fn name_job(&self, job: &Job, row: &mut Value, member: &str, unique: &str) {
        row[member] = json!(self.id_of(job));
        if self.has_unique_ids(job.server) {
            row[unique] = json!(job.unique_uid);
        }
        if self.version == ApiVersion::V3_5 && member == "instanceUid" {
            row["originalUid"] = json!(job.uid);
        }
    }

    /// The id by which a link names the job that is read: one that is gone has but the one that is
    /// remembered.
    pub fn linked(&self, link: &Link) -> Uuid {
        let by_own_id = match self.version {
            ApiVersion::V3_5 => true,
            ApiVersion::V3_7 => self.servers[link.server].has_unique_ids,
            _ => false,
        };
        let job = self
            .jobs
            .iter()
            .find(|job| by_own_id && job.server == link.server && job.uid == link.linked);
        job.map_or(link.linked, |job| job.unique_uid)
    }

    /// The word of a job's type.
    pub fn word(&self, job: &Job) -> &'static str {
        match job.kind {
            "SimpleBackupCopy" if self.version == ApiVersion::V3_2 => "ImmediateBackupCopy",
            kind => kind,
        }
    }
}
