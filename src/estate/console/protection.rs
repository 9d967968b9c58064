//! What a console knows to be protected: machines, each once.

use super::{Console, Failure, Rows, many, one};
use crate::{
    estate::{Caller, RowRef, UpstreamId, View, access::jobs_of_workload, company_of},
    uid::{AlarmUid, CompanyUid, JobUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::{
        Error, ErrorKind,
        vspc::{
            alarm::Alarm,
            backup_server::BackupServer,
            job::Job,
            license_usage::LicenseUsage,
            linked_repository::LinkedRepository,
            protected_workload::{ProtectedWorkload, WorkloadKind},
            repository::Repository,
        },
    },
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A machine's id within its console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadKey {
    /// Its console.
    pub upstream: UpstreamId,
    /// What it is.
    pub kind: WorkloadKind,
    /// The backup server that protects it; none where the console does.
    pub server: Option<ServerUid>,
    /// The machine.
    pub uid: OtherUid,
}

/// A machine, by the row with its newest restore point.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its id.
    pub key: WorkloadKey,
    /// The row; of several with the same restore point the first in the list.
    pub row: RowRef<ProtectedWorkload>,
    /// Why the machine may have a row with a newer restore point: one without an id may be this
    /// machine's. Then the restore point of `row` is only the least that there is. A row that could
    /// not be read at all says nothing of any one machine: it makes the list incomplete.
    pub doubt: Option<Failure>,
    /// Whose it is: its jobs' company, else the row's; or why that can't be told.
    pub company: Result<Option<CompanyUid>, Failure>,
}

/// An alarm with whose it is.
#[derive(Clone, Debug)]
pub struct PlacedAlarm {
    /// The row.
    pub row: RowRef<Alarm>,
    /// The job that it is about; or why that can't be told.
    pub job: Result<Option<RowRef<Job>>, Failure>,
    /// Whose it is: its job's company, else the row's; or why that can't be told.
    pub company: Result<Option<CompanyUid>, Failure>,
    /// The backup server that it is about, or on which its job is; or why that can't be told.
    pub server: Result<Option<ServerUid>, Failure>,
}

/// Rows of one console with whose they are, and what could not be read.
pub struct Placed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Why there may be more, or others.
    pub problems: Vec<Failure>,
    by_company: HashMap<CompanyUid, Vec<usize>>,
}

impl<T> Default for Placed<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            problems: Vec::new(),
            by_company: HashMap::new(),
        }
    }
}

impl<T: Clone> Placed<T> {
    fn new(
        rows: Vec<T>,
        problems: Vec<Failure>,
        company: impl Fn(&T) -> &Result<Option<CompanyUid>, Failure>,
    ) -> Self {
        let mut by_company: HashMap<CompanyUid, Vec<usize>> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            if let Ok(Some(company)) = company(row) {
                by_company.entry(*company).or_default().push(place);
            }
        }
        Self {
            rows,
            problems,
            by_company,
        }
    }

    /// One company's rows.
    pub fn of_company(&self, company: CompanyUid) -> Vec<T> {
        self.by_company
            .get(&company)
            .into_iter()
            .flatten()
            .map(|place| self.rows[*place].clone())
            .collect()
    }
}

/// The row of a machine with its newest restore point, while its rows are gone through.
struct Newest {
    row: RowRef<ProtectedWorkload>,
    /// Whose the jobs of that row are, and of all others with the same restore point: whose machine
    /// it is does not depend on which of them comes first.
    companies: HashSet<Option<CompanyUid>>,
    doubt: Option<Failure>,
}

impl Newest {
    fn add(
        &mut self,
        row: &RowRef<ProtectedWorkload>,
        companies: &Option<HashSet<Option<CompanyUid>>>,
    ) {
        let made = |row: &ProtectedWorkload| row.latest_restore_point_date;
        let companies = companies.iter().flatten().copied();
        match made(row).cmp(&made(&self.row)) {
            Ordering::Less => {}
            Ordering::Equal => self.companies.extend(companies),
            Ordering::Greater => {
                self.companies = companies.collect();
                self.row = row.clone();
            }
        }
    }
}

/// The rows of a list that have no id. Each is of some machine, which may have others.
struct Nameless {
    rows: Vec<RowRef<ProtectedWorkload>>,
    failure: Option<Failure>,
}

impl Nameless {
    fn of(upstream: &Arc<str>, view: &View<ProtectedWorkload>) -> Self {
        let rows: Vec<_> = view.rows().filter(|row| row.uid().is_none()).collect();
        let failure = (!rows.is_empty()).then(|| {
            let why = format!(
                "protected machines without an id are left out: {}",
                rows.len()
            );
            Failure::new(Error::new(upstream, ErrorKind::Invalid, why))
        });
        Self { rows, failure }
    }

    /// Why a machine of which this is a row may have one of these too: nothing that both say
    /// differs.
    fn doubt(&self, of: &ProtectedWorkload) -> Option<Failure> {
        fn fits<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_none_or(|(one, other)| one == other)
        }
        let name = |row: &ProtectedWorkload| {
            Some(row.name.trim().to_lowercase()).filter(|name| !name.is_empty())
        };
        let may_be_its = |row: &RowRef<ProtectedWorkload>| {
            fits(
                row.backup_server_uid.as_ref(),
                of.backup_server_uid.as_ref(),
            ) && fits(row.organization_uid.as_ref(), of.organization_uid.as_ref())
                && fits(name(row).as_ref(), name(of).as_ref())
        };
        self.failure
            .clone()
            .filter(|_| self.rows.iter().any(may_be_its))
    }
}

impl Console {
    /// Every triggered alarm, and what could not be read.
    pub fn alarms<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Placed<PlacedAlarm>> {
        async move {
            let alarms = async { self.view(caller, self.lists.alarms.all().await?).await };
            let (alarms, jobs) = tokio::join!(alarms, self.jobs(caller));
            let mut problems = Vec::new();
            let jobs = jobs.map_err(|failure| problems.push(failure)).ok();
            problems.extend(jobs.iter().filter_map(|jobs| jobs.problem().cloned()));
            let unread = problems.first().cloned();
            let alarms = match alarms {
                Ok(alarms) => alarms,
                Err(failure) => {
                    return Placed {
                        problems: vec![failure],
                        ..Placed::default()
                    };
                }
            };
            problems.extend(alarms.problem().cloned());
            let place = |row: RowRef<Alarm>| {
                // a job is named by the console's own id, or else by one that it may share
                let job_of = |uid: OtherUid| {
                    let jobs = jobs.as_ref()?;
                    let index = jobs.index();
                    // in part of a list an id that is there once may be there again
                    let by_shared = || {
                        index
                            .uid
                            .only(&JobUid(uid.0))
                            .filter(|_| jobs.problem().is_none())
                    };
                    jobs.pick(&[index.unique.only(&UniqueJobUid(uid.0)).or_else(by_shared)?])
                        .next()
                };
                let of_job = row.about("BackupServerJob");
                let job = match (of_job.and_then(job_of), &unread) {
                    (None, Some(failure)) if of_job.is_some() => Err(failure.clone()),
                    (job, _) => Ok(job),
                };
                let of_row = row
                    .object
                    .as_ref()
                    .and_then(|object| object.organization_uid);
                let server = row.about("BackupServer").map(|server| ServerUid(server.0));
                let company = job
                    .clone()
                    .map(|job| job.and_then(|job| company_of(&job)).or(of_row));
                let server = job
                    .clone()
                    .map(|job| server.or(job.map(|job| job.backup_server_uid)));
                PlacedAlarm {
                    company,
                    server,
                    job,
                    row,
                }
            };
            Placed::new(alarms.rows().map(place).collect(), problems, |alarm| {
                &alarm.company
            })
        }
        .boxed()
    }

    /// Every protected machine once, and what could not be read.
    pub fn workloads<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Placed<Workload>> {
        async move {
            let reads = self
                .lists
                .workloads
                .iter()
                .map(async |list| match list.all().await {
                    Ok(snapshot) => self.view(caller, snapshot).await,
                    Err(failure) => Err(failure),
                });
            let (views, jobs, chains) = tokio::join!(
                join_all(reads),
                self.lists.jobs.all(),
                self.lists.computer_backups.all()
            );
            let mut problems = Vec::new();
            let jobs = jobs.map_err(|failure| problems.push(failure)).ok();
            let chains = chains.map_err(|failure| problems.push(failure)).ok();
            let partly = [
                jobs.as_ref().and_then(|jobs| jobs.problem()),
                chains.as_ref().and_then(|chains| chains.problem()),
            ];
            problems.extend(partly.into_iter().flatten().cloned());
            let unread = problems.first().cloned();
            // an id may be of hardware that machines of two companies share: their rows are two
            // machines
            let mut newest: HashMap<(WorkloadKey, Option<CompanyUid>), Newest> = HashMap::new();
            for (kind, view) in WorkloadKind::ALL.into_iter().zip(views) {
                let view = match view {
                    Ok(view) => view,
                    Err(failure) => {
                        problems.push(failure);
                        continue;
                    }
                };
                problems.extend(view.problem().cloned());
                let nameless = Nameless::of(self.name(), &view);
                problems.extend(nameless.failure.clone());
                for row in view.rows() {
                    let Some(uid) = row.uid() else { continue };
                    let key = WorkloadKey {
                        upstream: self.id(),
                        kind,
                        server: row.backup_server_uid,
                        uid,
                    };
                    let protecting = jobs.as_ref().zip(chains.as_ref()).map(|(jobs, chains)| {
                        jobs_of_workload(&row, jobs, chains)
                            .map(|place| company_of(jobs.row(place)))
                            .collect::<HashSet<_>>()
                    });
                    let doubt = nameless.doubt(&row);
                    newest
                        .entry((key, row.organization_uid))
                        .and_modify(|known| known.add(&row, &protecting))
                        .or_insert_with(|| Newest {
                            row,
                            companies: protecting.unwrap_or_default(),
                            doubt,
                        });
                }
            }
            let workload = |((key, company), newest): ((WorkloadKey, _), Newest)| {
                // jobs of two companies do not tell whose it is
                let of_jobs = Some(newest.companies)
                    .filter(|companies| companies.len() == 1)
                    .into_iter()
                    .flatten()
                    .next()
                    .flatten();
                let company = match &unread {
                    Some(failure) if key.kind != WorkloadKind::ComputerOfConsole => {
                        Err(failure.clone())
                    }
                    _ => Ok(of_jobs.or(company)),
                };
                Workload {
                    key,
                    row: newest.row,
                    doubt: newest.doubt,
                    company,
                }
            };
            let workloads = newest.into_iter().map(workload).collect();
            Placed::new(workloads, problems, |workload| &workload.company)
        }
        .boxed()
    }

    /// One protected machine.
    pub async fn workload(
        &self,
        caller: &Caller,
        key: WorkloadKey,
    ) -> Result<Option<Workload>, Failure> {
        let Placed {
            rows, mut problems, ..
        } = self.workloads(caller).await;
        let mut found = rows.into_iter().filter(|workload| workload.key == key);
        match (found.next(), found.next(), problems.pop()) {
            (None, _, Some(problem)) => Err(problem),
            (Some(workload), Some(_), _) => Err(workload.row.is_ambiguous()),
            (found, _, _) => Ok(found),
        }
    }

    /// The licence usage of one organization.
    pub async fn license_of(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Option<RowRef<LicenseUsage>>, Failure> {
        let view = self.licenses(caller).await?;
        one(&view, view.index().company.of(&company))
    }

    /// The repositories on the servers that one company owns.
    pub async fn repositories_of_company(
        &self,
        caller: &Caller,
        company: CompanyUid,
    ) -> Result<Rows<Repository>, Failure> {
        let (servers, repositories) = tokio::join!(
            self.servers_of_company(caller, company),
            self.repositories(caller)
        );
        let (servers, view) = (servers?, repositories?);
        let of_server = |server: &RowRef<BackupServer>| {
            many(&view, view.index().server.of(&server.instance_uid)).rows
        };
        Ok(Rows {
            rows: servers.rows.iter().flat_map(of_server).collect(),
            problem: servers.problem.or(view.problem().cloned()),
        })
    }

    /// One triggered alarm.
    pub async fn alarm(
        &self,
        caller: &Caller,
        alarm: AlarmUid,
    ) -> Result<Option<PlacedAlarm>, Failure> {
        let Placed {
            rows, mut problems, ..
        } = self.alarms(caller).await;
        let mut found = rows
            .into_iter()
            .filter(|placed| placed.row.instance_uid == alarm);
        match (found.next(), found.next(), problems.pop()) {
            (None, _, Some(problem)) => Err(problem),
            (Some(placed), Some(_), _) => Err(placed.row.is_ambiguous()),
            (found, _, _) => Ok(found),
        }
    }

    /// The jobs that protect a machine, as far as they exist for a caller.
    pub async fn jobs_of_workload(
        &self,
        caller: &Caller,
        row: &ProtectedWorkload,
    ) -> Result<Rows<Job>, Failure> {
        let (jobs, chains) = tokio::join!(self.lists.jobs.all(), self.lists.computer_backups.all());
        let (jobs, chains) = (jobs?, chains?);
        let view = self.view(caller, jobs.clone()).await?;
        let places: Vec<u32> = jobs_of_workload(row, &jobs, &chains).collect();
        Ok(Rows {
            rows: view.pick(&places).collect(),
            problem: view.problem().or(chains.problem()).cloned(),
        })
    }

    /// The repositories that a tape job writes to tape as a whole, as far as the console lists
    /// them.
    pub fn repositories_of_tape_job<'a>(
        &'a self,
        caller: &'a Caller,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Rows<Repository>, Failure>> {
        async move {
            let (links, jobs, view) = tokio::join!(self.lists.tape_repositories.all(), self.job_snapshot(), self.repositories(caller));
            let (links, jobs, view) = (links?, jobs?, view?);
            // in part of a list an id that is there once may be there again
            let is_only = |uid| jobs.problem().is_none() && jobs.index().uid.only(&uid).is_some();
            let is_its = |unique, uid| match unique {
                Some(unique) => job.unique_uid == Some(unique),
                // an id that another server's tape job has too tells nothing
                None => job.has_unique_id(uid) || (job.has_id(uid) && is_only(uid)),
            };
            let read = links.rows().iter().filter(|link| is_its(link.unique_job_uid, link.job_uid));
            let is_unclear = |link: &&LinkedRepository| link.unique_job_uid.is_none() && link.job_uid == job.instance_uid;
            let unclear = links.rows().iter().find(is_unclear).filter(|_| jobs.index().uid.only(&job.instance_uid).is_none());
            let unclear = unclear.map(|_| {
                let why = "several servers have a tape job with this id, and its links to repositories do not say which they mean";
                Failure::new(Error::new(self.name(), ErrorKind::Invalid, why))
            });
            let rows = read
                .filter_map(|link| view.pick(view.index().key.of(&(job.backup_server_uid, link.linked_repository_uid))).next())
                .collect();
            Ok(Rows { rows, problem: unclear.or(links.problem().or(jobs.problem()).or(view.problem()).cloned()) })
        }
        .boxed()
    }
}
