//! `GET /infrastructure/backupServers/repositories`: where backups are kept.

use super::{List, Vspc};
use crate::{
    uid::{RepositoryUid, ServerUid},
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `BackupRepository`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct Repository {
    pub instance_uid: RepositoryUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// The default repository has the same id on every server: only with the server is it one.
    pub backup_server_uid: ServerUid,
}

impl Row for Repository {
    type Identity = (ServerUid, RepositoryUid);
    fn identity(&self) -> Self::Identity {
        (self.backup_server_uid, self.instance_uid)
    }
}

impl Vspc {
    /// Every repository of every server.
    pub fn repositories(&self) -> List<'_, Repository> {
        self.list("/infrastructure/backupServers/repositories", &[])
    }
}
