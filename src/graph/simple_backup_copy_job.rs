//! `SimpleBackupCopyJob`: a backup copy job that copies new restore points at once.

use super::{
    kind_members::{job_kind, owned, seconds, uuid},
    scalars::{Long, UUID},
};

job_kind! {
    /// An immediate backup copy job: it copies restore points as they come (`SimpleBackupCopy`). Source: the job list, and
    /// `GET /infrastructure/backupServers/jobs/simpleBackupCopyJobs` for what only these jobs have.
    SimpleBackupCopyJob, SimpleBackupCopyJobFields {
        /// The id of the repository that copies are written to.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        /// How old copies are dropped, in the upstream's word: `Simple`, `GFS`, `None`; null when not known.
        retention_policy_type: String = |row| owned(&row.retention_policy_type);
        /// Whether the job warns when no copy is made within the wished-for interval (RPO); null when not known.
        is_rpo_options_enabled: bool = |row| row.is_rpo_options_enabled;
        /// That interval in seconds (a month as 30 days, a year as 365); null when not known.
        rpo_seconds: Long = |row| seconds(row.rpo_options_value, row.rpo_options_unit.as_deref());
        /// The id of the WAN accelerator at the source; null for none.
        source_wan_accelerator_uid: UUID = |row| uuid(row.source_wan_accelerator_uid);
        /// The id of the WAN accelerator at the target; null for none.
        target_wan_accelerator_uid: UUID = |row| uuid(row.target_wan_accelerator_uid);
        linked_jobs(SimpleCopy): "The jobs that this one copies. Source: `GET /infrastructure/backupServers/jobs/simpleBackupCopyJobs/{jobUid}/objects`, or a wider list where that is cheaper. Consoles with version 3.7 of the API do not have these lists: there it is an error.";
    }
}
