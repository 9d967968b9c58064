//! The only way to rows: a snapshot as one caller may see it.
//!
//! Every read of a row goes through `View::get`. Which rows there are for a caller is decided where
//! the view is made, in `visibility.rs`.

use super::{
    Failure, RowRef,
    snapshot::{Listed, Snapshot},
};
use std::{fmt, sync::Arc};

/// Whether the row at a place exists for somebody.
pub(super) type Seen<T> = Arc<dyn Fn(u32, &T) -> bool + Send + Sync>;

/// A snapshot as a caller may see it.
pub struct View<T: Listed> {
    snapshot: Arc<Snapshot<T>>,
    /// `None`: all of it.
    seen: Option<Seen<T>>,
    problem: Option<Failure>,
}

impl<T: Listed> View<T> {
    /// All of it: for those who may see all, and for work whose outcome is filtered before anybody
    /// sees it.
    pub(super) fn whole(snapshot: Arc<Snapshot<T>>) -> Self {
        Self {
            problem: snapshot.problem().cloned(),
            snapshot,
            seen: None,
        }
    }

    /// A part of it. `problem` is why it could not be told of some rows whether they belong to it.
    pub(super) fn part(
        snapshot: Arc<Snapshot<T>>,
        seen: Seen<T>,
        problem: Option<Failure>,
    ) -> Self {
        Self {
            problem: snapshot.problem().cloned().or(problem),
            snapshot,
            seen: Some(seen),
        }
    }

    /// The row at a place, if it is there to be seen.
    pub(super) fn get(&self, place: u32) -> Option<RowRef<T>> {
        let row = RowRef::new(self.snapshot.clone(), place)?;
        self.seen
            .as_ref()
            .is_none_or(|seen| seen(place, &row))
            .then_some(row)
    }

    /// The rows at these places.
    pub(super) fn pick<'a>(
        &'a self,
        places: impl IntoIterator<Item = &'a u32> + 'a,
    ) -> impl Iterator<Item = RowRef<T>> + 'a {
        places.into_iter().filter_map(|place| self.get(*place))
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = RowRef<T>> + '_ {
        (0..self.snapshot.len()).filter_map(|place| self.get(place))
    }

    /// The places that the indexes know; they lead to rows only through this view.
    pub(super) fn index(&self) -> &T::Index {
        self.snapshot.index()
    }

    /// Why the list is not whole, if it isn't.
    pub fn problem(&self) -> Option<&Failure> {
        self.problem.as_ref()
    }
}

impl<T: Listed> fmt::Debug for View<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("rows", &self.snapshot.len())
            .field("is_whole", &self.seen.is_none())
            .finish()
    }
}
