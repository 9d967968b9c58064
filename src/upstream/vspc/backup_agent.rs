//! `GET /infrastructure/backupServers/agents` and `/{backupServerUid}/agents/{agentUid}`: the
//! agents that backup servers manage, which is what the machines in agent jobs name as theirs.

use super::{List, Vspc};
use crate::{
    uid::{self, AgentUid, ServerUid},
    upstream::{error::Error, lenient, pager::Row, shared_text::SharedText},
};
use serde::Deserialize;

/// `BackupServerAgent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct BackupAgent {
    /// None of an agent that was only found, and is not installed yet.
    #[serde(default, deserialize_with = "uid::optional")]
    pub instance_uid: Option<AgentUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub machine_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub guest_os: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::texts")]
    pub ip_addresses: Option<Vec<String>>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_server_uid: Option<ServerUid>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_unmanaged: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub installation_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub license: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub license_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub os_type: Option<SharedText>,
}

impl Row for BackupAgent {
    type Identity = (Option<ServerUid>, Option<AgentUid>, String, Option<String>);
    fn identity(&self) -> Self::Identity {
        // some machines share the id of their hardware, and some have none
        (
            self.backup_server_uid,
            self.instance_uid,
            self.name.clone(),
            self.machine_name.clone(),
        )
    }
}

impl Vspc {
    /// Every agent of every backup server.
    pub fn backup_agents(&self) -> List<'_, BackupAgent> {
        self.list("/infrastructure/backupServers/agents", &[])
    }

    /// One agent of one backup server.
    pub async fn backup_agent(
        &self,
        server: ServerUid,
        agent: AgentUid,
    ) -> Result<Option<BackupAgent>, Error> {
        self.one(&format!(
            "/infrastructure/backupServers/{server}/agents/{agent}"
        ))
        .await
    }
}
