//! `ReplicationJob`: a job that replicates virtual machines by snapshots.

use super::kind_members::{job_kind, uuid};
use crate::graph::schema::scalars::{UUID, int};

job_kind! {
    /// A job that replicates virtual machines by snapshots. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/replicationVmJobs` for what only these jobs have.
    ReplicationJob, ReplicationJobFields {
        /// How many virtual machines it replicates; null if unknown.
        protected_vm_count: i32 = |row| int(row.protected_vm_count);
        /// Whether it replicates to a cloud provider; null if unknown.
        is_cloud_job: bool = |row| row.is_cloud_job;
        /// The id of the host that replicas run on; null for a cloud host.
        target_host_uid: UUID = |row| uuid(row.target_host_uid);
        /// The id of the cloud host that replicas run on; null for a host of one's own.
        cloud_host_uid: UUID = |row| uuid(row.cloud_host_uid);
        /// Whether data goes through WAN accelerators; null if unknown.
        through_wan_accelerators: bool = |row| row.through_wan_accelerators;
        /// The id of the WAN accelerator at the source; null if there is none.
        source_wan_accelerator_uid: UUID = |row| uuid(row.source_wan_accelerator_uid);
        /// The id of the WAN accelerator at the target; null if there is none.
        target_wan_accelerator_uid: UUID = |row| uuid(row.target_wan_accelerator_uid);
        objects: "The virtual machines that it replicates, by name, with how their last replications went.";
    }
}
