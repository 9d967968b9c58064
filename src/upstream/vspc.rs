//! Veeam Service Provider Console, REST v3.
//!
//! Traps with their home here: an unknown path answers 200 with the web UI's HTML, so the content type and the envelope
//! are checked before anything is believed; `data` can come with `errors`, and is then part of the truth.

pub mod agent_job;
pub mod agent_job_object;
pub mod alarm;
pub mod backup_agent;
pub mod backup_copy_job;
pub mod backup_server;
pub mod computer_backup;
pub mod console_agent;
pub mod console_agent_job;
pub mod enterprise_manager;
pub mod job;
pub mod job_detail;
pub mod job_object;
pub mod license_usage;
pub mod linked_job;
pub mod linked_repository;
pub mod location;
pub mod organization;
pub mod protected_workload;
pub mod repository;

use super::{
    client::Client,
    error::Error,
    oauth::OAuth,
    pager::{self, Listing, Opened, Page, PageSource, Row},
    settings::Settings,
};
use crate::aside::aside_if_long;
use serde::{Deserialize, de::DeserializeOwned};
use std::{marker::PhantomData, sync::Arc};

/// The largest page the API gives (`limit=501` is a 400).
const PAGE_SIZE: u64 = 500;

/// A client of one Service Provider Console.
#[derive(Debug)]
pub struct Vspc {
    client: Client<OAuth>,
}

/// Reads a sub-type row's parent job along with it; without it the rows have no name and no status.
const EXPAND_JOB: &[(&str, &str)] = &[("expand", "BackupServerJob")];

impl Vspc {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let credentials = settings.credentials.clone();
        Ok(Self { client: Client::new(settings, OAuth { path: "/api/v3/token", credentials, read_only: true })? })
    }

    /// Whether anybody answers, for those who have no token.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach("/api/v3/about").await
    }

    /// `GET /api/v3/about`: the console's version. Also proves that it can be reached and that we may ask it.
    pub async fn version(&self) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct About {
            server_version: Option<String>,
        }
        Ok(self.one::<About>("/about").await?.and_then(|about| about.server_version))
    }

    /// One object: `None` when there is no such.
    async fn one<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<Option<T>, Error> {
        match self.envelope::<T>(path, &[]).await {
            Ok(envelope) => Ok(Some(envelope.data)),
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A list whose pages are read as they are asked for.
    fn list<'a, T: Row + DeserializeOwned>(
        &'a self,
        path: impl Into<String>,
        query: &'static [(&'static str, &'static str)],
    ) -> List<'a, T> {
        List { vspc: self, path: path.into(), query, row: PhantomData }
    }

    async fn envelope<D: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Envelope<D>, Error> {
        let reply = self.client.get(&format!("/api/v3{path}"), query, "application/json").await?;
        if !reply.media_type().contains("json") {
            // the web UI's page, as for any path that this version does not have
            return Err(self.client.invalid(format!("the answer is {:?}, not JSON", reply.media_type())).absent());
        }
        let read = aside_if_long(reply.body.len(), move || serde_json::from_slice(&reply.body)).await;
        read.map_err(|error| self.client.invalid(format!("not the documented shape: {error}")))
    }
}

/// `{"meta": {"pagingInfo": …}, "data": …, "errors": …}`.
#[derive(Deserialize)]
struct Envelope<D> {
    #[serde(default)]
    meta: Option<Meta>,
    data: D,
    #[serde(default)]
    errors: Option<Vec<ApiError>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    paging_info: Option<PagingInfo>,
}

#[derive(Deserialize)]
struct PagingInfo {
    total: u64,
    offset: Option<u64>,
}

#[derive(Deserialize)]
struct ApiError {
    code: Option<i64>,
    r#type: Option<String>,
}

/// One list of the API, page by page.
pub struct List<'a, T> {
    vspc: &'a Vspc,
    path: String,
    query: &'static [(&'static str, &'static str)],
    row: PhantomData<fn() -> T>,
}

impl<T: Row + DeserializeOwned> List<'_, T> {
    /// Reads the first page, which tells how many there are.
    pub async fn open(&self) -> Result<Opened<T>, Error> {
        pager::open(self).await
    }

    /// Reads every page.
    pub async fn read(&self) -> Result<Listing<T>, Error> {
        self.open().await?.finish(self).await
    }
}

impl<T: Row + DeserializeOwned> PageSource<T> for List<'_, T> {
    async fn page(&self, offset: u64) -> Result<Page<T>, Error> {
        let mut query: Vec<(&'static str, String)> = self.query.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        query.extend([("limit", PAGE_SIZE.to_string()), ("offset", offset.to_string())]);
        let envelope = self.vspc.envelope::<Vec<T>>(&self.path, &query).await?;
        let rows = envelope.data.len() as u64;
        let paging = match envelope.meta.and_then(|meta| meta.paging_info) {
            Some(paging) => paging,
            // lists that take no limit may say nothing of pages; a list as long as a default page may have been cut
            None if rows < 100 => PagingInfo { total: rows, offset: None },
            None => return Err(self.vspc.client.invalid("a list without pagingInfo")),
        };
        let problem = envelope.errors.filter(|errors| !errors.is_empty()).map(|errors| {
            let first = &errors[0];
            self.vspc.client.invalid(format!("{} errors beside the data, the first: {:?} {:?}", errors.len(), first.r#type, first.code))
        });
        Ok(Page { rows: envelope.data, offset: paging.offset, total: paging.total, problem })
    }

    fn page_size(&self) -> u64 {
        PAGE_SIZE
    }

    fn concurrency(&self) -> usize {
        self.vspc.client.transport.max_concurrency()
    }

    fn upstream(&self) -> &Arc<str> {
        &self.vspc.client.transport.name
    }
}
