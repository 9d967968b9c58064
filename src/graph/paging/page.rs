//! Cuts one page out of a list.
//!
//! A cursor carries the sort key and the identity of the row that it points at, not an offset: it
//! means the same row after a refresh, and the same place if the row is gone. It also carries a
//! mark of the list (field, parent, filter, order), so a cursor of another list is refused instead
//! of pointing somewhere.

use crate::graph::{
    error::{self, bad_input},
    loaders,
};
use crate::loaders::budget::AT_ONCE;
use async_graphql::{Context, Enum, Result};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{cell::OnceCell, cmp::Ordering};

/// Which way a list goes.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderDirection {
    /// Smallest, oldest, A first; what is not known (never ran) before everything.
    #[default]
    Asc,
    /// Largest, newest, Z first; what is not known after everything.
    Desc,
}

/// How many rows a page has when nobody says.
pub const DEFAULT_FIRST: usize = 50;
/// How many rows a page can have.
pub const MAX_FIRST: usize = 500;

/// One value that a list is sorted by. `Null` comes first, ascending: never-ran is the oldest there
/// is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortValue {
    /// Not known.
    Null,
    /// A number, a rank, an instant.
    Number(i64),
    /// A name, as it is compared: in lower case.
    Text(String),
}

impl SortValue {
    /// A name, compared without case.
    pub fn name(text: &str) -> Self {
        SortValue::Text(text.to_lowercase())
    }

    /// An instant.
    pub fn instant(instant: Option<jiff::Timestamp>) -> Self {
        instant.map_or(SortValue::Null, |instant| {
            SortValue::Number(instant.as_microsecond())
        })
    }

    /// A number.
    pub fn number(number: Option<i64>) -> Self {
        number.map_or(SortValue::Null, SortValue::Number)
    }
}

/// Where a row stands in its list: its sort values, then what makes it itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    values: Vec<SortValue>,
    identity: String,
}

/// A row with where it stands. What makes it itself is only said where that is asked.
struct Placed<T> {
    values: Vec<SortValue>,
    identity: OnceCell<String>,
    row: T,
}

impl<T> Placed<T> {
    fn compare(
        &self,
        values: &[SortValue],
        other: impl FnOnce() -> String,
        descending: &[bool],
        identity: &impl Fn(&T) -> String,
    ) -> Ordering {
        for (index, (left, right)) in self.values.iter().zip(values).enumerate() {
            let order = left.cmp(right);
            let order = if descending.get(index).copied().unwrap_or(false) {
                order.reverse()
            } else {
                order
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        self.identity(identity).cmp(&other())
    }

    fn compare_with(
        &self,
        other: &Self,
        descending: &[bool],
        identity: &impl Fn(&T) -> String,
    ) -> Ordering {
        self.compare(
            &other.values,
            || other.identity(identity).clone(),
            descending,
            identity,
        )
    }

    fn identity(&self, identity: &impl Fn(&T) -> String) -> &String {
        self.identity.get_or_init(|| identity(&self.row))
    }
}

/// Which list a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListMark([u8; 6]);

impl ListMark {
    /// Where no cursor can be asked for.
    const UNASKED: Self = Self([0; 6]);

    /// A mark of everything that makes this list another one: field, parent, filter, order.
    pub fn of(parts: &[&str]) -> Self {
        let mut mark = [0; 6];
        mark.copy_from_slice(&digest(&SHA256, parts.join("\u{1f}").as_bytes()).as_ref()[..6]);
        Self(mark)
    }
}

/// The cursor of one row; without a place where nobody can ask for it.
#[derive(Clone, Debug)]
pub struct Cursor {
    mark: ListMark,
    place: Option<Place>,
}

impl Cursor {
    /// The cursor as callers see it.
    pub fn encode(&self) -> String {
        let place = serde_json::to_vec(&self.place).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&self.mark.0[..], &place].concat())
    }

    fn decode(text: &str, mark: ListMark) -> Result<Place> {
        let unreadable = || {
            bad_input(
                "The cursor in `after` is not one that this gateway made. Use `pageInfo.endCursor` of the page before.",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable())?;
        let (theirs, place) = bytes
            .split_at_checked(mark.0.len())
            .ok_or_else(unreadable)?;
        let place = serde_json::from_slice(place).map_err(|_| unreadable())?;
        if theirs != mark.0 {
            return Err(bad_input(
                "The cursor in `after` belongs to another list, filter or order. Ask the next page with the arguments of the page before.",
            ));
        }
        Ok(place)
    }
}

/// The arguments of every connection.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// How many rows.
    pub first: Option<i32>,
    /// After which row.
    pub after: Option<String>,
}

/// One page.
pub struct Page<T> {
    /// Its rows with their cursors.
    pub rows: Vec<(Cursor, T)>,
    /// How many rows the whole list has.
    pub total: usize,
    /// Whether rows come before it.
    pub has_previous: bool,
    /// Whether rows come after it.
    pub has_next: bool,
}

/// Which rows of a page have a cursor that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursors {
    /// None: no field that shows one is selected.
    Unasked,
    /// The first row and the last, for `pageInfo`.
    Ends,
    /// Every row: `edges` is selected.
    All,
}

/// Sorts `rows` and cuts the page that `args` asks for. `values` are what a row is sorted by,
/// `descending` says for each which way it goes; `identity` breaks ties and never changes. `ctx` is
/// the connection's: what its selection can't show is not worked out. A connection that is only
/// asked how many rows it has sorts none, and without `edges` and `pageInfo` nothing needs `mark`.
/// Takes the comparisons out of the request's budget, and others get their turn; beside the rows it
/// holds little more than a page, however long the list is.
pub async fn cut<T>(
    ctx: &Context<'_>,
    rows: Vec<T>,
    args: &PageArgs,
    mark: impl FnOnce() -> ListMark,
    descending: &[bool],
    values: impl Fn(&T) -> Vec<SortValue>,
    identity: impl Fn(&T) -> String,
) -> Result<Page<T>> {
    let selection = ctx.look_ahead();
    let is_selected = |field| selection.field(field).exists();
    let cursors = if is_selected("edges") {
        Cursors::All
    } else if is_selected("pageInfo") {
        Cursors::Ends
    } else {
        Cursors::Unasked
    };
    if cursors == Cursors::Unasked && args.after.is_none() && !is_selected("nodes") {
        first(args)?;
        return Ok(Page {
            total: rows.len(),
            rows: Vec::new(),
            has_previous: false,
            has_next: false,
        });
    }
    let budget = loaders(ctx).budget();
    let _held = budget.hold_rows(&rows).map_err(error::exhausted)?;
    let mark = if cursors == Cursors::Unasked && args.after.is_none() {
        ListMark::UNASKED
    } else {
        mark()
    };
    let mut cut = Cut::new(args, mark, descending, values, identity)?;
    let each = descending.len().max(1);
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let count = rows.len().min(AT_ONCE);
        budget
            .compare(count.saturating_mul(each) as u64)
            .await
            .map_err(error::exhausted)?;
        cut.take_in(rows.by_ref().take(count));
    }
    Ok(cut.page(cursors))
}

/// What a list is sorted by: as many as were given, if these are no more than there are; else
/// `usual`.
pub fn orders<O>(given: Option<Vec<O>>, most: usize, usual: impl FnOnce() -> O) -> Result<Vec<O>> {
    match given.filter(|orders| !orders.is_empty()) {
        None => Ok(vec![usual()]),
        Some(orders) if orders.len() > most => {
            let found = orders.len();
            Err(bad_input(format!(
                "`orderBy` has {found} orders; at most {most} are allowed: one for each field that there is."
            )))
        }
        Some(orders) => Ok(orders),
    }
}

/// A page, while the rows of its list are gone through.
struct Cut<'d, T, V, I> {
    first: usize,
    after: Option<Place>,
    mark: ListMark,
    descending: &'d [bool],
    values: V,
    identity: I,
    /// Rows that may be on the page.
    placed: Vec<Placed<T>>,
    total: usize,
    before: usize,
}

impl<'d, T, V: Fn(&T) -> Vec<SortValue>, I: Fn(&T) -> String> Cut<'d, T, V, I> {
    fn new(
        args: &PageArgs,
        mark: ListMark,
        descending: &'d [bool],
        values: V,
        identity: I,
    ) -> Result<Self> {
        let first = first(args)?;
        let after = args
            .after
            .as_deref()
            .map(|text| Cursor::decode(text, mark))
            .transpose()?;
        Ok(Self {
            first,
            after,
            mark,
            descending,
            values,
            identity,
            placed: Vec::new(),
            total: 0,
            before: 0,
        })
    }

    /// Some of the list's rows.
    fn take_in(&mut self, rows: impl Iterator<Item = T>) {
        for row in rows {
            self.total += 1;
            let row = Placed {
                values: (self.values)(&row),
                identity: OnceCell::new(),
                row,
            };
            let is_after = self.after.as_ref().is_none_or(|after| {
                row.compare(
                    &after.values,
                    || after.identity.clone(),
                    self.descending,
                    &self.identity,
                ) == Ordering::Greater
            });
            if is_after {
                self.placed.push(row);
            } else {
                self.before += 1;
            }
        }
        if self.placed.len() >= self.first.saturating_add(AT_ONCE) {
            self.leave_out();
        }
    }

    /// Leaves out what is not on the page: only its rows need an order among themselves.
    fn leave_out(&mut self) {
        if self.first < self.placed.len() {
            let (descending, identity) = (self.descending, &self.identity);
            self.placed
                .select_nth_unstable_by(self.first, |left, right| {
                    left.compare_with(right, descending, identity)
                });
            self.placed.truncate(self.first);
        }
    }

    fn page(mut self, cursors: Cursors) -> Page<T> {
        self.leave_out();
        let Self {
            mark,
            descending,
            identity,
            mut placed,
            total,
            before: start,
            ..
        } = self;
        placed.sort_by(|left, right| left.compare_with(right, descending, &identity));
        let last = placed.len().saturating_sub(1);
        let page = placed.into_iter().enumerate().map(
            |(
                number,
                Placed {
                    values,
                    identity: known,
                    row,
                },
            )| {
                let can_be_asked_for = match cursors {
                    Cursors::Unasked => false,
                    Cursors::Ends => number == 0 || number == last,
                    Cursors::All => true,
                };
                let place = can_be_asked_for.then(|| Place {
                    values,
                    identity: known.into_inner().unwrap_or_else(|| identity(&row)),
                });
                (Cursor { mark, place }, row)
            },
        );
        let rows: Vec<_> = page.collect();
        Page {
            has_previous: start > 0 && total > 0,
            has_next: start + rows.len() < total,
            rows,
            total,
        }
    }
}

fn first(args: &PageArgs) -> Result<usize> {
    match args.first {
        None => Ok(DEFAULT_FIRST),
        Some(first) => usize::try_from(first)
            .ok()
            .filter(|first| *first <= MAX_FIRST)
            .ok_or_else(|| {
                bad_input(format!(
                    "`first` must be between 0 and {MAX_FIRST}; it is {first}."
                ))
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut_rows<T>(
        rows: Vec<T>,
        args: &PageArgs,
        mark: ListMark,
        descending: &[bool],
        values: impl Fn(&T) -> Vec<SortValue>,
        identity: impl Fn(&T) -> String,
        cursors: Cursors,
    ) -> Result<Page<T>> {
        let mut cut = Cut::new(args, mark, descending, values, identity)?;
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            cut.take_in(rows.by_ref().take(7));
            // as it is with a long list
            cut.leave_out();
        }
        Ok(cut.page(cursors))
    }

    fn pages(rows: &[(Option<i64>, u8)], size: i32, descending: bool) -> Vec<(Option<i64>, u8)> {
        let mark = ListMark::of(&["numbers"]);
        let values = |row: &(Option<i64>, u8)| vec![SortValue::number(row.0)];
        let mut args = PageArgs {
            first: Some(size),
            after: None,
        };
        let mut seen = Vec::new();
        loop {
            let page = cut_rows(
                rows.to_vec(),
                &args,
                mark,
                &[descending],
                values,
                |row| format!("{:03}", row.1),
                Cursors::Ends,
            )
            .unwrap();
            assert_eq!(page.total, rows.len());
            assert_eq!(page.has_previous, !seen.is_empty());
            args.after = page.rows.last().map(|(cursor, _)| cursor.encode());
            let more = page.has_next;
            seen.extend(page.rows.into_iter().map(|(_, row)| row));
            if !more {
                return seen;
            }
        }
    }

    proptest! {
        #[test]
        fn paging_by_any_size_gives_each_row_once_and_in_order(
            values in proptest::collection::vec(proptest::option::of(-3i64..3), 0..40),
            size in 1i32..12,
            descending: bool,
        ) {
            let rows: Vec<(Option<i64>, u8)> = values.into_iter().zip(0u8..).collect();
            let mut expected = rows.clone();
            // `Option` puts `None` first, as we do
            expected.sort_by(|left, right| {
                let order = left.0.cmp(&right.0);
                (if descending { order.reverse() } else { order }).then(left.1.cmp(&right.1))
            });
            prop_assert_eq!(pages(&rows, size, descending), expected);
        }
    }

    #[test]
    fn a_cursor_holds_its_place_when_rows_come_and_go() {
        let mark = ListMark::of(&["numbers"]);
        let values = |row: &i64| vec![SortValue::Number(*row)];
        let first = cut_rows(
            vec![10, 20, 30, 40],
            &PageArgs {
                first: Some(2),
                after: None,
            },
            mark,
            &[false],
            values,
            i64::to_string,
            Cursors::Ends,
        )
        .unwrap();
        let after = first.rows.last().map(|(cursor, _)| cursor.encode());
        let next = cut_rows(
            vec![5, 10, 25, 30, 40],
            &PageArgs {
                first: Some(9),
                after,
            },
            mark,
            &[false],
            values,
            i64::to_string,
            Cursors::Ends,
        )
        .unwrap();
        assert_eq!(
            next.rows
                .into_iter()
                .map(|(_, row)| row)
                .collect::<Vec<_>>(),
            [25, 30, 40]
        );
    }

    #[test]
    fn bad_arguments_name_the_bound_and_foreign_cursors_are_refused() {
        let values = |row: &i64| vec![SortValue::Number(*row)];
        let with = |first, after, list| {
            cut_rows(
                vec![1, 2, 3],
                &PageArgs { first, after },
                ListMark::of(&[list]),
                &[],
                values,
                i64::to_string,
                Cursors::All,
            )
            .map(|page| page.rows[0].0.encode())
        };
        for first in [-1, 501, i32::MAX, i32::MIN] {
            assert!(
                with(Some(first), None, "a")
                    .unwrap_err()
                    .message
                    .contains("between 0 and 500")
            );
        }
        let cursor = with(Some(1), None, "a").unwrap();
        assert!(with(None, Some(cursor.clone()), "a").is_ok());
        assert!(
            with(None, Some(cursor), "b")
                .unwrap_err()
                .message
                .contains("another list")
        );
        for junk in ["", "x", "YWJj", "////"] {
            assert!(
                with(None, Some(junk.to_owned()), "a")
                    .unwrap_err()
                    .message
                    .contains("not one that this gateway made")
            );
        }
    }
}
