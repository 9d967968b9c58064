//! `AgentJobObject`: one machine in an agent job.

use super::{
    agent_session::{AgentSession, AgentSessionConnection},
    backup_agent::BackupAgent,
    backup_server::BackupServer,
    company::Company,
    health::Health,
    job::agent_job::AgentJob,
    origin::Origin,
    tape_coverage::TapeCoverage,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    error,
    filters::session_filter::{SessionFilter, session_page},
    loaders, nullable,
    paging::{connection::connection, page::PageArgs},
    schema::{
        hidden_fields,
        id::Key,
        scalars::{DateTime, UUID, int, summary, text},
    },
};
use crate::{
    estate::{
        BackupAgentKey, CompanyKey, Failure, JobKey, MachineKey, RowRef, ServerKey, company_of,
    },
    loaders::{
        backup_agent::BackupAgentOf,
        company::CompanyOf,
        coverage::CoverageOf,
        job::{JobOf, JobRow},
        server::ServerOf,
        session::SessionsOf,
    },
    time,
    uid::ServerUid,
    upstream::vspc,
};
use async_graphql::{Context, Description, ID, Object, Result};
use jiff::Timestamp;
use veeam_graph_macros::direct_fields;

/// One machine in an agent job, with how its last backup went. Source:
/// `GET /infrastructure/backupServers/jobs/agentJobs/objects`.
#[derive(Description)]
pub struct AgentJobObject {
    row: RowRef<vspc::agent_job_object::AgentJobObject>,
    /// The job, where the machine was come to through it.
    job: Option<RowRef<vspc::job::Job>>,
}

connection! {
    /// A page of a list of machines in agent jobs.
    AgentJobObjectConnection, AgentJobObjectEdge, AgentJobObject
}

impl AgentJobObject {
    /// The machine's row, and the job's, where it was come to through that.
    pub fn rows(
        &self,
    ) -> (
        &RowRef<vspc::agent_job_object::AgentJobObject>,
        Option<&RowRef<vspc::job::Job>>,
    ) {
        (&self.row, self.job.as_ref())
    }

    /// A machine whose job is not in hand.
    pub fn new(row: RowRef<vspc::agent_job_object::AgentJobObject>) -> Self {
        Self { row, job: None }
    }

    /// A machine of a job in hand.
    pub fn of_job(
        row: RowRef<vspc::agent_job_object::AgentJobObject>,
        job: RowRef<vspc::job::Job>,
    ) -> Self {
        Self {
            row,
            job: Some(job),
        }
    }

    /// When the last backup ended, or began where none has ended yet.
    pub fn newest(&self) -> Option<Timestamp> {
        self.row.last_end_time.or(self.row.last_run)
    }

    /// How the last backup went.
    pub fn health(&self) -> Health {
        Health::of(
            self.row.backup_status.as_deref(),
            self.row.last_run.is_some(),
        )
    }

    /// The job: in hand, or on the row's server. A row that names no server leads to the one job
    /// with its ids, if one.
    async fn job_row(&self, ctx: &Context<'_>) -> Result<Option<RowRef<vspc::job::Job>>, Failure> {
        if let Some(job) = &self.job {
            return Ok(Some(job.clone()));
        }
        let (upstream, job) = (self.row.upstream(), self.row.job_uid);
        if let Some(server) = self.row.backup_server_uid {
            return loaders(ctx)
                .row(JobOf(JobKey {
                    upstream,
                    server,
                    job,
                }))
                .await;
        }
        let Some(console) = loaders(ctx).caller().console(upstream) else {
            return Ok(None);
        };
        console
            .only_job(loaders(ctx).caller(), job, self.row.unique_job_uid)
            .await
    }

    /// The row's server, or else its job's.
    async fn server(&self, ctx: &Context<'_>) -> Result<Option<ServerUid>, Failure> {
        match self.row.backup_server_uid {
            Some(server) => Ok(Some(server)),
            None => Ok(self.job_row(ctx).await?.map(|job| job.backup_server_uid)),
        }
    }

    async fn machine(&self, ctx: &Context<'_>) -> Result<Option<MachineKey>, Failure> {
        let (upstream, job) = (self.row.upstream(), self.row.job_uid);
        let server = self.server(ctx).await?;
        let computer = self.row.computer.clone().unwrap_or_default();
        Ok(server.map(|server| MachineKey {
            job: JobKey {
                upstream,
                server,
                job,
            },
            object: self.row.instance_uid,
            computer,
        }))
    }

    async fn all_sessions(
        &self,
        ctx: &Context<'_>,
    ) -> Result<crate::estate::sessions::Sessions, Failure> {
        match self.machine(ctx).await? {
            Some(machine) => {
                loaders(ctx)
                    .ask(SessionsOf(machine), Default::default())
                    .await
            }
            // which job's it is can't be told, and so not which sessions are its own
            None => Err(self.row.is_ambiguous()),
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl AgentJobObject {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        let row = &self.row;
        let key = Key::AgentJobObject {
            upstream: row.upstream(),
            server: row.backup_server_uid,
            job: row.job_uid,
            object: row.instance_uid,
        };
        key.encode(loaders(ctx).estate())
    }

    /// The machine's id within Veeam Backup & Replication (`instanceUid`).
    async fn uid(&self) -> UUID {
        UUID(self.row.instance_uid.0)
    }

    /// Service Provider Console's own id of it (`uniqueUid`). Null before version 3.5.1 of its API.
    async fn unique_uid(&self) -> Option<UUID> {
        self.row.unique_uid.map(|uid| UUID(uid.0))
    }

    /// The id of the backup agent on the machine; null if unknown.
    async fn agent_uid(&self) -> Option<UUID> {
        self.row.agent_uid.map(|uid| UUID(uid.0))
    }

    /// The id of the job that protects the machine.
    async fn job_uid(&self) -> UUID {
        UUID(self.row.job_uid.0)
    }

    /// The id of the backup server: the row's, or else its job's; null where neither says.
    async fn backup_server_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        nullable(
            self.server(ctx)
                .await
                .map(|server| server.map(|uid| UUID(uid.0))),
        )
    }

    /// The machine's name; null if unknown.
    async fn computer(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.row.computer))
    }

    /// As the upstream reports it, how the last backup went, for example `Success`. Empty when it
    /// gives none.
    async fn backup_status(&self) -> &str {
        self.row.backup_status.as_deref().unwrap_or_default()
    }

    /// How the last backup of this machine went, in the gateway's own words.
    #[graphql(name = "health")]
    async fn health_field(&self) -> Health {
        self.health()
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        self.health().code()
    }

    /// When the last backup of this machine started; null when there was none.
    async fn last_run(&self) -> Option<DateTime> {
        self.row.last_run.map(DateTime)
    }

    /// When it ended; null while it runs, and when there was none.
    async fn last_end_time(&self) -> Option<DateTime> {
        self.row.last_end_time.map(DateTime)
    }

    /// How long ago the last backup ended, or began where none has ended yet, in seconds; null when
    /// there was none. Counted when the answer was made.
    async fn age_seconds(&self, ctx: &Context<'_>) -> Option<i32> {
        int(time::age(self.newest(), loaders(ctx).estate().now()))
    }

    /// How long it took, in seconds; null if unknown.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.row.last_duration)
    }

    /// How many restore points there are; null if unknown.
    async fn restore_points_count(&self) -> Option<i32> {
        int(self.row.restore_points_count)
    }

    /// The machine's operating system, as the upstream reports it: `Windows`, `Linux`, `Mac`; null
    /// if unknown.
    async fn os_type(&self) -> Option<&str> {
        text(&self.row.os_type)
    }

    /// Why the last backup failed or warned, as the upstream reports it, of many lines; null if
    /// there is no message.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.row.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.row.failure_message))
    }

    /// The job that protects the machine; null if the console does not list it.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Linked<AgentJob>>> {
        nullable(
            self.job_row(ctx)
                .await
                .map(|job| job.map(|job| Linked(AgentJob::from(JobRow(job))))),
        )
    }

    /// The backup server: the row's, or else its job's; null where neither says, and when the
    /// console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let server = match self.server(ctx).await {
            Ok(server) => server?,
            Err(failure) => return Some(Err(error::upstream(&failure))),
        };
        let key = ServerKey {
            upstream: self.row.upstream(),
            server,
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(key))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The backup agent on the machine; null when the row names none, or the backup server no
    /// longer manages it.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupAgent>>> {
        let agent = self.row.agent_uid?;
        let server = match self.server(ctx).await {
            Ok(server) => server?,
            Err(failure) => return Some(Err(error::upstream(&failure))),
        };
        let key = BackupAgentKey {
            upstream: self.row.upstream(),
            server,
            agent,
        };
        nullable(
            loaders(ctx)
                .ask(BackupAgentOf(key), None)
                .await
                .map(|row| row.map(|row| Linked(BackupAgent::new(key, row)))),
        )
    }

    /// The company whose machine it is: the job's; null if it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let company = match self.job_row(ctx).await {
            Ok(job) => company_of(&*job?)?,
            Err(failure) => return Some(Err(error::upstream(&failure))),
        };
        let key = CompanyKey {
            upstream: self.row.upstream(),
            company,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// What Enterprise Manager remembers of this machine, newest first: its parts of the runs of
    /// its job. Where the runs have no per-machine parts, the runs themselves (their `computer` is
    /// null).
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which sessions. All of the window if omitted; `topLevelOnly` does not apply here."
        )]
        filter: Option<SessionFilter>,
        #[graphql(desc = "How many sessions to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let answer = self.all_sessions(ctx).await;
        let parent = format!(
            "AgentJobObject {} {} {:?}",
            self.row.instance_uid, self.row.job_uid, self.row.backup_server_uid
        );
        session_page(ctx, answer, &parent, filter, PageArgs { first, after }).await
    }

    /// The newest of `sessions`; null when Enterprise Manager remembers none.
    async fn last_session(&self, ctx: &Context<'_>) -> Option<Result<Linked<AgentSession>>> {
        AgentSession::newest(self.all_sessions(ctx).await)
    }

    /// Whether the backups of the machine's job also get to tape, as the estate is set up.
    async fn tape(&self, ctx: &Context<'_>) -> TapeCoverage {
        let answer = match self.job_row(ctx).await {
            Ok(Some(job)) => loaders(ctx).ask(CoverageOf(JobRow(job)), None).await,
            Ok(None) => Ok(None),
            Err(failure) => Err(failure),
        };
        TapeCoverage::new(ctx, answer)
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.row)
    }
}
