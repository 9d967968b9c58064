//! Conditions of filters as input types: worked out once, while the arguments are read, not for
//! every row.
//!
//! To callers they are plain texts and lists. Texts are put in lower case here, lists become sets,
//! so that a row costs a condition the same however long its list is.

use async_graphql::{InputType, InputValueError, InputValueResult, Value, registry::Registry};
use std::{borrow::Cow, collections::BTreeSet, fmt};

/// A part of a name, to be found without regard to case.
#[derive(Clone)]
pub struct Part(String);

impl Part {
    /// Whether a name contains it.
    pub fn is_in(&self, name: &str) -> bool {
        let part = self.0.as_bytes();
        if !name.is_ascii() {
            return name.to_lowercase().contains(&self.0);
        }
        part.is_empty()
            || name
                .as_bytes()
                .windows(part.len())
                .any(|window| window.eq_ignore_ascii_case(part))
    }
}

/// A whole name, to be compared without regard to case and to spaces around it.
#[derive(Clone)]
pub struct Whole(String);

impl Whole {
    /// Whether it is this name, which is in lower case already.
    pub fn is(&self, lower: &str) -> bool {
        self.0 == lower
    }
}

/// One of these values.
#[derive(Clone)]
pub struct OneOf<T>(Vec<T>);

impl<T: PartialEq> OneOf<T> {
    /// Whether it is one of them.
    pub fn contains(&self, value: &T) -> bool {
        self.0.contains(value)
    }
}

/// One of these words, ignoring case.
#[derive(Clone)]
pub struct Words(BTreeSet<String>);

impl Words {
    /// Whether it is one of them.
    pub fn contains(&self, word: &str) -> bool {
        self.0.contains(&word.to_ascii_lowercase())
    }
}

/// One of these names, as they are written.
#[derive(Clone)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Whether it is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}

// Said as callers see them: a cursor belongs to a list by how its filter is said.

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for OneOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// An input type that callers see as another, of which it is made and to which it goes back.
macro_rules! input_type {
    ($type:ty, $seen_as:ty, $make:expr, $this:ident => $back:expr $(; $($parameter:tt)+)?) => {
        impl $(<$($parameter)+>)? InputType for $type {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                <$seen_as>::type_name()
            }

            fn qualified_type_name() -> String {
                <$seen_as>::qualified_type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <$seen_as>::create_type_info(registry)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                <$seen_as>::parse(value).map($make).map_err(InputValueError::propagate)
            }

            fn to_value(&self) -> Value {
                let $this = self;
                $back
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }
    };
}

input_type!(Part, String, |part| Self(part.to_lowercase()), part => part.0.to_value());
input_type!(Whole, String, |name| Self(name.trim().to_lowercase()), name => name.0.to_value());
input_type!(Words, Vec<String>, |words| Self(words.iter().map(|word| word.to_ascii_lowercase()).collect()), words => list(&words.0));
input_type!(Names, Vec<String>, |names| Self(names.into_iter().collect()), names => list(&names.0));
input_type!(OneOf<T>, Vec<T>, |values: Vec<T>| Self(each_once(values)), values => list(&values.0); T: InputType + PartialEq);

fn list<'a, T: InputType + 'a>(values: impl IntoIterator<Item = &'a T>) -> Value {
    Value::List(values.into_iter().map(InputType::to_value).collect())
}

/// Of few kinds of values, each once.
fn each_once<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::types::health::Health;

    fn part(text: &str) -> Part {
        Part::parse(Some(Value::String(text.to_owned())))
            .ok()
            .unwrap()
    }

    #[test]
    fn a_part_is_found_without_regard_to_case_in_any_script() {
        for (text, name, is_in) in [
            ("sql", "Daily SQL backup", true),
            ("SQL", "daily sql", true),
            ("", "", true),
            ("a", "", false),
            ("münchen", "Site MÜNCHEN", true),
            ("ü", "Site Munchen", false),
            // the sign of kelvin is a k in lower case
            ("\u{212a}", "Kiel", true),
            ("k", "\u{212a}iel", true),
            ("longer than the name", "name", false),
        ] {
            assert_eq!(part(text).is_in(name), is_in, "{text:?} in {name:?}");
        }
    }

    #[test]
    fn lists_become_sets_and_are_seen_as_lists() {
        let words = Value::List(vec![Value::from("Active"); 1_000]);
        let (words, names) = (
            Words::parse(Some(words.clone())).ok().unwrap(),
            Names::parse(Some(words)).ok().unwrap(),
        );
        assert!(words.contains("ACTIVE") && !words.contains("Activ") && words.0.len() == 1);
        assert!(names.contains("Active") && !names.contains("active") && names.0.len() == 1);
        let healths =
            OneOf::<Health>::parse(Some(Value::List(vec![Health::Failed.to_value(); 1_000])))
                .ok()
                .unwrap();
        assert!(
            healths.contains(&Health::Failed)
                && !healths.contains(&Health::Idle)
                && healths.0.len() == 1
        );
        assert_eq!(OneOf::<Health>::type_name(), Vec::<Health>::type_name());
        assert_eq!(
            format!("{words:?} {healths:?} {:?}", part("SQL")),
            r#"["active"] [Failed] "sql""#
        );
        assert!(Part::parse(Some(Value::from(5))).is_err() && Words::parse(None).is_err());
    }
}
