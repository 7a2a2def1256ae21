//! How many packages and droplets of an app are kept: the newest few, and what still runs. Older ones become EXPIRED, as in
//! Cloud Foundry, and their bits are freed; the rows stay, so that histories stay whole.

use crate::{Controller, Result, blobs};
use std::collections::HashSet;
use virga_model::{
    AppGuid, DropletGuid, PackageGuid,
    state::{DropletState, PackageState},
};
use virga_store::{Connection, apps, builds, deployments, droplets, packages, processes, tasks};

/// Packages of an app that are ready and kept.
const KEEP_PACKAGES: usize = 5;
/// Droplets of an app that are staged and kept.
const KEEP_DROPLETS: usize = 5;

/// Expires what is beyond the newest few of an app.
///
/// # Errors
/// Those of the database.
pub(crate) async fn expire_old(controller: &Controller, db: &mut Connection, app: AppGuid) -> Result<()> {
    let now = controller.now();
    let mut freed = Vec::new();
    let droplets_in_use = droplets_in_use(db, app).await?;
    let staged = droplets::list_of_app(db, app).await?.into_iter().rev().filter(|droplet| droplet.state == DropletState::Staged);
    for mut droplet in staged.skip(KEEP_DROPLETS).filter(|droplet| !droplets_in_use.contains(&droplet.guid)) {
        freed.extend(blobs::Freed::of_droplet(droplet.digest.take(), droplet.component.take()));
        droplet.state = DropletState::Expired;
        droplets::update(db, &mut droplet, now).await?;
    }
    let packages_in_use: HashSet<PackageGuid> = builds::list_of_app(db, app)
        .await?
        .into_iter()
        .filter(|build| build.state == virga_model::state::BuildState::Staging)
        .map(|build| build.package)
        .collect();
    let ready = packages::list_of_app(db, app).await?.into_iter().rev().filter(|package| package.state == PackageState::Ready);
    for mut package in ready.skip(KEEP_PACKAGES).filter(|package| !packages_in_use.contains(&package.guid)) {
        freed.extend(package.digest.take().map(blobs::Freed::Package));
        package.state = PackageState::Expired;
        packages::update(db, &mut package, now).await?;
    }
    blobs::free_later(controller, db, freed).await
}

/// Droplets that run, or that a deployment may go back to.
async fn droplets_in_use(db: &mut Connection, app: AppGuid) -> Result<HashSet<DropletGuid>> {
    let mut used: HashSet<DropletGuid> = HashSet::new();
    used.extend(apps::find(db, app).await?.and_then(|app| app.droplet));
    used.extend(processes::list_of_app(db, app).await?.into_iter().filter_map(|process| process.droplet));
    used.extend(tasks::list_active_of_app(db, app).await?.into_iter().map(|task| task.droplet));
    if let Some(deployment) = deployments::find_active(db, app).await? {
        used.insert(deployment.droplet);
        used.extend(deployment.previous_droplet);
    }
    Ok(used)
}
