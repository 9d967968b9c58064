//! What differs from version to version of the console's API, and where its documents can be read
//! in two ways: each reading on the wire, and one right answer to all of them.

use crate::{
    mock::{JOBS, Mock, Reply, VBR01, VBR02, fixture, log_of},
    world::{Setup, World, array, codes},
};
use serde_json::{Value, json};
use veeam_graph::simulator::{ApiVersion, Bridge, Options};

fn rows(name: &str) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&fixture(name)).unwrap();
    array(&body["data"]).clone()
}

/// Serves a list for the fleet, by server and by job, as each row says whose it is.
fn serve_jobs(mock: &Mock, jobs: &[Value]) {
    let all = jobs.to_vec();
    mock.each(JOBS, move |asked| Reply::cut(&all, asked));
    let all = jobs.to_vec();
    mock.each(
        "/api/v3/infrastructure/backupServers/*/jobs",
        move |asked| {
            let of_server: Vec<Value> = all
                .iter()
                .filter(|job| {
                    asked
                        .path
                        .contains(job["backupServerUid"].as_str().unwrap())
                })
                .cloned()
                .collect();
            Reply::cut(&of_server, asked)
        },
    );
}

const TAPE: &str = "{ tapeLinkedJobs { complete nodes { linkedJobUid resolved job { name } linkedJob { name backupServer { uid } } } }
    jobs { nodes { name backupServer { uid } tape { status tapeJobs { name } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_to_jobs_by_either_of_their_ids_and_only_on_their_own_server() {
    let jobs = rows("14-linked-jobs-of-3.7.vspc-jobs.json");
    for by_own_id in [true, false] {
        let mut links = rows("14-linked-jobs-of-3.7.vspc-tape-job-objects.json");
        for link in links.iter_mut().filter(|_| !by_own_id) {
            // what 3.5.1 to 3.6.2 have in its place
            let job = jobs
                .iter()
                .find(|job| job["uniqueUid"] == link["linkedJobUid"]);
            link["linkedJobUid"] = job.map_or(link["linkedJobUid"].take(), |job| {
                job["instanceUid"].clone()
            });
        }
        let mock = Mock::empty().await;
        serve_jobs(&mock, &jobs);
        for (uid, name) in [(VBR01, "vbr01"), (VBR02, "vbr02")] {
            let server = json!({"data": {"instanceUid": uid, "name": name}}).to_string();
            mock.on(
                &format!("/api/v3/infrastructure/backupServers/{uid}"),
                Reply::json(server),
            );
        }
        mock.each(
            "/api/v3/infrastructure/backupServers*/jobs/backupTapeJobs*jobObjects",
            move |asked| Reply::cut(&links, asked),
        );
        let world = mock.world("links").await;
        let data = world.data(TAPE).await;
        let shown = array(&data["tapeLinkedJobs"]["nodes"]);
        assert_eq!(
            (shown.len(), &data["tapeLinkedJobs"]["complete"]),
            (3, &json!(true))
        );
        let mut linked: Vec<&str> = shown
            .iter()
            .filter(|link| link["resolved"] == true)
            .map(|link| {
                assert_eq!(
                    (
                        &link["job"]["name"],
                        &link["linkedJob"]["backupServer"]["uid"]
                    ),
                    (&json!("Tape 1"), &json!(VBR01))
                );
                link["linkedJob"]["name"].as_str().unwrap()
            })
            .collect();
        linked.sort_unstable();
        assert_eq!(linked, ["Agents 1", "VM 1"], "{shown:?}");
        assert_eq!(
            shown
                .iter()
                .filter(|link| link["resolved"] == false && link["linkedJob"].is_null())
                .count(),
            1
        );
        for job in array(&data["jobs"]["nodes"]) {
            let expected = match (job["name"].as_str().unwrap(), &job["backupServer"]["uid"]) {
                ("Tape 1", _) => "ON_TAPE_BY_JOB",
                ("Agents 1" | "VM 1", server) if server == VBR01 => "ON_TAPE_BY_JOB",
                _ => "NOT_ON_TAPE",
            };
            assert_eq!(job["tape"]["status"], expected, "{job}");
        }
        // whichever id the link has, the job is found by the one that people know
        let wanted = jobs.iter().find(|job| job["name"] == "VM 1").unwrap()["instanceUid"]
            .as_str()
            .unwrap();
        let query = format!(
            "{{ tapeLinkedJobs(filter: {{ linkedJobUid: \"{wanted}\" }}) {{ nodes {{ linkedJob {{ name }} }} }} }}"
        );
        assert_eq!(
            world.data(&query).await["tapeLinkedJobs"]["nodes"],
            json!([{"linkedJob": {"name": "VM 1"}}])
        );
        // one link alone, where no list is in hand
        let world = mock.world("links-alone").await;
        let one = "{ tapeLinkedJobs(first: 1) { nodes { resolved linkedJob { name } } } }";
        let first = json!([{"resolved": true, "linkedJob": {"name": "Agents 1"}}]);
        assert_eq!(world.data(one).await["tapeLinkedJobs"]["nodes"], first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_nobody_lists_makes_nothing_surely_not_on_tape() {
    let world = World::start(Setup {
        change: |estate| {
            for (_, repository) in &mut estate.tape_repositories {
                *repository = uuid::Uuid::from_u128(0xbad);
            }
        },
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let servers: Vec<String> = estate
        .tape_repositories
        .iter()
        .map(|(job, _)| estate.servers[estate.jobs[*job].server].uid.to_string())
        .collect();
    assert!(!servers.is_empty());
    let data = world
        .data("{ jobs(first: 500) { nodes { backupServer { uid } tape { status } } } }")
        .await;
    let on =
        |job: &&Value| servers.contains(&job["backupServer"]["uid"].as_str().unwrap().to_owned());
    let (there, elsewhere): (Vec<_>, Vec<_>) = array(&data["jobs"]["nodes"]).iter().partition(on);
    assert!(
        there.iter().any(|job| job["tape"]["status"] == "UNKNOWN")
            && there
                .iter()
                .all(|job| job["tape"]["status"] != "NOT_ON_TAPE")
    );
    assert!(
        elsewhere
            .iter()
            .any(|job| job["tape"]["status"] == "NOT_ON_TAPE")
    );
}

/// The bridge's cases: the console's servers and jobs, Enterprise Manager's sessions, and its
/// servers in one reading.
async fn bridged(servers: Vec<Value>) -> Mock {
    let mock = Mock::empty().await;
    serve_jobs(&mock, &rows("15-em-bridge.vspc-jobs.json"));
    let list = rows("15-em-bridge.vspc-backup-servers.json");
    mock.each("/api/v3/infrastructure/backupServers", move |asked| {
        Reply::cut(&list, asked)
    });
    let managers = rows("15-em-bridge.vspc-enterprise-managers.json");
    mock.each("/api/v3/infrastructure/enterpriseManagers", move |asked| {
        Reply::cut(&managers, asked)
    });
    mock.each(
        "/api/v3/infrastructure/enterpriseManagers/*/backupServers",
        move |asked| Reply::cut(&servers, asked),
    );
    mock.on(
        "/api/query",
        Reply::json(fixture("15-em-bridge.em-query.json")),
    );
    mock
}

const SESSIONS: &str = "{ agentSessions { nodes { matchedBy jobName backupServer { name } job { name backupServer { name } } } }
    enterpriseManagers { nodes { backupServers { nodes { name } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_find_their_server_whichever_way_the_bridge_is_read() {
    for reading in ["nested", "flat", "flat-null"] {
        let mock = bridged(rows(&format!(
            "15-em-bridge.{reading}.vspc-em-backup-servers.json"
        )))
        .await;
        let data = mock.world("bridge").await.data(SESSIONS).await;
        let mut on: Vec<&str> = array(&data["agentSessions"]["nodes"])
            .iter()
            .map(|session| {
                assert_eq!(
                    session["matchedBy"], "SERVER_AND_JOB_UID",
                    "{reading}: {session}"
                );
                assert_eq!(
                    (&session["job"]["name"], &session["job"]["backupServer"]),
                    (&session["jobName"], &session["backupServer"])
                );
                session["backupServer"]["name"].as_str().unwrap()
            })
            .collect();
        on.sort_unstable();
        assert_eq!(on, ["CUSTOMER-1", "CUSTOMER-1", "vbr02"], "{reading}");
        let managers = json!([{"backupServers": {"nodes": [{"name": "CUSTOMER-1"}]}}]);
        assert_eq!(data["enterpriseManagers"]["nodes"], managers, "{reading}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_two_could_be_is_neither() {
    // Enterprise Manager's id leads to one server, its address to another
    let torn = |uid: &str, address: &str, of: &str| json!({"instanceUid": uid, "address": address, "backupServer": {"instanceUid": of}});
    let (first, second) = ("9ddd5dbb-e863-51ff-9daa-36b2dcc9e5c5", VBR02);
    let of_sessions = "f207d643-9835-5d65-b23a-588436048ea1";
    let rows = vec![
        torn(of_sessions, "elsewhere.example", second),
        torn(second, "backup01.corp.example", first),
    ];
    let data = bridged(rows)
        .await
        .world("bridge-torn")
        .await
        .data(SESSIONS)
        .await;
    for session in array(&data["agentSessions"]["nodes"]) {
        let is_sure = session["backupServer"]["name"] == "vbr02";
        assert!(is_sure || session["backupServer"].is_null(), "{session}");
    }
    // two servers of one address, told apart by Enterprise Manager's id
    let rows = vec![
        torn(of_sessions, "backup01.corp.example", first),
        torn(
            "5d0e74f1-07ca-5f11-a4fa-79eab3b3a838",
            "backup01.corp.example",
            second,
        ),
    ];
    let data = bridged(rows)
        .await
        .world("bridge-twins")
        .await
        .data(SESSIONS)
        .await;
    let on_first = array(&data["agentSessions"]["nodes"])
        .iter()
        .filter(|session| session["backupServer"]["name"] == "CUSTOMER-1");
    assert_eq!(on_first.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_of_the_bridge_gives_the_simulators_sessions_the_same_jobs() {
    let query = "{ agentSessions(first: 500) { nodes { uid matchedBy job { uid backupServer { uid } } } } }";
    let mut answers = Vec::new();
    for bridge in [Bridge::Flat, Bridge::FlatAlone, Bridge::Nested] {
        let world = World::start(Setup {
            options: Options {
                bridge,
                ..Options::default()
            },
            ..Setup::default()
        })
        .await;
        answers.push(world.data(query).await);
    }
    assert!(answers[0].to_string().contains("SERVER_AND_JOB_UID"));
    assert!(answers[0] == answers[1] && answers[0] == answers[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_says_which_version_it_is_made_for() {
    for (build, set, version) in [
        ("8.0.0.16877", None, Some("3.4")),
        ("9.1.0.30713", None, Some("3.6.2")),
        ("9.1.0.30713", Some("3.5.1"), Some("3.5.1")),
        ("something new", None, None),
    ] {
        let mock = Mock::empty().await;
        mock.on(
            "/api/v3/about",
            Reply::json(json!({"data": {"serverVersion": build}}).to_string()),
        );
        serve_jobs(&mock, &[]);
        let mut upstreams = mock.upstreams("version");
        upstreams[0].client_version = set.map(str::to_owned);
        let world = mock.world_of(upstreams).await;
        let data = world
            .data("{ jobs { totalCount } upstreams { name version apiVersion lacks } }")
            .await;
        let told = mock.take();
        let of_jobs = told.iter().find(|asked| asked.path == JOBS).unwrap();
        assert_eq!(
            of_jobs
                .headers
                .get("x-client-version")
                .and_then(|value| value.to_str().ok()),
            version,
            "{build}"
        );
        let console = &data["upstreams"][0];
        assert_eq!(
            (&console["version"], &console["apiVersion"]),
            (&json!(build), &json!(version))
        );
        assert_eq!(
            array(&console["lacks"]).len(),
            usize::from(version == Some("3.4")),
            "{console}"
        );
        assert_eq!(
            data["upstreams"][1]["apiVersion"],
            Value::Null,
            "only consoles are told"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_the_console_refuses_is_replaced_by_an_older_one() {
    // it says that it is newer than it is
    let mock = Mock::empty().await;
    mock.each("/api/v3/about", |asked| {
        let version = asked
            .headers
            .get("x-client-version")
            .map(|value| value.to_str().unwrap().to_owned());
        match version.as_deref() {
            Some("3.7" | "3.6.2") => Reply::json(fixture("02-path-is-gone.400.json")).status(400),
            _ => Reply::json(r#"{"data":{"serverVersion":"12.0.0.1"}}"#),
        }
    });
    let world = mock.world("refused").await;
    let data = world.data("{ upstreams { state apiVersion } }").await;
    assert_eq!(
        data["upstreams"][0],
        json!({"state": "UP", "apiVersion": "3.6.1"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_jobs_are_found_under_either_name_and_the_wrong_one_is_asked_for_once() {
    let query =
        "{ jobs(first: 500) { nodes { name kind ... on SimpleBackupCopyJob { retentionPolicyType
        linkedJobs { complete nodes { resolved linkedJob { name } } } } } } }";
    let mut answers = Vec::new();
    for version in [ApiVersion::V3_2, ApiVersion::V3_5_1, ApiVersion::V3_7] {
        let world = World::start(Setup {
            options: Options {
                version,
                ..Options::default()
            },
            ..Setup::default()
        })
        .await;
        let mut data = world.data(query).await;
        for job in data["jobs"]["nodes"].as_array_mut().unwrap() {
            if let Some(links) = job["linkedJobs"]["nodes"].as_array_mut() {
                links.sort_by_key(Value::to_string);
            }
        }
        assert!(data.to_string().contains("SIMPLE_BACKUP_COPY"));
        answers.push(data);
        let requests = world.requests();
        let of_other = requests
            .iter()
            .filter(|request| request.contains("/simpleBackupCopyJobs"))
            .count();
        // details and links may be asked for at once: each finds out for itself, once
        assert!(
            if version == ApiVersion::V3_5_1 {
                of_other > 0
            } else {
                of_other <= 2
            },
            "{version:?}: {requests:#?}"
        );
        assert_eq!(
            world.data("{ upstreams { lacks } }").await["upstreams"][1]["lacks"],
            json!([])
        );
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_a_version_does_not_have_is_told_once() {
    let mock = Mock::empty().await;
    mock.on("/api/v3/licensing/usage/organizations", Reply::html());
    let world = mock.world("no-licences").await;
    let query = "{ companies { nodes { licenseUsage { __typename } } } upstreams { lacks } }";
    let answer = world.ask(query).await;
    assert!(!codes(&answer).is_empty(), "{answer}");
    let lacks = world.data("{ upstreams { lacks } }").await["upstreams"][0]["lacks"].clone();
    assert_eq!(lacks, json!(["/licensing/usage/organizations"]));
    let told = log_of("no-licences")
        .iter()
        .filter(|line| line.contains("has no such list"))
        .count();
    assert_eq!(told, 1);
}
