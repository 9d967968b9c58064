//! Scalars: what each looks like on the wire, in both directions.

use crate::{time, uid};
use async_graphql::{Description, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::Timestamp;
use std::ops::Deref;
use uuid::Uuid;

/// An instant in UTC, RFC 3339, for example `2026-11-21T04:17:00Z`. As an argument any offset is
/// taken.
#[derive(Description, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub Timestamp);

#[Scalar(
    name = "DateTime",
    use_type_description = true,
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let instant = text.parse::<Timestamp>();
        instant.map(Self).map_err(|_| {
            InputValueError::custom(
                "a DateTime is RFC 3339 with an offset, for example 2026-11-21T04:17:00Z",
            )
        })
    }

    fn to_value(&self) -> Value {
        Value::String(time::render(self.0))
    }
}

/// An id of an upstream, in the hyphenated 36-character form, for example
/// `8c88c6d6-931f-4044-8c0b-7a0c5f188b00`.
#[allow(
    clippy::upper_case_acronyms,
    reason = "the name of the scalar in the schema"
)]
#[derive(Description, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UUID(pub Uuid);

#[Scalar(
    name = "UUID",
    use_type_description = true,
    specified_by_url = "https://tools.ietf.org/html/rfc4122"
)]
impl ScalarType for UUID {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        uid::parse_hyphenated(text).map(Self).ok_or_else(|| {
            InputValueError::custom(
                "a UUID has 36 characters, for example 8c88c6d6-931f-4044-8c0b-7a0c5f188b00",
            )
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.as_hyphenated().to_string())
    }
}

/// A whole number of up to 64 bits, as a JSON number: sizes in bytes outgrow `Int`.
#[derive(Description, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long(pub i64);

#[Scalar(name = "Long", use_type_description = true)]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().map(Self).ok_or_else(|| {
                InputValueError::custom("a Long is a whole number of up to 64 bits")
            }),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An upstream's count or duration as `Int`: negative ones are not known, larger ones can't be.
pub fn int(value: Option<i64>) -> Option<i32> {
    value
        .and_then(|value| i32::try_from(value).ok())
        .filter(|value| *value >= 0)
}

/// An upstream's size as `Long`: negative ones are not known.
pub fn long(value: Option<i64>) -> Option<Long> {
    value.filter(|value| *value >= 0).map(Long)
}

/// An upstream's text: empty and `-` are not known.
pub fn text<T: Deref<Target = str>>(value: &Option<T>) -> Option<&str> {
    value
        .as_deref()
        .filter(|text| !matches!(text.trim(), "" | "-"))
}

/// The first line of a failure message, trimmed.
pub fn summary(value: &Option<String>) -> Option<&str> {
    text(value)?
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
}
