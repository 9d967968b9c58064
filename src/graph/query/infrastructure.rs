//! Servers, companies and what stands there, as the walks begin.

use crate::graph::{
    backup_server::{BackupServer, BackupServerConnection, BackupServerFilter, server_page},
    company::{Company, CompanyConnection, CompanyFilter, company_page},
    console_agent::{ConsoleAgentConnection, ConsoleAgentFilter, agent_page},
    enterprise_manager::{EnterpriseManagerConnection, manager_page},
    error::bad_input,
    fleet::{all_companies, all_servers, everywhere, everywhere_rows, the_one},
    loaders,
    location::{LocationConnection, location_page},
    page::PageArgs,
    repository::{RepositoryArgs, RepositoryConnection, RepositoryFilter, RepositoryOrder, repository_page},
    scalars::UUID,
};
use crate::{
    estate::RowRef,
    uid::ServerUid,
    upstream::vspc::{backup_server, organization::Organization},
};
use async_graphql::{Context, Object, Result};
use futures_util::future::join_all;

/// Where backups are made, and for whom.
#[derive(Default)]
pub struct Infrastructure;

#[Object]
impl Infrastructure {
    /// The backup servers of every console, by name.
    async fn backup_servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which servers. All when left out.")] filter: Option<BackupServerFilter>,
        #[graphql(desc = "How many servers: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<BackupServerConnection> {
        let (rows, problems) = all_servers(ctx).await;
        server_page(ctx, rows, &problems, "", filter, &PageArgs { first, after })
    }

    /// One backup server by its id or its name; null when there is none. A name that several servers have is an error
    /// that lists them.
    async fn backup_server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The server's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The server's whole name, without regard to case.")] name: Option<String>,
    ) -> Option<Result<BackupServer>> {
        let loaders = loaders(ctx);
        let (found, problems) = match (uid, name) {
            (Some(uid), None) => {
                let server = ServerUid(uid.0);
                let asked = [server];
                let reads = loaders.caller().consoles().iter().map(|console| console.servers_by_uid(loaders.caller(), &asked));
                let (mut found, mut problems) = (Vec::new(), Vec::new());
                for answer in join_all(reads).await.into_iter().filter_map(|mut answers| answers.remove(&server)) {
                    match answer {
                        Ok(row) => found.extend(row),
                        Err(failure) => problems.push(failure),
                    }
                }
                (found, problems)
            }
            (None, Some(name)) => {
                let (mut rows, problems) = all_servers(ctx).await;
                rows.retain(|row| row.name.to_lowercase() == name.to_lowercase());
                (rows, problems)
            }
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        };
        let several = |rows: &[RowRef<backup_server::BackupServer>]| {
            let uids: Vec<String> = rows.iter().map(|row| row.instance_uid.to_string()).collect();
            format!("Several backup servers have that name. Ask by `uid`: {}.", uids.join(", "))
        };
        the_one(found, problems, uid.is_some(), several).map(|row| row.map(BackupServer::from))
    }

    /// The companies of every console, by name; resellers and the provider itself are among them.
    async fn companies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which companies. All when left out.")] filter: Option<CompanyFilter>,
        #[graphql(desc = "How many companies: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<CompanyConnection> {
        let (rows, problems) = all_companies(ctx).await;
        company_page(ctx, rows, &problems, filter, &PageArgs { first, after })
    }

    /// One company by its id or its name; null when there is none. A name that several have is an error that lists them.
    async fn company(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization's id in Service Provider Console.")] uid: Option<UUID>,
        #[graphql(desc = "The organization's whole name, without regard to case.")] name: Option<String>,
    ) -> Option<Result<Company>> {
        let (mut found, problems) = all_companies(ctx).await;
        match (uid, name) {
            (Some(uid), None) => found.retain(|row| row.instance_uid.0 == uid.0),
            (None, Some(name)) => found.retain(|row| row.name.to_lowercase() == name.to_lowercase()),
            _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
        }
        let several = |rows: &[RowRef<Organization>]| {
            let uids: Vec<String> = rows.iter().map(|row| row.instance_uid.to_string()).collect();
            format!("Several companies have that name. Ask by `uid`: {}.", uids.join(", "))
        };
        the_one(found, problems, uid.is_some(), several).map(|row| row.map(Company::from))
    }

    /// The repositories of every server.
    async fn repositories(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which repositories. All when left out.")] filter: Option<RepositoryFilter>,
        #[graphql(desc = "In which order. By name when left out.")] order_by: Option<Vec<RepositoryOrder>>,
        #[graphql(desc = "How many repositories: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<RepositoryConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.repositories(caller))).await;
        repository_page(ctx, rows, problems, "", RepositoryArgs { filter, order_by }, &PageArgs { first, after }).await
    }

    /// The locations of every company, by name.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many locations: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<LocationConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.locations(caller))).await;
        location_page(ctx, rows, &problems, "", &PageArgs { first, after })
    }

    /// The Enterprise Managers that report to the consoles, by name.
    async fn enterprise_managers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many Enterprise Managers: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<EnterpriseManagerConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.enterprise_managers(caller))).await;
        manager_page(ctx, rows, &problems, "", &PageArgs { first, after })
    }

    /// The backup agents that no backup server manages, by name.
    async fn console_agents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which agents. All when left out.")] filter: Option<ConsoleAgentFilter>,
        #[graphql(desc = "How many agents: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere_rows(ctx, |console| Box::pin(console.console_agents(caller))).await;
        agent_page(ctx, rows, &problems, "", filter, &PageArgs { first, after })
    }
}
