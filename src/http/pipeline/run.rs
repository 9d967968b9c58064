//! Runs a document: fields of `Query` whose values are current are taken from the render cache,
//! the others are resolved.

use super::{Refusal, RequestStats, error};
use crate::http::{
    Gateway,
    documents::PreparedRequest,
    query_limits,
    request::{Rejection, RequestContext},
};
use crate::{
    estate::{Caller, Dependencies, render_cache::ReuseSession},
    graph::{RootFields, begin_read_ahead, error::code, write_data},
    loaders::{
        Loaders,
        budget::{Bounds, Budget},
    },
};
use async_graphql::{Request as Query, ServerError, Value};
use axum::http::StatusCode;
use std::sync::Arc;

/// What an answer without errors has beside its data, in bytes, at most.
const BESIDE_DATA: usize = 256;

/// What came of a run.
pub(super) struct Outcome {
    /// `errors` and `data`, as members of the answer.
    pub body: Vec<u8>,
    pub errors: usize,
    /// What it was made from, if it may be given again.
    pub dependencies: Option<Arc<Dependencies>>,
    /// By whom it was made, unless all of it was known.
    pub made_by: Option<Caller>,
}

/// Runs a document.
pub(super) async fn run(
    gateway: &Gateway,
    context: &RequestContext,
    prepared: &PreparedRequest,
    stats: &mut RequestStats,
) -> Result<Outcome, Refusal> {
    let reuse = reuse(gateway, context, prepared);
    let roots = reuse
        .as_ref()
        .and_then(|reuse| recall(gateway, prepared, reuse));
    match (roots, reuse) {
        (Some(roots), Some(reuse)) if roots.are_known() => put_together(&roots, &reuse, stats),
        (roots, reuse) => resolve(gateway, context, prepared, roots, reuse, stats).await,
    }
}

/// An answer of which all parts are known.
fn put_together(
    roots: &RootFields<'_>,
    reuse: &ReuseSession,
    stats: &mut RequestStats,
) -> Result<Outcome, Refusal> {
    stats.fields = roots.known_fields();
    let mut body = begin(&[], roots.bytes())?;
    roots.write(&Value::Null, reuse, &mut body);
    Ok(Outcome {
        body,
        errors: 0,
        dependencies: Dependencies::together(roots.dependencies()),
        made_by: None,
    })
}

/// What is known of the fields of the query; none where what is selected of them can't be said.
fn recall<'p>(
    gateway: &Gateway,
    prepared: &'p PreparedRequest,
    reuse: &ReuseSession,
) -> Option<RootFields<'p>> {
    let selections = prepared.roots(gateway.render_cache.as_ref()?)?;
    Some(RootFields::recall(
        selections,
        reuse,
        gateway.limits.answer_fields,
    ))
}

/// Values rendered for earlier requests, if this one may use them. What was read with a caller's own
/// credentials is not for others, and `x-debug` asks what a request reads.
fn reuse(
    gateway: &Gateway,
    context: &RequestContext,
    prepared: &PreparedRequest,
) -> Option<ReuseSession> {
    let may_recall =
        !prepared.document.puts_together() && context.passed.is_empty() && !context.debug;
    gateway
        .render_cache
        .as_ref()
        .filter(|_| may_recall)
        .map(|render_cache| render_cache.of(context.access_class))
}

/// Resolves what is not known.
async fn resolve(
    gateway: &Gateway,
    context: &RequestContext,
    prepared: &PreparedRequest,
    roots: Option<RootFields<'_>>,
    reuse: Option<ReuseSession>,
    stats: &mut RequestStats,
) -> Result<Outcome, Refusal> {
    let (document, operation, variables) =
        (&prepared.document, &prepared.operation, &prepared.variables);
    let limits = &gateway.limits;
    let caller = gateway
        .estate
        .caller(context.principal.clone(), &context.passed, context.debug)
        .await;
    let mut parsed = document.run().clone();
    let known_fields = roots.as_ref().map_or(0, RootFields::known_fields);
    if let (Some(roots), Some(operation)) = (
        &roots,
        query_limits::operation_mut(&mut parsed, operation.as_deref()),
    ) {
        roots
            .dependencies()
            .for_each(|dependencies| caller.reads.take_in(dependencies));
        roots.leave_out_known(document.run(), variables, operation);
    }
    let bounds = Bounds {
        fields: limits.answer_fields,
        comparisons: limits.comparisons,
        memory: limits.request_memory,
    };
    let budget = Budget::new(bounds, known_fields);
    let loaders = Loaders::new(gateway.estate.clone(), caller, budget, reuse);
    if let Some(operation) = query_limits::operation(&parsed, operation.as_deref()) {
        loaders.begin(begin_read_ahead(&parsed, operation, variables));
    }
    // the text is not looked at where it was parsed
    let mut query = Query::new("").variables(variables.clone());
    query.operation_name = operation.clone();
    query.set_parsed_query(parsed);
    let writes = !document.puts_together() && !limits.general_executor_only;
    let execution = loaders.drive(Box::pin(gateway.schema.execute(
        query,
        loaders.clone(),
        writes,
    )));
    let span = tracing::info_span!("request", request_id = %context.id.0);
    let outcome = tokio::time::timeout(
        limits.timeout,
        tracing::Instrument::instrument(execution, span),
    )
    .await;
    let caller = loaders.caller();
    (stats.fields, stats.upstream_requests) = (
        loaders.budget().spent(),
        caller.meter.by_upstream().values().sum(),
    );
    let Ok(mut answer) = outcome else {
        let message = format!(
            "The answer was not ready after {:?} (limits.timeout).",
            limits.timeout
        );
        return Err(Refusal::Rejected(Rejection {
            status: StatusCode::GATEWAY_TIMEOUT,
            is_graphql: false,
            ..Rejection::graphql(code::UPSTREAM_TIMEOUT, message)
        }));
    };
    if !answer.errors.is_empty() {
        document
            .fitting
            .settle_nulls(operation.as_deref(), &mut answer.data, &answer.errors);
    }
    let (data, errors) = error::sanitize(answer, context, limits.introspection)?;
    stats.codes.add_all(&errors);
    let mut body = begin(&errors, roots.as_ref().map_or(0, RootFields::bytes))?;
    match roots.as_ref().zip(loaders.reuse()) {
        Some((roots, reuse)) => roots.write(&data, reuse, &mut body),
        None => write_data(&data, &mut body),
    }
    let dependencies = if errors.is_empty() {
        caller.reads.dependencies().map(Arc::new)
    } else {
        None
    };
    if let (Some(reuse), Some(dependencies)) = (loaders.reuse(), &dependencies) {
        reuse.keep(dependencies);
    }
    Ok(Outcome {
        body,
        errors: errors.len(),
        dependencies,
        made_by: Some(caller.clone()),
    })
}

/// An answer, up to its data, with room for that many bytes more.
fn begin(errors: &[ServerError], bytes: usize) -> Result<Vec<u8>, Rejection> {
    let mut body = Vec::with_capacity(bytes + BESIDE_DATA);
    body.push(b'{');
    if !errors.is_empty() {
        body.extend_from_slice(b"\"errors\":");
        serde_json::to_writer(&mut body, errors).map_err(|_| unwritable())?;
        body.push(b',');
    }
    body.extend_from_slice(b"\"data\":");
    Ok(body)
}

/// An answer that has no form as JSON: there is none.
pub(super) fn unwritable() -> Rejection {
    Rejection::unreadable(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The gateway could not write its answer.",
    )
}
