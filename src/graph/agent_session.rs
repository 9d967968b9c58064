//! `AgentSession`: one run of a job, or one machine's part of it, as Enterprise Manager remembers it.

use super::{
    backup_server::BackupServer,
    composed::{Composed, Prepared, composed},
    connection::connection,
    error,
    fleet::{contains, is_from},
    health::Health,
    id::Key,
    job::Job,
    loaders, nullable,
    origin::Origin,
    page::{self, ListMark, OrderDirection, PageArgs, SortValue},
    scalars::{DateTime, UUID, int, summary, text},
    sensitive,
    window::DurationInput,
};
use crate::{
    estate::{
        Estate, Failure, ServerKey, SessionKey, correlate,
        sessions::{MatchedSession, Sessions},
    },
    loaders::{
        job::JobOf,
        server::ServerOf,
        session::{PartsOf, SessionOf},
    },
    time,
};
use async_graphql::{Context, Description, Enum, ID, InputObject, Object, Result};
use jiff::Timestamp;

/// By what a session was matched to a job of Service Provider Console.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchedBy {
    /// The session's backup server is known, and has a job with the session's job id. Certain.
    ServerAndJobUid,
    /// The server is not known, but one job in the whole fleet has the session's job id.
    JobUid,
    /// The server is known, and has one job of that name.
    ServerAndName,
    /// Not matched: `job` is null.
    None,
}

/// Which sessions. Every member that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct SessionFilter {
    /// Sessions that started at this instant or later.
    since: Option<DateTime>,
    /// Sessions that started within this time up to now.
    within: Option<DurationInput>,
    /// Sessions that started before this instant.
    until: Option<DateTime>,
    /// Sessions that went like this.
    health: Option<Vec<Health>>,
    /// Sessions of the job with this id, on whichever servers it occurs.
    job_uid: Option<UUID>,
    /// Sessions that ran on this backup server.
    backup_server_uid: Option<UUID>,
    /// Sessions of jobs whose name contained this when they ran, without regard to case.
    job_name_contains: Option<String>,
    /// Sessions from these upstreams, by their names in the configuration.
    upstream: Option<Vec<String>>,
    /// Only runs of jobs, not their per-machine parts. True when left out of the filter of `agentSessions`.
    top_level_only: Option<bool>,
    /// All of these must hold too.
    and: Option<Vec<SessionFilter>>,
    /// At least one of these must hold too. An empty list holds for no session.
    or: Option<Vec<SessionFilter>>,
    /// This must not hold.
    not: Option<Box<SessionFilter>>,
}

composed!(SessionFilter);

impl SessionFilter {
    /// With its length of time as an instant.
    fn with_instant(&self, estate: &Estate) -> Result<(&Self, Option<Timestamp>)> {
        Ok((self, self.within.map(|within| within.ago(estate)).transpose()?))
    }

    fn holds(&self, estate: &Estate, started_since: Option<Timestamp>, session: &MatchedSession) -> bool {
        let row = &session.row;
        let created = row.created;
        let health = Health::of_session(row.state.as_deref(), row.result.as_deref());
        let job = session.job.map(|job| job.job).or(row.job_uid);
        self.since.is_none_or(|since| created.is_some_and(|created| created >= since.0))
            && started_since.is_none_or(|since| created.is_some_and(|created| created >= since))
            && is_from(estate, row.upstream(), self.upstream.as_ref())
            && contains(row.job_name.as_deref().unwrap_or_default(), self.job_name_contains.as_ref())
            && self.until.is_none_or(|until| created.is_some_and(|created| created < until.0))
            && self.health.as_ref().is_none_or(|healths| healths.contains(&health))
            && self.job_uid.is_none_or(|wanted| job.is_some_and(|job| job.0 == wanted.0))
            && self.backup_server_uid.is_none_or(|wanted| session.server.is_some_and(|(_, server)| server.0 == wanted.0))
            && (self.top_level_only != Some(true) || !correlate::is_part(row))
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
    /// The job's name, without regard to case.
    JobName,
}

/// One thing to order sessions by.
#[derive(InputObject, Clone, Debug)]
pub struct SessionOrder {
    /// What by.
    field: SessionOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

/// One run of a job, or one machine's part of a run. Source: `GET /api/query?type=BackupJobSession` or
/// `GET /api/agents/backupSessions` of Enterprise Manager, which collects from backup servers every 15 minutes.
#[derive(Description, Clone)]
pub struct AgentSession(MatchedSession);

connection! {
    /// Sessions, page by page.
    AgentSessionConnection, AgentSessionEdge, AgentSession
}

impl From<MatchedSession> for AgentSession {
    fn from(session: MatchedSession) -> Self {
        Self(session)
    }
}

impl AgentSession {
    /// Whether the session's name has a machine's name in it that the caller may not read.
    fn hides_name(&self, ctx: &Context<'_>) -> bool {
        sensitive::hidden(ctx).host_names && correlate::is_part(&self.0.row)
    }

    /// The first of an answer that is sorted newest first.
    pub fn newest(answer: Result<Sessions, Failure>) -> Option<Result<Self>> {
        match answer {
            Ok(sessions) => match (sessions.rows.into_iter().next(), sessions.problem) {
                (Some(session), _) => Some(Ok(Self(session))),
                // none in half a list is not the same as none
                (None, Some(problem)) => Some(Err(error::upstream(&problem))),
                (None, None) => None,
            },
            Err(failure) => Some(Err(error::upstream(&failure))),
        }
    }
}

/// Filters and cuts sessions that belong to a parent, newest first.
pub fn session_page(
    ctx: &Context<'_>,
    answer: Result<Sessions, Failure>,
    parent: &str,
    filter: Option<SessionFilter>,
    args: PageArgs,
) -> Result<AgentSessionConnection> {
    ordered_session_page(ctx, answer, parent, filter, None, args)
}

/// Filters, orders and cuts sessions. Without an order the newest come first.
pub fn ordered_session_page(
    ctx: &Context<'_>,
    answer: Result<Sessions, Failure>,
    parent: &str,
    filter: Option<SessionFilter>,
    order: Option<Vec<SessionOrder>>,
    args: PageArgs,
) -> Result<AgentSessionConnection> {
    let (rows, problems) = match answer {
        Ok(sessions) => (sessions.rows, sessions.problem.into_iter().collect()),
        Err(failure) => (Vec::new(), vec![failure]),
    };
    let filter = filter.unwrap_or_default();
    let newest_first = || vec![SessionOrder { field: SessionOrderField::StartedAt, direction: OrderDirection::Desc }];
    let order = order.filter(|order| !order.is_empty()).unwrap_or_else(newest_first);
    let mark = ListMark::of(&["sessions", parent, &format!("{filter:?}"), &format!("{order:?}")]);
    let descending: Vec<bool> = order.iter().map(|order| order.direction == OrderDirection::Desc).collect();
    // a part's name has its machine's in it
    sensitive::may_ask_for_host_names(ctx, filter.asks(|filter| filter.job_name_contains.is_some()))?;
    let names_are_hidden = sensitive::hidden(ctx).host_names;
    let estate = loaders(ctx).estate();
    let wanted = Prepared::of(&filter, &|filter| SessionFilter::with_instant(filter, estate))?;
    let holds = |session: &MatchedSession| wanted.holds(&|(filter, since)| filter.holds(estate, *since, session));
    let rows = rows.into_iter().filter(holds).collect();
    let values = |session: &MatchedSession| {
        let row = &session.row;
        let value = |order: &SessionOrder| match order.field {
            SessionOrderField::StartedAt => SortValue::instant(row.created),
            SessionOrderField::EndedAt => SortValue::instant(row.ended),
            SessionOrderField::Duration => SortValue::number(time::seconds_between(row.created, row.ended)),
            SessionOrderField::Health => SortValue::Number(Health::of_session(row.state.as_deref(), row.result.as_deref()).rank()),
            // a part's name has its machine's in it, and a cursor holds what it sorts by
            SessionOrderField::JobName if names_are_hidden && correlate::is_part(row) => SortValue::name(""),
            SessionOrderField::JobName => SortValue::name(row.job_name.as_deref().unwrap_or_default()),
        };
        order.iter().map(value).collect()
    };
    let identity = |session: &MatchedSession| format!("{}:{}", session.row.upstream().0, session.row.uid);
    let page = page::cut(rows, &args, mark, &descending, values, identity)?;
    Ok(AgentSessionConnection::new(ctx, page, &problems, AgentSession))
}

/// Keeps only runs where the filter says so, or says nothing.
pub fn top_level(filter: Option<&SessionFilter>, sessions: &mut Sessions) {
    if filter.and_then(|filter| filter.top_level_only).unwrap_or(true) {
        sessions.rows.retain(|session| !correlate::is_part(&session.row));
    }
}

#[Object(use_type_description)]
impl AgentSession {
    /// Global id.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::AgentSession(self.0.key()).encode(loaders(ctx).estate())
    }

    /// The session's id in Enterprise Manager.
    async fn uid(&self) -> UUID {
        UUID(self.0.row.uid.0)
    }

    /// The session's name: the job's, `@`, and when it started. `(hidden)` for a part of a run whose machine's name the
    /// caller may not read; so is `jobName`.
    async fn name(&self, ctx: &Context<'_>) -> &str {
        if self.hides_name(ctx) { sensitive::HIDDEN_NAME } else { &self.0.row.name }
    }

    /// The id of the job as the backup server numbers it. A per-machine part has a job of its own, which no console
    /// lists: for the policy's job see `job`. Null when not known.
    async fn job_uid(&self) -> Option<UUID> {
        self.0.row.job_uid.map(|uid| UUID(uid.0))
    }

    /// The job's name when the session ran; null when not known.
    async fn job_name(&self, ctx: &Context<'_>) -> Option<&str> {
        if self.hides_name(ctx) { Some(sensitive::HIDDEN_NAME) } else { text(&self.0.row.job_name) }
    }

    /// The upstream's own word for the type: `AgentBackup` for a run, `AgentManagement` for one machine's part. Null
    /// where Enterprise Manager gave only references.
    async fn job_type(&self) -> Option<&str> {
        text(&self.0.row.job_type)
    }

    /// The upstream's own word for what is going on: `Working`, `Stopped` …; null where Enterprise Manager gave only
    /// references.
    async fn state(&self) -> Option<&str> {
        text(&self.0.row.state)
    }

    /// The upstream's own word for how it ended: `Success`, `Warning`, `Failed`, `None` while running; null where
    /// Enterprise Manager gave only references.
    async fn result(&self) -> Option<&str> {
        text(&self.0.row.result)
    }

    /// How it went, or that it is running, in one word of ours.
    async fn health(&self) -> Health {
        Health::of_session(self.0.row.state.as_deref(), self.0.row.result.as_deref())
    }

    /// `health` as the number that dashboards use: 0 none or not known, 1 success, 2 warning, 3 failed, 4 idle or waiting,
    /// 5 running.
    async fn status_code(&self) -> i32 {
        Health::of_session(self.0.row.state.as_deref(), self.0.row.result.as_deref()).code()
    }

    /// How far it is, in percent; null when not known. Some finished sessions say 0.
    async fn progress(&self) -> Option<i32> {
        int(self.0.row.progress)
    }

    /// Whether it is a retry of a failed run; null when not known.
    async fn is_retry(&self) -> Option<bool> {
        self.0.row.is_retry
    }

    /// When it started; null when not known.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.row.created.map(DateTime)
    }

    /// When it ended; null while it runs.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.row.ended.map(DateTime)
    }

    /// How long it took, in seconds; null while it runs.
    async fn duration_seconds(&self) -> Option<i32> {
        int(time::seconds_between(self.0.row.created, self.0.row.ended))
    }

    /// Why it failed, in the upstream's words; null for no message, which failed sessions have too.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        sensitive::failure_message(ctx, text(&self.0.row.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null for no message.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        sensitive::failure_message(ctx, summary(&self.0.row.failure_message))
    }

    /// The machine that this part of a run is about; null for a run as a whole.
    async fn computer(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        sensitive::host_name(ctx, self.0.computer.as_deref())
    }

    /// The job in Service Provider Console; null when the session could not be matched to one.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        match (self.0.job, &self.0.doubt) {
            (Some(job), _) => nullable(loaders(ctx).ask(JobOf(job), None).await.map(|row| row.map(Job::from))),
            (None, Some(failure)) => Some(Err(error::upstream(failure))),
            (None, None) => None,
        }
    }

    /// How `job` was found. A part of a run is matched through its run.
    async fn matched_by(&self) -> MatchedBy {
        match self.0.matched_by {
            correlate::MatchedBy::ServerAndJobUid => MatchedBy::ServerAndJobUid,
            correlate::MatchedBy::JobUid => MatchedBy::JobUid,
            correlate::MatchedBy::ServerAndName => MatchedBy::ServerAndName,
            correlate::MatchedBy::None => MatchedBy::None,
        }
    }

    /// The backup server in Service Provider Console that ran it; null when it could not be matched to one.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<BackupServer>> {
        let (upstream, server) = self.0.server?;
        nullable(loaders(ctx).ask(ServerOf(ServerKey { upstream, server }), None).await.map(|row| row.map(BackupServer::from)))
    }

    /// The backup server's name as Enterprise Manager knows it; null when not known.
    async fn backup_server_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        sensitive::host_name(ctx, text(&self.0.row.server_name))
    }

    /// The id of the run that this is a part of; null for a run as a whole.
    async fn parent_uid(&self) -> Option<UUID> {
        self.0.row.parent.map(|uid| UUID(uid.0))
    }

    /// The run that this is a part of; null for a run as a whole, and when Enterprise Manager no longer has it.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<AgentSession>> {
        let key = SessionKey { upstream: self.0.row.upstream(), session: self.0.row.parent? };
        nullable(loaders(ctx).ask(SessionOf(key), None).await.map(|session| session.map(AgentSession)))
    }

    /// The parts of this run, one per machine, newest first; empty for a part.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many parts: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let answer = loaders(ctx).ask(PartsOf(self.0.key()), Default::default()).await;
        session_page(ctx, answer, &format!("AgentSession {}", self.0.row.uid), None, PageArgs { first, after })
    }

    /// Where this row came from, and how fresh it is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0.row)
    }
}
