//! The upstreams' timestamp forms, read into one: an instant, or nothing.
//!
//! Seen: RFC 3339 with none to seven fraction digits and any offset (Service Provider Console), UTC
//! with `Z` (Enterprise Manager), no zone at all (`0001-01-01T00:00:00` in VAC v2, the stamp in an
//! Enterprise Manager session's name). The years before 1990 and 9999 are words for 'never': .NET's
//! 0001, FILETIME's 1601, SQL Server's 1753 and 1900, OLE's 1899, Unix's 1970 and DOS's 1980, each
//! with any offset. No backup is that old.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserializer, de::Visitor};

/// Reads one upstream timestamp. A sentinel, or text that is no timestamp, is `None`: not known.
pub fn parse(text: &str) -> Option<Timestamp> {
    read(text).unwrap_or_default()
}

/// A text that is neither a time nor a word for 'never'.
struct Unreadable;

fn read(text: &str) -> Result<Option<Timestamp>, Unreadable> {
    let text = text.trim();
    // the last days of 9999 are later than any instant, and year 0 has no such day
    if matches!(text, "" | "-") || text.starts_with("9999-12-3") || text.starts_with("0000-00-00") {
        return Ok(None);
    }
    let instant = match text.parse::<Timestamp>() {
        Ok(instant) => instant,
        // without a zone the vendors mean UTC
        Err(_) => {
            let local = text.parse::<DateTime>().map_err(|_| Unreadable)?;
            local
                .to_zoned(TimeZone::UTC)
                .map_err(|_| Unreadable)?
                .timestamp()
        }
    };
    let year = instant.to_zoned(TimeZone::UTC).year();
    Ok((1990..=9990).contains(&year).then_some(instant))
}

/// The start time in an Enterprise Manager session name, `Policy - machine@2018-12-16 10:00:08`:
/// after the last `@`.
pub fn from_session_name(name: &str) -> Option<Timestamp> {
    parse(name.rsplit_once('@')?.1)
}

/// For `#[serde(deserialize_with)]`: missing, null, empty and sentinel are `None`. A text that is
/// no time is an error: what it would say of a row (never ran, recent, old) can't be told.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    deserializer.deserialize_any(Instant)
}

struct Instant;

impl<'de> Visitor<'de> for Instant {
    type Value = Option<Timestamp>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a time")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        read(text).map_err(|Unreadable| E::custom("not a time"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// How far a server's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Whether an instant is between `since` and now: what lies up to five minutes ahead happened just
/// now, on a server whose clock is ahead of ours; what lies further ahead is no time at which
/// anything can have happened.
pub fn is_within(at: Option<Timestamp>, since: Timestamp, now: Timestamp) -> bool {
    let latest = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    at.is_some_and(|at| at >= since && at <= latest)
}

/// Whole seconds from `start` to `end`; `None` while running, and never negative.
pub fn seconds_between(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<i64> {
    let seconds = end?.as_second() - start?.as_second();
    (seconds >= 0).then_some(seconds)
}

/// Whole seconds from an instant until now; 0 where a server's clock is ahead of ours.
pub fn age(at: Option<Timestamp>, now: Timestamp) -> Option<i64> {
    Some((now.as_second() - at?.as_second()).max(0))
}

/// The form that leaves us: RFC 3339 in UTC with as many fraction digits as there are.
pub fn render(instant: Timestamp) -> String {
    instant.to_string()
}

/// What time it is: the system's clock, or a fixed instant in tests.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// Always this instant.
    Fixed(Timestamp),
}

impl Clock {
    /// The present instant.
    pub fn now(self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Fixed(instant) => instant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<String> {
        parse(text).map(render)
    }

    #[test]
    fn every_form_in_the_vendor_samples_is_read() {
        assert_eq!(
            utc("2020-03-14T20:10:00.0000000+00:00").as_deref(),
            Some("2020-03-14T20:10:00Z")
        );
        assert_eq!(
            utc("2018-10-12T01:37:05.2423906+03:00").as_deref(),
            Some("2018-10-11T22:37:05.2423906Z")
        );
        assert_eq!(
            utc("2018-12-07T08:30:00.767Z").as_deref(),
            Some("2018-12-07T08:30:00.767Z")
        );
        assert_eq!(
            utc("2026-06-16 06:33:10.659559").as_deref(),
            Some("2026-06-16T06:33:10.659559Z")
        );
    }

    #[test]
    fn the_words_for_never_are_nothing() {
        for never in ["9999-12-31T23:59:59.9999999Z", "-", ""] {
            assert_eq!(parse(never), None, "{never}");
        }
        for day in [
            "0001-01-01",
            "1601-01-01",
            "1753-01-01",
            "1899-12-30",
            "1900-01-01",
            "1970-01-01",
            "1980-01-01",
        ] {
            for offset in ["", "Z", "+00:00", "-11:00", "+14:00"] {
                let never = format!("{day}T00:00:00.0000000{offset}");
                assert_eq!(parse(&never), None, "{never}");
            }
        }
    }

    #[test]
    fn what_is_no_time_is_told() {
        for garbage in [
            "yesterday",
            "2026-13-01T00:00:00Z",
            "11/26/2026 10:00 PM",
            "2026-11-26T25:00:00",
            "1764194400",
        ] {
            assert!(
                read(garbage).is_err() && parse(garbage).is_none(),
                "{garbage}"
            );
        }
        for (text, instant) in [
            (
                "2026-11-26 20:00:05.3170000+01:00",
                "2026-11-26T19:00:05.317Z",
            ),
            (
                "2026-11-26T20:00:05.3170001",
                "2026-11-26T20:00:05.3170001Z",
            ),
            ("2026-11-26T20:00:05+0100", "2026-11-26T19:00:05Z"),
            ("2026-11-26t20:00:05z", "2026-11-26T20:00:05Z"),
            ("2026-11-26", "2026-11-26T00:00:00Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(instant), "{text}");
        }
        assert!(read("9999-12-31T23:59:59.9999999-11:00").is_ok_and(|never| never.is_none()));
    }

    #[test]
    fn the_stamp_follows_the_last_at_sign() {
        let name = "mail@night - host@2018-12-16 10:00:08";
        assert_eq!(
            from_session_name(name).map(render).as_deref(),
            Some("2018-12-16T10:00:08Z")
        );
        assert_eq!(from_session_name("no stamp"), None);
    }

    #[test]
    fn a_clock_may_be_five_minutes_ahead_and_no_more() {
        let (now, since) = (
            parse("2026-11-27T06:00:00Z").unwrap(),
            parse("2026-11-26T06:00:00Z").unwrap(),
        );
        for (at, is_recent) in [
            ("2026-11-26T05:59:59Z", false),
            ("2026-11-26T06:00:00Z", true),
            ("2026-11-27T06:05:00Z", true),
            ("2026-11-27T06:05:01Z", false),
            ("2026-11-27T08:00:00Z", false),
        ] {
            assert_eq!(is_within(parse(at), since, now), is_recent, "{at}");
        }
        assert!(!is_within(None, since, now));
    }

    #[test]
    fn a_running_or_backward_interval_has_no_length() {
        let at = |text| parse(text);
        assert_eq!(seconds_between(at("2020-01-01T00:00:00Z"), None), None);
        assert_eq!(
            seconds_between(at("2020-01-01T00:00:09Z"), at("2020-01-01T00:00:00Z")),
            None
        );
        assert_eq!(
            seconds_between(at("2020-01-01T00:00:00Z"), at("2020-01-01T00:00:09Z")),
            Some(9)
        );
    }
}
