//! Tasks: runs of a command of the droplet to its end. A task is started by the one worker process that its snapshot names, and by
//! no other, so that it runs at most once; it is kept, with how it ended, until no snapshot names it any more.

use crate::{guest::life::End, host::CellCore, instance::AppInstance};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};
use virga_contract::cell::{CellTask, TaskReport};
use virga_model::{Sha256Digest, TaskGuid, state::TaskState};

/// The tasks of a worker.
#[derive(Default)]
pub struct Tasks(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Those of this worker, from their start on.
    ours: HashMap<TaskGuid, Arc<AppInstance>>,
    /// Droplets of all tasks of the box.
    droplets: Vec<Sha256Digest>,
}

impl Tasks {
    /// Starts what is new and for this process, and ends what is no longer named.
    pub(crate) fn apply(&self, core: &Arc<CellCore>, wanted: &[Arc<CellTask>]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.droplets = wanted.iter().map(|task| task.droplet).collect();
        let running = &mut known.ours;
        let named: HashSet<_> = wanted.iter().map(|task| task.task).collect();
        running.retain(|task, instance| {
            let is_named = named.contains(task);
            if !is_named {
                instance.leave();
            }
            is_named
        });
        for task in wanted {
            if task.worker == core.worker && task.pid == std::process::id() && !running.contains_key(&task.task) {
                let instance = AppInstance::of_task(core.clone(), task);
                instance.begin_life(|instance, _| instance.cell.changed.notify_one());
                running.insert(task.task, instance);
            }
        }
    }

    /// Where each of them is.
    pub(crate) fn reports(&self) -> Vec<TaskReport> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |(task, instance): (&TaskGuid, &Arc<AppInstance>)| {
            let (state, failure_reason) = match instance.life.end() {
                None => (TaskState::Running, None),
                Some(End::Exited(0)) => (TaskState::Succeeded, None),
                Some(end) => (TaskState::Failed, Some(end.to_string())),
            };
            TaskReport { task: *task, state, failure_reason }
        };
        known.ours.iter().map(report).collect()
    }

    /// The droplets that tasks of this box run, in whichever worker.
    pub(crate) fn droplets(&self) -> Vec<Sha256Digest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).droplets.clone()
    }
}
