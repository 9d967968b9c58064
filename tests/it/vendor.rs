//! What the simulator answers, held against the vendor's own document: the members of each list,
//! their types, which may be null, and their words (`tests/fixtures/vspc-3.6.2-members.json`). Each
//! deviation is on a list, with its reason.

use crate::world::{array, listen, now};
use serde_json::Value;
use std::{collections::BTreeSet, net::SocketAddr};
use veeam_graph::simulator::{API_KEY, Options, Scale, Simulator, generate};

/// Deviations that are meant: where, what, and why. A line that no answer needs any more is one too
/// many.
const MEANT: &[(&str, &str, &str)] = &[
    ("AlarmActivation.status", r#"is "warning""#, SMALL),
    (
        "BackupAgent.managementMode",
        r#"is "managedByConsole""#,
        SMALL,
    ),
    ("BackupServer.status", r#"is "healthy""#, SMALL),
    ("BackupServerAgent.osType", r#"is "windows""#, SMALL),
    ("BackupServerAgentJob.osType", r#"is "windows""#, SMALL),
    ("BackupServerAgentJob.uniqueUid", "is left out", OLD_SERVER),
    (
        "BackupServerAgentJobObject.backupStatus",
        r#"is "success""#,
        SMALL,
    ),
    (
        "BackupServerAgentJobObject.osType",
        r#"is "windows""#,
        SMALL,
    ),
    (
        "BackupServerAgentJobObject.uniqueJobUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerAgentJobObject.uniqueUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerBackupCopyJob.retentionPolicyType",
        r#"is "simple""#,
        SMALL,
    ),
    (
        "BackupServerBackupCopyJob.rpoOptionsUnit",
        r#"is "minutes""#,
        SMALL,
    ),
    (
        "BackupServerBackupCopyJob.uniqueUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerBackupTapeJob.uniqueUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerCdpReplicationJob.longTermRetentionUnit",
        r#"is "hours""#,
        SMALL,
    ),
    (
        "BackupServerCdpReplicationJobObject.lastSessionEndTime",
        "is no date",
        "the vendor's examples have an instant there",
    ),
    (
        "BackupServerFileShareJobObjectLastSession.backupStatus",
        r#"is "success""#,
        SMALL,
    ),
    (
        "BackupServerFileTapeJobObjectSource.exclusionMasks",
        "is no member",
        MASKS,
    ),
    (
        "BackupServerFileTapeJobObjectSource.inclusionMasks",
        "is no member",
        MASKS,
    ),
    ("BackupServerJob.lastEndTime", "is no instant", NEVER),
    ("BackupServerJob.status", r#"is "success""#, SMALL),
    (
        "BackupServerJob.type",
        r#"is "SomethingFromTheFuture""#,
        NEW,
    ),
    ("BackupServerJob.uniqueUid", "is left out", OLD_SERVER),
    (
        "BackupServerJobLinkedJobObject.uniqueJobUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerJobLinkedRepositoryObject.uniqueJobUid",
        "is left out",
        OLD_SERVER,
    ),
    (
        "BackupServerJobObjectLastSession.backupStatus",
        r#"is "success""#,
        SMALL,
    ),
    (
        "BackupServerJobObjectLastSession.backupStatus",
        r#"is "SomethingNew""#,
        NEW,
    ),
    (
        "BackupServerObjectStorageBackupJobObjectLastSession.backupStatus",
        r#"is "SomethingNew""#,
        NEW,
    ),
    ("OrganizationLocation.type", r#"is "custom""#, SMALL),
    (
        "ProtectedVirtualMachine.latestRestorePointDate",
        "is no instant",
        NEVER,
    ),
];
const SMALL: &str = "the vendor's samples have words in small letters";
const NEW: &str = "newer versions have words that nobody knows yet";
const OLD_SERVER: &str = "some rows come without the console's own id, as before 3.5.1";
const NEVER: &str = "one of the vendor's ways to say never";
const MASKS: &str = "sources of files are made alike for all kinds";

/// The vendor's document, as far as lists are asked of it.
struct Document(Value);

#[derive(Default)]
struct Found {
    /// What no document says: where, and what.
    deviations: BTreeSet<(String, String)>,
    /// Members that were sent, as `Schema.member`.
    sent: BTreeSet<String>,
}

impl Document {
    fn schema(&self, name: &str) -> &serde_json::Map<String, Value> {
        self.0["schemas"][name]
            .as_object()
            .unwrap_or_else(|| panic!("no schema {name}"))
    }

    fn check_row(&self, schema: &str, row: &Value, found: &mut Found) {
        let members = self.schema(schema);
        for (name, value) in row.as_object().unwrap() {
            let place = format!("{schema}.{name}");
            match members.get(name) {
                None => {
                    found.deviations.insert((place, "is no member".to_owned()));
                }
                Some(told) => {
                    found.sent.insert(place.clone());
                    self.check(&place, told, value, found);
                }
            }
        }
        for name in members.keys().filter(|name| row.get(*name).is_none()) {
            found
                .deviations
                .insert((format!("{schema}.{name}"), "is left out".to_owned()));
        }
    }

    fn check(&self, place: &str, told: &Value, value: &Value, found: &mut Found) {
        let mut say = |what: String| {
            found.deviations.insert((place.to_owned(), what));
        };
        let is_of_type = match (told["type"].as_str().unwrap(), value) {
            (_, Value::Null) => {
                if told["nullable"] != true {
                    say("is null".to_owned());
                }
                return;
            }
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("any", _) => true,
            ("integer", Value::Number(number)) => number.is_i64(),
            ("number", Value::Number(_)) => true,
            ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
            _ => false,
        };
        if !is_of_type {
            return say(format!("is {value}"));
        }
        if let (Some(words), Some(word)) = (told["words"].as_array(), value.as_str())
            && !words.iter().any(|known| known == word)
        {
            say(format!("is {word:?}"));
        }
        if let Some(text) = value.as_str() {
            match told["format"].as_str() {
                Some("uuid") if text.parse::<uuid::Uuid>().is_err() => {
                    say(format!("is no id: {text}"))
                }
                Some("date-time") if text.parse::<jiff::Timestamp>().is_err() => {
                    say("is no instant".to_owned())
                }
                Some("date") if text.len() != 10 => say("is no date".to_owned()),
                _ => {}
            }
        }
        if let Some(schema) = told["of"].as_str() {
            self.check_row(schema, value, found);
        }
        for item in value.as_array().into_iter().flatten() {
            self.check(place, &told["items"], item, found);
        }
    }
}

async fn rows(client: &reqwest::Client, at: SocketAddr, path: &str) -> Vec<Value> {
    let parent = if path.ends_with("/repositories") {
        "BackupRepositoryInfo"
    } else {
        "BackupServerJob"
    };
    let (mut rows, mut offset) = (Vec::new(), 0);
    loop {
        let url = format!("http://{at}/api/v3{path}?expand={parent}&limit=500&offset={offset}");
        let answer = client.get(url).bearer_auth(API_KEY).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap())
            .unwrap_or_else(|_| panic!("{path} is not answered"));
        let Some(page) = answer["data"].as_array() else {
            return vec![answer["data"].clone()];
        };
        rows.extend(page.iter().cloned());
        offset += 500;
        if page.len() < 500 {
            return rows;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_answers_as_the_vendors_document_says() {
    let document = Document(
        serde_json::from_str(include_str!("../fixtures/vspc-3.6.2-members.json")).unwrap(),
    );
    let simulator = Simulator::new(
        generate::generate(Scale::Medium, 1, now()),
        Options::default(),
    );
    let (listener, at) = listen().await;
    tokio::spawn(simulator.clone().run(listener, std::future::pending()));
    // one for the process: whoever comes first
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let manager = simulator.estate().manager.to_string();
    let mut found = Found::default();
    for (path, schema) in document.0["lists"].as_object().unwrap() {
        let rows = rows(
            &client,
            at,
            &path.replace("{enterpriseManagerUid}", &manager),
        )
        .await;
        assert!(
            !rows.is_empty(),
            "{path} has no rows to be held against the document"
        );
        for row in &rows {
            document.check_row(schema.as_str().unwrap(), row, &mut found);
        }
    }
    let meant: BTreeSet<(String, String)> = MEANT
        .iter()
        .map(|(place, what, _)| ((*place).to_owned(), (*what).to_owned()))
        .collect();
    let others: Vec<_> = found.deviations.difference(&meant).collect();
    assert!(
        others.is_empty(),
        "deviations without a reason: {others:#?}"
    );
    let unneeded: Vec<_> = meant.difference(&found.deviations).collect();
    assert!(
        unneeded.is_empty(),
        "deviations that are none any more: {unneeded:#?}"
    );
    // every member that the document has is sent by some row
    for (schema, members) in document.0["schemas"].as_object().unwrap() {
        for name in members.as_object().unwrap().keys() {
            assert!(
                found.sent.contains(&format!("{schema}.{name}")),
                "{schema}.{name} is never sent"
            );
        }
    }
    assert!(array(&document.0["schemas"]["BackupServerJob"]["type"]["words"]).len() > 20);
}
