//! The estate in the words of Service Provider Console, REST v3.

mod agents;
pub mod kinds;
mod plan;
mod protection;

use super::{
    estate::{CopyDetail, Job, Link, Machine, Protected, Server},
    version::{ApiVersion, Bridge, Told},
};
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
    let Some(instant) = instant else {
        return Value::Null;
    };
    let local = Offset::constant(hours).to_datetime(instant);
    let (sign, hours) = if hours < 0 {
        ('-', -hours)
    } else {
        ('+', hours)
    };
    json!(format!(
        "{}.0000000{sign}{hours:02}:00",
        local.strftime("%Y-%m-%dT%H:%M:%S")
    ))
}

/// Answers a path below `/api/v3`, with what it can `expand` or without.
pub(super) fn find(estate: Told<'_>, path: &str, expand: bool) -> Found {
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["about"] => Found::One(about(estate)),
        ["organizations", "locations"] => {
            Found::List(estate.locations.iter().map(agents::location).collect())
        }
        ["infrastructure", "managementAgents"] => Found::List(agents::management_agents(estate)),
        ["infrastructure", "backupAgents"] => Found::List(
            estate
                .console_agents
                .iter()
                .map(|row| agents::agent(estate.estate, row))
                .collect(),
        ),
        ["infrastructure", "backupAgents", "jobs"] => {
            Found::List(estate.console_jobs.iter().map(agents::job).collect())
        }
        ["organizations"] => Found::List(estate.companies.iter().map(organization).collect()),
        ["infrastructure", "enterpriseManagers"] => Found::List(vec![json!({
            "instanceUid": estate.manager, "name": "em01.backup.example", "version": "13.0.1.2067", "status": "Healthy",
            "managementAgentUid": Uuid::from_u128(estate.manager.as_u128() ^ 2),
            "installationUid": Uuid::from_u128(estate.manager.as_u128() ^ 3),
        })]),
        ["infrastructure", "enterpriseManagers", uid, "backupServers"]
            if uid.eq_ignore_ascii_case(&estate.manager.to_string()) =>
        {
            Found::List(
                estate
                    .servers
                    .iter()
                    .filter(|server| server.is_mapped)
                    .map(|row| managed(estate, row))
                    .collect(),
            )
        }
        ["alarms", "active"] => Found::List(
            estate
                .alarms
                .iter()
                .map(|row| protection::alarm(estate, row))
                .collect(),
        ),
        ["licensing", "usage", "organizations"] => Found::List(protection::licenses(estate.estate)),
        ["protectedWorkloads", "virtualMachines"] => {
            Found::List(protection::workloads(estate, Protected::Vm))
        }
        ["protectedWorkloads", "computersManagedByBackupServer"] => {
            Found::List(protection::workloads(estate, Protected::Computer))
        }
        ["protectedWorkloads", "computersManagedByConsole"] => {
            Found::List(protection::workloads(estate, Protected::ConsoleComputer))
        }
        [
            "protectedWorkloads",
            "computersManagedByBackupServer",
            "backups",
        ] => Found::List(
            estate
                .machines
                .iter()
                .map(|machine| backup(estate, machine))
                .collect(),
        ),
        ["infrastructure", "backupServers", rest @ ..] => servers(estate, rest, expand),
        _ => Found::Nothing,
    }
}

fn servers(estate: Told<'_>, rest: &[&str], expand: bool) -> Found {
    let everywhere = |_: usize| true;
    match rest {
        [] => Found::List(
            estate
                .servers
                .iter()
                .map(|row| server(estate, row))
                .collect(),
        ),
        ["agents"] => Found::List(
            estate
                .machines
                .iter()
                .map(|row| agent(estate, row))
                .collect(),
        ),
        ["repositories"] => Found::List(
            estate
                .repositories
                .iter()
                .map(|row| repository(estate, row, expand))
                .collect(),
        ),
        ["jobs", rest @ ..] => jobs(estate, rest, expand, &everywhere),
        [uid, rest @ ..] => {
            let Ok(uid) = Uuid::try_parse(uid) else {
                return Found::Nothing;
            };
            let Some(place) = estate.servers.iter().position(|server| server.uid == uid) else {
                return Found::Missing;
            };
            match rest {
                [] => Found::One(server(estate, &estate.servers[place])),
                ["agents", agent_uid] => {
                    let is_it = |row: &&Machine| {
                        estate.jobs[row.job].server == place && row.agent.to_string() == *agent_uid
                    };
                    estate
                        .machines
                        .iter()
                        .find(is_it)
                        .map_or(Found::Missing, |row| Found::One(agent(estate, row)))
                }
                ["repositories"] => Found::List(
                    estate
                        .repositories
                        .iter()
                        .filter(|row| row.server == place)
                        .map(|row| repository(estate, row, expand))
                        .collect(),
                ),
                ["jobs", rest @ ..] => jobs(estate, rest, expand, &|server| server == place),
                _ => Found::Nothing,
            }
        }
    }
}

/// `…/jobs…`, of the servers that `is_asked` takes.
fn jobs(estate: Told<'_>, rest: &[&str], expand: bool, is_asked: &dyn Fn(usize) -> bool) -> Found {
    let here = || estate.jobs.iter().filter(|job| is_asked(job.server));
    let links = |links: &[Link], of: Option<Uuid>| -> Vec<Value> {
        let wanted = |link: &&Link| {
            is_asked(link.server)
                && of.is_none_or(|uid| estate.id_of(&estate.jobs[link.job]) == uid)
        };
        links
            .iter()
            .filter(wanted)
            .map(|row| link(estate, row))
            .collect()
    };
    let uid = |text: &str| Uuid::try_parse(text).ok();
    match rest {
        [] => Found::List(here().map(|row| job(estate, row)).collect()),
        ["agentJobs"] => {
            let mut rows: Vec<Value> = here()
                .filter(|job| job.kind.starts_with("Agent"))
                .map(|job| agent_job(estate, job, expand))
                .collect();
            if is_asked(0) {
                // a row whose parent job is gone
                rows.push(json!({
                    "instanceUid": Uuid::from_u128(0xdead), "totalJobsCount": 1, "successJobsCount": 0, "destination": "", "source": null,
                    "jobMode": "ManagedByAgent", "osType": "Windows", "licenseType": "Server", "_embedded": {"backupServerJob": null},
                }));
            }
            Found::List(rows)
        }
        ["agentJobs", "objects"] => Found::List(machines(estate, |machine| {
            is_asked(estate.jobs[machine.job].server)
        })),
        ["agentJobs", job, "objects"] => match uid(job) {
            Some(uid) => Found::List(machines(estate, |machine| {
                estate.id_of(&estate.jobs[machine.job]) == uid
            })),
            None => Found::Nothing,
        },
        ["backupCopyJobs"] => Found::List(
            estate
                .copies
                .iter()
                .filter(|copy| is_asked(copy.server))
                .map(|row| copy(estate, row, expand))
                .collect(),
        ),
        ["backupCopyJobs", "jobObjects"] => Found::List(links(&estate.copy_links, None)),
        ["backupCopyJobs", job, "jobObjects"] => uid(job).map_or(Found::Nothing, |job| {
            Found::List(links(&estate.copy_links, Some(job)))
        }),
        ["backupCopyJobs", job] => match uid(job) {
            Some(uid) => estate
                .copies
                .iter()
                .find(|copy| copy_id(estate, copy) == uid)
                .map_or(Found::Missing, |row| Found::One(copy(estate, row, false))),
            None => Found::Nothing,
        },
        ["simpleBackupCopyJobs", "objects"] => Found::List(links(&estate.simple_copy_links, None)),
        ["simpleBackupCopyJobs", job, "objects"] => uid(job).map_or(Found::Nothing, |job| {
            Found::List(links(&estate.simple_copy_links, Some(job)))
        }),
        ["backupTapeJobs", "jobObjects"] => Found::List(links(&estate.tape_links, None)),
        ["backupTapeJobs", job, "jobObjects"] => uid(job).map_or(Found::Nothing, |job| {
            Found::List(links(&estate.tape_links, Some(job)))
        }),
        ["backupTapeJobs", "repositoryObjects"] => Found::List(
            estate
                .tape_repositories
                .iter()
                .filter(|(job, _)| is_asked(estate.jobs[*job].server))
                .map(|(job, repository)| linked_repository(estate, *job, *repository))
                .collect(),
        ),
        [list, "objects"] if kinds::word_of(list).is_some() => {
            let is_of_kind = |job: &&Job| {
                kinds::word_of(list).is_some_and(|word| job.kind.eq_ignore_ascii_case(word))
            };
            Found::List(
                here()
                    .filter(is_of_kind)
                    .flat_map(|row| objects(estate, row))
                    .collect(),
            )
        }
        [list] if kinds::word_of(list).is_some() => {
            let is_of_kind = |job: &&Job| {
                kinds::word_of(list).is_some_and(|word| job.kind.eq_ignore_ascii_case(word))
            };
            Found::List(
                here()
                    .filter(is_of_kind)
                    .map(|row| kind_detail(estate, row, expand))
                    .collect(),
            )
        }
        [one] => match uid(one) {
            // ids repeat: the first server's wins
            Some(uid) => here()
                .find(|job| estate.id_of(job) == uid)
                .map_or(Found::Missing, |row| Found::One(job(estate, row))),
            None => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

/// The console's own id, where the server reports one.
fn unique(estate: Told<'_>, server: usize, uid: Uuid, row: &mut Value, member: &str) {
    if estate.has_unique_ids(server) {
        row[member] = json!(uid);
    }
}

fn about(estate: Told<'_>) -> Value {
    json!({
        "serverVersion": estate.version.server(), "installationId": estate.manager, "actualVawVersion": "6.3.2.1205",
        "actualValVersion": "6.3.2.1207", "actualVamVersion": "2.3.0.1043", "windowsManagementAgentVersion": estate.version.server(),
        "linuxManagementAgentVersion": estate.version.server(), "macManagementAgentVersion": estate.version.server(),
        "installationDate": "2024-07-17T21:48:09.683-04:00",
    })
}

/// A server as Enterprise Manager lists it, in the way that the console reads its own document.
fn managed(estate: Told<'_>, row: &Server) -> Value {
    let uid = if estate.bridge == Bridge::Nested {
        row.managed_uid
    } else {
        row.uid
    };
    let known = (estate.bridge != Bridge::FlatAlone).then(|| server(estate, row));
    json!({"instanceUid": uid, "address": row.managed_name, "port": 9392, "backupServer": known})
}

fn organization(company: &super::estate::Company) -> Value {
    json!({
        "instanceUid": company.uid, "name": company.name, "alias": null, "type": company.kind, "taxId": null,
        "email": "backup@example.com", "phone": null, "country": 578, "state": null, "countryName": "Norway", "regionName": null,
        "city": company.city, "street": null, "locationAdmin0Code": "NO", "locationAdmin1Code": null, "locationAdmin2Code": null,
        "notes": "", "zipCode": "0150", "website": null, "veeamTenantId": null, "companyId": null,
    })
}

/// Some servers are in no place.
fn location_of(estate: Told<'_>, row: &Server) -> Uuid {
    let location = estate
        .locations
        .iter()
        .rfind(|location| location.company == row.company);
    location
        .filter(|_| row.is_mapped)
        .map_or(Uuid::nil(), |location| location.uid)
}

fn server(estate: Told<'_>, row: &Server) -> Value {
    let mut value = json!({
        "instanceUid": row.uid, "name": row.name, "organizationUid": row.company, "locationUid": location_of(estate, row),
        "managementAgentUid": row.managed_uid, "version": row.version, "displayVersion": row.version,
        "installationUid": row.uid.simple().to_string(), "backupServerRoleType": "Client", "status": row.status,
        "inHighAvailabilityCluster": false,
    });
    if estate.version == ApiVersion::V3_7 {
        value["label"] = Value::Null;
    }
    value
}

fn repository(estate: Told<'_>, row: &super::estate::Repository, expand: bool) -> Value {
    let room = expand.then(|| protection::room(row));
    let labels = if estate.version == ApiVersion::V3_7 {
        "labels"
    } else {
        "tags"
    };
    json!({"instanceUid": row.uid, "name": row.name, "backupServerUid": estate.servers[row.server].uid, labels: [], "_embedded": room})
}

fn job(estate: Told<'_>, row: &Job) -> Value {
    let server = &estate.servers[row.server];
    let hours = (row.server % 5) as i8 - 3;
    let mut value = json!({
        "name": row.name, "description": format!("Created by {}", "operator"),
        "createdBy": "BACKUP\\operator", "creationTime": "2024-07-17T21:48:09.683-04:00", "backupServerUid": server.uid,
        "locationUid": Uuid::nil(), "siteUid": null, "organizationUid": server.company, "mappedOrganizationUid": row.mapped_company,
        "status": row.status, "type": estate.word(row), "lastRun": time(row.last_run, hours), "lastEndTime": time(row.last_end, hours),
        "lastDuration": row.last_duration, "processingRate": 127_782_020.0, "avgDuration": row.avg_duration,
        "transferredData": row.transferred, "backupChainSize": row.chain, "bottleneck": "Source", "isEnabled": row.is_enabled,
        "scheduleType": row.schedule, "schedule": plan::schedule(row), "failureMessage": row.failure.as_deref().unwrap_or_default(),
        "targetType": "Local", "destination": row.destination, "retentionLimit": 14, "retentionLimitType": "Days",
        "isGfsOptionEnabled": false, "lastSessionTasks": plan::tasks(row),
    });
    if row.last_run.is_none() {
        // one of the ways to say never
        value["lastEndTime"] = json!("0001-01-01T00:00:00");
    }
    estate.name_job(row, &mut value, "instanceUid", "uniqueUid");
    value
}

fn agent_job(estate: Told<'_>, row: &Job, expand: bool) -> Value {
    let embedded = if expand {
        json!({"backupServerJob": job(estate, row)})
    } else {
        json!({"backupServerJob": null})
    };
    let mut value = json!({
        "totalJobsCount": 30, "successJobsCount": 27, "destination": row.destination, "source": plan::source(row),
        "jobMode": if row.kind == "AgentPolicy" { "ManagedByAgent" } else { "ManagedByBackupServer" }, "osType": row.os,
        "licenseType": "Server", "_embedded": embedded,
    });
    estate.name_job(row, &mut value, "instanceUid", "uniqueUid");
    value
}

/// Machines, the first one twice.
fn machines(estate: Told<'_>, wanted: impl Fn(&Machine) -> bool) -> Vec<Value> {
    let mut rows: Vec<Value> = estate
        .machines
        .iter()
        .filter(|machine| wanted(machine))
        .map(|row| machine(estate, row))
        .collect();
    if let Some(first) = rows.first().cloned() {
        rows.insert(1, first);
    }
    rows
}

fn machine(estate: Told<'_>, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    let server = &estate.servers[job.server];
    let mut value = json!({
        "instanceUid": row.uid, "backupServerUid": server.uid, "agentUid": row.agent, "computer": row.computer,
        "backupStatus": row.status, "lastRun": time(row.last_run, 0), "lastEndTime": time(row.last_end, 0),
        "lastDuration": row.last_duration, "restorePointsCount": row.restore_points, "osType": job.os,
        "failureMessage": row.failure.as_deref().unwrap_or_default(),
    });
    unique(estate, job.server, row.unique_uid, &mut value, "uniqueUid");
    estate.name_job(job, &mut value, "jobUid", "uniqueJobUid");
    value
}

fn agent(estate: Told<'_>, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    json!({
        "instanceUid": row.agent, "name": row.computer.split('.').next(), "machineName": row.computer, "guestOs": "Windows Server 2022",
        "version": "6.3.2.1205", "biosUid": row.unique_uid, "ipAddresses": ["192.0.2.10"], "protectionGroups": [],
        "backupServerUid": estate.servers[job.server].uid, "isUnmanaged": false, "installationStatus": "Installed", "license": "Server",
        "licenseStatus": "Licensed", "osType": job.os,
    })
}

fn backup(estate: Told<'_>, row: &Machine) -> Value {
    let job = &estate.jobs[row.job];
    json!({
        "instanceUid": row.unique_uid, "backupAgentUid": row.agent, "jobUid": estate.id_of(job), "jobName": job.name, "jobKind": "Backup",
        "repositoryUid": row.repository, "restorePoints": row.restore_points, "targetType": "Local", "targetLocationTier": "Performance",
        "totalRestorePointSize": row.restore_points << 30, "latestRestorePointSize": row.restore_points.min(1) << 30,
        "provisionedSourceSize": 107_374_182_400_i64, "usedSourceSize": 64_424_509_440_i64, "malwareState": "Clean",
        "latestRestorePointDate": time(row.last_end.or(row.last_run), 2),
    })
}

fn copy(estate: Told<'_>, row: &CopyDetail, expand: bool) -> Value {
    let parent = row
        .job
        .filter(|_| expand)
        .map(|place| job(estate, &estate.jobs[place]));
    let mut value = json!({
        "instanceUid": copy_id(estate, row), "targetRepositoryUid": row.target, "targetWanAcceleratorUid": row.target_wan,
        "sourceWanAcceleratorUid": row.source_wan, "weeklyRestorePointsToKeep": 4, "monthlyRestorePointsToKeep": 12,
        "yearlyRestorePointsToKeep": 0, "retentionPolicyType": row.retention, "isRpoOptionsEnabled": row.has_rpo,
        "rpoOptionsValue": row.rpo, "rpoOptionsUnit": row.rpo_unit, "_embedded": {"backupServerJob": parent},
    });
    unique(estate, row.server, row.unique_uid, &mut value, "uniqueUid");
    value
}

/// The id that the console knows a copy job by: also one whose parent is gone.
fn copy_id(estate: Told<'_>, row: &CopyDetail) -> Uuid {
    if estate.version == ApiVersion::V3_5 {
        row.unique_uid
    } else {
        row.uid
    }
}

fn objects(estate: Told<'_>, row: &Job) -> Vec<Value> {
    let with_job = |mut value: Value| {
        estate.name_job(row, &mut value, "jobUid", "uniqueJobUid");
        value
    };
    kinds::objects(row, estate.now)
        .into_iter()
        .map(with_job)
        .collect()
}

fn kind_detail(estate: Told<'_>, row: &Job, expand: bool) -> Value {
    let mut value = kinds::members(estate.estate, row);
    value["_embedded"] = json!({"backupServerJob": expand.then(|| job(estate, row))});
    estate.name_job(row, &mut value, "instanceUid", "uniqueUid");
    value
}

fn link(estate: Told<'_>, row: &Link) -> Value {
    let job = &estate.jobs[row.job];
    let mut value = json!({"linkedJobUid": estate.linked(row)});
    estate.name_job(job, &mut value, "jobUid", "uniqueJobUid");
    value
}

fn linked_repository(estate: Told<'_>, job: usize, repository: Uuid) -> Value {
    let job = &estate.jobs[job];
    let mut value = json!({"linkedRepositoryUid": repository});
    estate.name_job(job, &mut value, "jobUid", "uniqueJobUid");
    value
}
