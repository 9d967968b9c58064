//! `FileCopyJob`: a job that copies files.

use super::kind_members::{detail, job_kind, owned, uuid};
use crate::graph::schema::{
    hidden_fields,
    scalars::{Long, UUID, long},
};
use crate::loaders::job::JobRow;
use async_graphql::{Context, Object, Result};
use veeam_graph_macros::direct_fields;

job_kind! {
    /// A job that copies files. Source: the job list, and
    /// `GET /infrastructure/backupServers/jobs/fileCopyJobs` for what only these jobs have.
    FileCopyJob, FileCopyJobFields {
        /// The id of the host that files are copied to; null if unknown.
        target_host_uid: UUID = |row| uuid(row.target_host_uid);
        /// How much it copies, in bytes; null if unknown.
        source_bytes: Long = |row| long(row.source_size);
        more: FileCopyTarget;
    }
}

/// What not everybody may read.
pub struct FileCopyTarget(JobRow);

#[direct_fields]
#[Object]
impl FileCopyTarget {
    /// The folder that they are copied to; null if unknown.
    async fn target_path(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        // of a share, it begins with its host's name
        match hidden_fields::host_name(ctx, Some(()))? {
            Ok(()) => detail(ctx, &self.0, |row| owned(&row.target_path)).await,
            Err(refused) => Some(Err(refused)),
        }
    }
}
