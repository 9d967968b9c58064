//! Answers of Enterprise Manager with rows that can't be read, empty forms, and wrappers that are
//! not known.

use crate::{
    mock::{Mock, Reply, fixture, log_of},
    world::codes,
};
use serde_json::{Value, json};

const SESSIONS: &str = "{ agentSessions { complete totalCount nodes { jobName } } }";

async fn sessions(name: &str, reply: Reply) -> Value {
    let mock = Mock::empty().await;
    mock.on("/api/query", reply);
    mock.world(name).await.ask(SESSIONS).await
}

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_that_can_not_be_read_costs_itself() {
    let answer = sessions(
        "em-odd-row",
        Reply::json(fixture("06-one-odd-row.em-query.json")),
    )
    .await;
    let shown = json!({"agentSessions": {"complete": false, "totalCount": null, "nodes": [{"jobName": "Agents 1"}]}});
    assert_eq!(answer["data"], shown, "{answer}");
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
    let log = log_of("em-odd-row-em");
    let line = log
        .iter()
        .find(|line| line.contains("/api/query"))
        .unwrap_or_else(|| panic!("{log:#?}"));
    for part in ["page=1", "row=2", "member=\"uid\""] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_cost_the_row_that_they_are_in() {
    let body = text("06-one-odd-row.em-query.json").replace(
        "\"UID\": \"\"",
        "\"UID\": \"urn:veeam:BackupJobSession:c8a65f75-35a7-567c-9a28-4dcb819bc60f\"",
    );
    let (before, after) = body.split_once("Agents 2").unwrap();
    let latin1 = [before.as_bytes(), b"M\xFCller", after.as_bytes()].concat();
    let answer = sessions("em-latin1", Reply::json(latin1)).await;
    assert_eq!(
        answer["data"]["agentSessions"]["nodes"],
        json!([{"jobName": "Agents 1"}]),
        "{answer}"
    );
    assert_eq!(answer["data"]["agentSessions"]["complete"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_a_match_is_an_empty_list_and_nothing_else_is() {
    let empty =
        json!({"data": {"agentSessions": {"complete": true, "totalCount": 0, "nodes": []}}});
    let (json, xml) = (
        text("09-query-without-a-match.em-query.json"),
        text("09-query-without-a-match.em-query.xml"),
    );
    for reply in [
        Reply::json(json.clone()),
        Reply::json(json.replace("\"Entities\": null,", "")),
        Reply::new(200, "application/xml", xml),
    ] {
        let mut answer = sessions("em-empty", reply).await;
        answer
            .as_object_mut()
            .unwrap()
            .retain(|key, _| key != "extensions");
        assert_eq!(answer, empty);
    }
    for body in [
        json.replace("\"PagesCount\": 1", "\"PagesCount\": 2"),
        json.replace("\"Refs\": null", "\"Refs\": [{}]"),
        json.replace(
            "\"Entities\": null",
            "\"Entities\": {\"BackupJobSessionsX\": [{}]}",
        ),
        json.replace(
            "\"Entities\": null",
            "\"EntitiesX\": {\"BackupJobSessions\": [{}]}",
        ),
        "{}".to_owned(),
        "[]".to_owned(),
    ] {
        let answer = sessions("em-not-empty", Reply::json(body.clone())).await;
        assert_eq!(
            (&answer["data"]["agentSessions"]["complete"], codes(&answer)),
            (&json!(false), vec!["UPSTREAM_INVALID"]),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_beside_a_text_is_no_part_of_it() {
    let reply = Reply::new(
        200,
        "application/xml",
        fixture("10-attribute-beside-text.em-query.xml"),
    );
    let answer = sessions("em-attribute", reply).await;
    assert_eq!(
        answer["data"]["agentSessions"],
        json!({"complete": true, "totalCount": 1, "nodes": [{"jobName": "Agents 1"}]}),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_be_an_agents_is_not_left_out_in_silence() {
    let body = text("06-one-odd-row.em-query.json").replace(
        "\"UID\": \"\"",
        "\"UID\": \"urn:veeam:BackupJobSession:c8a65f75-35a7-567c-9a28-4dcb819bc60f\"",
    );
    for (word, is_complete) in [("Backup", true), ("AgentBackup2", false)] {
        let body = body.replacen(
            "\"JobType\": \"AgentBackup\"",
            &format!("\"JobType\": \"{word}\""),
            1,
        );
        let answer = sessions("em-type", Reply::json(body)).await;
        assert_eq!(
            answer["data"]["agentSessions"]["complete"], is_complete,
            "{word}: {answer}"
        );
        assert_eq!(
            answer["data"]["agentSessions"]["nodes"],
            json!([{"jobName": "Agents 2"}]),
            "{word}"
        );
    }
}
