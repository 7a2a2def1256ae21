//! Letting other organizations use a private domain.

use super::{change::writable, read::visible};
use crate::{Access, Controller, OrgRight, Result, answer, request::GuidRef};
use serde::Deserialize;
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{DomainGuid, OrgGuid};
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{Connection, domain_shares, organizations, routes};

/// Body of `POST /v3/domains/:guid/relationships/shared_organizations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareDomain {
    data: Vec<GuidRef>,
}

/// `POST /v3/domains/:guid/relationships/shared_organizations`: for managers of all the organizations named.
///
/// # Errors
/// 404, 403, 422 for an organization that is not there or not the caller's to share with, and for a shared domain.
pub async fn share(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<DomainGuid>,
    Json(body): Json<ShareDomain>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let domain = writable(&mut tx, &access, guid).await?;
    let Some(owner) = domain.organization else {
        let detail = "Domains cannot be shared with other organizations unless they are scoped to an organization.";
        return Err(ApiError::unprocessable(detail).into());
    };
    for organization in organizations_to_share_with(&mut tx, &access, &body.data, owner).await? {
        domain_shares::insert(&mut tx, guid, organization, controller.now()).await?;
    }
    let shared = domain_shares::list_of_domains(&mut tx, &[guid], access.visible()).await?;
    tx.commit().await?;
    Ok(answer::ok(answer::to_many(shared.into_iter().map(|(_, organization)| organization))))
}

/// The organizations that a domain of `owner` may be shared with on the caller's word.
pub(super) async fn organizations_to_share_with(
    db: &mut Connection,
    access: &Access,
    wanted: &[GuidRef],
    owner: OrgGuid,
) -> Result<BTreeSet<OrgGuid>> {
    let mut found = BTreeSet::new();
    for wanted in wanted {
        let unknown = || {
            ApiError::unprocessable(format!("Organization with guid '{}' does not exist, or you do not have access to it.", wanted.guid))
        };
        let guid: OrgGuid = wanted.parsed().ok_or_else(unknown)?;
        let standing = access.in_organization(db, OrgRight::See, guid, "Organization").await.map_err(|_| unknown())?;
        let organization = organizations::find(db, guid).await?.ok_or_else(unknown)?;
        if standing.suspended && !access.is_admin() {
            return Err(ApiError::unprocessable(format!("Organization '{}' is suspended.", organization.name)).into());
        }
        if access.in_organization(db, OrgRight::Write, guid, "Organization").await.is_err() {
            let detail = format!("You do not have sufficient permissions for organization '{}' to share domain.", organization.name);
            return Err(ApiError::unprocessable(detail).into());
        }
        found.insert(guid);
    }
    if found.contains(&owner) {
        return Err(ApiError::unprocessable("Domain cannot be shared with owning organization.").into());
    }
    Ok(found)
}

/// `DELETE /v3/domains/:guid/relationships/shared_organizations/:organization`: for managers of either side.
///
/// # Errors
/// 404, 403, 422 for an organization that is not there, that the domain is not shared with, or that has routes below it.
pub async fn unshare(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, organization)): Path<(DomainGuid, String)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let domain = visible(&mut tx, &access, guid).await?;
    let unknown =
        || ApiError::unprocessable(format!("Organization with guid '{organization}' does not exist or you do not have access to it."));
    let other: OrgGuid = organization.parse().map_err(|_| unknown())?;
    let name = organizations::find(&mut tx, other).await?.ok_or_else(unknown)?.name;
    let is_owners = match domain.organization {
        Some(owner) => access.in_organization(&mut tx, OrgRight::Write, owner, "Domain").await.is_ok(),
        None => access.is_admin(),
    };
    if !is_owners {
        access.in_organization(&mut tx, OrgRight::Write, other, "Domain").await.map_err(|_| ApiError::not_authorized())?;
    }
    access.in_organization(&mut tx, OrgRight::See, other, "Organization").await.map_err(|_| unknown())?;
    if !domain_shares::is_shared(&mut tx, guid, other).await? {
        return Err(ApiError::unprocessable(format!(
            "Unable to unshare domain from organization with name '{name}'. Ensure the domain is shared to this organization."
        ))
        .into());
    }
    if routes::has_organization(&mut tx, guid, other).await? {
        let detail = "This domain has associated routes in this organization. Delete the routes before unsharing.";
        return Err(ApiError::unprocessable(detail).into());
    }
    domain_shares::delete(&mut tx, guid, other).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}
