//! From a request's bytes to a document that may be run: read, resolved by its hash or id where it
//! came without text, parsed, validated and weighed; or found in the cache of documents.

use super::{Refusal, RequestStats, error};
use crate::graph::error::code;
use crate::http::{
    Gateway,
    documents::{OperationParameters, PreparedRequest},
    persisted::ResolvedDocument,
    request::{Parameters, RawRequest, Rejection, RequestContext},
    trusted::unlisted,
};

/// Longer names would only echo what was sent.
const MAX_NAME: usize = 128;

/// A request that may be run, and whether its answer may be kept by the request's bytes.
pub(super) fn prepare<F>(
    gateway: &Gateway,
    context: &RequestContext,
    request: RawRequest<F>,
    stats: &mut RequestStats,
) -> Result<(PreparedRequest, bool), Refusal>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let known = gateway
        .documents
        .known(&request.bytes, context.is_get, context.list());
    let (prepared, may_be_kept) = match known {
        Some(prepared) => (prepared, true),
        None => parse(gateway, context, request, stats)?,
    };
    stats.operation = name(prepared.operation.as_deref());
    stats.cost = prepared.complexity.cost;
    Ok((prepared, may_be_kept))
}

fn parse<F>(
    gateway: &Gateway,
    context: &RequestContext,
    request: RawRequest<F>,
    stats: &mut RequestStats,
) -> Result<(PreparedRequest, bool), Refusal>
where
    F: FnOnce(&[u8]) -> Result<Parameters, Rejection>,
{
    let mut parameters = (request.read)(&request.bytes)?;
    stats.operation = name(parameters.operation_name.as_deref());
    let ResolvedDocument { text, first } = resolve_document(gateway, context, &mut parameters)?;
    let parameters = OperationParameters {
        operation: parameters.operation_name,
        variables: parameters.variables.unwrap_or_default(),
        is_get: context.is_get,
    };
    let prepared = gateway
        .documents
        .prepare(&text, parameters, &gateway.limits)
        .map_err(|refusal| match refusal {
            Refusal::Invalid(errors) => {
                error::invalid(errors, context, gateway.limits.introspection)
            }
            rejected => rejected,
        })?;
    // A document that came with its hash is looked at each time: its hash may have been forgotten
    // while its bytes were not.
    match first {
        Some(hash) => gateway.persisted.keep(hash, text),
        None => {
            gateway
                .documents
                .keep(&request.bytes, context.is_get, context.list(), &prepared);
        }
    }
    Ok((prepared, first.is_none()))
}

/// The document that a request means, if it may be run.
fn resolve_document(
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
        // a client that sent it in full would only be refused then
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
