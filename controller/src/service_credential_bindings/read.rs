//! Reading bindings.

use super::{bind::record, view::view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::view::app as app_view,
    audit_events::actor,
    list::{ListRequest, ListSpec, asked_for, include},
    service_instances,
    service_operations::Provider,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use virga_broker::BindingIds;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{
    ServiceCredentialBindingGuid, SpaceGuid,
    service::{BindingKind, OperationKind, OperationState},
};
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, apps,
    select::{Listing, Visible},
    service_credential_bindings::{self as rows, BindingFilter, ServiceCredentialBindingRow, place_of_credentials},
    service_instances as instance_rows,
};

const RESOURCE: &str = "Service credential binding";
const INCLUDES: &[&str] = &["app", "service_instance"];
const LIST: ListSpec = ListSpec::new(&[
    "names",
    "type",
    "app_guids",
    "app_names",
    "service_instance_guids",
    "service_instance_names",
    "service_plan_guids",
    "service_plan_names",
    "service_offering_guids",
    "service_offering_names",
])
.order_by(&["name"])
.includes(INCLUDES);

/// `GET /v3/service_credential_bindings`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let kinds = query.values("type");
    if kinds.iter().flatten().any(|kind| kind.parse::<BindingKind>().is_err()) {
        let detail = "The query parameter is invalid: Type must be one of 'app', 'key'";
        return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
    }
    let filter = BindingFilter {
        names: query.values("names"),
        kinds,
        apps: query.values("app_guids"),
        app_names: query.values("app_names"),
        instances: query.values("service_instance_guids"),
        instance_names: query.values("service_instance_names"),
        plans: query.values("service_plan_guids"),
        plan_names: query.values("service_plan_names"),
        offerings: query.values("service_offering_guids"),
        offering_names: query.values("service_offering_names"),
    };
    let mut db = controller.store.read().await?;
    let page = rows::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |binding| view(&query.base, binding));
    let asked: Vec<&str> = INCLUDES.iter().copied().filter(|what| query.includes(what)).collect();
    add_included(&mut db, &query.base, &mut body, &page.rows, &asked).await?;
    Ok(answer::ok(body))
}

/// Adds what was asked for to a page of bindings or to one. Who sees a binding sees both its ends.
async fn add_included(
    db: &mut Connection,
    base: &Base,
    body: &mut Value,
    bindings: &[ServiceCredentialBindingRow],
    asked: &[&str],
) -> Result<()> {
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if asked.contains(&"app") {
        let listing = only(bindings.iter().filter_map(|binding| binding.app).map(|app| app.to_string()).collect());
        let found = apps::list(db, &apps::AppFilter::default(), Visible::All, &listing).await?;
        include(body, "apps", found.rows.iter().map(|app| app_view(base, app)).collect());
    }
    if asked.contains(&"service_instance") {
        let listing = only(bindings.iter().map(|binding| binding.instance.to_string()).collect());
        let found = instance_rows::list(db, &instance_rows::ServiceInstanceFilter::default(), Visible::All, &listing).await?;
        let views = service_instances::views(db, base, &found.rows).await?;
        include(body, "service_instances", views);
    }
    Ok(())
}

/// The binding with its space, for a caller who has `right` there.
pub(super) async fn permitted(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: ServiceCredentialBindingGuid,
) -> Result<(ServiceCredentialBindingRow, SpaceGuid)> {
    let missing = || ApiError::not_found(RESOURCE);
    let binding = rows::find(db, guid).await?.ok_or_else(missing)?;
    let space = rows::space_of(db, guid).await?.ok_or_else(missing)?;
    access.in_space(db, right, space, RESOURCE).await?;
    Ok((binding, space))
}

/// Parameters of `GET /v3/service_credential_bindings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
}

/// `GET /v3/service_credential_bindings/:guid`.
///
/// # Errors
/// 404, 400 for an `include` that is none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceCredentialBindingGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let asked = asked_for(query.include.as_deref(), INCLUDES)?;
    let mut db = controller.store.read().await?;
    let (binding, _) = permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let mut body = view(&base, &binding);
    add_included(&mut db, &base, &mut body, std::slice::from_ref(&binding), &asked).await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_credential_bindings/:guid/details`: the credentials. That they were read is recorded.
///
/// # Errors
/// 404, for all but developers too: it is told to nobody else that there are any.
pub async fn details(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceCredentialBindingGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (binding, space) = permitted(&mut tx, &access, SpaceRight::See, guid).await?;
    if binding.last_operation.kind == OperationKind::Create && binding.last_operation.state != OperationState::Succeeded {
        let detail = "Creation of credential binding is not done, or failed: it has no credentials.";
        return Err(ApiError::new(ErrorCode::ResourceNotFound, detail).into());
    }
    if !access.has_in_space(&mut tx, SpaceRight::ReadSecrets, space).await? {
        return Err(ApiError::not_found(RESOURCE).into());
    }
    let credentials = rows::credentials(&controller.store, place_of_credentials(guid), binding.credentials.as_ref())?;
    let mut body = json!({ "credentials": credentials });
    if let (Some(url), Value::Object(body)) = (&binding.syslog_drain_url, &mut body) {
        body.insert("syslog_drain_url".to_owned(), json!(url));
    }
    if let Value::Object(body) = &mut body {
        body.insert("volume_mounts".to_owned(), json!(binding.volume_mounts));
    }
    record(&controller, &mut tx, actor(&access), "show", &binding, json!({})).await?;
    tx.commit().await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_credential_bindings/:guid/parameters`: those that a broker was given.
///
/// # Errors
/// 404; 400 where no broker tells; what is wrong with the broker.
pub async fn parameters(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceCredentialBindingGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (binding, _) = permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let instance = instance_rows::find(&mut db, binding.instance).await?.ok_or_else(|| ApiError::not_found(RESOURCE))?;
    let provider = match instance.plan {
        Some(plan) => Some(Provider::of_plan(&mut db, plan).await?).filter(|provider| provider.offering.catalog.bindings_retrievable),
        None => None,
    };
    drop(db);
    let Some(provider) = provider else {
        let detail = "This service does not support fetching service binding parameters.";
        return Err(ApiError::new(ErrorCode::ServiceFetchBindingParametersNotSupported, detail).into());
    };
    let ids = BindingIds { instance: instance.guid, binding: guid };
    let client = provider.client(&controller, access.user())?;
    let fetched = client.fetch_binding(ids, &provider.ids(), &provider.offering.catalog.requires).await.map_err(ApiError::from)?;
    Ok(answer::ok(Value::Object(fetched.parameters)))
}
