//! Making domains.

use super::{share::organizations_to_share_with, view};
use crate::{
    Access, Controller, Error, OrgRight, Result, answer,
    metadata::MetadataPatch,
    request::{GuidRef, ToMany, ToOne, require_feature},
};
use serde::Deserialize;
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{
    DomainGuid, OrgGuid, RouterGroupGuid,
    route::{MAX_HOST_BYTES, MAX_LABEL_BYTES, is_domain_name},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
    base::SYSTEM_LABELS,
};
use virga_store::{
    Connection, StoreError, domain_shares,
    domains::{self, DomainRow},
    organization_quotas, organizations, quotas, router_groups,
};

/// Body of `POST /v3/domains`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDomain {
    name: String,
    internal: Option<bool>,
    router_group: Option<GuidRef>,
    enforce_route_policies: Option<bool>,
    route_policies_scope: Option<String>,
    relationships: Option<DomainRelationships>,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainRelationships {
    organization: Option<ToOne>,
    shared_organizations: Option<ToMany>,
}

/// `POST /v3/domains`: with relationships a private domain (managers of its organization may), without a shared one
/// (administrators).
///
/// # Errors
/// 403, 422 for a name that is none, taken, or part of another organization's, and for a quota that is used up.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateDomain>) -> Result<Response> {
    let name = body.name.trim().to_ascii_lowercase();
    check(&controller, &name, &body)?;
    let metadata = MetadataPatch::create(body.metadata)?;
    let mut tx = controller.store.begin().await?;
    let mut shared = BTreeSet::new();
    let organization = match &body.relationships {
        None => {
            access.admin()?;
            None
        }
        Some(relationships) => {
            let owner = owner(&mut tx, &access, relationships.organization.as_ref()).await?;
            let wanted = relationships.shared_organizations.as_ref().map_or(&[][..], |shared| &shared.data);
            shared = organizations_to_share_with(&mut tx, &access, wanted, owner).await?;
            Some(owner)
        }
    };
    let router_group = match &body.router_group {
        Some(group) => Some(find_router_group(&mut tx, group).await?),
        None => None,
    };
    check_free(&mut tx, &name, organization).await?;
    let (guid, now, internal) = (DomainGuid::random(), controller.now(), body.internal.unwrap_or(false));
    let domain = DomainRow { guid, created_at: now, updated_at: now, name, internal, organization, router_group, metadata };
    domains::insert(&mut tx, &domain).await.map_err(|error| taken(error, &domain.name))?;
    if let Some(owner) = organization {
        check_quota(&mut tx, owner).await?;
    }
    for organization in &shared {
        domain_shares::insert(&mut tx, guid, *organization, now).await?;
    }
    tx.commit().await?;
    let shared: Vec<_> = shared.into_iter().map(|organization| (guid, organization)).collect();
    Ok(answer::created(view(&base, &domain, &shared)))
}

async fn owner(db: &mut Connection, access: &Access, wanted: Option<&ToOne>) -> Result<OrgGuid> {
    let guid = wanted.and_then(|wanted| wanted.data.as_ref()).map_or("", |data| data.guid.as_str());
    let unknown =
        || Error::from(ApiError::unprocessable(format!("Organization with guid '{guid}' does not exist or you do not have access to it.")));
    let guid: OrgGuid = wanted.and_then(ToOne::parsed).ok_or_else(unknown)?;
    access.in_organization(db, OrgRight::See, guid, "Organization").await.map_err(|_| unknown())?;
    access.in_organization(db, OrgRight::Write, guid, "Organization").await?;
    require_feature(db, access, "private_domain_creation").await?;
    Ok(guid)
}

async fn find_router_group(db: &mut Connection, group: &GuidRef) -> Result<RouterGroupGuid> {
    let unknown = || ApiError::unprocessable(format!("Router group with guid '{}' not found.", group.guid));
    let guid = group.parsed().ok_or_else(unknown)?;
    Ok(router_groups::find(db, guid).await?.ok_or_else(unknown)?.guid)
}

/// The rules that need no look at other rows.
fn check(controller: &Controller, name: &str, body: &CreateDomain) -> Result<()> {
    let mut wrong = wrong_with_name(name);
    let mut say = |is_wrong: bool, what: &str| wrong.extend(is_wrong.then(|| what.to_owned()));
    let (is_private, is_internal) = (body.relationships.is_some(), body.internal == Some(true));
    say(is_internal && is_private, "Cannot associate an internal domain with an organization");
    say(is_internal && body.router_group.is_some(), "Internal domains cannot be associated to a router group.");
    say(is_private && body.router_group.is_some(), "Domains scoped to an organization cannot be associated to a router group.");
    let relationships = body.relationships.as_ref();
    let ownerless = relationships.is_some_and(|given| given.shared_organizations.is_some() && given.organization.is_none());
    say(ownerless, "Relationships cannot contain shared_organizations without an owning organization.");
    let policies = body.enforce_route_policies == Some(true) || body.route_policies_scope.is_some();
    say(policies, "Route policies are not supported on this platform.");
    let system = &controller.config.system_domain;
    let label = name.strip_suffix(system.as_str()).and_then(|rest| rest.strip_suffix('.'));
    // A tenant with a wildcard below one of these would answer for api.<system domain>.
    // Of a name of the platform's own, tenants may not even have what it stands below.
    let is_own = |own: &str| own == name || (is_private && own.ends_with(&format!(".{name}")));
    let is_systems = name == system
        || system.ends_with(&format!(".{name}"))
        || label.is_some_and(|label| SYSTEM_LABELS.contains(&label))
        || own_names(controller).any(is_own);
    say(is_systems, &format!("The domain name \"{name}\" cannot be created because \"{name}\" is already reserved by the system"));
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
}

/// Names, without a port, at which the platform itself answers besides those of the system domain.
pub(crate) fn own_names(controller: &Controller) -> impl Iterator<Item = &str> {
    let names = controller.config.external_names.iter();
    names.map(|name| name.rsplit_once(':').map_or(name.as_str(), |(name, _)| name))
}

fn wrong_with_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |is_wrong: bool, what: String| wrong.extend(is_wrong.then_some(what));
    say(name.is_empty(), "Name can't be blank".to_owned());
    say(name.len() < 3, "Name is too short (minimum is 3 characters)".to_owned());
    say(name.len() > MAX_HOST_BYTES, format!("Name is too long (maximum is {MAX_HOST_BYTES} characters)"));
    say(!is_domain_name(name), "Name does not comply with RFC 1035 standards".to_owned());
    say(!name.contains('.'), "Name must contain at least one \".\"".to_owned());
    let is_long = name.split('.').any(|label| label.len() > MAX_LABEL_BYTES);
    say(is_long, format!("Name subdomains must each be at most {MAX_LABEL_BYTES} characters"));
    let is_foreign = name.chars().any(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '.');
    say(is_foreign, "Name must consist of alphanumeric characters and hyphens".to_owned());
    wrong
}

async fn check_free(db: &mut Connection, name: &str, organization: Option<OrgGuid>) -> Result<()> {
    if domains::find_by_names(db, &[name.to_owned()]).await?.is_empty() {
        let reserved = |by: &str, what: &str| {
            ApiError::unprocessable(format!("The domain name \"{name}\" cannot be created because \"{by}\" is already reserved by {what}"))
        };
        if let Some(other) = domains::overlapping(db, name, organization).await? {
            return Err(reserved(&other.name, "another domain").into());
        }
        if let Some(route) = domains::route_over(db, name).await? {
            return Err(reserved(&route, "a route").into());
        }
        return Ok(());
    }
    Err(in_use(name).into())
}

/// The private domain that was just written is one of those counted.
async fn check_quota(db: &mut Connection, owner: OrgGuid) -> Result<()> {
    let most = organization_quotas::of_organization(db, owner).await?.and_then(|quota| quota.total_domains);
    let Some(most) = most else { return Ok(()) };
    quotas::lock(db, owner).await?;
    if quotas::private_domains(db, Some(owner)).await? <= u64::try_from(most).unwrap_or(0) {
        return Ok(());
    }
    let name = organizations::find(db, owner).await?.map(|organization| organization.name).unwrap_or_default();
    Err(ApiError::unprocessable(format!("The number of private domains exceeds the quota for organization \"{name}\"")).into())
}

fn in_use(name: &str) -> ApiError {
    ApiError::unprocessable(format!("The domain name \"{name}\" is already in use"))
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("domains_name") { in_use(name).into() } else { error.into() }
}
