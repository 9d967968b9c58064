//! JSON, read as it comes.

use super::{
    Fault, Fields, Part, Reading,
    fields::{LINK, Scalar},
};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads the rows of an answer.
pub(super) fn rows<T, F: Fn(Fields) -> Result<T, Fault>>(
    text: &str,
    reading: &mut Reading<'_, T, F>,
) -> Result<(), String> {
    whole(text, Root(reading))
}

/// Reads the one entity that an answer is.
pub(super) fn entity(text: &str, names: &'static [&'static str]) -> Result<Fields, String> {
    whole(text, Object(names))?.ok_or_else(|| "not an object".to_owned())
}

fn whole<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = seed
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    value.map_err(|error| format!("not the documented JSON: {error}"))
}

/// Seeds that are their own visitor, and take whatever comes.
macro_rules! seeds {
    ($($seed:ty => $value:ty,)*) => {
        $(impl<'de> DeserializeSeed<'de> for $seed {
            type Value = $value;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        })*
    };
}

/// The whole answer.
struct Root<'s, 'a, T, F>(&'s mut Reading<'a, T, F>);

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> DeserializeSeed<'de> for Root<'_, '_, T, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> Visitor<'de> for Root<'_, '_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        if self.0.wanted.inside.is_some() {
            return Err(A::Error::custom(
                "a list where the result of a query should be",
            ));
        }
        List {
            reading: self.0,
            is_outer: true,
        }
        .visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut is_inside_known = false;
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            match self.0.part_of_root(&key) {
                Part::Inside if std::mem::replace(&mut is_inside_known, true) => {
                    return Err(A::Error::custom("the list comes twice"));
                }
                Part::Inside => map.next_value_seed(Inside(self.0))?,
                Part::List(_) => map.next_value_seed(List {
                    reading: self.0,
                    is_outer: true,
                })?,
                Part::Paging => {
                    let paging = map.next_value_seed(Object(super::PAGING))?;
                    self.0.found.paging = self.0.found.paging.take().or(paging);
                }
                Part::References => {
                    self.0.found.has_references |= map.next_value_seed(IsSomething)?
                }
                Part::Known => drop(map.next_value::<IgnoredAny>()?),
                Part::Unknown => self.0.found.has_unknown |= map.next_value_seed(IsSomething)?,
            }
        }
        Ok(())
    }
}

/// The member of the root that holds the list.
struct Inside<'s, 'a, T, F>(&'s mut Reading<'a, T, F>);

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> DeserializeSeed<'de> for Inside<'_, '_, T, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> Visitor<'de> for Inside<'_, '_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with lists")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            match self.0.list(&key) {
                Some(_) => map.next_value_seed(List {
                    reading: self.0,
                    is_outer: true,
                })?,
                None => self.0.found.stray |= map.next_value_seed(IsSomething)?,
            }
        }
        Ok(())
    }
}

/// The list, or a wrapper of it.
struct List<'s, 'a, T, F> {
    reading: &'s mut Reading<'a, T, F>,
    /// Whether it is not within another.
    is_outer: bool,
}

impl<T, F: Fn(Fields) -> Result<T, Fault>> List<'_, '_, T, F> {
    fn begin<E: Error>(&mut self) -> Result<(), E> {
        if self.is_outer {
            self.reading.begin().map_err(E::custom)
        } else {
            Ok(())
        }
    }
}

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> DeserializeSeed<'de> for List<'_, '_, T, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, F: Fn(Fields) -> Result<T, Fault>> Visitor<'de> for List<'_, '_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.begin()
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.begin()?;
        let names = self.reading.wanted.members;
        loop {
            if self.reading.is_full() {
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(());
                }
                self.reading.row(Err("more rows than there can be"));
                continue;
            }
            let Some(fields) = seq.next_element_seed(Object(names))? else {
                return Ok(());
            };
            self.reading.row(fields.ok_or("not an object"));
        }
    }

    /// `{plural: …}`, `{singular: …}`, or the only row.
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.begin()?;
        let wanted = self.reading.wanted;
        let (mut fields, mut is_wrapper, mut is_odd) = (Fields::of(wanted.members), false, false);
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            if wanted
                .lists
                .iter()
                .any(|list| key == list.plural || key == list.singular)
            {
                if std::mem::replace(&mut is_wrapper, true) {
                    return Err(A::Error::custom("the list comes twice"));
                }
                map.next_value_seed(List {
                    reading: self.reading,
                    is_outer: false,
                })?;
            } else if !set(&mut fields, &key, &mut map)? {
                is_odd |= map.next_value_seed(IsSomething)?;
            }
        }
        if fields.has_any() && !is_wrapper {
            self.reading.row(Ok(fields));
        } else if is_odd && !is_wrapper {
            self.reading.found.stray = true;
        }
        Ok(())
    }
}

/// Sets the member of this name; whether there is one.
fn set<'de, A: MapAccess<'de>>(
    fields: &mut Fields,
    key: &str,
    map: &mut A,
) -> Result<bool, A::Error> {
    if key.eq_ignore_ascii_case("links") {
        map.next_value_seed(LinkList(fields))?;
    } else if let Some(place) = fields.place(key) {
        fields.set(place, map.next_value_seed(Value)?);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// The members of an object; `None` for anything else.
struct Object(&'static [&'static str]);

/// `Links`: a list, a list in a wrapper, or nothing.
struct LinkList<'f>(&'f mut Fields);

/// One value; what has parts is passed over.
struct Value;

/// Whether there is something: not null, nothing empty.
struct IsSomething;

seeds! {
    Object => Option<Fields>,
    LinkList<'_> => (),
    Value => Scalar,
    IsSomething => bool,
}

fn pass_over<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<usize, A::Error> {
    let mut count = 0;
    while seq.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn pass_over_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<usize, A::Error> {
    let mut count = 0;
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// What the scalars that are not named come to.
macro_rules! scalars {
    ($($visit:ident($type:ty) => $value:expr;)*) => {
        $(fn $visit<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            let outcome: fn(Self, $type) -> Self::Value = $value;
            Ok(outcome(self, value))
        })*
    };
}

impl<'de> Visitor<'de> for Object {
    type Value = Option<Fields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    scalars! {
        visit_bool(bool) => |_, _| None;
        visit_i64(i64) => |_, _| None;
        visit_u64(u64) => |_, _| None;
        visit_f64(f64) => |_, _| None;
        visit_str(&str) => |_, _| None;
    }

    fn visit_unit<E>(self) -> Result<Option<Fields>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<Fields>, A::Error> {
        pass_over(seq).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Fields>, A::Error> {
        let mut fields = Fields::of(self.0);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if !set(&mut fields, &key, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(fields))
    }
}

impl<'de> Visitor<'de> for LinkList<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("links")
    }

    scalars! {
        visit_bool(bool) => |it, _| it.0.add_link(None);
        visit_i64(i64) => |it, _| it.0.add_link(None);
        visit_u64(u64) => |it, _| it.0.add_link(None);
        visit_f64(f64) => |it, _| it.0.add_link(None);
        visit_str(&str) => |it, text| if !text.trim().is_empty() { it.0.add_link(None) };
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(link) = seq.next_element_seed(Object(LINK))? {
            self.0.add_link(link);
        }
        Ok(())
    }

    /// `{link: …}`, or the only link.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut only = Fields::of(LINK);
        while let Some(key) = map.next_key::<String>()? {
            if key.eq_ignore_ascii_case("link") {
                map.next_value_seed(LinkList(self.0))?;
            } else if !set(&mut only, &key, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if only.has_any() {
            self.0.add_link(Some(only));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    scalars! {
        visit_bool(bool) => |_, value| Scalar::Bool(value);
        visit_i64(i64) => |_, value| Scalar::Signed(value);
        visit_u64(u64) => |_, value| Scalar::Unsigned(value);
        visit_f64(f64) => |_, value| Scalar::Float(value);
        visit_str(&str) => |_, value| Scalar::Text(value.to_owned());
        visit_string(String) => |_, value| Scalar::Text(value);
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
        pass_over(seq).map(|_| Scalar::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        pass_over_map(map).map(|_| Scalar::Other("an object"))
    }
}

impl<'de> Visitor<'de> for IsSomething {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    scalars! {
        visit_bool(bool) => |_, _| true;
        visit_i64(i64) => |_, _| true;
        visit_u64(u64) => |_, _| true;
        visit_f64(f64) => |_, _| true;
        visit_str(&str) => |_, text| !text.trim().is_empty();
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        pass_over(seq).map(|count| count > 0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        pass_over_map(map).map(|count| count > 0)
    }
}
