//! `BackupAgentJob`: a job of a standalone agent, as the legacy v2 API gives it.

use super::{health::Health, origin::Origin};
use crate::graph::{
    loaders,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    schema::{
        hidden_fields,
        id::Key,
        scalars::{DateTime, Long, UUID, int, long, summary, text},
    },
};
use crate::{
    estate::{Failure, RowRef},
    uid::AgentUid,
    upstream::vac::backup_agent_job::{self, Link, Links},
};
use async_graphql::{Context, Description, ID, Object, Result};
use veeam_graph_macros::direct_fields;

/// A job of a standalone backup agent, every member of the v2 document. Source:
/// `GET /v2/backupAgents/{id}/jobs` and `/v2/backupAgents/{id}/jobs/{id}`.
#[derive(Description)]
pub struct BackupAgentJob(RowRef<backup_agent_job::BackupAgentJob>);

connection! {
    /// A page of a list of jobs of standalone agents.
    BackupAgentJobConnection, BackupAgentJobEdge, BackupAgentJob
}

/// Cuts an agent's jobs. They go by name.
pub async fn agent_job_page(
    ctx: &Context<'_>,
    rows: Vec<RowRef<backup_agent_job::BackupAgentJob>>,
    problems: &[Failure],
    agent: &str,
    args: &PageArgs,
) -> Result<BackupAgentJobConnection> {
    let mark = || ListMark::of(&["backupAgentJobs", agent]);
    let identity = |row: &RowRef<backup_agent_job::BackupAgentJob>| {
        let id = row.id.map(|id| id.to_string()).unwrap_or_default();
        format!("{}:{id}:{}", row.upstream().0, row.name)
    };
    let page = page::cut(
        ctx,
        rows,
        args,
        mark,
        &[false],
        |row| vec![SortValue::name(&row.name)],
        identity,
    )
    .await?;
    Ok(BackupAgentJobConnection::new(
        ctx,
        page,
        problems,
        BackupAgentJob::from,
    ))
}

/// What the v2 API says can be done with a job, and where. This gateway never follows it.
#[derive(Description)]
pub struct BackupAgentJobLink<'a>(&'a Link);

#[direct_fields]
#[Object(use_type_description)]
impl BackupAgentJobLink<'_> {
    /// What it is: `self`, `startJob`, `delete` …
    async fn rel(&self) -> &str {
        &self.0.rel
    }

    /// The HTTP method it takes.
    async fn method(&self) -> &str {
        &self.0.method
    }

    /// The address as the v2 API printed it: the host is the console's own name, which may lead
    /// nowhere from here.
    async fn href(&self) -> &str {
        &self.0.href
    }
}

impl From<RowRef<backup_agent_job::BackupAgentJob>> for BackupAgentJob {
    fn from(row: RowRef<backup_agent_job::BackupAgentJob>) -> Self {
        Self(row)
    }
}

impl BackupAgentJob {
    fn agent(&self) -> AgentUid {
        self.0.agent.unwrap_or(AgentUid(uuid::Uuid::nil()))
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl BackupAgentJob {
    /// Global id. Jobs of old agents have no id of their own; theirs is made of the agent and the
    /// job's name.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        let job = self.0.id.ok_or_else(|| self.0.name.clone());
        Key::BackupAgentJob {
            upstream: self.0.upstream(),
            agent: self.agent(),
            job,
        }
        .encode(loaders(ctx).estate())
    }

    /// The job's id on its agent (`id`); null for jobs of Veeam Agent for Windows up to 2.2, which
    /// have none.
    async fn uid(&self) -> Option<UUID> {
        self.0.id.map(|uid| UUID(uid.0))
    }

    /// The agent's id.
    async fn agent_uid(&self) -> UUID {
        UUID(self.agent().0)
    }

    /// The job's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The description that somebody gave the job; null if there is none.
    async fn description(&self) -> Option<&str> {
        text(&self.0.description)
    }

    /// As the upstream reports it, how the last session went: `Success`, `Warning`, `Failed`,
    /// `Running`, `None`.
    async fn last_session_status(&self) -> Option<&str> {
        text(&self.0.last_session_status)
    }

    /// How the last session went, in the gateway's own words.
    async fn health(&self) -> Health {
        Health::of(
            self.0.last_session_status.as_deref(),
            self.0.last_run.is_some(),
        )
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        Health::of(
            self.0.last_session_status.as_deref(),
            self.0.last_run.is_some(),
        )
        .code()
    }

    /// The agent's mode, as the upstream reports it: `Server`, `Workstation`, `UnLicensed`; null if
    /// unknown.
    async fn operation_mode(&self) -> Option<&str> {
        text(&self.0.operation_mode)
    }

    /// Where the job writes to: a path or a name; null if unknown.
    async fn destination(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.0.destination))
    }

    /// The kind of the destination, as the upstream reports it, for example `Local`; null if
    /// unknown.
    async fn target_type(&self) -> Option<&str> {
        text(&self.0.target_type)
    }

    /// How many restore points there are (`restorePoints`); null if unknown.
    async fn restore_points_count(&self) -> Option<i32> {
        int(self.0.restore_points)
    }

    /// When the newest restore point was made (`lastRestorePoint`); null if there is none, or it is
    /// not told.
    async fn last_restore_point_at(&self) -> Option<DateTime> {
        self.0.last_restore_point.map(DateTime)
    }

    /// How many bytes the backups take (`backupSize`); null if unknown.
    async fn backup_size_bytes(&self) -> Option<Long> {
        long(self.0.backup_size)
    }

    /// How many bytes are free at the destination (`freeSpace`); null if unknown.
    async fn free_space_bytes(&self) -> Option<Long> {
        long(self.0.free_space)
    }

    /// How the job is scheduled, as the upstream reports it: `Daily`, `Periodically` …; null if
    /// unknown.
    async fn schedule_type(&self) -> Option<&str> {
        text(&self.0.schedule_type)
    }

    /// When the last session started; null if the job never ran.
    async fn last_run(&self) -> Option<DateTime> {
        self.0.last_run.map(DateTime)
    }

    /// When the next session will start; null when nothing is scheduled.
    async fn next_run(&self) -> Option<DateTime> {
        self.0.next_run.map(DateTime)
    }

    /// When the job's settings were last changed (`lastModified`); null if unknown.
    async fn last_modified_at(&self) -> Option<DateTime> {
        self.0.last_modified.map(DateTime)
    }

    /// Who changed them (`lastModificationDoneBy`); null if unknown.
    async fn last_modified_by(&self) -> Option<&str> {
        text(&self.0.last_modification_done_by)
    }

    /// How long sessions take on average, in seconds (`avgDuration`); null if unknown.
    async fn avg_duration_seconds(&self) -> Option<i32> {
        int(self.0.avg_duration)
    }

    /// How long the last session took, in seconds (`lastDuration`); null if unknown.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.0.last_duration)
    }

    /// What is backed up, as the upstream reports it (`backupModeId`): `EntireComputer`, `Volume`,
    /// `Folder` …
    async fn backup_mode(&self) -> Option<&str> {
        text(&self.0.backup_mode_id)
    }

    /// Whether the job is switched on: the opposite of the upstream's `disabled`; null if unknown.
    async fn is_enabled(&self) -> Option<bool> {
        self.0.disabled.map(|disabled| !disabled)
    }

    /// Why the last session failed or warned, as the upstream reports it; null if there is no
    /// message.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.failure_message))
    }

    /// The id of the backup policy that made the job (`backupPolicyId`), 0 for none; null if
    /// unknown.
    async fn backup_policy_id(&self) -> Option<i32> {
        int(self.0.backup_policy_id)
    }

    /// The name of that policy; null if there is none.
    async fn backup_policy_name(&self) -> Option<&str> {
        text(&self.0.backup_policy_name)
    }

    /// How the job stands to its policy, as the upstream reports it, for example `Custom`; null if
    /// unknown.
    async fn backup_policy_status(&self) -> Option<&str> {
        text(&self.0.backup_policy_status)
    }

    /// A remark on the policy; null if there is none.
    async fn backup_policy_note(&self) -> Option<&str> {
        text(&self.0.backup_policy_note)
    }

    /// The id of the management agent on the Cloud Connect server; null if there is none.
    async fn cloud_connect_agent_uid(&self) -> Option<UUID> {
        self.0.cloud_connect_agent_uid.map(|uid| UUID(uid.0))
    }

    /// What the v2 API says can be done with the job (`_links`). This gateway never follows these.
    async fn links(&self) -> Vec<BackupAgentJobLink<'_>> {
        match &self.0.links {
            Links::Array(links) => links.iter().map(BackupAgentJobLink).collect(),
            Links::Other(_) => Vec::new(),
        }
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
