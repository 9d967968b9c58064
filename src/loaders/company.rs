//! `Company` by key.

use super::{Batch, by_upstream};
use crate::{
    estate::{CompanyKey, Failure, RowRef},
    upstream::vspc::organization::Organization,
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible};

/// Which company is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompanyOf(pub CompanyKey);

impl Loader<CompanyOf> for Batch {
    type Value = Result<Option<RowRef<Organization>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[CompanyOf],
    ) -> Result<HashMap<CompanyOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for (upstream, companies) in by_upstream(keys, |key| (key.0.upstream, key.0.company)) {
            let Some(console) = self.caller.console(upstream) else {
                continue;
            };
            let read = console.companies_by_uid(&self.caller, &companies).await;
            answers
                .extend(read.into_iter().map(|(company, answer)| {
                    (CompanyOf(CompanyKey { upstream, company }), answer)
                }));
        }
        Ok(answers)
    }
}
