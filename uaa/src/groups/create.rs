//! `POST /Groups`.

use super::{GroupBody, check_count, check_description, check_name, user_of_member, view};
use crate::{authority::Uaa, extract::JsonBody, refusal::Result, scim};
use std::sync::Arc;
use virga_model::UaaGroupGuid;
use virga_serve::axum::{extract::State, http::StatusCode, response::Response};
use virga_store::{
    StoreError,
    uaa::groups::{self, UaaGroupRow},
};

pub(crate) async fn create(State(uaa): State<Arc<Uaa>>, JsonBody(body): JsonBody<GroupBody>) -> Result<Response> {
    let now = uaa.now();
    let display_name = body.display_name.unwrap_or_default();
    check_name(&display_name)?;
    let description = body.description.unwrap_or_default();
    check_description(&description)?;
    let members = body.members.unwrap_or_default();
    check_count(&members)?;
    let group = UaaGroupRow { guid: UaaGroupGuid::random(), created_at: now, updated_at: now, display_name, description, version: 0 };
    let mut transaction = uaa.store.begin().await?;
    groups::insert(&mut transaction, &group).await.map_err(|error| match error {
        StoreError::Unique { .. } => scim::exists(format!("A group with displayName: {} already exists.", group.display_name)),
        error => error.into(),
    })?;
    for member in &members {
        let user = user_of_member(&mut transaction, member).await?;
        groups::add(&mut transaction, user, &group.display_name, "uaa").await?;
    }
    let answer = view::answer(&mut transaction, &group, StatusCode::CREATED).await?;
    transaction.commit().await?;
    Ok(answer)
}
