//! `TrendPoint`: how a job's runs went within one hour, day or week; and how many of them
//! succeeded.

use super::health::Health;
use crate::graph::schema::scalars::{DateTime, int};
use crate::{
    estate::{
        Failure,
        sessions::{MatchedSession, Sessions},
    },
    loaders::budget::Budget,
    time,
};
use async_graphql::{Enum, SimpleObject};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How long one point of a trend is. All begin and end in UTC.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// One hour.
    Hour,
    /// One day.
    Day,
    /// One week, from Monday.
    Week,
}

/// The runs that began within one hour, day or week.
#[derive(SimpleObject, Clone, Debug, PartialEq)]
pub struct TrendPoint {
    /// When the hour, day or week began, in UTC.
    at: DateTime,
    /// How many runs began in it.
    sessions: i32,
    /// How many of them failed.
    failed: i32,
    /// How long those that ended took on average, in seconds; null if none ended.
    avg_seconds: Option<f64>,
    /// How long the longest took, in seconds; null if none ended.
    max_seconds: Option<i32>,
}

impl crate::graph::writer::direct::DirectFields for TrendPoint {}

impl Bucket {
    /// When the hour, day or week of an instant began. UTC has neither summer time nor, as clocks
    /// count, seconds that others lack, so this is a division; weeks begin on Mondays, and the
    /// first second that there is was one of a Thursday.
    fn start(self, instant: Timestamp) -> Option<Timestamp> {
        const HOUR: i64 = 3_600;
        const DAY: i64 = 24 * HOUR;
        let (length, ahead) = match self {
            Bucket::Hour => (HOUR, 0),
            Bucket::Day => (DAY, 0),
            Bucket::Week => (7 * DAY, 3 * DAY),
        };
        // whole seconds of an instant before 1970 are rounded towards it
        let floor = instant.as_millisecond().div_euclid(1_000);
        let since_start = (floor + ahead).rem_euclid(length);
        Timestamp::from_second(floor - since_start).ok()
    }
}

/// When a run began, if it did since then, how it went, and how many seconds it took.
fn since(run: &MatchedSession, since: Timestamp) -> Option<(Timestamp, Health, Option<i64>)> {
    let row = &run.row;
    let created = row.created.filter(|created| *created >= since)?;
    Some((
        created,
        Health::of_session(row.state.as_deref(), row.result.as_deref()),
        time::seconds_between(row.created, row.ended),
    ))
}

/// The points that runs since then make, oldest first; hours, days and weeks without a run have
/// none.
pub async fn trend(
    budget: &Budget,
    runs: &Sessions,
    from: Timestamp,
    bucket: Bucket,
) -> Vec<TrendPoint> {
    #[derive(Default)]
    struct Sum {
        sessions: i32,
        failed: i32,
        /// Of those that ended: how many, how long all of them together, and the longest.
        ended: i64,
        seconds: i64,
        longest: Option<i64>,
    }
    let mut sums: BTreeMap<Timestamp, Sum> = BTreeMap::new();
    let count = |run: &MatchedSession| {
        let Some((created, health, seconds)) = since(run, from) else {
            return;
        };
        let Some(start) = bucket.start(created) else {
            return;
        };
        let sum = sums.entry(start).or_default();
        sum.sessions += 1;
        sum.failed += i32::from(health == Health::Failed);
        if let Some(seconds) = seconds {
            sum.ended += 1;
            sum.seconds = sum.seconds.saturating_add(seconds);
            sum.longest = sum.longest.max(Some(seconds));
        }
    };
    budget.each(&runs.rows, count).await;
    let point = |(at, sum): (Timestamp, Sum)| TrendPoint {
        at: DateTime(at),
        sessions: sum.sessions,
        failed: sum.failed,
        avg_seconds: (sum.ended > 0).then(|| sum.seconds as f64 / sum.ended as f64),
        max_seconds: int(sum.longest),
    };
    sums.into_iter().map(point).collect()
}

/// Runs to count: numbers of half a history would be wrong.
pub fn whole(runs: Result<Sessions, Failure>) -> Result<Sessions, Failure> {
    runs.and_then(|runs| match runs.problem {
        Some(problem) => Err(problem),
        None => Ok(runs),
    })
}

/// Which part of the runs that began since then, and ended, ended well (warnings are not well);
/// none where none ended.
pub async fn success_rate(budget: &Budget, all: &[Sessions], from: Timestamp) -> Option<f64> {
    let (mut ended, mut succeeded) = (0_u32, 0_u32);
    for runs in all {
        let count = |run: &MatchedSession| {
            let Some((_, health, _)) = since(run, from) else {
                return;
            };
            ended += u32::from(matches!(
                health,
                Health::Success | Health::Warning | Health::Failed
            ));
            succeeded += u32::from(health == Health::Success);
        };
        budget.each(&runs.rows, count).await;
    }
    (ended > 0).then(|| f64::from(succeeded) / f64::from(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_days_and_weeks_begin_where_utc_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // a Friday
        let instant = at("2026-11-20T12:34:56.789Z");
        for (bucket, start) in [
            (Bucket::Hour, "2026-11-20T12:00:00Z"),
            (Bucket::Day, "2026-11-20T00:00:00Z"),
            (Bucket::Week, "2026-11-16T00:00:00Z"),
        ] {
            assert_eq!(bucket.start(instant), Some(at(start)), "{bucket:?}");
            assert_eq!(bucket.start(at(start)), Some(at(start)), "{bucket:?}");
        }
        // a Wednesday, half a second before the first second
        for (bucket, start) in [
            (Bucket::Hour, "1969-12-31T23:00:00Z"),
            (Bucket::Day, "1969-12-31T00:00:00Z"),
            (Bucket::Week, "1969-12-29T00:00:00Z"),
        ] {
            let instant = at("1969-12-31T23:59:59.5Z");
            assert_eq!(bucket.start(instant), Some(at(start)), "{bucket:?}");
        }
    }
}
