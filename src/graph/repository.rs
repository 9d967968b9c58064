//! `Repository`: where backups are kept.

use super::{backup_server::BackupServer, id::Key, loaders, nullable, origin::Origin, scalars::UUID};
use crate::{
    estate::{RepositoryKey, RowRef, ServerKey},
    loaders::server::ServerOf,
    upstream::vspc,
};
use async_graphql::{Context, Description, ID, Object, Result};

/// A backup repository. Source: `GET /infrastructure/backupServers/repositories`.
#[derive(Description)]
pub struct Repository(RowRef<vspc::repository::Repository>);

impl From<RowRef<vspc::repository::Repository>> for Repository {
    fn from(row: RowRef<vspc::repository::Repository>) -> Self {
        Self(row)
    }
}

#[Object(use_type_description)]
impl Repository {
    /// Global id: stable over renames.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        let (server, repository) = (self.0.backup_server_uid, self.0.instance_uid);
        Key::Repository(RepositoryKey { upstream: self.0.upstream(), server, repository }).encode(loaders(ctx).estate())
    }

    /// The repository's id. The default repository has the same on every server.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The repository's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The backup server that it belongs to; null when the console does not list it.
    async fn backup_server(&self, ctx: &Context<'_>) -> Option<Result<BackupServer>> {
        let key = ServerKey { upstream: self.0.upstream(), server: self.0.backup_server_uid };
        nullable(loaders(ctx).ask(ServerOf(key), None).await.map(|row| row.map(BackupServer::from)))
    }

    /// Where this row came from, and how fresh it is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
