//! The estate in the words of Enterprise Manager: JSON in the casing of version 12 or 13, or XML.

use super::{
    estate::{Estate, Server, Session},
    query,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How the JSON of the simulated version looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casing {
    /// Version 12 and older.
    #[default]
    Pascal,
    /// Version 13.
    Camel,
}

/// A document before it has a dialect: an element with attributes, children and text.
pub(super) struct Element {
    name: &'static str,
    /// Written as attributes in XML.
    attributes: Vec<(&'static str, Value)>,
    members: Vec<(&'static str, Value)>,
    children: Vec<Element>,
    /// In JSON: the children as an array under this key, or in an object under it.
    list: Option<&'static str>,
}

impl Element {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            members: Vec::new(),
            children: Vec::new(),
            list: None,
        }
    }

    /// As JSON in Pascal case.
    fn to_json(&self) -> Value {
        if let Some(key) = self.list {
            return json!({ key: self.children.iter().map(Element::to_json).collect::<Vec<_>>() });
        }
        let mut map = Map::new();
        for (key, value) in self.members.iter().chain(&self.attributes) {
            map.insert((*key).to_owned(), value.clone());
        }
        for child in &self.children {
            let value = child.to_json();
            // `Links` is a bare array in JSON
            let value = match child.list {
                Some("Links") => value["Links"].clone(),
                _ => value,
            };
            map.insert(child.name.to_owned(), value);
        }
        Value::Object(map)
    }

    fn to_xml(&self, out: &mut String, is_root: bool) {
        out.push('<');
        out.push_str(self.name);
        if is_root {
            out.push_str(r#" xmlns="http://www.veeam.com/ent/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#);
        }
        for (key, value) in self.attributes.iter().filter(|(_, value)| !value.is_null()) {
            out.push_str(&format!(" {key}=\"{}\"", escape(&text(value))));
        }
        out.push('>');
        for child in &self.children {
            child.to_xml(out, false);
        }
        for (key, value) in self.members.iter().filter(|(_, value)| !value.is_null()) {
            out.push_str(&format!("<{key}>{}</{key}>", escape(&text(value))));
        }
        out.push_str(&format!("</{}>", self.name));
    }

    /// The body in the dialect that was asked for, and its content type.
    pub(super) fn render(
        &self,
        wants_json: bool,
        casing: Casing,
        mark: bool,
    ) -> (&'static str, Vec<u8>) {
        if !wants_json {
            let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
            self.to_xml(&mut out, true);
            return ("application/xml", out.into_bytes());
        }
        let mut value = self.to_json();
        if casing == Casing::Camel {
            value = camel(value);
        }
        let mut body = if mark {
            vec![0xEF, 0xBB, 0xBF]
        } else {
            Vec::new()
        };
        body.extend(serde_json::to_vec(&value).unwrap_or_default());
        ("application/json; charset=utf-8", body)
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Every key with a small first letter, `UID` as `uid`.
fn camel(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let key = if key == "UID" {
                    "uid".to_owned()
                } else {
                    key[..1].to_lowercase() + &key[1..]
                };
                (key, camel(value))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(camel).collect(),
        other => other,
    }
}

fn utc(instant: Timestamp) -> String {
    // three digits, trailing zeros trimmed, as seen
    format!("{}Z", instant.strftime("%Y-%m-%dT%H:%M:%S.17"))
}

fn link(rel: &'static str, kind: &'static str, path: String, name: Option<&str>) -> Element {
    let mut element = Element::new("Link");
    // another host, another port, plain http: as real servers do
    let href = json!(format!("http://em-internal.example:9399/api/{path}"));
    element.attributes = vec![
        ("Rel", json!(rel)),
        ("Href", href),
        ("Name", json!(name)),
        ("Type", json!(kind)),
    ];
    element
}

fn name_of(session: &Session) -> String {
    format!(
        "{}@{}",
        session.job_name,
        session.created.strftime("%Y-%m-%d %H:%M:%S")
    )
}

fn links(estate: &Estate, session: &Session) -> Element {
    let server = &estate.servers[session.server];
    let mut links = Element {
        list: Some("Links"),
        ..Element::new("Links")
    };
    links.children.push(link(
        "Up",
        "BackupServerReference",
        format!("backupServers/{}", server.managed_uid),
        Some(&server.managed_name),
    ));
    links.children.push(link(
        "Up",
        "JobReference",
        format!("agents/jobs/{}", session.job),
        Some(&session.job_name),
    ));
    match session.parent {
        Some(parent) => links.children.push(link(
            "Up",
            "BackupJobSessionReference",
            format!("backupSessions/{parent}"),
            Some("Parent session"),
        )),
        None => {
            let path = format!("backupSessions/{}/agentManagementSessions", session.uid);
            links.children.push(link(
                "Alternate",
                "BackupJobSessionReferenceList",
                path,
                None,
            ));
        }
    }
    links.children.push(link(
        "Down",
        "BackupTaskSessionReferenceList",
        format!("backupSessions/{}/taskSessions", session.uid),
        None,
    ));
    links
}

fn reference(estate: &Estate, session: &Session, element: &'static str) -> Element {
    let mut row = Element::new(element);
    let href = format!(
        "http://em-internal.example:9399/api/backupSessions/{}",
        session.uid
    );
    row.attributes = vec![
        (
            "UID",
            json!(format!("urn:veeam:BackupJobSession:{}", session.uid)),
        ),
        ("Name", json!(name_of(session))),
        ("Href", json!(href)),
        ("Type", json!("BackupJobSessionReference")),
    ];
    row.children.push(links(estate, session));
    row
}

fn entity(estate: &Estate, session: &Session) -> Element {
    let mut row = Element {
        name: "BackupJobSession",
        ..reference(estate, session, "BackupJobSession")
    };
    row.members = vec![
        ("JobUid", json!(format!("urn:veeam:Job:{}", session.job))),
        ("JobName", json!(session.job_name)),
        ("JobType", json!(session.kind)),
        ("CreationTimeUTC", json!(utc(session.created))),
        ("EndTimeUTC", json!(session.ended.map(utc))),
        ("State", json!(session.state)),
        ("Result", json!(session.result)),
        ("Progress", json!(session.progress)),
        ("FailureMessage", json!(session.failure)),
        ("IsRetry", json!(session.is_retry)),
    ];
    row
}

/// What a session did to one machine.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Task {
    pub uid: Uuid,
    pub machine: String,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub result: &'static str,
    pub reason: &'static str,
    pub size: i64,
}

/// The tasks of a session: one for a machine's part; of a run one for each machine of its job.
/// Where it failed, the first says why.
pub fn tasks(estate: &Estate, session: &Session) -> Vec<Task> {
    let is_its = |place: &usize| match session.of_machine {
        Some(machine) => machine == *place,
        None => estate.machines[*place].job == session.of_job,
    };
    let machines = (0..estate.machines.len()).filter(is_its).take(5);
    let of_machine = |(number, place): (usize, usize)| {
        let machine = &estate.machines[place];
        let uid = Uuid::from_u128(session.uid.as_u128() ^ machine.unique_uid.as_u128());
        let result = if number == 0 || session.result == "None" {
            session.result
        } else {
            "Success"
        };
        let reason = match result {
            "Failed" => "Error: the snapshot could not be made.\r\nCode 0x8004231f\r\n",
            "Warning" => "A volume was left out.",
            _ => "",
        };
        let size = (uid.as_u128() % 1_000_000) as i64;
        Task {
            uid,
            machine: machine.computer.clone(),
            created: session.created,
            ended: session.ended,
            result,
            reason,
            size,
        }
    };
    machines.enumerate().map(of_machine).collect()
}

fn task(session: &Session, row: &Task) -> Element {
    let mut element = Element::new("BackupTaskSession");
    element.attributes = vec![
        (
            "UID",
            json!(format!("urn:veeam:BackupTaskSession:{}", row.uid)),
        ),
        (
            "Name",
            json!(format!(
                "{}@{}",
                row.machine,
                row.created.strftime("%Y-%m-%d %H:%M:%S")
            )),
        ),
        (
            "Href",
            json!(format!(
                "http://em-internal.example:9399/api/backupTaskSessions/{}?format=Entity",
                row.uid
            )),
        ),
        ("Type", json!("BackupTaskSession")),
    ];
    element.members = vec![
        (
            "JobSessionUid",
            json!(format!("urn:veeam:BackupJobSession:{}", session.uid)),
        ),
        ("CreationTimeUTC", json!(utc(row.created))),
        ("EndTimeUTC", json!(row.ended.map(utc))),
        (
            "State",
            json!(if row.ended.is_some() {
                "Completed"
            } else {
                "InProgress"
            }),
        ),
        ("Result", json!(row.result)),
        ("Reason", json!(row.reason)),
        ("TotalSize", json!(row.size)),
        ("VmUid", Value::Null),
        ("VmDisplayName", json!(row.machine)),
    ];
    element
}

fn managed_server(server: &Server) -> Element {
    let mut row = Element::new("BackupServer");
    row.attributes = vec![
        (
            "UID",
            json!(format!("urn:veeam:BackupServer:{}", server.managed_uid)),
        ),
        ("Name", json!(server.managed_name)),
        (
            "Href",
            json!(format!(
                "http://em-internal.example:9399/api/backupServers/{}?format=Entity",
                server.managed_uid
            )),
        ),
        ("Type", json!("BackupServer")),
    ];
    row.members = vec![
        ("Description", json!("")),
        ("Port", json!(9392)),
        ("Version", json!(server.version)),
    ];
    row
}

/// The agent sessions of the last 30 days.
fn recent(estate: &Estate) -> impl Iterator<Item = &Session> {
    let since = query::days_before(estate.now, 30);
    estate
        .sessions
        .iter()
        .filter(move |session| session.created >= since)
}

/// `GET /api/logonSessions…` and the answer to a logon.
pub(super) fn logon_session(id: Uuid, user: &str) -> Element {
    let mut row = Element::new("LogonSession");
    row.members = vec![("UserName", json!(user)), ("SessionId", json!(id))];
    row.attributes = vec![
        (
            "Href",
            json!(format!(
                "http://em-internal.example:9399/api/logonSessions/{id}"
            )),
        ),
        ("Type", json!("LogonSession")),
    ];
    row
}

/// Answers a path below `/api`; `None` for a path that is not there.
pub(super) fn find(
    estate: &Estate,
    path: &str,
    parameters: &[(String, String)],
) -> Option<Element> {
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let wants_entity =
        parameter("format").is_some_and(|format| format.to_ascii_lowercase().starts_with("entit"));
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["backupServers"] => {
            let mut list = Element {
                list: Some("BackupServers"),
                ..Element::new("BackupServers")
            };
            list.children = estate.servers.iter().map(managed_server).collect();
            Some(list)
        }
        ["agents", "backupSessions"] if wants_entity => {
            let mut list = Element {
                list: Some("BackupJobSessions"),
                ..Element::new("BackupJobSessions")
            };
            list.children = recent(estate)
                .map(|session| entity(estate, session))
                .collect();
            Some(list)
        }
        ["agents", "backupSessions"] => {
            let mut list = Element {
                list: Some("Refs"),
                ..Element::new("EntityReferences")
            };
            list.children = recent(estate)
                .map(|session| reference(estate, session, "Ref"))
                .collect();
            Some(list)
        }
        ["backupSessions", id] => {
            let uid = Uuid::try_parse(id).ok()?;
            let session = estate.sessions.iter().find(|session| session.uid == uid)?;
            Some(if wants_entity {
                entity(estate, session)
            } else {
                reference(estate, session, "EntityRef")
            })
        }
        ["backupSessions", id, "taskSessions"] => {
            let uid = Uuid::try_parse(id).ok()?;
            let session = estate.sessions.iter().find(|session| session.uid == uid)?;
            let mut list = Element {
                list: Some("BackupTaskSessions"),
                ..Element::new("BackupTaskSessions")
            };
            list.children = tasks(estate, session)
                .iter()
                .map(|row| task(session, row))
                .collect();
            Some(list)
        }
        ["query"]
            if parameter("type")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("BackupTaskSession")) =>
        {
            let sessions = query::run(estate, parameter("filter"), true, Some("1000000"), None)?;
            let rows: Vec<Element> = sessions
                .rows
                .iter()
                .flat_map(|session| {
                    tasks(estate, session)
                        .into_iter()
                        .map(|row| task(session, &row))
                        .collect::<Vec<_>>()
                })
                .collect();
            let number = |name: &str, otherwise: usize| {
                parameter(name)
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(otherwise)
            };
            let (size, page) = (number("pageSize", 100).max(1), number("page", 1).max(1));
            let count = rows.len().div_ceil(size).max(1);
            let rows = rows
                .into_iter()
                .skip((page - 1) * size)
                .take(size)
                .collect();
            Some(result_of("BackupTaskSessions", rows, page, size, count))
        }
        ["query"]
            if parameter("type")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("BackupJobSession")) =>
        {
            let page = query::run(
                estate,
                parameter("filter"),
                parameter("sortDesc").is_some(),
                parameter("pageSize"),
                parameter("page"),
            )?;
            Some(query_result(estate, &page))
        }
        _ => None,
    }
}

fn query_result(estate: &Estate, page: &query::Page<'_>) -> Element {
    let rows = page
        .rows
        .iter()
        .map(|session| entity(estate, session))
        .collect();
    result_of(
        "BackupJobSessions",
        rows,
        page.number,
        page.size,
        page.count,
    )
}

fn result_of(
    name: &'static str,
    rows: Vec<Element>,
    number: usize,
    size: usize,
    count: usize,
) -> Element {
    let list = Element {
        list: Some(name),
        children: rows,
        ..Element::new(name)
    };
    let mut entities = Element::new("Entities");
    entities.children.push(list);
    let mut paging = Element::new("PagingInfo");
    paging.attributes = vec![
        ("PageNum", json!(number)),
        ("PageSize", json!(size)),
        ("PagesCount", json!(count)),
    ];
    let mut result = Element::new("QueryResult");
    // in JSON what is empty is null; in XML it is not there
    result.members = vec![
        ("Refs", Value::Null),
        ("Resources", Value::Null),
        ("Links", Value::Null),
    ];
    result.children = vec![entities, paging];
    result
}
