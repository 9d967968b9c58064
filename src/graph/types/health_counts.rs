//! `HealthCounts`: how many are doing how.

use super::health::Health;
use async_graphql::SimpleObject;

/// How many are doing how.
#[derive(SimpleObject, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthCounts {
    /// All of them.
    total: i32,
    /// With health `SUCCESS`.
    success: i32,
    /// With health `WARNING`.
    warning: i32,
    /// With health `FAILED`.
    failed: i32,
    /// With health `RUNNING`.
    running: i32,
    /// With health `WAITING`.
    waiting: i32,
    /// With health `IDLE`.
    idle: i32,
    /// With health `NEVER_RAN`.
    never_ran: i32,
    /// With health `UNKNOWN`.
    unknown: i32,
}

impl HealthCounts {
    /// Counts one.
    pub fn count(&mut self, health: Health) {
        self.total += 1;
        *match health {
            Health::Success => &mut self.success,
            Health::Warning => &mut self.warning,
            Health::Failed => &mut self.failed,
            Health::Running => &mut self.running,
            Health::Waiting => &mut self.waiting,
            Health::Idle => &mut self.idle,
            Health::NeverRan => &mut self.never_ran,
            Health::Unknown => &mut self.unknown,
        } += 1;
    }

    /// How many need somebody: failed, with warnings, or of unknown health.
    pub fn problems(&self) -> i32 {
        self.failed + self.warning + self.unknown
    }

    /// How many failed.
    pub fn failures(&self) -> i32 {
        self.failed
    }
}

impl std::ops::Add for HealthCounts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            success: self.success + other.success,
            warning: self.warning + other.warning,
            failed: self.failed + other.failed,
            running: self.running + other.running,
            waiting: self.waiting + other.waiting,
            idle: self.idle + other.idle,
            never_ran: self.never_ran + other.never_ran,
            unknown: self.unknown + other.unknown,
        }
    }
}
