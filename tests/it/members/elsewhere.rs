//! The same for Enterprise Manager, for the legacy v2 API, and for licence usage, whose members lie
//! within each other. The vendor's documents of these say little about what may be null: members
//! that tell which row it is are required, all others may be missing.

use super::{told, uid};
use crate::{
    mock::{Asked, Mock, Reply},
    world::{array, codes},
};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

/// What a member holds.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    /// `urn:veeam:…`, or a bare id.
    Urn,
    Uid,
    Text,
    Time,
    Integer,
    Number,
    Boolean,
    /// Another value would make it another row's.
    Other,
}

/// A list whose rows are swept.
struct List {
    name: &'static str,
    /// Where the rows are asked for.
    path: &'static str,
    /// Makes an answer of the rows.
    answer: fn(&[Value], &Asked) -> Reply,
    members: &'static [(&'static str, Type)],
    /// How many rows at most are left out though they could be read: whose they are can't be told.
    doubtful: usize,
    /// Those without which it can't be told which row it is.
    required: &'static [&'static str],
    /// A whole row, by its number.
    whole: fn(usize) -> Value,
    /// The object that holds the members, where they are not the row's own.
    within: &'static str,
    query: &'static str,
    /// The connection that shows the rows.
    shown: &'static str,
}

const SESSION: &str = "c0ffee00-0000-4000-8000-000000000001";

/// An answer of Enterprise Manager to a query, on one page.
fn entities(plural: &str, rows: &[Value]) -> Reply {
    let paging = json!({"Links": [], "PageNum": 1, "PageSize": 1000, "PagesCount": 1});
    let lists = json!({plural: {plural: rows}});
    Reply::json(json!({"Refs": null, "Entities": lists, "PagingInfo": paging}).to_string())
}

fn lists() -> Vec<List> {
    let sessions = List {
        name: "sessions",
        path: "/api/query",
        answer: |rows, _| entities("BackupJobSessions", rows),
        members: &[
            ("UID", Type::Urn),
            ("Name", Type::Text),
            ("JobUid", Type::Urn),
            ("JobName", Type::Text),
            ("JobType", Type::Other),
            ("CreationTimeUTC", Type::Time),
            ("EndTimeUTC", Type::Time),
            ("State", Type::Text),
            ("Result", Type::Text),
            ("Progress", Type::Integer),
            ("FailureMessage", Type::Text),
            ("IsRetry", Type::Boolean),
            ("Links", Type::Other),
        ],
        // a type that is not known may be an agent's
        doubtful: 6,
        required: &["UID"],
        whole: |row| {
            json!({
                "UID": format!("urn:veeam:BackupJobSession:{}", uid(row, 1)), "Name": format!("Agents {row}@2026-11-26 22:00:05"),
                "JobUid": format!("urn:veeam:Job:{}", uid(row, 2)), "JobName": format!("Agents {row}"), "JobType": "AgentBackup",
                "CreationTimeUTC": "2026-11-26T22:00:05Z", "EndTimeUTC": "2026-11-26T22:10:05Z", "State": "Stopped",
                "Result": "Success", "Progress": 100, "FailureMessage": "", "IsRetry": false, "Links": [],
            })
        },
        within: "",
        query: "{ agentSessions(first: 500) { complete totalCount nodes { uid } } }",
        shown: "/agentSessions",
    };
    let tasks = List {
        name: "tasks",
        path: "/api/backupSessions/*/taskSessions",
        answer: |rows, _| Reply::json(json!({"BackupTaskSessions": rows}).to_string()),
        members: &[
            ("UID", Type::Urn),
            ("Name", Type::Text),
            ("JobSessionUid", Type::Other),
            ("CreationTimeUTC", Type::Time),
            ("EndTimeUTC", Type::Time),
            ("State", Type::Text),
            ("Result", Type::Text),
            ("Reason", Type::Text),
            ("TotalSize", Type::Integer),
            ("VmDisplayName", Type::Text),
        ],
        doubtful: 0,
        required: &["UID"],
        whole: |row| {
            json!({
                "UID": format!("urn:veeam:BackupTaskSession:{}", uid(row, 1)), "Name": format!("machine-{row}@2026-11-26 22:00:05"),
                "JobSessionUid": format!("urn:veeam:BackupJobSession:{SESSION}"), "CreationTimeUTC": "2026-11-26T22:00:05Z",
                "EndTimeUTC": "2026-11-26T22:10:05Z", "State": "Completed", "Result": "Success", "Reason": "", "TotalSize": 7,
                "VmDisplayName": format!("machine-{row}"),
            })
        },
        within: "",
        query: "{ agentSession(uid: \"c0ffee00-0000-4000-8000-000000000001\") { tasks(first: 500) { complete totalCount nodes { uid } } } }",
        shown: "/agentSession/tasks",
    };
    let agent_jobs = List {
        name: "v2-jobs",
        path: "/v2/backupAgents/*/jobs",
        answer: |rows, _| Reply::json(Value::from(rows.to_vec()).to_string()),
        members: &[
            ("id", Type::Uid),
            ("lastSessionStatusId", Type::Text),
            ("name", Type::Text),
            ("description", Type::Text),
            ("operationModeId", Type::Text),
            ("destination", Type::Text),
            ("restorePoints", Type::Integer),
            ("lastRestorePoint", Type::Time),
            ("backupSize", Type::Integer),
            ("scheduleType", Type::Text),
            ("lastRun", Type::Time),
            ("lastModified", Type::Time),
            ("lastModificationDoneBy", Type::Text),
            ("freeSpace", Type::Integer),
            ("avgDuration", Type::Integer),
            ("lastDuration", Type::Integer),
            ("backupMode", Type::Text),
            ("targetType", Type::Text),
            ("disabled", Type::Boolean),
            ("failureMessage", Type::Text),
            ("backupPolicyNote", Type::Text),
            ("cloudConnectAgentUid", Type::Uid),
            ("backupPolicyId", Type::Integer),
            ("backupPolicyName", Type::Text),
            ("backupPolicyStatus", Type::Text),
            ("nextRun", Type::Time),
        ],
        doubtful: 0,
        required: &[],
        whole: |row| {
            json!({
                "id": uid(row, 1), "lastSessionStatusId": "Success", "name": format!("Job {row}"), "description": "",
                "operationModeId": "Workstation", "destination": "D:\\Backups", "restorePoints": 2, "lastRestorePoint": null,
                "backupSize": 7, "scheduleType": "Daily", "lastRun": "2026-11-26T22:00:05Z", "lastModified": "2018-10-12T01:37:05.2423906+03:00",
                "lastModificationDoneBy": "administrator", "freeSpace": 7, "avgDuration": 116, "lastDuration": 98, "backupMode": "EntireComputer",
                "targetType": "Local", "disabled": false, "failureMessage": "", "backupPolicyNote": null, "cloudConnectAgentUid": null,
                "backupPolicyId": 0, "backupPolicyName": null, "backupPolicyStatus": "Custom", "nextRun": "0001-01-01T00:00:00", "_links": [],
            })
        },
        within: "",
        query: "{ backupAgentJobs(agentUid: \"c0ffee00-0000-4000-8000-000000000002\", first: 500) { complete totalCount nodes { name } } }",
        shown: "/backupAgentJobs",
    };
    let license = |row: usize| {
        let workload = json!({
            "description": "Servers", "unitType": "Points", "rentalUnits": 1.5, "newUnits": 0.0, "usedUnits": 7.5,
            "rentalCount": 1, "newCount": 0, "usedCount": row,
        });
        json!({
            "organizationUid": uid(row, 1), "organizationType": "Company", "providerUid": null,
            "servers": [{"serverUid": uid(row, 2), "serverType": "BackupAndReplication", "workloads": [workload]}],
        })
    };
    let usage = |name, within, members, required| List {
        name,
        path: "/api/v3/licensing/usage/organizations",
        answer: Reply::cut,
        members,
        doubtful: 0,
        required,
        whole: license,
        within,
        query: "{ licenseUsage(first: 500) { complete totalCount nodes { companyUid usedPoints } } }",
        shown: "/licenseUsage",
    };
    vec![
        sessions,
        tasks,
        agent_jobs,
        usage("licences", "", &[("organizationUid", Type::Uid)], &[]),
        usage(
            "licence-servers",
            "/servers/0",
            &[("serverType", Type::Text)],
            &[],
        ),
        usage(
            "licence-workloads",
            "/servers/0/workloads/0",
            &[
                ("description", Type::Text),
                ("unitType", Type::Text),
                ("rentalUnits", Type::Number),
                ("newUnits", Type::Number),
                ("usedUnits", Type::Number),
                ("rentalCount", Type::Integer),
                ("newCount", Type::Integer),
                ("usedCount", Type::Integer),
            ],
            &[],
        ),
    ]
}

impl List {
    /// A whole row with one member changed.
    fn changed(&self, row: usize, member: &str, value: Option<Value>) -> Value {
        let mut whole = (self.whole)(row);
        let members: &mut Map<String, Value> = whole
            .pointer_mut(self.within)
            .and_then(Value::as_object_mut)
            .unwrap();
        assert!(members.contains_key(member), "{}: {member}", self.name);
        match value {
            Some(value) => drop(members.insert(member.to_owned(), value)),
            None => drop(members.remove(member)),
        }
        whole
    }

    /// What a gateway answers over these rows, and what it says in its log of those that can't be
    /// read.
    async fn ask(&self, name: &str, rows: Vec<Value>) -> (Value, Vec<String>) {
        let mock = Mock::empty().await;
        let session = json!({
            "UID": format!("urn:veeam:BackupJobSession:{SESSION}"), "Name": "Agents@2026-11-26 22:00:05", "JobType": "AgentBackup",
            "CreationTimeUTC": "2026-11-26T22:00:05Z", "State": "Stopped", "Result": "Failed", "Links": [],
        });
        mock.on(
            &format!("/api/backupSessions/{SESSION}"),
            Reply::json(session.to_string()),
        );
        let sessions = [session];
        mock.each("/api/query", move |_| {
            entities("BackupJobSessions", &sessions)
        });
        let answer = self.answer;
        mock.each(self.path, move |asked| answer(&rows, asked));
        let world = mock.world(name).await;
        let answer = world.ask(self.query).await;
        // that the list is not whole is told once more, with how many rows there are
        let lines = ["", "-em", "-v2"]
            .iter()
            .flat_map(|api| told(&format!("{name}{api}")))
            .filter(|line| line.contains("member"))
            .collect();
        (answer, lines)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_too_what_is_missing_costs_nothing_and_what_says_the_same_is_read() {
    let readings = lists().into_iter().map(|list| async move {
        let mut rows = vec![(list.whole)(0)];
        for (member, kind) in list.members {
            let same = match kind {
                Type::Urn => vec![json!(uid(0x0a00 + rows.len(), 9))],
                Type::Uid => vec![json!(uid(0x0a00 + rows.len(), 9).to_uppercase())],
                Type::Integer => vec![json!("7"), json!(7.0)],
                Type::Number => vec![json!("1.5"), json!(2)],
                Type::Boolean => vec![json!("true"), json!("False")],
                Type::Time => vec![json!("2026-11-26T22:00:07.1234567+00:00")],
                Type::Text => vec![json!(7), json!(true)],
                Type::Other => Vec::new(),
            };
            let nothing = (!list.required.contains(member)).then_some([Some(Value::Null), None]);
            for value in nothing
                .into_iter()
                .flatten()
                .chain(same.into_iter().map(Some))
            {
                rows.push(list.changed(rows.len(), member, value));
            }
        }
        let total = rows.len();
        let (answer, lines) = list.ask(&format!("missing-{}", list.name), rows).await;
        assert_eq!(lines, Vec::<String>::new(), "{}", list.name);
        let shown = answer["data"].pointer(list.shown).unwrap();
        assert_eq!(
            (&shown["complete"], &shown["totalCount"]),
            (&json!(true), &json!(total)),
            "{}: {:.600}",
            list.name,
            answer.to_string()
        );
        assert!(codes(&answer).is_empty(), "{}: {answer:.600}", list.name);
    });
    stream::iter(readings)
        .buffer_unordered(4)
        .collect::<Vec<()>>()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_too_a_member_of_any_other_type_costs_its_row_at_most_and_is_named() {
    let readings = lists().into_iter().map(|list| async move {
        let odd = [
            json!(null),
            json!(7),
            json!("x"),
            json!(true),
            json!({}),
            json!({"a": [1]}),
            json!([]),
            json!("2026-13-45T00:00:00Z"),
            json!(-1.5),
        ];
        let (mut rows, mut changes) = (vec![(list.whole)(0)], vec![""]);
        for (member, _) in list.members {
            for value in odd.iter().cloned().map(Some).chain([None]) {
                rows.push(list.changed(rows.len(), member, value));
                changes.push(*member);
            }
        }
        rows.push((list.whole)(rows.len()));
        let total = rows.len();
        let (answer, lines) = list.ask(&format!("odd-{}", list.name), rows).await;
        assert!(
            !lines.is_empty(),
            "{}: nothing in the log: {:.600}",
            list.name,
            answer.to_string()
        );
        let mut left_out = 0;
        for line in &lines {
            // the console's and v2's lines are one sentence, Enterprise Manager's has fields
            let after = |words: [&str; 2]| {
                let found = words.iter().find_map(|word| line.split_once(word));
                let rest = found.unwrap_or_else(|| panic!("no {words:?} in {line}")).1;
                let end = |end: char| !end.is_alphanumeric() && end != '_';
                rest.split(end).next().unwrap().to_lowercase()
            };
            let row: usize = after(["row=", "row "]).parse().unwrap();
            // the member itself, or the one of the row that it lies within
            let outer = list.within.split('/').nth(1).unwrap_or(changes[row - 1]);
            assert_eq!(
                after(["member=\"", "member "]),
                outer.to_lowercase(),
                "{}: {line}",
                list.name
            );
            left_out = after(["unreadable=", "rows left out of this page: "])
                .parse()
                .unwrap();
        }
        let shown = answer["data"].pointer(list.shown).unwrap();
        assert_eq!(
            (&shown["complete"], &shown["totalCount"]),
            (&json!(false), &Value::Null),
            "{}: {:.600}",
            list.name,
            answer.to_string()
        );
        assert_eq!(codes(&answer), ["UPSTREAM_INVALID"], "{}", list.name);
        let most = total - left_out;
        assert!(
            (most - list.doubtful..=most).contains(&array(&shown["nodes"]).len()),
            "{}: {} rows, {lines:#?}",
            list.name,
            array(&shown["nodes"]).len()
        );
        left_out
    });
    let found: Vec<usize> = stream::iter(readings).buffer_unordered(4).collect().await;
    assert!(found.iter().all(|left_out| *left_out > 0), "{found:?}");
}
