//! A user as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::users::UserRow;

/// The user as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, user: &UserRow) -> Value {
    let guid = user.guid;
    json!({
        "guid": guid,
        "created_at": answer::time(user.created_at),
        "updated_at": answer::time(user.updated_at),
        "username": user.username,
        "presentation_name": user.username.clone().or_else(|| user.client_id.clone()).unwrap_or_else(|| guid.to_string()),
        "origin": user.origin,
        "metadata": answer::metadata(&user.metadata),
        "links": { "self": answer::link(base, format_args!("/v3/users/{guid}")) },
    })
}
