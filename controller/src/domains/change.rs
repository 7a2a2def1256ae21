//! Updating and deleting domains.

use super::{read::visible, view, view::shares};
use crate::{Access, Controller, OrgRight, Result, answer, jobs, metadata::MetadataPatch};
use serde::Deserialize;
use virga_contract::ApiError;
use virga_model::DomainGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, domain_shares,
    domains::{self, DomainRow},
    routes,
    select::Visible,
};

/// Body of `PATCH /v3/domains/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateDomain {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/domains/:guid`.
///
/// # Errors
/// 404, 403.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<DomainGuid>,
    Json(body): Json<UpdateDomain>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut domain = writable(&mut tx, &access, guid).await?;
    body.metadata.unwrap_or_default().apply(&mut domain.metadata)?;
    domains::update(&mut tx, &mut domain, controller.now()).await?;
    let shared = shares(&mut tx, &access, std::slice::from_ref(&domain)).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &domain, &shared)))
}

/// The domain, where the caller may change it.
pub(super) async fn writable(db: &mut Connection, access: &Access, guid: DomainGuid) -> Result<DomainRow> {
    let domain = visible(db, access, guid).await?;
    match domain.organization {
        None => access.admin()?,
        Some(organization) => {
            // The domain is seen; through a share even by those who do not see its owner.
            access.in_organization(db, OrgRight::See, organization, "Domain").await.map_err(|_| ApiError::not_authorized())?;
            access.in_organization(db, OrgRight::Write, organization, "Domain").await?;
        }
    }
    Ok(domain)
}

/// `DELETE /v3/domains/:guid`: with every route below it.
///
/// # Errors
/// 404, 403, 422 while it is shared with other organizations.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DomainGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    writable(&mut tx, &access, guid).await?;
    if !domain_shares::list_of_domains(&mut tx, &[guid], Visible::All).await?.is_empty() {
        let detail = "This domain is shared with other organizations. Unshare before deleting.";
        return Err(ApiError::unprocessable(detail).into());
    }
    for route in routes::list_of_domain(&mut tx, guid).await? {
        routes::delete(&mut tx, route.guid).await?;
    }
    domains::delete(&mut tx, guid).await?;
    let job = jobs::done(&mut tx, controller.now(), "domain.delete", guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::job(&base, job))
}
