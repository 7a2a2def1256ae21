//! Snapshots.

use super::{Brain, Process};
use std::sync::Arc;
use virga_contract::cell::{CellProcess, CellSnapshot};
use virga_model::ProcessGuid;
use virga_store::scheduling::RunningRules;

impl Brain {
    /// Publishes a snapshot if anything in it may differ. Unchanged processes are shared with the one before.
    pub(super) fn publish(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        self.revision = self.next_revision();
        let rules = &self.rules;
        let processes = self.processes.iter_mut().filter_map(|(guid, process)| {
            let is_wanted = process.desired.as_ref().is_some_and(|row| row.instances > 0);
            (is_wanted || !process.instances.is_empty()).then(|| process.for_cell(*guid, rules))
        });
        let snapshot = CellSnapshot {
            store_id: self.store.store_id().to_owned(),
            revision: self.revision,
            processes: processes.collect(),
            routes: self.routing.http.clone(),
            tcp_routes: self.routing.tcp.clone(),
            internal_routes: self.routing.internal.clone(),
            policies: self.routing.policies.clone(),
            services: self.routing.services.clone(),
            tasks: self.tasks.for_cell(),
        };
        self.publish.send_replace(Some(Arc::new(snapshot)));
    }
}

impl Process {
    fn for_cell(&mut self, guid: ProcessGuid, rules: &RunningRules) -> Arc<CellProcess> {
        if let Some(cell) = &self.cell {
            return cell.clone();
        }
        let spec = &self.spec;
        let cell = Arc::new(CellProcess {
            process: guid,
            process_type: spec.process_type.clone(),
            app: spec.app,
            // A rename shows in logs at once.
            app_name: self.desired.as_ref().map_or(&spec.app_name, |row| &row.app_name).clone(),
            space: spec.space,
            organization: spec.organization,
            version: spec.version.clone(),
            droplet: spec.droplet,
            command: spec.command.clone(),
            memory_mb: spec.memory_mb,
            disk_mb: spec.disk_mb,
            log_rate_limit_bytes_per_second: spec.log_rate_limit_bytes_per_second,
            environment: spec.environment.clone(),
            files: spec.files.clone(),
            health_check: spec.health_check.clone(),
            readiness_check: spec.readiness_check.clone(),
            reuse: spec.reuse,
            egress: rules.of(spec.space),
            instances: self.instances.values().filter_map(super::Instance::for_cell).collect(),
        });
        self.cell = Some(cell.clone());
        cell
    }
}
