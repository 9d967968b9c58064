//! Under which host names it may be asked: what a page can do whose name leads to this machine (DNS
//! rebinding).

use crate::{
    access::caller,
    world::{Setup, World},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Error, client::IntoClientRequest},
};
use veeam_graph::config::{Access, Sees, Server};

const QUESTION: &str = r#"{"query":"{ companies { totalCount } }"}"#;
const IN_ADDRESS: &str = "/graphql?query=%7B%20companies%20%7B%20totalCount%20%7D%20%7D";

/// A browser's view: the name leads to the gateway, and every request says that it is for that
/// name.
struct Page {
    origin: String,
    clients: [reqwest::Client; 2],
}

impl Page {
    fn of(world: &World, name: &str) -> Self {
        let clients = [
            reqwest::Client::builder().http1_only(),
            reqwest::Client::builder().http2_prior_knowledge(),
        ];
        let redirects = reqwest::redirect::Policy::none;
        let clients = clients.map(|client| {
            client
                .no_proxy()
                .redirect(redirects())
                .resolve(name, world.gateway)
                .build()
                .unwrap()
        });
        Self {
            origin: format!("http://{name}:{}", world.gateway.port()),
            clients,
        }
    }

    /// The status and the body of what is asked, which is the same over both versions of HTTP.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut answers = Vec::new();
        for client in &self.clients {
            let mut request =
                client.request(method.parse().unwrap(), format!("{}{path}", self.origin));
            request = request
                .header("origin", &self.origin)
                .header("sec-fetch-site", "same-origin");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.body(body.to_owned()).send().await.unwrap();
            answers.push((response.status().as_u16(), response.text().await.unwrap()));
        }
        assert_eq!(answers[0].0, answers[1].0, "{method} {path}: {answers:?}");
        answers.remove(0)
    }

    async fn post(&self, headers: &[(&str, &str)]) -> (u16, String) {
        self.ask(
            "POST",
            "/graphql",
            &[&[("content-type", "application/json")], headers].concat(),
            QUESTION,
        )
        .await
    }
}

async fn socket(world: &World, name: &str) -> u16 {
    let origin = format!("{name}:{}", world.gateway.port());
    let mut request = format!("ws://{origin}/graphql")
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("origin", format!("http://{origin}").parse().unwrap());
    request.headers_mut().insert(
        "sec-websocket-protocol",
        "graphql-transport-ws".parse().unwrap(),
    );
    match client_async(request, TcpStream::connect(world.gateway).await.unwrap()).await {
        Ok((_, response)) => response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

/// Nothing is read for a page of that name, whatever it asks for.
async fn nothing_is_told(world: &World, name: &str, upstreams: &[&str]) {
    world.requests();
    let page = Page::of(world, name);
    let (status, body) = page.post(&[]).await;
    assert_eq!(status, 403, "{name}: {body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (
            answer.get("data"),
            &answer["errors"][0]["extensions"]["code"]
        ),
        (None, &"FORBIDDEN".into()),
        "{name}"
    );
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("server.hosts"),
        "{body}"
    );
    let stream = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
    ];
    for (method, path, headers, body) in [
        ("GET", IN_ADDRESS, &[][..], ""),
        ("POST", "/graphql", &stream, QUESTION),
        ("GET", IN_ADDRESS, &stream[1..], ""),
        ("OPTIONS", "/graphql", &[], ""),
        ("GET", "/metrics", &[], ""),
        ("GET", "/", &[], ""),
        ("GET", "/graphiql", &[], ""),
        ("GET", "/graphiql/index.html", &[], ""),
        ("GET", "/nowhere", &[], ""),
    ] {
        let (status, body) = page.ask(method, path, headers, body).await;
        assert!(
            status == 403 && body.contains("server.hosts"),
            "{name}: {method} {path}: {status} {body}"
        );
    }
    assert_eq!(socket(world, name).await, 403, "{name}");
    assert_eq!(
        world.requests(),
        Vec::<String>::new(),
        "{name} had something read"
    );
    // probes ask by any name; they are not told what is read from
    let (live, ready) = (
        page.ask("GET", "/health/live", &[], "").await,
        page.ask("GET", "/health/ready", &[], "").await,
    );
    assert_eq!((live.0, ready.0), (200, 200));
    for upstream in upstreams {
        assert!(!ready.1.contains(upstream), "{}", ready.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_name_leads_here_reads_nothing() {
    let world = World::small().await;
    for name in ["evil.example", "localhost.evil.example", "evil.localhost"] {
        nothing_is_told(&world, name, &["msp", "agents"]).await;
    }
    let page = Page::of(&world, "localhost");
    assert_eq!(page.post(&[]).await.0, 200);
    assert!(
        page.ask("GET", "/health/ready", &[], "")
            .await
            .1
            .contains("msp")
    );
    assert_eq!(
        (
            page.ask("GET", "/metrics", &[], "").await.0,
            page.ask("GET", "/graphiql", &[], "").await.0
        ),
        (200, 200)
    );
    assert_eq!(socket(&world, "localhost").await, 101);

    // every name that a request gives must be ours: that of its target, and that of its header
    let asked = |target: &str, version: &str, host: &str| {
        format!(
            "POST {target} HTTP/{version}\r\n{host}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{QUESTION}",
            QUESTION.len()
        )
    };
    for (request, status) in [
        (asked("/graphql", "1.1", "Host: localhost\r\n"), "200"),
        (
            asked("http://127.0.0.1/graphql", "1.1", "Host: localhost\r\n"),
            "200",
        ),
        (
            asked("http://evil.example/graphql", "1.1", "Host: localhost\r\n"),
            "403",
        ),
        (asked("/graphql", "1.1", "Host: evil.example\r\n"), "403"),
        (asked("/graphql", "1.1", "Host: \r\n"), "403"),
        (
            asked("/graphql", "1.1", "Host: evil.example@localhost\r\n"),
            "403",
        ),
        // no browser speaks it; load balancers do, and name nobody
        (asked("/graphql", "1.0", ""), "200"),
        (asked("/graphql", "1.0", "Host: evil.example\r\n"), "403"),
    ] {
        let mut stream = TcpStream::connect(world.gateway).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.") && answer[8..].starts_with(&format!(" {status}")),
            "{request}\n\n{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_listed_are_ours() {
    let server = Server {
        hosts: vec!["graph.example.net".to_owned()],
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    for name in ["graph.example.net", "GRAPH.example.net", "localhost"] {
        assert_eq!(Page::of(&world, name).post(&[]).await.0, 200, "{name}");
    }
    assert_eq!(socket(&world, "graph.example.net").await, 101);
    nothing_is_told(&world, "example.net", &["msp"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_so_beside_named_callers_and_not_where_everybody_is_named() {
    let callers = vec![caller("portal", &["key"], Sees::default())];
    let auth = Access {
        anonymous: Some(true),
        callers,
        ..Access::default()
    };
    let world = World::start(Setup {
        auth: auth.clone(),
        ..Setup::default()
    })
    .await;
    nothing_is_told(&world, "evil.example", &["msp"]).await;

    let world = World::start(Setup {
        auth: Access {
            anonymous: None,
            ..auth
        },
        ..Setup::default()
    })
    .await;
    let page = Page::of(&world, "evil.example");
    assert_eq!(page.post(&[]).await.0, 401);
    assert_eq!(
        page.post(&[("authorization", "Bearer key")]).await.0,
        200,
        "a page has no key that its owner was not given"
    );
    assert_eq!(page.ask("GET", "/metrics", &[], "").await.0, 401);
}
