//! `BackupAgent`: the agent on a machine that a backup server protects.

use super::{
    backup_server::BackupServer,
    id::Key,
    loaders, nullable,
    origin::Origin,
    scalars::{UUID, text},
    sensitive,
};
use crate::{
    estate::{BackupAgentKey, RowRef, ServerKey},
    loaders::server::ServerOf,
    upstream::vspc,
};
use async_graphql::{Context, Description, ID, Object, Result};

/// The backup agent on a machine, as the backup server that manages it knows it. Source:
/// `GET /infrastructure/backupServers/agents`.
#[derive(Description)]
pub struct BackupAgent {
    key: BackupAgentKey,
    row: RowRef<vspc::backup_agent::BackupAgent>,
}

impl BackupAgent {
    /// The agent with that key.
    pub fn new(key: BackupAgentKey, row: RowRef<vspc::backup_agent::BackupAgent>) -> Self {
        Self { key, row }
    }
}

#[Object(use_type_description)]
impl BackupAgent {
    /// Global id: stable over renames.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::BackupAgent(self.key).encode(loaders(ctx).estate())
    }

    /// The agent's id (`instanceUid`).
    async fn uid(&self) -> UUID {
        UUID(self.row.instance_uid.0)
    }

    /// The agent's name.
    async fn name(&self, ctx: &Context<'_>) -> &str {
        if sensitive::hidden(ctx).host_names { sensitive::HIDDEN_NAME } else { &self.row.name }
    }

    /// The DNS name of the machine; null when not known.
    async fn machine_name(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        sensitive::host_name(ctx, text(&self.row.machine_name))
    }

    /// The operating system with its version, for people; null when not known.
    async fn guest_os(&self) -> Option<&str> {
        text(&self.row.guest_os)
    }

    /// The operating system, in the upstream's word: `Windows`, `Linux`, `Mac` …; null when not known.
    async fn os_type(&self) -> Option<&str> {
        text(&self.row.os_type)
    }

    /// The agent's version; null when not known.
    async fn version(&self) -> Option<&str> {
        text(&self.row.version)
    }

    /// The machine's addresses; null when not known.
    async fn ip_addresses(&self, ctx: &Context<'_>) -> Option<Result<&[String]>> {
        sensitive::host_name(ctx, self.row.ip_addresses.as_deref())
    }

    /// Whether no backup server manages the agent any more; null when not known.
    async fn is_unmanaged(&self) -> Option<bool> {
        self.row.is_unmanaged
    }

    /// How its installation stands, in the upstream's word; null when not known.
    async fn installation_status(&self) -> Option<&str> {
        text(&self.row.installation_status)
    }

    /// The licence that it takes, in the upstream's word: `Server`, `Workstation` …; null when not known.
    async fn license(&self) -> Option<&str> {
        text(&self.row.license)
    }

    /// How the licence stands, in the upstream's word; null when not known.
    async fn license_status(&self) -> Option<&str> {
        text(&self.row.license_status)
    }

    /// The backup server that manages the agent; null when the console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<BackupServer>> {
        let key = ServerKey { upstream: self.key.upstream, server: self.key.server };
        nullable(loaders(ctx).ask(ServerOf(key), None).await.map(|row| row.map(BackupServer::from)))
    }

    /// Where this row came from, and how fresh it is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.row)
    }
}
