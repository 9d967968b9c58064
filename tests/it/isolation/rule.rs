//! The rule that every answer is held against, computed from the simulator's data alone, and
//! everything that has a name.

use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;
use veeam_graph::simulator::{Estate, estate};

/// What one caller may see, by ids.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub upstreams: Option<BTreeSet<&'static str>>,
    pub companies: Option<BTreeSet<Uuid>>,
    pub servers: Option<BTreeSet<Uuid>>,
}

impl Scope {
    pub fn has(&self, upstream: &str) -> bool {
        self.upstreams
            .as_ref()
            .is_none_or(|names| names.contains(upstream))
    }

    pub fn sees(&self, company: Option<Uuid>, server: Uuid) -> bool {
        self.companies
            .as_ref()
            .is_none_or(|companies| company.is_some_and(|company| companies.contains(&company)))
            && self
                .servers
                .as_ref()
                .is_none_or(|servers| servers.contains(&server))
    }
}

/// Everything that exists for one caller.
#[derive(Default)]
pub struct Seen {
    pub jobs: BTreeSet<(Uuid, Uuid)>,
    pub servers: BTreeSet<Uuid>,
    pub companies: BTreeSet<Uuid>,
    pub machines: BTreeSet<Uuid>,
    pub links: usize,
    pub sessions: BTreeSet<Uuid>,
    /// Protected machines, each with its server.
    pub workloads: BTreeSet<(Option<Uuid>, Uuid)>,
    pub alarms: BTreeSet<Uuid>,
    pub repositories: usize,
    /// Agents of backup servers.
    pub server_agents: BTreeSet<(Uuid, Uuid)>,
    pub licensed: BTreeSet<Uuid>,
    pub locations: BTreeSet<Uuid>,
    /// Agents that no backup server manages.
    pub agents: BTreeSet<Uuid>,
    pub agent_jobs: BTreeSet<Uuid>,
    pub managers: usize,
    /// Every id and every name that may be in an answer.
    pub words: BTreeSet<String>,
}

pub fn company_of(estate: &Estate, job: usize) -> Uuid {
    let job = &estate.jobs[job];
    // an id of zeros is the vendor's way to say 'none'
    job.mapped_company
        .filter(|company| !company.is_nil())
        .unwrap_or(estate.servers[job.server].company)
}

/// The rule, in the plainest words.
pub fn seen_by(
    estate: &Estate,
    scope: &Scope,
    matched: &HashMap<Uuid, (Option<(Uuid, Uuid)>, Option<Uuid>)>,
) -> Seen {
    let mut seen = Seen::default();
    let of_console = scope.has("msp");
    let sees_job = |place: usize| {
        of_console
            && scope.sees(
                Some(company_of(estate, place)),
                estate.servers[estate.jobs[place].server].uid,
            )
    };
    for (place, job) in estate
        .jobs
        .iter()
        .enumerate()
        .filter(|(place, _)| sees_job(*place))
    {
        let server = &estate.servers[job.server];
        seen.jobs.insert((server.uid, job.uid));
        // a row's own members: its id, name, server's id and company's id
        let mapped = company_of(estate, place).to_string();
        seen.words.extend([
            job.uid.to_string(),
            job.unique_uid.to_string(),
            job.name.clone(),
            server.uid.to_string(),
            mapped,
        ]);
        seen.words.extend(names_of_objects(estate, job));
    }
    for server in estate
        .servers
        .iter()
        .filter(|server| of_console && scope.sees(Some(server.company), server.uid))
    {
        seen.servers.insert(server.uid);
        seen.words
            .extend([server.uid.to_string(), server.name.clone()]);
        for repository in estate
            .repositories
            .iter()
            .filter(|repository| estate.servers[repository.server].uid == server.uid)
        {
            seen.repositories += 1;
            seen.words
                .extend([repository.uid.to_string(), repository.name.clone()]);
        }
    }
    for company in &estate.companies {
        let owns_one = || {
            estate.servers.iter().any(|server| {
                server.company == company.uid && scope.sees(Some(company.uid), server.uid)
            })
        };
        let is_seen = match (&scope.companies, &scope.servers) {
            (Some(companies), _) => companies.contains(&company.uid),
            (None, Some(_)) => owns_one(),
            (None, None) => true,
        };
        if of_console && is_seen {
            seen.companies.insert(company.uid);
            seen.words
                .extend([company.uid.to_string(), company.name.clone()]);
        }
    }
    for machine in estate
        .machines
        .iter()
        .filter(|machine| sees_job(machine.job))
    {
        seen.machines.insert(machine.uid);
        seen.server_agents.insert((
            estate.servers[estate.jobs[machine.job].server].uid,
            machine.agent,
        ));
        seen.words.extend([
            machine.uid.to_string(),
            machine.unique_uid.to_string(),
            machine.agent.to_string(),
            machine.computer.clone(),
        ]);
    }
    let sees_all = scope.companies.is_none() && scope.servers.is_none();
    let sees_company = |company: Uuid| {
        scope.servers.is_none()
            && scope
                .companies
                .as_ref()
                .is_none_or(|those| those.contains(&company))
    };
    for row in estate.workloads.iter().filter(|_| of_console) {
        let server = row.server.map(|server| estate.servers[server].uid);
        // a computer is its jobs', by the chains that name it
        let of_machine = |machine: &&estate::Machine| {
            machine.agent == row.uid && Some(estate.jobs[machine.job].server) == row.server
        };
        let mut jobs: Vec<usize> = estate
            .machines
            .iter()
            .filter(of_machine)
            .map(|machine| machine.job)
            .collect();
        jobs.extend(row.job);
        let by_owner = || {
            server.map_or_else(
                || sees_company(row.company),
                |server| scope.sees(Some(row.company), server),
            )
        };
        if if jobs.is_empty() {
            by_owner()
        } else {
            jobs.iter().any(|job| sees_job(*job))
        } {
            seen.workloads.insert((server, row.uid));
            seen.words.extend([row.uid.to_string(), row.name.clone()]);
        }
    }
    for alarm in estate.alarms.iter().filter(|_| of_console) {
        let is_seen = match alarm.about {
            estate::Subject::Job(job) => {
                let row = &estate.jobs[job];
                let is_found = estate.servers[row.server].has_unique_ids
                    || estate
                        .jobs
                        .iter()
                        .filter(|other| other.uid == row.uid)
                        .count()
                        == 1;
                sees_all || (is_found && sees_job(job))
            }
            estate::Subject::Server(server) => scope.sees(
                Some(estate.servers[server].company),
                estate.servers[server].uid,
            ),
            estate::Subject::Company(company) => sees_company(estate.companies[company].uid),
        };
        if is_seen {
            seen.alarms.insert(alarm.uid);
            seen.words.insert(alarm.uid.to_string());
        }
    }
    for row in estate
        .licenses
        .iter()
        .filter(|row| of_console && sees_company(estate.companies[row.company].uid))
    {
        seen.licensed.insert(estate.companies[row.company].uid);
    }
    for row in estate
        .locations
        .iter()
        .filter(|row| seen.companies.contains(&row.company))
    {
        seen.locations.insert(row.uid);
        seen.words.insert(row.uid.to_string());
    }
    let of_nobody = |agent: &&estate::ConsoleAgent| {
        agent.mode != "ManagedByVBR" && of_console && sees_company(agent.company)
    };
    for row in estate.console_agents.iter().filter(of_nobody) {
        seen.agents.insert(row.uid);
        seen.words.extend([row.uid.to_string(), row.name.clone()]);
    }
    for row in estate
        .console_jobs
        .iter()
        .filter(|row| seen.agents.contains(&row.agent))
    {
        seen.agent_jobs.insert(row.uid);
        seen.words
            .extend([row.uid.to_string(), row.original.to_string()]);
    }
    let all_of_manager = || {
        estate
            .servers
            .iter()
            .filter(|server| server.is_mapped)
            .all(|server| seen.servers.contains(&server.uid))
    };
    seen.managers = usize::from(of_console && (sees_all || all_of_manager()));
    seen.words
        .extend((seen.managers > 0).then(|| estate.manager.to_string()));
    let sees_end = |server: usize, uid: Uuid| match estate
        .jobs
        .iter()
        .position(|job| job.server == server && job.uid == uid)
    {
        Some(place) => sees_job(place),
        None => of_console && scope.sees(None, estate.servers[server].uid),
    };
    for link in &estate.tape_links {
        seen.links += usize::from(sees_job(link.job) && sees_end(link.server, link.linked));
    }
    for session in estate.sessions.iter().filter(|_| scope.has("em")) {
        let is_limited = scope.companies.is_some() || scope.servers.is_some();
        let is_seen = match matched.get(&session.uid) {
            _ if !is_limited => true,
            Some((Some((server, job)), _)) => seen.jobs.contains(&(*server, *job)),
            Some((None, Some(server))) => of_console && scope.sees(None, *server),
            _ => false,
        };
        if is_seen {
            seen.sessions.insert(session.uid);
            let server = &estate.servers[session.server];
            seen.words.extend([
                session.uid.to_string(),
                session.job.to_string(),
                session.job_name.clone(),
            ]);
            seen.words.extend([
                server.uid.to_string(),
                server.name.clone(),
                server.managed_name.clone(),
            ]);
            seen.words.extend(
                session
                    .of_machine
                    .map(|machine| estate.machines[machine].computer.clone()),
            );
            seen.words.extend(
                veeam_graph::simulator::tasks(estate, session)
                    .into_iter()
                    .flat_map(|task| [task.uid.to_string(), task.machine]),
            );
            seen.words
                .extend(session.parent.map(|parent| parent.to_string()));
        }
    }
    seen
}

/// The names of what a job protects.
fn names_of_objects(estate: &Estate, job: &estate::Job) -> impl Iterator<Item = String> {
    let objects = veeam_graph::simulator::job_objects(job, estate.now).into_iter();
    objects.filter_map(|object| object["name"].as_str().map(str::to_owned))
}

/// Every id and every name that is anybody's.
pub fn words_of_all(estate: &Estate) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    words.extend(estate.jobs.iter().flat_map(|job| {
        [
            job.uid.to_string(),
            job.unique_uid.to_string(),
            job.name.clone(),
        ]
    }));
    words.extend(estate.servers.iter().flat_map(|server| {
        [
            server.uid.to_string(),
            server.name.clone(),
            server.managed_name.clone(),
        ]
    }));
    words.extend(
        estate
            .companies
            .iter()
            .flat_map(|company| [company.uid.to_string(), company.name.clone()]),
    );
    words.extend(estate.machines.iter().flat_map(|machine| {
        [
            machine.uid.to_string(),
            machine.agent.to_string(),
            machine.computer.clone(),
        ]
    }));
    words.extend(
        estate
            .sessions
            .iter()
            .flat_map(|session| [session.uid.to_string(), session.job_name.clone()]),
    );
    words.extend(
        estate
            .workloads
            .iter()
            .flat_map(|row| [row.uid.to_string(), row.name.clone()]),
    );
    words.extend(estate.alarms.iter().map(|alarm| alarm.uid.to_string()));
    words.extend(
        estate
            .locations
            .iter()
            .map(|location| location.uid.to_string()),
    );
    words.extend(
        estate
            .console_agents
            .iter()
            .flat_map(|agent| [agent.uid.to_string(), agent.name.clone()]),
    );
    words.extend(estate.console_jobs.iter().map(|job| job.uid.to_string()));
    words.insert(estate.manager.to_string());
    words.extend(
        estate
            .jobs
            .iter()
            .flat_map(|job| names_of_objects(estate, job)),
    );
    words.extend(
        estate
            .repositories
            .iter()
            .map(|repository| repository.uid.to_string()),
    );
    words
}

/// Every text in an answer, and every word and id within its sentences.
pub fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
            found.extend(text.split(['"', ' ', ',', '.', ':']).map(str::to_owned));
            found.extend(text.split('"').skip(1).step_by(2).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}
