//! `GET /infrastructure/backupServers/agents` and `/{backupServerUid}/agents/{agentUid}`: the agents that backup servers
//! manage, which is what the machines in agent jobs name as theirs.

use super::{List, Vspc};
use crate::{
    uid::{self, AgentUid, ServerUid},
    upstream::{error::Error, lenient, pager::Row, shared_text::SharedText},
};
use serde::Deserialize;

/// `BackupServerAgent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct BackupAgent {
    pub instance_uid: AgentUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    pub machine_name: Option<String>,
    pub guest_os: Option<SharedText>,
    pub version: Option<SharedText>,
    #[serde(default)]
    pub ip_addresses: Option<Vec<String>>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_server_uid: Option<ServerUid>,
    pub is_unmanaged: Option<bool>,
    pub installation_status: Option<SharedText>,
    pub license: Option<SharedText>,
    pub license_status: Option<SharedText>,
    pub os_type: Option<SharedText>,
}

impl Row for BackupAgent {
    type Identity = (Option<ServerUid>, AgentUid);
    fn identity(&self) -> Self::Identity {
        (self.backup_server_uid, self.instance_uid)
    }
}

impl Vspc {
    /// Every agent of every backup server.
    pub fn backup_agents(&self) -> List<'_, BackupAgent> {
        self.list("/infrastructure/backupServers/agents", &[])
    }

    /// One agent of one backup server.
    pub async fn backup_agent(&self, server: ServerUid, agent: AgentUid) -> Result<Option<BackupAgent>, Error> {
        self.one(&format!("/infrastructure/backupServers/{server}/agents/{agent}")).await
    }
}
