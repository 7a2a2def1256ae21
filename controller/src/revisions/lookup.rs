//! Finding a revision for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{OrgGuid, RevisionGuid, state::DropletState};
use virga_store::{
    Connection,
    apps::AppRow,
    droplets::{self, DropletRow},
    revisions::{self, RevisionRow},
};

/// The revision, its app and organization, for a caller who has `right` in the app's space.
///
/// # Errors
/// 404 `Revision not found`, 403.
pub(super) async fn find(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: RevisionGuid,
) -> Result<(RevisionRow, AppRow, OrgGuid)> {
    let revision = revisions::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Revision"))?;
    let (app, organization) = apps::lookup::of(db, access, right, revision.app, "Revision").await?;
    Ok((revision, app, organization))
}

/// Whether the revision's droplet can still be run.
///
/// # Errors
/// Those of the database.
pub(super) async fn is_deployable(db: &mut Connection, revision: &RevisionRow) -> Result<bool> {
    Ok(staged_droplet(db, revision).await?.is_some())
}

async fn staged_droplet(db: &mut Connection, revision: &RevisionRow) -> Result<Option<DropletRow>> {
    Ok(droplets::find(db, revision.droplet).await?.filter(|droplet| droplet.state == DropletState::Staged))
}

/// The app's revision that a deployment names, with its droplet.
///
/// # Errors
/// 422 for one that is not the app's, whose droplet is gone, or of an app without revisions.
pub(crate) async fn deployable_of_app(db: &mut Connection, app: &AppRow, guid: &str) -> Result<(RevisionRow, DropletRow)> {
    if !apps::has_feature(app, "revisions") {
        let detail = "Cannot create deployment from a revision for an app without revisions enabled";
        return Err(ApiError::unprocessable(detail).into());
    }
    let found = match guid.parse() {
        Ok(guid) => revisions::find(db, guid).await?.filter(|revision| revision.app == app.guid),
        Err(_) => None,
    };
    let revision = found.ok_or_else(|| ApiError::unprocessable("The revision does not exist"))?;
    let gone = || ApiError::unprocessable("Unable to deploy this revision, the droplet for this revision no longer exists.");
    let droplet = staged_droplet(db, &revision).await?.ok_or_else(gone)?;
    Ok((revision, droplet))
}
