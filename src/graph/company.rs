//! `Company`: an organization that backups are made for.

use super::{
    backup_server::{BackupServerConnection, server_page},
    connection::connection,
    id::Key,
    job::{Job, JobConnection},
    job_filter::{JobFilter, JobOrder, job_page},
    loaders,
    origin::Origin,
    page::PageArgs,
    rows_of,
    scalars::{UUID, text},
};
use crate::{
    estate::{CompanyKey, RowRef, console::Rows},
    upstream::vspc::organization::Organization,
};
use async_graphql::{Context, Description, ID, InputObject, Object, Result};

/// Which companies. Every member that is given must hold.
#[derive(InputObject, Clone, Debug, Default)]
pub struct CompanyFilter {
    /// Companies from these upstreams, by their names in the configuration.
    pub(super) upstream: Option<Vec<String>>,
    /// Companies whose name contains this, without regard to case.
    pub(super) name_contains: Option<String>,
}

/// An organization: a company that backups are made for, a reseller, or the provider itself. Source:
/// `GET /organizations` of Service Provider Console.
#[derive(Description)]
pub struct Company(RowRef<Organization>);

connection! {
    /// Companies, page by page.
    CompanyConnection, CompanyEdge, Company
}

impl From<RowRef<Organization>> for Company {
    fn from(row: RowRef<Organization>) -> Self {
        Self(row)
    }
}

impl Company {
    fn key(&self) -> CompanyKey {
        CompanyKey { upstream: self.0.upstream(), company: self.0.instance_uid }
    }
}

#[Object(use_type_description)]
impl Company {
    /// Global id: stable over renames.
    async fn id(&self, ctx: &Context<'_>) -> ID {
        Key::Company(self.key()).encode(loaders(ctx).estate())
    }

    /// The organization's id in Service Provider Console.
    async fn uid(&self) -> UUID {
        UUID(self.0.instance_uid.0)
    }

    /// The organization's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A short name; null for none.
    async fn alias(&self) -> Option<&str> {
        text(&self.0.alias)
    }

    /// What it is, in the upstream's word: `Company`, `Reseller`, `Provider`; null when not known.
    async fn r#type(&self) -> Option<&str> {
        text(&self.0.r#type)
    }

    /// Its tax number; null for none.
    async fn tax_id(&self) -> Option<&str> {
        text(&self.0.tax_id)
    }

    /// Its mail address; null for none.
    async fn email(&self) -> Option<&str> {
        text(&self.0.email)
    }

    /// Its telephone number; null for none.
    async fn phone(&self) -> Option<&str> {
        text(&self.0.phone)
    }

    /// Its country; null for none.
    async fn country_name(&self) -> Option<&str> {
        text(&self.0.country_name)
    }

    /// Its region; null for none.
    async fn region_name(&self) -> Option<&str> {
        text(&self.0.region_name)
    }

    /// Its city; null for none.
    async fn city(&self) -> Option<&str> {
        text(&self.0.city)
    }

    /// Its street; null for none.
    async fn street(&self) -> Option<&str> {
        text(&self.0.street)
    }

    /// Its postal code; null for none.
    async fn zip_code(&self) -> Option<&str> {
        text(&self.0.zip_code)
    }

    /// Its website; null for none.
    async fn website(&self) -> Option<&str> {
        text(&self.0.website)
    }

    /// What somebody wrote about it; null for nothing.
    async fn notes(&self) -> Option<&str> {
        text(&self.0.notes)
    }

    /// Its number in Veeam's records; null for none.
    async fn veeam_tenant_id(&self) -> Option<&str> {
        text(&self.0.veeam_tenant_id)
    }

    /// Its number in other applications, such as a PSA; null for none.
    async fn company_id(&self) -> Option<&str> {
        text(&self.0.company_id)
    }

    /// The company's jobs: assigned to it (`mappedOrganizationUid`), or else on a server that it owns.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which jobs. All when left out.")] filter: Option<JobFilter>,
        #[graphql(desc = "In which order. By name when left out.")] order_by: Option<Vec<JobOrder>>,
        #[graphql(desc = "How many jobs: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<JobConnection> {
        let loaders = loaders(ctx);
        let (rows, problems) = rows_of(match loaders.caller().console(self.0.upstream()) {
            Some(console) => console.jobs_of_company(loaders.caller(), self.0.instance_uid).await,
            None => Ok(Rows::default()),
        });
        let list = format!("jobs {:?}", self.key());
        let page = job_page(loaders.estate(), rows, &list, filter, order_by, &PageArgs { first, after })?;
        Ok(JobConnection::new(ctx, page, &problems, Job::from))
    }

    /// The backup servers that the company owns, by name.
    async fn backup_servers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many servers: 0 to 500, 50 when left out.")] first: Option<i32>,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
    ) -> Result<BackupServerConnection> {
        let loaders = loaders(ctx);
        let (rows, problems) = rows_of(match loaders.caller().console(self.0.upstream()) {
            Some(console) => console.servers_of_company(loaders.caller(), self.0.instance_uid).await,
            None => Ok(Rows::default()),
        });
        server_page(ctx, rows, &problems, &format!("{:?}", self.key()), &PageArgs { first, after })
    }

    /// Where this row came from, and how fresh it is.
    async fn origin(&self) -> Origin {
        Origin::from(&self.0)
    }
}
