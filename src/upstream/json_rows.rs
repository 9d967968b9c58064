//! The rows of a JSON array: all of them at once, or, where one can't be read, each for itself.
//!
//! A row that can't be read costs itself. It is counted, and the first of them is told with its
//! place and its member.

use super::upstream_message::printable;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The rows that could be read, in their order.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub rows: Vec<T>,
    /// How many could not be.
    pub unreadable: usize,
    /// The first of these.
    pub first: Option<Unreadable>,
}

/// A row that can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Its place in its page, from 0.
    pub row: usize,
    /// Its member that is not what it should be, where that can be told.
    pub member: Option<String>,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self {
            rows,
            unreadable: 0,
            first: None,
        }
    }
}

impl<T: DeserializeOwned> Rows<T> {
    /// Reads each for itself.
    pub fn each(raw: Vec<&RawValue>) -> Self {
        let mut read = Self {
            rows: Vec::with_capacity(raw.len()),
            unreadable: 0,
            first: None,
        };
        for (place, row) in raw.into_iter().enumerate() {
            match serde_json::from_str(row.get()) {
                Ok(row) => read.rows.push(row),
                Err(error) => {
                    read.unreadable += 1;
                    read.first
                        .get_or_insert_with(|| Unreadable::of(place, row.get(), &error));
                }
            }
        }
        read
    }
}

impl Unreadable {
    fn of(row: usize, text: &str, error: &serde_json::Error) -> Self {
        let reason = error.to_string();
        // a member that is missing is named, and nowhere in the row
        let named = reason
            .strip_prefix("missing field `")
            .or_else(|| reason.strip_prefix("duplicate field `"));
        let member = match named.and_then(|rest| rest.split('`').next()) {
            Some(name) => Some(name.to_owned()),
            None => member_before(text, place(text, error.line(), error.column())),
        };
        Self {
            row,
            member: member.map(|name| printable(&name)),
            reason: printable(&reason),
        }
    }

    /// For the log; `before` is how many rows the pages before have.
    pub fn detail(&self, before: u64, unreadable: usize) -> String {
        let row = before.saturating_add(self.row as u64).saturating_add(1);
        let member = self.member.as_deref().unwrap_or("(unknown)");
        format!(
            "row {row} can't be read, member {member}: {}; rows left out of this page: {unreadable}",
            self.reason
        )
    }
}

/// For the log: rows that have no id where they must have one. `before` is how many rows the pages
/// before have, `place` where the first of them is among the readable rows of this one.
pub(super) fn without_id(
    before: u64,
    place: usize,
    unreadable: usize,
    member: &str,
    count: usize,
) -> String {
    let row = before.saturating_add(place as u64).saturating_add(1);
    // rows that can't be read were not counted
    let or_later = if unreadable > 0 { " or later" } else { "" };
    format!(
        "row {row}{or_later} can't be shown, member {member}: no id, where a row must have one; rows left out of this page: {count}"
    )
}

/// Where in a text a line and a column are, as `serde_json` counts them.
fn place(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column).min(text.len())
}

/// The last name of a member of the row itself that stands before `end`.
fn member_before(text: &str, end: usize) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut depth, mut at, mut last) = (0_usize, 0, None);
    while at < end {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let after = text.get(at + 1..).unwrap_or_default();
                if depth == 1 && after.trim_start().starts_with(':') {
                    last = text.get(start + 1..at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    last.map(str::to_owned)
}

/// The body as a text. Bytes that are no UTF-8 are taken for Latin-1, as they are sent by servers
/// that know nothing else.
pub(super) fn text(body: &[u8]) -> Cow<'_, str> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(body.len() + 64);
            for chunk in body.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().copied().map(char::from));
            }
            Cow::Owned(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        id: u32,
        rate: Option<f64>,
    }

    fn read(body: &str) -> Rows<Sample> {
        Rows::each(serde_json::from_str(body).unwrap())
    }

    #[test]
    fn a_row_that_cannot_be_read_costs_itself_and_is_named() {
        let rows = read(
            "[{\"id\":1},\n{\"x\":{\"rate\":[1]},\n \"id\":2,\"rate\":\"NaN\",\"more\":1},{\"id\":3,\"rate\":0.5}]",
        );
        assert_eq!(
            rows.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            [1, 3]
        );
        let first = rows.first.unwrap();
        assert_eq!(
            (rows.unreadable, first.row, first.member.as_deref()),
            (1, 1, Some("rate"))
        );
        assert!(
            first.reason.contains("NaN") && first.reason.contains("expected f64"),
            "{}",
            first.reason
        );
        assert!(
            first
                .detail(500, 1)
                .starts_with("row 502 can't be read, member rate: ")
        );
    }

    #[test]
    fn a_member_that_is_missing_is_named_and_no_object_is_no_row() {
        let rows = read(r#"[{"rate":1.5},null,7,{"id":"x\"y"}]"#);
        assert_eq!((rows.rows.len(), rows.unreadable), (0, 4));
        assert_eq!(rows.first.unwrap().member.as_deref(), Some("id"));
        assert_eq!(
            read(r#"[{"id":"x\"y"}]"#).first.unwrap().member.as_deref(),
            Some("id")
        );
        assert_eq!(read("[null]").first.unwrap().member, None);
    }

    #[test]
    fn latin_1_is_read() {
        assert_eq!(text(b"\xEF\xBB\xBFCaf\xE9 \xC3\xA9"), "Café é");
    }
}
