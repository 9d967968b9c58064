//! Which companies: the arguments of the connections of companies.

use super::{
    boolean_filter::{Prepared, boolean_filter},
    conditions::{Names, Part, Words},
};
use crate::{
    estate::{Estate, Failure, RowRef},
    graph::{
        all_consoles::{contains, is_from, may_name_upstreams},
        loaders,
        paging::page::{self, ListMark, PageArgs, SortValue},
        types::company::{Company, CompanyConnection},
    },
    upstream::vspc::organization::Organization,
};
use async_graphql::{Context, InputObject, Result};

/// Filters companies. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct CompanyFilter {
    /// Companies from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Companies whose name contains this, ignoring case.
    name_contains: Option<Part>,
    /// Organizations of these types, as the upstream reports it, ignoring case: `Company`,
    /// `Reseller`, `Provider`.
    r#type: Option<Words>,
    /// Matches if all of these filters match.
    and: Option<Vec<CompanyFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<CompanyFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<CompanyFilter>>,
}

boolean_filter!(CompanyFilter);

impl CompanyFilter {
    fn holds(&self, estate: &Estate, row: &RowRef<Organization>) -> bool {
        let kind = row.r#type.as_deref().unwrap_or_default();
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(&row.name, self.name_contains.as_ref())
            && self
                .r#type
                .as_ref()
                .is_none_or(|kinds| kinds.contains(kind))
    }
}

/// Filters and cuts companies. They go by name.
pub async fn company_page(
    ctx: &Context<'_>,
    rows: Vec<RowRef<Organization>>,
    problems: &[Failure],
    filter: Option<CompanyFilter>,
    args: &PageArgs,
) -> Result<CompanyConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let mark = || ListMark::of(&["companies", &format!("{filter:?}")]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(estate, row))
        .await?;
    let identity =
        |row: &RowRef<Organization>| format!("{}:{}", row.upstream().0, row.instance_uid);
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
    Ok(CompanyConnection::new(ctx, page, problems, Company::from))
}
