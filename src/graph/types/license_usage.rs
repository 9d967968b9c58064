//! `LicenseUsage`: how many licence units an organization uses now.

use super::{company::Company, origin::Origin};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    schema::scalars::{UUID, int, text},
};
use crate::{
    estate::{CompanyKey, Failure, RowRef},
    loaders::company::CompanyOf,
    upstream::vspc::license_usage::{self, WorkloadUsage},
};
use async_graphql::{Context, Description, Object, Result, SimpleObject};
use veeam_graph_macros::direct_fields;

/// A row of the licence usage's list.
pub type Row = RowRef<license_usage::LicenseUsage>;

/// How many licence units an organization uses in this calendar month, so far. Source:
/// `GET /licensing/usage/organizations` of Service Provider Console.
#[derive(Description)]
pub struct LicenseUsage(Row);

connection! {
    /// A page of a list of licence usages.
    LicenseUsageConnection, LicenseUsageEdge, LicenseUsage
}

/// What one product uses for one type of workload.
#[derive(SimpleObject, Clone, Debug)]
pub struct LicensedWorkload {
    /// The product, as the upstream reports it: `BackupAndReplication`, `CloudConnect`, `VB365`,
    /// `VONE`, `VSPC`; null if unknown.
    product: Option<String>,
    /// What is licensed, as the upstream reports it; null if unknown.
    description: Option<String>,
    /// The unit, as the upstream reports it: `Points` or `Instances`; null if unknown.
    unit_type: Option<String>,
    /// How many units are used and managed; null if unknown.
    used_units: Option<f64>,
    /// How many units were first used in this calendar month; null if unknown.
    new_units: Option<f64>,
    /// How many units have rental licences; null if unknown.
    rental_units: Option<f64>,
    /// How many objects take the used units; null if unknown.
    used_count: Option<i32>,
    /// How many objects were first used in this calendar month; null if unknown.
    new_count: Option<i32>,
    /// How many objects have rental licences; null if unknown.
    rental_count: Option<i32>,
}

/// Cuts licence usages. They go by the organization's id.
pub async fn license_page(
    ctx: &Context<'_>,
    rows: Vec<Row>,
    problems: &[Failure],
    parent: &str,
    args: &PageArgs,
) -> Result<LicenseUsageConnection> {
    let identity = |row: &Row| {
        let company = row
            .organization_uid
            .map(|uid| uid.to_string())
            .unwrap_or_default();
        format!("{}:{company}", row.upstream().0)
    };
    let page = page::cut(
        ctx,
        rows,
        args,
        || ListMark::of(&["licenseUsage", parent]),
        &[],
        |_| Vec::<SortValue>::new(),
        identity,
    )
    .await?;
    Ok(LicenseUsageConnection::new(
        ctx,
        page,
        problems,
        LicenseUsage::from,
    ))
}

impl From<Row> for LicenseUsage {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl LicenseUsage {
    fn usages(&self) -> impl Iterator<Item = (Option<&str>, &WorkloadUsage)> {
        let servers = self.0.servers.iter().flatten();
        servers.flat_map(|server| {
            server
                .workloads
                .iter()
                .flatten()
                .map(|usage| (text(&server.server_type), usage))
        })
    }

    /// The used units of a type; none where one of them is not known.
    fn used(&self, unit: &str) -> Option<f64> {
        let of_unit = self.usages().filter(|(_, usage)| {
            usage
                .unit_type
                .as_deref()
                .is_some_and(|word| word.eq_ignore_ascii_case(unit))
        });
        of_unit.map(|(_, usage)| usage.used_units).sum()
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl LicenseUsage {
    /// The id of the organization; null when the upstream does not say.
    async fn company_uid(&self) -> Option<UUID> {
        self.0.organization_uid.map(|uid| UUID(uid.0))
    }

    /// The organization; null if the console does not list it.
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

    /// How many points are used, over all products; null where one of them does not say.
    async fn used_points(&self) -> Option<f64> {
        self.used("Points")
    }

    /// How many instances are used, over all products; null where one of them does not say.
    async fn used_instances(&self) -> Option<f64> {
        self.used("Instances")
    }

    /// The same by product and type of workload.
    async fn workloads(&self) -> Vec<LicensedWorkload> {
        let licensed = |(product, usage): (Option<&str>, &WorkloadUsage)| LicensedWorkload {
            product: product.map(str::to_owned),
            description: text(&usage.description).map(str::to_owned),
            unit_type: text(&usage.unit_type).map(str::to_owned),
            used_units: usage.used_units,
            new_units: usage.new_units,
            rental_units: usage.rental_units,
            used_count: int(usage.used_count),
            new_count: int(usage.new_count),
            rental_count: int(usage.rental_count),
        };
        self.usages().map(licensed).collect()
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
