//! `EnterpriseManager`: a Backup Enterprise Manager, as Service Provider Console knows it.

use super::{
    backup_server::{BackupServerConnection, BackupServerFilter, server_page},
    origin::Origin,
};
use crate::graph::{
    loaders,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    rows_of_console,
    schema::{
        id::Key,
        scalars::{UUID, text},
    },
};
use crate::{
    estate::{EnterpriseManagerKey, Failure, RowRef},
    upstream::vspc::enterprise_manager,
};
use async_graphql::{Context, Description, ID, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the Enterprise Managers' list.
pub type Row = RowRef<enterprise_manager::EnterpriseManager>;

/// A Backup Enterprise Manager that reports to Service Provider Console. Sessions come from the one
/// that is configured as an upstream; this is how the console knows it. Source:
/// `GET /infrastructure/enterpriseManagers`.
#[derive(Description)]
pub struct EnterpriseManager(Row);

connection! {
    /// A page of a list of enterprise Managers.
    EnterpriseManagerConnection, EnterpriseManagerEdge, EnterpriseManager
}

/// Cuts Enterprise Managers. They go by name.
pub async fn manager_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    args: &PageArgs,
) -> Result<EnterpriseManagerConnection> {
    let mark = || ListMark::of(&["enterpriseManagers", parent]);
    let identity = |row: &Row| format!("{}:{}", row.upstream().0, row.instance_uid);
    let page = page::cut(
        ctx,
        rows,
        args,
        mark,
        &[false],
        |row| vec![SortValue::name(&row.name)],
        identity,
    )
    .await?;
    Ok(EnterpriseManagerConnection::new(
        ctx,
        page,
        problems,
        EnterpriseManager,
    ))
}

impl From<Row> for EnterpriseManager {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl EnterpriseManager {
    fn key(&self) -> EnterpriseManagerKey {
        EnterpriseManagerKey {
            upstream: self.0.upstream(),
            manager: self.0.instance_uid,
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl EnterpriseManager {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::EnterpriseManager(self.key()).encode(loaders(ctx).estate())
    }

    /// Its id in Service Provider Console.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// Its host name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its version; null if unknown.
    async fn version(&self) -> Option<&str> {
        text(&self.0.version)
    }

    /// How the console finds it, as the upstream reports it: `Healthy`, `Inaccessible`,
    /// `OutofDate`; null if unknown.
    async fn status(&self) -> Option<&str> {
        text(&self.0.status)
    }

    /// The id of this installation; null if unknown.
    async fn installation_uid(&self) -> Option<UUID> {
        self.0.installation_uid.map(|uid| UUID(uid.0))
    }

    /// The id of the management agent on it; null if unknown.
    async fn management_agent_uid(&self) -> Option<UUID> {
        self.0.management_agent_uid.map(|uid| UUID(uid.0))
    }

    /// The backup servers that it collects from, by name, as far as the console lists them. Source:
    /// `GET /infrastructure/enterpriseManagers/{enterpriseManagerUid}/backupServers`.
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
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.servers_of_manager(caller, &self.0)
        })
        .await;
        server_page(
            ctx,
            rows,
            &problems,
            &format!("{:?}", self.key()),
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
