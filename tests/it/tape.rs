//! Whether jobs get to tape, and what copy jobs read, against a rule of its own over the
//! simulator's data.

use crate::world::{Setup, World, array, codes};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;
use veeam_graph::simulator::{Estate, Fault, FaultKind, Scale, estate::Job};

/// The place of a job that an answer shows.
fn place_of(estate: &Estate, shown: &Value) -> usize {
    let is_it = |job: &Job| {
        shown["uid"] == job.uid.to_string()
            && shown["backupServer"]["uid"] == estate.servers[job.server].uid.to_string()
    };
    estate.jobs.iter().position(is_it).unwrap()
}

fn unreadable(path: &str) -> [Fault; 1] {
    [Fault {
        path: path.to_owned(),
        times: None,
        kind: FaultKind::Html,
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn tape_coverage_equals_brute_force_and_is_unknown_when_a_list_is_missing() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        seed: 5,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let query = "{ jobs(first: 500) { nodes { uid name backupServer { uid } tape { status tapeJobs { name } viaCopyJobs { name } } } } }";
    let data = world.data(query).await;
    let mut seen = HashSet::new();
    for shown in array(&data["jobs"]["nodes"]) {
        let expected = coverage(&estate, place_of(&estate, shown));
        assert_eq!(shown["tape"]["status"], expected, "{}", shown["name"]);
        seen.insert(expected);
    }
    assert!(seen.len() >= 4, "the estate has too few cases: {seen:?}");

    let world = World::small().await;
    world
        .simulator
        .faults
        .add(unreadable("*/repositoryObjects*"));
    let data = world
        .data("{ jobs(first: 500) { nodes { tape { status } } } }")
        .await;
    assert!(
        !data.to_string().contains("NOT_ON_TAPE"),
        "a list that can't be read never makes 'not on tape'"
    );
}

/// Every tape job of a server with a simple backup copy reads that.
fn tape_reads_simple_copies(estate: &mut Estate) {
    let copies: Vec<_> = estate
        .jobs
        .iter()
        .filter(|job| job.kind == "SimpleBackupCopy")
        .map(|job| (job.server, job.uid))
        .collect();
    for link in &mut estate.tape_links {
        let copy = copies.iter().find(|(server, _)| *server == link.server);
        link.linked = copy.map_or(link.linked, |(_, uid)| *uid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simple_backup_copy_is_a_way_to_tape_and_unknown_where_it_can_t_be_read() {
    let setup = || Setup {
        scale: Scale::Medium,
        seed: 5,
        change: tape_reads_simple_copies,
        ..Setup::default()
    };
    let query = "{ jobs(first: 500) { nodes { uid name backupServer { uid } tape { status reason viaCopyJobs { name } viaSimpleCopyJobs { name kind } } } } }";
    let world = World::start(setup()).await;
    let estate = world.simulator.estate();
    let data = world.data(query).await;
    let mut ways = 0;
    for shown in array(&data["jobs"]["nodes"]) {
        let place = place_of(&estate, shown);
        assert_eq!(shown["tape"]["status"], coverage(&estate, place), "{shown}");
        let simple = array(&shown["tape"]["viaSimpleCopyJobs"]);
        for copy in simple {
            assert_eq!(copy["kind"], "SIMPLE_BACKUP_COPY");
            let reads = |link: &veeam_graph::simulator::estate::Link| {
                copy["name"] == estate.jobs[link.job].name && link.linked == estate.jobs[place].uid
            };
            assert!(estate.simple_copy_links.iter().any(reads), "{shown}");
        }
        ways += simple.len();
    }
    assert!(ways > 5, "{ways}");
    let of_links = |requests: Vec<String>| {
        requests
            .iter()
            .filter(|request| request.contains("simpleBackupCopyJobs"))
            .count()
    };
    assert_eq!(
        of_links(world.requests()),
        1,
        "one page of the fleet's links"
    );

    // a console without such a list: nothing is surely not on tape beside copies that get there
    let world = World::start(setup()).await;
    world
        .simulator
        .faults
        .add(unreadable("*BackupCopyJobs/*objects*"));
    let answer = world.ask(query).await;
    let mut said = 0;
    for shown in array(&answer["data"]["jobs"]["nodes"]) {
        assert_eq!(
            shown["tape"]["status"],
            coverage_without_simple_copies(&estate, place_of(&estate, shown)),
            "{shown}"
        );
        said += usize::from(
            shown["tape"]["reason"]
                .as_str()
                .unwrap()
                .contains("backup copy of the newer kind"),
        );
    }
    assert!(said > 5, "{said}");
    assert_eq!(
        of_links(world.requests()),
        1,
        "a list that is not there is not asked for part by part"
    );

    // where no simple copy gets to tape nobody asks what they read
    let world = World::start(Setup {
        change: |estate| {
            estate.tape_repositories.clear();
            let simple: Vec<Uuid> = estate
                .jobs
                .iter()
                .filter(|job| job.kind == "SimpleBackupCopy")
                .map(|job| job.uid)
                .collect();
            assert!(!simple.is_empty());
            estate
                .tape_links
                .retain(|link| !simple.contains(&link.linked));
        },
        ..Setup::default()
    })
    .await;
    world.data(query).await;
    assert_eq!(of_links(world.requests()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_copy_jobs_of_both_kinds_read_is_shown_each_on_its_own_server() {
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let estate = world.simulator.estate();
    let links = "linkedJobs(first: 20) { complete nodes { jobUid linkedJobUid resolved job { uid backupServer { uid } } linkedJob { backupServer { uid } } } }";
    let query = format!(
        "{{ jobs(first: 500) {{ nodes {{ uid backupServer {{ uid }} ... on BackupCopyJob {{ {links} }} ... on SimpleBackupCopyJob {{ {links} }} }} }} }}"
    );
    let data = world.data(&query).await;
    let mut shown_links = 0;
    for shown in array(&data["jobs"]["nodes"])
        .iter()
        .filter(|shown| !shown["linkedJobs"].is_null())
    {
        let place = place_of(&estate, shown);
        assert_eq!(shown["linkedJobs"]["complete"], true, "{shown}");
        let of_job = estate
            .copy_links
            .iter()
            .chain(&estate.simple_copy_links)
            .filter(|link| link.job == place);
        let mut expected: Vec<Value> = of_job
            .map(|link| {
                let server = estate.servers[link.server].uid;
                let is_there = estate.jobs.iter().any(|job| job.server == link.server && job.uid == link.linked);
                json!({
                    "jobUid": estate.jobs[place].uid, "linkedJobUid": link.linked, "resolved": is_there,
                    "job": {"uid": estate.jobs[place].uid, "backupServer": {"uid": server}},
                    "linkedJob": is_there.then(|| json!({"backupServer": {"uid": server}})),
                })
            })
            .collect();
        expected.sort_by_key(|link| link["linkedJobUid"].to_string());
        assert_eq!(shown["linkedJobs"]["nodes"], json!(expected));
        shown_links += expected.len();
    }
    assert_eq!(
        shown_links,
        estate.copy_links.len() + estate.simple_copy_links.len()
    );
    let requests = world.requests();
    let of_links: Vec<_> = requests
        .iter()
        .filter(|request| request.contains("bjects"))
        .collect();
    let twins = [&estate.servers[0], estate.servers.last().unwrap()];
    let is_of_twin = |request: &&&String| {
        twins
            .iter()
            .any(|server| request.contains(&server.uid.to_string()))
    };
    assert_eq!(
        of_links.iter().filter(is_of_twin).count(),
        2,
        "servers that share ids are asked what their copies read"
    );
    assert_eq!(of_links.len(), 2 + 2, "and else a page of each family");

    // one job alone: its own list, where its rows say whose they are
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    let link = estate
        .simple_copy_links
        .iter()
        .find(|link| estate.servers[link.server].has_unique_ids)
        .unwrap();
    let job = &estate.jobs[link.job];
    let one = format!(
        "{{ job(uid: \"{}\", backupServerUid: \"{}\") {{ ... on SimpleBackupCopyJob {{ linkedJobs {{ totalCount }} }} }} }}",
        job.uid, estate.servers[job.server].uid
    );
    let count = estate
        .simple_copy_links
        .iter()
        .filter(|other| other.job == link.job)
        .count();
    assert_eq!(
        world.data(&one).await["job"]["linkedJobs"]["totalCount"],
        count
    );
    let own = format!("simpleBackupCopyJobs/{}/objects", job.uid);
    assert_eq!(
        world
            .requests()
            .iter()
            .filter(|request| request.contains(&own))
            .count(),
        1
    );

    // a console without such a list: an empty page that says that it is not complete, and why
    let world = World::start(Setup {
        scale: Scale::Medium,
        ..Setup::default()
    })
    .await;
    world
        .simulator
        .faults
        .add(unreadable("*BackupCopyJobs/*objects*"));
    let answer = world
        .ask(&one.replace("totalCount", "complete totalCount"))
        .await;
    assert_eq!(
        answer["data"]["job"]["linkedJobs"],
        json!({"complete": false, "totalCount": null})
    );
    assert_eq!(codes(&answer), ["UPSTREAM_INVALID"]);
}

/// What the way to tape must be, from the estate alone.
pub fn coverage(estate: &Estate, place: usize) -> &'static str {
    way_to_tape(estate, place, true)
}

/// The same where it can't be read what simple backup copies read.
fn coverage_without_simple_copies(estate: &Estate, place: usize) -> &'static str {
    way_to_tape(estate, place, false)
}

fn way_to_tape(estate: &Estate, place: usize, knows_simple_copies: bool) -> &'static str {
    let job = &estate.jobs[place];
    if ["BackupToTape", "FileToTape"].contains(&job.kind) {
        return "ON_TAPE_BY_JOB";
    }
    let is_linked = |uid| {
        estate
            .tape_links
            .iter()
            .any(|link| link.server == job.server && link.linked == uid)
    };
    if is_linked(job.uid) {
        return "ON_TAPE_BY_JOB";
    }
    // which repositories: chains of a job whose id is the only one, and the destination by name
    let repositories = |place: usize| {
        let job = &estate.jobs[place];
        let is_only = estate
            .jobs
            .iter()
            .filter(|other| other.uid == job.uid)
            .count()
            == 1;
        let chains = estate
            .machines
            .iter()
            .filter(|machine| is_only && machine.job == place)
            .map(|machine| machine.repository);
        let by_name = estate
            .repositories
            .iter()
            .filter(|row| row.server == job.server && Some(&row.name) == job.destination.as_ref())
            .map(|row| row.uid);
        chains.chain(by_name).collect::<Vec<_>>()
    };
    // a tape job whose id is on two servers and that has no other may be either's
    let tape_repositories: Vec<(bool, Uuid)> = estate
        .tape_repositories
        .iter()
        .filter_map(|(tape, repository)| {
            let tape = &estate.jobs[*tape];
            let twins: Vec<usize> = estate
                .jobs
                .iter()
                .filter(|other| other.uid == tape.uid)
                .map(|other| other.server)
                .collect();
            let is_sure = estate.servers[tape.server].has_unique_ids || twins.len() == 1;
            if is_sure {
                (tape.server == job.server).then_some((true, *repository))
            } else {
                twins.contains(&job.server).then_some((false, *repository))
            }
        })
        .collect();
    let on_tape = |place: usize, sure: bool| {
        let targets = repositories(place);
        tape_repositories
            .iter()
            .any(|(is_sure, repository)| *is_sure == sure && targets.contains(repository))
    };
    let is_unsure = |place: usize| {
        !tape_repositories.is_empty() && (repositories(place).is_empty() || on_tape(place, false))
    };
    if on_tape(place, true) {
        return "ON_TAPE_BY_REPOSITORY";
    }
    let simple_copy_links = if knows_simple_copies {
        &estate.simple_copy_links[..]
    } else {
        &[]
    };
    let links = estate.copy_links.iter().chain(simple_copy_links);
    let copies: Vec<usize> = links
        .filter(|link| link.server == job.server && link.linked == job.uid)
        .map(|link| link.job)
        .collect();
    if copies
        .iter()
        .any(|copy| is_linked(estate.jobs[*copy].uid) || on_tape(*copy, true))
    {
        return "ON_TAPE_VIA_COPY";
    }
    let may_be_on_tape =
        |copy: usize| is_linked(estate.jobs[copy].uid) || on_tape(copy, true) || is_unsure(copy);
    let is_other_simple_copy = |other: &usize| {
        let other = &estate.jobs[*other];
        other.kind == "SimpleBackupCopy" && other.server == job.server && other.uid != job.uid
    };
    let by_simple_copy = !knows_simple_copies
        && (0..estate.jobs.len())
            .filter(is_other_simple_copy)
            .any(may_be_on_tape);
    if is_unsure(place) || copies.iter().any(|copy| is_unsure(*copy)) || by_simple_copy {
        "UNKNOWN"
    } else {
        "NOT_ON_TAPE"
    }
}
