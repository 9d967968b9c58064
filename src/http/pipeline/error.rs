//! Why a request has no answer, and what its caller is told.

use crate::graph::{REPORTED, error::code};
use crate::http::{
    query_limits,
    request::{Rejection, RequestContext},
    syntax,
};
use async_graphql::{Response, ServerError};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Longer messages would only echo what was sent.
const MAX_MESSAGE: usize = 1_200;
/// The same for validation errors, in which the library repeats the values that were sent.
const MAX_VALIDATION_MESSAGE: usize = 280;
/// More errors than these in one document help nobody.
const MAX_VALIDATION_ERRORS: usize = 50;

/// Why a request was not run, or not to its end.
pub(in crate::http) enum Refusal {
    /// The request, its caller or the moment does not allow it.
    Rejected(Rejection),
    /// The document does not fit the schema.
    Invalid(Vec<ServerError>),
}

impl Refusal {
    /// The member `errors` of the response.
    pub fn errors(&self, context: &RequestContext) -> Value {
        match self {
            Self::Rejected(rejection) => json!([rejection.error(&context.id)]),
            Self::Invalid(errors) => json!(errors),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<query_limits::Refusal> for Refusal {
    fn from(refusal: query_limits::Refusal) -> Self {
        Self::Rejected(refusal.into())
    }
}

/// The library's answer as the caller may see it: every error has a code and the request's id, and
/// none echoes the request at length.
pub(super) fn sanitize(
    answer: Response,
    context: &RequestContext,
    names_are_public: bool,
) -> Result<(async_graphql::Value, Vec<ServerError>), Refusal> {
    let Response {
        data, mut errors, ..
    } = answer;
    // What the library itself refuses comes with `data: null`; the specification wants no `data`.
    if data == async_graphql::Value::Null
        && !errors.is_empty()
        && errors.iter().all(|error| error.path.is_empty())
    {
        return Err(invalid(errors, context, names_are_public));
    }
    // a field that is asked for twice is one field, though the library resolves it twice
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((format!("{:?}", error.path), error.message.clone())));
    errors
        .iter_mut()
        .for_each(|error| mark(error, context, code::BAD_USER_INPUT));
    Ok((data, errors))
}

/// A document that the schema does not allow. With introspection off, the errors do not tell what
/// the schema has.
pub(super) fn invalid(
    mut errors: Vec<ServerError>,
    context: &RequestContext,
    names_are_public: bool,
) -> Refusal {
    errors.truncate(MAX_VALIDATION_ERRORS);
    for error in &mut errors {
        let is_syntax = error
            .extensions
            .as_ref()
            .is_some_and(|values| values.get("code") == Some(&syntax::CODE.into()));
        if !names_are_public && !is_syntax {
            error.message = "The query does not fit the schema here.".to_owned();
        }
        shorten(&mut error.message, MAX_VALIDATION_MESSAGE);
        mark(error, context, "GRAPHQL_VALIDATION_FAILED");
    }
    Refusal::Invalid(errors)
}

fn mark(error: &mut ServerError, context: &RequestContext, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
    extensions.unset(REPORTED);
    extensions.set("requestId", &*context.id.0);
    shorten(&mut error.message, MAX_MESSAGE);
}

fn shorten(message: &mut String, most: usize) {
    if message.chars().count() > most {
        *message = message.chars().take(most).chain(['…']).collect();
    }
}
