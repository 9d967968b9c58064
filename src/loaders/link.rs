//! Which jobs tape jobs and backup copy jobs read, by server and by job.

use super::{Batch, by_upstream, job::JobRow};
use crate::{
    estate::{Failure, ServerKey, joins::link_servers::Links},
    upstream::vspc::linked_job::LinkFamily,
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible};

/// Which links are on this server?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinksOf(pub LinkFamily, pub ServerKey);

/// Which jobs does this one read?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinksOfJob(pub LinkFamily, pub JobRow);

impl Loader<LinksOf> for Batch {
    type Value = Result<Links, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[LinksOf]) -> Result<HashMap<LinksOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for family in LinkFamily::ALL {
            let of_family = keys.iter().filter(|key| key.0 == family);
            for (upstream, servers) in by_upstream(of_family, |key| (key.1.upstream, key.1.server))
            {
                let Some(console) = self.caller.console(upstream) else {
                    continue;
                };
                let read = console
                    .links_of_servers(&self.caller, family, &servers)
                    .await;
                answers.extend(read.into_iter().map(|(server, answer)| {
                    (LinksOf(family, ServerKey { upstream, server }), answer)
                }));
            }
        }
        Ok(answers)
    }
}

impl Loader<LinksOfJob> for Batch {
    type Value = Result<Links, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[LinksOfJob],
    ) -> Result<HashMap<LinksOfJob, Self::Value>, Infallible> {
        // One job is asked for by its own list. Several are asked for by their servers, which may
        // share the fleet's.
        if let [key] = keys {
            let Some(console) = self.caller.console(key.1.0.upstream()) else {
                return Ok(HashMap::new());
            };
            let answer = console.links_of_job(&self.caller, key.0, &key.1.0).await;
            return Ok(HashMap::from([(key.clone(), answer)]));
        }
        let by_server: Vec<LinksOf> = keys
            .iter()
            .map(|key| LinksOf(key.0, key.1.key().server_key()))
            .collect();
        let read = Loader::<LinksOf>::load(self, &by_server).await?;
        let of_job = |key: &LinksOfJob| {
            let answer = read.get(&LinksOf(key.0, key.1.key().server_key()))?.clone();
            Some(answer.map(|mut links| {
                links.links.retain(|link| key.1.0.has_id(link.row.job_uid));
                links
            }))
        };
        Ok(keys
            .iter()
            .filter_map(|key| Some((key.clone(), of_job(key)?)))
            .collect())
    }
}
