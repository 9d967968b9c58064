//! Rows by key that need no batch, because the list that has them is in hand.

use super::{
    Batch, Loaders, company::CompanyOf, job::JobOf, repository::RepositoryOf, server::ServerOf,
};
use crate::{
    estate::{Caller, Failure, ListedRow, RowRef, UpstreamId, View, console::Console},
    upstream::vspc::{
        backup_server::BackupServer, job::Job, organization::Organization, repository::Repository,
    },
};
use async_graphql::dataloader::Loader;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    convert::Infallible,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// The key of one row of a console.
pub trait RowOf: Clone + Eq + Hash + Send + Sync + 'static {
    /// The row.
    type Row: ListedRow;
    /// Whose row it is.
    fn upstream(&self) -> UpstreamId;
    /// The list that has it, if that is in hand, as the caller sees it.
    fn list(console: &Console, caller: &Caller) -> Option<View<Self::Row>>;
    /// The row in that list.
    fn find(&self, list: &View<Self::Row>) -> Result<Option<RowRef<Self::Row>>, Failure>;
}

/// The lists that one request was answered from row by row: each as it was when it was first asked
/// for.
#[derive(Default)]
pub(super) struct ListsInHand(Mutex<HashMap<(UpstreamId, TypeId), Arc<dyn Any + Send + Sync>>>);

impl ListsInHand {
    fn list<K: RowOf>(&self, key: &K, caller: &Caller) -> Option<Arc<View<K::Row>>> {
        let of = (key.upstream(), TypeId::of::<K>());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = known.get(&of) {
            return list.clone().downcast().ok();
        }
        let list = Arc::new(K::list(caller.console(of.0)?, caller)?);
        known.insert(of, list.clone());
        Some(list)
    }
}

impl Loaders {
    /// One row by its key: at once where its list is in hand, else with all others that are asked
    /// for.
    pub(crate) async fn row<K: RowOf>(&self, key: K) -> Result<Option<RowRef<K::Row>>, Failure>
    where
        Batch: Loader<K, Value = Result<Option<RowRef<K::Row>>, Failure>, Error = Infallible>,
    {
        match self.lists_in_hand.list(&key, &self.caller) {
            Some(list) => key.find(&list),
            None => self.ask(key, None).await,
        }
    }
}

impl RowOf for ServerOf {
    type Row = BackupServer;

    fn upstream(&self) -> UpstreamId {
        self.0.upstream
    }

    fn list(console: &Console, caller: &Caller) -> Option<View<BackupServer>> {
        console.servers_in_hand(caller)
    }

    fn find(&self, list: &View<BackupServer>) -> Result<Option<RowRef<BackupServer>>, Failure> {
        list.server(self.0.server)
    }
}

impl RowOf for JobOf {
    type Row = Job;

    fn upstream(&self) -> UpstreamId {
        self.0.upstream
    }

    fn list(console: &Console, caller: &Caller) -> Option<View<Job>> {
        console.jobs_in_hand(caller)
    }

    fn find(&self, list: &View<Job>) -> Result<Option<RowRef<Job>>, Failure> {
        list.job(self.0.server, self.0.job)
    }
}

impl RowOf for CompanyOf {
    type Row = Organization;

    fn upstream(&self) -> UpstreamId {
        self.0.upstream
    }

    fn list(console: &Console, caller: &Caller) -> Option<View<Organization>> {
        console.companies_in_hand(caller)
    }

    fn find(&self, list: &View<Organization>) -> Result<Option<RowRef<Organization>>, Failure> {
        list.company(self.0.company)
    }
}

impl RowOf for RepositoryOf {
    type Row = Repository;

    fn upstream(&self) -> UpstreamId {
        self.0.upstream
    }

    fn list(console: &Console, caller: &Caller) -> Option<View<Repository>> {
        console.repositories_in_hand(caller)
    }

    fn find(&self, list: &View<Repository>) -> Result<Option<RowRef<Repository>>, Failure> {
        list.repository(self.0.server, self.0.repository)
    }
}
