//! `DurationInput`: how long ago, in words that people use.

use crate::estate::Estate;
use crate::graph::error::bad_input;
use async_graphql::{InputObject, Result};
use jiff::{SignedDuration, Timestamp};

/// A length of time up to now: its members are added. Say an instant (`since`) instead where the
/// same rows must come again.
#[derive(InputObject, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurationInput {
    /// Days of 24 hours.
    days: Option<i32>,
    /// Hours.
    hours: Option<i32>,
    /// Minutes.
    minutes: Option<i32>,
}

/// Nothing is known from longer ago.
const MOST_DAYS: i64 = 3_650;

impl DurationInput {
    /// A day.
    pub const DAY: Self = Self {
        days: Some(1),
        hours: None,
        minutes: None,
    };

    /// The instant that long ago.
    pub fn ago(self, estate: &Estate) -> Result<Timestamp> {
        let members = [self.days, self.hours, self.minutes];
        let minutes: i64 = members
            .iter()
            .zip([1_440, 60, 1])
            .map(|(count, minutes)| i64::from(count.unwrap_or(0)) * minutes)
            .sum();
        if members.iter().flatten().any(|count| *count < 0)
            || minutes == 0
            || minutes > MOST_DAYS * 1_440
        {
            return Err(bad_input(format!(
                "A length of time must be more than nothing and at most {MOST_DAYS} days, of `days`, `hours` and `minutes` that are not negative, for example {{ hours: 24 }}."
            )));
        }
        estate
            .now()
            .checked_sub(SignedDuration::from_mins(minutes))
            .map_err(|_| bad_input("That is too long ago."))
    }
}
