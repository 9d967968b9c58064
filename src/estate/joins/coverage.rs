//! Whether what a job backs up also gets to tape.
//!
//! A tape job reads jobs, or whole repositories, or backup copy jobs that read the job: counting
//! only the first gives false alarms. And a list that could not be read gives UNKNOWN, never 'not
//! on tape'. What is answered is how the estate is set up; a green tape job does not prove that the
//! newest restore point has been written.

use super::{
    job_repositories::{Target, Targets},
    link_servers::PlacedLink,
};
use crate::estate::{
    Caller, Failure, RowRef, View,
    access::AccessScope,
    console::{Answers, Console},
    snapshot::{Listed, Snapshot},
};
use crate::{
    blocking::in_turns,
    uid::{JobUid, RepositoryUid, ServerUid},
    upstream::vspc::{
        job::Job, job_detail::DetailKind, linked_job::LinkFamily,
        linked_repository::LinkedRepository,
    },
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The way to tape that was found, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapeStatus {
    /// A tape job reads the job.
    ByJob,
    /// A tape job reads the repository that the job writes to.
    ByRepository,
    /// A tape job reads a backup copy job that reads the job.
    ViaCopy,
    /// None of these.
    Not,
    /// A list that is needed to tell could not be read, or does not say.
    Unknown,
}

/// The answer for one job.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The way to tape.
    pub status: TapeStatus,
    /// A sentence for people.
    pub reason: String,
    /// The tape jobs on that way.
    pub tape_jobs: Vec<RowRef<Job>>,
    /// The backup copy jobs on that way.
    pub via: Vec<RowRef<Job>>,
    /// Why it is not known, where a list could not be read.
    pub unread: Option<Failure>,
}

impl Coverage {
    /// An answer without jobs on the way.
    pub fn new(status: TapeStatus, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            tape_jobs: Vec::new(),
            via: Vec::new(),
            unread: None,
        }
    }

    /// Not known, as a list that is needed to tell could not be read.
    pub fn unread(why: Option<Failure>) -> Self {
        Self {
            unread: why,
            ..Self::new(
                TapeStatus::Unknown,
                "A list that is needed to tell could not be read in full.",
            )
        }
    }

    /// Takes out the jobs that do not exist for somebody, and their names.
    fn keep_seen(&mut self, access_scope: &AccessScope) {
        let all = self.tape_jobs.len() + self.via.len();
        self.tape_jobs.retain(|job| access_scope.sees(&**job));
        self.via.retain(|job| access_scope.sees(&**job));
        if self.tape_jobs.len() + self.via.len() < all {
            self.reason = match self.status {
                TapeStatus::ByRepository => "A tape job reads the whole repository.",
                TapeStatus::ViaCopy => "A tape job reads a backup copy of this job.",
                _ => "A tape job reads this job.",
            }
            .to_owned();
        }
    }

    /// When the latest of the tape jobs last ran.
    pub fn last_tape_run(&self) -> Option<Timestamp> {
        self.tape_jobs.iter().filter_map(|job| job.last_run).max()
    }
}

/// The lists that an answer may need. Each is read only once somebody could not be answered without
/// it.
struct Lists {
    jobs: View<Job>,
    tape: HashMap<ServerUid, Vec<PlacedLink>>,
    copies: HashMap<ServerUid, Vec<PlacedLink>>,
    /// Servers with simple backup copies that get to tape, or may, of which it could not be read
    /// what they copy.
    simple_copies_unread: HashMap<ServerUid, Failure>,
    tape_repositories: View<LinkedRepository>,
    /// By the servers that a repository's reader is on, or may be on.
    repository_readers: HashMap<ServerUid, Vec<RepositoryReader>>,
    targets: Targets,
}

/// A tape job that reads a whole repository; `None` where it may be another server's.
struct RepositoryReader {
    repository: RepositoryUid,
    tape_job: Option<RowRef<Job>>,
}

impl Console {
    /// How each of these jobs gets to tape.
    ///
    /// That a job is on tape is a fact about the job, and is told to whoever sees it. The jobs on
    /// the way there are told only to those for whom they exist.
    pub async fn coverage(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Coverage> {
        let mut answers = self.whole_coverage(jobs).await;
        match self.access_scope::<Job>(caller).await {
            Ok(access_scope) => answers
                .values_mut()
                .flatten()
                .for_each(|coverage| coverage.keep_seen(&access_scope)),
            Err(failure) => answers
                .values_mut()
                .for_each(|answer| *answer = Err(failure.clone())),
        }
        answers
    }

    async fn whole_coverage(&self, jobs: &[RowRef<Job>]) -> Answers<(ServerUid, JobUid), Coverage> {
        let servers: Vec<_> = jobs
            .iter()
            .map(|job| job.backup_server_uid)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let (all_jobs, tape) = tokio::join!(
            whole(self.job_snapshot()),
            self.every_link_of_servers(LinkFamily::Tape, &servers)
        );
        let (tape, mut unread) = readable(tape);
        let mut answers = HashMap::with_capacity(jobs.len());
        let mut open = Vec::new();
        for (place, job) in jobs.iter().enumerate() {
            in_turns(place).await;
            let key = (job.backup_server_uid, job.instance_uid);
            match all_jobs
                .as_ref()
                .ok()
                .and_then(|all| by_job(job, all, &tape))
            {
                Some(coverage) => drop(answers.insert(key, Ok(coverage))),
                None => open.push(job),
            }
        }
        if open.is_empty() {
            return answers;
        }
        let (copies, tape_repositories, targets) = tokio::join!(
            self.every_link_of_servers(LinkFamily::Copy, &servers),
            whole(self.lists.tape_repositories.all()),
            Targets::read(self)
        );
        let (copies, copies_unread) = readable(copies);
        unread.extend(copies_unread);
        let lists = match (all_jobs, tape_repositories, targets) {
            (Ok(jobs), Ok(tape_repositories), Ok(targets)) => {
                let repository_readers = repository_readers(&jobs, &tape_repositories);
                let simple_copies_unread = HashMap::new();
                let mut lists = Lists {
                    jobs,
                    tape,
                    copies,
                    simple_copies_unread,
                    tape_repositories,
                    repository_readers,
                    targets,
                };
                self.add_simple_copies(&mut lists, &open).await;
                Ok(lists)
            }
            (jobs, first, second) => Err(jobs.err().or(first.err()).or(second.err())),
        };
        for (place, job) in open.into_iter().enumerate() {
            in_turns(place).await;
            let key = (job.backup_server_uid, job.instance_uid);
            let coverage = match &lists {
                Ok(lists) => lists.answer(job, unread.get(&job.backup_server_uid)),
                Err(failure) => Coverage::unread(failure.clone()),
            };
            answers.insert(key, Ok(coverage));
        }
        answers
    }
}

impl Console {
    /// What simple backup copies read, on servers where such copies get to tape: elsewhere it makes
    /// no difference.
    async fn add_simple_copies(&self, lists: &mut Lists, jobs: &[&RowRef<Job>]) {
        let servers: HashSet<_> = jobs.iter().map(|job| job.backup_server_uid).collect();
        let servers: Vec<_> = servers
            .into_iter()
            .filter(|server| lists.simple_copies_to_tape(*server, None))
            .collect();
        if servers.is_empty() {
            return;
        }
        let (links, unread) = readable(
            self.every_link_of_servers(LinkFamily::SimpleCopy, &servers)
                .await,
        );
        for (server, links) in links {
            lists.copies.entry(server).or_default().extend(links);
        }
        lists.simple_copies_unread = unread;
    }

    /// Whether tape jobs write these repositories to tape as a whole.
    pub async fn repository_coverage(
        &self,
        caller: &Caller,
        keys: &[(ServerUid, RepositoryUid)],
    ) -> Answers<(ServerUid, RepositoryUid), Coverage> {
        let (jobs, links, access_scope) = tokio::join!(
            whole(self.job_snapshot()),
            whole(self.lists.tape_repositories.all()),
            self.access_scope::<Job>(caller)
        );
        let answer = |server, repository| -> Result<Coverage, Failure> {
            let jobs = jobs.as_ref().map_err(Clone::clone)?;
            let links = links.as_ref().map_err(Clone::clone)?;
            let access_scope = access_scope.as_ref().map_err(Clone::clone)?;
            let mut coverage = repository_coverage(jobs, links, server, repository);
            coverage.keep_seen(access_scope);
            Ok(coverage)
        };
        keys.iter()
            .map(|(server, repository)| ((*server, *repository), answer(*server, *repository)))
            .collect()
    }
}

fn repository_coverage(
    jobs: &View<Job>,
    links: &View<LinkedRepository>,
    server: ServerUid,
    repository: RepositoryUid,
) -> Coverage {
    let (mut tape_jobs, mut unsure) = (Vec::new(), false);
    for link in links.pick(links.index().repository.of(&repository)) {
        match reader_of(jobs, &link) {
            Ok(reader) if reader.backup_server_uid == server => tape_jobs.push(reader),
            Ok(_) => {}
            Err(candidates) => unsure |= candidates.contains(&server),
        }
    }
    match (tape_jobs.first(), jobs.problem().or(links.problem())) {
        (Some(first), _) => {
            let reason = format!("The tape job {:?} reads this repository.", first.name);
            Coverage {
                tape_jobs,
                ..Coverage::new(TapeStatus::ByRepository, reason)
            }
        }
        (None, Some(problem)) => Coverage::unread(Some(problem.clone())),
        (None, None) if unsure => Coverage::new(
            TapeStatus::Unknown,
            "A tape job reads a repository with this id, and on which of several servers is not known.",
        ),
        (None, None) => Coverage::new(
            TapeStatus::Not,
            "No tape job reads this repository as a whole; tape jobs may read jobs that write to it.",
        ),
    }
}

/// The tape job of a link, or the servers that it may be on.
fn reader_of(jobs: &View<Job>, link: &LinkedRepository) -> Result<RowRef<Job>, HashSet<ServerUid>> {
    let index = jobs.index();
    let by_unique = link
        .unique_job_uid
        .map_or(&[][..], |unique| index.unique.of(&unique));
    let places = if by_unique.is_empty() {
        index.uid.of(&link.job_uid)
    } else {
        by_unique
    };
    // in part of a list an id that is there once may be there again: only the console's own is sure
    // then
    let is_sure = !by_unique.is_empty() || jobs.problem().is_none();
    match (
        <[RowRef<Job>; 1]>::try_from(jobs.pick(places).collect::<Vec<_>>()),
        is_sure,
    ) {
        (Ok([job]), true) => Ok(job),
        (Ok([job]), false) => Err(HashSet::from([job.backup_server_uid])),
        (Err(jobs), _) => Err(jobs.iter().map(|job| job.backup_server_uid).collect()),
    }
}

fn repository_readers(
    jobs: &View<Job>,
    links: &View<LinkedRepository>,
) -> HashMap<ServerUid, Vec<RepositoryReader>> {
    let mut readers: HashMap<_, Vec<_>> = HashMap::new();
    for link in links.rows() {
        let repository = link.linked_repository_uid;
        match reader_of(jobs, &link) {
            Ok(job) => readers
                .entry(job.backup_server_uid)
                .or_default()
                .push(RepositoryReader {
                    repository,
                    tape_job: Some(job),
                }),
            Err(candidates) => {
                for server in candidates {
                    readers.entry(server).or_default().push(RepositoryReader {
                        repository,
                        tape_job: None,
                    });
                }
            }
        }
    }
    readers
}

async fn whole<T: Listed>(
    read: impl Future<Output = Result<Arc<Snapshot<T>>, Failure>>,
) -> Result<View<T>, Failure> {
    read.await.map(View::whole)
}

/// The links by server, and the servers whose links could not be read in full.
fn readable(
    answers: Answers<ServerUid, super::link_servers::Links>,
) -> (
    HashMap<ServerUid, Vec<PlacedLink>>,
    HashMap<ServerUid, Failure>,
) {
    let mut unread = HashMap::new();
    let links = answers
        .into_iter()
        .map(|(server, answer)| {
            let links = answer.unwrap_or_else(|failure: Failure| super::link_servers::Links {
                links: Vec::new(),
                problem: Some(failure),
            });
            unread.extend(links.problem.map(|problem| (server, problem)));
            (server, links.links)
        })
        .collect();
    (links, unread)
}

fn is_tape_job(job: &Job) -> bool {
    job.r#type.as_deref().is_some_and(|word| {
        word.eq_ignore_ascii_case("BackupToTape") || word.eq_ignore_ascii_case("FileToTape")
    })
}

/// The jobs of one server that read this one, by these links.
///
/// A link names the job that is read by the id that this has on its server, or by the console's
/// own: which, the vendor's documents leave open.
fn readers<'a>(
    job: &'a Job,
    jobs: &'a View<Job>,
    links: &'a HashMap<ServerUid, Vec<PlacedLink>>,
) -> impl Iterator<Item = RowRef<Job>> + 'a {
    let server = job.backup_server_uid;
    let links = links.get(&server).map_or(&[][..], Vec::as_slice);
    let reading = links
        .iter()
        .filter(move |link| job.has_id(link.row.linked_job_uid));
    reading.flat_map(move |link| jobs.pick(jobs.index().key.of(&(server, link.row.job_uid))))
}

fn by_job(
    job: &RowRef<Job>,
    jobs: &View<Job>,
    tape: &HashMap<ServerUid, Vec<PlacedLink>>,
) -> Option<Coverage> {
    if is_tape_job(job) {
        return Some(Coverage {
            tape_jobs: vec![job.clone()],
            ..Coverage::new(TapeStatus::ByJob, "The job writes to tape itself.")
        });
    }
    let tape_jobs: Vec<_> = readers(job, jobs, tape).collect();
    let first = tape_jobs.first()?;
    let reason = format!("The tape job {:?} reads this job.", first.name);
    Some(Coverage {
        tape_jobs,
        ..Coverage::new(TapeStatus::ByJob, reason)
    })
}

impl Lists {
    fn answer(&self, job: &RowRef<Job>, links_unread: Option<&Failure>) -> Coverage {
        let server = job.backup_server_uid;
        let (by_repository, mut unsure) = self.repository_readers(job);
        if let Some(first) = by_repository.first() {
            let reason = format!(
                "The tape job {:?} reads the repository that this job writes to.",
                first.name
            );
            return Coverage {
                tape_jobs: by_repository,
                ..Coverage::new(TapeStatus::ByRepository, reason)
            };
        }
        let mut via = Vec::new();
        let mut tape_jobs = Vec::new();
        for copy in readers(job, &self.jobs, &self.copies) {
            let mut writers: Vec<_> = readers(&copy, &self.jobs, &self.tape).collect();
            let (by_repository, copy_unsure) = self.repository_readers(&copy);
            unsure |= copy_unsure;
            writers.extend(by_repository);
            if !writers.is_empty() {
                via.push(copy);
                tape_jobs.extend(writers);
            }
        }
        if let (Some(copy), Some(tape_job)) = (via.first(), tape_jobs.first()) {
            let reason = format!(
                "The tape job {:?} reads the backup copy job {:?}, which reads this job.",
                tape_job.name, copy.name
            );
            return Coverage {
                tape_jobs,
                via,
                ..Coverage::new(TapeStatus::ViaCopy, reason)
            };
        }
        let lists = [
            self.jobs.problem(),
            self.tape_repositories.problem(),
            self.targets.problem(),
        ];
        let unread = links_unread.or_else(|| lists.into_iter().flatten().next());
        if unread.is_some() {
            Coverage::unread(unread.cloned())
        } else if unsure {
            Coverage::new(
                TapeStatus::Unknown,
                "Tape jobs on this server read whole repositories, and which repository the job writes to is not known.",
            )
        } else if let Some(failure) = self
            .simple_copies_unread
            .get(&server)
            .filter(|_| self.simple_copies_to_tape(server, Some(job)))
        {
            let why = "A backup copy of the newer kind on this server gets to tape, and which jobs it reads could not be read.";
            Coverage {
                unread: Some(failure.clone()),
                ..Coverage::new(TapeStatus::Unknown, why)
            }
        } else {
            Coverage::new(
                TapeStatus::Not,
                "No tape job reads this job, its repository, or a backup copy of it.",
            )
        }
    }

    /// Whether there are simple backup copies on a server, other than this job, that get to tape,
    /// or may.
    fn simple_copies_to_tape(&self, server: ServerUid, job: Option<&RowRef<Job>>) -> bool {
        let is_simple = |copy: &RowRef<Job>| {
            DetailKind::of(copy.r#type.as_deref()) == Some(DetailKind::SimpleBackupCopy)
        };
        let mut copies = self
            .jobs
            .pick(self.jobs.index().server.of(&server))
            .filter(is_simple);
        copies.any(|copy| {
            let (by_repository, unsure) = self.repository_readers(&copy);
            let is_read = readers(&copy, &self.jobs, &self.tape).next().is_some();
            job.is_none_or(|job| copy.instance_uid != job.instance_uid)
                && (is_read || unsure || !by_repository.is_empty())
        })
    }

    /// The tape jobs that read the job's repositories; and whether there may be such that can't be
    /// told.
    fn repository_readers(&self, job: &RowRef<Job>) -> (Vec<RowRef<Job>>, bool) {
        let Some(readers) = self.repository_readers.get(&job.backup_server_uid) else {
            return (Vec::new(), false);
        };
        match self.targets.of(job, &self.jobs) {
            Target::Known(repositories) => {
                let server = job.backup_server_uid;
                let reading = || {
                    readers
                        .iter()
                        .filter(|reader| repositories.contains(&reader.repository))
                };
                // an id that no repository there has may be another id of one of them
                let is_unknown =
                    |reader: &RepositoryReader| !self.targets.lists(server, reader.repository);
                let unsure = reading().any(|reader| reader.tape_job.is_none())
                    || readers.iter().any(is_unknown);
                (
                    reading()
                        .filter_map(|reader| reader.tape_job.clone())
                        .collect(),
                    unsure,
                )
            }
            Target::Unknown => (Vec::new(), true),
        }
    }
}
