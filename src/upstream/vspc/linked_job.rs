//! `GET …/jobs/backupTapeJobs/jobObjects`, `…/backupCopyJobs/jobObjects` and
//! `…/simpleBackupCopyJobs/objects`, for the fleet, a server or a job: which jobs a tape job or a
//! backup copy job processes.
//!
//! Whose id `linkedJobUid` is, the vendor leaves open until 3.7, which says the console's own; its
//! examples did not change. Jobs are filed under both.
//!
//! A row is two or three ids and names no server. Only a list asked for by server is sure of it, so
//! reads by server write it into the row; for the rest see `estate/joins/link_servers.rs`.

use super::{List, Vspc};
use crate::{
    uid::{self, JobUid, ServerUid, UniqueJobUid},
    upstream::{
        error::Error,
        pager::{Listing, Row},
    },
};
use serde::Deserialize;

/// `BackupServerJobLinkedJobObject`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct LinkedJob {
    #[serde(deserialize_with = "uid::required")]
    pub job_uid: JobUid,
    /// 3.5.1 and later.
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_job_uid: Option<UniqueJobUid>,
    #[serde(deserialize_with = "uid::required")]
    pub linked_job_uid: JobUid,
    /// The server that the list was asked for, where one was: not on the wire.
    #[serde(skip)]
    pub asked_of: Option<ServerUid>,
}

impl Row for LinkedJob {
    type Identity = (JobUid, Option<UniqueJobUid>, JobUid);
    fn identity(&self) -> Self::Identity {
        (self.job_uid, self.unique_job_uid, self.linked_job_uid)
    }
}

/// Which family of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkFamily {
    /// Jobs that tape jobs write to tape.
    Tape,
    /// Jobs that backup copy jobs copy.
    Copy,
    /// Jobs that simple backup copy jobs copy.
    SimpleCopy,
}

impl LinkFamily {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Tape, Self::Copy, Self::SimpleCopy];

    /// The family below `…/jobs`, and a list of it.
    fn path(self) -> (&'static str, &'static str) {
        match self {
            LinkFamily::Tape => ("backupTapeJobs", "jobObjects"),
            LinkFamily::Copy => ("backupCopyJobs", "jobObjects"),
            LinkFamily::SimpleCopy => ("simpleBackupCopyJobs", "objects"),
        }
    }
}

impl Vspc {
    /// Every link of the family. Over servers that share a job id and a version before 3.5.1, rows
    /// can coincide.
    pub fn linked_jobs(&self, family: LinkFamily) -> List<'_, LinkedJob> {
        let (jobs, list) = family.path();
        self.list(
            format!("/infrastructure/backupServers/jobs/{jobs}/{list}"),
            &[],
        )
    }

    /// The links on one server; each row says so.
    pub async fn linked_jobs_of_server(
        &self,
        family: LinkFamily,
        server: ServerUid,
    ) -> Result<Listing<LinkedJob>, Error> {
        let (jobs, list) = family.path();
        let path = format!("/infrastructure/backupServers/{server}/jobs/{jobs}/{list}");
        let mut listing = self.list::<LinkedJob>(path, &[]).read().await?;
        for row in &mut listing.rows {
            row.asked_of = Some(server);
        }
        Ok(listing)
    }

    /// The links of the jobs with this id, on whichever servers it occurs.
    pub fn linked_jobs_of_job(&self, family: LinkFamily, job: JobUid) -> List<'_, LinkedJob> {
        let (jobs, list) = family.path();
        self.list(
            format!("/infrastructure/backupServers/jobs/{jobs}/{job}/{list}"),
            &[],
        )
    }
}
