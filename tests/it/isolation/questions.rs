//! Random questions, and what their answers must be where nothing is broken.

use super::rule::{Seen, company_of};
use crate::world::array;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;
use veeam_graph::simulator::Estate;

/// Numbers that are the same every time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }

    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

/// What is asked, and what the answer must be where nothing is broken.
pub struct Question {
    pub query: String,
    pub check: Option<Box<dyn Fn(&Value, &Seen) + Send>>,
}

pub fn question(dice: &mut Dice, estate: &Estate, ids: &[String], cursors: &[String]) -> Question {
    let just = |query: String| Question { query, check: None };
    let uids = |rows: &Value| -> BTreeSet<Uuid> {
        array(rows)
            .iter()
            .map(|row| row["uid"].as_str().unwrap().parse().unwrap())
            .collect()
    };
    match dice.roll(27) {
        0 => Question {
            query: "{ jobs(first: 500) { complete totalCount nodes { uid name uniqueUid backupServer { uid name } company { uid name } failureMessage lastSession { uid jobName backupServerName } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(data["jobs"]["totalCount"], seen.jobs.len());
                assert_eq!(uids(&data["jobs"]["nodes"]), seen.jobs.iter().map(|(_, job)| *job).collect());
            })),
        },
        1 => {
            let company = dice.one_of(&estate.companies).uid;
            let server = dice.one_of(&estate.servers).uid;
            let estate = Arc::new(estate.clone());
            Question {
                query: format!("{{ a: jobs(filter: {{ companyUid: \"{company}\" }}, first: 1) {{ totalCount nodes {{ uid }} }} b: jobs(filter: {{ backupServerUid: \"{server}\" }}) {{ totalCount nodes {{ uid name }} }} }}"),
                check: Some(Box::new(move |data, seen| {
                    let of = |wanted: &dyn Fn(usize) -> bool| {
                        let is_seen = |place: &usize| seen.jobs.contains(&(estate.servers[estate.jobs[*place].server].uid, estate.jobs[*place].uid));
                        (0..estate.jobs.len()).filter(is_seen).filter(|place| wanted(*place)).count()
                    };
                    assert_eq!(data["a"]["totalCount"], of(&|place| company_of(&estate, place) == company));
                    assert_eq!(data["b"]["totalCount"], of(&|place| estate.servers[estate.jobs[place].server].uid == server));
                })),
            }
        }
        2 => {
            let job = dice.one_of(&estate.jobs);
            let (server, uid) = (estate.servers[job.server].uid, job.uid);
            Question {
                query: format!("{{ job(uid: \"{uid}\", backupServerUid: \"{server}\") {{ uid name backupServer {{ uid }} company {{ uid name }} tape {{ status reason tapeJobs {{ uid name }} viaCopyJobs {{ uid name }} }} sessions(first: 5) {{ nodes {{ uid children(first: 5) {{ nodes {{ uid computer }} }} }} }} }} }}"),
                check: Some(Box::new(move |data, seen| assert_eq!(data["job"].is_object(), seen.jobs.contains(&(server, uid))))),
            }
        }
        // an id of two servers: whoever sees both is asked back, and told of no third
        3 => just(format!("{{ job(uid: \"{}\") {{ uid name }} }}", dice.one_of(&estate.jobs).uid)),
        4 | 5 => just(format!("{{ node(id: \"{}\") {{ __typename id ... on Job {{ name }} ... on BackupServer {{ name }} ... on Company {{ name }} ... on AgentJobObject {{ computer }} ... on AgentSession {{ jobName }} ... on Repository {{ uid name }} ... on BackupAgent {{ name }} ... on Upstream {{ name }} ... on Location {{ uid }} ... on ConsoleAgent {{ name }} ... on ConsoleAgentJob {{ uid name }} ... on EnterpriseManager {{ uid }} }} }}", dice.one_of(ids))),
        6 => just(format!("{{ nodes(ids: [\"{}\", \"{}\", \"{}\"]) {{ id ... on Job {{ name company {{ name }} }} }} }}", dice.one_of(ids), dice.one_of(ids), dice.one_of(ids))),
        7 => {
            let server = dice.one_of(&estate.servers).clone();
            let ask = if dice.roll(2) == 0 { format!("uid: \"{}\"", server.uid) } else { format!("name: \"{}\"", server.name) };
            Question {
                query: format!("{{ backupServer({ask}) {{ uid name company {{ name }} jobs(first: 50) {{ totalCount nodes {{ uid name }} }} repositories {{ totalCount nodes {{ uid jobs(first: 50) {{ nodes {{ uid name }} }} }} }} backupAgents {{ totalCount nodes {{ uid name }} }} sessions(first: 50, filter: {{ topLevelOnly: false }}) {{ totalCount nodes {{ uid jobName computer job {{ uid name }} }} }} tapeLinkedJobs {{ totalCount nodes {{ jobUid linkedJobUid linkedJob {{ name }} }} }} }} }}"),
                check: Some(Box::new(move |data, seen| {
                    assert_eq!(data["backupServer"].is_object(), seen.servers.contains(&server.uid));
                    if data["backupServer"].is_object() {
                        assert_eq!(data["backupServer"]["jobs"]["totalCount"], seen.jobs.iter().filter(|(of, _)| *of == server.uid).count());
                    }
                })),
            }
        }
        8 => {
            let company = dice.one_of(&estate.companies).clone();
            let ask = if dice.roll(2) == 0 { format!("uid: \"{}\"", company.uid) } else { format!("name: \"{}\"", company.name) };
            Question {
                query: format!("{{ company({ask}) {{ uid name jobs(first: 500) {{ totalCount nodes {{ uid name }} }} backupServers {{ totalCount nodes {{ uid }} }} }} }}"),
                check: Some(Box::new(move |data, seen| assert_eq!(data["company"].is_object(), seen.companies.contains(&company.uid)))),
            }
        }
        9 => Question {
            query: "{ companies(first: 500) { totalCount nodes { uid name jobs(first: 3) { totalCount nodes { name } } } } backupServers(first: 500) { totalCount nodes { uid } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(uids(&data["companies"]["nodes"]), seen.companies);
                assert_eq!(uids(&data["backupServers"]["nodes"]), seen.servers);
                assert_eq!(data["backupServers"]["totalCount"], seen.servers.len());
            })),
        },
        10 => Question {
            query: "{ agentJobObjects(first: 500) { totalCount nodes { uid computer agentUid job { uid name } company { name } agent { name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(data["agentJobObjects"]["totalCount"].as_u64().unwrap() as usize, array(&data["agentJobObjects"]["nodes"]).len());
                assert_eq!(uids(&data["agentJobObjects"]["nodes"]), seen.machines);
            })),
        },
        11 => Question {
            query: "{ agentSessions(first: 500, filter: { topLevelOnly: false }) { totalCount nodes { uid name jobName computer backupServerName job { uid name } parent { uid } failureMessage } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(data["agentSessions"]["totalCount"], seen.sessions.len());
                assert_eq!(uids(&data["agentSessions"]["nodes"]), seen.sessions);
            })),
        },
        12 => {
            let session = dice.one_of(&estate.sessions).uid;
            Question {
                query: format!("{{ agentSession(uid: \"{session}\") {{ uid jobName computer failureReason tasks {{ nodes {{ uid computer }} }} job {{ name }} children {{ nodes {{ uid computer tasks {{ nodes {{ uid computer }} }} }} }} }} }}"),
                check: Some(Box::new(move |data, seen| assert_eq!(data["agentSession"].is_object(), seen.sessions.contains(&session)))),
            }
        }
        13 => Question {
            query: "{ a: fleetHealth(groupBy: COMPANY, includeLogBackups: true) { openAlarms key company { name } jobs { total failed } agentObjects { total } } b: fleetHealth(groupBy: BACKUP_SERVER, includeLogBackups: true) { key jobs { total } } c: fleetHealth(groupBy: UPSTREAM, includeLogBackups: true) { jobs { total } agentObjects { total } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                let sum = |rows: &Value, what: &str| array(rows).iter().map(|row| row[what]["total"].as_u64().unwrap()).sum::<u64>() as usize;
                for rows in [&data["a"], &data["b"], &data["c"]] {
                    assert_eq!(sum(rows, "jobs"), seen.jobs.len());
                }
                assert_eq!(sum(&data["a"], "agentObjects"), sum(&data["c"], "agentObjects"));
                assert!(sum(&data["a"], "agentObjects") >= seen.machines.len());
            })),
        },
        14 => Question {
            query: "{ tapeLinkedJobs(first: 500) { totalCount nodes { jobUid linkedJobUid job { name } linkedJob { name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| assert_eq!(data["tapeLinkedJobs"]["totalCount"], seen.links))),
        },
        15 => just("{ backupServers(first: 10) { nodes { name tapeLinkedJobs(first: 50) { nodes { job { name health } linkedJob { name ... on AgentJob { objects(first: 50) { totalCount nodes { computer lastSession { uid startedAt jobName } } } } } } } } } }".to_owned()),
        16 => just("{ jobs(first: 100) { nodes { uid tape { status reason lastTapeRun tapeJobs { uid name backupServer { name } } viaCopyJobs { uid name } } ... on BackupCopyJob { linkedJobs { nodes { linkedJobUid } } } } } }".to_owned()),
        // somebody else's cursor is a place in the list, and no more
        17 => just(format!("{{ jobs(first: {}, after: \"{}\") {{ totalCount nodes {{ uid name }} pageInfo {{ endCursor }} }} }}", 1 + dice.roll(20), dice.one_of(cursors))),
        18 => Question {
            query: "{ workloads(first: 500) { totalCount nodes { uid name company { uid name } backupServer { uid name } jobs { uid name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(data["workloads"]["totalCount"], seen.workloads.len());
                assert_eq!(uids(&data["workloads"]["nodes"]), seen.workloads.iter().map(|(_, uid)| *uid).collect());
            })),
        },
        19 => Question {
            query: "{ alarms(first: 500) { totalCount nodes { uid summary objectName objectUid company { name } job { uid name } backupServer { uid name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| assert_eq!(uids(&data["alarms"]["nodes"]), seen.alarms))),
        },
        20 => Question {
            query: "{ repositories(first: 500) { totalCount nodes { uid name tape { status reason tapeJobs { uid name } } backupServer { uid } company { uid name } } } backupAgents(first: 500) { totalCount nodes { uid name backupServer { uid } agentJobObjects { nodes { computer } } } } licenseUsage(first: 500) { nodes { companyUid usedPoints company { name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                let licensed: BTreeSet<Uuid> =
                    array(&data["licenseUsage"]["nodes"]).iter().map(|row| row["companyUid"].as_str().unwrap().parse().unwrap()).collect();
                assert_eq!(data["backupAgents"]["totalCount"], seen.server_agents.len());
                assert_eq!(uids(&data["backupAgents"]["nodes"]), seen.server_agents.iter().map(|(_, agent)| *agent).collect());
                assert_eq!((data["repositories"]["totalCount"].as_u64().unwrap() as usize, licensed), (seen.repositories, seen.licensed.clone()));
            })),
        },
        21 => just(format!("{{ company(uid: \"{}\") {{ name successRate(window: {{ days: 30 }}) protection {{ workloads }} licenseUsage {{ companyUid }} alarms {{ nodes {{ objectName }} }} repositories {{ nodes {{ name }} }} workloads {{ nodes {{ name }} }} locations {{ nodes {{ uid }} }} consoleAgents {{ nodes {{ name }} }} consoleAgentJobs {{ nodes {{ uid name }} }} agentJobObjects {{ nodes {{ computer }} }} jobs {{ nodes {{ name lastSuccess durationTrend(window: {{ days: 9 }}, bucket: DAY) {{ at }} }} }} }} }}", dice.one_of(&estate.companies).uid)),
        22 => just("{ jobs(filter: { tapeStatus: [NOT_ON_TAPE, ON_TAPE_VIA_COPY], notSucceededFor: { days: 1 } }) { healthCounts { total } nodes { uid name ... on TapeJob { linkedRepositories { nodes { name } } } } } agentJobObjects(filter: { tapeStatus: UNKNOWN }) { nodes { computer } } }".to_owned()),
        23 => Question {
            query: "{ locations(first: 500) { totalCount nodes { uid name company { uid name } } } enterpriseManagers { totalCount nodes { uid name backupServers { nodes { uid name } } } } backupServers { nodes { locationUid location { uid name } enterpriseManagers { nodes { uid } } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(uids(&data["locations"]["nodes"]), seen.locations);
                assert_eq!(data["enterpriseManagers"]["totalCount"], seen.managers);
            })),
        },
        24 => Question {
            query: "{ consoleAgents(first: 500) { nodes { uid name company { uid name } jobs { nodes { uid name } } } } consoleAgentJobs(first: 500) { nodes { uid originalUid name agent { uid name } company { name } } } workloads(filter: { kind: CONSOLE_COMPUTER }) { nodes { agent { uid name } } } }".to_owned(),
            check: Some(Box::new(move |data, seen| {
                assert_eq!(uids(&data["consoleAgents"]["nodes"]), seen.agents);
                assert_eq!(uids(&data["consoleAgentJobs"]["nodes"]), seen.agent_jobs);
            })),
        },
        25 => just("{ jobs(first: 100) { nodes { uid ... on VmBackupJob { objects { nodes { name job { name } } } } ... on CdpReplicationJob { objects { nodes { name } } } ... on FileShareBackupJob { objects { nodes { name job { uid } } } } } } }".to_owned()),
        _ => just("{ upstreams { name kind } backupCopyJobs { totalCount nodes { uid name linkedJobs { nodes { jobUid linkedJobUid } } } } backupServer(name: \"vbr\") { name } }".to_owned()),
    }
}
