//! `BackupServer` by key, and the jobs of a server.

use super::{Batch, by_upstream};
use crate::{
    estate::{Failure, RowRef, ServerKey, console::Rows},
    upstream::vspc::{backup_server::BackupServer, job::Job},
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible};

/// Which server is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerOf(pub ServerKey);

/// Which jobs does this server have?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobsOf(pub ServerKey);

impl Loader<ServerOf> for Batch {
    type Value = Result<Option<RowRef<BackupServer>>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[ServerOf]) -> Result<HashMap<ServerOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, servers) in by_upstream(keys, |key| (key.0.upstream, key.0.server)) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.servers_by_uid(&self.caller, &servers).await;
            answers.extend(
                read.into_iter()
                    .map(|(server, answer)| (ServerOf(ServerKey { upstream, server }), answer)),
            );
        }
        Ok(answers)
    }
}

impl Loader<JobsOf> for Batch {
    type Value = Result<Rows<Job>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[JobsOf]) -> Result<HashMap<JobsOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, servers) in by_upstream(keys, |key| (key.0.upstream, key.0.server)) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.jobs_of_servers(&self.caller, &servers).await;
            answers.extend(
                read.into_iter()
                    .map(|(server, answer)| (JobsOf(ServerKey { upstream, server }), answer)),
            );
        }
        Ok(answers)
    }
}
