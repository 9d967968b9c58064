//! `GET /alarms/active`: alarms that were triggered. Some of them say that they are resolved.

use super::{List, Vspc};
use crate::{
    time,
    uid::{self, AlarmUid, CompanyUid, OtherUid},
    upstream::{lenient, pager::Row},
};
use jiff::Timestamp;
use serde::Deserialize;

/// `ActiveAlarm`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct Alarm {
    #[serde(deserialize_with = "uid::required")]
    pub instance_uid: AlarmUid,
    #[serde(default, deserialize_with = "lenient::integer")]
    pub repeat_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub object: Option<AlarmObject>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub last_activation: Option<AlarmActivation>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub area: Option<String>,
}

/// `AlarmObject`: what an alarm is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct AlarmObject {
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub r#type: Option<String>,
    /// The document's own example calls it `companyUid`.
    #[serde(default, alias = "companyUid", deserialize_with = "uid::optional")]
    pub organization_uid: Option<CompanyUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub computer_name: Option<String>,
    #[serde(default, deserialize_with = "uid::optional")]
    pub object_uid: Option<OtherUid>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub object_name: Option<String>,
}

/// `AlarmActivation`: the last time it was triggered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    missing_docs,
    reason = "the members are the vendor's, described where the graph shows them"
)]
pub struct AlarmActivation {
    #[serde(default, deserialize_with = "time::optional")]
    pub time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub status: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_text")]
    pub remark: Option<String>,
}

impl Alarm {
    /// What it is about, if that is of this type.
    pub fn about(&self, kind: &str) -> Option<OtherUid> {
        let object = self.object.as_ref()?;
        object.object_uid.filter(|_| {
            object
                .r#type
                .as_deref()
                .is_some_and(|word| word.trim().eq_ignore_ascii_case(kind))
        })
    }
}

impl Row for Alarm {
    type Identity = (AlarmUid, Option<CompanyUid>, Option<OtherUid>);
    fn identity(&self) -> Self::Identity {
        let object = self.object.as_ref();
        let company = object.and_then(|object| object.organization_uid);
        (
            self.instance_uid,
            company,
            object.and_then(|object| object.object_uid),
        )
    }
}

impl Vspc {
    /// Every triggered alarm.
    pub fn active_alarms(&self) -> List<'_, Alarm> {
        self.list("/alarms/active", &[])
    }
}
