//! Agents as the console lists them, and the places of organizations: made from what is there,
//! without dice, so that nothing else changes.

use crate::simulator::estate::{ConsoleAgent, ConsoleJob, Estate, Location, Protected};
use std::collections::HashSet;
use uuid::Uuid;

fn other(uid: Uuid, salt: u128) -> Uuid {
    Uuid::from_u128(uid.as_u128() ^ salt)
}

pub(super) fn locations(estate: &mut Estate) {
    for (number, company) in estate.companies.iter().enumerate() {
        let location = |salt, name, kind, quota_gb| Location {
            uid: other(company.uid, salt),
            company: company.uid,
            name,
            kind,
            quota_gb,
        };
        estate
            .locations
            .push(location(0x10c, "Default location".to_owned(), "Default", 0));
        if number % 3 == 1 {
            estate.locations.push(location(
                0x20c,
                format!("{} plant", company.city),
                "custom",
                500 + number as i64,
            ));
        }
    }
}

/// The standalone agents with their jobs, and those that backup servers manage, which the console
/// lists too.
pub(super) fn agents(estate: &mut Estate) {
    let of_console =
        |row: &&crate::simulator::estate::Workload| row.kind == Protected::ConsoleComputer;
    for (number, agent) in estate.agents.iter().enumerate() {
        let Some(workload) = estate
            .workloads
            .iter()
            .filter(of_console)
            .find(|row| row.uid == agent.id)
        else {
            continue;
        };
        let mode = if number % 3 == 1 {
            "UnManaged"
        } else {
            "managedByConsole"
        };
        estate.console_agents.push(ConsoleAgent {
            uid: agent.id,
            company: workload.company,
            name: agent.name.clone(),
            mode,
        });
        for (turn, job) in agent.jobs.iter().enumerate() {
            estate.console_jobs.push(ConsoleJob {
                uid: other(agent.id, 0xa0 + turn as u128),
                original: job.id,
                agent: agent.id,
                company: workload.company,
                name: job.name.clone(),
                status: job.status,
                last_run: job.last_run,
                is_enabled: turn != 2,
                bytes: job.size,
                free: job.free,
            });
        }
    }
    let mut seen = HashSet::new();
    for machine in estate
        .machines
        .iter()
        .filter(|machine| seen.insert(machine.agent))
    {
        let company = estate.servers[estate.jobs[machine.job].server].company;
        let name = machine.computer.clone();
        estate.console_agents.push(ConsoleAgent {
            uid: machine.agent,
            company,
            name,
            mode: "ManagedByVBR",
        });
    }
    // a job of an agent that a backup server manages: there already, as that server's
    if let Some(agent) = estate
        .console_agents
        .last()
        .filter(|agent| agent.mode == "ManagedByVBR")
    {
        estate.console_jobs.push(ConsoleJob {
            uid: other(agent.uid, 0xa0),
            original: Uuid::nil(),
            agent: agent.uid,
            company: agent.company,
            name: "Managed elsewhere".to_owned(),
            status: "Failed",
            last_run: Some(estate.now),
            is_enabled: true,
            bytes: 0,
            free: 0,
        });
    }
}
