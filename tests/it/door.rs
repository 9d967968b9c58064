//! Our own door: GraphQL over HTTP, health, what a browser sees.

use crate::world::{Setup, World, codes};
use serde_json::{Value, json};
use veeam_graph::config::{Limits, Server};

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

async fn send(
    world: &World,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = world.client.request(
        method.parse().unwrap(),
        format!("http://{}{target}", world.gateway),
    );
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body.to_owned()).send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const MODERN: (&str, &str) = ("accept", "application/graphql-response+json");

#[tokio::test(flavor = "multi_thread")]
async fn media_types_statuses_and_request_errors_are_by_the_specification() {
    let world = World::small().await;
    let post = async |headers: &[(&str, &str)], body: &str| {
        send(&world, "POST", "/graphql", headers, body).await
    };
    let good = r#"{"query":"{ __typename }"}"#;

    let answer = post(&[JSON], good).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json; charset=utf-8")
    );
    assert_eq!(answer.json()["data"], json!({"__typename": "Query"}));
    let answer = post(&[JSON, MODERN], good).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/graphql-response+json; charset=utf-8")
    );
    assert!(answer.header("vary").contains("Accept"));

    // requests that were not run have no data, and the status that the caller's media type asks for
    for (bad, modern, json_only) in [
        (r#"{"query":"{"}"#, 400, 200),
        (r#"{"query":"{ nothing }"}"#, 400, 200),
        (
            r#"{"query":"query A { __typename } query B { __typename }"}"#,
            400,
            200,
        ),
        (
            r#"{"query":"query($n: Int!) { jobs(first: $n) { totalCount } }"}"#,
            400,
            200,
        ),
        (r#"{"query":1}"#, 400, 400),
        (r#"{"query":"{ __typename }","variables":[]}"#, 400, 400),
        (r#"{"operationName":"A"}"#, 400, 400),
        ("[]", 400, 400),
        ("{", 400, 400),
    ] {
        for (headers, expected) in [(&[JSON, MODERN][..], modern), (&[JSON][..], json_only)] {
            let answer = post(headers, bad).await;
            assert_eq!(answer.status, expected, "{bad}: {}", answer.body);
            let body = answer.json();
            assert!(
                body.get("data").is_none() && body["errors"][0]["extensions"]["code"].is_string(),
                "{bad}: {body}"
            );
        }
    }
    assert_eq!(
        post(&[JSON, ("accept", "text/csv")], good).await.status,
        406
    );
    let answer = send(&world, "PUT", "/graphql", &[JSON], good).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"));
    let answer = post(
        &[JSON],
        &format!("{{\"query\":\"{}\"}}", " ".repeat(3 << 20)),
    )
    .await;
    assert_eq!(answer.status, 413);
}

/// What a page of another origin can make a browser send without being asked first, and what it
/// can't.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_can_ask() {
    let world = World::small().await;
    let body = r#"{"query":"{ companies { totalCount } }"}"#;
    let address = "/graphql?query=%7B%20companies%20%7B%20totalCount%20%7D%20%7D";
    let form = "query=%7B%20companies%20%7B%20totalCount%20%7D%20%7D";
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"{ companies { totalCount } }\"}\r\n--x--\r\n";
    let evil = ("origin", "https://evil.example");
    for (name, method, target, headers, body, status) in [
        (
            "a form's text",
            "POST",
            "/graphql",
            &[("content-type", "text/plain")][..],
            body,
            415,
        ),
        (
            "a form",
            "POST",
            "/graphql",
            &[("content-type", "application/x-www-form-urlencoded")],
            form,
            415,
        ),
        (
            "a form of parts",
            "POST",
            "/graphql",
            &[("content-type", "multipart/form-data; boundary=x")],
            multipart,
            415,
        ),
        ("no type", "POST", "/graphql", &[], body, 415),
        (
            "JSON after text",
            "POST",
            "/graphql",
            &[("content-type", "text/plain; application/json")],
            body,
            415,
        ),
        (
            "JSON in a list",
            "POST",
            "/graphql",
            &[("content-type", "text/plain, application/json")],
            body,
            415,
        ),
        (
            "two types",
            "POST",
            "/graphql",
            &[
                ("content-type", "application/json"),
                ("content-type", "text/plain"),
            ],
            body,
            415,
        ),
        (
            "another charset",
            "POST",
            "/graphql",
            &[("content-type", "application/json; charset=utf-7")],
            body,
            415,
        ),
        (
            "JSON of a foreign page",
            "POST",
            "/graphql",
            &[
                JSON,
                evil,
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "cors"),
            ],
            body,
            403,
        ),
        (
            "a picture",
            "GET",
            address,
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ],
            "",
            403,
        ),
        (
            "a script",
            "GET",
            address,
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "script"),
            ],
            "",
            403,
        ),
        (
            "a sister's page",
            "GET",
            address,
            &[
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-mode", "no-cors"),
            ],
            "",
            403,
        ),
        (
            "an event source",
            "GET",
            address,
            &[
                evil,
                ("sec-fetch-site", "cross-site"),
                ("accept", "text/event-stream"),
            ],
            "",
            403,
        ),
        (
            "a frame",
            "GET",
            address,
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
                ("accept", "text/html"),
            ],
            "",
            403,
        ),
        (
            "a link",
            "GET",
            address,
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
                ("accept", "text/html"),
            ],
            "",
            307,
        ),
        (
            "a beacon",
            "POST",
            "/graphql",
            &[
                ("content-type", "text/plain;charset=UTF-8"),
                evil,
                ("sec-fetch-site", "cross-site"),
            ],
            body,
            403,
        ),
        (
            "a socket",
            "GET",
            "/graphql",
            &[
                evil,
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ],
            "",
            403,
        ),
    ] {
        let answer = send(&world, method, target, headers, body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), "", "{name}");
        assert_eq!(world.requests(), Vec::<String>::new(), "{name} was run");
    }
    // what a browser asks before it lets a foreign page send JSON
    let asked = send(
        &world,
        "OPTIONS",
        "/graphql",
        &[
            evil,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ],
        "",
    )
    .await;
    assert_eq!(asked.header("access-control-allow-origin"), "");
    // our own page, and those that are listed
    let own = [
        JSON,
        ("origin", "http://ours.example"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(
        send(&world, "POST", "/graphql", &own, body).await.json()["data"]["companies"]["totalCount"].as_u64().map(|count| count > 0),
        Some(true)
    );
    let server = Server {
        origins: vec!["https://portal.example".to_owned()],
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        server,
        ..Setup::default()
    })
    .await;
    let portal = ("origin", "https://portal.example");
    let asked = send(
        &world,
        "OPTIONS",
        "/graphql",
        &[
            portal,
            ("sec-fetch-site", "cross-site"),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ],
        "",
    )
    .await;
    assert_eq!(
        (asked.status, asked.header("access-control-allow-origin")),
        (200, "https://portal.example")
    );
    assert!(
        asked
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    let answer = send(
        &world,
        "POST",
        "/graphql",
        &[JSON, portal, ("sec-fetch-site", "cross-site")],
        body,
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, "https://portal.example")
    );
    assert_eq!(
        send(
            &world,
            "POST",
            "/graphql",
            &[JSON, evil, ("sec-fetch-site", "cross-site")],
            body
        )
        .await
        .status,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host_and_an_address_behind_a_proxy_is_the_proxys_word() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limits = Limits {
        requests_per_minute_per_address: Some(2),
        ..Limits::default()
    };
    let trusted_proxies = ["127.0.0.1", "10.9.9.9", "fd00::9"]
        .map(|address| address.parse().unwrap())
        .to_vec();
    let server = Server {
        trusted_proxies,
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        server,
        limits,
        ..Setup::default()
    })
    .await;
    for (hosts, status) in [
        ("", "400"),
        ("Host: a\r\nHost: b\r\n", "400"),
        ("Host: a\r\n", "200"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(world.gateway).await.unwrap();
        stream
            .write_all(
                format!("GET /health/live HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n").as_bytes(),
            )
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{hosts}: {answer}"
        );
    }
    let status = async |address: &str| {
        send(
            &world,
            "POST",
            "/graphql",
            &[JSON, ("x-forwarded-for", address)],
            r#"{"query":"{ __typename }"}"#,
        )
        .await
        .status
    };
    // what stands before the last address was written by whoever
    assert_eq!(
        [
            status("10.1.1.1").await,
            status("9.9.9.9, 10.1.1.1").await,
            status("8.8.8.8, 10.1.1.1").await,
            status("10.1.1.2").await
        ],
        [200, 200, 429, 200]
    );
    // some proxies write the port too; each of several that are trusted writes whom it was asked
    // by; before what can't be read nothing is believed
    for (same, other) in [
        (
            ["10.2.0.1:4711", "10.2.0.1:4712", "10.2.0.1"],
            "10.2.0.2:4711",
        ),
        (["[fd00::1]:4711", "fd00::1", "[fd00::1]"], "[fd00::2]:4711"),
        (
            [
                "10.3.0.1, 10.9.9.9",
                "10.3.0.1:80 , [fd00::9]:80,10.9.9.9:443",
                "::ffff:10.3.0.1",
            ],
            "10.3.0.2, 10.9.9.9",
        ),
        (
            [
                "10.9.9.9",
                "10.4.0.1, unknown, 10.9.9.9",
                "10.4.0.2, , 10.9.9.9:1",
            ],
            "10.4.0.1, 10.9.9.9",
        ),
    ] {
        assert_eq!(
            [
                status(same[0]).await,
                status(same[1]).await,
                status(same[2]).await,
                status(other).await
            ],
            [200, 200, 429, 200],
            "{same:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_can_be_in_the_address_and_browsers_get_a_page() {
    let world = World::small().await;
    let answer = send(
        &world,
        "GET",
        "/graphql?query=query(%24n%3AInt)%7Bjobs(first%3A%24n)%7BtotalCount%7D%7D&variables=%7B%22n%22%3A1%7D",
        &[],
        "",
    )
    .await;
    assert_eq!(
        answer.json()["data"]["jobs"]["totalCount"],
        world.simulator.estate().jobs.len()
    );
    assert_eq!(
        send(&world, "GET", "/graphql?query=mutation%7Bx%7D", &[], "")
            .await
            .status,
        405
    );
    assert_eq!(
        send(&world, "GET", "/graphql", &[MODERN], "").await.status,
        400
    );
    let answer = send(
        &world,
        "GET",
        "/graphql",
        &[("accept", "text/html,*/*")],
        "",
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, "graphiql")
    );
    // a link to a query keeps it
    let link = send(
        &world,
        "GET",
        "/graphql?query=%7B__typename%7D",
        &[("accept", "text/html,*/*")],
        "",
    )
    .await;
    assert_eq!(
        (link.status, link.header("location")),
        (307, "graphiql?query=%7B__typename%7D")
    );

    let page = send(&world, "GET", "/graphiql", &[("accept", "text/html")], "").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(
        !page.body.contains("http://") && !page.body.contains("https://"),
        "the page names another host"
    );
    for asset in page
        .body
        .split(['"', '\''])
        .filter(|part| part.starts_with("graphiql/"))
    {
        let answer = send(
            &world,
            "GET",
            &format!("/{asset}"),
            &[("accept-encoding", "gzip")],
            "",
        )
        .await;
        assert_eq!(answer.status, 200, "{asset}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_comes_as_an_event_stream_for_those_who_ask() {
    let world = World::small().await;
    let answer = send(
        &world,
        "POST",
        "/graphql",
        &[JSON, ("accept", "text/event-stream")],
        r#"{"query":"{ __typename }"}"#,
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/event-stream; charset=utf-8")
    );
    assert!(
        answer
            .body
            .starts_with("event: next\ndata: {\"data\":{\"__typename\":\"Query\"}")
            && answer.body.contains("event: complete")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_and_every_error_carries_the_requests_id() {
    let world = World::small().await;
    let answer = send(
        &world,
        "POST",
        "/graphql",
        &[JSON, ("x-request-id", "from-the-portal-7")],
        r#"{"query":"{ backupServer { name } }"}"#,
    )
    .await;
    assert_eq!(answer.header("x-request-id"), "from-the-portal-7");
    assert_eq!(
        answer.json()["errors"][0]["extensions"]["requestId"],
        "from-the-portal-7"
    );
    let answer = send(
        &world,
        "POST",
        "/graphql",
        &[JSON, ("x-request-id", "<script>")],
        r#"{"query":"{ __typename }"}"#,
    )
    .await;
    assert_eq!(answer.header("x-request-id").len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_come_in_the_order_that_they_were_asked_for() {
    let world = World::small().await;
    let answer = send(
        &world,
        "POST",
        "/graphql",
        &[JSON],
        r#"{"query":"{ upstreams { state name kind } a: __typename }"}"#,
    )
    .await;
    assert!(
        answer
            .body
            .starts_with(r#"{"data":{"upstreams":[{"state":"UP","name":"msp","kind":"VSPC"}"#),
        "{}",
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_introspection_off_nothing_tells_what_there_is() {
    let limits = Limits {
        introspection: false,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        codes(&world.ask("{ __schema { types { name } } }").await),
        ["FORBIDDEN"]
    );
    assert_eq!(
        codes(
            &world
                .ask("query A { __typename } query B { __type(name: \"Job\") { name } }")
                .await
        ),
        ["OPERATION_RESOLUTION_FAILURE"]
    );
    for wrong in [
        "{ jobz { name } }",
        "{ jobs { nodes { nam } } }",
        "{ jobs }",
        "{ backupAgentJob { name } }",
        "{ jobs(frist: 1) { totalCount } }",
        "{ fleetHealth(groupBy: NOPE) { key } }",
    ] {
        let answer = world.ask(wrong).await;
        let message = answer["errors"][0]["message"].as_str().unwrap();
        for name in ["jobs", "name", "first", "COMPANY", "uid", "agentUid", "Job"] {
            assert!(!message.contains(name), "{wrong}: {message}");
        }
    }
    assert_eq!(
        world
            .data("{ __typename jobs(first: 1) { __typename } }")
            .await["__typename"],
        "Query"
    );
    assert_eq!(
        codes(&world.ask("{ jobs(first: 501) { totalCount } }").await),
        ["BAD_USER_INPUT"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_say_which_upstream_is_down() {
    let world = World::small().await;
    assert_eq!(world.get("/health/live").await.0, 200);
    let (status, body) = world.get("/health/ready").await;
    assert_eq!(status, 200);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["upstreams"][1], json!({"name": "em", "state": "up"}));
    let (status, text) = world.get("/metrics").await;
    assert!(
        status == 200 && text.contains("veeam_graph_upstream_up{upstream=\"msp\"} 1"),
        "{text}"
    );
    let sent = |text: &str| -> usize {
        let of_upstreams = text
            .lines()
            .filter_map(|line| line.strip_prefix("veeam_graph_upstream_sent_total{"));
        of_upstreams
            .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
            .sum()
    };
    // of each upstream, by each reason
    assert_eq!(text.matches("upstream_sent_total{upstream=").count(), 3 * 4);
    world.requests();
    world
        .data("{ jobs(first: 1) { totalCount } agentSessions { totalCount } }")
        .await;
    let (_, after) = world.get("/metrics").await;
    let requests = world.requests();
    assert_eq!(sent(&after) - sent(&text), requests.len(), "{requests:?}");
    assert_eq!(world.get("/nowhere").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persisted_query_that_we_do_not_have_is_asked_for_in_full() {
    let world = World::small().await;
    let body = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"abc"}}}"#;
    let answer = send(&world, "POST", "/graphql", &[JSON], body).await;
    assert_eq!(
        (
            answer.status,
            &answer.json()["errors"][0]["extensions"]["code"]
        ),
        (200, &json!("PERSISTED_QUERY_NOT_FOUND"))
    );
}
