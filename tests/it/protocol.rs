//! What unchanged clients, caches and browsers do beside sending a query: marks of answers, headers
//! of their own, batches, the schema as text.

use crate::{
    access::{HELLO, caller, post},
    persisted::{persisted, sha256},
    world::{Setup, World, array, codes},
};
use serde_json::{Value, json};
use std::time::Duration;
use veeam_graph::{
    config::{Access, Cache, Cors, Limits, Sees, Server},
    graph,
    simulator::{API_KEY, Fault, FaultKind},
};

pub const JOBS: &str = "{ jobs(first: 2) { totalCount nodes { name } } }";

/// An address with these parameters.
pub fn address(world: &World, path: &str, parameters: &[(&str, &str)]) -> url::Url {
    url::Url::parse_with_params(&format!("{}{path}", world.origin), parameters).unwrap()
}

pub async fn get(world: &World, headers: &[(&str, &str)], address: url::Url) -> reqwest::Response {
    let mut request = world
        .client
        .get(address)
        .header("accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

pub fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_get_says_how_long_it_is_good_and_whoever_has_it_is_told_so() {
    let cache = Cache {
        jobs: Some(Duration::from_secs(40)),
        companies: Some(Duration::from_secs(500)),
        ..Cache::default()
    };
    let world = World::start(Setup {
        cache,
        ..Setup::default()
    })
    .await;
    let seconds = |response: &reqwest::Response| -> u64 {
        let control = header(response, "cache-control");
        control
            .strip_prefix("private, max-age=")
            .unwrap_or_else(|| panic!("{control:?}"))
            .parse()
            .unwrap()
    };
    let jobs = address(&world, "/graphql", &[("query", JOBS)]);
    let first = get(&world, &[], jobs.clone()).await;
    let (mark, left) = (header(&first, "etag").to_owned(), seconds(&first));
    assert!(
        mark.starts_with("W/\"") && (1..=40).contains(&left),
        "{mark} {left}"
    );
    for name in [
        "accept",
        "accept-encoding",
        "authorization",
        "x-api-key",
        "x-debug",
        "x-cost-only",
    ] {
        assert!(
            header(&first, "vary")
                .to_lowercase()
                .split(", ")
                .any(|part| part == name),
            "{name}: {}",
            header(&first, "vary")
        );
    }
    let data = |text: &str| serde_json::from_str::<Value>(text).unwrap()["data"].take();
    let first = data(&first.text().await.unwrap());
    let companies = get(
        &world,
        &[],
        address(
            &world,
            "/graphql",
            &[("query", "{ companies { totalCount } }")],
        ),
    )
    .await;
    assert!((41..=500).contains(&seconds(&companies)));
    // the list that ends first says how long
    let both = get(
        &world,
        &[],
        address(
            &world,
            "/graphql",
            &[("query", "{ jobs { totalCount } companies { totalCount } }")],
        ),
    )
    .await;
    assert!(seconds(&both) <= left);

    // given again it has the same mark, and who has it gets no body
    let again = get(&world, &[], jobs.clone()).await;
    assert!(header(&again, "etag") == mark && seconds(&again) <= left);
    assert_eq!(data(&again.text().await.unwrap()), first);
    for known in [
        mark.clone(),
        format!("\"other\", {mark}"),
        mark.trim_start_matches("W/").to_owned(),
        "*".to_owned(),
    ] {
        let response = get(
            &world,
            &[("if-none-match", &known), ("accept-encoding", "br")],
            jobs.clone(),
        )
        .await;
        assert_eq!(
            (
                response.status().as_u16(),
                header(&response, "etag"),
                header(&response, "content-type")
            ),
            (304, &*mark, ""),
            "{known}"
        );
        assert!(seconds(&response) <= left && header(&response, "x-request-id").len() == 36);
        assert_eq!(response.text().await.unwrap(), "");
    }
    let response = get(&world, &[("if-none-match", "W/\"other\"")], jobs.clone()).await;
    assert_eq!(response.status().as_u16(), 200);

    // another answer has another mark, though the address is the same
    let other = World::start(Setup {
        seed: 2,
        ..Setup::default()
    })
    .await;
    let mut marks = Vec::new();
    for world in [&world, &other] {
        let uids = address(
            world,
            "/graphql",
            &[("query", "{ jobs(first: 2) { nodes { uid } } }")],
        );
        let response = get(
            world,
            &[(
                "if-none-match",
                marks.first().map_or("\"none\"", String::as_str),
            )],
            uids,
        )
        .await;
        assert_eq!(response.status(), 200);
        marks.push(header(&response, "etag").to_owned());
    }
    assert!(
        marks[0] != marks[1] && marks.iter().all(|mark| mark.starts_with("W/")),
        "{marks:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_otherwise_the_next_moment_is_stored_nowhere() {
    let world = World::small().await;
    world.simulator.faults.add([Fault {
        path: "*/organizations?*".to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]);
    for (query, headers) in [
        // errors, and a list that is not whole
        (
            "{ companies { totalCount complete } jobs(first: 1) { totalCount } }",
            &[][..],
        ),
        // how an upstream does
        ("{ upstreams { name state } }", &[]),
        ("{ nope }", &[]),
        ("{", &[]),
        (JOBS, &[("x-cost-only", "true")]),
        (JOBS, &[("x-debug", "true")]),
        (JOBS, &[("accept", "text/event-stream")]),
    ] {
        let mut request = world
            .client
            .get(address(&world, "/graphql", &[("query", query)]));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.header("if-none-match", "*").send().await.unwrap();
        assert_eq!(
            (
                header(&response, "cache-control"),
                header(&response, "etag")
            ),
            ("no-store", ""),
            "{query} {headers:?}"
        );
        assert_eq!(response.status(), 200, "{query} {headers:?}");
    }
    // no cache uses the answer to a POST for another
    assert_eq!(
        post(&world, &[("if-none-match", "*")], HELLO).await.headers["cache-control"],
        "no-store"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_send_what_clients_and_tracing_send() {
    let server = |cors: Cors| Server {
        origins: vec!["https://portal.example".to_owned()],
        cors,
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let ask = async |world: &World, headers: &str| {
        let request = world.client.request(
            "OPTIONS".parse().unwrap(),
            format!("{}/graphql", world.origin),
        );
        let request = request
            .header("origin", "https://portal.example")
            .header("access-control-request-method", "POST");
        request
            .header("access-control-request-headers", headers)
            .send()
            .await
            .unwrap()
    };
    let is_allowed = |response: &reqwest::Response, name: &str| {
        header(response, "access-control-allow-headers")
            .split(',')
            .any(|allowed| allowed.trim().eq_ignore_ascii_case(name))
    };
    let world = World::start(Setup {
        server: server(Cors::default()),
        ..Setup::default()
    })
    .await;
    let response = ask(&world, "content-type").await;
    for name in [
        "content-type",
        "authorization",
        "x-api-key",
        "x-request-id",
        "x-debug",
        "x-cost-only",
        "if-none-match",
        "apollographql-client-name",
        "apollographql-client-version",
        "apollo-require-preflight",
        "x-apollo-operation-name",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
    ] {
        assert!(
            is_allowed(&response, name),
            "{name}: {}",
            header(&response, "access-control-allow-headers")
        );
    }
    assert!(
        !is_allowed(&response, "x-tenant") && header(&response, "access-control-max-age") == "3600"
    );
    assert_eq!(header(&response, "access-control-allow-credentials"), "");

    let cors = Cors {
        headers: vec!["x-tenant".to_owned()],
        exposed_headers: vec!["server-timing".to_owned()],
        max_age: Duration::from_secs(60),
    };
    let world = World::start(Setup {
        server: server(cors),
        ..Setup::default()
    })
    .await;
    let response = ask(&world, "x-tenant").await;
    assert!(
        is_allowed(&response, "x-tenant") && header(&response, "access-control-max-age") == "60"
    );
    let request = world
        .client
        .get(address(&world, "/graphql", &[("query", JOBS)]))
        .header("accept", "application/json");
    let response = request
        .header("origin", "https://portal.example")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    let exposed = header(&response, "access-control-expose-headers").to_lowercase();
    for name in ["etag", "x-request-id", "retry-after", "server-timing"] {
        assert!(
            exposed.split(',').any(|part| part.trim() == name),
            "{name}: {exposed}"
        );
    }
    let vary: Vec<String> = response
        .headers()
        .get_all("vary")
        .iter()
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|part| part.trim().to_lowercase())
        .collect();
    assert!(
        vary.contains(&"origin".to_owned()) && vary.contains(&"authorization".to_owned()),
        "{vary:?}"
    );
}

/// What was read with a caller's own credentials is nobody else's, not even of the same browser
/// later.
#[tokio::test(flavor = "multi_thread")]
async fn callers_own_credentials_are_sent_by_pages_and_what_they_read_is_stored_nowhere() {
    let server = Server {
        origins: vec!["https://portal.example".to_owned()],
        ..Server::at(([127, 0, 0, 1], 0).into())
    };
    let world = World::start(Setup {
        passthrough: true,
        server,
        ..Setup::default()
    })
    .await;
    let request = world.client.request(
        "OPTIONS".parse().unwrap(),
        format!("{}/graphql", world.origin),
    );
    let request = request
        .header("origin", "https://portal.example")
        .header("access-control-request-method", "POST");
    let response = request
        .header("access-control-request-headers", "x-upstream-msp")
        .send()
        .await
        .unwrap();
    let allowed = header(&response, "access-control-allow-headers").to_lowercase();
    for name in ["x-upstream-msp", "x-upstream-em", "x-restsvcsessionid"] {
        assert!(
            allowed.split(',').any(|part| part.trim() == name),
            "{name}: {allowed}"
        );
    }
    let jobs = address(&world, "/graphql", &[("query", JOBS)]);
    let response = get(&world, &[("x-upstream-msp", API_KEY)], jobs).await;
    assert_eq!(
        (
            header(&response, "cache-control"),
            header(&response, "etag")
        ),
        ("no-store", "")
    );
    let body = response.text().await.unwrap();
    assert!(
        body.contains("totalCount") && !body.contains("errors"),
        "{body}"
    );
    // what needs none of them says so: with them it could be another
    let response = get(
        &world,
        &[],
        address(&world, "/graphql", &[("query", "{ __typename }")]),
    )
    .await;
    assert!(
        header(&response, "cache-control").starts_with("private")
            && header(&response, "vary").contains("x-upstream-msp")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_there_as_text_for_whoever_may_ask() {
    let callers = vec![caller("one", &["one"], Sees::default())];
    let world = World::start(Setup {
        auth: Access {
            callers,
            ..Access::default()
        },
        ..Setup::default()
    })
    .await;
    let fetch = async |world: &World, target: &str| {
        get(world, &[("x-api-key", "one")], address(world, target, &[])).await
    };
    assert_eq!(world.get("/schema.graphql").await.0, 401);
    let response = fetch(&world, "/schema.graphql").await;
    assert!(
        header(&response, "content-type").starts_with("text/plain")
            && header(&response, "cache-control").starts_with("private")
    );
    let mark = header(&response, "etag").to_owned();
    assert_eq!(response.text().await.unwrap(), graph::sdl(false));
    let known = get(
        &world,
        &[("x-api-key", "one"), ("if-none-match", &mark)],
        address(&world, "/schema.graphql", &[]),
    )
    .await;
    assert_eq!(known.status(), 304);
    assert_eq!(
        fetch(&world, "/schema.graphql?federation")
            .await
            .text()
            .await
            .unwrap(),
        graph::sdl(true)
    );

    // with introspection off nothing tells it
    let limits = Limits {
        introspection: false,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    for target in ["/schema.graphql", "/schema.graphql?federation"] {
        let (status, body) = world.get(target).await;
        assert!(
            status == 403 && !body.contains("Company"),
            "{target}: {status} {body}"
        );
    }
    for query in [
        "{ _service { sdl } }",
        "{ ...A } fragment A on Query { a: _service { sdl } }",
        "{ __schema { types { name } } }",
    ] {
        let answer = world.ask(query).await;
        assert_eq!(
            (codes(&answer), answer.get("data")),
            (vec!["FORBIDDEN"], None),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_federation_nothing_of_it_is_there() {
    let usual = Setup::default();
    let world = World::start(Setup {
        server: Server {
            federation: false,
            ..usual.server
        },
        ..Setup::default()
    })
    .await;
    for query in [
        "{ _service { sdl } }",
        "{ _entities(representations: []) { __typename } }",
        "query($of: [_Any!]!) { nodes(ids: $of) { id } }",
    ] {
        assert!(
            codes(&world.ask(query).await)
                .iter()
                .all(|code| *code == "GRAPHQL_VALIDATION_FAILED"),
            "{query}"
        );
        assert!(!codes(&world.ask(query).await).is_empty(), "{query}");
    }
    let types = "{ __schema { types { name } queryType { description fields { name } } } }";
    let names = |data: &Value| -> Vec<String> {
        let schema = &data["__schema"];
        let all = array(&schema["types"])
            .iter()
            .chain(array(&schema["queryType"]["fields"]));
        all.map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (without, with) = (
        world.data(types).await,
        World::small().await.data(types).await,
    );
    let of_federation = ["_Any", "_Entity", "_Service", "_entities", "_service"];
    for name in of_federation {
        assert!(
            !names(&without).iter().any(|found| found == name)
                && names(&with).iter().any(|found| found == name),
            "{name}"
        );
    }
    // beside that it is the same
    let others = |data: &Value| {
        names(data)
            .into_iter()
            .filter(|name| !of_federation.contains(&name.as_str()))
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(others(&without), others(&with));
    assert_eq!(
        without["__schema"]["queryType"]["description"],
        with["__schema"]["queryType"]["description"]
    );
    assert_eq!(world.get("/schema.graphql?federation").await.0, 404);
    assert_eq!(world.get("/schema.graphql").await.0, 200);
    assert_eq!(
        world.data(JOBS).await,
        World::small().await.data(JOBS).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_in_one_body_are_taken_where_that_is_set() {
    let batch = |queries: &[&str]| {
        json!(
            queries
                .iter()
                .map(|query| json!({"query": query}))
                .collect::<Vec<_>>()
        )
        .to_string()
    };
    let world = World::small().await;
    let answer = post(&world, &[], &batch(&[JOBS])).await;
    assert!(
        answer.status == 400
            && answer.body["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("limits.batch"),
        "{}",
        answer.body
    );

    let limits = Limits {
        batch: 4,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let answer = post(&world, &[], &batch(&[JOBS, "{ nope }", JOBS, "{"])).await;
    assert_eq!(answer.status, 200);
    let answers = array(&answer.body);
    assert_eq!(answers.len(), 4);
    assert_eq!(
        (&answers[0]["data"], codes(&answers[0])),
        (&answers[2]["data"], vec![])
    );
    assert_eq!(array(&answers[0]["data"]["jobs"]["nodes"]).len(), 2);
    assert_eq!(
        (codes(&answers[1]), codes(&answers[3])),
        (
            vec!["GRAPHQL_VALIDATION_FAILED"],
            vec!["GRAPHQL_PARSE_FAILED"]
        )
    );
    assert_eq!(
        world.requests(),
        ["GET /api/v3/infrastructure/backupServers/jobs?limit=500&offset=0"],
        "they share what they read"
    );
    // a document by its hash among them
    let mixed = json!([persisted(Some(JOBS), &sha256(JOBS)), {"query": "query($n: Int) { jobs(first: $n) { nodes { id } } }", "variables": {"n": 1}}]);
    let answer = post(&world, &[], &mixed.to_string()).await;
    assert_eq!(array(&answer.body[1]["data"]["jobs"]["nodes"]).len(), 1);
    for (body, status) in [
        (batch(&[JOBS; 5]), 200),
        ("[]".to_owned(), 400),
        ("[1]".to_owned(), 400),
        ("[{".to_owned(), 400),
    ] {
        let answer = post(&world, &[], &body).await;
        assert!(
            answer.status == status
                && answer.body.get("data").is_none()
                && codes(&answer.body).len() == 1,
            "{body}: {}",
            answer.body
        );
    }
}

/// Each is a request of the caller's.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_counts_for_what_is_in_it() {
    let limits = Limits {
        batch: 10,
        requests_per_minute: Some(5),
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let body = json!(vec![json!({"query": "{ __typename }"}); 8]).to_string();
    let answer = post(&world, &[], &body).await;
    let limited = array(&answer.body)
        .iter()
        .filter(|answer| codes(answer) == ["RATE_LIMITED"])
        .count();
    assert_eq!(limited, 3, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_graphql_is_told_in_a_line_with_its_place_and_names_are_suggested() {
    let world = World::small().await;
    let answer = world.ask("{\n  jobs(first: ) { totalCount }\n}").await;
    let error = &answer["errors"][0];
    assert_eq!(
        (codes(&answer), &error["locations"]),
        (
            vec!["GRAPHQL_PARSE_FAILED"],
            &json!([{"line": 2, "column": 15}])
        )
    );
    assert_eq!(
        error["message"],
        "Syntax error in line 2, column 15: `)` can't stand there; expected a value."
    );
    assert!(error["extensions"]["requestId"].is_string() && answer.get("data").is_none());
    for (query, suggestion) in [
        ("{ job { totalCount } jobz { totalCount } }", "`jobs`"),
        ("{ jobs { nodes { nmae } } }", "`name`"),
        ("{ jobs(frist: 1) { totalCount } }", "`first`"),
        (
            "{ jobs(filter: { health: FALIED }) { totalCount } }",
            "`FAILED`",
        ),
        (
            "{ jobs(filter: { helth: FAILED }) { totalCount } }",
            "`health`",
        ),
        ("{ nodes(ids: []) { ... on Compny { name } } }", "`Company`"),
        ("{ __typename @skp(if: true) }", "`@skip`"),
        ("{ __typename @skip(fi: true) }", "`if`"),
    ] {
        let answer = world.ask(query).await;
        let told: Vec<&str> = array(&answer["errors"])
            .iter()
            .map(|error| error["message"].as_str().unwrap())
            .collect();
        assert!(
            told.iter()
                .any(|message| message.contains("Did you mean") && message.contains(suggestion)),
            "{query}: {told:?}"
        );
    }
    let answer = world.ask("{ somethingQuiteDifferent }").await;
    assert!(
        !answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("Did you mean")
    );
    // where names are nobody's business none is suggested; what is no GraphQL is still told
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
        world.ask("{ jobz }").await["errors"][0]["message"],
        "The query does not fit the schema here."
    );
    assert!(
        world.ask("{ a").await["errors"][0]["message"]
            .as_str()
            .unwrap()
            .starts_with("Syntax error in line 1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_end_leads_to_the_same() {
    let world = World::small().await;
    let request = world
        .client
        .post(format!("{}/graphql/", world.origin))
        .header("content-type", "application/json")
        .body(HELLO);
    assert_eq!(
        request
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .split(",\"ext")
            .next()
            .unwrap(),
        r#"{"data":{"__typename":"Query"}"#
    );
    let response = get(
        &world,
        &[],
        address(&world, "/graphql/", &[("query", "{ __typename }")]),
    )
    .await;
    assert_eq!(response.status(), 200);
    // relative: they lead to the right place below a proxy's path too
    for (target, at) in [
        ("/graphql/?query=%7Ba%7D", "../graphiql?query=%7Ba%7D"),
        ("/graphql?query=%7Ba%7D", "graphiql?query=%7Ba%7D"),
    ] {
        let request = world
            .client
            .get(format!("{}{target}", world.origin))
            .header("accept", "text/html,*/*");
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "location")),
            (307, at),
            "{target}"
        );
    }
    let response = world
        .client
        .get(format!("{}/graphiql/?query=x", world.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "location")),
        (307, "../graphiql?query=x")
    );
    // a page of another origin can't get in that way either
    for target in ["/graphql/?query={companies{totalCount}}", "/schema.graphql"] {
        let request = world
            .client
            .get(format!("{}{target}", world.origin))
            .header("sec-fetch-site", "cross-site");
        assert_eq!(
            request
                .header("origin", "https://evil.example")
                .send()
                .await
                .unwrap()
                .status(),
            403,
            "{target}"
        );
    }
}
