//! How much room there is, what is protected, what is alarming, and what it costs.

use super::{Dice, ago};
use crate::simulator::estate::{Alarm, Estate, LicenseUse, Protected, Subject, Workload};

pub(super) fn protection(estate: &mut Estate, dice: &mut Dice) {
    for repository in &mut estate.repositories {
        // some object storages do not know their size
        repository.capacity = dice.chance(85).then(|| (1 + dice.below(40) as i64) << 40);
        repository.free = repository
            .capacity
            .map(|capacity| capacity / 100 * dice.below(100) as i64);
    }
    virtual_machines(estate, dice);
    computers(estate, dice);
    alarms(estate, dice);
    licenses(estate, dice);
}

/// Virtual machines of backup jobs; one in five is also in another job, with an older restore
/// point.
fn virtual_machines(estate: &mut Estate, dice: &mut Dice) {
    let jobs: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].kind == "BackupVm")
        .collect();
    for place in &jobs {
        for number in 0..1 + dice.below(3) {
            let job = &estate.jobs[*place];
            let age = dice.pick(&[0, 0, 0, 0, 0, 30, 80, 24 * 9]) * 3_600;
            let latest = job
                .last_end
                .or(job.last_run)
                .filter(|_| dice.chance(95))
                .map(|end| ago(end, age));
            let machine = Workload {
                kind: Protected::Vm,
                uid: dice.uid(),
                server: Some(job.server),
                company: estate.servers[job.server].company,
                name: format!("vm-{:04}-{}", place, number + 1),
                job: Some(*place),
                latest,
                restore_points: if latest.is_some() {
                    1 + dice.below(30) as i64
                } else {
                    0
                },
                bytes: latest.map_or(0, |_| (1 + dice.below(900) as i64) << 30),
            };
            if dice.chance(20) {
                let is_other =
                    |other: &usize| other != place && estate.jobs[*other].server == job.server;
                let others: Vec<usize> = jobs.iter().copied().filter(is_other).collect();
                let older = machine.latest.map(|latest| ago(latest, 86_400));
                if !others.is_empty() {
                    estate.workloads.push(Workload {
                        job: Some(dice.pick(&others)),
                        latest: older,
                        ..machine.clone()
                    });
                }
            }
            estate.workloads.push(machine);
        }
    }
}

/// The machines of agent jobs, once for each of their protection groups; and those whose agents the
/// console manages.
fn computers(estate: &mut Estate, dice: &mut Dice) {
    let mut rows = Vec::new();
    for machine in &estate.machines {
        let server = estate.jobs[machine.job].server;
        let age = dice.pick(&[0, 0, 0, 0, 50]) * 3_600;
        let latest = machine
            .last_end
            .or(machine.last_run)
            .filter(|_| machine.restore_points > 0)
            .map(|end| ago(end, age));
        let row = Workload {
            kind: Protected::Computer,
            uid: machine.agent,
            server: Some(server),
            company: estate.servers[server].company,
            name: machine.computer.clone(),
            job: None,
            latest,
            restore_points: 0,
            bytes: 0,
        };
        rows.extend(dice.chance(30).then(|| Workload {
            latest: row.latest.map(|latest| ago(latest, 7_200)),
            ..row.clone()
        }));
        rows.push(row);
    }
    for agent in &estate.agents {
        let company = estate.companies[dice.below(estate.companies.len())].uid;
        let latest = agent.jobs.iter().filter_map(|job| job.last_run).max();
        rows.push(Workload {
            kind: Protected::ConsoleComputer,
            uid: agent.id,
            server: None,
            company,
            name: agent.name.clone(),
            job: None,
            latest,
            restore_points: 0,
            bytes: 0,
        });
    }
    estate.workloads.extend(rows);
}

fn alarms(estate: &mut Estate, dice: &mut Dice) {
    let mut subjects = Vec::new();
    for (place, job) in estate.jobs.iter().enumerate() {
        if (job.status == "Failed" && dice.chance(70)) || dice.chance(3) {
            subjects.push((
                Subject::Job(place),
                "Job has finished with errors.\r\nSee the session's log for details.\r\n",
            ));
        }
    }
    for (place, server) in estate.servers.iter().enumerate() {
        if !server.status.eq_ignore_ascii_case("Healthy") {
            subjects.push((
                Subject::Server(place),
                "The connection to the backup server was lost.\r\n",
            ));
        }
    }
    for place in 0..estate.companies.len() {
        if dice.chance(15) {
            subjects.push((
                Subject::Company(place),
                "The company's quota is nearly used up.\r\n",
            ));
        }
    }
    for (about, message) in subjects {
        let alarm = Alarm {
            uid: dice.uid(),
            about,
            status: dice.pick(&[
                "Error",
                "Error",
                "Warning",
                "Warning",
                "Info",
                "Resolved",
                "Acknowledged",
                "warning",
            ]),
            at: ago(estate.now, dice.below(72 * 3_600) as i64),
            message,
            repeats: 1 + dice.below(9) as i64,
        };
        estate.alarms.push(alarm);
    }
}

fn licenses(estate: &mut Estate, dice: &mut Dice) {
    for company in 0..estate.companies.len() {
        for (product, workload, unit) in [
            ("BackupAndReplication", "Virtual Machines", "Points"),
            ("BackupAndReplication", "Servers", "Points"),
            ("VB365", "Users", "Instances"),
        ] {
            if dice.chance(70) {
                let count = 1 + dice.below(60) as i64;
                let used = if unit == "Points" {
                    count as f64 * 7.5
                } else {
                    count as f64
                };
                estate.licenses.push(LicenseUse {
                    company,
                    product,
                    workload,
                    unit,
                    used,
                    count,
                });
            }
        }
    }
}
