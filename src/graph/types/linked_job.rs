//! `LinkedJob`: one job that a tape job or a backup copy job reads.

use super::{backup_server::BackupServer, job::Job};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    filters::{boolean_filter::boolean_filter, references::Named},
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    report,
    schema::scalars::UUID,
};
use crate::{
    estate::{
        Failure, JobKey, RowRef, ServerKey, UpstreamId,
        joins::link_servers::{Links, PlacedLink},
    },
    loaders::{
        job::{JobOf, JobRow},
        link::LinksOfJob,
        server::ServerOf,
    },
    uid::{JobUid, ServerUid},
    upstream::vspc::{self, linked_job::LinkFamily},
};
use async_graphql::{Context, Description, InputObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// Filters links. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct LinkedJobFilter {
    /// Links on this backup server.
    backup_server_uid: Option<UUID>,
    /// Links of the reading job with this id: Veeam Backup & Replication's, or the console's own.
    job_uid: Option<UUID>,
    /// Links to the job with this id: Veeam Backup & Replication's, or the console's own.
    linked_job_uid: Option<UUID>,
    /// Matches if all of these filters match.
    and: Option<Vec<LinkedJobFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<LinkedJobFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<LinkedJobFilter>>,
}

boolean_filter!(LinkedJobFilter);

impl LinkedJobFilter {
    /// What it names that must be there.
    pub fn named(&self) -> Named<'_> {
        Named {
            server: self.backup_server_uid,
            ..Named::default()
        }
    }

    /// Whether its own members hold for a link.
    pub fn holds(&self, link: &PlacedLink) -> bool {
        let [job, linked] = link.jobs;
        let is = |wanted: UUID, uid: JobUid, other: Option<JobUid>| {
            uid.0 == wanted.0 || other.is_some_and(|other| other.0 == wanted.0)
        };
        self.backup_server_uid
            .is_none_or(|server| link.server.is_some_and(|of_link| of_link.0 == server.0))
            && self
                .job_uid
                .is_none_or(|wanted| is(wanted, link.row.job_uid, job))
            && self
                .linked_job_uid
                .is_none_or(|wanted| is(wanted, link.row.linked_job_uid, linked))
    }
}

/// One job that a tape job (or a backup copy job) reads. Source:
/// `GET /infrastructure/backupServers/jobs/backupTapeJobs/jobObjects` (`backupCopyJobs/jobObjects`,
/// `simpleBackupCopyJobs/objects`, which other versions call `immediateBackupCopyJobs/objects`).
#[derive(Description)]
pub struct LinkedJob {
    upstream: UpstreamId,
    link: PlacedLink,
}

impl LinkedJob {
    /// The link's row: which server it is on follows from it.
    pub fn row(&self) -> &RowRef<vspc::linked_job::LinkedJob> {
        &self.link.row
    }
}

connection! {
    /// A page of a list of jobs that tape jobs or backup copy jobs read.
    LinkedJobConnection, LinkedJobEdge, LinkedJob
}

/// A page of a list of what a job reads.
pub async fn links_of_job(
    ctx: &Context<'_>,
    family: LinkFamily,
    job: &JobRow,
    args: PageArgs,
) -> Result<LinkedJobConnection> {
    let answer = loaders(ctx)
        .ask(LinksOfJob(family, job.clone()), Default::default())
        .await;
    let upstream = job.0.upstream();
    link_page(ctx, answer, &format!("{:?}", job.key()), args, |link| {
        LinkedJob::new(upstream, link)
    })
    .await
}

/// Cuts links. They go by the ids of their jobs: names would cost a read.
pub async fn link_page(
    ctx: &Context<'_>,
    answer: Result<Links, Failure>,
    parent: &str,
    args: PageArgs,
    link: impl Fn(PlacedLink) -> LinkedJob,
) -> Result<LinkedJobConnection> {
    let (links, problems) = match answer {
        Ok(links) => (links.links, links.problem.into_iter().collect()),
        Err(failure) => (Vec::new(), vec![failure]),
    };
    page_of_links(
        ctx,
        links.into_iter().map(link).collect(),
        problems,
        parent,
        args,
    )
    .await
}

/// The same for links of several upstreams.
pub async fn page_of_links(
    ctx: &Context<'_>,
    links: Vec<LinkedJob>,
    problems: Vec<Failure>,
    parent: &str,
    args: PageArgs,
) -> Result<LinkedJobConnection> {
    let mark = || ListMark::of(&["linkedJobs", parent]);
    let ids = |link: &LinkedJob| {
        let row = &link.link.row;
        vec![
            SortValue::Text(row.job_uid.to_string()),
            SortValue::Text(row.linked_job_uid.to_string()),
        ]
    };
    let page = page::cut(ctx, links, &args, mark, &[], ids, |link| {
        let server = link
            .link
            .server
            .map(|server| server.to_string())
            .unwrap_or_default();
        format!("{}:{server}", link.upstream.0)
    })
    .await?;
    Ok(LinkedJobConnection::new(ctx, page, &problems, |link| link))
}

impl LinkedJob {
    /// The server that it is on, where that can be told.
    pub fn server(&self) -> Option<ServerUid> {
        self.link.server
    }

    /// A link of one console.
    pub fn new(upstream: UpstreamId, link: PlacedLink) -> Self {
        Self { upstream, link }
    }

    /// A job on the link's own server: never on another, whatever its id.
    async fn on_server(
        &self,
        ctx: &Context<'_>,
        job: JobUid,
    ) -> Result<Option<RowRef<vspc::job::Job>>, Failure> {
        let Some(server) = self.link.server else {
            return Ok(None);
        };
        loaders(ctx)
            .row(JobOf(JobKey {
                upstream: self.upstream,
                server,
                job,
            }))
            .await
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl LinkedJob {
    /// The id of the job that reads.
    async fn job_uid(&self) -> UUID {
        UUID(self.link.row.job_uid.0)
    }

    /// Service Provider Console's own id of the job that reads. Null before version 3.5.1 of its
    /// API.
    async fn unique_job_uid(&self) -> Option<UUID> {
        self.link.row.unique_job_uid.map(|uid| UUID(uid.0))
    }

    /// The id of the job that is read, as the console gives it: Veeam Backup & Replication's id of
    /// it, or the console's own (`uniqueUid`), which version 3.7 of its API names. `linkedJob`
    /// leads to the job by either.
    async fn linked_job_uid(&self) -> UUID {
        UUID(self.link.row.linked_job_uid.0)
    }

    /// The job that reads; null if the console does not list it.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        nullable(
            self.on_server(ctx, self.link.row.job_uid)
                .await
                .map(|row| row.map(Job::from)),
        )
    }

    /// The job that is read, looked for on the reading job's own server only, by both of its ids;
    /// null, with `resolved: false`, when it is not there: deleted, or not to be seen with the
    /// gateway's role.
    async fn linked_job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        nullable(
            self.on_server(ctx, self.link.row.linked_job_uid)
                .await
                .map(|row| row.map(Job::from)),
        )
    }

    /// Whether `linkedJob` was found. False beside an error when the jobs could not be read.
    async fn resolved(&self, ctx: &Context<'_>) -> bool {
        match self.on_server(ctx, self.link.row.linked_job_uid).await {
            Ok(row) => row.is_some(),
            Err(failure) => {
                report(ctx, &failure);
                false
            }
        }
    }

    /// The backup server that both are on; null when neither job is known, so that the server is
    /// not.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let key = ServerKey {
            upstream: self.upstream,
            server: self.link.server?,
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(key))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }
}
