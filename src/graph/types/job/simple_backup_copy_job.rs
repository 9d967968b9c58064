//! `SimpleBackupCopyJob`: a backup copy job of the newer engine.

use super::kind_members::{detail, job_kind, owned, rpo_breached, seconds, uuid};
use crate::graph::{
    paging::page::PageArgs,
    schema::scalars::{Long, UUID, int},
    types::linked_job::{LinkedJobConnection, links_of_job},
};
use crate::{
    loaders::job::JobRow,
    upstream::vspc::{job_detail::JobDetail, linked_job::LinkFamily},
};
use async_graphql::{Context, Object, Result};
use veeam_graph_macros::direct_fields;

job_kind! {
    /// A backup copy job of the engine of Veeam Backup & Replication 12 and later
    /// (`SimpleBackupCopy`). The word does not tell whether copies are made at once or
    /// periodically. Source: the job list, and
    /// `GET /infrastructure/backupServers/jobs/simpleBackupCopyJobs` (`immediateBackupCopyJobs` in
    /// versions 3.2 and 3.7 of the API) for what only these jobs have.
    SimpleBackupCopyJob, SimpleBackupCopyJobFields {
        /// The id of the repository that copies are written to. The default repository has the same
        /// id on every server.
        target_repository_uid: UUID = |row| uuid(row.target_repository_uid);
        /// How old copies are dropped, as the upstream reports it: `Simple`, `GFS`, `None`; null if
        /// unknown.
        retention_policy_type: String = |row| owned(&row.retention_policy_type);
        /// For how many weeks a weekly copy is kept; null if unknown.
        weekly_restore_points_to_keep: i32 = |row| int(row.weekly_restore_points_to_keep);
        /// For how many months a monthly copy is kept; null if unknown.
        monthly_restore_points_to_keep: i32 = |row| int(row.monthly_restore_points_to_keep);
        /// For how many years a yearly copy is kept; null if unknown.
        yearly_restore_points_to_keep: i32 = |row| int(row.yearly_restore_points_to_keep);
        /// Whether the job warns when no copy is made within the wished-for interval (RPO); null if
        /// unknown.
        is_rpo_options_enabled: bool = |row| row.is_rpo_options_enabled;
        /// That interval in seconds (a month as 30 days, a year as 365); null if unknown.
        rpo_seconds: Long = |row| rpo(row).map(Long);
        /// The id of the WAN accelerator at the source; null if there is none.
        source_wan_accelerator_uid: UUID = |row| uuid(row.source_wan_accelerator_uid);
        /// The id of the WAN accelerator at the target; null if there is none.
        target_wan_accelerator_uid: UUID = |row| uuid(row.target_wan_accelerator_uid);
        target_repository: "The repository that copies are written to; null when the console does not list it.";
        more: SimpleCopyFields;
    }
}

fn rpo(row: &JobDetail) -> Option<i64> {
    seconds(row.rpo_options_value, row.rpo_options_unit.as_deref())
}

/// What is not in the list of these jobs.
pub struct SimpleCopyFields(JobRow);

#[direct_fields]
#[Object]
impl SimpleCopyFields {
    /// Whether the last copy that succeeded (`lastSuccess`) is older than the wished-for interval.
    /// Null where the interval is not watched or not known, and where it is not known when a copy
    /// last succeeded.
    async fn rpo_breached(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        let is_watched = |row: &JobDetail| row.is_rpo_options_enabled == Some(true);
        let interval = detail(ctx, &self.0, |row| {
            rpo(row).filter(|seconds| *seconds > 0 && is_watched(row))
        })
        .await?;
        rpo_breached(ctx, &self.0, interval).await
    }

    /// The jobs that this one copies. Source:
    /// `GET /infrastructure/backupServers/jobs/simpleBackupCopyJobs/{jobUid}/objects`
    /// (`immediateBackupCopyJobs` in versions 3.2 and 3.7 of the API), or a wider list where that
    /// is cheaper.
    async fn linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many links to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        links_of_job(
            ctx,
            LinkFamily::SimpleCopy,
            &self.0,
            PageArgs { first, after },
        )
        .await
    }
}
