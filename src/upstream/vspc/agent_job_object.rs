//! `GET /infrastructure/backupServers/jobs/agentJobs/objects` and `/agentJobs/{jobUid}/objects`:
//! the machines in agent jobs.
//!
//! Both take `limit` and `offset` alone. The same machine can come twice in one list.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, AgentUid, JobUid, ObjectUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `BackupServerAgentJobObject`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct AgentJobObject {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: ObjectUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_server_uid: Option<ServerUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub agent_uid: Option<AgentUid>,
    #[serde(deserialize_with = "uid::required")]
    pub job_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_job_uid: Option<UniqueJobUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub computer: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_status: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub last_duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub restore_points_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub os_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub failure_message: Option<String>,
}

impl Row for AgentJobObject {
    type Identity = (
        Option<OtherUid>,
        Option<ServerUid>,
        JobUid,
        Option<UniqueJobUid>,
        ObjectUid,
        Option<String>,
    );
    fn identity(&self) -> Self::Identity {
        // what the console numbers itself is one, whether or not the row names its server
        let server = self.backup_server_uid.filter(|_| self.unique_uid.is_none());
        (
            self.unique_uid,
            server,
            self.job_uid,
            self.unique_job_uid,
            self.instance_uid,
            self.computer.clone(),
        )
    }
}

impl Vspc {
    /// Every machine of every agent job.
    pub fn agent_job_objects(&self) -> List<'_, AgentJobObject> {
        self.list("/infrastructure/backupServers/jobs/agentJobs/objects", &[])
    }

    /// The machines of the agent jobs with this id, on whichever servers it occurs.
    pub fn agent_job_objects_of_job(&self, job: JobUid) -> List<'_, AgentJobObject> {
        self.list(
            format!("/infrastructure/backupServers/jobs/agentJobs/{job}/objects"),
            &[],
        )
    }
}
