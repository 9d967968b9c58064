//! `ConsoleAgent`: a backup agent that Service Provider Console manages, or nobody does.

use super::{
    company::Company,
    console_agent_job::{ConsoleAgentJobConnection, ConsoleAgentJobFilter, job_page},
    origin::Origin,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
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
        scalars::{DateTime, UUID, int, text},
    },
};
use crate::{
    estate::{CompanyKey, ConsoleAgentKey, Estate, Failure, RowRef},
    loaders::company::CompanyOf,
    upstream::vspc::console_agent,
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the agents' list.
pub type Row = RowRef<console_agent::ConsoleAgent>;

/// Filters agents. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct ConsoleAgentFilter {
    /// Agents from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Agents on machines whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Agents of this company.
    company_uid: Option<UUID>,
    /// Agents in one of these states, as the upstream reports it, ignoring case: `Active`,
    /// `NotRunning`.
    status: Option<Words>,
    /// Matches if all of these filters match.
    and: Option<Vec<ConsoleAgentFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<ConsoleAgentFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<ConsoleAgentFilter>>,
}

boolean_filter!(ConsoleAgentFilter);

impl ConsoleAgentFilter {
    fn holds(&self, estate: &Estate, row: &Row) -> bool {
        let status = row.status.as_deref().unwrap_or_default();
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(&row.name, self.name_contains.as_ref())
            && self.company_uid.is_none_or(|wanted| {
                row.organization_uid
                    .is_some_and(|company| company.0 == wanted.0)
            })
            && self
                .status
                .as_ref()
                .is_none_or(|words| words.contains(status))
    }
}

/// A backup agent that Service Provider Console manages, or nobody does. Agents that backup servers
/// manage are not here: they are `BackupAgent`s. Source: `GET /infrastructure/backupAgents`,
/// without those.
#[derive(Description)]
pub struct ConsoleAgent(Row);

connection! {
    /// A page of a list of agents that no backup server manages.
    ConsoleAgentConnection, ConsoleAgentEdge, ConsoleAgent
}

/// Filters and cuts agents. They go by name.
pub async fn agent_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    filter: Option<ConsoleAgentFilter>,
    args: &PageArgs,
) -> Result<ConsoleAgentConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &ConsoleAgentFilter| Named {
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
    let mark = || ListMark::of(&["consoleAgents", parent, &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(estate, row))
        .await?;
    // a cursor holds what it sorts by, and so does the order itself
    let values = |row: &Row| {
        vec![SortValue::name(if names_are_hidden {
            ""
        } else {
            &row.name
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
    Ok(ConsoleAgentConnection::new(
        ctx,
        page,
        &problems,
        ConsoleAgent,
    ))
}

impl From<Row> for ConsoleAgent {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl ConsoleAgent {
    fn key(&self) -> ConsoleAgentKey {
        ConsoleAgentKey {
            upstream: self.0.upstream(),
            agent: self.0.instance_uid,
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl ConsoleAgent {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::ConsoleAgent(self.key()).encode(loaders(ctx).estate())
    }

    /// The agent's id in Service Provider Console (`instanceUid`).
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The name of the machine that the agent is on.
    async fn name(&self, ctx: &Context<'_>) -> &str {
        if hidden_fields::hidden(ctx).host_names {
            hidden_fields::HIDDEN_NAME
        } else {
            &self.0.name
        }
    }

    /// Whether it runs, as the upstream reports it: `Active`, `NotRunning`; null if unknown.
    async fn status(&self) -> Option<&str> {
        text(&self.0.status)
    }

    /// Who manages it, as the upstream reports it: `ManagedByConsole`, `UnManaged`; null if
    /// unknown.
    async fn management_mode(&self) -> Option<&str> {
        text(&self.0.management_mode)
    }

    /// The operating system, as the upstream reports it: `Windows`, `Linux`, `Mac`; null if
    /// unknown.
    async fn os_type(&self) -> Option<&str> {
        text(&self.0.agent_platform)
    }

    /// What the machine is, as the upstream reports it: `Physical`, `Virtual`, `Cloud`; null if
    /// unknown.
    async fn platform(&self) -> Option<&str> {
        text(&self.0.platform)
    }

    /// What the agent is licensed as, as the upstream reports it: `Server`, `Workstation`,
    /// `UnLicensed`; null if unknown.
    async fn operation_mode(&self) -> Option<&str> {
        text(&self.0.operation_mode)
    }

    /// What people can do on the machine itself, as the upstream reports it: `Full` or `ReadOnly`;
    /// null if unknown.
    async fn gui_mode(&self) -> Option<&str> {
        text(&self.0.gui_mode)
    }

    /// The agent's version; null if unknown.
    async fn version(&self) -> Option<&str> {
        text(&self.0.version)
    }

    /// Whether that is the newest, as the upstream reports it: `UpToDate`, `OutOfDate`; null if
    /// unknown.
    async fn version_status(&self) -> Option<&str> {
        text(&self.0.version_status)
    }

    /// How it was installed, as the upstream reports it: `Full`, `Restricted`, `Broken` …; null if
    /// unknown.
    async fn installation_type(&self) -> Option<&str> {
        text(&self.0.installation_type)
    }

    /// When it was activated; null when it was not.
    async fn activated_at(&self) -> Option<DateTime> {
        self.0.activation_time.map(DateTime)
    }

    /// The id of the management agent beside it; null if unknown.
    async fn management_agent_uid(&self) -> Option<UUID> {
        self.0.management_agent_uid.map(|uid| UUID(uid.0))
    }

    /// How the management agent is doing, as the upstream reports it: `Healthy`, `Inaccessible` …;
    /// null if unknown.
    async fn management_agent_status(&self) -> Option<&str> {
        text(&self.0.management_agent_status)
    }

    /// How many jobs it has, as the upstream counts them; null if unknown. `jobs` lists them.
    async fn total_jobs_count(&self) -> Option<i32> {
        int(self.0.total_jobs_count)
    }

    /// How many of them run now; null if unknown.
    async fn running_jobs_count(&self) -> Option<i32> {
        int(self.0.running_jobs_count)
    }

    /// How many of them succeeded last; null if unknown.
    async fn success_jobs_count(&self) -> Option<i32> {
        int(self.0.success_jobs_count)
    }

    /// The company whose agent it is; null if it belongs to no company.
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

    /// The agent's jobs, by name.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            ConsoleAgentJobFilter,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<ConsoleAgentJobConnection> {
        let (rows, problems) = rows_of_console(ctx, self.0.upstream(), |console, caller| {
            console.jobs_of_console_agent(caller, &self.0)
        })
        .await;
        job_page(
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
