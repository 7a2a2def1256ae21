//! Groups as SCIM shows them.

use crate::scim::{Expected, SCHEMA, time};
use serde_json::{Value, json};
use virga_serve::axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use virga_store::{
    Connection, StoreError,
    uaa::groups::{self, Member, UaaGroupRow},
};

/// Groups with their members, one query for all members.
pub(super) async fn groups_json(db: &mut Connection, rows: &[UaaGroupRow]) -> Result<Vec<Value>, StoreError> {
    let names: Vec<&str> = rows.iter().map(|group| group.display_name.as_str()).collect();
    let members = if names.is_empty() { Default::default() } else { groups::members_of_many(db, &names).await? };
    let none = Vec::new();
    Ok(rows.iter().map(|group| group_json(group, members.get(&group.display_name).unwrap_or(&none))).collect())
}

/// One group, with its version as `ETag`.
pub(super) async fn answer(db: &mut Connection, group: &UaaGroupRow, status: StatusCode) -> Result<Response, StoreError> {
    let json = groups_json(db, std::slice::from_ref(group)).await?.into_iter().next();
    Ok((status, Expected::etag(group.version), Json(json)).into_response())
}

/// A member as a list of members has it.
pub(super) fn member_json(member: &Member) -> Value {
    json!({"origin": member.origin, "type": "USER", "value": member.user})
}

fn group_json(group: &UaaGroupRow, members: &[Member]) -> Value {
    json!({
        "id": group.guid,
        "meta": {"version": group.version, "created": time(group.created_at), "lastModified": time(group.updated_at)},
        "displayName": group.display_name,
        "description": group.description,
        "zoneId": "uaa",
        "members": members.iter().map(member_json).collect::<Vec<_>>(),
        "schemas": [SCHEMA],
    })
}
