//! What filters of jobs need beside the jobs' own rows: names of companies, ways to tape, last
//! successes.

use super::conditions::Whole;
use crate::graph::{all_consoles::all_companies, loaders, types::tape_coverage::TapeStatus};
use crate::{
    estate::{CompanyKey, Failure, JobKey, RowRef, UpstreamId, company_of},
    loaders::job::JobRow,
    upstream::vspc::{job::Job, organization::Organization},
};
use async_graphql::Context;
use jiff::Timestamp;
use std::collections::HashMap;

/// Which of them a filter needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Names of companies.
    pub companies: bool,
    /// Ways to tape.
    pub tape: bool,
    /// Last successes.
    pub successes: bool,
}

impl std::ops::BitOr for Needs {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self {
            companies: self.companies || other.companies,
            tape: self.tape || other.tape,
            successes: self.successes || other.successes,
        }
    }
}

/// What was found out, for some jobs.
#[derive(Default)]
pub struct Facts {
    companies: HashMap<CompanyKey, String>,
    tape: HashMap<JobKey, TapeStatus>,
    successes: HashMap<JobKey, Timestamp>,
    /// What could not be read: rows that such a filter leaves out may be missing.
    pub problems: Vec<Failure>,
}

impl Facts {
    /// Finds out what is needed of these jobs, all together.
    pub async fn of(ctx: &Context<'_>, jobs: &[RowRef<Job>], needs: Needs) -> Self {
        let mut facts = Self::default();
        if needs.companies {
            let (companies, problems) = all_companies(ctx).await;
            let named = |row: RowRef<Organization>| {
                (
                    CompanyKey {
                        upstream: row.upstream(),
                        company: row.instance_uid,
                    },
                    row.name.trim().to_lowercase(),
                )
            };
            facts.companies = companies.into_iter().map(named).collect();
            facts.problems.extend(problems);
        }
        if needs.tape {
            facts.find_tape(ctx, jobs).await;
        }
        if needs.successes {
            let mut unread = None;
            for (job, answer) in loaders(ctx).caller().last_successes(jobs).await {
                match answer {
                    Ok(success) => facts.successes.extend(success.at.map(|at| (job, at))),
                    Err(failure) => unread = Some(failure),
                }
            }
            facts.problems.extend(unread);
        }
        facts
    }

    async fn find_tape(&mut self, ctx: &Context<'_>, jobs: &[RowRef<Job>]) {
        let caller = loaders(ctx).caller();
        let mut by_console: HashMap<UpstreamId, Vec<RowRef<Job>>> = HashMap::new();
        for job in jobs {
            by_console
                .entry(job.upstream())
                .or_default()
                .push(job.clone());
        }
        for (upstream, jobs) in by_console {
            let Some(console) = caller.console(upstream) else {
                continue;
            };
            let mut unread = None;
            for ((server, job), answer) in console.coverage(caller, &jobs).await {
                match answer {
                    Ok(coverage) => {
                        unread = unread.or(coverage.unread);
                        self.tape.insert(
                            JobKey {
                                upstream,
                                server,
                                job,
                            },
                            coverage.status.into(),
                        );
                    }
                    Err(failure) => unread = Some(failure),
                }
            }
            self.problems.extend(unread);
        }
    }

    /// Whether the job is a company's of that name, ignoring case.
    pub fn is_of_company(&self, job: &RowRef<Job>, name: &Whole) -> bool {
        let key = company_of(job).map(|company| CompanyKey {
            upstream: job.upstream(),
            company,
        });
        key.and_then(|key| self.companies.get(&key))
            .is_some_and(|known| name.is(known))
    }

    /// How the job gets to tape.
    pub fn tape(&self, job: &RowRef<Job>) -> TapeStatus {
        self.tape
            .get(&JobRow(job.clone()).key())
            .copied()
            .unwrap_or(TapeStatus::Unknown)
    }

    /// When the job last succeeded; none where no run that is remembered did.
    pub fn last_success(&self, job: &RowRef<Job>) -> Option<Timestamp> {
        self.successes.get(&JobRow(job.clone()).key()).copied()
    }
}
