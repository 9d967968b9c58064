//! Relay connections, with `nodes`, `totalCount` and `complete`.

/// Defines a connection and its edge over one node type; `health_counts` behind it where the rows
/// are jobs.
macro_rules! connection {
    ($(#[doc = $doc:literal])+ $connection:ident, $edge:ident, $node:ty $(, $health_counts:ident)?) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::Description)]
        pub struct $connection {
            edges: Vec<$edge>,
            total: Option<i32>,
            complete: bool,
            has_previous: bool,
            has_next: bool,
            $($health_counts: Option<$crate::graph::filters::job_filter::Tally>,)?
        }

        /// An element of a list, with its cursor.
        #[derive(async_graphql::Description)]
        pub struct $edge {
            cursor: $crate::graph::paging::page::Cursor,
            node: $node,
            key: Option<$crate::estate::render_cache::RowKey>,
        }

        #[veeam_graph_macros::direct_fields]
        #[async_graphql::Object(use_type_description)]
        impl $edge {
            /// The cursor of this element, to be passed as `after`.
            async fn cursor(&self) -> String {
                self.cursor.encode()
            }

            /// The element at the end of the edge.
            async fn node(&self) -> $crate::graph::reuse::rows::EdgeRow<'_, $node> {
                $crate::graph::reuse::rows::EdgeRow { key: self.key, node: &self.node }
            }
        }

        #[async_graphql::Object(use_type_description)]
        impl $connection {
            /// The elements of this page, with their cursors.
            async fn edges(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<$crate::graph::reuse::rows::Rows<'_, $edge>> {
                let share = $crate::graph::give_out(ctx, self.edges.len()).await?;
                // a cursor is the list's, not the row's
                Ok($crate::graph::reuse::rows::Rows { rows: self.edges.iter().map(|edge| (None, edge)).collect(), share })
            }

            /// The elements of this page.
            async fn nodes(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<$crate::graph::reuse::rows::Rows<'_, $node>> {
                let share = $crate::graph::give_out(ctx, self.edges.len()).await?;
                Ok($crate::graph::reuse::rows::Rows { rows: self.edges.iter().map(|edge| (edge.key, &edge.node)).collect(), share })
            }

            /// Where this page lies in the list: cursors, and whether there is more.
            async fn page_info(&self) -> async_graphql::connection::PageInfo {
                async_graphql::connection::PageInfo {
                    has_previous_page: self.has_previous,
                    has_next_page: self.has_next,
                    start_cursor: self.edges.first().map(|edge| edge.cursor.encode()),
                    end_cursor: self.edges.last().map(|edge| edge.cursor.encode()),
                }
            }

            /// The number of elements in the whole list, across all pages; null if it is unknown
            /// because the list could not be read in full.
            async fn total_count(&self) -> Option<i32> {
                self.total
            }

            /// Whether the whole list was read. If false, elements may be missing and an error with
            /// this connection's path says why; an empty page then does not mean that there are
            /// none.
            async fn complete(&self) -> bool {
                self.complete
            }

            $(
                /// The whole list, all pages together, counted by health. Null when that is not
                /// known because the list could not be read in full.
                async fn $health_counts(
                    &self,
                    #[graphql(desc = "Whether to count jobs that back up database logs too: these run all day, by design.", default)]
                    include_log_backups: bool,
                ) -> Option<$crate::graph::types::health_counts::HealthCounts> {
                    self.$health_counts.filter(|_| self.complete).map(|tally| tally.counts(include_log_backups))
                }
            )?
        }

        $(
            impl $connection {
                /// A page of jobs.
                pub(in crate::graph) fn of(
                    ctx: &async_graphql::Context<'_>,
                    jobs: $crate::graph::filters::job_filter::JobPage,
                    node: impl Fn($crate::graph::filters::job_filter::Row) -> $node,
                ) -> Self {
                    Self { $health_counts: jobs.tally, ..Self::new(ctx, jobs.page, &jobs.problems, node) }
                }
            }
        )?

        impl $connection {
            /// A page of a list, and why the list is not whole, if it isn't: that is also said in
            /// `errors`.
            pub(in crate::graph) fn new<T: $crate::graph::reuse::rows::CacheableRow>(
                ctx: &async_graphql::Context<'_>,
                page: $crate::graph::paging::page::Page<T>,
                problems: &[$crate::estate::Failure],
                node: impl Fn(T) -> $node,
            ) -> Self {
                for problem in problems {
                    $crate::graph::report(ctx, problem);
                }
                let complete = problems.is_empty();
                Self {
                    total: complete.then(|| i32::try_from(page.total).unwrap_or(i32::MAX)),
                    complete,
                    has_previous: page.has_previous,
                    has_next: page.has_next,
                    $($health_counts: Default::default(),)?
                    edges: page
                        .rows
                        .into_iter()
                        .map(|(cursor, row)| $edge { cursor, key: row.key::<$node>(), node: node(row) })
                        .collect(),
                }
            }
        }
    };
}

pub(crate) use connection;
