//! `AgentJob`: backup of machines by agents that a backup server manages.

use super::common_fields::JobFields;
use crate::graph::{
    filters::agent_job_object_filter::{AgentJobObjectFilter, object_page},
    loaders, nullable,
    paging::page::PageArgs,
    rows_of,
    schema::scalars::{int, text},
    types::agent_job_object::{AgentJobObject, AgentJobObjectConnection},
};
use crate::{
    estate::RowRef,
    loaders::{
        job::{AgentDetailOf, JobRow},
        object::ObjectsOf,
    },
    upstream::vspc,
};
use async_graphql::{Context, MergedObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// An agent job or agent policy: backup of physical machines and cloud instances. Source: the job
/// list, and `GET /infrastructure/backupServers/jobs/agentJobs` for what only agent jobs have.
#[derive(MergedObject)]
pub struct AgentJob(JobFields<AgentJob>, AgentJobFields);

crate::graph::writer::direct::merged_fields!(AgentJob: 0, 1);

impl From<JobRow> for AgentJob {
    fn from(row: JobRow) -> Self {
        Self(row.clone().into(), AgentJobFields(row))
    }
}

/// What only agent jobs have.
pub struct AgentJobFields(JobRow);

impl AgentJobFields {
    async fn detail<T>(
        &self,
        ctx: &Context<'_>,
        member: impl Fn(&RowRef<vspc::agent_job::AgentJob>) -> Option<T>,
    ) -> Option<Result<T>> {
        let answer = loaders(ctx).ask(AgentDetailOf(self.0.clone()), None).await;
        nullable(answer.map(|row| row.as_ref().and_then(member)))
    }
}

#[direct_fields]
#[Object]
impl AgentJobFields {
    /// The operating system of the machines, as the upstream reports it: `Windows`, `Linux`, `Mac`;
    /// null if unknown.
    async fn os_type(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.detail(ctx, |row| text(&row.os_type).map(str::to_owned))
            .await
    }

    /// Who runs the job, as the upstream reports it: `ManagedByBackupServer` or `ManagedByAgent`;
    /// null if unknown.
    async fn job_mode(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.detail(ctx, |row| text(&row.job_mode).map(str::to_owned))
            .await
    }

    /// The licence that the machines take, as the upstream reports it: `Server`, `Workstation`;
    /// null if unknown.
    async fn license_type(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.detail(ctx, |row| text(&row.license_type).map(str::to_owned))
            .await
    }

    /// How many sessions of the job the console has counted; null if unknown.
    async fn total_sessions_count(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.total_jobs_count)).await
    }

    /// How many of them succeeded; null if unknown.
    async fn successful_sessions_count(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.detail(ctx, |row| int(row.success_jobs_count)).await
    }

    /// The machines in the job. Source:
    /// `GET /infrastructure/backupServers/jobs/agentJobs/{jobUid}/objects`, or the fleet's list
    /// where that is cheaper.
    async fn objects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the machines that match this filter.")] filter: Option<
            AgentJobObjectFilter,
        >,
        #[graphql(desc = "How many machines to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentJobObjectConnection> {
        let (rows, problems) = rows_of(
            loaders(ctx)
                .ask(ObjectsOf(self.0.clone()), Default::default())
                .await,
        );
        let objects = rows
            .into_iter()
            .map(|row| AgentJobObject::of_job(row, self.0.0.clone()))
            .collect();
        object_page(
            ctx,
            objects,
            problems,
            &format!("Job {:?}", self.0.key()),
            filter,
            PageArgs { first, after },
        )
        .await
    }
}
