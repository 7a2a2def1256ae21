//! Finding a build for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::BuildGuid;
use virga_store::{
    Connection,
    builds::{self, BuildRow},
};

/// The build, for a caller who has `right` in its app's space.
///
/// # Errors
/// 404 `Build not found`, 403.
pub(super) async fn find(db: &mut Connection, access: &Access, right: SpaceRight, guid: BuildGuid) -> Result<BuildRow> {
    let build = builds::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Build"))?;
    apps::lookup::of(db, access, right, build.app, "Build").await?;
    Ok(build)
}
