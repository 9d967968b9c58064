//! `GET /api/backupSessions/{id}/taskSessions` and `/api/query?type=BackupTaskSession`: what a
//! session did to each machine, and why that failed. The reason of a failed session is often only
//! there.

use super::EnterpriseManager;
use crate::{
    time,
    uid::{SessionUid, TaskSessionUid},
    upstream::{
        enterprise_manager::dialect::{Fault, Fields, List, Wanted},
        error::Error,
        lenient,
        pager::{Listing, Row},
        shared_text::SharedText,
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

/// A condition by session has some 105 bytes once encoded; http.sys stops reading at 16 KB of
/// headers.
pub const SESSIONS_PER_REQUEST: usize = 40;

/// `BackupTaskSession`.
#[derive(Debug)]
pub struct TaskSession {
    /// The task's id.
    pub uid: TaskSessionUid,
    /// `machine@start`.
    pub name: String,
    /// The session that it is part of.
    pub session: SessionUid,
    /// When it began.
    pub created: Option<Timestamp>,
    /// When it ended; none while running.
    pub ended: Option<Timestamp>,
    /// The raw word: `InProgress`, `Pending`, `Completed`.
    pub state: Option<SharedText>,
    /// The raw word: `Success`, `Warning`, `Failed`, `None`.
    pub result: Option<SharedText>,
    /// Why it failed.
    pub reason: Option<String>,
    /// How much it processed, in bytes.
    pub total_size: Option<i64>,
    /// The machine's name, where the server gives it apart.
    pub machine: Option<SharedText>,
}

impl Row for TaskSession {
    type Identity = TaskSessionUid;
    fn identity(&self) -> TaskSessionUid {
        self.uid
    }
}

const MEMBERS: &[&str] = &[
    "uid",
    "name",
    "jobsessionuid",
    "creationtimeutc",
    "endtimeutc",
    "state",
    "result",
    "reason",
    "totalsize",
    "vmdisplayname",
];
const ENTITIES: List = List {
    root: "backuptasksessions",
    plural: "backuptasksessions",
    singular: "backuptasksession",
};
const QUERY: Wanted = Wanted {
    inside: Some("entities"),
    lists: &[ENTITIES],
    members: MEMBERS,
};
const WHOLE_LIST: Wanted = Wanted {
    inside: None,
    lists: &[ENTITIES],
    members: MEMBERS,
};

impl TaskSession {
    /// As part of the session that it names, or else of the one that was asked about.
    fn of_session(mut fields: Fields, asked: Option<SessionUid>) -> Result<Self, Fault> {
        let uid = fields.urn("uid")?;
        let named = fields.optional_urn("jobsessionuid")?.map(SessionUid);
        let unknown = || Fault {
            member: "jobsessionuid",
            reason: "a task that does not say of which session".to_owned(),
        };
        Ok(Self {
            uid: uid.into(),
            session: named.or(asked).ok_or_else(unknown)?,
            name: fields
                .take("name", lenient::optional_text)?
                .unwrap_or_default(),
            created: fields.take("creationtimeutc", time::optional)?,
            ended: fields.take("endtimeutc", time::optional)?,
            state: fields.take("state", lenient::optional_text)?,
            result: fields.take("result", lenient::optional_text)?,
            reason: fields.take("reason", lenient::optional_text)?,
            total_size: fields.take("totalsize", lenient::integer)?,
            machine: fields.take("vmdisplayname", lenient::optional_text)?,
        })
    }
}

impl EnterpriseManager {
    /// The tasks of these sessions. One session is asked for by its path; several by one query for
    /// 40 of them. A server that refuses the query is asked session by session.
    pub async fn task_sessions(
        &self,
        sessions: &[SessionUid],
    ) -> Result<Listing<TaskSession>, Error> {
        if let [session] = sessions {
            return self.tasks_of(*session).await;
        }
        let mut all = Listing {
            rows: Vec::new(),
            problem: None,
            pages: 0,
        };
        for chunk in sessions.chunks(SESSIONS_PER_REQUEST) {
            let any: Vec<String> = chunk
                .iter()
                .map(|session| format!("JobSessionUid==\"urn:veeam:BackupJobSession:{session}\""))
                .collect();
            let filter = format!("({})", any.join(","));
            let read = self
                .query("BackupTaskSession", &QUERY, &filter, |fields| {
                    TaskSession::of_session(fields, None)
                })
                .await;
            let listing = match read {
                Err(error) if super::is_refusal(&error) => self.one_by_one(chunk).await?,
                outcome => outcome?,
            };
            all.pages += listing.pages;
            all.problem = all.problem.or(listing.problem);
            all.rows.extend(listing.rows);
        }
        // what the filter said is checked again: a server that ignores it must not widen the answer
        all.rows.retain(|task| sessions.contains(&task.session));
        Ok(all)
    }

    async fn one_by_one(&self, sessions: &[SessionUid]) -> Result<Listing<TaskSession>, Error> {
        let reads: Vec<_> = stream::iter(sessions.to_vec())
            .map(|session| self.tasks_of(session))
            .buffered(4)
            .collect()
            .await;
        let mut all = Listing {
            rows: Vec::new(),
            problem: None,
            pages: 0,
        };
        for read in reads {
            let listing = read?;
            all.pages += listing.pages;
            all.problem = all.problem.or(listing.problem);
            all.rows.extend(listing.rows);
        }
        Ok(all)
    }

    /// `GET /api/backupSessions/{id}/taskSessions?format=Entity`; none for a session that is gone.
    async fn tasks_of(&self, session: SessionUid) -> Result<Listing<TaskSession>, Error> {
        let query = [("format", "Entity".to_owned())];
        let path = format!("/backupSessions/{session}/taskSessions");
        let of_session = move |fields| {
            let task = TaskSession::of_session(fields, Some(session))?;
            if task.session == session {
                return Ok(task);
            }
            Err(Fault {
                member: "jobsessionuid",
                reason: "a task of another session than asked for".to_owned(),
            })
        };
        match self.list(&path, &query, &WHOLE_LIST, of_session).await {
            Err(error) if error.status == Some(404) => Ok(Listing {
                rows: Vec::new(),
                problem: None,
                pages: 1,
            }),
            outcome => outcome,
        }
    }
}
