//! Creating routes.

use super::view;
use crate::{
    Access, Controller, Error, Result, SpaceRight, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
    request::{ToOne, require_feature},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{
    OrgGuid, RouteGuid, SpaceGuid,
    route::{MAX_HOST_BYTES, is_route_host, is_route_path},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError,
    domains::{self, DomainRow},
    metadata::Metadata,
    organization_quotas,
    routes::{self, RouteRow},
};

/// Body of `POST /v3/routes`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRoute {
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    path: Option<String>,
    port: Option<i64>,
    options: Option<Value>,
    relationships: RouteRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteRelationships {
    space: ToOne,
    domain: ToOne,
}

/// `POST /v3/routes`.
///
/// # Errors
/// 422 for a space or domain that is not there, a host or path that cannot be, `Route already exists …`, a quota that is
/// used up; 403 without the right to manage apps in the space.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateRoute>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let no_space = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
    let no_domain = || ApiError::unprocessable("Invalid domain. Ensure that the domain exists and you have access to it.");
    let space: SpaceGuid = body.relationships.space.parsed().ok_or_else(no_space)?;
    if !access.has_in_space(&mut tx, SpaceRight::See, space).await? {
        return Err(no_space().into());
    }
    let standing = access.in_space(&mut tx, SpaceRight::Manage, space, "Space").await?;
    require_feature(&mut tx, &access, "route_creation").await?;
    let domain = match body.relationships.domain.parsed() {
        Some(guid) => domains::find(&mut tx, guid).await?.ok_or_else(no_domain)?,
        None => return Err(no_domain().into()),
    };
    if domain.organization.is_some_and(|owner| owner != standing.organization) {
        return Err(no_domain().into());
    }
    if body.port.is_some() {
        return Err(ApiError::unprocessable("Routes with protocol 'http' do not support ports.").into());
    }
    let new = NewRoute {
        space,
        organization: standing.organization,
        host: body.host.unwrap_or_default(),
        path: body.path.unwrap_or_default(),
        options: check_options(body.options)?,
        metadata: MetadataPatch::create(body.metadata)?,
    };
    let route = make(&controller, &mut tx, &access, &domain, new).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &route, &[])))
}

/// A route to be made. Rights in the space have been asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewRoute {
    /// Where.
    pub space: SpaceGuid,
    /// The space's organization.
    pub organization: OrgGuid,
    /// May be empty for a private domain.
    pub host: String,
    /// May be empty.
    pub path: String,
    /// As checked by [`check_options`].
    pub options: Option<Value>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// Makes a route below a domain that the space may use.
pub(crate) async fn make(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    domain: &DomainRow,
    new: NewRoute,
) -> Result<RouteRow> {
    let now = controller.now();
    let route = RouteRow {
        guid: RouteGuid::random(),
        created_at: now,
        updated_at: now,
        space: new.space,
        domain: domain.guid,
        domain_name: domain.name.clone(),
        host: new.host.to_ascii_lowercase(),
        path: new.path,
        port: None,
        options: new.options,
        metadata: new.metadata,
    };
    check(controller, domain, &route)?;
    let quota = organization_quotas::of_organization(db, new.organization).await?;
    let most = quota.and_then(|quota| quota.total_routes).map_or(u64::MAX, |most| u64::try_from(most).unwrap_or(0));
    if most < u64::MAX && routes::count_in_organization(db, new.organization).await? >= most {
        return Err(ApiError::unprocessable("Routes quota exceeded for organization.").into());
    }
    routes::insert(db, &route).await.map_err(|error| taken(error, &route))?;
    record(controller, db, access, "audit.route.create", &route, new.organization).await?;
    Ok(route)
}

fn check(controller: &Controller, domain: &DomainRow, route: &RouteRow) -> Result<()> {
    let mut wrong = Vec::new();
    if route.host.is_empty() {
        if domain.organization.is_none() {
            wrong.push("Missing host. Routes in shared domains must have a host defined.".to_owned());
        }
    } else if !is_route_host(&route.host) {
        wrong.push(
            "Host must be either \"*\" or contain only alphanumeric characters, \"_\", or \"-\" and be at most 63 characters".to_owned(),
        );
    }
    if domain.internal && route.host == "*" {
        wrong.push("Wildcard hosts are not supported for internal domains.".to_owned());
    }
    if domain.internal && !route.path.is_empty() {
        wrong.push("Paths are not supported for internal domains.".to_owned());
    }
    if !is_route_path(&route.path) {
        wrong.push("Path must start with '/', be more than '/', hold no '?' and be at most 128 characters".to_owned());
    }
    if route.host.len() + 1 + domain.name.len() > MAX_HOST_BYTES {
        wrong.push(format!("Host combined with domain name must be no more than {MAX_HOST_BYTES} characters."));
    }
    if domain.name == controller.config.system_domain
        && (route.host == "*" || virga_serve::base::SYSTEM_LABELS.contains(&route.host.as_str()))
    {
        wrong.push(format!("Route conflicts with a reserved system route: {}", route.url()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
}

/// Options of a route: `loadbalancing` (`round-robin` or `least-connection`), or none.
pub(crate) fn check_options(options: Option<Value>) -> Result<Option<Value>> {
    let Some(Value::Object(members)) = options else {
        return match options {
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(ApiError::unprocessable("Options must be an object").into()),
        };
    };
    for (name, value) in &members {
        match (name.as_str(), value.as_str()) {
            ("loadbalancing", Some("round-robin" | "least-connection")) => {}
            ("loadbalancing", _) => {
                return Err(
                    ApiError::unprocessable("Options Loadbalancing must be one of 'round-robin, least-connection' if present").into()
                );
            }
            _ => return Err(ApiError::unprocessable(format!("Options Unknown field(s): '{name}'")).into()),
        }
    }
    Ok(Some(Value::Object(members)))
}

fn taken(error: StoreError, route: &RouteRow) -> Error {
    if !error.is_unique("routes_domain_guid_host_path") {
        return error.into();
    }
    let domain = &route.domain_name;
    let sentence = match (route.host.as_str(), route.path.as_str()) {
        ("", "") => format!("Route already exists for domain '{domain}'."),
        ("", path) => format!("Route already exists with path '{path}' for domain '{domain}'."),
        (host, "") => format!("Route already exists with host '{host}' for domain '{domain}'."),
        (host, path) => format!("Route already exists with host '{host}' and path '{path}' for domain '{domain}'."),
    };
    ApiError::unprocessable(sentence).into()
}

pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    route: &RouteRow,
    organization: OrgGuid,
) -> Result<()> {
    let event = Event {
        kind,
        target_kind: "route",
        target: route.guid.to_string(),
        target_name: &route.host,
        data: json!({ "request": { "url": route.url() } }),
        space: Some(route.space),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}
