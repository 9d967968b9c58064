//! `Job` by key, and what some kinds of jobs have beside what all have.

use super::{Batch, by_upstream};
use crate::{
    estate::{
        Caller, Failure, JobKey, RowRef,
        console::{Answers, Console, Rows},
    },
    uid::{JobUid, ServerUid},
    upstream::vspc::{
        agent_job::AgentJob, backup_copy_job::BackupCopyJob, job::Job, job_detail::JobDetail,
        job_object::JobObject,
    },
};
use async_graphql::dataloader::Loader;
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{Hash, Hasher},
};

/// Which job is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobOf(pub JobKey);

/// A job in hand, as the key of questions about it: two are equal when they are the same job.
#[derive(Clone, Debug)]
pub struct JobRow(pub RowRef<Job>);

impl JobRow {
    /// The job's key.
    pub fn key(&self) -> JobKey {
        JobKey {
            upstream: self.0.upstream(),
            server: self.0.backup_server_uid,
            job: self.0.instance_uid,
        }
    }
}

impl PartialEq for JobRow {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for JobRow {}

impl Hash for JobRow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// What has this agent job beside what every job has?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AgentDetailOf(pub JobRow);

/// What has this backup copy job beside what every job has?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CopyDetailOf(pub JobRow);

/// What has this job beside what every job has, as one of its kind?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KindDetailOf(pub JobRow);

/// What does this job protect, if it is no agent job?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobObjectsOf(pub JobRow);

impl Loader<JobObjectsOf> for Batch {
    type Value = Result<Rows<JobObject>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[JobObjectsOf],
    ) -> Result<HashMap<JobObjectsOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.job_objects(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| (JobObjectsOf(job), answer))
            .collect())
    }
}

impl Loader<KindDetailOf> for Batch {
    type Value = Result<Option<RowRef<JobDetail>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[KindDetailOf],
    ) -> Result<HashMap<KindDetailOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.kind_details(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| (KindDetailOf(job), answer))
            .collect())
    }
}

impl Loader<JobOf> for Batch {
    type Value = Result<Option<RowRef<Job>>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[JobOf]) -> Result<HashMap<JobOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, keys) in by_upstream(keys, |key| (key.0.upstream, (key.0.server, key.0.job)))
        {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.jobs_by_key(&self.caller, &keys).await;
            answers.extend(read.into_iter().map(|((server, job), answer)| {
                (
                    JobOf(JobKey {
                        upstream,
                        server,
                        job,
                    }),
                    answer,
                )
            }));
        }
        Ok(answers)
    }
}

impl Loader<AgentDetailOf> for Batch {
    type Value = Result<Option<RowRef<AgentJob>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[AgentDetailOf],
    ) -> Result<HashMap<AgentDetailOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.agent_details(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| (AgentDetailOf(job), answer))
            .collect())
    }
}

impl Loader<CopyDetailOf> for Batch {
    type Value = Result<Option<RowRef<BackupCopyJob>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[CopyDetailOf],
    ) -> Result<HashMap<CopyDetailOf, Self::Value>, Infallible> {
        let jobs = keys.iter().map(|key| &key.0);
        let answers = self
            .about_jobs(jobs, |console, caller, jobs| {
                console.copy_details(caller, jobs).boxed()
            })
            .await;
        Ok(answers
            .into_iter()
            .map(|(job, answer)| (CopyDetailOf(job), answer))
            .collect())
    }
}

impl Batch {
    /// Asks each console about its jobs and files the answers under the jobs again.
    pub(super) async fn about_jobs<'a, V: Clone>(
        &self,
        keys: impl Iterator<Item = &'a JobRow> + Clone,
        ask: for<'c> fn(
            &'c Console,
            &'c Caller,
            &'c [RowRef<Job>],
        ) -> BoxFuture<'c, Answers<(ServerUid, JobUid), V>>,
    ) -> HashMap<JobRow, Result<V, Failure>> {
        let mut answers = HashMap::new();
        for (upstream, rows) in by_upstream(keys, |row| (row.0.upstream(), row.clone())) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let jobs: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
            let read = ask(console, &self.caller, &jobs).await;
            for row in rows {
                if let Some(answer) = read.get(&(row.0.backup_server_uid, row.0.instance_uid)) {
                    answers.insert(row, answer.clone());
                }
            }
        }
        answers
    }
}
