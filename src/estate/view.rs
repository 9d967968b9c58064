//! The only way to rows: a snapshot as one caller may see it.
//!
//! There is one principal for now, the operator, who sees everything. Every read of a row goes through `View::get`,
//! so a second kind of principal needs one more arm there and none anywhere else.

use super::{
    Failure, RowRef,
    snapshot::{Listed, Snapshot},
};
use crate::upstream::meter::Meter;
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// Whoever runs the gateway: sees every row.
    Operator,
}

impl Principal {
    fn sees<T>(self, _row: &T) -> bool {
        match self {
            Principal::Operator => true,
        }
    }
}

/// One request's asker: who it is, and who pays for its upstream calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who asks.
    pub principal: Principal,
    /// What the request cost so far.
    pub meter: Arc<Meter>,
}

impl Caller {
    /// The operator, with nothing spent.
    pub fn operator() -> Self {
        Self { principal: Principal::Operator, meter: Arc::default() }
    }
}

/// A snapshot as a caller may see it.
#[derive(Debug)]
pub struct View<T: Listed> {
    snapshot: Arc<Snapshot<T>>,
    principal: Principal,
}

impl<T: Listed> View<T> {
    pub(super) fn new(snapshot: Arc<Snapshot<T>>, caller: &Caller) -> Self {
        Self { snapshot, principal: caller.principal }
    }

    /// The row at a place, if it is there to be seen.
    pub(super) fn get(&self, place: u32) -> Option<RowRef<T>> {
        let row = RowRef::new(self.snapshot.clone(), place)?;
        self.principal.sees(&*row).then_some(row)
    }

    /// The rows at these places.
    pub(super) fn pick<'a>(&'a self, places: impl IntoIterator<Item = &'a u32> + 'a) -> impl Iterator<Item = RowRef<T>> + 'a {
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

    /// Why the list behind it is not whole, if it isn't.
    pub fn problem(&self) -> Option<&Failure> {
        self.snapshot.problem()
    }
}
