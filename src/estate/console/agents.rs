//! Backup agents that no backup server manages, and their jobs.
//!
//! The console's list of agents also has those that backup servers manage. These are the servers'
//! own (`BackupAgent`), and so are their jobs: here they are left out, so that nothing is there, or
//! counted, twice.

use super::{Console, Failure, Rows, the_only};
use crate::{
    estate::{Caller, RowRef, View, snapshot::Snapshot},
    uid::{AgentUid, CompanyUid, ConsoleJobUid},
    upstream::vspc::{console_agent::ConsoleAgent, console_agent_job::ConsoleAgentJob},
};

impl Console {
    /// Every agent that no backup server manages.
    pub async fn console_agents(&self, caller: &Caller) -> Result<Rows<ConsoleAgent>, Failure> {
        let view = self.every_console_agent(caller).await?;
        Ok(Rows {
            rows: view.rows().filter(|agent| !agent.is_of_server()).collect(),
            problem: view.problem().cloned(),
        })
    }

    /// One of these agents.
    pub async fn console_agent(
        &self,
        caller: &Caller,
        agent: AgentUid,
    ) -> Result<Option<RowRef<ConsoleAgent>>, Failure> {
        self.console_agent_of(caller, agent, None).await
    }

    /// One of these agents: of several with one id (that of their hardware) the one of the company
    /// of which a row is.
    pub async fn console_agent_of(
        &self,
        caller: &Caller,
        agent: AgentUid,
        company: Option<CompanyUid>,
    ) -> Result<Option<RowRef<ConsoleAgent>>, Failure> {
        let view = self.every_console_agent(caller).await?;
        // in part of a list an id that is there once may be there again
        let is_shared = view.index().uid.only(&agent).is_none() || view.problem().is_some();
        let is_it = |row: &RowRef<ConsoleAgent>| {
            company.is_none() || !is_shared || row.organization_uid == company
        };
        let found = the_only(
            view.pick(view.index().uid.of(&agent)).filter(is_it),
            view.problem(),
        )?;
        Ok(found.filter(|agent| !agent.is_of_server()))
    }

    /// The agents of one company.
    pub async fn console_agents_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<ConsoleAgent>, Failure> {
        let view = self.every_console_agent(caller).await?;
        let rows = view
            .pick(view.index().company.of(&company))
            .filter(|agent| !agent.is_of_server())
            .collect();
        Ok(Rows {
            rows,
            problem: view.problem().cloned(),
        })
    }

    /// Every job of these agents.
    pub async fn console_agent_jobs(
        &self,
        caller: &Caller,
    ) -> Result<Rows<ConsoleAgentJob>, Failure> {
        self.some_console_agent_jobs(caller, |view| view.rows().collect())
            .await
    }

    /// The jobs of one agent. Of agents with one id the company tells whose jobs they are; where
    /// that is one company's too, nobody can tell.
    pub async fn jobs_of_console_agent(
        &self,
        caller: &Caller,
        agent: &RowRef<ConsoleAgent>,
    ) -> Result<Rows<ConsoleAgentJob>, Failure> {
        let (uid, company) = (agent.instance_uid, agent.organization_uid);
        let agents = self.lists.console_agents.all().await?;
        let namesakes = agents.index().uid.of(&uid);
        let of_company = namesakes
            .iter()
            .filter(|place| agents.row(**place).organization_uid == company)
            .count();
        let is_only = namesakes.len() < 2 && agents.problem().is_none();
        let is_its = |job: &RowRef<ConsoleAgentJob>| is_only || job.organization_uid == company;
        let pick = |view: &View<ConsoleAgentJob>| {
            view.pick(view.index().agent.of(&uid))
                .filter(is_its)
                .collect()
        };
        let mut jobs = self.some_console_agent_jobs(caller, pick).await?;
        if of_company > 1 {
            jobs = Rows {
                rows: Vec::new(),
                problem: Some(agent.is_ambiguous()),
            };
        }
        Ok(jobs)
    }

    /// The jobs of one company's agents.
    pub async fn console_agent_jobs_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<ConsoleAgentJob>, Failure> {
        self.some_console_agent_jobs(caller, |view| {
            view.pick(view.index().company.of(&company)).collect()
        })
        .await
    }

    /// One job.
    pub async fn console_agent_job(
        &self,
        caller: &Caller,
        agent: AgentUid,
        job: ConsoleJobUid,
    ) -> Result<Option<RowRef<ConsoleAgentJob>>, Failure> {
        let pick =
            |view: &View<ConsoleAgentJob>| view.pick(view.index().agent.of(&agent)).collect();
        let Rows { rows, problem } = self.some_console_agent_jobs(caller, pick).await?;
        the_only(
            rows.into_iter().filter(|row| row.instance_uid == job),
            problem.as_ref(),
        )
    }

    async fn every_console_agent(&self, caller: &Caller) -> Result<View<ConsoleAgent>, Failure> {
        self.view(caller, self.lists.console_agents.all().await?)
            .await
    }

    /// Without the jobs of agents that a backup server manages. Whose an agent is that is not
    /// listed, its job's row tells.
    async fn some_console_agent_jobs(
        &self,
        caller: &Caller,
        pick: impl FnOnce(&View<ConsoleAgentJob>) -> Vec<RowRef<ConsoleAgentJob>>,
    ) -> Result<Rows<ConsoleAgentJob>, Failure> {
        let (jobs, agents) = tokio::join!(
            self.lists.console_agent_jobs.all(),
            self.lists.console_agents.all()
        );
        let (view, agents) = (self.view(caller, jobs?).await?, agents?);
        let mut rows = pick(&view);
        rows.retain(|job| !is_of_server(job, &agents));
        Ok(Rows {
            rows,
            problem: view.problem().or(agents.problem()).cloned(),
        })
    }
}

/// Whether a job's agent is a backup server's: of agents with one id, the ones of the job's
/// company.
fn is_of_server(job: &ConsoleAgentJob, agents: &Snapshot<ConsoleAgent>) -> bool {
    let all = || {
        agents
            .index()
            .uid
            .of(&job.backup_agent_uid)
            .iter()
            .map(|place| agents.row(*place))
    };
    let is_its = |agent: &&ConsoleAgent| agent.organization_uid == job.organization_uid;
    let mut its = all().filter(is_its).peekable();
    match its.peek() {
        Some(_) => its.all(ConsoleAgent::is_of_server),
        None => all().any(ConsoleAgent::is_of_server),
    }
}
