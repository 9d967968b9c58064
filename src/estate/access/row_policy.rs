//! Whose each type of row is.

use super::{Limits, Needs, RowPolicy};
use crate::{
    estate::{indexes::company_of, snapshot::Snapshot},
    uid::{JobUid, OtherUid, ServerUid, UniqueJobUid},
    upstream::vspc::{
        agent_job::AgentJob, agent_job_object::AgentJobObject, alarm::Alarm,
        backup_agent::BackupAgent, backup_copy_job::BackupCopyJob, backup_server::BackupServer,
        computer_backup::ComputerBackup, console_agent::ConsoleAgent,
        console_agent_job::ConsoleAgentJob, enterprise_manager::EnterpriseManager, job::Job,
        job_detail::JobDetail, job_object::JobObject, license_usage::LicenseUsage,
        location::Location, management_agent::ManagementAgent, organization::Organization,
        protected_workload::ProtectedWorkload, repository::Repository,
    },
};
use std::collections::BTreeSet;

impl RowPolicy for Job {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover(company_of(self), Some(self.backup_server_uid))
    }
}

impl RowPolicy for BackupServer {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover(self.organization_uid, Some(self.instance_uid))
    }
}

impl RowPolicy for Organization {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits
            .grants
            .iter()
            .any(|grant| grant.covers_company(self.instance_uid))
    }
}

impl RowPolicy for Repository {
    const NEEDS: Needs = Needs::Servers;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_server(Some(self.backup_server_uid))
    }
}

/// An alarm about a job is whose the job is; any other is its organization's.
impl RowPolicy for Alarm {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        let server = self.about("BackupServer").map(|server| ServerUid(server.0));
        match self.about("BackupServerJob") {
            Some(job) => limits.cover_job(None, JobUid(job.0), Some(UniqueJobUid(job.0))),
            None => limits.cover(
                self.object
                    .as_ref()
                    .and_then(|object| object.organization_uid),
                server,
            ),
        }
    }
}

impl RowPolicy for LicenseUsage {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover(self.organization_uid, None)
    }
}

/// What listed jobs protect is there for those for whom one of them is; anything else is its
/// organization's, on its server.
impl RowPolicy for ProtectedWorkload {
    const NEEDS: Needs = Needs::Chains;
    fn is_within(&self, limits: &Limits) -> bool {
        let (Some(jobs), Some(chains)) = (&limits.jobs, &limits.chains) else {
            return false;
        };
        let mut protecting = jobs_of_workload(self, jobs, chains).peekable();
        // an id that machines of several companies share leads to the jobs of all of them: then the
        // row decides
        let companies: BTreeSet<_> = jobs_of_workload(self, jobs, chains)
            .filter_map(|place| company_of(jobs.row(place)))
            .collect();
        if companies.len() > 1
            && self
                .organization_uid
                .is_some_and(|company| companies.contains(&company))
        {
            return limits.cover(self.organization_uid, self.backup_server_uid);
        }
        match protecting.peek() {
            Some(_) => protecting.any(|place| jobs.row(place).is_within(limits)),
            None => limits.cover(self.organization_uid, self.backup_server_uid),
        }
    }

    /// An id that rows of two organizations share does not tell whose jobs these are: then each is
    /// its organization's. Part of a list does not tell what is shared.
    fn is_within_among(&self, list: &Snapshot<Self>, limits: &Limits) -> bool {
        let named = |uid| list.index().key.of(&(self.backup_server_uid, uid));
        let is_of_others = |place: &u32| list.row(*place).organization_uid != self.organization_uid;
        let is_own = |uid| list.problem().is_none() && !named(uid).iter().any(is_of_others);
        // a row that names its job does not need its own id
        if self.job_uid.is_some() || self.uid().is_none_or(is_own) {
            self.is_within(limits)
        } else {
            limits.cover(self.organization_uid, self.backup_server_uid)
        }
    }
}

/// The places of the listed jobs that protect a machine: the one that its row names, or those that
/// keep backups of it.
pub(in crate::estate) fn jobs_of_workload<'a>(
    row: &'a ProtectedWorkload,
    jobs: &'a Snapshot<Job>,
    chains: &'a Snapshot<ComputerBackup>,
) -> impl Iterator<Item = u32> + 'a {
    let named = row.job_uid.into_iter();
    let kept = row
        .uid()
        .filter(|_| row.job_uid.is_none())
        .into_iter()
        .flat_map(|uid| chains.index().agent.of(&uid).iter());
    let uids: BTreeSet<JobUid> = named
        .chain(kept.filter_map(|place| chains.row(*place).job_uid))
        .collect();
    let server = row.backup_server_uid.into_iter();
    server.flat_map(move |server| {
        uids.clone()
            .into_iter()
            .filter_map(move |job| jobs.index().key.of(&(server, job)).first().copied())
    })
}

/// Jobs on one server may be several companies', and so are the machines in them: an agent that
/// listed jobs keep backups of is there for those for whom one of these is; any other is its
/// server's.
impl RowPolicy for BackupAgent {
    const NEEDS: Needs = Needs::ChainsAndServers;
    fn is_within(&self, limits: &Limits) -> bool {
        let (Some(jobs), Some(chains)) = (&limits.jobs, &limits.chains) else {
            return false;
        };
        let Some(agent) = self.instance_uid else {
            return limits.cover_server(self.backup_server_uid);
        };
        let kept = chains.index().agent.of(&OtherUid(agent.0));
        let uids: BTreeSet<JobUid> = kept
            .iter()
            .filter_map(|place| chains.row(*place).job_uid)
            .collect();
        let on_server = |job| jobs.index().key.of(&(self.backup_server_uid?, job)).first();
        let mut protecting = uids.into_iter().filter_map(on_server).peekable();
        match protecting.peek() {
            Some(_) => protecting.any(|place| jobs.row(*place).is_within(limits)),
            None => limits.cover_server(self.backup_server_uid),
        }
    }

    /// What two machines share does not tell whose chains these are: then each is its server's.
    /// Part of a list does not tell what is shared.
    fn is_within_among(&self, list: &Snapshot<Self>, limits: &Limits) -> bool {
        let is_own = |agent| {
            list.problem().is_none()
                && list.index().key.of(&(self.backup_server_uid, agent)).len() < 2
        };
        if self.instance_uid.is_none_or(is_own) {
            self.is_within(limits)
        } else {
            limits.cover_server(self.backup_server_uid)
        }
    }
}

impl RowPolicy for AgentJob {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_job(self.server(), self.instance_uid, self.unique_uid)
    }
}

impl RowPolicy for BackupCopyJob {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_job(self.server(), self.instance_uid, self.unique_uid)
    }
}

impl RowPolicy for JobDetail {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_job(self.server(), self.instance_uid, self.unique_uid)
    }
}

impl RowPolicy for JobObject {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_job(self.asked_of, self.job_uid, self.unique_job_uid)
    }
}

impl RowPolicy for AgentJobObject {
    const NEEDS: Needs = Needs::Jobs;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover_job(self.backup_server_uid, self.job_uid, self.unique_job_uid)
    }
}

/// An Enterprise Manager knows of everybody whose servers it lists: it is there for those who may
/// see all of these.
impl RowPolicy for EnterpriseManager {
    const NEEDS: Needs = Needs::Servers;
    fn is_within(&self, limits: &Limits) -> bool {
        let Some(servers) = self.servers.as_ref().filter(|servers| !servers.is_empty()) else {
            return false;
        };
        servers
            .iter()
            .all(|server| limits.cover_server(server.named()))
    }
}

impl RowPolicy for Location {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        self.organization_uid.is_some_and(|company| {
            limits
                .grants
                .iter()
                .any(|grant| grant.covers_company(company))
        })
    }
}

/// An agent is its organization's, and also there for whoever may see a backup server that it is
/// on.
impl RowPolicy for ManagementAgent {
    const NEEDS: Needs = Needs::Servers;
    fn is_within(&self, limits: &Limits) -> bool {
        let is_of_server = |servers: &Snapshot<BackupServer>| {
            servers
                .index()
                .management_agent
                .of(&self.instance_uid)
                .iter()
                .any(|place| {
                    let server = servers.row(*place);
                    server.organization_uid == self.organization_uid && server.is_within(limits)
                })
        };
        limits.cover(self.organization_uid, None)
            || limits.servers.as_deref().is_some_and(is_of_server)
    }
}

impl RowPolicy for ConsoleAgent {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover(self.organization_uid, None)
    }
}

impl RowPolicy for ConsoleAgentJob {
    const NEEDS: Needs = Needs::Nothing;
    fn is_within(&self, limits: &Limits) -> bool {
        limits.cover(self.organization_uid, None)
    }
}
