//! Deleting an organization with everything in it.

use crate::{
    Access, Controller, Result, answer,
    jobs::{self, Outcome},
    service_operations::{Going, Order, resource_of},
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::OrgGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    domains,
    jobs::JobRow,
    organizations,
    roles::{self, RoleScope},
    routes, service_plans, spaces,
};

/// `DELETE /v3/organizations/:guid`: a job that deletes every space, app, route, private domain and role with it.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<OrgGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    access.in_organization(&mut tx, crate::OrgRight::See, guid, "Organization").await?;
    access.admin()?;
    let organization = organizations::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    super::change::record(
        &controller,
        &mut tx,
        &access,
        "audit.organization.delete-request",
        &organization,
        json!({ "request": { "recursive": true } }),
    )
    .await?;
    let job = jobs::start(&mut tx, controller.now(), "organization.delete", guid, Order::plain(&access).payload()?).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The job: space by space, so that no transaction grows with the size of the organization.
///
/// # Errors
/// Those of the database.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let (order, guid): (_, OrgGuid) = (Order::read(job)?, resource_of(job)?);
    let mut tx = loop {
        let mut going = Going::Gone;
        for space in spaces::list_of_organization(&mut *controller.store.read().await?, guid).await? {
            if crate::spaces::delete::everything(controller, &order, space.guid, job.created_at).await? == Going::Going {
                going = Going::Going;
            }
        }
        if going == Going::Going {
            return order.wait(controller);
        }
        let mut tx = controller.store.begin().await?;
        // Somebody may have made one meanwhile.
        if spaces::list_of_organization(&mut tx, guid).await?.is_empty() {
            break tx;
        }
    };
    for domain in domains::private_of(&mut tx, guid).await? {
        // Others with whom it was shared may have routes below it.
        for route in routes::list_of_domain(&mut tx, domain.guid).await? {
            routes::delete(&mut tx, route.guid).await?;
        }
        domains::delete(&mut tx, domain.guid).await?;
    }
    roles::delete_in(&mut tx, RoleScope::Organization(guid)).await?;
    service_plans::forget_organization(&mut tx, guid).await?;
    organizations::delete(&mut tx, guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(Outcome::Done(Vec::new()))
}
