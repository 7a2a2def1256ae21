//! `/v3/service_plans/:guid/visibility`: who sees a plan.

use super::lookup::{seen, writable};
use crate::{
    Access, Controller, Result, answer,
    audit_events::{self, Event},
    request::GuidRef,
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{OrgGuid, ServicePlanGuid, service::PlanVisibility};
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, organizations,
    select::Visible,
    service_plans::{self as rows, Audience, ServicePlanRow},
    spaces,
};

/// Body of `PATCH` and `POST /v3/service_plans/:guid/visibility`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanVisibilityBody {
    /// `public`, `admin` or `organization`.
    #[serde(rename = "type")]
    kind: String,
    organizations: Option<Vec<GuidRef>>,
}

impl PlanVisibilityBody {
    /// What it asks for.
    ///
    /// # Errors
    /// 400 for another type, and where organizations are missing or too many.
    fn checked(&self) -> Result<(PlanVisibility, &[GuidRef])> {
        let bad = |detail: &str| ApiError::new(virga_contract::ErrorCode::BadRequest, format!("Bad request: {detail}"));
        let kind = match self.kind.parse() {
            Ok(PlanVisibility::Space) | Err(_) => return Err(bad("Type must be one of 'public', 'admin', 'organization'").into()),
            Ok(kind) => kind,
        };
        let organizations = self.organizations.as_deref().unwrap_or_default();
        if kind == PlanVisibility::Organization && organizations.is_empty() {
            return Err(bad("Organizations can't be blank").into());
        }
        if kind != PlanVisibility::Organization && !organizations.is_empty() {
            return Err(bad("Organizations must be blank").into());
        }
        Ok((kind, organizations))
    }
}

async fn view(db: &mut Connection, visible: Visible, plan: &ServicePlanRow, audience: &Audience) -> Result<Value> {
    let kind = audience.of(plan);
    let mut view = json!({ "type": kind });
    let Value::Object(members) = &mut view else { return Ok(view) };
    if kind == PlanVisibility::Organization {
        let shown = rows::organizations(db, plan.guid, visible).await?;
        let shown: Vec<Value> = shown.into_iter().map(|(guid, name)| json!({ "guid": guid, "name": name })).collect();
        members.insert("organizations".to_owned(), json!(shown));
    }
    if let Some(space) = audience.space(plan)
        && let Some(space) = spaces::find(db, space).await?
    {
        members.insert("space".to_owned(), json!({ "guid": space.guid, "name": space.name }));
    }
    Ok(view)
}

/// `GET /v3/service_plans/:guid/visibility`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, Path(guid): Path<ServicePlanGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (plan, audience) = seen(&mut db, &access, guid).await?;
    Ok(answer::ok(view(&mut db, access.visible(), &plan, &audience).await?))
}

/// `PATCH /v3/service_plans/:guid/visibility`: to these, and to nobody else.
///
/// # Errors
/// 404, 403, 400 for a body that is none, 422 for a plan of a space's broker and for organizations that are not there.
pub async fn replace(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServicePlanGuid>,
    Json(body): Json<PlanVisibilityBody>,
) -> Result<Response> {
    set(&controller, &access, guid, &body, false).await
}

/// `POST /v3/service_plans/:guid/visibility`: to these organizations besides those that see it already.
///
/// # Errors
/// As [`replace`].
pub async fn apply(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServicePlanGuid>,
    Json(body): Json<PlanVisibilityBody>,
) -> Result<Response> {
    set(&controller, &access, guid, &body, true).await
}

async fn set(
    controller: &Controller,
    access: &Access,
    guid: ServicePlanGuid,
    body: &PlanVisibilityBody,
    is_more: bool,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut plan, audience) = writable(&mut tx, access, guid).await?;
    let (kind, wanted) = body.checked()?;
    if audience.space(&plan).is_some() {
        return Err(ApiError::unprocessable("cannot update plans with visibility type 'space'").into());
    }
    plan.is_public = kind == PlanVisibility::Public;
    // Also when nothing of the row changes: of two who set it one waits for the other.
    rows::update(&mut tx, &mut plan, controller.now()).await?;
    if !is_more || kind != PlanVisibility::Organization {
        rows::hide_from_all(&mut tx, guid).await?;
    }
    for wanted in wanted {
        let missing = || ApiError::unprocessable(format!("Could not find Organization with guid: {}", wanted.guid));
        let organization: OrgGuid = wanted.parsed().ok_or_else(missing)?;
        if organizations::find(&mut tx, organization).await?.is_none() {
            return Err(missing().into());
        }
        rows::show_to(&mut tx, guid, organization, controller.now()).await?;
    }
    let organizations: Vec<Value> = wanted.iter().map(|organization| json!({ "guid": organization.guid })).collect();
    let data = json!({ "request": { "type": kind, "organizations": organizations } });
    record(controller, &mut tx, access, ("update", &plan), None, data).await?;
    let plans = [plan];
    let audience = rows::audience(&mut tx, &plans).await?;
    let [plan] = plans;
    let view = if is_more { json!({ "type": audience.of(&plan) }) } else { view(&mut tx, access.visible(), &plan, &audience).await? };
    tx.commit().await?;
    Ok(answer::ok(view))
}

/// `DELETE /v3/service_plans/:guid/visibility/:organization`.
///
/// # Errors
/// 404 for an organization that does not see it, 403, 422 for a plan that is not shown to organizations.
pub async fn remove(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, organization)): Path<(ServicePlanGuid, OrgGuid)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (plan, audience) = writable(&mut tx, &access, guid).await?;
    if audience.of(&plan) != PlanVisibility::Organization {
        return Err(ApiError::unprocessable("Cannot delete visibilities from non-org-restricted plans").into());
    }
    if organizations::find(&mut tx, organization).await?.is_none() {
        return Err(ApiError::not_found("Organization").into());
    }
    if !rows::hide_from(&mut tx, guid, organization).await? {
        return Err(ApiError::not_found("Service plan visibility").into());
    }
    record(&controller, &mut tx, &access, ("delete", &plan), Some(organization), json!({})).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    (verb, plan): (&str, &ServicePlanRow),
    organization: Option<OrgGuid>,
    data: Value,
) -> Result<()> {
    let event = Event {
        kind: &format!("audit.service_plan_visibility.{verb}"),
        target_kind: "service_plan_visibility",
        target: plan.guid.to_string(),
        target_name: &plan.name,
        data,
        space: None,
        organization,
    };
    audit_events::record(controller, db, access, event).await
}
