//! Veeam Service Provider Console, REST v3.
//!
//! Traps with their home here: an unknown path answers 200 with the web UI's HTML, so the content
//! type and the envelope are checked before anything is believed; `data` can come with `errors`,
//! and is then part of the truth; one row that can't be read costs itself (`json_rows.rs`). What
//! differs from version to version, and which one is asked for, is in `dialect.rs`.

pub mod agent_job;
pub mod agent_job_object;
pub mod alarm;
pub mod backup_agent;
pub mod backup_copy_job;
pub mod backup_server;
pub mod computer_backup;
pub mod console_agent;
pub mod console_agent_job;
pub mod dialect;
pub mod enterprise_manager;
pub mod job;
pub mod job_detail;
pub mod job_object;
pub mod license_usage;
pub mod linked_job;
pub mod linked_repository;
pub mod location;
pub mod management_agent;
pub mod organization;
pub mod protected_workload;
pub mod repository;

use super::{
    client::Client,
    error::{Error, ErrorKind},
    json_rows::{self, Rows},
    lenient,
    oauth::OAuth,
    pager::{self, Listing, Opened, Page, PageSource, Row},
    settings::Settings,
    transport::{Get, Reply},
    upstream_message,
};
use crate::blocking::run_if_large;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{marker::PhantomData, sync::Arc};

/// The largest page the API gives (`limit=501` is a 400).
const PAGE_SIZE: u64 = 500;
/// Every version has it.
const ABOUT: &str = "/api/v3/about";

/// A client of one Service Provider Console.
#[derive(Debug)]
pub struct Vspc {
    client: Client<OAuth>,
    /// Whether the configuration says which version of the API is asked for.
    is_set: bool,
}

/// Reads a sub-type row's parent job along with it; without it the rows have no name and no status.
const EXPAND_JOB: &[(&str, &str)] = &[("expand", "BackupServerJob")];

impl Vspc {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let credentials = settings.credentials.clone();
        settings.dialect.set(settings.client_version.clone());
        Ok(Self {
            client: Client::new(
                settings,
                OAuth {
                    path: "/api/v3/token",
                    credentials,
                    read_only: true,
                },
            )?,
            is_set: settings.client_version.is_some(),
        })
    }

    /// Whether the API answers, for those who have no token: with a refusal, but not with a web
    /// page.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach(ABOUT).await
    }

    /// `GET /api/v3/about`: the console's version. Also proves that it can be reached and that we
    /// may ask it.
    pub async fn version(&self) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct About {
            server_version: Option<String>,
        }
        let dialect = &self.client.dialect;
        let mut last = None;
        // as often as there are versions to step back over, and once more for each way
        for _ in 0..dialect::MOST_STEPS {
            let outcome = self.envelope::<About>("/about").await;
            self.client.seen(outcome.is_ok());
            let version = match outcome {
                Ok(about) => about.server_version,
                Err(error) if error.status == Some(400) && dialect.version().is_some() => {
                    if self.is_set || !dialect.step_back() {
                        let why = format!(
                            "the console refused version {:?} of its API",
                            dialect.version().unwrap_or_default()
                        );
                        return Err(Error {
                            detail: format!("{why}: {}", error.detail),
                            ..error
                        }
                        .of_api());
                    }
                    continue;
                }
                Err(error) => return Err(error.of_api()),
            };
            // a version that is but a guess is asked for once before anybody relies on it
            if self.is_set || !dialect.learn(version.as_deref()) {
                return Ok(version);
            }
            last = version;
        }
        Ok(last)
    }

    /// One object: `None` when there is no such.
    async fn one<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
    ) -> Result<Option<T>, Error> {
        match self.envelope::<T>(path).await {
            Ok(data) => Ok(Some(data)),
            // a server that has no such API has none of its objects either: that is no answer to
            // the question
            Err(error) if error.is_missing() => {
                if !self.client.is_here() {
                    self.version().await?;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A list whose pages are read as they are asked for.
    fn list<'a, T: Row + DeserializeOwned>(
        &'a self,
        path: impl Into<String>,
        query: &'static [(&'static str, &'static str)],
    ) -> List<'a, T> {
        List {
            vspc: self,
            path: path.into(),
            query,
            row: PhantomData,
        }
    }

    /// The data of one object's answer.
    async fn envelope<D: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<D, Error> {
        let path = format!("/api/v3{path}");
        let get = Get::of(&path, &[]);
        let reply = self.json(&get).await?;
        let body = reply.body.clone();
        let read = run_if_large(reply.body.len(), move || {
            serde_json::from_str::<Envelope<D>>(&json_rows::text(&body))
        })
        .await;
        let unusable =
            |kind, detail: String| self.client.unusable(kind, &get, &reply, detail).told(None);
        let envelope = read.map_err(|error| {
            unusable(
                ErrorKind::Invalid,
                format!("not the documented shape: {error}"),
            )
        })?;
        self.client.seen(true);
        match (envelope.data, envelope.errors) {
            (Some(data), _) => Ok(data),
            (None, errors) => {
                let (kind, detail) = blame(&errors.unwrap_or_default());
                Err(unusable(kind, detail))
            }
        }
    }

    /// One answer in JSON.
    async fn json(&self, get: &Get<'_>) -> Result<Reply, Error> {
        let reply = self.client.get(get.path, get.query, get.accept).await?;
        if !reply.media_type().contains("json") {
            // the web UI's page, as for any path that this version does not have
            let detail = format!(
                "expected JSON, and {:?} came",
                upstream_message::printable(&reply.media_type())
            );
            return Err(self
                .client
                .unusable(ErrorKind::Invalid, get, &reply, detail)
                .absent()
                .told(None));
        }
        Ok(reply)
    }
}

/// `{"meta": {"pagingInfo": …}, "data": …, "errors": …}`.
#[derive(Deserialize)]
struct Envelope<D> {
    meta: Option<Meta>,
    data: Option<D>,
    errors: Option<Vec<ApiError>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    paging_info: Option<PagingInfo>,
}

#[derive(Deserialize)]
struct PagingInfo {
    #[serde(default, deserialize_with = "lenient::integer")]
    total: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    offset: Option<i64>,
    /// What some versions call the offset.
    #[serde(default, deserialize_with = "lenient::integer")]
    skip: Option<i64>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    r#type: serde_json::Value,
}

/// What the errors of an answer come to. Their texts are in the words of the whole answer.
fn blame(errors: &[ApiError]) -> (ErrorKind, String) {
    let is = |error: &ApiError, kind: &str| {
        error
            .r#type
            .as_str()
            .is_some_and(|word| word.eq_ignore_ascii_case(kind))
    };
    match errors.first() {
        None => (
            ErrorKind::Invalid,
            "expected data, and null came".to_owned(),
        ),
        Some(first) => {
            let denied = errors.iter().any(|error| is(error, "security"));
            let told =
                upstream_message::printable(&format!("type {}, code {}", first.r#type, first.code));
            let kind = if denied {
                ErrorKind::Unauthorized
            } else {
                ErrorKind::Invalid
            };
            (
                kind,
                format!(
                    "expected data alone, and {} errors came, the first: {told}",
                    errors.len()
                ),
            )
        }
    }
}

/// A page of a list as read: all rows at once, or each for itself where one of them can't be read.
fn page<T: DeserializeOwned>(body: &[u8]) -> Result<Envelope<Rows<T>>, serde_json::Error> {
    if let Ok(envelope) = serde_json::from_slice::<Envelope<Vec<T>>>(body) {
        return Ok(Envelope {
            meta: envelope.meta,
            data: envelope.data.map(Rows::from),
            errors: envelope.errors,
        });
    }
    let text = json_rows::text(body);
    let envelope = serde_json::from_str::<Envelope<Vec<&RawValue>>>(&text)?;
    Ok(Envelope {
        meta: envelope.meta,
        data: envelope.data.map(Rows::each),
        errors: envelope.errors,
    })
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

    /// The answer with a page, and its path: by whichever of its spellings the console has for this
    /// list.
    async fn reply(&self, query: &[(&'static str, String)]) -> Result<(String, Reply), Error> {
        let dialect = &self.vspc.client.dialect;
        // others may find out at the same time: what was tried here is not looked up again
        let (first, other) = dialect.spellings(&self.path);
        let mut outcome = self.reply_at(&first, query).await;
        if let (Err(error), Some(other)) = (&outcome, other)
            && error.is_absent
        {
            let again = self.reply_at(&other, query).await;
            if !again.as_ref().is_err_and(|error| error.is_absent) {
                if again.is_ok() {
                    dialect.is_spelt(&other);
                }
                outcome = again;
            }
        }
        match &outcome {
            Err(error) if error.is_absent => dialect.is_absent(&self.path, error),
            Err(_) => {}
            Ok(_) => dialect.is_there(&self.path),
        }
        outcome
    }

    async fn reply_at(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<(String, Reply), Error> {
        let path = format!("/api/v3{path}");
        let outcome = self.vspc.json(&Get::of(&path, query)).await;
        let reply = outcome.map_err(|error| {
            // the list of a server or a job is also missing where that is: only the fleet's says
            // that there is no such list
            let is_of_one = path
                .split('/')
                .any(|part| uuid::Uuid::try_parse(part).is_ok());
            if error.status == Some(404) && !is_of_one {
                error.absent()
            } else {
                error
            }
        })?;
        Ok((path, reply))
    }

    /// Reads every page.
    pub async fn read(&self) -> Result<Listing<T>, Error> {
        self.open().await?.finish(self).await
    }
}

impl<T: Row + DeserializeOwned> PageSource<T> for List<'_, T> {
    async fn page(&self, offset: u64) -> Result<Page<T>, Error> {
        let mut query: Vec<(&'static str, String)> = self
            .query
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        query.extend([
            ("limit", PAGE_SIZE.to_string()),
            ("offset", offset.to_string()),
        ]);
        let (path, reply) = self.reply(&query).await?;
        let get = Get::of(&path, &query);
        let body = reply.body.clone();
        let read = run_if_large(reply.body.len(), move || page::<T>(&body)).await;
        let unusable = |kind, detail: String| {
            self.vspc
                .client
                .unusable(kind, &get, &reply, detail)
                .told(None)
        };
        let Envelope { meta, data, errors } = read.map_err(|error| {
            unusable(
                ErrorKind::Invalid,
                format!("not the documented shape: {error}"),
            )
        })?;
        self.vspc.client.seen(true);
        let errors = errors.unwrap_or_default();
        let Some(Rows {
            rows,
            unreadable,
            first,
        }) = data
        else {
            let (kind, detail) = blame(&errors);
            return Err(unusable(kind, detail));
        };
        let mut problem = (!errors.is_empty())
            .then(|| blame(&errors))
            .map(|(kind, detail)| unusable(kind, detail));
        if let Some(first) = first {
            let error = self
                .vspc
                .client
                .invalid(first.detail(offset, unreadable))
                .with_status(reply.status.as_u16());
            let error = error.at(get.path, get.page()).told(None);
            problem.get_or_insert(error);
        }
        // whether the list is whole without such rows is known where they are needed: here they
        // are told
        let missing_id = |(place, row): (usize, &T)| Some((place, row.missing_id()?));
        if let Some((place, member)) = rows.iter().enumerate().find_map(missing_id) {
            let count = rows.iter().filter(|row| row.missing_id().is_some()).count();
            let detail = json_rows::without_id(offset, place, unreadable, member, count);
            let error = self.vspc.client.invalid(detail);
            drop(error.at(get.path, get.page()).told(None));
        }
        let served = (rows.len() + unreadable) as u64;
        let paging = meta.and_then(|meta| meta.paging_info);
        let total = paging
            .as_ref()
            .and_then(|paging| paging.total)
            .and_then(|total| u64::try_from(total).ok());
        if total.is_none() {
            // how long the list is is not known: what is there is shown
            problem.get_or_insert_with(|| {
                unusable(
                    ErrorKind::Invalid,
                    "expected meta.pagingInfo.total with the rows".to_owned(),
                )
            });
        }
        let echoed = paging
            .and_then(|paging| paging.offset.or(paging.skip))
            .map(|offset| u64::try_from(offset).unwrap_or(u64::MAX));
        Ok(Page {
            rows,
            unreadable: unreadable as u64,
            offset: echoed,
            total: total.unwrap_or(offset + served),
            problem,
        })
    }

    fn path(&self) -> String {
        format!("/api/v3{}", self.path)
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
