//! Creating routes.

use super::{
    options::{changed_options, check_options},
    port, view,
};
use crate::{
    Access, Controller, Error, Result, SpaceRight, answer,
    audit_events::{self, Event},
    domains::own_names,
    metadata::MetadataPatch,
    quotas,
    request::{ToOne, require_feature},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{
    OrgGuid, RouteGuid, SpaceGuid,
    route::{MAX_HOST_BYTES, MAX_LABEL_BYTES, is_route_host},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
    base::SYSTEM_LABELS,
};
use virga_store::{
    Connection, StoreError,
    domains::{self, DomainRow},
    metadata::Metadata,
    organizations,
    routes::{self, RouteRow},
};

/// Most characters of a path.
const MAX_PATH_CHARS: usize = 128;

/// Body of `POST /v3/routes`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRoute {
    host: Option<String>,
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

/// `POST /v3/routes`. A route of a TCP domain gets a free port where none is asked for.
///
/// # Errors
/// 422 for a space or domain that is not there, a host, path or port that cannot be, `Route already exists …`, a quota that
/// is used up; 403 without the right to manage apps in the space.
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
    let options = check_options(&mut tx, body.options).await?;
    let new = NewRoute {
        space,
        organization: standing.organization,
        host: body.host.unwrap_or_default(),
        path: body.path.unwrap_or_default(),
        port: body.port,
        options: changed_options(None, options)?,
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
    /// May be empty for a private domain; is for a TCP domain.
    pub host: String,
    /// May be empty.
    pub path: String,
    /// As asked for; a free one where a TCP domain is asked for none.
    pub port: Option<i64>,
    /// As given by [`changed_options`].
    pub options: Option<Value>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// Makes a route.
pub(crate) async fn make(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    domain: &DomainRow,
    new: NewRoute,
) -> Result<RouteRow> {
    check_words(&new.host, &new.path)?;
    // From here on nobody else makes a route below this domain.
    domains::lock(db, domain.guid).await?;
    if !domains::is_usable_by(db, domain, new.organization).await? {
        let name = organizations::find(db, new.organization).await?.map(|organization| organization.name).unwrap_or_default();
        let detail = format!("Invalid domain. Domain '{}' is not available in organization '{name}'.", domain.name);
        return Err(ApiError::unprocessable(detail).into());
    }
    if new.host == "*" && domain.organization.is_none() && !access.is_admin() {
        let detail = "You do not have sufficient permissions to create a route with a wildcard host on a domain not scoped to an \
                      organization.";
        return Err(ApiError::unprocessable(detail).into());
    }
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
        port: port::of_new(db, domain, new.port).await?,
        options: new.options,
        metadata: new.metadata,
    };
    check(controller, domain, &route)?;
    check_host_is_free(db, domain, &route).await?;
    routes::insert(db, &route).await.map_err(|error| taken(error, &route))?;
    quotas::check_routes(db, route.space).await?;
    let data = json!({ "request": { "url": route.url(), "options": route.options } });
    record(controller, db, access, "audit.route.create", &route, new.organization, data).await?;
    Ok(route)
}

/// The rules of hosts and paths by themselves.
fn check_words(host: &str, path: &str) -> Result<()> {
    let mut wrong = Vec::new();
    let mut say = |is_wrong: bool, what: &str| wrong.extend(is_wrong.then(|| what.to_owned()));
    say(host.len() > MAX_LABEL_BYTES, "Host is too long (maximum is 63 characters)");
    let is_host = host.is_empty() || host.len() > MAX_LABEL_BYTES || is_route_host(host);
    say(!is_host, "Host must be either \"*\" or contain only alphanumeric characters, \"_\", or \"-\"");
    say(path.chars().count() > MAX_PATH_CHARS, "Path is too long (maximum is 128 characters)");
    say(!path.is_empty() && !path.starts_with('/'), "Path must begin with /");
    say(path.contains('?'), "Path cannot contain ?");
    say(path == "/", "Path cannot be exactly /");
    say(path.chars().any(|c| c.is_control() || c.is_whitespace() || c == '#'), "Path is invalid.");
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
}

/// The rules of a route below its domain.
fn check(controller: &Controller, domain: &DomainRow, route: &RouteRow) -> Result<()> {
    let (has_host, is_tcp) = (!route.host.is_empty(), domain.router_group.is_some());
    let system_domain = &controller.config.system_domain;
    let is_below = |own: &str| own.strip_suffix(domain.name.as_str()).is_some_and(|rest| rest.ends_with('.'));
    let takes = |own: &str| if route.host == "*" { is_below(own) } else { own == format!("{}.{}", route.host, domain.name) };
    let is_systems = own_names(controller).any(takes)
        || domain.name == *system_domain && (route.host == "*" || SYSTEM_LABELS.contains(&route.host.as_str()));
    let wrong = if is_tcp && has_host {
        "Hosts are not supported for TCP routes.".to_owned()
    } else if is_tcp && !route.path.is_empty() {
        "Paths are not supported for TCP routes.".to_owned()
    } else if !has_host && domain.organization.is_none() && !is_tcp {
        "Missing host. Routes in shared domains must have a host defined.".to_owned()
    } else if domain.internal && route.host == "*" {
        "Wildcard hosts are not supported for internal domains.".to_owned()
    } else if domain.internal && !route.path.is_empty() {
        "Paths are not supported for internal domains.".to_owned()
    } else if has_host && route.host.len() + 1 + domain.name.len() > MAX_HOST_BYTES {
        format!("Host combined with domain name must be no more than {MAX_HOST_BYTES} characters.")
    } else if is_systems {
        "Route conflicts with a reserved system route.".to_owned()
    } else {
        return Ok(());
    };
    Err(ApiError::unprocessable(wrong).into())
}

/// A host is one with its domain's name to a domain of that name, and below a shared domain it is one space's alone.
async fn check_host_is_free(db: &mut Connection, domain: &DomainRow, route: &RouteRow) -> Result<()> {
    if route.host.is_empty() {
        return Ok(());
    }
    let name = format!("{}.{}", route.host, domain.name);
    if !domains::find_by_names(db, std::slice::from_ref(&name)).await?.is_empty() {
        return Err(ApiError::unprocessable(format!("Route conflicts with domain '{name}'.")).into());
    }
    if domain.organization.is_none() && routes::is_host_elsewhere(db, domain.guid, &route.host, route.space).await? {
        // The very same route is answered as such: clients take that for success and look whose it is.
        if routes::find_at(db, domain.guid, &route.host, &route.path, None).await?.is_none() {
            return Err(ApiError::unprocessable(format!("The host is taken: {}", route.host)).into());
        }
    }
    Ok(())
}

fn taken(error: StoreError, route: &RouteRow) -> Error {
    let domain = &route.domain_name;
    if !error.is_unique("routes_") {
        return error.into();
    }
    // Somebody else was quicker with a port.
    if let Some(port) = route.port {
        return port::unavailable(port.into()).into();
    }
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
    data: Value,
) -> Result<()> {
    let event = Event {
        kind,
        target_kind: "route",
        target: route.guid.to_string(),
        target_name: &route.host,
        data,
        space: Some(route.space),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}
