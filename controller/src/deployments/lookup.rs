//! Finding a deployment for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{DeploymentGuid, OrgGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    deployments::{self, DeploymentRow},
};

/// The deployment, its app and organization, for a caller who has `right` in the app's space.
///
/// # Errors
/// 404 `Deployment not found`, 403.
pub(super) async fn find(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: DeploymentGuid,
) -> Result<(DeploymentRow, AppRow, OrgGuid)> {
    let deployment = deployments::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Deployment"))?;
    let (app, organization) = apps::lookup::of(db, access, right, deployment.app, "Deployment").await?;
    Ok((deployment, app, organization))
}
