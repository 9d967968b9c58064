//! `ManagementAgent`: how Service Provider Console reaches a machine.

use super::{
    backup_server::{BackupServerConnection, BackupServerFilter, server_page},
    company::Company,
    location::Location,
    origin::Origin,
};
use crate::{
    estate::{CompanyKey, Estate, Failure, ManagementAgentKey, RowRef},
    graph::{
        all_consoles::{contains, is_from, may_name_upstreams},
        filters::{
            boolean_filter::{BooleanFilter, Prepared, boolean_filter},
            conditions::{Names, Part, Words},
            references::{Named, must_be_there},
        },
        loaders, nullable,
        paging::{
            connection::connection,
            page::{self, ListMark, PageArgs, SortValue},
        },
        rows_of_console,
        schema::{
            hidden_fields,
            id::Key,
            scalars::{DateTime, UUID, text},
        },
        writer::linked::Linked,
    },
    loaders::company::CompanyOf,
    upstream::vspc::management_agent,
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the list of management agents.
pub type Row = RowRef<management_agent::ManagementAgent>;

/// Filters management agents. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct ManagementAgentFilter {
    /// Agents from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Agents on hosts whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Agents of this company.
    company_uid: Option<UUID>,
    /// Agents in one of these states, as the upstream reports it, ignoring case: `Healthy`,
    /// `Inaccessible`.
    status: Option<Words>,
    /// Agents with one of these connection states, as the upstream reports it, ignoring case:
    /// `Online`, `Inaccessible`, `Rejected`.
    connection_status: Option<Words>,
    /// Matches if all of these filters match.
    and: Option<Vec<ManagementAgentFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<ManagementAgentFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<ManagementAgentFilter>>,
}

boolean_filter!(ManagementAgentFilter);

impl ManagementAgentFilter {
    fn holds(&self, estate: &Estate, row: &Row) -> bool {
        let is_one_of = |words: &Option<Words>, word: &str| {
            words.as_ref().is_none_or(|words| words.contains(word))
        };
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(&row.host_name, self.name_contains.as_ref())
            && self.company_uid.is_none_or(|wanted| {
                row.organization_uid
                    .is_some_and(|company| company.0 == wanted.0)
            })
            && is_one_of(&self.status, row.status.as_deref().unwrap_or_default())
            && is_one_of(
                &self.connection_status,
                row.connection_status.as_deref().unwrap_or_default(),
            )
    }
}

/// The agent by which Service Provider Console reaches a machine: a backup server, an Enterprise
/// Manager or a computer. It tells a server that can't be reached from a job that did not run.
/// Source: `GET /infrastructure/managementAgents`.
#[derive(Description)]
pub struct ManagementAgent(Row);

connection! {
    /// A page of a list of management agents.
    ManagementAgentConnection, ManagementAgentEdge, ManagementAgent
}

/// Filters and cuts management agents. They go by host name.
pub async fn management_agent_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    filter: Option<ManagementAgentFilter>,
    args: &PageArgs,
) -> Result<ManagementAgentConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &ManagementAgentFilter| Named {
        company: filter.company_uid,
        ..Named::default()
    };
    let problems = must_be_there(
        ctx,
        &filter,
        named,
        &rows,
        |row| (row.organization_uid, None),
        problems.to_vec(),
    )
    .await?;
    hidden_fields::may_ask_for_host_names(
        ctx,
        filter.asks(|filter| filter.name_contains.is_some()),
    )?;
    let names_are_hidden = hidden_fields::hidden(ctx).host_names;
    let mark = || ListMark::of(&["managementAgents", parent, &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(estate, row))
        .await?;
    // a cursor contains what it sorts by, so a hidden name must not be part of it
    let values = |row: &Row| {
        vec![SortValue::name(if names_are_hidden {
            ""
        } else {
            &row.host_name
        })]
    };
    let page = page::cut(ctx, rows, args, mark, &[false], values, |row| {
        format!(
            "{}:{}:{:?}",
            row.upstream().0,
            row.instance_uid,
            row.organization_uid
        )
    })
    .await?;
    Ok(ManagementAgentConnection::new(
        ctx,
        page,
        &problems,
        ManagementAgent,
    ))
}

impl From<Row> for ManagementAgent {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl ManagementAgent {
    fn key(&self) -> ManagementAgentKey {
        ManagementAgentKey {
            upstream: self.0.upstream(),
            agent: self.0.instance_uid,
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl ManagementAgent {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::ManagementAgent(self.key()).encode(loaders(ctx).estate())
    }

    /// The agent's id in Service Provider Console (`instanceUid`).
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The name of the host that the agent runs on.
    async fn host_name(&self, ctx: &Context<'_>) -> &str {
        if hidden_fields::hidden(ctx).host_names {
            hidden_fields::HIDDEN_NAME
        } else {
            &self.0.host_name
        }
    }

    /// The name that somebody gave the agent; null if there is none, and for callers who may not
    /// read host names.
    async fn friendly_name(&self, ctx: &Context<'_>) -> Option<&str> {
        if hidden_fields::hidden(ctx).host_names {
            return None;
        }
        text(&self.0.friendly_name)
    }

    /// Free text that somebody attached to the agent; null if there is none, and for callers who
    /// may not read host names.
    async fn tag(&self, ctx: &Context<'_>) -> Option<&str> {
        if hidden_fields::hidden(ctx).host_names {
            return None;
        }
        text(&self.0.tag)
    }

    /// The agent's state, as the upstream reports it: `Healthy`, `Warning`, `Inaccessible`,
    /// `Updating`, `Error` …; null if unknown.
    async fn status(&self) -> Option<&str> {
        text(&self.0.status)
    }

    /// The agent's connection to the console, as the upstream reports it: `Online`, `Inaccessible`,
    /// `Rejected`; null if unknown.
    async fn connection_status(&self) -> Option<&str> {
        text(&self.0.connection_status)
    }

    /// The agent's version; null if unknown.
    async fn version(&self) -> Option<&str> {
        text(&self.0.version)
    }

    /// Whether that version is current, as the upstream reports it: `UpToDate`, `OutOfDate`,
    /// `PatchAvailable`; null if unknown.
    async fn version_status(&self) -> Option<&str> {
        text(&self.0.version_status)
    }

    /// What the agent is installed for, as the upstream reports it: `CloudConnect`, `Client`,
    /// `Hosted`; null if unknown.
    async fn r#type(&self) -> Option<&str> {
        text(&self.0.r#type)
    }

    /// The agent's role among those of its company, as the upstream reports it: `Master`, `Client`;
    /// null if unknown.
    async fn role(&self) -> Option<&str> {
        text(&self.0.role)
    }

    /// When the console last heard from the agent; null when it never did.
    async fn last_heartbeat(&self) -> Option<DateTime> {
        self.0.last_heartbeat_time.map(DateTime)
    }

    /// When the console discovered the machine; null if unknown.
    async fn discovered_at(&self) -> Option<DateTime> {
        self.0.discovery_time.map(DateTime)
    }

    /// Whether the machine must be restarted; null if unknown.
    async fn is_reboot_required(&self) -> Option<bool> {
        self.0.is_reboot_required
    }

    /// The company that the agent belongs to; null when it belongs to none.
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

    /// The agent's location; null if the console does not list it.
    async fn location(&self, ctx: &Context<'_>) -> Option<Result<Location>> {
        let loaders = loaders(ctx);
        let console = loaders.caller().console(self.0.upstream())?;
        nullable(
            console
                .location(loaders.caller(), self.0.location_uid?)
                .await
                .map(|row| row.map(Location::from)),
        )
    }

    /// The backup servers that the agent runs on, by name: one, or none where it runs on another
    /// machine.
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
            console.servers_of_management_agent(caller, self.0.instance_uid)
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
