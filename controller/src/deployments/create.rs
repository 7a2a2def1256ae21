//! `POST /v3/deployments`.

use super::{
    options::{self, Options},
    request::CreateDeployment,
    view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{self, lookup::event},
    audit_events::{record, say},
    metadata::MetadataPatch,
    processes::{change, defaults, request::ScaleProcess},
    quotas,
    revisions::{self, Revised},
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{
    DeploymentGuid, DropletGuid, OrgGuid, ProcessGuid, Timestamp,
    state::{AppState, DeploymentState, DeploymentStrategy},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, app_usage_events,
    apps::{self as app_rows, AppRow},
    deployments::{self, DeploymentRow},
    droplets::DropletRow,
    metadata::Metadata,
    processes::{self, ProcessRow},
    revisions::RevisionRow,
};

/// Starts to replace the app's web process by one that runs the droplet, or what a revision ran. An app that is stopped is
/// started at once.
///
/// # Errors
/// 422 for an app, droplet or revision that cannot be deployed, for options out of bounds; 403.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(request): Json<CreateDeployment>,
) -> Result<Response> {
    let guid = request.relationships.app.data.as_ref().map(|app| app.guid.clone());
    let detail = "Unable to use app. Ensure that the app exists and you have access to it.";
    let mut tx = controller.store.begin().await?;
    let (app, organization) = apps::lookup::named(&mut tx, &access, SpaceRight::Manage, guid.as_deref(), detail).await?;
    let options = options::check(&request)?;
    let kind = if request.revision.is_some() { "rollback" } else { options.strategy.as_str() };
    let previous = app.droplet;
    let mut deployer = Deployer { controller: &controller, access: &access, organization, app, options, previous };
    let (droplet, revision) = deployer.prepare(&mut tx, &request).await?;
    let deployment = deployer.deploy(&mut tx, &droplet, revision.as_ref(), MetadataPatch::create(request.metadata)?).await?;
    let Deployer { app, options, .. } = deployer;
    quotas::check_app(&mut tx, app.guid, app.space).await.map_err(|error| over_quota(error.into()))?;
    app_usage_events::note(&mut tx, app.guid, controller.now()).await?;
    let data = json!({
        "deployment_guid": deployment.guid,
        "droplet_guid": droplet.guid,
        "type": kind,
        "revision_guid": revision.map(|revision| revision.guid),
        "request": { "strategy": options.strategy, "options": view::options(&deployment) },
    });
    record(&controller, &mut tx, &access, event("audit.app.deployment.create", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, app.guid, format!("Deploying app with guid {}", app.guid));
    Ok(answer::created(view::deployment(&base, &deployment)))
}

/// Both versions count while they run side by side.
fn over_quota(mut error: ApiError) -> ApiError {
    for (_, detail) in &mut error.problems {
        if detail.ends_with("quota_exceeded") || detail.ends_with("instance_limit_exceeded") {
            let owner = if detail.contains("space_") { "space" } else { "organization" };
            let hint = "quota may not be large enough to support rolling deployments or your configured max-in-flight.";
            *detail = format!("{detail}. This {owner}'s {hint}");
        }
    }
    error
}

struct Deployer<'a> {
    controller: &'a Controller,
    access: &'a Access,
    organization: OrgGuid,
    app: AppRow,
    options: Options,
    /// The app's droplet before.
    previous: Option<DropletGuid>,
}

impl Deployer<'_> {
    /// Gives the app the droplet, or everything that a revision had; with the revision that it is from now on.
    async fn prepare(&mut self, db: &mut Connection, request: &CreateDeployment) -> Result<(DropletRow, Option<RevisionRow>)> {
        let now = self.controller.now();
        let Some(target) = &request.revision else {
            let droplet = self.droplet_of(db, request).await?;
            self.app.droplet = Some(droplet.guid);
            app_rows::update(db, &mut self.app, now).await?;
            apps::create_processes(self.controller, db, self.access, self.organization, &self.app, &droplet).await?;
            let revision = revisions::update_of_app(self.controller, db, self.access, self.revised()).await?;
            return Ok((droplet, revision));
        };
        let (target, droplet) = revisions::deployable_of_app(db, &self.app, &target.guid).await?;
        self.app.droplet = Some(droplet.guid);
        self.app.environment.clone_from(&target.environment);
        let revision = revisions::roll_back(self.controller, db, self.access, self.revised(), &target).await?;
        app_rows::update(db, &mut self.app, now).await?;
        apps::create_processes(self.controller, db, self.access, self.organization, &self.app, &droplet).await?;
        Ok((droplet, Some(revision)))
    }

    fn revised(&self) -> Revised<'_> {
        Revised { app: &self.app, organization: self.organization }
    }

    async fn droplet_of(&self, db: &mut Connection, request: &CreateDeployment) -> Result<DropletRow> {
        let guid = match (&request.droplet, self.app.droplet) {
            (Some(droplet), _) => droplet.guid.clone(),
            (None, Some(current)) => current.to_string(),
            (None, None) => {
                let detail = "Invalid droplet. Please specify a droplet in the request or set a current droplet for the app.";
                return Err(ApiError::unprocessable(detail).into());
            }
        };
        let found = apps::find_staged(db, &self.app, &guid).await?;
        let detail = "Unable to deploy this droplet. Ensure the droplet exists, is staged and belongs to this app.";
        Ok(found.ok_or_else(|| ApiError::unprocessable(detail))?)
    }

    async fn deploy(
        &mut self,
        db: &mut Connection,
        droplet: &DropletRow,
        revision: Option<&RevisionRow>,
        metadata: Metadata,
    ) -> Result<DeploymentRow> {
        let now = self.controller.now();
        let superseded = supersede(db, &self.app, now).await?;
        let no_web = || ApiError::unprocessable("The app has no web process");
        let mut web = processes::find_of_type(db, self.app.guid, "web").await?.ok_or_else(no_web)?;
        let is_canary = self.options.strategy == DeploymentStrategy::Canary;
        let before = superseded.as_ref();
        let mut deployment = DeploymentRow {
            guid: DeploymentGuid::random(),
            created_at: now,
            updated_at: now,
            app: self.app.guid,
            state: if is_canary { DeploymentState::Prepaused } else { DeploymentState::Deploying },
            strategy: self.options.strategy,
            max_in_flight: self.options.max_in_flight,
            droplet: droplet.guid,
            // What was stable last: the half-grown process of a superseded deployment is nothing to go back to.
            previous_droplet: before.map_or(self.previous, |deployment| deployment.previous_droplet),
            old_web_process: before.map_or(web.guid, |deployment| deployment.old_web_process),
            new_web_process: web.guid,
            original_instances: before.map_or(web.instances, |deployment| deployment.original_instances),
            asked: self.options.asked,
            canary_steps: self.options.canary_steps.clone(),
            canary_step: is_canary.then_some(1),
            revision: revision.map(|revision| (revision.guid, revision.version)),
            last_healthy_at: None,
            status_changed_at: now,
            error: None,
            metadata,
        };
        if self.app.state == AppState::Stopped {
            self.start(db, &mut web, revision, now).await?;
            deployment.state = DeploymentState::Deployed;
        } else {
            deployment.new_web_process = self.replace(db, &mut web, &deployment, revision, now).await?;
        }
        deployments::insert(db, &deployment).await?;
        Ok(deployment)
    }

    /// Nothing runs that could be replaced: the app is started with the droplet, and that is all.
    async fn start(&mut self, db: &mut Connection, web: &mut ProcessRow, revision: Option<&RevisionRow>, now: Timestamp) -> Result<()> {
        change::scale(self.controller, web, &self.sizes(self.options.asked.instances))?;
        processes::update(db, web, now).await?;
        if let Some(revision) = revision {
            for mut process in processes::list_of_app(db, self.app.guid).await? {
                if let Some(command) = revision.commands.get(&process.process_type) {
                    process.command.clone_from(command);
                    processes::update(db, &mut process, now).await?;
                }
            }
        }
        apps::run::want_new_instances(db, &mut self.app, revision.map(|revision| revision.guid), now).await
    }

    /// Writes the new web process, with its first instances, and pins the old one to what it runs.
    async fn replace(
        &self,
        db: &mut Connection,
        old: &mut ProcessRow,
        deployment: &DeploymentRow,
        revision: Option<&RevisionRow>,
        now: Timestamp,
    ) -> Result<ProcessGuid> {
        let mut new = ProcessRow {
            guid: ProcessGuid::random(),
            created_at: now,
            updated_at: now,
            version: defaults::version(),
            droplet: Some(deployment.droplet),
            revision: revision.map(|revision| revision.guid).or(old.revision),
            ..old.clone()
        };
        if let Some(command) = revision.and_then(|revision| revision.commands.get("web")) {
            new.command.clone_from(command);
        }
        change::scale(self.controller, &mut new, &self.sizes(Some(deployment.target())))?;
        let first = if deployment.strategy == DeploymentStrategy::Canary { deployment.canary().new } else { new.instances };
        new.instances = first.min(deployment.max_in_flight);
        processes::insert(db, &new).await?;
        old.droplet = old.droplet.or(self.previous);
        processes::update(db, old, now).await?;
        Ok(new.guid)
    }

    fn sizes(&self, instances: Option<u32>) -> ScaleProcess {
        let asked = &self.options.asked;
        let number = |size: Option<u64>| size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        ScaleProcess {
            instances: instances.map(i64::from),
            memory_in_mb: number(asked.memory_in_mb),
            disk_in_mb: number(asked.disk_in_mb),
            log_rate_limit_in_bytes_per_second: asked.log_rate_limit_in_bytes_per_second,
        }
    }
}

/// Ends a deployment that is on its way; the next one takes over where it stands.
async fn supersede(db: &mut Connection, app: &AppRow, now: Timestamp) -> Result<Option<DeploymentRow>> {
    let Some(mut active) = deployments::find_active(db, app.guid).await? else { return Ok(None) };
    active.state = DeploymentState::Superseded;
    active.status_changed_at = now;
    active.error = None;
    deployments::update(db, &mut active, now).await?;
    Ok(Some(active))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_too_small_for_two_versions_says_so() {
        let details = ["memory space_quota_exceeded", "app_instance_limit app_instance_limit_exceeded", "something else"];
        let error = over_quota(ApiError::unprocessable_all(details.map(str::to_owned).into()));
        let said: Vec<_> = error.problems.iter().map(|(_, detail)| detail.as_str()).collect();
        assert!(said[0].starts_with("memory space_quota_exceeded. This space's quota may not be large enough"), "{said:?}");
        assert!(said[1].contains("This organization's quota"), "{said:?}");
        assert_eq!(said[2], "something else");
    }
}
