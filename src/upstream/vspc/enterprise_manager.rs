//! `GET /infrastructure/enterpriseManagers` and `/{enterpriseManagerUid}/backupServers`: the one official bridge between
//! Service Provider Console's servers and Enterprise Manager's.

use super::{List, Vspc};
use crate::{
    uid::{EnterpriseManagerUid, ServerUid},
    upstream::{
        error::Error,
        pager::{Listing, Row},
    },
};
use serde::Deserialize;

/// `EnterpriseManager`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnterpriseManager {
    /// Service Provider Console's id of it.
    pub instance_uid: EnterpriseManagerUid,
}

/// `EnterpriseManagerBackupServer`: a server as one Enterprise Manager lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedBackupServer {
    /// Service Provider Console's id of the server.
    pub instance_uid: ServerUid,
    /// The DNS name or address under which Enterprise Manager knows it.
    pub address: Option<String>,
    /// Which Enterprise Manager lists it: from the path, not on the wire.
    #[serde(skip)]
    pub listed_by: Option<EnterpriseManagerUid>,
}

impl Row for EnterpriseManager {
    type Identity = EnterpriseManagerUid;
    fn identity(&self) -> EnterpriseManagerUid {
        self.instance_uid
    }
}

impl Row for ManagedBackupServer {
    type Identity = (ServerUid, Option<String>);
    fn identity(&self) -> Self::Identity {
        (self.instance_uid, self.address.clone())
    }
}

impl Vspc {
    /// Every Enterprise Manager that reports to the console.
    pub fn enterprise_managers(&self) -> List<'_, EnterpriseManager> {
        self.list("/infrastructure/enterpriseManagers", &[])
    }

    /// The servers that all Enterprise Managers list: one read for the managers, one more for each.
    pub async fn managed_backup_servers(&self) -> Result<Listing<ManagedBackupServer>, Error> {
        let managers = self.enterprise_managers().read().await?;
        let mut all = Listing { rows: Vec::new(), problem: managers.problem, pages: managers.pages };
        for manager in managers.rows {
            let path = format!("/infrastructure/enterpriseManagers/{}/backupServers", manager.instance_uid);
            match self.list::<ManagedBackupServer>(path, &[]).read().await {
                Ok(listing) => {
                    all.pages += listing.pages;
                    all.problem = all.problem.or(listing.problem);
                    all.rows.extend(listing.rows.into_iter().map(|mut row| {
                        row.listed_by = Some(manager.instance_uid);
                        row
                    }));
                }
                Err(error) => all.problem = all.problem.or(Some(error)),
            }
        }
        Ok(all)
    }
}
