//! An upstream that serves bodies as given, byte for byte, and answers everything else as the
//! simulator does.
//!
//! ```ignore
//! let mock = Mock::empty().await; // or Mock::over(estate): what is not given comes from there
//! mock.on("/api/v3/infrastructure/backupServers/jobs", Reply::json(fixture("06-one-odd-row.vspc-jobs.json")));
//! mock.each("/api/query", |asked| Reply::json(...));
//! let world = mock.world("odd-row").await; // a gateway over it: consoles, Enterprise Manager and v2 at one address
//! assert!(log_of("odd-row").contains("processingRate"));
//! ```
//!
//! Of several replies for a request the one that was given last is served.
#![allow(dead_code, reason = "each test takes what it needs of it")]

use crate::world::{World, listen, password, upstream};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use futures_util::stream;
use jiff::Timestamp;
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
};
use veeam_graph::{
    config::{Auth, Kind, Upstream},
    simulator::{API_KEY, Estate, Options, Scale, Simulator, generate},
};

/// The backup server that the rows of `tests/fixtures/cases` belong to.
pub const VBR01: &str = "4614c798-a4d1-5d3c-b4e0-12b4e5723b98";
/// Another one, for the cases that have two.
pub const VBR02: &str = "b2c3db2d-d849-50a1-96fd-94e7ae8202c2";
/// The company of both.
pub const COMPANY: &str = "7a755021-7854-52cf-af8e-76037582288b";
/// The console's list of jobs.
pub const JOBS: &str = "/api/v3/infrastructure/backupServers/jobs";

/// When the cases happen: on the morning after their nights.
pub fn case_time() -> Timestamp {
    "2026-11-27T06:00:00Z".parse().unwrap()
}

/// A file of `tests/fixtures/cases`.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/cases")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Asked {
    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A whole number of the query; 0 where there is none.
    pub fn number(&self, name: &str) -> usize {
        self.parameter(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    broken: Option<Broken>,
}

/// How the connection breaks off after the body that is given.
#[derive(Clone, Copy, Debug)]
pub enum Broken {
    /// `Content-Length` promises more.
    Length,
    /// The last chunk is missing.
    Chunks,
}

impl Reply {
    pub fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), media_type.into())],
            body: body.into(),
            broken: None,
        }
    }

    /// 200 and JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/json; charset=utf-8", body)
    }

    /// The web page that a console answers to paths that it does not have.
    pub fn html() -> Self {
        Self::new(
            200,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><html><body><div id=\"root\"></div></body></html>",
        )
    }

    /// A page of a console's list: these rows of `total`, at `offset`.
    pub fn page(rows: &[serde_json::Value], total: usize, offset: usize) -> Self {
        let meta = json!({"pagingInfo": {"total": total, "count": rows.len(), "offset": offset}});
        Self::json(json!({"meta": meta, "data": rows}).to_string())
    }

    /// A page of a console's list, cut as the request asks.
    pub fn cut(rows: &[serde_json::Value], asked: &Asked) -> Self {
        let offset = asked.number("offset").min(rows.len());
        let end = (offset + asked.number("limit").max(1)).min(rows.len());
        Self::page(&rows[offset..end], rows.len(), offset)
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn broken(mut self, broken: Broken) -> Self {
        self.broken = Some(broken);
        self
    }

    fn render(self) -> Response {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).unwrap());
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        if let Some(Broken::Length) = self.broken {
            response = response.header("content-length", self.body.len() + 100);
        }
        let body = match self.broken {
            None => Body::from(self.body),
            Some(_) => {
                let broken =
                    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the mock breaks off");
                Body::from_stream(stream::iter([Ok(self.body), Err(broken)]))
            }
        };
        response.body(body).unwrap()
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

struct Shared {
    answers: Mutex<Vec<(String, Answer)>>,
    journal: Mutex<Vec<Asked>>,
    behind: SocketAddr,
    client: reqwest::Client,
}

/// A running mock; it ends with the test's runtime.
pub struct Mock {
    pub at: SocketAddr,
    pub simulator: Arc<Simulator>,
    shared: Arc<Shared>,
}

impl Mock {
    /// Over a simulator that has the two servers of the cases and their company, and nothing else.
    pub async fn empty() -> Self {
        let mut estate = generate::generate(Scale::Small, 1, case_time());
        estate.companies.clear();
        estate.servers.clear();
        estate.jobs.clear();
        estate.machines.clear();
        estate.tape_links.clear();
        estate.copy_links.clear();
        estate.simple_copy_links.clear();
        estate.tape_repositories.clear();
        estate.copies.clear();
        estate.repositories.clear();
        estate.sessions.clear();
        estate.agents.clear();
        estate.alarms.clear();
        estate.workloads.clear();
        estate.licenses.clear();
        estate.locations.clear();
        estate.console_agents.clear();
        estate.console_jobs.clear();
        let mock = Self::over(estate).await;
        let server = |uid: &str, name: &str| json!({"instanceUid": uid, "name": name, "organizationUid": COMPANY, "backupServerRoleType": "Client", "status": "Healthy"});
        let servers = [server(VBR01, "vbr01"), server(VBR02, "vbr02")];
        mock.each("/api/v3/infrastructure/backupServers", move |asked| {
            Reply::cut(&servers, asked)
        });
        let companies = [json!({"instanceUid": COMPANY, "name": "A", "type": "Company"})];
        mock.each("/api/v3/organizations", move |asked| {
            Reply::cut(&companies, asked)
        });
        mock
    }

    /// Over a simulator of this estate.
    pub async fn over(estate: Estate) -> Self {
        let simulator = Simulator::new(estate, Options::default());
        let (listener, behind) = listen().await;
        tokio::spawn(simulator.clone().run(listener, std::future::pending()));
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            journal: Mutex::default(),
            behind,
            client,
        });
        let (listener, at) = listen().await;
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            at,
            simulator,
            shared,
        }
    }

    /// Serves this for a path, or for a path with its query where the pattern has a `?`; `*` stands
    /// for any text.
    pub fn on(&self, pattern: &str, reply: Reply) {
        self.each(pattern, move |_| reply.clone());
    }

    /// Serves what is made of each request.
    pub fn each(&self, pattern: &str, reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) {
        self.maybe(pattern, move |asked| Some(reply(asked)));
    }

    /// The same where something is made of it.
    pub fn maybe(
        &self,
        pattern: &str,
        reply: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) {
        self.shared
            .answers
            .lock()
            .unwrap()
            .push((pattern.to_owned(), Arc::new(reply)));
    }

    /// Serves this for the first requests and then what was served before.
    pub fn first(&self, times: usize, pattern: &str, reply: Reply) {
        let left = Mutex::new(times);
        self.maybe(pattern, move |_| {
            let mut left = left.lock().unwrap();
            *left = left.checked_sub(1)?;
            Some(reply.clone())
        });
    }

    /// Every request since the last time.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.journal.lock().unwrap())
    }

    /// The same, each as `METHOD path?query`.
    pub fn requests(&self) -> Vec<String> {
        self.take()
            .into_iter()
            .map(|asked| format!("{} {}", asked.method, asked.target))
            .collect()
    }

    /// The same without those that open and close sessions: a gateway that ends closes its own.
    pub fn reads(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter(|request| request.starts_with("GET "))
            .collect()
    }

    /// The settings of its three APIs: `NAME`, `NAME-em` and `NAME-v2`. A name that no other test
    /// has is found in the log.
    pub fn upstreams(&self, name: &str) -> Vec<Upstream> {
        vec![
            upstream(name, Kind::Vspc, self.at, Auth::ApiKey(API_KEY.into())),
            upstream(
                &format!("{name}-em"),
                Kind::EnterpriseManager,
                self.at,
                password(),
            ),
            upstream(&format!("{name}-v2"), Kind::Vac, self.at, password()),
        ]
    }

    /// A gateway over the three, at the time of the cases.
    pub async fn world(&self, name: &str) -> World {
        self.world_of(self.upstreams(name)).await
    }

    /// A gateway over the three for these callers.
    pub async fn world_for(&self, name: &str, auth: veeam_graph::config::Access) -> World {
        listen_to_log();
        let world = World::over_for(
            self.simulator.clone(),
            self.upstreams(name),
            auth,
            case_time(),
        )
        .await;
        self.take();
        world
    }

    /// A gateway over some of them, or with other settings.
    pub async fn world_of(&self, upstreams: Vec<Upstream>) -> World {
        listen_to_log();
        let world = World::over_at(self.simulator.clone(), upstreams, case_time()).await;
        self.take();
        world
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        target: parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    };
    shared.journal.lock().unwrap().push(asked.clone());
    let answers: Vec<Answer> = {
        let answers = shared.answers.lock().unwrap();
        let of_this = |pattern: &str| {
            fits(
                pattern,
                if pattern.contains('?') {
                    &asked.target
                } else {
                    &asked.path
                },
            )
        };
        answers
            .iter()
            .rev()
            .filter(|(pattern, _)| of_this(pattern))
            .map(|(_, answer)| answer.clone())
            .collect()
    };
    if let Some(reply) = answers.iter().find_map(|answer| answer(&asked)) {
        return reply.render();
    }
    let method = reqwest::Method::from_bytes(asked.method.as_bytes()).unwrap();
    let mut request = shared
        .client
        .request(method, format!("http://{}{}", shared.behind, asked.target))
        .body(asked.body);
    for (name, value) in asked
        .headers
        .iter()
        .filter(|(name, _)| *name != "host" && *name != "accept-encoding")
    {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer
        .headers()
        .iter()
        .filter(|(name, _)| *name != "transfer-encoding")
    {
        response = response.header(name, value);
    }
    match answer.bytes().await {
        Ok(body) => response.body(Body::from(body)).unwrap(),
        // broken off on purpose: so is this one
        Err(_) => Reply::json("").broken(Broken::Length).render(),
    }
}

/// `*` stands for any text; everything else for itself.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            let Some(rest) = text.strip_prefix(head) else {
                return false;
            };
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(tail, &rest[at..]))
        }
    }
}

static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// From now on warnings and worse of this process are kept.
pub fn listen_to_log() {
    LOG.get_or_init(|| {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let log = Log(kept.clone());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || log.clone());
        let _ = tracing::subscriber::set_global_default(subscriber.finish());
        kept
    });
}

/// The lines of the log that name an upstream, since [`listen_to_log`].
pub fn log_of(upstream: &str) -> Vec<String> {
    let log = LOG
        .get()
        .map(|log| String::from_utf8_lossy(&log.lock().unwrap()).into_owned())
        .unwrap_or_default();
    let named = format!("upstream={upstream} ");
    log.lines()
        .filter(|line| line.contains(&named))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_given_is_the_simulators() {
    let mock = Mock::over(generate::generate(Scale::Small, 1, case_time())).await;
    let world = mock.world("mock-itself").await;
    let jobs = mock.simulator.estate().jobs.len();
    assert_eq!(
        world.data("{ jobs { totalCount } }").await["jobs"]["totalCount"],
        jobs
    );
    mock.first(1, JOBS, Reply::page(&[], 0, 0));
    let world = mock.world("mock-itself").await;
    assert_eq!(
        world.data("{ jobs { totalCount } }").await["jobs"]["totalCount"],
        0
    );
    assert_eq!(mock.requests(), [format!("GET {JOBS}?limit=500&offset=0")]);
    assert!(
        fits("/a/*?x=*", "/a/b?x=1")
            && !fits("/a/*", "/b/a")
            && fits("/a", "/a")
            && !fits("/a", "/ab")
    );
}
