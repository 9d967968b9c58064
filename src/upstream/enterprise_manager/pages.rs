//! `/query` in pages: 100 rows unless asked otherwise, cut without a word.
//!
//! The answer counts pages, not rows, so what can be checked is the page's number, that every page but the last is
//! full, and that a page brings something new. Newest first, a session that starts while we read pushes rows onto later
//! pages: rows come twice and are dropped, none is lost, and a page that is added at the end is read too.

use super::dialect::Document;
use crate::upstream::{
    error::{Error, ErrorKind},
    pager::{Listing, Row},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashSet, sync::Arc};

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
    /// Read off a query result; `None` where a server sends none.
    pub fn of(document: &Document) -> Option<Self> {
        let number = |key| document.number(&["paginginfo", key]);
        Some(Self { number: number("pagenum")?, size: number("pagesize")?, count: number("pagescount")? })
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
    let mut count = paging.count.min(MAX_PAGES);
    let mut listing = Listing { rows: Vec::new(), problem: None, pages: 1 };
    if paging.count > MAX_PAGES {
        listing.problem = Some(invalid("more pages than can be"));
    }
    let mut seen = HashSet::new();
    let mut read_up_to = 1;
    let mut batch = vec![(1, Ok(first))];
    loop {
        for (number, page) in batch.drain(..) {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    listing.problem.get_or_insert(error);
                    continue;
                }
            };
            let rows = page.rows.len() as u64;
            match page.paging {
                Some(told) if told.number != number => {
                    listing.problem.get_or_insert_with(|| invalid("the server answered with another page than asked for"));
                    continue;
                }
                Some(told) => {
                    count = count.max(told.count.min(MAX_PAGES));
                    if number < told.count && rows < told.size {
                        listing.problem.get_or_insert_with(|| invalid("a page in the middle is not full"));
                    }
                }
                None => {
                    listing.problem.get_or_insert_with(|| invalid("a page without paging information"));
                }
            }
            let before = listing.rows.len();
            listing.rows.extend(page.rows.into_iter().filter(|row| seen.insert(row.identity())));
            if rows > 0 && listing.rows.len() == before && number > 1 && number < count {
                listing.problem.get_or_insert_with(|| invalid("the server served the same page again"));
            }
        }
        if read_up_to >= count {
            break;
        }
        let next = read_up_to + 1..=count;
        read_up_to = count;
        batch = stream::iter(next)
            .map(|number| {
                let page = read(number);
                async move { (number, page.await) }
            })
            .buffered(concurrency.max(1))
            .collect()
            .await;
    }
    listing.pages = u32::try_from(read_up_to).unwrap_or(u32::MAX);
    Ok(listing)
}
