//! `BackupCopyJob`: copies of backups in another repository, from time to time.

use super::{
    common_fields::JobFields,
    kind_members::{rpo_breached, seconds, target_repository},
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    loaders, nullable,
    paging::{connection::connection, page::PageArgs},
    schema::scalars::{Long, UUID, int, text},
    types::{
        linked_job::{LinkedJobConnection, links_of_job},
        repository::Repository,
    },
};
use crate::{
    estate::RowRef,
    loaders::job::{CopyDetailOf, JobRow},
    upstream::vspc::{backup_copy_job::BackupCopyJob as Detail, linked_job::LinkFamily},
};
use async_graphql::{Context, MergedObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// A backup copy job of the older engine (`BackupCopy`); those of the newer one are
/// `SimpleBackupCopyJob`. Neither word tells whether copies are made at once or periodically.
/// Source: the job list, and `GET /infrastructure/backupServers/jobs/backupCopyJobs` for what only
/// these jobs have.
#[derive(MergedObject)]
pub struct BackupCopyJob(JobFields<BackupCopyJob>, BackupCopyJobFields);

crate::graph::writer::direct::merged_fields!(BackupCopyJob: 0, 1);

impl From<JobRow> for BackupCopyJob {
    fn from(row: JobRow) -> Self {
        Self(row.clone().into(), BackupCopyJobFields(row))
    }
}

connection! {
    /// A page of a list of backup copy jobs.
    BackupCopyJobConnection, BackupCopyJobEdge, BackupCopyJob, health_counts
}

fn rpo(row: &Detail) -> Option<i64> {
    seconds(row.rpo_options_value, row.rpo_options_unit.as_deref())
}

/// What only backup copy jobs have.
pub struct BackupCopyJobFields(JobRow);

impl BackupCopyJobFields {
    async fn detail<T>(
        &self,
        ctx: &Context<'_>,
        member: impl Fn(&RowRef<Detail>) -> Option<T>,
    ) -> Option<Result<T>> {
        let answer = loaders(ctx).ask(CopyDetailOf(self.0.clone()), None).await;
        nullable(answer.map(|row| row.as_ref().and_then(member)))
    }
}

#[direct_fields]
#[Object]
impl BackupCopyJobFields {
    /// The repository that copies are written to; null if the console does not list it.
    async fn target_repository(&self, ctx: &Context<'_>) -> Option<Result<Linked<Repository>>> {
        let repository = self.detail(ctx, |row| row.target_repository_uid).await?;
        target_repository(ctx, &self.0, repository).await
    }

    /// The id of that repository, also where it is not listed. The default repository has the same
    /// id on every server.
    async fn target_repository_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        self.detail(ctx, |row| row.target_repository_uid.map(|uid| UUID(uid.0)))
            .await
    }

    /// The id of the WAN accelerator at the target; null if there is none.
    async fn target_wan_accelerator_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        self.detail(ctx, |row| {
            row.target_wan_accelerator_uid.map(|uid| UUID(uid.0))
        })
        .await
    }

    /// The id of the WAN accelerator at the source; null if there is none.
    async fn source_wan_accelerator_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        self.detail(ctx, |row| {
            row.source_wan_accelerator_uid.map(|uid| UUID(uid.0))
        })
        .await
    }

    /// How old copies are dropped, as the upstream reports it: `Simple`, `GFS`, `None`; null if
    /// unknown.
    async fn retention_policy_type(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.detail(ctx, |row| {
            text(&row.retention_policy_type).map(str::to_owned)
        })
        .await
    }

    /// For how many weeks a weekly copy is kept; null if unknown.
    async fn weekly_restore_points_to_keep(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.weekly_restore_points_to_keep))
            .await
    }

    /// For how many months a monthly copy is kept; null if unknown.
    async fn monthly_restore_points_to_keep(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.monthly_restore_points_to_keep))
            .await
    }

    /// For how many years a yearly copy is kept; null if unknown.
    async fn yearly_restore_points_to_keep(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.yearly_restore_points_to_keep))
            .await
    }

    /// Whether the job warns when no copy is made within the wished-for interval (RPO); null if
    /// unknown.
    async fn is_rpo_options_enabled(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        self.detail(ctx, |row| row.is_rpo_options_enabled).await
    }

    /// The wished-for interval, in units of `rpoOptionsUnit`; null if unknown.
    async fn rpo_options_value(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.rpo_options_value)).await
    }

    /// The unit of `rpoOptionsValue`, as the upstream reports it: `Minutes`, `Hours`, `Days`,
    /// `Months`, `Years`.
    async fn rpo_options_unit(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.detail(ctx, |row| text(&row.rpo_options_unit).map(str::to_owned))
            .await
    }

    /// The wished-for interval in seconds (a month as 30 days, a year as 365); null for an unknown
    /// unit.
    async fn rpo_seconds(&self, ctx: &Context<'_>) -> Option<Result<Long>> {
        self.detail(ctx, |row| rpo(row).map(Long)).await
    }

    /// Whether the last copy that succeeded (`lastSuccess`) is older than the wished-for interval.
    /// Null where the interval is not watched or not known, and where it is not known when a copy
    /// last succeeded.
    async fn rpo_breached(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        let is_watched = |row: &Detail| row.is_rpo_options_enabled == Some(true);
        let interval = self
            .detail(ctx, |row| {
                rpo(row).filter(|seconds| *seconds > 0 && is_watched(row))
            })
            .await?;
        rpo_breached(ctx, &self.0, interval).await
    }

    /// The jobs that this one copies. Source:
    /// `GET /infrastructure/backupServers/jobs/backupCopyJobs/{jobUid}/jobObjects`, or a wider list
    /// where that is cheaper.
    async fn linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many links to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        links_of_job(ctx, LinkFamily::Copy, &self.0, PageArgs { first, after }).await
    }
}
