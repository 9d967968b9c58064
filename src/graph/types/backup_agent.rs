//! `BackupAgent`: the agent on a machine that a backup server protects.

use super::{
    agent_job_object::AgentJobObjectConnection, backup_server::BackupServer, origin::Origin,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    filters::{
        agent_job_object_filter::{AgentJobObjectFilter, objects_with_jobs},
        boolean_filter::{BooleanFilter, Prepared, boolean_filter},
        conditions::{Names, Part},
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
        id::{Key, name_mark},
        scalars::{UUID, text},
    },
};
use crate::{
    estate::{BackupAgentKey, Estate, Failure, RowRef, ServerKey},
    loaders::server::ServerOf,
    uid::{AgentUid, ServerUid},
    upstream::vspc,
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the agents' list.
pub type Row = RowRef<vspc::backup_agent::BackupAgent>;

/// Filters agents. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct BackupAgentFilter {
    /// Agents from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Agents of this backup server.
    backup_server_uid: Option<UUID>,
    /// Agents whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Agents whose version begins with this, such as `6.3`.
    version_prefix: Option<String>,
    /// Agents that no backup server manages any more, or those that one does.
    is_unmanaged: Option<bool>,
    /// Matches if all of these filters match.
    and: Option<Vec<BackupAgentFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<BackupAgentFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<BackupAgentFilter>>,
}

boolean_filter!(BackupAgentFilter);

impl BackupAgentFilter {
    fn holds(&self, estate: &Estate, row: &Row) -> bool {
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && self.backup_server_uid.is_none_or(|wanted| {
                row.backup_server_uid
                    .is_some_and(|server| server.0 == wanted.0)
            })
            && contains(&row.name, self.name_contains.as_ref())
            && self.version_prefix.as_ref().is_none_or(|prefix| {
                row.version
                    .as_deref()
                    .is_some_and(|version| version.starts_with(prefix))
            })
            && self
                .is_unmanaged
                .is_none_or(|wanted| row.is_unmanaged == Some(wanted))
    }
}

/// The backup agent on a machine, as the backup server that manages it knows it. Source:
/// `GET /infrastructure/backupServers/agents`, or `/{backupServerUid}/agents/{agentUid}` for one.
#[derive(Description)]
pub struct BackupAgent {
    /// None where the row has no id, or no server: then nothing leads to it but its list.
    key: Option<BackupAgentKey>,
    row: Row,
}

connection! {
    /// A page of a list of agents that backup servers manage.
    BackupAgentConnection, BackupAgentEdge, BackupAgent
}

/// Filters and cuts agents. They go by name.
pub async fn agent_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    filter: Option<BackupAgentFilter>,
    args: &PageArgs,
) -> Result<BackupAgentConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &BackupAgentFilter| Named {
        server: filter.backup_server_uid,
        ..Named::default()
    };
    let problems = must_be_there(
        ctx,
        &filter,
        named,
        &rows,
        |row| (None, row.backup_server_uid),
        problems.to_vec(),
    )
    .await?;
    hidden_fields::may_ask_for_host_names(
        ctx,
        filter.asks(|filter| filter.name_contains.is_some()),
    )?;
    let names_are_hidden = hidden_fields::hidden(ctx).host_names;
    let mark = || ListMark::of(&["backupAgents", parent, &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(estate, row))
        .await?;
    let agents = rows.into_iter().map(BackupAgent::of_list).collect();
    // a cursor holds what it sorts by, and so does the order itself
    let values = |agent: &BackupAgent| {
        vec![SortValue::name(if names_are_hidden {
            ""
        } else {
            &agent.row.name
        })]
    };
    let page = page::cut(
        ctx,
        agents,
        args,
        mark,
        &[false],
        values,
        BackupAgent::identity,
    )
    .await?;
    Ok(BackupAgentConnection::new(ctx, page, &problems, |agent| {
        agent
    }))
}

impl BackupAgent {
    /// The agent with that key.
    pub fn new(key: BackupAgentKey, row: Row) -> Self {
        Self {
            key: Some(key),
            row,
        }
    }

    /// The agent's row: which server's it is is part of it.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// An agent of a list.
    pub fn of_list(row: Row) -> Self {
        let key = row.backup_server_uid.zip(row.instance_uid);
        Self {
            key: key.map(|(server, agent)| BackupAgentKey {
                upstream: row.upstream(),
                server,
                agent,
            }),
            row,
        }
    }

    /// Whether it is the one without a key that has these.
    pub fn is_unplaced(
        row: &Row,
        server: Option<ServerUid>,
        agent: Option<AgentUid>,
        mark: &str,
    ) -> bool {
        (row.backup_server_uid, row.instance_uid) == (server, agent) && name_mark(&row.name) == mark
    }

    fn node_key(&self) -> Key {
        let unplaced = || Key::UnplacedAgent {
            upstream: self.row.upstream(),
            server: self.row.backup_server_uid,
            agent: self.row.instance_uid,
            mark: name_mark(&self.row.name),
        };
        self.key.map_or_else(unplaced, Key::BackupAgent)
    }

    /// What it is among the agents of a list: some share the id of their hardware.
    fn identity(&self) -> String {
        format!("{:?}:{}", self.node_key(), name_mark(&self.row.name))
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl BackupAgent {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        self.node_key().encode(loaders(ctx).estate())
    }

    /// The agent's id (`instanceUid`). Null where it has none, as one that was only found on the
    /// network.
    async fn uid(&self) -> Option<UUID> {
        self.row.instance_uid.map(|uid| UUID(uid.0))
    }

    /// The agent's name.
    async fn name(&self, ctx: &Context<'_>) -> &str {
        if hidden_fields::hidden(ctx).host_names {
            hidden_fields::HIDDEN_NAME
        } else {
            &self.row.name
        }
    }

    /// The DNS name of the machine; null if unknown.
    async fn machine_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.row.machine_name))
    }

    /// The operating system with its version, for people; null if unknown.
    async fn guest_os(&self) -> Option<&str> {
        text(&self.row.guest_os)
    }

    /// The operating system, as the upstream reports it: `Windows`, `Linux`, `Mac` …; null if
    /// unknown.
    async fn os_type(&self) -> Option<&str> {
        text(&self.row.os_type)
    }

    /// The agent's version; null if unknown.
    async fn version(&self) -> Option<&str> {
        text(&self.row.version)
    }

    /// The machine's addresses; null if unknown.
    async fn ip_addresses(&self, ctx: &Context<'_>) -> Option<Result<&[String]>> {
        hidden_fields::host_name(ctx, self.row.ip_addresses.as_deref())
    }

    /// Whether no backup server manages the agent any more; null if unknown.
    async fn is_unmanaged(&self) -> Option<bool> {
        self.row.is_unmanaged
    }

    /// How its installation stands, as the upstream reports it; null if unknown.
    async fn installation_status(&self) -> Option<&str> {
        text(&self.row.installation_status)
    }

    /// The licence that it takes, as the upstream reports it: `Server`, `Workstation` …; null if
    /// unknown.
    async fn license(&self) -> Option<&str> {
        text(&self.row.license)
    }

    /// How the licence stands, as the upstream reports it; null if unknown.
    async fn license_status(&self) -> Option<&str> {
        text(&self.row.license_status)
    }

    /// The backup server that manages the agent; null if the console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let key = ServerKey {
            upstream: self.row.upstream(),
            server: self.row.backup_server_uid?,
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(key))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The machines in agent jobs that the agent protects, by name: a machine in two jobs is there
    /// twice. Source: `GET /infrastructure/backupServers/jobs/agentJobs/objects`.
    async fn agent_job_objects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the machines that match this filter.")] filter: Option<
            AgentJobObjectFilter,
        >,
        #[graphql(desc = "How many machines to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentJobObjectConnection> {
        // machines name their agents by id: what has none protects none that could be told
        let (rows, problems) = match self.key {
            Some(BackupAgentKey { upstream, .. }) => {
                rows_of_console(ctx, upstream, |console, caller| {
                    console.machines_of_agent(caller, &self.row)
                })
                .await
            }
            None => (Vec::new(), Vec::new()),
        };
        objects_with_jobs(
            ctx,
            rows,
            problems,
            &self.identity(),
            filter,
            PageArgs { first, after },
        )
        .await
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.row)
    }
}
