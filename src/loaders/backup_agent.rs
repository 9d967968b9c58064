//! `BackupAgent` by key.

use super::{Batch, by_upstream};
use crate::{
    estate::{BackupAgentKey, Failure, RowRef},
    upstream::vspc::backup_agent::BackupAgent,
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible};

/// Which agent is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackupAgentOf(pub BackupAgentKey);

impl Loader<BackupAgentOf> for Batch {
    type Value = Result<Option<RowRef<BackupAgent>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[BackupAgentOf],
    ) -> Result<HashMap<BackupAgentOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, keys) in
            by_upstream(keys, |key| (key.0.upstream, (key.0.server, key.0.agent)))
        {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.agents_by_key(&self.caller, &keys).await;
            answers.extend(read.into_iter().map(|((server, agent), answer)| {
                (
                    BackupAgentOf(BackupAgentKey {
                        upstream,
                        server,
                        agent,
                    }),
                    answer,
                )
            }));
        }
        Ok(answers)
    }
}
