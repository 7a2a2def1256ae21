//! What workers report.

use super::{Brain, backoff, tell};
use virga_contract::cell::{CellReport, InstanceReport, WorkerIndex};
use virga_model::{ProcessGuid, Timestamp, state::InstanceState};

impl Brain {
    pub(super) fn report(&mut self, report: CellReport, now: Timestamp) {
        let worker = report.worker;
        self.workers.applied(worker, report.pid, report.applied_revision, now);
        self.report_tasks(&report);
        for instance in report.instances {
            self.report_instance(worker, instance, now);
        }
    }

    fn report_instance(&mut self, worker: WorkerIndex, report: InstanceReport, now: Timestamp) {
        // Late reports name instances that are no more, foreign ones such as never were.
        let Some((guid, index)) = self.place(report.instance) else { return };
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let Some(instance) = process.instances.get_mut(&index) else { return };
        match instance.usage.iter_mut().find(|(of, _)| *of == worker) {
            Some((_, usage)) if *usage == report.usage => {}
            Some((_, usage)) => {
                *usage = report.usage;
                self.measured.insert(instance.guid);
            }
            None => {
                instance.usage.push((worker, report.usage));
                self.measured.insert(instance.guid);
            }
        }
        let Some(state) = report.state.filter(|_| worker == instance.probe_worker && !instance.is_crashed()) else { return };
        let (was_routable, was_ready) = (instance.is_routable(), instance.is_ready);
        match state {
            InstanceState::Crashed => return self.crash(guid, index, report.details, now),
            InstanceState::Running => {
                instance.is_healthy = true;
                instance.is_ready = report.ready;
                if !report.ready && instance.state == InstanceState::Starting {
                    // Alive but not ready is RUNNING without a route.
                    instance.enter(InstanceState::Running, now);
                    self.unwritten.write(guid, index);
                }
            }
            // A worker that came back probes anew; until it finds otherwise, what ran is taken to run.
            _ if !instance.is_healthy && instance.details != report.details => {
                instance.details = report.details;
                self.unwritten.write(guid, index);
            }
            _ => {}
        }
        if instance.is_ready != was_ready {
            let name = process.desired.as_ref().map_or(&process.spec.app_name, |row| &row.app_name);
            self.events.push(tell::readiness_event(&self.config.cell, guid, &process.spec, name, instance, now));
        }
        if instance.is_routable() == was_routable {
            return;
        }
        if was_routable {
            instance.routable_from = None;
            instance.is_confirmed = false;
            instance.is_taken_over = false;
            process.cell = None;
            self.changed = true;
        }
        self.touched.insert(guid);
    }

    fn crash(&mut self, guid: ProcessGuid, index: u32, details: Option<String>, now: Timestamp) {
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let Some(instance) = process.instances.get_mut(&index) else { return };
        if instance.leaving.is_some() {
            // It was about to go anyhow.
            return self.remove_instance(guid, index, now);
        }
        let ran = if instance.state == InstanceState::Running { now.duration_since(instance.since).as_secs() } else { 0 };
        let is_first = ran > i64::from(self.config.crash_reset_seconds);
        instance.crash_count = if is_first { 1 } else { instance.crash_count.saturating_add(1) };
        instance.enter(InstanceState::Crashed, now);
        instance.details = details;
        instance.restart_at = backoff::wait(instance.crash_count, self.config.crash_limit).map(|wait| now + wait);
        instance.is_healthy = false;
        instance.routable_from = None;
        instance.is_confirmed = false;
        instance.usage.clear();
        process.cell = None;
        let spec = &process.spec;
        let name = process.desired.as_ref().map_or(&spec.app_name, |row| &row.app_name);
        self.events.extend(tell::crash_events(&self.config.cell, guid, spec, name, instance, now));
        tell::crashed(&*self.sink, &self.config.cell, guid, spec, instance, now);
        self.changed = true;
        // A deployment says why it does not get on.
        self.is_stale |= self.deploying.contains(&guid);
        self.unwritten.write(guid, index);
        self.touched.insert(guid);
    }
}
