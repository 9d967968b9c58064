//! `FleetHealthRow`: how many jobs and machines are doing how, by company, server or upstream.

use super::{backup_server::BackupServer, company::Company, health::Health, job::health_of, loaders, nullable, report, upstream::Upstream};
use crate::{
    estate::{CompanyKey, Failure, ServerKey, UpstreamId, company_of},
    loaders::{company::CompanyOf, server::ServerOf},
    uid::{CompanyUid, ServerUid},
};
use async_graphql::{Context, Description, Enum, Object, Result, SimpleObject};
use std::collections::{BTreeMap, HashMap};

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

/// How many are doing how.
#[derive(SimpleObject, Clone, Copy, Debug, Default)]
pub struct HealthCounts {
    /// All of them.
    total: i32,
    /// With health `SUCCESS`.
    success: i32,
    /// With health `WARNING`.
    warning: i32,
    /// With health `FAILED`.
    failed: i32,
    /// With health `RUNNING`.
    running: i32,
    /// With health `WAITING`.
    waiting: i32,
    /// With health `IDLE`.
    idle: i32,
    /// With health `NEVER_RAN`.
    never_ran: i32,
    /// With health `UNKNOWN`.
    unknown: i32,
}

impl HealthCounts {
    fn add(&mut self, health: Health) {
        self.total += 1;
        *match health {
            Health::Success => &mut self.success,
            Health::Warning => &mut self.warning,
            Health::Failed => &mut self.failed,
            Health::Running => &mut self.running,
            Health::Waiting => &mut self.waiting,
            Health::Idle => &mut self.idle,
            Health::NeverRan => &mut self.never_ran,
            Health::Unknown => &mut self.unknown,
        } += 1;
    }
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
    worst: Option<Health>,
    complete: bool,
}

impl FleetHealthRow {
    fn new(group: Group) -> Self {
        Self { group, name: None, jobs: HealthCounts::default(), agent_objects: HealthCounts::default(), worst: None, complete: true }
    }

    fn note(&mut self, health: Health) {
        self.worst = Some(self.worst.filter(|worst| worst.rank() <= health.rank()).unwrap_or(health));
    }
}

/// Counts every job and machine of every console.
pub async fn fleet_health(ctx: &Context<'_>, by: FleetGroup) -> Vec<FleetHealthRow> {
    let caller = loaders(ctx).caller();
    let mut all: Vec<FleetHealthRow> = Vec::new();
    for console in caller.consoles() {
        let (jobs, objects, servers, companies) =
            tokio::join!(console.jobs(caller), console.objects(caller), console.servers(caller), console.organizations(caller));
        let mut rows: BTreeMap<Group, FleetHealthRow> = BTreeMap::new();
        let mut problems: Vec<Failure> = Vec::new();
        let upstream = console.id();
        if by == FleetGroup::Upstream {
            rows.insert(Group::Upstream(upstream), FleetHealthRow::new(Group::Upstream(upstream)));
        }
        match servers {
            Ok(servers) if by == FleetGroup::BackupServer => {
                for server in servers.rows() {
                    let group = Group::Server(upstream, server.instance_uid);
                    rows.entry(group).or_insert_with(|| FleetHealthRow::new(group)).name = Some(server.name.clone());
                }
                problems.extend(servers.problem().cloned());
            }
            Err(failure) if by == FleetGroup::BackupServer => problems.push(failure),
            _ => {}
        }
        match companies {
            Ok(companies) if by == FleetGroup::Company => {
                for company in companies.rows() {
                    let group = Group::Company(upstream, Some(company.instance_uid));
                    rows.entry(group).or_insert_with(|| FleetHealthRow::new(group)).name = Some(company.name.clone());
                }
                problems.extend(companies.problem().cloned());
            }
            Err(failure) if by == FleetGroup::Company => problems.push(failure),
            _ => {}
        }
        let mut company_of_job = HashMap::new();
        match jobs {
            Ok(jobs) => {
                for job in jobs.rows() {
                    company_of_job.insert((job.backup_server_uid, job.instance_uid), company_of(&job));
                    let group = match by {
                        FleetGroup::Company => Group::Company(upstream, company_of(&job)),
                        FleetGroup::BackupServer => Group::Server(upstream, job.backup_server_uid),
                        FleetGroup::Upstream => Group::Upstream(upstream),
                    };
                    let row = rows.entry(group).or_insert_with(|| FleetHealthRow::new(group));
                    row.jobs.add(health_of(&job));
                    row.note(health_of(&job));
                }
                problems.extend(jobs.problem().cloned());
            }
            Err(failure) => problems.push(failure),
        }
        match objects {
            Ok(objects) => {
                for object in objects.rows() {
                    let company =
                        object.backup_server_uid.and_then(|server| company_of_job.get(&(server, object.job_uid)).copied().flatten());
                    let group = match (by, object.backup_server_uid) {
                        (FleetGroup::Company, _) => Group::Company(upstream, company),
                        (FleetGroup::BackupServer, Some(server)) => Group::Server(upstream, server),
                        (FleetGroup::BackupServer, None) => continue,
                        (FleetGroup::Upstream, _) => Group::Upstream(upstream),
                    };
                    let health = Health::of(object.backup_status.as_deref(), object.last_run.is_some());
                    let row = rows.entry(group).or_insert_with(|| FleetHealthRow::new(group));
                    row.agent_objects.add(health);
                    row.note(health);
                }
                problems.extend(objects.problem().cloned());
            }
            Err(failure) => problems.push(failure),
        }
        for problem in &problems {
            report(ctx, problem);
        }
        all.extend(rows.into_values().map(|mut row| {
            row.complete = problems.is_empty();
            row
        }));
    }
    all.sort_by_cached_key(|row| (row.name.is_none(), row.name.as_ref().map(|name| name.to_lowercase()), row.group));
    all
}

#[Object(use_type_description)]
impl FleetHealthRow {
    /// What makes the row itself: the id of its company or server, or the upstream's name; `-` for jobs of no company.
    async fn key(&self, ctx: &Context<'_>) -> String {
        match self.group {
            Group::Company(_, Some(company)) => company.to_string(),
            Group::Company(_, None) => "-".to_owned(),
            Group::Server(_, server) => server.to_string(),
            Group::Upstream(id) => loaders(ctx).estate().status(id).map(|status| status.name.to_string()).unwrap_or_default(),
        }
    }

    /// The company, when counted by company; null for jobs of no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Company>> {
        let Group::Company(upstream, Some(company)) = self.group else { return None };
        nullable(loaders(ctx).ask(CompanyOf(CompanyKey { upstream, company }), None).await.map(|row| row.map(Company::from)))
    }

    /// The backup server, when counted by server.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<BackupServer>> {
        let Group::Server(upstream, server) = self.group else { return None };
        nullable(loaders(ctx).ask(ServerOf(ServerKey { upstream, server }), None).await.map(|row| row.map(BackupServer::from)))
    }

    /// The upstream that the counts are from.
    async fn upstream(&self, ctx: &Context<'_>) -> Upstream {
        let (Group::Company(id, _) | Group::Server(id, _) | Group::Upstream(id)) = self.group;
        Upstream::at(loaders(ctx).estate(), id)
    }

    /// The jobs, counted by health. Log backup jobs count too.
    async fn jobs(&self) -> HealthCounts {
        self.jobs
    }

    /// The machines in agent jobs, counted by health.
    async fn agent_objects(&self) -> HealthCounts {
        self.agent_objects
    }

    /// The worst health of all of them; null when there are none.
    async fn worst(&self) -> Option<Health> {
        self.worst
    }

    /// Whether every list that the counts are from was read in full. When false, an error says why.
    async fn complete(&self) -> bool {
        self.complete
    }
}
