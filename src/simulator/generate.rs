//! Invents an estate from a seed: always the same one for the same seed, size and instant.
//!
//! It is made to be awkward where real estates are: a server restored from another's backup (same
//! job ids), rows without the console's own ids, links to jobs that are gone, sub-type rows without
//! a parent, a machine listed twice, log backup jobs that run all day, words in two casings and
//! words nobody knows, sessions that run, sessions whose parent is out of the window, jobs renamed
//! since they ran.

mod agents;
mod dice;
mod history;
mod links;
mod protection;

use super::estate::{Company, CopyDetail, Estate, Job, Machine, Repository, Scale, Server};
use dice::Dice;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The id that the built-in repository has on every server.
pub const DEFAULT_REPOSITORY: Uuid = Uuid::from_u128(0x8878_8f9e_d8f5_4eb4_bc4f_9b3f_5403_bcec);

/// How much of everything.
struct Sizes {
    servers: usize,
    companies: usize,
    agent_jobs: usize,
    machines: usize,
    tape_jobs: usize,
    links: usize,
    copies: usize,
    jobs: usize,
    sessions: usize,
    agents: usize,
}

impl Scale {
    fn sizes(self) -> Sizes {
        match self {
            Scale::Small => Sizes {
                servers: 4,
                companies: 6,
                agent_jobs: 12,
                machines: 40,
                tape_jobs: 4,
                links: 9,
                copies: 5,
                jobs: 40,
                sessions: 400,
                agents: 4,
            },
            Scale::Medium => Sizes {
                servers: 20,
                companies: 57,
                agent_jobs: 60,
                machines: 300,
                tape_jobs: 10,
                links: 30,
                copies: 24,
                jobs: 237,
                sessions: 2_370,
                agents: 20,
            },
            Scale::Large => Sizes {
                servers: 120,
                companies: 150,
                agent_jobs: 1_500,
                machines: 10_000,
                tape_jobs: 150,
                links: 900,
                copies: 300,
                jobs: 3_000,
                sessions: 90_000,
                agents: 50,
            },
            Scale::Huge => Sizes {
                servers: 1_200,
                companies: 1_500,
                agent_jobs: 15_000,
                machines: 100_000,
                tape_jobs: 1_500,
                links: 9_000,
                copies: 3_000,
                jobs: 30_000,
                sessions: 900_000,
                agents: 500,
            },
        }
    }
}

const PLACES: &[&str] = &[
    "Oslo", "Lyon", "Porto", "Graz", "Turku", "Ghent", "Brno", "Cork", "Split", "Tartu",
];
const TRADES: &[&str] = &[
    "Bakery", "Legal", "Clinic", "Motors", "Foods", "Media", "Textiles", "Optics", "Timber",
    "Travel",
];
const ROLES: &[&str] = &["sql", "web", "file", "mail", "erp", "wrk", "app", "print"];
const OTHER_KINDS: &[&str] = &[
    "BackupVm",
    "BackupVm",
    "BackupVm",
    "ReplicationVM",
    "SimpleBackupCopy",
    "SqlLogBackup",
    "BackupFile",
    "SureBackup",
    "CdpReplicationVM",
    "ObjectStorageBackup",
    "SomethingFromTheFuture",
];

/// Kinds that few have: one in ten of a larger estate's.
const RARE_KINDS: &[&str] = &[
    "CopyVm",
    "CopyFile",
    "BackupFileCopy",
    "FileToTape",
    "ObjectStorageBackupCopy",
];

fn ago(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(seconds))
        .unwrap_or(now)
}

/// Invents an estate.
pub fn generate(scale: Scale, seed: u64, now: Timestamp) -> Estate {
    let sizes = scale.sizes();
    let mut dice = Dice(
        seed.wrapping_mul(0x2545_F491_4F6C_DD1D)
            .wrapping_add(0x1234_5678),
    );
    let now = now.round(jiff::Unit::Second).unwrap_or(now);
    let mut estate = Estate {
        now,
        manager: dice.uid(),
        companies: Vec::new(),
        servers: Vec::new(),
        jobs: Vec::new(),
        machines: Vec::new(),
        tape_links: Vec::new(),
        copy_links: Vec::new(),
        simple_copy_links: Vec::new(),
        tape_repositories: Vec::new(),
        copies: Vec::new(),
        repositories: Vec::new(),
        sessions: Vec::new(),
        agents: Vec::new(),
        alarms: Vec::new(),
        workloads: Vec::new(),
        licenses: Vec::new(),
        locations: Vec::new(),
        console_agents: Vec::new(),
        console_jobs: Vec::new(),
    };
    companies(&mut estate, &mut dice, sizes.companies);
    servers(&mut estate, &mut dice, sizes.servers);
    jobs(&mut estate, &mut dice, &sizes);
    machines(&mut estate, &mut dice, sizes.machines);
    clone_server(&mut estate);
    links::links(&mut estate, &mut dice, sizes.links);
    history::sessions(&mut estate, &mut dice, sizes.sessions);
    history::agents(&mut estate, &mut dice, sizes.agents);
    protection::protection(&mut estate, &mut dice);
    links::simple_copies(&mut estate);
    agents::locations(&mut estate);
    agents::agents(&mut estate);
    estate
}

fn companies(estate: &mut Estate, dice: &mut Dice, count: usize) {
    for number in 0..count {
        let (place, trade) = (
            PLACES[number % PLACES.len()],
            TRADES[(number / PLACES.len() + number) % TRADES.len()],
        );
        let kind = match number {
            0 => "Provider",
            1 => "Reseller",
            _ => "Company",
        };
        let name = if number == 0 {
            "Northwind Managed Services".to_owned()
        } else {
            format!("{place} {trade} {number:03}")
        };
        estate.companies.push(Company {
            uid: dice.uid(),
            name,
            kind,
            city: place,
        });
    }
}

fn servers(estate: &mut Estate, dice: &mut Dice, count: usize) {
    for number in 0..count {
        let name = format!("vbr{:03}", number + 1);
        let company = estate.companies[if number < 2 {
            0
        } else {
            number % estate.companies.len()
        }]
        .uid;
        let managed_name = if number % 3 == 1 {
            format!("{}.BACKUP.example", name.to_uppercase())
        } else {
            name.clone()
        };
        estate.servers.push(Server {
            uid: dice.uid(),
            managed_uid: dice.uid(),
            name,
            managed_name,
            company,
            version: dice.pick(&["12.3.2.3617", "13.0.1.2067", "12.1.2.172"]),
            status: dice.pick(&["Healthy", "Healthy", "healthy", "Warning", "Inaccessible"]),
            is_mapped: number % 4 != 2,
            // the restored pair also has the old ids only: that is what makes it hard
            has_unique_ids: number != 0 && number + 1 != count,
            clone_of: (number + 1 == count).then_some(0),
        });
        estate.repositories.push(Repository {
            uid: DEFAULT_REPOSITORY,
            server: number,
            name: "Default Backup Repository".to_owned(),
            capacity: None,
            free: None,
        });
        let uid = dice.uid();
        estate.repositories.push(Repository {
            uid,
            server: number,
            name: format!("Scale-out {:03}", number + 1),
            capacity: None,
            free: None,
        });
    }
}

fn jobs(estate: &mut Estate, dice: &mut Dice, sizes: &Sizes) {
    // the last server gets its jobs by being restored
    let hosts = sizes.servers - 1;
    let spread = |number: usize| number % hosts;
    for number in 0..sizes.agent_jobs {
        let kind = if number % 9 == 8 {
            "AgentPolicy"
        } else {
            "AgentBackupJob"
        };
        let mut job = job(
            estate,
            dice,
            spread(number),
            kind,
            format!("Agents {:04}", number + 1),
        );
        if number % 7 == 3 {
            // running now, since a while ago
            let started = ago(estate.now, 600 + number as i64);
            job = Job {
                status: "Running",
                last_run: Some(started),
                last_end: None,
                last_duration: Some(600),
                failure: None,
                ..job
            };
        }
        estate.jobs.push(job);
    }
    for number in 0..sizes.tape_jobs {
        let mut job = job(
            estate,
            dice,
            spread(number),
            "BackupToTape",
            format!("Tape {:03}", number + 1),
        );
        job.status = dice.pick(&["Idle", "Success", "Success", "WaitingTape", "Failed"]);
        estate.jobs.push(job);
    }
    for number in 0..sizes.copies {
        let server = spread(number);
        let job = job(
            estate,
            dice,
            server,
            "BackupCopy",
            format!("Offsite copy {:03}", number + 1),
        );
        let place = estate.jobs.len();
        let target = if dice.chance(50) {
            DEFAULT_REPOSITORY
        } else {
            estate.repositories[server * 2 + 1].uid
        };
        estate.copies.push(CopyDetail {
            job: Some(place),
            uid: job.uid,
            unique_uid: job.unique_uid,
            server,
            target,
            target_wan: dice.chance(30).then(|| dice.uid()),
            source_wan: dice.chance(30).then(|| dice.uid()),
            retention: dice.pick(&["Simple", "simple", "GFS"]),
            has_rpo: dice.chance(50),
            rpo: dice.below(4) as i64,
            rpo_unit: dice.pick(&["Days", "Hours", "minutes"]),
        });
        estate.jobs.push(job);
    }
    // a sub-type row whose job is gone
    let (uid, unique_uid) = (dice.uid(), dice.uid());
    let gone = CopyDetail {
        job: None,
        uid,
        unique_uid,
        server: 0,
        target: DEFAULT_REPOSITORY,
        target_wan: None,
        source_wan: None,
        retention: "None",
        has_rpo: false,
        rpo: 0,
        rpo_unit: "Minutes",
    };
    estate.copies.push(gone);
    let cloned = estate.jobs.iter().filter(|job| job.server == 0).count();
    let rest = sizes.jobs.saturating_sub(estate.jobs.len() + cloned);
    for number in 0..rest {
        let is_rare = number >= 30 && number % 10 == 5;
        let kind = if is_rare {
            RARE_KINDS[number / 10 % RARE_KINDS.len()]
        } else {
            OTHER_KINDS[number % OTHER_KINDS.len()]
        };
        // not on the server that will be restored, so that the count stays what it should be
        let server = 1 + number % (hosts - 1);
        let job = job(
            estate,
            dice,
            server,
            kind,
            format!(
                "{} {:04}",
                kind.trim_end_matches("FromTheFuture"),
                number + 1
            ),
        );
        estate.jobs.push(job);
    }
}

fn job(estate: &Estate, dice: &mut Dice, server: usize, kind: &'static str, name: String) -> Job {
    let is_log = kind.ends_with("LogBackup");
    let status = match dice.below(20) {
        _ if is_log => "Running",
        0..=10 => "Success",
        11 => "success",
        12 | 13 => "Warning",
        14 | 15 => "Failed",
        16 => "Running",
        17 => "None",
        18 => "Idle",
        _ => "Unknown",
    };
    let started = dice.below(20 * 3_600) as i64 + 1_800;
    let duration = if is_log {
        38_195
    } else {
        60 + dice.below(1_200) as i64
    };
    let last_run =
        (status != "None").then(|| ago(estate.now, started + if is_log { duration } else { 0 }));
    let is_running = status == "Running";
    let mapped_company = match dice.below(10) {
        0..=5 => Some(estate.companies[2 + dice.below(estate.companies.len() - 2)].uid),
        // all zeros: nobody
        6 => Some(Uuid::nil()),
        _ => None,
    };
    let failure = match status {
        "Failed" => {
            Some("Processing finished with errors\r\nFailed to connect to the host.\r\nDetails: the network path was not found".to_owned())
        }
        "Warning" => Some("Some volumes were skipped".to_owned()),
        _ => None,
    };
    Job {
        uid: dice.uid(),
        unique_uid: dice.uid(),
        server,
        name,
        kind,
        status,
        mapped_company,
        last_run,
        last_end: last_run.filter(|_| !is_running).map(|run| {
            run.checked_add(SignedDuration::from_secs(duration))
                .unwrap_or(run)
        }),
        last_duration: last_run.map(|_| duration),
        avg_duration: last_run.map(|_| duration + 7),
        transferred: last_run.map(|_| (dice.below(400_000) as i64) * 262_144),
        chain: (kind == "BackupVm").then_some(90_541_989_888),
        is_enabled: dice.chance(90),
        schedule: dice.pick(&["Daily", "Periodically", "Chained", "NotScheduled"]),
        failure,
        destination: Some(if dice.chance(50) {
            "Default Backup Repository".to_owned()
        } else {
            format!("Scale-out {:03}", server + 1)
        }),
        os: dice.pick(&["Windows", "windows", "Linux"]),
    }
}

fn machines(estate: &mut Estate, dice: &mut Dice, count: usize) {
    let agent_jobs: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].kind.starts_with("Agent"))
        .collect();
    // machines of the first server come twice in the end: it will be restored
    let doubled = agent_jobs
        .iter()
        .filter(|place| estate.jobs[**place].server == 0)
        .count();
    let per_job = (count / (agent_jobs.len() + doubled)).max(1);
    let mut left = count.saturating_sub(per_job * doubled);
    for (turn, job) in agent_jobs.iter().cycle().enumerate() {
        let round = turn / agent_jobs.len();
        if left == 0 || round > count {
            break;
        }
        if estate.jobs[*job].server == 0 && round >= per_job {
            continue;
        }
        let machine = machine(estate, dice, *job);
        estate.machines.push(machine);
        left -= 1;
    }
}

fn machine(estate: &Estate, dice: &mut Dice, job: usize) -> Machine {
    let number = estate.machines.len() + 1;
    let of_job = &estate.jobs[job];
    let status = if of_job.last_run.is_none() {
        "None"
    } else {
        dice.pick(&[
            "Success", "Success", "success", "Success", "Warning", "Failed", "Running",
        ])
    };
    let duration = 30 + dice.below(900) as i64;
    let last_run = of_job.last_run;
    let is_running = status == "Running";
    Machine {
        uid: dice.uid(),
        unique_uid: dice.uid(),
        agent: dice.uid(),
        job,
        computer: format!(
            "{}{number:05}.{}",
            dice.pick(ROLES),
            if dice.chance(70) {
                "corp.example"
            } else {
                "lab.example"
            }
        ),
        status,
        last_run,
        last_end: last_run.filter(|_| !is_running).map(|run| {
            run.checked_add(SignedDuration::from_secs(duration))
                .unwrap_or(run)
        }),
        last_duration: last_run.map(|_| duration),
        restore_points: if last_run.is_some() {
            1 + dice.below(30) as i64
        } else {
            0
        },
        failure: (status == "Failed")
            .then(|| "The agent is not reachable.\r\nCheck the service.".to_owned()),
        repository: if dice.chance(50) {
            DEFAULT_REPOSITORY
        } else {
            estate.repositories[of_job.server * 2 + 1].uid
        },
    }
}

/// The last server is restored from the first one's configuration: same job ids, same machine ids,
/// other runs.
fn clone_server(estate: &mut Estate) {
    let clone = estate.servers.len() - 1;
    let originals: Vec<usize> = (0..estate.jobs.len())
        .filter(|place| estate.jobs[*place].server == 0)
        .collect();
    for place in originals {
        let mut job = estate.jobs[place].clone();
        job.server = clone;
        job.unique_uid = Uuid::from_u128(job.unique_uid.as_u128() ^ 1);
        let copied = estate.jobs.len();
        let machines: Vec<Machine> = estate
            .machines
            .iter()
            .filter(|machine| machine.job == place)
            .cloned()
            .collect();
        estate
            .machines
            .extend(machines.into_iter().map(|machine| Machine {
                job: copied,
                unique_uid: Uuid::from_u128(machine.unique_uid.as_u128() ^ 1),
                ..machine
            }));
        if let Some(copy) = estate
            .copies
            .iter()
            .find(|copy| copy.job == Some(place))
            .cloned()
        {
            estate.copies.push(CopyDetail {
                job: Some(copied),
                unique_uid: job.unique_uid,
                server: clone,
                ..copy
            });
        }
        estate.jobs.push(job);
    }
}
