//! The members of one row that were asked for, as the answer has them.

use crate::uid;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor, value::Error as Invalid},
    forward_to_deserialize_any,
};
use uuid::Uuid;

/// The members of a link.
pub(super) const LINK: &[&str] = &["href", "name", "type", "rel"];
/// A row has half a dozen.
const MAX_LINKS: usize = 64;

/// Why a row can't be read.
#[derive(Debug)]
pub(in crate::upstream::enterprise_manager) struct Fault {
    /// The member, in lower case; empty where it is the row itself.
    pub member: &'static str,
    /// What is wrong with it: for the log.
    pub reason: String,
}

/// The links of a row.
pub(in crate::upstream::enterprise_manager) type Links = Vec<Fields>;

/// One value: nothing that has parts.
#[derive(Clone, Debug, Default)]
pub(in crate::upstream::enterprise_manager) enum Scalar {
    #[default]
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    /// Something else, in words.
    Other(&'static str),
}

/// The members of one row, in the order of their names.
#[derive(Debug)]
pub(in crate::upstream::enterprise_manager) struct Fields {
    names: &'static [&'static str],
    /// `None` for a member that is not there.
    values: Vec<Option<Scalar>>,
    links: Links,
    /// Whether there is something that is no list of links in its place.
    has_odd_links: bool,
}

impl Fields {
    /// None yet.
    pub fn of(names: &'static [&'static str]) -> Self {
        Self {
            names,
            values: vec![None; names.len()],
            links: Vec::new(),
            has_odd_links: false,
        }
    }

    /// The place of the member of this name, in any case.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
    }

    /// Sets a member. Of two that differ only in case the first stays.
    pub fn set(&mut self, place: usize, value: Scalar) {
        if let Some(slot) = self.values.get_mut(place) {
            slot.get_or_insert(value);
        }
    }

    /// Adds a link. `None` is something else in the place of one.
    pub fn add_link(&mut self, link: Option<Fields>) {
        match link {
            Some(link) if self.links.len() < MAX_LINKS => self.links.push(link),
            Some(_) => {}
            None => self.has_odd_links = true,
        }
    }

    /// Whether any member is there.
    pub fn has_any(&self) -> bool {
        self.values
            .iter()
            .flatten()
            .any(|value| !matches!(value, Scalar::Null))
    }

    /// Some bytes of the answer were no text: neither are the members that they are in.
    pub fn doubt(&mut self) {
        for value in self.values.iter_mut().flatten() {
            if matches!(value, Scalar::Text(text) if text.contains(char::REPLACEMENT_CHARACTER)) {
                *value = Scalar::Other("text that is no UTF-8");
            }
        }
        self.links.iter_mut().for_each(Fields::doubt);
    }

    /// A member, read by `read` as JSON would be.
    pub fn take<T>(
        &mut self,
        member: &'static str,
        read: impl FnOnce(Scalar) -> Result<T, Invalid>,
    ) -> Result<T, Fault> {
        let value = self
            .place(member)
            .and_then(|place| self.values[place].take())
            .unwrap_or_default();
        read(value).map_err(|error| Fault {
            member,
            reason: error.to_string(),
        })
    }

    /// The id in a URN, which a row must have.
    pub fn urn(&mut self, member: &'static str) -> Result<Uuid, Fault> {
        let missing = || Fault {
            member,
            reason: "no usable id".to_owned(),
        };
        self.optional_urn(member)?.ok_or_else(missing)
    }

    /// The id in a URN, if there is one; a text that is no id is not read over.
    pub fn optional_urn(&mut self, member: &'static str) -> Result<Option<Uuid>, Fault> {
        let text: Option<String> = self.take(member, Option::deserialize)?;
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let is_none = text
            .rsplit(':')
            .next()
            .and_then(|id| Uuid::try_parse(id.trim()).ok())
            .is_some_and(|id| id.is_nil() || id.is_max());
        match uid::parse_urn(&text) {
            None if !is_none => Err(Fault {
                member,
                reason: "no usable id".to_owned(),
            }),
            id => Ok(id.filter(|_| !is_none)),
        }
    }

    /// The links, which are then no longer there.
    pub fn links(&mut self) -> Result<Links, Fault> {
        if self.has_odd_links {
            return Err(Fault {
                member: "links",
                reason: "not a list of links".to_owned(),
            });
        }
        Ok(std::mem::take(&mut self.links))
    }

    /// A whole number, or the text of one.
    pub fn number(&self, member: &str) -> Option<u64> {
        match self.values[self.place(member)?].as_ref()? {
            Scalar::Unsigned(number) => Some(*number),
            Scalar::Signed(number) => u64::try_from(*number).ok(),
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserializer<'de> for Scalar {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self {
            Scalar::Null => visitor.visit_unit(),
            Scalar::Bool(value) => visitor.visit_bool(value),
            Scalar::Signed(value) => visitor.visit_i64(value),
            Scalar::Unsigned(value) => visitor.visit_u64(value),
            Scalar::Float(value) => visitor.visit_f64(value),
            Scalar::Text(value) => visitor.visit_string(value),
            Scalar::Other(what) => Err(Invalid::custom(format_args!(
                "{what}, where a value should be"
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self {
            Scalar::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
