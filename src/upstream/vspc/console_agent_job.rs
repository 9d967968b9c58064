//! `GET /infrastructure/backupAgents/jobs`: the jobs of backup agents that no backup server
//! manages.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, AgentUid, CompanyUid, ConsoleJobUid, OtherUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `BackupAgentJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ConsoleAgentJob {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: ConsoleJobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub original_uid: Option<OtherUid>,
    #[serde(deserialize_with = "uid::required")]
    pub backup_agent_uid: AgentUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub config_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub system_type: Option<SharedText>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_policy_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_name: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_assign_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_policy_failure_message: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub operation_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub destination: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub restore_points: Option<i64>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub last_duration: Option<i64>,
    #[serde(default, deserialize_with = "time::optional")]
    pub next_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub avg_duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub target_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub schedule_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub schedule_display_name: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_modified_date: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub last_modified_by: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub failure_message: Option<String>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backed_up_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub free_space: Option<i64>,
}

impl Row for ConsoleAgentJob {
    type Identity = (AgentUid, ConsoleJobUid, Option<CompanyUid>, String);
    fn identity(&self) -> Self::Identity {
        (
            self.backup_agent_uid,
            self.instance_uid,
            self.organization_uid,
            self.name.clone(),
        )
    }
}

impl Vspc {
    /// Every job of every agent.
    pub fn console_agent_jobs(&self) -> List<'_, ConsoleAgentJob> {
        self.list("/infrastructure/backupAgents/jobs", &[])
    }
}
