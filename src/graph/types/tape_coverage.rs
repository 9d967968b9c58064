//! `TapeCoverage`: whether what a job backs up also gets to tape.

use super::job::{
    backup_copy_job::BackupCopyJob, kind::JobKind, simple_backup_copy_job::SimpleBackupCopyJob,
    tape_job::TapeJob,
};
use crate::graph::{report, schema::scalars::DateTime};
use crate::{
    estate::{
        Failure, RowRef,
        joins::coverage::{Coverage, TapeStatus as Found},
    },
    loaders::job::JobRow,
    upstream::vspc,
};
use async_graphql::{Context, Description, Enum, Object};
use std::sync::Arc;
use veeam_graph_macros::direct_fields;

/// By which way a job gets to tape.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapeStatus {
    /// A tape job reads the job.
    OnTapeByJob,
    /// A tape job reads the whole repository that the job writes to.
    OnTapeByRepository,
    /// A tape job reads a backup copy job, or its repository, that reads the job.
    OnTapeViaCopy,
    /// None of these, and every list that could say otherwise was read in full.
    NotOnTape,
    /// A list that is needed to tell could not be read, or does not say. Never read it as 'not on
    /// tape'.
    Unknown,
}

impl From<Found> for TapeStatus {
    fn from(found: Found) -> Self {
        match found {
            Found::ByJob => TapeStatus::OnTapeByJob,
            Found::ByRepository => TapeStatus::OnTapeByRepository,
            Found::ViaCopy => TapeStatus::OnTapeViaCopy,
            Found::Not => TapeStatus::NotOnTape,
            Found::Unknown => TapeStatus::Unknown,
        }
    }
}

/// Whether what a job backs up also gets to tape, as the estate is set up. It does not prove that
/// the newest restore point has been written.
#[derive(Description)]
pub struct TapeCoverage(Arc<Coverage>);

impl TapeCoverage {
    /// An answer; where there is none, `UNKNOWN` and an error beside the data.
    pub fn new(ctx: &Context<'_>, answer: Result<Option<Arc<Coverage>>, Failure>) -> Self {
        match answer {
            Ok(Some(coverage)) => Self(coverage),
            Ok(None) => Self(Arc::new(Coverage::new(
                Found::Unknown,
                "Nobody knows of this job's tape jobs.",
            ))),
            Err(failure) => {
                report(ctx, &failure);
                Self(Arc::new(Coverage::unread(Some(failure))))
            }
        }
    }
}

fn rows(jobs: &[RowRef<vspc::job::Job>]) -> impl Iterator<Item = JobRow> {
    let mut seen = std::collections::HashSet::new();
    jobs.iter()
        .cloned()
        .map(JobRow)
        .filter(move |job| seen.insert(job.key()))
}

fn is_simple(job: &JobRow) -> bool {
    JobKind::of(job.0.r#type.as_deref()) == JobKind::SimpleBackupCopy
}

#[direct_fields]
#[Object(use_type_description)]
impl TapeCoverage {
    /// The way to tape, or that there is none.
    async fn status(&self) -> TapeStatus {
        self.0.status.into()
    }

    /// The same as a sentence for people.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The tape jobs on that way.
    async fn tape_jobs(&self) -> Vec<TapeJob> {
        rows(&self.0.tape_jobs).map(TapeJob::from).collect()
    }

    /// The backup copy jobs of the older engine on that way; empty where none is needed.
    async fn via_copy_jobs(&self) -> Vec<BackupCopyJob> {
        rows(&self.0.via)
            .filter(|job| !is_simple(job))
            .map(BackupCopyJob::from)
            .collect()
    }

    /// The backup copy jobs of the newer engine on that way; empty where none is needed.
    async fn via_simple_copy_jobs(&self) -> Vec<SimpleBackupCopyJob> {
        rows(&self.0.via)
            .filter(is_simple)
            .map(SimpleBackupCopyJob::from)
            .collect()
    }

    /// When the latest of those tape jobs last started; null if none ever ran.
    async fn last_tape_run(&self) -> Option<DateTime> {
        self.0.last_tape_run().map(DateTime)
    }
}
