//! `/graphql` by WebSocket: the protocol `graphql-transport-ws`, as its reference implementation
//! speaks it.
//!
//! Every operation goes the same way as by HTTP: the same guard, rates and visibility, and who asks
//! is checked anew each time, so a token that has expired ends the connection. What one connection
//! can hold in memory is bounded: operations at once, answers in the making, the size of a message,
//! and the patience with a client that does not read.

use super::{
    Gateway, HttpService, Live, RequestId,
    auth::{self, Credential, Identity, Peer},
    connection_activity::ConnectionActivity,
    fair_shares::{Share, Shares},
    graphql,
    idle_timeout::Stage,
    negotiate::MediaType,
    pipeline::{Answer, Refusal, handle},
    request::{Parameters, RawRequest, Rejection, RequestContext},
    unread_responses::{self, Held},
};
use axum::{
    extract::{
        FromRequest, Request,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::AbortHandle,
    time::Instant,
};

const PROTOCOL: &str = "graphql-transport-ws";
/// `connection_init` must be here by then.
const INIT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a connection that says nothing is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(25);
/// One that has not answered for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(75);
/// Operations of one connection that run, or whose answers wait to be read.
const RUNNING: usize = 4;

/// Of `server.drain`, what the sockets' ends are spread over.
const SPREAD: f64 = 0.75;

/// Who has how many connections, and in what order they go when the gateway does.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    by_caller: Shares<Arc<str>>,
    open: Arc<AtomicUsize>,
    goodbyes: Arc<Goodbyes>,
}

/// Sockets that know when they go, of how many.
#[derive(Default)]
struct Goodbyes {
    count: AtomicUsize,
    of: OnceLock<usize>,
}

/// A connection is open until this is dropped, whatever becomes of its task.
struct Open(Sockets);

impl Sockets {
    fn open(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How long the next one waits before it goes, if all that are open are to go within a time:
    /// all at once would come all at once to another gateway.
    fn wait(&self, within: Duration) -> Duration {
        let of = *self
            .goodbyes
            .of
            .get_or_init(|| self.open.load(Ordering::Relaxed).max(1));
        let place = self.goodbyes.count.fetch_add(1, Ordering::Relaxed);
        within.mul_f64(SPREAD * (place as f64 / of as f64).min(1.0))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What clients say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Ping {
        #[serde(default)]
        payload: Option<Value>,
    },
    Pong {},
    Subscribe {
        id: String,
        payload: Parameters,
    },
    Complete {
        id: String,
    },
}

/// Why a connection ends, in the protocol's numbers.
struct Close(u16, &'static str);

/// Whether a request wants to become a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers
        .get(&header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a request a WebSocket, for those who show in its headers who they are, or have yet to.
pub(super) async fn open(
    gateway: Gateway,
    id: RequestId,
    peer: Peer,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    if !matches!(Credential::in_headers(&headers), Credential::Nothing)
        && let Err(rejection) = gateway.identify(&headers, &peer, &id).await
    {
        return graphql::reject(MediaType::GraphqlResponse, &id, &rejection);
    }
    let activity = request
        .extensions()
        .get::<Arc<ConnectionActivity>>()
        .cloned();
    let upgrade = match WebSocketUpgrade::from_request(request, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    let most = gateway.limits.body_bytes;
    let upgrade = upgrade
        .max_message_size(most)
        .max_frame_size(most)
        .protocols([PROTOCOL]);
    upgrade.on_upgrade(async move |socket| {
        let _open = gateway.sockets.open();
        Connection::new(gateway, id, peer, headers, activity)
            .serve(socket)
            .await;
    })
}

/// One connection.
struct Connection {
    gateway: Gateway,
    live: Option<Live>,
    id: RequestId,
    peer: Peer,
    /// Of the request that the connection began with, and of its `connection_init`.
    headers: HeaderMap,
    /// What its answers are counted with.
    activity: Option<Arc<ConnectionActivity>>,
    /// Once it is known who asks.
    place: Option<Share<Arc<str>>>,
    running: Arc<Semaphore>,
    operations: HashMap<String, AbortHandle>,
    finished: (mpsc::Sender<Finished>, mpsc::Receiver<Finished>),
}

/// What an operation came to, with its slot, which is free again once this is sent.
struct Finished {
    operation: String,
    messages: Vec<Message>,
    _slot: Option<tokio::sync::OwnedSemaphorePermit>,
    _held: Option<Held>,
}

impl Connection {
    fn new(
        gateway: Gateway,
        id: RequestId,
        peer: Peer,
        headers: HeaderMap,
        activity: Option<Arc<ConnectionActivity>>,
    ) -> Self {
        let running = Arc::new(Semaphore::new(RUNNING));
        Self {
            gateway,
            live: activity.as_ref().and_then(|activity| activity.live.clone()),
            id,
            peer,
            headers,
            activity,
            place: None,
            running,
            operations: HashMap::new(),
            finished: mpsc::channel(1),
        }
    }

    async fn serve(mut self, mut socket: WebSocket) {
        let close = if socket.protocol().is_some() {
            self.converse(&mut socket).await
        } else {
            Some(Close(4406, "Subprotocol not acceptable"))
        };
        self.operations.values().for_each(AbortHandle::abort);
        // who is being seen out takes nobody's place
        self.place = None;
        if let Some(Close(code, reason)) = close {
            let frame = CloseFrame {
                code,
                reason: reason.into(),
            };
            let goodbye = async {
                let _ = socket.send(Message::Close(Some(frame))).await;
                // until the other side says goodbye, too
                while let Some(Ok(_)) = socket.next().await {}
            };
            let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
        }
    }

    /// Until one side has had enough. `None`: the other is gone.
    async fn converse(&mut self, socket: &mut WebSocket) -> Option<Close> {
        let mut reloads = self.live.as_ref().map(Live::changes);
        let mut stage = self.gateway.stage.subscribe();
        // when it is to end: once it is old, or its turn has come among all that go
        let mut until = Instant::now() + self.gateway.server.max_connection_age;
        let mut is_told = false;
        let init_until = Instant::now() + INIT_TIMEOUT;
        let mut last_heard = Instant::now();
        let mut ping = tokio::time::interval_at(last_heard + PING_EVERY, PING_EVERY);
        loop {
            if *stage.borrow_and_update() == Stage::Draining && !is_told {
                is_told = true;
                until = until
                    .min(Instant::now() + self.gateway.sockets.wait(self.gateway.server.drain));
            }
            let is_over = until <= Instant::now();
            if is_over && self.operations.is_empty() {
                return Some(Close(close_code::RESTART, "Connect again"));
            }
            tokio::select! {
                heard = socket.next() => {
                    last_heard = Instant::now();
                    match heard? {
                        Ok(Message::Text(text)) => match self.hear(&text).await {
                            Ok(answers) => for answer in answers {
                                socket.send(answer).await.ok()?;
                            },
                            Err(close) => return Some(close),
                        },
                        Ok(Message::Binary(_)) => return Some(Close(4400, "Messages must be text")),
                        Ok(Message::Close(_)) => return None,
                        Ok(Message::Ping(_) | Message::Pong(_)) => {}
                        Err(error) => return too_large(&error).then_some(Close(close_code::SIZE, "The message is too large")),
                    }
                }
                Some(finished) = self.finished.1.recv() => {
                    // one that was cancelled, or whose id is in use again, is nobody's answer
                    if self.operations.remove(&finished.operation).is_some() {
                        for message in finished.messages {
                            socket.send(message).await.ok()?;
                        }
                    }
                }
                () = tokio::time::sleep_until(init_until), if self.place.is_none() => {
                    return Some(Close(4408, "Connection initialisation timeout"));
                }
                _ = ping.tick() => {
                    if last_heard.elapsed() > GONE_AFTER {
                        return None;
                    }
                    socket.send(Message::Ping(Default::default())).await.ok()?;
                }
                _ = stage.changed() => {}
                () = reloaded(reloads.as_mut()) => {
                    self.renew();
                    if self.place.is_some() && !self.is_still_known().await {
                        return Some(Close(4403, "Forbidden"));
                    }
                }
                () = tokio::time::sleep_until(until), if !is_over => {}
            }
        }
    }

    /// From now on what the connection asks is answered as it is configured now.
    fn renew(&mut self) {
        if let Some(live) = &self.live {
            self.gateway = live.gateway();
        }
    }

    async fn hear(&mut self, text: &str) -> Result<Vec<Message>, Close> {
        self.renew();
        let said = serde_json::from_str(text)
            .map_err(|_| Close(4400, "The message is none of graphql-transport-ws"))?;
        match said {
            Said::ConnectionInit { .. } if self.place.is_some() => {
                Err(Close(4429, "Too many initialisation requests"))
            }
            Said::ConnectionInit { payload } => {
                // what the payload says counts; a browser's own headers are its cookies and the
                // page's origin
                for (name, value) in payload
                    .as_ref()
                    .map(auth::headers_in)
                    .unwrap_or_default()
                    .drain()
                {
                    name.and_then(|name| self.headers.insert(name, value));
                }
                let who =
                    self.identify()
                        .await
                        .map_err(|rejection| match rejection.retry_after {
                            Some(_) => Close(close_code::AGAIN, "Try again later"),
                            None => Close(4403, "Forbidden"),
                        })?;
                let most = self.gateway.limits.sockets_per_caller;
                let place = self
                    .gateway
                    .sockets
                    .by_caller
                    .take(who.principal.name.clone(), most);
                self.place = Some(place.ok_or(Close(
                    4429,
                    "Too many connections (limits.sockets_per_caller)",
                ))?);
                Ok(vec![message(&json!({"type": "connection_ack"}))])
            }
            Said::Ping {
                payload: Some(payload),
            } => Ok(vec![message(&json!({"type": "pong", "payload": payload}))]),
            Said::Ping { payload: None } => Ok(vec![message(&json!({"type": "pong"}))]),
            Said::Pong {} => Ok(Vec::new()),
            Said::Subscribe { .. } if self.place.is_none() => Err(Close(4401, "Unauthorized")),
            Said::Subscribe { id, .. } if self.operations.contains_key(&id) => {
                Err(Close(4409, "Subscriber for that id already exists"))
            }
            Said::Subscribe { .. }
                if self.operations.len() >= self.gateway.limits.operations_per_socket =>
            {
                Err(Close(
                    4429,
                    "Too many operations at once (limits.operations_per_socket)",
                ))
            }
            Said::Subscribe { id, payload } => {
                self.start(id, payload).await?;
                Ok(Vec::new())
            }
            Said::Complete { id } => {
                if let Some(operation) = self.operations.remove(&id) {
                    operation.abort();
                }
                Ok(Vec::new())
            }
        }
    }

    /// Whether whoever is connected is let in by a configuration that was read since. An identity
    /// provider that does not answer takes nobody's connection.
    async fn is_still_known(&self) -> bool {
        let is_for_upstream = !self.gateway.estate.of_callers().is_empty();
        let shown = Credential::in_headers(&self.headers);
        let outcome = self
            .gateway
            .authenticator
            .identify(&shown, &self.peer, is_for_upstream)
            .await;
        !outcome.is_err_and(|rejection| {
            matches!(
                rejection.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            )
        })
    }

    async fn identify(&self) -> Result<Identity, Rejection> {
        self.gateway
            .identify(&self.headers, &self.peer, &self.id)
            .await
    }

    async fn start(&mut self, operation: String, parameters: Parameters) -> Result<(), Close> {
        // a key may be gone and a token have expired since the connection was made
        let context = self.identify().await;
        let (headers, address) = (&self.headers, self.peer.address);
        let context = context.and_then(|who| {
            RequestContext::new(
                &self.gateway,
                who,
                headers,
                address,
                self.id.clone(),
                "websocket",
                false,
            )
        });
        let context = match context {
            Ok(context) => context,
            Err(rejection)
                if rejection.status == StatusCode::UNAUTHORIZED
                    || rejection.status == StatusCode::FORBIDDEN =>
            {
                return Err(Close(4403, "Forbidden"));
            }
            Err(rejection) => {
                let errors = message(
                    &json!({"id": operation, "type": "error", "payload": [rejection.error(&self.id)]}),
                );
                self.hand_over(operation, vec![errors]);
                return Ok(());
            }
        };
        let (gateway, running, done, id) = (
            self.gateway.clone(),
            self.running.clone(),
            self.finished.0.clone(),
            operation.clone(),
        );
        let activity = self.activity.clone();
        let task = tokio::spawn(async move {
            let slot = running.acquire_owned().await.ok();
            // the same members in the same order, however they were sent
            let bytes = serde_json::to_vec(&parameters).unwrap_or_default().into();
            let outcome = handle(
                &gateway,
                &context,
                RawRequest {
                    bytes,
                    read: |_: &[u8]| Ok(parameters),
                },
            )
            .await;
            let messages = messages(&context, &id, outcome);
            let bytes = messages.iter().map(size).sum();
            let held = activity.map(|activity| gateway.unread.hold(&activity, bytes));
            let (messages, held) = match held {
                Some(None) => (
                    vec![message(
                        &json!({"id": id, "type": "error", "payload": [unread_responses::too_much().error(&context.id)]}),
                    )],
                    None,
                ),
                held => (messages, held.flatten()),
            };
            let _ = done
                .send(Finished {
                    operation: id,
                    messages,
                    _slot: slot,
                    _held: held,
                })
                .await;
        });
        self.operations.insert(operation, task.abort_handle());
        Ok(())
    }

    fn hand_over(&mut self, operation: String, messages: Vec<Message>) {
        let (done, id) = (self.finished.0.clone(), operation.clone());
        let task = tokio::spawn(async move {
            let _ = done
                .send(Finished {
                    operation: id,
                    messages,
                    _slot: None,
                    _held: None,
                })
                .await;
        });
        self.operations.insert(operation, task.abort_handle());
    }
}

/// Ends when the configuration was read again; never where there is none.
async fn reloaded(changes: Option<&mut watch::Receiver<HttpService>>) {
    let is_told = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !is_told {
        std::future::pending().await
    }
}

/// One result and the end; or why there is none.
fn messages(context: &RequestContext, id: &str, outcome: Result<Answer, Refusal>) -> Vec<Message> {
    let error = |errors: Value| {
        vec![message(
            &json!({"id": id, "type": "error", "payload": errors}),
        )]
    };
    let next = |body: &[u8]| {
        // the payload keeps the order of the query's fields, which a JSON value would not
        let next = [
            format!("{{\"id\":{},\"type\":\"next\",\"payload\":", json!(id)).as_bytes(),
            body,
            b"}",
        ]
        .concat();
        let Ok(next) = String::from_utf8(next) else {
            return error(json!([]));
        };
        vec![
            Message::Text(next.into()),
            message(&json!({"id": id, "type": "complete"})),
        ]
    };
    match outcome {
        Ok(Answer::Fresh { body, .. }) => next(&body),
        Ok(Answer::Cached(kept)) => next(&kept.body),
        Err(refusal) => error(refusal.errors(context)),
    }
}

fn message(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

/// What a message weighs until it is read.
fn size(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        _ => 0,
    }
}

fn too_large(error: &axum::Error) -> bool {
    // the library keeps its error's kind to itself
    let text = error.to_string();
    text.contains("too long") || text.contains("too large") || text.contains("Space limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_leaves_nothing_counted() {
        let sockets = Sockets::default();
        let (open, share) = (
            sockets.open(),
            sockets.by_caller.take("somebody".into(), 1).unwrap(),
        );
        let task = tokio::spawn(async move {
            let _of_this_connection = (open, share);
            std::panic::resume_unwind(Box::new("of this nobody hears"));
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(sockets.open.load(Ordering::Relaxed), 0);
        assert!(sockets.by_caller.take("somebody".into(), 1).is_some());
    }

    #[test]
    fn goodbyes_are_spread_over_the_drain() {
        let sockets = Sockets::default();
        let _open: Vec<_> = (0..4).map(|_| sockets.open()).collect();
        let waits: Vec<u64> = (0..5)
            .map(|_| sockets.wait(Duration::from_secs(40)).as_secs())
            .collect();
        assert_eq!(waits, [0, 7, 15, 22, 30]);
    }
}
