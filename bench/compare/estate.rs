//! The estate that everybody is measured over: 10 servers, on each 10 copy jobs, and 20 agent jobs
//! of 10 machines that its tape job reads.

use jiff::Timestamp;
use uuid::Uuid;
use veeam_graph::simulator::estate::{Estate, Job, Link, Machine, Server};

pub const SERVERS: usize = 10;
const LINKS: usize = 20;
const MACHINES: usize = 10;
const COPIES: usize = 10;

/// A uid that looks like one and is the same every time.
pub fn uid(kind: u64, number: usize) -> Uuid {
    let high = kind.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ 0x0005_DEEC_E66D;
    let low = (number as u64 + 1)
        .wrapping_mul(0xBF58_476D_1CE4_E5B9)
        .rotate_left(29);
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        .into_uuid()
}

pub fn estate() -> Estate {
    let now: Timestamp = Timestamp::now();
    let mut estate =
        veeam_graph::simulator::generate::generate(veeam_graph::simulator::Scale::Small, 1, now);
    let (server, job, machine) = (
        estate.servers[0].clone(),
        estate.jobs[0].clone(),
        estate.machines[0].clone(),
    );
    estate.servers.clear();
    estate.jobs.clear();
    estate.machines.clear();
    estate.tape_links.clear();
    estate.copy_links.clear();
    estate.tape_repositories.clear();
    estate.copies.clear();
    estate.sessions.clear();
    let status = ["Success", "Success", "Warning", "Failed"];
    let add = |estate: &mut Estate, server: usize, kind: &'static str, name: String| {
        let number = estate.jobs.len();
        let (uid, unique_uid) = (uid(2, number), uid(3, number));
        let status = status[number % status.len()];
        estate.jobs.push(Job {
            uid,
            unique_uid,
            server,
            name,
            kind,
            status,
            failure: None,
            ..job.clone()
        });
        number
    };
    for place in 0..SERVERS {
        let name = format!("vbr{place:03}.backup.example");
        estate.servers.push(Server {
            uid: uid(1, place),
            name,
            has_unique_ids: true,
            clone_of: None,
            ..server.clone()
        });
        // by name and in the console's order they are the first: a list of 100 rows is the same
        // list for everybody
        for number in 0..COPIES {
            add(
                &mut estate,
                place,
                "BackupCopy",
                format!("Copy {place:03}-{number:03}"),
            );
        }
    }
    for place in 0..SERVERS {
        let tape = add(
            &mut estate,
            place,
            "BackupToTape",
            format!("Tape {place:03}"),
        );
        let name = |number: usize| format!("Workstations {place:03}-{number:03}");
        let agents: Vec<usize> = (0..LINKS)
            .map(|number| add(&mut estate, place, "AgentBackupJob", name(number)))
            .collect();
        for job in agents {
            estate.tape_links.push(Link {
                server: place,
                job: tape,
                linked: estate.jobs[job].uid,
            });
            for _ in 0..MACHINES {
                let number = estate.machines.len();
                let (uid, unique_uid) = (uid(4, number), uid(5, number));
                let computer = format!("client-{number:05}.corp.example");
                estate.machines.push(Machine {
                    uid,
                    unique_uid,
                    job,
                    computer,
                    status: status[number % status.len()],
                    ..machine.clone()
                });
            }
        }
    }
    estate
}
