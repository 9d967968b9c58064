//! Upstreams that say no: to a list, to an account, to everything.

use super::{ALL_JOBS, names};
use crate::{
    mock::{JOBS, Mock, Reply, case_time, fixture, log_of},
    world::{array, codes},
};
use serde_json::{Value, json};
use std::process::Command;
use veeam_graph::simulator::{API_KEY, PASSWORD, Scale, USER, generate};

#[tokio::test(flavor = "multi_thread")]
async fn denied_with_200_is_denied() {
    let mock = Mock::empty().await;
    mock.on(JOBS, Reply::json(fixture("03-denied-with-200.vspc.json")));
    let answer = mock.world("denied").await.ask(ALL_JOBS).await;
    assert_eq!(
        (&answer["data"]["jobs"]["complete"], codes(&answer)),
        (&json!(false), vec!["UPSTREAM_UNAUTHORIZED"])
    );
    assert!(!answer.to_string().contains("Access denied"));
    let log = log_of("denied");
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(
        [JOBS, "security", "1100", "Access denied"]
            .iter()
            .all(|word| log[0].contains(word)),
        "{log:#?}"
    );
}

/// The ways in which a console says that it has no such list.
fn no_such_list() -> [(&'static str, Reply); 4] {
    let of_route =
        r#"{"Message":"No HTTP resource was found that matches the request URI 'http://x/'."}"#;
    [
        ("gone-html", Reply::html()),
        (
            "gone-400",
            Reply::json(fixture("02-path-is-gone.400.json")).status(400),
        ),
        (
            "gone-404",
            Reply::json(r#"{"errors":[{"message":"Not found","type":"logical","code":404}]}"#)
                .status(404),
        ),
        ("gone-route", Reply::json(of_route).status(404)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_a_version_lacks_is_asked_for_once_and_costs_itself() {
    for (name, reply) in no_such_list() {
        let mock = Mock::over(generate::generate(Scale::Small, 1, case_time())).await;
        mock.on(
            "/api/v3/infrastructure/backupServers/*simpleBackupCopyJobs*",
            reply.clone(),
        );
        mock.on(
            "/api/v3/infrastructure/backupServers/*immediateBackupCopyJobs*",
            reply,
        );
        let world = mock.world(name).await;
        let query = "{ jobs(first: 500) { complete nodes { name tape { status reason } } } }";
        let answer = world.ask(query).await;
        assert_eq!(answer["data"]["jobs"]["complete"], true, "{name}: {answer}");
        let asked: Vec<String> = mock.requests();
        let of_list = asked
            .iter()
            .filter(|request| {
                request.contains("simpleBackupCopyJobs") && request.contains("bjects?")
            })
            .count();
        assert!(of_list <= 1, "{name}: {asked:#?}");
        let up = world.data("{ upstreams { name state } }").await;
        let console = array(&up["upstreams"])
            .iter()
            .find(|upstream| upstream["name"] == name)
            .unwrap();
        assert_eq!(console["state"], "UP", "one list is not the upstream");
    }
}

/// Everything is answered so.
async fn all(reply: Reply) -> Mock {
    let mock = Mock::empty().await;
    mock.on("*", reply);
    mock
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_api_is_not_there_nothing_is_up_and_a_lookup_is_an_error() {
    let refusals = [
        (
            "nowhere-json",
            Reply::json(r#"{"errors":[{"message":"Not found","type":"logical","code":404}]}"#)
                .status(404),
        ),
        (
            "nowhere-json-2",
            Reply::json(r#"{"Message":"Not found."}"#).status(404),
        ),
        ("nowhere-html", Reply::html().status(404)),
        ("nowhere-page", Reply::html()),
        (
            "nowhere-403",
            Reply::json(r#"{"message":"Forbidden"}"#).status(403),
        ),
    ];
    for (name, reply) in refusals {
        let mock = all(reply).await;
        if name == "nowhere-json" {
            // one of them lets us in, and then has nothing
            mock.on(
                "/api/sessionMngr/",
                Reply::json("{}")
                    .status(201)
                    .header("X-RestSvcSessionId", "session"),
            );
        }
        let world = mock.world(name).await;
        let (_, body) = world.get("/health/ready").await;
        let ready: Value = serde_json::from_str(&body).unwrap();
        for upstream in array(&ready["upstreams"]) {
            assert_eq!(upstream["state"], "down", "{name}: {body}");
        }
        for query in [
            "{ job(uid: \"5c35da5c-830d-5699-8630-21ed438439df\", backupServerUid: \"4614c798-a4d1-5d3c-b4e0-12b4e5723b98\") { name } }",
            "{ agentSession(uid: \"5c35da5c-830d-5699-8630-21ed438439df\") { name } }",
            "{ backupAgentJob(agentUid: \"5c35da5c-830d-5699-8630-21ed438439df\", uid: \"15090ffd-9aad-5d87-a788-b8bf4622846e\") { name } }",
        ] {
            let answer = world.ask(query).await;
            assert!(!codes(&answer).is_empty(), "{name}: {query}: {answer}");
        }
        // a list that is refused does not make it up
        world.ask(ALL_JOBS).await;
        let (_, body) = world.get("/health/ready").await;
        assert!(!body.contains("\"up\""), "{name}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_for_a_refused_sign_in_is_told_to_the_operator_alone() {
    for (name, words, expected) in [
        (
            "sign-in-licence",
            "License key has expired. secret-word",
            "licence",
        ),
        (
            "sign-in-locked",
            "The user account is locked out. secret-word",
            "locked",
        ),
        (
            "sign-in-factor",
            "Multi-factor authentication is required. secret-word",
            "second factor",
        ),
        (
            "sign-in-wrong",
            "Invalid credentials. secret-word",
            "wrong user name or password",
        ),
    ] {
        let mock = Mock::empty().await;
        let refusal = |status| Reply::json(json!({"Message": words}).to_string()).status(status);
        mock.on("/api/sessionMngr/", refusal(401));
        mock.on("/token", refusal(400));
        let (em, v2) = (format!("{name}-em"), format!("{name}-v2"));
        let answer = mock
            .world(name)
            .await
            .ask("{ agentSessions { complete } }")
            .await;
        assert_eq!(codes(&answer), ["UPSTREAM_UNAUTHORIZED"], "{name}");
        assert!(!answer.to_string().contains("secret-word"));
        for upstream in [em, v2] {
            let log = log_of(&upstream);
            assert!(
                log.iter().any(|line| line.contains(words)),
                "{upstream}: {log:#?}"
            );
            assert!(log.iter().all(|line| !line.contains(PASSWORD)));
        }
        let output = check(&mock, true).await;
        assert!(output.contains(expected), "{name}: {output}");
        assert!(
            output.contains("/api/sessionMngr/") && output.contains("secret-word"),
            "{output}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_its_header_and_a_sign_in_that_is_not_there_are_told() {
    let mock = Mock::empty().await;
    mock.on(
        "/api/sessionMngr/",
        Reply::json("{\"SessionId\":\"5c35da5c-830d-5699-8630-21ed438439df\"}").status(201),
    );
    mock.on("/token", Reply::html().status(404));
    let output = check(&mock, false).await;
    assert!(
        output.contains("without the header X-RestSvcSessionId"),
        "{output}"
    );
    assert!(
        output.contains("there is no sign-in at this path") && output.contains("/token"),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_was_asked_and_what_came_and_with_verbose_of_every_list() {
    let mock = all(Reply::json(
        r#"{"errors":[{"message":"Not here","type":"logical","code":404}]}"#,
    )
    .status(404))
    .await;
    let output = check(&mock, false).await;
    assert!(
        output.contains("exit 1") && !output.contains("  ok  "),
        "{output}"
    );
    assert!(
        output.contains("/api/v3/about") && output.contains("404") && output.contains("Not here"),
        "{output}"
    );

    let mock = Mock::empty().await;
    mock.on(JOBS, Reply::json(fixture("03-denied-with-200.vspc.json")));
    let quiet = check(&mock, false).await;
    assert!(
        quiet.contains("exit 0") && !quiet.contains("Access denied"),
        "{quiet}"
    );
    let output = check(&mock, true).await;
    assert!(output.contains("exit 1"), "{output}");
    assert!(
        output.contains(JOBS)
            && output.contains("Access denied")
            && output.contains("UPSTREAM_UNAUTHORIZED"),
        "{output}"
    );
    assert!(
        !output.contains(API_KEY) && !output.contains(PASSWORD),
        "{output}"
    );
}

/// What `check` prints, and how it exits.
async fn check(mock: &Mock, is_verbose: bool) -> String {
    let at = mock.at;
    let table = |name: &str, kind: &str, auth: &str| {
        format!(
            "[[upstream]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"http://{at}\"\nauth = {{ {auth} }}\n\n"
        )
    };
    let password = format!("username = \"{USER}\", password_env = \"PASSWORD\"");
    let content = table("msp", "vspc", "api_key_env = \"KEY\"")
        + &table("em", "enterprise-manager", &password)
        + &table("agents", "vac", &password);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "cases-{}-{}.toml",
        std::process::id(),
        at.port()
    ));
    std::fs::write(&path, content).unwrap();
    let output = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veeam-graph"));
        command
            .args(["check", "--config"])
            .arg(&path)
            .args(is_verbose.then_some("--verbose"));
        let output = command
            .env_remove("RUST_LOG")
            .env("KEY", API_KEY)
            .env("PASSWORD", PASSWORD)
            .output()
            .unwrap();
        let _ = std::fs::remove_file(&path);
        output
    })
    .await
    .unwrap();
    let (told, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    format!(
        "{told}\n{complained}\nexit {}",
        output.status.code().unwrap()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_is_still_an_empty_list() {
    let mock = Mock::empty().await;
    mock.on(JOBS, Reply::page(&[], 0, 0));
    let world = mock.world("empty").await;
    let answer = world.ask(ALL_JOBS).await;
    assert_eq!(
        (
            names(&answer).len(),
            answer["data"]["jobs"]["complete"].clone(),
            codes(&answer).len()
        ),
        (0, json!(true), 0)
    );
    assert_eq!(log_of("empty"), Vec::<String>::new());
}
