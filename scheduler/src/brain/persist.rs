//! What memory knows and the store does not yet.

use super::{Brain, desired::place_of_spec};
use crate::spec::ProcessSpec;
use std::collections::{BTreeMap, BTreeSet};
use virga_model::{InstanceGuid, ProcessGuid};
use virga_store::{
    Result, audit_events,
    scheduling::{self, ActualInstanceRow, PinnedRow},
};

#[derive(Debug, Default)]
pub(super) struct Unwritten {
    places: BTreeSet<(ProcessGuid, u32)>,
    gone: BTreeSet<InstanceGuid>,
    /// JSON of the spec and its version, or `None` to forget it.
    specs: BTreeMap<ProcessGuid, Option<(String, String)>>,
}

/// Events that wait for a store that is away; beyond this the oldest are lost, and the process's log says so.
const EVENTS: usize = 10_000;

impl Unwritten {
    pub(super) fn write(&mut self, process: ProcessGuid, index: u32) {
        self.places.insert((process, index));
    }

    pub(super) fn delete(&mut self, instance: InstanceGuid) {
        self.gone.insert(instance);
    }

    pub(super) fn pin(&mut self, process: ProcessGuid, spec: &ProcessSpec) {
        match serde_json::to_string(spec) {
            Ok(json) => {
                self.specs.insert(process, Some((spec.version.clone(), json)));
            }
            Err(error) => tracing::error!(process.guid = %process, %error, "a spec cannot be written as JSON"),
        }
    }

    pub(super) fn unpin(&mut self, process: ProcessGuid) {
        self.specs.insert(process, None);
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.gone.is_empty() && self.specs.is_empty()
    }
}

impl Brain {
    /// Writes everything that is not written yet, in one transaction; where that fails it stays marked.
    pub(super) async fn persist(&mut self) {
        if self.unwritten.is_empty() && self.events.is_empty() {
            return;
        }
        match self.write_all().await {
            Ok(()) => {
                self.unwritten = Unwritten::default();
                self.events.clear();
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the state of instances cannot be written; it is tried again");
                self.count_failure();
                let surplus = self.events.len().saturating_sub(EVENTS);
                if surplus > 0 {
                    self.events.drain(..surplus);
                    tracing::warn!(events = surplus, "crash events were lost while the database was away");
                }
            }
        }
    }

    async fn write_all(&self) -> Result<()> {
        let Unwritten { places, gone, specs } = &self.unwritten;
        let rows: Vec<ActualInstanceRow> = places
            .iter()
            .filter_map(|(process, index)| {
                let instance = self.processes.get(process)?.instances.get(index)?;
                Some(instance.row(*process, &self.config.cell))
            })
            .collect();
        let (mut pins, mut unpins) = (Vec::new(), Vec::new());
        for (process, spec) in specs {
            match spec {
                Some((version, spec)) => {
                    let spec = self.store.seal(place_of_spec(*process), spec)?.as_str().to_owned();
                    pins.push(PinnedRow { process: *process, version: version.clone(), spec });
                }
                None => unpins.push(*process),
            }
        }
        let gone: Vec<_> = gone.iter().copied().collect();
        let mut transaction = self.store.begin().await?;
        // First what goes: its place may be taken by what is written next.
        scheduling::delete_actual(&mut transaction, &gone).await?;
        scheduling::write_actual(&mut transaction, &rows).await?;
        scheduling::delete_pinned(&mut transaction, &unpins).await?;
        scheduling::write_pinned(&mut transaction, &pins).await?;
        for event in &self.events {
            audit_events::insert(&mut transaction, event).await?;
        }
        transaction.commit().await
    }
}
