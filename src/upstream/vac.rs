//! The legacy v2 API of Veeam Availability Console and early Service Provider Console, port 1281.
//!
//! Bare JSON arrays, no envelope, no total. Deprecated by the vendor since version 6 and still what
//! some estates have.

pub mod backup_agent_job;

use super::{
    client::Client,
    error::{Error, ErrorKind},
    json_rows::{self, Rows},
    oauth::OAuth,
    pager::Listing,
    settings::Settings,
    transport::Get,
    upstream_message,
};
use crate::blocking::run_if_large;
use serde::de::DeserializeOwned;

/// The list that everybody has who may ask at all.
const AGENTS: &str = "/v2/backupAgents";

/// A client of one v2 API.
#[derive(Debug)]
pub struct Vac {
    client: Client<OAuth>,
}

impl Vac {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let credentials = settings.credentials.clone();
        Ok(Self {
            client: Client::new(
                settings,
                OAuth {
                    path: "/token",
                    credentials,
                    read_only: false,
                },
            )?,
        })
    }

    /// Whether anybody answers, for those who have no token.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach(AGENTS).await
    }

    /// `GET /v2/backupAgents?$top=1`: proves that the API can be reached and that we may ask it.
    pub async fn probe(&self) -> Result<(), Error> {
        let query = [("$top", "1".to_owned())];
        let outcome = self
            .read(AGENTS, &query, |text| {
                serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text)
            })
            .await;
        self.client.seen(outcome.is_ok());
        outcome.map(drop).map_err(Error::of_api)
    }

    /// One object; `None` where there is no such.
    async fn one<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
    ) -> Result<Option<T>, Error> {
        self.found(
            self.read(path, &[], |text| serde_json::from_str(text))
                .await,
        )
        .await
    }

    /// A list, on one page; `None` where what it is of is not there. A row that can't be read costs
    /// itself.
    async fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
    ) -> Result<Option<Listing<T>>, Error> {
        let rows = self.read(path, &[], |text| {
            match serde_json::from_str::<Vec<T>>(text) {
                Ok(rows) => Ok(Rows::from(rows)),
                Err(_) => serde_json::from_str(text).map(Rows::each),
            }
        });
        let Some(Rows {
            rows,
            unreadable,
            first,
        }) = self.found(rows.await).await?
        else {
            return Ok(None);
        };
        let problem = first.map(|first| {
            self.client
                .invalid(first.detail(0, unreadable))
                .at(path, None)
                .told(None)
        });
        Ok(Some(Listing {
            rows,
            problem,
            pages: 1,
        }))
    }

    /// A server that has no such API has none of its objects either: that is no answer to the
    /// question.
    async fn found<T>(&self, read: Result<T, Error>) -> Result<Option<T>, Error> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_missing() => {
                if !self.client.is_here() {
                    self.probe().await?;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        read: impl FnOnce(&str) -> serde_json::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let get = Get::of(path, query);
        let reply = self.client.get(path, query, get.accept).await?;
        let unusable = |detail: String| {
            self.client
                .unusable(ErrorKind::Invalid, &get, &reply, detail)
        };
        if !reply.media_type().contains("json") {
            let detail = format!(
                "expected JSON, and {:?} came",
                upstream_message::printable(&reply.media_type())
            );
            return Err(unusable(detail).absent().told(None));
        }
        let body = reply.body.clone();
        let value = run_if_large(reply.body.len(), move || read(&json_rows::text(&body))).await;
        let value = value
            .map_err(|error| unusable(format!("not the documented shape: {error}")).told(None))?;
        self.client.seen(true);
        Ok(value)
    }
}
