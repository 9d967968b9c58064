//! `/query` in pages: 100 rows unless asked otherwise, cut without a word.
//!
//! The answer counts pages, not rows, so what can be checked is the page's number, that every page but the last is
//! full, and that a page brings something new. Newest first, a session that starts while we read pushes rows onto later
//! pages: rows come twice and are dropped, none is lost, and a page that is added at the end is read too.

use crate::upstream::{
    error::{Error, ErrorKind},
    pager::{Listing, Row},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashSet, pin::pin, sync::Arc};

/// No 30 days were seen with more; a server that always promises another page ends here.
const MAX_PAGES: u64 = 2_000;

/// `PagingInfo`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    number: u64,
    size: u64,
    count: u64,
}

impl Paging {
    /// Of the numbers in a query result; `None` where a server does not send them all.
    pub fn of(number: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        Some(Self { number: number("pagenum")?, size: number("pagesize")?, count: number("pagescount")? })
    }
}

impl Paging {
    /// Whether this page is all there is.
    pub fn is_one_at_most(self) -> bool {
        self.count <= 1
    }
}

/// One page of a query.
pub(super) struct Page<T> {
    pub rows: Vec<T>,
    pub paging: Option<Paging>,
}

/// Reads page 1, then the others in parallel, then those that were added meanwhile.
pub(super) async fn read_all<T, F>(upstream: &Arc<str>, concurrency: usize, read: impl Fn(u64) -> F) -> Result<Listing<T>, Error>
where
    T: Row,
    F: Future<Output = Result<Page<T>, Error>>,
{
    let first = read(1).await?;
    let invalid = |detail: &str| Error::new(upstream, ErrorKind::Invalid, detail);
    let Some(paging) = first.paging else {
        // Without paging information a hundred rows may be all or the first cut of many.
        let problem = (first.rows.len() >= 100).then(|| invalid("a query answer that does not say how many pages there are"));
        return Ok(Listing { rows: first.rows, problem, pages: 1 });
    };
    let mut builder = Builder {
        upstream,
        count: paging.count.min(MAX_PAGES),
        seen: HashSet::new(),
        listing: Listing { rows: Vec::new(), problem: (paging.count > MAX_PAGES).then(|| invalid("more pages than can be")), pages: 1 },
    };
    builder.add(1, Ok(first));
    let mut read_up_to = 1;
    while read_up_to < builder.count {
        let next = read_up_to + 1..=builder.count;
        read_up_to = builder.count;
        let pages = stream::iter(next).map(|number| {
            let page = read(number);
            async move { (number, page.await) }
        });
        let mut pages = pin!(pages.buffered(concurrency.max(1)));
        // page by page: what was read is put in its place while the others come
        while let Some((number, page)) = pages.next().await {
            builder.add(number, page);
        }
    }
    Ok(Listing { pages: u32::try_from(read_up_to).unwrap_or(u32::MAX), ..builder.listing })
}

struct Builder<'a, T: Row> {
    upstream: &'a Arc<str>,
    /// How many pages there are, as far as was told.
    count: u64,
    seen: HashSet<T::Identity>,
    listing: Listing<T>,
}

impl<T: Row> Builder<'_, T> {
    fn add(&mut self, number: u64, page: Result<Page<T>, Error>) {
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.blame(error),
        };
        let rows = page.rows.len() as u64;
        match page.paging {
            Some(told) if told.number != number => return self.doubt("the server answered with another page than asked for"),
            Some(told) => {
                self.count = self.count.max(told.count.min(MAX_PAGES));
                if number < told.count && rows < told.size {
                    self.doubt("a page in the middle is not full");
                }
            }
            None => self.doubt("a page without paging information"),
        }
        let before = self.listing.rows.len();
        self.listing.rows.extend(page.rows.into_iter().filter(|row| self.seen.insert(row.identity())));
        if rows > 0 && self.listing.rows.len() == before && number > 1 && number < self.count {
            self.doubt("the server served the same page again");
        }
    }

    fn doubt(&mut self, detail: &str) {
        self.blame(Error::new(self.upstream, ErrorKind::Invalid, detail));
    }

    fn blame(&mut self, error: Error) {
        self.listing.problem.get_or_insert(error);
    }
}
