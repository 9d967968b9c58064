//! An identity provider that hangs, and names in its tokens: who waits, how often it is asked, who
//! is taken for whom.

use crate::{
    access::{HELLO, Provider, jwt, post, seconds_from_now, signing_key, token},
    world::{PATIENCE, Setup, World, array},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};
use veeam_graph::config::{Access, Jwt, Role};

fn role(name: &str) -> Role {
    Role {
        name: name.to_owned(),
        ..Role::default()
    }
}

async fn world(jwt: Jwt, roles: Vec<Role>) -> World {
    let auth = Access {
        roles,
        jwt: Some(jwt),
        ..Access::default()
    };
    let change = |estate: &mut veeam_graph::simulator::Estate| {
        for (company, name) in
            estate
                .companies
                .iter_mut()
                .zip(["Acme", "Acme 17", "17", "Acme, Inc."])
        {
            company.name = name.into();
        }
    };
    World::start(Setup {
        auth,
        change,
        ..Setup::default()
    })
    .await
}

fn claims(provider: &Provider, changes: Value) -> Value {
    let mut claims = json!({"iss": provider.issuer, "aud": "veeam-graph", "exp": seconds_from_now(600), "sub": "ada", "roles": ["noc"]});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

async fn status(world: &World, token: &str) -> u16 {
    post(
        world,
        &[("authorization", &format!("Bearer {token}"))],
        HELLO,
    )
    .await
    .status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_a_claim_is_one_name() {
    let provider = Provider::start().await;
    let key = provider.publish("first");
    let tenant = Role {
        companies_claim: Some("companies".to_owned()),
        ..role("tenant")
    };
    let world = world(jwt(&provider), vec![tenant, role("noc")]).await;
    for (companies, expected) in [
        (json!("Acme 17"), &["Acme 17"][..]),
        (json!("Acme"), &["Acme"]),
        (json!("Acme, Inc."), &["Acme, Inc."]),
        (json!(["Acme 17"]), &["Acme 17"]),
        (json!(["Acme", "17"]), &["17", "Acme"]),
        (json!("17 Acme"), &[]),
        (json!("Acme,17"), &[]),
        (json!(""), &[]),
        (json!(17), &[]),
        (json!({"Acme": "Acme"}), &[]),
        (json!([["Acme"]]), &[]),
    ] {
        let token = token(
            &key,
            "first",
            &claims(
                &provider,
                json!({"roles": "tenant", "companies": companies}),
            ),
        );
        let question = r#"{"query":"{ companies { nodes { name } } }"}"#;
        let answer = post(
            &world,
            &[("authorization", &format!("Bearer {token}"))],
            question,
        )
        .await;
        let mut seen: Vec<&str> = array(&answer.body["data"]["companies"]["nodes"])
            .iter()
            .filter_map(|row| row["name"].as_str())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, expected, "{companies}: {}", answer.body);
    }
}

/// Only what is by its definition several words in one text is that (RFC 8693, 4.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_several_words_and_a_role_is_one() {
    let provider = Provider::start().await;
    let key = provider.publish("first");
    let of_roles = world(jwt(&provider), vec![role("noc"), role("noc desk")]).await;
    let of_scope = world(
        Jwt {
            roles_claim: "scope".to_owned(),
            ..jwt(&provider)
        },
        vec![role("noc"), role("desk")],
    )
    .await;
    let roles = [
        ("noc", 200),
        ("noc desk", 200),
        ("noc other", 403),
        ("desk", 403),
        (" noc", 403),
        ("noc,desk", 403),
        ("noc\tdesk", 403),
    ];
    for (text, expected) in roles {
        let token = token(&key, "first", &claims(&provider, json!({ "roles": text })));
        assert_eq!(status(&of_roles, &token).await, expected, "{text:?}");
    }
    for (text, expected) in [
        ("openid desk profile", 200),
        ("desk", 200),
        ("openid", 403),
        ("desks", 403),
        ("noc,desk", 403),
        ("", 403),
    ] {
        let token = token(&key, "first", &claims(&provider, json!({ "scope": text })));
        assert_eq!(status(&of_scope, &token).await, expected, "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_whose_key_is_known_waits_for_a_provider_that_hangs() {
    let provider = Provider::start().await;
    let key = provider.publish("first");
    // old at once
    let world = world(
        Jwt {
            refresh: Duration::ZERO,
            ..jwt(&provider)
        },
        vec![role("noc")],
    )
    .await;
    let known = |name: usize| {
        token(
            &key,
            "first",
            &claims(&provider, json!({ "sub": format!("caller {name}") })),
        )
    };
    assert_eq!(status(&world, &known(0)).await, 200);
    let reads = || provider.reads.load(Ordering::Relaxed);
    provider.hangs.store(true, Ordering::Relaxed);
    let before = reads();
    let all = async {
        // one after the other, and all at once: none of them waits, or it would be ten seconds for
        // each
        for name in 1..10 {
            assert_eq!(status(&world, &known(name)).await, 200);
        }
        let tokens: Vec<String> = (10..40).map(known).collect();
        let statuses = join_all(tokens.iter().map(|token| status(&world, token))).await;
        assert_eq!(statuses, vec![200; 30]);
        // those whose keys are not known wait for the one read, together, and are not told that
        // there is no such key
        let unknown: Vec<String> = (0..30)
            .map(|nth| {
                token(
                    &signing_key(),
                    &format!("other {nth}"),
                    &claims(&provider, json!({})),
                )
            })
            .collect();
        let statuses = join_all(unknown.iter().map(|token| status(&world, token))).await;
        assert_eq!(statuses, vec![503; 30]);
        // and the next one not at all: it was tried just now
        assert_eq!(status(&world, &unknown[0]).await, 503);
        assert_eq!(status(&world, &known(50)).await, 200);
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("somebody waited for somebody else");
    // one was on its way when the provider began to hang; on a slow machine a pause may have ended
    // meanwhile
    assert!(reads() - before <= 4, "{} reads", reads() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_come_first_cost_one_read() {
    let provider = Provider::start().await;
    let key = provider.publish("first");
    let world = world(jwt(&provider), vec![role("noc")]).await;
    let tokens: Vec<String> = (0..40)
        .map(|name| {
            token(
                &key,
                "first",
                &claims(&provider, json!({ "sub": format!("caller {name}") })),
            )
        })
        .collect();
    let statuses = join_all(tokens.iter().map(|token| status(&world, token))).await;
    assert_eq!(
        (statuses, provider.reads.load(Ordering::Relaxed)),
        (vec![200; 40], 1)
    );
}
