//! `VmBackupJob`: a job that backs up virtual machines.

use super::kind_members::{job_kind, owned, uuid};
use crate::graph::schema::scalars::{UUID, int};

job_kind! {
    /// A job that backs up virtual machines. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/backupVmJobs` for what only these jobs have.
    VmBackupJob, VmBackupJobFields {
        /// What it backs up, as the upstream reports it: `VM`, `VCD` …; null if unknown.
        subtype: String = |row| owned(&row.subtype);
        /// How many virtual machines it protects; null if unknown.
        protected_vm_count: i32 = |row| int(row.protected_vm_count);
        /// The id of the repository that backups are written to. The default repository has the
        /// same id on every server.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        objects: "The virtual machines that it backs up, by name, with how their last backups went.";
        target_repository: "The repository that backups are written to; null when the console does not list it.";
    }
}
