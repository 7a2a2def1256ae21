//! What a new installation starts with: a quota, an organization with a space, the shared domains, the security group that
//! lets apps out into the public, and the administrator's roles. Running it again changes nothing that is there.

use crate::{
    Controller, Result, buildpacks,
    isolation_segments::{SHARED_NAME, shared},
    roles, service_brokers, stacks,
};
use virga_contract::ApiError;
use virga_model::{
    DomainGuid, OrgGuid, QuotaGuid, RouterGroupGuid, SecurityGroupGuid, SpaceGuid, UserGuid, egress::EgressRule, state::RoleType,
};
use virga_store::{
    Connection,
    domains::{self, DomainRow},
    isolation_segments::{self, IsolationSegmentRow},
    metadata::Metadata,
    organization_quotas::{self, OrganizationQuotaRow},
    organizations::{self, OrganizationFilter, OrganizationRow},
    roles::RoleScope,
    router_groups::{self, RouterGroupRow},
    security_groups::{self, SecurityGroupRow},
    select::{Listing, Visible},
    spaces::{self, SpaceRow},
    users,
};

/// Memory of the default quota, MB (100 GiB, as in Cloud Foundry).
const DEFAULT_QUOTA_MEMORY_MB: i64 = 102_400;
/// Routes of the default quota, as in Cloud Foundry.
const DEFAULT_QUOTA_ROUTES: i64 = 1000;

/// Everything public: all but loopback, link-local, private, shared, reserved and multicast ranges (RFC 6890).
const PUBLIC_NETWORKS: &[&str] = &[
    "1.0.0.0-9.255.255.255",
    "11.0.0.0-100.63.255.255",
    "100.128.0.0-126.255.255.255",
    "128.0.0.0-169.253.255.255",
    "169.255.0.0-172.15.255.255",
    "172.32.0.0-191.255.255.255",
    "192.0.1.0-192.167.255.255",
    "192.169.0.0-198.17.255.255",
    "198.20.0.0-223.255.255.255",
    "2000::/3",
];

/// The first organization, space and administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// Name of the organization.
    pub organization: String,
    /// Name of the space.
    pub space: String,
    /// The administrator, as the UAA knows them.
    pub admin: UserGuid,
    /// The administrator's name.
    pub admin_name: String,
}

/// Makes what is missing.
///
/// # Errors
/// Those of the database.
pub async fn bootstrap(controller: &Controller, wanted: &Bootstrap) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let quota = default_quota(controller, &mut tx).await?;
    shared_domain(controller, &mut tx, &controller.config.apps_domain, false).await?;
    shared_domain(controller, &mut tx, &controller.config.internal_domain, true).await?;
    default_router_group(controller, &mut tx).await?;
    public_networks(controller, &mut tx).await?;
    shared_segment(controller, &mut tx).await?;
    stacks::seed(controller, &mut tx).await?;
    buildpacks::seed(controller, &mut tx).await?;
    if controller.config.own_services {
        service_brokers::register_own(controller, &mut tx).await?;
    }
    users::save_name(&mut tx, wanted.admin, Some(&wanted.admin_name), Some("uaa"), controller.now()).await?;
    // Where there is any organization, somebody has made of this place what they wanted.
    if organizations::list(&mut tx, &OrganizationFilter::default(), Visible::All, &Listing::default()).await?.total == 0 {
        first_space(controller, &mut tx, wanted, quota).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn first_space(controller: &Controller, db: &mut Connection, wanted: &Bootstrap, quota: QuotaGuid) -> Result<()> {
    let organization = organization(controller, db, &wanted.organization, quota).await?;
    let space = space(controller, db, &wanted.space, organization).await?;
    for kind in [RoleType::OrganizationUser, RoleType::OrganizationManager] {
        roles::give(controller, db, wanted.admin, kind, RoleScope::Organization(organization)).await?;
    }
    for kind in [RoleType::SpaceManager, RoleType::SpaceDeveloper] {
        roles::give(controller, db, wanted.admin, kind, RoleScope::Space(space)).await?;
    }
    Ok(())
}

async fn default_quota(controller: &Controller, db: &mut Connection) -> Result<QuotaGuid> {
    let name = crate::organizations::DEFAULT_QUOTA;
    if let Some(quota) = organization_quotas::find_by_name(db, name).await? {
        return Ok(quota.guid);
    }
    let mut quota = OrganizationQuotaRow::unlimited(name, controller.now());
    quota.limits.total_memory_in_mb = Some(DEFAULT_QUOTA_MEMORY_MB);
    quota.limits.total_routes = Some(DEFAULT_QUOTA_ROUTES);
    organization_quotas::insert(db, &quota).await?;
    Ok(quota.guid)
}

async fn organization(controller: &Controller, db: &mut Connection, name: &str, quota: QuotaGuid) -> Result<OrgGuid> {
    let row = OrganizationRow::new(name, quota, controller.now());
    organizations::insert(db, &row).await?;
    Ok(row.guid)
}

async fn space(controller: &Controller, db: &mut Connection, name: &str, organization: OrgGuid) -> Result<SpaceGuid> {
    let row = SpaceRow::new(name, organization, controller.now());
    spaces::insert(db, &row).await?;
    Ok(row.guid)
}

async fn shared_domain(controller: &Controller, db: &mut Connection, name: &str, internal: bool) -> Result<()> {
    if let Some(found) = domains::find_by_names(db, &[name.to_owned()]).await?.first() {
        return match found.organization {
            None => Ok(()),
            Some(_) => Err(ApiError::internal(format_args!("the domain {name} belongs to an organization")).into()),
        };
    }
    let (guid, now, metadata) = (DomainGuid::random(), controller.now(), Metadata::default());
    let row = DomainRow {
        guid,
        created_at: now,
        updated_at: now,
        name: name.to_owned(),
        internal,
        organization: None,
        router_group: None,
        metadata,
    };
    Ok(domains::insert(db, &row).await?)
}

/// The group of TCP routes, with the ports that Cloud Foundry's own has. Where there is any group, somebody has decided.
async fn default_router_group(controller: &Controller, db: &mut Connection) -> Result<()> {
    if !router_groups::list(db).await?.is_empty() {
        return Ok(());
    }
    let (guid, now) = (RouterGroupGuid::random(), controller.now());
    let group = RouterGroupRow {
        guid,
        created_at: now,
        updated_at: now,
        name: "default-tcp".to_owned(),
        kind: "tcp".to_owned(),
        reservable_ports: "1024-1123".to_owned(),
    };
    Ok(router_groups::insert(db, &group).await?)
}

async fn shared_segment(controller: &Controller, db: &mut Connection) -> Result<()> {
    let guid = shared();
    if isolation_segments::find(db, guid).await?.is_some() {
        return Ok(());
    }
    let (now, name, metadata) = (controller.now(), SHARED_NAME.to_owned(), Metadata::default());
    let row = IsolationSegmentRow { guid, created_at: now, updated_at: now, name, metadata };
    Ok(isolation_segments::insert(db, &row).await?)
}

async fn public_networks(controller: &Controller, db: &mut Connection) -> Result<()> {
    const NAME: &str = "public_networks";
    if security_groups::find_by_name(db, NAME).await?.is_some() {
        return Ok(());
    }
    let rule = |destination: &&str| EgressRule {
        protocol: "all".to_owned(),
        destination: (*destination).to_owned(),
        ports: None,
        icmp_type: None,
        code: None,
        description: None,
        log: None,
    };
    let (guid, now) = (SecurityGroupGuid::random(), controller.now());
    let group = SecurityGroupRow {
        guid,
        created_at: now,
        updated_at: now,
        name: NAME.to_owned(),
        rules: PUBLIC_NETWORKS.iter().map(rule).collect(),
        running_default: true,
        staging_default: true,
    };
    Ok(security_groups::insert(db, &group).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_networks_are_rules_that_the_api_would_take() {
        let rules: Vec<_> = PUBLIC_NETWORKS.iter().map(|range| serde_json::json!({ "protocol": "all", "destination": range })).collect();
        assert_eq!(crate::security_groups::rules::read(&rules).unwrap().len(), PUBLIC_NETWORKS.len());
    }
}
