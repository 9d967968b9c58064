//! `Repository`: where backups are kept, and how much room there is.

use super::{
    backup_server::BackupServer,
    company::Company,
    job::{Job, JobConnection},
    origin::Origin,
    tape_coverage::{TapeCoverage, TapeStatus},
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    error::bad_input,
    filters::{
        boolean_filter::{BooleanFilter, Prepared, boolean_filter},
        conditions::{Names, OneOf, Part},
        job_filter::{JobFilter, JobOrder, job_page},
        references::{Named, must_be_there},
    },
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, OrderDirection, PageArgs, SortValue},
    },
    rows_of,
    schema::{
        hidden_fields,
        id::Key,
        scalars::{Long, UUID, int, long, text},
    },
};
use crate::{
    estate::{CompanyKey, Estate, Failure, RepositoryKey, RowRef, ServerKey},
    loaders::{
        company::CompanyOf,
        coverage::RepositoryCoverageOf,
        repository::{JobsOfRepository, RepositoryOf},
        server::ServerOf,
    },
    uid::CompanyUid,
    upstream::vspc,
};
use async_graphql::{
    Context, Description, Enum, ID, InputObject, Object, Result, resolver_utils::EnumType,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use std::collections::HashMap;
use veeam_graph_macros::direct_fields;

/// A row of the repositories' list.
pub type Row = RowRef<vspc::repository::Repository>;

/// Filters repositories. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct RepositoryFilter {
    /// Repositories from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Repositories whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Repositories on this backup server.
    backup_server_uid: Option<UUID>,
    /// Repositories on backup servers that this company owns.
    company_uid: Option<UUID>,
    /// Repositories with less than this much of their room free, in percent. One of which that is
    /// not known is not there.
    free_percent_below: Option<f64>,
    /// Repositories that tape jobs write to tape as a whole (`ON_TAPE_BY_REPOSITORY`), or do not
    /// (`NOT_ON_TAPE`).
    tape_status: Option<OneOf<TapeStatus>>,
    /// Matches if all of these filters match.
    and: Option<Vec<RepositoryFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<RepositoryFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<RepositoryFilter>>,
}

boolean_filter!(RepositoryFilter);

impl RepositoryFilter {
    fn within_bounds(&self) -> Result<()> {
        match self
            .free_percent_below
            .filter(|percent| !(0.0..=100.0).contains(percent))
        {
            Some(percent) => Err(bad_input(format!(
                "`freePercentBelow` must be between 0 and 100; it is {percent}."
            ))),
            None => Ok(()),
        }
    }
}

/// What repositories can be ordered by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryOrderField {
    /// The repository's name, ignoring case.
    Name,
    /// How much of its room is free, in percent.
    FreePercent,
    /// How many bytes are free.
    FreeBytes,
    /// How much room there is.
    CapacityBytes,
}

/// One thing to order repositories by.
#[derive(InputObject, Clone, Debug)]
pub struct RepositoryOrder {
    /// The field to order by.
    field: RepositoryOrderField,
    /// The direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Which repositories, in which order.
#[derive(Default)]
pub struct RepositoryArgs {
    /// Which.
    pub filter: Option<RepositoryFilter>,
    /// In which order.
    pub order_by: Option<Vec<RepositoryOrder>>,
}

/// A backup repository. Source: `GET /infrastructure/backupServers/repositories` with
/// `expand=BackupRepositoryInfo`.
#[derive(Description)]
pub struct Repository(Row);

connection! {
    /// A page of a list of repositories.
    RepositoryConnection, RepositoryEdge, Repository
}

impl From<Row> for Repository {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

fn key(row: &Row) -> RepositoryKey {
    RepositoryKey {
        upstream: row.upstream(),
        server: row.backup_server_uid,
        repository: row.instance_uid,
    }
}

/// What a filter needs beside the repositories' own rows.
#[derive(Default)]
struct Facts {
    owners: HashMap<ServerKey, Option<CompanyUid>>,
    tape: HashMap<RepositoryKey, TapeStatus>,
    problems: Vec<Failure>,
}

impl Facts {
    async fn of(ctx: &Context<'_>, rows: &[Row], filter: &RepositoryFilter) -> Self {
        let mut facts = Self::default();
        if filter.asks(|filter| filter.company_uid.is_some()) {
            let (servers, problems) = crate::graph::all_consoles::all_servers(ctx).await;
            let owner = |row: RowRef<vspc::backup_server::BackupServer>| {
                (
                    ServerKey {
                        upstream: row.upstream(),
                        server: row.instance_uid,
                    },
                    row.organization_uid,
                )
            };
            facts.owners = servers.into_iter().map(owner).collect();
            facts.problems.extend(problems);
        }
        if filter.asks(|filter| filter.tape_status.is_some()) {
            let asked = rows.iter().map(async |row| {
                (
                    key(row),
                    loaders(ctx).ask(RepositoryCoverageOf(key(row)), None).await,
                )
            });
            let mut unread = None;
            for (key, answer) in join_all(asked).await {
                match answer {
                    Ok(Some(coverage)) => {
                        unread = unread.or(coverage.unread.clone());
                        facts.tape.insert(key, coverage.status.into());
                    }
                    Ok(None) => {}
                    Err(failure) => unread = Some(failure),
                }
            }
            facts.problems.extend(unread);
        }
        facts
    }

    fn hold(&self, estate: &Estate, filter: &RepositoryFilter, row: &Row) -> bool {
        let key = key(row);
        let owner = self
            .owners
            .get(&ServerKey {
                upstream: key.upstream,
                server: key.server,
            })
            .copied()
            .flatten();
        let tape = self.tape.get(&key).copied().unwrap_or(TapeStatus::Unknown);
        let free = row
            .info
            .as_ref()
            .and_then(vspc::repository::RepositoryInfo::free_percent);
        is_from(estate, key.upstream, filter.upstream.as_ref())
            && contains(&row.name, filter.name_contains.as_ref())
            && filter
                .backup_server_uid
                .is_none_or(|server| key.server.0 == server.0)
            && filter
                .company_uid
                .is_none_or(|wanted| owner.is_some_and(|owner| owner.0 == wanted.0))
            && filter
                .free_percent_below
                .is_none_or(|below| free.is_some_and(|free| free < below))
            && filter
                .tape_status
                .as_ref()
                .is_none_or(|ways| ways.contains(&tape))
    }
}

/// Filters, orders and cuts repositories. Without an order they go by name.
pub fn repository_page<'a>(
    ctx: &'a Context<'a>,
    rows: Vec<Row>,
    mut problems: Vec<Failure>,
    parent: &'a str,
    args: RepositoryArgs,
    page: &'a PageArgs,
) -> BoxFuture<'a, Result<RepositoryConnection>> {
    async move {
        let (filter, estate) = (args.filter.unwrap_or_default(), loaders(ctx).estate());
        may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
        let named = |filter: &RepositoryFilter| Named {
            company: filter.company_uid,
            server: filter.backup_server_uid,
            ..Named::default()
        };
        let within_bounds = |filter| RepositoryFilter::within_bounds(filter).map(|()| filter);
        let wanted = Prepared::of(&filter, &within_bounds)?;
        let by_name = || RepositoryOrder {
            field: RepositoryOrderField::Name,
            direction: OrderDirection::Asc,
        };
        let order = page::orders(args.order_by, RepositoryOrderField::items().len(), by_name)?;
        let mark = || {
            ListMark::of(&[
                "repositories",
                parent,
                &format!("{filter:?}"),
                &format!("{order:?}"),
            ])
        };
        let descending: Vec<bool> = order
            .iter()
            .map(|order| order.direction == OrderDirection::Desc)
            .collect();
        let facts = Facts::of(ctx, &rows, &filter).await;
        problems.extend(facts.problems.iter().cloned());
        let whose = |row: &Row| {
            (
                facts
                    .owners
                    .get(&ServerKey {
                        upstream: row.upstream(),
                        server: row.backup_server_uid,
                    })
                    .copied()
                    .flatten(),
                Some(row.backup_server_uid),
            )
        };
        problems = must_be_there(ctx, &filter, named, &rows, whose, problems).await?;
        let rows = wanted
            .keep(ctx, rows, |filter, row| facts.hold(estate, filter, row))
            .await?;
        let values = |row: &Row| {
            let info = row.info.as_ref();
            let value = |order: &RepositoryOrder| match order.field {
                RepositoryOrderField::Name => SortValue::name(&row.name),
                // a millionth of a percent is as near as it has to be
                RepositoryOrderField::FreePercent => SortValue::number(
                    info.and_then(|info| Some((info.free_percent()? * 1e6) as i64)),
                ),
                RepositoryOrderField::FreeBytes => {
                    SortValue::number(info.and_then(|info| info.free_bytes()))
                }
                RepositoryOrderField::CapacityBytes => {
                    SortValue::number(info.and_then(|info| info.capacity_bytes()))
                }
            };
            order.iter().map(value).collect()
        };
        let page = page::cut(ctx, rows, page, mark, &descending, values, |row| {
            format!(
                "{}:{}:{}",
                row.upstream().0,
                row.backup_server_uid,
                row.instance_uid
            )
        })
        .await?;
        Ok(RepositoryConnection::new(
            ctx,
            page,
            &problems,
            Repository::from,
        ))
    }
    .boxed()
}

impl Repository {
    fn info(&self) -> Option<&vspc::repository::RepositoryInfo> {
        self.0.info.as_ref()
    }

    async fn server(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Option<RowRef<vspc::backup_server::BackupServer>>, Failure> {
        let key = ServerKey {
            upstream: self.0.upstream(),
            server: self.0.backup_server_uid,
        };
        loaders(ctx).row(ServerOf(key)).await
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Repository {
    /// The node id: unique across all types, and stable when the object is renamed.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Repository(key(&self.0)).encode(loaders(ctx).estate())
    }

    /// The repository's id. The default repository has the same on every server.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The repository's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is, as the upstream reports it: `Windows`, `LinuxHardened`, `ScaleOut`, `AmazonS3`
    /// …; null if unknown.
    async fn r#type(&self) -> Option<&str> {
        self.info().and_then(|info| text(&info.r#type))
    }

    /// How it is doing, as the upstream reports it: `Healthy`, `Warning`, `Error`; null if unknown.
    async fn status(&self) -> Option<&str> {
        self.info().and_then(|info| text(&info.status))
    }

    /// All its room, in bytes; null if unknown, as with most object storages.
    async fn capacity_bytes(&self) -> Option<Long> {
        long(self.info().and_then(|info| info.capacity_bytes()))
    }

    /// The room that is left, in bytes; null if unknown.
    async fn free_bytes(&self) -> Option<Long> {
        long(self.info().and_then(|info| info.free_bytes()))
    }

    /// The room that is taken, in bytes, by backups and by anything else there; null if unknown.
    async fn used_bytes(&self) -> Option<Long> {
        long(self.info().and_then(|info| info.used_bytes()))
    }

    /// How much of its room is taken, in percent from 0 to 100 with two decimals; null if unknown.
    async fn used_percent(&self) -> Option<f64> {
        self.info()
            .and_then(|info| info.free_percent())
            .map(|free| (10_000.0 - free * 100.0).round() / 100.0)
    }

    /// How many bytes all restore points in it take; null if unknown.
    async fn backup_bytes(&self) -> Option<Long> {
        long(self.info().and_then(|info| info.backup_size))
    }

    /// The folder in which backups are kept; null if unknown.
    async fn path(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, self.info().and_then(|info| text(&info.path)))
    }

    /// The machine on which that is; null if unknown.
    async fn host_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, self.info().and_then(|info| text(&info.host_name)))
    }

    /// Whether backups in it can't be changed or deleted for a while; null if unknown.
    async fn is_immutability_enabled(&self) -> Option<bool> {
        self.info().and_then(|info| info.is_immutability_enabled)
    }

    /// For how long, in seconds; null if unknown.
    async fn immutability_seconds(&self) -> Option<i32> {
        int(self.info().and_then(|info| info.immutability_interval))
    }

    /// Whether it is offered to tenants as a cloud repository; null if unknown.
    async fn is_cloud(&self) -> Option<bool> {
        self.info().and_then(|info| info.is_cloud)
    }

    /// Whether the repository's service needs an update; null if unknown.
    async fn is_out_of_date(&self) -> Option<bool> {
        self.info().and_then(|info| info.is_out_of_date)
    }

    /// The scale-out repository that it is a part of; null if there is none.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Linked<Repository>>> {
        let repository = self.info()?.parent_repository_uid?;
        let key = RepositoryKey {
            repository,
            ..key(&self.0)
        };
        nullable(
            loaders(ctx)
                .row(RepositoryOf(key))
                .await
                .map(|row| row.map(|row| Linked(Repository::from(row)))),
        )
    }

    /// The jobs that write to it, as far as is known: those whose destination has its name, and
    /// agent jobs of whose machines it has backups. A job of which neither is known is not here.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the jobs that match this filter.")] filter: Option<
            JobFilter,
        >,
        #[graphql(desc = "How to order the results; by name if it is omitted.")] order_by: Option<
            Vec<JobOrder>,
        >,
        #[graphql(desc = "How many jobs to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<JobConnection> {
        let (rows, problems) = rows_of(
            loaders(ctx)
                .ask(JobsOfRepository(key(&self.0)), Default::default())
                .await,
        );
        let page = job_page(
            ctx,
            rows,
            problems,
            &format!("{:?}", key(&self.0)),
            filter,
            order_by,
            &PageArgs { first, after },
        )
        .await?;
        Ok(JobConnection::of(ctx, page, Job::from))
    }

    /// Whether tape jobs write it to tape as a whole. `NOT_ON_TAPE` says nothing of tape jobs that
    /// read single jobs.
    async fn tape(&self, ctx: &Context<'_>) -> TapeCoverage {
        TapeCoverage::new(
            ctx,
            loaders(ctx)
                .ask(RepositoryCoverageOf(key(&self.0)), None)
                .await,
        )
    }

    /// The backup server that it belongs to; null if the console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        nullable(
            self.server(ctx)
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The company that owns that server; null if it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let company = match self.server(ctx).await {
            Ok(server) => server?.organization_uid?,
            Err(failure) => return Some(Err(crate::graph::error::upstream(&failure))),
        };
        let key = CompanyKey {
            upstream: self.0.upstream(),
            company,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
