//! Runs a question that was not asked before, or not of these lists: from its text to bytes.
//!
//! Fields of the query that are known are not executed; where all are, nothing is, and the answer
//! is put together at once.

use super::{
    Gateway,
    cache_control::{CachePolicy, mark},
    compression::CompressedBodies,
    documents::{DocumentError, OperationParameters, PreparedRequest},
    execute::{Executed, RequestStats, refused_by_validation, sanitize_errors},
    extensions,
    persisted::ResolvedDocument,
    query_limits::{self, Complexity},
    request::{Parameters, RawRequest, Rejection, RequestContext},
    response_cache::CachedResponse,
    trusted::unlisted,
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
use bytes::Bytes;
use serde_json::json;
use std::{sync::Arc, time::Instant};

/// Longer names are nobody's; they would only be an echo of what was sent.
const MAX_NAME: usize = 128;

/// What an answer has beside its data, in bytes, if it has no errors: roughly, and at the most.
const BESIDE_DATA: usize = 256;

/// What came of it.
struct Outcome {
    /// `errors` and `data`, as members of the answer.
    body: Vec<u8>,
    errors: usize,
    /// What it was made from, if it may be given again.
    dependencies: Option<Arc<Dependencies>>,
    /// By whom it was made, unless it was all known.
    made_by: Option<Caller>,
}

/// The answer to a question that was read before and of which all parts are known; none where there
/// is more to do.
pub(super) fn again(
    gateway: &Gateway,
    context: &RequestContext,
    bytes: &Bytes,
    ran: &mut RequestStats,
) -> Option<Result<Executed, Rejection>> {
    let prepared = gateway
        .documents
        .known(bytes, context.is_get, context.list())
        .filter(|_| !context.cost_only)?;
    let reuse = reuse(gateway, context, &prepared)?;
    let roots = recall(gateway, &prepared, &reuse).filter(RootFields::are_known)?;
    note(&prepared, ran);
    let within_rate = gateway.rates.take_cost(&context.principal, ran.cost);
    Some(within_rate.and_then(|()| {
        finish(
            gateway,
            context,
            Some(bytes),
            &prepared.complexity,
            put_together(&roots, &reuse, ran)?,
            ran,
        )
    }))
}

/// Runs a question.
pub(super) async fn run<F>(
    gateway: &Gateway,
    context: &RequestContext,
    question: RawRequest<F>,
    ran: &mut RequestStats,
) -> Result<Executed, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let limits = &gateway.limits;
    let bytes = question.bytes.clone();
    let (prepared, is_first) = match gateway
        .documents
        .known(&bytes, context.is_get, context.list())
    {
        Some(prepared) => (prepared, false),
        None => match prepare(gateway, context, question, ran)? {
            Ok(known) => known,
            Err(invalid) => return Ok(invalid),
        },
    };
    note(&prepared, ran);
    if context.cost_only {
        let body = json!({"data": null, "extensions": extensions::estimated(&prepared.complexity, limits.cost)});
        return Ok(Executed::Run {
            body: body.to_string().into(),
            errors: 0,
            cache_policy: None,
        });
    }
    gateway.rates.take_cost(&context.principal, ran.cost)?;
    let reuse = reuse(gateway, context, &prepared);
    let roots = reuse
        .as_ref()
        .and_then(|reuse| recall(gateway, &prepared, reuse));
    let outcome = match (roots, reuse) {
        (Some(roots), Some(reuse)) if roots.are_known() => put_together(&roots, &reuse, ran)?,
        (roots, reuse) => match answer(gateway, context, &prepared, roots, reuse, ran).await? {
            Ok(outcome) => outcome,
            Err(refused) => return Ok(refused),
        },
    };
    finish(
        gateway,
        context,
        (!is_first).then_some(&bytes),
        &prepared.complexity,
        outcome,
        ran,
    )
}

/// An answer of which all parts are known.
fn put_together(
    roots: &RootFields<'_>,
    reuse: &ReuseSession,
    ran: &mut RequestStats,
) -> Result<Outcome, Rejection> {
    ran.fields = roots.known_fields();
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

/// What is known of a question's parts, if that may be used. What was read with a caller's own
/// credentials is not for others; who wants to know what is read wants it read.
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

/// What is logged of a question.
fn note(prepared: &PreparedRequest, ran: &mut RequestStats) {
    (ran.operation, ran.cost) = (
        name(prepared.operation.as_deref()),
        prepared.complexity.cost,
    );
}

/// An answer with its `extensions`, which is kept by the question's bytes if it may be.
fn finish(
    gateway: &Gateway,
    context: &RequestContext,
    bytes: Option<&Bytes>,
    complexity: &Complexity,
    outcome: Outcome,
    ran: &RequestStats,
) -> Result<Executed, Rejection> {
    let limits = &gateway.limits;
    let Outcome {
        body,
        errors,
        dependencies,
        made_by,
    } = outcome;
    let extended = |mut body: Vec<u8>, made_by: Option<&Caller>| {
        body.extend_from_slice(b",\"extensions\":");
        extensions::write_spent(
            &mut body,
            complexity,
            limits.cost,
            ran.fields,
            context,
            made_by,
        )
        .map_err(|_| unwritable())?;
        body.push(b'}');
        Ok::<_, Rejection>(Bytes::from(body))
    };
    let is_kept =
        dependencies.is_some() && bytes.is_some() && gateway.response_cache.are_kept_for(context);
    let mark = dependencies
        .as_ref()
        .filter(|_| context.is_get && context.passed.is_empty() && !context.debug)
        .map(|_| mark(&body));
    let cache_policy = mark
        .clone()
        .zip(dependencies.as_ref())
        .map(|(mark, dependencies)| CachePolicy::new(mark, dependencies, Instant::now()));
    // who is given it again causes no upstream requests
    let again = if is_kept && ran.upstream_requests > 0 {
        Some(extended(body.clone(), None)?)
    } else {
        None
    };
    let answer = extended(body, made_by.as_ref())?;
    if answer.len() > limits.answer_bytes {
        let message = format!(
            "The answer would have more than {} bytes (limits.answer_bytes). Ask for fewer rows, page by page.",
            limits.answer_bytes
        );
        return Err(Rejection::graphql(code::QUERY_TOO_COMPLEX, message));
    }
    if let (Some(dependencies), Some(bytes)) = (dependencies.filter(|_| is_kept), bytes) {
        let body = again.unwrap_or_else(|| answer.clone());
        let kept = CachedResponse {
            body,
            packed: CompressedBodies::default(),
            operation: ran.operation.clone(),
            cost: ran.cost,
            fields: ran.fields,
            dependencies,
            mark,
        };
        gateway.response_cache.keep(context, bytes, kept);
    }
    Ok(Executed::Run {
        body: answer,
        errors,
        cache_policy,
    })
}

/// A question that was not seen before, and whether its document came with its hash; or a refusal,
/// where it does not fit the schema.
fn prepare<F>(
    gateway: &Gateway,
    context: &RequestContext,
    question: RawRequest<F>,
    ran: &mut RequestStats,
) -> Result<Result<(PreparedRequest, bool), Executed>, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let mut parameters = (question.read)(&question.bytes)?;
    ran.operation = name(parameters.operation_name.as_deref());
    let ResolvedDocument { text, first } = meant(gateway, context, &mut parameters)?;
    let Parameters {
        operation_name,
        variables,
        ..
    } = parameters;
    let asked = OperationParameters {
        operation: operation_name,
        variables: variables.unwrap_or_default(),
        is_get: context.is_get,
    };
    match gateway.documents.prepare(&text, asked, &gateway.limits) {
        Ok(prepared) => {
            // one that came with its hash is looked at each time: it may have been forgotten by its
            // hash, and not by its bytes
            match first {
                Some(hash) => gateway.persisted.keep(hash, text),
                None => gateway.documents.keep(
                    &question.bytes,
                    context.is_get,
                    context.list(),
                    &prepared,
                ),
            }
            Ok(Ok((prepared, first.is_some())))
        }
        Err(DocumentError::Refused(rejection)) => Err(rejection),
        Err(DocumentError::Invalid(errors)) => Ok(Err(refused_by_validation(
            errors,
            context,
            gateway.limits.introspection,
        ))),
    }
}

/// The document that is meant, if it may be run.
fn meant(
    gateway: &Gateway,
    context: &RequestContext,
    parameters: &mut Parameters,
) -> Result<ResolvedDocument, Rejection> {
    let trusted = gateway.trusted.as_ref().zip(context.trusted.as_ref());
    let meant = gateway
        .persisted
        .meant(parameters, context.trusted.as_deref());
    let Some((trusted, list)) = trusted else {
        return meant;
    };
    let meant = match meant {
        // who would send it in full then would only be refused then
        Err(rejection)
            if trusted.is_only() && rejection.code == code::PERSISTED_QUERY_NOT_FOUND =>
        {
            return Err(unlisted());
        }
        meant => meant?,
    };
    trusted.judge(
        list,
        &meant.text,
        &context.principal.name,
        parameters.operation_name.as_deref().unwrap_or_default(),
    )?;
    Ok(meant)
}

/// An operation's name, as far as it is logged.
fn name(operation: Option<&str>) -> Box<str> {
    operation
        .into_iter()
        .flat_map(str::chars)
        .take(MAX_NAME)
        .collect::<String>()
        .into()
}

/// The answer but for its `extensions`; or a refusal, where the library had something against the
/// document.
async fn answer(
    gateway: &Gateway,
    context: &RequestContext,
    prepared: &PreparedRequest,
    roots: Option<RootFields<'_>>,
    reuse: Option<ReuseSession>,
    ran: &mut RequestStats,
) -> Result<Result<Outcome, Executed>, Rejection> {
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
    (ran.fields, ran.upstream_requests) = (
        loaders.budget().spent(),
        caller.meter.by_upstream().values().sum(),
    );
    let Ok(mut answer) = outcome else {
        let message = format!(
            "The answer was not ready after {:?} (limits.timeout).",
            limits.timeout
        );
        let rejection = Rejection::graphql(code::UPSTREAM_TIMEOUT, message);
        return Err(Rejection {
            status: StatusCode::GATEWAY_TIMEOUT,
            is_graphql: false,
            ..rejection
        });
    };
    if !answer.errors.is_empty() {
        document
            .fitting
            .settle_nulls(operation.as_deref(), &mut answer.data, &answer.errors);
    }
    let (data, errors) = match sanitize_errors(answer, context, limits.introspection) {
        Ok(told) => told,
        Err(refused) => return Ok(Err(refused)),
    };
    ran.codes.add_all(&errors);
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
    Ok(Ok(Outcome {
        body,
        errors: errors.len(),
        dependencies,
        made_by: Some(caller.clone()),
    }))
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
fn unwritable() -> Rejection {
    Rejection::unreadable(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The gateway could not write its answer.",
    )
}
