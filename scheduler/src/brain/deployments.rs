//! Deployments: the steps from an app's old web process to its new one.
//!
//! The controller makes the rows: a new web process that runs the new droplet and a deployment in DEPLOYING. Each look at
//! the desired state takes every deployment one step on, from what its row, the processes and the instances say now; a step
//! done twice changes nothing. The new process grows by `max_in_flight` beyond what already serves, the old ones shrink to
//! what the new one does not serve yet; so a new process that fails to start never takes the old one's instances away.

use super::Brain;
use std::collections::HashSet;
use virga_model::{
    InstanceGuid, ProcessGuid, Timestamp,
    state::{AppState, DeploymentState},
};
use virga_store::{
    Connection, Result, StoreError, apps,
    deployments::{self, DeploymentRow},
    processes::{self, ProcessRow},
};

const WEB: &str = "web";

impl Brain {
    /// One step of every deployment that is on its way.
    pub(super) async fn step_deployments(&mut self) -> Result<()> {
        let active = deployments::list_active(&mut *self.store.read().await?).await?;
        self.deploying = active.iter().flat_map(|row| [row.old_web_process, row.new_web_process]).collect::<HashSet<_>>();
        for deployment in active {
            let mut transaction = self.store.begin().await?;
            match self.step(&mut transaction, deployment).await {
                Ok(()) => transaction.commit().await?,
                // Somebody else changed a row meanwhile: the next look sees how it is now.
                Err(StoreError::Conflict) => self.is_stale = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn step(&self, db: &mut Connection, mut deployment: DeploymentRow) -> Result<()> {
        let now = self.clock.now();
        // Read again under the lock.
        let Some(current) = deployments::find(db, deployment.guid).await? else { return Ok(()) };
        deployment = current;
        let Some(app) = apps::find(db, deployment.app).await? else { return Ok(()) };
        let rows = processes::list_of_app(db, deployment.app).await?;
        let (mut webs, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.process_type == WEB);
        let place = webs.iter().position(|row| row.guid == deployment.new_web_process);
        let Some(new) = place.map(|place| webs.remove(place)) else {
            // The new process was deleted under it: nothing is left to deploy.
            return finish(db, &mut deployment, DeploymentState::Canceled, now).await;
        };
        let step = Step { deployment, is_started: app.state == AppState::Started, new, old: webs, now };
        match step.deployment.state {
            DeploymentState::Deploying => step.forward(db, self, others, app.droplet).await,
            DeploymentState::Canceling => step.back(db, self, app.droplet).await,
            _ => Ok(()),
        }
    }

    /// Instances of the process to which every router sends requests.
    fn serving(&self, process: ProcessGuid) -> u32 {
        let process = self.processes.get(&process);
        let count = process.map_or(0, |process| process.instances.values().filter(|instance| instance.is_serving()).count());
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

struct Step {
    deployment: DeploymentRow,
    is_started: bool,
    new: ProcessRow,
    /// Every other web process of the app, oldest first.
    old: Vec<ProcessRow>,
    now: Timestamp,
}

impl Step {
    async fn forward(
        mut self,
        db: &mut Connection,
        brain: &Brain,
        others: Vec<ProcessRow>,
        app_droplet: Option<virga_model::DropletGuid>,
    ) -> Result<()> {
        let target = self.deployment.original_instances;
        let serving = brain.serving(self.new.guid).min(target);
        if serving >= target || !self.is_started {
            set_instances(db, &mut self.new, target, self.now).await?;
            follow_app(db, &mut self.new, app_droplet, self.deployment.droplet, self.now).await?;
            for old in &self.old {
                processes::delete(db, old.guid).await?;
            }
            for mut other in others {
                // The app's other processes go on with its new droplet.
                other.version = InstanceGuid::random().to_string();
                processes::update(db, &mut other, self.now).await?;
            }
            return finish(db, &mut self.deployment, DeploymentState::Deployed, self.now).await;
        }
        let before = self.new.instances;
        set_instances(db, &mut self.new, grow(before, serving, self.deployment.max_in_flight, target), self.now).await?;
        let mut room = target - serving;
        for old in self.old.iter_mut().rev() {
            let keep = old.instances.min(room);
            room -= keep;
            set_instances(db, old, keep, self.now).await?;
        }
        if self.new.instances != before && serving > 0 {
            self.deployment.last_healthy_at = Some(self.now);
            deployments::update(db, &mut self.deployment, self.now).await?;
        }
        Ok(())
    }

    async fn back(mut self, db: &mut Connection, brain: &Brain, app_droplet: Option<virga_model::DropletGuid>) -> Result<()> {
        let target = self.deployment.original_instances;
        let place = self.old.iter().position(|row| row.guid == self.deployment.old_web_process);
        let Some(mut old) = place.map(|place| self.old.remove(place)) else {
            // Nothing to go back to: the new process stays.
            return finish(db, &mut self.deployment, DeploymentState::Deployed, self.now).await;
        };
        set_instances(db, &mut old, target, self.now).await?;
        let serving = brain.serving(old.guid).min(target);
        if serving < target && self.is_started {
            let keep = self.new.instances.min(target - serving);
            return set_instances(db, &mut self.new, keep, self.now).await;
        }
        if let Some(previous) = self.deployment.previous_droplet {
            follow_app(db, &mut old, app_droplet, previous, self.now).await?;
        }
        processes::delete(db, self.new.guid).await?;
        finish(db, &mut self.deployment, DeploymentState::Canceled, self.now).await
    }
}

/// Instances the new process should have next: `max_in_flight` more than serve, never fewer than it had once some serve.
fn grow(now: u32, serving: u32, max_in_flight: u32, target: u32) -> u32 {
    let next = serving.saturating_add(max_in_flight.max(1)).min(target);
    if serving == 0 { next } else { next.max(now).min(target) }
}

async fn set_instances(db: &mut Connection, process: &mut ProcessRow, instances: u32, now: Timestamp) -> Result<()> {
    if process.instances == instances {
        return Ok(());
    }
    process.instances = instances;
    processes::update(db, process, now).await
}

/// A process that outlives its deployment follows the app's droplet again.
async fn follow_app(
    db: &mut Connection,
    process: &mut ProcessRow,
    app: Option<virga_model::DropletGuid>,
    own: virga_model::DropletGuid,
    now: Timestamp,
) -> Result<()> {
    if process.droplet.is_none() || app != Some(own) {
        return Ok(());
    }
    process.droplet = None;
    processes::update(db, process, now).await
}

async fn finish(db: &mut Connection, deployment: &mut DeploymentRow, state: DeploymentState, now: Timestamp) -> Result<()> {
    deployment.state = state;
    deployment.status_changed_at = now;
    deployments::update(db, deployment, now).await
}

#[cfg(test)]
mod tests {
    use super::grow;

    #[test]
    fn the_new_process_grows_with_what_serves() {
        assert_eq!(grow(0, 0, 1, 3), 1);
        assert_eq!(grow(1, 1, 1, 3), 2);
        assert_eq!(grow(3, 1, 1, 3), 3, "a crash among the new takes none of the others away");
        assert_eq!(grow(3, 0, 2, 5), 2);
        assert_eq!(grow(0, 0, 0, 3), 1);
        assert_eq!(grow(1, 2, 5, 3), 3);
    }
}
