//! One Service Provider Console: its lists, and the questions that they answer.

mod agents;
mod details;
mod in_hand;
mod infrastructure;
mod lists;
mod objects;
pub mod protection;
pub mod read_ahead;

use self::lists::{ConsoleLists, JobScope};
use super::{
    Caller, Failure, RowRef, ServerKey, Status, UpstreamConfig, UpstreamId, View,
    access::{AccessScope, Needs, RowPolicy},
    joins::link_servers::Links,
    snapshot::{Listed, Snapshot},
    store::KeyedList,
};
use crate::{
    time::Clock,
    uid::{AgentUid, CompanyUid, JobUid, ObjectUid, RepositoryUid, ServerUid, UniqueJobUid},
    upstream::vspc::{
        Vspc,
        agent_job_object::AgentJobObject,
        backup_agent::BackupAgent,
        backup_server::BackupServer,
        job::Job,
        linked_job::{LinkFamily, LinkedJob},
        organization::Organization,
        repository::Repository,
    },
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Rows that answer a question, and why there may be more of them than could be read.
pub struct Rows<T: Listed> {
    /// The rows.
    pub rows: Vec<RowRef<T>>,
    /// Why the list is not whole, if it isn't.
    pub problem: Option<Failure>,
}

impl<T: Listed> Clone for Rows<T> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            problem: self.problem.clone(),
        }
    }
}

impl<T: Listed> Default for Rows<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            problem: None,
        }
    }
}

/// Answers by key. A failure is an answer.
pub type Answers<K, V> = HashMap<K, Result<V, Failure>>;

/// One Service Provider Console.
pub struct Console {
    vspc: Arc<Vspc>,
    status: Arc<Status>,
    /// Whether callers bring the credentials.
    is_of_callers: bool,
    pub(super) lists: ConsoleLists,
}

impl Console {
    pub(super) fn open(
        opening: &UpstreamConfig,
        status: Arc<Status>,
        clock: Clock,
    ) -> Result<Self, String> {
        let vspc = Arc::new(Vspc::new(&opening.settings)?);
        let lists = ConsoleLists::open(&vspc, &status, clock, &opening.lifetimes);
        Ok(Self {
            lists,
            is_of_callers: opening.is_of_callers(),
            vspc,
            status,
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.status.name
    }

    /// Its place in the configuration.
    pub fn id(&self) -> UpstreamId {
        self.status.id
    }

    pub(super) async fn probe(&self) {
        let answer = if self.is_of_callers {
            self.vspc.reach().await.map(|()| None)
        } else {
            self.vspc.version().await
        };
        self.status.probed(answer);
    }

    // --- answers by key

    /// The servers with these ids.
    pub async fn servers_by_uid(
        &self,
        caller: &Caller,
        servers: &[ServerUid],
    ) -> Answers<ServerUid, Option<RowRef<BackupServer>>> {
        let read = self
            .lists
            .servers
            .seek(servers, self.is_all_seen(caller))
            .await;
        answer(
            read,
            self.access_scope::<BackupServer>(caller).await,
            |view, server| one(view, view.index().uid.of(server)),
        )
    }

    /// The jobs of these servers.
    pub async fn jobs_of_servers(
        &self,
        caller: &Caller,
        servers: &[ServerUid],
    ) -> Answers<ServerUid, Rows<Job>> {
        let scopes: Vec<_> = servers
            .iter()
            .map(|server| JobScope::Server(*server))
            .collect();
        let mut read = self.lists.jobs.gather(&scopes).await;
        let by_server = servers
            .iter()
            .filter_map(|server| Some((*server, read.remove(&JobScope::Server(*server))?)))
            .collect();
        answer(
            by_server,
            self.access_scope::<Job>(caller).await,
            |view, server| Ok(many(view, view.index().server.of(server))),
        )
    }

    /// The jobs with these ids, each on its own server.
    pub async fn jobs_by_key(
        &self,
        caller: &Caller,
        keys: &[(ServerUid, JobUid)],
    ) -> Answers<(ServerUid, JobUid), Option<RowRef<Job>>> {
        let scopes: Vec<_> = keys
            .iter()
            .map(|(_, job)| JobScope::Job(*job))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let read = self
            .lists
            .jobs
            .seek(&scopes, self.is_all_seen(caller))
            .await;
        let mut by_key: HashMap<_, _> = keys
            .iter()
            .filter_map(|key| Some((*key, read.get(&JobScope::Job(key.1))?.clone())))
            .collect();
        // `/jobs/{jobUid}` gives one of the jobs with that id, and knows some jobs by another id.
        // Where it gives another server's job, or none, the list decides.
        let is_elsewhere = |key: &(ServerUid, JobUid), snapshot: &Snapshot<Job>| {
            snapshot.index().key.of(key).is_empty()
        };
        let unsettled: Vec<_> = by_key
            .iter()
            .filter(|(key, outcome)| {
                outcome
                    .as_ref()
                    .is_ok_and(|snapshot| is_elsewhere(key, snapshot))
            })
            .map(|(key, _)| *key)
            .collect();
        if !unsettled.is_empty() {
            let all = self.lists.jobs.all().await;
            by_key.extend(unsettled.into_iter().map(|key| (key, all.clone())));
        }
        answer(
            by_key,
            self.access_scope::<Job>(caller).await,
            |view, key| one(view, view.index().key.of(key)),
        )
    }

    /// The organizations with these ids.
    pub async fn companies_by_uid(
        &self,
        caller: &Caller,
        companies: &[CompanyUid],
    ) -> Answers<CompanyUid, Option<RowRef<Organization>>> {
        let all = self.lists.organizations.all().await;
        answer(
            companies
                .iter()
                .map(|company| (*company, all.clone()))
                .collect(),
            self.access_scope::<Organization>(caller).await,
            |view, company| one(view, view.index().uid.of(company)),
        )
    }

    /// The agents with these ids, each on its own server.
    pub async fn agents_by_key(
        &self,
        caller: &Caller,
        keys: &[(ServerUid, AgentUid)],
    ) -> Answers<(ServerUid, AgentUid), Option<RowRef<BackupAgent>>> {
        let read = self.lists.agents.seek(keys, self.is_all_seen(caller)).await;
        answer(
            read,
            self.access_scope::<BackupAgent>(caller).await,
            |view, (server, agent)| {
                let is_its = |row: &RowRef<BackupAgent>| {
                    row.backup_server_uid.is_none_or(|of_row| of_row == *server)
                };
                the_only(
                    view.pick(view.index().uid.of(agent)).filter(is_its),
                    view.problem(),
                )
            },
        )
    }

    /// The repositories with these ids, each on its own server.
    pub async fn repositories_by_key(
        &self,
        caller: &Caller,
        keys: &[(ServerUid, RepositoryUid)],
    ) -> Answers<(ServerUid, RepositoryUid), Option<RowRef<Repository>>> {
        let all = self.lists.repositories.all().await;
        answer(
            keys.iter().map(|key| (*key, all.clone())).collect(),
            self.access_scope::<Repository>(caller).await,
            |view, key| one(view, view.index().key.of(key)),
        )
    }

    /// The repositories of one server.
    pub async fn repositories_of_server(
        &self,
        caller: &Caller,
        server: ServerUid,
    ) -> Result<Rows<Repository>, Failure> {
        let view = self.repositories(caller).await?;
        Ok(many(&view, view.index().server.of(&server)))
    }

    /// The jobs of one company.
    pub async fn jobs_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<Job>, Failure> {
        let view = self.jobs(caller).await?;
        Ok(many(&view, view.index().company.of(&company)))
    }

    /// The servers that one company owns.
    pub async fn servers_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<BackupServer>, Failure> {
        let view = self.servers(caller).await?;
        Ok(many(&view, view.index().company.of(&company)))
    }

    /// The one job with these ids, for rows that name no server; none where several have them.
    pub async fn only_job(
        &self,
        caller: &Caller,
        job: JobUid,
        unique: Option<UniqueJobUid>,
    ) -> Result<Option<RowRef<Job>>, Failure> {
        let view = self.jobs(caller).await?;
        let by_unique = unique.map_or(&[][..], |unique| view.index().unique.of(&unique));
        match if by_unique.is_empty() {
            view.index().uid.of(&job)
        } else {
            by_unique
        } {
            // part of a list can't tell that there is no other
            [_] if by_unique.is_empty() && view.problem().is_some() => one(&view, &[]),
            [place] => one(&view, &[*place]),
            [] => one(&view, &[]),
            _ => Ok(None),
        }
    }

    /// One machine of an agent job.
    pub async fn object(
        &self,
        caller: &Caller,
        server: Option<ServerUid>,
        job: JobUid,
        object: ObjectUid,
    ) -> Result<Option<RowRef<AgentJobObject>>, Failure> {
        let read = self
            .lists
            .objects
            .seek(&[job], self.is_all_seen(caller))
            .await
            .remove(&job);
        let Some(snapshot) = read.transpose()? else {
            return Ok(None);
        };
        let view = self.view(caller, snapshot).await?;
        let is_it =
            |row: &RowRef<AgentJobObject>| row.job_uid == job && row.backup_server_uid == server;
        the_only(
            view.pick(view.index().uid.of(&object)).filter(is_it),
            view.problem(),
        )
    }

    /// The links of these servers.
    pub async fn links_of_servers(
        &self,
        caller: &Caller,
        family: LinkFamily,
        servers: &[ServerUid],
    ) -> Answers<ServerUid, Links> {
        let mut answers = self.every_link_of_servers(family, servers).await;
        match self.sight_for(caller, Needs::Jobs).await {
            Ok(access_scope) => answers
                .values_mut()
                .flatten()
                .for_each(|links| access_scope.keep_seen(links)),
            Err(failure) => answers
                .values_mut()
                .for_each(|answer| *answer = Err(failure.clone())),
        }
        answers
    }

    pub(super) async fn every_link_of_servers(
        &self,
        family: LinkFamily,
        servers: &[ServerUid],
    ) -> Answers<ServerUid, Links> {
        self.lists.links[family as usize]
            .of_servers(servers, || self.lists.jobs.all())
            .await
    }

    /// The links of one tape or copy job.
    pub async fn links_of_job(
        &self,
        caller: &Caller,
        family: LinkFamily,
        job: &Job,
    ) -> Result<Links, Failure> {
        let mut links = self.lists.links[family as usize]
            .of_job(job, || self.lists.jobs.all())
            .await?;
        self.sight_for(caller, Needs::Jobs)
            .await?
            .keep_seen(&mut links);
        Ok(links)
    }

    /// Every link, placed on its server where that can be told.
    pub async fn all_links(&self, caller: &Caller, family: LinkFamily) -> Result<Links, Failure> {
        let mut links = self.lists.links[family as usize]
            .all(|| self.lists.jobs.all())
            .await?;
        self.sight_for(caller, Needs::Jobs)
            .await?
            .keep_seen(&mut links);
        Ok(links)
    }

    /// The key of a server of this console.
    pub fn server_key(&self, server: ServerUid) -> ServerKey {
        ServerKey {
            upstream: self.id(),
            server,
        }
    }
}

/// Turns readings by key into answers by key, as the caller may see them.
fn answer<K, T, V>(
    read: HashMap<K, Result<Arc<Snapshot<T>>, Failure>>,
    access_scope: Result<AccessScope, Failure>,
    look: impl Fn(&View<T>, &K) -> Result<V, Failure>,
) -> Answers<K, V>
where
    K: std::hash::Hash + Eq,
    T: RowPolicy,
{
    let see = |snapshot| {
        access_scope
            .as_ref()
            .map(|access_scope| access_scope.view(snapshot))
            .map_err(Clone::clone)
    };
    read.into_iter()
        .map(|(key, outcome)| {
            let answer = outcome.and_then(see).and_then(|view| look(&view, &key));
            (key, answer)
        })
        .collect()
}

/// The row at these places. Not found in half a list is not the same as not there.
pub(super) fn one<T: Listed>(view: &View<T>, places: &[u32]) -> Result<Option<RowRef<T>>, Failure> {
    the_only(view.pick(places), view.problem())
}

/// The one row that there is of these; an id that rows share is nobody's, and leads to none of
/// them.
pub(super) fn the_only<T: Listed>(
    mut rows: impl Iterator<Item = RowRef<T>>,
    problem: Option<&Failure>,
) -> Result<Option<RowRef<T>>, Failure> {
    match (rows.next(), rows.next(), problem) {
        (None, _, Some(problem)) => Err(problem.clone()),
        (Some(row), Some(_), _) => Err(row.is_ambiguous()),
        (found, _, _) => Ok(found),
    }
}

/// The rows at these places.
pub(super) fn many<T: Listed>(view: &View<T>, places: &[u32]) -> Rows<T> {
    Rows {
        rows: view.pick(places).collect(),
        problem: view.problem().cloned(),
    }
}

/// A link list's row type, for `links`.
pub(super) type LinkResource = KeyedList<JobScope, LinkedJob>;

pub(super) use self::lists::JobScope as LinkScope;
