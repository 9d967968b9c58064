//! `GET /api/backupServers?format=Entity`: the backup servers that Enterprise Manager collects
//! from.

use super::EnterpriseManager;
use crate::{
    uid::ManagedServerUid,
    upstream::{
        enterprise_manager::dialect::{Fault, Fields, List, Wanted},
        error::Error,
        lenient,
        pager::{Listing, Row},
    },
};

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

const SERVERS: Wanted = Wanted {
    inside: None,
    lists: &[List {
        root: "backupservers",
        plural: "backupservers",
        singular: "backupserver",
    }],
    members: &["uid", "name", "version"],
};

impl ManagedServer {
    fn read(mut fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            uid: fields.urn("uid")?.into(),
            name: fields
                .take("name", lenient::optional_text)?
                .unwrap_or_default(),
            version: fields.take("version", lenient::optional_text)?,
        })
    }
}

impl EnterpriseManager {
    /// Every backup server: a handful, on one page.
    pub async fn managed_servers(&self) -> Result<Listing<ManagedServer>, Error> {
        let outcome = self
            .list(
                "/backupServers",
                &[("format", "Entity".to_owned())],
                &SERVERS,
                ManagedServer::read,
            )
            .await;
        if outcome
            .as_ref()
            .is_err_and(|error| error.status == Some(404))
        {
            self.client.seen(false);
        }
        outcome
    }
}
