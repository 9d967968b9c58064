//! `GET /protectedWorkloads/virtualMachines`, `…/computersManagedByBackupServer` and
//! `…/computersManagedByConsole`: what is protected, and when its newest restore point was made.
//!
//! A machine is listed once for each job or protection group that it is in, so a row's identity is
//! all of it.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, CompanyUid, JobUid, OtherUid, ServerUid},
    upstream::{lenient, pager::Row, shared_text::SharedText},
};
use jiff::Timestamp;
use serde::Deserialize;

/// What is protected, and by whom: each has a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "a kind is named as the vendor names its list")]
pub enum WorkloadKind {
    VirtualMachine,
    ComputerOfServer,
    ComputerOfConsole,
}

impl WorkloadKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [
        Self::VirtualMachine,
        Self::ComputerOfServer,
        Self::ComputerOfConsole,
    ];
}

/// `ProtectedVirtualMachine`, `ProtectedComputerManagedByBackupServer` or
/// `ProtectedComputerManagedByConsole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ProtectedWorkload {
    /// The machine; where the console manages its agent, that is its id.
    #[serde(default, deserialize_with = "uid::optional")]
    pub instance_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_agent_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub backup_server_uid: Option<ServerUid>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// What tells rows of one computer apart.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub protection_groups: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub guest_os: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub operation_mode: Option<SharedText>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub malware_state: Option<SharedText>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub job_uid: Option<JobUid>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub restore_points: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub total_restore_point_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub latest_restore_point_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub provisioned_source_size: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub used_source_size: Option<i64>,
    #[serde(default, deserialize_with = "time::optional")]
    pub latest_restore_point_date: Option<Timestamp>,
}

impl ProtectedWorkload {
    /// The machine's id in its list.
    pub fn uid(&self) -> Option<OtherUid> {
        self.instance_uid.or(self.backup_agent_uid)
    }
}

impl Row for ProtectedWorkload {
    type Identity = (
        Option<ServerUid>,
        Option<OtherUid>,
        Option<JobUid>,
        Option<Timestamp>,
        Option<Vec<String>>,
        Option<CompanyUid>,
        String,
    );
    fn identity(&self) -> Self::Identity {
        let groups = self.protection_groups.clone();
        let machine = (self.organization_uid, self.name.clone());
        (
            self.backup_server_uid,
            self.uid(),
            self.job_uid,
            self.latest_restore_point_date,
            groups,
            machine.0,
            machine.1,
        )
    }

    fn missing_id(&self) -> Option<&'static str> {
        self.uid()
            .is_none()
            .then_some("instanceUid or backupAgentUid")
    }
}

impl Vspc {
    /// Everything of a kind that is protected.
    pub fn protected_workloads(&self, kind: WorkloadKind) -> List<'_, ProtectedWorkload> {
        let list = match kind {
            WorkloadKind::VirtualMachine => "/protectedWorkloads/virtualMachines",
            WorkloadKind::ComputerOfServer => "/protectedWorkloads/computersManagedByBackupServer",
            WorkloadKind::ComputerOfConsole => "/protectedWorkloads/computersManagedByConsole",
        };
        self.list(list, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_as_listed() {
        for (number, kind) in WorkloadKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number, "{kind:?}");
        }
    }
}
