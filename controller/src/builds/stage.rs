//! One staging, from a build that is STAGING to its end.

use super::create::say_stg;
use crate::{
    Controller, Result,
    apps::{environment, lookup::event},
    audit_events::record_by,
    blobs, buildpacks,
};
use serde_json::json;
use std::time::Duration;
use virga_blobstore::Kind;
use virga_contract::{
    ApiError,
    logs::LogStream,
    staging::{StagedDroplet, StagingError, StagingErrorKind, StagingRequest},
};
use virga_model::{
    BuildGuid, DropletGuid,
    state::{BuildState, DropletState},
};
use virga_store::{
    app_usage_events, apps as app_rows,
    audit_events::EventParty,
    builds::{self, BuildRow},
    droplets::{self, DropletRow},
    metadata::Metadata,
    packages,
};

/// How often it is looked whether a build is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a build waits whose staging could not be begun.
const AGAIN: Duration = Duration::from_secs(5);

/// Stages and writes how it ended. Where that cannot be written the build stays STAGING and is staged again.
pub(super) async fn stage(controller: &Controller, guid: BuildGuid) {
    if let Err(error) = perform(controller, guid).await {
        tracing::error!(build.guid = %guid, %error, context = error.api().context, "a staging could not be begun, or its end not written; trying again");
        // The build is due again as soon as this returns.
        tokio::time::sleep(AGAIN).await;
    }
}

async fn perform(controller: &Controller, guid: BuildGuid) -> Result<()> {
    let Some((build, request)) = prepare(controller, guid).await? else { return Ok(()) };
    let request = match request {
        Some(request) => request,
        None => return fail(controller, build.guid, StagingErrorKind::Failed, "The package is no longer there").await,
    };
    let timeout = request.timeout;
    // The stager limits itself; this is for one that does not come back.
    let staging = tokio::time::timeout(timeout + Duration::from_secs(30), controller.stager.stage(request));
    let outcome = tokio::select! {
        outcome = staging => outcome,
        () = gone(controller, build.guid) => return Ok(()),
    };
    match outcome {
        Ok(Ok(staged)) => succeed(controller, &build, staged).await,
        Ok(Err(StagingError { kind, message })) => fail(controller, build.guid, kind, &message).await,
        Err(_) => {
            let message = format!("Staging took longer than the limit of {} seconds", timeout.as_secs());
            fail(controller, build.guid, StagingErrorKind::TimeExpired, &message).await
        }
    }
}

/// The build and what to ask of the stager; nothing for a build that has ended or is gone.
async fn prepare(controller: &Controller, guid: BuildGuid) -> Result<Option<(BuildRow, Option<StagingRequest>)>> {
    let mut db = controller.store.read().await?;
    let Some(build) = builds::find(&mut db, guid).await?.filter(|build| build.state == BuildState::Staging) else { return Ok(None) };
    let Some(app) = app_rows::find(&mut db, build.app).await? else { return Ok(None) };
    let package = packages::find(&mut db, build.package).await?.and_then(|package| package.digest);
    let environment = environment::of_staging(controller, &mut db, &app).await?;
    let offered = buildpacks::offered(&mut db).await?;
    let request = package.map(|package| StagingRequest {
        build: build.guid,
        app: build.app,
        package,
        buildpacks: build.buildpacks.clone(),
        offered,
        environment,
        memory_mb: build.staging_memory_in_mb,
        disk_mb: build.staging_disk_in_mb,
        timeout: Duration::from_secs(controller.config.limits.staging_timeout_seconds),
    });
    Ok(Some((build, request)))
}

/// Ends when the build is no longer to be staged, because its app was deleted.
async fn gone(controller: &Controller, guid: BuildGuid) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = async { Ok::<_, crate::Error>(builds::find(&mut *controller.store.read().await?, guid).await?) };
        if let Ok(found) = looked.await
            && found.is_none_or(|build| build.state != BuildState::Staging)
        {
            return;
        }
    }
}

async fn succeed(controller: &Controller, build: &BuildRow, staged: StagedDroplet) -> Result<()> {
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    let Some(mut build) = builds::find(&mut tx, build.guid).await?.filter(|build| build.state == BuildState::Staging) else {
        // The app was deleted meanwhile: nobody will name this droplet.
        blobs::free_later(controller, &mut tx, blobs::Freed::of_droplet(Some(staged.droplet), staged.component)).await?;
        tx.commit().await?;
        controller.nudge_jobs();
        return Ok(());
    };
    // A stager may answer with a droplet it made before; should that have been freed meanwhile, the build is staged again.
    if !controller.blobs.exists(Kind::Droplets, &staged.droplet).await? {
        return Err(ApiError::internal(format_args!("droplet {} is gone from the blobstore", staged.droplet)).into());
    }
    let droplet = DropletRow {
        guid: DropletGuid::random(),
        created_at: now,
        updated_at: now,
        app: build.app,
        package: Some(build.package),
        state: DropletState::Staged,
        error: None,
        digest: Some(staged.droplet),
        size_bytes: Some(staged.size_bytes),
        guest: Some(staged.guest),
        component: staged.component,
        stack: build.stack.clone(),
        process_types: staged.process_types,
        buildpacks: json!(staged.buildpacks),
        metadata: Metadata::default(),
    };
    droplets::insert(&mut tx, &droplet).await?;
    build.state = BuildState::Staged;
    build.droplet = Some(droplet.guid);
    build.steps = staged.steps;
    builds::update(&mut tx, &mut build, now).await?;
    record_end(controller, &mut tx, &build, &["audit.app.droplet.create", "audit.app.build.staged"]).await?;
    crate::retention::expire_old(controller, &mut tx, build.app).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(())
}

async fn fail(controller: &Controller, guid: BuildGuid, kind: StagingErrorKind, message: &str) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    let Some(mut build) = builds::find(&mut tx, guid).await?.filter(|build| build.state == BuildState::Staging) else { return Ok(()) };
    let error = format!("{kind} - {message}");
    build.state = BuildState::Failed;
    build.error = Some(error.clone());
    builds::update(&mut tx, &mut build, controller.now()).await?;
    record_end(controller, &mut tx, &build, &["audit.app.build.failed"]).await?;
    tx.commit().await?;
    say_stg(controller, &build, LogStream::Err, error);
    Ok(())
}

/// Events of a staging's end, in the name of who asked for it.
async fn record_end(controller: &Controller, db: &mut virga_store::Connection, build: &BuildRow, kinds: &[&str]) -> Result<()> {
    let Some(app) = app_rows::find(db, build.app).await? else { return Ok(()) };
    let Some(placement) = app_rows::placement(db, app.guid).await? else { return Ok(()) };
    let (guid, name, _) = build.created_by.clone();
    let actor = EventParty { guid: guid.unwrap_or_default(), kind: "user".to_owned(), name: name.unwrap_or_default() };
    for kind in kinds {
        let data = json!({ "build_guid": build.guid, "package_guid": build.package, "droplet_guid": build.droplet, "error": build.error });
        record_by(controller, db, actor.clone(), event(kind, &app, placement.organization, data)).await?;
    }
    note_usage(controller, db, build).await
}

async fn note_usage(controller: &Controller, db: &mut virga_store::Connection, build: &BuildRow) -> Result<()> {
    let droplet = match build.droplet {
        Some(droplet) => droplets::find(db, droplet).await?,
        None => None,
    };
    let built = droplet.as_ref().and_then(|droplet| droplet.buildpacks.pointer("/0/name")).and_then(|name| name.as_str());
    let buildpack = built.or(build.buildpacks.first().map(String::as_str));
    let (memory, now) = (build.staging_memory_in_mb, controller.now());
    if droplet.is_some() {
        app_usage_events::note_staging(db, build.app, "BUILDPACK_SET", memory, buildpack, now).await?;
    }
    app_usage_events::note_staging(db, build.app, "STAGING_STOPPED", memory, buildpack, now).await?;
    Ok(())
}
