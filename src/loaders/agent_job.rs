//! Jobs of standalone agents, from the v2 API.

use super::Batch;
use crate::{
    estate::{Failure, RowRef},
    uid::{AgentUid, JobUid},
    upstream::vac::backup_agent_job::BackupAgentJob,
};
use async_graphql::dataloader::Loader;
use futures_util::future::join_all;
use std::{collections::HashMap, convert::Infallible};

/// Which job of this agent is this? Asked of every v2 API: an agent's id does not tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AgentJobOf {
    /// The agent.
    pub agent: AgentUid,
    /// The job.
    pub job: JobUid,
}

impl Loader<AgentJobOf> for Batch {
    type Value = Result<Option<RowRef<BackupAgentJob>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[AgentJobOf],
    ) -> Result<HashMap<AgentJobOf, Self::Value>, Infallible> {
        let pairs: Vec<_> = keys.iter().map(|key| (key.agent, key.job)).collect();
        let reads = self
            .caller
            .agents()
            .iter()
            .map(|agents| agents.jobs_by_key(&self.caller, &pairs));
        let mut answers: HashMap<AgentJobOf, Self::Value> = HashMap::new();
        for ((agent, job), answer) in join_all(reads).await.into_iter().flatten() {
            let known = answers.entry(AgentJobOf { agent, job }).or_insert(Ok(None));
            // a job found anywhere is the answer; a failure is, only while it is found nowhere
            match (&known, &answer) {
                (Ok(Some(_)), _) | (Err(_), Ok(None)) => {}
                _ => *known = answer,
            }
        }
        Ok(answers)
    }
}
