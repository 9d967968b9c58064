//! Sessions: the runs of a job, when it last succeeded, one machine's parts of runs, the parts of a
//! run, a session by key.

use super::{Batch, job::JobRow};
use crate::{
    estate::{
        Failure, MachineKey, SessionKey,
        console::Rows,
        joins::last_success::LastSuccess,
        sessions::{MatchedSession, Sessions},
    },
    upstream::enterprise_manager::task_session::TaskSession,
};
use async_graphql::dataloader::Loader;
use futures_util::future::join_all;
use std::{collections::HashMap, convert::Infallible};

/// Which runs of this job are known?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunsOf(pub JobRow);

/// When did this job last succeed?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SuccessOf(pub JobRow);

/// Which sessions of this machine are known?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionsOf(pub MachineKey);

/// Which parts has this run?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartsOf(pub SessionKey);

/// What did this session do to each machine?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TasksOf(pub SessionKey);

impl Loader<TasksOf> for Batch {
    type Value = Result<Rows<TaskSession>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[TasksOf]) -> Result<HashMap<TasksOf, Self::Value>, Infallible> {
        let keys: Vec<_> = keys.iter().map(|key| key.0).collect();
        let read = self.caller.tasks_of_sessions(&keys).await;
        Ok(read
            .into_iter()
            .map(|(session, answer)| (TasksOf(session), answer))
            .collect())
    }
}

/// Which session is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionOf(pub SessionKey);

impl Loader<RunsOf> for Batch {
    type Value = Result<Sessions, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[RunsOf]) -> Result<HashMap<RunsOf, Self::Value>, Infallible> {
        let jobs: Vec<_> = keys.iter().map(|key| key.0.0.clone()).collect();
        let mut read = self.caller.runs_of_jobs(&jobs).await;
        Ok(keys
            .iter()
            .filter_map(|key| Some((key.clone(), read.remove(&key.0.key())?)))
            .collect())
    }
}

impl Loader<SuccessOf> for Batch {
    type Value = Result<LastSuccess, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[SuccessOf],
    ) -> Result<HashMap<SuccessOf, Self::Value>, Infallible> {
        let jobs: Vec<_> = keys.iter().map(|key| key.0.0.clone()).collect();
        let mut read = self.caller.last_successes(&jobs).await;
        Ok(keys
            .iter()
            .filter_map(|key| Some((key.clone(), read.remove(&key.0.key())?)))
            .collect())
    }
}

impl Loader<SessionsOf> for Batch {
    type Value = Result<Sessions, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[SessionsOf],
    ) -> Result<HashMap<SessionsOf, Self::Value>, Infallible> {
        let machines: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let read = self.caller.sessions_of_machines(&machines).await;
        Ok(read
            .into_iter()
            .map(|(machine, answer)| (SessionsOf(machine), answer))
            .collect())
    }
}

impl Loader<PartsOf> for Batch {
    type Value = Result<Sessions, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[PartsOf]) -> Result<HashMap<PartsOf, Self::Value>, Infallible> {
        let reads = keys
            .iter()
            .map(|key| async { (*key, self.caller.parts_of_run(key.0).await) });
        Ok(join_all(reads).await.into_iter().collect())
    }
}

impl Loader<SessionOf> for Batch {
    type Value = Result<Option<MatchedSession>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[SessionOf],
    ) -> Result<HashMap<SessionOf, Self::Value>, Infallible> {
        let reads = keys.iter().map(|key| async {
            let read = self
                .caller
                .session(key.0.session, Some(key.0.upstream))
                .await;
            (*key, read)
        });
        Ok(join_all(reads).await.into_iter().collect())
    }
}
