//! A user as SCIM shows it.

use serde_json::{Value, json};
use virga_model::Timestamp;
use virga_store::uaa::users::UaaUserRow;

/// SCIM 1.0's only schema.
pub(super) const SCHEMA: &str = "urn:scim:schemas:core:1.0";

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `{"id","userName",…}`; the password never shows, not even as a hash.
pub(super) fn user_json(user: &UaaUserRow, groups: &[String]) -> Value {
    let groups: Vec<_> = groups.iter().map(|group| json!({"value": group, "display": group, "type": "DIRECT"})).collect();
    json!({
        "id": user.guid,
        "meta": {"version": 0, "created": time(user.created_at), "lastModified": time(user.updated_at)},
        "userName": user.username,
        "name": {"familyName": user.family_name, "givenName": user.given_name},
        "emails": [{"value": user.email, "primary": true}],
        "groups": groups,
        "approvals": [],
        "active": user.active,
        "verified": true,
        "origin": user.origin,
        "zoneId": "uaa",
        "passwordLastModified": time(user.password_changed_at),
        "schemas": [SCHEMA],
    })
}
