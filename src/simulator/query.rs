//! The filter grammar of `/api/query`, as far as sessions need it: comparisons, `;` for and, `,`
//! for or, parentheses.

use super::estate::{Estate, Session};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;
use uuid::Uuid;

/// One page of a query.
pub(super) struct Page<'a> {
    pub rows: Vec<&'a Session>,
    pub number: usize,
    pub size: usize,
    pub count: usize,
}

/// That many days before an instant.
pub(super) fn days_before(instant: Timestamp, days: i64) -> Timestamp {
    instant
        .checked_sub(SignedDuration::from_hours(24 * days))
        .unwrap_or(instant)
}

/// Runs a query; `None` for a filter that can't be read.
pub(super) fn run<'a>(
    estate: &'a Estate,
    filter: Option<&str>,
    newest_first: bool,
    size: Option<&str>,
    page: Option<&str>,
) -> Option<Page<'a>> {
    let filter = match filter {
        Some(text) => Some(Parser { rest: text }.whole()?),
        None => None,
    };
    let mut rows: Vec<&Session> = estate
        .sessions
        .iter()
        .filter(|session| filter.as_ref().is_none_or(|filter| filter.holds(session)))
        .collect();
    // a hundred, and no word about it
    let size = size
        .and_then(|text| text.parse().ok())
        .filter(|size| *size > 0)
        .unwrap_or(100);
    let number: usize = page.and_then(|text| text.parse().ok()).unwrap_or(1);
    let count = rows.len().div_ceil(size).max(1);
    let from = (number.saturating_sub(1) * size).min(rows.len());
    let to = (from + size).min(rows.len());
    let newest = |session: &&Session| std::cmp::Reverse((session.created, session.uid));
    // of a long list only the page needs an order
    if newest_first && to < rows.len() {
        rows.select_nth_unstable_by_key(to, newest);
        rows.truncate(to);
    }
    if newest_first && from > 0 && from < rows.len() {
        rows.select_nth_unstable_by_key(from, newest);
    }
    rows.truncate(to);
    let mut rows = rows.split_off(from);
    if newest_first {
        rows.sort_by_key(newest);
    }
    Some(Page {
        rows,
        number,
        size,
        count,
    })
}

enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Compare(Compare),
}

/// One comparison, its value read once for all sessions.
struct Compare {
    name: String,
    operator: String,
    /// Of an urn the last part.
    word: String,
    uid: Option<Uuid>,
    instant: Option<Timestamp>,
}

impl Filter {
    fn holds(&self, session: &Session) -> bool {
        match self {
            Filter::Any(parts) => parts.iter().any(|part| part.holds(session)),
            Filter::All(parts) => parts.iter().all(|part| part.holds(session)),
            Filter::Compare(compare) => compare.holds(session),
        }
    }
}

impl Compare {
    fn of(name: &str, operator: &str, value: &str) -> Self {
        let word = value.rsplit(':').next().unwrap_or(value);
        Self {
            name: name.to_ascii_lowercase(),
            operator: operator.to_owned(),
            uid: Uuid::try_parse(word).ok(),
            instant: value.parse().ok(),
            word: word.to_owned(),
        }
    }

    fn holds(&self, session: &Session) -> bool {
        let same = |is_same: bool| {
            Some(if is_same {
                Ordering::Equal
            } else {
                Ordering::Less
            })
        };
        let order = match self.name.as_str() {
            "creationtime" => self.instant.map(|instant| session.created.cmp(&instant)),
            "jobtype" => same(session.kind.eq_ignore_ascii_case(&self.word)),
            "jobuid" => same(self.uid == Some(session.job)),
            "uid" | "jobsessionuid" => same(self.uid == Some(session.uid)),
            _ => None,
        };
        order.is_some_and(|order| match self.operator.as_str() {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            ">=" => order.is_ge(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_lt(),
        })
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn whole(mut self) -> Option<Filter> {
        let filter = self.list()?;
        self.rest.is_empty().then_some(filter)
    }

    /// Parts joined by one separator: mixing both without parentheses is undocumented, so it is
    /// refused.
    fn list(&mut self) -> Option<Filter> {
        let mut parts = vec![self.part()?];
        let separator = self
            .rest
            .chars()
            .next()
            .filter(|character| matches!(character, ';' | ','));
        while let Some(rest) = separator.and_then(|separator| self.rest.strip_prefix(separator)) {
            self.rest = rest;
            parts.push(self.part()?);
        }
        Some(if separator == Some(',') {
            Filter::Any(parts)
        } else {
            Filter::All(parts)
        })
    }

    fn part(&mut self) -> Option<Filter> {
        if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            let inner = self.list()?;
            self.rest = self.rest.strip_prefix(')')?;
            return Some(inner);
        }
        let at = self.rest.find(['=', '!', '<', '>'])?;
        let (name, rest) = self.rest.split_at(at);
        let operator = ["==", "!=", ">=", "<=", ">", "<"]
            .into_iter()
            .find(|operator| rest.starts_with(operator))?;
        let rest = &rest[operator.len()..];
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find([';', ',', ')']).unwrap_or(rest.len())),
        };
        self.rest = rest;
        Some(Filter::Compare(Compare::of(name, operator, value)))
    }
}
