//! Which jobs, and in which order: the arguments of every connection of jobs.

use super::{
    boolean_filter::{BooleanFilter, Prepared, boolean_filter},
    conditions::{Names, OneOf, Part, Whole},
    duration::DurationInput,
    job_facts::{Facts, Needs},
    references::{Named, add_failures, must_be_there},
};
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    loaders,
    paging::page::{self, ListMark, OrderDirection, Page, PageArgs, SortValue},
    schema::scalars::{DateTime, UUID},
    types::{
        health::Health,
        health_counts::HealthCounts,
        job::{health_of, kind::JobKind},
        tape_coverage::TapeStatus,
    },
};
use crate::{
    estate::{Estate, Failure, RowRef, company_of},
    time,
    upstream::vspc,
};
use async_graphql::{Context, Enum, InputObject, Result, resolver_utils::EnumType};
use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;

/// A row of the jobs' list.
pub type Row = RowRef<vspc::job::Job>;

/// Filters jobs. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct JobFilter {
    /// Jobs from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Jobs of these kinds.
    kind: Option<OneOf<JobKind>>,
    /// Jobs in one of these states.
    health: Option<OneOf<Health>>,
    /// Jobs of this company: assigned to it, or else on a server that it owns.
    company_uid: Option<UUID>,
    /// Jobs of the companies with this whole name, ignoring case.
    company_name: Option<Whole>,
    /// Jobs on this backup server.
    backup_server_uid: Option<UUID>,
    /// Jobs whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Jobs whose schedule is enabled, or is not.
    enabled: Option<bool>,
    /// Jobs whose last session ended within this time up to now. One that never ran, or runs for
    /// the first time, did not.
    ended_within: Option<DurationInput>,
    /// Jobs whose last session ended at this instant or later.
    ended_since: Option<DateTime>,
    /// Jobs without a success within this time up to now, by `lastSuccess`: also those that never
    /// ran, and those of which it is not known (`lastSuccessKnown`), so that none is missed.
    not_succeeded_for: Option<DurationInput>,
    /// Jobs that get to tape in one of these ways.
    tape_status: Option<OneOf<TapeStatus>>,
    /// Without jobs that back up database logs: these run all day, by design, and drown the rest.
    /// False if omitted.
    exclude_log_backups: Option<bool>,
    /// Matches if all of these filters match.
    and: Option<Vec<JobFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<JobFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<JobFilter>>,
}

boolean_filter!(JobFilter);

impl JobFilter {
    fn named(&self) -> Named<'_> {
        Named {
            company: self.company_uid,
            company_name: self.company_name.as_ref(),
            server: self.backup_server_uid,
        }
    }

    /// What it takes to decide, beside the jobs' own rows.
    fn needs(&self) -> Needs {
        let own = Needs {
            companies: self.company_name.is_some(),
            tape: self.tape_status.is_some(),
            successes: self.not_succeeded_for.is_some(),
        };
        self.inner()
            .fold(own, |needs, filter| needs | filter.needs())
    }
}

/// A filter's own members, with lengths of time as instants.
struct Own<'a> {
    filter: &'a JobFilter,
    ended_since: Option<Timestamp>,
    succeeded_since: Option<Timestamp>,
}

impl<'a> Own<'a> {
    fn of(filter: &'a JobFilter, estate: &Estate) -> Result<Self> {
        Ok(Self {
            filter,
            ended_since: filter
                .ended_within
                .map(|within| within.ago(estate))
                .transpose()?,
            succeeded_since: filter
                .not_succeeded_for
                .map(|within| within.ago(estate))
                .transpose()?,
        })
    }

    /// Whether the members that a job's own row decides hold. What this leaves out needs no facts.
    fn may_hold(&self, estate: &Estate, job: &Row) -> bool {
        let (filter, kind) = (self.filter, || JobKind::of(job.r#type.as_deref()));
        is_from(estate, job.upstream(), filter.upstream.as_ref())
            && filter
                .kind
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&kind()))
            && filter
                .health
                .as_ref()
                .is_none_or(|healths| healths.contains(&health_of(job)))
            && filter
                .company_uid
                .is_none_or(|company| company_of(job).is_some_and(|of_job| of_job.0 == company.0))
            && filter
                .backup_server_uid
                .is_none_or(|server| job.backup_server_uid.0 == server.0)
            && contains(&job.name, filter.name_contains.as_ref())
            && filter
                .enabled
                .is_none_or(|enabled| job.is_enabled == Some(enabled))
            && self
                .ended_since
                .is_none_or(|since| time::is_within(job.last_end_time, since, estate.now()))
            && filter
                .ended_since
                .is_none_or(|since| time::is_within(job.last_end_time, since.0, estate.now()))
            && (filter.exclude_log_backups != Some(true) || kind() != JobKind::LogBackup)
    }

    fn holds(&self, estate: &Estate, facts: &Facts, job: &Row) -> bool {
        let filter = self.filter;
        self.may_hold(estate, job)
            && filter
                .company_name
                .as_ref()
                .is_none_or(|name| facts.is_of_company(job, name))
            && self
                .succeeded_since
                .is_none_or(|since| !time::is_within(facts.last_success(job), since, estate.now()))
            && filter
                .tape_status
                .as_ref()
                .is_none_or(|ways| ways.contains(&facts.tape(job)))
    }
}

/// What jobs can be ordered by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOrderField {
    /// The job's name, ignoring case.
    Name,
    /// When the last session started.
    LastRun,
    /// When the last session ended.
    LastEndTime,
    /// How long the last session took.
    Duration,
    /// How the job is doing, ascending from the worst: failed, warning, unknown, never ran,
    /// waiting, running, idle, success.
    Health,
}

/// One thing to order jobs by.
#[derive(InputObject, Clone, Debug)]
pub struct JobOrder {
    /// The field to order by.
    field: JobOrderField,
    /// The direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Jobs counted by health: all, and those that back up database logs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    logs: HealthCounts,
    others: HealthCounts,
}

impl Tally {
    async fn of(ctx: &Context<'_>, jobs: &[Row]) -> Self {
        let mut tally = Self::default();
        let count = |job: &Row| {
            let is_log = JobKind::of(job.r#type.as_deref()) == JobKind::LogBackup;
            if is_log {
                &mut tally.logs
            } else {
                &mut tally.others
            }
            .count(health_of(job));
        };
        loaders(ctx).budget().each(jobs, count).await;
        tally
    }

    /// How many are doing how.
    pub fn counts(&self, include_log_backups: bool) -> HealthCounts {
        if include_log_backups {
            self.others + self.logs
        } else {
            self.others
        }
    }
}

/// A page of jobs, what could not be read, and counts of the whole list.
pub struct JobPage {
    /// The page.
    pub page: Page<Row>,
    /// Why rows may be missing.
    pub problems: Vec<Failure>,
    /// The whole filtered list, counted where somebody asks for it.
    pub tally: Option<Tally>,
}

/// Filters, orders, counts and cuts jobs. Without an order they go by name.
pub fn job_page<'a>(
    ctx: &'a Context<'a>,
    rows: Vec<Row>,
    mut problems: Vec<Failure>,
    list: &'a str,
    filter: Option<JobFilter>,
    order: Option<Vec<JobOrder>>,
    args: &'a PageArgs,
) -> BoxFuture<'a, Result<JobPage>> {
    async move {
        let estate = loaders(ctx).estate();
        let filter = filter.unwrap_or_default();
        may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
        let by_name = || JobOrder {
            field: JobOrderField::Name,
            direction: OrderDirection::Asc,
        };
        let order = page::orders(order, JobOrderField::items().len(), by_name)?;
        let mark = || ListMark::of(&[list, &format!("{filter:?}"), &format!("{order:?}")]);
        let descending: Vec<bool> = order
            .iter()
            .map(|order| order.direction == OrderDirection::Desc)
            .collect();
        let wanted = Prepared::of(&filter, &|filter| Own::of(filter, estate))?;
        let whose = |job: &Row| (company_of(job), Some(job.backup_server_uid));
        problems = must_be_there(ctx, &filter, JobFilter::named, &rows, whose, problems).await?;
        let rows = wanted
            .keep_by_own(ctx, rows, |own, job| own.may_hold(estate, job))
            .await?;
        let facts = Facts::of(ctx, &rows, filter.needs()).await;
        let rows = wanted
            .keep(ctx, rows, |own, job| own.holds(estate, &facts, job))
            .await?;
        add_failures(&mut problems, facts.problems);
        let tally = if ctx.look_ahead().field("healthCounts").exists() {
            Some(Tally::of(ctx, &rows).await)
        } else {
            None
        };
        let values = |job: &Row| {
            let value = |order: &JobOrder| match order.field {
                JobOrderField::Name => SortValue::name(&job.name),
                JobOrderField::LastRun => SortValue::instant(job.last_run),
                JobOrderField::LastEndTime => SortValue::instant(job.last_end_time),
                JobOrderField::Duration => SortValue::number(job.last_duration),
                JobOrderField::Health => SortValue::Number(health_of(job).rank()),
            };
            order.iter().map(value).collect()
        };
        let identity = |job: &Row| {
            format!(
                "{}:{}:{}",
                job.upstream().0,
                job.backup_server_uid,
                job.instance_uid
            )
        };
        Ok(JobPage {
            page: page::cut(ctx, rows, args, mark, &descending, values, identity).await?,
            problems,
            tally,
        })
    }
    .boxed()
}
