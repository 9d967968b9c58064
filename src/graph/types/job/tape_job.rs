//! `TapeJob`: backups or files written to tape.

use super::{
    common_fields::JobFields,
    kind_members::{detail, uuid},
};
use crate::graph::{
    loaders,
    paging::{connection::connection, page::PageArgs},
    rows_of,
    schema::scalars::UUID,
    types::{
        job_object::{JobObjectConnection, JobObjectFilter, object_page},
        linked_job::{LinkedJobConnection, links_of_job},
        repository::{RepositoryArgs, RepositoryConnection, repository_page},
    },
};
use crate::{loaders::job::JobRow, upstream::vspc::linked_job::LinkFamily};
use async_graphql::{Context, MergedObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// A job that writes backups or files to tape. `Idle` is its healthy state when it waits for new
/// backups; `WaitingTape` can last for days.
#[derive(MergedObject)]
pub struct TapeJob(JobFields<TapeJob>, TapeJobFields);

crate::graph::writer::direct::merged_fields!(TapeJob: 0, 1);

impl From<JobRow> for TapeJob {
    fn from(row: JobRow) -> Self {
        Self(row.clone().into(), TapeJobFields(row))
    }
}

connection! {
    /// A page of a list of tape jobs.
    TapeJobConnection, TapeJobEdge, TapeJob, health_counts
}

/// What only tape jobs have.
pub struct TapeJobFields(JobRow);

#[direct_fields]
#[Object]
impl TapeJobFields {
    /// Whether the job waits for a tape to be inserted or freed, which can last for days.
    async fn waiting_for_tape(&self) -> bool {
        self.0
            .0
            .status
            .as_deref()
            .is_some_and(|word| word.eq_ignore_ascii_case("WaitingTape"))
    }

    /// The id of the media pool for full backups; null if unknown. Source:
    /// `GET /infrastructure/backupServers/jobs/backupTapeJobs`, or `…/fileTapeJobs`.
    async fn full_media_pool_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        detail(ctx, &self.0, |row| uuid(row.full_media_pool_uid)).await
    }

    /// The id of the media pool for incremental backups; null if unknown.
    async fn incremental_media_pool_uid(&self, ctx: &Context<'_>) -> Option<Result<UUID>> {
        detail(ctx, &self.0, |row| uuid(row.incremental_media_pool_uid)).await
    }

    /// The repositories that this tape job writes to tape as a whole, by name, as far as the
    /// console lists them. Source:
    /// `GET /infrastructure/backupServers/jobs/backupTapeJobs/repositoryObjects`.
    async fn linked_repositories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many repositories to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<RepositoryConnection> {
        let loaders = loaders(ctx);
        let (rows, problems) = rows_of(match loaders.caller().console(self.0.0.upstream()) {
            Some(console) => {
                console
                    .repositories_of_tape_job(loaders.caller(), &self.0.0)
                    .await
            }
            None => Ok(Default::default()),
        });
        repository_page(
            ctx,
            rows,
            problems,
            &format!("TapeJob {:?}", self.0.key()),
            RepositoryArgs::default(),
            &PageArgs { first, after },
        )
        .await
    }

    /// The hosts whose files a job of kind `FILE_TO_TAPE` writes to tape, by name; empty for one
    /// that writes backups.
    async fn objects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the of them that match this filter.")] filter: Option<
            JobObjectFilter,
        >,
        #[graphql(desc = "How many of them to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<JobObjectConnection> {
        object_page(ctx, &self.0, filter, PageArgs { first, after }).await
    }

    /// The jobs that this tape job reads. Source:
    /// `GET /infrastructure/backupServers/jobs/backupTapeJobs/{jobUid}/jobObjects`, or a wider list
    /// where that is cheaper. A tape job can also read whole repositories, which are not here.
    async fn linked_jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many links to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LinkedJobConnection> {
        links_of_job(ctx, LinkFamily::Tape, &self.0, PageArgs { first, after }).await
    }
}
