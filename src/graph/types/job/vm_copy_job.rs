//! `VmCopyJob`: a job that copies the files of virtual machines.

use super::kind_members::{job_kind, uuid};
use crate::graph::schema::scalars::UUID;

job_kind! {
    /// A job that copies the files of virtual machines. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/vmCopyJobs` for what only these jobs have.
    VmCopyJob, VmCopyJobFields {
        /// The id of the repository that copies are written to; null if unknown.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        target_repository: "The repository that copies are written to; null when the console does not list it.";
    }
}
