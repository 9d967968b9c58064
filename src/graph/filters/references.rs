//! Companies and servers that filters name: one that is not there is refused, as an empty list
//! would look as if all were well.
//!
//! What a caller may not see is not there for it, and is told in the same words. Where a list that
//! could tell can't be read, that is said instead, and the filtered list is not complete.

use super::{boolean_filter::BooleanFilter, conditions::Whole};
use crate::graph::{
    all_consoles::{all_companies, all_jobs, all_servers},
    error::{self, bad_input},
    loaders,
    schema::scalars::UUID,
};
use crate::{
    estate::{Failure, company_of},
    uid::{CompanyUid, ServerUid},
};
use async_graphql::{Context, Result};
use futures_util::{FutureExt, future::BoxFuture};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// What a filter's own members name.
#[derive(Default)]
pub struct Named<'f> {
    /// A company by its id.
    pub company: Option<UUID>,
    /// Companies by their name.
    pub company_name: Option<&'f Whole>,
    /// A server by its id.
    pub server: Option<UUID>,
}

/// What nothing was found of yet.
#[derive(Default)]
struct Missing {
    companies: BTreeSet<Uuid>,
    names: Vec<Whole>,
    servers: BTreeSet<Uuid>,
}

impl Missing {
    fn add<F: BooleanFilter>(&mut self, filter: &F, of: fn(&F) -> Named<'_>) {
        let Named {
            company,
            company_name,
            server,
        } = of(filter);
        self.companies.extend(company.map(|company| company.0));
        self.names.extend(company_name.cloned());
        self.servers.extend(server.map(|server| server.0));
        filter.inner().for_each(|inner| self.add(inner, of));
    }

    fn is_seen(&mut self, company: Option<CompanyUid>, server: Option<ServerUid>) {
        if let Some(company) = company {
            self.companies.remove(&company.0);
        }
        if let Some(server) = server {
            self.servers.remove(&server.0);
        }
    }

    fn has_ids(&self) -> bool {
        !(self.companies.is_empty() && self.servers.is_empty())
    }

    async fn look_up(&mut self, ctx: &Context<'_>) -> Vec<Failure> {
        let mut problems = Vec::new();
        if !(self.companies.is_empty() && self.names.is_empty()) {
            let (rows, unread) = all_companies(ctx).await;
            for row in rows {
                self.is_seen(Some(row.instance_uid), None);
                let name = row.name.trim().to_lowercase();
                self.names.retain(|wanted| !wanted.is(&name));
            }
            problems.extend(unread);
        }
        if !self.servers.is_empty() {
            let (rows, unread) = all_servers(ctx).await;
            rows.iter()
                .for_each(|row| self.is_seen(None, Some(row.instance_uid)));
            problems.extend(unread);
        }
        if self.has_ids() {
            // who sees a job on a server of others, or of a company that is not listed, may ask for
            // that server or company
            let (rows, unread) = all_jobs(ctx).await;
            rows.iter()
                .for_each(|row| self.is_seen(company_of(row), Some(row.backup_server_uid)));
            problems.extend(unread);
        }
        problems
    }

    /// In words that are the same for what is not there and for what the caller may not see:
    /// neither's id or name is in them.
    fn refusal(&self) -> Option<&'static str> {
        match self {
            Self { companies, .. } if !companies.is_empty() => {
                Some("The filter names a company (`companyUid`) that is not there.")
            }
            Self { names, .. } if !names.is_empty() => {
                Some("The filter names a company (`companyName`) that is not there.")
            }
            Self { servers, .. } if !servers.is_empty() => {
                Some("The filter names a backup server (`backupServerUid`) that is not there.")
            }
            Self { .. } => None,
        }
    }
}

/// Adds failures, each once.
pub fn add_failures(problems: &mut Vec<Failure>, more: Vec<Failure>) {
    for failure in more {
        if !problems.iter().any(|known| Arc::ptr_eq(known, &failure)) {
            problems.push(failure);
        }
    }
}

/// Refuses a filter that names a company or a server that is not there, for this caller. `whose`
/// tells of a row of the list, before it is filtered, whose it is: what a row is of is there. Gives
/// back why the list is not whole: `problems`, and what could not be read so that nobody can tell
/// what is there.
pub fn must_be_there<'a, F: BooleanFilter + Sync, T: Sync>(
    ctx: &'a Context<'a>,
    filter: &'a F,
    of: fn(&F) -> Named<'_>,
    rows: &'a [T],
    whose: impl Fn(&T) -> (Option<CompanyUid>, Option<ServerUid>) + Send + 'a,
    mut problems: Vec<Failure>,
) -> BoxFuture<'a, Result<Vec<Failure>>> {
    async move {
        let mut missing = Missing::default();
        missing.add(filter, of);
        for some in rows.chunks(8_192) {
            if !missing.has_ids() {
                break;
            }
            loaders(ctx)
                .budget()
                .compare(some.len() as u64)
                .await
                .map_err(error::exhausted)?;
            for row in some {
                let (company, server) = whose(row);
                missing.is_seen(company, server);
            }
        }
        // a list that is not whole says so already, and may lack the rows that would tell
        if missing.refusal().is_none() || !problems.is_empty() {
            return Ok(problems);
        }
        let unread = missing.look_up(ctx).await;
        match missing.refusal() {
            None => Ok(problems),
            Some(refusal) if unread.is_empty() => Err(bad_input(refusal)),
            Some(_) => {
                add_failures(&mut problems, unread);
                Ok(problems)
            }
        }
    }
    .boxed()
}
