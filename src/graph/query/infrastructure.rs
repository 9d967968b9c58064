//! Servers, companies and what stands there, as the walks begin.

use crate::graph::{
    all_consoles::{
        all_companies, all_servers, by_uid_or_name, candidates, company_by, everywhere,
        everywhere_rows, named, server_by, the_one,
    },
    error::bad_input,
    filters::company_filter::{CompanyFilter, company_page},
    loaders,
    paging::page::PageArgs,
    schema::{hidden_fields, scalars::UUID},
    types::{
        backup_agent::{self, BackupAgentConnection, BackupAgentFilter},
        backup_server::{BackupServer, BackupServerConnection, BackupServerFilter, server_page},
        company::{Company, CompanyConnection},
        console_agent::{ConsoleAgent, ConsoleAgentConnection, ConsoleAgentFilter, agent_page},
        enterprise_manager::{EnterpriseManager, EnterpriseManagerConnection, manager_page},
        location::{Location, LocationConnection, location_page},
        management_agent::{
            ManagementAgent, ManagementAgentConnection, ManagementAgentFilter,
            management_agent_page,
        },
        repository::{
            Repository, RepositoryArgs, RepositoryConnection, RepositoryFilter, RepositoryOrder,
            repository_page,
        },
    },
};
use crate::{estate::RowRef, upstream::vspc};
use async_graphql::{Context, Object, Result};

/// Where backups are made, and for whom.
#[derive(Default)]
pub struct Infrastructure;

#[Object]
impl Infrastructure {
    /// The backup servers of every console, by name.
    async fn backup_servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the servers that match this filter.")] filter: Option<
            BackupServerFilter,
        >,
        #[graphql(desc = "How many servers to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupServerConnection> {
        let (rows, problems) = all_servers(ctx).await;
        server_page(ctx, rows, &problems, "", filter, &PageArgs { first, after }).await
    }

    /// One backup server by its id or its name; null if there is none. A name that several servers
    /// have is an error that lists them.
    async fn backup_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The server's whole name, ignoring case.")] name: Option<String>,
    ) -> Option<Result<BackupServer>> {
        server_by(ctx, uid, name).await
    }

    /// The companies of every console, by name; resellers and the provider itself are among them.
    async fn companies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the companies that match this filter.")] filter: Option<
            CompanyFilter,
        >,
        #[graphql(desc = "How many companies to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<CompanyConnection> {
        let (rows, problems) = all_companies(ctx).await;
        company_page(ctx, rows, &problems, filter, &PageArgs { first, after }).await
    }

    /// One company by its id or its name; null if there is none. A name that several have is an
    /// error that lists them.
    async fn company(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The organization's whole name, ignoring case.")] name: Option<String>,
    ) -> Option<Result<Company>> {
        company_by(ctx, uid, name).await
    }

    /// One repository by its id or its name; null if there is none. Names and ids repeat over
    /// servers (the default repository has the same on each): then the server must be given too,
    /// and leaving it out is an error that lists the servers.
    async fn repository(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The repository's id.")] uid: Option<UUID>,
        #[graphql(desc = "The repository's whole name, ignoring case.")] name: Option<String>,
        #[graphql(desc = "The id of the repository's server, where the rest is not enough.")]
        backup_server_uid: Option<UUID>,
    ) -> Option<Result<Repository>> {
        let caller = loaders(ctx).caller();
        let (mut found, problems) =
            everywhere(ctx, |console| Box::pin(console.repositories(caller))).await;
        match (uid, name) {
            (Some(uid), None) => found.retain(|row| row.instance_uid.0 == uid.0),
            (None, Some(name)) => match named(ctx, found, &name, |row| &row.name).await {
                Ok(rows) => found = rows,
                Err(error) => return Some(Err(error)),
            },
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        }
        found.retain(|row| {
            backup_server_uid.is_none_or(|server| row.backup_server_uid.0 == server.0)
        });
        let several = |rows: &[RowRef<vspc::repository::Repository>]| {
            let servers: Vec<String> = rows
                .iter()
                .map(|row| row.backup_server_uid.to_string())
                .collect();
            format!(
                "Several servers have a repository with that name or id. Give `backupServerUid`, one of: {}.",
                candidates(&servers)
            )
        };
        the_one(
            found,
            problems,
            uid.is_some() && backup_server_uid.is_some(),
            several,
        )
        .map(|row| row.map(Repository::from))
    }

    /// The repositories of every server.
    async fn repositories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the repositories that match this filter.")] filter: Option<
            RepositoryFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<RepositoryOrder>,
        >,
        #[graphql(desc = "How many repositories to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<RepositoryConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere(ctx, |console| Box::pin(console.repositories(caller))).await;
        repository_page(
            ctx,
            rows,
            problems,
            "",
            RepositoryArgs { filter, order_by },
            &PageArgs { first, after },
        )
        .await
    }

    /// The locations of every company, by name.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many locations to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LocationConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.locations(caller))).await;
        location_page(ctx, rows, &problems, "", &PageArgs { first, after }).await
    }

    /// The Enterprise Managers that report to the consoles, by name.
    async fn enterprise_managers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many Enterprise Managers to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<EnterpriseManagerConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere(ctx, |console| Box::pin(console.enterprise_managers(caller))).await;
        manager_page(ctx, rows, &problems, "", &PageArgs { first, after }).await
    }

    /// The backup agents that backup servers manage, by name.
    async fn backup_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            BackupAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<BackupAgentConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere(ctx, |console| Box::pin(console.backup_agents(caller))).await;
        backup_agent::agent_page(ctx, rows, &problems, "", filter, &PageArgs { first, after }).await
    }

    /// The backup agents that no backup server manages, by name.
    async fn console_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            ConsoleAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere_rows(ctx, |console| Box::pin(console.console_agents(caller))).await;
        agent_page(ctx, rows, &problems, "", filter, &PageArgs { first, after }).await
    }

    /// The management agents of every company, by host name.
    async fn management_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the agents that match this filter.")] filter: Option<
            ManagementAgentFilter,
        >,
        #[graphql(desc = "How many agents to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ManagementAgentConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) =
            everywhere(ctx, |console| Box::pin(console.management_agents(caller))).await;
        management_agent_page(ctx, rows, &problems, "", filter, &PageArgs { first, after }).await
    }

    /// One management agent by its id or its host's name; null if there is none. A name that
    /// several have is an error that lists them.
    async fn management_agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The whole name of the agent's host, ignoring case.")] name: Option<
            String,
        >,
    ) -> Option<Result<ManagementAgent>> {
        let caller = loaders(ctx).caller();
        if let Err(error) = hidden_fields::may_ask_for_host_names(ctx, name.is_some()) {
            return Some(Err(error));
        }
        let found = everywhere(ctx, |console| Box::pin(console.management_agents(caller))).await;
        by_uid_or_name(
            ctx,
            found,
            uid,
            name,
            |row| (row.instance_uid.0, &row.host_name),
            "management agents",
        )
        .await
        .map(|row| row.map(ManagementAgent::from))
    }

    /// One location by its id or its name; null if there is none. A name that several have is an
    /// error that lists them.
    async fn location(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The location's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The location's whole name, ignoring case.")] name: Option<String>,
    ) -> Option<Result<Location>> {
        let caller = loaders(ctx).caller();
        let found = everywhere(ctx, |console| Box::pin(console.locations(caller))).await;
        by_uid_or_name(
            ctx,
            found,
            uid,
            name,
            |row| (row.instance_uid.0, &row.name),
            "locations",
        )
        .await
        .map(|row| row.map(Location::from))
    }

    /// One Enterprise Manager by its id or its name; null if there is none. A name that several
    /// have is an error that lists them.
    async fn enterprise_manager(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The Enterprise Manager's id in Service Provider Console.")] uid: Option<
            UUID,
        >,
        #[graphql(desc = "Its whole host name, ignoring case.")] name: Option<String>,
    ) -> Option<Result<EnterpriseManager>> {
        let caller = loaders(ctx).caller();
        let found = everywhere(ctx, |console| Box::pin(console.enterprise_managers(caller))).await;
        by_uid_or_name(
            ctx,
            found,
            uid,
            name,
            |row| (row.instance_uid.0, &row.name),
            "Enterprise Managers",
        )
        .await
        .map(|row| row.map(EnterpriseManager::from))
    }

    /// One agent by its id or its name; null if there is none. A name that several have is an error
    /// that lists them.
    async fn console_agent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The agent's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The whole name of its machine, ignoring case.")] name: Option<String>,
    ) -> Option<Result<ConsoleAgent>> {
        let caller = loaders(ctx).caller();
        if let Err(error) = hidden_fields::may_ask_for_host_names(ctx, name.is_some()) {
            return Some(Err(error));
        }
        let found = everywhere_rows(ctx, |console| Box::pin(console.console_agents(caller))).await;
        by_uid_or_name(
            ctx,
            found,
            uid,
            name,
            |row| (row.instance_uid.0, &row.name),
            "agents",
        )
        .await
        .map(|row| row.map(ConsoleAgent::from))
    }
}
