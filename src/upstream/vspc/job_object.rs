//! `GET /infrastructure/backupServers/jobs/backupVmJobs/objects` and its seven sisters (fleet, per
//! server): what jobs of a kind protect.
//!
//! The rows name no server. Agent jobs, which are asked more of, have a file of their own.

use super::{List, Vspc, job_detail::DetailKind};
use crate::{
    time,
    uid::{self, JobUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::{
        error::Error,
        lenient,
        pager::{Listing, Row},
        shared_text::SharedText,
    },
};
use jiff::Timestamp;
use serde::Deserialize;

/// `BackupServerVmJobObject` and its sisters: whatever members the kind has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct JobObject {
    #[serde(deserialize_with = "uid::required")]
    pub job_uid: JobUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub unique_job_uid: Option<UniqueJobUid>,
    /// The machine's, file share's or object storage's id.
    #[serde(
        default,
        alias = "fileShareUid",
        alias = "objectStorageUid",
        deserialize_with = "uid::optional"
    )]
    pub instance_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub platform: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub hierarchy_ref: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub is_excluded: Option<bool>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub host_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub path: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub sources: Option<Vec<Source>>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub last_session: Option<LastSession>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub failure_message: Option<String>,
    #[serde(default, deserialize_with = "time::optional")]
    pub last_session_end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub sla: Option<i64>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub bottleneck: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub max_delay_sec: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub avg_duration_sec: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub max_duration_sec: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub interval_sec: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub successful_sessions_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub failed_sessions_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub warnings_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total_transferred_data_kb: Option<i64>,
    /// The server whose list it was read from: from the path, not on the wire. None for the fleet's
    /// list.
    #[serde(skip)]
    pub asked_of: Option<ServerUid>,
}

/// `BackupServerFileJobObjectSource`: files that are protected.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Source {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub path: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::texts")]
    pub inclusion_masks: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::texts")]
    pub exclusion_masks: Option<Vec<String>>,
}

/// `BackupServerJobObjectLastSession` and its sisters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct LastSession {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub backup_status: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total_backed_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub source_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub transferred_size: Option<i64>,
    #[serde(default, deserialize_with = "time::optional")]
    pub start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "time::optional")]
    pub end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub duration: Option<i64>,
    #[serde(default, deserialize_with = "lenient::texts")]
    pub messages: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub source_files_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub changed_files_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub skipped_files_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub backed_up_files_count: Option<i64>,
}

impl Row for JobObject {
    type Identity = (
        Option<ServerUid>,
        JobUid,
        Option<UniqueJobUid>,
        Option<OtherUid>,
        Option<String>,
    );
    fn identity(&self) -> Self::Identity {
        // files of a host have no id
        let place = self
            .path
            .clone()
            .or_else(|| self.host_name.clone())
            .or_else(|| self.name.clone());
        (
            self.asked_of,
            self.job_uid,
            self.unique_job_uid,
            self.instance_uid,
            place,
        )
    }
}

impl DetailKind {
    /// The kinds whose jobs have lists of what they protect.
    pub const WITH_OBJECTS: [Self; 8] = [
        Self::BackupVm,
        Self::ReplicationVm,
        Self::CdpReplication,
        Self::FileShare,
        Self::FileShareCopy,
        Self::ObjectStorageBackup,
        Self::ObjectStorageBackupCopy,
        Self::FileTape,
    ];
}

impl Vspc {
    /// What every job of a kind protects.
    pub fn job_objects(&self, kind: DetailKind) -> List<'_, JobObject> {
        self.list(
            format!("/infrastructure/backupServers/jobs/{}/objects", kind.list()),
            &[],
        )
    }

    /// The same for the jobs of one server.
    pub async fn job_objects_of_server(
        &self,
        kind: DetailKind,
        server: ServerUid,
    ) -> Result<Listing<JobObject>, Error> {
        let list = self.list(
            format!(
                "/infrastructure/backupServers/{server}/jobs/{}/objects",
                kind.list()
            ),
            &[],
        );
        let mut listing: Listing<JobObject> = list.read().await?;
        listing
            .rows
            .iter_mut()
            .for_each(|row| row.asked_of = Some(server));
        Ok(listing)
    }
}
