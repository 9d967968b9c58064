//! What the pieces cost, without connections: `cargo bench`, or `cargo bench -- read` for some of
//! them. Beside other gateways, and with connections, see `bench/compare`.
//!
//! `bench/instructions` counts the instructions of each instead, which come out the same on a busy
//! machine.
//!
//! `read` is a page of an upstream, from its bytes to rows. `answer` is a question over lists in
//! hand, from a request to its response, by what the gateway may remember: whole answers, rows, or
//! nothing. `many` is the same as `rows`, of long lists: what it costs to choose a page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that can't be set up can't go on"
)]

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use criterion::{Criterion, Throughput};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use std::{hint::black_box, net::SocketAddr, time::Duration};
use tokio::runtime::Runtime;
use tower::ServiceExt;
use veeam_graph::{
    app,
    config::{Access, Auth, Cache, Config, Kind, Limits, Server, Tls, Upstream},
    graph,
    http::{Gateway, HttpService},
    simulator::{API_KEY, Options, PASSWORD, Scale, Simulator, USER, generate},
    time::Clock,
    upstream::vspc::{agent_job_object::AgentJobObject, job::Job},
};

/// Questions of an ordinary portal.
const QUESTIONS: [(&str, &str); 3] = [
    ("small", "{ backupServer(name: \"vbr003\") { name } }"),
    ("list", "{ jobs(first: 100) { nodes { uid name status type isEnabled lastDurationSeconds scheduleType destination } } }"),
    (
        "walk",
        "{ backupServers(first: 10) { nodes { name version tapeLinkedJobs(first: 50) { nodes { jobUid linkedJobUid linkedJob { uid name status
            ... on AgentJob { objects(first: 50) { nodes { uid computer backupStatus } } } } } } } } }",
    ),
];

/// Questions for a page of a long list.
const PAGES: [(&str, &str); 4] = [
    (
        "failed jobs",
        "{ jobs(first: 50, filter: { health: FAILED }) { totalCount nodes { uid name } } }",
    ),
    (
        "newest sessions",
        "{ agentSessions(first: 50) { totalCount nodes { uid name health } } }",
    ),
    (
        "machines by name",
        "{ agentJobObjects(first: 50, filter: { computerContains: \"sql\" }) { totalCount nodes { uid computer } } }",
    ),
    (
        "fleet health",
        "{ fleetHealth { key jobs { total failed } } }",
    ),
];

fn upstream(name: &str, kind: Kind, at: SocketAddr, auth: Auth) -> Upstream {
    // nothing is read anew while it is measured
    let long = Some(Duration::from_secs(24 * 3_600));
    let cache = Cache {
        jobs: long,
        agent_objects: long,
        sessions: long,
        links: long,
        copy_jobs: long,
        servers: long,
        companies: long,
        repositories: long,
        ..Cache::default()
    };
    Upstream {
        name: name.to_owned(),
        kind,
        url: format!("http://{at}").parse().unwrap(),
        auth,
        tls: Tls::System,
        timeout: Duration::from_secs(60),
        max_concurrency: 8,
        session_window: Duration::from_secs(30 * 86_400),
        cache,
        client_version: None,
    }
}

/// A simulated estate, and where it is.
fn simulate(runtime: &Runtime, scale: Scale) -> SocketAddr {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    // one for the process: whoever comes first, this or the gateway
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let simulator = Simulator::new(generate::generate(scale, 1, now), Options::default());
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(simulator.run(listener, std::future::pending()));
        at
    })
}

fn router(
    runtime: &Runtime,
    at: SocketAddr,
    kept_answers_bytes: usize,
    kept_rows_bytes: usize,
) -> Router {
    let limits = Limits {
        kept_answers_bytes,
        kept_rows_bytes,
        ..Limits::default()
    };
    let password = Auth::Password {
        username: USER.to_owned(),
        password: PASSWORD.into(),
    };
    let upstreams = vec![
        upstream("msp", Kind::Vspc, at, Auth::ApiKey(API_KEY.into())),
        upstream("em", Kind::EnterpriseManager, at, password),
    ];
    let config = Config {
        server: Server::at(([127, 0, 0, 1], 0).into()),
        auth: Access::default(),
        limits,
        operations: Default::default(),
        upstreams,
    };
    let _context = runtime.enter();
    let estate = app::estate(
        &config,
        Clock::Fixed("2026-11-20T12:00:00Z".parse().unwrap()),
    )
    .unwrap();
    HttpService::new(Gateway::new(graph::schema(true), estate, &config).unwrap()).router()
}

/// One question, from request to response.
async fn ask(router: &Router, body: &str) -> usize {
    let request = Request::post("/graphql")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json");
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let Ok(response) = router.clone().oneshot(request).await;
    assert!(response.status().is_success());
    to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap()
        .len()
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
}

/// What is done with the pieces.
enum Way {
    Time(Box<Criterion>),
    /// Counted, the one of that name; all of them where there is none.
    Count(Option<String>),
}

impl Way {
    /// One piece, of so many bytes.
    fn piece(&mut self, group: &str, name: &str, bytes: usize, mut run: impl FnMut()) {
        match self {
            Way::Time(criterion) => {
                let mut group = criterion.benchmark_group(group);
                group.throughput(Throughput::Bytes(bytes as u64));
                group.bench_function(name, |bencher| bencher.iter(&mut run));
            }
            Way::Count(only)
                if only
                    .as_ref()
                    .is_none_or(|only| *only == format!("{group}/{name}")) =>
            {
                run();
                counted_piece(&mut run);
                println!("{group}/{name}\t{bytes}");
            }
            Way::Count(_) => {}
        }
    }
}

/// `bench/instructions` counts from where this begins to where it ends.
#[inline(never)]
fn counted_piece(run: &mut dyn FnMut()) {
    run();
}

fn read_page<T: DeserializeOwned>(way: &mut Way, name: &str, page: &[u8]) {
    way.piece("read", name, page.len(), || {
        black_box(
            serde_json::from_slice::<Page<T>>(black_box(page))
                .unwrap()
                .data
                .len(),
        );
    });
}

fn read(way: &mut Way) {
    let runtime = Runtime::new().unwrap();
    let at = simulate(&runtime, Scale::Large);
    let page = |path: &str| {
        let url =
            format!("http://{at}/api/v3/infrastructure/backupServers/{path}?limit=500&offset=0");
        runtime.block_on(async {
            let answer = reqwest::Client::new()
                .get(url)
                .bearer_auth(API_KEY)
                .send()
                .await
                .unwrap();
            answer.error_for_status().unwrap().bytes().await.unwrap()
        })
    };
    read_page::<Job>(way, "500 jobs", &page("jobs"));
    read_page::<AgentJobObject>(way, "500 machines", &page("jobs/agentJobs/objects"));
}

fn answer(way: &mut Way) {
    let runtime = Runtime::new().unwrap();
    let at = simulate(&runtime, Scale::Medium);
    for (remembers, answers, rows) in [
        ("answers", 32 << 20, 32 << 20),
        ("rows", 0, 32 << 20),
        ("nothing", 0, 0),
    ] {
        let router = router(&runtime, at, answers, rows);
        ask_all(
            way,
            &runtime,
            &format!("answer/{remembers}"),
            &router,
            &QUESTIONS,
        );
    }
}

fn many(way: &mut Way) {
    let runtime = Runtime::new().unwrap();
    let at = simulate(&runtime, Scale::Large);
    ask_all(
        way,
        &runtime,
        "many",
        &router(&runtime, at, 0, 32 << 20),
        &PAGES,
    );
}

fn ask_all(
    way: &mut Way,
    runtime: &Runtime,
    name: &str,
    router: &Router,
    questions: &[(&str, &str)],
) {
    for (question, query) in questions {
        let body = json!({"query": query}).to_string();
        // the lists, and what may be remembered
        let bytes = runtime.block_on(async {
            ask(router, &body).await;
            ask(router, &body).await
        });
        way.piece(name, question, bytes, || {
            runtime.block_on(ask(router, &body));
        });
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == "count") {
        let mut way = Way::Count(words.next());
        [read, answer].iter().for_each(|pieces| pieces(&mut way));
        return;
    }
    let mut way = Way::Time(Box::new(Criterion::default().configure_from_args()));
    [read, answer, many]
        .iter()
        .for_each(|pieces| pieces(&mut way));
    if let Way::Time(criterion) = way {
        criterion.final_summary();
    }
}
