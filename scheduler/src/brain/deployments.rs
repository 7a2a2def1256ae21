//! Deployments: the steps from an app's old web process to its new one.
//!
//! The controller makes the rows: a new web process that runs the new droplet and a deployment in DEPLOYING. Each look at
//! the desired state takes every deployment one step on, from what its row, the processes and the instances say now; a step
//! done twice changes nothing. The new process grows by `max_in_flight` beyond what already serves, the old ones shrink to
//! what the new one does not serve yet; so a new process that fails to start never takes the old one's instances away. A
//! canary (PREPAUSED) does the same up to the share of its step and waits there (PAUSED) until somebody goes on.

use super::Brain;
use std::collections::HashSet;
use virga_model::{
    DropletGuid, InstanceGuid, ProcessGuid, Timestamp,
    state::{AppState, DeploymentState},
};
use virga_store::{
    Connection, Result, StoreError, app_usage_events, apps,
    deployments::{self, CanaryStep, DeploymentRow},
    processes::{self, ProcessRow},
    revisions,
};

const WEB: &str = "web";
/// How long a cancelled deployment waits for what was before it to serve again, seconds: the longest start-up there is.
const WAY_BACK_SECONDS: i64 = 180;

impl Brain {
    /// One step of every deployment that is on its way.
    pub(super) async fn step_deployments(&mut self) -> Result<()> {
        let active = deployments::list_active(&mut *self.store.read().await?).await?;
        self.deploying = active.iter().flat_map(|row| [row.old_web_process, row.new_web_process]).collect::<HashSet<_>>();
        // What is paused waits for somebody.
        for deployment in active.into_iter().filter(|row| row.state != DeploymentState::Paused) {
            let mut transaction = self.store.begin().await?;
            let app = deployment.app;
            match self.step(&mut transaction, deployment).await {
                Ok(()) => {
                    app_usage_events::note(&mut transaction, app, self.clock.now()).await?;
                    transaction.commit().await?;
                }
                // Somebody else changed a row meanwhile: the next look sees how it is now.
                Err(StoreError::Conflict) => self.is_stale = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn step(&self, db: &mut Connection, deployment: DeploymentRow) -> Result<()> {
        let now = self.clock.now();
        // Read again under the lock.
        let Some(mut deployment) = deployments::find(db, deployment.guid).await? else { return Ok(()) };
        let Some(app) = apps::find(db, deployment.app).await? else { return Ok(()) };
        let rows = processes::list_of_app(db, deployment.app).await?;
        let (mut webs, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.process_type == WEB);
        let place = webs.iter().position(|row| row.guid == deployment.new_web_process);
        let Some(new) = place.map(|place| webs.remove(place)) else {
            // The new process was deleted under it: nothing is left to deploy.
            return finish(db, &mut deployment, DeploymentState::Canceled, now).await;
        };
        let is_started = app.state == AppState::Started;
        let step = Step { deployment, is_started, app_droplet: app.droplet, new, old: webs, others, now };
        match step.deployment.state {
            DeploymentState::Deploying => step.forward(db, self).await,
            DeploymentState::Prepaused => step.canary(db, self).await,
            DeploymentState::Canceling => step.back(db, self).await,
            _ => Ok(()),
        }
    }

    /// Instances of the process to which every router sends requests, as far as is known.
    fn serving(&self, process: ProcessGuid) -> u32 {
        let process = self.processes.get(&process);
        let count = process.map_or(0, |process| process.instances.values().filter(|instance| instance.is_counted_on()).count());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Why an instance of the process does not come up.
    fn trouble(&self, process: ProcessGuid) -> Option<String> {
        let crashed = self.processes.get(&process)?.instances.values().find(|instance| instance.is_crashed())?;
        Some(crashed.details.clone().unwrap_or_else(|| "an instance crashed".to_owned()))
    }
}

struct Step {
    deployment: DeploymentRow,
    is_started: bool,
    app_droplet: Option<DropletGuid>,
    new: ProcessRow,
    /// Every other web process of the app, oldest first.
    old: Vec<ProcessRow>,
    /// Its processes of other types.
    others: Vec<ProcessRow>,
    now: Timestamp,
}

impl Step {
    async fn forward(mut self, db: &mut Connection, brain: &Brain) -> Result<()> {
        let target = self.deployment.target();
        if brain.serving(self.new.guid) >= target || !self.is_started {
            set_instances(db, &mut self.new, target, self.now).await?;
            let own = self.deployment.droplet;
            follow_app(db, &mut self.new, self.app_droplet, own, self.now).await?;
            for old in &self.old {
                processes::delete(db, old.guid).await?;
            }
            self.take_others_along(db).await?;
            return finish(db, &mut self.deployment, DeploymentState::Deployed, self.now).await;
        }
        self.approach(db, brain, CanaryStep { new: target, old: 0 }).await
    }

    /// Up to where the step of a canary wants it; there it waits for somebody to go on.
    async fn canary(mut self, db: &mut Connection, brain: &Brain) -> Result<()> {
        if !self.is_started {
            return self.forward(db, brain).await;
        }
        let goal = self.deployment.canary();
        self.approach(db, brain, goal).await?;
        if brain.serving(self.new.guid) < goal.new {
            return Ok(());
        }
        self.deployment.last_healthy_at = Some(self.now);
        finish(db, &mut self.deployment, DeploymentState::Paused, self.now).await
    }

    /// The new process grows towards the goal; the old ones keep what it does not serve yet, and no fewer than the goal says.
    async fn approach(&mut self, db: &mut Connection, brain: &Brain, goal: CanaryStep) -> Result<()> {
        let serving = brain.serving(self.new.guid);
        let before = self.new.instances;
        let next = grow(before, serving.min(goal.new), self.deployment.max_in_flight, goal.new);
        set_instances(db, &mut self.new, next, self.now).await?;
        let room = self.deployment.original_instances.saturating_sub(serving).max(goal.old);
        let newest_first: Vec<_> = self.old.iter_mut().rev().collect();
        share_out(db, brain, newest_first, room, self.deployment.old_web_process, self.now).await?;
        let error = brain.trouble(self.new.guid);
        let has_grown = next != before && serving > 0;
        if has_grown {
            self.deployment.last_healthy_at = Some(self.now);
        }
        if has_grown || self.deployment.error != error {
            self.deployment.error = error;
            deployments::update(db, &mut self.deployment, self.now).await?;
        }
        Ok(())
    }

    /// The app's other processes go on with its new droplet, and as the revision says.
    async fn take_others_along(&mut self, db: &mut Connection) -> Result<()> {
        let revision = match self.deployment.revision {
            Some((guid, _)) => revisions::find(db, guid).await?,
            None => None,
        };
        for other in &mut self.others {
            other.version = InstanceGuid::random().to_string();
            if let Some(revision) = &revision {
                other.revision = Some(revision.guid);
                if let Some(command) = revision.commands.get(&other.process_type) {
                    other.command.clone_from(command);
                }
            }
            processes::update(db, other, self.now).await?;
        }
        Ok(())
    }

    /// The old process grows back to what it was; the others, the oldest first, keep what it does not serve yet. It may be as
    /// broken as what was deployed over it: then there is nothing to wait for, or no longer.
    async fn back(mut self, db: &mut Connection, brain: &Brain) -> Result<()> {
        let target = self.deployment.original_instances;
        let place = self.old.iter().position(|row| row.guid == self.deployment.old_web_process);
        let Some(mut old) = place.map(|place| self.old.remove(place)) else {
            // Nothing to go back to: the new process stays.
            return finish(db, &mut self.deployment, DeploymentState::Deployed, self.now).await;
        };
        set_instances(db, &mut old, target, self.now).await?;
        self.old.push(self.new);
        let serving = brain.serving(old.guid);
        let is_worth_waiting = self.old.iter().any(|other| brain.serving(other.guid) > 0)
            && self.now.duration_since(self.deployment.status_changed_at).as_secs() < WAY_BACK_SECONDS;
        if serving < target && self.is_started && is_worth_waiting {
            return share_out(db, brain, self.old.iter_mut().collect(), target - serving, old.guid, self.now).await;
        }
        if let Some(previous) = self.deployment.previous_droplet {
            follow_app(db, &mut old, self.app_droplet, previous, self.now).await?;
        }
        for other in &self.old {
            processes::delete(db, other.guid).await?;
        }
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

/// Shrinks processes to `room` serving instances together, in this order. What does not serve takes no room, and goes; only
/// of the `stable` one are instances kept that do not serve (yet, or at the moment).
async fn share_out(
    db: &mut Connection,
    brain: &Brain,
    processes: Vec<&mut ProcessRow>,
    mut room: u32,
    stable: ProcessGuid,
    now: Timestamp,
) -> Result<()> {
    for process in processes {
        let serving = brain.serving(process.guid);
        let keep = if serving == 0 && process.guid != stable { 0 } else { process.instances.min(room) };
        room -= keep.min(serving);
        set_instances(db, process, keep, now).await?;
    }
    Ok(())
}

/// A process that outlives its deployment follows the app's droplet again.
async fn follow_app(
    db: &mut Connection,
    process: &mut ProcessRow,
    app: Option<DropletGuid>,
    own: DropletGuid,
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
    deployment.error = None;
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
