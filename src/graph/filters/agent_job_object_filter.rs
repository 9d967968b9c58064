//! Which machines: the arguments of every connection of machines in agent jobs.

use super::{
    boolean_filter::{BooleanFilter, Prepared, boolean_filter},
    conditions::{Names, OneOf, Part, Whole},
    duration::DurationInput,
    job_facts::{Facts, Needs},
    references::{Named, must_be_there},
};
use crate::graph::{
    all_consoles::{all_jobs, contains, is_from, may_name_upstreams},
    loaders,
    paging::page::{self, ListMark, PageArgs, SortValue},
    schema::{hidden_fields, id::name_mark, scalars::UUID},
    types::{
        agent_job_object::{AgentJobObject, AgentJobObjectConnection},
        health::Health,
        tape_coverage::TapeStatus,
    },
};
use crate::{
    estate::{Estate, Failure, JobKey, RowRef, UpstreamId, company_of},
    loaders::job::JobRow,
    time,
    uid::{JobUid, ServerUid, UniqueJobUid},
    upstream::vspc::{self, job::Job},
};
use async_graphql::{Context, InputObject, Result};
use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use std::{collections::HashMap, hash::Hash};

/// Filters machines. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct AgentJobObjectFilter {
    /// Machines in one of these states.
    health: Option<OneOf<Health>>,
    /// Machines whose name contains this, ignoring case.
    computer_contains: Option<Part>,
    /// Machines in jobs of this backup server.
    backup_server_uid: Option<UUID>,
    /// Machines in the job with this id, on whichever servers it occurs.
    job_uid: Option<UUID>,
    /// Machines in jobs of this company.
    company_uid: Option<UUID>,
    /// Machines in jobs of the companies with this whole name, ignoring case.
    company_name: Option<Whole>,
    /// Machines from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Machines whose last backup ended longer ago than this, and those that never had one. For one
    /// that is being backed up for the first time it is when that began.
    older_than: Option<DurationInput>,
    /// Machines whose last backup ended within this time up to now.
    ended_within: Option<DurationInput>,
    /// Machines in jobs that get to tape in one of these ways.
    tape_status: Option<OneOf<TapeStatus>>,
    /// Matches if all of these filters match.
    and: Option<Vec<AgentJobObjectFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<AgentJobObjectFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<AgentJobObjectFilter>>,
}

boolean_filter!(AgentJobObjectFilter);

impl AgentJobObjectFilter {
    fn named(&self) -> Named<'_> {
        Named {
            company: self.company_uid,
            company_name: self.company_name.as_ref(),
            server: self.backup_server_uid,
        }
    }

    /// Whether it can't be decided without the machine's job.
    pub fn needs_job(&self) -> bool {
        self.asks(|filter| {
            filter.company_uid.is_some()
                || filter.company_name.is_some()
                || filter.tape_status.is_some()
        })
    }

    fn needs(&self) -> Needs {
        let own = Needs {
            companies: self.company_name.is_some(),
            tape: self.tape_status.is_some(),
            successes: false,
        };
        self.inner()
            .fold(own, |needs, filter| needs | filter.needs())
    }
}

/// A filter's own members, with lengths of time as instants.
struct Own<'a> {
    filter: &'a AgentJobObjectFilter,
    older_than: Option<Timestamp>,
    ended_since: Option<Timestamp>,
}

impl<'a> Own<'a> {
    fn of(filter: &'a AgentJobObjectFilter, estate: &Estate) -> Result<Self> {
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

    fn holds(&self, estate: &Estate, facts: &Facts, object: &AgentJobObject) -> bool {
        let (filter, (row, job)) = (self.filter, object.rows());
        let company = job.and_then(|job| company_of(job));
        let server = row
            .backup_server_uid
            .or(job.map(|job| job.backup_server_uid));
        let tape = || job.map_or(TapeStatus::Unknown, |job| facts.tape(job));
        filter
            .health
            .as_ref()
            .is_none_or(|healths| healths.contains(&object.health()))
            && contains(
                row.computer.as_deref().unwrap_or_default(),
                filter.computer_contains.as_ref(),
            )
            && is_from(estate, row.upstream(), filter.upstream.as_ref())
            && filter
                .backup_server_uid
                .is_none_or(|wanted| server.is_some_and(|server| server.0 == wanted.0))
            && filter.job_uid.is_none_or(|wanted| {
                row.job_uid.0 == wanted.0 || job.is_some_and(|job| job.has_id(JobUid(wanted.0)))
            })
            && filter
                .company_uid
                .is_none_or(|wanted| company.is_some_and(|company| company.0 == wanted.0))
            && filter
                .company_name
                .as_ref()
                .is_none_or(|name| job.is_some_and(|job| facts.is_of_company(job, name)))
            && self
                .older_than
                .is_none_or(|since| !time::is_within(object.newest(), since, estate.now()))
            && self
                .ended_since
                .is_none_or(|since| time::is_within(row.last_end_time, since, estate.now()))
            && filter
                .tape_status
                .as_ref()
                .is_none_or(|ways| ways.contains(&tape()))
    }
}

/// Jobs by the ids that machines have of them. An id of two jobs leads to none.
#[derive(Default)]
struct JobsById {
    by_key: HashMap<(UpstreamId, ServerUid, JobUid), Option<RowRef<Job>>>,
    by_unique: HashMap<(UpstreamId, UniqueJobUid), Option<RowRef<Job>>>,
    by_uid: HashMap<(UpstreamId, JobUid), Option<RowRef<Job>>>,
}

impl JobsById {
    /// In part of a list an id that is there once may be there again: then only the console's own
    /// ids, and those with their server, lead to a job.
    fn of(jobs: Vec<RowRef<Job>>, is_whole: bool) -> Self {
        fn file<K: Eq + Hash>(
            jobs: &mut HashMap<K, Option<RowRef<Job>>>,
            key: K,
            job: &RowRef<Job>,
        ) {
            jobs.entry(key)
                .and_modify(|known| *known = None)
                .or_insert_with(|| Some(job.clone()));
        }
        let mut all = Self::default();
        for job in jobs {
            let upstream = job.upstream();
            if let Some(unique) = job.unique_uid {
                file(&mut all.by_unique, (upstream, unique), &job);
            }
            for uid in job.ids() {
                if is_whole {
                    file(&mut all.by_uid, (upstream, uid), &job);
                }
                file(
                    &mut all.by_key,
                    (upstream, job.backup_server_uid, uid),
                    &job,
                );
            }
        }
        all
    }

    fn of_machine(
        &self,
        row: &RowRef<vspc::agent_job_object::AgentJobObject>,
    ) -> Option<&RowRef<Job>> {
        let upstream = row.upstream();
        let by_unique = || {
            self.by_unique
                .get(&(upstream, row.unique_job_uid?))
                .and_then(Option::as_ref)
        };
        match row.backup_server_uid {
            Some(server) => self
                .by_key
                .get(&(upstream, server, row.job_uid))
                .and_then(Option::as_ref),
            None => by_unique().or_else(|| {
                self.by_uid
                    .get(&(upstream, row.job_uid))
                    .and_then(Option::as_ref)
            }),
        }
    }
}

/// Filters and cuts machines whose jobs are not in hand; these are read where the filter needs
/// them.
pub fn objects_with_jobs<'a>(
    ctx: &'a Context<'a>,
    rows: Vec<RowRef<vspc::agent_job_object::AgentJobObject>>,
    mut problems: Vec<Failure>,
    parent: &'a str,
    filter: Option<AgentJobObjectFilter>,
    args: PageArgs,
) -> BoxFuture<'a, Result<AgentJobObjectConnection>> {
    async move {
        // a row that names no server has its job's
        let asks_server = |filter: &AgentJobObjectFilter| {
            filter.asks(|filter| filter.backup_server_uid.is_some())
        };
        let needs_server = rows.iter().any(|row| row.backup_server_uid.is_none())
            && filter.as_ref().is_some_and(asks_server);
        let objects =
            if needs_server || filter.as_ref().is_some_and(AgentJobObjectFilter::needs_job) {
                let (jobs, more) = all_jobs(ctx).await;
                let jobs = JobsById::of(jobs, more.is_empty());
                problems.extend(more);
                let with_job = |row: RowRef<vspc::agent_job_object::AgentJobObject>| match jobs
                    .of_machine(&row)
                    .cloned()
                {
                    Some(job) => AgentJobObject::of_job(row, job),
                    None => AgentJobObject::new(row),
                };
                rows.into_iter().map(with_job).collect()
            } else {
                rows.into_iter().map(AgentJobObject::new).collect()
            };
        object_page(ctx, objects, problems, parent, filter, args).await
    }
    .boxed()
}

/// Filters and cuts machines. They go by name.
pub fn object_page<'a>(
    ctx: &'a Context<'a>,
    objects: Vec<AgentJobObject>,
    mut problems: Vec<Failure>,
    parent: &'a str,
    filter: Option<AgentJobObjectFilter>,
    args: PageArgs,
) -> BoxFuture<'a, Result<AgentJobObjectConnection>> {
    async move {
        let filter = filter.unwrap_or_default();
        may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
        hidden_fields::may_ask_for_host_names(
            ctx,
            filter.asks(|filter| filter.computer_contains.is_some()),
        )?;
        let names_are_hidden = hidden_fields::hidden(ctx).host_names;
        let mark = || ListMark::of(&["agentJobObjects", parent, &format!("{filter:?}")]);
        let estate = loaders(ctx).estate();
        let wanted = Prepared::of(&filter, &|filter| Own::of(filter, estate))?;
        let jobs: HashMap<JobKey, _> = match filter.needs_job() {
            true => objects
                .iter()
                .filter_map(|object| object.rows().1)
                .map(|job| (JobRow(job.clone()).key(), job.clone()))
                .collect(),
            false => HashMap::new(),
        };
        let facts = Facts::of(ctx, &jobs.into_values().collect::<Vec<_>>(), filter.needs()).await;
        problems.extend(facts.problems.iter().cloned());
        let whose = |object: &AgentJobObject| {
            let (row, job) = object.rows();
            (
                job.and_then(|job| company_of(job)),
                row.backup_server_uid
                    .or(job.map(|job| job.backup_server_uid)),
            )
        };
        problems = must_be_there(
            ctx,
            &filter,
            AgentJobObjectFilter::named,
            &objects,
            whose,
            problems,
        )
        .await?;
        let objects = wanted
            .keep(ctx, objects, |own, object| {
                own.holds(estate, &facts, object)
            })
            .await?;
        let values = |object: &AgentJobObject| {
            // a cursor holds what it sorts by, and so does the order itself
            let name = object
                .rows()
                .0
                .computer
                .as_deref()
                .filter(|_| !names_are_hidden)
                .unwrap_or_default();
            vec![SortValue::name(name)]
        };
        let page = page::cut(ctx, objects, &args, mark, &[false], values, |object| {
            let row = object.rows().0;
            let server = row
                .backup_server_uid
                .map(|server| server.to_string())
                .unwrap_or_default();
            let computer = name_mark(row.computer.as_deref().unwrap_or_default());
            format!(
                "{}:{server}:{}:{}:{computer}",
                row.upstream().0,
                row.job_uid,
                row.instance_uid
            )
        })
        .await?;
        Ok(AgentJobObjectConnection::new(
            ctx,
            page,
            &problems,
            |object| object,
        ))
    }
    .boxed()
}
