//! `GET …/jobs/backupTapeJobs/repositoryObjects`: which repositories tape jobs write to tape as a
//! whole.

use super::{List, Vspc};
use crate::{
    uid::{self, JobUid, RepositoryUid, UniqueJobUid},
    upstream::pager::Row,
};
use serde::Deserialize;

/// `BackupServerJobLinkedRepositoryObject`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct LinkedRepository {
    #[serde(deserialize_with = "uid::required")]
    pub job_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_job_uid: Option<UniqueJobUid>,
    #[serde(deserialize_with = "uid::required")]
    pub linked_repository_uid: RepositoryUid,
}

impl Row for LinkedRepository {
    type Identity = (JobUid, Option<UniqueJobUid>, RepositoryUid);
    fn identity(&self) -> Self::Identity {
        (
            self.job_uid,
            self.unique_job_uid,
            self.linked_repository_uid,
        )
    }
}

impl Vspc {
    /// Every link from a tape job to a repository.
    pub fn tape_linked_repositories(&self) -> List<'_, LinkedRepository> {
        self.list(
            "/infrastructure/backupServers/jobs/backupTapeJobs/repositoryObjects",
            &[],
        )
    }
}
