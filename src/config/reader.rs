//! Takes settings out of a table one by one; what is left over is a key that nobody knows.

use super::{
    problem::Problems,
    tree::{self, Entry, Source, Table, Value},
};
use std::{ops::RangeInclusive, time::Duration};

/// A table being read.
pub(super) struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Section {
    pub fn new(path: &str, table: Table) -> Self {
        Self {
            path: path.to_owned(),
            table,
            known: Vec::new(),
        }
    }

    /// The line that the table begins on.
    pub fn line(&self) -> Option<usize> {
        self.table.source.line()
    }

    /// A key of this table, with its tables before it.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Whether a key is there, without taking it.
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        self.table.entries.remove(key)
    }

    /// What to call the place of a value: its key, or the variable that it came from.
    fn place(&self, key: &str, source: &Source) -> (Option<usize>, String) {
        match source {
            Source::Variable(name) => (None, name.clone()),
            source => (source.line(), self.key(key)),
        }
    }

    /// A text, and its line.
    pub fn text(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<(String, Option<usize>)> {
        let entry = self.take(key)?;
        let (line, place) = self.place(key, &entry.source);
        match entry.value {
            Value::Text(text) if !text.is_empty() => Some((text, line)),
            Value::Text(_) => {
                problems.add(line, &place, "is empty");
                None
            }
            _ => {
                problems.add(line, &place, "must be text in quotation marks");
                None
            }
        }
    }

    /// A text that must be there.
    pub fn required_text(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<(String, Option<usize>)> {
        if !self.has(key) {
            self.known.push(key);
            problems.add(self.line(), &self.key(key), "is missing");
            return None;
        }
        self.text(key, problems)
    }

    /// A list of texts, each with its line; one text alone is a list of one. In a variable a list
    /// is written as in the file, `["a", "b"]`: what is not in brackets is one text, whatever is in
    /// it.
    pub fn texts(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Vec<(String, Option<usize>)>> {
        self.list(key, |text| vec![text], problems)
    }

    /// The same for texts that no comma can be part of: a variable without brackets is parted at
    /// commas.
    pub fn words(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Vec<(String, Option<usize>)>> {
        self.list(
            key,
            |text| text.split(',').map(|part| part.trim().to_owned()).collect(),
            problems,
        )
    }

    fn list(
        &mut self,
        key: &'static str,
        part: fn(String) -> Vec<String>,
        problems: &mut Problems,
    ) -> Option<Vec<(String, Option<usize>)>> {
        let entry = self.take(key)?;
        let (line, place) = self.place(key, &entry.source);
        let texts: Option<Vec<(String, Option<usize>)>> = match (entry.value, entry.source) {
            (Value::Text(text), Source::Variable(_)) => {
                let texts = if text.trim_start().starts_with('[') {
                    tree::texts(&text)
                } else {
                    Some(part(text))
                };
                texts.map(|texts| texts.into_iter().map(|text| (text, None)).collect())
            }
            (Value::Text(text), _) => Some(vec![(text, line)]),
            (Value::Texts(texts), _) => Some(
                texts
                    .into_iter()
                    .map(|(text, line)| (text, Some(line)))
                    .collect(),
            ),
            _ => None,
        };
        let Some(texts) = texts else {
            problems.add(line, &place, "must be a list of texts: [\"…\", \"…\"]");
            return None;
        };
        if texts.iter().any(|(text, _)| text.trim().is_empty()) {
            problems.add(line, &place, "has an empty member");
        }
        Some(texts)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let entry = self.take(key)?;
        let (line, place) = self.place(key, &entry.source);
        match (entry.value, entry.source) {
            (Value::Boolean(boolean), _) => Some(boolean),
            (Value::Text(text), Source::Variable(_)) if text == "true" || text == "false" => {
                Some(text == "true")
            }
            _ => {
                problems.add(line, &place, "must be true or false");
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        let entry = self.take(key)?;
        let (line, place) = self.place(key, &entry.source);
        let integer = match (entry.value, entry.source) {
            (Value::Integer(integer), _) => Some(integer),
            (Value::Text(text), Source::Variable(_)) => text.parse().ok(),
            _ => None,
        };
        let within = integer.filter(|integer| bounds.contains(integer));
        if within.is_none() {
            problems.add(
                line,
                &place,
                format!(
                    "must be a whole number from {} to {}",
                    bounds.start(),
                    bounds.end()
                ),
            );
        }
        within
    }

    /// A length of time within bounds: `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"30d"`.
    pub fn duration(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        problems: &mut Problems,
    ) -> Option<Duration> {
        let (text, line) = self.text(key, problems)?;
        let within = parse_duration(&text).filter(|duration| bounds.contains(duration));
        if within.is_none() {
            let message = format!(
                "{text:?} must be a length of time from {:?} to {:?}, for example \"30s\", \"5m\" or \"2h\"",
                bounds.start(),
                bounds.end()
            );
            problems.add(line, &self.key(key), message);
        }
        within
    }

    /// A table within.
    pub fn section(&mut self, key: &'static str) -> Option<Section> {
        let is_table = matches!(
            self.table.entries.get(key),
            Some(Entry {
                value: Value::Table(_),
                ..
            })
        );
        if !is_table {
            // left where it is, it is reported as a key that nobody knows
            if !self.has(key) {
                self.known.push(key);
            }
            return None;
        }
        let path = self.key(key);
        let entry = self.take(key)?;
        match entry.value {
            Value::Table(mut table) => {
                table.source = entry.source;
                Some(Section {
                    path,
                    table,
                    known: Vec::new(),
                })
            }
            _ => None,
        }
    }

    /// A list of tables within, `[[key]]`.
    pub fn sections(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Section> {
        let path = self.key(key);
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        match entry.value {
            Value::Tables(tables) => tables
                .into_iter()
                .map(|table| Section {
                    path: path.clone(),
                    table,
                    known: Vec::new(),
                })
                .collect(),
            _ => {
                problems.add(
                    entry.source.line(),
                    &path,
                    format!("must be a list of tables: write [[{key}]]"),
                );
                Vec::new()
            }
        }
    }

    /// Complains about a key, if it is there, and takes it away.
    pub fn refuse(&mut self, key: &'static str, why: &str, problems: &mut Problems) {
        if let Some(entry) = self.table.entries.remove(key) {
            let (line, place) = self.place(key, &entry.source);
            problems.add(line, &place, why);
        }
    }

    /// Complains about every key that was not taken.
    pub fn finish(self, problems: &mut Problems) {
        for (key, entry) in &self.table.entries {
            let (line, place) = self.place(key, &entry.source);
            let what = match &entry.value {
                Value::Other(what) if self.known.contains(&key.as_str()) => {
                    format!("can't be {what}")
                }
                _ => format!("is no setting here; there are: {}", self.known.join(", ")),
            };
            problems.add(line, &place, what);
        }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" | "min" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_in_their_units() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("15min", Some(900_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
        ] {
            assert_eq!(
                parse_duration(text).map(|duration| duration.as_millis()),
                expected,
                "{text}"
            );
        }
        for bad in [
            "",
            "s",
            "5",
            "-5s",
            "5 weeks",
            "1.5s",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
