//! Our own door: GraphQL over HTTP, health, what a browser sees.

use crate::world::World;
use serde_json::{Value, json};

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

async fn send(world: &World, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = world.client.request(method.parse().unwrap(), format!("http://{}{target}", world.gateway));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body.to_owned()).send().await.unwrap();
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), body: response.text().await.unwrap() }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const MODERN: (&str, &str) = ("accept", "application/graphql-response+json");

#[tokio::test(flavor = "multi_thread")]
async fn media_types_statuses_and_request_errors_are_by_the_specification() {
    let world = World::small().await;
    let post = async |headers: &[(&str, &str)], body: &str| send(&world, "POST", "/graphql", headers, body).await;
    let good = r#"{"query":"{ __typename }"}"#;

    let answer = post(&[JSON], good).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    assert_eq!(answer.json()["data"], json!({"__typename": "Query"}));
    let answer = post(&[JSON, MODERN], good).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/graphql-response+json; charset=utf-8"));
    assert!(answer.header("vary").contains("Accept"));

    // requests that were not run have no data, and the status that the caller's media type asks for
    for (bad, modern, json_only) in [
        (r#"{"query":"{"}"#, 400, 200),
        (r#"{"query":"{ nothing }"}"#, 400, 200),
        (r#"{"query":"query A { __typename } query B { __typename }"}"#, 400, 200),
        (r#"{"query":"query($n: Int!) { jobs(first: $n) { totalCount } }"}"#, 400, 200),
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
            assert!(body.get("data").is_none() && body["errors"][0]["extensions"]["code"].is_string(), "{bad}: {body}");
        }
    }
    assert_eq!(post(&[JSON, ("accept", "text/csv")], good).await.status, 406);
    let answer = send(&world, "PUT", "/graphql", &[JSON], good).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST"));
    let answer = post(&[JSON], &format!("{{\"query\":\"{}\"}}", " ".repeat(2 << 20))).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_json_is_taken_so_no_foreign_page_can_ask() {
    let world = World::small().await;
    let good = r#"{"query":"{ __typename }"}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "text/plain; x=application/json",
    ] {
        let answer = send(&world, "POST", "/graphql", &[("content-type", content_type)], good).await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert!(answer.json().get("data").is_none());
    }
    assert_eq!(send(&world, "POST", "/graphql", &[], good).await.status, 415);
    assert_eq!(send(&world, "POST", "/graphql", &[("content-type", "application/json; charset=UTF-8")], good).await.status, 200);
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
    assert_eq!(answer.json()["data"]["jobs"]["totalCount"], world.simulator.estate().jobs.len());
    assert_eq!(send(&world, "GET", "/graphql?query=mutation%7Bx%7D", &[], "").await.status, 405);
    assert_eq!(send(&world, "GET", "/graphql", &[MODERN], "").await.status, 400);
    let answer = send(&world, "GET", "/graphql", &[("accept", "text/html,*/*")], "").await;
    assert_eq!((answer.status, answer.header("location")), (307, "graphiql"));

    let page = send(&world, "GET", "/graphiql", &[("accept", "text/html")], "").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "the page names another host");
    for asset in page.body.split(['"', '\'']).filter(|part| part.starts_with("graphiql/")) {
        let answer = send(&world, "GET", &format!("/{asset}"), &[("accept-encoding", "gzip")], "").await;
        assert_eq!(answer.status, 200, "{asset}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_comes_as_an_event_stream_for_those_who_ask() {
    let world = World::small().await;
    let answer = send(&world, "POST", "/graphql", &[JSON, ("accept", "text/event-stream")], r#"{"query":"{ __typename }"}"#).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    assert!(answer.body.starts_with("event: next\ndata: {\"data\":{\"__typename\":\"Query\"}") && answer.body.contains("event: complete"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_and_every_error_carries_the_requests_id() {
    let world = World::small().await;
    let answer =
        send(&world, "POST", "/graphql", &[JSON, ("x-request-id", "from-the-portal-7")], r#"{"query":"{ backupServer { name } }"}"#).await;
    assert_eq!(answer.header("x-request-id"), "from-the-portal-7");
    assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], "from-the-portal-7");
    let answer = send(&world, "POST", "/graphql", &[JSON, ("x-request-id", "<script>")], r#"{"query":"{ __typename }"}"#).await;
    assert_eq!(answer.header("x-request-id").len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_come_in_the_order_that_they_were_asked_for() {
    let world = World::small().await;
    let answer = send(&world, "POST", "/graphql", &[JSON], r#"{"query":"{ upstreams { state name kind } a: __typename }"}"#).await;
    assert!(answer.body.starts_with(r#"{"data":{"upstreams":[{"state":"UP","name":"msp","kind":"VSPC"}"#), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_documents_cost_nothing() {
    let world = World::small().await;
    let mut bomb = String::from("{ ...F0 }");
    for level in 0..24 {
        bomb.push_str(&format!(" fragment F{level} on Query {{ ...F{0} ...F{0} }}", level + 1));
    }
    bomb.push_str(" fragment F24 on Query { __typename }");
    for document in [
        bomb,
        format!("{{ jobs(first: {}1{}) {{ totalCount }} }}", "[".repeat(3_000), "]".repeat(3_000)),
        "{ ...A } fragment A on Query { ...A }".to_owned(),
        "{ jobs(first: 500) { nodes { sessions(first: 500) { nodes { children(first: 500) { nodes { uid } } } } } } }".to_owned(),
    ] {
        let answer = world.ask(&document).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_TOO_COMPLEX", "{answer}");
    }
    assert_eq!(world.requests(), Vec::<String>::new());
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
    assert!(status == 200 && text.contains("veeam_graph_upstream_up{upstream=\"msp\"} 1"), "{text}");
    assert_eq!(world.get("/nowhere").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persisted_query_that_we_do_not_have_is_asked_for_in_full() {
    let world = World::small().await;
    let body = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"abc"}}}"#;
    let answer = send(&world, "POST", "/graphql", &[JSON], body).await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["extensions"]["code"]), (200, &json!("PERSISTED_QUERY_NOT_FOUND")));
}
