//! `FileShareCopyJob`: a job that copies backups of file shares.

use super::kind_members::{job_kind, owned, uuid};
use crate::graph::schema::scalars::{Long, UUID, int, long};

job_kind! {
    /// A job that copies backups of file shares. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/fileShareCopyJobs` for what only these jobs have.
    FileShareCopyJob, FileShareCopyJobFields {
        /// The id of the job whose backups it copies (`sourceFileShareJobUid`); null if unknown.
        source_job_uid: UUID = |row| uuid(row.source_file_share_job_uid);
        /// The id of the repository that copies are written to; null if unknown.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        /// For how long versions are kept, in units of `retentionUnit`; null if unknown.
        retention: i32 = |row| int(row.retention);
        /// The unit of `retention`, as the upstream reports it; null if unknown.
        retention_unit: String = |row| owned(&row.retention_unit);
        /// How much it copies, in bytes; null if unknown.
        source_bytes: Long = |row| long(row.source_size);
        objects: "The file shares whose backups it copies, by path, with how that went.";
        target_repository: "The repository that copies are written to; null when the console does not list it.";
    }
}
