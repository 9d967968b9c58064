//! Documents by their hashes and ids: automatic persisted queries, and those that clients were
//! built with.

use crate::{
    access::{caller, post},
    protocol::{JOBS, address, get},
    world::{PATIENCE, Setup, World, array, codes},
};
use aws_lc_rs::digest;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use veeam_graph::config::{Access, Mode, Operations, Sees};

pub fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub fn persisted(query: Option<&str>, hash: &str) -> Value {
    let mut body = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}});
    if let Some(query) = query {
        body["query"] = json!(query);
    }
    body
}

/// Apollo's protocol, as its client speaks it: ten queries are eleven requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_sent_once_and_its_hash_is_enough_from_then_on() {
    let world = World::small().await;
    let hash = sha256(JOBS);
    let send = async |body: Value| post(&world, &[], &body.to_string()).await;
    let mut requests = 0;
    for _ in 0..10 {
        requests += 1;
        let mut answer = send(persisted(None, &hash)).await;
        if codes(&answer.body) == ["PERSISTED_QUERY_NOT_FOUND"] {
            assert_eq!(
                (answer.status, &answer.body["errors"][0]["message"]),
                (200, &json!("PersistedQueryNotFound"))
            );
            requests += 1;
            answer = send(persisted(Some(JOBS), &hash)).await;
        }
        assert_eq!(
            answer.body["data"]["jobs"]["nodes"]
                .as_array()
                .map(Vec::len),
            Some(2),
            "{}",
            answer.body
        );
    }
    assert_eq!(requests, 11);

    // by GET too, with variables and whichever letters
    let extensions = persisted(None, &hash.to_uppercase())["extensions"].to_string();
    let response = get(
        &world,
        &[],
        address(&world, "/graphql", &[("extensions", &extensions)]),
    )
    .await;
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(array(&answer["data"]["jobs"]["nodes"]).len(), 2);
    let text = "query($n: Int) { jobs(first: $n) { nodes { name } } }";
    let extensions = persisted(None, &sha256(text))["extensions"].to_string();
    for (query, expected) in [(None, None), (Some(text), Some(3)), (None, Some(3))] {
        let mut parameters = vec![
            ("extensions", extensions.as_str()),
            ("variables", r#"{"n":3}"#),
        ];
        parameters.extend(query.map(|query| ("query", query)));
        let answer: Value = serde_json::from_str(
            &get(&world, &[], address(&world, "/graphql", &parameters))
                .await
                .text()
                .await
                .unwrap(),
        )
        .unwrap();
        assert_eq!(
            answer["data"]["jobs"]["nodes"].as_array().map(Vec::len),
            expected,
            "{query:?}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_is_not_the_documents_keeps_nothing_and_neither_does_a_document_that_does_not_fit()
 {
    let world = World::small().await;
    let send = async |body: Value| post(&world, &[], &body.to_string()).await.body;
    let (hash, other) = (sha256(JOBS), sha256("{ __typename }"));
    for body in [
        persisted(Some(JOBS), &other),
        persisted(Some(JOBS), "abc"),
        json!({"query": JOBS, "extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash}}}),
        json!({"query": JOBS, "extensions": {"persistedQuery": {"version": 1}}}),
        json!({"query": JOBS, "extensions": {"persistedQuery": "x"}}),
    ] {
        assert_eq!(
            codes(&send(body.clone()).await),
            ["BAD_USER_INPUT"],
            "{body}"
        );
    }
    for hash in [&hash, &other] {
        assert_eq!(
            codes(&send(persisted(None, hash)).await),
            ["PERSISTED_QUERY_NOT_FOUND"]
        );
    }
    let unfit = "{ jobz { name } }";
    for _ in 0..2 {
        assert_eq!(
            codes(&send(persisted(Some(unfit), &sha256(unfit))).await),
            ["GRAPHQL_VALIDATION_FAILED"]
        );
        assert_eq!(
            codes(&send(persisted(None, &sha256(unfit))).await),
            ["PERSISTED_QUERY_NOT_FOUND"]
        );
    }
}

/// A document is everybody's, what it gives is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_gives_each_caller_what_it_may_see() {
    let company = |name: &str| Sees {
        companies: Some(vec![name.to_owned()]),
        ..Sees::default()
    };
    let names = World::small()
        .await
        .data("{ companies(first: 2) { nodes { name } } }")
        .await;
    let names: Vec<&str> = array(&names["companies"]["nodes"])
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    let callers = vec![
        caller("one", &["one"], company(names[0])),
        caller("two", &["two"], company(names[1])),
    ];
    let world = World::start(Setup {
        auth: Access {
            callers,
            ..Access::default()
        },
        ..Setup::default()
    })
    .await;
    let text = "{ companies { nodes { name } } }";
    let of = async |key: &str, body: Value| {
        post(&world, &[("x-api-key", key)], &body.to_string())
            .await
            .body
    };
    of("one", persisted(Some(text), &sha256(text))).await;
    for (key, name) in [("one", names[0]), ("two", names[1]), ("one", names[0])] {
        assert_eq!(
            of(key, persisted(None, &sha256(text))).await["data"]["companies"]["nodes"],
            json!([{"name": name}])
        );
    }
}

/// A file of documents that is removed when the test ends.
struct Manifest(std::path::PathBuf);

impl Manifest {
    fn new(name: &str, content: &Value) -> Self {
        let file = Self(
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("{name}-{}.json", std::process::id())),
        );
        file.write(content);
        file
    }

    fn write(&self, content: &Value) {
        std::fs::write(&self.0, content.to_string()).unwrap();
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn trusting(mode: Mode, manifests: &[&Manifest]) -> World {
    let operations = Operations {
        files: manifests
            .iter()
            .map(|manifest| manifest.0.clone())
            .collect(),
        mode,
    };
    World::start(Setup {
        operations,
        ..Setup::default()
    })
    .await
}

fn apollo(documents: &[(&str, &str)]) -> Value {
    let operation =
        |(id, body): &(&str, &str)| json!({"id": id, "body": body, "name": "A", "type": "query"});
    json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": documents.iter().map(operation).collect::<Vec<_>>()})
}

/// Each compiler's file, and each client's way of naming what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn documents_that_clients_were_built_with_are_run_by_their_ids_and_no_others() {
    let (relay_text, other) = (
        "query R { companies { totalCount } }",
        "{ backupServers { totalCount } }",
    );
    let hash = sha256(JOBS);
    let by_apollo = Manifest::new("apollo", &apollo(&[(&hash, JOBS)]));
    let by_relay = Manifest::new(
        "relay",
        &json!({"0123456789abcdef0123456789abcdef": relay_text}),
    );
    let world = trusting(Mode::Only, &[&by_apollo, &by_relay]).await;
    let send = async |body: Value| post(&world, &[], &body.to_string()).await.body;
    for _ in 0..2 {
        for body in [
            persisted(None, &hash),
            persisted(Some(JOBS), &hash),
            json!({"query": JOBS}),
            json!({"documentId": hash}),
            json!({"documentId": format!("sha256:{hash}"), "query": JOBS}),
        ] {
            let answer = send(body.clone()).await;
            assert_eq!(
                answer["data"]["jobs"]["nodes"].as_array().map(Vec::len),
                Some(2),
                "{body}: {answer}"
            );
        }
        for body in [
            json!({"doc_id": "0123456789abcdef0123456789abcdef"}),
            persisted(None, "0123456789abcdef0123456789abcdef"),
        ] {
            assert!(
                send(body.clone()).await["data"]["companies"]["totalCount"].is_u64(),
                "{body}"
            );
        }
        // what is not there: no text, no hash, no way to make it known
        for body in [
            json!({"query": other}),
            json!({"query": format!("{JOBS} ")}),
            json!({"query": "{ __schema { types { name } } }"}),
            json!({"query": "{"}),
            persisted(None, &sha256(other)),
            persisted(Some(other), &sha256(other)),
            json!({"documentId": "x"}),
        ] {
            let answer = send(body.clone()).await;
            assert_eq!(
                (codes(&answer), answer.get("data")),
                (vec!["FORBIDDEN"], None),
                "{body}"
            );
        }
    }
    let by_get = get(
        &world,
        &[],
        address(&world, "/graphql", &[("documentId", &hash)]),
    )
    .await;
    assert!(by_get.text().await.unwrap().contains("totalCount"));

    // where others are run too
    for mode in [Mode::Any, Mode::Log] {
        let world = trusting(mode, &[&by_apollo]).await;
        assert!(world.data(other).await["backupServers"]["totalCount"].is_u64());
        let body = post(&world, &[], &persisted(None, &hash).to_string())
            .await
            .body;
        assert!(body["data"]["jobs"]["totalCount"].is_u64(), "{body}");
        assert_eq!(
            codes(
                &post(&world, &[], &persisted(None, &sha256(other)).to_string())
                    .await
                    .body
            ),
            ["PERSISTED_QUERY_NOT_FOUND"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_taken_off_the_list_is_run_no_more_though_its_answer_was_kept() {
    let other = "{ companies { totalCount } }";
    let manifest = Manifest::new("watched", &apollo(&[("a", JOBS)]));
    let world = trusting(Mode::Only, &[&manifest]).await;
    for _ in 0..3 {
        assert!(world.data(JOBS).await["jobs"]["totalCount"].is_u64());
    }
    assert_eq!(codes(&world.ask(other).await), ["FORBIDDEN"]);
    // what can't be used changes nothing; what can is in use before long
    manifest.write(&json!({"format": "apollo-persisted-query-manifest"}));
    manifest.write(&apollo(&[("a", other), ("b", "{ __typename }")]));
    let started = Instant::now();
    while world.ask(other).await.get("errors").is_some() {
        assert!(
            started.elapsed() < PATIENCE,
            "the file was never read again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(codes(&world.ask(JOBS).await), ["FORBIDDEN"]);
    let by_id = post(&world, &[], &json!({"documentId": "a"}).to_string())
        .await
        .body;
    assert!(by_id["data"]["companies"]["totalCount"].is_u64(), "{by_id}");
}
