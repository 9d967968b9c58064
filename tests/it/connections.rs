//! Connections: how many, for how long, what waits to be read on them, and how they end when the
//! gateway does.

use crate::world::{PATIENCE, Setup, World, listen, upstream};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::json;
use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use veeam_graph::{
    app,
    config::{Access, Config, Kind, Limits, Server},
    simulator::{API_KEY, Options, Scale, Simulator, generate},
    time::Clock,
};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn server() -> Server {
    Server {
        leave: Duration::ZERO,
        ..Server::at(([127, 0, 0, 1], 0).into())
    }
}

pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: it never happens"))
}

/// The head of an answer, and what of its body came with it; empty where the connection is closed.
pub async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        match in_time("an answer", stream.read_buf(&mut read)).await {
            Ok(0) | Err(_) => return String::new(),
            Ok(_) => {}
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A connection that was served once, or None where it was turned away.
async fn served(gateway: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let _ = stream.write_all(LIVE.as_bytes()).await;
    head(&mut stream)
        .await
        .starts_with("HTTP/1.1 200")
        .then_some(stream)
}

/// HTTP/2 with a client that reads next to nothing ahead; and the end of its connection.
pub async fn multiplexed(
    gateway: SocketAddr,
) -> (
    http2::SendRequest<Full<Bytes>>,
    tokio::task::JoinHandle<hyper::Result<()>>,
) {
    let stream = TcpStream::connect(gateway).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(65_535);
    builder
        .keep_alive_interval(Duration::from_millis(100))
        .keep_alive_while_idle(true);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn live() -> Request<Full<Bytes>> {
    Request::get("http://localhost/health/live")
        .body(Full::default())
        .unwrap()
}

/// A question with an answer of some megabytes, which no buffer of the system takes.
fn large() -> String {
    large_as("a")
}

/// The same with names of its own, so that nothing of another's answer is given again.
pub fn large_as(name: &str) -> String {
    let fields = "nodes { id uid name jobName backupServerName computer startedAt endedAt health result state jobUid }";
    let roots: String = (0..36)
        .map(|number| format!("{name}{number}: agentSessions(first: 500) {{ {fields} }} "))
        .collect();
    json!({"query": format!("{{ {roots} }}")}).to_string()
}

pub fn post(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A world whose answer to the large question is kept, and how long it is.
async fn with_large(limits: impl FnOnce(usize) -> Limits, server: Server) -> (World, usize) {
    // two worlds of one seed answer alike
    let first = World::small().await;
    let request = first
        .client
        .post(format!("{}/graphql", first.origin))
        .header("content-type", "application/json")
        .body(large());
    let bytes = request.send().await.unwrap().bytes().await.unwrap().len();
    assert!(bytes > 1_500_000, "{bytes}");
    let world = World::start(Setup {
        limits: limits(bytes),
        server,
        ..Setup::default()
    })
    .await;
    (world, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_a_share_of_the_connections_but_a_proxy_has_what_it_wants() {
    let limits = || Limits {
        connections_per_address: 5,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits: limits(),
        ..Setup::default()
    })
    .await;
    let mut open = Vec::new();
    while let Some(stream) = served(world.gateway).await {
        open.push(stream);
        assert!(open.len() <= 5, "there is no share");
    }
    // the client of this world may have some
    assert!(open.pop().is_some(), "nobody is served");
    in_time("a place that is free again", async {
        while served(world.gateway).await.is_none() {}
    })
    .await;
    let server = Server {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..server()
    };
    let world = World::start(Setup {
        limits: limits(),
        server,
        ..Setup::default()
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(served(world.gateway).await.expect("a proxy is turned away"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_headers_and_bodies_have_deadlines_of_their_own() {
    let second = Duration::from_secs(1);
    let server = Server {
        idle: 10 * PATIENCE,
        header_timeout: second,
        body_timeout: second,
        ..server()
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    let told = async |first: &str, sent: &str| {
        let mut stream = TcpStream::connect(world.gateway).await.unwrap();
        if !first.is_empty() {
            stream.write_all(first.as_bytes()).await.unwrap();
            assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        }
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = in_time(sent, stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let begun = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let (silent, letter, headers, later, body) = tokio::join!(
        told("", ""),
        told("", "P"),
        told("", "GET / HTTP/1.1\r\nX-Slow: "),
        told(LIVE, "GET / HTTP/1.1\r\nX-Slow: "),
        told("", begun)
    );
    assert_eq!([silent, letter, headers, later], ["", "", "", ""]);
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_there_are_only_pings_is_idle() {
    let server = Server {
        idle: Duration::from_secs(1),
        ..server()
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    let (mut sender, connection) = multiplexed(world.gateway).await;
    assert_eq!(sender.send_request(live()).await.unwrap().status(), 200);
    let _ = in_time("an end of pings", connection).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_grows_only_so_old() {
    let server = Server {
        max_connection_age: Duration::from_secs(1),
        ..server()
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    let mut stream = served(world.gateway).await.unwrap();
    let mut answer = String::new();
    let began = Instant::now();
    while !answer.contains("connection: close") {
        assert!(began.elapsed() < PATIENCE, "it grows old");
        stream.write_all(LIVE.as_bytes()).await.unwrap();
        answer = head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let (mut sender, connection) = multiplexed(world.gateway).await;
    let ending = async {
        while !connection.is_finished() {
            // refused only once the connection is told to end
            let _ = sender.send_request(live()).await;
            tokio::task::yield_now().await;
        }
    };
    in_time("an end of an old connection", ending).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_read_is_bounded_for_all_together() {
    let (world, bytes) = with_large(
        |bytes| Limits {
            unread_bytes: 3 * bytes + bytes / 2,
            ..Limits::default()
        },
        server(),
    )
    .await;
    // each has an answer before any reads it
    let mut readers = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(world.gateway).await.unwrap();
        stream.write_all(post(&large()).as_bytes()).await.unwrap();
        let begun = head(&mut stream).await.len();
        readers.push((stream, begun));
    }
    let (mut whole, mut cut) = (0, 0);
    for (mut stream, begun) in readers {
        let mut rest = Vec::new();
        let _ = in_time("an end", async {
            while begun + rest.len() < bytes {
                if !matches!(stream.read_buf(&mut rest).await, Ok(1..)) {
                    break;
                }
            }
        })
        .await;
        *(if begun + rest.len() < bytes {
            &mut cut
        } else {
            &mut whole
        }) += 1;
    }
    assert_eq!((whole, cut), (3, 7));
    assert_eq!(world.get("/health/live").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_read_on_one_connection_is_bounded() {
    let (world, bytes) = with_large(
        |bytes| Limits {
            unread_bytes_per_connection: 2 * bytes + bytes / 2,
            ..Limits::default()
        },
        server(),
    )
    .await;
    let (sender, _connection) = multiplexed(world.gateway).await;
    let ask = || {
        let request = Request::post("http://localhost/graphql")
            .header("content-type", "application/json")
            .body(large().into())
            .unwrap();
        let mut sender = sender.clone();
        async move {
            in_time("an answer", sender.send_request(request))
                .await
                .unwrap()
        }
    };
    // the answers are kept unread
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(ask().await);
    }
    let statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.status().as_u16())
        .collect();
    assert_eq!(
        statuses,
        [200, 200, 503, 503, 503, 503],
        "of {bytes} bytes each"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_of_an_answer_is_let_go() {
    let limits = |_| Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let server = Server {
        send_timeout: Duration::from_secs(1),
        idle: 10 * PATIENCE,
        ..server()
    };
    let (world, _) = with_large(limits, server).await;
    world
        .client
        .get(format!("{}/health/live", world.origin))
        .header("connection", "close")
        .send()
        .await
        .unwrap();
    // one place is taken for good; the other is free again once the gateway lets its owner go
    let free = async || {
        loop {
            if let Some(stream) = served(world.gateway).await {
                return stream;
            }
        }
    };
    let _taken = in_time("a place", free()).await;
    let unread = async {
        loop {
            let (mut sender, connection) = multiplexed(world.gateway).await;
            let request = Request::post("http://localhost/graphql")
                .header("content-type", "application/json")
                .body(large().into());
            // a machine with much to do may let the client take so long that it is let go before
            // its answer
            let answer =
                tokio::time::timeout(PATIENCE / 6, sender.send_request(request.unwrap())).await;
            if let Ok(Ok(answer)) = answer {
                return (sender, answer, connection);
            }
        }
    };
    let (_sender, _answer, connection) = in_time("an answer over HTTP/2", unread).await;
    let _ = in_time("an end over HTTP/2", connection).await;
    let mut stream = in_time("a place", free()).await;
    stream.write_all(post(&large()).as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    in_time("an end over HTTP/1", free()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_leaves_answers_all_and_says_so_until_nobody_comes() {
    let world = World::start(Setup {
        server: Server {
            leave: 60 * PATIENCE,
            ..server()
        },
        ..Setup::default()
    })
    .await;
    let (gateway, origin) = (world.gateway, world.origin.clone());
    let mut before = served(gateway).await.unwrap();
    let (mut sender, connection) = multiplexed(gateway).await;
    assert_eq!(sender.send_request(live()).await.unwrap().status(), 200);
    // clients that go on until their balancer knows
    let (knows, answered) = (
        Arc::new(AtomicBool::default()),
        Arc::new(AtomicUsize::default()),
    );
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (knows, answered, origin) = (knows.clone(), answered.clone(), origin.clone());
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            tokio::spawn(async move {
                while !knows.load(Ordering::Relaxed) {
                    let request = client
                        .post(format!("{origin}/graphql"))
                        .header("content-type", "application/json");
                    let response = request
                        .body(r#"{"query":"{ __typename }"}"#)
                        .send()
                        .await
                        .unwrap();
                    assert_eq!(response.status(), 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let stopping = tokio::spawn(world.stop());
    let is_ready = async || {
        let mut stream = TcpStream::connect(gateway).await.unwrap();
        stream
            .write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        head(&mut stream).await.starts_with("HTTP/1.1 200")
    };
    in_time("a word to the balancer", async {
        while is_ready().await {}
    })
    .await;
    let until = answered.load(Ordering::Relaxed) + 200;
    in_time("answers while it leaves", async {
        while answered.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    })
    .await;
    knows.store(true, Ordering::Relaxed);
    for client in clients {
        in_time("a client", client)
            .await
            .expect("a request was lost");
    }
    // who is connected is told with the next answer, over HTTP/2 at once
    before.write_all(LIVE.as_bytes()).await.unwrap();
    let answer = head(&mut before).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"),
        "{answer}"
    );
    let _ = in_time("an end over HTTP/2", connection).await;
    let (mut sender, _connection) = multiplexed(gateway).await;
    assert_eq!(
        sender.send_request(live()).await.unwrap().status(),
        200,
        "who comes still is served"
    );
    assert!(!stopping.is_finished());
    stopping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_read_anything_is_empty_and_not_ready() {
    let (nobody, at) = listen().await;
    drop(nobody);
    let (listener, address) = listen().await;
    let upstreams = vec![upstream(
        "msp",
        Kind::Vspc,
        at,
        veeam_graph::config::Auth::ApiKey(API_KEY.into()),
    )];
    let config = Config {
        server: server(),
        auth: Access::default(),
        limits: Limits::default(),
        operations: Default::default(),
        upstreams,
    };
    let running = tokio::spawn(async move {
        app::run(&config, listener, Clock::System, std::future::pending()).await
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    in_time("a word that it is empty", async {
        loop {
            let response = client
                .get(format!("http://{address}/health/ready"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 503);
            if response
                .text()
                .await
                .unwrap()
                .contains(r#""status":"empty""#)
            {
                break;
            }
        }
    })
    .await;
    running.abort();
}

/// A process that is ended with its test, whatever comes of that.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// The process: on a socket that is handed over, with few files; it leaves when it is told to, and
/// at once when told again.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_takes_the_socket_of_its_manager_and_leaves_when_told() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, jiff::Timestamp::now()),
        Options::default(),
    );
    tokio::spawn(simulator.run(apis, std::future::pending()));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("leaving-{}.toml", std::process::id()));
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\nleave = \"10m\"\n[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"http://{at}\"\nauth = {{ api_key_env = \"KEY\" }}\n"
    );
    std::fs::write(&path, settings).unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 256; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --config \"$1\" 3<&0 </dev/null"])
        .args([env!("CARGO_BIN_EXE_veeam-graph"), path.to_str().unwrap()])
        .env_remove("RUST_LOG")
        .env("KEY", API_KEY)
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let pid = child.0.id().to_string();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async || match client
        .get(format!("http://{address}/health/ready"))
        .send()
        .await
    {
        Ok(response) => response.status().as_u16(),
        Err(_) => 0,
    };
    let terminate = || {
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        )
    };
    in_time("a service that is ready", async {
        while status().await != 200 {}
    })
    .await;
    terminate();
    in_time("one that is not", async { while status().await != 503 {} }).await;
    assert_eq!(child.0.try_wait().unwrap(), None, "it left at once");
    terminate();
    let mut stderr = child.0.stderr.take().unwrap();
    let log = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut log).unwrap();
        log
    });
    let log = in_time("its end", log).await.unwrap();
    let ended = child.0.wait().unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(
        log.contains("fewer open files than limits.connections"),
        "{log}"
    );
}
