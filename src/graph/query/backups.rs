//! Jobs, machines, links and sessions, as the walks begin.

use crate::graph::{
    all_consoles::{all_jobs, candidates, everywhere, everywhere_rows, named, the_one},
    error::bad_input,
    filters::{
        agent_job_object_filter::{AgentJobObjectFilter, objects_with_jobs},
        boolean_filter::Prepared,
        job_filter::{JobFilter, JobOrder, job_page},
        references::must_be_there,
        session_filter::{SessionFilter, SessionOrder, is_of_runs, ordered_session_page},
    },
    loaders, nullable,
    paging::page::PageArgs,
    schema::scalars::UUID,
    types::{
        agent_job_object::AgentJobObjectConnection,
        agent_session::{AgentSession, AgentSessionConnection},
        backup_agent_job::{BackupAgentJob, BackupAgentJobConnection, agent_job_page},
        console_agent_job::{self, ConsoleAgentJobConnection, ConsoleAgentJobFilter},
        job::{
            Job, JobConnection,
            backup_copy_job::{BackupCopyJob, BackupCopyJobConnection},
            kind::JobKind,
        },
        linked_job::{LinkedJob, LinkedJobConnection, LinkedJobFilter, page_of_links},
    },
};
use crate::{
    estate::{JobKey, RowRef},
    loaders::{
        agent_job::AgentJobOf,
        job::{JobOf, JobRow},
    },
    uid::{AgentUid, JobUid, ServerUid, SessionUid},
    upstream::vspc::{self, linked_job::LinkFamily},
};
use async_graphql::{Context, Object, Result};
use futures_util::future::join_all;

/// One job by the id that its server knows it by.
pub(in crate::graph) async fn job_of_server(
    ctx: &Context<'_>,
    uid: UUID,
    server: UUID,
) -> Option<Result<Job>> {
    let loaders = loaders(ctx);
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let keys = loaders.caller().consoles().iter().map(|console| JobKey {
        upstream: console.id(),
        server: ServerUid(server.0),
        job: JobUid(uid.0),
    });
    for answer in join_all(keys.map(|key| loaders.row(JobOf(key)))).await {
        match answer {
            Ok(row) => found.extend(row),
            Err(failure) => problems.push(failure),
        }
    }
    let several = |_: &[RowRef<vspc::job::Job>]| {
        "Several consoles have a job of that id on a server of that id. Ask by `id`.".to_owned()
    };
    the_one(found, problems, true, several).map(|row| row.map(Job::from))
}

/// What is backed up, and how that went.
#[derive(Default)]
pub struct Backups;

#[Object]
impl Backups {
    /// The jobs of every server, of every type.
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
        let (rows, problems) = all_jobs(ctx).await;
        let page = job_page(
            ctx,
            rows,
            problems,
            "jobs",
            filter,
            order_by,
            &PageArgs { first, after },
        )
        .await?;
        Ok(JobConnection::of(ctx, page, Job::from))
    }

    /// One job by its id or its name; null if there is none. Ids repeat over servers whose
    /// configuration was cloned, and names wherever people chose the same: then the server must be
    /// given too, and leaving it out is an error that lists the servers.
    async fn job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id in Veeam Backup & Replication.")] uid: Option<UUID>,
        #[graphql(desc = "The job's whole name, ignoring case.")] name: Option<String>,
        #[graphql(desc = "The id of the job's server, where the rest is not enough.")]
        backup_server_uid: Option<UUID>,
    ) -> Option<Result<Job>> {
        let (mut found, problems);
        match (uid, name, backup_server_uid) {
            (Some(uid), None, Some(server)) => {
                return job_of_server(ctx, uid, server).await;
            }
            (Some(uid), None, None) => {
                (found, problems) = all_jobs(ctx).await;
                found.retain(|row| row.instance_uid.0 == uid.0);
            }
            (None, Some(name), server) => {
                (found, problems) = all_jobs(ctx).await;
                found = match named(ctx, found, &name, |row| &row.name).await {
                    Ok(rows) => rows,
                    Err(error) => return Some(Err(error)),
                };
                found.retain(|row| server.is_none_or(|server| row.backup_server_uid.0 == server.0));
            }
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        }
        let several = |rows: &[RowRef<vspc::job::Job>]| {
            // a server can have two jobs of one name
            let several: Vec<String> = rows
                .iter()
                .map(|row| format!("{} (job {})", row.backup_server_uid, row.instance_uid))
                .collect();
            format!(
                "Several jobs have that name or id. Give `uid` and `backupServerUid`, one of: {}.",
                candidates(&several)
            )
        };
        the_one(found, problems, false, several).map(|row| row.map(Job::from))
    }

    /// The backup copy jobs of every server.
    async fn backup_copy_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupCopyJobConnection> {
        let (mut rows, problems) = all_jobs(ctx).await;
        rows.retain(|job| JobKind::of(job.r#type.as_deref()) == JobKind::BackupCopy);
        let page = job_page(
            ctx,
            rows,
            problems,
            "backupCopyJobs",
            filter,
            None,
            &PageArgs { first, after },
        )
        .await?;
        Ok(BackupCopyJobConnection::of(ctx, page, |row| {
            BackupCopyJob::from(JobRow(row))
        }))
    }

    /// The machines in the agent jobs of every server, by name.
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
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.objects(caller))).await;
        objects_with_jobs(ctx, rows, problems, "", filter, PageArgs { first, after }).await
    }

    /// The jobs that the tape jobs of every server read.
    async fn tape_linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the links that match this filter.")] filter: Option<
            LinkedJobFilter,
        >,
        #[graphql(desc = "How many links to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        let filter = filter.unwrap_or_default();
        let (loaders, wanted) = (loaders(ctx), Prepared::of(&filter, &Ok)?);
        let reads = loaders.caller().consoles().iter().map(async |console| {
            (
                console.id(),
                console.all_links(loaders.caller(), LinkFamily::Tape).await,
            )
        });
        let (mut links, mut problems) = (Vec::new(), Vec::new());
        for (upstream, answer) in join_all(reads).await {
            match answer {
                Ok(found) => {
                    problems.extend(found.problem);
                    let kept = wanted
                        .keep(ctx, found.links, |filter, link| filter.holds(link))
                        .await?;
                    links.extend(kept.into_iter().map(|link| LinkedJob::new(upstream, link)));
                }
                Err(failure) => problems.push(failure),
            }
        }
        let problems = must_be_there(
            ctx,
            &filter,
            LinkedJobFilter::named,
            &links,
            |link| (None, link.server()),
            problems,
        )
        .await?;
        page_of_links(
            ctx,
            links,
            problems,
            &format!("{filter:?}"),
            PageArgs { first, after },
        )
        .await
    }

    /// The agent sessions that every Enterprise Manager remembers, usually of 30 days; newest
    /// first, and without the per-machine parts of runs, unless asked otherwise.
    async fn agent_sessions(
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
            .all_sessions(is_of_runs(filter.as_ref()))
            .await;
        ordered_session_page(
            ctx,
            Ok(sessions),
            "",
            filter,
            order_by,
            PageArgs { first, after },
        )
        .await
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

    /// One job of a standalone agent, from the v2 API; null if there is none.
    async fn backup_agent_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_uid: UUID,
        #[graphql(desc = "The job's id on that agent.")] uid: UUID,
    ) -> Option<Result<BackupAgentJob>> {
        let key = AgentJobOf {
            agent: AgentUid(agent_uid.0),
            job: JobUid(uid.0),
        };
        nullable(
            loaders(ctx)
                .ask(key, None)
                .await
                .map(|row| row.map(BackupAgentJob::from)),
        )
    }

    /// The jobs of a standalone agent, from the v2 API, by name.
    async fn backup_agent_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id.")] agent_uid: UUID,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupAgentJobConnection> {
        let loaders = loaders(ctx);
        let reads = loaders
            .caller()
            .agents()
            .iter()
            .map(|agents| agents.jobs_of_agent(loaders.caller(), AgentUid(agent_uid.0)));
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
        agent_job_page(
            ctx,
            rows,
            &problems,
            &agent_uid.0.to_string(),
            &PageArgs { first, after },
        )
        .await
    }

    /// The jobs of the backup agents that no backup server manages, by name.
    async fn console_agent_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            ConsoleAgentJobFilter,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentJobConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere_rows(ctx, |console| Box::pin(console.console_agent_jobs(caller))).await;
        console_agent_job::job_page(ctx, rows, &problems, "", filter, &PageArgs { first, after })
            .await
    }
}
