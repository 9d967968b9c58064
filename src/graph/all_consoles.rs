//! Lists of every console put together, and lookups in them.

use super::{
    error::{self, bad_input},
    filters::{
        boolean_filter::{BooleanFilter, keep},
        conditions::{Names, Part},
    },
    loaders, rows_of,
    schema::scalars::UUID,
    types::{backup_server::BackupServer, company::Company},
};
use crate::{
    estate::{
        Estate, Failure, ListedRow, RowRef, UpstreamId, View,
        console::{Console, Rows, protection::Placed},
    },
    loaders::Batch,
    uid::{CompanyUid, ServerUid},
    upstream::vspc::{self, backup_server, organization::Organization},
};
use async_graphql::{Context, Result, dataloader::Loader};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use std::{convert::Infallible, hash::Hash, sync::Arc};
use uuid::Uuid;

/// Rows of every console put together, and what could not be read.
pub(super) async fn everywhere_rows<'a, T: ListedRow>(
    ctx: &Context<'a>,
    read: impl Fn(&'a Console) -> BoxFuture<'a, Result<Rows<T>, Failure>>,
) -> (Vec<RowRef<T>>, Vec<Failure>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for answer in join_all(
        loaders(ctx)
            .caller()
            .consoles()
            .iter()
            .map(|console| read(console)),
    )
    .await
    {
        let (found, unread) = rows_of(answer);
        rows.extend(found);
        problems.extend(unread);
    }
    (rows, problems)
}

/// One list of every console put together, and what could not be read.
pub(super) async fn everywhere<'a, T: ListedRow>(
    ctx: &Context<'a>,
    read: impl Fn(&'a Console) -> BoxFuture<'a, Result<View<T>, Failure>>,
) -> (Vec<RowRef<T>>, Vec<Failure>) {
    let whole = |view: View<T>| Rows {
        rows: view.rows().collect(),
        problem: view.problem().cloned(),
    };
    everywhere_rows(ctx, move |console| {
        read(console).map(move |answer| answer.map(whole)).boxed()
    })
    .await
}

/// What every console put together of its lists, and what could not be read.
pub(super) fn all_placed<'a, K, T>(
    ctx: &'a Context<'a>,
    of: fn(UpstreamId) -> K,
) -> BoxFuture<'a, (Vec<T>, Vec<Failure>)>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
    Batch: Loader<K, Value = Result<Arc<Placed<T>>, Failure>, Error = Infallible>,
{
    async move {
        let loaders = loaders(ctx);
        let asked = loaders
            .caller()
            .consoles()
            .iter()
            .map(|console| loaders.ask(of(console.id()), Default::default()));
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for answer in join_all(asked).await {
            match answer {
                Ok(found) => {
                    all.extend_from_slice(&found.rows);
                    problems.extend_from_slice(&found.problems);
                }
                Err(failure) => problems.push(failure),
            }
        }
        (all, problems)
    }
    .boxed()
}

pub(super) async fn all_jobs(ctx: &Context<'_>) -> (Vec<RowRef<vspc::job::Job>>, Vec<Failure>) {
    let caller = loaders(ctx).caller();
    everywhere(ctx, |console| Box::pin(console.jobs(caller))).await
}

pub(super) async fn all_servers(
    ctx: &Context<'_>,
) -> (Vec<RowRef<backup_server::BackupServer>>, Vec<Failure>) {
    let caller = loaders(ctx).caller();
    everywhere(ctx, |console| Box::pin(console.servers(caller))).await
}

pub(super) async fn all_companies(ctx: &Context<'_>) -> (Vec<RowRef<Organization>>, Vec<Failure>) {
    let caller = loaders(ctx).caller();
    everywhere(ctx, |console| Box::pin(console.organizations(caller))).await
}

pub(super) fn is_from(estate: &Estate, upstream: UpstreamId, names: Option<&Names>) -> bool {
    names.is_none_or(|names| {
        estate
            .status(upstream)
            .is_some_and(|status| names.contains(&status.name))
    })
}

/// Refuses a filter that names an upstream that is not there, for this caller: nothing could ever
/// be from it.
pub(super) fn may_name_upstreams<F: BooleanFilter>(
    ctx: &Context<'_>,
    filter: &F,
    of: impl Fn(&F) -> Option<&Names> + Copy,
) -> Result<()> {
    let loaders = loaders(ctx);
    let seen = || {
        let statuses = loaders.estate().statuses().iter();
        statuses
            .map(|status| &*status.name)
            .filter(|name| loaders.caller().principal.allows_upstream(name))
    };
    let names_other = |names: &Names| {
        names
            .iter()
            .any(|wanted| seen().all(|name| name != wanted.as_str()))
    };
    if filter.asks(|filter| of(filter).is_some_and(names_other)) {
        let names: Vec<String> = seen().map(str::to_owned).collect();
        return Err(bad_input(format!(
            "The filter names an upstream that is not there. There are: {}.",
            candidates(&names)
        )));
    }
    Ok(())
}

/// Whether something is that company's. What can't be told is not.
pub(super) fn is_of(company: &Result<Option<CompanyUid>, Failure>, wanted: UUID) -> bool {
    company
        .as_ref()
        .is_ok_and(|company| company.is_some_and(|company| company.0 == wanted.0))
}

pub(super) fn contains(name: &str, part: Option<&Part>) -> bool {
    part.is_none_or(|part| part.is_in(name))
}

/// The rows that have this name, ignoring case.
pub(super) async fn named<T>(
    ctx: &Context<'_>,
    rows: Vec<T>,
    name: &str,
    of: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let name = name.to_lowercase();
    keep(ctx, rows, 1, |row| of(row).to_lowercase() == name).await
}

/// One backup server by its id or its name.
pub(super) async fn server_by(
    ctx: &Context<'_>,
    uid: Option<UUID>,
    name: Option<String>,
) -> Option<Result<BackupServer>> {
    let loaders = loaders(ctx);
    let (found, problems) = match (uid, name) {
        (Some(uid), None) => {
            let server = ServerUid(uid.0);
            let asked = [server];
            let reads = loaders
                .caller()
                .consoles()
                .iter()
                .map(|console| console.servers_by_uid(loaders.caller(), &asked));
            let (mut found, mut problems) = (Vec::new(), Vec::new());
            for answer in join_all(reads)
                .await
                .into_iter()
                .filter_map(|mut answers| answers.remove(&server))
            {
                match answer {
                    Ok(row) => found.extend(row),
                    Err(failure) => problems.push(failure),
                }
            }
            (found, problems)
        }
        (None, Some(name)) => {
            let (rows, problems) = all_servers(ctx).await;
            match named(ctx, rows, &name, |row| &row.name).await {
                Ok(rows) => (rows, problems),
                Err(error) => return Some(Err(error)),
            }
        }
        _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
    };
    let several = |rows: &[RowRef<backup_server::BackupServer>]| {
        let uids: Vec<String> = rows
            .iter()
            .map(|row| row.instance_uid.to_string())
            .collect();
        format!(
            "Several backup servers have that name. Ask by `uid`: {}.",
            candidates(&uids)
        )
    };
    the_one(found, problems, uid.is_some(), several).map(|row| row.map(BackupServer::from))
}

/// One company by its id or its name.
pub(super) async fn company_by(
    ctx: &Context<'_>,
    uid: Option<UUID>,
    name: Option<String>,
) -> Option<Result<Company>> {
    let found = all_companies(ctx).await;
    by_uid_or_name(
        ctx,
        found,
        uid,
        name,
        |row| (row.instance_uid.0, &row.name),
        "companies",
    )
    .await
    .map(|row| row.map(Company::from))
}

/// The one of these rows that has this id, or this name without regard to case.
pub(super) async fn by_uid_or_name<T>(
    ctx: &Context<'_>,
    (mut found, problems): (Vec<T>, Vec<Failure>),
    uid: Option<UUID>,
    name: Option<String>,
    of: impl Fn(&T) -> (Uuid, &str),
    what: &str,
) -> Option<Result<T>> {
    match (uid, name) {
        (Some(uid), None) => found.retain(|row| of(row).0 == uid.0),
        (None, Some(name)) => match named(ctx, found, &name, |row| of(row).1).await {
            Ok(rows) => found = rows,
            Err(error) => return Some(Err(error)),
        },
        _ => return Some(Err(bad_input("Give either `uid` or `name`."))),
    }
    let several = |rows: &[T]| {
        let uids: Vec<String> = rows.iter().map(|row| of(row).0.to_string()).collect();
        format!(
            "Several {what} have that name. Ask by `uid`: {}.",
            candidates(&uids)
        )
    };
    the_one(found, problems, uid.is_some(), several)
}

/// Candidates to choose from, in a sentence; of very many the first.
pub(super) fn candidates(all: &[String]) -> String {
    const MOST: usize = 10;
    let shown = all
        .iter()
        .take(MOST)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > MOST {
        format!("{shown} and {} more", all.len() - MOST)
    } else {
        shown
    }
}

/// The one row that was asked for: not found in half a list is a failure, and so is found there by
/// what may be there twice (`is_key` says that it can't be); several are a question back.
pub(super) fn the_one<T>(
    mut found: Vec<T>,
    problems: Vec<Failure>,
    is_key: bool,
    several: impl FnOnce(&[T]) -> String,
) -> Option<Result<T>> {
    match (found.len(), problems.first()) {
        (0, Some(problem)) => Some(Err(error::upstream(problem))),
        (0, None) => None,
        (1, Some(problem)) if !is_key => Some(Err(error::upstream(problem))),
        (1, _) => found.pop().map(Ok),
        _ => Some(Err(bad_input(several(&found)))),
    }
}
