//! Reads a list through all its pages and says whether it got everything.
//!
//! Offset paging over a list that changes moves rows between pages, and some servers were seen to
//! ignore `offset` for some parameters and serve the first page again. So every page is held
//! against what it should be (the echoed offset, its length, ids already seen) and the whole
//! against the total; what does not fit is read once more, and what does not fit then makes the
//! list incomplete, never silently short. Rows that come twice are the server's own where a second
//! reading has exactly the same rows in the same places. Totals are not believed beyond
//! [`MAX_ROWS`], and the first page that can't be right ends the reading.

use super::error::{Error, ErrorKind};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
    sync::Arc,
};

/// Of one list no more is read: five times the largest list of the largest estate that is measured
/// (`bench/SCALE.md`), some 300 MB of rows.
pub const MAX_ROWS: u64 = 500_000;
/// The same for pages, for servers with small ones.
const MAX_PAGES: u64 = 5_000;
/// Pages that can't be read, for whatever reason, before the others are left.
const MAX_FAILED_PAGES: u32 = 3;

/// A row that can be recognised when it is served twice.
pub trait Row: Send + Sync + 'static {
    /// What makes the row itself among the rows of its list.
    type Identity: Eq + Hash + Clone + Send;
    /// The row's own.
    fn identity(&self) -> Self::Identity;
    /// The member that should have an id and has none, where such a row is left out of what is
    /// shown.
    fn missing_id(&self) -> Option<&'static str> {
        None
    }
}

/// A list as far as it could be read.
#[derive(Debug)]
pub struct Listing<T> {
    /// The rows, each once, in the upstream's order.
    pub rows: Vec<T>,
    /// `None` when the list was read in full; else why it was not.
    pub problem: Option<Error>,
    /// How many pages it has.
    pub pages: u32,
}

/// One page as served.
#[derive(Debug)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// How many more it has that can't be read.
    pub unreadable: u64,
    /// The offset that the server says it used.
    pub offset: Option<u64>,
    /// How many rows the server says the whole list has.
    pub total: u64,
    /// The server sent errors beside the data: the page is part of the truth.
    pub problem: Option<Error>,
}

/// A list whose first page was read: enough to know how many pages there are.
#[derive(Debug)]
pub struct Opened<T> {
    first: Page<T>,
    page_size: u64,
}

/// Where pages come from.
pub trait PageSource<T>: Sync {
    /// The page at `offset`.
    fn page(&self, offset: u64) -> impl Future<Output = Result<Page<T>, Error>> + Send;
    /// How many rows a full page has.
    fn page_size(&self) -> u64;
    /// How many pages may be asked for at once.
    fn concurrency(&self) -> usize;
    /// Whose list it is.
    fn upstream(&self) -> &Arc<str>;
    /// Which list it is, for the log.
    fn path(&self) -> String;
}

/// Reads the first page.
pub async fn open<T: Row>(source: &impl PageSource<T>) -> Result<Opened<T>, Error> {
    let first = source.page(0).await?;
    // An administrator may have set a smaller page than we asked for, or the server gives all at
    // once: the first page shows it.
    let served = first.rows.len() as u64 + first.unreadable;
    let page_size = if served == first.total {
        served.max(source.page_size())
    } else if served > 0 && served < first.total {
        served.min(source.page_size())
    } else {
        source.page_size()
    };
    Ok(Opened { first, page_size })
}

impl<T> Opened<T> {
    /// For lists that are put together from several: read in full before they are opened.
    pub fn already_read(listing: Listing<T>) -> Self {
        let total = listing.rows.len() as u64;
        Self {
            first: Page {
                rows: listing.rows,
                unreadable: 0,
                offset: None,
                total,
                problem: listing.problem,
            },
            page_size: total.max(1),
        }
    }

    /// What was read, if [`Self::already_read`].
    pub fn into_listing(self) -> Listing<T> {
        Listing {
            rows: self.first.rows,
            problem: self.first.problem,
            pages: 1,
        }
    }
}

impl<T: Row> Opened<T> {
    /// How many pages the list has, the first included; no more than are read.
    pub fn pages(&self) -> u32 {
        let pages = self
            .first
            .total
            .min(MAX_ROWS)
            .div_ceil(self.page_size)
            .clamp(1, MAX_PAGES);
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    /// Reads the other pages, in parallel, and puts the list together.
    pub async fn finish(self, source: &impl PageSource<T>) -> Result<Listing<T>, Error> {
        let first = self.assemble(source).await;
        let listing = if first.needs_second_look {
            // Once more from the start: a list that moved while it was read is whole the second
            // time.
            match open(source).await {
                Ok(opened) => opened
                    .assemble(source)
                    .await
                    .judged_with(first, source.upstream()),
                Err(error) => Listing {
                    problem: first.listing.problem.or(Some(error)),
                    ..first.listing
                },
            }
        } else {
            first.listing
        };
        let problem = listing
            .problem
            .map(|problem| problem.at(&source.path(), None).told(None));
        Ok(Listing { problem, ..listing })
    }

    async fn assemble(self, source: &impl PageSource<T>) -> Assembled<T> {
        let (pages, page_size, total) = (self.pages(), self.page_size, self.first.total);
        let offsets = (1..u64::from(pages)).map(|number| number * page_size);
        let rest = stream::iter(offsets)
            .map(|offset| async move { (offset, source.page(offset).await) })
            .buffered(source.concurrency().max(1));
        let mut rest = pin!(rest);

        let upstream = source.upstream();
        let mut builder = Builder {
            listing: Listing {
                rows: Vec::new(),
                problem: None,
                pages,
            },
            seen: HashSet::new(),
            places: DefaultHasher::new(),
            is_wrong: false,
            is_doubtful: false,
            has_repeats: false,
            unreadable: 0,
            failed: 0,
        };
        builder.add(upstream, 0, total, page_size, pages, Ok(self.first));
        // page by page: what was read is put in its place while the others come
        while !builder.is_over()
            && let Some((offset, page)) = rest.next().await
        {
            builder.add(upstream, offset, total, page_size, pages, page);
        }
        if total > u64::from(pages).saturating_mul(page_size) {
            builder.blame(Error::new(
                upstream,
                ErrorKind::Invalid,
                format!("a total of {total} rows: no more than {MAX_ROWS} are read"),
            ));
        }
        builder.assembled(total)
    }
}

/// A reading of all pages.
struct Assembled<T: Row> {
    listing: Listing<T>,
    /// Something did not fit that a second reading may mend.
    needs_second_look: bool,
    /// Nothing is odd but rows that came twice.
    only_repeats: bool,
    /// Rows that came twice are missing in what the total asks for.
    total: u64,
    unreadable: u64,
    /// Which rows stood in which places.
    places: u64,
    seen: HashSet<T::Identity>,
}

impl<T: Row> Assembled<T> {
    /// The second reading, with what the first one tells of it.
    fn judged_with(mut self, first: Self, upstream: &Arc<str>) -> Listing<T> {
        if !self.needs_second_look || self.listing.problem.is_some() && !self.only_repeats {
            return self.listing;
        }
        if self.only_repeats && first.only_repeats && self.total == first.total {
            // The same rows in the same places both times: the server's own repeats, not a list
            // that shifts.
            if self.places == first.places {
                return self.listing;
            }
            // Each reading lost rows at its own places: both together may have them all.
            for row in first.listing.rows {
                if self.seen.insert(row.identity()) {
                    self.listing.rows.push(row);
                }
            }
            if self.listing.rows.len() as u64 + self.unreadable == self.total {
                return self.listing;
            }
        }
        let moved = || {
            Error::new(
                upstream,
                ErrorKind::Invalid,
                "the list changed while it was read, twice: rows may be missing",
            )
        };
        self.listing.problem.get_or_insert_with(moved);
        self.listing
    }
}

struct Builder<T: Row> {
    listing: Listing<T>,
    seen: HashSet<T::Identity>,
    places: DefaultHasher,
    /// A page can't be right: reading on is no use.
    is_wrong: bool,
    /// The pages do not fit together.
    is_doubtful: bool,
    has_repeats: bool,
    unreadable: u64,
    failed: u32,
}

impl<T: Row> Builder<T> {
    fn add(
        &mut self,
        upstream: &Arc<str>,
        offset: u64,
        total: u64,
        page_size: u64,
        pages: u32,
        page: Result<Page<T>, Error>,
    ) {
        let invalid = |detail: String| Error::new(upstream, ErrorKind::Invalid, detail);
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                self.failed += 1;
                return self.blame(error);
            }
        };
        if let Some(echoed) = page.offset.filter(|echoed| *echoed != offset) {
            return self.wrong(invalid(format!(
                "expected the page at {offset}, and the one at {echoed} came"
            )));
        }
        let served = page.rows.len() as u64 + page.unreadable;
        let expected = page_size.min(total.saturating_sub(offset));
        self.unreadable += page.unreadable;
        self.is_doubtful |= page.total != total;
        if let Some(error) = page.problem {
            self.blame(error);
        }
        let before = self.listing.rows.len();
        let knew_rows = !self.seen.is_empty();
        // a list on one page can't lose rows between pages
        let is_paged = pages > 1;
        for row in page.rows {
            let identity = row.identity();
            if is_paged {
                identity.hash(&mut self.places);
            }
            if self.seen.insert(identity.clone()) {
                self.listing.rows.push(row);
            } else {
                // twice on one page is the server's own: one reading can't shift within itself
                self.has_repeats |= is_paged
                    && !self.listing.rows[before..]
                        .iter()
                        .any(|row| row.identity() == identity);
            }
        }
        let fresh = self.listing.rows.len() - before;
        if served < expected {
            self.wrong(invalid(format!(
                "the page at {offset} has {served} rows, expected {expected} of {total}"
            )));
        } else if served > expected {
            self.wrong(invalid(format!(
                "the page at {offset} has {served} rows, and the list a total of {total}"
            )));
        } else if served > 0 && fresh == 0 && knew_rows && page.unreadable == 0 {
            self.wrong(invalid(format!(
                "the page at {offset} has no row that is not on another page"
            )));
        }
    }

    /// Whether the other pages are left.
    fn is_over(&self) -> bool {
        self.is_wrong || self.failed >= MAX_FAILED_PAGES
    }

    fn wrong(&mut self, error: Error) {
        self.is_wrong = true;
        self.blame(error);
    }

    fn blame(&mut self, error: Error) {
        self.listing.problem.get_or_insert(error);
    }

    fn assembled(self, total: u64) -> Assembled<T> {
        Assembled {
            needs_second_look: self.is_wrong || self.is_doubtful || self.has_repeats,
            only_repeats: self.has_repeats
                && !self.is_wrong
                && !self.is_doubtful
                && self.failed == 0,
            total,
            unreadable: self.unreadable,
            places: self.places.finish(),
            seen: self.seen,
            listing: self.listing,
        }
    }
}
