//! `GET /api/backupSessions/{id}/taskSessions` and `/api/query?type=BackupTaskSession`: what a session did to each machine, and
//! why that failed. The reason of a failed session is often only there.

use super::EnterpriseManager;
use crate::{
    time,
    uid::{self, SessionUid, TaskSessionUid},
    upstream::{
        error::Error,
        lenient,
        pager::{Listing, Row},
        shared_text::SharedText,
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

/// A condition by session has some 105 bytes once encoded; http.sys stops reading at 16 KB of headers.
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

/// An entity as `dialect` leaves it: keys in lower case, nothing certain.
#[derive(Deserialize)]
struct Raw {
    uid: String,
    name: Option<String>,
    jobsessionuid: Option<String>,
    #[serde(default, deserialize_with = "time::optional")]
    creationtimeutc: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    endtimeutc: Option<Timestamp>,
    state: Option<SharedText>,
    result: Option<SharedText>,
    reason: Option<String>,
    #[serde(default, deserialize_with = "lenient::integer")]
    totalsize: Option<i64>,
    vmdisplayname: Option<SharedText>,
}

impl Raw {
    /// As part of the session that it names, or else of the one that was asked about.
    fn of_session(self, asked: Option<SessionUid>) -> Result<TaskSession, String> {
        let uid = uid::parse_urn(&self.uid).ok_or("a task without a usable UID")?;
        let named = self.jobsessionuid.as_deref().and_then(uid::parse_urn).map(SessionUid);
        Ok(TaskSession {
            uid: uid.into(),
            session: named.or(asked).ok_or("a task that does not say of which session")?,
            name: self.name.unwrap_or_default(),
            created: self.creationtimeutc,
            ended: self.endtimeutc,
            state: self.state,
            result: self.result,
            reason: self.reason,
            total_size: self.totalsize,
            machine: self.vmdisplayname,
        })
    }
}

impl EnterpriseManager {
    /// The tasks of these sessions. One session is asked for by its path; several by one query for 40 of them. A server that
    /// refuses the query is asked session by session.
    pub async fn task_sessions(&self, sessions: &[SessionUid]) -> Result<Listing<TaskSession>, Error> {
        if let [session] = sessions {
            return self.tasks_of(*session).await;
        }
        let mut all = Listing { rows: Vec::new(), problem: None, pages: 0 };
        for chunk in sessions.chunks(SESSIONS_PER_REQUEST) {
            let any: Vec<String> = chunk.iter().map(|session| format!("JobSessionUid==\"urn:veeam:BackupJobSession:{session}\"")).collect();
            let filter = format!("({})", any.join(","));
            let read = self.query("BackupTaskSession", "backuptasksession", &filter, |raw: Raw| raw.of_session(None)).await;
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
        let reads: Vec<_> = stream::iter(sessions.to_vec()).map(|session| self.tasks_of(session)).buffered(4).collect().await;
        let mut all = Listing { rows: Vec::new(), problem: None, pages: 0 };
        for read in reads {
            let listing = read?;
            all.pages += listing.pages;
            all.rows.extend(listing.rows);
        }
        Ok(all)
    }

    /// `GET /api/backupSessions/{id}/taskSessions?format=Entity`; none for a session that is gone.
    async fn tasks_of(&self, session: SessionUid) -> Result<Listing<TaskSession>, Error> {
        let query = [("format", "Entity".to_owned())];
        let path = format!("/backupSessions/{session}/taskSessions");
        let rows = match self.document(&path, &query).await? {
            Some(mut document) => {
                let invalid = |detail| self.client.invalid(detail);
                if document.has("refs") || document.has("entityreferences") {
                    return Err(invalid("references to tasks where the tasks were asked for".to_owned()));
                }
                let rows = document.rows::<Raw>(&["backuptasksessions"], "backuptasksessions", "backuptasksession").map_err(invalid)?;
                rows.into_iter().map(|raw| raw.of_session(Some(session))).collect::<Result<Vec<_>, _>>().map_err(invalid)?
            }
            None => Vec::new(),
        };
        Ok(Listing { rows: rows.into_iter().filter(|task| task.session == session).collect(), problem: None, pages: 1 })
    }
}
