//! `GET /api/query?type=BackupJobSession`, `/api/agents/backupSessions` and
//! `/api/backupSessions/{id}`: what ran, when, how it ended. 30 days of it.
//!
//! A policy's run is one `AgentBackup` session with an `AgentManagement` child per machine. The
//! child's job is a per-machine job of its own; only its link named *Parent session* leads to the
//! policy.

use super::{EnterpriseManager, is_refusal};
use crate::{
    time,
    uid::{self, JobUid, ManagedServerUid, SessionUid},
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

/// The `JobType` of agent sessions: a policy's run, and its part on one machine.
const AGENT_TYPES: &str = "(JobType==AgentBackup,JobType==AgentManagement)";
/// The other words that `JobType` is documented or was seen to have.
const OTHER_TYPES: &[&str] = &[
    "Backup",
    "BackupCopy",
    "BackupCopyWorker",
    "SimpleBackupCopy",
    "SimpleBackupCopyWorker",
    "ImmediateBackupCopy",
    "ImmediateBackupCopyWorker",
    "Replica",
    "CdpReplica",
    "NasBackup",
    "NasBackupCopy",
    "ObjectStorageBackup",
    "ObjectStorageBackupCopy",
    "SureBackup",
    "SqlLogBackup",
    "OracleLogBackup",
    "FileCopy",
    "VmCopy",
    "BackupToTape",
    "FileToTape",
    "VmTape",
    "FileTape",
    "Restore",
    "QuickMigration",
    "AzureBackup",
    "AwsBackup",
    "GoogleBackup",
];
/// A condition by job has some 95 bytes once encoded; http.sys stops reading at 16 KB of headers.
const JOBS_PER_REQUEST: usize = 40;

/// `BackupJobSession`, or as much of it as a reference tells.
#[derive(Clone, Debug)]
pub struct Session {
    /// The session's id.
    pub uid: SessionUid,
    /// `job@start`, or `job - machine@start`.
    pub name: String,
    /// The job's id, as the server that ran it numbers it. Per-machine sessions have a job of their
    /// own.
    pub job_uid: Option<JobUid>,
    /// The job's name when it ran.
    pub job_name: Option<SharedText>,
    /// The raw word: `AgentBackup`, `AgentManagement`, `Backup` …
    pub job_type: Option<SharedText>,
    /// When it began.
    pub created: Option<Timestamp>,
    /// When it ended; none while running.
    pub ended: Option<Timestamp>,
    /// The raw word: `Stopped`, `Working` …
    pub state: Option<SharedText>,
    /// The raw word: `Success`, `Warning`, `Failed`, `None`.
    pub result: Option<SharedText>,
    /// Percent.
    pub progress: Option<i64>,
    /// Often empty for failed sessions too: the reason is then on the task sessions.
    pub failure_message: Option<String>,
    /// Whether it is a retry of a failed run.
    pub is_retry: Option<bool>,
    /// The backup server that ran it, as Enterprise Manager numbers it.
    pub server_uid: Option<ManagedServerUid>,
    /// The same by name.
    pub server_name: Option<SharedText>,
    /// The session that this one is a machine's part of.
    pub parent: Option<SessionUid>,
}

impl Session {
    /// Whether nothing about it can change any more.
    pub fn is_finished(&self) -> bool {
        self.state
            .as_deref()
            .is_some_and(|state| state.eq_ignore_ascii_case("Stopped"))
            && self.ended.is_some()
            && self
                .result
                .as_deref()
                .is_some_and(|result| !result.eq_ignore_ascii_case("None"))
    }

    /// Whether its type is one of those that Enterprise Manager is known to send beside the
    /// agents'.
    fn is_of_a_known_type(&self) -> bool {
        let is_word = |word: &str| {
            OTHER_TYPES
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known))
        };
        self.job_type.as_deref().is_none_or(is_word)
    }

    /// Whether it belongs to agent jobs.
    pub fn is_agent(&self) -> bool {
        self.job_type.as_deref().is_none_or(|word| {
            // a reference has no type, and only the agent list is ever read as references
            word.eq_ignore_ascii_case("AgentBackup") || word.eq_ignore_ascii_case("AgentManagement")
        })
    }
}

impl Row for Session {
    type Identity = SessionUid;
    fn identity(&self) -> SessionUid {
        self.uid
    }
}

const MEMBERS: &[&str] = &[
    "uid",
    "name",
    "jobuid",
    "jobname",
    "jobtype",
    "creationtimeutc",
    "endtimeutc",
    "state",
    "result",
    "progress",
    "failuremessage",
    "isretry",
];
const ENTITIES: List = List {
    root: "backupjobsessions",
    plural: "backupjobsessions",
    singular: "backupjobsession",
};
const QUERY: Wanted = Wanted {
    inside: Some("entities"),
    lists: &[ENTITIES],
    members: MEMBERS,
};
/// Some servers ignore the format and answer with references.
const WHOLE_LIST: Wanted = Wanted {
    inside: None,
    lists: &[
        ENTITIES,
        List {
            root: "entityreferences",
            plural: "refs",
            singular: "ref",
        },
    ],
    members: MEMBERS,
};

/// A link, as far as it tells whose the session is.
struct Link {
    href: Option<String>,
    name: Option<SharedText>,
    kind: Option<String>,
    rel: Option<String>,
}

impl Link {
    fn read(mut fields: Fields) -> Result<Self, Fault> {
        let as_link = |fault| Fault {
            member: "links",
            ..fault
        };
        Ok(Self {
            href: fields
                .take("href", lenient::optional_text)
                .map_err(as_link)?,
            name: fields
                .take("name", lenient::optional_text)
                .map_err(as_link)?,
            kind: fields
                .take("type", lenient::optional_text)
                .map_err(as_link)?,
            rel: fields
                .take("rel", lenient::optional_text)
                .map_err(as_link)?,
        })
    }

    fn is_up(&self, kind: &str) -> bool {
        self.rel.as_deref() == Some("Up") && self.kind.as_deref() == Some(kind)
    }

    fn guid(&self, collection: &str) -> Option<uuid::Uuid> {
        uid::parse_href(self.href.as_deref()?, collection)
    }
}

impl Session {
    /// An entity, or as much of it as a reference tells.
    fn read(mut fields: Fields) -> Result<Self, Fault> {
        let uid = fields.urn("uid")?;
        let links: Vec<Link> = fields
            .links()?
            .into_iter()
            .map(Link::read)
            .collect::<Result<_, _>>()?;
        let server = links
            .iter()
            .find(|link| link.is_up("BackupServerReference"));
        let job = links.iter().find(|link| link.is_up("JobReference"));
        let parent = links
            .iter()
            .find(|link| link.is_up("BackupJobSessionReference"))
            .and_then(|link| link.guid("backupSessions"));
        let name: String = fields
            .take("name", lenient::optional_text)?
            .unwrap_or_default();
        let job_uid = fields
            .optional_urn("jobuid")?
            .or_else(|| job.and_then(|link| link.guid("jobs")));
        let job_name: Option<SharedText> = fields.take("jobname", lenient::optional_text)?;
        Ok(Self {
            uid: uid.into(),
            job_uid: job_uid.map(JobUid),
            job_name: job_name.or_else(|| job.and_then(|link| link.name.clone())),
            job_type: fields.take("jobtype", lenient::optional_text)?,
            created: fields
                .take("creationtimeutc", time::optional)?
                .or_else(|| time::from_session_name(&name)),
            ended: fields.take("endtimeutc", time::optional)?,
            state: fields.take("state", lenient::optional_text)?,
            result: fields.take("result", lenient::optional_text)?,
            progress: fields.take("progress", lenient::integer)?,
            failure_message: fields
                .take("failuremessage", lenient::optional_text::<_, String>)?
                .filter(|text| !text.trim().is_empty()),
            is_retry: fields.take("isretry", lenient::boolean)?,
            server_uid: server
                .and_then(|link| link.guid("backupServers"))
                .map(ManagedServerUid),
            server_name: server.and_then(|link| link.name.clone()),
            parent: parent.map(SessionUid),
            name,
        })
    }
}

impl EnterpriseManager {
    /// Every agent session that began at or after `since`, newest first.
    ///
    /// By query with a window. A server that refuses the query is asked for
    /// `/agents/backupSessions`, as entities and then as references: the same sessions for 30 days,
    /// unpaged; references know neither result nor end.
    pub async fn agent_sessions(&self, since: Timestamp) -> Result<Listing<Session>, Error> {
        let mut listing = match self
            .sessions_by(&format!("{AGENT_TYPES};{}", created_since(since)))
            .await
        {
            Err(error) if is_refusal(&error) => self.agent_session_list().await?,
            outcome => outcome?,
        };
        // what the filter said is checked again: a server that ignores it must not widen the answer
        let mut is_doubtful = false;
        listing.rows.retain(|session| {
            is_doubtful |= !session.is_agent() && !session.is_of_a_known_type();
            session.is_agent() && session.created.is_none_or(|created| created >= since)
        });
        if is_doubtful {
            self.doubt(
                &mut listing,
                "a session of a type that is not known: whether it is an agent's can't be told",
            );
        }
        Ok(listing)
    }

    /// The sessions of these jobs, of any type, that began at or after `since`. One request per 40
    /// jobs and page.
    pub async fn sessions_of_jobs(
        &self,
        jobs: &[JobUid],
        since: Timestamp,
    ) -> Result<Listing<Session>, Error> {
        let mut all = Listing {
            rows: Vec::new(),
            problem: None,
            pages: 0,
        };
        for chunk in jobs.chunks(JOBS_PER_REQUEST) {
            let any: Vec<String> = chunk
                .iter()
                .map(|job| format!("JobUid==\"urn:veeam:Job:{job}\""))
                .collect();
            let listing = self
                .sessions_by(&format!("({});{}", any.join(","), created_since(since)))
                .await?;
            all.pages += listing.pages;
            all.problem = all.problem.or(listing.problem);
            all.rows.extend(listing.rows);
        }
        if all.rows.iter().any(|session| session.job_uid.is_none()) {
            self.doubt(&mut all, "a session that does not say of which job it is");
        }
        all.rows.retain(|session| {
            session.job_uid.is_some_and(|job| jobs.contains(&job))
                && session.created.is_none_or(|created| created >= since)
        });
        Ok(all)
    }

    /// `GET /api/backupSessions/{id}?format=Entity`.
    pub async fn session(&self, session: SessionUid) -> Result<Option<Session>, Error> {
        let query = [("format", "Entity".to_owned())];
        let read = self
            .entity(
                &format!("/backupSessions/{session}"),
                &query,
                MEMBERS,
                Session::read,
            )
            .await?;
        let Some(read) = read else { return Ok(None) };
        if read.uid != session {
            return Err(self.client.invalid("another session than asked for"));
        }
        Ok(Some(read))
    }

    async fn sessions_by(&self, filter: &str) -> Result<Listing<Session>, Error> {
        self.query("BackupJobSession", &QUERY, filter, Session::read)
            .await
    }

    async fn agent_session_list(&self) -> Result<Listing<Session>, Error> {
        let path = "/agents/backupSessions";
        match self
            .list(
                path,
                &[("format", "Entity".to_owned())],
                &WHOLE_LIST,
                Session::read,
            )
            .await
        {
            Err(error) if is_refusal(&error) => {
                self.list(path, &[], &WHOLE_LIST, Session::read).await
            }
            outcome => outcome,
        }
    }
}

/// Reads the sessions that are still open from an earlier reading, a few at a time.
pub async fn reread(
    manager: &EnterpriseManager,
    sessions: Vec<SessionUid>,
) -> Result<Vec<Session>, Error> {
    let reads = stream::iter(sessions)
        .map(|session| manager.session(session))
        .buffered(4);
    let read: Vec<_> = reads.collect().await;
    read.into_iter().filter_map(Result::transpose).collect()
}

fn created_since(since: Timestamp) -> String {
    format!(
        "CreationTime>=\"{}\"",
        since.round(jiff::Unit::Second).unwrap_or(since)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::enterprise_manager::dialect;
    use crate::upstream::transport::Reply;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    fn sessions(media_type: &'static str, body: &'static str) -> Vec<Session> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let reply = Reply {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_static(body.as_bytes()),
        };
        let found = dialect::rows(&reply, &WHOLE_LIST, Session::read).unwrap();
        assert_eq!(found.unreadable, 0);
        found.rows
    }

    #[test]
    fn the_vendors_reference_list_gives_ids_server_job_parent_and_start() {
        let body = include_str!("../../../tests/fixtures/em-agents-backup-sessions.xml");
        let read = sessions("application/xml", body);
        assert_eq!(read.len(), 5);
        let child = &read[2];
        assert_eq!(
            child.uid.to_string(),
            "b0b3b4d5-fcfd-429c-928f-01a52ddfe560"
        );
        assert_eq!(
            child.parent.unwrap().to_string(),
            "addf6ac2-89d9-4f5c-b90b-2e63f84ac3da"
        );
        assert_eq!(
            child.job_uid.unwrap().to_string(),
            "a1e698f3-282c-484c-b942-e42c5c77449a"
        );
        assert_eq!(
            child.job_name.as_deref(),
            Some("Agent Backup rhel72 lvm - rhel72")
        );
        assert_eq!(
            child.server_uid.unwrap().to_string(),
            "8c88c6d6-931f-4044-8c0b-7a0c5f188b00"
        );
        assert_eq!(child.server_name.as_deref(), Some("local.host"));
        assert_eq!(
            child.created.map(time::render).as_deref(),
            Some("2018-12-16T10:00:08Z")
        );
        assert!(read[0].parent.is_none() && read[0].result.is_none());
    }

    #[test]
    fn an_entity_reads_the_same_in_both_casings_and_in_xml() {
        let json = r#"{"BackupJobSessions":[{"IsRetry":false,"JobUid":"urn:veeam:Job:408829ea-75b1-476c-80e1-47b731952e7a","JobName":"A & B","JobType":"AgentBackup","CreationTimeUTC":"2026-06-14T23:09:26.173Z","EndTimeUTC":null,"State":"Working","Result":"None","Progress":42,"FailureMessage":null,"Name":"A & B@2026-06-14 23:09:26","UID":"urn:veeam:BackupJobSession:45f138d9-7e5e-4140-bd33-088cc207a0f9","Links":null}]}"#;
        let camel = r#"{"backupJobSessions":[{"isRetry":false,"jobUid":"urn:veeam:Job:408829ea-75b1-476c-80e1-47b731952e7a","jobName":"A & B","jobType":"AgentBackup","creationTimeUTC":"2026-06-14T23:09:26.173Z","state":"Working","result":"None","progress":42,"name":"A & B@2026-06-14 23:09:26","uid":"urn:veeam:BackupJobSession:45f138d9-7e5e-4140-bd33-088cc207a0f9","links":[]}]}"#;
        let xml = r#"<BackupJobSessions xmlns="http://www.veeam.com/ent/v1.0"><BackupJobSession Type="BackupJobSession" Name="A &amp; B@2026-06-14 23:09:26" UID="urn:veeam:BackupJobSession:45f138d9-7e5e-4140-bd33-088cc207a0f9"><Links/><JobUid>urn:veeam:Job:408829ea-75b1-476c-80e1-47b731952e7a</JobUid><JobName>A &amp; B</JobName><JobType>AgentBackup</JobType><CreationTimeUTC>2026-06-14T23:09:26.173Z</CreationTimeUTC><State>Working</State><Result>None</Result><Progress>42</Progress><IsRetry>false</IsRetry></BackupJobSession></BackupJobSessions>"#;
        let shape = |session: &Session| format!("{session:?}");
        let all: Vec<String> = [
            ("application/json", json),
            ("application/json", camel),
            ("application/xml", xml),
        ]
        .into_iter()
        .map(|(media_type, body)| shape(&sessions(media_type, body)[0]))
        .collect();
        assert!(
            all[0].contains("progress: Some(42)")
                && all[0].contains("ended: None")
                && all[0].contains("is_retry: Some(false)")
        );
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
    }
}
