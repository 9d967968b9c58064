//! Memory: the process itself, under a limit that the system keeps, is given what would make it
//! grow. It goes on, answers an honest question, and was never larger than what its settings add up
//! to.
//!
//! What ends a process that asks for too much memory is `ulimit -v`; how large it was is read from
//! the system afterwards.
#![cfg(target_os = "linux")]

use crate::{
    connections::{head, in_time, large_as, multiplexed, post},
    mock::{JOBS, Mock, Reply, case_time},
    world::listen,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use veeam_graph::simulator::{API_KEY, PASSWORD, Scale, USER, generate};

/// What the process may reserve, in KiB: more than it ever uses, less than what these attacks once
/// took.
const MOST_RESERVED: u64 = 3 << 20;
/// A gateway that has read its lists and answers, without optimisation, in KiB: 60 MiB of it are
/// pages of the binary, and what it has beside them differs by 30 MiB from one run to the next.
const AT_REST: u64 = 140 << 10;

/// A gateway in a process of its own.
struct Gateway {
    child: Child,
    at: SocketAddr,
    client: reqwest::Client,
    settings: std::path::PathBuf,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.settings);
    }
}

impl Gateway {
    /// Over an upstream, with settings of its own.
    async fn over(name: &str, upstream: SocketAddr, settings: &str, of_console: &str) -> Self {
        let (free, at) = listen().await;
        drop(free);
        let of_others = format!(
            "url = \"http://{upstream}\"\nauth = {{ username = \"{USER}\", password_env = \"PASSWORD\" }}\n"
        );
        let settings = format!(
            "{settings}\n[server]\nlisten = \"{at}\"\n[[upstream]]\nname = \"msp\"\nkind = \"vspc\"\nurl = \"http://{upstream}\"\nauth = {of_console}\n\
             [[upstream]]\nname = \"em\"\nkind = \"enterprise-manager\"\n{of_others}"
        );
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("bounded-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, settings).unwrap();
        let child = Command::new("sh")
            .args([
                "-c",
                "ulimit -v \"$2\" && exec \"$0\" serve --config \"$1\"",
            ])
            .args([
                env!("CARGO_BIN_EXE_veeam-graph"),
                path.to_str().unwrap(),
                &MOST_RESERVED.to_string(),
            ])
            .env_remove("RUST_LOG")
            .envs([("KEY", API_KEY), ("PASSWORD", PASSWORD)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let gateway = Self {
            child,
            at,
            client,
            settings: path,
        };
        in_time("a gateway that listens", async {
            while gateway
                .client
                .get(gateway.path("health/live"))
                .send()
                .await
                .is_err()
            {}
        })
        .await;
        gateway
    }

    fn path(&self, path: &str) -> String {
        format!("http://{}/{path}", self.at)
    }

    async fn send(&self, body: String, headers: &[(&str, &str)]) -> Value {
        let mut request = self
            .client
            .post(self.path("graphql"))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = in_time("an answer", async {
            request
                .send()
                .await
                .expect("the process is gone")
                .text()
                .await
                .unwrap()
        })
        .await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text:.300}"))
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        self.send(
            json!({"query": query, "variables": variables}).to_string(),
            &[],
        )
        .await
    }

    /// The most that was resident at any time, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process is gone");
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        peak.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// It is there, and was never larger than that; of how large it was something is printed.
    async fn is_well_within(&mut self, most: u64) {
        assert_eq!(self.child.try_wait().unwrap(), None, "the process ended");
        let live = in_time(
            "a sign of life",
            self.client.get(self.path("health/live")).send(),
        )
        .await
        .unwrap();
        assert_eq!(live.status(), 200);
        let answer = self
            .ask("{ backupServers { complete totalCount } }", json!({}))
            .await;
        assert_eq!(
            (
                answer.get("errors"),
                &answer["data"]["backupServers"]["complete"]
            ),
            (None, &json!(true)),
            "{answer}"
        );
        let peak = self.peak();
        eprintln!(
            "resident: {} MiB at most, of {} MiB",
            peak >> 10,
            most >> 10
        );
        assert!(peak <= most, "{peak} KiB, of {most}");
    }
}

const WITH_KEY: &str = "{ api_key_env = \"KEY\" }";

/// An estate with some thousand jobs, so that what is held against each of them shows.
async fn many_jobs() -> Mock {
    let mut estate = generate::generate(Scale::Small, 1, case_time());
    let some = estate.jobs.clone();
    for round in 0..100u128 {
        estate.jobs.extend(some.iter().cloned().map(|mut job| {
            job.uid = uuid::Uuid::from_u128(job.uid.as_u128() ^ ((round + 1) << 64));
            job.unique_uid = uuid::Uuid::from_u128(job.unique_uid.as_u128() ^ ((round + 1) << 64));
            job
        }));
    }
    Mock::over(estate).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_arguments_take_no_more_than_a_request_may_hold() {
    let mock = many_jobs().await;
    let settings = "[limits]\nrequest_memory = 33554432\ncache_memory = 33554432\nkept_answers_bytes = 4194304\nkept_rows_bytes = 4194304\n";
    let mut gateway = Gateway::over("lists", mock.at, settings, WITH_KEY).await;
    let answer = gateway.ask("{ jobs { totalCount } }", json!({})).await;
    assert!(
        answer["data"]["jobs"]["totalCount"].as_u64().unwrap() > 3_000,
        "{answer}"
    );
    // a thousand orders, a thousand filters, as a list and within each other, one root field after
    // the other
    let orders = vec![json!({"field": "NAME"}); 1_000];
    let words: Vec<Value> = (0..1_200)
        .map(|at| json!({"nameContains": format!("{at:->24}")}))
        .collect();
    let names: Vec<Value> = (0..400)
        .map(|at| json!({"nameContains": format!("{at:->24}")}))
        .collect();
    let mut deep = json!({"nameContains": "x"});
    for _ in 0..40 {
        deep = json!({"or": [deep, {"nameContains": "y"}], "not": {"nameContains": "z"}});
    }
    let roots: String = (0..50)
        .map(|at| format!("a{at}: jobs(filter: $filter, first: 1) {{ totalCount }} "))
        .collect();
    let many = format!("query($filter: JobFilter) {{ {roots} }}");
    let one = "query($orders: [JobOrder!], $filter: JobFilter) { jobs(orderBy: $orders, filter: $filter, first: 500) { totalCount nodes { name } } }";
    let attacks = [
        (one, json!({"orders": orders})),
        (one, json!({"filter": {"or": words}})),
        (one, json!({"filter": {"or": names, "and": names}})),
        (one, json!({"filter": deep})),
        (many.as_str(), json!({"filter": {"or": names}})),
        (many.as_str(), json!({"filter": deep})),
    ];
    for (query, variables) in &attacks {
        // several at once, as an attacker would
        let four = (0..4).map(|_| gateway.ask(query, variables.clone()));
        for answer in futures_util::future::join_all(four).await {
            let is_told = answer["errors"].as_array().is_none_or(|errors| {
                errors
                    .iter()
                    .all(|error| error["extensions"]["code"].is_string())
            });
            assert!(is_told, "{answer:.300}");
        }
    }
    // four requests, each with what one may hold, and what is kept
    gateway
        .is_well_within(AT_REST + 4 * (32 << 10) + (32 << 10))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_that_lie_about_their_size_are_not_held_in_memory() {
    let mock = Mock::over(generate::generate(Scale::Small, 1, case_time())).await;
    // a million rows are promised; what comes is new for twenty pages, and then the same again and
    // again
    let first = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("http://{}{JOBS}?limit=1&offset=0", mock.at));
    let first = first
        .header("authorization", format!("Bearer {API_KEY}"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let first = serde_json::from_str::<Value>(&first).unwrap()["data"][0].take();
    let row = move |at: usize| {
        let mut row = first.clone();
        (row["instanceUid"], row["uniqueUid"]) =
            (json!(uuid::Uuid::from_u128(at as u128 + 1)), Value::Null);
        row
    };
    mock.each(JOBS, move |asked| {
        let (offset, limit) = (asked.number("offset"), asked.number("limit"));
        let from = if offset < 10_000 { offset } else { 0 };
        Reply::page(
            &(from..from + limit).map(&row).collect::<Vec<_>>(),
            1_000_000,
            offset,
        )
    });
    // four megabytes of nothing, as each of the vendor's two forms
    let objects = format!(
        "{{\"Entities\": {{\"BackupJobSessions\": {{\"BackupJobSessions\": [{}]}}}}}}",
        vec!["{\"a\":0}"; 500_000].join(",")
    );
    let tags = format!(
        "<?xml version=\"1.0\"?><QueryResult><Entities><BackupJobSessions>{}</BackupJobSessions></Entities></QueryResult>",
        "<a b=\"\"/>".repeat(450_000)
    );
    mock.each("/api/query", move |asked| {
        match asked.target.contains("Page=1") || asked.target.len() % 2 == 0 {
            true => Reply::json(objects.clone()),
            false => Reply::new(200, "application/xml", tags.clone()),
        }
    });
    let settings = "[limits]\ncache_memory = 33554432\nkept_answers_bytes = 4194304\nkept_rows_bytes = 4194304\n";
    let mut gateway = Gateway::over("lies", mock.at, settings, WITH_KEY).await;
    for round in 0..3 {
        let asked = ["jobs", "agentSessions", "alarms"].map(|list| {
            let query = format!("query A{round} {{ {list} {{ complete totalCount }} }}");
            let gateway = &gateway;
            async move { (list, gateway.ask(&query, json!({})).await) }
        });
        for (list, answer) in futures_util::future::join_all(asked).await {
            if list != "alarms" {
                assert!(
                    answer["errors"].is_array() && answer["data"][list]["complete"] == false,
                    "{list}: {answer:.300}"
                );
            }
        }
    }
    // twenty good ones, those that were on their way, and all of it once more for each of the three
    let pages = mock
        .requests()
        .iter()
        .filter(|request| request.contains(JOBS))
        .count();
    assert!(
        pages < 300,
        "{pages} pages were read, of a list that is none"
    );
    // some bodies of four megabytes at once
    gateway.is_well_within(AT_REST + (160 << 10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_take_no_more_than_all_may_wait() {
    let mock = Mock::over(generate::generate(Scale::Small, 1, case_time())).await;
    let settings = "[limits]\nunread_bytes = 16777216\nunread_bytes_per_connection = 8388608\ncache_memory = 33554432\nkept_answers_bytes = 4194304\nkept_rows_bytes = 4194304\n";
    let mut gateway = Gateway::over("unread", mock.at, settings, WITH_KEY).await;
    // each its own: what is kept is one answer for all who ask the same
    let mut unread = Vec::new();
    for number in 0..60 {
        let mut stream = TcpStream::connect(gateway.at).await.unwrap();
        stream
            .write_all(post(&large_as(&format!("h{number}_"))).as_bytes())
            .await
            .unwrap();
        let _ = head(&mut stream).await;
        unread.push(stream);
    }
    let (sender, _connection) = multiplexed(gateway.at).await;
    let mut answers = Vec::new();
    for number in 0..24 {
        let request =
            Request::post("http://localhost/graphql").header("content-type", "application/json");
        let request = request
            .body(Full::new(Bytes::from(large_as(&format!("m{number}_")))))
            .unwrap();
        answers.push(in_time("an answer", sender.clone().send_request(request)).await);
    }
    let taken = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status() == 200)
        .count();
    assert!(
        (1..24).contains(&taken),
        "{taken} of 24 wait on one connection"
    );
    gateway
        .is_well_within(AT_REST + (16 << 10) + (32 << 10))
        .await;
    drop((unread, answers));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_documents_cursors_and_credentials_stays_within_what_may_be_kept() {
    let mock = Mock::over(generate::generate(Scale::Small, 1, case_time())).await;
    let settings = "[limits]\nfailed_sign_ins_per_minute = 1000000\ncache_memory = 33554432\nkept_answers_bytes = 4194304\nkept_rows_bytes = 4194304\n";
    let mut gateway = Gateway::over("flood", mock.at, settings, "{ passthrough = true }").await;
    let operator = [("x-upstream-msp", format!("Bearer {API_KEY}"))];
    let shown: Vec<(&str, &str)> = operator
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // some eight hundred words each, all of them different
    let fields = "id name health status lastRun ".repeat(80);
    for at in 0..400 {
        let query =
            format!("query A{at} {{ jobs(first: 1) {{ nodes {{ b{at}: name {fields} }} }} }}");
        gateway
            .send(json!({"query": query}).to_string(), &shown)
            .await;
    }
    for at in 0..400 {
        let variables = json!({"after": format!("{at:0>4}{}", "A".repeat(2_000))});
        let query = "query($after: String) { jobs(after: $after) { totalCount } }";
        gateway
            .send(
                json!({"query": query, "variables": variables}).to_string(),
                &shown,
            )
            .await;
    }
    for at in 0..1_000 {
        let made_up = format!("Bearer made-up-{at}");
        let answer = gateway
            .send(
                json!({"query": "{ jobs { totalCount } }"}).to_string(),
                &[("x-upstream-msp", &made_up)],
            )
            .await;
        assert!(answer["errors"].is_array(), "{answer}");
    }
    let answer = gateway
        .send(
            json!({"query": "{ backupServers { complete } }"}).to_string(),
            &shown,
        )
        .await;
    assert_eq!(
        answer["data"]["backupServers"]["complete"], true,
        "{answer}"
    );
    let peak = gateway.peak();
    eprintln!("resident: {} MiB at most", peak >> 10);
    assert!(peak <= AT_REST + (32 << 10) + (64 << 10), "{peak} KiB");
    assert_eq!(gateway.child.try_wait().unwrap(), None, "the process ended");
}
