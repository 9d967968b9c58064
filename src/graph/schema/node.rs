//! `Node`: anything with a global id, found by it.

use super::{id::Key, interface::interface};
use crate::graph::{
    loaders, nullable,
    types::{
        agent_job_object::AgentJobObject,
        agent_session::AgentSession,
        alarm::Alarm,
        backup_agent::BackupAgent,
        backup_agent_job::BackupAgentJob,
        backup_server::BackupServer,
        company::Company,
        console_agent::ConsoleAgent,
        console_agent_job::ConsoleAgentJob,
        enterprise_manager::EnterpriseManager,
        job::{
            Job, agent_job::AgentJob, backup_copy_job::BackupCopyJob,
            cdp_replication_job::CdpReplicationJob, file_copy_job::FileCopyJob,
            file_share_backup_job::FileShareBackupJob, file_share_copy_job::FileShareCopyJob,
            object_storage_backup_job::ObjectStorageBackupJob,
            object_storage_copy_job::ObjectStorageCopyJob, other_job::OtherJob,
            replication_job::ReplicationJob, simple_backup_copy_job::SimpleBackupCopyJob,
            tape_job::TapeJob, vm_backup_job::VmBackupJob, vm_copy_job::VmCopyJob,
        },
        location::Location,
        management_agent::ManagementAgent,
        repository::Repository,
        upstream::Upstream,
        workload::Workload,
    },
};
use crate::loaders::{
    agent_job::AgentJobOf, backup_agent::BackupAgentOf, company::CompanyOf, job::JobOf,
    repository::RepositoryOf, server::ServerOf, session::SessionOf,
};
use async_graphql::{Context, ID, Object, Result};

/// The one field that every node has.
pub struct NodeFields;

#[Object]
impl NodeFields {
    /// Global id: opaque, stable over renames. Ask for it again with `node`.
    async fn id(&self) -> ID {
        ID(String::new())
    }
}

interface! {
    /// Anything with a global id.
    pub enum Node: fields of NodeFields, itself &[];
    AgentJob(AgentJob),
    BackupCopyJob(BackupCopyJob),
    TapeJob(TapeJob),
    VmBackupJob(VmBackupJob),
    ReplicationJob(ReplicationJob),
    CdpReplicationJob(CdpReplicationJob),
    SimpleBackupCopyJob(SimpleBackupCopyJob),
    VmCopyJob(VmCopyJob),
    FileCopyJob(FileCopyJob),
    FileShareBackupJob(FileShareBackupJob),
    FileShareCopyJob(FileShareCopyJob),
    ObjectStorageBackupJob(ObjectStorageBackupJob),
    ObjectStorageCopyJob(ObjectStorageCopyJob),
    OtherJob(OtherJob),
    AgentJobObject(AgentJobObject),
    AgentSession(AgentSession),
    BackupAgent(BackupAgent),
    BackupAgentJob(BackupAgentJob),
    BackupServer(BackupServer),
    Company(Company),
    Repository(Repository),
    Upstream(Upstream),
    Alarm(Alarm),
    ConsoleAgent(ConsoleAgent),
    ConsoleAgentJob(ConsoleAgentJob),
    EnterpriseManager(EnterpriseManager),
    Location(Location),
    ManagementAgent(ManagementAgent),
    Workload(Workload),
}

impl From<Job> for Node {
    fn from(job: Job) -> Self {
        match job {
            Job::AgentJob(job) => job.into(),
            Job::BackupCopyJob(job) => job.into(),
            Job::TapeJob(job) => job.into(),
            Job::VmBackupJob(job) => job.into(),
            Job::ReplicationJob(job) => job.into(),
            Job::CdpReplicationJob(job) => job.into(),
            Job::SimpleBackupCopyJob(job) => job.into(),
            Job::VmCopyJob(job) => job.into(),
            Job::FileCopyJob(job) => job.into(),
            Job::FileShareBackupJob(job) => job.into(),
            Job::FileShareCopyJob(job) => job.into(),
            Job::ObjectStorageBackupJob(job) => job.into(),
            Job::ObjectStorageCopyJob(job) => job.into(),
            Job::OtherJob(job) => job.into(),
        }
    }
}

impl Node {
    /// What a global id stands for; null for an id that stands for nothing any more, or never did.
    pub async fn find(ctx: &Context<'_>, id: &ID) -> Option<Result<Self>> {
        let loaders = loaders(ctx);
        let estate = loaders.estate();
        match Key::decode(id, estate)? {
            Key::BackupServer(key) => nullable(
                loaders
                    .row(ServerOf(key))
                    .await
                    .map(|row| row.map(|row| BackupServer::from(row).into())),
            ),
            Key::Job(key) => nullable(
                loaders
                    .row(JobOf(key))
                    .await
                    .map(|row| row.map(|row| Job::from(row).into())),
            ),
            Key::AgentJobObject {
                upstream,
                server,
                job,
                object,
            } => {
                let found = loaders
                    .caller()
                    .console(upstream)?
                    .object(loaders.caller(), server, job, object)
                    .await;
                nullable(found.map(|row| row.map(|row| AgentJobObject::new(row).into())))
            }
            Key::BackupAgent(key) => nullable(
                loaders
                    .ask(BackupAgentOf(key), None)
                    .await
                    .map(|row| row.map(|row| BackupAgent::new(key, row).into())),
            ),
            Key::UnplacedAgent {
                upstream,
                server,
                agent,
                mark,
            } => {
                let found = loaders
                    .caller()
                    .console(upstream)?
                    .backup_agents(loaders.caller())
                    .await;
                nullable(found.and_then(|agents| {
                    let found = agents
                        .rows()
                        .find(|row| BackupAgent::is_unplaced(row, server, agent, &mark));
                    match (found, agents.problem()) {
                        (None, Some(problem)) => Err(problem.clone()),
                        (found, _) => Ok(found.map(|row| BackupAgent::of_list(row).into())),
                    }
                }))
            }
            Key::AgentSession(key) => nullable(
                loaders
                    .ask(SessionOf(key), None)
                    .await
                    .map(|session| session.map(|session| AgentSession::from(session).into())),
            ),
            Key::BackupAgentJob {
                agent,
                job: Ok(job),
                ..
            } => nullable(
                loaders
                    .ask(AgentJobOf { agent, job }, None)
                    .await
                    .map(|row| row.map(|row| BackupAgentJob::from(row).into())),
            ),
            Key::BackupAgentJob {
                upstream,
                agent,
                job: Err(name),
            } => {
                let agents = loaders
                    .caller()
                    .agents()
                    .iter()
                    .find(|agents| agents.id() == upstream)?;
                let jobs = agents.jobs_of_agent(loaders.caller(), agent).await;
                let named = jobs.map(|jobs| {
                    jobs.rows
                        .into_iter()
                        .find(|job| job.id.is_none() && job.name == name)
                });
                nullable(named.map(|row| row.map(|row| BackupAgentJob::from(row).into())))
            }
            Key::Company(key) => nullable(
                loaders
                    .row(CompanyOf(key))
                    .await
                    .map(|row| row.map(|row| Company::from(row).into())),
            ),
            Key::Repository(key) => nullable(
                loaders
                    .row(RepositoryOf(key))
                    .await
                    .map(|row| row.map(|row| Repository::from(row).into())),
            ),
            Key::EnterpriseManager(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .enterprise_manager(loaders.caller(), key.manager)
                    .await;
                nullable(found.map(|row| row.map(|row| EnterpriseManager::from(row).into())))
            }
            Key::Location(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .location(loaders.caller(), key.location)
                    .await;
                nullable(found.map(|row| row.map(|row| Location::from(row).into())))
            }
            Key::ManagementAgent(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .management_agent(loaders.caller(), key.agent)
                    .await;
                nullable(found.map(|row| row.map(|row| ManagementAgent::from(row).into())))
            }
            Key::ConsoleAgent(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .console_agent(loaders.caller(), key.agent)
                    .await;
                nullable(found.map(|row| row.map(|row| ConsoleAgent::from(row).into())))
            }
            Key::ConsoleAgentJob(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .console_agent_job(loaders.caller(), key.agent, key.job)
                    .await;
                nullable(found.map(|row| row.map(|row| ConsoleAgentJob::from(row).into())))
            }
            Key::Alarm(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .alarm(loaders.caller(), key.alarm)
                    .await;
                nullable(found.map(|alarm| alarm.map(|alarm| Alarm::from(alarm).into())))
            }
            Key::Workload(key) => {
                let found = loaders
                    .caller()
                    .console(key.upstream)?
                    .workload(loaders.caller(), key)
                    .await;
                nullable(
                    found.map(|workload| workload.map(|workload| Workload::from(workload).into())),
                )
            }
            Key::Upstream(id) => {
                let is_seen = loaders
                    .caller()
                    .principal
                    .allows_upstream(&estate.status(id)?.name);
                is_seen.then(|| Ok(Upstream::at(estate, id).into()))
            }
        }
    }
}
