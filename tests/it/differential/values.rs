//! The values of rows, as answers have them.

use super::truth::{Kind, Row, Truth};
use crate::fifteen::answers::{first_line, fraction, rank, seconds, told};
use jiff::Timestamp;
use serde_json::{Value, json};
use veeam_graph::simulator::estate::Protected;

/// What is not known comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    Number(Option<i64>),
    Text(String),
}

fn text(value: impl ToString) -> Value {
    json!(value.to_string())
}

impl Truth {
    /// The value of a member, as answers have it; `None` where nothing is held against it.
    pub fn value(&self, row: Row, member: &str) -> Option<Value> {
        let (kind, place) = row;
        let estate = &self.estate;
        Some(match (kind, member) {
            (_, "uid") => text(self.uid(row)),
            (_, "health") => json!(self.health(row)),
            (_, "tape") => json!(self.tape(row)),
            (Kind::Job, _) => {
                let job = &estate.jobs[place];
                match member {
                    "name" => json!(job.name),
                    "kind" => json!(self.words().kind(place)),
                    "status" => json!(job.status),
                    "lastRun" => json!(told(job.last_run)),
                    "lastEndTime" => json!(told(job.last_end)),
                    "lastDurationSeconds" => json!(job.last_duration),
                    "avgDurationSeconds" => json!(job.avg_duration),
                    "transferredBytes" => json!(job.transferred),
                    "isEnabled" => json!(job.is_enabled),
                    "scheduleType" => json!(job.schedule),
                    "destination" => json!(job.destination),
                    "failureSummary" => json!(first_line(&job.failure)),
                    "lastSuccess" => json!(told(self.successes[place].0)),
                    "lastSuccessKnown" => json!(self.successes[place].1),
                    _ => return None,
                }
            }
            (Kind::Server, "name") => json!(estate.servers[place].name),
            (Kind::Server, "version") => json!(estate.servers[place].version),
            (Kind::Server, "status") => json!(estate.servers[place].status),
            (Kind::Company, "name") => json!(estate.companies[place].name),
            (Kind::Company, "type") => json!(estate.companies[place].kind),
            (Kind::Company, "city") => json!(estate.companies[place].city),
            (Kind::Machine, _) => {
                let machine = &estate.machines[place];
                match member {
                    "computer" => json!(machine.computer),
                    "backupStatus" => json!(machine.status),
                    "lastRun" => json!(told(machine.last_run)),
                    "lastEndTime" => json!(told(machine.last_end)),
                    "lastDurationSeconds" => json!(machine.last_duration),
                    "restorePointsCount" => json!(machine.restore_points),
                    "failureSummary" => json!(first_line(&machine.failure)),
                    "agentUid" => text(machine.agent),
                    _ => return None,
                }
            }
            (Kind::Session, _) => {
                let session = &estate.sessions[place];
                match member {
                    "jobName" => json!(session.job_name),
                    "result" => json!(session.result),
                    "progress" => json!(session.progress),
                    "isRetry" => json!(session.is_retry),
                    "startedAt" => json!(told(fraction(session.created))),
                    "endedAt" => json!(told(session.ended.map(fraction))),
                    "durationSeconds" => {
                        json!(session.ended.map(|ended| seconds(session.created, ended)))
                    }
                    "failureSummary" => json!(first_line(&session.failure)),
                    _ => return None,
                }
            }
            (Kind::Repository, "name") => json!(estate.repositories[place].name),
            (Kind::Repository, "capacityBytes") => json!(estate.repositories[place].capacity),
            (Kind::Repository, "freeBytes") => json!(estate.repositories[place].free),
            (Kind::Alarm, "objectName") => json!(self.subject_name(place)),
            (Kind::Alarm, "severity") => json!(self.alarms[&place].0),
            (Kind::Alarm, "status") => json!(estate.alarms[place].status),
            (Kind::Alarm, "repeatCount") => json!(estate.alarms[place].repeats),
            (Kind::Alarm, "lastActivation") => json!(told(estate.alarms[place].at)),
            (Kind::Workload, _) => {
                let workload = &estate.workloads[self.workloads[place].row];
                match member {
                    "name" => json!(workload.name),
                    "kind" => json!(self.workload_kind(place)),
                    "latestRestorePoint" => json!(told(workload.latest)),
                    "restorePointsCount" => {
                        json!((workload.kind == Protected::Vm).then_some(workload.restore_points))
                    }
                    _ => return None,
                }
            }
            (Kind::Agent, "machineName") => json!(estate.machines[self.agents[place]].computer),
            (Kind::Agent, "osType") => {
                json!(estate.jobs[estate.machines[self.agents[place]].job].os)
            }
            (Kind::Link, "linkedJobUid") => text(self.uid(row)),
            (Kind::ConsoleAgent, _) => {
                let agent = self.console_agent(place);
                let jobs = || {
                    estate
                        .console_jobs
                        .iter()
                        .filter(|job| job.agent == agent.uid)
                };
                match member {
                    "name" => json!(agent.name),
                    "managementMode" => json!(agent.mode),
                    "totalJobsCount" => json!(jobs().count()),
                    "successJobsCount" => {
                        json!(jobs().filter(|job| job.status == "Success").count())
                    }
                    "operationMode" => json!("Workstation"),
                    _ => return None,
                }
            }
            (Kind::ConsoleJob, _) => {
                let job = self.console_job(place);
                match member {
                    "name" => json!(job.name),
                    "status" => json!(job.status),
                    "lastRun" => json!(told(job.last_run)),
                    "isEnabled" => json!(job.is_enabled),
                    "backupBytes" => json!(job.bytes),
                    "freeBytes" => json!(job.free),
                    "originalUid" => {
                        json!((!job.original.is_nil()).then(|| job.original.to_string()))
                    }
                    _ => return None,
                }
            }
            (Kind::License, _) => {
                let company = self.licenses[place];
                let of_unit = |unit: &str| -> f64 {
                    let uses = estate.licenses.iter();
                    uses.filter(|row| row.company == company && row.unit == unit)
                        .map(|row| row.used)
                        .sum()
                };
                match member {
                    "usedPoints" => json!(of_unit("Points")),
                    "usedInstances" => json!(of_unit("Instances")),
                    _ => return None,
                }
            }
            (Kind::AgentJob, _) => {
                let (agent, job) = self.agent_jobs[place];
                let job = &estate.agents[agent].jobs[job];
                // v2 tells fractions of a second
                let at = |at: Option<Timestamp>| {
                    json!(at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.767Z").to_string()))
                };
                match member {
                    "lastSessionStatus" => json!(job.status),
                    "lastRun" => at(job.last_run),
                    "nextRun" => at(job.next_run),
                    "backupSizeBytes" => json!(job.size),
                    "freeSpaceBytes" => json!(job.free),
                    _ => return None,
                }
            }
            (Kind::Link, "resolved") => json!(self.job_of(&estate.tape_links[place]).is_some()),
            _ => return None,
        })
    }

    /// What rows are ordered by.
    pub fn sort_key(&self, (kind, place): Row, field: &str) -> SortKey {
        let estate = &self.estate;
        let instant = |at: Option<Timestamp>| SortKey::Number(at.map(|at| at.as_microsecond()));
        match (kind, field) {
            (Kind::Job, "NAME") => SortKey::Text(estate.jobs[place].name.to_lowercase()),
            (Kind::Job, "LAST_RUN") => instant(estate.jobs[place].last_run),
            (Kind::Job, "LAST_END_TIME") => instant(estate.jobs[place].last_end),
            (Kind::Job, "DURATION") => SortKey::Number(estate.jobs[place].last_duration),
            (_, "HEALTH") => SortKey::Number(Some(rank(self.health((kind, place))) as i64)),
            (Kind::Session, "STARTED_AT") => instant(Some(estate.sessions[place].created)),
            (Kind::Session, "ENDED_AT") => instant(estate.sessions[place].ended),
            (Kind::Session, "DURATION") => {
                let session = &estate.sessions[place];
                SortKey::Number(session.ended.map(|ended| seconds(session.created, ended)))
            }
            (Kind::Session, _) => SortKey::Text(estate.sessions[place].job_name.to_lowercase()),
            (Kind::Repository, "NAME") => {
                SortKey::Text(estate.repositories[place].name.to_lowercase())
            }
            (Kind::Repository, "CAPACITY_BYTES") => {
                SortKey::Number(estate.repositories[place].capacity)
            }
            (Kind::Repository, _) => SortKey::Number(estate.repositories[place].free),
            _ => SortKey::Number(None),
        }
    }
}
