//! The three vendor APIs on one loopback port, rendered from one invented estate, with knobs to
//! make them misbehave.
//!
//! `/api/v3` is Service Provider Console, the rest of `/api` is Enterprise Manager, `/v2` and
//! `/token` the legacy API. It is the other side of the wire: no module of the gateway is used
//! here, nor may any be. It behaves like the vendors where that hurts: HTML with 200 for unknown
//! console paths, unknown parameters ignored, 400 for pages over 500, XML unless JSON is asked for,
//! queries cut at 100, a cookie that beats the header.

pub mod estate;
pub mod faults;
pub mod generate;

mod console;
mod enterprise_manager;
mod query;
mod sessions;
mod vac;
mod version;

pub use console::kinds::{members as job_members, objects as job_objects};
pub use enterprise_manager::{Casing, tasks};
pub use estate::{Estate, Scale};
pub use faults::{Fault, FaultKind, Faults};
pub use version::{ApiVersion, Bridge};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use sessions::Sessions;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpListener;

/// The account that every simulated API takes.
pub const USER: &str = "operator";
/// Its password.
pub const PASSWORD: &str = "simulator";
/// The API key that the simulated console takes.
pub const API_KEY: &str = "simulator-key";
/// How many requests are remembered.
const MAX_JOURNAL: usize = 200_000;

/// How the simulated servers are set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The casing of Enterprise Manager's JSON.
    pub casing: Casing,
    /// Whether its JSON begins with a byte order mark.
    pub byte_order_mark: bool,
    /// The version of the console's API.
    pub version: ApiVersion,
    /// How the console lists the servers of Enterprise Manager.
    pub bridge: Bridge,
    /// Whether Enterprise Manager answers in XML whatever is asked for.
    pub xml_only: bool,
    /// How long a token of the console lasts, in seconds; an hour when left out.
    pub token_seconds: Option<u64>,
    /// Standing credentials (a token of the console, a session of Enterprise Manager), each of
    /// which sees an estate of its own: as far from each other as two accounts can be.
    pub tenants: Vec<(String, Arc<Estate>)>,
}

/// The simulated servers.
pub struct Simulator {
    estate: Mutex<Arc<Estate>>,
    options: Options,
    sessions: Sessions,
    /// The knobs.
    pub faults: Faults,
    journal: Mutex<VecDeque<String>>,
}

impl Simulator {
    /// Simulated servers over an estate.
    pub fn new(estate: Estate, options: Options) -> Arc<Self> {
        let sessions = Sessions::new(options.token_seconds.unwrap_or(3_600));
        Arc::new(Self {
            estate: Mutex::new(Arc::new(estate)),
            options,
            sessions,
            faults: Faults::default(),
            journal: Mutex::default(),
        })
    }

    /// The estate as it is now.
    pub fn estate(&self) -> Arc<Estate> {
        self.estate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The estate that a request's credential sees.
    fn estate_of(&self, ask: &Ask) -> Arc<Estate> {
        match self
            .options
            .tenants
            .iter()
            .find(|(credential, _)| ask.shows(credential))
        {
            Some((_, estate)) => estate.clone(),
            None => self.estate(),
        }
    }

    fn is_tenant(&self, ask: &Ask) -> bool {
        self.options
            .tenants
            .iter()
            .any(|(credential, _)| ask.shows(credential))
    }

    /// Changes the estate: something was renamed, ran or is gone.
    pub fn change(&self, change: impl FnOnce(&mut Estate)) {
        let mut estate = self.estate.lock().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut estate));
    }

    /// Every request so far, as `METHOD path?query`, oldest first; forgets them.
    pub fn take_requests(&self) -> Vec<String> {
        self.journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
            .collect()
    }

    /// The kinds of token grants that were asked for so far, oldest first; forgets them.
    pub fn take_grants(&self) -> Vec<String> {
        self.sessions.take_grants()
    }

    /// Ends every session and token.
    pub fn expire_sessions(&self) {
        self.sessions.expire();
    }

    /// Serves until the future ends.
    pub async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let router = Router::new().fallback(answer).with_state(self);
        axum::serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .await
    }
}

async fn answer(State(simulator): State<Arc<Simulator>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    {
        let mut journal = simulator
            .journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if journal.len() >= MAX_JOURNAL {
            journal.pop_front();
        }
        journal.push_back(format!("{} {target}", parts.method));
    }
    let faults = simulator.faults.take(&target);
    for fault in &faults {
        match fault {
            FaultKind::Delay { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await
            }
            FaultKind::Hang => std::future::pending::<()>().await,
            FaultKind::Status {
                status,
                retry_after,
                retry_after_in_body,
                location,
            } => {
                return failed(
                    *status,
                    *retry_after,
                    *retry_after_in_body,
                    location.as_deref(),
                );
            }
            FaultKind::Html => return html(),
            FaultKind::Expire => {
                simulator.sessions.expire();
                return unauthorized(parts.uri.path());
            }
            _ => {}
        }
    }
    let body = axum::body::to_bytes(body, 1 << 20)
        .await
        .unwrap_or_default();
    let ask = Ask {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        parameters: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        headers: parts.headers,
        body,
        faults: faults.clone(),
    };
    spoil(simulator.respond(&ask), &faults).await
}

/// A request, taken apart.
struct Ask {
    method: Method,
    path: String,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    faults: Vec<FaultKind>,
}

impl Ask {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn shows(&self, credential: &str) -> bool {
        let bearer = self
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        bearer == Some(credential) || self.header("x-restsvcsessionid") == Some(credential)
    }

    fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Simulator {
    fn respond(&self, ask: &Ask) -> Response {
        let path = ask.path.trim_end_matches('/');
        if path == "/api/v3/token" || path == "/token" {
            return self.sessions.token(ask, path == "/api/v3/token");
        }
        if let Some(rest) = path.strip_prefix("/api/v3/") {
            return self.console(ask, rest);
        }
        if let Some(rest) = path.strip_prefix("/api/") {
            return self.enterprise_manager(ask, rest);
        }
        if let Some(rest) = path.strip_prefix("/v2/") {
            if !self.sessions.is_bearer(ask) && !self.is_tenant(ask) {
                return unauthorized(path);
            }
            let found = vac::find(&self.estate_of(ask), rest);
            return found.map_or_else(
                || json_body(StatusCode::NOT_FOUND, &json!("Not found.")),
                |value| json_body(StatusCode::OK, &value),
            );
        }
        html()
    }

    fn console(&self, ask: &Ask, path: &str) -> Response {
        if !self.sessions.is_bearer(ask) && !self.is_tenant(ask) {
            return unauthorized(&ask.path);
        }
        if ask.method != Method::GET {
            return error_body(405, "Method not allowed.");
        }
        let version = self.options.version;
        if ask
            .header("x-client-version")
            .is_some_and(|asked| !version.takes(asked))
        {
            return unsupported_version();
        }
        let Some(path) = version.path(path) else {
            return html();
        };
        let path = path.as_str();
        let expansion = if path.ends_with("/repositories") {
            "BackupRepositoryInfo"
        } else {
            "BackupServerJob"
        };
        let expand = ask.parameter("expand") == Some(expansion);
        let estate = self.estate_of(ask);
        match console::find(
            version::Told {
                estate: &estate,
                version,
                bridge: self.options.bridge,
            },
            path,
            expand,
        ) {
            console::Found::Nothing => html(),
            console::Found::Missing => error_body(404, "Resource was not found."),
            console::Found::One(data) => json_body(StatusCode::OK, &json!({"data": data})),
            console::Found::List(rows) => list(ask, rows),
        }
    }

    fn enterprise_manager(&self, ask: &Ask, path: &str) -> Response {
        let wants_json = !self.options.xml_only
            && ask
                .header("accept")
                .is_some_and(|accept| accept.contains("application/json"));
        let render = |status: StatusCode, element: &enterprise_manager::Element| {
            let (media_type, body) = element.render(
                wants_json,
                self.options.casing,
                self.options.byte_order_mark,
            );
            (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
        };
        if path == "sessionMngr" && ask.method == Method::POST {
            let Some((id, token)) = self.sessions.log_on(ask) else {
                return unauthorized(&ask.path);
            };
            let mut response = render(
                StatusCode::CREATED,
                &enterprise_manager::logon_session(id, USER),
            );
            if let (Ok(value), Ok(cookie)) = (
                token.parse(),
                format!("X-RestSvcSessionId={token}; path=/").parse(),
            ) {
                response.headers_mut().insert("X-RestSvcSessionId", value);
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            return response;
        }
        if !self.is_tenant(ask) && !self.sessions.is_logged_on(ask) {
            return unauthorized(&ask.path);
        }
        if let Some(id) = path
            .strip_prefix("logonSessions/")
            .and_then(|id| uuid::Uuid::try_parse(id).ok())
        {
            if ask.method == Method::DELETE {
                self.sessions.log_off(id);
                return StatusCode::NO_CONTENT.into_response();
            }
            return render(StatusCode::OK, &enterprise_manager::logon_session(id, USER));
        }
        match enterprise_manager::find(&self.estate_of(ask), path, &ask.parameters) {
            Some(element) => render(StatusCode::OK, &element),
            None => json_body(
                StatusCode::NOT_FOUND,
                &json!({"Message": "Not found.", "StatusCode": 404, "StackTrace": "at Veeam.Inner()"}),
            ),
        }
    }
}

/// One page of a list, in the envelope.
fn list(ask: &Ask, rows: Vec<Value>) -> Response {
    let number = |name: &str, otherwise: usize| match ask.parameter(name) {
        None => Ok(otherwise),
        Some(text) => text.parse::<usize>().map_err(|_| ()),
    };
    let (Ok(limit), Ok(mut offset)) = (number("limit", 100), number("offset", 0)) else {
        return error_body(400, "Parameter value is not a number.");
    };
    if limit > 500 || limit == 0 {
        return error_body(400, "Parameter value must be less or equal to 500.");
    }
    let asked = offset;
    let mut short = false;
    let mut errors = Value::Null;
    for fault in &ask.faults {
        match fault {
            FaultKind::RepeatPage { .. } => offset = 0,
            FaultKind::ShortPage => short = true,
            FaultKind::PartialErrors => {
                errors = json!([{"message": "Some servers did not answer.\r\nat Inner.Stack()", "type": "logical", "code": 1}])
            }
            _ => {}
        }
    }
    let echoed = if ask.faults.contains(&FaultKind::RepeatPage { honest: true }) {
        offset
    } else {
        asked
    };
    let total = rows.len();
    let mut page: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    if short {
        page.truncate(page.len() / 2);
    }
    let body = json!({"meta": {"pagingInfo": {"total": total, "count": page.len(), "offset": echoed}}, "data": page, "errors": errors});
    json_body(StatusCode::OK, &body)
}

fn json_body(status: StatusCode, value: &Value) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        value.to_string(),
    )
        .into_response()
}

fn error_body(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_body(
        status,
        &json!({"errors": [{"message": message, "type": "logical", "code": 0}]}),
    )
}

/// What a console says to a version that it does not have.
fn unsupported_version() -> Response {
    let error = json!({"code": "UnsupportedApiVersion", "message": "The requested version is not supported.", "innerError": null});
    json_body(StatusCode::BAD_REQUEST, &json!({"error": error}))
}

fn html() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Service Provider Console</title></head><body><div id=\"root\"></div></body></html>";
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        page,
    )
        .into_response()
}

fn unauthorized(path: &str) -> Response {
    let mut response = error_body(401, "Authorization has been denied for this request.");
    if path.starts_with("/api/") && !path.starts_with("/api/v3") {
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static("Basic Realm=RestSvc"),
        );
    }
    response
}

fn failed(
    status: u16,
    retry_after: Option<u64>,
    in_body: Option<u64>,
    location: Option<&str>,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut error = json!({"message": "Inner failure at C:\\inner\\path\r\n   at Inner.Stack.Trace()", "type": "transport", "code": status.as_u16()});
    if let Some(seconds) = in_body {
        error["retryAfter"] = json!(seconds);
    }
    let mut response = json_body(status, &json!({"errors": [error]}));
    let mut header = |name: header::HeaderName, value: String| {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    if let Some(seconds) = retry_after {
        header(header::RETRY_AFTER, seconds.to_string());
    }
    if let Some(location) = location {
        header(header::LOCATION, location.to_owned());
    }
    response
}

/// Spoils a good answer on its way out.
async fn spoil(response: Response, faults: &[FaultKind]) -> Response {
    let Some(fault) = faults.iter().find(|fault| {
        matches!(
            fault,
            FaultKind::Reset | FaultKind::Truncate | FaultKind::Garble
        )
    }) else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    let body = match fault {
        FaultKind::Reset => {
            let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "simulated");
            Body::from_stream(stream::iter([Ok(half), Err(broken)]))
        }
        FaultKind::Truncate => Body::from(half),
        _ => Body::from("{\"data\": [oops"),
    };
    let mut parts = parts;
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body)
}
