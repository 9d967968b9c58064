//! One request's caller: who it is, who pays for its upstream calls, and which upstreams there are
//! for it.

use super::{
    ForwardedCredentials, Principal, UpstreamId, agents::Agents, console::Console,
    dependencies::ReadLog, history::History,
};
use crate::upstream::meter::Meter;
use std::{fmt, sync::Arc};

/// One request's caller. Made by [`super::Estate::caller`].
#[derive(Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// What the request cost so far.
    pub meter: Arc<Meter>,
    /// What it was answered from so far.
    pub reads: Arc<ReadLog>,
    reach: Arc<Reach>,
}

/// The upstreams that exist for a caller.
pub(super) struct Reach {
    pub consoles: Vec<Arc<Console>>,
    pub histories: Vec<Arc<History>>,
    pub agents: Vec<Arc<Agents>>,
    /// Also the consoles that the caller may not see: whether an id occurs once is a question to
    /// all of them.
    pub every_console: Vec<Arc<Console>>,
}

impl Caller {
    pub(super) fn new(
        principal: Arc<Principal>,
        passed: &ForwardedCredentials,
        reach: Reach,
        is_debugged: bool,
    ) -> Self {
        // those who bring their own credentials each have a share of their own
        let payer = passed.mark().map_or_else(
            || principal.name.clone(),
            |mark| format!("{} {mark}", principal.name).into(),
        );
        let meter = Meter::paid_by(payer);
        let (meter, reads) = if is_debugged {
            (meter.in_detail(), ReadLog::in_detail())
        } else {
            (meter, ReadLog::default())
        };
        Self {
            principal,
            meter: Arc::new(meter),
            reads: Arc::new(reads),
            reach: Arc::new(reach),
        }
    }

    /// Every Service Provider Console.
    pub fn consoles(&self) -> &[Arc<Console>] {
        &self.reach.consoles
    }

    /// Every Enterprise Manager.
    pub fn histories(&self) -> &[Arc<History>] {
        &self.reach.histories
    }

    /// Every v2 API.
    pub fn agents(&self) -> &[Arc<Agents>] {
        &self.reach.agents
    }

    /// The console at that place.
    pub fn console(&self, id: UpstreamId) -> Option<&Arc<Console>> {
        self.reach
            .consoles
            .iter()
            .find(|console| console.id() == id)
    }

    /// The Enterprise Manager at that place.
    pub fn history(&self, id: UpstreamId) -> Option<&Arc<History>> {
        self.reach
            .histories
            .iter()
            .find(|history| history.id() == id)
    }

    pub(super) fn every_console(&self) -> &[Arc<Console>] {
        &self.reach.every_console
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}
