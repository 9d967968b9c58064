//! The answers to questions 10 to 15, worked out in the dumbest way from the simulator's data.

use super::answers::{Words, fraction, hours, is_within, page, seconds, told};
use crate::{isolation::rule::company_of, tape::coverage, world::now};
use serde_json::{Value, json};
use std::cmp::Reverse;
use uuid::Uuid;
use veeam_graph::simulator::estate::{Protected, Session, Subject, Workload};

impl Words<'_> {
    /// The job that protects a machine: every computer is in one.
    fn job_of(&self, row: &Workload) -> Option<usize> {
        let jobs = || {
            self.0
                .machines
                .iter()
                .filter(|machine| machine.agent == row.uid)
                .map(|machine| machine.job)
        };
        row.job
            .or_else(|| jobs().find(|job| Some(self.0.jobs[*job].server) == row.server))
    }

    /// Every protected machine once, with its company.
    fn workloads(&self) -> Vec<(&Workload, Uuid)> {
        let mut newest: Vec<&Workload> = Vec::new();
        for row in &self.0.workloads {
            match newest.iter_mut().find(|known| {
                (known.kind, known.server, known.uid) == (row.kind, row.server, row.uid)
            }) {
                Some(known) if known.latest < row.latest => *known = row,
                Some(_) => {}
                None => newest.push(row),
            }
        }
        newest
            .into_iter()
            .map(|row| {
                (
                    row,
                    self.job_of(row)
                        .map_or(row.company, |job| company_of(self.0, job)),
                )
            })
            .collect()
    }

    /// The alarms, the worst and latest first: place, severity, job, server, company.
    pub fn alarms(&self) -> Vec<(usize, &'static str, Option<usize>, Option<usize>, Uuid)> {
        let placed = self.0.alarms.iter().enumerate().map(|(place, alarm)| {
            let severity = match alarm.status.to_lowercase().as_str() {
                "error" => "ERROR",
                "warning" => "WARNING",
                "info" => "INFO",
                "resolved" => "RESOLVED",
                _ => "ACKNOWLEDGED",
            };
            match alarm.about {
                Subject::Job(job) => {
                    let row = &self.0.jobs[job];
                    let is_only = self
                        .0
                        .jobs
                        .iter()
                        .filter(|other| other.uid == row.uid)
                        .count()
                        == 1;
                    if self.0.servers[row.server].has_unique_ids || is_only {
                        (
                            place,
                            severity,
                            Some(job),
                            Some(row.server),
                            company_of(self.0, job),
                        )
                    } else {
                        (
                            place,
                            severity,
                            None,
                            None,
                            self.0.servers[row.server].company,
                        )
                    }
                }
                Subject::Server(server) => (
                    place,
                    severity,
                    None,
                    Some(server),
                    self.0.servers[server].company,
                ),
                Subject::Company(company) => {
                    (place, severity, None, None, self.0.companies[company].uid)
                }
            }
        });
        let mut alarms: Vec<_> = placed.collect();
        let bad = |severity: &str| {
            ["ERROR", "WARNING", "INFO", "ACKNOWLEDGED", "RESOLVED"]
                .iter()
                .position(|word| *word == severity)
        };
        alarms.sort_by_key(|(place, severity, ..)| {
            (
                bad(severity),
                Reverse(self.0.alarms[*place].at),
                self.0.alarms[*place].uid.to_string(),
            )
        });
        alarms
    }

    fn license(&self, company: usize) -> Option<Value> {
        let uses: Vec<_> = self
            .0
            .licenses
            .iter()
            .filter(|row| row.company == company)
            .collect();
        let sum = |unit: &str| {
            uses.iter()
                .filter(|row| row.unit == unit)
                .map(|row| row.used)
                .sum::<f64>()
                + 0.0
        };
        (!uses.is_empty())
            .then(|| json!({"usedPoints": sum("Points"), "usedInstances": sum("Instances")}))
    }

    pub fn rpo_breaches(&self) -> Value {
        let mut machines: Vec<_> = self
            .workloads()
            .into_iter()
            .filter(|(row, _)| {
                row.latest
                    .is_none_or(|latest| !is_within(latest, hours(24)))
            })
            .collect();
        machines.sort_by_key(|(row, _)| {
            let server = row
                .server
                .map(|server| self.0.servers[server].uid.to_string())
                .unwrap_or_default();
            (row.latest, row.kind, server, row.uid.to_string())
        });
        let row = |(row, company): &(&Workload, Uuid)| {
            let kind = match row.kind {
                Protected::Vm => "VIRTUAL_MACHINE",
                Protected::Computer => "COMPUTER",
                Protected::ConsoleComputer => "CONSOLE_COMPUTER",
            };
            let jobs = row.server.map(|_| {
                let jobs = self.job_of(row).into_iter();
                jobs.map(|job| json!({"name": self.0.jobs[job].name, "health": self.health(job)}))
                    .collect::<Vec<_>>()
            });
            json!({
                "name": row.name, "kind": kind, "latestRestorePoint": told(row.latest),
                "ageSeconds": row.latest.map(|latest| seconds(latest, now()).max(0)), "company": self.company_named(*company), "jobs": jobs,
                "restorePointsCount": (row.kind == Protected::Vm).then_some(row.restore_points),
            })
        };
        json!({"workloads": page(machines.iter().map(row).collect(), 100)})
    }

    fn used_percent(&self, place: usize) -> Option<f64> {
        let row = &self.0.repositories[place];
        let used = 100.0 - row.free? as f64 * 100.0 / row.capacity? as f64;
        Some((used * 100.0).round() / 100.0)
    }

    pub fn repository_capacity(&self) -> Value {
        let room = |place: usize| {
            self.0.repositories[place]
                .capacity
                .zip(self.0.repositories[place].free)
        };
        let free = |place: usize| {
            room(place)
                .map(|(capacity, free)| free as f64 * 100.0 / capacity as f64)
                .filter(|free| *free < 20.0)
        };
        let mut full: Vec<usize> = (0..self.0.repositories.len())
            .filter(|place| free(*place).is_some())
            .collect();
        full.sort_by_key(|place| {
            let row = &self.0.repositories[*place];
            (
                (free(*place).unwrap() * 1e6) as i64,
                self.0.servers[row.server].uid.to_string(),
                row.uid.to_string(),
            )
        });
        let row = |place: &usize| {
            let row = &self.0.repositories[*place];
            json!({
                "name": row.name, "capacityBytes": row.capacity, "freeBytes": row.free, "usedPercent": self.used_percent(*place),
                "tape": {"status": self.repository_on_tape(row.server, row.uid)}, "backupServer": self.server(row.server),
                "company": self.company_named(self.0.servers[row.server].company),
            })
        };
        json!({"repositories": page(full.iter().map(row).collect(), 100)})
    }

    pub fn licence_usage(&self) -> Value {
        let mut companies: Vec<usize> = (0..self.0.companies.len())
            .filter(|company| self.license(*company).is_some())
            .collect();
        companies.sort_by_key(|company| self.0.companies[*company].uid.to_string());
        let row = |company: &usize| {
            let mut row = self.license(*company).unwrap();
            let uses = self.0.licenses.iter().filter(|row| row.company == *company);
            row["company"] = json!({"name": self.0.companies[*company].name});
            row["workloads"] = uses
                .map(|row| {
                    json!({
                        "product": row.product, "description": row.workload, "unitType": row.unit, "usedUnits": row.used,
                        "usedCount": row.count,
                    })
                })
                .collect();
            row
        };
        json!({"licenseUsage": page(companies.iter().map(row).collect(), 100)})
    }

    pub fn alarming(&self) -> Value {
        let row = |(place, severity, job, server, company): &(
            usize,
            &str,
            Option<usize>,
            Option<usize>,
            Uuid,
        )| {
            let alarm = &self.0.alarms[*place];
            let (kind, name) = match alarm.about {
                Subject::Job(job) => ("BackupServerJob", &self.0.jobs[job].name),
                Subject::Server(server) => ("BackupServer", &self.0.servers[server].name),
                Subject::Company(company) => ("Company", &self.0.companies[company].name),
            };
            json!({
                "severity": severity, "summary": alarm.message.split("\r\n").next(), "objectType": kind, "objectName": name,
                "repeatCount": alarm.repeats, "lastActivation": told(alarm.at), "company": self.company_named(*company),
                "job": job.map(|job| json!({"name": self.0.jobs[job].name, "health": self.health(job)})),
                "backupServer": server.map(|server| self.server(server)),
            })
        };
        let bad: Vec<Value> = self
            .alarms()
            .iter()
            .filter(|alarm| ["ERROR", "WARNING"].contains(&alarm.1))
            .map(row)
            .collect();
        json!({"alarms": page(bad, 100)})
    }

    pub fn company_report(&self, name: &str) -> Value {
        let Some(place) = self
            .0
            .companies
            .iter()
            .position(|company| company.name == name)
        else {
            return json!({"company": null});
        };
        let uid = self.0.companies[place].uid;
        let jobs = self.jobs_by_name(|job| company_of(self.0, job) == uid);
        let count = |wanted: &str| {
            jobs.iter()
                .filter(|job| self.kind(**job) != "LOG_BACKUP" && self.health(**job) == wanted)
                .count()
        };
        let shown = |job: &usize| json!({"name": self.0.jobs[*job].name, "kind": self.kind(*job), "health": self.health(*job), "tape": {"status": coverage(self.0, *job)}});
        let mut of_jobs = page(jobs.iter().map(shown).collect(), 100);
        of_jobs["healthCounts"] = json!({
            "total": jobs.iter().filter(|job| self.kind(**job) != "LOG_BACKUP").count(), "success": count("SUCCESS"),
            "warning": count("WARNING"), "failed": count("FAILED"),
        });
        let machines: Vec<_> = self
            .workloads()
            .into_iter()
            .filter(|(_, company)| *company == uid)
            .collect();
        let of = |wanted: &dyn Fn(&Workload) -> bool| {
            machines.iter().filter(|(row, _)| wanted(row)).count()
        };
        let mut repositories: Vec<usize> = (0..self.0.repositories.len())
            .filter(|place| self.0.servers[self.0.repositories[*place].server].company == uid)
            .collect();
        repositories.sort_by_key(|place| {
            let row = &self.0.repositories[*place];
            (
                row.name.to_lowercase(),
                self.0.servers[row.server].uid.to_string(),
            )
        });
        let repository = |place: &usize| json!({"name": self.0.repositories[*place].name, "usedPercent": self.used_percent(*place)});
        let alarms = self
            .alarms()
            .into_iter()
            .filter(|alarm| alarm.4 == uid && alarm.1 == "ERROR");
        let alarm = |alarm: (usize, _, _, _, _)| {
            let row = &self.0.alarms[alarm.0];
            json!({"summary": row.message.split("\r\n").next(), "lastActivation": told(row.at)})
        };
        json!({"company": {
            "name": name, "successRate": self.success_rate(&jobs, hours(30 * 24)), "jobs": of_jobs, "licenseUsage": self.license(place),
            "protection": {
                "workloads": machines.len(), "withinRpo": of(&|row| row.latest.is_some_and(|latest| latest >= hours(24))),
                "breached": of(&|row| row.latest.is_some_and(|latest| !is_within(latest, hours(24)))), "noRestorePoint": of(&|row| row.latest.is_none()),
            },
            "agentJobObjects": {"totalCount": self.machines(|machine| jobs.contains(&self.0.machines[machine].job)).len(), "complete": true},
            "repositories": page(repositories.iter().map(repository).collect(), 100), "alarms": page(alarms.map(alarm).collect(), 20),
        }})
    }

    pub fn handover(&self, shift: i64) -> Value {
        let is_bad = |job: usize| {
            ["FAILED", "WARNING"].contains(&self.health(job)) && self.kind(job) != "LOG_BACKUP"
        };
        let jobs = self.jobs_by_name(|job| {
            is_bad(job)
                && self.0.jobs[job]
                    .last_end
                    .is_some_and(|end| is_within(end, hours(shift)))
        });
        let job = |job: &usize| {
            json!({
                "name": self.0.jobs[*job].name, "health": self.health(*job), "lastEndTime": told(self.0.jobs[*job].last_end),
                "company": self.company(*job),
            })
        };
        let session = |run: &&Session| json!({"startedAt": told(fraction(run.created)), "health": self.session_health(run), "job": {"name": self.0.jobs[run.of_job].name}});
        let runs = self
            .sessions_since(hours(shift))
            .into_iter()
            .filter(|run| ["FAILED", "WARNING"].contains(&&*self.session_health(run)));
        let alarms = self
            .alarms()
            .into_iter()
            .filter(|alarm| self.0.alarms[alarm.0].at >= hours(shift));
        let alarm = |(place, severity, _, _, company): (usize, &str, _, _, Uuid)| {
            let row = &self.0.alarms[place];
            json!({
                "severity": severity, "summary": row.message.split("\r\n").next(), "lastActivation": told(row.at),
                "company": self.company_named(company),
            })
        };
        json!({
            "jobs": page(jobs.iter().map(job).collect(), 100),
            "agentSessions": page(runs.map(|run| session(&run)).collect(), 100),
            "alarms": page(alarms.map(alarm).collect(), 100),
        })
    }
}
