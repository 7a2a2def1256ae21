//! Giving a role: the action behind the endpoint, also used where a role comes with something else.

use crate::{Access, Controller, Result};
use virga_model::{RoleGuid, UserGuid, state::RoleType};
use virga_store::{
    Connection,
    roles::{self, RoleRow, RoleScope},
    users,
};

/// Gives a role to a user who is known; `None` when the user has it already.
///
/// # Errors
/// Those of the database.
pub async fn give(
    controller: &Controller,
    db: &mut Connection,
    user: UserGuid,
    kind: RoleType,
    scope: RoleScope,
) -> Result<Option<RoleRow>> {
    let now = controller.now();
    let role = RoleRow { guid: RoleGuid::random(), created_at: now, updated_at: now, kind, user, scope };
    Ok(roles::insert(db, &role).await?.then_some(role))
}

/// Gives a role to the caller, where the caller is a user.
pub(crate) async fn give_to_caller(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: RoleType,
    scope: RoleScope,
) -> Result<()> {
    let Some(user) = access.user() else { return Ok(()) };
    let caller = access.caller();
    users::save_name(db, user, caller.user_name.as_deref(), caller.claims.origin.as_deref(), controller.now()).await?;
    give(controller, db, user, kind, scope).await?;
    Ok(())
}
