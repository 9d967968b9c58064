//! Traps of the legacy v2 API.

use crate::world::{World, array};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn v2_jobs_without_ids_are_listed_and_found_again() {
    let world = World::small().await;
    let estate = world.simulator.estate();
    let agent = estate
        .agents
        .iter()
        .find(|agent| agent.jobs.iter().any(|job| job.id.is_nil()))
        .unwrap();
    let query = format!(
        "{{ backupAgentJobs(agentUid: \"{}\") {{ complete totalCount nodes {{ id uid name lastRun health operationMode backupMode }} }} }}",
        agent.id
    );
    let data = world.data(&query).await;
    let shown = array(&data["backupAgentJobs"]["nodes"]);
    assert_eq!(shown.len(), agent.jobs.len());
    for (shown, job) in shown.iter().zip(&agent.jobs) {
        assert_eq!(
            (&shown["uid"], &shown["name"]),
            (&Value::Null, &json!(job.name))
        );
        assert_eq!(
            shown["lastRun"].is_null(),
            job.last_run.is_none(),
            "0001-01-01 is never"
        );
        assert_eq!(
            (&shown["operationMode"], &shown["backupMode"]),
            (&json!("Workstation"), &json!("EntireComputer"))
        );
        let again = world
            .data(&format!(
                "{{ node(id: {}) {{ id ... on BackupAgentJob {{ name }} }} }}",
                shown["id"]
            ))
            .await;
        assert_eq!(
            (&again["node"]["id"], &again["node"]["name"]),
            (&shown["id"], &shown["name"])
        );
    }
}
