//! Objects written as JSON in one pass.
//!
//! The general executor makes a future, a `Value` and a map entry of every field. Most fields of a
//! row need none of these: their value follows from the row. So a selection is compiled once per
//! request and type (`plan.rs`), and an object is written by going through its plan: leaf
//! fields straight to JSON, by the bodies of their own resolvers (`#[direct_fields]`); every other
//! field by its resolver, polled at once, so that one that does not wait is written in its place.
//! Those that wait leave a gap, and are awaited together: what they ask the loaders is asked
//! together, as ever.
//!
//! What is written is a [`Value::Binary`], which nothing else here makes: what it took of the
//! budget, then the JSON.

use super::{
    direct::{At, Row},
    plan::{Action, Plan},
};
use crate::{estate::render_cache::RenderedValue, graph::reuse::rows::write_value};
use async_graphql::{
    ContextSelectionSet, Positioned, ServerError, ServerResult, Value, parser::types::Field,
};
use bytes::Bytes;
use foldhash::fast::RandomState;
use futures_util::future::{BoxFuture, try_join_all};
use std::{
    borrow::Cow,
    collections::HashMap,
    ops::Range,
    slice,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
};

/// Bytes before the JSON: what the rows in it took of the budget.
pub(crate) const HEAD: usize = size_of::<u64>();

type OfSelection = Vec<(Cow<'static, str>, Option<Arc<Plan>>)>;

/// One execution's plans.
pub struct Plans {
    is_on: bool,
    /// By the address of the selection, which is the execution's own and stays where it is, and by
    /// the object's type.
    known: Mutex<HashMap<usize, OfSelection, RandomState>>,
}

impl Plans {
    /// No plans yet. `is_on` is whether objects are written at all: where parts of an answer are put
    /// together from several selections, only the library's own values can be.
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            known: Mutex::default(),
        }
    }

    /// The plan for such an object; none where the general executor has to resolve it.
    fn of(&self, ctx: &ContextSelectionSet<'_>, row: &dyn Row) -> Option<Arc<Plan>> {
        if !self.is_on {
            return None;
        }
        let type_name = row.type_name();
        let selection = std::ptr::from_ref(ctx.item).addr();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_selection = known.entry(selection).or_default();
        if let Some((_, plan)) = of_selection.iter().find(|(of, _)| *of == type_name) {
            return plan.clone();
        }
        let plan = Plan::compile(ctx, &type_name, |name| row.number(name)).map(Arc::new);
        of_selection.push((type_name, plan.clone()));
        plan
    }
}

/// A part of a list.
pub(crate) enum Item<'a> {
    /// Written before, as it was packed.
    Known(RenderedValue),
    /// Yet to be written.
    Row(&'a dyn Row),
}

/// Objects as JSON, one after the other.
pub(crate) struct Written {
    /// [`HEAD`] empty bytes, then the JSON.
    pub json: Vec<u8>,
    /// Where each object is, and what the rows below it took of the budget.
    pub objects: Vec<(Range<usize>, u64)>,
}

impl Written {
    /// What is given out: it took `share` for each object, and what is below.
    pub fn packed(mut self, share: u64) -> Value {
        let below: u64 = self.objects.iter().map(|(_, fields)| fields + share).sum();
        self.json[..HEAD].copy_from_slice(&below.to_le_bytes());
        Value::Binary(Bytes::from(self.json))
    }

    /// One object, as it is given out and remembered.
    pub fn rendered(&self, object: usize, share: u64) -> Option<RenderedValue> {
        let (range, fields) = self.objects.get(object)?.clone();
        let mut packed = Vec::with_capacity(HEAD + range.len());
        packed.extend_from_slice(&(fields + share).to_le_bytes());
        packed.extend_from_slice(self.json.get(range)?);
        Some(RenderedValue {
            packed: packed.into(),
            fields,
        })
    }
}

/// Whether objects of this execution are written at all.
pub(crate) fn are_written(ctx: &ContextSelectionSet<'_>) -> bool {
    ctx.data_unchecked::<Plans>().is_on
}

/// Writes one object.
pub(crate) async fn object(ctx: &ContextSelectionSet<'_>, row: &dyn Row) -> ServerResult<Written> {
    write(ctx, slice::from_ref(ctx), &[Item::Row(row)], false).await
}

/// The same, ready to be a part of an answer.
pub(crate) async fn resolve(ctx: &ContextSelectionSet<'_>, row: &dyn Row) -> ServerResult<Value> {
    if !are_written(ctx) {
        return row.resolve_all(ctx).await;
    }
    Ok(object(ctx, row).await?.packed(0))
}

/// Writes a list.
pub(crate) async fn list(
    ctx: &ContextSelectionSet<'_>,
    items: &[Item<'_>],
) -> ServerResult<Written> {
    let contexts: Vec<_> = (0..items.len())
        .map(|place| ctx.with_index(place))
        .collect();
    write(ctx, &contexts, items, true).await
}

async fn write<'a>(
    ctx: &'a ContextSelectionSet<'a>,
    contexts: &'a [ContextSelectionSet<'a>],
    items: &'a [Item<'a>],
    is_list: bool,
) -> ServerResult<Written> {
    let mut pass = Pass {
        plans: ctx.data_unchecked::<Plans>(),
        is_list,
        written: Written {
            json: vec![0; HEAD],
            objects: Vec::with_capacity(items.len()),
        },
        gaps: Vec::new(),
    };
    let mut is_through = false;
    std::future::poll_fn(|waker| {
        if is_through {
            return Poll::Ready(Ok(()));
        }
        is_through = true;
        let outcome = pass.go_through(contexts, items, waker);
        // what waits was polled just now, and will say when it can go on
        if outcome.is_ok() && !pass.gaps.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(outcome)
    })
    .await?;
    let Pass { written, gaps, .. } = pass;
    if gaps.is_empty() {
        return Ok(written);
    }
    let waiting = gaps.into_iter().map(|gap| async move {
        let value = gap.value.await.map_err(|error| match is_list {
            true => contexts[gap.object].set_error_path(error),
            false => error,
        })?;
        Ok::<_, ServerError>((gap.object, gap.at, value))
    });
    let values = try_join_all(waiting).await?;
    Ok(put_together(written, values))
}

/// A plan, with the fields that it is made of.
struct Way<'a> {
    plan: Arc<Plan>,
    fields: Vec<&'a Positioned<Field>>,
}

/// A field, or an object, that waits.
struct Gap<'a> {
    /// Where it belongs.
    at: usize,
    /// In which object.
    object: usize,
    value: BoxFuture<'a, ServerResult<Value>>,
}

/// The first pass through a list: all that does not wait.
struct Pass<'a> {
    plans: &'a Plans,
    is_list: bool,
    written: Written,
    gaps: Vec<Gap<'a>>,
}

impl<'a> Pass<'a> {
    fn go_through(
        &mut self,
        contexts: &'a [ContextSelectionSet<'a>],
        items: &'a [Item<'a>],
        waker: &mut task::Context<'_>,
    ) -> ServerResult<()> {
        let mut ways: Vec<(Cow<'static, str>, Option<Way<'a>>)> = Vec::new();
        if self.is_list {
            self.written.json.push(b'[');
        }
        for (object, (item, ctx)) in items.iter().zip(contexts).enumerate() {
            if object > 0 {
                self.written.json.push(b',');
            }
            let (begin, mut fields) = (self.written.json.len(), 0);
            match item {
                Item::Known(fragment) => {
                    fields = fragment.fields;
                    let json = fragment.packed.get(HEAD..).unwrap_or_default();
                    self.written.json.extend_from_slice(json);
                }
                Item::Row(row) => {
                    let type_name = row.type_name();
                    let known = ways.iter().position(|(of, _)| *of == type_name);
                    let place = known.unwrap_or_else(|| {
                        ways.push((type_name, self.way(ctx, *row)));
                        ways.len() - 1
                    });
                    self.object(
                        (object, ctx, *row),
                        ways[place].1.as_ref(),
                        waker,
                        &mut fields,
                    )
                    .map_err(|error| match self.is_list {
                        true => ctx.set_error_path(error),
                        false => error,
                    })?;
                }
            }
            let range = begin..self.written.json.len();
            self.written.objects.push((range, fields));
        }
        if self.is_list {
            self.written.json.push(b']');
        }
        Ok(())
    }

    fn way(&self, ctx: &ContextSelectionSet<'a>, row: &dyn Row) -> Option<Way<'a>> {
        let plan = self.plans.of(ctx, row)?;
        let fields = plan.fields(ctx)?;
        Some(Way { plan, fields })
    }

    fn object(
        &mut self,
        (object, ctx, row): (usize, &'a ContextSelectionSet<'a>, &'a dyn Row),
        way: Option<&Way<'a>>,
        waker: &mut task::Context<'_>,
        fields: &mut u64,
    ) -> ServerResult<()> {
        let Some(Way {
            plan,
            fields: selected,
        }) = way
        else {
            return self.poll(object, row.resolve_all(ctx), waker, fields);
        };
        for (step, field) in plan.steps.iter().zip(selected) {
            self.written.json.extend_from_slice(&step.text);
            let begin = self.written.json.len();
            let is_written = match step.action {
                Action::Said => true,
                Action::Write(number) => {
                    row.write(number, &At { ctx, field }, &mut self.written.json)
                }
                Action::Resolve => false,
            };
            if !is_written {
                self.written.json.truncate(begin);
                self.poll(object, row.resolve_field(ctx, field), waker, fields)?;
            }
        }
        self.written.json.extend_from_slice(plan.end);
        Ok(())
    }

    fn poll(
        &mut self,
        object: usize,
        mut value: BoxFuture<'a, ServerResult<Value>>,
        waker: &mut task::Context<'_>,
        fields: &mut u64,
    ) -> ServerResult<()> {
        match value.as_mut().poll(waker) {
            Poll::Ready(value) => write_value(&value?, &mut self.written.json, fields),
            Poll::Pending => self.gaps.push(Gap {
                at: self.written.json.len(),
                object,
                value,
            }),
        }
        Ok(())
    }
}

/// Puts values where they belong: each with its object and its place, in their order.
fn put_together(first: Written, values: Vec<(usize, usize, Value)>) -> Written {
    let Written { json, mut objects } = first;
    let mut whole = Vec::with_capacity(json.len() * 2);
    let (mut begin, mut values) = (0, values.into_iter().peekable());
    for (object, (range, fields)) in objects.iter_mut().enumerate() {
        whole.extend_from_slice(&json[begin..range.start]);
        begin = range.start;
        let start = whole.len();
        while let Some((_, at, value)) = values.next_if(|(of, ..)| *of == object) {
            whole.extend_from_slice(&json[begin..at]);
            write_value(&value, &mut whole, fields);
            begin = at;
        }
        whole.extend_from_slice(&json[begin..range.end]);
        begin = range.end;
        *range = start..whole.len();
    }
    whole.extend_from_slice(&json[begin..]);
    Written {
        json: whole,
        objects,
    }
}
