//! Which jobs, and in which order: the arguments of every connection of jobs.

use super::{
    health::Health,
    job::{JobKind, health_of},
    page::{self, ListMark, OrderDirection, Page, PageArgs, SortValue},
    scalars::UUID,
    window::DurationInput,
};
use crate::{
    estate::{Estate, RowRef, company_of},
    upstream::vspc,
};
use async_graphql::{Enum, InputObject, Result};
use jiff::Timestamp;

/// Which jobs. Every member that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct JobFilter {
    /// Jobs from these upstreams, by their names in the configuration.
    upstream: Option<Vec<String>>,
    /// Jobs of these kinds.
    kind: Option<Vec<JobKind>>,
    /// Jobs that are doing like this.
    health: Option<Vec<Health>>,
    /// Jobs of this company: assigned to it, or else on a server that it owns.
    company_uid: Option<UUID>,
    /// Jobs on this backup server.
    backup_server_uid: Option<UUID>,
    /// Jobs whose name contains this, without regard to case.
    name_contains: Option<String>,
    /// Jobs whose schedule is enabled, or is not.
    enabled: Option<bool>,
    /// Jobs whose last session ended within this time up to now. One that never ran, or runs for the first time, did not.
    ended_within: Option<DurationInput>,
    /// Without jobs that back up database logs: these run all day, by design, and drown the rest. False when left out.
    exclude_log_backups: Option<bool>,
    /// All of these must hold too.
    and: Option<Vec<JobFilter>>,
    /// At least one of these must hold too. An empty list holds for no job.
    or: Option<Vec<JobFilter>>,
    /// This must not hold.
    not: Option<Box<JobFilter>>,
}

/// A filter with its lengths of time as instants.
struct Wanted<'a> {
    filter: &'a JobFilter,
    ended_since: Option<Timestamp>,
    and: Vec<Wanted<'a>>,
    or: Option<Vec<Wanted<'a>>>,
    not: Option<Box<Wanted<'a>>>,
}

impl JobFilter {
    fn wanted(&self, estate: &Estate) -> Result<Wanted<'_>> {
        fn all<'a>(filters: &'a [JobFilter], estate: &Estate) -> Result<Vec<Wanted<'a>>> {
            filters.iter().map(|filter| filter.wanted(estate)).collect()
        }
        Ok(Wanted {
            filter: self,
            ended_since: self.ended_within.map(|within| within.ago(estate)).transpose()?,
            and: self.and.as_deref().map(|filters| all(filters, estate)).transpose()?.unwrap_or_default(),
            or: self.or.as_deref().map(|filters| all(filters, estate)).transpose()?,
            not: self.not.as_ref().map(|filter| filter.wanted(estate).map(Box::new)).transpose()?,
        })
    }
}

impl Wanted<'_> {
    fn holds(&self, estate: &Estate, job: &RowRef<vspc::job::Job>) -> bool {
        let is_from = |names: &Vec<String>| {
            let name = estate.status(job.upstream()).map(|status| status.name.clone());
            names.iter().any(|wanted| name.as_deref() == Some(wanted.as_str()))
        };
        let (filter, kind) = (self.filter, JobKind::of(job.r#type.as_deref()));
        filter.upstream.as_ref().is_none_or(is_from)
            && filter.kind.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && filter.health.as_ref().is_none_or(|healths| healths.contains(&health_of(job)))
            && filter.company_uid.is_none_or(|company| company_of(job).is_some_and(|of_job| of_job.0 == company.0))
            && filter.backup_server_uid.is_none_or(|server| job.backup_server_uid.0 == server.0)
            && filter.name_contains.as_ref().is_none_or(|part| job.name.to_lowercase().contains(&part.to_lowercase()))
            && filter.enabled.is_none_or(|enabled| job.is_enabled == Some(enabled))
            && self.ended_since.is_none_or(|since| job.last_end_time.is_some_and(|ended| ended >= since && ended <= estate.now()))
            && (filter.exclude_log_backups != Some(true) || kind != JobKind::LogBackup)
            && self.and.iter().all(|wanted| wanted.holds(estate, job))
            && self.or.as_ref().is_none_or(|any| any.iter().any(|wanted| wanted.holds(estate, job)))
            && self.not.as_ref().is_none_or(|wanted| !wanted.holds(estate, job))
    }
}

/// What jobs can be ordered by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOrderField {
    /// The job's name, without regard to case.
    Name,
    /// When the last session started.
    LastRun,
    /// When the last session ended.
    LastEndTime,
    /// How long the last session took.
    Duration,
    /// How the job is doing, ascending from the worst: failed, warning, unknown, never ran, waiting, running, idle, success.
    Health,
}

/// One thing to order jobs by.
#[derive(InputObject, Clone, Debug)]
pub struct JobOrder {
    /// What by.
    field: JobOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Filters, orders and cuts jobs. Without an order they go by name.
pub fn job_page(
    estate: &Estate,
    rows: Vec<RowRef<vspc::job::Job>>,
    list: &str,
    filter: Option<JobFilter>,
    order: Option<Vec<JobOrder>>,
    args: &PageArgs,
) -> Result<Page<RowRef<vspc::job::Job>>> {
    let filter = filter.unwrap_or_default();
    let order = order
        .filter(|order| !order.is_empty())
        .unwrap_or_else(|| vec![JobOrder { field: JobOrderField::Name, direction: OrderDirection::Asc }]);
    let mark = ListMark::of(&[list, &format!("{filter:?}"), &format!("{order:?}")]);
    let descending: Vec<bool> = order.iter().map(|order| order.direction == OrderDirection::Desc).collect();
    let wanted = filter.wanted(estate)?;
    let rows = rows.into_iter().filter(|job| wanted.holds(estate, job)).collect();
    let values = |job: &RowRef<vspc::job::Job>| {
        let value = |order: &JobOrder| match order.field {
            JobOrderField::Name => SortValue::name(&job.name),
            JobOrderField::LastRun => SortValue::instant(job.last_run),
            JobOrderField::LastEndTime => SortValue::instant(job.last_end_time),
            JobOrderField::Duration => SortValue::number(job.last_duration),
            JobOrderField::Health => SortValue::Number(health_of(job).rank()),
        };
        order.iter().map(value).collect()
    };
    page::cut(rows, args, mark, &descending, values, |job| format!("{}:{}:{}", job.upstream().0, job.backup_server_uid, job.instance_uid))
}
