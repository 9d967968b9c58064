//! Typed ids: one line per kind, so that a job's id can't be used where a server's is asked for.
//!
//! The registry at the end is the whole list. An id keeps nothing but its 128 bits; it prints in
//! the hyphenated lower-case form, which is also the only form that [`parse_hyphenated`] takes from
//! a client: one object has one spelling, and so one cache key.

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use uuid::Uuid;

/// Parses the hyphenated 36-character form and no other (`uuid` alone would also take braces, URNs
/// and bare hex).
pub fn parse_hyphenated(text: &str) -> Option<Uuid> {
    if text.len() == 36 {
        Uuid::try_parse(text).ok()
    } else {
        None
    }
}

/// The GUID at the end of an Enterprise Manager URN, `urn:veeam:BackupJobSession:<guid>`, or a bare
/// GUID.
pub fn parse_urn(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.rsplit(':').next()?.trim())
        .ok()
        .filter(|uid| !is_none(uid))
}

/// The first GUID in the path of a vendor href, after the segment `collection`.
///
/// Hrefs name foreign hosts and are never followed: this takes the id out, and the caller builds
/// its own URL.
pub fn parse_href(href: &str, collection: &str) -> Option<Uuid> {
    let path = href.split(['?', '#']).next()?;
    let mut segments = path.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case(collection))?;
    parse_hyphenated(segments.next()?).filter(|uid| !is_none(uid))
}

/// Whether an id says that there is none: all zeros, or all F.
pub fn is_none(uid: &Uuid) -> bool {
    uid.is_nil() || uid.is_max()
}

/// Reads an id that may be missing, null, empty, all zeros or all F: the vendors' ways to say
/// 'none'. In braces, in capitals and without hyphens it is the same id. What is no GUID is an
/// error: whose the row is, or what it is about, can't be told.
pub fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<Uuid>,
{
    Ok(deserializer.deserialize_any(Id)?.map(T::from))
}

/// Reads an id without which a row is nobody's.
pub fn required<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<Uuid>,
{
    optional(deserializer)?.ok_or_else(|| D::Error::custom("no id, where a row must have one"))
}

struct Id;

impl<'de> Visitor<'de> for Id {
    type Value = Option<Uuid>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an id")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match Uuid::try_parse(text.trim()) {
            Ok(uid) => Ok(Some(uid).filter(|uid| !is_none(uid))),
            Err(_) if text.trim().is_empty() => Ok(None),
            Err(_) => Err(E::custom("not an id")),
        }
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(uid: Uuid) -> Self {
                Self(uid)
            }
        }

        impl From<$name> for Uuid {
            fn from(uid: $name) -> Self {
                uid.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    )*};
}

registry! {
    /// A backup server as Service Provider Console numbers it (`BackupServer.instanceUid`).
    ServerUid;
    /// A job in Veeam Backup & Replication. Repeats over servers whose configuration was cloned.
    JobUid;
    /// A job as Service Provider Console numbers it (`uniqueUid`, 3.5.1 and later). Unique.
    UniqueJobUid;
    /// A machine within an agent job (`BackupServerAgentJobObject.instanceUid`).
    ObjectUid;
    /// A backup agent.
    AgentUid;
    /// An organization: company, reseller or provider.
    CompanyUid;
    /// A backup repository.
    RepositoryUid;
    /// A WAN accelerator.
    WanAcceleratorUid;
    /// A session in Enterprise Manager.
    SessionUid;
    /// A task of a session in Enterprise Manager.
    TaskSessionUid;
    /// A backup server as Enterprise Manager numbers it: not the number that Service Provider
    /// Console gives it.
    ManagedServerUid;
    /// An Enterprise Manager as Service Provider Console numbers it.
    EnterpriseManagerUid;
    /// A triggered alarm.
    AlarmUid;
    /// A place of an organization.
    LocationUid;
    /// The agent by which a console reaches a machine.
    ManagementAgentUid;
    /// A job of an agent that no backup server manages, as Service Provider Console numbers it.
    ConsoleJobUid;
    /// Anything else that is only shown.
    OtherUid;
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "8c88c6d6-931f-4044-8c0b-7a0c5f188b00";

    #[test]
    fn only_the_hyphenated_form_is_taken_from_clients() {
        assert!(parse_hyphenated(GUID).is_some());
        let bare = GUID.replace('-', "");
        for bad in [
            bare.as_str(),
            &format!("{{{GUID}}}"),
            &format!("urn:uuid:{GUID}"),
            "",
            "../../users",
        ] {
            assert_eq!(parse_hyphenated(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_says_none_is_no_id() {
        #[derive(Deserialize)]
        struct Ids(#[serde(deserialize_with = "optional")] Option<JobUid>);
        #[derive(Deserialize)]
        struct Needed(#[serde(deserialize_with = "required")] JobUid);
        for none in [
            "null",
            r#""""#,
            r#""00000000-0000-0000-0000-000000000000""#,
            r#""ffffffff-ffff-ffff-ffff-ffffffffffff""#,
            r#""FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF""#,
        ] {
            assert!(
                serde_json::from_str::<Ids>(none).unwrap().0.is_none(),
                "{none}"
            );
            assert!(serde_json::from_str::<Needed>(none).is_err(), "{none}");
        }
        for garbage in ["7", "true", "{}", r#""none""#, r#""8c88c6d6""#] {
            assert!(serde_json::from_str::<Ids>(garbage).is_err(), "{garbage}");
        }
        let one = format!("{GUID:?}");
        for spelling in [
            format!("{{{GUID}}}"),
            GUID.to_uppercase(),
            GUID.replace('-', ""),
            format!(" {GUID} "),
            format!("urn:uuid:{GUID}"),
        ] {
            let read = serde_json::from_str::<Ids>(&format!("{spelling:?}"))
                .unwrap()
                .0;
            assert_eq!(read.unwrap().to_string(), GUID, "{spelling}");
        }
        assert_eq!(
            serde_json::from_str::<Ids>(&one).unwrap().0,
            Some(serde_json::from_str::<Needed>(&one).unwrap().0)
        );
    }

    #[test]
    fn an_href_gives_its_guid_whatever_its_host() {
        let href = format!("http://evil.example:9399/api/backupServers/{GUID}?x=1");
        assert_eq!(
            parse_href(&href, "backupServers")
                .map(|uid| uid.to_string())
                .as_deref(),
            Some(GUID)
        );
        assert_eq!(
            parse_href("http://h/api/backupServers/../../users", "backupServers"),
            None
        );
        assert_eq!(parse_href(&href, "backupSessions"), None);
    }
}
