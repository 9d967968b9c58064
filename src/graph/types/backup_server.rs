//! `BackupServer`: one Veeam Backup & Replication server.

use super::{
    agent_session::AgentSessionConnection,
    backup_agent::{BackupAgentConnection, BackupAgentFilter, agent_page},
    company::Company,
    enterprise_manager::{EnterpriseManagerConnection, manager_page},
    job::{
        Job, JobConnection,
        agent_job::AgentJob,
        backup_copy_job::{BackupCopyJob, BackupCopyJobConnection},
        kind::JobKind,
        tape_job::{TapeJob, TapeJobConnection},
    },
    linked_job::{LinkedJob, LinkedJobConnection, link_page},
    location::Location,
    management_agent::ManagementAgent,
    origin::Origin,
    repository::{
        RepositoryArgs, RepositoryConnection, RepositoryFilter, RepositoryOrder, repository_page,
    },
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    filters::{
        boolean_filter::{Prepared, boolean_filter},
        conditions::{Names, Part},
        job_filter::{JobFilter, JobOrder, JobPage, job_page},
        references::{Named, must_be_there},
        session_filter::{SessionFilter, SessionOrder, is_of_runs, ordered_session_page},
    },
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    rows_of, rows_of_console,
    schema::{
        id::Key,
        scalars::{UUID, text},
    },
};
use crate::{
    estate::{CompanyKey, Estate, Failure, RowRef, ServerKey},
    loaders::{company::CompanyOf, job::JobRow, link::LinksOf, server::JobsOf},
    upstream::vspc::{self, linked_job::LinkFamily},
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// Filters backup servers. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct BackupServerFilter {
    /// Servers from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Servers whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Servers that this company owns.
    company_uid: Option<UUID>,
    /// Matches if all of these filters match.
    and: Option<Vec<BackupServerFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<BackupServerFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<BackupServerFilter>>,
}

boolean_filter!(BackupServerFilter);

impl BackupServerFilter {
    fn holds(&self, estate: &Estate, row: &RowRef<vspc::backup_server::BackupServer>) -> bool {
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(&row.name, self.name_contains.as_ref())
            && self.company_uid.is_none_or(|company| {
                row.organization_uid
                    .is_some_and(|owner| owner.0 == company.0)
            })
    }
}

/// A Veeam Backup & Replication server. Source: `GET /infrastructure/backupServers` of Service
/// Provider Console.
#[derive(Description)]
pub struct BackupServer(RowRef<vspc::backup_server::BackupServer>);

connection! {
    /// A page of a list of backup servers.
    BackupServerConnection, BackupServerEdge, BackupServer
}

connection! {
    /// A page of a list of agent jobs.
    AgentJobConnection, AgentJobEdge, AgentJob, health_counts
}

/// Filters and cuts servers. They go by name.
pub async fn server_page(
    ctx: &Context<'_>,
    rows: Vec<RowRef<vspc::backup_server::BackupServer>>,
    problems: &[Failure],
    parent: &str,
    filter: Option<BackupServerFilter>,
    args: &PageArgs,
) -> Result<BackupServerConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &BackupServerFilter| Named {
        company: filter.company_uid,
        ..Named::default()
    };
    let whose = |row: &RowRef<vspc::backup_server::BackupServer>| (row.organization_uid, None);
    let problems = must_be_there(ctx, &filter, named, &rows, whose, problems.to_vec()).await?;
    let mark = || ListMark::of(&["backupServers", parent, &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(estate, row))
        .await?;
    let identity = |row: &RowRef<vspc::backup_server::BackupServer>| {
        format!("{}:{}", row.upstream().0, row.instance_uid)
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
    Ok(BackupServerConnection::new(
        ctx,
        page,
        &problems,
        BackupServer::from,
    ))
}

impl From<RowRef<vspc::backup_server::BackupServer>> for BackupServer {
    fn from(row: RowRef<vspc::backup_server::BackupServer>) -> Self {
        Self(row)
    }
}

impl BackupServer {
    fn key(&self) -> ServerKey {
        ServerKey {
            upstream: self.0.upstream(),
            server: self.0.instance_uid,
        }
    }

    /// A page of the server's jobs, of these kinds or of all.
    async fn job_rows(
        &self,
        ctx: &Context<'_>,
        kinds: &[JobKind],
        filter: Option<JobFilter>,
        order: Option<Vec<JobOrder>>,
        args: PageArgs,
    ) -> Result<JobPage> {
        let (mut rows, problems) = rows_of(
            loaders(ctx)
                .ask(JobsOf(self.key()), Default::default())
                .await,
        );
        if !kinds.is_empty() {
            rows.retain(|job| kinds.contains(&JobKind::of(job.r#type.as_deref())));
        }
        let list = format!("jobs {:?} {kinds:?}", self.key());
        job_page(ctx, rows, problems, &list, filter, order, &args).await
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl BackupServer {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::BackupServer(self.key()).encode(loaders(ctx).estate())
    }

    /// The server's id in Service Provider Console (`instanceUid`). Enterprise Manager numbers it
    /// otherwise.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The server's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The version of Veeam Backup & Replication; null if unknown.
    async fn version(&self) -> Option<&str> {
        text(&self.0.version)
    }

    /// The version with its patch, for people; null if unknown.
    async fn display_version(&self) -> Option<&str> {
        text(&self.0.display_version)
    }

    /// How the console finds the server, as the upstream reports it: `Healthy`, `Warning`,
    /// `Inaccessible`; null if unknown. What an inaccessible server last reported is still listed.
    async fn status(&self) -> Option<&str> {
        text(&self.0.status)
    }

    /// What the server is for, as the upstream reports it: `Client`, `CloudConnect`, `Hosted`; null
    /// if unknown.
    async fn role_type(&self) -> Option<&str> {
        text(&self.0.backup_server_role_type)
    }

    /// The id of this installation of Veeam Backup & Replication; null if unknown.
    async fn installation_uid(&self) -> Option<&str> {
        text(&self.0.installation_uid)
    }

    /// The id of the management agent on the server; null if unknown.
    async fn management_agent_uid(&self) -> Option<UUID> {
        self.0.management_agent_uid.map(|uid| UUID(uid.0))
    }

    /// The management agent on the server, which tells whether the console can reach it; null if
    /// the console does not list it.
    async fn management_agent(&self, ctx: &Context<'_>) -> Option<Result<ManagementAgent>> {
        let loaders = loaders(ctx);
        let console = loaders.caller().console(self.0.upstream())?;
        nullable(
            console
                .management_agent(loaders.caller(), self.0.management_agent_uid?)
                .await
                .map(|row| row.map(ManagementAgent::from)),
        )
    }

    /// The id of the server's location in the console; null if unknown.
    async fn location_uid(&self) -> Option<UUID> {
        self.0.location_uid.map(|uid| UUID(uid.0))
    }

    /// The server's location in the console; null if the console does not list it.
    async fn location(&self, ctx: &Context<'_>) -> Option<Result<Location>> {
        let loaders = loaders(ctx);
        let console = loaders.caller().console(self.0.upstream())?;
        nullable(
            console
                .location(loaders.caller(), self.0.location_uid?)
                .await
                .map(|row| row.map(Location::from)),
        )
    }

    /// The Enterprise Managers that collect from the server, by name, as the console maps them.
    async fn enterprise_managers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many Enterprise Managers to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<EnterpriseManagerConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.managers_of_server(caller, self.0.instance_uid)
        })
        .await;
        manager_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            &PageArgs { first, after },
        )
        .await
    }

    /// Whether the server is part of a high-availability cluster; null before version 3.6.1 of the
    /// console's API.
    async fn is_in_high_availability_cluster(&self) -> Option<bool> {
        self.0.in_high_availability_cluster
    }

    /// The company that owns the server; null if it belongs to no company.
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

    /// The jobs that tape jobs on this server read. Source:
    /// `GET /infrastructure/backupServers/{backupServerUid}/jobs/backupTapeJobs/jobObjects`, or the
    /// fleet's list where that is cheaper.
    async fn tape_linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many links to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        let answer = loaders(ctx)
            .ask(LinksOf(LinkFamily::Tape, self.key()), Default::default())
            .await;
        let upstream = self.0.upstream();
        link_page(
            ctx,
            answer,
            &format!("BackupServer {:?}", self.key()),
            PageArgs { first, after },
            |link| LinkedJob::new(upstream, link),
        )
        .await
    }

    /// The server's jobs of every type.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<JobOrder>,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<JobConnection> {
        let page = self
            .job_rows(ctx, &[], filter, order_by, PageArgs { first, after })
            .await?;
        Ok(JobConnection::of(ctx, page, Job::from))
    }

    /// The server's agent jobs and agent policies.
    async fn agent_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<JobOrder>,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentJobConnection> {
        let kinds = [JobKind::AgentBackup, JobKind::AgentPolicy];
        let page = self
            .job_rows(ctx, &kinds, filter, order_by, PageArgs { first, after })
            .await?;
        Ok(AgentJobConnection::of(ctx, page, |row| {
            AgentJob::from(JobRow(row))
        }))
    }

    /// The server's tape jobs.
    async fn tape_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<JobOrder>,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<TapeJobConnection> {
        let kinds = [JobKind::BackupToTape, JobKind::FileToTape];
        let page = self
            .job_rows(ctx, &kinds, filter, order_by, PageArgs { first, after })
            .await?;
        Ok(TapeJobConnection::of(ctx, page, |row| {
            TapeJob::from(JobRow(row))
        }))
    }

    /// The server's backup copy jobs.
    async fn backup_copy_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<JobOrder>,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupCopyJobConnection> {
        let page = self
            .job_rows(
                ctx,
                &[JobKind::BackupCopy],
                filter,
                order_by,
                PageArgs { first, after },
            )
            .await?;
        Ok(BackupCopyJobConnection::of(ctx, page, |row| {
            BackupCopyJob::from(JobRow(row))
        }))
    }

    /// The server's repositories.
    async fn repositories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the repositories that match this filter.")] filter: Option<
            RepositoryFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<RepositoryOrder>,
        >,
        #[graphql(desc = "How many repositories to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<RepositoryConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.repositories_of_server(caller, self.0.instance_uid)
        })
        .await;
        let args = RepositoryArgs { filter, order_by };
        repository_page(
            ctx,
            rows,
            problems,
            &format!("{:?}", self.key()),
            args,
            &PageArgs { first, after },
        )
        .await
    }

    /// The agent sessions that ran on the server, as Enterprise Manager remembers them, usually of
    /// 30 days; newest first, and without the per-machine parts of runs, unless asked otherwise.
    /// Sessions whose server is not known are only in `agentSessions` of the query.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Returns only the sessions that match this filter. Without it, all runs that Enterprise Manager remembers."
        )]
        filter: Option<SessionFilter>,
        #[graphql(desc = "How to order the results; newest first if it is omitted.")]
        order_by: Option<Vec<SessionOrder>>,
        #[graphql(desc = "How many sessions to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let sessions = loaders(ctx)
            .caller()
            .sessions_of_server(self.key(), is_of_runs(filter.as_ref()))
            .await;
        ordered_session_page(
            ctx,
            Ok(sessions),
            &format!("{:?}", self.key()),
            filter,
            order_by,
            PageArgs { first, after },
        )
        .await
    }

    /// The agents that the server manages, by name.
    async fn backup_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            BackupAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupAgentConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.agents_of_server(caller, self.0.instance_uid)
        })
        .await;
        agent_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
