//! The estate in the words of Service Provider Console, REST v3.

mod agents;
pub mod kinds;
mod protection;

use super::estate::{CopyDetail, Estate, Job, Link, Machine, Protected, Server};
use jiff::{Timestamp, tz::Offset};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a path below `/api/v3` leads to.
pub(super) enum Found {
    List(Vec<Value>),
    One(Value),
    Missing,
    /// No such path: the real server answers with its web UI.
    Nothing,
}

/// The vendor's form of an instant: seven digits, and any offset.
fn time(instant: Option<Timestamp>, hours: i8) -> Value {
    let Some(instant) = instant else { return Value::Null };
    let local = Offset::constant(hours).to_datetime(instant);
    let (sign, hours) = if hours < 0 { ('-', -hours) } else { ('+', hours) };
    json!(format!("{}.0000000{sign}{hours:02}:00", local.strftime("%Y-%m-%dT%H:%M:%S")))
}

/// Answers a path below `/api/v3`, with what it can `expand` or without.
pub(super) fn find(estate: &Estate, path: &str, expand: bool) -> Found {
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["about"] => Found::One(json!({"serverVersion": "9.1.0.30713", "installationId": estate.manager})),
        ["organizations", "locations"] => Found::List(estate.locations.iter().map(agents::location).collect()),
        ["infrastructure", "backupAgents"] => Found::List(estate.console_agents.iter().map(|row| agents::agent(estate, row)).collect()),
        ["infrastructure", "backupAgents", "jobs"] => Found::List(estate.console_jobs.iter().map(agents::job).collect()),
        ["organizations"] => Found::List(estate.companies.iter().map(organization).collect()),
        ["infrastructure", "enterpriseManagers"] => Found::List(vec![
            json!({"instanceUid": estate.manager, "name": "em01.backup.example", "version": "13.0.1.2067", "status": "Healthy"}),
        ]),
        ["infrastructure", "enterpriseManagers", uid, "backupServers"] if uid.eq_ignore_ascii_case(&estate.manager.to_string()) => {
            Found::List(
                estate
                    .servers
                    .iter()
                    .filter(|server| server.is_mapped)
                    .map(|server| json!({"instanceUid": server.uid, "address": server.managed_name, "port": 9392}))
                    .collect(),
            )
        }
        ["alarms", "active"] => Found::List(estate.alarms.iter().map(|row| protection::alarm(estate, row)).collect()),
        ["licensing", "usage", "organizations"] => Found::List(protection::licenses(estate)),
        ["protectedWorkloads", "virtualMachines"] => Found::List(protection::workloads(estate, Protected::Vm)),
        ["protectedWorkloads", "computersManagedByBackupServer"] => Found::List(protection::workloads(estate, Protected::Computer)),
        ["protectedWorkloads", "computersManagedByConsole"] => Found::List(protection::workloads(estate, Protected::ConsoleComputer)),
        ["protectedWorkloads", "computersManagedByBackupServer", "backups"] => {
            Found::List(estate.machines.iter().map(|machine| backup(estate, machine)).collect())
        }
        ["infrastructure", "backupServers", rest @ ..] => servers(estate, rest, expand),
        _ => Found::Nothing,
    }
}

fn servers(estate: &Estate, rest: &[&str], expand: bool) -> Found {
    let everywhere = |_: usize| true;
    match rest {
        [] => Found::List(estate.servers.iter().map(|row| server(estate, row)).collect()),
        ["agents"] => Found::List(estate.machines.iter().map(|row| agent(estate, row)).collect()),
        ["repositories"] => Found::List(estate.repositories.iter().map(|row| repository(estate, row, expand)).collect()),
        ["jobs", rest @ ..] => jobs(estate, rest, expand, &everywhere),
        [uid, rest @ ..] => {
            let Ok(uid) = Uuid::try_parse(uid) else { return Found::Nothing };
            let Some(place) = estate.servers.iter().position(|server| server.uid == uid) else { return Found::Missing };
            match rest {
                [] => Found::One(server(estate, &estate.servers[place])),
                ["agents", agent_uid] => {
                    let is_it = |row: &&Machine| estate.jobs[row.job].server == place && row.agent.to_string() == *agent_uid;
                    estate.machines.iter().find(is_it).map_or(Found::Missing, |row| Found::One(agent(estate, row)))
                }
                ["repositories"] => Found::List(
                    estate.repositories.iter().filter(|row| row.server == place).map(|row| repository(estate, row, expand)).collect(),
                ),
                ["jobs", rest @ ..] => jobs(estate, rest, expand, &|server| server == place),
                _ => Found::Nothing,
            }
        }
    }
}

/// `…/jobs…`, of the servers that `is_asked` takes.
fn jobs(estate: &Estate, rest: &[&str], expand: bool, is_asked: &dyn Fn(usize) -> bool) -> Found {
    let here = || estate.jobs.iter().filter(|job| is_asked(job.server));
    let links = |links: &[Link], of: Option<Uuid>| -> Vec<Value> {
        let wanted = |link: &&Link| is_asked(link.server) && of.is_none_or(|uid| estate.jobs[link.job].uid == uid);
        links.iter().filter(wanted).map(|row| link(estate, row)).collect()
    };
    let uid = |text: &str| Uuid::try_parse(text).ok();
    match rest {
        [] => Found::List(here().map(|row| job(estate, row)).collect()),
        ["agentJobs"] => {
            let mut rows: Vec<Value> =
                here().filter(|job| job.kind.starts_with("Agent")).map(|job| agent_job(estate, job, expand)).collect();
            if is_asked(0) {
                // a row whose parent job is gone
                rows.push(json!({"instanceUid": Uuid::from_u128(0xdead), "jobMode": "ManagedByAgent", "osType": "Windows", "_embedded": {"backupServerJob": null}}));
            }
            Found::List(rows)
        }
        ["agentJobs", "objects"] => Found::List(machines(estate, |machine| is_asked(estate.jobs[machine.job].server))),
        ["agentJobs", job, "objects"] => match uid(job) {
            Some(uid) => Found::List(machines(estate, |machine| estate.jobs[machine.job].uid == uid)),
            None => Found::Nothing,
        },
        ["backupCopyJobs"] => {
            Found::List(estate.copies.iter().filter(|copy| is_asked(copy.server)).map(|row| copy(estate, row, expand)).collect())
        }
        ["backupCopyJobs", "jobObjects"] => Found::List(links(&estate.copy_links, None)),
        ["backupCopyJobs", job, "jobObjects"] => uid(job).map_or(Found::Nothing, |job| Found::List(links(&estate.copy_links, Some(job)))),
        ["backupCopyJobs", job] => match uid(job) {
            Some(uid) => {
                estate.copies.iter().find(|copy| copy.uid == uid).map_or(Found::Missing, |row| Found::One(copy(estate, row, false)))
            }
            None => Found::Nothing,
        },
        ["simpleBackupCopyJobs", "objects"] => Found::List(links(&estate.simple_copy_links, None)),
        ["simpleBackupCopyJobs", job, "objects"] => {
            uid(job).map_or(Found::Nothing, |job| Found::List(links(&estate.simple_copy_links, Some(job))))
        }
        ["backupTapeJobs", "jobObjects"] => Found::List(links(&estate.tape_links, None)),
        ["backupTapeJobs", job, "jobObjects"] => uid(job).map_or(Found::Nothing, |job| Found::List(links(&estate.tape_links, Some(job)))),
        ["backupTapeJobs", "repositoryObjects"] => Found::List(
            estate
                .tape_repositories
                .iter()
                .filter(|(job, _)| is_asked(estate.jobs[*job].server))
                .map(|(job, repository)| linked_repository(estate, *job, *repository))
                .collect(),
        ),
        [list, "objects"] if kinds::word_of(list).is_some() => {
            let is_of_kind = |job: &&Job| kinds::word_of(list).is_some_and(|word| job.kind.eq_ignore_ascii_case(word));
            Found::List(here().filter(is_of_kind).flat_map(|row| objects(estate, row)).collect())
        }
        [list] if kinds::word_of(list).is_some() => {
            let is_of_kind = |job: &&Job| kinds::word_of(list).is_some_and(|word| job.kind.eq_ignore_ascii_case(word));
            Found::List(here().filter(is_of_kind).map(|row| kind_detail(estate, row, expand)).collect())
        }
        [one] => match uid(one) {
            // ids repeat: the first server's wins
            Some(uid) => here().find(|job| job.uid == uid).map_or(Found::Missing, |row| Found::One(job(estate, row))),
            None => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

/// The console's own id, where the server reports one.
fn unique(server: &Server, uid: Uuid, row: &mut Value, member: &str) {
    if server.has_unique_ids {
        row[member] = json!(uid);
    }
}

fn organization(company: &super::estate::Company) -> Value {
    json!({
        "instanceUid": company.uid, "name": company.name, "alias": null, "type": company.kind, "taxId": null,
        "email": "backup@example.com", "phone": null, "countryName": "Norway", "city": company.city, "notes": "",
    })
}

/// Some servers are in no place.
fn location_of(estate: &Estate, row: &Server) -> Uuid {
    let location = estate.locations.iter().rfind(|location| location.company == row.company);
    location.filter(|_| row.is_mapped).map_or(Uuid::nil(), |location| location.uid)
}

fn server(estate: &Estate, row: &Server) -> Value {
    json!({
        "instanceUid": row.uid, "name": row.name, "organizationUid": row.company, "locationUid": location_of(estate, row),
        "managementAgentUid": row.managed_uid, "version": row.version, "displayVersion": row.version,
        "installationUid": row.uid.simple().to_string(), "backupServerRoleType": "Client", "status": row.status,
        "inHighAvailabilityCluster": false, "label": null,
    })
}

fn repository(estate: &Estate, row: &super::estate::Repository, expand: bool) -> Value {
    let room = expand.then(|| protection::room(row));
    json!({"instanceUid": row.uid, "name": row.name, "backupServerUid": estate.servers[row.server].uid, "tags": [], "_embedded": room})
}

fn job(estate: &Estate, row: &Job) -> Value {
    let server = &estate.servers[row.server];
    let hours = (row.server % 5) as i8 - 3;
    let mut value = json!({
        "instanceUid": row.uid, "originalUid": row.uid, "name": row.name, "description": format!("Created by {}", "operator"),
        "createdBy": "BACKUP\\operator", "creationTime": "2024-07-17T21:48:09.683-04:00", "backupServerUid": server.uid,
        "locationUid": Uuid::nil(), "siteUid": null, "organizationUid": server.company, "mappedOrganizationUid": row.mapped_company,
        "status": row.status, "type": row.kind, "lastRun": time(row.last_run, hours), "lastEndTime": time(row.last_end, hours),
        "lastDuration": row.last_duration, "processingRate": 127_782_020.0, "avgDuration": row.avg_duration,
        "transferredData": row.transferred, "backupChainSize": row.chain, "bottleneck": "Source", "isEnabled": row.is_enabled,
        "scheduleType": row.schedule, "schedule": null, "failureMessage": row.failure.as_deref().unwrap_or_default(),
        "targetType": "Local", "destination": row.destination, "retentionLimit": 14, "retentionLimitType": "Days",
        "isGfsOptionEnabled": false, "lastSessionTasks": [],
    });
    if row.last_run.is_none() {
        // one of the ways to say never
        value["lastEndTime"] = json!("0001-01-01T00:00:00");
    }
    unique(server, row.unique_uid, &mut value, "uniqueUid");
    value
}

fn agent_job(estate: &Estate, row: &Job, expand: bool) -> Value {
    let embedded = if expand { json!({"backupServerJob": job(estate, row)}) } else { json!({"backupServerJob": null}) };
    let mut value = json!({
        "instanceUid": row.uid, "totalJobsCount": 30, "successJobsCount": 27, "destination": row.destination, "source": null,
        "jobMode": if row.kind == "AgentPolicy" { "ManagedByAgent" } else { "ManagedByBackupServer" }, "osType": row.os,
        "licenseType": "Server", "_embedded": embedded,
    });
    unique(&estate.servers[row.server], row.unique_uid, &mut value, "uniqueUid");
    value
}

/// Machines, the first one twice.
fn machines(estate: &Estate, wanted: impl Fn(&Machine) -> bool) -> Vec<Value> {
    let mut rows: Vec<Value> = estate.machines.iter().filter(|machine| wanted(machine)).map(|row| machine(estate, row)).collect();
    if let Some(first) = rows.first().cloned() {
        rows.insert(1, first);
    }
    rows
}

fn machine(estate: &Estate, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    let server = &estate.servers[job.server];
    let mut value = json!({
        "instanceUid": row.uid, "backupServerUid": server.uid, "agentUid": row.agent, "jobUid": job.uid, "computer": row.computer,
        "backupStatus": row.status, "lastRun": time(row.last_run, 0), "lastEndTime": time(row.last_end, 0),
        "lastDuration": row.last_duration, "restorePointsCount": row.restore_points, "osType": job.os,
        "failureMessage": row.failure.as_deref().unwrap_or_default(),
    });
    unique(server, row.unique_uid, &mut value, "uniqueUid");
    unique(server, job.unique_uid, &mut value, "uniqueJobUid");
    value
}

fn agent(estate: &Estate, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    json!({
        "instanceUid": row.agent, "name": row.computer.split('.').next(), "machineName": row.computer, "guestOs": "Windows Server 2022",
        "version": "6.3.2.1205", "biosUid": row.unique_uid, "ipAddresses": ["192.0.2.10"], "protectionGroups": [],
        "backupServerUid": estate.servers[job.server].uid, "isUnmanaged": false, "installationStatus": "Installed", "license": "Server",
        "licenseStatus": "Licensed", "osType": job.os,
    })
}

fn backup(estate: &Estate, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    json!({
        "instanceUid": row.unique_uid, "backupAgentUid": row.agent, "jobUid": job.uid, "jobName": job.name, "jobKind": "Backup",
        "repositoryUid": row.repository, "restorePoints": row.restore_points, "targetType": "Local",
    })
}

fn copy(estate: &Estate, row: &CopyDetail, expand: bool) -> Value {
    let parent = row.job.filter(|_| expand).map(|place| job(estate, &estate.jobs[place]));
    let mut value = json!({
        "instanceUid": row.uid, "targetRepositoryUid": row.target, "targetWanAcceleratorUid": row.target_wan,
        "sourceWanAcceleratorUid": row.source_wan, "weeklyRestorePointsToKeep": 4, "monthlyRestorePointsToKeep": 12,
        "yearlyRestorePointsToKeep": 0, "retentionPolicyType": row.retention, "isRpoOptionsEnabled": row.has_rpo,
        "rpoOptionsValue": row.rpo, "rpoOptionsUnit": row.rpo_unit, "_embedded": {"backupServerJob": parent},
    });
    unique(&estate.servers[row.server], row.unique_uid, &mut value, "uniqueUid");
    value
}

fn objects(estate: &Estate, row: &Job) -> Vec<Value> {
    let with_job = |mut value: Value| {
        value["jobUid"] = json!(row.uid);
        unique(&estate.servers[row.server], row.unique_uid, &mut value, "uniqueJobUid");
        value
    };
    kinds::objects(row, estate.now).into_iter().map(with_job).collect()
}

fn kind_detail(estate: &Estate, row: &Job, expand: bool) -> Value {
    let mut value = kinds::members(estate, row);
    value["instanceUid"] = json!(row.uid);
    value["_embedded"] = json!({"backupServerJob": expand.then(|| job(estate, row))});
    unique(&estate.servers[row.server], row.unique_uid, &mut value, "uniqueUid");
    value
}

fn link(estate: &Estate, row: &Link) -> Value {
    let job = &estate.jobs[row.job];
    let mut value = json!({"jobUid": job.uid, "linkedJobUid": row.linked});
    unique(&estate.servers[row.server], job.unique_uid, &mut value, "uniqueJobUid");
    value
}

fn linked_repository(estate: &Estate, job: usize, repository: Uuid) -> Value {
    let job = &estate.jobs[job];
    let mut value = json!({"jobUid": job.uid, "linkedRepositoryUid": repository});
    unique(&estate.servers[job.server], job.unique_uid, &mut value, "uniqueJobUid");
    value
}
