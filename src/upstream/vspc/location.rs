//! `GET /organizations/locations`: the places of organizations.

use super::{List, Vspc};
use crate::{
    uid::{self, CompanyUid, LocationUid},
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `OrganizationLocation`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Location {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: LocationUid,
    #[serde(default, deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<String>,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub quota_gb: Option<i64>,
}

impl Row for Location {
    type Identity = LocationUid;
    fn identity(&self) -> LocationUid {
        self.instance_uid
    }
}

impl Vspc {
    /// Every location of every organization.
    pub fn locations(&self) -> List<'_, Location> {
        self.list("/organizations/locations", &[])
    }
}
