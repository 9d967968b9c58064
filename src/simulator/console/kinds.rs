//! What each kind of job has in its own list, invented from the job's id.

use crate::simulator::estate::{Estate, Job, Repository};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// The type word of the jobs in a list.
pub(super) fn word_of(list: &str) -> Option<&'static str> {
    Some(match list {
        "backupVmJobs" => "BackupVm",
        "replicationVmJobs" => "ReplicationVM",
        "cdpReplicationJobs" => "CdpReplicationVM",
        "simpleBackupCopyJobs" => "SimpleBackupCopy",
        "vmCopyJobs" => "CopyVm",
        "fileCopyJobs" => "CopyFile",
        "fileShareJobs" => "BackupFile",
        "fileShareCopyJobs" => "BackupFileCopy",
        "objectStorageBackupJobs" => "ObjectStorageBackup",
        "objectStorageBackupCopyJobs" => "ObjectStorageBackupCopy",
        "backupTapeJobs" => "BackupToTape",
        "fileTapeJobs" => "FileToTape",
        _ => return None,
    })
}

/// What a job protects, in the words of its kind; nothing for kinds without such a list.
pub fn objects(job: &Job, now: Timestamp) -> Vec<Value> {
    let count = match job.kind {
        "BackupVm"
        | "ReplicationVM"
        | "CdpReplicationVM"
        | "BackupFile"
        | "BackupFileCopy"
        | "ObjectStorageBackup"
        | "ObjectStorageBackupCopy"
        | "FileToTape" => (job.uid.as_u128() % 5).min(3),
        _ => 0,
    };
    (0..count).map(|number| object(job, number, now)).collect()
}

fn object(job: &Job, number: u128, now: Timestamp) -> Value {
    let uid = Uuid::from_u128(job.uid.as_u128() ^ (0x0b1 + number));
    let amount = (uid.as_u128() % 9_000) as i64;
    let status = [
        "Success",
        "success",
        "Warning",
        "Failed",
        "Running",
        "SomethingNew",
    ][(uid.as_u128() >> 8) as usize % 6];
    let messages = if matches!(status, "Warning" | "Failed") {
        vec!["Processing failed.\r\n", "Look at the log."]
    } else {
        vec![]
    };
    let ago = |seconds| super::time(now.checked_sub(SignedDuration::from_secs(seconds)).ok(), 2);
    let ended = if status == "Running" {
        Value::Null
    } else {
        ago(amount)
    };
    let sources = json!([{"path": format!("/data/{number}"), "type": "Directory", "inclusionMasks": ["*.db"], "exclusionMasks": []}]);
    let files = json!({
        "backupStatus": status, "sourceFilesCount": amount * 7, "changedFilesCount": amount, "skippedFilesCount": 1,
        "backedUpFilesCount": amount, "transferredSize": amount << 20, "sourceSize": amount << 25, "duration": amount, "messages": messages,
    });
    let whole = json!({
        "backupStatus": status, "totalBackedSize": amount << 30, "sourceSize": amount << 31, "startTime": ago(amount + 300),
        "endTime": ended, "duration": 300, "messages": messages,
    });
    let task = ["InProgress", "Pending", "Failed"][number as usize % 3];
    match job.kind {
        "BackupVm" | "ReplicationVM" => json!({
            "instanceUid": uid, "name": format!("vm-{amount:04}-{number} of {}", job.server), "platform": "vSphere", "hierarchyRef": format!("vm-{amount}"),
            "isExcluded": number == 2,
            // one that was never backed up
            "lastSession": (amount % 7 != 0).then_some(whole),
        }),
        "CdpReplicationVM" => json!({
            "instanceUid": uid, "name": format!("cdp-{amount:04}-{number}"), "status": task,
            "failureMessage": if number == 2 { "The target is full." } else { "" }, "lastSessionEndTime": ago(amount), "sla": 97,
            "bottleneck": "Network", "maxDelaySec": amount, "avgDurationSec": 4, "maxDurationSec": 11, "intervalSec": 15,
            "successfulSessionsCount": amount, "failedSessionsCount": number, "warningsCount": 0, "totalTransferredDataKb": amount,
            "avgTransferredDataKb": amount / 4, "maxTransferredDataKb": amount / 2,
        }),
        "BackupFile" => {
            json!({"fileShareUid": uid, "name": format!("\\\\nas{number}-{}\\share", job.server), "sources": sources, "lastSession": files})
        }
        "BackupFileCopy" => {
            json!({"fileShareUid": uid, "path": format!("\\\\nas{number}\\share"), "sources": sources, "lastSession": whole})
        }
        "ObjectStorageBackup" => {
            json!({"objectStorageUid": uid, "name": format!("bucket-{number}"), "sources": sources, "lastSession": files})
        }
        "ObjectStorageBackupCopy" => {
            json!({"objectStorageUid": uid, "path": format!("bucket-{number}"), "sources": sources, "lastSession": whole})
        }
        _ => {
            json!({"hostName": format!("files{number}.corp.example"), "sources": sources, "lastSession": whole})
        }
    }
}

/// The members that a job of its kind has beside its ids and its parent.
pub fn members(estate: &Estate, job: &Job) -> Value {
    // where it says that it writes; some targets are no repository that the console lists
    let is_target = |place: &&Repository| {
        place.server == job.server && Some(&place.name) == job.destination.as_ref()
    };
    let listed = estate
        .repositories
        .iter()
        .find(is_target)
        .filter(|_| !job.uid.as_u128().is_multiple_of(8))
        .map(|place| place.uid);
    let number = (job.uid.as_u128() % 90) as i64 + 1;
    let other = |salt: u128| Uuid::from_u128(job.uid.as_u128() ^ salt);
    match job.kind {
        "BackupVm" => {
            json!({"subtype": "VSphere", "targetRepositoryUid": listed.unwrap_or(other(1)), "protectedVmCount": number})
        }
        "ReplicationVM" => json!({
            "protectedVmCount": number, "isCloudJob": number % 2 == 0, "cloudHostUid": if number % 2 == 0 { Some(other(2)) } else { None },
            "targetHostUid": if number % 2 == 0 { Uuid::nil() } else { other(3) }, "throughWanAccelerators": false, "sourceWanAcceleratorUid": null,
            "targetWanAcceleratorUid": null,
        }),
        "CdpReplicationVM" => json!({
            "rpo": number, "rpoUnit": "Seconds", "shortTermRetention": 4, "shortTermRetentionUnit": "Hours", "longTermRetention": 8,
            "longTermRetentionUnit": "hours", "keepRestorePointsInDays": 7, "sourceProxyAutoDetect": true, "targetProxyAutoDetect": false,
            "isApplicationAwareEnabled": number % 2 == 0,
            "lastDay": {"successCount": number, "warningCount": 0, "errorsCount": 1, "maxDelay": number, "totalSize": number << 30, "readData": number << 28,
                "transferredData": number << 27, "sla": 97, "bottleneck": "Network"},
            "lastPeriod": (number % 3 != 0).then(|| json!({
                "successCount": 4, "warningCount": 0, "errorsCount": 0, "maxDelay": 2, "syncInterval": 15, "averageDuration": 4,
                "maximumDuration": 11, "averageData": number << 20, "maximumData": number << 22, "totalData": number << 24,
                "sla": 99, "bottleneck": "None",
            })),
        }),
        "SimpleBackupCopy" => json!({
            "targetRepositoryUid": listed.unwrap_or(other(4)), "retentionPolicyType": "Simple", "isRpoOptionsEnabled": number % 3 != 0, "weeklyRestorePointsToKeep": 4,
            "monthlyRestorePointsToKeep": number, "yearlyRestorePointsToKeep": 0, "rpoOptionsValue": number,
            "rpoOptionsUnit": "Days", "sourceWanAcceleratorUid": other(5), "targetWanAcceleratorUid": other(6),
        }),
        "CopyVm" => json!({"targetRepositoryUid": listed.unwrap_or(other(7))}),
        "CopyFile" => {
            json!({"targetHostUid": other(8), "targetPath": "D:\\Copies", "sourceSize": number << 32})
        }
        "BackupFile" | "ObjectStorageBackup" => json!({
            "targetRepositoryUid": listed.unwrap_or(other(9)), "archiveRepositoryUid": other(10), "retention": number, "retentionUnit": "Months",
            "isArchiveRetentionEnabled": true, "archiveRetention": 3, "archiveRetentionUnit": "Years",
        }),
        "BackupFileCopy" => json!({
            "sourceFileShareJobUid": other(11), "sourceFileShareJobUniqueUid": other(12), "targetRepositoryUid": listed.unwrap_or(other(13)), "retention": number,
            "retentionUnit": "Days", "sourceSize": number << 33,
        }),
        "ObjectStorageBackupCopy" => json!({
            "sourceObjectStorageBackupJobUid": other(14), "targetRepositoryUid": listed.unwrap_or(other(15)), "retention": number, "retentionUnit": "Days",
            "sourceSize": number << 34,
        }),
        "BackupToTape" => {
            json!({"fullMediaPoolUid": other(16), "incrementalMediaPoolUid": other(17), "isGfsEnabled": false})
        }
        "FileToTape" => {
            json!({"fullMediaPoolUid": other(18), "incrementalMediaPoolUid": other(19)})
        }
        _ => json!({}),
    }
}
