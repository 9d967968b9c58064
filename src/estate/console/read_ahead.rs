//! Lists that are begun before they are asked for.

use super::Console;
use crate::{estate::Caller, upstream::vspc::linked_job::LinkFamily};
use futures_util::future::{BoxFuture, FutureExt, join_all};

/// Fleets' lists that a query will need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a list of a console")]
pub struct ReadAhead {
    pub servers: bool,
    pub companies: bool,
    pub jobs: bool,
    pub tape_links: bool,
    pub agent_objects: bool,
}

impl Caller {
    /// Begins lists that are not known yet, each with its first page. Who sees a part of a console
    /// may do with a part of its lists: nothing is begun for them.
    pub async fn begin(&self, read_ahead: ReadAhead) {
        let consoles = self
            .consoles()
            .iter()
            .filter(|console| self.principal.sees_all_of(console.name()));
        join_all(consoles.map(|console| console.begin(read_ahead))).await;
    }
}

impl Console {
    async fn begin(&self, read_ahead: ReadAhead) {
        let lists: [(bool, BoxFuture<'_, ()>); 5] = [
            (read_ahead.servers, self.lists.servers.begin().boxed()),
            (
                read_ahead.companies,
                self.lists.organizations.begin().boxed(),
            ),
            (read_ahead.jobs, self.lists.jobs.begin().boxed()),
            (
                read_ahead.tape_links,
                self.lists.links[LinkFamily::Tape as usize].begin().boxed(),
            ),
            (read_ahead.agent_objects, self.lists.objects.begin().boxed()),
        ];
        join_all(
            lists
                .into_iter()
                .filter(|(is_needed, _)| *is_needed)
                .map(|(_, list)| list),
        )
        .await;
    }
}
