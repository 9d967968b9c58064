//! When jobs run, what they take, and what their last session did to each object: of some jobs,
//! invented from their ids.

use super::time;
use crate::simulator::estate::Job;
use serde_json::{Value, json};
use uuid::Uuid;

/// Of one job in four.
fn is_told(job: &Job) -> bool {
    job.uid.as_u128().is_multiple_of(4)
}

/// `schedule` of a job's row.
pub(super) fn schedule(job: &Job) -> Value {
    if !is_told(job) || job.schedule == "NotScheduled" {
        return Value::Null;
    }
    let start = time(job.last_run, 1);
    let mut schedule = json!({
        "startDateTime": start, "startDateTimeUtc": time(job.last_run, 0), "continuousScheduleEnabled": false,
        "dailyScheduleOptions": null, "monthlyScheduleOptions": null, "periodicallyScheduleOptions": null,
        "chainingOptions": null,
        "backupWindowOptions": {"timePeriods": [{"day": "Sunday", "hours": [0, 1, 2, 22, 23]}]},
    });
    let (member, options) = match job.schedule {
        "Periodically" => (
            "periodicallyScheduleOptions",
            json!({
                "kind": "Hours", "fullPeriod": 4, "schedule": [{"day": "Monday", "hours": [6, 18]}],
            }),
        ),
        "Chained" => (
            "chainingOptions",
            json!({
                "previousJobId": Uuid::from_u128(job.uid.as_u128() ^ 0xc4a1), "previousJobName": "The one before",
            }),
        ),
        _ if job.uid.as_u128().is_multiple_of(8) => (
            "monthlyScheduleOptions",
            json!({
                "time": "22:00:00", "timeUtc": "21:00:00", "dayNumberInMonth": "Last", "dayOfWeek": "Saturday", "months": ["January", "July"],
            }),
        ),
        _ => (
            "dailyScheduleOptions",
            json!({
                "time": "22:00:00", "timeUtc": "21:00:00", "kind": "SelectedDays", "days": ["Monday", "Friday"],
            }),
        ),
    };
    schedule[member] = options;
    schedule
}

/// `lastSessionTasks` of a job's row.
pub(super) fn tasks(job: &Job) -> Value {
    if !is_told(job) || job.kind != "BackupVm" || job.last_run.is_none() {
        return json!([]);
    }
    let task = |number: u128| {
        let is_running = job.last_end.is_none();
        let status = if is_running {
            "Running"
        } else if number == 0 {
            "Success"
        } else {
            "Warning"
        };
        json!({
            "instanceUid": Uuid::from_u128(job.uid.as_u128() ^ (0x7a5c + number)), "objectName": format!("vm-{number}"),
            "objectUid": Uuid::from_u128(job.uid.as_u128() ^ (0x0b7a + number)), "status": status, "startTime": time(job.last_run, 0),
            "endTime": time(job.last_end, 0), "duration": job.last_duration.filter(|_| !is_running), "totalObjects": 10, "processedObjects": 10,
            "readDataSize": 1_i64 << 30, "transferredDataSize": 1_i64 << 28,
            "failureMessages": if status == "Warning" { json!(["A disk was left out."]) } else { Value::Null },
        })
    };
    json!([task(0), task(1)])
}

/// `source` of an agent job's row.
pub(super) fn source(job: &Job) -> Value {
    if !is_told(job) {
        return Value::Null;
    }
    let mode = ["EntireComputer", "Volume", "File"][(job.uid.as_u128() >> 8) as usize % 3];
    let items = json!({"volumes": ["C:\\"], "filesAndFolders": ["D:\\Data"]});
    json!({
        "backupMode": mode, "backupOperatingSystem": mode == "Volume", "backupUserFolders": false,
        "fileSystemItems": if mode == "EntireComputer" { Value::Null } else { items },
    })
}
