//! `/Groups/:id/members`: one member at a time.

use super::{MemberBody, group_of, user_of_member, view};
use crate::{
    authority::Uaa,
    extract::JsonBody,
    refusal::{Refusal, Result},
    scim,
};
use serde_json::Value;
use std::sync::Arc;
use virga_model::UserGuid;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use virga_store::{
    Connection,
    uaa::groups::{self, Member, UaaGroupRow},
};

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    let mut db = uaa.store.read().await?;
    let group = group_of(&mut db, &id).await?;
    let members = groups::members(&mut db, &group.display_name).await?;
    Ok(Json(members.iter().map(view::member_json).collect()))
}

async fn member_of(db: &mut Connection, group: &UaaGroupRow, id: &str) -> Result<Member> {
    let missing = || scim::not_found(format!("Member {id} does not exist in group {}", group.guid));
    let user: UserGuid = id.parse().map_err(|_| missing())?;
    groups::members(db, &group.display_name).await?.into_iter().find(|member| member.user == user).ok_or_else(missing)
}

pub(crate) async fn find(State(uaa): State<Arc<Uaa>>, Path((id, member)): Path<(String, String)>) -> Result<Json<Value>> {
    let mut db = uaa.store.read().await?;
    let group = group_of(&mut db, &id).await?;
    Ok(Json(view::member_json(&member_of(&mut db, &group, &member).await?)))
}

pub(crate) async fn create(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<MemberBody>,
) -> Result<(StatusCode, Json<Value>)> {
    let mut transaction = uaa.store.begin().await?;
    let group = group_of(&mut transaction, &id).await?;
    let user = user_of_member(&mut transaction, &body).await?;
    if !groups::add(&mut transaction, user, &group.display_name, "uaa").await? {
        return Err(Refusal::new(StatusCode::CONFLICT, "member_already_exists", format!("{user} is already a member of {}", group.guid)));
    }
    transaction.commit().await?;
    tracing::info!(user.guid = %user, group.name = group.display_name, "member added");
    Ok((StatusCode::CREATED, Json(view::member_json(&Member { user, origin: "uaa".to_owned() }))))
}

pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path((id, member)): Path<(String, String)>) -> Result<Json<Value>> {
    let mut transaction = uaa.store.begin().await?;
    let group = group_of(&mut transaction, &id).await?;
    let member = member_of(&mut transaction, &group, &member).await?;
    groups::remove(&mut transaction, member.user, &group.display_name).await?;
    transaction.commit().await?;
    tracing::info!(user.guid = %member.user, group.name = group.display_name, "member removed");
    Ok(Json(view::member_json(&member)))
}
