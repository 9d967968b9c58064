//! The schema: a file per GraphQL type, with its fields, its edges and how it is made. No I/O, no
//! HTTP.
//!
//! A field that needs an upstream is nullable and returns `Option<Result<…>>`, never
//! `Result<Option<…>>`: the library nulls the whole parent for the second. A connection is never
//! null: a list that could not be read is a connection with `complete: false`, beside an error with
//! the connection's path.

mod all_consoles;
mod document;
pub mod error;
mod filters;
mod paging;
mod query;
mod reuse;
mod schema;
mod types;
mod writer;

use crate::{
    estate::{
        Caller, Failure, ListedRow, RowRef, UpstreamId,
        console::{Console, Rows},
    },
    loaders::Loaders,
};
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, ObjectType, Request, Response, SDLExportOptions,
    SchemaBuilder, ValidationMode,
};
use std::sync::Arc;

pub use self::document::read_ahead::begin_read_ahead;
pub use self::document::validation::{Merged, ValidatedDocument, Validator};
pub use self::reuse::root_fields::{RootFields, RootSelections};
pub use self::reuse::rows::write_data;
use self::writer::objects::Plans;
use query::KeyedQuery;
pub use query::{FederatedQuery, Query};

/// The schema that is served. Clones share it.
#[derive(Clone)]
pub enum Schema {
    /// By itself.
    Alone(async_graphql::Schema<Query, EmptyMutation, EmptySubscription>),
    /// With what a federation's router asks for.
    Federated(async_graphql::Schema<FederatedQuery, EmptyMutation, EmptySubscription>),
}

impl Schema {
    /// Runs a request, with these loaders. `writes` is whether objects may be written without the
    /// general executor: not where it puts parts of the answer together from several selections.
    pub async fn execute(&self, request: Request, loaders: Arc<Loaders>, writes: bool) -> Response {
        let request = request.data(loaders).data(Plans::new(writes));
        match self {
            Self::Alone(schema) => schema.execute(request).await,
            Self::Federated(schema) => schema.execute(request).await,
        }
    }

    /// All of it as text, with what is only there for a router.
    fn whole(&self) -> String {
        match self {
            Self::Alone(schema) => schema.sdl(),
            Self::Federated(schema) => schema.sdl(),
        }
    }
}

/// Selections within each other: our guard before execution allows fewer.
const MAX_DEPTH: usize = 256;

fn builder<Q: ObjectType + Default + 'static>() -> SchemaBuilder<Q, EmptyMutation, EmptySubscription>
{
    async_graphql::Schema::build(Q::default(), EmptyMutation, EmptySubscription)
        .limit_recursive_depth(MAX_DEPTH)
        // `Validator` has seen every document before
        .validation_mode(ValidationMode::Fast)
}

/// The schema that is served: if it can be federated, also with `_service`, `_entities` and their
/// types.
pub fn schema(federation: bool) -> Schema {
    if federation {
        Schema::Federated(builder::<FederatedQuery>().finish())
    } else {
        Schema::Alone(builder::<Query>().finish())
    }
}

/// The schema as text: `schema.graphql`, or with federation's directives for a composer. Needs no
/// data and no server.
pub fn sdl(federation: bool) -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .use_space_ident()
        .indent_width(2)
        .include_specified_by();
    let text = match federation {
        true => schema::federation::with_key_of_jobs(
            &builder::<KeyedQuery>()
                .enable_federation()
                .finish()
                .sdl_with_options(options.federation()),
        ),
        false => builder::<Query>().finish().sdl_with_options(options),
    };
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim())
}

/// This request's loaders.
fn loaders<'a>(ctx: &Context<'a>) -> &'a Loaders {
    ctx.data_unchecked::<Arc<Loaders>>()
}

/// How many fields are selected below a field.
fn fields_below(field: async_graphql::SelectionField<'_>) -> u64 {
    field
        .selection_set()
        .map(|inner| 1 + fields_below(inner))
        .sum()
}

/// Takes what this field's rows will add to the answer out of the request's budget, before they are
/// given out; tells what each of them takes.
async fn give_out(ctx: &Context<'_>, rows: usize) -> async_graphql::Result<u64> {
    let each = fields_below(ctx.field());
    let fields = each.saturating_mul(u64::try_from(rows).unwrap_or(u64::MAX));
    loaders(ctx)
        .budget()
        .spend(fields)
        .await
        .map_err(error::exhausted)?;
    Ok(each)
}

/// A nullable field from an answer: nothing, a value, or an error that costs this field alone.
fn nullable<T>(answer: Result<Option<T>, Failure>) -> Option<async_graphql::Result<T>> {
    answer
        .map_err(|failure| error::upstream(&failure))
        .transpose()
}

/// The rows of an answer, and why there may be more: a failure is an empty list that is not whole.
fn rows_of<T: ListedRow>(answer: Result<Rows<T>, Failure>) -> (Vec<RowRef<T>>, Vec<Failure>) {
    match answer {
        Ok(rows) => (rows.rows, rows.problem.into_iter().collect()),
        Err(failure) => (Vec::new(), vec![failure]),
    }
}

/// What one console answers with rows; nothing where the caller has no such console.
async fn rows_of_console<'a, T: ListedRow, F: Future<Output = Result<Rows<T>, Failure>>>(
    ctx: &Context<'a>,
    upstream: UpstreamId,
    ask: impl FnOnce(&'a Console, &'a Caller) -> F,
) -> (Vec<RowRef<T>>, Vec<Failure>) {
    let caller = loaders(ctx).caller();
    match caller.console(upstream) {
        Some(console) => rows_of(ask(console, caller).await),
        None => (Vec::new(), Vec::new()),
    }
}

/// Marks errors that are told beside data. Taken off before they leave.
pub const REPORTED: &str = "reported";

/// Says beside the data why a list is not whole.
fn report(ctx: &Context<'_>, failure: &Failure) {
    let mut error = error::upstream(failure).into_server_error(ctx.item.pos);
    error.extensions.get_or_insert_default().set(REPORTED, true);
    ctx.add_error(ctx.set_error_path(error));
}
