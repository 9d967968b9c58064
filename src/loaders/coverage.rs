//! How a job or a repository gets to tape.

use super::{Batch, by_upstream, job::JobRow};
use crate::estate::{Failure, RepositoryKey, joins::coverage::Coverage};
use async_graphql::dataloader::Loader;
use futures_util::FutureExt;
use std::{collections::HashMap, convert::Infallible, sync::Arc};

/// How does this job get to tape?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CoverageOf(pub JobRow);

/// Is this repository written to tape?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryCoverageOf(pub RepositoryKey);

impl Loader<RepositoryCoverageOf> for Batch {
    type Value = Result<Option<Arc<Coverage>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[RepositoryCoverageOf],
    ) -> Result<HashMap<RepositoryCoverageOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, keys) in by_upstream(keys, |key| {
            (key.0.upstream, (key.0.server, key.0.repository))
        }) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            for ((server, repository), answer) in
                console.repository_coverage(&self.caller, &keys).await
            {
                let key = RepositoryCoverageOf(RepositoryKey {
                    upstream,
                    server,
                    repository,
                });
                answers.insert(key, answer.map(|coverage| Some(Arc::new(coverage))));
            }
        }
        Ok(answers)
    }
}

impl Loader<CoverageOf> for Batch {
    type Value = Result<Option<Arc<Coverage>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[CoverageOf],
    ) -> Result<HashMap<CoverageOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.coverage(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| {
                (
                    CoverageOf(job),
                    answer.map(|coverage| Some(Arc::new(coverage))),
                )
            })
            .collect())
    }
}
