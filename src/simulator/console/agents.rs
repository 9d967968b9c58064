//! Agents that the console lists, their jobs, and the places of organizations.

use super::time;
use crate::simulator::estate::{ConsoleAgent, ConsoleJob, Estate, Location};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) fn location(row: &Location) -> Value {
    json!({"instanceUid": row.uid, "organizationUid": row.company, "name": row.name, "quotaGb": row.quota_gb, "type": row.kind})
}

pub(super) fn agent(estate: &Estate, row: &ConsoleAgent) -> Value {
    let jobs: Vec<&ConsoleJob> = estate
        .console_jobs
        .iter()
        .filter(|job| job.agent == row.uid)
        .collect();
    json!({
        "instanceUid": row.uid, "agentPlatform": "Windows", "status": "Active", "managementAgentStatus": "Healthy",
        "managementAgentUid": Uuid::from_u128(row.uid.as_u128() ^ 2), "siteUid": null, "organizationUid": row.company, "name": row.name,
        "operationMode": "Workstation", "guiMode": "Full", "platform": "Physical", "version": "6.3.2.1205", "versionStatus": "UpToDate",
        "activationTime": "2024-07-17T21:48:09.683-04:00", "managementMode": row.mode, "installationType": "Full",
        "totalJobsCount": jobs.len(), "runningJobsCount": 0,
        "successJobsCount": jobs.iter().filter(|job| job.status == "Success").count(),
    })
}

pub(super) fn job(row: &ConsoleJob) -> Value {
    let ended = row
        .last_run
        .and_then(|run| run.checked_add(SignedDuration::from_secs(98)).ok());
    json!({
        "instanceUid": row.uid, "originalUid": row.original, "backupAgentUid": row.agent, "organizationUid": row.company, "name": row.name,
        "description": "", "configUid": Uuid::from_u128(row.uid.as_u128() ^ 4), "systemType": "Windows", "backupPolicyUid": null,
        "backupPolicyName": null, "backupPolicyAssignStatus": "Custom", "backupPolicyFailureMessage": null,
        "status": row.status, "operationMode": "Workstation", "destination": "D:\\Backups\\",
        "restorePoints": if row.last_run.is_some() { 2 } else { 0 }, "lastRun": time(row.last_run, 1), "lastEndTime": time(ended, 1),
        "lastDuration": row.last_run.map(|_| 98), "nextRun": null, "avgDuration": row.last_run.map(|_| 116),
        "backupMode": "EntireComputer", "targetType": "LocalFolder", "isEnabled": row.is_enabled, "scheduleType": "Daily",
        "scheduleDisplayName": "Daily at 12:30", "lastModifiedDate": null, "lastModifiedBy": null,
        "failureMessage": if row.status == "Failed" { "The disk is full.\r\nFree some space.\r\n" } else { "" },
        "backedUpSize": row.bytes, "freeSpace": row.free,
    })
}
