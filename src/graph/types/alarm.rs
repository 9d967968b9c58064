//! `Alarm`: something that Service Provider Console found worth somebody's attention.

use super::{backup_server::BackupServer, company::Company, job::Job, origin::Origin};
use crate::graph::writer::linked::Linked;
use crate::graph::{
    all_consoles::{all_placed, is_from, is_of, may_name_upstreams},
    error,
    filters::{
        boolean_filter::{Prepared, boolean_filter},
        conditions::{Names, OneOf, Words},
        duration::DurationInput,
        references::{Named, must_be_there},
    },
    loaders, nullable,
    paging::{
        connection::connection,
        page::{self, ListMark, PageArgs, SortValue},
    },
    schema::{
        hidden_fields,
        id::Key,
        scalars::{DateTime, UUID, int, summary, text},
    },
};
use crate::{
    estate::{AlarmKey, CompanyKey, Estate, Failure, ServerKey, console::protection::PlacedAlarm},
    loaders::{company::CompanyOf, protection::AlarmsOf, server::ServerOf},
    time,
    upstream::vspc,
};
use async_graphql::{Context, Description, Enum, ID, InputObject, Object, Result};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use veeam_graph_macros::direct_fields;

/// How bad an alarm is now.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is broken (`Error`).
    Error,
    /// Something may break (`Warning`).
    Warning,
    /// The upstream does not know, or uses a word that this gateway does not.
    Unknown,
    /// Good to know (`Info`).
    Info,
    /// Somebody has seen it (`Acknowledged`).
    Acknowledged,
    /// It is over (`Resolved`). The console goes on listing such alarms.
    Resolved,
}

impl Severity {
    fn of(word: Option<&str>) -> Self {
        match word
            .map(str::trim)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "info" => Severity::Info,
            "acknowledged" => Severity::Acknowledged,
            "resolved" => Severity::Resolved,
            _ => Severity::Unknown,
        }
    }
}

/// How bad the alarm of a row is.
pub fn severity(alarm: &vspc::alarm::Alarm) -> Severity {
    Severity::of(
        alarm
            .last_activation
            .as_ref()
            .and_then(|activation| activation.status.as_deref()),
    )
}

/// Whether it still needs somebody.
pub fn is_open(alarm: &vspc::alarm::Alarm) -> bool {
    matches!(
        severity(alarm),
        Severity::Error | Severity::Warning | Severity::Unknown
    )
}

/// Filters alarms. A filter matches if all of its members match.
#[derive(InputObject, Clone, Debug, Default)]
pub struct AlarmFilter {
    /// Alarms from these upstreams, by their names in the gateway's configuration.
    upstream: Option<Names>,
    /// Alarms that are this bad.
    severity: Option<OneOf<Severity>>,
    /// Alarms about things of this company.
    company_uid: Option<UUID>,
    /// Alarms about things of these types, as the upstream reports it, ignoring case:
    /// `BackupServerJob` …
    object_type: Option<Words>,
    /// Alarms that were last triggered within this time up to now.
    within: Option<DurationInput>,
    /// Alarms that were last triggered at this instant or later.
    since: Option<DateTime>,
    /// Matches if all of these filters match.
    and: Option<Vec<AlarmFilter>>,
    /// Matches if at least one of these filters matches. An empty list matches nothing.
    or: Option<Vec<AlarmFilter>>,
    /// Matches if this filter does not match.
    not: Option<Box<AlarmFilter>>,
}

boolean_filter!(AlarmFilter);

impl AlarmFilter {
    /// With its length of time as an instant.
    fn with_instant(&self, estate: &Estate) -> Result<(&Self, Option<Timestamp>)> {
        Ok((
            self,
            self.within.map(|within| within.ago(estate)).transpose()?,
        ))
    }

    fn holds(
        &self,
        estate: &Estate,
        triggered_since: Option<Timestamp>,
        alarm: &PlacedAlarm,
    ) -> bool {
        let row = &alarm.row;
        let (at, object) = (triggered_at(row), row.object.as_ref());
        let kind = object
            .and_then(|object| object.r#type.as_deref())
            .unwrap_or_default();
        is_from(estate, row.upstream(), self.upstream.as_ref())
            && self
                .severity
                .as_ref()
                .is_none_or(|severities| severities.contains(&severity(row)))
            && self
                .company_uid
                .is_none_or(|wanted| is_of(&alarm.company, wanted))
            && self
                .object_type
                .as_ref()
                .is_none_or(|kinds| kinds.contains(kind))
            && triggered_since.is_none_or(|since| time::is_within(at, since, estate.now()))
            && self
                .since
                .is_none_or(|since| time::is_within(at, since.0, estate.now()))
    }
}

fn triggered_at(alarm: &vspc::alarm::Alarm) -> Option<Timestamp> {
    alarm
        .last_activation
        .as_ref()
        .and_then(|activation| activation.time)
}

/// Every alarm of every console.
pub fn all_alarms<'a>(ctx: &'a Context<'a>) -> BoxFuture<'a, (Vec<PlacedAlarm>, Vec<Failure>)> {
    all_placed(ctx, AlarmsOf)
}

/// Filters and cuts alarms: the worst first, and of these the latest.
pub async fn alarm_page(
    ctx: &Context<'_>,
    alarms: Vec<PlacedAlarm>,
    problems: &[Failure],
    parent: &str,
    filter: Option<AlarmFilter>,
    args: &PageArgs,
) -> Result<AlarmConnection> {
    let (filter, estate) = (filter.unwrap_or_default(), loaders(ctx).estate());
    may_name_upstreams(ctx, &filter, |filter| filter.upstream.as_ref())?;
    let named = |filter: &AlarmFilter| Named {
        company: filter.company_uid,
        ..Named::default()
    };
    let whose = |alarm: &PlacedAlarm| {
        (
            alarm.company.clone().ok().flatten(),
            alarm.server.clone().ok().flatten(),
        )
    };
    let problems = must_be_there(ctx, &filter, named, &alarms, whose, problems.to_vec()).await?;
    let wanted = Prepared::of(&filter, &|filter| AlarmFilter::with_instant(filter, estate))?;
    let mark = || ListMark::of(&["alarms", parent, &format!("{filter:?}")]);
    let alarms = wanted
        .keep(ctx, alarms, |(filter, since), alarm| {
            filter.holds(estate, *since, alarm)
        })
        .await?;
    let values = |alarm: &PlacedAlarm| {
        vec![
            SortValue::Number(severity(&alarm.row) as i64),
            SortValue::instant(triggered_at(&alarm.row)),
        ]
    };
    let identity =
        |alarm: &PlacedAlarm| format!("{}:{}", alarm.row.upstream().0, alarm.row.instance_uid);
    let page = page::cut(ctx, alarms, args, mark, &[false, true], values, identity).await?;
    Ok(AlarmConnection::new(ctx, page, &problems, Alarm::from))
}

/// Something that Service Provider Console found worth somebody's attention. Source:
/// `GET /alarms/active`, which also lists alarms that are resolved.
#[derive(Description)]
pub struct Alarm(PlacedAlarm);

connection! {
    /// A page of a list of alarms.
    AlarmConnection, AlarmEdge, Alarm
}

impl From<PlacedAlarm> for Alarm {
    fn from(alarm: PlacedAlarm) -> Self {
        Self(alarm)
    }
}

impl Alarm {
    fn object(&self) -> Option<&vspc::alarm::AlarmObject> {
        self.0.row.object.as_ref()
    }

    fn activation(&self) -> Option<&vspc::alarm::AlarmActivation> {
        self.0.row.last_activation.as_ref()
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Alarm {
    /// The node id: unique across all types.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Alarm(AlarmKey {
            upstream: self.0.row.upstream(),
            alarm: self.0.row.instance_uid,
        })
        .encode(loaders(ctx).estate())
    }

    /// The alarm's id in Service Provider Console.
    async fn uid(&self) -> UUID {
        UUID(self.0.row.instance_uid.0)
    }

    /// How bad it is now, in the gateway's own words.
    #[graphql(name = "severity")]
    async fn severity_field(&self) -> Severity {
        severity(&self.0.row)
    }

    /// The upstream's own word for that, for example `Error`. Empty when it gives none.
    async fn status(&self) -> &str {
        self.activation()
            .and_then(|activation| activation.status.as_deref())
            .unwrap_or_default()
    }

    /// What caused it, as the upstream reports it, of many lines; null if there is no message.
    async fn message(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(
            ctx,
            self.activation()
                .and_then(|activation| text(&activation.message)),
        )
    }

    /// The first line of `message`, trimmed; null if there is none.
    async fn summary(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(
            ctx,
            self.activation()
                .and_then(|activation| summary(&activation.message)),
        )
    }

    /// What somebody wrote when they resolved it; null for nothing.
    async fn remark(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::failure_message(
            ctx,
            self.activation()
                .and_then(|activation| text(&activation.remark)),
        )
    }

    /// When it was last triggered; null if unknown.
    async fn last_activation(&self) -> Option<DateTime> {
        triggered_at(&self.0.row).map(DateTime)
    }

    /// How often it has changed its status; null if unknown.
    async fn repeat_count(&self) -> Option<i32> {
        int(self.0.row.repeat_count)
    }

    /// Who found it, as the upstream reports it: `vspc` or `vone`; null if unknown.
    async fn area(&self) -> Option<&str> {
        text(&self.0.row.area)
    }

    /// The type of what it is about, as the upstream reports it: `BackupServerJob`, `BackupServer`,
    /// `Company` …; null if unknown.
    async fn object_type(&self) -> Option<&str> {
        self.object().and_then(|object| text(&object.r#type))
    }

    /// The name of what it is about; null if unknown.
    async fn object_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(
            ctx,
            self.object().and_then(|object| text(&object.object_name)),
        )
    }

    /// The id of what it is about; null if unknown.
    async fn object_uid(&self) -> Option<UUID> {
        self.object()
            .and_then(|object| object.object_uid)
            .map(|uid| UUID(uid.0))
    }

    /// The machine on which that is; null if unknown.
    async fn computer(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        hidden_fields::host_name(
            ctx,
            self.object().and_then(|object| text(&object.computer_name)),
        )
    }

    /// The company that it is about: of an alarm about a job the job's, else the one that the
    /// upstream names; null if it belongs to no company.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<Linked<Company>>> {
        let company = match &self.0.company {
            Ok(company) => (*company)?,
            Err(failure) => return Some(Err(error::upstream(failure))),
        };
        let key = CompanyKey {
            upstream: self.0.row.upstream(),
            company,
        };
        nullable(
            loaders(ctx)
                .row(CompanyOf(key))
                .await
                .map(|row| row.map(|row| Linked(Company::from(row)))),
        )
    }

    /// The job that it is about; null when it is about something else, or that job is not listed.
    async fn job(&self) -> Option<Result<Job>> {
        nullable(self.0.job.clone().map(|job| job.map(Job::from)))
    }

    /// The backup server that it is about, or on which its job is; null when it is about something
    /// else.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<Linked<BackupServer>>> {
        let server = match &self.0.server {
            Ok(server) => (*server)?,
            Err(failure) => return Some(Err(error::upstream(failure))),
        };
        let key = ServerKey {
            upstream: self.0.row.upstream(),
            server,
        };
        nullable(
            loaders(ctx)
                .row(ServerOf(key))
                .await
                .map(|row| row.map(|row| Linked(BackupServer::from(row)))),
        )
    }

    /// The upstream that this object was read from, and how old the data is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0.row)
    }
}
