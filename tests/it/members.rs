//! Every member of every row of every list, null, absent and of each other JSON type: no list fails
//! as a whole, and what could not be read is told, with the list, the page, the row and the member.
//!
//! `tests/fixtures/vspc-members.txt` has what the vendor's document says of each list: its members,
//! their types, and whether they may be null (`?`).

mod elsewhere;

use crate::{
    mock::{COMPANY, JOBS, Mock, Reply, VBR01, log_of},
    world::{World, array, codes},
};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc};

const FLEET: &str = "/infrastructure/backupServers";

/// Of each list the question that has it read, and the connection that shows its rows, if one does.
fn question(list: &str) -> (String, Option<&'static str>) {
    let rows = |name: &'static str| {
        (
            format!("{{ {name}(first: 500) {{ complete totalCount nodes {{ id }} }} }}"),
            Some(name),
        )
    };
    let of_jobs = |members: &str| {
        (
            format!("{{ jobs(first: 100) {{ nodes {{ {members} }} }} }}"),
            None,
        )
    };
    match list.trim_start_matches(FLEET) {
        "/organizations" => rows("companies"),
        "/organizations/locations" => rows("locations"),
        "" => rows("backupServers"),
        "/agents" => rows("backupAgents"),
        "/repositories" => rows("repositories"),
        "/jobs" => rows("jobs"),
        "/jobs/agentJobs" => of_jobs("... on AgentJob { osType }"),
        "/jobs/agentJobs/objects" => rows("agentJobObjects"),
        "/jobs/backupCopyJobs" => of_jobs("... on BackupCopyJob { retentionPolicyType }"),
        "/jobs/backupCopyJobs/jobObjects" => {
            of_jobs("... on BackupCopyJob { linkedJobs { totalCount } }")
        }
        "/jobs/simpleBackupCopyJobs" => {
            of_jobs("... on SimpleBackupCopyJob { retentionPolicyType }")
        }
        "/jobs/simpleBackupCopyJobs/objects" => {
            of_jobs("... on SimpleBackupCopyJob { linkedJobs { totalCount } }")
        }
        "/jobs/backupTapeJobs/jobObjects" => (
            "{ tapeLinkedJobs(first: 500) { complete totalCount nodes { jobUid } } }".into(),
            Some("tapeLinkedJobs"),
        ),
        "/jobs/backupTapeJobs/repositoryObjects" => {
            of_jobs("tape { status } ... on TapeJob { linkedRepositories { totalCount } }")
        }
        "/jobs/backupTapeJobs" | "/jobs/fileTapeJobs" => {
            of_jobs("... on TapeJob { fullMediaPoolUid }")
        }
        "/jobs/fileTapeJobs/objects" => of_jobs("... on TapeJob { objects { totalCount } }"),
        "/jobs/backupVmJobs" => of_jobs("... on VmBackupJob { subtype }"),
        "/jobs/backupVmJobs/objects" => of_jobs("... on VmBackupJob { objects { totalCount } }"),
        "/jobs/replicationVmJobs" => of_jobs("... on ReplicationJob { isCloudJob }"),
        "/jobs/replicationVmJobs/objects" => {
            of_jobs("... on ReplicationJob { objects { totalCount } }")
        }
        "/jobs/cdpReplicationJobs" => of_jobs("... on CdpReplicationJob { rpoSeconds }"),
        "/jobs/cdpReplicationJobs/objects" => {
            of_jobs("... on CdpReplicationJob { objects { totalCount } }")
        }
        "/jobs/vmCopyJobs" => of_jobs("... on VmCopyJob { targetRepositoryUid }"),
        "/jobs/fileCopyJobs" => of_jobs("... on FileCopyJob { targetPath }"),
        "/jobs/fileShareJobs" => of_jobs("... on FileShareBackupJob { retention }"),
        "/jobs/fileShareJobs/objects" => {
            of_jobs("... on FileShareBackupJob { objects { totalCount } }")
        }
        "/jobs/fileShareCopyJobs" => of_jobs("... on FileShareCopyJob { retention }"),
        "/jobs/fileShareCopyJobs/objects" => {
            of_jobs("... on FileShareCopyJob { objects { totalCount } }")
        }
        "/jobs/objectStorageBackupJobs" => of_jobs("... on ObjectStorageBackupJob { retention }"),
        "/jobs/objectStorageBackupJobs/objects" => {
            of_jobs("... on ObjectStorageBackupJob { objects { totalCount } }")
        }
        "/jobs/objectStorageBackupCopyJobs" => of_jobs("... on ObjectStorageCopyJob { retention }"),
        "/jobs/objectStorageBackupCopyJobs/objects" => {
            of_jobs("... on ObjectStorageCopyJob { objects { totalCount } }")
        }
        "/infrastructure/backupAgents" => rows("consoleAgents"),
        "/infrastructure/managementAgents" => rows("managementAgents"),
        "/infrastructure/backupAgents/jobs" => (
            "{ consoleAgents { nodes { jobs { totalCount } } } }".into(),
            None,
        ),
        "/infrastructure/enterpriseManagers" => rows("enterpriseManagers"),
        "/infrastructure/enterpriseManagers/{enterpriseManagerUid}/backupServers" => {
            ("{ enterpriseManagers { complete } }".into(), None)
        }
        "/alarms/active" => rows("alarms"),
        "/protectedWorkloads/computersManagedByBackupServer/backups" => {
            ("{ workloads { complete } }".into(), None)
        }
        list if list.starts_with("/protectedWorkloads/") => rows("workloads"),
        other => panic!("{other} has no question"),
    }
}

/// A member, its type, and whether it may be null.
type Member = (String, String, bool);

/// Lists that the gateway does not read.
const NOT_READ: [&str; 2] = [
    "/protectedWorkloads/fileShares",
    "/protectedWorkloads/objectStorages",
];

fn lists() -> Vec<(String, Vec<Member>)> {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vspc-members.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let read = |line: &str| {
        let (list, members) = line.split_once(' ').unwrap();
        let member = |word: &str| {
            let (name, kind) = word.split_once(':').unwrap();
            (
                name.to_owned(),
                kind.trim_end_matches('?').to_owned(),
                kind.ends_with('?'),
            )
        };
        (list.to_owned(), members.split(' ').map(member).collect())
    };
    text.lines()
        .map(read)
        .filter(|(list, _): &(String, _)| !NOT_READ.contains(&list.as_str()))
        .collect()
}

fn uid(row: usize, member: usize) -> String {
    format!("{row:08x}-0000-4000-8000-{member:012}")
}

/// A row in which everything is as documented, and nothing is another row's.
fn whole(members: &[Member], row: usize) -> Map<String, Value> {
    let value = |place: usize, (name, kind, _): &Member| match (name.as_str(), kind.as_str()) {
        ("backupServerUid", _) => json!(VBR01),
        ("organizationUid" | "mappedOrganizationUid", _) => json!(COMPANY),
        (_, "uuid") => json!(uid(row + 1, place)),
        (_, "text") => json!(format!("{name} {row}")),
        (_, "word") => json!("Success"),
        (_, "time") => json!("2026-11-26T22:00:00.1234567+01:00"),
        (_, "integer") => json!(7),
        (_, "number") => json!(1.5),
        (_, "boolean") => json!(true),
        (_, "list") => json!([]),
        (_, "object") => json!({}),
        (_, other) => panic!("{other}"),
    };
    members
        .iter()
        .enumerate()
        .map(|(place, member)| (member.0.clone(), value(place, member)))
        .collect()
}

/// A whole row with one member changed.
fn changed(members: &[Member], row: usize, member: &str, value: Option<Value>) -> Value {
    let mut row = whole(members, row);
    match value {
        Some(value) => drop(row.insert(member.to_owned(), value)),
        None => drop(row.remove(member)),
    }
    Value::Object(row)
}

/// Two jobs of every kind, so that the lists of all kinds are asked for.
fn jobs() -> Vec<Value> {
    let kinds = [
        "AgentBackupJob",
        "BackupCopy",
        "BackupVm",
        "ReplicationVM",
        "CdpReplicationVM",
        "SimpleBackupCopy",
        "CopyVm",
        "CopyFile",
        "BackupFile",
        "BackupFileCopy",
        "ObjectStorageBackup",
        "ObjectStorageBackupCopy",
        "BackupToTape",
        "FileToTape",
    ];
    let job = |(number, kind): (usize, &&str)| {
        json!({
            "instanceUid": uid(0x00f0_0000 + number, 1), "uniqueUid": uid(0x00f0_0000 + number, 2), "name": format!("Job {number}"), "type": kind,
            "status": "Success", "backupServerUid": VBR01, "organizationUid": COMPANY,
        })
    };
    kinds
        .iter()
        .chain(kinds.iter())
        .enumerate()
        .map(job)
        .collect()
}

/// A gateway over a console whose list has these rows.
async fn world_with(name: &str, list: &str, rows: Vec<Value>) -> World {
    let mock = Mock::empty().await;
    let all = jobs();
    mock.each(JOBS, move |asked| Reply::cut(&all, asked));
    if list.contains("{enterpriseManagerUid}")
        || list.ends_with("/agents/jobs")
        || list == "/infrastructure/backupAgents/jobs"
    {
        let one =
            json!({"instanceUid": uid(0x00e0_0000, 1), "name": "one", "organizationUid": COMPANY});
        let of_one = Arc::new(vec![one]);
        for path in [
            "/api/v3/infrastructure/enterpriseManagers",
            "/api/v3/infrastructure/backupAgents",
        ] {
            let of_one = of_one.clone();
            mock.each(path, move |asked| Reply::cut(&of_one, asked));
        }
    }
    mock.on(
        "/api/v3/infrastructure/enterpriseManagers/*/backupServers",
        Reply::page(&[], 0, 0),
    );
    // of the fleet, of a server, or of a job
    let pattern = match list
        .strip_prefix(FLEET)
        .and_then(|rest| rest.strip_prefix("/jobs/"))
    {
        Some(of_kind) => format!("/api/v3{FLEET}*/jobs/{}", of_kind.replace('/', "*/")),
        None => format!("/api/v3{}", list.replace("{enterpriseManagerUid}", "*")),
    };
    mock.each(&pattern, move |asked| Reply::cut(&rows, asked));
    let upstreams = mock.upstreams(name).into_iter().take(1).collect();
    mock.world_of(upstreams).await
}

/// What the log says of rows that can't be read.
fn told(name: &str) -> Vec<String> {
    log_of(name)
        .into_iter()
        .filter(|line| line.contains("can't be read"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_null_may_be_absent_and_what_says_the_same_is_read() {
    let lists = lists();
    assert!(
        lists.len() > 40
            && lists
                .iter()
                .map(|(_, members)| members.len())
                .sum::<usize>()
                > 380
    );
    // a few at a time
    let readings = lists
        .iter()
        .enumerate()
        .map(|(number, (list, members))| async move {
            let mut rows = vec![Value::Object(whole(members, 0))];
            for (member, kind, may_be_null) in members {
                let same = match kind.as_str() {
                    "integer" => vec![json!("7"), json!(7.0), json!("7.0")],
                    "number" => vec![json!("1.5"), json!(2)],
                    "boolean" => vec![json!("true"), json!("False"), json!(1)],
                    "uuid" if !member.ends_with("ganizationUid") && member != "backupServerUid" => {
                        let row = rows.len();
                        vec![
                            json!(uid(0xA000 + row, 9).to_uppercase()),
                            json!(format!("{{{}}}", uid(0xB000 + row, 9))),
                        ]
                    }
                    "time" => vec![
                        json!("2026-11-26 22:00:00"),
                        json!("2026-11-26T22:00:00Z"),
                        json!("1899-12-30T00:00:00"),
                        json!(""),
                    ],
                    _ => Vec::new(),
                };
                let nothing = may_be_null
                    .then_some([Some(Value::Null), None])
                    .into_iter()
                    .flatten();
                for value in nothing.chain(same.into_iter().map(Some)) {
                    rows.push(changed(members, rows.len(), member, value));
                }
            }
            let (name, total) = (format!("nullable-{number}"), rows.len());
            let world = world_with(&name, list, rows).await;
            let (query, shown) = question(list);
            let answer = world.ask(&query).await;
            assert_eq!(told(&name), Vec::<String>::new(), "{list}");
            if let Some(shown) = shown {
                let rows = &answer["data"][shown];
                assert_eq!(
                    (&rows["complete"], &rows["totalCount"]),
                    (&json!(true), &json!(total)),
                    "{list}: {:.300}",
                    answer.to_string()
                );
                assert!(codes(&answer).is_empty(), "{list}");
            }
        });
    stream::iter(readings)
        .buffer_unordered(4)
        .collect::<Vec<()>>()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_any_other_type_costs_its_row_at_most_and_that_is_told_with_its_name() {
    let lists = lists();
    let readings = lists
        .iter()
        .enumerate()
        .map(|(number, (list, members))| async move {
            let odd = [
                json!(null),
                json!(7),
                json!("x"),
                json!(true),
                json!({}),
                json!([]),
                json!("2026-13-45T00:00:00Z"),
                json!(-1.5),
            ];
            let mut rows = vec![Value::Object(whole(members, 0))];
            let mut changes = vec![String::new()];
            for (member, _, _) in members {
                for value in odd.iter().cloned().map(Some).chain([None]) {
                    rows.push(changed(members, rows.len(), member, value));
                    changes.push(member.clone());
                }
            }
            rows.push(Value::Object(whole(members, rows.len())));
            let (name, total) = (format!("odd-{number}"), rows.len());
            assert!(total <= 500, "{list} does not fit on a page");
            let world = world_with(&name, list, rows).await;
            let (query, shown) = question(list);
            let answer = world.ask(&query).await;
            let lines = told(&name);
            let after = |line: &str, word: &str| {
                let rest = line
                    .split_once(word)
                    .unwrap_or_else(|| panic!("no {word:?} in {line}"))
                    .1;
                rest.split(|end: char| !end.is_alphanumeric() && end != '_')
                    .next()
                    .unwrap()
                    .to_owned()
            };
            // a list may be read for the fleet, and then for a server: one line for each
            let paths: BTreeSet<String> = lines
                .iter()
                .map(|line| {
                    line.split_once("path=")
                        .unwrap()
                        .1
                        .split(' ')
                        .next()
                        .unwrap()
                        .to_owned()
                })
                .collect();
            assert!(
                !lines.is_empty() && paths.len() == lines.len(),
                "{list}: {lines:#?}"
            );
            let mut left_out = 0;
            for line in &lines {
                let row: usize = after(line, "row ").parse().unwrap();
                left_out = after(line, "rows left out of this page: ").parse().unwrap();
                assert_eq!(after(line, "member "), changes[row - 1], "{list}: {line}");
                assert!(
                    line.contains("offset=0") && line.contains("/api/v3/"),
                    "{line}"
                );
                assert!(0 < left_out && left_out < total - 2, "{list}: {line}");
            }
            assert!(
                !codes(&answer).is_empty(),
                "{list}: nothing is told: {:.300}",
                answer.to_string()
            );
            if let Some(shown) = shown {
                let rows = &answer["data"][shown];
                assert_eq!(
                    (&rows["complete"], &rows["totalCount"]),
                    (&json!(false), &Value::Null),
                    "{list}"
                );
                // a machine that has no id at all is left out too
                let without_id = if shown == "workloads" { 2 } else { 0 };
                let most = total - left_out;
                assert!(
                    (most - without_id..=most).contains(&array(&rows["nodes"]).len()),
                    "{list}: {lines:#?}"
                );
            }
            left_out
        });
    let found: Vec<usize> = stream::iter(readings).buffer_unordered(4).collect().await;
    assert!(found.iter().sum::<usize>() > 1_000, "{found:?}");
}
