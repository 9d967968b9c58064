//! `Origin`: where a row came from and how old it is.

use super::upstream::Upstream;
use crate::estate::{RowRef, UpstreamId};
use crate::graph::{loaders, schema::scalars::DateTime};
use async_graphql::{Context, Description, Object};
use jiff::Timestamp;
use veeam_graph_macros::direct_fields;

/// Where a row came from, and how fresh it is.
#[derive(Description)]
pub struct Origin {
    upstream: UpstreamId,
    fetched_at: Timestamp,
    stale: bool,
}

impl<T: crate::estate::ListedRow> From<&RowRef<T>> for Origin {
    fn from(row: &RowRef<T>) -> Self {
        Self {
            upstream: row.upstream(),
            fetched_at: row.fetched_at(),
            stale: row.is_stale(),
        }
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Origin {
    /// The upstream that the row was read from.
    async fn upstream(&self, ctx: &Context<'_>) -> Upstream {
        Upstream::at(loaders(ctx).estate(), self.upstream)
    }

    /// When the list with the row was read.
    async fn fetched_at(&self) -> DateTime {
        DateTime(self.fetched_at)
    }

    /// Whether the row is older than its kind of list is good for. A refresh is then under way; if
    /// the upstream is down, this is the last that it said.
    async fn stale(&self) -> bool {
        self.stale
    }

    /// How old the row is, in seconds.
    async fn age_seconds(&self, ctx: &Context<'_>) -> i32 {
        let age = loaders(ctx).estate().now().as_second() - self.fetched_at.as_second();
        i32::try_from(age.max(0)).unwrap_or(i32::MAX)
    }
}
