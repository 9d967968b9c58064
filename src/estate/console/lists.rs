//! A console's lists: one table with the row type of each, how long it is good for, and how it is
//! read.

use super::Console;
use crate::{
    estate::{
        Caller, Failure, Lifetimes, Status, View,
        background_refresh::Lists,
        credential_pool::Keeps,
        joins::link_servers::LinkLists,
        snapshot::{Listed, Snapshot},
        store::{Freshness, KeySource, KeyedList, PageSource, PagedList, Spec},
    },
    time::Clock,
    uid::{AgentUid, JobUid, ServerUid},
    upstream::{
        Error,
        pager::{Listing, Opened},
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
            linked_job::LinkFamily,
            linked_repository::LinkedRepository,
            location::Location,
            management_agent::ManagementAgent,
            organization::Organization,
            protected_workload::{ProtectedWorkload, WorkloadKind},
            repository::Repository,
        },
    },
};
use futures_util::{FutureExt, future::BoxFuture};
use serde::de::DeserializeOwned;
use std::{hash::Hash, sync::Arc, time::Duration};

/// The jobs of one server, or one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::estate) enum JobScope {
    Server(ServerUid),
    Job(JobUid),
}

/// Makes the lists, how each is opened, and what is kept fresh of one table, so that none of it can
/// be forgotten.
macro_rules! lists {
    ($open:ident; $($(#[$doc:meta])* $field:ident: $type:ty = $opened:expr;)*) => {
        /// Every list of a console.
        pub(in crate::estate) struct ConsoleLists {
            $($(#[$doc])* pub(in crate::estate) $field: $type,)*
        }

        impl ConsoleLists {
            /// Nothing is read yet.
            pub fn open(vspc: &Arc<Vspc>, status: &Arc<Status>, clock: Clock, ages: &Lifetimes) -> Self {
                let $open = Open { vspc, status, clock, ages };
                Self { $($field: $opened,)* }
            }

            /// What can be kept fresh.
            fn all(&self) -> Lists<'_> {
                vec![$(&self.$field),*]
            }
        }
    };
}

lists! {
    open;
    servers: KeyedList<ServerUid, BackupServer> = open.keyed(
        "Servers", open.ages.servers,
        |vspc| vspc.backup_servers(),
        |vspc, server: &ServerUid| async move { Ok(few(vspc.backup_server(*server).await?)) }.boxed(),
    );
    jobs: KeyedList<JobScope, Job> = open.keyed(
        "Jobs", open.ages.jobs,
        |vspc| vspc.jobs(),
        |vspc, scope: &JobScope| async move {
            match scope {
                JobScope::Server(server) => vspc.jobs_of_server(*server).read().await,
                JobScope::Job(job) => Ok(few(vspc.job(*job).await?)),
            }
        }.boxed(),
    );
    agent_jobs: KeyedList<ServerUid, AgentJob> = open.keyed(
        "AgentJobs", open.ages.jobs,
        |vspc| vspc.agent_jobs(),
        |vspc, server: &ServerUid| async move { vspc.agent_jobs_of_server(*server).read().await }.boxed(),
    );
    objects: KeyedList<JobUid, AgentJobObject> = open.keyed(
        "AgentObjects", open.ages.agent_objects,
        |vspc| vspc.agent_job_objects(),
        |vspc, job: &JobUid| async move { vspc.agent_job_objects_of_job(*job).read().await }.boxed(),
    );
    copy_jobs: KeyedList<JobScope, BackupCopyJob> = open.keyed(
        "CopyJobs", open.ages.copy_jobs,
        |vspc| vspc.backup_copy_jobs(),
        |vspc, scope: &JobScope| async move {
            match scope {
                JobScope::Server(server) => vspc.backup_copy_jobs_of_server(*server).read().await,
                JobScope::Job(job) => Ok(few(vspc.backup_copy_job(*job).await?)),
            }
        }.boxed(),
    );
    /// In the order of `DetailKind::ALL`.
    job_details: Vec<KeyedList<ServerUid, JobDetail>> = DetailKind::ALL.into_iter().map(|kind| open.keyed(
        "JobDetails", open.ages.copy_jobs,
        move |vspc| vspc.job_details(kind),
        move |vspc, server: &ServerUid| async move { vspc.job_details_of_server(kind, *server).read().await }.boxed(),
    )).collect();
    /// In the order of `DetailKind::WITH_OBJECTS`.
    job_objects: Vec<KeyedList<ServerUid, JobObject>> = DetailKind::WITH_OBJECTS.into_iter().map(|kind| open.keyed(
        "JobObjects", open.ages.agent_objects,
        move |vspc| vspc.job_objects(kind),
        move |vspc, server: &ServerUid| vspc.job_objects_of_server(kind, *server).boxed(),
    )).collect();
    /// In the order of `LinkFamily::ALL`.
    links: Vec<LinkLists> = LinkFamily::ALL.into_iter().zip(["TapeLinks", "CopyLinks", "SimpleCopyLinks"]).map(|(family, name)| open.keyed(
        name, open.ages.links,
        move |vspc| vspc.linked_jobs(family),
        move |vspc, scope: &JobScope| async move {
            match scope {
                JobScope::Server(server) => vspc.linked_jobs_of_server(family, *server).await,
                JobScope::Job(job) => vspc.linked_jobs_of_job(family, *job).read().await,
            }
        }.boxed(),
    )).map(LinkLists::new).collect();
    tape_repositories: PagedList<LinkedRepository> = open.full("TapeRepositories", open.ages.links, |vspc| vspc.tape_linked_repositories());
    computer_backups: PagedList<ComputerBackup> = open.full("ComputerBackups", open.ages.repositories, |vspc| vspc.computer_backups());
    agents: KeyedList<(ServerUid, AgentUid), BackupAgent> = open.keyed(
        "Agents", open.ages.servers,
        |vspc| vspc.backup_agents(),
        |vspc, (server, agent): &(ServerUid, AgentUid)| async move { Ok(few(vspc.backup_agent(*server, *agent).await?)) }.boxed(),
    );
    repositories: PagedList<Repository> = open.full("Repositories", open.ages.repositories, |vspc| vspc.repositories());
    organizations: PagedList<Organization> = open.full("Organizations", open.ages.companies, |vspc| vspc.organizations());
    managers: PagedList<EnterpriseManager> = PagedList::new(open.spec("Managers", open.ages.servers), Arc::new(Managers(open.vspc.clone())));
    locations: PagedList<Location> = open.full("Locations", open.ages.companies, |vspc| vspc.locations());
    management_agents: PagedList<ManagementAgent> = open.full("ManagementAgents", open.ages.servers, |vspc| vspc.management_agents());
    console_agents: PagedList<ConsoleAgent> = open.full("ConsoleAgents", open.ages.servers, |vspc| vspc.console_agents());
    console_agent_jobs: PagedList<ConsoleAgentJob> = open.full("ConsoleAgentJobs", open.ages.jobs, |vspc| vspc.console_agent_jobs());
    alarms: PagedList<Alarm> = open.full("Alarms", open.ages.alarms, |vspc| vspc.active_alarms());
    licenses: PagedList<LicenseUsage> = open.full("Licenses", open.ages.licenses, |vspc| vspc.license_usage());
    /// In the order of `WorkloadKind::ALL`.
    workloads: Vec<PagedList<ProtectedWorkload>> = WorkloadKind::ALL.into_iter().map(|kind| open.full(
        "Workloads", open.ages.workloads, move |vspc| vspc.protected_workloads(kind),
    )).collect();
}

/// What all lists are opened with.
struct Open<'o> {
    vspc: &'o Arc<Vspc>,
    status: &'o Arc<Status>,
    clock: Clock,
    ages: &'o Lifetimes,
}

impl Open<'_> {
    fn spec(&self, name: &'static str, lifetime: Duration) -> Arc<Spec> {
        let freshness = Freshness {
            lifetime,
            max_stale: self.ages.max_stale,
            failure: self.ages.failure,
        };
        Spec::new(name, self.status, self.clock, freshness)
    }

    /// A list that is read as a whole.
    fn full<T, L>(&self, name: &'static str, lifetime: Duration, list: L) -> PagedList<T>
    where
        T: Listed + DeserializeOwned,
        L: Fn(&Vspc) -> List<'_, T> + Send + Sync + 'static,
    {
        PagedList::new(
            self.spec(name, lifetime),
            Arc::new(Paged {
                vspc: self.vspc.clone(),
                list,
            }),
        )
    }

    /// A list that can also be read per key.
    fn keyed<K, T, L, O>(
        &self,
        name: &'static str,
        lifetime: Duration,
        list: L,
        of_key: O,
    ) -> KeyedList<K, T>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        T: Listed + DeserializeOwned,
        L: Fn(&Vspc) -> List<'_, T> + Send + Sync + 'static,
        O: for<'a> Fn(&'a Vspc, &'a K) -> BoxFuture<'a, Result<Listing<T>, Error>>
            + Send
            + Sync
            + 'static,
    {
        KeyedList::new(
            self.spec(name, lifetime),
            Arc::new(Keyed {
                paged: Paged {
                    vspc: self.vspc.clone(),
                    list,
                },
                of_key,
            }),
        )
    }
}

struct Paged<L> {
    vspc: Arc<Vspc>,
    list: L,
}

impl<T, L> PageSource<T> for Paged<L>
where
    T: Listed + DeserializeOwned,
    L: Fn(&Vspc) -> List<'_, T> + Send + Sync + 'static,
{
    fn open(&self) -> BoxFuture<'_, Result<Opened<T>, Error>> {
        let list = (self.list)(&self.vspc);
        async move { list.open().await }.boxed()
    }
    fn finish(&self, first: Opened<T>) -> BoxFuture<'_, Result<Listing<T>, Error>> {
        let list = (self.list)(&self.vspc);
        async move { first.finish(&list).await }.boxed()
    }
}

struct Keyed<L, O> {
    paged: Paged<L>,
    of_key: O,
}

impl<T, L, O> PageSource<T> for Keyed<L, O>
where
    T: Listed + DeserializeOwned,
    L: Fn(&Vspc) -> List<'_, T> + Send + Sync + 'static,
    O: Send + Sync + 'static,
{
    fn open(&self) -> BoxFuture<'_, Result<Opened<T>, Error>> {
        self.paged.open()
    }
    fn finish(&self, first: Opened<T>) -> BoxFuture<'_, Result<Listing<T>, Error>> {
        self.paged.finish(first)
    }
}

impl<K, T, L, O> KeySource<K, T> for Keyed<L, O>
where
    T: Listed + DeserializeOwned,
    L: Fn(&Vspc) -> List<'_, T> + Send + Sync + 'static,
    O: for<'a> Fn(&'a Vspc, &'a K) -> BoxFuture<'a, Result<Listing<T>, Error>>
        + Send
        + Sync
        + 'static,
{
    fn of_key<'a>(&'a self, key: &'a K) -> BoxFuture<'a, Result<Listing<T>, Error>> {
        (self.of_key)(&self.paged.vspc, key)
    }
}

/// Enterprise Managers with their servers: a few lists read as one, so all the reading happens in
/// `open`.
struct Managers(Arc<Vspc>);

impl PageSource<EnterpriseManager> for Managers {
    fn open(&self) -> BoxFuture<'_, Result<Opened<EnterpriseManager>, Error>> {
        async { Ok(Opened::already_read(self.0.enterprise_managers().await?)) }.boxed()
    }
    fn finish(
        &self,
        opened: Opened<EnterpriseManager>,
    ) -> BoxFuture<'_, Result<Listing<EnterpriseManager>, Error>> {
        async { Ok(opened.into_listing()) }.boxed()
    }
}

/// One row, or none.
fn few<T>(row: Option<T>) -> Listing<T> {
    Listing {
        rows: row.into_iter().collect(),
        problem: None,
        pages: 1,
    }
}

impl Console {
    /// What can be kept fresh.
    pub(in crate::estate) fn lists(&self) -> Lists<'_> {
        self.lists.all()
    }

    /// Every backup server.
    pub async fn servers(&self, caller: &Caller) -> Result<View<BackupServer>, Failure> {
        self.view(caller, self.lists.servers.all().await?).await
    }

    /// Every job.
    pub async fn jobs(&self, caller: &Caller) -> Result<View<Job>, Failure> {
        self.view(caller, self.lists.jobs.all().await?).await
    }

    /// Every machine in agent jobs.
    pub async fn objects(&self, caller: &Caller) -> Result<View<AgentJobObject>, Failure> {
        self.view(caller, self.lists.objects.all().await?).await
    }

    /// Every organization.
    pub async fn organizations(&self, caller: &Caller) -> Result<View<Organization>, Failure> {
        self.view(caller, self.lists.organizations.all().await?)
            .await
    }

    /// Every repository.
    pub async fn repositories(&self, caller: &Caller) -> Result<View<Repository>, Failure> {
        self.view(caller, self.lists.repositories.all().await?)
            .await
    }

    /// The licence usage of every organization.
    pub async fn licenses(&self, caller: &Caller) -> Result<View<LicenseUsage>, Failure> {
        self.view(caller, self.lists.licenses.all().await?).await
    }

    pub(in crate::estate) async fn server_snapshot(
        &self,
    ) -> Result<Arc<Snapshot<BackupServer>>, Failure> {
        self.lists.servers.all().await
    }

    pub(in crate::estate) async fn job_snapshot(&self) -> Result<Arc<Snapshot<Job>>, Failure> {
        self.lists.jobs.all().await
    }

    pub(in crate::estate) async fn organization_snapshot(
        &self,
    ) -> Result<Arc<Snapshot<Organization>>, Failure> {
        self.lists.organizations.all().await
    }
}

impl Keeps for Console {
    fn kept_rows(&self) -> u64 {
        self.lists().iter().map(|list| list.kept_rows()).sum()
    }
}
