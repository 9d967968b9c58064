//! `AgentSession`: one run of a job, or one machine's part of it, as Enterprise Manager remembers
//! it.

use super::{
    backup_server::BackupServer,
    health::Health,
    job::Job,
    origin::Origin,
    task_session::{self, TaskSessionConnection},
};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    error,
    filters::session_filter::session_page,
    loaders, nullable,
    paging::{connection::connection, page::PageArgs},
    schema::{
        hidden_fields,
        id::Key,
        scalars::{DateTime, UUID, int, summary, text},
    },
};
use crate::{
    estate::{
        Failure, ServerKey, SessionKey,
        console::Rows,
        joins::session_matching,
        sessions::{MatchedSession, Sessions},
    },
    loaders::{
        job::JobOf,
        server::ServerOf,
        session::{PartsOf, SessionOf, TasksOf},
    },
    time,
};
use async_graphql::{Context, Description, Enum, ID, Object, Result};
use veeam_graph_macros::direct_fields;

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

/// One run of a job, or one machine's part of a run. Source: `GET /api/query?type=BackupJobSession`
/// or `GET /api/agents/backupSessions` of Enterprise Manager, which collects from backup servers
/// every 15 minutes.
#[derive(Description, Clone)]
pub struct AgentSession(MatchedSession);

connection! {
    /// A page of a list of sessions.
    AgentSessionConnection, AgentSessionEdge, AgentSession
}

impl From<MatchedSession> for AgentSession {
    fn from(session: MatchedSession) -> Self {
        Self(session)
    }
}

impl AgentSession {
    fn health_now(&self) -> Health {
        Health::of_session(self.0.row.state.as_deref(), self.0.row.result.as_deref())
    }

    /// Whether the session's name has a machine's name in it that the caller may not read.
    fn hides_name(&self, ctx: &Context<'_>) -> bool {
        hidden_fields::hidden(ctx).host_names && session_matching::is_part(&self.0.row)
    }

    /// The first of an answer that is sorted newest first.
    pub fn newest(answer: Result<Sessions, Failure>) -> Option<Result<Linked<Self>>> {
        match answer {
            Ok(sessions) => match (sessions.rows.into_iter().next(), sessions.problem) {
                (Some(session), _) => Some(Ok(Linked(Self(session)))),
                // none in half a list is not the same as none
                (None, Some(problem)) => Some(Err(error::upstream(&problem))),
                (None, None) => None,
            },
            Err(failure) => Some(Err(error::upstream(&failure))),
        }
    }
}

/// What a session is about.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionScope {
    /// A whole run of a job: how it went says nothing of a single machine.
    Run,
    /// One machine's part of a run: how it went says nothing of the others.
    Machine,
}

#[direct_fields]
#[Object(use_type_description)]
impl AgentSession {
    /// Whether it is a whole run or one machine's part of one. Where the runs of a job have no
    /// parts, the `sessions` and the `lastSession` of a machine are whole runs.
    async fn scope(&self) -> SessionScope {
        if session_matching::is_part(&self.0.row) {
            SessionScope::Machine
        } else {
            SessionScope::Run
        }
    }

    /// The node id: unique across all types.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::AgentSession(self.0.key()).encode(loaders(ctx).estate())
    }

    /// The session's id in Enterprise Manager.
    async fn uid(&self) -> UUID {
        UUID(self.0.row.uid.0)
    }

    /// The session's name: the job's, `@`, and when it started. `(hidden)` for a part of a run
    /// whose machine's name the caller may not read; so is `jobName`.
    async fn name(&self, ctx: &Context<'_>) -> &str {
        if self.hides_name(ctx) {
            hidden_fields::HIDDEN_NAME
        } else {
            &self.0.row.name
        }
    }

    /// The id of the job as the backup server numbers it. A per-machine part has a job of its own,
    /// which no console lists: for the policy's job see `job`. Null when not known.
    async fn job_uid(&self) -> Option<UUID> {
        self.0.row.job_uid.map(|uid| UUID(uid.0))
    }

    /// The job's name when the session ran; null if unknown.
    async fn job_name(&self, ctx: &Context<'_>) -> Option<&str> {
        if self.hides_name(ctx) {
            Some(hidden_fields::HIDDEN_NAME)
        } else {
            text(&self.0.row.job_name)
        }
    }

    /// As the upstream reports it, the type: `AgentBackup` for a run, `AgentManagement` for one
    /// machine's part. Null where Enterprise Manager gave only references.
    async fn job_type(&self) -> Option<&str> {
        text(&self.0.row.job_type)
    }

    /// As the upstream reports it, what is going on: `Working`, `Stopped` …; null where Enterprise
    /// Manager gave only references.
    async fn state(&self) -> Option<&str> {
        text(&self.0.row.state)
    }

    /// As the upstream reports it, how it ended: `Success`, `Warning`, `Failed`, `None` while
    /// running; null where Enterprise Manager gave only references.
    async fn result(&self) -> Option<&str> {
        text(&self.0.row.result)
    }

    /// How it went, or that it is running, in the gateway's own words.
    async fn health(&self) -> Health {
        Health::of_session(self.0.row.state.as_deref(), self.0.row.result.as_deref())
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        Health::of_session(self.0.row.state.as_deref(), self.0.row.result.as_deref()).code()
    }

    /// How far it is, in percent; null if unknown. Some finished sessions say 0.
    async fn progress(&self) -> Option<i32> {
        int(self.0.row.progress)
    }

    /// Whether it is a retry of a failed run; null if unknown.
    async fn is_retry(&self) -> Option<bool> {
        self.0.row.is_retry
    }

    /// When it started; null if unknown.
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

    /// Why it failed, as the upstream reports it; null if there is no message, which failed
    /// sessions have too.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.row.failure_message))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.row.failure_message))
    }

    /// Why it failed, in one line: of `failureMessage`, or else of the first of its tasks that
    /// failed, or warned, with a reason. Null where nothing says. Of sessions without a message it
    /// costs what `tasks` costs.
    async fn failure_reason(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        if let Some(message) =
            hidden_fields::failure_message(ctx, summary(&self.0.row.failure_message))
        {
            return Some(message.map(str::to_owned));
        }
        if !matches!(self.health_now(), Health::Failed | Health::Warning) {
            return None;
        }
        let mut tasks = match loaders(ctx)
            .ask(TasksOf(self.0.key()), Default::default())
            .await
        {
            Ok(Rows {
                rows,
                problem: None,
            }) => rows,
            Ok(Rows {
                problem: Some(failure),
                ..
            })
            | Err(failure) => return Some(Err(error::upstream(&failure))),
        };
        tasks.sort_by_key(|task| (task_session::health_of(task).rank(), task.created, task.uid));
        tasks
            .iter()
            .find_map(|task| summary(&task.reason))
            .map(|reason| Ok(reason.to_owned()))
    }

    /// What it did to each machine, in the order in which that began.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many tasks to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<TaskSessionConnection> {
        let answer = loaders(ctx)
            .ask(TasksOf(self.0.key()), Default::default())
            .await;
        task_session::task_page(ctx, answer, self.0.key(), &PageArgs { first, after }).await
    }

    /// The machine that this part of a run is about; null for a run as a whole.
    async fn computer(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, self.0.computer.as_deref())
    }

    /// The job in Service Provider Console; null when the session could not be matched to one.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        match (self.0.job, &self.0.doubt) {
            (Some(job), _) => nullable(
                loaders(ctx)
                    .row(JobOf(job))
                    .await
                    .map(|row| row.map(Job::from)),
            ),
            (None, Some(failure)) => Some(Err(error::upstream(failure))),
            (None, None) => None,
        }
    }

    /// How `job` was found. A part of a run is matched through its run.
    async fn matched_by(&self) -> MatchedBy {
        match self.0.matched_by {
            session_matching::MatchedBy::ServerAndJobUid => MatchedBy::ServerAndJobUid,
            session_matching::MatchedBy::JobUid => MatchedBy::JobUid,
            session_matching::MatchedBy::ServerAndName => MatchedBy::ServerAndName,
            session_matching::MatchedBy::None => MatchedBy::None,
        }
    }

    /// The backup server in Service Provider Console that ran it; null when it could not be matched
    /// to one.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let (upstream, server) = match (self.0.server, &self.0.doubt) {
            (Some(server), _) => server,
            (None, doubt) => return doubt.as_ref().map(|failure| Err(error::upstream(failure))),
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(ServerKey { upstream, server }))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The backup server's name as Enterprise Manager knows it; null if unknown.
    async fn backup_server_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.0.row.server_name))
    }

    /// The id of the run that this is a part of; null for a run as a whole.
    async fn parent_uid(&self) -> Option<UUID> {
        self.0.row.parent.map(|uid| UUID(uid.0))
    }

    /// The run that this is a part of; null for a run as a whole, and when Enterprise Manager no
    /// longer has it.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<AgentSession>> {
        let key = SessionKey {
            upstream: self.0.row.upstream(),
            session: self.0.row.parent?,
        };
        nullable(
            loaders(ctx)
                .ask(SessionOf(key), None)
                .await
                .map(|session| session.map(AgentSession)),
        )
    }

    /// The parts of this run, one per machine, newest first; empty for a part.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many parts to return: 0 to 500, 50 by default.")] first: Option<i32>,
        #[graphql(desc = "Returns the elements after this cursor.")] after: Option<String>,
    ) -> Result<AgentSessionConnection> {
        let answer = loaders(ctx)
            .ask(PartsOf(self.0.key()), Default::default())
            .await;
        session_page(
            ctx,
            answer,
            &format!("AgentSession {}", self.0.row.uid),
            None,
            PageArgs { first, after },
        )
        .await
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0.row)
    }
}
