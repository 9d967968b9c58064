//! `/query` in pages: 100 rows unless asked otherwise, cut without a word.
//!
//! The answer counts pages, not rows, so what can be checked is the page's number, that every page
//! but the last is full, and that no row comes twice. Rows that do are the server's own where a
//! second reading has the same rows in the same places; else the list moved, and rows may have been
//! lost between two pages. A page that is added at the end is read too.

use crate::upstream::{
    error::{Error, ErrorKind},
    pager::{Listing, Row},
};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
    sync::Arc,
};

/// No 30 days were seen with more; a server that always promises another page ends here.
const MAX_PAGES: u64 = 2_000;
/// Where queries are asked.
const PATH: &str = "/api/query";

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
        Some(Self {
            number: number("pagenum")?,
            size: number("pagesize")?,
            count: number("pagescount")?,
        })
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
    /// How many more it has that can't be read.
    pub unreadable: u64,
    /// Why it is part of the truth.
    pub problem: Option<Error>,
    pub paging: Option<Paging>,
}

/// Reads page 1, then the others in parallel, then those that were added meanwhile; all of it once
/// more where rows came twice or pages do not fit together.
pub(super) async fn read_all<T, F>(
    upstream: &Arc<str>,
    concurrency: usize,
    read: impl Fn(u64) -> F,
) -> Result<Listing<T>, Error>
where
    T: Row,
    F: Future<Output = Result<Page<T>, Error>>,
{
    let mut reading = assemble(upstream, concurrency, &read).await?;
    if reading.is_doubtful || reading.has_repeats {
        match assemble(upstream, concurrency, &read).await {
            Ok(again) => {
                let is_same =
                    again.places.finish() == reading.places.finish() && !reading.is_doubtful;
                let fits = !again.is_doubtful && (!again.has_repeats || is_same);
                reading = again;
                if !fits {
                    reading.blame(Error::new(
                        upstream,
                        ErrorKind::Invalid,
                        "the list changed while it was read, twice: rows may be missing",
                    ));
                }
            }
            Err(error) => reading.blame(error),
        }
    }
    let problem = reading
        .listing
        .problem
        .map(|problem| problem.at(PATH, None).told(None));
    Ok(Listing {
        problem,
        ..reading.listing
    })
}

async fn assemble<'a, T, F>(
    upstream: &'a Arc<str>,
    concurrency: usize,
    read: &impl Fn(u64) -> F,
) -> Result<Builder<'a, T>, Error>
where
    T: Row,
    F: Future<Output = Result<Page<T>, Error>>,
{
    let first = read(1).await?;
    let mut builder = Builder {
        upstream,
        count: 1,
        seen: HashSet::new(),
        places: DefaultHasher::new(),
        is_doubtful: false,
        has_repeats: false,
        listing: Listing {
            rows: Vec::new(),
            problem: None,
            pages: 1,
        },
    };
    let invalid = |detail: &str| Error::new(upstream, ErrorKind::Invalid, detail);
    let Some(paging) = first.paging else {
        // Without paging information a hundred rows may be all or the first cut of many.
        if first.rows.len() as u64 + first.unreadable >= 100 {
            builder.blame(invalid("expected PagingInfo with a hundred rows and more"));
        }
        if let Some(error) = first.problem {
            builder.blame(error);
        }
        builder.listing.rows = first.rows;
        return Ok(builder);
    };
    builder.count = paging.count.min(MAX_PAGES);
    if paging.count > MAX_PAGES {
        builder.blame(invalid("more pages than are read"));
    }
    builder.add(1, Ok(first));
    let mut read_up_to = 1;
    while read_up_to < builder.count && !builder.is_doubtful {
        let next = read_up_to + 1..=builder.count;
        read_up_to = builder.count;
        let pages = stream::iter(next).map(|number| {
            let page = read(number);
            async move { (number, page.await) }
        });
        let mut pages = pin!(pages.buffered(concurrency.max(1)));
        // page by page: what was read is put in its place while the others come; the first that
        // can't be right is the last
        while !builder.is_doubtful
            && let Some((number, page)) = pages.next().await
        {
            builder.add(number, page);
        }
    }
    builder.listing.pages = u32::try_from(read_up_to).unwrap_or(u32::MAX);
    Ok(builder)
}

struct Builder<'a, T: Row> {
    upstream: &'a Arc<str>,
    /// How many pages there are, as far as was told.
    count: u64,
    seen: HashSet<T::Identity>,
    /// Which rows stood in which places.
    places: DefaultHasher,
    /// A page can't be right.
    is_doubtful: bool,
    /// Rows came twice, on pages that may have moved.
    has_repeats: bool,
    listing: Listing<T>,
}

impl<T: Row> Builder<'_, T> {
    fn add(&mut self, number: u64, page: Result<Page<T>, Error>) {
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.blame(error),
        };
        if let Some(error) = page.problem {
            self.blame(error);
        }
        let rows = page.rows.len() as u64 + page.unreadable;
        match page.paging {
            Some(told) if told.number != number => {
                return self.doubt(format!(
                    "expected page {number}, and page {} came",
                    told.number
                ));
            }
            Some(told) => {
                self.count = self.count.max(told.count.min(MAX_PAGES));
                if number < told.count && rows < told.size {
                    self.doubt(format!(
                        "page {number} of {} has {rows} rows, expected {}",
                        told.count, told.size
                    ));
                } else if rows > told.size.max(1) {
                    self.doubt(format!(
                        "page {number} has {rows} rows, and pages are of {}",
                        told.size
                    ));
                }
            }
            None => self.doubt(format!("expected PagingInfo on page {number}")),
        }
        // what is all on one page can't be lost between pages
        let is_paged = self.count > 1;
        let before = self.listing.rows.len();
        for row in page.rows {
            let identity = row.identity();
            identity.hash(&mut self.places);
            if self.seen.insert(identity) {
                self.listing.rows.push(row);
            } else {
                self.has_repeats |= is_paged;
            }
        }
        if rows > 0
            && page.unreadable == 0
            && self.listing.rows.len() == before
            && number > 1
            && number < self.count
        {
            self.doubt(format!(
                "page {number} has no row that is not on another page"
            ));
        }
    }

    fn doubt(&mut self, detail: String) {
        self.is_doubtful = true;
        self.blame(Error::new(self.upstream, ErrorKind::Invalid, detail));
    }

    fn blame(&mut self, error: Error) {
        self.listing.problem.get_or_insert(error);
    }
}
