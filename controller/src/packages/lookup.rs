//! Finding a package for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{OrgGuid, PackageGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    packages::{self, PackageRow},
};

/// The package, its app and organization, for a caller who has `right` in the app's space.
///
/// # Errors
/// 404 `Package not found`, 403.
pub(crate) async fn find(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: PackageGuid,
) -> Result<(PackageRow, AppRow, OrgGuid)> {
    let package = packages::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Package"))?;
    let (app, organization) = apps::lookup::of(db, access, right, package.app, "Package").await?;
    Ok((package, app, organization))
}
