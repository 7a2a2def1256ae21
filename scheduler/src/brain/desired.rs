//! A look at the desired state.

use super::{
    Brain, Process,
    routing::{key, url_of},
};
use crate::spec::ProcessSpec;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};
use tokio::time::Instant;
use virga_model::{
    AppGuid, ProcessGuid, Timestamp,
    service::{BoundService, vcap_services},
};
use virga_store::{
    Connection, Result, Sealed, Store, StoreError,
    network_policies::{self, NetworkPolicyRow},
    scheduling::{self, DesiredRouteRow, DesiredRow, PinnedRow, RunningRules},
    service_credential_bindings::{self, NamedBindingRow},
};

/// What one look found.
struct Desired {
    /// Whether this is all there is, or only what changed.
    is_whole: bool,
    rows: Vec<DesiredRow>,
    routes: Vec<DesiredRouteRow>,
    policies: Vec<NetworkPolicyRow>,
    bindings: Vec<NamedBindingRow>,
    rules: RunningRules,
    /// Specs of versions not seen before.
    specs: HashMap<ProcessGuid, ProcessSpec>,
}

/// How far a look for changes reaches back before the last look: longer than any transaction takes from the moment it
/// asks the time to its commit.
const OVERLAP: Duration = Duration::from_secs(60);

pub(super) fn read_pinned(store: &Store, row: &PinnedRow) -> Option<ProcessSpec> {
    let read = unsealed(store, place_of_spec(row.process), &row.spec).and_then(|json| {
        serde_json::from_str(&json).map_err(|error| StoreError::Corrupt { column: "spec".to_owned(), reason: error.into() })
    });
    // Else it is made anew from the rows, as if the version had just been seen.
    read.inspect_err(|error| {
        tracing::warn!(process.guid = %row.process, error = error as &dyn std::error::Error, "a pinned spec cannot be read");
    })
    .ok()
}

/// What the spec of a process is sealed for: it holds credentials.
pub(super) fn place_of_spec(process: ProcessGuid) -> String {
    format!("desired_processes/{process}/spec")
}

/// A spec as JSON. Those that were written before specs were sealed are taken as they are.
pub(super) fn unsealed(store: &Store, place: String, spec: &str) -> Result<String> {
    if spec.starts_with('{') { Ok(spec.to_owned()) } else { store.unseal(place, &Sealed::from_stored(spec.to_owned())) }
}

impl Brain {
    /// Reads the desired state; a failure leaves everything as it is until the next look.
    pub(super) async fn look(&mut self) {
        let (began, now) = (Instant::now(), self.clock.now());
        self.is_stale = false;
        let found = match self.step_deployments().await {
            Ok(()) => self.read_desired().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(desired) => {
                if desired.is_whole {
                    self.is_whole_look_due = false;
                    self.looked_at = Instant::now();
                }
                self.apply(desired);
                self.seen_until = Some(now);
                if let Err(error) = self.step_tasks().await {
                    self.look_failed(&error);
                }
            }
            Err(error) => self.look_failed(&error),
        }
        let took = began.elapsed();
        // At most half of the time is spent on looking, however many nudges come.
        self.next_look = Instant::now() + if self.is_stale { super::TICK } else { took };
    }

    fn look_failed(&mut self, error: &StoreError) {
        tracing::warn!(error = error as &dyn std::error::Error, "the desired state cannot be read; apps keep running as they are");
        self.is_stale = true;
        self.count_failure();
    }

    /// What changed since the last look; everything, where that does not add up (rows were deleted), the timer asks for it
    /// (the clock may have been set back), or there was no look yet.
    async fn read_desired(&self) -> Result<Desired> {
        let mut db = self.store.read().await?;
        let changed = match self.seen_until.filter(|_| !self.is_whole_look_due) {
            Some(seen) => self.read_changed(&mut db, seen - OVERLAP).await?,
            None => None,
        };
        let (is_whole, rows, routes) = match changed {
            Some((rows, routes)) => (false, rows, routes),
            None => (true, scheduling::list_desired(&mut db).await?, scheduling::list_desired_routes(&mut db).await?),
        };
        // After the processes: none is placed with rules or policies that are older than it.
        let rules = scheduling::list_running_rules(&mut db).await?;
        let policies = network_policies::list_of_started(&mut db).await?;
        let bindings = service_credential_bindings::named_of_started(&self.store, &mut db).await?;
        let unseen = rows.iter().filter(|row| row.is_started && row.instances > 0 && !self.knows(row)).map(|row| row.process);
        let unseen: Vec<_> = unseen.collect::<HashSet<_>>().into_iter().collect();
        let mut specs = HashMap::new();
        if !unseen.is_empty() {
            let variables = scheduling::running_variables(&mut db).await?;
            let uris = self.uris(&routes);
            let rows = scheduling::list_specs(&mut db, &unseen).await?;
            let apps: Vec<AppGuid> = rows.iter().map(|row| row.app).collect::<BTreeSet<_>>().into_iter().collect();
            let services = self.services(&mut db, &apps).await?;
            for row in rows {
                let uris = uris.get(&row.app).map_or(&[][..], Vec::as_slice);
                let Some(services) = services.get(&row.app) else { continue };
                let (app, process) = (row.app, row.process);
                match ProcessSpec::build(row, &self.config.api_url, uris, &variables, services) {
                    Ok(spec) => drop(specs.insert(process, spec)),
                    Err(error) => {
                        tracing::error!(app.guid = %app, error = &error as &dyn std::error::Error, "an app's services cannot be files; what runs of it stays as it is, and nothing new is started");
                    }
                }
            }
        }
        Ok(Desired { is_whole, rows, routes, policies, bindings, rules, specs })
    }

    /// `VCAP_SERVICES` of each app. One whose credentials cannot be opened is left out: it keeps what it was started with, others can be started.
    async fn services(&self, db: &mut Connection, apps: &[AppGuid]) -> Result<HashMap<AppGuid, Value>> {
        let of = |bound: &HashMap<AppGuid, Vec<BoundService>>, app: AppGuid| {
            (app, vcap_services(bound.get(&app).map_or(&[][..], Vec::as_slice)))
        };
        match service_credential_bindings::bound(&self.store, db, apps).await {
            Ok(bound) => return Ok(apps.iter().map(|app| of(&bound, *app)).collect()),
            Err(StoreError::Sealing(_) | StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut services = HashMap::new();
        for app in apps {
            match service_credential_bindings::bound(&self.store, db, &[*app]).await {
                Ok(bound) => services.extend([of(&bound, *app)]),
                Err(error @ (StoreError::Sealing(_) | StoreError::Corrupt { .. })) => {
                    tracing::error!(app.guid = %app, error = &error as &dyn std::error::Error, "an app's services cannot be read; what runs of it stays as it is, and nothing new is started");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(services)
    }

    async fn read_changed(&self, db: &mut Connection, since: Timestamp) -> Result<Option<(Vec<DesiredRow>, Vec<DesiredRouteRow>)>> {
        let rows = scheduling::list_desired_since(db, since).await?;
        let routes = scheduling::list_desired_routes_since(db, since).await?;
        let mut started = i128::try_from(self.started.len()).unwrap_or(i128::MAX);
        for row in rows.iter().map(|row| (row.process, row.is_started)).collect::<BTreeMap<_, _>>() {
            started += i128::from(row.1) - i128::from(self.started.contains(&row.0));
        }
        let new_routes = routes.iter().map(key).filter(|key| !self.route_rows.contains_key(key)).collect::<HashSet<_>>().len();
        let adds_up = started == i128::from(scheduling::count_desired(db).await?)
            && Ok(self.route_rows.len() + new_routes) == usize::try_from(scheduling::count_desired_routes(db).await?);
        Ok(adds_up.then_some((rows, routes)))
    }

    /// `host.domain/path` of every app's routes.
    pub(super) fn uris(&self, new: &[DesiredRouteRow]) -> HashMap<AppGuid, Vec<String>> {
        let mut uris: HashMap<AppGuid, BTreeSet<String>> = HashMap::new();
        for route in self.route_rows.values().chain(new) {
            uris.entry(route.app).or_default().insert(url_of(route));
        }
        uris.into_iter().map(|(app, uris)| (app, uris.into_iter().collect())).collect()
    }

    fn knows(&self, row: &DesiredRow) -> bool {
        let spec = self.processes.get(&row.process).map(|process| &process.spec).or_else(|| self.pinned.get(&row.process));
        spec.is_some_and(|spec| spec.version == row.version)
    }

    fn apply(&mut self, desired: Desired) {
        let Desired { is_whole, rows, routes, policies, bindings, rules, mut specs } = desired;
        if self.rules != rules {
            let old = std::mem::replace(&mut self.rules, rules);
            for process in self.processes.values_mut().filter(|process| old.of(process.spec.space) != self.rules.of(process.spec.space)) {
                process.cell = None;
            }
            self.changed = true;
        }
        if is_whole {
            let wanted: HashSet<_> = rows.iter().map(|row| row.process).collect();
            self.started.difference(&wanted).copied().collect::<Vec<_>>().into_iter().for_each(|guid| self.unwant(guid));
            self.route_rows.clear();
        }
        for row in rows {
            if row.is_started {
                self.started.insert(row.process);
                let spec = specs.remove(&row.process);
                self.apply_row(row, spec);
            } else {
                self.unwant(row.process);
            }
        }
        if !self.is_loaded {
            // What the last run left and nobody wants any more.
            self.touched.extend(self.processes.iter().filter(|(_, process)| process.desired.is_none()).map(|(guid, _)| *guid));
            std::mem::take(&mut self.pinned).into_keys().for_each(|guid| self.unwritten.unpin(guid));
            self.is_loaded = true;
        }
        self.route_rows.extend(routes.into_iter().map(|row| (key(&row), row)));
        let routing = self.build_routing(policies, &bindings);
        if self.routing != routing {
            self.routing = routing;
            self.changed = true;
        }
    }

    fn unwant(&mut self, guid: ProcessGuid) {
        self.started.remove(&guid);
        if self.processes.get_mut(&guid).is_some_and(|process| process.desired.take().is_some()) {
            self.touched.insert(guid);
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
}
