//! `FleetHealthRow`: how many jobs and machines are doing how, by company, server or upstream.

use super::{
    alarm::is_open,
    backup_server::BackupServer,
    company::Company,
    console_agent_job,
    health::Health,
    health_counts::HealthCounts,
    job::{health_of, kind::JobKind},
    upstream::Upstream,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{loaders, nullable, report, rows_of};
use crate::{
    estate::{
        CompanyKey, Failure, ListedRow, RowRef, ServerKey, UpstreamId, View, company_of,
        console::{Console, protection::PlacedAlarm},
    },
    loaders::{company::CompanyOf, protection::AlarmsOf, server::ServerOf},
    uid::{CompanyUid, JobUid, ServerUid},
    upstream::vspc::{
        agent_job_object::AgentJobObject, console_agent_job::ConsoleAgentJob, job::Job,
    },
};
use async_graphql::{Context, Description, Enum, Object, Result};
use futures_util::{FutureExt, future::BoxFuture};
use std::collections::{BTreeMap, HashMap};
use veeam_graph_macros::direct_fields;

/// What fleet health is counted by.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FleetGroup {
    /// By the company whose jobs they are; companies without any are there too.
    #[default]
    Company,
    /// By backup server; servers without jobs are there too.
    BackupServer,
    /// By upstream.
    Upstream,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Company(UpstreamId, Option<CompanyUid>),
    Server(UpstreamId, ServerUid),
    Upstream(UpstreamId),
}

/// How the jobs and machines of one company, server or upstream are doing.
#[derive(Description)]
pub struct FleetHealthRow {
    group: Group,
    name: Option<String>,
    jobs: HealthCounts,
    agent_objects: HealthCounts,
    console_agent_jobs: Option<HealthCounts>,
    open_alarms: Option<i32>,
    worst: Option<Health>,
    jobs_are_known: bool,
    objects_are_known: bool,
    complete: bool,
}

impl FleetHealthRow {
    fn new(group: Group) -> Self {
        Self {
            group,
            name: None,
            jobs: HealthCounts::default(),
            agent_objects: HealthCounts::default(),
            console_agent_jobs: None,
            open_alarms: None,
            worst: None,
            jobs_are_known: true,
            objects_are_known: true,
            complete: true,
        }
    }

    /// How many jobs and machines need somebody.
    fn problems(&self) -> i32 {
        self.jobs.problems() + self.agent_objects.problems()
    }

    fn note(&mut self, health: Health) {
        self.worst = Some(
            self.worst
                .filter(|worst| worst.rank() <= health.rank())
                .unwrap_or(health),
        );
    }
}

/// What to count, and what of it to show.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// What to count by.
    pub by: FleetGroup,
    /// Whether jobs that back up database logs count.
    pub log_backups: bool,
    /// Whether to leave out rows in which all is well.
    pub problems_only: bool,
}

/// Counts every job and machine of every console; the worst come first.
pub fn fleet_health<'a>(
    ctx: &'a Context<'a>,
    wanted: Wanted,
) -> BoxFuture<'a, Vec<FleetHealthRow>> {
    async move {
        let mut all = Vec::new();
        for console in loaders(ctx).caller().consoles() {
            let mut count = Count {
                wanted,
                upstream: console.id(),
                rows: BTreeMap::new(),
                problems: Vec::new(),
            };
            count.begin(ctx, console).await;
            count.jobs_and_machines(ctx, console).await;
            if ctx.look_ahead().field("openAlarms").exists() {
                count.alarms(ctx).await;
            }
            if ctx.look_ahead().field("consoleAgentJobs").exists() {
                count.console_agent_jobs(ctx, console).await;
            }
            count
                .problems
                .iter()
                .for_each(|problem| report(ctx, problem));
            all.extend(count.rows.into_values().map(|row| FleetHealthRow {
                complete: count.problems.is_empty(),
                ..row
            }));
        }
        if wanted.problems_only {
            // what could not be counted may be bad
            all.retain(|row| !row.complete || row.problems() > 0);
        }
        all.sort_by_cached_key(|row| {
            let worst = row.worst.map_or(i64::MAX, Health::rank);
            let failed = std::cmp::Reverse(row.jobs.failures() + row.agent_objects.failures());
            (
                worst,
                failed,
                row.name.is_none(),
                row.name.as_ref().map(|name| name.to_lowercase()),
                row.group,
            )
        });
        all
    }
    .boxed()
}

/// One console, as it is counted.
struct Count {
    wanted: Wanted,
    upstream: UpstreamId,
    rows: BTreeMap<Group, FleetHealthRow>,
    problems: Vec<Failure>,
}

impl Count {
    /// The rows of an answer; what could not be read is noted.
    fn read<T: ListedRow>(&mut self, answer: Result<View<T>, Failure>) -> Vec<RowRef<T>> {
        match answer {
            Ok(view) => {
                self.problems.extend(view.problem().cloned());
                view.rows().collect()
            }
            Err(failure) => {
                self.problems.push(failure);
                Vec::new()
            }
        }
    }

    fn row(&mut self, group: Group) -> &mut FleetHealthRow {
        self.rows
            .entry(group)
            .or_insert_with(|| FleetHealthRow::new(group))
    }

    /// A row for each company, server or upstream, also for those with nothing.
    async fn begin(&mut self, ctx: &Context<'_>, console: &Console) {
        let (caller, upstream) = (loaders(ctx).caller(), self.upstream);
        match self.wanted.by {
            FleetGroup::Company => {
                for company in self.read(console.organizations(caller).await) {
                    self.row(Group::Company(upstream, Some(company.instance_uid)))
                        .name = Some(company.name.clone());
                }
            }
            FleetGroup::BackupServer => {
                for server in self.read(console.servers(caller).await) {
                    self.row(Group::Server(upstream, server.instance_uid)).name =
                        Some(server.name.clone());
                }
            }
            FleetGroup::Upstream => drop(self.row(Group::Upstream(upstream))),
        }
    }

    async fn jobs_and_machines(&mut self, ctx: &Context<'_>, console: &Console) {
        let (caller, upstream, by) = (loaders(ctx).caller(), self.upstream, self.wanted.by);
        let (jobs, objects) = tokio::join!(console.jobs(caller), console.objects(caller));
        let jobs = self.read(jobs);
        let jobs_are_known = self.problems.is_empty();
        let (mut company_of_job, budget) = (HashMap::new(), loaders(ctx).budget());
        // for machines whose rows name no server: an id of two jobs does not tell
        let mut server_of_job: HashMap<JobUid, Option<ServerUid>> = HashMap::new();
        let count_job = |job: RowRef<Job>| {
            for uid in job.ids() {
                let server = job.backup_server_uid;
                server_of_job
                    .entry(uid)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(server));
            }
            company_of_job.extend(
                job.ids()
                    .map(|uid| ((job.backup_server_uid, uid), company_of(&job))),
            );
            if !self.wanted.log_backups && JobKind::of(job.r#type.as_deref()) == JobKind::LogBackup
            {
                return;
            }
            let row = self.row(match by {
                FleetGroup::Company => Group::Company(upstream, company_of(&job)),
                FleetGroup::BackupServer => Group::Server(upstream, job.backup_server_uid),
                FleetGroup::Upstream => Group::Upstream(upstream),
            });
            row.jobs.count(health_of(&job));
            row.note(health_of(&job));
        };
        budget.each(jobs, count_job).await;
        let before = self.problems.len();
        let objects = self.read(objects);
        let count_object = |object: RowRef<AgentJobObject>| {
            let of_job = |server| {
                company_of_job
                    .get(&(server, object.job_uid))
                    .copied()
                    .flatten()
            };
            let by_unique = object
                .unique_job_uid
                .and_then(|unique| server_of_job.get(&JobUid(unique.0)).copied().flatten());
            let by_job =
                // in part of a list an id that is there once may be there again
                || by_unique.or_else(|| {
                    let server = server_of_job.get(&object.job_uid).copied().flatten();
                    server.filter(|_| jobs_are_known)
                });
            let server = object.backup_server_uid.or_else(by_job);
            if server.is_none()
                && (by == FleetGroup::BackupServer
                    || server_of_job.get(&object.job_uid) == Some(&None))
            {
                // it is somebody's, and nobody can tell whose
                self.problems.push(object.is_ambiguous());
            }
            let row = self.row(match (by, server) {
                (FleetGroup::Company, server) => Group::Company(upstream, server.and_then(of_job)),
                (FleetGroup::BackupServer, Some(server)) => Group::Server(upstream, server),
                (FleetGroup::BackupServer, None) => return,
                (FleetGroup::Upstream, _) => Group::Upstream(upstream),
            });
            let health = Health::of(object.backup_status.as_deref(), object.last_run.is_some());
            row.agent_objects.count(health);
            row.note(health);
        };
        budget.each(objects, count_object).await;
        // whose a machine is, is whose its job is
        let objects_are_known =
            self.problems.len() == before && (jobs_are_known || by != FleetGroup::Company);
        for row in self.rows.values_mut() {
            (row.jobs_are_known, row.objects_are_known) = (jobs_are_known, objects_are_known);
        }
    }

    /// These belong to no server, and are counted by company or upstream.
    async fn console_agent_jobs(&mut self, ctx: &Context<'_>, console: &Console) {
        let (upstream, by) = (self.upstream, self.wanted.by);
        if by == FleetGroup::BackupServer {
            return;
        }
        let (jobs, problems) = rows_of(console.console_agent_jobs(loaders(ctx).caller()).await);
        if !problems.is_empty() {
            return self.problems.extend(problems);
        }
        self.rows
            .values_mut()
            .for_each(|row| row.console_agent_jobs = Some(HealthCounts::default()));
        let count_job = |job: RowRef<ConsoleAgentJob>| {
            let group = if by == FleetGroup::Company {
                Group::Company(upstream, job.organization_uid)
            } else {
                Group::Upstream(upstream)
            };
            self.row(group)
                .console_agent_jobs
                .get_or_insert_default()
                .count(console_agent_job::health_of(&job));
        };
        loaders(ctx).budget().each(jobs, count_job).await;
    }

    async fn alarms(&mut self, ctx: &Context<'_>) {
        let upstream = self.upstream;
        let alarms = match loaders(ctx)
            .ask(AlarmsOf(upstream), Default::default())
            .await
        {
            Ok(alarms) => alarms,
            Err(failure) => return self.problems.push(failure),
        };
        let is_known = alarms.problems.is_empty();
        self.problems.extend_from_slice(&alarms.problems);
        if !is_known {
            return;
        }
        self.rows
            .values_mut()
            .for_each(|row| row.open_alarms = Some(0));
        let count_alarm = |alarm: &PlacedAlarm| {
            if !is_open(&alarm.row) {
                return;
            }
            let group = match (self.wanted.by, &alarm.server, &alarm.company) {
                (FleetGroup::Company, _, Ok(company)) => Group::Company(upstream, *company),
                (FleetGroup::BackupServer, Ok(Some(server)), _) => Group::Server(upstream, *server),
                (FleetGroup::Upstream, _, _) => Group::Upstream(upstream),
                _ => return,
            };
            let row = self.row(group);
            row.open_alarms = Some(row.open_alarms.unwrap_or(0) + 1);
        };
        loaders(ctx).budget().each(&alarms.rows, count_alarm).await;
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl FleetHealthRow {
    /// What makes the row itself: the id of its company or server, or the upstream's name; `-` for
    /// jobs of no company.
    async fn key(&self, ctx: &Context<'_>) -> String {
        match self.group {
            Group::Company(_, Some(company)) => company.to_string(),
            Group::Company(_, None) => "-".to_owned(),
            Group::Server(_, server) => server.to_string(),
            Group::Upstream(id) => loaders(ctx)
                .estate()
                .status(id)
                .map(|status| status.name.to_string())
                .unwrap_or_default(),
        }
    }

    /// The company, when counted by company; null for jobs of no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let Group::Company(upstream, Some(company)) = self.group else {
            return None;
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(CompanyKey { upstream, company }))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The backup server, when counted by server.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let Group::Server(upstream, server) = self.group else {
            return None;
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(ServerKey { upstream, server }))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The upstream that the counts are from.
    async fn upstream(&self, ctx: &Context<'_>) -> Upstream {
        let (Group::Company(id, _) | Group::Server(id, _) | Group::Upstream(id)) = self.group;
        Upstream::at(loaders(ctx).estate(), id)
    }

    /// The jobs, counted by health; jobs that back up database logs only where `includeLogBackups`
    /// says so. Null when the jobs could not be read in full.
    async fn jobs(&self) -> Option<HealthCounts> {
        self.jobs_are_known.then_some(self.jobs)
    }

    /// The machines in agent jobs, counted by health. Null when they, or whose they are, could not
    /// be read in full.
    async fn agent_objects(&self) -> Option<HealthCounts> {
        self.objects_are_known.then_some(self.agent_objects)
    }

    /// The jobs of agents that no backup server manages, counted by health. They are none of the
    /// `jobs` above, and neither `worst` nor `problemsOnly` looks at them. Null by server, and when
    /// these jobs could not be read in full.
    async fn console_agent_jobs(&self) -> Option<HealthCounts> {
        self.console_agent_jobs
    }

    /// How many alarms are open: not resolved, not acknowledged, and no mere information. By server
    /// these are the alarms about the server itself and its jobs. Null when the alarms could not be
    /// read in full.
    async fn open_alarms(&self) -> Option<i32> {
        self.open_alarms
    }

    /// The worst health of all of them; null when there are none, and when not all of them could be
    /// read.
    async fn worst(&self) -> Option<Health> {
        self.worst
            .filter(|_| self.jobs_are_known && self.objects_are_known)
    }

    /// Whether every list that the counts are from was read in full. When false, an error says why.
    async fn complete(&self) -> bool {
        self.complete
    }
}
