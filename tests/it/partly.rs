//! What rests on a list of which a part could not be read: what is there once may then be there
//! again, and what is not there may be.

use crate::{
    mock::{JOBS, Mock, Reply, case_time},
    world::{array, codes},
};
use serde_json::{Value, json};
use veeam_graph::simulator::{
    API_KEY, Estate, Scale,
    estate::{Alarm, Subject},
    generate,
};

const SERVERS: &str = "/api/v3/infrastructure/backupServers";

fn estate() -> Estate {
    generate::generate(Scale::Small, 1, case_time())
}

/// Serves a list of the simulator with some rows changed.
async fn change(mock: &Mock, path: &str, pattern: &str, change: impl Fn(&mut Value)) {
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("http://{}{path}?limit=500", mock.at));
    let body = request
        .bearer_auth(API_KEY)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mut rows = array(&serde_json::from_slice::<Value>(&body).unwrap()["data"]).clone();
    rows.iter_mut().for_each(change);
    mock.each(pattern, move |asked| Reply::cut(&rows, asked));
}

/// The place of a job on the first server, which has a twin on the restored one.
fn job_with_twin(estate: &Estate, kind: &str) -> usize {
    estate
        .jobs
        .iter()
        .position(|job| job.server == 0 && job.kind == kind)
        .unwrap()
}

/// Makes the row of a job on the first server one that can't be read: its twin is then the only one
/// with its id.
async fn lose_job(mock: &Mock, estate: &Estate, job: usize) {
    let (uid, server) = (
        estate.jobs[job].uid.to_string(),
        estate.servers[0].uid.to_string(),
    );
    change(mock, JOBS, JOBS, |row| {
        if row["instanceUid"] == uid && row["backupServerUid"] == server {
            row["name"] = json!({"odd": [1]});
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_about_a_job_whose_twin_could_not_be_read_is_not_the_others() {
    let mut estate = estate();
    estate
        .servers
        .iter_mut()
        .for_each(|server| server.has_unique_ids = false);
    let job = job_with_twin(&estate, "AgentBackupJob");
    let alarm = Alarm {
        about: Subject::Job(job),
        status: "Error",
        ..estate.alarms[0].clone()
    };
    estate.alarms = vec![alarm];
    let mock = Mock::over(estate.clone()).await;
    lose_job(&mock, &estate, job).await;
    let answer = mock
        .world("twin-alarm")
        .await
        .ask("{ alarms { complete nodes { job { uid } backupServer { uid } company { uid } } } }")
        .await;
    let nothing = json!({"job": null, "backupServer": null, "company": null});
    assert_eq!(
        answer["data"]["alarms"],
        json!({"complete": false, "nodes": [nothing]}),
        "{answer}"
    );
    // the list's, and one for each that can't be told
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"; 4], "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_job_whose_twin_could_not_be_read_is_no_way_to_tape_on_the_others_server() {
    let mut estate = estate();
    estate
        .servers
        .iter_mut()
        .for_each(|server| server.has_unique_ids = false);
    let tape = job_with_twin(&estate, "BackupToTape");
    estate.tape_links.clear();
    estate.tape_repositories = vec![(tape, generate::DEFAULT_REPOSITORY)];
    let mock = Mock::over(estate.clone()).await;
    lose_job(&mock, &estate, tape).await;
    let query = "{ jobs(first: 500) { nodes { kind tape { status tapeJobs { name } } linked: id ... on TapeJob { linkedRepositories { complete nodes { name } } } } }
        repositories { nodes { tape { status } } } }";
    let answer = mock.world("twin-tape").await.ask(query).await;
    for row in array(&answer["data"]["jobs"]["nodes"])
        .iter()
        .chain(array(&answer["data"]["repositories"]["nodes"]))
    {
        let is_tape_job = row["kind"] == "BACKUP_TO_TAPE" || row["kind"] == "FILE_TO_TAPE";
        assert!(is_tape_job || row["tape"]["status"] == "UNKNOWN", "{row}");
        if let Some(read) = row.get("linkedRepositories") {
            assert_eq!(*read, json!({"complete": false, "nodes": []}), "{row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_server_can_t_be_told_for_now_says_so_and_makes_filters_by_server_incomplete()
 {
    let mut estate = estate();
    for (number, server) in estate.servers.iter_mut().enumerate() {
        // only the console's map tells which is which
        (server.managed_name, server.is_mapped) = (format!("10.9.8.{number}"), true);
    }
    let server = estate.servers[1].uid;
    let query = format!(
        "{{ agentSessions(first: 3) {{ nodes {{ backupServer {{ name }} }} }}
            ofServer: agentSessions(filter: {{ backupServerUid: \"{server}\" }}) {{ complete totalCount }} }}"
    );
    let mock = Mock::over(estate).await;
    let whole = mock.world("mapped").await.data(&query).await;
    assert!(
        array(&whole["agentSessions"]["nodes"])
            .iter()
            .all(|session| session["backupServer"]["name"].is_string()),
        "{whole}"
    );
    assert!(
        whole["ofServer"]["complete"] == true && whole["ofServer"]["totalCount"].as_u64() > Some(0),
        "{whole}"
    );

    mock.on(
        "/api/v3/infrastructure/enterpriseManagers",
        Reply::json("{}").status(403),
    );
    let answer = mock.world("unmapped").await.ask(&query).await;
    assert_eq!(
        answer["data"]["ofServer"],
        json!({"complete": false, "totalCount": null}),
        "{answer}"
    );
    let paths: Vec<String> = array(&answer["errors"])
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    for place in 0..3 {
        assert!(
            paths.contains(&json!(["agentSessions", "nodes", place, "backupServer"]).to_string()),
            "{paths:?}"
        );
    }
    assert!(
        paths.contains(&json!(["ofServer"]).to_string()),
        "{paths:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_may_be_of_several_servers_jobs_is_missed_in_none_of_them_silently() {
    let estate = estate();
    let job = estate
        .jobs
        .iter()
        .position(|job| job.server == 1 && job.kind == "AgentBackupJob")
        .unwrap();
    let (uid, server) = (estate.jobs[job].uid, estate.servers[1].uid);
    let query = format!(
        "{{ job(uid: \"{uid}\", backupServerUid: \"{server}\") {{ ... on AgentJob {{ objects {{ complete totalCount }} }} }} }}"
    );
    let count = estate
        .machines
        .iter()
        .filter(|machine| machine.job == job)
        .count();
    let mock = Mock::over(estate.clone()).await;
    change(
        &mock,
        &format!("{SERVERS}/jobs/agentJobs/objects"),
        &format!("{SERVERS}/jobs/agentJobs*objects"),
        |row| {
            for member in ["backupServerUid", "uniqueJobUid"] {
                row.as_object_mut().unwrap().remove(member);
            }
        },
    )
    .await;
    let whole = mock.world("homeless").await.data(&query).await;
    assert_eq!(
        whole["job"]["objects"],
        json!({"complete": true, "totalCount": count})
    );
    // while the jobs can't be read in full another server may have a job with this id
    lose_job(&mock, &estate, job_with_twin(&estate, "AgentBackupJob")).await;
    let answer = mock.world("homeless-in-part").await.ask(&query).await;
    assert_eq!(
        answer["data"]["job"]["objects"],
        json!({"complete": false, "totalCount": null}),
        "{answer}"
    );
}
