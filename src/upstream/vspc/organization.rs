//! `GET /organizations`: companies, resellers and the provider itself.

use super::{List, Vspc};
use crate::{
    uid::{self, CompanyUid},
    upstream::{lenient, pager::Row},
};
use serde::Deserialize;

/// `Organization`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Organization {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: CompanyUid,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub alias: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub tax_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub email: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub phone: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub country_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub region_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub city: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub street: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub zip_code: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub website: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub notes: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub veeam_tenant_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
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
