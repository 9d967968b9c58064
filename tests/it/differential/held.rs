//! Holds an answer against what is so.
//!
//! A value may differ only where that is told: it may be null or unknown below the path of an
//! error, and rows may be missing from a list that says that it is not complete. No row may be
//! there twice, or be somebody else's, even then.

use super::{
    questions::{Field, List, Root, Selection, Shape, has_server},
    truth::{Edge, Kind, Row, Truth},
};
use serde_json::{Value, json};
use std::collections::HashSet;

pub struct Held<'a> {
    truth: &'a Truth,
    /// The paths of the answer's errors.
    told: Vec<Vec<String>>,
    /// Whether nothing was ever wrong with what the gateway read.
    is_calm: bool,
    pub wrong: Vec<String>,
}

/// The pages before.
#[derive(Clone, Default)]
pub struct Passed {
    /// How many rows they had, with those of which it can't be told which they are.
    count: usize,
    rows: HashSet<Row>,
}

/// What one page came to.
pub struct Page {
    /// A row of it that can be told from all others, and its global id.
    pub some: Option<(String, Row)>,
    pub passed: Passed,
    pub is_told: bool,
    pub next: Option<String>,
}

fn is_on_tape(status: &Value) -> bool {
    status
        .as_str()
        .is_some_and(|status| status.starts_with("ON_TAPE"))
}

fn below(path: &[String], member: &str) -> Vec<String> {
    path.iter().cloned().chain([member.to_owned()]).collect()
}

impl<'a> Held<'a> {
    pub fn of(truth: &'a Truth, answer: &Value, is_calm: bool) -> Self {
        let step = |step: &Value| {
            step.as_str()
                .map_or_else(|| step.to_string(), str::to_owned)
        };
        let path = |error: &Value| {
            error["path"]
                .as_array()
                .map(|path| path.iter().map(step).collect())
                .unwrap_or_default()
        };
        let told = answer["errors"]
            .as_array()
            .map(|errors| errors.iter().map(path).collect())
            .unwrap_or_default();
        Self {
            truth,
            told,
            is_calm,
            wrong: Vec::new(),
        }
    }

    pub fn has_errors(&self) -> bool {
        !self.told.is_empty()
    }

    fn is_told(&self, path: &[String]) -> bool {
        self.told.iter().any(|told| path.starts_with(told))
    }

    fn say(&mut self, path: &[String], what: impl std::fmt::Display) {
        self.wrong.push(format!("{}: {what}", path.join(".")));
    }

    /// The whole answer; of a list `before` are the rows of the pages before.
    pub fn root(&mut self, root: &Root, data: &Value, before: &Passed) -> Option<Page> {
        match root {
            Root::List { name, list } => {
                let all = list.of_fleet(self.truth);
                Some(self.list(&[(*name).to_owned()], &data[name], list, all, before))
            }
            Root::One { name, row, of, .. } => {
                self.one(&[(*name).to_owned()], &data[name], *row, of);
                None
            }
            Root::Node { row, of, .. } => {
                self.one(&["node".to_owned()], &data["node"], Some(*row), of);
                None
            }
            Root::Fleet {
                by_company,
                with_logs,
            } => {
                self.fleet(&data["fleetHealth"], *by_company, *with_logs);
                None
            }
        }
    }

    fn one(&mut self, path: &[String], value: &Value, row: Option<Row>, of: &Selection) {
        match (value, row) {
            (Value::Null, None) => {}
            (Value::Null, Some(row)) => {
                if !self.is_told(path) {
                    self.say(path, format!("null without an error, {row:?} is there"));
                }
            }
            (value, None) => self.say(path, format!("there is none, but {value}")),
            (value, Some(row)) => {
                if self.find(value, of.kind).contains(&row) {
                    self.row(path, value, row, of);
                } else if !value["uid"].is_null() {
                    self.say(
                        path,
                        format!(
                            "another row than {row:?} ({}): {value}",
                            self.truth.uid(row)
                        ),
                    );
                }
            }
        }
    }

    /// The rows that this may be, by what tells rows apart.
    fn find(&self, value: &Value, kind: Kind) -> Vec<Row> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let uid = match kind {
            Kind::Link => &value["linkedJobUid"],
            Kind::License => &value["companyUid"],
            Kind::AgentJob => &value["agentUid"],
            _ => &value["uid"],
        };
        // whose it is tells only where its id does not
        let is_company = |row: &Row| {
            let company = value["company"]["uid"].as_str();
            let of_row = self.truth.company_uid(*row).map(|uid| uid.to_string());
            company.is_none() || of_row.as_deref() == company
        };
        let all = self.truth.named(kind, &text(uid));
        let is_shared =
            all.len() > 1 && matches!(kind, Kind::Workload | Kind::ConsoleAgent | Kind::ConsoleJob);
        let is_job_of_agent = |row: &Row| {
            let (agent, job) = self.truth.agent_jobs[row.1];
            value["name"] == self.truth.estate.agents[agent].jobs[job].name
        };
        let server = value["backupServer"]["uid"].as_str();
        let is_it = |row: &&Row| {
            let of_row = self
                .truth
                .server_of(**row)
                .map(|place| self.truth.estate.servers[place].uid.to_string());
            let is_job = || {
                let job = &self.truth.estate.jobs[self.truth.estate.tape_links[row.1].job];
                value["jobUid"] == job.uid.to_string()
            };
            (server.is_none() || of_row.as_deref() == server)
                && (kind != Kind::Link || is_job())
                && (kind != Kind::AgentJob || is_job_of_agent(row))
                && (!is_shared || is_company(row))
        };
        all.iter().filter(is_it).copied().collect()
    }

    fn row(&mut self, path: &[String], value: &Value, row: Row, of: &Selection) {
        if has_server(of.kind) {
            let server = self
                .truth
                .server_of(row)
                .map(|place| self.truth.estate.servers[place].uid.to_string());
            let is_free = matches!(self.truth.edge(row, "backupServer"), Edge::Free);
            let (at, shown) = (
                below(path, "backupServer"),
                value["backupServer"]["uid"].as_str(),
            );
            if shown != server.as_deref() && !is_free && (shown.is_some() || !self.is_told(&at)) {
                self.say(&at, format!("{shown:?} is not {server:?}"));
            }
        }
        for Field { name, shape } in &of.fields {
            let (at, shown) = (below(path, name), &value[name]);
            match shape {
                Shape::Value => self.value(&at, shown, row, name),
                Shape::One(of) => {
                    if let Edge::One(leads) = self.truth.edge(row, name) {
                        self.one(&at, shown, leads, of);
                    }
                }
                Shape::Machines(_) if value.get(name).is_none() => {
                    if self.truth.words().kind(row.1).starts_with("AGENT") {
                        self.say(&at, "an agent job without machines");
                    }
                }
                Shape::Rows(of) => self.rows(&at, shown, row, name, of),
                Shape::List(list) | Shape::Machines(list) => {
                    if let Some(all) = list.of_parent(self.truth, row, name) {
                        self.list(&at, shown, list, all, &Passed::default());
                    }
                }
            }
        }
    }

    /// All rows that an edge leads to, in no order; null where there can be none.
    fn rows(&mut self, path: &[String], shown: &Value, row: Row, name: &str, of: &Selection) {
        let wanted = match self.truth.edge(row, name) {
            Edge::Free => return,
            Edge::One(_) => None,
            Edge::Many(rows) => Some(rows),
        };
        let (Some(nodes), Some(wanted)) = (shown.as_array(), &wanted) else {
            if shown.is_null() != wanted.is_none() && !self.is_told(path) {
                self.say(path, format!("{shown}, wanted are {wanted:?}"));
            }
            return;
        };
        let mut left = wanted.clone();
        for (place, node) in nodes.iter().enumerate() {
            let at = below(path, &place.to_string());
            let candidates = self.find(node, of.kind);
            let Some(found) = left.iter().position(|row| candidates.contains(row)) else {
                self.say(&at, format!("a row that does not belong there: {node}"));
                continue;
            };
            let row = left.swap_remove(found);
            if candidates.len() == 1 {
                self.row(&at, node, row, of);
            }
        }
        if !left.is_empty() && !self.is_told(path) {
            self.say(path, format!("{left:?} are missing"));
        }
    }

    fn value(&mut self, path: &[String], shown: &Value, row: Row, name: &str) {
        if name == "matchedBy" {
            // by what it was found hangs on what could be read; that it was found at all is the
            // job's own error
            let is_known = matches!(
                shown.as_str(),
                Some("SERVER_AND_JOB_UID" | "JOB_UID" | "SERVER_AND_NAME" | "NONE")
            );
            let is_orphan = self.truth.is_orphan(&self.truth.estate.sessions[row.1]);
            if !is_known
                || self.is_calm
                    && !is_orphan
                    && !self.is_told(path)
                    && *shown != "SERVER_AND_JOB_UID"
            {
                self.say(path, format!("{shown} is not how a session is found"));
            }
            return;
        }
        let Some(wanted) = self.truth.value(row, name) else {
            return;
        };
        let shown = if name == "tape" {
            &shown["status"]
        } else {
            shown
        };
        let is_told = self.is_told(path);
        let may_differ = match name {
            // that a way to tape can't be told is an answer, with its reason; and of several ways
            // one may not have been seen
            "tape" if self.is_calm => false,
            "tape" => {
                *shown == "UNKNOWN"
                    || shown.is_null() && is_told
                    || is_on_tape(shown) && is_on_tape(&wanted)
            }
            "lastSuccessKnown" | "resolved" => {
                is_told && (shown.is_null() || *shown == json!(false))
            }
            // a row that can't be read costs itself: of its machine an older one is shown, in a list
            // that is not complete
            "latestRestorePoint" => is_told,
            _ => is_told && shown.is_null(),
        };
        if *shown != wanted && !may_differ {
            self.say(path, format!("{shown} is not {wanted}"));
        }
    }

    fn list(
        &mut self,
        path: &[String],
        value: &Value,
        list: &List,
        all: Vec<Row>,
        before: &Passed,
    ) -> Page {
        let wanted = list.rows(self.truth, all);
        let is_told = value["complete"] == false || self.is_told(path);
        if value["complete"] == false && !self.is_told(path) {
            self.say(path, "incomplete without an error");
        }
        let (total, nodes) = (
            &value["totalCount"],
            value["nodes"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default(),
        );
        let rest = wanted.len().saturating_sub(before.count);
        if !is_told {
            if *total != wanted.len() {
                self.say(path, format!("a total of {total}, {} wanted", wanted.len()));
            } else if nodes.len() != rest.min(list.first) {
                self.say(
                    path,
                    format!("{} rows, {} wanted", nodes.len(), rest.min(list.first)),
                );
            }
        } else if total
            .as_u64()
            .is_some_and(|total| total != wanted.len() as u64)
        {
            self.say(
                path,
                format!(
                    "a total of {total} of a list that is not complete, {} wanted",
                    wanted.len()
                ),
            );
        }
        let (mut seen, mut some) = (before.rows.clone(), None);
        for (place, node) in nodes.iter().enumerate() {
            let at = below(&below(path, "nodes"), &place.to_string());
            let has_uid = !matches!(list.of.kind, Kind::Link | Kind::License | Kind::AgentJob);
            if node["uid"].is_null() && has_uid {
                if !is_told && self.is_calm {
                    self.say(&at, "a row without an id");
                }
                continue;
            }
            let candidates = self.find(node, list.of.kind);
            let Some(row) = candidates.iter().find(|row| !seen.contains(row)).copied() else {
                self.say(
                    &at,
                    if candidates.is_empty() {
                        format!("a row that is not there: {node}")
                    } else {
                        format!("a row twice: {node}")
                    },
                );
                continue;
            };
            let row = candidates
                .iter()
                .find(|row| wanted.contains(row) && !seen.contains(row))
                .copied()
                .unwrap_or(row);
            if !wanted.contains(&row) && !is_told {
                self.say(&at, format!("a row that does not belong there: {node}"));
            }
            // which of several it is can't be told where its server can't
            if let (Some(order), false, 1) = (&list.order, is_told, candidates.len()) {
                let (has, needs) = (
                    self.truth.sort_key(row, order.field),
                    wanted.get(before.count + place),
                );
                if needs.is_some_and(|needs| self.truth.sort_key(*needs, order.field) != has) {
                    self.say(&at, format!("out of order: {node}"));
                }
            }
            if candidates.len() > 1 {
                continue;
            }
            seen.insert(row);
            if self.truth.is_only(row) {
                some = node["id"].as_str().map(|id| (id.to_owned(), row)).or(some);
            }
            self.row(&at, node, row, &list.of);
        }
        let next = value["pageInfo"]["endCursor"]
            .as_str()
            .filter(|_| value["pageInfo"]["hasNextPage"] == true)
            .map(str::to_owned);
        if !is_told && next.is_some() != (rest > nodes.len()) {
            self.say(
                path,
                format!("hasNextPage {}, {rest} rows were left", next.is_some()),
            );
        }
        Page {
            some,
            passed: Passed {
                count: before.count + nodes.len(),
                rows: seen,
            },
            is_told,
            next,
        }
    }

    fn fleet(&mut self, value: &Value, by_company: bool, with_logs: bool) {
        let path = ["fleetHealth".to_owned()];
        let (kind, edge) = if by_company {
            (Kind::Company, "company")
        } else {
            (Kind::Server, "backupServer")
        };
        let rows = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut left: HashSet<Row> = self.truth.all(kind).into_iter().collect();
        let (mut is_whole, truth) = (!self.is_told(&path), self.truth);
        for (place, shown) in rows.iter().enumerate() {
            let at = below(&path, &place.to_string());
            let is_told = shown["complete"] == false
                || self.is_told(&at)
                || self.told.iter().any(|told| told.starts_with(&at));
            is_whole &= !is_told;
            if is_told && !self.has_errors() {
                self.say(&at, "incomplete without an error");
            }
            let found = truth
                .named(kind, shown[edge]["uid"].as_str().unwrap_or_default())
                .first()
                .copied();
            let Some(group) = found else {
                if !is_told {
                    self.say(&at, format!("a row of nobody: {shown}"));
                }
                continue;
            };
            if !left.remove(&group) {
                self.say(&at, "a row twice");
            }
            let is_its = |row: &Row| match group {
                (Kind::Company, company) => {
                    truth.company_uid(*row) == Some(truth.estate.companies[company].uid)
                }
                (_, server) => truth.server_of(*row) == Some(server),
            };
            for (member, of) in [("jobs", Kind::Job), ("agentObjects", Kind::Machine)] {
                let is_counted = |row: &Row| {
                    of != Kind::Job || with_logs || truth.words().kind(row.1) != "LOG_BACKUP"
                };
                let healths: Vec<&str> = truth
                    .all(of)
                    .iter()
                    .filter(|row| is_its(row) && is_counted(row))
                    .map(|row| truth.health(*row))
                    .collect();
                let count = |word: &str| healths.iter().filter(|health| **health == word).count();
                let wanted = json!({
                    "total": healths.len(), "success": count("SUCCESS"), "warning": count("WARNING"), "failed": count("FAILED"),
                    "running": count("RUNNING"), "waiting": count("WAITING"), "idle": count("IDLE"), "neverRan": count("NEVER_RAN"),
                    "unknown": count("UNKNOWN"),
                });
                if shown[member] != wanted && !is_told {
                    self.say(
                        &below(&at, member),
                        format!("{} is not {wanted}", shown[member]),
                    );
                }
            }
        }
        let is_empty = |row: &Row| {
            !truth.all(Kind::Job).iter().any(|job| match *row {
                (Kind::Company, company) => {
                    truth.company_uid(*job) == Some(truth.estate.companies[company].uid)
                }
                (_, server) => truth.server_of(*job) == Some(server),
            })
        };
        if is_whole && let Some(missing) = left.iter().find(|row| !is_empty(row)) {
            self.say(&path, format!("no row of {missing:?}"));
        }
    }
}
