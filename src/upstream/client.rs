//! A transport with a session on it: what each vendor's client is made of.

use super::{
    error::{Error, ErrorKind},
    forwarded_credential::Brought,
    settings::{Credentials, Settings},
    sign_in::{Session, SignIn},
    transport::{Get, Proof, Reply, Transport},
    upstream_message,
    vspc::dialect::Dialect,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// How a vendor opens a session.
pub(super) trait Opener: Send + Sync {
    /// Opens one; `expired` is the session that ran out, if there was one.
    fn open(
        &self,
        transport: &Transport,
        expired: Option<Arc<Session>>,
    ) -> impl Future<Output = Result<Session, Error>> + Send;

    /// A proof that needs no session: an API key.
    fn standing_proof(&self) -> Option<Proof> {
        None
    }
}

/// Sends GETs in the name of the configured account.
#[derive(Debug)]
pub(super) struct Client<O> {
    pub transport: Arc<Transport>,
    pub sign_in: SignIn,
    pub opener: O,
    /// What a caller brought, where that is what is shown.
    brought: Option<Arc<Brought>>,
    /// Whether this API was seen to be here: it answered as only it does.
    is_here: AtomicBool,
    /// How the upstream speaks: its version, where it wants to be told one.
    pub dialect: Arc<Dialect>,
}

impl<O: Opener> Client<O> {
    pub fn new(settings: &Settings, opener: O) -> Result<Self, String> {
        Ok(Self {
            transport: settings.line.transport(settings)?,
            sign_in: SignIn::new(settings.name.clone(), settings.sign_in_pause),
            opener,
            brought: match &settings.credentials {
                Credentials::OfCaller(brought) => brought.clone(),
                Credentials::ApiKey(_) | Credentials::Password { .. } => None,
            },
            is_here: AtomicBool::new(false),
            dialect: settings.dialect.clone(),
        })
    }

    /// One GET. A 401 means that the session ended early: it is replaced once and the read sent
    /// once more; unless it was opened a moment ago and never worked, when another would work no
    /// better.
    pub async fn get(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        accept: &'static str,
    ) -> Result<Reply, Error> {
        let version = self.dialect.version();
        let get = |proof| Get {
            path,
            query,
            accept,
            proof: Some(proof),
            version: version.clone(),
        };
        if let Some(proof) = self.opener.standing_proof() {
            let read = self.transport.get(get(proof));
            return match &self.brought {
                Some(brought) => brought.read(path, read).await,
                None => read.await,
            };
        }
        let session = self.session().await?;
        match self.get_in(&session, get(session.proof.clone())).await {
            Err(error) if error.status == Some(401) => {
                if !self.sign_in.refused(&session) {
                    return Err(error);
                }
                let fresh = self.session().await?;
                self.get_in(&fresh, get(fresh.proof.clone())).await
            }
            outcome => outcome,
        }
    }

    async fn get_in(&self, session: &Session, get: Get<'_>) -> Result<Reply, Error> {
        let outcome = self.transport.get(get).await;
        match &outcome {
            Ok(_) => session.works(),
            // what is refused for another reason was asked in a session that is good
            Err(error)
                if error
                    .status
                    .is_some_and(|status| matches!(status, 400 | 403..=499)) =>
            {
                session.works()
            }
            Err(_) => {}
        }
        outcome
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        let session = self
            .sign_in
            .current(|expired| async move {
                let outcome = self.opener.open(&self.transport, expired).await;
                self.transport.metrics().signed_in(outcome.is_ok());
                outcome
            })
            .await;
        session.map_err(Error::of_api)
    }
}

impl<O> Client<O> {
    /// Whether anybody answers at all, also with a refusal: all that can be told without a
    /// credential.
    pub async fn reach(&self, path: &str) -> Result<(), Error> {
        match self
            .transport
            .get_once(Get {
                path,
                query: &[],
                accept: "application/json",
                proof: None,
                version: self.dialect.version(),
            })
            .await
        {
            Ok(_) => Ok(()),
            // whoever has no credential is refused; that there is no such path is another thing
            Err(error)
                if error.kind == ErrorKind::Unauthorized
                    || (error.kind == ErrorKind::Rejected && error.status != Some(404)) =>
            {
                Ok(())
            }
            Err(error) => Err(error.at(path, None).of_api().told(None)),
        }
    }

    /// An answer that is not what the resource should be.
    pub fn invalid(&self, detail: impl Into<String>) -> Error {
        self.transport.error(ErrorKind::Invalid, detail)
    }

    /// The same, told in the log with the answer's own words.
    pub fn unusable(
        &self,
        kind: ErrorKind,
        get: &Get<'_>,
        reply: &Reply,
        detail: impl Into<String>,
    ) -> Error {
        let said = upstream_message::said(&reply.body, &[]);
        self.transport
            .error(kind, detail)
            .with_status(reply.status.as_u16())
            .with_words(said)
            .at(get.path, get.page())
    }

    /// Notes that the API answered as only it does, or that it seems not to be here.
    pub fn seen(&self, is_here: bool) {
        self.is_here.store(is_here, Ordering::Relaxed);
    }

    /// Whether the API was seen to be here. Until then a 404 says nothing of what was asked for.
    pub fn is_here(&self) -> bool {
        self.is_here.load(Ordering::Relaxed)
    }
}
