//! `Company`: an organization that backups are made for.

use super::{
    agent_job_object::{AgentJobObject, AgentJobObjectConnection},
    alarm::{AlarmConnection, AlarmFilter, alarm_page},
    backup_server::{BackupServerConnection, BackupServerFilter, server_page},
    console_agent::{ConsoleAgentConnection, ConsoleAgentFilter, agent_page},
    console_agent_job::{self, ConsoleAgentJobConnection, ConsoleAgentJobFilter},
    job::{Job, JobConnection, kind::JobKind},
    license_usage::LicenseUsage,
    location::{LocationConnection, location_page},
    management_agent::{ManagementAgentConnection, ManagementAgentFilter, management_agent_page},
    origin::Origin,
    repository::{
        RepositoryArgs, RepositoryConnection, RepositoryFilter, RepositoryOrder, repository_page,
    },
    trend_point,
    workload::{ProtectionCounts, WorkloadConnection, WorkloadFilter, workload_page},
};
use crate::graph::{
    error,
    filters::{
        agent_job_object_filter::{AgentJobObjectFilter, object_page},
        duration::DurationInput,
        job_filter::{JobFilter, JobOrder, Row, job_page},
    },
    loaders, nullable,
    paging::{connection::connection, page::PageArgs},
    rows_of, rows_of_console,
    schema::{
        id::Key,
        scalars::{UUID, text},
    },
};
use crate::{
    estate::{CompanyKey, Failure, RowRef, console::protection::Workload},
    loaders::{
        job::JobRow,
        object::ObjectsOf,
        protection::{AlarmsOf, WorkloadsOf},
        session::RunsOf,
    },
    upstream::vspc::organization::Organization,
};
use async_graphql::{Context, Description, ID, Object, Result};
use futures_util::future::join_all;
use veeam_graph_macros::direct_fields;

/// An organization: a company that backups are made for, a reseller, or the provider itself.
/// Source: `GET /organizations` of Service Provider Console.
#[derive(Description)]
pub struct Company(RowRef<Organization>);

connection! {
    /// A page of a list of companies.
    CompanyConnection, CompanyEdge, Company
}

impl From<RowRef<Organization>> for Company {
    fn from(row: RowRef<Organization>) -> Self {
        Self(row)
    }
}

impl Company {
    async fn all_jobs(&self, ctx: &Context<'_>) -> (Vec<Row>, Vec<Failure>) {
        rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.jobs_of_company(caller, self.0.instance_uid)
        })
        .await
    }

    async fn all_workloads(&self, ctx: &Context<'_>) -> (Vec<Workload>, Vec<Failure>) {
        match loaders(ctx)
            .ask(WorkloadsOf(self.0.upstream()), Default::default())
            .await
        {
            Ok(placed) => (
                placed.of_company(self.0.instance_uid),
                placed.problems.clone(),
            ),
            Err(failure) => (Vec::new(), vec![failure]),
        }
    }

    fn key(&self) -> CompanyKey {
        CompanyKey {
            upstream: self.0.upstream(),
            company: self.0.instance_uid,
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Company {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Company(self.key()).encode(loaders(ctx).estate())
    }

    /// The organization's id in Service Provider Console.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The organization's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A short name; null if there is none.
    async fn alias(&self) -> Option<&str> {
        text(&self.0.alias)
    }

    /// What it is, as the upstream reports it: `Company`, `Reseller`, `Provider`; null if unknown.
    async fn r#type(&self) -> Option<&str> {
        text(&self.0.r#type)
    }

    /// Its tax number; null if there is none.
    async fn tax_id(&self) -> Option<&str> {
        text(&self.0.tax_id)
    }

    /// Its mail address; null if there is none.
    async fn email(&self) -> Option<&str> {
        text(&self.0.email)
    }

    /// Its telephone number; null if there is none.
    async fn phone(&self) -> Option<&str> {
        text(&self.0.phone)
    }

    /// Its country; null if there is none.
    async fn country_name(&self) -> Option<&str> {
        text(&self.0.country_name)
    }

    /// Its region; null if there is none.
    async fn region_name(&self) -> Option<&str> {
        text(&self.0.region_name)
    }

    /// Its city; null if there is none.
    async fn city(&self) -> Option<&str> {
        text(&self.0.city)
    }

    /// Its street; null if there is none.
    async fn street(&self) -> Option<&str> {
        text(&self.0.street)
    }

    /// Its postal code; null if there is none.
    async fn zip_code(&self) -> Option<&str> {
        text(&self.0.zip_code)
    }

    /// Its website; null if there is none.
    async fn website(&self) -> Option<&str> {
        text(&self.0.website)
    }

    /// The description that somebody gave it; null if there is none.
    async fn notes(&self) -> Option<&str> {
        text(&self.0.notes)
    }

    /// Its number in Veeam's records; null if there is none.
    async fn veeam_tenant_id(&self) -> Option<&str> {
        text(&self.0.veeam_tenant_id)
    }

    /// Its number in other applications, such as a PSA; null if there is none.
    async fn company_id(&self) -> Option<&str> {
        text(&self.0.company_id)
    }

    /// The company's jobs: assigned to it (`mappedOrganizationUid`), or else on a server that it
    /// owns.
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
        let (rows, problems) = self.all_jobs(ctx).await;
        let list = format!("jobs {:?}", self.key());
        let page = job_page(
            ctx,
            rows,
            problems,
            &list,
            filter,
            order_by,
            &PageArgs { first, after },
        )
        .await?;
        Ok(JobConnection::of(ctx, page, Job::from))
    }

    /// Which part of the runs of the company's jobs succeeded, from 0 to 1, of those that began
    /// within this time and ended; null if none did. From Enterprise Manager, so not from longer
    /// ago than it remembers (usually 30 days).
    async fn success_rate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of the time window, which ends now.")] window: DurationInput,
    ) -> Option<Result<f64>> {
        let loaders = loaders(ctx);
        let from = match window.ago(loaders.estate()) {
            Ok(from) => from,
            Err(error) => return Some(Err(error)),
        };
        let (jobs, problems) = self.all_jobs(ctx).await;
        if let Some(problem) = problems.first() {
            return Some(Err(error::upstream(problem)));
        }
        let asked = jobs
            .into_iter()
            .map(|job| loaders.ask(RunsOf(JobRow(job)), Default::default()));
        let runs: Result<Vec<_>, _> = join_all(asked)
            .await
            .into_iter()
            .map(trend_point::whole)
            .collect();
        match runs {
            Ok(runs) => trend_point::success_rate(loaders.budget(), &runs, from)
                .await
                .map(Ok),
            Err(failure) => Some(Err(error::upstream(&failure))),
        }
    }

    /// The machines in the company's agent jobs, by name.
    async fn agent_job_objects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the machines that match this filter.")] filter: Option<
            AgentJobObjectFilter,
        >,
        #[graphql(desc = "How many machines to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentJobObjectConnection> {
        let (jobs, mut problems) = self.all_jobs(ctx).await;
        let is_agent = |job: &Row| {
            matches!(
                JobKind::of(job.r#type.as_deref()),
                JobKind::AgentBackup | JobKind::AgentPolicy
            )
        };
        let asked = jobs.into_iter().filter(is_agent).map(async |job| {
            let answer = loaders(ctx)
                .ask(ObjectsOf(JobRow(job.clone())), Default::default())
                .await;
            (job, answer)
        });
        let mut objects = Vec::new();
        for (job, answer) in join_all(asked).await {
            let (rows, unread) = rows_of(answer);
            objects.extend(
                rows.into_iter()
                    .map(|row| AgentJobObject::of_job(row, job.clone())),
            );
            problems.extend(unread);
        }
        // one list that can't be read is one problem, however many jobs it is asked about
        problems.truncate(1);
        object_page(
            ctx,
            objects,
            problems,
            &format!("{:?}", self.key()),
            filter,
            PageArgs { first, after },
        )
        .await
    }

    /// The repositories on the backup servers that the company owns.
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
            console.repositories_of_company(caller, self.0.instance_uid)
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

    /// What was found worth somebody's attention at the company: the worst first, and of these the
    /// latest.
    async fn alarms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the alarms that match this filter.")] filter: Option<
            AlarmFilter,
        >,
        #[graphql(desc = "How many alarms to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AlarmConnection> {
        let (alarms, problems) = match loaders(ctx)
            .ask(AlarmsOf(self.0.upstream()), Default::default())
            .await
        {
            Ok(placed) => (
                placed.of_company(self.0.instance_uid),
                placed.problems.clone(),
            ),
            Err(failure) => (Vec::new(), vec![failure]),
        };
        alarm_page(
            ctx,
            alarms,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// The company's protected machines: those without a restore point first, then those with the
    /// oldest.
    async fn workloads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the machines that match this filter.")] filter: Option<
            WorkloadFilter,
        >,
        #[graphql(desc = "How many machines to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<WorkloadConnection> {
        let (workloads, problems) = self.all_workloads(ctx).await;
        workload_page(
            ctx,
            workloads,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// How many of the company's protected machines have a restore point that is new enough. Null,
    /// with an error, when a list that is needed to count could not be read in full.
    async fn protection(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How old the newest restore point may be: the recovery point objective. 24 hours if omitted."
        )]
        rpo: Option<DurationInput>,
    ) -> Option<Result<ProtectionCounts>> {
        let before = match rpo.unwrap_or(DurationInput::DAY).ago(loaders(ctx).estate()) {
            Ok(before) => before,
            Err(error) => return Some(Err(error)),
        };
        match self.all_workloads(ctx).await {
            (workloads, problems) if problems.is_empty() => Some(Ok(ProtectionCounts::of(
                &workloads,
                before,
                loaders(ctx).estate().now(),
            ))),
            (_, problems) => problems
                .first()
                .map(|problem| Err(error::upstream(problem))),
        }
    }

    /// The company's management agents, by host name.
    async fn management_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            ManagementAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ManagementAgentConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.management_agents_of_company(caller, self.0.instance_uid)
        })
        .await;
        management_agent_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// The company's locations, by name.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many locations to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LocationConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.locations_of_company(caller, self.0.instance_uid)
        })
        .await;
        location_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            &PageArgs { first, after },
        )
        .await
    }

    /// The company's agents that no backup server manages, by name.
    async fn console_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            ConsoleAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.console_agents_of_company(caller, self.0.instance_uid)
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

    /// The jobs of these agents, by name.
    async fn console_agent_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            ConsoleAgentJobFilter,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentJobConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.console_agent_jobs_of_company(caller, self.0.instance_uid)
        })
        .await;
        console_agent_job::job_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// How many licence units the company uses in this calendar month, so far; null when the
    /// upstream does not say.
    async fn license_usage(&self, ctx: &Context<'_>) -> Option<Result<LicenseUsage>> {
        let loaders = loaders(ctx);
        let console = loaders.caller().console(self.0.upstream())?;
        nullable(
            console
                .license_of(loaders.caller(), self.0.instance_uid)
                .await
                .map(|row| row.map(LicenseUsage::from)),
        )
    }

    /// The backup servers that the company owns, by name.
    async fn backup_servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the servers that match this filter.")] filter: Option<
            BackupServerFilter,
        >,
        #[graphql(desc = "How many servers to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupServerConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.servers_of_company(caller, self.0.instance_uid)
        })
        .await;
        server_page(
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
