//! `and`, `or`, `not`: filters that are put together from others of their kind.

use async_graphql::Result;

/// A filter that others of its kind can be put into.
pub trait Composed: Sized {
    /// Those that must all hold, those of which one must, and the one that must not.
    fn parts(&self) -> (&[Self], Option<&[Self]>, Option<&Self>);

    /// Those that are put into it.
    fn inner(&self) -> impl Iterator<Item = &Self> {
        let (and, or, not) = self.parts();
        and.iter().chain(or.into_iter().flatten()).chain(not)
    }

    /// Whether something is true of it, or of one that is put into it.
    fn asks(&self, test: impl Fn(&Self) -> bool + Copy) -> bool {
        test(self) || self.inner().any(|filter| filter.asks(test))
    }
}

macro_rules! composed {
    ($filter:ty) => {
        impl $crate::graph::composed::Composed for $filter {
            fn parts(&self) -> (&[Self], Option<&[Self]>, Option<&Self>) {
                (self.and.as_deref().unwrap_or_default(), self.or.as_deref(), self.not.as_deref())
            }
        }
    };
}

pub(super) use composed;

/// A filter with what its own members came to (`P`), worked out once for all rows.
pub struct Prepared<P> {
    own: P,
    and: Vec<Self>,
    or: Option<Vec<Self>>,
    not: Option<Box<Self>>,
}

impl<P> Prepared<P> {
    /// Works out a filter and all that are put into it.
    pub fn of<'f, F: Composed>(filter: &'f F, prepare: &impl Fn(&'f F) -> Result<P>) -> Result<Self> {
        let all = |filters: &'f [F]| filters.iter().map(|filter| Self::of(filter, prepare)).collect::<Result<Vec<_>>>();
        let (and, or, not) = filter.parts();
        Ok(Self {
            own: prepare(filter)?,
            and: all(and)?,
            or: or.map(all).transpose()?,
            not: not.map(|filter| Self::of(filter, prepare).map(Box::new)).transpose()?,
        })
    }

    /// What the filter's own members came to.
    pub fn own(&self) -> &P {
        &self.own
    }

    /// Whether all of it holds, where `own` tells of the members of one filter whether they do.
    pub fn holds(&self, own: &impl Fn(&P) -> bool) -> bool {
        own(&self.own)
            && self.and.iter().all(|filter| filter.holds(own))
            && self.or.as_ref().is_none_or(|any| any.iter().any(|filter| filter.holds(own)))
            && self.not.as_ref().is_none_or(|filter| !filter.holds(own))
    }
}
