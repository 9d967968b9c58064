//! Agents that the console lists, their jobs, and the places of organizations.

use super::time;
use crate::simulator::{
    estate::{ConsoleAgent, ConsoleJob, Estate, Location},
    version::Told,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) fn location(row: &Location) -> Value {
    json!({"instanceUid": row.uid, "organizationUid": row.company, "name": row.name, "quotaGb": row.quota_gb, "type": row.kind})
}

/// One on every backup server, on the Enterprise Manager, and beside every backup agent.
pub(super) fn management_agents(estate: Told<'_>) -> Vec<Value> {
    let of_servers = estate.servers.iter().map(|row| {
        let (status, connection) = match row.status {
            "Healthy" => ("Healthy", "Online"),
            _ => ("Inaccessible", "Inaccessible"),
        };
        management_agent(
            estate,
            (row.managed_uid, super::location_of(estate, row)),
            Some(row.company),
            &row.managed_name,
            (status, connection),
        )
    });
    let of_manager = management_agent(
        estate,
        (Uuid::from_u128(estate.manager.as_u128() ^ 2), Uuid::nil()),
        None,
        "em01.backup.example",
        ("Healthy", "Online"),
    );
    let of_agents = estate.console_agents.iter().map(|row| {
        management_agent(
            estate,
            (Uuid::from_u128(row.uid.as_u128() ^ 2), Uuid::nil()),
            Some(row.company),
            &row.name,
            ("Healthy", "Online"),
        )
    });
    of_servers.chain([of_manager]).chain(of_agents).collect()
}

fn management_agent(
    estate: Told<'_>,
    (uid, location): (Uuid, Uuid),
    company: Option<Uuid>,
    host: &str,
    (status, connection): (&str, &str),
) -> Value {
    json!({
        "instanceUid": uid, "locationUid": location, "organizationUid": company, "hostName": host, "friendlyName": null,
        "lastHeartbeatTime": time(Some(estate.now), 1), "version": estate.version.server(), "discoveryTime": "2024-07-17T21:48:09.683-04:00",
        "tag": null, "status": status, "type": "Client", "computerInfo": null, "connectionStatus": connection,
        "isRebootRequired": false, "connectionAccount": null, "versionStatus": "UpToDate", "role": "Client",
    })
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
