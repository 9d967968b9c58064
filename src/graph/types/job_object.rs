//! `JobObject`: what a job protects, if it is no agent job.

use super::{health::Health, job::Job, origin::Origin};
use crate::graph::{
    all_consoles::contains,
    filters::{
        boolean_filter::{BooleanFilter, Prepared, boolean_filter},
        conditions::{OneOf, Part},
    },
    loaders,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    rows_of,
    schema::{
        hidden_fields,
        scalars::{DateTime, Long, UUID, int, long, summary, text},
    },
};
use crate::{
    estate::RowRef,
    loaders::job::{JobObjectsOf, JobRow},
    time,
    upstream::vspc::{
        self,
        job_object::{self, LastSession},
    },
};
use async_graphql::{
    ComplexObject, Context, Description, InputObject, Object, Result, SimpleObject,
};
use veeam_graph_macros::direct_fields;

/// A row of a list of objects.
pub type Row = RowRef<job_object::JobObject>;

/// Filters objects of a job. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct JobObjectFilter {
    /// Objects in one of these states.
    health: Option<OneOf<Health>>,
    /// Objects whose name (or host's name, or path) contains this, ignoring case.
    name_contains: Option<Part>,
    /// Objects that are excluded from the job, or are not.
    is_excluded: Option<bool>,
    /// Matches if all of these filters match.
    and: Option<Vec<JobObjectFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<JobObjectFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<JobObjectFilter>>,
}

boolean_filter!(JobObjectFilter);

impl JobObjectFilter {
    fn holds(&self, row: &Row) -> bool {
        self.health
            .as_ref()
            .is_none_or(|healths| healths.contains(&health_of(row)))
            && contains(name_of(row), self.name_contains.as_ref())
            && self
                .is_excluded
                .is_none_or(|excluded| row.is_excluded.unwrap_or(false) == excluded)
    }
}

/// What a job protects: a virtual machine, a file share, an object storage, files of a host.
/// Machines in agent jobs are `AgentJobObject`s. Source:
/// `GET /infrastructure/backupServers/jobs/backupVmJobs/objects`, or the same of the job's kind
/// (`replicationVmJobs`, `cdpReplicationJobs`, `fileShareJobs`, `fileShareCopyJobs`,
/// `objectStorageBackupJobs`, `objectStorageBackupCopyJobs`, `fileTapeJobs`).
#[derive(Description)]
pub struct JobObject {
    row: Row,
    job: JobRow,
    /// Its place among those that its job protects.
    place: usize,
}

connection! {
    /// A page of a list of what a job protects.
    JobObjectConnection, JobObjectEdge, JobObject
}

/// Files that a job protects.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub struct ProtectedPath {
    #[graphql(skip)]
    path: Option<String>,
    /// What is there, as the upstream reports it: `File`, `Directory`; null if unknown.
    r#type: Option<String>,
    /// Only files with these names, or names like these; null if unknown.
    inclusion_masks: Option<Vec<String>>,
    /// Not files with these names, or names like these; null if unknown.
    exclusion_masks: Option<Vec<String>>,
}

#[ComplexObject]
impl ProtectedPath {
    /// Where they are; null if unknown.
    async fn path(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, self.path.as_deref())
    }
}

/// How many files the last session saw.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct FileCounts {
    /// In all sources; null if unknown.
    source: Option<Long>,
    /// Changed since the session before; null if unknown.
    changed: Option<Long>,
    /// Left out; null if unknown.
    skipped: Option<Long>,
    /// Backed up; null if unknown.
    backed_up: Option<Long>,
}

/// How continuous replication of a machine went in the last day.
#[derive(SimpleObject, Clone, Debug)]
pub struct CdpStatistics {
    /// Which part of the sessions met the recovery point objective, in percent; null if unknown.
    sla_percent: Option<i32>,
    /// What slows it down, as the upstream reports it: `Source`, `Network`, `TargetDisk` …; null if
    /// unknown.
    bottleneck: Option<String>,
    /// How much longer than the objective saving took at most, in seconds; null if unknown.
    max_delay_seconds: Option<Long>,
    /// How long a session takes on average, in seconds; null if unknown.
    avg_duration_seconds: Option<Long>,
    /// How long the longest took, in seconds; null if unknown.
    max_duration_seconds: Option<Long>,
    /// How long a session is meant to take, in seconds; null if unknown.
    interval_seconds: Option<i32>,
    /// How many sessions succeeded; null if unknown.
    successful_sessions_count: Option<i32>,
    /// How many failed; null if unknown.
    failed_sessions_count: Option<i32>,
    /// How many ended with warnings; null if unknown.
    warnings_count: Option<i32>,
    /// How much was sent in all, in bytes; null if unknown.
    transferred_bytes: Option<Long>,
}

fn name_of(row: &Row) -> &str {
    text(&row.name)
        .or(text(&row.host_name))
        .or(text(&row.path))
        .unwrap_or_default()
}

/// The word is of the last session, or of the task where sessions never end.
fn health_of(row: &Row) -> Health {
    let session = row.last_session.as_ref();
    let word = session
        .and_then(|session| session.backup_status.as_deref())
        .or(row.status.as_deref());
    Health::of_task(
        word,
        session.is_some() || row.last_session_end_time.is_some(),
    )
}

/// What a job protects, filtered and cut, by name.
pub async fn object_page(
    ctx: &Context<'_>,
    job: &JobRow,
    filter: Option<JobObjectFilter>,
    args: PageArgs,
) -> Result<JobObjectConnection> {
    let (rows, problems) = rows_of(
        loaders(ctx)
            .ask(JobObjectsOf(job.clone()), Default::default())
            .await,
    );
    let filter = filter.unwrap_or_default();
    hidden_fields::may_ask_for_host_names(
        ctx,
        filter.asks(|filter| filter.name_contains.is_some()),
    )?;
    let names_are_hidden = hidden_fields::hidden(ctx).host_names;
    let mark = || ListMark::of(&["jobObjects", &format!("{:?} {filter:?}", job.key())]);
    let wanted = Prepared::of(&filter, &Ok)?;
    let rows = wanted
        .keep(ctx, rows, |filter, row| filter.holds(row))
        .await?;
    let objects = rows
        .into_iter()
        .enumerate()
        .map(|(place, row)| JobObject {
            row,
            job: job.clone(),
            place,
        })
        .collect();
    // a cursor holds what it sorts by, and so does the order itself
    let name = |object: &JobObject| {
        if names_are_hidden {
            String::new()
        } else {
            name_of(&object.row).to_owned()
        }
    };
    let identity = |object: &JobObject| match object.row.instance_uid {
        Some(uid) => uid.to_string(),
        None if names_are_hidden => object.place.to_string(),
        None => name(object),
    };
    let page = page::cut(
        ctx,
        objects,
        &args,
        mark,
        &[false],
        |object| vec![SortValue::name(&name(object))],
        identity,
    )
    .await?;
    Ok(JobObjectConnection::new(ctx, page, &problems, |object| {
        object
    }))
}

impl JobObject {
    /// The row that it is, and its job's.
    pub fn rows(&self) -> (&Row, &RowRef<vspc::job::Job>) {
        (&self.row, &self.job.0)
    }

    fn session(&self) -> Option<&LastSession> {
        self.row.last_session.as_ref()
    }

    fn ended(&self) -> Option<jiff::Timestamp> {
        self.session()
            .and_then(|session| session.end_time)
            .or(self.row.last_session_end_time)
    }

    /// What the last session said, if it did not just succeed.
    fn failure(&self) -> Option<String> {
        let said = || {
            self.session()
                .and_then(|session| session.messages.as_deref())
                .filter(|messages| !messages.is_empty())
        };
        let failed = matches!(health_of(&self.row), Health::Failed | Health::Warning);
        text(&self.row.failure_message)
            .map(str::to_owned)
            .or_else(|| {
                said()
                    .filter(|_| failed)
                    .map(|messages| messages.join("\n"))
            })
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl JobObject {
    /// The id of the machine, file share or object storage; null for files of a host.
    async fn uid(&self) -> Option<UUID> {
        self.row.instance_uid.map(|uid| UUID(uid.0))
    }

    /// Its name; null where it has none (a `path`, or a `hostName`).
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.row.name))
    }

    /// The platform of a virtual machine, as the upstream reports it: `vSphere`, `HyperV` …; null
    /// for anything else.
    async fn platform(&self) -> Option<&str> {
        text(&self.row.platform)
    }

    /// By what the platform knows a virtual machine; null for anything else.
    async fn hierarchy_ref(&self) -> Option<&str> {
        text(&self.row.hierarchy_ref)
    }

    /// The host whose files are written to tape; null for anything else.
    async fn host_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(ctx, text(&self.row.host_name))
    }

    /// The path of what a copy job protects; null for anything else.
    async fn path(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        // of a share, it begins with its host's name
        hidden_fields::host_name(ctx, text(&self.row.path))
    }

    /// The files that are protected; empty for virtual machines.
    async fn sources(&self) -> Vec<ProtectedPath> {
        let path = |source: &job_object::Source| ProtectedPath {
            path: text(&source.path).map(str::to_owned),
            r#type: text(&source.r#type).map(str::to_owned),
            inclusion_masks: source.inclusion_masks.clone(),
            exclusion_masks: source.exclusion_masks.clone(),
        };
        self.row.sources.iter().flatten().map(path).collect()
    }

    /// Whether the job leaves it out; null if unknown.
    async fn is_excluded(&self) -> Option<bool> {
        self.row.is_excluded
    }

    /// How its last backup went, or that one runs, in the gateway's own words.
    async fn health(&self) -> Health {
        health_of(&self.row)
    }

    /// `health` as a number for dashboards: 0 none or not known, 1 success, 2 warning, 3 failed, 4
    /// idle or waiting, 5 running.
    async fn status_code(&self) -> i32 {
        health_of(&self.row).code()
    }

    /// The upstream's own word for that. Empty when it gives none.
    async fn backup_status(&self) -> &str {
        let of_session = self
            .session()
            .and_then(|session| session.backup_status.as_deref());
        of_session
            .or(self.row.status.as_deref())
            .unwrap_or_default()
    }

    /// When its last backup began; null when there was none, and for what has no such time (files,
    /// object storages).
    async fn last_run(&self) -> Option<DateTime> {
        self.session()
            .and_then(|session| session.start_time)
            .map(DateTime)
    }

    /// When its last backup ended; null when there was none, while it runs, and for what has no
    /// such time.
    async fn last_end_time(&self) -> Option<DateTime> {
        self.ended().map(DateTime)
    }

    /// How long ago that was, in seconds; null if unknown. Counted when the answer was made.
    async fn age_seconds(&self, ctx: &Context<'_>) -> Option<i32> {
        int(time::age(self.ended(), loaders(ctx).estate().now()))
    }

    /// How long its last backup took, in seconds; null if unknown.
    async fn last_duration_seconds(&self) -> Option<i32> {
        int(self.session().and_then(|session| session.duration))
    }

    /// How much there was to protect, in bytes; null if unknown.
    async fn source_bytes(&self) -> Option<Long> {
        long(self.session().and_then(|session| session.source_size))
    }

    /// How much its backups take, in bytes; null if unknown.
    async fn backup_bytes(&self) -> Option<Long> {
        long(self.session().and_then(|session| session.total_backed_size))
    }

    /// How much its last backup moved, in bytes; null if unknown.
    async fn transferred_bytes(&self) -> Option<Long> {
        long(self.session().and_then(|session| session.transferred_size))
    }

    /// How many files its last backup saw; null for what has no files.
    async fn files(&self) -> Option<FileCounts> {
        let session = self.session()?;
        let counts = FileCounts {
            source: long(session.source_files_count),
            changed: long(session.changed_files_count),
            skipped: long(session.skipped_files_count),
            backed_up: long(session.backed_up_files_count),
        };
        [
            counts.source,
            counts.changed,
            counts.skipped,
            counts.backed_up,
        ]
        .iter()
        .any(Option::is_some)
        .then_some(counts)
    }

    /// How its continuous replication went; null for what is not replicated so.
    async fn cdp(&self) -> Option<CdpStatistics> {
        let row = &self.row;
        (row.sla.is_some() || row.interval_sec.is_some()).then(|| CdpStatistics {
            sla_percent: int(row.sla),
            bottleneck: text(&row.bottleneck).map(str::to_owned),
            max_delay_seconds: long(row.max_delay_sec),
            avg_duration_seconds: long(row.avg_duration_sec),
            max_duration_seconds: long(row.max_duration_sec),
            interval_seconds: int(row.interval_sec),
            successful_sessions_count: int(row.successful_sessions_count),
            failed_sessions_count: int(row.failed_sessions_count),
            warnings_count: int(row.warnings_count),
            transferred_bytes: long(
                row.total_transferred_data_kb
                    .and_then(|kilobytes| kilobytes.checked_mul(1_024)),
            ),
        })
    }

    /// What the last backup said, if it did not just succeed, of many lines; null when it did.
    async fn failure_message(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let failure = self.failure();
        hidden_fields::failure_message(ctx, failure.as_deref())
            .map(|message| message.map(str::to_owned))
    }

    /// The first line of `failureMessage`, trimmed; null if there is none.
    async fn failure_summary(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let failure = self.failure();
        hidden_fields::failure_message(ctx, summary(&failure))
            .map(|message| message.map(str::to_owned))
    }

    /// The job that protects it.
    async fn job(&self) -> Job {
        Job::from(self.job.0.clone())
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.row)
    }
}
