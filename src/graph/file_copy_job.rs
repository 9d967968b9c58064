//! `FileCopyJob`: a job that copies files.

use super::{
    kind_members::{job_kind, owned, uuid},
    scalars::{Long, UUID, long},
};

job_kind! {
    /// A job that copies files. Source: the job list, and `GET /infrastructure/backupServers/jobs/fileCopyJobs` for
    /// what only these jobs have.
    FileCopyJob, FileCopyJobFields {
        /// The id of the host that files are copied to; null when not known.
        target_host_uid: UUID = |row| uuid(row.target_host_uid);
        /// The folder that they are copied to; null when not known.
        target_path: String = |row| owned(&row.target_path);
        /// How much it copies, in bytes; null when not known.
        source_bytes: Long = |row| long(row.source_size);
    }
}
