//! `GET /infrastructure/backupServers/jobs`, `/jobs/{jobUid}` and `/{backupServerUid}/jobs`: jobs of every type.
//!
//! The last session only: history is Enterprise Manager's.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, CompanyUid, JobUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::{error::Error, lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `BackupServerJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct Job {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: JobUid,
    /// 3.5.1 and later.
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_uid: Option<UniqueJobUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub created_by: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub creation_time: Option<Timestamp>,
    #[serde(deserialize_with = "uid::required")]
    pub backup_server_uid: ServerUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub location_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub site_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub mapped_organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<SharedText>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub last_duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub processing_rate: Option<f64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub avg_duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub transferred_data: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backup_chain_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub bottleneck: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_enabled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub schedule_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub failure_message: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub target_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub destination: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub retention_limit: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub retention_limit_type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_gfs_option_enabled: Option<bool>,
}

impl Row for Job {
    type Identity = (ServerUid, JobUid, Option<UniqueJobUid>, Option<CompanyUid>, Option<CompanyUid>);
    fn identity(&self) -> Self::Identity {
        (self.backup_server_uid, self.instance_uid, self.unique_uid, self.organization_uid, self.mapped_organization_uid)
    }
}

impl Vspc {
    /// Every job of every server.
    pub fn jobs(&self) -> List<'_, Job> {
        self.list("/infrastructure/backupServers/jobs", &[])
    }

    /// The jobs of one server.
    pub fn jobs_of_server(&self, server: ServerUid) -> List<'_, Job> {
        self.list(format!("/infrastructure/backupServers/{server}/jobs"), &[])
    }

    /// The job with this id on some server: ids repeat, so look at `backup_server_uid` before believing it.
    pub async fn job(&self, job: JobUid) -> Result<Option<Job>, Error> {
        self.one(&format!("/infrastructure/backupServers/jobs/{job}")).await
    }
}
