//! What the scheduler counts about itself.

use super::Brain;
use std::sync::PoisonError;
use virga_model::state::InstanceState;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gauges {
    desired: u64,
    running: u64,
    starting: u64,
    crashed: u64,
    processes: u64,
    routes: u64,
    workers: u64,
    tasks: u64,
    waiting_tasks: u64,
    failures: u64,
}

impl Gauges {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 instances are enough")]
    pub(crate) fn list(&self) -> Vec<(&'static str, &'static str, f64)> {
        vec![
            ("virga_desired_instances", "Instances that should run", self.desired as f64),
            ("virga_running_instances", "Instances to which every router sends requests", self.running as f64),
            ("virga_starting_instances", "Instances that are starting", self.starting as f64),
            ("virga_crashed_instances", "Instances that have crashed and wait", self.crashed as f64),
            ("virga_processes", "Processes that should run", self.processes as f64),
            ("virga_routes", "Routes to them", self.routes as f64),
            ("virga_live_workers", "Cell workers that report", self.workers as f64),
            ("virga_running_tasks", "Tasks that workers were given", self.tasks as f64),
            ("virga_waiting_tasks", "Tasks that wait for a worker", self.waiting_tasks as f64),
            ("virga_scheduler_failures", "Rounds that could not read or write the database", self.failures as f64),
        ]
    }
}

impl Brain {
    /// Counts anew; once a second.
    pub(super) fn update_gauges(&mut self) {
        let mut gauges = Gauges::default();
        for process in self.processes.values() {
            let Some(row) = &process.desired else { continue };
            gauges.processes += 1;
            gauges.desired += u64::from(row.instances);
            for instance in process.instances.values() {
                match instance.state {
                    InstanceState::Crashed => gauges.crashed += 1,
                    InstanceState::Running if instance.is_confirmed => gauges.running += 1,
                    _ => gauges.starting += 1,
                }
            }
        }
        gauges.routes = u64::try_from(self.routing.count()).unwrap_or(u64::MAX);
        gauges.workers = u64::try_from(self.workers.live(self.clock.now())).unwrap_or(u64::MAX);
        (gauges.tasks, gauges.waiting_tasks) = self.tasks.counts();
        let mut shared = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = Gauges { failures: shared.failures, ..gauges };
    }

    pub(super) fn count_failure(&self) {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).failures += 1;
    }
}
