//! Giving and taking roles.

use super::{give, view::view};
use crate::{
    Access, Controller, OrgRight, Result, SpaceRight, answer,
    audit_events::{self, Event},
    jobs,
    request::{ToOne, require_feature},
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{OrgGuid, RoleGuid, SpaceGuid, UserGuid, state::RoleType};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, organizations,
    roles::{self, RoleRow, RoleScope},
    spaces,
    users::{self, UaaName},
};

/// Body of `POST /v3/roles`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRole {
    #[serde(rename = "type")]
    kind: RoleType,
    relationships: RoleRelationships,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleRelationships {
    user: ToUser,
    organization: Option<ToOne>,
    space: Option<ToOne>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToUser {
    data: UserRef,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRef {
    guid: Option<String>,
    username: Option<String>,
    origin: Option<String>,
}

/// `POST /v3/roles`. A role in a space needs one in its organization first.
///
/// # Errors
/// 422 for a place or user that is not there, and `User 'x' already has 'r' role in …`; 403 without the right to give it.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateRole>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (scope, organization, place) = place(&mut tx, &access, &body).await?;
    let user = find_user(&mut tx, &access, &body.relationships.user.data).await?;
    if let RoleScope::Space(_) = scope {
        let standing = roles::in_organization(&mut tx, Some(user.guid), organization).await?;
        if !standing.is_some_and(|standing| standing.roles.iter().any(|role| role.is_organization_role())) {
            return Err(ApiError::unprocessable(
                "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
            )
            .into());
        }
    }
    users::save_name(&mut tx, user.guid, Some(&user.username), Some(&user.origin), controller.now()).await?;
    let role = give(&controller, &mut tx, user.guid, body.kind, scope)
        .await?
        .ok_or_else(|| ApiError::unprocessable(format!("User '{}' already has '{}' role in {place}.", user.username, body.kind)))?;
    record(&controller, &mut tx, &access, "add", &role, &user.username, organization).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &role)))
}

/// Where the role is to hold, its organization, and how the place is called.
async fn place(db: &mut Connection, access: &Access, body: &CreateRole) -> Result<(RoleScope, OrgGuid, String)> {
    if body.kind.is_organization_role() {
        let unknown = || ApiError::unprocessable("Invalid organization. Ensure the organization exists and you have access to it.");
        let guid: OrgGuid = body.relationships.organization.as_ref().and_then(ToOne::parsed).ok_or_else(unknown)?;
        let organization = organizations::find(db, guid).await?.ok_or_else(unknown)?;
        access.in_organization(db, OrgRight::See, guid, "Organization").await.map_err(|_| unknown())?;
        access.in_organization(db, OrgRight::Write, guid, "Organization").await?;
        return Ok((RoleScope::Organization(guid), guid, format!("organization '{}'", organization.name)));
    }
    let unknown = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
    let guid: SpaceGuid = body.relationships.space.as_ref().and_then(ToOne::parsed).ok_or_else(unknown)?;
    let space = spaces::find(db, guid).await?.ok_or_else(unknown)?;
    if !access.has_in_space(db, SpaceRight::See, guid).await? {
        return Err(unknown().into());
    }
    access.in_space(db, SpaceRight::Update, guid, "Space").await?;
    Ok((RoleScope::Space(guid), space.organization, format!("space '{}'", space.name)))
}

async fn find_user(db: &mut Connection, access: &Access, wanted: &UserRef) -> Result<UaaName> {
    if let Some(guid) = &wanted.guid {
        let unknown = || ApiError::unprocessable("Invalid user. Ensure that the user exists and you have access to it.");
        let guid: UserGuid = guid.parse().map_err(|_| unknown())?;
        if let Some(user) = users::known_to_uaa(db, guid).await? {
            return Ok(user);
        }
        let user = users::find(db, guid).await?.ok_or_else(unknown)?;
        let username = user.username.unwrap_or_else(|| guid.to_string());
        return Ok(UaaName { guid, username, origin: user.origin.unwrap_or_default() });
    }
    let username = wanted.username.as_deref().ok_or_else(|| ApiError::unprocessable("User must have a username or a guid"))?;
    require_feature(db, access, "set_roles_by_username").await?;
    let mut named = users::named_in_uaa(db, username, wanted.origin.as_deref()).await?;
    match (named.len(), named.pop(), &wanted.origin) {
        (1, Some(user), _) => Ok(user),
        (0, _, None) => Err(ApiError::unprocessable(format!("No user exists with the username '{username}'.")).into()),
        (0, _, Some(origin)) => {
            Err(ApiError::unprocessable(format!("No user exists with the username '{username}' and origin '{origin}'.")).into())
        }
        (_, last, _) => {
            named.extend(last);
            let origins: Vec<&str> = named.iter().map(|user| user.origin.as_str()).collect();
            Err(ApiError::unprocessable(format!(
                "Ambiguous user. User with username '{username}' exists in the following origins: {}. Specify an origin to disambiguate.",
                origins.join(", ")
            ))
            .into())
        }
    }
}

/// `DELETE /v3/roles/:guid`. The last role in an organization stays while there are roles in its spaces.
///
/// # Errors
/// 404, 403, 422.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RoleGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let role = roles::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Role"))?;
    let organization = match role.scope {
        RoleScope::Organization(organization) => {
            access.in_organization(&mut tx, OrgRight::Write, organization, "Role").await?;
            let left = roles::in_organization(&mut tx, Some(role.user), organization).await?;
            let left = left.map_or(0, |standing| standing.roles.iter().filter(|role| role.is_organization_role()).count());
            if left <= 1 && roles::count_in_spaces_of(&mut tx, role.user, organization).await? > 0 {
                return Err(ApiError::unprocessable(
                    "Cannot delete organization_user role while user has roles in spaces in that organization.",
                )
                .into());
            }
            organization
        }
        RoleScope::Space(space) => access.in_space(&mut tx, SpaceRight::Update, space, "Role").await?.organization,
    };
    roles::delete(&mut tx, guid).await?;
    let name = users::find(&mut tx, role.user).await?.and_then(|user| user.username).unwrap_or_default();
    record(&controller, &mut tx, &access, "remove", &role, &name, organization).await?;
    let job = jobs::done(&mut tx, controller.now(), "role.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}

async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    what: &str,
    role: &RoleRow,
    username: &str,
    organization: OrgGuid,
) -> Result<()> {
    let event = Event {
        kind: &format!("audit.user.{}_{what}", role.kind),
        target_kind: "user",
        target: role.user.to_string(),
        target_name: username,
        data: json!({}),
        space: role.scope.space(),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}
