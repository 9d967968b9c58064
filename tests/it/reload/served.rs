//! A gateway in a process of its own, its configuration file, and its log.

use crate::world::{PATIENCE, listen};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use veeam_graph::simulator::{Options, PASSWORD, Scale, Simulator, USER, generate};

/// Simulated APIs of an estate of their own.
pub async fn simulate(seed: u64) -> (Arc<Simulator>, SocketAddr) {
    let (listener, at) = listen().await;
    let estate = generate::generate(Scale::Small, seed, jiff::Timestamp::now());
    let simulator = Simulator::new(estate, Options::default());
    tokio::spawn(simulator.clone().run(listener, std::future::pending()));
    (simulator, at)
}

pub fn sha256(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn upstream(name: &str, kind: &str, at: SocketAddr) -> String {
    // lists outlive the test: whatever is read again was read for another reason
    let lists = [
        "jobs",
        "agent_objects",
        "sessions",
        "links",
        "copy_jobs",
        "servers",
        "companies",
        "repositories",
        "agent_jobs",
        "alarms",
        "workloads",
        "licenses",
    ];
    let cache: String = lists
        .iter()
        .map(|list| format!("{list} = \"1h\"\n"))
        .collect();
    format!(
        "[[upstream]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"PASSWORD\" }}\n\n[upstream.cache]\n{cache}\n"
    )
}

/// A console, as it is configured.
pub fn console(name: &str, at: SocketAddr) -> String {
    upstream(name, "vspc", at)
}

/// An Enterprise Manager, as it is configured.
pub fn enterprise_manager(name: &str, at: SocketAddr) -> String {
    upstream(name, "enterprise-manager", at)
}

/// The same with one setting more.
pub fn with(setting: &str, upstream: &str) -> String {
    upstream.replacen(
        "[upstream.cache]",
        &format!("{setting}\n\n[upstream.cache]"),
        1,
    )
}

/// What was asked for another reason than to see whether an upstream is there.
pub fn besides_probes(requests: Vec<String>) -> Vec<String> {
    requests
        .into_iter()
        .filter(|request| {
            !request.starts_with("GET /api/v3/about")
                && !request.starts_with("GET /api/backupServers")
        })
        .collect()
}

/// A gateway that is served by a child process.
pub struct Served {
    folder: PathBuf,
    address: SocketAddr,
    client: reqwest::Client,
    child: Option<Child>,
    log: mpsc::UnboundedReceiver<String>,
}

/// Somebody who asks it.
#[derive(Clone)]
pub struct Asker {
    url: String,
    client: reqwest::Client,
}

impl Asker {
    pub async fn ask(&self, query: &str) -> (u16, Value) {
        self.ask_as(None, query).await
    }

    async fn ask_as(&self, key: Option<&str>, query: &str) -> (u16, Value) {
        let mut request = self
            .client
            .post(&self.url)
            .header("accept", "application/graphql-response+json")
            .header("content-type", "application/json")
            .body(json!({"query": query}).to_string());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = tokio::time::timeout(PATIENCE, request.send())
            .await
            .unwrap()
            .unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_str(&response.text().await.unwrap()).unwrap(),
        )
    }
}

impl Served {
    /// A folder with a configuration, and nobody who reads it yet.
    pub fn prepare(name: &str, settings: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("reload-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // free a moment ago: nobody else takes it
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let served = Self {
            folder,
            address,
            client,
            child: None,
            log: mpsc::unbounded_channel().1,
        };
        served.write(settings);
        served
    }

    /// One that is ready.
    pub async fn start(name: &str, settings: &str) -> Self {
        Self::prepare(name, settings).run().await
    }

    pub async fn run(mut self) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_veeam-graph"))
            .args(["serve", "--config"])
            .arg(self.folder.join("settings.toml"))
            .env_remove("RUST_LOG")
            .env("PASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        self.child = Some(child);
        let (told, log) = mpsc::unbounded_channel();
        self.log = log;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        self.line("serving GraphQL").await;
        let started = Instant::now();
        while self.status("/health/ready").await != 200 {
            assert!(started.elapsed() < PATIENCE, "it never got ready");
        }
        self
    }

    /// Writes the configuration, in one step.
    pub fn write(&self, settings: &str) {
        self.write_at(&self.address.to_string(), settings);
    }

    /// The same for another address than the one that it listens on.
    pub fn write_at(&self, address: &str, settings: &str) {
        let settings = format!(
            "{settings}\n[server]\nlisten = \"{address}\"\nbackground_refresh = false\nleave = \"0s\"\n"
        );
        self.write_secret("settings.toml", &settings);
    }

    pub fn write_secret(&self, name: &str, content: &str) {
        let (path, new) = (
            self.folder.join(name),
            self.folder.join(format!("{name}.new")),
        );
        fs::write(&new, content).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// SIGHUP, until it was heeded.
    pub async fn reload(&mut self) {
        self.hang_up();
        self.line("configuration reloaded").await;
    }

    /// The next line of the log with these words.
    pub async fn line(&mut self, words: &str) -> Value {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.log.recv())
                .await
                .unwrap_or_else(|_| panic!("nothing was said of {words:?}"))
                .unwrap_or_else(|| panic!("it ended before it said {words:?}"));
            if line.contains(words) {
                return serde_json::from_str(&line).unwrap();
            }
        }
    }

    pub fn asker(&self) -> Asker {
        Asker {
            url: format!("http://{}/graphql", self.address),
            client: self.client.clone(),
        }
    }

    pub async fn ask(&self, query: &str) -> Value {
        self.asker().ask(query).await.1
    }

    pub async fn ask_status(&self, query: &str) -> u16 {
        self.asker().ask(query).await.0
    }

    pub async fn ask_as(&self, key: &str, query: &str) -> Value {
        self.asker().ask_as(Some(key), query).await.1
    }

    pub async fn data(&self, query: &str) -> Value {
        let mut answer = self.ask(query).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    /// What `/metrics` says of one.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("veeam_graph_{name} ")));
        value
            .unwrap_or_else(|| panic!("{name} is not in {text}"))
            .parse()
            .unwrap()
    }

    /// A WebSocket that has said who it is.
    pub async fn socket(&self, key: &str) -> Socket {
        let mut request = format!("ws://{}/graphql", self.address)
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            "graphql-transport-ws".parse().unwrap(),
        );
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (socket, _) = client_async(request, stream).await.unwrap();
        let mut socket = Socket(socket);
        socket
            .say(json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {key}")}}))
            .await;
        assert_eq!(socket.hear().await, Ok(json!({"type": "connection_ack"})));
        socket
    }

    /// Ends it as an operator would.
    pub async fn stop(mut self) {
        self.signal("-TERM");
        let mut child = self.child.take().unwrap();
        let code = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert!(
            tokio::time::timeout(PATIENCE, code)
                .await
                .unwrap()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::Text(message.to_string().into()))
            .await
            .unwrap();
    }

    /// The next message, or the code that the connection was closed with.
    async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match heard.expect("nothing was said").unwrap().unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.unwrap().code.into()),
                _ => {}
            }
        }
    }

    pub async fn closed_with(&mut self) -> u16 {
        self.hear().await.unwrap_err()
    }

    /// The result of one operation.
    pub async fn ask(&mut self, query: &str) -> Value {
        self.say(json!({"type": "subscribe", "id": "1", "payload": {"query": query}}))
            .await;
        let mut next = self.hear().await.unwrap();
        assert_eq!(self.hear().await.unwrap()["type"], "complete");
        next["payload"].take()
    }
}
