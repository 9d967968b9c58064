//! `GET /protectedWorkloads/computersManagedByBackupServer/backups`: which repository an agent job
//! writes to.
//!
//! Agent jobs themselves don't say; this list does, one row per machine and chain.

use super::{List, Vspc};
use crate::{
    uid::{self, JobUid, OtherUid, RepositoryUid},
    upstream::pager::Row,
};
use serde::Deserialize;

/// A row of the list, as far as the graph needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ComputerBackup {
    /// The chain.
    #[serde(default, deserialize_with = "uid::optional")]
    pub instance_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_agent_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub job_uid: Option<JobUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub repository_uid: Option<RepositoryUid>,
}

impl Row for ComputerBackup {
    type Identity = (
        Option<OtherUid>,
        Option<OtherUid>,
        Option<JobUid>,
        Option<RepositoryUid>,
    );
    fn identity(&self) -> Self::Identity {
        (
            self.instance_uid,
            self.backup_agent_uid,
            self.job_uid,
            self.repository_uid,
        )
    }
}

impl Vspc {
    /// The backup chains of every computer that a backup server protects.
    pub fn computer_backups(&self) -> List<'_, ComputerBackup> {
        self.list(
            "/protectedWorkloads/computersManagedByBackupServer/backups",
            &[],
        )
    }
}
