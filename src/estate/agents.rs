//! One v2 API: the jobs of standalone agents.

use super::{
    Caller, Failure, RowRef, Status, UpstreamConfig, UpstreamId, View,
    background_refresh::Lists,
    console::{Answers, Rows, many, one},
    credential_pool::Keeps,
    store::{Freshness, PerKey, Spec},
};
use crate::{
    time::Clock,
    uid::{AgentUid, JobUid},
    upstream::{
        Error,
        pager::Listing,
        vac::{Vac, backup_agent_job::BackupAgentJob},
    },
};
use futures_util::{FutureExt, future::join_all};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Rows kept, over all agents.
const MAX_ROWS: u64 = 200_000;

/// What is read in one call: all jobs of an agent, or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    All(AgentUid),
    One(AgentUid, JobUid),
}

/// One v2 API.
pub struct Agents {
    vac: Arc<Vac>,
    status: Arc<Status>,
    /// Whether callers bring the credentials.
    is_of_callers: bool,
    jobs: PerKey<Scope, BackupAgentJob>,
}

impl Agents {
    pub(super) fn open(
        opening: &UpstreamConfig,
        status: Arc<Status>,
        clock: Clock,
    ) -> Result<Self, String> {
        let ages = opening.lifetimes;
        let freshness = Freshness {
            lifetime: ages.agent_jobs_v2,
            max_stale: ages.max_stale,
            failure: ages.failure,
        };
        let vac = Arc::new(Vac::new(&opening.settings)?);
        let of_jobs = vac.clone();
        let spec = Spec::new("BackupAgentJobs", &status, clock, freshness);
        let jobs = PerKey::new(spec, MAX_ROWS, move |scope| {
            read(of_jobs.clone(), *scope).boxed()
        });
        Ok(Self {
            vac,
            is_of_callers: opening.is_of_callers(),
            status,
            jobs,
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.status.name
    }

    /// Its place in the configuration.
    pub fn id(&self) -> UpstreamId {
        self.status.id
    }

    pub(super) async fn probe(&self) {
        let answer = if self.is_of_callers {
            self.vac.reach().await
        } else {
            self.vac.probe().await
        };
        self.status.probed(answer.map(|()| None));
    }

    /// Every job of one agent; empty for an agent that is not there.
    pub async fn jobs_of_agent(
        &self,
        caller: &Caller,
        agent: AgentUid,
    ) -> Result<Rows<BackupAgentJob>, Failure> {
        if !self.is_all_seen(caller) {
            return Ok(Rows::default());
        }
        let view = View::whole(self.jobs.get(&Scope::All(agent)).await?);
        Ok(many(&view, view.index().agent.of(&agent)))
    }

    /// The jobs with these ids: one call for one job of an agent, one for all of its jobs where
    /// several are asked for.
    pub async fn jobs_by_key(
        &self,
        caller: &Caller,
        keys: &[(AgentUid, JobUid)],
    ) -> Answers<(AgentUid, JobUid), Option<RowRef<BackupAgentJob>>> {
        if !self.is_all_seen(caller) {
            return keys.iter().map(|key| (*key, Ok(None))).collect();
        }
        let mut wanted: HashMap<AgentUid, HashSet<JobUid>> = HashMap::new();
        for (agent, job) in keys {
            wanted.entry(*agent).or_default().insert(*job);
        }
        let reads = keys.iter().map(|key| {
            let (agent, job) = *key;
            let is_only = wanted.get(&agent).is_some_and(|jobs| jobs.len() == 1);
            async move {
                let all = Scope::All(agent);
                let in_hand = self
                    .jobs
                    .last(&all)
                    .is_some_and(|snapshot| snapshot.is_fresh());
                let scope = if is_only && !in_hand {
                    Scope::One(agent, job)
                } else {
                    all
                };
                let answer = self.jobs.get(&scope).await.and_then(|snapshot| {
                    let view = View::whole(snapshot);
                    one(&view, view.index().id.of(&job))
                });
                (*key, answer)
            }
        });
        join_all(reads).await.into_iter().collect()
    }

    /// The v2 API does not say whose an agent is: its jobs are there for those who may see all of
    /// this upstream. For others nothing is read, so that neither the count of requests nor time
    /// tells which ids there are.
    fn is_all_seen(&self, caller: &Caller) -> bool {
        caller.principal.sees_all_of(self.name())
    }

    /// What can be kept fresh.
    pub(super) fn lists(&self) -> Lists<'_> {
        vec![&self.jobs]
    }
}

impl Keeps for Agents {
    fn kept_rows(&self) -> u64 {
        self.lists().iter().map(|list| list.kept_rows()).sum()
    }
}

async fn read(vac: Arc<Vac>, scope: Scope) -> Result<Listing<BackupAgentJob>, Error> {
    let rows = match scope {
        Scope::All(agent) => match vac.backup_agent_jobs(agent).await? {
            Some(listing) => return Ok(listing),
            None => Vec::new(),
        },
        Scope::One(agent, job) => vac
            .backup_agent_job(agent, job)
            .await?
            .into_iter()
            .collect(),
    };
    Ok(Listing {
        rows,
        problem: None,
        pages: 1,
    })
}
