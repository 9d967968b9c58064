//! The fifteen questions of `examples/queries`, each against an answer worked out from the
//! simulator's data alone, and with upstreams that fail: then an answer may say less, and must say
//! so, but never anything else.

pub mod answers;
mod protection;
pub mod versions;

use self::answers::Words;
use crate::world::{Setup, World, array};
use serde_json::{Value, json};
use std::path::Path;
use veeam_graph::simulator::{Fault, FaultKind, Scale};

/// The questions by number: file name and text.
pub fn questions() -> Vec<(usize, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut questions: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "graphql"))
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            Some((
                name.split('-').next().unwrap().parse().ok()?,
                name,
                std::fs::read_to_string(&path).unwrap(),
            ))
        })
        .collect();
    questions.sort();
    assert_eq!(questions.len(), 15);
    questions
}

/// Takes out what is said for people, and what has tests of its own.
fn bare(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["reason", "lastTapeRun", "endCursor", "upstreams"] {
                members.remove(name);
            }
            members.values_mut().for_each(bare);
        }
        Value::Array(values) => values.iter_mut().for_each(bare),
        _ => {}
    }
}

async fn ask(world: &World, text: &str) -> (Value, bool) {
    let mut answer = world.ask(text).await;
    let has_errors = answer.get("errors").is_some();
    bare(&mut answer["data"]);
    (answer["data"].take(), has_errors)
}

async fn all_are_right(scale: Scale, seed: u64) {
    let world = World::start(Setup {
        scale,
        seed,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    for (number, name, text) in questions() {
        let (answer, has_errors) = ask(&world, &text).await;
        assert!(!has_errors, "{name}, {scale:?}, seed {seed}");
        let expected = Words(&estate).answer(number);
        for (list, rows) in expected.as_object().unwrap() {
            assert_eq!(
                answer[list], *rows,
                "{name}, {list}, {scale:?}, seed {seed}"
            );
        }
        assert_eq!(answer, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifteen_questions_equal_an_independent_computation_at_small_scale() {
    for seed in 1..=5 {
        all_are_right(Scale::Small, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fifteen_questions_equal_an_independent_computation_at_medium_scale() {
    for seed in [1, 8] {
        all_are_right(Scale::Medium, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estates_have_something_to_answer() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    for (number, name, _) in questions() {
        let answer = Words(&estate).answer(number).to_string();
        assert!(answer.len() > 1_000, "{name}: {answer}");
    }
    let all = (1..=15)
        .map(|number| Words(&estate).answer(number).to_string())
        .collect::<String>();
    for word in [
        r#""lastSuccessKnown":false"#,
        r#""rpoBreached":true"#,
        r#""rpoBreached":null"#,
        r#""status":"NOT_ON_TAPE""#,
        r#""latestRestorePoint":null"#,
        r#""resolved":true"#,
        r#""status":"ON_TAPE_BY_REPOSITORY""#,
        r#""NEVER_RAN""#,
        r#""openAlarms":0"#,
    ] {
        assert!(all.contains(word), "no answer has {word}");
    }
}

/// What an answer says that is not so: what could not be read is null, unknown, or missing from a
/// list that says that it is not complete.
fn untrue(answer: &Value, expected: &Value, path: &str) -> Option<String> {
    match (answer, expected) {
        (Value::Null, _) => None,
        (Value::String(word), _) if word == "UNKNOWN" || word == "NONE" => None,
        (Value::Object(members), Value::Object(wanted)) => {
            members
                .iter()
                .find_map(|(name, member)| match name.as_str() {
                    // a link that is not resolved has an error beside it where that is not known
                    "complete" | "resolved" if member == &json!(false) => None,
                    "hasNextPage" => None,
                    // who does not ask whether a list is complete has the error alone
                    "nodes" if !members.contains_key("complete") && member == &json!([]) => None,
                    "nodes" if members.get("complete") == Some(&json!(false)) => {
                        let is_there = |row: &Value| {
                            array(&wanted[name])
                                .iter()
                                .any(|wanted| untrue(row, wanted, "").is_none())
                        };
                        array(member)
                            .iter()
                            .find(|row| !is_there(row))
                            .map(|row| format!("{path}: {row} is not there"))
                    }
                    _ => untrue(member, &wanted[name], &format!("{path}.{name}")),
                })
        }
        (Value::Array(rows), Value::Array(wanted)) if rows.len() == wanted.len() => rows
            .iter()
            .zip(wanted)
            .enumerate()
            .find_map(|(place, (row, wanted))| untrue(row, wanted, &format!("{path}.{place}"))),
        _ => (answer != expected).then(|| format!("{path}: {answer:.200} is not {expected:.200}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_upstreams_that_fail_an_answer_says_less_and_says_so_but_nothing_else() {
    let (mut honest, mut whole) = (0, 0);
    let paths = [
        "*/backupServers/jobs?*",
        "*/jobs/agentJobs/objects*",
        "*/backupCopyJobs*",
        "*/simpleBackupCopyJobs*",
        "*/jobObjects*",
        "*/repositoryObjects*",
        "*/api/v3/organizations*",
        "*/backupServers/repositories*",
        "*/alarms/active*",
        "*/protectedWorkloads/virtualMachines*",
        "*/computersManagedByBackupServer/backups*",
        "*/api/query*",
        "*/infrastructure/backupServers?*",
    ];
    for (number, path) in paths.into_iter().enumerate() {
        let world = World::small().await;
        let estate = world.simulator.estate();
        let kind = if number % 2 == 0 {
            FaultKind::Html
        } else {
            FaultKind::Status {
                status: 403,
                retry_after: None,
                retry_after_in_body: None,
                location: None,
            }
        };
        world.simulator.faults.add([Fault {
            path: path.to_owned(),
            times: None,
            kind,
        }]);
        for (number, name, text) in questions() {
            let (answer, has_errors) = ask(&world, &text).await;
            let expected = Words(&estate).answer(number);
            if answer == expected {
                whole += 1;
                continue;
            }
            honest += 1;
            // a way to tape that can't be told is an answer, with its reason
            assert!(
                has_errors || answer.to_string().contains("UNKNOWN"),
                "{name} without {path}: {answer}"
            );
            match number {
                // who is left out by a filter that can't be decided would be missed: there may be
                // more
                2 => assert!(
                    array(&answer["jobs"]["nodes"]).len()
                        >= array(&expected["jobs"]["nodes"]).len()
                        || answer["jobs"]["complete"] == false
                ),
                // what can't be told is UNKNOWN, which is asked for
                3 => assert!(
                    answer["jobs"]["nodes"] != json!([]) || answer["jobs"]["complete"] == false,
                    "{path}"
                ),
                // companies in which all is well are there when that is not known
                9 => {
                    for row in array(&answer["fleetHealth"]) {
                        assert_eq!(row["complete"], false, "{row}");
                        let known = array(&expected["fleetHealth"])
                            .iter()
                            .find(|known| known["company"] == row["company"]);
                        assert_eq!(
                            known.and_then(|known| untrue(row, known, "")),
                            None,
                            "{name} without {path}"
                        );
                    }
                }
                _ => assert_eq!(
                    untrue(&answer, &expected, ""),
                    None,
                    "{name} without {path}"
                ),
            }
        }
    }
    assert!(honest > 50 && whole > 20, "{honest} {whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_filter_could_not_be_decided_is_not_complete() {
    let fault = |path: &str| Fault {
        path: path.to_owned(),
        times: None,
        kind: FaultKind::Html,
    };
    for (path, list) in [
        (
            "*/repositoryObjects*",
            "jobs(filter: { tapeStatus: [NOT_ON_TAPE] })",
        ),
        (
            "*/repositoryObjects*",
            "agentJobObjects(filter: { not: { tapeStatus: [UNKNOWN] } })",
        ),
        (
            "*/repositoryObjects*",
            "repositories(filter: { tapeStatus: [NOT_ON_TAPE] })",
        ),
        (
            "*/api/query*",
            "jobs(filter: { or: [{ notSucceededFor: { days: 1 } }] })",
        ),
        (
            "*/api/v3/organizations*",
            "jobs(filter: { companyName: \"Porto Clinic 002\" })",
        ),
        (
            "*/backupServers/jobs?*",
            "agentJobObjects(filter: { companyName: \"Porto Clinic 002\" })",
        ),
        (
            "*/backupServers?*",
            "repositories(filter: { companyUid: \"00000000-0000-4000-8000-000000000000\" })",
        ),
        (
            "*/backupServers/jobs?*",
            "workloads(filter: { companyUid: \"00000000-0000-4000-8000-000000000000\" })",
        ),
        (
            "*/backupServers/jobs?*",
            "alarms(filter: { companyUid: \"00000000-0000-4000-8000-000000000000\" })",
        ),
    ] {
        let world = World::small().await;
        world.simulator.faults.add([fault(path)]);
        let answer = world
            .ask(&format!("{{ list: {list} {{ complete totalCount }} }}"))
            .await;
        assert_eq!(
            answer["data"]["list"],
            json!({"complete": false, "totalCount": null}),
            "{list} without {path}: {answer}"
        );
        assert!(answer.get("errors").is_some(), "{list} without {path}");
    }
}
