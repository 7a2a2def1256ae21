//! Making users known, and forgetting them.

use super::{
    read::{guid_of, guid_that_may_be, visible},
    view,
};
use crate::{Access, Controller, Result, answer, jobs, metadata::MetadataPatch};
use serde::Deserialize;
use virga_contract::ApiError;
use virga_model::UserGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    uaa::{self, users::UaaUserRow},
    users,
};

/// Body of `POST /v3/users`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    guid: Option<String>,
    username: Option<String>,
    origin: Option<String>,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/users`: makes a user of the UAA known here, by guid; or one of another identity provider by name, whom the UAA
/// then knows before the first login.
///
/// # Errors
/// 403, 422 `User with guid 'g' already exists.`, 422 for a request that names neither or both.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateUser>) -> Result<Response> {
    access.admin()?;
    check(&body)?;
    let metadata = MetadataPatch::create(body.metadata)?;
    let mut tx = controller.store.begin().await?;
    let (guid, exists) = match (&body.guid, body.username.as_deref(), body.origin.as_deref()) {
        (Some(guid), ..) => {
            let parsed = guid_that_may_be(&mut tx, guid).await?.ok_or_else(|| ApiError::unprocessable("Guid is invalid"))?;
            (parsed, format!("User with guid '{guid}' already exists."))
        }
        (None, username, origin) => {
            let (username, origin) = (username.unwrap_or_default(), origin.unwrap_or_default());
            let exists = format!("User with username '{username}' and origin '{origin}' already exists.");
            (shadow(&controller, &mut tx, username, origin).await?, exists)
        }
    };
    if users::find(&mut tx, guid).await?.is_some() {
        return Err(ApiError::unprocessable(exists).into());
    }
    let known = users::known_to_uaa(&mut tx, guid).await?;
    let (username, origin) = known.map(|user| (user.username, user.origin)).unzip();
    users::save_name(&mut tx, guid, username.as_deref(), origin.as_deref(), controller.now()).await?;
    let mut user = users::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("User"))?;
    user.metadata = metadata;
    users::update(&mut tx, &mut user, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &user)))
}

fn check(body: &CreateUser) -> Result<()> {
    let (mut wrong, is_own) = (Vec::new(), body.origin.as_deref() == Some("uaa"));
    let mut say = |is_wrong: bool, what: &str| wrong.extend(is_wrong.then(|| what.to_owned()));
    let (by_guid, has_name, has_origin) = (body.guid.is_some(), body.username.is_some(), body.origin.is_some());
    say(by_guid && has_name, "Username cannot be provided with 'guid'");
    say(by_guid && has_origin, "Origin cannot be provided with 'guid'");
    say(!by_guid && has_origin && !has_name, "Origin can only be provided together with 'username'");
    say(!by_guid && has_name && !has_origin, "Username can only be provided together with 'origin'");
    say(!by_guid && has_name && is_own, "Origin cannot be 'uaa' when creating a user by username");
    say(!by_guid && !has_name && !has_origin, "Guid or 'username' and 'origin' must be provided");
    let is_name = |text: &Option<String>| text.as_ref().is_none_or(|text| !text.trim().is_empty() && text.len() <= MAX_NAME_BYTES);
    say(!is_name(&body.username), "Username is invalid");
    say(!is_name(&body.origin), "Origin is invalid");
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
}

/// Most bytes of a username or origin.
const MAX_NAME_BYTES: usize = 255;

/// The guid of a user of another identity provider; the UAA comes to know one it does not.
async fn shadow(controller: &Controller, db: &mut Connection, username: &str, origin: &str) -> Result<UserGuid> {
    if let Some(user) = users::named_in_uaa(db, username, Some(origin)).await?.pop() {
        return Ok(user.guid);
    }
    let row = UaaUserRow::new(UserGuid::random(), controller.now(), username, origin);
    uaa::users::insert(db, &row).await?;
    Ok(row.guid)
}

/// Body of `PATCH /v3/users/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/users/:guid`.
///
/// # Errors
/// 404, 403.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<String>,
    Json(body): Json<UpdateUser>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut user = visible(&mut tx, &access, guid_of(&guid)).await?;
    access.admin()?;
    body.metadata.unwrap_or_default().apply(&mut user.metadata)?;
    users::update(&mut tx, &mut user, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &user)))
}

/// `DELETE /v3/users/:guid`: with all roles. The UAA keeps its own.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<String>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let guid = visible(&mut tx, &access, guid_of(&guid)).await?.guid;
    access.admin()?;
    users::delete(&mut tx, guid).await?;
    let job = jobs::done(&mut tx, controller.now(), "user.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}
