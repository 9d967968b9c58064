//! Enterprise Managers, the places of organizations, and the agents of backup servers.

use super::{Console, Failure, Rows, many, one};
use crate::{
    estate::{Caller, RowRef, View, joins::session_matching::host_key, snapshot::Snapshot},
    uid::{CompanyUid, EnterpriseManagerUid, LocationUid, ManagementAgentUid, ServerUid},
    upstream::vspc::{
        agent_job_object::AgentJobObject, backup_agent::BackupAgent, backup_server::BackupServer,
        enterprise_manager::EnterpriseManager, location::Location,
        management_agent::ManagementAgent,
    },
};
use std::{collections::BTreeSet, sync::Arc};

impl Console {
    /// Every Enterprise Manager.
    pub async fn enterprise_managers(
        &self,
        caller: &Caller,
    ) -> Result<View<EnterpriseManager>, Failure> {
        self.view(caller, self.lists.managers.all().await?).await
    }

    /// One Enterprise Manager.
    pub async fn enterprise_manager(
        &self,
        caller: &Caller,
        manager: EnterpriseManagerUid,
    ) -> Result<Option<RowRef<EnterpriseManager>>, Failure> {
        let view = self.enterprise_managers(caller).await?;
        one(&view, view.index().uid.of(&manager))
    }

    /// The Enterprise Managers that list a server.
    pub async fn managers_of_server(
        &self,
        caller: &Caller,
        server: ServerUid,
    ) -> Result<Rows<EnterpriseManager>, Failure> {
        let view = self.enterprise_managers(caller).await?;
        Ok(many(&view, view.index().server.of(&server)))
    }

    /// The servers that an Enterprise Manager lists, as far as the console lists them too.
    pub async fn servers_of_manager(
        &self,
        caller: &Caller,
        manager: &RowRef<EnterpriseManager>,
    ) -> Result<Rows<BackupServer>, Failure> {
        let (managers, view) = tokio::join!(self.lists.managers.all(), self.servers(caller));
        let (managers, view) = (managers?, view?);
        let uids: BTreeSet<ServerUid> = manager
            .servers
            .iter()
            .flatten()
            .filter_map(|server| server.named())
            .collect();
        let rows = uids
            .iter()
            .flat_map(|uid| many(&view, view.index().uid.of(uid)).rows)
            .collect();
        // a list of servers that could not be read is a problem of all the managers' together
        Ok(Rows {
            rows,
            problem: view.problem().or(managers.problem()).cloned(),
        })
    }

    /// Every location.
    pub async fn locations(&self, caller: &Caller) -> Result<View<Location>, Failure> {
        self.view(caller, self.lists.locations.all().await?).await
    }

    /// One location.
    pub async fn location(
        &self,
        caller: &Caller,
        location: LocationUid,
    ) -> Result<Option<RowRef<Location>>, Failure> {
        let view = self.locations(caller).await?;
        one(&view, view.index().uid.of(&location))
    }

    /// The locations of one organization.
    pub async fn locations_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<Location>, Failure> {
        let view = self.locations(caller).await?;
        Ok(many(&view, view.index().company.of(&company)))
    }

    /// The servers in one location.
    pub async fn servers_of_location(
        &self,
        caller: &Caller,
        location: LocationUid,
    ) -> Result<Rows<BackupServer>, Failure> {
        let view = self.servers(caller).await?;
        Ok(many(&view, view.index().location.of(&location)))
    }

    /// Every management agent.
    pub async fn management_agents(
        &self,
        caller: &Caller,
    ) -> Result<View<ManagementAgent>, Failure> {
        self.view(caller, self.lists.management_agents.all().await?)
            .await
    }

    /// One management agent; an error where several machines share its id.
    pub async fn management_agent(
        &self,
        caller: &Caller,
        agent: ManagementAgentUid,
    ) -> Result<Option<RowRef<ManagementAgent>>, Failure> {
        let view = self.management_agents(caller).await?;
        one(&view, view.index().uid.of(&agent))
    }

    /// The management agents of one organization.
    pub async fn management_agents_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<ManagementAgent>, Failure> {
        let view = self.management_agents(caller).await?;
        Ok(many(&view, view.index().company.of(&company)))
    }

    /// The backup servers that say that this management agent is on them.
    pub async fn servers_of_management_agent(
        &self,
        caller: &Caller,
        agent: ManagementAgentUid,
    ) -> Result<Rows<BackupServer>, Failure> {
        let view = self.servers(caller).await?;
        Ok(many(&view, view.index().management_agent.of(&agent)))
    }

    /// Every agent that a backup server manages.
    pub async fn backup_agents(&self, caller: &Caller) -> Result<View<BackupAgent>, Failure> {
        self.view(caller, self.lists.agents.all().await?).await
    }

    /// The agents that one server manages.
    pub async fn agents_of_server(
        &self,
        caller: &Caller,
        server: ServerUid,
    ) -> Result<Rows<BackupAgent>, Failure> {
        let view = self.backup_agents(caller).await?;
        Ok(many(&view, view.index().server.of(&server)))
    }

    /// The machines in agent jobs that one agent protects. Its id may be another agent's on another
    /// server; on its own the name then tells whose a machine is.
    pub async fn machines_of_agent(
        &self,
        caller: &Caller,
        agent: &RowRef<BackupAgent>,
    ) -> Result<Rows<AgentJobObject>, Failure> {
        let Some(uid) = agent.instance_uid else {
            return Ok(Rows::default());
        };
        let view = self.objects(caller).await?;
        let mut machines = many(&view, view.index().agent.of(&uid));
        let server = agent.backup_server_uid;
        machines.rows.retain(|machine| {
            machine.backup_server_uid.is_none() || machine.backup_server_uid == server
        });
        let agents = self.lists.agents.all().await?;
        if agents.index().key.of(&(server, uid)).len() > 1 {
            let names = [Some(agent.name.as_str()), agent.machine_name.as_deref()]
                .map(|name| name.map(host_key));
            let is_its = |machine: &RowRef<AgentJobObject>| {
                names.contains(&machine.computer.as_deref().map(host_key))
            };
            machines.rows.retain(is_its);
        }
        machines.problem = machines.problem.or(agents.problem().cloned());
        Ok(machines)
    }

    pub(in crate::estate) async fn manager_snapshot(
        &self,
    ) -> Result<Arc<Snapshot<EnterpriseManager>>, Failure> {
        self.lists.managers.all().await
    }
}
