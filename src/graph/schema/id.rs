//! Global ids: opaque to callers, stable over renames: the upstream's name, the type, the key.

use crate::{
    estate::{
        AlarmKey, BackupAgentKey, CompanyKey, ConsoleAgentKey, ConsoleJobKey, EnterpriseManagerKey,
        Estate, JobKey, LocationKey, ManagementAgentKey, RepositoryKey, ServerKey, SessionKey,
        UpstreamId, console::protection::WorkloadKey,
    },
    uid::{self, AgentUid, JobUid, ObjectUid, ServerUid},
    upstream::vspc::protected_workload::WorkloadKind,
};
use async_graphql::ID;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// What a global id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A backup server.
    BackupServer(ServerKey),
    /// A job of any type.
    Job(JobKey),
    /// A machine in an agent job.
    AgentJobObject {
        /// Its console.
        upstream: UpstreamId,
        /// Its job's server, where the row names one.
        server: Option<ServerUid>,
        /// Its job.
        job: JobUid,
        /// The machine.
        object: ObjectUid,
    },
    /// An agent that a backup server manages.
    BackupAgent(BackupAgentKey),
    /// An agent whose row has no id, or no server.
    UnplacedAgent {
        /// Its console.
        upstream: UpstreamId,
        /// Its server, where the row names one.
        server: Option<ServerUid>,
        /// Its id, where it has one.
        agent: Option<AgentUid>,
        /// Its name, as `name_mark` shows it.
        mark: String,
    },
    /// A session.
    AgentSession(SessionKey),
    /// A job of a standalone agent.
    BackupAgentJob {
        /// Its v2 API.
        upstream: UpstreamId,
        /// Its agent.
        agent: AgentUid,
        /// The job; old agents' jobs have no id but a name.
        job: Result<JobUid, String>,
    },
    /// An organization.
    Company(CompanyKey),
    /// A repository.
    Repository(RepositoryKey),
    /// An Enterprise Manager.
    EnterpriseManager(EnterpriseManagerKey),
    /// A place of an organization.
    Location(LocationKey),
    /// A management agent.
    ManagementAgent(ManagementAgentKey),
    /// An agent that no backup server manages.
    ConsoleAgent(ConsoleAgentKey),
    /// A job of such an agent.
    ConsoleAgentJob(ConsoleJobKey),
    /// An alarm.
    Alarm(AlarmKey),
    /// A protected machine.
    Workload(WorkloadKey),
    /// An upstream.
    Upstream(UpstreamId),
}

impl Key {
    /// The id as callers see it.
    pub fn encode(&self, estate: &Estate) -> ID {
        let name = |id: &UpstreamId| {
            estate
                .status(*id)
                .map(|status| status.name.to_string())
                .unwrap_or_default()
        };
        let text = match self {
            Key::BackupServer(key) => {
                format!("BackupServer:{}:{}", name(&key.upstream), key.server)
            }
            Key::Job(key) => format!("Job:{}:{}:{}", name(&key.upstream), key.server, key.job),
            Key::AgentJobObject {
                upstream,
                server,
                job,
                object,
            } => {
                let server = server.map(|server| server.to_string()).unwrap_or_default();
                format!("AgentJobObject:{}:{server}:{job}:{object}", name(upstream))
            }
            Key::BackupAgent(key) => format!(
                "BackupAgent:{}:{}:{}",
                name(&key.upstream),
                key.server,
                key.agent
            ),
            Key::UnplacedAgent {
                upstream,
                server,
                agent,
                mark,
            } => {
                let server = server.map(|server| server.to_string()).unwrap_or_default();
                let agent = agent.map(|agent| agent.to_string()).unwrap_or_default();
                format!("BackupAgent:{}:{server}:{agent}:{mark}", name(upstream))
            }
            Key::AgentSession(key) => {
                format!("AgentSession:{}:{}", name(&key.upstream), key.session)
            }
            Key::BackupAgentJob {
                upstream,
                agent,
                job: Ok(job),
            } => format!("BackupAgentJob:{}:{agent}:{job}", name(upstream)),
            Key::BackupAgentJob {
                upstream,
                agent,
                job: Err(named),
            } => format!("BackupAgentJob:{}:{agent}::{named}", name(upstream)),
            Key::Company(key) => format!("Company:{}:{}", name(&key.upstream), key.company),
            Key::Repository(key) => format!(
                "Repository:{}:{}:{}",
                name(&key.upstream),
                key.server,
                key.repository
            ),
            Key::EnterpriseManager(key) => {
                format!("EnterpriseManager:{}:{}", name(&key.upstream), key.manager)
            }
            Key::Location(key) => format!("Location:{}:{}", name(&key.upstream), key.location),
            Key::ManagementAgent(key) => {
                format!("ManagementAgent:{}:{}", name(&key.upstream), key.agent)
            }
            Key::ConsoleAgent(key) => format!("ConsoleAgent:{}:{}", name(&key.upstream), key.agent),
            Key::ConsoleAgentJob(key) => format!(
                "ConsoleAgentJob:{}:{}:{}",
                name(&key.upstream),
                key.agent,
                key.job
            ),
            Key::Alarm(key) => format!("Alarm:{}:{}", name(&key.upstream), key.alarm),
            Key::Workload(key) => {
                let server = key
                    .server
                    .map(|server| server.to_string())
                    .unwrap_or_default();
                format!(
                    "Workload:{}:{}:{server}:{}",
                    name(&key.upstream),
                    key.kind as u8,
                    key.uid
                )
            }
            Key::Upstream(id) => format!("Upstream:{}", name(id)),
        };
        ID(URL_SAFE_NO_PAD.encode(text))
    }

    /// What an id stands for; `None` for text that is no id of this gateway's.
    pub fn decode(id: &str, estate: &Estate) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
        let mut parts = text.splitn(5, ':');
        let (kind, upstream) = (parts.next()?, estate.upstream_named(parts.next()?)?);
        let rest: Vec<&str> = parts.collect();
        let guid = |place: usize| -> Option<Uuid> { uid::parse_hyphenated(rest.get(place)?) };
        Some(match (kind, rest.len()) {
            ("BackupServer", 1) => Key::BackupServer(ServerKey {
                upstream,
                server: guid(0)?.into(),
            }),
            ("Job", 2) => Key::Job(JobKey {
                upstream,
                server: guid(0)?.into(),
                job: guid(1)?.into(),
            }),
            ("AgentJobObject", 3) => {
                let server = if rest.first()?.is_empty() {
                    None
                } else {
                    Some(guid(0)?.into())
                };
                Key::AgentJobObject {
                    upstream,
                    server,
                    job: guid(1)?.into(),
                    object: guid(2)?.into(),
                }
            }
            ("BackupAgent", 2) => Key::BackupAgent(BackupAgentKey {
                upstream,
                server: guid(0)?.into(),
                agent: guid(1)?.into(),
            }),
            ("BackupAgent", 3) => {
                let is_none = |place: usize| rest.get(place).is_some_and(|text| text.is_empty());
                let server = if is_none(0) {
                    None
                } else {
                    Some(guid(0)?.into())
                };
                let agent = if is_none(1) {
                    None
                } else {
                    Some(guid(1)?.into())
                };
                Key::UnplacedAgent {
                    upstream,
                    server,
                    agent,
                    mark: (*rest.get(2)?).to_owned(),
                }
            }
            ("AgentSession", 1) => Key::AgentSession(SessionKey {
                upstream,
                session: guid(0)?.into(),
            }),
            ("BackupAgentJob", 2) => Key::BackupAgentJob {
                upstream,
                agent: guid(0)?.into(),
                job: Ok(guid(1)?.into()),
            },
            ("BackupAgentJob", 3) => Key::BackupAgentJob {
                upstream,
                agent: guid(0)?.into(),
                job: Err((*rest.get(2)?).to_owned()),
            },
            ("Company", 1) => Key::Company(CompanyKey {
                upstream,
                company: guid(0)?.into(),
            }),
            ("Repository", 2) => Key::Repository(RepositoryKey {
                upstream,
                server: guid(0)?.into(),
                repository: guid(1)?.into(),
            }),
            ("EnterpriseManager", 1) => Key::EnterpriseManager(EnterpriseManagerKey {
                upstream,
                manager: guid(0)?.into(),
            }),
            ("Location", 1) => Key::Location(LocationKey {
                upstream,
                location: guid(0)?.into(),
            }),
            ("ManagementAgent", 1) => Key::ManagementAgent(ManagementAgentKey {
                upstream,
                agent: guid(0)?.into(),
            }),
            ("ConsoleAgent", 1) => Key::ConsoleAgent(ConsoleAgentKey {
                upstream,
                agent: guid(0)?.into(),
            }),
            ("ConsoleAgentJob", 2) => Key::ConsoleAgentJob(ConsoleJobKey {
                upstream,
                agent: guid(0)?.into(),
                job: guid(1)?.into(),
            }),
            ("Alarm", 1) => Key::Alarm(AlarmKey {
                upstream,
                alarm: guid(0)?.into(),
            }),
            ("Workload", 3) => {
                let kind = *WorkloadKind::ALL.get(rest.first()?.parse::<usize>().ok()?)?;
                let server = if rest.get(1)?.is_empty() {
                    None
                } else {
                    Some(guid(1)?.into())
                };
                Key::Workload(WorkloadKey {
                    upstream,
                    kind,
                    server,
                    uid: guid(2)?.into(),
                })
            }
            ("Upstream", 0) => Key::Upstream(upstream),
            _ => return None,
        })
    }
}

/// What stands for a name in an id: it tells names apart, and does not show them to those who may
/// not read them.
pub fn name_mark(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, name.trim().to_lowercase().as_bytes()).as_ref()[..12])
}
