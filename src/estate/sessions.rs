//! Questions about history: they need an Enterprise Manager's sessions and a console's jobs at
//! once.

mod by_id;

use super::{
    Caller, Failure, JobKey, MachineKey, RowRef, ServerKey, SessionKey, UpstreamId, View,
    access::{Limits, Needs},
    history::History,
    indexes::company_of,
    joins::session_matching::{ConsoleSide, Correlation, Fleet, MatchedBy, is_part},
    snapshot::Snapshot,
};
use crate::{
    uid::{JobUid, ServerUid},
    upstream::{
        Error, ErrorKind,
        enterprise_manager::{managed_server::ManagedServer, session::Session},
        vspc::job::Job,
    },
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// A copy's session that is open for longer is one that never ends.
const LONGEST_RUN: SignedDuration = SignedDuration::from_hours(24);

/// A session and what the console makes of it.
#[derive(Clone, Debug)]
pub struct MatchedSession {
    /// The session.
    pub row: RowRef<Session>,
    /// The job that it belongs to.
    pub job: Option<JobKey>,
    /// How that is known.
    pub matched_by: MatchedBy,
    /// The console's server that ran it.
    pub server: Option<(UpstreamId, ServerUid)>,
    /// The machine that it is about, if it is one machine's part of a run.
    pub computer: Option<String>,
    /// Without a job, or without a server: what could not be read, so that nobody can tell whether
    /// there is one.
    pub doubt: Option<Failure>,
}

impl MatchedSession {
    /// Its key.
    pub fn key(&self) -> SessionKey {
        SessionKey {
            upstream: self.row.upstream(),
            session: self.row.uid,
        }
    }
}

/// Sessions that answer a question, and why there may be more.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// The sessions.
    pub rows: Vec<MatchedSession>,
    /// Why the list is not whole, if it isn't.
    pub problem: Option<Failure>,
    /// Whether the runs of their job are done by workers, whose sessions name another job: then
    /// these are not its runs.
    pub are_of_workers: bool,
}

/// One Enterprise Manager's sessions with their correlation.
struct Correlated {
    view: View<Session>,
    correlation: Arc<Correlation>,
    /// What could not be read of the consoles.
    doubt: Option<Failure>,
    /// Why the server of a session may not be found, of these or of others.
    unmapped: Option<Failure>,
}

impl Correlated {
    fn at(&self, place: u32) -> Option<MatchedSession> {
        self.view.get(place).map(|row| self.matched(row))
    }

    /// A row of this view with what is known of it.
    fn matched(&self, row: RowRef<Session>) -> MatchedSession {
        let place = row.place();
        let (job, matched_by) = self.correlation.job_of(place);
        let computer = self.correlation.computer_of(place, &row).map(str::to_owned);
        let server = self.correlation.server_of(place);
        let doubt = self
            .doubt
            .clone()
            .filter(|_| job.is_none() || server.is_none());
        MatchedSession {
            job,
            matched_by,
            server,
            computer,
            row,
            doubt,
        }
    }

    fn pick(&self, places: &[u32]) -> impl Iterator<Item = MatchedSession> {
        places.iter().filter_map(|place| self.at(*place))
    }
}

/// What single sessions are held against, beside the correlation.
struct Consoles {
    jobs: Vec<(UpstreamId, Arc<Snapshot<Job>>)>,
    doubt: Option<Failure>,
    /// Why the server of a session may not be found.
    unmapped: Option<Failure>,
}

impl Caller {
    /// Every agent session that every Enterprise Manager has in its window, or without machines'
    /// parts of runs.
    pub async fn all_sessions(&self, runs_only: bool) -> Sessions {
        let mut all = Sessions::default();
        for outcome in join_all(
            self.histories()
                .iter()
                .map(|history| self.correlated(history)),
        )
        .await
        {
            match outcome {
                Ok(correlated) => {
                    all.problem = all.problem.or(correlated.view.problem().cloned());
                    let rows = correlated
                        .view
                        .rows()
                        .filter(|row| !runs_only || !is_part(row));
                    all.rows.extend(rows.map(|row| correlated.matched(row)));
                }
                Err(failure) => all.problem = all.problem.or(Some(failure)),
            }
        }
        all
    }

    /// The agent sessions that a backup server ran, or without machines' parts of runs.
    pub async fn sessions_of_server(&self, server: ServerKey, runs_only: bool) -> Sessions {
        let mut all = Sessions::default();
        for outcome in join_all(
            self.histories()
                .iter()
                .map(|history| self.correlated(history)),
        )
        .await
        {
            match outcome {
                Ok(correlated) => {
                    // one that can't be matched for now may be this server's
                    all.problem = all.problem.or(correlated
                        .view
                        .problem()
                        .or(correlated.doubt.as_ref())
                        .cloned());
                    let on_server = correlated.pick(
                        correlated
                            .correlation
                            .on_server((server.upstream, server.server)),
                    );
                    all.rows
                        .extend(on_server.filter(|session| !runs_only || !is_part(&session.row)));
                }
                Err(failure) => all.problem = all.problem.or(Some(failure)),
            }
        }
        all
    }

    /// The parts of a run, one per machine.
    pub async fn parts_of_run(&self, run: SessionKey) -> Result<Sessions, Failure> {
        let Some(history) = self.history(run.upstream) else {
            return Ok(Sessions::default());
        };
        let correlated = self.correlated(history).await?;
        let rows = correlated
            .pick(correlated.view.index().parent.of(&run.session))
            .collect();
        Ok(Sessions {
            rows,
            problem: correlated.view.problem().cloned(),
            are_of_workers: false,
        })
    }

    /// The runs of these jobs, newest first. `jobs` are in hand, so their kinds are known.
    ///
    /// Agent jobs are answered from the window while it is in hand; else, as jobs of other types
    /// always, from one query per 40 jobs. Enterprise Manager knows nothing of tape: tape jobs have
    /// no sessions, and cost nothing.
    pub async fn runs_of_jobs(
        &self,
        jobs: &[RowRef<Job>],
    ) -> HashMap<JobKey, Result<Sessions, Failure>> {
        let is_kind = |job: &Job, word: &str| {
            job.r#type
                .as_deref()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(word))
        };
        let is_tape = |job: &Job| is_kind(job, "BackupToTape") || is_kind(job, "FileToTape");
        let is_agent = |job: &Job| is_kind(job, "AgentBackupJob") || is_kind(job, "AgentPolicy");
        let key = |job: &RowRef<Job>| JobKey {
            upstream: job.upstream(),
            server: job.backup_server_uid,
            job: job.instance_uid,
        };

        let mut answers: HashMap<JobKey, Result<Sessions, Failure>> = jobs
            .iter()
            .map(|job| (key(job), Ok(Sessions::default())))
            .collect();
        for history in self.histories() {
            let window = history.has_sessions();
            let (from_window, by_query): (Vec<_>, Vec<_>) = jobs
                .iter()
                .filter(|job| !is_tape(job))
                .partition(|job| window && is_agent(job));
            if !from_window.is_empty() {
                let correlated = self.correlated(history).await;
                from_window
                    .into_iter()
                    .for_each(|job| add_runs(&mut answers, key(job), &correlated));
            }
            if !by_query.is_empty() {
                let uids: BTreeSet<JobUid> = by_query.iter().map(|job| job.instance_uid).collect();
                let mut by_job = HashMap::with_capacity(uids.len());
                for (uids, read) in history
                    .sessions_of_jobs(&uids.into_iter().collect::<Vec<_>>())
                    .await
                {
                    let correlated = match read {
                        Ok(snapshot) => Ok(self.correlate_few(history, snapshot).await),
                        Err(failure) => Err(failure),
                    };
                    let correlated = Arc::new(correlated);
                    by_job.extend(uids.into_iter().map(|uid| (uid, correlated.clone())));
                }
                for job in by_query {
                    let Some(correlated) = by_job.get(&job.instance_uid) else {
                        continue;
                    };
                    add_runs(&mut answers, key(job), correlated);
                    if let Some(Ok(runs)) = answers.get_mut(&key(job)) {
                        doubt_workers(runs, job, history.name(), history.now());
                    }
                }
            }
        }
        answers
    }

    /// The parts of these machines in the runs of their jobs, newest first.
    ///
    /// A job whose runs have no parts at all is answered with its runs: there is nothing finer.
    pub async fn sessions_of_machines(
        &self,
        machines: &[MachineKey],
    ) -> HashMap<MachineKey, Result<Sessions, Failure>> {
        let mut answers: HashMap<MachineKey, Result<Sessions, Failure>> = machines
            .iter()
            .map(|machine| (machine.clone(), Ok(Sessions::default())))
            .collect();
        for history in self.histories() {
            let correlated = self.correlated(history).await;
            for machine in machines {
                let Some(answer) = answers.get_mut(machine) else {
                    continue;
                };
                add(answer, &correlated, |correlated| {
                    let correlation = &correlated.correlation;
                    let job = correlation.key_of(machine.job);
                    if correlation.has_parts(&job) {
                        correlation.parts_of(job, &machine.computer)
                    } else {
                        correlation.runs_of(&job)
                    }
                });
            }
        }
        answers
    }

    /// The window of one Enterprise Manager, matched with every console's jobs.
    async fn correlated(&self, history: &History) -> Result<Correlated, Failure> {
        let (sessions, fleet, managed) = tokio::join!(
            history.session_snapshot(),
            self.fleet(),
            history.server_snapshot()
        );
        let sessions = sessions?;
        let (managed, unlisted) = listed(managed);
        let mut generations = vec![
            sessions.generation(),
            managed.as_ref().map_or(0, |managed| managed.generation()),
        ];
        for console in &fleet.consoles {
            generations.extend([u64::from(console.id.0), console.jobs.generation()]);
            generations.push(
                console
                    .servers
                    .as_ref()
                    .map_or(0, |servers| servers.generation()),
            );
            generations.push(
                console
                    .mapping
                    .as_ref()
                    .map_or(0, |mapping| mapping.generation()),
            );
        }
        let consoles = self.consoles_of(history, &fleet, unlisted);
        let all = sessions.clone();
        let correlation = history
            .correlation()
            .get(generations, move || {
                Correlation::work_out(&all, managed.as_deref(), &fleet)
            })
            .await;
        Ok(self.see(history, sessions, correlation, consoles).await)
    }

    /// A few sessions matched with every console's jobs; not remembered.
    async fn correlate_few(
        &self,
        history: &History,
        sessions: Arc<Snapshot<Session>>,
    ) -> Correlated {
        let (fleet, managed) = tokio::join!(self.fleet(), history.server_snapshot());
        let (managed, unlisted) = listed(managed);
        let correlation = Arc::new(Correlation::work_out(&sessions, managed.as_deref(), &fleet));
        let consoles = self.consoles_of(history, &fleet, unlisted);
        self.see(history, sessions, correlation, consoles).await
    }

    fn consoles_of(&self, history: &History, fleet: &Fleet, unlisted: Option<Failure>) -> Consoles {
        let told = |failure: &Failure| {
            if self.principal.allows_upstream(&failure.upstream) {
                return failure.clone();
            }
            // a console that does not exist for the caller: its name must not be told
            Arc::new(Error::new(
                history.name(),
                failure.kind,
                "a console that is needed to match sessions can't be read",
            ))
        };
        let jobs = fleet
            .consoles
            .iter()
            .map(|console| (console.id, console.jobs.clone()))
            .collect();
        Consoles {
            jobs,
            doubt: fleet.problem.as_ref().map(told),
            unmapped: fleet.unmapped.as_ref().map(told).or(unlisted),
        }
    }

    /// Sessions as the caller may see them: those of jobs that exist for it, by a grant that allows
    /// this Enterprise Manager too. One without a job is its server's, for those who are not
    /// limited to companies.
    async fn see(
        &self,
        history: &History,
        sessions: Arc<Snapshot<Session>>,
        correlation: Arc<Correlation>,
        consoles: Consoles,
    ) -> Correlated {
        let Consoles {
            jobs,
            doubt,
            unmapped,
        } = consoles;
        // where every session has its server, nothing is missing
        let is_unplaced = |place| correlation.server_of(place).is_none();
        let doubt = doubt.or_else(|| {
            unmapped
                .clone()
                .filter(|_| (0..sessions.len()).any(is_unplaced))
        });
        if self.principal.sees_all_of(history.name()) {
            return Correlated {
                view: View::whole(sessions),
                correlation,
                doubt,
                unmapped,
            };
        }
        let reads = self
            .consoles()
            .iter()
            .map(|console| async { (console.id(), console.limits(self, Needs::Nothing).await) });
        let (mut limits, mut problem) = (HashMap::<UpstreamId, Limits>::new(), doubt.clone());
        for (console, read) in join_all(reads).await {
            match read {
                Ok(read) => {
                    problem = problem.or(read.problem().cloned());
                    limits.insert(console, read);
                }
                Err(failure) => problem = problem.or(Some(failure)),
            }
        }
        let (principal, manager, matches) = (
            self.principal.clone(),
            history.name().clone(),
            correlation.clone(),
        );
        let seen = move |place: u32, _: &Session| {
            let of_job = matches.job_of(place).0.map(|job| {
                let list = jobs
                    .iter()
                    .find(|(console, _)| *console == job.upstream)
                    .map(|(_, list)| list);
                let row = list.and_then(|list| {
                    Some(list.row(*list.index().key.of(&(job.server, job.job)).first()?))
                });
                (job.upstream, job.server, row.and_then(company_of))
            });
            let of_server = || {
                matches
                    .server_of(place)
                    .map(|(console, server)| (console, server, None))
            };
            of_job
                .or_else(of_server)
                .is_some_and(|(console, server, company)| {
                    limits.get(&console).is_some_and(|limits| {
                        limits.cover_session(&principal, &manager, company, server)
                    })
                })
        };
        Correlated {
            view: View::part(sessions, Arc::new(seen), problem),
            correlation,
            doubt,
            unmapped,
        }
    }

    /// What the consoles know. One that can't be read is left out and named: sessions are there
    /// without it.
    async fn fleet(&self) -> Fleet {
        let reads = self.every_console().iter().map(|console| async {
            let (jobs, servers, mapping) = tokio::join!(
                console.job_snapshot(),
                console.server_snapshot(),
                console.manager_snapshot()
            );
            (console.id(), jobs, servers, mapping)
        });
        let mut fleet = Fleet {
            consoles: Vec::new(),
            problem: None,
            unmapped: None,
        };
        for (id, jobs, servers, mapping) in join_all(reads).await {
            let unread = match (&jobs, &servers) {
                (Err(failure), _) | (_, Err(failure)) => Some(failure),
                (Ok(jobs), Ok(servers)) => jobs.problem().or(servers.problem()),
            };
            fleet.problem = fleet.problem.or(unread.cloned());
            let unmapped = match &mapping {
                Ok(mapping) => mapping.problem(),
                // a version without such a list has no map: host names are all that it tells
                Err(failure) => Some(failure).filter(|failure| !failure.is_absent),
            };
            fleet.unmapped = fleet.unmapped.or(unmapped.cloned());
            let mapping = mapping.ok();
            if let Ok(jobs) = jobs {
                fleet.consoles.push(ConsoleSide {
                    id,
                    jobs,
                    servers: servers.ok(),
                    mapping,
                });
            }
        }
        fleet
    }
}

/// An immediate copy has a session that never ends; its runs are sessions of workers, each with a
/// job of its own.
fn doubt_workers(runs: &mut Sessions, job: &Job, manager: &Arc<str>, now: Timestamp) {
    let is_copy = job
        .r#type
        .as_deref()
        .is_some_and(|word| word.to_ascii_lowercase().contains("copy"));
    let never_ends = |session: &Session| {
        let is_immediate = session
            .job_type
            .as_deref()
            .is_some_and(|word| word.to_ascii_lowercase().contains("immediate"));
        let is_old = session
            .created
            .is_some_and(|began| now.duration_since(began) > LONGEST_RUN);
        is_immediate || (session.ended.is_none() && is_old)
    };
    if is_copy && runs.rows.iter().any(|run| never_ends(&run.row)) {
        let why = "the runs of an immediate copy are sessions of its workers, which are not read";
        runs.problem
            .get_or_insert_with(|| Failure::new(Error::new(manager, ErrorKind::Invalid, why)));
        runs.are_of_workers = true;
    }
}

/// Enterprise Manager's servers, and why sessions that name only an id of one may not be told whose
/// they are.
fn listed(
    managed: Result<Arc<Snapshot<ManagedServer>>, Failure>,
) -> (Option<Arc<Snapshot<ManagedServer>>>, Option<Failure>) {
    match managed {
        Ok(managed) => (Some(managed.clone()), managed.problem().cloned()),
        Err(failure) => (None, Some(failure)),
    }
}

fn add_runs(
    answers: &mut HashMap<JobKey, Result<Sessions, Failure>>,
    job: JobKey,
    correlated: &Result<Correlated, Failure>,
) {
    if let Some(answer) = answers.get_mut(&job) {
        add(answer, correlated, |correlated| {
            correlated.correlation.runs_of(&job)
        });
    }
}

/// Adds one Enterprise Manager's sessions to an answer, or its failure.
fn add(
    answer: &mut Result<Sessions, Failure>,
    correlated: &Result<Correlated, Failure>,
    places: impl FnOnce(&Correlated) -> &[u32],
) {
    let Ok(sessions) = answer else { return };
    match correlated {
        Ok(correlated) => {
            sessions.rows.extend(correlated.pick(places(correlated)));
            sessions
                .rows
                .sort_by_key(|session| std::cmp::Reverse((session.row.created, session.row.uid)));
            if sessions.problem.is_none() {
                // a run that can't be matched for now may be this job's
                sessions.problem = correlated
                    .view
                    .problem()
                    .or(correlated.doubt.as_ref())
                    .cloned();
            }
        }
        Err(failure) => *answer = Err(failure.clone()),
    }
}
