//! The rows of a connection's page, given out as ready JSON where they were rendered before.
//!
//! The library resolves a field at a time, each a future and a value; for a table of a thousand
//! rows that is what an answer costs. A row that was rendered with the same selection, for somebody
//! who sees the same, from readings that are all current, is the same text again
//! (`estate/render_cache.rs`). All other rows are written (`graph/writer`).

use super::selection_key::SelectionKey;
use crate::{
    estate::{
        ListedRow, RowRef,
        console::protection::{PlacedAlarm, Workload},
        render_cache::RowKey,
        sessions::MatchedSession,
    },
    graph::{
        types::{
            agent_job_object::AgentJobObject, backup_agent::BackupAgent, job_object::JobObject,
            linked_job::LinkedJob,
        },
        writer::{
            direct::DirectFields,
            objects::{self, HEAD, Item},
        },
    },
    loaders::Loaders,
};
use async_graphql::{
    Context, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};
use std::{borrow::Cow, sync::Arc};

/// What a node of a connection is made from.
pub trait CacheableRow {
    /// The row that everything it shows as `N` follows from; none where there is more to it than a
    /// row.
    fn key<N: 'static>(&self) -> Option<RowKey>;
}

impl<R: ListedRow> CacheableRow for RowRef<R> {
    fn key<N: 'static>(&self) -> Option<RowKey> {
        Some(RowKey::of::<N, R>(self))
    }
}

impl CacheableRow for AgentJobObject {
    fn key<N: 'static>(&self) -> Option<RowKey> {
        let (row, job) = self.rows();
        let key = RowKey::of::<N, _>(row);
        Some(match job {
            Some(job) => key.through(job),
            None => key,
        })
    }
}

impl CacheableRow for JobObject {
    fn key<N: 'static>(&self) -> Option<RowKey> {
        let (row, job) = self.rows();
        Some(RowKey::of::<N, _>(row).through(job))
    }
}

impl CacheableRow for BackupAgent {
    fn key<N: 'static>(&self) -> Option<RowKey> {
        Some(RowKey::of::<N, _>(self.row()))
    }
}

impl CacheableRow for LinkedJob {
    fn key<N: 'static>(&self) -> Option<RowKey> {
        Some(RowKey::of::<N, _>(self.row()))
    }
}

impl CacheableRow for PlacedAlarm {
    /// Which job it is about follows from the list of jobs.
    fn key<N: 'static>(&self) -> Option<RowKey> {
        Some(RowKey::of::<N, _>(&self.row))
    }
}

impl CacheableRow for Workload {
    /// Whose it is follows from its job, which is another list's.
    fn key<N: 'static>(&self) -> Option<RowKey> {
        Some(RowKey::of::<N, _>(&self.row))
    }
}

impl CacheableRow for MatchedSession {
    /// How it was matched depends on the way to it.
    fn key<N: 'static>(&self) -> Option<RowKey> {
        None
    }
}

/// The rows of a page.
pub struct Rows<'a, N> {
    /// The rows, each with what it follows from.
    pub rows: Vec<(Option<RowKey>, &'a N)>,
    /// What each took of the budget by being in this list: as many fields as are selected of it.
    pub share: u64,
}

/// The row of an edge, which has taken its share.
pub struct EdgeRow<'a, N> {
    /// What it follows from.
    pub key: Option<RowKey>,
    /// The element at the end of the edge.
    pub node: &'a N,
}

impl<N: DirectFields> OutputType for EdgeRow<'_, N> {
    fn type_name() -> Cow<'static, str> {
        N::type_name()
    }

    fn qualified_type_name() -> String {
        N::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        N::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let loaders = ctx.data_unchecked::<Arc<Loaders>>();
        let position = (ctx.item.pos.line, ctx.item.pos.column);
        let known = loaders.reuse().zip(self.key).and_then(|(reuse, key)| {
            let selection = reuse.selection(position, || said(ctx))?;
            Some((reuse, key.shown_as::<EdgeRow<'static, ()>>(), selection))
        });
        let Some((reuse, key, selection)) = known else {
            return objects::resolve(ctx, self.node).await;
        };
        if let Some(fragment) = reuse.find(key, selection) {
            spend_again(ctx, field, fragment.fields).await?;
            hold(ctx, field, &fragment.packed)?;
            return Ok(Value::Binary(fragment.packed));
        }
        let written = objects::object(ctx, self.node).await?;
        hold(ctx, field, &written.json)?;
        if let Some(rendered) = written.rendered(0, 0) {
            reuse.made(key, selection, rendered);
        }
        Ok(written.packed(0))
    }
}

impl<N: DirectFields> OutputType for Rows<'_, N> {
    fn type_name() -> Cow<'static, str> {
        Vec::<N>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<N>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<N>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let loaders = ctx.data_unchecked::<Arc<Loaders>>();
        let reuse = loaders.reuse();
        let position = (ctx.item.pos.line, ctx.item.pos.column);
        let selection = reuse.and_then(|reuse| reuse.selection(position, || said(ctx)));
        let known = reuse.zip(selection);
        if known.is_none() && !objects::are_written(ctx) {
            let rows: Vec<&N> = self.rows.iter().map(|(_, node)| *node).collect();
            return rows.resolve(ctx, field).await;
        }
        let (mut items, mut again) = (Vec::with_capacity(self.rows.len()), 0);
        for (key, node) in &self.rows {
            let rendered = known
                .zip(*key)
                .and_then(|((reuse, selection), key)| reuse.find(key, selection));
            items.push(match rendered {
                Some(rendered) => {
                    again += rendered.fields;
                    Item::Known(rendered)
                }
                None => Item::Row(*node),
            });
        }
        if known.is_some() {
            spend_again(ctx, field, again).await?;
        }
        let written = objects::list(ctx, &items).await?;
        if let Some((reuse, selection)) = known {
            hold(ctx, field, &written.json)?;
            for (place, (item, (key, _))) in items.iter().zip(&self.rows).enumerate() {
                if let (Item::Row(_), Some(key)) = (item, key)
                    && let Some(rendered) = written.rendered(place, self.share)
                {
                    reuse.made(*key, selection, rendered);
                }
            }
        }
        Ok(written.packed(self.share))
    }
}

/// Rows of a list that is no connection.
pub struct OwnedRows<N> {
    rows: Vec<N>,
    share: u64,
}

impl<N> OwnedRows<N> {
    /// Takes what the rows will add to the answer out of the request's budget.
    pub async fn give_out(ctx: &Context<'_>, rows: Vec<N>) -> async_graphql::Result<Self> {
        let share = crate::graph::give_out(ctx, rows.len()).await?;
        Ok(Self { rows, share })
    }
}

impl<N: DirectFields> OutputType for OwnedRows<N> {
    fn type_name() -> Cow<'static, str> {
        Vec::<N>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<N>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<N>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let rows = Rows {
            rows: self.rows.iter().map(|row| (None, row)).collect(),
            share: self.share,
        };
        rows.resolve(ctx, field).await
    }
}

/// Takes what is below rows that are given out again out of the request's budget.
async fn spend_again(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    fields: u64,
) -> ServerResult<()> {
    let spent = ctx
        .data_unchecked::<Arc<Loaders>>()
        .budget()
        .spend(fields)
        .await;
    spent.map_err(|exhausted| {
        ctx.set_error_path(crate::graph::error::exhausted(exhausted).into_server_error(field.pos))
    })
}

/// Takes a written row out of what the request may hold: here, and in the answer that it becomes a
/// part of.
fn hold(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    packed: &[u8],
) -> ServerResult<()> {
    let held = ctx
        .data_unchecked::<Arc<Loaders>>()
        .budget()
        .keep(packed.len() as u64 * 2);
    held.map_err(|exhausted| {
        ctx.set_error_path(crate::graph::error::exhausted(exhausted).into_server_error(field.pos))
    })
}

/// What is selected of a row, in full.
fn said(ctx: &ContextSelectionSet<'_>) -> Option<String> {
    SelectionKey {
        fragments: &ctx.query_env.fragments,
        variables: &ctx.query_env.variables,
    }
    .set(&ctx.item.node)
}

/// Writes an object, each member as `write` does.
pub(crate) fn write_members<'a, T>(
    members: impl IntoIterator<Item = (&'a Name, T)>,
    json: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    json.push(b'{');
    for (place, (name, member)) in members.into_iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        // a name of GraphQL has nothing in it that JSON would escape
        json.push(b'"');
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        write(member, json);
    }
    json.push(b'}');
}

/// Writes a value as JSON; `fields` is raised by what the rows in it took of the budget.
pub(crate) fn write_value(value: &Value, json: &mut Vec<u8>, fields: &mut u64) {
    match value {
        Value::Null => json.extend_from_slice(b"null"),
        Value::Boolean(true) => json.extend_from_slice(b"true"),
        Value::Boolean(false) => json.extend_from_slice(b"false"),
        // neither can fail: they are written to memory
        Value::Number(number) => drop(serde_json::to_writer(&mut *json, number)),
        Value::String(text) => drop(serde_json::to_writer(&mut *json, text)),
        Value::Enum(name) => drop(serde_json::to_writer(&mut *json, name.as_str())),
        Value::Binary(packed) => {
            if let Some((head, fragment)) = packed.split_first_chunk::<HEAD>() {
                *fields += u64::from_le_bytes(*head);
                json.extend_from_slice(fragment);
            }
        }
        Value::List(values) => {
            json.push(b'[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    json.push(b',');
                }
                write_value(value, json, fields);
            }
            json.push(b']');
        }
        Value::Object(members) => write_members(members, json, |value, json| {
            write_value(value, json, fields)
        }),
    }
}

/// Writes a whole answer's data as JSON.
pub fn write_data(data: &Value, json: &mut Vec<u8>) {
    write_value(data, json, &mut 0);
}
