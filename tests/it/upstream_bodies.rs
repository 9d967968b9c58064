//! Bodies and headers as no upstream should send them, over every list of the three APIs, JSON and
//! XML: nothing panics, nothing hangs, no list is shorter without an error, and memory stays within
//! a bound.
//!
//! The clients read from a server on loopback that serves what the simulator says, with one change.
//! `UPSTREAM_BODIES` sets how many; CI asks 20,000; 50,000 want a release build. It runs in a
//! process of its own, whose peak of memory is then its own too.

mod mutations;

use self::mutations::{Changed, Dice, change};
use crate::world::{PATIENCE, listen, now};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::{FutureExt, future::BoxFuture, stream};
use std::{
    collections::HashMap,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};
use veeam_graph::{
    simulator::{API_KEY, Options, PASSWORD, Scale, Simulator, USER, generate},
    uid::{AgentUid, JobUid, SessionUid},
    upstream::{
        Error,
        enterprise_manager::EnterpriseManager,
        pager::Listing,
        settings::{Credentials, Kind, Settings, SharedConnection, Trust},
        vac::Vac,
        vspc::{
            Vspc, job_detail::DetailKind, linked_job::LinkFamily, protected_workload::WorkloadKind,
        },
    },
};

/// What the process may have in memory at its most: the test binary, four clients, and the bodies
/// below.
const MOST_MEMORY_MB: u64 = 400;

/// An answer of the server.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Whether the connection breaks off after the body.
    is_broken: bool,
}

impl Answer {
    fn render(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let broken = Err(std::io::Error::other("broken off"));
        let body = if self.is_broken {
            Body::from_stream(stream::iter([Ok(self.body), broken]))
        } else {
            self.body.into()
        };
        response.body(body).unwrap()
    }

    fn media_type(&self) -> &str {
        &self.headers[0].1
    }
}

/// What the server knows: the simulator's answers, those that were asked for since, and the one
/// that is changed.
#[derive(Default)]
struct Shared {
    kept: HashMap<String, Answer>,
    asked: Vec<String>,
    changed: Option<(String, Answer)>,
}

#[derive(Clone)]
struct Server {
    simulator: SocketAddr,
    client: reqwest::Client,
    shared: Arc<Mutex<Shared>>,
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let is_read = parts.method == "GET";
    if is_read {
        let mut shared = server.shared.lock().unwrap();
        shared.asked.push(target.clone());
        let changed = shared
            .changed
            .as_ref()
            .filter(|(changed, _)| *changed == target)
            .map(|(_, answer)| answer);
        if let Some(answer) = changed.or_else(|| shared.kept.get(&target)).cloned() {
            return answer.render();
        }
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let url = format!("http://{}{target}", server.simulator);
    let mut headers = parts.headers;
    headers.remove("host");
    let reply = server
        .client
        .request(parts.method, url)
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let media_type = reply
        .headers()
        .get("content-type")
        .map_or("text/plain", |value| value.to_str().unwrap())
        .to_owned();
    let mut headers = vec![("content-type", media_type)];
    headers.extend(
        reply
            .headers()
            .get("x-restsvcsessionid")
            .map(|value| ("x-restsvcsessionid", value.to_str().unwrap().to_owned())),
    );
    let answer = Answer {
        status: reply.status().as_u16(),
        headers,
        body: reply.bytes().await.unwrap().to_vec(),
        is_broken: false,
    };
    if is_read && answer.status == 200 {
        server
            .shared
            .lock()
            .unwrap()
            .kept
            .insert(target, answer.clone());
    }
    answer.render()
}

/// The clients of the three APIs.
struct Clients {
    vspc: Vspc,
    manager: EnterpriseManager,
    vac: Vac,
    agent: AgentUid,
    jobs: Vec<JobUid>,
    sessions: Vec<SessionUid>,
}

impl Clients {
    fn of(at: SocketAddr, simulator: &Simulator) -> Self {
        let estate = simulator.estate();
        let settings = |kind, credentials| Settings {
            name: "fuzzed".into(),
            kind,
            url: format!("http://{at}").parse().unwrap(),
            credentials,
            // no roots to be read: clients are made by the thousand
            trust: Trust::Pinned([0; 32]),
            timeout: Duration::from_secs(2),
            max_concurrency: 4,
            line: SharedConnection::default(),
            client_version: None,
            dialect: Arc::default(),
            sign_in_pause: Duration::from_secs(60),
        };
        let password = || Credentials::Password {
            username: USER.to_owned(),
            password: PASSWORD.into(),
        };
        let mut jobs: Vec<JobUid> = estate
            .sessions
            .iter()
            .map(|session| session.job.into())
            .collect();
        jobs.dedup();
        Self {
            vspc: Vspc::new(&settings(Kind::Vspc, Credentials::ApiKey(API_KEY.into()))).unwrap(),
            manager: EnterpriseManager::new(&settings(Kind::EnterpriseManager, password()))
                .unwrap(),
            vac: Vac::new(&settings(Kind::Vac, password())).unwrap(),
            agent: estate.agents[0].id.into(),
            jobs: jobs.into_iter().take(5).collect(),
            sessions: estate
                .sessions
                .iter()
                .take(5)
                .map(|session| session.uid.into())
                .collect(),
        }
    }
}

/// How many rows were read, and whether these are all.
type Outcome = Result<(usize, bool), Error>;

fn told<T>(listing: Listing<T>) -> (usize, bool) {
    (listing.rows.len(), listing.problem.is_none())
}

/// One way to read a list.
struct Resource {
    name: String,
    /// Whether the answer says how many rows there are.
    has_total: bool,
    read: Box<dyn for<'a> Fn(&'a Clients) -> BoxFuture<'a, Outcome> + Send + Sync>,
}

fn resource(
    name: impl Into<String>,
    has_total: bool,
    read: impl for<'a> Fn(&'a Clients) -> BoxFuture<'a, Outcome> + Send + Sync + 'static,
) -> Resource {
    Resource {
        name: name.into(),
        has_total,
        read: Box::new(read),
    }
}

macro_rules! lists {
    ($all:ident: $($method:ident),* $(,)?) => {
        $($all.push(resource(stringify!($method), true, |clients| async move { clients.vspc.$method().read().await.map(told) }.boxed()));)*
    };
}

fn resources() -> Vec<Resource> {
    let mut all = Vec::new();
    lists!(all: jobs, agent_jobs, agent_job_objects, active_alarms, backup_agents, backup_copy_jobs, backup_servers, computer_backups,
        console_agents, console_agent_jobs, license_usage, tape_linked_repositories, locations, organizations, repositories);
    for kind in DetailKind::ALL {
        all.push(resource(
            format!("details of {kind:?}"),
            true,
            move |clients| {
                async move { clients.vspc.job_details(kind).read().await.map(told) }.boxed()
            },
        ));
    }
    for family in LinkFamily::ALL {
        all.push(resource(
            format!("links of {family:?}"),
            true,
            move |clients| {
                async move { clients.vspc.linked_jobs(family).read().await.map(told) }.boxed()
            },
        ));
    }
    for kind in WorkloadKind::ALL {
        all.push(resource(
            format!("workloads of {kind:?}"),
            true,
            move |clients| {
                async move {
                    clients
                        .vspc
                        .protected_workloads(kind)
                        .read()
                        .await
                        .map(told)
                }
                .boxed()
            },
        ));
    }
    let since = now() - jiff::SignedDuration::from_hours(24 * 400);
    // twice as often: these come in three dialects
    for _ in 0..4 {
        all.push(resource("agent sessions", false, move |clients| {
            async move { clients.manager.agent_sessions(since).await.map(told) }.boxed()
        }));
        all.push(resource("sessions of jobs", false, move |clients| {
            async move {
                clients
                    .manager
                    .sessions_of_jobs(&clients.jobs, since)
                    .await
                    .map(told)
            }
            .boxed()
        }));
        all.push(resource("managed servers", false, |clients| {
            async move { clients.manager.managed_servers().await.map(told) }.boxed()
        }));
        all.push(resource("tasks of a session", false, |clients| {
            async move {
                clients
                    .manager
                    .task_sessions(&clients.sessions[..1])
                    .await
                    .map(told)
            }
            .boxed()
        }));
        all.push(resource("tasks of sessions", false, |clients| {
            async move {
                clients
                    .manager
                    .task_sessions(&clients.sessions)
                    .await
                    .map(told)
            }
            .boxed()
        }));
    }
    all.push(resource("agent jobs of v2", false, |clients| {
        async move {
            clients
                .vac
                .backup_agent_jobs(clients.agent)
                .await
                .map(|jobs| jobs.map_or((0, true), told))
        }
        .boxed()
    }));
    all
}

/// Headers and statuses as no server should send them.
fn odd(dice: &mut Dice, answer: &mut Answer) -> String {
    let number = *dice.one(&[
        "0",
        "-1",
        "99999999999",
        "18446744073709551615",
        "1e400",
        "NaN",
        "soon",
        "Fri, 32 Nov 9999 99:99:99 GMT",
    ]);
    match dice.below(6) {
        0 => {
            answer.status = *dice.one(&[
                201, 202, 203, 204, 205, 206, 226, 301, 302, 304, 400, 401, 403, 404, 410, 429,
                451, 500, 501, 503, 520, 599,
            ])
        }
        1 => {
            answer.headers[0].1 = (*dice.one(&[
                "text/html",
                "application/xml",
                "application/json",
                "text/plain",
                ";",
                "json",
                "x/json; charset=utf-16",
            ]))
            .to_owned()
        }
        2 => answer.headers.push((
            "content-encoding",
            (*dice.one(&["gzip", "br", "identity", "x"])).to_owned(),
        )),
        3 => {
            answer.status = *dice.one(&[429, 503]);
            answer.headers.push(("retry-after", number.to_owned()));
        }
        4 => {
            answer.status = 429;
            answer.body = format!("{{\"errors\":[{{\"retryAfter\":{number}}}]}}").into_bytes();
        }
        _ => {
            answer.is_broken = true;
            answer.body.truncate(dice.below(answer.body.len() + 1));
        }
    }
    format!(
        "{} {:?} {}",
        answer.status,
        answer.headers,
        if answer.is_broken { "broken off" } else { "" }
    )
}

/// Reads changed answers of one dialect; what went wrong, in words.
async fn attack(options: Options, seed: u64, count: usize) -> Vec<String> {
    let (apis, simulated) = listen().await;
    let simulator = Simulator::new(generate::generate(Scale::Small, 1, now()), options);
    let running = tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let (door, at) = listen().await;
    let server = Server {
        simulator: simulated,
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        shared: Arc::default(),
    };
    let shared = server.shared.clone();
    let serving = tokio::spawn(async move {
        axum::serve(door, Router::new().fallback(answer).with_state(server)).await
    });

    let (mut clients, mut dice, mut wrong) =
        (Clients::of(at, &simulator), Dice::of(seed), Vec::new());
    // as it should be: how many rows, from where
    let mut known = Vec::new();
    for resource in resources() {
        shared.lock().unwrap().asked.clear();
        let (rows, is_complete) = (resource.read)(&clients)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", resource.name));
        assert!(is_complete, "{}", resource.name);
        let mut shared = shared.lock().unwrap();
        let targets: Vec<String> = shared.asked.drain(..).collect();
        let targets: Vec<String> = targets
            .into_iter()
            .filter(|target| shared.kept.contains_key(target))
            .collect();
        assert!(!targets.is_empty(), "{}", resource.name);
        known.push((resource, rows, targets));
    }
    for _ in 0..count {
        let (resource, rows, targets) = &known[dice.below(known.len())];
        let target = dice.one(targets);
        let mut answer = shared.lock().unwrap().kept[target].clone();
        let mut is_loss = false;
        let is_odd = dice.below(40) == 0;
        let how = if is_odd {
            // what came of the case before must not be in the way of this one
            clients = Clients::of(at, &simulator);
            let how = odd(&mut dice, &mut answer);
            // there is no such list, or none of such a session
            is_loss |= matches!(answer.status, 204 | 404);
            how
        } else {
            let Changed {
                body,
                how,
                is_well_formed_loss,
            } = change(&mut dice, answer.media_type(), &answer.body);
            is_loss |= is_well_formed_loss && !resource.has_total;
            answer.body = body;
            how
        };
        shared.lock().unwrap().changed = Some((target.clone(), answer.clone()));
        let read = AssertUnwindSafe((resource.read)(&clients)).catch_unwind();
        let outcome = tokio::time::timeout(PATIENCE, read).await;
        let why = match outcome {
            Err(_) => Some("hangs".to_owned()),
            Ok(Err(_)) => Some("panics".to_owned()),
            Ok(Ok(Ok((read, true)))) if read < *rows && !is_loss => {
                Some(format!("{read} of {rows} rows and no error"))
            }
            Ok(Ok(_)) => None,
        };
        if let Some(why) = why {
            wrong.push(format!("{} {target}: {how}: {why}", resource.name));
        }
        if is_odd {
            clients = Clients::of(at, &simulator);
        }
    }
    serving.abort();
    running.abort();
    wrong
}

/// Four megabytes of nothing but rows that are none: nothing of them stays.
async fn hollow_rows() {
    for (media_type, row, open, close) in [
        (
            "application/json",
            r#"{"a":0},"#,
            r#"{"BackupServers":["#,
            r#"{"a":0}]}"#,
        ),
        (
            "application/xml",
            r#"<BackupServer b=""/>"#,
            "<BackupServers>",
            "</BackupServers>",
        ),
        (
            "application/xml",
            r#"<a b=""/>"#,
            "<BackupServers>",
            "</BackupServers>",
        ),
        ("application/json", r#"{"a":[[0]]},"#, r#"{"X":["#, r#"0]}"#),
    ] {
        let (apis, simulated) = listen().await;
        let simulator = Simulator::new(
            generate::generate(Scale::Small, 1, now()),
            Options::default(),
        );
        let running = tokio::spawn(simulator.clone().run(apis, std::future::pending()));
        let (door, at) = listen().await;
        let server = Server {
            simulator: simulated,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            shared: Arc::default(),
        };
        let body = format!("{open}{}{close}", row.repeat((4 << 20) / row.len())).into_bytes();
        let answer_of = Answer {
            status: 200,
            headers: vec![("content-type", media_type.to_owned())],
            body,
            is_broken: false,
        };
        server
            .shared
            .lock()
            .unwrap()
            .kept
            .insert("/api/backupServers?format=Entity".to_owned(), answer_of);
        let serving = tokio::spawn(async move {
            axum::serve(door, Router::new().fallback(answer).with_state(server)).await
        });
        let clients = Clients::of(at, &simulator);
        let reads = (0..4).map(|_| clients.manager.managed_servers());
        for read in futures_util::future::join_all(reads).await {
            assert!(
                !matches!(read, Ok(listing) if listing.problem.is_none()),
                "{row}"
            );
        }
        serving.abort();
        running.abort();
    }
}

fn count() -> usize {
    std::env::var_os("UPSTREAM_BODIES")
        .and_then(|count| count.to_str()?.parse().ok())
        .unwrap_or(2_000)
}

#[test]
fn no_body_of_an_upstream_ends_anything_or_makes_a_list_shorter_unseen() {
    let test = "upstream_bodies::in_a_process_of_its_own";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test above runs it, in a process of its own"]
async fn in_a_process_of_its_own() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    hollow_rows().await;
    let dialects = [
        Options::default(),
        Options {
            xml_only: true,
            ..Options::default()
        },
        Options {
            casing: veeam_graph::simulator::Casing::Camel,
            byte_order_mark: true,
            ..Options::default()
        },
        Options {
            xml_only: true,
            ..Options::default()
        },
    ];
    let each = count().div_ceil(dialects.len());
    let attacks = dialects
        .into_iter()
        .zip(1..)
        .map(|(options, seed)| tokio::spawn(attack(options, seed, each)));
    let mut wrong = Vec::new();
    for attack in attacks.collect::<Vec<_>>() {
        wrong.extend(attack.await.unwrap());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    eprintln!(
        "{} bodies, {} wrong, peak {:?} MB",
        each * 4,
        wrong.len(),
        peak.map(|peak| peak / 1_024)
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(40)]);
    // where the system does not tell, the bound is not looked at
    assert!(
        peak.is_none_or(|peak| peak / 1_024 < MOST_MEMORY_MB),
        "{peak:?} kB"
    );
}
