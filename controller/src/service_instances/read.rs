//! Reading service instances.

use super::{
    create::record,
    fields::Fields,
    managed::busy,
    view::{plan_of, plans_of, view},
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec},
    service_operations::{Provider, is_under_way},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{OrgGuid, ServiceInstanceGuid, service::ServiceInstanceKind};
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, service_credential_bindings, service_instance_shares,
    service_instances::{self, ServiceInstanceFilter, ServiceInstanceRow, place_of_credentials},
};

const LIST: ListSpec = ListSpec::new(&[
    "names",
    "type",
    "space_guids",
    "organization_guids",
    "service_plan_guids",
    "service_plan_names",
    "fields[space]",
    "fields[space.organization]",
    "fields[service_plan]",
    "fields[service_plan.service_offering]",
    "fields[service_plan.service_offering.service_broker]",
])
.order_by(&["name"]);

/// `GET /v3/service_instances`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let fields = Fields::read(|parameter| query.values(parameter))?;
    let kinds = query.values("type");
    if kinds.iter().flatten().any(|kind| kind.parse::<ServiceInstanceKind>().is_err()) {
        let detail = "The query parameter is invalid: Type must be one of 'managed', 'user-provided'";
        return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
    }
    let filter = ServiceInstanceFilter {
        names: query.values("names"),
        kinds,
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
        plans: query.values("service_plan_guids"),
        plan_names: query.values("service_plan_names"),
    };
    let mut db = controller.store.read().await?;
    let page = service_instances::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let plans = plans_of(&mut db, &page.rows).await?;
    let plan = |instance: &ServiceInstanceRow| instance.plan.and_then(|plan| plans.get(&plan));
    let mut body = query.render(&page, |instance| view(&query.base, instance, plan(instance)));
    fields.add(&mut db, &mut body, page.rows.iter().map(|instance| instance.space), plans.values()).await?;
    Ok(answer::ok(body))
}

/// The instance, and the organization of its space, for a caller who has `right` there.
///
/// # Errors
/// 404 `Service instance not found`, 403.
pub(crate) async fn permitted(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: ServiceInstanceGuid,
) -> Result<(ServiceInstanceRow, OrgGuid)> {
    const RESOURCE: &str = "Service instance";
    let instance = service_instances::find(db, guid).await?.ok_or_else(|| ApiError::not_found(RESOURCE))?;
    let standing = access.in_space(db, right, instance.space, RESOURCE).await?;
    Ok((instance, standing.organization))
}

/// The instance, for a caller who sees its space or one that it is shared with.
///
/// # Errors
/// 404 `Service instance not found`.
pub(crate) async fn permitted_or_shared(db: &mut Connection, access: &Access, guid: ServiceInstanceGuid) -> Result<ServiceInstanceRow> {
    let missing = || ApiError::not_found("Service instance");
    let instance = service_instances::find(db, guid).await?.ok_or_else(missing)?;
    if access.has_in_space(db, SpaceRight::See, instance.space).await? {
        return Ok(instance);
    }
    for space in service_instance_shares::list_of_instance(db, guid).await? {
        if access.has_in_space(db, SpaceRight::See, space).await? {
            return Ok(instance);
        }
    }
    Err(missing().into())
}

/// Parameters of `GET /v3/service_instances/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    #[serde(rename = "fields[space]")]
    space: Option<String>,
    #[serde(rename = "fields[space.organization]")]
    organization: Option<String>,
    #[serde(rename = "fields[service_plan]")]
    plan: Option<String>,
    #[serde(rename = "fields[service_plan.service_offering]")]
    offering: Option<String>,
    #[serde(rename = "fields[service_plan.service_offering.service_broker]")]
    broker: Option<String>,
}

impl ShowQuery {
    fn values(&self, parameter: &str) -> Option<Vec<String>> {
        let value = match parameter {
            "fields[space]" => &self.space,
            "fields[space.organization]" => &self.organization,
            "fields[service_plan]" => &self.plan,
            "fields[service_plan.service_offering]" => &self.offering,
            _ => &self.broker,
        };
        value.as_ref().map(|value| value.split(',').map(str::to_owned).collect())
    }
}

/// `GET /v3/service_instances/:guid`.
///
/// # Errors
/// 404, 400 for fields that are none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceInstanceGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let fields = Fields::read(|parameter| query.values(parameter))?;
    let mut db = controller.store.read().await?;
    let instance = permitted_or_shared(&mut db, &access, guid).await?;
    let plan = plan_of(&mut db, &instance).await?;
    let mut body = view(&base, &instance, plan.as_ref());
    fields.add(&mut db, &mut body, [instance.space], plan.as_ref()).await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_instances/:guid/credentials`, of user-provided instances. That it was read is recorded.
///
/// # Errors
/// 404, 403 for all but developers.
pub async fn credentials(State(controller): State<Controller>, access: Access, Path(guid): Path<ServiceInstanceGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (instance, organization) = permitted(&mut tx, &access, SpaceRight::ReadSecrets, guid).await?;
    if instance.kind != ServiceInstanceKind::UserProvided {
        return Err(ApiError::not_found("Service instance").into());
    }
    let credentials =
        service_credential_bindings::credentials(&controller.store, place_of_credentials(guid), instance.credentials.as_ref())?;
    record(&controller, &mut tx, &access, "show", &instance, organization, json!({})).await?;
    tx.commit().await?;
    Ok(answer::ok(Value::Object(credentials)))
}

/// `GET /v3/service_instances/:guid/parameters`: those that a broker was given.
///
/// # Errors
/// 404; 400 where no broker tells; 409 while something is done to the instance; what is wrong with the broker.
pub async fn parameters(State(controller): State<Controller>, access: Access, Path(guid): Path<ServiceInstanceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (instance, _) = permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let provider = match instance.plan {
        Some(plan) => Some(Provider::of_plan(&mut db, plan).await?).filter(|provider| provider.offering.catalog.instances_retrievable),
        None => None,
    };
    drop(db);
    let Some(provider) = provider else {
        // The CLI matches these words.
        let detail = "This service does not support fetching service instance parameters.";
        return Err(ApiError::new(ErrorCode::ServiceFetchInstanceParametersNotSupported, detail).into());
    };
    if is_under_way(&instance.last_operation) {
        return Err(busy(&instance));
    }
    let fetched = provider.client(&controller, access.user())?.fetch_instance(guid, &provider.ids()).await.map_err(ApiError::from)?;
    Ok(answer::ok(Value::Object(fetched.parameters)))
}

/// `GET /v3/service_instances/:guid/permissions`: what the caller may do, asked by dashboards of any user.
///
/// # Errors
/// 404.
pub async fn permissions(State(controller): State<Controller>, access: Access, Path(guid): Path<ServiceInstanceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let instance = service_instances::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Service instance"))?;
    let read = access.has_in_space(&mut db, SpaceRight::See, instance.space).await?;
    // Refused as well where the organization or space is suspended.
    let manage = access.in_space(&mut db, SpaceRight::Write, instance.space, "Service instance").await.is_ok();
    Ok(answer::ok(json!({ "manage": manage, "read": read })))
}
