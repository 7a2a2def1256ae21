//! Adding and removing network policies.

use super::manages_all;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{self, Event},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use virga_contract::{ApiError, ErrorCode};
use virga_model::AppGuid;
use virga_serve::{
    Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    network_policies::{self, NetworkPolicyRow},
    spaces,
};

/// Most policies of one source, for all but those who manage all.
const MAX_OF_SOURCE: u64 = 150;
/// Most policies in one request.
const MAX_IN_REQUEST: usize = 1000;

/// Body of both endpoints.
#[derive(Debug, Deserialize)]
pub struct Policies {
    #[serde(default)]
    policies: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
struct Policy {
    source: Source,
    destination: Destination,
}

#[derive(Debug, Deserialize)]
struct Source {
    #[serde(default)]
    id: String,
}

#[derive(Debug, Deserialize)]
struct Destination {
    #[serde(default)]
    id: String,
    #[serde(default)]
    protocol: String,
    ports: Option<PortRange>,
}

#[derive(Debug, Deserialize)]
struct PortRange {
    start: i64,
    end: i64,
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, detail)
}

fn inaccessible() -> ApiError {
    ApiError::new(ErrorCode::NotAuthorized, "one or more applications cannot be found or accessed")
}

impl Policy {
    fn read(&self) -> Result<NetworkPolicyRow, ApiError> {
        if self.source.id.is_empty() {
            return Err(bad("missing source id"));
        }
        if self.destination.id.is_empty() {
            return Err(bad("missing destination id"));
        }
        let protocol = self.destination.protocol.as_str();
        if protocol != "tcp" && protocol != "udp" {
            return Err(bad("invalid destination protocol, specify either udp or tcp"));
        }
        let ports = self.destination.ports.as_ref().ok_or_else(|| bad("missing start port"))?;
        let port = |number: i64| u16::try_from(number).ok().filter(|port| *port > 0);
        let range = || bad(format!("invalid destination port range {}-{}", ports.start, ports.end));
        let (first_port, last_port) = (port(ports.start).ok_or_else(range)?, port(ports.end).ok_or_else(range)?);
        if first_port > last_port {
            return Err(range());
        }
        let guid = |text: &str| text.parse::<AppGuid>().map_err(|_| inaccessible());
        Ok(NetworkPolicyRow {
            source: guid(&self.source.id)?,
            destination: guid(&self.destination.id)?,
            protocol: protocol.to_owned(),
            first_port,
            last_port,
        })
    }
}

impl Policies {
    fn read(&self) -> Result<Vec<NetworkPolicyRow>, ApiError> {
        if self.policies.is_empty() {
            return Err(bad("missing policies"));
        }
        if self.policies.len() > MAX_IN_REQUEST {
            return Err(bad(format!("more than {MAX_IN_REQUEST} policies in one request")));
        }
        self.policies.iter().map(Policy::read).collect()
    }
}

/// The apps of these policies, where the caller may manage policies of all of them.
async fn permitted(db: &mut Connection, access: &Access, policies: &[NetworkPolicyRow]) -> Result<Vec<AppRow>> {
    let guids: BTreeSet<AppGuid> = policies.iter().flat_map(|policy| [policy.source, policy.destination]).collect();
    let mut found = Vec::new();
    for guid in guids {
        let app = apps::find(db, guid).await?.ok_or_else(inaccessible)?;
        if !manages_all(access) {
            access.in_space(db, SpaceRight::Write, app.space, "App").await.map_err(|_| inaccessible())?;
        }
        found.push(app);
    }
    Ok(found)
}

/// `POST /networking/v1/external/policies`.
///
/// # Errors
/// 400 for a policy that cannot be, 403 for apps that are not the caller's and past 150 policies of one source.
pub async fn create(State(controller): State<Controller>, access: Access, Json(body): Json<Policies>) -> Result<Response> {
    let policies = body.read()?;
    let mut tx = controller.store.begin().await?;
    let apps = permitted(&mut tx, &access, &policies).await?;
    for policy in &policies {
        network_policies::insert(&mut tx, policy, controller.now()).await?;
    }
    if !manages_all(&access) {
        for source in policies.iter().map(|policy| policy.source).collect::<BTreeSet<_>>() {
            if network_policies::count_of_source(&mut tx, source).await? > MAX_OF_SOURCE {
                return Err(ApiError::new(ErrorCode::NotAuthorized, format!("policy quota exceeded: {MAX_OF_SOURCE} policies")).into());
            }
        }
    }
    record(&controller, &mut tx, &access, "audit.app.network-policy.add", &apps, &policies).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(json!({})))
}

/// `POST /networking/v1/external/policies/delete`: exactly these; what is not there is gone already.
///
/// # Errors
/// 400 for a policy that cannot be, 403 for apps that are not the caller's.
pub async fn delete(State(controller): State<Controller>, access: Access, Json(body): Json<Policies>) -> Result<Response> {
    let policies = body.read()?;
    let mut tx = controller.store.begin().await?;
    let apps = permitted(&mut tx, &access, &policies).await?;
    for policy in &policies {
        network_policies::delete(&mut tx, policy).await?;
    }
    record(&controller, &mut tx, &access, "audit.app.network-policy.remove", &apps, &policies).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(json!({})))
}

/// One event per source.
async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    apps: &[AppRow],
    policies: &[NetworkPolicyRow],
) -> Result<()> {
    for app in apps {
        let own: Vec<NetworkPolicyRow> = policies.iter().filter(|policy| policy.source == app.guid).cloned().collect();
        if own.is_empty() {
            continue;
        }
        let event = Event {
            kind,
            target_kind: "app",
            target: app.guid.to_string(),
            target_name: &app.name,
            data: super::view(&own),
            space: Some(app.space),
            organization: spaces::find(db, app.space).await?.map(|space| space.organization),
        };
        audit_events::record(controller, db, access, event).await?;
    }
    Ok(())
}
