//! `GET /infrastructure/backupAgents`: every backup agent that the console knows, whoever manages
//! it.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, AgentUid, CompanyUid, OtherUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `BackupAgent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ConsoleAgent {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: AgentUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub management_agent_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub management_agent_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub agent_platform: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub operation_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub gui_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub platform: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version_status: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub activation_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub management_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub installation_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total_jobs_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub running_jobs_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub success_jobs_count: Option<i64>,
}

impl ConsoleAgent {
    /// Whether a backup server manages it: then its jobs and machines are that server's, and told
    /// there.
    pub fn is_of_server(&self) -> bool {
        self.management_mode
            .as_deref()
            .is_some_and(|mode| mode.trim().eq_ignore_ascii_case("ManagedByVBR"))
    }
}

impl Row for ConsoleAgent {
    type Identity = (AgentUid, Option<CompanyUid>, String);
    fn identity(&self) -> Self::Identity {
        // some machines share the id of their hardware, also over companies
        (self.instance_uid, self.organization_uid, self.name.clone())
    }
}

impl Vspc {
    /// Every agent.
    pub fn console_agents(&self) -> List<'_, ConsoleAgent> {
        self.list("/infrastructure/backupAgents", &[])
    }
}
