//! Random filters, each with the same in plain words.

use super::{
    questions::RequestContext,
    truth::{Kind, Row, Truth},
};
use crate::fifteen::answers::{fraction, hours, is_within};

/// Whether a row fits a filter.
type Holds = Box<dyn Fn(&Truth, Row) -> bool + Send + Sync>;

pub struct Filter {
    pub text: String,
    pub holds: Holds,
}

impl RequestContext<'_> {
    /// Some filter for rows of a type; none where there is none.
    pub fn filter(&mut self, kind: Kind, depth: usize) -> Option<Filter> {
        if depth > 0 && self.dice.roll(5) == 0 {
            let (left, right) = (self.filter(kind, depth - 1)?, self.filter(kind, depth - 1)?);
            let (one, two) = (left.holds, right.holds);
            return Some(match self.dice.roll(3) {
                0 => Filter {
                    text: format!("{{ and: [{}, {}] }}", left.text, right.text),
                    holds: Box::new(move |truth, row| one(truth, row) && two(truth, row)),
                },
                1 => Filter {
                    text: format!("{{ or: [{}, {}] }}", left.text, right.text),
                    holds: Box::new(move |truth, row| one(truth, row) || two(truth, row)),
                },
                _ => Filter {
                    text: format!("{{ not: {} }}", left.text),
                    holds: Box::new(move |truth, row| !one(truth, row)),
                },
            });
        }
        let of = |text: String, holds: Holds| {
            Some(Filter {
                text: format!("{{ {text} }}"),
                holds,
            })
        };
        let server = self.dice.one_of(&self.truth.estate.servers).uid;
        let company = self.dice.one_of(&self.truth.estate.companies).uid;
        let by_server = || {
            of(
                format!("backupServerUid: \"{server}\""),
                Box::new(move |truth, row| {
                    truth
                        .server_of(row)
                        .is_some_and(|place| truth.estate.servers[place].uid == server)
                }),
            )
        };
        let by_company = || {
            of(
                format!("companyUid: \"{company}\""),
                Box::new(move |truth, row| truth.company_uid(row) == Some(company)),
            )
        };
        let by_text = |member: &str, part: String, value: &'static str| {
            let wanted = part.to_lowercase();
            of(
                format!("{member}: \"{part}\""),
                Box::new(move |truth, row| {
                    truth
                        .value(row, value)
                        .unwrap()
                        .as_str()
                        .unwrap()
                        .to_lowercase()
                        .contains(&wanted)
                }),
            )
        };
        const HEALTHS: [&str; 8] = [
            "SUCCESS",
            "WARNING",
            "FAILED",
            "RUNNING",
            "WAITING",
            "IDLE",
            "NEVER_RAN",
            "UNKNOWN",
        ];
        const WAYS: [&str; 4] = [
            "NOT_ON_TAPE",
            "ON_TAPE_BY_JOB",
            "ON_TAPE_BY_REPOSITORY",
            "ON_TAPE_VIA_COPY",
        ];
        let healths = self.some_of(&HEALTHS, 3);
        let by_health = || {
            of(
                format!("health: [{}]", healths.join(", ")),
                Box::new(move |truth, row| healths.contains(&truth.health(row))),
            )
        };
        let way = *self.dice.one_of(&WAYS);
        let by_tape = || {
            of(
                format!("tapeStatus: [{way}]"),
                Box::new(move |truth, row| truth.tape(row) == way),
            )
        };
        let span = *self.dice.one_of(&[2_i64, 8, 24, 72, 240]);
        let number = self.dice.roll(10).to_string();
        match (kind, self.dice.roll(8)) {
            (Kind::Job, 0) => by_health(),
            (Kind::Job, 1) => {
                const KINDS: [&str; 8] = [
                    "AGENT_BACKUP",
                    "VM_BACKUP",
                    "BACKUP_TO_TAPE",
                    "BACKUP_COPY",
                    "SIMPLE_BACKUP_COPY",
                    "REPLICATION",
                    "LOG_BACKUP",
                    "OTHER",
                ];
                let kinds = self.some_of(&KINDS, 3);
                of(
                    format!("kind: [{}]", kinds.join(", ")),
                    Box::new(move |truth, (_, job)| kinds.contains(&truth.words().kind(job))),
                )
            }
            (Kind::Job, 2) => by_text("nameContains", number, "name"),
            (Kind::Job, 3) => by_company(),
            (Kind::Job, 4) => by_server(),
            (Kind::Job, 5) => by_tape(),
            (Kind::Job, 6) => of(
                format!("notSucceededFor: {{ hours: {span} }}"),
                Box::new(move |truth, (_, job)| {
                    truth
                        .last_success(job)
                        .is_none_or(|at| !is_within(at, hours(span)))
                }),
            ),
            (Kind::Job, _) => of(
                format!("enabled: true, endedWithin: {{ hours: {span} }}"),
                Box::new(move |truth, (_, job)| {
                    let job = &truth.estate.jobs[job];
                    job.is_enabled && job.last_end.is_some_and(|at| is_within(at, hours(span)))
                }),
            ),
            (Kind::Machine, 0 | 1) => by_health(),
            (Kind::Machine, 2) => by_text("computerContains", number, "computer"),
            (Kind::Machine, 3) => by_company(),
            (Kind::Machine, 4) => by_server(),
            (Kind::Machine, 5) => by_tape(),
            (Kind::Machine, _) => of(
                format!("olderThan: {{ hours: {span} }}"),
                Box::new(move |truth, row| {
                    truth
                        .newest(row)
                        .is_none_or(|at| !is_within(at, hours(span)))
                }),
            ),
            (Kind::Session, 0 | 1) => by_health(),
            (Kind::Session, 2) => by_text("jobNameContains", number, "jobName"),
            (Kind::Session, 3) => by_server(),
            (Kind::Session, _) => of(
                format!("within: {{ hours: {span} }}"),
                Box::new(move |truth, (_, place)| {
                    is_within(fraction(truth.estate.sessions[place].created), hours(span))
                }),
            ),
            (Kind::Server | Kind::Company | Kind::Repository, 0..=2) => {
                by_text("nameContains", number, "name")
            }
            (Kind::Server, _) => by_company(),
            (Kind::Repository, 3..=4) => by_server(),
            (Kind::Repository, 5) => by_company(),
            (Kind::Repository, _) => by_tape(),
            (Kind::Alarm, 0..=2) => by_company(),
            (Kind::Alarm, 3..=5) => of(
                "severity: [ERROR, INFO]".to_owned(),
                Box::new(|truth, row| {
                    ["ERROR", "INFO"]
                        .contains(&truth.value(row, "severity").unwrap().as_str().unwrap())
                }),
            ),
            (Kind::Alarm, _) => of(
                format!("within: {{ hours: {span} }}"),
                Box::new(move |truth, (_, place)| {
                    is_within(truth.estate.alarms[place].at, hours(span))
                }),
            ),
            (Kind::Workload, 0..=1) => by_company(),
            (Kind::Workload, 2) => by_server(),
            (Kind::Workload, 3..=4) => by_text("nameContains", number, "name"),
            (Kind::Workload, _) => of(
                format!("rpoBreached: {{ hours: {span} }}"),
                Box::new(move |truth, row| {
                    truth
                        .newest(row)
                        .is_none_or(|at| !is_within(at, hours(span)))
                }),
            ),
            (Kind::Agent, _) => by_server(),
            _ => None,
        }
    }
}
