//! `and`, `or`, `not`: filters that are put together from others of their kind.

use crate::graph::{error, loaders};
use async_graphql::{Context, Result};

/// A filter that others of its kind can be put into.
pub trait BooleanFilter: Sized {
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

macro_rules! boolean_filter {
    ($filter:ty) => {
        impl $crate::graph::filters::boolean_filter::BooleanFilter for $filter {
            fn parts(&self) -> (&[Self], Option<&[Self]>, Option<&Self>) {
                (
                    self.and.as_deref().unwrap_or_default(),
                    self.or.as_deref(),
                    self.not.as_deref(),
                )
            }
        }
    };
}

pub(crate) use boolean_filter;

/// A filter with what its own members came to (`P`), worked out once for all rows.
pub struct Prepared<P> {
    own: P,
    and: Vec<Self>,
    or: Option<Vec<Self>>,
    not: Option<Box<Self>>,
    /// How many filters it is put together from, itself included.
    filters: u64,
}

/// Comparisons between which others may get their turn.
const AT_ONCE: u64 = 8_192;

impl<P> Prepared<P> {
    /// Works out a filter and all that are put into it.
    pub fn of<'f, F: BooleanFilter>(
        filter: &'f F,
        prepare: &impl Fn(&'f F) -> Result<P>,
    ) -> Result<Self> {
        let all = |filters: &'f [F]| {
            filters
                .iter()
                .map(|filter| Self::of(filter, prepare))
                .collect::<Result<Vec<_>>>()
        };
        let (and, or, not) = filter.parts();
        let own = prepare(filter)?;
        let (and, or) = (all(and)?, or.map(all).transpose()?);
        let not = not
            .map(|filter| Self::of(filter, prepare).map(Box::new))
            .transpose()?;
        let inner = and.iter().chain(or.iter().flatten()).chain(not.as_deref());
        let filters = inner
            .map(|filter| filter.filters)
            .fold(1, u64::saturating_add);
        Ok(Self {
            own,
            and,
            or,
            not,
            filters,
        })
    }

    /// The rows for which all of it holds. Takes every comparison out of the request's budget, and
    /// others get their turn.
    pub async fn keep<T>(
        &self,
        ctx: &Context<'_>,
        rows: Vec<T>,
        own: impl Fn(&P, &T) -> bool,
    ) -> Result<Vec<T>> {
        keep(ctx, rows, self.filters, |row| {
            self.holds(&|filter| own(filter, row))
        })
        .await
    }

    /// The same by the filter's own members alone.
    pub async fn keep_by_own<T>(
        &self,
        ctx: &Context<'_>,
        rows: Vec<T>,
        own: impl Fn(&P, &T) -> bool,
    ) -> Result<Vec<T>> {
        keep(ctx, rows, 1, |row| own(&self.own, row)).await
    }

    /// Whether all of it holds, where `own` tells of the members of one filter whether they do.
    fn holds(&self, own: &impl Fn(&P) -> bool) -> bool {
        own(&self.own)
            && self.and.iter().all(|filter| filter.holds(own))
            && self
                .or
                .as_ref()
                .is_none_or(|any| any.iter().any(|filter| filter.holds(own)))
            && self.not.as_ref().is_none_or(|filter| !filter.holds(own))
    }
}

/// The rows for which a test holds that compares each with so many filters.
pub async fn keep<T>(
    ctx: &Context<'_>,
    rows: Vec<T>,
    filters: u64,
    holds: impl Fn(&T) -> bool,
) -> Result<Vec<T>> {
    let budget = loaders(ctx).budget();
    let at_once = usize::try_from(AT_ONCE / filters)
        .unwrap_or(usize::MAX)
        .max(1);
    let _held = budget.hold_rows(&rows).map_err(error::exhausted)?;
    let mut kept = Vec::new();
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let count = rows.len().min(at_once);
        budget
            .compare(filters.saturating_mul(count as u64))
            .await
            .map_err(error::exhausted)?;
        kept.extend(rows.by_ref().take(count).filter(&holds));
    }
    Ok(kept)
}
