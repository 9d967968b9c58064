//! `TaskSession`: what a session did to one machine.

use super::{health::Health, origin::Origin};
use crate::graph::{
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    rows_of,
    schema::{
        hidden_fields,
        scalars::{DateTime, Long, UUID, int, long, summary, text},
    },
};
use crate::{
    estate::{Failure, RowRef, SessionKey, console::Rows},
    time,
    upstream::enterprise_manager::task_session,
};
use async_graphql::{Context, Description, Object, Result};
use veeam_graph_macros::direct_fields;

/// A row of the tasks' list.
pub type Row = RowRef<task_session::TaskSession>;

/// What a session did to one machine, and why that failed: the reason of a failed session is often
/// only here. Source: `GET /api/backupSessions/{id}/taskSessions` of Enterprise Manager, or
/// `GET /api/query?type=BackupTaskSession` for several sessions.
#[derive(Description)]
pub struct TaskSession(Row);

connection! {
    /// A page of a list of tasks of a session.
    TaskSessionConnection, TaskSessionEdge, TaskSession
}

/// How a task went.
pub fn health_of(row: &Row) -> Health {
    match row
        .result
        .as_deref()
        .map(str::trim)
        .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case("None"))
    {
        Some(word) => Health::of(Some(word), true),
        None => Health::of_task(row.state.as_deref(), true),
    }
}

/// Cuts tasks: in the order in which they began.
pub async fn task_page(
    ctx: &Context<'_>,
    answer: Result<Rows<task_session::TaskSession>, Failure>,
    session: SessionKey,
    args: &PageArgs,
) -> Result<TaskSessionConnection> {
    let (rows, problems) = rows_of(answer);
    let mark = || ListMark::of(&["taskSessions", &format!("{session:?}")]);
    let page = page::cut(
        ctx,
        rows,
        args,
        mark,
        &[false],
        |row| vec![SortValue::instant(row.created)],
        |row| row.uid.to_string(),
    )
    .await?;
    Ok(TaskSessionConnection::new(
        ctx,
        page,
        &problems,
        TaskSession,
    ))
}

#[direct_fields]
#[Object(use_type_description)]
impl TaskSession {
    /// The task's id in Enterprise Manager.
    async fn uid(&self) -> UUID {
        UUID(self.0.uid.0)
    }

    /// The machine; null if unknown.
    async fn computer(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        // the name is the machine's, `@`, and when the task began
        let named = self
            .0
            .name
            .rsplit_once('@')
            .map(|(machine, _)| machine)
            .filter(|machine| !machine.trim().is_empty());
        hidden_fields::host_name(ctx, text(&self.0.machine).or(named))
    }

    /// As the upstream reports it, what is going on: `InProgress`, `Pending`, `Completed`; null if
    /// unknown.
    async fn state(&self) -> Option<&str> {
        text(&self.0.state)
    }

    /// As the upstream reports it, how it ended: `Success`, `Warning`, `Failed`, `None` while
    /// running; null if unknown.
    async fn result(&self) -> Option<&str> {
        text(&self.0.result)
    }

    /// How it went, or that it is running, in the gateway's own words.
    async fn health(&self) -> Health {
        health_of(&self.0)
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        health_of(&self.0).code()
    }

    /// When it started; null if unknown.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.created.map(DateTime)
    }

    /// When it ended; null while it runs.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended.map(DateTime)
    }

    /// How long it took, in seconds; null while it runs.
    async fn duration_seconds(&self) -> Option<i32> {
        int(time::seconds_between(self.0.created, self.0.ended))
    }

    /// How much it processed, in bytes; null if unknown.
    async fn total_bytes(&self) -> Option<Long> {
        long(self.0.total_size)
    }

    /// Why it failed, as the upstream reports it, of many lines; null if there is no reason.
    async fn reason(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, text(&self.0.reason))
    }

    /// The first line of `reason`, trimmed; null if there is none.
    async fn reason_summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(ctx, summary(&self.0.reason))
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
