//! Random questions: which rows, which of their members, where their edges lead, filtered, ordered
//! and cut.

use super::{
    filters::Filter,
    truth::{Edge, Kind, Row, Truth},
};
use crate::isolation::questions::Dice;
use uuid::Uuid;

pub struct Order {
    pub field: &'static str,
    pub is_descending: bool,
}

/// A list: its rows as asked for, before they are cut.
pub struct List {
    pub filter: Option<Filter>,
    pub order: Option<Order>,
    pub first: usize,
    /// Of the agent with this place alone, which is then an argument.
    pub of_agent: Option<usize>,
    pub of: Selection,
}

pub enum Shape {
    Value,
    One(Selection),
    List(List),
    /// On agent jobs alone.
    Machines(List),
    /// All of them, without pages; null where there can be none.
    Rows(Selection),
}

pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
}

pub struct Selection {
    pub kind: Kind,
    pub fields: Vec<Field>,
}

/// A field of `Query`.
pub enum Root {
    List {
        name: &'static str,
        list: List,
    },
    /// One row, or nothing, by its id.
    One {
        arguments: String,
        name: &'static str,
        row: Option<Row>,
        of: Selection,
    },
    /// One row by the global id that an answer gave it.
    Node {
        id: String,
        row: Row,
        of: Selection,
    },
    /// How the fleet is: by company or by server.
    Fleet {
        by_company: bool,
        with_logs: bool,
    },
}

fn values(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => &[
            "name",
            "kind",
            "health",
            "status",
            "lastRun",
            "lastEndTime",
            "lastDurationSeconds",
            "avgDurationSeconds",
            "transferredBytes",
            "isEnabled",
            "scheduleType",
            "destination",
            "failureSummary",
            "lastSuccess",
            "lastSuccessKnown",
            "tape",
        ],
        Kind::Server => &["name", "version", "status"],
        Kind::Company => &["name", "type", "city"],
        Kind::Machine => &[
            "computer",
            "backupStatus",
            "health",
            "lastRun",
            "lastEndTime",
            "lastDurationSeconds",
            "restorePointsCount",
            "failureSummary",
            "agentUid",
            "tape",
        ],
        Kind::Session => &[
            "jobName",
            "result",
            "health",
            "progress",
            "isRetry",
            "startedAt",
            "endedAt",
            "durationSeconds",
            "failureSummary",
            "matchedBy",
        ],
        Kind::Repository => &["name", "capacityBytes", "freeBytes", "tape"],
        Kind::Alarm => &[
            "severity",
            "status",
            "repeatCount",
            "lastActivation",
            "objectName",
        ],
        Kind::Workload => &["name", "kind", "latestRestorePoint", "restorePointsCount"],
        Kind::Agent => &["machineName", "osType"],
        Kind::Link => &["linkedJobUid", "resolved"],
        Kind::ConsoleAgent => &[
            "name",
            "managementMode",
            "totalJobsCount",
            "successJobsCount",
            "operationMode",
        ],
        Kind::ConsoleJob => &[
            "name",
            "health",
            "status",
            "lastRun",
            "isEnabled",
            "backupBytes",
            "freeBytes",
            "originalUid",
        ],
        Kind::License => &["usedPoints", "usedInstances"],
        Kind::AgentJob => &[
            "lastSessionStatus",
            "health",
            "lastRun",
            "nextRun",
            "backupSizeBytes",
            "freeSpaceBytes",
            "statusCode",
        ],
    }
}

/// Edges: their names, where they lead, and whether to many.
fn edges(kind: Kind) -> &'static [(&'static str, Kind, bool)] {
    match kind {
        Kind::Job => &[
            ("company", Kind::Company, false),
            ("lastSession", Kind::Session, false),
            ("sessions", Kind::Session, true),
            ("objects", Kind::Machine, true),
        ],
        Kind::Server => &[
            ("company", Kind::Company, false),
            ("jobs", Kind::Job, true),
            ("agentJobs", Kind::Job, true),
            ("tapeJobs", Kind::Job, true),
            ("backupCopyJobs", Kind::Job, true),
            ("repositories", Kind::Repository, true),
            ("sessions", Kind::Session, true),
            ("tapeLinkedJobs", Kind::Link, true),
            ("backupAgents", Kind::Agent, true),
        ],
        Kind::Company => &[
            ("jobs", Kind::Job, true),
            ("backupServers", Kind::Server, true),
            ("agentJobObjects", Kind::Machine, true),
            ("repositories", Kind::Repository, true),
            ("alarms", Kind::Alarm, true),
            ("workloads", Kind::Workload, true),
            ("consoleAgents", Kind::ConsoleAgent, true),
        ],
        Kind::Machine => &[
            ("job", Kind::Job, false),
            ("company", Kind::Company, false),
            ("agent", Kind::Agent, false),
        ],
        Kind::Session => &[
            ("job", Kind::Job, false),
            ("parent", Kind::Session, false),
            ("children", Kind::Session, true),
        ],
        Kind::Repository => &[("company", Kind::Company, false)],
        Kind::Alarm => &[("company", Kind::Company, false), ("job", Kind::Job, false)],
        Kind::Workload => &[
            ("company", Kind::Company, false),
            ("jobs", Kind::Job, true),
            ("agent", Kind::ConsoleAgent, false),
        ],
        Kind::ConsoleAgent => &[
            ("company", Kind::Company, false),
            ("jobs", Kind::ConsoleJob, true),
        ],
        Kind::ConsoleJob => &[
            ("company", Kind::Company, false),
            ("agent", Kind::ConsoleAgent, false),
        ],
        Kind::License => &[("company", Kind::Company, false)],
        Kind::AgentJob => &[],
        Kind::Agent => &[],
        Kind::Link => &[("job", Kind::Job, false), ("linkedJob", Kind::Job, false)],
    }
}

/// Whether a row has an edge to its server.
pub fn has_server(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Server
            | Kind::Company
            | Kind::ConsoleAgent
            | Kind::ConsoleJob
            | Kind::License
            | Kind::AgentJob
    )
}

/// The members that tell rows of a type apart, beside their server.
fn identity(kind: Kind) -> &'static str {
    match kind {
        Kind::Link => "jobUid linkedJobUid",
        Kind::License => "companyUid",
        // the oldest agents give their jobs no ids
        Kind::AgentJob => "agentUid name",
        // an id may be one of hardware, which two companies share
        Kind::Workload | Kind::ConsoleAgent => "uid company { uid }",
        Kind::ConsoleJob => "uid agentUid company { uid }",
        _ => "uid",
    }
}

/// The type's name in the schema; none where its rows have no global id.
fn type_name(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Job => "Job",
        Kind::Server => "BackupServer",
        Kind::Company => "Company",
        Kind::Machine => "AgentJobObject",
        Kind::Session => "AgentSession",
        Kind::Repository => "Repository",
        Kind::Alarm => "Alarm",
        Kind::Workload => "Workload",
        Kind::Agent => "BackupAgent",
        Kind::ConsoleAgent => "ConsoleAgent",
        Kind::ConsoleJob => "ConsoleAgentJob",
        Kind::AgentJob => "BackupAgentJob",
        Kind::Link | Kind::License => return None,
    })
}

pub struct RequestContext<'a> {
    pub truth: &'a Truth,
    pub dice: Dice,
}

impl RequestContext<'_> {
    pub fn some_of<T: Copy>(&mut self, of: &[T], most: usize) -> Vec<T> {
        let mut left = of.to_vec();
        let count = 1 + self.dice.roll(most.min(left.len()).max(1));
        (0..count)
            .filter(|_| !of.is_empty())
            .map(|_| left.swap_remove(self.dice.roll(left.len())))
            .collect()
    }

    fn selection(&mut self, kind: Kind, depth: usize) -> Selection {
        let values = self.some_of(values(kind), 4).into_iter().map(|name| Field {
            name,
            shape: Shape::Value,
        });
        let mut fields: Vec<Field> = values.collect();
        if depth > 0 && self.dice.roll(3) > 0 {
            for (name, to, is_list) in self.some_of(edges(kind), 2) {
                // asked for already
                if name == "company" && identity(kind).contains("company") {
                    continue;
                }
                let shape = match (is_list, name) {
                    (false, _) => Shape::One(self.selection(to, depth - 1)),
                    (true, "jobs") if kind == Kind::Workload => {
                        Shape::Rows(self.selection(to, depth - 1))
                    }
                    (true, "objects") => Shape::Machines(self.list(to, depth - 1, 5, name)),
                    (true, _) => Shape::List(self.list(to, depth - 1, 5, name)),
                };
                fields.push(Field { name, shape });
            }
        }
        Selection { kind, fields }
    }

    fn list(&mut self, kind: Kind, depth: usize, most: usize, name: &str) -> List {
        let can_filter = !matches!(
            kind,
            Kind::ConsoleAgent | Kind::ConsoleJob | Kind::License | Kind::AgentJob
        ) && !matches!(name, "children" | "tapeLinkedJobs");
        let has_filter = can_filter && self.dice.roll(2) == 0;
        let filter = if has_filter {
            self.filter(kind, 2)
        } else {
            None
        };
        let fields: &[&str] = match kind {
            Kind::Job => &["NAME", "LAST_RUN", "LAST_END_TIME", "DURATION", "HEALTH"],
            Kind::Session if name == "agentSessions" => {
                &["STARTED_AT", "ENDED_AT", "DURATION", "JOB_NAME", "HEALTH"]
            }
            Kind::Repository => &["NAME", "CAPACITY_BYTES", "FREE_BYTES"],
            _ => &[],
        };
        let can_order = !fields.is_empty() && name != "backupCopyJobs" && self.dice.roll(2) == 0;
        let order = can_order.then(|| Order {
            field: fields[self.dice.roll(fields.len())],
            is_descending: self.dice.roll(2) == 0,
        });
        let mut of = self.selection(kind, depth);
        if matches!(name, "tapeJobs" | "backupCopyJobs") {
            // no agent job is among them
            of.fields.retain(|field| field.name != "objects");
        }
        List {
            filter,
            order,
            first: 1 + self.dice.roll(most),
            of_agent: None,
            of,
        }
    }

    /// A field of `Query`.
    pub fn root(&mut self) -> Root {
        const LISTS: [(&str, Kind); 15] = [
            ("jobs", Kind::Job),
            ("jobs", Kind::Job),
            ("backupServers", Kind::Server),
            ("companies", Kind::Company),
            ("agentJobObjects", Kind::Machine),
            ("agentSessions", Kind::Session),
            ("repositories", Kind::Repository),
            ("alarms", Kind::Alarm),
            ("workloads", Kind::Workload),
            ("backupAgents", Kind::Agent),
            ("tapeLinkedJobs", Kind::Link),
            ("consoleAgents", Kind::ConsoleAgent),
            ("consoleAgentJobs", Kind::ConsoleJob),
            ("licenseUsage", Kind::License),
            ("backupAgentJobs", Kind::AgentJob),
        ];
        let depth = self.dice.roll(3);
        match self.dice.roll(16) {
            0 => Root::Fleet {
                by_company: self.dice.roll(2) == 0,
                with_logs: self.dice.roll(2) == 0,
            },
            1..=3 => self.lookup(depth),
            _ => {
                let (name, kind) = *self.dice.one_of(&LISTS);
                let most = if self.dice.roll(6) == 0 { 100 } else { 12 };
                let mut list = self.list(kind, depth, most, name);
                list.of_agent = (kind == Kind::AgentJob)
                    .then(|| self.dice.roll(self.truth.estate.agents.len()));
                Root::List { name, list }
            }
        }
    }

    /// Asks for a row again, by its global id.
    pub fn again(&mut self, id: String, row: Row) -> Root {
        let depth = self.dice.roll(2);
        let of = self.selection(row.0, depth);
        Root::Node { id, row, of }
    }

    fn lookup(&mut self, depth: usize) -> Root {
        let (name, kind) = *self.dice.one_of(&[
            ("job", Kind::Job),
            ("backupServer", Kind::Server),
            ("company", Kind::Company),
            ("agentSession", Kind::Session),
            ("repository", Kind::Repository),
        ]);
        let row = *self.dice.one_of(&self.truth.all(kind));
        // now and then an id that nobody has
        let is_there = self.dice.roll(8) > 0;
        let uid = if is_there {
            self.truth.uid(row)
        } else {
            Uuid::from_u128(0x4000_8000_0000_0000_0001 + self.dice.roll(1000) as u128)
        };
        let mut arguments = format!("uid: \"{uid}\"");
        if matches!(kind, Kind::Job | Kind::Repository) {
            let server = self.truth.estate.servers[self.truth.server_of(row).unwrap()].uid;
            arguments += &format!(", backupServerUid: \"{server}\"");
        }
        Root::One {
            arguments,
            name,
            row: is_there.then_some(row),
            of: self.selection(kind, depth),
        }
    }
}

impl List {
    /// The rows that fit, in the order that was asked for.
    pub fn rows(&self, truth: &Truth, all: Vec<Row>) -> Vec<Row> {
        let mut rows: Vec<Row> = all
            .into_iter()
            .filter(|row| {
                self.filter
                    .as_ref()
                    .is_none_or(|filter| (filter.holds)(truth, *row))
            })
            .collect();
        if let Some(order) = &self.order {
            rows.sort_by_key(|row| truth.sort_key(*row, order.field));
            if order.is_descending {
                rows.reverse();
            }
        }
        rows
    }

    /// All of its parent's, or of the whole fleet where there is none.
    pub fn of_fleet(&self, truth: &Truth) -> Vec<Row> {
        let is_top = |(kind, place): &Row| match kind {
            Kind::Session => truth.estate.sessions[*place].parent.is_none(),
            Kind::AgentJob => Some(truth.agent_jobs[*place].0) == self.of_agent,
            _ => true,
        };
        truth.all(self.of.kind).into_iter().filter(is_top).collect()
    }

    pub fn of_parent(&self, truth: &Truth, parent: Row, name: &str) -> Option<Vec<Row>> {
        match truth.edge(parent, name) {
            Edge::Many(rows) => Some(rows),
            _ => None,
        }
    }

    /// The text: `name(filter: …, first: …) { … }`.
    pub fn text(&self, truth: &Truth, name: &str, after: Option<&str>) -> String {
        let mut arguments = vec![format!("first: {}", self.first)];
        arguments.extend(
            self.of_agent
                .map(|agent| format!("agentUid: \"{}\"", truth.estate.agents[agent].id)),
        );
        arguments.extend(
            self.filter
                .as_ref()
                .map(|filter| format!("filter: {}", filter.text)),
        );
        arguments.extend(self.order.as_ref().map(|order| {
            let direction = if order.is_descending { "DESC" } else { "ASC" };
            format!(
                "orderBy: [{{ field: {}, direction: {direction} }}]",
                order.field
            )
        }));
        arguments.extend(after.map(|cursor| format!("after: \"{cursor}\"")));
        let page = "complete totalCount pageInfo { hasNextPage endCursor }";
        format!(
            "{name}({}) {{ {page} nodes {} }}",
            arguments.join(", "),
            self.of.text(truth)
        )
    }
}

impl Selection {
    /// With what tells rows apart.
    pub fn text(&self, truth: &Truth) -> String {
        let mut text = format!("{{ {} ", identity(self.kind));
        if type_name(self.kind).is_some() {
            text += "id ";
        }
        if has_server(self.kind) {
            text += "backupServer { uid } ";
        }
        for Field { name, shape } in &self.fields {
            text += &match shape {
                Shape::Value if *name == "tape" => "tape { status }".to_owned(),
                Shape::Value => (*name).to_owned(),
                Shape::One(of) | Shape::Rows(of) => format!("{name} {}", of.text(truth)),
                Shape::List(list) => list.text(truth, name, None),
                Shape::Machines(list) => {
                    format!("... on AgentJob {{ {} }}", list.text(truth, name, None))
                }
            };
            text.push(' ');
        }
        text.push('}');
        text
    }
}

impl Root {
    pub fn text(&self, truth: &Truth, after: Option<&str>) -> String {
        match self {
            Root::List { name, list } => format!("{{ {} }}", list.text(truth, name, after)),
            Root::Node { id, of, .. } => {
                let name = type_name(of.kind).unwrap_or("Node");
                format!(
                    "{{ node(id: \"{id}\") {{ ... on {name} {} }} }}",
                    of.text(truth)
                )
            }
            Root::One {
                arguments,
                name,
                of,
                ..
            } => format!("{{ {name}({arguments}) {} }}", of.text(truth)),
            Root::Fleet {
                by_company,
                with_logs,
            } => {
                let (group, edge) = if *by_company {
                    ("COMPANY", "company")
                } else {
                    ("BACKUP_SERVER", "backupServer")
                };
                let counts = "total success warning failed running waiting idle neverRan unknown";
                format!(
                    "{{ fleetHealth(groupBy: {group}, includeLogBackups: {with_logs}) {{ complete {edge} {{ uid }} jobs {{ {counts} }} agentObjects {{ {counts} }} }} }}"
                )
            }
        }
    }
}
