//! Completes an answer: its `extensions`, its size, what a client may do with it, and whether it is
//! kept.

use super::{
    Answer, Refusal, RequestStats,
    run::{Outcome, unwritable},
};
use crate::http::{
    Gateway,
    cache_control::{CachePolicy, mark},
    compression::CompressedBodies,
    extensions,
    query_limits::Complexity,
    request::{Rejection, RequestContext},
    response_cache::CachedResponse,
};
use crate::{estate::Caller, graph::error::code};
use bytes::Bytes;
use serde_json::json;
use std::time::Instant;

/// The answer to a request that only asks what it would cost.
pub(super) fn estimate(gateway: &Gateway, complexity: &Complexity) -> Answer {
    let extensions = extensions::estimated(complexity, gateway.limits.cost);
    let body = json!({"data": null, "extensions": extensions});
    Answer::Fresh {
        body: body.to_string().into(),
        errors: 0,
        cache_policy: None,
    }
}

/// Completes an answer, and keeps it under `key`, the request's bytes, if it may be given again.
pub(super) fn finish(
    gateway: &Gateway,
    context: &RequestContext,
    key: Option<&Bytes>,
    complexity: &Complexity,
    outcome: Outcome,
    stats: &RequestStats,
) -> Result<Answer, Refusal> {
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
            stats.fields,
            context,
            made_by,
        )
        .map_err(|_| unwritable())?;
        body.push(b'}');
        // it is held until it was read, and perhaps kept: not with the room that it grew into
        body.shrink_to_fit();
        Ok::<_, Rejection>(Bytes::from(body))
    };
    let is_kept =
        dependencies.is_some() && key.is_some() && gateway.response_cache.are_kept_for(context);
    let mark = dependencies
        .as_ref()
        .filter(|_| context.is_get && context.passed.is_empty() && !context.debug)
        .map(|_| mark(&body));
    let cache_policy = mark
        .clone()
        .zip(dependencies.as_ref())
        .map(|(mark, dependencies)| CachePolicy::new(mark, dependencies, Instant::now()));
    // giving it again costs no upstream requests
    let again = if is_kept && stats.upstream_requests > 0 {
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
        return Err(Rejection::graphql(code::QUERY_TOO_COMPLEX, message).into());
    }
    if let (Some(dependencies), Some(key)) = (dependencies.filter(|_| is_kept), key) {
        let body = again.unwrap_or_else(|| answer.clone());
        let kept = CachedResponse {
            body,
            packed: CompressedBodies::default(),
            operation: stats.operation.clone(),
            cost: stats.cost,
            fields: stats.fields,
            dependencies,
            mark,
        };
        gateway.response_cache.keep(context, key, kept);
    }
    Ok(Answer::Fresh {
        body: answer,
        errors,
        cache_policy,
    })
}
