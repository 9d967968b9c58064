//! By which keys each list is asked: one index type per row type.

use super::snapshot::{Listed, Places};
use crate::{
    uid::{
        AgentUid, CompanyUid, EnterpriseManagerUid, JobUid, LocationUid, ManagedServerUid,
        ManagementAgentUid, ObjectUid, OtherUid, RepositoryUid, ServerUid, SessionUid,
        UniqueJobUid,
    },
    upstream::{
        enterprise_manager::{
            managed_server::ManagedServer, session::Session, task_session::TaskSession,
        },
        vac::backup_agent_job::BackupAgentJob,
        vspc::{
            agent_job::AgentJob, agent_job_object::AgentJobObject, alarm::Alarm,
            backup_agent::BackupAgent, backup_copy_job::BackupCopyJob, backup_server::BackupServer,
            computer_backup::ComputerBackup, console_agent::ConsoleAgent,
            console_agent_job::ConsoleAgentJob, enterprise_manager::EnterpriseManager, job::Job,
            job_detail::JobDetail, job_object::JobObject, license_usage::LicenseUsage,
            linked_job::LinkedJob, linked_repository::LinkedRepository, location::Location,
            management_agent::ManagementAgent, organization::Organization,
            protected_workload::ProtectedWorkload, repository::Repository,
        },
    },
};
use std::collections::BTreeSet;

/// Whose row a job is: the company it is assigned to before the one that owns the server.
pub fn company_of(job: &Job) -> Option<CompanyUid> {
    job.mapped_organization_uid.or(job.organization_uid)
}

macro_rules! indexes {
    ($($row:ty => $index:ident { $($field:ident: $key:ty = |$r:ident| $keys:expr),* $(,)? })*) => {$(
        #[derive(Debug)]
        #[allow(missing_docs, reason = "an index is named for its key")]
        pub struct $index { $(pub $field: Places<$key>),* }

        impl Listed for $row {
            type Index = $index;
            #[allow(unused_variables, reason = "a list that is only walked has no index")]
            fn index(rows: &[Self]) -> $index {
                $index { $($field: Places::by(rows, |$r| $keys)),* }
            }
        }
    )*};
}

indexes! {
    BackupServer => ServerIndex {
        uid: ServerUid = |row| [row.instance_uid],
        management_agent: ManagementAgentUid = |row| row.management_agent_uid,
        company: CompanyUid = |row| row.organization_uid,
        location: LocationUid = |row| row.location_uid,
    }
    Job => JobIndex {
        // under each of its ids: other lists name a job by either
        key: (ServerUid, JobUid) = |row| {
            let server = row.backup_server_uid;
            row.ids().map(move |uid| (server, uid))
        },
        uid: JobUid = |row| row.ids(),
        unique: UniqueJobUid = |row| row.unique_uid,
        server: ServerUid = |row| [row.backup_server_uid],
        company: CompanyUid = |row| company_of(row),
    }
    AgentJob => AgentJobIndex {
        key: (ServerUid, JobUid) = |row| row.parent().map(|job| (job.backup_server_uid, job.instance_uid)),
        unique: UniqueJobUid = |row| row.unique_uid,
    }
    JobDetail => JobDetailIndex {
        key: (ServerUid, JobUid) = |row| row.parent().map(|job| (job.backup_server_uid, job.instance_uid)),
        unique: UniqueJobUid = |row| row.unique_uid,
    }
    BackupCopyJob => CopyJobIndex {
        key: (ServerUid, JobUid) = |row| row.parent().map(|job| (job.backup_server_uid, job.instance_uid)),
        unique: UniqueJobUid = |row| row.unique_uid,
        uid: JobUid = |row| [row.instance_uid],
    }
    AgentJobObject => ObjectIndex {
        job: JobUid = |row| [row.job_uid],
        uid: ObjectUid = |row| [row.instance_uid],
        agent: AgentUid = |row| row.agent_uid,
    }
    JobObject => JobObjectIndex {
        job: JobUid = |row| [row.job_uid],
    }
    LinkedJob => LinkIndex {
        job: JobUid = |row| [row.job_uid],
    }
    LinkedRepository => LinkedRepositoryIndex {
        repository: RepositoryUid = |row| [row.linked_repository_uid],
    }
    ComputerBackup => ComputerBackupIndex {
        job: JobUid = |row| row.job_uid,
        agent: OtherUid = |row| row.backup_agent_uid,
    }
    Alarm => AlarmIndex {}
    LicenseUsage => LicenseUsageIndex {
        company: CompanyUid = |row| row.organization_uid,
    }
    ProtectedWorkload => ProtectedWorkloadIndex {
        key: (Option<ServerUid>, OtherUid) = |row| row.uid().map(|uid| (row.backup_server_uid, uid)),
    }
    BackupAgent => BackupAgentIndex {
        uid: AgentUid = |row| row.instance_uid,
        key: (Option<ServerUid>, AgentUid) = |row| row.instance_uid.map(|agent| (row.backup_server_uid, agent)),
        server: ServerUid = |row| row.backup_server_uid,
    }
    Repository => RepositoryIndex {
        key: (ServerUid, RepositoryUid) = |row| [(row.backup_server_uid, row.instance_uid)],
        server: ServerUid = |row| [row.backup_server_uid],
    }
    Organization => OrganizationIndex {
        uid: CompanyUid = |row| [row.instance_uid],
    }
    EnterpriseManager => EnterpriseManagerIndex {
        uid: EnterpriseManagerUid = |row| [row.instance_uid],
        server: ServerUid = |row| row.servers.iter().flatten().filter_map(|server| server.named()).collect::<BTreeSet<_>>(),
    }
    Location => LocationIndex {
        uid: LocationUid = |row| [row.instance_uid],
        company: CompanyUid = |row| row.organization_uid,
    }
    ManagementAgent => ManagementAgentIndex {
        uid: ManagementAgentUid = |row| [row.instance_uid],
        company: CompanyUid = |row| row.organization_uid,
    }
    ConsoleAgent => ConsoleAgentIndex {
        uid: AgentUid = |row| [row.instance_uid],
        company: CompanyUid = |row| row.organization_uid,
    }
    ConsoleAgentJob => ConsoleAgentJobIndex {
        agent: AgentUid = |row| [row.backup_agent_uid],
        company: CompanyUid = |row| row.organization_uid,
    }
    ManagedServer => ManagedServerIndex {
        uid: ManagedServerUid = |row| [row.uid],
    }
    Session => SessionIndex {
        uid: SessionUid = |row| [row.uid],
        parent: SessionUid = |row| row.parent,
    }
    TaskSession => TaskSessionIndex {
        session: SessionUid = |row| [row.session],
    }
    BackupAgentJob => BackupAgentJobIndex {
        id: JobUid = |row| row.id,
        agent: AgentUid = |row| row.agent,
    }
}
