//! `Query`: where every walk begins.

use super::{
    all_consoles::everywhere,
    error::bad_input,
    loaders,
    paging::page::{MAX_FIRST, PageArgs},
    schema::{
        federation::{Federation, Keys},
        node::Node,
    },
    types::{
        alarm::{AlarmConnection, AlarmFilter, alarm_page, all_alarms},
        fleet_health::{FleetGroup, FleetHealthRow, Wanted, fleet_health},
        license_usage::{LicenseUsageConnection, license_page},
        upstream::Upstream,
        workload::{WorkloadConnection, WorkloadFilter, all_workloads, workload_page},
    },
};
use async_graphql::{Context, ID, MergedObject, Object, Result};
use futures_util::future::join_all;

mod backups;
mod infrastructure;

pub(super) use backups::job_of_server;

/// Where every walk begins.
#[derive(MergedObject, Default)]
pub struct Query(Fleet, backups::Backups, infrastructure::Infrastructure);

// the same with what a federation's router asks for
/// Where every walk begins.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct FederatedQuery(
    Fleet,
    backups::Backups,
    infrastructure::Infrastructure,
    Federation,
);

// the same with keys, as a composer reads it
/// Where every walk begins.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct KeyedQuery(
    Fleet,
    backups::Backups,
    infrastructure::Infrastructure,
    Keys,
);

/// What is about everything.
#[derive(Default)]
pub struct Fleet;

#[Object]
impl Fleet {
    /// Anything by its global id; null when it is gone.
    #[graphql(shareable, inaccessible)]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of any object of this graph.")] id: ID,
    ) -> Option<Result<Node>> {
        Node::find(ctx, &id).await
    }

    /// Many things by their global ids, in the order asked for; null for each that is gone.
    #[graphql(shareable, inaccessible)]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id`s of any objects of this graph, 500 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        if ids.len() > MAX_FIRST {
            return Err(bad_input(format!(
                "`ids` can have {MAX_FIRST} members; it has {}.",
                ids.len()
            )));
        }
        Ok(join_all(ids.iter().map(|id| Node::find(ctx, id))).await)
    }

    /// The protected machines of every console: those without a restore point first, then those
    /// with the oldest.
    async fn workloads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the machines that match this filter.")] filter: Option<
            WorkloadFilter,
        >,
        #[graphql(desc = "How many machines to return: 0 to 500, 50 by default.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<WorkloadConnection> {
        let (workloads, problems) = all_workloads(ctx).await;
        workload_page(
            ctx,
            workloads,
            &problems,
            "",
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// What the consoles found worth somebody's attention: the worst first, and of these the
    /// latest. Resolved alarms can be among them.
    async fn alarms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Returns only the alarms that match this filter.")] filter: Option<
            AlarmFilter,
        >,
        #[graphql(desc = "How many alarms to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AlarmConnection> {
        let (alarms, problems) = all_alarms(ctx).await;
        alarm_page(
            ctx,
            alarms,
            &problems,
            "",
            filter,
            &PageArgs { first, after },
        )
        .await
    }

    /// How many licence units every organization uses in this calendar month, so far.
    async fn license_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many organizations to return: 0 to 500, 50 by default.")]
        first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<LicenseUsageConnection> {
        let caller = loaders(ctx).caller();
        let (rows, problems) = everywhere(ctx, |console| Box::pin(console.licenses(caller))).await;
        license_page(ctx, rows, &problems, "", &PageArgs { first, after }).await
    }

    /// How many jobs and machines are doing how, over the whole fleet; the worst first.
    async fn fleet_health(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to count by.", default)] group_by: FleetGroup,
        #[graphql(
            desc = "Only rows with something failed, with warnings, or of unknown health, and rows that are not complete.",
            default
        )]
        problems_only: bool,
        #[graphql(
            desc = "Whether to count jobs that back up database logs too: these run all day, by design.",
            default
        )]
        include_log_backups: bool,
    ) -> Vec<FleetHealthRow> {
        fleet_health(
            ctx,
            Wanted {
                by: group_by,
                log_backups: include_log_backups,
                problems_only,
            },
        )
        .await
    }

    /// The APIs that the gateway reads from, and how they are doing. Costs no upstream request.
    async fn upstreams(&self, ctx: &Context<'_>) -> Vec<Upstream> {
        let principal = &loaders(ctx).caller().principal;
        let seen = loaders(ctx)
            .estate()
            .statuses()
            .iter()
            .filter(|status| principal.allows_upstream(&status.name));
        seen.map(|status| Upstream(Some(status.clone()))).collect()
    }
}
