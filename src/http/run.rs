//! Runs a question that was not asked before, or not of these lists: from its text to bytes.
//!
//! Fields of the query that are known are not executed; where all are, nothing is, and the answer
//! is put together at once.

use super::{
    Gateway,
    answers::Kept,
    asking::{Asker, Parameters, Question, Rejection},
    documents::{Asked, Prepared, Unfit},
    execute::{Answered, Ran, refused_by_validation, told_in_public},
    extensions,
    guard::{self, Weight},
    packed::Packed,
    persisted::Meant,
    reusable::{Reusable, mark},
    trusted::unlisted,
};
use crate::{
    estate::{Caller, Sources, fragments::Recollection},
    graph::{RootFields, error::code, foresee, write_data},
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
    sources: Option<Arc<Sources>>,
    /// By whom it was made, unless it was all known.
    made_by: Option<Caller>,
}

/// The answer to a question that was read before and of which all parts are known; none where there
/// is more to do.
pub(super) fn again(
    gateway: &Gateway,
    asker: &Asker,
    bytes: &Bytes,
    ran: &mut Ran,
) -> Option<Result<Answered, Rejection>> {
    let prepared = gateway
        .documents
        .known(bytes, asker.is_get, asker.list())
        .filter(|_| !asker.cost_only)?;
    let recollection = recollection(gateway, asker, &prepared)?;
    let roots = recall(gateway, &prepared, &recollection).filter(RootFields::are_known)?;
    note(&prepared, ran);
    let within_rate = gateway.rates.take_cost(&asker.principal, ran.cost);
    Some(within_rate.and_then(|()| {
        finish(
            gateway,
            asker,
            Some(bytes),
            &prepared.weight,
            put_together(&roots, &recollection, ran)?,
            ran,
        )
    }))
}

/// Runs a question.
pub(super) async fn run<F>(
    gateway: &Gateway,
    asker: &Asker,
    question: Question<F>,
    ran: &mut Ran,
) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let limits = &gateway.limits;
    let bytes = question.bytes.clone();
    let (prepared, is_first) = match gateway.documents.known(&bytes, asker.is_get, asker.list()) {
        Some(prepared) => (prepared, false),
        None => match prepare(gateway, asker, question, ran)? {
            Ok(known) => known,
            Err(invalid) => return Ok(invalid),
        },
    };
    note(&prepared, ran);
    if asker.cost_only {
        let body = json!({"data": null, "extensions": extensions::estimated(&prepared.weight, limits.cost)});
        return Ok(Answered::Run {
            body: body.to_string().into(),
            errors: 0,
            reusable: None,
        });
    }
    gateway.rates.take_cost(&asker.principal, ran.cost)?;
    let recollection = recollection(gateway, asker, &prepared);
    let roots = recollection
        .as_ref()
        .and_then(|recollection| recall(gateway, &prepared, recollection));
    let outcome = match (roots, recollection) {
        (Some(roots), Some(recollection)) if roots.are_known() => {
            put_together(&roots, &recollection, ran)?
        }
        (roots, recollection) => {
            match answer(gateway, asker, &prepared, roots, recollection, ran).await? {
                Ok(outcome) => outcome,
                Err(refused) => return Ok(refused),
            }
        }
    };
    finish(
        gateway,
        asker,
        (!is_first).then_some(&bytes),
        &prepared.weight,
        outcome,
        ran,
    )
}

/// An answer of which all parts are known.
fn put_together(
    roots: &RootFields<'_>,
    recollection: &Recollection,
    ran: &mut Ran,
) -> Result<Outcome, Rejection> {
    ran.fields = roots.known_fields();
    let mut body = begin(&[], roots.bytes())?;
    roots.write(&Value::Null, recollection, &mut body);
    Ok(Outcome {
        body,
        errors: 0,
        sources: Sources::together(roots.sources()),
        made_by: None,
    })
}

/// What is known of the fields of the query; none where what is selected of them can't be said.
fn recall<'p>(
    gateway: &Gateway,
    prepared: &'p Prepared,
    recollection: &Recollection,
) -> Option<RootFields<'p>> {
    let selections = prepared.roots(gateway.fragments.as_ref()?)?;
    Some(RootFields::recall(
        selections,
        recollection,
        gateway.limits.answer_fields,
    ))
}

/// What is known of a question's parts, if that may be used. What was read with a caller's own
/// credentials is not for others; who wants to know what is read wants it read.
fn recollection(gateway: &Gateway, asker: &Asker, prepared: &Prepared) -> Option<Recollection> {
    let may_recall = !prepared.document.puts_together() && asker.passed.is_empty() && !asker.debug;
    gateway
        .fragments
        .as_ref()
        .filter(|_| may_recall)
        .map(|fragments| fragments.of(asker.clearance))
}

/// What is logged of a question.
fn note(prepared: &Prepared, ran: &mut Ran) {
    (ran.operation, ran.cost) = (name(prepared.operation.as_deref()), prepared.weight.cost);
}

/// An answer with its `extensions`, which is kept by the question's bytes if it may be.
fn finish(
    gateway: &Gateway,
    asker: &Asker,
    bytes: Option<&Bytes>,
    weight: &Weight,
    outcome: Outcome,
    ran: &Ran,
) -> Result<Answered, Rejection> {
    let limits = &gateway.limits;
    let Outcome {
        body,
        errors,
        sources,
        made_by,
    } = outcome;
    let extended = |mut body: Vec<u8>, made_by: Option<&Caller>| {
        body.extend_from_slice(b",\"extensions\":");
        extensions::write_spent(&mut body, weight, limits.cost, ran.fields, asker, made_by)
            .map_err(|_| unwritable())?;
        body.push(b'}');
        Ok::<_, Rejection>(Bytes::from(body))
    };
    let is_kept = sources.is_some() && bytes.is_some() && gateway.answers.are_kept_for(asker);
    let mark = sources
        .as_ref()
        .filter(|_| asker.is_get && asker.passed.is_empty() && !asker.debug)
        .map(|_| mark(&body));
    let reusable = mark
        .clone()
        .zip(sources.as_ref())
        .map(|(mark, sources)| Reusable::new(mark, sources, Instant::now()));
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
    if let (Some(sources), Some(bytes)) = (sources.filter(|_| is_kept), bytes) {
        let body = again.unwrap_or_else(|| answer.clone());
        let kept = Kept {
            body,
            packed: Packed::default(),
            operation: ran.operation.clone(),
            cost: ran.cost,
            fields: ran.fields,
            sources,
            mark,
        };
        gateway.answers.keep(asker, bytes, kept);
    }
    Ok(Answered::Run {
        body: answer,
        errors,
        reusable,
    })
}

/// A question that was not seen before, and whether its document came with its hash; or a refusal,
/// where it does not fit the schema.
fn prepare<F>(
    gateway: &Gateway,
    asker: &Asker,
    question: Question<F>,
    ran: &mut Ran,
) -> Result<Result<(Prepared, bool), Answered>, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let mut parameters = (question.read)(&question.bytes)?;
    ran.operation = name(parameters.operation_name.as_deref());
    let Meant { text, first } = meant(gateway, asker, &mut parameters)?;
    let Parameters {
        operation_name,
        variables,
        ..
    } = parameters;
    let asked = Asked {
        operation: operation_name,
        variables: variables.unwrap_or_default(),
        is_get: asker.is_get,
    };
    match gateway.documents.prepare(&text, asked, &gateway.limits) {
        Ok(prepared) => {
            // one that came with its hash is looked at each time: it may have been forgotten by its
            // hash, and not by its bytes
            match first {
                Some(hash) => gateway.persisted.keep(hash, text),
                None => {
                    gateway
                        .documents
                        .keep(&question.bytes, asker.is_get, asker.list(), &prepared)
                }
            }
            Ok(Ok((prepared, first.is_some())))
        }
        Err(Unfit::Refused(rejection)) => Err(rejection),
        Err(Unfit::Invalid(errors)) => Ok(Err(refused_by_validation(
            errors,
            asker,
            gateway.limits.introspection,
        ))),
    }
}

/// The document that is meant, if it may be run.
fn meant(
    gateway: &Gateway,
    asker: &Asker,
    parameters: &mut Parameters,
) -> Result<Meant, Rejection> {
    let trusted = gateway.trusted.as_ref().zip(asker.trusted.as_ref());
    let meant = gateway
        .persisted
        .meant(parameters, asker.trusted.as_deref());
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
        &asker.principal.name,
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
    asker: &Asker,
    prepared: &Prepared,
    roots: Option<RootFields<'_>>,
    recollection: Option<Recollection>,
    ran: &mut Ran,
) -> Result<Result<Outcome, Answered>, Rejection> {
    let (document, operation, variables) =
        (&prepared.document, &prepared.operation, &prepared.variables);
    let limits = &gateway.limits;
    let caller = gateway
        .estate
        .caller(asker.principal.clone(), &asker.passed, asker.debug)
        .await;
    let mut parsed = document.run().clone();
    let known_fields = roots.as_ref().map_or(0, RootFields::known_fields);
    if let (Some(roots), Some(operation)) = (
        &roots,
        guard::operation_mut(&mut parsed, operation.as_deref()),
    ) {
        roots
            .sources()
            .for_each(|sources| caller.reads.take_in(sources));
        roots.leave_out_known(document.run(), variables, operation);
    }
    let bounds = Bounds {
        fields: limits.answer_fields,
        comparisons: limits.comparisons,
        memory: limits.request_memory,
    };
    let budget = Budget::new(bounds, known_fields);
    let loaders = Loaders::new(gateway.estate.clone(), caller, budget, recollection);
    if let Some(operation) = guard::operation(&parsed, operation.as_deref()) {
        loaders.begin(foresee(&parsed, operation, variables));
    }
    // the text is not looked at where it was parsed
    let mut query = Query::new("").variables(variables.clone());
    query.operation_name = operation.clone();
    query.set_parsed_query(parsed);
    let execution = loaders.drive(Box::pin(gateway.schema.execute(query, loaders.clone())));
    let span = tracing::info_span!("request", request_id = %asker.id.0);
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
    let (data, errors) = match told_in_public(answer, asker, limits.introspection) {
        Ok(told) => told,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut body = begin(&errors, roots.as_ref().map_or(0, RootFields::bytes))?;
    match roots.as_ref().zip(loaders.recollection()) {
        Some((roots, recollection)) => roots.write(&data, recollection, &mut body),
        None => write_data(&data, &mut body),
    }
    let sources = if errors.is_empty() {
        caller.reads.sources().map(Arc::new)
    } else {
        None
    };
    if let (Some(recollection), Some(sources)) = (loaders.recollection(), &sources) {
        recollection.keep(sources);
    }
    Ok(Ok(Outcome {
        body,
        errors: errors.len(),
        sources,
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
