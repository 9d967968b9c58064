//! How a job gets to tape.

use super::{Batch, job::JobRow};
use crate::estate::{Failure, coverage::Coverage};
use async_graphql::dataloader::Loader;
use futures_util::FutureExt;
use std::{collections::HashMap, convert::Infallible, sync::Arc};

/// How does this job get to tape?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CoverageOf(pub JobRow);

impl Loader<CoverageOf> for Batch {
    type Value = Result<Option<Arc<Coverage>>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[CoverageOf]) -> Result<HashMap<CoverageOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self.about_jobs(jobs, |console, caller, jobs| console.coverage(caller, jobs).boxed()).await;
        Ok(answers.into_iter().map(|(job, answer)| (CoverageOf(job), answer.map(|coverage| Some(Arc::new(coverage))))).collect())
    }
}
