//! Leaf values as JSON, without a [`async_graphql::Value`] in between. What is written is what the
//! general executor writes of the same value; a test below holds the two against each other.

use crate::{
    graph::{
        schema::scalars::{DateTime, Long, UUID},
        types::{
            agent_session::{MatchedBy, SessionScope},
            alarm::Severity,
            health::Health,
            job::kind::JobKind,
            tape_coverage::TapeStatus,
            upstream::{UpstreamKind, UpstreamState},
            workload::WorkloadKind,
        },
    },
    time,
};
use async_graphql::{EnumType, ID};

/// A scalar, an enum, or a list of them.
pub trait WriteJson {
    /// Appends the value. `false` where only the general executor can tell it: an error belongs in
    /// `errors`, with its path.
    fn write_json(&self, json: &mut Vec<u8>) -> bool;
}

/// What `#[direct_fields]` calls with whatever a method returns. A value of a type that is no leaf
/// is left to the general executor: [`OfLeaf`] is found before [`NoLeaf`], which needs one more
/// reference.
pub struct Value<'v, T>(pub &'v T);

/// A value of a leaf type.
pub trait OfLeaf {
    /// Appends it.
    fn write(&self, json: &mut Vec<u8>) -> bool;
}

/// A value of any other type.
pub trait NoLeaf {
    /// Appends nothing.
    fn write(&self, json: &mut Vec<u8>) -> bool;
}

impl<T: WriteJson> OfLeaf for Value<'_, T> {
    fn write(&self, json: &mut Vec<u8>) -> bool {
        self.0.write_json(json)
    }
}

impl<T> NoLeaf for &Value<'_, T> {
    fn write(&self, _json: &mut Vec<u8>) -> bool {
        false
    }
}

/// Writes a text in quotes, of which no character has to be escaped.
fn quoted(text: &[u8], json: &mut Vec<u8>) -> bool {
    json.push(b'"');
    json.extend_from_slice(text);
    json.push(b'"');
    true
}

macro_rules! as_serialized {
    ($($type:ty),*) => {
        $(impl WriteJson for $type {
            fn write_json(&self, json: &mut Vec<u8>) -> bool {
                // writing to memory does not fail
                serde_json::to_writer(json, self).is_ok()
            }
        })*
    };
}

as_serialized!(str, String, i32, i64, f64);

macro_rules! enums {
    ($($type:ty),* $(,)?) => {
        $(impl WriteJson for $type {
            fn write_json(&self, json: &mut Vec<u8>) -> bool {
                write_enum(*self, json)
            }
        })*
    };
}

enums!(
    Health,
    JobKind,
    MatchedBy,
    SessionScope,
    Severity,
    TapeStatus,
    UpstreamKind,
    UpstreamState,
    WorkloadKind,
);

fn write_enum<T: EnumType>(value: T, json: &mut Vec<u8>) -> bool {
    let item = T::items().iter().find(|item| item.value == value);
    item.is_some_and(|item| quoted(item.name.as_bytes(), json))
}

impl WriteJson for bool {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        json.extend_from_slice(if *self { b"true" } else { b"false" });
        true
    }
}

impl WriteJson for ID {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        self.0.write_json(json)
    }
}

impl WriteJson for UUID {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        let mut text = uuid::Uuid::encode_buffer();
        quoted(
            self.0.as_hyphenated().encode_lower(&mut text).as_bytes(),
            json,
        )
    }
}

impl WriteJson for DateTime {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        quoted(time::render(self.0).as_bytes(), json)
    }
}

impl WriteJson for Long {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        self.0.write_json(json)
    }
}

impl<T: WriteJson + ?Sized> WriteJson for &T {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        (**self).write_json(json)
    }
}

impl<T: WriteJson> WriteJson for Option<T> {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        match self {
            Some(value) => value.write_json(json),
            None => {
                json.extend_from_slice(b"null");
                true
            }
        }
    }
}

impl<T: WriteJson, E> WriteJson for Result<T, E> {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        self.as_ref().is_ok_and(|value| value.write_json(json))
    }
}

impl<T: WriteJson> WriteJson for Vec<T> {
    fn write_json(&self, json: &mut Vec<u8>) -> bool {
        json.push(b'[');
        let is_written = self.iter().enumerate().all(|(place, value)| {
            if place > 0 {
                json.push(b',');
            }
            value.write_json(json)
        });
        json.push(b']');
        is_written
    }
}

#[cfg(test)]
#[allow(
    clippy::needless_borrow,
    reason = "by the reference the general form is found too"
)]
mod tests {
    use super::*;
    use async_graphql::{
        EmptyMutation, EmptySubscription, Object, OutputType, Schema, Value as LibraryValue,
    };
    use futures_util::FutureExt;
    use proptest::prelude::*;

    /// One field, of whatever type.
    struct Holder<T>(T);

    #[Object]
    impl<T: OutputType + Send + Sync> Holder<T> {
        async fn value(&self) -> &T {
            &self.0
        }
    }

    /// What the general executor writes.
    fn resolved<T: OutputType + Clone + 'static>(value: &T) -> String {
        let schema = Schema::new(Holder(value.clone()), EmptyMutation, EmptySubscription);
        let answer = schema.execute("{ value }").now_or_never().unwrap();
        let LibraryValue::Object(members) = answer.data else {
            panic!("{:?}", answer.errors);
        };
        let mut json = Vec::new();
        crate::graph::write_data(&members["value"], &mut json);
        String::from_utf8(json).unwrap()
    }

    fn same<T: WriteJson + OutputType + Clone + 'static>(value: T) {
        let mut json = Vec::new();
        assert!((&Value(&value)).write(&mut json));
        assert_eq!(String::from_utf8(json).unwrap(), resolved(&value));
    }

    fn all_of<T: EnumType + WriteJson + OutputType>() {
        for item in T::items() {
            same(item.value);
            same(Some(item.value));
            same(vec![item.value, item.value]);
        }
    }

    #[test]
    fn every_enum_is_written_as_it_is_resolved() {
        all_of::<Health>();
        all_of::<JobKind>();
        all_of::<MatchedBy>();
        all_of::<SessionScope>();
        all_of::<Severity>();
        all_of::<TapeStatus>();
        all_of::<UpstreamKind>();
        all_of::<UpstreamState>();
        all_of::<WorkloadKind>();
    }

    proptest! {
        #[test]
        fn every_scalar_is_written_as_it_is_resolved(
            text in any::<String>(),
            numbers: (i32, i64, f64, bool),
            uuid: u128,
            seconds in -62_135_596_800i64..253_402_207_200,
            nanosecond in 0i32..1_000_000_000,
        ) {
            let (int, long, float, flag) = numbers;
            same(ID(text.clone()));
            same(Some(text.clone()));
            same(vec![text.clone(), String::new()]);
            same(text);
            same(int);
            same(float);
            same(f64::NAN);
            same(Some(f64::INFINITY));
            same(flag);
            same(Long(long));
            same(UUID(uuid::Uuid::from_u128(uuid)));
            same(DateTime(jiff::Timestamp::new(seconds, nanosecond).unwrap()));
            same(None::<Long>);
            same(vec![None, Some(int)]);
        }
    }

    #[test]
    fn what_is_no_leaf_and_what_is_an_error_is_left_to_the_executor() {
        struct NotALeaf;
        let mut json = Vec::new();
        assert!(!(&Value(&NotALeaf)).write(&mut json));
        assert!(!(&Value(&Some(NotALeaf))).write(&mut json));
        assert!(json.is_empty());
        let refused: Option<Result<&str, &str>> = Some(Err("no"));
        assert!(!(&Value(&refused)).write(&mut json));
        assert!(!(&Value(&vec![Ok(1), Err(())])).write(&mut json));
    }
}
