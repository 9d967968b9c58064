//! Backup agents that no backup server manages, and their jobs.
//!
//! The console's list of agents also has those that backup servers manage. These are the servers' own (`BackupAgent`), and so
//! are their jobs: here they are left out, so that nothing is there, or counted, twice.

use super::{Console, Failure, Rows};
use crate::{
    estate::{Caller, RowRef, View},
    uid::{AgentUid, CompanyUid, ConsoleJobUid},
    upstream::vspc::{console_agent::ConsoleAgent, console_agent_job::ConsoleAgentJob},
};

impl Console {
    /// Every agent that no backup server manages.
    pub async fn console_agents(&self, caller: &Caller) -> Result<Rows<ConsoleAgent>, Failure> {
        let view = self.every_console_agent(caller).await?;
        Ok(Rows { rows: view.rows().filter(|agent| !agent.is_of_server()).collect(), problem: view.problem().cloned() })
    }

    /// One of these agents.
    pub async fn console_agent(&self, caller: &Caller, agent: AgentUid) -> Result<Option<RowRef<ConsoleAgent>>, Failure> {
        let view = self.every_console_agent(caller).await?;
        let found = view.pick(view.index().uid.of(&agent)).next();
        match (found, view.problem()) {
            (None, Some(problem)) => Err(problem.clone()),
            (found, _) => Ok(found.filter(|agent| !agent.is_of_server())),
        }
    }

    /// The agents of one company.
    pub async fn console_agents_of_company(&self, caller: &Caller, company: CompanyUid) -> Result<Rows<ConsoleAgent>, Failure> {
        let view = self.every_console_agent(caller).await?;
        let rows = view.pick(view.index().company.of(&company)).filter(|agent| !agent.is_of_server()).collect();
        Ok(Rows { rows, problem: view.problem().cloned() })
    }

    /// Every job of these agents.
    pub async fn console_agent_jobs(&self, caller: &Caller) -> Result<Rows<ConsoleAgentJob>, Failure> {
        self.some_console_agent_jobs(caller, |view| view.rows().collect()).await
    }

    /// The jobs of one agent.
    pub async fn jobs_of_console_agent(&self, caller: &Caller, agent: AgentUid) -> Result<Rows<ConsoleAgentJob>, Failure> {
        self.some_console_agent_jobs(caller, |view| view.pick(view.index().agent.of(&agent)).collect()).await
    }

    /// The jobs of one company's agents.
    pub async fn console_agent_jobs_of_company(&self, caller: &Caller, company: CompanyUid) -> Result<Rows<ConsoleAgentJob>, Failure> {
        self.some_console_agent_jobs(caller, |view| view.pick(view.index().company.of(&company)).collect()).await
    }

    /// One job.
    pub async fn console_agent_job(
        &self,
        caller: &Caller,
        agent: AgentUid,
        job: ConsoleJobUid,
    ) -> Result<Option<RowRef<ConsoleAgentJob>>, Failure> {
        let Rows { rows, problem } = self.jobs_of_console_agent(caller, agent).await?;
        match (rows.into_iter().find(|row| row.instance_uid == job), problem) {
            (None, Some(problem)) => Err(problem),
            (found, _) => Ok(found),
        }
    }

    async fn every_console_agent(&self, caller: &Caller) -> Result<View<ConsoleAgent>, Failure> {
        self.view(caller, self.lists.console_agents.all().await?).await
    }

    /// Without the jobs of agents that a backup server manages. Whose an agent is that is not listed, its job's row tells.
    async fn some_console_agent_jobs(
        &self,
        caller: &Caller,
        pick: impl FnOnce(&View<ConsoleAgentJob>) -> Vec<RowRef<ConsoleAgentJob>>,
    ) -> Result<Rows<ConsoleAgentJob>, Failure> {
        let (jobs, agents) = tokio::join!(self.lists.console_agent_jobs.all(), self.lists.console_agents.all());
        let (view, agents) = (self.view(caller, jobs?).await?, agents?);
        let of_server = |job: &RowRef<ConsoleAgentJob>| {
            agents.index().uid.of(&job.backup_agent_uid).iter().any(|place| agents.row(*place).is_of_server())
        };
        let mut rows = pick(&view);
        rows.retain(|job| !of_server(job));
        Ok(Rows { rows, problem: view.problem().or(agents.problem()).cloned() })
    }
}
