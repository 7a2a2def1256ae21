//! `POST /v3/builds`.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{change, lookup::event},
    audit_events::record,
    metadata::MetadataPatch,
    packages::{self, request::CreateBuild},
    stacks,
};
use serde_json::json;
use virga_contract::{
    ApiError, ErrorCode,
    logs::{Envelope, LogStream},
};
use virga_model::{
    BuildGuid,
    state::{BuildState, PackageState},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    app_usage_events,
    builds::{self, BuildRow},
};

/// Starts to stage a package.
///
/// # Errors
/// 422 for a package the caller cannot see and for an unknown buildpack; 400 for one that is not ready; 422
/// `StagingInProgress`; 403.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(request): Json<CreateBuild>,
) -> Result<Response> {
    let unusable = || ApiError::unprocessable("Unable to use package. Ensure that the package exists and you have access to it.");
    let package = request.package.parsed().ok_or_else(unusable)?;
    let mut tx = controller.store.begin().await?;
    let (package, mut app, organization) = match packages::find(&mut tx, &access, SpaceRight::Manage, package).await {
        Err(error) if error.api().status() == http::StatusCode::NOT_FOUND => return Err(unusable().into()),
        found => found?,
    };
    if package.state != PackageState::Ready {
        return Err(ApiError::new(ErrorCode::BadRequest, "Bad request: Cannot stage package whose state is not ready.").into());
    }
    if builds::is_staging(&mut tx, app.guid).await? {
        return Err(ApiError::new(ErrorCode::StagingInProgress, "Only one build can be STAGING at a time per application.").into());
    }
    // The build's own lifecycle wins over the app's, for this build only.
    change::lifecycle(&mut tx, &mut app, request.lifecycle.unwrap_or_default()).await?;
    stacks::check(&mut tx, &app.stack, app.droplet.is_some()).await?;
    if request.staging_log_rate_limit_bytes_per_second.is_some_and(|rate| rate < -1) {
        return Err(ApiError::unprocessable("Staging log rate limit bytes per second must be greater than or equal to -1").into());
    }
    let limits = &controller.config.limits;
    let now = controller.now();
    let caller = access.caller();
    let build = BuildRow {
        guid: BuildGuid::random(),
        created_at: now,
        updated_at: now,
        app: app.guid,
        package: package.guid,
        droplet: None,
        state: BuildState::Staging,
        error: None,
        buildpacks: app.buildpacks.clone(),
        stack: app.stack.clone(),
        staging_memory_in_mb: within("Staging memory in mb", request.staging_memory_in_mb, limits.staging_memory_mb)?,
        staging_disk_in_mb: within("Staging disk in mb", request.staging_disk_in_mb, limits.staging_disk_mb)?,
        created_by: (caller.user.map(|user| user.to_string()), caller.user_name.clone(), caller.email.clone()),
        steps: Vec::new(),
        metadata: MetadataPatch::create(request.metadata)?,
    };
    builds::insert(&mut tx, &build).await?;
    let asked = build.buildpacks.first().map(String::as_str);
    app_usage_events::note_staging(&mut tx, app.guid, "STAGING_STARTED", build.staging_memory_in_mb, asked, now).await?;
    let data = json!({ "build_guid": build.guid, "package_guid": package.guid });
    record(&controller, &mut tx, &access, event("audit.app.build.create", &app, organization, data)).await?;
    let warning = stacks::warning(&mut tx, &build.stack).await?;
    tx.commit().await?;
    // Clients begin to follow the log once anything is in it.
    say_stg(&controller, &build, LogStream::Out, format!("Staging build {} of package {}", build.guid, package.guid));
    controller.nudge_builds();
    Ok(answer::with_warnings(answer::created(view::build(&base, &build)), warning))
}

/// A staging may be asked to use less than the operator allows, not more.
fn within(name: &str, asked: Option<i64>, allowed: u64) -> Result<u64> {
    let Some(asked) = asked else { return Ok(allowed) };
    let good = u64::try_from(asked).ok().filter(|asked| (1..=allowed).contains(asked));
    Ok(good.ok_or_else(|| ApiError::unprocessable(format!("{name} must be between 1 and {allowed}")))?)
}

/// A line of source `STG` in the app's log.
pub(super) fn say_stg(controller: &Controller, build: &BuildRow, stream: LogStream, line: String) {
    let nanoseconds = i64::try_from(controller.clock.now().as_nanosecond()).unwrap_or(i64::MAX);
    controller.logs.emit(Envelope::line(nanoseconds, build.app, "STG", 0, stream, line));
}
