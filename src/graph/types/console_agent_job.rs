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

/// Which jobs of agents. Every member that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct ConsoleAgentJobFilter {
    /// Jobs from these upstreams, by their names in the configuration.
    upstream: Option<Names>,
    /// Jobs that are doing like this.
    health: Option<OneOf<Health>>,
    /// Jobs whose name contains this, without regard to case.
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
    /// All of these must hold too.
    and: Option<Vec<ConsoleAgentJobFilter>>,
    /// At least one of these must hold too. An empty list holds for no job.
    or: Option<Vec<ConsoleAgentJobFilter>>,
    /// This must not hold.
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
    /// Jobs of agents that no backup server manages, page by page.
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
    /// Global id: stable over renames.
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

    /// What somebody wrote about the job; null for nothing.
    async fn description(&self) -> Option<&str> {
        text(&self.0.description)
    }

    /// How it is doing, in one word of ours.
    async fn health(&self) -> Health {
        health_of(&self.0)
    }

    /// `health` as the number that dashboards use: 0 none or not known, 1 success, 2 warning, 3
    /// failed, 4 idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        health_of(&self.0).code()
    }

    /// The upstream's own word for that: `Success`, `Running`, `None` … Empty when it gives none.
    async fn status(&self) -> &str {
        self.0.status.as_deref().unwrap_or_default()
    }

    /// The machine's operating system, in the upstream's word: `Windows`, `Linux`, `Mac`; null when
    /// not known.
    async fn os_type(&self) -> Option<&str> {
        text(&self.0.system_type)
    }

    /// What the agent is licensed as, in the upstream's word: `Server`, `Workstation`; null when
    /// not known.
    async fn operation_mode(&self) -> Option<&str> {
        text(&self.0.operation_mode)
    }

    /// What is backed up, in the upstream's word: `EntireComputer`, `Volume`, `File`; null when not
    /// known.
    async fn backup_mode(&self) -> Option<&str> {
        text(&self.0.backup_mode)
    }

    /// Where backups are kept, as a path or a name; null when not known.
    async fn destination(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.0.destination))
    }

    /// What kind of place that is, in the upstream's word: `LocalFolder`, `SharedFolder`,
    /// `BackupRepository`, `CloudRepository`; null when not known.
    async fn target_type(&self) -> Option<&str> {
        text(&self.0.target_type)
    }

    /// Whether its schedule is enabled; null when not known.
    async fn is_enabled(&self) -> Option<bool> {
        self.0.is_enabled
    }

    /// How it is scheduled, in the upstream's word: `Daily`, `Periodically`, `NotScheduled` …; null
    /// when not known.
    async fn schedule_type(&self) -> Option<&str> {
        text(&self.0.schedule_type)
    }

    /// Its schedule for people; null when not known.
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

    /// How long the last session took, in seconds; null when not known.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.0.last_duration)
    }

    /// How long sessions take on average, in seconds; null when not known.
    async fn avg_duration_seconds(&self) -> Option<i32> {
        int(self.0.avg_duration)
    }

    /// When it is to run next; null when not known.
    async fn next_run(&self) -> Option<DateTime> {
        self.0.next_run.map(DateTime)
    }

    /// How many restore points there are; null when not known.
    async fn restore_points_count(&self) -> Option<i32> {
        int(self.0.restore_points)
    }

    /// How many bytes all restore points take; null when not known.
    async fn backup_bytes(&self) -> Option<Long> {
        long(self.0.backed_up_size)
    }

    /// How many bytes are free where backups are kept; null when not known.
    async fn free_bytes(&self) -> Option<Long> {
        long(self.0.free_space)
    }

    /// Why the last session failed, in the upstream's words, of many lines; null when it did not.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null when there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.failure_message))
    }

    /// The id of the backup policy that the job is from; null for none.
    async fn backup_policy_uid(&self) -> Option<UUID> {
        self.0.backup_policy_uid.map(|uid| UUID(uid.0))
    }

    /// The name of the backup policy; null for none.
    async fn backup_policy_name(&self) -> Option<&str> {
        text(&self.0.backup_policy_name)
    }

    /// Whether the policy is applied, in the upstream's word: `Assigned`, `Custom`, `FailedToApply`
    /// …; null for none.
    async fn backup_policy_assign_status(&self) -> Option<&str> {
        text(&self.0.backup_policy_assign_status)
    }

    /// Why the policy could not be applied; null when it could.
    async fn backup_policy_failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.backup_policy_failure_message))
    }

    /// When somebody last changed its settings; null when not known.
    async fn last_modified_at(&self) -> Option<DateTime> {
        self.0.last_modified_date.map(DateTime)
    }

    /// Who did; null when not known.
    async fn last_modified_by(&self) -> Option<&str> {
        text(&self.0.last_modified_by)
    }

    /// The agent whose job it is; null when the console does not list it.
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

    /// The company whose agent it is; null when it is nobody's.
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

    /// Where this row came from, and how fresh it is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
