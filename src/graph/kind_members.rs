//! Job types whose own members come from the list of their kind: each is a table of members.

/// Defines a job type: what every job has, and what the list of its kind adds.
macro_rules! job_kind {
    (
        $(#[doc = $doc:literal])+
        $job:ident, $fields:ident {
            $($(#[doc = $member_doc:literal])+ $member:ident: $type:ty = |$row:ident| $value:expr;)+
            $(objects: $objects:literal;)?
            $(linked_jobs($family:ident): $linked:literal;)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(async_graphql::MergedObject)]
        pub struct $job($crate::graph::job::JobFields<$job>, $fields);

        impl From<$crate::loaders::job::JobRow> for $job {
            fn from(row: $crate::loaders::job::JobRow) -> Self {
                Self(row.clone().into(), $fields(row))
            }
        }

        /// What only this kind of job has.
        pub struct $fields($crate::loaders::job::JobRow);

        #[async_graphql::Object]
        impl $fields {
            $(
                $(#[doc = $member_doc])+
                async fn $member(&self, ctx: &async_graphql::Context<'_>) -> Option<async_graphql::Result<$type>> {
                    $crate::graph::kind_members::detail(ctx, &self.0, |$row| $value).await
                }
            )+
            $(
                #[doc = $objects]
                async fn objects(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "Which of them. All when left out.")] filter: Option<$crate::graph::job_object::JobObjectFilter>,
                    #[graphql(desc = "How many of them: 0 to 500, 50 when left out.")] first: Option<i32>,
                    #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
                ) -> async_graphql::Result<$crate::graph::job_object::JobObjectConnection> {
                    let args = $crate::graph::page::PageArgs { first, after };
                    $crate::graph::job_object::object_page(ctx, &self.0, filter, args).await
                }
            )?
            $(
                #[doc = $linked]
                async fn linked_jobs(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "How many links: 0 to 500, 50 when left out.")] first: Option<i32>,
                    #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
                ) -> async_graphql::Result<$crate::graph::linked_job::LinkedJobConnection> {
                    let family = $crate::upstream::vspc::linked_job::LinkFamily::$family;
                    let args = $crate::graph::page::PageArgs { first, after };
                    $crate::graph::linked_job::links_of_job(ctx, family, &self.0, args).await
                }
            )?
        }
    };
}

pub(super) use job_kind;

use super::{
    loaders, nullable,
    scalars::{Long, UUID},
};
use crate::{
    estate::RowRef,
    loaders::job::{JobRow, KindDetailOf},
    upstream::vspc::job_detail::JobDetail,
};
use async_graphql::{Context, Result};
use uuid::Uuid;

/// A member of a job's detail; null where the list of its kind does not have the job.
pub async fn detail<T>(ctx: &Context<'_>, job: &JobRow, member: impl Fn(&RowRef<JobDetail>) -> Option<T>) -> Option<Result<T>> {
    let answer = loaders(ctx).ask(KindDetailOf(job.clone()), None).await;
    nullable(answer.map(|row| row.as_ref().and_then(member)))
}

pub fn uuid<U: Into<Uuid>>(uid: Option<U>) -> Option<UUID> {
    uid.map(|uid| UUID(uid.into()))
}

pub fn owned(word: &Option<String>) -> Option<String> {
    super::scalars::text(word).map(str::to_owned)
}

/// A length of time in seconds, from a number and the upstream's word for its unit; a month as 30 days, a year as 365.
pub fn seconds(value: Option<i64>, unit: Option<&str>) -> Option<Long> {
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
    value?.checked_mul(unit).map(Long)
}
