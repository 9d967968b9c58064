//! What rows, and fields of queries, were rendered as: ready JSON by row, selection and access class
//! (what its reader may see), good for as long as all that it was made from is current.
//!
//! An answer is mostly rows that were in other answers: the next page, another filter, another
//! screen with the same table. What is below a row is made from more than the row; so a fragment is
//! kept with everything that its request read, and ends with the first of it.

use super::{ListedRow, RowRef, dependencies::Dependencies, principal::AccessClass};
use bytes::Bytes;
use foldhash::quality::RandomState;
use moka::sync::Cache;
use std::{
    any::TypeId,
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// What an entry takes besides its bytes, roughly.
const ENTRY_BYTES: usize = 256;
/// Larger fragments are parts of answers that are kept whole.
const LARGEST: usize = 1 << 20;
/// Selections that are told apart at once, in bytes of their texts, at the most; forgotten ones get
/// a new number.
const SELECTIONS: u64 = 4 << 20;

/// Which row: a place in one reading of one list, as one type shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey {
    shown_as: TypeId,
    generation: u64,
    place: u32,
    /// The row that it was come to through, where that matters.
    through: Option<(u64, u32)>,
}

impl RowKey {
    /// The row as `T` shows it. `T` must show nothing that does not follow from the row.
    pub fn of<T: 'static, R: ListedRow>(row: &RowRef<R>) -> Self {
        Self {
            shown_as: TypeId::of::<T>(),
            generation: row.snapshot().generation(),
            place: row.place(),
            through: None,
        }
    }

    /// The same, shown in another way.
    pub fn shown_as<T: 'static>(self) -> Self {
        Self {
            shown_as: TypeId::of::<T>(),
            ..self
        }
    }

    /// The same, come to through another row.
    pub fn through<R: ListedRow>(self, row: &RowRef<R>) -> Self {
        Self {
            through: Some((row.snapshot().generation(), row.place())),
            ..self
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    row: RowKey,
    selection: u64,
    access_class: AccessClass,
}

/// A row as JSON.
#[derive(Clone, Debug)]
pub struct RenderedValue {
    /// The JSON, as the one who made it packs it.
    pub packed: Bytes,
    /// What the rows below it took of the request's budget.
    pub fields: u64,
}

/// Fragments of every request.
pub struct RenderCache {
    known: Cache<Key, (RenderedValue, Arc<Dependencies>), RandomState>,
    selections: Cache<Arc<str>, u64, RandomState>,
    next: AtomicU64,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    rows_given_again: AtomicU64,
    query_fields_given_again: AtomicU64,
}

/// How often what was given out again.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenAgain {
    /// Rows of lists.
    pub rows: u64,
    /// Fields of queries.
    pub query_fields: u64,
}

impl RenderCache {
    /// Room for that many bytes. Where one was there before, counts go on; nothing else does.
    pub fn after(before: Option<&Self>, bytes: u64) -> Self {
        let weigh = |_: &Key, (fragment, _): &(RenderedValue, Arc<Dependencies>)| {
            u32::try_from(fragment.packed.len() + ENTRY_BYTES).unwrap_or(u32::MAX)
        };
        let selections = SELECTIONS.min(bytes / 8);
        Self {
            known: Cache::builder()
                .max_capacity(bytes - selections)
                .weigher(weigh)
                .build_with_hasher(RandomState::default()),
            selections: Cache::builder()
                .max_capacity(selections)
                .weigher(|text: &Arc<str>, _| {
                    u32::try_from(text.len() + ENTRY_BYTES).unwrap_or(u32::MAX)
                })
                .build_with_hasher(RandomState::default()),
            next: AtomicU64::new(0),
            counts: before
                .map(|before| before.counts.clone())
                .unwrap_or_default(),
        }
    }

    /// The fragments of one request of somebody.
    pub fn of(self: &Arc<Self>, access_class: AccessClass) -> ReuseSession {
        ReuseSession {
            fragments: self.clone(),
            access_class,
            request: Mutex::default(),
        }
    }

    /// The number of a selection that is said in full.
    pub fn selection(&self, text: &str) -> u64 {
        self.selections
            .get(text)
            .unwrap_or_else(|| self.selections.get_with(text.into(), || self.number()))
    }

    /// How often what was given out again.
    pub fn given_again(&self) -> GivenAgain {
        GivenAgain {
            rows: self.counts.rows_given_again.load(Ordering::Relaxed),
            query_fields: self.counts.query_fields_given_again.load(Ordering::Relaxed),
        }
    }

    /// A number that nothing had before.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// Fragments as one request uses and makes them.
pub struct ReuseSession {
    fragments: Arc<RenderCache>,
    access_class: AccessClass,
    request: Mutex<Request>,
}

#[derive(Default)]
struct Request {
    /// By the selection's position in the document; none for one that can't be remembered.
    selections: HashMap<(usize, usize), Option<u64>>,
    /// Whether what a fragment was made from is current; asked once.
    held: HashMap<usize, bool>,
    made: Vec<(Key, RenderedValue)>,
}

impl ReuseSession {
    /// The number of a selection, which is at that position in the document; `text` says it in
    /// full, if it can be said.
    pub fn selection(
        &self,
        position: (usize, usize),
        text: impl FnOnce() -> Option<String>,
    ) -> Option<u64> {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        *request
            .selections
            .entry(position)
            .or_insert_with(|| Some(self.fragments.selection(&text()?)))
    }

    /// What a field of the query was rendered as, if that is still so, and what it was made from:
    /// who uses it has read that.
    pub fn recall(&self, selection: u64) -> Option<(RenderedValue, Arc<Dependencies>)> {
        self.fragments
            .known
            .get(&self.query_field(selection))
            .filter(|(_, dependencies)| dependencies.hold(Instant::now()))
    }

    /// So many fields of the query are given out as they were rendered.
    pub fn gives_again(&self, query_fields: usize) {
        let count = u64::try_from(query_fields).unwrap_or(u64::MAX);
        self.fragments
            .counts
            .query_fields_given_again
            .fetch_add(count, Ordering::Relaxed);
    }

    fn query_field(&self, selection: u64) -> Key {
        /// What they are shown as.
        struct OfQuery;
        let row = RowKey {
            shown_as: TypeId::of::<OfQuery>(),
            generation: 0,
            place: 0,
            through: None,
        };
        Key {
            row,
            selection,
            access_class: self.access_class,
        }
    }

    /// What a row was rendered as, if that is still so.
    pub fn find(&self, row: RowKey, selection: u64) -> Option<RenderedValue> {
        let (fragment, dependencies) = self.fragments.known.get(&Key {
            row,
            selection,
            access_class: self.access_class,
        })?;
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = *request
            .held
            .entry(Arc::as_ptr(&dependencies) as usize)
            .or_insert_with(|| {
                let holds = dependencies.hold(Instant::now());
                if holds {
                    dependencies.note();
                }
                holds
            });
        if holds {
            self.fragments
                .counts
                .rows_given_again
                .fetch_add(1, Ordering::Relaxed);
        }
        holds.then_some(fragment)
    }

    /// A row was rendered.
    pub fn made(&self, row: RowKey, selection: u64, fragment: RenderedValue) {
        self.remember(
            Key {
                row,
                selection,
                access_class: self.access_class,
            },
            fragment,
        );
    }

    /// A field of the query was rendered.
    pub fn made_query_field(&self, selection: u64, fragment: RenderedValue) {
        self.remember(self.query_field(selection), fragment);
    }

    fn remember(&self, key: Key, fragment: RenderedValue) {
        if fragment.packed.len() <= LARGEST {
            self.request
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .made
                .push((key, fragment));
        }
    }

    /// The request ended well: what it made is good for as long as these are.
    pub fn keep(&self, dependencies: &Arc<Dependencies>) {
        let made = std::mem::take(
            &mut self
                .request
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .made,
        );
        for (key, fragment) in made {
            self.fragments
                .known
                .insert(key, (fragment, dependencies.clone()));
        }
    }
}
