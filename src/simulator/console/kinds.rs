//! What each kind of job has in its own list, invented from the job's id.

use crate::simulator::estate::Job;
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

/// The members that a job of its kind has beside its ids and its parent.
pub fn members(job: &Job) -> Value {
    let number = (job.uid.as_u128() % 90) as i64 + 1;
    let other = |salt: u128| Uuid::from_u128(job.uid.as_u128() ^ salt);
    match job.kind {
        "BackupVm" => json!({"subtype": "VM", "targetRepositoryUid": other(1), "protectedVmCount": number}),
        "ReplicationVM" => json!({
            "protectedVmCount": number, "isCloudJob": number % 2 == 0, "cloudHostUid": if number % 2 == 0 { Some(other(2)) } else { None },
            "targetHostUid": if number % 2 == 0 { Uuid::nil() } else { other(3) }, "throughWanAccelerators": false, "sourceWanAcceleratorUid": null,
        }),
        "CdpReplicationVM" => json!({
            "rpo": number, "rpoUnit": "Seconds", "shortTermRetention": 4, "shortTermRetentionUnit": "Hours", "longTermRetention": 8,
            "longTermRetentionUnit": "hours",
        }),
        "SimpleBackupCopy" => json!({
            "targetRepositoryUid": other(4), "retentionPolicyType": "Simple", "isRpoOptionsEnabled": true, "rpoOptionsValue": number,
            "rpoOptionsUnit": "Days", "sourceWanAcceleratorUid": other(5), "targetWanAcceleratorUid": other(6),
        }),
        "CopyVm" => json!({"targetRepositoryUid": other(7)}),
        "CopyFile" => json!({"targetHostUid": other(8), "targetPath": "D:\\Copies", "sourceSize": number << 32}),
        "BackupFile" | "ObjectStorageBackup" => json!({
            "targetRepositoryUid": other(9), "archiveRepositoryUid": other(10), "retention": number, "retentionUnit": "Months",
            "isArchiveRetentionEnabled": true, "archiveRetention": 3, "archiveRetentionUnit": "Years",
        }),
        "BackupFileCopy" => json!({
            "sourceFileShareJobUid": other(11), "sourceFileShareJobUniqueUid": other(12), "targetRepositoryUid": other(13), "retention": number,
            "retentionUnit": "Days", "sourceSize": number << 33,
        }),
        "ObjectStorageBackupCopy" => json!({
            "sourceObjectStorageBackupJobUid": other(14), "targetRepositoryUid": other(15), "retention": number, "retentionUnit": "Days",
            "sourceSize": number << 34,
        }),
        "BackupToTape" => json!({"fullMediaPoolUid": other(16), "incrementalMediaPoolUid": other(17), "isGfsEnabled": false}),
        "FileToTape" => json!({"fullMediaPoolUid": other(18), "incrementalMediaPoolUid": null}),
        _ => json!({}),
    }
}
