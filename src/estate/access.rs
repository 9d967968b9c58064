//! Which rows exist for a principal: the one place where grants meet rows.
//!
//! The rule is ours and is applied to every row, whatever an upstream did with a filter. A job is
//! its company's: the one it is assigned to (`mappedOrganizationUid`), else the one that owns its
//! server (`organizationUid`). A server and its repositories are the owner's, and so are agents
//! that no job keeps backups of. What belongs to a job (its machines, links, sessions) is whose the
//! job is; if its job is not known, it is nobody's. A list that is needed to decide and can't be
//! read is a failure, not a guess. `owners.rs` says of each type of row whose it is.

mod row_policy;

pub(super) use self::row_policy::jobs_of_workload;

use super::{
    Caller, Failure, Principal, View,
    console::Console,
    joins::link_servers::{Links, PlacedLink},
    principal::Named,
    snapshot::{Listed, Snapshot},
};
use crate::{
    uid::{CompanyUid, JobUid, ServerUid, UniqueJobUid},
    upstream::vspc::{backup_server::BackupServer, computer_backup::ComputerBackup, job::Job},
};
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
};

/// What a row must be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// It says itself whose it is.
    Nothing,
    /// It is whose its server is.
    Servers,
    /// It is whose its job is.
    Jobs,
    /// It is whose the jobs are that keep backups of it.
    Chains,
    /// The same, or else whose its server is.
    ChainsAndServers,
}

impl Needs {
    fn servers(self) -> bool {
        matches!(self, Self::Servers | Self::ChainsAndServers)
    }

    fn jobs(self) -> bool {
        self == Self::Jobs || self.chains()
    }

    fn chains(self) -> bool {
        matches!(self, Self::Chains | Self::ChainsAndServers)
    }
}

/// A row of a console that is somebody's.
pub(super) trait RowPolicy: Listed {
    /// What it takes to tell whose.
    const NEEDS: Needs;
    /// Whether it exists for somebody with these limits.
    fn is_within(&self, limits: &Limits) -> bool;
    /// The same where the rest of the list says whether the row's id is its own.
    fn is_within_among(&self, _list: &Snapshot<Self>, limits: &Limits) -> bool
    where
        Self: Sized,
    {
        self.is_within(limits)
    }
}

/// What a principal sees of one console.
#[derive(Clone, Debug)]
pub(super) enum AccessScope {
    /// All of it.
    All,
    /// What is within these limits.
    Within(Arc<Limits>),
}

/// A principal's grants, with the console's ids in place of names, and the lists that rows are held
/// against.
#[derive(Debug)]
pub(super) struct Limits {
    grants: Vec<Limit>,
    servers: Option<Arc<Snapshot<BackupServer>>>,
    jobs: Option<Arc<Snapshot<Job>>>,
    chains: Option<Arc<Snapshot<ComputerBackup>>>,
    /// Why these lists are not whole.
    problem: Option<Failure>,
}

/// One grant on one console.
#[derive(Debug)]
struct Limit {
    /// Its place among the principal's grants.
    place: usize,
    companies: Option<HashSet<CompanyUid>>,
    /// With the companies that own them.
    servers: Option<HashMap<ServerUid, Option<CompanyUid>>>,
}

impl Limit {
    fn covers(&self, company: Option<CompanyUid>, server: Option<ServerUid>) -> bool {
        self.companies
            .as_ref()
            .is_none_or(|companies| company.is_some_and(|company| companies.contains(&company)))
            && self
                .servers
                .as_ref()
                .is_none_or(|servers| server.is_some_and(|server| servers.contains_key(&server)))
    }

    /// A company is there for those who may see it, or else servers that it owns.
    fn covers_company(&self, company: CompanyUid) -> bool {
        match (&self.companies, &self.servers) {
            (Some(companies), _) => companies.contains(&company),
            (None, Some(servers)) => servers.values().any(|owner| *owner == Some(company)),
            (None, None) => true,
        }
    }
}

impl Limits {
    fn cover(&self, company: Option<CompanyUid>, server: Option<ServerUid>) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.covers(company, server))
    }

    /// What is a server's.
    fn cover_server(&self, server: Option<ServerUid>) -> bool {
        let listed = server.and_then(|server| {
            let servers = self.servers.as_ref()?;
            Some(servers.row(*servers.index().uid.of(&server).first()?))
        });
        listed.is_some_and(|server| server.is_within(self))
    }

    /// What is a job's, by the ids that a row has of it.
    fn cover_job(
        &self,
        server: Option<ServerUid>,
        job: JobUid,
        unique: Option<UniqueJobUid>,
    ) -> bool {
        self.jobs
            .as_ref()
            .and_then(|jobs| job_of(jobs, server, job, unique))
            .is_some_and(|job| job.is_within(self))
    }

    /// Whether a session exists that ran a job of this company on this server: by a grant that
    /// covers that, and also allows the Enterprise Manager that remembers the session.
    pub fn cover_session(
        &self,
        principal: &Principal,
        manager: &str,
        company: Option<CompanyUid>,
        server: ServerUid,
    ) -> bool {
        let allows = |limit: &Limit| {
            principal
                .grants
                .get(limit.place)
                .is_some_and(|grant| grant.allows_upstream(manager))
        };
        self.grants
            .iter()
            .any(|limit| allows(limit) && limit.covers(company, Some(server)))
    }

    /// Why the lists that the grants' names were looked up in are not whole.
    pub fn problem(&self) -> Option<&Failure> {
        self.problem.as_ref()
    }

    /// A link is there for those for whom both of its jobs are. A job that no list has is whose its
    /// server is.
    fn cover_link(&self, link: &PlacedLink) -> bool {
        let Some(server) = link.server else {
            return false;
        };
        [link.row.job_uid, link.row.linked_job_uid]
            .into_iter()
            .all(|job| {
                let listed = self
                    .jobs
                    .as_ref()
                    .and_then(|jobs| job_of(jobs, Some(server), job, None));
                listed.map_or_else(|| self.cover(None, Some(server)), |job| job.is_within(self))
            })
    }
}

/// The job with these ids: by the console's own id, else on its server, else where one job has the
/// id.
fn job_of(
    jobs: &Snapshot<Job>,
    server: Option<ServerUid>,
    job: JobUid,
    unique: Option<UniqueJobUid>,
) -> Option<&Job> {
    let index = jobs.index();
    let by_unique = unique.and_then(|unique| index.unique.only(&unique));
    let place = by_unique.or_else(|| match server {
        Some(server) => index.key.of(&(server, job)).first().copied(),
        None => index.uid.only(&job).filter(|_| jobs.problem().is_none()),
    });
    place.map(|place| jobs.row(place))
}

impl AccessScope {
    /// A list as this principal sees it.
    pub fn view<T: RowPolicy>(&self, snapshot: Arc<Snapshot<T>>) -> View<T> {
        match self {
            AccessScope::All => View::whole(snapshot),
            AccessScope::Within(limits) => {
                let (problem, limits) = (limits.problem.clone(), limits.clone());
                let list = snapshot.clone();
                View::part(
                    snapshot,
                    Arc::new(move |_, row| row.is_within_among(&list, &limits)),
                    problem,
                )
            }
        }
    }

    /// Whether a row exists for this principal.
    pub fn sees<T: RowPolicy>(&self, row: &T) -> bool {
        match self {
            AccessScope::All => true,
            AccessScope::Within(limits) => row.is_within(limits),
        }
    }

    /// Leaves the links that exist for this principal.
    pub fn keep_seen(&self, links: &mut Links) {
        if let AccessScope::Within(limits) = self {
            links.links.retain(|link| limits.cover_link(link));
            links.problem = links.problem.take().or_else(|| limits.problem.clone());
        }
    }
}

impl Console {
    /// What a caller sees of this console, ready for rows of this type.
    pub(super) async fn access_scope<T: RowPolicy>(
        &self,
        caller: &Caller,
    ) -> Result<AccessScope, Failure> {
        self.sight_for(caller, T::NEEDS).await
    }

    /// Whether a caller sees every row of this console.
    pub(super) fn is_all_seen(&self, caller: &Caller) -> bool {
        caller.principal.sees_all_of(self.name())
    }

    /// A list as a caller sees it.
    pub(super) async fn view<T: RowPolicy>(
        &self,
        caller: &Caller,
        snapshot: Arc<Snapshot<T>>,
    ) -> Result<View<T>, Failure> {
        Ok(self.access_scope::<T>(caller).await?.view(snapshot))
    }

    pub(super) async fn sight_for(
        &self,
        caller: &Caller,
        needs: Needs,
    ) -> Result<AccessScope, Failure> {
        if self.is_all_seen(caller) {
            return Ok(AccessScope::All);
        }
        Ok(AccessScope::Within(Arc::new(
            self.limits(caller, needs).await?,
        )))
    }

    /// A caller's grants on this console.
    pub(super) async fn limits(&self, caller: &Caller, needs: Needs) -> Result<Limits, Failure> {
        let principal = &caller.principal;
        let allowed = || {
            principal
                .grants
                .iter()
                .enumerate()
                .filter(|(_, grant)| grant.allows_upstream(self.name()))
        };
        let names_companies = allowed().any(|(_, grant)| {
            grant
                .companies
                .iter()
                .flatten()
                .any(|named| matches!(named, Named::Name(_)))
        });
        let limits_servers = allowed().any(|(_, grant)| grant.servers.is_some());
        let (companies, servers, jobs, chains) = tokio::join!(
            when(names_companies, self.organization_snapshot()),
            when(limits_servers || needs.servers(), self.server_snapshot()),
            when(needs.jobs(), self.job_snapshot()),
            when(needs.chains(), self.lists.computer_backups.all()),
        );
        let (companies, servers, jobs, chains) = (
            companies.transpose()?,
            servers.transpose()?,
            jobs.transpose()?,
            chains.transpose()?,
        );
        // names are only names of one while the list is whole
        let companies_by_name = companies
            .as_ref()
            .filter(|list| list.problem().is_none())
            .map(|list| {
                names(
                    list.rows()
                        .iter()
                        .map(|row| (row.name.as_str(), row.instance_uid)),
                )
            });
        let servers_by_name = servers
            .as_ref()
            .filter(|list| list.problem().is_none())
            .map(|list| {
                names(
                    list.rows()
                        .iter()
                        .map(|row| (row.name.as_str(), row.instance_uid)),
                )
            });
        let owner = |server: &ServerUid| {
            let list = servers.as_ref()?;
            list.row(*list.index().uid.of(server).first()?)
                .organization_uid
        };
        let grants = allowed()
            .map(|(place, grant)| Limit {
                place,
                companies: grant
                    .companies
                    .as_ref()
                    .map(|named| resolve(named, companies_by_name.as_ref()).collect()),
                servers: grant.servers.as_ref().map(|named| {
                    resolve(named, servers_by_name.as_ref())
                        .map(|server| (server, owner(&server)))
                        .collect()
                }),
            })
            .collect();
        let problem = [
            companies.as_ref().and_then(|list| list.problem()),
            servers.as_ref().and_then(|list| list.problem()),
            jobs.as_ref().and_then(|list| list.problem()),
            chains.as_ref().and_then(|list| list.problem()),
        ];
        let problem = problem.into_iter().flatten().next().cloned();
        Ok(Limits {
            grants,
            servers,
            jobs,
            chains,
            problem,
        })
    }
}

impl Console {
    /// The names in a principal's grants that are nobody's here, or of several.
    pub(super) async fn unknown_names(
        &self,
        principal: &Principal,
    ) -> Result<Vec<Box<str>>, Failure> {
        let grants = || {
            principal
                .grants
                .iter()
                .filter(|grant| grant.allows_upstream(self.name()))
        };
        let (companies, servers) =
            tokio::join!(self.organization_snapshot(), self.server_snapshot());
        let (companies, servers) = (companies?, servers?);
        let companies = names(
            companies
                .rows()
                .iter()
                .map(|row| (row.name.as_str(), row.instance_uid)),
        );
        let servers = names(
            servers
                .rows()
                .iter()
                .map(|row| (row.name.as_str(), row.instance_uid)),
        );
        let of_companies = grants()
            .flat_map(|grant| grant.companies.iter().flatten())
            .filter_map(|named| unknown(named, &companies));
        let of_servers = grants()
            .flat_map(|grant| grant.servers.iter().flatten())
            .filter_map(|named| unknown(named, &servers));
        Ok(of_companies.chain(of_servers).collect())
    }
}

fn unknown<U: Copy>(named: &Named<U>, by_name: &HashMap<String, Option<U>>) -> Option<Box<str>> {
    match named {
        Named::Name(name) if by_name.get(&**name).copied().flatten().is_none() => {
            Some(name.clone())
        }
        _ => None,
    }
}

async fn when<V>(wanted: bool, read: impl Future<Output = V>) -> Option<V> {
    if wanted { Some(read.await) } else { None }
}

/// Ids by name in lower case; a name of two is nobody's.
fn names<'a, U: Copy + 'a>(rows: impl Iterator<Item = (&'a str, U)>) -> HashMap<String, Option<U>> {
    let mut names = HashMap::new();
    for (name, uid) in rows {
        names
            .entry(name.trim().to_lowercase())
            .and_modify(|known| *known = None)
            .or_insert(Some(uid));
    }
    names
}

fn resolve<'a, U: Copy + Eq + Hash>(
    named: &'a [Named<U>],
    by_name: Option<&'a HashMap<String, Option<U>>>,
) -> impl Iterator<Item = U> + 'a {
    named.iter().filter_map(move |named| match named {
        Named::Uid(uid) => Some(*uid),
        Named::Name(name) => by_name?.get(&**name).copied().flatten(),
    })
}
