//! Fields that a caller may be kept from reading on rows that it sees: messages of failed runs,
//! names of machines.

use crate::estate::Hidden;
use crate::graph::{
    error::{self, code},
    loaders,
};
use async_graphql::{Context, ErrorExtensions, Result};

/// What a name of a machine reads like to those who may not read it, where it is part of a name
/// that can't be null.
pub const HIDDEN_NAME: &str = "(hidden)";

/// What the caller may not read.
pub fn hidden(ctx: &Context<'_>) -> Hidden {
    loaders(ctx).caller().principal.hidden
}

/// A message about a failed run, for those who may read such. Whether there is one is not told to
/// the others.
pub fn failure_message<'a>(ctx: &Context<'_>, message: Option<&'a str>) -> Option<Result<&'a str>> {
    if hidden(ctx).failure_messages {
        Some(Err(forbidden("failure messages")))
    } else {
        message.map(Ok)
    }
}

/// A machine's name or address, for those who may read such.
pub fn host_name<T>(ctx: &Context<'_>, name: Option<T>) -> Option<Result<T>> {
    if hidden(ctx).host_names {
        Some(Err(forbidden("names of machines")))
    } else {
        name.map(Ok)
    }
}

/// Refuses what would tell such names by asking whether there are any.
pub fn may_ask_for_host_names(ctx: &Context<'_>, is_asked: bool) -> Result<()> {
    if is_asked && hidden(ctx).host_names {
        Err(forbidden("names of machines"))
    } else {
        Ok(())
    }
}

fn forbidden(what: &str) -> async_graphql::Error {
    error::bad_input(format!("This key or token may not read {what}."))
        .extend_with(|_, extensions| extensions.set("code", code::FORBIDDEN))
}
