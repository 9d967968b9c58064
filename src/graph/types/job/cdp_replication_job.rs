//! `CdpReplicationJob`: a job that replicates virtual machines continuously.

use super::kind_members::{job_kind, seconds};
use crate::graph::schema::scalars::Long;

job_kind! {
    /// A job that replicates virtual machines continuously. Source: the job list, and `GET
    /// /infrastructure/backupServers/jobs/cdpReplicationJobs` for what only these jobs have.
    CdpReplicationJob, CdpReplicationJobFields {
        /// How much may be lost at most, as the job is set up (RPO), in seconds; null if unknown.
        rpo_seconds: Long = |row| seconds(row.rpo, row.rpo_unit.as_deref()).map(Long);
        /// For how long every short-term restore point is kept, in seconds; null if unknown.
        short_term_retention_seconds: Long = |row| seconds(row.short_term_retention, row.short_term_retention_unit.as_deref()).map(Long);
        /// How often a long-term restore point is made, in seconds; null if unknown.
        long_term_retention_seconds: Long = |row| seconds(row.long_term_retention, row.long_term_retention_unit.as_deref()).map(Long);
        objects: "The virtual machines that it replicates, by name, with how that went.";
    }
}
