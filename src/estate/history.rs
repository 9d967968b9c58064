//! One Enterprise Manager: the sessions of the last days, and the servers that ran them.
//!
//! Thirty days of sessions are many pages, and all but the last hours of them can't change. So a
//! refresh reads only what began since shortly before the last reading, and the few sessions that
//! were still open; every half hour the whole window is read anew, for what Enterprise Manager
//! collected late.

use super::{
    Failure, RowRef, Status, UpstreamConfig, UpstreamId, View,
    background_refresh::Lists,
    console::one,
    credential_pool::Keeps,
    groups::{Answer, Groups},
    joins::session_matching::Correlation,
    memo::Memo,
    snapshot::Snapshot,
    store::{Freshness, FullList, PerKey, Spec},
};
use crate::{
    blocking::run,
    time::Clock,
    uid::{JobUid, SessionUid},
    upstream::{
        Error,
        enterprise_manager::{
            EnterpriseManager,
            managed_server::ManagedServer,
            session::{self, Session},
            task_session::TaskSession,
        },
        pager::Listing,
    },
};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Sessions kept: ten times the largest window heard of.
const MAX_SESSIONS: u64 = 1_000_000;
/// Tasks kept, over all questions.
const MAX_TASKS: u64 = 200_000;
/// Sessions are collected from the servers every 15 minutes, so they can appear that late; four
/// times that is safe.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// How long refreshes may build on an earlier reading.
const WHOLE_WINDOW_EVERY: Duration = Duration::from_secs(30 * 60);
/// Beyond this many open sessions the whole window is the cheaper read.
const MAX_REREADS: usize = 50;

/// One Enterprise Manager.
pub struct History {
    manager: Arc<EnterpriseManager>,
    status: Arc<Status>,
    /// Whether callers bring the credentials.
    is_of_callers: bool,
    sessions: FullList<Session>,
    sessions_of: Groups<JobUid, Session>,
    single: PerKey<SessionUid, Session>,
    tasks_of: Groups<SessionUid, TaskSession>,
    servers: FullList<ManagedServer>,
    correlation: Memo<Correlation>,
    clock: Clock,
}

impl History {
    pub(super) fn open(
        opening: &UpstreamConfig,
        status: Arc<Status>,
        clock: Clock,
    ) -> Result<Self, String> {
        let ages = opening.lifetimes;
        let spec = |name, lifetime| {
            Spec::new(
                name,
                &status,
                clock,
                Freshness {
                    lifetime,
                    max_stale: ages.max_stale,
                    failure: ages.failure,
                },
            )
        };
        let manager = Arc::new(EnterpriseManager::new(&opening.settings)?);
        let window = SignedDuration::try_from(opening.session_window)
            .unwrap_or(SignedDuration::from_hours(24 * 30));
        let (of_window, of_jobs, of_tasks, of_single, of_servers) = (
            manager.clone(),
            manager.clone(),
            manager.clone(),
            manager.clone(),
            manager.clone(),
        );
        let last_whole = Arc::default();
        Ok(Self {
            is_of_callers: opening.is_of_callers(),
            sessions: FullList::new(spec("Sessions", ages.sessions), move |last| {
                read_window(
                    of_window.clone(),
                    last,
                    Arc::clone(&last_whole),
                    since(clock, window),
                )
                .boxed()
            }),
            sessions_of: Groups::new(
                spec("SessionsOfJobs", ages.sessions),
                MAX_SESSIONS,
                move |jobs: Arc<[JobUid]>| {
                    let (manager, since) = (of_jobs.clone(), since(clock, window));
                    async move { manager.sessions_of_jobs(&jobs, since).await }.boxed()
                },
            ),
            tasks_of: Groups::new(
                spec("TaskSessions", ages.sessions),
                MAX_TASKS,
                move |sessions: Arc<[SessionUid]>| {
                    let manager = of_tasks.clone();
                    async move { manager.task_sessions(&sessions).await }.boxed()
                },
            ),
            single: PerKey::new(
                spec("Session", ages.sessions),
                MAX_SESSIONS,
                move |uid: &SessionUid| {
                    let (manager, uid) = (of_single.clone(), *uid);
                    async move {
                        Ok(Listing {
                            rows: manager.session(uid).await?.into_iter().collect(),
                            problem: None,
                            pages: 1,
                        })
                    }
                    .boxed()
                },
            ),
            servers: FullList::new(spec("ManagedServers", ages.servers), move |_| {
                let manager = of_servers.clone();
                async move { manager.managed_servers().await }.boxed()
            }),
            manager,
            correlation: Memo::default(),
            clock,
            status,
        })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.status.name
    }

    /// What time it is.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Its place in the configuration.
    pub fn id(&self) -> UpstreamId {
        self.status.id
    }

    pub(super) async fn probe(&self) {
        let answer = if self.is_of_callers {
            self.manager.reach().await
        } else {
            self.manager.managed_servers().await.map(|_| ())
        };
        self.status.probed(answer.map(|()| None));
    }

    pub(super) async fn keep_alive(&self) {
        // a failure is in the log; the next read opens a new session
        let _ = self.manager.keep_alive().await;
    }

    pub(super) async fn close(&self) {
        self.manager.log_off().await;
    }

    /// One session by its id, also one outside the window: whoever asks. `sessions.rs` tells who
    /// may see it.
    pub(super) async fn session(
        &self,
        uid: SessionUid,
    ) -> Result<Option<RowRef<Session>>, Failure> {
        if let Some(snapshot) = self.sessions.last().filter(|snapshot| snapshot.is_fresh()) {
            let view = View::whole(snapshot);
            if let Some(row) = view.pick(view.index().uid.of(&uid)).next() {
                return Ok(Some(row));
            }
        }
        let view = View::whole(self.single.get(&uid).await?);
        one(&view, view.index().uid.of(&uid))
    }

    /// The same read anew, wherever it is in hand; a snapshot without rows where nobody has that
    /// id.
    pub(super) async fn session_anew(
        &self,
        uid: SessionUid,
    ) -> Result<Arc<Snapshot<Session>>, Failure> {
        self.single.get_anew(&uid).await
    }

    /// The sessions of a few jobs, of any type, without the rest of the fleet's.
    pub(super) async fn sessions_of_jobs(&self, jobs: &[JobUid]) -> Vec<Answer<JobUid, Session>> {
        self.sessions_of.gather(jobs).await
    }

    /// The tasks of a few sessions.
    pub(super) async fn tasks_of_sessions(
        &self,
        sessions: &[SessionUid],
    ) -> Vec<Answer<SessionUid, TaskSession>> {
        self.tasks_of.gather(sessions).await
    }

    /// Whether the window is in hand, so that a question about agent sessions costs nothing.
    pub(super) fn has_sessions(&self) -> bool {
        self.sessions.peek().is_some() || self.sessions.is_reading()
    }

    pub(super) async fn session_snapshot(&self) -> Result<Arc<Snapshot<Session>>, Failure> {
        self.sessions.get().await
    }

    pub(super) async fn server_snapshot(&self) -> Result<Arc<Snapshot<ManagedServer>>, Failure> {
        self.servers.get().await
    }

    pub(super) fn correlation(&self) -> &Memo<Correlation> {
        &self.correlation
    }

    /// What can be kept fresh.
    pub(super) fn lists(&self) -> Lists<'_> {
        vec![
            &self.sessions,
            &self.servers,
            self.sessions_of.readings(),
            self.tasks_of.readings(),
            &self.single,
        ]
    }
}

impl Keeps for History {
    fn kept_rows(&self) -> u64 {
        self.lists().iter().map(|list| list.kept_rows()).sum()
    }
}

/// The beginning of the window.
fn since(clock: Clock, window: SignedDuration) -> Timestamp {
    clock
        .now()
        .checked_sub(window)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn read_window(
    manager: Arc<EnterpriseManager>,
    last: Option<Arc<Snapshot<Session>>>,
    last_whole: Arc<Mutex<Option<Instant>>>,
    since: Timestamp,
) -> Result<Listing<Session>, Error> {
    let recently = last_whole
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some_and(|at| at.elapsed() < WHOLE_WINDOW_EVERY);
    let last = last.filter(|last| recently && last.problem().is_none());
    if let Some(last) = last
        && let Some(listing) = read_increment(&manager, &last, since).await?
    {
        return Ok(listing);
    }
    let listing = manager.agent_sessions(since).await?;
    if listing.problem.is_none() {
        *last_whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
    Ok(listing)
}

/// The last reading, brought up to date; `None` where reading the window anew is the better way.
async fn read_increment(
    manager: &EnterpriseManager,
    last: &Arc<Snapshot<Session>>,
    since: Timestamp,
) -> Result<Option<Listing<Session>>, Error> {
    let newest = last
        .rows()
        .iter()
        .filter_map(|session| session.created)
        .max();
    let Some(from) =
        newest.and_then(|newest| newest.min(last.fetched_at()).checked_sub(OVERLAP).ok())
    else {
        return Ok(None);
    };
    let is_open = |session: &&Session| {
        !session.is_finished() && session.created.is_some_and(|created| created < from)
    };
    let open: Vec<SessionUid> = last
        .rows()
        .iter()
        .filter(is_open)
        .map(|session| session.uid)
        .collect();
    if open.len() > MAX_REREADS {
        return Ok(None);
    }
    let mut listing = manager.agent_sessions(from).await?;
    if listing.problem.is_some() {
        return Ok(None);
    }
    let mut read_again: HashSet<SessionUid> = open.iter().copied().collect();
    listing.rows.extend(session::reread(manager, open).await?);
    read_again.extend(listing.rows.iter().map(|session| session.uid));
    let last = last.clone();
    let merged = run(move || {
        let is_kept = |session: &&Session| {
            session.created.is_some_and(|created| created >= since)
                && !read_again.contains(&session.uid)
        };
        listing
            .rows
            .extend(last.rows().iter().filter(is_kept).cloned());
        listing
    });
    Ok(Some(merged.await))
}
