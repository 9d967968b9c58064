//! `GET /infrastructure/managementAgents`: the agents by which Service Provider Console reaches the
//! machines of its companies.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, CompanyUid, LocationUid, ManagementAgentUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `ManagementAgent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ManagementAgent {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: ManagementAgentUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub location_uid: Option<LocationUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub host_name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub friendly_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub tag: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub connection_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub role: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_heartbeat_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub discovery_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_reboot_required: Option<bool>,
}

impl Row for ManagementAgent {
    type Identity = (ManagementAgentUid, Option<CompanyUid>, String);
    fn identity(&self) -> Self::Identity {
        // cloned machines keep the id, also over companies
        (
            self.instance_uid,
            self.organization_uid,
            self.host_name.clone(),
        )
    }
}

impl Vspc {
    /// Every management agent.
    pub fn management_agents(&self) -> List<'_, ManagementAgent> {
        self.list("/infrastructure/managementAgents", &[])
    }
}
