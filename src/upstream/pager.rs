//! Reads a list through all its pages and says whether it got everything.
//!
//! Offset paging over a list that changes moves rows between pages, and some servers were seen to ignore `offset` for
//! some parameters and serve the first page again. So every page is held against what it should be (the echoed offset,
//! its length, ids already seen) and the whole against the total; what does not fit is read once more, and what does not
//! fit then makes the list incomplete, never silently short.

use super::error::{Error, ErrorKind};
use futures_util::{StreamExt, stream};
use std::{collections::HashSet, hash::Hash, pin::pin, sync::Arc};

/// A row that can be recognised when it is served twice.
pub trait Row: Send + Sync + 'static {
    /// What makes the row itself among the rows of its list.
    type Identity: Eq + Hash + Clone + Send;
    /// The row's own.
    fn identity(&self) -> Self::Identity;
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
}

/// Reads the first page.
pub async fn open<T: Row>(source: &impl PageSource<T>) -> Result<Opened<T>, Error> {
    let first = source.page(0).await?;
    // An administrator may have set a smaller page than we asked for: the first page shows it.
    let served = first.rows.len() as u64;
    let page_size = if served > 0 && served < first.total { served.min(source.page_size()) } else { source.page_size() };
    Ok(Opened { first, page_size })
}

impl<T> Opened<T> {
    /// For lists that are put together from several: read in full before they are opened.
    pub fn already_read(listing: Listing<T>) -> Self {
        let total = listing.rows.len() as u64;
        Self { first: Page { rows: listing.rows, offset: None, total, problem: listing.problem }, page_size: total.max(1) }
    }

    /// What was read, if [`Self::already_read`].
    pub fn into_listing(self) -> Listing<T> {
        Listing { rows: self.first.rows, problem: self.first.problem, pages: 1 }
    }
}

impl<T: Row> Opened<T> {
    /// How many pages the list has, the first included.
    pub fn pages(&self) -> u32 {
        u32::try_from(self.first.total.div_ceil(self.page_size).max(1)).unwrap_or(u32::MAX)
    }

    /// Reads the other pages, in parallel, and puts the list together.
    pub async fn finish(self, source: &impl PageSource<T>) -> Result<Listing<T>, Error> {
        let listing = self.assemble(source).await;
        if !listing.needs_second_look {
            return Ok(listing.listing);
        }
        // Once more from the start: a list that moved while it was read is whole the second time.
        let again = open(source).await?.assemble(source).await;
        if again.needs_second_look && again.listing.problem.is_none() && again.duplicates == listing.duplicates {
            // The same rows came twice both times: the server's own duplicates, not a shifting list.
            return Ok(again.listing);
        }
        let mut result = again.listing;
        if again.needs_second_look && result.problem.is_none() {
            result.problem = Some(Error::new(source.upstream(), ErrorKind::Invalid, "the list changed while it was read, twice"));
        }
        Ok(result)
    }

    async fn assemble(self, source: &impl PageSource<T>) -> Assembled<T> {
        let (pages, page_size, total) = (self.pages(), self.page_size, self.first.total);
        let offsets = (1..u64::from(pages)).map(|number| number * page_size);
        let rest =
            stream::iter(offsets).map(|offset| async move { (offset, source.page(offset).await) }).buffered(source.concurrency().max(1));
        let mut rest = pin!(rest);

        let upstream = source.upstream();
        let mut builder = Builder { rows: Vec::new(), seen: HashSet::new(), problem: None, suspicious: false, duplicates: 0 };
        builder.add(upstream, 0, total, page_size, Ok(self.first));
        // page by page: what was read is put in its place while the others come
        while let Some((offset, page)) = rest.next().await {
            builder.add(upstream, offset, total, page_size, page);
        }
        Assembled {
            needs_second_look: builder.suspicious,
            duplicates: builder.duplicates,
            listing: Listing { rows: builder.rows, problem: builder.problem, pages },
        }
    }
}

struct Assembled<T> {
    listing: Listing<T>,
    /// Something did not fit that a second read may mend.
    needs_second_look: bool,
    duplicates: usize,
}

struct Builder<T: Row> {
    rows: Vec<T>,
    seen: HashSet<T::Identity>,
    problem: Option<Error>,
    suspicious: bool,
    duplicates: usize,
}

impl<T: Row> Builder<T> {
    fn add(&mut self, upstream: &Arc<str>, offset: u64, total: u64, page_size: u64, page: Result<Page<T>, Error>) {
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.blame(error),
        };
        if page.offset.is_some_and(|echoed| echoed != offset) {
            self.suspicious = true;
            return self.blame(Error::new(upstream, ErrorKind::Invalid, "the server answered with another page than asked for"));
        }
        let expected = page_size.min(total.saturating_sub(offset));
        if (page.rows.len() as u64) < expected {
            self.suspicious = true;
            self.blame(Error::new(upstream, ErrorKind::Invalid, "a page has fewer rows than the list's total asks for"));
        }
        self.suspicious |= page.total != total;
        if let Some(error) = page.problem {
            self.blame(error);
        }
        let (count, before) = (page.rows.len(), self.rows.len());
        let seen_before_page = self.seen.len();
        for row in page.rows {
            if self.seen.insert(row.identity()) {
                self.rows.push(row);
            }
        }
        let fresh = self.rows.len() - before;
        self.duplicates += count - fresh;
        if count > 0 && fresh == 0 && seen_before_page > 0 {
            self.suspicious = true;
            self.blame(Error::new(upstream, ErrorKind::Invalid, "the server served the same page again"));
        } else if offset > 0 && fresh < count {
            // rows known from an earlier page: either the list moved, or the server keeps duplicates
            self.suspicious = true;
        }
    }

    fn blame(&mut self, error: Error) {
        self.problem.get_or_insert(error);
    }
}
