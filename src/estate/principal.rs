//! Who asks, and what that one may see.
//!
//! A principal has grants. One grant says which upstreams, which companies and which backup
//! servers: what it leaves out is not limited, and what it names must all hold. Several grants add
//! up. What no grant covers does not exist for the principal. Names are looked up in the consoles'
//! own lists, each time these are read anew (`visibility.rs`).

use crate::uid::{CompanyUid, ServerUid};
use moka::sync::Cache;
use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// AccessClasses that are told apart at once.
const CLEARANCES: u64 = 1_000;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For the log, rate limits and shares: never a secret.
    pub name: Arc<str>,
    /// The roles it came by its grants with; for the log.
    pub roles: Vec<Arc<str>>,
    /// What it may see: the union of these.
    pub grants: Vec<Grant>,
    /// What it may not read of the rows that it sees.
    pub hidden: Hidden,
    /// Whether it may be told how an answer came about.
    pub debug: bool,
}

/// A part of the estate. Members that are left out do not limit it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Names of upstreams in the configuration.
    pub upstreams: Option<Vec<Arc<str>>>,
    /// Companies: theirs are the jobs assigned to them, and what they own.
    pub companies: Option<Vec<Named<CompanyUid>>>,
    /// Backup servers.
    pub servers: Option<Vec<Named<ServerUid>>>,
}

/// A company or a server, as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Named<U> {
    /// By its id in the console.
    Uid(U),
    /// By its whole name, in lower case. A name of two is nobody's.
    Name(Box<str>),
}

/// Kinds of fields that a principal may not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hidden {
    /// The upstreams' messages about failed runs: they can hold paths, hosts and accounts.
    pub failure_messages: bool,
    /// Names and addresses of machines.
    pub host_names: bool,
}

impl<U: From<Uuid>> Named<U> {
    /// An id, if it looks like one; else a name.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        match Uuid::try_parse(text) {
            // only the usual form: 32 digits without hyphens may be somebody's name
            Ok(uid) if text.len() == 36 => Named::Uid(uid.into()),
            _ => Named::Name(text.to_lowercase().into()),
        }
    }
}

impl Grant {
    /// Whether it covers anything of this upstream.
    pub fn allows_upstream(&self, upstream: &str) -> bool {
        self.upstreams
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| **name == *upstream))
    }

    /// Whether it covers everything of the upstreams that it allows.
    pub fn is_whole(&self) -> bool {
        self.companies.is_none() && self.servers.is_none()
    }
}

/// What decides of everything that somebody is answered: those with the same are given the same
/// rows and fields. Who they are does not take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccessClass(u64);

/// AccessClasses that are told apart. One that is forgotten is another when it comes again: never
/// somebody else's.
pub struct AccessClasses {
    known: Cache<Rights, AccessClass>,
    next: AtomicU64,
}

#[derive(Clone)]
struct Rights(Arc<Principal>);

impl PartialEq for Rights {
    fn eq(&self, other: &Self) -> bool {
        self.0.hidden == other.0.hidden && self.0.grants == other.0.grants
    }
}

impl Eq for Rights {}

impl Hash for Rights {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.0.grants, self.0.hidden).hash(state);
    }
}

impl Default for AccessClasses {
    fn default() -> Self {
        Self {
            known: Cache::new(CLEARANCES),
            next: AtomicU64::default(),
        }
    }
}

impl AccessClasses {
    /// The one of a principal.
    pub fn of(&self, principal: &Arc<Principal>) -> AccessClass {
        self.known.get_with(Rights(principal.clone()), || {
            AccessClass(self.next.fetch_add(1, Ordering::Relaxed))
        })
    }
}

impl Principal {
    /// One that sees everything.
    pub fn everything(name: &str) -> Self {
        Self {
            name: name.into(),
            roles: Vec::new(),
            grants: vec![Grant::default()],
            hidden: Hidden::default(),
            debug: false,
        }
    }

    /// Whether anything of this upstream exists for it.
    pub fn allows_upstream(&self, upstream: &str) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.allows_upstream(upstream))
    }

    /// Whether every row of this upstream exists for it.
    pub fn sees_all_of(&self, upstream: &str) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.is_whole() && grant.allows_upstream(upstream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_limits_what_it_names_and_nothing_else() {
        let grant = |upstreams: &[&str], companies: bool| Grant {
            upstreams: (!upstreams.is_empty())
                .then(|| upstreams.iter().map(|name| (*name).into()).collect()),
            companies: companies.then(Vec::new),
            servers: None,
        };
        let principal = Principal {
            grants: vec![grant(&["a"], false), grant(&["b"], true)],
            ..Principal::everything("x")
        };
        assert!(principal.sees_all_of("a") && principal.allows_upstream("b"));
        assert!(!principal.sees_all_of("b") && !principal.allows_upstream("c"));
        assert!(Principal::everything("x").sees_all_of("anything"));
    }

    #[test]
    fn ids_and_names_are_told_apart() {
        let uid = "0f6aa4b1-3a5a-4f6e-9b1e-0c6a3cf1a001";
        assert!(matches!(Named::<CompanyUid>::parse(uid), Named::Uid(_)));
        assert_eq!(
            Named::<CompanyUid>::parse(" Acme Ltd "),
            Named::Name("acme ltd".into())
        );
        assert!(matches!(
            Named::<CompanyUid>::parse(&uid.replace('-', "")),
            Named::Name(_)
        ));
    }

    #[test]
    fn who_sees_the_same_has_the_same_access_class_and_nobody_else() {
        let access_classes = AccessClasses::default();
        let of = |principal: Principal| access_classes.of(&Arc::new(principal));
        let everything = || Principal::everything("a");
        let limited = || Principal {
            grants: vec![Grant {
                companies: Some(Vec::new()),
                ..Grant::default()
            }],
            ..everything()
        };
        let blind = || Principal {
            hidden: Hidden {
                host_names: true,
                ..Hidden::default()
            },
            ..everything()
        };
        assert_eq!(
            of(everything()),
            of(Principal {
                debug: true,
                ..Principal::everything("b")
            })
        );
        assert_eq!((of(limited()), of(blind())), (of(limited()), of(blind())));
        assert!(
            of(everything()) != of(limited())
                && of(everything()) != of(blind())
                && of(limited()) != of(blind())
        );
    }
}
