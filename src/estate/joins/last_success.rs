//! When a job last succeeded: from its last session where that tells, else from what Enterprise
//! Manager remembers.
//!
//! Service Provider Console knows the last session only. Once that failed, when the job was last
//! well is known to Enterprise Manager alone, for as long as it remembers, and for jobs that it
//! knows of (not tape jobs).

use crate::estate::{Caller, Failure, JobKey, RowRef};
use crate::upstream::vspc::job::Job;
use futures_util::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use std::collections::HashMap;

/// When a job last succeeded, as far as anybody remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastSuccess {
    /// When that run ended; none where no run that is remembered succeeded.
    pub at: Option<Timestamp>,
    /// Whether that can be told: if not, `at` being none says nothing.
    pub is_known: bool,
}

fn is(word: Option<&str>, wanted: &str) -> bool {
    word.is_some_and(|word| word.trim().eq_ignore_ascii_case(wanted))
}

/// What a job's own row tells: its last session succeeded, or it never ran.
fn from_row(job: &Job) -> Option<LastSuccess> {
    let word = job.status.as_deref();
    // that a job waits for its next trigger (`Idle`) does not say how its last run went
    let at = job
        .last_end_time
        .or(job.last_run)
        .filter(|_| is(word, "Success"));
    let never_ran = job.last_run.is_none()
        && (word.is_none_or(|word| word.trim().is_empty()) || is(word, "None"));
    (at.is_some() || never_ran).then_some(LastSuccess { at, is_known: true })
}

impl Caller {
    /// When each of these jobs last succeeded. Only jobs whose own rows do not tell cost a question
    /// to Enterprise Manager.
    pub fn last_successes<'a>(
        &'a self,
        jobs: &'a [RowRef<Job>],
    ) -> BoxFuture<'a, HashMap<JobKey, Result<LastSuccess, Failure>>> {
        async move {
            let key = |job: &RowRef<Job>| JobKey {
                upstream: job.upstream(),
                server: job.backup_server_uid,
                job: job.instance_uid,
            };
            let (mut answers, mut in_doubt) = (HashMap::with_capacity(jobs.len()), Vec::new());
            for job in jobs {
                match from_row(job) {
                    Some(told) => drop(answers.insert(key(job), Ok(told))),
                    None => in_doubt.push(job.clone()),
                }
            }
            if in_doubt.is_empty() {
                return answers;
            }
            for (job, runs) in self.runs_of_jobs(&in_doubt).await {
                let answer = runs.and_then(|runs| match runs.problem {
                    // what its workers did is not known, whatever its own session says
                    _ if runs.are_of_workers => Ok(LastSuccess::default()),
                    // the newest of half a history need not be the newest
                    Some(problem) => Err(problem),
                    None => {
                        let succeeded = runs
                            .rows
                            .iter()
                            .find(|run| is(run.row.result.as_deref(), "Success"));
                        let at = succeeded.and_then(|run| run.row.ended.or(run.row.created));
                        Ok(LastSuccess {
                            at,
                            is_known: !runs.rows.is_empty(),
                        })
                    }
                });
                answers.insert(job, answer);
            }
            answers
        }
        .boxed()
    }
}
