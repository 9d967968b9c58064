//! Several requests in one body, as an array: `limits.batch` of them at most, none unless that is
//! set.
//!
//! Each is a request of its own, for the caller's rates and in the log; they run at once and share
//! what they read.

use super::{
    Gateway,
    graphql::{reject, write},
    negotiate::MediaType,
    pipeline::{Answer, handle},
    request::{Parameters, RawRequest, Rejection, RequestContext},
};
use crate::graph::error::code;
use axum::{http::StatusCode, response::Response};
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;

/// The answers to all of them, in their order.
pub(super) async fn answer(
    gateway: &Gateway,
    context: &RequestContext,
    media_type: MediaType,
    body: &[u8],
) -> Response {
    let parameters = match read(gateway, media_type, body) {
        Ok(parameters) => parameters,
        Err(rejection) => return reject(media_type, &context.id, &rejection),
    };
    let answers = join_all(
        parameters
            .into_iter()
            .map(|parameters| Box::pin(answer_one(gateway, context, parameters))),
    )
    .await;
    let bytes: usize = answers.iter().map(|answer| answer.len() + 1).sum();
    if bytes > gateway.limits.answer_bytes {
        let most = gateway.limits.answer_bytes;
        let message = format!(
            "The answers would have more than {most} bytes together (limits.answer_bytes). Ask for fewer at once."
        );
        return reject(
            media_type,
            &context.id,
            &Rejection::graphql(code::QUERY_TOO_COMPLEX, message),
        );
    }
    let mut all = Vec::with_capacity(bytes + 1);
    for (place, answer) in answers.iter().enumerate() {
        all.push(if place == 0 { b'[' } else { b',' });
        all.extend_from_slice(answer);
    }
    all.push(b']');
    write(media_type, StatusCode::OK, all.into())
}

fn read(
    gateway: &Gateway,
    media_type: MediaType,
    body: &[u8],
) -> Result<Vec<Parameters>, Rejection> {
    let wrong = |message: String| Rejection::unreadable(StatusCode::BAD_REQUEST, message);
    let most = gateway.limits.batch;
    if most == 0 {
        let message = "Several requests in one body are not taken here (limits.batch): send one at a time; the gateway shares reads between them.";
        return Err(wrong(message.to_owned()));
    }
    if media_type == MediaType::EventStream {
        return Err(wrong(
            "An event stream has one answer: send one request.".to_owned(),
        ));
    }
    let parameters: Vec<Parameters> = serde_json::from_slice(body)
        .map_err(|_| wrong("The body must be a JSON array of objects, each with query (text) and what goes with it.".to_owned()))?;
    match parameters.len() {
        0 => Err(wrong("There is no request in the array.".to_owned())),
        found if found > most => {
            let message = format!(
                "There are {found} requests in the array; at most {most} are taken at once (limits.batch)."
            );
            Err(Rejection::graphql(code::QUERY_TOO_COMPLEX, message))
        }
        _ => Ok(parameters),
    }
}

async fn answer_one(gateway: &Gateway, context: &RequestContext, parameters: Parameters) -> Bytes {
    // the same members in the same order, however they were sent
    let bytes = serde_json::to_vec(&parameters).unwrap_or_default().into();
    match handle(
        gateway,
        context,
        RawRequest {
            bytes,
            read: |_: &[u8]| Ok(parameters),
        },
    )
    .await
    {
        Ok(Answer::Fresh { body, .. }) => body,
        Ok(Answer::Cached(kept)) => kept.body.clone(),
        Err(refusal) => json!({"errors": refusal.errors(context)})
            .to_string()
            .into(),
    }
}
