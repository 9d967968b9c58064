//! What jobs of every kind but agent jobs protect.

use super::{Answers, Console, Rows};
use crate::{
    estate::{Caller, RowRef, snapshot::Snapshot},
    uid::{JobUid, ServerUid},
    upstream::vspc::{job::Job, job_detail::DetailKind, job_object::JobObject},
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

impl Console {
    /// What these jobs protect. Kinds without such a list protect nothing.
    pub async fn job_objects(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Rows<JobObject>> {
        let access_scope = self.access_scope::<JobObject>(caller).await;
        let of_kind = |kind| {
            jobs.iter()
                .filter(move |job| DetailKind::of(job.r#type.as_deref()) == Some(kind))
                .cloned()
                .collect::<Vec<_>>()
        };
        let asked = DetailKind::WITH_OBJECTS
            .into_iter()
            .map(of_kind)
            .zip(&self.lists.job_objects)
            .filter(|(jobs, _)| !jobs.is_empty());
        let reads = asked.map(async |(jobs, resource)| {
            let servers: Vec<_> = jobs
                .iter()
                .map(|job| job.backup_server_uid)
                .collect::<HashSet<_>>()
                .into_iter()
                .collect();
            let mut read = resource.gather(&servers).await;
            // the fleet's rows name no server: where their job's id does not tell either, the
            // server's own list does
            let by_id_alone = |job: &RowRef<Job>| {
                let snapshot = read
                    .get(&job.backup_server_uid)
                    .and_then(|outcome| outcome.as_ref().ok());
                snapshot.is_some_and(|snapshot| {
                    rows_of(snapshot, job).any(|row| is_of(row, job).is_none())
                })
            };
            let unclear: Vec<_> = jobs
                .iter()
                .filter(|job| by_id_alone(job))
                .cloned()
                .collect();
            let all_jobs = if unclear.is_empty() {
                None
            } else {
                self.lists
                    .jobs
                    .all()
                    .await
                    .ok()
                    .filter(|all| all.problem().is_none())
            };
            let is_only = |job: &Job| {
                all_jobs
                    .as_ref()
                    .is_some_and(|all| all.index().uid.only(&job.instance_uid).is_some())
            };
            let unsure: HashSet<_> = unclear
                .iter()
                .filter(|job| !is_only(job))
                .map(|job| job.backup_server_uid)
                .collect();
            read.extend(resource.each(unsure.into_iter().collect()).await);
            let answers: HashMap<_, _> = jobs
                .iter()
                .filter_map(|job| {
                    let see = |snapshot: Arc<Snapshot<JobObject>>| {
                        Ok(access_scope.as_ref().map_err(Clone::clone)?.view(snapshot))
                    };
                    let look = |view: crate::estate::View<JobObject>| {
                        let places: Vec<u32> = job
                            .ids()
                            .flat_map(|uid| view.index().job.of(&uid))
                            .copied()
                            .collect();
                        let rows = view
                            .pick(&places)
                            .filter(|row| is_of(row, job).unwrap_or_else(|| is_only(job)))
                            .collect();
                        Rows {
                            rows,
                            problem: view.problem().cloned(),
                        }
                    };
                    let outcome = read
                        .get(&job.backup_server_uid)?
                        .clone()
                        .and_then(see)
                        .map(look);
                    Some(((job.backup_server_uid, job.instance_uid), outcome))
                })
                .collect();
            answers
        });
        join_all(reads).await.into_iter().flatten().collect()
    }
}

fn rows_of<'s>(
    snapshot: &'s Snapshot<JobObject>,
    job: &Job,
) -> impl Iterator<Item = &'s JobObject> {
    job.ids()
        .flat_map(|uid| snapshot.index().job.of(&uid))
        .map(|place| snapshot.row(*place))
}

/// Whether a row is this job's, of which it has the id; none where the row can't tell.
fn is_of(row: &JobObject, job: &Job) -> Option<bool> {
    match (row.asked_of, row.unique_job_uid, job.unique_uid) {
        (Some(server), _, _) => Some(server == job.backup_server_uid),
        (None, Some(theirs), Some(ours)) => Some(theirs == ours),
        _ if job.has_unique_id(row.job_uid) => Some(true),
        _ => None,
    }
}
