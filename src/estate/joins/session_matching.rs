//! Which Enterprise Manager session is which console job's: the one place where the two vendors'
//! ids meet.
//!
//! In this order, and no other: the server (through the console's map of Enterprise Managers, or by
//! host name) and the job's id on it; the job's id alone, where the server is not known and one job
//! in the fleet has the id; the server and the job's name; else nothing. Never the id alone across
//! servers: restored and cloned configurations repeat them. A machine's part of a run belongs to
//! the job of its parent.
//!
//! The server is looked for by every id and address that both sides give. Two that lead to
//! different servers lead to none.

use crate::estate::{Failure, JobKey, UpstreamId, snapshot::Snapshot};
use crate::{
    uid::{JobUid, ManagedServerUid, OtherUid, ServerUid},
    upstream::{
        enterprise_manager::{managed_server::ManagedServer, session::Session},
        vspc::{backup_server::BackupServer, enterprise_manager::EnterpriseManager, job::Job},
    },
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// By what a session was matched to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchedBy {
    /// The server is known, and has a job with the session's job id.
    ServerAndJobUid,
    /// The server is not known; one job in the whole fleet has the session's job id.
    JobUid,
    /// The server is known, and has one job of that name.
    ServerAndName,
    /// Not matched.
    None,
}

/// What a console knows that sessions can be matched with.
pub(crate) struct ConsoleSide {
    pub id: UpstreamId,
    pub jobs: Arc<Snapshot<Job>>,
    /// Missing when they could not be read: the map then has to do.
    pub servers: Option<Arc<Snapshot<BackupServer>>>,
    /// Missing when it could not be read: host names then have to do.
    pub mapping: Option<Arc<Snapshot<EnterpriseManager>>>,
}

/// What every console knows, and why that may not be all.
pub(crate) struct Fleet {
    pub consoles: Vec<ConsoleSide>,
    /// A console, or a list of one, that could not be read in full: what is there once may then be
    /// there again.
    pub problem: Option<Failure>,
    /// A map of Enterprise Managers that could not be read in full: by host names alone some
    /// servers are not found.
    pub unmapped: Option<Failure>,
}

/// The sessions of one Enterprise Manager, each with its job.
#[derive(Debug, Default)]
pub struct Correlation {
    matches: Vec<(Option<JobKey>, MatchedBy)>,
    /// Where the machine's name begins in a per-machine session's job name.
    machine_from: Vec<Option<u32>>,
    servers: Vec<Option<(UpstreamId, ServerUid)>>,
    runs: HashMap<JobKey, Vec<u32>>,
    /// By the machine's name as Enterprise Manager has it, in lower case.
    parts: HashMap<(JobKey, String), Vec<u32>>,
    /// From a name without its domain to the one name in the job that it shortens; `None` for
    /// several.
    full_names: HashMap<(JobKey, String), Option<String>>,
    has_parts: HashSet<JobKey>,
    on_server: HashMap<(UpstreamId, ServerUid), Vec<u32>>,
    /// Jobs whose rows came with the console's id in the place of the other, by that.
    swapped: HashMap<JobKey, JobUid>,
}

impl Correlation {
    /// The job that a session belongs to, and how that is known.
    pub fn job_of(&self, place: u32) -> (Option<JobKey>, MatchedBy) {
        self.matches
            .get(place as usize)
            .copied()
            .unwrap_or((None, MatchedBy::None))
    }

    /// The console's server that ran the session.
    pub fn server_of(&self, place: u32) -> Option<(UpstreamId, ServerUid)> {
        self.servers.get(place as usize).copied().flatten()
    }

    /// The machine that a per-machine session is about.
    pub fn computer_of<'s>(&self, place: u32, session: &'s Session) -> Option<&'s str> {
        let from = self.machine_from.get(place as usize).copied().flatten()?;
        session.job_name.as_deref()?.get(from as usize..)
    }

    /// The sessions that a server ran, in the list's order.
    pub fn on_server(&self, server: (UpstreamId, ServerUid)) -> &[u32] {
        self.on_server.get(&server).map_or(&[], Vec::as_slice)
    }

    /// The runs of a job, newest first: no per-machine parts.
    pub fn runs_of(&self, job: &JobKey) -> &[u32] {
        self.runs.get(job).map_or(&[], Vec::as_slice)
    }

    /// The key that a job is filed under, from one with either of its ids.
    pub fn key_of(&self, job: JobKey) -> JobKey {
        self.swapped
            .get(&job)
            .map_or(job, |uid| JobKey { job: *uid, ..job })
    }

    /// One machine's parts of the runs of a job, newest first.
    pub fn parts_of(&self, job: JobKey, computer: &str) -> &[u32] {
        let exact = self.parts.get(&(job, computer.trim().to_lowercase()));
        let by_short = || {
            let full = self.full_names.get(&(job, host_key(computer)))?.clone()?;
            self.parts.get(&(job, full))
        };
        exact.or_else(by_short).map_or(&[], Vec::as_slice)
    }

    /// Whether the runs of this job have per-machine parts at all.
    pub fn has_parts(&self, job: &JobKey) -> bool {
        self.has_parts.contains(job)
    }

    /// Matches every session of one Enterprise Manager.
    pub(crate) fn work_out(
        sessions: &Snapshot<Session>,
        managed: Option<&Snapshot<ManagedServer>>,
        fleet: &Fleet,
    ) -> Self {
        let consoles = &fleet.consoles[..];
        let hosts = Hosts::of(consoles);
        let names = JobNames::of(consoles);
        let count = sessions.rows().len();
        let mut this = Self {
            servers: Vec::with_capacity(count),
            swapped: swapped(consoles),
            ..Self::default()
        };
        for session in sessions.rows() {
            this.servers.push(hosts.find(session, managed));
        }
        let own: Vec<_> = sessions
            .rows()
            .iter()
            .zip(&this.servers)
            .map(|(session, server)| match_one(session, *server, fleet, &names))
            .collect();
        for (place, session) in (0u32..).zip(sessions.rows()) {
            let (matched, machine_from) = this.place_session(
                place,
                session,
                sessions,
                &own,
                &names,
                fleet.problem.is_none(),
            );
            this.machine_from.push(machine_from);
            this.matches.push(matched);
        }
        this.file(sessions);
        this
    }

    /// A per-machine session through its parent; any other by itself.
    fn place_session(
        &self,
        place: u32,
        session: &Session,
        sessions: &Snapshot<Session>,
        own: &[(Option<JobKey>, MatchedBy)],
        names: &JobNames,
        is_whole: bool,
    ) -> ((Option<JobKey>, MatchedBy), Option<u32>) {
        let unmatched = (None, MatchedBy::None);
        if !is_part(session) {
            return (own.get(place as usize).copied().unwrap_or(unmatched), None);
        }
        let job_name = session.job_name.as_deref().unwrap_or_default();
        let parent = session
            .parent
            .and_then(|parent| sessions.index().uid.of(&parent).first().copied());
        if let Some(parent) = parent {
            let parent_name = sessions.row(parent).job_name.as_deref().unwrap_or_default();
            let from = job_name
                .strip_prefix(parent_name)
                .and_then(|rest| rest.strip_prefix(" - "))
                .map(|machine| job_name.len() - machine.len());
            return (
                own.get(parent as usize).copied().unwrap_or(unmatched),
                from.and_then(|from| u32::try_from(from).ok()),
            );
        }
        // The parent began before the window: the job's name is all there is, `policy - machine`.
        let server = self
            .servers
            .get(place as usize)
            .copied()
            .flatten()
            .filter(|_| is_whole);
        match server.and_then(|server| names.policy_of(server, job_name)) {
            Some((job, from)) => (
                (Some(job), MatchedBy::ServerAndName),
                u32::try_from(from).ok(),
            ),
            None => (unmatched, None),
        }
    }

    fn file(&mut self, sessions: &Snapshot<Session>) {
        for (place, session) in (0u32..).zip(sessions.rows()) {
            if let Some(server) = self.server_of(place) {
                self.on_server.entry(server).or_default().push(place);
            }
            let (Some(job), _) = self.job_of(place) else {
                continue;
            };
            if !is_part(session) {
                self.runs.entry(job).or_default().push(place);
                continue;
            }
            self.has_parts.insert(job);
            if let Some(computer) = self.computer_of(place, session) {
                let full = computer.trim().to_lowercase();
                let known = self
                    .full_names
                    .entry((job, host_key(computer)))
                    .or_insert_with(|| Some(full.clone()));
                if known.as_ref().is_some_and(|known| *known != full) {
                    *known = None;
                }
                self.parts.entry((job, full)).or_default().push(place);
            }
        }
        let newest_first = |places: &mut Vec<u32>| {
            places.sort_by_key(|place| {
                std::cmp::Reverse((sessions.row(*place).created, sessions.row(*place).uid))
            });
        };
        self.runs.values_mut().for_each(newest_first);
        self.parts.values_mut().for_each(newest_first);
    }
}

/// Whether a session is one machine's part of another session.
pub fn is_part(session: &Session) -> bool {
    session.parent.is_some()
        || session
            .job_type
            .as_deref()
            .is_some_and(|word| word.eq_ignore_ascii_case("AgentManagement"))
}

/// A host's name as it is compared: lower case, without its domain. Addresses are compared whole.
pub fn host_key(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    if name.parse::<std::net::IpAddr>().is_ok() {
        return name;
    }
    name.split('.').next().unwrap_or_default().to_owned()
}

fn match_one(
    session: &Session,
    server: Option<(UpstreamId, ServerUid)>,
    fleet: &Fleet,
    names: &JobNames,
) -> (Option<JobKey>, MatchedBy) {
    let (consoles, is_whole) = (&fleet.consoles, fleet.problem.is_none());
    if let Some((upstream, server)) = server {
        let console = consoles.iter().find(|console| console.id == upstream);
        let by_uid = session.job_uid.zip(console).and_then(|(uid, console)| {
            let place = console.jobs.index().key.of(&(server, uid)).first()?;
            Some(console.jobs.row(*place).instance_uid)
        });
        if let Some(job) = by_uid {
            return (
                Some(JobKey {
                    upstream,
                    server,
                    job,
                }),
                MatchedBy::ServerAndJobUid,
            );
        }
        let by_name = session
            .job_name
            .as_deref()
            .filter(|_| is_whole)
            .and_then(|name| names.only((upstream, server), name));
        return by_name.map_or((None, MatchedBy::None), |job| {
            (Some(job), MatchedBy::ServerAndName)
        });
    }
    let Some(uid) = session.job_uid.filter(|_| is_whole) else {
        return (None, MatchedBy::None);
    };
    let mut everywhere = consoles.iter().flat_map(|console| {
        let places = console.jobs.index().uid.of(&uid);
        places.iter().map(|place| {
            let job = console.jobs.row(*place);
            JobKey {
                upstream: console.id,
                server: job.backup_server_uid,
                job: job.instance_uid,
            }
        })
    });
    match (everywhere.next(), everywhere.next()) {
        (Some(job), None) => (Some(job), MatchedBy::JobUid),
        _ => (None, MatchedBy::None),
    }
}

/// The keys of jobs that came with their ids swapped, by their other id.
fn swapped(consoles: &[ConsoleSide]) -> HashMap<JobKey, JobUid> {
    let jobs = consoles
        .iter()
        .flat_map(|console| console.jobs.rows().iter().map(|job| (console.id, job)));
    let key = |(upstream, job): (UpstreamId, &Job)| JobKey {
        upstream,
        server: job.backup_server_uid,
        job: job.path_uid(),
    };
    jobs.filter(|(_, job)| job.ids_were_swapped)
        .map(|(upstream, job)| (key((upstream, job)), job.instance_uid))
        .collect()
}

/// The consoles' servers by every id and name that they are known under. What two servers have is
/// nobody's.
#[derive(Default)]
struct Hosts {
    ids: HashMap<OtherUid, Option<(UpstreamId, ServerUid)>>,
    full: HashMap<String, Option<(UpstreamId, ServerUid)>>,
    short: HashMap<String, Option<(UpstreamId, ServerUid)>>,
}

impl Hosts {
    fn of(consoles: &[ConsoleSide]) -> Self {
        let mut hosts = Self::default();
        for console in consoles {
            let listed = console.servers.iter().flat_map(|servers| servers.rows());
            let of_jobs = console.jobs.rows().iter().map(|job| job.backup_server_uid);
            let known: HashSet<ServerUid> = listed
                .clone()
                .map(|row| row.instance_uid)
                .chain(of_jobs)
                .collect();
            let managers = console.mapping.iter().flat_map(|managers| managers.rows());
            for row in managers.flat_map(|manager| manager.servers.iter().flatten()) {
                // an id that the console has no server of is Enterprise Manager's, of a server that
                // is not the console's
                let Some(server) = row
                    .known()
                    .or(row.named().filter(|uid| known.contains(uid)))
                else {
                    continue;
                };
                let server = (console.id, server);
                row.instance_uid
                    .iter()
                    .for_each(|uid| note(&mut hosts.ids, *uid, server));
                row.address
                    .iter()
                    .for_each(|address| hosts.add(address, server));
            }
            for row in listed {
                note(
                    &mut hosts.ids,
                    OtherUid(row.instance_uid.0),
                    (console.id, row.instance_uid),
                );
                hosts.add(&row.name, (console.id, row.instance_uid));
            }
        }
        hosts
    }

    fn add(&mut self, name: &str, server: (UpstreamId, ServerUid)) {
        // a server without a name has none in common with another
        if !name.trim().is_empty() {
            note(&mut self.full, name.trim().to_ascii_lowercase(), server);
            note(&mut self.short, host_key(name), server);
        }
    }

    fn find(
        &self,
        session: &Session,
        managed: Option<&Snapshot<ManagedServer>>,
    ) -> Option<(UpstreamId, ServerUid)> {
        let listed = |uid: ManagedServerUid| {
            let managed = managed?;
            let place = managed.index().uid.only(&uid)?;
            Some(managed.row(place).name.as_str())
        };
        let by_id = session
            .server_uid
            .and_then(|uid| self.ids.get(&OtherUid(uid.0)).copied().flatten());
        let name = session
            .server_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .or_else(|| listed(session.server_uid?));
        let by_name = name.and_then(|name| {
            self.full
                .get(&name.trim().to_ascii_lowercase())
                .copied()
                .flatten()
        });
        match (by_id, by_name) {
            (Some(by_id), Some(by_name)) => Some(by_id).filter(|by_id| *by_id == by_name),
            (None, None) => self.short.get(&host_key(name?)).copied().flatten(),
            (by_id, by_name) => by_id.or(by_name),
        }
    }
}

/// Files a server under a key. A key of two servers leads to none.
fn note<K: Eq + std::hash::Hash>(
    servers: &mut HashMap<K, Option<(UpstreamId, ServerUid)>>,
    key: K,
    server: (UpstreamId, ServerUid),
) {
    servers
        .entry(key)
        .and_modify(|known| *known = known.filter(|known| *known == server))
        .or_insert(Some(server));
}

/// The jobs of each server by name. A name of two jobs is nobody's.
struct JobNames {
    by_name: HashMap<(UpstreamId, ServerUid, String), Option<JobUid>>,
}

impl JobNames {
    fn of(consoles: &[ConsoleSide]) -> Self {
        let mut by_name = HashMap::new();
        for console in consoles {
            for job in console.jobs.rows() {
                let key = (console.id, job.backup_server_uid, job.name.to_lowercase());
                by_name
                    .entry(key)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(job.instance_uid));
            }
        }
        Self { by_name }
    }

    fn only(&self, (upstream, server): (UpstreamId, ServerUid), name: &str) -> Option<JobKey> {
        let job = self
            .by_name
            .get(&(upstream, server, name.to_lowercase()))
            .copied()
            .flatten()?;
        Some(JobKey {
            upstream,
            server,
            job,
        })
    }

    /// The job whose name a per-machine job's name begins with, the longest there is, and where the
    /// machine's begins.
    fn policy_of(&self, server: (UpstreamId, ServerUid), name: &str) -> Option<(JobKey, usize)> {
        name.rmatch_indices(" - ").find_map(|(at, separator)| {
            Some((self.only(server, &name[..at])?, at + separator.len()))
        })
    }
}
