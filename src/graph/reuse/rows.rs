//! The rows of a connection's page, given out as ready JSON where they were rendered before.
//!
//! The library resolves a field at a time, each a future and a value; for a table of a thousand
//! rows that is what an answer costs. A row that was rendered with the same selection, for somebody
//! who sees the same, from readings that are all current, is the same text again
//! (`estate/render_cache.rs`). It is made by the same resolvers as ever; only its form is another:
//! [`Value::Binary`], which nothing else here makes, holds what it took of the budget and the JSON.

use super::selection_key::SelectionKey;
use crate::{
    estate::{
        ListedRow, RowRef,
        console::protection::{PlacedAlarm, Workload},
        render_cache::{RenderedValue, RowKey},
        sessions::MatchedSession,
    },
    graph::types::{
        agent_job_object::AgentJobObject, backup_agent::BackupAgent, job_object::JobObject,
        linked_job::LinkedJob,
    },
    loaders::Loaders,
};
use async_graphql::{
    Context, ContextSelectionSet, Name, OutputType, Positioned, ServerError, ServerResult, Value,
    parser::types::Field, registry::Registry,
};
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc};

/// Bytes before the JSON: what the row took of the budget, by being in its list and for the rows
/// below it.
const HEAD: usize = size_of::<u64>();

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
    /// The row.
    pub node: &'a N,
}

impl<N: OutputType> OutputType for EdgeRow<'_, N> {
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
            return self.node.resolve(ctx, field).await;
        };
        if let Some(fragment) = reuse.find(key, selection) {
            spend_again(ctx, field, fragment.fields).await?;
            hold(ctx, field, &fragment.packed)?;
            return Ok(Value::Binary(fragment.packed));
        }
        let value = self.node.resolve(ctx, field).await?;
        let (packed, fields) = pack(&value, 0);
        hold(ctx, field, &packed)?;
        reuse.made(
            key,
            selection,
            RenderedValue {
                packed: packed.clone(),
                fields,
            },
        );
        Ok(Value::Binary(packed))
    }
}

impl<N: OutputType> OutputType for Rows<'_, N> {
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
        let (Some(reuse), Some(selection)) = (reuse, selection) else {
            let rows: Vec<&N> = self.rows.iter().map(|(_, node)| *node).collect();
            return rows.resolve(ctx, field).await;
        };
        let (mut values, mut again) = (vec![Value::Null; self.rows.len()], 0);
        let mut rest = Vec::new();
        for (place, (key, node)) in self.rows.iter().enumerate() {
            match key.and_then(|key| reuse.find(key, selection)) {
                Some(fragment) => {
                    again += fragment.fields;
                    hold(ctx, field, &fragment.packed)?;
                    values[place] = Value::Binary(fragment.packed);
                }
                None => rest.push((place, *key, *node)),
            }
        }
        spend_again(ctx, field, again).await?;
        let resolving = rest.into_iter().map(|(place, key, node)| async move {
            let ctx = ctx.with_index(place);
            let value = node
                .resolve(&ctx, field)
                .await
                .map_err(|error| ctx.set_error_path(error))?;
            let (packed, fields) = pack(&value, self.share);
            hold(&ctx, field, &packed)?;
            if let Some(key) = key {
                reuse.made(
                    key,
                    selection,
                    RenderedValue {
                        packed: packed.clone(),
                        fields,
                    },
                );
            }
            Ok::<_, ServerError>((place, Value::Binary(packed)))
        });
        for (place, value) in futures_util::future::try_join_all(resolving).await? {
            values[place] = value;
        }
        Ok(Value::List(values))
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

impl<N: OutputType> OutputType for OwnedRows<N> {
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
    packed: &Bytes,
) -> ServerResult<()> {
    let held = ctx
        .data_unchecked::<Arc<Loaders>>()
        .budget()
        .keep(packed.len() as u64 * 2);
    held.map_err(|exhausted| {
        ctx.set_error_path(crate::graph::error::exhausted(exhausted).into_server_error(field.pos))
    })
}

/// A row as it is given out, and what is below it; it took `share` of the budget itself.
fn pack(value: &Value, share: u64) -> (Bytes, u64) {
    let (mut bytes, mut fields) = (vec![0; HEAD], 0);
    write_value(value, &mut bytes, &mut fields);
    bytes[..HEAD].copy_from_slice(&(fields + share).to_le_bytes());
    (bytes.into(), fields)
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
