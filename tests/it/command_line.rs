//! The commands, as a shell runs them.

use crate::world::{World, listen};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};
use veeam_graph::simulator::{Options, PASSWORD, Scale, Simulator, USER, generate};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_veeam-graph"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A configuration file that is removed when the test ends.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}.toml", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_wrong_configuration_tells_everything_and_exits_with_64() {
    let file = File::new(
        "wrong",
        "[server]\nlisten = \"here\"\n\n[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"vspc.example\"\nauth = { api_key_env = \"NOT_SET\" }\n",
    );
    for command in ["serve", "check"] {
        let output = run(&[command, "--config", file.path()], &[]);
        assert_eq!(output.status.code(), Some(64), "{command}");
        let told = text(&output.stderr);
        for expected in [
            "line 2: server.listen",
            "line 7: upstream.url",
            "line 8: upstream.auth.api_key_env",
            "NOT_SET",
        ] {
            assert!(told.contains(expected), "{expected} is not in:\n{told}");
        }
        assert!(output.stdout.is_empty());
    }
    let output = run(&["serve", "--config", "/nowhere/at-all.toml"], &[]);
    assert_eq!(output.status.code(), Some(64));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_a_table_and_fails_when_an_upstream_does_not_let_us_in() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    tokio::spawn(simulator.run(apis, std::future::pending()));
    let content = |password: &str| {
        format!(
            "[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"RIGHT\" }}\n\n[[upstream]]\nname = \"em\"\nkind = \"enterprise-manager\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"{password}\" }}\n"
        )
    };
    let variables = [("RIGHT", PASSWORD), ("WRONG", "canary-secret")];
    let good = File::new("good", &content("RIGHT"));
    let output =
        tokio::task::spawn_blocking(move || run(&["check", "--config", good.path()], &variables))
            .await
            .unwrap();
    let table = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{table}{}",
        text(&output.stderr)
    );
    assert!(
        table.contains("NAME  KIND")
            && table.contains("msp")
            && table.contains("9.1.0.30713 (API 3.6.2)"),
        "{table}"
    );

    // a caller whose company was misspelt would see nothing, and nothing would say why
    let callers = format!(
        "{}\n[[auth.caller]]\nname = \"portal\"\nkey_sha256 = [\"{}\"]\ncompanies = [\"Porto Clinic 002\", \"Port Clinic\"]\n",
        content("RIGHT"),
        sha256("k")
    );
    let misspelt = File::new("misspelt", &callers);
    let output = tokio::task::spawn_blocking(move || {
        run(&["check", "--config", misspelt.path()], &variables)
    })
    .await
    .unwrap();
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("caller \"portal\"")
            && told.contains("port clinic")
            && !told.contains("porto clinic"),
        "{told}"
    );

    let bad = File::new("bad", &content("WRONG"));
    let output =
        tokio::task::spawn_blocking(move || run(&["check", "--config", bad.path()], &variables))
            .await
            .unwrap();
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("FAILED")
            && told.contains("UPSTREAM_UNAUTHORIZED")
            && !told.contains("canary-secret"),
        "{told}"
    );
}

/// Asks a gateway that a child process runs, until it answers.
async fn ask_child(address: &str, query: &str) -> serde_json::Value {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let started = std::time::Instant::now();
    loop {
        let body = serde_json::json!({"query": query}).to_string();
        let sent = client
            .post(format!("http://{address}/graphql"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        if let Ok(response) = sent {
            return serde_json::from_str(&response.text().await.unwrap()).unwrap();
        }
        assert!(
            started.elapsed() < crate::world::PATIENCE,
            "the gateway never listened"
        );
        tokio::task::yield_now().await;
    }
}

fn sha256(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Shows every kind of secret that a caller has, right and wrong, by both protocols; gives all that
/// was answered.
async fn show_secrets(address: &str) -> String {
    let clients = [
        reqwest::Client::builder().http1_only(),
        reqwest::Client::builder().http2_prior_knowledge(),
    ];
    let mut answers = String::new();
    for client in clients.map(|builder| builder.no_proxy().build().unwrap()) {
        for (name, value) in [
            ("authorization", "Bearer canary-caller-key"),
            ("x-api-key", "canary-wrong-key"),
            (
                "authorization",
                "Bearer canary-token.canary-token.canary-token",
            ),
            ("x-upstream-own", "canary-session"),
            ("x-restsvcsessionid", "canary-session"),
        ] {
            let body = r#"{"operationName":"A","query":"query A($name: String) { a: backupServer(name: $name) { name } b: backupServer(name: \"canary-argument\") { name } agentSessions { complete } }","variables":{"name":"canary-variable"}}"#;
            let request = client
                .post(format!("http://{address}/graphql"))
                .header("content-type", "application/json")
                .header(name, value);
            answers.push_str(
                &request
                    .body(body)
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap(),
            );
        }
        let metrics = client
            .get(format!("http://{address}/metrics"))
            .header("x-api-key", "canary-caller-key")
            .send()
            .await
            .unwrap();
        answers.push_str(&metrics.text().await.unwrap());
    }
    assert!(
        answers.contains("UNAUTHENTICATED") && answers.contains("upstream_requests_total"),
        "{answers}"
    );
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_even_when_everything_is_logged() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let (reserved, address) = listen().await;
    drop(reserved);
    let file = File::new(
        "canaries",
        &format!(
            "[server]\nlisten = \"{address}\"\n\n[[upstream]]\nname = \"key\"\nkind = \"vspc\"\nurl = \"http://{at}\"\nauth = {{ api_key_env = \"KEY\" }}\n\n[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"RIGHT\" }}\n\n[[upstream]]\nname = \"em\"\nkind = \"enterprise-manager\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"RIGHT\" }}\n\n[[upstream]]\nname = \"wrong\"\nkind = \"enterprise-manager\"\nurl = \"http://{at}\"\nauth = {{ username = \"{USER}\", password_env = \"WRONG\" }}\n\n[[upstream]]\nname = \"own\"\nkind = \"enterprise-manager\"\nurl = \"http://{at}\"\nauth = {{ passthrough = true }}\n\n[auth]\nanonymous = true\n\n[[auth.caller]]\nname = \"portal\"\nkey_sha256 = [\"{}\"]\neverything = true\n",
            sha256("canary-caller-key")
        ),
    );
    let mut serve = Command::new(env!("CARGO_BIN_EXE_veeam-graph"));
    serve
        .args(["serve", "--config", file.path()])
        .env("RUST_LOG", "trace")
        .env("RIGHT", PASSWORD)
        .env("WRONG", "canary-password")
        .env("KEY", "canary-api-key");
    let child = serve
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let collected = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let answer = ask_child(
        &address.to_string(),
        "{ jobs { complete } agentSessions { complete } companies { complete } }",
    )
    .await;
    assert!(
        crate::world::codes(&answer).contains(&"UPSTREAM_UNAUTHORIZED"),
        "{answer}"
    );
    let shown = show_secrets(&address.to_string()).await;
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let output = collected.await.unwrap();
    let log = format!(
        "{}{}{answer}{shown}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(
        log.contains("veeam_graph::audit") && log.contains("TRACE"),
        "the log is not as full as it should be"
    );
    // who asked what, and what it came to
    let audited: Vec<serde_json::Value> = text(&output.stderr)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| {
            line["target"] == "veeam_graph::audit" && line["principal"] == "portal"
        })
        .collect();
    let audited = audited.first().unwrap();
    assert_eq!(
        (&audited["operation"], &audited["transport"]),
        (&serde_json::json!("A"), &serde_json::json!("http")),
        "{audited}"
    );
    assert!(
        audited["cost"].as_u64() > Some(0)
            && audited["upstream_requests"].is_number()
            && audited["outcome"].is_string(),
        "{audited}"
    );
    use base64::Engine;
    let basic = |password: &str| {
        base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"))
    };
    // passwords, keys, what they are sent as, the tokens that came back, and what callers show or
    // ask with
    let upstreams = [
        "canary-api-key",
        "canary-password",
        PASSWORD,
        &basic("canary-password"),
        &basic(PASSWORD),
        "access-",
        "refresh-",
        "NWU1NTAwMDA",
    ];
    let callers = [
        "canary-caller-key",
        "canary-wrong-key",
        "canary-token",
        "canary-session",
        "canary-variable",
        "canary-argument",
    ];
    for secret in upstreams.into_iter().chain(callers) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_not_ready_before_every_upstream_is_known() {
    let (apis, at) = listen().await;
    let simulator = Simulator::new(
        generate::generate(Scale::Small, 1, crate::world::now()),
        Options::default(),
    );
    simulator.faults.add([veeam_graph::simulator::Fault {
        path: "/api/v3/about".to_owned(),
        times: None,
        kind: veeam_graph::simulator::FaultKind::Hang,
    }]);
    tokio::spawn(simulator.clone().run(apis, std::future::pending()));
    let (listener, address) = listen().await;
    let upstreams = vec![crate::world::upstream(
        "msp",
        veeam_graph::config::Kind::Vspc,
        at,
        crate::world::password(),
    )];
    let config = veeam_graph::config::Config {
        server: veeam_graph::config::Server {
            leave: std::time::Duration::ZERO,
            drain: std::time::Duration::ZERO,
            ..veeam_graph::config::Server::at(address)
        },
        auth: Default::default(),
        limits: Default::default(),
        operations: Default::default(),
        upstreams,
    };
    tokio::spawn(async move {
        veeam_graph::app::run(
            &config,
            listener,
            veeam_graph::time::Clock::System,
            std::future::pending(),
        )
        .await
    });
    assert!(ask_child(&address.to_string(), "{ __typename }").await["data"].is_object());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = client
        .get(format!("http://{address}/health/ready"))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    assert!(
        ready
            .text()
            .await
            .unwrap()
            .contains(r#"{"name":"msp","state":"unknown"}"#)
    );
}

#[test]
fn schema_prints_the_committed_file() {
    let output = run(&["schema"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap()
    );
    assert!(text(&run(&["schema", "--federation"], &[]).stdout).contains("@link"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_answers_the_query_that_it_prints_and_stops_when_asked() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_veeam-graph"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = demo.stdout.take().unwrap();
    let lines = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines() {
            lines.push(line.unwrap());
            if lines.last().unwrap().contains("Ctrl-C") {
                break;
            }
        }
        lines
    })
    .await
    .unwrap();
    assert!(lines.len() <= 24, "one screen: {lines:#?}");
    let address = lines
        .iter()
        .find_map(|line| line.split("GraphQL   ").nth(1))
        .unwrap()
        .to_owned();
    let query = lines
        .iter()
        .skip_while(|line| !line.contains("query TapeWalk"))
        .take_while(|line| !line.contains("Ctrl-C"))
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    let other = World::small().await;
    let body = serde_json::json!({"query": query}).to_string();
    let response = other
        .client
        .post(&address)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer.get("errors"), None);
    assert!(
        answer["data"]["backupServers"]["nodes"]
            .as_array()
            .unwrap()
            .len()
            > 1
    );
    let status = tokio::task::spawn_blocking(move || {
        Command::new("kill")
            .args(["-TERM", &demo.id().to_string()])
            .status()
            .unwrap();
        demo.wait().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn faults_that_can_not_be_read_are_told() {
    let file = File::new("faults", "[[fault]]\npath = \"/x\"\nkind = \"explode\"\n");
    let output = run(&["simulate", "--faults", file.path()], &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("explode"));
}
