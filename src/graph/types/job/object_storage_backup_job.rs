//! `ObjectStorageBackupJob`: a job that backs up object storage.

use super::kind_members::{job_kind, owned, uuid};
use crate::graph::schema::scalars::{UUID, int};

job_kind! {
    /// A job that backs up object storage. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/objectStorageBackupJobs` for what only these jobs have.
    ObjectStorageBackupJob, ObjectStorageBackupJobFields {
        /// The id of the repository that backups are written to; null if unknown.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        /// For how long every version is kept, in units of `retentionUnit`; null if unknown.
        retention: i32 = |row| int(row.retention);
        /// The unit of `retention`, as the upstream reports it; null if unknown.
        retention_unit: String = |row| owned(&row.retention_unit);
        /// The id of the repository that old versions are moved to; null if there is none.
        archive_repository_uid: UUID = |row| uuid(row.archive_repository_uid);
        /// Whether old versions are moved there; null if unknown.
        is_archive_retention_enabled: bool = |row| row.is_archive_retention_enabled;
        /// For how long they are kept there, in units of `archiveRetentionUnit`; null if unknown.
        archive_retention: i32 = |row| int(row.archive_retention);
        /// The unit of `archiveRetention`, as the upstream reports it; null if unknown.
        archive_retention_unit: String = |row| owned(&row.archive_retention_unit);
        objects: "The object storages that it backs up, by name, with how their last backups went.";
        target_repository: "The repository that backups are written to; null when the console does not list it.";
    }
}
