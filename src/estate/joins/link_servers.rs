//! Which server a link is on.
//!
//! The fleet's list of links gives ids and no server, and job ids repeat over servers. A link is
//! placed by VSPC's own id of its tape job; else by the tape job's id, if only one job has it; else
//! by the linked job's id, if only one job has that (a tape job reads jobs of its own server). What
//! can't be placed so is never guessed: the servers in question are read one by one, and a row read
//! for a server is on it.

use crate::estate::{
    Failure, RowRef, View,
    background_refresh::{Due, ListStats, Refresh},
    console::{Answers, LinkResource, LinkScope},
    memo::Memo,
    snapshot::Snapshot,
};
use crate::{
    uid::{JobUid, ServerUid},
    upstream::{
        pager::Row,
        vspc::{job::Job, linked_job::LinkedJob},
    },
};
use futures_util::future::BoxFuture;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// A link and the server that it is on, where that is known.
#[derive(Clone, Debug)]
pub struct PlacedLink {
    /// The link.
    pub row: RowRef<LinkedJob>,
    /// Its server; `None` for a link both of whose jobs are unknown.
    pub server: Option<ServerUid>,
    /// Veeam Backup & Replication's ids of the job that reads and the one that is read, of links
    /// that were read with all jobs: the row may have the console's own.
    pub jobs: [Option<JobUid>; 2],
}

impl PlacedLink {
    fn new(row: RowRef<LinkedJob>, server: Option<ServerUid>) -> Self {
        Self {
            row,
            server,
            jobs: [None; 2],
        }
    }

    fn look_up(&mut self, jobs: &Snapshot<Job>) {
        let Some(server) = self.server else { return };
        self.jobs = [self.row.job_uid, self.row.linked_job_uid].map(|uid| {
            let place = jobs.index().key.of(&(server, uid)).first()?;
            Some(jobs.row(*place).instance_uid)
        });
    }
}

/// The links that answer a question, and why there may be more.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// The links.
    pub links: Vec<PlacedLink>,
    /// Why the list is not whole, if it isn't.
    pub problem: Option<Failure>,
}

/// The links of one family.
pub(crate) struct LinkLists {
    lists: LinkResource,
    placement: Memo<Placement>,
}

/// Where the rows of a fleet's list belong.
#[derive(Debug, Default)]
struct Placement {
    of_server: HashMap<ServerUid, Vec<u32>>,
    /// Servers that may have rows which the fleet's list does not place.
    doubtful: HashSet<ServerUid>,
    /// Rows none of whose jobs is known: any server may have them.
    orphans: Vec<u32>,
}

impl Placement {
    fn work_out(links: &Snapshot<LinkedJob>, jobs: &Snapshot<Job>) -> Self {
        let mut placement = Self::default();
        let index = jobs.index();
        // In part of a list an id that is there once may be there again: only the console's own ids
        // are sure then.
        let is_whole = jobs.problem().is_none();
        let server_of = |places: &[u32]| match places {
            [place] => Some(jobs.row(*place).backup_server_uid),
            _ => None,
        };
        for (place, link) in (0u32..).zip(links.rows()) {
            let by_unique = link
                .unique_job_uid
                .map_or(&[][..], |unique| index.unique.of(&unique));
            let (by_job, by_linked) = (
                index.uid.of(&link.job_uid),
                index.uid.of(&link.linked_job_uid),
            );
            let placed = server_of(by_unique);
            let placed = placed
                .or_else(|| server_of(by_job).filter(|_| is_whole))
                .or_else(|| {
                    // only where the tape job itself is unknown: one that is known twice is
                    // doubtful, whatever it reads
                    if by_job.is_empty() && is_whole {
                        server_of(by_linked)
                    } else {
                        None
                    }
                });
            match placed {
                Some(server) => placement.of_server.entry(server).or_default().push(place),
                None if by_job.is_empty() && by_linked.is_empty() => placement.orphans.push(place),
                None => {
                    let candidates = if by_job.is_empty() { by_linked } else { by_job };
                    placement.doubtful.extend(
                        candidates
                            .iter()
                            .map(|place| jobs.row(*place).backup_server_uid),
                    );
                }
            }
        }
        placement
    }

    fn is_sure_of(&self, server: ServerUid) -> bool {
        self.orphans.is_empty() && !self.doubtful.contains(&server)
    }
}

impl LinkLists {
    pub(in crate::estate) fn new(lists: LinkResource) -> Self {
        Self {
            lists,
            placement: Memo::default(),
        }
    }

    /// Begins the fleet's list, where nothing is known of it yet.
    pub async fn begin(&self) {
        self.lists.begin().await;
    }

    /// The links of one tape or copy job. While the fleet's list is not in hand, the job's own list
    /// is one call; it is sure to be this job's where the rows carry VSPC's own id.
    pub async fn of_job<F>(&self, job: &Job, jobs: impl FnOnce() -> F) -> Result<Links, Failure>
    where
        F: Future<Output = Result<Arc<Snapshot<Job>>, Failure>>,
    {
        if self.lists.in_hand().is_none() && job.unique_uid.is_some() {
            let scope = LinkScope::Job(job.path_uid());
            let snapshot = self
                .lists
                .each(vec![scope])
                .await
                .remove(&scope)
                .transpose()?;
            if let Some(snapshot) = snapshot.filter(|snapshot| {
                snapshot
                    .rows()
                    .iter()
                    .all(|row| row.unique_job_uid.is_some())
            }) {
                let mut links = whole(&snapshot, job.backup_server_uid);
                links
                    .links
                    .retain(|link| link.row.unique_job_uid == job.unique_uid);
                return Ok(links);
            }
        }
        let server = job.backup_server_uid;
        let mut links = self
            .of_servers(&[server], jobs)
            .await
            .remove(&server)
            .transpose()?
            .unwrap_or_default();
        links.links.retain(|link| job.has_id(link.row.job_uid));
        Ok(links)
    }

    /// The links of these servers.
    pub async fn of_servers<F>(
        &self,
        servers: &[ServerUid],
        jobs: impl FnOnce() -> F,
    ) -> Answers<ServerUid, Links>
    where
        F: Future<Output = Result<Arc<Snapshot<Job>>, Failure>>,
    {
        let scopes: Vec<_> = servers
            .iter()
            .map(|server| LinkScope::Server(*server))
            .collect();
        let mut read = self.lists.gather(&scopes).await;
        let mut answers = HashMap::with_capacity(servers.len());
        let mut unsure: Vec<ServerUid> = Vec::new();
        let mut placement = None;
        let mut jobs = Some(jobs);
        for server in servers {
            let Some(outcome) = read.remove(&LinkScope::Server(*server)) else {
                continue;
            };
            let snapshot = match outcome {
                Ok(snapshot) => snapshot,
                Err(failure) => {
                    answers.insert(*server, Err(failure));
                    continue;
                }
            };
            if snapshot.rows().is_empty() && snapshot.problem().is_none() {
                answers.insert(*server, Ok(Links::default()));
                continue;
            }
            let was_asked = snapshot
                .rows()
                .iter()
                .all(|row| row.asked_of == Some(*server));
            if was_asked {
                answers.insert(*server, Ok(whole(&snapshot, *server)));
                continue;
            }
            if placement.is_none()
                && let Some(jobs) = jobs.take()
            {
                // an id can only be told to be on one server by a list of all jobs
                placement = match jobs().await {
                    Ok(jobs) if jobs.problem().is_none() => {
                        Some(self.placement(&snapshot, &jobs).await)
                    }
                    _ => None,
                };
            }
            match &placement {
                Some(placement)
                    if placement.is_sure_of(*server) && snapshot.problem().is_none() =>
                {
                    let view = View::whole(snapshot);
                    let places = placement
                        .of_server
                        .get(server)
                        .map_or(&[][..], Vec::as_slice);
                    let links = view
                        .pick(places)
                        .map(|row| PlacedLink::new(row, Some(*server)))
                        .collect();
                    answers.insert(
                        *server,
                        Ok(Links {
                            links,
                            problem: None,
                        }),
                    );
                }
                _ => unsure.push(*server),
            }
        }
        answers.extend(self.one_by_one(unsure).await);
        answers
    }

    /// Every link of the fleet, and why some may be missing.
    pub async fn all<F>(&self, jobs: impl FnOnce() -> F) -> Result<Links, Failure>
    where
        F: Future<Output = Result<Arc<Snapshot<Job>>, Failure>>,
    {
        let snapshot = self.lists.all().await?;
        let jobs = jobs().await?;
        let placement = self.placement(&snapshot, &jobs).await;
        let view = View::whole(snapshot);
        let mut problem = view.problem().or(jobs.problem()).cloned();
        let mut links: Vec<PlacedLink> = Vec::new();
        for (server, places) in &placement.of_server {
            if !placement.doubtful.contains(server) {
                links.extend(
                    view.pick(places)
                        .map(|row| PlacedLink::new(row, Some(*server))),
                );
            }
        }
        let mut placed_elsewhere = HashSet::new();
        for answer in self
            .one_by_one(placement.doubtful.iter().copied().collect())
            .await
            .into_values()
        {
            match answer {
                Ok(placed) => {
                    problem = problem.or(placed.problem);
                    placed_elsewhere.extend(placed.links.iter().map(|link| link.row.identity()));
                    links.extend(placed.links);
                }
                Err(failure) => problem = problem.or(Some(failure)),
            }
        }
        // one that a server says is its own is not nobody's too
        let orphans = view
            .pick(&placement.orphans)
            .filter(|row| !placed_elsewhere.contains(&row.identity()));
        links.extend(orphans.map(|row| PlacedLink::new(row, None)));
        links.iter_mut().for_each(|link| link.look_up(&jobs));
        Ok(Links { links, problem })
    }

    async fn placement(
        &self,
        links: &Arc<Snapshot<LinkedJob>>,
        jobs: &Arc<Snapshot<Job>>,
    ) -> Arc<Placement> {
        let generations = vec![links.generation(), jobs.generation()];
        let (links, jobs) = (links.clone(), jobs.clone());
        self.placement
            .get(generations, move || Placement::work_out(&links, &jobs))
            .await
    }

    async fn one_by_one(&self, servers: Vec<ServerUid>) -> Answers<ServerUid, Links> {
        let scopes = servers
            .iter()
            .map(|server| LinkScope::Server(*server))
            .collect();
        let mut read = self.lists.each(scopes).await;
        let mut answers = HashMap::with_capacity(servers.len());
        for server in servers {
            if let Some(outcome) = read.remove(&LinkScope::Server(server)) {
                answers.insert(server, outcome.map(|snapshot| whole(&snapshot, server)));
            }
        }
        answers
    }
}

impl Refresh for LinkLists {
    fn due(&self, now: Instant) -> Vec<Due> {
        self.lists.due(now)
    }

    fn kept_rows(&self) -> u64 {
        self.lists.kept_rows()
    }

    fn stats(&self, now: Instant) -> Vec<ListStats> {
        self.lists.stats(now)
    }

    fn warm(&self) -> Vec<BoxFuture<'_, Result<(), Failure>>> {
        self.lists.warm()
    }
}

/// All rows of a list that was read for one server.
fn whole(snapshot: &Arc<Snapshot<LinkedJob>>, server: ServerUid) -> Links {
    let view = View::whole(snapshot.clone());
    let links = view
        .rows()
        .map(|row| PlacedLink::new(row, Some(server)))
        .collect();
    Links {
        links,
        problem: view.problem().cloned(),
    }
}
