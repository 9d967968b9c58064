//! `GET /licensing/usage/organizations`: how many licence units every organization uses now.

use super::{List, Vspc};
use crate::{
    uid::{self, CompanyUid},
    upstream::pager::Row,
};
use serde::Deserialize;

/// `OrganizationCurrentLicenseUsage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct LicenseUsage {
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default)]
    pub servers: Option<Vec<ServerUsage>>,
}

/// `ServerCurrentLicenseUsage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct ServerUsage {
    pub server_type: Option<String>,
    #[serde(default)]
    pub workloads: Option<Vec<WorkloadUsage>>,
}

/// `CurrentLicenseUsageWorkload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct WorkloadUsage {
    pub description: Option<String>,
    pub unit_type: Option<String>,
    pub rental_units: Option<f64>,
    pub new_units: Option<f64>,
    pub used_units: Option<f64>,
    pub rental_count: Option<i64>,
    pub new_count: Option<i64>,
    pub used_count: Option<i64>,
}

impl Row for LicenseUsage {
    type Identity = Option<CompanyUid>;
    fn identity(&self) -> Self::Identity {
        self.organization_uid
    }
}

impl Vspc {
    /// The licence usage of every organization.
    pub fn license_usage(&self) -> List<'_, LicenseUsage> {
        self.list("/licensing/usage/organizations", &[])
    }
}
