//! Which of a console's reads is the wide one and which the narrow one, for each kind of list.

use crate::{
    estate::resource::Source,
    uid::{AgentUid, JobUid, ServerUid},
    upstream::{
        Error,
        pager::{Listing, Opened, Row},
        vspc::{
            List, Vspc,
            agent_job::AgentJob,
            agent_job_object::AgentJobObject,
            alarm::Alarm,
            backup_agent::BackupAgent,
            backup_copy_job::BackupCopyJob,
            backup_server::BackupServer,
            computer_backup::ComputerBackup,
            console_agent::ConsoleAgent,
            console_agent_job::ConsoleAgentJob,
            enterprise_manager::EnterpriseManager,
            job::Job,
            job_detail::{DetailKind, JobDetail},
            job_object::JobObject,
            license_usage::LicenseUsage,
            linked_job::{LinkFamily, LinkedJob},
            linked_repository::LinkedRepository,
            location::Location,
            organization::Organization,
            protected_workload::{ProtectedWorkload, WorkloadKind},
            repository::Repository,
        },
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;
use std::{convert::Infallible, sync::Arc};

/// The jobs of one server, or one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::estate) enum JobScope {
    Server(ServerUid),
    Job(JobUid),
}

/// A list as the pager opens and finishes it.
fn opened<'a, T: Row + DeserializeOwned>(list: List<'a, T>) -> BoxFuture<'a, Result<Opened<T>, Error>> {
    async move { list.open().await }.boxed()
}

fn finished<'a, T: Row + DeserializeOwned>(list: List<'a, T>, first: Opened<T>) -> BoxFuture<'a, Result<Listing<T>, Error>> {
    async move { first.finish(&list).await }.boxed()
}

fn whole<T>(rows: Vec<T>) -> Listing<T> {
    Listing { rows, problem: None, pages: 1 }
}

macro_rules! sources {
    ($($(#[$doc:meta])* $name:ident: $row:ty { wide: |$wide:ident| $list:expr, narrow: |$vspc:ident, $key:ident: $key_type:ty| $narrow:expr })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::estate) struct $name(pub Arc<Vspc>);

        impl Source<$key_type, $row> for $name {
            fn open(&self) -> BoxFuture<'_, Result<Opened<$row>, Error>> {
                let $wide = &self.0;
                opened($list)
            }
            fn finish(&self, first: Opened<$row>) -> BoxFuture<'_, Result<Listing<$row>, Error>> {
                let $wide = &self.0;
                finished($list, first)
            }
            fn narrow<'a>(&'a self, $key: &'a $key_type) -> BoxFuture<'a, Result<Listing<$row>, Error>> {
                let $vspc = &self.0;
                async move { $narrow }.boxed()
            }
        }
    )*};
}

sources! {
    Servers: BackupServer {
        wide: |vspc| vspc.backup_servers(),
        narrow: |vspc, key: ServerUid| Ok(whole(vspc.backup_server(*key).await?.into_iter().collect()))
    }
    Jobs: Job {
        wide: |vspc| vspc.jobs(),
        narrow: |vspc, scope: JobScope| match scope {
            JobScope::Server(server) => vspc.jobs_of_server(*server).read().await,
            JobScope::Job(job) => Ok(whole(vspc.job(*job).await?.into_iter().collect())),
        }
    }
    AgentJobs: AgentJob {
        wide: |vspc| vspc.agent_jobs(),
        narrow: |vspc, server: ServerUid| vspc.agent_jobs_of_server(*server).read().await
    }
    AgentObjects: AgentJobObject {
        wide: |vspc| vspc.agent_job_objects(),
        narrow: |vspc, job: JobUid| vspc.agent_job_objects_of_job(*job).read().await
    }
    CopyJobs: BackupCopyJob {
        wide: |vspc| vspc.backup_copy_jobs(),
        narrow: |vspc, scope: JobScope| match scope {
            JobScope::Server(server) => vspc.backup_copy_jobs_of_server(*server).read().await,
            JobScope::Job(job) => Ok(whole(vspc.backup_copy_job(*job).await?.into_iter().collect())),
        }
    }
    TapeRepositories: LinkedRepository {
        wide: |vspc| vspc.tape_linked_repositories(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    ComputerBackups: ComputerBackup {
        wide: |vspc| vspc.computer_backups(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    Agents: BackupAgent {
        wide: |vspc| vspc.backup_agents(),
        narrow: |vspc, key: (ServerUid, AgentUid)| Ok(whole(vspc.backup_agent(key.0, key.1).await?.into_iter().collect()))
    }
    Repositories: Repository {
        wide: |vspc| vspc.repositories(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    Alarms: Alarm {
        wide: |vspc| vspc.active_alarms(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    Licenses: LicenseUsage {
        wide: |vspc| vspc.license_usage(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    Locations: Location {
        wide: |vspc| vspc.locations(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    ConsoleAgents: ConsoleAgent {
        wide: |vspc| vspc.console_agents(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    ConsoleAgentJobs: ConsoleAgentJob {
        wide: |vspc| vspc.console_agent_jobs(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
    Organizations: Organization {
        wide: |vspc| vspc.organizations(),
        narrow: |_vspc, key: Infallible| match *key {}
    }
}

/// Which jobs those of one family read.
#[derive(Debug)]
pub(in crate::estate) struct JobLinks(pub Arc<Vspc>, pub LinkFamily);

impl Source<JobScope, LinkedJob> for JobLinks {
    fn open(&self) -> BoxFuture<'_, Result<Opened<LinkedJob>, Error>> {
        opened(self.0.linked_jobs(self.1))
    }
    fn finish(&self, first: Opened<LinkedJob>) -> BoxFuture<'_, Result<Listing<LinkedJob>, Error>> {
        finished(self.0.linked_jobs(self.1), first)
    }
    fn narrow<'a>(&'a self, scope: &'a JobScope) -> BoxFuture<'a, Result<Listing<LinkedJob>, Error>> {
        async move {
            match scope {
                JobScope::Server(server) => self.0.linked_jobs_of_server(self.1, *server).await,
                JobScope::Job(job) => self.0.linked_jobs_of_job(self.1, *job).read().await,
            }
        }
        .boxed()
    }
}

/// What only one kind of job has.
#[derive(Debug)]
pub(in crate::estate) struct JobDetails(pub Arc<Vspc>, pub DetailKind);

impl Source<ServerUid, JobDetail> for JobDetails {
    fn open(&self) -> BoxFuture<'_, Result<Opened<JobDetail>, Error>> {
        opened(self.0.job_details(self.1))
    }
    fn finish(&self, first: Opened<JobDetail>) -> BoxFuture<'_, Result<Listing<JobDetail>, Error>> {
        finished(self.0.job_details(self.1), first)
    }
    fn narrow<'a>(&'a self, server: &'a ServerUid) -> BoxFuture<'a, Result<Listing<JobDetail>, Error>> {
        async move { self.0.job_details_of_server(self.1, *server).read().await }.boxed()
    }
}

/// What jobs of one kind protect.
#[derive(Debug)]
pub(in crate::estate) struct JobObjects(pub Arc<Vspc>, pub DetailKind);

impl Source<ServerUid, JobObject> for JobObjects {
    fn open(&self) -> BoxFuture<'_, Result<Opened<JobObject>, Error>> {
        opened(self.0.job_objects(self.1))
    }
    fn finish(&self, first: Opened<JobObject>) -> BoxFuture<'_, Result<Listing<JobObject>, Error>> {
        finished(self.0.job_objects(self.1), first)
    }
    fn narrow<'a>(&'a self, server: &'a ServerUid) -> BoxFuture<'a, Result<Listing<JobObject>, Error>> {
        self.0.job_objects_of_server(self.1, *server).boxed()
    }
}

/// What is protected, of one kind.
#[derive(Debug)]
pub(in crate::estate) struct Workloads(pub Arc<Vspc>, pub WorkloadKind);

impl Source<Infallible, ProtectedWorkload> for Workloads {
    fn open(&self) -> BoxFuture<'_, Result<Opened<ProtectedWorkload>, Error>> {
        opened(self.0.protected_workloads(self.1))
    }
    fn finish(&self, first: Opened<ProtectedWorkload>) -> BoxFuture<'_, Result<Listing<ProtectedWorkload>, Error>> {
        finished(self.0.protected_workloads(self.1), first)
    }
    fn narrow<'a>(&'a self, key: &'a Infallible) -> BoxFuture<'a, Result<Listing<ProtectedWorkload>, Error>> {
        match *key {}
    }
}

/// Enterprise Managers with their servers: a few lists read as one, so all the reading happens in `open`.
#[derive(Debug)]
pub(in crate::estate) struct Managers(pub Arc<Vspc>);

impl Source<Infallible, EnterpriseManager> for Managers {
    fn open(&self) -> BoxFuture<'_, Result<Opened<EnterpriseManager>, Error>> {
        async { Ok(Opened::already_read(self.0.enterprise_managers().await?)) }.boxed()
    }
    fn finish(&self, opened: Opened<EnterpriseManager>) -> BoxFuture<'_, Result<Listing<EnterpriseManager>, Error>> {
        async { Ok(opened.into_listing()) }.boxed()
    }
    fn narrow<'a>(&'a self, key: &'a Infallible) -> BoxFuture<'a, Result<Listing<EnterpriseManager>, Error>> {
        match *key {}
    }
}
