//! What single kinds of jobs have beside what all have, asked with the jobs in hand.

use super::{Answers, Console, Rows, lists::JobScope, one};
use crate::{
    estate::{
        Caller, Failure, RowRef, View,
        access::{AccessScope, RowPolicy},
        snapshot::{Places, Snapshot},
    },
    uid::{JobUid, ServerUid, UniqueJobUid},
    upstream::vspc::{
        agent_job::AgentJob,
        agent_job_object::AgentJobObject,
        backup_copy_job::BackupCopyJob,
        job::Job,
        job_detail::{DetailKind, JobDetail},
    },
};
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc};

impl Console {
    /// What agent jobs have beside what every job has.
    pub async fn agent_details(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Option<RowRef<AgentJob>>> {
        let servers: Vec<_> = jobs
            .iter()
            .map(|job| job.backup_server_uid)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let read = self.lists.agent_jobs.gather(&servers).await;
        per_job(
            jobs,
            self.access_scope::<AgentJob>(caller).await,
            |job| read.get(&job.backup_server_uid).cloned(),
            |view, job| one(view, places(job, &view.index().unique, &view.index().key)),
        )
    }

    /// What jobs of a kind with a list of its own have beside what every job has. Kinds without one
    /// have nothing.
    pub async fn kind_details(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Option<RowRef<JobDetail>>> {
        let access_scope = self.access_scope::<JobDetail>(caller).await;
        let of_kind = |kind| {
            jobs.iter()
                .filter(move |job| DetailKind::of(job.r#type.as_deref()) == Some(kind))
                .cloned()
                .collect::<Vec<_>>()
        };
        let asked = DetailKind::ALL
            .into_iter()
            .map(of_kind)
            .zip(&self.lists.job_details)
            .filter(|(jobs, _)| !jobs.is_empty());
        let reads = asked.map(async |(jobs, resource)| {
            let servers: HashSet<_> = jobs.iter().map(|job| job.backup_server_uid).collect();
            let read = resource
                .gather(&servers.into_iter().collect::<Vec<_>>())
                .await;
            per_job(
                &jobs,
                access_scope.clone(),
                |job| read.get(&job.backup_server_uid).cloned(),
                |view, job| one(view, places(job, &view.index().unique, &view.index().key)),
            )
        });
        join_all(reads).await.into_iter().flatten().collect()
    }

    /// What backup copy jobs have beside what every job has. One job is asked for by its own path.
    pub async fn copy_details(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Option<RowRef<BackupCopyJob>>> {
        let scope = |job: &Job| match (jobs.len(), job.unique_uid) {
            // the path names no server, so the answer must be known by VSPC's own id
            (1, Some(_)) if !job.ids_were_swapped => JobScope::Job(job.instance_uid),
            _ => JobScope::Server(job.backup_server_uid),
        };
        let scopes: Vec<_> = jobs
            .iter()
            .map(|job| scope(job))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let mut read = self.lists.copy_jobs.gather(&scopes).await;
        // `/backupCopyJobs/{jobUid}` gives one of the jobs with that id: another server's job
        // settles nothing.
        if let [job] = jobs
            && let Some(Ok(snapshot)) = read.get(&JobScope::Job(job.instance_uid))
            && let Some(unique) = job.unique_uid
            && snapshot.index().unique.of(&unique).is_empty()
            && !snapshot.index().uid.of(&job.instance_uid).is_empty()
        {
            let server = JobScope::Server(job.backup_server_uid);
            let again = self.lists.copy_jobs.gather(&[server]).await.remove(&server);
            read.extend(again.map(|outcome| (JobScope::Job(job.instance_uid), outcome)));
        }
        per_job(
            jobs,
            self.access_scope::<BackupCopyJob>(caller).await,
            |job| read.get(&scope(job)).cloned(),
            |view, job| one(view, places(job, &view.index().unique, &view.index().key)),
        )
    }

    /// The machines of these agent jobs.
    pub async fn objects_of_jobs(
        &self,
        caller: &Caller,
        jobs: &[RowRef<Job>],
    ) -> Answers<(ServerUid, JobUid), Rows<AgentJobObject>> {
        let uids: Vec<_> = jobs
            .iter()
            .map(|job| job.path_uid())
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let read = self.lists.objects.gather(&uids).await;
        // A machine without a server belongs to the job with its id, if that id leads to one job.
        // Rare: 3.5 and earlier.
        let homeless = jobs.iter().any(|job| {
            let snapshot = read
                .get(&job.path_uid())
                .and_then(|outcome| outcome.as_ref().ok());
            let is_homeless = |snapshot: &Arc<Snapshot<AgentJobObject>>, uid: JobUid| {
                snapshot
                    .index()
                    .job
                    .of(&uid)
                    .iter()
                    .any(|place| snapshot.row(*place).backup_server_uid.is_none())
            };
            snapshot.is_some_and(|snapshot| job.ids().any(|uid| is_homeless(snapshot, uid)))
        });
        let all_jobs = match homeless {
            true => Some(
                self.lists
                    .jobs
                    .all()
                    .await
                    .and_then(|all| all.or_problem().map(|()| all)),
            ),
            false => None,
        };
        let is_only = |job: &Job| matches!(&all_jobs, Some(Ok(all)) if all.index().uid.only(&job.instance_uid).is_some());
        per_job(
            jobs,
            self.access_scope::<AgentJobObject>(caller).await,
            |job| read.get(&job.path_uid()).cloned(),
            |view, job| {
                // none where that can't be told
                let is_of_job = |object: &AgentJobObject| match (
                    object.backup_server_uid,
                    object.unique_job_uid,
                    job.unique_uid,
                ) {
                    (Some(server), _, _) => Some(server == job.backup_server_uid),
                    (None, Some(theirs), Some(ours)) => Some(theirs == ours),
                    _ if job.has_unique_id(object.job_uid) || is_only(job) => Some(true),
                    _ => None,
                };
                let places: Vec<u32> = job
                    .ids()
                    .flat_map(|uid| view.index().job.of(&uid))
                    .copied()
                    .collect();
                let (mut rows, mut problem) = (Vec::new(), view.problem().cloned());
                for object in view.pick(&places) {
                    match is_of_job(&object) {
                        Some(true) => rows.push(object),
                        Some(false) => {}
                        // it may be this job's, and is left out
                        None => {
                            let unread = all_jobs
                                .as_ref()
                                .and_then(|all| all.as_ref().err().cloned());
                            problem = problem
                                .or_else(|| Some(unread.unwrap_or_else(|| object.is_ambiguous())));
                        }
                    }
                }
                Ok(Rows { rows, problem })
            },
        )
    }
}

/// Where a job's row is: by the console's own id, else by its server and its id there.
fn places<'i>(
    job: &Job,
    unique: &'i Places<UniqueJobUid>,
    key: &'i Places<(ServerUid, JobUid)>,
) -> &'i [u32] {
    let by_unique = job.unique_uid.map_or(&[][..], |uid| unique.of(&uid));
    if by_unique.is_empty() {
        key.of(&(job.backup_server_uid, job.instance_uid))
    } else {
        by_unique
    }
}

/// The same for questions about jobs, which are asked with the job in hand.
fn per_job<T: RowPolicy, V>(
    jobs: &[RowRef<Job>],
    access_scope: Result<AccessScope, Failure>,
    read: impl Fn(&Job) -> Option<Result<Arc<Snapshot<T>>, Failure>>,
    look: impl Fn(&View<T>, &Job) -> Result<V, Failure>,
) -> Answers<(ServerUid, JobUid), V> {
    jobs.iter()
        .filter_map(|job| {
            let see = |snapshot| {
                access_scope
                    .as_ref()
                    .map(|access_scope| access_scope.view(snapshot))
                    .map_err(Clone::clone)
            };
            let outcome = read(job)?.and_then(see).and_then(|view| look(&view, job));
            Some(((job.backup_server_uid, job.instance_uid), outcome))
        })
        .collect()
}
