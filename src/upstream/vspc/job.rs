//! `GET /infrastructure/backupServers/jobs`, `/jobs/{jobUid}` and `/{backupServerUid}/jobs`: jobs
//! of every type.
//!
//! The last session only: history is Enterprise Manager's.
//!
//! A job has two ids: Veeam Backup & Replication's, which repeats over servers whose configuration
//! was cloned, and the console's own. Which member has which depends on the version of the API: 3.5
//! alone has the console's in `instanceUid` and the other in `originalUid`. Rows leave here with
//! each in its place. Other lists name a job by either ([`Job::ids`]).

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, CompanyUid, JobUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::{error::Error, lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// `BackupServerJob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Job {
    /// Veeam Backup & Replication's id.
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: JobUid,
    /// The console's own id: none before 3.5.
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
    /// What 3.5 has of Veeam Backup & Replication's id.
    #[serde(default, deserialize_with = "uid::optional")]
    original_uid: Option<JobUid>,
    /// Whether the row came with the console's id in `instanceUid`: not on the wire.
    #[serde(skip)]
    pub ids_were_swapped: bool,
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut job = Self::deserialize(deserializer)?;
        if let (None, Some(original)) = (job.unique_uid, job.original_uid)
            && original != job.instance_uid
        {
            job.unique_uid = Some(UniqueJobUid(job.instance_uid.0));
            job.instance_uid = original;
            job.ids_were_swapped = true;
        }
        Ok(job)
    }
}

impl Job {
    /// Every id that other lists may name it by: Veeam Backup & Replication's, and the console's
    /// own.
    pub fn ids(&self) -> impl Iterator<Item = JobUid> + use<> {
        let unique = self
            .unique_uid
            .map(|unique| JobUid(unique.0))
            .filter(|unique| *unique != self.instance_uid);
        std::iter::once(self.instance_uid).chain(unique)
    }

    /// Whether this is one of its ids. Veeam Backup & Replication's may be another job's too, on
    /// another server.
    pub fn has_id(&self, uid: JobUid) -> bool {
        self.ids().any(|id| id == uid)
    }

    /// Whether this is the console's own id of it, which no other job has.
    pub fn has_unique_id(&self, uid: JobUid) -> bool {
        self.unique_uid.is_some_and(|unique| unique.0 == uid.0)
    }

    /// The id that the console's paths know it by.
    pub fn path_uid(&self) -> JobUid {
        match self.unique_uid {
            Some(unique) if self.ids_were_swapped => JobUid(unique.0),
            _ => self.instance_uid,
        }
    }
}

impl Row for Job {
    type Identity = (
        ServerUid,
        JobUid,
        Option<UniqueJobUid>,
        Option<CompanyUid>,
        Option<CompanyUid>,
    );
    fn identity(&self) -> Self::Identity {
        (
            self.backup_server_uid,
            self.instance_uid,
            self.unique_uid,
            self.organization_uid,
            self.mapped_organization_uid,
        )
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

    /// The job with this id on some server: ids repeat, so look at `backup_server_uid` before
    /// believing it.
    pub async fn job(&self, job: JobUid) -> Result<Option<Job>, Error> {
        self.one(&format!("/infrastructure/backupServers/jobs/{job}"))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "4614c798-a4d1-5d3c-b4e0-12b4e5723b98";
    const OF_SERVER: &str = "5c35da5c-830d-5699-8630-21ed438439df";
    const OF_CONSOLE: &str = "53ce4f05-dc2a-6df3-82d7-2805d7062b12";

    fn job(members: serde_json::Value) -> Job {
        let mut row = members;
        row["backupServerUid"] = SERVER.into();
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn each_id_is_in_its_place_whatever_the_version() {
        use serde_json::json;
        let of_server = JobUid(OF_SERVER.parse().unwrap());
        let of_console = UniqueJobUid(OF_CONSOLE.parse().unwrap());
        for (row, unique, path) in [
            // 3.4 and older
            (json!({"instanceUid": OF_SERVER}), None, OF_SERVER),
            // 3.5
            (
                json!({"instanceUid": OF_CONSOLE, "originalUid": OF_SERVER}),
                Some(of_console),
                OF_CONSOLE,
            ),
            // 3.5.1 and later, with what newer examples repeat
            (
                json!({"instanceUid": OF_SERVER, "uniqueUid": OF_CONSOLE}),
                Some(of_console),
                OF_SERVER,
            ),
            (
                json!({"instanceUid": OF_SERVER, "uniqueUid": OF_CONSOLE, "originalUid": OF_CONSOLE}),
                Some(of_console),
                OF_SERVER,
            ),
            (
                json!({"instanceUid": OF_SERVER, "originalUid": OF_SERVER}),
                None,
                OF_SERVER,
            ),
        ] {
            let job = job(row.clone());
            assert_eq!(
                (
                    job.instance_uid,
                    job.unique_uid,
                    job.path_uid().to_string().as_str()
                ),
                (of_server, unique, path),
                "{row}"
            );
            assert_eq!(job.ids().count(), 1 + usize::from(unique.is_some()));
            assert!(job.has_id(of_server) && !job.has_unique_id(of_server));
        }
    }
}
