//! Giving and taking roles.

use super::{give, view::view};
use crate::{
    Access, Controller, OrgRight, Result, SpaceRight, answer,
    audit_events::{self, Event},
    jobs,
    request::{ToOne, require_feature},
    users::guid_that_may_be,
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
    kind: String,
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

const NOT_IN_ORGANIZATION: &str = "Users cannot be assigned roles in a space if they do not have a role in that space's organization.";

/// `POST /v3/roles`. A role in a space needs one in its organization first.
///
/// # Errors
/// 422 for a place or user that is not there, and `User 'x' already has 'r' role in …`; 403 without the right to give it.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateRole>) -> Result<Response> {
    let kind = checked(&body)?;
    let mut tx = controller.store.begin().await?;
    let (scope, organization, place) = place(&mut tx, &access, kind, &body.relationships).await?;
    let is_in_space = scope.space().is_some();
    let user = find_user(&mut tx, &access, &body.relationships.user.data, is_in_space).await?;
    if is_in_space {
        let standing = roles::in_organization(&mut tx, Some(user.guid), organization).await?;
        if !standing.is_some_and(|standing| standing.roles.iter().any(|role| role.is_organization_role())) {
            return Err(ApiError::unprocessable(NOT_IN_ORGANIZATION).into());
        }
    }
    users::save_name(&mut tx, user.guid, user.username.as_deref(), user.origin.as_deref(), controller.now()).await?;
    let name = user.username.unwrap_or_else(|| user.guid.to_string());
    let role = give(&controller, &mut tx, user.guid, kind, scope)
        .await?
        .ok_or_else(|| ApiError::unprocessable(format!("User '{name}' already has '{kind}' role in {place}.")))?;
    record(&controller, &mut tx, &access, "add", &role, &name, organization).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &role)))
}

/// The rules that need no look at rows; gives the type.
fn checked(body: &CreateRole) -> Result<RoleType> {
    let (mut wrong, given) = (Vec::new(), &body.relationships);
    let kind: Option<RoleType> = body.kind.parse().ok();
    if kind.is_none() {
        let types: Vec<String> = RoleType::ALL.iter().map(|kind| format!("\"{kind}\"")).collect();
        wrong.push(format!("Type must be one of the allowed types [{}]", types.join(", ")));
    }
    let named = |place: Option<&ToOne>| place.is_some_and(|place| place.data.is_some());
    let (in_space, in_organization) = (named(given.space.as_ref()), named(given.organization.as_ref()));
    let mut say = |is_wrong: bool, what: &str| wrong.extend(is_wrong.then(|| format!("Relationships {what}")));
    let user = &given.user.data;
    let (by_guid, by_name) = (user.guid.is_some(), user.username.is_some());
    say(by_guid && by_name, "username cannot be specified when identifying user by guid");
    say(by_guid && user.origin.is_some(), "user_origin cannot be specified when identifying user by guid");
    say(!by_name && !by_guid && user.origin.is_some(), "user_origin cannot be specified without specifying the username");
    say(!by_name && !by_guid, "user must have a username or guid specified");
    say(!in_space && !in_organization, "must specify either a space or an organization.");
    say(in_space && in_organization, "cannot specify both an organization and a space.");
    if let Some(kind) = kind {
        let (is_organizations, is_spaces) = (kind.is_organization_role(), !kind.is_organization_role());
        say(in_space && is_organizations, &format!("space cannot be provided with the organization role type: '{kind}'."));
        say(in_organization && is_spaces, &format!("organization cannot be provided with the space role type: '{kind}'."));
    }
    match kind {
        Some(kind) if wrong.is_empty() => Ok(kind),
        _ => Err(ApiError::unprocessable_all(wrong).into()),
    }
}

/// Where the role is to hold, its organization, and how the place is called.
async fn place(db: &mut Connection, access: &Access, kind: RoleType, given: &RoleRelationships) -> Result<(RoleScope, OrgGuid, String)> {
    if kind.is_organization_role() {
        let unknown = || ApiError::unprocessable("Invalid organization. Ensure that the organization exists and you have access to it.");
        let guid: OrgGuid = given.organization.as_ref().and_then(ToOne::parsed).ok_or_else(unknown)?;
        let organization = organizations::find(db, guid).await?.ok_or_else(unknown)?;
        access.in_organization(db, OrgRight::See, guid, "Organization").await.map_err(|_| unknown())?;
        access.in_organization(db, OrgRight::Write, guid, "Organization").await?;
        return Ok((RoleScope::Organization(guid), guid, format!("organization '{}'", organization.name)));
    }
    let unknown = || ApiError::unprocessable("Invalid space. Ensure that the space exists and you have access to it.");
    let guid: SpaceGuid = given.space.as_ref().and_then(ToOne::parsed).ok_or_else(unknown)?;
    let space = spaces::find(db, guid).await?.ok_or_else(unknown)?;
    if !access.has_in_space(db, SpaceRight::See, guid).await? {
        return Err(unknown().into());
    }
    access.in_space(db, SpaceRight::Update, guid, "Space").await?;
    Ok((RoleScope::Space(guid), space.organization, format!("space '{}'", space.name)))
}

/// A user to be given a role.
struct Assignee {
    guid: UserGuid,
    username: Option<String>,
    origin: Option<String>,
}

impl From<UaaName> for Assignee {
    fn from(user: UaaName) -> Self {
        Self { guid: user.guid, username: Some(user.username), origin: Some(user.origin) }
    }
}

async fn find_user(db: &mut Connection, access: &Access, wanted: &UserRef, is_in_space: bool) -> Result<Assignee> {
    if let Some(guid) = &wanted.guid {
        let unknown = || ApiError::unprocessable("Invalid user. Ensure that the user exists and you have access to it.");
        let guid = guid_that_may_be(db, guid).await?.ok_or_else(unknown)?;
        if let Some(user) = users::known_to_uaa(db, guid).await? {
            return Ok(user.into());
        }
        // Users whom the UAA does not know (yet) have roles by their guid alone, as in the Cloud Controller.
        let known = users::find(db, guid).await?;
        let (username, origin) = known.map(|user| (user.username, user.origin)).unwrap_or_default();
        return Ok(Assignee { guid, username, origin });
    }
    let username = wanted.username.as_deref().unwrap_or_default();
    require_feature(db, access, "set_roles_by_username").await?;
    let mut named = users::named_in_uaa(db, username, wanted.origin.as_deref()).await?;
    match (named.len(), named.pop(), &wanted.origin) {
        (1, Some(user), _) => Ok(user.into()),
        (0, ..) if is_in_space => Err(ApiError::unprocessable(NOT_IN_ORGANIZATION).into()),
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

/// `DELETE /v3/roles/:guid`. The role `organization_user` stays while there are roles in the organization's spaces.
///
/// # Errors
/// 404, 403, 422.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RoleGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let role = roles::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Role"))?;
    let organization = match role.scope {
        RoleScope::Organization(organization) => {
            access.in_organization(&mut tx, OrgRight::Write, organization, "Role").await?;
            if role.kind == RoleType::OrganizationUser && roles::count_in_spaces_of(&mut tx, role.user, organization).await? > 0 {
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
        data: json!({ "request": { "type": role.kind, "user_guid": role.user } }),
        space: role.scope.space(),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}
