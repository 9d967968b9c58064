//! Which repositories jobs write to.
//!
//! A job names its destination as text: the repository of that name on its own server. Agent jobs
//! are also known by the backup chains of their machines. Where neither leads to a repository, the
//! target is unknown, which is not 'none'.

use crate::estate::{
    Caller, Failure, RowRef, View,
    console::{Answers, Console, Rows},
};
use crate::{
    uid::{RepositoryUid, ServerUid},
    upstream::vspc::{computer_backup::ComputerBackup, job::Job, repository::Repository},
};
use std::collections::{HashMap, HashSet};

/// The lists that tell.
pub(crate) struct Targets {
    computer_backups: View<ComputerBackup>,
    repositories: View<Repository>,
}

/// What can be said of the repositories that a job writes to.
pub(crate) enum Target {
    Known(Vec<RepositoryUid>),
    Unknown,
}

impl Targets {
    /// Reads the lists.
    pub async fn read(console: &Console) -> Result<Self, Failure> {
        let (computer_backups, repositories) = tokio::join!(
            console.lists.computer_backups.all(),
            console.lists.repositories.all()
        );
        Ok(Self {
            computer_backups: View::whole(computer_backups?),
            repositories: View::whole(repositories?),
        })
    }

    /// Why the lists are not whole, if they aren't.
    pub fn problem(&self) -> Option<&Failure> {
        self.computer_backups
            .problem()
            .or(self.repositories.problem())
    }

    /// Whether the console lists this repository on this server.
    pub fn lists(&self, server: ServerUid, repository: RepositoryUid) -> bool {
        !self
            .repositories
            .index()
            .key
            .of(&(server, repository))
            .is_empty()
    }

    /// The repositories of one of these jobs.
    pub fn of(&self, job: &Job, jobs: &View<Job>) -> Target {
        let server = job.backup_server_uid;
        // a chain names its job by an id that may be on two servers, and in part of a list is there
        // once if so
        let is_whole = jobs.problem().is_none();
        let is_only =
            |uid| job.has_unique_id(uid) || (is_whole && jobs.index().uid.only(&uid).is_some());
        let chains = job.ids().filter(|uid| is_only(*uid)).flat_map(|uid| {
            let places = self.computer_backups.index().job.of(&uid);
            self.computer_backups.pick(places).collect::<Vec<_>>()
        });
        let mut repositories: Vec<_> = chains.filter_map(|chain| chain.repository_uid).collect();
        if let Some(name) = job.destination.as_deref() {
            let on_server = self
                .repositories
                .pick(self.repositories.index().server.of(&server));
            repositories.extend(
                on_server
                    .filter(|repository| repository.name.eq_ignore_ascii_case(name))
                    .map(|repository| repository.instance_uid),
            );
        }
        if repositories.is_empty() {
            Target::Unknown
        } else {
            Target::Known(repositories)
        }
    }
}

impl Console {
    /// The jobs that write to these repositories, as far as their lists tell.
    pub async fn jobs_of_repositories(
        &self,
        caller: &Caller,
        keys: &[(ServerUid, RepositoryUid)],
    ) -> Answers<(ServerUid, RepositoryUid), Rows<Job>> {
        let (jobs, seen, targets) =
            tokio::join!(self.job_snapshot(), self.jobs(caller), Targets::read(self));
        let (jobs, seen, targets) = match (jobs, seen, targets) {
            (Ok(jobs), Ok(seen), Ok(targets)) => (View::whole(jobs), seen, targets),
            (jobs, seen, targets) => {
                let failure = jobs.err().or(seen.err()).or(targets.err());
                return keys
                    .iter()
                    .filter_map(|key| Some((*key, Err(failure.clone()?))))
                    .collect();
            }
        };
        let problem = seen.problem().or(targets.problem()).cloned();
        let mut writers: HashMap<(ServerUid, RepositoryUid), Vec<RowRef<Job>>> =
            keys.iter().map(|key| (*key, Vec::new())).collect();
        let servers: HashSet<_> = keys.iter().map(|(server, _)| *server).collect();
        for server in servers {
            for job in seen.pick(seen.index().server.of(&server)) {
                let Target::Known(mut repositories) = targets.of(&job, &jobs) else {
                    continue;
                };
                repositories.sort();
                repositories.dedup();
                for repository in repositories {
                    if let Some(of_repository) = writers.get_mut(&(server, repository)) {
                        of_repository.push(job.clone());
                    }
                }
            }
        }
        writers
            .into_iter()
            .map(|(key, rows)| {
                (
                    key,
                    Ok(Rows {
                        rows,
                        problem: problem.clone(),
                    }),
                )
            })
            .collect()
    }
}
