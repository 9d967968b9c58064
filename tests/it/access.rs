//! Who may ask, and what they may read: keys, tokens, what is hidden.

use crate::world::{Setup, World, array, codes, listen};
use aws_lc_rs::digest;
use axum::{Router, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use veeam_graph::config::{Access, Caller, Hide, Jwt, JwtKeys, Role, Sees};

pub fn caller(name: &str, keys: &[&str], sees: Sees) -> Caller {
    let hash = |key: &&str| {
        digest::digest(&digest::SHA256, key.as_bytes())
            .as_ref()
            .try_into()
            .unwrap()
    };
    Caller {
        name: name.to_owned(),
        keys: keys.iter().map(hash).collect(),
        sees: Some(sees),
        ..Caller::default()
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

pub async fn post(world: &World, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = world
        .client
        .post(format!("http://{}/graphql", world.gateway))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body.to_owned()).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer {
        status,
        headers,
        body: serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default(),
    }
}

pub const HELLO: &str = r#"{"query":"{ __typename }"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_asked_for_before_anything_is_read_and_several_open_the_same_door() {
    let auth = Access {
        callers: vec![caller(
            "portal",
            &["key-of-may", "key-of-june"],
            Sees::default(),
        )],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer key-of-april")], 401),
        (&[("authorization", "Bearer key-of-may")], 200),
        (&[("authorization", "bearer key-of-june")], 200),
        (&[("x-api-key", "key-of-june")], 200),
        (
            &[
                ("x-api-key", "key-of-june"),
                ("authorization", "Bearer key-of-june"),
            ],
            401,
        ),
        (&[("authorization", "Basic a2V5LW9mLW1heQ==")], 401),
        (&[("x-api-key", "KEY-OF-JUNE")], 401),
    ] {
        for body in [HELLO, "no JSON at all"] {
            let answer = post(&world, headers, body).await;
            // who is not known is not told what is wrong with the body
            assert_eq!(
                answer.status,
                if status == 200 && body != HELLO {
                    400
                } else {
                    status
                },
                "{headers:?}"
            );
            if status == 401 {
                assert_eq!(codes(&answer.body), ["UNAUTHENTICATED"]);
                assert!(
                    answer.headers["www-authenticate"]
                        .to_str()
                        .unwrap()
                        .starts_with("Bearer")
                );
                assert_eq!(answer.body.get("data"), None);
            }
        }
    }
    // nor what is read from, nor how much
    let (status, body) = world.get("/health/ready").await;
    assert_eq!((status, body.as_str()), (200, r#"{"status":"ready"}"#));
    assert_eq!(world.get("/metrics").await.0, 401);
    // GraphiQL itself is no secret: it asks for nothing by itself that needs a key
    assert_eq!(world.get("/graphiql").await.0, 200);
    let get = world
        .client
        .get(format!(
            "http://{}/graphql?query=%7B__typename%7D",
            world.gateway
        ))
        .send()
        .await
        .unwrap();
    assert_eq!(get.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_those_who_see_everything() {
    let few = Sees {
        companies: Some(Vec::new()),
        ..Sees::default()
    };
    let auth = Access {
        callers: vec![
            caller("noc", &["all"], Sees::default()),
            caller("portal", &["few"], few),
        ],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    let status = async |key: &str| {
        world
            .client
            .get(format!("http://{}/metrics", world.gateway))
            .header("x-api-key", key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        (
            status("all").await,
            status("few").await,
            status("other").await
        ),
        (200, 403, 401)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_refused_in_fields_filters_orders_and_cursors() {
    let hide = Hide {
        failure_messages: true,
        host_names: true,
    };
    let shy = Caller {
        hide,
        ..caller("shy", &["shy"], Sees::default())
    };
    let auth = Access {
        callers: vec![shy, caller("noc", &["noc"], Sees::default())],
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    let query = "{ agentJobObjects(first: 5) { nodes { uid computer failureMessage failureSummary health agent { name machineName ipAddresses } } pageInfo { endCursor } }
        agentSessions(first: 20, filter: { topLevelOnly: false }, orderBy: [{ field: JOB_NAME }]) { nodes { computer name jobName backupServerName failureMessage } edges { cursor } }
        backupAgents { nodes { uid name } edges { cursor } } backupServers { nodes { backupAgents(first: 3) { nodes { name machineName } } } }
        consoleAgents { nodes { uid name } edges { cursor } } consoleAgentJobs { nodes { uid destination failureMessage failureSummary } }
        vms: jobs(filter: { kind: VM_BACKUP }, first: 20) { nodes { ... on VmBackupJob { objects { nodes { uid name failureMessage } edges { cursor } } } } }
        failed: agentSessions(first: 9, filter: { health: FAILED }) { nodes { failureReason tasks { nodes { uid computer reason } } } }
        jobs(first: 3) { nodes { name destination failureMessage failureSummary } }
        copies: jobs(filter: { kind: FILE_COPY }) { nodes { ... on FileCopyJob { targetPath } } }
        shares: jobs(filter: { kind: FILE_SHARE_BACKUP }) { nodes { ... on FileShareBackupJob { objects { nodes { sources { path } } } } } } }";
    let open = world.ask_as("noc", query).await;
    assert_eq!(open.get("errors"), None);
    let places = |answer: &Value| -> Vec<String> {
        let rows = ["consoleAgentJobs", "jobs", "copies", "shares"]
            .iter()
            .flat_map(|list| array(&answer["data"][list]["nodes"]).clone());
        let of_row = |row: Value| {
            let sources: Vec<Value> = row["objects"]["nodes"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|object| object["sources"].as_array().cloned().unwrap_or_default())
                .collect();
            sources
                .iter()
                .map(|source| &source["path"])
                .chain([&row["destination"], &row["targetPath"]])
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        rows.flat_map(of_row).collect()
    };
    let told = places(&open);
    assert!(
        told.len() > 6
            && ["D:", "/data/"]
                .iter()
                .all(|start| told.iter().any(|place| place.starts_with(start))),
        "{told:?}"
    );
    let answer = world.ask_as("shy", query).await;
    assert!(
        codes(&answer).iter().all(|code| *code == "FORBIDDEN"),
        "{answer}"
    );
    assert_eq!(places(&answer), Vec::<String>::new());
    let estate = world.simulator.estate();
    let mut text = answer.to_string();
    let of_objects = |job: &Value| {
        job["objects"]["edges"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let objects: Vec<Value> = array(&answer["data"]["vms"]["nodes"])
        .iter()
        .flat_map(of_objects)
        .collect();
    assert!(objects.len() > 3 && array(&answer["data"]["consoleAgents"]["edges"]).len() > 2);
    for edge in array(&answer["data"]["agentSessions"]["edges"])
        .iter()
        .chain(array(&answer["data"]["consoleAgents"]["edges"]))
        .chain(array(&answer["data"]["backupAgents"]["edges"]))
        .chain(&objects)
        .map(|edge| &edge["cursor"])
        .chain([&answer["data"]["agentJobObjects"]["pageInfo"]["endCursor"]])
    {
        use base64::Engine;
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(edge.as_str().unwrap().trim_end_matches('='))
            .unwrap();
        text.push_str(&String::from_utf8_lossy(&cursor));
    }
    let text = text.to_lowercase();
    assert!(array(&answer["data"]["backupAgents"]["edges"]).len() > 3);
    for machine in &estate.machines {
        assert!(
            !text.contains(&machine.computer.to_lowercase()),
            "{} is told",
            machine.computer
        );
    }
    let of_job = |job| veeam_graph::simulator::job_objects(job, estate.now);
    let names = estate
        .jobs
        .iter()
        .flat_map(of_job)
        .filter_map(|object| object["name"].as_str().map(str::to_lowercase));
    for name in names.chain(
        estate
            .console_agents
            .iter()
            .map(|agent| agent.name.to_lowercase()),
    ) {
        assert!(!text.contains(&name), "{name} is told");
    }
    for reason in [
        "the snapshot could not be made",
        "a volume was left out",
        "processing failed",
        "the disk is full",
    ] {
        assert!(!text.contains(reason), "{reason}");
    }
    for row in array(&answer["data"]["agentJobObjects"]["nodes"]) {
        assert!(
            row["computer"].is_null()
                && row["failureMessage"].is_null()
                && row["health"].is_string(),
            "{row}"
        );
    }
    let of_agent = format!(
        "{{ backupAgentJobs(agentUid: \"{}\") {{ nodes {{ destination }} }} }}",
        estate.agents[0].id
    );
    let (open, refused) = (
        world.ask_as("noc", &of_agent).await,
        world.ask_as("shy", &of_agent).await,
    );
    let rows = |answer: &Value| array(&answer["data"]["backupAgentJobs"]["nodes"]).clone();
    assert!(
        !rows(&open).is_empty() && rows(&open).iter().all(|job| job["destination"].is_string()),
        "{open}"
    );
    assert!(
        rows(&refused)
            .iter()
            .all(|job| job["destination"].is_null()),
        "{refused}"
    );
    assert_eq!(codes(&refused), vec!["FORBIDDEN"; rows(&open).len()]);
    // questions whose answers would tell
    for question in [
        "{ agentJobObjects(filter: { computerContains: \"sql\" }) { totalCount } }",
        "{ agentJobObjects(filter: { or: [{ not: { computerContains: \"sql\" } }] }) { totalCount } }",
        "{ agentSessions(filter: { and: [{ jobNameContains: \"sql\" }] }) { totalCount } }",
        "{ backupAgents(filter: { or: [{ nameContains: \"sql\" }] }) { totalCount } }",
        "{ consoleAgent(name: \"laptop001\") { uid } }",
        "{ consoleAgents(filter: { or: [{ nameContains: \"laptop\" }] }) { totalCount } }",
        "{ jobs(filter: { kind: VM_BACKUP }, first: 1) { nodes { ... on VmBackupJob { objects(filter: { nameContains: \"vm\" }) { totalCount } } } } }",
        "{ workloads(filter: { not: { nameContains: \"sql\" } }) { totalCount } }",
    ] {
        let asked = world.ask_as("shy", question).await;
        assert_eq!(codes(&asked), ["FORBIDDEN"], "{question}");
    }
}

/// An identity provider: its keys, and how often they were asked for.
pub struct Provider {
    pub issuer: String,
    keys: Arc<Mutex<Vec<Value>>>,
    pub reads: Arc<AtomicU32>,
    /// While it is set, it takes requests for its keys and never answers.
    pub hangs: Arc<AtomicBool>,
}

impl Provider {
    pub async fn start() -> Self {
        let (listener, at) = listen().await;
        let issuer = format!("http://{at}/realm");
        let (keys, reads, hangs) = (
            Arc::new(Mutex::new(Vec::<Value>::new())),
            Arc::new(AtomicU32::new(0)),
            Arc::<AtomicBool>::default(),
        );
        let discovery =
            json!({"issuer": issuer, "jwks_uri": format!("http://{at}/keys")}).to_string();
        let (published, counted, is_hanging) = (keys.clone(), reads.clone(), hangs.clone());
        let router = Router::new()
            .route(
                "/realm/.well-known/openid-configuration",
                get(async move || discovery),
            )
            .route(
                "/keys",
                get(async move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    if is_hanging.load(Ordering::Relaxed) {
                        std::future::pending::<()>().await;
                    }
                    json!({"keys": *published.lock().unwrap()}).to_string()
                }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            issuer,
            keys,
            reads,
            hangs,
        }
    }

    /// A key that is published under an id.
    pub fn publish(&self, kid: &str) -> EncodingKey {
        let key = signing_key();
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        // providers publish other things, too
        self.keys
            .lock()
            .unwrap()
            .extend([jwk, json!({"kty": "XYZ", "kid": "from-the-future"})]);
        key
    }
}

pub fn signing_key() -> EncodingKey {
    EncodingKey::from_ec_der(&rcgen::KeyPair::generate().unwrap().serialize_der())
}

pub fn seconds_from_now(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() + seconds
}

pub fn token(key: &EncodingKey, kid: &str, claims: &Value) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    encode(&header, claims, key).unwrap()
}

/// Tokens of this provider, with the usual settings.
pub fn jwt(provider: &Provider) -> Jwt {
    Jwt {
        issuer: provider.issuer.clone(),
        audience: vec!["veeam-graph".to_owned()],
        keys: JwtKeys::Discovery,
        algorithms: vec!["ES256".to_owned()],
        clock_skew: Duration::from_secs(30),
        name_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
        refresh: Duration::from_secs(3_600),
        keep: Duration::from_secs(86_400),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_taken_from_their_issuer_for_us_in_time_and_see_what_their_roles_are_good_for() {
    let provider = Provider::start().await;
    let first = provider.publish("first");
    let jwt = Jwt {
        algorithms: vec!["RS256".to_owned(), "ES256".to_owned()],
        ..jwt(&provider)
    };
    let tenant = Role {
        name: "tenant".to_owned(),
        companies_claim: Some("companies".to_owned()),
        ..Role::default()
    };
    let noc = Role {
        name: "noc".to_owned(),
        ..Role::default()
    };
    let auth = Access {
        roles: vec![tenant, noc],
        jwt: Some(jwt),
        ..Access::default()
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let company = &estate.companies[2];
    let good = json!({"iss": provider.issuer, "aud": ["x", "veeam-graph"], "exp": seconds_from_now(60), "sub": "ada", "roles": ["noc", "other"]});
    let with = |changes: Value| {
        let mut claims = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        post(
            &world,
            &[("authorization", &bearer)],
            r#"{"query":"{ jobs { totalCount } companies { nodes { name } } }"}"#,
        )
        .await
    };

    let answer = ask(&token(&first, "first", &good)).await;
    assert_eq!(
        answer.body["data"]["jobs"]["totalCount"],
        estate.jobs.len(),
        "{}",
        answer.body
    );
    assert_eq!(
        ask(&token(
            &first,
            "first",
            &with(json!({"exp": seconds_from_now(-20), "roles": "noc"}))
        ))
        .await
        .status,
        200,
        "within the skew"
    );
    // a tenant sees its company: by the token's word, not by the settings
    let of_tenant = ask(&token(
        &first,
        "first",
        &with(json!({"roles": ["tenant"], "companies": [company.uid.to_string()]})),
    ))
    .await;
    assert_eq!(
        array(&of_tenant.body["data"]["companies"]["nodes"]),
        &[json!({"name": company.name})]
    );
    let of_nobody = ask(&token(&first, "first", &with(json!({"roles": ["tenant"]})))).await;
    assert_eq!(
        of_nobody.body["data"],
        json!({"jobs": {"totalCount": 0}, "companies": {"nodes": []}})
    );

    let missing = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, status) in [
        (with(json!({"exp": seconds_from_now(-40)})), 401),
        (with(json!({"nbf": seconds_from_now(90)})), 401),
        (with(json!({"aud": "another-service"})), 401),
        (with(json!({"iss": "https://login.example.net"})), 401),
        (with(json!({"iss": [provider.issuer]})), 401),
        (
            with(json!({"iss": ["https://login.example.net", provider.issuer]})),
            401,
        ),
        (missing("exp"), 401),
        (missing("aud"), 401),
        (missing("iss"), 401),
        (missing("sub"), 401),
        (with(json!({"roles": ["other"]})), 403),
        (with(json!({"roles": "noc other"})), 403),
        (with(json!({"roles": "other,noc"})), 403),
        (with(json!({"roles": ["noc other"]})), 403),
        (missing("roles"), 403),
    ] {
        let answer = ask(&token(&first, "first", &claims)).await;
        assert_eq!(answer.status, status, "{claims}: {}", answer.body);
        assert_eq!(
            codes(&answer.body),
            [if status == 401 {
                "UNAUTHENTICATED"
            } else {
                "FORBIDDEN"
            }]
        );
    }
    // signed by somebody else, with a secret that is no secret, with nothing at all, or cut
    let mut forged = vec![token(&signing_key(), "first", &good)];
    forged.push(
        encode(
            &Header {
                kid: Some("first".into()),
                ..Header::new(Algorithm::HS256)
            },
            &good,
            &EncodingKey::from_secret(b"public"),
        )
        .unwrap(),
    );
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
    forged.push(format!(
        "{}.{}.",
        B64.encode(r#"{"alg":"none","kid":"first"}"#),
        B64.encode(good.to_string())
    ));
    let whole = token(&first, "first", &good);
    forged.push(whole[..whole.len() - 4].to_owned());
    forged.push("a.b.c".to_owned());
    for token in forged {
        assert_eq!(ask(&token).await.status, 401, "{token}");
    }
    assert_eq!(
        provider.reads.load(Ordering::Relaxed),
        1,
        "keys are read once, whatever is shown"
    );

    // a key that is not there is looked for, but not without end
    for _ in 0..5 {
        assert_eq!(
            ask(&token(&signing_key(), "never", &good)).await.status,
            401
        );
    }
    assert!(provider.reads.load(Ordering::Relaxed) <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_found_when_a_token_names_it() {
    let file = std::env::temp_dir().join(format!("veeam-graph-keys-{}.json", std::process::id()));
    let provider = Provider::start().await;
    let jwt = Jwt {
        issuer: "issuer".to_owned(),
        audience: vec!["us".to_owned()],
        keys: JwtKeys::Url(
            format!("{}/keys", provider.issuer.trim_end_matches("/realm"))
                .parse()
                .unwrap(),
        ),
        algorithms: vec!["ES256".to_owned()],
        clock_skew: Duration::ZERO,
        name_claim: "email".to_owned(),
        roles_claim: "groups".to_owned(),
        ..jwt(&provider)
    };
    let claims = json!({"iss": "issuer", "aud": "us", "exp": seconds_from_now(60), "email": "ada@example.net", "groups": ["noc"]});
    let auth = Access {
        roles: vec![Role {
            name: "noc".to_owned(),
            ..Role::default()
        }],
        jwt: Some(jwt.clone()),
        ..Access::default()
    };
    let world = World::start(Setup {
        auth: auth.clone(),
        ..Setup::default()
    })
    .await;
    // the provider has not published it yet when the gateway first looks: by the time of the token
    // it has
    let key = provider.publish("next");
    let bearer = format!("Bearer {}", token(&key, "next", &claims));
    assert_eq!(
        post(&world, &[("authorization", &bearer)], HELLO)
            .await
            .status,
        200
    );

    // the same from a file, which an operator replaces
    std::fs::write(
        &file,
        json!({"keys": *provider.keys.lock().unwrap()}).to_string(),
    )
    .unwrap();
    let auth = Access {
        jwt: Some(Jwt {
            keys: JwtKeys::File(file.clone()),
            ..jwt
        }),
        ..auth
    };
    let world = World::start(Setup {
        auth,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        post(&world, &[("authorization", &bearer)], HELLO)
            .await
            .status,
        200
    );
    std::fs::remove_file(file).unwrap();
}
