//! One invented estate: plain data, from which each simulated API is rendered in its vendor's
//! words.
//!
//! Nothing here knows of HTTP or of the gateway. Tests compute what an answer must be straight from
//! this.

use jiff::Timestamp;
use uuid::Uuid;

/// How large an estate is invented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// 4 servers, some 40 jobs: fits a screen.
    #[default]
    Small,
    /// 20 servers, 237 jobs, 300 machines, 2,370 sessions: a medium provider.
    Medium,
    /// 120 servers, 3,000 jobs, 10,000 machines, 90,000 sessions: a large one.
    Large,
    /// Ten times that: more than anybody is known to have.
    Huge,
}

/// An organization.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Company {
    pub uid: Uuid,
    pub name: String,
    pub kind: &'static str,
    pub city: &'static str,
}

/// A backup server, as both vendors know it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Server {
    pub uid: Uuid,
    /// Enterprise Manager's own number for it.
    pub managed_uid: Uuid,
    pub name: String,
    /// The name under which Enterprise Manager knows it: sometimes with a domain.
    pub managed_name: String,
    pub company: Uuid,
    pub version: &'static str,
    pub status: &'static str,
    /// Whether the console's map of Enterprise Managers has it; if not, host names must do.
    pub is_mapped: bool,
    /// Whether rows of this server carry the console's own ids (3.5.1 and later).
    pub has_unique_ids: bool,
    /// The server whose configuration it was restored from: same job ids.
    pub clone_of: Option<usize>,
}

/// A job.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Job {
    pub uid: Uuid,
    pub unique_uid: Uuid,
    pub server: usize,
    pub name: String,
    pub kind: &'static str,
    pub status: &'static str,
    pub mapped_company: Option<Uuid>,
    pub last_run: Option<Timestamp>,
    pub last_end: Option<Timestamp>,
    pub last_duration: Option<i64>,
    pub avg_duration: Option<i64>,
    pub transferred: Option<i64>,
    pub chain: Option<i64>,
    pub is_enabled: bool,
    pub schedule: &'static str,
    pub failure: Option<String>,
    pub destination: Option<String>,
    pub os: &'static str,
}

/// A machine in an agent job.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Machine {
    pub uid: Uuid,
    pub unique_uid: Uuid,
    pub agent: Uuid,
    /// Place of its job.
    pub job: usize,
    pub computer: String,
    pub status: &'static str,
    pub last_run: Option<Timestamp>,
    pub last_end: Option<Timestamp>,
    pub last_duration: Option<i64>,
    pub restore_points: i64,
    pub failure: Option<String>,
    pub repository: Uuid,
}

/// Which job reads which: of tape jobs and of backup copy jobs of both kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Link {
    pub server: usize,
    /// The reading job's place.
    pub job: usize,
    /// The id of the job that is read; not always one that exists.
    pub linked: Uuid,
}

/// What backup copy jobs have beside what every job has.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct CopyDetail {
    /// The job's place; `None` for a row whose parent job is gone.
    pub job: Option<usize>,
    pub uid: Uuid,
    pub unique_uid: Uuid,
    pub server: usize,
    pub target: Uuid,
    pub target_wan: Option<Uuid>,
    pub source_wan: Option<Uuid>,
    pub retention: &'static str,
    pub has_rpo: bool,
    pub rpo: i64,
    pub rpo_unit: &'static str,
}

/// A repository.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Repository {
    pub uid: Uuid,
    pub server: usize,
    pub name: String,
    /// In bytes; none where the console does not know.
    pub capacity: Option<i64>,
    pub free: Option<i64>,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each holds its place in the estate")]
pub enum Subject {
    Job(usize),
    Server(usize),
    Company(usize),
}

/// A triggered alarm.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Alarm {
    pub uid: Uuid,
    pub about: Subject,
    pub status: &'static str,
    pub at: Timestamp,
    pub message: &'static str,
    pub repeats: i64,
}

/// Which list a protected machine is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protected {
    /// Virtual machines.
    Vm,
    /// Computers that a backup server protects.
    Computer,
    /// Computers that the console protects.
    ConsoleComputer,
}

/// One row of a protected machine: there can be several of one.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Workload {
    pub kind: Protected,
    pub uid: Uuid,
    pub server: Option<usize>,
    /// The company that the row names: the server's owner.
    pub company: Uuid,
    pub name: String,
    /// The job that made the newest restore point, of virtual machines.
    pub job: Option<usize>,
    pub latest: Option<Timestamp>,
    pub restore_points: i64,
    pub bytes: i64,
}

/// What an organization uses of one licence.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct LicenseUse {
    pub company: usize,
    pub product: &'static str,
    pub workload: &'static str,
    pub unit: &'static str,
    pub used: f64,
    pub count: i64,
}

/// A session as Enterprise Manager remembers it.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Session {
    pub uid: Uuid,
    pub server: usize,
    pub job: Uuid,
    pub job_name: String,
    pub kind: &'static str,
    pub created: Timestamp,
    pub ended: Option<Timestamp>,
    pub state: &'static str,
    pub result: &'static str,
    pub progress: i64,
    pub failure: Option<String>,
    pub is_retry: bool,
    pub parent: Option<Uuid>,
    /// For tests: the place of the job that it is really of, and the machine.
    pub of_job: usize,
    /// For tests: the machine that a per-machine session is about.
    pub of_machine: Option<usize>,
}

/// A job of a standalone agent, in the v2 API.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct AgentJob {
    pub id: Uuid,
    pub name: String,
    pub status: &'static str,
    pub last_run: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
    pub size: i64,
    pub free: i64,
}

/// A standalone agent, in the v2 API.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Agent {
    pub id: Uuid,
    pub name: String,
    pub jobs: Vec<AgentJob>,
}

/// A place of an organization.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct Location {
    pub uid: Uuid,
    pub company: Uuid,
    pub name: String,
    pub kind: &'static str,
    pub quota_gb: i64,
}

/// An agent as the console lists it: those that backup servers manage too.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct ConsoleAgent {
    pub uid: Uuid,
    pub company: Uuid,
    pub name: String,
    /// Who manages it.
    pub mode: &'static str,
}

/// A job of such an agent.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the vendor's members")]
pub struct ConsoleJob {
    pub uid: Uuid,
    /// Its id on the agent, which is its id in the v2 API.
    pub original: Uuid,
    pub agent: Uuid,
    pub company: Uuid,
    pub name: String,
    pub status: &'static str,
    pub last_run: Option<Timestamp>,
    pub is_enabled: bool,
    pub bytes: i64,
    pub free: i64,
}

/// Everything.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "a list is named for its rows")]
pub struct Estate {
    /// The instant that all times are relative to.
    pub now: Timestamp,
    pub manager: Uuid,
    pub companies: Vec<Company>,
    pub servers: Vec<Server>,
    pub jobs: Vec<Job>,
    pub machines: Vec<Machine>,
    pub tape_links: Vec<Link>,
    pub copy_links: Vec<Link>,
    /// Of simple backup copy jobs.
    pub simple_copy_links: Vec<Link>,
    /// Tape jobs that read whole repositories: the job's place and the repository.
    pub tape_repositories: Vec<(usize, Uuid)>,
    pub copies: Vec<CopyDetail>,
    pub repositories: Vec<Repository>,
    pub sessions: Vec<Session>,
    pub agents: Vec<Agent>,
    pub alarms: Vec<Alarm>,
    pub workloads: Vec<Workload>,
    pub licenses: Vec<LicenseUse>,
    pub locations: Vec<Location>,
    pub console_agents: Vec<ConsoleAgent>,
    pub console_jobs: Vec<ConsoleJob>,
}
