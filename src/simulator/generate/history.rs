//! What ran: sessions of agent jobs with their per-machine parts, and the jobs of standalone
//! agents.

use super::{Dice, ago};
use crate::simulator::estate::{Agent, AgentJob, Estate, Job, Session};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Runs of every agent job, one a day back from its last run; parts of the newest runs until there
/// are enough sessions.
pub(super) fn sessions(estate: &mut Estate, dice: &mut Dice, count: usize) {
    let agent_jobs: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].kind.starts_with("Agent"))
        .collect();
    let days = (count / 2 / agent_jobs.len()).clamp(3, 29);
    let machines: Vec<Vec<usize>> = agent_jobs
        .iter()
        .map(|job| {
            (0..estate.machines.len())
                .filter(|place| estate.machines[*place].job == *job)
                .collect()
        })
        .collect();
    let mut parts: Vec<Session> = Vec::new();
    for day in 0..days {
        for (turn, place) in agent_jobs.iter().enumerate() {
            let job = estate.jobs[*place].clone();
            let Some(last) = job.last_run else { continue };
            if estate.sessions.len() + parts.len() >= count {
                break;
            }
            let created = ago(last, day as i64 * 86_400);
            let run = run(estate, dice, *place, &job, day, created);
            // every fifth job is too old to have parts
            let wants_parts = turn % 5 != 4 && day < 12;
            // the parent of the oldest parts is not in the window
            let orphan = turn % 7 == 3 && day == 11;
            if wants_parts {
                for machine in &machines[turn] {
                    if estate.sessions.len() + parts.len() + 1 < count {
                        let part = part(estate, dice, &run, *machine);
                        parts.push(if orphan {
                            Session {
                                parent: Some(dice.uid()),
                                ..part
                            }
                        } else {
                            part
                        });
                    }
                }
            }
            estate.sessions.push(run);
        }
    }
    estate.sessions.extend(parts);
    // Enterprise Manager lists in no order
    for place in (1..estate.sessions.len()).rev() {
        let other = dice.below(place + 1);
        estate.sessions.swap(place, other);
    }
}

fn run(
    estate: &Estate,
    dice: &mut Dice,
    place: usize,
    job: &Job,
    day: usize,
    created: Timestamp,
) -> Session {
    let is_running = day == 0 && job.status == "Running";
    let result = match (is_running, day) {
        (true, _) => "None",
        (_, 0) if matches!(job.status, "Success" | "success") => "Success",
        (_, 0) if matches!(job.status, "Failed" | "Warning") => job.status,
        _ => dice.pick(&[
            "Success", "Success", "Success", "Success", "Warning", "Failed",
        ]),
    };
    let duration = 60 + dice.below(1_200) as i64;
    Session {
        uid: dice.uid(),
        server: job.server,
        job: job.uid,
        // renamed a fortnight ago
        job_name: if day > 14 && place % 6 == 5 {
            format!("{} (old)", job.name)
        } else {
            job.name.clone()
        },
        kind: "AgentBackup",
        created,
        ended: (!is_running).then(|| {
            created
                .checked_add(SignedDuration::from_secs(duration))
                .unwrap_or(created)
        }),
        state: if is_running { "Working" } else { "Stopped" },
        result,
        progress: if is_running {
            42
        } else if dice.chance(5) {
            0
        } else {
            100
        },
        // the reason is often on the machine's part alone
        failure: (result == "Failed" && estate.sessions.len().is_multiple_of(2))
            .then(|| "Job finished with errors".to_owned()),
        is_retry: dice.chance(10),
        parent: None,
        of_job: place,
        of_machine: None,
    }
}

fn part(estate: &Estate, dice: &mut Dice, run: &Session, machine: usize) -> Session {
    let of_machine = &estate.machines[machine];
    let created = run
        .created
        .checked_add(SignedDuration::from_secs(5 + dice.below(30) as i64))
        .unwrap_or(run.created);
    let is_last = estate.jobs[run.of_job].last_run == Some(run.created);
    let result = match of_machine.status {
        _ if run.ended.is_none() => "None",
        // the newest part is what the console shows of the machine
        "Warning" | "Failed" if is_last => of_machine.status,
        _ if is_last => "Success",
        _ => dice.pick(&["Success", "Success", "Success", "Warning", "Failed"]),
    };
    // the per-machine job is the same every day
    let own_job = Uuid::from_u128(of_machine.uid.as_u128() ^ estate.jobs[run.of_job].uid.as_u128());
    Session {
        uid: dice.uid(),
        server: run.server,
        job: own_job,
        job_name: format!("{} - {}", run.job_name, of_machine.computer),
        kind: "AgentManagement",
        created,
        ended: run.ended.map(|_| {
            created
                .checked_add(SignedDuration::from_secs(30 + dice.below(300) as i64))
                .unwrap_or(created)
        }),
        state: run.state,
        result,
        progress: run.progress,
        failure: (result == "Failed").then(|| "The agent is not reachable.".to_owned()),
        is_retry: run.is_retry,
        parent: Some(run.uid),
        of_job: run.of_job,
        of_machine: Some(machine),
    }
}

pub(super) fn agents(estate: &mut Estate, dice: &mut Dice, count: usize) {
    for number in 0..count {
        let mut jobs = Vec::new();
        for turn in 0..1 + dice.below(3) {
            let never = turn == 1;
            let last_run = (!never).then(|| ago(estate.now, 3_600 + dice.below(80_000) as i64));
            jobs.push(AgentJob {
                // Veeam Agent for Windows 2.2 and older has no ids
                id: if number % 3 == 2 {
                    Uuid::nil()
                } else {
                    dice.uid()
                },
                name: format!("Workstation backup {}", turn + 1),
                status: if never {
                    "None"
                } else {
                    dice.pick(&["Success", "Warning", "Failed"])
                },
                last_run,
                next_run: Some(ago(estate.now, -36_000)),
                size: if never { 0 } else { 67_325_952 + number as i64 },
                free: 90_541_989_888,
            });
        }
        estate.agents.push(Agent {
            id: dice.uid(),
            name: format!("laptop{:03}", number + 1),
            jobs,
        });
    }
}
