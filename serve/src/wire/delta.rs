//! Snapshots on the wire: whole the first time, afterwards only what differs from the one the worker holds.
//!
//! Both ends still deal in whole snapshots. The server remembers the last few that it handed out; the client puts what it
//! gets together with what it holds. A base that either side does not know (a restart) makes the next one whole.

use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};
use virga_contract::cell::{CellPolicy, CellProcess, CellRoute, CellService, CellSnapshot, CellTask, CellTcpRoute, LinkError};
use virga_model::ProcessGuid;

/// A snapshot as it crosses the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Delta {
    store_id: String,
    revision: u64,
    /// The revision this adds to; none is a whole snapshot.
    base: Option<u64>,
    /// New and changed processes.
    processes: Vec<Arc<CellProcess>>,
    /// Processes of the base that are no more.
    gone: Vec<ProcessGuid>,
    /// All routes; none where they are those of the base.
    routes: Option<Vec<CellRoute>>,
    tcp_routes: Vec<CellTcpRoute>,
    /// As `routes`.
    #[serde(default)]
    internal_routes: Option<Vec<CellRoute>>,
    /// As `routes`.
    #[serde(default)]
    policies: Option<Vec<CellPolicy>>,
    /// As `routes`.
    #[serde(default)]
    services: Option<Vec<CellService>>,
    tasks: Vec<Arc<CellTask>>,
}

impl Delta {
    /// What turns `base` into `newest`.
    pub(super) fn between(base: Option<&CellSnapshot>, newest: &CellSnapshot) -> Self {
        let known: HashMap<_, _> = base.iter().flat_map(|base| &base.processes).map(|process| (process.process, process)).collect();
        let is_new = |process: &&Arc<CellProcess>| known.get(&process.process).is_none_or(|known| !Arc::ptr_eq(known, process));
        let processes = newest.processes.iter().filter(is_new).cloned().collect();
        let now: HashSet<_> = newest.processes.iter().map(|process| process.process).collect();
        let gone = known.into_keys().filter(|process| !now.contains(process)).collect();
        let has_same_policies = base.is_some_and(|base| base.policies == newest.policies);
        let has_same_services = base.is_some_and(|base| base.services == newest.services);
        let has_same_internal_routes = base.is_some_and(|base| base.internal_routes == newest.internal_routes);
        let has_same_routes = base.is_some_and(|base| base.routes == newest.routes);
        Self {
            store_id: newest.store_id.clone(),
            revision: newest.revision,
            base: base.map(|base| base.revision),
            processes,
            gone,
            routes: (!has_same_routes).then(|| newest.routes.clone()),
            tcp_routes: newest.tcp_routes.clone(),
            internal_routes: (!has_same_internal_routes).then(|| newest.internal_routes.clone()),
            policies: (!has_same_policies).then(|| newest.policies.clone()),
            services: (!has_same_services).then(|| newest.services.clone()),
            tasks: newest.tasks.clone(),
        }
    }

    /// The whole snapshot; unchanged processes are shared with `held`.
    pub(super) fn onto(self, held: Option<&CellSnapshot>) -> Result<CellSnapshot, LinkError> {
        let Self { store_id, revision, base, processes: changed, gone, routes, tcp_routes, internal_routes, policies, services, tasks } =
            self;
        let base = match base {
            None => None,
            Some(revision) => {
                let held = held.filter(|held| held.revision == revision);
                Some(held.ok_or_else(|| LinkError::Failed(format!("a snapshot came on top of {revision}, which is not held")))?)
            }
        };
        let away: HashSet<_> = gone.into_iter().chain(changed.iter().map(|process| process.process)).collect();
        let kept = base.iter().flat_map(|base| &base.processes).filter(|process| !away.contains(&process.process)).cloned();
        let mut processes: Vec<_> = kept.chain(changed).collect();
        processes.sort_by_key(|process| process.process);
        let routes = match routes {
            Some(routes) => routes,
            None => base.map(|base| base.routes.clone()).unwrap_or_default(),
        };
        let internal_routes = match internal_routes {
            Some(routes) => routes,
            None => base.map(|base| base.internal_routes.clone()).unwrap_or_default(),
        };
        let policies = match policies {
            Some(policies) => policies,
            None => base.map(|base| base.policies.clone()).unwrap_or_default(),
        };
        let services = match services {
            Some(services) => services,
            None => base.map(|base| base.services.clone()).unwrap_or_default(),
        };
        Ok(CellSnapshot { store_id, revision, processes, routes, tcp_routes, internal_routes, policies, services, tasks })
    }
}

/// The snapshots last handed out, as bases for the next.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Arc<CellSnapshot>>);

/// Snapshots remembered at most, and routes in them together (processes are shared, routes are not).
const SNAPSHOTS: usize = 8;
const ROUTES: usize = 200_000;

impl History {
    pub(super) fn find(&self, revision: u64) -> Option<Arc<CellSnapshot>> {
        self.0.iter().find(|snapshot| snapshot.revision == revision).cloned()
    }

    pub(super) fn remember(&mut self, snapshot: &Arc<CellSnapshot>) {
        if self.0.iter().any(|known| known.revision == snapshot.revision) {
            return;
        }
        self.0.push_back(snapshot.clone());
        let routes = |all: &VecDeque<Arc<CellSnapshot>>| all.iter().map(|known| known.routes.len()).sum::<usize>();
        while self.0.len() > SNAPSHOTS || (self.0.len() > 1 && routes(&self.0) > ROUTES) {
            self.0.pop_front();
        }
    }
}
