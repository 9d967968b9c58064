//! The file as a tree in which every value knows its line, and the environment laid over it.

use super::{ENV_PREFIX, problem::Problems};
use std::collections::BTreeMap;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Where a value was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// In the file.
    SharedConnection(usize),
    /// In an environment variable.
    Variable(String),
    /// Nowhere: a table that only exists because a variable is in it.
    #[default]
    Nowhere,
}

impl Source {
    pub fn line(&self) -> Option<usize> {
        match self {
            Source::SharedConnection(line) => Some(*line),
            _ => None,
        }
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    Table(Table),
    Tables(Vec<Table>),
    /// Texts, each with its line.
    Texts(Vec<(String, usize)>),
    /// Something that no key takes, by its name.
    Other(&'static str),
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub value: Value,
    pub source: Source,
}

/// A table and where it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub entries: BTreeMap<String, Entry>,
    pub source: Source,
}

/// Reads TOML.
pub(super) fn parse(text: &str) -> Result<Table, Problems> {
    let line_of = |offset: usize| {
        1 + text
            .as_bytes()
            .iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count()
    };
    match DeTable::parse(text) {
        Ok(table) => {
            let line = line_of(table.span().start);
            Ok(table_of(table.into_inner(), line, &line_of))
        }
        Err(error) => {
            let line = error
                .span()
                .map(|span| line_of(span.start.min(text.len().saturating_sub(1))));
            Err(Problems::one(
                line,
                "",
                format!("is no TOML: {}", error.message()),
            ))
        }
    }
}

/// A list of texts as it is written in a file.
pub(super) fn texts(list: &str) -> Option<Vec<String>> {
    match parse(&format!("list = {list}"))
        .ok()?
        .entries
        .remove("list")?
        .value
    {
        Value::Texts(texts) => Some(texts.into_iter().map(|(text, _)| text).collect()),
        _ => None,
    }
}

fn table_of(table: DeTable<'_>, line: usize, line_of: &impl Fn(usize) -> usize) -> Table {
    let mut entries = BTreeMap::new();
    for (key, value) in table {
        let line = line_of(key.span().start);
        entries.insert(
            key.into_inner().into_owned(),
            Entry {
                value: value_of(value, line, line_of),
                source: Source::SharedConnection(line),
            },
        );
    }
    Table {
        entries,
        source: Source::SharedConnection(line),
    }
}

fn value_of(value: Spanned<DeValue<'_>>, line: usize, line_of: &impl Fn(usize) -> usize) -> Value {
    match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Other("a number that large"), Value::Integer),
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(table) => Value::Table(table_of(table, line, line_of)),
        DeValue::Array(items) => {
            let (mut tables, mut texts, count) = (Vec::new(), Vec::new(), items.len());
            for item in items {
                let line = line_of(item.span().start);
                match item.into_inner() {
                    DeValue::Table(table) => tables.push(table_of(table, line, line_of)),
                    DeValue::String(text) => texts.push((text.into_owned(), line)),
                    _ => {}
                }
            }
            match count {
                0 => Value::Texts(Vec::new()),
                count if count == tables.len() => Value::Tables(tables),
                count if count == texts.len() => Value::Texts(texts),
                _ => Value::Other("a list of such"),
            }
        }
    }
}

/// Lays every `VEEAM_GRAPH__…` variable over the file. Upstreams, callers and roles go by their
/// names, in capitals, `-` as `_`.
pub(super) fn overlay(tree: &mut Table, variables: &[(String, String)], problems: &mut Problems) {
    for (variable, text) in variables {
        let Some(path) = variable.strip_prefix(ENV_PREFIX) else {
            continue;
        };
        let parts: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let entry = Entry {
            value: Value::Text(text.clone()),
            source: Source::Variable(variable.clone()),
        };
        let placed = match parts.as_slice() {
            [section, rest @ ..] if section == "upstream" && rest.len() >= 2 => {
                place_in_named(tree, section, rest, entry)
            }
            [auth, section, rest @ ..]
                if auth == "auth"
                    && matches!(section.as_str(), "caller" | "role")
                    && rest.len() >= 2 =>
            {
                match tree.entries.get_mut("auth").map(|entry| &mut entry.value) {
                    Some(Value::Table(auth)) => place_in_named(auth, section, rest, entry),
                    _ => false,
                }
            }
            parts => place(tree, parts, entry),
        };
        if !placed {
            problems.add(None, variable, format!("leads to no setting; write {ENV_PREFIX}SERVER__LISTEN or {ENV_PREFIX}UPSTREAM__<NAME>__URL, with the name of an [[upstream]] in the file"));
        }
    }
}

/// Into the one of several tables that has the first part for its name.
fn place_in_named(tree: &mut Table, section: &str, parts: &[String], entry: Entry) -> bool {
    let Some(Entry {
        value: Value::Tables(tables),
        ..
    }) = tree.entries.get_mut(section)
    else {
        return false;
    };
    let has_name = |table: &&mut Table| match table.entries.get("name").map(|entry| &entry.value) {
        Some(Value::Text(name)) => name.to_lowercase().replace('-', "_") == parts[0],
        _ => false,
    };
    tables
        .iter_mut()
        .find(has_name)
        .is_some_and(|table| place(table, &parts[1..], entry))
}

fn place(table: &mut Table, parts: &[String], entry: Entry) -> bool {
    match parts {
        [] => false,
        [key] => {
            table.entries.insert(key.clone(), entry);
            true
        }
        [key, rest @ ..] => {
            let inner = table.entries.entry(key.clone()).or_insert_with(|| Entry {
                value: Value::Table(Table::default()),
                source: Source::Nowhere,
            });
            match &mut inner.value {
                Value::Table(table) => place(table, rest, entry),
                _ => false,
            }
        }
    }
}
