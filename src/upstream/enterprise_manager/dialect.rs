//! JSON in two casings, with or without a byte order mark, and XML, read into rows: names of
//! members in any case, XML attributes beside child elements. An answer is read once, from its
//! beginning to its end, and nothing of it is kept but the members of rows that were asked for.
//!
//! One row that can't be read costs itself, and is told. What makes the whole of an answer doubtful
//! makes it no answer: a body that is cut, a document type, an unknown entity, anything after the
//! end, and a wrapper that is not known where the list should be: that is no empty list.

mod fields;
mod json;
mod xml;

pub(super) use fields::{Fault, Fields};

use crate::upstream::transport::Reply;

/// Deeper than any document of the API (query results have 8 levels).
const MAX_DEPTH: usize = 64;
/// Twice the sessions of thirty days of the largest estate heard of, which come on one page where
/// queries are refused.
const MAX_ROWS: u64 = 200_000;
const PAGING: &[&str] = &["pagenum", "pagesize", "pagescount"];

/// Which list is wanted of an answer. All names in lower case.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The member of the root that holds the list; none where the root does.
    pub inside: Option<&'static str>,
    /// The forms in which it may come.
    pub lists: &'static [List],
    /// The members of a row, but for its links.
    pub members: &'static [&'static str],
}

/// The names of a list: of XML's root element where the list is the whole answer, of the list, of
/// one row.
#[derive(Debug)]
pub(super) struct List {
    pub root: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
}

/// What an answer has of the list.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub rows: Vec<T>,
    /// How many rows can't be read.
    pub unreadable: u64,
    /// The first of them by its number, from 1, and why.
    pub first_unreadable: Option<(u64, Fault)>,
    /// Whether the list was there, be it empty.
    pub is_found: bool,
    /// Whether there are references to rows instead of rows.
    pub has_references: bool,
    /// Something that is not known in the place of the list.
    stray: bool,
    /// Something that is not known beside it.
    has_unknown: bool,
    paging: Option<Fields>,
}

impl<T> Rows<T> {
    /// A whole number of the paging information.
    pub fn paging(&self, member: &str) -> Option<u64> {
        self.paging.as_ref()?.number(member)
    }
}

/// Reads the rows of a list in an answer, in whatever dialect that is.
pub(super) fn rows<T>(
    reply: &Reply,
    wanted: &Wanted,
    read: impl Fn(Fields) -> Result<T, Fault>,
) -> Result<Rows<T>, String> {
    let (dialect, text) = dialect_of(reply)?;
    let found = Rows {
        rows: Vec::new(),
        unreadable: 0,
        first_unreadable: None,
        is_found: false,
        has_references: false,
        stray: false,
        has_unknown: false,
        paging: None,
    };
    let mut reading = Reading {
        wanted,
        read,
        is_lossy: text.is_lossy(),
        found,
        number: 0,
    };
    match dialect {
        Dialect::Json => json::rows(&text, &mut reading)?,
        Dialect::Xml => xml::rows(&text, &mut reading)?,
    }
    let found = reading.found;
    if found.stray || (found.has_unknown && !found.is_found) {
        return Err(format!(
            "something that is not known in the place of {}",
            wanted.lists[0].plural
        ));
    }
    // a query that nothing matches may leave the list out; nothing else may
    if !found.is_found && !found.has_references && found.paging.is_none() {
        return Err(format!("no {} in the answer", wanted.lists[0].plural));
    }
    Ok(found)
}

/// Reads the one entity that an answer is.
pub(super) fn entity(reply: &Reply, members: &'static [&'static str]) -> Result<Fields, String> {
    let (dialect, text) = dialect_of(reply)?;
    let mut fields = match dialect {
        Dialect::Json => json::entity(&text, members)?,
        Dialect::Xml => xml::entity(&text, members)?,
    };
    if text.is_lossy() {
        fields.doubt();
    }
    Ok(fields)
}

enum Dialect {
    Json,
    Xml,
}

fn dialect_of(reply: &Reply) -> Result<(Dialect, Text<'_>), String> {
    let media_type = reply.media_type();
    let dialect = if media_type.ends_with("json") {
        Dialect::Json
    } else if media_type.ends_with("xml") {
        Dialect::Xml
    } else {
        return Err(format!(
            "the answer is {media_type:?}, neither JSON nor XML"
        ));
    };
    Ok((
        dialect,
        Text(String::from_utf8_lossy(
            reply
                .body
                .strip_prefix(b"\xEF\xBB\xBF")
                .unwrap_or(&reply.body),
        )),
    ))
}

/// A body as text. Bytes that are no UTF-8 cost the rows that they are in.
struct Text<'a>(std::borrow::Cow<'a, str>);

impl Text<'_> {
    fn is_lossy(&self) -> bool {
        matches!(self.0, std::borrow::Cow::Owned(_))
    }
}

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// An answer being read.
struct Reading<'a, T, F> {
    wanted: &'a Wanted,
    read: F,
    /// Whether some bytes were no UTF-8.
    is_lossy: bool,
    found: Rows<T>,
    /// Rows so far.
    number: u64,
}

/// What the member of an answer is to us.
enum Part {
    Inside,
    List(&'static List),
    Paging,
    References,
    Known,
    Unknown,
}

impl<T, F: Fn(Fields) -> Result<T, Fault>> Reading<'_, T, F> {
    /// What a member of the root is.
    fn part_of_root(&self, name: &str) -> Part {
        if self.wanted.inside == Some(name) {
            return Part::Inside;
        }
        match (self.wanted.inside, self.list(name)) {
            (None, Some(list)) => Part::List(list),
            _ if name == "paginginfo" => Part::Paging,
            _ if matches!(name, "refs" | "entityreferences") => Part::References,
            _ if matches!(
                name,
                "links" | "resources" | "href" | "type" | "name" | "uid"
            ) =>
            {
                Part::Known
            }
            _ => Part::Unknown,
        }
    }

    /// The list of this name.
    fn list(&self, name: &str) -> Option<&'static List> {
        self.wanted.lists.iter().find(|list| list.plural == name)
    }

    /// The list begins. It comes once.
    fn begin(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.found.is_found, true) {
            Err("the list comes twice".to_owned())
        } else {
            Ok(())
        }
    }

    /// Whether another row is read at all.
    fn is_full(&self) -> bool {
        self.number >= MAX_ROWS
    }

    /// One row, or what is there in its place.
    fn row(&mut self, fields: Result<Fields, &'static str>) {
        self.number += 1;
        let row = fields
            .map_err(|reason| Fault {
                member: "",
                reason: reason.to_owned(),
            })
            .and_then(|mut fields| {
                if self.is_lossy {
                    fields.doubt();
                }
                (self.read)(fields)
            });
        match row {
            Ok(row) => self.found.rows.push(row),
            Err(fault) => {
                self.found.unreadable += 1;
                self.found
                    .first_unreadable
                    .get_or_insert((self.number, fault));
            }
        }
    }
}

#[cfg(test)]
mod tests;
