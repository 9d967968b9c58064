//! What upstreams were met to answer beside what their documents say: lists that lose rows, rows
//! that can't be read, refusals, reads that are queued or break off. Bodies are served byte for
//! byte by a mock; `tests/fixtures/cases` has the longer ones.

mod habits;
mod lists;
mod reading;
mod refusals;

use serde_json::{Value, json};

/// All jobs, in the order of their names.
const ALL_JOBS: &str =
    "{ jobs(first: 500, orderBy: [{ field: NAME }]) { complete totalCount nodes { name } } }";

/// The names of the jobs of an answer.
fn names(answer: &Value) -> Vec<&str> {
    crate::world::array(&answer["data"]["jobs"]["nodes"])
        .iter()
        .map(|job| job["name"].as_str().unwrap())
        .collect()
}

/// A row of the console's list of jobs.
fn job(number: usize) -> Value {
    json!({
        "instanceUid": format!("00000000-0000-4000-8000-{number:012x}"),
        "uniqueUid": format!("00000000-0000-4000-9000-{number:012x}"),
        "name": format!("Job {number:05}"),
        "backupServerUid": crate::mock::VBR01,
        "organizationUid": crate::mock::COMPANY,
        "status": "Success",
        "type": "BackupVm",
        "lastRun": "2026-11-26T22:00:05.1230000+00:00",
        "isEnabled": true,
    })
}
