//! A simulated estate and a gateway over it, started for one test and stopped with it.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch};
use veeam_graph::{
    app,
    config::{Access, Auth, Cache, Config, Kind, Limits, Operations, Server, Tls, Upstream},
    http,
    simulator::{API_KEY, Estate, Options, PASSWORD, Scale, Simulator, USER, generate},
    time::Clock,
};

/// Nothing in a test takes this long; a test that waits longer is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The instant at which every test happens.
pub fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// How a world is set up.
pub struct Setup {
    pub scale: Scale,
    pub seed: u64,
    pub options: Options,
    pub cache: Cache,
    pub timeout: Duration,
    /// Sign in to the console with a password instead of a key.
    pub console_password: bool,
    /// Callers bring what the console and the Enterprise Manager are read with.
    pub passthrough: bool,
    pub change: fn(&mut Estate),
    /// Who may ask.
    pub auth: Access,
    pub limits: Limits,
    pub server: Server,
    /// Which documents are run.
    pub operations: Operations,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scale: Scale::Small,
            seed: 1,
            options: Options::default(),
            cache: Cache::default(),
            timeout: Duration::from_secs(30),
            console_password: false,
            passthrough: false,
            change: |_| {},
            auth: Access::default(),
            limits: Limits::default(),
            // no balancer has to learn that a test ends
            server: Server {
                leave: Duration::ZERO,
                ..Server::at(([127, 0, 0, 1], 0).into())
            },
            operations: Operations::default(),
        }
    }
}

pub struct World {
    pub simulator: Arc<Simulator>,
    pub gateway: SocketAddr,
    /// The same as an address: `http://127.0.0.1:port`.
    pub origin: String,
    pub client: reqwest::Client,
    stop: watch::Sender<()>,
    running: Option<tokio::task::JoinHandle<()>>,
}

/// The gateway's settings for an upstream at an address.
pub fn upstream(name: &str, kind: Kind, at: SocketAddr, auth: Auth) -> Upstream {
    Upstream {
        name: name.to_owned(),
        kind,
        url: format!("http://{at}").parse().unwrap(),
        auth,
        tls: Tls::System,
        timeout: Duration::from_secs(30),
        max_concurrency: 8,
        session_window: Duration::from_secs(30 * 86_400),
        cache: Cache::default(),
        client_version: None,
    }
}

pub fn password() -> Auth {
    Auth::Password {
        username: USER.to_owned(),
        password: PASSWORD.into(),
    }
}

/// A socket on a port that the system picks.
pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = http::listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl World {
    /// The demo's estate.
    pub async fn small() -> Self {
        Self::start(Setup::default()).await
    }

    pub async fn start(setup: Setup) -> Self {
        let (apis, at) = listen().await;
        let mut estate = generate::generate(setup.scale, setup.seed, now());
        (setup.change)(&mut estate);
        let simulator = Simulator::new(estate, setup.options);
        tokio::spawn(simulator.clone().run(apis, std::future::pending()));
        let key = if setup.console_password {
            password()
        } else {
            Auth::ApiKey(API_KEY.into())
        };
        let (key, account) = if setup.passthrough {
            (Auth::Passthrough, Auth::Passthrough)
        } else {
            (key, password())
        };
        let mut upstreams = vec![
            upstream("msp", Kind::Vspc, at, key),
            upstream("em", Kind::EnterpriseManager, at, account),
            upstream("agents", Kind::Vac, at, password()),
        ];
        for upstream in &mut upstreams {
            upstream.cache = setup.cache;
            upstream.timeout = setup.timeout;
        }
        Self::open(
            simulator,
            upstreams,
            (setup.auth, setup.limits, setup.operations),
            setup.server,
            now(),
        )
        .await
    }

    /// A gateway over given upstreams, ready.
    pub async fn over(simulator: Arc<Simulator>, upstreams: Vec<Upstream>) -> Self {
        Self::over_at(simulator, upstreams, now()).await
    }

    /// The same at another time.
    pub async fn over_at(
        simulator: Arc<Simulator>,
        upstreams: Vec<Upstream>,
        now: Timestamp,
    ) -> Self {
        let usual = Setup::default();
        Self::open(
            simulator,
            upstreams,
            (usual.auth, usual.limits, usual.operations),
            usual.server,
            now,
        )
        .await
    }

    /// The same for these callers.
    pub async fn over_for(
        simulator: Arc<Simulator>,
        upstreams: Vec<Upstream>,
        auth: Access,
        now: Timestamp,
    ) -> Self {
        let usual = Setup::default();
        Self::open(
            simulator,
            upstreams,
            (auth, usual.limits, usual.operations),
            usual.server,
            now,
        )
        .await
    }

    async fn open(
        simulator: Arc<Simulator>,
        upstreams: Vec<Upstream>,
        (auth, limits, operations): (Access, Limits, Operations),
        server: Server,
        now: Timestamp,
    ) -> Self {
        let (listener, gateway) = listen().await;
        let (stop, mut stopped) = watch::channel(());
        let scheme = if server.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let server = Server {
            listen: gateway,
            drain: Duration::from_secs(5),
            ..server
        };
        let config = Config {
            server,
            auth,
            limits,
            operations,
            upstreams,
        };
        let running = tokio::spawn(async move {
            let shutdown = async move { drop(stopped.changed().await) };
            app::run(&config, listener, Clock::Fixed(now), shutdown)
                .await
                .unwrap();
        });
        // one for the process: whoever comes first, this or the gateway
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        // sooner than the gateway closes them, as every client should; one that was opened and not
        // used yet has its header_timeout
        let client = client.pool_idle_timeout(Duration::from_secs(5));
        let client = client
            .danger_accept_invalid_certs(scheme == "https")
            .build()
            .unwrap();
        let world = Self {
            simulator,
            gateway,
            origin: format!("{scheme}://{gateway}"),
            client,
            stop,
            running: Some(running),
        };
        let started = Instant::now();
        loop {
            let (status, body) = world.get("/health/ready").await;
            // no upstream answered, which is what some tests are about
            if status == 200 || body.contains("\"status\":\"empty\"") {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "the gateway never got ready");
        }
        world.simulator.take_requests();
        world
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = self
            .client
            .get(format!("{}{path}", self.origin))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub async fn ask(&self, query: &str) -> Value {
        self.ask_with(query, json!({})).await
    }

    pub async fn ask_with(&self, query: &str, variables: Value) -> Value {
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = self
            .client
            .post(format!("{}/graphql", self.origin))
            .header("content-type", "application/json")
            .body(body);
        let text = tokio::time::timeout(PATIENCE, async {
            request.send().await.unwrap().text().await.unwrap()
        })
        .await
        .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The answer to whoever has this key.
    pub async fn ask_as(&self, key: &str, query: &str) -> Value {
        self.ask_showing(&[("authorization", &format!("Bearer {key}"))], query)
            .await
    }

    /// The answer to whoever shows these headers.
    pub async fn ask_showing(&self, headers: &[(&str, &str)], query: &str) -> Value {
        let body = json!({"query": query}).to_string();
        let mut request = self
            .client
            .post(format!("{}/graphql", self.origin))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = tokio::time::timeout(PATIENCE, async {
            request.send().await.unwrap().text().await.unwrap()
        })
        .await
        .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The data of an answer that has no errors.
    pub async fn data(&self, query: &str) -> Value {
        let mut answer = self.ask(query).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// The upstream requests since the last time, each as `METHOD path?query`.
    pub fn requests(&self) -> Vec<String> {
        self.simulator.take_requests()
    }

    /// Stops the gateway and waits for it.
    pub async fn stop(mut self) -> Arc<Simulator> {
        let _ = self.stop.send(());
        self.running.take().unwrap().await.unwrap();
        self.simulator
    }
}

/// The members of a JSON array.
pub fn array(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no array: {value}"))
}

/// The codes of an answer's errors, in order.
pub fn codes(answer: &Value) -> Vec<&str> {
    answer["errors"]
        .as_array()
        .map(|errors| {
            errors
                .iter()
                .map(|error| error["extensions"]["code"].as_str().unwrap_or("-"))
                .collect()
        })
        .unwrap_or_default()
}
