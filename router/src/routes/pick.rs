//! Which instance of a route answers a request.

use super::table::{Destination, Instance, Process, Route};
use crate::{config::Balancing, failure::Failure};
use http::{HeaderMap, HeaderName};
use std::{str::FromStr, sync::Arc, sync::atomic::Ordering};
use virga_contract::cell::{Cell, Endpoint};
use virga_model::{AppGuid, InstanceGuid, ProcessGuid};

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

    /// The instance for a request: the one a session is bound to if it is there, else by pin and balancing, leaving out
    /// those already `tried`. `None` where nothing is left.
    pub(crate) fn pick(
        &self,
        wanted: Wanted,
        bound_to: Option<InstanceGuid>,
        balancing: Balancing,
        cell: &dyn Cell,
        tried: &[InstanceGuid],
    ) -> Option<Pick> {
        if self.endpoints == 0 {
            return None;
        }
        if let Some(pick) = bound_to.filter(|bound| !tried.contains(bound)).and_then(|bound| self.find(bound)) {
            return Some(pick);
        }
        if wanted.is_pinned() || !tried.is_empty() || balancing == Balancing::LeastConnection {
            return self.pick_slowly(wanted, balancing, cell, tried);
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if self.is_weighted {
            let destination = self.weighted(turn)?;
            let position = destination.next.fetch_add(1, Ordering::Relaxed) % destination.process.instances.len().max(1);
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
    fn pick_slowly(&self, wanted: Wanted, balancing: Balancing, cell: &dyn Cell, tried: &[InstanceGuid]) -> Option<Pick> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut best: Option<(u32, Pick)> = None;
        for place in 0..self.endpoints {
            let Some(pick) = self.nth(turn.wrapping_add(place) % self.endpoints) else { continue };
            let Some(endpoint) = pick.instance().map(|instance| instance.endpoint) else { continue };
            if tried.contains(&endpoint.instance) || !wanted.accepts(pick.process(), endpoint) {
                continue;
            }
            let load = if balancing == Balancing::LeastConnection { cell.in_flight(endpoint.instance) } else { 0 };
            if best.as_ref().is_none_or(|(least, _)| load < *least) {
                best = Some((load, pick));
            }
        }
        best.map(|(_, pick)| pick)
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
pub(crate) mod tests;
