//! `Workload`: a protected machine, and when its newest restore point was made.

use super::{
    backup_server::BackupServer, company::Company, console_agent::ConsoleAgent, job::Job,
    origin::Origin,
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{all_placed, contains, is_from, is_of, may_name_upstreams},
    error,
    filters::{
        boolean_filter::{BooleanFilter, Prepared, boolean_filter},
        conditions::{Names, OneOf, Part},
        duration::DurationInput,
        references::{Named, must_be_there},
    },
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    reuse::rows::OwnedRows,
    schema::{
        hidden_fields,
        id::Key,
        scalars::{DateTime, Long, UUID, int, long, text},
    },
};
use crate::{
    estate::{
        CompanyKey, Estate, Failure, ServerKey,
        console::{
            Rows,
            protection::{self, WorkloadKey},
        },
    },
    loaders::{company::CompanyOf, protection::WorkloadsOf, server::ServerOf},
    time,
    uid::AgentUid,
    upstream::vspc::protected_workload,
};
use async_graphql::{Context, Description, Enum, ID, InputObject, Object, Result, SimpleObject};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use veeam_graph_macros::direct_fields;

/// What is protected, and by whom.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A virtual machine (`GET /protectedWorkloads/virtualMachines`).
    VirtualMachine,
    /// A computer whose agent a backup server manages (`…/computersManagedByBackupServer`).
    Computer,
    /// A computer whose agent the console manages (`…/computersManagedByConsole`).
    ConsoleComputer,
}

impl From<protected_workload::WorkloadKind> for WorkloadKind {
    fn from(kind: protected_workload::WorkloadKind) -> Self {
        match kind {
            protected_workload::WorkloadKind::VirtualMachine => WorkloadKind::VirtualMachine,
            protected_workload::WorkloadKind::ComputerOfServer => WorkloadKind::Computer,
            protected_workload::WorkloadKind::ComputerOfConsole => WorkloadKind::ConsoleComputer,
        }
    }
}

/// Filters machines. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct WorkloadFilter {
    /// Machines from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Machines of these kinds.
    kind: Option<OneOf<WorkloadKind>>,
    /// Machines whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Machines of this company.
    company_uid: Option<UUID>,
    /// Machines that this backup server protects.
    backup_server_uid: Option<UUID>,
    /// Machines whose newest restore point is older than this (the recovery point objective), and
    /// those that have none.
    rpo_breached: Option<DurationInput>,
    /// Machines that have no restore point at all, or that have one.
    no_restore_point: Option<bool>,
    /// Matches if all of these filters match.
    and: Option<Vec<WorkloadFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<WorkloadFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<WorkloadFilter>>,
}

boolean_filter!(WorkloadFilter);

impl WorkloadFilter {
    /// With its length of time as an instant.
    fn with_instant(&self, estate: &Estate) -> Result<(&Self, Option<Timestamp>)> {
        Ok((
            self,
            self.rpo_breached
                .map(|length| length.ago(estate))
                .transpose()?,
        ))
    }

    fn holds(
        &self,
        estate: &Estate,
        breached_before: Option<Timestamp>,
        workload: &protection::Workload,
    ) -> bool {
        let (key, row) = (workload.key, &workload.row);
        let latest = row.latest_restore_point_date;
        is_from(estate, key.upstream, self.upstream.as_ref())
            && self
                .kind
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&key.kind.into()))
            && contains(&row.name, self.name_contains.as_ref())
            && self
                .company_uid
                .is_none_or(|wanted| is_of(&workload.company, wanted))
            && self
                .backup_server_uid
                .is_none_or(|wanted| key.server.is_some_and(|server| server.0 == wanted.0))
            && breached_before.is_none_or(|before| !time::is_within(latest, before, estate.now()))
            && self
                .no_restore_point
                .is_none_or(|none| latest.is_none() == none)
    }
}

/// A protected machine. A machine that is in several jobs or protection groups is here once, as the
/// row with its newest restore point tells.
#[derive(Description)]
pub struct Workload(protection::Workload);

connection! {
    /// A page of a list of protected machines.
    WorkloadConnection, WorkloadEdge, Workload
}

impl Workload {
    /// What the row with the newest restore point says, where it is known to be that one.
    fn sure<T>(&self, value: Option<T>) -> Option<Result<T>> {
        match &self.0.doubt {
            Some(failure) => Some(Err(error::upstream(failure))),
            None => value.map(Ok),
        }
    }
}

impl From<protection::Workload> for Workload {
    fn from(workload: protection::Workload) -> Self {
        Self(workload)
    }
}

/// Every protected machine of every console.
pub fn all_workloads<'a>(
    ctx: &'a Context<'a>,
) -> BoxFuture<'a, (Vec<protection::Workload>, Vec<Failure>)> {
    all_placed(ctx, WorkloadsOf)
}

/// Filters and cuts machines: those without a restore point first, then those with the oldest.
pub async fn workload_page(
    ctx: &Context<'_>,
    workloads: Vec<protection::Workload>,
    problems: &[Failure],
    parent: &str,
    filter: Option<WorkloadFilter>,
    args: &PageArgs,
) -> Result<WorkloadConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &WorkloadFilter| Named {
        company: filter.company_uid,
        server: filter.backup_server_uid,
        ..Named::default()
    };
    let whose = |workload: &protection::Workload| {
        (workload.company.clone().ok().flatten(), workload.key.server)
    };
    let problems = must_be_there(ctx, &filter, named, &workloads, whose, problems.to_vec()).await?;
    hidden_fields::may_ask_for_host_names(
        ctx,
        filter.asks(|filter| filter.name_contains.is_some()),
    )?;
    let wanted = Prepared::of(&filter, &|filter| {
        WorkloadFilter::with_instant(filter, estate)
    })?;
    let mark = || ListMark::of(&["workloads", parent, &format!("{filter:?}")]);
    let rows = wanted
        .keep(ctx, workloads, |(filter, before), workload| {
            filter.holds(estate, *before, workload)
        })
        .await?;
    let values = |workload: &protection::Workload| {
        vec![SortValue::instant(workload.row.latest_restore_point_date)]
    };
    let identity = |workload: &protection::Workload| {
        let WorkloadKey {
            upstream,
            kind,
            server,
            uid,
        } = workload.key;
        let server = server.map(|server| server.to_string()).unwrap_or_default();
        format!(
            "{}:{}:{server}:{uid}:{:?}",
            upstream.0, kind as u8, workload.row.organization_uid
        )
    };
    let page = page::cut(ctx, rows, args, mark, &[false], values, identity).await?;
    Ok(WorkloadConnection::new(
        ctx,
        page,
        &problems,
        Workload::from,
    ))
}

/// How many machines have a restore point that is new enough.
#[derive(SimpleObject, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtectionCounts {
    /// All protected machines, each once.
    workloads: i32,
    /// Those whose newest restore point is new enough.
    within_rpo: i32,
    /// Those whose newest restore point is too old.
    breached: i32,
    /// Those without any restore point.
    no_restore_point: i32,
}

impl ProtectionCounts {
    /// Counts machines; a restore point from before that instant is too old.
    pub fn of<'a>(
        workloads: impl IntoIterator<Item = &'a protection::Workload>,
        before: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut counts = Self::default();
        for workload in workloads {
            counts.workloads += 1;
            *match workload.row.latest_restore_point_date {
                None => &mut counts.no_restore_point,
                latest if !time::is_within(latest, before, now) => &mut counts.breached,
                Some(_) => &mut counts.within_rpo,
            } += 1;
        }
        counts
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Workload {
    /// The node id: unique across all types.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Workload(self.0.key).encode(loaders(ctx).estate())
    }

    /// The machine's id in its list; for computers it is the id of the agent.
    async fn uid(&self) -> UUID {
        UUID(self.0.key.uid.0)
    }

    /// The machine's name; null if unknown.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        let name = self.0.row.name.trim();
        hidden_fields::host_name(ctx, (!name.is_empty()).then_some(name))
    }

    /// What it is, and who protects it.
    async fn kind(&self) -> WorkloadKind {
        self.0.key.kind.into()
    }

    /// The machine's operating system, as the upstream reports it; null if unknown.
    async fn guest_os(&self) -> Option<&str> {
        text(&self.0.row.guest_os)
    }

    /// What the machine is licensed as, as the upstream reports it: `Server` or `Workstation`; null
    /// for virtual machines.
    async fn operation_mode(&self) -> Option<&str> {
        text(&self.0.row.operation_mode)
    }

    /// Whether malware was found, as the upstream reports it: `Clean`, `Suspicious` …; null if
    /// unknown.
    async fn malware_state(&self) -> Option<&str> {
        text(&self.0.row.malware_state)
    }

    /// When the newest restore point was made; null if there is none, and, with an error, when a
    /// row of the machine that tells of a newer one may be missing.
    async fn latest_restore_point(&self) -> Option<Result<DateTime>> {
        self.sure(self.0.row.latest_restore_point_date.map(DateTime))
    }

    /// How long ago that was, in seconds; null if there is none. Counted when the answer was made.
    async fn age_seconds(&self, ctx: &Context<'_>) -> Option<Result<i32>> {
        self.sure(int(time::age(
            self.0.row.latest_restore_point_date,
            loaders(ctx).estate().now(),
        )))
    }

    /// Whether the newest restore point is older than this, or there is none.
    async fn rpo_breached(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How old it may be: the recovery point objective.")] rpo: DurationInput,
    ) -> Option<Result<bool>> {
        let estate = loaders(ctx).estate();
        let latest = self.0.row.latest_restore_point_date;
        let breached = match rpo.ago(estate) {
            Ok(before) => !time::is_within(latest, before, estate.now()),
            Err(error) => return Some(Err(error)),
        };
        // one that is new enough stays so, whatever else there is
        if breached {
            self.sure(Some(true))
        } else {
            Some(Ok(false))
        }
    }

    /// How many restore points there are; null if unknown (computers).
    async fn restore_points_count(&self) -> Option<Result<i32>> {
        self.sure(int(self.0.row.restore_points))
    }

    /// How many bytes all restore points take; null if unknown (computers).
    async fn backup_bytes(&self) -> Option<Result<Long>> {
        self.sure(long(self.0.row.total_restore_point_size))
    }

    /// How many bytes the newest restore point takes; null if unknown (computers).
    async fn latest_restore_point_bytes(&self) -> Option<Result<Long>> {
        self.sure(long(self.0.row.latest_restore_point_size))
    }

    /// How large the machine's disks are, in bytes; null if unknown (computers).
    async fn provisioned_bytes(&self) -> Option<Long> {
        long(self.0.row.provisioned_source_size)
    }

    /// How much of them is used, in bytes; null if unknown (computers).
    async fn used_bytes(&self) -> Option<Long> {
        long(self.0.row.used_source_size)
    }

    /// The company whose machine it is: its jobs', or else the one that the upstream names; null if
    /// it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let company = match &self.0.company {
            Ok(company) => (*company)?,
            Err(failure) => return Some(Err(error::upstream(failure))),
        };
        let key = CompanyKey {
            upstream: self.0.key.upstream,
            company,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The backup server that protects it; null where the console does, and when it does not list
    /// the server.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let key = ServerKey {
            upstream: self.0.key.upstream,
            server: self.0.key.server?,
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(key))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The listed jobs that protect it, by id: of a virtual machine the one that made its newest
    /// restore point, of a computer all that keep backups of it. Null where the console protects
    /// it: its jobs are its `agent`'s.
    async fn jobs(&self, ctx: &Context<'_>) -> Option<Result<OwnedRows<Job>>> {
        let WorkloadKey {
            upstream, server, ..
        } = self.0.key;
        let (loaders, _) = (loaders(ctx), server?);
        if let (Some(_), Some(failure)) = (self.0.row.job_uid, &self.0.doubt) {
            return Some(Err(error::upstream(failure)));
        }
        match loaders
            .caller()
            .console(upstream)?
            .jobs_of_workload(loaders.caller(), &self.0.row)
            .await
        {
            Ok(Rows {
                rows,
                problem: None,
            }) => Some(OwnedRows::give_out(ctx, rows.into_iter().map(Job::from).collect()).await),
            Ok(Rows {
                problem: Some(failure),
                ..
            })
            | Err(failure) => Some(Err(error::upstream(&failure))),
        }
    }

    /// The agent on the machine, where the console protects it; null otherwise, and when the
    /// console does not list the agent.
    async fn agent(&self, ctx: &Context<'_>) -> Option<Result<ConsoleAgent>> {
        let WorkloadKey {
            upstream,
            kind,
            uid,
            ..
        } = self.0.key;
        let (loaders, agent) = (
            loaders(ctx),
            (kind == protected_workload::WorkloadKind::ComputerOfConsole)
                .then_some(AgentUid(uid.0))?,
        );
        let found = loaders
            .caller()
            .console(upstream)?
            .console_agent_of(loaders.caller(), agent, self.0.row.organization_uid)
            .await;
        nullable(found.map(|row| row.map(ConsoleAgent::from)))
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0.row)
    }
}
