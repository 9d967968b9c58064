//! Every kind of job that has members of its own is a type that shows them, at the price of its list's pages.

use crate::world::{Setup, World, array};
use serde_json::{Value, json};
use veeam_graph::simulator::{Estate, job_members};

/// The vendor's word, the graph's type, and its members: as asked for, and as the simulator's data says.
const KINDS: &[(&str, &str, &[(&str, &str)])] = &[
    (
        "BackupVm",
        "VmBackupJob",
        &[("subtype", "subtype"), ("protectedVmCount", "protectedVmCount"), ("targetRepositoryUid", "targetRepositoryUid")],
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
        &[("rpoSeconds", "rpo"), ("shortTermRetentionSeconds", "shortTermRetention"), ("longTermRetentionSeconds", "longTermRetention")],
    ),
    (
        "SimpleBackupCopy",
        "SimpleBackupCopyJob",
        &[
            ("targetRepositoryUid", "targetRepositoryUid"),
            ("retentionPolicyType", "retentionPolicyType"),
            ("isRpoOptionsEnabled", "isRpoOptionsEnabled"),
            ("rpoSeconds", "rpoOptionsValue"),
            ("sourceWanAcceleratorUid", "sourceWanAcceleratorUid"),
            ("targetWanAcceleratorUid", "targetWanAcceleratorUid"),
        ],
    ),
    ("CopyVm", "VmCopyJob", &[("targetRepositoryUid", "targetRepositoryUid")]),
    ("CopyFile", "FileCopyJob", &[("targetHostUid", "targetHostUid"), ("targetPath", "targetPath"), ("sourceBytes", "sourceSize")]),
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
        &[("targetRepositoryUid", "targetRepositoryUid"), ("retention", "retention"), ("archiveRetentionUnit", "archiveRetentionUnit")],
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
    ("BackupToTape", "TapeJob", &[("fullMediaPoolUid", "fullMediaPoolUid"), ("incrementalMediaPoolUid", "incrementalMediaPoolUid")]),
    ("FileToTape", "TapeJob", &[("fullMediaPoolUid", "fullMediaPoolUid"), ("incrementalMediaPoolUid", "incrementalMediaPoolUid")]),
];

/// One job of each kind at least: the others' places are taken in turn.
fn every_kind(estate: &mut Estate) {
    let others: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| !estate.jobs[*place].kind.starts_with("Agent") && estate.jobs[*place].kind != "BackupCopy")
        .collect();
    for (place, (word, _, _)) in others.into_iter().zip(KINDS.iter().cycle()) {
        estate.jobs[place].kind = word;
    }
}

fn query() -> String {
    let fragments: String = KINDS
        .iter()
        .map(|(_, name, members)| {
            format!("... on {name} {{ {} }} ", members.iter().map(|(field, _)| format!("{name}_{field}: {field} ")).collect::<String>())
        })
        .collect();
    format!("{{ jobs(first: 500) {{ complete nodes {{ __typename uid backupServer {{ uid }} {fragments} }} }} }}")
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
        let word = if of_vendor == "rpoOptionsValue" { &members["rpoOptionsUnit"] } else { &members[format!("{of_vendor}Unit")] };
        return json!(value.as_i64().unwrap() * unit(word.as_str().unwrap()));
    }
    if value == "00000000-0000-0000-0000-000000000000" { Value::Null } else { value.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_job_shows_its_own_members() {
    let world = World::start(Setup { change: every_kind, ..Setup::default() }).await;
    let estate = world.simulator.estate();
    let data = world.data(&query()).await;
    let mut seen = std::collections::BTreeSet::new();
    for row in array(&data["jobs"]["nodes"]) {
        let is_it = |job: &&veeam_graph::simulator::estate::Job| {
            row["uid"] == job.uid.to_string() && row["backupServer"]["uid"] == estate.servers[job.server].uid.to_string()
        };
        let job = estate.jobs.iter().find(is_it).unwrap();
        let Some((_, name, members)) = KINDS.iter().find(|(word, _, _)| *word == job.kind) else { continue };
        assert_eq!(row["__typename"], *name);
        for (field, of_vendor) in *members {
            assert_eq!(row[format!("{name}_{field}")], expected(field, of_vendor, &job_members(job)), "{field} of {row}");
        }
        seen.insert(job.kind);
    }
    assert_eq!(seen.len(), KINDS.len(), "{seen:?}");
    // the fleet's lists: the jobs, and one page for each kind
    let requests = world.requests();
    assert_eq!(requests.iter().filter(|request| request.contains("expand=BackupServerJob")).count(), KINDS.len(), "{requests:?}");
    world.data(&query()).await;
    assert_eq!(world.requests(), Vec::<String>::new(), "warm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_whose_list_fails_costs_its_members_and_nothing_else() {
    let world = World::start(Setup { change: every_kind, ..Setup::default() }).await;
    world.simulator.faults.add([veeam_graph::simulator::Fault {
        path: "/api/v3/infrastructure/backupServers*backupVmJobs*".to_owned(),
        times: None,
        kind: veeam_graph::simulator::FaultKind::Html,
    }]);
    let answer = world.ask(&query()).await;
    assert!(crate::world::codes(&answer).iter().all(|code| *code == "UPSTREAM_INVALID"), "{answer}");
    for row in array(&answer["data"]["jobs"]["nodes"]) {
        match row["__typename"].as_str().unwrap() {
            "VmBackupJob" => assert!(row["VmBackupJob_protectedVmCount"].is_null()),
            "VmCopyJob" => assert!(row["VmCopyJob_targetRepositoryUid"].is_string()),
            _ => {}
        }
    }
}
