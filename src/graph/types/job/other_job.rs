//! `OtherJob`: a job of a kind without a type of its own.

use super::common_fields::JobFields;
use crate::loaders::job::JobRow;
use async_graphql::MergedObject;

/// A job of a kind that has no type of its own here. Nothing is lost: `kind` and `type` say what it
/// is.
#[derive(MergedObject)]
pub struct OtherJob(JobFields<OtherJob>);

crate::graph::writer::direct::merged_fields!(OtherJob: 0);

impl From<JobRow> for OtherJob {
    fn from(row: JobRow) -> Self {
        Self(row.into())
    }
}
