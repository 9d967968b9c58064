//! `GET /infrastructure/backupServers/jobs/agentJobs` with `expand=BackupServerJob`: what only
//! agent jobs have.
//!
//! The row itself has neither name nor status nor server; its parent job, expanded, has. A row
//! whose parent is missing (seen: sub-type lists longer than the job list) can't be placed on a
//! server and is kept out of every answer.

use super::{EXPAND_JOB, List, Vspc, job::Job};
use crate::{
    uid::{self, JobUid, ServerUid, UniqueJobUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use serde::Deserialize;

/// `BackupServerAgentJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct AgentJob {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_uid: Option<UniqueJobUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total_jobs_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub success_jobs_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub destination: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub job_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub os_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub license_type: Option<SharedText>,
    #[serde(default, rename = "_embedded", deserialize_with = "lenient::object")]
    pub embedded: Option<EmbeddedJob>,
}

/// `_embedded` of a sub-type row.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedJob {
    /// The parent job, if it was expanded and is there.
    #[serde(default, deserialize_with = "lenient::object")]
    pub backup_server_job: Option<Job>,
}

impl AgentJob {
    /// The server that the expanded parent names.
    pub fn server(&self) -> Option<ServerUid> {
        self.parent().map(|job| job.backup_server_uid)
    }

    /// The job that it is a part of, if it was expanded and is there.
    pub fn parent(&self) -> Option<&Job> {
        self.embedded.as_ref()?.backup_server_job.as_ref()
    }
}

impl Row for AgentJob {
    type Identity = (Option<ServerUid>, JobUid, Option<UniqueJobUid>);
    fn identity(&self) -> Self::Identity {
        (self.server(), self.instance_uid, self.unique_uid)
    }
}

impl Vspc {
    /// Every agent job, with its parent job.
    pub fn agent_jobs(&self) -> List<'_, AgentJob> {
        self.list("/infrastructure/backupServers/jobs/agentJobs", EXPAND_JOB)
    }

    /// The agent jobs of one server, with their parent jobs.
    pub fn agent_jobs_of_server(&self, server: ServerUid) -> List<'_, AgentJob> {
        self.list(
            format!("/infrastructure/backupServers/{server}/jobs/agentJobs"),
            EXPAND_JOB,
        )
    }
}
