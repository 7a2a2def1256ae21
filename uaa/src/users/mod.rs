//! SCIM users.

pub(crate) mod create;
pub(crate) mod delete;
mod filter;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod password;
mod view;

use crate::refusal::{Refusal, Result};
use virga_model::UserGuid;
use virga_serve::axum::http::StatusCode;
use virga_store::{
    Connection, StoreError,
    uaa::{
        groups,
        users::{self, UaaUserRow},
    },
};

/// Groups that every user is in (the UAA's `oauth.user.authorities` of cf-deployment).
const DEFAULT_GROUPS: &[&str] = &[
    "openid",
    "scim.me",
    "cloud_controller.read",
    "cloud_controller.write",
    "cloud_controller_service_permissions.read",
    "password.write",
    "uaa.user",
    "approvals.me",
    "oauth.approvals",
    "profile",
    "roles",
    "user_attributes",
    "uaa.offline_token",
];

/// Every group a user is in.
pub(crate) async fn groups_of(db: &mut Connection, user: UserGuid) -> Result<Vec<String>, StoreError> {
    let mut groups = groups::list(db, user).await?;
    groups.extend(DEFAULT_GROUPS.iter().map(|group| (*group).to_owned()));
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// The user whose id stands in a path; an id that is no guid is nobody's.
async fn user_of(db: &mut Connection, id: &str) -> Result<UaaUserRow> {
    let user = match id.parse::<UserGuid>() {
        Ok(guid) => users::find(db, guid).await?,
        Err(_) => None,
    };
    user.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "scim_resource_not_found", format!("User {id} does not exist")))
}
