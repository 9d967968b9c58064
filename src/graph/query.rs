//! `Query`: where every walk begins.

use super::{
    agent_job_object::AgentJobObjectConnection,
    agent_job_object_filter::{AgentJobObjectFilter, objects_with_jobs},
    agent_session::{AgentSession, AgentSessionConnection, SessionFilter, SessionOrder, ordered_session_page, top_level},
    alarm::{AlarmConnection, AlarmFilter, alarm_page, all_alarms},
    backup_agent_job::{BackupAgentJob, BackupAgentJobConnection, agent_job_page},
    backup_copy_job::{BackupCopyJob, BackupCopyJobConnection},
    backup_server::{BackupServer, BackupServerConnection, BackupServerFilter, server_page},
    company::{Company, CompanyConnection, CompanyFilter, company_page},
    composed::Prepared,
    error::bad_input,
    fleet::{all_companies, all_jobs, all_servers, everywhere, the_one},
    fleet_health::{FleetGroup, FleetHealthRow, Wanted, fleet_health},
    job::{Job, JobConnection},
    job_filter::{JobFilter, JobOrder, job_page},
    job_kind::JobKind,
    license_usage::{LicenseUsageConnection, license_page},
    linked_job::{LinkedJob, LinkedJobConnection, LinkedJobFilter, page_of_links},
    loaders,
    node::Node,
    nullable,
    page::{MAX_FIRST, PageArgs},
    repository::{RepositoryArgs, RepositoryConnection, RepositoryFilter, RepositoryOrder, repository_page},
    scalars::UUID,
    upstream::Upstream,
    workload::{WorkloadConnection, WorkloadFilter, all_workloads, workload_page},
};
use crate::{
    estate::{JobKey, RowRef, links::PlacedLink},
    loaders::{
        agent_job::AgentJobOf,
        job::{JobOf, JobRow},
    },
    uid::{AgentUid, JobUid, ServerUid, SessionUid},
    upstream::vspc::{self, backup_server, linked_job::LinkFamily, organization::Organization},
};
use async_graphql::{Context, Description, ID, Object, Result};
use futures_util::future::join_all;

/// Where every walk begins.
#[derive(Description)]
pub struct Query;

#[Object(use_type_description)]
impl Query {
    /// Anything by its global id; null when it is gone.
    #[graphql(shareable, inaccessible)]
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The `id` of any object of this graph.")] id: ID) -> Option<Result<Node>> {
        Node::find(ctx, &id).await
    }

    /// Many things by their global ids, in the order asked for; null for each that is gone.
    #[graphql(shareable, inaccessible)]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id`s of any objects of this graph, 500 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MAX_FIRST {
            return Err(bad_input(format!("`ids` can have {MAX_FIRST} members; it has {}.", ids.len())));
        }
        Ok(join_all(ids.iter().map(|id| Node::find(ctx, id))).await)
    }

    /// The backup servers of every console, by name.
    async fn backup_servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which servers. All when left out.")] filter: Option<BackupServerFilter>,
        #[graphql(desc = "How many servers: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<BackupServerConnection> {
        let (rows, problems) = all_servers(ctx).await;
        server_page(ctx, rows, &problems, "", filter, &PageArgs { first, after })
    }

    /// One backup server by its id or its name; null when there is none. A name that several servers have is an error
    /// that lists them.
    async fn backup_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The server's whole name, without regard to case.")] name: Option<String>,
    ) -> Option<Result<BackupServer>> {
        let loaders = loaders(ctx);
        let (found, problems) = match (uid, name) {
            (Some(uid), None) => {
                let server = ServerUid(uid.0);
                let asked = [server];
                let reads = loaders.caller().consoles().iter().map(|console| console.servers_by_uid(loaders.caller(), &asked));
                let (mut found, mut problems) = (Vec::new(), Vec::new());
                for answer in join_all(reads).await.into_iter().filter_map(|mut answers| answers.remove(&server)) {
                    match answer {
                        Ok(row) => found.extend(row),
                        Err(failure) => problems.push(failure),
                    }
                }
                (found, problems)
            }
            (None, Some(name)) => {
                let (mut rows, problems) = all_servers(ctx).await;
                rows.retain(|row| row.name.to_lowercase() == name.to_lowercase());
                (rows, problems)
            }
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        };
        let several = |rows: &[RowRef<backup_server::BackupServer>]| {
            let uids: Vec<String> = rows.iter().map(|row| row.instance_uid.to_string()).collect();
            format!("Several backup servers have that name. Ask by `uid`: {}.", uids.join(", "))
        };
        the_one(found, problems, uid.is_some(), several).map(|row| row.map(BackupServer::from))
    }

    /// The jobs of every server, of every type.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs. All when left out.")] filter: Option<JobFilter>,
        #[graphql(desc = "In which order. By name when left out.")] order_by: Option<Vec<JobOrder>>,
        #[graphql(desc = "How many jobs: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<JobConnection> {
        let (rows, problems) = all_jobs(ctx).await;
        let page = job_page(ctx, rows, problems, "jobs", filter, order_by, &PageArgs { first, after }).await?;
        Ok(JobConnection::of(ctx, page, Job::from))
    }

    /// One job by its id; null when there is none. Ids repeat over servers whose configuration was cloned: then the
    /// server must be given too, and leaving it out is an error that lists the servers.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id in Veeam Backup & Replication.")] uid: UUID,
        #[graphql(desc = "The id of the job's server, where the job's id alone is not enough.")] backup_server_uid: Option<UUID>,
    ) -> Option<Result<Job>> {
        let loaders = loaders(ctx);
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        if let Some(server) = backup_server_uid {
            for console in loaders.caller().consoles() {
                let key = JobKey { upstream: console.id(), server: ServerUid(server.0), job: JobUid(uid.0) };
                match loaders.ask(JobOf(key), None).await {
                    Ok(row) => found.extend(row),
                    Err(failure) => problems.push(failure),
                }
            }
        } else {
            (found, problems) = all_jobs(ctx).await;
            found.retain(|row| row.instance_uid.0 == uid.0);
        }
        let several = |rows: &[RowRef<vspc::job::Job>]| {
            let servers: Vec<String> = rows.iter().map(|row| row.backup_server_uid.to_string()).collect();
            format!("Several servers have a job with that id. Give `backupServerUid`, one of: {}.", servers.join(", "))
        };
        the_one(found, problems, backup_server_uid.is_some(), several).map(|row| row.map(Job::from))
    }

    /// The backup copy jobs of every server.
    async fn backup_copy_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs. All when left out.")] filter: Option<JobFilter>,
        #[graphql(desc = "How many jobs: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<BackupCopyJobConnection> {
        let (mut rows, problems) = all_jobs(ctx).await;
        rows.retain(|job| JobKind::of(job.r#type.as_deref()) == JobKind::BackupCopy);
        let page = job_page(ctx, rows, problems, "backupCopyJobs", filter, None, &PageArgs { first, after }).await?;
        Ok(BackupCopyJobConnection::of(ctx, page, |row| BackupCopyJob::from(JobRow(row))))
    }

    /// The machines in the agent jobs of every server, by name.
    async fn agent_job_objects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which machines. All when left out.")] filter: Option<AgentJobObjectFilter>,
        #[graphql(desc = "How many machines: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<AgentJobObjectConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.objects(caller))).await;
        objects_with_jobs(ctx, rows, problems, "", filter, PageArgs { first, after }).await
    }

    /// The jobs that the tape jobs of every server read.
    async fn tape_linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which links. All when left out.")] filter: Option<LinkedJobFilter>,
        #[graphql(desc = "How many links: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        let filter = filter.unwrap_or_default();
        let (loaders, wanted) = (loaders(ctx), Prepared::of(&filter, &Ok)?);
        let reads = loaders
            .caller()
            .consoles()
            .iter()
            .map(async |console| (console.id(), console.all_links(loaders.caller(), LinkFamily::Tape).await));
        let (mut links, mut problems) = (Vec::new(), Vec::new());
        for (upstream, answer) in join_all(reads).await {
            match answer {
                Ok(found) => {
                    problems.extend(found.problem);
                    let holds = |link: &PlacedLink| wanted.holds(&|filter| filter.holds(link));
                    links.extend(found.links.into_iter().filter(holds).map(|link| LinkedJob::new(upstream, link)));
                }
                Err(failure) => problems.push(failure),
            }
        }
        page_of_links(ctx, links, problems, &format!("{filter:?}"), PageArgs { first, after })
    }

    /// The agent sessions that every Enterprise Manager remembers, usually of 30 days; newest first, and without the
    /// per-machine parts of runs, unless asked otherwise.
    async fn agent_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions. All runs of the window when left out.")] filter: Option<SessionFilter>,
        #[graphql(desc = "In which order. Newest first when left out.")] order_by: Option<Vec<SessionOrder>>,
        #[graphql(desc = "How many sessions: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let mut sessions = loaders(ctx).caller().all_sessions().await;
        top_level(filter.as_ref(), &mut sessions);
        ordered_session_page(ctx, Ok(sessions), "", filter, order_by, PageArgs { first, after })
    }

    /// One session by its id, also one outside the window; null when no Enterprise Manager has it.
    async fn agent_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id in Enterprise Manager.")] uid: UUID,
    ) -> Option<Result<AgentSession>> {
        let found = loaders(ctx).caller().session(SessionUid(uid.0), None).await;
        nullable(found.map(|session| session.map(AgentSession::from)))
    }

    /// One job of a standalone agent, from the v2 API; null when there is none.
    async fn backup_agent_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_uid: UUID,
        #[graphql(desc = "The job's id on that agent.")] uid: UUID,
    ) -> Option<Result<BackupAgentJob>> {
        let key = AgentJobOf { agent: AgentUid(agent_uid.0), job: JobUid(uid.0) };
        nullable(loaders(ctx).ask(key, None).await.map(|row| row.map(BackupAgentJob::from)))
    }

    /// The jobs of a standalone agent, from the v2 API, by name.
    async fn backup_agent_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_uid: UUID,
        #[graphql(desc = "How many jobs: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<BackupAgentJobConnection> {
        let loaders = loaders(ctx);
        let reads = loaders.caller().agents().iter().map(|agents| agents.jobs_of_agent(loaders.caller(), AgentUid(agent_uid.0)));
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for answer in join_all(reads).await {
            match answer {
                Ok(found) => {
                    rows.extend(found.rows);
                    problems.extend(found.problem);
                }
                Err(failure) => problems.push(failure),
            }
        }
        agent_job_page(ctx, rows, &problems, &agent_uid.0.to_string(), &PageArgs { first, after })
    }

    /// The companies of every console, by name; resellers and the provider itself are among them.
    async fn companies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which companies. All when left out.")] filter: Option<CompanyFilter>,
        #[graphql(desc = "How many companies: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<CompanyConnection> {
        let (rows, problems) = all_companies(ctx).await;
        company_page(ctx, rows, &problems, filter, &PageArgs { first, after })
    }

    /// One company by its id or its name; null when there is none. A name that several have is an error that lists them.
    async fn company(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The organization's whole name, without regard to case.")] name: Option<String>,
    ) -> Option<Result<Company>> {
        let (mut found, problems) = all_companies(ctx).await;
        match (uid, name) {
            (Some(uid), None) => found.retain(|row| row.instance_uid.0 == uid.0),
            (None, Some(name)) => found.retain(|row| row.name.to_lowercase() == name.to_lowercase()),
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        }
        let several = |rows: &[RowRef<Organization>]| {
            let uids: Vec<String> = rows.iter().map(|row| row.instance_uid.to_string()).collect();
            format!("Several companies have that name. Ask by `uid`: {}.", uids.join(", "))
        };
        the_one(found, problems, uid.is_some(), several).map(|row| row.map(Company::from))
    }

    /// The repositories of every server.
    async fn repositories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which repositories. All when left out.")] filter: Option<RepositoryFilter>,
        #[graphql(desc = "In which order. By name when left out.")] order_by: Option<Vec<RepositoryOrder>>,
        #[graphql(desc = "How many repositories: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<RepositoryConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.repositories(caller))).await;
        repository_page(ctx, rows, problems, "", RepositoryArgs { filter, order_by }, &PageArgs { first, after }).await
    }

    /// The protected machines of every console: those without a restore point first, then those with the oldest.
    async fn workloads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which machines. All when left out.")] filter: Option<WorkloadFilter>,
        #[graphql(desc = "How many machines: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<WorkloadConnection> {
        let (workloads, problems) = all_workloads(ctx).await;
        workload_page(ctx, workloads, &problems, "", filter, &PageArgs { first, after })
    }

    /// What the consoles found worth somebody's attention: the worst first, and of these the latest. Resolved alarms can be
    /// among them.
    async fn alarms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alarms. All when left out.")] filter: Option<AlarmFilter>,
        #[graphql(desc = "How many alarms: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<AlarmConnection> {
        let (alarms, problems) = all_alarms(ctx).await;
        alarm_page(ctx, alarms, &problems, "", filter, &PageArgs { first, after })
    }

    /// How many licence units every organization uses in this calendar month, so far.
    async fn license_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many organizations: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<LicenseUsageConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.licenses(caller))).await;
        license_page(ctx, rows, &problems, "", &PageArgs { first, after })
    }

    /// How many jobs and machines are doing how, over the whole fleet; the worst first.
    async fn fleet_health(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to count by.", default)] group_by: FleetGroup,
        #[graphql(desc = "Only rows with something failed, with warnings, or of unknown health, and rows that are not complete.", default)]
        problems_only: bool,
        #[graphql(desc = "Whether to count jobs that back up database logs too: these run all day, by design.", default)]
        include_log_backups: bool,
    ) -> Vec<FleetHealthRow> {
        fleet_health(ctx, Wanted { by: group_by, log_backups: include_log_backups, problems_only }).await
    }

    /// The APIs that the gateway reads from, and how they are doing. Costs no upstream request.
    async fn upstreams(&self, ctx: &Context<'_>) -> Vec<Upstream> {
        let principal = &loaders(ctx).caller().principal;
        let seen = loaders(ctx).estate().statuses().iter().filter(|status| principal.allows_upstream(&status.name));
        seen.map(|status| Upstream(Some(status.clone()))).collect()
    }
}
