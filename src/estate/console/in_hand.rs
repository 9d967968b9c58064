//! Lists that are in hand, asked for one row after the other: what the questions by key would
//! answer, without gathering keys first.

use super::{Console, one};
use crate::{
    estate::{Caller, Failure, RowRef, View, access::RowPolicy, snapshot::Snapshot},
    uid::{CompanyUid, JobUid, RepositoryUid, ServerUid},
    upstream::vspc::{
        backup_server::BackupServer, job::Job, organization::Organization, repository::Repository,
    },
};
use futures_util::FutureExt;
use std::sync::Arc;

/// A row, if there is one; a failure where that can't be told.
type Found<T> = Result<Option<RowRef<T>>, Failure>;

impl Console {
    /// Every server, if the list is in hand.
    pub fn servers_in_hand(&self, caller: &Caller) -> Option<View<BackupServer>> {
        self.in_hand(caller, || self.lists.servers.in_hand())
    }

    /// Every job, if the list is in hand.
    pub fn jobs_in_hand(&self, caller: &Caller) -> Option<View<Job>> {
        self.in_hand(caller, || self.lists.jobs.in_hand())
    }

    /// Every organization, if the list is in hand.
    pub fn companies_in_hand(&self, caller: &Caller) -> Option<View<Organization>> {
        self.in_hand(caller, || self.lists.organizations.in_hand())
    }

    /// Every repository, if the list is in hand.
    pub fn repositories_in_hand(&self, caller: &Caller) -> Option<View<Repository>> {
        self.in_hand(caller, || self.lists.repositories.in_hand())
    }

    /// The list as the caller sees it, if nothing has to be read to tell. Who wants to know how
    /// lists were come by is answered by key.
    fn in_hand<T: RowPolicy>(
        &self,
        caller: &Caller,
        list: impl FnOnce() -> Option<Arc<Snapshot<T>>>,
    ) -> Option<View<T>> {
        let snapshot = (!caller.reads.is_traced()).then(list)??;
        // a failure is the answer to each key
        self.view(caller, snapshot).now_or_never()?.ok()
    }
}

impl View<BackupServer> {
    /// The server with this id.
    pub fn server(&self, server: ServerUid) -> Found<BackupServer> {
        one(self, self.index().uid.of(&server))
    }
}

impl View<Job> {
    /// The job with this id on its server.
    pub fn job(&self, server: ServerUid, job: JobUid) -> Found<Job> {
        one(self, self.index().key.of(&(server, job)))
    }
}

impl View<Organization> {
    /// The organization with this id.
    pub fn company(&self, company: CompanyUid) -> Found<Organization> {
        one(self, self.index().uid.of(&company))
    }
}

impl View<Repository> {
    /// The repository with this id on its server.
    pub fn repository(&self, server: ServerUid, repository: RepositoryUid) -> Found<Repository> {
        one(self, self.index().key.of(&(server, repository)))
    }
}
