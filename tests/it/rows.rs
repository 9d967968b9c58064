//! Rows that are given out as they were written before: random queries of a gateway that does, and
//! of one that does not.

use crate::{
    isolation::questions::Dice,
    world::{PATIENCE, Setup, World, array},
};
use serde_json::{Value, json};
use std::time::Duration;
use veeam_graph::{
    config::{Cache, Limits},
    simulator::{Fault, FaultKind, Scale},
};

/// What there is to select: fields without members, and fields that lead on to a type (with
/// arguments, and whether they are connections).
type Type = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str, bool)],
);

const TYPES: &[Type] = &[
    (
        "Job",
        &[
            "__typename",
            "name",
            "uid",
            "kind",
            "health",
            "status",
            "lastRun",
            "failureSummary",
            "isEnabled",
            "id",
        ],
        &[
            ("backupServer", "BackupServer", false),
            ("company", "Company", false),
            ("sessions(first: N)", "AgentSession", true),
            (
                "... on AgentJob { objects(first: N) @ }",
                "AgentJobObject",
                true,
            ),
            (
                "... on TapeJob { linkedJobs(first: N) @ }",
                "LinkedJob",
                true,
            ),
        ],
    ),
    (
        "BackupServer",
        &["name", "uid", "version", "status"],
        &[
            (
                "jobs(first: N, filter: { health: [FAILED, WARNING] })",
                "Job",
                true,
            ),
            ("tapeLinkedJobs(first: N)", "LinkedJob", true),
            ("repositories(first: N)", "Repository", true),
        ],
    ),
    (
        "Company",
        &["name", "uid"],
        &[("jobs(first: N)", "Job", true)],
    ),
    ("Repository", &["name", "uid"], &[]),
    (
        "LinkedJob",
        &["jobUid", "linkedJobUid", "resolved"],
        &[("job", "Job", false), ("linkedJob", "Job", false)],
    ),
    (
        "AgentJobObject",
        &["computer", "uid", "health", "lastRun", "agentUid"],
        &[
            ("lastSession", "AgentSession", false),
            ("company", "Company", false),
            ("backupServer", "BackupServer", false),
        ],
    ),
    (
        "AgentSession",
        &["uid", "startedAt", "result", "matchedBy", "durationSeconds"],
        &[("job", "Job", false)],
    ),
];

const ROOTS: &[(&str, &str)] = &[
    (
        "jobs(first: N, filter: F, orderBy: [{ field: NAME, direction: DESC }])",
        "Job",
    ),
    ("jobs(first: N)", "Job"),
    ("backupServers(first: N)", "BackupServer"),
    ("companies(first: N)", "Company"),
    ("agentJobObjects(first: N)", "AgentJobObject"),
    ("tapeLinkedJobs(first: N)", "LinkedJob"),
];

fn rows(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => "$n".to_owned(),
        _ => dice.one_of(&["0", "1", "3", "10", "25"]).to_string(),
    }
}

/// A selection of a type's members.
fn selection(dice: &mut Dice, of: &str, depth: usize, first: &str) -> String {
    let (_, leaves, edges) = TYPES.iter().find(|(name, ..)| *name == of).unwrap();
    let mut text = format!("{{ {}", dice.one_of(leaves));
    for number in 0..dice.roll(4) {
        let leaf = dice.one_of(leaves);
        match dice.roll(6) {
            0 => text += &format!(" a{number}: {leaf}"),
            1 => text += &format!(" {leaf} @include(if: $yes)"),
            2 => text += &format!(" ... {{ {leaf} }}"),
            _ => text += &format!(" {leaf}"),
        }
    }
    if depth > 0 {
        for _ in 0..=dice.roll(2) {
            let Some((field, to, is_list)) = edges.get(dice.roll(edges.len() + 1)) else {
                continue;
            };
            let inner = selection(dice, to, depth - 1, first);
            let inner = if *is_list {
                format!(
                    "{{ totalCount {} {inner} }}",
                    if dice.roll(8) == 0 {
                        "nodes @include(if: $yes)"
                    } else {
                        "nodes"
                    }
                )
            } else {
                inner
            };
            let field = field.replace("(first: N", &format!("(first: {first}"));
            // the same edge twice, with other members, is one edge; sometimes under other names
            match (field.contains('@'), dice.roll(5)) {
                (true, _) => text += &format!(" {}", field.replace('@', &inner)),
                (false, 0) => text += &format!(" b{}: {field} {inner}", dice.roll(3)),
                (false, _) => text += &format!(" {field} {inner}"),
            }
        }
    }
    text + " }"
}

/// A query, and the same with another page of its list: made of the same rows, and of other fields
/// of `Query`.
fn queries(dice: &mut Dice) -> [Value; 2] {
    let (root, of) = dice.one_of(ROOTS);
    let filter = dice.one_of(&[
        "{ health: [FAILED] }",
        "{ kind: [BACKUP_COPY, AGENT_BACKUP] }",
        "{ nameContains: \"0\" }",
    ]);
    // the same everywhere: an edge that is selected twice must have the same arguments
    let first = rows(dice);
    let root = root
        .replace("(first: N", "(first: ROWS")
        .replace("filter: F", &format!("filter: {filter}"));
    let depth = dice.roll(4);
    let selected = selection(dice, of, depth, &first);
    let companies = "n: companies(first: $n) { totalCount } y: __typename @include(if: $yes)";
    let text = match dice.roll(10) {
        // two parts of a page, each with what it wants of a row
        8 => format!(
            "{{ {root} {{ nodes {{ ...A ...B }} }} ...C }} fragment A on {of} {selected} fragment B on {of} {} fragment C on Query {{ {companies} }}",
            selection(dice, of, depth, &first)
        ),
        9 => format!(
            "{{ a: {root} {{ nodes {selected} totalCount }} a: {root} {{ nodes {} }} }}",
            selection(dice, of, depth, &first)
        ),
        0 => {
            format!("{{ {root} {{ nodes {{ ...A }} }} {companies} }} fragment A on {of} {selected}")
        }
        1 => format!("{{ {root} {{ edges {{ cursor node {selected} }} }} {companies} }}"),
        2 => format!("{{ {root} {{ edges {{ node {selected} b: cursor }} totalCount }} }}"),
        3 => format!(
            "{{ {companies} ... on Query {{ a: {root} {{ nodes {selected} }} }} ...C }} fragment C on Query {{ c: __typename }}"
        ),
        4 => format!(
            "{{ {companies} ... on Query @skip(if: $yes) {{ a: {root} {{ nodes {selected} }} }} }}"
        ),
        _ => format!("{{ {root} {{ complete nodes {selected} }} {companies} }}"),
    };
    let variables = json!({"n": dice.one_of(&[0, 2, 7, 30]), "yes": dice.roll(2) == 0});
    [rows(dice), rows(dice)].map(|rows| {
        let text = format!(
            "query($n: Int, $yes: Boolean!) {}",
            text.replace("ROWS", &rows)
        );
        json!({"query": text, "variables": variables})
    })
}

async fn ask(world: &World, body: &Value) -> Value {
    let request = world
        .client
        .post(format!("{}/graphql", world.origin))
        .header("content-type", "application/json");
    let text = request
        .body(body.to_string())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    // as it is written: members have an order
    let data = text
        .split_once("\"data\":")
        .and_then(|(_, data)| data.rsplit_once(",\"extensions\":"));
    answer["written"] = data.map(|(data, _)| data.into()).unwrap_or_default();
    answer["extensions"]["upstream"].take();
    if let Some(errors) = answer.get_mut("errors").and_then(Value::as_array_mut) {
        errors
            .iter_mut()
            .for_each(|error| drop(error["extensions"]["requestId"].take()));
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_written_before_are_what_they_would_be_again() {
    let start = |kept_rows_bytes| {
        let limits = Limits {
            kept_answers_bytes: 0,
            kept_rows_bytes,
            ..Limits::default()
        };
        World::start(Setup {
            scale: Scale::Medium,
            limits,
            ..Setup::default()
        })
    };
    let (with, without) = (start(8 << 20).await, start(0).await);
    let mut dice = Dice(
        std::env::var_os("ROWS_SEED")
            .and_then(|seed| seed.to_str()?.parse().ok())
            .unwrap_or(7),
    );
    let (mut ran, mut refused) = (0, 0);
    while ran < 400 {
        for query in queries(&mut dice) {
            let expected = ask(&without, &query).await;
            // asked twice: once its rows may be new
            for _ in 0..2 {
                assert_eq!(ask(&with, &query).await, expected, "{query}");
            }
            match expected.get("data") {
                Some(_) => ran += 1,
                None => refused += 1,
            }
        }
    }
    assert!(
        refused < 200,
        "{refused} random queries do not fit the schema"
    );
    for (what, least) in [("rows", 400), ("query_fields", 400)] {
        let again = given_again(&with, what).await;
        assert!(again > least, "{what}: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_query_that_are_known_are_put_beside_those_that_are_not() {
    let limits = Limits {
        kept_answers_bytes: 0,
        answer_fields: 60,
        ..Limits::default()
    };
    let with = World::start(Setup {
        limits: limits.clone(),
        ..Setup::default()
    })
    .await;
    let without = World::start(Setup {
        limits: Limits {
            kept_rows_bytes: 0,
            ..limits
        },
        ..Setup::default()
    })
    .await;
    let companies = "companies(first: 3) { totalCount nodes { name } }";
    for (query, known) in [
        (format!("{{ {companies} }}"), 0),
        (format!("{{ {companies} }}"), 1),
        // by other names, and in either place
        (format!("query A {{ a: {companies} jobs(first: 2) {{ nodes {{ name }} }} }}"), 1),
        (format!("query B {{ backupServers {{ nodes {{ name }} }} b: {companies} c: {companies} }}"), 2),
        (format!("{{ ...C jobs(first: 2) {{ edges {{ cursor }} }} }} fragment C on Query {{ {companies} }}"), 1),
        // a variable that only what is known uses
        ("query D($n: Int) { companies(first: $n) { totalCount nodes { name } } d: jobs(first: 1) { totalCount } }".to_owned(), 1),
        // other members, another argument
        ("{ companies(first: 3) { totalCount } }".to_owned(), 0),
        ("{ companies(first: 2) { totalCount nodes { name } } }".to_owned(), 0),
        // what is known takes its part of what an answer may have
        (format!("{{ {companies} jobs(first: 50) {{ nodes {{ uid }} }} }}"), 1),
        (format!("{{ {companies} jobs(first: 50) {{ nodes {{ uid name }} }} }}"), 1),
        (format!("{{ {companies} a: {companies} b: {companies} jobs(first: 49) {{ nodes {{ uid }} }} }}"), 3),
    ] {
        let body = json!({"query": query, "variables": {"n": 3}});
        let before = given_again(&with, "query_fields").await;
        assert_eq!(ask(&with, &body).await, ask(&without, &body).await, "{query}");
        assert_eq!(given_again(&with, "query_fields").await - before, known, "{query}");
    }

    // what comes with an error is not known, what was known still is
    let fault = FaultKind::Status {
        status: 403,
        retry_after: None,
        retry_after_in_body: None,
        location: None,
    };
    let fails = Fault {
        path: "*/repositories*".to_owned(),
        times: None,
        kind: fault,
    };
    for world in [&with, &without] {
        world.simulator.faults.add([fails.clone()]);
    }
    let body = json!({"query": format!("{{ {companies} r: repositories {{ complete totalCount nodes {{ name }} }} }}")});
    for _ in 0..2 {
        let before = given_again(&with, "query_fields").await;
        let answer = ask(&with, &body).await;
        assert_eq!(
            (
                answer["data"]["r"]["complete"].as_bool(),
                array(&answer["errors"]).len()
            ),
            (Some(false), 1)
        );
        assert_eq!(answer["data"], ask(&without, &body).await["data"]);
        assert_eq!(given_again(&with, "query_fields").await - before, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_given_again_as_nodes_and_as_edges() {
    let limits = Limits {
        kept_answers_bytes: 0,
        ..Limits::default()
    };
    let world = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    for selection in [
        "nodes { name uid }",
        "edges { cursor node { name } }",
        "edges { node { name kind @skip(if: false) } }",
        // the same edge wanted by several parts of a page
        "nodes { company { name } ... on Job { company { uid } ... { health } } ... on AgentJob { osType ... on Job { health } } }",
    ] {
        for (first, known) in [(5, 0), (8, 5), (3, 3)] {
            let before = given_again(&world, "rows").await;
            world
                .data(&format!("{{ jobs(first: {first}) {{ {selection} }} }}"))
                .await;
            assert_eq!(
                given_again(&world, "rows").await - before,
                known,
                "{selection}: {first}"
            );
        }
    }
}

async fn given_again(world: &World, what: &str) -> u64 {
    let (_, metrics) = world.get("/metrics").await;
    let name = format!("veeam_graph_{what}_given_again_total ");
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(&*name))
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_the_rows_below_a_row_is_part_of_what_is_remembered() {
    let limits = Limits {
        kept_answers_bytes: 0,
        ..Limits::default()
    };
    let with = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let limits = Limits {
        kept_answers_bytes: 0,
        kept_rows_bytes: 0,
        ..Limits::default()
    };
    let without = World::start(Setup {
        limits,
        ..Setup::default()
    })
    .await;
    let mut answers = std::collections::HashSet::new();
    // the same words but for an argument, given as such or by a variable, in a place or in a
    // fragment
    for below in [
        "first: 1",
        "first: 3",
        "first: $n",
        "filter: { health: [FAILED] }",
        "filter: { nameContains: $word }",
        "orderBy: { field: DURATION }",
    ] {
        for (n, word) in [(1, "a"), (2, "copy")] {
            for text in [
                "query($n: Int, $word: String) { n: companies(first: $n, filter: { nameContains: $word }) { totalCount } backupServers { nodes { jobs(BELOW) { totalCount nodes { name } } } } }",
                "query($n: Int, $word: String) { n: companies(first: $n, filter: { nameContains: $word }) { totalCount } backupServers { nodes { ...S } } } fragment S on BackupServer { jobs(BELOW) { totalCount nodes { name } } }",
            ] {
                let query = json!({"query": text.replace("BELOW", below), "variables": {"n": n, "word": word}});
                let expected = ask(&without, &query).await;
                for _ in 0..2 {
                    assert_eq!(ask(&with, &query).await, expected, "{query}");
                }
                answers.insert(expected["data"]["backupServers"].to_string());
            }
        }
    }
    assert!(answers.len() >= 6, "{}", answers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_below_a_job_are_remembered_as_that_reading_of_the_job_had_it() {
    // jobs are read anew all the time, what is in them is not
    let cache = Cache {
        jobs: Some(Duration::from_millis(1)),
        agent_objects: Some(Duration::from_secs(3_600)),
        ..Cache::default()
    };
    let limits = Limits {
        kept_answers_bytes: 0,
        ..Limits::default()
    };
    let world = World::start(Setup {
        cache,
        limits,
        ..Setup::default()
    })
    .await;
    let query = "{ jobs(first: 100) { nodes { name
        ... on AgentJob { objects(first: 20) { nodes { job { name } } } }
        ... on VmBackupJob { machines: objects(first: 20) { nodes { job { name } } } } } } }";
    let names = async || {
        let data = world.data(query).await;
        let mut below = 0;
        for job in array(&data["jobs"]["nodes"]) {
            for object in ["objects", "machines"]
                .iter()
                .flat_map(|list| job[*list]["nodes"].as_array().into_iter().flatten())
            {
                assert_eq!(object["job"]["name"], job["name"]);
                below += 1;
            }
        }
        assert!(below > 20, "{below}");
        array(&data["jobs"]["nodes"])
            .iter()
            .map(|job| job["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    names().await;
    world.simulator.change(|estate| {
        estate
            .jobs
            .iter_mut()
            .for_each(|job| job.name.push_str(" renamed"))
    });
    let started = std::time::Instant::now();
    while !names().await.iter().all(|name| name.ends_with(" renamed")) {
        assert!(
            started.elapsed() < PATIENCE,
            "the old names are given for ever"
        );
    }
}
