//! Veeam Backup Enterprise Manager.
//!
//! Traps with their home here: XML unless JSON is asked for; JSON keys in PascalCase (12) or camelCase (13), maybe behind
//! a byte order mark; a session that ends after 15 idle minutes; hrefs that name other hosts and are only ever mined for
//! the GUID in their path. The dialects end in `dialect.rs`: above it there is one shape.

pub mod managed_server;
pub mod session;
pub mod task_session;

mod dialect;
mod pages;

use self::dialect::Document;
use super::{
    client::{Client, Opener},
    error::{Error, ErrorKind},
    pager::{Listing, Row},
    settings::{Credentials, Settings},
    sign_in::Session as LogonSession,
    transport::{Proof, Transport},
};
use crate::aside::{aside, aside_if_long};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Larger pages than this were not seen to work anywhere.
const PAGE_SIZE: u64 = 1_000;

const SESSION_HEADER: HeaderName = HeaderName::from_static("x-restsvcsessionid");

/// A client of one Enterprise Manager.
#[derive(Debug)]
pub struct EnterpriseManager {
    client: Client<Logon>,
}

impl EnterpriseManager {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self { client: Client::new(settings, Logon { credentials: settings.credentials.clone() })? })
    }

    /// Whether anybody answers, for those who have no session.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach("/api/").await
    }

    /// Renews the open session, if there is one, by reading it: a session idle for 15 minutes ends.
    pub async fn keep_alive(&self) -> Result<(), Error> {
        match self.client.sign_in.peek().and_then(|session| session.id) {
            Some(id) => self.document(&format!("/logonSessions/{id}"), &[]).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// `DELETE /api/logonSessions/{id}`: closes our own session, if one is open. Sessions are few on some servers.
    pub async fn log_off(&self) {
        let Some(session) = self.client.sign_in.peek() else { return };
        self.client.sign_in.drop_session(&session);
        if let Some(id) = session.id {
            // failing is logged in the transport; there is nobody left to tell
            let _ = self.client.transport.delete_to_sign_off(&format!("/api/logonSessions/{id}"), session.proof.clone()).await;
        }
    }

    /// One GET below `/api`, in whatever dialect it is answered. `None` for 204 and 404: there is no such thing.
    async fn document(&self, path: &str, query: &[(&'static str, String)]) -> Result<Option<Document>, Error> {
        match self.client.get(&format!("/api{path}"), query, "application/json").await {
            Ok(reply) if reply.status.as_u16() == 204 => Ok(None),
            Ok(reply) => {
                let document = aside_if_long(reply.body.len(), move || Document::read(&reply)).await;
                document.map(Some).map_err(|detail| self.client.invalid(detail))
            }
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same where something must be there.
    async fn expect_document(&self, path: &str, query: &[(&'static str, String)]) -> Result<Document, Error> {
        let missing = || self.client.transport.error(ErrorKind::Rejected, "the resource is not there").with_status(404);
        self.document(path, query).await?.ok_or_else(missing)
    }
}

impl EnterpriseManager {
    /// `GET /api/query`: every entity of a type that a filter holds for, newest first. `singular` is the type as the dialects
    /// leave it.
    async fn query<Raw, T>(
        &self,
        kind: &'static str,
        singular: &'static str,
        filter: &str,
        read: impl Fn(Raw) -> Result<T, String> + Copy + Send + 'static,
    ) -> Result<Listing<T>, Error>
    where
        Raw: DeserializeOwned,
        T: Row,
    {
        let page = |page: u64| async move {
            let query = [
                ("type", kind.to_owned()),
                ("format", "Entities".to_owned()),
                ("filter", filter.to_owned()),
                ("sortDesc", "CreationTime".to_owned()),
                ("pageSize", PAGE_SIZE.to_string()),
                ("page", page.to_string()),
            ];
            let document = self.expect_document("/query", &query).await?;
            let paging = pages::Paging::of(&document);
            let rows = aside(move || {
                let rows = document.into_member("entities").rows::<Raw>(&[], &format!("{singular}s"), singular)?;
                rows.into_iter().map(read).collect::<Result<_, _>>()
            });
            Ok(pages::Page { rows: rows.await.map_err(|detail| self.client.invalid(detail))?, paging })
        };
        pages::read_all(&self.client.transport.name, self.client.transport.max_concurrency(), page).await
    }
}

/// The server won't take this question, in this form: another form may do.
fn is_refusal(error: &Error) -> bool {
    error.kind == ErrorKind::Rejected || error.status == Some(501)
}

/// `POST /api/sessionMngr/?v=latest` with Basic; the answer's header is what later requests show.
#[derive(Debug)]
struct Logon {
    credentials: Credentials,
}

impl Opener for Logon {
    fn standing_proof(&self) -> Option<Proof> {
        match &self.credentials {
            Credentials::OfCaller(Some(session)) => sensitive(SESSION_HEADER, session.expose_secret()),
            _ => None,
        }
    }

    async fn open(&self, transport: &Transport, _expired: Option<Arc<LogonSession>>) -> Result<LogonSession, Error> {
        let Credentials::Password { username, password } = &self.credentials else {
            return Err(transport.error(ErrorKind::Unauthorized, "the caller brought no session, and the gateway has no account"));
        };
        let invalid = || transport.error(ErrorKind::Invalid, "the answer to the logon is no session");
        let basic = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
        let proof = sensitive(header::AUTHORIZATION, &format!("Basic {basic}")).ok_or_else(invalid)?;
        let reply = transport.post_to_sign_in("/api/sessionMngr/", Some(proof), None).await?;
        let token = reply.headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok()).ok_or_else(invalid)?;
        let proof = sensitive(SESSION_HEADER, token).ok_or_else(invalid)?;
        // The id is in the body (it is not the token) and serves only to log off.
        let id = Document::read(&reply).ok().and_then(|document| document.text("sessionid").and_then(crate::uid::parse_hyphenated));
        Ok(LogonSession { id, ..LogonSession::new(proof) })
    }
}

fn sensitive(name: HeaderName, value: &str) -> Option<Proof> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
