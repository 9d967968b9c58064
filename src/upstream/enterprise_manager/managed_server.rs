//! `GET /api/backupServers?format=Entity`: the backup servers that Enterprise Manager collects from.

use super::EnterpriseManager;
use crate::{
    uid::{self, ManagedServerUid},
    upstream::{
        error::Error,
        pager::{Listing, Row},
    },
};
use serde::Deserialize;

/// `BackupServer` of Enterprise Manager.
#[derive(Debug)]
pub struct ManagedServer {
    /// Enterprise Manager's id: not the one that Service Provider Console uses.
    pub uid: ManagedServerUid,
    /// The DNS name or address under which it was added.
    pub name: String,
    /// The version, for example `12.3.2.3617`.
    pub version: Option<String>,
}

impl Row for ManagedServer {
    type Identity = ManagedServerUid;
    fn identity(&self) -> ManagedServerUid {
        self.uid
    }
}

#[derive(Deserialize)]
struct Raw {
    uid: String,
    name: Option<String>,
    version: Option<String>,
}

impl EnterpriseManager {
    /// Every backup server: a handful, on one page.
    pub async fn managed_servers(&self) -> Result<Listing<ManagedServer>, Error> {
        let query = [("format", "Entity".to_owned())];
        let mut document = self.expect_document("/backupServers", &query).await?;
        let rows: Vec<Raw> =
            document.rows(&["backupservers"], "backupservers", "backupserver").map_err(|detail| self.client.invalid(detail))?;
        let rows = rows
            .into_iter()
            .filter_map(|raw| {
                let uid = uid::parse_urn(&raw.uid)?.into();
                Some(ManagedServer { uid, name: raw.name.unwrap_or_default(), version: raw.version })
            })
            .collect();
        Ok(Listing { rows, problem: None, pages: 1 })
    }
}
