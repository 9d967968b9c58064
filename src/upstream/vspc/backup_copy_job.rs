//! `GET /infrastructure/backupServers/jobs/backupCopyJobs` (fleet, per server, one) with
//! `expand=BackupServerJob`.
//!
//! Like every sub-type row it has neither name nor status nor server of its own: the expanded
//! parent job has.

use super::{EXPAND_JOB, List, Vspc, agent_job::EmbeddedJob, job::Job};
use crate::{
    uid::{self, JobUid, RepositoryUid, ServerUid, UniqueJobUid, WanAcceleratorUid},
    upstream::{error::Error, lenient, pager::Row},
};
use serde::Deserialize;

/// `BackupServerBackupCopyJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct BackupCopyJob {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_uid: Option<UniqueJobUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub target_repository_uid: Option<RepositoryUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub target_wan_accelerator_uid: Option<WanAcceleratorUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub source_wan_accelerator_uid: Option<WanAcceleratorUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub weekly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub monthly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub yearly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub retention_policy_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_rpo_options_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub rpo_options_value: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub rpo_options_unit: Option<String>,
    #[serde(default, rename = "_embedded", deserialize_with = "lenient::object")]
    pub embedded: Option<EmbeddedJob>,
}

impl BackupCopyJob {
    /// The server that the expanded parent names.
    pub fn server(&self) -> Option<ServerUid> {
        self.parent().map(|job| job.backup_server_uid)
    }

    /// The job that it is a part of, if it was expanded and is there.
    pub fn parent(&self) -> Option<&Job> {
        self.embedded.as_ref()?.backup_server_job.as_ref()
    }
}

impl Row for BackupCopyJob {
    type Identity = (Option<ServerUid>, JobUid, Option<UniqueJobUid>);
    fn identity(&self) -> Self::Identity {
        (self.server(), self.instance_uid, self.unique_uid)
    }
}

impl Vspc {
    /// Every backup copy job, with its parent job.
    pub fn backup_copy_jobs(&self) -> List<'_, BackupCopyJob> {
        self.list(
            "/infrastructure/backupServers/jobs/backupCopyJobs",
            EXPAND_JOB,
        )
    }

    /// The backup copy jobs of one server, with their parent jobs.
    pub fn backup_copy_jobs_of_server(&self, server: ServerUid) -> List<'_, BackupCopyJob> {
        self.list(
            format!("/infrastructure/backupServers/{server}/jobs/backupCopyJobs"),
            EXPAND_JOB,
        )
    }

    /// One backup copy job; this path takes no `expand`, so it names no server.
    pub async fn backup_copy_job(&self, job: JobUid) -> Result<Option<BackupCopyJob>, Error> {
        self.one(&format!(
            "/infrastructure/backupServers/jobs/backupCopyJobs/{job}"
        ))
        .await
    }
}
