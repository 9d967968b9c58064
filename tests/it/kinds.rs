//! Every kind of job that has members of its own is a type that shows them, at the price of its
//! list's pages.

use crate::world::{Setup, World, array};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use veeam_graph::simulator::{Estate, job_members};

/// The vendor's word, the graph's type, and its members: as asked for, and as the simulator's data
/// says.
const KINDS: &[(&str, &str, &[(&str, &str)])] = &[
    (
        "BackupVm",
        "VmBackupJob",
        &[
            ("subtype", "subtype"),
            ("protectedVmCount", "protectedVmCount"),
            ("targetRepositoryUid", "targetRepositoryUid"),
        ],
    ),
    (
        "ReplicationVM",
        "ReplicationJob",
        &[
            ("protectedVmCount", "protectedVmCount"),
            ("isCloudJob", "isCloudJob"),
            ("targetHostUid", "targetHostUid"),
            ("cloudHostUid", "cloudHostUid"),
            ("throughWanAccelerators", "throughWanAccelerators"),
            ("sourceWanAcceleratorUid", "sourceWanAcceleratorUid"),
            ("targetWanAcceleratorUid", "targetWanAcceleratorUid"),
        ],
    ),
    (
        "CdpReplicationVM",
        "CdpReplicationJob",
        &[
            ("rpoSeconds", "rpo"),
            ("shortTermRetentionSeconds", "shortTermRetention"),
            ("longTermRetentionSeconds", "longTermRetention"),
        ],
    ),
    (
        "SimpleBackupCopy",
        "SimpleBackupCopyJob",
        &[
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retentionPolicyType", "retentionPolicyType"),
            ("weeklyRestorePointsToKeep", "weeklyRestorePointsToKeep"),
            ("monthlyRestorePointsToKeep", "monthlyRestorePointsToKeep"),
            ("yearlyRestorePointsToKeep", "yearlyRestorePointsToKeep"),
            ("isRpoOptionsEnabled", "isRpoOptionsEnabled"),
            ("rpoSeconds", "rpoOptionsValue"),
            ("sourceWanAcceleratorUid", "sourceWanAcceleratorUid"),
            ("targetWanAcceleratorUid", "targetWanAcceleratorUid"),
        ],
    ),
    (
        "CopyVm",
        "VmCopyJob",
        &[("targetRepositoryUid", "targetRepositoryUid")],
    ),
    (
        "CopyFile",
        "FileCopyJob",
        &[
            ("targetHostUid", "targetHostUid"),
            ("targetPath", "targetPath"),
            ("sourceBytes", "sourceSize"),
        ],
    ),
    (
        "BackupFile",
        "FileShareBackupJob",
        &[
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retention", "retention"),
            ("retentionUnit", "retentionUnit"),
            ("archiveRepositoryUid", "archiveRepositoryUid"),
            ("isArchiveRetentionEnabled", "isArchiveRetentionEnabled"),
            ("archiveRetention", "archiveRetention"),
            ("archiveRetentionUnit", "archiveRetentionUnit"),
        ],
    ),
    (
        "BackupFileCopy",
        "FileShareCopyJob",
        &[
            ("sourceJobUid", "sourceFileShareJobUid"),
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retention", "retention"),
            ("retentionUnit", "retentionUnit"),
            ("sourceBytes", "sourceSize"),
        ],
    ),
    (
        "ObjectStorageBackup",
        "ObjectStorageBackupJob",
        &[
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retention", "retention"),
            ("archiveRetentionUnit", "archiveRetentionUnit"),
        ],
    ),
    (
        "ObjectStorageBackupCopy",
        "ObjectStorageCopyJob",
        &[
            ("sourceJobUid", "sourceObjectStorageBackupJobUid"),
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retention", "retention"),
            ("sourceBytes", "sourceSize"),
        ],
    ),
    (
        "BackupToTape",
        "TapeJob",
        &[
            ("fullMediaPoolUid", "fullMediaPoolUid"),
            ("incrementalMediaPoolUid", "incrementalMediaPoolUid"),
        ],
    ),
    (
        "FileToTape",
        "TapeJob",
        &[
            ("fullMediaPoolUid", "fullMediaPoolUid"),
            ("incrementalMediaPoolUid", "incrementalMediaPoolUid"),
        ],
    ),
];

/// One job of each kind at least: the others' places are taken in turn.
fn every_kind(estate: &mut Estate) {
    let others: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| {
            !estate.jobs[*place].kind.starts_with("Agent")
                && estate.jobs[*place].kind != "BackupCopy"
        })
        .collect();
    for (place, (word, _, _)) in others.into_iter().zip(KINDS.iter().cycle()) {
        estate.jobs[place].kind = word;
    }
}

fn has_target(members: &[(&str, &str)]) -> bool {
    members
        .iter()
        .any(|(field, _)| *field == "targetRepositoryUid")
}

fn query() -> String {
    let fragments: String = KINDS
        .iter()
        .map(|(_, name, members)| {
            let fields = members
                .iter()
                .map(|(field, _)| format!("{name}_{field}: {field} "))
                .collect::<String>();
            let edge = if has_target(members) {
                "targetRepository { uid backupServer { uid } }"
            } else {
                ""
            };
            format!("... on {name} {{ {fields} {edge} }} ")
        })
        .collect();
    format!(
        "{{ jobs(first: 500) {{ complete nodes {{ __typename uid backupServer {{ uid }} {fragments} }} }} }}"
    )
}

/// A member as the graph should show it: seconds for lengths of time, null for the vendor's nil.
fn expected(field: &str, of_vendor: &str, members: &Value) -> Value {
    let value = &members[of_vendor];
    let unit = |word: &str| match word.to_lowercase().as_str() {
        "seconds" => 1,
        "hours" => 3_600,
        "days" => 86_400,
        other => panic!("{other}"),
    };
    if field.ends_with("Seconds") {
        let word = if of_vendor == "rpoOptionsValue" {
            &members["rpoOptionsUnit"]
        } else {
            &members[format!("{of_vendor}Unit")]
        };
        return json!(value.as_i64().unwrap() * unit(word.as_str().unwrap()));
    }
    if value == "00000000-0000-0000-0000-000000000000" {
        Value::Null
    } else {
        value.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_job_shows_its_own_members() {
    let world = World::start(Setup {
        change: every_kind,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let data = world.data(&query()).await;
    let (mut seen, mut edges) = (BTreeSet::new(), BTreeSet::new());
    for row in array(&data["jobs"]["nodes"]) {
        let is_it = |job: &&veeam_graph::simulator::estate::Job| {
            row["uid"] == job.uid.to_string()
                && row["backupServer"]["uid"] == estate.servers[job.server].uid.to_string()
        };
        let job = estate.jobs.iter().find(is_it).unwrap();
        let Some((_, name, members)) = KINDS.iter().find(|(word, _, _)| *word == job.kind) else {
            continue;
        };
        assert_eq!(row["__typename"], *name);
        for (field, of_vendor) in *members {
            assert_eq!(
                row[format!("{name}_{field}")],
                expected(field, of_vendor, &job_members(&estate, job)),
                "{field} of {row}"
            );
        }
        if has_target(members) {
            let target = &job_members(&estate, job)["targetRepositoryUid"];
            let is_listed = estate
                .repositories
                .iter()
                .any(|place| place.server == job.server && *target == place.uid.to_string());
            let edge =
                json!({"uid": target, "backupServer": {"uid": estate.servers[job.server].uid}});
            assert_eq!(
                row["targetRepository"],
                if is_listed { edge } else { Value::Null },
                "{row}"
            );
            edges.insert((job.kind, is_listed));
        }
        seen.insert(job.kind);
    }
    assert_eq!(seen.len(), KINDS.len(), "{seen:?}");
    assert!(
        edges.len() > 7,
        "repositories that are listed, and such that are not: {edges:?}"
    );
    // the fleet's lists: the jobs, and one page for each kind
    let requests = world.requests();
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.contains("expand=BackupServerJob"))
            .count(),
        KINDS.len(),
        "{requests:?}"
    );
    world.data(&query()).await;
    assert_eq!(world.requests(), Vec::<String>::new(), "warm");
}

/// As `every_kind`, and the two servers whose jobs have the same ids have the same kinds.
fn every_kind_on_clones(estate: &mut Estate) {
    every_kind(estate);
    let clone = estate.servers.len() - 1;
    for job in estate
        .jobs
        .iter_mut()
        .filter(|job| [0, clone].contains(&job.server) && !job.kind.starts_with("Agent"))
    {
        job.kind = if job.uid.as_u128() % 2 == 0 {
            "BackupVm"
        } else {
            "BackupFile"
        };
    }
}

/// An object as the graph should show it, from the vendor's.
fn expected_object(object: &Value) -> Value {
    let session = &object["lastSession"];
    let none_if_empty = |value: &Value| {
        if value == "" {
            Value::Null
        } else {
            value.clone()
        }
    };
    let word = if session["backupStatus"].is_string() {
        &session["backupStatus"]
    } else {
        &object["status"]
    };
    let health = match word.as_str().map(str::to_lowercase).as_deref() {
        None => "NEVER_RAN",
        Some("success") => "SUCCESS",
        Some("warning") => "WARNING",
        Some("failed") => "FAILED",
        Some("running" | "inprogress") => "RUNNING",
        Some("pending") => "WAITING",
        Some(_) => "UNKNOWN",
    };
    let uid = ["instanceUid", "fileShareUid", "objectStorageUid"]
        .into_iter()
        .map(|name| &object[name])
        .find(|uid| uid.is_string());
    let failed = matches!(health, "WARNING" | "FAILED");
    let summary = match array_or_none(&session["messages"]) {
        Some(messages) if failed => json!(messages[0].as_str().unwrap().trim()),
        _ => none_if_empty(&object["failureMessage"]),
    };
    let source = object["sources"][0].clone();
    let sources = if source.is_object() {
        json!([source])
    } else {
        json!([])
    };
    let files = if session["sourceFilesCount"].is_null() {
        Value::Null
    } else {
        json!({"source": session["sourceFilesCount"], "changed": session["changedFilesCount"], "skipped": session["skippedFilesCount"], "backedUp": session["backedUpFilesCount"]})
    };
    let bytes = |value: &Value| value.as_i64().map(|count| count * 1_024);
    let cdp = if object["sla"].is_null() {
        Value::Null
    } else {
        json!({"slaPercent": object["sla"], "bottleneck": object["bottleneck"], "maxDelaySeconds": object["maxDelaySec"], "failedSessionsCount": object["failedSessionsCount"], "transferredBytes": bytes(&object["totalTransferredDataKb"])})
    };
    json!({
        "uid": uid, "name": object["name"], "platform": object["platform"], "hierarchyRef": object["hierarchyRef"], "hostName": object["hostName"],
        "path": object["path"], "sources": sources, "isExcluded": object["isExcluded"], "health": health,
        "backupStatus": word.as_str().unwrap_or_default(), "lastDurationSeconds": session["duration"],
        "sourceBytes": session["sourceSize"], "backupBytes": session["totalBackedSize"], "transferredBytes": session["transferredSize"],
        "files": files, "cdp": cdp, "failureSummary": summary,
    })
}

fn array_or_none(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|items| !items.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_job_shows_what_it_protects_each_on_its_own_server() {
    let world = World::start(Setup {
        change: every_kind_on_clones,
        scale: veeam_graph::simulator::Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let with_objects = [
        "VmBackupJob",
        "ReplicationJob",
        "CdpReplicationJob",
        "FileShareBackupJob",
        "FileShareCopyJob",
        "ObjectStorageBackupJob",
        "ObjectStorageCopyJob",
        "TapeJob",
    ];
    let members = "uid name platform hierarchyRef hostName path sources { path type inclusionMasks exclusionMasks } isExcluded health backupStatus lastDurationSeconds sourceBytes backupBytes transferredBytes files { source changed skipped backedUp } cdp { slaPercent bottleneck maxDelaySeconds failedSessionsCount transferredBytes } failureSummary";
    let fragments: String = with_objects
        .iter()
        .map(|name| format!("... on {name} {{ objects(first: 10) {{ complete totalCount nodes {{ {members} }} }} }} "))
        .collect();
    let query = format!(
        "{{ jobs(first: 300) {{ nodes {{ __typename uid kind backupServer {{ uid }} {fragments} }} }} }}"
    );
    let data = world.data(&query).await;
    let mut seen = std::collections::BTreeMap::new();
    for row in array(&data["jobs"]["nodes"])
        .iter()
        .filter(|row| row["objects"].is_object())
    {
        let is_it = |job: &&veeam_graph::simulator::estate::Job| {
            row["uid"] == job.uid.to_string()
                && row["backupServer"]["uid"] == estate.servers[job.server].uid.to_string()
        };
        let job = estate.jobs.iter().find(is_it).unwrap();
        let mut expected: Vec<Value> = veeam_graph::simulator::job_objects(job, estate.now)
            .iter()
            .map(expected_object)
            .collect();
        let name = |object: &Value| {
            ["name", "hostName", "path"]
                .into_iter()
                .find_map(|name| object[name].as_str())
                .unwrap()
                .to_lowercase()
        };
        expected.sort_by_key(name);
        assert_eq!(
            row["objects"],
            json!({"complete": true, "totalCount": expected.len(), "nodes": expected}),
            "{row}"
        );
        let is_clone = estate
            .jobs
            .iter()
            .filter(|other| other.uid == job.uid)
            .count()
            > 1;
        *seen.entry((job.kind, is_clone)).or_insert(0) += expected.len();
    }
    assert!(
        seen.iter()
            .filter(|((_, is_clone), count)| *is_clone && **count > 0)
            .count()
            > 0,
        "{seen:?}"
    );
    assert!(
        seen.iter()
            .filter(|((_, is_clone), count)| !is_clone && **count > 0)
            .count()
            >= 8,
        "{seen:?}"
    );
    // the jobs with their servers; a page for each kind; the own lists of the two servers that
    // share ids, where their kinds ask
    let requests = world.requests();
    let of_fleet = requests
        .iter()
        .filter(|request| request.contains("backupServers/jobs/") && request.contains("/objects"))
        .count();
    assert_eq!(
        (
            of_fleet,
            requests
                .iter()
                .filter(|request| request.contains("/jobs/agentJobs"))
                .count()
        ),
        (8, 0),
        "{requests:?}"
    );
    assert!(
        requests
            .iter()
            .filter(|request| request.contains("/objects"))
            .count()
            <= 8 + 2 * 8,
        "{requests:?}"
    );
    world.data(&query).await;
    assert_eq!(world.requests(), Vec::<String>::new(), "warm");

    let filtered = world
        .data("{ jobs(filter: { kind: VM_BACKUP }, first: 500) { nodes { ... on VmBackupJob { objects(first: 5, filter: { or: [{ health: FAILED }, { isExcluded: true }] }) { totalCount } } } } }")
        .await;
    let wanted = |object: &Value| {
        expected_object(object)["health"] == "FAILED" || object["isExcluded"] == true
    };
    let vm_jobs = estate.jobs.iter().filter(|job| job.kind == "BackupVm");
    let expected: usize = vm_jobs
        .map(|job| {
            veeam_graph::simulator::job_objects(job, estate.now)
                .iter()
                .filter(|object| wanted(object))
                .count()
        })
        .sum();
    let counted: u64 = array(&filtered["jobs"]["nodes"])
        .iter()
        .map(|row| row["objects"]["totalCount"].as_u64().unwrap())
        .sum();
    assert!(
        expected > 0 && counted as usize == expected,
        "{counted} of {expected}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_whose_list_fails_costs_its_members_and_nothing_else() {
    let world = World::start(Setup {
        change: every_kind,
        ..Setup::default()
    })
    .await;
    world.simulator.faults.add([veeam_graph::simulator::Fault {
        path: "/api/v3/infrastructure/backupServers*backupVmJobs*".to_owned(),
        times: None,
        kind: veeam_graph::simulator::FaultKind::Html,
    }]);
    let answer = world.ask(&query()).await;
    assert!(
        crate::world::codes(&answer)
            .iter()
            .all(|code| *code == "UPSTREAM_INVALID"),
        "{answer}"
    );
    for row in array(&answer["data"]["jobs"]["nodes"]) {
        match row["__typename"].as_str().unwrap() {
            "VmBackupJob" => assert!(row["VmBackupJob_protectedVmCount"].is_null()),
            "VmCopyJob" => assert!(row["VmCopyJob_targetRepositoryUid"].is_string()),
            _ => {}
        }
    }
}
