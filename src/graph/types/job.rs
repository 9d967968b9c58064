//! `Job`: one row of Service Provider Console's jobs, whatever its type; and the fields that every
//! type shares.

pub mod agent_job;
pub mod backup_copy_job;
pub mod cdp_replication_job;
pub mod common_fields;
pub mod file_copy_job;
pub mod file_share_backup_job;
pub mod file_share_copy_job;
pub mod kind;
pub mod kind_members;
pub mod object_storage_backup_job;
pub mod object_storage_copy_job;
pub mod other_job;
pub mod replication_job;
pub mod simple_backup_copy_job;
pub mod tape_job;
pub mod vm_backup_job;
pub mod vm_copy_job;

use self::{
    agent_job::AgentJob, backup_copy_job::BackupCopyJob, cdp_replication_job::CdpReplicationJob,
    common_fields::JobFields, file_copy_job::FileCopyJob,
    file_share_backup_job::FileShareBackupJob, file_share_copy_job::FileShareCopyJob,
    kind::JobKind, object_storage_backup_job::ObjectStorageBackupJob,
    object_storage_copy_job::ObjectStorageCopyJob, other_job::OtherJob,
    replication_job::ReplicationJob, simple_backup_copy_job::SimpleBackupCopyJob,
    tape_job::TapeJob, vm_backup_job::VmBackupJob, vm_copy_job::VmCopyJob,
};
use super::{
    agent_session::{AgentSession, AgentSessionConnection},
    backup_server::BackupServer,
    company::Company,
    health::Health,
    origin::Origin,
    tape_coverage::TapeCoverage,
    trend_point::{self, Bucket, TrendPoint},
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    error,
    filters::{
        duration::DurationInput,
        session_filter::{SessionFilter, session_page},
    },
    loaders, nullable,
    paging::{connection::connection, page::PageArgs},
    reuse::rows::OwnedRows,
    schema::{
        hidden_fields,
        id::Key,
        interface::interface,
        scalars::{DateTime, Long, UUID, int, long, summary, text},
    },
};
use crate::{
    estate::{CompanyKey, RowRef, company_of},
    loaders::{
        company::CompanyOf,
        coverage::CoverageOf,
        job::JobRow,
        server::ServerOf,
        session::{RunsOf, SuccessOf},
    },
    upstream::vspc,
};
use async_graphql::{Context, ID, Object, Result};
use veeam_graph_macros::direct_fields;

interface! {
    /// A job of a backup server, whatever its type. Source:
    /// `GET /infrastructure/backupServers/jobs` of Service Provider Console, which knows the last
    /// session only; history comes from Enterprise Manager (`sessions`).
    pub enum Job: fields of JobFields<Job>, itself &["Node"];
    AgentJob(AgentJob),
    BackupCopyJob(BackupCopyJob),
    TapeJob(TapeJob),
    VmBackupJob(VmBackupJob),
    ReplicationJob(ReplicationJob),
    CdpReplicationJob(CdpReplicationJob),
    SimpleBackupCopyJob(SimpleBackupCopyJob),
    VmCopyJob(VmCopyJob),
    FileCopyJob(FileCopyJob),
    FileShareBackupJob(FileShareBackupJob),
    FileShareCopyJob(FileShareCopyJob),
    ObjectStorageBackupJob(ObjectStorageBackupJob),
    ObjectStorageCopyJob(ObjectStorageCopyJob),
    OtherJob(OtherJob),
}

connection! {
    /// A page of a list of jobs.
    JobConnection, JobEdge, Job, health_counts
}

impl From<RowRef<vspc::job::Job>> for Job {
    fn from(row: RowRef<vspc::job::Job>) -> Self {
        let kind = JobKind::of(row.r#type.as_deref());
        let row = JobRow(row);
        match kind {
            JobKind::AgentBackup | JobKind::AgentPolicy => Job::AgentJob(row.into()),
            JobKind::BackupCopy => Job::BackupCopyJob(row.into()),
            JobKind::BackupToTape | JobKind::FileToTape => Job::TapeJob(row.into()),
            JobKind::VmBackup => Job::VmBackupJob(row.into()),
            JobKind::Replication => Job::ReplicationJob(row.into()),
            JobKind::CdpReplication => Job::CdpReplicationJob(row.into()),
            JobKind::SimpleBackupCopy => Job::SimpleBackupCopyJob(row.into()),
            JobKind::VmCopy => Job::VmCopyJob(row.into()),
            JobKind::FileCopy => Job::FileCopyJob(row.into()),
            JobKind::FileShareBackup => Job::FileShareBackupJob(row.into()),
            JobKind::FileShareCopy => Job::FileShareCopyJob(row.into()),
            JobKind::ObjectStorageBackup => Job::ObjectStorageBackupJob(row.into()),
            JobKind::ObjectStorageCopy => Job::ObjectStorageCopyJob(row.into()),
            _ => Job::OtherJob(row.into()),
        }
    }
}

/// The health of a job's row.
pub fn health_of(job: &vspc::job::Job) -> Health {
    Health::of(job.status.as_deref(), job.last_run.is_some())
}

/// The fields that every type of job has, compiled once for all of them: `JobFields` makes them
/// part of each.
pub struct JobCommon(pub(crate) JobRow);

#[direct_fields]
#[Object]
impl JobCommon {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Job(self.0.key()).encode(loaders(ctx).estate())
    }

    /// The job's id in Veeam Backup & Replication (`instanceUid`), shared with Enterprise Manager.
    /// Repeats over backup servers whose configuration was cloned or restored: only with the server
    /// does it name one job.
    async fn uid(&self) -> UUID {
        UUID(self.0.0.instance_uid.0)
    }

    /// Service Provider Console's own id of the job (`uniqueUid`). Null before version 3.5.1 of its
    /// API.
    async fn unique_uid(&self) -> Option<UUID> {
        self.0.0.unique_uid.map(|uid| UUID(uid.0))
    }

    /// The job's name.
    async fn name(&self) -> &str {
        &self.0.0.name
    }

    /// The description that somebody gave the job; null if there is none.
    async fn description(&self) -> Option<&str> {
        text(&self.0.0.description)
    }

    /// Who created the job; null if unknown.
    async fn created_by(&self) -> Option<&str> {
        text(&self.0.0.created_by)
    }

    /// When the job was created; null if unknown.
    async fn created_at(&self) -> Option<DateTime> {
        self.0.0.creation_time.map(DateTime)
    }

    /// The kind of the job.
    async fn kind(&self) -> JobKind {
        JobKind::of(self.0.0.r#type.as_deref())
    }

    /// As the upstream reports it, the type, for example `AgentBackupJob`. Empty when it gives
    /// none.
    async fn r#type(&self) -> &str {
        self.0.0.r#type.as_deref().unwrap_or_default()
    }

    /// The health of the job, in the gateway's own words: how its last run went, or what it is
    /// doing now.
    async fn health(&self) -> Health {
        health_of(&self.0.0)
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        health_of(&self.0.0).code()
    }

    /// As the upstream reports it, the status, for example `WaitingTape`. Empty when it gives none.
    async fn status(&self) -> &str {
        self.0.0.status.as_deref().unwrap_or_default()
    }

    /// Whether the job's schedule is enabled; null if unknown.
    async fn is_enabled(&self) -> Option<bool> {
        self.0.0.is_enabled
    }

    /// How the job is scheduled, as the upstream reports it: `Daily`, `Periodically`, `Chained` …;
    /// null if unknown.
    async fn schedule_type(&self) -> Option<&str> {
        text(&self.0.0.schedule_type)
    }

    /// When the last session started; null if the job never ran.
    async fn last_run(&self) -> Option<DateTime> {
        self.0.0.last_run.map(DateTime)
    }

    /// When the last session ended; null while it runs, and if the job never ran.
    async fn last_end_time(&self) -> Option<DateTime> {
        self.0.0.last_end_time.map(DateTime)
    }

    /// How long the last session took, in seconds; null if unknown.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.0.0.last_duration)
    }

    /// How long sessions of the job take on average, in seconds; null if unknown.
    async fn avg_duration_seconds(&self) -> Option<i32> {
        int(self.0.0.avg_duration)
    }

    /// How many bytes the last session transferred; null if unknown.
    async fn transferred_bytes(&self) -> Option<Long> {
        long(self.0.0.transferred_data)
    }

    /// How many bytes all backup files of the job take; null where the upstream does not count them
    /// (most agent jobs).
    async fn backup_chain_bytes(&self) -> Option<Long> {
        long(self.0.0.backup_chain_size)
    }

    /// How fast the last session processed data, in bytes per second; null if unknown.
    async fn processing_rate(&self) -> Option<f64> {
        self.0.0.processing_rate
    }

    /// What slowed the last session down, as the upstream reports it: `Source`, `Network`, `Target`
    /// …; null if unknown.
    async fn bottleneck(&self) -> Option<&str> {
        text(&self.0.0.bottleneck)
    }

    /// Why the last session failed or ended with warnings, as the upstream wrote it, possibly over
    /// several lines; null if there is no message.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.0.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.0.failure_message))
    }

    /// Where the job writes to, by name; null if unknown.
    async fn destination(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        // a repository mostly, but also a share, or the host of a replica
        hidden_fields::host_name(ctx, text(&self.0.0.destination))
    }

    /// The kind of the destination, as the upstream reports it: `Local` or `Cloud`; null if
    /// unknown.
    async fn target_type(&self) -> Option<&str> {
        text(&self.0.0.target_type)
    }

    /// How much is kept, in units of `retentionLimitType`; null if unknown.
    async fn retention_limit(&self) -> Option<i32> {
        int(self.0.0.retention_limit)
    }

    /// The unit of `retentionLimit`, as the upstream reports it: `Days` or `RestorePoints`; null if
    /// unknown.
    async fn retention_limit_type(&self) -> Option<&str> {
        text(&self.0.0.retention_limit_type)
    }

    /// Whether weekly, monthly or yearly fulls are kept longer (GFS); null if unknown.
    async fn is_gfs_enabled(&self) -> Option<bool> {
        self.0.0.is_gfs_option_enabled
    }

    /// The backup server that runs the job; null if the console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let answer = loaders(ctx).row(ServerOf(self.0.key().server_key())).await;
        nullable(answer.map(|row| row.map(|row| Linked(BackupServer::from(row)))))
    }

    /// The company whose job it is: the one it is assigned to (`mappedOrganizationUid`), else the
    /// one that owns the server (`organizationUid`); null if it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let key = CompanyKey {
            upstream: self.0.0.upstream(),
            company: company_of(&self.0.0)?,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// Whether what the job backs up also gets to tape, as the estate is set up.
    async fn tape(&self, ctx: &Context<'_>) -> TapeCoverage {
        let answer = loaders(ctx).ask(CoverageOf(self.0.clone()), None).await;
        TapeCoverage::new(ctx, answer)
    }

    /// What Enterprise Manager remembers of the job's runs, newest first: usually 30 days. Without
    /// per-machine parts; those are the runs' `children`. Empty for tape jobs, of which Enterprise
    /// Manager knows nothing.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Returns only the runs that match this filter. Without it, all that Enterprise Manager remembers."
        )]
        filter: Option<SessionFilter>,
        #[graphql(desc = "How many runs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let answer = loaders(ctx)
            .ask(RunsOf(self.0.clone()), Default::default())
            .await;
        let parent = format!("Job {:?}", self.0.key());
        session_page(ctx, answer, &parent, filter, PageArgs { first, after }).await
    }

    /// The newest run that Enterprise Manager remembers; null when it remembers none.
    async fn last_session(&self, ctx: &Context<'_>) -> Option<Result<Linked<AgentSession>>> {
        let answer = loaders(ctx)
            .ask(RunsOf(self.0.clone()), Default::default())
            .await;
        AgentSession::newest(answer)
    }

    /// When the newest run that succeeded ended: the last one, or else the newest that Enterprise
    /// Manager remembers (usually for 30 days). A run with warnings did not succeed; that a job is
    /// `IDLE` says nothing. Null when no such run is known: see `lastSuccessKnown`.
    async fn last_success(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        let answer = loaders(ctx)
            .ask(SuccessOf(self.0.clone()), Default::default())
            .await;
        nullable(answer.map(|success| success.at.map(DateTime)))
    }

    /// Whether `lastSuccess` can be told. If so and it is null, the job never ran, or no run that
    /// is remembered succeeded. If not, the last run did not succeed and Enterprise Manager knows
    /// nothing of the job; so it is with tape jobs.
    async fn last_success_known(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        let answer = loaders(ctx)
            .ask(SuccessOf(self.0.clone()), Default::default())
            .await;
        nullable(answer.map(|success| Some(success.is_known)))
    }

    /// The share of the job's runs that succeeded, from 0 to 1, of those that began within this
    /// time and ended; null if none did. From Enterprise Manager, so not from longer ago than it
    /// remembers (usually 30 days).
    async fn success_rate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of the time window, which ends now.")] window: DurationInput,
    ) -> Option<Result<f64>> {
        let loaders = loaders(ctx);
        let from = match window.ago(loaders.estate()) {
            Ok(from) => from,
            Err(error) => return Some(Err(error)),
        };
        let runs = trend_point::whole(
            loaders
                .ask(RunsOf(self.0.clone()), Default::default())
                .await,
        );
        match runs {
            Ok(runs) => trend_point::success_rate(loaders.budget(), &[runs], from)
                .await
                .map(Ok),
            Err(failure) => Some(Err(error::upstream(&failure))),
        }
    }

    /// How long the job's runs took, hour by hour, day by day or week by week, oldest first;
    /// without those in which none began. From Enterprise Manager, so not from longer ago than it
    /// remembers (usually 30 days).
    async fn duration_trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of the time window, which ends now.")] window: DurationInput,
        #[graphql(desc = "The length of time that one point of the trend covers.")] bucket: Bucket,
    ) -> Option<Result<OwnedRows<TrendPoint>>> {
        let loaders = loaders(ctx);
        let from = match window.ago(loaders.estate()) {
            Ok(from) => from,
            Err(error) => return Some(Err(error)),
        };
        let runs = match trend_point::whole(
            loaders
                .ask(RunsOf(self.0.clone()), Default::default())
                .await,
        ) {
            Ok(runs) => runs,
            Err(failure) => return Some(Err(error::upstream(&failure))),
        };
        Some(
            OwnedRows::give_out(
                ctx,
                trend_point::trend(loaders.budget(), &runs, from, bucket).await,
            )
            .await,
        )
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0.0)
    }
}
