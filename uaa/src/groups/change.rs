//! `PUT /Groups/:id` and `PATCH /Groups/:id`.

use super::{GroupBody, check_count, check_description, check_name, group_of, user_of_member, view};
use crate::{
    authority::Uaa,
    extract::JsonBody,
    refusal::Result,
    scim::{self, Expected},
};
use std::sync::Arc;
use virga_serve::axum::{
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use virga_store::{StoreError, uaa::groups};

/// PUT makes members and description exactly what is given; PATCH adds and takes out, and leaves what is not named.
pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
    JsonBody(body): JsonBody<GroupBody>,
) -> Result<Response> {
    let expected = Expected::required(&headers, method.as_str())?;
    let put = method == Method::PUT;
    check_count(body.members.as_deref().unwrap_or_default())?;
    let mut transaction = uaa.store.begin().await?;
    let mut group = group_of(&mut transaction, &id).await?;
    expected.check(group.version)?;
    let before = group.display_name.clone();
    let mut clear = put;
    for attribute in &body.meta.attributes {
        match attribute.to_ascii_lowercase().as_str() {
            "members" => clear = true,
            "description" => group.description.clear(),
            _ => return Err(scim::invalid(format!("Attribute {attribute} cannot be removed using \"Meta.attributes\""))),
        }
    }
    if let Some(name) = body.display_name {
        group.display_name = name;
    } else if put {
        return Err(scim::invalid("A displayName must be provided."));
    }
    check_name(&group.display_name)?;
    match body.description {
        Some(description) => group.description = description,
        None if put => group.description.clear(),
        None => {}
    }
    check_description(&group.description)?;
    group.version = group.version.saturating_add(1);
    groups::update(&mut transaction, &mut group, uaa.now()).await.map_err(|error| match error {
        StoreError::Unique { .. } => scim::exists(format!("A group with displayName: {} already exists.", group.display_name)),
        error => error.into(),
    })?;
    if before != group.display_name {
        groups::rename_members(&mut transaction, &before, &group.display_name).await?;
    }
    if clear {
        groups::remove_all(&mut transaction, &group.display_name).await?;
    }
    for member in body.members.unwrap_or_default() {
        if !put && member.operation.as_deref().is_some_and(|operation| operation.eq_ignore_ascii_case("delete")) {
            if let Ok(user) = member.value.parse() {
                groups::remove(&mut transaction, user, &group.display_name).await?;
            }
            continue;
        }
        let user = user_of_member(&mut transaction, &member).await?;
        groups::add(&mut transaction, user, &group.display_name, "uaa").await?;
    }
    let answer = view::answer(&mut transaction, &group, StatusCode::OK).await?;
    transaction.commit().await?;
    tracing::info!(group.name = group.display_name, "group changed");
    Ok(answer)
}
