//! A console's lists as wholes: every row that a caller may see, and what is kept fresh.

use super::Console;
use crate::{
    estate::{
        Caller, Failure, View,
        links::LinkLists,
        snapshot::Snapshot,
        upkeep::{KeptFresh, Lists},
    },
    upstream::vspc::{
        agent_job_object::AgentJobObject, backup_server::BackupServer, job::Job, license_usage::LicenseUsage, organization::Organization,
        repository::Repository,
    },
};
use std::sync::Arc;

impl Console {
    /// What can be kept fresh.
    pub(in crate::estate) fn lists(&self) -> Lists<'_> {
        let mut lists: Lists<'_> = vec![
            &self.servers,
            &self.jobs,
            &self.agent_jobs,
            &self.objects,
            &self.copy_jobs,
            &self.tape_repositories,
            &self.computer_backups,
            &self.agents,
            &self.repositories,
            &self.organizations,
            &self.managers,
            &self.locations,
            &self.console_agents,
            &self.console_agent_jobs,
            &self.alarms,
            &self.licenses,
        ];
        lists.extend(self.links.iter().map(LinkLists::lists));
        lists.extend(self.job_details.iter().map(|list| -> &dyn KeptFresh { list }));
        lists.extend(self.job_objects.iter().map(|list| -> &dyn KeptFresh { list }));
        lists.extend(self.workloads.iter().map(|list| -> &dyn KeptFresh { list }));
        lists
    }

    /// Every backup server.
    pub async fn servers(&self, caller: &Caller) -> Result<View<BackupServer>, Failure> {
        self.view(caller, self.servers.all().await?).await
    }

    /// Every job.
    pub async fn jobs(&self, caller: &Caller) -> Result<View<Job>, Failure> {
        self.view(caller, self.jobs.all().await?).await
    }

    /// Every machine in agent jobs.
    pub async fn objects(&self, caller: &Caller) -> Result<View<AgentJobObject>, Failure> {
        self.view(caller, self.objects.all().await?).await
    }

    /// Every organization.
    pub async fn organizations(&self, caller: &Caller) -> Result<View<Organization>, Failure> {
        self.view(caller, self.organizations.all().await?).await
    }

    /// Every repository.
    pub async fn repositories(&self, caller: &Caller) -> Result<View<Repository>, Failure> {
        self.view(caller, self.repositories.all().await?).await
    }

    /// The licence usage of every organization.
    pub async fn licenses(&self, caller: &Caller) -> Result<View<LicenseUsage>, Failure> {
        self.view(caller, self.licenses.all().await?).await
    }

    pub(in crate::estate) async fn server_snapshot(&self) -> Result<Arc<Snapshot<BackupServer>>, Failure> {
        self.servers.all().await
    }

    pub(in crate::estate) async fn job_snapshot(&self) -> Result<Arc<Snapshot<Job>>, Failure> {
        self.jobs.all().await
    }

    pub(in crate::estate) async fn organization_snapshot(&self) -> Result<Arc<Snapshot<Organization>>, Failure> {
        self.organizations.all().await
    }
}
