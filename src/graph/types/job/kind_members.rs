//! Job types whose own members come from the list of their kind: each is a table of members.

/// Defines a job type: what every job has, what the list of its kind adds, and whatever `more`
/// resolves by itself.
macro_rules! job_kind {
    (
        $(#[doc = $doc:literal])+
        $job:ident, $fields:ident {
            $($(#[doc = $member_doc:literal])+ $member:ident: $type:ty = |$row:ident| $value:expr;)+
            $(objects: $objects:literal;)?
            $(target_repository: $target:literal;)?
            $(more: $more:ident;)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::MergedObject)]
        pub struct $job($crate::graph::types::job::common_fields::JobFields<$job>, $fields $(, $more)?);

        $crate::graph::writer::direct::merged_fields!($job: 0, 1 $(, 2 [$more])?);

        impl From<$crate::loaders::job::JobRow> for $job {
            fn from(row: $crate::loaders::job::JobRow) -> Self {
                Self(row.clone().into(), $fields(row.clone()) $(, $more(row.clone()))?)
            }
        }

        /// What only this kind of job has.
        pub struct $fields($crate::loaders::job::JobRow);

        #[veeam_graph_macros::direct_fields]
        #[async_graphql::Object]
        impl $fields {
            $(
                $(#[doc = $member_doc])+
                async fn $member(&self, ctx: &async_graphql::Context<'_>) -> Option<async_graphql::Result<$type>> {
                    $crate::graph::types::job::kind_members::detail(ctx, &self.0, |$row| $value).await
                }
            )+
            $(
                #[doc = $objects]
                async fn objects(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "Returns only the of them that match this filter.")] filter: Option<$crate::graph::types::job_object::JobObjectFilter>,
                    #[graphql(desc = "How many of them to return: 0 to 500, 50 by default.")] first: Option<i32>,
                    #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
                ) -> async_graphql::Result<$crate::graph::types::job_object::JobObjectConnection> {
                    let args = $crate::graph::paging::page::PageArgs { first, after };
                    $crate::graph::types::job_object::object_page(ctx, &self.0, filter, args).await
                }
            )?
            $(
                #[doc = $target]
                async fn target_repository(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                ) -> Option<async_graphql::Result<$crate::graph::writer::linked::Linked<$crate::graph::types::repository::Repository>>> {
                    let uid = $crate::graph::types::job::kind_members::detail(ctx, &self.0, |row| row.target_repository_uid).await?;
                    $crate::graph::types::job::kind_members::target_repository(ctx, &self.0, uid).await
                }
            )?
        }
    };
}

pub(crate) use job_kind;

use crate::graph::writer::linked::Linked;
use crate::graph::{loaders, nullable, schema::scalars::UUID, types::repository::Repository};
use crate::{
    estate::{RepositoryKey, RowRef},
    loaders::{
        job::{JobRow, KindDetailOf},
        repository::RepositoryOf,
        session::SuccessOf,
    },
    time,
    uid::RepositoryUid,
    upstream::vspc::job_detail::JobDetail,
};
use async_graphql::{Context, Result};
use jiff::SignedDuration;
use uuid::Uuid;

/// A member of a job's detail; null where the list of its kind does not have the job.
pub async fn detail<T>(
    ctx: &Context<'_>,
    job: &JobRow,
    member: impl Fn(&RowRef<JobDetail>) -> Option<T>,
) -> Option<Result<T>> {
    let answer = loaders(ctx).ask(KindDetailOf(job.clone()), None).await;
    nullable(answer.map(|row| row.as_ref().and_then(member)))
}

/// The repository that a job writes to, by its id: on the job's own server, as the default
/// repository's id is on all.
pub async fn target_repository(
    ctx: &Context<'_>,
    job: &JobRow,
    repository: Result<RepositoryUid>,
) -> Option<Result<Linked<Repository>>> {
    let repository = match repository {
        Ok(repository) => repository,
        Err(error) => return Some(Err(error)),
    };
    let key = RepositoryKey {
        upstream: job.0.upstream(),
        server: job.0.backup_server_uid,
        repository,
    };
    nullable(
        loaders(ctx)
            .row(RepositoryOf(key))
            .await
            .map(|row| row.map(|row| Linked(Repository::from(row)))),
    )
}

/// Whether a copy job's last success is longer ago than the interval that it watches, if it watches
/// one.
pub async fn rpo_breached(
    ctx: &Context<'_>,
    job: &JobRow,
    interval: Result<i64>,
) -> Option<Result<bool>> {
    let interval = match interval {
        Ok(seconds) => SignedDuration::from_secs(seconds),
        Err(error) => return Some(Err(error)),
    };
    let loaders = loaders(ctx);
    let now = loaders.estate().now();
    let since = now.checked_sub(interval).ok()?;
    let answer = loaders
        .ask(SuccessOf(job.clone()), Default::default())
        .await;
    nullable(answer.map(|success| {
        success
            .is_known
            .then(|| !time::is_within(success.at, since, now))
    }))
}

pub fn uuid<U: Into<Uuid>>(uid: Option<U>) -> Option<UUID> {
    uid.map(|uid| UUID(uid.into()))
}

pub fn owned<T: std::ops::Deref<Target = str>>(word: &Option<T>) -> Option<String> {
    crate::graph::schema::scalars::text(word).map(str::to_owned)
}

/// A length of time in seconds, from a number and the upstream's word for its unit; a month as 30
/// days, a year as 365.
pub fn seconds(value: Option<i64>, unit: Option<&str>) -> Option<i64> {
    const DAY: i64 = 86_400;
    let unit = match unit?.to_ascii_lowercase().trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => DAY,
        "week" => 7 * DAY,
        "month" => 30 * DAY,
        "year" => 365 * DAY,
        _ => return None,
    };
    value?.checked_mul(unit)
}
