//! A look at the desired state.

use super::{Brain, Process};
use crate::spec::ProcessSpec;
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::time::Instant;
use virga_contract::cell::{CellDestination, CellRoute};
use virga_model::{AppGuid, ProcessGuid, egress::EgressRule};
use virga_store::{
    Result,
    scheduling::{self, DesiredRouteRow, DesiredRow, PinnedRow},
};

/// What one look found.
struct Desired {
    rows: Vec<DesiredRow>,
    routes: Vec<DesiredRouteRow>,
    rules: Vec<EgressRule>,
    /// Specs of versions not seen before.
    specs: HashMap<ProcessGuid, ProcessSpec>,
}

pub(super) fn read_pinned(row: &PinnedRow) -> Option<ProcessSpec> {
    match serde_json::from_str(&row.spec) {
        Ok(spec) => Some(spec),
        Err(error) => {
            // It is made anew from the rows, as if the version had just been seen.
            tracing::warn!(process.guid = %row.process, %error, "a pinned spec cannot be read");
            None
        }
    }
}

impl Brain {
    /// Reads the desired state; a failure leaves everything as it is until the next look.
    pub(super) async fn look(&mut self) {
        let began = Instant::now();
        self.is_stale = false;
        let found = match self.step_deployments().await {
            Ok(()) => self.read_desired().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(desired) => self.apply(desired),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the desired state cannot be read; apps keep running as they are");
                self.is_stale = true;
                self.count_failure();
            }
        }
        let took = began.elapsed();
        self.looked_at = Instant::now();
        // At most half of the time is spent on looking, however many nudges come.
        self.next_look = self.looked_at + if self.is_stale { super::TICK } else { took };
    }

    async fn read_desired(&self) -> Result<Desired> {
        let mut db = self.store.read().await?;
        let rows = scheduling::list_desired(&mut db).await?;
        let routes = scheduling::list_desired_routes(&mut db).await?;
        let rules = scheduling::list_running_rules(&mut db).await?;
        let unseen: Vec<_> = rows.iter().filter(|row| row.instances > 0 && !self.knows(row)).map(|row| row.process).collect();
        let mut specs = HashMap::new();
        if !unseen.is_empty() {
            let variables = scheduling::running_variables(&mut db).await?;
            let mut uris: HashMap<AppGuid, Vec<String>> = HashMap::new();
            for route in &routes {
                let uris = uris.entry(route.app).or_default();
                let uri = format!("{}{}", host_of(route), route.path);
                if !uris.contains(&uri) {
                    uris.push(uri);
                }
            }
            for row in scheduling::list_specs(&mut db, &unseen).await? {
                let uris = uris.get(&row.app).map_or(&[][..], Vec::as_slice);
                specs.insert(row.process, ProcessSpec::build(row, &self.config.api_url, uris, &variables));
            }
        }
        Ok(Desired { rows, routes, rules, specs })
    }

    fn knows(&self, row: &DesiredRow) -> bool {
        let spec = self.processes.get(&row.process).map(|process| &process.spec).or_else(|| self.pinned.get(&row.process));
        spec.is_some_and(|spec| spec.version == row.version)
    }

    fn apply(&mut self, desired: Desired) {
        let Desired { rows, routes, rules, mut specs } = desired;
        if self.rules != rules {
            self.rules = rules;
            self.processes.values_mut().for_each(|process| process.cell = None);
            self.changed = true;
        }
        let mut wanted = HashSet::with_capacity(rows.len());
        for row in rows {
            wanted.insert(row.process);
            let spec = specs.remove(&row.process);
            self.apply_row(row, spec);
        }
        for (guid, process) in &mut self.processes {
            if !wanted.contains(guid) && process.desired.take().is_some() {
                self.touched.insert(*guid);
                self.changed = true;
            }
        }
        if !self.is_loaded {
            // What the last run left and nobody wants any more.
            self.touched.extend(self.processes.iter().filter(|(_, process)| process.desired.is_none()).map(|(guid, _)| *guid));
            std::mem::take(&mut self.pinned).into_keys().for_each(|guid| self.unwritten.unpin(guid));
            self.is_loaded = true;
        }
        self.route_rows = routes;
        let routes = self.build_routes();
        if self.routes != routes {
            self.routes = routes;
            self.changed = true;
        }
    }

    fn apply_row(&mut self, row: DesiredRow, new_spec: Option<ProcessSpec>) {
        let guid = row.process;
        if let Some(spec) = &new_spec {
            self.unwritten.pin(guid, spec);
        }
        if let Some(process) = self.processes.get_mut(&guid) {
            if let Some(spec) = new_spec {
                process.spec = spec;
            } else if process.desired.as_ref() == Some(&row) {
                return;
            }
            process.desired = Some(row);
            process.cell = None;
        } else {
            // Without a staged droplet there is nothing to run.
            let Some(spec) = new_spec.or_else(|| self.pinned.remove(&guid)) else { return };
            self.processes.insert(guid, Process { desired: Some(row), spec, instances: BTreeMap::new(), cell: None });
        }
        self.pinned.remove(&guid);
        self.touched.insert(guid);
        self.changed = true;
    }

    /// Routes to processes that should run; one without any is left out, which routers answer with 404.
    fn build_routes(&self) -> Vec<CellRoute> {
        let mut by_type: HashMap<(AppGuid, &str), Vec<ProcessGuid>> = HashMap::new();
        for (guid, process) in &self.processes {
            if let Some(row) = process.desired.as_ref().filter(|row| row.instances > 0) {
                by_type.entry((row.app, &row.process_type)).or_default().push(*guid);
            }
        }
        let mut routes: Vec<CellRoute> = Vec::new();
        for rows in self.route_rows.chunk_by(|one, next| one.route == next.route) {
            let destinations: Vec<_> = rows
                .iter()
                .flat_map(|row| {
                    let processes = by_type.get(&(row.app, row.process_type.as_str())).into_iter().flatten();
                    processes.map(|process| CellDestination { process: *process, weight: row.weight, protocol: row.protocol })
                })
                .collect();
            if let Some(row) = rows.first().filter(|_| !destinations.is_empty()) {
                routes.push(CellRoute { host: host_of(row), path: row.path.clone(), destinations });
            }
        }
        routes
    }
}

fn host_of(row: &DesiredRouteRow) -> String {
    let host = if row.host.is_empty() { row.domain.clone() } else { format!("{}.{}", row.host, row.domain) };
    host.to_ascii_lowercase()
}
