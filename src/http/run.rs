//! Runs a question that was not asked before, or not of these lists: from its text to bytes.
//!
//! Fields of the query that are known are not executed; where all are, nothing is.

use super::{
    Gateway,
    answers::Kept,
    asking::{Asker, Parameters, Question, Rejection},
    documents::{Asked, Document, Prepared, Unfit},
    execute::{Answered, Ran, refused_by_validation, told_in_public},
    extensions, guard,
    packed::Packed,
};
use crate::{
    estate::{Caller, Sources, fragments::Recollection, principal::Clearance},
    graph::{RootFields, error::code, foresee, write_data},
    loaders::{Loaders, budget::Budget},
};
use async_graphql::{Request as Query, ServerError, Value, Variables};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

/// Longer names are nobody's; they would only be an echo of what was sent.
const MAX_NAME: usize = 128;

/// What an answer has beside its data, in bytes, if it has no errors: roughly, and at the most.
const BESIDE_DATA: usize = 256;

/// What is run.
struct Task<'a> {
    document: &'a Document,
    text: String,
    operation: Option<String>,
    variables: Variables,
    recollection: Option<Recollection>,
}

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

pub(super) async fn run<F>(gateway: &Gateway, asker: &Asker, question: Question<F>, ran: &mut Ran) -> Result<Answered, Rejection>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let limits = &gateway.limits;
    let Parameters { query, operation_name, variables, extensions } = (question.read)(&question.bytes)?;
    ran.operation = operation_name.iter().flat_map(|name| name.chars()).take(MAX_NAME).collect::<String>().into();
    let Some(text) = query else {
        let is_persisted = extensions.is_some_and(|extensions| extensions.contains_key("persistedQuery"));
        return Err(if is_persisted {
            // clients answer this by sending the whole query
            Rejection { status: StatusCode::OK, ..Rejection::graphql(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound") }
        } else {
            Rejection::unreadable(StatusCode::BAD_REQUEST, "There is no query.")
        });
    };
    let asked = Asked { operation: operation_name.as_deref(), variables: variables.unwrap_or_default(), is_get: asker.is_get };
    let Prepared { document, variables, weight } = match gateway.documents.prepare(&text, asked, limits) {
        Ok(prepared) => prepared,
        Err(Unfit::Refused(rejection)) => return Err(rejection),
        Err(Unfit::Invalid(errors)) => return Ok(refused_by_validation(errors, asker, limits.introspection)),
    };
    ran.cost = weight.cost;
    if asker.cost_only {
        let body = json!({"data": null, "extensions": extensions::estimated(&weight, limits.cost)});
        return Ok(Answered::Run { body: body.to_string().into(), errors: 0 });
    }
    gateway.rates.take_cost(&asker.principal, weight.cost)?;

    // what was read with a caller's own credentials is not for others; who wants to know what is read wants it read
    let may_recall = !document.puts_together() && asker.passed.is_empty() && !asker.debug;
    let recollection = gateway.fragments.as_ref().filter(|_| may_recall).map(|fragments| fragments.of(Clearance(asker.principal.clone())));
    let task = Task { document: &document, text, operation: operation_name, variables, recollection };
    let Outcome { body, errors, sources, made_by } = match task.answer(gateway, asker, ran).await? {
        Ok(outcome) => outcome,
        Err(refused) => return Ok(refused),
    };
    let extended = |mut body: Vec<u8>, made_by: Option<&Caller>| {
        body.extend_from_slice(b",\"extensions\":");
        let spent = extensions::spent(&weight, limits.cost, ran.fields, asker, made_by);
        serde_json::to_writer(&mut body, &spent).map_err(|_| unwritable())?;
        body.push(b'}');
        Ok::<_, Rejection>(Bytes::from(body))
    };
    let is_kept = sources.is_some() && gateway.answers.are_kept_for(asker);
    // who is given it again causes no upstream requests
    let again = if is_kept && ran.upstream_requests > 0 { Some(extended(body.clone(), None)?) } else { None };
    let answer = extended(body, made_by.as_ref())?;
    if answer.len() > limits.answer_bytes {
        let message = format!(
            "The answer would have more than {} bytes (limits.answer_bytes). Ask for fewer rows, page by page.",
            limits.answer_bytes
        );
        return Err(Rejection::graphql(code::QUERY_TOO_COMPLEX, message));
    }
    if let Some(sources) = sources.filter(|_| is_kept) {
        let body = again.unwrap_or_else(|| answer.clone());
        let kept = Kept { body, packed: Packed::default(), operation: ran.operation.clone(), cost: ran.cost, fields: ran.fields, sources };
        gateway.answers.keep(asker, &question.bytes, kept);
    }
    Ok(Answered::Run { body: answer, errors })
}

impl Task<'_> {
    /// The answer but for its `extensions`; or a refusal, where the library had something against the document.
    async fn answer(self, gateway: &Gateway, asker: &Asker, ran: &mut Ran) -> Result<Result<Outcome, Answered>, Rejection> {
        let Self { document, text, operation, variables, recollection } = self;
        let limits = &gateway.limits;
        let roots = recollection.as_ref().and_then(|recollection| {
            let operation = guard::operation(document.run(), operation.as_deref())?;
            RootFields::recall(document.run(), operation, &variables, recollection, limits.answer_fields)
        });
        if let Some(known) = roots.as_ref().filter(|roots| roots.are_known()) {
            ran.fields = known.known_fields();
            let mut body = begin(&[], known.bytes())?;
            known.write(&Value::Null, None, &mut body);
            return Ok(Ok(Outcome { body, errors: 0, sources: Sources::together(known.sources()), made_by: None }));
        }

        let caller = gateway.estate.caller(asker.principal.clone(), &asker.passed, asker.debug).await;
        let mut parsed = document.run().clone();
        let known_fields = roots.as_ref().map_or(0, RootFields::known_fields);
        if let Some(roots) = &roots {
            roots.sources().for_each(|sources| caller.reads.take_in(sources));
            guard::operation_mut(&mut parsed, operation.as_deref()).into_iter().for_each(|operation| roots.leave_out_known(operation));
        }
        let loaders = Loaders::new(gateway.estate.clone(), caller, Budget::new(limits.answer_fields, known_fields), recollection);
        if let Some(operation) = guard::operation(&parsed, operation.as_deref()) {
            loaders.begin(foresee(&parsed, operation, &variables));
        }
        let mut query = Query::new(text).variables(variables.clone());
        query.operation_name = operation.clone();
        query.set_parsed_query(parsed);
        let execution = loaders.drive(Box::pin(gateway.schema.execute(query.data(loaders.clone()))));
        let span = tracing::info_span!("request", request_id = %asker.id.0);
        let outcome = tokio::time::timeout(limits.timeout, tracing::Instrument::instrument(execution, span)).await;
        let caller = loaders.caller();
        (ran.fields, ran.upstream_requests) = (loaders.budget().spent(), caller.meter.by_upstream().values().sum());
        let Ok(mut answer) = outcome else {
            let message = format!("The answer was not ready after {:?} (limits.timeout).", limits.timeout);
            let rejection = Rejection::graphql(code::UPSTREAM_TIMEOUT, message);
            return Err(Rejection { status: StatusCode::GATEWAY_TIMEOUT, is_graphql: false, ..rejection });
        };
        if !answer.errors.is_empty() {
            document.fitting.settle_nulls(operation.as_deref(), &mut answer.data, &answer.errors);
        }
        let (data, errors) = match told_in_public(answer, asker, limits.introspection) {
            Ok(told) => told,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut body = begin(&errors, roots.as_ref().map_or(0, RootFields::bytes))?;
        match &roots {
            Some(roots) => roots.write(&data, loaders.recollection(), &mut body),
            None => write_data(&data, &mut body),
        }
        let sources = if errors.is_empty() { caller.reads.sources().map(Arc::new) } else { None };
        if let (Some(recollection), Some(sources)) = (loaders.recollection(), &sources) {
            recollection.keep(sources);
        }
        Ok(Ok(Outcome { body, errors: errors.len(), sources, made_by: Some(caller.clone()) }))
    }
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
    Rejection::unreadable(StatusCode::INTERNAL_SERVER_ERROR, "The gateway could not write its answer.")
}
