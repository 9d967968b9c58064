//! What is so: every row that there is, its values and where its edges lead, computed in the
//! dumbest way from the simulator's data.

use crate::{fifteen::answers::Words, isolation::rule::company_of, tape::coverage, walk::health};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};
use uuid::Uuid;
use veeam_graph::simulator::{
    ApiVersion, Estate,
    estate::{ConsoleAgent, ConsoleJob, Link, Protected, Session, Subject},
};

/// The types whose rows are held against what is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Job,
    Server,
    Company,
    Machine,
    Session,
    Repository,
    Alarm,
    Workload,
    Agent,
    Link,
    /// Agents that no backup server manages, and their jobs.
    ConsoleAgent,
    ConsoleJob,
    License,
    /// Of the v2 API.
    AgentJob,
}

/// A row: its type and its place in the list of all of them.
pub type Row = (Kind, usize);

/// Where an edge leads.
pub enum Edge {
    One(Option<Row>),
    Many(Vec<Row>),
    /// Nothing is held against it.
    Free,
}

/// A protected machine: its row and its company.
pub struct Workload {
    pub row: usize,
    pub company: Uuid,
    /// The jobs that protect it; none where that hangs on which of two rows is the newer.
    jobs: Option<Vec<usize>>,
}

pub struct Truth {
    pub estate: Estate,
    version: ApiVersion,
    /// Agents of backup servers: the place of a machine that has each.
    pub agents: Vec<usize>,
    pub workloads: Vec<Workload>,
    /// Places of the agents, and of the jobs of agents, that no backup server manages.
    console_agents: Vec<usize>,
    console_jobs: Vec<usize>,
    /// Places of the companies that use any licence.
    pub licenses: Vec<usize>,
    /// Agents of the v2 API and their jobs, by their places.
    pub agent_jobs: Vec<(usize, usize)>,
    /// Alarms by their place: severity, job, server, company.
    pub alarms: HashMap<usize, (&'static str, Option<usize>, Option<usize>, Uuid)>,
    coverage: Vec<&'static str>,
    pub successes: Vec<(Option<Timestamp>, bool)>,
    /// The runs of each job, newest first.
    runs: Vec<Vec<usize>>,
    by_uid: HashMap<(Kind, String), Vec<Row>>,
}

impl Truth {
    pub fn of(estate: Estate, version: ApiVersion) -> Self {
        let words = Words(&estate);
        let jobs = 0..estate.jobs.len();
        let server_of = |machine: usize| estate.jobs[estate.machines[machine].job].server;
        let mut agents: Vec<usize> = Vec::new();
        for place in 0..estate.machines.len() {
            let is_same = |other: &usize| {
                estate.machines[*other].agent == estate.machines[place].agent
                    && server_of(*other) == server_of(place)
            };
            if !agents.iter().any(is_same) {
                agents.push(place);
            }
        }
        let mut workloads: Vec<Workload> = Vec::new();
        for (place, row) in estate.workloads.iter().enumerate() {
            let is_same = |other: &veeam_graph::simulator::estate::Workload| {
                let key = |row: &veeam_graph::simulator::estate::Workload| {
                    (row.kind, row.server, row.uid, row.company)
                };
                key(other) == key(row)
            };
            let rows = || estate.workloads.iter().filter(|other| is_same(other));
            let newest = rows().map(|row| row.latest).max().flatten();
            let is_first_of_newest = row.latest == newest
                && !estate.workloads[..place]
                    .iter()
                    .any(|other| is_same(other) && other.latest == newest);
            if !is_first_of_newest {
                continue;
            }
            let mut jobs: Vec<usize> = match row.kind {
                Protected::Vm => rows()
                    .filter(|other| other.latest == newest)
                    .filter_map(|other| other.job)
                    .collect(),
                Protected::Computer => (0..estate.machines.len())
                    .filter(|machine| {
                        estate.machines[*machine].agent == row.uid
                            && Some(server_of(*machine)) == row.server
                    })
                    .map(|machine| estate.machines[machine].job)
                    .collect(),
                Protected::ConsoleComputer => Vec::new(),
            };
            jobs.sort_unstable();
            jobs.dedup();
            // jobs of two companies do not tell whose it is
            let companies: HashSet<Uuid> =
                jobs.iter().map(|job| company_of(&estate, *job)).collect();
            let company = match companies.len() {
                1 => companies.into_iter().next(),
                _ => None,
            };
            workloads.push(Workload {
                row: place,
                company: company.unwrap_or(row.company),
                jobs: (row.kind != Protected::Vm || jobs.len() < 2).then_some(jobs),
            });
        }
        let is_of_server = |uid: Uuid, company: Uuid| {
            estate.console_agents.iter().any(|agent| {
                (agent.uid, agent.company) == (uid, company) && agent.mode == "ManagedByVBR"
            })
        };
        let console_agents = (0..estate.console_agents.len())
            .filter(|place| estate.console_agents[*place].mode != "ManagedByVBR")
            .collect();
        let console_jobs = (0..estate.console_jobs.len())
            .filter(|place| {
                let job = &estate.console_jobs[*place];
                !is_of_server(job.agent, job.company)
            })
            .collect();
        let licenses = (0..estate.companies.len())
            .filter(|place| estate.licenses.iter().any(|row| row.company == *place))
            .collect();
        let agent_jobs = estate
            .agents
            .iter()
            .enumerate()
            .flat_map(|(agent, row)| (0..row.jobs.len()).map(move |job| (agent, job)))
            .collect();
        let alarms = words
            .alarms()
            .into_iter()
            .map(|(place, severity, job, server, company)| {
                (place, (severity, job, server, company))
            });
        let runs = jobs.clone().map(|job| {
            let mut runs: Vec<usize> = (0..estate.sessions.len())
                .filter(|place| {
                    estate.sessions[*place].of_job == job
                        && estate.sessions[*place].parent.is_none()
                })
                .collect();
            runs.sort_by_key(|place| {
                Reverse((estate.sessions[*place].created, estate.sessions[*place].uid))
            });
            runs
        });
        let mut truth = Self {
            alarms: alarms.collect(),
            coverage: jobs.clone().map(|job| coverage(&estate, job)).collect(),
            successes: jobs.clone().map(|job| words.last_success(job)).collect(),
            runs: runs.collect(),
            agents,
            workloads,
            console_agents,
            console_jobs,
            licenses,
            agent_jobs,
            version,
            by_uid: HashMap::new(),
            estate,
        };
        for kind in Kind::ALL {
            for row in truth.all(kind) {
                truth
                    .by_uid
                    .entry((kind, truth.uid(row).to_string()))
                    .or_default()
                    .push(row);
            }
        }
        truth
    }

    pub fn words(&self) -> Words<'_> {
        Words(&self.estate)
    }

    /// Every row of a type.
    pub fn all(&self, kind: Kind) -> Vec<Row> {
        let estate = &self.estate;
        let count = match kind {
            Kind::Job => estate.jobs.len(),
            Kind::Server => estate.servers.len(),
            Kind::Company => estate.companies.len(),
            Kind::Machine => estate.machines.len(),
            Kind::Session => estate.sessions.len(),
            Kind::Repository => estate.repositories.len(),
            Kind::Alarm => estate.alarms.len(),
            Kind::Workload => self.workloads.len(),
            Kind::Agent => self.agents.len(),
            Kind::Link => estate.tape_links.len(),
            Kind::ConsoleAgent => self.console_agents.len(),
            Kind::ConsoleJob => self.console_jobs.len(),
            Kind::License => self.licenses.len(),
            Kind::AgentJob => self.agent_jobs.len(),
        };
        (0..count).map(|place| (kind, place)).collect()
    }

    /// The rows with an id, as answers have it: several where it repeats over servers.
    pub fn named(&self, kind: Kind, uid: &str) -> &[Row] {
        self.by_uid
            .get(&(kind, uid.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether its id, with its server's, is its own alone.
    pub fn is_only(&self, row: Row) -> bool {
        let of_uid = self.named(row.0, &self.uid(row).to_string());
        let is_same = |other: &&Row| self.server_of(**other) == self.server_of(row);
        row.0 == Kind::AgentJob || of_uid.iter().filter(is_same).count() == 1
    }

    /// Its own id. Links have none: theirs is that of the job that is read.
    pub fn uid(&self, (kind, place): Row) -> Uuid {
        let estate = &self.estate;
        match kind {
            Kind::Job => estate.jobs[place].uid,
            Kind::Server => estate.servers[place].uid,
            Kind::Company => estate.companies[place].uid,
            Kind::Machine => estate.machines[place].uid,
            Kind::Session => estate.sessions[place].uid,
            Kind::Repository => estate.repositories[place].uid,
            Kind::Alarm => estate.alarms[place].uid,
            Kind::Workload => estate.workloads[self.workloads[place].row].uid,
            Kind::Agent => estate.machines[self.agents[place]].agent,
            Kind::Link => self.linked(&estate.tape_links[place]),
            Kind::ConsoleAgent => self.console_agent(place).uid,
            Kind::ConsoleJob => self.console_job(place).uid,
            Kind::License => estate.companies[self.licenses[place]].uid,
            Kind::AgentJob => estate.agents[self.agent_jobs[place].0].id,
        }
    }

    /// An agent that no backup server manages.
    pub fn console_agent(&self, place: usize) -> &ConsoleAgent {
        &self.estate.console_agents[self.console_agents[place]]
    }

    /// A job of such an agent.
    pub fn console_job(&self, place: usize) -> &ConsoleJob {
        &self.estate.console_jobs[self.console_jobs[place]]
    }

    /// The id by which a link names the job that is read: it depends on the version.
    fn linked(&self, link: &Link) -> Uuid {
        let job = self.job_of(link).filter(|_| match self.version {
            ApiVersion::V3_5 => true,
            ApiVersion::V3_7 => self.estate.servers[link.server].has_unique_ids,
            _ => false,
        });
        job.map_or(link.linked, |job| self.estate.jobs[job].unique_uid)
    }

    pub fn job_of(&self, link: &Link) -> Option<usize> {
        self.estate
            .jobs
            .iter()
            .position(|job| job.server == link.server && job.uid == link.linked)
    }

    fn company(&self, uid: Uuid) -> Edge {
        Edge::One(
            self.estate
                .companies
                .iter()
                .position(|company| company.uid == uid)
                .map(|place| (Kind::Company, place)),
        )
    }

    pub fn server_of(&self, (kind, place): Row) -> Option<usize> {
        let estate = &self.estate;
        match kind {
            Kind::Job => Some(estate.jobs[place].server),
            Kind::Server => Some(place),
            Kind::Machine => Some(estate.jobs[estate.machines[place].job].server),
            Kind::Session => Some(estate.sessions[place].server),
            Kind::Repository => Some(estate.repositories[place].server),
            Kind::Agent => Some(estate.jobs[estate.machines[self.agents[place]].job].server),
            Kind::Link => Some(estate.tape_links[place].server),
            Kind::Workload => estate.workloads[self.workloads[place].row].server,
            Kind::Alarm => self.alarms[&place].2,
            Kind::Company
            | Kind::ConsoleAgent
            | Kind::ConsoleJob
            | Kind::License
            | Kind::AgentJob => None,
        }
    }

    pub fn company_uid(&self, (kind, place): Row) -> Option<Uuid> {
        let estate = &self.estate;
        match kind {
            Kind::Job => Some(company_of(estate, place)),
            Kind::Machine => Some(company_of(estate, estate.machines[place].job)),
            Kind::Server => Some(estate.servers[place].company),
            Kind::Repository => Some(estate.servers[estate.repositories[place].server].company),
            Kind::Workload => Some(self.workloads[place].company),
            Kind::Alarm => Some(self.alarms[&place].3),
            Kind::ConsoleAgent => Some(self.console_agent(place).company),
            Kind::ConsoleJob => Some(self.console_job(place).company),
            Kind::License => Some(self.uid((kind, place))),
            _ => None,
        }
    }

    pub fn health(&self, (kind, place): Row) -> &'static str {
        match kind {
            Kind::Job => self.words().health(place),
            Kind::Machine => self.words().machine_health(place),
            Kind::Session => match self.estate.sessions[place].result {
                "None" => "RUNNING",
                "Success" => "SUCCESS",
                "Warning" => "WARNING",
                _ => "FAILED",
            },
            Kind::ConsoleJob => {
                let job = self.console_job(place);
                health(job.status, job.last_run.is_some())
            }
            Kind::AgentJob => {
                let (agent, job) = self.agent_jobs[place];
                let job = &self.estate.agents[agent].jobs[job];
                health(job.status, job.last_run.is_some())
            }
            _ => "",
        }
    }

    pub fn last_success(&self, job: usize) -> Option<Timestamp> {
        self.successes[job].0
    }

    /// When its newest restore point was made; of a machine in a job, when its last backup ended or
    /// began.
    pub fn newest(&self, (kind, place): Row) -> Option<Timestamp> {
        match kind {
            Kind::Workload => self.estate.workloads[self.workloads[place].row].latest,
            _ => self.estate.machines[place]
                .last_end
                .or(self.estate.machines[place].last_run),
        }
    }

    pub fn tape(&self, (kind, place): Row) -> &'static str {
        match kind {
            Kind::Machine => self.coverage[self.estate.machines[place].job],
            Kind::Repository => {
                let row = &self.estate.repositories[place];
                self.words().repository_on_tape(row.server, row.uid)
            }
            _ => self.coverage[place],
        }
    }

    /// A part whose run is out of the window: whose it is can only be told by a name, which may not
    /// hold any more.
    pub fn is_orphan(&self, session: &Session) -> bool {
        session
            .parent
            .is_some_and(|parent| self.named(Kind::Session, &parent.to_string()).is_empty())
    }

    pub fn workload_kind(&self, place: usize) -> &'static str {
        match self.estate.workloads[self.workloads[place].row].kind {
            Protected::Vm => "VIRTUAL_MACHINE",
            Protected::Computer => "COMPUTER",
            Protected::ConsoleComputer => "CONSOLE_COMPUTER",
        }
    }

    fn rows(&self, kind: Kind, wanted: impl Fn(Row) -> bool) -> Edge {
        Edge::Many(
            self.all(kind)
                .into_iter()
                .filter(|row| wanted(*row))
                .collect(),
        )
    }

    /// Where an edge leads, before any filter.
    pub fn edge(&self, row: Row, member: &str) -> Edge {
        let (kind, place) = row;
        let estate = &self.estate;
        let one = |kind: Kind, place: Option<usize>| Edge::One(place.map(|place| (kind, place)));
        let sessions = |wanted: &dyn Fn(&Session) -> bool| {
            self.rows(Kind::Session, |(_, place)| wanted(&estate.sessions[place]))
        };
        match (kind, member) {
            (Kind::Session, "backupServer") if self.is_orphan(&estate.sessions[place]) => {
                Edge::Free
            }
            (_, "backupServer") => one(Kind::Server, self.server_of(row)),
            (_, "company") => self
                .company_uid(row)
                .map_or(Edge::One(None), |uid| self.company(uid)),
            (Kind::Job, "lastSession") => one(Kind::Session, self.runs[place].first().copied()),
            (Kind::Job, "sessions") => Edge::Many(
                self.runs[place]
                    .iter()
                    .map(|run| (Kind::Session, *run))
                    .collect(),
            ),
            (Kind::Job, "objects") => self.rows(Kind::Machine, |(_, machine)| {
                estate.machines[machine].job == place
            }),
            (Kind::Server, "jobs" | "agentJobs" | "tapeJobs" | "backupCopyJobs") => {
                self.rows(Kind::Job, |(_, job)| {
                    let kind = self.words().kind(job);
                    estate.jobs[job].server == place
                        && match member {
                            "agentJobs" => kind.starts_with("AGENT"),
                            "tapeJobs" => kind == "BACKUP_TO_TAPE",
                            "backupCopyJobs" => kind == "BACKUP_COPY",
                            _ => true,
                        }
                })
            }
            (Kind::Server, "repositories") => self.rows(Kind::Repository, |(_, row)| {
                estate.repositories[row].server == place
            }),
            (Kind::Server, "sessions") => {
                sessions(&|session| session.server == place && session.parent.is_none())
            }
            (Kind::Server, "tapeLinkedJobs") => self.rows(Kind::Link, |(_, link)| {
                estate.tape_links[link].server == place
            }),
            (Kind::Server, "backupAgents") => {
                self.rows(Kind::Agent, |agent| self.server_of(agent) == Some(place))
            }
            (Kind::Company, _) => {
                let kind = match member {
                    "jobs" => Kind::Job,
                    "backupServers" => Kind::Server,
                    "agentJobObjects" => Kind::Machine,
                    "repositories" => Kind::Repository,
                    "alarms" => Kind::Alarm,
                    "consoleAgents" => Kind::ConsoleAgent,
                    _ => Kind::Workload,
                };
                self.rows(kind, |other| {
                    self.company_uid(other) == Some(estate.companies[place].uid)
                })
            }
            (Kind::Machine, "job") => one(Kind::Job, Some(estate.machines[place].job)),
            (Kind::Machine, "agent") => {
                let server = self.server_of(row);
                let agent = |agent: &usize| {
                    estate.machines[*agent].agent == estate.machines[place].agent
                        && self.server_of((Kind::Machine, *agent)) == server
                };
                one(Kind::Agent, self.agents.iter().position(agent))
            }
            (Kind::Session, "job") if self.is_orphan(&estate.sessions[place]) => Edge::Free,
            (Kind::Session, "job") => one(Kind::Job, Some(estate.sessions[place].of_job)),
            (Kind::Session, "parent") => {
                let parent = estate.sessions[place]
                    .parent
                    .map(|parent| parent.to_string());
                Edge::One(
                    parent.and_then(|parent| self.named(Kind::Session, &parent).first().copied()),
                )
            }
            (Kind::Session, "children") => {
                sessions(&|session| session.parent == Some(estate.sessions[place].uid))
            }
            (Kind::Workload, "jobs") => {
                let workload = &self.workloads[place];
                match (estate.workloads[workload.row].kind, &workload.jobs) {
                    (Protected::ConsoleComputer, _) => Edge::One(None),
                    (_, Some(jobs)) => {
                        Edge::Many(jobs.iter().map(|job| (Kind::Job, *job)).collect())
                    }
                    (_, None) => Edge::Free,
                }
            }
            (Kind::Workload, "agent") => {
                let row = &estate.workloads[self.workloads[place].row];
                let is_its = |agent: &usize| {
                    let agent = self.console_agent(*agent);
                    (agent.uid, agent.company) == (row.uid, row.company)
                };
                let agents = 0..self.console_agents.len();
                one(
                    Kind::ConsoleAgent,
                    Some(row.kind)
                        .filter(|kind| *kind == Protected::ConsoleComputer)
                        .and_then(|_| agents.clone().find(is_its)),
                )
            }
            (Kind::ConsoleAgent, "jobs") => {
                let agent = self.console_agent(place);
                self.rows(Kind::ConsoleJob, |(_, job)| {
                    let job = self.console_job(job);
                    (job.agent, job.company) == (agent.uid, agent.company)
                })
            }
            (Kind::ConsoleJob, "agent") => {
                let job = self.console_job(place);
                let is_its = |agent: &usize| {
                    let agent = self.console_agent(*agent);
                    (agent.uid, agent.company) == (job.agent, job.company)
                };
                one(
                    Kind::ConsoleAgent,
                    (0..self.console_agents.len()).find(is_its),
                )
            }
            (Kind::Alarm, "job") => one(Kind::Job, self.alarms[&place].1),
            (Kind::Link, "job") => one(Kind::Job, Some(estate.tape_links[place].job)),
            (Kind::Link, "linkedJob") => one(Kind::Job, self.job_of(&estate.tape_links[place])),
            _ => Edge::Free,
        }
    }

    /// What an alarm is about, by its name.
    pub fn subject_name(&self, alarm: usize) -> &str {
        match self.estate.alarms[alarm].about {
            Subject::Job(job) => &self.estate.jobs[job].name,
            Subject::Server(server) => &self.estate.servers[server].name,
            Subject::Company(company) => &self.estate.companies[company].name,
        }
    }
}

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::Job,
        Self::Server,
        Self::Company,
        Self::Machine,
        Self::Session,
        Self::Repository,
        Self::Alarm,
        Self::Workload,
        Self::Agent,
        Self::Link,
        Self::ConsoleAgent,
        Self::ConsoleJob,
        Self::License,
        Self::AgentJob,
    ];
}
