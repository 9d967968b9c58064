//! Which sessions, and in which order: the arguments of every connection of sessions.

use super::{
    boolean_filter::{BooleanFilter, Prepared, boolean_filter},
    conditions::{Names, OneOf, Part},
    duration::DurationInput,
    references::{Named, must_be_there},
};
use crate::graph::{
    all_consoles::{contains, is_from, may_name_upstreams},
    loaders,
    paging::page::{self, ListMark, OrderDirection, PageArgs, SortValue},
    schema::{
        hidden_fields,
        scalars::{DateTime, UUID},
    },
    types::{
        agent_session::{AgentSession, AgentSessionConnection},
        health::Health,
    },
};
use crate::{
    estate::{
        Estate, Failure,
        joins::session_matching,
        sessions::{MatchedSession, Sessions},
    },
    time,
};
use async_graphql::{Context, Enum, InputObject, Result, resolver_utils::EnumType};
use jiff::Timestamp;

/// Filters sessions. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct SessionFilter {
    /// Sessions that started at this instant or later.
    since: Option<DateTime>,
    /// Sessions that started within this time up to now.
    within: Option<DurationInput>,
    /// Sessions that started before this instant.
    until: Option<DateTime>,
    /// Sessions that ended in one of these ways.
    health: Option<OneOf<Health>>,
    /// Sessions of the job with this id, on whichever servers it occurs.
    job_uid: Option<UUID>,
    /// Sessions that ran on this backup server.
    backup_server_uid: Option<UUID>,
    /// Sessions of jobs whose name contained this when they ran, ignoring case.
    job_name_contains: Option<Part>,
    /// Sessions from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Only runs of jobs, not their per-machine parts. True if omitted of the filter of
    /// `agentSessions`.
    top_level_only: Option<bool>,
    /// Matches if all of these filters match.
    and: Option<Vec<SessionFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<SessionFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<SessionFilter>>,
}

boolean_filter!(SessionFilter);

impl SessionFilter {
    /// With its length of time as an instant.
    fn with_instant(&self, estate: &Estate) -> Result<(&Self, Option<Timestamp>)> {
        Ok((
            self,
            self.within.map(|within| within.ago(estate)).transpose()?,
        ))
    }

    fn holds(
        &self,
        estate: &Estate,
        started_since: Option<Timestamp>,
        session: &MatchedSession,
    ) -> bool {
        let row = &session.row;
        let created = row.created;
        let health = || Health::of_session(row.state.as_deref(), row.result.as_deref());
        let job = session.job.map(|job| job.job).or(row.job_uid);
        self.since
            .is_none_or(|since| time::is_within(created, since.0, estate.now()))
            && started_since.is_none_or(|since| time::is_within(created, since, estate.now()))
            && is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(
                row.job_name.as_deref().unwrap_or_default(),
                self.job_name_contains.as_ref(),
            )
            && self
                .until
                .is_none_or(|until| created.is_some_and(|created| created < until.0))
            && self
                .health
                .as_ref()
                .is_none_or(|healths| healths.contains(&health()))
            && self
                .job_uid
                .is_none_or(|wanted| job.is_some_and(|job| job.0 == wanted.0))
            && self.backup_server_uid.is_none_or(|wanted| {
                session
                    .server
                    .is_some_and(|(_, server)| server.0 == wanted.0)
            })
            && (self.top_level_only != Some(true) || !session_matching::is_part(row))
    }
}

/// What sessions can be ordered by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOrderField {
    /// When it started.
    StartedAt,
    /// When it ended.
    EndedAt,
    /// How long it took.
    Duration,
    /// How it went, ascending from the worst.
    Health,
    /// The job's name, ignoring case.
    JobName,
}

/// One thing to order sessions by.
#[derive(InputObject, Clone, Debug)]
pub struct SessionOrder {
    /// The field to order by.
    field: SessionOrderField,
    /// The direction of the order.
    #[graphql(default)]
    direction: OrderDirection,
}

/// Filters and cuts sessions that belong to a parent, newest first.
pub async fn session_page(
    ctx: &Context<'_>,
    answer: Result<Sessions, Failure>,
    parent: &str,
    filter: Option<SessionFilter>,
    args: PageArgs,
) -> Result<AgentSessionConnection> {
    ordered_session_page(ctx, answer, parent, filter, None, args).await
}

/// Filters, orders and cuts sessions. Without an order the newest come first.
pub async fn ordered_session_page(
    ctx: &Context<'_>,
    answer: Result<Sessions, Failure>,
    parent: &str,
    filter: Option<SessionFilter>,
    order: Option<Vec<SessionOrder>>,
    args: PageArgs,
) -> Result<AgentSessionConnection> {
    let (rows, mut problems) = match answer {
        Ok(sessions) => (
            sessions.rows,
            sessions.problem.into_iter().collect::<Vec<_>>(),
        ),
        Err(failure) => (Vec::new(), vec![failure]),
    };
    let filter = filter.unwrap_or_default();
    if filter.asks(|filter| filter.backup_server_uid.is_some() || filter.job_uid.is_some()) {
        // one whose server or job can't be told may be of those that are asked for
        problems.extend(rows.iter().find_map(|session| session.doubt.clone()));
    }
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &SessionFilter| Named {
        server: filter.backup_server_uid,
        ..Named::default()
    };
    let whose = |session: &MatchedSession| (None, session.server.map(|(_, server)| server));
    let problems = must_be_there(ctx, &filter, named, &rows, whose, problems).await?;
    let newest_first = || SessionOrder {
        field: SessionOrderField::StartedAt,
        direction: OrderDirection::Desc,
    };
    let order = page::orders(order, SessionOrderField::items().len(), newest_first)?;
    let mark = || {
        ListMark::of(&[
            "sessions",
            parent,
            &format!("{filter:?}"),
            &format!("{order:?}"),
        ])
    };
    let descending: Vec<bool> = order
        .iter()
        .map(|order| order.direction == OrderDirection::Desc)
        .collect();
    // a part's name has its machine's in it
    hidden_fields::may_ask_for_host_names(
        ctx,
        filter.asks(|filter| filter.job_name_contains.is_some()),
    )?;
    let names_are_hidden = hidden_fields::hidden(ctx).host_names;
    let estate = loaders(ctx).estate();
    let wanted = Prepared::of(&filter, &|filter| {
        SessionFilter::with_instant(filter, estate)
    })?;
    let rows = wanted
        .keep(ctx, rows, |(filter, since), session| {
            filter.holds(estate, *since, session)
        })
        .await?;
    let values = |session: &MatchedSession| {
        let row = &session.row;
        let value = |order: &SessionOrder| match order.field {
            SessionOrderField::StartedAt => SortValue::instant(row.created),
            SessionOrderField::EndedAt => SortValue::instant(row.ended),
            SessionOrderField::Duration => {
                SortValue::number(time::seconds_between(row.created, row.ended))
            }
            SessionOrderField::Health => SortValue::Number(
                Health::of_session(row.state.as_deref(), row.result.as_deref()).rank(),
            ),
            // a part's name has its machine's in it, and a cursor holds what it sorts by
            SessionOrderField::JobName if names_are_hidden && session_matching::is_part(row) => {
                SortValue::name("")
            }
            SessionOrderField::JobName => {
                SortValue::name(row.job_name.as_deref().unwrap_or_default())
            }
        };
        order.iter().map(value).collect()
    };
    let identity =
        |session: &MatchedSession| format!("{}:{}", session.row.upstream().0, session.row.uid);
    let page = page::cut(ctx, rows, &args, mark, &descending, values, identity).await?;
    Ok(AgentSessionConnection::new(
        ctx,
        page,
        &problems,
        AgentSession::from,
    ))
}

/// Whether only runs are asked for: where the filter says so, or says nothing.
pub fn is_of_runs(filter: Option<&SessionFilter>) -> bool {
    filter
        .and_then(|filter| filter.top_level_only)
        .unwrap_or(true)
}
