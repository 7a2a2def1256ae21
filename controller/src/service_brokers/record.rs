//! Audit events of brokers, offerings and plans.

use crate::{
    Access, Controller, Result,
    audit_events::{self, Event},
};
use serde_json::{Value, json};
use virga_store::{Connection, audit_events::EventParty, service_brokers::ServiceBrokerRow, spaces};

/// Records what a caller did to a broker: `create`, `update`, `delete`.
pub(super) async fn by_caller(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    verb: &str,
    broker: &ServiceBrokerRow,
    request: Value,
) -> Result<()> {
    let organization = match broker.space {
        Some(space) => spaces::find(db, space).await?.map(|space| space.organization),
        None => None,
    };
    let event = Event {
        kind: &format!("audit.service_broker.{verb}"),
        target_kind: "service_broker",
        target: broker.guid.to_string(),
        target_name: &broker.name,
        data: json!({ "request": request }),
        space: broker.space,
        organization,
    };
    audit_events::record(controller, db, access, event).await
}

/// Records what a broker's catalog did to an offering (`service`) or plan (`service_plan`): `create`, `update`, `delete`.
pub(super) async fn by_broker(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    (kind, verb): (&str, &str),
    guid: impl ToString,
    name: &str,
) -> Result<()> {
    let actor = EventParty { guid: broker.guid.to_string(), kind: "service_broker".to_owned(), name: broker.name.clone() };
    let event = Event {
        kind: &format!("audit.{kind}.{verb}"),
        target_kind: kind,
        target: guid.to_string(),
        target_name: name,
        data: json!({}),
        space: None,
        organization: None,
    };
    audit_events::record_by(controller, db, actor, event).await
}
