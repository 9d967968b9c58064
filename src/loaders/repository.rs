//! `Repository` by key, and the jobs that write there.

use super::{Batch, by_upstream};
use crate::{
    estate::{Failure, RepositoryKey, RowRef, console::Rows},
    upstream::vspc::{job::Job, repository::Repository},
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible};

/// Which repository is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryOf(pub RepositoryKey);

/// Which jobs write to this repository?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobsOfRepository(pub RepositoryKey);

impl Loader<JobsOfRepository> for Batch {
    type Value = Result<Rows<Job>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[JobsOfRepository],
    ) -> Result<HashMap<JobsOfRepository, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, keys) in by_upstream(keys, |key| {
            (key.0.upstream, (key.0.server, key.0.repository))
        }) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.jobs_of_repositories(&self.caller, &keys).await;
            let file = |((server, repository), answer)| {
                (
                    JobsOfRepository(RepositoryKey {
                        upstream,
                        server,
                        repository,
                    }),
                    answer,
                )
            };
            answers.extend(read.into_iter().map(file));
        }
        Ok(answers)
    }
}

impl Loader<RepositoryOf> for Batch {
    type Value = Result<Option<RowRef<Repository>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[RepositoryOf],
    ) -> Result<HashMap<RepositoryOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, keys) in by_upstream(keys, |key| {
            (key.0.upstream, (key.0.server, key.0.repository))
        }) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.repositories_by_key(&self.caller, &keys).await;
            let file = |((server, repository), answer)| {
                (
                    RepositoryOf(RepositoryKey {
                        upstream,
                        server,
                        repository,
                    }),
                    answer,
                )
            };
            answers.extend(read.into_iter().map(file));
        }
        Ok(answers)
    }
}
