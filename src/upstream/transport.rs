//! The one way to the wire, for all three vendors: deadlines, slots, retries, pauses, size caps,
//! one log line a failure, the results of reads that were queued.
//!
//! It sends GET, and the two calls that open and close a session. There is no other method in it,
//! so nothing above can change anything upstream. Redirects are off (a redirected request would
//! carry the session header to another host), cookies are not kept (Enterprise Manager prefers an
//! old cookie to a fresh header), proxies from the environment are not used.

use super::{
    adaptive_limit::Load,
    breaker::Breaker,
    clock_difference::ClockDifference,
    error::{Error, ErrorKind},
    large_body::LargeBody,
    meter::{self, Call},
    metrics::{Metrics, Reason},
    pause::{Leave, Pause},
    queued,
    retry_after::retry_after,
    settings::Settings,
    slots::Slots,
    tls, upstream_message,
};
use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tower::retry::budget::{Budget, TpsBudget};
use url::Url;

/// Longer than any page of 1,000 sessions seen (about 2 MB); a compressed bomb ends here.
const MAX_BODY_BYTES: usize = 64 << 20;
/// A backup console that does not accept a connection in this time is down for us.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Retries after the first attempt, GET only.
pub(super) const MAX_RETRIES: usize = 2;
/// Retries are a fifth of the reads of the last seconds, and one a second more: an upstream that
/// fails all the time is not asked three times as much for it.
const RETRY_SHARE: f32 = 0.2;
const RETRY_WINDOW: Duration = Duration::from_secs(10);
/// A 429 without a stated wait: the consoles count per second and per minute, so a few seconds is a
/// fair guess.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);

/// A header that proves who asks: `Authorization` or `X-RestSvcSessionId`.
pub(super) type Proof = (HeaderName, HeaderValue);

/// A whole answer with a 2xx status.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The media type without its parameters, in lower case; empty when there is none.
    pub fn media_type(&self) -> String {
        let value = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }
}

/// One GET to be sent: a path below the configured base, its query and headers.
#[derive(Clone, Debug)]
pub(super) struct Get<'a> {
    pub path: &'a str,
    pub query: &'a [(&'static str, String)],
    pub accept: &'static str,
    pub proof: Option<Proof>,
    /// The version of the API that is asked for, where one is.
    pub version: Option<String>,
}

impl<'a> Get<'a> {
    /// One for JSON.
    pub fn of(path: &'a str, query: &'a [(&'static str, String)]) -> Self {
        Self {
            path,
            query,
            accept: "application/json",
            proof: None,
            version: None,
        }
    }

    /// The page that is asked for, as the query names it.
    pub fn page(&self) -> Option<String> {
        let (name, value) = self
            .query
            .iter()
            .find(|(name, _)| matches!(*name, "offset" | "page"))?;
        Some(format!("{name}={value}"))
    }
}

/// The connection to one upstream.
#[derive(Debug)]
pub(super) struct Transport {
    pub name: Arc<str>,
    pub base: Url,
    client: reqwest::Client,
    slots: Arc<Slots>,
    timeout: Duration,
    max_concurrency: usize,
    breaker: Breaker,
    retries: TpsBudget,
    /// Asked for by a 429.
    pause: Pause,
    metrics: Metrics,
    /// How far its clock is ahead of ours.
    pub clock: ClockDifference,
}

impl Transport {
    /// Builds the client. Fails only when the certificates given can't be used.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("veeam-graph/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy();
        let client = tls::apply(&settings.trust, builder)?
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self {
            name: settings.name.clone(),
            base: settings.url.clone(),
            client,
            slots: Slots::new(settings.max_concurrency),
            timeout: settings.timeout,
            max_concurrency: settings.max_concurrency,
            breaker: Breaker::of(settings.name.clone()),
            retries: TpsBudget::new(RETRY_WINDOW, 1, RETRY_SHARE),
            pause: Pause::default(),
            metrics: Metrics::default(),
            clock: ClockDifference::default(),
        })
    }

    /// Whether the circuit breaker is open.
    pub fn is_broken(&self) -> bool {
        self.breaker.is_open()
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The slots as they are now.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Whether nothing is sent for a while.
    pub fn is_paused(&self) -> bool {
        self.pause.holds()
    }

    /// How many pages may be asked for at once.
    pub fn max_concurrency(&self) -> usize {
        self.max_concurrency
    }

    /// Sends a GET, again if that can help, and gives a 2xx answer or a failure, always before the
    /// deadline.
    pub async fn get(&self, get: Get<'_>) -> Result<Reply, Error> {
        let started = Instant::now();
        let deadline = started + self.timeout;
        let permit = self.breaker.permit()?;
        self.retries.deposit();
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(MAX_RETRIES)
            .with_jitter();
        let attempts = (|| self.attempt_get(&get, deadline))
            .retry(backoff)
            .when(|error: &Error| error.kind.is_retryable())
            // a stated wait replaces our own; one that ends after the deadline is not waited for
            .adjust(|error, delay| {
                let wait = delay.map(|delay| error.retry_after.unwrap_or(delay));
                let in_time =
                    wait.filter(|wait| *wait < deadline.saturating_duration_since(Instant::now()));
                // a pause that was asked for is kept by all who ask: it needs no budget
                in_time.filter(|_| error.kind == ErrorKind::RateLimited || self.retries.withdraw())
            });
        let whole = async {
            let reply = attempts.await?;
            if reply.status == StatusCode::ACCEPTED {
                self.result(&get, &reply, deadline).await
            } else {
                Ok(reply)
            }
        };
        let outcome = match timeout_at(deadline, whole).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.error(
                ErrorKind::Timeout,
                format!("no whole answer in {:?}", self.timeout),
            )),
        };
        permit.told(&outcome);
        outcome.map_err(|error| error.at(get.path, get.page()).told(Some(started.elapsed())))
    }

    /// Sends a GET once, and says nothing of it in the log: a refusal may be all that is expected.
    pub async fn get_once(&self, get: Get<'_>) -> Result<Reply, Error> {
        let deadline = Instant::now() + self.timeout;
        let permit = self.breaker.permit()?;
        let outcome = match timeout_at(deadline, self.attempt_get(&get, deadline)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.error(
                ErrorKind::Timeout,
                format!("no whole answer in {:?}", self.timeout),
            )),
        };
        permit.told(&outcome);
        outcome
    }

    /// Opens a session: a POST, sent once. Whoever opens tells of a failure: what it means is known
    /// there.
    pub async fn post_to_sign_in(
        &self,
        path: &str,
        proof: Option<Proof>,
        form: Option<String>,
    ) -> Result<Reply, Error> {
        let mut request = self
            .client
            .request(Method::POST, self.url(path, &[]))
            .header(header::ACCEPT, "application/json");
        request = match form {
            Some(form) => request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
            // Enterprise Manager wants the length of the empty body spelt out
            None => request
                .header(header::CONTENT_LENGTH, "0")
                .body(Bytes::new()),
        };
        self.once(request, proof, path).await
    }

    /// Closes a session: a DELETE of our own logon session, sent once.
    pub async fn delete_to_sign_off(&self, path: &str, proof: Proof) -> Result<Reply, Error> {
        let request = self
            .client
            .request(Method::DELETE, self.url(path, &[]))
            .header(header::ACCEPT, "application/json");
        self.once(request, Some(proof), path)
            .await
            .map_err(|error| error.told(None))
    }

    /// A failure of this upstream.
    pub fn error(&self, kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error::new(&self.name, kind, detail)
    }

    async fn once(
        &self,
        request: reqwest::RequestBuilder,
        proof: Option<Proof>,
        path: &str,
    ) -> Result<Reply, Error> {
        let started = Instant::now();
        let permit = self.breaker.permit()?;
        let request = with_proof(request, proof);
        let outcome = match timeout_at(
            started + self.timeout,
            self.exchange(request, Reason::SignIn, false),
        )
        .await
        {
            Ok(outcome) => outcome,
            Err(_) => Err(self.error(
                ErrorKind::Timeout,
                format!("no whole answer in {:?}", self.timeout),
            )),
        };
        permit.told(&outcome);
        outcome.map_err(|error| error.at(path, None))
    }

    /// Sends a GET once, when a pause is over.
    pub async fn attempt_get(&self, get: &Get<'_>, deadline: Instant) -> Result<Reply, Error> {
        let is_probe = self.wait_out_pause(deadline).await?;
        let request = self
            .client
            .request(Method::GET, self.url(get.path, get.query))
            .header(header::ACCEPT, get.accept);
        let request = match &get.version {
            Some(version) => request.header("X-Client-Version", version),
            None => request,
        };
        let request = with_proof(request, get.proof.clone());
        self.exchange(request, meter::reason(), is_probe).await
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        reason: Reason,
        is_probe: bool,
    ) -> Result<Reply, Error> {
        let asked = Instant::now();
        let slot = self
            .slots
            .acquire(meter::payer().unwrap_or_else(|| self.name.clone()))
            .await;
        meter::charge(&self.name);
        self.metrics.sent_for(reason);
        let waited = asked.elapsed();
        let request = request.build().map_err(|error| self.broken(error))?;
        let target = request.url()[url::Position::BeforePath..].to_owned();
        let mut load = Load::begin(&self.slots, self.timeout);
        let outcome = self.receive(request).await;
        load.told(&outcome);
        let took = load.took();
        let status = outcome
            .as_ref()
            .map_or_else(|error| error.status, |reply| Some(reply.status.as_u16()));
        self.metrics.answered(status, took);
        meter::tell(|since| Call {
            upstream: self.name.clone(),
            target,
            status,
            bytes: outcome.as_ref().map_or(0, |reply| reply.body.len()),
            sent_after: since.saturating_sub(took),
            waited,
            took,
            slots: self.slots.count(),
        });
        drop((load, slot));
        match &outcome {
            Err(error) if error.kind == ErrorKind::RateLimited => {
                let wait = error.retry_after.unwrap_or(DEFAULT_PAUSE);
                self.pause.ask(wait, is_probe);
            }
            // who does not answer did not say that the pause is over
            Err(error) if is_probe && error.status.is_none() => self.pause.probe_got_no_answer(),
            _ if is_probe => self.pause.end(),
            _ => {}
        }
        outcome
    }

    async fn receive(&self, request: reqwest::Request) -> Result<Reply, Error> {
        let secrets = upstream_message::secrets(
            request.headers(),
            request.body().and_then(reqwest::Body::as_bytes),
        );
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| self.broken(error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.clock.note(&headers);
        let body = self
            .read_body(response)
            .await
            .map_err(|error| error.with_status(status.as_u16()))?;
        self.judge(
            Reply {
                status,
                headers,
                body,
            },
            &secrets,
        )
    }

    async fn read_body(&self, response: reqwest::Response) -> Result<Bytes, Error> {
        let mut body =
            BytesMut::with_capacity(response.content_length().unwrap_or(0).min(1 << 20) as usize);
        let mut large = LargeBody::default();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.broken(error))?;
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(self.error(
                    ErrorKind::Invalid,
                    format!("the body is larger than {MAX_BODY_BYTES} bytes"),
                ));
            }
            large.grows_to(body.len() + chunk.len()).await;
            body.extend_from_slice(&chunk);
        }
        Ok(large.held_with(body.freeze()))
    }

    /// What the status says, before anybody looks at the body.
    fn judge(&self, reply: Reply, secrets: &[String]) -> Result<Reply, Error> {
        let status = reply.status.as_u16();
        let failure = |kind, detail: &str| {
            self.error(kind, detail)
                .with_status(status)
                .with_words(upstream_message::said(&reply.body, secrets))
        };
        let fail = |kind, detail: &str| Err(failure(kind, detail));
        match status {
            // VSPC queues a long read: it says where its result will be, or else the same GET gives
            // the data once it is done
            202 if queued::path(&self.base, &reply.headers).is_none() => fail(
                ErrorKind::Unavailable,
                "the request was queued (202) without a Location of this API, expected 200",
            ),
            206 => fail(
                ErrorKind::Invalid,
                "part of an answer (206), expected all of it",
            ),
            200..=299 => Ok(reply),
            300..=399 => fail(
                ErrorKind::Invalid,
                "a redirect, which is not followed, expected 200",
            ),
            401 | 403 => fail(
                ErrorKind::Unauthorized,
                "the upstream refused the credentials or the role, expected 200",
            ),
            429 => {
                let wait = retry_after(&reply.headers, &reply.body);
                Err(failure(ErrorKind::RateLimited, "too many requests").with_retry_after(wait))
            }
            400..=499 if says_no_such_path(&reply) => Err(failure(
                ErrorKind::Rejected,
                "the upstream has no such path, expected 200",
            )
            .absent()),
            400..=499 => fail(
                ErrorKind::Rejected,
                "the upstream refused the request, expected 200",
            ),
            _ => {
                let wait = retry_after(&reply.headers, &reply.body);
                Err(
                    failure(ErrorKind::Unavailable, "the upstream failed, expected 200")
                        .with_retry_after(wait),
                )
            }
        }
    }

    /// Waits until a pause that was asked for is over. One that ends after the deadline is not
    /// waited for, and neither is the next probe. Whether what is sent then is a probe.
    async fn wait_out_pause(&self, deadline: Instant) -> Result<bool, Error> {
        loop {
            match self.pause.leave() {
                Leave::Go => return Ok(false),
                Leave::Probe => return Ok(true),
                Leave::Wait(until) if until < deadline => tokio::time::sleep_until(until).await,
                Leave::Wait(until) => {
                    // its end, not the next probe: a retry that waits for that is none
                    let wait = until.saturating_duration_since(Instant::now());
                    return Err(self
                        .error(ErrorKind::RateLimited, "asked to pause")
                        .with_retry_after(Some(wait)));
                }
            }
        }
    }

    fn url(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn broken(&self, error: reqwest::Error) -> Error {
        let kind = if error.is_timeout() {
            ErrorKind::Timeout
        } else {
            // no connection, or a body that broke off, in its length, its chunks or its coding:
            // half an answer is none, and the next may be whole
            ErrorKind::Unavailable
        };
        let error = error.without_url();
        let mut detail = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            detail.push_str(": ");
            detail.push_str(&inner.to_string());
            cause = inner.source();
        }
        self.error(kind, detail)
    }
}

/// Whether a refusal is about the path itself: the ways in which the vendors' servers, and what
/// stands before them, say so.
fn says_no_such_path(reply: &Reply) -> bool {
    let status = reply.status.as_u16();
    if status == 404 && reply.media_type().contains("html") {
        return true;
    }
    let start = String::from_utf8_lossy(&reply.body[..reply.body.len().min(4 << 10)]);
    let says = [
        "UnsupportedApiVersion",
        "No HTTP resource was found that matches",
        "HTTP resource that matches the request URI",
    ];
    matches!(status, 400 | 404 | 405 | 410) && says.iter().any(|words| start.contains(words))
}

fn with_proof(request: reqwest::RequestBuilder, proof: Option<Proof>) -> reqwest::RequestBuilder {
    match proof {
        Some((name, value)) => request.header(name, value),
        None => request,
    }
}
