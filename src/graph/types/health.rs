//! One word for how things are, whatever the upstream calls it.

use async_graphql::Enum;

/// How a job, a machine or a session is doing: the upstreams' words, normalised. The raw word is
/// beside it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// The last run succeeded (`Success`).
    Success,
    /// The last run ended with warnings (`Warning`).
    Warning,
    /// The last run failed (`Failed`).
    Failed,
    /// It is running now (`Running`, `Starting`, `Stopping`, `Working`, `Pausing`, `Resuming`).
    Running,
    /// It waits for a tape or a repository (`WaitingTape`, `WaitingRepository`); this can last
    /// days.
    Waiting,
    /// It waits for its next trigger and is well (`Idle`): the usual state of continuous tape and
    /// copy jobs.
    Idle,
    /// It never ran: there is no last run, and the word is `None` or missing.
    NeverRan,
    /// The upstream does not know, or uses a word that this gateway does not.
    Unknown,
}

impl Health {
    /// From the upstream's word and whether there was a run, ignoring case.
    pub fn of(word: Option<&str>, has_run: bool) -> Self {
        match word
            .map(str::trim)
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "success" => Health::Success,
            "warning" => Health::Warning,
            "failed" => Health::Failed,
            "running" | "starting" | "stopping" | "working" | "pausing" | "resuming" => {
                Health::Running
            }
            "waitingtape" | "waitingrepository" => Health::Waiting,
            "idle" => Health::Idle,
            "none" | "" if !has_run => Health::NeverRan,
            _ => Health::Unknown,
        }
    }

    /// From the word of a task, which has two more.
    pub fn of_task(word: Option<&str>, has_run: bool) -> Self {
        match word.map(str::trim) {
            Some(word) if word.eq_ignore_ascii_case("InProgress") => Health::Running,
            Some(word) if word.eq_ignore_ascii_case("Pending") => Health::Waiting,
            word => Health::of(word, has_run),
        }
    }

    /// From a session's result, or its state while it has none.
    pub fn of_session(state: Option<&str>, result: Option<&str>) -> Self {
        match result
            .filter(|result| !result.trim().is_empty() && !result.eq_ignore_ascii_case("None"))
        {
            Some(result) => Health::of(Some(result), true),
            None => Health::of(state, true),
        }
    }

    /// The number that dashboards use.
    pub fn code(self) -> i32 {
        match self {
            Health::NeverRan | Health::Unknown => 0,
            Health::Success => 1,
            Health::Warning => 2,
            Health::Failed => 3,
            Health::Idle | Health::Waiting => 4,
            Health::Running => 5,
        }
    }

    /// Its place when the worst comes first.
    pub fn rank(self) -> i64 {
        match self {
            Health::Failed => 0,
            Health::Warning => 1,
            Health::Unknown => 2,
            Health::NeverRan => 3,
            Health::Waiting => 4,
            Health::Running => 5,
            Health::Idle => 6,
            Health::Success => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_vendors_has_its_health_in_any_case() {
        for (words, health) in [
            (&["Success", "success", "SUCCESS"][..], Health::Success),
            (&["Warning", "warning"], Health::Warning),
            (&["Failed", "failed"], Health::Failed),
            (
                &[
                    "Running", "starting", "Stopping", "Working", "Pausing", "Resuming",
                ],
                Health::Running,
            ),
            (&["WaitingTape", "waitingRepository"], Health::Waiting),
            (&["Idle", "idle"], Health::Idle),
            (
                &["Unknown", "Enabling", "Disabling", "SomethingNew"],
                Health::Unknown,
            ),
        ] {
            for word in words {
                assert_eq!(Health::of(Some(word), true), health, "{word}");
                assert_eq!(Health::of(Some(word), false), health, "{word}");
            }
        }
        for never in [Some("None"), Some("none"), Some(""), None] {
            assert_eq!(Health::of(never, false), Health::NeverRan);
            assert_eq!(Health::of(never, true), Health::Unknown);
        }
    }

    #[test]
    fn a_session_without_a_result_is_as_its_state_says() {
        assert_eq!(
            Health::of_session(Some("Working"), Some("None")),
            Health::Running
        );
        assert_eq!(
            Health::of_session(Some("Stopped"), Some("Failed")),
            Health::Failed
        );
        assert_eq!(Health::of_session(Some("Stopped"), None), Health::Unknown);
        assert_eq!(Health::of_session(None, None), Health::Unknown);
    }
}
