//! `GET /infrastructure/backupServers/repositories` with `expand=BackupRepositoryInfo`: where
//! backups are kept, and how much room there is.

use super::{List, Vspc};
use crate::{
    uid::{self, RepositoryUid, ServerUid},
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `BackupRepository`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Repository {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: RepositoryUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// The default repository has the same id on every server: only with the server is it one.
    #[serde(deserialize_with = "uid::required")]
    pub backup_server_uid: ServerUid,
    /// Only there when asked for: without it a repository is a name.
    #[serde(default, rename = "_embedded", deserialize_with = "lenient::object")]
    pub info: Option<RepositoryInfo>,
}

/// `BackupRepositoryInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct RepositoryInfo {
    #[serde(default, deserialize_with = "uid::optional")]
    pub parent_repository_uid: Option<RepositoryUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub capacity: Option<i64>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_capacity_available: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub free_space: Option<i64>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_free_space_available: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub used_space: Option<i64>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_used_space_available: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backup_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_immutability_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub immutability_interval: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub path: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub host_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_out_of_date: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_cloud: Option<bool>,
}

/// A size that the row itself does not call unavailable. `Some(false)` beside a number means that
/// the number is none.
fn available(bytes: Option<i64>, is_available: Option<bool>) -> Option<i64> {
    bytes.filter(|bytes| *bytes >= 0 && is_available != Some(false))
}

impl RepositoryInfo {
    /// All the room, in bytes.
    pub fn capacity_bytes(&self) -> Option<i64> {
        available(self.capacity, self.is_capacity_available).filter(|bytes| *bytes > 0)
    }

    /// The room that is left, in bytes.
    pub fn free_bytes(&self) -> Option<i64> {
        available(self.free_space, self.is_free_space_available)
    }

    /// The room that is taken, in bytes: as given, or else what is not free.
    pub fn used_bytes(&self) -> Option<i64> {
        let given = available(self.used_space, self.is_used_space_available);
        given.or_else(|| {
            self.capacity_bytes()?
                .checked_sub(self.free_bytes()?)
                .filter(|bytes| *bytes >= 0)
        })
    }

    /// How much is free, in percent; none where more is said to be free than there is.
    pub fn free_percent(&self) -> Option<f64> {
        let percent = self.free_bytes()? as f64 * 100.0 / self.capacity_bytes()? as f64;
        Some(percent).filter(|percent| *percent <= 100.0)
    }
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
        self.list(
            "/infrastructure/backupServers/repositories",
            &[("expand", "BackupRepositoryInfo")],
        )
    }
}
