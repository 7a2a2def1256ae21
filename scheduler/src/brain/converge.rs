//! From what runs to what is desired, one process at a time.

use super::{
    Brain, Process, desired,
    instance::{Instance, Leaving},
    tell,
};
use std::time::Duration;
use virga_contract::scheduling::InstanceStats;
use virga_model::{InstanceGuid, ProcessGuid, Timestamp, state::InstanceState};
use virga_store::scheduling::{ActualInstanceRow, PinnedRow};

impl Brain {
    /// Takes over what the last run left.
    pub(super) fn adopt(&mut self, actual: Vec<ActualInstanceRow>, pinned: Vec<PinnedRow>) {
        self.pinned =
            pinned.into_iter().filter_map(|row| desired::read_pinned(&self.store, &row).map(|spec| (row.process, spec))).collect();
        for row in actual {
            let (process, index, guid) = (row.process, row.index, row.guid);
            let Some(known) = self.processes.get_mut(&process) else {
                // An instance of a version that is not pinned cannot be run any more.
                match self.pinned.remove(&process) {
                    Some(spec) => {
                        let mut instance = Instance::adopt(row);
                        instance.probe_worker = self.workers.prober(process, index);
                        self.places.insert(guid, (process, index));
                        let instances = [(index, instance)].into();
                        self.processes.insert(process, Process { desired: None, spec, instances, cell: None });
                    }
                    None => self.unwritten.delete(guid),
                }
                continue;
            };
            let mut instance = Instance::adopt(row);
            instance.probe_worker = self.workers.prober(process, index);
            self.places.insert(guid, (process, index));
            known.instances.insert(index, instance);
        }
    }

    pub(super) fn converge(&mut self, now: Timestamp) {
        if self.touched.is_empty() {
            return;
        }
        for guid in std::mem::take(&mut self.touched) {
            self.converge_process(guid, now);
        }
        self.due = self.next_due();
    }

    fn converge_process(&mut self, guid: ProcessGuid, now: Timestamp) {
        let Some(process) = self.processes.get(&guid) else { return };
        let wanted = process.desired.as_ref().map_or(0, |row| row.instances);
        let surplus: Vec<u32> = process.instances.range(wanted..).map(|(index, _)| *index).collect();
        for index in surplus.into_iter().rev() {
            self.leave(guid, index, now);
        }
        for index in 0..wanted {
            self.converge_instance(guid, index, now);
        }
        let is_over = self.processes.get(&guid).is_some_and(|process| process.desired.is_none() && process.instances.is_empty());
        if is_over {
            self.processes.remove(&guid);
            self.unwritten.unpin(guid);
            self.changed = true;
        }
    }

    fn converge_instance(&mut self, guid: ProcessGuid, index: u32, now: Timestamp) {
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let crashes = match process.instances.get_mut(&index) {
            None => 0,
            Some(instance) if instance.version != process.spec.version => 0,
            Some(instance) if instance.is_crashed() && instance.restart_at.is_some_and(|at| at <= now) => instance.crash_count,
            Some(instance) => {
                // Wanted again before it was gone.
                if instance.leaving.take().is_some() {
                    process.cell = None;
                    self.changed = true;
                    self.unwritten.write(guid, index);
                }
                if instance.is_routable() && instance.routable_from.is_none() {
                    instance.routable_from = Some(self.revision + 1);
                    process.cell = None;
                    self.changed = true;
                    self.awaiting.insert(guid);
                }
                return;
            }
        };
        self.start_instance(guid, index, crashes, now);
    }

    /// A new instance in this place, over whatever is there.
    fn start_instance(&mut self, guid: ProcessGuid, index: u32, crash_count: u32, now: Timestamp) {
        self.remove_instance(guid, index, now);
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let mut instance = Instance::new(index, process.spec.version.clone(), crash_count, now);
        instance.probe_worker = self.workers.prober(guid, index);
        self.places.insert(instance.guid, (guid, index));
        self.unwritten.write(guid, index);
        tell::creating(&*self.sink, &self.config.cell, guid, &process.spec, &instance, now);
        process.instances.insert(index, instance);
        process.cell = None;
        self.changed = true;
    }

    /// First the routes, then the instance: an instance to which requests may still come stays until every live worker
    /// has applied a snapshot without a route to it.
    fn leave(&mut self, guid: ProcessGuid, index: u32, now: Timestamp) {
        let revision = self.next_revision();
        let until = now + Duration::from_millis(self.config.unroute_ms);
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let Some(instance) = process.instances.get_mut(&index) else { return };
        if instance.leaving.is_some() {
            if instance.leaving.is_some_and(|leaving| leaving.until <= now) {
                self.remove_instance(guid, index, now);
            }
        } else if instance.routable_from.is_some() {
            instance.leaving = Some(Leaving { revision, until });
            instance.routable_from = None;
            instance.is_confirmed = false;
            process.cell = None;
            self.changed = true;
            self.awaiting.insert(guid);
            self.unwritten.write(guid, index);
        } else {
            self.remove_instance(guid, index, now);
        }
    }

    pub(super) fn remove_instance(&mut self, guid: ProcessGuid, index: u32, now: Timestamp) {
        let Some(process) = self.processes.get_mut(&guid) else { return };
        let Some(gone) = process.instances.remove(&index) else { return };
        if !gone.is_crashed() {
            tell::stopping(&*self.sink, &self.config.cell, guid, &process.spec, &gone, now);
        }
        process.cell = None;
        self.changed = true;
        self.places.remove(&gone.guid);
        self.measured.remove(&gone.guid);
        self.unwritten.delete(gone.guid);
    }

    /// What every live worker has applied becomes true for users: RUNNING, or gone.
    pub(super) fn acknowledge(&mut self, now: Timestamp) {
        if self.awaiting.is_empty() {
            return;
        }
        let applied = self.workers.applied_by_all(now);
        for guid in std::mem::take(&mut self.awaiting) {
            let Some(process) = self.processes.get_mut(&guid) else { continue };
            let mut leavers = Vec::new();
            let mut is_waiting = false;
            for instance in process.instances.values_mut() {
                let is_applied = |revision: u64| applied.is_some_and(|applied| applied >= revision);
                if let Some(leaving) = instance.leaving {
                    // With no worker alive there is no router to wait for.
                    if applied.is_none() || is_applied(leaving.revision) { leavers.push(instance.index) } else { is_waiting = true }
                } else if let Some(revision) = instance.routable_from.filter(|_| !instance.is_confirmed) {
                    if is_applied(revision) {
                        instance.is_confirmed = true;
                        instance.is_taken_over = false;
                        if instance.state == InstanceState::Starting {
                            instance.enter(InstanceState::Running, now);
                            instance.details = None;
                            self.unwritten.write(guid, instance.index);
                            tell::healthy(&*self.sink, guid, &process.spec, instance, now);
                        }
                        self.is_stale |= self.deploying.contains(&guid);
                    } else {
                        is_waiting = true;
                    }
                }
            }
            if is_waiting {
                self.awaiting.insert(guid);
            }
            for index in leavers {
                self.remove_instance(guid, index, now);
                self.touched.insert(guid);
            }
        }
    }

    /// When the next crashed instance may start, or the wait for routers is over.
    fn next_due(&self) -> Option<Timestamp> {
        let instances = self.processes.values().flat_map(|process| process.instances.values());
        instances.filter_map(|instance| instance.leaving.map(|leaving| leaving.until).or(instance.restart_at)).min()
    }

    /// Spreads the probes anew over the live workers.
    pub(super) fn assign_probes(&mut self) {
        for (guid, process) in &mut self.processes {
            for (index, instance) in &mut process.instances {
                let prober = self.workers.prober(*guid, *index);
                if instance.probe_worker != prober {
                    instance.probe_worker = prober;
                    process.cell = None;
                    self.changed = true;
                }
            }
        }
    }

    pub(super) fn restart(&mut self, guid: ProcessGuid, index: u32, now: Timestamp) -> bool {
        let there = self.processes.get(&guid).is_some_and(|process| {
            process.desired.as_ref().is_some_and(|row| index < row.instances) && process.instances.contains_key(&index)
        });
        if there {
            self.start_instance(guid, index, 0, now);
        }
        there
    }

    pub(super) fn stats(&self, guid: ProcessGuid) -> Option<Vec<InstanceStats>> {
        let process = self.processes.get(&guid)?;
        let wanted = process.desired.as_ref()?.instances;
        let now = self.clock.now();
        Some((0..wanted).map(|index| stats_of(process.instances.get(&index), index, now)).collect())
    }

    pub(super) fn place(&self, instance: InstanceGuid) -> Option<(ProcessGuid, u32)> {
        self.places.get(&instance).copied()
    }
}

fn stats_of(instance: Option<&Instance>, index: u32, now: Timestamp) -> InstanceStats {
    let Some(instance) = instance else {
        let state = InstanceState::Down;
        return InstanceStats { index, instance: None, state, routable: false, details: None, since: now, usage: None };
    };
    let is_unconfirmed = instance.state == InstanceState::Running && instance.is_routable() && !instance.is_confirmed;
    InstanceStats {
        index,
        instance: Some(instance.guid),
        state: if is_unconfirmed { InstanceState::Starting } else { instance.state },
        routable: instance.is_serving(),
        details: instance.details.clone(),
        since: instance.since,
        usage: instance.usage(),
    }
}
