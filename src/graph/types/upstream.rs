//! `Upstream`: one configured API and how it is doing.

use crate::graph::{
    error, loaders,
    schema::{id::Key, scalars::DateTime},
};
use crate::{
    estate::{Estate, State, Status, UpstreamId},
    upstream::settings::Kind,
};
use async_graphql::{Context, Description, Enum, ID, Object};
use std::sync::Arc;
use veeam_graph_macros::direct_fields;

/// Which vendor API an upstream speaks.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamKind {
    /// Veeam Service Provider Console, REST v3.
    Vspc,
    /// The legacy v2 API of Veeam Availability Console and early Service Provider Console.
    Vac,
    /// Veeam Backup Enterprise Manager.
    EnterpriseManager,
}

/// How an upstream is doing, as the last read shows.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// Nothing was asked of it yet.
    Unknown,
    /// It answered.
    Up,
    /// It did not answer, or not with data.
    Down,
}

/// One API that the gateway reads from, as configured.
#[derive(Description)]
pub struct Upstream(pub(crate) Option<Arc<Status>>);

impl Upstream {
    /// The one at a place of the configuration.
    pub fn at(estate: &Estate, id: UpstreamId) -> Self {
        Self(estate.status(id).cloned())
    }
}

#[direct_fields]
#[Object(use_type_description)]
impl Upstream {
    /// The node id: unique across all types.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        let id = self
            .0
            .as_ref()
            .map_or(UpstreamId(u16::MAX), |status| status.id);
        Key::Upstream(id).encode(loaders(ctx).estate())
    }

    /// Its name in the gateway's configuration; errors carry it as `extensions.upstream`.
    async fn name(&self) -> &str {
        self.0.as_ref().map_or("", |status| &status.name)
    }

    /// The API it speaks.
    async fn kind(&self) -> UpstreamKind {
        match self.0.as_ref().map(|status| status.kind) {
            Some(Kind::Vac) => UpstreamKind::Vac,
            Some(Kind::EnterpriseManager) => UpstreamKind::EnterpriseManager,
            _ => UpstreamKind::Vspc,
        }
    }

    /// How it is doing, as the last read shows.
    async fn state(&self) -> UpstreamState {
        match self.0.as_ref().map(|status| status.seen().state) {
            Some(State::Up) => UpstreamState::Up,
            Some(State::Down(_)) => UpstreamState::Down,
            _ => UpstreamState::Unknown,
        }
    }

    /// Its product version (`GET /api/v3/about` for Service Provider Console); null where the API
    /// does not tell.
    async fn version(&self) -> Option<String> {
        self.0.as_ref()?.seen().version
    }

    /// By how many seconds its clock is ahead of the gateway's, as the `Date` of its last answer
    /// tells; negative where it is behind. Null before the first answer, and where its answers have
    /// no date.
    async fn clock_ahead_seconds(&self, ctx: &Context<'_>) -> Option<i32> {
        let status = self.0.as_ref()?;
        status.seen();
        loaders(ctx)
            .estate()
            .clock_ahead(status.id)
            .and_then(|seconds| i32::try_from(seconds).ok())
    }

    /// The version of its REST API that the gateway asks for (`X-Client-Version`): the newest that
    /// both know, or the one that is configured. Null where that is not known yet, and for other
    /// APIs than Service Provider Console.
    async fn api_version(&self) -> Option<String> {
        self.0.as_ref()?.api_version()
    }

    /// What this version of it lacks of what the graph shows, for people; and the paths of lists
    /// that it turned out not to have. Empty where nothing is known to be missing.
    async fn lacks(&self) -> Vec<String> {
        self.0
            .as_ref()
            .map(|status| status.lacks())
            .unwrap_or_default()
    }

    /// When it last answered; null when it never did since the gateway started.
    async fn last_ok_at(&self) -> Option<DateTime> {
        self.0.as_ref()?.seen().last_ok.map(DateTime)
    }

    /// When it last failed to answer; null when it never failed since the gateway started.
    async fn last_failure_at(&self) -> Option<DateTime> {
        self.0.as_ref()?.seen().last_failure.map(DateTime)
    }

    /// The code of the last failure, as errors carry it in `extensions.code`; null while the
    /// upstream is not down.
    async fn last_error_code(&self) -> Option<&'static str> {
        match self.0.as_ref()?.seen().state {
            State::Down(kind) => Some(error::public(kind).0),
            _ => None,
        }
    }
}
