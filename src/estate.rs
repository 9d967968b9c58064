//! What the gateway knows: immutable snapshots of upstream lists with their indexes, how fresh they
//! are, who may see them, and how the upstreams' lists join.
//!
//! A question comes in with the keys of one level of a query and leaves with an answer for each
//! key; failures are answers too. The only way to a row is a [`View`] made for a [`Caller`].

mod access;
pub mod agents;
pub mod background_refresh;
pub mod caller;
pub mod console;
pub mod credential_pool;
pub mod dependencies;
pub mod history;
pub mod joins;
pub mod principal;
mod read_strategy;
pub mod render_cache;
mod reopen;
pub mod rows;
pub mod sessions;
pub mod status;
mod tasks;
pub mod view;

mod groups;
mod indexes;
mod memo;
mod snapshot;
mod store;

use crate::{
    time::Clock,
    uid::{
        AgentUid, AlarmUid, CompanyUid, ConsoleJobUid, EnterpriseManagerUid, JobUid, LocationUid,
        ManagementAgentUid, ObjectUid, RepositoryUid, ServerUid, SessionUid,
    },
    upstream::{
        self, meter,
        settings::{Connection, Credentials, Kind, Settings},
    },
};
use futures_util::{FutureExt, future::join_all};
use std::{sync::Arc, time::Duration};

pub use self::console::read_ahead::ReadAhead;
use self::credential_pool::CredentialPool;
pub use self::credential_pool::{ForwardedCredentials, Standing};
pub use self::dependencies::Dependencies;
pub use self::reopen::{Changes, Retired};
pub use caller::Caller;
pub use indexes::company_of;
pub use principal::{Grant, Hidden, Named, Principal};
pub use rows::RowRef;
pub use snapshot::Listed as ListedRow;
pub use status::{State, Status};
pub use view::View;

/// Why a question has no answer: shared, as many callers wait for one read.
pub type Failure = Arc<upstream::Error>;

/// An upstream, for as long as it is configured in one way. Its name, not this, goes into global
/// ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamId(pub u16);

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name { /// Which upstream.
            pub upstream: UpstreamId, $($(#[$field_doc])* pub $field: $type),* }
    )*};
}

keys! {
    /// A backup server of a console.
    ServerKey { /** The server. */ server: ServerUid }
    /// A job on one server: its uid alone repeats.
    JobKey { /** The server. */ server: ServerUid, /** The job on it. */ job: JobUid }
    /// An organization of a console.
    CompanyKey { /** The organization. */ company: CompanyUid }
    /// A repository on one server: the default one has the same uid everywhere.
    RepositoryKey { /** The server. */ server: ServerUid, /** The repository on it. */ repository: RepositoryUid }
    /// A session of an Enterprise Manager.
    SessionKey { /** The session. */ session: SessionUid }
    /// A triggered alarm of a console.
    AlarmKey { /** The alarm. */ alarm: AlarmUid }
    /// An Enterprise Manager as a console knows it.
    EnterpriseManagerKey { /** The Enterprise Manager. */ manager: EnterpriseManagerUid }
    /// A place of an organization.
    LocationKey { /** The place. */ location: LocationUid }
    /// A management agent.
    ManagementAgentKey { /** The agent. */ agent: ManagementAgentUid }
    /// An agent that no backup server manages.
    ConsoleAgentKey { /** The agent. */ agent: AgentUid }
    /// A job of such an agent.
    ConsoleJobKey { /** The agent. */ agent: AgentUid, /** The job on it. */ job: ConsoleJobUid }
    /// An agent that a backup server manages.
    BackupAgentKey { /** The server. */ server: ServerUid, /** The agent on it. */ agent: AgentUid }
}

impl JobKey {
    /// The server that the job is on.
    pub fn server_key(self) -> ServerKey {
        ServerKey {
            upstream: self.upstream,
            server: self.server,
        }
    }
}

/// A machine within an agent job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MachineKey {
    /// The job, as far as its server is known.
    pub job: JobKey,
    /// The machine in that job.
    pub object: ObjectUid,
    /// Its computer name, which is all that Enterprise Manager knows of it.
    pub computer: String,
}

/// How long what was read is good for, by kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Jobs of every type, and what agent jobs add to them.
    pub jobs: Duration,
    /// The machines in agent jobs.
    pub agent_objects: Duration,
    /// Sessions.
    pub sessions: Duration,
    /// Tape and copy links.
    pub links: Duration,
    /// What backup copy jobs add to jobs.
    pub copy_jobs: Duration,
    /// Servers, and the map between the two vendors' server ids.
    pub servers: Duration,
    /// Organizations.
    pub companies: Duration,
    /// Repositories and what is in them.
    pub repositories: Duration,
    /// Jobs of v2 agents.
    pub agent_jobs_v2: Duration,
    /// Triggered alarms.
    pub alarms: Duration,
    /// What is protected.
    pub workloads: Duration,
    /// Licence usage.
    pub licenses: Duration,
    /// How old a list may be when its upstream is down, beyond its lifetime.
    pub max_stale: Duration,
    /// How long a failure is passed on without asking again.
    pub failure: Duration,
}

impl Default for Lifetimes {
    /// What the makers of dashboards accept: half a minute for states, minutes for how jobs are put
    /// together.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            jobs: MINUTE,
            agent_objects: MINUTE,
            sessions: MINUTE,
            links: 5 * MINUTE,
            copy_jobs: 5 * MINUTE,
            servers: 15 * MINUTE,
            companies: 15 * MINUTE,
            repositories: 15 * MINUTE,
            agent_jobs_v2: MINUTE,
            alarms: MINUTE,
            workloads: 5 * MINUTE,
            licenses: 15 * MINUTE,
            max_stale: 60 * MINUTE,
            failure: Duration::from_secs(3),
        }
    }
}

/// What an upstream is to be opened with.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// How to reach it.
    pub settings: Settings,
    /// How long its lists are good for.
    pub lifetimes: Lifetimes,
    /// How far back sessions are read.
    pub session_window: Duration,
}

impl UpstreamConfig {
    /// Whether callers bring the credentials.
    pub fn is_of_callers(&self) -> bool {
        matches!(self.settings.credentials, Credentials::OfCaller(_))
    }
}

/// Everything that the gateway knows.
pub struct Estate {
    consoles: Vec<Arc<CredentialPool<console::Console>>>,
    histories: Vec<Arc<CredentialPool<history::History>>>,
    agents: Vec<Arc<CredentialPool<agents::Agents>>>,
    /// Every upstream, in the order of the configuration.
    statuses: Vec<Arc<Status>>,
    /// What each was opened with.
    openings: Vec<UpstreamConfig>,
    /// Those that are read with what callers bring.
    of_callers: Vec<(Arc<str>, Kind)>,
    clock: Clock,
}

impl Estate {
    /// Connects nothing yet: the first question does. Fails with the upstream's name when its
    /// certificates are unusable.
    pub fn open(openings: Vec<UpstreamConfig>, clock: Clock) -> Result<Self, (Arc<str>, String)> {
        let mut estate = Self::empty(clock);
        for (place, opening) in openings.into_iter().enumerate() {
            let id = UpstreamId(u16::try_from(place).unwrap_or(u16::MAX));
            estate.add(id, opening)?;
        }
        Ok(estate)
    }

    fn empty(clock: Clock) -> Self {
        Self {
            consoles: Vec::new(),
            histories: Vec::new(),
            agents: Vec::new(),
            statuses: Vec::new(),
            openings: Vec::new(),
            of_callers: Vec::new(),
            clock,
        }
    }

    fn add(&mut self, id: UpstreamId, opening: UpstreamConfig) -> Result<(), (Arc<str>, String)> {
        let (name, kind, clock) = (
            opening.settings.name.clone(),
            opening.settings.kind,
            self.clock,
        );
        let status = Arc::new(
            Status::new(id, name.clone(), kind, clock).speaking(opening.settings.dialect.clone()),
        );
        self.statuses.push(status.clone());
        let failed = |reason| (name.clone(), reason);
        match kind {
            Kind::Vspc => self.consoles.push(Arc::new(
                CredentialPool::new(&opening, status, clock, console::Console::open)
                    .map_err(failed)?,
            )),
            Kind::EnterpriseManager => self.histories.push(Arc::new(
                CredentialPool::new(&opening, status, clock, history::History::open)
                    .map_err(failed)?,
            )),
            Kind::Vac => self.agents.push(Arc::new(
                CredentialPool::new(&opening, status, clock, agents::Agents::open)
                    .map_err(failed)?,
            )),
        }
        if opening.is_of_callers() {
            self.of_callers.push((name, kind));
        }
        self.openings.push(opening);
        Ok(())
    }

    /// The present instant, by the gateway's clock.
    pub fn now(&self) -> jiff::Timestamp {
        dependencies::clock();
        self.clock.now()
    }

    /// How the credentials stand that somebody brought.
    pub fn standing(&self, passed: &ForwardedCredentials) -> Standing {
        if passed.is_empty() {
            return Standing::Good;
        }
        let consoles = self.consoles.iter().map(|door| door.brought(passed));
        let histories = self.histories.iter().map(|door| door.brought(passed));
        let agents = self.agents.iter().map(|door| door.brought(passed));
        consoles
            .chain(histories)
            .chain(agents)
            .max()
            .unwrap_or(Standing::Good)
    }

    /// Somebody who asks: with the upstreams that exist for the principal, as what it brought opens
    /// them, and nothing spent yet.
    pub async fn caller(
        &self,
        principal: Arc<Principal>,
        passed: &ForwardedCredentials,
        is_debugged: bool,
    ) -> Caller {
        let every_console: Vec<_> = self.consoles.iter().map(|door| door.of(passed)).collect();
        let consoles = every_console
            .iter()
            .filter(|console| principal.allows_upstream(console.name()))
            .cloned()
            .collect();
        let histories = self
            .histories
            .iter()
            .map(|door| door.of(passed))
            .filter(|history| principal.allows_upstream(history.name()))
            .collect();
        let agents = self
            .agents
            .iter()
            .map(|door| door.of(passed))
            .filter(|agents| principal.allows_upstream(agents.name()))
            .collect();
        Caller::new(
            principal,
            passed,
            caller::Reach {
                consoles,
                histories,
                agents,
                every_console,
            },
            is_debugged,
        )
    }

    /// The names in a principal's grants that no console that it may see knows as one's, and what
    /// could not be read.
    pub async fn unknown_names(&self, principal: &Principal) -> (Vec<Box<str>>, Vec<Failure>) {
        let allowed = self
            .consoles
            .iter()
            .map(|console| console.shared())
            .filter(|console| principal.allows_upstream(console.name()));
        let (mut unknown, mut failures): (Option<Vec<Box<str>>>, _) = (None, Vec::new());
        for outcome in join_all(allowed.map(|console| console.unknown_names(principal))).await {
            match outcome {
                // known to one of them is known
                Ok(names) => {
                    unknown = Some(unknown.map_or_else(
                        || names.clone(),
                        |known| {
                            known
                                .into_iter()
                                .filter(|name| names.contains(name))
                                .collect()
                        },
                    ))
                }
                Err(failure) => failures.push(failure),
            }
        }
        (unknown.unwrap_or_default(), failures)
    }

    /// The upstreams that are read with what callers bring.
    pub fn of_callers(&self) -> &[(Arc<str>, Kind)] {
        &self.of_callers
    }

    /// By how many seconds an upstream's clock is ahead of ours.
    pub fn clock_ahead(&self, id: UpstreamId) -> Option<i64> {
        let at = |status: &Arc<Status>| status.id == id;
        let place = self.statuses.iter().position(at)?;
        self.openings.get(place)?.settings.line.clock_ahead()
    }

    /// Every upstream, in the order of the configuration.
    pub fn statuses(&self) -> &[Arc<Status>] {
        &self.statuses
    }

    /// How the connection to each upstream is, by its name.
    pub fn connections(&self) -> Vec<(&str, Connection<'_>)> {
        let all = self.openings.iter().map(|opening| &opening.settings);
        all.filter_map(|settings| Some((&*settings.name, settings.line.now()?)))
            .collect()
    }

    /// One upstream.
    pub fn status(&self, id: UpstreamId) -> Option<&Arc<Status>> {
        self.statuses.iter().find(|status| status.id == id)
    }

    /// One upstream by its name.
    pub fn upstream_named(&self, name: &str) -> Option<UpstreamId> {
        self.statuses
            .iter()
            .find(|status| &*status.name == name)
            .map(|status| status.id)
    }

    /// Asks every upstream for a sign of life, at once, and notes what came.
    pub async fn probe(&self) {
        self.probe_if(|_| true).await;
    }

    /// The same for those of these names.
    pub async fn probe_these(&self, names: &[Arc<str>]) {
        self.probe_if(|name| names.contains(name)).await;
    }

    async fn probe_if(&self, is_meant: impl Fn(&Arc<str>) -> bool) {
        let consoles = self
            .consoles
            .iter()
            .map(|console| console.shared())
            .filter(|console| is_meant(console.name()))
            .map(|console| console.probe().boxed());
        let histories = self
            .histories
            .iter()
            .map(|history| history.shared())
            .filter(|history| is_meant(history.name()))
            .map(|history| history.probe().boxed());
        let agents = self
            .agents
            .iter()
            .map(|agents| agents.shared())
            .filter(|agents| is_meant(agents.name()))
            .map(|agents| agents.probe().boxed());
        meter::probing(join_all(consoles.chain(histories).chain(agents))).await;
    }

    /// Keeps sessions open that would end when idle.
    pub async fn keep_alive(&self) {
        meter::probing(join_all(
            self.histories
                .iter()
                .map(|history| history.shared().keep_alive()),
        ))
        .await;
    }

    /// Closes the sessions that upstreams keep for us.
    pub async fn close(&self) {
        join_all(
            self.histories
                .iter()
                .map(|history| history.shared().close()),
        )
        .await;
    }
}
