//! Bodies that name destinations.

use super::destinations::MAX_DESTINATIONS;
use crate::Result;
use serde::Deserialize;
use std::collections::HashMap;
use virga_contract::ApiError;
use virga_model::route::RouteProtocol;

/// Most ports of one app in one request.
const MAX_PORTS: usize = 10;

/// Body of `POST` and `PATCH /v3/routes/:guid/destinations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destinations {
    destinations: Vec<NewDestination>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDestination {
    pub app: AppRef,
    pub weight: Option<i64>,
    pub port: Option<i64>,
    pub protocol: Option<RouteProtocol>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppRef {
    pub guid: String,
    pub process: Option<ProcessRef>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessRef {
    #[serde(rename = "type")]
    pub kind: String,
}

impl Destinations {
    /// What is named, where it keeps the rules that need no look at other rows. Only all destinations together may have
    /// weights.
    ///
    /// # Errors
    /// 422 with Cloud Foundry's sentences.
    pub(super) fn checked(self, replace: bool) -> Result<Vec<NewDestination>> {
        let fewest = usize::from(!replace);
        if !(fewest..=MAX_DESTINATIONS).contains(&self.destinations.len()) {
            let detail = format!("Destinations must be an array containing between {fewest} and {MAX_DESTINATIONS} destination objects.");
            return Err(ApiError::unprocessable(detail).into());
        }
        let mut wrong = Vec::new();
        for (at, new) in self.destinations.iter().enumerate() {
            wrong.extend(new.wrong(replace).into_iter().map(|what| format!("Destinations[{at}]: {what}")));
        }
        let mut ports: HashMap<(&str, Option<&str>), usize> = HashMap::new();
        for new in &self.destinations {
            *ports.entry((&new.app.guid, new.app.process.as_ref().map(|process| process.kind.as_str()))).or_default() += 1;
        }
        if ports.values().any(|ports| *ports > MAX_PORTS) {
            wrong.push(format!("Process must have at most {MAX_PORTS} exposed ports."));
        }
        if wrong.is_empty() {
            wrong.extend(self.wrong_with_weights());
        }
        if wrong.is_empty() { Ok(self.destinations) } else { Err(ApiError::unprocessable_all(wrong).into()) }
    }

    fn wrong_with_weights(&self) -> Option<String> {
        let weights: Vec<i64> = self.destinations.iter().filter_map(|new| new.weight).collect();
        if weights.is_empty() {
            return None;
        }
        if weights.len() < self.destinations.len() {
            return Some("Destinations cannot contain both weighted and unweighted destinations.".to_owned());
        }
        (weights.iter().sum::<i64>() != 100).then(|| "Destinations must have weights that sum to 100.".to_owned())
    }
}

impl NewDestination {
    fn wrong(&self, replace: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.app.process.as_ref().is_some_and(|process| process.kind.is_empty()) {
            wrong.push("process must have the structure {\"type\": \"process_type\"}".to_owned());
        }
        match self.weight {
            Some(_) if !replace => wrong.push("weighted destinations can only be used when replacing all destinations.".to_owned()),
            Some(weight) if !(1..=100).contains(&weight) => {
                wrong.push("weight must be a positive integer between 1 and 100.".to_owned());
            }
            _ => {}
        }
        if self.port.is_some_and(|port| !(1024..=65_535).contains(&port)) {
            wrong.push("port must be a positive integer between 1024 and 65535 inclusive.".to_owned());
        }
        wrong
    }
}
