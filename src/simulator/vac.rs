//! The estate in the words of the legacy v2 API: bare arrays, and members spelt one way in a list
//! and another in an item.

use super::estate::{Agent, AgentJob, Estate};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a path below `/v2` leads to: `None` for nothing.
pub(super) fn find(estate: &Estate, path: &str) -> Option<Value> {
    let segments: Vec<&str> = path.split('/').collect();
    let agent = |text: &str| {
        let id = Uuid::try_parse(text).ok()?;
        estate.agents.iter().find(|agent| agent.id == id)
    };
    match segments.as_slice() {
        ["backupAgents"] => Some(
            estate
                .agents
                .iter()
                .map(|agent| json!({"id": agent.id, "name": agent.name, "version": "2.2.0.589"}))
                .collect(),
        ),
        ["backupAgents", uid, "jobs"] => {
            let agent = agent(uid)?;
            Some(agent.jobs.iter().map(|row| job(agent, row, true)).collect())
        }
        ["backupAgents", uid, "jobs", id] => {
            let agent = agent(uid)?;
            let id = Uuid::try_parse(id).ok()?;
            Some(job(
                agent,
                agent.jobs.iter().find(|job| job.id == id)?,
                false,
            ))
        }
        _ => None,
    }
}

fn time(instant: Option<Timestamp>) -> Value {
    // never is not null here, and has no zone
    instant.map_or(json!("0001-01-01T00:00:00"), |instant| {
        json!(instant.strftime("%Y-%m-%dT%H:%M:%S.767Z").to_string())
    })
}

fn job(agent: &Agent, row: &AgentJob, in_list: bool) -> Value {
    let href = format!(
        "https://vac-internal.example:1281/v2/backupAgents/{}/jobs/{}",
        agent.id, row.id
    );
    let mut value = json!({
        "id": row.id, "name": row.name, "description": "", "destination": "D:\\Backups\\", "restorePoints": 2,
        "lastRestorePoint": null, "backupSize": row.size, "scheduleType": "Daily", "lastRun": time(row.last_run),
        "lastModified": "2018-10-12T01:37:05.2423906+03:00", "lastModificationDoneBy": "srv5\\administrator",
        "freeSpace": row.free, "avgDuration": 116, "lastDuration": 98, "targetType": "Local", "disabled": false,
        "failureMessage": if row.status == "Failed" { "The disk is full" } else { "" }, "backupPolicyNote": null,
        "cloudConnectAgentUid": Uuid::nil(), "backupPolicyId": 0, "backupPolicyName": null, "backupPolicyStatus": "Custom",
        "nextRun": time(row.next_run),
        "_links": [{"rel": "self", "method": "GET", "href": href}, {"rel": "startJob", "method": "POST", "href": format!("{href}/start")}],
    });
    let (status, mode, backup) = if in_list {
        ("lastSessionStatusId", "operationModeId", "backupMode")
    } else {
        ("lastSessionStatus", "operationMode", "backupModeId")
    };
    value[status] = json!(row.status);
    value[mode] = json!("Workstation");
    value[backup] = json!("EntireComputer");
    value
}
