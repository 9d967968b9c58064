//! What servers, proxies and converters between XML and JSON make of an answer: it is read right,
//! or it is told.

use crate::{
    mock::{COMPANY, JOBS, Mock, Reply, VBR01, log_of},
    world::{array, codes},
};
use serde_json::{Value, json};

fn job() -> Value {
    json!({"instanceUid": "5c35da5c-830d-5699-8630-21ed438439df", "name": "Agents 1", "backupServerUid": VBR01, "organizationUid": COMPANY,
        "status": "Success", "type": "AgentBackupJob", "lastRun": "2026-11-26T20:00:05.3170001"})
}

/// What comes, and how many jobs are shown where that is all; none where it can't be the whole
/// list.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_console_in_any_wrapping_is_right_or_told() {
    let body = |value: Value| Reply::json(value.to_string());
    let paged = |paging: Value| body(json!({"meta": {"pagingInfo": paging}, "data": [job()]}));
    let spelt = |name: &str, value: Value| {
        let mut job = job();
        job[name] = value;
        body(json!({"meta": {"pagingInfo": {"total": 1, "count": 1, "offset": 0}}, "data": [job]}))
    };
    let whole =
        json!({"meta": {"pagingInfo": {"total": 1, "count": 1, "offset": 0}}, "data": [job()]})
            .to_string();
    let utf16: Vec<u8> = std::iter::once(0xFEFF)
        .chain(whole.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases = [
        (
            "total-as-text",
            paged(json!({"total": "1", "count": "1", "offset": "0"})),
            Some(1),
        ),
        (
            "bom",
            Reply::json([b"\xEF\xBB\xBF".as_slice(), whole.as_bytes()].concat()),
            Some(1),
        ),
        (
            "vendors-json",
            Reply::new(200, "application/vnd.api+json", whole.as_str()),
            Some(1),
        ),
        (
            "braces",
            spelt(
                "organizationUid",
                json!(format!("{{{}}}", COMPANY.to_uppercase())),
            ),
            Some(1),
        ),
        (
            "bare-hex",
            spelt("backupServerUid", json!(VBR01.replace('-', ""))),
            Some(1),
        ),
        (
            "enabled-as-text",
            spelt("isEnabled", json!("True")),
            Some(1),
        ),
        (
            "duration-as-text",
            spelt("lastDuration", json!("600")),
            Some(1),
        ),
        (
            "date-without-zone",
            spelt("lastRun", json!("2026-11-26 20:00:05.317")),
            Some(1),
        ),
        (
            "date-with-offset",
            spelt("lastRun", json!("2026-11-26T20:00:05.3170000-11:30")),
            Some(1),
        ),
        (
            "never",
            spelt("lastRun", json!("9999-12-31T23:59:59.9999999Z")),
            Some(1),
        ),
        ("no-date", spelt("lastRun", json!("yesterday")), None),
        (
            "date-as-number",
            spelt("lastRun", json!(1_764_194_400)),
            None,
        ),
        ("no-id", spelt("mappedOrganizationUid", json!("n/a")), None),
        ("id-as-number", spelt("uniqueUid", json!(7)), None),
        ("no-paging", paged(Value::Null), None),
        ("no-meta", body(json!({"data": [job()]})), None),
        (
            "total-is-null",
            paged(json!({"total": null, "offset": 0})),
            None,
        ),
        (
            "total-is-zero",
            paged(json!({"total": 0, "offset": 0})),
            None,
        ),
        (
            "total-is-less",
            paged(json!({"total": -1, "offset": 0})),
            None,
        ),
        (
            "offset-is-another",
            paged(json!({"total": 1, "offset": 500})),
            None,
        ),
        (
            "one-in-place-of-a-list",
            body(json!({"meta": {"pagingInfo": {"total": 1}}, "data": job()})),
            None,
        ),
        (
            "nothing-in-place-of-a-list",
            body(json!({"meta": {"pagingInfo": {"total": 0}}, "data": {}})),
            None,
        ),
        (
            "items",
            body(json!({"meta": {"pagingInfo": {"total": 1}}, "data": {"items": [job()]}})),
            None,
        ),
        (
            "items-at-the-top",
            body(json!({"items": [job()], "totalCount": 1})),
            None,
        ),
        ("a-list-at-the-top", body(json!([job()])), None),
        (
            "other-case",
            body(json!({"Meta": {"PagingInfo": {"Total": 1}}, "Data": [job()]})),
            None,
        ),
        (
            "a-row-is-null",
            body(json!({"meta": {"pagingInfo": {"total": 2, "offset": 0}}, "data": [job(), null]})),
            None,
        ),
        ("no-content", Reply::new(204, "application/json", ""), None),
        ("no-body", Reply::json(""), None),
        (
            "garbage-in-gzip",
            Reply::json("no gzip").header("content-encoding", "gzip"),
            None,
        ),
        ("utf-16", Reply::json(utf16), None),
        ("twice", Reply::json(format!("{whole}{whole}")), None),
    ];
    for (name, reply, expected) in cases {
        let mock = Mock::empty().await;
        mock.on(JOBS, reply);
        let server =
            json!({"data": {"instanceUid": VBR01, "name": "vbr01", "organizationUid": COMPANY}});
        mock.on(
            &format!("/api/v3/infrastructure/backupServers/{VBR01}"),
            body(server),
        );
        let name = format!("habit-{name}");
        let world = mock.world(&name).await;
        let answer = world.ask("{ jobs { complete totalCount nodes { name company { name } backupServer { name } lastRun } } }").await;
        let jobs = &answer["data"]["jobs"];
        match expected {
            Some(count) => {
                assert_eq!(jobs["complete"], true, "{name}: {answer}");
                assert_eq!(array(&jobs["nodes"]).len(), count, "{name}");
                assert!(codes(&answer).is_empty(), "{name}: {answer}");
                let job = &jobs["nodes"][0];
                assert_eq!(
                    (&job["company"]["name"], &job["backupServer"]["name"]),
                    (&json!("A"), &json!("vbr01")),
                    "{name}"
                );
            }
            None => {
                assert_eq!(
                    (&jobs["complete"], &jobs["totalCount"]),
                    (&json!(false), &Value::Null),
                    "{name}: {answer}"
                );
                assert_eq!(codes(&answer).len(), 1, "{name}: {answer}");
                let lines: Vec<String> = log_of(&name)
                    .into_iter()
                    .filter(|line| line.contains(JOBS))
                    .collect();
                assert_eq!(lines.len(), 1, "{name}: {lines:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_enterprise_manager_in_any_wrapping_is_right_or_told() {
    let uid = |number: u32| format!("00000000-0000-4000-8000-{number:012}");
    let session = |number: u32| {
        json!({"UID": format!("urn:veeam:BackupJobSession:{}", uid(number)), "Name": "Agents 1@2026-11-26 22:00:05", "JobName": "Agents 1",
            "JobType": "AgentBackup", "CreationTimeUTC": "2026-11-26T22:00:05Z", "EndTimeUTC": "2026-11-26T22:10:05Z", "State": "Stopped",
            "Result": "Success", "JobUid": format!("urn:veeam:Job:{}", uid(9)), "Links": [], "Progress": "100", "IsRetry": "false"})
    };
    let result = |sessions: Value| json!({"Entities": {"BackupJobSessions": sessions}, "PagingInfo": {"PageNum": 1, "PageSize": 500, "PagesCount": 1}});
    let body = |value: Value| Reply::json(value.to_string());
    let with = |name: &str, value: Value| {
        let mut session = session(1);
        session[name] = value;
        body(result(json!([session])))
    };
    let reference = json!({"UID": null, "Href": format!("https://em.invalid/api/backupSessions/{}", uid(1)), "Type": "BackupJobSessionReference", "Links": null});
    let cases = [
        (
            "a-list",
            body(result(json!([session(1), session(2)]))),
            Some(2),
        ),
        ("one-object", body(result(session(1))), Some(1)),
        (
            "wrapped-object",
            body(result(json!({"BackupJobSession": session(1)}))),
            Some(1),
        ),
        (
            "wrapped-list",
            body(result(
                json!({"BackupJobSession": [session(1), session(2)]}),
            )),
            Some(2),
        ),
        (
            "braces",
            with(
                "UID",
                json!(format!(
                    "urn:veeam:BackupJobSession:{{{}}}",
                    uid(1).to_uppercase()
                )),
            ),
            Some(1),
        ),
        (
            "one-link",
            with(
                "Links",
                json!({"Link": {"Rel": "Up", "Type": "JobReference", "Name": "Agents 1", "Href": "x"}}),
            ),
            Some(1),
        ),
        (
            "seven-digits",
            with("EndTimeUTC", json!("2026-11-26T22:10:05.1234567")),
            Some(1),
        ),
        ("no-end", with("EndTimeUTC", json!("")), Some(1)),
        ("no-time", with("EndTimeUTC", json!("soon")), None),
        ("no-id", with("JobUid", json!("urn:veeam:Job:7")), None),
        ("only-an-address", body(result(json!([reference]))), None),
        (
            "a-row-is-null",
            body(result(json!([session(1), null]))),
            None,
        ),
        (
            "unknown-wrapper",
            body(
                json!({"Items": [session(1)], "PagingInfo": {"PageNum": 1, "PageSize": 500, "PagesCount": 1}}),
            ),
            None,
        ),
        (
            "more-pages-than-come",
            body(
                json!({"Entities": null, "PagingInfo": {"PageNum": 1, "PageSize": 500, "PagesCount": 2}}),
            ),
            None,
        ),
        ("no-content", Reply::new(204, "application/json", ""), None),
        (
            "garbage-in-gzip",
            Reply::json("no gzip").header("content-encoding", "gzip"),
            None,
        ),
        ("a-web-page", Reply::html(), None),
    ];
    for (name, reply, expected) in cases {
        let mock = Mock::empty().await;
        // who takes no query is asked for its list
        mock.on("/api/*ackupSessions", reply.clone());
        mock.on("/api/query", reply);
        let name = format!("em-habit-{name}");
        let world = mock.world(&name).await;
        let answer = world
            .ask("{ agentSessions { complete totalCount nodes { uid endedAt } } }")
            .await;
        let sessions = &answer["data"]["agentSessions"];
        match expected {
            Some(count) => {
                assert_eq!(
                    (&sessions["complete"], &sessions["totalCount"]),
                    (&json!(true), &json!(count)),
                    "{name}: {answer}"
                );
                assert!(codes(&answer).is_empty(), "{name}: {answer}");
            }
            None => {
                assert_eq!(
                    (&sessions["complete"], &sessions["totalCount"]),
                    (&json!(false), &Value::Null),
                    "{name}: {answer}"
                );
                assert!(!codes(&answer).is_empty(), "{name}: {answer}");
                let lines: Vec<String> = log_of(&format!("{name}-em"))
                    .into_iter()
                    .filter(|line| line.contains("/api/query"))
                    .collect();
                assert!(!lines.is_empty() && lines.len() < 3, "{name}: {lines:#?}");
            }
        }
    }
}
