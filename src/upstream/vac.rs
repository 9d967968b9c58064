//! The legacy v2 API of Veeam Availability Console and early Service Provider Console, port 1281.
//!
//! Bare JSON arrays, no envelope, no total. Deprecated by the vendor since version 6 and still what some estates have.

pub mod backup_agent_job;

use super::{client::Client, error::Error, oauth::OAuth, settings::Settings};
use crate::aside::aside_if_long;
use serde::de::DeserializeOwned;

/// A client of one v2 API.
#[derive(Debug)]
pub struct Vac {
    client: Client<OAuth>,
}

impl Vac {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let credentials = settings.credentials.clone();
        Ok(Self { client: Client::new(settings, OAuth { path: "/token", credentials, read_only: false })? })
    }

    /// Whether anybody answers, for those who have no token.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach("/v2/backupAgents").await
    }

    /// `GET /v2/backupAgents?$top=1`: proves that the API can be reached and that we may ask it.
    pub async fn probe(&self) -> Result<(), Error> {
        let query = [("$top", "1".to_owned())];
        self.json::<Vec<serde::de::IgnoredAny>>("/v2/backupAgents", &query).await.map(|_| ())
    }

    async fn json<T: DeserializeOwned + Send + 'static>(&self, path: &str, query: &[(&'static str, String)]) -> Result<T, Error> {
        let reply = self.client.get(path, query, "application/json").await?;
        if !reply.media_type().contains("json") {
            return Err(self.client.invalid(format!("the answer is {:?}, not JSON", reply.media_type())));
        }
        let bytes = reply.body.len();
        let read = move || serde_json::from_slice(reply.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&reply.body));
        aside_if_long(bytes, read).await.map_err(|error| self.client.invalid(format!("not the documented shape: {error}")))
    }
}
