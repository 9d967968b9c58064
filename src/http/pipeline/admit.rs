//! Whether a request is taken at all: is there room, and is its caller within its rates?

use crate::graph::error::code;
use crate::http::{
    Gateway,
    request::{Rejection, RequestContext},
};
use axum::http::StatusCode;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// A place among the requests under way; it is free again when this is dropped.
pub(super) fn admit<'a>(
    gateway: &'a Gateway,
    context: &RequestContext,
) -> Result<SemaphorePermit<'a>, Rejection> {
    let Ok(room) = gateway.room.try_acquire() else {
        return Err(Rejection::later(
            StatusCode::SERVICE_UNAVAILABLE,
            code::OVERLOADED,
            "The gateway has too much to do. Try again in a moment.",
            Duration::from_secs(1),
        ));
    };
    gateway.rates.take_request(&context.principal)?;
    gateway.may_bring(context)?;
    Ok(room)
}
