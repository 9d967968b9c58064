//! What a console knows to be protected, and what alarms it: each put together once in a request,
//! however many ask.

use super::Batch;
use crate::estate::{
    Failure, UpstreamId,
    console::protection::{Placed, PlacedAlarm, Workload},
};
use async_graphql::dataloader::Loader;
use std::{collections::HashMap, convert::Infallible, sync::Arc};

/// Which machines does this console know to be protected?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkloadsOf(pub UpstreamId);

/// Which alarms has this console?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlarmsOf(pub UpstreamId);

impl Loader<WorkloadsOf> for Batch {
    type Value = Result<Arc<Placed<Workload>>, Failure>;
    type Error = Infallible;

    async fn load(
        &self,
        keys: &[WorkloadsOf],
    ) -> Result<HashMap<WorkloadsOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for key in keys {
            let Some(console) = self.caller.console(key.0) else {
                continue;
            };
            answers.insert(*key, Ok(Arc::new(console.workloads(&self.caller).await)));
        }
        Ok(answers)
    }
}

impl Loader<AlarmsOf> for Batch {
    type Value = Result<Arc<Placed<PlacedAlarm>>, Failure>;
    type Error = Infallible;

    async fn load(&self, keys: &[AlarmsOf]) -> Result<HashMap<AlarmsOf, Self::Value>, Infallible> {
        let mut answers = HashMap::new();
        for key in keys {
            let Some(console) = self.caller.console(key.0) else {
                continue;
            };
            answers.insert(*key, Ok(Arc::new(console.alarms(&self.caller).await)));
        }
        Ok(answers)
    }
}
