//! `GET /organizations`: companies, resellers and the provider itself.

use super::{List, Vspc};
use crate::{
    uid::CompanyUid,
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `Organization`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the members are the vendor's, described where the graph shows them")]
pub struct Organization {
    pub instance_uid: CompanyUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    pub alias: Option<String>,
    pub r#type: Option<String>,
    pub tax_id: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub country_name: Option<String>,
    pub region_name: Option<String>,
    pub city: Option<String>,
    pub street: Option<String>,
    pub zip_code: Option<String>,
    pub website: Option<String>,
    pub notes: Option<String>,
    pub veeam_tenant_id: Option<String>,
    pub company_id: Option<String>,
}

impl Row for Organization {
    type Identity = CompanyUid;
    fn identity(&self) -> CompanyUid {
        self.instance_uid
    }
}

impl Vspc {
    /// Every organization that the account may see.
    pub fn organizations(&self) -> List<'_, Organization> {
        self.list("/organizations", &[])
    }
}
