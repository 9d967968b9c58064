//! `GET /infrastructure/backupServers/jobs/backupVmJobs` and its eleven sisters (fleet, per server)
//! with `expand=BackupServerJob`: what only one kind of job has.
//!
//! The kinds differ in a few members each, so one shape reads them all; which of them a kind has is
//! told by the graph's types. Agent jobs and backup copy jobs, which are asked more of, have files
//! of their own.

use super::{EXPAND_JOB, List, Vspc, agent_job::EmbeddedJob, job::Job};
use crate::{
    uid::{self, JobUid, OtherUid, RepositoryUid, ServerUid, UniqueJobUid, WanAcceleratorUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use serde::Deserialize;

/// A kind of job with a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "a kind is named as the vendor names its list")]
pub enum DetailKind {
    BackupVm,
    ReplicationVm,
    CdpReplication,
    SimpleBackupCopy,
    VmCopy,
    FileCopy,
    FileShare,
    FileShareCopy,
    ObjectStorageBackup,
    ObjectStorageBackupCopy,
    BackupTape,
    FileTape,
}

impl DetailKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::BackupVm,
        Self::ReplicationVm,
        Self::CdpReplication,
        Self::SimpleBackupCopy,
        Self::VmCopy,
        Self::FileCopy,
        Self::FileShare,
        Self::FileShareCopy,
        Self::ObjectStorageBackup,
        Self::ObjectStorageBackupCopy,
        Self::BackupTape,
        Self::FileTape,
    ];

    /// From a job's type word, without regard to case.
    pub fn of(word: Option<&str>) -> Option<Self> {
        Some(match word?.trim().to_ascii_lowercase().as_str() {
            "backupvm" => Self::BackupVm,
            "replicationvm" => Self::ReplicationVm,
            "cdpreplicationvm" => Self::CdpReplication,
            // 3.2 and older have another word for it
            "simplebackupcopy" | "immediatebackupcopy" => Self::SimpleBackupCopy,
            "copyvm" => Self::VmCopy,
            "copyfile" => Self::FileCopy,
            "backupfile" => Self::FileShare,
            "backupfilecopy" => Self::FileShareCopy,
            "objectstoragebackup" => Self::ObjectStorageBackup,
            "objectstoragebackupcopy" => Self::ObjectStorageBackupCopy,
            "backuptotape" => Self::BackupTape,
            "filetotape" => Self::FileTape,
            _ => return None,
        })
    }

    pub(super) fn list(self) -> &'static str {
        match self {
            Self::BackupVm => "backupVmJobs",
            Self::ReplicationVm => "replicationVmJobs",
            Self::CdpReplication => "cdpReplicationJobs",
            Self::SimpleBackupCopy => "simpleBackupCopyJobs",
            Self::VmCopy => "vmCopyJobs",
            Self::FileCopy => "fileCopyJobs",
            Self::FileShare => "fileShareJobs",
            Self::FileShareCopy => "fileShareCopyJobs",
            Self::ObjectStorageBackup => "objectStorageBackupJobs",
            Self::ObjectStorageBackupCopy => "objectStorageBackupCopyJobs",
            Self::BackupTape => "backupTapeJobs",
            Self::FileTape => "fileTapeJobs",
        }
    }
}

/// `BackupServerBackupVmJob` and its sisters: whatever members the kind has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct JobDetail {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_uid: Option<UniqueJobUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub subtype: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub protected_vm_count: Option<i64>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub target_repository_uid: Option<RepositoryUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub archive_repository_uid: Option<RepositoryUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub target_host_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub cloud_host_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub target_path: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_cloud_job: Option<bool>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub through_wan_accelerators: Option<bool>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub source_wan_accelerator_uid: Option<WanAcceleratorUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub target_wan_accelerator_uid: Option<WanAcceleratorUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub rpo: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub rpo_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_rpo_options_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub rpo_options_value: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub rpo_options_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub short_term_retention: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub short_term_retention_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub long_term_retention: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub long_term_retention_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub retention: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub retention_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub retention_policy_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub weekly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub monthly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub yearly_restore_points_to_keep: Option<i64>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_archive_retention_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub archive_retention: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub archive_retention_unit: Option<SharedText>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub source_file_share_job_uid: Option<JobUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub source_object_storage_backup_job_uid: Option<JobUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub source_size: Option<i64>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub full_media_pool_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub incremental_media_pool_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_gfs_enabled: Option<bool>,
    #[serde(default, rename = "_embedded", deserialize_with = "lenient::object")]
    pub embedded: Option<EmbeddedJob>,
}

impl JobDetail {
    /// The server that the expanded parent names.
    pub fn server(&self) -> Option<ServerUid> {
        self.parent().map(|job| job.backup_server_uid)
    }

    /// The job that it is a part of, if it was expanded and is there.
    pub fn parent(&self) -> Option<&Job> {
        self.embedded.as_ref()?.backup_server_job.as_ref()
    }
}

impl Row for JobDetail {
    type Identity = (Option<ServerUid>, JobUid, Option<UniqueJobUid>);
    fn identity(&self) -> Self::Identity {
        (self.server(), self.instance_uid, self.unique_uid)
    }
}

impl Vspc {
    /// What every job of a kind has, with its parent job.
    pub fn job_details(&self, kind: DetailKind) -> List<'_, JobDetail> {
        self.list(
            format!("/infrastructure/backupServers/jobs/{}", kind.list()),
            EXPAND_JOB,
        )
    }

    /// The same for the jobs of one server.
    pub fn job_details_of_server(
        &self,
        kind: DetailKind,
        server: ServerUid,
    ) -> List<'_, JobDetail> {
        self.list(
            format!(
                "/infrastructure/backupServers/{server}/jobs/{}",
                kind.list()
            ),
            EXPAND_JOB,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_as_listed() {
        for (number, kind) in DetailKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number, "{kind:?}");
        }
    }
}
