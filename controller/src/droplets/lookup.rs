//! Finding a droplet for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{DropletGuid, OrgGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    droplets::{self, DropletRow},
};

/// The droplet, its app and organization, for a caller who has `right` in the app's space.
///
/// # Errors
/// 404 `Droplet not found`, 403.
pub(super) async fn find(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: DropletGuid,
) -> Result<(DropletRow, AppRow, OrgGuid)> {
    let droplet = droplets::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Droplet"))?;
    let (app, organization) = apps::lookup::of(db, access, right, droplet.app, "Droplet").await?;
    Ok((droplet, app, organization))
}
