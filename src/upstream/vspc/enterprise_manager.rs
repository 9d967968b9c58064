//! `GET /infrastructure/enterpriseManagers` and `/{enterpriseManagerUid}/backupServers`: the one
//! official bridge between Service Provider Console's servers and Enterprise Manager's.

use super::{List, Vspc};
use crate::{
    uid::{self, EnterpriseManagerUid, OtherUid, ServerUid},
    upstream::{
        error::Error,
        lenient,
        pager::{Listing, Row},
    },
};
use serde::{Deserialize, Deserializer};

/// `EnterpriseManager`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct EnterpriseManager {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: EnterpriseManagerUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "uid::optional")]
    pub management_agent_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "text_of_an_id")]
    pub installation_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub version: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<String>,
    /// The servers that it lists: from a list of its own, not on the wire. None where that could
    /// not be read.
    #[serde(skip)]
    pub servers: Option<Vec<ManagedBackupServer>>,
}

/// The vendor calls it a text: one that is no id is none, and no fault.
fn text_of_an_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OtherUid>, D::Error> {
    Ok(uid::parse_urn(&lenient::text(deserializer)?).map(OtherUid))
}

/// `EnterpriseManagerBackupServer`: a server as one Enterprise Manager lists it.
///
/// The document calls both ids that of the server, and does not say whose the first is:
/// `instanceUid` may be Enterprise Manager's, or the console's like the one in `backupServer`. That
/// one is null where the console has no agent there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedBackupServer {
    /// The server's id: Enterprise Manager's, or Service Provider Console's.
    #[serde(default, deserialize_with = "uid::optional")]
    pub instance_uid: Option<OtherUid>,
    /// The DNS name or address under which Enterprise Manager knows it.
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub address: Option<String>,
    /// The server as the console knows it.
    #[serde(default)]
    backup_server: Option<KnownServer>,
}

/// The console's row of a server, as far as it is needed here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KnownServer {
    #[serde(default, deserialize_with = "uid::optional")]
    instance_uid: Option<ServerUid>,
}

impl ManagedBackupServer {
    /// The console's id of the server, where the row says for sure which it is.
    pub fn known(&self) -> Option<ServerUid> {
        self.backup_server.as_ref()?.instance_uid
    }

    /// The console's id of the server, unless the row has but Enterprise Manager's: then no list of
    /// the console has it.
    pub fn named(&self) -> Option<ServerUid> {
        self.known()
            .or(self.instance_uid.map(|uid| ServerUid(uid.0)))
    }
}

impl Row for EnterpriseManager {
    type Identity = EnterpriseManagerUid;
    fn identity(&self) -> EnterpriseManagerUid {
        self.instance_uid
    }
}

impl Row for ManagedBackupServer {
    type Identity = (Option<OtherUid>, Option<ServerUid>, Option<String>);
    fn identity(&self) -> Self::Identity {
        (self.instance_uid, self.known(), self.address.clone())
    }
}

impl Vspc {
    fn enterprise_manager_list(&self) -> List<'_, EnterpriseManager> {
        self.list("/infrastructure/enterpriseManagers", &[])
    }

    /// Every Enterprise Manager that reports to the console, with the servers that it lists: one
    /// read for the managers, one more for each.
    pub async fn enterprise_managers(&self) -> Result<Listing<EnterpriseManager>, Error> {
        let mut all = self.enterprise_manager_list().read().await?;
        for manager in &mut all.rows {
            let path = format!(
                "/infrastructure/enterpriseManagers/{}/backupServers",
                manager.instance_uid
            );
            match self.list::<ManagedBackupServer>(path, &[]).read().await {
                Ok(listing) => {
                    all.pages += listing.pages;
                    // part of them still tells by what names these are known
                    all.problem = all.problem.take().or(listing.problem);
                    manager.servers = Some(listing.rows);
                }
                Err(error) => all.problem = all.problem.take().or(Some(error)),
            }
        }
        Ok(all)
    }
}
