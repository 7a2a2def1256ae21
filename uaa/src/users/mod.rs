//! SCIM users.

pub(crate) mod attributes;
mod body;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod password;
pub(crate) mod status;
mod view;

use crate::{refusal::Result, scim};
use virga_model::UserGuid;
use virga_store::{
    Connection, StoreError,
    uaa::{
        groups,
        users::{self, UaaUserRow},
    },
};

/// Groups that every user is in (the UAA's `oauth.user.authorities` of cf-deployment).
pub(crate) const DEFAULT_GROUPS: &[&str] = &[
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
    let mut groups = groups::of_user(db, user).await?;
    groups.extend(DEFAULT_GROUPS.iter().map(|group| (*group).to_owned()));
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// The user whose id stands in a path; an id that is no guid is nobody's.
pub(crate) async fn user_of(db: &mut Connection, id: &str) -> Result<UaaUserRow> {
    let user = match id.parse::<UserGuid>() {
        Ok(guid) => users::find(db, guid).await?,
        Err(_) => None,
    };
    user.ok_or_else(|| scim::not_found(format!("User {id} does not exist")))
}
