//! The answers to questions 1 to 9, worked out in the dumbest way from the simulator's data.

use crate::{isolation::rule::company_of, tape::coverage, walk::health, world::now};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};
use std::{cmp::Reverse, collections::BTreeMap};
use uuid::Uuid;
use veeam_graph::simulator::{
    Estate,
    estate::{Link, Session},
    job_members,
};

/// The estate with the words that answers use of it.
pub struct Words<'a>(pub &'a Estate);

pub fn hours(count: i64) -> Timestamp {
    now()
        .checked_sub(SignedDuration::from_hours(count))
        .unwrap()
}

/// Whether an instant is since another one, by one rule for all filters: what lies up to five
/// minutes ahead of our clock is recent.
pub fn is_within(at: Timestamp, since: Timestamp) -> bool {
    at >= since && at <= now().checked_add(SignedDuration::from_mins(5)).unwrap()
}

/// Enterprise Manager's instants have a fraction.
pub fn fraction(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(170)).unwrap()
}

/// As answers have it.
pub fn told(at: impl Into<Option<Timestamp>>) -> Option<String> {
    at.into().map(|at| at.to_string())
}

pub fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

pub fn rank(health: &str) -> usize {
    [
        "FAILED",
        "WARNING",
        "UNKNOWN",
        "NEVER_RAN",
        "WAITING",
        "RUNNING",
        "IDLE",
        "SUCCESS",
    ]
    .iter()
    .position(|word| *word == health)
    .unwrap()
}

pub fn first_line(message: &Option<String>) -> Option<&str> {
    message
        .as_deref()
        .map(|message| message.split("\r\n").next().unwrap())
        .filter(|line| !line.is_empty())
}

pub fn page(mut rows: Vec<Value>, first: usize) -> Value {
    let total = rows.len();
    rows.truncate(first);
    json!({"totalCount": total, "complete": true, "nodes": rows})
}

impl Words<'_> {
    pub fn kind(&self, job: usize) -> &'static str {
        match self.0.jobs[job].kind {
            "AgentBackupJob" => "AGENT_BACKUP",
            "AgentPolicy" => "AGENT_POLICY",
            "BackupVm" => "VM_BACKUP",
            "ReplicationVM" => "REPLICATION",
            "SimpleBackupCopy" => "SIMPLE_BACKUP_COPY",
            "SqlLogBackup" => "LOG_BACKUP",
            "BackupFile" => "FILE_SHARE_BACKUP",
            "SureBackup" => "SURE_BACKUP",
            "CdpReplicationVM" => "CDP_REPLICATION",
            "ObjectStorageBackup" => "OBJECT_STORAGE_BACKUP",
            "BackupToTape" => "BACKUP_TO_TAPE",
            "BackupCopy" => "BACKUP_COPY",
            "CopyVm" => "VM_COPY",
            "CopyFile" => "FILE_COPY",
            "BackupFileCopy" => "FILE_SHARE_COPY",
            "ObjectStorageBackupCopy" => "OBJECT_STORAGE_COPY",
            "FileToTape" => "FILE_TO_TAPE",
            _ => "OTHER",
        }
    }

    pub fn health(&self, job: usize) -> &'static str {
        let job = &self.0.jobs[job];
        health(job.status, job.last_run.is_some())
    }

    pub fn company_named(&self, uid: Uuid) -> Value {
        json!({"name": self.0.companies.iter().find(|company| company.uid == uid).unwrap().name})
    }

    pub fn company(&self, job: usize) -> Value {
        self.company_named(company_of(self.0, job))
    }

    pub fn server(&self, place: usize) -> Value {
        json!({"name": self.0.servers[place].name})
    }

    /// What tells a job from all others, as the gateway orders by it.
    pub fn job_key(&self, job: usize) -> (String, String) {
        (
            self.0.servers[self.0.jobs[job].server].uid.to_string(),
            self.0.jobs[job].uid.to_string(),
        )
    }

    pub fn jobs(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.0.jobs.len()).filter(|job| wanted(*job)).collect()
    }

    pub fn jobs_by_name(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut jobs = self.jobs(wanted);
        jobs.sort_by_key(|job| (self.0.jobs[*job].name.to_lowercase(), self.job_key(*job)));
        jobs
    }

    /// The runs of a job that Enterprise Manager remembers, newest first.
    fn runs(&self, job: usize) -> Vec<&Session> {
        let mut runs: Vec<_> = self
            .0
            .sessions
            .iter()
            .filter(|run| run.of_job == job && run.parent.is_none())
            .collect();
        runs.sort_by_key(|run| Reverse((run.created, run.uid)));
        runs
    }

    pub fn last_success(&self, job: usize) -> (Option<Timestamp>, bool) {
        let row = &self.0.jobs[job];
        match self.health(job) {
            "SUCCESS" if row.last_run.is_some() => (row.last_end.or(row.last_run), true),
            "NEVER_RAN" => (None, true),
            _ => {
                let runs = self.runs(job);
                (
                    runs.iter()
                        .find(|run| run.result == "Success")
                        .and_then(|run| run.ended)
                        .map(fraction),
                    !runs.is_empty(),
                )
            }
        }
    }

    pub fn success_rate(&self, jobs: &[usize], since: Timestamp) -> Option<f64> {
        let runs = jobs
            .iter()
            .flat_map(|job| self.runs(*job))
            .filter(|run| fraction(run.created) >= since && run.result != "None");
        let results: Vec<bool> = runs.map(|run| run.result == "Success").collect();
        (!results.is_empty())
            .then(|| results.iter().filter(|well| **well).count() as f64 / results.len() as f64)
    }

    pub fn machines(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut machines: Vec<usize> = (0..self.0.machines.len())
            .filter(|machine| wanted(*machine))
            .collect();
        machines.sort_by_key(|machine| {
            let row = &self.0.machines[*machine];
            (
                row.computer.to_lowercase(),
                self.job_key(row.job),
                row.uid.to_string(),
            )
        });
        machines
    }

    pub fn machine_health(&self, machine: usize) -> &'static str {
        let row = &self.0.machines[machine];
        health(row.status, row.last_run.is_some())
    }

    /// Whether tape jobs write a repository to tape: what is sure before what may be another
    /// server's.
    pub fn repository_on_tape(&self, server: usize, repository: Uuid) -> &'static str {
        let mut unsure = false;
        for (job, _) in self
            .0
            .tape_repositories
            .iter()
            .filter(|(_, read)| *read == repository)
        {
            let tape = &self.0.jobs[*job];
            let twins: Vec<usize> = self
                .0
                .jobs
                .iter()
                .filter(|other| other.uid == tape.uid)
                .map(|other| other.server)
                .collect();
            if self.0.servers[tape.server].has_unique_ids || twins.len() == 1 {
                if tape.server == server {
                    return "ON_TAPE_BY_REPOSITORY";
                }
            } else {
                unsure |= twins.contains(&server);
            }
        }
        if unsure { "UNKNOWN" } else { "NOT_ON_TAPE" }
    }

    pub fn answer(&self, number: usize) -> Value {
        match number {
            1 => self.failed_last_day(),
            2 => self.stale(72, 72),
            3 => self.not_on_tape(),
            4 => crate::walk::expected(self.0),
            5 => self.failed_machines(),
            6 => self.agent_history(),
            7 => self.durations(),
            8 => self.copy_coverage(),
            9 => self.morning_overview(),
            10 => self.rpo_breaches(),
            11 => self.repository_capacity(),
            12 => self.licence_usage(),
            13 => self.alarming(),
            14 => self.company_report("Porto Clinic 002"),
            15 => self.handover(8),
            _ => panic!("{number}"),
        }
    }

    fn failed_last_day(&self) -> Value {
        let ended = |job: usize| {
            self.0.jobs[job]
                .last_end
                .filter(|end| is_within(*end, hours(24)))
        };
        let is_wanted = |job: usize| {
            let is_bad =
                ["FAILED", "WARNING"].contains(&self.health(job)) && self.kind(job) != "LOG_BACKUP";
            is_bad && self.0.jobs[job].is_enabled && ended(job).is_some()
        };
        let mut jobs = self.jobs(is_wanted);
        jobs.sort_by_key(|job| (Reverse(self.0.jobs[*job].last_end), self.job_key(*job)));
        let row = |job: &usize| {
            let row = &self.0.jobs[*job];
            json!({
                "name": row.name, "kind": self.kind(*job), "health": self.health(*job), "failureSummary": first_line(&row.failure),
                "lastEndTime": told(row.last_end), "company": self.company(*job), "backupServer": self.server(row.server),
            })
        };
        let mut answer = page(jobs.iter().map(row).collect(), 100);
        answer["pageInfo"] = json!({"hasNextPage": jobs.len() > 100});
        json!({"jobs": answer})
    }

    pub fn stale(&self, of_jobs: i64, of_machines: i64) -> Value {
        let is_stale = |job: usize| {
            self.0.jobs[job].is_enabled
                && self
                    .last_success(job)
                    .0
                    .is_none_or(|at| !is_within(at, hours(of_jobs)))
        };
        let mut jobs = self.jobs(is_stale);
        jobs.sort_by_key(|job| (self.0.jobs[*job].last_end, self.job_key(*job)));
        let row = |job: &usize| {
            let (at, is_known) = self.last_success(*job);
            json!({
                "name": self.0.jobs[*job].name, "kind": self.kind(*job), "health": self.health(*job),
                "lastEndTime": told(self.0.jobs[*job].last_end), "lastSuccess": told(at), "lastSuccessKnown": is_known, "company": self.company(*job),
            })
        };
        let newest = |machine: usize| {
            self.0.machines[machine]
                .last_end
                .or(self.0.machines[machine].last_run)
        };
        let machine = |machine: &usize| {
            let row = &self.0.machines[*machine];
            json!({
                "computer": row.computer, "lastEndTime": told(row.last_end), "health": self.machine_health(*machine),
                "job": {"name": self.0.jobs[row.job].name}, "company": self.company(row.job),
            })
        };
        let machines = self.machines(|machine| {
            newest(machine).is_none_or(|at| !is_within(at, hours(of_machines)))
        });
        json!({"jobs": page(jobs.iter().map(row).collect(), 100), "agentJobObjects": page(machines.iter().map(machine).collect(), 100)})
    }

    fn not_on_tape(&self) -> Value {
        let is_wanted = |job: usize| {
            self.0.jobs[job].kind.starts_with("Agent")
                && ["NOT_ON_TAPE", "UNKNOWN"].contains(&coverage(self.0, job))
        };
        let row = |job: usize| {
            let machines = self.machines(|machine| self.0.machines[machine].job == job);
            let computers: Vec<Value> = machines
                .iter()
                .take(100)
                .map(|row| json!({"computer": self.0.machines[*row].computer}))
                .collect();
            json!({
                "name": self.0.jobs[job].name, "backupServer": self.server(self.0.jobs[job].server), "company": self.company(job),
                "tape": {"status": coverage(self.0, job)}, "objects": {"totalCount": machines.len(), "complete": true, "nodes": computers},
            })
        };
        json!({"jobs": page(self.jobs_by_name(is_wanted).into_iter().map(row).collect(), 100)})
    }

    fn failed_machines(&self) -> Value {
        let row = |machine: usize| {
            let row = &self.0.machines[machine];
            let code = match self.machine_health(machine) {
                "FAILED" => 3,
                "WARNING" => 2,
                _ => 0,
            };
            json!({
                "computer": row.computer, "osType": self.0.jobs[row.job].os, "health": self.machine_health(machine), "statusCode": code,
                "ageSeconds": row.last_end.or(row.last_run).map(|at| seconds(at, now()).max(0)), "failureSummary": first_line(&row.failure),
                "company": self.company(row.job), "job": {"name": self.0.jobs[row.job].name},
            })
        };
        let machines = self.machines(|machine| {
            ["FAILED", "WARNING", "NEVER_RAN"].contains(&self.machine_health(machine))
        });
        json!({"agentJobObjects": page(machines.into_iter().map(row).collect(), 100)})
    }

    pub fn session_health(&self, session: &Session) -> String {
        if session.result == "None" {
            "RUNNING".to_owned()
        } else {
            session.result.to_uppercase()
        }
    }

    pub fn sessions_since(&self, since: Timestamp) -> Vec<&Session> {
        let mut runs: Vec<_> = self
            .0
            .sessions
            .iter()
            .filter(|session| session.parent.is_none() && fraction(session.created) >= since)
            .collect();
        runs.sort_by_key(|run| (Reverse(run.created), run.uid.to_string()));
        runs
    }

    fn agent_history(&self) -> Value {
        let row = |run: &&Session| {
            let mut parts: Vec<_> = self
                .0
                .sessions
                .iter()
                .filter(|part| part.parent == Some(run.uid))
                .collect();
            parts.sort_by_key(|part| (Reverse(part.created), part.uid.to_string()));
            let part = |part: &&Session| {
                let computer = &self.0.machines[part.of_machine.unwrap()].computer;
                json!({"computer": computer, "health": self.session_health(part), "failureSummary": first_line(&part.failure)})
            };
            json!({
                "startedAt": told(fraction(run.created)), "durationSeconds": run.ended.map(|ended| seconds(run.created, ended)),
                "health": self.session_health(run), "isRetry": run.is_retry, "matchedBy": "SERVER_AND_JOB_UID",
                "job": {"name": self.0.jobs[run.of_job].name, "company": self.company(run.of_job)},
                "children": {"complete": true, "nodes": parts.iter().take(50).map(part).collect::<Vec<_>>()},
            })
        };
        json!({"agentSessions": page(self.sessions_since(hours(7 * 24)).iter().map(row).collect(), 20)})
    }

    fn durations(&self) -> Value {
        let mut jobs = self.jobs(|job| {
            ["AGENT_BACKUP", "AGENT_POLICY", "VM_BACKUP", "BACKUP_COPY"].contains(&self.kind(job))
        });
        jobs.sort_by_key(|job| (Reverse(self.0.jobs[*job].last_duration), self.job_key(*job)));
        let row = |job: &usize| {
            let mut weeks: BTreeMap<Timestamp, Vec<&Session>> = BTreeMap::new();
            for run in self
                .runs(*job)
                .into_iter()
                .filter(|run| fraction(run.created) >= hours(30 * 24))
            {
                let day = run.created.to_zoned(TimeZone::UTC).start_of_day().unwrap();
                let monday = day
                    .checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days())
                    .unwrap();
                weeks.entry(monday.timestamp()).or_default().push(run);
            }
            let point = |(at, runs): (Timestamp, Vec<&Session>)| {
                let took: Vec<i64> = runs
                    .iter()
                    .filter_map(|run| Some(seconds(run.created, run.ended?)))
                    .collect();
                json!({
                    "at": told(at), "sessions": runs.len(), "failed": runs.iter().filter(|run| run.result == "Failed").count(),
                    "avgSeconds": (!took.is_empty()).then(|| took.iter().sum::<i64>() as f64 / took.len() as f64), "maxSeconds": took.iter().max(),
                })
            };
            json!({
                "name": self.0.jobs[*job].name, "lastDurationSeconds": self.0.jobs[*job].last_duration,
                "avgDurationSeconds": self.0.jobs[*job].avg_duration, "successRate": self.success_rate(&[*job], hours(30 * 24)),
                "durationTrend": weeks.into_iter().map(point).collect::<Vec<_>>(),
            })
        };
        json!({"jobs": {"complete": true, "nodes": jobs.iter().take(20).map(row).collect::<Vec<_>>()}})
    }

    fn copy_coverage(&self) -> Value {
        let copy = |job: usize| {
            let row = &self.0.jobs[job];
            let detail = self.0.copies.iter().find(|copy| copy.job == Some(job));
            let (has_rpo, rpo, unit, target) = match detail {
                Some(detail) => (
                    detail.has_rpo,
                    detail.rpo,
                    detail.rpo_unit.to_owned(),
                    detail.target.to_string(),
                ),
                None => {
                    let detail = job_members(self.0, row);
                    let text = |member: &str| detail[member].as_str().unwrap().to_owned();
                    let rpo = detail["rpoOptionsValue"].as_i64().unwrap();
                    (
                        detail["isRpoOptionsEnabled"] == true,
                        rpo,
                        text("rpoOptionsUnit"),
                        text("targetRepositoryUid"),
                    )
                }
            };
            let unit = match unit.as_str() {
                "Days" => 86_400,
                "Hours" => 3_600,
                _ => 60,
            };
            let rpo = rpo * unit;
            let (at, is_known) = self.last_success(job);
            let is_late =
                at.is_none_or(|at| at < now().checked_sub(SignedDuration::from_secs(rpo)).unwrap());
            let target = self
                .0
                .repositories
                .iter()
                .find(|place| place.server == row.server && place.uid.to_string() == target);
            let target =
                target.map(|place| json!({"name": place.name, "tape": {"status": self.repository_on_tape(row.server, place.uid)}}));
            let all_links = self.0.copy_links.iter().chain(&self.0.simple_copy_links);
            let mut links: Vec<_> = all_links
                .filter(|link| link.server == row.server && self.0.jobs[link.job].uid == row.uid)
                .collect();
            links.sort_by_key(|link| link.linked.to_string());
            let link = |link: &&Link| {
                let linked = self
                    .0
                    .jobs
                    .iter()
                    .position(|other| other.server == row.server && other.uid == link.linked);
                let shown = linked.map(|job| json!({"name": self.0.jobs[job].name, "kind": self.kind(job), "health": self.health(job)}));
                json!({"resolved": linked.is_some(), "linkedJob": shown})
            };
            json!({
                "name": row.name, "kind": self.kind(job), "health": self.health(job), "isRpoOptionsEnabled": has_rpo, "rpoSeconds": rpo,
                "rpoBreached": (has_rpo && rpo > 0 && is_known).then_some(is_late), "lastEndTime": told(row.last_end),
                "targetRepository": target, "linkedJobs": {"complete": true, "nodes": links.iter().map(link).collect::<Vec<_>>()},
            })
        };
        let server = |server: usize| {
            let is_copy =
                |job: usize| ["BackupCopy", "SimpleBackupCopy"].contains(&self.0.jobs[job].kind);
            let jobs = self.jobs_by_name(|job| self.0.jobs[job].server == server && is_copy(job));
            let copies: Vec<Value> = jobs.into_iter().map(copy).collect();
            json!({"name": self.0.servers[server].name, "jobs": {"complete": true, "nodes": copies}})
        };
        let mut servers: Vec<usize> = (0..self.0.servers.len()).collect();
        servers.sort_by_key(|server| self.0.servers[*server].name.to_lowercase());
        json!({"backupServers": {"nodes": servers.into_iter().map(server).collect::<Vec<_>>()}})
    }

    fn morning_overview(&self) -> Value {
        let alarms = self.alarms();
        let mut rows = Vec::new();
        for company in &self.0.companies {
            let jobs = self.jobs(|job| company_of(self.0, job) == company.uid);
            let counted: Vec<&str> = jobs
                .iter()
                .filter(|job| self.kind(**job) != "LOG_BACKUP")
                .map(|job| self.health(*job))
                .collect();
            let machines = self.machines(|machine| jobs.contains(&self.0.machines[machine].job));
            let machines: Vec<&str> = machines
                .into_iter()
                .map(|machine| self.machine_health(machine))
                .collect();
            let count = |healths: &[&str], wanted: &str| {
                healths.iter().filter(|health| **health == wanted).count()
            };
            let all: Vec<&str> = counted.iter().chain(&machines).copied().collect();
            if !all
                .iter()
                .any(|health| ["FAILED", "WARNING", "UNKNOWN"].contains(health))
            {
                continue;
            }
            let open = alarms
                .iter()
                .filter(|alarm| alarm.4 == company.uid && ["ERROR", "WARNING"].contains(&alarm.1))
                .count();
            let worst = all
                .iter()
                .min_by_key(|health| rank(health))
                .copied()
                .unwrap();
            let row = json!({
                "worst": worst, "complete": true, "company": {"name": company.name}, "openAlarms": open,
                "jobs": {
                    "total": counted.len(), "success": count(&counted, "SUCCESS"), "warning": count(&counted, "WARNING"),
                    "failed": count(&counted, "FAILED"), "running": count(&counted, "RUNNING"), "neverRan": count(&counted, "NEVER_RAN"),
                },
                "agentObjects": {"total": machines.len(), "failed": count(&machines, "FAILED")},
            });
            rows.push((
                (
                    rank(worst),
                    Reverse(count(&all, "FAILED")),
                    company.name.to_lowercase(),
                ),
                row,
            ));
        }
        rows.sort_by_key(|(key, _)| key.clone());
        json!({"fleetHealth": rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>()})
    }
}
