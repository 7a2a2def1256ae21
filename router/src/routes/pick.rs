//! Which instance of a route answers a request.

use super::table::{Destination, Instance, Process, Route};
use crate::{config::Balancing, failure::Failure};
use http::{HeaderMap, HeaderName};
use std::{
    hash::{DefaultHasher, Hasher as _},
    str::FromStr,
    sync::{Arc, atomic::Ordering},
};
use virga_contract::cell::{Cell, Endpoint};
use virga_model::{AppGuid, InstanceGuid, ProcessGuid, route::LoadBalancing};

/// Pins a request to an instance of an app.
pub(crate) const X_CF_APP_INSTANCE: HeaderName = HeaderName::from_static("x-cf-app-instance");
/// Pins a request to a process, or to one of its instances.
pub(crate) const X_CF_PROCESS_INSTANCE: HeaderName = HeaderName::from_static("x-cf-process-instance");

/// What a request says about the instance it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Any.
    Any,
    /// `X-Cf-App-Instance`.
    App(AppGuid, u32),
    /// `X-Cf-Process-Instance`.
    Process(ProcessGuid, Option<u32>),
}

impl Wanted {
    /// Reads the two headers.
    ///
    /// # Errors
    /// Where one is malformed.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        if let Some(value) = headers.get(&X_CF_APP_INSTANCE) {
            return match value.to_str().ok().and_then(parse::<AppGuid>) {
                Some((app, Some(index))) => Ok(Self::App(app, index)),
                _ => Err(Failure::InvalidAppInstance),
            };
        }
        match headers.get(&X_CF_PROCESS_INSTANCE) {
            None => Ok(Self::Any),
            Some(value) => {
                let (process, index) = value.to_str().ok().and_then(parse::<ProcessGuid>).ok_or(Failure::InvalidProcessInstance)?;
                Ok(Self::Process(process, index))
            }
        }
    }

    /// Whether the request insists on an instance.
    pub(crate) fn is_pinned(self) -> bool {
        self != Self::Any
    }

    fn accepts(self, process: &Process, endpoint: Endpoint) -> bool {
        match self {
            Self::Any => true,
            Self::App(app, index) => process.app == app && endpoint.index == index,
            Self::Process(guid, index) => process.guid == guid && index.is_none_or(|index| endpoint.index == index),
        }
    }
}

/// `<guid>` or `<guid>:<index>`; anything else is `None`.
fn parse<G: FromStr>(text: &str) -> Option<(G, Option<u32>)> {
    let (guid, index) = match text.split_once(':') {
        Some((guid, index)) if index.bytes().all(|b| b.is_ascii_digit()) => (guid, Some(index.parse().ok()?)),
        Some(_) => return None,
        None => (text, None),
    };
    if guid.len() != 36 {
        return None;
    }
    Some((guid.parse().ok()?, index))
}

/// How one request's instance is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight.
    LeastConnection,
    /// The one that the value of a header leads to.
    Hash {
        /// Of the value.
        of: u64,
        /// See [`LoadBalancing::Hash`].
        balance_percent: Option<u16>,
    },
}

impl From<Balancing> for Choice {
    fn from(balancing: Balancing) -> Self {
        match balancing {
            Balancing::RoundRobin => Self::RoundRobin,
            Balancing::LeastConnection => Self::LeastConnection,
        }
    }
}

/// The same in every worker of a box: they are one program, and its hasher has no secret.
fn hash_of(value: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// An instance that was chosen.
#[derive(Clone)]
pub(crate) struct Pick {
    process: Arc<Process>,
    position: usize,
}

impl Pick {
    /// Its process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The instance.
    pub(crate) fn instance(&self) -> Option<&Instance> {
        self.process.instances.get(self.position)
    }
}

impl Route {
    /// How many instances could answer.
    pub(crate) fn endpoints(&self) -> usize {
        self.endpoints
    }

    /// How the instance of a request with these headers is chosen: as the route says, else by the router's `default`.
    pub(crate) fn choice(&self, default: Balancing, headers: &HeaderMap) -> Choice {
        match &self.balancing {
            None => default.into(),
            Some(LoadBalancing::RoundRobin) => Choice::RoundRobin,
            Some(LoadBalancing::LeastConnection) => Choice::LeastConnection,
            Some(LoadBalancing::Hash { header, balance_percent }) => match headers.get(header.as_str()) {
                Some(value) => Choice::Hash { of: hash_of(value.as_bytes()), balance_percent: *balance_percent },
                None => default.into(),
            },
        }
    }

    /// The instance for a request: the one a session is bound to if it is there, else by pin and balancing, leaving out
    /// those already `tried`. `None` where nothing is left.
    pub(crate) fn pick(
        &self,
        wanted: Wanted,
        bound_to: Option<InstanceGuid>,
        choice: Choice,
        cell: &dyn Cell,
        tried: &[InstanceGuid],
    ) -> Option<Pick> {
        if self.endpoints == 0 {
            return None;
        }
        if let Some(pick) = bound_to.filter(|bound| !tried.contains(bound)).and_then(|bound| self.find(bound)) {
            return Some(pick);
        }
        match choice {
            Choice::Hash { of, balance_percent } if !self.is_weighted => {
                return self.pick_by_hash(wanted, of, balance_percent, cell, tried);
            }
            Choice::LeastConnection if !self.is_weighted => return self.pick_slowly(wanted, choice, cell, tried),
            _ if wanted.is_pinned() || !tried.is_empty() => return self.pick_slowly(wanted, choice, cell, tried),
            _ => {}
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if self.is_weighted {
            let destination = self.weighted(turn)?;
            let position = destination.position(choice, cell);
            return Some(Pick { process: destination.process.clone(), position });
        }
        self.nth(turn % self.endpoints)
    }

    /// The instance with this guid.
    fn find(&self, instance: InstanceGuid) -> Option<Pick> {
        self.destinations.iter().find_map(|destination| {
            let position = destination.process.instances.iter().position(|held| held.endpoint.instance == instance)?;
            Some(Pick { process: destination.process.clone(), position })
        })
    }

    fn total_weight(&self) -> usize {
        self.destinations.last().map_or(0, |destination| destination.cumulative_weight)
    }

    /// The destination whose turn it is, by weight. Steps of about 0.618 of the whole, coprime to it, visit every
    /// share exactly once per round and mix them evenly.
    fn weighted(&self, turn: usize) -> Option<&Destination> {
        let total = self.total_weight();
        if total == 0 {
            return self.destinations.first();
        }
        let mut step = (total * 618 / 1000).max(1);
        while gcd(step, total) != 1 {
            step += 1;
        }
        let share = (turn % total) * step % total;
        self.destinations.iter().find(|destination| share < destination.cumulative_weight)
    }

    /// The instance at this place over all destinations.
    fn nth(&self, mut place: usize) -> Option<Pick> {
        for destination in &self.destinations {
            let here = destination.process.instances.len();
            if place < here {
                return Some(Pick { process: destination.process.clone(), position: place });
            }
            place -= here;
        }
        None
    }

    /// The ways of choosing that must look at every instance.
    fn pick_slowly(&self, wanted: Wanted, choice: Choice, cell: &dyn Cell, tried: &[InstanceGuid]) -> Option<Pick> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut best: Option<(u32, Pick)> = None;
        for place in 0..self.endpoints {
            let Some(pick) = self.nth(turn.wrapping_add(place) % self.endpoints) else { continue };
            let Some(endpoint) = pick.instance().map(|instance| instance.endpoint) else { continue };
            if tried.contains(&endpoint.instance) || !wanted.accepts(pick.process(), endpoint) {
                continue;
            }
            let load = if choice == Choice::LeastConnection { cell.in_flight(endpoint.instance) } else { 0 };
            if best.as_ref().is_none_or(|(least, _)| load < *least) {
                best = Some((load, pick));
            }
        }
        best.map(|(_, pick)| pick)
    }

    /// The instance that ranks first for this hash. Each has a rank of its own for every hash, so that one more or one less
    /// moves only the requests of that one; a restart keeps its index and with it its requests. Instances that hold more than
    /// their share of what is in flight are passed over.
    fn pick_by_hash(&self, wanted: Wanted, of: u64, balance_percent: Option<u16>, cell: &dyn Cell, tried: &[InstanceGuid]) -> Option<Pick> {
        let instances = || {
            let held = self.destinations.iter().flat_map(|destination| {
                let instances = destination.process.instances.iter().enumerate();
                instances.map(move |(position, instance)| (&destination.process, position, instance.endpoint))
            });
            held.filter(|(process, _, endpoint)| !tried.contains(&endpoint.instance) && wanted.accepts(process, *endpoint))
        };
        let load = |endpoint: Endpoint| u64::from(cell.in_flight(endpoint.instance));
        let most = balance_percent.map(|percent| {
            let (count, total) = instances().fold((0, 0), |(count, total), (.., endpoint)| (count + 1, total + load(endpoint)));
            (total * u64::from(percent), 100 * u64::max(count, 1))
        });
        let has_room = |endpoint: Endpoint| most.is_none_or(|(share, of)| load(endpoint) * of <= share);
        let ranked = instances().filter(|(.., endpoint)| has_room(*endpoint));
        let first = ranked.max_by_key(|(process, _, endpoint)| hash_of((of, process.guid, endpoint.index)));
        first.map(|(process, position, _)| Pick { process: process.clone(), position })
    }
}

impl Destination {
    /// Which of its instances answers, once the weights have chosen it.
    fn position(&self, choice: Choice, cell: &dyn Cell) -> usize {
        let instances = &self.process.instances;
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % instances.len().max(1);
        if choice != Choice::LeastConnection {
            return turn;
        }
        let from_turn = (0..instances.len()).map(|place| (turn + place) % instances.len());
        let load = |position: &usize| instances.get(*position).map_or(u32::MAX, |instance| cell.in_flight(instance.endpoint.instance));
        from_turn.min_by_key(load).unwrap_or(turn)
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
pub(crate) mod tests;
