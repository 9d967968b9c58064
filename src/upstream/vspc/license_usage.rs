//! `GET /licensing/usage/organizations`: how many licence units every organization uses now.

use super::{List, Vspc};
use crate::{
    uid::{self, CompanyUid},
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `OrganizationCurrentLicenseUsage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct LicenseUsage {
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub servers: Option<Vec<ServerUsage>>,
}

/// `ServerCurrentLicenseUsage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct ServerUsage {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub server_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub workloads: Option<Vec<WorkloadUsage>>,
}

/// `CurrentLicenseUsageWorkload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct WorkloadUsage {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub unit_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub rental_units: Option<f64>,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub new_units: Option<f64>,
    #[serde(default, deserialize_with = "lenient::amount")]
    pub used_units: Option<f64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub rental_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub new_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub used_count: Option<i64>,
}

impl Row for LicenseUsage {
    type Identity = (Option<CompanyUid>, String);
    fn identity(&self) -> Self::Identity {
        // rows without an organization are told apart by what they count
        (
            self.organization_uid,
            if self.organization_uid.is_none() {
                format!("{:?}", self.servers)
            } else {
                String::new()
            },
        )
    }
}

impl Vspc {
    /// The licence usage of every organization.
    pub fn license_usage(&self) -> List<'_, LicenseUsage> {
        self.list("/licensing/usage/organizations", &[])
    }
}
