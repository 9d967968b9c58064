//! Veeam Backup Enterprise Manager.
//!
//! Traps with their home here: XML unless JSON is asked for; JSON keys in PascalCase (12) or
//! camelCase (13), maybe behind a byte order mark; a session that ends after 15 idle minutes; hrefs
//! that name other hosts and are only ever mined for the GUID in their path. The dialects end in
//! `dialect.rs`: above it there is one shape.

pub mod managed_server;
pub mod session;
pub mod task_session;

mod dialect;
mod pages;

use self::dialect::{Fault, Fields, Rows, Wanted};
use super::{
    client::{Client, Opener},
    error::{Error, ErrorKind},
    pager::{Listing, Row},
    settings::{Credentials, Settings},
    sign_in::Session as LogonSession,
    transport::{Get, Proof, Reply, Transport},
};
use crate::blocking::run_if_large;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::sync::Arc;

/// Larger pages than this were not seen to work anywhere.
const PAGE_SIZE: u64 = 1_000;

/// The list that every Enterprise Manager has.
const SERVERS: &str = "/api/backupServers";

/// Where sessions are opened.
const LOGON: &str = "/api/sessionMngr/";

const SESSION_HEADER: HeaderName = HeaderName::from_static("x-restsvcsessionid");

/// A client of one Enterprise Manager.
#[derive(Debug)]
pub struct EnterpriseManager {
    client: Client<Logon>,
}

impl EnterpriseManager {
    /// A client that has not spoken yet.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(
                settings,
                Logon {
                    credentials: settings.credentials.clone(),
                },
            )?,
        })
    }

    /// Whether anybody answers, for those who have no session.
    pub async fn reach(&self) -> Result<(), Error> {
        self.client.reach("/api/").await
    }

    /// Renews the open session, if there is one, by reading it: a session idle for 15 minutes ends.
    pub async fn keep_alive(&self) -> Result<(), Error> {
        match self.client.sign_in.peek().and_then(|session| session.id) {
            Some(id) => self
                .reply(&format!("/logonSessions/{id}"), &[])
                .await
                .map(|_| ()),
            None => Ok(()),
        }
    }

    /// `DELETE /api/logonSessions/{id}`: closes our own session, if one is open. Sessions are few
    /// on some servers.
    pub async fn log_off(&self) {
        let Some(session) = self.client.sign_in.peek() else {
            return;
        };
        self.client.sign_in.drop_session(&session);
        if let Some(id) = session.id {
            // failing is logged in the transport; there is nobody left to tell
            let _ = self
                .client
                .transport
                .delete_to_sign_off(&format!("/api/logonSessions/{id}"), session.proof.clone())
                .await;
        }
    }

    /// One GET below `/api`. `None` for 404: there is no such thing. 204 says the same of one
    /// thing, and nothing of a list.
    async fn reply(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Option<Reply>, Error> {
        let path = format!("/api{path}");
        let get = Get::of(&path, query);
        match self.client.get(get.path, get.query, get.accept).await {
            Ok(reply) => Ok(Some(reply)),
            Err(error) if error.is_missing() => {
                // a server that has no such API has none of its objects either: that is no answer
                // to the question
                if !self.client.is_here() && path != SERVERS {
                    self.client
                        .get(SERVERS, &[], get.accept)
                        .await
                        .map_err(Error::of_api)?;
                    self.client.seen(true);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What was read of an answer; one that is none of this API's is told in the log with its own
    /// words.
    fn parsed<T>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        reply: &Reply,
        found: Result<T, String>,
    ) -> Result<T, Error> {
        self.client.seen(self.client.is_here() || found.is_ok());
        found.map_err(|detail| {
            let path = format!("/api{path}");
            self.client
                .unusable(ErrorKind::Invalid, &Get::of(&path, query), reply, detail)
                .told(None)
        })
    }

    /// One entity; `None` where there is no such.
    async fn entity<T>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        members: &'static [&'static str],
        read: impl FnOnce(Fields) -> Result<T, Fault>,
    ) -> Result<Option<T>, Error> {
        let Some(reply) = self
            .reply(path, query)
            .await?
            .filter(|reply| !is_empty(reply))
        else {
            return Ok(None);
        };
        let copy = reply.clone();
        let fields = run_if_large(reply.body.len(), move || dialect::entity(&copy, members)).await;
        let fields = self.parsed(path, query, &reply, fields)?;
        let unreadable = |fault: Fault| {
            let error = self.client.invalid(format!(
                "can't be read, member {}: {}",
                fault.member, fault.reason
            ));
            error.at(&format!("/api{path}"), None).told(None)
        };
        read(fields).map(Some).map_err(unreadable)
    }

    /// One answer with rows, and why it is not the whole of what it should be, if it is not. `page`
    /// is for the log.
    async fn rows<T: Send + 'static>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        page: u64,
        wanted: &'static Wanted,
        read: impl Fn(Fields) -> Result<T, Fault> + Send + 'static,
    ) -> Result<(Rows<T>, Option<Error>), Error> {
        let missing = || {
            self.client
                .transport
                .error(ErrorKind::Rejected, "the resource is not there")
                .with_status(404)
        };
        let reply = self.reply(path, query).await?.ok_or_else(missing)?;
        if is_empty(&reply) {
            let detail = "expected rows, and 204 (no content) came".to_owned();
            return Err(self
                .client
                .unusable(
                    ErrorKind::Rejected,
                    &Get::of(&format!("/api{path}"), query),
                    &reply,
                    detail,
                )
                .told(None));
        }
        let copy = reply.clone();
        let found =
            run_if_large(reply.body.len(), move || dialect::rows(&copy, wanted, read)).await;
        let found = self.parsed(path, query, &reply, found)?;
        let problem = found.first_unreadable.as_ref().map(|(row, Fault { member, reason })| {
            let unreadable = found.unreadable;
            tracing::warn!(
                upstream = %self.client.transport.name,
                path = format_args!("/api{path}"),
                page,
                row,
                member,
                unreadable,
                reason,
                "rows can't be read: the list is shown without them"
            );
            self.client.invalid(format!(
                "{unreadable} rows of /api{path} can't be read; of the first, row {row} of page {page}, {member}: {reason}"
            ))
        });
        Ok((found, problem))
    }

    /// A list that comes on one page.
    async fn list<T: Send + 'static>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        wanted: &'static Wanted,
        read: impl Fn(Fields) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Listing<T>, Error> {
        let (found, problem) = self.rows(path, query, 1, wanted, read).await?;
        if !found.is_found {
            let error = self
                .client
                .invalid("references, or nothing, where the list should be");
            return Err(error.at(&format!("/api{path}"), None).told(None));
        }
        Ok(Listing {
            rows: found.rows,
            problem,
            pages: 1,
        })
    }

    /// Takes a list for incomplete, with a reason for the log.
    fn doubt<T>(&self, listing: &mut Listing<T>, reason: &'static str) {
        tracing::warn!(upstream = %self.client.transport.name, reason, "a list is not taken for complete");
        listing
            .problem
            .get_or_insert_with(|| self.client.invalid(reason));
    }

    /// `GET /api/query`: every entity of a type that a filter holds for, newest first.
    async fn query<T: Row>(
        &self,
        kind: &'static str,
        wanted: &'static Wanted,
        filter: &str,
        read: impl Fn(Fields) -> Result<T, Fault> + Copy + Send + 'static,
    ) -> Result<Listing<T>, Error> {
        let page = |page: u64| async move {
            let query = [
                ("type", kind.to_owned()),
                ("format", "Entities".to_owned()),
                ("filter", filter.to_owned()),
                ("sortDesc", "CreationTime".to_owned()),
                ("pageSize", PAGE_SIZE.to_string()),
                ("page", page.to_string()),
            ];
            let (found, unreadable) = self.rows("/query", &query, page, wanted, read).await?;
            let paging = pages::Paging::of(|member| found.paging(member));
            let is_whole = paging.is_some_and(|paging| {
                found.is_found || !found.has_references && paging.is_one_at_most()
            });
            let odd = (!is_whole).then(|| {
                let error = self
                    .client
                    .invalid("the result of a query without its list, or without its pages");
                error
                    .at("/api/query", Some(format!("page={page}")))
                    .told(None)
            });
            Ok(pages::Page {
                unreadable: found.unreadable,
                rows: found.rows,
                problem: unreadable.or(odd),
                paging,
            })
        };
        pages::read_all(
            &self.client.transport.name,
            self.client.transport.max_concurrency(),
            page,
        )
        .await
    }
}

/// Whether an answer says that there is none.
fn is_empty(reply: &Reply) -> bool {
    reply.status.as_u16() == 204
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
            Credentials::OfCaller(Some(brought)) => {
                sensitive(SESSION_HEADER, brought.secret.expose_secret())
            }
            _ => None,
        }
    }

    async fn open(
        &self,
        transport: &Transport,
        _expired: Option<Arc<LogonSession>>,
    ) -> Result<LogonSession, Error> {
        let Credentials::Password { username, password } = &self.credentials else {
            return Err(transport.error(
                ErrorKind::Unauthorized,
                "the caller brought no session, and the gateway has no account",
            ));
        };
        let without_header = || {
            let detail = "the logon was answered without the header X-RestSvcSessionId, expected one: is something in between that takes it out?";
            transport
                .error(ErrorKind::Invalid, detail)
                .at(LOGON, None)
                .told(None)
        };
        let invalid =
            || transport.error(ErrorKind::Invalid, "the answer to the logon is no session");
        let basic = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
        let proof =
            sensitive(header::AUTHORIZATION, &format!("Basic {basic}")).ok_or_else(invalid)?;
        let reply = transport
            .post_to_sign_in(LOGON, Some(proof), None)
            .await
            .map_err(|error| error.of_sign_in().told(None))?;
        let token = reply
            .headers
            .get(SESSION_HEADER)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(without_header)?;
        let proof = sensitive(SESSION_HEADER, token).ok_or_else(invalid)?;
        // The id is in the body (it is not the token) and serves only to log off.
        let id = dialect::entity(&reply, &["sessionid"]).and_then(|mut session| {
            let id = session.take("sessionid", Option::<String>::deserialize);
            id.map_err(|fault| fault.reason)
        });
        let id = id
            .ok()
            .flatten()
            .and_then(|id| crate::uid::parse_hyphenated(&id));
        Ok(LogonSession {
            id,
            ..LogonSession::new(proof)
        })
    }
}

fn sensitive(name: HeaderName, value: &str) -> Option<Proof> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
