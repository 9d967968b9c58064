//! The machines in an agent job, and one of them by key.

use super::{Batch, job::JobRow};
use crate::{
    estate::{Failure, console::Rows},
    upstream::vspc::agent_job_object::AgentJobObject,
};
use async_graphql::dataloader::Loader;
use futures_util::FutureExt;
use std::{collections::HashMap, convert::Infallible};

/// Which machines are in this agent job?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectsOf(pub JobRow);

impl Loader<ObjectsOf> for Batch {
    type Value = Result<Rows<AgentJobObject>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[ObjectsOf],
    ) -> Result<HashMap<ObjectsOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.objects_of_jobs(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| (ObjectsOf(job), answer))
            .collect())
    }
}
