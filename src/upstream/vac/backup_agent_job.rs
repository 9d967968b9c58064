//! `GET /v2/backupAgents/{agentUid}/jobs` and `/v2/backupAgents/{agentUid}/jobs/{jobUid}`: a
//! standalone agent's jobs.
//!
//! Three members have two spellings, one in the vendor's collection example and one in the item's:
//! both are read. The id is all zeros for Veeam Agent for Windows up to 2.2, so it identifies
//! nothing on its own.

use super::Vac;
use crate::{
    time,
    uid::{self, AgentUid, JobUid, OtherUid},
    upstream::{
        error::Error,
        lenient,
        pager::{Listing, Row},
        shared_text::SharedText,
    },
};
use jiff::Timestamp;
use serde::Deserialize;

/// One job of an agent, every member of the vendor's document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct BackupAgentJob {
    #[serde(default, deserialize_with = "uid::optional")]
    pub id: Option<JobUid>,
    #[serde(
        default,
        alias = "lastSessionStatusId",
        deserialize_with = "lenient::optional_text"
    )]
    pub last_session_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub description: Option<String>,
    #[serde(
        default,
        alias = "operationModeId",
        deserialize_with = "lenient::optional_text"
    )]
    pub operation_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub destination: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub restore_points: Option<i64>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_restore_point: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backup_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub schedule_type: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_modified: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub last_modification_done_by: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub free_space: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub avg_duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub last_duration: Option<i64>,
    #[serde(
        default,
        alias = "backupMode",
        deserialize_with = "lenient::optional_text"
    )]
    pub backup_mode_id: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub target_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub disabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub failure_message: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_note: Option<String>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub cloud_connect_agent_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backup_policy_id: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_name: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_status: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub next_run: Option<Timestamp>,
    /// An array; VAC 2.0 printed an object here, and `setLinks` can leave it out.
    #[serde(default, rename = "_links")]
    pub links: Links,
    /// The agent that was asked: from the path, not on the wire.
    #[serde(skip)]
    pub agent: Option<AgentUid>,
}

/// `_links` in its two shapes; only the array carries what the graph shows.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Links {
    /// The documented shape.
    Array(Vec<Link>),
    /// Anything else.
    Other(serde::de::IgnoredAny),
}

impl Default for Links {
    fn default() -> Self {
        Links::Array(Vec::new())
    }
}

/// What can be done with the job, and where the vendor says so. Never followed.
#[derive(Debug, Deserialize)]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Link {
    #[serde(default, deserialize_with = "lenient::text")]
    pub rel: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub method: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub href: String,
}

impl Row for BackupAgentJob {
    type Identity = (Option<AgentUid>, Option<JobUid>, String);
    fn identity(&self) -> Self::Identity {
        (self.agent, self.id, self.name.clone())
    }
}

impl Vac {
    /// The jobs of one agent, on one page.
    pub async fn backup_agent_jobs(
        &self,
        agent: AgentUid,
    ) -> Result<Option<Listing<BackupAgentJob>>, Error> {
        let mut read = self
            .list::<BackupAgentJob>(&format!("/v2/backupAgents/{agent}/jobs"))
            .await?;
        for job in read.iter_mut().flat_map(|listing| &mut listing.rows) {
            job.agent = Some(agent);
        }
        Ok(read)
    }

    /// One job of one agent.
    pub async fn backup_agent_job(
        &self,
        agent: AgentUid,
        job: JobUid,
    ) -> Result<Option<BackupAgentJob>, Error> {
        let Some(read) = self
            .one::<BackupAgentJob>(&format!("/v2/backupAgents/{agent}/jobs/{job}"))
            .await?
        else {
            return Ok(None);
        };
        if read.id != Some(job) {
            return Err(self.client.invalid("another job than asked for"));
        }
        Ok(Some(BackupAgentJob {
            agent: Some(agent),
            ..read
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_three_doubtful_members_are_read() {
        let item: BackupAgentJob = serde_json::from_str(
            r#"{"lastSessionStatus":"Success","operationMode":"Server","backupModeId":"Folder"}"#,
        )
        .unwrap();
        let collection: BackupAgentJob = serde_json::from_str(
            r#"{"lastSessionStatusId":"Success","operationModeId":"Server","backupMode":"Folder"}"#,
        )
        .unwrap();
        assert_eq!(item.last_session_status, collection.last_session_status);
        assert_eq!(item.operation_mode, collection.operation_mode);
        assert_eq!(item.backup_mode_id, collection.backup_mode_id);
    }

    #[test]
    fn never_and_nobody_are_nothing() {
        let text = r#"{"id":"00000000-0000-0000-0000-000000000000","lastRun":"0001-01-01T00:00:00","_links":{"self":{"href":"x"}}}"#;
        let job: BackupAgentJob = serde_json::from_str(text).unwrap();
        assert!(job.id.is_none() && job.last_run.is_none());
    }
}
