//! Readers for members whose JSON type varies between versions and dialects (XML has no types at all).

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A text; null is an empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// A number, or the text of one; null, missing and empty are `None`.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Ok(Some(integer)),
            // 12.0 is 12; anything else is not a count of anything
            None => number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)
                .map(|float| Some(float as i64))
                .ok_or_else(|| D::Error::custom("not a whole number")),
        },
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => text.trim().parse().map(Some).map_err(D::Error::custom),
        _ => Err(D::Error::custom("not a number")),
    }
}

/// A boolean, or the text of one; null, missing and empty are `None`.
pub(super) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Bool(boolean) => Ok(Some(boolean)),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(D::Error::custom("not true or false")),
        },
        _ => Err(D::Error::custom("not true or false")),
    }
}
