//! `ConsoleAgentJob`: a job of a backup agent that no backup server manages.

use super::{company::Company, console_agent::ConsoleAgent, health::Health, origin::Origin};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    filters::{
        boolean_filter::{Prepared, boolean_filter},
        conditions::{Names, OneOf, Part},
        duration::DurationInput,
        references::{Named, must_be_there},
    },
    loaders, nullable,
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
    estate::{CompanyKey, ConsoleJobKey, Estate, Failure, RowRef},
    loaders::company::CompanyOf,
    time,
    upstream::vspc::console_agent_job,
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};
use jiff::Timestamp;
use veeam_graph_macros::direct_fields;

/// A row of the jobs' list.
pub type Row = RowRef<console_agent_job::ConsoleAgentJob>;

/// How the job of a row is doing.
pub fn health_of(row: &Row) -> Health {
    Health::of(row.status.as_deref(), row.last_run.is_some())
}

/// Filters jobs of agents. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct ConsoleAgentJobFilter {
    /// Jobs from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Jobs in one of these states.
    health: Option<OneOf<Health>>,
    /// Jobs whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Jobs of this company's agents.
    company_uid: Option<UUID>,
    /// Jobs of this agent.
    agent_uid: Option<UUID>,
    /// Jobs whose schedule is enabled, or is not.
    enabled: Option<bool>,
    /// Jobs whose last session ended longer ago than this, and those that never had one. For one
    /// that runs for the first time it is when that began.
    older_than: Option<DurationInput>,
    /// Jobs whose last session ended within this time up to now.
    ended_within: Option<DurationInput>,
    /// Matches if all of these filters match.
    and: Option<Vec<ConsoleAgentJobFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<ConsoleAgentJobFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<ConsoleAgentJobFilter>>,
}

boolean_filter!(ConsoleAgentJobFilter);

/// A filter's own members, with lengths of time as instants.
struct Own<'a> {
    filter: &'a ConsoleAgentJobFilter,
    older_than: Option<Timestamp>,
    ended_since: Option<Timestamp>,
}

impl<'a> Own<'a> {
    fn of(filter: &'a ConsoleAgentJobFilter, estate: &Estate) -> Result<Self> {
        Ok(Self {
            filter,
            older_than: filter
                .older_than
                .map(|length| length.ago(estate))
                .transpose()?,
            ended_since: filter
                .ended_within
                .map(|length| length.ago(estate))
                .transpose()?,
        })
    }

    fn holds(&self, estate: &Estate, row: &Row) -> bool {
        let filter = self.filter;
        is_from(estate, row.upstream(), filter.upstream.as_ref())
            && filter
                .health
                .as_ref()
                .is_none_or(|healths| healths.contains(&health_of(row)))
            && contains(&row.name, filter.name_contains.as_ref())
            && filter.company_uid.is_none_or(|wanted| {
                row.organization_uid
                    .is_some_and(|company| company.0 == wanted.0)
            })
            && filter
                .agent_uid
                .is_none_or(|wanted| row.backup_agent_uid.0 == wanted.0)
            && filter
                .enabled
                .is_none_or(|enabled| row.is_enabled == Some(enabled))
            && self
                .older_than
                .is_none_or(|since| !time::is_within(newest(row), since, estate.now()))
            && self
                .ended_since
                .is_none_or(|since| time::is_within(row.last_end_time, since, estate.now()))
    }
}

/// When it last ended, or began for the first time.
fn newest(row: &Row) -> Option<Timestamp> {
    row.last_end_time.or(row.last_run)
}

/// A job of a backup agent that Service Provider Console manages, or nobody does. Jobs of agents
/// that backup servers manage are not here: these are `AgentJob`s. The same job in the legacy v2
/// API is a `BackupAgentJob`. Source: `GET /infrastructure/backupAgents/jobs`.
#[derive(Description)]
pub struct ConsoleAgentJob(Row);

connection! {
    /// A page of a list of jobs of agents that no backup server manages.
    ConsoleAgentJobConnection, ConsoleAgentJobEdge, ConsoleAgentJob
}

/// Filters and cuts jobs. They go by name.
pub async fn job_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    filter: Option<ConsoleAgentJobFilter>,
    args: &PageArgs,
) -> Result<ConsoleAgentJobConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &ConsoleAgentJobFilter| Named {
        company: filter.company_uid,
        ..Named::default()
    };
    let problems = must_be_there(
        ctx,
        &filter,
        named,
        &rows,
        |row| (row.organization_uid, None),
        problems.to_vec(),
    )
    .await?;
    let mark = || ListMark::of(&["consoleAgentJobs", parent, &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &|filter| Own::of(filter, estate))?;
    let rows = wanted
        .keep(ctx, rows, |own, row| own.holds(estate, row))
        .await?;
    let identity = |row: &Row| {
        format!(
            "{}:{}:{}:{:?}",
            row.upstream().0,
            row.backup_agent_uid,
            row.instance_uid,
            row.organization_uid
        )
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
    Ok(ConsoleAgentJobConnection::new(
        ctx,
        page,
        &problems,
        ConsoleAgentJob,
    ))
}

impl From<Row> for ConsoleAgentJob {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl ConsoleAgentJob {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        let key = ConsoleJobKey {
            upstream: self.0.upstream(),
            agent: self.0.backup_agent_uid,
            job: self.0.instance_uid,
        };
        Key::ConsoleAgentJob(key).encode(loaders(ctx).estate())
    }

    /// The job's id in Service Provider Console (`instanceUid`).
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The job's id on its agent; null before version 3.5.1 of the console's API.
    async fn original_uid(&self) -> Option<UUID> {
        self.0.original_uid.map(|uid| UUID(uid.0))
    }

    /// The agent's id.
    async fn agent_uid(&self) -> UUID {
        UUID(self.0.backup_agent_uid.0)
    }

    /// The job's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The description that somebody gave the job; null if there is none.
    async fn description(&self) -> Option<&str> {
        text(&self.0.description)
    }

    /// How it is doing, in the gateway's own words.
    async fn health(&self) -> Health {
        health_of(&self.0)
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        health_of(&self.0).code()
    }

    /// The upstream's own word for that: `Success`, `Running`, `None` … Empty when it gives none.
    async fn status(&self) -> &str {
        self.0.status.as_deref().unwrap_or_default()
    }

    /// The machine's operating system, as the upstream reports it: `Windows`, `Linux`, `Mac`; null
    /// if unknown.
    async fn os_type(&self) -> Option<&str> {
        text(&self.0.system_type)
    }

    /// What the agent is licensed as, as the upstream reports it: `Server`, `Workstation`; null if
    /// unknown.
    async fn operation_mode(&self) -> Option<&str> {
        text(&self.0.operation_mode)
    }

    /// What is backed up, as the upstream reports it: `EntireComputer`, `Volume`, `File`; null if
    /// unknown.
    async fn backup_mode(&self) -> Option<&str> {
        text(&self.0.backup_mode)
    }

    /// Where backups are kept, as a path or a name; null if unknown.
    async fn destination(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.0.destination))
    }

    /// The kind of the destination, as the upstream reports it: `LocalFolder`, `SharedFolder`,
    /// `BackupRepository`, `CloudRepository`; null if unknown.
    async fn target_type(&self) -> Option<&str> {
        text(&self.0.target_type)
    }

    /// Whether its schedule is enabled; null if unknown.
    async fn is_enabled(&self) -> Option<bool> {
        self.0.is_enabled
    }

    /// How it is scheduled, as the upstream reports it: `Daily`, `Periodically`, `NotScheduled` …;
    /// null if unknown.
    async fn schedule_type(&self) -> Option<&str> {
        text(&self.0.schedule_type)
    }

    /// Its schedule for people; null if unknown.
    async fn schedule_display_name(&self) -> Option<&str> {
        text(&self.0.schedule_display_name)
    }

    /// When the last session started; null when it never ran.
    async fn last_run(&self) -> Option<DateTime> {
        self.0.last_run.map(DateTime)
    }

    /// When the last session ended; null when it never ran, or runs for the first time.
    async fn last_end_time(&self) -> Option<DateTime> {
        self.0.last_end_time.map(DateTime)
    }

    /// How long ago the last session ended, or began where none has ended yet, in seconds; null
    /// when it never ran. Counted when the answer was made.
    async fn age_seconds(&self, ctx: &Context<'_>) -> Option<i32> {
        int(time::age(newest(&self.0), loaders(ctx).estate().now()))
    }

    /// How long the last session took, in seconds; null if unknown.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.0.last_duration)
    }

    /// How long sessions take on average, in seconds; null if unknown.
    async fn avg_duration_seconds(&self) -> Option<i32> {
        int(self.0.avg_duration)
    }

    /// When it is to run next; null if unknown.
    async fn next_run(&self) -> Option<DateTime> {
        self.0.next_run.map(DateTime)
    }

    /// How many restore points there are; null if unknown.
    async fn restore_points_count(&self) -> Option<i32> {
        int(self.0.restore_points)
    }

    /// How many bytes all restore points take; null if unknown.
    async fn backup_bytes(&self) -> Option<Long> {
        long(self.0.backed_up_size)
    }

    /// How many bytes are free where backups are kept; null if unknown.
    async fn free_bytes(&self) -> Option<Long> {
        long(self.0.free_space)
    }

    /// Why the last session failed, as the upstream reports it, of many lines; null when it did
    /// not.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.failure_message))
    }

    /// The id of the backup policy that the job is from; null if there is none.
    async fn backup_policy_uid(&self) -> Option<UUID> {
        self.0.backup_policy_uid.map(|uid| UUID(uid.0))
    }

    /// The name of the backup policy; null if there is none.
    async fn backup_policy_name(&self) -> Option<&str> {
        text(&self.0.backup_policy_name)
    }

    /// Whether the policy is applied, as the upstream reports it: `Assigned`, `Custom`,
    /// `FailedToApply` …; null if there is none.
    async fn backup_policy_assign_status(&self) -> Option<&str> {
        text(&self.0.backup_policy_assign_status)
    }

    /// Why the policy could not be applied; null when it could.
    async fn backup_policy_failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.backup_policy_failure_message))
    }

    /// When somebody last changed its settings; null if unknown.
    async fn last_modified_at(&self) -> Option<DateTime> {
        self.0.last_modified_date.map(DateTime)
    }

    /// Who did; null if unknown.
    async fn last_modified_by(&self) -> Option<&str> {
        text(&self.0.last_modified_by)
    }

    /// The agent whose job it is; null if the console does not list it.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Result<ConsoleAgent>> {
        let loaders = loaders(ctx);
        let console = loaders.caller().console(self.0.upstream())?;
        let found = console
            .console_agent_of(
                loaders.caller(),
                self.0.backup_agent_uid,
                self.0.organization_uid,
            )
            .await;
        nullable(found.map(|row| row.map(ConsoleAgent::from)))
    }

    /// The company whose agent it is; null if it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let key = CompanyKey {
            upstream: self.0.upstream(),
            company: self.0.organization_uid?,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
