//! Audit events of managed instances.

use crate::{
    Controller, Result,
    audit_events::{self, Event},
};
use serde_json::Value;
use virga_store::{Connection, audit_events::EventParty, service_instances::ServiceInstanceRow, spaces};

/// Records what was done: `create`, `update`, `delete`, the same after `start_`, `purge`, `share`, `unshare`.
pub(in super::super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    actor: EventParty,
    verb: &str,
    instance: &ServiceInstanceRow,
    data: Value,
) -> Result<()> {
    let event = Event {
        kind: &format!("audit.service_instance.{verb}"),
        target_kind: "service_instance",
        target: instance.guid.to_string(),
        target_name: &instance.name,
        data,
        space: Some(instance.space),
        organization: spaces::find(db, instance.space).await?.map(|space| space.organization),
    };
    audit_events::record_by(controller, db, actor, event).await
}
