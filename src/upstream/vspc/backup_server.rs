//! `GET /infrastructure/backupServers` and `/{backupServerUid}`: the Veeam Backup & Replication
//! servers.

use super::{List, Vspc};
use crate::{
    uid::{self, CompanyUid, LocationUid, ManagementAgentUid, ServerUid},
    upstream::{error::Error, lenient, pager::Row},
};
use serde::Deserialize;

/// `BackupServer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct BackupServer {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: ServerUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub location_uid: Option<LocationUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub management_agent_uid: Option<ManagementAgentUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub display_version: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub installation_uid: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_server_role_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub in_high_availability_cluster: Option<bool>,
}

impl Row for BackupServer {
    type Identity = ServerUid;
    fn identity(&self) -> ServerUid {
        self.instance_uid
    }
}

impl Vspc {
    /// Every backup server that the account may see.
    pub fn backup_servers(&self) -> List<'_, BackupServer> {
        self.list("/infrastructure/backupServers", &[])
    }

    /// One backup server.
    pub async fn backup_server(&self, server: ServerUid) -> Result<Option<BackupServer>, Error> {
        self.one(&format!("/infrastructure/backupServers/{server}"))
            .await
    }
}
