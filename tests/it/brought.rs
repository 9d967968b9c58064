//! Credentials that callers bring: what a wrong one costs, and how many may be tried.

use crate::world::{Setup, World, codes};
use futures_util::future::join_all;
use serde_json::{Value, json};
use veeam_graph::{config::Limits, simulator::API_KEY};

/// Five lists of the console at once.
const MANY: &str = "{ jobs { complete } backupServers { complete } companies { complete } agentJobObjects { complete }
    tapeLinkedJobs { complete } }";

async fn ask(world: &World, token: &str, query: &str) -> Value {
    world.ask_showing(&[("x-upstream-msp", token)], query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_is_refused_by_one_upstream_request() {
    let world = World::start(Setup {
        passthrough: true,
        ..Setup::default()
    })
    .await;
    for _ in 0..2 {
        for answer in join_all((0..10).map(|_| ask(&world, "wrong", MANY))).await {
            assert_eq!(codes(&answer), ["UPSTREAM_UNAUTHORIZED"; 5], "{answer}");
        }
    }
    let sent = world.requests();
    assert_eq!(sent.len(), 1, "{sent:?}");
    // another one is another matter
    assert_eq!(codes(&ask(&world, API_KEY, MANY).await), [""; 0]);
    // and a session of Enterprise Manager is shown to it alone
    world.requests();
    let both = [("x-upstream-msp", API_KEY), ("x-upstream-em", "wrong")];
    for _ in 0..3 {
        let answer = world
            .ask_showing(
                &both,
                "{ agentSessions { complete nodes { job { uid } } } jobs { complete } }",
            )
            .await;
        assert_eq!(codes(&answer), ["UPSTREAM_UNAUTHORIZED"], "{answer}");
        assert_eq!(answer["data"]["jobs"], json!({"complete": true}));
    }
    let sent = world.requests();
    assert_eq!(
        sent.iter()
            .filter(
                |request| request.contains("/api/query") || request.contains("/api/backupServers")
            )
            .count(),
        1,
        "{sent:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_try_as_many_credentials_as_keys() {
    let limits = Limits {
        failed_sign_ins_per_minute: 3,
        ..Limits::default()
    };
    let world = World::start(Setup {
        passthrough: true,
        limits,
        ..Setup::default()
    })
    .await;
    assert_eq!(codes(&ask(&world, API_KEY, MANY).await), [""; 0]);
    world.requests();
    let mut refusals = Vec::new();
    for number in 0..8 {
        let answer = ask(&world, &format!("guess {number}"), "{ jobs { complete } }").await;
        refusals.push(codes(&answer)[0].to_owned());
        if refusals[number] == "RATE_LIMITED" {
            let wait = answer["errors"][0]["extensions"]["retryAfterSeconds"].as_u64();
            assert!(
                wait.is_some_and(|wait| (1..=60).contains(&wait)),
                "{answer}"
            );
        }
    }
    // the fourth is one too many, which the fifth is told
    assert_eq!(refusals[..4], ["UPSTREAM_UNAUTHORIZED"; 4]);
    assert_eq!(refusals[4..], ["RATE_LIMITED"; 4]);
    assert_eq!(world.requests().len(), 4);
    // who is known to be right goes on from the same address
    assert_eq!(
        codes(&ask(&world, API_KEY, "{ jobs { totalCount } }").await),
        [""; 0]
    );
}
