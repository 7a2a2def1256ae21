//! Users as SCIM shows them.

use super::DEFAULT_GROUPS;
use crate::scim::{Expected, SCHEMA, time};
use serde_json::{Value, json};
use virga_serve::axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use virga_store::{
    Connection, StoreError,
    uaa::{
        groups::{self, Membership},
        users::UaaUserRow,
    },
};

/// Users in SCIM's form, three queries for however many.
pub(super) async fn users_json(db: &mut Connection, users: &[UaaUserRow]) -> Result<Vec<Value>, StoreError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let defaults = groups::named(db, DEFAULT_GROUPS).await?;
    let guids: Vec<_> = users.iter().map(|user| user.guid).collect();
    let mut own = groups::of_users(db, &guids).await?;
    Ok(users.iter().map(|user| user_json(user, &own.remove(&user.guid).unwrap_or_default(), &defaults)).collect())
}

/// One user, with its version as `ETag`.
pub(super) async fn answer(db: &mut Connection, user: &UaaUserRow, status: StatusCode) -> Result<Response, StoreError> {
    let json = users_json(db, std::slice::from_ref(user)).await?.into_iter().next();
    Ok((status, Expected::etag(user.version), Json(json)).into_response())
}

/// `{"id","userName",…}`; the password never shows, not even as a hash.
fn user_json(user: &UaaUserRow, own: &[Membership], defaults: &[Membership]) -> Value {
    let others = defaults.iter().filter(|group| !own.iter().any(|own| own.name.eq_ignore_ascii_case(&group.name)));
    let groups: Vec<_> = own
        .iter()
        .chain(others)
        .map(|group| {
            let value = group.guid.map_or_else(|| group.name.clone(), |guid| guid.to_string());
            json!({"value": value, "display": group.name, "type": "DIRECT"})
        })
        .collect();
    let mut json = json!({
        "id": user.guid,
        "meta": {"version": user.version, "created": time(user.created_at), "lastModified": time(user.updated_at)},
        "userName": user.username,
        "name": {"familyName": user.family_name, "givenName": user.given_name},
        "emails": [{"value": user.email, "primary": true}],
        "groups": groups,
        "approvals": [],
        "active": user.active,
        "verified": user.verified,
        "origin": user.origin,
        "zoneId": "uaa",
        "passwordLastModified": time(user.password_changed_at),
        "schemas": [SCHEMA],
    });
    if let Some(members) = json.as_object_mut() {
        let mut optional = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        optional("externalId", (!user.external_id.is_empty()).then(|| user.external_id.clone().into()));
        optional("phoneNumbers", (!user.phone.is_empty()).then(|| json!([{"value": user.phone}])));
        optional("lastLogonTime", user.last_login_at.map(|time| time.as_millisecond().into()));
        optional("previousLogonTime", user.previous_login_at.map(|time| time.as_millisecond().into()));
    }
    json
}
