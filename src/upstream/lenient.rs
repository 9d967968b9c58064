//! Readers for members whose JSON type varies between versions and dialects (XML has no types at
//! all).
//!
//! What is missing, null or empty is nothing. A value of another type is read where it says the
//! same (`"12"` and `12`, `7` and `"7"`). What says something else is an error: then the row can't
//! be read, and that is told.

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::MapAccessDeserializer,
    },
};
use serde_json::Value;
use std::{fmt, marker::PhantomData};

/// A text; null is an empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(optional_text(deserializer)?.unwrap_or_default())
}

/// A text that may be missing or null. Numbers and booleans are what they read as.
pub(super) fn optional_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    deserializer.deserialize_any(Text(PhantomData))
}

struct Text<T>(PhantomData<fn() -> T>);

impl<'de, T: for<'a> From<&'a str>> Visitor<'de> for Text<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.into()))
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
        Ok(Some(if boolean { "true" } else { "false" }.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string().as_str().into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A whole number, or the text of one.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let whole = |float: f64| {
        // 12.0 is 12; anything else is not a count of anything
        let is_whole = float.fract() == 0.0 && float.abs() < 9e15;
        is_whole
            .then_some(Some(float as i64))
            .ok_or_else(|| D::Error::custom("not a whole number"))
    };
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(integer), _, _) => Ok(Some(integer)),
            // -1 without its sign: the way to say 'none' of those who count without one
            (None, true, _) => Ok(None),
            (None, false, Some(float)) => whole(float),
            (None, false, None) => Err(D::Error::custom("not a whole number")),
        },
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => match text.trim().parse() {
            Ok(integer) => Ok(Some(integer)),
            Err(_) => text
                .trim()
                .parse()
                .map_err(D::Error::custom)
                .and_then(whole),
        },
        _ => Err(D::Error::custom("not a number")),
    }
}

/// A number, or the text of one; none below zero, and no negative zero.
pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number
        .filter(|number| number.is_finite())
        .ok_or_else(|| D::Error::custom("not a number"))?;
    Ok((number >= 0.0).then_some(number.abs()))
}

/// A boolean, the text of one, or 0 or 1.
pub(super) fn boolean<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Bool(boolean) => Ok(Some(boolean)),
        Value::Number(number) if number.as_i64() == Some(0) => Ok(Some(false)),
        Value::Number(number) if number.as_i64() == Some(1) => Ok(Some(true)),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(D::Error::custom("not true or false")),
        },
        _ => Err(D::Error::custom("not true or false")),
    }
}

/// An object that may be missing, null or an empty text.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Object(PhantomData))
}

struct Object<T>(PhantomData<fn() -> T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Some)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim().is_empty() {
            Ok(None)
        } else {
            Err(E::invalid_type(Unexpected::Str(text), &self))
        }
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A list that may be missing, null or an empty text. What stands there alone is a list of one;
/// nulls in it are nothing.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Many(PhantomData))
}

struct Many<T>(PhantomData<fn() -> T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Many<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_element::<Option<T>>()? {
            all.extend(entry);
        }
        Ok(Some(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        Ok(Some(vec![T::deserialize(MapAccessDeserializer::new(
            members,
        ))?]))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.trim().is_empty() {
            Ok(None)
        } else {
            Ok(Some(vec![T::deserialize(text.into_deserializer())?]))
        }
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// The same of texts, which may be given as numbers.
pub(super) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Entry(#[serde(deserialize_with = "text")] String);
    Ok(list::<D, Entry>(deserializer)?
        .map(|entries| entries.into_iter().map(|Entry(text)| text).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::shared_text::SharedText;

    #[derive(Debug, Deserialize)]
    struct Members {
        #[serde(default, deserialize_with = "optional_text")]
        text: Option<SharedText>,
        #[serde(default, deserialize_with = "integer")]
        integer: Option<i64>,
        #[serde(default, deserialize_with = "amount")]
        amount: Option<f64>,
        #[serde(default, deserialize_with = "boolean")]
        boolean: Option<bool>,
        #[serde(default, deserialize_with = "texts")]
        texts: Option<Vec<String>>,
        #[serde(default, deserialize_with = "object")]
        object: Option<Box<Members>>,
    }

    fn read(json: &str) -> Result<Members, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn missing_null_and_empty_are_nothing() {
        let nulls = r#"{"text": null, "integer": null, "amount": null, "boolean": null, "texts": null, "object": null}"#;
        let empty = r#"{"integer": "", "amount": " ", "boolean": "", "texts": "", "object": ""}"#;
        for json in ["{}", nulls, empty] {
            let row = read(json).unwrap();
            assert!(
                row.text.is_none() && row.integer.is_none() && row.amount.is_none(),
                "{json}"
            );
            assert!(
                row.boolean.is_none() && row.texts.is_none() && row.object.is_none(),
                "{json}"
            );
        }
    }

    #[test]
    fn another_type_that_says_the_same_is_read() {
        let row = read(r#"{"text": 7, "integer": "12", "amount": "0.5", "boolean": "True", "texts": ["a", 7, null]}"#).unwrap();
        assert_eq!(
            (row.text.as_deref(), row.integer, row.amount, row.boolean),
            (Some("7"), Some(12), Some(0.5), Some(true))
        );
        assert_eq!(row.texts.unwrap(), ["a", "7"]);
        let row = read(r#"{"text": true, "integer": 12.0, "boolean": 0, "texts": "a", "object": {"text": "inner"}}"#).unwrap();
        assert_eq!(
            (row.text.as_deref(), row.integer, row.boolean),
            (Some("true"), Some(12), Some(false))
        );
        assert_eq!(row.texts.unwrap(), ["a"]);
        assert_eq!(row.object.unwrap().text.as_deref(), Some("inner"));
        assert_eq!(read(r#"{"integer": "12.0"}"#).unwrap().integer, Some(12));
    }

    #[test]
    fn what_says_something_else_is_an_error() {
        for json in [
            r#"{"text": {}}"#,
            r#"{"text": []}"#,
            r#"{"integer": "many"}"#,
            r#"{"integer": 1.5}"#,
            r#"{"integer": {}}"#,
            r#"{"amount": "NaN"}"#,
            r#"{"amount": true}"#,
            r#"{"boolean": "perhaps"}"#,
            r#"{"boolean": 7}"#,
            r#"{"object": 7}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn sizes_that_are_none_are_nothing_and_zero_has_no_sign() {
        assert_eq!(read(r#"{"amount": -1}"#).unwrap().amount, None);
        assert_eq!(
            read(r#"{"integer": 18446744073709551615}"#)
                .unwrap()
                .integer,
            None
        );
        let zero = read(r#"{"amount": -0.0}"#).unwrap().amount.unwrap();
        assert!(zero == 0.0 && zero.is_sign_positive());
        assert_eq!(read(r#"{"integer": -0.0}"#).unwrap().integer, Some(0));
    }
}
