//! `Location`: a place of an organization.

use super::{
    backup_server::{BackupServerConnection, BackupServerFilter, server_page},
    company::Company,
    origin::Origin,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    rows_of_console,
    schema::{
        id::Key,
        scalars::{Long, UUID, long, text},
    },
};
use crate::{
    estate::{CompanyKey, Failure, LocationKey, RowRef},
    loaders::company::CompanyOf,
    upstream::vspc::location,
};
use async_graphql::{Context, Description, ID, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the locations' list.
pub type Row = RowRef<location::Location>;

/// A place of an organization, to which its servers and agents belong. Source:
/// `GET /organizations/locations`.
#[derive(Description)]
pub struct Location(Row);

connection! {
    /// A page of a list of locations.
    LocationConnection, LocationEdge, Location
}

/// Cuts locations. They go by name.
pub async fn location_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    args: &PageArgs,
) -> Result<LocationConnection> {
    let mark = || ListMark::of(&["locations", parent]);
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
    Ok(LocationConnection::new(ctx, page, problems, Location))
}

impl From<Row> for Location {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl Location {
    fn key(&self) -> LocationKey {
        LocationKey {
            upstream: self.0.upstream(),
            location: self.0.instance_uid,
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Location {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Location(self.key()).encode(loaders(ctx).estate())
    }

    /// The location's id in Service Provider Console.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The location's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is, as the upstream reports it: `Default`, `Hosted`, `Custom`; null if unknown.
    async fn r#type(&self) -> Option<&str> {
        text(&self.0.r#type)
    }

    /// How much storage it may use, in bytes (a GB of the upstream's as 2^30); null if unknown.
    async fn quota_bytes(&self) -> Option<Long> {
        long(self.0.quota_gb.and_then(|quota| quota.checked_mul(1 << 30)))
    }

    /// The organization whose place it is; null if the console does not list it.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let key = CompanyKey {
            upstream: self.0.upstream(),
            company: self.0.organization_uid?,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The backup servers in it, by name.
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
            console.servers_of_location(caller, self.0.instance_uid)
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
