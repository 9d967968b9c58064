//! Protected machines, alarms, licences and the room in repositories, in the console's words.

use super::time;
use crate::simulator::{
    estate::{Alarm, Estate, LicenseUse, Protected, Repository, Subject, Workload},
    version::Told,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a list of protected machines has.
pub(super) fn workloads(estate: Told<'_>, kind: Protected) -> Vec<Value> {
    // rows of one machine stand beside each other, each for a protection group of its own
    let rows = estate.workloads.iter().filter(|row| row.kind == kind);
    rows.enumerate()
        .map(|(place, row)| workload(estate, row, Uuid::from_u128(0x9600 + (place % 2) as u128)))
        .collect()
}

fn workload(estate: Told<'_>, row: &Workload, group: Uuid) -> Value {
    let server = row.server.map(|server| estate.servers[server].uid);
    // one of the ways to say never
    let latest = if row.latest.is_some() {
        time(row.latest, 2)
    } else {
        json!("0001-01-01T00:00:00")
    };
    match row.kind {
        Protected::Vm => json!({
            "instanceUid": row.uid, "backupServerUid": server, "organizationUid": row.company, "name": row.name,
            "hierarchyRef": "vm-1042", "parentHostRef": "host-9", "objectUid": null, "ipAddresses": ["192.0.2.20"],
            "provisionedSourceSize": 107_374_182_400_i64, "usedSourceSize": 64_424_509_440_i64, "totalRestorePointSize": row.bytes,
            "latestRestorePointSize": row.bytes / 10, "restorePoints": row.restore_points, "latestRestorePointDate": latest,
            "jobUid": row.job.map(|job| estate.id_of(&estate.jobs[job])), "malwareState": "Clean", "immutable": false,
        }),
        Protected::Computer => json!({
            "instanceUid": row.uid, "sourceInstanceUid": Uuid::from_u128(row.uid.as_u128() ^ 7), "backupServerUid": server,
            "protectionGroups": [group], "organizationUid": row.company, "name": row.name, "ipAddresses": ["192.0.2.10"],
            "guestOs": "Microsoft Windows Server 2022", "platformType": "Windows", "operationMode": "Server",
            "latestRestorePointDate": latest, "malwareState": "Clean",
        }),
        Protected::ConsoleComputer => json!({
            "backupAgentUid": row.uid, "organizationUid": row.company, "name": row.name, "numberOfJobs": 1, "operationMode": "Workstation",
            "latestRestorePointDate": latest,
        }),
    }
}

pub(super) fn alarm(estate: Told<'_>, row: &Alarm) -> Value {
    let owner = |server: usize| estate.servers[server].company;
    let (kind, company, object, name, computer) = match row.about {
        Subject::Job(place) => {
            let job = &estate.jobs[place];
            let server = &estate.servers[job.server];
            let uid = if estate.has_unique_ids(job.server) {
                job.unique_uid
            } else {
                estate.id_of(job)
            };
            (
                "BackupServerJob",
                owner(job.server),
                uid,
                job.name.clone(),
                server.name.clone(),
            )
        }
        Subject::Server(place) => {
            let server = &estate.servers[place];
            (
                "BackupServer",
                owner(place),
                server.uid,
                server.name.clone(),
                server.name.clone(),
            )
        }
        Subject::Company(place) => {
            let company = &estate.companies[place];
            (
                "Company",
                company.uid,
                company.uid,
                company.name.clone(),
                String::new(),
            )
        }
    };
    json!({
        "instanceUid": row.uid, "alarmTemplateUid": Uuid::from_u128(row.uid.as_u128() ^ 3), "repeatCount": row.repeats, "area": "vspc",
        "object": {
            "instanceUid": Uuid::from_u128(row.uid.as_u128() ^ 5), "type": kind, "organizationUid": company, "locationUid": null,
            "managementAgentUid": null, "computerName": computer, "objectUid": object, "objectName": name,
        },
        "lastActivation": {
            "instanceUid": Uuid::from_u128(row.uid.as_u128() ^ 9), "time": time(Some(row.at), -3), "status": row.status,
            "message": row.message, "remark": "",
        },
    })
}

/// One row per organization that uses any licence.
pub(super) fn licenses(estate: &Estate) -> Vec<Value> {
    let of = |company: usize| {
        let uses: Vec<&LicenseUse> = estate
            .licenses
            .iter()
            .filter(|row| row.company == company)
            .collect();
        let mut products: Vec<&str> = uses.iter().map(|row| row.product).collect();
        products.dedup();
        let servers: Vec<Value> = products
            .iter()
            .map(|product| {
                let workloads: Vec<Value> = uses.iter().filter(|row| row.product == *product).map(|row| license(row)).collect();
                json!({"serverUid": Uuid::from_u128(0x5e), "serverType": product, "workloads": workloads})
            })
            .collect();
        (!servers.is_empty()).then(|| {
            json!({"organizationUid": estate.companies[company].uid, "organizationType": estate.companies[company].kind, "providerUid": null, "servers": servers})
        })
    };
    (0..estate.companies.len()).filter_map(of).collect()
}

fn license(row: &LicenseUse) -> Value {
    json!({
        "id": Uuid::from_u128(0x1c), "description": row.workload, "unitType": row.unit, "rentalUnits": 0.0, "newUnits": 0.0,
        "usedUnits": row.used, "rentalCount": 0, "newCount": 0, "usedCount": row.count, "workloadsByPlatform": [],
    })
}

/// What is known of a repository beside its name.
pub(super) fn room(row: &Repository) -> Value {
    let used = row
        .capacity
        .zip(row.free)
        .map(|(capacity, free)| capacity - free);
    json!({
        "parentRepositoryUid": null, "perVMBackupFiles": true, "capacity": row.capacity.unwrap_or(0),
        "isCapacityAvailable": row.capacity.is_some(), "freeSpace": row.free, "isFreeSpaceAvailable": row.free.is_some(),
        "usedSpace": used, "isUsedSpaceAvailable": used.is_some(), "backupSize": used.map(|used| used / 2),
        "isImmutabilityEnabled": false, "immutabilityInterval": null, "type": "Windows", "cloudRepositoryUid": null,
        "path": "D:\\Backup", "hostName": "repo01.backup.example", "hostUid": null, "isOutOfDate": false, "status": "Healthy",
        "isCloud": false,
    })
}
